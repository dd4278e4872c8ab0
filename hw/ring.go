package hw

import "ohmloom/ir"

// tokenStream begins a pass of an attention engine: one layer of one token.
func tokenStream() Stream {
	return Stream{Name: "token", Doc: "begins a pass: one layer of one token", Fields: []Field{
		{"first", ir.Bits(1), false, "the token begins a sequence; looked at in layer 0"},
		{"store", ir.Bits(1), false, "only write k and v"},
	}}
}

// ring is the position of the newest token in a KV cache of context slots, in hardware.
// Passes go through the layers of a token in order, and the position moves on with layer 0.
// Values hold from the cycle after the one in which a pass begins.
type ring struct {
	m                *ir.Module
	context          int
	moves, restart   *ir.Node // the position moves on; to slot 0
	wrapped          *ir.Node // all slots hold tokens
	newest, lastUsed *ir.Node // slot of the newest token; last slot that holds one
}

// newRing is a ring whose passes begin with begin; first says that the token begins a
// sequence.
func newRing(m *ir.Module, context, layers int, begin, first *ir.Node) ring {
	moves := begin
	if layers > 1 {
		_, lastLayer := counter(m, "layer", layers, begin)
		moves = begin.And(m.Reg("layer_0", ir.Bits(1), 1).SetEn(begin, lastLayer))
	}
	moves = moves.Named("moves_on")
	w := ir.ClogTwo(context)
	empty := m.Reg("empty", ir.Bits(1), 1).SetEn(moves, m.K(1, 0))
	slot := m.Reg("slot", ir.Bits(w), 0)
	wrapped := m.Reg("wrapped", ir.Bits(1), 0)
	anew := first.Or(empty).Named("anew")
	atEnd := slot.Q.EqK(uint64(context - 1)).Named("at_end")
	restart := anew.Or(atEnd).Named("restart")
	slot.SetEn(moves, restart.Mux(m.K(w, 0), slot.Q.AddK(1)))
	wrapped.SetEn(moves, anew.Not().And(wrapped.Q.Or(atEnd)))
	r := ring{m: m, context: context, moves: moves, restart: restart, wrapped: wrapped.Q, newest: slot.Q}
	r.lastUsed = r.last("last_slot", context-1, slot.Q)
	return r
}

// last is full once all slots hold tokens, now before.
func (r ring) last(name string, full int, now *ir.Node) *ir.Node {
	return r.wrapped.Mux(r.m.K(now.Type.W, uint64(full)), now).Named(name)
}

// fold is the fold of the newest token and of the last used slot, when slot s belongs to
// fold s / rows, and their rows, s mod rows.
func (r ring) fold(rows int) (fold, row, lastFold, lastRow *ir.Node) {
	m, wf, wr := r.m, ir.ClogTwo(ceilDiv(r.context, rows)), ir.ClogTwo(rows)
	inFold := m.Reg("row", ir.Bits(wr), 0)
	folds := m.Reg("fold", ir.Bits(wf), 0)
	rowEnd := inFold.Q.EqK(uint64(rows - 1)).Named("row_end")
	inFold.SetEn(r.moves, r.restart.Or(rowEnd).Mux(m.K(wr, 0), inFold.Q.AddK(1)))
	folds.SetEn(r.moves, r.restart.Mux(m.K(wf, 0), folds.Q.Add(rowEnd.ZExt(wf))))
	return folds.Q, inFold.Q, r.last("last_fold", (r.context-1)/rows, folds.Q), r.last("last_row", (r.context-1)%rows, inFold.Q)
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
