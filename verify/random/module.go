package random

import (
	"fmt"
	"math/rand/v2"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// child is a finished module with what its instances need to know.
type child struct {
	mod   *ir.Module
	lanes int                // instances of the fullest module below and including it
	deps  map[*ir.Port]ports // output -> inputs it depends on within the cycle
}

type ports map[*ir.Port]bool

// gen builds one module.
type gen struct {
	r     *rand.Rand
	o     Opts
	m     *ir.Module
	kids  []*child
	top   bool
	lanes int
	pool  []*ir.Node // what operands are taken from
	used  map[*ir.Node]bool
	sees  map[*ir.Node]ports // the inputs a node depends on, nil for none
	late  []func()           // connections made when all nodes are there
	name  int
}

func newGen(r *rand.Rand, o Opts, name string, kids []*child) *gen {
	m := ir.New(name, "A random module.").At(&ir.Loc{File: "random", Line: 1, Col: 1, Block: name})
	return &gen{r: r, o: o, m: m, kids: kids, lanes: 1, used: map[*ir.Node]bool{}, sees: map[*ir.Node]ports{}}
}

func (g *gen) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *gen) id(kind string) string {
	g.name++
	return fmt.Sprintf("%s%d", kind, g.name)
}

// width is 1..64, half of the time one where mistakes like to be.
func (g *gen) width() int {
	if edges := []int{1, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64}; g.chance(60) {
		return edges[g.r.IntN(len(edges))]
	}
	return 1 + g.r.IntN(64)
}

func (g *gen) typ() ir.Type {
	w := g.width()
	n := 1
	if g.chance(30) {
		n = g.elems(w)
	}
	return ir.Vec(n, w)
}

// elems is a number of elements of w bits that the options allow, at least 1.
func (g *gen) elems(w int) int { return 1 + g.r.IntN(max(1, min(g.o.Elems, g.o.Bits/w))) }

// value is a random word of w bits, often an extreme one.
func (g *gen) value(w int) uint64 {
	m := bits.Mask(w)
	switch g.r.IntN(6) {
	case 0:
		return 0
	case 1:
		return m
	case 2:
		return uint64(1) << (w - 1)
	}
	return g.r.Uint64() & m
}

func (g *gen) values(n, w int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = g.value(w)
	}
	return v
}

// put makes n an operand for what follows.
func (g *gen) put(n *ir.Node) *ir.Node {
	if g.chance(25) {
		n.Named(g.id("v"))
	}
	g.pool = append(g.pool, n)
	return n
}

// take is an operand, more likely a recent one and seldom a constant, that is used from now
// on.
func (g *gen) take() *ir.Node { return g.other(nil) }

// other is an operand that is seldom a: most operations do nothing interesting to twice the
// same.
func (g *gen) other(a *ir.Node) *ir.Node {
	var n *ir.Node
	for range 3 {
		i := g.r.IntN(len(g.pool))
		if g.chance(60) {
			i = max(i, g.r.IntN(len(g.pool)))
		}
		n = g.pool[i]
		if _, k := n.Op.(ir.Const); n != a && !(k && g.chance(80)) {
			break
		}
	}
	g.used[n] = true
	return n
}

// child builds the module with index i, to be instantiated.
func (g *gen) child(i int) *child {
	if i > 0 && g.chance(30) {
		g.m.Macro = &ir.Macro{Kind: "random", Latency: g.r.IntN(4), AreaUm2: float64(g.r.IntN(1000)),
			Attrs: []ir.Attr{{Key: "note", Value: "random contents"}}}
	}
	g.build()
	c := &child{mod: g.m, lanes: g.lanes, deps: map[*ir.Port]ports{}}
	for _, p := range g.m.Outputs() {
		c.deps[p] = g.look(p.Node)
	}
	return c
}

func (g *gen) build() {
	m := g.m
	for i := 1 + g.r.IntN(4); i > 0; i-- {
		g.put(m.In(g.id("a"), g.typ(), "a random input"))
	}
	m.Group("inputs")
	inputs := append([]*ir.Node(nil), g.pool...)
	var regs []*ir.Reg
	for i := g.r.IntN(4); i > 0; i-- {
		regs = append(regs, g.reg(g.typ()))
	}
	for i := g.r.IntN(3); i > 0; i-- {
		g.memory()
	}
	for i := 0; i < g.o.Nodes; i++ {
		m.At(&ir.Loc{File: "random", Line: 2 + i, Col: 1, Block: m.Name})
		if len(g.kids) > 0 && g.r.IntN(g.o.Nodes) < 2 {
			g.instance(g.kids[g.r.IntN(len(g.kids))])
		}
		g.put(ops[g.r.IntN(len(ops))].make(g))
	}
	if g.top && len(g.kids) > 0 {
		g.instance(g.kids[len(g.kids)-1])
	}
	g.passOn(inputs)
	for _, f := range g.late {
		f()
	}
	for _, r := range regs {
		g.set(r, g.as(g.take(), r.Type))
	}
	for i := 1 + g.r.IntN(3); i > 0; i-- {
		n := g.take()
		if i == 1 {
			n = g.pool[len(g.pool)-1]
			g.used[n] = true
		}
		m.Out(g.id("y"), n, "a random output")
	}
	m.Group("outputs")
	m.Out("digest", g.digest(), "exclusive or of many values")
}

func (g *gen) reg(t ir.Type) *ir.Reg {
	var r *ir.Reg
	if g.chance(60) {
		r = g.m.Reg(g.id("r"), t, g.values(t.N, t.W)...)
	} else {
		r = g.m.DataReg(g.id("r"), t)
	}
	g.put(r.Q)
	return r
}

func (g *gen) set(r *ir.Reg, next *ir.Node) {
	if g.chance(40) {
		r.SetEn(g.as(g.take(), ir.Bits(1)), next)
		return
	}
	r.Set(next)
}

// passOn gives some inputs a registered output of the same type, for chains to run through.
func (g *gen) passOn(inputs []*ir.Node) {
	for _, in := range inputs {
		if g.top || !g.chance(60) {
			continue
		}
		r := g.reg(in.Type)
		next := in
		if g.chance(50) {
			next = in.Add(g.as(g.take(), in.Type))
		}
		g.used[in], g.used[r.Q] = true, true
		g.set(r, next)
		g.m.Out(g.id("q"), r.Q, "an input, registered")
	}
}

// memory adds one of: a table, a loaded memory, a memory of seeded words, each with a read
// port of a random kind and, unless it is a table, perhaps a write port.
func (g *gen) memory() {
	t := g.typ()
	depth := 1 + g.r.IntN(g.o.Depth)
	name := g.id("mem")
	var mem *ir.Mem
	if g.chance(50) {
		mem = g.m.Rom(name, t, g.values(depth*t.N, t.W))
	} else {
		mem = g.m.Mem(name, depth, t)
		mem.Loaded = g.chance(50)
	}
	addr := func() *ir.Node { return g.as(g.take(), ir.Bits(ir.ClogTwo(depth)+g.r.IntN(2))) }
	write := g.chance(50)
	if write {
		g.m.Write(mem, addr(), g.as(g.take(), t), g.as(g.take(), ir.Bits(1)))
	}
	if g.chance(60) {
		g.put(g.m.Read(mem, addr(), g.as(g.take(), ir.Bits(1))))
		if write && g.m.Macro == nil {
			return
		}
	}
	if !write || g.m.Macro != nil {
		g.put(g.m.Lookup(mem, addr()))
	}
	if write && mem.Q == nil && g.m.Macro == nil {
		g.put(g.m.Read(mem, addr(), g.as(g.take(), ir.Bits(1))))
	}
}

// digest folds every node that nothing uses, and some others, into one word: values side by
// side as long as they fit, then word after word by exclusive or, turned by a bit each so that
// equal words do not cancel.
func (g *gen) digest() *ir.Node {
	var words, row []*ir.Node
	left := ir.MaxWidth
	flush := func() {
		if len(row) > 0 {
			words = append(words, row[0].Cat(row[1:]...).ZExt(ir.MaxWidth))
		}
		row, left = nil, ir.MaxWidth
	}
	add := func(n *ir.Node) {
		if n.Type.W > left {
			flush()
		}
		row = append(row, n)
		left -= n.Type.W
	}
	for _, n := range g.pool {
		if _, k := n.Op.(ir.Const); k || g.used[n] && !g.chance(40) {
			continue
		}
		t := n.Type
		for e, step := 0, ir.MaxWidth/t.W; e < t.N; e += step {
			c := min(step, t.N-e)
			add(n.Elems(e, c).Cast(ir.Bits(c * t.W)))
		}
	}
	flush()
	if len(words) == 0 {
		return g.m.K(ir.MaxWidth, 0)
	}
	d := words[0]
	for _, w := range words[1:] {
		d = d.Trunc(ir.MaxWidth - 1).Cat(d.Bit(ir.MaxWidth - 1)).Xor(w)
	}
	return d.Named("all")
}

// look is the set of inputs that n depends on within the cycle. It is called when the
// operands' sets are known or can be: operands stand before their users.
func (g *gen) look(n *ir.Node) ports {
	if s, ok := g.sees[n]; ok {
		return s
	}
	s := ports{}
	if in, ok := n.Op.(ir.Input); ok {
		s[in.Port] = true
	}
	for _, a := range n.Args {
		for p := range g.look(a) {
			s[p] = true
		}
	}
	g.sees[n] = s
	return s
}
