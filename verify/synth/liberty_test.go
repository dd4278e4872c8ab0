package synth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/gen/tools"
)

func readText(t *testing.T, text string) (*Liberty, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cells of mine.lib")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return ReadLiberty(path)
}

func TestLibertyCellsAreReadWithTheirAreaAndKind(t *testing.T) {
	l, err := readText(t, `/* a { comment ; with marks */
library ("my lib") {
  // another } one
  wire_load ("small") { area : 99 ; }
  define(my_attr, cell, string);
  cell (NAND2_B) { area : 24.5; pin (A) { capacitance : 0.01; area : 7; } }
  cell ("NAND2_A")
  {
    area : 12 /* no semicolon */
    pin ("A[0]") { timing () { values ("1, 2", \
      "3, 4"); } }
  }
  cell(DFF_1) { ff (IQ, IQN) { next_state : "D"; clocked_on : "CLK"; } area : "1.5e2"; }
  cell(LATCH_1) { latch (IQ, IQN) { enable : "G"; } area : 80; }
  cell(BANK) { ff_bank (IQ, IQN, 2) { } area : 300; }
  cell(FILL) { }
}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Cell{"NAND2_B": {24.5, false}, "NAND2_A": {12, false}, "DFF_1": {150, true}, "LATCH_1": {80, false},
		"BANK": {300, true}, "FILL": {0, false}}
	for name, c := range want {
		if l.Cells[name] != c {
			t.Errorf("%s is %+v, want %+v", name, l.Cells[name], c)
		}
	}
	if len(l.Cells) != len(want) || l.NAND2Um2 != 12 {
		t.Errorf("%d cells, NAND2 of %g um2", len(l.Cells), l.NAND2Um2)
	}
}

func TestBrokenLibertyFilesAreNamedWithTheirLine(t *testing.T) {
	const head = "library (x) {\n"
	const nand = "cell (NAND2) { area : 1; }\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "not a Liberty file"},
		"only a comment":    {"/* nothing */\n", "not a Liberty file"},
		"Verilog":           {"module x (a);\nendmodule\n", "not a Liberty file"},
		"another group":     {"cell (NAND2) { area : 1; }", "not a Liberty file"},
		"binary":            {"\x1f\x8b\x08\x00\x00", "unexpected character"},
		"cut off":           {head + nand + "cell (INV) { area : 2;", "ends inside cell (INV)"},
		"open comment":      {head + nand + "/* and so on\n", "comment of line 3"},
		"open string":       {head + nand + "cell (\"INV) { area : 2; }\n}", "string of line 3"},
		"one } too many":    {head + nand + "}\n}\n", ":4: a } without its {"},
		"negative area":     {head + nand + "cell (INV) { area : -2; }\n}", ":3: cell INV: area \"-2\""},
		"area that is NaN":  {head + nand + "cell (INV) { area : NaN; }\n}", "area \"NaN\""},
		"area without end":  {head + nand + "cell (INV) { area : Inf; }\n}", "area \"Inf\""},
		"area of two words": {head + nand + "cell (INV) { area : 1 2; }\n}", "not one number"},
		"area of nothing":   {head + nand + "cell (INV) { area : ; }\n}", "not one number"},
		"cell without name": {head + nand + "cell () { area : 2; }\n}", "has no name"},
		"cell twice":        {head + nand + nand + "}", ":3: cell \"NAND2\" is listed twice"},
		"no NAND2":          {head + "cell (INV) { area : 2; }\n}", "no two-input NAND cell"},
		"NAND2 of no area":  {head + "cell (NAND2) { area : 0; }\n}", "no two-input NAND cell"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readText(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "cells of mine.lib") {
				t.Errorf("error %v should say %q and name the file", err, c.want)
			}
		})
	}
	if _, err := ReadLiberty(filepath.Join(t.TempDir(), "none.lib")); err == nil || !strings.Contains(err.Error(), "none.lib") {
		t.Errorf("error %v should name the file", err)
	}
}

func FuzzReadLiberty(f *testing.F) {
	f.Add("library (x) {\n cell (\"NAND2\") { area : 1; pin (A) { } } \\\n }")
	f.Add("library (x) { /* */ // \n values (\"1\", \\\n \"2\") ; }")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := readText(t, text); err == nil && !(l.NAND2Um2 > 0) {
			t.Errorf("NAND2 of %g um2", l.NAND2Um2)
		}
	})
}

func TestDefaultLibertyHasItsCells(t *testing.T) {
	l, err := ReadLiberty(tools.NeedForTest(t, "liberty")[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if l.NAND2Um2 != l.Cells["NAND2X1"].AreaUm2 || l.NAND2Um2 != 24 || !l.Cells["DFFPOSX1"].FlipFlop || l.Cells["LATCH"].FlipFlop {
		t.Errorf("NAND2 %g um2, %+v", l.NAND2Um2, l.Cells["DFFPOSX1"])
	}
}
