package hw

import (
	"fmt"

	"ohmloom/ir"
)

// metaPorts describe a flit of sums to the post-processing.
var metaPorts = []string{"valid", "count", "last", "m", "s", "post"}

func (b Bank) metaType(port string) ir.Type {
	return ir.Bits(map[string]int{"valid": 1, "count": ir.ClogTwo(b.width() + 1), "last": 1, "m": 8, "s": 5, "post": 2}[port])
}

// Fields of the words of the operation table and of the table of column blocks, lowest first.
func (b Bank) opFields() []int {
	f := []int{ir.ClogTwo(b.Blocks), ir.ClogTwo(b.Blocks), ir.ClogTwo(b.Reads), ir.ClogTwo(b.Reads), b.beatBits()}
	if b.normalises() {
		f = append(f, 1)
	}
	return f
}
func (b Bank) readFields() []int { return []int{ir.ClogTwo(b.Crossbar.Cols), 1, 8, 5, 2} }

// beatBits counts the beats of a vector.
func (b Bank) beatBits() int {
	return ir.ClogTwo(min(b.Blocks*ceilDiv(b.Crossbar.Rows, b.Lanes), 1<<15) + 1)
}

// packed is a word of fields; unpack takes it apart.
func packed(fields []int, values ...int) uint64 {
	var w uint64
	at := 0
	for i, f := range fields {
		w |= word(int64(values[i]), f) << at
		at += f
	}
	return w
}

func unpack(n *ir.Node, fields []int) []*ir.Node {
	var out []*ir.Node
	at := 0
	for _, f := range fields {
		out = append(out, n.Slice(at, f))
		at += f
	}
	return out
}

func sum(v []int) int {
	n := 0
	for _, x := range v {
		n += x
	}
	return n
}

// controller runs operations: it looks one up, distributes its vector, waits for the
// conversions and reads the column blocks. Everything has its time, so that nothing has to
// answer: the PEs convert when they have their row block, and a read is given only when the
// output buffer has room for it (port free).
type controller struct {
	Bank
	m    *ir.Module
	lib  *Lib
	op   []*ir.Node // fields of the operation's word
	free *ir.Node

	loading, loaded, reading *ir.Reg
	lastBeat, lastRead       *ir.Node
}

func (b Bank) controller(lib *Lib) *ir.Module {
	name := fmt.Sprintf("bank_control_%s_o%d_g%d", b.suffix(), b.Ops, b.converting())
	if b.normalises() {
		name += "_norm"
	}
	doc := fmt.Sprintf("Controller of a bank: vectors %d elements a cycle, conversions %d cycles, %d reads a column block.", b.beat(), b.converting(), b.flits())
	return lib.module("bank_control", name, doc, func(m *ir.Module) {
		c := &controller{Bank: b, m: m, lib: lib}
		in, _ := b.Streams()
		cmd, x := input(m, in[0]), input(m, in[1])
		c.free = m.In("free", ir.Bits(1), "the output buffer has room for one more read")
		idle := m.Reg("idle", ir.Bits(1), 1)
		c.loading, c.loaded, c.reading = m.Reg("loading", ir.Bits(1), 0), m.Reg("loaded", ir.Bits(1), 0), m.Reg("reading", ir.Bits(1), 0)
		ready := idle.Q
		if b.Crossbar.Writable {
			ready = ready.And(m.In("holds", ir.Bits(1), "a row of weights waits or is written").Not())
			m.Out("quiet", idle.Q.And(c.reading.Q.Not()), "no operation works")
		}
		begin := cmd.ready(ready)
		ops := m.Instance("u_ops", table(lib, b.Ops, sum(b.opFields()))).In("re", begin).In("raddr", cmd.fields[0])
		c.op = unpack(m.OutOf(ops, "rdata"), b.opFields())

		c.distribute(x)
		wait := c.loaded.Q.And(c.reading.Q.Not())
		var converted *ir.Node
		if b.normalises() {
			converted = c.afterNorm(wait)
		} else {
			wait = wait.Named("waits")
			_, end := counter(m, "waited", b.converting()-1, wait)
			converted = wait.And(end).Named("converted")
		}
		c.read(converted)
		c.loading.SetEn(begin.Or(c.lastBeat), begin)
		c.loaded.SetEn(c.lastBeat.Or(converted), c.lastBeat)
		c.reading.SetEn(converted.Or(c.lastRead), converted)
		idle.SetEn(begin.Or(converted), converted)
	})
}

// afterNorm is 1 when an operation's sums are there and no norm of the operation before is under way.
func (c *controller) afterNorm(wait *ir.Node) (converted *ir.Node) {
	m := c.m
	over := m.Reg("over", ir.Bits(1), 0) // the conversions, which have to wait for the norm
	wait = wait.And(over.Q.Not()).Named("waits")
	_, end := counter(m, "waited", c.converting()-1, wait)
	done := m.In("norm_done", ir.Bits(1), "the last norm of a matrix is taken")
	busy := m.Reg("norm_busy", ir.Bits(1), 0)
	there := wait.And(end).Or(over.Q).Named("there")
	converted = there.And(busy.Q.Not()).Named("converted")
	over.SetEn(there, busy.Q)
	begins := converted.And(c.op[5]).Named("norm_begins")
	busy.SetEn(begins.Or(done), begins)
	return converted
}

// distribute cuts the vector into row blocks of loads beats and gives one beat a cycle.
func (c *controller) distribute(x source) {
	m, b := c.m, c.Bank
	needed := c.loading.Q // of this beat's elements some are still in the buffer
	var beat, data *ir.Node
	sub := m.Reg("sub", ir.Bits(ir.ClogTwo(b.loads())), 0)
	subEnd := m.K(1, 1)
	if b.loads() > 1 {
		subEnd = sub.Q.EqK(uint64(b.loads() - 1)).Named("block_end")
	}
	count := m.Reg("block", ir.Bits(ir.ClogTwo(b.Blocks)), 0)
	end := subEnd.And(count.Q.Eq(c.op[1])).Named("vector_end")
	taken := m.Reg("taken", ir.Bits(b.beatBits()), 0)
	exhausted := taken.Q.Eq(c.op[4]).Named("exhausted")

	unit := gcd(b.Lanes, b.Crossbar.Rows)
	if unit == b.Lanes { // a beat never crosses into the next row block
		needed = needed.And(exhausted.Not()).Named("needed")
		beat = c.loading.Q.And(exhausted.Or(x.valid)).Named("beat")
		data = exhausted.Mux(m.K(8, 0), x.fields[0])
	} else {
		needed, beat, data = c.regroup(x, unit, exhausted, subEnd, end)
	}
	pop := x.ready(needed)
	c.lastBeat = beat.And(end).Named("last_beat")
	sub.SetEn(beat, subEnd.Mux(m.K(sub.Type.W, 0), sub.Q.AddK(1)))
	count.SetEn(beat.And(subEnd), end.Mux(m.K(count.Type.W, 0), count.Q.AddK(1)))
	taken.SetEn(c.lastBeat.Or(pop), c.lastBeat.Mux(m.K(taken.Type.W, 0), taken.Q.AddK(1)))

	m.Out("beat_valid", m.Reg("out_valid", ir.Bits(1), 0).Set(beat), portDocs["beat_valid"])
	m.Out("beat_block", m.DataReg("out_block", count.Type).SetEn(beat, c.op[0].Add(count.Q)), portDocs["beat_block"])
	m.Out("beat_data", m.DataReg("out_data", data.Type).SetEn(beat, data), portDocs["beat_data"])
}

// regroup gives beats that end with a row block where vectors come in beats that do not: what
// is left of a beat waits in registers. Every count of elements is a multiple of unit.
func (c *controller) regroup(x source, unit int, exhausted, subEnd, end *ir.Node) (needed, beat, data *ir.Node) {
	m, b := c.m, c.Bank
	w := ir.ClogTwo(2 * b.Lanes)
	full, tail := b.beat(), b.Crossbar.Rows-(b.loads()-1)*b.beat()
	left := m.Reg("left", ir.Bits(w), 0)
	rest := m.Reg("rest", ir.Vec(b.Lanes-unit, 8), 0)
	need := subEnd.Mux(m.K(w, uint64(tail)), m.K(w, uint64(full))).Named("need")
	enough := need.Leu(left.Q).Named("enough")
	needed = c.loading.Q.And(enough.Or(exhausted).Not()).Named("needed")
	beat = c.loading.Q.And(enough.Or(exhausted).Or(x.valid)).Named("beat")

	fresh := needed.Mux(x.fields[0], m.K(8, 0).Splat(b.Lanes))
	n := 2*b.Lanes - unit
	all := placeUp(fresh, left.Q.Trunc(ir.ClogTwo(b.Lanes)), unit, n).Or(rest.Q.Join(m.K(8, 0).Splat(b.Lanes))).Named("all")
	down := func(k int) *ir.Node {
		kept := min(n-k, b.Lanes-unit)
		out := all.Elems(k, kept)
		if kept < b.Lanes-unit {
			out = out.Join(m.K(8, 0).Splat(b.Lanes - unit - kept))
		}
		return out
	}
	after := needed.Mux(left.Q.AddK(int64(b.Lanes)), left.Q).Sub(need)
	none := end.Or(enough.Not().And(exhausted)).Named("none_left")
	left.SetEn(beat, none.Mux(m.K(w, 0), after))
	next := down(full)
	if tail != full {
		next = subEnd.Mux(down(tail), next)
	}
	rest.SetEn(beat, none.Mux(m.K(8, 0).Splat(b.Lanes-unit), next))
	return needed, beat, all.Elems(0, b.beat())
}

// read gives the reads of the operation's column blocks, and what the post-processing has to
// know of each a cycle later, when its word of the table is there.
func (c *controller) read(converted *ir.Node) {
	m, b := c.m, c.Bank
	w := ir.ClogTwo(b.Reads)
	first := m.DataReg("read_first", ir.Bits(w)).SetEn(converted, c.op[2])
	last := m.DataReg("read_last", ir.Bits(w)).SetEn(converted, c.op[3])
	issue := c.reading.Q.And(c.free).Named("issue")
	sub, pop := counter(m, "sub_at", b.subs(), issue)
	step, stepEnd := counter(m, "step_at", b.Crossbar.Steps(), issue.And(pop))
	blockEnd := issue.And(pop).And(stepEnd).Named("read_end")
	done := m.Reg("reads", ir.Bits(w), 0)
	end := done.Q.Eq(last)
	done.SetEn(blockEnd, end.Mux(m.K(w, 0), done.Q.AddK(1)))
	c.lastRead = blockEnd.And(end).Named("last_read")

	at := first.Add(done.Q)
	given := m.Reg("given", ir.Bits(1), 0).Set(issue)
	late := func(name string, n *ir.Node) *ir.Node { return m.DataReg(name, n.Type).SetEn(issue, n) }
	popped := late("given_pop", pop)
	m.Out("read_valid", given, portDocs["read_valid"])
	m.Out("read_col", late("given_col", at), portDocs["read_col"])
	m.Out("read_sub", late("given_sub", sub), portDocs["read_sub"])
	m.Out("read_pop", popped, portDocs["read_pop"])

	words := m.Instance("u_reads", table(c.lib, b.Reads, sum(b.readFields()))).In("re", issue).In("raddr", at)
	f := unpack(m.OutOf(words, "rdata"), b.readFields())
	c.describe(given, late("given_first", sub.EqK(0).And(step.EqK(0))), popped, f)
}

// describe counts down the columns of a block: how many of a flit's sums are results.
func (c *controller) describe(given, first, pop *ir.Node, f []*ir.Node) {
	m, b := c.m, c.Bank
	w := max(ir.ClogTwo(b.Crossbar.Cols+1), ir.ClogTwo(b.width()+1))
	left := m.DataReg("cols_left", ir.Bits(w))
	now := first.Mux(f[0].ZExt(max(w, f[0].Type.W)).Trunc(w).AddK(1), left.Q).Named("cols_now")
	size := m.K(w, uint64(b.width()))
	if tail := b.Crossbar.Converters() - (b.subs()-1)*b.width(); tail < b.width() {
		size = pop.Mux(m.K(w, uint64(tail)), size)
	}
	ends := now.Leu(size).Named("cols_end")
	n := ends.Mux(now, size)
	left.SetEn(given, now.Sub(n))
	last := f[1].And(ends).And(now.EqK(0).Not())
	for i, v := range []*ir.Node{given, n.Trunc(b.metaType("count").W), last, f[2], f[3], f[4]} {
		m.Out("meta_"+metaPorts[i], v, "")
	}
}
