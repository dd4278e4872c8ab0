package hw

import (
	"fmt"

	"ohmloom/hw/isa"
)

// TokenTime is what one token takes on a chip, and who works when.
type TokenTime struct {
	Cycles int // from the cycle in which the token before went out to the one in which it does
	Serial int // what they would be if each instruction began when the one before had given its last result
	Bound  TokenBound
	Busy   []Busy     // of the Cycles
	Steps  []ChipStep // the instructions that gave a result, counted from the cycle in which the token before went out
}

// Busy is a stretch of time in which a unit works on an instruction. Cycles are counted from the
// one in which the token before went out.
type Busy struct {
	Unit     string // one of the constants below, or UnitBank's
	Address  int    // of the instruction
	Op       string // its name
	Layer    int    // the layer register
	From, To int    // it works in cycles From .. To-1
}

// Units of a chip.
const (
	UnitMemory     = "memory"      // from a request to the last beat of its rows
	UnitVector     = "vector unit" // while elements go in or out
	UnitReciprocal = "norm's root" // of the vector unit: square root and reciprocal of a norm
	UnitAttention  = "attention"   // from the begin of a pass to its last output in the buffer
	UnitHead       = "output head" // from the vector's last element to the last logit
	UnitSampler    = "sampler"     // from the last logit to the token
)

// UnitBank is bank i, from the begin of an operation to its last result in the buffer.
func UnitBank(i int) string { return fmt.Sprintf("bank %d", i) }

// TokenTime is the time of a token that attends to slots tokens, itself among them, by the
// program from address 0 on: what the hardware takes when the host takes tokens at once. With
// slots = 1 time begins with the command; beyond the size of the ring slots makes no difference.
// It costs time in the beats of three tokens; a program that ends before that token is an error.
func (b Chip) TokenTime(slots int, c Conditions) (TokenTime, error) {
	out, err := b.follow(slots, c, false)
	if err == nil {
		var serial TokenTime
		serial, err = b.follow(slots, c, true)
		out.Serial = serial.Cycles
	}
	return out, err
}

// TokenSteps are the Steps of TokenTime alone.
func (b Chip) TokenSteps(slots int, c Conditions) ([]ChipStep, error) {
	out, err := b.follow(slots, c, false)
	return out.Steps, err
}

// follow follows a few tokens, of which the last is TokenTime's.
func (b Chip) follow(slots int, c Conditions, serial bool) (TokenTime, error) {
	const warm = 3 // tokens: of the first two nothing is left
	t := newChipTime(b).behind(c.Latency)
	tokens := min(slots, warm)
	at := t.engine.place()
	if before := min(slots-tokens, at.context); before > 0 {
		at.slot, at.cnt = before-1, before
	}
	var out TokenTime
	given, first := 0, 0 // step of the token
	least := newBound(b, c)
	s := newSequence(b.sequencer(), func() Beat { return Beat{{0}, flag(true)} }, func() Beat { return Beat{{0}} })
	s.most = 1 << 20
	s.exec = func(r *sequenceRun, w isa.Word) {
		t.note = func(unit string, from, to int) {
			out.Busy = append(out.Busy, Busy{unit, r.pc, w.Kind.Name, r.layer, from - given, to - given})
		}
		steps := len(t.steps)
		t.exec(r, w)
		if serial && len(t.steps) > steps {
			t.now = max(t.now, t.steps[steps].Last+2)
		}
		least.exec(r, w, at.cnt)
		if w.Kind.Op == isa.Emit {
			if now := t.now - 2; len(s.out[seqToken]) < tokens-1 {
				given, first, out.Busy = now, len(t.steps), nil
				least = newBound(b, c)
			} else {
				out.Cycles, out.Bound = now-given, least.sum()
			}
		}
	}
	if s.run(c.command(tokens, false)); out.Cycles == 0 {
		return TokenTime{}, fmt.Errorf("chip: the program ends before it has given %d tokens", tokens)
	}
	for _, s := range t.steps[first:] {
		out.Steps = append(out.Steps, ChipStep{s.Op, s.Last - given})
	}
	return out, nil
}
