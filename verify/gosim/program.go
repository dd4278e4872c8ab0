package gosim

import (
	"bytes"
	"fmt"

	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// Source is the Go program of a design: model.go, which is written for the design, beside the
// runtime that all programs share. Equal designs give equal bytes.
func Source(d *ir.Design) ([]byte, error) {
	src, _, err := generate(d)
	return src, err
}

func generate(d *ir.Design) ([]byte, *plan, error) {
	p := newPlan(flat.Elaborate(d))
	p.schedule()
	pr := &printer{p: p, e: &emitter{p: p, uses: map[*val]int{}}, tables: map[*val]bool{}}
	f := jen.NewFile("main")
	f.HeaderComment("Code generated from the hardware IR of " + d.Name + ". DO NOT EDIT.")
	step := pr.step()
	f.Const().Id("stateWords").Op("=").Lit(p.stateWords())
	f.Comment("input is what step takes in.")
	f.Type().Id("input").Struct(p.in.declare()...)
	f.Comment("output is what step shows.")
	f.Type().Id("output").Struct(p.out.declare()...)
	pr.variables(f)
	f.Comment("step runs one cycle: settle, sample the outputs, clock edge.")
	f.Func().Id("step").Params(
		jen.Id("in").Op("*").Id("input"), jen.Id("out").Op("*").Id("output")).Block(step...)
	f.Comment("load puts the design into a power-on state.")
	f.Func().Id("load").Params(jen.Id("w").Index().Uint64()).Block(p.load()...)
	var b bytes.Buffer
	if err := f.Render(&b); err != nil {
		return nil, nil, fmt.Errorf("gosim: the program for %s does not print: %w", d.Name, err)
	}
	return b.Bytes(), p, nil
}

// declare lists the fields of the struct.
func (r *record) declare() []jen.Code {
	var code []jen.Code
	for _, f := range r.ordered() {
		t := goType(f.width)
		if f.units > 1 {
			t = jen.Index(jen.Lit(f.units)).Add(t)
		}
		code = append(code, jen.Id(f.name).Add(t))
	}
	if n := r.place(); n > 0 {
		code = append(code, jen.Id("_").Index(jen.Lit(n)).Uint8())
	}
	return code
}

type printer struct {
	p      *plan
	e      *emitter
	tables map[*val]bool
}

// entry is a stretch of the step; one that only gives a value is left out when nothing in
// the rest uses it.
type entry struct {
	gives *val
	code  []jen.Code
	uses  map[*val]int
}

// step prints all groups in order.
func (pr *printer) step() []jen.Code {
	e := pr.e
	var entries []entry
	take := func(gives *val) {
		entries = append(entries, entry{gives, *e.out, e.uses})
	}
	begin := func() { e.out, e.uses, e.late, e.rst, e.clk = new([]jen.Code), map[*val]int{}, nil, nil, nil }
	begin()
	e.add(jen.Id("rst").Op(":=").Id("in").Dot("rst"))
	take(rstVal)
	for _, g := range pr.p.groups {
		if !g.space.scalar() {
			begin()
			e.add(jen.Line())
			e.add(pr.versions(g, map[*val]bool{}, maxVersions)...)
			take(nil)
			continue
		}
		var late, rst, clk []jen.Code
		e.rt = nil
		for _, it := range g.items {
			begin()
			e.emit(it)
			late, rst, clk = append(late, e.late...), append(rst, e.rst...), append(clk, e.clk...)
			var gives *val
			if it.kind == computes && (!it.bulk || it.v.rows && it.v.lanes == 1) {
				gives = it.v
			}
			take(gives)
		}
		begin()
		if len(rst) > 0 {
			e.uses[rstVal]++
			e.add(jen.If(jen.Id("rst").Op("!=").Lit(0)).Block(rst...).Else().Block(clk...))
		}
		e.add(late...)
		take(nil)
	}
	return pr.alive(entries)
}

// alive drops values that nothing uses.
func (pr *printer) alive(entries []entry) []jen.Code {
	needed := map[*val]bool{}
	keep := make([]bool, len(entries))
	for i := len(entries) - 1; i >= 0; i-- {
		if g := entries[i].gives; g != nil && !needed[g] {
			continue
		}
		keep[i] = true
		for v := range entries[i].uses {
			needed[v] = true
			if v.class == constVal && v != rstVal {
				pr.tables[v] = true
			}
		}
	}
	var code []jen.Code
	for i, en := range entries {
		if keep[i] {
			code = append(code, en.code...)
		}
	}
	return code
}

// maxVersions bounds how deep a loop is versioned on selectors that are the same in every
// step; the others are masked.
const maxVersions = 4

// minVersioned is the number of steps from which versions of a loop are worth their code.
const minVersioned = 16

// versions prints the loop of g, for each value of the selectors that matter.
func (pr *printer) versions(g *group, known map[*val]bool, depth int) []jen.Code {
	e := pr.e
	out, uses := e.out, e.uses
	e.out, e.late, e.after, e.uses = new([]jen.Code), nil, nil, map[*val]int{}
	e.rt = &route{known: known, made: map[*val]bool{}}
	for _, it := range g.items {
		if it.kind != computes {
			e.emit(it)
			continue
		}
		if it.v.stored {
			e.at(it, it.v.lanes, it.v.units)
			name := e.local(it.v)
			e.add(store(it.v, e.l, e.u).Op("=").Add(name))
		}
	}
	body, after, ask := append(*e.out, e.late...), e.after, e.rt.ask
	var vectors []jen.Code
	if ask == nil {
		vectors = e.vectors(g)
	}
	bodyUses := e.uses
	e.out, e.uses, e.rt, e.late = out, uses, nil, nil
	if g.space.steps() < minVersioned {
		depth = 0
	}
	if ask != nil && (depth > 0 || ask == rstVal) {
		e.uses[ask]++
		one := pr.versions(g, with(known, ask, true), depth-1)
		zero := pr.versions(g, with(known, ask, false), depth-1)
		return branch(jen.Id(ask.name), one, zero)
	}
	for v := range bodyUses {
		e.uses[v]++
	}
	return append(eitherWay(vectors, g.loop(body)), after...)
}

// eitherWay chooses vectors, if there are any, when the program is built for them.
func eitherWay(vectors, plain []jen.Code) []jen.Code {
	if vectors == nil {
		return plain
	}
	return []jen.Code{jen.If(jen.Id("vectors")).Block(vectors...).Else().Block(plain...)}
}

// loop is the loop of g round body.
func (g *group) loop(body []jen.Code) []jen.Code {
	if len(body) == 0 {
		return nil
	}
	if g.space.units > 1 {
		inner := jen.For(jen.Id("e").Op(":=").Range().Lit(g.space.units)).Block(body...)
		return []jen.Code{jen.For(jen.Id("l").Op(":=").Range().Lit(g.space.lanes)).Block(inner)}
	}
	return []jen.Code{jen.For(jen.Id("i").Op(":=").Range().Lit(g.space.lanes)).Block(body...)}
}

func branch(sel *jen.Statement, one, zero []jen.Code) []jen.Code {
	switch {
	case len(one) == 0 && len(zero) == 0:
		return nil
	case len(zero) == 0:
		return []jen.Code{jen.If(sel.Op("!=").Lit(0)).Block(one...)}
	case len(one) == 0:
		return []jen.Code{jen.If(sel.Op("==").Lit(0)).Block(zero...)}
	}
	return []jen.Code{jen.If(sel.Op("!=").Lit(0)).Block(one...).Else().Block(zero...)}
}

func with(known map[*val]bool, v *val, value bool) map[*val]bool {
	m := map[*val]bool{v: value}
	for k, x := range known {
		m[k] = x
	}
	return m
}

// variables declares state, what outlives its loop, and tables.
func (pr *printer) variables(f *jen.File) {
	array := func(n int, t jen.Code) *jen.Statement { return jen.Index(jen.Lit(n)).Add(t) }
	plain := func(name string, n, width int) {
		t := goType(width)
		if n > 1 {
			t = array(n, t)
		}
		f.Var().Id(name).Add(t)
	}
	for _, r := range pr.p.regs {
		f.Commentf("Register %s.", r.Path)
		plain(r.q.name, r.q.lanes*r.q.units, r.q.width)
		if t := resetTable(r); t != nil {
			f.Var().Id(r.q.name + resetSuffix).Op("=").Add(table(t, r.q.width))
		}
	}
	for _, m := range pr.p.mems {
		f.Commentf("Memory %s.", m.Path)
		word := goType(m.width)
		if m.units > 1 {
			word = array(m.units, word)
		}
		f.Var().Id(m.name).Add(array(m.lanes*m.Depth, word))
		if m.units > 1 {
			f.Var().Id(m.name + zeroSuffix).Add(array(m.units, goType(m.width)))
		}
		if m.q != nil {
			plain(m.q.name, m.q.lanes*m.q.units, m.q.width)
		}
	}
	for _, g := range pr.p.groups {
		for _, it := range g.items {
			v := it.v
			switch {
			case it.kind != computes || !v.stored || v.rows && v.lanes == 1:
			case v.rows:
				f.Var().Id(v.name).Add(array(v.lanes, jen.Op("*").Add(array(v.units, goType(v.width)))))
			case scalar(v):
				plain(v.name, 1, v.width)
			default:
				f.Var().Id(v.name + storeSuffix).Add(array(v.lanes*v.units, goType(v.width)))
			}
		}
	}
	for _, v := range pr.p.vals {
		if pr.tables[v] {
			f.Var().Id(v.name).Op("=").Add(table(constWords(v), v.width))
		}
	}
}

func table(vals []uint64, width int) *jen.Statement {
	return jen.Index(jen.Op("...")).Add(goType(width)).ValuesFunc(func(g *jen.Group) {
		for _, x := range vals {
			g.Id(fmt.Sprintf("%#x", x))
		}
	})
}
