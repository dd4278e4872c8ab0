// Package power estimates the energy of digital hardware: it runs a netlist of standard cells
// on the inputs that the RTL had, counts how often each net changes, and weighs that with
// capacitances and internal energies of the Liberty file.
//
// The netlist is simulated without delays, so that glitches are left out: a multiplier makes
// many, and real energy is higher by as much. Wires have no capacitance, and the clock net no
// buffers. Every transition at an input takes transitionNS.
package power

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ohmloom/verify/synth"
)

// transitionNS is the transition time at every input, ns.
const transitionNS = 0.2

// Library is the electrical side of standard cells, in pF, pJ, V and nW.
type Library struct {
	Voltage float64
	cells   map[string]*cell
}

// cell is a standard cell: combinational, or a flip-flop that takes next at the rising edge.
type cell struct {
	inputs  []string // at most 6; those of next come first in a flip-flop
	caps    []float64
	passive [][2]float64 // internal energy of a rise and a fall of each input
	outputs []output
	clock   int // the input, or -1
	next    uint64
	leakage float64
}

// output is an output pin: its function over the inputs, or over the state of a flip-flop.
type output struct {
	name  string
	table uint64      // bit i: value at inputs i; of a flip-flop: bit 0 and 1, at state 0 and 1
	power [][2]*table // by input: rise and fall, or nil
}

// table is internal energy over load and transition time.
type table struct {
	load, slew []float64 // nil: it does not depend on it
	values     [][]float64
}

// ReadLibrary reads a Liberty file whose units are pF, V and nW, as those of most are. Cells
// that it does not understand, such as latches and flip-flops with an asynchronous reset, are
// left out; a netlist that has one is an error.
func ReadLibrary(path string) (*Library, error) {
	g, err := synth.ReadGroups(path)
	if err != nil {
		return nil, err
	}
	unit := strings.ToLower(strings.Join(g.Attrs["capacitive_load_unit"], " "))
	if unit != "1 pf" || g.Attr("voltage_unit") != "1V" || g.Attr("leakage_power_unit") != "1nW" {
		return nil, fmt.Errorf("liberty file %s: units are %q, %q and %q; known are 1 pf, 1V and 1nW", path, unit, g.Attr("voltage_unit"), g.Attr("leakage_power_unit"))
	}
	l := &Library{cells: map[string]*cell{}}
	if l.Voltage, err = strconv.ParseFloat(g.Attr("nom_voltage"), 64); err != nil {
		return nil, fmt.Errorf("liberty file %s: nom_voltage: %w", path, err)
	}
	templates := map[string][]string{}
	for _, kind := range []string{"power_lut_template", "lu_table_template"} {
		for _, t := range g.Find(kind) {
			templates[t.Args[0]] = []string{t.Attr("variable_1"), t.Attr("variable_2")}
		}
	}
	for _, c := range g.Find("cell") {
		r := cellReader{Group: c, templates: templates}
		k, err := r.read()
		if err != nil {
			return nil, fmt.Errorf("liberty file %s: cell %s: %w", path, c.Args, err)
		}
		if k != nil {
			l.cells[c.Args[0]] = k
		}
	}
	return l, nil
}

type cellReader struct {
	*synth.Group
	templates map[string][]string
	err       error
}

// number is an attribute of g, 0 when it has none.
func (r *cellReader) number(g *synth.Group, name string) float64 {
	s := g.Attr(name)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
	return v
}

// read is the cell, or nil for one of another kind.
func (r *cellReader) read() (*cell, error) {
	k := &cell{clock: -1, leakage: r.number(r.Group, "cell_leakage_power")}
	ff := r.Find("ff")
	if len(r.Find("latch")) > 0 || len(ff) > 1 {
		return nil, nil
	}
	for _, p := range r.Find("pin") {
		if p.Attr("direction") == "input" {
			k.inputs, k.caps = append(k.inputs, p.Args[0]), append(k.caps, r.number(p, "capacitance"))
			e := [2]float64{}
			for _, g := range p.Find("internal_power") {
				for i, t := range r.edges(g) {
					e[i] = t.at(0, transitionNS)
				}
			}
			k.passive = append(k.passive, e)
		}
	}
	if len(k.inputs) > 6 {
		return nil, nil
	}
	variables := k.inputs
	if len(ff) == 1 {
		f := ff[0]
		if f.Attr("clear") != "" || f.Attr("preset") != "" || len(f.Args) != 2 {
			return nil, nil
		}
		if k.clock = slices.Index(k.inputs, f.Attr("clocked_on")); k.clock < 0 {
			return nil, nil // the falling edge
		}
		var err error
		if k.next, err = truth(f.Attr("next_state"), k.inputs); err != nil {
			return nil, err
		}
		variables = f.Args
	}
	for _, p := range r.Find("pin") {
		if p.Attr("direction") != "output" || p.Attr("three_state") != "" {
			continue
		}
		t, err := truth(p.Attr("function"), variables)
		if err != nil {
			return nil, err
		}
		if k.clock >= 0 { // IQ and its inverse: 0, 1 and 1, 0
			t = t>>2&1 | t>>1&1<<1
		}
		k.outputs = append(k.outputs, output{p.Args[0], t, r.power(p, k.inputs)})
	}
	if len(k.outputs) == 0 {
		return nil, r.err
	}
	return k, r.err
}

// power is the tables of an output by input.
func (r *cellReader) power(p *synth.Group, inputs []string) [][2]*table {
	power := make([][2]*table, len(inputs))
	for _, g := range p.Find("internal_power") {
		tables := r.edges(g)
		for _, name := range strings.Fields(g.Attr("related_pin")) {
			if i := slices.Index(inputs, name); i >= 0 {
				power[i] = tables
			}
		}
	}
	return power
}

// edges is the tables of a group for rise and fall.
func (r *cellReader) edges(g *synth.Group) (t [2]*table) {
	for i, name := range []string{"rise_power", "fall_power"} {
		for _, p := range g.Find(name) {
			t[i] = r.table(p)
		}
	}
	return t
}

func (r *cellReader) table(g *synth.Group) *table {
	t := &table{}
	list := func(s string) (v []float64) {
		for _, f := range strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' }) {
			x, err := strconv.ParseFloat(f, 64)
			if err != nil && r.err == nil {
				r.err = err
			}
			v = append(v, x)
		}
		return v
	}
	for _, row := range g.Attrs["values"] {
		t.values = append(t.values, list(row))
	}
	var variables []string
	if len(g.Args) > 0 {
		variables = r.templates[g.Args[0]]
	}
	for i, v := range variables {
		axis := list(g.Attr(fmt.Sprintf("index_%d", i+1)))
		switch {
		case v == "total_output_net_capacitance" && i == 0:
			t.load = axis
		case v == "input_transition_time":
			t.slew = axis
		}
	}
	rows := max(len(t.load), 1)
	if len(t.values) != rows || slices.ContainsFunc(t.values, func(v []float64) bool { return len(v) != max(len(t.slew), 1) }) {
		if r.err == nil {
			r.err = fmt.Errorf("table %s is not %d x %d values of load and transition time", g.Args, rows, max(len(t.slew), 1))
		}
		return nil
	}
	return t
}

// at interpolates; beyond the ends the last two points go on. A nil table is 0.
func (t *table) at(load, slew float64) float64 {
	if t == nil {
		return 0
	}
	i, a := place(t.load, load)
	j, b := place(t.slew, slew)
	row := func(i int) float64 {
		if b == 0 {
			return t.values[i][j]
		}
		return t.values[i][j]*(1-b) + t.values[i][j+1]*b
	}
	if a == 0 {
		return row(i)
	}
	return row(i)*(1-a) + row(i+1)*a
}

// place is the point of an axis before x, and how far x is on the way to the next one.
func place(axis []float64, x float64) (i int, part float64) {
	if len(axis) < 2 {
		return 0, 0
	}
	for i < len(axis)-2 && x > axis[i+1] {
		i++
	}
	return i, (x - axis[i]) / (axis[i+1] - axis[i])
}
