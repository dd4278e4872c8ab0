package ir

import (
	"fmt"
	"hash/fnv"

	"ohmloom/ir/bits"
)

// Node is one combinational value. Nodes are made by the methods below; each method panics
// when its operands do not fit, because that is a mistake of the programmer who builds
// hardware, not of the user who describes it.
type Node struct {
	ID   int // position in Module.Nodes
	Op   Op
	Args []*Node
	Type Type
	Name string // what a person calls the value, or ""
	Loc  *Loc
	mod  *Module
}

// New starts a module.
func New(name, doc string) *Module { return &Module{Name: name, Doc: doc} }

// At gives everything built from now on the location l.
func (m *Module) At(l *Loc) *Module {
	m.cur = l
	if m.Loc == nil {
		m.Loc = l
	}
	return m
}

// Append adds a node as it is; the builder methods are the usual way.
func (m *Module) Append(op Op, t Type, args ...*Node) *Node {
	n := &Node{ID: len(m.Nodes), Op: op, Args: args, Type: t, Loc: m.cur, mod: m}
	m.Nodes = append(m.Nodes, n)
	return n
}

// Renumber restores Node.ID after nodes were removed or reordered.
func (m *Module) Renumber() {
	for i, n := range m.Nodes {
		n.ID = i
		n.mod = m
	}
}

func (m *Module) fail(format string, a ...any) {
	panic(fmt.Sprintf("ir: module %s (%s): %s", m.Name, m.cur, fmt.Sprintf(format, a...)))
}

// In declares an input port.
func (m *Module) In(name string, t Type, doc string) *Node {
	p := &Port{Name: name, Dir: In, Type: t, Doc: doc}
	p.Node = m.Append(Input{p}, t)
	m.Ports = append(m.Ports, p)
	return p.Node
}

// Out declares an output port driven by n.
func (m *Module) Out(name string, n *Node, doc string) *Port {
	p := &Port{Name: name, Dir: Out, Type: n.Type, Doc: doc, Node: n}
	m.Ports = append(m.Ports, p)
	return p
}

// Group names the group of all ports declared since the last call.
func (m *Module) Group(name string) {
	for i := len(m.Ports) - 1; i >= 0 && m.Ports[i].Group == ""; i-- {
		m.Ports[i].Group = name
	}
}

// Reg declares a register that is reset to the given values (one, or one an element).
// Set gives it its next value.
func (m *Module) Reg(name string, t Type, reset ...uint64) *Reg {
	if len(reset) == 1 && t.N > 1 {
		v := reset[0]
		reset = make([]uint64, t.N)
		for i := range reset {
			reset[i] = v
		}
	}
	if len(reset) != 0 && len(reset) != t.N {
		m.fail("register %s has %d reset values for %d elements", name, len(reset), t.N)
	}
	if len(reset) == 0 {
		reset = nil
	}
	r := &Reg{Name: name, Type: t, Reset: reset, Loc: m.cur}
	r.Q = m.Append(RegOut{r}, t)
	m.Regs = append(m.Regs, r)
	return r
}

// DataReg declares a register without reset: it starts from a seeded random value, so that
// hardware that depends on its start shows.
func (m *Module) DataReg(name string, t Type) *Reg { return m.Reg(name, t) }

// Set gives the register its next value, taken at every edge.
func (r *Reg) Set(next *Node) *Node { return r.SetEn(nil, next) }

// SetEn gives the register its next value, taken when en is 1 (nil: always). It returns Q.
func (r *Reg) SetEn(en, next *Node) *Node {
	m := r.Q.mod
	if r.Next != nil {
		m.fail("register %s is set twice", r.Name)
	}
	if next.Type != r.Type || en != nil && en.Type != Bits(1) {
		m.fail("register %s of %s is set to %s", r.Name, r.Type, next.Type)
	}
	r.Next, r.En = next, en
	return r.Q
}

// Rom declares a memory with fixed contents (len(init) = depth * t.N), read with At.
func (m *Module) Rom(name string, t Type, init []uint64) *Mem {
	mem := m.Mem(name, len(init)/t.N, t)
	mem.Init = init
	return mem
}

// Mem declares a memory.
func (m *Module) Mem(name string, depth int, t Type) *Mem {
	mem := &Mem{Name: name, Depth: depth, Type: t, Loc: m.cur}
	m.Mems = append(m.Mems, mem)
	return mem
}

// Read declares the synchronous read port of mem and gives the word read at the last edge.
func (m *Module) Read(mem *Mem, addr, en *Node) *Node {
	if mem.Q != nil {
		m.fail("memory %s has two read ports", mem.Name)
	}
	mem.RAddr, mem.REn = addr, en
	mem.Q = m.Append(MemOut{mem}, mem.Type)
	return mem.Q
}

// Write declares the write port of mem.
func (m *Module) Write(mem *Mem, addr, data, en *Node) {
	if mem.WEn != nil {
		m.fail("memory %s has two write ports", mem.Name)
	}
	if data.Type != mem.Type {
		m.fail("memory %s of %s is written with %s", mem.Name, mem.Type, data.Type)
	}
	mem.WAddr, mem.WData, mem.WEn = addr, data, en
}

// Lookup reads mem at addr in the same cycle.
func (m *Module) Lookup(mem *Mem, addr *Node) *Node { return m.Append(MemRead{mem}, mem.Type, addr) }

// Instance places one instance of child.
func (m *Module) Instance(name string, child *Module) *Inst {
	in := &Inst{Name: name, Of: child, Rows: 1, Cols: 1, Loc: m.cur}
	m.Insts = append(m.Insts, in)
	return in
}

// Array places a grid of rows x cols instances of child.
func (m *Module) Array(name string, child *Module, rows, cols int) *Inst {
	if rows < 1 || cols < 1 {
		m.fail("array %s is %d x %d", name, rows, cols)
	}
	in := m.Instance(name, child)
	in.Grid, in.Rows, in.Cols = true, rows, cols
	return in
}

func (in *Inst) connect(port string, k ConnKind, groups int, src *Node) *Conn {
	m := src.mod
	p := in.Of.Port(port)
	if p == nil || p.Dir != In {
		m.fail("instance %s of %s has no input %q", in.Name, in.Of.Name, port)
	}
	for _, c := range in.Conns {
		if c.Port == p {
			m.fail("input %s.%s is connected twice", in.Name, port)
		}
	}
	if want := Vec(p.Type.N*groups, p.Type.W); src.Type != want {
		m.fail("input %s.%s (%s) wants %s, got %s", in.Name, port, k, want, src.Type)
	}
	c := &Conn{Port: p, Kind: k, Src: src}
	in.Conns = append(in.Conns, c)
	return c
}

// In connects an input of every instance to src.
func (in *Inst) In(port string, src *Node) *Inst {
	in.connect(port, Broadcast, 1, src)
	return in
}

// PerRow gives all instances of row r group r of src (src has Rows groups).
func (in *Inst) PerRow(port string, src *Node) *Inst {
	in.connect(port, PerRow, in.Rows, src)
	return in
}

// PerCol gives all instances of column c group c of src (src has Cols groups).
func (in *Inst) PerCol(port string, src *Node) *Inst {
	in.connect(port, PerCol, in.Cols, src)
	return in
}

// Each gives instance (r, c) group r*Cols+c of src.
func (in *Inst) Each(port string, src *Node) *Inst {
	in.connect(port, PerInst, in.Count(), src)
	return in
}

// Chain feeds the input port from output from of the neighbour on the given side; the
// instances at that edge get src (Rows groups for West and East, Cols for North and South).
func (in *Inst) Chain(port, from string, side Side, src *Node) *Inst {
	groups := in.Rows
	if side == North || side == South {
		groups = in.Cols
	}
	c := in.connect(port, Chain, groups, src)
	c.From, c.Side = in.Of.Port(from), side
	if c.From == nil || c.From.Dir != Out || c.From.Type != c.Port.Type || side == All {
		src.mod.fail("array %s cannot chain %s to %s", in.Name, from, port)
	}
	return in
}

// Out is an output port of every instance, row by row.
func (m *Module) OutOf(in *Inst, port string) *Node { return m.Edge(in, port, All) }

// Edge is an output port of the instances at one side.
func (m *Module) Edge(in *Inst, port string, side Side) *Node {
	p := in.Of.Port(port)
	if p == nil || p.Dir != Out {
		m.fail("instance %s of %s has no output %q", in.Name, in.Of.Name, port)
	}
	for _, n := range m.Nodes {
		if o, ok := n.Op.(InstOut); ok && o.Inst == in && o.Port == p && o.Sel == side {
			return n
		}
	}
	return m.Append(InstOut{in, p, side}, Vec(p.Type.N*in.groups(side), p.Type.W))
}

func (in *Inst) groups(s Side) int {
	switch s {
	case All:
		return in.Count()
	case West, East:
		return in.Rows
	}
	return in.Cols
}

// K is the scalar constant v of w bits.
func (m *Module) K(w int, v uint64) *Node {
	return m.Append(Const{[]uint64{v & bits.Mask(w)}}, Bits(w))
}

// KVec is a vector constant of w-bit elements.
func (m *Module) KVec(w int, v ...uint64) *Node {
	c := make([]uint64, len(v))
	for i := range v {
		c[i] = v[i] & bits.Mask(w)
	}
	return m.Append(Const{c}, Vec(len(v), w))
}

// Named gives the value the name it has in Verilog, waves and messages.
func (n *Node) Named(name string) *Node { n.Name = name; return n }

// Module is the module the node belongs to.
func (n *Node) Module() *Module { return n.mod }

// spread makes the element counts of a and b equal by splatting a scalar.
func spread(a, b *Node) (*Node, *Node) {
	switch {
	case a.Type.N == b.Type.N:
	case a.Type.N == 1:
		a = a.Splat(b.Type.N)
	case b.Type.N == 1:
		b = b.Splat(a.Type.N)
	default:
		a.mod.fail("%s meets %s", a.Type, b.Type)
	}
	return a, b
}

func (n *Node) binary(k BinaryKind, b *Node) *Node {
	a, b := spread(n, b)
	if a.Type != b.Type {
		a.mod.fail("%s of %s and %s", k, a.Type, b.Type)
	}
	return a.mod.Append(Binary{k}, a.Type, a, b)
}

// Two-operand operations; a scalar meets a vector by being splatted.
func (n *Node) Add(b *Node) *Node { return n.binary(Add, b) }
func (n *Node) Sub(b *Node) *Node { return n.binary(Sub, b) }
func (n *Node) Mul(b *Node) *Node { return n.binary(Mul, b) }
func (n *Node) And(b *Node) *Node { return n.binary(And, b) }
func (n *Node) Or(b *Node) *Node  { return n.binary(Or, b) }
func (n *Node) Xor(b *Node) *Node { return n.binary(Xor, b) }

// AddK adds the constant k (negative: subtracts).
func (n *Node) AddK(k int64) *Node { return n.Add(n.mod.K(n.Type.W, uint64(k))) }

// Not is the bitwise complement.
func (n *Node) Not() *Node { return n.mod.Append(Not{}, n.Type, n) }

func (n *Node) shift(k ShiftKind, by *Node) *Node {
	if by.Type.N != 1 && by.Type.N != n.Type.N {
		n.mod.fail("%s of %s by %s", k, n.Type, by.Type)
	}
	return n.mod.Append(Shift{k}, n.Type, n, by)
}

// Shl, Shr and Sra shift by another value.
func (n *Node) Shl(by *Node) *Node { return n.shift(Shl, by) }
func (n *Node) Shr(by *Node) *Node { return n.shift(Shr, by) }
func (n *Node) Sra(by *Node) *Node { return n.shift(Sra, by) }

// ShlK, ShrK and SraK shift by a constant.
func (n *Node) ShlK(k int) *Node { return n.shift(Shl, n.mod.K(7, uint64(k))) }
func (n *Node) ShrK(k int) *Node { return n.shift(Shr, n.mod.K(7, uint64(k))) }
func (n *Node) SraK(k int) *Node { return n.shift(Sra, n.mod.K(7, uint64(k))) }

func (n *Node) compare(k CompareKind, b *Node) *Node {
	a, b := spread(n, b)
	if a.Type != b.Type {
		a.mod.fail("%s of %s and %s", k, a.Type, b.Type)
	}
	return a.mod.Append(Compare{k}, Vec(a.Type.N, 1), a, b)
}

// Comparisons give one bit an element; Lts and Les are signed.
func (n *Node) Eq(b *Node) *Node  { return n.compare(Eq, b) }
func (n *Node) Ne(b *Node) *Node  { return n.compare(Ne, b) }
func (n *Node) Ltu(b *Node) *Node { return n.compare(Ltu, b) }
func (n *Node) Leu(b *Node) *Node { return n.compare(Leu, b) }
func (n *Node) Lts(b *Node) *Node { return n.compare(Lts, b) }
func (n *Node) Les(b *Node) *Node { return n.compare(Les, b) }

// EqK compares with a constant.
func (n *Node) EqK(v uint64) *Node { return n.Eq(n.mod.K(n.Type.W, v)) }

// Mux is a where the selector n is 1, else b.
func (n *Node) Mux(a, b *Node) *Node {
	a, b = spread(a, b)
	if n.Type.N > 1 && a.Type.N == 1 {
		a, b = a.Splat(n.Type.N), b.Splat(n.Type.N)
	}
	if a.Type != b.Type || n.Type.W != 1 || n.Type.N != 1 && n.Type.N != a.Type.N {
		n.mod.fail("mux %s of %s and %s", n.Type, a.Type, b.Type)
	}
	return n.mod.Append(Mux{}, a.Type, n, a, b)
}

func (n *Node) extend(w int, signed bool) *Node {
	switch {
	case w == n.Type.W:
		return n
	case w < n.Type.W:
		n.mod.fail("%s cannot be extended to %d bits", n.Type, w)
	}
	return n.mod.Append(Extend{signed}, Vec(n.Type.N, w), n)
}

// ZExt and SExt widen each element to w bits; w equal to the width is the node itself.
func (n *Node) ZExt(w int) *Node { return n.extend(w, false) }
func (n *Node) SExt(w int) *Node { return n.extend(w, true) }

// Slice takes w bits of each element from bit lo on.
func (n *Node) Slice(lo, w int) *Node {
	if lo == 0 && w == n.Type.W {
		return n
	}
	if lo < 0 || w < 1 || lo+w > n.Type.W {
		n.mod.fail("bits %d..%d of %s", lo, lo+w-1, n.Type)
	}
	return n.mod.Append(Slice{lo}, Vec(n.Type.N, w), n)
}

// Bit is bit i of each element; Trunc the w low bits.
func (n *Node) Bit(i int) *Node   { return n.Slice(i, 1) }
func (n *Node) Trunc(w int) *Node { return n.Slice(0, w) }

// Cat joins bits, the receiver highest.
func (n *Node) Cat(low ...*Node) *Node {
	w := n.Type.W
	for _, l := range low {
		if l.Type.N != n.Type.N {
			n.mod.fail("cat of %s and %s", n.Type, l.Type)
		}
		w += l.Type.W
	}
	if w > MaxWidth {
		n.mod.fail("cat of %d bits", w)
	}
	return n.mod.Append(Cat{}, Vec(n.Type.N, w), append([]*Node{n}, low...)...)
}

// Splat repeats a scalar in n elements.
func (n *Node) Splat(count int) *Node {
	if n.Type.N != 1 {
		n.mod.fail("splat of %s", n.Type)
	}
	if count == 1 {
		return n
	}
	return n.mod.Append(Splat{}, Vec(count, n.Type.W), n)
}

// Elems takes count elements from lo on, Elem one.
func (n *Node) Elems(lo, count int) *Node {
	if lo == 0 && count == n.Type.N {
		return n
	}
	if lo < 0 || count < 1 || lo+count > n.Type.N {
		n.mod.fail("elements %d..%d of %s", lo, lo+count-1, n.Type)
	}
	return n.mod.Append(Elems{lo}, Vec(count, n.Type.W), n)
}

func (n *Node) Elem(i int) *Node { return n.Elems(i, 1) }

// Pick takes the element with the index given by a value.
func (n *Node) Pick(index *Node) *Node {
	return n.mod.Append(Pick{}, Bits(n.Type.W), n, index)
}

// Join puts vectors behind one another, the receiver lowest.
func (n *Node) Join(rest ...*Node) *Node {
	c := n.Type.N
	for _, r := range rest {
		if r.Type.W != n.Type.W {
			n.mod.fail("join of %s and %s", n.Type, r.Type)
		}
		c += r.Type.N
	}
	if len(rest) == 0 {
		return n
	}
	return n.mod.Append(Join{}, Vec(c, n.Type.W), append([]*Node{n}, rest...)...)
}

// Cast reads the packed word as type t.
func (n *Node) Cast(t Type) *Node {
	if t == n.Type {
		return n
	}
	if t.Total() != n.Type.Total() {
		n.mod.fail("cast of %s to %s", n.Type, t)
	}
	return n.mod.Append(Cast{}, t, n)
}

// Fold reduces to groups elements. FoldAdd extends to w bits, the others keep the width.
func (n *Node) fold(k FoldKind, groups, w int, signed bool) *Node {
	if groups < 1 || n.Type.N%groups != 0 || w < n.Type.W {
		n.mod.fail("fold %s of %s to %d groups of %d bits", k, n.Type, groups, w)
	}
	return n.mod.Append(Fold{k, signed}, Vec(groups, w), n)
}

// SumU and SumS add consecutive groups of elements, extended to w bits without or with sign.
func (n *Node) SumU(groups, w int) *Node { return n.fold(FoldAdd, groups, w, false) }
func (n *Node) SumS(groups, w int) *Node { return n.fold(FoldAdd, groups, w, true) }

// AnyOf, AllOf and Parity fold groups of elements by or, and, exclusive or.
func (n *Node) AnyOf(groups int) *Node  { return n.fold(FoldOr, groups, n.Type.W, false) }
func (n *Node) AllOf(groups int) *Node  { return n.fold(FoldAnd, groups, n.Type.W, false) }
func (n *Node) Parity(groups int) *Node { return n.fold(FoldXor, groups, n.Type.W, false) }

// MaskedSum adds, in each group of len(mask) elements of cells, those with a set mask bit,
// extended to w bits.
func (n *Node) MaskedSum(cells *Node, w int, signed bool) *Node {
	if n.Type.W != 1 || cells.Type.N%n.Type.N != 0 || w < cells.Type.W {
		n.mod.fail("masked sum of %s under %s to %d bits", cells.Type, n.Type, w)
	}
	return n.mod.Append(MaskedSum{signed}, Vec(cells.Type.N/n.Type.N, w), n, cells)
}

// InitWord is the power-on value of element i of a register without reset, or of value
// i = address*N + element of a memory without contents: the low w bits of
// Mix(seed xor InitKey(module, name) + i). All instances of a module start alike.
func InitWord(seed uint64, module, name string, i, w int) uint64 {
	return bits.Mix((seed^InitKey(module, name))+uint64(i)) & bits.Mask(w)
}

// InitKey is the FNV-1a hash of "module.name".
func InitKey(module, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(module + "." + name))
	return h.Sum64()
}
