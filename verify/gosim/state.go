package gosim

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// stateWords is the length of a power-on state: for every register the elements of its
// stored lanes; then for every memory its contents and what its read port holds.
func (p *plan) stateWords() int {
	n := 0
	for _, r := range p.regs {
		n += r.q.lanes * r.Type.N
	}
	for _, m := range p.mems {
		n += m.lanes * m.Depth * m.Type.N
		if m.q != nil {
			n += m.q.lanes * m.Type.N
		}
	}
	return n
}

// powerOn is the state that load of the generated program takes.
func (p *plan) powerOn(seed uint64, img *ir.Image) ([]uint64, error) {
	if err := img.Check(); err != nil {
		return nil, fmt.Errorf("gosim: %w", err)
	}
	out := make([]uint64, 0, p.stateWords())
	seeded := func(module, name string, words, lanes int, t ir.Type) {
		for range lanes {
			for i := range words * t.N {
				out = append(out, ir.InitWord(seed, module, name, i, t.W))
			}
		}
	}
	for _, r := range p.regs {
		seeded(r.Module, r.Name, 1, r.q.lanes, r.Type)
	}
	for _, m := range p.mems {
		for l := range m.lanes {
			path := m.Paths[l*m.div]
			data := m.Init
			if data == nil && m.Loaded && img != nil {
				data = img.Data[path]
			}
			if data == nil {
				seeded(m.Module, m.Name, m.Depth, 1, m.Type)
				continue
			}
			if err := m.Admit(path, data); err != nil {
				return nil, fmt.Errorf("gosim: %w", err)
			}
			for _, x := range data {
				out = append(out, x&bits.Mask(m.Type.W))
			}
		}
		if m.q != nil {
			seeded(m.Module, m.Name+".q", 1, m.q.lanes, m.Type)
		}
	}
	return out, nil
}

// load prints the body of the function that takes a power-on state in.
func (p *plan) load() []jen.Code {
	var code []jen.Code
	// take reads n rows of t into the variable; row gives the row's slice or element.
	take := func(dst *jen.Statement, rows int, t ir.Type, single, wide bool) {
		isBits, units, width := layout(t)
		i, e := jen.Id("i"), jen.Id("e")
		word := jen.Id("w").Index(jen.Id("i").Op("*").Lit(t.N).Op("+").Id("e"))
		var set jen.Code
		switch {
		case isBits && single:
			set = jen.Id("takeBit").Call(jen.Op("&").Add(dst), jen.Id("e"), word)
		case isBits && wide:
			set = jen.Id("takeBit").Call(jen.Op("&").Add(dst).Index(i).Index(jen.Id("e").Op("/").Lit(64)), e, word)
		case isBits:
			at := jen.Id("i").Op("*").Lit(units).Op("+").Id("e").Op("/").Lit(64)
			set = jen.Id("takeBit").Call(jen.Op("&").Add(dst).Index(at), e, word)
		case single:
			set = dst.Op("=").Add(goType(width)).Parens(word)
		case wide:
			set = dst.Index(i).Index(e).Op("=").Add(goType(width)).Parens(word)
		default:
			set = dst.Index(jen.Id("i").Op("*").Lit(t.N).Op("+").Id("e")).Op("=").Add(goType(width)).Parens(word)
		}
		code = append(code,
			jen.For(jen.Id("i").Op(":=").Range().Lit(rows)).Block(
				jen.For(jen.Id("e").Op(":=").Range().Lit(t.N)).Block(set)),
			jen.Id("w").Op("=").Id("w").Index(jen.Lit(rows*t.N).Op(":")))
	}
	for _, r := range p.regs {
		take(jen.Id(r.q.name), r.q.lanes, r.Type, r.q.lanes*r.q.units == 1, false)
	}
	for _, m := range p.mems {
		take(jen.Id(m.name), m.lanes*m.Depth, m.Type, false, m.units > 1)
		if m.q != nil {
			take(jen.Id(m.q.name), m.q.lanes, m.Type, m.q.lanes*m.q.units == 1, false)
		}
	}
	return append(code, jen.Id("_").Op("=").Id("w"))
}
