package hw

import "ohmloom/ir"

// portHeads is how many KV heads the banks hold when the cache is in external memory: one
// that is worked on and one that is fetched.
const portHeads = 2

// What the memory port of an engine does for one KV head after the other.
const (
	portWriteK = iota
	portWriteV
	portReadK
	portReadV
)

// portBytes is a beat of the memory port.
func (b Spread) portBytes() int { return b.Port * b.Rows }

// portParts is how many beats make a word of every bank.
func (b Spread) portParts() int { return b.Cols / b.Port }

// memoryWords is the size of the cache in external memory, in beats.
func (b Spread) memoryWords() int { return b.Layers * b.KVHeads * b.headWords() * b.portParts() }

// memStreams are the requests to the external memory and what it answers.
func (b Spread) memStreams() (fill, mem Stream) {
	fill = Stream{Name: "fill", Doc: "what the read requests asked for, in order", Fields: []Field{
		{"data", ir.Vec(b.portBytes(), 8), false, "Rows bytes for each of Port columns"},
	}}
	mem = Stream{Name: "mem", Doc: "requests, which take effect in order", Fields: []Field{
		{"write", ir.Bits(1), false, "write, else read"},
		{"addr", ir.Bits(ir.ClogTwo(b.memoryWords())), false, "address in beats"},
		{"data", ir.Vec(b.portBytes(), 8), false, "bytes to write, zero in a read"},
		{"mask", ir.Vec(b.portBytes(), 1), false, "bytes that are written"},
	}}
	return fill, mem
}

// kvLoop counts through the words of a KV head, in the order in which they are used: chunks
// of channels in slots of K, then groups of slots in rounds of V; both with parts innermost.
type kvLoop struct {
	part, inner, outer *ir.Reg
	partEnd, innerEnd  *ir.Node // the last of its kind, whatever the ones inside are
	ends               *ir.Node // the last step of all
}

// newKVLoop is a loop whose limits, last values, are given for the present kind of words.
func newKVLoop(m *ir.Module, name string, part, inner, outer *ir.Node) kvLoop {
	reg := func(what string, limit *ir.Node) *ir.Reg { return m.Reg(name+what, limit.Type, 0) }
	l := kvLoop{part: reg("_part", part), inner: reg("_inner", inner), outer: reg("_outer", outer)}
	l.partEnd, l.innerEnd = l.part.Q.Eq(part), l.inner.Q.Eq(inner)
	l.ends = l.partEnd.And(l.innerEnd).And(l.outer.Q.Eq(outer)).Named(name + "_ends")
	return l
}

// step moves on in each cycle with en.
func (l kvLoop) step(en *ir.Node) {
	next := func(r *ir.Reg, en, end *ir.Node) {
		r.SetEn(en, end.Mux(r.Q.Module().K(r.Type.W, 0), r.Q.AddK(1)))
	}
	innerEn := en.And(l.partEnd)
	next(l.part, en, l.partEnd)
	next(l.inner, innerEn, l.innerEnd)
	next(l.outer, innerEn.And(l.innerEnd), l.ends)
}

// word is the address of a word of K or V within a head's words.
func (e *spreading) word(isV, outer, inner *ir.Node) *ir.Node {
	m, w := e.m, ir.ClogTwo(e.headWords())
	k := total(w, total(w, outer).Mul(m.K(w, uint64(e.kChunks()))), inner)
	v := total(w, total(w, outer).Mul(m.K(w, uint64(e.vGroups()))), inner).AddK(int64(e.keyWords()))
	return isV.Mux(v, k)
}

// port writes k and v to the external memory, KV head after KV head, and then asks for all
// of the head's keys and values, as soon as the banks have room for them.
//
// After a pass it goes on with the keys of the next pass's first KV head, while the array
// works on this pass's last heads. The token's own key is missing in them, and where a new
// slot begins a word of the banks so is the word: that is asked for again once the token's
// key is written, in that pass. Where the next pass attends to fewer tokens, there are
// more keys than it uses. Tokens that are only stored make these keys useless; their room in
// the banks stays theirs, and the next pass that attends asks for its own. Within a block the
// next pass is at the port at once, and nothing comes early.
func (e *spreading) port() {
	m, parts, bytes := e.m, e.portParts(), e.portBytes()
	phase := m.Reg("phase", ir.Bits(2), portWriteK)
	is := func(p uint64) *ir.Node { return phase.Q.EqK(p) }
	writeK, writeV := is(portWriteK), is(portWriteV)
	reads, isV := phase.Q.Bit(1), phase.Q.Bit(0)

	pw := ir.ClogTwo(parts)
	iw, ow := ir.ClogTwo(max(e.kChunks(), e.vGroups())), ir.ClogTwo(max(e.kSlots(), e.vRounds()))
	k := func(w, v int) *ir.Node { return m.K(w, uint64(v)) }
	headAt := m.Reg("ask_kv", ir.Bits(ir.ClogTwo(e.KVHeads)), 0)
	holds, patches := e.ahead(headAt.Q.EqK(0))
	groups, slots := e.lastR.hi.ZExt(iw), patches.Mux(k(ow, 0), e.lastC.hi.ZExt(ow))
	loop := newKVLoop(m, "ask", writeK.Mux(k(pw, 0), k(pw, parts-1)),
		isV.Mux(reads.Mux(groups, k(iw, 0)), k(iw, e.kChunks()-1)),
		isV.Mux(k(ow, e.vRounds()-1), reads.Mux(slots, k(ow, 0))))

	// Which beat and which column of it hold the token's slot.
	beat, col := k(pw, 0), e.col.lo
	if parts > 1 {
		from := make([]uint64, parts-1)
		for i := range from {
			from[i] = uint64((i + 1) * e.Port)
		}
		beat = m.KVec(col.Type.W, from...).Leu(col).SumU(1, pw)
		col = col.Sub(total(col.Type.W, beat).Mul(k(col.Type.W, e.Port)))
	}
	aw := ir.ClogTwo(e.memoryWords())
	nextHead := m.Reg("ask_head", ir.Bits(aw), 0)
	outer := isV.Or(reads.And(patches.Not())).Mux(loop.outer.Q, e.col.hi.ZExt(ow))
	inner := writeV.Mux(e.row.hi.ZExt(iw), loop.inner.Q)
	word := total(aw, e.word(isV, outer, inner)).Mul(k(aw, parts))
	addr := total(aw, nextHead.Q, word, writeK.Mux(beat, loop.part.Q))

	keys := tiled(e.k.fields[0], e.Port)
	values := chunk(e.v.fields[0], loop.part.Q, e.Port)
	data := writeK.Mux(keys, repeated(values, e.Rows))
	mask := writeK.Mux(repeated(oneHot(col, e.Port), e.Rows), tiled(oneHot(e.row.lo, e.Rows), e.Port))
	data = reads.Mux(k(8, 0).Splat(bytes), data)
	mask = reads.Mux(k(1, 0).Splat(bytes), mask)

	e.room = newCredit(m, "head_room", portHeads, portHeads)
	begins := loop.part.Q.EqK(0).And(loop.inner.Q.EqK(0)).And(loop.outer.Q.EqK(0)).And(is(portReadK)).Named("fetch_begins")
	offered := reads.Mux(begins.Not().Or(holds).Or(e.room.some()), isV.Mux(e.v.valid, e.k.valid))
	valid := e.writes.Q.Or(e.early.Q).And(offered).Named("asks")
	ready, out := sliced(e.lib, m, "u_mem", valid, []*ir.Node{reads.Not(), addr, data, mask})
	e.k.ready(e.writes.Q.And(writeK).And(ready))
	e.v.ready(e.writes.Q.And(writeV).And(ready).And(loop.partEnd))
	step := valid.And(ready).Named("ask")
	loop.step(step)
	e.fetches = step.And(begins).And(holds.Not()).Named("fetches")

	phaseEnd := step.And(loop.ends).Named("phase_end")
	headEnd := phaseEnd.And(is(portReadV).Or(writeV.And(e.stores))).Named("asked")
	lastHead := headAt.Q.EqK(uint64(e.KVHeads - 1))
	headAt.SetEn(headEnd, lastHead.Mux(k(headAt.Type.W, 0), headAt.Q.AddK(1)))
	passEnd := headEnd.And(lastHead)
	goesOn := passEnd.And(e.stores.Or(e.within.Q).Not()).Named("goes_on")
	phase.SetEn(phaseEnd, goesOn.Mux(k(2, portReadK), headEnd.Or(e.early.Q).Mux(k(2, portWriteK), phase.Q.AddK(1))))
	size := e.headWords() * parts
	layer := stepper(m, "layer_base", aw, e.KVHeads*size, e.Layers, e.nextLayer) // of the next pass, once one has begun
	nextHead.SetEn(e.fire.Or(headEnd), e.fire.Or(passEnd).Mux(layer, nextHead.Q.AddK(int64(size))))
	e.writes.SetEn(e.fire.Or(passEnd), e.fire)
	e.early.SetEn(passEnd.Or(phaseEnd.And(e.early.Q)), goesOn)

	_, outs := e.Streams()
	taken := output(m, outs[1])
	out.take(taken)
	drive(m, outs[1], out.valid, out.fields...)
	e.fill(out.valid.And(taken).And(out.fields[0].Not()))
}

// ahead keeps the books of keys that were asked for before their pass. In the pass that the
// port works on, with its first KV head, holds is up when the banks have these keys and so
// need no room for the head; patches when they lack nothing but the token's own.
func (e *spreading) ahead(firstHead *ir.Node) (holds, patches *ir.Node) {
	m := e.m
	store := e.fire.And(e.attends.Not())
	held, stale := m.Reg("held", ir.Bits(1), 0), m.Reg("stale", ir.Bits(1), 0)
	held.SetEn(e.early.Q.Or(e.attends), e.early.Q)
	stale.SetEn(e.fire, store.And(held.Q)) // they are of another layer than the pass to come
	held1 := m.Reg("holds", ir.Bits(1), 0).SetEn(e.attends, held.Q)
	patched := m.Reg("patches", ir.Bits(1), 0).SetEn(e.attends, held.Q.And(stale.Q.Not()))
	e.flight.patched = e.kept("patched", patched)
	e.flight.slot = e.kept("slot", e.col.hi)
	now := firstHead.And(e.early.Q.Not())
	return held1.And(now).Named("has_bank"), patched.And(now).Named("patch")
}

// fill puts what the memory answers into the banks; asked is up when a read request leaves.
func (e *spreading) fill(asked *ir.Node) {
	m, parts := e.m, e.portParts()
	pw := ir.ClogTwo(parts)
	iw, ow := ir.ClogTwo(max(e.kChunks(), e.vGroups())), ir.ClogTwo(max(e.kSlots(), e.vRounds()))
	k := func(w, v int) *ir.Node { return m.K(w, uint64(v)) }
	isV := m.Reg("fill_v", ir.Bits(1), 0)
	of := m.Reg("fill_turn", ir.Bits(1), 0)
	lastC, lastR := e.flight.lastC.hi.Pick(of.Q), e.flight.lastR.hi.Pick(of.Q)

	// Keys that were asked for early come before the others of their pass's first KV head.
	asksEarly := e.fetches.And(e.early.Q).Named("asks_early")
	earlyLast := m.DataReg("early_last", ir.Vec(flightPasses, e.lastC.hi.Type.W))
	earlyLast.SetEn(asksEarly, setLane(earlyLast.Q, e.enters, e.lastC.hi))
	earlyTurns := m.Reg("early_turns", ir.Vec(flightPasses, 1), 0)
	earlyIn := m.Reg("early_in", ir.Bits(1), 0)
	head := m.Reg("fill_kv", ir.Bits(ir.ClogTwo(e.KVHeads)), 0)
	firstK := head.Q.EqK(0).And(isV.Q.Not())
	isEarly := firstK.And(earlyTurns.Q.Pick(of.Q)).And(earlyIn.Q.Not()).Named("fill_early")
	patch := firstK.And(isEarly.Not()).And(e.flight.patched.Pick(of.Q)).Named("fill_patch")
	slots := isEarly.Mux(earlyLast.Q.Pick(of.Q), patch.Mux(m.K(lastC.Type.W, 0), lastC))

	loop := newKVLoop(m, "fill", k(pw, parts-1), isV.Q.Mux(lastR.ZExt(iw), k(iw, e.kChunks()-1)),
		isV.Q.Mux(k(ow, e.vRounds()-1), slots.ZExt(ow)))
	due := newCredit(m, "due", (portHeads*e.headWords()+e.keyWords())*parts, 0)
	fire := e.fillIn.ready(due.some())
	due.set(asked, fire)
	loop.step(fire)
	ends := fire.And(loop.ends).Named("filled")
	e.newKeys, e.newValues = ends.And(isV.Q.Or(isEarly).Not()), ends.And(isV.Q)
	isV.SetEn(e.newKeys.Or(e.newValues), isV.Q.Not())
	earlyIn.SetEn(ends.And(isV.Q.Not()), isEarly)

	lastHead := head.Q.EqK(uint64(e.KVHeads - 1))
	head.SetEn(e.newValues, lastHead.Mux(k(head.Type.W, 0), head.Q.AddK(1)))
	over := e.newValues.And(lastHead).Named("fill_over")
	of.SetEn(over, of.Q.Not())
	left := over.Mux(setLane(earlyTurns.Q, of.Q, k(1, 0)), earlyTurns.Q)
	earlyTurns.Set(asksEarly.Mux(setLane(left, e.enters, k(1, 1)), left))

	w := ir.ClogTwo(e.bankWords())
	base := stepper(m, "fill_head", w, e.headWords(), portHeads, e.newValues)
	part := make([]uint64, e.Cols)
	for c := range part {
		part[c] = uint64(c / e.Port)
	}
	outer := patch.Mux(e.flight.slot.Pick(of.Q).ZExt(ow), loop.outer.Q)
	at := total(w, base, total(w, e.word(isV.Q, outer, loop.inner.Q)))
	goes := m.Reg("bank_write", ir.Bits(1), 0).Set(fire)
	e.bank = bankWrite{
		cols: goes.And(m.KVec(pw, part...).Eq(m.DataReg("bank_part", ir.Bits(pw)).Set(loop.part.Q))),
		addr: m.DataReg("bank_at", ir.Bits(w)).Set(at),
		k:    tiled(m.DataReg("bank_data", ir.Vec(e.portBytes(), 8)).SetEn(fire, e.fillIn.fields[0]), parts),
	}
}

// tiled is v n times over, repeated each element n times over.
func tiled(v *ir.Node, n int) *ir.Node {
	copies := make([]*ir.Node, n)
	for i := range copies {
		copies[i] = v
	}
	return copies[0].Join(copies[1:]...)
}

func repeated(v *ir.Node, n int) *ir.Node {
	elems := make([]*ir.Node, v.Type.N)
	for i := range elems {
		elems[i] = v.Elem(i).Splat(n)
	}
	return elems[0].Join(elems[1:]...)
}
