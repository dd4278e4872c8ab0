package hw

import (
	"fmt"

	"ohmloom/ir"
)

// skew delays lane i of a vector of n lanes of 8 bits by i cycles, n (n-1) / 2 registers in
// all, reset to zero: the wedge before the edge of a systolic array.
//
// It is built by halving, so that it stays a few modules at any n: the upper half is delayed
// by n/2 as one block, then both halves are skewed alike; of an odd n the first lane passes
// and the rest is delayed by 1 and skewed. Port d in, q out, lane 0 combinational.
func skew(lib *Lib, n int) *ir.Module {
	name := fmt.Sprintf("skew_%d", n)
	doc := fmt.Sprintf("Delays lane i of %d lanes by i cycles.", n)
	return lib.module("skew", name, doc, func(m *ir.Module) {
		d := m.In("d", ir.Vec(n, 8), "lanes, lane 0 in the low bits")
		m.Out("q", skewed(lib, m, d), "lane i of d, i cycles ago")
	})
}

func skewed(lib *Lib, m *ir.Module, d *ir.Node) *ir.Node {
	n := d.Type.N
	switch {
	case n == 1:
		return d
	case n == 2:
		return d.Elem(0).Join(delay(m, d.Elem(1), 1))
	case n%2 == 1:
		rest := m.Instance("u_rest", skew(lib, n-1)).In("d", delay(m, d.Elems(1, n-1), 1))
		return d.Elem(0).Join(m.OutOf(rest, "q"))
	}
	h := n / 2
	halves := m.Array("half", skew(lib, h), 1, 2).Each("d", d.Elems(0, h).Join(delay(m, d.Elems(h, h), h)))
	return m.OutOf(halves, "q")
}

// delay is d, k >= 1 cycles ago.
func delay(m *ir.Module, d *ir.Node, k int) *ir.Node {
	n := d.Type.N
	line := m.Reg("line", ir.Vec(n*k, d.Type.W), 0)
	next := d
	if k > 1 {
		next = d.Join(line.Q.Elems(0, n*(k-1)))
	}
	line.Set(next)
	return line.Q.Elems(n*(k-1), n)
}
