// Package estimate adds up what hardware and a model take: cycles from the closed forms of the
// blocks in hw, energy and area from a technology's constants. Every number is a Quantity, a
// node of a graph down to constants with their sources, so that each can say how it came to be.
package estimate

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"ohmloom/gen/arch"
)

// Kinds of quantities beside those of constants (measured, synthesised, cited, fitted, assumed).
const (
	Computed  = "computed"  // from other quantities, by the formula in Source
	Described = "described" // written in the description or in the model's shape
	Closed    = "block"     // a block's closed form in cycles, held against its RTL by the tests of hw
)

// Quantity is a number with its unit and how it came to be.
type Quantity struct {
	Key    string // names it in a tree: "time.attention"
	Value  float64
	Unit   string
	Kind   string      // one of the above, or a constant's
	Source string      // a constant's source, or the formula
	Of     []*Quantity // what a computed one is computed from
}

// Constant is a technology's figure.
func Constant(key string, q arch.Quantity) *Quantity {
	return &Quantity{Key: key, Value: q.Value, Unit: q.Unit, Kind: q.Kind, Source: q.Source}
}

// Given is a number that someone described.
func Given(key string, v float64, unit, source string) *Quantity {
	return &Quantity{Key: key, Value: v, Unit: unit, Kind: Described, Source: source}
}

// Formula is a number computed by other code, which source names.
func Formula(key string, v float64, unit, source string, of ...*Quantity) *Quantity {
	return &Quantity{Key: key, Value: v, Unit: unit, Kind: Computed, Source: source, Of: of}
}

// Cycles is a block's closed form.
func Cycles(key string, cycles int, block string, of ...*Quantity) *Quantity {
	return &Quantity{Key: key, Value: float64(cycles), Unit: "cycles", Kind: Closed, Source: block, Of: of}
}

// Sum adds quantities of one unit.
func Sum(key, unit string, of ...*Quantity) *Quantity {
	q := &Quantity{Key: key, Unit: unit, Kind: Computed, Source: "sum", Of: of}
	for _, o := range of {
		q.Value += o.Value
	}
	return q
}

// Product multiplies; scale brings the units to unit.
func Product(key, unit string, scale float64, of ...*Quantity) *Quantity {
	q := &Quantity{Key: key, Value: scale, Unit: unit, Kind: Computed, Source: scaled("product", scale), Of: of}
	for _, o := range of {
		q.Value *= o.Value
	}
	return q
}

// Quotient is a / b; it is 0 when b is.
func Quotient(key, unit string, scale float64, a, b *Quantity) *Quantity {
	q := &Quantity{Key: key, Unit: unit, Kind: Computed, Source: scaled("first / second", scale), Of: []*Quantity{a, b}}
	if b.Value != 0 {
		q.Value = scale * a.Value / b.Value
	}
	return q
}

// Largest is the largest of quantities of one unit, and which it is.
func Largest(key, unit string, of ...*Quantity) (q *Quantity, which int) {
	q = &Quantity{Key: key, Unit: unit, Kind: Computed, Source: "largest", Of: of}
	for i, o := range of {
		if i == 0 || o.Value > q.Value {
			q.Value, which = o.Value, i
		}
	}
	return q, which
}

// As is the quantity under another key.
func (q *Quantity) As(key string) *Quantity {
	c := *q
	c.Key = key
	return &c
}

func scaled(what string, scale float64) string {
	if scale == 1 {
		return what
	}
	return what + " x " + number(scale)
}

// Find is the first quantity called key in the trees, depth first, or nil.
func Find(key string, trees ...*Quantity) *Quantity {
	seen := map[*Quantity]bool{}
	var find func(q *Quantity) *Quantity
	find = func(q *Quantity) *Quantity {
		if q.Key == key {
			return q
		}
		if seen[q] {
			return nil
		}
		seen[q] = true
		for _, o := range q.Of {
			if f := find(o); f != nil {
				return f
			}
		}
		return nil
	}
	for _, t := range trees {
		if f := find(t); f != nil {
			return f
		}
	}
	return nil
}

// Constants are the constants that the trees rest on, each once.
func Constants(trees ...*Quantity) []*Quantity {
	seen, visited := map[string]bool{}, map[*Quantity]bool{}
	var list []*Quantity
	var walk func(q *Quantity)
	walk = func(q *Quantity) {
		if visited[q] {
			return
		}
		visited[q] = true
		if len(q.Of) == 0 && q.Kind != Computed && q.Kind != Described && q.Kind != Closed && !seen[q.Key] {
			seen[q.Key] = true
			list = append(list, q)
		}
		for _, o := range q.Of {
			walk(o)
		}
	}
	for _, t := range trees {
		walk(t)
	}
	return list
}

// Keys lists the keys in the trees in order of appearance, each once.
func Keys(trees ...*Quantity) []string {
	seen, visited := map[string]bool{}, map[*Quantity]bool{}
	var keys []string
	var walk func(q *Quantity)
	walk = func(q *Quantity) {
		if visited[q] {
			return
		}
		visited[q] = true
		if !seen[q.Key] {
			seen[q.Key] = true
			keys = append(keys, q.Key)
		}
		for _, o := range q.Of {
			walk(o)
		}
	}
	for _, t := range trees {
		walk(t)
	}
	return keys
}

// Why prints how the quantity came to be, down to constants, one a line; what was explained
// above is not explained again.
func (q *Quantity) Why(w io.Writer) error {
	seen := map[*Quantity]bool{}
	var text strings.Builder
	var walk func(q *Quantity, depth int)
	walk = func(q *Quantity, depth int) {
		unit := q.Unit
		if unit != "" {
			unit = " " + unit
		}
		fmt.Fprintf(&text, "%s%s = %s%s  [%s] %s", strings.Repeat("  ", depth), q.Key, number(q.Value), unit, q.Kind, q.Source)
		if seen[q] && len(q.Of) > 0 {
			text.WriteString(" (see above)\n")
			return
		}
		seen[q] = true
		text.WriteByte('\n')
		for _, o := range q.Of {
			walk(o, depth+1)
		}
	}
	walk(q, 0)
	_, err := io.WriteString(w, text.String())
	return err
}

// number prints six significant digits, whole numbers in full.
func number(v float64) string {
	if v == float64(int64(v)) && v < 1e15 && v > -1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
