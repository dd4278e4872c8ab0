package pass

import "ohmloom/ir"

// dead removes nodes, registers, memories and instances that no output port depends on, but no memories that
// refuse what does not belong to the design. An instance goes when none of its outputs is used. Input ports stay.
func dead(m *ir.Module) {
	l := &liveness{nodes: map[*ir.Node]bool{}, regs: map[*ir.Reg]bool{}, mems: map[*ir.Mem]bool{}, insts: map[*ir.Inst]bool{}}
	for _, p := range m.Ports {
		l.visit(p.Node)
	}
	for _, mem := range m.Mems {
		if mem.Expect != nil {
			l.memory(mem)
		}
	}
	for len(l.work) > 0 {
		n := l.work[len(l.work)-1]
		l.work = l.work[:len(l.work)-1]
		l.follow(n)
	}
	m.Nodes = keep(m.Nodes, l.nodes)
	m.Regs = keep(m.Regs, l.regs)
	m.Mems = keep(m.Mems, l.mems)
	m.Insts = keep(m.Insts, l.insts)
	m.Renumber()
}

type liveness struct {
	nodes map[*ir.Node]bool
	regs  map[*ir.Reg]bool
	mems  map[*ir.Mem]bool
	insts map[*ir.Inst]bool
	work  []*ir.Node
}

func (l *liveness) visit(ns ...*ir.Node) {
	for _, n := range ns {
		if n != nil && !l.nodes[n] {
			l.nodes[n] = true
			l.work = append(l.work, n)
		}
	}
}

// follow marks what n depends on, in this cycle or an earlier one.
func (l *liveness) follow(n *ir.Node) {
	l.visit(n.Args...)
	switch op := n.Op.(type) {
	case ir.RegOut:
		l.regs[op.Reg] = true
		l.visit(op.Reg.Next, op.Reg.En)
	case ir.MemOut:
		l.memory(op.Mem)
	case ir.MemRead:
		l.memory(op.Mem)
	case ir.InstOut:
		if !l.insts[op.Inst] {
			l.insts[op.Inst] = true
			for _, c := range op.Inst.Conns {
				l.visit(c.Src)
			}
		}
	}
}

// memory keeps all ports of a memory that is read.
func (l *liveness) memory(m *ir.Mem) {
	l.mems[m] = true
	l.visit(m.RAddr, m.REn, m.Q, m.WAddr, m.WData, m.WEn)
}

func keep[T comparable](list []T, live map[T]bool) []T {
	var out []T
	for _, x := range list {
		if live[x] {
			out = append(out, x)
		}
	}
	return out
}
