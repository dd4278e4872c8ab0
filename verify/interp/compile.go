package interp

import (
	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
)

// loc is where a value's data stands: a word when all its elements are the same, a vector else.
type loc struct {
	slot int32
	vec  vec
}

// compiler turns a program into code.
type compiler struct {
	*facts
	words   []uint64 // grows up to its capacity, so that kernels may point into it
	locs    []loc
	done    []bool
	setup   []instr // run once: what depends on constants alone
	comb    []instr // from inputs and state to outputs and what the edge needs
	edge    []instr // from that to the next state
	code    *[]instr
	open    []openRegion
	settled map[int32]int32
	mems    map[*flat.Mem]vec
	packed  []*packedMem
	copies  map[*flat.Value]vec // by value: what copyOf made
	rst     int32
	// settling: vectors that state stands in are read from copies made before the edge.
	settling bool
}

type openRegion struct {
	r    *region
	jump int // index of the jump that skips it
}

// packedMem holds the one-bit cells of a memory in machine words, by groups of k.
type packedMem struct {
	mem   *flat.Mem
	k     int
	words []uint64
}

// pack packs n cells anew, from position from of the memory on.
func (p *packedMem) pack(ones []uint8, from, n int) {
	kw := packedWords(p.k)
	packBits(p.words[from/p.k*kw:(from+n)/p.k*kw], ones[from:from+n], p.k)
}

func compile(p *flat.Program) *compiler {
	c := &compiler{facts: analyse(p), words: make([]uint64, 0, 3*len(p.Values)+16), locs: make([]loc, len(p.Values)),
		done: make([]bool, len(p.Values)), settled: map[int32]int32{},
		mems: map[*flat.Mem]vec{}, copies: map[*flat.Value]vec{}}
	c.rst = c.newSlot()
	for _, m := range p.Mems {
		c.mems[m] = setFor(m.Type.W).alloc(m.Lanes * m.Depth * m.Type.N)
	}
	for _, v := range p.Values {
		if c.live(v) {
			c.place(v)
		}
	}
	c.code = &c.setup
	for _, v := range p.Values {
		if c.live(v) && c.fixed[v.ID] {
			c.emit(v)
		}
	}
	c.code = &c.comb
	for _, v := range p.Values {
		if c.live(v) {
			c.visit(v)
		}
	}
	c.enter(c.root)
	c.code = &c.edge
	c.emitEdge()
	return c
}

func (c *compiler) newSlot() int32 {
	c.words = append(c.words, 0)
	if len(c.words) == cap(c.words) {
		panic("interp: more words than values")
	}
	return int32(len(c.words) - 1)
}

// place gives v its data.
func (c *compiler) place(v *flat.Value) {
	l := &c.locs[v.ID]
	switch set := setFor(v.Type.W); {
	case c.alias[v.ID] != nil:
		*l = c.locs[v.Args[0].ID]
	case c.same[v.ID]:
		l.slot = c.newSlot()
		if k, ok := v.Op.(ir.Const); ok {
			c.words[l.slot] = k.Val[0] & bits.Mask(v.Type.W)
		}
	case c.sunk[v.ID]: // computed in the register's vector
	case c.home[v.ID] != nil: // placed with its mux, which comes later
	default:
		l.vec = set.alloc(v.Len())
		if k, ok := v.Op.(ir.Const); ok {
			for i := range v.Len() {
				set.put(l.vec, i, k.Val[i%v.Type.N]&bits.Mask(v.Type.W))
			}
		}
	}
}

// vector is v's vector as it was placed.
func (c *compiler) vector(v *flat.Value) vec {
	v = c.data(v)
	if h := c.home[v.ID]; h != nil {
		v = h
	}
	if c.settling && c.state(v) != nil {
		return c.copyOf(v)
	}
	return c.locs[v.ID].vec
}

func (c *compiler) add(in instr) int {
	*c.code = append(*c.code, in)
	return len(*c.code) - 1
}

func (c *compiler) run(k kernel) { c.add(instr{op: opRun, run: k}) }

// visit emits v after everything it needs, the selectors of its region included.
func (c *compiler) visit(v *flat.Value) {
	if c.done[v.ID] || c.fixed[v.ID] {
		return
	}
	c.done[v.ID] = true
	for r := c.region[v.ID]; r != c.root; r = r.up {
		c.visit(r.sel)
	}
	for _, a := range v.Args {
		c.visit(a)
	}
	if c.alias[v.ID] == nil && !c.sunk[v.ID] {
		c.enter(c.region[v.ID])
		c.emit(v)
	}
}

// enter closes and opens regions until code goes into r.
func (c *compiler) enter(r *region) {
	for len(c.open) > 0 {
		top := c.open[len(c.open)-1]
		if inside(r, top.r) {
			break
		}
		(*c.code)[top.jump].d = int32(len(*c.code))
		c.open = c.open[:len(c.open)-1]
	}
	at := c.root
	if len(c.open) > 0 {
		at = c.open[len(c.open)-1].r
	}
	var path []*region
	for ; r != at; r = r.up {
		path = append(path, r)
	}
	for i := len(path) - 1; i >= 0; i-- {
		r := path[i]
		c.open = append(c.open, openRegion{r, c.skipUnless(r.sel, r.want)})
	}
}

func inside(r, outer *region) bool {
	for r != nil && r != outer {
		r = r.up
	}
	return r != nil
}

// skipUnless emits the jump over code that needs sel to be want; its target is set later.
func (c *compiler) skipUnless(sel *flat.Value, want bool) int {
	op := opJumpOne
	if want {
		op = opJumpZero
	}
	return c.add(instr{op: op, a: c.slot(sel)})
}

func (c *compiler) land(jump int) { (*c.code)[jump].d = int32(len(*c.code)) }

// slot is the word of v, which is the same in all lanes. At the edge it is a copy that no
// register update changes.
func (c *compiler) slot(v *flat.Value) int32 {
	v = c.data(v)
	s := c.locs[v.ID].slot
	if c.code != &c.edge {
		return s
	}
	switch v.Op.(type) {
	case ir.RegOut, ir.MemOut:
		if _, ok := c.settled[s]; !ok {
			c.settled[s] = c.newSlot()
			c.comb = append(c.comb, instr{op: opMove, d: c.settled[s], a: s})
		}
		return c.settled[s]
	}
	return s
}

// operand is the vector of v; a value that is one word is spread first.
func (c *compiler) operand(v *flat.Value) vec {
	if !c.same[v.ID] {
		return c.vector(v)
	}
	set := setFor(v.Type.W)
	d := set.alloc(v.Len())
	fill := set.fill(d, &c.words[c.slot(v)])
	if c.fixed[v.ID] {
		c.setup = append(c.setup, instr{op: opRun, run: fill})
	} else {
		c.run(fill)
	}
	return d
}

// reader gives element i of v's data, whatever it stands in.
func (c *compiler) reader(v *flat.Value) func(i int) uint64 {
	if c.same[v.ID] {
		x := &c.words[c.slot(v)]
		return func(int) uint64 { return *x }
	}
	return setFor(c.data(v).Type.W).reader(c.vector(v))
}
