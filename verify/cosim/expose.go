package cosim

import (
	"fmt"

	"ohmloom/ir"
)

// Probe is a register, or the read port of a memory, in one instance.
type Probe struct {
	Path string // hierarchical name
	Type ir.Type
	Loc  *ir.Loc
	Word int // where its elements begin in the output record of the exposed design
}

// lane is a probe seen from a module: the names of all its copies below that module.
type lane struct {
	port  *ir.Port
	paths []string
	typ   ir.Type // of one copy
	loc   *ir.Loc
}

// Expose is a copy of d in which every register and every memory's read port is an output of
// the top module as well, after d's own outputs; with a list of them, in record order. The
// names of everything else, and so power-on values and images, stay.
func Expose(d *ir.Design) (*ir.Design, []Probe) {
	c := ir.Clone(d)
	word := 0
	for _, p := range c.Top.Outputs() {
		word += p.Type.N
	}
	lanes := map[*ir.Module][]lane{}
	for _, m := range c.Modules { // children first
		lanes[m] = exposeModule(m, lanes)
	}
	var probes []Probe
	for _, l := range lanes[c.Top] {
		for _, p := range l.paths {
			probes = append(probes, Probe{c.Top.Name + "." + p, l.typ, l.loc, word})
			word += l.typ.N
		}
	}
	return c, probes
}

func exposeModule(m *ir.Module, below map[*ir.Module][]lane) []lane {
	var out []lane
	add := func(n *ir.Node, l lane) {
		l.port = m.Out(freshPort(m), n, "probe")
		out = append(out, l)
	}
	for _, r := range m.Regs {
		add(r.Q, lane{paths: []string{r.Name}, typ: r.Type, loc: r.Loc})
	}
	for _, mem := range m.Mems {
		if mem.Q != nil {
			add(mem.Q, lane{paths: []string{mem.Name + ".q"}, typ: mem.Type, loc: mem.Loc})
		}
	}
	for _, in := range m.Insts {
		for _, l := range below[in.Of] {
			up := lane{typ: l.typ, loc: l.loc}
			for r := range in.Rows {
				for c := range in.Cols {
					for _, p := range l.paths {
						up.paths = append(up.paths, in.InstPath(r, c)+"."+p)
					}
				}
			}
			add(m.OutOf(in, l.port.Name), up)
		}
	}
	return out
}

// freshPort is a name that m's ports do not have.
func freshPort(m *ir.Module) string {
	for i := len(m.Ports); ; i++ {
		if name := fmt.Sprintf("probe_%d", i); m.Port(name) == nil {
			return name
		}
	}
}
