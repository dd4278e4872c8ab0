package main

import (
	"math"
	"math/rand"
	"os"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/gates"
	"ohmloom/ir/pass"
)

// The figures of technology 130nm that say they are synthesised are what the parts take, scaled
// from the cells of 180 nm and 1.8 V. The column, the largest netlist, is left to the nightly run.
func TestTechnologyHasWhatThePartsTake(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises four parts")
	}
	tools.NeedForTest(t, "yosys", "liberty")
	b, err := newBench(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	tech := config.LibraryTechnology("130nm")
	const scale = 130. / 180 * (1.2 / 1.8) * (1.2 / 1.8)
	seen := map[string]bool{}
	for _, p := range parts {
		if p.energy == "" || p.energy == "mac" && os.Getenv("OHMLOOM_NIGHTLY") == "" {
			continue
		}
		m, err := p.measure(t.Context(), b)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		pj := 1e12 * m.Dynamic() / float64(m.Operations)
		for _, e := range arch.EnergyParts {
			if e.Name != p.energy {
				continue
			}
			q := e.Of(&tech.Energy)
			if seen[e.Name] = true; q.Kind != "synthesised" || math.Abs(q.Value/(pj*scale)-1) > 0.02 {
				t.Errorf("energy %q is %v %s (%s), measured %.4g pJ, times %.4g is %.4g", e.Name, q.Value, q.Unit, q.Kind, pj, scale, pj*scale)
			}
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %v were held against the technology", seen)
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
