package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Probe is a copy of d with further outputs of the top module, probe_0, probe_1 and so on,
// one for each path, after d's own outputs. A path leads through plain instances to a
// register, a port or a named node: "u_engine.u_softmax.reads"; through an Array with the number
// of an instance: "tile[3].u_mem.rdata". Names of everything else, and so power-on values and
// images, stay. It panics at a path that leads nowhere.
func Probe(d *Design, paths []string) *Design {
	c := Clone(d)
	for i, path := range paths {
		name := fmt.Sprintf("probe_%d", i)
		n := probe(c.Top, name, strings.Split(path, "."))
		if n == nil {
			panic(fmt.Sprintf("ir: nothing to probe at %s.%s", c.Top.Name, path))
		}
		c.Top.Out(name, n, path)
	}
	return c
}

// probe is the node of m that a path leads to, through outputs of that name in the modules
// below; nil when there is none.
func probe(m *Module, name string, path []string) *Node {
	if len(path) == 1 {
		return observed(m, path[0])
	}
	inst, number, grid := strings.Cut(path[0], "[")
	at, err := strconv.Atoi(strings.TrimSuffix(number, "]"))
	for _, in := range m.Insts {
		if in.Name != inst || in.Grid != grid || grid && (err != nil || at < 0 || at >= in.Count()) {
			continue
		}
		if in.Of.Port(name) == nil { // a module may be in several places
			n := probe(in.Of, name, path[1:])
			if n == nil {
				return nil
			}
			in.Of.Out(name, n, strings.Join(path[1:], "."))
		}
		all := m.OutOf(in, name)
		if n := in.Of.Port(name).Type.N; grid {
			return all.Elems(at*n, n)
		}
		return all
	}
	return nil
}

// observed is the register, port or named node of m called name, or nil.
func observed(m *Module, name string) *Node {
	for _, r := range m.Regs {
		if r.Name == name {
			return r.Q
		}
	}
	if p := m.Port(name); p != nil {
		return p.Node
	}
	for _, n := range m.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}
