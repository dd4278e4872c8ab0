package hw

import (
	"fmt"

	"ohmloom/ir"
)

// skewBlock is the largest wedge built lane by lane. A larger one delays blocks of so many
// lanes as a whole and skews every block alike, which keeps it two small modules at any n.
const skewBlock = 8

// skew delays lane i of a vector of n lanes of 8 bits by i cycles: n (n-1) / 2 registers,
// reset to zero, the wedge before the edge of a systolic array. Port d in, q out; lane 0 is
// combinational.
func skew(lib *Lib, n int) *ir.Module {
	name := fmt.Sprintf("skew_%d", n)
	doc := fmt.Sprintf("Delays lane i of %d lanes by i cycles.", n)
	return lib.module("skew", name, doc, func(m *ir.Module) {
		d := m.In("d", ir.Vec(n, 8), "lanes, lane 0 in the low bits")
		q := d
		switch {
		case n > skewBlock:
			q = skewBlocks(lib, m, wedge(m, d, skewBlock))
		case n > 1:
			q = wedge(m, d, 1)
		}
		m.Out("q", q, "lane i of d, i cycles ago")
	})
}

// skewBlocks skews each block of lanes, the last of which may be smaller.
func skewBlocks(lib *Lib, m *ir.Module, d *ir.Node) *ir.Node {
	n := d.Type.N
	whole, rest := n/skewBlock, n%skewBlock
	blocks := m.Array("block", skew(lib, skewBlock), 1, whole).Each("d", d.Elems(0, n-rest))
	q := m.OutOf(blocks, "q")
	if rest > 0 {
		last := m.Instance("u_rest", skew(lib, rest)).In("d", d.Elems(n-rest, rest))
		q = q.Join(m.OutOf(last, "q"))
	}
	return q
}

// wedge delays block i of step lanes by i * step cycles. All delay lines are one register,
// block after block; a line moves up by one block of lanes a cycle.
func wedge(m *ir.Module, d *ir.Node, step int) *ir.Node {
	n := d.Type.N
	total := 0
	for lo := step; lo < n; lo += step {
		total += lo * min(step, n-lo)
	}
	line := m.Reg("line", ir.Vec(total, d.Type.W), 0)
	var next []*ir.Node
	out := []*ir.Node{d.Elems(0, step)}
	at := 0
	for lo := step; lo < n; lo += step {
		w := min(step, n-lo)
		next = append(next, d.Elems(lo, w))
		if lo > 1 {
			next = append(next, line.Q.Elems(at, w*(lo-1)))
		}
		at += w * lo
		out = append(out, line.Q.Elems(at-w, w))
	}
	line.Set(next[0].Join(next[1:]...))
	return out[0].Join(out[1:]...)
}
