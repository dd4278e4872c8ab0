package hw_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/gosim"
	"ohmloom/verify/icarus"
	"ohmloom/verify/interp"
	"ohmloom/verify/verilated"
)

// powered is every engine, for a design.
func powered(t *testing.T, d *ir.Design) map[string]verify.Engine {
	t.Helper()
	open := map[string]func() (verify.Engine, error){
		"reference": func() (verify.Engine, error) { return conform.NewReference(d) },
		"interp":    func() (verify.Engine, error) { return interp.New(d) },
		"gosim":     func() (verify.Engine, error) { return gosim.New(t.Context(), d, gosim.Options{}) },
		"verilated": func() (verify.Engine, error) { return verilated.New(t.Context(), d, verilated.Options{}) },
		"icarus":    func() (verify.Engine, error) { return icarus.New(t.Context(), d, icarus.Options{}) },
	}
	all := map[string]verify.Engine{}
	for name, f := range open {
		e, err := f()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		all[name] = e
	}
	return all
}

// A crossbar whose tables are of two seeds, and one with a conductance out of range, are refused by
// every engine and when Verilog is emitted.
func TestTablesThatDoNotBelongTogetherAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("builds simulators")
	}
	tools.NeedForTest(t, "verilator", "g++", "iverilog", "vvp")
	b := effective()[0]
	m := b.Build(hw.NewLib(nil))
	d := ir.NewDesign(m)
	other := b
	other.Effects.Seed++
	mixed, diff := b.Image(m.Name), m.Name+".u_xbar.diff"
	mixed.Data[diff], mixed.Notes[diff] = other.Image(m.Name).Data[diff], other.Image(m.Name).Notes[diff]
	far := b.Image(m.Name)
	n, bits := len(far.Data[diff])/11/b.Steps(), 11
	for s := range bits { // cell 5 of step 0: the sign and nothing else
		far.Data[diff][s*n+5] = 0
	}
	far.Data[diff][(bits-1)*n+5] = 1
	whole := other.Image(m.Name)
	for _, k := range []struct {
		name string
		img  *ir.Image
		want []string
	}{
		{"seeds", mixed, []string{"do not belong together", diff, "form ", "SHA-256"}},
		{"range", far, []string{diff, "number 5 of group 0 is -1024, allowed are -1023 to 1023"}},
		{"another seed", whole, nil},
	} {
		check := func(who string, err error) {
			t.Helper()
			if k.want == nil {
				if err != nil {
					t.Errorf("%s, %s: %v", who, k.name, err)
				}
				return
			}
			for _, w := range k.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("%s, %s: %v should say %q", who, k.name, err, w)
				}
			}
		}
		for name, e := range powered(t, d) {
			check(name, e.Power(1, k.img))
		}
		_, err := rtl.Emit(d, rtl.Options{Image: k.img})
		check("rtl", err)
	}
	for name, img := range map[string]*ir.Image{"as made": b.Image(m.Name), "range": far} {
		said := simulated(t, d, b.Image(m.Name), diff, rtl.Memh(ir.Vec(b.Rows, 1), img.Data[diff]))
		if name == "range" != strings.Contains(said, "u_xbar.diff: a number of group 0 is out of range") || name == "range" == strings.HasSuffix(said, "ran\n") {
			t.Errorf("%s: the Verilog says %q", name, said)
		}
	}
}

// simulated is what a plain simulation of the emitted Verilog says when one of its tables has
// other words.
func simulated(t *testing.T, d *ir.Design, img *ir.Image, table string, words []byte) string {
	t.Helper()
	out, err := rtl.Emit(d, rtl.Options{Image: img})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	bench := "module tb; reg clk = 0, rst = 1; " + d.Name + " " + d.Name + " (.clk(clk), .rst(rst)); initial #1 $display(\"ran\"); endmodule\n"
	err = errors.Join(out.WriteDir(dir), os.Remove(filepath.Join(dir, rtl.SetFile)), os.WriteFile(filepath.Join(dir, "tb.v"), []byte(bench), 0o666),
		os.WriteFile(filepath.Join(dir, "tables", "tb."+table+".memh"), words, 0o666))
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, args := range [][]string{{"iverilog", "-g2005", "-o", "sim", "-f", "sim.f", "tb.v", "-s", "tb"}, {"vvp", "-n", "sim", "+tables=tables/"}} {
		c := exec.Command(args[0], args[1:]...)
		c.Dir = dir
		text, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, text)
		}
		said += string(text)
	}
	return said
}
