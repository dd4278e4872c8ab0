package hw

import "ohmloom/ir"

// pe is the processing element of the output-stationary array: 8-bit operands pass from
// west to east (a) and from north to south (b), their products add up in place, and while
// shift is 1 the sums move one row north instead. 48 flip-flops: a 8, b 8, acc 32.
//
// There is no enable: an operand a of zero leaves the sum as it is, so that bubbles are
// zeros, and zeros move in from the south while the sums leave, which clears the array for
// the next fold. b needs no reset, because it only ever meets an a of zero before its time.
//
// acc is 32-bit two's complement and wraps; K <= 131,071 products of -128 * -128 fit.
func pe(lib *Lib) *ir.Module {
	doc := "Multiply-accumulate cell: acc += a * b, or acc of the southern neighbour while shift is 1. Operands take 1 cycle to the next cell."
	return lib.module("pe", "pe", doc, func(m *ir.Module) {
		a := m.In("a_in", ir.Bits(8), "int8 from the west")
		b := m.In("b_in", ir.Bits(8), "int8 from the north")
		south := m.In("acc_in", ir.Bits(32), "int32 from the south, taken while shift is 1")
		shift := m.In("shift", ir.Bits(1), "1: move the sums north; a_in is 0 then")
		acc := m.Reg("acc", ir.Bits(32), 0)
		product := a.SExt(16).Mul(b.SExt(16)).Named("product")
		acc.Set(shift.Mux(south, acc.Q.Add(product.SExt(32))))
		m.Out("a_out", m.Reg("a", ir.Bits(8), 0).Set(a), "a_in, 1 cycle ago")
		m.Out("b_out", m.DataReg("b", ir.Bits(8)).Set(b), "b_in, 1 cycle ago")
		m.Out("acc_out", acc.Q, "int32 sum")
	})
}
