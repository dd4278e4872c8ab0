package hw

import (
	"fmt"

	"ohmloom/ir"
)

// collector turns the sums of the PEs into the tile's output: it requantises them and brings
// them into column order through an output buffer (SRAM).
//
// Port sums: one beat a step, Converters() sums for each column of PEs. The collector cuts it
// into chunks of chunk() sums, one a cycle, and writes those of real columns to the buffer.
// When the last is in, it reads the buffer in order and packs Lanes results a beat (port y).
// It takes no sums before scale is 1 nor while it reads.
func (b PIM) collector(lib *Lib) *ir.Module {
	x := b.Crossbar
	name := fmt.Sprintf("collector_%dx%d_s%d_l%d_w%d", b.ColBlocks, x.Cols, x.Share, b.Lanes, b.accBits())
	doc := fmt.Sprintf("Requantises and orders %d columns of results: %d cycles to fill, %d to read.",
		b.ColBlocks*x.Cols, b.fill(), b.chunks())
	return lib.module("collector", name, doc, func(m *ir.Module) {
		c := &collecting{PIM: b, m: m, lib: lib}
		c.valid = m.In("sums_valid", ir.Bits(1), "all PEs have sums")
		c.sums = m.In("sums_acc", ir.Vec(b.ColBlocks*x.Converters(), b.accBits()), "sums of a step, PE after PE")
		m.Group("sums")
		c.scale = m.In("scale_valid", ir.Bits(1), "m and s are set")
		c.mul = m.In("scale_m", ir.Bits(8), "multiplier")
		c.shift = m.In("scale_s", ir.Bits(5), "shift")
		m.Group("scale")
		c.reads = m.Reg("reads", ir.Bits(1), 0)
		c.collect()
		c.give()
	})
}

// collecting is a collector under construction.
type collecting struct {
	PIM
	m                              *ir.Module
	lib                            *Lib
	valid, sums, scale, mul, shift *ir.Node
	reads                          *ir.Reg  // the buffer is being read
	filled                         *ir.Node // the last word of a vector is being written
	we, waddr, wdata               *ir.Node // write port of the buffer
}

// collect takes the sums apart, one chunk a cycle. A chunk's place in the buffer is its column
// in units of chunks; requantisation takes the cycle between choosing and writing.
func (c *collecting) collect() {
	m, x, size := c.m, c.Crossbar, c.chunk()
	perStep, perPE := x.Converters()/size, x.Cols/size
	w := ir.ClogTwo(max(c.chunks(), x.Steps()*perStep) + 1)

	ending := m.Reg("ending", ir.Bits(1), 0)
	goes := c.valid.And(c.scale).And(c.reads.Q.Or(ending.Q).Not()).Named("goes")
	inPE, lastInPE := counter(m, "in_pe", perStep, goes)
	part, lastPart := counter(m, "part", c.ColBlocks*perStep, goes)
	stepDone := goes.And(lastPart).Named("step_done")
	_, lastStep := counter(m, "step", x.Steps(), stepDone)
	ending.Set(stepDone.And(lastStep))
	m.Out("sums_ready", stepDone, "sums are taken").Group = "sums"

	first := m.Reg("step_first", ir.Bits(w), 0) // first chunk of the step, within a PE
	first.SetEn(stepDone, lastStep.Mux(m.K(w, 0), first.Q.AddK(int64(perStep))))
	base := m.Reg("pe_first", ir.Bits(w), 0) // first chunk of the PE
	base.SetEn(goes.And(lastInPE), lastPart.Mux(m.K(w, 0), base.Q.AddK(int64(perPE))))
	local := first.Q.Add(inPE.ZExt(max(w, inPE.Type.W)).Trunc(w)).Named("chunk_in_pe")
	real := local.Ltu(m.K(w, uint64(perPE)))

	acc := chunk(c.sums, part, size)
	rq := m.Instance("u_requantise", Requantise{Lanes: size, AccBits: c.accBits(), OutBits: 8}.Build(c.lib)).
		In("x_valid", goes).In("x_acc", acc).In("x_m", c.mul).In("x_s", c.shift)
	c.we = m.Reg("write", ir.Bits(1), 0).Set(goes.And(real))
	c.waddr = m.DataReg("waddr", ir.Bits(w)).Set(base.Q.Add(local)).Trunc(c.addrBits())
	c.wdata = m.OutOf(rq, "y_q").Cat(m.DataReg("acc", acc.Type).Set(acc))
	c.filled = ending.Q
}

// addrBits is the width of a buffer address.
func (b PIM) addrBits() int { return ir.ClogTwo(b.chunks()) }

// give reads the buffer in order and packs its chunks into beats of y.
func (c *collecting) give() {
	m, size := c.m, c.chunk()
	_, outs := c.Streams()
	take := output(m, outs[0])

	full := m.Reg("out_valid", ir.Bits(1), 0)
	read := m.Reg("read_valid", ir.Bits(1), 0)
	moves := read.Q.And(full.Q.Not().Or(take)).Named("moves")
	issue := c.reads.Q.And(read.Q.Not().Or(moves)).Named("issue")
	raddr, lastRead := counter(m, "raddr", c.chunks(), issue)
	c.reads.SetEn(c.filled.Or(issue), c.filled.Or(lastRead.Not()))
	read.SetEn(issue.Or(moves), issue)

	mem := m.Instance("u_buffer", sram(c.lib, c.chunks(), ir.Vec(size, c.accBits()+8))).
		In("we", c.we).In("waddr", c.waddr).In("wdata", c.wdata).In("re", issue).In("raddr", raddr)
	word := m.OutOf(mem, "rdata")

	places := c.Lanes / size
	place := m.Reg("place", ir.Bits(ir.ClogTwo(places)), 0)
	final := m.DataReg("final", ir.Bits(1)).SetEn(issue, lastRead)
	end := final.Or(place.Q.EqK(uint64(places - 1))).Named("beat_end")
	place.SetEn(moves, end.Mux(m.K(place.Type.W, 0), place.Q.AddK(1)))
	full.Set(moves.Mux(end, full.Q.And(take.Not())))

	packed := m.DataReg("packed", ir.Vec(c.Lanes, word.Type.W))
	next := word
	if places > 1 {
		next = insert(packed.Q, word, place.Q)
	}
	out := packed.SetEn(moves, next)
	drive(m, outs[0], full.Q, out.Trunc(c.accBits()).SExt(32), out.Slice(c.accBits(), 8))
}

// insert puts word into the lanes of its place; at place 0 the others become zero, so that
// the last beat of a vector has zeros beyond the last column.
func insert(packed, word, place *ir.Node) *ir.Node {
	m, lanes := packed.Module(), packed.Type.N
	lane := make([]uint64, lanes)
	copies := make([]*ir.Node, lanes/word.Type.N)
	for i := range lane {
		lane[i] = uint64(i / word.Type.N)
	}
	for i := range copies {
		copies[i] = word
	}
	here := m.KVec(place.Type.W, lane...).Eq(place)
	others := place.EqK(0).Mux(m.K(word.Type.W, 0).Splat(lanes), packed)
	return here.Mux(copies[0].Join(copies[1:]...), others)
}
