package hw

import (
	"fmt"
	"strconv"

	"ohmloom/ir"
)

// softmax is the engine's integer softmax, Lanes scores a cycle: bias, running maximum,
// exponential, sum, reciprocal. Nothing holds it up: what it gives has a place already.
//
// It takes Cols scores at once (sums_valid, with sums_tail up in a head's last) and no more
// than that in parts() cycles. A first pass adds the bias, finds the maximum and puts the
// scores into a FIFO; the second pass reads them back. One head is in each pass, because no
// head's scores come faster than the second pass reads them.
//
// Latencies, from the cycle of the last scores to: the second pass parts() + 3; from there,
// with S = slots / Lanes, to the pulse done S + 2, one cycle before the last weights are
// written; to the reciprocal S + 5 + recipBits.
func (b Spread) softmax(lib *Lib) *ir.Module {
	b.Dot = 0 // nothing of it is here
	doc := fmt.Sprintf("Integer softmax of %d scores at once, %d a cycle: bias, maximum, exponential, sum, reciprocal.", b.Cols, b.Lanes)
	return lib.module("spread_softmax", "spread_softmax_"+b.suffix(), doc, func(m *ir.Module) {
		s := &spreadSoftmax{Spread: b, m: m, lib: lib}
		s.load = m.In("sums_valid", ir.Bits(1), "scores of Cols slots")
		s.tail = m.In("sums_tail", ir.Bits(1), "the last slots of the head")
		s.sums = m.In("sums", ir.Vec(b.Cols, b.sumBits()), "products of q and k")
		s.turn = m.In("sums_turn", ir.Bits(1), "which of the passes on their way they belong to")
		m.Group("sums")
		s.last.lo = m.In("last_col", ir.Vec(flightPasses, ir.ClogTwo(b.Cols)), "column of the last slot in use, by pass")
		s.last.hi = m.In("last_slot", ir.Vec(flightPasses, ir.ClogTwo(b.kSlots())), "and its number within the column")
		scores, first, last := s.serialise()
		if b.ConSmax {
			s.weigh(scores, last)
		} else {
			s.second(s.maximum(scores, first, last))
		}
	})
}

// spreadSoftmax is a softmax under construction.
type spreadSoftmax struct {
	Spread
	m                *ir.Module
	lib              *Lib
	load, tail, sums *ir.Node
	turn             *ir.Node // of the pass of sums
	last             place
	fifo             *ir.Inst // scores between the passes
	stored           *ir.Node // a word of scores is there; it goes into the fifo
	used             *ir.Node // of these, scores of slots in use
	constants        *ir.Node // of ConSmax, of the head whose scores are biased
}

// serialise cuts the scores into parts, adds the bias and makes scores beyond the last slot
// so small that their weights vanish. first and last mark a head's parts.
func (s *spreadSoftmax) serialise() (scores, first, last *ir.Node) {
	m, n, lanes := s.m, s.parts(), s.Lanes
	goes := m.Reg("goes", ir.Bits(1), 0)
	_, lastPart := counter(m, "part", n, goes.Q)
	goes.SetEn(s.load.Or(lastPart), s.load)
	tail := m.DataReg("tail", ir.Bits(1)).SetEn(s.load, s.tail)
	ends := goes.Q.And(lastPart).And(tail).Named("ends")
	fresh := m.Reg("fresh", ir.Bits(1), 1) // the next part is a head's first
	fresh.SetEn(goes.Q, ends)

	used := upTo(s.last.lo.Pick(s.turn), s.Cols).Or(s.tail.Not())
	shift := func(name string, in *ir.Node) *ir.Node {
		r := m.DataReg(name, in.Type)
		if n == 1 {
			return r.SetEn(s.load, in).Elems(0, lanes)
		}
		moved := r.Q.Elems(lanes, s.Cols-lanes).Join(r.Q.Elems(0, lanes))
		r.Set(s.load.Mux(in, moved))
		return r.Q.Elems(0, lanes)
	}
	raw, live := shift("raw", s.sums), shift("live", used)

	// A part's biases, and a head's constants, are read in the cycle before it comes.
	next := s.load
	if n > 1 {
		next = next.Or(goes.Q.And(lastPart.Not()))
	}
	head := goes.Q.Mux(ends, fresh.Q)
	if s.ConSmax {
		s.constants = s.headConstants(next.And(head), ends)
	}
	score := raw // QK sums fit, though those of AV may be wider
	if w := s.scoreBits(); raw.Type.W > w {
		score = raw.Trunc(w)
	} else {
		score = raw.SExt(w)
	}
	if s.Biased {
		score = score.Add(s.biases(next, head, ends).SExt(s.scoreBits()).ShlK(scoreShift)).Named("biased")
	}
	least := m.K(s.scoreBits(), 1<<(s.scoreBits()-1)).Splat(lanes)
	out := m.DataReg("score", ir.Vec(lanes, s.scoreBits())).Set(live.Mux(score, least))
	s.stored = m.Reg("stored", ir.Bits(1), 0).Set(goes.Q)
	if s.ConSmax {
		s.used = m.DataReg("score_used", live.Type).Set(live)
	}
	return out, m.DataReg("score_first", ir.Bits(1)).Set(fresh.Q), m.DataReg("score_last", ir.Bits(1)).Set(ends)
}

// biases reads the biases of the part after this cycle. The distance falls as the slots
// rise: lane i of a part whose lane 0 is at distance d is at d - i, round the ring. Bank b of
// the table holds the distances with remainder b, so that the lanes read one word each, of
// two neighbouring rows; the remainder of d is the same in all parts of a head.
func (s *spreadSoftmax) biases(next, head, ends *ir.Node) *ir.Node {
	m, lanes, words := s.m, s.Lanes, s.Context/s.Lanes
	lows := m.In("distance_lane", ir.Vec(flightPasses, ir.ClogTwo(lanes)), "distance of slot 0, modulo Lanes, by pass")
	highs := m.In("distance_row", ir.Vec(flightPasses, ir.ClogTwo(words)), "distance of slot 0, divided by Lanes")
	depth := s.Layers * s.Heads * words
	w := ir.ClogTwo(depth)
	layers := m.In("bias_layer", ir.Vec(flightPasses, w), "where the layer's biases begin")
	present := m.DataReg("turn", ir.Bits(1)).SetEn(s.load, s.turn)
	of := s.load.Mux(s.turn, present)
	layer, high := layers.Pick(of), highs.Pick(of)
	base := s.headBase("bias_base", w, words, ends)
	before := func(n *ir.Node) *ir.Node {
		return n.EqK(0).Mux(m.K(n.Type.W, uint64(words-1)), n.AddK(-1))
	}
	row := m.DataReg("bias_row", high.Type)
	at := head.Mux(high, row.Q).Named("bias_at")
	below := before(at)
	row.SetEn(next, below)

	addr := upTo(lows.Pick(of), lanes).Mux(total(w, layer, base, at), total(w, layer, base, below))
	table := m.Array("bias", table(s.lib, depth, 16), 1, lanes).PerCol("raddr", addr).In("re", next)
	word := m.OutOf(table, "rdata")

	turned := word.Elem(0)
	for i := 1; i < lanes; i++ {
		turned = turned.Join(word.Elem(lanes - i))
	}
	low := lows.Pick(present) // a cycle later
	for bit := 0; 1<<bit < lanes; bit++ {
		by := 1 << bit
		turned = low.Bit(bit).Mux(turned.Elems(lanes-by, by).Join(turned.Elems(0, lanes-by)), turned)
	}
	return turned
}

// headBase is where the words of the head begin whose part is asked for: step words a head.
func (s *spreadSoftmax) headBase(name string, w, step int, ends *ir.Node) *ir.Node {
	m := s.m
	base := stepper(m, name, w, step, s.Heads, ends)
	if s.Heads == 1 {
		return base
	}
	// The first part of the next head may be asked for while this head ends.
	over := base.EqK(uint64((s.Heads - 1) * step))
	return ends.Mux(over.Mux(m.K(w, 0), base.AddK(int64(step))), base)
}

// table is a memory of depth words of w bits, loaded at power-on: ports re, raddr, rdata.
func table(lib *Lib, depth, w int) *ir.Module {
	name := fmt.Sprintf("table_%dx%d", depth, w)
	doc := fmt.Sprintf("Loaded table of %d words of %d bits. Latency 1 cycle.", depth, w)
	return lib.module("table", name, doc, func(m *ir.Module) {
		re, raddr := m.In("re", ir.Bits(1), "read"), m.In("raddr", ir.Bits(ir.ClogTwo(depth)), "address to read")
		mem := m.Mem("mem", depth, ir.Bits(w))
		mem.Loaded = true
		m.Out("rdata", m.Read(mem, raddr, re), "word of the last read")
		m.Macro = &ir.Macro{Kind: "sram", Latency: 1, Attrs: []ir.Attr{
			{Key: "depth", Value: strconv.Itoa(depth)}, {Key: "width", Value: strconv.Itoa(w)},
			{Key: "bits", Value: strconv.Itoa(depth * w)},
		}}
	})
}

// maximum stores the scores and gives the cycle after a head's maximum is known, and it.
func (s *spreadSoftmax) maximum(scores, first, last *ir.Node) (known, most *ir.Node) {
	m := s.m
	// Parts of the next head come before the second pass has begun: 4 words to spare.
	depth := s.kSlots()*s.parts() + 4
	waddr, _ := counter(m, "write_at", depth, s.stored)
	s.fifo = m.Instance("u_scores", sram(s.lib, depth, scores.Type)).
		In("we", s.stored).In("waddr", waddr).In("wdata", scores)

	best := m.DataReg("part_max", ir.Bits(s.scoreBits())).Set(largest(scores))
	valid := m.Reg("part_valid", ir.Bits(1), 0).Set(s.stored)
	begins, ends := m.DataReg("part_first", ir.Bits(1)).Set(first), m.DataReg("part_last", ir.Bits(1)).Set(last)
	top := m.DataReg("max", best.Type)
	keep := begins.Not().And(best.Lts(top.Q))
	top.SetEn(valid, keep.Mux(top.Q, best))
	return m.Reg("known", ir.Bits(1), 0).Set(valid.And(ends)), top.Q
}

// second is the second pass: weights, their sum and its reciprocal.
func (s *spreadSoftmax) second(known, most *ir.Node) {
	m, n := s.m, s.parts()
	reads := m.Reg("reads", ir.Bits(1), 0)
	_, lastPart := counter(m, "read_part", n, reads.Q)
	slot := m.Reg("read_slot", ir.Bits(s.last.hi.Type.W), 0)
	of := m.Reg("read_turn", ir.Bits(1), 0)
	over := slot.Q.Eq(s.last.hi.Pick(of.Q)).And(lastPart).Named("over")
	_, lastHead := counter(m, "read_head", s.Heads, reads.Q.And(over))
	of.SetEn(reads.Q.And(over).And(lastHead), of.Q.Not())
	slot.SetEn(reads.Q.And(lastPart), over.Mux(m.K(slot.Type.W, 0), slot.Q.AddK(1)))
	reads.SetEn(known.Or(over), known)
	fresh := m.Reg("read_first", ir.Bits(1), 1)
	fresh.SetEn(reads.Q, over)
	raddr, _ := counter(m, "read_at", s.kSlots()*n+4, reads.Q)
	s.fifo.In("re", reads.Q).In("raddr", raddr)

	// The maximum is late by a cycle, like the scores, which a next head's must not overtake.
	half := m.DataReg("max_half", most.Type).SetEn(known, most.AddK(1<<(scoreShift-1)))
	late := m.DataReg("max_read", most.Type).Set(half)
	d := late.Sub(m.OutOf(s.fifo, "rdata")).ShrK(scoreShift).Named("d")
	small := d.Ltu(m.K(d.Type.W, expRange))
	dReg := m.DataReg("d_reg", ir.Vec(s.Lanes, 9)).Set(small.Not().Cat(d.Trunc(8)))
	e := m.DataReg("weight", ir.Vec(s.Lanes, 7)).
		Set(m.OutOf(m.Array("exp", expLane(s.lib), 1, s.Lanes).Each("d", dReg), "e"))
	m.Out("e", e, "weights 0..127")

	ends := reads.Q.And(over)
	valid := func(cycles int) *ir.Node { return delay(m, fmt.Sprintf("valid_%d", cycles), reads.Q, cycles) }
	m.Out("e_valid", valid(3), "weights of Lanes slots")
	m.Out("e_head", delay(m, "ends_3", ends, 3), "the last weights of a head")
	m.Out("e_done", delay(m, "ends_2", ends, 2), "the cycle before")
	m.Group("e")

	part := m.DataReg("e_sum", ir.Bits(s.zBits())).Set(e.SumU(1, s.zBits()))
	begins := delay(m, "first_4", fresh.Q, 4)
	z := m.DataReg("z", part.Type)
	z.SetEn(valid(4), begins.Mux(part, z.Q.Add(part)))
	stages := m.Array("reciprocal", s.reciprocalStage(), recipBits, 1).
		Chain("valid_in", "valid_out", ir.North, delay(m, "ends_5", ends, 5)).
		Chain("z_in", "z_out", ir.North, z.Q).
		Chain("rem_in", "rem_out", ir.North, m.K(s.zBits(), 1<<(recipShift-recipBits))).
		Chain("q_in", "q_out", ir.North, m.K(recipBits, 0))
	m.Out("r_valid", m.Edge(stages, "valid_out", ir.South), "a reciprocal")
	m.Out("r", m.Edge(stages, "q_out", ir.South), "2^24 / Z")
	m.Group("r")
}

// reciprocalStage finds one bit of 2^24 / Z. The quotient is less than 2^recipBits because Z
// is at least 127, so that the division starts from the bits of the dividend above those.
func (s *spreadSoftmax) reciprocalStage() *ir.Module {
	name := fmt.Sprintf("reciprocal_stage_%d", s.zBits())
	return s.lib.module("spread_softmax", name, "One bit of the quotient 2^24 / Z, restoring. Latency 1 cycle.", func(m *ir.Module) {
		w := s.zBits()
		valid := m.In("valid_in", ir.Bits(1), "a division")
		z := m.In("z_in", ir.Bits(w), "divisor")
		rem := m.In("rem_in", ir.Bits(w), "remainder so far")
		q := m.In("q_in", ir.Bits(recipBits), "quotient so far")
		doubled := rem.ZExt(w + 1).ShlK(1).Named("doubled")
		fits := z.ZExt(w + 1).Leu(doubled).Named("fits")
		less := fits.Mux(doubled.Sub(z.ZExt(w+1)), doubled).Trunc(w)
		m.Out("valid_out", m.Reg("valid", ir.Bits(1), 0).Set(valid), "valid_in, 1 cycle ago")
		m.Out("z_out", m.DataReg("z", z.Type).Set(z), "divisor")
		m.Out("rem_out", m.DataReg("rem", rem.Type).Set(less), "remainder")
		m.Out("q_out", m.DataReg("q", q.Type).Set(q.Trunc(recipBits-1).Cat(fits)), "quotient")
	})
}
