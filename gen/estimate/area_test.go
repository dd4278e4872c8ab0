package estimate_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/estimate/paper"
)

func areaOf(t *testing.T, r *estimate.Result) (map[string]estimate.AreaPart, float64) {
	t.Helper()
	parts, total, err := r.Area()
	if err != nil {
		t.Fatal(err)
	}
	by, sum := map[string]estimate.AreaPart{}, 0.0
	for _, p := range parts {
		by[p.Part], sum = p, sum+p.MM2.Value
	}
	if !near(sum, total.Value) {
		t.Errorf("parts have %v mm2 of %v", sum, total.Value)
	}
	return by, sum
}

// The gates of chip nano by part, as `area examples/nano.hcl` had them from Yosys 0.23 with osu018:
// its modules' netlists, summed by part.
func TestAreaOfAWholeChipIsNearItsNetlists(t *testing.T) {
	c, diags := config.Load(t.Context(), "../../examples/nano.hcl", config.Options{})
	if c == nil {
		t.Fatal(diags)
	}
	h, err := estimate.FromChip(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Estimate(*c.Model, 64, estimate.Decode, estimate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := areaOf(t, r)
	for part, netlist := range map[string]float64{
		estimate.Array: 64*532 + 8*1329, estimate.ShiftAdd: 24 * 7293, estimate.PEControl: 24 * (3968 + 161), estimate.Routers: 6*2919 + 2*3706 + 2*936,
		estimate.Vector: 35403 + 29993 + 1026 + 886, estimate.Sampler: 11961,
	} {
		if off := got[part].Gates/netlist - 1; math.Abs(off) > 0.12 {
			t.Errorf("%s: %.0f gates, the netlists have %.0f", part, got[part].Gates, netlist)
		}
	}
	for _, part := range []string{estimate.SRAM, estimate.Analog, estimate.Sequencer, estimate.Switch, estimate.Host, estimate.BankControl} {
		if got[part].MM2 == nil {
			t.Errorf("no area of %s", part)
		}
	}
	if a := got[estimate.Analog].MM2.Value; !near(a, r.AnalogArea.Value) { // the chip has as many pairs as the model takes
		t.Errorf("analog parts have %v mm2, the pairs %v", a, r.AnalogArea.Value)
	}
}

// A chip without a description has an area too, for every model of the library: of whole banks.
func TestAreaFollowsTheModel(t *testing.T) {
	tech := config.LibraryTechnology("45nm")
	for _, m := range config.Models() {
		for _, decode := range []string{arch.Column, arch.Spread} {
			r, err := paper.Hardware(decode, m, tech).Estimate(m, 128, estimate.Decode, estimate.Options{})
			if err != nil {
				t.Fatal(err)
			}
			parts, _ := areaOf(t, r)
			b := r.Hardware.Bank
			banks := math.Ceil(r.Pairs.Value / float64(b.Rows*b.Cols*b.PEs)) // whole ones
			want := r.AnalogArea.Value * banks * float64(b.Rows*b.Cols*b.PEs) / r.Pairs.Value
			if a := parts[estimate.Analog].MM2.Value; !near(a, want) {
				t.Errorf("%s: analog parts have %v mm2, want %v", m.Name, a, want)
			}
			if x := parts[estimate.ShiftAdd]; x.FlipFlops < 128*r.Pairs.Value {
				t.Errorf("%s: shift-add of %v pairs has %v flip-flops", m.Name, r.Pairs.Value, x.FlipFlops)
			}
		}
	}
}

// Gates of a technology that says nothing of them have no area, and the error says what to add.
func TestAreaWithoutAGateIsAnError(t *testing.T) {
	tech := config.LibraryTechnology("45nm")
	tech.Macros.GateUm2 = arch.Quantity{}
	m := library(t, "nano")
	r, err := paper.Hardware(arch.Spread, m, tech).Estimate(m, 8, estimate.Decode, estimate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Area(); err == nil || !strings.Contains(err.Error(), `area "gate"`) {
		t.Error(err)
	}
	if !slices.ContainsFunc(arch.AreaParts, func(p arch.AreaPart) bool { return p.Name == "gate" && p.Optional }) {
		t.Error("the gate is not optional")
	}
}

// Clocks take their energy in every cycle in every flip-flop of the chip, and all of its gates leak;
// what the PEs that wait take is a part of it, and small where most of the PEs work.
func TestClocksAndLeakageAreThoseOfAllLogic(t *testing.T) {
	tech := config.LibraryTechnology("45nm-synthesised")
	m := library(t, "gpt2-350m")
	r, err := paper.Hardware(arch.Spread, m, tech).Estimate(m, 256, estimate.Decode, estimate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parts, _ := areaOf(t, r)
	var gates, flipFlops, clock, leakage float64
	for _, p := range parts {
		gates, flipFlops = gates+p.Gates, flipFlops+p.FlipFlops
	}
	for _, p := range r.Parts {
		switch p.Part {
		case estimate.Clock, estimate.IdleClock:
			clock += p.Joules.Value
		case estimate.Leakage:
			leakage += p.Joules.Value
		}
	}
	if want := flipFlops * r.Cycles.Value * tech.Energy.FlipFlop.Value * 1e-12; !near(clock, want) {
		t.Errorf("clocks take %v J, want %v", clock, want)
	}
	if want := gates * r.Seconds.Value * tech.Energy.GateLeak.Value * 1e-6; !near(leakage, want) {
		t.Errorf("leakage is %v J, want %v", leakage, want)
	}
	if idle := r.IdleClock.Value / r.JoulesPerToken.Value; idle < 0.5 || idle > 0.99 { // one layer of 24 works at a time
		t.Errorf("idle clocks are %.2f of the energy", idle)
	}
	cited, err := paper.Hardware(arch.Spread, m, config.LibraryTechnology("45nm")).Estimate(m, 256, estimate.Decode, estimate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if cited.IdleClock != nil || cited.JoulesPerToken.Value >= r.JoulesPerToken.Value-r.IdleClock.Value {
		t.Errorf("cited figures give %v J, synthesised ones %v", cited.JoulesPerToken.Value, r.JoulesPerToken.Value)
	}
}
