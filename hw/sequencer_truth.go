package hw

import (
	"math/rand"

	"ohmloom/hw/isa"
)

// sequence is the sequencer as an interpreter of instructions. It keeps what it says to each
// stream and counts its own cycles, those in which nobody makes it wait.
type sequence struct {
	Sequencer
	prompt, sampled func() Beat // the next beat
	out             [][]Beat
	cycles, steps   int
	most            int // steps of a run
	written         []bool
	exec            func(r *sequenceRun, w isa.Word) // called for each instruction, or nil
	ends            func(r *sequenceRun, wrong bool) // called at the end of each run, or nil
}

// mostSteps bounds the instructions of a run in tests, for programs that go round for ever.
const mostSteps = 4000

func newSequence(b Sequencer, prompt, sampled func() Beat) *sequence {
	return &sequence{Sequencer: b, prompt: prompt, sampled: sampled, most: mostSteps, out: make([][]Beat, seqBank+b.Banks), written: make([]bool, b.Buffers)}
}

func (s *sequence) say(stream int, values ...uint64) {
	var beat Beat
	for _, v := range values {
		beat = append(beat, []uint64{v})
	}
	s.out[stream] = append(s.out[stream], beat)
}

// run is one command; ok is false when it takes too many instructions.
func (s *sequence) run(cmd Beat) (ok bool) {
	at := func(i int) int { return int(cmd[i][0]) }
	r := &sequenceRun{sequence: s, budget: at(1), prompting: true, fresh: at(3) == 1, load: at(7) != 0, cmd: cmd, pc: at(0), token: -1}
	s.cycles++
	for {
		if s.steps++; s.steps > s.most {
			return false
		}
		s.cycles += 2
		code, ends := r.step()
		if ends {
			if s.ends != nil {
				s.ends(r, code != RunEnded)
			}
			s.say(seqDone, uint64(code), uint64(r.pc))
			s.cycles++
			return true
		}
	}
}

// sequenceRun is the state of a run.
type sequenceRun struct {
	*sequence
	cmd                    Beat
	pc, layer, budget      int
	prompting, fresh, load bool
	first                  bool  // the next pass is a sequence's first
	token                  int   // -1: none
	queue                  []int // tokens that were gathered
	taken                  int   // tokens that the instruction took of queue or prompt
}

// step carries out the instruction at pc and moves pc on, or ends the run.
func (r *sequenceRun) step() (code int, ends bool) {
	r.taken = 0
	if r.pc >= r.Words {
		return BadAddress, true
	}
	var bits uint32
	if r.pc < len(r.Program) {
		bits = r.Program[r.pc]
	}
	w, err := isa.Decode(bits)
	if err != nil {
		return BadWord, true
	}
	if code := r.operands(w); code != 0 {
		return code, true
	}
	next := r.pc + 1
	if w.Kind.Op != isa.Embed && w.Kind.Op != isa.Gather {
		r.does(w)
	}
	switch w.Kind.Op {
	case isa.Halt:
		return RunEnded, true
	case isa.Loop:
		if r.layer++; r.layer < w.Value(isa.Times) {
			next = w.Value(isa.Target)
		} else {
			r.layer = 0
		}
	case isa.Gather:
		for r.prompting && len(r.queue) < w.Value(isa.Tokens) {
			r.queue = append(r.queue, r.take())
		}
		r.does(w)
		if len(r.queue) < w.Value(isa.Tokens) {
			next = w.Value(isa.Target)
		}
	case isa.More:
		if r.prompting || len(r.queue) > 0 {
			next = w.Value(isa.Target)
		} else if r.budget == 0 {
			return RunEnded, true
		}
	case isa.Emit:
		r.token = int(r.sampled()[0][0])
		last := r.budget <= 1
		r.say(seqToken, uint64(r.token), flag(last)[0])
		r.cycles++
		r.budget = max(r.budget-1, 0)
		if !last {
			next = w.Value(isa.Target)
		}
	case isa.Embed:
		if code := r.embed(w.Value(isa.Rows)); code != 0 {
			return code, true
		}
		r.does(w)
	default:
		r.work(w)
	}
	r.pc = next
	return 0, false
}

func (r *sequenceRun) does(w isa.Word) {
	if r.exec != nil {
		r.exec(r, w)
	}
}

// take takes a token of the prompt.
func (r *sequenceRun) take() int {
	beat := r.prompt()
	r.prompting = beat[1][0] == 0
	r.taken++
	r.cycles++
	return int(beat[0][0])
}

func (r *sequenceRun) embed(rows int) (code int) {
	switch {
	case r.token >= 0:
	case len(r.queue) > 0:
		r.token, r.queue = r.queue[0], r.queue[1:]
		r.taken++
		r.cycles++
	case r.prompting:
		r.token = r.take()
	default:
		return NoToken
	}
	if r.token >= rows {
		return BadToken
	}
	r.say(seqFetch, uint64(r.token), 1, 0)
	r.token, r.first, r.fresh = -1, r.first || r.fresh, false
	return 0
}

// buffersOf gives the buffers that w reads and writes.
func buffersOf(w isa.Word) (src, dst []int) {
	from := func(first, n int) (all []int) {
		for i := range n {
			all = append(all, first+i)
		}
		return all
	}
	s, d := w.Value(isa.Src), w.Value(isa.Dst)
	switch w.Kind.Op {
	case isa.Norm:
		return nil, from(d, 1)
	case isa.Add, isa.Head:
		return from(s, 1), nil
	case isa.Project:
		return from(s, 1), from(d, w.Value(isa.Count))
	case isa.Attend:
		if w.Value(isa.Store) == 1 {
			return from(s+1, 2), nil
		}
		return from(s, 3), from(d, 1)
	}
	return nil, nil
}

// operands says what is wrong with them, and notes what is written.
func (r *sequenceRun) operands(w isa.Word) (code int) {
	src, dst := buffersOf(w)
	for _, b := range append(src[:len(src):len(src)], dst...) {
		if b >= r.Buffers {
			return BadOperand
		}
	}
	for _, b := range src {
		for _, d := range dst {
			if b == d {
				return BadOperand
			}
		}
	}
	if w.Kind.Op == isa.Project && (w.Value(isa.Bank) >= r.Banks || r.op(w) >= r.Ops) {
		return BadOperand
	}
	switch w.Kind.Op {
	case isa.Load, isa.Norm, isa.Add:
		if w.Value(isa.Slot) >= r.Slots {
			return BadOperand
		}
	case isa.Gather:
		if w.Value(isa.Tokens) > r.Slots+1 {
			return BadOperand
		}
	}
	for _, b := range src {
		if !r.written[b] {
			return EmptyBuffer
		}
	}
	for _, b := range dst {
		r.written[b] = true
	}
	return 0
}

func (r *sequenceRun) op(w isa.Word) int { return w.Value(isa.MVM) + w.Value(isa.Layer)*r.layer }

// work sends an instruction to a unit, and its operands to the switch.
func (r *sequenceRun) work(w isa.Word) {
	reads, writes := make([]uint64, r.Banks+readers), make([]uint64, r.Banks+writers)
	move := func() {
		more := uint64(0)
		if w.Kind.Op == isa.Project {
			more = uint64(w.Value(isa.Count) - 1)
		}
		code, _ := w.Encode()
		bits := func(f *isa.Field) []uint64 { return []uint64{uint64(code >> f.Lo & (1<<f.W - 1))} }
		r.out[seqMove] = append(r.out[seqMove], Beat{reads, bits(isa.Src), writes, bits(isa.Dst), {more}})
	}
	switch w.Kind.Op {
	case isa.Table:
		r.say(seqFetch, 0, uint64(w.Value(isa.Rows)), 1)
	case isa.Load:
		r.say(seqVector, VectorLoad, uint64(w.Value(isa.Slot)))
	case isa.Add:
		r.say(seqVector, VectorAdd, uint64(w.Value(isa.Slot)))
		reads[r.Banks+readAdd] = 1
		move()
	case isa.Norm:
		r.say(seqVector, VectorNorm, uint64(w.Value(isa.Slot)))
		writes[r.Banks+writeVector] = 1
		move()
	case isa.Project:
		bank := w.Value(isa.Bank)
		r.say(seqBank+bank, uint64(r.op(w)))
		reads[bank], writes[bank] = 1, 1
		move()
	case isa.Attend:
		store := uint64(w.Value(isa.Store))
		r.say(seqAttend, flag(r.first)[0], store, uint64(w.Value(isa.Follow)))
		reads[r.Banks+readQ], reads[r.Banks+readK], reads[r.Banks+readV] = 1-store, 1, 1
		writes[r.Banks+writeAttention] = 1 - store
		move()
		r.first = false
	case isa.Head:
		r.say(seqHead, r.cmd[4][0], r.cmd[5][0], r.cmd[6][0], flag(r.load)[0], r.cmd[7][0])
		r.load = false
		reads[r.Banks+readHead] = 1
		move()
	}
}

// Arithmetic interprets the program for each command. Words that stream program writes are
// there before the first.
func (b Sequencer) Arithmetic(in [][]Beat) [][]Beat {
	s, _ := b.interpret(in)
	return s.out
}

// Cycles: a command takes one, an instruction two, a token taken of queue or prompt or given
// to the host one more, and the end one.
func (b Sequencer) Cycles(in [][]Beat) int {
	s, _ := b.interpret(in)
	return s.cycles
}

// with is the sequencer with words written over its program.
func (b Sequencer) with(words []Beat) Sequencer {
	program := make([]uint32, b.Words)
	copy(program, b.Program)
	for _, beat := range words {
		if at := beat[0][0]; at < uint64(b.Words) {
			program[at] = uint32(beat[1][0])
		}
	}
	b.Program = program
	return b
}

func (b Sequencer) interpret(in [][]Beat) (s *sequence, ok bool) {
	next := func(stream int) func() Beat {
		beats := in[stream]
		return func() Beat {
			beat := beats[0]
			beats = beats[1:]
			return beat
		}
	}
	s, ok = newSequence(b.with(in[seqProgram]), next(seqPrompt), next(seqSampled)), true
	for _, cmd := range in[seqCmd] {
		ok = s.run(cmd) && ok
	}
	return s, ok
}

// randomSequencer has a program of the form that programs have, sometimes with a word that is
// none.
func randomSequencer(r *rand.Rand) Block {
	b := Sequencer{Words: 24 + r.Intn(30), Banks: oddSize(r, 4), Buffers: 5 + r.Intn(8), Ops: 8 + r.Intn(20), Slots: oddSize(r, 5)}
	b.Program = randomProgram(r, b)
	if r.Intn(2) == 0 {
		odd := b
		odd.Program = append([]uint32(nil), b.Program...)
		i := r.Intn(len(odd.Program))
		if odd.Program[i] ^= 1 << r.Intn(32); r.Intn(2) == 0 {
			odd.Program[i] = r.Uint32()
		}
		if _, ok := odd.work(rand.New(rand.NewSource(r.Int63())), false); ok {
			b = odd
		}
	}
	return b
}

func randomProgram(r *rand.Rand, b Sequencer) []uint32 {
	p := &isa.Program{}
	say := func(op int, values ...int) { p.Words = append(p.Words, isa.New(op, values...)) }
	const rows = 1 << 16
	units := func(n, layers int) {
		for range n {
			x := r.Intn(b.Buffers - 3)
			switch r.Intn(7) {
			case 0:
				say(isa.Load, r.Intn(b.Slots))
			case 1:
				say(isa.Add, x, r.Intn(b.Slots))
			case 2:
				say(isa.Attend, b.Buffers-1, x, r.Intn(2), r.Intn(2))
			case 3:
				say(isa.Norm, r.Intn(b.Buffers), r.Intn(b.Slots))
			case 4:
				say(isa.Table, r.Intn(rows))
			default:
				d := x + 1 + r.Intn(b.Buffers-x-1)
				say(isa.Project, r.Intn(2), d, x, r.Intn(b.Banks), 1+r.Intn(min(4, b.Buffers-d)), r.Intn(b.Ops-layers))
			}
		}
	}
	for i := range b.Buffers {
		say(isa.Norm, i, r.Intn(b.Slots))
	}
	start, layers := len(p.Words), 1+r.Intn(4)
	if r.Intn(2) == 0 { // a block of tokens, if there are as many
		n := 1 + r.Intn(min(3, b.Slots+1))
		say(isa.Gather, n, start+n+2)
		for range n {
			say(isa.Embed, rows)
		}
		say(isa.More, start)
	}
	say(isa.Embed, rows)
	loop := len(p.Words)
	units(1+r.Intn(4), layers)
	say(isa.Loop, layers, loop)
	say(isa.More, start)
	units(r.Intn(3), 0)
	say(isa.Head, r.Intn(b.Buffers))
	say(isa.Emit, start)
	if len(p.Words) < b.Words && r.Intn(4) > 0 {
		say(isa.Halt)
	}
	codes := p.Codes()
	return codes[:min(len(codes), b.Words)]
}

func sequencerWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Sequencer)
	for {
		if in, ok := b.work(r, extreme); ok {
			return in
		}
	}
}

// work is some runs, with as many tokens as they take; ok is false when one does not end.
func (b Sequencer) work(r *rand.Rand, extreme bool) (in [][]Beat, ok bool) {
	streams, _ := b.Streams()
	in = make([][]Beat, len(streams))
	token := func(stream int) Beat {
		beat := RandomBeats(r, streams[stream], 1, extreme)[0]
		beat[0][0] >>= 1
		in[stream] = append(in[stream], beat)
		return beat
	}
	s := newSequence(b, func() Beat { return token(seqPrompt) }, func() Beat { return token(seqSampled) })
	for range 1 + r.Intn(3) {
		cmd := RandomBeats(r, streams[seqCmd], 1, extreme)[0]
		cmd[0][0] = uint64(r.Intn(4)) // what lies beyond the first few words is not looked for
		if r.Intn(3) > 0 {
			cmd[0][0] = 0
		}
		cmd[1][0] = uint64(r.Intn(5))
		cmd[2][0] = uint64(r.Intn(2)) << 31 // far beyond the run, or none
		in[seqCmd] = append(in[seqCmd], cmd)
		if !s.run(cmd) {
			return nil, false
		}
	}
	return in, true
}
