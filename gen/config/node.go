package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// node is one block of the description: first as written in one file, then merged with what
// included files say of it, then with its values.
type node struct {
	spec   *blockSpec
	label  string
	in     string    // path of blocks for diagnostics: chip "tile", pim
	rng    hcl.Range // the block's header
	named  hcl.Range // its label
	attrs  map[string]*hclsyntax.Attribute
	blocks map[string][]*node
	values map[string]value
	later  []*attrSpec // attributes that depend on the axes of a sweep
	varies bool        // it or a block in it does
}

func newNode(spec *blockSpec, rng hcl.Range) *node {
	return &node{spec: spec, rng: rng, attrs: map[string]*hclsyntax.Attribute{},
		blocks: map[string][]*node{}, values: map[string]value{}}
}

// child returns the only block of a name, or nil.
func (n *node) child(name string) *node {
	if c := n.blocks[name]; len(c) > 0 {
		return c[0]
	}
	return nil
}

// childOrEmpty is child, or a block without content that stands where n stands.
func (n *node) childOrEmpty(name string) *node {
	if c := n.child(name); c != nil {
		return c
	}
	c := newNode(n.spec.block(name), n.rng)
	c.in = within(n.in, name)
	return c
}

func within(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + ", " + inner
}

// check compares one body with its specification and returns what is sound of it.
func (l *loader) check(body *hclsyntax.Body, spec *blockSpec, in string, rng hcl.Range) *node {
	n := newNode(spec, rng)
	n.in = in
	for _, name := range sortedAttrs(body) {
		a := body.Attributes[name]
		if spec.attr(name) == nil {
			l.unknownAttr(n, a)
			// Go on as if it had been spelt right: its value is checked too, and the
			// attribute that was meant is not called missing.
			name = nearest(name, spec.attrNames())
			if name == "" || body.Attributes[name] != nil {
				continue
			}
		}
		n.attrs[name] = a
	}
	for _, b := range body.Blocks {
		sub := spec.block(b.Type)
		if sub == nil {
			l.unknownBlock(n, b)
			if sub = spec.block(nearest(b.Type, spec.blockNames())); sub == nil {
				continue
			}
			if hasOwnReader(sub.name) {
				l.broken = true // what it defines is unknown elsewhere
				continue
			}
		}
		l.checkBlock(n, b, sub)
	}
	return n
}

// checkBlock checks a block and hangs it into n.
func (l *loader) checkBlock(n *node, b *hclsyntax.Block, sub *blockSpec) {
	labelled := l.checkLabels(b, sub, n.in)
	if hasOwnReader(sub.name) {
		return
	}
	inner := within(n.in, sub.name)
	if len(b.Labels) > 0 {
		inner += " " + quote(b.Labels[0])
	}
	c := l.check(b.Body, sub, inner, b.DefRange())
	if len(b.Labels) > 0 {
		c.label, c.named = b.Labels[0], b.LabelRanges[0]
	}
	if !labelled && sub.many {
		l.broken = true // there is no telling which one it is
		return
	}
	if first := n.twin(c); first != nil {
		what := "Block " + quote(sub.name)
		if sub.many {
			what += " " + quote(c.label)
		}
		l.add(Error, b.DefRange(), Diagnostic{Summary: what + " written twice", In: n.in,
			Suggestion: "join it with the first one, at " + position(first.rng).String()})
		return
	}
	n.blocks[sub.name] = append(n.blocks[sub.name], c)
}

// hasOwnReader tells the blocks that scope.go and source.go read.
func hasOwnReader(name string) bool {
	return name == "include" || name == "variable" || name == "locals"
}

// twin finds an earlier block that c must not stand beside.
func (n *node) twin(c *node) *node {
	for _, o := range n.blocks[c.spec.name] {
		if !c.spec.many || (c.spec.label != "" && o.label == c.label) {
			return o
		}
	}
	return nil
}

func (l *loader) checkLabels(b *hclsyntax.Block, spec *blockSpec, in string) bool {
	want := 0
	if spec.label != "" {
		want = 1
	}
	switch {
	case len(b.Labels) < want:
		l.add(Error, b.DefRange(), Diagnostic{Summary: fmt.Sprintf("Block %q needs a %s", b.Type, spec.label), In: in,
			Suggestion: fmt.Sprintf("write %s %q { ... }", b.Type, orElse(first(spec.labels), "name"))})
		return false
	case len(b.Labels) > want:
		rng := b.LabelRanges[want]
		l.add(Error, rng, Diagnostic{Summary: fmt.Sprintf("Block %q has a label too many", b.Type), In: in,
			Value: quote(b.Labels[want]), Suggestion: "remove it"})
		return false
	case want == 1 && spec.labels != nil && !slices.Contains(spec.labels, b.Labels[0]):
		l.add(Error, b.LabelRanges[0], Diagnostic{Summary: fmt.Sprintf("Unknown %s in block %q", spec.label, b.Type), In: in,
			Value: quote(b.Labels[0]), Allowed: oneOf(spec.labels), Suggestion: didYouMean(b.Labels[0], spec.labels)})
		return false
	}
	return true
}

func (l *loader) unknownAttr(n *node, a *hclsyntax.Attribute) {
	d := Diagnostic{Summary: "Unknown attribute " + quote(a.Name), In: n.in, Allowed: oneOf(n.spec.attrNames()),
		Suggestion: didYouMean(a.Name, n.spec.attrNames())}
	if sub := n.spec.block(a.Name); sub != nil {
		label := ""
		if sub.label != "" {
			label = ` "` + sub.label + `"`
		}
		d.Suggestion = fmt.Sprintf("%q is a block: write %s%s { ... }, without =", a.Name, a.Name, label)
	} else if d.Suggestion == "" {
		if home := homes(&language, a.Name, ""); len(home) > 0 {
			d.Suggestion = fmt.Sprintf("%q belongs in %s", a.Name, strings.Join(home, " or "))
		} else if near := nearest(a.Name, n.spec.blockNames()); near != "" {
			d.Suggestion = "did you mean the block " + quote(near) + "?"
		}
	}
	l.add(Error, a.NameRange, d)
}

func (l *loader) unknownBlock(n *node, b *hclsyntax.Block) {
	d := Diagnostic{Summary: "Unknown block " + quote(b.Type), In: n.in, Allowed: oneOf(n.spec.blockNames()),
		Suggestion: didYouMean(b.Type, n.spec.blockNames())}
	if len(n.spec.blocks) == 0 {
		d.Allowed = "no blocks here"
	}
	if n.spec.attr(b.Type) != nil {
		d.Suggestion = fmt.Sprintf("%q is an attribute: write %s = ...", b.Type, b.Type)
	} else if d.Suggestion == "" {
		if home := homes(&language, b.Type, ""); len(home) > 0 {
			d.Suggestion = fmt.Sprintf("%q belongs in %s", b.Type, strings.Join(home, " or "))
		}
	}
	l.add(Error, b.TypeRange, d)
}

// homes lists the blocks in which an attribute or block of this name is at home.
func homes(spec *blockSpec, name, at string) []string {
	var out []string
	if spec.attr(name) != nil || (spec.block(name) != nil && at != "") {
		out = append(out, orElse(at, "no block at all, at the top of the file"))
	}
	for i := range spec.blocks {
		b := &spec.blocks[i]
		path := b.name
		if at != "" {
			path = at + "." + b.name
		}
		out = append(out, homes(b, name, path)...)
	}
	return out
}

// merge completes over with what under says: values in over win, lists of equal blocks are
// taken whole from one of them.
func merge(over, under *node) *node {
	for name, a := range under.attrs {
		if over.attrs[name] == nil {
			over.attrs[name] = a
		}
	}
	for i := range over.spec.blocks {
		name := over.spec.blocks[i].name
		have := over.blocks[name]
		for _, u := range under.blocks[name] {
			sub := &over.spec.blocks[i]
			switch j := slices.IndexFunc(have, func(o *node) bool { return !sub.many || o.label == u.label }); {
			case j < 0 && (len(have) == 0 || sub.label != ""):
				over.blocks[name] = append(over.blocks[name], u)
			case j >= 0 && (!sub.many || sub.label != ""):
				merge(have[j], u)
			}
		}
	}
	return over
}

// complete reports what a block must have and has not.
func (l *loader) complete(n *node) {
	if l.broken {
		return // what is missing may be in the part that could not be read
	}
	for _, a := range n.spec.attrs {
		if _, null := n.values[a.name]; a.required && !null {
			l.missing(n, a.name)
		}
	}
	for _, name := range n.spec.required {
		if n.child(name) == nil {
			sub := n.spec.block(name)
			label := ""
			if sub.label != "" {
				label = ` "name"`
			}
			l.add(Error, n.rng, Diagnostic{Summary: "Missing block " + quote(name), In: n.in,
				Suggestion: fmt.Sprintf("add %s%s { ... }", name, label)})
		}
	}
}

// missing reports an attribute that a block must have; complete does it for those that it
// always must.
func (l *loader) missing(n *node, name string) {
	if l.broken {
		return
	}
	a := n.spec.attr(name)
	l.add(Error, n.rng, Diagnostic{Summary: "Missing attribute " + quote(name), In: n.in,
		Allowed: allowedText(a), Suggestion: "add " + name + " = ..." + note(a.hint)})
}

func note(hint string) string {
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// sortedAttrs returns a body's attribute names in source order.
func sortedAttrs(body *hclsyntax.Body) []string {
	var names []string
	for name := range body.Attributes {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Compare(body.Attributes[a].SrcRange.Start.Byte, body.Attributes[b].SrcRange.Start.Byte)
	})
	return names
}
