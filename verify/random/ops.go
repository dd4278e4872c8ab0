package random

import (
	"ohmloom/ir"
)

// ops is the table of operations, drawn from evenly.
var ops = []struct {
	name string
	make func(*gen) *ir.Node
}{
	{"const", func(g *gen) *ir.Node {
		t := g.typ()
		return g.m.KVec(t.W, g.values(t.N, t.W)...)
	}},
	{"add", two((*ir.Node).Add)},
	{"sub", two((*ir.Node).Sub)},
	{"mul", two((*ir.Node).Mul)},
	{"and", two((*ir.Node).And)},
	{"or", two((*ir.Node).Or)},
	{"xor", two((*ir.Node).Xor)},
	{"not", func(g *gen) *ir.Node { return g.take().Not() }},
	{"shl", shift((*ir.Node).Shl)},
	{"shr", shift((*ir.Node).Shr)},
	{"sra", shift((*ir.Node).Sra)},
	{"eq", compare((*ir.Node).Eq)},
	{"ne", compare((*ir.Node).Ne)},
	{"ltu", two((*ir.Node).Ltu)},
	{"leu", two((*ir.Node).Leu)},
	{"lts", two((*ir.Node).Lts)},
	{"les", two((*ir.Node).Les)},
	{"mux", mux},
	{"mux", mux},
	{"extend", func(g *gen) *ir.Node {
		n := g.take()
		if n.Type.W == ir.MaxWidth {
			n = g.as(n, ir.Vec(n.Type.N, 1+g.r.IntN(ir.MaxWidth-1)))
		}
		w := n.Type.W + 1 + g.r.IntN(ir.MaxWidth-n.Type.W)
		if g.chance(50) {
			return n.SExt(w)
		}
		return n.ZExt(w)
	}},
	{"slice", func(g *gen) *ir.Node {
		n := g.take()
		w := 1 + g.r.IntN(n.Type.W)
		return n.Slice(g.r.IntN(n.Type.W-w+1), w)
	}},
	{"cat", cat},
	{"splat", func(g *gen) *ir.Node {
		w := g.width()
		return g.as(g.take(), ir.Bits(w)).Splat(g.elems(w))
	}},
	{"elems", func(g *gen) *ir.Node {
		n := g.vector()
		c := 1 + g.r.IntN(n.Type.N)
		return n.Elems(g.r.IntN(n.Type.N-c+1), c)
	}},
	{"pick", func(g *gen) *ir.Node {
		n := g.vector()
		return n.Pick(g.as(g.take(), ir.Bits(ir.ClogTwo(n.Type.N)+g.r.IntN(2))))
	}},
	{"join", func(g *gen) *ir.Node {
		n := g.take()
		if n.Type.Total() > g.o.Bits {
			n = n.Elem(g.r.IntN(n.Type.N))
		}
		more := []*ir.Node{}
		for i := 1 + g.r.IntN(2); i > 0; i-- {
			more = append(more, g.as(g.take(), ir.Vec(g.elems(n.Type.W), n.Type.W)))
		}
		return n.Join(more...)
	}},
	{"cast", func(g *gen) *ir.Node {
		n := g.vector()
		total := n.Type.Total()
		for w := 1 + g.r.IntN(min(total, ir.MaxWidth)); ; w-- {
			if total%w == 0 {
				return n.Cast(ir.Vec(total/w, w))
			}
		}
	}},
	{"fold add", func(g *gen) *ir.Node {
		n := g.as(g.vector(), ir.Vec(2+g.r.IntN(6), 1+g.r.IntN(16)))
		return n.SumU(g.groups(n), n.Type.W+g.r.IntN(8))
	}},
	{"fold adds", func(g *gen) *ir.Node {
		n := g.as(g.vector(), ir.Vec(2+g.r.IntN(6), 1+g.r.IntN(16)))
		return n.SumS(g.groups(n), n.Type.W+g.r.IntN(8))
	}},
	{"fold and", fold((*ir.Node).AllOf)},
	{"fold or", fold((*ir.Node).AnyOf)},
	{"fold xor", fold((*ir.Node).Parity)},
	{"msum", func(g *gen) *ir.Node {
		k, groups, w := 1+g.r.IntN(8), 1+g.r.IntN(4), 1+g.r.IntN(20)
		mask := g.as(g.take(), ir.Vec(k, 1))
		return mask.MaskedSum(g.as(g.take(), ir.Vec(k*groups, w)), w+g.r.IntN(8), g.chance(50))
	}},
}

func two(f func(a, b *ir.Node) *ir.Node) func(*gen) *ir.Node {
	return func(g *gen) *ir.Node {
		a := g.take()
		return f(a, g.as(g.other(a), a.Type))
	}
}

// compare often narrows its operands, so that equality is not always false.
func compare(f func(a, b *ir.Node) *ir.Node) func(*gen) *ir.Node {
	return func(g *gen) *ir.Node {
		a := g.take()
		b := g.other(a)
		if g.chance(70) {
			a = g.as(a, ir.Vec(a.Type.N, 1+g.r.IntN(min(3, a.Type.W))))
		}
		return f(a, g.as(b, a.Type))
	}
}

// shift keeps most amounts near the width, where they do something.
func shift(f func(a, by *ir.Node) *ir.Node) func(*gen) *ir.Node {
	return func(g *gen) *ir.Node {
		a, by := g.take(), g.take()
		t := ir.Bits(ir.ClogTwo(a.Type.W) + g.r.IntN(2))
		if g.chance(15) {
			t.W = g.width()
		}
		if g.chance(40) {
			t.N = a.Type.N
		}
		if g.chance(20) {
			by = g.m.K(7, g.value(6))
			return f(a, by)
		}
		return f(a, g.as(by, t))
	}
}

func mux(g *gen) *ir.Node {
	a := g.take()
	sel := ir.Bits(1)
	if g.chance(40) {
		sel.N = a.Type.N
	}
	return g.as(g.take(), sel).Mux(a, g.as(g.other(a), a.Type))
}

func cat(g *gen) *ir.Node {
	n := g.take()
	if n.Type.W > 40 {
		n = g.as(n, ir.Vec(n.Type.N, 1+g.r.IntN(40)))
	}
	low := []*ir.Node{}
	for left := ir.MaxWidth - n.Type.W; left > 0 && len(low) < 3; {
		w := 1 + g.r.IntN(min(left, 24))
		low = append(low, g.as(g.take(), ir.Vec(n.Type.N, w)))
		left -= w
	}
	return n.Cat(low...)
}

func fold(f func(n *ir.Node, groups int) *ir.Node) func(*gen) *ir.Node {
	return func(g *gen) *ir.Node {
		n := g.vector()
		return f(n, g.groups(n))
	}
}

// groups is a divisor of the element count.
func (g *gen) groups(n *ir.Node) int {
	for c := 1 + g.r.IntN(n.Type.N); ; c-- {
		if n.Type.N%c == 0 {
			return c
		}
	}
}

// vector is an operand with several elements, if the options allow that.
func (g *gen) vector() *ir.Node {
	for range 8 {
		if n := g.take(); n.Type.N > 1 {
			return n
		}
	}
	w := g.width()
	return g.as(g.take(), ir.Vec(g.elems(w), w))
}

// as brings n to type t: extended or sliced, elements left out or joined from more operands.
func (g *gen) as(n *ir.Node, t ir.Type) *ir.Node {
	switch w := n.Type.W; {
	case w > t.W:
		n = n.Slice(g.r.IntN(w-t.W+1), t.W)
	case w < t.W && g.chance(50):
		n = n.SExt(t.W)
	case w < t.W && 2*w <= t.W:
		n = n.Cat(n).ZExt(t.W)
	case w < t.W:
		n = n.ZExt(t.W)
	}
	if n.Type.N == 1 && t.N > 1 && g.chance(10) {
		return n.Splat(t.N)
	}
	for n.Type.N < t.N {
		more := g.take()
		if n.Type.N >= 3 {
			more = n.Xor(g.m.KVec(t.W, g.values(n.Type.N, t.W)...))
		}
		n = n.Join(g.as(more, ir.Vec(more.Type.N, t.W)))
	}
	if n.Type.N > t.N {
		n = n.Elems(g.r.IntN(n.Type.N-t.N+1), t.N)
	}
	return n
}
