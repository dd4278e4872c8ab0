package hw_test

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"testing"

	"ohmloom/gen/lower"
	"ohmloom/gen/mapping"
	"ohmloom/gen/model"
	"ohmloom/gen/program"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
	"ohmloom/verify/gosim"
	"ohmloom/verify/interp"
	"ohmloom/verify/verilated"
)

// trained is a model with its golden vectors, and the steps that banks reproduce.
type trained struct {
	m *model.Model
	g *model.Golden
}

func openTrained(t *testing.T, name string) trained {
	t.Helper()
	m, g := open(t, name)
	if err := g.Check(m); err != nil {
		t.Fatal(err)
	}
	return trained{m, g}
}

// steps are what the model computes on crossbars of the given setting at every golden
// position: the golden file's own when ideal, else those of the model's arithmetic, whose
// first sums and logits the file holds.
func (m trained) steps(t *testing.T, rows, bits, most int) []model.Trace {
	t.Helper()
	if rows == 0 {
		return m.g.Steps[:min(most, len(m.g.Steps))]
	}
	run := m.m.NewRun(model.Clip(rows, bits))
	var steps []model.Trace
	for pos := 0; len(steps) < min(most, len(m.g.Steps)); pos++ {
		step := run.Step(m.g.PromptTokens[pos])
		if pos == m.g.Steps[len(steps)].Pos {
			steps = append(steps, *step)
		}
	}
	for _, x := range m.g.XBar {
		if x.Rows != rows || x.Bits != bits {
			continue
		}
		for _, p := range model.Projections {
			if _, acc := steps[0].Layers[0].Projection(p); !slices.Equal(acc, x.First.Projection(p)) {
				t.Fatalf("%d rows, %d bits: sums of %s are not the golden ones", rows, bits, p)
			}
		}
		if !slices.Equal(steps[0].Final.Logits, x.Logits) {
			t.Fatalf("%d rows, %d bits: logits are not the golden ones", rows, bits)
		}
		return steps
	}
	t.Fatalf("the golden file has no case of %d rows and %d bits", rows, bits)
	return nil
}

// banks places the whole model and gives the program of each bank.
func (m trained) banks(t *testing.T, b hw.Bank, banks int) (*mapping.Plan, []hw.Bank) {
	t.Helper()
	plan, err := mapping.Place(mapping.Chip{Banks: banks, TileRows: b.Rows, TileCols: b.Cols, PEs: b.PEs,
		Rows: b.Crossbar.Rows, Cols: b.Crossbar.Cols, Ops: b.Ops, Blocks: b.Blocks, Reads: b.Reads}, program.Ops(m.m))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]hw.Bank, banks)
	for i := range all {
		all[i] = b
		all[i].Program = lower.BankProgram(plan, i, func(op, j int) hw.BankMatrix {
			w, err := m.m.Matrix(plan.Ops[op].Matrices[j].Name)
			if err != nil {
				t.Fatal(err)
			}
			out := hw.BankMatrix{M: w.M, S: w.S}
			for o := range w.Out {
				out.Weights = append(out.Weights, w.Row(o))
			}
			bits, act := program.Result(w.Name[len(w.Name)-2:])
			switch {
			case act:
				out.Post = hw.PostActivate
			case bits == 16:
				out.Post = hw.Post16
			}
			return out
		})
	}
	return plan, all
}

// engineMaker builds an engine for a design.
type engineMaker struct {
	name  string
	needs []string
	build func(context.Context, *ir.Design) (verify.Engine, error)
}

var everyEngine = []engineMaker{
	{"interp", nil, func(_ context.Context, d *ir.Design) (verify.Engine, error) { return interp.New(d) }},
	{"gosim", nil, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return gosim.New(ctx, d, gosim.Options{})
	}},
	{"verilated", []string{"verilator", "g++"}, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return verilated.New(ctx, d, verilated.Options{})
	}},
}

// projectAll runs every projection of every layer of the model through its banks and
// compares each result with the steps'; without stalls also the cycles.
func (m trained) projectAll(t *testing.T, b hw.Bank, banks int, steps []model.Trace, engine engineMaker, stall float64) {
	t.Helper()
	plan, all := m.banks(t, b, banks)
	module := b.Build(hw.NewLib(nil))
	e, err := engine.build(t.Context(), ir.NewDesign(module))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	results := 0
	for i, bank := range all {
		var cmds, x []hw.Beat
		for s := range steps {
			for j, op := range plan.Banks[i].Ops {
				in, _ := program.Projected(m.m, &steps[s], plan.Ops[op].Matrices[0].Name)
				cmds = append(cmds, hw.Beat{{uint64(j)}})
				x = append(x, bank.Vector(in)...)
			}
		}
		beats := 0
		for _, op := range bank.Program {
			for _, w := range op.Matrices {
				beats += len(steps) * ((len(w.Weights) + b.Lanes - 1) / b.Lanes)
			}
		}
		if err := e.Power(5, bank.Image(module.Name)); err != nil {
			t.Fatal(err)
		}
		res, err := drive.Run(e, module, []drive.Feed{{Name: "cmd", Beats: cmds}, {Name: "x", Beats: x}}, []drive.Want{{Name: "y", Beats: beats}},
			drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(9))})
		if err != nil {
			t.Fatal(err)
		}
		if want := bank.Cycles([][]hw.Beat{cmds}); stall == 0 && res.Cycles != want {
			t.Errorf("bank %d: %d cycles, want %d", i, res.Cycles, want)
		}
		y := res.Out[0]
		for s := range steps {
			for j, op := range plan.Banks[i].Ops {
				var got [][]int16
				got, y = bank.Collect(j, y)
				for k, w := range plan.Ops[op].Matrices {
					_, want := program.Projected(m.m, &steps[s], w.Name)
					if !slices.Equal(got[k], want) {
						t.Fatalf("position %d, %s: %v, want %v", steps[s].Pos, w.Name, got[k], want)
					}
					results++
				}
			}
		}
	}
	if want := len(steps) * len(m.m.Matrices()); results != want {
		t.Errorf("%d projections, want %d", results, want)
	}
}

// bankOf is a bank for a model that has squared ReLU.
func bankOf(rows, cols, pes, lanes int, x hw.Crossbar) hw.Bank {
	n := rows * cols * pes
	return hw.Bank{Rows: rows, Cols: cols, PEs: pes, Lanes: lanes, Ops: n, Blocks: n, Reads: n, Buffer: 8, Crossbar: x,
		Act: hw.Activation{Func: hw.SquaredReLU, Shift: 7}}
}

// xbarCase is a crossbar setting; rows 0 is the ideal one.
type xbarCase struct{ rows, bits int }

func (x xbarCase) String() string {
	if x.rows == 0 {
		return "ideal"
	}
	return fmt.Sprintf("%d_rows_%d_bits", x.rows, x.bits)
}

func (x xbarCase) crossbar(rows, cols, share int) hw.Crossbar {
	if x.rows == 0 {
		return hw.Crossbar{Rows: rows, Cols: cols, Share: share, Active: rows, Step: hw.StepIdeal}
	}
	return hw.Crossbar{Rows: rows, Cols: cols, Share: share, Active: min(x.rows, rows), Bits: x.bits, Step: hw.StepClip}
}

// xbarCases are the ideal crossbar and those that lose. Verilator's models of the last two are
// built at night only.
var xbarCases = []xbarCase{{}, {128, 5}, {64, 4}, {64, 7}}

const verilatedCases = 2

// All projections of every layer: ideal crossbars and those that lose, on every engine. The
// crossbars of 128 rows convert 128 at once, or 64.
func TestModelsOnABankAreGolden(t *testing.T) {
	for _, c := range []struct {
		model string
		steps int // golden positions
		bank  func(x hw.Crossbar) hw.Bank
		cols  int
	}{
		{"nano", 3, func(x hw.Crossbar) hw.Bank { return bankOf(1, 2, 10, 8, x) }, 64},
		{"micro", 1, func(x hw.Crossbar) hw.Bank { return bankOf(1, 3, 16, 16, x) }, 128},
	} {
		m := openTrained(t, c.model)
		for i, x := range xbarCases {
			for _, engine := range everyEngine {
				t.Run(c.model+"/"+x.String()+"/"+engine.name, func(t *testing.T) {
					tools.NeedForTest(t, engine.needs...)
					if engine.needs != nil && (testing.Short() || os.Getenv("OHMLOOM_NIGHTLY") == "" && (i >= verilatedCases || c.model != "nano")) {
						t.Skip("OHMLOOM_NIGHTLY is not set")
					}
					m.projectAll(t, c.bank(x.crossbar(128, c.cols, 8)), 1, m.steps(t, x.rows, x.bits, c.steps), engine, 0)
				})
			}
		}
	}
}

// Sizes that divide nothing: three banks of tiles of three PEs of 48 x 40, with stalls on every port.
func TestModelOnBanksOfOddSizesIsGolden(t *testing.T) {
	nano := openTrained(t, "nano")
	b := bankOf(2, 5, 3, 7, xbarCase{}.crossbar(48, 40, 7))
	for _, stall := range []float64{0, 0.4} {
		nano.projectAll(t, b, 3, nano.steps(t, 0, 0, 2), everyEngine[0], stall)
	}
}
