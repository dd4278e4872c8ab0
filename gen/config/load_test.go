package config

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ohmloom/gen/arch"
	"ohmloom/hw/device"
)

// mustLoad loads main.hcl out of files and fails on any error.
func mustLoad(t *testing.T, files map[string]string, vars map[string]string) *arch.Chip {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	chip, diags := Load(context.Background(), "main.hcl", Options{FS: fsys, Vars: vars})
	if chip == nil {
		t.Fatalf("errors:\n%s", diags)
	}
	return chip
}

var ignorePos = cmpopts.IgnoreTypes(arch.Pos{})

func TestStarterLoadsWithoutAWord(t *testing.T) {
	chip, diags := LoadBytes(context.Background(), "starter.hcl", Starter(), Options{FS: fstest.MapFS{}})
	if len(diags) > 0 || chip == nil {
		t.Fatalf("diagnostics:\n%s", diags)
	}
}

func TestExamplesLoadWithTheWarningsTheyAnnounce(t *testing.T) {
	for name, warnings := range map[string][]string{
		"tile":            nil,
		"attention":       nil,
		"attention_paper": nil,
		"pocket":          {"Memory port narrower than the array needs", "Too many crossbar cells to build"},
		"paper":           {"ADC narrower than its rows: large sums clip"},
		"odd": {"Columns per converter do not divide the crossbar's columns",
			"Rows per conversion do not divide the crossbar's rows"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", "examples", name+".hcl")
			chip, diags := Load(context.Background(), path, Options{})
			if chip == nil {
				t.Fatalf("errors:\n%s", diags)
			}
			var got []string
			for _, d := range diags {
				got = append(got, d.Summary)
			}
			if diff := cmp.Diff(warnings, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if chip.Name != name {
				t.Errorf("chip %q", chip.Name)
			}
		})
	}
}

func TestAttentionExamplesHaveTheShapeTheyAnnounceInBothModes(t *testing.T) {
	want := map[string]arch.Attention{
		"attention spread": {Rows: 8, Cols: 8, Decode: "spread", Heads: 4, KVHeads: 4, HeadChannels: 16, Context: 128, Layers: 2, Biased: true,
			Lanes: 4, Ahead: 4, Engines: 1},
		"attention column": {Rows: 8, Cols: 8, Decode: "column", Heads: 4, KVHeads: 4, HeadChannels: 16, Context: 128, Layers: 2, Biased: true},
		"attention_paper spread": {Rows: 32, Cols: 32, Decode: "spread", Heads: 32, KVHeads: 32, HeadChannels: 128, Context: 128, Layers: 1,
			Lanes: 8, Ahead: 8, Engines: 1},
		"attention_paper column": {Rows: 32, Cols: 32, Decode: "column", Heads: 32, KVHeads: 32, HeadChannels: 128, Context: 128, Layers: 1},
	}
	for _, name := range []string{"attention", "attention_paper"} {
		for _, mode := range []string{"spread", "column"} {
			chip, diags := Load(context.Background(), filepath.Join("..", "..", "examples", name+".hcl"), Options{Vars: map[string]string{"decode": mode}})
			if chip == nil {
				t.Fatalf("errors:\n%s", diags)
			}
			w := want[name+" "+mode]
			w.Dataflow, w.MaxK, w.Softmax = "output_stationary", 4096, "integer"
			if diff := cmp.Diff(&w, chip.Attention, ignorePos); diff != "" {
				t.Errorf("%s, %s: -want +got:\n%s", name, mode, diff)
			}
			if warnings := map[string]int{"spread": 0, "column": 1}[mode]; len(diags) != warnings {
				t.Errorf("%s, %s:\n%s", name, mode, diags)
			}
		}
	}
}

func TestTileExampleIsTheTrainedMatrixAndItsThreeCases(t *testing.T) {
	models := filepath.Join("..", "..", "examples", "models")
	chip, diags := Load(context.Background(), filepath.Join("..", "..", "examples", "tile.hcl"), Options{})
	if chip == nil {
		t.Fatalf("errors:\n%s", diags)
	}
	want := &arch.Program{Model: filepath.Join(models, "nano.safetensors"), Tensor: "layers.0.wq",
		Golden: filepath.Join(models, "nano.golden.json"),
		Cases:  []arch.ADCCase{{Rows: 64, Bits: 4}, {Rows: 128, Bits: 5}, {Rows: 64, Bits: 7}}}
	if diff := cmp.Diff(want, chip.Verify.Program, ignorePos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDefaultsFillWhatIsNotWritten(t *testing.T) {
	chip := mustLoad(t, map[string]string{"main.hcl": `
chip "a" {
  attention {
    rows = 3
    cols = 5
  }
  pim {
    crossbar {
      rows = 100
      cols = 6
    }
  }
}`}, nil)
	wantAttention := &arch.Attention{Rows: 3, Cols: 5, Dataflow: "output_stationary", MaxK: 4096}
	wantPIM := &arch.PIM{RowBlocks: 1, ColBlocks: 1, Lanes: 8, Crossbar: arch.Crossbar{Rows: 100, Cols: 6,
		ADC: arch.ADC{Bits: 8, Share: 6, Step: "clip", Rows: 64}, Effects: device.Effects{LSB: 1, Seed: 1}}}
	wantVerify := arch.Verify{Engines: []string{"interp", "gosim", "verilated"}, Cycles: 2000, Seed: 1}
	for _, d := range []string{cmp.Diff(wantAttention, chip.Attention, ignorePos), cmp.Diff(wantPIM, chip.PIM, ignorePos),
		cmp.Diff(wantVerify, chip.Verify, ignorePos)} {
		if d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	if chip.ClockMHz != 100 || chip.Technology.Name != "45nm" || chip.Technology.LibertyNodeNM != 180 {
		t.Errorf("clock %g, technology %q, cells at %g nm", chip.ClockMHz, chip.Technology.Name, chip.Technology.LibertyNodeNM)
	}
}

func TestEveryBlockKnowsWhereItIsWritten(t *testing.T) {
	chip := mustLoad(t, map[string]string{"main.hcl": `include "pim-llm" {}
chip "a" {
  pim {
    crossbar {
      adc {
        rows = 64
      }
    }
  }
}
verify {
}
`}, nil)
	for _, c := range []struct {
		what string
		got  arch.Pos
		want string
	}{
		{"chip", chip.Pos, "main.hcl:2:1"},
		{"pim", chip.PIM.Pos, "main.hcl:3:3"},
		{"crossbar", chip.PIM.Crossbar.Pos, "main.hcl:4:5"},
		{"adc", chip.PIM.Crossbar.ADC.Pos, "main.hcl:5:7"},
		{"verify", chip.Verify.Pos, "main.hcl:11:1"},
		{"attention", chip.Attention.Pos, "ohmloom:preset/pim-llm.hcl:13:3"},
		{"technology", chip.Technology.Pos, "ohmloom:technology/45nm.hcl:7:1"},
	} {
		if c.got.String() != c.want {
			t.Errorf("%s at %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestUserWinsOverPresetAndLaterIncludeOverEarlier(t *testing.T) {
	files := map[string]string{
		"main.hcl": `
include "one.hcl" {}
include "two.hcl" {}
chip "mine" {
  attention {
    rows = 1
  }
}`,
		"one.hcl": `
locals {
  k = 11
}
chip "one" {
  clock_mhz = 1
  attention {
    rows  = 10
    cols  = 10
    max_k = local.k
  }
}`,
		"two.hcl": `
locals {
  k = 22
}
chip "two" {
  attention {
    rows = 20
    cols = 20
  }
}`}
	chip := mustLoad(t, files, nil)
	want := &arch.Attention{Rows: 1, Cols: 20, MaxK: 22, Dataflow: "output_stationary"}
	if diff := cmp.Diff(want, chip.Attention, ignorePos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if chip.Name != "mine" || chip.ClockMHz != 1 {
		t.Errorf("chip %q at %g MHz", chip.Name, chip.ClockMHz)
	}
}

func TestVariablesReachIncludedFilesAndTheCommandLineWins(t *testing.T) {
	files := map[string]string{
		"main.hcl": `
include "lib.hcl" {}
chip "a" {
  attention {
    rows = var.rows
    cols = local.cols
  }
}`,
		"lib.hcl": `
variable "rows" {
  default = 8
}
locals {
  cols = 2 * var.rows
}`}
	if a := mustLoad(t, files, nil).Attention; a.Rows != 8 || a.Cols != 16 {
		t.Errorf("default: %d x %d", a.Rows, a.Cols)
	}
	if a := mustLoad(t, files, map[string]string{"rows": "5"}).Attention; a.Rows != 5 || a.Cols != 10 {
		t.Errorf("--var rows=5: %d x %d", a.Rows, a.Cols)
	}
}

func TestVariableTextTakesTheVariablesType(t *testing.T) {
	src := `
variable "name" {
  type = string
}
variable "sizes" {
  default = [1, 1]
}
variable "wide" {
  default = false
}
variable "step" {
}
chip "a" {
  pim {
    crossbar {
      rows = var.sizes[0]
      cols = var.wide ? 200 : 100
      adc {
        step = var.step
      }
    }
  }
}
technology "7" {
  node_nm = 7
  area "adc" {
    value = 1
    unit = "um2"
    kind = "assumed"
    source = var.name
  }
  area "dac" {
    value = 1
    unit = "um2"
    kind = "assumed"
    source = "x"
  }
  area "cell" {
    value = 1
    unit = "um2"
    kind = "assumed"
    source = "x"
  }
  area "sram_bit" {
    value = 1
    unit = "um2"
    kind = "assumed"
    source = "x"
  }
  area "sram_fixed" {
    value = 1
    unit = "um2"
    kind = "assumed"
    source = "x"
  }
}`
	chip := mustLoad(t, map[string]string{"main.hcl": src},
		map[string]string{"name": "42", "sizes": "[30, 40]", "wide": "true", "step": "ideal"})
	if x := chip.PIM.Crossbar; x.Rows != 30 || x.Cols != 200 || x.ADC.Step != "ideal" {
		t.Errorf("crossbar %+v", x)
	}
	// A single technology block is the one that is meant.
	if s := chip.Technology.Macros.ADCUm2.Source; chip.Technology.Name != "7" || s != "42" {
		t.Errorf("technology %q, source %q", chip.Technology.Name, s)
	}
}

func TestExpressionsComputeSizes(t *testing.T) {
	for expr, want := range map[string]int{
		`max(3, 5, 4)`: 5, `min(3, 5)`: 3, `ceil(10 / 4)`: 3, `floor(10 / 4)`: 2, `abs(-6)`: 6, `pow(2, 7)`: 128,
		`clog2(1) + clog2(2) + clog2(3) + clog2(64) + clog2(65)`: 0 + 1 + 2 + 6 + 7, `floor(log(1000, 10) + 0.5)`: 3,
		`length([1, 2, 3])`: 3, `strlen(format("%d-%s", 12, "ab"))`: 5, `length(concat([1], range(4)))`: 5,
		`length(keys(merge({ a = 1 }, { b = 2 })))`: 2, `lookup({ a = 9 }, "a", 1)`: 9, `tonumber("17")`: 17,
		`contains(["a"], "a") ? 1 : 2`: 1, `strlen(upper(join("+", ["a", "b"])))`: 3, `element([4, 5], 1)`: 5,
		`[for i in range(5) : i * i][4]`: 16, `length(values({ a = 1 }))`: 1, `parseint("ff", 16)`: 255, `10 % 4`: 2,
	} {
		chip := mustLoad(t, map[string]string{"main.hcl": "chip \"a\" {\n attention {\n rows = " + expr + "\n cols = 1\n }\n}\n"}, nil)
		if chip.Attention.Rows != want {
			t.Errorf("%s = %d, want %d", expr, chip.Attention.Rows, want)
		}
	}
}

func TestFileNamesAreRelativeToTheFileThatWritesThem(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.hcl", "include \"lib/prog.hcl\" {}\nchip \"a\" {\n pim {\n crossbar {\n rows = 4\n cols = 4\n }\n }\n}\n")
	write("lib/prog.hcl", "verify {\n program {\n model = \"../w/m.safetensors\"\n tensor = \"q\"\n }\n}\n")
	write("w/m.safetensors", string(safetensors(t, `{"q.weight":{"dtype":"I8","shape":[4,4],"data_offsets":[0,16]}}`, 16)))
	chip, diags := Load(context.Background(), filepath.Join(dir, "main.hcl"), Options{})
	if chip == nil {
		t.Fatalf("errors:\n%s", diags)
	}
	if want := filepath.Join(dir, "w", "m.safetensors"); chip.Verify.Program.Model != want {
		t.Errorf("model %q, want %q", chip.Verify.Program.Model, want)
	}
}

func TestUnreadableDescriptionIsADiagnostic(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "absent.hcl"), dir, os.DevNull} {
		chip, diags := Load(context.Background(), path, Options{})
		if chip != nil || !diags.HasErrors() {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestCancelledLoadSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	chip, diags := LoadBytes(ctx, "a.hcl", Starter(), Options{FS: fstest.MapFS{}})
	if chip != nil || !strings.Contains(diags.String(), "interrupted") {
		t.Errorf("got %s", diags)
	}
}

func TestLibraryFiguresAreCompleteAndFitTheirAnchors(t *testing.T) {
	presets, technologies := Library()
	for _, p := range presets {
		mustLoad(t, map[string]string{"main.hcl": "include \"" + p + "\" {}\n"}, nil)
	}
	// Anchors: bits and published area in um2 of SRAM macros.
	anchors := map[string][][2]float64{
		"45nm":  {{64 * 32, 1241}, {256 * 32, 5066}, {1024 * 32, 16406}},
		"130nm": {{256 * 64, 93181}, {1024 * 64, 263946}},
	}
	anchors["45nm-synthesised"] = anchors["45nm"]
	within := map[string]float64{"45nm": 0.13, "45nm-synthesised": 0.13, "130nm": 0.001}
	for _, name := range technologies {
		chip := mustLoad(t, map[string]string{"main.hcl": "include \"pim-llm\" {}\ntechnology = \"" + name + "\"\n"}, nil)
		m := chip.Technology.Macros
		for _, q := range []arch.Quantity{m.ADCUm2, m.DACUm2, m.CellUm2, m.SRAMBitUm2, m.SRAMFixedUm2} {
			if q.Value <= 0 || q.Unit != "um2" || q.Kind == "" || q.Source == "" || q.Pos.Line == 0 {
				t.Errorf("%s: incomplete %+v", name, q)
			}
		}
		if len(anchors[name]) == 0 {
			t.Errorf("%s: no anchors in this test", name)
		}
		for _, a := range anchors[name] {
			got := m.SRAMFixedUm2.Value + m.SRAMBitUm2.Value*a[0]
			if math.Abs(got/a[1]-1) > within[name] {
				t.Errorf("%s: %g bits take %.0f um2, published %.0f", name, a[0], got, a[1])
			}
		}
	}
}

func TestDescriptionLoadsFromAFileSystemInTheBinary(t *testing.T) {
	chip, diags := Load(context.Background(), "tile.hcl", Options{FS: os.DirFS(filepath.Join("..", "..", "examples"))})
	if chip == nil || len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", diags)
	}
	if chip.Verify.Program.Model != "models/nano.safetensors" {
		t.Errorf("model %q is not a path in the file system", chip.Verify.Program.Model)
	}
}
