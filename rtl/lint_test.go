package rtl

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ohmloom/ir"
)

// need skips the test when an external tool is missing; in CI it fails.
func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
}

// written emits d into a new directory.
func written(t *testing.T, d *ir.Design, o Options) (dir string) {
	t.Helper()
	b, err := Emit(d, o)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "out")
	if err := b.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// silent runs a tool and fails when it says anything.
func silent(t *testing.T, dir, tool string, args ...string) {
	t.Helper()
	c := exec.Command(tool, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%s: %v\n%s", tool, err, out)
	}
}

func TestCorpusPassesIRCheck(t *testing.T) {
	for _, d := range corpus() {
		for _, v := range ir.Check(d) {
			t.Errorf("%s: %s", d.Name, v)
		}
	}
}

func TestEmittedVerilogLintsWithoutAWord(t *testing.T) {
	for _, d := range corpus() {
		t.Run(d.Name, func(t *testing.T) {
			dir := written(t, d, Options{})
			t.Run("verilator", func(t *testing.T) {
				need(t, "verilator")
				silent(t, dir, "verilator", "--lint-only", "-Wall", "-f", "sim.f", "--top-module", d.Name)
			})
			t.Run("iverilog", func(t *testing.T) {
				need(t, "iverilog")
				silent(t, dir, "iverilog", "-g2005", "-Wall", "-f", "sim.f", "-t", "null", "-s", d.Name)
			})
			t.Run("yosys", func(t *testing.T) {
				need(t, "yosys")
				list, err := os.ReadFile(filepath.Join(dir, d.Name+".f"))
				if err != nil {
					t.Fatal(err)
				}
				var files []string
				for _, l := range strings.Fields(commentLine.ReplaceAllString(string(list), "")) {
					files = append(files, l)
				}
				silent(t, dir, "yosys", "-q", "-p", "read_verilog "+strings.Join(files, " ")+"; hierarchy -check -top "+d.Name+"; proc; check -assert")
			})
		})
	}
}

var commentLine = regexp.MustCompile(`(?m)^//.*$`)

func TestMacroStubsAreReadByYosysAndSTA(t *testing.T) {
	d := ir.NewDesign(macroDesign())
	dir := written(t, d, Options{ClockMHz: 250})
	t.Run("yosys", func(t *testing.T) {
		need(t, "yosys")
		c := exec.Command("yosys", "-p", "read_verilog rtl/chip.v rtl/xbar.v; synth -top chip -noalumacc; stat -liberty lib/xbar.lib; "+
			"delete xbar; read_liberty -lib lib/xbar.lib; hierarchy -check -top chip")
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "xbar                            2") || !strings.Contains(string(out), "247.0") {
			t.Errorf("yosys does not count two crossbars of 123.5 um2:\n%s", out)
		}
	})
	t.Run("sta", func(t *testing.T) {
		need(t, "sta")
		netlist := "module chip (clk, rst, \\rows , go, diff); input clk, rst, go; input [8:0] \\rows ; output [35:0] diff;\n" +
			"  xbar x (.clk(clk), .rst(rst), .\\rows (\\rows ), .go(go), .sums(diff[23:0]));\nendmodule\n"
		if err := os.WriteFile(filepath.Join(dir, "net.v"), []byte(netlist), 0o666); err != nil {
			t.Fatal(err)
		}
		script := "read_liberty lib/xbar.lib\nread_verilog net.v\nlink_design chip\nsource chip.sdc\nreport_checks -path_delay max\nputs worst=[worst_slack -max]\n"
		if err := os.WriteFile(filepath.Join(dir, "run.tcl"), []byte(script), 0o666); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("sta", "-no_splash", "-exit", "run.tcl")
		c.Dir = dir
		out, err := c.CombinedOutput()
		text := string(out)
		if err != nil || strings.Contains(text, "Error") || strings.Contains(text, "Warning") || !strings.Contains(text, "MET") {
			t.Errorf("sta: %v\n%s", err, text)
		}
	})
}
