package cli

import (
	"fmt"

	"ohmloom/gen/compile"
	"ohmloom/gen/lower"
	"ohmloom/gen/report"
	"ohmloom/hw/isa"
)

// activity is when the parts of a chip worked for the token written last, from the first beat of their
// operands to the last of their results.
type activity struct {
	units    []*worker
	from, to int // of the last token that was written
	began    int // the present one
	token    []report.Lane
}

// worker is a part of the chip that does the same operations for each token, in order, after those
// of the prompt. Several may be under way.
type worker struct {
	name    string
	in, out []string // streams inside the chip, whose valid and ready are looked at
	prompt  []operation
	ops     []operation
	skips   bool // an operation may end without results, when the next one begins

	begun, ended int           // operations
	ins, outs    int           // beats of the operations that began and end next
	spans        []report.Span // since the last token
}

// operation is the beats of operands and of results.
type operation struct{ in, out int }

// of is operation i.
func (u *worker) of(i int) operation {
	if i < len(u.prompt) {
		return u.prompt[i]
	}
	return u.ops[(i-len(u.prompt))%len(u.ops)]
}

// newActivity is the parts of p's chip in a run with a prompt of so many tokens: they are known by
// the streams of its switch.
func newActivity(p *compile.Compiled, prompt int) *activity {
	c, m := &p.Chip, &p.Model.Config
	beats := func(n int) int { return (n + c.Lanes - 1) / c.Lanes }
	reader := func(i int) string { return fmt.Sprintf("u_switch.r%d", i) }
	writer := func(i int) string { return fmt.Sprintf("u_switch.w%d", i) }
	d := beats(m.DModel)
	a := &activity{}
	for b := range c.Banks {
		w := &worker{name: fmt.Sprintf("bank %d", b), in: []string{reader(b)}, out: []string{writer(b)}}
		for layer := range m.NLayers {
			for stage, op := range []operation{{d, 3 * d}, {d, d}, {d, beats(m.DFF)}, {beats(m.DFF), d}} {
				if p.Bank(layer, stage) == b {
					w.ops = append(w.ops, op)
				}
			}
		}
		a.units = append(a.units, w)
	}
	add := c.Banks // and after it q, k, v and the output head
	a.units = append(a.units,
		&worker{name: "vector unit", in: []string{reader(add), "u_vector_unit.emb"}, out: []string{writer(c.Banks)}, ops: []operation{{d, d}}, skips: true},
		&worker{name: "attention engine", in: []string{reader(add + 1), reader(add + 2), reader(add + 3)}, out: []string{writer(c.Banks + 1)}, ops: []operation{{3 * d, d}}},
		&worker{name: "output head and sampler", in: []string{reader(add + 4)}, out: []string{"token"}, ops: []operation{{d, 1}}},
		&worker{name: "memory", in: []string{"row"}, ops: []operation{{1, 0}}})
	engine := a.units[c.Banks+1]
	for _, in := range c.Instructions(prompt, 0) { // which may take tokens of the prompt side by side
		switch in.Kind.Op {
		case isa.Project:
			s := c.Matrices[in.Value(isa.Bank)][in.Op].Shape()
			op := operation{in: beats(s.K)}
			for _, n := range s.N {
				op.out += beats(n)
			}
			u := a.units[in.Value(isa.Bank)]
			u.prompt = append(u.prompt, op)
		case isa.Attend:
			op := engine.ops[0]
			if in.Value(isa.Store) == 1 {
				op = operation{in: 2 * d}
			}
			engine.prompt = append(engine.prompt, op)
		}
	}
	return a
}

// paths are the streams to look at.
func (a *activity) paths() []string {
	var paths []string
	for _, u := range a.units {
		paths = append(append(paths, u.in...), u.out...)
	}
	return paths
}

// observe notes who works in a cycle; fires tells whether a beat moves in a stream.
func (a *activity) observe(cycle int, fires func(stream string) bool) {
	for _, u := range a.units {
		if !u.step(fires) {
			continue
		}
		if s := u.spans; len(s) > 0 && s[len(s)-1].To == cycle {
			s[len(s)-1].To++
		} else {
			u.spans = append(s, report.Span{From: cycle, To: cycle + 1})
		}
	}
}

// step is one cycle; it tells whether the part works in it.
func (u *worker) step(fires func(stream string) bool) bool {
	if len(u.ops) == 0 {
		return false
	}
	for _, s := range u.in {
		if !fires(s) {
			continue
		}
		if u.ins == 0 {
			if u.begun++; u.skips && u.begun > u.ended+1 && u.outs == 0 {
				u.ended = u.begun - 1
			}
		}
		if u.ins++; u.ins == u.of(u.begun-1).in {
			u.ins = 0
		}
	}
	works := u.begun > u.ended
	for u.ended < u.begun && u.of(u.ended).out == 0 && (u.ended+1 < u.begun || u.ins == 0) {
		u.ended++
	}
	for _, s := range u.out {
		if !fires(s) || !works {
			continue
		}
		if u.outs++; u.outs == u.of(u.ended).out {
			u.ended, u.outs = u.ended+1, 0
		}
	}
	if len(u.out) == 0 {
		u.ended = u.begun
	}
	return works
}

// next begins another token.
func (a *activity) next(cycle int) {
	a.token, a.from, a.to, a.began = nil, a.began, cycle, cycle
	for _, u := range a.units {
		a.token = append(a.token, report.Lane{Name: u.name, Spans: u.spans})
		u.spans = nil
	}
}

// probes are signals inside a chip, made outputs of it.
type probes struct {
	paths []string
	ports map[string]string // by path
}

// add makes the signals of streams visible: valid, ready and the given fields.
func (p *probes) add(streams []string, fields ...string) {
	if p.ports == nil {
		p.ports = map[string]string{}
	}
	for _, s := range streams {
		for _, f := range append([]string{"valid", "ready"}, fields...) {
			path := s + "_" + f
			if p.ports[path] == "" {
				p.ports[path] = fmt.Sprintf("probe_%d", len(p.paths))
				p.paths = append(p.paths, lower.ChipPath+"."+path)
			}
		}
	}
}

// fires tells whether a beat moves in a stream.
func (p *probes) fires(stream string, output func(port string) []uint64) bool {
	return output(p.ports[stream+"_valid"])[0] == 1 && output(p.ports[stream+"_ready"])[0] == 1
}
