package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// AccumulatedArray is a StationaryArray with the sums of folds over K added in an SRAM of
// Depth rows of sums, so that matrix products of any K come out whole.
//
// Streams w and x are those of StationaryArray; in the beats of a fold, x has first = 1 when
// its sums begin anew, else they are added to those of the fold before, row by row, and
// final = 1 when they are complete. Folds that belong together have as many rows, at most
// Depth. Stream y gives the rows of complete sums (Cols x int32, wrapping).
//
// A fold takes as long as that of StationaryArray; a row of y is offered 2 cycles later.
type AccumulatedArray struct {
	Rows, Cols int // 1..1024 each
	Depth      int // rows of sums, 1..65536
}

const accumulateTime = 2

// StationaryTail is how long an AccumulatedArray takes beyond its folds until the last row of
// sums has left, in cycles.
const StationaryTail = 3 + accumulateTime

func (b AccumulatedArray) array() StationaryArray { return StationaryArray{b.Rows, b.Cols, 3} }

func (b AccumulatedArray) Name() string {
	return fmt.Sprintf("array_accumulate_%dx%d_%d", b.Rows, b.Cols, b.Depth)
}

func (b AccumulatedArray) Check() error {
	return firstError(b.array().Check(), inRange("array_accumulate", "rows of sums", b.Depth, 1, 65536))
}

func (b AccumulatedArray) Streams() (in, out []Stream) {
	in, out = StationaryArray{b.Rows, b.Cols, 0}.Streams()
	in[1].Fields = append(in[1].Fields, Field{"first", ir.Bits(1), false, "1: the fold's sums begin anew"},
		Field{"final", ir.Bits(1), false, "1: they are complete with this fold"})
	out[0].Doc = "complete sums, row by row"
	return in, out
}

func (b AccumulatedArray) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Systolic array of %d x %d stationary operands with an SRAM of %d rows of sums, in which folds over K are added.",
		b.Rows, b.Cols, b.Depth)
	return lib.module("array_accumulate", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		w, x := input(m, in[0]), input(m, in[1])
		take := output(m, out[0])
		array := m.Instance("u_array", b.array().Build(lib)).In("w_valid", w.valid).In("w_b", w.fields[0]).
			In("x_valid", x.valid).In("x_a", x.fields[0]).In("x_last", x.fields[1]).
			In("x_tag", x.fields[1].Cat(x.fields[2], x.fields[3]))
		w.ready(m.OutOf(array, "w_ready"))
		x.ready(m.OutOf(array, "x_ready"))
		row, tag := m.OutOf(array, "y_acc"), m.OutOf(array, "y_tag")

		// A row is taken and its older sum read; in the next cycle they are added, and the sum
		// is written and given, if there is room.
		addr := ir.Bits(ir.ClogTwo(b.Depth))
		full := m.Reg("adds", ir.Bits(1), 0)
		at, now := m.Reg("row", addr, 0), m.DataReg("added_row", addr)
		first, final := m.DataReg("first", ir.Bits(1)), m.DataReg("final", ir.Bits(1))
		again := m.DataReg("again", ir.Bits(1)) // the older sum is that of the cycle before
		newest := m.DataReg("newest", row.Type)
		partial := m.DataReg("partial", row.Type)
		mem := m.Instance("u_sums", sram(lib, b.Depth, row.Type))
		older := first.Q.Mux(m.K(32, 0).Splat(b.Cols), again.Q.Mux(newest.Q, m.OutOf(mem, "rdata")))
		sum := partial.Q.Add(older).Named("total")
		room, y := sliced(lib, m, "u_out", full.Q.And(final.Q), []*ir.Node{sum})
		goes := full.Q.And(final.Q.Not().Or(room)).Named("goes")
		may := full.Q.Not().Or(goes).Named("may")
		fire := m.OutOf(array, "y_valid").And(may).Named("row_fire")
		array.In("y_ready", may)
		full.SetEn(may, fire)
		at.SetEn(fire, tag.Bit(2).Mux(m.K(addr.W, 0), at.Q.AddK(1)))
		now.SetEn(fire, at.Q)
		first.SetEn(fire, tag.Bit(1))
		final.SetEn(fire, tag.Bit(0))
		again.SetEn(fire, goes.And(at.Q.Eq(now.Q)))
		partial.SetEn(fire, row)
		newest.SetEn(goes, sum)
		mem.In("we", goes).In("waddr", now.Q).In("wdata", sum).In("re", fire).In("raddr", at.Q)
		y.take(take)
		drive(m, out[0], y.valid, y.fields...)
	})
}

// Arithmetic adds the folds' products, row by row, until one is final.
func (b AccumulatedArray) Arithmetic(in [][]Beat) [][]Beat {
	held := make([][]int64, b.Depth)
	var out []Beat
	row := 0
	for i, beat := range (StationaryArray{b.Rows, b.Cols, 0}).Arithmetic([][]Beat{in[0], operands(in[1])})[0] {
		x := in[1][i]
		sums := SignedWords(beat[0], 32)
		if x[2][0] == 0 {
			for c := range sums {
				sums[c] += held[row][c]
			}
		}
		held[row] = sums
		if x[3][0] == 1 {
			out = append(out, Beat{words(sums, 32)})
		}
		if row++; x[1][0] == 1 {
			row = 0
		}
	}
	return [][]Beat{out}
}

// operands is stream x without what concerns the sums.
func operands(x []Beat) []Beat {
	beats := make([]Beat, len(x))
	for i := range x {
		beats[i] = x[i][:2]
	}
	return beats
}

// Cycles is that of the folds, and accumulateTime: the last fold's sums must be final.
func (b AccumulatedArray) Cycles(in [][]Beat) int {
	return StationaryArray{b.Rows, b.Cols, 0}.Cycles([][]Beat{in[0], operands(in[1])}) + accumulateTime
}

// AccumulatedMatMul is a product of any shape on an AccumulatedArray, which needs a row of
// sums for each moving row. Folds over K follow one another.
type AccumulatedMatMul struct {
	Array AccumulatedArray
	Shape StationaryMatMul // its Array is not used
}

func (p AccumulatedMatMul) folds() StationaryMatMul {
	s := p.Shape
	s.Array = StationaryArray{p.Array.Rows, p.Array.Cols, 0}
	return s
}

// Beats is streams w and x for the product of a (M x K, row by row) and b (K x N). It panics
// if there are more moving rows than the array has rows of sums.
func (p AccumulatedMatMul) Beats(a, b []int8) [][]Beat {
	s := p.folds()
	if s.moving() > p.Array.Depth {
		panic(fmt.Sprintf("hw: %d moving rows, the array has %d rows of sums", s.moving(), p.Array.Depth))
	}
	in := s.Beats(a, b)
	x := in[1]
	s.each(func(_, k0 int) {
		for t := range s.moving() {
			x[t] = append(x[t], flag(k0 == 0), flag(k0+p.Array.Rows >= s.K))
		}
		x = x[s.moving():]
	})
	return in
}

// Rows is how many beats of y the product takes.
func (p AccumulatedMatMul) Rows() int {
	s := p.folds()
	return ceilDiv(s.staying(), p.Array.Cols) * s.moving()
}

// Cycles is the time of all folds, SCALE-Sim's sum.
func (p AccumulatedMatMul) Cycles() int { return p.folds().Cycles() }

// Collect puts the beats of y together as the M x N product, row by row. It panics unless
// there are Rows of them.
func (p AccumulatedMatMul) Collect(beats []Beat) []int32 {
	s := p.folds()
	if len(beats) != p.Rows() {
		panic(fmt.Sprintf("hw: %d beats of sums for %d rows", len(beats), p.Rows()))
	}
	out := make([]int32, s.M*s.N)
	for i, beat := range beats {
		t, s0 := i%s.moving(), i/s.moving()*p.Array.Cols
		for c := 0; c < p.Array.Cols && s0+c < s.staying(); c++ {
			at := t*s.N + s0 + c
			if s.Inputs {
				at = (s0+c)*s.N + t
			}
			out[at] = int32(beat[0][c])
		}
	}
	return out
}

func randomAccumulatedArray(r *rand.Rand) Block {
	return AccumulatedArray{oddSize(r, 7), oddSize(r, 12), oddSize(r, 11)}
}

func accumulatedArrayWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	return blk.(AccumulatedArray).RandomFolds(r, 2+r.Intn(3), extreme)
}

// RandomFolds is streams w and x of n sums of one to three folds each.
func (b AccumulatedArray) RandomFolds(r *rand.Rand, n int, extreme bool) [][]Beat {
	in, _ := b.Streams()
	var w, x []Beat
	for range n {
		rows, folds := oddSize(r, min(b.Depth, 40)), 1+r.Intn(3)
		for f := range folds {
			w = append(w, RandomBeats(r, in[0], b.Rows, extreme)...)
			fold := RandomBeats(r, in[1], rows, extreme)
			for i := range fold {
				fold[i][1], fold[i][2], fold[i][3] = flag(i == rows-1), flag(f == 0), flag(f == folds-1)
			}
			x = append(x, fold...)
		}
	}
	return [][]Beat{w, x}
}
