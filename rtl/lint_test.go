package rtl

import (
	"os"
	"os/exec"
	"path/filepath"
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

// written emits d into a new directory and lists its Verilog files for simulation and for
// synthesis.
func written(t *testing.T, d *ir.Design, o Options) (dir string, sim, syn []string) {
	t.Helper()
	b, err := Emit(d, o)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, f := range b.Files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.Path, ".v") {
			sim = append(sim, f.Path)
			if f.Role != RoleSim {
				syn = append(syn, f.Path)
			}
		}
	}
	return dir, sim, syn
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
			dir, sim, syn := written(t, d, Options{})
			t.Run("verilator", func(t *testing.T) {
				need(t, "verilator")
				silent(t, dir, "verilator", append([]string{"--lint-only", "-Wall", "-Irtl", "--top-module", d.Name}, sim...)...)
			})
			t.Run("iverilog", func(t *testing.T) {
				need(t, "iverilog")
				silent(t, dir, "iverilog", append([]string{"-g2005", "-Wall", "-Irtl", "-o", os.DevNull, "-s", d.Name}, sim...)...)
			})
			t.Run("yosys", func(t *testing.T) {
				need(t, "yosys")
				silent(t, dir, "yosys", "-q", "-p", "read_verilog "+strings.Join(syn, " ")+"; hierarchy -check -top "+d.Name+"; proc; check -assert")
			})
		})
	}
}
