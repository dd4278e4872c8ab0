package vlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
)

var all = []Tool{Verilator, Gxx, Iverilog, Vvp}

// Set-up, doctor and the engines must want the same versions of the same packages.
func TestToolsAreThoseOfTheTable(t *testing.T) {
	for _, tool := range all {
		found := false
		for _, row := range tools.Table() {
			if row.Name == tool.Name {
				found = true
				if row.Min != tool.Wanted || row.Package != tool.Package || row.Override() != tool.override() {
					t.Errorf("%s: wants %s of %s (%s), the table %s of %s (%s)", tool.Name,
						tool.Wanted, tool.Package, tool.override(), row.Min, row.Package, row.Override())
				}
			}
		}
		if !found {
			t.Errorf("%s is not in the table", tool.Name)
		}
	}
}

func TestMissingToolNamesVersionAndPackage(t *testing.T) {
	t.Setenv("PATH", "")
	for _, tool := range all {
		t.Setenv(tool.override(), "")
		_, err := tool.Find(t.Context())
		var te *verify.ToolError
		if !errors.As(err, &te) || te.Tool != tool.Name || te.Found != "" || te.Wanted == "" || te.Package == "" {
			t.Errorf("%s: %v", tool.Name, err)
		}
	}
}

// script makes a program that stands for verilator.
func script(t *testing.T, body string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "verilator")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(Verilator.override(), path)
}

func TestUnfitToolsAreToolErrors(t *testing.T) {
	for body, want := range map[string]string{
		"echo Verilator 4.210 2021-07-07": "version 4.210 is too old; wanted 5.006 or later; Debian package verilator",
		"echo hello":                      "cannot be read from what it prints",
		"kill -SEGV $$":                   "segmentation fault",
		"echo no disk >&2; exit 3":        "no disk",
	} {
		script(t, body)
		_, err := Verilator.Find(t.Context())
		var te *verify.ToolError
		if !errors.As(err, &te) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	for _, c := range []struct {
		have, want string
		older      bool
	}{{"5.006", "5.006", false}, {"5.10", "5.006", false}, {"4.999", "5.006", true}, {"12.2.0", "10", false}, {"9.5", "10", true}, {"5", "5.006", true}} {
		if older(c.have, c.want) != c.older {
			t.Errorf("%s against %s", c.have, c.want)
		}
	}
}

func TestFailingRunShowsTheEndOfTheOutputAndCancelIsSaid(t *testing.T) {
	script(t, "echo Verilator 5.006; if [ \"$1\" = fail ]; then echo complaint; exit 1; fi; if [ \"$1\" = hang ]; then sleep 100; fi")
	f, err := Verilator.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Run(t.Context(), "", "fail"); err == nil || !strings.Contains(err.Error(), "complaint") {
		t.Errorf("fail: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err = f.Run(ctx, "", "hang"); !errors.Is(err, context.Canceled) {
		t.Errorf("hang: %v", err)
	}
}

func TestCommentsAreStrippedButNotStrings(t *testing.T) {
	const in = "// head\nmodule m; // tail\n  x = \"//%m\"; // kept with the string\n\n  y\nendmodule"
	const want = "module m;\n  x = \"//%m\"; // kept with the string\n  y\nendmodule\n"
	if got := stripComments(in); got != want {
		t.Errorf("got %q", got)
	}
}

func TestHexPacksElementZeroLow(t *testing.T) {
	for _, c := range []struct {
		typ  ir.Type
		v    []uint64
		want string
	}{
		{ir.Bits(8), []uint64{0x5a}, "5a"},
		{ir.Bits(8), []uint64{0xf5a}, "5a"},
		{ir.Vec(3, 5), []uint64{1, 2, 0x1f}, "7c41"},
		{ir.Vec(2, 64), []uint64{1, 0xfedcba9876543210}, "fedcba98765432100000000000000001"},
		{ir.Bits(1), []uint64{1}, "1"},
	} {
		if got := string(Hex(c.typ, c.v)); got != c.want {
			t.Errorf("%s: %s, want %s", c.typ, got, c.want)
		}
	}
}

func TestImageFilesAreNamedAfterInstancesAndLengthsAreChecked(t *testing.T) {
	dir := t.TempDir()
	ts := []Table{{"top.u_r[1].u.mem", &ir.Mem{Depth: 2, Type: ir.Vec(2, 4)}, ir.Vec(2, 4)}, {"top.other", &ir.Mem{Depth: 4, Type: ir.Bits(8)}, ir.Bits(8)}}
	img := ir.NewImage()
	img.Data["top.u_r[1].u.mem"] = []uint64{1, 2, 3, 4}
	prefix, err := WriteImage(dir, ts, img)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(prefix + "tb.top.u_r[1].u.mem.memh")
	if err != nil || string(text) != "21\n43\n" {
		t.Errorf("%q, %v", text, err)
	}
	img.Data["top.other"] = []uint64{1}
	if _, err := WriteImage(dir, ts, img); err == nil || !strings.Contains(err.Error(), "top.other, which holds 4") {
		t.Errorf("short contents: %v", err)
	}
	if prefix, err := WriteImage(dir, ts, nil); prefix != "" || err != nil {
		t.Errorf("no image: %q, %v", prefix, err)
	}
}
