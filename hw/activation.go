package hw

import (
	"fmt"
	"math"
	"math/rand"

	"ohmloom/ir"
)

// Func names an activation function.
type Func string

const (
	ReLU        Func = "relu"  // max(x, 0)
	SquaredReLU Func = "relu2" // max(x, 0)^2 / 2^Shift
	GELU        Func = "gelu"  // x times the normal distribution function of x, exact form
	SiLU        Func = "silu"  // x / (1 + exp(-x))
)

// Activation applies an activation function to int8 elements, each by itself.
//
//	relu   y = max(x, 0)
//	relu2  y = min(rshift(max(x, 0)^2, Shift), 127)
//	gelu, silu  y = the function, rounded to the nearest; x and y in units of 2^-Fraction
//
// relu is exact. relu2 is exact to half a unit of y, 2^(Shift-1) units of x^2, unless it
// saturates, which needs Shift < 7: in the numerics x is in units of 2^-5, Shift is 7 and y is
// in units of 2^-3 (0..126). gelu and silu are exact to half a unit, 2^-(Fraction+1).
//
// Both have f(x) = max(x, 0) - c(|x|) with one small c >= 0 (f(-x) = f(x) - x), and the
// rounding commutes with the integer max(x, 0), so that the table holds c only: 129 words, of
// 3 bits for gelu and 4 for silu at Fraction 5.
//
// Streams x and y have no ready; latency 1 cycle, Lanes results a cycle. y keeps the last
// result while no beat comes. Source: ReLU^2 of the integer numerics (arXiv 2109.08668), GELU
// arXiv 1606.08415, SiLU arXiv 1702.03118.
type Activation struct {
	Lanes    int // 1..1024
	Func     Func
	Shift    int // relu2: 1..14, else 0
	Fraction int // gelu, silu: fraction bits of an element, 0..7; else 0
}

func (b Activation) Name() string {
	return fmt.Sprintf("activation_%d_%s_%d", b.Lanes, b.Func, b.Shift+b.Fraction)
}

func (b Activation) Check() error {
	err := inRange("activation", "lanes", b.Lanes, 1, 1024)
	none := func(param string, v int) error {
		return inRange(fmt.Sprintf("activation %s", b.Func), param, v, 0, 0)
	}
	switch b.Func {
	case ReLU:
		return firstError(err, none("shift", b.Shift), none("fraction bits", b.Fraction))
	case SquaredReLU:
		return firstError(err, inRange("activation relu2", "shift", b.Shift, 1, 14), none("fraction bits", b.Fraction))
	case GELU, SiLU:
		return firstError(err, none("shift", b.Shift), inRange("activation", "fraction bits", b.Fraction, 0, 7))
	}
	return fmt.Errorf("activation: function is %q, allowed are relu, relu2, gelu and silu", b.Func)
}

func (b Activation) Streams() (in, out []Stream) {
	data := []Field{{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"}}
	return []Stream{{Name: "x", Fixed: true, Fields: data, Doc: "elements"}},
		[]Stream{{Name: "y", Fixed: true, Fields: data, Doc: "function of the elements 1 cycle ago"}}
}

func (b Activation) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Activation function %s of %d int8 elements. Latency 1 cycle.", b.Func, b.Lanes)
	return lib.module("activation", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		lanes := m.Array("lane", b.lane(lib), 1, b.Lanes).Each("x", x.fields[0])
		y := m.DataReg("y", ir.Vec(b.Lanes, 8)).SetEn(x.valid, m.OutOf(lanes, "y"))
		drive(m, out[0], m.Reg("valid", ir.Bits(1), 0).Set(x.valid), y)
	})
}

// lane is the function of one element, without a register: ports x and y, int8.
func (b Activation) lane(lib *Lib) *ir.Module {
	name := fmt.Sprintf("activation_lane_%s_%d", b.Func, b.Shift+b.Fraction)
	doc := fmt.Sprintf("Activation function %s of one int8 element. Combinational.", b.Func)
	return lib.module("activation", name, doc, func(m *ir.Module) {
		x := m.In("x", ir.Bits(8), "int8")
		up := x.Bit(7).Mux(m.K(8, 0), x).Named("rectified")
		y := up
		switch b.Func {
		case SquaredReLU:
			y = squared(up, b.Shift)
		case GELU, SiLU:
			size := x.Bit(7).Mux(m.K(8, 0).Sub(x), x).Named("magnitude")
			below := b.below()
			w := 1
			for _, c := range below {
				w = max(w, ir.ClogTwo(int(c)+1))
			}
			y = up.Sub(m.Lookup(m.Rom("below", ir.Bits(w), below), size).ZExt(8))
		}
		m.Out("y", y, "int8")
	})
}

// squared is min(rshift(u^2, shift), 127) for u in 0..127, 8 bits.
func squared(u *ir.Node, shift int) *ir.Node {
	m := u.Module()
	square := u.ZExt(15).Mul(u.ZExt(15)).AddK(1 << (shift - 1)).ShrK(shift).Named("square")
	return m.K(15, 127).Ltu(square).Mux(m.K(15, 127), square).Trunc(8)
}

// below is c of the doc comment: how far the function of n units is below n, rounded, for n
// from 0 to 128.
func (b Activation) below() []uint64 {
	out := make([]uint64, 129)
	for n := range out {
		x := math.Ldexp(float64(n), -b.Fraction)
		c := x / (1 + math.Exp(x))
		if b.Func == GELU {
			c = x * math.Erfc(x/math.Sqrt2) / 2
		}
		out[n] = uint64(math.Round(math.Ldexp(c, b.Fraction)))
	}
	return out
}

func (b Activation) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		y := SignedWords(beat[0], 8)
		for i, x := range y {
			y[i] = b.apply(x)
		}
		out = append(out, Beat{words(y, 8)})
	}
	return [][]Beat{out}
}

// apply is one result.
func (b Activation) apply(x int64) int64 {
	switch up := max(x, 0); b.Func {
	case SquaredReLU:
		return min(roundShift(up*up, b.Shift), 127)
	case GELU, SiLU:
		return int64(math.Floor(math.Ldexp(b.Func.real(math.Ldexp(float64(x), -b.Fraction)), b.Fraction) + 0.5))
	default:
		return up
	}
}

// real is the function of the reals, squared ReLU without its scale.
func (f Func) real(x float64) float64 {
	switch f {
	case GELU:
		return x * normalCDF(x)
	case SiLU:
		return x / 2 * (1 + math.Tanh(x/2))
	case SquaredReLU:
		return max(x, 0) * max(x, 0)
	default:
		return max(x, 0)
	}
}

// normalCDF is the normal distribution function by its series round 0 (Marsaglia, 2004), and
// its limit where the tail is below 1e-20.
func normalCDF(x float64) float64 {
	if math.Abs(x) > 9.5 {
		return math.Round((1 + math.Copysign(1, x)) / 2)
	}
	sum, term := x, x
	for k := 3.0; math.Abs(term) > 1e-18*math.Abs(sum); k += 2 {
		term *= x * x / k
		sum += term
	}
	return 0.5 + sum*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

// Cycles is one a beat and the latency.
func (b Activation) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

func randomActivation(r *rand.Rand) Block {
	b := Activation{Lanes: oddSize(r, 5), Func: []Func{ReLU, SquaredReLU, GELU, SiLU}[r.Intn(4)]}
	switch b.Func {
	case SquaredReLU:
		b.Shift = 1 + r.Intn(14)
	case GELU, SiLU:
		b.Fraction = r.Intn(8)
	}
	return b
}

func activationWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], 60, extreme)}
}
