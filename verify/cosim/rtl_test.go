package cosim_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/cosim"
	"ohmloom/verify/icarus"
	"ohmloom/verify/interp"
	"ohmloom/verify/random"
	"ohmloom/verify/verilated"
	"ohmloom/verify/verilated/vlog"
)

// wrongVerilog is d in Verilator with the first reset value of module cell changed.
func wrongVerilog(t *testing.T, ctx context.Context, d *ir.Design) (verify.Engine, error) {
	t.Helper()
	files, err := vlog.Emit(d)
	if err != nil {
		return nil, err
	}
	changed := false
	for i, f := range files {
		if f.Name == "cell_max.v" {
			files[i].Text = strings.Replace(f.Text, "8'd128", "8'd127", 1)
			changed = changed || files[i].Text != f.Text
		}
	}
	if !changed {
		t.Fatalf("nothing to change in %+v", files)
	}
	return verilated.FromVerilog(ctx, d.Top, vlog.Tables(d), files, verilated.Options{})
}

// An error planted in the emitted Verilog is traced to the register that has it.
func TestErrorInVerilogIsTracedToItsRegister(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++")
	d := maxima()
	d.Modules[0].Name = "cell_max" // "cell" is a word of Verilog
	wrong, err := wrongVerilog(t, t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	engines := []verify.Engine{engine(t, d), wrong}
	r, err := cosim.Run(t.Context(), d, engines, cosim.Extreme(2), cosim.Options{Cycles: 2000, Dir: dir,
		Rebuild: func(ctx context.Context, i int, expose func(*ir.Design) *ir.Design) (verify.Engine, error) {
			if i == 0 {
				return interp.New(expose(d))
			}
			return wrongVerilog(t, ctx, expose(d))
		}})
	if err != nil || r.Passed {
		t.Fatalf("%v, %v", err, r)
	}
	m := r.Mismatch
	if m.Origin == nil || !strings.HasSuffix(m.Origin.Signal, ".grid.best") || len(m.Notes) > 0 {
		t.Fatalf("origin %+v, notes %v", m.Origin, m.Notes)
	}
	if m.Origin.Values[0].Signed != -128 || m.Origin.Values[1].Signed != 127 || m.Origin.Values[1].Engine != "verilated" {
		t.Errorf("values %+v", m.Origin.Values)
	}
	if m.Shrunk.Cycles > 3 || m.Shrunk.Nonzero > 1 {
		t.Errorf("shrunk to %+v", m.Shrunk)
	}
	wave, err := os.ReadFile(m.Wave)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"$scope module 0_interp $end", "$scope module 1_verilated $end", "$scope module grid_r[1] $end",
		" best [7:0] $end", " x[3] [7:0] $end", " differs $end", "b10000000 ", "b1111111 "} {
		if !strings.Contains(string(wave), want) {
			t.Errorf("the waveform has no %q", want)
		}
	}
}

// Showing registers changes nothing and shows the same in every engine.
func TestExposedRandomDesignsAgreeInAllEngines(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++", "iverilog", "vvp")
	d := random.Batch(101, 4, random.Opts{})
	x, _ := cosim.Expose(d)
	v, err := verilated.New(t.Context(), x, verilated.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ic, err := icarus.New(t.Context(), x, icarus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ic.Close()
	for _, s := range []cosim.Stimulus{cosim.Random(3), cosim.Extreme(3)} {
		r, err := cosim.Run(t.Context(), x, []verify.Engine{engine(t, x), v, ic}, s,
			cosim.Options{Cycles: 150, Power: 5, Image: random.Image(d, 5)})
		if err != nil || !r.Passed {
			t.Errorf("%v\n%v", err, r)
		}
	}
}
