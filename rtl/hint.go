package rtl

import (
	"fmt"
	"strings"

	"ohmloom/ir"
)

// maxName bounds names made up from operands.
const maxName = 28

// nameFor is what the net of n should be called: its own name, what it is used for, or what
// it is made of.
func (b *builder) nameFor(n *ir.Node) string {
	v := b.val(n)
	if n.Name != "" {
		return n.Name
	}
	if v.hint != "" {
		return v.hint
	}
	word := opWord(n)
	for _, a := range n.Args {
		base := b.baseName(a)
		if strings.HasSuffix(base, "_"+word) {
			return base
		}
		if base != "" && len(base)+1+len(word) <= maxName {
			return base + "_" + word
		}
	}
	return word
}

// baseName is the name a node already has, or that its operand has.
func (b *builder) baseName(n *ir.Node) string {
	v := b.val(n)
	switch {
	case n.Name != "":
		return n.Name
	case v.net != nil:
		return trimQ(v.net.name)
	case v.hint != "":
		return v.hint
	}
	switch n.Op.(type) {
	case ir.Slice, ir.Elems, ir.Cast, ir.Extend, ir.Splat, ir.Not:
		return b.baseName(n.Args[0])
	}
	return ""
}

func opWord(n *ir.Node) string {
	switch op := n.Op.(type) {
	case ir.Const:
		return "constants"
	case ir.Binary:
		return []string{"sum", "diff", "prod", "and", "or", "xor"}[op.Kind]
	case ir.Not:
		return "n"
	case ir.Shift:
		return "shifted"
	case ir.Compare:
		return []string{"is", "differs", "below", "at_most", "below", "at_most"}[op.Kind]
	case ir.Mux:
		return "sel"
	case ir.Extend:
		return "ext"
	case ir.Slice:
		return fmt.Sprintf("bits_%d", op.Lo)
	case ir.Cat:
		return "cat"
	case ir.Splat:
		return "all"
	case ir.Elems:
		return "part"
	case ir.Pick:
		return "item"
	case ir.Join:
		return "joined"
	case ir.Cast:
		return "packed"
	case ir.MemRead:
		return "word"
	case ir.Fold:
		return []string{"total", "every", "any", "parity"}[op.Kind]
	case ir.MaskedSum:
		return "sums"
	}
	return "value"
}
