package interp

import (
	"slices"

	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// origin says where one word of a value comes from: word idx of argument arg.
type origin struct{ arg, idx int }

// origins describes the operations that only move words, or is nil for the others.
func origins(v *flat.Value) []origin {
	n, from := v.Type.N, make([]origin, 0, v.Len())
	switch op := v.Op.(type) {
	case gather:
		return slices.Clone(op.from)
	case flat.Enter:
		for lane := range v.Lanes {
			arg, group := enterFrom(lane, op)
			for e := range n {
				from = append(from, origin{arg, group*n + e})
			}
		}
	case flat.Leave:
		n := v.Args[0].Type.N
		for lane := range v.Args[0].Lanes {
			if r, c := lane/op.Cols%op.Rows, lane%op.Cols; atSide(r, c, op) {
				for e := range n {
					from = append(from, origin{0, lane*n + e})
				}
			}
		}
	case ir.Splat:
		for i := range v.Len() {
			from = append(from, origin{0, i / n})
		}
	case ir.Elems:
		for i := range v.Len() {
			from = append(from, origin{0, i/n*v.Args[0].Type.N + op.Lo + i%n})
		}
	case ir.Join:
		for lane := range v.Lanes {
			for k, a := range v.Args {
				for e := range a.Type.N {
					from = append(from, origin{k, lane*a.Type.N + e})
				}
			}
		}
	default:
		return nil
	}
	return from
}

// enterFrom is the table at flat.Enter: the argument and the group of elements for a lane.
func enterFrom(lane int, op flat.Enter) (arg, group int) {
	c, r, p := lane%op.Cols, lane/op.Cols%op.Rows, lane/op.Cols/op.Rows
	row, col := p*op.Rows+r, p*op.Cols+c
	switch op.Kind {
	case ir.Broadcast:
		return 0, p
	case ir.PerRow:
		return 0, row
	case ir.PerCol:
		return 0, col
	case ir.PerInst:
		return 0, lane
	}
	switch op.Side {
	case ir.West:
		if c > 0 {
			return 1, lane - 1
		}
		return 0, row
	case ir.East:
		if c < op.Cols-1 {
			return 1, lane + 1
		}
		return 0, row
	case ir.North:
		if r > 0 {
			return 1, lane - op.Cols
		}
		return 0, col
	}
	if r < op.Rows-1 {
		return 1, lane + op.Cols
	}
	return 0, col
}

func atSide(r, c int, op flat.Leave) bool {
	switch op.Side {
	case ir.West:
		return c == 0
	case ir.East:
		return c == op.Cols-1
	case ir.North:
		return r == 0
	case ir.South:
		return r == op.Rows-1
	}
	return true
}

// span is n words of the result from dst on: words src, src+1, ... of arg, or in a fill n
// times the word src.
type span struct{ arg, dst, src, n int }

// plan carries out a list of origins: bulk first, which may also write words that the
// patches after it write again. A neighbour chain is one bulk copy of the whole grid and a
// patch for each word that enters at the edge. The bulk is always from the neighbours then,
// so that a chain may write the vector its neighbours are read from.
type plan struct {
	bulk   span // n = 0: none
	copies []span
	fills  []span
	single []span
}

func newPlan(from []origin, chain bool) plan {
	type shift struct{ arg, by int }
	count, first, last := map[shift]int{}, map[shift]int{}, map[shift]int{}
	var best shift
	for i, o := range from {
		s := shift{o.arg, o.idx - i}
		if count[s] == 0 {
			first[s] = i
		}
		count[s]++
		last[s] = i
		if count[s] > count[best] && !(chain && best.arg == 1) || chain && o.arg == 1 {
			best = s
		}
	}
	var p plan
	if 2*count[best] >= len(from) { // always so when best is a chain's neighbours
		lo := first[best]
		p.bulk = span{best.arg, lo, lo + best.by, last[best] + 1 - lo}
	} else {
		best = shift{-1, 0}
	}
	for i := 0; i < len(from); {
		o, run, same := from[i], 1, 1
		if (shift{o.arg, o.idx - i}) == best {
			i++
			continue
		}
		for i+run < len(from) && from[i+run] == (origin{o.arg, o.idx + run}) {
			run++
		}
		for i+same < len(from) && from[i+same] == o {
			same++
		}
		switch s := (span{o.arg, i, o.idx, max(run, same)}); {
		case s.n == 1:
			p.single = append(p.single, s)
		case same > run:
			p.fills = append(p.fills, s)
		default:
			p.copies = append(p.copies, s)
		}
		i += max(run, same)
	}
	return p
}

func (kernels[T]) move(dv vec, args []vec, p plan) kernel {
	d, a := dv.([]T), make([][]T, len(args))
	for i := range args {
		a[i], _ = args[i].([]T)
	}
	var bulkTo, bulkFrom []T
	if p.bulk.n > 0 {
		bulkTo = d[p.bulk.dst : p.bulk.dst+p.bulk.n]
		bulkFrom = a[p.bulk.arg][p.bulk.src : p.bulk.src+p.bulk.n]
	}
	return func() {
		copy(bulkTo, bulkFrom)
		for i := range p.copies {
			s := &p.copies[i]
			copy(d[s.dst:s.dst+s.n], a[s.arg][s.src:])
		}
		for i := range p.fills {
			s := &p.fills[i]
			x, to := a[s.arg][s.src], d[s.dst:s.dst+s.n]
			for k := range to {
				to[k] = x
			}
		}
		for i := range p.single {
			s := &p.single[i]
			d[s.dst] = a[s.arg][s.src]
		}
	}
}
