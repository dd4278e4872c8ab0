package main

import (
	"math"
	"os"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/tools"
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
