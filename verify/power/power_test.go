package power

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
	"ohmloom/verify/synth"
)

// small is a library of two cells with round figures.
const small = `library (small) {
  voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1, pf);
  nom_voltage : 2.0;
  power_lut_template (two) { variable_1 : total_output_net_capacitance; variable_2 : input_transition_time; }
  power_lut_template (one) { variable_1 : input_transition_time; }
  cell (XOR) {
    cell_leakage_power : 3;
    pin (A) { direction : input; capacitance : 0.01; }
    pin (B) { direction : input; capacitance : 0.03; }
    pin (Y) { direction : output; function : "(A^B)";
      internal_power () { related_pin : "A";
        rise_power (two) { index_1 ("0, 0.1"); index_2 ("0.1, 0.3"); values ("1, 3", "2, 4"); }
        fall_power (two) { index_1 ("0, 0.1"); index_2 ("0.1, 0.3"); values ("10, 10", "20, 20"); } }
      internal_power () { related_pin : "B";
        rise_power (two) { index_1 ("0, 0.1"); index_2 ("0.1, 0.3"); values ("5, 5", "5, 5"); }
        fall_power (two) { index_1 ("0, 0.1"); index_2 ("0.1, 0.3"); values ("7, 7", "7, 7"); } }
    }
  }
  cell (DFF) {
    cell_leakage_power : 5;
    ff (IQ, IQN) { next_state : "D"; clocked_on : "CLK"; }
    pin (D) { direction : input; capacitance : 0.02;
      internal_power () { rise_power (one) { index_1 ("0.1, 0.3"); values ("0.2, 0.4"); } fall_power (one) { index_1 ("0.1, 0.3"); values ("0.6, 0.6"); } } }
    pin (CLK) { direction : input; clock : true; capacitance : 0.04;
      internal_power () { rise_power (one) { index_1 ("0.1, 0.3"); values ("0.1, 0.1"); } fall_power (one) { index_1 ("0.1, 0.3"); values ("0.2, 0.2"); } } }
    pin (Q) { direction : output; function : "IQ";
      internal_power () { related_pin : "CLK";
        rise_power (two) { index_1 ("0, 0.1"); index_2 ("0.1, 0.3"); values ("1, 1", "2, 2"); }
        fall_power (two) { index_1 ("0, 0.1"); index_2 ("0.1, 0.3"); values ("3, 3", "3, 3"); } } }
  }
}`

// toggle is a flip-flop that a XOR with input a turns.
const toggle = `{"modules": {"toggle": {
  "ports": {"clk": {"direction": "input", "bits": [2]}, "a": {"direction": "input", "bits": [3]}, "q": {"direction": "output", "bits": [5]}},
  "cells": {
    "x": {"type": "XOR", "port_directions": {"A": "input", "B": "input", "Y": "output"}, "connections": {"A": [3], "B": [5], "Y": [4]}},
    "f": {"type": "DFF", "port_directions": {"D": "input", "CLK": "input", "Q": "output"}, "connections": {"D": [4], "CLK": [2], "Q": [5]}}}}}}`

func smallLibrary(t *testing.T) *Library {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.lib")
	if err := os.WriteFile(path, []byte(small), 0o666); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLibrary(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Two cycles of a XOR and a flip-flop, counted by hand. V^2/2 is 2 V^2; at 0.2 ns and the
// 0.02 pF of D the XOR takes 2.2 pJ for a rise by A, 5 by B, 12 for a fall by A, 7 by B; at the
// 0.03 pF of B the flip-flop takes 1.3 pJ for a rise of Q; D 0.3 and 0.6, the clock 0.3 a cycle.
func TestEnergyOfTwoCellsIsWhatPaperAndPencilSay(t *testing.T) {
	c, err := smallLibrary(t).Circuit([]byte(toggle), "toggle", nil)
	if err != nil {
		t.Fatal(err)
	}
	step := func(a uint64) Result {
		before := c.Result()
		c.Set("a", []uint64{a}, 1)
		c.Settle()
		c.Edge()
		r := c.Result()
		return Result{Toggles: r.Toggles - before.Toggles, Switching: 1e12 * (r.Switching - before.Switching),
			Internal: 1e12 * (r.Internal - before.Internal), Clock: 1e12 * (r.Clock - before.Clock)}
	}
	step(0) // sets the stage: a = 0, d = 0, q = 0
	for i, want := range []Result{
		{Toggles: 2, Switching: 2 * (0.01 + 0.02), Internal: 2.2 + 0.3, Clock: 2*2*0.04 + 0.3},     // a rises, d with it
		{Toggles: 2, Switching: 2 * (0.03 + 0.02), Internal: 1.3 + 7 + 0.6, Clock: 2*2*0.04 + 0.3}, // q rises, d falls

	} {
		got := step(1)
		if got.Toggles != want.Toggles || !close(got.Switching, want.Switching) || !close(got.Internal, want.Internal) || !close(got.Clock, want.Clock) {
			t.Errorf("cycle %d: %+v, want %+v", i, got, want)
		}
	}
	if r := c.Result(); r.Cells != 2 || r.FlipFlops != 1 || !close(r.Leakage, 8e-9) || r.Cycles != 2 {
		t.Errorf("%+v", r)
	}
}

func close(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func TestFunctionsOfLibertyAreUnderstood(t *testing.T) {
	v := []string{"A", "B", "C"}
	for f, want := range map[string]func(a, b, c bool) bool{
		"(!((A B)+C))":          func(a, b, c bool) bool { return !(a && b || c) },
		"(!((A+B) C))":          func(a, b, c bool) bool { return !((a || b) && c) },
		"((A^B)^C)":             func(a, b, c bool) bool { return a != b != c },
		"(!((C A) + (!C B)))":   func(a, b, c bool) bool { return !(c && a || !c && b) },
		"(((A B)+(B C))+(C A))": func(a, b, c bool) bool { return a && b || b && c || c && a },
		"A' & B | C":            func(a, b, c bool) bool { return !a && b || c },
		"A ^ B * !C":            func(a, b, c bool) bool { return a != b && !c },
		"1":                     func(a, b, c bool) bool { return true },
	} {
		got, err := truth(f, v)
		if err != nil {
			t.Error(err)
		}
		for i := range 8 {
			if on := got>>i&1 == 1; on != want(i&1 == 1, i>>1&1 == 1, i>>2&1 == 1) {
				t.Errorf("%s at %03b is %v", f, i, on)
			}
		}
	}
	for _, f := range []string{"", "(A", "A +", "D", "A)"} {
		if _, err := truth(f, v); err == nil {
			t.Errorf("%q is understood", f)
		}
	}
}

// The netlist of a block with registers gives what its RTL does in every cycle, and a wrong gate
// is found.
func TestANetlistComputesWhatTheRTLDoes(t *testing.T) {
	found := tools.NeedForTest(t, "yosys", "liberty")
	lib, err := synth.ReadLiberty(found[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ReadLibrary(found[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	b := hw.Requantise{Lanes: 1, AccBits: 12, OutBits: 8}
	m := b.Build(hw.NewLib(nil))
	open := func(d *ir.Design) (verify.Engine, error) { return interp.New(d) }
	meter, err := NewMeter(t.Context(), ir.NewDesign(m), l, synth.Options{Yosys: found[0].Path, Version: found[0].Version, Liberty: lib}, open)
	if err != nil {
		t.Fatal(err)
	}
	defer meter.Close()
	in, _ := b.Streams()
	run := func() error {
		if err := meter.Power(1, nil); err != nil {
			t.Fatal(err)
		}
		beats := hw.RandomBeats(rand.New(rand.NewSource(5)), in[0], 300, false)
		_, err := drive.Run(meter, m, []drive.Feed{{Name: "x", Beats: beats}}, []drive.Want{{Name: "y", Beats: 300}}, drive.Options{})
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	r := meter.Circuit.Result()
	if r.Cycles < 300 || r.FlipFlops != 9 || r.Switching <= 0 || r.Internal <= 0 || r.Clock <= 0 || r.Leakage <= 0 || r.Toggles < 300*r.Cells/20 {
		t.Errorf("%+v", r)
	}
	t.Logf("%+v: %.2f pJ a result", r, 1e12*r.Dynamic()/300)

	for i := range meter.Circuit.gates { // a gate that inverts
		if g := &meter.Circuit.gates[i]; len(g.inputs) == 2 {
			k := *g.cell
			k.outputs = []output{{k.outputs[0].name, ^k.outputs[0].table, k.outputs[0].power}}
			g.cell = &k
			break
		}
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "in the RTL") {
		t.Errorf("a wrong gate: %v", err)
	}
}

// A unit inside a chip of two, with memories in an array, is what it is alone: its netlist does what
// the RTL does, on what it is given there.
func TestAUnitInALargerDesignIsMeasured(t *testing.T) {
	found := tools.NeedForTest(t, "yosys", "liberty")
	lib, err := synth.ReadLiberty(found[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ReadLibrary(found[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	b := hw.Switch{Lanes: 2, Width: 3, Depth: 4, Buffers: 3, Writers: 1, Offsets: []int{0}}
	small := b.Build(hw.NewLib(nil))
	top := ir.New("top", "")
	grid := top.Array("u_pair", small, 2, 1)
	for _, p := range small.Inputs() { // the second has nothing to do but w0's data
		n := top.In(p.Name, p.Type, "")
		if p.Name != "w0_data" {
			n = n.Join(top.K(p.Type.W, 0).Splat(p.Type.N))
		} else {
			n = n.Join(n)
		}
		grid.Each(p.Name, n)
	}
	for _, p := range small.Outputs() {
		top.Out(p.Name, top.OutOf(grid, p.Name).Elems(0, p.Type.N), "")
	}
	d := ir.NewDesign(top)
	o := synth.Options{Yosys: found[0].Path, Version: found[0].Version, Liberty: lib}
	var units []*Unit
	var paths []string
	for i := range 2 {
		u, err := NewUnit(t.Context(), d, fmt.Sprintf("u_pair[%d]", i), l, o)
		if err != nil {
			t.Fatal(err)
		}
		units, paths = append(units, u), append(paths, u.Probes()...)
	}
	if _, err := NewUnit(t.Context(), d, "u_nothere", l, o); err == nil {
		t.Error("an instance that is not there is measured")
	}
	probed := ir.Probe(d, paths)
	e, err := interp.New(probed)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	shape := verify.ShapeOf(probed.Top)
	in, out := make([]uint64, shape.InWords), make([]uint64, shape.OutWords)
	r := rand.New(rand.NewSource(1))
	for cycle := range 600 {
		in[0] = 0
		if cycle == 0 {
			in[0] = 1
		}
		at := 1
		for _, p := range shape.In {
			for i := range p.Type.N {
				in[at+i] = r.Uint64() & (1<<p.Type.W - 1)
				if p.Name == "move_src" || p.Name == "move_dst" {
					in[at+i] %= 3
				}
				if p.Name == "move_more" {
					in[at+i] = 0
				}
			}
			at += p.Type.N
		}
		if err := e.Run(in, out, 1); err != nil {
			t.Fatal(err)
		}
		if cycle == 200 { // all has been written by now
			for _, u := range units {
				u.Forget()
			}
		}
		if cycle == 0 {
			continue
		}
		at = shape.OutWords
		var values [][]uint64
		for i := len(shape.Out) - 1; i >= len(shape.Out)-len(paths); i-- {
			at -= shape.Out[i].Type.N
			values = append(values, out[at:at+shape.Out[i].Type.N])
		}
		slices.Reverse(values)
		for i, u := range units {
			u.Cycle(func(k int) []uint64 { return values[i*len(u.Probes())+k] })
		}
	}
	busy, idle := units[0].Circuit.Result(), units[1].Circuit.Result()
	if units[0].Wrong != 0 || busy.Cycles != 399 || busy.Toggles < 2*idle.Toggles || idle.Clock != busy.Clock {
		t.Errorf("%d outputs are wrong; %+v, idle %+v", units[0].Wrong, busy, idle)
	}
	for i := range units[0].Circuit.gates { // a gate that inverts
		if g := &units[0].Circuit.gates[i]; len(g.inputs) == 2 {
			k := *g.cell
			k.outputs = []output{{k.outputs[0].name, ^k.outputs[0].table, k.outputs[0].power}}
			g.cell = &k
		}
	}
	units[0].Cycle(func(k int) []uint64 { return make([]uint64, units[0].elements(k)) })
	if units[0].Wrong == 0 {
		t.Error("wrong gates are not seen")
	}
}
