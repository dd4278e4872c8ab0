package hw

// What follows is the time of streams between blocks: not what beats hold, but when they are
// offered and taken. A timed stream gives its beats one after the other; whoever takes a beat
// says when, which is not before it was offered, and only then may ask for the next. Times are
// cycles from any origin; before is a cycle before all others.
type timed interface {
	offered() int // the earliest cycle in which the next beat can be taken
	taken(at int) // it was
}

const before = -1 << 40

// timedAlways is a stream whose beats are always there, one a cycle.
type timedAlways struct{ next int }

func (s *timedAlways) offered() int { return s.next }
func (s *timedAlways) taken(at int) { s.next = at + 1 }

// timedSlice is the output of a RegisterSlice fed by from.
type timedSlice struct {
	from             timed
	started          bool
	last, lastButOne int // taken
	at               int // the next beat is offered, if known
	known            bool
}

func newTimedSlice(from timed) *timedSlice {
	return &timedSlice{from: from, last: before, lastButOne: before}
}

func (s *timedSlice) offered() int {
	if !s.known {
		in := max(s.from.offered(), s.lastButOne+1)
		s.from.taken(in)
		s.at, s.known = max(in+1, s.last+1), true
	}
	return s.at
}

func (s *timedSlice) taken(at int) {
	s.lastButOne, s.last, s.known = s.last, at, false
}

// timedBuffer is the output of a Fifo of depth beats, of which it is told when they come in.
type timedBuffer struct {
	depth int
	in    []int // of beats that were not taken
	reads []int // when the others left the SRAM
	last  int   // taken
}

// room is when the next beat may come in; those up to depth before it have been taken.
func (f *timedBuffer) room() int {
	n := len(f.reads) + len(f.in)
	if n < f.depth {
		return before
	}
	return f.reads[n-f.depth] + 1
}

func (f *timedBuffer) put(at int) { f.in = append(f.in, at) }

// read is when the next beat leaves the SRAM.
func (f *timedBuffer) read() int {
	if len(f.reads) == 0 {
		return f.in[0] + 1
	}
	return max(f.in[0]+1, f.last)
}

func (f *timedBuffer) offered() int { return f.read() + 1 }

func (f *timedBuffer) taken(at int) {
	f.reads = append(f.reads, f.read())
	f.last, f.in = at, f.in[1:]
}

// timedFifo is the output of a Fifo fed by from.
type timedFifo struct {
	timedBuffer
	from timed
}

func newTimedFifo(depth int, from timed) *timedFifo {
	return &timedFifo{timedBuffer{depth: depth}, from}
}

func (f *timedFifo) offered() int {
	if len(f.in) == 0 {
		in := max(f.from.offered(), f.room())
		f.from.taken(in)
		f.put(in)
	}
	return f.timedBuffer.offered()
}

// timedGearbox is the output of a Gearbox fed by from.
type timedGearbox struct {
	Gearbox
	from              timed // behind its slice
	move              int   // the last unit moved
	last              int   // the last beat was taken
	inUnit, outUnit   int   // units of the present packets that have moved
	inPlace, outPlace int   // of the present beats
	known             bool
}

func newTimedGearbox(b Gearbox, from timed) *timedGearbox {
	return &timedGearbox{Gearbox: b, from: newTimedSlice(from), move: before, last: before}
}

func (g *timedGearbox) offered() int {
	if g.known {
		return g.move + 1
	}
	u := g.unit()
	for {
		g.move = max(g.move+1, g.last, g.from.offered())
		g.inUnit, g.inPlace = g.inUnit+1, g.inPlace+1
		if packet := g.inUnit == ceilDiv(g.InLength, u); packet || g.inPlace == g.In/u {
			g.from.taken(g.move)
			if g.inPlace = 0; packet {
				g.inUnit = 0
			}
		}
		g.outUnit, g.outPlace = g.outUnit+1, g.outPlace+1
		if packet := g.outUnit == ceilDiv(g.OutLength, u); packet || g.outPlace == g.Out/u {
			if g.outPlace = 0; packet {
				g.outUnit = 0
			}
			g.known = true
			return g.move + 1
		}
	}
}

func (g *timedGearbox) taken(at int) { g.last, g.known = at, false }

// timedQueue is streams one after the other: the beats that were put into it.
type timedQueue struct {
	from []timed
	n    []int          // beats left of each
	done []func(at int) // called when the last of each was taken
}

func (q *timedQueue) put(from timed, n int, done func(at int)) {
	q.from, q.n, q.done = append(q.from, from), append(q.n, n), append(q.done, done)
}

func (q *timedQueue) offered() int { return q.from[0].offered() }

func (q *timedQueue) taken(at int) {
	q.from[0].taken(at)
	if q.n[0]--; q.n[0] == 0 {
		done := q.done[0]
		q.from, q.n, q.done = q.from[1:], q.n[1:], q.done[1:]
		if done != nil {
			done(at)
		}
	}
}

// timedList is beats that are offered at given times.
type timedList struct {
	at   []int
	last int
}

func (l *timedList) offered() int { return max(l.at[0], l.last+1) }
func (l *timedList) taken(at int) { l.at, l.last = l.at[1:], at }

// timedReader is a reader of the switch: a move begun reads a buffer with beats written at the
// given times.
type timedReader struct {
	written []int
	next    int // the earliest cycle of the next read
	i, last int
	at      int
	known   bool
}

func newTimedReader(begun int, written []int) *timedReader {
	return &timedReader{written: written, next: begun + 1, last: before}
}

func (r *timedReader) offered() int {
	if !r.known {
		read := max(r.next, r.written[r.i]+1, r.last)
		r.next, r.at, r.known = read+1, read+1, true
	}
	return r.at
}

func (r *timedReader) taken(at int) { r.i, r.last, r.known = r.i+1, at, false }

// times is when the n beats of s are taken by one who takes each as soon as it is there, from
// the given cycle on.
func times(s timed, n, from int) []int {
	var all []int
	for range n {
		from = max(from, s.offered())
		s.taken(from)
		all = append(all, from)
		from++
	}
	return all
}
