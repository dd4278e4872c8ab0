package estimate

import (
	"fmt"
	"slices"

	"ohmloom/gen/arch"
	"ohmloom/gen/compile"
	"ohmloom/hw"
	"ohmloom/hw/isa"
)

// Control is what the sequencer and waiting for one another take of a whole chip's time.
const Control = "control"

// Whole is a chip with a sequencer, whose own time is known: it equals that of its RTL.
type Whole struct {
	Chip  hw.Chip    // with the program for the model and matrices of its sizes
	Model arch.Model // that the program is for
}

// maxSteps bounds what following a chip's time may cost: passes through a layer.
const maxSteps = 1 << 16

// wholeOf is the whole chip that c describes, or nil where it is none: it has no sequencer, or
// its model is gated.
func wholeOf(c *arch.Chip) (*Whole, error) {
	if c.Sequencer == nil || c.Model == nil || c.Model.Gated || c.Attention.Layers != c.Model.Layers {
		return nil, nil
	}
	chip, err := compile.Shaped(c, func(_ string, out, _ int) hw.BankMatrix { return hw.BankMatrix{Weights: make([][]int8, out)} })
	if err != nil {
		return nil, err
	}
	return &Whole{chip, *c.Model}, nil
}

// exact tells whether the chip's own time is the estimate.
func (h *Hardware) exact(m arch.Model, tokens int, o Options) bool {
	w := h.Whole
	return w != nil && o.Chips < 2 && w.Model.Name == m.Name && tokens*m.Layers <= maxSteps
}

// retime takes the chip's own time in place of the closed forms, kind by kind; these say how a
// kind's time is split. What others hide is taken from the parts that wait for them, the network
// first, and what the closed forms do not have is Control.
func (t *tally) retime(phase string, c hw.Conditions) error {
	cycles, err := t.Whole.kinds(t.l, phase, c)
	if err != nil {
		return err
	}
	for i := range t.bounds {
		b := &t.bounds[i]
		took := cycles[b.Kind]
		b.Cycles = Cycles("cycles."+b.Kind, took, "hw.Chip.Steps")
		if b.Limit.Value > b.Cycles.Value { // it goes on while others show
			b.Limit = b.Cycles.As("limit." + b.Kind)
		}
		t.share(b.Kind, took)
	}
	return nil
}

// hidden are parts in the order in which others hide them.
var hidden = []string{Network, Buffers, Vector, Softmax, ShiftAdd, Memory, Crossbar, Array}

// share splits the cycles of a kind.
func (t *tally) share(kind string, cycles int) {
	rest := float64(cycles)
	for _, p := range t.parts {
		if p.Kind == kind && p.Cycles != nil {
			rest -= p.Cycles.Value
		}
	}
	for _, name := range hidden {
		for i := range t.parts {
			p := &t.parts[i]
			if p.Kind != kind || p.Part != name || p.Cycles == nil || rest >= 0 {
				continue
			}
			less := max(rest, -p.Cycles.Value)
			rest -= less
			key := p.Cycles.Key
			p.Cycles = Sum(key, "cycles", p.Cycles.As(key+".alone"), Cycles(key+".hidden", int(less), "hw.Chip.Steps: while others work"))
		}
	}
	if rest > 0 {
		t.parts = append(t.parts, Part{Part: Control, Kind: kind, Cycles: Cycles("cycles."+kind+"."+Control, int(rest), "hw.Chip.Steps less the parts' closed forms")})
	}
}

// kinds is the chip's cycles of a phase by kind: those of the last token of decode, or of all of
// a prompt from the command on. A kind has what passes until its results, each from the result
// before it on: in the order of the program, or in that of time where tokens of a prompt go side by
// side.
func (w *Whole) kinds(l int, phase string, c hw.Conditions) (map[string]int, error) {
	var steps []hw.ChipStep
	now, prompt := -1, l // the command is taken in cycle 0
	if phase == Decode && l > 1 {
		var err error
		if steps, err = w.Chip.TokenSteps(l, c); err != nil {
			return nil, err
		}
		now, prompt = 0, 1
	} else {
		steps = w.Chip.Steps(l, 1, c)
	}
	kinds := w.kindsOf(prompt)
	kinds = kinds[len(kinds)-len(steps):]
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	if phase == Prefill {
		slices.SortStableFunc(order, func(i, j int) int { return steps[i].Last - steps[j].Last })
	}
	cycles := map[string]int{}
	for _, i := range order {
		if last := steps[i].Last; last > now {
			cycles[kinds[i]] += last - now
			now = last
		}
	}
	return cycles, nil
}

// kindsOf is the kind of each step of a prompt and the first token after it.
func (w *Whole) kindsOf(prompt int) []string {
	var kinds []string
	projects := make([]int, prompt) // of each token
	for _, in := range w.Chip.Instructions(prompt, 1) {
		kind := KindHead
		switch in.Kind.Op {
		case isa.Load, isa.Head, isa.Emit:
		case isa.Project:
			kind = []string{KindQKV, KindOut, KindUp, KindDown}[projects[in.Token]%4]
			projects[in.Token]++
		case isa.Attend:
			if kind = KindAttention; in.Value(isa.Store) == 1 {
				continue // no result
			}
		case isa.Norm, isa.Add:
			if in.Kind.Op == isa.Add || projects[in.Token] < 4*w.Model.Layers {
				kind = KindNorm
			}
		default:
			continue
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// latencyError says why a latency of the external memory cannot be counted, or is nil.
func (h *Hardware) latencyError(m arch.Model, tokens int, o Options) error {
	if o.Latency < 0 || o.Latency > 1<<20 {
		return fmt.Errorf("a memory latency of %d cycles; allowed are 0 to 1,048,576", o.Latency)
	}
	if o.Latency == 0 || h.exact(m, tokens, o) {
		return nil
	}
	return fmt.Errorf("the latency of the external memory counts in the time of a whole chip, with a sequencer, that runs the model it is described for; chip %q does not", h.Name)
}
