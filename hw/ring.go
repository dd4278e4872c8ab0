package hw

import "ohmloom/ir"

// tokenStream begins a pass of an attention engine: one layer of one token.
//
// Tokens come in blocks, one token in decode and any number in prefill: all tokens of a block
// in layer 0, then all of them in layer 1 and so on. more is up in all beats of a block in a
// layer but the last; a block has as many tokens in each layer.
func tokenStream() Stream {
	return Stream{Name: "token", Doc: "begins a pass: one layer of one token", Fields: []Field{
		{"first", ir.Bits(1), false, "the token begins a sequence; looked at in the first token of a block, in layer 0"},
		{"store", ir.Bits(1), false, "only write k and v"},
		{"more", ir.Bits(1), false, "the block's next token follows, in the same layer"},
	}}
}

// order is the order of passes in hardware: where the position in the sequence moves on with
// a pass, and where it goes back to that of the block's first token, which is in all layers
// but the first.
type order struct {
	m            *ir.Module
	begin        *ir.Node // a pass begins
	nextLayer    *ir.Node // and is the last of the layer
	within       *ir.Node // the pass to begin is not a block's first
	moves        *ir.Node // a pass begins and the position moves on
	anew         *ir.Node // it would be that of a sequence's first token
	opens, turns *ir.Node // a block begins in layer 0; in another layer; nil with one layer
}

// newOrder is the order of passes that begin with begin, by a beat of token. It sets within:
// the next pass is not a block's first.
func newOrder(m *ir.Module, layers int, within *ir.Reg, begin *ir.Node, token source) order {
	first, more := token.fields[0], token.fields[2]
	o := order{m: m, begin: begin, nextLayer: begin.And(more.Not()).Named("next_layer"), moves: begin}
	o.within = within.SetEn(begin, more)
	if layers > 1 {
		_, last := counter(m, "layer", layers, o.nextLayer)
		top := m.Reg("layer_0", ir.Bits(1), 1).SetEn(o.nextLayer, last)
		o.opens = begin.And(top).And(o.within.Not()).Named("opens")
		o.turns = top.Or(o.within).Not().Named("turns")
		o.moves = begin.And(o.turns.Not()).Named("moves_on")
	}
	empty := m.Reg("empty", ir.Bits(1), 1).SetEn(begin, m.K(1, 0))
	o.anew = first.And(o.within.Not()).Or(empty).Named("anew")
	return o
}

// set gives r the value next when the position moves on, and that of the block's first token
// when the position goes back.
func (o order) set(r *ir.Reg, name string, next *ir.Node) {
	if o.turns == nil {
		r.SetEn(o.begin, next)
		return
	}
	opened := o.m.DataReg(name+"_opened", r.Type).SetEn(o.opens, next)
	r.SetEn(o.begin, o.turns.Mux(opened, next))
}

// ring is the position of the newest token in a KV cache of context slots, in hardware.
// Values hold from the cycle after the one in which a pass begins.
type ring struct {
	order
	context          int
	restart          *ir.Node // the position moves on to slot 0
	wrapped          *ir.Node // all slots hold tokens
	newest, lastUsed *ir.Node // slot of the newest token; last slot that holds one
}

// newRing is a ring whose passes begin with begin, by a beat of token.
func newRing(m *ir.Module, context, layers int, begin *ir.Node, token source) ring {
	w := ir.ClogTwo(context)
	r := ring{order: newOrder(m, layers, m.Reg("within", ir.Bits(1), 0), begin, token), context: context}
	slot := m.Reg("slot", ir.Bits(w), 0)
	wrapped := m.Reg("wrapped", ir.Bits(1), 0)
	atEnd := slot.Q.EqK(uint64(context - 1)).Named("at_end")
	r.restart = r.anew.Or(atEnd).Named("restart")
	r.set(slot, "slot", r.restart.Mux(m.K(w, 0), slot.Q.AddK(1)))
	r.set(wrapped, "wrapped", r.anew.Not().And(wrapped.Q.Or(atEnd)))
	r.wrapped, r.newest = wrapped.Q, slot.Q
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
	r.set(inFold, "row", r.restart.Or(rowEnd).Mux(m.K(wr, 0), inFold.Q.AddK(1)))
	r.set(folds, "fold", r.restart.Mux(m.K(wf, 0), folds.Q.Add(rowEnd.ZExt(wf))))
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
	context, layers  int
	slot, cnt        int
	layer            int  // of the next pass
	within           bool // it is not a block's first
	openSlot, opened int  // slot and cnt after the block's first token
}

// begin moves on to the pass of a beat of stream token and gives its layer.
func (p *position) begin(token Beat) (layer int) {
	layer = p.layer
	switch {
	case !p.within && layer > 0:
		p.slot, p.cnt = p.openSlot, p.opened
	case p.cnt == 0 || !p.within && token[0][0] == 1:
		p.slot, p.cnt = 0, 1
	default:
		p.slot, p.cnt = (p.slot+1)%p.context, min(p.cnt+1, p.context)
	}
	if !p.within {
		p.openSlot, p.opened = p.slot, p.cnt
	}
	if p.within = token[2][0] == 1; !p.within {
		p.layer = (layer + 1) % p.layers
	}
	return layer
}
