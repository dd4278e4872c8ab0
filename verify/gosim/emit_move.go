package gosim

import (
	"strings"

	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// loopsItself reports whether v is computed by loops of its own: copies of whole stretches,
// and packing of bits across elements.
func loopsItself(v *val) bool {
	switch op := v.Op.(type) {
	case ir.Join:
		return !v.bits || v.units > 1
	case ir.MemRead:
		return v.rows
	case ir.Cast:
		return v.Type.N > 1 && !oneWord(v)
	case flat.Enter:
		return op.Kind == ir.Chain
	}
	return false
}

// oneWord reports whether a cast gives a one-bit vector that fits a word.
func oneWord(v *val) bool { return v.bits && v.units == 1 }

// bulk prints the loops of a value that loopsItself.
func (e *emitter) bulk(v *val) {
	switch op := v.Op.(type) {
	case ir.Join:
		e.join(v)
	case ir.MemRead:
		e.rowPointers(v)
	case ir.Cast:
		e.recast(v)
	case flat.Enter:
		e.chain(v, op)
	}
}

// each prints a loop of n steps, or its body once.
func (e *emitter) each(prefix string, n int, body func(x index)) {
	if n == 1 {
		body(constant(0))
		return
	}
	e.loop(prefix, n, jen.Lit(n), body)
}

// loop prints a loop of count steps, n at most.
func (e *emitter) loop(prefix string, n int, count jen.Code, body func(x index)) {
	name := e.temp(prefix)
	x := loopVar(name, n)
	block := e.nested(func() { body(x) })
	if x.terms[0].atom.used {
		e.add(jen.For(jen.Id(name).Op(":=").Range().Add(count)).Block(block...))
	} else {
		e.add(jen.For(jen.Range().Add(count)).Block(block...))
	}
}

// orInto prints w |= bit << b.
func (e *emitter) orInto(w string, bit *jen.Statement, b index) {
	e.add(jen.Id(w).Op("|=").Uint64().Parens(bit).Op("<<").Add(shiftIndex(b)))
}

// store is the package variable of v at stored lane l, unit u.
func store(v *val, l, u index) *jen.Statement {
	if scalar(v) {
		return jen.Id(v.name)
	}
	return jen.Id(v.name + storeSuffix).Index(l.times(v.units).plus(u).code())
}

// maxUnrolled bounds the parts that a join of several lanes is printed as without a loop.
const maxUnrolled = 128

func (e *emitter) join(v *val) {
	if v.bits {
		e.joinBits(v)
		return
	}
	lane := func(l index) {
		at := l.times(v.units)
		for _, a := range v.args {
			al := a.lane(l.times(v.div))
			e.fill(v, at, a.Type.N, func(x index) place { return resolve(a, al, x) })
			at = at.plus(constant(a.Type.N))
		}
	}
	if v.lanes*len(v.args) > maxUnrolled {
		e.each("l", v.lanes, lane)
		return
	}
	for l := range v.lanes {
		lane(constant(l))
	}
}

// fill gives n elements of v, from the given one on, what src has: by one copy where that is
// a stretch of an array too.
func (e *emitter) fill(v *val, first index, n int, src func(x index) place) {
	if from, lo, ok := e.stretch(v, n, src); ok {
		dst := jen.Id(v.name + storeSuffix).Index(first.code().Op(":").Add(first.plus(constant(n)).code()))
		e.add(jen.Copy(dst, jen.Id(from).Index(lo.code().Op(":").Add(lo.plus(constant(n)).code()))))
		return
	}
	e.each("e", n, func(x index) {
		at := src(x)
		e.add(store(v, constant(0), first.plus(x)).Op("=").Add(e.elem(at.v, at.l, at.e)))
	})
}

// stretch is the array and its first element when src gives n of them one by one.
func (e *emitter) stretch(v *val, n int, src func(x index) place) (array string, lo index, ok bool) {
	x := loopVar("stretch", n)
	at := src(x)
	if n == 1 || e.rec != nil || at.v.bits || at.v.rows || at.v.width != v.width || at.v.class == constVal || scalar(at.v) {
		return "", lo, false
	}
	lo = at.l.times(at.v.units).plus(at.e).plus(x.times(-1))
	if strings.Contains(lo.String(), "stretch") {
		return "", lo, false
	}
	e.note(at.v, at.l, at.e)
	if c := e.it.subst[at.v]; c != nil {
		at.v = c
	}
	if at.v.class == computed {
		return at.v.name + storeSuffix, lo, true
	}
	return at.v.name, lo, true
}

// joinBits puts one-bit parts together word by word.
func (e *emitter) joinBits(v *val) {
	e.each("l", v.lanes, func(l index) {
		row := e.temp("row")
		lo, hi := l.times(v.units), l.times(v.units).plus(constant(v.units))
		e.add(jen.Id(row).Op(":=").Id(v.name + storeSuffix).Index(lo.code().Op(":").Add(hi.code())))
		e.add(jen.Clear(jen.Id(row)))
		at := 0
		for _, a := range v.args {
			al := a.lane(l.times(v.div))
			size := 1
			if a.bits {
				size = 64
			}
			e.each("u", a.units, func(u index) {
				part := jen.Uint64().Parens(e.unit(a, al, u))
				e.add(jen.Id("orBits").Call(jen.Id(row), u.times(size).plus(constant(at)).code(), part))
			})
			at += a.Type.N
		}
	})
}

// chain passes the neighbours' outputs on: one copy shifted by a neighbour, then the edge.
func (e *emitter) chain(v *val, op flat.Enter) {
	n := v.units
	grid := op.Rows * op.Cols
	parents := v.Lanes / grid
	step, edge := 1, op.Rows
	if op.Side == ir.North || op.Side == ir.South {
		step, edge = op.Cols, op.Cols
	}
	if step*n < v.Lanes*n && grid > edge {
		e.shifted(v, step*n, op.Side == ir.West || op.Side == ir.North)
	}
	src := v.args[0]
	if first := edgeLane(op, constant(0)); n == 1 && !v.bits && parents == 1 && same(edgeLane(op, loopVar("g", edge)), loopVar("g", edge).plus(first)) {
		e.fill(v, first, edge, func(x index) place { return resolve(src, constant(0), x) })
		return
	}
	e.each("p", parents, func(p index) {
		e.each("g", edge, func(g index) {
			at := edgeLane(op, g)
			lane := p.times(grid).plus(at)
			e.each("u", n, func(u index) {
				sl := src.lane(p)
				first := g.times(v.Type.N)
				e.add(store(v, lane, u).Op("=").Add(e.compose(v, u, func(x index) *jen.Statement {
					return e.elem(src, sl, first.plus(x))
				})))
			})
		})
	})
}

// edgeLane is the instance of the grid that group g of the source feeds.
func edgeLane(op flat.Enter, g index) index {
	switch op.Side {
	case ir.West:
		return g.times(op.Cols)
	case ir.East:
		return g.times(op.Cols).plus(constant(op.Cols - 1))
	case ir.North:
		return g
	}
	return g.plus(constant((op.Rows - 1) * op.Cols))
}

// compose is unit u of v made from its elements.
func (e *emitter) compose(v *val, u index, element func(x index) *jen.Statement) *jen.Statement {
	if !v.bits {
		return element(u)
	}
	return e.packed(v, u, element, nil)
}

// packed puts word u of v together from its elements; vector, where not nil, is another way.
func (e *emitter) packed(v *val, u index, element func(x index) *jen.Statement, vector func(word string) []jen.Code) *jen.Statement {
	w := e.temp("word")
	e.add(jen.Var().Id(w).Uint64())
	n := min(v.Type.N, 64)
	count := jen.Lit(n)
	if v.units > 1 && v.Type.N%64 != 0 {
		count = jen.Min(jen.Lit(64), jen.Lit(v.Type.N).Op("-").Parens(u.times(64).code()))
	}
	code := e.nested(func() {
		e.loop("b", n, count, func(b index) { e.orInto(w, element(u.times(64).plus(b)), b) })
	})
	if vector != nil {
		code = eitherWay(vector(w), code)
	}
	e.add(code...)
	return jen.Id(w)
}

// shifted copies the chained output by d units, to higher lanes when up. What crosses from
// one row to the next is overwritten by the edge.
func (e *emitter) shifted(v *val, d int, up bool) {
	from := v.args[1]
	total := v.lanes * v.units
	if name, ok := e.array(from, v); ok {
		dst := jen.Id(v.name + storeSuffix)
		if up {
			e.add(jen.Copy(dst.Index(jen.Lit(d).Op(":")), jen.Id(name).Index(jen.Op(":").Lit(total-d))))
		} else {
			e.add(jen.Copy(dst.Index(jen.Op(":").Lit(total-d)), jen.Id(name).Index(jen.Lit(d).Op(":"))))
		}
		return
	}
	e.each("s", total-d, func(i index) {
		to, at := i.plus(constant(d)), i
		if !up {
			to, at = at, to
		}
		l := at.quo(v.units)
		s := e.unit(from, from.lane(l), at.rem(v.units))
		e.add(jen.Id(v.name + storeSuffix).Index(to.code()).Op("=").Add(s))
	})
}

// array is the package variable that holds a's data in the layout of v, if there is one.
func (e *emitter) array(a, v *val) (string, bool) {
	l := loopVar("l", v.lanes)
	u := loopVar("u", v.units)
	al := a.lane(l.times(v.div))
	owner, ol, ou := a, al, u
	if a.bits {
		owner, ol = resolveWord(a, al)
	} else {
		at := resolve(a, al, u)
		owner, ol, ou = at.v, at.l, at.e
	}
	flatIndex := ol.times(owner.units).plus(ou)
	if owner.bits != v.bits || owner.lanes*owner.units != v.lanes*v.units || scalar(owner) || owner.rows ||
		owner.class == constVal || !same(flatIndex, l.times(v.units).plus(u)) {
		return "", false
	}
	if c := e.it.subst[owner]; c != nil {
		owner = c
	}
	if owner.class == state || owner.class == input {
		if e.rt != nil && e.it.group.changes(owner) {
			return "", false
		}
		e.note(owner, ol, ou)
		return owner.name, true
	}
	if e.rt != nil && owner.item.group == e.it.group {
		return "", false
	}
	e.note(owner, ol, ou)
	return owner.name + storeSuffix, true
}

// castScalar is a cast whose result is one element.
func (e *emitter) castScalar(v *val, l index) *jen.Statement {
	a := v.args[0]
	al := a.lane(l.times(v.div))
	if a.bits {
		return goType(v.width).Parens(e.word(a, al, constant(0)))
	}
	return goType(v.width).Parens(e.pack(a, al))
}

// castWord is a cast to a one-bit vector of at most 64 elements.
func (e *emitter) castWord(v *val) *jen.Statement {
	a := v.args[0]
	return e.pack(a, a.lane(e.l.times(v.div)))
}

// pack is the packed word of a, which has at most 64 bits.
func (e *emitter) pack(a *val, al index) *jen.Statement {
	var s *jen.Statement
	for i := range a.Type.N {
		part := jen.Uint64().Parens(e.elem(a, al, constant(i)))
		if i > 0 {
			s = s.Op("|").Add(part.Op("<<").Lit(i * a.Type.W))
		} else {
			s = part
		}
	}
	return s
}

// recast regroups bits: the operand is written to a scratch row of words, the result read
// from it.
func (e *emitter) recast(v *val) {
	a := v.args[0]
	words := (v.Type.Total() + 63) / 64
	e.each("l", v.lanes, func(l index) {
		al := a.lane(l.times(v.div))
		row := e.temp("packed")
		e.add(jen.Var().Id(row).Index(jen.Lit(words)).Uint64())
		if a.bits { // packed already
			e.each("e", words, func(x index) { e.add(jen.Id(row).Index(x.code()).Op("=").Add(e.word(a, al, x))) })
		} else {
			e.each("e", a.Type.N, func(x index) {
				e.add(jen.Id("orBits").Call(jen.Id(row).Index(jen.Op(":")), x.times(a.Type.W).code(),
					jen.Uint64().Parens(e.elem(a, al, x))))
			})
		}
		e.each("e", v.units, func(x index) {
			w := v.Type.W
			if v.bits {
				w = 64
			}
			get := jen.Id("getBits").Call(jen.Id(row).Index(jen.Op(":")), x.times(w).code(), jen.Lit(w))
			e.add(store(v, l, x).Op("=").Add(goType(v.width)).Parens(get))
		})
	})
}
