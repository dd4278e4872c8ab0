package hw

import "ohmloom/hw/isa"

// Instruction is one that a run carried out.
type Instruction struct {
	isa.Word
	Token int // whose vectors it works on: of the run, those of the prompt first, from 0 on; -1: no token's
	Op    int // of a bank's tables, with the layer
}

// Instructions are those of a run with a prompt of so many tokens, and so many written after it.
func (b Chip) Instructions(prompt, tokens int) []Instruction {
	var all []Instruction
	next, loaded := 0, 0 // tokens whose rows were asked for, and used
	slots, buffers := make([]int, b.Unit.Slots), make([]int, b.Buffers)
	s := newSequence(b.sequencer(), func() Beat {
		prompt--
		return Beat{{0}, flag(prompt == 0)}
	}, func() Beat { return Beat{{0}} })
	s.most = 1 << 62
	s.exec = func(r *sequenceRun, w isa.Word) {
		slot := w.Value(isa.Slot)
		read, written := buffersOf(w)
		token := -1
		switch w.Kind.Op {
		case isa.Embed:
			token, next = next, next+1
		case isa.Load:
			token, slots[slot], loaded = loaded, loaded, loaded+1
		case isa.Norm, isa.Add:
			token = slots[slot]
		case isa.Project, isa.Attend, isa.Head:
			token = buffers[read[0]]
		}
		for _, dst := range written {
			buffers[dst] = token
		}
		all = append(all, Instruction{w, token, r.op(w)})
	}
	s.run(Conditions{}.command(tokens, true))
	return all
}
