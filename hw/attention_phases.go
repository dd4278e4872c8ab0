package hw

// Phase is one kind of work of an attention engine in a run without stalls: the cycles in
// which the hardware for it works, as signals of the engine show, and in closed form. Phases
// overlap, because heads follow one another through them, but QK and AV share the array and
// do not.
type Phase struct {
	Name    string
	Signals []string              // registers, ports and named nodes, by path below the engine's module
	Works   func(v []uint64) bool // whether the phase works in a cycle, from the signals' first elements
	Cycles  int                   // closed form: the number of those cycles
}

// Names of the phases that every engine has; they are the time of the array.
const (
	PhaseQK = "QK"
	PhaseAV = "AV"
)

func allUp(v []uint64) bool {
	for _, x := range v {
		if x == 0 {
			return false
		}
	}
	return true
}

func firstUp(v []uint64) bool  { return v[0] != 0 && v[1] == 0 }
func secondUp(v []uint64) bool { return v[0] != 0 && v[1] != 0 }

// sum adds up passes: stored of every pass, attended of those that give outputs, which have
// the number of slots in use. Passes before from do not count.
func (p position) sum(tokens []Beat, from int, stored int, attended func(slots int) int) int {
	n := 0
	for i, t := range tokens {
		p.begin(t)
		if i < from {
			continue
		}
		n += stored
		if t[1][0] == 0 {
			n += attended(p.cnt)
		}
	}
	return n
}

// Phases are those of the passes from the given one on. Per pass over l slots, with H heads
// on G KV heads, all times in cycles:
//
//	QK                H ceil(l/Cols) max(ceil(HeadChannels/Rows), Cols/Lanes)
//	AV                H ceil(l/Rows) ceil(HeadChannels/Cols)
//	softmax, maximum  H ceil(l/Cols) Cols/Lanes, or as many of ConSmax
//	softmax, weights  the same, with the softmax
//	normalisation     H ceil of the channels by Lanes, round by round
//	load q            H ceil(HeadChannels/Rows)
//	store k, v        G (ceil(HeadChannels/Rows) + ceil(HeadChannels/Cols)), the latter times Cols/Port with a port
//	memory, read      G (ceil(l/Cols) ceil(HeadChannels/Rows) + ceil(l/Rows) ceil(HeadChannels/Cols)) Cols/Port, with a port;
//	                  and ceil(HeadChannels/Rows) Cols/Port for keys that came early
func (b Spread) Phases(in [][]Beat, from int) []Phase {
	at := position{context: b.Context, layers: b.Layers}
	perHead := func(f func(slots int) int) int {
		return at.sum(in[0], from, 0, func(slots int) int { return b.Heads * f(slots) })
	}
	channels := func(lanes int) int { return (b.HeadChannels + lanes - 1) / lanes }
	softmax := perHead(func(l int) int { return ceilDiv(l, b.Cols) * (b.Cols / b.Lanes) })
	lastRound := b.HeadChannels - (channels(b.Cols)-1)*b.Cols
	phases := []Phase{
		{PhaseQK, []string{"busy", "av"}, firstUp, perHead(func(l int) int { return ceilDiv(l, b.Cols) * max(channels(b.Rows), b.Cols/b.Lanes) })},
		{PhaseAV, []string{"busy", "av"}, secondUp, perHead(func(l int) int { return ceilDiv(l, b.Rows) * channels(b.Cols) })},
		{"softmax, maximum", []string{"u_softmax.goes"}, allUp, softmax},
		{"normalisation", []string{"u_normalise.goes"}, allUp, perHead(func(int) int {
			return (channels(b.Cols)-1)*(b.Cols/b.Lanes) + ceilDiv(lastRound, b.Lanes)
		})},
		{"load q", []string{"q_fire"}, allUp, perHead(func(int) int { return channels(b.Rows) })},
	}
	if b.ConSmax {
		phases[2].Name = "ConSmax"
	} else {
		phases = append(phases, Phase{"softmax, weights", []string{"u_softmax.reads"}, allUp, softmax})
	}
	store := func(parts int) int {
		return at.sum(in[0], from, b.KVHeads*(channels(b.Rows)+channels(b.Cols)*parts), func(int) int { return 0 })
	}
	if b.Port == 0 {
		return append(phases, Phase{"store k, v", []string{"k_fire", "v_fire"}, func(v []uint64) bool { return v[0]+v[1] > 0 }, store(1)})
	}
	parts := b.Cols / b.Port
	read := b.fetched(in[0], from)
	asks := []string{"ask", "phase"}
	return append(phases,
		Phase{"memory, write k, v", asks, func(v []uint64) bool { return v[0] == 1 && v[1] <= portWriteV }, store(parts)},
		Phase{"memory, read", asks, func(v []uint64) bool { return v[0] == 1 && v[1] >= portReadK }, read},
		Phase{"memory, answers", []string{"fill_fire"}, allUp, read})
}

// fetched is how many beats the memory port reads for the passes from the given one on.
func (b Spread) fetched(tokens []Beat, from int) int {
	at, early, words := position{context: b.Context, layers: b.Layers}, false, 0
	for i, t := range tokens {
		at.begin(t)
		if i == from {
			words = 0 // but what came early for it stays
		}
		attends := t[1][0] == 0
		keys := ceilDiv(at.cnt, b.Cols) * b.kChunks()
		if attends {
			words += b.KVHeads * (keys + ceilDiv(at.cnt, b.Rows)*b.vRounds())
		}
		if attends && early {
			words += b.kChunks() - keys
		}
		if early = attends && t[2][0] == 0; early {
			words += keys
		}
	}
	return words * b.portParts()
}

// Phases are those of the passes from the given one on. Per pass over l slots, with H heads
// on G KV heads:
//
//	QK                H ceil(l/Rows) (HeadChannels + Rows + Cols - 2), fill and drain of each fold included
//	AV                H ceil(HeadChannels/Rows) (l + Rows + Cols - 2)
//	softmax, maximum  H l, or as many of ConSmax
//	normalisation     H HeadChannels
//	load q            H HeadChannels
//	store k, store v  G HeadChannels each
//
// and with the softmax H l of weights and 25 H of reciprocals.
func (b AttentionColumn) Phases(in [][]Beat, from int) []Phase {
	at := position{context: b.Context, layers: b.Layers}
	perHead := func(f func(slots int) int) int {
		return at.sum(in[0], from, 0, func(slots int) int { return b.Heads * f(slots) })
	}
	skew := b.Rows + b.Cols - 2
	slots, channels := perHead(func(l int) int { return l }), perHead(func(int) int { return b.HeadChannels })
	stored := at.sum(in[0], from, b.KVHeads*b.HeadChannels, func(int) int { return 0 })
	// A fold takes its operands in, then flushes under its tag, whose top bit says AV.
	array := []string{"feeds", "av", "u_array.flush", "u_array.tag"}
	works := func(av uint64) func(v []uint64) bool {
		return func(v []uint64) bool {
			return v[0] == 1 && v[1] == av || v[2] != 0 && v[3]>>(b.tagBits()-1) == av
		}
	}
	phases := []Phase{
		{PhaseQK, array, works(0), perHead(func(l int) int { return ceilDiv(l, b.Rows) * (b.HeadChannels + skew) })},
		{PhaseAV, array, works(1), perHead(func(l int) int { return ceilDiv(b.HeadChannels, b.Rows) * (l + skew) })},
		{"ConSmax", []string{"scored"}, allUp, slots},
	}
	if !b.ConSmax {
		phases[2].Name = "softmax, maximum"
		phases = append(phases, Phase{"softmax, weights", []string{"u_softmax.leaves"}, allUp, slots},
			Phase{"softmax, reciprocal", []string{"u_softmax.u_divider.busy"}, allUp, perHead(func(int) int { return recipShift + 1 })})
	}
	return append(phases,
		Phase{"normalisation", []string{"u_normalise.moves"}, allUp, channels},
		Phase{"load q", []string{"q_fire"}, allUp, channels},
		Phase{"store k", []string{"u_cache.k_fire"}, allUp, stored},
		Phase{"store v", []string{"u_cache.v_fire"}, allUp, stored})
}
