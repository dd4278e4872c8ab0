package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Bounds on one value, far above what a description needs.
const (
	maxString   = 4096
	maxElements = 1024
)

// definition is a variable or a local. The file closest to the user defines it.
type definition struct {
	name   string
	rng    hcl.Range
	attr   *hclsyntax.Attribute // a local's expression, or a variable's default; may be nil
	typ    cty.Type             // a variable's type, cty.NilType when not given
	value  cty.Value
	state  int // 0 not begun, 1 being evaluated, 2 done
	used   bool
	varies bool // a local that depends on an axis of a sweep
}

// scope holds what expressions may refer to.
type scope struct {
	vars, locals         map[string]*definition
	varNames, localNames []string // in the order they were met
}

// define collects variables and locals of all files, those closest to the user first.
func (l *loader) define(files []*sourceFile) {
	l.scope = scope{vars: map[string]*definition{}, locals: map[string]*definition{}}
	l.constant = true // variables are set before anything can refer to them
	for _, f := range files {
		here := map[string]hcl.Range{} // "var x" or "local x" -> where this file defined it
		for _, b := range f.body.Blocks {
			switch {
			case b.Type == "variable" && len(b.Labels) == 1:
				d := l.variable(b)
				if l.once(here, "variable ", d.name, d.rng) && l.scope.vars[d.name] == nil {
					l.scope.vars[d.name] = d
					l.scope.varNames = append(l.scope.varNames, d.name)
				}
			case b.Type == "locals" && len(b.Labels) == 0:
				for _, name := range sortedAttrs(b.Body) {
					a := b.Body.Attributes[name]
					if l.once(here, "local ", name, a.NameRange) && l.scope.locals[name] == nil {
						l.scope.locals[name] = &definition{name: name, rng: a.NameRange, attr: a}
						l.scope.localNames = append(l.scope.localNames, name)
					}
				}
				for _, c := range b.Body.Blocks {
					l.add(Error, c.TypeRange, Diagnostic{Summary: "Unknown block " + quote(c.Type), In: "locals",
						Allowed: "name = value", Suggestion: fmt.Sprintf("write %s = { ... }", c.Type)})
				}
			}
		}
	}
	for _, name := range l.scope.varNames {
		if d := l.scope.vars[name]; l.swept[name] {
			d.value, d.state = cty.DynamicVal, 2 // each point of the sweep has its own
		} else {
			l.setVariable(d)
		}
	}
	l.unknownVars()
	l.constant = false
	for _, name := range l.scope.localNames {
		l.setLocal(l.scope.locals[name], nil)
	}
}

// once reports a second definition in the same file.
func (l *loader) once(here map[string]hcl.Range, what, name string, rng hcl.Range) bool {
	if firstRng, ok := here[what+name]; ok {
		l.add(Error, rng, Diagnostic{Summary: strings.ToUpper(what[:1]) + what[1:] + quote(name) + " defined twice",
			Suggestion: "remove one; the first is at " + position(firstRng).String()})
		return false
	}
	here[what+name] = rng
	return true
}

var variableTypes = []string{"number", "string", "bool"}

// variable reads one variable block.
func (l *loader) variable(b *hclsyntax.Block) *definition {
	d := &definition{name: b.Labels[0], rng: b.LabelRanges[0]}
	in := "variable " + quote(d.name)
	if !hclsyntax.ValidIdentifier(d.name) {
		l.add(Error, d.rng, Diagnostic{Summary: "Variable name is no identifier", Value: quote(d.name),
			Allowed: "letters, digits, _ and -, beginning with a letter"})
	}
	allowed := []string{"default", "type", "description"}
	for _, name := range sortedAttrs(b.Body) {
		a := b.Body.Attributes[name]
		switch name {
		case "default":
			d.attr = a
		case "description":
			if v, ok := l.eval(a.Expr, in, nil); ok && v.IsKnown() && (v.IsNull() || v.Type() != cty.String) {
				l.add(Error, a.Expr.Range(), Diagnostic{Summary: `"description" must be a string`, In: in, Value: show(v)})
			}
		case "type":
			d.typ = l.variableType(a, in)
		default:
			l.add(Error, a.NameRange, Diagnostic{Summary: "Unknown attribute " + quote(name), In: in,
				Allowed: oneOf(allowed), Suggestion: didYouMean(name, allowed)})
		}
	}
	for _, c := range b.Body.Blocks {
		l.add(Error, c.TypeRange, Diagnostic{Summary: "Unknown block " + quote(c.Type), In: in, Allowed: "no blocks here"})
	}
	return d
}

func (l *loader) variableType(a *hclsyntax.Attribute, in string) cty.Type {
	word := hcl.ExprAsKeyword(a.Expr)
	if word == "" {
		if v, diags := a.Expr.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			word = v.AsString()
		}
	}
	switch word {
	case "number":
		return cty.Number
	case "string":
		return cty.String
	case "bool":
		return cty.Bool
	}
	l.add(Error, a.Expr.Range(), Diagnostic{Summary: "Unknown variable type", In: in, Value: quote(word),
		Allowed: strings.Join(variableTypes, ", "), Suggestion: didYouMean(word, variableTypes)})
	return cty.NilType
}

// setVariable gives a variable its value: from the command line, or its default.
func (l *loader) setVariable(d *definition) {
	in := "variable " + quote(d.name)
	d.value, d.state = cty.DynamicVal, 2
	var def cty.Value
	if d.attr != nil {
		v, ok := l.eval(d.attr.Expr, in, nil)
		if ok && d.typ != cty.NilType {
			v, ok = l.convert(v, d.typ, d.attr.Expr.Range(), in)
		}
		if ok {
			def = v
		}
	}
	text, given := l.opts.Vars[d.name]
	switch {
	case given:
		if v, ok := l.parseVar(d, text, def); ok {
			d.value = v
		}
	case d.attr == nil:
		l.add(Error, d.rng, Diagnostic{Summary: "Variable " + quote(d.name) + " has no value",
			Suggestion: "pass --var " + d.name + "=... or give it a default"})
	case def != cty.NilVal:
		d.value = def
	}
}

// parseVar reads the text of --var name=text as the variable's type asks.
func (l *loader) parseVar(d *definition, text string, def cty.Value) (cty.Value, bool) {
	want := d.typ
	if want == cty.NilType && def != cty.NilVal && !def.IsNull() && def.IsKnown() {
		want = def.Type()
	}
	f := &sourceFile{name: "--var " + d.name, src: []byte(text), body: &hclsyntax.Body{}}
	l.files = append(l.files, f)
	rng := hcl.Range{Filename: f.name, Start: hcl.InitialPos,
		End: hcl.Pos{Line: 1, Column: len(text) + 1, Byte: len(text)}}
	if want == cty.String {
		if len(text) > maxString {
			l.add(Error, rng, Diagnostic{Summary: "Value too long", Allowed: fmt.Sprintf("at most %d characters", maxString)})
			return cty.NilVal, false
		}
		return cty.StringVal(text), true
	}
	if problem, at := guard(f.name, f.src); problem.Summary != "" {
		l.add(Error, at, problem)
		return cty.NilVal, false
	}
	expr, diags := hclsyntax.ParseExpression(f.src, f.name, hcl.InitialPos)
	if diags.HasErrors() || (want == cty.NilType && hcl.ExprAsKeyword(expr) != "" && text != "true" && text != "false") {
		if want == cty.NilType {
			return cty.StringVal(text), true // neither type nor default: a word is a string
		}
		l.addHCL("", diags)
		return cty.NilVal, false
	}
	if want != cty.NilType && len(expr.Variables()) > 0 {
		return l.convert(cty.StringVal(text), want, rng, "variable "+quote(d.name))
	}
	v, ok := l.eval(expr, "", nil)
	if !ok || want == cty.NilType {
		return v, ok
	}
	return l.convert(v, want, rng, "variable "+quote(d.name))
}

func (l *loader) convert(v cty.Value, want cty.Type, rng hcl.Range, in string) (cty.Value, bool) {
	out, err := convert.Convert(v, want)
	if err != nil {
		l.add(Error, rng, Diagnostic{Summary: "Wrong type for a variable", In: in, Value: show(v), Allowed: "a " + want.FriendlyName()})
		return cty.NilVal, false
	}
	return out, true
}

// unknownVars reports --var for variables that the description does not have.
func (l *loader) unknownVars() {
	var names []string
	for name := range l.opts.Vars {
		if l.scope.vars[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		f := &sourceFile{name: "--var " + name, src: []byte(name + "=" + l.opts.Vars[name]), body: &hclsyntax.Body{}}
		l.files = append(l.files, f)
		rng := hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: len(name) + 1, Byte: len(name)}}
		known := slices.Sorted(slices.Values(l.scope.varNames))
		d := Diagnostic{Summary: "Unknown variable " + quote(name), Allowed: oneOf(known), Suggestion: didYouMean(name, known)}
		if len(known) == 0 {
			d.Allowed, d.Suggestion = "the description has no variables", "add variable "+quote(name)+" { default = ... }"
		}
		l.add(Error, rng, d)
	}
}

// setLocal evaluates a local after those it refers to. path holds the locals that led here.
func (l *loader) setLocal(d *definition, path []*definition) {
	if d.state == 2 {
		return
	}
	if d.state == 1 {
		l.cycle(path[slices.Index(path, d):])
		return
	}
	d.state, d.value = 1, cty.DynamicVal
	if len(l.swept) > 0 && l.varies(d.attr.Expr) {
		d.varies, d.state = true, 2
		return
	}
	for _, t := range d.attr.Expr.Variables() {
		if root, name := reference(t); root == "local" && l.scope.locals[name] != nil {
			l.setLocal(l.scope.locals[name], append(path, d))
		}
	}
	if v, ok := l.eval(d.attr.Expr, "locals", nil); ok {
		d.value = v
	}
	d.state = 2
}

// cycle reports locals that need each other, as a path of positions.
func (l *loader) cycle(path []*definition) {
	var steps []string
	for _, d := range append(slices.Clone(path), path[0]) {
		steps = append(steps, fmt.Sprintf("local.%s (%s)", d.name, position(d.rng)))
	}
	l.add(Error, path[0].rng, Diagnostic{Summary: "Locals refer to each other in a circle", In: "locals",
		Value: strings.Join(steps, " -> "), Suggestion: "give one of them a value that needs none of the others"})
}

// reference splits var.x or local.x (or local["x"]); name is "" for anything else.
func reference(t hcl.Traversal) (root, name string) {
	root = t.RootName()
	if len(t) < 2 {
		return root, ""
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return root, step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return root, step.Key.AsString()
		}
	}
	return root, ""
}

// eval evaluates one expression. It reports what is wrong; the value may still be unknown,
// when it depends on something that was reported elsewhere. spec is nil when the expression
// is not an attribute's of the language.
func (l *loader) eval(expr hclsyntax.Expression, in string, spec *attrSpec) (v cty.Value, ok bool) {
	defer func() {
		// The evaluator is not ours: a fault in it must not take the user's session down.
		if r := recover(); r != nil {
			l.add(Error, expr.Range(), Diagnostic{Summary: "Expression can't be evaluated", In: in, Detail: fmt.Sprint(r)})
			v, ok = cty.NilVal, false
		}
	}()
	if err := l.ctx.Err(); err != nil {
		return cty.NilVal, false
	}
	vars, locals := map[string]cty.Value{}, map[string]cty.Value{}
	sound := true
	for _, t := range expr.Variables() {
		root, name := reference(t)
		d := l.lookup(root, name)
		if d == nil || l.constant {
			l.unknownReference(t, root, name, in, spec)
			sound = false
			continue
		}
		d.used = true
		if root == "var" {
			vars[name] = d.value
		} else {
			locals[name] = d.value
		}
	}
	if !sound {
		return cty.NilVal, false
	}
	ctx := &hcl.EvalContext{Functions: functions,
		Variables: map[string]cty.Value{"var": cty.ObjectVal(vars), "local": cty.ObjectVal(locals)}}
	v, diags := expr.Value(ctx)
	l.addHCL(in, diags)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	v, _ = v.UnmarkDeep()
	if problem := oversize(v); problem != "" {
		l.add(Error, expr.Range(), Diagnostic{Summary: "Value too large", In: in, Value: problem,
			Allowed: fmt.Sprintf("strings of %s characters, lists of %s elements, numbers below 10^308", thousands(maxString), thousands(maxElements))})
		return cty.NilVal, false
	}
	return v, true
}

func (l *loader) lookup(root, name string) *definition {
	switch root {
	case "var":
		return l.scope.vars[name]
	case "local":
		return l.scope.locals[name]
	}
	return nil
}

func (l *loader) unknownReference(t hcl.Traversal, root, name, in string, spec *attrSpec) {
	d := Diagnostic{In: in}
	switch {
	case root != "var" && root != "local":
		d.Summary = "Unknown name " + quote(root)
		d.Allowed = "var.NAME, local.NAME, functions and values"
		if len(t) == 1 && spec != nil && spec.kind != kindInt && spec.kind != kindNumber {
			d.Suggestion = "a string needs quotes: " + quote(orElse(nearest(root, spec.enum), root))
		} else if l.scope.locals[root] != nil {
			d.Suggestion = "did you mean local." + root + "?"
		} else if l.scope.vars[root] != nil {
			d.Suggestion = "did you mean var." + root + "?"
		} else {
			d.Suggestion = didYouMean(root, []string{"var", "local"})
		}
	case l.constant:
		d.Summary, d.Suggestion = "A variable can't depend on others", "put the expression into locals { ... }"
	case name == "":
		d.Summary = fmt.Sprintf("%q alone is no value", root)
		d.Suggestion = "name one: " + root + ".NAME"
	default:
		if l.broken {
			return // it may be defined in the part that could not be read
		}
		what, names := "local ", l.scope.localNames
		if root == "var" {
			what, names = "variable ", l.scope.varNames
		}
		names = slices.Sorted(slices.Values(names))
		d.Summary = "Unknown " + what + quote(name)
		d.Allowed, d.Suggestion = oneOf(names), didYouMean(name, names)
		if len(names) == 0 {
			d.Allowed = "the description has no " + strings.TrimSpace(what) + "s"
		}
	}
	l.add(Error, t.SourceRange(), d)
}

// oversize says what about a value is too large, or "".
func oversize(v cty.Value) string {
	elements, problem := 0, ""
	_ = cty.Walk(v, func(_ cty.Path, e cty.Value) (bool, error) {
		elements++
		switch {
		case problem != "" || !e.IsKnown() || e.IsNull():
			return false, nil
		case e.Type() == cty.String && len(e.AsString()) > maxString:
			problem = "a string of " + thousands(int64(len(e.AsString()))) + " characters"
		case e.Type() == cty.Number:
			if f, _ := e.AsBigFloat().Float64(); f > 1e308 || f < -1e308 {
				problem = "a number beyond 10^308; is there a division by zero?"
			}
		case elements > maxElements+1:
			problem = "more than " + thousands(maxElements) + " elements"
		}
		return true, nil
	})
	return problem
}
