package hw

import (
	"fmt"
	"math/big"
	mathbits "math/bits"
	"slices"

	"ohmloom/ir"
)

// norm is what the norms have in common: int16 vectors of D elements, Lanes a beat, come in,
// and once the last beat is there one square root n and one reciprocal R = (K << Shift) // n
// scale every element to int8. Without center n is the root of the sum of squares; with center
// everything is done on D times the deviations from the mean, which are integers.
type norm struct {
	D      int
	Lanes  int
	K      int
	Shift  int
	Center bool
}

func (b norm) suffix() string {
	kind := "rms"
	if b.Center {
		kind = "layer"
	}
	return fmt.Sprintf("%s_%dx%d_k%d_s%d", kind, b.D, b.Lanes, b.K, b.Shift)
}

func (b norm) check(block string) error {
	most := 65535
	if !b.Center {
		most = 65536
	}
	return firstError(inRange(block, "elements", b.D, 1, most), inRange(block, "lanes", b.Lanes, 1, 1024),
		inRange(block, "gain", b.K, 1, 8192), inRange(block, "shift", b.Shift, 1, 44),
		inRange(block, "bits of a scaled element", b.scaledBits(), 1, ir.MaxWidth))
}

// beats is the beats of a vector; rest the elements of the last one.
func (b norm) beats() int { return ceilDiv(b.D, b.Lanes) }
func (b norm) rest() int  { return (b.D-1)%b.Lanes + 1 }

// recipBits is the width of R; squareBits that of what the root is taken of: |x| is at most
// 2^15, so the sum of squares at most D 2^30, and D times the sum of squares D^2 2^30.
func (b norm) recipBits() int { return mathbits.Len(uint(b.K)) + b.Shift }

func (b norm) squareBits() int {
	if b.Center {
		return 30 + 2*mathbits.Len(uint(b.D))
	}
	return 30 + mathbits.Len(uint(b.D))
}

// elementBits is the width of what is scaled: x, or D x - sum.
func (b norm) elementBits() int {
	if b.Center {
		return 17 + mathbits.Len(uint(b.D))
	}
	return 16
}

// scaledBits is the width of an element times R. No |x| exceeds the root of the sum of
// squares, hence nor n, and the product is at most K << Shift. A deviation is at most sqrt(D)
// roots of the sum of its squares, and the root at most twice n.
func (b norm) scaledBits() int {
	w := b.recipBits() + 2
	if b.Center {
		w += ceilDiv(mathbits.Len(uint(b.D)), 2) + 1
	}
	return max(w, b.elementBits())
}

// center is 1 cycle more in each of two places.
func (b norm) center() int {
	if b.Center {
		return 1
	}
	return 0
}

// rootBits is how many bits of the root and of the reciprocal are found in a cycle: two
// subtractions one after the other are no longer a path than the reduction of a row of
// multipliers, and everything waits for the norm.
const rootBits = 2

func (b norm) root() Isqrt { return Isqrt{b.squareBits(), rootBits} }

func (b norm) divider() Divider {
	return Divider{NumBits: b.recipBits(), DenBits: b.root().RootBits(), PerCycle: rootBits}
}

// Wait is the cycles from the one in which the last beat of a vector is taken to the one in
// which its R is there; latency those from taking a word and R to its result.
func (b norm) wait() int {
	return b.root().Steps() + b.divider().Steps() + 4 + b.center()
}
func (b norm) latency() int { return 2 + b.center() }

// reciprocal is the module that makes R: ports x_valid, x_last, x_data (a beat of a vector, zeros
// beyond its end; no ready), r_valid, r_ready, r_r and with center r_sum, the sum of the
// elements. A vector may begin in the cycle after R of the one before was taken.
func (b norm) reciprocal(lib *Lib) *ir.Module {
	name := "norm_reciprocal_" + b.suffix()
	doc := fmt.Sprintf("Reciprocal root of vectors of %d elements, %d cycles after the last beat.", b.D, b.wait())
	return lib.module("norm", name, doc, func(m *ir.Module) {
		valid, last := m.In("x_valid", ir.Bits(1), "a beat"), m.In("x_last", ir.Bits(1), "the last of a vector")
		x := m.In("x_data", ir.Vec(b.Lanes, 16), "int16 elements")
		m.Group("x")
		take := m.In("r_ready", ir.Bits(1), "the reciprocal is taken")
		m.Group("r")

		fresh := m.Reg("beat_valid", ir.Bits(1), 0).Set(valid)
		final := m.Reg("beat_last", ir.Bits(1), 0).Set(valid.And(last))
		first := m.Reg("first", ir.Bits(1), 1)
		first.SetEn(fresh, final)
		gather := func(name string, w int, terms *ir.Node, signed bool) *ir.Node {
			acc, sum := m.DataReg(name, ir.Bits(w)), terms.SumU(1, w)
			if signed {
				sum = terms.SumS(1, w)
			}
			return acc.SetEn(fresh, first.Q.Mux(sum, acc.Q.Add(sum)))
		}
		square := m.DataReg("square", ir.Vec(b.Lanes, 31)).SetEn(valid, x.SExt(31).Mul(x.SExt(31)))
		w := b.squareBits()
		radicand := gather("square_sum", 30+mathbits.Len(uint(b.D)), square, false)
		done := m.Reg("sum_valid", ir.Bits(1), 0).Set(final)
		if b.Center {
			held := m.DataReg("element", ir.Vec(b.Lanes, 16)).SetEn(valid, x)
			sum := gather("sum", 16+mathbits.Len(uint(b.D)), held, true)
			m.Out("r_sum", sum, "sum of the elements").Group = "r"
			wide := sum.SExt(w)
			radicand = m.DataReg("radicand", ir.Bits(w)).SetEn(done,
				radicand.ZExt(w).Mul(m.K(w, uint64(b.D))).Sub(wide.Mul(wide)))
			done = m.Reg("radicand_valid", ir.Bits(1), 0).Set(done)
		}

		// Both are idle when a vector is complete. n = 0 means that all that is scaled is 0, so
		// that the divider's answer to it is of no consequence.
		root := m.Instance("u_isqrt", b.root().Build(lib)).In("x_valid", done).In("x_num", radicand)
		div := b.divider()
		r := m.Instance("u_divider", div.Build(lib)).In("x_valid", m.OutOf(root, "y_valid")).
			In("x_num", m.K(div.NumBits, uint64(b.K)<<b.Shift)).In("x_den", m.OutOf(root, "y_root")).In("y_ready", take)
		root.In("y_ready", m.OutOf(r, "x_ready"))
		m.Out("r_valid", m.OutOf(r, "y_valid"), "a reciprocal").Group = "r"
		m.Out("r_r", m.OutOf(r, "y_q"), "(K << Shift) // n").Group = "r"
	})
}

// norming is a reciprocal in a module.
type norming struct {
	norm
	m        *ir.Module
	valid, r *ir.Node
	sum      *ir.Node // of the elements, with center
	inst     *ir.Inst
}

// place puts the reciprocal into m, fed by beats x, and taken by take.
func (b norm) place(lib *Lib, m *ir.Module, valid, last, x *ir.Node) norming {
	inst := m.Instance("u_reciprocal", b.reciprocal(lib)).In("x_valid", valid).In("x_last", last).In("x_data", x)
	n := norming{norm: b, m: m, valid: m.OutOf(inst, "r_valid"), r: m.OutOf(inst, "r_r"), inst: inst}
	if b.Center {
		n.sum = m.OutOf(inst, "r_sum")
	}
	return n
}

// scale gives stream y: the words for which moves is 1, times R, latency cycles later. All
// stages move when give is 1.
func (n norming) scale(y Stream, full *ir.Reg, give, moves, x, last *ir.Node) {
	m, w, d := n.m, n.scaledBits(), n.norm.D
	valid, rest := moves, m.K(1, 1)
	if n.beats() > 1 {
		rest = last
	}
	r := n.r
	if n.Center {
		sum, we := n.sum, n.elementBits()
		x = x.SExt(we).Mul(m.K(we, uint64(d))).Sub(sum.SExt(we)).Named("deviation")
		x = m.DataReg("deviation", x.Type).SetEn(give, x)
		r = m.DataReg("r", r.Type).SetEn(give, r)
		valid = m.Reg("deviation_valid", ir.Bits(1), 0).SetEn(give, valid)
		rest = m.DataReg("deviation_last", rest.Type).SetEn(give, rest)
	}
	product := m.DataReg("product", ir.Vec(n.Lanes, w)).SetEn(give, x.SExt(w).Mul(r.ZExt(w)))
	full.SetEn(give, m.Reg("product_valid", ir.Bits(1), 0).SetEn(give, valid))
	rest = m.DataReg("product_last", rest.Type).SetEn(give, rest)
	o := clamp8(product.AddK(1 << (n.Shift - 1)).SraK(n.Shift).Named("scaled"))
	o = rest.Mux(onlyFirst(o, n.rest()), o)
	drive(m, y, full.Q, m.DataReg("out", o.Type).SetEn(give, o))
}

// apply is the norm of a vector in plain integers.
func (b norm) apply(x []int64) []int64 {
	if b.Center {
		x = b.deviations(x)
	}
	squares := new(big.Int)
	for _, v := range x {
		squares.Add(squares, new(big.Int).Mul(big.NewInt(v), big.NewInt(v)))
	}
	if b.Center { // the squares of D deviations sum to D^2 variances of D elements
		squares.Div(squares, big.NewInt(int64(len(x))))
	}
	y := make([]int64, len(x))
	n := squares.Sqrt(squares)
	if n.Sign() == 0 {
		return y
	}
	r := new(big.Int).Lsh(big.NewInt(int64(b.K)), uint(b.Shift))
	r.Div(r, n)
	half := new(big.Int).Lsh(big.NewInt(1), uint(b.Shift-1))
	for i, v := range x {
		p := new(big.Int).Mul(big.NewInt(v), r)
		p.Rsh(p.Add(p, half), uint(b.Shift))
		if !p.IsInt64() {
			p.SetInt64(int64(p.Sign()) * 127)
		}
		y[i] = min(max(p.Int64(), -127), 127)
	}
	return y
}

// deviations is D times the difference of each element from the mean.
func (b norm) deviations(x []int64) []int64 {
	sum := int64(0)
	for _, v := range x {
		sum += v
	}
	u := make([]int64, len(x))
	for i, v := range x {
		u[i] = int64(len(x))*v - sum
	}
	return u
}

// vectors cuts beats of w-bit elements into vectors of n; what is beyond the end is left out.
func vectors(beats []Beat, n, w int) [][]int64 {
	var out [][]int64
	for len(beats) > 0 {
		var v []int64
		for len(v) < n {
			v = append(v, SignedWords(beats[0][0], w)...)
			beats = beats[1:]
		}
		out = append(out, v[:n])
	}
	return out
}

// vectorBeats cuts a vector into beats of lanes w-bit elements, zeros beyond its end.
func vectorBeats(v []int64, lanes, w int) []Beat {
	var beats []Beat
	for part := range slices.Chunk(v, lanes) {
		data := make([]uint64, lanes)
		copy(data, words(part, w))
		beats = append(beats, Beat{data})
	}
	return beats
}
