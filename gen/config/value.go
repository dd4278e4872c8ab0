package config

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"ohmloom/gen/arch"
)

// value is an attribute's evaluated value. A value that is not sound was reported and only
// keeps its attribute from being called missing.
type value struct {
	v     cty.Value
	rng   hcl.Range
	sound bool
}

// evaluate computes every attribute of a merged node and of the blocks in it.
func (l *loader) evaluate(n *node) {
	for i := range n.spec.attrs {
		spec := &n.spec.attrs[i]
		a := n.attrs[spec.name]
		switch {
		case a == nil:
		case l.varies(a.Expr): // a sweep's points evaluate it
			n.values[spec.name] = value{rng: a.Expr.Range()}
			n.later = append(n.later, spec)
		default:
			l.assign(n, spec, a)
		}
	}
	for _, b := range n.spec.blocks {
		for _, c := range n.blocks[b.name] {
			l.evaluate(c)
		}
	}
	l.complete(n)
}

// assign gives n the value of attribute a.
func (l *loader) assign(n *node, spec *attrSpec, a *hclsyntax.Attribute) {
	v, ok := l.eval(a.Expr, n.in, spec)
	if ok && v.IsNull() {
		delete(n.values, spec.name) // null means: as if it were not written
		return
	}
	val := value{v: v, rng: a.Expr.Range()}
	val.sound = ok && v.IsWhollyKnown() && l.admit(n, spec, a.Expr, v)
	n.values[spec.name] = val
}

// admit reports a value that its specification does not allow.
func (l *loader) admit(n *node, spec *attrSpec, expr hclsyntax.Expression, v cty.Value) bool {
	d := Diagnostic{In: n.in, Value: show(v), Allowed: allowedText(spec)}
	switch spec.kind {
	case kindInt, kindNumber:
		d.Summary, d.Suggestion = wrongNumber(spec, v)
	case kindString, kindPath:
		d.Summary, d.Suggestion = wrongString(spec, v)
	case kindStrings:
		d.Summary, d.Suggestion = wrongStrings(spec, v)
	case kindPair:
		d.Summary, d.Suggestion = wrongPair(spec, v)
	case kindValues:
		if t := v.Type(); !t.IsTupleType() && !t.IsListType() || v.LengthInt() == 0 {
			d.Summary, d.Suggestion = fmt.Sprintf("%q must be %s", spec.name, spec.kind), fmt.Sprintf("write %s = [1, 2, 4]", spec.name)
		}
	case kindConditions:
		if _, ok := conditions(v); !ok {
			d.Summary, d.Suggestion = fmt.Sprintf("%q must be %s", spec.name, spec.kind), "compare something, such as var.rows * var.cols <= 1024"
		}
	case kindBool:
		if v.Type() != cty.Bool {
			d.Summary, d.Suggestion = fmt.Sprintf("%q must be true or false", spec.name), "write it without quotes"
		}
	}
	if d.Summary == "" {
		return true
	}
	l.add(Error, expr.Range(), d)
	return false
}

// wrongNumber returns the headline and suggestion for a bad number, or "".
func wrongNumber(spec *attrSpec, v cty.Value) (string, string) {
	if v.Type() != cty.Number {
		suggestion := ""
		if v.Type() == cty.String {
			if _, err := parseNumber(v.AsString()); err == nil {
				suggestion = "remove the quotes: " + spec.name + " = " + v.AsString()
			}
		}
		return fmt.Sprintf("%q must be %s", spec.name, spec.kind), suggestion
	}
	f := v.AsBigFloat()
	low, high := big.NewFloat(spec.min), new(big.Float).SetFloat64(spec.max)
	switch {
	case f.Cmp(low) < 0:
		return fmt.Sprintf("%q is too small", spec.name), "use " + number(spec.min) + " or more" + note(spec.hint)
	case f.Cmp(high) > 0 || (spec.kind == kindInt && spec.max > 1e18 && f.Cmp(high) >= 0):
		return fmt.Sprintf("%q is too large", spec.name), "use " + number(spec.max) + " or less" + note(spec.hint)
	case spec.kind == kindInt && !f.IsInt():
		i, _ := f.Int64()
		return fmt.Sprintf("%q must be a whole number", spec.name),
			fmt.Sprintf("use %d or %d; floor(...) and ceil(...) round a quotient", i, i+1)
	}
	return "", ""
}

func wrongString(spec *attrSpec, v cty.Value) (string, string) {
	if v.Type() != cty.String {
		return fmt.Sprintf("%q must be %s", spec.name, spec.kind), "write it in quotes"
	}
	s := v.AsString()
	switch {
	case spec.enum != nil && !slices.Contains(spec.enum, s):
		suggestion := didYouMean(s, spec.enum)
		if len(spec.enum) == 1 {
			suggestion = fmt.Sprintf("write %s = %q", spec.name, spec.enum[0])
		}
		return fmt.Sprintf("Unknown value for %q", spec.name), suggestion
	case s == "" && spec.name != "liberty": // an empty Liberty is the default one
		return fmt.Sprintf("%q is empty", spec.name), spec.hint
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Sprintf("%q holds a control character", spec.name), "keep it to one line of text"
	}
	return "", ""
}

func wrongStrings(spec *attrSpec, v cty.Value) (string, string) {
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		return fmt.Sprintf("%q must be %s", spec.name, spec.kind), fmt.Sprintf("write %s = [%q]", spec.name, spec.enum[0])
	}
	seen := map[string]bool{}
	for _, e := range v.AsValueSlice() {
		if e.IsNull() || e.Type() != cty.String {
			return fmt.Sprintf("%q must be %s", spec.name, spec.kind), "write each in quotes"
		}
		s := e.AsString()
		if !slices.Contains(spec.enum, s) {
			return fmt.Sprintf("Unknown value in %q", spec.name), didYouMean(s, spec.enum)
		}
		if seen[s] {
			return fmt.Sprintf("%q names %q twice", spec.name, s), "remove one of them"
		}
		seen[s] = true
	}
	if len(seen) == 0 {
		return fmt.Sprintf("%q is empty", spec.name), "leave the attribute out for all of them"
	}
	return "", ""
}

func wrongPair(spec *attrSpec, v cty.Value) (string, string) {
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() || v.LengthInt() != 2 {
		return fmt.Sprintf("%q must be %s", spec.name, spec.kind), fmt.Sprintf("write %s = [4, 3]%s", spec.name, note(spec.hint))
	}
	one := *spec
	one.kind = kindInt
	for _, e := range v.AsValueSlice() {
		if e.IsNull() {
			return fmt.Sprintf("%q must be %s", spec.name, spec.kind), "write both numbers"
		}
		if summary, suggestion := wrongNumber(&one, e); summary != "" {
			return summary, suggestion
		}
	}
	return "", ""
}

// allowedText says what a specification allows.
func allowedText(spec *attrSpec) string {
	switch {
	case spec.kind == kindPair:
		return fmt.Sprintf("%s in brackets, each %s .. %s", spec.kind, number(spec.min), number(spec.max))
	case spec.kind == kindInt || spec.kind == kindNumber:
		return fmt.Sprintf("%s, %s .. %s", spec.kind, number(spec.min), number(spec.max))
	case spec.kind == kindStrings:
		return "a list of " + oneOf(spec.enum)
	case spec.enum != nil:
		return oneOf(spec.enum)
	}
	return spec.kind.String()
}

// The accessors return def for what is absent, or was reported.

func (n *node) has(name string) bool {
	v, ok := n.values[name]
	return ok && v.sound
}

// wanting tells that an attribute was written but is not sound: checks against it are moot.
func (n *node) wanting(name string) bool {
	v, ok := n.values[name]
	return ok && !v.sound
}

func (n *node) int(name string, def int) int {
	if !n.has(name) {
		return def
	}
	i, _ := n.values[name].v.AsBigFloat().Int64()
	return int(i)
}

func (n *node) uint64(name string, def uint64) uint64 {
	if !n.has(name) {
		return def
	}
	i, _ := n.values[name].v.AsBigFloat().Uint64()
	return i
}

func (n *node) float(name string, def float64) float64 {
	if !n.has(name) {
		return def
	}
	f, _ := n.values[name].v.AsBigFloat().Float64()
	return f
}

func (n *node) bool(name string, def bool) bool {
	if !n.has(name) {
		return def
	}
	return n.values[name].v.True()
}

func (n *node) str(name, def string) string {
	if !n.has(name) {
		return def
	}
	return n.values[name].v.AsString()
}

func (n *node) strs(name string, def []string) []string {
	if !n.has(name) {
		return slices.Clone(def)
	}
	var out []string
	for _, e := range n.values[name].v.AsValueSlice() {
		out = append(out, e.AsString())
	}
	return out
}

// pair is two whole numbers; def twice when they are absent.
func (n *node) pair(name string, def int) (int, int) {
	if !n.has(name) {
		return def, def
	}
	v := n.values[name].v.AsValueSlice()
	a, _ := v[0].AsBigFloat().Int64()
	b, _ := v[1].AsBigFloat().Int64()
	return int(a), int(b)
}

// at is where an attribute's value is written, or the block if it is not.
func (n *node) at(name string) hcl.Range {
	if v, ok := n.values[name]; ok {
		return v.rng
	}
	return n.rng
}

func (n *node) pos() arch.Pos { return position(n.rng) }

// parseNumber reads a decimal number, refusing those whose digits would fill memory.
func parseNumber(s string) (float64, error) {
	if len(s) > 100 {
		return 0, strconv.ErrRange
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, err
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	if f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return 0, strconv.ErrRange
	}
	return f, nil
}

// show prints a value for a diagnostic.
func show(v cty.Value) string {
	const most = 60
	t := v.Type()
	s := ""
	switch {
	case v.IsNull():
		return "null"
	case !v.IsWhollyKnown():
		return "unknown"
	case t == cty.Number:
		f := v.AsBigFloat()
		if f64, _ := f.Float64(); f.IsInt() && math.Abs(f64) < 1e21 {
			s = f.Text('f', 0)
		} else {
			s = f.Text('g', 10)
		}
	case t == cty.String:
		r := []rune(v.AsString())
		if len(r) > most {
			return quote(string(r[:most])) + "..."
		}
		return quote(string(r))
	case t == cty.Bool:
		s = strconv.FormatBool(v.True())
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		var parts []string
		for i, e := range v.AsValueSlice() {
			if i == 4 {
				parts = append(parts, "...")
				break
			}
			parts = append(parts, show(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		s = "an " + t.FriendlyName()
	}
	return s
}

func quote(s string) string { return strconv.Quote(s) }

// number prints a bound the way the documentation does, with thousands separated.
func number(f float64) string {
	if f >= 1e18 {
		return "2^64-1" // the only bound this large
	}
	if f == math.Trunc(f) {
		return thousands(int64(f))
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func thousands(i int64) string {
	s := strconv.FormatInt(i, 10)
	for j := len(s) - 3; j > 0 && s[j-1] != '-'; j -= 3 {
		s = s[:j] + "," + s[j:]
	}
	return s
}
