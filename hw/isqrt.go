package hw

import (
	"fmt"
	"math/big"
	"math/rand"

	"ohmloom/ir"
)

// Isqrt is the integer square root of unsigned integers, PerCycle bits of the root a cycle:
// root = floor(sqrt(num)), exact.
//
// A root is Steps cycles between the cycle in which x is taken and the one in which y is
// offered; x is not taken before y has left: Steps + 2 cycles each.
type Isqrt struct {
	NumBits  int // bits of the radicand, 1..62
	PerCycle int // bits of the root found in a cycle, one below the other, 1..4
}

func (b Isqrt) Name() string {
	if b.PerCycle > 1 {
		return fmt.Sprintf("isqrt_%d_x%d", b.NumBits, b.PerCycle)
	}
	return fmt.Sprintf("isqrt_%d", b.NumBits)
}

func (b Isqrt) Check() error {
	return firstError(inRange("isqrt", "radicand bits", b.NumBits, 1, 62), inRange("isqrt", "bits a cycle", b.PerCycle, 1, 4))
}

// RootBits is the width of the root, Steps the time it takes.
func (b Isqrt) RootBits() int { return ceilDiv(b.NumBits, 2) }
func (b Isqrt) Steps() int    { return ceilDiv(b.RootBits(), b.PerCycle) }

func (b Isqrt) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "radicands", Fields: []Field{{"num", ir.Bits(b.NumBits), false, "radicand"}}}
	y := Stream{Name: "y", Doc: "roots", Fields: []Field{{"root", ir.Bits(b.RootBits()), false, "floor(sqrt(num))"}}}
	return []Stream{x}, []Stream{y}
}

func (b Isqrt) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Integer square root of %d bits in %d cycles.", b.NumBits, b.Steps())
	return lib.module("isqrt", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])
		n := b.Steps() * b.PerCycle // bits of the root, and zeros above it
		full, busy, fire := inSteps(x, take, b.Steps())

		// Two bits of the radicand at a time join the remainder, which is at most twice the
		// root: n + 1 bits, and n + 2 while they join. The next bit of the root is 1 when 4 root
		// + 1 can be taken off.
		moves := fire.Or(busy)
		num := m.DataReg("num", ir.Bits(2*n))
		num.SetEn(moves, fire.Mux(x.fields[0].ZExt(2*n), num.Q.ShlK(2*b.PerCycle)))
		rootReg, remReg := m.DataReg("root", ir.Bits(n)), m.DataReg("rem", ir.Bits(n+1))
		root, rem := rootReg.Q, remReg.Q
		for i := range b.PerCycle {
			joined := rem.Cat(num.Q.Slice(2*(n-1-i), 2)).Named(stepName("joined", i))
			trial := root.Cat(m.K(2, 1)).ZExt(n + 3).Named(stepName("trial", i))
			fits := trial.Leu(joined).Named(stepName("fits", i))
			rem = fits.Mux(joined.Sub(trial), joined).Trunc(n + 1).Named(stepName("remainder", i))
			if n == 1 {
				root = fits
			} else {
				root = root.Trunc(n - 1).Cat(fits)
			}
		}
		remReg.SetEn(moves, fire.Mux(m.K(n+1, 0), rem))
		rootReg.SetEn(moves, fire.Mux(m.K(n, 0), root))
		drive(m, out[0], full.Q, rootReg.Q.Trunc(b.RootBits()))
	})
}

func (b Isqrt) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		out = append(out, Beat{{floorRoot(beat[0][0])}})
	}
	return [][]Beat{out}
}

// floorRoot is the floor of the square root of v.
func floorRoot(v uint64) uint64 {
	x := new(big.Int).SetUint64(v)
	return x.Sqrt(x).Uint64()
}

// Cycles is Steps + 2 a root.
func (b Isqrt) Cycles(in [][]Beat) int { return len(in[0]) * (b.Steps() + 2) }

// stepName names what is done for bit i of a cycle.
func stepName(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s_%d", name, i)
}

func randomIsqrt(r *rand.Rand) Block { return Isqrt{NumBits: oddSize(r, 62), PerCycle: oddSize(r, 4)} }

// isqrtWork takes radicands of every magnitude, squares and their neighbours.
func isqrtWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Isqrt)
	in, _ := b.Streams()
	beats := RandomBeats(r, in[0], 12, extreme)
	for i, beat := range beats {
		if extreme {
			continue
		}
		beat[0][0] >>= r.Intn(b.NumBits)
		if root := floorRoot(beat[0][0]); i%3 > 0 && root > 0 {
			beat[0][0] = root*root - uint64(i%3-1)
		}
	}
	return [][]Beat{beats}
}
