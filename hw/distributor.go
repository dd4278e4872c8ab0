package hw

import (
	"fmt"

	"ohmloom/ir"
)

// chunk takes size consecutive elements of v: those from part * size on. size divides the
// elements of v.
func chunk(v, part *ir.Node, size int) *ir.Node {
	if v.Type.N == size {
		return v
	}
	m, w := v.Module(), ir.ClogTwo(v.Type.N)
	power := size&(size-1) == 0
	elems := make([]*ir.Node, size)
	for i := range elems {
		index := part
		switch {
		case power && size > 1: // the low bits of the index are constant
			index = part.Cat(m.K(ir.ClogTwo(size), uint64(i)))
		case !power:
			index = part.ZExt(w).Mul(m.K(w, uint64(size))).AddK(int64(i))
		}
		elems[i] = v.Pick(index)
	}
	return elems[0].Join(elems[1:]...)
}

// oneHot is n bits of which the one with index i is 1.
func oneHot(i *ir.Node, n int) *ir.Node {
	m := i.Module()
	index := make([]uint64, n)
	for k := range index {
		index[k] = uint64(k)
	}
	return m.KVec(i.Type.W, index...).Eq(i)
}

// distributor hands an input vector from the tile's input buffer to the PEs: words of lanes
// elements (port x) become beats of part() elements for one row of PEs after the other (port
// pe, one valid and ready a row). A part never crosses from one row block to the next,
// because it divides both the lanes and the rows of a crossbar.
func (b PIM) distributor(lib *Lib) *ir.Module {
	rows, lanes, part := b.RowBlocks, b.Lanes, b.part()
	name := fmt.Sprintf("distributor_%dx%d_l%d", rows, b.Crossbar.Rows, lanes)
	doc := fmt.Sprintf("Splits words of %d elements into beats of %d for %d rows of PEs.", lanes, part, rows)
	return lib.module("distributor", name, doc, func(m *ir.Module) {
		x := input(m, Stream{Name: "x", Fields: []Field{{"data", ir.Vec(lanes, 8), true, "int8 elements"}}, Doc: "words of an input vector"})
		ready := m.In("pe_ready", ir.Vec(rows, 1), "row of PEs takes a beat")
		m.Group("pe")

		// The counters move with a transfer, which depends on the row they select.
		row := m.Reg("row", ir.Bits(ir.ClogTwo(rows)), 0)
		sub := m.Reg("part", ir.Bits(ir.ClogTwo(lanes/part)), 0)
		fire := x.valid.And(ready.Pick(row.Q)).Named("fire")
		_, loaded := counter(m, "load", b.Crossbar.Rows/part, fire)
		end := loaded.And(row.Q.EqK(uint64(rows - 1))).Named("vector_end")
		row.SetEn(fire.And(loaded), end.Mux(m.K(row.Type.W, 0), row.Q.AddK(1)))
		next := end.Or(sub.Q.EqK(uint64(lanes/part - 1))).Named("word_end")
		sub.SetEn(fire, next.Mux(m.K(sub.Type.W, 0), sub.Q.AddK(1)))

		x.ready(ready.Pick(row.Q).And(next))
		m.Out("pe_valid", oneHot(row.Q, rows).And(x.valid), "row of PEs is offered a beat").Group = "pe"
		m.Out("pe_data", chunk(x.fields[0], sub.Q, part), "int8 elements").Group = "pe"
	})
}
