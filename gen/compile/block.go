package compile

import (
	"cmp"
	"fmt"
	"slices"

	"ohmloom/hw"
)

// Steps of a token in a decoder layer, each an instruction.
const (
	stepNorm1 = iota
	stepQKV
	stepAttend
	stepOut
	stepAdd1
	stepNorm2
	stepUp
	stepDown
	stepAdd2
	steps
)

// projection is the stage of a step that is a product, or -1.
var projection = [steps]int{-1, 0, -1, 1, -1, -1, 2, 3, -1}

// block is an order in which a layer's instructions for n tokens keep the units busy side by side: a
// software pipeline. Layers follow one another period cycles apart, so that the end of one layer
// and the beginning of the next overlap: a token's last steps may come in the period after.
//
// Times are estimates, and only say which instruction comes first: what is computed does not
// depend on them. The order keeps what hardware wants of a program: a step after the step before it,
// passes of the attention engine token by token, and none of its results used before the next pass.
type block struct {
	n       int
	period  int
	at      [][steps]int // [token] when each step begins, from the layer's beginning
	buffers [][steps]int // [token] the buffer that each step writes, the first of three for stepQKV
	used    int          // buffers
}

// pipeline is the block of n tokens with the shortest period for the given number of buffers,
// for stages of the given paces; one that uses more buffers when no period is long enough.
func pipeline(n, buffers, beats int, p hw.Paces, products [4]hw.Pace, bank [4]int) *block {
	s := &scheduler{paces: p, products: products, bank: bank, beats: beats}
	chain, least := 0, 1
	for step := range steps {
		chain += s.latency(step)
	}
	work := map[int]int{}
	for step := range steps {
		for _, u := range s.uses(step) {
			work[u.unit] += n * u.cycles
			least = max(least, work[u.unit])
		}
	}
	for period := max(least, chain); ; period += max(1, period/24) {
		for _, s.late = range []bool{false, true} {
			b := &block{n: n, period: period, at: make([][steps]int, n), buffers: make([][steps]int, n)}
			if s.place(b) && s.allocate(b) && b.used <= buffers || s.late && period > 2*n*chain {
				return b
			}
		}
	}
}

// scheduler places the steps of a block.
type scheduler struct {
	paces    hw.Paces
	products [4]hw.Pace
	bank     [4]int // of each product
	beats    int    // of a vector through the switch
	late     bool   // Q, K and V come as late as they may, which takes fewer buffers
	taken    []span
}

// Units, beside the banks from 0 on.
const (
	unitVector = -1 - iota
	unitRoot
	unitAttention
)

// use is a unit that a step takes for some cycles from its beginning on.
type use struct{ unit, cycles int }

// span is when a unit is taken, modulo the period.
type span struct{ unit, from, cycles int }

func (s *scheduler) uses(step int) []use {
	switch step {
	case stepNorm1, stepNorm2:
		return []use{{unitVector, s.paces.Norm.Busy}}
	case stepAdd1, stepAdd2:
		return []use{{unitVector, s.paces.Add.Busy}, {unitRoot, s.paces.Root}}
	case stepAttend:
		return []use{{unitAttention, s.paces.Attend.Busy}}
	}
	i := projection[step]
	return []use{{s.bank[i], s.products[i].Busy}}
}

func (s *scheduler) latency(step int) int {
	switch step {
	case stepNorm1, stepNorm2:
		return s.paces.Norm.Latency
	case stepAdd1, stepAdd2:
		return s.paces.Add.Latency
	case stepAttend:
		return s.paces.Attend.Latency
	}
	return s.products[projection[step]].Latency
}

// place gives each step of each token the earliest time at which its units are free in all
// periods, and tells whether all have one.
func (s *scheduler) place(b *block) bool {
	s.taken = nil
	for token := range b.n + 1 {
		if token < b.n {
			from := 0
			if token > 0 {
				from = b.at[token-1][stepNorm1] + 1
			}
			for step := stepNorm1; step <= stepAttend; step++ {
				if step == stepAttend && token > 0 {
					from = max(from, b.at[token-1][stepAttend]+1)
				}
				if !s.put(b, token, step, &from) {
					return false
				}
			}
			if s.late {
				s.delay(b, token, stepAttend)
			}
			s.delay(b, token, stepQKV)
		}
		if token > 0 && !s.rest(b, token-1) {
			return false
		}
	}
	last := b.at[b.n-1]
	return last[stepNorm1] < b.period && last[stepAttend] < b.at[0][stepAttend]+b.period
}

// rest places what a token does with the result of its pass, after the next one has begun.
func (s *scheduler) rest(b *block, token int) bool {
	from := b.at[token][stepAttend] + s.latency(stepAttend)
	if token+1 < b.n {
		from = max(from, b.at[token+1][stepAttend]+1)
	}
	for step := stepOut; step < steps; step++ {
		if !s.put(b, token, step, &from) {
			return false
		}
	}
	s.delay(b, token, stepUp)
	return from <= b.at[token][stepNorm1]+b.period
}

// put places a step at from or later; from is then when its result is there.
func (s *scheduler) put(b *block, token, step int, from *int) bool {
	at, latest := *from, *from+b.period
	for moved := true; moved; {
		moved = false
		for _, u := range s.uses(step) {
			if u.cycles > b.period {
				return false
			}
			for _, t := range s.taken {
				if t.unit != u.unit {
					continue
				}
				if wait := overlap(t.from-at, t.cycles, u.cycles, b.period); wait > 0 {
					at, moved = at+wait, true
				}
			}
		}
		if at >= latest {
			return false
		}
	}
	for _, u := range s.uses(step) {
		s.taken = append(s.taken, span{u.unit, at, u.cycles})
	}
	b.at[token][step], *from = at, at+s.latency(step)
	return true
}

// delay moves the step before a step to the latest time at which its unit is free, so that its
// result takes a buffer for no longer than it must.
func (s *scheduler) delay(b *block, token, step int) {
	u, first := s.uses(step - 1)[0], b.at[token][step-1]
	own := slices.Index(s.taken, span{u.unit, first, u.cycles})
	s.taken = slices.Delete(s.taken, own, own+1)
	at := b.at[token][step] - s.latency(step-1)
	for moved := true; moved && at > first; {
		moved = false
		for _, t := range s.taken {
			if t.unit != u.unit {
				continue
			}
			if wait := overlap(at-t.from, u.cycles, t.cycles, b.period); wait > 0 {
				at, moved = at-wait, true
			}
		}
	}
	at = max(at, first)
	s.taken = append(s.taken, span{u.unit, at, u.cycles})
	b.at[token][step-1] = at
}

// overlap is how much later a span of cycles at 0 must begin to be clear of one of taken cycles that
// begins at the given time, modulo period; 0 when it is.
func overlap(begins, taken, cycles, period int) int {
	begins = (begins%period + period) % period
	if begins < cycles {
		return begins + taken
	}
	return max(begins+taken-period, 0)
}

// allocate gives the steps' results buffers, which they hold until the step after has read them, and
// tells whether each is free again a period later. Three in a row, for Q, K and V, come first.
func (s *scheduler) allocate(b *block) bool {
	type life struct{ token, step, from, cycles int }
	var lives []life
	for token := range b.n {
		for step := range stepAdd2 {
			if step == stepAdd1 {
				continue // into the residual stream
			}
			from := b.at[token][step]
			until := b.at[token][step+1] + s.beats + 4
			if until-from > b.period {
				return false
			}
			lives = append(lives, life{token, step, from, until - from})
		}
	}
	slices.SortStableFunc(lives, func(x, y life) int { return cmp.Compare(x.from%b.period, y.from%b.period) })
	colours := func(qkv bool) (of [][]life) {
		for _, l := range lives {
			if l.step == stepQKV != qkv {
				continue
			}
			free := slices.IndexFunc(of, func(held []life) bool {
				return !slices.ContainsFunc(held, func(h life) bool { return overlap(h.from-l.from, h.cycles, l.cycles, b.period) > 0 })
			})
			if free < 0 {
				free = len(of)
				of = append(of, nil)
			}
			of[free] = append(of[free], l)
		}
		return of
	}
	for i, pass := range []bool{true, false} {
		size := []int{3, 1}[i]
		for _, held := range colours(pass) {
			for _, l := range held {
				b.buffers[l.token][l.step] = b.used
			}
			b.used += size
		}
	}
	return true
}

// ahead is how many tokens' rows are asked for before the first of them is loaded: memory takes four
// requests.
const ahead = 3

// block is the program of a block of n tokens that others follow in the prompt. In the last layer
// they leave their keys and values and nothing else.
func (w *writer) block(b *block) []string {
	n := b.n
	for token := range min(n, ahead) {
		w.embed(token, n)
	}
	times := 0 // the middle periods do the same for one layer after the other
	if w.regular() {
		times = w.layers - 2
	}
	for period := 0; period <= w.layers; period++ {
		if times > 1 && period == 1 {
			w.label = fmt.Sprintf("middle%d:", n)
			w.period(b, period, true)
			w.say("loop", "times=%d target=middle%d", times, n)
			period = times
			continue
		}
		w.period(b, period, false)
	}
	return w.lines
}

// embed asks for the row of a token of the block, if there is one.
func (w *writer) embed(token, n int) {
	if token < n {
		w.say("embed", "rows=%d", w.vocab)
	}
}

// period is what a block does in a period: a layer's first steps, and the rest of the layer before.
// With loops the layer register tells how many periods it is later.
func (w *writer) period(b *block, period int, loops bool) {
	type task struct{ at, token, step, layer int }
	var tasks []task
	for token := range b.n {
		for step, at := range b.at[token] {
			layer := period - at/b.period
			if layer < 0 || layer >= w.layers || layer == w.layers-1 && step > stepAttend {
				continue
			}
			tasks = append(tasks, task{at % b.period, token, step, layer})
		}
	}
	slices.SortStableFunc(tasks, func(x, y task) int { return cmp.Compare(x.at, y.at) })
	for _, t := range tasks {
		buffer, last := b.buffers[t.token], t.layer == w.layers-1
		product := func(stage, from, count int) { w.mvm(stage, t.layer, loops, buffer[from], buffer[t.step], count) }
		switch t.step {
		case stepNorm1, stepNorm2:
			if t.step == stepNorm1 && period == 0 {
				w.embed(t.token+ahead, b.n)
				w.say("load", "slot=%d", t.token)
			}
			w.say("norm", "dst=%d slot=%d", buffer[t.step], t.token)
		case stepQKV:
			product(0, stepNorm1, 3)
		case stepAttend:
			w.say("attend", "src=%d dst=%d store=%d more=%d", buffer[stepQKV], buffer[stepAttend], flag(last), flag(t.token < b.n-1))
		case stepOut:
			product(1, stepAttend, 1)
		case stepUp:
			product(2, stepNorm2, 1)
		case stepDown:
			product(3, stepUp, 1)
		case stepAdd1, stepAdd2:
			w.say("add", "src=%d slot=%d", buffer[t.step-1], t.token)
		}
	}
}

// pipeline is the pipeline of n tokens for the times of the chip's units in the first layer.
func (p *Compiled) pipeline(n int) *block {
	var products [4]hw.Pace
	var banks [4]int
	for stage := range stages {
		at := p.at(stage, 0)
		products[stage], banks[stage] = p.Chip.Pace(at.Bank, at.Index), at.Bank
	}
	u := p.Chip.Unit
	return pipeline(n, p.Chip.Buffers, (u.D+p.Chip.Lanes-1)/p.Chip.Lanes, p.Chip.Paces(), products, banks)
}
