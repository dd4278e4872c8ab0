package ir

import "slices"

// Clone is a deep copy of d, which must keep I3 and I5: nothing but locations is shared.
func Clone(d *Design) *Design {
	c := &Design{Name: d.Name}
	cl := &cloner{mods: map[*Module]*Module{}, ports: map[*Port]*Port{}}
	for _, m := range d.Modules {
		c.Modules = append(c.Modules, cl.module(m))
	}
	c.Top = cl.mods[d.Top]
	return c
}

type cloner struct {
	mods  map[*Module]*Module
	ports map[*Port]*Port
	nodes []*Node // of the module being copied, by ID
	regs  map[*Reg]*Reg
	mems  map[*Mem]*Mem
	insts map[*Inst]*Inst
}

func (c *cloner) node(n *Node) *Node {
	if n == nil {
		return nil
	}
	return c.nodes[n.ID]
}

func (c *cloner) module(m *Module) *Module {
	out := &Module{Name: m.Name, Doc: m.Doc, Loc: m.Loc, cur: m.cur}
	c.mods[m] = out
	c.regs, c.mems, c.insts = map[*Reg]*Reg{}, map[*Mem]*Mem{}, map[*Inst]*Inst{}
	if m.Macro != nil {
		k := *m.Macro
		k.Attrs = slices.Clone(k.Attrs)
		out.Macro = &k
	}
	c.nodes = make([]*Node, len(m.Nodes))
	for i := range m.Nodes {
		c.nodes[i] = &Node{}
	}
	out.Nodes = slices.Clone(c.nodes)
	c.parts(m, out)
	for i, n := range m.Nodes {
		k := c.nodes[i]
		*k = *n
		k.mod, k.Op, k.Args = out, c.op(n.Op), nil
		for _, a := range n.Args {
			k.Args = append(k.Args, c.nodes[a.ID])
		}
	}
	return out
}

func (c *cloner) parts(m, out *Module) {
	for _, p := range m.Ports {
		k := *p
		k.Node = c.node(p.Node)
		c.ports[p] = &k
		out.Ports = append(out.Ports, &k)
	}
	for _, r := range m.Regs {
		k := *r
		k.Reset = slices.Clone(r.Reset)
		k.Next, k.En, k.Q = c.node(r.Next), c.node(r.En), c.node(r.Q)
		c.regs[r] = &k
		out.Regs = append(out.Regs, &k)
	}
	for _, mem := range m.Mems {
		k := *mem
		k.Init, k.Expect = slices.Clone(mem.Init), slices.Clone(mem.Expect)
		k.RAddr, k.REn, k.Q = c.node(mem.RAddr), c.node(mem.REn), c.node(mem.Q)
		k.WAddr, k.WData, k.WEn = c.node(mem.WAddr), c.node(mem.WData), c.node(mem.WEn)
		c.mems[mem] = &k
		out.Mems = append(out.Mems, &k)
	}
	for _, in := range m.Insts {
		k := *in
		k.Of, k.Conns = c.mods[in.Of], nil
		for _, cn := range in.Conns {
			j := *cn
			j.Port, j.From, j.Src = c.ports[cn.Port], c.ports[cn.From], c.node(cn.Src)
			k.Conns = append(k.Conns, &j)
		}
		c.insts[in] = &k
		out.Insts = append(out.Insts, &k)
	}
}

func (c *cloner) op(op Op) Op {
	switch op := op.(type) {
	case Const:
		return Const{slices.Clone(op.Val)}
	case Input:
		return Input{c.ports[op.Port]}
	case RegOut:
		return RegOut{c.regs[op.Reg]}
	case MemOut:
		return MemOut{c.mems[op.Mem]}
	case MemRead:
		return MemRead{c.mems[op.Mem]}
	case InstOut:
		return InstOut{c.insts[op.Inst], c.ports[op.Port], op.Sel}
	}
	return op
}
