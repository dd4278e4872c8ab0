package ir

import (
	"fmt"
	"math"
	"strings"

	"ohmloom/ir/bits"
)

// MaxTotal bounds the packed word of a vector, in bits, and the instances of one Array.
const MaxTotal = 1 << 24

// MaxMemWords bounds Depth*N of a memory.
const MaxMemWords = 1 << 32

// Invariants states what Check holds designs to; I1 is Invariants[1].
var Invariants = []string{
	1:  "names are identifiers, letter first, and not clk or rst",
	2:  "module names are unique; ports, registers, memories, instances and an Array's generate blocks (x_r, x_c) of a module share no name",
	3:  "Modules lists every module reachable from Top, and no other, once, children before parents",
	4:  "no module contains an instance of itself, directly or not",
	5:  "a node stands in its module's list at the index that is its ID, and everything in a module refers to nodes of that module",
	6:  "operands stand before their users",
	7:  "types have N >= 1, W in 1..64 and at most MaxTotal bits",
	8:  "operands and result of every operation have the types the operation asks for",
	9:  "constants, reset values and memory contents have one value an element, each within the width",
	10: "slice and elems stay within their operand",
	11: "every input port, register and read port has exactly one node that delivers it, of its type",
	12: "every output port is driven by one node of its type",
	13: "a register has a next value of its type, and its enable is one bit",
	14: "a memory has depth >= 1, complete ports, Init or Loaded but not both, and Expect and whole groups of slices only if Loaded",
	15: "a memory with a write port is read asynchronously only inside a Macro",
	16: "a plain instance is 1 x 1, a grid at least 1 x 1 and at most MaxTotal instances; every input is connected exactly once",
	17: "wiring rules other than broadcast stand in grids; sources have the groups the rule asks for; a chain runs from an output to an input of one type",
	18: "instout names an instance of the module and one of its outputs, a side only for a grid, and has the type the side asks for",
	19: "a macro has a kind, and its latency, area and energy are finite and not negative",
	20: "no combinational loop, instances and chains included",
}

// Violation is one broken invariant.
type Violation struct {
	Inv    int    // index into Invariants
	Module string // "" when the design as a whole is meant
	What   string // "%3 sum", "register acc", "port a", ...
	Loc    *Loc
	Msg    string
}

// String prints "I8 pe %3 (file:line:col): add of u8 and u9".
func (v Violation) String() string {
	where := strings.TrimSpace(v.Module + " " + v.What)
	if v.Loc != nil {
		where += " (" + v.Loc.String() + ")"
	}
	return fmt.Sprintf("I%d %s: %s", v.Inv, where, v.Msg)
}

// Check reports every invariant that d breaks, in the order of modules; nil when none. It
// never panics, whatever the design looks like. Loops (I20) are searched only in designs
// without other violations. The time is linear in the design for modules of bounded port
// count.
func Check(d *Design) []Violation {
	c := &checker{}
	if d == nil || d.Top == nil {
		c.add(3, "", nil, "the design has no top module")
		return c.vs
	}
	c.modules(d)
	if c.broken(3, 4) {
		return c.vs
	}
	for _, m := range d.Modules {
		c.m = m
		c.parts()
	}
	if c.broken(5) {
		return c.vs
	}
	for _, m := range d.Modules {
		c.m = m
		c.parts()
		c.module(m)
	}
	c.m = nil
	if len(c.vs) == 0 {
		c.loops(d)
	}
	return c.vs
}

// MustCheck panics with all violations; hardware that breaks an invariant is a mistake in the
// program that built it.
func MustCheck(d *Design) {
	vs := Check(d)
	if len(vs) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ir: design %s breaks %d invariants:", d.name(), len(vs))
	for _, v := range vs {
		fmt.Fprintf(&b, "\n  %s\n    I%d: %s", v, v.Inv, Invariants[v.Inv])
	}
	panic(b.String())
}

func (d *Design) name() string {
	if d == nil {
		return "?"
	}
	return d.Name
}

type checker struct {
	m     *Module
	vs    []Violation
	ports map[*Port]bool
	regs  map[*Reg]bool
	mems  map[*Mem]bool
	insts map[*Inst]bool
}

func (c *checker) add(inv int, what string, loc *Loc, format string, a ...any) {
	v := Violation{Inv: inv, What: what, Loc: loc, Msg: fmt.Sprintf(format, a...)}
	if c.m != nil {
		v.Module = c.m.Name
	}
	c.vs = append(c.vs, v)
}

// broken reports whether one of the invariants was violated so far.
func (c *checker) broken(invs ...int) bool {
	for _, v := range c.vs {
		for _, i := range invs {
			if v.Inv == i {
				return true
			}
		}
	}
	return false
}

// modules checks I3 and I4, and I1 and I2 for modules.
func (c *checker) modules(d *Design) {
	if !identifier(d.Name) {
		c.add(1, "design "+d.Name, nil, "%q is not an identifier", d.Name)
	}
	pos := map[*Module]int{}
	names := map[string]bool{}
	for i, m := range d.Modules {
		if m == nil {
			c.add(3, "", nil, "module %d is nil", i)
			continue
		}
		if _, twice := pos[m]; twice {
			c.add(3, "module "+m.Name, m.Loc, "is listed twice")
		} else if names[m.Name] {
			c.add(2, "module "+m.Name, m.Loc, "a second module of this name")
		}
		if !identifier(m.Name) {
			c.add(1, "module "+m.Name, m.Loc, "%q is not an identifier", m.Name)
		}
		pos[m], names[m.Name] = i, true
	}
	reached := c.hierarchy(d.Top, pos)
	for _, m := range d.Modules {
		if m != nil && !reached[m] {
			c.add(3, "module "+m.Name, m.Loc, "is not reachable from the top module %s", d.Top.Name)
		}
	}
}

// hierarchy walks all modules below top: each listed (I3), children first (I3), none inside
// itself (I4).
func (c *checker) hierarchy(top *Module, pos map[*Module]int) map[*Module]bool {
	done, open := map[*Module]bool{}, map[*Module]bool{}
	var visit func(m *Module, path string)
	visit = func(m *Module, path string) {
		done[m], open[m] = true, true
		if _, ok := pos[m]; !ok {
			c.add(3, "module "+m.Name, m.Loc, "is instantiated but not listed")
		}
		for _, in := range m.Insts {
			if in == nil || in.Of == nil {
				c.add(3, "module "+m.Name, m.Loc, "an instance is of no module")
				continue
			}
			step := path + " > " + in.Name + " of " + in.Of.Name
			if open[in.Of] {
				c.add(4, "module "+in.Of.Name, in.Loc, "contains itself: %s", step)
				continue
			}
			i, ok := pos[in.Of]
			if j, ok2 := pos[m]; ok && ok2 && i > j {
				c.add(3, "module "+m.Name, m.Loc, "stands before its child %s", in.Of.Name)
			}
			if !done[in.Of] {
				visit(in.Of, step)
			}
		}
		delete(open, m)
	}
	visit(top, top.Name)
	return done
}

// module checks one module; what cannot be looked at safely after a violation is left out.
func (c *checker) module(m *Module) {
	c.names()
	before := len(c.vs)
	c.nodes()
	c.references()
	c.types()
	c.values()
	if len(c.vs) > before {
		return
	}
	c.delivery()
	for _, n := range m.Nodes {
		c.node(n)
	}
	for _, p := range m.Ports {
		c.output(p)
	}
	for _, r := range m.Regs {
		c.register(r)
	}
	for _, mem := range m.Mems {
		c.memory(mem)
	}
	for _, in := range m.Insts {
		c.instance(in)
	}
	c.macro()
}

// parts collects what the module consists of; I5 holds for the lists when it adds nothing.
func (c *checker) parts() {
	c.ports, c.regs, c.mems, c.insts = map[*Port]bool{}, map[*Reg]bool{}, map[*Mem]bool{}, map[*Inst]bool{}
	for _, p := range c.m.Ports {
		if p == nil || c.ports[p] {
			c.add(5, "ports", c.m.Loc, "a port is nil or listed twice")
		}
		c.ports[p] = true
	}
	for _, r := range c.m.Regs {
		if r == nil || c.regs[r] {
			c.add(5, "registers", c.m.Loc, "a register is nil or listed twice")
		}
		c.regs[r] = true
	}
	for _, mem := range c.m.Mems {
		if mem == nil || c.mems[mem] {
			c.add(5, "memories", c.m.Loc, "a memory is nil or listed twice")
		}
		c.mems[mem] = true
	}
	for _, in := range c.m.Insts {
		if in == nil || c.insts[in] {
			c.add(5, "instances", c.m.Loc, "an instance is nil or listed twice")
		}
		c.insts[in] = true
	}
}

// identifier: I1.
func identifier(s string) bool {
	if s == "" || s == "clk" || s == "rst" {
		return false
	}
	for i := 0; i < len(s); i++ {
		ch := s[i]
		letter := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
		if !letter && (i == 0 || ch != '_' && (ch < '0' || ch > '9')) {
			return false
		}
	}
	return true
}

// names checks I1 and I2 inside the module.
func (c *checker) names() {
	taken := map[string]string{}
	claim := func(name, what string, loc *Loc) {
		if by, ok := taken[name]; ok {
			c.add(2, what, loc, "the name %q is taken by %s", name, by)
		}
		taken[name] = what
	}
	named := func(name, kind string, loc *Loc) {
		what := kind + " " + name
		if !identifier(name) {
			c.add(1, what, loc, "%q is not an identifier", name)
		}
		claim(name, what, loc)
	}
	for _, p := range c.m.Ports {
		named(p.Name, "port", c.m.Loc)
	}
	for _, r := range c.m.Regs {
		named(r.Name, "register", r.Loc)
	}
	for _, mem := range c.m.Mems {
		named(mem.Name, "memory", mem.Loc)
	}
	for _, in := range c.m.Insts {
		named(in.Name, "instance", in.Loc)
		if in.Grid {
			claim(in.Name+"_r", "instance "+in.Name, in.Loc)
			claim(in.Name+"_c", "instance "+in.Name, in.Loc)
		}
	}
	for _, n := range c.m.Nodes {
		if n != nil && n.Name != "" && !identifier(n.Name) {
			c.add(1, nodeName(n), n.Loc, "%q is not an identifier", n.Name)
		}
	}
}

func nodeName(n *Node) string {
	if n == nil {
		return "%?"
	}
	return strings.TrimSpace(fmt.Sprintf("%%%d %s", n.ID, n.Name))
}

// owns reports whether n is a node of the module, in its place.
func (c *checker) owns(n *Node) bool {
	return n != nil && n.mod == c.m && n.ID >= 0 && n.ID < len(c.m.Nodes) && c.m.Nodes[n.ID] == n
}

// nodes checks I5 and I6 for the list of nodes.
func (c *checker) nodes() {
	for i, n := range c.m.Nodes {
		if n == nil || n.Op == nil {
			c.add(5, fmt.Sprintf("%%%d", i), c.m.Loc, "the node is nil or computes nothing")
			continue
		}
		if n.ID != i || n.mod != c.m {
			c.add(5, nodeName(n), n.Loc, "stands at index %d of module %s", i, c.m.Name)
		}
		for k, a := range n.Args {
			switch {
			case !c.owns(a):
				c.add(5, nodeName(n), n.Loc, "operand %d is not a node of this module", k)
			case a.ID >= i:
				c.add(6, nodeName(n), n.Loc, "operand %d is %s, which does not stand before it", k, nodeName(a))
			}
		}
		c.parents(n)
	}
}

// parents checks I5 for the port, register, memory or instance a node names.
func (c *checker) parents(n *Node) {
	ok := true
	switch op := n.Op.(type) {
	case Input:
		ok = c.ports[op.Port]
	case RegOut:
		ok = c.regs[op.Reg]
	case MemOut:
		ok = c.mems[op.Mem]
	case MemRead:
		ok = c.mems[op.Mem]
	case InstOut:
		ok = c.insts[op.Inst] && op.Port != nil
	}
	if !ok {
		c.add(5, nodeName(n), n.Loc, "%s of something that is not part of this module", opName(n.Op))
	}
}

// references checks I5 for what registers, memories, ports and instances refer to.
func (c *checker) references() {
	ref := func(what string, loc *Loc, ns ...*Node) {
		for _, n := range ns {
			if n != nil && !c.owns(n) {
				c.add(5, what, loc, "refers to a node that is not in this module")
			}
		}
	}
	for _, p := range c.m.Ports {
		ref("port "+p.Name, c.m.Loc, p.Node)
	}
	for _, r := range c.m.Regs {
		ref("register "+r.Name, r.Loc, r.Next, r.En, r.Q)
	}
	for _, m := range c.m.Mems {
		ref("memory "+m.Name, m.Loc, m.RAddr, m.REn, m.Q, m.WAddr, m.WData, m.WEn)
	}
	for _, in := range c.m.Insts {
		for _, cn := range in.Conns {
			if cn == nil || cn.Port == nil {
				c.add(5, "instance "+in.Name, in.Loc, "a connection is nil or names no port")
				continue
			}
			ref("instance "+in.Name, in.Loc, cn.Src)
		}
	}
}

// badType is what is wrong with t, or "".
func badType(t Type) string {
	switch {
	case t.N < 1 || t.W < 1:
		return fmt.Sprintf("%d elements of %d bits", t.N, t.W)
	case t.W > MaxWidth:
		return fmt.Sprintf("%d bits are more than %d", t.W, MaxWidth)
	case t.N > MaxTotal/t.W:
		return fmt.Sprintf("%s has more than %d bits", t, MaxTotal)
	}
	return ""
}

// types checks I7.
func (c *checker) types() {
	check := func(what string, loc *Loc, t Type) {
		if bad := badType(t); bad != "" {
			c.add(7, what, loc, "%s", bad)
		}
	}
	for _, n := range c.m.Nodes {
		if n != nil {
			check(nodeName(n), n.Loc, n.Type)
		}
	}
	for _, p := range c.m.Ports {
		check("port "+p.Name, c.m.Loc, p.Type)
	}
	for _, r := range c.m.Regs {
		check("register "+r.Name, r.Loc, r.Type)
	}
	for _, m := range c.m.Mems {
		check("memory "+m.Name, m.Loc, m.Type)
	}
}

// values checks I9.
func (c *checker) values() {
	check := func(what string, loc *Loc, vs []uint64, want int, w int) {
		if len(vs) != want {
			c.add(9, what, loc, "%d values for %d elements", len(vs), want)
			return
		}
		if w < 1 || w > MaxWidth {
			return
		}
		for i, v := range vs {
			if v > bits.Mask(w) {
				c.add(9, what, loc, "value %d of element %d does not fit in %d bits", v, i, w)
				return
			}
		}
	}
	for _, n := range c.m.Nodes {
		if n == nil {
			continue
		}
		if k, ok := n.Op.(Const); ok {
			check(nodeName(n), n.Loc, k.Val, n.Type.N, n.Type.W)
		}
	}
	for _, r := range c.m.Regs {
		if r.Reset != nil {
			check("register "+r.Name, r.Loc, r.Reset, r.Type.N, r.Type.W)
		}
	}
	for _, m := range c.m.Mems {
		if m.Init != nil {
			check("memory "+m.Name, m.Loc, m.Init, m.Depth*m.Type.N, m.Type.W)
		}
	}
}

// macro checks I19.
func (c *checker) macro() {
	k := c.m.Macro
	if k == nil {
		return
	}
	good := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
	if k.Kind == "" || k.Latency < 0 || !good(k.AreaUm2) || !good(k.EnergyPJ) {
		c.add(19, "macro", c.m.Loc, "kind %q, latency %d, area %g um2, energy %g pJ", k.Kind, k.Latency, k.AreaUm2, k.EnergyPJ)
	}
}
