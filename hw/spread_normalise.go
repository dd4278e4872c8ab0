package hw

import (
	"fmt"

	"ohmloom/ir"
)

// normalise turns weighted sums into the output: o = sat8(rshift(a * (2^24 / Z), 23)), Lanes
// channels a cycle. Sums wait in an SRAM that has room for all heads on their way, and
// reciprocals in registers. freed is up when a head's last sums have been taken.
//
// A beat of y comes outLatency cycles after it was begun, which is from 1 cycle on after its sums and
// its reciprocal are in.
func (b Spread) normalise(lib *Lib) *ir.Module {
	name := fmt.Sprintf("spread_normalise_%d_d%d_l%d_a%d_w%d_z%d", b.Cols, b.HeadChannels, b.Lanes, b.Ahead, b.sumBits(), b.zBits())
	doc := fmt.Sprintf("Normalises sums of %d channels at once, %d a cycle, heads of %d channels.", b.Cols, b.Lanes, b.HeadChannels)
	return lib.module("spread_normalise", name, doc, func(m *ir.Module) {
		valid := m.In("sums_valid", ir.Bits(1), "sums of Cols channels")
		sums := m.In("sums", ir.Vec(b.Cols, b.sumBits()), "weighted sums of values")
		m.Group("sums")
		rValid, r := m.In("r_valid", ir.Bits(1), "a reciprocal"), m.In("r", ir.Bits(recipBits), "2^24 / Z")
		m.Group("r")
		_, outs := b.Streams()
		take := output(m, outs[0])

		full := m.Reg("out_valid", ir.Bits(1), 0)
		moves := full.Q.Not().Or(take).Named("moves")
		words := newCredit(m, "words", b.Ahead*b.vRounds(), 0)
		recips := newCredit(m, "recips", b.Ahead, 0)
		part := m.Reg("part", ir.Bits(ir.ClogTwo(b.parts())), 0)
		begins := part.Q.EqK(0)
		goes := moves.And(begins.Not().Or(words.some().And(recips.some()))).Named("goes")
		takes := goes.And(begins).Named("takes")
		round := m.Reg("round", ir.Bits(ir.ClogTwo(b.vRounds())), 0)
		lastWord := round.Q.EqK(uint64(b.vRounds() - 1)).Named("last_word")
		limit := lastWord.Mux(m.K(part.Type.W, uint64(b.lastParts()-1)), m.K(part.Type.W, uint64(b.parts()-1)))
		wordEnd := part.Q.Eq(limit).Named("word_end")
		part.SetEn(goes, wordEnd.Mux(m.K(part.Type.W, 0), part.Q.AddK(1)))
		round.SetEn(goes.And(wordEnd), lastWord.Mux(m.K(round.Type.W, 0), round.Q.AddK(1)))
		headEnd := goes.And(wordEnd).And(lastWord).Named("head_end")
		m.Out("freed", headEnd, "a head has left the buffers")
		words.set(valid, takes)
		recips.set(rValid, headEnd)

		waddr, _ := counter(m, "write_at", b.Ahead*b.vRounds(), valid)
		raddr, _ := counter(m, "read_at", b.Ahead*b.vRounds(), takes)
		mem := m.Instance("u_sums", sram(lib, b.Ahead*b.vRounds(), sums.Type)).
			In("we", valid).In("waddr", waddr).In("wdata", sums).In("re", takes).In("raddr", raddr)
		one := b.recipFile(m, rValid, r, headEnd)

		stage := func(name string, n *ir.Node) *ir.Node { return m.DataReg(name, n.Type).SetEn(moves, n) }
		flags := func(name string, n *ir.Node) *ir.Node { return m.Reg(name, n.Type, 0).SetEn(moves, n) }
		busy, end := flags("valid_1", goes), stage("end_1", headEnd)
		a := stage("sums_2", chunk(m.OutOf(mem, "rdata"), stage("part_1", part.Q), b.Lanes))
		factor := stage("factor_2", stage("factor_1", one))

		// a * r in two halves, to be added in the next cycle.
		w := b.sumBits() + recipBits + 1
		pw := b.sumBits() + recipBits/2
		half := func(name string, bits *ir.Node) *ir.Node {
			return stage(name, a.SExt(pw).Mul(bits.ZExt(pw))).SExt(w)
		}
		low, high := half("low", factor.Trunc(recipBits/2)), half("high", factor.Slice(recipBits/2, recipBits/2))
		product := stage("product", low.Add(high.ShlK(recipBits/2)).AddK(1<<(outShift-1)))
		busy, end = flags("valid_2", busy), stage("end_2", end)
		busy, end = flags("valid_3", busy), stage("end_3", end)
		busy, end = flags("valid_4", busy), stage("end_4", end)
		full.SetEn(moves, busy)
		out := clamp(product.SraK(outShift).Trunc(w-outShift), -127, 127).Trunc(8)
		if rest := b.HeadChannels % b.Lanes; rest > 0 {
			keep := make([]uint64, b.Lanes)
			for i := range keep {
				if i < rest {
					keep[i] = 0xff
				}
			}
			out = end.Mux(out.And(m.KVec(8, keep...)), out)
		}
		drive(m, outs[0], full.Q, stage("out", out))
	})
}

// recipFile keeps the reciprocals of the heads on their way, and gives the oldest.
func (b Spread) recipFile(m *ir.Module, valid, r, headEnd *ir.Node) *ir.Node {
	file := m.DataReg("recip", ir.Vec(b.Ahead, recipBits))
	at, _ := counter(m, "recip_write", b.Ahead, valid)
	from, _ := counter(m, "recip_read", b.Ahead, headEnd)
	slots := make([]uint64, b.Ahead)
	for i := range slots {
		slots[i] = uint64(i)
	}
	file.SetEn(valid, m.KVec(at.Type.W, slots...).Eq(at).Mux(r.Splat(b.Ahead), file.Q))
	return file.Q.Pick(from)
}
