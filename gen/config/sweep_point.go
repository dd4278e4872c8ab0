package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"ohmloom/gen/arch"
)

// Count is the number of points of the product of the axes, up to 2^62.
func (s *Sweep) Count() uint64 { return s.count }

// Axes are the variables that vary, in the order of the description; the last varies fastest.
func (s *Sweep) Axes() []arch.Axis {
	var list []arch.Axis
	for _, a := range s.axes {
		list = append(list, arch.Axis{Name: a.name, Length: a.length})
	}
	return list
}

// indices are the places on the axes of point i.
func (s *Sweep) indices(i uint64) []uint64 {
	at := make([]uint64, len(s.axes))
	for k := len(s.axes) - 1; k >= 0; k-- {
		at[k] = i % s.axes[k].length
		i /= s.axes[k].length
	}
	return at
}

// Values are those of the axes at point i, as JSON.
func (s *Sweep) Values(i uint64) []string {
	var list []string
	for k, j := range s.indices(i) {
		v := s.axes[k].at(j)
		text, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			panic(err) // known values can be written
		}
		list = append(list, string(text))
	}
	return list
}

// Allowed tells whether the sweep's conditions hold at point i.
func (s *Sweep) Allowed(i uint64) (bool, error) {
	n := s.tree.child("sweep")
	a := n.attrs["where"]
	if a == nil {
		return true, nil
	}
	l := s.loader(i)
	v, ok := l.eval(a.Expr, n.in, n.spec.attr("where"))
	if ok {
		if all, sound := conditions(v); sound {
			return all, nil
		}
		l.admit(n, n.spec.attr("where"), a.Expr, v)
	}
	return false, l.wrong()
}

// Point is the chip at point i and what is estimated on it. The error says why the description
// does not go together there.
func (s *Sweep) Point(i uint64) (*arch.Point, error) {
	l := s.loader(i)
	tree := l.at(s.tree)
	chip := l.build(tree, s.root, s.tech)
	n := tree.child("sweep")
	p := &arch.Point{Chip: chip, Phase: n.str("phase", "decode"), Chips: n.int("chips", 0), Head: n.bool("head", true)}
	if err := l.wrong(); err != nil {
		return nil, err
	}
	if chip.Model == nil {
		return nil, errors.New(`no model: write model = "..." into the description`)
	}
	if p.Context = 1024; chip.Attention != nil && chip.Attention.Context > 0 {
		p.Context = chip.Attention.Context
	}
	p.Context = n.int("context", p.Context)
	chip.Hash = l.hash(chip)
	return p, nil
}

// loader is one for point i: variables and locals have the values of the point.
func (s *Sweep) loader(i uint64) *loader {
	b := s.base
	l := &loader{ctx: b.ctx, opts: b.opts, files: b.files, written: map[string]string{}, same: s.model}
	l.scope = scope{vars: make(map[string]*definition, len(b.scope.vars)), locals: make(map[string]*definition, len(b.scope.locals)),
		varNames: b.scope.varNames, localNames: b.scope.localNames}
	for name, d := range b.scope.vars {
		c := *d
		l.scope.vars[name] = &c
	}
	for name, d := range b.scope.locals {
		c := *d
		if c.varies {
			c.state = 0
		}
		l.scope.locals[name] = &c
	}
	for k, j := range s.indices(i) {
		l.scope.vars[s.axes[k].name].value = s.axes[k].at(j)
	}
	for _, name := range l.scope.localNames {
		l.setLocal(l.scope.locals[name], nil)
	}
	return l
}

// at is the tree at a point: what varies is evaluated, the rest is shared.
func (l *loader) at(n *node) *node {
	if !n.varies {
		return n
	}
	c := *n
	c.values, c.blocks = maps.Clone(n.values), make(map[string][]*node, len(n.blocks))
	for name, list := range n.blocks {
		for _, b := range list {
			c.blocks[name] = append(c.blocks[name], l.at(b))
		}
	}
	for _, spec := range n.later {
		l.assign(&c, spec, n.attrs[spec.name])
	}
	l.complete(&c)
	return &c
}

// wrong is what is wrong at a point, the first mistake in one line.
func (l *loader) wrong() error {
	for _, d := range l.finish() {
		if d.Severity != Error {
			continue
		}
		text := fmt.Sprintf("%s: %s", d.Pos, d.Summary)
		for _, more := range []string{d.Value, d.Allowed, d.Suggestion} {
			if more != "" {
				text += "; " + more
			}
		}
		return errors.New(strings.ReplaceAll(text, "\n", " "))
	}
	return nil
}
