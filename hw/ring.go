package hw

import "ohmloom/ir"

// tokenStream begins a pass of an attention engine: one layer of one token.
func tokenStream() Stream {
	return Stream{Name: "token", Doc: "begins a pass: one layer of one token", Fields: []Field{
		{"first", ir.Bits(1), false, "the token begins a sequence; looked at in layer 0"},
		{"store", ir.Bits(1), false, "only write k and v"},
	}}
}

// ring is the position of the newest token in a KV cache of context slots, in hardware: slot
// s is row s mod banks of fold s / banks. Passes go through the layers of a token in order,
// and the position moves on with layer 0. The values hold from the cycle after begin, in
// which a pass begins; first says that its token begins a sequence.
type ring struct {
	slot, row, fold             *ir.Node // of the newest token
	lastSlot, lastRow, lastFold *ir.Node // of the last slot that holds a token
}

func newRing(m *ir.Module, context, banks, layers int, begin, first *ir.Node) ring {
	_, lastLayer := counter(m, "layer", layers, begin)
	moves := begin
	if layers > 1 {
		layer0 := m.Reg("layer_0", ir.Bits(1), 1).SetEn(begin, lastLayer)
		moves = begin.And(layer0)
	}
	moves = moves.Named("moves_on")
	slots, rows, folds := ir.ClogTwo(context), ir.ClogTwo(banks), ir.ClogTwo(ceilDiv(context, banks))
	empty := m.Reg("empty", ir.Bits(1), 1).SetEn(moves, m.K(1, 0))
	slot := m.Reg("slot", ir.Bits(slots), 0)
	row := m.Reg("row", ir.Bits(rows), 0)
	fold := m.Reg("fold", ir.Bits(folds), 0)
	wrapped := m.Reg("wrapped", ir.Bits(1), 0)

	anew := first.Or(empty).Named("anew")
	atEnd := slot.Q.EqK(uint64(context - 1)).Named("at_end")
	restart := anew.Or(atEnd).Named("restart")
	rowEnd := row.Q.EqK(uint64(banks - 1)).Named("row_end")
	slot.SetEn(moves, restart.Mux(m.K(slots, 0), slot.Q.AddK(1)))
	row.SetEn(moves, restart.Or(rowEnd).Mux(m.K(rows, 0), row.Q.AddK(1)))
	fold.SetEn(moves, restart.Mux(m.K(folds, 0), fold.Q.Add(rowEnd.ZExt(folds))))
	wrapped.SetEn(moves, anew.Not().And(wrapped.Q.Or(atEnd)))

	last := func(name string, full int, now *ir.Reg) *ir.Node {
		return wrapped.Q.Mux(m.K(now.Type.W, uint64(full)), now.Q).Named(name)
	}
	return ring{slot.Q, row.Q, fold.Q,
		last("last_slot", context-1, slot), last("last_row", (context-1)%banks, row), last("last_fold", (context-1)/banks, fold)}
}

// stepper goes through 0, step, 2 step, .. (n-1) step and over again, a step in each cycle
// with en; w is its width.
func stepper(m *ir.Module, name string, w, step, n int, en *ir.Node) *ir.Node {
	if n == 1 {
		return m.K(w, 0)
	}
	r := m.Reg(name, ir.Bits(w), 0)
	return r.SetEn(en, r.Q.EqK(uint64(step*(n-1))).Mux(m.K(w, 0), r.Q.AddK(int64(step))))
}

// position is the ring in plain integers: how many slots hold tokens and which one is the
// newest, before and after any pass.
type position struct {
	context, layers int
	pass, slot, cnt int
}

// begin moves on to the next pass and gives its layer.
func (p *position) begin(first bool) (layer int) {
	layer = p.pass % p.layers
	p.pass++
	if layer > 0 {
		return layer
	}
	if p.cnt == 0 || first {
		p.slot, p.cnt = 0, 1
		return 0
	}
	p.slot, p.cnt = (p.slot+1)%p.context, min(p.cnt+1, p.context)
	return 0
}
