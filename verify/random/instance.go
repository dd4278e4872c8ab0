package random

import "ohmloom/ir"

// wiring is the state of one instance while its inputs are connected.
type wiring struct {
	*child
	in    *ir.Inst
	chain map[*ir.Port]*ir.Port // input -> the output it is chained from
}

// instance places the child, plain or as a grid, and makes its outputs operands. Inputs that
// no output depends on within the cycle may be connected at the end, to anything.
func (g *gen) instance(c *child) {
	var in *ir.Inst
	if g.chance(25) || 2*c.lanes > g.o.Lanes {
		if c.lanes > g.o.Lanes {
			return
		}
		in = g.m.Instance(g.id("u"), c.mod)
	} else {
		in = g.m.Array(g.id("g"), c.mod, 1+g.r.IntN(4), 1+g.r.IntN(4))
		if g.chance(40) {
			in.Cols = in.Rows
		}
		for in.Count()*c.lanes > g.o.Lanes {
			if in.Rows > in.Cols {
				in.Rows--
			} else {
				in.Cols--
			}
		}
	}
	g.lanes = max(g.lanes, in.Count()*c.lanes)
	w := &wiring{c, in, map[*ir.Port]*ir.Port{}}
	var behind []*ir.Port
	for _, p := range c.mod.Inputs() {
		if !w.feeds(p) && g.chance(60) {
			g.late = append(g.late, func() { g.connect(w, p) })
			continue
		}
		g.connect(w, p)
		behind = append(behind, p)
	}
	for _, p := range c.mod.Outputs() {
		for i := 1 + g.r.IntN(2); i > 0; i-- {
			side := ir.All
			if in.Grid {
				side = ir.Side(g.r.IntN(5))
			}
			n := g.m.Edge(in, p.Name, side)
			if _, old := g.sees[n]; old {
				continue
			}
			g.sees[n] = g.through(w, p, behind)
			g.put(n)
		}
	}
}

// feeds reports whether an output of the child depends on p within the cycle.
func (w *wiring) feeds(p *ir.Port) bool {
	for _, q := range w.mod.Outputs() {
		if w.deps[q][p] {
			return true
		}
	}
	return false
}

// through is the set of the module's inputs that output p of an instance depends on.
func (g *gen) through(w *wiring, p *ir.Port, connected []*ir.Port) ports {
	s := ports{}
	reach := w.reach(p)
	for _, q := range connected {
		if !reach[q] {
			continue
		}
		for _, cn := range w.in.Conns {
			if cn.Port == q {
				for x := range g.look(cn.Src) {
					s[x] = true
				}
			}
		}
	}
	return s
}

// reach is the set of inputs of the instance that output q depends on, chains included.
func (w *wiring) reach(q *ir.Port) ports {
	seen := ports{}
	var visit func(q *ir.Port)
	visit = func(q *ir.Port) {
		for _, p := range w.mod.Inputs() {
			if w.deps[q][p] && !seen[p] {
				seen[p] = true
				if from := w.chain[p]; from != nil {
					visit(from)
				}
			}
		}
	}
	visit(q)
	return seen
}

// connect wires input p of the instance by a random rule.
func (g *gen) connect(w *wiring, p *ir.Port) {
	in, kind := w.in, ir.Broadcast
	if in.Grid {
		kind = ir.ConnKind(g.r.IntN(5))
		if g.chance(40) {
			kind = ir.Chain
		}
	}
	src := func(groups int) *ir.Node { return g.as(g.take(), ir.Vec(p.Type.N*groups, p.Type.W)) }
	switch kind {
	case ir.PerRow:
		in.PerRow(p.Name, src(in.Rows))
		return
	case ir.PerCol:
		in.PerCol(p.Name, src(in.Cols))
		return
	case ir.PerInst:
		in.Each(p.Name, src(in.Count()))
		return
	case ir.Chain:
		if from := g.upstream(w, p); from != nil {
			w.chain[p] = from
			side := ir.West + ir.Side(g.r.IntN(4))
			groups := in.Rows
			if side == ir.North || side == ir.South {
				groups = in.Cols
			}
			in.Chain(p.Name, from.Name, side, src(groups))
			return
		}
	}
	in.In(p.Name, src(1))
}

// upstream is an output that p may be chained from without a loop, or nil.
func (g *gen) upstream(w *wiring, p *ir.Port) *ir.Port {
	var fit []*ir.Port
	for _, q := range w.mod.Outputs() {
		if q.Type == p.Type && !w.reach(q)[p] {
			fit = append(fit, q)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[g.r.IntN(len(fit))]
}
