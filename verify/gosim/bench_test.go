package gosim

import (
	"fmt"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
)

// systolic is an output-stationary array of r x c PEs: int8 operands pass east and south,
// a 32-bit sum stays, clear starts a sum and drain moves sums south.
func systolic(r, c int) *ir.Design {
	pe := ir.New("pe", "Multiply-accumulate with passed-on operands.")
	a, b := pe.In("a", ir.Bits(8), ""), pe.In("b", ir.Bits(8), "")
	above := pe.In("above", ir.Bits(32), "")
	clear, drain := pe.In("clear", ir.Bits(1), ""), pe.In("drain", ir.Bits(1), "")
	aq, bq := pe.Reg("a_q", ir.Bits(8), 0), pe.Reg("b_q", ir.Bits(8), 0)
	acc := pe.Reg("acc", ir.Bits(32), 0)
	aq.Set(a)
	bq.Set(b)
	product := a.SExt(16).Mul(b.SExt(16)).SExt(32).Named("product")
	sum := clear.Mux(product, acc.Q.Add(product)).Named("sum")
	acc.Set(drain.Mux(above, sum))
	pe.Out("a_out", aq.Q, "")
	pe.Out("b_out", bq.Q, "")
	pe.Out("sum_out", acc.Q, "")
	top := ir.New(fmt.Sprintf("systolic_%dx%d", r, c), "An output-stationary systolic array.")
	arr := top.Array("pe", pe, r, c)
	arr.Chain("a", "a_out", ir.West, top.In("a", ir.Vec(r, 8), ""))
	arr.Chain("b", "b_out", ir.North, top.In("b", ir.Vec(c, 8), ""))
	arr.Chain("above", "sum_out", ir.North, top.K(32, 0).Splat(c))
	arr.In("clear", top.In("clear", ir.Bits(1), ""))
	arr.In("drain", top.In("drain", ir.Bits(1), ""))
	top.Out("sums", top.Edge(arr, "sum_out", ir.South), "")
	return ir.NewDesign(top)
}

func TestSystolicArrayAgreesWithTheReference(t *testing.T) {
	needGo(t)
	compare(t, t.TempDir(), systolic(5, 3), 1, 100)
}

func BenchmarkSystolic(b *testing.B) {
	needGo(b)
	for _, n := range []int{8, 16, 32} {
		b.Run(fmt.Sprintf("%dx%d", n, n), func(b *testing.B) {
			d := systolic(n, n)
			benchmark(b, d, func(in []uint64, s verify.Shape) {
				for k := 0; k < len(in); k += s.InWords { // 64 cycles of sums, then a drain
					cycle := k / s.InWords % (64 + n)
					in[k+s.InWords-2], in[k+s.InWords-1] = 0, 0
					if cycle == 0 {
						in[k+s.InWords-2] = 1
					}
					if cycle >= 64 {
						in[k+s.InWords-1] = 1
					}
					in[k] = 0
				}
			})
		})
	}
}

// benchmark runs b.N cycles in batches of 4096 and reports millions of cycles a second.
func benchmark(b *testing.B, d *ir.Design, shape func(in []uint64, s verify.Shape)) {
	const batch = 4096
	e, err := newIn(b, b.TempDir(), d)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := verify.ShapeOf(d.Top)
	in, out := records(s, 1, batch), make([]uint64, batch*s.OutWords)
	shape(in, s)
	b.ResetTimer()
	for left := b.N; left > 0; left -= batch {
		if err := e.Run(in, out, min(batch, left)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mcycles/s")
}

// crossbar is a pair of planes of 1-bit cells: sums of rows bits for each of cols columns,
// the difference accumulated over bit planes.
func crossbar(rows, cols int) *ir.Design {
	m := ir.New("crossbar", "A differential pair of crossbars.")
	mask := m.In("mask", ir.Vec(rows, 1), "")
	first := m.In("first", ir.Bits(1), "")
	sum := func(name string) *ir.Node {
		cells := m.Mem(name, 1, ir.Vec(rows*cols, 1))
		return mask.MaskedSum(m.Lookup(cells, m.K(1, 0)), 16, false)
	}
	diff := sum("plus").Sub(sum("minus"))
	acc := m.Reg("acc", ir.Vec(cols, 16), 0)
	acc.Set(first.Mux(diff, acc.Q.ShlK(1).Add(diff)))
	m.Out("sums", acc.Q.Elems(0, 8), "")
	return ir.NewDesign(m)
}

func BenchmarkCrossbar(b *testing.B) {
	needGo(b)
	b.Run("256x256", func(b *testing.B) {
		benchmark(b, crossbar(256, 256), func([]uint64, verify.Shape) {})
	})
}
