// Package flat elaborates a design: all module instances become one list of values in an
// order in which they can be computed.
//
// An Array is not copied out. The nodes of its module appear once, lifted over lanes, one
// lane an instance; a node of an Array inside an Array has the product of the lanes. Data of
// a value is Lanes*N words, element e of lane l at index l*N+e. Instance (r, c) of an R x C
// grid in parent lane p is lane (p*R + r)*C + c.
package flat

import (
	"fmt"

	"ohmloom/ir"
)

// Value is one node of the elaborated design.
type Value struct {
	ID    int
	Op    any // an ir.Op other than InstOut, or Enter, or Leave
	Lanes int
	Type  ir.Type
	Args  []*Value
	Reg   *Reg     // Op is ir.RegOut
	Mem   *Mem     // Op is ir.MemOut or ir.MemRead
	Node  *ir.Node // where it came from; nil for Enter
	Path  string   // instance path of its module, lane indices left out
}

// Len is the number of words of the value's data.
func (v *Value) Len() int { return v.Lanes * v.Type.N }

// Enter carries a parent's value into the lanes of an instance, as ir.Conn says. Args: Src,
// and for a chain the child's output From. With R, C the grid and n elements of the port:
//
//	broadcast  out[((p*R+r)*C+c)*n+e] = src[p*n+e]
//	rows       ... = src[(p*R+r)*n+e]
//	cols       ... = src[(p*C+c)*n+e]
//	each       ... = src[((p*R+r)*C+c)*n+e]
//	chain west ... = c > 0 ? from[((p*R+r)*C+c-1)*n+e] : src[(p*R+r)*n+e], others likewise
type Enter struct {
	Kind       ir.ConnKind
	Side       ir.Side
	Rows, Cols int
}

// Leave carries a child's output to its parent: all instances (the same data, read as a
// longer vector) or those at one side. Args: the child's value.
type Leave struct {
	Side       ir.Side
	Rows, Cols int
}

// Reg is a register in all its lanes.
type Reg struct {
	*ir.Reg
	Module      string // name of the module that declares it
	Path        string // instance path and register name, lane indices left out
	Lanes       int
	Q, Next, En *Value // En may be nil
}

// Mem is a memory in all its lanes; each lane has its own contents.
type Mem struct {
	*ir.Mem
	Module            string
	Path              string
	Lanes             int
	Paths             []string // hierarchical name of each lane, as ir.Image is keyed
	Q                 *Value   // nil without synchronous read port
	RAddr, REn        *Value
	WAddr, WData, WEn *Value
}

// Program is an elaborated design.
type Program struct {
	Design *ir.Design
	Values []*Value // operands before users
	Ins    []*Value // the top module's inputs, in port order
	Outs   []*Value // what drives the top module's outputs, in port order
	Regs   []*Reg
	Mems   []*Mem
}

type scope struct {
	parent *scope
	inst   *ir.Inst // in parent.mod
	mod    *ir.Module
	lanes  int
	path   string
	paths  []string // one a lane; nil where no memory needs them
	vals   map[*ir.Node]*Value
	kids   map[*ir.Inst]*scope
	regs   map[*ir.Reg]*Reg
	mems   map[*ir.Mem]*Mem
}

type elab struct {
	p      *Program
	open   map[*Value]bool
	stores map[*ir.Module]bool // whether the module or anything below it has a memory
}

// Elaborate flattens d, which must have passed ir.Check; a combinational loop panics.
func Elaborate(d *ir.Design) *Program {
	e := &elab{p: &Program{Design: d}, open: map[*Value]bool{}, stores: map[*ir.Module]bool{}}
	for _, m := range d.Modules { // children first
		e.stores[m] = len(m.Mems) > 0
		for _, in := range m.Insts {
			e.stores[m] = e.stores[m] || e.stores[in.Of]
		}
	}
	top := e.scope(nil, nil, d.Top)
	for _, port := range d.Top.Inputs() {
		e.p.Ins = append(e.p.Ins, e.node(top, port.Node))
	}
	for _, port := range d.Top.Outputs() {
		e.p.Outs = append(e.p.Outs, e.node(top, port.Node))
	}
	e.state(top)
	return e.p
}

func (e *elab) scope(parent *scope, in *ir.Inst, m *ir.Module) *scope {
	s := &scope{parent: parent, inst: in, mod: m, lanes: 1, path: m.Name, paths: []string{m.Name},
		vals: map[*ir.Node]*Value{}, kids: map[*ir.Inst]*scope{},
		regs: map[*ir.Reg]*Reg{}, mems: map[*ir.Mem]*Mem{}}
	if parent != nil {
		s.lanes = parent.lanes * in.Count()
		s.path = parent.path + "." + in.Name
		s.paths = nil
		if e.stores[m] {
			s.paths = lanePaths(parent.paths, in)
		}
	}
	for _, r := range m.Regs {
		fr := &Reg{Reg: r, Module: m.Name, Path: s.path + "." + r.Name, Lanes: s.lanes}
		s.regs[r] = fr
		e.p.Regs = append(e.p.Regs, fr)
	}
	for _, mem := range m.Mems {
		fm := &Mem{Mem: mem, Module: m.Name, Path: s.path + "." + mem.Name, Lanes: s.lanes}
		for _, p := range s.paths {
			fm.Paths = append(fm.Paths, p+"."+mem.Name)
		}
		s.mems[mem] = fm
		e.p.Mems = append(e.p.Mems, fm)
	}
	for _, kid := range m.Insts {
		s.kids[kid] = e.scope(s, kid, kid.Of)
	}
	return s
}

// lanePaths names the instances in all lanes; parents has one name a parent lane.
func lanePaths(parents []string, in *ir.Inst) []string {
	var paths []string
	for _, pp := range parents {
		for r := 0; r < in.Rows; r++ {
			for c := 0; c < in.Cols; c++ {
				paths = append(paths, pp+"."+in.InstPath(r, c))
			}
		}
	}
	return paths
}

// state resolves what registers and memories take in.
func (e *elab) state(s *scope) {
	for _, r := range s.mod.Regs {
		fr := s.regs[r]
		fr.Q, fr.Next, fr.En = e.node(s, r.Q), e.node(s, r.Next), e.maybe(s, r.En)
	}
	for _, m := range s.mod.Mems {
		fm := s.mems[m]
		fm.Q = e.maybe(s, m.Q)
		fm.RAddr, fm.REn = e.maybe(s, m.RAddr), e.maybe(s, m.REn)
		fm.WAddr, fm.WData, fm.WEn = e.maybe(s, m.WAddr), e.maybe(s, m.WData), e.maybe(s, m.WEn)
	}
	for _, kid := range s.mod.Insts {
		e.state(s.kids[kid])
	}
}

func (e *elab) maybe(s *scope, n *ir.Node) *Value {
	if n == nil {
		return nil
	}
	return e.node(s, n)
}

func (e *elab) add(v *Value) *Value {
	v.ID = len(e.p.Values)
	e.p.Values = append(e.p.Values, v)
	return v
}

func (e *elab) node(s *scope, n *ir.Node) *Value {
	if v, ok := s.vals[n]; ok {
		if e.open[v] {
			panic(fmt.Sprintf("flat: combinational loop through %s (%s)", s.path, n.Loc))
		}
		return v
	}
	v := &Value{Op: n.Op, Lanes: s.lanes, Type: n.Type, Node: n, Path: s.path}
	s.vals[n] = v
	e.open[v] = true
	switch op := n.Op.(type) {
	case ir.Input:
		if s.parent != nil {
			entered := e.enter(s, op.Port)
			delete(e.open, v)
			s.vals[n] = entered
			return entered
		}
	case ir.InstOut:
		kid := s.kids[op.Inst]
		v.Op = Leave{op.Sel, op.Inst.Rows, op.Inst.Cols}
		v.Args = []*Value{e.node(kid, op.Port.Node)}
	case ir.RegOut:
		v.Reg = s.regs[op.Reg]
	case ir.MemOut:
		v.Mem = s.mems[op.Mem]
	case ir.MemRead:
		v.Mem = s.mems[op.Mem]
	}
	if _, ok := n.Op.(ir.InstOut); !ok {
		for _, a := range n.Args {
			v.Args = append(v.Args, e.node(s, a))
		}
	}
	delete(e.open, v)
	return e.add(v)
}

// enter is the value of an input port inside the lanes of its instance.
func (e *elab) enter(s *scope, p *ir.Port) *Value {
	for _, c := range s.inst.Conns {
		if c.Port != p {
			continue
		}
		v := &Value{Op: Enter{c.Kind, c.Side, s.inst.Rows, s.inst.Cols}, Lanes: s.lanes, Type: p.Type, Path: s.path}
		v.Args = []*Value{e.node(s.parent, c.Src)}
		if c.Kind == ir.Chain {
			v.Args = append(v.Args, e.node(s, c.From.Node))
		}
		return e.add(v)
	}
	panic(fmt.Sprintf("flat: input %s of %s is not connected", p.Name, s.path))
}
