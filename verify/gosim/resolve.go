package gosim

import (
	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// place of a datum: element e of stored lane l of a value that is not a view.
type place struct {
	v    *val
	l, e index
}

// resolve follows views from element e of stored lane l of v to the value that holds it.
func resolve(v *val, l, e index) place {
	for {
		next, nl, ne, ok := v.through(l, e)
		if !ok {
			return place{v, l, e}
		}
		v, l, e = next, nl, ne
	}
}

// lane converts a lane of the design to the stored lane of v that stands for it.
func (v *val) lane(full index) index { return full.quo(v.div) }

// through is one step of resolve; ok is false when v holds its data itself.
func (v *val) through(l, e index) (next *val, nl, ne index, ok bool) {
	full := l.times(v.div) // any lane that l stands for
	arg := func(i int, lane, elem index) (*val, index, index, bool) {
		a := v.args[i]
		return a, a.lane(lane), elem, true
	}
	if op, isJoin := v.Op.(ir.Join); isJoin && e.isConst() {
		_ = op
		at := e.add
		for i, a := range v.args {
			if at < a.Type.N {
				return arg(i, full, constant(at))
			}
			at -= a.Type.N
		}
	}
	if v.class != view {
		return nil, l, e, false
	}
	switch op := v.Op.(type) {
	case ir.Splat:
		return arg(0, full, constant(0))
	case ir.Elems:
		return arg(0, full, e.plus(constant(op.Lo)))
	case flat.Enter:
		lane, elem := enterAt(op, v.Type.N, full, e)
		return arg(0, lane, elem)
	case flat.Leave:
		lane, elem := leaveAt(op, v.args[0].Type.N, full, e)
		return arg(0, lane, elem)
	}
	panic("gosim: a view without a rule")
}

// enterAt is where a port of n elements reads its parent's value; q is the child's lane.
func enterAt(op flat.Enter, n int, q, e index) (lane, elem index) {
	parent := q.quo(op.Rows * op.Cols)
	at := q.rem(op.Rows * op.Cols)
	switch op.Kind {
	case ir.PerRow:
		e = at.quo(op.Cols).times(n).plus(e)
	case ir.PerCol:
		e = at.rem(op.Cols).times(n).plus(e)
	case ir.PerInst:
		e = at.times(n).plus(e)
	}
	return parent, e
}

// leaveAt is where element e of a parent's value lies in the child of n elements a lane.
func leaveAt(op flat.Leave, n int, parent, e index) (lane, elem index) {
	group, first := e.quo(n), parent.times(op.Rows*op.Cols)
	switch op.Side {
	case ir.West:
		group = group.times(op.Cols)
	case ir.East:
		group = group.times(op.Cols).plus(constant(op.Cols - 1))
	case ir.South:
		group = group.plus(constant((op.Rows - 1) * op.Cols))
	}
	return first.plus(group), e.rem(n)
}

// resolveWord follows views of one-bit vectors, which keep the words as they are.
func resolveWord(v *val, l index) (*val, index) {
	for v.class == view {
		next, nl, _, _ := v.through(l, constant(0))
		v, l = next, nl
	}
	return v, l
}
