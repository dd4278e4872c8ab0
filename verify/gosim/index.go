package gosim

import (
	"fmt"
	"sort"
	"strings"

	"github.com/dave/jennifer/jen"
)

// index is a linear form over loop variables: a constant plus coefficients times atoms. It
// is kept in this form so that views of views collapse to what a person would write.
type index struct {
	add   int
	terms []term // sorted by the atom's text, no zero coefficients
}

type term struct {
	coef int
	atom *atom
}

// atom is a loop variable or a quotient or remainder that did not simplify.
type atom struct {
	text string // as printed; identity of the atom
	max  int    // largest value
	code func() *jen.Statement
	used bool // it was printed: Go wants no loop variable that is not
	of   index
	op   string // of a quotient or remainder: "/" or "%" by, of what is in of
	by   int
}

func constant(k int) index { return index{add: k} }

// loopVar is a variable that runs from 0 to n-1.
func loopVar(name string, n int) index {
	a := &atom{text: name, max: n - 1}
	a.code = func() *jen.Statement {
		a.used = true
		return jen.Id(name)
	}
	return index{terms: []term{{1, a}}}
}

func (x index) isConst() bool { return len(x.terms) == 0 }

func (x index) plus(y index) index {
	coef := map[string]term{}
	for _, t := range append(append([]term{}, x.terms...), y.terms...) {
		c := coef[t.atom.text]
		coef[t.atom.text] = term{c.coef + t.coef, t.atom}
	}
	out := index{add: x.add + y.add}
	for _, t := range coef {
		if t.coef != 0 {
			out.terms = append(out.terms, t)
		}
	}
	sort.Slice(out.terms, func(i, j int) bool { return out.terms[i].atom.text < out.terms[j].atom.text })
	return out.whole()
}

// whole puts x/k*k + x%k together again.
func (x index) whole() index {
	for i, r := range x.terms {
		for j, q := range x.terms {
			a, b := r.atom, q.atom
			if a.op == "%" && b.op == "/" && a.by == b.by && r.coef*a.by == q.coef && same(a.of, b.of) {
				rest := index{add: x.add}
				for k, t := range x.terms {
					if k != i && k != j {
						rest.terms = append(rest.terms, t)
					}
				}
				return rest.plus(a.of.times(r.coef))
			}
		}
	}
	return x
}

func (x index) times(k int) index {
	out := index{add: x.add * k}
	for _, t := range x.terms {
		if k != 0 {
			out.terms = append(out.terms, term{t.coef * k, t.atom})
		}
	}
	return out
}

func (x index) max() int {
	m := x.add
	for _, t := range x.terms {
		m += t.coef * t.atom.max
	}
	return m
}

// split parts x into what k divides and the rest.
func (x index) split(k int) (whole, rest index) {
	whole.add, rest.add = x.add/k*k, x.add%k
	for _, t := range x.terms {
		if t.coef%k == 0 {
			whole.terms = append(whole.terms, t)
		} else {
			rest.terms = append(rest.terms, t)
		}
	}
	return whole, rest
}

func (x index) quo(k int) index {
	whole, rest := x.split(k)
	out := index{add: whole.add / k}
	for _, t := range whole.terms {
		out.terms = append(out.terms, term{t.coef / k, t.atom})
	}
	if rest.max() < k {
		return out
	}
	return out.plus(rest.wrap("/", k, rest.max()/k))
}

func (x index) rem(k int) index {
	_, rest := x.split(k)
	if rest.max() < k {
		return rest
	}
	return rest.wrap("%", k, k-1)
}

func (x index) wrap(op string, k, max int) index {
	code := func() *jen.Statement {
		if len(x.terms) == 1 && x.add == 0 && x.terms[0].coef == 1 {
			return x.code().Op(op).Lit(k)
		}
		return jen.Parens(x.code()).Op(op).Lit(k)
	}
	return index{terms: []term{{1, &atom{text: fmt.Sprintf("(%s)%s%d", x, op, k), max: max, code: code,
		of: x, op: op, by: k}}}}
}

// String is the identity of the form.
func (x index) String() string {
	var b strings.Builder
	for _, t := range x.terms {
		fmt.Fprintf(&b, "%d*%s+", t.coef, t.atom.text)
	}
	fmt.Fprintf(&b, "%d", x.add)
	return b.String()
}

func (x index) code() *jen.Statement {
	var s *jen.Statement
	for _, t := range x.terms {
		c := t.atom.code()
		if t.coef != 1 {
			if strings.HasPrefix(t.atom.text, "(") {
				c = jen.Parens(c)
			}
			c = c.Op("*").Lit(t.coef)
		}
		if s == nil {
			s = c
		} else {
			s = s.Op("+").Add(c)
		}
	}
	switch {
	case s == nil:
		return jen.Lit(x.add)
	case x.add > 0:
		return s.Op("+").Lit(x.add)
	case x.add < 0:
		return s.Op("-").Lit(-x.add)
	}
	return s
}

func same(a, b index) bool { return a.String() == b.String() }
