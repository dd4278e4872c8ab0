package compile_test

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/gen/lower"
	"ohmloom/gen/model"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/gosim"
	"ohmloom/verify/host"
	"ohmloom/verify/interp"
	"ohmloom/verify/verilated"
)

const examples = "../../examples/"

// described is a chip of a description, with variables.
func described(t *testing.T, file string, vars map[string]string) *arch.Chip {
	t.Helper()
	c, diags := config.Load(context.Background(), file, config.Options{Vars: vars})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return c
}

// opened is a shipped model with its golden vectors.
func opened(t *testing.T, name string) (*model.Model, *model.Golden) {
	t.Helper()
	m, err := model.Open(examples + "models/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.OpenGolden(examples + "models/" + name + ".golden.json")
	if err != nil {
		t.Fatal(err)
	}
	return m, g
}

func compiled(t *testing.T, c *arch.Chip, m *model.Model) *compile.Compiled {
	t.Helper()
	p, err := compile.Compile(c, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var engines = map[string]func(t *testing.T, d *ir.Design) (verify.Engine, error){
	"interp": func(_ *testing.T, d *ir.Design) (verify.Engine, error) { return interp.New(d) },
	"gosim": func(t *testing.T, d *ir.Design) (verify.Engine, error) {
		return gosim.New(t.Context(), d, gosim.Options{})
	},
	"verilated": func(t *testing.T, d *ir.Design) (verify.Engine, error) {
		return verilated.New(t.Context(), d, verilated.Options{})
	},
}

// text is what the chip writes after a prompt on an engine.
func text(t *testing.T, engine string, c *arch.Chip, p *compile.Compiled, cmd compile.Command, prompt []int, latency int) []int {
	t.Helper()
	if engine == "verilated" {
		tools.NeedForTest(t, "verilator", "g++")
	}
	tile, err := lower.Chip(c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engines[engine](t, tile.Design)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	chip := p.Chip
	if p.Writable() {
		chip = chip.Blank()
	}
	if err := e.Power(5, chip.Image(tile.Design.Top.Name)); err != nil {
		t.Fatal(err)
	}
	if p.Writable() {
		told, _, err := host.Write(t.Context(), e, tile.Design.Top, p.Rows(), len(p.Told()))
		if err != nil || !reflect.DeepEqual(told, p.Told()) {
			t.Fatalf("%s: %v, and rows of weights came to something else than in the arithmetic", engine, err)
		}
	}
	h, err := host.New(e, tile.Design.Top, p.Row)
	if err != nil {
		t.Fatal(err)
	}
	h.Latency = latency
	var tokens []int
	end, err := h.Run(t.Context(), p.Command(cmd), prompt, func(k host.Token) error {
		tokens = append(tokens, k.ID)
		if k.Last != (len(tokens) == cmd.Tokens) {
			t.Errorf("%s: token %d of %d says last: %v", engine, len(tokens), cmd.Tokens, k.Last)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if end.Code != hw.RunEnded {
		t.Fatalf("%s: the run ended with %s", engine, hw.ErrorCodes[end.Code])
	}
	return tokens
}

// arithmetic is what the model writes with the crossbars of p.
func arithmetic(t *testing.T, p *compile.Compiled, cmd compile.Command, prompt []int) []int {
	t.Helper()
	project, err := p.Projector(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := p.Model.NewRun(project)
	s := &model.Sampler{State: cmd.Seed, IT16: cmd.InverseTemp, M: p.Model.Embedding.M, S: p.Model.Embedding.S}
	var logits []int32
	for _, id := range prompt {
		logits = run.Step(id).Final.Logits
	}
	var tokens []int
	for len(tokens) < cmd.Tokens {
		id := 0
		if cmd.InverseTemp == 0 {
			id = model.Greedy(logits)
		} else {
			id = s.Next(logits)
		}
		tokens = append(tokens, id)
		logits = run.Step(id).Final.Logits
	}
	return tokens
}

func nightly(t *testing.T) {
	t.Helper()
	if os.Getenv("OHMLOOM_NIGHTLY") == "" {
		t.Skip("slow: runs with OHMLOOM_NIGHTLY=1")
	}
}

// goldenTexts lets a chip write the first n tokens of each golden text (0: all), and compares.
func goldenTexts(t *testing.T, engine string, c *arch.Chip, m *model.Model, g *model.Golden, n int) {
	t.Helper()
	p := compiled(t, c, m)
	for i, want := range []model.GoldenText{g.Greedy, g.Sampled, g.LongGreedy} {
		if n > 0 && i == 2 {
			break // begins like the greedy one
		}
		tokens := want.Tokens
		if n > 0 {
			tokens = tokens[:n]
		}
		cmd := compile.Command{Tokens: len(tokens), Limit: 1_000_000, InverseTemp: want.IT16, Seed: uint32(want.Seed)}
		if got := text(t, engine, c, p, cmd, g.PromptTokens, i); !slices.Equal(got, tokens) {
			t.Errorf("%s writes %q, golden is %q", engine, m.Decode(got), m.Decode(tokens))
		}
	}
}

func TestNanoWritesItsGoldenTextOnEveryEngine(t *testing.T) {
	m, g := opened(t, "nano")
	c := described(t, examples+"nano.hcl", nil)
	for name, n := range map[string]int{"interp": 1, "gosim": 2, "verilated": 8} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "interp" {
				t.Skip("builds a simulator")
			}
			goldenTexts(t, name, c, m, g, n)
		})
	}
}

// Greedy, sampled, and so long that the ring of keys and values wraps.
func TestNanoWritesAllGoldenTextsOnEveryEngine(t *testing.T) {
	nightly(t)
	m, g := opened(t, "nano")
	c := described(t, examples+"nano.hcl", nil)
	for _, name := range []string{"interp", "gosim", "verilated"} {
		t.Run(name, func(t *testing.T) { goldenTexts(t, name, c, m, g, 0) })
	}
}

func TestMicroWritesAllGoldenTexts(t *testing.T) {
	nightly(t)
	m, g := opened(t, "micro")
	c := described(t, examples+"micro.hcl", nil)
	for _, name := range []string{"gosim", "verilated"} {
		t.Run(name, func(t *testing.T) { goldenTexts(t, name, c, m, g, 0) })
	}
}

// Sizes that divide nothing, three banks that each hold parts of a layer, both ways to decode and
// engines side by side give the same text.
func TestTheSizesOfTheChipDoNotChangeTheText(t *testing.T) {
	m, g := opened(t, "nano")
	cmd := compile.Command{Tokens: 2}
	prompt := g.PromptTokens[:2]
	want := ""
	for _, d := range []struct {
		file string
		vars map[string]string
	}{
		{examples + "nano.hcl", map[string]string{"decode": "spread"}}, {examples + "nano.hcl", map[string]string{"decode": "column"}},
		{"testdata/odd.hcl", map[string]string{"decode": "spread"}}, {"testdata/odd.hcl", map[string]string{"decode": "column"}},
		{"testdata/odd.hcl", map[string]string{"engines": "2"}},
	} {
		c := described(t, d.file, d.vars)
		p := compiled(t, c, m)
		if want == "" {
			want = m.Decode(arithmetic(t, p, cmd, prompt))
		}
		if got := m.Decode(text(t, "interp", c, p, cmd, prompt, 3)); got != want {
			t.Errorf("%s, %v: writes %q, want %q", d.file, d.vars, got, want)
		}
	}
}

// lossy are effects that change the text, each alone and all together.
var lossy = []map[string]string{
	{"bits": "4"}, {"variation": "0.3"}, {"offset": "3"}, {"noise": "2"}, {"bits": "5", "variation": "0.2", "offset": "1", "noise": "1"},
}

// Converters that lose and seeded effects of devices give the same text in the arithmetic and in
// the hardware.
func TestDeviceEffectsGiveTheSameTextInGoAndInHardware(t *testing.T) {
	m, g := opened(t, "nano")
	cmd := compile.Command{Tokens: 2, InverseTemp: 16, Seed: 9}
	prompt := g.PromptTokens[:4] // a block of them where nothing is noisy
	for _, vars := range []map[string]string{lossy[0], lossy[len(lossy)-1]} {
		c := described(t, "testdata/odd.hcl", vars)
		p := compiled(t, c, m)
		want := arithmetic(t, p, cmd, prompt)
		if got := text(t, "interp", c, p, cmd, prompt, 0); !slices.Equal(got, want) {
			t.Errorf("%v: writes %q, the arithmetic %q", vars, m.Decode(got), m.Decode(want))
		}
	}
}

// Effects are in the text: it is another than that of ideal crossbars.
func TestDeviceEffectsChangeTheText(t *testing.T) {
	m, g := opened(t, "nano")
	cmd := compile.Command{Tokens: 40, InverseTemp: 16, Seed: 9}
	ideal := arithmetic(t, compiled(t, described(t, "testdata/odd.hcl", nil), m), cmd, g.PromptTokens)
	for _, vars := range lossy {
		p := compiled(t, described(t, "testdata/odd.hcl", vars), m)
		if p.Exact() || slices.Equal(arithmetic(t, p, cmd, g.PromptTokens), ideal) {
			t.Errorf("%v: changes nothing", vars)
		}
	}
}

func TestDeviceEffectsGiveTheSameTextInVerilog(t *testing.T) {
	nightly(t)
	m, g := opened(t, "nano")
	cmd := compile.Command{Tokens: 24, InverseTemp: 16, Seed: 9}
	for _, vars := range lossy {
		c := described(t, "testdata/odd.hcl", vars)
		p := compiled(t, c, m)
		want := arithmetic(t, p, cmd, g.PromptTokens)
		if got := text(t, "verilated", c, p, cmd, g.PromptTokens, 2); !slices.Equal(got, want) {
			t.Errorf("%v: writes %q, the arithmetic %q", vars, m.Decode(got), m.Decode(want))
		}
	}
}

// Weights that came in through the chip's port, some into stuck cells and some with too few pulses,
// give the same text in the arithmetic and in the hardware.
func TestWrittenWeightsGiveTheSameTextInGoAndInHardware(t *testing.T) {
	nightly(t)
	m, g := opened(t, "nano")
	cmd := compile.Command{Tokens: 4, InverseTemp: 16, Seed: 9}
	c := described(t, examples+"nano.hcl", map[string]string{"writable": "true"})
	c.PIM.Crossbar.Effects.Variation, c.PIM.Crossbar.Effects.StuckOff = 0.2, 0.02
	c.PIM.Crossbar.Write.Yield, c.PIM.Crossbar.Write.Pulses = 0.8, 3
	p := compiled(t, c, m)
	if _, failed := p.Written(); failed == 0 {
		t.Error("every row verified")
	}
	want := arithmetic(t, p, cmd, g.PromptTokens[:4])
	if got := text(t, "gosim", c, p, cmd, g.PromptTokens[:4], 0); !slices.Equal(got, want) {
		t.Errorf("writes %q, the arithmetic %q", m.Decode(got), m.Decode(want))
	}
}

func TestAPromptAloneWritesNothing(t *testing.T) {
	m, g := opened(t, "nano")
	c := described(t, examples+"nano.hcl", nil)
	if got := text(t, "interp", c, compiled(t, c, m), compile.Command{}, g.PromptTokens[:2], 0); len(got) > 0 {
		t.Errorf("wrote %v", got)
	}
}

// What does not fit is refused with what would.
func TestWhatDoesNotFitIsRefusedWithWhatWould(t *testing.T) {
	nano, _ := opened(t, "nano")
	micro, _ := opened(t, "micro")
	for _, test := range []struct {
		name   string
		m      *model.Model
		change func(c *arch.Chip)
		want   string
	}{
		{"another model", micro, func(*arch.Chip) {}, "d_model of the checkpoint is 128, the chip is built for 64"},
		{"layers", nano, func(c *arch.Chip) { c.Attention.Layers = 3 }, "n_layers of the checkpoint is 2, the chip is built for 3"},
		{"context", nano, func(c *arch.Chip) { c.Attention.Context = 64 }, "ctx of the checkpoint is 128, the chip is built for 64 (../../examples/nano.hcl:51:3); write context = 128, or"},
		{"no biases", nano, func(c *arch.Chip) { c.Attention.Biased = false }, "add bias = true"},
		{"softmax", nano, func(c *arch.Chip) { c.Attention.Softmax = arch.ConSmax }, `softmax is "consmax"`},
		{"PEs", nano, func(c *arch.Chip) { c.PIM.Bank.PEs = 11 }, "2 PEs are missing"},
		{"words", nano, func(c *arch.Chip) { c.Sequencer.PrefillAsked, c.Sequencer.Words = false, 17 }, "words = 18 makes room"},
		{"buffers", nano, func(c *arch.Chip) { c.Sequencer.Buffers = 6 }, "a decoder layer needs 7"},
		{"words of a block", nano, func(c *arch.Chip) {
			c.Sequencer.PrefillBlock, c.Sequencer.PrefillAsked, c.Sequencer.Words = 8, true, 128
		}, "or prefill_block less than 8"},
		{"halves", nano, func(c *arch.Chip) { c.Sequencer = nil }, "is no whole chip; add sequencer"},
	} {
		c := described(t, examples+"nano.hcl", nil)
		test.change(c)
		if _, err := compile.Compile(c, test.m); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, should say %q", test.name, err, test.want)
		}
	}
}

// One body serves all layers where their operations follow one another in one bank; else each
// layer has its own. The bytes are the same each time.
func TestProgramsLoopWhereTheyCan(t *testing.T) {
	m, _ := opened(t, "nano")
	for file, loops := range map[string]bool{examples + "nano.hcl": true, "testdata/odd.hcl": false} {
		p := compiled(t, described(t, file, nil), m)
		if got := strings.Contains(p.Text, "loop"); got != loops {
			t.Errorf("%s: loop %v, want %v\n%s", file, got, loops, p.Text)
		}
		again := compiled(t, described(t, file, nil), m)
		if fmt.Sprint(p.Files()) != fmt.Sprint(again.Files()) {
			t.Errorf("%s: compiled twice, two results", file)
		}
	}
}
