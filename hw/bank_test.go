package hw_test

import (
	"math/rand"
	"strings"
	"testing"

	"ohmloom/hw"
)

// The parts of an operation's time are all of it.
func TestTimeOfAnOperationAddsUp(t *testing.T) {
	for _, entry := range hw.Table {
		if entry.Name != "bank" {
			continue
		}
		for seed := int64(0); seed < 200; seed++ {
			b := entry.Random(rand.New(rand.NewSource(seed))).(hw.Bank)
			for op := range b.Program {
				want := b.Cycles([][]hw.Beat{{{{uint64(op)}}}})
				if got := b.Time(b.Program[op].Shape()); got.Total() != want {
					t.Fatalf("%s, operation %d: %+v is %d cycles, want %d", b.Name(), op, got, got.Total(), want)
				}
			}
		}
	}
}

// published is a layer of PIM-LLM (arXiv 2504.01994) with the time that MNSIM 2.0 gave the
// authors for its projections, nanoseconds; d and hidden as published.
type published struct {
	name        string
	d, hidden   int
	nanoseconds int
}

var publishedLayers = []published{
	{"GPT2-350M", 1024, 1024, 49_919}, {"GPT2-1.5B", 1600, 1600, 71_250}, {"OPT-1.3B", 2048, 8192, 129_023},
	{"LLaMA-7B", 4096, 11_008, 244_099}, {"OPT-6.7B", 4096, 16_384, 322_854},
}

// layer is the operations of a layer, and a bank with a PE for each block of it.
func (p published) layer(lanes, active int) (hw.Bank, []hw.Shape) {
	shapes := []hw.Shape{{K: p.d, N: []int{p.d, p.d, p.d}}, {K: p.d, N: []int{p.d}}, {K: p.d, N: []int{p.hidden}}, {K: p.hidden, N: []int{p.d}}}
	const side, pes = 256, 16
	blocks := func(n int) int { return (n + side - 1) / side }
	need := 0
	for _, s := range shapes {
		for _, n := range s.N {
			need += blocks(s.K) * blocks(n)
		}
	}
	b := hw.Bank{Rows: 1, Cols: 1, PEs: pes, Lanes: lanes, Ops: 4, Blocks: 512, Reads: 512, Buffer: 1024,
		Crossbar: hw.Crossbar{Rows: side, Cols: side, Share: 8, Active: active, Bits: 8, Step: hw.StepClip}, Act: hw.Activation{Func: hw.SquaredReLU, Shift: 7}}
	for b.Rows*b.Cols*pes < need {
		if b.Cols <= b.Rows {
			b.Cols++
		} else {
			b.Rows++
		}
	}
	return b, shapes
}

// A layer's projections with crossbars of 256 x 256 at the paper's 100 MHz take, conversions
// and all, at most a fifth of the modelled time, with converters that serve 8 columns each.
func TestProjectionsTakeAFifthOfTheModelledTime(t *testing.T) {
	for _, active := range []int{256, 64} {
		for _, lanes := range []int{32, 64} {
			for _, p := range publishedLayers {
				b, shapes := p.layer(lanes, active)
				if err := b.Check(); err != nil {
					t.Fatal(err)
				}
				var sum hw.OpTime
				for _, s := range shapes {
					o := b.Time(s)
					sum.Buffers, sum.Distribute, sum.Network = sum.Buffers+o.Buffers, sum.Distribute+o.Distribute, sum.Network+o.Network
					sum.Conversions, sum.ShiftAdd = sum.Conversions+o.Conversions, sum.ShiftAdd+o.ShiftAdd
					sum.Read, sum.Post = sum.Read+o.Read, sum.Post+o.Post
				}
				const nanoseconds = 10
				took := nanoseconds * sum.Total()
				t.Logf("%s, %d rows a conversion, %d lanes, %d x %d tiles: %+v, %d cycles, %d ns, 1/%.1f of %d ns", p.name, active, lanes, b.Rows, b.Cols,
					sum, sum.Total(), took, float64(p.nanoseconds)/float64(took), p.nanoseconds)
				if quiet := took - nanoseconds*sum.Conversions; 5*quiet > p.nanoseconds {
					t.Errorf("%s: communication and control take %d ns, more than a fifth of %d", p.name, quiet, p.nanoseconds)
				}
				if 5*took > p.nanoseconds && active == 256 {
					t.Errorf("%s: projections take %d ns, more than a fifth of %d", p.name, took, p.nanoseconds)
				}
			}
		}
	}
}

// The formula depends on counts only: a layer of OPT-6.7B costs microseconds.
func BenchmarkTimeOfALayer(b *testing.B) {
	bank, shapes := publishedLayers[4].layer(32, 256)
	for b.Loop() {
		bank.OpsCycles(shapes)
	}
}

func TestProgramsThatDoNotFitAreNamed(t *testing.T) {
	b := bankOf(1, 1, 4, 2, hw.Crossbar{Rows: 2, Cols: 2, Share: 1, Active: 2, Step: hw.StepIdeal})
	matrix := func(n, k int, pe [][]int) hw.BankMatrix {
		m := hw.BankMatrix{PE: pe}
		for range n {
			m.Weights = append(m.Weights, make([]int8, k))
		}
		return m
	}
	wrong := matrix(1, 2, [][]int{{0}})
	wrong.Weights[0][1] = 2
	for want, program := range map[string][]hw.BankOp{
		"uses PE 4 of 4":    {{K: 2, Matrices: []hw.BankMatrix{matrix(2, 2, [][]int{{4}})}}},
		"as does":           {{K: 4, Matrices: []hw.BankMatrix{matrix(2, 4, [][]int{{1}, {1}})}}},
		"column blocks":     {{K: 2, Matrices: []hw.BankMatrix{matrix(3, 2, [][]int{{0}})}}},
		"row blocks in PEs": {{K: 3, Matrices: []hw.BankMatrix{matrix(2, 3, [][]int{{0}})}}},
		"weight [0][1] is":  {{K: 2, Matrices: []hw.BankMatrix{wrong}}},
	} {
		b.Program = program
		if err := b.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v should say %q", err, want)
		}
	}
}
