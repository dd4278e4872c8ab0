package compile

import (
	"fmt"
	"strings"

	"ohmloom/gen/mapping"
)

// buffers is how many vectors a decoder layer has: y and, with y, o in place of it; q, k, v; o;
// the result of W_O or W_X; the hidden vector.
const buffers = 7

// Stages of a layer, in the order of mapping.Decoder, with the buffers of their operands.
var stages = []struct{ src, dst, count int }{{0, 1, 3}, {4, 5, 1}, {0, 6, 1}, {6, 5, 1}}

// text is the program: one body for all layers where the operations of each stage follow one
// another in the tables of one bank, else one body a layer.
func (p *Compiled) text() string {
	var b strings.Builder
	layers, vocab := p.layers, p.vocab
	say := func(label, op, format string, a ...any) {
		fmt.Fprintf(&b, "%-7s %-6s %s\n", label, op, fmt.Sprintf(format, a...))
	}
	say("token:", "embed", "rows=%d", vocab)
	say("", "load", "")
	bodies := layers
	if p.regular() {
		bodies = 1
	}
	for layer := range bodies {
		mvm := func(stage int) {
			s, at := stages[stage], p.at(stage, layer)
			say("", "mvm", "bank=%d op=%d layer=%d src=%d dst=%d count=%d", at.Bank, at.Index, flag(bodies == 1), s.src, s.dst, s.count)
		}
		say(fmt.Sprintf("layer%d:", layer), "norm", "dst=0")
		mvm(0)
		say("", "attend", "src=1 dst=4")
		mvm(1)
		say("", "add", "src=5")
		say("", "norm", "dst=0")
		mvm(2)
		mvm(3)
		say("", "add", "src=5")
	}
	if bodies == 1 {
		say("", "loop", "times=%d target=layer0", layers)
	}
	say("", "more", "target=token")
	say("", "table", "rows=%d", vocab)
	say("", "norm", "dst=0")
	say("", "head", "src=0")
	say("", "emit", "target=token")
	say("", "halt", "")
	return b.String()
}

// at is where an operation is.
func (p *Compiled) at(stage, layer int) *mapping.Placed {
	return &p.Plan.Ops[stage*p.layers+layer]
}

// regular reports that one body serves all layers.
func (p *Compiled) regular() bool {
	for stage := range stages {
		first := p.at(stage, 0)
		for layer := range p.layers {
			if at := p.at(stage, layer); at.Bank != first.Bank || at.Index != first.Index+layer {
				return false
			}
		}
	}
	return true
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Bank is the bank that holds the operation of a stage (Q, K and V; W_X; W_I; W_O) of a layer.
func (p *Compiled) Bank(layer, stage int) int { return p.at(stage, layer).Bank }
