package lower

import (
	"ohmloom/gen/mapping"
	"ohmloom/hw"
)

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
