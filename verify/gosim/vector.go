package gosim

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
)

// vectorSteps is the number of positions of a loop that vector code works on at a time, each
// in 32 bits.
const vectorSteps = 16

// vectorizer prints a version of a loop for vectors, when it only does arithmetic of up to 32
// bits on arrays that are read at the loop's position. The functions it calls are in the
// runtime; those of the file vector_off stand for processors and toolchains without vectors.
type vectorizer struct {
	*emitter
	head, body, late []jen.Code // before the loop, in the loop, and state updates at its end
	made             map[*val]lanes
	all              map[string]string // broadcasts, by what they spread
	i                index             // the loop variable
	failed           bool              // something has no vector form
}

// lanes is a vector. Bits above the width w of an element are zero when clean.
type lanes struct {
	code  *jen.Statement
	w     int
	clean bool
}

// vectors is the loop of g for vectors, or nil.
func (e *emitter) vectors(g *group) []jen.Code {
	if g.space.units > 1 || g.space.lanes%vectorSteps != 0 {
		return nil
	}
	vz := e.vectorizer(loopVar("i", g.space.lanes))
	for _, it := range g.items {
		switch it.kind {
		case computes:
			if !it.v.stored {
				break
			}
			e.at(it, it.v.lanes, it.v.units)
			to := it.v.name + storeSuffix
			vz.store(&vz.body, it.v, to, e.l.times(it.v.units).plus(e.u), vz.local(it.v))
		case samples:
			e.at(it, 1, it.v.units)
			vz.store(&vz.body, it.v, "out."+it.port.name, e.u, vz.read(it.v, e.l, e.u))
		case commits:
			e.at(it, it.reg.q.lanes, it.reg.q.units)
			vz.commit(it.reg)
		default:
			return nil
		}
		if vz.failed {
			return nil
		}
	}
	return vz.loop(g.space.lanes, append(vz.body, vz.late...))
}

func (e *emitter) vectorizer(i index) *vectorizer {
	return &vectorizer{emitter: e, made: map[*val]lanes{}, all: map[string]string{}, i: i}
}

// loop is the loop of n steps round body, or nothing.
func (vz *vectorizer) loop(n int, body []jen.Code) []jen.Code {
	if vz.failed || len(body) == 0 {
		return nil
	}
	i := func() *jen.Statement { return vz.i.code() }
	head := []jen.Code{i().Op(":=").Lit(0), i().Op("<").Lit(n), i().Op("+=").Lit(vectorSteps)}
	return append(vz.head, jen.For(head...).Block(body...))
}

// vectorWord is the loop that puts the elements of the one-bit vector v into the variable
// word, or nil.
func (e *emitter) vectorWord(v *val, word string) []jen.Code {
	n := v.Type.N
	if e.rec != nil || e.rt != nil || n > 64 || n%vectorSteps != 0 {
		return nil
	}
	vz := e.vectorizer(loopVar(e.temp("b"), n))
	u := e.u
	e.u = vz.i
	x := vz.cleaned(vz.operation(v))
	e.u = u
	bits := jen.Uint64().Parens(call("vbits", x.code))
	return vz.loop(n, append(vz.body, jen.Id(word).Op("|=").Add(bits).Op("<<").Add(shiftIndex(vz.i))))
}

// fail says that there is no vector form.
func (vz *vectorizer) fail() lanes {
	vz.failed = true
	return lanes{jen.Id("none"), 32, true}
}

func call(name string, args ...jen.Code) *jen.Statement { return jen.Id(name).Call(args...) }

func (vz *vectorizer) commit(r *reg) {
	q := r.q
	to := vz.l.times(q.units).plus(vz.u)
	next := func() lanes { return vz.read(r.next, r.next.lane(vz.l.times(q.div)), vz.u) }
	switch vz.updates(r) {
	case resets:
		if resetTable(r) != nil || q.bits {
			vz.fail()
			return
		}
		vz.store(&vz.late, q, q.name, to, vz.spread(lit(32, r.Reset[0]), q.Type.W))
	case takes:
		vz.store(&vz.late, q, q.name, to, vz.held(next()))
	case selects:
		en := vz.read(r.en, r.en.lane(vz.l.times(q.div)), constant(0))
		vz.store(&vz.late, q, q.name, to, vz.held(vz.sel(en, next(), vz.read(q, vz.l, vz.u))))
	}
}

func (vz *vectorizer) held(x lanes) lanes {
	name := vz.temp("next")
	vz.body = append(vz.body, jen.Id(name).Op(":=").Add(x.code))
	return lanes{jen.Id(name), x.w, x.clean}
}

// store prints the store of x, an element of v, into an array at the position to.
func (vz *vectorizer) store(where *[]jen.Code, v *val, array string, to index, x lanes) {
	if v.bits || v.width > 32 {
		vz.fail()
		return
	}
	if v.Type.W < v.width {
		x = vz.cleaned(x)
	}
	*where = append(*where, call(fmt.Sprintf("vstore%d", v.width), jen.Op("&").Id(array).Index(to.code()), x.code))
}

func (vz *vectorizer) cleaned(x lanes) lanes {
	if x.clean || x.w == 32 {
		return lanes{x.code, x.w, true}
	}
	return lanes{call("vand", x.code, vz.spread(lit(32, 1<<x.w-1), 32).code), x.w, true}
}

// spread is a vector whose lanes are all the uint32 x.
func (vz *vectorizer) spread(x *jen.Statement, w int) lanes {
	text := fmt.Sprintf("%#v", x)
	if vz.all[text] == "" {
		vz.all[text] = vz.temp("all")
		vz.head = append(vz.head, jen.Id(vz.all[text]).Op(":=").Add(call("vall", x)))
	}
	return lanes{jen.Id(vz.all[text]), w, true}
}

// read is the elements of v that the steps from the present one on read.
func (vz *vectorizer) read(v *val, l, x index) lanes {
	at, from, ok := vz.find(v, l, x)
	switch {
	case !ok:
		return vz.fail()
	case at.v.class == constVal:
		c, same := constElem(at.v, at.l, at.e)
		if !same {
			return vz.fail()
		}
		return vz.spread(lit(32, c), at.v.Type.W)
	case scalar(at.v):
		return vz.spread(jen.Uint32().Parens(vz.load(at.v, at.l, at.e)), at.v.Type.W)
	case from == nil:
		return vz.local(at.v)
	}
	return lanes{call(fmt.Sprintf("vload%d", at.v.width), from), at.v.Type.W, true}
}

// find is where elements of v lie; from is their address when an array holds them.
func (vz *vectorizer) find(v *val, l, x index) (at place, from *jen.Statement, ok bool) {
	if v.bits || v.rows {
		return at, nil, false
	}
	at = resolve(v, l, x)
	if at.v.bits || at.v.rows || at.v.width > 32 {
		return at, nil, false
	}
	inGroup := at.v.item != nil && at.v.item.group == vz.it.group && !at.v.item.bulk
	if at.v.class == constVal || scalar(at.v) || inGroup {
		return at, nil, true
	}
	i := vz.i.terms[0].atom.text
	lo := at.l.times(at.v.units).plus(at.e).plus(vz.i.times(-1))
	if c := vz.it.subst[at.v]; c != nil {
		at.v = c
	}
	vz.note(at.v, at.l, at.e)
	name := at.v.name
	if at.v.class == computed {
		name += storeSuffix
	}
	from = jen.Op("&").Id(name).Index(lo.plus(vz.i).code())
	return at, from, !strings.Contains(lo.String(), "*"+i+"+") && !strings.Contains(lo.String(), "(")
}

// local is a value that the loop computes; it is defined at its first use.
func (vz *vectorizer) local(v *val) lanes {
	if x, ok := vz.made[v]; ok {
		return x
	}
	it, l, u := vz.it, vz.l, vz.u
	vz.emitter.at(v.item, v.lanes, v.units)
	x := vz.compute(v)
	vz.it, vz.l, vz.u = it, l, u
	vz.body = append(vz.body, jen.Id(v.name).Op(":=").Add(x.code))
	if x.w != v.Type.W && !vz.failed {
		panic(fmt.Sprintf("gosim: a vector of %d bits for %T of %v", x.w, v.Op, v.Type))
	}
	vz.made[v] = lanes{jen.Id(v.name), x.w, x.clean}
	return vz.made[v]
}

// compute is v at the present positions.
func (vz *vectorizer) compute(v *val) lanes {
	if v.bits || v.width > 32 {
		return vz.fail()
	}
	return vz.operation(v)
}

// operation is v, or where v is a one-bit vector, its elements.
func (vz *vectorizer) operation(v *val) lanes {
	w := v.Type.W
	arg := func(i int) lanes {
		a, al, ax := operand(v, i, vz.l, vz.u)
		return vz.read(a, al, ax)
	}
	switch op := v.Op.(type) {
	case copyOf:
		return vz.read(v.args[0], vz.l, vz.u)
	case ir.Binary:
		a, b := arg(0), arg(1)
		name := []string{"vadd", "vsub", "vmul", "vand", "vor", "vxor"}[op.Kind]
		return lanes{call(name, a.code, b.code), w, op.Kind > ir.Mul && a.clean && b.clean}
	case ir.Not:
		return lanes{call("vxor", arg(0).code, vz.spread(lit(32, 1<<32-1), 32).code), w, false}
	case ir.Compare:
		return vz.compare(op.Kind, arg(0), arg(1))
	case ir.Mux:
		sel, sl, sx := operand(v, 0, vz.l, vz.u)
		if k, ok := vz.known(sel, sl, sx); ok && k {
			return arg(1)
		} else if ok {
			return arg(2)
		}
		return vz.sel(vz.read(sel, sl, sx), arg(1), arg(2))
	case ir.Extend:
		if !op.Signed {
			return lanes{vz.cleaned(arg(0)).code, w, true}
		}
		a, al, ax := operand(v, 0, vz.l, vz.u)
		return lanes{vz.signed(a, al, ax), w, false}
	case ir.Slice:
		x := arg(0)
		if op.Lo > 0 {
			x = vz.cleaned(x)
			x.code = call("vshr", x.code, jen.Lit(op.Lo))
		}
		return lanes{x.code, w, x.clean && op.Lo+w == v.args[0].Type.W}
	case ir.Cat:
		x, lo := lanes{}, w
		for i, a := range v.args {
			lo -= a.Type.W
			part := call("vshl", vz.cleaned(arg(i)).code, jen.Lit(lo))
			if i == 0 {
				x = lanes{part, w, true}
			} else {
				x.code = call("vor", x.code, part)
			}
		}
		return x
	case ir.Shift:
		return vz.shift(v, op.Kind)
	}
	return vz.fail()
}

// signed is a sign-extended to 32 bits.
func (vz *vectorizer) signed(a *val, al, ax index) *jen.Statement {
	at, from, ok := vz.find(a, al, ax)
	if w := a.Type.W; ok && from != nil && w == at.v.width && w < 32 {
		return call(fmt.Sprintf("vloadInt%d", w), from)
	}
	return signExtended(vz.read(a, al, ax))
}

func signExtended(x lanes) *jen.Statement {
	if x.w == 32 {
		return x.code
	}
	return call("vsar", call("vshl", x.code, jen.Lit(32-x.w)), jen.Lit(32-x.w))
}

func (vz *vectorizer) compare(k ir.CompareKind, a, b lanes) lanes {
	var x, y *jen.Statement
	if k == ir.Lts || k == ir.Les {
		x, y = signExtended(a), signExtended(b)
	} else {
		x, y = vz.cleaned(a).code, vz.cleaned(b).code
	}
	name := []string{"veq", "vne", "vltu", "vleu", "vlts", "vles"}[k]
	return lanes{call("vand", call(name, x, y), vz.spread(lit(32, 1), 32).code), 1, true}
}

// sel is a where s is 1, else b.
func (vz *vectorizer) sel(s, a, b lanes) lanes {
	return lanes{call("vsel", vz.cleaned(s).code, a.code, b.code), a.w, a.clean && b.clean}
}

// shift is a shift by a constant.
func (vz *vectorizer) shift(v *val, k ir.ShiftKind) lanes {
	by, bl, bx := operand(v, 1, vz.l, vz.u)
	n, ok := constElem(by, bl, bx)
	if !ok {
		return vz.fail()
	}
	a, al, ax := operand(v, 0, vz.l, vz.u)
	w, dist := v.Type.W, jen.Lit(int(min(n, 64)))
	switch k {
	case ir.Shl:
		return lanes{call("vshl", vz.read(a, al, ax).code, dist), w, false}
	case ir.Shr:
		return lanes{call("vshr", vz.cleaned(vz.read(a, al, ax)).code, dist), w, true}
	}
	return lanes{call("vsar", vz.signed(a, al, ax), dist), w, false}
}
