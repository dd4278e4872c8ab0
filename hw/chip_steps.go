package hw

// ChipStep is an instruction that gave a result.
type ChipStep struct {
	Op   int // Load, Norm, Add, Project, Attend, Head or Emit of package isa
	Last int // the cycle of its last beat: written into the switch or the residual stream, or the token drawn or given
}

// Conditions of a run.
type Conditions struct {
	// Latency is that of the external memory: it offers the first beat of an answer Latency + 1
	// cycles after it took the request, and the rest one a cycle; answers follow one another
	// without a gap. Rows of the embedding table and, with a memory port of the attention engine,
	// keys and values come from such a memory each.
	Latency int
	Sampled bool // tokens are drawn; else greedy
}

// command is one of a run of so many tokens, fresh in a new sequence.
func (c Conditions) command(tokens int, fresh bool) Beat {
	return Beat{{0}, {uint64(tokens)}, {0}, flag(fresh), flag(c.Sampled), {0}, {0}, {0}}
}

// Steps follows a run by the chip's own time, without looking at data: a prompt of so many
// tokens, then so many that are written, as Cycles does. The command is taken in cycle 0. Matrices
// need no more than their sizes. It costs time in the beats that move.
func (b Chip) Steps(prompt, tokens int, c Conditions) []ChipStep {
	t := newChipTime(b).behind(c.Latency)
	s := newSequence(b.sequencer(), func() Beat {
		prompt--
		return Beat{{0}, flag(prompt == 0)}
	}, func() Beat { return Beat{{0}} })
	s.exec, s.ends, s.most = t.exec, t.ends, 1<<62
	s.run(c.command(tokens, true))
	return t.steps
}

// behind puts a memory of fixed latency there.
func (t *chipTime) behind(latency int) *chipTime {
	t.memory = &timedMemory{latency: latency}
	t.row = newTimedSlice(t.memory)
	t.engine = t.Attention.(timedEngine).time(t.arrive, latency)
	return t
}

// timedMemory is the answers of a memory of fixed latency.
type timedMemory struct {
	latency  int
	at, left []int // of each answer: its first beat can be offered, beats left
	last     int
}

func (m *timedMemory) ask(at, beats int) {
	m.at, m.left = append(m.at, at+1+m.latency), append(m.left, beats)
}

func (m *timedMemory) offered() int { return max(m.at[0], m.last+1) }

func (m *timedMemory) taken(at int) {
	m.last = at
	if m.left[0]--; m.left[0] == 0 {
		m.at, m.left = m.at[1:], m.left[1:]
	}
}
