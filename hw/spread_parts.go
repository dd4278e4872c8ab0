package hw

import (
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// credit counts things that are there: at most most, first at the start.
type credit struct{ reg *ir.Reg }

func newCredit(m *ir.Module, name string, most, first int) credit {
	return credit{m.Reg(name, ir.Bits(ir.ClogTwo(most+1)), uint64(first))}
}

// some is 1 when there is at least one.
func (c credit) some() *ir.Node { return c.reg.Q.EqK(0).Not() }

// set says when one more comes and one goes; both at once are possible.
func (c credit) set(up, down *ir.Node) { count(c.reg, up, down) }

// total adds unsigned values modulo 2^w; what is wider is cut.
func total(w int, first *ir.Node, rest ...*ir.Node) *ir.Node {
	fit := func(n *ir.Node) *ir.Node {
		if n.Type.W > w {
			return n.Trunc(w)
		}
		return n.ZExt(w)
	}
	sum := fit(first)
	for _, n := range rest {
		sum = sum.Add(fit(n))
	}
	return sum
}

// delay is n some cycles ago, zero after a reset.
func delay(m *ir.Module, name string, n *ir.Node, cycles int) *ir.Node {
	if cycles == 0 {
		return n
	}
	size := n.Type.N
	line := m.Reg(name, ir.Vec(size*cycles, n.Type.W), 0)
	next := n
	if cycles > 1 {
		next = n.Join(line.Q.Elems(0, size*(cycles-1)))
	}
	return line.Set(next).Elems(size*(cycles-1), size)
}

// place is a number as lo + size * hi.
type place struct{ lo, hi *ir.Node }

// slotPlace is the present slot of a ring of n; size is that of lo. The second result is the
// last slot in use: the present one, or the ring's last when all are in use.
func slotPlace(o order, name string, n, size int, all *ir.Node) (at, last place) {
	m := o.m
	lo := m.Reg(name+"_lo", ir.Bits(ir.ClogTwo(size)), 0)
	hi := m.Reg(name+"_hi", ir.Bits(ir.ClogTwo(ceilDiv(n, size))), 0)
	loEnd, hiEnd := m.K(lo.Type.W, uint64((n-1)%size)), m.K(hi.Type.W, uint64((n-1)/size))
	zero := o.anew.Or(lo.Q.Eq(loEnd).And(hi.Q.Eq(hiEnd))).Named(name + "_zero")
	carry := lo.Q.EqK(uint64(size - 1))
	o.set(lo, name+"_lo", zero.Or(carry).Mux(m.K(lo.Type.W, 0), lo.Q.AddK(1)))
	o.set(hi, name+"_hi", zero.Mux(m.K(hi.Type.W, 0), carry.Mux(hi.Q.AddK(1), hi.Q)))
	return place{lo.Q, hi.Q}, place{all.Mux(loEnd, lo.Q), all.Mux(hiEnd, hi.Q)}
}

// upTo is n bits of which those with index 0 to last are up.
func upTo(last *ir.Node, n int) *ir.Node {
	m, w := last.Module(), last.Type.W+1
	index := make([]uint64, n)
	for i := range index {
		index[i] = uint64(i)
	}
	return m.KVec(w, index...).Ltu(last.ZExt(w).AddK(1))
}

// onlyFirst is a vector of which the elements from n on are zero.
func onlyFirst(v *ir.Node, n int) *ir.Node {
	if n == v.Type.N {
		return v
	}
	keep := make([]uint64, v.Type.N)
	for i := range n {
		keep[i] = bits.Mask(v.Type.W)
	}
	return v.And(v.Module().KVec(v.Type.W, keep...))
}
