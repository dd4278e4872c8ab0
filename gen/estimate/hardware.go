package estimate

import (
	"fmt"

	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
	"ohmloom/hw"
	"ohmloom/ir"
)

// Hardware is a chip as far as estimates go: the blocks whose closed forms say what it takes.
// Engine, norm and head are generated for the model that runs.
type Hardware struct {
	Name      string
	ClockMHz  float64
	Attention arch.Attention // sizes of the array, decode mode, memory port; Context 0: what is asked for
	Bank      *hw.Bank       // a bank of the PIM side, or
	Banks     int            // that hold a layer: matrices that share an input go to different ones; 0 is 1
	PIM       *hw.PIM        // a tile that holds whole matrices
	Pairs     int            // crossbar pairs on the chip; 0: as many as the model needs
	Lanes     int            // elements a cycle of vector unit and output head, 1 .. 64
	HeadLanes int            // of the output head where it differs; 0: Lanes, or what the array multiplies
	Tech      arch.Technology
	Whole     *Whole // the chip itself, or nil: only its parts are described, or its time is not known

	design func() (*ir.Design, error) // what build emits, or nil: the chip is not described
}

// FromChip is the hardware of a description.
func FromChip(c *arch.Chip) (*Hardware, error) {
	if c.Attention == nil {
		return nil, fmt.Errorf("chip %q has no attention array; add attention { ... }", c.Name)
	}
	if c.PIM == nil {
		return nil, fmt.Errorf("chip %q has no crossbars for the projections; add pim { ... }", c.Name)
	}
	xbar := lower.Crossbar(c.PIM.Crossbar)
	h := &Hardware{Name: c.Name, ClockMHz: c.ClockMHz, Attention: *c.Attention, Lanes: c.PIM.Lanes, Tech: c.Technology}
	h.design = func() (*ir.Design, error) {
		tile, err := lower.Top(c)
		if err != nil {
			return nil, err
		}
		return tile.Design, nil
	}
	if c.Sequencer != nil {
		h.HeadLanes = c.Sequencer.HeadLanes
	}
	if b := c.PIM.Bank; b != nil {
		h.Bank = &hw.Bank{Rows: b.TileRows, Cols: b.TileCols, PEs: b.PEs, Lanes: c.PIM.Lanes, Crossbar: xbar}
		h.Pairs = b.Count * b.TileRows * b.TileCols * b.PEs
		var err error
		if h.Whole, err = wholeOf(c); err != nil {
			return nil, err
		}
		return h, h.checkEnergy()
	}
	h.PIM = &hw.PIM{RowBlocks: c.PIM.RowBlocks, ColBlocks: c.PIM.ColBlocks, Lanes: c.PIM.Lanes, Crossbar: xbar}
	h.Pairs = c.PIM.RowBlocks * c.PIM.ColBlocks
	return h, h.checkEnergy()
}

// checkEnergy reports figures that the technology does not have.
func (h *Hardware) checkEnergy() error {
	for _, p := range arch.EnergyParts {
		if q := p.Of(&h.Tech.Energy); q.Kind == "" && !p.Optional {
			return fmt.Errorf("technology %q has no energy figure for %q; add energy %q { ... } with value, unit = %q, kind and source", h.Tech.Name, p.Name, p.Name, p.Unit)
		}
	}
	return nil
}

func (h *Hardware) crossbar() hw.Crossbar {
	if h.Bank != nil {
		return h.Bank.Crossbar
	}
	return h.PIM.Crossbar
}

// engine is the attention of one layer.
type engine struct {
	name        string // of the block whose closed form pass is
	pass        func(slots int) int
	array, port func(slots int) int // how long array and memory port work in a pass
	block       hw.AttentionEngine  // nil: a bare array
}

// engineFor is the engine generated for model m with l slots.
func (h *Hardware) engineFor(m arch.Model, l int) (engine, error) {
	a := h.Attention
	if a.Heads > 0 && (a.Heads != m.Heads || a.HeadChannels != m.HeadChannels || a.KVHeads != m.KVHeads) {
		return engine{}, fmt.Errorf("the attention engine of chip %q has %d heads of %d channels on %d KV heads, model %q has %d of %d on %d; leave heads, kv_heads and head_channels out to take the model's",
			h.Name, a.Heads, a.HeadChannels, a.KVHeads, m.Name, m.Heads, m.HeadChannels, m.KVHeads)
	}
	if a.Context > 0 && l > a.Context {
		return engine{}, fmt.Errorf("a context of %d is beyond the KV cache of chip %q, which keeps %d tokens; raise attention.context", l, h.Name, a.Context)
	}
	context := a.Context
	if context == 0 { // whole beats of the softmax, for tables of biases
		context = ceilDiv(l, max(a.Lanes, 1)) * max(a.Lanes, 1)
	}
	none := func(int) int { return 0 }
	switch a.Decode {
	case arch.Spread:
		b := hw.Spread{Rows: a.Rows, Cols: a.Cols, Heads: m.Heads, KVHeads: m.KVHeads, HeadChannels: m.HeadChannels, Context: context,
			Layers: m.Layers, Lanes: a.Lanes, Ahead: a.Ahead, Port: a.PortBytes / a.Rows, Biased: a.Biased, ConSmax: a.Softmax == arch.ConSmax}
		if b.Port > 0 {
			b.Layers = 1 // the banks hold two KV heads, whatever the layers
		}
		if a.Engines > 1 {
			side, err := hw.NewSpreadSide(a.Engines, b)
			return engine{"hw.Spread.PassCycles of engines side by side", side.Part.PassCycles, side.Part.ArrayCycles, side.Part.PortCycles, side}, err
		}
		return engine{"hw.Spread.PassCycles", b.PassCycles, b.ArrayCycles, b.PortCycles, b}, b.Check()
	case arch.Column:
		b := hw.AttentionColumn{Rows: a.Rows, Cols: a.Cols, Heads: m.Heads, KVHeads: m.KVHeads, HeadChannels: m.HeadChannels, Context: context, Layers: 1,
			ConSmax: a.Softmax == arch.ConSmax}
		return engine{"hw.AttentionColumn.PassCycles", b.PassCycles, b.ArrayCycles, none, b}, b.Check()
	}
	folds := func(slots int) int {
		return m.Heads * (h.product(slots, m.HeadChannels) + h.product(m.HeadChannels, slots))
	}
	return engine{"folds of the array, no softmax; " + h.best(m.HeadChannels, l), folds, folds, none, nil}, nil
}

// best says which dataflow takes the fewest cycles for the products of a head over l slots.
func (h *Hardware) best(channels, l int) string {
	plan := func(rows, inner int) hw.Plan { return hw.BestPlan(h.Attention.Rows, h.Attention.Cols, rows, inner, 1) }
	scores, outputs := plan(l, channels), plan(channels, l)
	return fmt.Sprintf("best for scores is %s, %d cycles a head, for outputs %s, %d",
		scores.Dataflow, scores.Cycles(), outputs.Dataflow, outputs.Cycles())
}

// product is the time of rows x inner times a vector on a bare array.
func (h *Hardware) product(rows, inner int) int {
	a := h.Attention
	if d := hw.Dataflow(a.Dataflow); d == hw.WeightStationary || d == hw.InputStationary {
		return hw.PlanMatMul(d, a.Rows, a.Cols, rows, inner, 1).Cycles()
	}
	return hw.MatMul{Array: hw.Array{Rows: a.Rows, Cols: a.Cols}, M: rows, K: inner, N: 1}.Cycles()
}

// projection is the time of one operation of the crossbars, split by part.
type projection struct {
	parts []partCycles
	block string
}

type partCycles struct {
	part   string
	cycles int
}

// project is an operation: matrices of the given outputs that share an input vector. Its time
// is from the first beat of the vector to the last of its results; when the vector comes later
// than the crossbars could take it (late), from the last beat of the vector; when the results
// leave side by side and are taken as they come (early), to the first of them.
func (h *Hardware) project(s hw.Shape, late, early bool) (projection, error) {
	if h.Bank != nil {
		var slow hw.OpTime
		for _, share := range h.shares(s) {
			if t := h.Bank.Time(share); t.Total() > slow.Total() {
				slow = t
			}
		}
		if late {
			slow.Distribute = 1
		}
		if early && h.Banks >= len(s.N) {
			slow.Read = 1
		}
		return projection{[]partCycles{{Crossbar, slow.Conversions}, {ShiftAdd, slow.ShiftAdd}, {Network, slow.Distribute + slow.Network + slow.Read + hw.SwitchTime},
			{Buffers, slow.Buffers}, {Vector, slow.Post}}, "hw.Bank.Time"}, nil
	}
	for _, n := range s.N {
		if s.K > h.PIM.K() || n > h.PIM.N() {
			x := h.PIM.Crossbar
			return projection{}, fmt.Errorf("a matrix of %d inputs and %d outputs does not fit into a tile of chip %q, which takes %d and %d; row_blocks = %d and col_blocks = %d do",
				s.K, n, h.Name, h.PIM.K(), h.PIM.N(), ceilDiv(s.K, x.Rows), ceilDiv(n, x.Cols))
		}
	}
	total := h.PIM.Cycles([][]hw.Beat{nil, make([]hw.Beat, h.PIM.Loads())}) // each matrix in a tile of its own, all at once
	v := (hw.CrossbarPE{Crossbar: h.PIM.Crossbar, Lanes: 1}).Conversions()
	return projection{[]partCycles{{Crossbar, v}, {Network, total - v}}, "hw.PIM.Cycles"}, nil
}

// shares is the matrices of an operation by bank.
func (h *Hardware) shares(s hw.Shape) []hw.Shape {
	list := make([]hw.Shape, min(max(h.Banks, 1), len(s.N)))
	for i, n := range s.N {
		share := &list[i%len(list)]
		share.K, share.N = s.K, append(share.N, n)
	}
	return list
}

// pairsOf is the crossbar pairs of an operation.
func (h *Hardware) pairsOf(s hw.Shape) int {
	x, n := h.crossbar(), 0
	for _, outs := range s.N {
		n += ceilDiv(s.K, x.Rows) * ceilDiv(outs, x.Cols)
	}
	return n
}

// fit says how many crossbar pairs a model needs, and fails when that is more than chips of the
// kind have. A tile holds one matrix.
func (h *Hardware) fit(m arch.Model, chips int) (pairs int, err error) {
	tiles := 0
	for _, op := range operations(m) {
		n := h.pairsOf(op.shape)
		if b := h.Bank; b != nil && h.Banks < 2 && n > b.Rows*b.Cols*b.PEs {
			return 0, fmt.Errorf("the %s matrices of a layer of model %q need %d PEs of one bank, chip %q has banks of %d; more tiles or pes make room",
				op.kind, m.Name, n, h.Name, b.Rows*b.Cols*b.PEs)
		}
		pairs += m.Layers * n
		tiles += m.Layers * len(op.shape.N)
	}
	need, have, what := pairs, h.Pairs, fmt.Sprintf("crossbar pairs of %d x %d", h.crossbar().Rows, h.crossbar().Cols)
	if h.PIM != nil {
		need, have, what = tiles, 1, "tiles, one a matrix"
	}
	if have > 0 && need > have*chips {
		larger := ""
		if b := h.Bank; b != nil {
			larger = fmt.Sprintf(", or one of %d such banks", ceilDiv(need, b.Rows*b.Cols*b.PEs))
		}
		return pairs, fmt.Errorf("model %q needs %d %s; chip %q has %d: %d such chips hold it (--chips %d)%s",
			m.Name, need, what, h.Name, have, ceilDiv(need, have), ceilDiv(need, have), larger)
	}
	return pairs, nil
}

// operation is what multiplies one vector of a layer, and the kind of layer that it is.
type operation struct {
	kind  string
	shape hw.Shape
}

// operations are those of a decoder layer in order.
func operations(m arch.Model) []operation {
	kinds := map[string]string{"wq": KindQKV, "wk": KindQKV, "wv": KindQKV, "wo": KindOut, "w1": KindUp, "w3": KindUp, "w2": KindDown}
	var ops []operation
	for _, x := range m.Matrices() {
		if n := len(ops); n > 0 && ops[n-1].kind == kinds[x.Name] {
			ops[n-1].shape.N = append(ops[n-1].shape.N, x.Out)
			continue
		}
		ops = append(ops, operation{kinds[x.Name], hw.Shape{K: x.In, N: []int{x.Out}}})
	}
	return ops
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
