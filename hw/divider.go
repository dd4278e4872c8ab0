package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Divider is a restoring divider of unsigned integers, PerCycle bits of the quotient a
// cycle: q = floor(num / den). Division by zero gives all ones.
//
// A division is Steps cycles between the cycle in which x is taken and the one in which y
// is offered; x is not taken before y has left: Steps + 2 cycles each. The reciprocal of the
// softmax, 2^24 / Z, takes 25 cycles at a bit a cycle.
type Divider struct {
	NumBits  int // bits of the dividend and the quotient, 1..62
	DenBits  int // bits of the divisor, 1..62
	PerCycle int // bits of the quotient found in a cycle, one below the other, 1..4
}

func (b Divider) Name() string {
	if b.PerCycle > 1 {
		return fmt.Sprintf("divider_%dby%d_x%d", b.NumBits, b.DenBits, b.PerCycle)
	}
	return fmt.Sprintf("divider_%dby%d", b.NumBits, b.DenBits)
}

func (b Divider) Check() error {
	return firstError(inRange("divider", "dividend bits", b.NumBits, 1, 62), inRange("divider", "divisor bits", b.DenBits, 1, 62),
		inRange("divider", "bits a cycle", b.PerCycle, 1, 4))
}

// Steps is the cycles that the quotient takes.
func (b Divider) Steps() int { return ceilDiv(b.NumBits, b.PerCycle) }

func (b Divider) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "divisions", Fields: []Field{
		{"num", ir.Bits(b.NumBits), false, "dividend"},
		{"den", ir.Bits(b.DenBits), false, "divisor"},
	}}
	y := Stream{Name: "y", Doc: "quotients", Fields: []Field{
		{"q", ir.Bits(b.NumBits), false, "floor(num / den)"},
	}}
	return []Stream{x}, []Stream{y}
}

// inSteps is the control of a unit that works on one beat of x for some cycles and then offers
// its result until take: result offered, working, beat taken.
func inSteps(x source, take *ir.Node, steps int) (full *ir.Reg, busy, fire *ir.Node) {
	m, w := x.m, ir.ClogTwo(steps+1)
	full = m.Reg("out_valid", ir.Bits(1), 0)
	left := m.Reg("left", ir.Bits(w), 0) // steps still to come
	busy = left.Q.EqK(0).Not().Named("busy")
	fire = x.ready(busy.Or(full.Q).Not())
	full.Set(left.Q.EqK(1).Or(full.Q.And(take.Not())))
	left.SetEn(fire.Or(busy), fire.Mux(m.K(w, uint64(steps)), left.Q.AddK(-1)))
	return full, busy, fire
}

func (b Divider) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Restoring divider, %d by %d bits, in %d cycles.", b.NumBits, b.DenBits, b.Steps())
	return lib.module("divider", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])

		n := b.Steps() * b.PerCycle // bits of the quotient, and zeros above it
		full, busy, fire := inSteps(x, take, b.Steps())

		// Bits of the dividend leave q at the top as those of the quotient enter at the
		// bottom. The remainder is less than the divisor, so a bit more holds it doubled.
		den := m.DataReg("den", ir.Bits(b.DenBits)).SetEn(fire, x.fields[1])
		remReg, qReg := m.DataReg("rem", ir.Bits(b.DenBits)), m.DataReg("q", ir.Bits(n))
		rem, q, wide := remReg.Q, qReg.Q, den.ZExt(b.DenBits+1)
		for i := range b.PerCycle {
			doubled := rem.Cat(q.Bit(n - 1)).Named(stepName("doubled", i))
			fits := wide.Leu(doubled).Named(stepName("fits", i))
			rem = fits.Mux(doubled.Sub(wide), doubled).Trunc(b.DenBits).Named(stepName("remainder", i))
			if n == 1 {
				q = fits
			} else {
				q = q.Trunc(n - 1).Cat(fits)
			}
		}
		remReg.SetEn(fire.Or(busy), fire.Mux(m.K(b.DenBits, 0), rem))
		qReg.SetEn(fire.Or(busy), fire.Mux(x.fields[0].ZExt(n), q))
		drive(m, out[0], full.Q, qReg.Q.Trunc(b.NumBits))
	})
}

func (b Divider) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		q := uint64(1)<<b.NumBits - 1
		if den := beat[1][0]; den > 0 {
			q = beat[0][0] / den
		}
		out = append(out, Beat{{q}})
	}
	return [][]Beat{out}
}

// Cycles is Steps + 2 a division.
func (b Divider) Cycles(in [][]Beat) int { return len(in[0]) * (b.Steps() + 2) }

func randomDivider(r *rand.Rand) Block {
	return Divider{NumBits: oddSize(r, 40), DenBits: oddSize(r, 40), PerCycle: oddSize(r, 4)}
}

// dividerWork takes divisors of every magnitude, zero included.
func dividerWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Divider)
	in, _ := b.Streams()
	beats := RandomBeats(r, in[0], 6, extreme)
	for _, beat := range beats {
		if !extreme {
			beat[1][0] >>= r.Intn(b.DenBits)
		}
	}
	return [][]Beat{beats}
}
