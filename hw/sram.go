package hw

import (
	"fmt"
	"strconv"

	"ohmloom/ir"
)

// sram is a synchronous memory macro of depth words of type t, one read and one write port:
// ports we, waddr, wdata and re, raddr, rdata. rdata is the word read in the last cycle with
// re = 1; a read in the cycle of a write to the same address gives the old word.
func sram(lib *Lib, depth int, t ir.Type) *ir.Module {
	name := fmt.Sprintf("sram_%dx%dx%d", depth, t.N, t.W)
	doc := fmt.Sprintf("SRAM of %d words of %d bits, one read and one write port. Latency 1 cycle.", depth, t.Total())
	return lib.module("sram", name, doc, func(m *ir.Module) {
		addr := ir.Bits(ir.ClogTwo(depth))
		we := m.In("we", ir.Bits(1), "write")
		waddr, wdata := m.In("waddr", addr, "address to write"), m.In("wdata", t, "word to write")
		re, raddr := m.In("re", ir.Bits(1), "read"), m.In("raddr", addr, "address to read")
		mem := m.Mem("mem", depth, t)
		m.Write(mem, waddr, wdata, we)
		m.Out("rdata", m.Read(mem, raddr, re), "word of the last read")
		m.Macro = sramMacro(depth, t.Total())
	})
}

// sramMacro is the contract of a memory of depth words of width bits.
func sramMacro(depth, width int) *ir.Macro {
	return &ir.Macro{Kind: "sram", Latency: 1, Attrs: []ir.Attr{
		{Key: "depth", Value: strconv.Itoa(depth)},
		{Key: "width", Value: strconv.Itoa(width)},
		{Key: "bits", Value: strconv.Itoa(depth * width)},
	}}
}
