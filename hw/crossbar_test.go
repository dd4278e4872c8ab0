package hw_test

import (
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/hw/device"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/gosim"
	"ohmloom/verify/icarus"
	"ohmloom/verify/interp"
	"ohmloom/verify/verilated"
)

// effective are PEs that have every structure between them: ideal cells and conductances, all
// converters, one conversion and two.
func effective() []hw.CrossbarPE {
	r := rand.New(rand.NewSource(3))
	cells := device.Effects{Variation: 0.3, StuckOn: 0.05, StuckOff: 0.05, OffOn: 0.1, WireRow: 0.01, WireCol: 0.02, Seed: 1}
	adc := device.Effects{ADCOffset: 2, ADCGain: 0.1, ADCINL: 1, ReadNoise: 0.7, LSB: 1.5, Seed: 2}
	both := cells
	both.ADCOffset, both.ADCGain, both.ADCINL, both.ReadNoise, both.Separate = 2, 0.1, 1, 0.7, true
	noisy := device.Effects{ReadNoise: 1.5, Seed: 3}
	var all []hw.CrossbarPE
	for _, x := range []hw.Crossbar{
		{Rows: 40, Cols: 7, Share: 3, Active: 17, Bits: 5, Step: hw.StepClip, Effects: cells},
		{Rows: 9, Cols: 5, Share: 2, Active: 4, Step: hw.StepIdeal, Effects: cells},
		{Rows: 33, Cols: 4, Share: 1, Active: 33, Bits: 6, Step: hw.StepClip, Effects: adc},
		{Rows: 20, Cols: 6, Share: 4, Active: 11, Bits: 16, Step: hw.StepFull, Effects: both},
		{Rows: 12, Cols: 3, Share: 3, Active: 12, Bits: 4, Step: hw.StepClip, Effects: noisy},
		{Rows: 12, Cols: 3, Share: 3, Active: 7, Bits: 3, Step: hw.StepFull, Effects: device.Effects{Separate: true}},
	} {
		x.Weights = hw.RandomTernary(r, x.Cols, x.Rows)
		all = append(all, hw.CrossbarPE{Crossbar: x, Lanes: 3})
	}
	return all
}

// Effects are the same to the bit in Go source made from the IR and in the Verilog.
func TestEffectsAgreeInEveryEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds simulators for every PE")
	}
	tools.NeedForTest(t, "verilator", "g++", "iverilog", "vvp")
	for _, b := range effective() {
		r := rand.New(rand.NewSource(8))
		in, _ := b.Streams()
		work := [][]hw.Beat{hw.RandomBeats(r, in[0], 3*b.Loads(), false)}
		for _, engine := range []func(*ir.Design) (verify.Engine, error){
			func(d *ir.Design) (verify.Engine, error) { return gosim.New(t.Context(), d, gosim.Options{}) },
			func(d *ir.Design) (verify.Engine, error) { return verilated.New(t.Context(), d, verilated.Options{}) },
			func(d *ir.Design) (verify.Engine, error) { return icarus.New(t.Context(), d, icarus.Options{}) },
		} {
			hold(t, b, work, 5, 0, engine)
		}
	}
}

// The macro with all effects is taken without a word by Verilator and Icarus, and is a black
// box for Yosys.
func TestEffectsAreAcceptedByTheTools(t *testing.T) {
	tools.NeedForTest(t, "verilator", "iverilog", "yosys")
	blocks := []hw.Loaded{writable(device.Effects{Variation: 0.1, ReadNoise: 0.3}), writable(device.Effects{Separate: true})}
	for _, b := range effective() {
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		d := ir.NewDesign(b.Build(hw.NewLib(nil)))
		out, err := rtl.Emit(d, rtl.Options{Image: b.Image(d.Top.Name)})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if err := out.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadFile(filepath.Join(dir, d.Name+".f"))
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, l := range strings.Split(string(list), "\n") {
			if !strings.HasPrefix(l, "//") {
				files = append(files, l)
			}
		}
		for _, cmd := range [][]string{
			{"verilator", "--lint-only", "-Wall", "-f", "sim.f", "--top-module", d.Name},
			{"iverilog", "-g2005", "-Wall", "-f", "sim.f", "-t", "null", "-s", d.Name},
			{"yosys", "-q", "-p", "read_verilog " + strings.Join(files, " ") + "; hierarchy -check -top " + d.Name + "; proc; check -assert"},
		} {
			c := exec.Command(cmd[0], cmd[1:]...)
			c.Dir = dir
			if said, err := c.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%s: %s: %v\n%s", d.Name, cmd[0], err, said)
			}
		}
	}
}

// Tables of a crossbar of another form are refused: by every engine, when they are written,
// and by the Verilog when a simulation reads them.
func TestTablesOfAnotherDesignAreRefused(t *testing.T) {
	b := effective()[4]
	m := b.Build(hw.NewLib(nil))
	d := ir.NewDesign(m)
	other := b
	other.Bits++ // the same tables in size
	wrong := other.Image(m.Name)
	const want = "made for another design"
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, wrong); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("interp: %v should say %q", err, want)
	}
	if _, err := rtl.Emit(d, rtl.Options{Image: wrong}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("emit: %v should say %q", err, want)
	}
	another := b
	another.Effects.Seed, another.Weights = 77, nil // other contents of the same form are welcome
	if err := e.Power(1, another.Image(m.Name)); err != nil {
		t.Error(err)
	}

	tools.NeedForTest(t, "iverilog", "vvp")
	out, err := rtl.Emit(d, rtl.Options{Image: b.Image(m.Name)})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := out.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	bench := "module tb; reg clk = 0, rst = 1; " + d.Name + " " + d.Name + " (.clk(clk), .rst(rst)); initial #1 $display(\"ran\"); endmodule\n"
	if err := os.WriteFile(filepath.Join(dir, "tb.v"), []byte(bench), 0o666); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		c := exec.Command(name, args...)
		c.Dir = dir
		said, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
		return string(said)
	}
	run("iverilog", "-g2005", "-o", "sim", "-f", "sim.f", "tb.v", "-s", "tb")
	if said := run("vvp", "-n", "sim", "+tables=tables/"); !strings.Contains(said, "ran") || strings.Contains(said, want) {
		t.Errorf("right tables: %s", said)
	}
	form := filepath.Join(dir, "tables", "tb."+m.Name+".u_xbar.form.memh")
	text, err := os.ReadFile(form)
	if err != nil || !strings.HasPrefix(string(text), "// set ") || !strings.Contains(string(text), "\n// form ") || !strings.Contains(string(text), "SHA-256") {
		t.Errorf("%v, header %q", err, text)
	}
	if err := os.Remove(filepath.Join(dir, rtl.SetFile)); err != nil { // which would be refused first
		t.Fatal(err)
	}
	if err := os.WriteFile(form, rtl.Memh(ir.Bits(64), wrong.Data[m.Name+".u_xbar.form"]), 0o666); err != nil {
		t.Fatal(err)
	}
	if said := run("vvp", "-n", "sim", "+tables=tables/"); !strings.Contains(said, want) || strings.Contains(said, "ran") {
		t.Errorf("tables of another design: %s", said)
	}
}
