package cosim

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
)

// Value is what one engine says.
type Value struct {
	Engine string `json:"engine"`
	Hex    string `json:"hex"`
	Signed int64  `json:"signed"` // read as two's complement
	word   uint64
}

// Mismatch is the first difference of a run.
type Mismatch struct {
	Cycle  int     `json:"cycle"`  // counted from power-on
	Signal string  `json:"signal"` // top.port or top.port[element]
	Width  int     `json:"width_bits"`
	Values []Value `json:"values"` // one an engine
	Source string  `json:"source"` // where the description made it

	// Shrunk is the smallest stimulus found; Origin, Wave and the stimulus file are of it.
	Shrunk *Shrunk `json:"shrunk,omitempty"`
	Origin *Origin `json:"origin,omitempty"`

	StimulusFile string   `json:"stimulus_file,omitempty"`
	Wave         string   `json:"waveform,omitempty"`
	Replay       string   `json:"replay"`
	Notes        []string `json:"notes,omitempty"` // what could not be found out, and why
}

// Origin is the earliest register that differs.
type Origin struct {
	Cycle  int      `json:"cycle"`  // counted in the shrunk stimulus
	Signal string   `json:"signal"` // hierarchical name
	Width  int      `json:"width_bits"`
	Values []Value  `json:"values"`
	Source string   `json:"source"`
	Others []string `json:"others,omitempty"` // more that differ in this cycle, at most 8
}

func values(engines []verify.Engine, outs [][]uint64, at, w int) []Value {
	var vs []Value
	for i, e := range engines {
		x := outs[i][at]
		vs = append(vs, Value{e.Name(), fmt.Sprintf("%d'h%0*x", w, (w+3)/4, x), bits.Signed(x, w), x})
	}
	return vs
}

// mismatch names the output word of row k of the last batch.
func (g *group) mismatch(d *ir.Design, cycle, k, word int) *Mismatch {
	m := &Mismatch{Cycle: cycle, Source: "?"}
	at := 0
	for _, p := range g.shape.Out {
		if word < at+p.Type.N {
			m.Signal = elementName(d.Top.Name, p.Name, p.Type, word-at)
			m.Width = p.Type.W
			m.Source = p.Node.Loc.String()
			break
		}
		at += p.Type.N
	}
	m.Values = values(g.engines, g.out, k*g.shape.OutWords+word, m.Width)
	return m
}

// replay runs records from power-on and gives the number of cycles up to and with the first
// difference (0: none). visit, when not nil, sees each batch before it is compared.
func (g *group) replay(ctx context.Context, records []uint64, visit func(from, n int)) (int, error) {
	if err := g.power(ctx); err != nil {
		return 0, err
	}
	gate := &resetGate{wait: g.opt.AfterReset}
	total := len(records) / g.shape.InWords
	first := 0
	for at := 0; at < total; at += g.opt.Batch {
		n := min(g.opt.Batch, total-at)
		in := records[at*g.shape.InWords:]
		if err := g.step(ctx, in, at, n); err != nil {
			return 0, err
		}
		if visit != nil {
			visit(at, n)
		}
		if first > 0 {
			continue
		}
		if k, _, differs := g.difference(in, n, gate); differs {
			if first = at + k + 1; visit == nil {
				return first, nil
			}
		}
	}
	return first, nil
}

// explain fills in what can be found out about a difference. What fails becomes a note; only
// the end of ctx is an error.
func explain(ctx context.Context, d *ir.Design, g *group, s Stimulus, res *Result) error {
	m := res.Mismatch
	src, err := s.start(g.shape)
	if err != nil {
		return err // was checked by Run
	}
	records := make([]uint64, (m.Cycle+1)*g.shape.InWords)
	src.fill(records)
	note := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			m.Notes = append(m.Notes, what+": "+err.Error())
		}
	}
	if g.opt.Tries > 0 {
		records, err = g.shrink(ctx, records, m)
		note("shrinking", err)
	}
	shown, probes, err := g.exposed(ctx, d)
	note("looking inside", err)
	if shown == nil {
		shown = g
	} else {
		defer shown.close()
	}
	w := &window{probes: probes}
	note("looking inside", w.observe(ctx, shown, records, m))
	if g.opt.Dir != "" {
		note("stimulus file", g.writeStimulus(d, records, m))
		note("waveform", w.write(shown, d, m))
	}
	if g.opt.Replay != nil {
		m.Replay = g.opt.Replay(m.StimulusFile)
	} else {
		m.Replay = fmt.Sprintf("stimulus %s, seed %#x, power-on seed %#x, %d cycles", s.Kind, s.Seed, g.opt.Power, m.Cycle+1)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("cosim: stopped while explaining a difference: %w", context.Cause(ctx))
	}
	return nil
}

// Shrinking runs at most shrinkBase cycles and shrinkPer times those up to the difference, so
// that a difference late in a long run of a slow engine is explained in reasonable time.
const (
	shrinkBase = 100_000
	shrinkPer  = 10
)

func (g *group) shrink(ctx context.Context, records []uint64, m *Mismatch) ([]uint64, error) {
	s := &shrinker{width: g.shape.InWords, left: g.opt.Tries, best: records}
	s.cost = shrinkBase + shrinkPer*s.cycles()
	s.fails = func(r []uint64) (int, error) { return g.replay(ctx, r, nil) }
	if !s.try(records) {
		if s.err == nil {
			s.err = fmt.Errorf("the difference of cycle %d did not come again from power-on: an engine depends on more than its inputs", m.Cycle)
		}
		return records, s.err
	}
	shrunk, err := s.run(ctx)
	m.Shrunk = shrunk
	return shrunk.Records, err
}

// exposed makes the engines again with all registers as outputs. No group and no error:
// Rebuild is not given.
func (g *group) exposed(ctx context.Context, d *ir.Design) (*group, []Probe, error) {
	if g.opt.Rebuild == nil {
		return nil, nil, nil
	}
	top, probes := Expose(d)
	x := newGroup(nil, verify.ShapeOf(top.Top), g.opt)
	for i := range g.engines {
		var theirs []Probe
		e, err := g.opt.Rebuild(ctx, i, func(d *ir.Design) *ir.Design {
			c, p := Expose(d)
			theirs = p
			return c
		})
		if err == nil {
			x.engines = append(x.engines, e)
			x.out = append(x.out, make([]uint64, g.opt.Batch*x.shape.OutWords))
		}
		if err == nil && theirs != nil && !slices.EqualFunc(probes, theirs, sameProbe) {
			err = fmt.Errorf("engine %d, %s, has other registers", i, e.Name())
		}
		if err != nil {
			x.close()
			return nil, nil, err
		}
	}
	x.busy = g.busy
	return x, probes, nil
}

func sameProbe(a, b Probe) bool { return a.Path == b.Path && a.Type == b.Type && a.Word == b.Word }

func (g *group) close() {
	for _, e := range g.engines {
		e.Close()
	}
}

// window is the cycles round a difference.
type window struct {
	probes []Probe
	from   int
	in     []uint64
	out    [][]uint64 // one an engine
}

// observe runs records again, keeps the cycles round the difference and finds its origin.
func (w *window) observe(ctx context.Context, g *group, records []uint64, m *Mismatch) error {
	width := g.shape.InWords
	last := records[len(records)-width:]
	total := len(records)/width - 1
	for range g.opt.After {
		records = append(records[:len(records):len(records)], last...)
	}
	w.from = max(0, total-g.opt.Before)
	w.in = records[w.from*width:]
	w.out = make([][]uint64, len(g.engines))
	_, err := g.replay(ctx, records, func(from, n int) {
		for k := range n {
			row := func(i int) []uint64 { return g.out[i][k*g.shape.OutWords : (k+1)*g.shape.OutWords] }
			if m.Origin == nil {
				m.Origin = w.origin(g, from+k, row)
			}
			if from+k >= w.from {
				for i := range g.engines {
					w.out[i] = append(w.out[i], row(i)...)
				}
			}
		}
	})
	if err == nil && m.Origin == nil && len(w.probes) > 0 {
		m.Notes = append(m.Notes, "no register differs: the difference is in the logic behind them")
	}
	return err
}

const mostOthers = 8

// origin is the first probe that differs in a cycle.
func (w *window) origin(g *group, cycle int, row func(i int) []uint64) *Origin {
	var o *Origin
	for _, p := range w.probes {
		for e := range p.Type.N {
			at := p.Word + e
			same := true
			for i := range g.engines[1:] {
				same = same && row(i + 1)[at] == row(0)[at]
			}
			if same {
				continue
			}
			dir, name := split(p.Path)
			name = elementName(dir, name, p.Type, e)
			if o == nil {
				rows := make([][]uint64, len(g.engines))
				for i := range rows {
					rows[i] = row(i)
				}
				o = &Origin{Cycle: cycle, Signal: name, Width: p.Type.W, Source: p.Loc.String(),
					Values: values(g.engines, rows, at, p.Type.W)}
			} else if len(o.Others) < mostOthers {
				o.Others = append(o.Others, name)
			}
		}
	}
	return o
}

func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '.')
	return path[:i], path[i+1:]
}

func (g *group) writeStimulus(d *ir.Design, records []uint64, m *Mismatch) error {
	path := filepath.Join(g.opt.Dir, d.Top.Name+".stim")
	err := writeFile(path, func(f io.Writer) error { return WriteStimulus(f, d.Top, g.opt.Power, records) })
	if err == nil {
		m.StimulusFile = path
	}
	return err
}

// write writes the waveform.
func (w *window) write(g *group, d *ir.Design, m *Mismatch) error {
	path := filepath.Join(g.opt.Dir, d.Top.Name+".vcd")
	signals := w.signals(g, d)
	err := writeFile(path, func(f io.Writer) error {
		return writeVCD(f, w.from, fmt.Sprintf("%s differs first in %s", d.Top.Name, m.Signal), signals)
	})
	if err == nil {
		m.Wave = path
	}
	return err
}

// signals are the inputs, one bit that says where outputs differ, and for each engine the
// outputs and registers.
func (w *window) signals(g *group, d *ir.Design) []signal {
	column := func(rows []uint64, width, at int) []uint64 {
		var v []uint64
		for i := at; i < len(rows); i += width {
			v = append(v, rows[i])
		}
		return v
	}
	in, out := g.shape.InWords, g.shape.OutWords
	list := []signal{{[]string{"inputs", "rst"}, 1, column(w.in, in, 0)}}
	at := 1
	for _, p := range g.shape.In {
		for e := range p.Type.N {
			list = append(list, signal{strings.Split(elementName("inputs", p.Name, p.Type, e), "."), p.Type.W, mask(column(w.in, in, at), p.Type.W)})
			at++
		}
	}
	differs := signal{path: []string{"differs"}, width: 1}
	for k := 0; k*out < len(w.out[0]); k++ {
		bad := uint64(0)
		for _, o := range w.out[1:] {
			if !slices.Equal(o[k*out:(k+1)*out], w.out[0][k*out:(k+1)*out]) {
				bad = 1
			}
		}
		differs.values = append(differs.values, bad)
	}
	list = append(list, differs)
	own := verify.ShapeOf(d.Top).Out
	for i, e := range g.engines {
		add := func(dir, name string, t ir.Type, word int) {
			scopes := strings.Split(fmt.Sprintf("%d_%s.%s", i, e.Name(), dir), ".")
			for k := range t.N {
				_, leaf := split(elementName(".", name, t, k))
				list = append(list, signal{append(slices.Clone(scopes), leaf), t.W, column(w.out[i], out, word+k)})
			}
		}
		word := 0
		for _, p := range own {
			add(d.Top.Name, p.Name, p.Type, word)
			word += p.Type.N
		}
		for _, p := range w.probes {
			dir, name := split(p.Path)
			add(dir, name, p.Type, p.Word)
		}
	}
	return list
}

func mask(v []uint64, w int) []uint64 {
	for i := range v {
		v[i] &= bits.Mask(w)
	}
	return v
}

// writeFile writes aside and renames; the folder is made when it is missing.
func writeFile(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
