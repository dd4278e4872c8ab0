package hw

import (
	"fmt"
	"math/bits"
	"math/rand"

	"ohmloom/ir"
)

// ShiftAdd is the post-processing unit of a crossbar PE: it adds converter codes over bit
// planes and row groups, for each converter Steps() sums in turn.
//
// A vector is 8 * Groups() * Steps() beats of x: planes 7 down to 0, in each plane the row
// groups, in each group the steps. Plane p counts 2^p, plane 7 counts -2^7 (two's
// complement). Then Steps() beats of y: beat s has the sums of step s in units of one ON
// cell, int32. Codes of step "full" are in LSBs; their sum is brought to cells with one
// rounding, by the size of an LSB to 16 binary digits (device.Spec.CellScale).
//
// Time: one cycle a beat of x, then one a beat of y, in which x is not taken. Highest plane
// first, so that doubling a sum replaces shifting a code; the sums stand in a ring that
// turns by one step a beat.
type ShiftAdd struct{ Crossbar }

func (b ShiftAdd) Name() string { return "shift_add_" + b.suffix() }

// accBits holds any sum: 255 = 127 + 128 codes weigh in for each row group.
func (b ShiftAdd) accBits() int {
	most := 255 * b.Groups() * b.codeMost()
	return sbits(-most, most)
}

func (b ShiftAdd) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "codes of one conversion", Fields: []Field{
		{"code", ir.Vec(b.Converters(), b.codeBits()), true, "code of each converter"},
		{"plane", ir.Bits(3), false, "bit plane of the input, 7 first"},
		{"first", ir.Bits(1), false, "1 in the first row group of a plane"},
		{"last", ir.Bits(1), false, "1 in the last beat of a vector"},
	}}
	y := Stream{Name: "y", Doc: "sums, one beat for each step", Fields: []Field{
		{"acc", ir.Vec(b.Converters(), 32), true, "int32 for each converter, in cells"},
	}}
	return []Stream{x}, []Stream{y}
}

func (b ShiftAdd) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Adds codes of %d converters over 8 bit planes and %d row groups, %d sums each.", b.Converters(), b.Groups(), b.Steps())
	return lib.module("shift_add", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])
		code, plane, first, last := x.fields[0], x.fields[1], x.fields[2], x.fields[3]

		drains := m.Reg("drains", ir.Bits(1), 0)
		fire := x.ready(drains.Q.Not())
		gives := drains.Q.And(take).Named("gives")
		_, end := counter(m, "drained", b.Steps(), gives)
		drains.SetEn(fire.Or(gives), fire.Mux(last, end.Not()))

		a, n, w := b.Converters(), b.Steps()*b.Converters(), b.accBits()
		ring := m.DataReg("ring", ir.Vec(n, w))
		head := ring.Q.Elems(0, a)
		top := plane.EqK(7).Named("top_plane")
		wide := code.SExt(w)
		term := top.Mux(wide.Not().AddK(1), wide)
		kept := first.Mux(top.Mux(m.K(w, 0).Splat(a), head.ShlK(1)), head)
		next := kept.Add(term).Named("sum")
		if n > a {
			next = ring.Q.Elems(a, n-a).Join(next)
		}
		ring.SetEn(fire.Or(gives), next)
		drive(m, out[0], drains.Q, b.cells(m, head))
	})
}

// cells brings sums to cell units, 32 bits.
func (b ShiftAdd) cells(m *ir.Module, sum *ir.Node) *ir.Node {
	if num, shift := b.spec().CellScale(); num != 1 || shift > 0 {
		w := max(sum.Type.W+bits.Len64(uint64(num))+1, 32)
		sum = sum.SExt(w).Mul(m.K(w, uint64(num)))
		if shift > 0 {
			sum = sum.AddK(1 << (shift - 1)).SraK(shift)
		}
	}
	if sum.Type.W > 32 {
		return sum.Trunc(32)
	}
	return sum.SExt(32)
}

// counter counts cycles with en from 0 to n-1 and over again; last is 1 while it is at n-1.
func counter(m *ir.Module, name string, n int, en *ir.Node) (q, last *ir.Node) {
	w := ir.ClogTwo(n)
	if n == 1 {
		return m.K(w, 0), m.K(1, 1)
	}
	r := m.Reg(name, ir.Bits(w), 0)
	last = r.Q.EqK(uint64(n - 1)).Named(name + "_last")
	r.SetEn(en, last.Mux(m.K(w, 0), r.Q.AddK(1)))
	return r.Q, last
}

// Arithmetic is the weighted sum of each converter and step.
func (b ShiftAdd) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	sums := make([]int64, b.Steps()*b.Converters())
	for i, beat := range in[0] {
		step := i % b.Steps() * b.Converters()
		weight := int64(1) << beat[1][0]
		if beat[1][0] == 7 {
			weight = -weight
		}
		for a, code := range SignedWords(beat[0], b.codeBits()) {
			sums[step+a] += weight * code
		}
		if beat[3][0] == 1 {
			out = append(out, b.sumBeats(sums)...)
			clear(sums)
		}
	}
	return [][]Beat{out}
}

// sumBeats is one beat of sums in cells for each step.
func (b ShiftAdd) sumBeats(sums []int64) []Beat {
	var out []Beat
	for s := 0; s < b.Steps(); s++ {
		beat := make([]int32, b.Converters())
		for a := range beat {
			beat[a] = b.spec().Cells(sums[s*len(beat)+a])
		}
		out = append(out, Beat{words(beat, 32)})
	}
	return out
}

// Cycles is one a beat of either stream.
func (b ShiftAdd) Cycles(in [][]Beat) int {
	n := len(in[0])
	for _, beat := range in[0] {
		n += int(beat[3][0]) * b.Steps()
	}
	return n
}

// Image is empty: the unit has no tables.
func (b ShiftAdd) Image(string) *ir.Image { return ir.NewImage() }

// shiftAddWork is two vectors of codes a crossbar can give.
func shiftAddWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(ShiftAdd)
	var beats []Beat
	// The lowest code has a magnitude one above the highest.
	most := min(b.codeMost(), 1<<(b.codeBits()-1)-1)
	for range 2 {
		for p := 7; p >= 0; p-- {
			for i := range b.Groups() * b.Steps() {
				codes := make([]int, b.Converters())
				for a := range codes {
					codes[a] = r.Intn(2*most+1) - most
					if extreme {
						codes[a] = (2*r.Intn(2) - 1) * most
					}
				}
				last := p == 0 && i == b.Groups()*b.Steps()-1
				beats = append(beats, Beat{words(codes, b.codeBits()), {uint64(p)}, flag(i < b.Steps()), flag(last)})
			}
		}
	}
	return [][]Beat{beats}
}
