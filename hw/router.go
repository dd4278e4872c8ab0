package hw

import (
	"fmt"

	"ohmloom/ir"
)

// router adds what comes from n sides, lanes sums of w bits each, to sums of out bits, and
// gives them 1 cycle later. Ports valid and in; what is not valid leaves the output as it is.
func router(lib *Lib, n, lanes, w, out int) *ir.Module {
	name := fmt.Sprintf("router_%dx%d_%dto%d", n, lanes, w, out)
	doc := fmt.Sprintf("Adds %d x %d sums of %d bits. Latency 1 cycle.", n, lanes, w)
	return lib.module("router", name, doc, func(m *ir.Module) {
		valid := m.In("valid", ir.Bits(1), "sums come in")
		in := m.In("in", ir.Vec(n*lanes, w), "sums, side after side")
		sides := make([]*ir.Node, n)
		for i := range sides {
			sides[i] = in.Elems(i*lanes, lanes).SExt(out)
		}
		for ; len(sides) > 1; sides = sides[:ceilDiv(len(sides), 2)] {
			for i := range len(sides) / 2 {
				sides[i] = sides[i].Add(sides[len(sides)-1-i])
			}
		}
		m.Out("out", m.DataReg("sum", ir.Vec(lanes, out)).SetEn(valid, sides[0]), "sums of the sides, 1 cycle ago")
	})
}
