package hw

import (
	"fmt"

	"ohmloom/ir"
)

// headConstants reads ConSmax's constants of a head in the cycles with next, before its first
// part comes: beta in the low scoreBits, then R. They hold while its scores are weighed.
func (s *spreadSoftmax) headConstants(next, ends *ir.Node) *ir.Node {
	m, depth := s.m, s.Layers*s.Heads
	w := ir.ClogTwo(depth)
	layers := m.In("constants_layer", ir.Vec(flightPasses, w), "where the layer's constants begin, by pass")
	base := s.headBase("constants_base", w, 1, ends)
	// A head's first part is loaded in the cycle in which it is asked for.
	mem := m.Instance("u_constants", table(s.lib, depth, scoreBits+recipBits)).
		In("re", next).In("raddr", total(w, layers.Pick(s.turn), base))
	read := m.OutOf(mem, "rdata")
	return m.DataReg("constants", read.Type).Set(read)
}

// weigh is ConSmax in the place of the second pass: scores become weights as they come, with
// no maximum, no store and no sum. Latencies, from the cycle of the last scores to the pulse
// done parts() + 2, to R one more.
func (s *spreadSoftmax) weigh(scores, last *ir.Node) {
	m := s.m
	w := max(s.Spread.scoreBits(), scoreBits) + 2
	beta := s.constants.Trunc(scoreBits).SExt(w).Splat(s.Lanes)
	below := beta.Sub(scores.SExt(w)).AddK(1 << (scoreShift - 1)).SraK(scoreShift).Named("below_beta")
	d := s.used.Mux(clamp(below, 0, expRange).Trunc(9), m.K(9, expRange))
	dReg := m.DataReg("d_reg", d.Type).Set(d)
	e := m.DataReg("weight", ir.Vec(s.Lanes, 7)).
		Set(m.OutOf(m.Array("exp", expLane(s.lib), 1, s.Lanes).Each("d", dReg), "e"))
	m.Out("e", e, "weights 0..127")
	ends := s.stored.And(last)
	m.Out("e_valid", delay(m, "valid_2", s.stored, 2), "weights of Lanes slots")
	m.Out("e_head", delay(m, "ends_2", ends, 2), "the last weights of a head")
	m.Out("e_done", delay(m, "ends_1", ends, 1), "the cycle before")
	m.Group("e")
	m.Out("r_valid", delay(m, "ends_r", ends, 2), "R of a head")
	late := m.DataReg("r_1", ir.Bits(recipBits)).Set(s.constants.Slice(scoreBits, recipBits))
	m.Out("r", m.DataReg("r_2", late.Type).Set(late), "2^24 / (127 gamma)")
	m.Group("r")
}

// constantWords is the table of ConSmax's constants; what is missing is zero.
func constantWords(constants []ConSmaxConstants, heads int) []uint64 {
	table := make([]uint64, heads)
	for i, c := range constants {
		table[i] = word(int64(c.Beta), scoreBits) | word(int64(c.R), recipBits)<<scoreBits
	}
	return table
}

// checkConstants says which constant is out of its range, or that there are too many.
func checkConstants(constants []ConSmaxConstants, heads int) error {
	if len(constants) > heads {
		return fmt.Errorf("consmax: constants of %d heads for %d", len(constants), heads)
	}
	for _, c := range constants {
		if err := firstError(inRange("consmax", "beta", c.Beta, scoreLeast, -scoreLeast-1), inRange("consmax", "R", c.R, 0, 1<<recipBits-1)); err != nil {
			return err
		}
	}
	return nil
}
