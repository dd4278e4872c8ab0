package pass

import (
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// foldLimit is the longest constant, in bits, that folding makes: longer ones are shorter to
// read as the operations that make them.
const foldLimit = 4096

// fold computes what depends on constants only, and lets operations that return one of
// their operands, or are a simpler operation, be that.
func fold(m *ir.Module) {
	r := replacement{}
	for _, n := range m.Nodes {
		r.args(n)
		if constant(n) {
			continue
		}
		// A simpler form may have a simpler form; each step shortens what n reaches through.
		for to := simpler(n); to != nil; to = simpler(n) {
			if to != n {
				r.replace(n, to)
				break
			}
			if constant(n) {
				break
			}
		}
	}
	r.finish(m)
	for _, reg := range m.Regs {
		if v, ok := uniform(reg.En); ok && v == 1 {
			reg.En = nil
		}
	}
	for _, mem := range m.Mems {
		if v, ok := uniform(mem.WEn); ok && v == 0 {
			mem.WAddr, mem.WData, mem.WEn = nil, nil, nil
		}
	}
}

// constant turns n into a constant if its operands are constants.
func constant(n *ir.Node) bool {
	if len(n.Args) == 0 || n.Type.Total() > foldLimit {
		return false
	}
	var args [][]uint64
	for _, a := range n.Args {
		k, ok := a.Op.(ir.Const)
		if !ok {
			return false
		}
		args = append(args, k.Val)
	}
	v := compute(n, args)
	if v == nil {
		return false
	}
	n.Op, n.Args = ir.Const{Val: v}, nil
	return true
}

// uniform is the value of a node all of whose elements are the same constant.
func uniform(n *ir.Node) (uint64, bool) {
	if n == nil {
		return 0, false
	}
	switch op := n.Op.(type) {
	case ir.Splat:
		return uniform(n.Args[0])
	case ir.Const:
		for _, v := range op.Val {
			if v != op.Val[0] {
				return 0, false
			}
		}
		return op.Val[0], true
	}
	return 0, false
}

// all turns n into the constant v in every element; nil if that would be too long.
func all(n *ir.Node, v uint64) *ir.Node {
	if n.Type.Total() > foldLimit {
		return nil
	}
	k := make([]uint64, n.Type.N)
	for i := range k {
		k[i] = v
	}
	n.Op, n.Args = ir.Const{Val: k}, nil
	return n
}

// simpler is the node that n can be replaced by; n itself when it became another operation
// in place; nil when there is nothing to do.
func simpler(n *ir.Node) *ir.Node {
	switch op := n.Op.(type) {
	case ir.Binary:
		return simplerBinary(n, op.Kind)
	case ir.Not:
		if _, ok := n.Args[0].Op.(ir.Not); ok {
			return n.Args[0].Args[0]
		}
	case ir.Shift:
		return simplerShift(n, op.Kind)
	case ir.Compare:
		return simplerCompare(n, op.Kind)
	case ir.Mux:
		return simplerMux(n)
	case ir.Slice:
		return simplerSlice(n, op.Lo)
	case ir.Elems:
		return simplerElems(n, op.Lo)
	case ir.Pick:
		return simplerPick(n)
	case ir.Cast:
		if _, ok := n.Args[0].Op.(ir.Cast); ok {
			n.Args[0] = n.Args[0].Args[0]
			return n
		}
	}
	switch op := n.Op.(type) {
	case ir.Cat, ir.Join, ir.Splat, ir.Cast, ir.Fold:
		// One operand of the result's type: nothing was joined, repeated, recast or reduced.
		if len(n.Args) == 1 && n.Args[0].Type == n.Type {
			return n.Args[0]
		}
	case ir.MaskedSum:
		if v, ok := uniform(n.Args[0]); ok && v == 0 {
			return all(n, 0)
		} else if ok {
			n.Op, n.Args = ir.Fold{Kind: ir.FoldAdd, Signed: op.Signed}, n.Args[1:]
			return n
		}
	}
	return nil
}

func simplerBinary(n *ir.Node, k ir.BinaryKind) *ir.Node {
	a, b := n.Args[0], n.Args[1]
	ones := bits.Mask(n.Type.W)
	if a == b {
		switch k {
		case ir.Sub, ir.Xor:
			return all(n, 0)
		case ir.And, ir.Or:
			return a
		}
	}
	v, ok := uniform(b)
	x := a
	if !ok && k != ir.Sub {
		v, ok = uniform(a)
		x = b
	}
	if !ok {
		return nil
	}
	switch {
	case v == 0 && (k == ir.Add || k == ir.Sub || k == ir.Or || k == ir.Xor):
		return x
	case v == 0 && (k == ir.And || k == ir.Mul):
		return all(n, 0)
	case v == 1 && k == ir.Mul, v == ones && k == ir.And:
		return x
	case v == ones && k == ir.Or:
		return all(n, ones)
	case v == ones && k == ir.Xor:
		n.Op, n.Args = ir.Not{}, []*ir.Node{x}
		return n
	}
	return nil
}

func simplerShift(n *ir.Node, k ir.ShiftKind) *ir.Node {
	if v, ok := uniform(n.Args[0]); ok && v == 0 {
		return all(n, 0)
	}
	by, ok := uniform(n.Args[1])
	switch {
	case !ok:
		return nil
	case by == 0:
		return n.Args[0]
	case by >= uint64(n.Type.W) && k != ir.Sra:
		return all(n, 0)
	}
	return nil
}

func simplerCompare(n *ir.Node, k ir.CompareKind) *ir.Node {
	a, b := n.Args[0], n.Args[1]
	if a == b {
		return all(n, bits.Bool(k == ir.Eq || k == ir.Leu || k == ir.Les))
	}
	if v, ok := uniform(b); ok && v == 0 && k == ir.Ltu {
		return all(n, 0)
	}
	if v, ok := uniform(a); ok && v == 0 && k == ir.Leu {
		return all(n, 1)
	}
	return nil
}

func simplerMux(n *ir.Node) *ir.Node {
	sel, a, b := n.Args[0], n.Args[1], n.Args[2]
	if v, ok := uniform(sel); ok {
		if v == 1 {
			return a
		}
		return b
	}
	if a == b {
		return a
	}
	va, aok := uniform(a)
	vb, bok := uniform(b)
	if aok && bok && va == vb {
		return a
	}
	if aok && bok && n.Type == sel.Type {
		if va == 1 {
			return sel
		}
		n.Op, n.Args = ir.Not{}, []*ir.Node{sel}
		return n
	}
	return nil
}

func simplerSlice(n *ir.Node, lo int) *ir.Node {
	a := n.Args[0]
	if a.Type == n.Type {
		return a
	}
	switch op := a.Op.(type) {
	case ir.Slice:
		n.Op, n.Args[0] = ir.Slice{Lo: lo + op.Lo}, a.Args[0]
		return n
	case ir.Extend:
		if x := a.Args[0]; lo+n.Type.W <= x.Type.W {
			n.Args[0] = x
			return n
		}
	case ir.Cat:
		low := a.Type.W
		for _, x := range a.Args {
			low -= x.Type.W
			if lo >= low && lo+n.Type.W <= low+x.Type.W {
				n.Op, n.Args[0] = ir.Slice{Lo: lo - low}, x
				return n
			}
		}
	}
	return nil
}

func simplerElems(n *ir.Node, lo int) *ir.Node {
	a := n.Args[0]
	if a.Type == n.Type {
		return a
	}
	switch op := a.Op.(type) {
	case ir.Elems:
		n.Op, n.Args[0] = ir.Elems{Lo: lo + op.Lo}, a.Args[0]
		return n
	case ir.Splat:
		n.Op, n.Args[0] = ir.Splat{}, a.Args[0]
		return n
	case ir.Join:
		for _, x := range a.Args {
			if lo >= 0 && lo+n.Type.N <= x.Type.N {
				n.Op, n.Args[0] = ir.Elems{Lo: lo}, x
				return n
			}
			lo -= x.Type.N
		}
	}
	return nil
}

func simplerPick(n *ir.Node) *ir.Node {
	v, ok := uniform(n.Args[1])
	switch {
	case !ok:
		return nil
	case v >= uint64(n.Args[0].Type.N):
		return all(n, 0)
	}
	n.Op, n.Args = ir.Elems{Lo: int(v)}, n.Args[:1]
	return n
}
