package hw

import "ohmloom/hw/isa"

// TokenBound is what a token takes at least on a chip of given sizes, in cycles.
//
// Each kind of unit has its work: the crossbars of a bank their conversions, the attention array
// its QK and AV, the output head the rows of the embedding table as they come from memory, a
// memory port the keys and values. A chip that has many tokens to work on could keep the slowest
// of them busy all the time. One that writes text cannot: token t+1 begins with token t, layer n+1 with what layer n gives, and in a
// layer each of
//
//	norm, W_Q W_K W_V, attention, W_O, norm, W_X, W_I
//
// needs all elements of the vector before it for any of its own: the root of a norm is of the sum
// of all squares, a product sums over all inputs, bit after bit, the softmax over all scores. So
// they follow one another, and a token takes no less than the sum over these steps of the time
// from a step's last operand to its last result. The chain is that sum without the slowest unit's
// work, which it contains once. Its terms, with B = ceil(D/Lanes) beats a vector:
//
//	embedding  the memory's latency, 4, and the beats
//	norm       Wait, latency, and B - 1 for the vector to leave
//	product    Bank.Time of an operation without Distribute but for the last beat; of Q, K and V
//	           only of Q, because attention begins with the first head's key
//	attention  PassCycles less 1, from its first cycle to its last
//	head       Vocab * ceil(D/RowLanes), in column mode the groups of rows, and its latency, the sampler's
//
// and between two steps what a vector's last beat needs through the switch, 2 cycles.
type TokenBound struct {
	Crossbars int // conversions of the busiest bank
	Array     int // QK and AV of all layers
	Memory    int // beats of the embedding table
	Cache     int // beats of the memory port of the attention engine, all layers
	Chain     int
}

// Slowest is the work of the slowest unit.
func (t TokenBound) Slowest() int { return max(t.Crossbars, t.Array, t.Memory, t.Cache) }

// SwitchTime is the cycles from the one in which a vector's last beat is written to the one in
// which a reader is offered it.
const SwitchTime = 2

// bound adds up the terms of a token's bound, instruction by instruction.
type bound struct {
	Chip
	banks                []int
	array, memory, cache int
	steps                int
	Conditions
	held Shape // of an operation whose place in the chain the next instruction tells
	bank Bank
}

func newBound(b Chip, c Conditions) bound {
	return bound{Chip: b, banks: make([]int, b.Banks), Conditions: c}
}

// exec adds an instruction; slots is what a pass attends to.
func (t *bound) exec(r *sequenceRun, w isa.Word, slots int) {
	engine, unit := t.Attention.(timedEngine), t.Chip.unit()
	t.product(w.Kind.Op == isa.Attend)
	switch w.Kind.Op {
	case isa.Embed:
		t.steps += t.Latency + 4
	case isa.Load:
		t.steps += t.head().Beats()
	case isa.Norm:
		t.steps += unit.Wait() + unit.norm().latency() + unit.Beats() - 1 + SwitchTime
	case isa.Add:
		t.steps += SwitchTime
	case isa.Project:
		i := w.Value(isa.Bank)
		t.bank, t.held = t.Chip.bank(i), t.Chip.bank(i).Program[r.op(w)].Shape()
		t.banks[i] += t.bank.pe().Conversions()
	case isa.Attend:
		if w.Value(isa.Store) == 0 {
			t.steps += engine.passBehind(slots, t.Latency) - 1 + SwitchTime
			t.array += engine.ArrayCycles(slots)
			t.cache += engine.PortCycles(slots)
		}
	case isa.Head:
		beats := t.head().Beats()
		t.memory += t.Vocab * beats
		t.steps += t.Engine().(dotEngine).dotTime(t.Vocab, beats) + headDelay + t.sampler().DrawCycles(t.Sampled)
	}
}

// product adds the operation before.
func (t *bound) product(attends bool) {
	if t.held.N == nil {
		return
	}
	s := t.held
	if attends {
		s.N = s.N[:1]
	}
	time := t.bank.Time(s)
	t.steps, t.held.N = t.steps+time.Total()-time.Distribute+SwitchTime, nil
}

func (t *bound) sum() TokenBound {
	b := TokenBound{Array: t.array, Memory: t.memory, Cache: t.cache}
	for _, c := range t.banks {
		b.Crossbars = max(b.Crossbars, c)
	}
	b.Chain = t.steps - b.Slowest()
	return b
}
