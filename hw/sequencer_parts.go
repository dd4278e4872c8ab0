package hw

import (
	"fmt"

	"ohmloom/hw/isa"
	"ohmloom/ir"
)

// sequencing is a sequencer under construction.
type sequencing struct {
	Sequencer
	m     *ir.Module
	in    []source
	outs  []Stream
	ready []*ir.Node // of the output streams

	read, exec, ending *ir.Reg  // the word at pc is being read, carried out; done is offered
	start              *ir.Node // a run begins
	pc, code           *ir.Reg  // address; how the run ends
	layer, budget      *ir.Reg
	word               *ir.Node
	is, does           []*ir.Node // by opcode less one: it is the instruction; it is being carried out
	fault, why         *ir.Node   // it may not be, and the code
	reads, writes      *ir.Node   // it does so to buffers

	token         *ir.Reg    // token register
	prompts       *ir.Reg    // the prompt has tokens that were not taken
	queue, queued *ir.Reg    // tokens that were, newest first; how many
	more          *ir.Node   // the prompt or the queue has tokens
	have, got     *ir.Reg    // the token register holds one for embed; for the host
	complete      []*ir.Node // of the instructions, those that are complete in this cycle
	jumps         *ir.Node   // it goes to target
	spent         *ir.Node   // the run ends, as its budget is spent or it is stopped
	paused, ticks *ir.Node   // the watchdog does not count; begins anew
	stop          *ir.Reg    // the run is to end early
}

func (s *sequencing) declare() {
	m := s.m
	s.in, s.outs, s.ready = declared(m, s.Streams)
	one := func(name string) *ir.Reg { return m.Reg(name, ir.Bits(1), 0) }
	s.read, s.exec, s.ending = one("reads"), one("executes"), one("ends")
	s.prompts, s.have, s.got = one("prompting"), one("have_token"), one("got_token")
	s.stop = one("stopping")
	s.stop.Set(m.In("stop", ir.Bits(1), "1: the run ends with the next token, or when it waits for the prompt"))
	s.pc = m.DataReg("pc", ir.Bits(addrBits+1))
	s.code = m.DataReg("code", ir.Bits(codeBits))
	s.layer = m.DataReg("layer", ir.Bits(layerBits))
	s.budget = m.DataReg("budget", ir.Bits(32))
	s.token = m.DataReg("token", ir.Bits(tokenBits))
	s.queue = m.DataReg("queue", ir.Vec(s.Slots+1, tokenBits))
	s.queued = m.Reg("queued", ir.Bits(queueBits), 0)
	s.more = s.prompts.Q.Or(s.queued.Q.EqK(0).Not()).Named("more_tokens")
	s.start = s.in[seqCmd].ready(s.read.Q.Or(s.exec.Q).Or(s.ending.Q).Not())
}

// fetch reads the word at pc.
func (s *sequencing) fetch(lib *Lib) {
	m, w := s.m, ir.ClogTwo(s.Words)
	write := s.in[seqProgram]
	inside := write.fields[0].ZExt(addrBits + 1).Ltu(m.K(addrBits+1, uint64(s.Words)))
	mem := m.Instance("u_program", programMemory(lib, s.Words)).
		In("we", write.valid.And(inside)).In("waddr", write.fields[0].Trunc(w)).In("wdata", write.fields[1]).
		In("re", s.read.Q).In("raddr", s.pc.Q.Trunc(w))
	s.word = m.OutOf(mem, "rdata")
}

// field is the bits of field f of the instruction.
func (s *sequencing) field(f *isa.Field) *ir.Node { return s.word.Slice(f.Lo, f.W) }

// any is 1 for one of the instructions.
func (s *sequencing) any(ops ...int) *ir.Node {
	n := s.is[ops[0]-1]
	for _, op := range ops[1:] {
		n = n.Or(s.is[op-1])
	}
	return n
}

// decode finds which instruction the word is and what is wrong with it.
func (s *sequencing) decode() {
	m := s.m
	known := m.K(1, 0)
	for _, k := range isa.Set {
		is := s.word.Slice(28, 4).EqK(uint64(k.Op)).Named("is_" + k.Name)
		s.is = append(s.is, is)
		known = known.Or(is.And(s.word.And(m.K(32, uint64(^k.Used()))).EqK(0)))
	}
	operand, empty := s.operands()
	faults := []struct {
		code int
		when *ir.Node
	}{
		{BadToken, s.any(isa.Embed).And(s.have.Q).And(s.field(isa.Rows).Leu(s.token.Q)).Named("bad_token")},
		{NoToken, s.any(isa.Embed).And(s.have.Q.Or(s.more).Not()).Named("no_token")},
		{EmptyBuffer, empty},
		{BadOperand, operand},
		{BadWord, known.Not().Named("bad_word")},
		{BadAddress, m.K(addrBits+1, uint64(s.Words)).Leu(s.pc.Q).Named("bad_address")},
	}
	fault, why := m.K(1, 0), m.K(codeBits, RunEnded)
	for _, f := range faults {
		fault, why = fault.Or(f.when), f.when.Mux(m.K(codeBits, uint64(f.code)), why)
	}
	s.fault, s.why = fault.And(s.exec.Q).Named("fault"), why.Named("why")
	may := s.exec.Q.And(fault.Not()).Named("may")
	for i, is := range s.is {
		s.does = append(s.does, is.And(may).Named("does_"+isa.Set[i].Name))
	}
}

// operands says that the instruction has an operand that is not there, and that it reads a
// buffer that was never written; and keeps which ones were.
func (s *sequencing) operands() (bad, empty *ir.Node) {
	m, w := s.m, bufferBits+2
	k := func(v int) *ir.Node { return m.K(w, uint64(v)) }
	attend, mvm := s.any(isa.Attend), s.any(isa.Project)
	stores := attend.And(s.field(isa.Store)).Named("only_stores")
	s.reads = s.any(isa.Add, isa.Project, isa.Attend, isa.Head).Named("reads_buffer")
	s.writes = s.any(isa.Norm, isa.Project).Or(attend.And(stores.Not())).Named("writes_buffer")
	src, dst := s.field(isa.Src).ZExt(w), s.field(isa.Dst).ZExt(w)
	firstSrc := src.Add(stores.Mux(k(1), k(0))) // a pass that only stores reads no q
	lastSrc := src.Add(attend.Mux(k(2), k(0)))
	lastDst := dst.Add(mvm.Mux(s.field(isa.Count).ZExt(w), k(0)))
	beyond := func(last *ir.Node) *ir.Node { return k(s.Buffers).Leu(last) }
	both := s.reads.And(s.writes).And(firstSrc.Leu(lastDst)).And(dst.Leu(lastSrc)).Named("reads_what_it_writes")
	bank := m.K(isa.Bank.W+1, uint64(s.Banks)).Leu(s.field(isa.Bank).ZExt(isa.Bank.W + 1))
	op := m.K(layerBits+1, uint64(s.Ops)).Leu(s.op())
	vector, gather := s.any(isa.Load, isa.Norm, isa.Add), s.any(isa.Gather)
	slot := m.K(slotBits+1, uint64(s.Slots)).Leu(s.field(isa.Slot).ZExt(slotBits + 1))
	long := m.K(queueBits, uint64(s.Slots)).Ltu(s.field(isa.Tokens).ZExt(queueBits))
	bad = s.reads.And(beyond(lastSrc)).Or(s.writes.And(beyond(lastDst))).Or(both).Or(mvm.And(bank.Or(op))).
		Or(vector.And(slot)).Or(gather.And(long)).Named("bad_operand")

	index := make([]uint64, s.Buffers)
	for i := range index {
		index[i] = uint64(i)
	}
	at := m.KVec(w, index...)
	written := m.Reg("written", ir.Vec(s.Buffers, 1), 0)
	written.SetEn(s.exec.Q.And(s.writes), written.Q.Or(dst.Splat(s.Buffers).Leu(at).And(at.Ltu(lastDst.AddK(1)))))
	from := firstSrc.Splat(s.Buffers).Leu(at).And(at.Ltu(lastSrc.AddK(1)))
	return bad, s.reads.And(from.And(written.Q.Not()).AnyOf(1)).Named("reads_empty")
}

// op is the op of mvm, with the layer.
func (s *sequencing) op() *ir.Node {
	layer := s.field(isa.Layer).Mux(s.layer.Q.ZExt(layerBits+1), s.m.K(layerBits+1, 0))
	return s.field(isa.MVM).ZExt(layerBits + 1).Add(layer).Named("op")
}

// control carries out embed, table, more, gather and emit.
func (s *sequencing) control() {
	m := s.m
	cmd, prompt, sampled := s.in[seqCmd], s.in[seqPrompt], s.in[seqSampled]
	embed, table, more, emit := s.does[isa.Embed-1], s.does[isa.Table-1], s.does[isa.More-1], s.does[isa.Emit-1]
	gather := s.does[isa.Gather-1]
	enough := s.field(isa.Tokens).ZExt(queueBits).Ltu(s.queued.Q).Named("enough")
	gathered := gather.And(enough.Or(s.prompts.Q.Not())).Named("gathered")
	gathers := gather.And(gathered.Not()).Named("gathers")
	none := s.queued.Q.EqK(0)
	wants := embed.And(s.have.Q.Not()).Named("wants_token")
	pops := wants.And(none.Not()).Named("pops")
	asksHost := wants.And(none).Or(gathers).Named("asks_prompt")
	takes := prompt.ready(asksHost.And(s.stop.Q.Not()))
	draws := sampled.ready(emit.And(s.got.Q.Not()))
	s.queueOf(prompt.fields[0], takes.And(gather), pops)
	asks := embed.And(s.have.Q).Named("asks")
	drive(m, s.outs[seqFetch], asks.Or(table), table.Mux(m.K(tokenBits, 0), s.token.Q),
		table.Mux(s.field(isa.Rows), m.K(tokenBits, 1)), table)
	asked := asks.And(s.ready[seqFetch]).Named("asked")
	offers := emit.And(s.got.Q).Named("offers_token")
	early := m.Reg("early", ir.Bits(1), 0).SetEn(draws, s.stop.Q)
	last := s.budget.Q.Leu(m.K(32, 1)).Or(early).Named("last_token")
	drive(m, s.outs[seqToken], offers, s.token.Q, last)
	gives := offers.And(s.ready[seqToken]).Named("gives_token")

	oldest := s.queue.Q.Pick(s.queued.Q.AddK(-1).Trunc(ir.ClogTwo(s.Slots + 1)))
	comes := takes.And(embed).Or(pops).Named("token_comes")
	s.token.SetEn(comes.Or(draws), embed.Mux(pops.Mux(oldest, prompt.fields[0]), sampled.fields[0]))
	s.have.SetEn(s.start.Or(comes).Or(gives).Or(asked), comes.Or(gives))
	s.got.SetEn(s.start.Or(draws).Or(gives), draws)
	s.prompts.SetEn(s.start.Or(takes), s.start.Or(prompt.fields[1].Not()))
	spent := s.budget.Q.EqK(0)
	s.budget.SetEn(s.start.Or(gives.And(spent.Not())), s.start.Mux(cmd.fields[1], s.budget.Q.AddK(-1)))
	s.spent = more.And(s.more.Not()).And(spent).Or(asksHost.And(s.stop.Q)).Named("spent")
	s.complete = append(s.complete, asked, table.And(s.ready[seqFetch]), gives, more, gathered)
	s.jumps = more.And(s.more).Or(gives.And(last.Not())).Or(gathered.And(enough.Not()))
	s.paused = asksHost.Or(offers).Named("waits_for_host")
	m.Out("busy", s.read.Q.Or(s.exec.Q).And(s.paused.Not()), "it works, and does not wait for the host")
	s.ticks = s.start.Or(takes).Or(gives).Named("ticks")

	fresh := m.Reg("fresh", ir.Bits(1), 0)
	fresh.SetEn(s.start.Or(asked), s.start.And(cmd.fields[3]))
	s.units(asked.And(fresh.Q).Named("asked_first"))
}

// queueOf is the queue of tokens: one comes in, the oldest leaves.
func (s *sequencing) queueOf(token, pushes, pops *ir.Node) {
	m := s.m
	s.queue.SetEn(pushes, token.Join(s.queue.Q.Elems(0, s.Slots)))
	next := s.queued.Q.AddK(1)
	s.queued.SetEn(s.start.Or(pushes).Or(pops), s.start.Mux(m.K(queueBits, 0), pops.Mux(s.queued.Q.AddK(-1), next)))
}

// units sends instructions to the units and their moves to the switch, each once. Such an
// instruction is complete when both were taken. begins says that the row of a sequence's first
// token was asked for: the next pass is its first.
func (s *sequencing) units(begins *ir.Node) {
	m, attend := s.m, s.does[isa.Attend-1]
	first := m.Reg("first", ir.Bits(1), 0)
	told, moved := m.Reg("told", ir.Bits(1), 0), m.Reg("moved", ir.Bits(1), 0)
	tells := m.K(1, 0)
	tell := func(out int, does *ir.Node, fields ...*ir.Node) {
		valid := does.And(told.Q.Not())
		drive(m, s.outs[out], valid, fields...)
		tells = tells.Or(valid.And(s.ready[out]))
	}
	load, add, norm := s.does[isa.Load-1], s.does[isa.Add-1], s.does[isa.Norm-1]
	tell(seqVector, load.Or(add).Or(norm), add.Mux(m.K(2, VectorAdd), norm.Mux(m.K(2, VectorNorm), m.K(2, VectorLoad))), s.field(isa.Slot))
	tell(seqAttend, attend, first.Q, s.field(isa.Store), s.field(isa.Follow))
	head := s.does[isa.Head-1]
	settings, loads := s.settings()
	tell(seqHead, head, settings...)
	var banks []*ir.Node
	mvm := s.does[isa.Project-1]
	for i := range s.Banks {
		does := mvm.And(s.field(isa.Bank).EqK(uint64(i))).Named(fmt.Sprintf("does_bank%d", i))
		tell(seqBank+i, does, s.op().Trunc(opBits))
		banks = append(banks, does)
	}

	reads := append(banks[:len(banks):len(banks)], add, attend.And(s.field(isa.Store).Not()), attend, attend, head)
	writes := append(banks[:len(banks):len(banks)], norm, attend.And(s.field(isa.Store).Not()))
	moves := load.Or(add).Or(norm).Or(attend).Or(head).Or(mvm).Named("unit_works")
	valid := moves.And(load.Not()).And(moved.Q.Not()).Named("moves")
	drive(m, s.outs[seqMove], valid, reads[0].Join(reads[1:]...), s.field(isa.Src), writes[0].Join(writes[1:]...),
		s.field(isa.Dst), mvm.Mux(s.field(isa.Count), m.K(2, 0)))
	tellDone := told.Q.Or(tells.Named("tells"))
	moveDone := moved.Q.Or(valid.And(s.ready[seqMove])).Or(load)
	done := moves.And(tellDone).And(moveDone).Named("unit_done")
	// After an error both are at 0 again when the next run begins.
	told.Set(tellDone.And(moves).And(done.Not()))
	moved.Set(moveDone.And(moves).And(done.Not()))
	s.complete = append(s.complete, done)
	loads.SetEn(s.start.Or(done.And(head)), s.start)
	first.SetEn(s.start.Or(begins).Or(done.And(attend)), begins)
}

// settings are the sampler's; loads says that its generator starts anew.
func (s *sequencing) settings() (fields []*ir.Node, loads *ir.Reg) {
	m, cmd := s.m, s.in[seqCmd]
	keep := func(i int) *ir.Node {
		f := cmd.s.Fields[i]
		return m.DataReg("sampler_"+f.Name, f.Type).SetEn(s.start, cmd.fields[i])
	}
	it16, mult, shift, state := keep(4), keep(5), keep(6), keep(7)
	loads = m.Reg("loads_state", ir.Bits(1), 0)
	return []*ir.Node{it16, mult, shift, loads.Q.And(state.EqK(0).Not()), state}, loads
}

// advance goes on to the next instruction, or ends the run.
func (s *sequencing) advance() {
	m := s.m
	loop, halt := s.does[isa.Loop-1], s.does[isa.Halt-1]
	next := s.layer.Q.ZExt(layerBits + 1).AddK(1).Named("next_layer")
	again := loop.And(next.Ltu(s.field(isa.Times).ZExt(layerBits + 1))).Named("again")
	s.layer.SetEn(s.start.Or(loop), again.Mux(next.Trunc(layerBits), m.K(layerBits, 0)))
	complete := loop.Or(halt)
	for _, c := range s.complete {
		complete = complete.Or(c)
	}
	complete = complete.Named("complete")

	limit := m.DataReg("limit", ir.Bits(32)).SetEn(s.start, s.in[seqCmd].fields[2])
	waited := m.DataReg("waited", ir.Bits(32))
	waited.SetEn(s.ticks.Or(s.paused.Not()), s.ticks.Mux(m.K(32, 0), waited.Q.AddK(1)))
	late := s.exec.Q.And(limit.Leu(waited.Q)).And(limit.EqK(0).Not()).And(s.paused.Not()).Named("timed_out")

	ends := halt.Or(s.spent).Or(s.fault).Or(late).Named("run_ends")
	s.read.Set(s.start.Or(complete.And(ends.Not())))
	s.exec.Set(s.read.Q.Or(s.exec.Q.And(complete.Or(ends).Not())))
	s.ending.Set(ends.Or(s.ending.Q.And(s.ready[seqDone].Not())))
	s.code.SetEn(ends, s.fault.Mux(s.why, late.Mux(m.K(codeBits, TimedOut), m.K(codeBits, RunEnded))))
	target := s.field(isa.Target).ZExt(addrBits + 1)
	after := s.jumps.Or(again).Mux(target, s.pc.Q.AddK(1))
	s.pc.SetEn(s.start.Or(complete.And(ends.Not())), s.start.Mux(s.in[seqCmd].fields[0].ZExt(addrBits+1), after))
	drive(m, s.outs[seqDone], s.ending.Q, s.code.Q, s.pc.Q)
}
