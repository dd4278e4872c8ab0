// Package mutate makes small mistakes in designs and in emitted Verilog, to prove that the
// tests see them.
package mutate

import (
	"fmt"
	"math/rand/v2"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// IR gives a copy of d, which must pass ir.Check, with one mistake, and says which. The kinds
// of mistakes that d offers are equally likely. Only what an output of the top depends on is
// changed, and changes that cannot show (equal operands swapped, the side of a chain of one)
// are left out; others may still be equivalent, such as an extension whose upper bits
// nothing reads. The mutant passes ir.Check. It is nil when d offers nothing to change.
func IR(d *ir.Design, seed uint64) (*ir.Design, string) {
	r := rand.New(rand.NewPCG(bits.Mix(seed), 3))
	for _, k := range r.Perm(len(Kinds)) {
		if m, what := OfKind(d, Kinds[k].Name, r.Uint64()); m != nil {
			return m, what
		}
	}
	return nil, ""
}

// OfKind is like IR with the kind given; nil when d does not offer it.
func OfKind(d *ir.Design, kind string, seed uint64) (*ir.Design, string) {
	var k *Kind
	for i := range Kinds {
		if Kinds[i].Name == kind {
			k = &Kinds[i]
		}
	}
	if k == nil {
		panic("mutate: there is no kind " + kind)
	}
	r := rand.New(rand.NewPCG(seed, 4))
	c := ir.Clone(d)
	all := sites(c)
	for _, i := range r.Perm(len(all)) {
		s := all[i]
		s.r = r
		where := s.String()
		what := k.try(s)
		if what == "" {
			continue
		}
		if len(ir.Check(c)) == 0 {
			return c, fmt.Sprintf("%s: %s: %s", k.Name, where, what)
		}
		c = ir.Clone(d) // a change that an invariant forbids, such as a chain that closes a loop
		all = sites(c)
	}
	return nil, ""
}

// Kind is one kind of mistake. One of the functions is set; it changes its subject and
// describes the change, or gives "" and leaves it alone.
type Kind struct {
	Name string
	node func(s *site, n *ir.Node) string
	reg  func(s *site, r *ir.Reg) string
	mem  func(s *site, m *ir.Mem) string
	conn func(s *site, in *ir.Inst, c *ir.Conn) string
	port func(s *site, p *ir.Port) string
}

func (k *Kind) try(s *site) string {
	switch {
	case s.node != nil && k.node != nil:
		return k.node(s, s.node)
	case s.reg != nil && k.reg != nil:
		return k.reg(s, s.reg)
	case s.mem != nil && k.mem != nil:
		return k.mem(s, s.mem)
	case s.conn != nil && k.conn != nil:
		return k.conn(s, s.inst, s.conn)
	case s.port != nil && k.port != nil:
		return k.port(s, s.port)
	}
	return ""
}

// site is a place where a mistake can be made.
type site struct {
	r    *rand.Rand
	m    *ir.Module
	node *ir.Node
	reg  *ir.Reg
	mem  *ir.Mem
	inst *ir.Inst
	conn *ir.Conn
	port *ir.Port // an output port
}

func (s *site) String() string {
	at := func(what string, l *ir.Loc) string { return fmt.Sprintf("%s.%s (%s)", s.m.Name, what, l) }
	switch {
	case s.node != nil && s.node.Name != "":
		return at(s.node.Name, s.node.Loc)
	case s.node != nil:
		return at(fmt.Sprintf("%%%d", s.node.ID), s.node.Loc)
	case s.reg != nil:
		return at(s.reg.Name, s.reg.Loc)
	case s.mem != nil:
		return at(s.mem.Name, s.mem.Loc)
	case s.conn != nil:
		return at(s.inst.Name+"."+s.conn.Port.Name, s.inst.Loc)
	}
	return at(s.port.Name, s.m.Loc)
}

// sites lists what outputs of the top depend on, parents before children.
func sites(d *ir.Design) []*site {
	l := &live{nodes: map[*ir.Node]bool{}, insts: map[*ir.Inst]bool{}, regs: map[*ir.Reg]bool{}, mems: map[*ir.Mem]bool{},
		outs: map[*ir.Port]bool{}}
	for _, p := range d.Top.Outputs() {
		l.outs[p] = true
	}
	var out []*site
	for i := len(d.Modules) - 1; i >= 0; i-- {
		m := d.Modules[i]
		for _, p := range m.Outputs() {
			if l.outs[p] {
				l.visit(p.Node)
				out = append(out, &site{m: m, port: p})
			}
		}
		for _, n := range m.Nodes {
			if l.nodes[n] {
				out = append(out, &site{m: m, node: n})
			}
		}
		for _, r := range m.Regs {
			if l.regs[r] {
				out = append(out, &site{m: m, reg: r})
			}
		}
		for _, mem := range m.Mems {
			if l.mems[mem] {
				out = append(out, &site{m: m, mem: mem})
			}
		}
		for _, in := range m.Insts {
			for _, c := range in.Conns {
				if l.insts[in] {
					out = append(out, &site{m: m, inst: in, conn: c})
				}
			}
		}
	}
	return out
}

// live is what outputs of the top depend on.
type live struct {
	nodes map[*ir.Node]bool
	insts map[*ir.Inst]bool
	regs  map[*ir.Reg]bool
	mems  map[*ir.Mem]bool
	outs  map[*ir.Port]bool // outputs of children that their parents read
}

func (l *live) visit(ns ...*ir.Node) {
	for len(ns) > 0 {
		n := ns[len(ns)-1]
		ns = ns[:len(ns)-1]
		if n == nil || l.nodes[n] {
			continue
		}
		l.nodes[n] = true
		ns = append(ns, n.Args...)
		switch op := n.Op.(type) {
		case ir.RegOut:
			l.regs[op.Reg] = true
			ns = append(ns, op.Reg.Next, op.Reg.En)
		case ir.MemOut:
			ns = append(ns, l.memory(op.Mem)...)
		case ir.MemRead:
			ns = append(ns, l.memory(op.Mem)...)
		case ir.InstOut:
			l.outs[op.Port] = true
			if !l.insts[op.Inst] {
				l.insts[op.Inst] = true
				for _, c := range op.Inst.Conns {
					ns = append(ns, c.Src)
					if c.Kind == ir.Chain {
						l.outs[c.From] = true
					}
				}
			}
		}
	}
}

func (l *live) memory(m *ir.Mem) []*ir.Node {
	l.mems[m] = true
	return []*ir.Node{m.RAddr, m.REn, m.WAddr, m.WData, m.WEn}
}

// insert makes a node before the node at.
func (s *site) insert(at *ir.Node, op ir.Op, t ir.Type, args ...*ir.Node) *ir.Node {
	i := at.ID
	n := s.m.Append(op, t, args...)
	copy(s.m.Nodes[i+1:], s.m.Nodes[i:len(s.m.Nodes)-1])
	s.m.Nodes[i] = n
	s.m.Renumber()
	return n
}

// append makes a node behind all others.
func (s *site) append(op ir.Op, t ir.Type, args ...*ir.Node) *ir.Node {
	return s.m.Append(op, t, args...)
}

// constant is a constant of type t with v, cut to the width, in every element.
func constant(t ir.Type, v uint64) ir.Const {
	k := make([]uint64, t.N)
	for i := range k {
		k[i] = v & bits.Mask(t.W)
	}
	return ir.Const{Val: k}
}
