package conform

import (
	"fmt"
	"strconv"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
)

// Reference walks the hierarchy of a design instance by instance and computes every node
// when somebody asks for it. It shares nothing with the engines but package ir/bits, and it
// is slow: it exists to be compared with.
type Reference struct {
	top   *place
	shape verify.Shape
	cycle int // stamps what was computed in this cycle
	rst   bool
}

var _ verify.Engine = (*Reference)(nil)

// place is one instance of a module: the top, a plain instance or one cell of an Array.
type place struct {
	ref    *Reference
	mod    *ir.Module
	path   string
	parent *place
	inst   *ir.Inst
	r, c   int
	kids   map[*ir.Inst][]*place
	regs   map[*ir.Reg][]uint64
	mems   map[*ir.Mem][]uint64
	reads  map[*ir.Mem][]uint64 // what the synchronous read ports hold
	memo   [][]uint64           // by Node.ID
	stamp  []int
}

// NewReference is the reference engine for d.
func NewReference(d *ir.Design) (*Reference, error) {
	ref := &Reference{shape: verify.ShapeOf(d.Top)}
	ref.top = ref.place(nil, nil, 0, 0, d.Top)
	return ref, nil
}

func (ref *Reference) place(parent *place, inst *ir.Inst, r, c int, m *ir.Module) *place {
	p := &place{ref: ref, mod: m, path: m.Name, parent: parent, inst: inst, r: r, c: c,
		kids: map[*ir.Inst][]*place{}, regs: map[*ir.Reg][]uint64{},
		mems: map[*ir.Mem][]uint64{}, reads: map[*ir.Mem][]uint64{},
		memo: make([][]uint64, len(m.Nodes)), stamp: make([]int, len(m.Nodes))}
	if parent != nil {
		p.path = parent.path + "." + inst.InstPath(r, c)
	}
	for _, in := range m.Insts {
		for i := range in.Count() {
			p.kids[in] = append(p.kids[in], ref.place(p, in, i/in.Cols, i%in.Cols, in.Of))
		}
	}
	return p
}

// Name is "reference".
func (ref *Reference) Name() string { return "reference" }

// Close does nothing.
func (ref *Reference) Close() error { return nil }

// Power is described at verify.Engine.
func (ref *Reference) Power(seed uint64, img *ir.Image) error {
	ref.cycle++
	if err := img.Check(); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return ref.top.power(seed, img)
}

func (p *place) power(seed uint64, img *ir.Image) error {
	seeded := func(name string, n int, t ir.Type) []uint64 {
		x := make([]uint64, n*t.N)
		for i := range x {
			x[i] = ir.InitWord(seed, p.mod.Name, name, i, t.W)
		}
		return x
	}
	for _, r := range p.mod.Regs {
		p.regs[r] = seeded(r.Name, 1, r.Type)
	}
	for _, m := range p.mod.Mems {
		p.mems[m] = seeded(m.Name, m.Depth, m.Type)
		p.reads[m] = seeded(m.Name+".q", 1, m.Type)
		data := m.Init
		if data == nil && m.Loaded && img != nil {
			data = img.Data[p.path+"."+m.Name]
		}
		if data != nil {
			if err := m.Admit(p.path+"."+m.Name, data); err != nil {
				return fmt.Errorf("reference: %w", err)
			}
		}
		for i := range data {
			p.mems[m][i] = data[i] & bits.Mask(m.Type.W)
		}
	}
	for _, in := range p.mod.Insts {
		for _, kid := range p.kids[in] {
			if err := kid.power(seed, img); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run is described at verify.Engine.
func (ref *Reference) Run(in, out []uint64, n int) error {
	for range n {
		ref.cycle++
		ref.rst = in[0]&1 == 1
		in = in[1:]
		for _, port := range ref.shape.In {
			x := make([]uint64, port.Type.N)
			for i := range x {
				x[i] = in[i] & bits.Mask(port.Type.W)
			}
			ref.top.memo[port.Node.ID], ref.top.stamp[port.Node.ID] = x, ref.cycle
			in = in[port.Type.N:]
		}
		for _, port := range ref.shape.Out {
			out = out[copy(out, ref.top.eval(port.Node)):]
		}
		var commits []func()
		ref.top.edge(&commits)
		for _, c := range commits {
			c()
		}
	}
	return nil
}

// edge collects what the clock edge stores; all of it is computed before any is stored.
func (p *place) edge(commits *[]func()) {
	for _, r := range p.mod.Regs {
		next := p.regs[r]
		if r.En == nil || p.eval(r.En)[0] == 1 {
			next = p.eval(r.Next)
		}
		if p.ref.rst && r.Reset != nil {
			next = make([]uint64, r.Type.N)
			for i := range next {
				next[i] = r.Reset[i] & bits.Mask(r.Type.W)
			}
		}
		*commits = append(*commits, func() { p.regs[r] = next })
	}
	for _, m := range p.mod.Mems {
		if m.Q != nil && (m.REn == nil || p.eval(m.REn)[0] == 1) {
			word := p.word(m, p.eval(m.RAddr)[0])
			*commits = append(*commits, func() { p.reads[m] = word })
		}
		if m.WEn != nil && p.eval(m.WEn)[0] == 1 {
			addr, data := p.eval(m.WAddr)[0], p.eval(m.WData)
			if addr < uint64(m.Depth) {
				*commits = append(*commits, func() { copy(p.mems[m][int(addr)*m.Type.N:], data) })
			}
		}
	}
	for _, in := range p.mod.Insts {
		for _, kid := range p.kids[in] {
			kid.edge(commits)
		}
	}
}

// word is a copy of the word at addr.
func (p *place) word(m *ir.Mem, addr uint64) []uint64 {
	x := make([]uint64, m.Type.N)
	if addr < uint64(m.Depth) {
		copy(x, p.mems[m][int(addr)*m.Type.N:])
	}
	return x
}

func (p *place) eval(n *ir.Node) []uint64 {
	if p.stamp[n.ID] == p.ref.cycle {
		return p.memo[n.ID]
	}
	x := p.compute(n)
	if len(x) != n.Type.N {
		panic(fmt.Sprintf("conform: %T gives %d elements for %s", n.Op, len(x), n.Type))
	}
	p.memo[n.ID], p.stamp[n.ID] = x, p.ref.cycle
	return x
}

// input is what the parent's connection gives this instance.
func (p *place) input(port *ir.Port) []uint64 {
	for _, c := range p.inst.Conns {
		if c.Port != port {
			continue
		}
		group := 0
		switch c.Kind {
		case ir.PerRow:
			group = p.r
		case ir.PerCol:
			group = p.c
		case ir.PerInst:
			group = p.r*p.inst.Cols + p.c
		case ir.Chain:
			r, col := p.r, p.c
			group = r
			switch c.Side {
			case ir.West:
				col--
			case ir.East:
				col++
			case ir.North:
				r, group = r-1, p.c
			case ir.South:
				r, group = r+1, p.c
			}
			if r >= 0 && r < p.inst.Rows && col >= 0 && col < p.inst.Cols {
				return p.parent.kids[p.inst][r*p.inst.Cols+col].eval(c.From.Node)
			}
		}
		n := port.Type.N
		return p.parent.eval(c.Src)[group*n : (group+1)*n]
	}
	panic("conform: input " + port.Name + " of " + p.path + " is not connected")
}

// output joins an output port of the instances that op selects.
func (p *place) output(op ir.InstOut) []uint64 {
	var x []uint64
	for _, kid := range p.kids[op.Inst] {
		at := map[ir.Side]bool{ir.All: true, ir.West: kid.c == 0, ir.East: kid.c == op.Inst.Cols-1,
			ir.North: kid.r == 0, ir.South: kid.r == op.Inst.Rows-1}
		if at[op.Sel] {
			x = append(x, kid.eval(op.Port.Node)...)
		}
	}
	return x
}

func (p *place) compute(n *ir.Node) []uint64 {
	arg := func(i int) []uint64 { return p.eval(n.Args[i]) }
	switch op := n.Op.(type) {
	case ir.Const:
		return op.Val
	case ir.Input:
		return p.input(op.Port)
	case ir.RegOut:
		return p.regs[op.Reg]
	case ir.MemOut:
		return p.reads[op.Mem]
	case ir.MemRead:
		return p.word(op.Mem, arg(0)[0])
	case ir.InstOut:
		return p.output(op)
	case ir.Elems:
		return arg(0)[op.Lo : op.Lo+n.Type.N]
	case ir.Pick:
		if i := arg(1)[0]; i < uint64(len(arg(0))) {
			return arg(0)[i : i+1]
		}
		return []uint64{0}
	case ir.Join:
		var x []uint64
		for i := range n.Args {
			x = append(x, arg(i)...)
		}
		return x
	case ir.Cast:
		return repack(arg(0), n.Args[0].Type, n.Type)
	}
	x := make([]uint64, n.Type.N)
	for i := range x {
		x[i] = element(n, i, arg)
	}
	return x
}

// repack writes the bits out as text, lowest last, and reads them in the new grouping.
func repack(x []uint64, from, to ir.Type) []uint64 {
	var s strings.Builder
	for i := range x {
		fmt.Fprintf(&s, "%0*b", from.W, x[len(x)-1-i])
	}
	text := s.String()
	y := make([]uint64, to.N)
	for i := range y {
		end := len(text) - i*to.W
		y[i], _ = strconv.ParseUint(text[end-to.W:end], 2, 64)
	}
	return y
}

// element is element i of the elementwise and reducing operations.
func element(n *ir.Node, i int, arg func(int) []uint64) uint64 {
	w := n.Type.W
	at := func(k int) uint64 { // operands of one element serve all
		x := arg(k)
		return x[i%len(x)]
	}
	switch op := n.Op.(type) {
	case ir.Binary:
		a, b := at(0), at(1)
		return []uint64{ir.Add: bits.Add(a, b, w), ir.Sub: bits.Sub(a, b, w), ir.Mul: bits.Mul(a, b, w),
			ir.And: a & b, ir.Or: a | b, ir.Xor: a ^ b}[op.Kind]
	case ir.Not:
		return bits.Not(at(0), w)
	case ir.Shift:
		a, b := at(0), at(1)
		return []uint64{ir.Shl: bits.Shl(a, b, w), ir.Shr: bits.Shr(a, b, w), ir.Sra: bits.Sra(a, b, w)}[op.Kind]
	case ir.Compare:
		a, b, w := at(0), at(1), n.Args[0].Type.W
		return []uint64{ir.Eq: bits.Eq(a, b, w), ir.Ne: bits.Ne(a, b, w), ir.Ltu: bits.Ltu(a, b, w),
			ir.Leu: bits.Leu(a, b, w), ir.Lts: bits.Lts(a, b, w), ir.Les: bits.Les(a, b, w)}[op.Kind]
	case ir.Mux:
		if at(0) == 1 {
			return at(1)
		}
		return at(2)
	case ir.Extend:
		return bits.Extend(at(0), n.Args[0].Type.W, w, op.Signed)
	case ir.Slice:
		return bits.Slice(at(0), op.Lo, w)
	case ir.Cat:
		x := uint64(0)
		for k, a := range n.Args {
			x = x<<a.Type.W | at(k)
		}
		return x
	case ir.Splat:
		return at(0)
	case ir.Fold:
		k := len(arg(0)) / n.Type.N
		group := arg(0)[i*k : (i+1)*k]
		x := bits.Extend(group[0], n.Args[0].Type.W, w, op.Signed)
		for _, g := range group[1:] {
			g = bits.Extend(g, n.Args[0].Type.W, w, op.Signed)
			x = []uint64{ir.FoldAdd: bits.Add(x, g, w), ir.FoldAnd: x & g, ir.FoldOr: x | g, ir.FoldXor: x ^ g}[op.Kind]
		}
		return x
	case ir.MaskedSum:
		mask, k := arg(0), len(arg(0))
		x := uint64(0)
		for j, cell := range arg(1)[i*k : (i+1)*k] {
			x = bits.Add(x, mask[j]*bits.Extend(cell, n.Args[1].Type.W, w, op.Signed), w)
		}
		return x
	}
	panic(fmt.Sprintf("conform: op %T", n.Op))
}
