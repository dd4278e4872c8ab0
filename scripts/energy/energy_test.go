package main

import (
	"maps"
	"math"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/gates"
	"ohmloom/ir/pass"
)

// held compares a figure of both technologies with what was measured, pJ, and tells whether they
// have it.
func held(t *testing.T, name string, pj float64) bool {
	t.Helper()
	for tech, scale := range scales {
		x := config.LibraryTechnology(tech)
		i := slices.IndexFunc(arch.EnergyParts, func(e arch.EnergyPart) bool { return e.Name == name })
		if i < 0 {
			return false
		}
		q := arch.EnergyParts[i].Of(&x.Energy)
		if math.Abs(q.Value/(pj*scale)-1) > 0.02 || !strings.Contains(q.Source, "scripts/energy") {
			t.Errorf("%s: energy %q is %v %s (%s), measured %.4g pJ, times %.4g is %.4g", tech, name, q.Value, q.Unit, q.Source, pj, scale, pj*scale)
		}
	}
	return true
}

// The figures of technologies that say they are from netlists are what the parts take, without
// clocks. The column, the largest netlist, is left to the nightly run.
func TestTechnologyHasWhatThePartsTake(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises three parts")
	}
	tools.NeedForTest(t, "yosys", "liberty")
	b, err := newBench(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range parts {
		if p.energy == "" || p.energy == "mac" && os.Getenv("OHMLOOM_NIGHTLY") == "" {
			continue
		}
		m, err := p.measure(t.Context(), b)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if held(t, p.energy, m.picojoules()) {
			seen++
		}
	}
	if seen < 3 {
		t.Errorf("only %d were held against the technologies", seen)
	}
}

// So are those of units of a chip that writes text, and the clock of a flip-flop; their netlists do
// what the RTL does.
func TestTechnologyHasWhatUnitsOfAChipTake(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises two units and runs a chip")
	}
	tools.NeedForTest(t, "yosys", "liberty")
	b, err := newBench(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	var names []string // all, but for the quick ones nightly only
	if os.Getenv("OHMLOOM_NIGHTLY") == "" {
		names = []string{"control of a bank", "shift-add of a PE"}
	}
	list, err := measureUnits(t.Context(), b, "../..", names...)
	if err != nil || len(list) < 2 {
		t.Fatal(len(list), err)
	}
	for _, m := range list {
		if m.Wrong > 0 {
			t.Errorf("%s: %d outputs of the netlist are wrong", m.name, m.Wrong)
		}
	}
	figures := unitFigures(list)
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		if !held(t, name, figures[name]) {
			t.Errorf("technologies know no %s", name)
		}
	}
}

// A figure written into a technology changes its value and what its source tells, nothing else.
func TestFigureIsWrittenIntoItsBlockOnly(t *testing.T) {
	block := func(name, value, pj string) string {
		return "energy \"" + name + "\" { # of a chip\n  value  = " + value + "\n  unit   = \"pJ\"\n  source = \"unit, event: " + pj + " pJ by scripts/energy (netlist), times 0.5\"\n}\n"
	}
	text := block("add", "1", "2") + block("head", "3", "6") + block("headroom", "5", "10")
	got, was, err := withFigure(text, "head", 7.00049, 0.5)
	want := block("add", "1", "2") + block("head", "3.5", "7") + block("headroom", "5", "10")
	if err != nil || was != "6" || got != want {
		t.Errorf("%v, was %q:\n%s", err, was, got)
	}
	if _, _, err := withFigure(text, "vector", 1, 1); err == nil {
		t.Error("a figure without a block is written")
	}
}

// What package gates counts is near what Yosys makes of it: each of some blocks, and their sum.
func TestCountedGatesAreNearThoseOfNetlists(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises seven blocks")
	}
	tools.NeedForTest(t, "yosys", "liberty")
	b, err := newBench(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	var designs []*ir.Design
	for _, x := range smallBlocks {
		designs = append(designs, pass.Run(ir.NewDesign(x.Build(hw.NewLib(nil))), pass.Default...))
	}
	list, err := b.synthesise(t.Context(), designs)
	if err != nil {
		t.Fatal(err)
	}
	var netlist, sum float64
	for _, s := range list {
		n := s.count.Gates()
		netlist, sum = netlist+s.weight(), sum+float64(s.instances)*n
		if off := n/s.gates - 1; s.gates > 1000 && math.Abs(off) > 0.5 {
			t.Errorf("%s: %.0f gates, its netlist has %.0f", s.name, n, s.gates)
		}
	}
	if off := sum/netlist - 1; len(list) < 10 || math.Abs(off) > 0.05 {
		t.Errorf("%d modules have %.0f gates, their netlists %.0f", len(list), sum, netlist)
	}
}

// The fit finds the weights that made the gates.
func TestFitFindsWeights(t *testing.T) {
	want := gates.Count{}
	for k := range want {
		want[k] = math.Round(100*start[k]*(0.8+0.05*float64(k%9)))/100 + 0.11
	}
	var list []synthesised
	r := rand.New(rand.NewSource(1))
	for range 200 {
		s := synthesised{instances: 1 + r.Intn(4)}
		for k := range s.count {
			s.count[k] = float64(r.Intn(200))
		}
		s.gates = s.count.Weighed(want)
		list = append(list, s)
	}
	for k, w := range fit(list) {
		if math.Abs(w-want[k]) > 0.15 {
			t.Errorf("%s weighs %v, want %v", gates.Names[k], w, want[k])
		}
	}
}
