package cosim_test

import (
	"fmt"
	"testing"

	"ohmloom/ir"
	"ohmloom/ir/flat"
	"ohmloom/verify"
	"ohmloom/verify/cosim"
	"ohmloom/verify/random"
)

func TestExposedDesignsAreWellFormedAndShowEveryRegister(t *testing.T) {
	arrays := 0
	for seed := range uint64(60) {
		d := random.Design(seed, random.Opts{})
		x, probes := cosim.Expose(d)
		if v := ir.Check(x); len(v) > 0 {
			t.Fatalf("seed %d: %v", seed, v)
		}
		words := 0
		for _, r := range flat.Elaborate(d).Regs {
			words += r.Lanes * r.Type.N
			if r.Lanes > 1 {
				arrays++
			}
		}
		for _, m := range flat.Elaborate(d).Mems {
			if m.Q != nil {
				words += m.Lanes * m.Type.N
			}
		}
		own := verify.ShapeOf(d.Top).OutWords
		if got := verify.ShapeOf(x.Top).OutWords; got != own+words {
			t.Errorf("seed %d: %d words, want %d and %d", seed, got, own, words)
		}
		seen, next := map[string]bool{}, own
		for _, p := range probes {
			if seen[p.Path] || p.Word != next {
				t.Errorf("seed %d: probe %s at word %d, expected at %d", seed, p.Path, p.Word, next)
			}
			seen[p.Path] = true
			next += p.Type.N
		}
	}
	if arrays == 0 {
		t.Error("no register in an array: the designs are too simple")
	}
}

// Each probe shows the register of its name: power-on values depend on module and register,
// and after an edge each cell of maxima holds its own input.
func TestProbesShowTheRegisterOfTheirName(t *testing.T) {
	x, probes := cosim.Expose(maxima())
	e := engine(t, x)
	if err := e.Power(7, nil); err != nil {
		t.Fatal(err)
	}
	s := verify.ShapeOf(x.Top)
	out := make([]uint64, 3*s.OutWords)
	if err := e.Run([]uint64{1, 0, 0, 0, 0, 0, 0, 10, 11, 12, 13, 0, 0, 0, 0, 0, 0, 0}, out, 3); err != nil {
		t.Fatal(err)
	}
	byName := map[string]cosim.Probe{}
	for _, p := range probes {
		byName[p.Path] = p
	}
	for i := range 4 {
		name := fmt.Sprintf("maxima.grid_r[%d].grid_c[%d].grid.best", i/2, i%2)
		p, ok := byName[name]
		if !ok {
			t.Fatalf("no probe %s in %v", name, probes)
		}
		if got := out[2*s.OutWords+p.Word]; got != uint64(10+i) {
			t.Errorf("%s is %d", name, got)
		}
		if got := out[p.Word]; got != ir.InitWord(7, "cell", "best", 0, 8) {
			t.Errorf("%s is %#x at power-on", name, got)
		}
	}
	if p := byName["maxima.y"]; out[p.Word+2] != ir.InitWord(7, "maxima", "y", 2, 8) || p.Type != ir.Vec(4, 8) {
		t.Errorf("maxima.y is %#x at power-on", out[p.Word:p.Word+4])
	}
}
