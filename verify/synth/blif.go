package synth

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// netlist is a BLIF file with its flip-flops apart.
type netlist struct {
	path  string
	lines []string // without the latches
	regs  []latch
	known map[string]bool // nets that are a constant, and which
	free  []string        // inputs that stand for the undefined values, each for itself
}

type latch struct {
	next, q string
	clock   string   // edge and net
	names   []string // q and every net that only buffers it
}

// The nets that Yosys writes for constants; $undef stands for x.
const (
	netFalse, netTrue, netUndef = "$false", "$true", "$undef"
)

// readBLIF reads the file path; tag begins the names of inputs that it invents.
func readBLIF(path, tag string) (*netlist, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := &netlist{path: path, known: map[string]bool{}}
	buffers := map[string][]string{} // net -> nets that repeat it
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) >= 5 && f[0] == ".latch" {
			n.regs = append(n.regs, latch{next: f[1], q: f[2], clock: f[3] + " " + f[4]})
			continue
		}
		n.lines = append(n.lines, line)
		if len(f) == 0 || f[0] != ".names" {
			continue
		}
		for k, in := range f[1 : len(f)-1] {
			if in == netUndef {
				f[1+k] = fmt.Sprintf("%s_x%d", tag, len(n.free))
				n.free = append(n.free, f[1+k])
				n.lines[len(n.lines)-1] = strings.Join(f, " ")
			}
		}
		if len(f) == 3 && i+2 < len(lines) && lines[i+1] == "1 1" && strings.HasPrefix(lines[i+2], ".") {
			buffers[f[1]] = append(buffers[f[1]], f[2])
		}
	}
	for i := range n.regs {
		n.regs[i].names = reach(n.regs[i].q, buffers)
	}
	for _, name := range reach(netFalse, buffers) {
		n.known[name] = false
	}
	for _, name := range reach(netTrue, buffers) {
		n.known[name] = true
	}
	return n, nil
}

// reach is a net and all that repeat it.
func reach(net string, buffers map[string][]string) []string {
	names := []string{net}
	for i := 0; i < len(names); i++ {
		names = append(names, buffers[names[i]]...)
	}
	return names
}

// cut is a flip-flop of the source with its counterpart: a flip-flop of the netlist, or a
// constant when gate is nil.
type cut struct {
	gold  latch
	gate  *latch
	input string // the input that stands for its output in both circuits
	value bool   // the constant
}

// match finds the counterpart of each flip-flop of gold. One that left no trace in the
// netlist is taken for the constant lost. No cuts mean that clocks differ, as p.Output says.
func match(gold, gate *netlist, lost bool, p *Proof) ([]cut, error) {
	byName := map[string]*latch{}
	for i := range gate.regs {
		for _, name := range gate.regs[i].names {
			byName[name] = &gate.regs[i]
		}
	}
	cuts := make([]cut, len(gold.regs))
	input := map[*latch]string{}
	p.Merged, p.Constant = 0, 0
	for i, r := range gold.regs {
		c := &cuts[i]
		*c = cut{gold: r, value: lost}
		for _, name := range r.names {
			if g := byName[name]; g != nil {
				c.gate = g
			}
			if v, ok := gate.known[name]; ok {
				c.value = v
			}
		}
		switch {
		case c.gate == nil:
			p.Constant++
		case input[c.gate] != "":
			p.Merged++
			c.input = input[c.gate]
		default:
			c.input = fmt.Sprintf("reg%d_q", i)
			input[c.gate] = c.input
		}
	}
	for _, c := range cuts {
		if c.gate != nil && c.gate.clock != c.gold.clock {
			p.Output = fmt.Sprintf("flip-flop %s is clocked by %q, in the source by %q", c.gate.names[0], c.gate.clock, c.gold.clock)
			return nil, nil
		}
	}
	if len(input) != len(gate.regs) {
		return nil, fmt.Errorf("%d flip-flops of the netlist, but only %d have the name of one in the source", len(gate.regs), len(input))
	}
	return cuts, nil
}

// write replaces the flip-flops by inputs for what they hold and outputs reg<i>_next for
// what they take. free are the undefined values of both circuits: inputs of both, so that an
// output that depends on one is a difference.
func (n *netlist) write(cuts []cut, isGate bool, free []string) error {
	ins := slices.Clone(free)
	var outs, body []string
	buffer := func(from, to string) { body = append(body, fmt.Sprintf(".names %s %s\n1 1", from, to)) }
	constant := func(v bool, to string) {
		line := ".names " + to
		if v {
			line += "\n1"
		}
		body = append(body, line)
	}
	driven := map[string]bool{}
	for i, c := range cuts {
		out := fmt.Sprintf("reg%d_next", i)
		outs = append(outs, out)
		if c.input != "" && !driven[c.input] {
			driven[c.input] = true
			ins = append(ins, c.input)
			if isGate {
				buffer(c.input, c.gate.q)
			}
		}
		switch {
		case isGate && c.gate == nil:
			constant(c.value, out)
		case isGate:
			buffer(c.gate.next, out)
		case c.gate == nil:
			constant(c.value, c.gold.q)
			buffer(c.gold.next, out)
		default:
			buffer(c.input, c.gold.q)
			buffer(c.gold.next, out)
		}
	}
	var b strings.Builder
	for _, line := range n.lines {
		switch {
		case strings.HasPrefix(line, ".inputs"):
			line += " " + strings.Join(ins, " ")
		case strings.HasPrefix(line, ".outputs"):
			line += " " + strings.Join(outs, " ")
		case line == ".end":
			line = strings.Join(append(body, line), "\n")
		}
		b.WriteString(line + "\n")
	}
	return os.WriteFile(n.path, []byte(b.String()), 0o666)
}
