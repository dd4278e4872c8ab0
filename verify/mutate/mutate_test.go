package mutate

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/interp"
	"ohmloom/verify/random"
	"ohmloom/verify/verilated/vlog"
)

// TestMutantsAreDesignsThatMostlyDiffer: mutants pass Check, the original stays, and random
// inputs tell most mutants from it.
func TestMutantsAreDesignsThatMostlyDiffer(t *testing.T) {
	made, seen := map[string]int{}, map[string]int{}
	total, differ := 0, 0
	for seed := uint64(0); seed < 15; seed++ {
		d := random.Design(seed, random.Opts{Nodes: 6})
		text := d.String()
		want := run(t, d, seed)
		for i, k := range Kinds {
			m, what := OfKind(d, k.Name, seed*100+uint64(i))
			if m == nil {
				continue
			}
			if vs := ir.Check(m); len(vs) > 0 {
				t.Fatalf("seed %d, %s: %v", seed, what, vs[0])
			}
			if !strings.HasPrefix(what, k.Name+": ") || m.String() == text {
				t.Fatalf("seed %d: the mutant %q is the design itself", seed, what)
			}
			made[k.Name]++
			total++
			if !slices.Equal(run(t, m, seed), want) {
				seen[k.Name]++
				differ++
			}
		}
		if d.String() != text {
			t.Fatalf("seed %d: the design was changed", seed)
		}
	}
	for _, k := range Kinds {
		t.Logf("%-16s %3d made, %3d seen", k.Name, made[k.Name], seen[k.Name])
		if made[k.Name] < 1 || seen[k.Name] == 0 {
			t.Errorf("%s: %d mutants of 15 designs, %d seen", k.Name, made[k.Name], seen[k.Name])
		}
	}
	if differ*3 < total*2 {
		t.Errorf("only %d of %d mutants are seen", differ, total)
	}
}

func TestSameSeedGivesSameMutant(t *testing.T) {
	d := random.Design(3, random.Opts{})
	differ := false
	for seed := uint64(0); seed < 20; seed++ {
		a, what := IR(d, seed)
		b, again := IR(d, seed)
		if what != again || a.String() != b.String() {
			t.Errorf("seed %d gave %q and %q", seed, what, again)
		}
		_, other := IR(d, seed+1)
		differ = differ || other != what
	}
	if !differ {
		t.Error("all seeds give one mutant")
	}
}

func TestDesignWithoutOutputsOffersNothing(t *testing.T) {
	m := ir.New("empty", "")
	m.In("a", ir.Bits(4), "").Not()
	if got, what := IR(ir.NewDesign(m), 1); got != nil {
		t.Errorf("%s, which no output depends on", what)
	}
}

func run(t *testing.T, d *ir.Design, seed uint64) []uint64 {
	t.Helper()
	const cycles = 100
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(seed, random.Image(d, seed)); err != nil {
		t.Fatal(err)
	}
	s := verify.ShapeOf(d.Top)
	r := rand.New(rand.NewPCG(seed, 1))
	in := make([]uint64, s.InWords*cycles)
	for i := range in {
		in[i] = []uint64{0, ^uint64(0), r.Uint64(), r.Uint64(), r.Uint64()}[r.IntN(5)]
		if i%s.InWords == 0 {
			in[i] = bits.Bool(i == 0 || r.IntN(16) == 0)
		}
	}
	out := make([]uint64, s.OutWords*cycles)
	if err := e.Run(in, out, cycles); err != nil {
		t.Fatal(err)
	}
	return out
}

func emit(t *testing.T, d *ir.Design) []vlog.File {
	t.Helper()
	files, err := vlog.Emit(d)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestVerilogOfRandomDesignsOffersEveryKind(t *testing.T) {
	files := emit(t, random.Batch(0, 40, random.Opts{}))
	for _, k := range textKinds {
		if n := len(places(files, k)); n == 0 {
			t.Errorf("%s: no place in %d files", k.name, len(files))
		}
	}
}

func TestVerilogMutantsDifferInOnePlace(t *testing.T) {
	files := emit(t, random.Batch(0, 4, random.Opts{}))
	kinds := map[string]bool{}
	for seed := uint64(0); seed < 100; seed++ {
		mutant, what := Verilog(files, seed)
		kind, _, _ := strings.Cut(what, ": ")
		kinds[kind] = true
		lines := 0
		for i := range files {
			a, b := strings.Split(files[i].Text, "\n"), strings.Split(mutant[i].Text, "\n")
			for k := range a {
				if a[k] != b[k] {
					lines++
					if strings.Contains(a[k], "unused_") || strings.Contains(a[k], "ohmloom_init") {
						t.Errorf("%s", what)
					}
				}
			}
		}
		if lines != 1 {
			t.Errorf("seed %d: %d lines differ: %s", seed, lines, what)
		}
	}
	if len(kinds) < 12 {
		t.Errorf("100 seeds made %d kinds of mutants", len(kinds))
	}
}

// TestVerilogMutantsCompile has Icarus judge.
func TestVerilogMutantsCompile(t *testing.T) {
	iverilog, err := exec.LookPath("iverilog")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("iverilog is missing")
	}
	for seed := uint64(0); seed < 12; seed++ {
		d := random.Design(seed, random.Opts{Nodes: 6})
		mutant, what := Verilog(emit(t, d), seed)
		if mutant == nil {
			continue
		}
		dir := t.TempDir()
		if err := vlog.Write(dir, mutant); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"-g2005", "-s", d.Top.Name, "-o", filepath.Join(dir, "out")}, vlog.Units(mutant)...)
		cmd := exec.Command(iverilog, args...)
		cmd.Dir = dir
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("seed %d, %s: %v\n%s", seed, what, err, msg)
		}
	}
}
