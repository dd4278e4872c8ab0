package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// BankNorm is the norm in the post-processing of a bank, where the paper has its LayerNorm: of the
// results of matrices of D outputs whose Post is PostNorm, after requantisation to int16. It is the
// arithmetic of RMSNorm or, with Center, of LayerNorm. The zero value is none, and no hardware.
//
// The models of this specification add a projection to the residual stream before they take the
// norm of the sum, so their norm is in the vector unit of the chip, and whole chips refuse this one.
//
// A matrix that is normalised is the last of its operation: its results leave when all are there,
// normTime() cycles after the last of them would have left, and the next operation's are read after
// them.
type BankNorm struct {
	D      int // outputs of the matrices; 0: no norm
	Center bool
	K      int // as in RMSNorm and LayerNorm
	Shift  int
}

func (b Bank) normalises() bool { return b.Norm.D > 0 }

func (b Bank) norm() norm {
	return norm{D: b.Norm.D, Lanes: b.Lanes, K: b.Norm.K, Shift: b.Norm.Shift, Center: b.Norm.Center}
}

// normSuffix tells modules with a norm from those without.
func (b Bank) normSuffix() string {
	if !b.normalises() {
		return ""
	}
	return "_" + b.norm().suffix()
}

// normTime is the time from the last result's leaving to the last norm's, cycles.
func (b Bank) normTime() int { n := b.norm(); return n.wait() + n.latency() + n.beats() - 1 }

func (b Bank) checkNorm() error {
	if !b.normalises() {
		return nil
	}
	return b.norm().check("norm of a bank")
}

// checkNormalised says whether matrix j of an operation of n may be normalised as it is.
func (b Bank) checkNormalised(name string, m BankMatrix, j, n int) error {
	switch {
	case m.Post != PostNorm:
	case !b.normalises():
		return fmt.Errorf("bank: %s is to be normalised, and the bank has no norm", name)
	case len(m.Weights) != b.Norm.D:
		return fmt.Errorf("bank: %s has %d outputs, the norm is of %d", name, len(m.Weights), b.Norm.D)
	case j != n-1:
		return fmt.Errorf("bank: %s is normalised, which only the last matrix of an operation can be", name)
	}
	return nil
}

// normalised is the norm of results.
func (b Bank) normalised(results []int16) {
	x := make([]int64, len(results))
	for i, v := range results {
		x[i] = int64(v)
	}
	for i, v := range b.norm().apply(x) {
		results[i] = int16(v)
	}
}

// normStage stands behind the output buffer: beats of a matrix that is normalised go into the norm,
// all others pass. While norms leave nothing else does. Port done is 1 when the last norm of a matrix is taken.
func (b Bank) normStage(lib *Lib) *ir.Module {
	n := b.norm()
	name := fmt.Sprintf("bank_norm_%s", n.suffix())
	return lib.module("bank_norm", name, fmt.Sprintf("Norm of matrices of %d outputs; all other results pass.", n.D), func(m *ir.Module) {
		valid, normalise := m.In("x_valid", ir.Bits(1), "a beat of results"), m.In("x_norm", ir.Bits(1), "its matrix is normalised")
		data, last := m.In("x_data", ir.Vec(b.Lanes, 16), "int16 results"), m.In("x_last", ir.Bits(1), "1 in the last beat of a matrix")
		m.Group("x")
		_, outs := b.Streams()
		take := output(m, outs[0])
		leaving := m.Reg("leaving", ir.Bits(1), 0)
		here := leaving.Q.Not().And(normalise).Named("here")

		unit := m.Instance("u_norm", n.build(lib, "norm_"+n.suffix())).
			In("x_valid", valid.And(here)).In("x_data", data).In("y_ready", take)
		in := m.OutOf(unit, "x_ready")
		pop := leaving.Q.Not().And(normalise.Mux(in, take)).Named("pop")
		m.Out("x_ready", pop, "a beat is taken when valid and ready are 1").Group = "x"
		norms := m.OutOf(unit, "y_valid")
		_, end := counter(m, "norms", n.beats(), norms.And(take))
		done := norms.And(take).And(end).Named("ends")
		filled := valid.And(here).And(in).And(last).Named("filled")
		leaving.SetEn(filled.Or(done), filled)
		m.Out("done", done, "the last norm of a matrix is taken")
		drive(m, outs[0], leaving.Q.Mux(norms, valid.And(normalise.Not())), leaving.Q.Mux(m.OutOf(unit, "y_data").SExt(16), data), leaving.Q.Mux(end, last))
	})
}

// withRandomNorm normalises some of the program's matrices.
func (b Bank) withRandomNorm(r *rand.Rand) Bank {
	final := func(i int) *BankMatrix { ms := b.Program[i].Matrices; return &ms[len(ms)-1] }
	one := r.Intn(len(b.Program))
	b.Norm = BankNorm{D: len(final(one).Weights), Center: r.Intn(2) == 0, K: 1 + r.Intn(400), Shift: 12 + r.Intn(20)}
	for i := range b.Program {
		if len(final(i).Weights) == b.Norm.D && (i == one || r.Intn(2) == 0) {
			final(i).Post = PostNorm
		}
	}
	return b
}
