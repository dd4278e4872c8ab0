package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"ohmloom/ir"
	"ohmloom/verify/synth"
)

// areaComparison sets a description's area beside that of the same one with another value of a
// variable. Logic is in gate equivalents, so that memories and macros, which come from the
// technology's area model, stay apart.
type areaComparison struct {
	With  string      `json:"with"` // the variable's other value
	Hash  string      `json:"hash"` // of the description with it
	Other *synth.Area `json:"other"`
	Parts []partArea  `json:"parts"`

	Extra       float64 `json:"extra_logic_percent_of_array"` // logic that the first has more than the other, over the other's array
	Beside      float64 `json:"logic_beside_array_percent"`   // logic outside the array, over the array
	OtherBeside float64 `json:"other_logic_beside_array_percent"`
}

// partArea is a part of an engine in both.
type partArea struct {
	Part  string  `json:"part"`
	This  partSum `json:"this"`
	Other partSum `json:"other"`
}

// partSum is all modules of a part.
type partSum struct {
	Gates     float64 `json:"gate_equivalents"`
	MacroUm2  float64 `json:"macro_um2"`
	LongestNS float64 `json:"longest_path_ns,omitempty"` // within one of its modules
}

// Parts of an engine, in the order in which they are printed.
const (
	partArray     = "array"
	partSoftmax   = "softmax"
	partNormalise = "normalisation"
	partControl   = "control and queues"
	partMemory    = "memories and macros"
)

var areaParts = []string{partArray, partSoftmax, partNormalise, partControl, partMemory}

// partOfBlock is the part that a block of package hw belongs to; others are control.
var partOfBlock = map[string]string{
	"array": partArray, "array_buffered": partArray, "array_stationary": partArray, "pe": partArray, "pe_buffered": partArray,
	"pe_stationary": partArray, "skew": partArray, "spread_column": partArray, "spread_pe": partArray,
	"softmax": partSoftmax, "spread_softmax": partSoftmax, "consmax": partSoftmax, "exp_rom": partSoftmax, "divider": partSoftmax,
	"normalise": partNormalise, "spread_normalise": partNormalise,
}

// partsOf is the part of each module of d, by name.
func partsOf(d *ir.Design) map[string]string {
	parts := map[string]string{}
	for _, m := range d.Modules {
		switch {
		case m.Macro != nil:
			parts[m.Name] = partMemory
		case m.Loc != nil && partOfBlock[m.Loc.Block] != "":
			parts[m.Name] = partOfBlock[m.Loc.Block]
		default:
			parts[m.Name] = partControl
		}
	}
	return parts
}

// compare adds to r the same description with another value of a variable, name=value.
func (a *app) compare(ctx context.Context, args []string, with string, r *areaResult, liberty string, timing bool) error {
	if name, _, ok := strings.Cut(with, "="); !ok || name == "" {
		return usage("--compare %q: want name=value", with)
	}
	if len(args) > 0 && args[0] == "-" {
		return usage("--compare reads the description twice: name a file")
	}
	b := *a
	b.vars = append(slices.Clone(a.vars), with)
	d, err := b.load(ctx, args)
	if err != nil {
		return err
	}
	if d.chip.Hash == r.Hash {
		return usage("--compare %s: that is the description as it is", with)
	}
	if liberty != "" {
		d.chip.Technology.Liberty = liberty
	}
	other, err := a.area(ctx, d, timing)
	if err != nil {
		return err
	}
	c := &areaComparison{With: with, Hash: other.Hash, Other: other.Area}
	this, that := r.sums(), other.sums()
	for i, part := range areaParts {
		c.Parts = append(c.Parts, partArea{part, this[i], that[i]})
	}
	if array := that[0].Gates; array > 0 {
		c.Extra = 100 * (r.GateEquivalents - other.GateEquivalents) / array
		c.OtherBeside = 100 * (other.GateEquivalents - array) / array
	}
	if array := this[0].Gates; array > 0 {
		c.Beside = 100 * (r.GateEquivalents - array) / array
	}
	r.Comparison, r.other = c, other
	return nil
}

// sums adds up the modules of each of areaParts.
func (r *areaResult) sums() []partSum {
	sums := make([]partSum, len(areaParts))
	for _, m := range r.Modules {
		s := &sums[slices.Index(areaParts, r.parts[m.Name])]
		if m.Kind != "cell" {
			s.MacroUm2 += m.TotalUm2
		}
		s.Gates += m.GateEquivalents
		if m.CriticalPath != nil {
			s.LongestNS = max(s.LongestNS, m.CriticalPath.NS)
		}
	}
	return sums
}

// comparisonTable prints both part by part, module by module.
func (a *app) comparisonTable(r *areaResult) {
	c := r.Comparison
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"part", "of", "module", "instances", "gate equivalents", "macros, um2", "longest path, ns"})
	path := func(ns float64) string {
		if ns == 0 {
			return ""
		}
		return fmt.Sprintf("%.2f", ns)
	}
	figure := func(x float64) string {
		if x == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f", x)
	}
	names := []string{"as described", c.With}
	for _, p := range c.Parts {
		for i, s := range []partSum{p.This, p.Other} {
			t.AppendRow(table.Row{p.Part, names[i], "", "", figure(s.Gates), figure(s.MacroUm2), path(s.LongestNS)})
		}
		for i, res := range []*areaResult{r, r.other} {
			for _, m := range res.Modules {
				if res.parts[m.Name] != p.Part || m.AreaUm2 == 0 {
					continue
				}
				macro, ns := 0.0, 0.0
				if m.Kind != "cell" {
					macro = m.TotalUm2
				}
				if m.CriticalPath != nil {
					ns = m.CriticalPath.NS
				}
				t.AppendRow(table.Row{"", names[i], m.Name, m.Instances, figure(m.GateEquivalents), figure(macro), path(ns)})
			}
		}
		t.AppendSeparator()
	}
	t.Render()
	a.note("logic: %.0f gate equivalents as described, %.0f with %s: %+.1f %% of the latter's array", r.GateEquivalents, c.Other.GateEquivalents, c.With, c.Extra)
	a.note("logic beside the array, over the array: %.1f %% as described, %.1f %% with %s", c.Beside, c.OtherBeside, c.With)
}
