package rtl

import (
	"fmt"
	"strconv"
	"strings"

	"ohmloom/ir"
)

// gate is the behaviour of an enabled register of a macro as a function, which the clocked block
// calls when the register is enabled: an idle crossbar costs a simulator nothing. What the
// function computes of vectors stands in one loop, element by element in words of their own, in
// place of nets of thousands of bits. Only column sums are worth it; macros are black boxes for synthesis.
//
// What a gate computes, other gates and nets may compute as well. What it can't write it takes
// as an input.
type gate struct {
	b      *builder
	name   string
	lanes  int // of the register
	inputs []*ir.Node
	decls  []string
	head   []string      // once
	body   []string      // for each element
	known  map[lane]expr // looked up only, as are the others
	wholes map[*ir.Node]expr
	puts   map[*ir.Node]*net
	nets   map[string]*net
	all    []*net
}

// lane is element i + base of a node in round i of the loop; base is -1 for scalars.
type lane struct {
	n    *ir.Node
	base int
}

// gates makes the gates of a macro and counts uses anew.
func (b *builder) gates() {
	if b.m.Macro == nil {
		return
	}
	for _, r := range b.m.Regs {
		if r.En == nil || isConst(r.En) || !sumsColumns(r.Next, map[*ir.Node]bool{}) {
			continue
		}
		g := b.newGate(r)
		if len(g.inputs) == 0 { // Verilog has no functions without
			continue
		}
		b.out.funcs = append(b.out.funcs, lines{g.text(r)})
		if b.gated == nil {
			b.gated = map[*ir.Reg]*gate{}
		}
		b.gated[r] = g
	}
	if b.gated == nil {
		return
	}
	for i := range b.vals {
		b.vals[i].uses = 0
	}
	b.count()
}

// sumsColumns reports that a node depends on column sums of this cycle.
func sumsColumns(n *ir.Node, seen map[*ir.Node]bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	if _, ok := n.Op.(ir.MaskedSum); ok {
		return true
	}
	for _, a := range n.Args {
		if sumsColumns(a, seen) {
			return true
		}
	}
	return false
}

// newGate is the function of a register.
func (b *builder) newGate(r *ir.Reg) *gate {
	g := &gate{b: b, lanes: r.Type.N, known: map[lane]expr{}, wholes: map[*ir.Node]expr{}, puts: map[*ir.Node]*net{}, nets: map[string]*net{}}
	g.name = b.names.pick(b.m.Name + "_" + trimQ(r.Name) + "_next")
	x := g.at(r.Next, 0)
	dst := g.name
	if g.lanes > 1 {
		dst = element(g.name, g.index(), r.Type.W)
	}
	g.add(0, dst+" = "+g.read(x)+";")
	return g
}

// text is the function in Verilog.
func (g *gate) text(r *ir.Reg) []string {
	text := []string{"// What " + trimQ(r.Name) + " takes when it is enabled.",
		fmt.Sprintf("function %s%s;", spaced(rangeOf(r.Type.Total())), g.name)}
	for _, n := range g.inputs {
		t := g.puts[n]
		text = append(text, fmt.Sprintf("  input %s%s;", spaced(rangeOf(t.width)), t.name))
	}
	open := g.open()
	text = append(text, g.decls...)
	body := g.head
	if i := g.index(); g.lanes > 1 {
		text = append(text, "  integer "+i+";")
		body = append(body, fmt.Sprintf("for (%s = 0; %s < %d; %s = %s + 1) begin", i, i, g.lanes, i, i))
		for _, l := range g.body {
			body = append(body, "  "+l)
		}
		body = append(body, "end")
	}
	text = append(text, "  begin")
	for _, l := range append(body, open...) {
		text = append(text, "    "+l)
	}
	return append(text, "  end", "endfunction")
}

// open collects the bits that nothing reads in a name that linters know by its beginning.
func (g *gate) open() []string {
	var parts []expr
	for _, t := range g.all {
		parts = append(parts, t.open()...)
	}
	if len(parts) == 0 {
		return nil
	}
	t := g.local("unused", 1)
	return []string{fmt.Sprintf("%s = %s;", t.name, show(unary{"^", cat{parts}}))}
}

// call is the function with its inputs.
func (g *gate) call() expr {
	var args []expr
	for _, n := range g.inputs {
		args = append(args, g.b.packedView(n).all())
	}
	return call{g.name, args}
}

// net is a name inside the function. Its beginning keeps it from hiding a name of the module or of
// one above, which linters dislike.
func (g *gate) net(want string, w int) *net {
	t := &net{name: g.b.names.pick("fn_" + want), width: w, used: make([]uint64, (w+63)/64)}
	g.all = append(g.all, t)
	return t
}

// local is a new name.
func (g *gate) local(want string, w int) *net {
	t := g.net(want, w)
	g.decls = append(g.decls, fmt.Sprintf("  reg %s%s;", spaced(rangeOf(w)), t.name))
	return t
}

// set says what a name of its own is, in the loop or before it, and gives the name.
func (g *gate) set(l lane, x expr) expr {
	t := g.local(g.b.nameFor(l.n), l.n.Type.W)
	g.add(l.base, fmt.Sprintf("%s = %s;", t.name, g.read(x)))
	return all(t)
}

// read is the text of an expression; what it reads is used.
func (g *gate) read(x expr) string {
	markExpr(x)
	return show(x)
}

// index is the loop variable.
func (g *gate) index() string { return g.b.localName("g") }

// from is where a lane begins that is lo elements of w bits beyond the first, as text.
func (g *gate) from(w int, l lane) string {
	lo := strconv.Itoa(w * max(l.base, 0))
	switch {
	case g.lanes == 1:
		return lo
	case lo == "0":
		return scaled(w, g.index())
	}
	return scaled(w, g.index()) + " + " + lo
}

func (g *gate) add(base int, line string) {
	if base < 0 || g.lanes == 1 {
		g.head = append(g.head, line)
	} else {
		g.body = append(g.body, line)
	}
}

// at is element i + base of n, or n when it is a scalar, as an expression of which bits can be taken.
func (g *gate) at(n *ir.Node, base int) expr {
	l := lane{n, base}
	if n.Type.N == 1 {
		l.base = -1
	}
	if x, ok := g.known[l]; ok {
		return x
	}
	x := g.write(l)
	if x == nil {
		x = g.input(l)
	}
	g.known[l] = x
	return x
}

// put is an input.
func (g *gate) put(n *ir.Node) *net {
	t := g.puts[n]
	if t == nil {
		want := g.b.nameFor(n)
		if v := g.b.val(n); v.net != nil {
			want = trimQ(v.net.name)
		}
		t = g.net(want, n.Type.Total())
		g.puts[n] = t
		g.inputs = append(g.inputs, n)
	}
	return t
}

// input is a lane of an input.
func (g *gate) input(l lane) expr {
	t := g.put(l.n)
	if l.base < 0 {
		return all(t)
	}
	if w := l.n.Type.W; g.lanes == 1 {
		return bitsOf{t, l.base * w, w}
	}
	v := whole(t, g.lanes, l.n.Type.W)
	v.off = l.base * v.stride
	return g.set(l, laneOf{v, g.index()})
}

// write is what a lane is, or nil when it has to be an input.
func (g *gate) write(l lane) expr {
	n, w := l.n, l.n.Type.W
	arg := func(k int) expr { return g.at(n.Args[k], l.base) }
	switch op := n.Op.(type) {
	case ir.Const:
		return g.constant(l, op.Val)
	case ir.Splat:
		return arg(0)
	case ir.Elems:
		switch {
		case n.Type.N > 1:
			return g.at(n.Args[0], l.base+op.Lo)
		case g.lanes == 1:
			return g.at(n.Args[0], op.Lo)
		}
		return nil // one element of a vector for all lanes
	case ir.Join:
		first := 0
		for _, a := range n.Args {
			if l.base >= first && l.base+g.lanes <= first+a.Type.N {
				return g.at(a, l.base-first)
			}
			first += a.Type.N
		}
		return nil
	case ir.Slice:
		return part(arg(0), op.Lo, w)
	case ir.Extend:
		return g.set(l, extend(arg(0), n.Args[0].Type.W, w, op.Signed))
	case ir.Binary:
		if isSignedMul(n) {
			return g.set(l, binop{"*", g.factor(n.Args[0], l.base), g.factor(n.Args[1], l.base)})
		}
		return g.set(l, binop{binaryOps[op.Kind], arg(0), arg(1)})
	case ir.Not:
		return g.set(l, complement(arg(0)))
	case ir.Compare:
		return g.set(l, g.b.compare(n, op.Kind, arg))
	case ir.Mux:
		return g.set(l, cond{arg(0), arg(1), arg(2)})
	case ir.Cat:
		c := cat{}
		for k := range n.Args {
			c.parts = append(c.parts, arg(k))
		}
		return g.set(l, c)
	case ir.Shift:
		return g.shift(l, op.Kind, arg)
	case ir.MemRead:
		return g.word(l, op.Mem)
	case ir.MaskedSum:
		return g.sum(l, op.Signed)
	}
	return nil
}

// constant is a constant, the same in all elements or counting them.
func (g *gate) constant(l lane, v []uint64) expr {
	w := l.n.Type.W
	if uniform(v) {
		return lit{w, v[0]}
	}
	for i := range v {
		if v[i] != v[0]+uint64(i) {
			return nil
		}
	}
	if g.lanes == 1 {
		return lit{w, v[l.base]}
	}
	i := &net{name: g.index(), width: 32, used: []uint64{0}}
	x := expr(bitsOf{i, 0, min(w, 32)})
	if w > 32 {
		x = extend(x, 32, w, false)
	}
	return g.set(l, binop{"+", x, lit{w, v[l.base]}})
}

// factor is an operand of a signed product, as narrow as it can be.
func (g *gate) factor(n *ir.Node, base int) expr {
	e, ok := n.Op.(ir.Extend)
	switch {
	case !ok:
		return signed(g.at(n, base))
	case e.Signed:
		return signed(g.at(n.Args[0], base))
	}
	return signed(cat{[]expr{lit{1, 0}, g.at(n.Args[0], base)}})
}

// shift is a shift by a constant.
func (g *gate) shift(l lane, k ir.ShiftKind, arg func(int) expr) expr {
	c, ok := l.n.Args[1].Op.(ir.Const)
	if !ok || !uniform(c.Val) {
		return nil
	}
	w := uint64(l.n.Type.W)
	by := c.Val[0]
	switch {
	case by == 0:
		return arg(0)
	case k == ir.Sra:
		return g.set(l, binop{">>>", signed(arg(0)), plain{int(min(by, w-1))}})
	case by >= w:
		return lit{int(w), 0}
	case k == ir.Shl:
		return g.set(l, binop{"<<", arg(0), plain{int(by)}})
	}
	return g.set(l, binop{">>", arg(0), plain{int(by)}})
}

// address is where a memory read by the scalar node addr has its word: the index, and the
// condition that it is below the depth, nil when it always is.
func (g *gate) address(addr *ir.Node, mem *ir.Mem) (guard, index expr) {
	x, w, k := g.at(addr, -1), addr.Type.W, ir.ClogTwo(mem.Depth)
	switch {
	case w < k:
		return nil, extend(x, w, k, false)
	case w == k && mem.Depth == 1<<k:
		return nil, x
	}
	if c, ok := x.(lit); ok && c.v < uint64(mem.Depth) {
		return nil, lit{k, c.v}
	}
	return binop{"<", x, lit{w, uint64(mem.Depth)}}, part(x, 0, k)
}

// word is a lane of a memory's word.
func (g *gate) word(l lane, mem *ir.Mem) expr {
	depth, t := Stored(g.b.m, mem)
	if depth != mem.Depth {
		return nil
	}
	m := g.b.mems[g.b.memIndex(mem)]
	m.used = true
	guard, index := g.address(l.n.Args[0], mem)
	x := g.read(wordOf{m, index})
	if l.base >= 0 {
		x = g.elements(m, index, l, t.W)
	}
	if guard != nil {
		x = fmt.Sprintf("(%s) ? %s : %s", g.read(guard), x, show(lit{t.W, 0}))
	}
	v := g.local(g.b.nameFor(l.n), t.W)
	g.add(l.base, fmt.Sprintf("%s = %s;", v.name, x))
	return all(v)
}

// wide is the text of a word of which elements are taken, fetched once.
func (g *gate) wide(m *memory, index expr) string {
	x := g.read(wordOf{m, index})
	if _, ok := index.(lit); ok {
		return x
	}
	if g.nets[x] == nil {
		t := g.local(m.name+"_word", m.width)
		t.mark(0, t.width)
		g.add(-1, fmt.Sprintf("%s = %s;", t.name, x))
		g.nets[x] = t
	}
	return g.nets[x].name
}

// elements is the text of the w bits of a word that are lane l's.
func (g *gate) elements(m *memory, index expr, l lane, w int) string {
	x := g.wide(m, index)
	if w == m.width {
		return x
	}
	return fmt.Sprintf("%s[%s +: %d]", x, g.from(w, l), w)
}

// sum is a column sum over cells of one bit in a memory.
func (g *gate) sum(l lane, isSigned bool) expr {
	n := l.n
	read, ok := n.Args[1].Op.(ir.MemRead)
	if !ok || n.Args[1].Type.W != 1 {
		return nil
	}
	k, mem := n.Args[0].Type.N, read.Mem
	m := g.b.mems[g.b.memIndex(mem)]
	m.used = true
	mask := g.read(g.packed(n.Args[0]))
	guard, index := g.address(n.Args[1].Args[0], mem)
	if guard != nil {
		mask = fmt.Sprintf("((%s) ? %s : %s)", g.read(guard), mask, show(lit{k, 0}))
	}
	column := ""
	if depth, _ := Stored(g.b.m, mem); depth == mem.Depth { // a word has all columns
		column = g.elements(m, index, l, k)
	} else {
		column = fmt.Sprintf("%s[%s + %s]", m.name, g.first(index, mem, k), g.from(1, l))
	}
	now, acc := g.shared("column", k), g.shared("acc", max(n.Type.W, countBits))
	g.add(l.base, fmt.Sprintf("%s = %s & %s;", now.name, mask, column))
	for _, line := range g.b.locals(g.b.counted(now.name, k, n.Type.W, isSigned)) {
		g.add(l.base, strings.ReplaceAll(line, g.b.localName("acc"), acc.name))
	}
	return g.set(l, bitsOf{acc, 0, n.Type.W})
}

// first is the name of the number of the first column of a word.
func (g *gate) first(index expr, mem *ir.Mem, k int) string {
	t := g.nets["first "+mem.Name+show(index)]
	if t == nil {
		t = g.local(mem.Name+"_first", 32)
		g.nets["first "+mem.Name+show(index)] = t
		g.add(-1, fmt.Sprintf("%s = %s;", t.name, g.read(binop{"*", lit{32, uint64(mem.Type.N / k)}, extend(index, ir.ClogTwo(mem.Depth), 32, false)})))
		t.mark(0, 32)
	}
	return t.name
}

// shared is a name that several steps of the loop use.
func (g *gate) shared(want string, w int) *net {
	key := fmt.Sprint(want, w)
	if g.nets[key] == nil {
		g.nets[key] = g.local(want, w)
		g.nets[key].mark(0, w)
	}
	return g.nets[key]
}

// packed is all of a vector of single bits, as an expression of which bits can be taken.
func (g *gate) packed(n *ir.Node) expr {
	if n.Type.N == 1 {
		return g.at(n, -1)
	}
	if x, ok := g.wholes[n]; ok {
		return x
	}
	x := g.bits(n)
	switch x.(type) {
	case nil:
		x = all(g.put(n))
	case bitsOf:
	default:
		t := g.local(g.b.nameFor(n), n.Type.Total())
		g.add(-1, fmt.Sprintf("%s = %s;", t.name, g.read(x)))
		x = all(t)
	}
	g.wholes[n] = x
	return x
}

func (g *gate) bits(n *ir.Node) expr {
	if n.Type.W != 1 {
		return nil
	}
	arg := func(k int) expr { return g.packed(n.Args[k]) }
	switch op := n.Op.(type) {
	case ir.Splat:
		return rep{n.Type.N, arg(0)}
	case ir.Binary:
		if op.Kind >= ir.And {
			return binop{binaryOps[op.Kind], arg(0), arg(1)}
		}
	case ir.Not:
		return complement(arg(0))
	case ir.Elems:
		return part(arg(0), op.Lo, n.Type.N)
	case ir.Join:
		c := cat{}
		for k := len(n.Args) - 1; k >= 0; k-- {
			c.parts = append(c.parts, arg(k))
		}
		return c
	case ir.Const:
		if n.Type.N <= ir.MaxWidth {
			return constant(n.Type, op.Val)
		}
	}
	return nil
}
