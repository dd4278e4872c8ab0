package rtl

import (
	"fmt"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// wantsNet reports whether a node gets a net whatever its user is.
func (b *builder) wantsNet(n *ir.Node) bool {
	v := b.val(n)
	if c, ok := n.Op.(ir.Const); ok {
		return v.uses > 1 && n.Type.Total() > maxConst && !uniform(c.Val)
	}
	if isView(n) {
		return n.Name != ""
	}
	if _, ok := n.Op.(ir.Splat); ok && n.Name == "" {
		return false
	}
	return n.Name != "" || v.uses > 1 || v.port != nil || isSignedMul(n)
}

func isConst(n *ir.Node) bool { _, ok := n.Op.(ir.Const); return ok }

// isView reports whether a node is only another reading of its operand's bits.
func isView(n *ir.Node) bool {
	switch n.Op.(type) {
	case ir.Slice, ir.Elems, ir.Cast:
		return true
	}
	return false
}

// isSignedMul finds products of sign-extended operands: they are written as signed products
// of the narrow operands, which every synthesis tool builds smaller. The assignment to a net
// of the product's width is what extends the operands, so such a node always has a net.
func isSignedMul(n *ir.Node) bool {
	if k, ok := n.Op.(ir.Binary); !ok || k.Kind != ir.Mul {
		return false
	}
	for _, a := range n.Args {
		if e, ok := a.Op.(ir.Extend); ok && e.Signed {
			return true
		}
	}
	return false
}

// netOf gives n a net, if it has none, and drives it.
func (b *builder) netOf(n *ir.Node) *net {
	v := b.val(n)
	if v.net != nil {
		return v.net
	}
	if v.busy {
		panic(fmt.Sprintf("rtl: %s: combinational loop through %%%d (%s)", b.m.Name, n.ID, n.Loc))
	}
	v.busy = true
	if _, ok := n.Op.(ir.MaskedSum); !ok && !b.isWhole(n) {
		b.loopNet(n)
		return v.net
	}
	x := b.build(n, true)
	if v.port != nil {
		t := b.ports[v.port]
		b.out.body = append(b.out.body, assign{dst: all(t), x: x})
		b.place(n, t)
		return t
	}
	t := b.newNet(b.nameFor(n), n.Type)
	b.out.body = append(b.out.body, decl{kind: "wire", net: t, x: x, note: shapeNote(n.Type)})
	b.place(n, t)
	return t
}

// loopNet drives a vector one element at a time; neighbouring loops of one length join.
func (b *builder) loopNet(n *ir.Node) {
	v := b.val(n)
	i := b.genvar("i")
	x := b.buildLane(n, i, true)
	var t *net
	if v.port != nil {
		t = b.ports[v.port]
	} else {
		t = b.newNet(b.nameFor(n), n.Type)
		b.out.body = append(b.out.body, decl{kind: "wire", net: t, note: shapeNote(n.Type)})
	}
	b.place(n, t)
	b.addLoop(n.Type.N, assign{dst: laneOf{v.view, i}, x: x})
}

func (b *builder) addLoop(n int, a assign) {
	last := len(b.out.body) - 1
	for ; last >= 0; last-- {
		if d, ok := b.out.body[last].(decl); !ok || d.x != nil {
			break
		}
	}
	if last >= 0 {
		if l, ok := b.out.body[last].(*loop); ok && l.n == n {
			l.body = append(l.body, a)
			// The declarations between must stand before the loop.
			copy(b.out.body[last:], b.out.body[last+1:])
			b.out.body[len(b.out.body)-1] = l
			return
		}
	}
	name := a.dst.(laneOf).net.name
	b.out.body = append(b.out.body, &loop{block: b.names.pick(name + "_each"), v: b.genvar("i"), n: n, body: []assign{a}})
}

// genvar gives the loop variable that is called want when the name is free.
func (b *builder) genvar(want string) string {
	if g, ok := b.local["genvar "+want]; ok {
		return g
	}
	g := b.names.pick(want)
	b.local["genvar "+want] = g
	b.out.genvar = append(b.out.genvar, g)
	return g
}

// viewOf is the place of n's bits in a net; n gets one if it has none.
func (b *builder) viewOf(n *ir.Node) view {
	if w, ok := b.tryView(n); ok {
		return w
	}
	b.netOf(n)
	return b.val(n).view
}

// tryView is viewOf for nodes that stand in a net already or are readings of one.
func (b *builder) tryView(n *ir.Node) (view, bool) {
	v := b.val(n)
	if v.net != nil {
		return v.view, true
	}
	if n.Name != "" {
		return view{}, false
	}
	t := n.Type
	switch op := n.Op.(type) {
	case ir.Slice:
		w := b.viewOf(n.Args[0])
		w.off, w.w = w.off+op.Lo, t.W
		return w, true
	case ir.Elems:
		w := b.viewOf(n.Args[0])
		w.off, w.n = w.off+w.stride*op.Lo, t.N
		if w.n == 1 {
			w.stride = w.w
		}
		return w, true
	case ir.Cast:
		w, ok := b.tryView(n.Args[0])
		if ok && w.packed() {
			return view{w.net, w.off, t.W, t.N, t.W}, true
		}
	}
	return view{}, false
}

// packedView is viewOf where the elements must stand side by side.
func (b *builder) packedView(n *ir.Node) view {
	v := b.viewOf(n)
	if !v.packed() {
		b.netOf(n)
		v = b.val(n).view
	}
	return v
}

// isWhole reports whether a node can be written as one expression over packed words; other
// vectors are written element by element.
func (b *builder) isWhole(n *ir.Node) bool {
	if b.val(n).net != nil || n.Type.N == 1 {
		return true
	}
	switch n.Op.(type) {
	case ir.Const, ir.Splat, ir.Elems, ir.Cast, ir.Join, ir.MemRead, ir.MaskedSum:
		return true
	case ir.Slice:
		return false
	}
	if !isBitwise(n) {
		return false
	}
	for _, a := range n.Args {
		if !b.wantsNet(a) && !b.isWhole(a) {
			return false
		}
	}
	return true
}

// isBitwise reports whether the bits of a vector node depend only on the same bits of its
// operands, so that elements need no boundaries.
func isBitwise(n *ir.Node) bool {
	switch op := n.Op.(type) {
	case ir.Not:
		return true
	case ir.Binary:
		return op.Kind >= ir.And || n.Type.W == 1
	case ir.Compare:
		return n.Args[0].Type.W == 1
	case ir.Mux:
		return n.Args[0].Type.N == 1 || n.Type.W == 1
	}
	return false
}

// expr is n as an expression of exactly n.Type.Total() bits.
func (b *builder) expr(n *ir.Node) expr {
	if w, ok := b.tryView(n); ok && w.packed() {
		return w.all()
	}
	if b.wantsNet(n) || !b.isWhole(n) || isView(n) && !isCast(n) {
		return all(b.netOf(n))
	}
	return b.fit(n, b.build(n, false))
}

func isCast(n *ir.Node) bool { _, ok := n.Op.(ir.Cast); return ok }

// fit is x when it is short enough to stand inside another expression, else a net for n.
func (b *builder) fit(n *ir.Node, x expr) expr {
	if isConst(n) || len(show(x)) <= maxInline {
		return x
	}
	if v := b.val(n); v.uses > 1 {
		return all(b.netOf(n))
	}
	v := b.val(n)
	t := b.newNet(b.nameFor(n), n.Type)
	b.out.body = append(b.out.body, decl{kind: "wire", net: t, x: x, note: shapeNote(n.Type)})
	v.net, v.view = t, whole(t, n.Type.N, n.Type.W)
	return all(t)
}

// all is a packed view as an expression.
func (v view) all() expr { return bitsOf{v.net, v.off, v.n * v.w} }

// lane is element i of n as an expression of exactly n.Type.W bits; a scalar is the same for
// all i.
func (b *builder) lane(n *ir.Node, i string) expr {
	if n.Type.N == 1 {
		return b.expr(n)
	}
	if w, ok := b.tryView(n); ok {
		return laneOf{w, i}
	}
	if c, ok := n.Op.(ir.Const); ok && uniform(c.Val) {
		return lit{n.Type.W, c.Val[0]}
	}
	if b.wantsNet(n) || isView(n) || !b.hasLanes(n) {
		b.netOf(n)
		return laneOf{b.val(n).view, i}
	}
	x := b.buildLane(n, i, false)
	if len(show(x)) > maxInline {
		b.netOf(n)
		return laneOf{b.val(n).view, i}
	}
	return x
}

func uniform(v []uint64) bool {
	for _, x := range v {
		if x != v[0] {
			return false
		}
	}
	return true
}

// hasLanes reports whether an element of a vector can be written by itself.
func (b *builder) hasLanes(n *ir.Node) bool {
	switch n.Op.(type) {
	case ir.Const, ir.Join, ir.MemRead, ir.MaskedSum, ir.InstOut:
		return false
	}
	return true
}

// build writes a scalar, or a vector as one packed word. root: x will be assigned to a net of
// its own, so signs cannot leak in.
func (b *builder) build(n *ir.Node, root bool) expr {
	arg := func(i int) expr { return b.expr(n.Args[i]) }
	t := n.Type
	switch op := n.Op.(type) {
	case ir.Const:
		return constant(t, op.Val)
	case ir.Splat:
		return rep{t.N, b.shared(n)}
	case ir.Join:
		c := cat{}
		for i := len(n.Args) - 1; i >= 0; i-- {
			c.parts = append(c.parts, arg(i))
		}
		return c
	case ir.Slice, ir.Elems:
		v := b.packedView(n.Args[0])
		switch op := n.Op.(type) {
		case ir.Slice: // of a scalar: isWhole
			v.off, v.w = v.off+op.Lo, t.W
		case ir.Elems:
			v.off, v.n = v.off+v.stride*op.Lo, t.N
		}
		return v.all()
	case ir.Cast:
		return b.shared(n)
	case ir.Pick:
		return b.pick(n)
	case ir.MemRead:
		return b.memRead(op.Mem, n.Args[0])
	case ir.MaskedSum:
		return b.maskedSum(n, op.Signed)
	case ir.Fold:
		return b.fold(n, op, "")
	}
	if t.N > 1 && t.W == 1 {
		if x := b.bitVector(n); x != nil {
			return x
		}
	}
	return b.element(n, root, "")
}

// shared is the operand of n, in a net when n itself will be written more than once.
func (b *builder) shared(n *ir.Node) expr {
	a := n.Args[0]
	if b.val(n).uses > 1 && !isConst(a) {
		return b.packedView(a).all()
	}
	return b.expr(a)
}

// buildLane writes element i of a vector.
func (b *builder) buildLane(n *ir.Node, i string, root bool) expr {
	switch op := n.Op.(type) {
	case ir.Splat:
		return b.shared(n)
	case ir.Slice:
		w := b.viewOf(n.Args[0])
		w.off, w.w = w.off+op.Lo, n.Type.W
		return laneOf{w, i}
	case ir.Elems:
		w := b.viewOf(n.Args[0])
		w.off, w.n = w.off+w.stride*op.Lo, n.Type.N
		return laneOf{w, i}
	case ir.Fold:
		return b.fold(n, op, i)
	}
	return b.element(n, root, i)
}

// operand is operand k of n: its element i, or all of it when i is "".
func (b *builder) operand(n *ir.Node, k int, i string) expr {
	if i == "" {
		return b.expr(n.Args[k])
	}
	return b.lane(n.Args[k], i)
}

// selectable is operand k in a form of which single bits can be taken.
func (b *builder) selectable(n *ir.Node, k int, i string) expr {
	a := n.Args[k]
	if c, ok := a.Op.(ir.Const); ok && uniform(c.Val) {
		return lit{a.Type.W, c.Val[0]}
	}
	v := b.viewOf(a)
	if i == "" || a.Type.N == 1 {
		return b.packedView(a).all()
	}
	return laneOf{v, i}
}

// element writes the operations that work on each element by itself: element i, or all of n
// when i is "".
func (b *builder) element(n *ir.Node, root bool, i string) expr {
	w := n.Type.W
	arg := func(k int) expr { return b.operand(n, k, i) }
	switch op := n.Op.(type) {
	case ir.Binary:
		if isSignedMul(n) {
			return binop{"*", b.signedFactor(n, 0, i), b.signedFactor(n, 1, i)}
		}
		return binop{binaryOps[op.Kind], arg(0), arg(1)}
	case ir.Not:
		return complement(arg(0))
	case ir.Shift:
		return b.shift(n, op.Kind, root, i)
	case ir.Compare:
		return b.compare(n, op.Kind, arg)
	case ir.Mux:
		return cond{arg(0), arg(1), b.otherwise(n, i)}
	case ir.Extend:
		if op.Signed {
			return extend(b.selectable(n, 0, i), n.Args[0].Type.W, w, true)
		}
		return extend(arg(0), n.Args[0].Type.W, w, false)
	case ir.Cat:
		c := cat{}
		for i := range n.Args {
			c.parts = append(c.parts, arg(i))
		}
		return c
	}
	panic(fmt.Sprintf("rtl: %s: no Verilog for %T of %s", b.m.Name, n.Op, n.Type))
}

var binaryOps = []string{ir.Add: "+", ir.Sub: "-", ir.Mul: "*", ir.And: "&", ir.Or: "|", ir.Xor: "^"}

var compareOps = []string{ir.Eq: "==", ir.Ne: "!=", ir.Ltu: "<", ir.Leu: "<=", ir.Lts: "<", ir.Les: "<="}

// otherwise is the last operand of a multiplexer; multiplexers in a row make one ?: chain.
func (b *builder) otherwise(n *ir.Node, i string) expr {
	e := n.Args[2]
	_, mux := e.Op.(ir.Mux)
	if i != "" || !mux || b.chain >= maxChain || e.Type.N > 1 || b.wantsNet(e) {
		return b.operand(n, 2, i)
	}
	b.chain++
	defer func() { b.chain-- }()
	return b.build(e, false)
}

// signedFactor is operand k of a signed product, as narrow as it can be.
func (b *builder) signedFactor(n *ir.Node, k int, i string) expr {
	a := n.Args[k]
	e, ok := a.Op.(ir.Extend)
	switch {
	case !ok || a.Name != "":
		return signed(b.operand(n, k, i))
	case e.Signed:
		return signed(b.operand(a, 0, i))
	}
	return signed(cat{[]expr{lit{1, 0}, b.operand(a, 0, i)}})
}

func signed(x expr) expr { return call{"$signed", []expr{x}} }

// bitVector writes what arithmetic on vectors of single bits comes to.
func (b *builder) bitVector(n *ir.Node) expr {
	switch op := n.Op.(type) {
	case ir.Binary:
		switch op.Kind {
		case ir.Add, ir.Sub:
			return binop{"^", b.expr(n.Args[0]), b.expr(n.Args[1])}
		case ir.Mul:
			return binop{"&", b.expr(n.Args[0]), b.expr(n.Args[1])}
		}
	case ir.Compare:
		if n.Args[0].Type.W != 1 {
			return nil
		}
		x, y := b.expr(n.Args[0]), b.expr(n.Args[1])
		switch op.Kind {
		case ir.Eq:
			return unary{"~", binop{"^", x, y}}
		case ir.Ne:
			return binop{"^", x, y}
		case ir.Ltu:
			return binop{"&", complement(x), y}
		case ir.Leu:
			return binop{"|", complement(x), y}
		case ir.Lts: // as two's complement, 1 is -1
			return binop{"&", x, complement(y)}
		case ir.Les:
			return binop{"|", x, complement(y)}
		}
	case ir.Mux:
		if n.Args[0].Type.N > 1 {
			s := b.packedView(n.Args[0]).all()
			return binop{"|", binop{"&", s, b.expr(n.Args[1])}, binop{"&", complement(s), b.expr(n.Args[2])}}
		}
	}
	return nil
}

func constant(t ir.Type, v []uint64) expr {
	if t.N == 1 {
		return lit{t.W, v[0]}
	}
	if uniform(v) && v[0] != 0 {
		return rep{t.N, lit{t.W, v[0]}}
	}
	return vecLit{t.W, v}
}

// extend widens x, which may stand in the result more than once when it is signed.
func extend(x expr, from, to int, isSigned bool) expr {
	if from == to {
		return x
	}
	if !isSigned {
		return cat{[]expr{lit{to - from, 0}, x}}
	}
	return cat{[]expr{rep{to - from, part(x, from-1, 1)}, x}}
}

// part is w bits from lo on of a selectable expression.
func part(x expr, lo, w int) expr {
	switch x := x.(type) {
	case bitsOf:
		return bitsOf{x.net, x.lo + lo, w}
	case laneOf:
		x.off, x.w = x.off+lo, w
		return x
	case lit:
		return lit{w, bits.Slice(x.v, lo, w)}
	}
	panic(fmt.Sprintf("rtl: no bits of %T", x))
}

// compare decides what only looks like a question, as linters do, and writes the rest.
func (b *builder) compare(n *ir.Node, k ir.CompareKind, arg func(int) expr) expr {
	w := n.Args[0].Type.W
	low, high := uint64(0), bits.Mask(w)
	if k == ir.Lts || k == ir.Les {
		low, high = 1<<(w-1), high>>1
	}
	x, y := arg(0), arg(1)
	is := func(e expr, v uint64) bool { l, ok := e.(lit); return ok && l.v == v }
	switch k {
	case ir.Ltu, ir.Lts:
		if is(y, low) || is(x, high) {
			return lit{1, 0}
		}
	case ir.Leu, ir.Les:
		if is(x, low) || is(y, high) {
			return lit{1, 1}
		}
	}
	switch {
	case w == 1 && k == ir.Lts: // 1 is -1; Verilator 5.006 mistakes some signed comparisons of single bits
		return binop{"&", x, complement(y)}
	case w == 1 && k == ir.Les:
		return binop{"|", x, complement(y)}
	case k == ir.Lts || k == ir.Les:
		x, y = signed(x), signed(y)
	}
	return binop{compareOps[k], x, y}
}

// complement is ~x; Icarus does not take two complements in a row.
func complement(x expr) expr {
	if u, ok := x.(unary); ok && u.op == "~" {
		return u.x
	}
	return unary{"~", x}
}

// shift writes a shift; an amount beyond 32 bits is clamped, which tools want.
func (b *builder) shift(n *ir.Node, k ir.ShiftKind, root bool, i string) expr {
	w := n.Type.W
	arg := func(k int) expr { return b.operand(n, k, i) }
	var by expr
	amount := n.Args[1]
	if c, ok := amount.Op.(ir.Const); ok && uniform(c.Val) {
		v := c.Val[0]
		if v >= uint64(w) {
			if k != ir.Sra {
				return lit{w, 0}
			}
			v = uint64(w) - 1
		}
		if v == 0 {
			return arg(0)
		}
		by = plain{int(v)}
	} else if amount.Type.W > 32 {
		x := b.selectable(n, 1, i)
		by = cond{unary{"|", part(x, 32, amount.Type.W-32)}, lit{32, bits.Mask(32)}, part(x, 0, 32)}
	} else {
		by = arg(1)
	}
	switch k {
	case ir.Shl:
		return binop{"<<", arg(0), by}
	case ir.Shr:
		return binop{">>", arg(0), by}
	}
	x := binop{">>>", signed(arg(0)), by}
	if root {
		return x
	}
	return call{"$unsigned", []expr{x}}
}
