package cli

import (
	"fmt"

	"ohmloom/gen/compile"
	"ohmloom/gen/model"
	"ohmloom/hw/isa"
	"ohmloom/ir/bits"
)

// checker compares every vector between the units of a chip, and every logit, with what the
// arithmetic has there: the writers of the chip's switch (banks, vector unit, attention engine),
// and behind them the output head.
type checker struct {
	p      *compile.Compiled
	queues [][]vector // of each writer, what is to come
	at     []int      // elements of its first vector that came
	token  int        // of the sequence, for names
	count  int        // values compared
}

// vector is what a writer gives.
type vector struct {
	writer int
	name   string
	values []int64
}

func newChecker(p *compile.Compiled) *checker {
	n := p.Chip.Banks + 3
	return &checker{p: p, queues: make([][]vector, n), at: make([]int, n)}
}

// probe adds the signals to look at.
func (c *checker) probe(p *probes) {
	for w := range c.queues {
		stream, field := c.stream(w)
		p.add([]string{stream}, field)
	}
}

// stream is that of a writer, with the field to compare.
func (c *checker) stream(w int) (stream, field string) {
	if w == len(c.queues)-1 {
		return "u_output_head.logit", "logit"
	}
	return fmt.Sprintf("u_switch.w%d", w), "data"
}

// prompt adds what the tokens of a prompt make, in the order of the program, which takes several
// side by side, before so many tokens that are written.
func (c *checker) prompt(traces []*model.Trace, tokens int) {
	own := make([][]vector, len(traces))
	for i, t := range traces {
		own[i] = c.vectors(t, tokens > 0 && i == len(traces)-1)
	}
	for _, in := range c.p.Chip.Instructions(len(traces), min(tokens, 1)) {
		for range given(in.Word) {
			c.put(own[in.Token][0])
			own[in.Token] = own[in.Token][1:]
		}
	}
}

// given is how many vectors an instruction's unit gives.
func given(w isa.Word) int {
	switch w.Kind.Op {
	case isa.Norm, isa.Head:
		return 1
	case isa.Project:
		return w.Value(isa.Count)
	case isa.Attend:
		return 1 - w.Value(isa.Store)
	}
	return 0
}

// expect adds what a token of the text makes; drawn tells that one is drawn after it.
func (c *checker) expect(t *model.Trace, drawn bool) {
	for _, v := range c.vectors(t, drawn) {
		c.put(v)
	}
}

func (c *checker) put(v vector) { c.queues[v.writer] = append(c.queues[v.writer], v) }

// vectors are what the next token makes, in the order of a program without blocks.
func (c *checker) vectors(t *model.Trace, drawn bool) (all []vector) {
	banks := c.p.Chip.Banks
	put := func(w int, layer int, what string, values []int64) {
		all = append(all, vector{w, fmt.Sprintf("token %d, layer %d, %s", c.token, layer, what), values})
	}
	for l := range t.Layers {
		y, m := &t.Layers[l], c.p.Model
		residual := func(name string, acc []int32) []int64 {
			w, err := m.Matrix(fmt.Sprintf("layers.%d.%s", l, name))
			if err != nil {
				panic(err) // every model has it
			}
			var out []int64
			for _, a := range acc {
				out = append(out, int64(model.RQ16(a, w.M, w.S)))
			}
			return out
		}
		put(banks, l, "first norm", wide(y.Y1))
		for i, v := range [][]int8{y.Q, y.K, y.V} {
			put(c.p.Bank(l, 0), l, []string{"q", "k", "v"}[i], wide(v))
		}
		put(banks+1, l, "attention", wide(y.O))
		put(c.p.Bank(l, 1), l, "wo", residual("wo", y.AccO))
		put(banks, l, "second norm", wide(y.Y2))
		put(c.p.Bank(l, 2), l, "hidden vector", wide(y.H))
		put(c.p.Bank(l, 3), l, "w2", residual("w2", y.Acc2))
	}
	if drawn {
		put(banks, len(t.Layers), "last norm", wide(t.Final.Y))
		put(banks+2, len(t.Layers), "logit", wide(t.Final.Logits))
	}
	c.token++
	return all
}

func wide[T int8 | int32](v []T) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

// observe compares what moves in a cycle.
func (c *checker) observe(cycle int, p *probes, output func(port string) []uint64) error {
	for w := range c.queues {
		stream, field := c.stream(w)
		if !p.fires(stream, output) {
			continue
		}
		if len(c.queues[w]) == 0 {
			return failed("cycle %d: %s gives a vector that the arithmetic does not have", cycle, c.writer(w))
		}
		v, width := c.queues[w][0], 16
		if w == len(c.queues)-1 {
			width = 32
		}
		for _, word := range output(p.ports[stream+"_"+field]) {
			if c.at[w] == len(v.values) {
				break // the last beat is filled up
			}
			if got, want := bits.Signed(word, width), v.values[c.at[w]]; got != want {
				return failed("cycle %d: %s[%d] is %d, the arithmetic says %d (from %s)", cycle, v.name, c.at[w], got, want, c.writer(w))
			}
			c.at[w]++
			c.count++
		}
		if c.at[w] == len(v.values) {
			c.queues[w], c.at[w] = c.queues[w][1:], 0
		}
	}
	return nil
}

// ended reports vectors that never came.
func (c *checker) ended() error {
	for w, q := range c.queues {
		if len(q) > 0 {
			return failed("%s never gave %s[%d]", c.writer(w), q[0].name, c.at[w])
		}
	}
	return nil
}

func (c *checker) writer(w int) string {
	switch w - c.p.Chip.Banks {
	case 0:
		return "the vector unit"
	case 1:
		return "the attention engine"
	case 2:
		return "the output head"
	}
	return fmt.Sprintf("bank %d", w)
}
