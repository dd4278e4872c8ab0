// Package pass transforms designs without changing what they compute: the outputs of every
// cycle, from every seed and image, stay as they are. Ports, and the names of modules,
// registers, memories and instances that remain, stay too.
package pass

import (
	"fmt"

	"ohmloom/ir"
)

// Pass is one transformation. Run works on one module in place; it must leave designs that
// keep all invariants keeping them.
type Pass struct {
	Name  string
	Doc   string
	After []string // passes that must not run later than this one in a pipeline
	Run   func(m *ir.Module)
}

// Passes is the table of passes.
var Passes = []Pass{
	{Name: "fold", Doc: "computes constants and removes operations that return an operand", Run: fold},
	{Name: "share", Doc: "merges operations that compute the same", After: []string{"fold"}, Run: share},
	{Name: "dead", Doc: "removes what no output depends on", After: []string{"fold", "share"}, Run: dead},
}

// Default is the pipeline that a design goes through before it is emitted.
var Default = []string{"fold", "share", "dead"}

var byName = map[string]*Pass{}

// The table and the default pipeline are checked when the program starts.
func init() {
	for i := range Passes {
		p := &Passes[i]
		if byName[p.Name] != nil {
			panic("pass: two passes are named " + p.Name)
		}
		byName[p.Name] = p
	}
	for _, p := range Passes {
		for _, a := range p.After {
			if byName[a] == nil {
				panic(fmt.Sprintf("pass: %s comes after %s, which does not exist", p.Name, a))
			}
		}
	}
	if err := Order(Default); err != nil {
		panic(err)
	}
}

// Order reports an unknown pass in a pipeline, or two in a forbidden order.
func Order(names []string) error {
	for i, n := range names {
		if byName[n] == nil {
			return fmt.Errorf("pass: there is no pass %q", n)
		}
		for _, before := range names[:i] {
			for _, a := range byName[before].After {
				if a == n {
					return fmt.Errorf("pass: %s must not run after %s", n, before)
				}
			}
		}
	}
	return nil
}

// Run gives a transformed copy of d, which must pass ir.Check; names that break Order panic.
// Modules that are no longer reachable are left out.
func Run(d *ir.Design, names ...string) *ir.Design {
	if err := Order(names); err != nil {
		panic(err)
	}
	d = ir.Clone(d)
	for _, n := range names {
		for _, m := range d.Modules {
			byName[n].Run(m)
		}
	}
	name := d.Name
	d = ir.NewDesign(d.Top)
	d.Name = name
	return d
}

// eachRef calls f with every reference that is not an operand of a node: what ports,
// registers, memories and connections take in.
func eachRef(m *ir.Module, f func(ref **ir.Node)) {
	for _, p := range m.Ports {
		if p.Dir == ir.Out {
			f(&p.Node)
		}
	}
	for _, r := range m.Regs {
		f(&r.Next)
		f(&r.En)
	}
	for _, mem := range m.Mems {
		for _, ref := range []**ir.Node{&mem.RAddr, &mem.REn, &mem.WAddr, &mem.WData, &mem.WEn} {
			f(ref)
		}
	}
	for _, in := range m.Insts {
		for _, c := range in.Conns {
			f(&c.Src)
		}
	}
}

// replacement maps nodes to the nodes that stand for them from now on.
type replacement map[*ir.Node]*ir.Node

func (r replacement) of(n *ir.Node) *ir.Node {
	if to, ok := r[n]; ok {
		return to
	}
	return n
}

// replace lets to stand for n; a name that would be lost moves on.
func (r replacement) replace(n, to *ir.Node) {
	if to.Name == "" {
		switch to.Op.(type) {
		case ir.Input, ir.RegOut, ir.MemOut:
		default:
			to.Name = n.Name
		}
	}
	r[n] = to
}

// args brings the operands of n up to date.
func (r replacement) args(n *ir.Node) {
	for i, a := range n.Args {
		n.Args[i] = r.of(a)
	}
}

// finish brings everything outside the nodes up to date.
func (r replacement) finish(m *ir.Module) {
	eachRef(m, func(ref **ir.Node) {
		if *ref != nil {
			*ref = r.of(*ref)
		}
	})
}
