package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Array is an output-stationary systolic array of Rows x Cols processing elements, each
// 1..1024. It multiplies a Rows x K matrix A by a K x Cols matrix B, any K >= 1: one fold.
//
// Stream x, one beat for each k: a = column k of A (Rows x int8), b = row k of B (Cols x
// int8), last = 1 in beat K-1. Stream y, Rows beats a fold: row r of the product in beat r
// (Cols x int32, wrapping; exact for K <= 131,071).
//
// Row r of a is delayed by r cycles and column c of b by c cycles on the way in. Element (r,
// c) is complete r + c cycles after the last beat, so all sums are there K + Rows + Cols - 2
// cycles after the fold began; the drain then takes Rows cycles, one row each, and the next
// fold begins in the cycle after it: K + 2 Rows + Cols - 2 cycles a fold in all. A missing
// feed beat or a drain beat that is not taken costs exactly the cycles it is late.
type Array struct{ Rows, Cols int }

func (b Array) Name() string { return fmt.Sprintf("array_%dx%d", b.Rows, b.Cols) }

func (b Array) Check() error {
	return firstError(inRange("array", "rows", b.Rows, 1, 1024), inRange("array", "cols", b.Cols, 1, 1024))
}

func (b Array) Streams() (in, out []Stream) {
	feed := Stream{Name: "x", Doc: "operands, one beat for each k", Fields: []Field{
		{"a", ir.Vec(b.Rows, 8), true, "column k of A, int8 a row"},
		{"b", ir.Vec(b.Cols, 8), true, "row k of B, int8 a column"},
		{"last", ir.Bits(1), false, "1 in the last beat of a fold"},
	}}
	drain := Stream{Name: "y", Doc: "sums, one beat for each row of the array", Fields: []Field{
		{"acc", ir.Vec(b.Cols, 32), true, "row of the product, int32 a column"},
	}}
	return []Stream{feed}, []Stream{drain}
}

// Phases of a fold.
const (
	arrayFeed  = iota // operands enter
	arrayFlush        // the last operands move to the far corner
	arrayDrain        // the sums leave
)

func (b Array) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Output-stationary %d x %d systolic array: K + %d cycles until the last sum of a fold, then %d to drain.",
		b.Rows, b.Cols, b.Rows+b.Cols-2, b.Rows)
	return lib.module("array", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])

		phase := m.Reg("phase", ir.Bits(2), arrayFeed)
		fire := x.ready(phase.Q.EqK(arrayFeed))
		drains := phase.Q.EqK(arrayDrain).Named("drains")
		shift := drains.And(take).Named("shift")
		b.control(m, phase, fire.And(x.fields[2]).Named("ends"), shift)

		zero := m.K(8, 0).Splat(b.Rows) // what enters when no beat does
		a := m.Instance("u_skew_a", skew(lib, b.Rows)).In("d", fire.Mux(x.fields[0], zero))
		w := m.Instance("u_skew_b", skew(lib, b.Cols)).In("d", x.fields[1])
		grid := m.Array("pe", pe(lib), b.Rows, b.Cols).
			Chain("a_in", "a_out", ir.West, m.OutOf(a, "q")).
			Chain("b_in", "b_out", ir.North, m.OutOf(w, "q")).
			Chain("acc_in", "acc_out", ir.South, m.K(32, 0).Splat(b.Cols)).
			In("shift", shift)
		drive(m, out[0], drains, m.Edge(grid, "acc_out", ir.North))
	})
}

// control steps through the phases: ends marks the last feed beat, shift a drained row.
func (b Array) control(m *ir.Module, phase *ir.Reg, ends, shift *ir.Node) {
	flush := b.Rows + b.Cols - 2
	w := ir.ClogTwo(max(flush, b.Rows) + 1)
	left := m.Reg("left", ir.Bits(w), 0) // cycles of flush, rows of drain still to come
	done := left.Q.EqK(0).Named("done")
	flushes := phase.Q.EqK(arrayFlush).Named("flushes")

	toDrain := flushes.And(done).Named("to_drain")
	next := toDrain.Mux(m.K(2, arrayDrain), shift.And(done).Mux(m.K(2, arrayFeed), phase.Q))
	count := toDrain.Mux(m.K(w, uint64(b.Rows-1)), left.Q.AddK(-1))
	if flush > 0 {
		next = ends.Mux(m.K(2, arrayFlush), next)
		count = ends.Mux(m.K(w, uint64(flush-1)), count)
	} else {
		next = ends.Mux(m.K(2, arrayDrain), next)
		count = ends.Mux(m.K(w, uint64(b.Rows-1)), count)
	}
	phase.Set(next)
	left.SetEn(ends.Or(flushes).Or(shift), count)
}

// Arithmetic is the matrix product of each fold, a fold ending with last = 1.
func (b Array) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	sums := make([]int32, b.Rows*b.Cols)
	for _, beat := range in[0] {
		for r := 0; r < b.Rows; r++ {
			for c := 0; c < b.Cols; c++ {
				sums[r*b.Cols+c] += int32(int8(beat[0][r])) * int32(int8(beat[1][c]))
			}
		}
		if beat[2][0] == 1 {
			for r := 0; r < b.Rows; r++ {
				out = append(out, Beat{words(sums[r*b.Cols:(r+1)*b.Cols], 32)})
			}
			clear(sums)
		}
	}
	return [][]Beat{out}
}

// Cycles is K + 2 Rows + Cols - 2 summed over the folds.
func (b Array) Cycles(in [][]Beat) int {
	n := len(in[0])
	for _, beat := range in[0] {
		if beat[2][0] == 1 {
			n += b.FoldCycles(0)
		}
	}
	return n
}

// FoldCycles is the time of one fold of inner dimension k, drain included.
func (b Array) FoldCycles(k int) int { return k + 2*b.Rows + b.Cols - 2 }

// MatMul is an M x K by K x N product of any shape (each at least 1), computed as folds of
// at most Rows x Cols results; edges are padded with zeros. Folds run over the columns of
// the product first.
type MatMul struct {
	Array   Array
	M, K, N int
}

// Folds is the number of folds.
func (p MatMul) Folds() int { return ceilDiv(p.M, p.Array.Rows) * ceilDiv(p.N, p.Array.Cols) }

// Cycles is the time of all folds.
func (p MatMul) Cycles() int { return p.Folds() * p.Array.FoldCycles(p.K) }

// Beats is the array's feed for the product of a (M x K, row by row) and b (K x N).
func (p MatMul) Beats(a, b []int8) []Beat {
	var beats []Beat
	p.each(func(m0, n0 int) {
		for k := 0; k < p.K; k++ {
			av, bv := make([]uint64, p.Array.Rows), make([]uint64, p.Array.Cols)
			for r := 0; r < p.Array.Rows && m0+r < p.M; r++ {
				av[r] = word(int64(a[(m0+r)*p.K+k]), 8)
			}
			for c := 0; c < p.Array.Cols && n0+c < p.N; c++ {
				bv[c] = word(int64(b[k*p.N+n0+c]), 8)
			}
			beats = append(beats, Beat{av, bv, flag(k == p.K-1)})
		}
	})
	return beats
}

// Collect puts the array's drain beats together as the M x N product, row by row. It panics
// unless there are Folds * Rows beats.
func (p MatMul) Collect(beats []Beat) []int32 {
	if len(beats) != p.Folds()*p.Array.Rows {
		panic(fmt.Sprintf("hw: %d drain beats for %d folds of %d rows", len(beats), p.Folds(), p.Array.Rows))
	}
	out := make([]int32, p.M*p.N)
	p.each(func(m0, n0 int) {
		for r := 0; r < p.Array.Rows && m0+r < p.M; r++ {
			for c := 0; c < p.Array.Cols && n0+c < p.N; c++ {
				out[(m0+r)*p.N+n0+c] = int32(beats[r][0][c])
			}
		}
		beats = beats[p.Array.Rows:]
	})
	return out
}

// each visits the first row and column of every fold in order.
func (p MatMul) each(visit func(m0, n0 int)) {
	for m0 := 0; m0 < p.M; m0 += p.Array.Rows {
		for n0 := 0; n0 < p.N; n0 += p.Array.Cols {
			visit(m0, n0)
		}
	}
}

func randomArray(r *rand.Rand) Block { return Array{oddSize(r, 7), oddSize(r, 20)} }

// arrayWork is two or three folds of random lengths.
func arrayWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	var beats []Beat
	for range 2 + r.Intn(2) {
		fold := RandomBeats(r, in[0], oddSize(r, 9), extreme)
		for i := range fold {
			fold[i][2] = flag(i == len(fold)-1)
		}
		beats = append(beats, fold...)
	}
	return [][]Beat{beats}
}
