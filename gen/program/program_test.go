package program

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ohmloom/gen/arch"
	"ohmloom/gen/model"
)

const models = "../../examples/models/"

// chip is a tile of rowBlocks x colBlocks crossbars that runs one matrix of the small model.
func chip(tensor string, rowBlocks, rows, colBlocks, cols int, adc arch.ADC) *arch.Chip {
	return &arch.Chip{Name: "tile",
		Attention: &arch.Attention{Rows: 2, Cols: 2},
		PIM:       &arch.PIM{RowBlocks: rowBlocks, ColBlocks: colBlocks, Lanes: 4, Crossbar: arch.Crossbar{Rows: rows, Cols: cols, ADC: adc}},
		Verify: arch.Verify{Program: &arch.Program{Model: models + "nano.safetensors", Tensor: tensor,
			Golden: models + "nano.golden.json", Pos: arch.Pos{File: "my.hcl", Line: 9, Col: 3}}}}
}

func load(t *testing.T, c *arch.Chip) *Job {
	t.Helper()
	job, err := Load(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

var lossless8 = arch.ADC{Bits: 8, Share: 8, Step: "clip", Rows: 32}

// TestCasesHoldWhatTheGoldenFileRecords compares every golden vector with the file itself,
// for each matrix of the model.
func TestCasesHoldWhatTheGoldenFileRecords(t *testing.T) {
	g, err := model.OpenGolden(models + "nano.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(models + "nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range m.Matrices() {
		w, err := m.Matrix(tensor)
		if err != nil {
			t.Fatal(err)
		}
		job := load(t, chip(tensor, (w.In+31)/32, 32, (w.Out+39)/40, 40, lossless8))
		if names := caseNames(job); !slices.Equal(names, []string{"as described", "ideal"}) {
			t.Fatalf("%s: cases %q", tensor, names)
		}
		for _, c := range job.Cases {
			golden := 0
			for i, v := range c.Vectors {
				if !v.Golden {
					continue
				}
				in, sums := g.Steps[i].Layers[layerOf(tensor)].Projection(projectionOf(tensor))
				if !slices.Equal(v.In, in) || !slices.Equal(v.Sums, sums) {
					t.Errorf("%s, %s, %s: not what the file holds", tensor, c.Name, v.Name)
				}
				golden++
			}
			if golden != len(g.Steps) || len(c.Vectors) <= golden {
				t.Errorf("%s, %s: %d golden vectors of %d", tensor, c.Name, golden, len(c.Vectors))
			}
		}
	}
}

func caseNames(j *Job) []string {
	var names []string
	for _, c := range j.Cases {
		names = append(names, c.Name)
	}
	return names
}

// TestArithmeticReproducesTheGoldenCrossbars: what a case's vectors hold when the file is
// silent is the same arithmetic that gives the file's sums when it speaks.
func TestArithmeticReproducesTheGoldenCrossbars(t *testing.T) {
	c := chip("layers.0.wq", 1, 64, 1, 64, arch.ADC{Bits: 8, Share: 8, Step: "clip", Rows: 64})
	c.Verify.Program.Cases = []arch.ADCCase{{Rows: 64, Bits: 4}, {Rows: 128, Bits: 5}, {Rows: 64, Bits: 7}, {Rows: 64, Bits: 3}}
	job := load(t, c)
	golden := 0
	for _, cs := range job.Cases {
		for _, v := range cs.Vectors {
			if v.Golden {
				golden++
			}
			if sums := Sums(job.Matrix, v.In, cs.Chip.PIM.Crossbar); !slices.Equal(sums, v.Sums) {
				t.Errorf("%s, %s: the arithmetic gives other sums", cs.Name, v.Name)
			}
		}
	}
	if golden != 3+3+1+1+1 {
		t.Errorf("%d golden vectors", golden)
	}
	if x := job.Cases[4].Chip.PIM.Crossbar.ADC; x.Bits != 7 || x.Rows != 64 || x.Step != "clip" {
		t.Errorf("case %s runs with %+v", job.Cases[4].Name, x)
	}
	if c.PIM.Crossbar.ADC.Bits != 8 {
		t.Error("a case changed the description")
	}
}

// TestBlocksConvertOnTheirOwn: cutting the inputs over crossbars changes nothing when the
// converters lose nothing, and is not the same as one long column when they do.
func TestBlocksConvertOnTheirOwn(t *testing.T) {
	job := load(t, chip("layers.0.w2", 8, 32, 2, 40, lossless8))
	in := make([]int8, job.Matrix.In)
	for k := range in {
		in[k] = int8(k*37%256 - 128)
	}
	exact := model.Project(job.Matrix, in)
	for _, rows := range []int{1, 7, 32, 100, 256, 1000} {
		x := arch.Crossbar{Rows: rows, Cols: 8, ADC: arch.ADC{Step: "ideal"}}
		if !slices.Equal(Sums(job.Matrix, in, x), exact) {
			t.Errorf("ideal, crossbars of %d rows: not the product", rows)
		}
		x.ADC = arch.ADC{Step: "clip", Rows: min(rows, 100), Bits: 8}
		if !slices.Equal(Sums(job.Matrix, in, x), exact) {
			t.Errorf("lossless, crossbars of %d rows: not the product", rows)
		}
	}
	narrow := arch.ADC{Step: "clip", Rows: 64, Bits: 3}
	if slices.Equal(Sums(job.Matrix, in, arch.Crossbar{Rows: 64, ADC: narrow}), exact) {
		t.Error("3 bits for 64 rows lose nothing")
	}
	if slices.Equal(Sums(job.Matrix, in, arch.Crossbar{Rows: 40, ADC: narrow}), Sums(job.Matrix, in, arch.Crossbar{Rows: 64, ADC: narrow})) {
		t.Error("where the crossbars end makes no difference to what clips")
	}
	if Sums(job.Matrix, in, arch.Crossbar{Rows: 64, ADC: arch.ADC{Step: "full", Rows: 64, Bits: 8}}) != nil {
		t.Error("a full-scale step has sums that package model does not define")
	}
}

func TestScoresAreProductsOfQueryAndKeys(t *testing.T) {
	job := load(t, chip("layers.1.wq", 2, 32, 2, 40, lossless8))
	if len(job.Attention) != 4 {
		t.Fatalf("%d heads", len(job.Attention))
	}
	for _, s := range job.Attention {
		if len(s.Keys) != len(s.Want) || len(s.Keys) < 2 {
			t.Fatalf("%s: %d keys, %d scores", s.Name, len(s.Keys), len(s.Want))
		}
		for i, key := range s.Keys {
			sum := int32(0)
			for j, k := range key {
				sum += int32(k) * int32(s.Query[j])
			}
			if sum != s.Want[i] {
				t.Errorf("%s, distance %d: %d, want %d", s.Name, i, sum, s.Want[i])
			}
		}
	}
}

func TestWhatCannotRunIsAnErrorWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*arch.Chip)
		want   []string
	}{
		"too few rows":    {func(c *arch.Chip) { c.PIM.RowBlocks = 1 }, []string{"my.hcl:9:3", "64 inputs", "row_blocks = 2"}},
		"too few columns": {func(c *arch.Chip) { c.PIM.ColBlocks = 1 }, []string{"my.hcl:9:3", "64 outputs", "col_blocks = 2"}},
		"case that is wider than a crossbar": {func(c *arch.Chip) {
			c.Verify.Program.Cases = []arch.ADCCase{{Rows: 64, Bits: 4, Pos: arch.Pos{File: "my.hcl", Line: 12, Col: 1}}}
		},
			[]string{"my.hcl:12:1", "64 rows"}},
		"case that does not divide": {func(c *arch.Chip) {
			c.Verify.Program.Cases = []arch.ADCCase{{Rows: 20, Bits: 4, Pos: arch.Pos{File: "my.hcl", Line: 12, Col: 1}}}
		},
			[]string{"my.hcl:12:1", "20 does not divide"}},
		"no such tensor": {func(c *arch.Chip) { c.Verify.Program.Tensor = "layers.0.wx" }, []string{"layers.0.wx"}},
		"no such model":  {func(c *arch.Chip) { c.Verify.Program.Model = "nothere.safetensors" }, []string{"nothere.safetensors"}},
		"no such golden": {func(c *arch.Chip) { c.Verify.Program.Golden = "nothere.json" }, []string{"nothere.json"}},
		"golden of another model": {func(c *arch.Chip) { c.Verify.Program.Golden = models + "micro.golden.json" },
			[]string{"micro.golden.json", "another checkpoint"}},
	} {
		chip := chip("layers.0.wq", 2, 32, 2, 40, lossless8)
		c.change(chip)
		_, err := Load(chip, nil)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
}

func TestFilesMayBeInAnyFileSystem(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, name := range []string{"nano.safetensors", "nano.golden.json"} {
		data, err := os.ReadFile(filepath.Join(models, name))
		if err != nil {
			t.Fatal(err)
		}
		fsys["m/"+name] = &fstest.MapFile{Data: data}
	}
	c := chip("layers.0.wv.weight", 2, 32, 2, 40, lossless8)
	c.Verify.Program.Model, c.Verify.Program.Golden = "m/nano.safetensors", "m/nano.golden.json"
	job, err := Load(c, fs.FS(fsys))
	if err != nil {
		t.Fatal(err)
	}
	if rows := job.Weights(); len(rows) != 64 || len(rows[0]) != 64 || job.Matrix.Name != "layers.0.wv" {
		t.Errorf("%s: %d rows", job.Matrix.Name, len(rows))
	}
	c.Verify.Program.Golden = ""
	if job, err = Load(c, fsys); err != nil || len(job.Attention) > 0 || job.Cases[0].Vectors[0].Golden {
		t.Errorf("without golden vectors: %v", err)
	}
	c.PIM = nil
	if job, err = Load(c, fsys); err != nil || len(job.Cases) > 0 {
		t.Errorf("an array alone: %v", err)
	}
}
