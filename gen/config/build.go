package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"ohmloom/gen/arch"
)

// defaultTechnology is what figures are based on unless a description says otherwise.
const defaultTechnology = "45nm"

// build fills the architecture from the evaluated tree. It is also called for trees with
// mistakes, to find those that only show when values are put together.
func (l *loader) build(tree *node, root *sourceFile, technology string) *arch.Chip {
	chip := &arch.Chip{Source: root.name, ClockMHz: 100}
	l.chosen = l.model(tree)
	l.unknown = l.chosen == nil && (l.opts.Model != "" || tree.has("model") || tree.wanting("model"))
	chip.Model = l.chosen
	if c := tree.child("chip"); c != nil {
		chip.Name = c.label
		chip.Pos = c.pos()
		chip.ClockMHz = c.float("clock_mhz", 100)
		l.checkName(c)
		chip.Attention = l.attention(c.child("attention"))
		chip.PIM = l.pim(c.child("pim"))
		if chip.PIM != nil && chip.PIM.Bank != nil {
			chip.PIM.Bank.Split = c.child("sequencer") == nil
		}
		chip.Sequencer = l.sequencer(c.child("sequencer"), c, chip)
		chip.Host = l.host(c.child("host"), chip)
		if chip.Attention == nil && chip.PIM == nil && !l.broken {
			l.add(Error, c.rng, Diagnostic{Summary: "The chip is empty", In: c.in, Allowed: `"attention", "pim" or both`,
				Suggestion: "add attention { ... } or pim { ... }"})
		}
	}
	chip.Technology = l.technology(tree, technology)
	chip.Verify = l.verify(tree.childOrEmpty("verify"), tree.child("chip"), chip)
	return chip
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxName leaves room for suffixes in file names and in generated C++.
const maxName = 64

// checkName refuses chip names that can't be the top module's.
func (l *loader) checkName(c *node) {
	d := Diagnostic{In: c.in, Value: quote(c.label)}
	switch {
	case c.named == hcl.Range{}:
		return // a missing name was reported
	case !identifier.MatchString(c.label):
		d.Summary = "Chip name is no Verilog identifier"
		d.Allowed = "letters, digits and _, not beginning with a digit"
		if s := toIdentifier(c.label); s != "" {
			d.Suggestion = "use " + quote(s)
		}
	case verilogReserved[c.label]:
		d.Summary = "Chip name is a word reserved in Verilog"
		d.Suggestion = "use " + quote(c.label+"_chip")
	case len(c.label) > maxName:
		d.Summary = "Chip name is too long"
		d.Allowed = fmt.Sprintf("at most %d characters", maxName)
	default:
		return
	}
	l.add(Error, c.named, d)
}

// toIdentifier is the identifier nearest to a name, "" when nothing of it can stay.
func toIdentifier(s string) string {
	out := strings.Trim(regexp.MustCompile(`[^A-Za-z0-9_]+`).ReplaceAllString(s, "_"), "_")
	if out != "" && out[0] >= '0' && out[0] <= '9' {
		out = "chip_" + out
	}
	return out[:min(len(out), maxName)]
}

func (l *loader) pim(n *node) *arch.PIM {
	if n == nil {
		return nil
	}
	p := &arch.PIM{RowBlocks: n.int("row_blocks", 1), ColBlocks: n.int("col_blocks", 1), Lanes: n.int("lanes", 8), Pos: n.pos()}
	x := n.childOrEmpty("crossbar")
	adc := x.childOrEmpty("adc")
	rows, cols := x.int("rows", 1), x.int("cols", 1)
	p.Crossbar = arch.Crossbar{Rows: rows, Cols: cols, Pos: x.pos(), ADC: arch.ADC{
		Bits:  adc.int("bits", 8),
		Share: adc.int("share", min(8, cols)),
		Step:  adc.str("step", "clip"),
		Rows:  adc.int("rows", min(64, rows)),
		Pos:   adc.pos(),
	}}
	p.Crossbar.Effects = l.effects(x, adc, p.Crossbar.ADC.Step)
	p.Crossbar.Write = l.write(x)
	p.Bank = l.bank(n)
	l.fitCells(n, p)
	if norm := n.child("norm"); p.Bank == nil && norm != nil {
		l.add(Error, norm.rng, Diagnostic{Summary: "Only banks have a norm", In: norm.in, Suggestion: fmt.Sprintf("describe banks (%s), or remove it", oneOf(bankAttrs))})
	}
	l.checkWithin(adc, "share", p.Crossbar.ADC.Share, x, "cols", cols)
	l.checkWithin(adc, "rows", p.Crossbar.ADC.Rows, x, "rows", rows)
	l.fitPIM(n, x, adc, p)
	return p
}

// checkWithin reports an attribute of the converter that is larger than the crossbar.
func (l *loader) checkWithin(n *node, name string, v int, outer *node, outerName string, most int) {
	if v > most && n.has(name) && outer.has(outerName) {
		l.add(Error, n.at(name), Diagnostic{Summary: fmt.Sprintf("%q exceeds the crossbar's %s", name, outerName), In: n.in,
			Value:      fmt.Sprint(v),
			Allowed:    fmt.Sprintf("1 .. %s, the crossbar's %s (%s)", thousands(int64(most)), outerName, position(outer.at(outerName))),
			Suggestion: fmt.Sprintf("use %d, or a larger crossbar", most)})
	}
}

// addTechnologies puts library technologies that the description may need under its own.
// The name is an expression, evaluated only later; reading all of them is cheap.
func (l *loader) addTechnologies(tree *node) {
	_, technologies := Library()
	for _, name := range technologies {
		f := l.readLibrary("technology", name)
		merge(tree, l.check(f.body, &language, "", hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.InitialPos}))
	}
}

func (l *loader) technology(tree *node, fallback string) arch.Technology {
	if tree.wanting("technology") {
		return arch.Technology{}
	}
	name := tree.str("technology", fallback)
	var names []string
	for _, t := range tree.blocks["technology"] {
		names = append(names, t.label)
		l.checkAreas(t)
	}
	i := slices.Index(names, name)
	if i < 0 {
		if !l.broken {
			slices.Sort(names)
			l.add(Error, tree.at("technology"), Diagnostic{Summary: "Unknown technology", Value: quote(name), Allowed: oneOf(names),
				Suggestion: orElse(didYouMean(name, names), "describe it: technology "+quote(name)+" { ... }")})
		}
		return arch.Technology{}
	}
	t := tree.blocks["technology"][i]
	tech := arch.Technology{Name: name, NodeNM: t.float("node_nm", 0), Pos: t.pos()}
	tech.Liberty = l.path(t, "liberty")
	tech.LibertyNodeNM = t.float("liberty_node_nm", defaultLibertyNM)
	if tech.Liberty != "" {
		tech.LibertyNodeNM = t.float("liberty_node_nm", tech.NodeNM)
		l.checkReadable(t, "liberty", tech.Liberty)
	}
	for _, p := range arch.AreaParts {
		for _, a := range t.blocks["area"] {
			if a.label == p.Name {
				*p.Of(&tech.Macros) = a.quantity()
			}
		}
	}
	l.energy(t, &tech.Energy)
	return tech
}

// defaultLibertyNM is the feature size of the default standard cells (osu018).
const defaultLibertyNM = 180

// checkAreas reports parts of a technology without a figure.
func (l *loader) checkAreas(t *node) {
	if l.broken {
		return
	}
	var missing []string
	for _, part := range arch.AreaParts {
		if !part.Optional && !slices.ContainsFunc(t.blocks["area"], func(a *node) bool { return a.label == part.Name }) {
			missing = append(missing, part.Name)
		}
	}
	if len(missing) > 0 {
		l.add(Error, t.rng, Diagnostic{Summary: "Missing blocks \"area\"", In: t.in, Value: "no figure for " + oneOf(missing),
			Suggestion: fmt.Sprintf("add area %q { ... } with value, unit, kind and source", missing[0])})
	}
}

func (l *loader) verify(n, chip *node, c *arch.Chip) arch.Verify {
	v := arch.Verify{Engines: n.strs("engines", engines), Cycles: n.int("cycles", 2000), Seed: n.uint64("seed", 1), Pos: n.pos()}
	p := n.child("program")
	if p == nil {
		return v
	}
	v.Program = &arch.Program{Model: l.path(p, "model"), Tensor: p.str("tensor", ""), Golden: l.path(p, "golden"), Pos: p.pos()}
	for _, c := range p.blocks["case"] {
		v.Program.Cases = append(v.Program.Cases, arch.ADCCase{Rows: c.int("rows", 1), Bits: c.int("bits", 1), Pos: c.pos()})
	}
	if cases := p.blocks["case"]; len(cases) > 0 && (c.Sequencer != nil || c.PIM == nil && c.Attention != nil) {
		what := "a whole chip, which runs with the converters that it has"
		if c.Sequencer == nil {
			what = "an attention engine, which has no converters"
		}
		l.add(Error, cases[0].rng, Diagnostic{Summary: "Cases are for crossbars alone", In: cases[0].in, Value: what, Allowed: "one tile or PIM banks, without a sequencer",
			Suggestion: "remove the blocks \"case\"; pim.crossbar.adc says rows and bits"})
	}
	switch {
	case c.PIM != nil && c.PIM.Bank != nil:
		l.fitModel(p, chip.child("pim"), v.Program, c.PIM)
	case c.PIM != nil:
		if _, written := p.values["tensor"]; !written {
			l.missing(p, "tensor")
		}
		l.fitProgram(p, chip.child("pim"), v.Program, c.PIM)
	case c.Attention != nil && c.Attention.Decode != "":
		for _, name := range []string{"model", "golden"} {
			if file := l.path(p, name); file != "" {
				l.checkReadable(p, name, file)
			}
		}
		if p.has("tensor") {
			l.add(Warning, p.at("tensor"), Diagnostic{Summary: "There are no crossbars for the matrix", In: p.in,
				Value: quote(v.Program.Tensor), Suggestion: "add pim { ... } to the chip, or remove this"})
		}
	case !l.broken && chip != nil && !chip.childOrEmpty("attention").wanting("decode"):
		l.add(Error, p.rng, Diagnostic{Summary: "A program needs crossbars to go into", In: p.in,
			Suggestion: "add pim { ... } to the chip, or remove this block"})
	}
	return v
}

// path returns a file name relative to where ohmloom runs, "" when there is none.
func (l *loader) path(n *node, name string) string {
	written := n.str(name, "")
	if written == "" {
		return ""
	}
	full := l.resolve(n.at(name).Filename, written)
	l.written[full] = written
	return full
}
