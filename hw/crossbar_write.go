package hw

import (
	"ohmloom/hw/device"
	"ohmloom/ir"
)

// pulseBits is the width of the number of a pulse, 1 .. device.NeverSwitches - 1.
const pulseBits = 4

// writeStreams are those of a crossbar that can be written. A beat of p addresses one row of the
// Converters() columns of a step, with their weights as the states of both cells, and is a pulse
// or verifies. Pulse n switches the pairs that take at most n pulses; the crossbar is busy for
// writeCycles() cycles after it. A beat that verifies reads the row back: ok says, 1 cycle later,
// that the difference of a pair's conductances is within Tolerance of its weight. No conversion
// may be asked for meanwhile. A reset in the middle of a pulse leaves cells of the row undefined.
func (b Crossbar) writeStreams() (p, v Stream) {
	a := ir.Vec(b.Converters(), 1)
	p = Stream{Name: "p", Fixed: true, Doc: "program and verify", Fields: []Field{
		{"verify", ir.Bits(1), false, "0: a pulse; 1: read back"},
		{"step", ir.Bits(ir.ClogTwo(b.Steps())), false, "which columns"},
		{"row", ir.Bits(ir.ClogTwo(b.Rows)), false, "row"},
		{"pos", a, false, "1: the cell of the positive half is ON"},
		{"neg", a, false, "1: the cell of the negative half is ON"},
		{"pulse", ir.Bits(pulseBits), false, "number of the pulse, from 1"},
	}}
	v = Stream{Name: "v", Fixed: true, Doc: "verdict 1 cycle after a beat that verifies", Fields: []Field{
		{"ok", a, false, "the pair is within the tolerance of its weight"},
	}}
	return p, v
}

// writeKey is what enables writing.
const writeKey = 0x5a3c96e1

// writeCycles is how long a pulse keeps the crossbar busy.
func (b Crossbar) writeCycles() int {
	if b.differs() {
		return b.slices(tableDiff)
	}
	return b.slices(tablePos)
}

// tolerance is Tolerance in the units of column sums.
func (b Crossbar) tolerance() int { return b.Tolerance >> (device.CellFrac - b.spec().Frac()) }

// writePath is the row decoder, the pulses and the comparators of a crossbar.
type writePath struct {
	b              Crossbar
	m              *ir.Module
	valid          *ir.Node // a beat of p
	verify         *ir.Node // it verifies
	probes         *ir.Node // the row that is read back, DAC lines
	step, row      *ir.Node
	pos, neg, shot *ir.Node
}

func (b Crossbar) newWritePath(m *ir.Module, s Stream) *writePath {
	p := input(m, s)
	w := &writePath{b: b, m: m, valid: p.valid, step: p.fields[1], row: p.fields[2], pos: p.fields[3], neg: p.fields[4], shot: p.fields[5]}
	w.verify = p.valid.And(p.fields[0]).Named("verifies")
	index := make([]uint64, b.Rows)
	for r := range index {
		index[r] = uint64(r)
	}
	w.probes = m.KVec(w.row.Type.W, index...).Eq(w.row).And(w.verify)
	return w
}

// build drives v and writes mems, the cells.
func (w *writePath) build(mems map[string]*ir.Mem, pos, neg *ir.Node, out Stream) {
	b, m := w.b, w.m
	if neg != nil {
		pos = pos.Sub(neg)
	}
	wide := max(pos.Type.W, device.CellBits) + 2
	weight := w.pos.ZExt(wide).Sub(w.neg.ZExt(wide)).ShlK(b.spec().Frac())
	off := pos.SExt(wide).Sub(weight)
	most := m.K(wide, uint64(b.tolerance()))
	ok := off.Les(most).And(m.K(wide, 0).Sub(most).Les(off))
	drive(m, out, m.Reg("verified", ir.Bits(1), 0).Set(w.verify), m.DataReg("ok", w.pos.Type).SetEn(w.verify, ok))
	w.pulse(mems)
}

// pulse writes the pairs that switch, a slice a cycle.
func (w *writePath) pulse(mems map[string]*ir.Mem) {
	b, m := w.b, w.m
	a := b.Converters()
	place := address(w.row, b.Steps(), 0, b.Rows*b.Steps())
	place = place.Add(w.step.ZExt(place.Type.W))
	load := func(name string, t ir.Type) *ir.Node {
		mem := m.Mem(name, b.Rows*b.Steps(), t)
		mem.Loaded = true
		return m.Lookup(mem, place)
	}
	fire := w.valid.And(w.verify.Not()).Named("pulses_now")
	hold := func(name string, n *ir.Node) *ir.Node { return m.DataReg(name, n.Type).SetEn(fire, n) }
	switches := hold("switches", load(tablePulses, ir.Vec(a, pulseBits)).Leu(w.shot))
	step, row := hold("pulse_step", w.step), hold("pulse_row", w.row)

	// What registers hold before the first reset must not write: only a key enables it.
	lock := m.Reg("lock", ir.Bits(32), 0)
	busy := lock.Q.EqK(writeKey).Named("busy")
	slice, last := counter(m, "slice", b.writeCycles(), busy)
	lock.SetEn(fire.Or(busy), fire.Or(last.Not()).Mux(m.K(32, writeKey), m.K(32, 0)))

	pos, neg := w.pos, w.neg
	if b.spec().Frac() > 0 {
		cells := load(tableDevice, ir.Vec(4*a, device.CellBits))
		pos = pos.Mux(cells.Elems(0, a), cells.Elems(a, a))
		neg = neg.Mux(cells.Elems(2*a, a), cells.Elems(3*a, a))
	}
	if b.differs() {
		w.write(mems[tableDiff], pos.ZExt(device.CellBits+1).Sub(neg.ZExt(device.CellBits+1)), tableDiff, fire, busy, switches, step, row, slice)
		return
	}
	w.write(mems[tablePos], pos, tablePos, fire, busy, switches, step, row, slice)
	w.write(mems[tableNeg], neg, tableNeg, fire, busy, switches, step, row, slice)
}

// write moves the slices of the new cells out of a register into the row's place in their words.
func (w *writePath) write(mem *ir.Mem, cells *ir.Node, table string, fire, busy, switches, step, row, slice *ir.Node) {
	b, m := w.b, w.m
	a, n, chunk := b.Converters(), b.slices(table), b.chunk()
	bits := cells.Bit(0)
	for s := 1; s < n; s++ {
		bits = bits.Join(cells.Bit(s))
	}
	next := m.DataReg("next_"+table, bits.Type)
	shifted := next.Q
	if n > 1 {
		shifted = next.Q.Elems(a, (n-1)*a).Join(next.Q.Elems(0, a))
	}
	next.SetEn(fire.Or(busy), fire.Mux(bits, shifted))

	at := address(step, n, 0, mem.Depth).ZExt(ir.ClogTwo(mem.Depth) + 1)
	at = at.Add(slice.ZExt(at.Type.W))
	place := row
	if b.chunks() > 1 {
		at = at.Mul(m.K(at.Type.W, uint64(b.chunks()))).Add(row.Slice(6, row.Type.W-6).ZExt(at.Type.W))
		place = row.Trunc(6)
	}
	was := m.Lookup(mem, at).Cast(ir.Vec(a, chunk))
	line := m.K(chunk, 1).Shl(place)
	new := next.Q.Elems(0, a).Mux(was.Or(line), was.And(line.Not()))
	m.Write(mem, at, switches.Mux(new, was).Cast(mem.Type), busy)
}
