package config

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"ohmloom/gen/arch"
)

// Bounds of a sweep.
const (
	MaxPoints = 1_000_000 // points of one sweep
	maxAxis   = 1_000_000 // values of one axis
	// maxTokens is the longest context of an estimate: external memory may hold more than an
	// engine keeps.
	maxTokens = 1 << 20
)

// sweepSpec is the block `sweep`: which variables of the description take which values, and
// what is estimated at each point. Everything but the axes may depend on the variables.
var sweepSpec = blockSpec{
	name: "sweep", required: []string{"vary"},
	attrs: []attrSpec{
		{name: "context", kind: kindInt, min: 1, max: maxTokens, hint: "tokens in the KV cache, or of the prompt"},
		{name: "phase", kind: kindString, enum: []string{"decode", "prefill"}},
		{name: "chips", kind: kindInt, min: 0, max: 1_000_000, hint: "chips that share the model; 0: as many as it needs"},
		{name: "head", kind: kindBool},
		{name: "where", kind: kindConditions},
		{name: "sample", kind: kindInt, min: 1, max: MaxPoints, hint: "points taken at random"},
		{name: "seed", kind: kindInt, min: 0, max: math.MaxUint64, hint: "any 64-bit number"},
		{name: "objectives", kind: kindStrings, enum: metricNames(), hint: "two or three"},
	},
	blocks: []blockSpec{{
		name: "vary", label: "variable", many: true,
		attrs: []attrSpec{
			{name: "values", kind: kindValues},
			{name: "from", kind: kindNumber, min: -1e12, max: 1e12},
			{name: "to", kind: kindNumber, min: -1e12, max: 1e12},
			{name: "step", kind: kindNumber, min: 1e-12, max: 1e12, hint: "distance of neighbours"},
			{name: "factor", kind: kindNumber, min: 1.000001, max: 1e12, hint: "ratio of neighbours"},
		},
	}},
}

// defaultObjectives are those of a sweep that names none.
var defaultObjectives = []string{"tokens_per_second", "joules_per_token"}

func metricNames() []string {
	var names []string
	for _, m := range arch.Metrics {
		names = append(names, m.Name)
	}
	return names
}

// Sweep is a description with a sweep block: a chip for each point of the product of its axes.
// Its methods may be called from several goroutines.
type Sweep struct {
	Source     string
	Chip       string // name
	Sample     uint64 // points taken at random; 0: all
	Seed       uint64
	Objectives []string // two or three of arch.Metrics

	axes  []axis
	count uint64
	base  *loader
	tree  *node
	root  *sourceFile
	tech  string      // the technology when none is named
	model *arch.Model // of all points, or nil
}

// axis is a variable and its values: listed, or from + i x step, or from x factor^i.
type axis struct {
	name         string
	values       []cty.Value
	from         float64
	step, factor float64
	length       uint64
}

// LoadSweep reads the description in a file, which has a sweep block, as one for each point. A
// variable that opts fixes is no axis. The sweep is nil when the diagnostics hold an error; what
// is wrong at single points only, Point says.
func LoadSweep(ctx context.Context, path string, opts Options) (*Sweep, Diagnostics) {
	l := newLoader(ctx, opts)
	src, err := l.read(path, maxSource)
	if err != nil {
		return nil, Diagnostics{{Severity: Error, Summary: "Description can't be read", Value: path + ": " + reason(err)}}
	}
	return LoadSweepBytes(ctx, path, src, opts)
}

// LoadSweepBytes is LoadSweep for a description that is at hand.
func LoadSweepBytes(ctx context.Context, filename string, src []byte, opts Options) (*Sweep, Diagnostics) {
	l := newLoader(ctx, opts)
	l.swept = map[string]bool{}
	root := l.parse(filename, src)
	tree, tech := l.whole(root)
	if v := tree.child("verify"); v != nil {
		delete(v.blocks, "program") // a sweep's points have no weights
	}
	l.evaluate(tree)
	n := tree.child("sweep")
	if n == nil && !l.broken {
		l.add(Error, hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos},
			Diagnostic{Summary: "Nothing to sweep", Suggestion: `add sweep { vary "NAME" { values = [...] } }, NAME being a variable of the description`})
	}
	s := l.checkSweep(n)
	if tree.child("chip") != nil {
		l.checkName(tree.child("chip"))
	}
	if s != nil && !modelVaries(tree) {
		s.model = l.model(tree)
		if s.model == nil && !l.broken && !l.diagsHaveErrors() {
			l.add(Error, n.rng, Diagnostic{Summary: "No model to estimate", In: n.in, Suggestion: `write model = "opt-6.7b" into the description, or give --model`})
		}
	}
	diags := l.finish()
	if s == nil || diags.HasErrors() {
		return nil, diags
	}
	mark(tree)
	s.Source, s.Chip, s.base, s.tree, s.root, s.tech = filename, tree.child("chip").label, l, tree, root, tech
	return s, diags
}

func (l *loader) diagsHaveErrors() bool { return Diagnostics(l.diags).HasErrors() }

// modelVaries tells whether the model or its shape depends on an axis.
func modelVaries(tree *node) bool {
	for _, spec := range tree.later {
		if spec.name == "model" {
			return true
		}
	}
	for _, m := range tree.blocks["model"] {
		if mark(m) {
			return true
		}
	}
	return false
}

// mark notes which nodes a point of a sweep has for itself.
func mark(n *node) bool {
	n.varies = len(n.later) > 0 || n.spec.name == "chip" || n.spec.name == "attention" // whose values are completed
	for _, b := range n.spec.blocks {
		for _, c := range n.blocks[b.name] {
			n.varies = mark(c) || n.varies
		}
	}
	return n.varies
}

// axesIn are the variables that the sweep blocks of files vary and the command line does not fix.
func (l *loader) axesIn(files []*sourceFile) map[string]bool {
	names := map[string]bool{}
	for _, f := range files {
		for _, b := range f.body.Blocks {
			if b.Type != "sweep" {
				continue
			}
			for _, v := range b.Body.Blocks {
				if _, fixed := l.opts.Vars[first(v.Labels)]; v.Type == "vary" && len(v.Labels) == 1 && !fixed {
					names[v.Labels[0]] = true
				}
			}
		}
	}
	return names
}

// varies tells whether an expression depends on a variable that is swept, itself or by locals.
func (l *loader) varies(expr hclsyntax.Expression) bool {
	if len(l.swept) == 0 {
		return false
	}
	return l.leads(expr, map[string]bool{})
}

func (l *loader) leads(expr hclsyntax.Expression, seen map[string]bool) bool {
	for _, t := range expr.Variables() {
		root, name := reference(t)
		switch d := l.lookup(root, name); {
		case root == "var" && l.swept[name]:
			return true
		case root == "local" && d != nil && !seen[name]:
			seen[name] = true
			if l.leads(d.attr.Expr, seen) {
				return true
			}
		}
	}
	return false
}

// checkSweep reports what is wrong with a sweep block, whatever the point.
func (l *loader) checkSweep(n *node) *Sweep {
	if n == nil {
		return nil
	}
	s := &Sweep{Sample: n.uint64("sample", 0), Seed: n.uint64("seed", 1), Objectives: n.strs("objectives", defaultObjectives)}
	if k := len(s.Objectives); k > 3 || k == 1 {
		l.add(Error, n.at("objectives"), Diagnostic{Summary: "A front has two or three objectives", In: n.in, Value: fmt.Sprint(k),
			Allowed: "two or three of " + oneOf(metricNames())})
	}
	for _, name := range []string{"sample", "seed", "objectives"} {
		if a := n.attrs[name]; a != nil && l.varies(a.Expr) {
			l.add(Error, a.Expr.Range(), Diagnostic{Summary: fmt.Sprintf("%q is that of the whole sweep", name), In: n.in,
				Suggestion: "give it a value that depends on no axis"})
		}
	}
	total := big.NewInt(1)
	for _, v := range n.blocks["vary"] {
		a := l.axis(v)
		if _, fixed := l.opts.Vars[v.label]; fixed || a == nil {
			continue
		}
		s.axes = append(s.axes, *a)
		total.Mul(total, new(big.Int).SetUint64(a.length))
	}
	switch {
	case s.Sample == 0 && total.Cmp(big.NewInt(MaxPoints)) > 0:
		l.add(Error, n.rng, Diagnostic{Summary: "The sweep has too many points", In: n.in, Value: bigThousands(total) + " points",
			Allowed: "at most " + thousands(MaxPoints), Suggestion: "sample = 10000 takes some of them at random; or vary less, in larger steps"})
	case !total.IsUint64() || total.Uint64() > 1<<62:
		l.add(Error, n.rng, Diagnostic{Summary: "The sweep has too many points to take a sample", In: n.in, Value: bigThousands(total) + " points",
			Allowed: "at most 2^62"})
	default:
		s.count = total.Uint64()
	}
	return s
}

// axis is what a vary block says, or nil when that is wrong.
func (l *loader) axis(n *node) *axis {
	before := len(l.diags)
	a := &axis{name: n.label, step: n.float("step", 1), factor: n.float("factor", 0), from: n.float("from", 0)}
	d := l.scope.vars[n.label]
	if d == nil {
		names := l.scope.varNames
		l.add(Error, n.named, Diagnostic{Summary: "Unknown variable " + quote(n.label), In: n.in, Allowed: orElse(oneOf(names), "the description has no variables"),
			Suggestion: orElse(didYouMean(n.label, names), "add variable "+quote(n.label)+" { default = ... } and use it as var."+n.label)})
		return nil
	}
	for _, spec := range n.later {
		l.add(Error, n.at(spec.name), Diagnostic{Summary: "An axis can't depend on another one", In: n.in,
			Suggestion: "take the whole product and leave points out: where = ..."})
		return nil
	}
	for _, name := range n.spec.attrNames() {
		if n.wanting(name) {
			return nil // reported
		}
	}
	rng := func(summary, allowed string) {
		l.add(Error, n.rng, Diagnostic{Summary: summary, In: n.in, Allowed: orElse(allowed, "values = [...], or from and to, with step or factor")})
	}
	switch {
	case n.has("values") && (n.has("from") || n.has("to") || n.has("step") || n.has("factor")):
		rng("An axis has values or a range", "")
	case n.has("values"):
		a.values = l.listed(n, d)
		a.length = uint64(len(a.values))
	case !n.has("from") || !n.has("to"):
		rng("An axis needs values or a range", "")
	case n.has("step") && n.has("factor"):
		rng("A range has a step or a factor", "")
	case d.typ != cty.NilType && d.typ != cty.Number:
		rng("A range is of numbers, and the variable is a "+d.typ.FriendlyName(), "values = [...]")
	default:
		l.length(n, a, n.float("to", 0))
	}
	if len(l.diags) > before {
		return nil
	}
	return a
}

// length counts the values of a range, both ends included.
func (l *loader) length(n *node, a *axis, to float64) {
	const slack = 1e-9 // of rounding
	span := (to - a.from) / a.step
	if a.factor > 0 {
		if a.from <= 0 {
			l.add(Error, n.at("from"), Diagnostic{Summary: "A range by factors begins above 0", In: n.in, Value: number(a.from)})
			return
		}
		span = math.Log(to/a.from) / math.Log(a.factor)
	}
	switch {
	case to < a.from:
		l.add(Error, n.at("to"), Diagnostic{Summary: "The range ends before it begins", In: n.in, Value: number(to), Allowed: number(a.from) + " or more"})
	case span+slack >= maxAxis*1e6: // the product says how many points; this only keeps it a number
		l.add(Error, n.rng, Diagnostic{Summary: "The axis has too many values", In: n.in, Value: strconv.FormatFloat(math.Floor(span)+1, 'f', 0, 64), Allowed: "at most " + thousands(maxAxis)})
	default:
		a.length = uint64(span+slack) + 1
	}
}

// listed are the values of a list, of the variable's type.
func (l *loader) listed(n *node, d *definition) []cty.Value {
	var list []cty.Value
	for _, v := range n.values["values"].v.AsValueSlice() {
		if d.typ != cty.NilType {
			c, err := convert.Convert(v, d.typ)
			if err != nil {
				l.add(Error, n.at("values"), Diagnostic{Summary: "Wrong type for the variable", In: n.in, Value: show(v), Allowed: "a " + d.typ.FriendlyName()})
				return nil
			}
			v = c
		}
		for _, o := range list {
			if o.RawEquals(v) {
				l.add(Error, n.at("values"), Diagnostic{Summary: "Value written twice", In: n.in, Value: show(v), Suggestion: "remove one"})
				return nil
			}
		}
		list = append(list, v)
	}
	return list
}

// at is value i of the axis.
func (a *axis) at(i uint64) cty.Value {
	if a.values != nil {
		return a.values[i]
	}
	v := a.from + float64(i)*a.step
	if a.factor > 0 {
		v = a.from * math.Pow(a.factor, float64(i))
	}
	return cty.MustParseNumberVal(strconv.FormatFloat(v, 'g', 12, 64)) // 0.3, not 0.30000000000000004
}

// conditions are the truth values in a condition or a list of them.
func conditions(v cty.Value) (all, ok bool) {
	if v.IsNull() || !v.IsWhollyKnown() {
		return false, false
	}
	if v.Type() == cty.Bool {
		return v.True(), true
	}
	if !v.Type().IsTupleType() && !v.Type().IsListType() {
		return false, false
	}
	all = true
	for _, e := range v.AsValueSlice() {
		if e.IsNull() || e.Type() != cty.Bool {
			return false, false
		}
		all = all && e.True()
	}
	return all, true
}

// bigThousands writes a count with thousands separated.
func bigThousands(n *big.Int) string {
	s := n.String()
	for j := len(s) - 3; j > 0; j -= 3 {
		s = s[:j] + "," + s[j:]
	}
	return s
}
