package power

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"ohmloom/gen/tools"
)

// chain is three flip-flops in a row, of which f1 is measured.
const chain = `{"modules": {"chain": {
  "ports": {"clk": {"direction": "input", "bits": [2]}, "d": {"direction": "input", "bits": [3]}, "q": {"direction": "output", "bits": [6]}},
  "cells": {
    "f0": {"type": "DFFPOSX1", "port_directions": {}, "connections": {"D": [3], "CLK": [2], "Q": [4]}},
    "f1": {"type": "DFFPOSX1", "port_directions": {}, "connections": {"D": [4], "CLK": [2], "Q": [5]}},
    "f2": {"type": "DFFPOSX1", "port_directions": {}, "connections": {"D": [5], "CLK": [2], "Q": [6]}}}}}}`

const chainScript = `read_liberty cells.lib
read_verilog net.v
link_design chain
create_clock -name clk -period 10 [get_ports clk]
set_input_transition 0.2 [all_inputs]
foreach f {f0 f1 f2} { foreach p {D Q} { sta::set_power_pin_activity [get_pins $f/$p] 0.5 0.5 } }
report_power -instances [get_cells f1] -digits 7
`

const chainVerilog = `module chain (clk, d, q);
 input clk, d; output q; wire a, b;
 DFFPOSX1 f0 (.CLK(clk), .D(d), .Q(a));
 DFFPOSX1 f1 (.CLK(clk), .D(a), .Q(b));
 DFFPOSX1 f2 (.CLK(clk), .D(b), .Q(q));
endmodule
`

var chainPower = regexp.MustCompile(`(?m)^\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+f1$`)

// A flip-flop that changes every other cycle takes what OpenSTA says, at 100 MHz: the charge of
// its net and its leakage, and inside the cell. OpenSTA 2.0 counts rise and fall of an input
// at each of its transitions, which is twice what Liberty means; the test allows for that.
func TestAFlipFlopTakesWhatOpenSTASays(t *testing.T) {
	found := tools.NeedForTest(t, "sta", "liberty")
	dir := t.TempDir()
	cells, err := os.ReadFile(found[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cells.lib": string(cells), "net.v": chainVerilog, "run.tcl": chainScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), found[0].Path, "-no_splash", "-exit", "run.tcl")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	m := chainPower.FindStringSubmatch(string(out))
	if err != nil || m == nil {
		t.Fatalf("sta: %v\n%s", err, out)
	}
	var said [3]float64 // internal, switching, leakage, W
	for i := range said {
		if said[i], err = strconv.ParseFloat(m[1+i], 64); err != nil {
			t.Fatal(err)
		}
	}

	l, err := ReadLibrary(found[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Circuit([]byte(chain), "chain", nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 4000
	f := &c.flops[1]
	pin := slices.Index(f.inputs, "D")
	out1, passive := 0.0, 0.0
	for i := range n {
		c.Set("d", []uint64{uint64(i >> 1 & 1)}, 1)
		c.Settle()
		if i > 10 { // what Edge adds up, for f1 alone
			all := f.internal(c.value, c.before)
			in := 0.0
			if d := f.in[pin]; c.value[d] != c.before[d] {
				in = f.passive[pin][1-c.value[d]]
			}
			out1, passive = out1+all-in, passive+in+f.passive[f.clock][0]+f.passive[f.clock][1]
		}
		c.Edge()
	}
	const watt = 1e-12 * 100e6 / (n - 11) // of pJ in all cycles
	got := [3]float64{(out1 + 2*passive) * watt, 0.5 * 0.5 * l.Voltage * l.Voltage * c.load[f.out[0]] * 1e-12 * 100e6, f.leakage * 1e-9}
	for i, what := range []string{"internal", "switching", "leakage"} {
		if within := []float64{0.03, 0.001, 0.001}[i]; math.Abs(got[i]/said[i]-1) > within {
			t.Errorf("%s: %.4g W, OpenSTA %.4g", what, got[i], said[i])
		}
	}
	if r := c.Result(); math.Abs(r.Switching/float64(r.Cycles)/(3*got[1]/100e6)-1) > 0.01 { // the input and two nets, the last has no load
		t.Errorf("the chain's nets take %g J a cycle, one of three %g", r.Switching/float64(r.Cycles), got[1]/100e6)
	}
}
