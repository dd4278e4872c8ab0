package hw

import (
	"fmt"

	"ohmloom/ir"
)

// postLatency is how many cycles the post-processing takes before results are packed.
const postLatency = 2

// room is how many reads may be on their way: as many as it takes for one a cycle.
func (b Bank) room() int { return b.network() + postLatency + 7 }

// postProcessing scales sums, applies the activation function, packs results into beats and
// keeps them in the output buffer. Ports meta describe the read whose sums come network()
// cycles later; free is 1 while one more read may be given.
//
// It stands behind the routers and not in each PE, because a sum is complete only there, and
// there so many units do as results leave a cycle.
func (b Bank) postProcessing(lib *Lib) *ir.Module {
	act := b.activation()
	name := fmt.Sprintf("bank_post_l%d_%dx%d_n%d_%d_%s%d", b.Lanes, b.width(), b.accBits(), b.network(), b.unit(), act.Func, act.Shift+act.Fraction)
	if b.normalises() {
		name += "_norm"
	}
	doc := fmt.Sprintf("Requantises %d sums a cycle, applies %s and packs results into beats of %d.", b.width(), act.Func, b.Lanes)
	return lib.module("bank_post", name, doc, func(m *ir.Module) {
		p := &postProcessing{Bank: b, m: m, lib: lib, meta: map[string]*ir.Node{}}
		for _, port := range metaPorts {
			in := m.In("meta_"+port, b.metaType(port), "of the read")
			p.meta[port] = delay(m, "late_"+port, in.Cast(ir.Vec(in.Type.W, 1)), b.network()).Cast(in.Type)
		}
		sums := m.In("sum", ir.Vec(b.width(), b.accBits()), "sums of the read network cycles ago")
		p.pack(p.scale(sums))
	})
}

// unit divides the place of every result in its beat.
func (b Bank) unit() int {
	x := b.Crossbar
	return gcd(gcd(b.Lanes, b.width()), gcd(x.Converters(), x.Cols))
}

// postProcessing is the unit under construction.
type postProcessing struct {
	Bank
	m    *ir.Module
	lib  *Lib
	meta map[string]*ir.Node // of the sums at port sum, later of the results
}

// scale gives the results of the sums postLatency cycles later, zeros beyond the last column.
func (p *postProcessing) scale(sums *ir.Node) *ir.Node {
	m, n := p.m, p.width()
	rq := m.Instance("u_requantise", Requantise{Lanes: n, AccBits: max(p.accBits(), 2), OutBits: 16}.Build(p.lib)).
		In("x_valid", p.meta["valid"]).In("x_acc", sums.SExt(max(p.accBits(), 2))).In("x_m", p.meta["m"]).In("x_s", p.meta["s"])
	wide := m.OutOf(rq, "y_q")
	narrow := clamp(wide, -127, 127).Trunc(8)
	valid := m.OutOf(rq, "y_valid")
	act := m.Instance("u_activation", p.activation().Build(p.lib)).In("x_valid", valid).In("x_data", narrow)
	for _, port := range []string{"count", "last", "post"} {
		p.meta[port] = delay(m, "later_"+port, p.meta[port].Cast(ir.Vec(p.meta[port].Type.W, 1)), postLatency).Cast(p.meta[port].Type)
	}
	p.meta["valid"] = m.OutOf(act, "y_valid")
	is := func(mode Post) *ir.Node { return p.meta["post"].EqK(uint64(mode)) }
	result := is(PostActivate).Mux(m.OutOf(act, "y_data"), m.DataReg("narrow", narrow.Type).SetEn(valid, narrow)).SExt(16)
	full := is(Post16)
	if p.normalises() {
		full = full.Or(is(PostNorm))
	}
	result = full.Mux(m.DataReg("wide", wide.Type).SetEn(valid, wide), result)
	index := make([]uint64, n)
	for i := range index {
		index[i] = uint64(i)
	}
	return m.KVec(p.meta["count"].Type.W, index...).Ltu(p.meta["count"]).Mux(result, m.K(16, 0).Splat(n)).Named("results")
}

// pack puts results behind one another into beats of Lanes. A beat leaves when it is full or
// the matrix ends: in the cycle after the results that filled it exactly or ended it, at once
// when there were more than fitted. At most one leaves in a cycle and at most one a read, so
// that the room held for reads is enough.
func (p *postProcessing) pack(results *ir.Node) {
	m, lanes, n := p.m, p.Lanes, p.width()
	unit := p.unit()
	w := ir.ClogTwo(lanes + n + 1)
	held := m.Reg("held", ir.Vec(lanes, 16), 0)
	size := m.Reg("held_count", ir.Bits(w), 0)
	done := m.Reg("held_last", ir.Bits(1), 0)

	arrives := p.meta["valid"].And(p.meta["count"].EqK(0).Not()).Named("arrives")
	gives := done.Q.Or(size.Q.EqK(uint64(lanes))).Named("gives")
	zero := m.K(16, 0).Splat(lanes)
	base := gives.Mux(m.K(w, 0), size.Q).Named("base")
	kept := gives.Mux(zero, held.Q)
	fresh := arrives.Mux(results, m.K(16, 0).Splat(n))
	places := base.Trunc(ir.ClogTwo(lanes + 1)) // in units, as bits above those of unit
	moved := placeUp(fresh, places, unit, lanes+n)
	all := kept.Join(m.K(16, 0).Splat(n)).Or(moved).Named("all")
	total := base.Add(p.meta["count"].ZExt(w)).Named("total")
	over := arrives.And(m.K(w, uint64(lanes)).Ltu(total)).Named("over")

	rest := all.Elems(lanes, n)
	if lanes > n {
		rest = rest.Join(m.K(16, 0).Splat(lanes - n))
	}
	changes := arrives.Or(gives).Named("changes")
	held.SetEn(changes, over.Mux(rest, all.Elems(0, lanes)))
	next := arrives.Mux(over.Mux(total.AddK(-int64(lanes)), total), m.K(w, 0))
	size.SetEn(changes, next)
	done.SetEn(changes, arrives.And(p.meta["last"]))

	_, outs := p.Streams()
	take := output(m, outs[0])
	marks := gives.And(done.Q).ZExt(16)
	if p.normalises() {
		norm := p.meta["post"].EqK(uint64(PostNorm)).Named("norm")
		marks = marks.Or(gives.Mux(m.Reg("held_norm", ir.Bits(1), 0).SetEn(arrives, norm), norm).ZExt(16).ShlK(1))
	}
	beat := gives.Mux(held.Q, all.Elems(0, lanes)).Join(marks)
	buffer := m.Instance("u_output_buffer", Fifo{Depth: p.room(), Lanes: lanes + 1, Width: 16}.Build(p.lib)).
		In("x_valid", gives.Or(over)).In("x_data", beat).In("y_ready", take)
	word := m.OutOf(buffer, "y_data")
	valid := m.OutOf(buffer, "y_valid")
	drive(m, outs[0], valid, word.Elems(0, lanes), word.Elem(lanes).Trunc(1))
	if p.normalises() {
		m.Out("y_norm", word.Elem(lanes).Slice(1, 1), "its matrix is normalised").Group = "y"
	}

	merged := p.meta["valid"].And(arrives.Not().Or(gives.Or(over).Or(size.Q.EqK(0)).Not())).Named("merged")
	p.grant(merged, valid.And(take))
}

// grant counts the reads on their way and the beats they became. A read counts from the cycle
// in which its meta ports are valid; it ceases to when it made no beat of its own.
func (p *postProcessing) grant(merged, left *ir.Node) {
	m := p.m
	w := ir.ClogTwo(p.room() + 2)
	owed := m.Reg("owed", ir.Bits(w), 0)
	came := m.Ports[0].Node // meta_valid
	now := owed.Q.Add(came.ZExt(w)).Named("owed_now")
	owed.Set(now.Sub(merged.ZExt(w)).Sub(left.ZExt(w)))
	m.Out("free", now.Ltu(m.K(w, uint64(p.room()))), "one more read may be given")
}

// placeUp moves v up by places elements, a multiple of unit, into a vector of n.
func placeUp(v, places *ir.Node, unit, n int) *ir.Node {
	m, w := v.Module(), v.Type.W
	v = v.Join(m.K(w, 0).Splat(n - v.Type.N))
	for i := range places.Type.W {
		// A bit that no multiple of unit has need not be looked at: units with a factor 2^j have none below j.
		if k := 1 << i; k < n && unit%(2*k) != 0 {
			v = places.Bit(i).Mux(m.K(w, 0).Splat(k).Join(v.Elems(0, n-k)), v)
		}
	}
	return v
}
