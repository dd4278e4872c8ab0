package main

import (
	"context"
	"fmt"
	"strings"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
	"ohmloom/verify/power"
)

// part is one measurement.
type part struct {
	name, operation string
	energy          string // the technology's figure that it gives, or ""
	measure         func(ctx context.Context, b *bench) (*measured, error)
}

type measured struct {
	power.Result
	Operations int
}

var parts = []part{
	{"spread column, 32 multipliers", "int8 multiplication, added", "mac", column},
	{"PE of the systolic array", "int8 multiplication, added", "", systolic},
	{"shift-add, 8 converters", "code added", "", shiftAdd},
	{"requantise, 20 to 16 bits", "sum scaled", "multiply", requantise},
	{"residual addition", "int16 added, saturating", "add", residual},
	{"register slice, 16 x 8 bits", "bit, one hop", "link_bit", slice},
	{"vector unit, 16 lanes, without its SRAM", "element of a norm and an addition", "", vectorUnit},
	{"RMS norm, 8 lanes, without its SRAM", "element", "", norm},
}

func open(d *ir.Design) (verify.Engine, error) { return interp.New(d) }

// meter is the netlist of a module.
func (b *bench) meter(ctx context.Context, m *ir.Module) (*power.Meter, error) {
	e, err := power.NewMeter(ctx, ir.NewDesign(m), b.lib, b.options, open)
	if err != nil {
		return nil, err
	}
	return e, e.Power(1, nil)
}

// streams measures a block on beats, n operations in all.
func (b *bench) streams(ctx context.Context, blk hw.Block, in [][]hw.Beat, n int) (*measured, error) {
	top := blk.Build(hw.NewLib(nil))
	e, err := b.meter(ctx, top)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	ins, outs := blk.Streams()
	var feeds []drive.Feed
	for i, s := range ins {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: in[i]})
	}
	var wants []drive.Want
	want := blk.Arithmetic(in)
	for i, s := range outs {
		wants = append(wants, drive.Want{Name: s.Name, Beats: len(want[i])})
	}
	res, err := drive.Run(e, top, feeds, wants, drive.Options{Tail: 1})
	if err != nil {
		return nil, err
	}
	if fmt.Sprint(res.Out) != fmt.Sprint(want) {
		return nil, fmt.Errorf("the results are wrong")
	}
	return &measured{e.Circuit.Result(), n}, nil
}

// moduleOf is the module of a design whose name begins so.
func moduleOf(top *ir.Module, prefix string) *ir.Module {
	for _, m := range ir.NewDesign(top).Modules {
		if strings.HasPrefix(m.Name, prefix) && m.Macro == nil {
			return m
		}
	}
	panic("energy: no module " + prefix)
}

// pins drives a module cycle by cycle by the names of its inputs.
type pins struct {
	e     *power.Meter
	shape verify.Shape
	in    []uint64
	out   []uint64
}

func newPins(e *power.Meter, m *ir.Module) *pins {
	s := verify.ShapeOf(m)
	return &pins{e: e, shape: s, in: make([]uint64, s.InWords), out: make([]uint64, s.OutWords)}
}

// set gives an input its elements, the rest of them 0.
func (p *pins) set(name string, words ...uint64) {
	at := 1
	for _, port := range p.shape.In {
		if port.Name == name {
			field := p.in[at : at+port.Type.N]
			clear(field)
			copy(field, words)
			return
		}
		at += port.Type.N
	}
	panic("energy: no input " + name)
}

func (p *pins) get(name string) uint64 {
	at := 0
	for _, port := range p.shape.Out {
		if port.Name == name {
			return p.out[at]
		}
		at += port.Type.N
	}
	panic("energy: no output " + name)
}

func (p *pins) cycle() error { return p.e.Run(p.in, p.out, 1) }

// reset is one cycle with rst.
func (p *pins) reset() error {
	p.in[0] = 1
	err := p.cycle()
	p.in[0] = 0
	return err
}

func bytes(v []int8) []uint64 {
	w := make([]uint64, len(v))
	for i, x := range v {
		w[i] = uint64(uint8(x))
	}
	return w
}

// systolic is a PE of the array on dot products of q and k, and of weights and v, the sums
// leaving after each.
func systolic(ctx context.Context, b *bench) (*measured, error) {
	m := moduleOf(hw.Array{Rows: 1, Cols: 1}.Build(hw.NewLib(nil)), "pe")
	e, err := b.meter(ctx, m)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	p, n := newPins(e, m), 0
	if err := p.reset(); err != nil {
		return nil, err
	}
	dot := func(x, y []int8) error {
		sum := int32(0)
		for i := range x {
			p.set("a_in", bytes(x[i:i+1])...)
			p.set("b_in", bytes(y[i:i+1])...)
			if err := p.cycle(); err != nil {
				return err
			}
			sum += int32(x[i]) * int32(y[i])
		}
		n += len(x)
		p.set("a_in", 0)
		p.set("shift", 1)
		err := p.cycle()
		if got := int32(p.get("acc_out")); err == nil && got != sum {
			err = fmt.Errorf("the sum is %d, want %d", got, sum)
		}
		p.set("shift", 0)
		return err
	}
	a := b.acts
	for _, t := range a.last {
		for l := range t.Layers {
			for h, head := range t.Layers[l].Heads {
				dh := a.m.Config.HeadChannels
				q := t.Layers[l].Q[h*dh : (h+1)*dh]
				v := make([]int8, len(head.E))
				for i := range v {
					v[i] = a.vals[l][h][i][0]
				}
				if err := dot(q, a.keys[l][h][0]); err != nil {
					return nil, err
				}
				if err := dot(head.E, v); err != nil {
					return nil, err
				}
			}
		}
	}
	return &measured{e.Circuit.Result(), n}, nil
}

// column is a column of the spread engine without its SRAM: keys of every 32nd slot, then the
// values of a channel, word by word.
func column(ctx context.Context, b *bench) (*measured, error) {
	a, c := b.acts, &b.acts.m.Config
	const rows = 32
	spread := hw.Spread{Rows: rows, Cols: rows, Heads: c.NHeads, KVHeads: c.NHeads, HeadChannels: c.HeadChannels, Context: c.Ctx, Layers: c.NLayers, Lanes: 8, Ahead: 4}
	m := moduleOf(spread.Build(hw.NewLib(nil)), "spread_column")
	e, err := b.meter(ctx, m)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	p := newPins(e, m)
	words := map[int][]int8{}
	word := func(layer, head, i int) int { return ((layer*c.NHeads+head)*2)*(c.Ctx/rows) + i }
	for l := range c.NLayers {
		for h := range c.NHeads {
			for i := range c.Ctx / rows {
				words[word(l, h, i)] = a.keys[l][h][i*rows]
				var v []int8
				for s := range rows {
					v = append(v, a.vals[l][h][i*rows+s][0])
				}
				words[word(l, h, c.Ctx/rows+i)] = v
			}
		}
	}
	all := make([]uint64, rows)
	for i := range all {
		all[i] = 1
	}
	e.Compare = false // sums hang on power-on states until the first is complete
	for key := range len(words) {
		p.set("we", 1)
		p.set("rows", all...)
		p.set("waddr", uint64(key))
		p.set("k", bytes(words[key])...)
		if err := p.cycle(); err != nil {
			return nil, err
		}
	}
	p.set("we", 0)
	p.set("k")
	const tree = 3 // registers in the adder tree: 5 levels, one behind every second and the last
	type read struct {
		at    int
		a     []int8
		first bool
		sum   int32 // so far
	}
	var reads []read
	for _, t := range a.last {
		for l := range t.Layers {
			for h, head := range t.Layers[l].Heads {
				q, sum := t.Layers[l].Q[h*c.HeadChannels:(h+1)*c.HeadChannels], int32(0)
				for i := range c.Ctx / rows {
					reads = append(reads, read{word(l, h, i), q, true, dot(q, words[word(l, h, i)])})
				}
				weights := make([]int8, c.Ctx)
				copy(weights, head.E)
				for i := range c.Ctx / rows {
					w, at := weights[i*rows:(i+1)*rows], word(l, h, c.Ctx/rows+i)
					sum += dot(w, words[at])
					reads = append(reads, read{at, w, i == 0, sum})
				}
			}
		}
	}
	for t := range len(reads) + tree + 3 {
		if t == tree+3 {
			e.Circuit.Forget() // all pipelines are full
		}
		p.set("re", flag(t < len(reads)))
		if t < len(reads) {
			p.set("raddr", uint64(reads[t].at))
		}
		if i := t - 1; i >= 0 && i < len(reads) {
			p.set("a", bytes(reads[i].a)...)
		}
		i := t - 2 - tree
		p.set("add", flag(i >= 0 && i < len(reads)))
		p.set("first", flag(i >= 0 && i < len(reads) && reads[i].first))
		if err := p.cycle(); err != nil {
			return nil, err
		}
		if i--; i >= 0 && i < len(reads) {
			bits := m.Port("sum").Type.W
			if got := int32(p.get("sum")<<(64-bits)>>32) >> (32 - bits); got != reads[i].sum {
				return nil, fmt.Errorf("sum %d is %d, want %d", i, got, reads[i].sum)
			}
		}
	}
	r := e.Circuit.Result()
	return &measured{r, r.Cycles * rows}, nil
}

func dot(x, y []int8) (sum int32) {
	for i := range x {
		sum += int32(x[i]) * int32(y[i])
	}
	return sum
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// projections calls f for each projection of each layer and token that is measured.
func (a *activations) projections(f func(w model.Matrix, x []int8, acc []int32)) {
	for _, t := range a.last[:2] {
		for l := range t.Layers {
			for _, name := range model.Projections {
				w, err := a.m.Matrix(fmt.Sprintf("layers.%d.%s", l, name))
				if err != nil {
					panic(err)
				}
				x, acc := t.Layers[l].Projection(name)
				f(w, x, acc)
			}
		}
	}
}

// shiftAdd is the unit of a 64 x 64 pair with 8 converters on the codes of each matrix' first
// block.
func shiftAdd(ctx context.Context, b *bench) (*measured, error) {
	unit := hw.ShiftAdd{Crossbar: hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64, Step: hw.StepIdeal}}
	in, _ := unit.Streams()
	width := in[0].Fields[0].Type.W
	var beats []hw.Beat
	n := unit.Converters()
	b.acts.projections(func(w model.Matrix, x []int8, _ []int32) {
		for plane := 7; plane >= 0; plane-- {
			for step := range unit.Steps() {
				codes := make([]uint64, n)
				for c := range codes {
					sum := int64(0)
					for r := range 64 {
						sum += int64(w.Row(step*n + c)[r]) * int64(uint8(x[r])>>plane&1)
					}
					codes[c] = uint64(sum) & (1<<width - 1)
				}
				beats = append(beats, hw.Beat{codes, {uint64(plane)}, {flag(true)}, {flag(plane == 0 && step == unit.Steps()-1)}})
			}
		}
	})
	return b.streams(ctx, unit, [][]hw.Beat{beats}, len(beats)*n)
}

// requantise scales the sums of all projections.
func requantise(ctx context.Context, b *bench) (*measured, error) {
	unit := hw.Requantise{Lanes: 1, AccBits: 20, OutBits: 16}
	var beats []hw.Beat
	b.acts.projections(func(w model.Matrix, _ []int8, acc []int32) {
		for _, s := range acc {
			beats = append(beats, hw.Beat{{uint64(s) & (1<<20 - 1)}, {uint64(w.M)}, {uint64(w.S)}})
		}
	})
	return b.streams(ctx, unit, [][]hw.Beat{beats}, len(beats))
}

// residual adds what W_X gave to the residual stream.
func residual(ctx context.Context, b *bench) (*measured, error) {
	var beats []hw.Beat
	for _, t := range b.acts.last {
		for l := range t.Layers {
			w, err := b.acts.m.Matrix(fmt.Sprintf("layers.%d.w2", l))
			if err != nil {
				return nil, err
			}
			for i, x := range t.Layers[l].XMid {
				beats = append(beats, hw.Beat{{uint64(uint16(x))}, {uint64(uint16(model.RQ16(t.Layers[l].Acc2[i], w.M, w.S)))}})
			}
		}
	}
	return b.streams(ctx, hw.ResidualAdd{Lanes: 1}, [][]hw.Beat{beats}, len(beats))
}

// slice moves the inputs of all projections.
func slice(ctx context.Context, b *bench) (*measured, error) {
	const lanes = 16
	var beats []hw.Beat
	b.acts.projections(func(_ model.Matrix, x []int8, _ []int32) {
		for i := 0; i < len(x); i += lanes {
			beats = append(beats, hw.Beat{bytes(x[i : i+lanes])})
		}
	})
	return b.streams(ctx, hw.RegisterSlice{Lanes: lanes, Width: 8}, [][]hw.Beat{beats}, 8*lanes*len(beats))
}

// norm is that of the residual stream.
func norm(ctx context.Context, b *bench) (*measured, error) {
	c := &b.acts.m.Config
	unit := hw.RMSNorm{D: c.DModel, Lanes: 8, K: c.NormK, Shift: c.NormShift}
	var beats []hw.Beat
	n := 0
	for _, t := range b.acts.last[:2] {
		for l := range t.Layers {
			x := t.Layers[l].XMid
			for i := 0; i < len(x); i += unit.Lanes {
				beat := make([]uint64, unit.Lanes)
				for j := range beat {
					beat[j] = uint64(uint16(x[i+j]))
				}
				beats = append(beats, hw.Beat{beat})
			}
			n += len(x)
		}
	}
	return b.streams(ctx, unit, [][]hw.Beat{beats}, n)
}

// vectorUnit is a token's way through the layers: each has two norms and two additions.
func vectorUnit(ctx context.Context, b *bench) (*measured, error) {
	c := &b.acts.m.Config
	const lanes = 16
	unit := hw.VectorUnit{D: c.DModel, Lanes: lanes, K: c.NormK, Shift: c.NormShift, EmbShift: c.EmbShift, Slots: 1}
	in := make([][]hw.Beat, 3)
	say := func(op int) { in[0] = append(in[0], hw.Beat{{uint64(op)}, {0}}) }
	t := b.acts.last[0]
	say(hw.VectorLoad)
	row := b.acts.m.Embedding.Row(t.Token)
	for i := 0; i < len(row); i += lanes {
		in[1] = append(in[1], hw.Beat{bytes(row[i : i+lanes])})
	}
	n := 0
	for l := range t.Layers {
		for _, name := range []string{"wo", "w2"} {
			_, acc := t.Layers[l].Projection(name)
			w, err := b.acts.m.Matrix(fmt.Sprintf("layers.%d.%s", l, name))
			if err != nil {
				return nil, err
			}
			say(hw.VectorNorm)
			say(hw.VectorAdd)
			for i := 0; i < len(acc); i += lanes {
				beat := make([]uint64, lanes)
				for j := range beat {
					beat[j] = uint64(uint16(model.RQ16(acc[i+j], w.M, w.S)))
				}
				in[2] = append(in[2], hw.Beat{beat})
			}
			n += len(acc)
		}
	}
	return b.streams(ctx, unit, in, n)
}
