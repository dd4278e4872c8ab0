package gosim

import (
	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
)

// computeWord is the present word of a one-bit vector. Bits beyond the last element stay zero.
func (e *emitter) computeWord(v *val) *jen.Statement {
	whole := func(i int) bool { return v.args[i].bits && v.args[i].Type.N == v.Type.N }
	arg := func(i int) *jen.Statement {
		a := v.args[i]
		return e.word(a, a.lane(e.l.times(v.div)), e.u)
	}
	switch op := v.Op.(type) {
	case ir.Binary:
		if whole(0) && whole(1) {
			sign := []string{"^", "^", "&", "&", "|", "^"}[op.Kind]
			return arg(0).Op(sign).Add(arg(1))
		}
	case ir.Not:
		return e.trimmed(v, jen.Op("^").Add(arg(0)))
	case ir.Compare:
		if whole(0) && whole(1) {
			return e.trimmed(v, compareWords(op.Kind, arg(0), arg(1)))
		}
	case ir.Mux:
		return e.muxWord(v, arg)
	case ir.Splat:
		a := v.args[0]
		bit := e.elem(a, a.lane(e.l.times(v.div)), constant(0))
		return e.trimmed(v, jen.Op("-").Id("v64").Call(jen.Uint64().Parens(bit)))
	case ir.Cast:
		return e.castWord(v)
	case ir.MemRead:
		return e.lookup(v, e.l)
	}
	return e.gather(v)
}

func compareWords(k ir.CompareKind, a, b *jen.Statement) *jen.Statement {
	switch k {
	case ir.Eq:
		return jen.Op("^").Parens(a.Op("^").Add(b))
	case ir.Ne:
		return a.Op("^").Add(b)
	case ir.Ltu:
		return b.Op("&^").Add(a)
	case ir.Leu:
		return b.Op("|").Op("^").Add(a)
	case ir.Lts: // as a signed number a set bit is -1
		return a.Op("&^").Add(b)
	}
	return a.Op("|").Op("^").Add(b)
}

// trimmed clears what lies beyond the last element.
func (e *emitter) trimmed(v *val, w *jen.Statement) *jen.Statement {
	rest := v.Type.N % 64
	switch {
	case rest == 0:
		return w
	case v.units == 1:
		return jen.Parens(w).Op("&").Add(lit(64, 1<<rest-1))
	}
	return jen.Parens(w).Op("&").Id("tail").Call(e.u.code(), jen.Lit(v.units-1), lit(64, 1<<rest-1))
}

func (e *emitter) muxWord(v *val, arg func(int) *jen.Statement) *jen.Statement {
	sel := v.args[0]
	if sel.Type.N > 1 {
		s := e.temp("s")
		e.add(jen.Id(s).Op(":=").Add(arg(0)))
		return jen.Id(s).Op("&").Add(arg(1)).Op("|").Add(arg(2)).Op("&^").Id(s)
	}
	sl := sel.lane(e.l.times(v.div))
	if k, ok := e.known(sel, sl, constant(0)); ok {
		if k {
			return arg(1)
		}
		return arg(2)
	}
	return sel1(64, e.elem(sel, sl, constant(0)), arg(1), arg(2))
}

// gather puts a word together from its elements.
func (e *emitter) gather(v *val) *jen.Statement {
	if op, ok := v.Op.(ir.Join); ok && v.units == 1 {
		return e.joinWord(v, op)
	}
	if n := v.Type.N; n <= 4 {
		var s *jen.Statement
		for i := range n {
			bit := jen.Uint64().Parens(e.element(v, e.l, constant(i)))
			if i > 0 {
				bit = bit.Op("<<").Lit(i)
				s = s.Op("|").Add(bit)
			} else {
				s = bit
			}
		}
		return s
	}
	return e.packed(v, e.u, func(x index) *jen.Statement { return e.element(v, e.l, x) },
		func(word string) []jen.Code { return e.vectorWord(v, word) })
}

// nested prints into a block of its own. Values of the loop that are first used there are
// defined there and forgotten after.
func (e *emitter) nested(print func()) []jen.Code {
	outer := e.out
	e.out = new([]jen.Code)
	var made map[*val]bool
	if e.rt != nil {
		made = e.rt.made
		e.rt.made = map[*val]bool{}
		for v := range made {
			e.rt.made[v] = true
		}
	}
	print()
	if e.rt != nil {
		e.rt.made = made
	}
	block := *e.out
	e.out = outer
	return block
}

func (e *emitter) joinWord(v *val, op ir.Join) *jen.Statement {
	var s *jen.Statement
	at := 0
	for _, a := range v.args {
		al := a.lane(e.l.times(v.div))
		part := jen.Uint64().Parens(e.unit(a, al, constant(0)))
		if at > 0 {
			part = part.Op("<<").Lit(at)
		}
		if s == nil {
			s = part
		} else {
			s = s.Op("|").Add(part)
		}
		at += a.Type.N
	}
	return s
}

// foldBits reduces k elements from group g of a one-bit vector.
func (e *emitter) foldBits(v *val, op ir.Fold, al, g index, k int) *jen.Statement {
	a := v.args[0]
	w, t := v.Type.W, v.width
	ones := e.countOnes(a, nil, al, g.times(k), k)
	switch op.Kind {
	case ir.FoldAdd:
		return total(ones, op.Signed, w, t)
	case ir.FoldAnd:
		return jen.Id("bit").Call(ones.Op("==").Lit(k))
	case ir.FoldOr:
		return jen.Id("bit").Call(ones.Op("!=").Lit(0))
	}
	return jen.Uint8().Parens(jen.Parens(ones).Op("&").Lit(1))
}

// total is a count of ones as the sum of one-bit elements; a signed one-bit element is 0 or -1.
func total(ones *jen.Statement, negative bool, w, t int) *jen.Statement {
	if negative {
		return masked(goType(t).Parens(jen.Op("-").Parens(ones)), w, t)
	}
	return masked(goType(t).Parens(ones), w, t)
}

// countOnes is the number (an int) of ones among elements lo .. lo+k-1 of a that mask, when
// not nil, has too.
func (e *emitter) countOnes(a *val, mask func(u index) *jen.Statement, al, lo index, k int) *jen.Statement {
	both := func(w *jen.Statement, u index) *jen.Statement {
		if mask == nil {
			return w
		}
		return w.Op("&").Add(mask(u))
	}
	count := func(w *jen.Statement) *jen.Statement { return jen.Qual("math/bits", "OnesCount64").Call(w) }
	_, rest := lo.split(64)
	inWord := a.units == 1 || rest.isConst() && rest.add+k <= 64
	switch {
	case k == a.Type.N && k <= 64:
		return count(both(e.word(a, al, constant(0)), constant(0)))
	case inWord:
		w := e.word(a, al, lo.quo(64)).Op(">>").Add(shiftIndex(lo.rem(64)))
		return count(both(w.Op("&").Add(lit(64, ^uint64(0)>>(64-uint(k)))), constant(0)))
	}
	aligned := rest.isConst() && rest.add == 0 && k%64 == 0
	if aligned && k <= 8*64 {
		sum := jen.Null()
		for j := range k / 64 {
			u := constant(j)
			if j > 0 {
				sum = sum.Op("+")
			}
			sum = sum.Add(count(both(e.word(a, al, lo.quo(64).plus(u)), u)))
		}
		return sum
	}
	n := e.temp("ones")
	words := (k + 63) / 64
	e.add(jen.Id(n).Op(":=").Lit(0))
	e.each("j", words, func(u index) {
		var w *jen.Statement
		if aligned {
			w = e.word(a, al, lo.quo(64).plus(u))
		} else {
			w = e.window(a, al, lo, u, k, words)
		}
		e.add(jen.Id(n).Op("+=").Add(count(both(w, u))))
	})
	return jen.Id(n)
}

// window is word u of the k bits from lo on, wherever they lie.
func (e *emitter) window(a *val, al, lo, u index, k, words int) *jen.Statement {
	owner, ol := resolveWord(a, al)
	e.note(owner, ol, constant(-1))
	from := lo.plus(u.times(64))
	take := jen.Lit(64)
	if k%64 != 0 {
		take = jen.Min(jen.Lit(64), jen.Lit(k).Op("-").Add(u.times(64).code()))
	}
	return jen.Id("getBits").Call(e.words(owner, ol), from.code(), take)
}

// words is the slice of words of lane l of a one-bit vector that is not a view.
func (e *emitter) words(v *val, l index) *jen.Statement {
	if c := e.it.subst[v]; c != nil {
		v = c
	}
	name := v.name
	switch {
	case v.rows && v.lanes == 1:
		return jen.Id(name).Index(jen.Op(":"))
	case v.rows:
		return jen.Id(name).Index(l.code()).Index(jen.Op(":"))
	case v.class == computed:
		name += storeSuffix
	case v.class == constVal:
		e.uses[v]++
		l = constant(0)
	}
	lo, hi := l.times(v.units), l.times(v.units).plus(constant(v.units))
	return jen.Id(name).Index(lo.code().Op(":").Add(hi.code()))
}

// maskedSum is the column sum of a crossbar.
func (e *emitter) maskedSum(v *val, op ir.MaskedSum, l, g index) *jen.Statement {
	mask, cells := v.args[0], v.args[1]
	full := l.times(v.div)
	ml, cl := mask.lane(full), cells.lane(full)
	k := mask.Type.N
	if cells.bits {
		m := func(u index) *jen.Statement { return e.maskWord(mask, ml, u) }
		return total(e.countOnes(cells, m, cl, g.times(k), k), op.Signed, v.Type.W, v.width)
	}
	wide := func(x index) *jen.Statement {
		s := e.varying(cells, cl, x)
		if op.Signed {
			s = signed(s, cells.Type.W, cells.elemWidth())
		}
		return goType(v.width).Parens(s)
	}
	if k == 1 {
		return masked(wide(g).Op("*").Add(goType(v.width)).Parens(e.elem(mask, ml, constant(0))), v.Type.W, v.width)
	}
	sum := e.temp("sum")
	e.add(jen.Var().Id(sum).Add(goType(v.width)))
	stretch := func(u index, n int) {
		m := e.temp("m")
		e.add(jen.Id(m).Op(":=").Add(e.maskWord(mask, ml, u)))
		e.each("b", n, func(b index) {
			bit := goType(v.width).Parens(jen.Id(m).Op(">>").Add(shiftIndex(b)).Op("&").Lit(1))
			x := g.times(k).plus(u.times(64)).plus(b)
			e.add(jen.Id(sum).Op("+=").Parens(wide(x)).Op("&").Op("-").Add(bit))
		})
	}
	if k >= 64 {
		e.each("j", k/64, func(u index) { stretch(u, 64) })
	}
	if k%64 != 0 {
		stretch(constant(k/64), k%64)
	}
	return masked(jen.Id(sum), v.Type.W, v.width)
}

// maskWord is word u of a mask, which is a scalar when it has one element.
func (e *emitter) maskWord(v *val, l, u index) *jen.Statement {
	if v.bits {
		return e.word(v, l, u)
	}
	return jen.Uint64().Parens(e.elem(v, l, constant(0)))
}
