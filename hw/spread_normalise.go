package hw

import (
	"fmt"

	"ohmloom/ir"
)

// normalise turns weighted sums into the output: o = sat8(rshift(a * (2^24 / Z), 23)), Lanes
// channels a cycle. Sums wait in an SRAM that has room for all heads on their way, and
// reciprocals in registers. freed is up when a head's last sums have been taken.
//
// A beat of y comes outLatency cycles after it was begun, which is 1 cycle after its sums
// and its reciprocal are in at the earliest.
func (b Spread) normalise(lib *Lib) *ir.Module {
	name := fmt.Sprintf("spread_normalise_%d_d%d_l%d_a%d_w%d", b.Cols, b.HeadChannels, b.Lanes, b.Ahead, b.sumBits())
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
		next := b.nextSums(m, moves, valid, rValid)
		m.Out("freed", next.headEnd, "a head has left the buffers")

		depth := b.Ahead * b.vRounds()
		waddr, _ := counter(m, "write_at", depth, valid)
		raddr, _ := counter(m, "read_at", depth, next.reads)
		mem := m.Instance("u_sums", sram(lib, depth, sums.Type)).
			In("we", valid).In("waddr", waddr).In("wdata", sums).In("re", next.reads).In("raddr", raddr)
		one := b.recipFile(m, rValid, r, next.headEnd)

		// All stages move together.
		stage := func(name string, n *ir.Node) *ir.Node { return m.DataReg(name, n.Type).SetEn(moves, n) }
		busy, end := next.goes, next.headEnd
		for i := 1; i < outLatency; i++ {
			busy = m.Reg(fmt.Sprintf("valid_%d", i), ir.Bits(1), 0).SetEn(moves, busy)
			end = stage(fmt.Sprintf("end_%d", i), end)
		}
		full.SetEn(moves, busy)
		a := stage("sums_2", chunk(m.OutOf(mem, "rdata"), stage("part_1", next.part), b.Lanes))
		out := b.scaled(stage, a, stage("factor_2", stage("factor_1", one)))
		if rest := b.HeadChannels % b.Lanes; rest > 0 {
			out = end.Mux(onlyFirst(out, rest), out)
		}
		drive(m, outs[0], full.Q, stage("out", out))
	})
}

// sumsOut is which sums are normalised next.
type sumsOut struct {
	part    *ir.Node // Lanes of the word's Cols sums
	goes    *ir.Node // they enter the pipeline
	reads   *ir.Node // from a new word
	headEnd *ir.Node // they are the head's last
}

// nextSums goes through the sums of a head, word by word, when they and the reciprocal are
// in; moves is up when the pipeline does.
func (b Spread) nextSums(m *ir.Module, moves, sumsIn, recipIn *ir.Node) sumsOut {
	words := newCredit(m, "words", b.Ahead*b.vRounds(), 0)
	recips := newCredit(m, "recips", b.Ahead, 0)
	part := m.Reg("part", ir.Bits(ir.ClogTwo(b.parts())), 0)
	round := m.Reg("round", ir.Bits(ir.ClogTwo(b.vRounds())), 0)
	begins := part.Q.EqK(0)
	goes := moves.And(begins.Not().Or(words.some().And(recips.some()))).Named("goes")
	reads := goes.And(begins).Named("reads")
	lastWord := round.Q.EqK(uint64(b.vRounds() - 1)).Named("last_word")
	limit := lastWord.Mux(m.K(part.Type.W, uint64(b.lastParts()-1)), m.K(part.Type.W, uint64(b.parts()-1)))
	wordEnd := part.Q.Eq(limit).Named("word_end")
	headEnd := goes.And(wordEnd).And(lastWord).Named("head_end")
	part.SetEn(goes, wordEnd.Mux(m.K(part.Type.W, 0), part.Q.AddK(1)))
	round.SetEn(goes.And(wordEnd), lastWord.Mux(m.K(round.Type.W, 0), round.Q.AddK(1)))
	words.set(sumsIn, reads)
	recips.set(recipIn, headEnd)
	return sumsOut{part.Q, goes, reads, headEnd}
}

// scaled is sat8(rshift(a * factor, outShift)). The product comes in two halves that are
// added in the next stage, so that no stage is longer than a multiplier of the array by much.
func (b Spread) scaled(stage func(string, *ir.Node) *ir.Node, a, factor *ir.Node) *ir.Node {
	w, pw := b.sumBits()+recipBits+1, b.sumBits()+recipBits/2
	half := func(name string, bits *ir.Node) *ir.Node {
		return stage(name, a.SExt(pw).Mul(bits.ZExt(pw))).SExt(w)
	}
	low, high := half("low", factor.Trunc(recipBits/2)), half("high", factor.Slice(recipBits/2, recipBits/2))
	product := stage("product", low.Add(high.ShlK(recipBits/2)).AddK(1<<(outShift-1)))
	return clamp(product.SraK(outShift).Trunc(w-outShift), -127, 127).Trunc(8)
}

// recipFile keeps the reciprocals of the heads on their way, and gives the oldest.
func (b Spread) recipFile(m *ir.Module, valid, r, headEnd *ir.Node) *ir.Node {
	file := m.DataReg("recip", ir.Vec(b.Ahead, recipBits))
	at, _ := counter(m, "recip_write", b.Ahead, valid)
	from, _ := counter(m, "recip_read", b.Ahead, headEnd)
	file.SetEn(valid, setLane(file.Q, at, r))
	return file.Q.Pick(from)
}
