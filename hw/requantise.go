package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Requantise scales sums to activations: q = sat(rshift(acc * m, s)), with rshift rounding
// half up and sat limiting to +-(2^(OutBits-1) - 1), so that the most negative code never
// occurs. s = 0 scales without rounding; models use 1..31. Exact for every acc.
//
// Streams x (acc, and the scale m, s of the matrix) and y (q) have no ready; latency 1
// cycle, Lanes results a cycle. Source: the numerics' RQ8 and RQ16.
type Requantise struct {
	Lanes   int // 1..1024
	AccBits int // width of a sum, 2..32
	OutBits int // 8 or 16
}

func (b Requantise) Name() string {
	return fmt.Sprintf("requantise_%dx%dto%d", b.Lanes, b.AccBits, b.OutBits)
}

func (b Requantise) Check() error {
	if b.OutBits != 8 && b.OutBits != 16 {
		return fmt.Errorf("requantise: output bits is %d, allowed are 8 and 16", b.OutBits)
	}
	return firstError(inRange("requantise", "lanes", b.Lanes, 1, 1024), inRange("requantise", "sum bits", b.AccBits, 2, 32))
}

func (b Requantise) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Fixed: true, Doc: "sums", Fields: []Field{
		{"acc", ir.Vec(b.Lanes, b.AccBits), true, "sums"},
		{"m", ir.Bits(8), false, "multiplier"},
		{"s", ir.Bits(5), false, "shift"},
	}}
	y := Stream{Name: "y", Fixed: true, Doc: "activations of the sums 1 cycle ago", Fields: []Field{
		{"q", ir.Vec(b.Lanes, b.OutBits), true, "activations"},
	}}
	return []Stream{x}, []Stream{y}
}

func (b Requantise) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Scales %d sums to int%d: sat(rshift(acc * m, s)). Latency 1 cycle.", b.Lanes, b.OutBits)
	return lib.module("requantise", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		acc, mul, s := x.fields[0], x.fields[1], x.fields[2]
		pw := b.AccBits + 8  // |acc * m| < 2^(AccBits-1) * 2^8
		w := max(pw, 32) + 1 // the rounding half is at most 2^30
		product := acc.SExt(pw).Mul(mul.ZExt(pw)).Named("product")
		half := m.K(w, 1).Shl(s).ShrK(1).Named("half")
		scaled := product.SExt(w).Add(half).Sra(s).Named("scaled")
		most := int64(1)<<(b.OutBits-1) - 1
		q := m.DataReg("q", ir.Vec(b.Lanes, b.OutBits))
		q.SetEn(x.valid, clamp(scaled, -most, most).Trunc(b.OutBits))
		drive(m, out[0], m.Reg("valid", ir.Bits(1), 0).Set(x.valid), q.Q)
	})
}

// requantise is one result in plain integers.
func requantise(acc int64, m, s uint64, outBits int) int64 {
	v := acc * int64(m)
	if s > 0 {
		v = (v + 1<<(s-1)) >> s
	}
	most := int64(1)<<(outBits-1) - 1
	return min(max(v, -most), most)
}

func (b Requantise) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		q := SignedWords(beat[0], b.AccBits)
		for i, acc := range q {
			q[i] = requantise(acc, beat[1][0], beat[2][0], b.OutBits)
		}
		out = append(out, Beat{words(q, b.OutBits)})
	}
	return [][]Beat{out}
}

// Cycles is one a beat and the latency.
func (b Requantise) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

func randomRequantise(r *rand.Rand) Block {
	return Requantise{Lanes: oddSize(r, 5), AccBits: 2 + r.Intn(31), OutBits: []int{8, 16}[r.Intn(2)]}
}

// requantiseWork takes every shift, and sums of every magnitude.
func requantiseWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Requantise)
	in, _ := b.Streams()
	beats := RandomBeats(r, in[0], 64, extreme)
	for i, beat := range beats {
		beat[2][0] = uint64(i % 32)
		if !extreme {
			for j, acc := range SignedWords(beat[0], b.AccBits) {
				beat[0][j] = word(acc>>r.Intn(b.AccBits), b.AccBits)
			}
		}
	}
	return [][]Beat{beats}
}
