package mutate

import (
	"fmt"
	"slices"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// Kinds is the table of mistakes in designs.
var Kinds = []Kind{
	{Name: "sign", node: sign},
	{Name: "operation", node: operation},
	{Name: "swap", node: swap},
	{Name: "slice", node: slice},
	{Name: "element", node: element},
	{Name: "constant", node: constants},
	{Name: "width", node: width},
	{Name: "edge", node: edge},
	{Name: "late", port: late},
	{Name: "reset missing", reg: resetMissing},
	{Name: "reset value", reg: resetValue},
	{Name: "enable dropped", reg: enableDropped},
	{Name: "enable inverted", reg: enableInverted},
	{Name: "chain side", conn: chainSide},
	{Name: "chain boundary", conn: chainBoundary},
	{Name: "array index", conn: arrayIndex},
	{Name: "array rule", conn: arrayRule},
	{Name: "memory contents", mem: contents},
	{Name: "memory address", mem: address},
	{Name: "memory write", mem: write},
}

// sign reads a value as signed that is unsigned, or the other way round.
func sign(s *site, n *ir.Node) string {
	from := n.Op
	switch op := n.Op.(type) {
	case ir.Extend:
		n.Op = ir.Extend{Signed: !op.Signed}
	case ir.Compare:
		other := map[ir.CompareKind]ir.CompareKind{ir.Lts: ir.Ltu, ir.Ltu: ir.Lts, ir.Les: ir.Leu, ir.Leu: ir.Les}
		if k, ok := other[op.Kind]; ok {
			n.Op = ir.Compare{Kind: k}
		}
	case ir.Shift:
		if op.Kind != ir.Shl {
			n.Op = ir.Shift{Kind: ir.Shr + ir.Sra - op.Kind}
		}
	case ir.Fold:
		if op.Kind == ir.FoldAdd && n.Args[0].Type.W < n.Type.W {
			n.Op = ir.Fold{Kind: op.Kind, Signed: !op.Signed}
		}
	case ir.MaskedSum:
		if n.Args[1].Type.W < n.Type.W {
			n.Op = ir.MaskedSum{Signed: !op.Signed}
		}
	case ir.Const:
		return ""
	}
	return changed(from, n.Op)
}

// changed describes a change of an operation. Constants, which cannot be compared, do not
// come here.
func changed(from, to ir.Op) string {
	if from == to {
		return ""
	}
	return fmt.Sprintf("%T%v became %T%v", from, from, to, to)
}

var (
	otherBinary = map[ir.BinaryKind]ir.BinaryKind{ir.Add: ir.Sub, ir.Sub: ir.Add, ir.Mul: ir.Add, ir.And: ir.Or, ir.Or: ir.And,
		ir.Xor: ir.Or}
	otherCompare = map[ir.CompareKind]ir.CompareKind{ir.Eq: ir.Ne, ir.Ne: ir.Eq, ir.Ltu: ir.Leu, ir.Leu: ir.Ltu, ir.Lts: ir.Les,
		ir.Les: ir.Lts}
	otherFold = map[ir.FoldKind]ir.FoldKind{ir.FoldAdd: ir.FoldAdd, ir.FoldAnd: ir.FoldOr, ir.FoldOr: ir.FoldXor, ir.FoldXor: ir.FoldOr}
)

// operation takes a neighbouring operation instead.
func operation(s *site, n *ir.Node) string {
	from := n.Op
	switch op := n.Op.(type) {
	case ir.Binary:
		if n.Type.W == 1 && op.Kind <= ir.Sub { // equal in one bit
			return ""
		}
		n.Op = ir.Binary{Kind: otherBinary[op.Kind]}
	case ir.Compare:
		n.Op = ir.Compare{Kind: otherCompare[op.Kind]}
	case ir.Shift:
		n.Op = ir.Shift{Kind: map[ir.ShiftKind]ir.ShiftKind{ir.Shl: ir.Shr, ir.Shr: ir.Shl, ir.Sra: ir.Shl}[op.Kind]}
	case ir.Fold:
		if n.Args[0].Type.N > n.Type.N {
			n.Op = ir.Fold{Kind: otherFold[op.Kind], Signed: op.Signed}
		}
	case ir.Not:
		n.Op, n.Args = ir.Binary{Kind: ir.Or}, []*ir.Node{n.Args[0], n.Args[0]}
	case ir.Const:
		return ""
	}
	return changed(from, n.Op)
}

// swap exchanges two operands where their order matters.
func swap(s *site, n *ir.Node) string {
	i, k := 0, 1
	switch op := n.Op.(type) {
	case ir.Binary:
		if op.Kind != ir.Sub || n.Type.W == 1 {
			return ""
		}
	case ir.Compare:
		if op.Kind <= ir.Ne {
			return ""
		}
	case ir.Shift:
	case ir.Mux:
		i, k = 1, 2
	case ir.Cat, ir.Join:
		if len(n.Args) < 2 {
			return ""
		}
		i = s.r.IntN(len(n.Args) - 1)
		k = i + 1
	default:
		return ""
	}
	a, b := n.Args[i], n.Args[k]
	if a == b {
		return ""
	}
	if _, shift := n.Op.(ir.Shift); shift && a.Type != b.Type {
		return ""
	}
	n.Args[i], n.Args[k] = b, a
	return fmt.Sprintf("operands %d and %d exchanged", i, k)
}

// slice takes bits one place beside.
func slice(s *site, n *ir.Node) string {
	op, ok := n.Op.(ir.Slice)
	if !ok {
		return ""
	}
	lo := s.beside(op.Lo, n.Args[0].Type.W-n.Type.W)
	n.Op = ir.Slice{Lo: lo}
	return changed(op, n.Op)
}

// element takes elements one place beside.
func element(s *site, n *ir.Node) string {
	op, ok := n.Op.(ir.Elems)
	if !ok {
		return ""
	}
	n.Op = ir.Elems{Lo: s.beside(op.Lo, n.Args[0].Type.N-n.Type.N)}
	return changed(op, n.Op)
}

// beside is v-1 or v+1 within 0..last, or v.
func (s *site) beside(v, last int) int {
	switch {
	case v < last && (v == 0 || s.r.IntN(2) == 0):
		return v + 1
	case v > 0:
		return v - 1
	}
	return v
}

// constants makes one element of a constant one more, or flips a bit of it.
func constants(s *site, n *ir.Node) string {
	op, ok := n.Op.(ir.Const)
	if !ok {
		return ""
	}
	e := s.r.IntN(len(op.Val))
	before := op.Val[e]
	op.Val[e] = bits.Add(before, 1, n.Type.W)
	return fmt.Sprintf("element %d, %d, became %d", e, before, op.Val[e])
}

// width loses the top bit of a result.
func width(s *site, n *ir.Node) string {
	grown := 0 // bits that an unsigned sum or extension gains, the top one then zero as a rule
	switch op := n.Op.(type) {
	case ir.Binary, ir.Shift:
	case ir.Fold:
		if op.Kind == ir.FoldAdd && !op.Signed {
			grown = n.Type.W - n.Args[0].Type.W
		}
	case ir.MaskedSum:
		if !op.Signed {
			grown = n.Type.W - n.Args[1].Type.W
		}
	case ir.Extend:
		if !op.Signed {
			grown = 1
		}
	default:
		return ""
	}
	if n.Type.W == 1 || grown > 0 {
		return ""
	}
	whole := s.insert(n, n.Op, n.Type, n.Args...)
	mask := s.insert(n, constant(n.Type, bits.Mask(n.Type.W-1)), n.Type)
	n.Op, n.Args = ir.Binary{Kind: ir.And}, []*ir.Node{whole, mask}
	return fmt.Sprintf("the result lost bit %d", n.Type.W-1)
}

var opposite = map[ir.Side]ir.Side{ir.West: ir.East, ir.East: ir.West, ir.North: ir.South, ir.South: ir.North}

// turns reports whether the opposite side of a grid is another side.
func turns(in *ir.Inst, side ir.Side) bool {
	if side == ir.West || side == ir.East {
		return in.Cols > 1
	}
	return in.Rows > 1
}

// edge reads the outputs of an array at the opposite side.
func edge(s *site, n *ir.Node) string {
	op, ok := n.Op.(ir.InstOut)
	if !ok || op.Sel == ir.All || !turns(op.Inst, op.Sel) {
		return ""
	}
	from := op.Sel
	op.Sel = opposite[op.Sel]
	n.Op = op
	return fmt.Sprintf("%s.%s is read at the %s, not %s", op.Inst.Name, op.Port.Name, op.Sel, from)
}

// late delays an output by a cycle.
func late(s *site, p *ir.Port) string {
	if _, ok := p.Node.Op.(ir.Const); ok {
		return ""
	}
	r := &ir.Reg{Name: "late_" + p.Name, Type: p.Type, Reset: make([]uint64, p.Type.N), Next: p.Node}
	r.Q = s.append(ir.RegOut{Reg: r}, p.Type)
	s.m.Regs = append(s.m.Regs, r)
	p.Node = r.Q
	return "a cycle late"
}

func resetMissing(s *site, r *ir.Reg) string {
	if r.Reset == nil {
		return ""
	}
	r.Reset = nil
	return "no reset"
}

func resetValue(s *site, r *ir.Reg) string {
	if r.Reset == nil {
		return ""
	}
	e := s.r.IntN(len(r.Reset))
	before := r.Reset[e]
	r.Reset[e] = bits.Add(before, 1, r.Type.W)
	return fmt.Sprintf("element %d is reset to %d, not %d", e, r.Reset[e], before)
}

func enableDropped(s *site, r *ir.Reg) string {
	if r.En == nil {
		return ""
	}
	r.En = nil
	return "no enable"
}

func enableInverted(s *site, r *ir.Reg) string {
	if r.En == nil {
		return ""
	}
	r.En = s.append(ir.Not{}, r.En.Type, r.En)
	return "the enable is inverted"
}

// chainSide lets a chain run the other way.
func chainSide(s *site, in *ir.Inst, c *ir.Conn) string {
	if c.Kind != ir.Chain || !turns(in, c.Side) {
		return ""
	}
	from := c.Side
	c.Side = opposite[from]
	return fmt.Sprintf("comes from the %s, not %s", c.Side, from)
}

// chainBoundary feeds zeros to the instances where a chain starts.
func chainBoundary(s *site, in *ir.Inst, c *ir.Conn) string {
	if _, ok := c.Src.Op.(ir.Const); ok || c.Kind != ir.Chain {
		return ""
	}
	c.Src = s.append(constant(c.Src.Type, 0), c.Src.Type)
	return "starts from zero"
}

// arrayIndex gives each row, column or instance the data of its neighbour.
func arrayIndex(s *site, in *ir.Inst, c *ir.Conn) string {
	t := c.Src.Type
	n := c.Port.Type.N
	if c.Kind == ir.Broadcast || t.N == n {
		return ""
	}
	if _, ok := c.Src.Op.(ir.Splat); ok {
		return ""
	}
	rest := s.append(ir.Elems{Lo: n}, ir.Vec(t.N-n, t.W), c.Src)
	first := s.append(ir.Elems{Lo: 0}, ir.Vec(n, t.W), c.Src)
	c.Src = s.append(ir.Join{}, t, rest, first)
	return fmt.Sprintf("each of the %s gets the data of the next", c.Kind)
}

// arrayRule distributes data by rows that belongs to columns, or the other way round.
func arrayRule(s *site, in *ir.Inst, c *ir.Conn) string {
	if in.Rows != in.Cols || in.Rows == 1 || c.Kind != ir.PerRow && c.Kind != ir.PerCol {
		return ""
	}
	from := c.Kind
	c.Kind = ir.PerRow + ir.PerCol - from
	return fmt.Sprintf("by %s, not %s", c.Kind, from)
}

// contents changes every word of a table, so that it shows wherever it is read.
func contents(s *site, m *ir.Mem) string {
	if m.Init == nil {
		return ""
	}
	b := s.r.IntN(m.Type.W)
	m.Init = slices.Clone(m.Init)
	for i := range m.Init {
		m.Init[i] ^= 1 << b
	}
	return fmt.Sprintf("bit %d of every word is flipped", b)
}

// address reads the word beside.
func address(s *site, m *ir.Mem) string {
	if m.RAddr == nil || m.Depth < 2 {
		return ""
	}
	one := s.append(constant(m.RAddr.Type, 1), m.RAddr.Type)
	m.RAddr = s.append(ir.Binary{Kind: ir.Add}, m.RAddr.Type, m.RAddr, one)
	return "the next word is read"
}

// write keeps a memory from being written.
func write(s *site, m *ir.Mem) string {
	if m.WEn == nil {
		return ""
	}
	if v, ok := m.WEn.Op.(ir.Const); ok && v.Val[0] == 0 {
		return ""
	}
	m.WEn = s.append(constant(ir.Bits(1), 0), ir.Bits(1))
	return "never written"
}
