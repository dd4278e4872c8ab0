package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"ohmloom/gen/arch"
)

// Defaults of a sequencer: buffers are what a block of tokens needs, words hold the program of such
// a block with a loop over the layers, or that of single tokens for some thirty layers without one.
const (
	defaultWords   = 256
	defaultBuffers = 12
	defaultPrefill = 4
)

// sequencer is what makes a whole chip of the halves, which must be there and be such that it
// can run them.
func (l *loader) sequencer(n, chip *node, c *arch.Chip) *arch.Sequencer {
	if n == nil {
		return nil
	}
	s := &arch.Sequencer{Words: n.int("words", defaultWords), Buffers: n.int("buffers", defaultBuffers), HeadLanes: n.int("head_lanes", 0),
		PrefillBlock: n.int("prefill_block", defaultPrefill), PrefillAsked: n.has("prefill_block"), Pos: n.pos()}
	if l.broken {
		return s
	}
	lacks := func(rng hcl.Range, summary, value, allowed, suggestion string) {
		l.add(Error, rng, Diagnostic{Summary: summary, In: n.in, Value: value, Allowed: allowed, Suggestion: suggestion})
	}
	switch a := c.Attention; {
	case a == nil:
		lacks(n.rng, "A whole chip needs a decode engine", "", "", `add attention { ... } with decode = "spread"`)
	case chip.child("attention").wanting("decode"):
	case a.Decode == "":
		lacks(chip.child("attention").rng, "A whole chip needs a decode engine", "a bare array", `decode = "column" or decode = "spread"`, `add decode = "spread"`)
	}
	if most, of := headLanesBound(c.Attention); s.HeadLanes > most {
		lacks(n.at("head_lanes"), "The attention array does not multiply as many elements for the output head", fmt.Sprint(s.HeadLanes),
			fmt.Sprintf("1 .. %d, %s", most, of), fmt.Sprintf("use head_lanes = %d, or make the array larger", most))
	}
	switch p := c.PIM; {
	case p == nil:
		lacks(n.rng, "A whole chip needs PIM banks", "", "", "add pim { ... } with banks = ...")
	case p.Bank == nil:
		lacks(chip.child("pim").rng, "A whole chip needs PIM banks", "one tile", "pim with "+oneOf(bankAttrs), "add banks = ..., tiles = ... and pes = ...")
	case p.Bank.Count > maxChipBanks:
		lacks(chip.child("pim").at("banks"), "Too many banks for a sequencer", fmt.Sprint(p.Bank.Count), fmt.Sprintf("1 .. %d", maxChipBanks),
			fmt.Sprintf("use %d banks of more tiles", maxChipBanks))
	}
	if p := c.PIM; p != nil && p.Bank != nil && p.Bank.Norm != nil {
		lacks(chip.child("pim").child("norm").rng, "Whole chips have their norm in the vector unit", "norm of "+strings.Join(p.Bank.Norm.Of, ", "),
			"", "remove it: the model adds projections to the residual stream before it takes the norm")
	}
	switch m := l.chosen; {
	case l.unknown:
	case m == nil:
		lacks(n.rng, "A whole chip needs the shape of its model", "", "", `name one: model = "file.safetensors", or write model "name" { ... }`)
	case m.Vocab < 1 || m.Vocab > maxChipVocab:
		lacks(n.rng, "The output head needs the model's vocabulary", fmt.Sprintf("vocab = %d in model %q", m.Vocab, m.Name),
			fmt.Sprintf("1 .. %s", thousands(maxChipVocab)), "add vocab = ... to the model")
	case m.Gated:
		lacks(n.rng, "A whole chip has no gated feed-forward block", fmt.Sprintf("model %q", m.Name), "models without a third matrix", "")
	}
	return s
}

// headLanesBound is the most elements that the array multiplies for the output head in a cycle, and
// what they are; a column has no more work than its rows.
func headLanesBound(a *arch.Attention) (most int, of string) {
	switch {
	case a != nil && a.Decode == arch.Spread:
		return min(a.Rows*a.Cols, maxHeadLanes), "rows x cols of the array"
	case a != nil && a.Decode == arch.Column:
		return a.Rows, "the rows of the array's one column that has work"
	}
	return maxHeadLanes, ""
}

// Most banks and rows of the embedding table that instructions can name.
const (
	maxChipBanks = 16
	maxChipVocab = 65_536
	maxHeadLanes = 1024
)
