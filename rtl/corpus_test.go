package rtl

import (
	"fmt"

	"ohmloom/ir"
)

// corpus is a set of small designs that together use every operation, all wiring rules and
// sides, memories, macros and nested arrays.
func corpus() []*ir.Design {
	var ds []*ir.Design
	for _, f := range []func() *ir.Module{
		counterDesign, scalarDesign, vectorDesign, foldDesign, memoryDesign, gridDesign, sidesDesign,
		nestedDesign, macroDesign, namesDesign, corridorDesign, edgeCaseDesign,
	} {
		ds = append(ds, ir.NewDesign(f()))
	}
	return ds
}

func at(m *ir.Module, line int) *ir.Module {
	return m.At(&ir.Loc{File: "corpus.hcl", Line: line, Col: 3, Block: "corpus." + m.Name})
}

// counterDesign is the thin line: registers with reset and enable, an instance, ports.
func counterDesign() *ir.Module {
	c := at(ir.New("step", "Adds a step to a value; combinational."), 3)
	a := c.In("a", ir.Bits(8), "value")
	s := c.In("s", ir.Bits(4), "step")
	c.Out("y", a.Add(s.ZExt(8)), "the sum, modulo 256")

	m := at(ir.New("counter", "Counts by a step while en is high; the count appears one cycle later."), 7)
	en := m.In("en", ir.Bits(1), "count in this cycle")
	step := m.In("step", ir.Bits(4), "added in each cycle")
	m.Group("control")
	r := m.Reg("value", ir.Bits(8), 5)
	d := m.DataReg("before", ir.Bits(8))
	in := m.Instance("u_step", c).In("a", r.Q).In("s", step)
	r.SetEn(en, m.OutOf(in, "y"))
	d.Set(r.Q)
	m.Out("count", r.Q, "the count")
	m.Out("last", d.Q, "the count of the cycle before")
	m.Group("result")
	return m
}

// scalarDesign uses every scalar operation.
func scalarDesign() *ir.Module {
	m := at(ir.New("scalars", "Every operation on scalars."), 1)
	a, b := m.In("a", ir.Bits(8), "operand"), m.In("b", ir.Bits(8), "operand")
	s, big := m.In("s", ir.Bits(1), "selector"), m.In("big", ir.Bits(64), "a wide value")
	n := m.In("n", ir.Bits(4), "amount")
	out := func(name string, x *ir.Node) { m.Out(name, x, "") }
	out("sum", a.Add(b))
	out("carry", a.ZExt(9).Add(b.ZExt(9)).Bit(8))
	out("wrapped", a.Add(b).ZExt(16).Add(a.Mul(b).SExt(16)))
	out("average", a.Add(b).ShrK(1))
	out("logic_mix", a.And(b).Or(a.Xor(b).Not()))
	out("prod_ss", a.SExt(16).Mul(b.SExt(16)))
	out("prod_su", a.SExt(17).Mul(b.ZExt(17)))
	out("prod_uu", a.ZExt(16).Mul(b.ZExt(16)))
	out("prod_mixed", a.SExt(20).Mul(a.Add(b).SExt(20)).Add(m.K(20, 77777)))
	out("shl", a.Shl(n))
	out("shr", a.Add(b).Shr(n))
	out("sra", a.Sra(n))
	out("sra_mix", a.Sra(n).And(b).Add(a.SraK(3)))
	out("sra_far", a.SraK(9))
	out("shr_far", a.ShrK(9))
	out("shl_big", a.Shl(big))
	out("sra_big", a.Sra(big))
	for _, c := range []struct {
		name string
		x    *ir.Node
	}{
		{"eq", a.Eq(b)}, {"ne", a.Ne(b)}, {"ltu", a.Ltu(b)}, {"leu", a.Leu(b)}, {"lts", a.Lts(b)}, {"les", a.Les(b)},
		{"never", a.Ltu(m.K(8, 0))}, {"always_v", a.Leu(m.K(8, 255))}, {"never_s", a.Lts(m.K(8, 128))},
		{"always_s", m.K(8, 128).Les(a)}, {"neg", a.Lts(m.K(8, 0))}, {"sum_lt", a.Add(b).Ltu(a)},
	} {
		out("is_"+c.name, c.x)
	}
	out("mux", s.Mux(a, b))
	out("chain", a.EqK(1).Mux(b, a.EqK(2).Mux(b.Not(), a.EqK(3).Mux(a.Add(b), a.EqK(70).Mux(a.Sub(b), m.K(8, 200))))))
	out("field", big.Slice(13, 9))
	out("sign", a.Sub(b).Bit(7))
	out("joined", a.Cat(b, s, n))
	out("wide", big.Mul(big).Sub(big.ShlK(3)))
	out("konst", m.K(33, 1<<32|5))
	out("named", a.Xor(b).Named("difference").Add(a))
	out("bits8", a.Cast(ir.Vec(8, 1)).Elem(3))
	return m
}

// vectorDesign uses elementwise operations, and what moves elements.
func vectorDesign() *ir.Module {
	m := at(ir.New("vectors", "Every operation on vectors."), 2)
	a, b := m.In("a", ir.Vec(5, 8), "operand"), m.In("b", ir.Vec(5, 8), "operand")
	s, v := m.In("s", ir.Bits(8), "scalar"), m.In("v", ir.Vec(5, 1), "a bit an element")
	w, i := m.In("w", ir.Vec(5, 1), "a bit an element"), m.In("i", ir.Bits(3), "index")
	wide := m.In("wide_i", ir.Bits(9), "index")
	big := m.In("amounts", ir.Vec(5, 40), "amounts")
	out := func(name string, x *ir.Node) { m.Out(name, x, "") }
	out("add", a.Add(b))
	out("axpy", a.SExt(16).Mul(s.SExt(16)).Add(b.ZExt(16)))
	out("xor_not", a.Xor(b).Not())
	out("xor_scalar", a.Xor(s))
	out("mix", a.And(a.Add(b)))
	out("sra", a.Sra(b))
	out("sra_k", a.SraK(2).Xor(b))
	out("shl_scalar", a.Shl(i))
	out("shl_big", a.Shl(big))
	out("lts", a.Lts(b))
	out("mux_s", s.Bit(0).Mux(a, b))
	out("mux_v", v.Mux(a, b.Add(a)))
	out("mux_b", v.Mux(w, a.Eq(b)))
	for k, name := range ir.CompareNames {
		out("bit_"+name, m.Append(ir.Compare{Kind: ir.CompareKind(k)}, ir.Vec(5, 1), v, w))
	}
	for k, name := range ir.BinaryNames {
		out("bits_"+name, m.Append(ir.Binary{Kind: ir.BinaryKind(k)}, ir.Vec(5, 1), v, w))
	}
	out("low", a.Trunc(3))
	out("low_part", a.Slice(2, 3).Elems(1, 3))
	out("low_sext", a.Slice(2, 3).SExt(8))
	out("part", a.Elems(1, 3))
	out("part_sum", a.Elems(1, 3).Add(b.Elems(2, 3)))
	out("item", a.Elem(4))
	out("joined", a.Elems(3, 2).Join(s, b))
	out("joined_sums", a.Add(b).Join(b.Sub(a)))
	out("cats", a.Cat(b, v))
	out("splat", s.Splat(5))
	out("splat_sum", s.Add(a.Elem(0)).Splat(5).Xor(a))
	out("pick", a.Pick(i))
	out("pick_wide", a.Pick(wide))
	out("pick_bit", v.Pick(i))
	out("pick_k", a.Pick(m.K(4, 3)))
	out("pick_beyond", a.Pick(m.K(4, 9)))
	out("pick_narrow", a.Pick(i.Bit(0)))
	out("pick_sum", a.Add(b).Pick(i.Trunc(2)))
	out("cast", a.Cast(ir.Vec(8, 5)).Add(m.KVec(5, 1, 2, 3, 4, 5, 6, 7, 8)))
	out("casts", a.Add(b).Cast(ir.Vec(10, 4)).Elems(3, 4))
	out("bytes", s.Cast(ir.Vec(8, 1)).Xor(m.KVec(1, 1, 0, 1, 1, 0, 0, 1, 0)))
	out("flags", a.Lts(b).Cast(ir.Bits(5)))
	out("k_same", m.KVec(8, 9, 9, 9, 9, 9).Add(a))
	r := m.Reg("sum_r", ir.Vec(5, 12), 0, 1, 2, 3, 4)
	r.SetEn(v.Elem(2), r.Q.Add(a.SExt(12)))
	out("acc", r.Q)
	q := m.Reg("hold", ir.Vec(5, 8), 7)
	q.Set(a.Xor(b))
	out("held", q.Q.Trunc(7))
	return m
}

// foldDesign uses reductions.
func foldDesign() *ir.Module {
	m := at(ir.New("folds", "Reductions."), 4)
	a := m.In("a", ir.Vec(12, 8), "operand")
	f := m.In("f", ir.Vec(12, 1), "flags")
	p := m.In("p", ir.Vec(40, 1), "mask")
	c1 := m.In("c1", ir.Vec(120, 1), "cells of one bit")
	c3 := m.In("c3", ir.Vec(80, 3), "cells of three bits")
	out := func(name string, x *ir.Node) { m.Out(name, x, "") }
	out("sum", a.SumU(1, 12))
	out("sum_s", a.SumS(1, 12))
	out("sums", a.SumU(2, 12))
	out("sums_s", a.SumS(2, 12))
	out("sums_4", a.SumS(4, 10))
	out("sums_2", a.SumS(6, 9).Add(m.K(9, 1)))
	out("sum_same", a.SumU(3, 8))
	out("sum_of_sum", a.Add(a.Not()).SumS(1, 16))
	out("ones", f.SumU(1, 4))
	out("minus", f.SumS(1, 5))
	out("minus_3", f.SumS(4, 5))
	out("widened", a.SumS(12, 10))
	out("any_of", f.AnyOf(1))
	out("all_of", f.AllOf(3))
	out("parity", f.Xor(f.Not()).Parity(1))
	out("or_bytes", a.AnyOf(1))
	out("and_bytes", a.AllOf(2))
	out("xor_bytes", a.Parity(4))
	out("ms1", p.MaskedSum(c1, 7, false))
	out("ms1_s", p.MaskedSum(c1, 7, true))
	out("ms1_narrow", p.MaskedSum(c1, 3, false))
	out("ms1_one", p.MaskedSum(c1.Elems(3, 40), 6, false))
	out("ms1_word", p.Elems(0, 32).MaskedSum(c1.Elems(0, 96), 6, false))
	out("ms1_few", p.Elems(4, 1).MaskedSum(c1.Elems(0, 3), 2, false))
	out("ms3", p.MaskedSum(c3, 9, false))
	out("ms3_s", p.MaskedSum(c3, 9, true))
	return m
}

// memoryDesign uses memories of odd depth with all kinds of ports and contents.
func memoryDesign() *ir.Module {
	m := at(ir.New("memories", "Memories."), 5)
	a, d := m.In("addr", ir.Bits(4), "address"), m.In("data", ir.Vec(2, 6), "word")
	we, far := m.In("we", ir.Bits(1), "write"), m.In("address", ir.Bits(12), "address")
	ram := m.Mem("ram", 11, ir.Vec(2, 6))
	m.Write(ram, a, d, we)
	m.Out("q", m.Read(ram, far, we.Not()), "word read")
	full := m.Mem("full", 16, ir.Bits(8))
	full.Loaded = true
	m.Write(full, a, d.Elem(0).ZExt(8), we)
	m.Out("q_full", m.Read(full, a, m.K(1, 1)), "word read")
	table := m.Mem("table", 9, ir.Vec(3, 7))
	table.Loaded = true
	m.Out("looked", m.Lookup(table, a), "")
	rom := m.Rom("rom", ir.Bits(7), []uint64{1, 2, 3, 127, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	m.Out("rom_q", m.Lookup(rom, far), "")
	one := m.Mem("one", 1, ir.Bits(3))
	m.Write(one, we, a.Trunc(3), we)
	m.Out("one_q", m.Read(one, a, we), "")
	wide := m.Mem("wide", 64, ir.Bits(64))
	m.Write(wide, a.Bit(0), far.ZExt(64), we)
	lost := m.Mem("lost", 3, ir.Bits(2))
	m.Write(lost, a.Trunc(2), a.Trunc(2), we)
	m.Out("wide_q", m.Read(wide, a.Slice(1, 2), we), "")
	return m
}

// pe is an output-stationary processing element.
func pe() *ir.Module {
	m := at(ir.New("pe", "Multiplies and accumulates; passes both operands on after one cycle."), 10)
	a, b := m.In("a_in", ir.Bits(8), "from the west"), m.In("b_in", ir.Bits(8), "from the north")
	clear := m.In("clear", ir.Bits(1), "start a new sum")
	ra, rb := m.DataReg("a", ir.Bits(8)), m.DataReg("b", ir.Bits(8))
	acc := m.Reg("acc", ir.Bits(32), 0)
	p := a.SExt(16).Mul(b.SExt(16)).SExt(32).Named("product")
	acc.Set(clear.Mux(p, acc.Q.Add(p)))
	m.Out("a_out", ra.Set(a), "to the east")
	m.Out("b_out", rb.Set(b), "to the south")
	m.Out("sum", acc.Q, "the sum")
	return m
}

// systolic is an R x C array of PEs.
func systolic(name string, rows, cols int) *ir.Module {
	m := at(ir.New(name, fmt.Sprintf("%d x %d output-stationary array.", rows, cols)), 20)
	a, b := m.In("a", ir.Vec(rows, 8), "one element a row"), m.In("b", ir.Vec(cols, 8), "one element a column")
	clear := m.In("clear", ir.Bits(1), "start new sums")
	in := m.Array("pe", pe(), rows, cols)
	in.Chain("a_in", "a_out", ir.West, a).Chain("b_in", "b_out", ir.North, b).In("clear", clear)
	m.Out("sums", m.OutOf(in, "sum"), "all sums, row by row")
	return m
}

func gridDesign() *ir.Module { return systolic("systolic", 3, 4) }

// cell has one output for each wiring rule.
func cell() *ir.Module {
	m := at(ir.New("cell_x", "Adds up all that comes in."), 30)
	var sum *ir.Node
	for _, n := range []string{"all", "row", "col", "own"} {
		x := m.In(n+"_in", ir.Vec(2, 4), "")
		if sum == nil {
			sum = x
		} else {
			sum = sum.Add(x)
		}
	}
	for _, s := range []string{"w", "e", "n", "s"} {
		x := m.In(s+"_in", ir.Vec(2, 4), "")
		r := m.Reg("r_"+s, ir.Vec(2, 4), 1)
		m.Out(s+"_out", r.Set(x.Add(sum)), "")
	}
	m.Out("total", sum, "")
	return m
}

// sidesDesign wires arrays of all shapes in all ways and reads all sides.
func sidesDesign() *ir.Module {
	m := at(ir.New("sides", "All wiring rules and sides, in all shapes."), 31)
	c := cell()
	for k, shape := range [][2]int{{1, 1}, {1, 3}, {3, 1}, {2, 3}} {
		rows, cols := shape[0], shape[1]
		port := func(name string, groups int) *ir.Node {
			return m.In(fmt.Sprintf("%s_%d", name, k), ir.Vec(2*groups, 4), "")
		}
		in := m.Array(fmt.Sprintf("g%d", k), c, rows, cols)
		in.In("all_in", port("all", 1)).PerRow("row_in", port("row", rows)).PerCol("col_in", port("col", cols))
		in.Each("own_in", port("own", rows*cols))
		in.Chain("w_in", "w_out", ir.West, port("w", rows)).Chain("e_in", "e_out", ir.East, port("e", rows))
		in.Chain("n_in", "n_out", ir.North, port("n", cols)).Chain("s_in", "s_out", ir.South, port("s", cols))
		for _, s := range []ir.Side{ir.West, ir.East, ir.North, ir.South} {
			m.Out(fmt.Sprintf("%s_%d", s, k), m.Edge(in, s.String()[:1]+"_out", s), "")
		}
		m.Out(fmt.Sprintf("far_%d", k), m.Edge(in, "w_out", ir.East).Add(m.Edge(in, "e_out", ir.West)), "")
		m.Out(fmt.Sprintf("total_%d", k), m.OutOf(in, "total").Xor(m.K(4, 3)), "")
	}
	return m
}

// nestedDesign puts arrays into arrays, with a loaded memory at the bottom.
func nestedDesign() *ir.Module {
	leaf := at(ir.New("leaf", "A table."), 40)
	x := leaf.In("x", ir.Bits(3), "")
	t := leaf.Mem("weights", 8, ir.Bits(5))
	t.Loaded = true
	leaf.Out("y", leaf.Read(t, x, leaf.K(1, 1)), "")

	mid := at(ir.New("mid", "A row of tables."), 41)
	xs := mid.In("xs", ir.Vec(3, 3), "")
	row := mid.Array("leaf", leaf, 1, 3).PerCol("x", xs)
	mid.Out("ys", mid.OutOf(row, "y"), "")

	m := at(ir.New("nested", "Rows of rows."), 42)
	in := m.In("in", ir.Vec(12, 3), "")
	grid := m.Array("mid", mid, 2, 2).Each("xs", in)
	m.Out("out", m.OutOf(grid, "ys"), "")
	one := m.Instance("u_mid", mid).In("xs", in.Elems(0, 3))
	m.Out("one", m.OutOf(one, "ys").Elem(1), "")
	return m
}

// macroDesign has a crossbar as a macro with a helper module inside.
func macroDesign() *ir.Module {
	adc := at(ir.New("adc_model", "Clips a sum to four bits."), 50)
	s := adc.In("s", ir.Vec(6, 5), "")
	top := m15(adc, 6)
	adc.Out("q", s.Ltu(top).Mux(s, top).Trunc(4), "")

	x := at(ir.New("xbar", "A crossbar of 9 x 6 cells; the column sums appear one cycle after go."), 51)
	mask := x.In("rows", ir.Vec(9, 1), "word lines")
	gofor := x.In("go", ir.Bits(1), "convert")
	w := x.Mem("cells", 1, ir.Vec(54, 1))
	w.Loaded = true
	sums := mask.MaskedSum(x.Lookup(w, x.K(1, 0)), 5, false)
	in := x.Instance("u_adc", adc).In("s", sums)
	r := x.DataReg("q", ir.Vec(6, 4))
	r.SetEn(gofor, x.OutOf(in, "q"))
	x.Out("sums", r.Q, "column sums")
	x.Macro = &ir.Macro{Kind: "crossbar", Latency: 1, AreaUm2: 123.5, EnergyPJ: 0.25,
		Attrs: []ir.Attr{{Key: "rows", Value: "9"}, {Key: "columns", Value: "6"}}}

	m := at(ir.New("chip", "Two crossbars."), 52)
	rows := m.In("rows", ir.Vec(9, 1), "word lines")
	g := m.In("go", ir.Bits(1), "convert")
	pair := m.Array("xbar", x, 1, 2).In("rows", rows).In("go", g)
	both := m.OutOf(pair, "sums")
	m.Out("diff", both.Elems(0, 6).SExt(6).Sub(both.Elems(6, 6).SExt(6)), "difference")
	return m
}

func m15(m *ir.Module, n int) *ir.Node { return m.K(5, 15).Splat(n) }

// namesDesign asks for names that Verilog does not allow or that clash.
func namesDesign() *ir.Module {
	m := at(ir.New("clashes", "Names that clash."), 60)
	a := m.In("acc", ir.Bits(4), "same name as a register")
	i := m.In("i", ir.Bits(4), "same name as a loop variable")
	r := m.Reg("acc_q", ir.Bits(4), 0)
	r.Set(a.Add(i).Named("wire"))
	s := m.Reg("reg", ir.Bits(4), 0)
	s.Set(r.Q.Xor(i).Named("wire"))
	m.Out("acc_d", r.Q, "like the register's Verilog name")
	m.Out("y", s.Q.Named("switch").Add(a), "")
	v := m.In("v", ir.Vec(3, 4), "")
	m.Out("z", v.Add(i), "")
	m.Out("init_i", v.Mul(i), "")
	mem := m.Mem("initial", 5, ir.Vec(2, 2))
	m.Write(mem, i, a.Cast(ir.Vec(2, 2)), i.Bit(0))
	m.Out("q", m.Read(mem, a, m.K(1, 1)), "")
	m.Out("ohmloom", m.K(3, 3), "")
	return m
}

// corridorDesign has nothing but wires: an input to outputs, unread inputs, unread outputs.
func corridorDesign() *ir.Module {
	sub := at(ir.New("two_ways", "Two outputs."), 70)
	x := sub.In("x", ir.Bits(4), "")
	sub.Out("p", x, "")
	sub.Out("n", x.Not(), "")
	m := at(ir.New("corridor", "Wires only."), 71)
	a := m.In("a", ir.Bits(4), "")
	m.In("nobody", ir.Vec(3, 4), "read by nobody")
	half := m.In("half", ir.Bits(8), "half read")
	m.In("bit_x", ir.Bits(1), "read by nobody")
	m.Out("b", a, "")
	m.Out("c", a, "")
	m.Out("h", half.Slice(3, 2), "")
	plain := m.Instance("u_two", sub).In("x", a)
	m.Out("n", m.OutOf(plain, "n"), "")
	grid := m.Array("two", sub, 2, 2).In("x", m.K(4, 5))
	m.Out("corner", m.Edge(grid, "p", ir.South).Elem(1), "")
	m.Reg("lost", ir.Bits(3), 1).Set(a.Trunc(3))
	m.Out("k", m.K(4, 9), "")
	twice := a.Add(half.Trunc(4))
	m.Out("t1", twice, "")
	m.Out("t2", twice, "")
	return m
}

// edgeCaseDesign has what is wide, long or single.
func edgeCaseDesign() *ir.Module {
	m := at(ir.New("edge_cases", "Wide, long, single."), 80)
	a := m.In("a", ir.Vec(200, 3), "")
	i := m.In("i", ir.Bits(8), "")
	one := m.In("one", ir.Bits(1), "")
	k := make([]uint64, 200)
	for j := range k {
		k[j] = uint64(j*5+1) % 8
	}
	m.Out("sum", a.Add(m.KVec(3, k...)), "")
	m.Out("pick", m.KVec(3, k...).Pick(i), "")
	h := make([]uint64, 100)
	for j := range h {
		h[j] = uint64(j*77) % 256
	}
	m.Out("hex", m.KVec(8, h...), "")
	m.Out("ones", m.KVec(1, k[:70]...), "")
	m.Out("one_sum", one.Add(one.Not()).Sub(m.K(1, 1)).Mul(one), "")
	m.Out("one_cmp", one.Ltu(one.Not()).Or(one.Lts(m.K(1, 0))).Xor(one.Les(one.Not())), "")
	m.Out("one_ext", one.SExt(7), "")
	m.Out("one_sra", one.Sra(i), "")
	var parts []*ir.Node
	for j := 0; j < 40; j++ {
		parts = append(parts, a.Elem(j*3).Add(m.K(3, uint64(j))))
	}
	m.Out("many", parts[0].Join(parts[1:]...), "")
	x := i
	for j := 0; j < 30; j++ {
		x = x.Add(i.ShlK(j%5 + 1)).Xor(m.K(8, uint64(j)))
	}
	m.Out("deep", x, "")
	m.Out("pick_one", one.Splat(1).Pick(i), "")
	return m
}
