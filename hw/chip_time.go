package hw

import "ohmloom/hw/isa"

// chipTime is when the chip does what its program says, instruction by instruction. Every
// unit does its part in the program's order, so that all it waits for is known when its turn
// comes. It knows nothing of what vectors hold.
type chipTime struct {
	Chip
	net Switch
	now int // the present instruction is being carried out
	end int // the last beat given at the border

	begun   int     // the last move
	filled  [][]int // [buffer] when each beat was written
	emptied []int   // [buffer] the last reader was done
	reads   []int   // [reader] it was done
	writes  [][]int // [writer] when each of its moves was done

	vector, passes, samples *commandTime
	bankCmds                []*commandTime
	banks                   []*bankTime
	x                       []*timedQueue

	free, root int   // the vector unit can begin; the reciprocal of the x written last is there
	recip      []int // those of all slots
	row        *timedSlice
	memory     *timedMemory // behind row, or nil: rows are always there
	requests   []*requestTime
	answered   int // of them
	steps      []ChipStep
	note       func(unit string, from, to int) // called for what units do, from a cycle to before another

	emb, y timed // rows to the vector unit, vectors to the output head
	ys     *timedQueue

	engine  engineTime
	results []result       // of passes, to be written
	open    []int          // [buffer] of them
	came    []int          // when their beats were offered
	feeds   [4]*timedQueue // of the attention engine: none, q, k, v
	gears   [4]timed
	given   *timedQueue
	out     *timedGearbox

	rows               *timedSlice // of the output head
	headFree, drawFree int         // the head can take a vector, the sampler a command
	drawn              []int       // when tokens were offered
}

// commandTime is a register slice of commands to a unit.
type commandTime struct{ last, lastButOne int }

// send is when a command of cycle at is taken by the slice, and offered to the unit.
func (c *commandTime) send(at int) (taken, offered int) {
	taken = max(at, c.lastButOne+1)
	return taken, max(taken+1, c.last+1)
}

func (c *commandTime) taken(at int) { c.lastButOne, c.last = c.last, at }

func newChipTime(b Chip) *chipTime {
	t := &chipTime{Chip: b, net: b.network(), now: 2, begun: before, filled: make([][]int, b.Buffers), free: before, root: before, recip: all(before, b.Unit.Slots),
		headFree: before, drawFree: before, row: newTimedSlice(&timedAlways{}), given: &timedQueue{}, note: func(string, int, int) {}}
	cmd := func() *commandTime { return &commandTime{before, before} }
	t.vector, t.passes, t.samples = cmd(), cmd(), cmd()
	t.open, t.emptied, t.reads = all(0, b.Buffers), all(before, b.Buffers), all(before, len(t.net.Offsets))
	t.writes = make([][]int, t.net.Writers)
	for i := range b.Banks {
		q := &timedQueue{}
		t.bankCmds, t.x, t.banks = append(t.bankCmds, cmd()), append(t.x, q), append(t.banks, newBankTime(b.bank(i), q))
	}
	for i := 1; i < 4; i++ {
		t.feeds[i] = &timedQueue{}
		t.gears[i] = newTimedGearbox(b.engineGear(i), t.feeds[i])
		if b.sides() > 1 {
			t.gears[i] = newTimedInterleave(b.interleave(i), t.gears[i])
		}
	}
	t.out = newTimedGearbox(b.outputGear(), t.buffered(t.given))
	t.rows = newTimedSlice(&rowTime{t, true})
	t.emb, t.ys = &rowTime{t, false}, &timedQueue{}
	if t.y = t.ys; b.RowLanes() != b.Lanes {
		t.emb, t.y = newTimedGearbox(b.rowGear(), t.emb), newTimedGearbox(b.yGear(), t.y)
	}
	t.engine = b.Attention.(timedEngine).time(t.arrive, 0)
	return t
}

func all(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// buffered is a stream behind the buffer of attention outputs, if there is one.
func (t *chipTime) buffered(from timed) timed {
	if t.sides() > 1 {
		return newTimedDeinterleave(t.deinterleave(), from)
	}
	if depth := t.outputBuffer(); depth > 0 {
		return newTimedFifo(depth, from)
	}
	return from
}

// exec is the time of an instruction.
func (t *chipTime) exec(r *sequenceRun, w isa.Word) {
	src, dst, slot := w.Value(isa.Src), w.Value(isa.Dst), w.Value(isa.Slot)
	complete := t.now
	switch w.Kind.Op {
	case isa.Embed:
		t.now += r.taken
		complete = t.request(1, false)
	case isa.Gather:
		complete += r.taken
	case isa.Table:
		complete = t.request(w.Value(isa.Rows), true)
	case isa.Load:
		complete = t.load(slot)
		t.did(w, t.free-1)
	case isa.Add:
		complete = t.add(src, slot)
		t.did(w, t.free-1)
	case isa.Norm:
		complete = t.norm(dst, slot)
		t.did(w, t.written(t.Banks+writeVector))
	case isa.Project:
		complete = t.project(w.Value(isa.Bank), r.op(w), src, dst)
		t.did(w, t.written(w.Value(isa.Bank)))
	case isa.Attend:
		complete = t.attend(Beat{flag(r.first), {uint64(w.Value(isa.Store))}, {uint64(w.Value(isa.Follow))}}, src, dst)
	case isa.Head:
		complete = t.head(r.cmd[4][0] > 0, src)
		t.did(w, t.drawn[len(t.drawn)-1])
	case isa.Emit:
		drawn := max(t.now, t.drawn[0])
		t.drawn, t.drawFree = t.drawn[1:], drawn+1
		complete = drawn + 1
		t.end = max(t.end, complete)
		t.did(w, complete)
	}
	t.now = complete + 2
}

func (t *chipTime) did(w isa.Word, last int) { t.steps = append(t.steps, ChipStep{w.Kind.Op, last}) }

// written is the last beat that a writer wrote.
func (t *chipTime) written(writer int) int {
	done := t.writes[writer]
	return done[len(done)-1]
}

// ends is the end of a run, and the beginning of the next; wrong says that an instruction was
// not carried out.
func (t *chipTime) ends(r *sequenceRun, wrong bool) {
	done := t.now - 1 // in the cycle after the last instruction was complete
	if wrong {
		done = t.now + 1
		done += r.taken
	}
	t.end, t.now = max(t.end, done), done+3
}

// move is when a move is taken by the switch, and begun: readers read from src on, a writer,
// or none (-1), writes n vectors from dst on.
func (t *chipTime) move(readers []int, src, writer, dst, n int) (taken int) {
	taken = max(t.now, t.begun)
	begun := taken + 1
	for _, r := range readers {
		t.known(src + t.net.Offsets[r])
		begun = max(begun, t.emptied[src+t.net.Offsets[r]]+1, t.reads[r]+1)
	}
	if writer >= 0 {
		for v := range n {
			t.known(dst + v)
			begun = max(begun, t.emptied[dst+v]+1)
			if f := t.filled[dst+v]; len(f) > 0 {
				begun = max(begun, f[len(f)-1]+1)
			}
		}
		moves := len(t.writes[writer])
		if writer == t.Banks+writeAttention {
			moves += len(t.results)
		}
		if moves > 1 {
			begun = max(begun, t.writes[writer][moves-2]+1)
		}
	}
	t.begun = begun
	return taken
}

// known panics when it is not yet known when a buffer is written.
func (t *chipTime) known(buffer int) {
	if t.open[buffer] > 0 {
		panic("hw: the time of a chip is known for programs that use the results of a pass with more after the next pass")
	}
}

// reader is the beats of a reader that reads a buffer by the last move, until done.
func (t *chipTime) reader(r, src int) (from timed, done func(at int)) {
	buffer := src + t.net.Offsets[r]
	return newTimedReader(t.begun, t.filled[buffer]), func(at int) { t.emptied[buffer], t.reads[r] = at, at }
}

// comes is when the first beat of such a buffer is offered.
func (t *chipTime) comes(r, src int) int {
	return max(t.begun+1, t.filled[src+t.net.Offsets[r]][0]+1) + 1
}

// write is when a writer writes vectors by the move begun then that are offered at the given times.
func (t *chipTime) write(writer, begun, dst int, vectors []timed, beats []int) {
	next := begun + 1
	if done := t.writes[writer]; len(done) > 0 {
		next = max(next, done[len(done)-1]+1)
	}
	for v, from := range vectors {
		t.filled[dst+v] = times(from, beats[v], next)
		next = t.filled[dst+v][beats[v]-1] + 1
	}
	t.writes[writer] = append(t.writes[writer], next-1)
}

func (t *chipTime) beats() int { return t.Chip.unit().Beats() }

// load is when the command was taken; the others are alike.
func (t *chipTime) load(slot int) (complete int) {
	complete, offered := t.vector.send(t.now)
	at := max(offered, t.free)
	t.vector.taken(at)
	t.write16(times(t.emb, t.beats(), max(at, t.root)+1), slot)
	return complete
}

// write16 ends a load or add whose beats were taken at the given times.
func (t *chipTime) write16(taken []int, slot int) {
	last := taken[len(taken)-1]
	t.free, t.root = last+1, last+t.Chip.unit().Wait()
	t.recip[slot] = t.root
	t.note(UnitVector, taken[0], t.free)
	t.note(UnitReciprocal, t.free, t.root)
}

func (t *chipTime) add(src, slot int) (complete int) {
	r := t.Banks + readAdd
	told, offered := t.vector.send(t.now)
	moved := t.move([]int{r}, src, -1, 0, 0)
	at := max(offered, t.free)
	t.vector.taken(at)
	from, done := t.reader(r, src)
	taken := times(from, t.beats(), max(at+2, t.root+1))
	done(taken[len(taken)-1])
	t.write16(taken, slot)
	return max(told, moved)
}

func (t *chipTime) norm(dst, slot int) (complete int) {
	writer := t.Banks + writeVector
	told, offered := t.vector.send(t.now)
	moved := t.move(nil, 0, writer, dst, 1)
	at := max(offered, t.free)
	t.vector.taken(at)
	latency := t.Chip.unit().norm().latency()
	first := max(at+2, t.recip[slot])
	t.write(writer, t.begun, dst, []timed{&timedList{at: series(first+latency, t.beats())}}, []int{t.beats()})
	last := first + t.beats() - 1
	if t.beats() > latency { // words that were still to come waited with the first result
		last += t.filled[dst][0] - (first + latency)
	}
	t.free = last + 1
	t.note(UnitVector, first, t.filled[dst][t.beats()-1]+1)
	return max(told, moved)
}

// series is n cycles from the given one on.
func series(from, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = from + i
	}
	return s
}

func (t *chipTime) project(bank, op, src, dst int) (complete int) {
	cmd, b := t.bankCmds[bank], t.banks[bank]
	told, offered := cmd.send(t.now)
	matrices := b.Program[op].Matrices
	moved := t.move([]int{bank}, src, bank, dst, len(matrices))
	from, done := t.reader(bank, src)
	t.x[bank].put(from, ceilDiv(b.Program[op].K, t.Lanes), done)
	begins, y := b.operation(op, offered)
	cmd.taken(begins)
	var vectors []timed
	var beats []int
	for _, matrix := range y {
		vectors, beats = append(vectors, &timedList{at: matrix}), append(beats, len(matrix))
	}
	t.write(bank, t.begun, dst, vectors, beats)
	t.note(UnitBank(bank), max(begins, t.comes(bank, src)), t.written(bank)+1)
	return max(told, moved)
}

// arrive is when the next beat of an input of the attention engine is there, from cycle at on,
// which takes it so many cycles later.
func (t *chipTime) arrive(stream, at, later int) int {
	at = max(at, t.gears[stream].offered())
	t.gears[stream].taken(at + later)
	return at
}

// attend is the pass of a beat of stream token.
func (t *chipTime) attend(token Beat, src, dst int) (complete int) {
	told, offered := t.passes.send(t.now)
	inputs, writer, n := []int{1, 2, 3}, t.Banks+writeAttention, 1
	store := token[1][0] == 1
	if store {
		inputs, writer, n = inputs[1:], -1, 0
	}
	var readers []int
	for _, i := range inputs {
		readers = append(readers, t.Banks+readQ+i-1)
	}
	moved := t.move(readers, src, writer, dst, n)
	for i, r := range readers {
		from, done := t.reader(r, src)
		t.feeds[inputs[i]].put(from, ceilDiv(t.engineGear(inputs[i]).InLength, t.Lanes), done)
	}
	comes := t.comes(readers[0], src)
	began := t.engine.pass(offered, token)
	t.passes.taken(began)
	if t.external() {
		t.end = max(t.end, t.engine.over()+1)
	}
	if began = max(began, comes); store {
		t.note(UnitAttention, began, t.engine.over()+1)
	} else {
		t.results = append(t.results, result{dst, t.begun, began, len(t.steps)})
		t.steps = append(t.steps, ChipStep{Op: isa.Attend})
		t.open[dst]++
	}
	t.attended()
	return max(told, moved)
}

// result is what a pass of the attention engine gives: the buffer it is written to, when its move
// and the pass began, and its place among the steps.
type result struct{ dst, begun, began, step int }

// attended writes the results that are known by now: those of a pass with more only when the pass
// after it is, which may delay it.
func (t *chipTime) attended() {
	heads, _, channels := t.Attention.(shapedEngine).shape()
	t.came = append(t.came, t.engine.outputs()...)
	for n := t.Attention.PassBeats(); len(t.came) >= n; t.results = t.results[1:] {
		r, writer := t.results[0], t.Banks+writeAttention
		t.given.put(&timedList{at: t.came[:n]}, n, nil)
		t.came = t.came[n:]
		t.open[r.dst]--
		t.write(writer, r.begun, r.dst, []timed{t.out}, []int{ceilDiv(heads*channels, t.Lanes)})
		t.steps[r.step].Last = t.written(writer)
		t.note(UnitAttention, r.began, t.written(writer)+1)
	}
}

// requestTime is a request to the memory: when it was made, and when it can be answered.
type requestTime struct {
	made, read int
	left       int // beats
	done       int // the last beat was taken; before: not yet
	table      bool
}

// request is when the memory is asked for rows.
func (t *chipTime) request(rows int, table bool) (made int) {
	made = t.now
	n := len(t.requests)
	if n >= requests {
		made = max(made, t.requests[n-requests].read+1)
	}
	q := &requestTime{made: made, read: made + 1, left: rows * t.Chip.head().Beats(), done: before, table: table}
	if n > 0 {
		q.read = max(q.read, t.requests[n-1].done)
	}
	t.requests = append(t.requests, q)
	if t.memory != nil {
		t.memory.ask(made+1, q.left)
	}
	t.end = max(t.end, made+1)
	return made
}

// rowTime is the rows of the memory for the output head, or for the vector unit.
type rowTime struct {
	t    *chipTime
	head bool
}

// front is the request that is being answered.
func (s *rowTime) front() (*requestTime, int) {
	i := s.t.answered
	if i == len(s.t.requests) {
		panic("hw: rows are used before they were asked for")
	}
	q := s.t.requests[i]
	if q.table != s.head {
		panic("hw: rows are used in another order than they were asked for")
	}
	return q, i
}

func (s *rowTime) offered() int {
	q, _ := s.front()
	return max(q.read+1, s.t.row.offered())
}

func (s *rowTime) taken(at int) {
	q, i := s.front()
	s.t.row.taken(at)
	if q.left--; q.left > 0 {
		return
	}
	s.t.note(UnitMemory, q.made, at+1)
	s.t.answered++
	if q.done = at; i+1 < len(s.t.requests) {
		s.t.requests[i+1].read = max(s.t.requests[i+1].read, at)
	}
}

// head is the output head's and the sampler's time. No attention is under way meanwhile, because it
// is what the vector comes from, and the next token is not known before.
func (t *chipTime) head(sampled bool, src int) (complete int) {
	r := t.Banks + readHead
	told, offered := t.samples.send(t.now)
	moved := t.move([]int{r}, src, -1, 0, 0)
	from, done := t.reader(r, src)
	t.ys.put(from, t.beats(), done)
	beats := t.Chip.head().Beats()
	y := times(t.y, beats, t.headFree)
	filled := y[len(y)-1]

	command := max(offered, t.drawFree)
	t.samples.taken(command)
	moved, sums := t.Engine().(dotEngine).dotRun(t.rows, t.Vocab, beats, filled+1)
	t.headFree = moved + 1
	logit := command
	for _, sum := range sums {
		logit = max(logit+1, sum+headDelay)
	}
	t.note(UnitHead, filled+1, logit)
	token := logit + t.sampler().DrawCycles(sampled)
	t.note(UnitSampler, logit, token)
	t.drawn = append(t.drawn, token)
	return max(told, moved)
}

// Cycles follows the program instruction by instruction: each waits for its unit's place and
// for the switch's scoreboard, and what units do follows from when their operands come. It is
// known for programs that ask for rows of the embedding table before they use them, wait for a token
// before they attend again, and in a block begin a pass before they use the results of the one before.
// Rows of the table always lie ready; see CyclesBehind. Rows of weights are written without a
// run, in WriteCycles.
func (b Chip) Cycles(in [][]Beat) int {
	if rows, _ := b.weightsOf(in); len(rows) > 0 {
		if len(in[0]) > 0 {
			panic("hw: the time of a run while weights are written is not known")
		}
		_, told := b.Written(rows)
		return b.WriteCycles(told)
	}
	return b.followed(in, newChipTime(b))
}

// CyclesBehind is Cycles with an external memory like that of Steps.
func (b Chip) CyclesBehind(latency int, in [][]Beat) int {
	return b.followed(in, newChipTime(b).behind(latency))
}

func (b Chip) followed(in [][]Beat, t *chipTime) int {
	b.interpret(in, t)
	return t.end + 1
}
