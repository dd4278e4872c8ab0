package power

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Circuit is a netlist of a library's cells, and its state.
type Circuit struct {
	lib    *Library
	ports  map[string][]int // nets of inputs and outputs, bit by bit
	inputs []string
	macros map[string]map[string][]int // black boxes: output ports and their nets
	gates  []gate                      // combinational, in an order in which they can be computed
	flops  []gate
	value  []uint8
	before []uint8
	state  []uint8   // of the flip-flops
	load   []float64 // pF on each net

	res   Result
	first bool // nothing was counted yet
}

// gate is one cell.
type gate struct {
	*cell
	in, out []int
	energy  [][][2]float64 // [output][input]: internal energy of rise and fall
}

// Result is what a circuit took.
type Result struct {
	Cycles           int
	Toggles          int     // transitions of nets, the clock's left out
	Cells, FlipFlops int     // of the netlist
	Switching        float64 // J: charge of pins, half of C V^2 a transition
	Internal         float64 // J: inside cells, by Liberty tables
	Clock            float64 // J: pins of the clock and what flip-flops take when it moves
	Leakage          float64 // W
}

// Dynamic is all energy but leakage, J.
func (r Result) Dynamic() float64 { return r.Switching + r.Internal + r.Clock }

// yosysModule is a module in the JSON of Yosys.
type yosysModule struct {
	Ports map[string]struct {
		Direction string `json:"direction"`
		Bits      []any  `json:"bits"`
	} `json:"ports"`
	Cells map[string]struct {
		Type        string            `json:"type"`
		Directions  map[string]string `json:"port_directions"`
		Connections map[string][]any  `json:"connections"`
	} `json:"cells"`
}

// Nets that are constant; others follow.
const (
	netZero = iota
	netOne
	firstNet
)

// Circuit reads module top of a netlist in Yosys' JSON. What is no cell of the library is a
// macro if its name is in macros, else an error. Power-on states are 0.
func (l *Library) Circuit(netlist []byte, top string, macros []string) (*Circuit, error) {
	var file struct {
		Modules map[string]yosysModule `json:"modules"`
	}
	if err := json.Unmarshal(netlist, &file); err != nil {
		return nil, fmt.Errorf("netlist of %s: %w", top, err)
	}
	m, ok := file.Modules[top]
	if !ok {
		return nil, fmt.Errorf("netlist: there is no module %s", top)
	}
	c := &Circuit{lib: l, ports: map[string][]int{}, macros: map[string]map[string][]int{}, first: true}
	c.nets(netOne)
	for _, name := range slices.Sorted(maps.Keys(m.Ports)) {
		p := m.Ports[name]
		c.ports[name] = c.bits(p.Bits)
		if p.Direction == "input" {
			c.inputs = append(c.inputs, name)
		}
	}
	var gates []gate
	for _, name := range slices.Sorted(maps.Keys(m.Cells)) {
		x := m.Cells[name]
		k := l.cells[x.Type]
		if k == nil {
			if !slices.Contains(macros, x.Type) {
				return nil, fmt.Errorf("netlist of %s: cell %s is a %s, which the library does not have, or not in a way that power understands", top, name, x.Type)
			}
			outs := map[string][]int{}
			for port, bits := range x.Connections {
				if x.Directions[port] == "output" {
					outs[port] = c.bits(bits)
				}
			}
			c.macros[strings.TrimPrefix(name, `\`)] = outs
			continue
		}
		g := gate{cell: k}
		for i, pin := range k.inputs {
			net := netZero
			if bits := x.Connections[pin]; len(bits) == 1 {
				net = c.bits(bits)[0]
			}
			g.in = append(g.in, net)
			c.load[net] += k.caps[i]
		}
		for _, o := range k.outputs {
			net := -1
			if bits := x.Connections[o.name]; len(bits) == 1 {
				net = c.bits(bits)[0]
			}
			g.out = append(g.out, net)
		}
		c.res.Leakage += k.leakage * 1e-9
		if c.res.Cells++; k.clock >= 0 {
			c.res.FlipFlops++
			c.flops = append(c.flops, g)
		} else {
			gates = append(gates, g)
		}
	}
	c.value, c.before = make([]uint8, len(c.load)), make([]uint8, len(c.load))
	c.value[netOne], c.before[netOne] = 1, 1
	c.state = make([]uint8, len(c.flops))
	for _, list := range [][]gate{gates, c.flops} {
		for i := range list {
			list[i].weigh(c.load)
		}
	}
	return c, c.order(gates)
}

// nets makes nets up to n.
func (c *Circuit) nets(n int) {
	for len(c.load) <= n {
		c.load = append(c.load, 0)
	}
}

// bits is nets of Yosys' bits: numbers from 2 on, or constants, of which x is 0.
func (c *Circuit) bits(list []any) []int {
	nets := make([]int, len(list))
	for i, b := range list {
		switch v := b.(type) {
		case float64:
			nets[i] = int(v) - 2 + firstNet
		case string:
			if v == "1" {
				nets[i] = netOne
			}
		}
		c.nets(nets[i])
	}
	return nets
}

// weigh computes the internal energies under the loads.
func (g *gate) weigh(load []float64) {
	for i, o := range g.outputs {
		at := make([][2]float64, len(g.inputs))
		for j := range g.inputs {
			for edge, t := range o.power[j] {
				if net := g.out[i]; net >= 0 {
					at[j][edge] = t.at(load[net], transitionNS)
				}
			}
		}
		g.energy = append(g.energy, at)
	}
}

// order sorts the gates.
func (c *Circuit) order(gates []gate) error {
	driver := map[int]int{} // net -> gate
	for i, g := range gates {
		for _, net := range g.out {
			if net >= 0 {
				driver[net] = i
			}
		}
	}
	const busy, done = 1, 2
	mark := make([]uint8, len(gates))
	var visit func(i int) error
	visit = func(i int) error {
		if mark[i] != 0 {
			if mark[i] == busy {
				return fmt.Errorf("netlist: a loop of gates through %v", gates[i].inputs)
			}
			return nil
		}
		mark[i] = busy
		for _, net := range gates[i].in {
			if d, ok := driver[net]; ok {
				if err := visit(d); err != nil {
					return err
				}
			}
		}
		mark[i] = done
		c.gates = append(c.gates, gates[i])
		return nil
	}
	for i := range gates {
		if err := visit(i); err != nil {
			return err
		}
	}
	return nil
}

// Result is what was counted so far.
func (c *Circuit) Result() Result { return c.res }

// Set gives a port, or an output of a macro as "instance.port", its value: elements of width
// bits, the first in the lowest bits.
func (c *Circuit) Set(name string, words []uint64, width int) {
	nets := c.netsOf(name)
	if len(nets) != len(words)*width {
		panic(fmt.Sprintf("power: %s has %d bits, not %d", name, len(nets), len(words)*width))
	}
	for i, net := range nets {
		if net >= firstNet {
			c.value[net] = uint8(words[i/width] >> (i % width) & 1)
		}
	}
}

// Get is the value of a port.
func (c *Circuit) Get(name string, words []uint64, width int) {
	clear(words)
	for i, net := range c.netsOf(name) {
		words[i/width] |= uint64(c.value[net]) << (i % width)
	}
}

func (c *Circuit) netsOf(name string) []int {
	if nets, ok := c.ports[name]; ok {
		return nets
	}
	if i := strings.LastIndex(name, "."); i > 0 {
		if nets, ok := c.macros[name[:i]][name[i+1:]]; ok {
			return nets
		}
	}
	panic("power: the netlist has no " + name)
}

// Settle computes all nets from the inputs and the flip-flops.
func (c *Circuit) Settle() {
	for i := range c.flops {
		c.flops[i].drive(c.value, int(c.state[i]))
	}
	for i := range c.gates {
		g := &c.gates[i]
		g.drive(c.value, g.index(c.value))
	}
}

// index is the inputs as a number.
func (g *gate) index(value []uint8) (at int) {
	for i, net := range g.in {
		at |= int(value[net]) << i
	}
	return at
}

func (g *gate) drive(value []uint8, at int) {
	for i, net := range g.out {
		if net >= 0 {
			value[net] = uint8(g.outputs[i].table >> at & 1)
		}
	}
}

// Edge counts what the settled cycle took, and the clock edge behind it, and moves the flip-flops.
// The first cycle, also after Forget, only sets the stage.
func (c *Circuit) Edge() {
	if !c.first {
		c.count()
	}
	c.first = false
	copy(c.before, c.value)
	for i := range c.flops {
		c.state[i] = uint8(c.flops[i].next >> c.flops[i].index(c.value) & 1)
	}
}

// Forget begins counting anew.
func (c *Circuit) Forget() {
	c.res = Result{Cells: c.res.Cells, FlipFlops: c.res.FlipFlops, Leakage: c.res.Leakage}
	c.first = true
}

// count adds a cycle up.
func (c *Circuit) count() {
	r := &c.res
	r.Cycles++
	half := c.lib.Voltage * c.lib.Voltage / 2 * 1e-12
	charge := 0.0
	for net := firstNet; net < len(c.value); net++ {
		if c.value[net] != c.before[net] {
			r.Toggles++
			charge += c.load[net]
		}
	}
	r.Switching += charge * half
	internal := 0.0
	for i := range c.gates {
		internal += c.gates[i].internal(c.value, c.before)
	}
	for i := range c.flops {
		g := &c.flops[i]
		internal += g.internal(c.value, c.before)
		r.Clock += g.caps[g.clock]*2*half + (g.passive[g.clock][0]+g.passive[g.clock][1])*1e-12
	}
	r.Internal += internal * 1e-12
}

// internal is the energy inside a cell for one cycle, pJ: of each input that moved, and of each
// output that did, as the mean of the tables of the inputs that moved, of the clock in a
// flip-flop.
func (g *gate) internal(value, before []uint8) (sum float64) {
	for i, net := range g.in {
		if value[net] != before[net] && i != g.clock {
			sum += g.passive[i][1-value[net]]
		}
	}
	for o, net := range g.out {
		if net < 0 || value[net] == before[net] {
			continue
		}
		edge := 1 - value[net]
		if g.clock >= 0 {
			sum += g.energy[o][g.clock][edge]
			continue
		}
		n, e := 0, 0.0
		for i, in := range g.in {
			if value[in] != before[in] {
				n, e = n+1, e+g.energy[o][i][edge]
			}
		}
		sum += e / float64(n)
	}
	return sum
}
