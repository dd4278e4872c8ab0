package pass

import (
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

var binaryOps = []func(a, b uint64, w int) uint64{
	ir.Add: bits.Add, ir.Sub: bits.Sub, ir.Mul: bits.Mul,
	ir.And: func(a, b uint64, w int) uint64 { return a & b },
	ir.Or:  func(a, b uint64, w int) uint64 { return a | b },
	ir.Xor: func(a, b uint64, w int) uint64 { return a ^ b },
}

var shiftOps = []func(a, n uint64, w int) uint64{ir.Shl: bits.Shl, ir.Shr: bits.Shr, ir.Sra: bits.Sra}

var compareOps = []func(a, b uint64, w int) uint64{
	ir.Eq: bits.Eq, ir.Ne: bits.Ne, ir.Ltu: bits.Ltu, ir.Leu: bits.Leu, ir.Lts: bits.Lts, ir.Les: bits.Les,
}

// compute is the value of n for operands with the given values; nil when n is no function of
// its operands.
func compute(n *ir.Node, args [][]uint64) []uint64 {
	out := make([]uint64, n.Type.N)
	w := n.Type.W
	at := func(i, e int) uint64 { return args[i][e%len(args[i])] }
	for e := range out {
		switch op := n.Op.(type) {
		case ir.Const:
			out[e] = op.Val[e]
		case ir.Binary:
			out[e] = binaryOps[op.Kind](at(0, e), at(1, e), w)
		case ir.Not:
			out[e] = bits.Not(at(0, e), w)
		case ir.Shift:
			out[e] = shiftOps[op.Kind](at(0, e), at(1, e), w)
		case ir.Compare:
			out[e] = compareOps[op.Kind](at(0, e), at(1, e), n.Args[0].Type.W)
		case ir.Mux:
			if at(0, e) == 1 {
				out[e] = at(1, e)
			} else {
				out[e] = at(2, e)
			}
		case ir.Extend:
			out[e] = bits.Extend(at(0, e), n.Args[0].Type.W, w, op.Signed)
		case ir.Slice:
			out[e] = bits.Slice(at(0, e), op.Lo, w)
		case ir.Cat:
			for i, a := range n.Args {
				if a.Type.W < 64 {
					out[e] <<= a.Type.W
				}
				out[e] |= at(i, e)
			}
		case ir.Splat:
			out[e] = args[0][0]
		case ir.Elems:
			out[e] = args[0][op.Lo+e]
		case ir.Pick:
			if i := args[1][0]; i < uint64(len(args[0])) {
				out[e] = args[0][i]
			}
		case ir.Join:
			i, k := 0, e
			for k >= len(args[i]) {
				k -= len(args[i])
				i++
			}
			out[e] = args[i][k]
		case ir.Cast:
			out[e] = castElem(args[0], n.Args[0].Type.W, e, w)
		case ir.Fold:
			out[e] = foldElem(op, group(args[0], e, n.Type.N), n.Args[0].Type.W, w)
		case ir.MaskedSum:
			for k, x := range group(args[1], e, n.Type.N) {
				if args[0][k] == 1 {
					out[e] = bits.Add(out[e], bits.Extend(x, n.Args[1].Type.W, w, op.Signed), w)
				}
			}
		case ir.MemRead:
			if op.Mem.Init == nil || op.Mem.WEn != nil {
				return nil
			}
			if a := args[0][0]; a < uint64(op.Mem.Depth) {
				out[e] = op.Mem.Init[int(a)*n.Type.N+e]
			}
		default:
			return nil
		}
	}
	return out
}

// group is the e-th of count equal parts of v.
func group(v []uint64, e, count int) []uint64 {
	k := len(v) / count
	return v[e*k : (e+1)*k]
}

// castElem is bits e*w .. e*w+w-1 of the packed word of v.
func castElem(v []uint64, vw, e, w int) uint64 {
	x := uint64(0)
	for b := range w {
		i := e*w + b
		x |= v[i/vw] >> (i % vw) & 1 << b
	}
	return x
}

func foldElem(op ir.Fold, v []uint64, from, w int) uint64 {
	acc := bits.Extend(v[0], from, w, op.Signed)
	for _, x := range v[1:] {
		switch op.Kind {
		case ir.FoldAdd:
			acc = bits.Add(acc, bits.Extend(x, from, w, op.Signed), w)
		case ir.FoldAnd:
			acc &= x
		case ir.FoldOr:
			acc |= x
		case ir.FoldXor:
			acc ^= x
		}
	}
	return acc
}
