package ir

import (
	"fmt"
	"strings"
)

// comb is the combinational graph of one module. Its vertices are the module's nodes
// followed by the ports of its instances: an instance port reads what drives it inside or
// outside the instance. A grid counts as one instance: what one of its instances sees, all
// are taken to see, so a chain from an output that depends on the chained input is a loop.
type comb struct {
	m     *Module
	base  map[*Inst]int // vertex of the first port of an instance
	where []*Inst       // of a port vertex, from len(m.Nodes) on
	index map[*Port]int // position in its module's Ports
	conns map[int]*Conn // of the vertex of an instance's input
	reach [][]uint64    // of each vertex: set of ports of m it depends on combinationally
	deps  map[*Module]*comb
}

// loops checks I20 over all modules, children first: each is looked at once, and is known to
// its parents by which of its outputs depend on which inputs.
func (c *checker) loops(d *Design) {
	done := map[*Module]*comb{}
	for _, m := range d.Modules {
		g := newComb(m, done)
		if loop := g.solve(); loop != nil {
			c.m = m
			c.add(20, "", m.Loc, "combinational loop:\n\t%s", strings.Join(g.describe(loop), "\n\t<- "))
			return
		}
		done[m] = g
	}
}

func newComb(m *Module, deps map[*Module]*comb) *comb {
	g := &comb{m: m, deps: deps, base: map[*Inst]int{}, conns: map[int]*Conn{}, index: map[*Port]int{}}
	for i, p := range m.Ports {
		g.index[p] = i
	}
	for _, in := range m.Insts {
		g.base[in] = len(m.Nodes) + len(g.where)
		for range in.Of.Ports {
			g.where = append(g.where, in)
		}
		for _, cn := range in.Conns {
			g.conns[g.port(in, cn.Port)] = cn
		}
	}
	return g
}

// port is the vertex of a port of an instance.
func (g *comb) port(in *Inst, p *Port) int { return g.base[in] + g.deps[in.Of].index[p] }

// at is the instance and port of a vertex that is not a node.
func (g *comb) at(v int) (*Inst, *Port) {
	in := g.where[v-len(g.m.Nodes)]
	return in, in.Of.Ports[v-g.base[in]]
}

// reads lists the vertices that v depends on within the cycle.
func (g *comb) reads(v int) []int {
	var out []int
	if v < len(g.m.Nodes) {
		n := g.m.Nodes[v]
		if op, ok := n.Op.(InstOut); ok {
			return []int{g.port(op.Inst, op.Port)}
		}
		for _, a := range n.Args {
			out = append(out, a.ID)
		}
		return out
	}
	in, p := g.at(v)
	if p.Dir == In {
		cn := g.conns[v]
		out = append(out, cn.Src.ID)
		if cn.Kind == Chain {
			out = append(out, g.port(in, cn.From))
		}
		return out
	}
	child := g.deps[in.Of]
	set := child.reach[p.Node.ID]
	for i := range in.Of.Ports {
		if set[i/64]>>(i%64)&1 == 1 {
			out = append(out, g.base[in]+i)
		}
	}
	return out
}

// solve fills reach by a depth-first search with a stack of its own (modules may be very
// deep), or gives a loop as a list of vertices, each reading the next, the first once more at
// the end.
func (g *comb) solve() []int {
	total := len(g.m.Nodes) + len(g.where)
	words := (len(g.m.Ports) + 63) / 64
	flat := make([]uint64, total*words)
	g.reach = make([][]uint64, total)
	type frame struct {
		v    int
		next []int
	}
	state := make([]uint8, total) // 1: on the stack, 2: done
	for root := 0; root < total; root++ {
		if state[root] != 0 {
			continue
		}
		state[root] = 1
		stack := []frame{{root, g.reads(root)}}
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if len(f.next) > 0 {
				w := f.next[0]
				f.next = f.next[1:]
				switch state[w] {
				case 0:
					state[w] = 1
					stack = append(stack, frame{w, g.reads(w)})
				case 1:
					i := len(stack) - 1
					for stack[i].v != w {
						i--
					}
					var loop []int
					for _, f := range stack[i:] {
						loop = append(loop, f.v)
					}
					return append(loop, w)
				}
				continue
			}
			g.settle(f.v, flat[f.v*words:(f.v+1)*words])
			state[f.v] = 2
			stack = stack[:len(stack)-1]
		}
	}
	return nil
}

// settle computes reach of v from what it reads, all of which is settled.
func (g *comb) settle(v int, set []uint64) {
	g.reach[v] = set
	if v < len(g.m.Nodes) {
		if op, ok := g.m.Nodes[v].Op.(Input); ok {
			i := g.index[op.Port]
			set[i/64] |= 1 << (i % 64)
		}
	}
	for _, w := range g.reads(v) {
		for i, x := range g.reach[w] {
			set[i] |= x
		}
	}
}

// describe gives the steps of a loop's path as positions in the source; where it runs through
// an instance, the steps inside are given too.
func (g *comb) describe(loop []int) []string {
	var steps []string
	for i, v := range loop {
		if v < len(g.m.Nodes) {
			n := g.m.Nodes[v]
			steps = append(steps, fmt.Sprintf("%s.%s = %s (%s)", g.m.Name, nodeName(n), opName(n.Op), n.Loc))
			continue
		}
		in, p := g.at(v)
		step := fmt.Sprintf("%s.%s.%s of %s (%s)", g.m.Name, in.Name, p.Name, in.Of.Name, in.Loc)
		if cn := g.conns[v]; cn != nil && cn.Kind == Chain {
			step += fmt.Sprintf(", fed on its %s side by %s of its neighbour", cn.Side, cn.From.Name)
		}
		steps = append(steps, step)
		if p.Dir == Out && i+1 < len(loop) {
			_, to := g.at(loop[i+1])
			steps = append(steps, g.deps[in.Of].inside(p, to)...)
		}
	}
	return steps
}

// inside is the path through the module from output p to input to.
func (g *comb) inside(p, to *Port) []string {
	bit := g.index[to]
	path := []int{p.Node.ID}
	for v := path[0]; v != to.Node.ID; {
		for _, w := range g.reads(v) {
			if g.reach[w][bit/64]>>(bit%64)&1 == 1 {
				v = w
				break
			}
		}
		path = append(path, v)
	}
	return g.describe(path)
}
