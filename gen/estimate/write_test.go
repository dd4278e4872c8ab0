package estimate_test

import (
	"context"
	"math"
	"testing"

	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/model"
)

// The weights of nano take through the chip's port what the chip's own formula says, but for the
// register at the port; with pulses that fail a little less, because zeros need not switch.
func TestTimeOfWritingIsThatOfTheChip(t *testing.T) {
	m, err := model.Open("../../examples/models/nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, yield := range []float64{1, 0.7} {
		c, diags := config.Load(context.Background(), "../../examples/nano.hcl", config.Options{Vars: map[string]string{"writable": "true"}})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		c.PIM.Crossbar.Write.Yield, c.PIM.Crossbar.Write.Pulses = yield, 14
		h, err := estimate.FromChip(c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := h.Estimate(*c.Model, 10, estimate.Decode, estimate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := compile.Compile(c, m)
		if err != nil {
			t.Fatal(err)
		}
		got, want := r.WriteCycles.Value+1, float64(p.Chip.WriteCycles(p.Told()))
		if yield == 1 && got != want || got < want || got > 1.25*want {
			t.Errorf("yield %g: %.0f cycles, the chip takes %.0f", yield, got, want)
		}
		if s := r.WriteSeconds.Value; math.Abs(s-r.WriteCycles.Value/(c.ClockMHz*1e6)) > 1e-9 {
			t.Errorf("%g s for %g cycles at %g MHz", s, r.WriteCycles.Value, c.ClockMHz)
		}
		if yield == 1 && p.Chip.LoadCycles() != int(want) {
			t.Errorf("LoadCycles is %d, one pulse each takes %.0f", p.Chip.LoadCycles(), want)
		}
	}
}
