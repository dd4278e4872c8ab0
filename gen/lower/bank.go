package lower

import (
	"ohmloom/gen/arch"
	"ohmloom/gen/mapping"
	"ohmloom/hw"
)

// actShift is the shift of the squared ReLU in hardware.
const actShift = 7

// Banks are the banks of a description without programs, or nil when it has one tile.
func Banks(p *arch.PIM) []hw.Bank {
	if p.Bank == nil {
		return nil
	}
	c := mapping.Of(p)
	banks := make([]hw.Bank, c.Banks)
	for i := range banks {
		banks[i] = hw.Bank{Rows: c.TileRows, Cols: c.TileCols, PEs: c.PEs, Lanes: p.Lanes, Ops: c.Ops, Blocks: c.Blocks, Reads: c.Reads,
			Buffer: max(2, (p.Bank.Buffer+p.Lanes-1)/p.Lanes), Crossbar: Crossbar(p.Crossbar), Act: hw.Activation{Func: hw.SquaredReLU, Shift: actShift}}
		banks[i].Crossbar.ID = uint64(i * c.BankPEs())
		if n := p.Bank.Norm; n != nil {
			banks[i].Norm = hw.BankNorm{D: n.Channels, Center: n.Kind == arch.Layer, K: n.Gain, Shift: n.Shift}
		}
	}
	return banks
}

// BankProgram is the program of one bank of a plan. matrix gives weights, scale and
// post-processing of a plan's operation and matrix; the places are the plan's.
func BankProgram(p *mapping.Plan, bank int, matrix func(op, i int) hw.BankMatrix) []hw.BankOp {
	var program []hw.BankOp
	for _, at := range p.Banks[bank].Ops {
		op := hw.BankOp{K: p.Ops[at].Matrices[0].In}
		for i := range p.Ops[at].Matrices {
			m := matrix(at, i)
			m.PE = p.Ops[at].PE[i]
			op.Matrices = append(op.Matrices, m)
		}
		program = append(program, op)
	}
	return program
}
