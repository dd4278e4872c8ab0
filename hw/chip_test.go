package hw_test

import (
	"fmt"
	"math/rand"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/hw/isa"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// chipProgram is a model on one bank, whose ops are those of all layers, kind by kind.
const chipProgram = `
token:  embed  rows=%[1]d
        load
layer:  norm   dst=0
        mvm    src=0 dst=1 count=3 op=0 layer=1
        attend src=1 dst=4
        mvm    src=4 dst=5 op=%[2]d layer=1
        add    src=5
        norm   dst=0
        mvm    src=0 dst=6 op=%[3]d layer=1
        mvm    src=6 dst=5 op=%[4]d layer=1
        add    src=5
        loop   times=%[2]d target=layer
        more   target=token
        table  rows=%[1]d
        norm   dst=0
        head   src=0
        emit   target=token
        halt
`

// chipOf is a chip with room for the model on banks of one tile.
func chipOf(t *testing.T, m *model.Model, lanes int, x hw.Crossbar, engine hw.AttentionEngine) hw.Chip {
	t.Helper()
	c := &m.Config
	p, err := isa.Assemble("chip_test.go", fmt.Sprintf(chipProgram, c.VocabSize, c.NLayers, 2*c.NLayers, 3*c.NLayers))
	if err != nil {
		t.Fatal(err)
	}
	var ops []hw.BankOp
	pes, blocks, reads := 0, 0, 0
	for _, names := range [][]string{{"wq", "wk", "wv"}, {"wo"}, {"w1"}, {"w2"}} {
		for l := range c.NLayers {
			var op hw.BankOp
			for _, name := range names {
				w, err := m.Matrix(fmt.Sprintf("layers.%d.%s", l, name))
				if err != nil {
					t.Fatal(err)
				}
				matrix := hw.BankMatrix{M: w.M, S: w.S, Post: map[string]hw.Post{"wo": hw.Post16, "w2": hw.Post16, "w1": hw.PostActivate}[name]}
				for o := range w.Out {
					matrix.Weights = append(matrix.Weights, w.Row(o))
				}
				nc := (w.Out + x.Cols - 1) / x.Cols
				for range (w.In + x.Rows - 1) / x.Rows {
					row := make([]int, nc)
					for i := range row {
						row[i] = pes
						pes++
					}
					matrix.PE = append(matrix.PE, row)
				}
				op.K, op.Matrices, reads = w.In, append(op.Matrices, matrix), reads+nc
			}
			ops, blocks = append(ops, op), blocks+(op.K+x.Rows-1)/x.Rows
		}
	}
	tiles := 2
	return hw.Chip{Lanes: lanes, Words: 64, Buffers: 7, Vector: c.DFF, Banks: 1, Vocab: c.VocabSize, Attention: engine,
		Unit: hw.VectorUnit{D: c.DModel, K: c.NormK, Shift: c.NormShift, EmbShift: c.EmbShift, Slots: 1},
		Bank: hw.Bank{Rows: 1, Cols: tiles, PEs: (pes + tiles - 1) / tiles, Ops: len(ops), Blocks: blocks, Reads: reads, Buffer: (c.DFF+lanes-1)/lanes + 2,
			Crossbar: x, Act: hw.Activation{Func: hw.SquaredReLU, Shift: c.ActRShift}},
		Program: p.Codes(), Matrices: [][]hw.BankOp{ops}}
}

// chipRun is what goes into a chip and must come out to write text after a prompt.
func chipRun(m *model.Model, b hw.Chip, prompt []int, text model.GoldenText, n int) (feeds []drive.Feed, wants []drive.Want, tokens []hw.Beat) {
	var prompts, rows []hw.Beat
	c := &m.Config
	fetch := 0
	row := func(v int) {
		rows = append(rows, beatsOf(m.Embedding.Row(v), b.RowLanes(), 8)...)
	}
	for i, token := range prompt {
		prompts = append(prompts, hw.Beat{{uint64(token)}, {flag(i == len(prompt)-1)}})
	}
	for i, token := range append(append([]int(nil), prompt...), text.Tokens[:n-1]...) {
		row(token)
		fetch++
		if i < len(prompt)-1 {
			continue
		}
		fetch++
		for v := range c.VocabSize {
			row(v)
		}
	}
	for i, token := range text.Tokens[:n] {
		tokens = append(tokens, hw.Beat{{uint64(token)}, {flag(i == n-1)}})
	}
	cmd := hw.Beat{{0}, {uint64(n)}, {100000}, {1}, {uint64(text.IT16)}, {uint64(m.Embedding.M)}, {uint64(m.Embedding.S)}, {uint64(text.Seed)}}
	feeds = []drive.Feed{{Name: "cmd", Beats: []hw.Beat{cmd}}, {Name: "prompt", Beats: prompts}, {Name: "row", Beats: rows}}
	wants = []drive.Want{{Name: "token", Beats: n}, {Name: "done", Beats: 1}, {Name: "fetch", Beats: fetch}}
	return feeds, wants, tokens
}

// writes runs a chip and compares every token with the text.
func writes(t *testing.T, m *model.Model, b hw.Chip, prompt []int, text model.GoldenText, n int, stall float64, engine func(*ir.Design) (verify.Engine, error)) {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	module := b.Build(hw.NewLib(nil))
	d := ir.NewDesign(module)
	ir.MustCheck(d)
	e, err := engine(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(3, b.Image(module.Name)); err != nil {
		t.Fatal(err)
	}
	feeds, wants, tokens := chipRun(m, b, prompt, text, n)
	res, err := drive.Run(e, module, feeds, wants, drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(7))})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(res.Out[0], tokens, func(a, b hw.Beat) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Fatalf("wrote %v, want %v", res.Out[0], tokens)
	}
	if code := res.Out[1][0][0][0]; code != hw.RunEnded {
		t.Fatalf("ended with %s", hw.ErrorCodes[code])
	}
	if stall == 0 {
		if want := b.Cycles([][]hw.Beat{feeds[0].Beats, feeds[1].Beats, nil, feeds[2].Beats}); res.Cycles != want {
			t.Errorf("took %d cycles, want %d", res.Cycles, want)
		}
	}
	given := res.Given[0]
	t.Logf("%d tokens after %d, %d cycles; the last token %d", n, len(prompt), res.Cycles, given[n-1]-given[max(n-2, 0)])
}

// nanoChips are chips for nano: sizes that divide one another and spread attention, and sizes
// that divide nothing and column attention.
func nanoChips(t *testing.T, m *model.Model) []hw.Chip {
	c := &m.Config
	spread := spreadFor(m, 8, 8, 4)
	column := hw.AttentionColumn{Rows: 5, Cols: 7, Heads: c.NHeads, KVHeads: c.NHeads, HeadChannels: c.HeadChannels, Context: c.Ctx, Layers: c.NLayers}
	return []hw.Chip{
		chipOf(t, m, 16, hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64, Step: hw.StepIdeal}, spread),
		chipOf(t, m, 5, hw.Crossbar{Rows: 48, Cols: 40, Share: 7, Active: 48, Step: hw.StepIdeal}, column.WithBias(spread.Bias)),
	}
}

// What the chip computes is what the model does: all text of the golden file, past the wrap of
// the ring, whatever the sizes.
func TestTheChipsArithmeticWritesGoldenText(t *testing.T) {
	m, g := open(t, "nano")
	for _, b := range nanoChips(t, m) {
		for _, text := range []model.GoldenText{g.Greedy, g.LongGreedy, g.Sampled} {
			feeds, _, want := chipRun(m, b, g.PromptTokens, text, text.N)
			got := b.Arithmetic([][]hw.Beat{feeds[0].Beats, feeds[1].Beats, nil, feeds[2].Beats})
			if fmt.Sprint(got[0]) != fmt.Sprint(want) {
				t.Fatalf("%s writes %v, want %v", b.Name(), got[0], want)
			}
		}
	}
}

func TestNanoWritesTextOnTheChip(t *testing.T) {
	m, g := open(t, "nano")
	chips := nanoChips(t, m)
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		writes(t, m, chips[0], g.PromptTokens, g.Greedy, 3, 0, engine)
		writes(t, m, chips[0], g.PromptTokens, g.Sampled, 8, 0.1, engine)
	})
}

func TestNanoWritesTheSameTextAtOddSizes(t *testing.T) {
	m, g := open(t, "nano")
	writes(t, m, nanoChips(t, m)[1], g.PromptTokens, g.Greedy, 3, 0.2, engines[0])
}

// A memory that never answers ends the run with a code.
func TestAMemoryThatDoesNotAnswerEndsTheRun(t *testing.T) {
	m, g := open(t, "nano")
	b := nanoChips(t, m)[0]
	module, e := start(t, b, 3, engines[0])
	feeds, _, _ := chipRun(m, b, g.PromptTokens[:1], g.Greedy, 1)
	feeds[0].Beats[0][2][0] = 500 // limit
	res, err := drive.Run(e, module, feeds[:2], []drive.Want{{Name: "done", Beats: 1}, {Name: "fetch", Beats: 1}}, drive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if code := res.Out[0][0][0][0]; code != hw.TimedOut || res.Cycles > 600 {
		t.Errorf("ended with %s after %d cycles", hw.ErrorCodes[code], res.Cycles)
	}
}

func TestVerilogOfAChipIsAcceptedWithoutAWord(t *testing.T) {
	if testing.Short() {
		t.Skip("runs two tools on a whole chip")
	}
	tools.NeedForTest(t, "verilator", "iverilog")
	m, _ := open(t, "nano")
	for _, b := range nanoChips(t, m) {
		d := ir.NewDesign(b.Build(hw.NewLib(nil)))
		out, err := rtl.Emit(d, rtl.Options{})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if err := out.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range [][]string{
			{"verilator", "--lint-only", "-Wall", "-f", "sim.f", "--top-module", d.Name},
			{"iverilog", "-g2005", "-Wall", "-f", "sim.f", "-t", "null", "-s", d.Name},
		} {
			c := exec.Command(cmd[0], cmd[1:]...)
			c.Dir = dir
			if said, err := c.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%s: %s: %v\n%s", d.Name, cmd[0], err, said)
			}
		}
	}
}
