package gosim

import (
	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
)

// set changes state at the end of the group, so that everything in it sees the old word.
func (e *emitter) set(dst, src *jen.Statement) {
	e.late = append(e.late, dst.Op("=").Add(src))
}

// held is src in a local, when it may read a state that this group changes.
func (e *emitter) held(src *jen.Statement) *jen.Statement {
	name := e.temp("next")
	e.add(jen.Id(name).Op(":=").Add(src))
	return jen.Id(name)
}

// update is what becomes of a register in one version of a loop.
type update uint8

const (
	keeps   update = iota // nothing: disabled, or the loop is printed again in two versions
	clears                // all of it, after the loop
	copies                // all of it from an array, after the loop
	resets                // takes its reset value
	takes                 // takes its next value
	selects               // takes its next value where it is enabled
)

// updates says what becomes of r, as far as the selectors of this version of the loop tell.
func (e *emitter) updates(r *reg) update {
	if r.Reset != nil {
		on, ok := e.known(rstVal, e.l, e.u)
		switch {
		case !ok:
			return keeps
		case on && zero(r.Reset):
			return clears
		case on:
			return resets
		}
	}
	if r.en != nil {
		if on, ok := e.known(r.en, r.en.lane(e.l.times(r.q.div)), constant(0)); !ok {
			return selects
		} else if !on {
			return keeps
		}
	}
	if _, ok := e.array(e.chosen(r.next), r.q); ok {
		return copies
	}
	return takes
}

func zero(vals []uint64) bool {
	for _, x := range vals {
		if x != 0 {
			return false
		}
	}
	return true
}

// chosen follows muxes whose selector this version of the loop knows.
func (e *emitter) chosen(v *val) *val {
	for {
		if _, ok := v.Op.(ir.Mux); !ok || v.class != computed || v.item.group != e.it.group {
			return v
		}
		if v.args[0].Type.N > 1 {
			return v
		}
		on, ok := e.known(v.args[0], constant(0), constant(0))
		a := v.args[2]
		if on {
			a = v.args[1]
		}
		if !ok || a.Type.N != v.Type.N || a.div != v.div {
			return v
		}
		v = a
	}
}

// commit gives a register its next value: the reset value, the next value or none.
func (e *emitter) commit(r *reg) {
	q := r.q
	now := e.stateAt(q)
	if e.rt == nil {
		e.commitScalar(r, now)
		return
	}
	next := func() *jen.Statement { return e.held(e.unit(r.next, r.next.lane(e.l.times(q.div)), e.u)) }
	switch e.updates(r) {
	case clears:
		e.after = append(e.after, jen.Clear(jen.Id(q.name).Index(jen.Op(":"))))
	case copies:
		from, _ := e.array(e.chosen(r.next), q)
		e.after = append(e.after, jen.Copy(jen.Id(q.name).Index(jen.Op(":")), jen.Id(from).Index(jen.Op(":"))))
	case resets:
		e.set(now, e.resetUnit(r))
	case takes:
		e.set(now, next())
	case selects:
		en := e.elem(r.en, r.en.lane(e.l.times(q.div)), constant(0))
		e.set(now, sel1(q.width, en, next(), e.stateAt(q)))
	}
}

// stateAt is the register or read port at the present position.
func (e *emitter) stateAt(q *val) *jen.Statement {
	if q.lanes*q.units == 1 {
		return jen.Id(q.name)
	}
	return jen.Id(q.name).Index(e.l.times(q.units).plus(e.u).code())
}

func (e *emitter) commitScalar(r *reg, now *jen.Statement) {
	q := r.q
	next := e.held(e.unit(r.next, r.next.lane(e.l.times(q.div)), e.u))
	set := jen.Add(now).Op("=").Add(next)
	if r.en != nil {
		en := e.held(e.elem(r.en, r.en.lane(e.l.times(q.div)), constant(0)))
		set = jen.If(en.Op("!=").Lit(0)).Block(set)
	}
	if r.Reset == nil {
		e.late = append(e.late, set)
		return
	}
	e.note(rstVal, constant(0), constant(0))
	e.rst = append(e.rst, e.stateAt(q).Op("=").Add(e.resetUnit(r)))
	e.clk = append(e.clk, set)
}

// resetUnit is the reset value at the present position.
func (e *emitter) resetUnit(r *reg) *jen.Statement {
	vals := r.Reset
	if r.q.bits {
		vals = packWords(vals)
	}
	for _, x := range vals {
		if x != vals[0] && !e.u.isConst() {
			return jen.Id(r.q.name + resetSuffix).Index(e.u.code())
		}
	}
	if e.u.isConst() {
		return lit(r.q.width, vals[e.u.add])
	}
	return lit(r.q.width, vals[0])
}

// memAt is unit u of word addr of lane l of a memory.
func memAt(m *mem, l index, addr *jen.Statement, u index) *jen.Statement {
	s := addr
	if l := l.times(m.Depth); !(l.isConst() && l.add == 0) {
		s = l.code().Op("+").Add(addr)
	}
	if m.units > 1 {
		return jen.Id(m.name).Index(s).Index(u.code())
	}
	return jen.Id(m.name).Index(s)
}

// addr is an address in a local of type int, capped at the depth, which holds nothing.
func (e *emitter) addr(a *val, al index, depth int) string {
	name := e.temp("addr")
	e.add(jen.Id(name).Op(":=").Int().Parens(jen.Min(jen.Uint64().Parens(e.varying(a, al, constant(0))), jen.Lit(depth))))
	return name
}

// lookup reads a memory of one-element words in the same cycle.
func (e *emitter) lookup(v *val, l index) *jen.Statement {
	e.noteMem(v.mem)
	full := l.times(v.div)
	a := v.args[0]
	addr := e.addr(a, a.lane(full), v.mem.Depth)
	name := e.temp("got")
	e.add(jen.Var().Id(name).Add(goType(v.width)))
	e.add(jen.If(jen.Id(addr).Op("<").Lit(v.mem.Depth)).Block(
		jen.Id(name).Op("=").Add(memAt(v.mem, v.mem.laneOf(full), jen.Id(addr), constant(0)))))
	return jen.Id(name)
}

func (m *mem) laneOf(full index) index { return full.quo(m.div) }

func (e *emitter) noteMem(m *mem) {
	if e.rec != nil {
		e.rec.contents[m] = true
	}
}

// rowPointers points every lane at the word it reads; nothing is copied. A single lane's
// pointer is a local.
func (e *emitter) rowPointers(v *val) {
	e.noteMem(v.mem)
	m := v.mem
	e.each("l", v.lanes, func(l index) {
		full := l.times(v.div)
		a := v.args[0]
		addr := e.addr(a, a.lane(full), m.Depth)
		at := jen.Id(addr)
		if x := m.laneOf(full).times(m.Depth); !(x.isConst() && x.add == 0) {
			at = x.code().Op("+").Id(addr)
		}
		dst := func() *jen.Statement { return jen.Id(v.name).Index(l.code()) }
		assign := "="
		if v.lanes == 1 {
			dst, assign = func() *jen.Statement { return jen.Id(v.name) }, ":="
		}
		e.add(dst().Op(assign).Op("&").Id(m.name + zeroSuffix))
		e.add(jen.If(jen.Id(addr).Op("<").Lit(m.Depth)).Block(dst().Op("=").Op("&").Id(m.name).Index(at)))
	})
}

// readPort is the synchronous read port: enabled, it takes the old word.
func (e *emitter) readPort(m *mem) {
	e.noteMem(m)
	q := m.q
	full := e.l.times(q.div)
	addr := e.addr(m.raddr, m.raddr.lane(full), m.Depth)
	var there, beyond []jen.Code
	outer := e.out
	e.out = &there
	e.each("u", m.units, func(u index) {
		e.add(e.portAt(q, u).Op("=").Add(memAt(m, m.laneOf(full), jen.Id(addr), u)))
	})
	e.out = &beyond
	e.each("u", m.units, func(u index) { e.add(e.portAt(q, u).Op("=").Lit(0)) })
	e.out = outer
	take := jen.If(jen.Id(addr).Op("<").Lit(m.Depth)).Block(there...).Else().Block(beyond...)
	if m.ren != nil {
		en := e.held(e.elem(m.ren, m.ren.lane(full), constant(0)))
		take = jen.If(en.Op("!=").Lit(0)).Block(take)
	}
	e.late = append(e.late, take)
}

func (e *emitter) portAt(q *val, u index) *jen.Statement {
	if q.lanes*q.units == 1 {
		return jen.Id(q.name)
	}
	return jen.Id(q.name).Index(e.l.times(q.units).plus(u).code())
}

// writePort takes the data in when enabled; an address beyond the depth writes nothing.
func (e *emitter) writePort(m *mem) {
	full := e.l.times(m.div)
	en := e.held(e.elem(m.wen, m.wen.lane(full), constant(0)))
	addr := e.addr(m.waddr, m.waddr.lane(full), m.Depth)
	var body []jen.Code
	if m.units == 1 {
		data := e.held(e.unit(m.wdata, m.wdata.lane(full), constant(0)))
		body = append(body, memAt(m, m.laneOf(full), jen.Id(addr), constant(0)).Op("=").Add(data))
	} else {
		data := e.temp("data")
		e.add(jen.Var().Id(data).Index(jen.Lit(m.units)).Add(goType(m.width)))
		e.add(jen.If(jen.Add(en).Op("!=").Lit(0)).Block(e.nested(func() {
			e.each("u", m.units, func(u index) {
				e.add(jen.Id(data).Index(u.code()).Op("=").Add(e.unit(m.wdata, m.wdata.lane(full), u)))
			})
		})...))
		at := jen.Id(addr)
		if l := m.laneOf(full).times(m.Depth); !(l.isConst() && l.add == 0) {
			at = l.code().Op("+").Id(addr)
		}
		body = append(body, jen.Id(m.name).Index(at).Op("=").Id(data))
	}
	e.late = append(e.late, jen.If(jen.Add(en).Op("!=").Lit(0).Op("&&").Id(addr).Op("<").Lit(m.Depth)).Block(body...))
}

// resetTable lists the reset values that need a table.
func resetTable(r *reg) []uint64 {
	vals := r.Reset
	if r.q.bits {
		vals = packWords(vals)
	}
	for _, x := range vals {
		if x != vals[0] {
			return vals
		}
	}
	return nil
}
