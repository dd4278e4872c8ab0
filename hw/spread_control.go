package hw

import "ohmloom/ir"

// spreading is an engine under construction: what its parts tell each other.
type spreading struct {
	Spread
	m              *ir.Module
	lib            *Lib
	token, q, k, v source
	fillIn         source // answers of the external memory
	softmaxer      *ir.Inst
	normaliser     *ir.Inst

	active       *ir.Reg  // a pass is under way
	fire         *ir.Node // a pass begins
	attends      *ir.Node // and it does not only store
	stores       *ir.Node // the present pass only stores
	col, row     place    // slot of the token, divided by Cols and by Rows
	lastC, lastR place    // the last slot in use
	stored       *ir.Node // the pass has written its last value

	queries, weights, keys, values credit // heads whose q, weights, k, v are in and not yet used

	newQuery, newKeys, newValues *ir.Node // the last of a head's q, k, v comes in
	layerBase                    *ir.Node // where the layer's part of the banks begins, when a pass begins
	room                         credit   // heads the banks have room for, when the cache is in memory
	fetches                      *ir.Node // the first word of a head is asked for

	bank    bankWrite
	qBuffer *ir.Inst
	op      operation
}

// bankWrite is the write port of the banks.
type bankWrite struct{ cols, rows, addr, isValue, k, v *ir.Node }

// operation is what the array is doing: QK or AV of one head.
type operation struct {
	av        *ir.Node // AV, else QK
	issue     *ir.Node // a word of the banks is used
	addr      *ir.Node // its address
	inner     *ir.Node // chunk of channels (QK), group of slots (AV)
	first     *ir.Node // the word begins a sum
	last      *ir.Node // the word ends a sum
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
	e.softmaxer = m.Instance("u_softmax", e.softmax(e.lib))
	e.normaliser = m.Instance("u_normalise", e.normalise(e.lib))
	passOut(m, e.normaliser, outs[0], outs[0].Name)
	e.queries, e.weights = newCredit(m, "queries", e.Ahead, 0), newCredit(m, "weights", e.Ahead, 0)
	e.keys, e.values = newCredit(m, "keys", e.KVHeads, 0), newCredit(m, "values", e.KVHeads, 0)
}

// begin takes a token when the last pass no longer reads the cache, and finds its slot.
func (e *spreading) begin() {
	m := e.m
	e.active = m.Reg("active", ir.Bits(1), 0)
	e.fire = e.token.ready(e.active.Q.Not())
	first, store := e.token.fields[0], e.token.fields[1]
	e.attends = e.fire.And(store.Not()).Named("attends")
	e.stores = m.Reg("stores", ir.Bits(1), 0).SetEn(e.fire, store)

	layer, _ := counter(m, "layer", e.Layers, e.fire)
	step := e.fire.And(layer.EqK(0)).Named("next_token")
	empty := m.Reg("empty", ir.Bits(1), 1)
	empty.SetEn(step, m.K(1, 0))
	restart := first.Or(empty.Q).Named("restart")
	all := m.Reg("all", ir.Bits(1), 0) // every slot is in use
	e.col, e.lastC = slotPlace(m, "col", e.Context, e.Cols, step, restart, all.Q)
	e.row, e.lastR = slotPlace(m, "row", e.Context, e.Rows, step, restart, all.Q)
	end := e.row.lo.EqK(uint64((e.Context - 1) % e.Rows)).And(e.row.hi.EqK(uint64((e.Context - 1) / e.Rows)))
	all.SetEn(step, restart.Not().And(all.Q.Or(end)))
	e.softmaxer.In("last_col", e.lastC.lo).In("last_slot", e.lastC.hi)
	if e.Biased {
		lane, _ := slotPlace(m, "lane", e.Context, e.Lanes, step, restart, all.Q)
		e.softmaxer.In("distance_lane", lane.lo).In("distance_row", lane.hi)
	}
}

// write puts k and v into the banks, a KV head's k, then its v, one beat a cycle. The banks
// are written in the cycle after.
func (e *spreading) write() {
	m := e.m
	writes := m.Reg("writes", ir.Bits(1), 0)
	values := m.Reg("writes_v", ir.Bits(1), 0)
	k := e.k.ready(writes.Q.And(values.Q.Not()))
	v := e.v.ready(writes.Q.And(values.Q))
	chunk, lastK := counter(m, "k_beat", e.kChunks(), k)
	_, lastV := counter(m, "v_beat", e.vRounds(), v)
	kEnd, vEnd := k.And(lastK).Named("k_end"), v.And(lastV).Named("v_end")
	_, lastHead := counter(m, "kv_head", e.KVHeads, vEnd)
	e.stored = vEnd.And(lastHead).Named("stored")
	writes.SetEn(e.fire.Or(e.stored), e.fire)
	values.SetEn(kEnd.Or(vEnd), kEnd)

	w := ir.ClogTwo(e.bankWords())
	base := stepper(m, "kv_base", w, e.headWords(), e.Layers*e.KVHeads, vEnd)
	e.layerBase = base
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
	loads := m.Reg("loads", ir.Bits(1), 0)
	room := newCredit(m, "room", e.Ahead, e.Ahead)
	q := e.q.ready(loads.Q.And(room.some()))
	_, lastBeat := counter(m, "q_beat", e.kChunks(), q)
	qEnd := q.And(lastBeat).Named("q_end")
	_, lastHead := counter(m, "q_head", e.Heads, qEnd)
	loads.SetEn(e.attends.Or(qEnd.And(lastHead)), e.attends)
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
	innerEnd := inner.Q.Eq(av.Q.Mux(e.lastR.hi.ZExt(iw), m.K(iw, uint64(e.slotTime()-1)))).Named("inner_end")
	outerEnd := outer.Q.Eq(av.Q.Mux(m.K(ow, uint64(e.vRounds()-1)), e.lastC.hi.ZExt(ow))).Named("outer_end")
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
	nextQ, nextA := e.account(startQ, startA, ends.And(av.Q).Named("av_ends"))
	e.op = operation{av: av.Q, issue: issue, inner: inner.Q, first: inner.Q.EqK(0),
		last: av.Q.Mux(innerEnd, inner.Q.Eq(chunks)), lastGroup: av.Q.And(innerEnd), tail: outerEnd, ends: ends}
	baseQ, baseA := e.base("qk_base", nextQ), e.base("av_base", nextA).AddK(int64(e.keyWords()))
	e.address(start, startQ.Mux(baseQ, baseA))
}

// base is where the words of the present KV head begin in the banks.
func (e *spreading) base(name string, next *ir.Node) *ir.Node {
	w := ir.ClogTwo(e.bankWords())
	if e.Port > 0 {
		return stepper(e.m, name, w, e.headWords(), portHeads, next)
	}
	r := e.m.DataReg(name, ir.Bits(w))
	return r.SetEn(e.attends.Or(next), e.attends.Mux(e.layerBase, r.Q.AddK(int64(e.headWords()))))
}

// address goes through the words of an operation from base on, which is given with start.
func (e *spreading) address(start, base *ir.Node) {
	m, op, w := e.m, &e.op, base.Type.W
	addr := m.DataReg("addr", ir.Bits(w))
	round := m.K(w, uint64(e.vGroups())).Sub(total(w, e.lastR.hi)) // to the next round's first group
	addr.SetEn(start.Or(op.issue), start.Mux(base, addr.Q.Add(op.lastGroup.Mux(round, m.K(w, 1)))))
	op.addr = addr.Q
}

// account keeps the books of what has come in and what operations use, and ends the pass.
// nextQ and nextA are up when the last q head of a KV head begins its QK and its AV.
func (e *spreading) account(startQ, startA, endA *ir.Node) (nextQ, nextA *ir.Node) {
	m := e.m
	_, groupQ := counter(m, "qk_in_group", e.group(), startQ)
	_, groupA := counter(m, "av_in_group", e.group(), startA)
	nextQ, nextA = startQ.And(groupQ), startA.And(groupA)
	e.queries.set(e.newQuery, startQ)
	e.keys.set(e.newKeys, nextQ)
	e.weights.set(m.OutOf(e.softmaxer, "e_done"), startA)
	e.values.set(e.newValues, nextA)
	_, lastHead := counter(m, "av_head", e.Heads, endA)
	if e.Port > 0 {
		_, groupDone := counter(m, "done_in_group", e.group(), endA)
		e.room.set(endA.And(groupDone), e.fetches)
	}
	over := e.stores.Mux(e.stored, endA.And(lastHead)).Named("over")
	e.active.SetEn(e.fire.Or(over), e.fire)
	if e.Biased {
		size := e.Heads * (e.Context / e.Lanes)
		e.softmaxer.In("bias_layer", stepper(m, "bias_layer", ir.ClogTwo(e.Layers*size), size, e.Layers, over))
	}
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
	used := upTo(late("last_row", e.lastR.lo), e.Rows).Or(late("last_group", op.lastGroup).Not())
	operand := late("av_1", op.av).Mux(used.Mux(weights, m.K(8, 0)), m.OutOf(e.qBuffer, "rdata"))

	flags := op.issue.Cat(op.first, op.last, op.av, op.tail)
	adds := delay(m, "flags", flags, e.sumLatency()-1).Named("adding")
	cols := m.Array("column", e.column(e.lib), 1, e.Cols).PerCol("we", e.bank.cols).In("waddr", e.bank.addr)
	if e.Port > 0 {
		cols.PerCol("k", e.bank.k)
	} else {
		cols.In("rows", e.bank.rows).In("is_value", e.bank.isValue).In("k", e.bank.k).PerCol("v", e.bank.v)
	}
	cols.In("re", m.Reg("bank_read", ir.Bits(1), 0).Set(op.issue)).In("raddr", late("bank_addr", op.addr)).
		In("a", late("operand", operand)).In("add", adds.Bit(4)).In("first", adds.Bit(3))
	sums := m.OutOf(cols, "sum")

	done := m.Reg("sum_done", ir.Bits(1), 0).Set(adds.Bit(4).And(adds.Bit(2)))
	weighted := late("sum_av", adds.Bit(1))
	e.softmaxer.In("sums_valid", done.And(weighted.Not())).In("sums_tail", late("sum_tail", adds.Bit(0))).In("sums", sums)
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
