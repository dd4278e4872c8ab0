package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// BufferedArray is an output-stationary systolic array like Array with double-buffered sums:
// at the end of a fold every processing element copies its sum, and the copies are drained
// while the next fold computes. Rows x Cols elements, each 1..1024; folds of any K >= 1.
//
// Streams x and y are those of Array; with TagBits, x also has a tag, which y repeats in every
// row of the fold whose last beat had it.
//
// Fold after fold begins K + Rows + Cols - 2 cycles after the one before: SCALE-Sim v2's
// count of an output-stationary fold (arXiv 1811.02883; fill and drain exposed, no stalls).
// Only with K = Cols = 1 it is Rows + 1, because the copies leave one row a cycle and must
// be gone before the next are made. The last fold's copies are made in the cycle in which
// the next fold could begin, and leave in the Rows cycles after it.
type BufferedArray struct {
	Rows, Cols int
	TagBits    int // bits of the tag, 0..64; 0 is without
}

func (b BufferedArray) Name() string {
	return fmt.Sprintf("array_buffered_%dx%d_t%d", b.Rows, b.Cols, b.TagBits)
}

func (b BufferedArray) Check() error {
	return firstError(inRange("array_buffered", "rows", b.Rows, 1, 1024), inRange("array_buffered", "cols", b.Cols, 1, 1024),
		inRange("array_buffered", "tag bits", b.TagBits, 0, 64))
}

func (b BufferedArray) Streams() (in, out []Stream) {
	in, out = Array{b.Rows, b.Cols}.Streams()
	if b.TagBits == 0 {
		return in, out
	}
	in[0].Fields = append(in[0].Fields, Field{"tag", ir.Bits(b.TagBits), false, "taken in the last beat of a fold"})
	out[0].Fields = append(out[0].Fields, Field{"tag", ir.Bits(b.TagBits), false, "the fold's tag"})
	return in, out
}

// FoldCycles is the time from the beginning of a fold of inner dimension k to the earliest
// beginning of the next.
func (b BufferedArray) FoldCycles(k int) int {
	if k == 1 && b.Cols == 1 {
		return b.Rows + 1
	}
	return k + b.Rows + b.Cols - 2
}

func (b BufferedArray) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Output-stationary %d x %d systolic array with double-buffered sums: a fold every K + %d cycles.",
		b.Rows, b.Cols, b.Rows+b.Cols-2)
	return lib.module("array_buffered", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])

		// Sums are pending from a fold's last beat to their copy; flush counts the cycles
		// until they are complete.
		w, wd := ir.ClogTwo(b.Rows+b.Cols-1), ir.ClogTwo(b.Rows+1)
		pending := m.Reg("pending", ir.Bits(1), 0)
		flush := m.Reg("flush", ir.Bits(w), 0)
		left := m.Reg("left", ir.Bits(wd), 0) // rows of copies to drain
		drains := left.Q.EqK(0).Not().Named("drains")
		complete := flush.Q.EqK(0).Named("complete")
		copies := pending.Q.And(complete).And(drains.Not()).Named("copies")
		fire := x.ready(pending.Q.Not().Or(copies))
		ends := fire.And(x.fields[2]).Named("ends")
		shift := drains.And(take).Named("shift")
		pending.SetEn(ends.Or(copies), ends)
		flush.SetEn(ends.Or(complete.Not()), ends.Mux(m.K(w, uint64(b.Rows+b.Cols-2)), flush.Q.AddK(-1)))
		left.SetEn(copies.Or(shift), copies.Mux(m.K(wd, uint64(b.Rows)), left.Q.AddK(-1)))

		zero := m.K(8, 0).Splat(b.Rows) // what enters when no beat does
		a := m.Instance("u_skew_a", skew(lib, b.Rows)).In("d", fire.Mux(x.fields[0], zero))
		v := m.Instance("u_skew_b", skew(lib, b.Cols)).In("d", x.fields[1])
		grid := m.Array("pe", peBuffered(lib), b.Rows, b.Cols).
			Chain("a_in", "a_out", ir.West, m.OutOf(a, "q")).
			Chain("b_in", "b_out", ir.North, m.OutOf(v, "q")).
			Chain("sum_in", "sum_out", ir.South, m.K(32, 0).Splat(b.Cols)).
			In("copy", copies).In("shift", shift)
		fields := []*ir.Node{m.Edge(grid, "sum_out", ir.North)}
		if b.TagBits > 0 {
			tag := m.DataReg("tag", ir.Bits(b.TagBits)).SetEn(ends, x.fields[3])
			fields = append(fields, m.DataReg("tag_out", ir.Bits(b.TagBits)).SetEn(copies, tag))
		}
		drive(m, out[0], drains, fields...)
	})
}

// peBuffered is the processing element with a second register for the sum of the fold
// before: 80 flip-flops. The first product of a fold may come in the cycle of the copy.
func peBuffered(lib *Lib) *ir.Module {
	doc := "Multiply-accumulate cell with double-buffered sum: acc += a * b; copy moves acc to sum and starts acc anew, shift moves sums one cell north."
	return lib.module("pe_buffered", "pe_buffered", doc, func(m *ir.Module) {
		a := m.In("a_in", ir.Bits(8), "int8 from the west")
		b := m.In("b_in", ir.Bits(8), "int8 from the north")
		south := m.In("sum_in", ir.Bits(32), "int32 from the south, taken while shift is 1")
		copies := m.In("copy", ir.Bits(1), "1: the sum of the fold is complete")
		shift := m.In("shift", ir.Bits(1), "1: move the sums north")
		acc := m.Reg("acc", ir.Bits(32), 0)
		product := a.SExt(16).Mul(b.SExt(16)).SExt(32).Named("product")
		acc.Set(copies.Mux(m.K(32, 0), acc.Q).Add(product))
		sum := m.DataReg("sum", ir.Bits(32)).SetEn(copies.Or(shift), copies.Mux(acc.Q, south))
		m.Out("a_out", m.Reg("a", ir.Bits(8), 0).Set(a), "a_in, 1 cycle ago")
		m.Out("b_out", m.DataReg("b", ir.Bits(8)).Set(b), "b_in, 1 cycle ago")
		m.Out("sum_out", sum, "int32 sum of the fold before")
	})
}

// Arithmetic is that of Array, with the tags.
func (b BufferedArray) Arithmetic(in [][]Beat) [][]Beat {
	out := Array{b.Rows, b.Cols}.Arithmetic(in)
	if b.TagBits == 0 {
		return out
	}
	row := 0
	for _, beat := range in[0] {
		if beat[2][0] == 1 {
			for range b.Rows {
				out[0][row] = append(out[0][row], beat[3])
				row++
			}
		}
	}
	return out
}

// Cycles is FoldCycles summed over the folds, where the first has no copies in its way, and
// Rows + 1 for the last copies.
func (b BufferedArray) Cycles(in [][]Beat) int {
	n, k := 0, 0
	for _, beat := range in[0] {
		k++
		if beat[2][0] == 0 {
			continue
		}
		if n == 0 {
			n = k + b.Rows + b.Cols - 2
		} else {
			n += b.FoldCycles(k)
		}
		k = 0
	}
	return n + b.Rows + 1
}

// BufferedCycles is the time of p's folds on a BufferedArray of the same size, SCALE-Sim's sum
// (one more for each fold after the first where K = Cols = 1). MatMul's Beats and Collect
// serve both arrays.
func (p MatMul) BufferedCycles() int {
	a := BufferedArray{Rows: p.Array.Rows, Cols: p.Array.Cols}
	return p.K + a.Rows + a.Cols - 2 + (p.Folds()-1)*a.FoldCycles(p.K)
}

func randomBufferedArray(r *rand.Rand) Block {
	return BufferedArray{Rows: oddSize(r, 7), Cols: oddSize(r, 12), TagBits: oddSize(r, 65) - 1}
}

// bufferedArrayWork is one to six folds of random lengths.
func bufferedArrayWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	var beats []Beat
	for range 1 + r.Intn(6) {
		fold := RandomBeats(r, in[0], oddSize(r, 9), extreme)
		for i := range fold {
			fold[i][2] = flag(i == len(fold)-1)
		}
		beats = append(beats, fold...)
	}
	return [][]Beat{beats}
}
