package interp_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/interp"
)

// peArray is an output-stationary n x n array of int8 multiply-accumulate cells with its
// edges as ports.
func peArray(n int) *ir.Module {
	pe := ir.New("pe", "Multiply-accumulate, or shift the sums north.")
	a, b := pe.In("a_in", ir.Bits(8), ""), pe.In("b_in", ir.Bits(8), "")
	south, shift := pe.In("acc_in", ir.Bits(32), ""), pe.In("shift", ir.Bits(1), "")
	acc := pe.Reg("acc", ir.Bits(32), 0)
	product := a.SExt(16).Mul(b.SExt(16))
	acc.Set(shift.Mux(south, acc.Q.Add(product.SExt(32))))
	pe.Out("a_out", pe.Reg("a", ir.Bits(8), 0).Set(a), "")
	pe.Out("b_out", pe.DataReg("b", ir.Bits(8)).Set(b), "")
	pe.Out("acc_out", acc.Q, "")
	m := ir.New(fmt.Sprintf("array_%d", n), "")
	g := m.Array("pe", pe, n, n).
		Chain("a_in", "a_out", ir.West, m.In("a", ir.Vec(n, 8), "")).
		Chain("b_in", "b_out", ir.North, m.In("b", ir.Vec(n, 8), "")).
		Chain("acc_in", "acc_out", ir.South, m.K(32, 0).Splat(n)).
		In("shift", m.In("shift", ir.Bits(1), ""))
	m.Out("sums", m.Edge(g, "acc_out", ir.North), "")
	return m
}

// crossbar sums the columns of a loaded table under a mask of its rows, cells of w bits.
func crossbar(rows, cols, w int) *ir.Module {
	m := ir.New("crossbar", "")
	cells := m.Mem("cells", 1, ir.Vec(rows*cols, w))
	cells.Loaded = true
	sums := m.In("mask", ir.Vec(rows, 1), "").MaskedSum(m.Lookup(cells, m.K(1, 0)), w+ir.ClogTwo(rows+1), false)
	m.Out("sums", m.DataReg("sums", sums.Type).Set(sums), "")
	return m
}

func benchmark(b *testing.B, m *ir.Module, stim func(rec []uint64, rng *rand.Rand)) {
	e, err := interp.New(ir.NewDesign(m))
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Power(1, nil); err != nil {
		b.Fatal(err)
	}
	const batch = 256
	shape, rng := verify.ShapeOf(m), rand.New(rand.NewPCG(1, 2))
	in, out := make([]uint64, batch*shape.InWords), make([]uint64, batch*shape.OutWords)
	for c := range batch {
		rec := in[c*shape.InWords : (c+1)*shape.InWords]
		for i := range rec {
			rec[i] = rng.Uint64()
		}
		stim(rec, rng)
	}
	b.ResetTimer()
	for done := 0; done < b.N; done += batch {
		if err := e.Run(in, out, min(batch, b.N-done)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mcycles/s")
}

// drained makes one cycle in 32 shift, as a fold of some length does.
func drained(rec []uint64, rng *rand.Rand) {
	rec[0] = 0
	rec[len(rec)-1] = flag(rng.IntN(32) == 0)
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func BenchmarkArray8(b *testing.B)  { benchmark(b, peArray(8), drained) }
func BenchmarkArray32(b *testing.B) { benchmark(b, peArray(32), drained) }

// The array as the library builds it, with its skew and control; rst is low, the rest random.
func BenchmarkLibraryArray32(b *testing.B) {
	m := hw.Array{Rows: 32, Cols: 32}.Build(hw.NewLib(nil))
	benchmark(b, m, func(rec []uint64, _ *rand.Rand) { rec[0] = 0 })
}

// Control and many small vectors, where there is little to gain from lanes.
func BenchmarkLibraryPIM(b *testing.B) {
	xbar := hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64, Bits: 7, Step: hw.StepClip}
	m := hw.PIM{RowBlocks: 2, ColBlocks: 2, Lanes: 8, Crossbar: xbar}.Build(hw.NewLib(nil))
	benchmark(b, m, func(rec []uint64, _ *rand.Rand) { rec[0] = 0 })
}

func BenchmarkCrossbar256OneBit(b *testing.B) {
	benchmark(b, crossbar(256, 256, 1), func(rec []uint64, _ *rand.Rand) { rec[0] = 0 })
}

func BenchmarkCrossbar256SixBits(b *testing.B) {
	benchmark(b, crossbar(256, 256, 6), func(rec []uint64, _ *rand.Rand) { rec[0] = 0 })
}
