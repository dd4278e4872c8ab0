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

// writer writes a program in assembly.
type writer struct {
	*Compiled
	lines []string
	label string // of the next line
}

func (w *writer) say(op, format string, a ...any) {
	w.lines = append(w.lines, fmt.Sprintf("%-7s %-6s %s\n", w.label, op, fmt.Sprintf(format, a...)))
	w.label = ""
}

// mvm is the operation of a stage: of a layer, or of the layer register and so many more.
func (w *writer) mvm(stage, layer int, register bool, src, dst, count int) {
	at := w.at(stage, layer)
	w.say("mvm", "bank=%d op=%d layer=%d src=%d dst=%d count=%d", at.Bank, at.Index, flag(register), src, dst, count)
}

// text is the program. Blocks of a prompt's tokens come first, the largest first, each as long as the
// prompt has one token more; then single tokens, of the prompt or of the text. There are blocks of
// as many tokens as the chip has residual streams, of half as many and so on, as far as program
// memory and buffers have room; asked wants room for the largest. There are none with read noise, which
// counts conversions: blocks do without some of the last layer's, and the text would be another.
func (p *Compiled) text(asked bool) (string, error) {
	single := (&writer{Compiled: p}).token()
	var blocks [][]string
	var sizes []int
	words := len(single) + 1 // and more, behind the first block
	counts := p.Chip.Bank.Crossbar.Effects.ReadNoise > 0
	for n := p.Chip.Unit.Slots; n > 0 && p.Chip.Unit.Slots > 1 && !counts; n /= 2 {
		b := p.pipeline(n)
		lines := (&writer{Compiled: p}).block(b)
		room := b.used <= p.Chip.Buffers && words+1+len(lines) <= p.Chip.Words
		if must := asked && n == p.Chip.Unit.Slots; must && b.used > p.Chip.Buffers {
			return "", fmt.Errorf("buffers is %d, a block of %d tokens needs %d, one token %d (prefill_block = 1)", p.Chip.Buffers, n, b.used, buffers)
		} else if !room && !must {
			continue
		}
		words += 1 + len(lines)
		blocks, sizes = append(blocks, lines), append(sizes, n)
	}
	w := &writer{Compiled: p}
	for i, n := range sizes {
		next := "token"
		if i+1 < len(sizes) {
			next = fmt.Sprintf("block%d", sizes[i+1])
		}
		w.label = fmt.Sprintf("block%d:", n)
		w.say("gather", "tokens=%d target=%s", n+1, next)
		w.lines = append(w.lines, blocks[i]...)
		if i == 0 {
			w.say("more", "target=block%d", n)
		}
	}
	return strings.Join(append(w.lines, single...), ""), nil
}

// token is the program of a single token: one body for all layers where the operations of each
// stage follow one another in the tables of one bank, else one body a layer.
func (w *writer) token() []string {
	layers, vocab := w.layers, w.vocab
	w.label = "token:"
	w.say("embed", "rows=%d", vocab)
	w.say("load", "")
	bodies := layers
	if w.regular() {
		bodies = 1
	}
	for layer := range bodies {
		mvm := func(stage int) {
			s := stages[stage]
			w.mvm(stage, layer, bodies == 1, s.src, s.dst, s.count)
		}
		w.label = fmt.Sprintf("layer%d:", layer)
		w.say("norm", "dst=0")
		mvm(0)
		w.say("attend", "src=1 dst=4")
		mvm(1)
		w.say("add", "src=5")
		w.say("norm", "dst=0")
		mvm(2)
		mvm(3)
		w.say("add", "src=5")
	}
	if bodies == 1 {
		w.say("loop", "times=%d target=layer0", layers)
	}
	w.say("more", "target=token")
	w.say("table", "rows=%d", vocab)
	w.say("norm", "dst=0")
	w.say("head", "src=0")
	w.say("emit", "target=token")
	w.say("halt", "")
	return w.lines
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
