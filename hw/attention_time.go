package hw

// engineTime is when an attention engine does its passes, with inputs that come when they come
// and outputs that are taken as they are offered.
type engineTime interface {
	place() *position                    // of the last pass
	pass(at int, token Beat) (began int) // the next, a beat of stream token, offered in cycle at
	outputs() []int                      // when beats were offered that are known since the last call: of a pass with more some only when the next is
	over() int                           // the last cycle in which that took an input, with a memory port made a request
}

// arrival is when the next beat of an input of an engine is there, at the earliest in cycle at;
// the engine takes it so many cycles later.
type arrival func(stream, at, later int) int

// arriving is the inputs of an engine.
type arriving struct{ arrive arrival } // nil: they are always there

// takes is the cycle in which the last of n beats of an input stream is taken, from the cycle
// after at on.
func (t *arriving) takes(stream, n, at int) int {
	for range n {
		at = t.holds(stream, 1, at)
	}
	return at
}

// holds is the cycle in which the next beat is taken by one who uses it for n cycles, from the
// cycle after at on, and then takes it.
func (t *arriving) holds(stream, n, at int) int {
	if at++; t.arrive != nil {
		at = t.arrive(stream, at, n-1)
	}
	return at + n - 1
}

// PassCycles is Cycles of one pass over slots tokens that gives outputs, on an engine that has
// nothing else to do: what a layer's attention takes in decode, where the next layer begins
// when this one is done. It costs time in the number of heads only. With a memory port the
// keys of the first KV head are there, but for the token's, because they came after the pass
// before, and those for the pass after are asked for.
func (b Spread) PassCycles(slots int) int { return b.passBehind(slots, 0) }

func (b Spread) passBehind(slots, latency int) int {
	t := newTiming(b)
	t.early, t.latency = b.Port > 0, latency
	t.passes = []passTime{{slots: slots}}
	t.block()
	return t.end()
}

// ArrayCycles is how long the array works in such a pass, QK and AV of all heads.
func (b Spread) ArrayCycles(slots int) int {
	return b.Heads * (ceilDiv(slots, b.Cols)*b.slotTime() + ceilDiv(slots, b.Rows)*b.vRounds())
}

// PortCycles is how long the memory port works in such a pass, reads and writes, with what
// comes early for the next; 0 without.
func (b Spread) PortCycles(slots int) int {
	if b.Port == 0 {
		return 0
	}
	reads := (ceilDiv(slots, b.Cols)*b.kChunks() + ceilDiv(slots, b.Rows)*b.vRounds()) * b.portParts()
	return b.KVHeads*(b.writeTime()+reads) + b.kChunks()*b.portParts()
}

// newTiming is an engine that was never used.
func newTiming(b Spread) *timing {
	return &timing{Spread: b, last: -1, query: -1, free: -1, norm: -1, offered: before, where: position{context: b.Context, layers: b.Layers}}
}

func (t *timing) place() *position { return &t.where }

func (t *timing) pass(at int, token Beat) (began int) {
	within, before := t.where.within, t.where.cnt
	t.where.begin(token)
	if !within {
		t.opens()
	}
	t.offered = at
	t.passes = append(t.passes, passTime{slots: t.where.cnt, store: token[1][0] == 1, reuses: within && t.where.cnt == before})
	t.advance(t.where.within)
	return t.began
}

func (t *timing) outputs() (given []int) {
	given, t.given = t.given, nil
	return given
}

func (t *timing) over() int { return t.wrote }

// end is the number of cycles from the first on in which anything was done.
func (t *timing) end() int {
	last := -1
	if len(t.freed) > 0 {
		last = t.freed[len(t.freed)-1] + outLatency
	}
	if t.Port > 0 {
		last = max(last, t.wrote+1)
	}
	return last + 1
}

// neverWaits tells that the array of a column engine never waits for the softmax or the
// normalisation, so that the sum in PassCycles' comment holds.
func (b AttentionColumn) neverWaits(cnt int) bool {
	return b.Heads >= 2 && !b.ConSmax && b.Rows+b.Cols >= 33 && b.Cols+min(cnt, b.HeadChannels) >= 10
}

// timedEngine is an attention engine whose time is known pass by pass.
type timedEngine interface {
	shapedEngine
	time(arrive arrival, latency int) engineTime // behind a memory that answers latency + 1 cycles later, if it has a port
	passBehind(slots, latency int) int           // PassCycles behind such a memory
	ArrayCycles(slots int) int
	PortCycles(slots int) int
}

func (b Spread) time(arrive arrival, latency int) engineTime {
	t := newTiming(b)
	t.arrive, t.latency = arrive, latency
	return t
}

func (b SpreadSide) time(arrive arrival, latency int) engineTime {
	return b.Part.time(arrive, latency)
}

func (b AttentionColumn) time(arrive arrival, _ int) engineTime {
	t := newColumnTime(b)
	t.arrive = arrive
	return t
}
