package hw

import (
	"math/rand"

	"ohmloom/ir"
)

// grid is the PEs as a bank whose tiles have one each, as far as rows of weights are concerned.
func (b PIM) grid() Bank {
	g := Bank{Rows: b.RowBlocks, Cols: b.ColBlocks, PEs: 1, Lanes: b.Lanes, Crossbar: b.Crossbar, cells: b.cells}
	g.Crossbar.Weights = nil
	return g
}

// crossbars are those of all PEs as they are loaded.
func (b PIM) crossbars() []Crossbar {
	var all []Crossbar
	for row := range b.RowBlocks {
		for col := range b.ColBlocks {
			all = append(all, b.block(row, col))
		}
	}
	return all
}

// vectorsBits counts the vectors that are under way: in buffers, PEs and collector.
const vectorsBits = 5

// rowGate lets vectors in and rows of weights to the PEs, but not both: a vector waits while a
// row does or is written, and a row begins when no vector is under way.
type rowGate struct {
	open   *ir.Node // a beat of x may be taken
	writer *ir.Inst
}

// gate places the row writer. Pulses go through a register to all PEs, of which one is selected, and
// its verdict into another, where it stays until the next.
func (b PIM) gate(lib *Lib, m *ir.Module, weights, written Stream) rowGate {
	writer := m.Instance("u_writer", b.grid().writerModule(lib))
	passIn(m, writer, weights, weights.Name)
	passOut(m, writer, written, written.Name)
	return rowGate{writer: writer}
}

// enter counts vectors in: ready is what the input buffer says. It gives the transfers of x.
func (g *rowGate) enter(m *ir.Module, b PIM, x source, ready *ir.Node) (fire *ir.Node) {
	holds := m.OutOf(g.writer, "holds")
	at := m.Reg("beat_in", ir.Bits(ir.ClogTwo(b.Loads())), 0)
	first := at.Q.EqK(0).Named("first_beat")
	fire = x.ready(ready.And(first.And(holds).Not()))
	at.SetEn(fire, at.Q.EqK(uint64(b.Loads()-1)).Mux(m.K(at.Type.W, 0), at.Q.AddK(1)))
	g.open = fire.And(first).Named("vector_enters")
	return fire
}

// leave counts vectors out, by the transfers of y, and connects the PEs.
func (g *rowGate) leave(m *ir.Module, b PIM, out *ir.Node, pe *ir.Inst) {
	_, end := counter(m, "beat_out", b.Results(), out)
	leaves := out.And(end).Named("vector_leaves")
	count := m.Reg("vectors", ir.Bits(vectorsBits), 0)
	count.SetEn(g.open.Xor(leaves), g.open.Mux(count.Q.AddK(1), count.Q.AddK(-1)))
	g.writer.In("quiet", count.Q.EqK(0))

	row, col := m.OutOf(g.writer, "w_valid"), oneHot(m.OutOf(g.writer, "w_hops"), b.ColBlocks)
	var here []*ir.Node
	for r := range b.RowBlocks {
		here = append(here, col.And(row.Elem(r)))
	}
	valid := here[0].Join(here[1:]...)
	pe.Each("p_valid", m.Reg("p_valid", valid.Type, 0).Set(valid))
	for _, f := range []string{"verify", "step", "row", "pos", "neg", "pulse"} {
		n := m.OutOf(g.writer, "w_"+f)
		pe.In("p_"+f, m.DataReg("p_"+f, n.Type).Set(n))
	}
	told, oks, a := m.OutOf(pe, "v_valid"), m.OutOf(pe, "v_ok"), b.Crossbar.Converters()
	var ok *ir.Node
	for i := range b.RowBlocks * b.ColBlocks {
		mine := oks.Elems(i*a, a).And(told.Elem(i))
		if ok == nil {
			ok = mine
		} else {
			ok = ok.Or(mine)
		}
	}
	g.writer.In("ok", m.DataReg("verdict", ok.Type).SetEn(told.AnyOf(1), ok))
}

// RowsOfWeights is stream weights for all Weights: every row of every PE.
func (b PIM) RowsOfWeights() []Beat {
	var beats []Beat
	for pe, x := range b.crossbars() {
		for r := range x.Rows {
			beats = append(beats, b.grid().RowOf(pe, r, x.row(r))...)
		}
	}
	return beats
}

// Blank is the half with no weights loaded.
func (b PIM) Blank() PIM {
	b.Weights, b.cells = nil, nil
	return b
}

// Written is the half when the rows of stream weights are written, and what stream written tells.
func (b PIM) Written(rows []Beat) (PIM, []Beat) {
	g, told := b.grid().write(b.crossbars(), rows)
	b.cells = g.cells
	return b, told
}

// RandomRows is rows that change no result: those of Weights again, in any order, and some that are
// refused.
func (b PIM) RandomRows(r *rand.Rand, n int) []Beat { return b.grid().rowsAgain(r, b.crossbars(), n) }
