package config

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/mitchellh/go-wordwrap"

	"ohmloom/gen/arch"
)

// Severity tells a mistake from an advice.
type Severity string

const (
	Error   Severity = "error"   // the description can't be used
	Warning Severity = "warning" // it can, but parts of it do not fit together
)

// Diagnostic is one thing to say about a description. Fields that do not apply are empty.
type Diagnostic struct {
	Severity   Severity `json:"severity"`
	Summary    string   `json:"summary"`              // a headline without a full stop
	Detail     string   `json:"detail,omitempty"`     // sentences
	Pos        arch.Pos `json:"pos"`                  // where
	In         string   `json:"in,omitempty"`         // the enclosing blocks, outermost first
	Excerpt    string   `json:"excerpt,omitempty"`    // the source line, tabs and control characters replaced
	Marker     string   `json:"-"`                    // a line of carets that goes under Excerpt
	Value      string   `json:"value,omitempty"`      // the actual value
	Allowed    string   `json:"allowed,omitempty"`    // what it may be
	Suggestion string   `json:"suggestion,omitempty"` // what to do

	// Unbuildable: a warning that is an error for whoever builds the hardware, and nothing for
	// whoever only estimates it.
	Unbuildable bool `json:"-"`

	rng hcl.Range
}

// Diagnostics are in source order: the user's file first, then what it includes.
type Diagnostics []Diagnostic

// HasErrors tells whether the description can't be used.
func (ds Diagnostics) HasErrors() bool { return ds.Count(Error) > 0 }

// Count returns how many diagnostics are of a severity.
func (ds Diagnostics) Count(s Severity) int {
	n := 0
	for _, d := range ds {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// ForBuilding are the diagnostics for whoever builds the hardware.
func (ds Diagnostics) ForBuilding() Diagnostics {
	ds = slices.Clone(ds)
	for i := range ds {
		if ds[i].Unbuildable {
			ds[i].Severity = Error
		}
	}
	return ds
}

// ForEstimates are the diagnostics for whoever only estimates the hardware.
func (ds Diagnostics) ForEstimates() Diagnostics {
	return slices.DeleteFunc(slices.Clone(ds), func(d Diagnostic) bool { return d.Unbuildable })
}

// Render prints every diagnostic the way HCL does: headline, place, source excerpt with the
// culprit underlined, then value, allowed range and suggestion. Texts wrap at width columns
// (0: not at all); color adds VT100 sequences.
func (ds Diagnostics) Render(w io.Writer, width int, color bool) error {
	var b bytes.Buffer
	for _, d := range ds {
		d.render(&b, width, color)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// String renders without colour or wrapping.
func (ds Diagnostics) String() string {
	var b strings.Builder
	_ = ds.Render(&b, 0, false) // a Builder never fails
	return b.String()
}

func (d Diagnostic) render(b *bytes.Buffer, width int, color bool) {
	name, paint := "Error", "\x1b[1;31m"
	if d.Severity == Warning {
		name, paint = "Warning", "\x1b[1;33m"
	}
	reset := "\x1b[0m"
	if !color {
		paint, reset = "", ""
	}
	fmt.Fprintf(b, "%s%s%s: %s\n\n", paint, name, reset, d.Summary)
	if d.Pos.File != "" {
		in := ""
		if d.In != "" {
			in = ", in " + d.In
		}
		fmt.Fprintf(b, "  on %s%s:\n", d.Pos, in)
		if d.Excerpt != "" {
			fmt.Fprintf(b, "%4d: %s\n      %s%s%s\n", d.Pos.Line, d.Excerpt, paint, d.Marker, reset)
		}
		b.WriteByte('\n')
	}
	facts := false
	for _, f := range []struct{ key, text string }{
		{"value", d.Value}, {"allowed", d.Allowed}, {"suggestion", d.Suggestion},
	} {
		if f.text != "" {
			facts = true
			wrapped := wrap(f.text, width-14)
			fmt.Fprintf(b, "  %-11s %s\n", f.key+":", strings.ReplaceAll(wrapped, "\n", "\n"+strings.Repeat(" ", 14)))
		}
	}
	if facts {
		b.WriteByte('\n')
	}
	if d.Detail != "" {
		fmt.Fprintf(b, "%s\n\n", wrap(d.Detail, width))
	}
}

func wrap(s string, width int) string {
	if width < 20 {
		return s
	}
	return wordwrap.WrapString(s, uint(width))
}

// maxExcerpt keeps a line of a machine-written file from flooding the terminal.
const maxExcerpt = 160

// locate fills position and excerpt from the diagnostic's range.
func (d *Diagnostic) locate(src []byte) {
	r := d.rng
	if r.Filename == "" {
		return
	}
	d.Pos = position(r)
	if r.Start.Byte > len(src) || len(src) == 0 {
		return
	}
	begin := bytes.LastIndexByte(src[:r.Start.Byte], '\n') + 1
	end := len(src)
	if i := bytes.IndexByte(src[r.Start.Byte:], '\n'); i >= 0 {
		end = r.Start.Byte + i
	}
	stop := min(max(r.End.Byte, r.Start.Byte), end)
	before := printable(src[begin:r.Start.Byte])
	mark := printable(src[r.Start.Byte:stop])
	after := printable(src[stop:end])
	if n := utf8.RuneCountInString(before); n > maxExcerpt/2 {
		before = "..." + string([]rune(before)[n-maxExcerpt/2:])
	}
	line := []rune(before + mark + after)
	markLen := max(1, utf8.RuneCountInString(mark))
	if len(line) > maxExcerpt {
		line = append(line[:maxExcerpt], []rune("...")...)
		markLen = min(markLen, maxExcerpt-utf8.RuneCountInString(before))
	}
	d.Excerpt = strings.TrimRight(string(line), " ")
	d.Marker = strings.Repeat(" ", utf8.RuneCountInString(before)) + strings.Repeat("^", markLen)
}

// printable keeps a hostile file from writing control sequences to a terminal.
func printable(b []byte) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(string(b), "\uFFFD") {
		switch {
		case r == '\t':
			out.WriteString("    ")
		case r == '\r':
		case !unicode.IsPrint(r):
			out.WriteRune('\uFFFD')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func position(r hcl.Range) arch.Pos {
	return arch.Pos{File: r.Filename, Line: r.Start.Line, Col: r.Start.Column}
}

// add records a diagnostic about a range.
func (l *loader) add(sev Severity, rng hcl.Range, d Diagnostic) {
	d.Severity, d.rng = sev, rng
	l.diags = append(l.diags, d)
}

// addHCL takes over what the HCL parser and evaluator have to say.
func (l *loader) addHCL(in string, diags hcl.Diagnostics) {
	for _, h := range diags {
		d := Diagnostic{Summary: h.Summary, Detail: h.Detail, In: in}
		var rng hcl.Range
		if h.Subject != nil {
			rng = *h.Subject
		}
		sev := Error
		if h.Severity == hcl.DiagWarning {
			sev = Warning
		}
		if f, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](h); ok {
			name, known := f.CalledFunctionName(), slices.Sorted(maps.Keys(functions))
			d = Diagnostic{Summary: "Unknown function " + quote(name), In: in, Allowed: strings.Join(known, ", "),
				Suggestion: didYouMean(name, known)}
		}
		l.add(sev, rng, d)
	}
}

// finish puts the diagnostics in source order and removes repetitions.
func (l *loader) finish() Diagnostics {
	order := map[string]int{}
	for i, f := range l.files {
		order[f.name] = i
	}
	slices.SortStableFunc(l.diags, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(order[a.rng.Filename], order[b.rng.Filename]),
			cmp.Compare(a.rng.Start.Byte, b.rng.Start.Byte),
		)
	})
	out := l.diags[:0]
	for _, d := range l.diags {
		for _, f := range l.files {
			if f.name == d.rng.Filename {
				d.locate(f.src)
			}
		}
		if n := len(out); n > 0 && out[n-1] == d {
			continue
		}
		out = append(out, d)
	}
	return out
}
