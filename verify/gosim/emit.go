package gosim

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
)

// emitter prints items as Go. It also runs without a group to record what an item reads:
// what is planned is then what is printed.
type emitter struct {
	p  *plan
	it *item  // the item being printed
	l  index  // its lane
	u  index  // and unit, an element or a word
	rt *route // the loop version, nil in straight-line code

	rec   *item        // record what this item reads, print nothing that counts
	out   *[]jen.Code  // where statements go
	uses  map[*val]int // straight-line values used, by the entry being printed
	tmp   int          // for names of inner temporaries
	late  []jen.Code   // state updates, which stand at the end of the group
	after []jen.Code   // state updates of all steps at once, behind the loop
	rst   []jen.Code   // straight-line state updates when rst is 1
	clk   []jen.Code   // and when it is 0
}

// route is one version of a loop: what is known of selectors that are the same in every step.
type route struct {
	known map[*val]bool
	ask   *val // the first selector that was met and is not known
	made  map[*val]bool
}

var rstVal = &val{name: "rst", width: 8, lanes: 1, units: 1}

func newRecorder(p *plan) *emitter { return &emitter{p: p} }

// record fills what it reads.
func (e *emitter) record(it *item) {
	it.needs, it.states, it.contents = nil, nil, map[*mem]bool{}
	e.rec, e.rt, e.uses = it, nil, map[*val]int{}
	e.emit(it)
	e.rec = nil
}

// emit prints it into a scratch or the current block.
func (e *emitter) emit(it *item) {
	if e.out == nil || e.rec != nil {
		e.out = new([]jen.Code)
	}
	e.it = it
	switch it.kind {
	case computes:
		e.at(it, it.v.lanes, it.v.units)
		e.define(it.v)
	case samples:
		e.at(it, 1, it.v.units)
		dst := jen.Id("out").Dot(it.port.name)
		if it.v.units > 1 {
			dst = dst.Index(e.u.code())
		}
		e.add(dst.Op("=").Add(e.unit(it.v, e.l, e.u)))
	case commits:
		e.at(it, it.reg.q.lanes, it.reg.q.units)
		e.commit(it.reg)
	case reads:
		e.at(it, it.mem.q.lanes, 1)
		e.readPort(it.mem)
	case writes:
		e.at(it, it.mem.lanes, 1)
		e.writePort(it.mem)
	}
}

func (e *emitter) at(it *item, lanes, units int) {
	e.it = it
	e.l, e.u = it.space.position(lanes, units)
	if it.bulk {
		e.l, e.u = constant(0), constant(0)
	}
}

func (e *emitter) add(c ...jen.Code) { *e.out = append(*e.out, c...) }

// note records a read of v at stored lane l, unit u.
func (e *emitter) note(v *val, l, u index) {
	if e.rec == nil {
		if v.class != constVal || v == rstVal {
			e.uses[v]++
		}
		return
	}
	a := access{v, false}
	sp := spaceOf(v.lanes, v.units)
	switch {
	case v.class == constVal || v.class == input || v == rstVal:
		return
	case e.rec.bulk || v.rows:
	case sp != e.rec.space:
	case sp.units > 1:
		a.same = same(l, e.l) && same(u, e.u)
	default:
		a.same = same(l.times(v.units).plus(u), e.l.plus(e.u))
	}
	if v.rows {
		e.rec.contents[v.mem] = true
	}
	list := &e.rec.needs
	if v.class == state {
		list = &e.rec.states
	}
	for i, old := range *list {
		if old.v == v {
			(*list)[i].same = old.same && a.same
			return
		}
	}
	*list = append(*list, a)
}

// unit reads unit u of stored lane l: a word of a one-bit vector, else an element.
func (e *emitter) unit(v *val, l, u index) *jen.Statement {
	if v.bits {
		return e.word(v, l, u)
	}
	return e.elem(v, l, u)
}

// elem reads element x of stored lane l as a Go value of the element's width; bits are uint8.
func (e *emitter) elem(v *val, l, x index) *jen.Statement {
	at := resolve(v, l, x)
	if !at.v.bits {
		return e.load(at.v, at.l, at.e)
	}
	if at.v.class == constVal && at.e.isConst() {
		return lit(8, at.v.Op.(ir.Const).Val[at.e.add])
	}
	w := e.load(at.v, at.l, at.e.quo(64))
	if sh := at.e.rem(64); !sh.isConst() || sh.add != 0 {
		w = w.Op(">>").Add(shiftIndex(sh))
	}
	return jen.Uint8().Parens(jen.Add(w).Op("&").Lit(1))
}

// shiftIndex is an index as a shift distance that Go knows to be below 64.
func shiftIndex(x index) *jen.Statement {
	if x.isConst() {
		return x.code()
	}
	return jen.Parens(jen.Uint().Parens(x.code()).Op("&").Lit(63))
}

// word reads word u of stored lane l of a one-bit vector.
func (e *emitter) word(v *val, l, u index) *jen.Statement {
	v, l = resolveWord(v, l)
	return e.load(v, l, u)
}

// load reads a value that is not a view.
func (e *emitter) load(v *val, l, u index) *jen.Statement {
	if e.it != nil {
		if c := e.it.subst[v]; c != nil {
			v = c
		}
	}
	e.note(v, l, u)
	flat := l.times(v.units).plus(u)
	switch {
	case v.class == constVal:
		return e.constant(v, flat)
	case (v.class == state || v.class == input) && v.lanes*v.units == 1:
		return jen.Id(v.name)
	case v.class == state || v.class == input:
		return jen.Id(v.name).Index(flat.code())
	case v.rows && v.lanes == 1:
		return jen.Id(v.name).Index(u.code())
	case v.rows:
		return jen.Id(v.name).Index(l.code()).Index(u.code())
	case scalar(v):
		return jen.Id(v.name)
	case e.rec != nil:
		return jen.Id(v.name)
	case e.rt != nil && v.item.group == e.it.group && !v.item.bulk:
		return e.local(v)
	}
	return jen.Id(v.name + storeSuffix).Index(flat.code())
}

// local is v in the loop that computes it; it is defined at its first use.
func (e *emitter) local(v *val) *jen.Statement {
	if !e.rt.made[v] {
		e.rt.made[v] = true
		it, l, u := e.it, e.l, e.u
		e.at(v.item, v.lanes, v.units)
		e.define(v)
		e.it, e.l, e.u = it, l, u
	}
	return jen.Id(v.name)
}

func (e *emitter) constant(v *val, flat index) *jen.Statement {
	vals := constWords(v)
	if flat.isConst() {
		return lit(v.width, vals[flat.add])
	}
	for _, x := range vals {
		if x != vals[0] {
			e.uses[v]++
			return jen.Id(v.name).Index(flat.code())
		}
	}
	return lit(v.width, vals[0])
}

// constWords is a constant as it is stored.
func constWords(v *val) []uint64 {
	vals := v.Op.(ir.Const).Val
	if !v.bits {
		return vals
	}
	return packWords(vals)
}

// packWords puts one-bit elements into words, the first lowest.
func packWords(vals []uint64) []uint64 {
	words := make([]uint64, (len(vals)+63)/64)
	for i, x := range vals {
		words[i/64] |= (x & 1) << (i % 64)
	}
	return words
}

// define prints v := its computation; one-bit results of several steps and sums declare
// themselves.
func (e *emitter) define(v *val) {
	if v.item != nil && v.item.bulk {
		e.bulk(v)
		return
	}
	e.add(jen.Id(v.name).Op(":=").Add(e.compute(v)).Add(comment(v)))
}

// comment names what a person called the value and where it comes from.
func comment(v *val) jen.Code {
	if v.Node == nil || v.Node.Loc == nil || v.Node.Loc.File == "" {
		return jen.Null()
	}
	return jen.Comment(v.Node.Loc.String())
}

func (e *emitter) temp(prefix string) string {
	e.tmp++
	return fmt.Sprintf("%s_%d", prefix, e.tmp)
}

// lit is x as a literal of the Go type of the width.
func lit(width int, x uint64) *jen.Statement {
	s := goType(width)
	if x < 10 {
		return s.Parens(jen.Lit(int(x)))
	}
	return s.Parens(jen.Id(fmt.Sprintf("%#x", x)))
}

func goType(width int) *jen.Statement { return jen.Id(fmt.Sprintf("uint%d", width)) }
func intType(width int) *jen.Statement {
	return jen.Id(fmt.Sprintf("int%d", width))
}

// varying is v's element where Go must not see a constant: a constant expression that
// overflows does not compile.
func (e *emitter) varying(v *val, l, x index) *jen.Statement {
	if isConst(v, l, x) {
		return jen.Id(fmt.Sprintf("v%d", v.elemWidth())).Call(e.elem(v, l, x))
	}
	return e.elem(v, l, x)
}

func isConst(v *val, l, x index) bool { return resolve(v, l, x).v.class == constVal }
