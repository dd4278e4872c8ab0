package gosim

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// compute is the expression for v at the present position. It may print statements first.
func (e *emitter) compute(v *val) *jen.Statement {
	if _, ok := v.Op.(copyOf); ok {
		return e.unit(v.args[0], e.l, e.u)
	}
	if v.bits {
		return e.computeWord(v)
	}
	return e.element(v, e.l, e.u)
}

// arg reads operand i of v at element x of v's stored lane l; an operand of one element
// serves every element.
func (e *emitter) arg(v *val, i int, l, x index) *jen.Statement {
	a, al, ax := operand(v, i, l, x)
	return e.varying(a, al, ax)
}

func operand(v *val, i int, l, x index) (a *val, al, ax index) {
	a = v.args[i]
	if a.Type.N == 1 {
		x = constant(0)
	}
	return a, a.lane(l.times(v.div)), x
}

// element is element x of stored lane l of a computed value.
func (e *emitter) element(v *val, l, x index) *jen.Statement {
	w, t := v.Type.W, v.elemWidth()
	arg := func(i int) *jen.Statement { return e.arg(v, i, l, x) }
	switch op := v.Op.(type) {
	case ir.Binary:
		return e.binary(op.Kind, arg(0), arg(1), w, t)
	case ir.Not:
		return masked(jen.Op("^").Add(arg(0)), w, t)
	case ir.Shift:
		return e.shift(v, op.Kind, l, x)
	case ir.Compare:
		return e.compare(op.Kind, arg(0), arg(1), v.args[0].Type.W, v.args[0].elemWidth())
	case ir.Mux:
		return e.mux(v, l, x)
	case ir.Extend:
		a := v.args[0]
		if !op.Signed {
			return goType(t).Parens(arg(0))
		}
		return masked(goType(t).Parens(signed(arg(0), a.Type.W, a.elemWidth())), w, t)
	case ir.Slice:
		a := arg(0)
		if op.Lo > 0 {
			a = a.Op(">>").Lit(op.Lo)
		}
		if op.Lo+w == v.args[0].Type.W {
			return goType(t).Parens(a)
		}
		return masked(goType(t).Parens(a), w, t)
	case ir.Cat:
		return e.cat(v, l, x)
	case ir.Pick:
		return e.pick(v, l)
	case ir.MemRead:
		return e.lookup(v, l)
	case ir.Fold:
		return e.fold(v, op, l, x)
	case ir.MaskedSum:
		return e.maskedSum(v, op, l, x)
	case ir.Cast:
		return e.castScalar(v, l)
	case ir.Splat, ir.Elems, flat.Leave, flat.Enter, ir.Join:
		return e.moved(v, l, x)
	}
	panic(fmt.Sprintf("gosim: no rule for %T", v.Op))
}

// moved reads element x of a value that only moves elements, though it is not a view.
func (e *emitter) moved(v *val, l, x index) *jen.Statement {
	keep := v.class
	v.class = view
	a, al, ax, ok := v.through(l, x)
	v.class = keep
	if !ok {
		panic(fmt.Sprintf("gosim: %T does not move elements", v.Op))
	}
	return e.elem(a, al, ax)
}

// masked clears the bits of s above w, when its Go type has any. s binds as tightly as &.
func masked(s *jen.Statement, w, t int) *jen.Statement {
	if w == t {
		return s
	}
	return jen.Add(s).Op("&").Id(fmt.Sprintf("%#x", ^uint64(0)>>(64-uint(w))))
}

// signed reads a w-bit value as a signed Go integer of t bits.
func signed(s *jen.Statement, w, t int) *jen.Statement {
	if w == t {
		return intType(t).Parens(s)
	}
	return intType(t).Parens(jen.Parens(s).Op("<<").Lit(t - w)).Op(">>").Lit(t - w)
}

func (e *emitter) binary(k ir.BinaryKind, a, b *jen.Statement, w, t int) *jen.Statement {
	op := []string{"+", "-", "*", "&", "|", "^"}[k]
	s := a.Op(op).Add(b)
	switch {
	case k == ir.Mul:
		return masked(s, w, t)
	case k < ir.Mul && w < t:
		return masked(jen.Parens(s), w, t)
	}
	return s
}

func (e *emitter) shift(v *val, k ir.ShiftKind, l, x index) *jen.Statement {
	w, t := v.Type.W, v.elemWidth()
	by, bl, bx := operand(v, 1, l, x)
	n := e.elem(by, bl, bx)
	if c, ok := constElem(by, bl, bx); ok {
		n = jen.Lit(int(min(c, 64)))
	}
	a := e.arg(v, 0, l, x)
	switch k {
	case ir.Shl:
		return masked(a.Op("<<").Add(n), w, t)
	case ir.Shr:
		return a.Op(">>").Add(n)
	}
	return masked(goType(t).Parens(signed(a, w, t).Op(">>").Add(n)), w, t)
}

// constElem is the value of a constant element.
func constElem(v *val, l, x index) (uint64, bool) {
	at := resolve(v, l, x)
	if at.v.class != constVal {
		return 0, false
	}
	vals := at.v.Op.(ir.Const).Val
	if at.e.isConst() {
		return vals[at.e.add], true
	}
	for _, y := range vals {
		if y != vals[0] {
			return 0, false
		}
	}
	return vals[0], true
}

func (e *emitter) compare(k ir.CompareKind, a, b *jen.Statement, w, t int) *jen.Statement {
	if k == ir.Lts || k == ir.Les {
		a, b = signed(a, w, t), signed(b, w, t)
	}
	op := []string{"==", "!=", "<", "<=", "<", "<="}[k]
	return jen.Id("bit").Call(a.Op(op).Add(b))
}

// mux chooses: by the loop's version where the selector is the same in all steps, else by a
// mask.
func (e *emitter) mux(v *val, l, x index) *jen.Statement {
	sel, sl, sx := operand(v, 0, l, x)
	if k, ok := e.known(sel, sl, sx); ok {
		if k {
			return e.arg(v, 1, l, x)
		}
		return e.arg(v, 2, l, x)
	}
	return sel1(v.elemWidth(), e.elem(sel, sl, sx), e.arg(v, 1, l, x), e.arg(v, 2, l, x))
}

func sel1(width int, s, a, b jen.Code) *jen.Statement {
	return jen.Id(fmt.Sprintf("sel%d", width)).Call(s, a, b)
}

// known is the selector's value in this version of the loop. A selector that is the same in
// all steps and not known yet is asked for: the loop is then printed in two versions.
func (e *emitter) known(v *val, l, x index) (value, ok bool) {
	if v == rstVal {
		if e.rt != nil {
			if k, ok := e.rt.known[v]; ok {
				return k, true
			}
			e.rt.ask = rstVal // before any other: registers have no other way to be reset
		}
		return false, false
	} else {
		if c, ok := constElem(v, l, x); ok {
			return c == 1, true
		}
		at := resolve(v, l, x)
		if at.v.bits {
			return false, false
		}
		v = at.v
	}
	if c := e.it.subst[v]; c != nil {
		v = c
	}
	if e.rt == nil || !scalar(v) {
		return false, false
	}
	if k, ok := e.rt.known[v]; ok {
		return k, true
	}
	if e.rt.ask == nil {
		e.rt.ask = v
	}
	return false, false
}

func (e *emitter) cat(v *val, l, x index) *jen.Statement {
	var s *jen.Statement
	lo := v.Type.W
	for i, a := range v.args {
		lo -= a.Type.W
		part := goType(v.width).Parens(e.arg(v, i, l, x))
		if lo > 0 {
			part = part.Op("<<").Lit(lo)
		}
		if s == nil {
			s = part
		} else {
			s = s.Op("|").Add(part)
		}
	}
	return s
}

// pick reads one element of a vector, zero beyond its end.
func (e *emitter) pick(v *val, l index) *jen.Statement {
	vec, idx := v.args[0], v.args[1]
	full := l.times(v.div)
	if c, ok := constElem(idx, idx.lane(full), constant(0)); ok {
		if c >= uint64(vec.Type.N) {
			return lit(v.width, 0)
		}
		return e.elem(vec, vec.lane(full), constant(int(c)))
	}
	name, k := e.temp("picked"), e.temp("k")
	e.add(jen.Var().Id(name).Add(goType(v.width)))
	at := jen.Int().Parens(jen.Min(jen.Uint64().Parens(e.elem(idx, idx.lane(full), constant(0))), jen.Lit(vec.Type.N)))
	inner := e.elem(vec, vec.lane(full), loopVar(k, vec.Type.N))
	e.add(jen.If(jen.Id(k).Op(":=").Add(at), jen.Id(k).Op("<").Lit(vec.Type.N)).Block(jen.Id(name).Op("=").Add(inner)))
	return jen.Id(name)
}

// fold reduces a group of elements.
func (e *emitter) fold(v *val, op ir.Fold, l, g index) *jen.Statement {
	a := v.args[0]
	al := a.lane(l.times(v.div))
	k := a.Type.N / v.Type.N
	if a.bits {
		return e.foldBits(v, op, al, g, k)
	}
	if k == 1 {
		return e.extended(v, op, al, g)
	}
	sum := e.temp("sum")
	sign := []string{"+=", "&=", "|=", "^="}[op.Kind]
	e.add(jen.Id(sum).Op(":=").Add(e.extended(v, op, al, g.times(k))))
	e.each("j", k-1, func(j index) {
		x := g.times(k).plus(j).plus(constant(1))
		e.add(jen.Id(sum).Op(sign).Add(e.extended(v, op, al, x)))
	})
	return masked(jen.Id(sum), v.Type.W, v.width)
}

// extended is an operand element of a fold or sum, widened to the result.
func (e *emitter) extended(v *val, op ir.Fold, al, x index) *jen.Statement {
	a := v.args[0]
	s := e.varying(a, al, x)
	if op.Signed && op.Kind == ir.FoldAdd {
		return masked(goType(v.width).Parens(signed(s, a.Type.W, a.elemWidth())), v.Type.W, v.width)
	}
	return goType(v.width).Parens(s)
}
