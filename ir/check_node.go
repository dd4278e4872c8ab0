package ir

import "fmt"

// delivery checks I11.
func (c *checker) delivery() {
	ins, regs, mems := map[*Port]int{}, map[*Reg]int{}, map[*Mem]int{}
	for _, n := range c.m.Nodes {
		switch op := n.Op.(type) {
		case Input:
			ins[op.Port]++
		case RegOut:
			regs[op.Reg]++
		case MemOut:
			mems[op.Mem]++
		}
	}
	check := func(what string, loc *Loc, count int, n *Node, same bool, t Type) {
		switch {
		case count != 1:
			c.add(11, what, loc, "%d nodes deliver it", count)
		case n == nil || !same:
			c.add(11, what, loc, "refers to %s, which does not deliver it", nodeName(n))
		case n.Type != t:
			c.add(11, what, loc, "of %s is delivered as %s", t, n.Type)
		}
	}
	for _, p := range c.m.Ports {
		if p.Dir == In {
			check("port "+p.Name, c.m.Loc, ins[p], p.Node, p.Node != nil && p.Node.Op == Op(Input{p}), p.Type)
		} else if ins[p] > 0 {
			c.add(11, "port "+p.Name, c.m.Loc, "an output is read as an input")
		}
	}
	for _, r := range c.m.Regs {
		check("register "+r.Name, r.Loc, regs[r], r.Q, r.Q != nil && r.Q.Op == Op(RegOut{r}), r.Type)
	}
	for _, m := range c.m.Mems {
		if m.Q != nil || mems[m] > 0 {
			check("memory "+m.Name, m.Loc, mems[m], m.Q, m.Q != nil && m.Q.Op == Op(MemOut{m}), m.Type)
		}
	}
}

// output checks I12.
func (c *checker) output(p *Port) {
	if p.Dir == In {
		return
	}
	switch {
	case p.Dir != Out:
		c.add(12, "port "+p.Name, c.m.Loc, "has direction %d", p.Dir)
	case p.Node == nil:
		c.add(12, "port "+p.Name, c.m.Loc, "is not driven")
	case p.Node.Type != p.Type:
		c.add(12, "port "+p.Name, c.m.Loc, "of %s is driven by %s", p.Type, p.Node.Type)
	}
}

// register checks I13.
func (c *checker) register(r *Reg) {
	switch {
	case r.Next == nil:
		c.add(13, "register "+r.Name, r.Loc, "has no next value")
	case r.Next.Type != r.Type:
		c.add(13, "register "+r.Name, r.Loc, "of %s takes %s", r.Type, r.Next.Type)
	case r.En != nil && r.En.Type != Bits(1):
		c.add(13, "register "+r.Name, r.Loc, "has an enable of %s", r.En.Type)
	}
}

// memory checks I14.
func (c *checker) memory(m *Mem) {
	bad := func(format string, a ...any) { c.add(14, "memory "+m.Name, m.Loc, format, a...) }
	if m.Depth < 1 || m.Depth > MaxMemWords/m.Type.N {
		bad("has depth %d", m.Depth)
	}
	if m.Init != nil && m.Loaded {
		bad("has contents and is loaded")
	}
	if m.Expect != nil && (!m.Loaded || len(m.Expect) != m.Depth*m.Type.N) {
		bad("expects %d values", len(m.Expect))
	}
	if s := m.SliceBits * m.SliceLen; m.SliceBits != 0 && (!m.Loaded || m.Type.W != 1 || m.SliceBits < 2 || m.SliceLen < 1 || m.Depth*m.Type.N%s != 0) {
		bad("has slices of %d x %d", m.SliceBits, m.SliceLen)
	}
	if m.RAddr != nil || m.REn != nil || m.Q != nil {
		switch {
		case m.RAddr == nil || m.REn == nil || m.Q == nil:
			bad("the read port lacks its address, enable or output")
		case m.RAddr.Type.N != 1 || m.REn.Type != Bits(1):
			bad("is read at address %s under enable %s", m.RAddr.Type, m.REn.Type)
		}
	}
	if m.WAddr != nil || m.WData != nil || m.WEn != nil {
		switch {
		case m.WAddr == nil || m.WData == nil || m.WEn == nil:
			bad("the write port lacks its address, data or enable")
		case m.WAddr.Type.N != 1 || m.WEn.Type != Bits(1) || m.WData.Type != m.Type:
			bad("of %s is written at address %s with %s under enable %s", m.Type, m.WAddr.Type, m.WData.Type, m.WEn.Type)
		}
	}
}

// instance checks I16 and I17.
func (c *checker) instance(in *Inst) {
	what := "instance " + in.Name
	switch {
	case in.Rows < 1 || in.Cols < 1 || in.Rows > MaxTotal/in.Cols:
		c.add(16, what, in.Loc, "is a grid of %d x %d", in.Rows, in.Cols)
		return
	case !in.Grid && in.Count() != 1:
		c.add(16, what, in.Loc, "is a plain instance of %d x %d", in.Rows, in.Cols)
	}
	wired := map[*Port]int{}
	for _, cn := range in.Conns {
		wired[cn.Port]++
		c.conn(in, cn)
	}
	for _, p := range in.Of.Ports {
		if p != nil && p.Dir == In {
			if wired[p] != 1 {
				c.add(16, what, in.Loc, "input %s of %s is connected %d times", p.Name, in.Of.Name, wired[p])
			}
			delete(wired, p)
		}
	}
	if len(wired) > 0 {
		c.add(16, what, in.Loc, "%d connections are to something that is not an input of %s", len(wired), in.Of.Name)
	}
}

// conn checks I17 for one connection.
func (c *checker) conn(in *Inst, cn *Conn) {
	bad := func(format string, a ...any) {
		c.add(17, "instance "+in.Name, in.Loc, "input %s: %s", cn.Port.Name, fmt.Sprintf(format, a...))
	}
	groups := 1
	switch cn.Kind {
	case Broadcast:
	case PerRow:
		groups = in.Rows
	case PerCol:
		groups = in.Cols
	case PerInst:
		groups = in.Count()
	case Chain:
		if cn.Side < West || cn.Side > South {
			bad("a chain from side %d", cn.Side)
			return
		}
		groups = in.groups(cn.Side)
		if f := cn.From; f == nil || f.Dir != Out || in.Of.Port(f.Name) != f {
			bad("the chain does not come from an output of %s", in.Of.Name)
		} else if f.Type != cn.Port.Type {
			bad("the chain runs from %s of %s to %s", f.Name, f.Type, cn.Port.Type)
		}
	default:
		bad("wiring rule %d", cn.Kind)
		return
	}
	if cn.Kind != Broadcast && !in.Grid {
		bad("%s wiring of a plain instance", cn.Kind)
	}
	if cn.Kind != Chain && (cn.From != nil || cn.Side != All) {
		bad("%s wiring with a chain's source or side", cn.Kind)
	}
	if cn.Src == nil {
		bad("has no source")
	} else if want := Vec(cn.Port.Type.N*groups, cn.Port.Type.W); cn.Src.Type != want {
		bad("%s wiring wants %s, got %s", cn.Kind, want, cn.Src.Type)
	}
}

// instOut checks I18.
func (c *checker) instOut(n *Node, op InstOut) {
	p := op.Port
	switch {
	case p.Dir != Out || op.Inst.Of.Port(p.Name) != p:
		c.add(18, nodeName(n), n.Loc, "%s is not an output of %s", p.Name, op.Inst.Of.Name)
	case op.Sel > South || op.Sel != All && !op.Inst.Grid:
		c.add(18, nodeName(n), n.Loc, "side %d of instance %s", op.Sel, op.Inst.Name)
	case n.Type != Vec(p.Type.N*op.Inst.groups(op.Sel), p.Type.W):
		c.add(18, nodeName(n), n.Loc, "%s.%s is %d times %s, not %s", op.Inst.Name, p.Name,
			op.Inst.groups(op.Sel), p.Type, n.Type)
	}
}

// node checks I8, I10, I15 and I18 for one node.
func (c *checker) node(n *Node) {
	if lo, hi := arity(n.Op); len(n.Args) < lo || len(n.Args) > hi {
		c.add(8, nodeName(n), n.Loc, "%s of %d operands", opName(n.Op), len(n.Args))
		return
	}
	switch op := n.Op.(type) {
	case InstOut:
		c.instOut(n, op)
		return
	case MemRead:
		if op.Mem.WEn != nil && c.m.Macro == nil {
			c.add(15, nodeName(n), n.Loc, "memory %s has a write port", op.Mem.Name)
		}
	case Slice:
		if a := n.Args[0].Type; op.Lo < 0 || op.Lo > a.W || op.Lo+n.Type.W > a.W {
			c.add(10, nodeName(n), n.Loc, "%d bits from bit %d of %s", n.Type.W, op.Lo, a)
		}
	case Elems:
		if a := n.Args[0].Type; op.Lo < 0 || op.Lo > a.N || op.Lo+n.Type.N > a.N {
			c.add(10, nodeName(n), n.Loc, "%d elements from element %d of %s", n.Type.N, op.Lo, a)
		}
	}
	if !typed(n) {
		s := opName(n.Op) + " " + n.Type.String() + " of"
		for _, a := range n.Args {
			s += " " + a.Type.String()
		}
		c.add(8, nodeName(n), n.Loc, "%s", s)
	}
}

// arity is the least and largest number of operands of an operation.
func arity(op Op) (lo, hi int) {
	switch op.(type) {
	case Const, Input, RegOut, MemOut, InstOut:
		return 0, 0
	case Binary, Shift, Compare, Pick, MaskedSum:
		return 2, 2
	case Mux:
		return 3, 3
	case Cat:
		return 1, MaxWidth
	case Join:
		return 1, MaxTotal
	}
	return 1, 1
}

// typed reports whether the types of n and its operands fit its operation (I8); see op.go.
func typed(n *Node) bool {
	t := n.Type
	arg := func(i int) Type { return n.Args[i].Type }
	switch op := n.Op.(type) {
	case MemRead:
		return t == op.Mem.Type && arg(0).N == 1
	case Binary:
		return op.Kind <= Xor && arg(0) == t && arg(1) == t
	case Not:
		return arg(0) == t
	case Shift:
		return op.Kind <= Sra && arg(0) == t && (arg(1).N == 1 || arg(1).N == t.N)
	case Compare:
		return op.Kind <= Les && arg(0) == arg(1) && t == Vec(arg(0).N, 1)
	case Mux:
		return arg(0).W == 1 && (arg(0).N == 1 || arg(0).N == t.N) && arg(1) == t && arg(2) == t
	case Extend:
		return arg(0).N == t.N && arg(0).W < t.W
	case Slice:
		return arg(0).N == t.N
	case Cat:
		w := 0
		for _, a := range n.Args {
			w += a.Type.W
			if a.Type.N != t.N {
				return false
			}
		}
		return w == t.W
	case Splat:
		return arg(0) == Bits(t.W)
	case Elems:
		return arg(0).W == t.W
	case Pick:
		return arg(0).W == t.W && t.N == 1 && arg(1).N == 1
	case Join:
		c := 0
		for _, a := range n.Args {
			c += a.Type.N
			if a.Type.W != t.W {
				return false
			}
		}
		return c == t.N
	case Cast:
		return arg(0).Total() == t.Total()
	case Fold:
		grows := arg(0).W == t.W && !op.Signed
		if op.Kind == FoldAdd {
			grows = arg(0).W <= t.W
		}
		return op.Kind <= FoldXor && grows && arg(0).N%t.N == 0
	case MaskedSum:
		return arg(0).W == 1 && arg(1).W <= t.W && arg(1).N == arg(0).N*t.N
	}
	return true
}

// opName is the word an operation has in the text form.
func opName(op Op) string {
	signed := func(s bool, word string) string {
		if s {
			return word + "s"
		}
		return word
	}
	name := func(names []string, k int) string {
		if k < len(names) {
			return names[k]
		}
		return fmt.Sprintf("kind_%d", k)
	}
	switch op := op.(type) {
	case Const:
		return "const"
	case Input:
		return "input"
	case RegOut:
		return "reg"
	case MemOut:
		return "memout"
	case MemRead:
		return "memread"
	case InstOut:
		return "instout"
	case Binary:
		return name(BinaryNames, int(op.Kind))
	case Not:
		return "not"
	case Shift:
		return name(ShiftNames, int(op.Kind))
	case Compare:
		return name(CompareNames, int(op.Kind))
	case Mux:
		return "mux"
	case Extend:
		if op.Signed {
			return "sext"
		}
		return "zext"
	case Slice:
		return "slice"
	case Cat:
		return "cat"
	case Splat:
		return "splat"
	case Elems:
		return "elems"
	case Pick:
		return "pick"
	case Join:
		return "join"
	case Cast:
		return "cast"
	case Fold:
		return "fold " + signed(op.Signed, name(FoldNames, int(op.Kind)))
	case MaskedSum:
		return signed(op.Signed, "msum")
	}
	return fmt.Sprintf("%T", op)
}
