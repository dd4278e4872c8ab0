package hw

import "ohmloom/ir"

// spreading is an engine under construction: what its parts tell each other.
type spreading struct {
	Spread
	m              *ir.Module
	lib            *Lib
	token, q, k, v source
	fillIn         source // answers of the external memory
	dot            source // operands of the dot port
	softmaxer      *ir.Inst
	normaliser     *ir.Inst

	writes       *ir.Reg  // the k and v of a pass are coming in
	fire         *ir.Node // a pass begins
	nextLayer    *ir.Node // and is the last of a layer
	attends      *ir.Node // and it does not only store
	stores       *ir.Node // the pass that writes only stores
	col, row     place    // slot of its token, divided by Cols and by Rows
	lastC, lastR place    // the last slot in use by it
	grows        *ir.Node // its slot was not in use before
	earlier      *ir.Reg  // the pass before is not over
	groups       *ir.Reg  // KV heads that the oldest pass on its way is done with
	entered      *ir.Node // a pass has begun
	enters       *ir.Node // its turn
	passes       credit   // passes on their way, which do not only store
	flight       flight   // of these passes

	queries, weights, keys, values credit // heads whose q, weights, k, v are in and not yet used

	newQuery, newKeys, newValues *ir.Node // the last of a head's q, k, v comes in
	room                         credit   // heads the banks have room for, when the cache is in memory
	fetches                      *ir.Node // the first word of a head is asked for
	early                        *ir.Reg  // keys are asked for before their pass begins; see port
	within                       *ir.Reg  // the next pass is not a block's first

	bank    bankWrite
	qBuffer *ir.Inst
	op      operation
}

// bankWrite is the write port of the banks.
type bankWrite struct{ cols, rows, addr, isValue, k, v *ir.Node }

// flightPasses is how many passes may be on their way: one that goes and one that comes.
const flightPasses = 2

// flight is what the parts of the engine know of the passes on their way: vectors of
// flightPasses elements, which passes take in turns.
type flight struct {
	lastC, lastR place    // the last slot in use
	lane         place    // slot of the token, divided by Lanes
	base, biases *ir.Node // where the layer's part of the banks and of the biases begins
	constants    *ir.Node // and of ConSmax's constants
	patched      *ir.Node // keys of the first KV head came early; with a memory port
	slot         *ir.Node // slot of the token, divided by Cols; with a memory port
}

// turn is the element of the present pass; it changes in each cycle with en.
func turn(m *ir.Module, name string, en *ir.Node) *ir.Node {
	r := m.Reg(name, ir.Bits(1), 0)
	return r.SetEn(en, r.Q.Not())
}

// operation is what the array is doing: QK or AV of one head.
type operation struct {
	av        *ir.Node // AV, else QK
	issue     *ir.Node // a word of the banks is used
	addr      *ir.Node // its address
	inner     *ir.Node // chunk of channels (QK), group of slots (AV)
	first     *ir.Node // the word begins a sum
	last      *ir.Node // the word ends a sum
	turn      *ir.Node // the element of its pass in the flight
	lastGroup *ir.Node // the word holds the last slots (AV)
	tail      *ir.Node // the sum is of the operation's last
	ends      *ir.Node // the operation's last cycle
}

func (e *spreading) declare() {
	in, outs := e.Streams()
	m := e.m
	e.token, e.q, e.k, e.v = input(m, in[0]), input(m, in[1]), input(m, in[2]), input(m, in[3])
	if e.Port > 0 {
		e.fillIn = input(m, in[4])
	}
	if e.Dot > 0 {
		e.dot = input(m, in[len(in)-1])
	}
	e.softmaxer = m.Instance("u_softmax", e.softmax(e.lib))
	e.normaliser = m.Instance("u_normalise", e.normalise(e.lib))
	passOut(m, e.normaliser, outs[0], outs[0].Name)
	e.queries, e.weights = newCredit(m, "queries", e.Ahead, 0), newCredit(m, "weights", e.Ahead, 0)
	heads := flightPasses * e.KVHeads
	e.keys, e.values = newCredit(m, "keys", heads, 0), newCredit(m, "values", heads, 0)
}

// begin takes a token when k and v of the one before are in and, if it is a block's first,
// the last pass is over; else when fewer than two are on their way. It finds the token's slot.
func (e *spreading) begin() {
	m := e.m
	e.writes = m.Reg("writes", ir.Bits(1), 0)
	e.passes = newCredit(m, "passes", flightPasses, 0)
	within := m.Reg("within", ir.Bits(1), 0)
	room := within.Q.Mux(e.passes.reg.Q.EqK(flightPasses).Not(), e.passes.some().Not()).Named("pass_room")
	ready := e.writes.Q.Not().And(room)
	if e.within = within; e.Port > 0 {
		e.early = m.Reg("early", ir.Bits(1), 0)
		ready = ready.And(e.early.Q.Not())
	}
	e.fire = e.token.ready(ready)
	store := e.token.fields[1]
	e.attends = e.fire.And(store.Not()).Named("attends")
	e.stores = m.Reg("stores", ir.Bits(1), 0).SetEn(e.fire, store)

	o := newOrder(m, e.Layers, within, e.fire, e.token)
	e.nextLayer = o.nextLayer
	all := m.Reg("all", ir.Bits(1), 0) // every slot is in use
	e.col, e.lastC = slotPlace(o, "col", e.Context, e.Cols, all.Q)
	e.row, e.lastR = slotPlace(o, "row", e.Context, e.Rows, all.Q)
	end := e.row.lo.EqK(uint64((e.Context - 1) % e.Rows)).And(e.row.hi.EqK(uint64((e.Context - 1) / e.Rows)))
	used := all.Q.Or(end).Named("used")
	o.set(all, "all", o.anew.Not().And(used))

	e.grows = m.DataReg("grows", ir.Bits(1)).SetEn(e.fire, used.Not())
	e.earlier = m.Reg("earlier", ir.Bits(1), 0)
	e.groups = m.Reg("groups_done", ir.Bits(ir.ClogTwo(e.KVHeads)), 0)
	e.keep("last_col", &e.flight.lastC, e.lastC)
	e.keep("last_row", &e.flight.lastR, e.lastR)
	if e.Biased {
		lane, _ := slotPlace(o, "lane", e.Context, e.Lanes, all.Q)
		e.keep("lane", &e.flight.lane, lane)
		size := e.Heads * (e.Context / e.Lanes)
		base := stepper(m, "bias_layer", ir.ClogTwo(e.Layers*size), size, e.Layers, e.nextLayer)
		e.flight.biases = e.kept("bias_base", m.DataReg("bias_begin", base.Type).SetEn(e.fire, base))
	}
	if e.ConSmax {
		base := stepper(m, "constants_layer", ir.ClogTwo(e.Layers*e.Heads), e.Heads, e.Layers, e.nextLayer)
		e.flight.constants = e.kept("constants_base", m.DataReg("constants_begin", base.Type).SetEn(e.fire, base))
	}
}

// kept is v, which holds in the cycle after a pass has begun, for all passes on their way.
func (e *spreading) kept(name string, v *ir.Node) *ir.Node {
	m := e.m
	if e.entered == nil {
		e.entered = m.Reg("entered", ir.Bits(1), 0).Set(e.attends)
		e.enters = turn(m, "enters", e.entered)
	}
	r := m.DataReg(name+"_flight", ir.Vec(flightPasses, v.Type.W))
	return r.SetEn(e.entered, setLane(r.Q, e.enters, v))
}

func (e *spreading) keep(name string, all *place, at place) {
	all.lo, all.hi = e.kept(name+"_lo", at.lo), e.kept(name+"_hi", at.hi)
}

// write puts k and v into the banks, a KV head's k, then its v, one beat a cycle. The banks
// are written in the cycle after. Where the slot holds an older token's, the pass before must
// be done with the KV head.
func (e *spreading) write() {
	m := e.m
	values := m.Reg("writes_v", ir.Bits(1), 0)
	head := m.Reg("kv_head", e.groups.Type, 0)
	may := e.grows.Or(e.earlier.Q.Not()).Or(head.Q.Ltu(e.groups.Q)).Named("may_write")
	k := e.k.ready(e.writes.Q.And(values.Q.Not()).And(may))
	v := e.v.ready(e.writes.Q.And(values.Q))
	chunk, lastK := counter(m, "k_beat", e.kChunks(), k)
	_, lastV := counter(m, "v_beat", e.vRounds(), v)
	kEnd, vEnd := k.And(lastK).Named("k_end"), v.And(lastV).Named("v_end")
	lastHead := head.Q.EqK(uint64(e.KVHeads - 1))
	head.SetEn(vEnd, lastHead.Mux(m.K(head.Type.W, 0), head.Q.AddK(1)))
	stored := vEnd.And(lastHead).Named("stored")
	e.writes.SetEn(e.fire.Or(stored), e.fire)
	values.SetEn(kEnd.Or(vEnd), kEnd)

	w := ir.ClogTwo(e.bankWords())
	layer := stepper(m, "layer_base", w, e.KVHeads*e.headWords(), e.Layers, e.nextLayer)
	kv := m.DataReg("kv_base", ir.Bits(w))
	base := kv.SetEn(e.fire.Or(vEnd), e.fire.Mux(layer, kv.Q.AddK(int64(e.headWords()))))
	e.flight.base = e.kept("base", base)
	slot := total(w, e.col.hi).Mul(m.K(w, uint64(e.kChunks())))
	round := stepper(m, "v_round", w, e.vGroups(), e.vRounds(), v)
	at := values.Q.Mux(total(w, e.row.hi, round).AddK(int64(e.keyWords())), total(w, slot, chunk))

	goes := m.Reg("bank_write", ir.Bits(1), 0).Set(k.Or(v))
	isValue := m.DataReg("bank_value", ir.Bits(1)).Set(v)
	e.bank = bankWrite{
		cols:    goes.And(isValue.Or(oneHot(e.col.lo, e.Cols))),
		rows:    isValue.Not().Or(oneHot(e.row.lo, e.Rows)),
		addr:    m.DataReg("bank_at", ir.Bits(w)).Set(total(w, base, at)),
		isValue: isValue,
		k:       m.DataReg("bank_k", ir.Vec(e.Rows, 8)).SetEn(k, e.k.fields[0]),
		v:       m.DataReg("bank_v", ir.Vec(e.Cols, 8)).SetEn(v, e.v.fields[0]),
	}
	used := func(last *ir.Node) *ir.Node { return last.And(e.stores.Not()) }
	e.newKeys, e.newValues = used(kEnd), used(vEnd)
}

// load fills the q buffer while heads may still be on their way.
func (e *spreading) load() {
	m := e.m
	loads := newCredit(m, "loads", flightPasses, 0)
	room := newCredit(m, "room", e.Ahead, e.Ahead)
	q := e.q.ready(loads.some().And(room.some()))
	_, lastBeat := counter(m, "q_beat", e.kChunks(), q)
	qEnd := q.And(lastBeat).Named("q_end")
	_, lastHead := counter(m, "q_head", e.Heads, qEnd)
	loads.set(e.attends, qEnd.And(lastHead))
	room.set(m.OutOf(e.normaliser, "freed"), qEnd)
	e.newQuery = qEnd

	data := e.q.fields[0]
	if rest := e.HeadChannels % e.Rows; rest > 0 {
		data = lastBeat.Mux(onlyFirst(data, rest), data)
	}
	waddr, _ := counter(m, "q_write", e.Ahead*e.kChunks(), q)
	e.qBuffer = m.Instance("u_q", sram(e.lib, e.Ahead*e.kChunks(), data.Type)).
		In("we", q).In("waddr", waddr).In("wdata", data)
}

// schedule gives the array its next operation when the present one ends: QK of a head while
// there is one, else AV. An operation is two nested loops, slots and chunks of channels (QK)
// or rounds of channels and groups of slots (AV).
func (e *spreading) schedule() {
	m := e.m
	busy, av := m.Reg("busy", ir.Bits(1), 0), m.DataReg("av", ir.Bits(1))
	iw := ir.ClogTwo(max(e.slotTime(), e.vGroups()))
	ow := ir.ClogTwo(max(e.kSlots(), e.vRounds()))
	inner, outer := m.DataReg("inner", ir.Bits(iw)), m.DataReg("outer", ir.Bits(ow))
	of := m.DataReg("op_turn", ir.Bits(1))
	lastC, lastR := e.flight.lastC.hi.Pick(of.Q), e.flight.lastR.hi.Pick(of.Q)
	innerEnd := inner.Q.Eq(av.Q.Mux(lastR.ZExt(iw), m.K(iw, uint64(e.slotTime()-1)))).Named("inner_end")
	outerEnd := outer.Q.Eq(av.Q.Mux(m.K(ow, uint64(e.vRounds()-1)), lastC.ZExt(ow))).Named("outer_end")
	ends := busy.Q.And(innerEnd).And(outerEnd).Named("ends")

	free := busy.Q.Not().Or(ends).Named("free")
	startQ := free.And(e.queries.some()).And(e.keys.some()).Named("start_qk")
	startA := free.And(startQ.Not()).And(e.weights.some()).And(e.values.some()).Named("start_av")
	start := startQ.Or(startA).Named("start")
	busy.SetEn(free, start)
	av.SetEn(start, startA)
	inner.SetEn(start.Or(busy.Q), start.Or(innerEnd).Mux(m.K(iw, 0), inner.Q.AddK(1)))
	outer.SetEn(start.Or(innerEnd), start.Mux(m.K(ow, 0), outer.Q.AddK(1)))

	chunks := m.K(iw, uint64(e.kChunks()-1))
	issue := busy.Q
	if e.slotTime() > e.kChunks() {
		issue = issue.And(av.Q.Or(inner.Q.Leu(chunks))).Named("issue")
	}
	e.op = operation{av: av.Q, turn: of.Q, issue: issue, inner: inner.Q, first: inner.Q.EqK(0),
		last: av.Q.Mux(innerEnd, inner.Q.Eq(chunks)), lastGroup: av.Q.And(innerEnd), tail: outerEnd, ends: ends}
	nextQ, nextA := e.account(startQ, startA)
	baseQ, turnQ := e.base("qk", nextQ)
	baseA, turnA := e.base("av", nextA)
	of.SetEn(start, startQ.Mux(turnQ, turnA))
	e.address(start, startQ.Mux(baseQ, baseA.AddK(int64(e.keyWords()))))
}

// base is where the words of the present KV head begin in the banks, and the turn of its
// pass; next is up with the last operation on it.
func (e *spreading) base(name string, next *ir.Node) (base, of *ir.Node) {
	m, w := e.m, ir.ClogTwo(e.bankWords())
	head, last := counter(m, name+"_kv", e.KVHeads, next)
	of = turn(m, name+"_turn", next.And(last))
	if e.Port > 0 {
		return stepper(m, name+"_base", w, e.headWords(), portHeads, next), of
	}
	r := m.DataReg(name+"_base", ir.Bits(w))
	base = head.EqK(0).Mux(e.flight.base.Pick(of), r.Q)
	r.SetEn(next, base.AddK(int64(e.headWords())))
	return base, of
}

// address goes through the words of an operation from base on, which is given with start.
func (e *spreading) address(start, base *ir.Node) {
	m, op, w := e.m, &e.op, base.Type.W
	addr := m.DataReg("addr", ir.Bits(w))
	round := m.K(w, uint64(e.vGroups())).Sub(total(w, e.flight.lastR.hi.Pick(op.turn))) // to the next round's first group
	addr.SetEn(start.Or(op.issue), start.Mux(base, addr.Q.Add(op.lastGroup.Mux(round, m.K(w, 1)))))
	op.addr = addr.Q
}

// account keeps the books of what has come in and what operations use, and ends passes.
// nextQ and nextA are up when the last q head of a KV head begins its QK and its AV.
func (e *spreading) account(startQ, startA *ir.Node) (nextQ, nextA *ir.Node) {
	m := e.m
	endA := e.op.ends.And(e.op.av).Named("av_ends")
	_, groupQ := counter(m, "qk_in_group", e.group(), startQ)
	_, groupA := counter(m, "av_in_group", e.group(), startA)
	_, groupDone := counter(m, "done_in_group", e.group(), endA)
	nextQ, nextA = startQ.And(groupQ), startA.And(groupA)
	e.queries.set(e.newQuery, startQ)
	e.keys.set(e.newKeys, nextQ)
	e.weights.set(m.OutOf(e.softmaxer, "e_done"), startA)
	e.values.set(e.newValues, nextA)
	done := endA.And(groupDone).Named("group_done")
	if e.Port > 0 {
		e.room.set(done, e.fetches)
	}
	last := e.groups.Q.EqK(uint64(e.KVHeads - 1))
	e.groups.SetEn(done, last.Mux(m.K(e.groups.Type.W, 0), e.groups.Q.AddK(1)))
	over := done.And(last).Named("over")
	e.passes.set(e.attends, over)
	e.earlier.SetEn(e.fire.Or(over), e.fire.And(e.passes.some()).And(over.Not()))
	return nextQ, nextA
}

// multiply reads the shared operand, then the banks, and passes the sums on.
func (e *spreading) multiply() {
	m, op := e.m, e.op
	endQ := op.ends.And(op.av.Not())
	wq, we := ir.ClogTwo(e.Ahead*e.kChunks()), ir.ClogTwo(e.Ahead*e.eWords())
	slotQ := stepper(m, "q_read", wq, e.kChunks(), e.Ahead, endQ)
	e.qBuffer.In("re", op.issue.And(op.av.Not())).In("raddr", total(wq, slotQ, op.inner))
	slotE := stepper(m, "e_read", we, e.eWords(), e.Ahead, op.ends.And(op.av))
	weights := e.weightBuffer(op.issue.And(op.av), total(we, slotE, op.inner))

	late := func(name string, n *ir.Node) *ir.Node { return m.DataReg(name, n.Type).Set(n) }
	used := upTo(late("last_row", e.flight.lastR.lo.Pick(op.turn)), e.Rows).Or(late("last_group", op.lastGroup).Not())
	operand := late("av_1", op.av).Mux(used.Mux(weights, m.K(8, 0)), m.OutOf(e.qBuffer, "rdata"))

	flags := op.issue.Cat(op.first, op.last, op.av, op.tail, op.turn)
	adds := delay(m, "flags", flags, e.sumLatency()-1).Named("adding")
	reads := m.Reg("bank_read", ir.Bits(1), 0).Set(op.issue)
	addr, shared := late("bank_addr", op.addr), late("operand", operand)
	sums := e.columns(reads, func(cols *ir.Inst, first, n int) {
		cols.PerCol("we", e.bank.cols.Elems(first, n)).In("waddr", e.bank.addr)
		if e.Port > 0 {
			cols.PerCol("k", e.bank.k.Elems(first*e.Rows, n*e.Rows))
		} else {
			cols.In("rows", e.bank.rows).In("is_value", e.bank.isValue).In("k", e.bank.k).PerCol("v", e.bank.v.Elems(first, n))
		}
		cols.In("re", reads).In("raddr", addr).In("a", shared).In("add", adds.Bit(5)).In("first", adds.Bit(4))
	})

	done := m.Reg("sum_done", ir.Bits(1), 0).Set(adds.Bit(5).And(adds.Bit(3)))
	weighted := late("sum_av", adds.Bit(2))
	e.softmaxer.In("sums_valid", done.And(weighted.Not())).In("sums_tail", late("sum_tail", adds.Bit(1))).
		In("sums_turn", late("sum_turn", adds.Bit(0))).In("sums", sums).In("last_col", e.flight.lastC.lo).In("last_slot", e.flight.lastC.hi)
	if e.ConSmax {
		e.softmaxer.In("constants_layer", e.flight.constants)
	}
	if e.Biased {
		e.softmaxer.In("distance_lane", e.flight.lane.lo).In("distance_row", e.flight.lane.hi).In("bias_layer", e.flight.biases)
	}
	e.normaliser.In("sums_valid", done.And(weighted)).In("sums", sums).
		In("r_valid", m.OutOf(e.softmaxer, "r_valid")).In("r", m.OutOf(e.softmaxer, "r"))
}

// weightBuffer keeps the weights of the heads on their way, Rows a word. They come Lanes at a
// time, each into its share of the word.
func (e *spreading) weightBuffer(re, raddr *ir.Node) *ir.Node {
	m, shares := e.m, e.Rows/e.Lanes
	valid, head := m.OutOf(e.softmaxer, "e_valid"), m.OutOf(e.softmaxer, "e_head")
	share := m.Reg("e_share", ir.Bits(ir.ClogTwo(shares)), 0)
	at := m.Reg("e_at", ir.Bits(ir.ClogTwo(e.eWords())), 0)
	full := share.Q.EqK(uint64(shares - 1))
	share.SetEn(valid, head.Or(full).Mux(m.K(share.Type.W, 0), share.Q.AddK(1)))
	at.SetEn(valid, head.Mux(m.K(at.Type.W, 0), full.Mux(at.Q.AddK(1), at.Q)))
	depth := e.Ahead * e.eWords()
	w := ir.ClogTwo(depth)
	base := stepper(m, "e_base", w, e.eWords(), e.Ahead, head)
	buffer := m.Array("weight_bank", sram(e.lib, depth, ir.Vec(e.Lanes, 7)), shares, 1).
		PerRow("we", valid.And(oneHot(share.Q, shares))).In("waddr", total(w, base, at.Q)).
		In("wdata", m.OutOf(e.softmaxer, "e")).In("re", re).In("raddr", raddr)
	return m.OutOf(buffer, "rdata").ZExt(8)
}
