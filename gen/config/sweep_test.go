package config

import (
	"context"
	"strings"
	"testing"
)

const sweptBase = `
variable "rows" { default = 4 }
variable "kind" { default = "x" }
locals {
  cols = local.twice + 1
  twice = 2 * var.rows
}
model = "nano"
chip "c" {
  attention {
    rows = var.rows
    cols = local.cols
  }
  pim {
    crossbar {
      rows = 64
      cols = 64
    }
  }
}
sweep {
`

func sweepOf(t *testing.T, block string, vars map[string]string) (*Sweep, Diagnostics) {
	t.Helper()
	return LoadSweepBytes(context.Background(), "main.hcl", []byte(sweptBase+block+"}\n"), Options{Vars: vars})
}

func mustSweep(t *testing.T, block string, vars map[string]string) *Sweep {
	t.Helper()
	s, diags := sweepOf(t, block, vars)
	if s == nil {
		t.Fatal(diags.String())
	}
	return s
}

func TestAxesHaveTheValuesTheyWrite(t *testing.T) {
	for block, want := range map[string]string{
		"values = [3, 1, 2]":                        "3 1 2",
		"from = 1\n to = 2\n step = 0.1":            "1 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 2",
		"from = 1\n to = 100\n factor = 3":          "1 3 9 27 81",
		"from = 8\n to = 64\n factor = 2":           "8 16 32 64",
		"from = 5\n to = 5":                         "5",
		"from = 1\n to = 4":                         "1 2 3 4",
		"from = 0.1\n to = 0.4\n step = 0.1":        "0.1 0.2 0.3 0.4",
		"from = -1\n to = 1":                        "-1 0 1",
		"values = [for i in range(3) : pow(10, i)]": "1 10 100",
	} {
		s := mustSweep(t, "vary \"rows\" {\n"+block+"\n}\n", nil)
		var got []string
		for i := range s.Count() {
			got = append(got, s.Values(i)...)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", block, got, want)
		}
	}
}

// The last axis varies fastest; what a point depends on, through locals too, is its own.
func TestPointsOfTheProductFollowTheOrderOfTheBlocks(t *testing.T) {
	s := mustSweep(t, "vary \"rows\" { values = [2, 5] }\nvary \"kind\" { values = [\"p\", \"q\", true] }\n"+
		"context = 10 * var.rows\nphase = var.kind == \"q\" ? \"prefill\" : \"decode\"\nwhere = [var.rows > 1, var.kind != \"p\" || local.cols < 9]\n", nil)
	var got []string
	for i := range s.Count() {
		p, err := s.Point(i)
		if err != nil {
			t.Fatal(err)
		}
		ok, err := s.Allowed(i)
		if err != nil || p.Chip.Attention.Cols != 2*p.Chip.Attention.Rows+1 || p.Context != 10*p.Chip.Attention.Rows || p.Chip.Model.Name != "nano" {
			t.Errorf("point %d: %+v, %d tokens, %v", i, p.Chip.Attention, p.Context, err)
		}
		got = append(got, strings.Join(s.Values(i), ",")+","+p.Phase)
		if !ok {
			got = append(got, "out")
		}
	}
	if want := `2,"p",decode 2,"q",prefill 2,true,decode 5,"p",decode out 5,"q",prefill 5,true,decode`; strings.Join(got, " ") != want {
		t.Errorf("%s", strings.Join(got, " "))
	}
}

func TestVariableFixedByTheCommandLineIsNoAxis(t *testing.T) {
	s := mustSweep(t, "vary \"rows\" { values = [2, 5] }\nvary \"kind\" { values = [\"p\", \"q\"] }\n", map[string]string{"rows": "7"})
	if p, err := s.Point(1); err != nil || len(s.Axes()) != 1 || s.Count() != 2 || p.Chip.Attention.Rows != 7 {
		t.Errorf("%v, %d points, %v", s.Axes(), s.Count(), err)
	}
}

// A mistake at every point is told once; one at single points is theirs, with its place.
func TestMistakesOfPointsAreTold(t *testing.T) {
	if s, diags := sweepOf(t, "vary \"rows\" { values = [2, 5] }\nchips = -1\n", nil); s != nil || !strings.Contains(diags.String(), `"chips" is too small`) {
		t.Errorf("%v", diags)
	}
	s := mustSweep(t, "vary \"rows\" { values = [2, 5000] }\n", nil)
	if _, err := s.Point(0); err != nil {
		t.Error(err)
	}
	if _, err := s.Point(1); err == nil || !strings.HasPrefix(err.Error(), `main.hcl:11:12: "rows" is too large; 5000; a whole number, 1 .. 1,024`) {
		t.Error(err)
	}
	s = mustSweep(t, "vary \"rows\" { values = [2, 5] }\nwhere = var.rows\n", nil)
	if _, err := s.Allowed(0); err == nil || !strings.Contains(err.Error(), "true or false") {
		t.Error(err)
	}
	if s, diags := LoadSweepBytes(context.Background(), "main.hcl", []byte("chip \"c\" {\n attention {\n rows = 1\n cols = 1\n }\n}\n"), Options{}); s != nil || !strings.Contains(diags.String(), "Nothing to sweep") {
		t.Errorf("%v", diags)
	}
	if s, diags := sweepOf(t, "vary \"rows\" { values = [2, 5] }\nsample = var.rows\n", nil); s != nil || !strings.Contains(diags.String(), "whole sweep") {
		t.Errorf("%v", diags)
	}
}
