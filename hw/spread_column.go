package hw

import (
	"fmt"
	"strconv"

	"ohmloom/ir"
)

// maskedSRAM is an SRAM of depth words of n bytes of which any may be written: ports we (one
// bit a byte), waddr, wdata and re, raddr, rdata, otherwise like sram.
func maskedSRAM(lib *Lib, depth, n int) *ir.Module {
	name := fmt.Sprintf("sram_%dx%dx8_masked", depth, n)
	doc := fmt.Sprintf("SRAM of %d words of %d bytes with byte writes, one read and one write port. Latency 1 cycle.", depth, n)
	return lib.module("sram", name, doc, func(m *ir.Module) {
		addr := ir.Bits(ir.ClogTwo(depth))
		we := m.In("we", ir.Vec(n, 1), "write, for each byte")
		waddr, wdata := m.In("waddr", addr, "address to write"), m.In("wdata", ir.Vec(n, 8), "word to write")
		re, raddr := m.In("re", ir.Bits(1), "read"), m.In("raddr", addr, "address to read")
		bytes := m.Array("lane", sram(lib, depth, ir.Bits(8)), n, 1).PerRow("we", we).In("waddr", waddr).
			PerRow("wdata", wdata).In("re", re).In("raddr", raddr)
		m.Out("rdata", m.OutOf(bytes, "rdata"), "word of the last read")
		m.Macro = &ir.Macro{Kind: "sram", Latency: 1, Attrs: []ir.Attr{
			{Key: "depth", Value: strconv.Itoa(depth)},
			{Key: "width", Value: strconv.Itoa(8 * n)},
			{Key: "bits", Value: strconv.Itoa(depth * 8 * n)},
			{Key: "write_mask_bits", Value: "8"},
		}}
	})
}

// multiplier is the processing element of a column: the product of two int8, 1 cycle later.
func multiplier(lib *Lib) *ir.Module {
	return lib.module("spread_pe", "spread_pe", "Product of two int8. Latency 1 cycle.", func(m *ir.Module) {
		a, b := m.In("a", ir.Bits(8), "int8 operand all columns share"), m.In("b", ir.Bits(8), "int8 of the bank")
		product := m.DataReg("product", ir.Bits(16)).Set(a.SExt(16).Mul(b.SExt(16)))
		m.Out("p", product, "a * b, 1 cycle ago")
	})
}

// column is one column of the engine: bank, multipliers, tree and accumulator. A word read
// in cycle t meets the operand a of cycle t + 1; its sum of products is added in cycle
// t + 2 + treeStages(), which is when add and first must be up. A column with dot port multiplies
// row and y instead in each cycle with free; their total is there 1 + treeStages() cycles later.
func (b Spread) column(lib *Lib, dot bool) *ir.Module {
	name := fmt.Sprintf("spread_column_%dx%d_%d", b.bankWords(), b.Rows, b.sumBits())
	if b.Port > 0 {
		name += "_words"
	}
	if dot {
		name += "_dot"
	}
	doc := fmt.Sprintf("Column: bank of %d words of %d bytes, %d multipliers, adder tree of %d stages and accumulator.",
		b.bankWords(), b.Rows, b.Rows, b.treeStages())
	return lib.module("spread_column", name, doc, func(m *ir.Module) {
		addr := ir.Bits(ir.ClogTwo(b.bankWords()))
		we, waddr := m.In("we", ir.Bits(1), "write to the bank"), m.In("waddr", addr, "address to write")
		wdata := m.In("k", ir.Vec(b.Rows, 8), "channels of a key, or a whole word")
		var bank *ir.Inst
		re, raddr := m.In("re", ir.Bits(1), "read the bank"), m.In("raddr", addr, "address to read")
		a := m.In("a", ir.Vec(b.Rows, 8), "operand all columns share")
		add, first := m.In("add", ir.Bits(1), "add to the sum"), m.In("first", ir.Bits(1), "a sum begins")

		if b.Port > 0 {
			bank = m.Instance("u_bank", sram(lib, b.bankWords(), wdata.Type)).In("we", we)
		} else {
			rows := m.In("rows", ir.Vec(b.Rows, 1), "bytes to write")
			isValue, v := m.In("is_value", ir.Bits(1), "write v, else k"), m.In("v", ir.Bits(8), "channel of a value")
			bank = m.Instance("u_bank", maskedSRAM(lib, b.bankWords(), b.Rows)).In("we", we.Splat(b.Rows).And(rows))
			wdata = isValue.Mux(v, wdata)
		}
		bank.In("waddr", waddr).In("wdata", wdata).In("re", re).In("raddr", raddr)
		data, w := m.OutOf(bank, "rdata"), b.sumBits()
		if dot {
			free := m.In("free", ir.Bits(1), "multiply row and y")
			row, y := m.In("row", wdata.Type, "elements of a row"), m.In("y", a.Type, "of the vector")
			a, data, w = free.Mux(y, a), free.Mux(row, data), max(w, 16+levels(b.Rows))
		}
		pes := m.Array("pe", multiplier(lib), b.Rows, 1).PerRow("a", a).PerRow("b", data)
		total := adderTree(m, m.OutOf(pes, "p"), w)
		if dot {
			m.Out("total", total, "sum of the products")
			total = fit(total, b.sumBits())
		}
		sum := m.DataReg("acc", ir.Bits(b.sumBits()))
		sum.SetEn(add, first.Mux(total, sum.Q.Add(total)))
		m.Out("sum", sum.Q, "sum so far")
	})
}

// adderTree adds the signed elements of x to w bits; a register follows every second level
// and the last.
func adderTree(m *ir.Module, x *ir.Node, w int) *ir.Node {
	for level := 1; x.Type.N > 1; level++ {
		half, wide := x.Type.N/2, x.SExt(min(x.Type.W+1, w))
		next := wide.Elems(0, half).Add(wide.Elems(half, half))
		if x.Type.N%2 == 1 {
			next = next.Join(wide.Elem(x.Type.N - 1))
		}
		x = next
		if level%2 == 0 || x.Type.N == 1 {
			x = m.DataReg(fmt.Sprintf("tree_%d", level), x.Type).Set(x)
		}
	}
	return x.SExt(w)
}
