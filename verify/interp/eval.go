package interp

import (
	"fmt"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
)

var binaryFuncs = [...]func(a, b uint64, w int) uint64{
	ir.Add: bits.Add, ir.Sub: bits.Sub, ir.Mul: bits.Mul,
	ir.And: func(a, b uint64, w int) uint64 { return a & b },
	ir.Or:  func(a, b uint64, w int) uint64 { return a | b },
	ir.Xor: func(a, b uint64, w int) uint64 { return a ^ b },
}

var shiftFuncs = [...]func(a, n uint64, w int) uint64{ir.Shl: bits.Shl, ir.Shr: bits.Shr, ir.Sra: bits.Sra}

var compareFuncs = [...]func(a, b uint64, w int) uint64{
	ir.Eq: bits.Eq, ir.Ne: bits.Ne, ir.Ltu: bits.Ltu, ir.Leu: bits.Leu, ir.Lts: bits.Lts, ir.Les: bits.Les,
}

// eval computes v in all lanes.
func (e *Engine) eval(v *flat.Value) {
	dst, n, w := e.data[v.ID], v.Type.N, v.Type.W
	var a, b []uint64
	if len(v.Args) > 0 {
		a = e.data[v.Args[0].ID]
	}
	if len(v.Args) > 1 {
		b = e.data[v.Args[1].ID]
	}
	switch op := v.Op.(type) {
	case ir.Const, ir.Input, ir.RegOut, ir.MemOut:
	case ir.MemRead:
		for l := range v.Lanes {
			e.readWord(dst, v.Mem, l, a[l])
		}
	case ir.Binary:
		f := binaryFuncs[op.Kind]
		for i := range dst {
			dst[i] = f(a[i], b[i], w)
		}
	case ir.Not:
		for i := range dst {
			dst[i] = bits.Not(a[i], w)
		}
	case ir.Shift:
		f, per := shiftFuncs[op.Kind], len(dst)/len(b)
		for i := range dst {
			dst[i] = f(a[i], b[i/per], w)
		}
	case ir.Compare:
		f, aw := compareFuncs[op.Kind], v.Args[0].Type.W
		for i := range dst {
			dst[i] = f(a[i], b[i], aw)
		}
	case ir.Mux:
		other, per := e.data[v.Args[2].ID], len(dst)/len(a)
		for i := range dst {
			dst[i] = other[i]
			if a[i/per] == 1 {
				dst[i] = b[i]
			}
		}
	case ir.Extend:
		for i := range dst {
			dst[i] = bits.Extend(a[i], v.Args[0].Type.W, w, op.Signed)
		}
	case ir.Slice:
		for i := range dst {
			dst[i] = bits.Slice(a[i], op.Lo, w)
		}
	case ir.Cat:
		for i := range dst {
			dst[i] = 0
			for _, arg := range v.Args {
				dst[i] = dst[i]<<arg.Type.W | e.data[arg.ID][i]
			}
		}
	case ir.Splat:
		for i := range dst {
			dst[i] = a[i/n]
		}
	case ir.Elems:
		an := v.Args[0].Type.N
		for l := range v.Lanes {
			copy(dst[l*n:(l+1)*n], a[l*an+op.Lo:])
		}
	case ir.Pick:
		an := v.Args[0].Type.N
		for l := range v.Lanes {
			dst[l] = 0
			if b[l] < uint64(an) {
				dst[l] = a[l*an+int(b[l])]
			}
		}
	case ir.Join:
		for l := range v.Lanes {
			to := dst[l*n : (l+1)*n]
			for _, arg := range v.Args {
				an := arg.Type.N
				copy(to, e.data[arg.ID][l*an:(l+1)*an])
				to = to[an:]
			}
		}
	case ir.Cast:
		cast(dst, w, a, v.Args[0].Type.W, n)
	case ir.Fold:
		fold(dst, a, op, v.Args[0].Type.W, w)
	case ir.MaskedSum:
		maskedSum(dst, a, b, v, op.Signed)
	case flat.Enter:
		e.enter(dst, v, op)
	case flat.Leave:
		leave(dst, a, v.Args[0].Type.N, v.Lanes, op)
	default:
		panic(fmt.Sprintf("interp: op %T", op))
	}
}

// cast repacks n elements of w bits a lane from elements of aw bits; the words of a lane
// hold the same number of bits on both sides, so lanes follow one another bit by bit.
func cast(dst []uint64, w int, a []uint64, aw, n int) {
	clear(dst)
	for bit := range len(dst) * w {
		dst[bit/w] |= a[bit/aw] >> (bit % aw) & 1 << (bit % w)
	}
}

func fold(dst, a []uint64, op ir.Fold, aw, w int) {
	k := len(a) / len(dst)
	for i := range dst {
		acc := bits.Extend(a[i*k], aw, w, op.Signed)
		for _, x := range a[i*k+1 : (i+1)*k] {
			switch op.Kind {
			case ir.FoldAdd:
				acc = bits.Add(acc, bits.Extend(x, aw, w, op.Signed), w)
			case ir.FoldAnd:
				acc &= x
			case ir.FoldOr:
				acc |= x
			case ir.FoldXor:
				acc ^= x
			}
		}
		dst[i] = acc
	}
}

func maskedSum(dst, mask, cells []uint64, v *flat.Value, signed bool) {
	k, cw, w := v.Args[0].Type.N, v.Args[1].Type.W, v.Type.W
	for i := range dst {
		l := i / v.Type.N
		dst[i] = 0
		for j, m := range mask[l*k : (l+1)*k] {
			if m == 1 {
				dst[i] = bits.Add(dst[i], bits.Extend(cells[i*k+j], cw, w, signed), w)
			}
		}
	}
}

// enter follows the table at flat.Enter.
func (e *Engine) enter(dst []uint64, v *flat.Value, op flat.Enter) {
	n, src := v.Type.N, e.data[v.Args[0].ID]
	var from []uint64
	if op.Kind == ir.Chain {
		from = e.data[v.Args[1].ID]
	}
	lane := 0
	for p := range v.Lanes / (op.Rows * op.Cols) {
		for r := range op.Rows {
			for c := range op.Cols {
				s, g := src, 0
				switch op.Kind {
				case ir.Broadcast:
					g = p
				case ir.PerRow:
					g = p*op.Rows + r
				case ir.PerCol:
					g = p*op.Cols + c
				case ir.PerInst:
					g = lane
				case ir.Chain:
					if near := neighbour(lane, r, c, op); near >= 0 {
						s, g = from, near
					} else if op.Side == ir.West || op.Side == ir.East {
						g = p*op.Rows + r
					} else {
						g = p*op.Cols + c
					}
				}
				copy(dst[lane*n:(lane+1)*n], s[g*n:(g+1)*n])
				lane++
			}
		}
	}
}

// neighbour is the lane on op.Side of the instance (r, c) in lane, or -1 at the edge.
func neighbour(lane, r, c int, op flat.Enter) int {
	switch {
	case op.Side == ir.West && c > 0:
		return lane - 1
	case op.Side == ir.East && c < op.Cols-1:
		return lane + 1
	case op.Side == ir.North && r > 0:
		return lane - op.Cols
	case op.Side == ir.South && r < op.Rows-1:
		return lane + op.Cols
	}
	return -1
}

// leave selects instances; n is the port's element count, lanes the parent's.
func leave(dst, a []uint64, n, lanes int, op flat.Leave) {
	r0, c0, rows, cols := 0, 0, op.Rows, op.Cols
	switch op.Side {
	case ir.West:
		cols = 1
	case ir.East:
		c0, cols = op.Cols-1, 1
	case ir.North:
		rows = 1
	case ir.South:
		r0, rows = op.Rows-1, 1
	}
	for p := range lanes {
		for r := r0; r < r0+rows; r++ {
			at := ((p*op.Rows+r)*op.Cols + c0) * n
			dst = dst[copy(dst, a[at:at+cols*n]):]
		}
	}
}
