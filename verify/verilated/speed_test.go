//go:build unix

package verilated

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify/cache"
	"ohmloom/verify/verilated/vlog"
)

// BenchmarkDriving compares, for the systolic array, cycles a second through Run in batches
// of 256 with those of a plain C++ loop around the same model.
func BenchmarkDriving(b *testing.B) {
	c, err := cache.Default()
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{8, 32} {
		top := systolic(n)
		files, err := vlog.Emit(ir.NewDesign(top))
		if err != nil {
			b.Fatal(err)
		}
		t, err := tools(b.Context(), false)
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		e, err := FromVerilog(b.Context(), top, nil, files, Options{Cache: c})
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%dx%d built in %v, loaded in %v", n, n, e.Built, time.Since(start)-e.Built)
		files = complete(top, files)
		for i := range files {
			if files[i].Name == harnessFile {
				files[i].Text += plainLoop(top)
			}
		}
		so, _, err := t.library(b.Context(), c, files, false)
		if err != nil {
			b.Fatal(err)
		}
		m, err := newLocal(so)
		if err != nil {
			b.Fatal(err)
		}
		e.model = m
		if err := e.Power(1, nil); err != nil {
			b.Fatal(err)
		}
		h, err := purego.Dlopen(so, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			b.Fatal(err)
		}
		plain, err := purego.Dlsym(h, "ohm_plain")
		if err != nil {
			b.Fatal(filepath.Base(so), err)
		}
		const batch = 256
		in, out := make([]uint64, batch*e.shape.InWords), make([]uint64, batch*e.shape.OutWords)
		for i := range in {
			in[i] = bits.Mix(uint64(i))
		}
		for k := range batch {
			in[k*e.shape.InWords] = 0
		}
		run := func(cycles int) (plainTime, driven time.Duration) {
			start := time.Now()
			purego.SyscallN(plain, m.(*local).handle, uintptr(cycles))
			plainTime = time.Since(start)
			start = time.Now()
			for k := 0; k < cycles; k += batch {
				if err := e.Run(in, out, batch); err != nil {
					b.Fatal(err)
				}
			}
			return plainTime, time.Since(start)
		}
		b.Run(fmt.Sprintf("%dx%d", n, n), func(b *testing.B) {
			var p, d time.Duration
			cycles := 0
			for b.Loop() {
				dp, dd := run(4 * batch)
				p, d, cycles = p+dp, d+dd, cycles+4*batch
			}
			b.ReportMetric(float64(cycles)/p.Seconds(), "plain-cycles/s")
			b.ReportMetric(float64(cycles)/d.Seconds(), "driven-cycles/s")
			b.ReportMetric(100*(d.Seconds()/p.Seconds()-1), "overhead-%")
		})
		e.Close()
	}
}

// systolic is an n x n output-stationary array of int8 multipliers and 32-bit sums, which
// leave through the first row while shift is 1. (Towards the last row it would be a hundred
// times slower: Verilator 5.006 turns a vector whose low part is zero into one long shift.)
func systolic(n int) *ir.Module {
	pe := ir.New("speed_pe", "")
	a, b := pe.In("a", ir.Bits(8), ""), pe.In("b", ir.Bits(8), "")
	below, shift := pe.In("below", ir.Bits(32), ""), pe.In("shift", ir.Bits(1), "")
	ra, rb, acc := pe.DataReg("ra", ir.Bits(8)), pe.DataReg("rb", ir.Bits(8)), pe.Reg("acc", ir.Bits(32), 0)
	ra.Set(a)
	rb.Set(b)
	product := a.SExt(16).Mul(b.SExt(16)).SExt(32)
	acc.Set(shift.Mux(below, acc.Q.Add(product)))
	pe.Out("a_out", ra.Q, "")
	pe.Out("b_out", rb.Q, "")
	pe.Out("sum", acc.Q, "")

	m := ir.New(fmt.Sprintf("speed_%dx%d", n, n), "")
	grid := m.Array("pe", pe, n, n)
	grid.Chain("a", "a_out", ir.West, m.In("a", ir.Vec(n, 8), ""))
	grid.Chain("b", "b_out", ir.North, m.In("b", ir.Vec(n, 8), ""))
	grid.Chain("below", "sum", ir.South, m.KVec(32, make([]uint64, n)...))
	grid.In("shift", m.In("shift", ir.Bits(1), ""))
	m.Out("sum", m.Edge(grid, "sum", ir.North), "")
	return m
}

// plainLoop is the loop that somebody would write in C++: inputs from a ring of prepared
// values in Verilator's own words, outputs added up.
func plainLoop(top *ir.Module) string {
	s, words := "", 0
	body := ""
	width := func(p *ir.Port) int { return (p.Type.Total() + 31) / 32 }
	for i, p := range top.Inputs() {
		switch {
		case p.Type.Total() > 64:
			body += fmt.Sprintf("    for (int i = 0; i < %d; ++i) t.i%d.data()[i] = r[%d + i];\n", width(p), i, words)
			if rest := p.Type.Total() % 32; rest != 0 {
				body += fmt.Sprintf("    t.i%d.data()[%d] &= %#x;\n", i, width(p)-1, bits.Mask(rest))
			}
		case p.Type.Total() > 32:
			body += fmt.Sprintf("    t.i%d = (r[%d] | uint64_t{r[%d]} << 32) & %#xull;\n", i, words, words+1, bits.Mask(p.Type.Total()))
		default:
			body += fmt.Sprintf("    t.i%d = r[%d] & %#x;\n", i, words, bits.Mask(p.Type.Total()))
		}
		words += width(p)
	}
	body += "    t.clk = 0; t.rst = 0; t.eval();\n"
	for i, p := range top.Outputs() {
		if p.Type.Total() > 64 {
			body += fmt.Sprintf("    for (int i = 0; i < %d; ++i) sum += t.o%d.data()[i];\n", width(p), i)
		} else {
			body += fmt.Sprintf("    sum += t.o%d;\n", i)
		}
	}
	s += fmt.Sprintf(`
OHM_API uint64_t ohm_plain(void* h, uint64_t n) {
  Vtb& t = *static_cast<Model*>(h)->top;
  static uint32_t ring[256][%d];
  uint64_t x = 88172645463325252ull, sum = 0;
  for (auto& r : ring) for (auto& w : r) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; w = x; }
  for (uint64_t k = 0; k < n; ++k) {
    const uint32_t* r = ring[k & 255];
%s    t.clk = 1; t.eval();
  }
  return sum;
}
`, words, body)
	return s
}
