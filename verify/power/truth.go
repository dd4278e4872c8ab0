package power

import (
	"fmt"
	"slices"
	"strings"
)

// truth is a Liberty function over at most 6 variables: bit i is its value where variable j is
// bit j of i. Words beside one another are an AND.
func truth(function string, variables []string) (uint64, error) {
	p := &parser{variables: variables}
	for s := function; s != ""; {
		switch n := strings.IndexAny(s, "()!'^+|*& \t"); {
		case n < 0:
			p.tokens, s = append(p.tokens, s), ""
		case n > 0:
			p.tokens, s = append(p.tokens, s[:n]), s[n:]
		default:
			if s[0] != ' ' && s[0] != '\t' {
				p.tokens = append(p.tokens, s[:1])
			}
			s = s[1:]
		}
	}
	t := p.or()
	if p.failed || len(p.tokens) > 0 {
		return 0, fmt.Errorf("function %q of %s is not understood", function, strings.Join(variables, ", "))
	}
	return t & (1<<(1<<len(variables)) - 1), nil
}

type parser struct {
	variables []string
	tokens    []string
	failed    bool
}

func (p *parser) next(any ...string) bool {
	if len(p.tokens) == 0 || !slices.Contains(any, p.tokens[0]) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) or() uint64 {
	v := p.and()
	for p.next("+", "|") {
		v |= p.and()
	}
	return v
}

func (p *parser) and() uint64 {
	v := p.xor()
	for p.next("*", "&") || len(p.tokens) > 0 && !slices.Contains([]string{")", "+", "|", "^", "'"}, p.tokens[0]) {
		v &= p.xor()
	}
	return v
}

func (p *parser) xor() uint64 {
	v := p.not()
	for p.next("^") {
		v ^= p.not()
	}
	return v
}

func (p *parser) not() (v uint64) {
	switch {
	case p.next("!"):
		return ^p.not()
	case p.next("("):
		v = p.or()
		p.failed = p.failed || !p.next(")")
	case len(p.tokens) == 0:
		p.failed = true
	case p.tokens[0] == "0", p.tokens[0] == "1":
		if p.next("1") {
			v = ^uint64(0)
		} else {
			p.next("0")
		}
	default:
		i := slices.Index(p.variables, p.tokens[0])
		p.tokens = p.tokens[1:]
		if p.failed = p.failed || i < 0; i >= 0 {
			v = column(i)
		}
	}
	for p.next("'") {
		v = ^v
	}
	return v
}

// column is variable i itself.
func column(i int) (v uint64) {
	for at := range 64 {
		v |= uint64(at>>i&1) << at
	}
	return v
}
