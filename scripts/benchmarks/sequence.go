package main

import (
	"fmt"
	"math/rand"
	"slices"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// sequence is random queries, keys and values of as many tokens as the longest of contexts.
type sequence struct {
	k, v    [][]int8 // of each token, head after head
	q       [][]int8 // of the tokens at contexts
	outputs [][]int8 // their attention
}

func newSequence(s shape) *sequence {
	r := rand.New(rand.NewSource(1))
	vector := func() []int8 {
		x := make([]int8, s.heads*s.channels)
		for i := range x {
			x[i] = int8(r.Intn(256) - 128)
		}
		return x
	}
	seq := &sequence{outputs: make([][]int8, len(contexts))}
	for range slices.Max(contexts) {
		seq.k, seq.v = append(seq.k, vector()), append(seq.v, vector())
	}
	for range contexts {
		seq.q = append(seq.q, vector())
	}
	for h := range s.heads { // heads know nothing of one another, so one at a time is the same, and small
		one := s.spread()
		one.Heads, one.KVHeads = 1, 1
		head := func(x []int8) []int8 { return x[h*s.channels : (h+1)*s.channels] }
		var passes []hw.Pass
		for t := range seq.k {
			p := seq.pass(t, slices.Contains(contexts, t+1))
			if p.K, p.V = head(p.K), head(p.V); !p.Store {
				p.Q = head(p.Q)
			}
			passes = append(passes, p)
		}
		for i, o := range one.Collect(one.Arithmetic(one.Beats(passes))[0]) {
			seq.outputs[i] = append(seq.outputs[i], o...)
		}
	}
	return seq
}

// pass is token t of the sequence, which gives outputs or is only stored.
func (s *sequence) pass(t int, attends bool) hw.Pass {
	p := hw.Pass{First: t == 0, Store: !attends, K: s.k[t], V: s.v[t]}
	if attends {
		p.Q = s.q[max(slices.Index(contexts, t+1), 0)]
	}
	return p
}

// storer stores tokens, a whole pass in one call of the engine. When the engine takes which
// beat it has learnt from a pass that was driven cycle by cycle, and each pass must be alike.
type storer struct {
	sim     verify.Engine
	block   hw.AttentionEngine
	seq     *sequence
	stored  int // tokens
	streams []lane
	shape   verify.Shape
	period  int // cycles of a pass
	in, out []uint64
}

// lane is an input stream: where its ports are in the records, and in which cycles of a pass
// its beats are taken.
type lane struct {
	valid, data, ready int
	taken              []int
}

// newStorer resets the engine and stores the first two tokens.
func newStorer(sim verify.Engine, top *ir.Module, e hw.AttentionEngine, s *sequence) (*storer, error) {
	st := &storer{sim: sim, block: e, seq: s, stored: 2, shape: verify.ShapeOf(top)}
	ins, _ := e.Streams()
	beats := e.Beats([]hw.Pass{s.pass(0, false), s.pass(1, false)})
	var feeds []drive.Feed
	for i, stream := range ins {
		feeds = append(feeds, drive.Feed{Name: stream.Name, Beats: beats[i]})
	}
	res, err := drive.Run(sim, top, feeds, nil, drive.Options{})
	if err != nil {
		return nil, err
	}
	begin := res.Taken[0][1]
	st.period = begin - res.Taken[0][0]
	for i, stream := range ins {
		l := lane{valid: wordOf(st.shape.In, stream.Name+"_valid", 1), ready: wordOf(st.shape.Out, stream.Name+"_ready", 0)}
		l.data = l.valid + 1 // fields follow valid
		for _, cycle := range res.Taken[i][len(res.Taken[i])/2:] {
			l.taken = append(l.taken, cycle-begin)
		}
		st.streams = append(st.streams, l)
	}
	st.in, st.out = make([]uint64, st.period*st.shape.InWords), make([]uint64, st.period*st.shape.OutWords)
	return st, nil
}

// wordOf is the first word of a port in a record that starts with skip other words.
func wordOf(ports []*ir.Port, name string, skip int) int {
	for _, p := range ports {
		if p.Name == name {
			return skip
		}
		skip += p.Type.N
	}
	panic("no port " + name)
}

// store stores the next token.
func (s *storer) store() error {
	beats := s.block.Beats([]hw.Pass{s.seq.pass(s.stored, false)})
	for i, l := range s.streams {
		next := 0
		for cycle := range s.period {
			rec := s.in[cycle*s.shape.InWords : (cycle+1)*s.shape.InWords]
			rec[l.valid] = bits.Bool(next < len(beats[i]))
			if next == len(beats[i]) {
				continue
			}
			copy(rec[l.data:], slices.Concat(beats[i][next]...))
			if cycle == l.taken[next] {
				next++
			}
		}
	}
	if err := s.sim.Run(s.in, s.out, s.period); err != nil {
		return err
	}
	for i, l := range s.streams {
		var taken []int
		for cycle := range s.period {
			if s.in[cycle*s.shape.InWords+l.valid] == 1 && s.out[cycle*s.shape.OutWords+l.ready] == 1 {
				taken = append(taken, cycle)
			}
		}
		if !slices.Equal(taken, l.taken) {
			return fmt.Errorf("%s: token %d is stored in other cycles than the one before, stream %d", s.block.Name(), s.stored, i)
		}
	}
	s.stored++
	return nil
}
