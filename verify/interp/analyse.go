package interp

import (
	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// Fused operations, which replace flat's in place.
type (
	// mulExt is the product of two extended operands whose own width fills an element size
	// of at most half the result's.
	mulExt struct{ signed bool }
	// mac is Args[0] + mulExt of Args[1] and Args[2].
	mac struct{ signed bool }
	// memSum is a MaskedSum over the word of memory v.Mem at address Args[1].
	memSum struct{ signed bool }
	// gather is a chain of operations that only move words, taken as one.
	gather struct{ from []origin }
)

// facts is what is known of a program's values before code is made, by Value.ID.
type facts struct {
	prog   *flat.Program
	same   []bool // all lanes and elements are equal: one word stands for the value
	fixed  []bool // computed once, from constants alone
	uses   []int
	alias  []*flat.Value // not nil: the value's data is that value's data
	region []*region     // nil: nobody needs the value
	sunk   []bool        // computed at the clock edge, straight into the register
	home   []*flat.Value // not nil: the mux whose vector the value is computed into
	root   *region
	kids   map[regionKey]*region
}

// region is code that runs only when a selector has the wanted value.
type region struct {
	up    *region
	sel   *flat.Value
	want  bool
	depth int
}

type regionKey struct {
	up   *region
	sel  *flat.Value
	want bool
}

func analyse(p *flat.Program) *facts {
	n := len(p.Values)
	f := &facts{prog: p, same: make([]bool, n), fixed: make([]bool, n), uses: make([]int, n),
		alias: make([]*flat.Value, n), region: make([]*region, n), sunk: make([]bool, n),
		home: make([]*flat.Value, n), root: &region{}, kids: map[regionKey]*region{}}
	f.findSame()
	f.fuse()
	for _, v := range p.Values {
		f.compose(v)
	}
	for _, v := range p.Values {
		f.fixed[v.ID] = f.isFixed(v)
		if f.isAlias(v) {
			f.alias[v.ID] = v.Args[0]
		}
	}
	f.findRegions()
	for _, v := range p.Values {
		if f.region[v.ID] != nil {
			for _, a := range v.Args {
				f.uses[a.ID]++
			}
		}
	}
	f.countRoots()
	for _, r := range p.Regs {
		if f.live(r.Q) && !f.same[r.Q.ID] && (r.En == nil || f.same[r.En.ID]) {
			f.sink(r.Next)
		}
	}
	for i := n - 1; i >= 0; i-- {
		f.share(p.Values[i])
	}
	return f
}

func (f *facts) live(v *flat.Value) bool { return f.region[v.ID] != nil }

// findSame starts from the belief that everything is the same in all lanes and takes it back
// until nothing changes, so that registers under common control stay one word.
func (f *facts) findSame() {
	next := map[*flat.Value]*flat.Reg{}
	for _, r := range f.prog.Regs {
		next[r.Q] = r
	}
	for i := range f.same {
		f.same[i] = true
	}
	for changed := true; changed; {
		changed = false
		for _, v := range f.prog.Values {
			if f.same[v.ID] && v.Len() > 1 && !f.staysSame(v, next[v]) {
				f.same[v.ID], changed = false, true
			}
		}
	}
}

func (f *facts) staysSame(v *flat.Value, r *flat.Reg) bool {
	switch op := v.Op.(type) {
	case ir.Const:
		for _, x := range op.Val {
			if x != op.Val[0] {
				return false
			}
		}
		return true
	case ir.RegOut: // elements start from different words, lanes do not
		return v.Type.N == 1 && f.same[r.Next.ID] && (r.En == nil || f.same[r.En.ID])
	case ir.Binary, ir.Not, ir.Shift, ir.Compare, ir.Mux, ir.Extend, ir.Slice, ir.Cat, ir.Splat, ir.Elems, flat.Leave:
	case flat.Enter:
		if op.Kind == ir.Chain {
			return false
		}
	default:
		return false
	}
	for _, a := range v.Args {
		if !f.same[a.ID] {
			return false
		}
	}
	return true
}

// fuse finds products of extended operands, their accumulation, and sums over memory words.
func (f *facts) fuse() {
	uses := make([]int, len(f.prog.Values))
	for _, v := range f.prog.Values {
		for _, a := range v.Args {
			uses[a.ID]++
		}
	}
	for _, r := range f.prog.Regs {
		uses[r.Next.ID]++
	}
	for _, o := range f.prog.Outs {
		uses[o.ID]++
	}
	for _, v := range f.prog.Values {
		if f.same[v.ID] && v.Len() > 1 {
			continue
		}
		switch op := v.Op.(type) {
		case ir.Binary:
			switch {
			case v.Len() == 1:
			case op.Kind == ir.Mul:
				fuseProduct(v)
			case op.Kind == ir.Add:
				for i, p := range v.Args {
					if m, ok := p.Op.(mulExt); ok && uses[p.ID] == 1 {
						v.Op, v.Args = mac{m.signed}, []*flat.Value{v.Args[1-i], p.Args[0], p.Args[1]}
						break
					}
				}
			}
		case ir.Extend:
			// A product that was exact before it was extended is the product in the wider type.
			if p, ok := v.Args[0].Op.(mulExt); ok && p.signed == op.Signed && fills(v.Type.W) {
				v.Op, v.Args = p, v.Args[0].Args
			}
		case ir.MaskedSum:
			if c := v.Args[1]; c.Mem != nil && c.Len() > 1 {
				if _, ok := c.Op.(ir.MemRead); ok {
					v.Op, v.Mem, v.Args = memSum{op.Signed}, c.Mem, []*flat.Value{v.Args[0], c.Args[0]}
				}
			}
		}
	}
}

// compose lets a move read where the moves before it read, so that slices that are joined
// again cost one move. The chains of Arrays stay as they are: they can work in place.
func (f *facts) compose(v *flat.Value) {
	through := func(a *flat.Value) []origin {
		if f.same[a.ID] || isChain(a) {
			return nil
		}
		return origins(a)
	}
	from := origins(v)
	if from == nil || isChain(v) || f.same[v.ID] && v.Len() > 1 {
		return
	}
	inner, found := make([][]origin, len(v.Args)), false
	for i, a := range v.Args {
		inner[i] = through(a)
		found = found || inner[i] != nil
	}
	if !found {
		return
	}
	var args []*flat.Value
	index := map[*flat.Value]int{}
	for i, o := range from {
		a, idx := v.Args[o.arg], o.idx
		if in := inner[o.arg]; in != nil {
			a, idx = a.Args[in[idx].arg], in[idx].idx
		}
		if _, ok := index[a]; !ok {
			index[a] = len(args)
			args = append(args, a)
		}
		from[i] = origin{index[a], idx}
	}
	v.Op, v.Args = gather{from}, args
}

func fills(w int) bool { return w == 8 || w == 16 || w == 32 || w == 64 }

func fuseProduct(v *flat.Value) {
	a, aok := v.Args[0].Op.(ir.Extend)
	b, bok := v.Args[1].Op.(ir.Extend)
	if !aok || !bok || a.Signed != b.Signed {
		return
	}
	x, y := v.Args[0].Args[0], v.Args[1].Args[0]
	if x.Type.W == y.Type.W && fills(x.Type.W) && fills(v.Type.W) { // and so at least twice as wide
		v.Op, v.Args = mulExt{a.Signed}, []*flat.Value{x, y}
	}
}

func (f *facts) isFixed(v *flat.Value) bool {
	switch v.Op.(type) {
	case ir.Const:
		return true
	case ir.Input, ir.RegOut, ir.MemOut, ir.MemRead, memSum:
		return false
	}
	for _, a := range v.Args {
		if !f.fixed[a.ID] {
			return false
		}
	}
	return true
}

// isAlias holds for operations that leave the data as it is.
func (f *facts) isAlias(v *flat.Value) bool {
	if len(v.Args) == 0 || f.same[v.ID] != f.same[v.Args[0].ID] {
		return false
	}
	if e, ok := v.Op.(ir.Extend); ok {
		return !e.Signed && (f.same[v.ID] || setFor(v.Type.W) == setFor(v.Args[0].Type.W))
	}
	from := origins(v)
	if from == nil || f.same[v.ID] {
		return from != nil
	}
	for i, o := range from {
		if o != (origin{0, i}) {
			return false
		}
	}
	return v.Len() == v.Args[0].Len()
}

// data follows aliases to the value that has the data.
func (f *facts) data(v *flat.Value) *flat.Value {
	for f.alias[v.ID] != nil {
		v = f.alias[v.ID]
	}
	return v
}

// state is the register or memory port whose vector v is, or nil.
func (f *facts) state(v *flat.Value) *flat.Value {
	v = f.data(v)
	switch v.Op.(type) {
	case ir.RegOut, ir.MemOut:
		return v
	}
	return nil
}

// branches says whether the mux v is a branch: one selector for a whole vector.
func (f *facts) branches(v *flat.Value) bool {
	_, mux := v.Op.(ir.Mux)
	return mux && f.same[v.Args[0].ID] && !f.same[v.ID]
}

// findRegions puts each value into the smallest region that holds all its users.
func (f *facts) findRegions() {
	for _, o := range f.prog.Outs {
		f.need(o, f.root)
	}
	for _, r := range f.prog.Regs {
		g := f.root
		if r.En != nil {
			f.need(r.En, f.root)
			if f.same[r.En.ID] && !f.same[r.Q.ID] {
				g = f.kid(f.root, r.En, true)
			}
		}
		f.need(r.Next, g)
		f.need(r.Q, f.root)
	}
	for _, m := range f.prog.Mems {
		for _, v := range []*flat.Value{m.Q, m.RAddr, m.REn, m.WAddr, m.WData, m.WEn} {
			if v != nil {
				f.need(v, f.root)
			}
		}
	}
	for i := len(f.prog.Values) - 1; i >= 0; i-- {
		v := f.prog.Values[i]
		g := f.region[i]
		if g == nil {
			continue
		}
		if f.branches(v) {
			f.need(v.Args[0], g)
			f.need(v.Args[1], f.kid(g, v.Args[0], true))
			f.need(v.Args[2], f.kid(g, v.Args[0], false))
			continue
		}
		for _, a := range v.Args {
			f.need(a, g)
		}
	}
}

// kid is the region below up for a selector; inside a region of the same selector it is up.
func (f *facts) kid(up *region, sel *flat.Value, want bool) *region {
	sel = f.data(sel)
	for r := up; r != f.root; r = r.up {
		if r.sel == sel && r.want == want {
			return up
		}
	}
	k := regionKey{up, sel, want}
	if f.kids[k] == nil {
		f.kids[k] = &region{up: up, sel: sel, want: want, depth: up.depth + 1}
	}
	return f.kids[k]
}

// need tells that v has a user in region g.
func (f *facts) need(v *flat.Value, g *region) {
	r := f.region[v.ID]
	if r == nil {
		f.region[v.ID] = g
		return
	}
	for r != g {
		if r.depth >= g.depth {
			r = r.up
		} else {
			g = g.up
		}
	}
	f.region[v.ID] = r
}

func (f *facts) countRoots() {
	for _, o := range f.prog.Outs {
		f.uses[o.ID]++
	}
	for _, r := range f.prog.Regs {
		f.uses[r.Next.ID]++
		f.uses[r.Q.ID]++
		if r.En != nil {
			f.uses[r.En.ID]++
		}
	}
	for _, m := range f.prog.Mems {
		for _, v := range []*flat.Value{m.Q, m.RAddr, m.REn, m.WAddr, m.WData, m.WEn} {
			if v != nil {
				f.uses[v.ID]++
			}
		}
	}
}

// sink moves v, which only one register takes, to the clock edge if it can be computed in place.
func (f *facts) sink(v *flat.Value) {
	if f.uses[v.ID] != 1 || f.same[v.ID] || f.fixed[v.ID] || f.alias[v.ID] != nil {
		return
	}
	switch op := v.Op.(type) {
	case ir.Binary, ir.Not, mulExt, mac:
		f.sunk[v.ID] = true
	case ir.Mux:
		f.sunk[v.ID] = true
		if f.branches(v) {
			f.sink(v.Args[1])
			f.sink(v.Args[2])
		}
	case flat.Enter:
		f.sunk[v.ID] = op.Kind == ir.Chain
	}
}

// share lets the branches of a mux compute straight into the mux's vector.
func (f *facts) share(v *flat.Value) {
	if !f.live(v) || !f.branches(v) || f.sunk[v.ID] || f.fixed[v.ID] {
		return
	}
	home := v
	if f.home[v.ID] != nil {
		home = f.home[v.ID]
	}
	for _, a := range v.Args[1:] {
		switch a.Op.(type) {
		case ir.RegOut, ir.MemOut, ir.Input, ir.Const:
			continue
		}
		if f.uses[a.ID] == 1 && !f.same[a.ID] && !f.fixed[a.ID] && f.alias[a.ID] == nil {
			f.home[a.ID] = home
		}
	}
}
