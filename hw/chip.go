package hw

import (
	"fmt"
	"hash/fnv"

	"ohmloom/ir"
)

// Chip is a whole accelerator: a Sequencer with its program, PIM banks for the projections, an
// attention engine, a VectorUnit for the residual stream and its norms, an OutputHead, which uses
// the engine's multipliers, a Sampler, and the Switch through which vectors go from one to the other, Lanes elements a
// cycle. Tokens of a prompt go in, tokens go out, and what lies between is a program of
// package isa; units work at the same time and wait only for their operands.
//
// Streams at its border: cmd, prompt, program, token and done are the Sequencer's. fetch asks
// the external memory for count rows of the embedding table from row on; stream row takes
// them, in the order of the requests, each as ceil(D/RowLanes) beats. An attention engine with a
// memory port has its streams at the border too.
//
// Where the crossbars are Writable, so have the banks: a beat of weights is one of the bank that it
// names first, and written tells of all rows in the order in which they came. Rows are written while no
// operation works in their bank; who wants a run to have them begins it when they are written.
type Chip struct {
	Top     string // name of the module; "" makes one of a hash of the parameters
	Lanes   int    // elements of a vector that move in a cycle, 1..64
	Words   int    // of program memory, 1..4096
	Buffers int    // vectors that the switch holds, 1..32
	Vector  int    // elements of the longest vector

	Unit      VectorUnit // Lanes is left 0
	Attention AttentionEngine
	Banks     int  // 1..16
	Bank      Bank // each of them; Lanes and Program are left 0
	Vocab     int  // rows of the embedding table, 1..65536
	HeadLanes int  // multipliers of the output head, and elements of a beat of stream row, 1..1024; 0: Lanes

	// What follows is loaded at power-on and not part of the structure.
	Program  []uint32   // instructions
	Matrices [][]BankOp // the Program of each bank
	blank    bool       // no weights are loaded
	cells    []writtenTables
}

// shapedEngine is an attention engine that tells the shape of its vectors.
type shapedEngine interface {
	dotEngine
	shape() (heads, kvHeads, channels int)
}

func (b Spread) shape() (heads, kvHeads, channels int) { return b.Heads, b.KVHeads, b.HeadChannels }
func (b SpreadSide) shape() (heads, kvHeads, channels int) {
	return b.Part.Heads * b.Engines, b.Part.KVHeads * b.Engines, b.Part.HeadChannels
}
func (b AttentionColumn) shape() (heads, kvHeads, channels int) {
	return b.Heads, b.KVHeads, b.HeadChannels
}

// The units with the parameters that follow from the chip's.
func (b Chip) unit() VectorUnit { u := b.Unit; u.Lanes = b.Lanes; return u }

func (b Chip) sequencer() Sequencer {
	return Sequencer{Words: b.Words, Banks: b.Banks, Buffers: b.Buffers, Ops: b.Bank.Ops, Slots: b.Unit.Slots, Program: b.Program}
}

func (b Chip) head() OutputHead {
	h := OutputHead{D: b.Unit.D, Lanes: b.RowLanes(), Rows: b.Vocab}
	h.Ahead = b.Engine().(dotEngine).dotRows() + 4 // 4 from a row's begin to its first beat at the array, and from the sum to the logit
	return h
}

// RowLanes is the elements of a beat of stream row.
func (b Chip) RowLanes() int { return HeadLanes(b.Attention, b.HeadLanes, b.Lanes) }

// Engine is the attention engine as the chip has it, with a dot port for the output head.
func (b Chip) Engine() AttentionEngine {
	return b.Attention.(dotEngine).withDot(b.RowLanes(), b.Unit.D)
}

// rowGear is the gearbox of embeddings to the vector unit, yGear that of vectors to the output
// head; both only where RowLanes is not Lanes.
func (b Chip) rowGear() Gearbox {
	return Gearbox{In: b.RowLanes(), Out: b.Lanes, InLength: b.Unit.D, OutLength: b.Unit.D, Width: 8}
}

func (b Chip) yGear() Gearbox {
	g := b.rowGear()
	g.In, g.Out = g.Out, g.In
	return g
}

func (b Chip) sampler() Sampler { return Sampler{Tokens: b.Vocab} }

// bank is bank i.
func (b Chip) bank(i int) Bank {
	k := b.Bank
	k.Lanes, k.Program = b.Lanes, nil
	k.Crossbar.ID += uint64(i * k.pes())
	if i < len(b.Matrices) {
		k.Program = b.Matrices[i]
	}
	if k.blank = b.blank; b.cells != nil {
		k.cells = b.cells[i]
	}
	return k
}

func (b Chip) network() Switch {
	s := Switch{Lanes: b.Lanes, Width: 16, Depth: ceilDiv(b.Vector, b.Lanes), Buffers: b.Buffers, Writers: b.Banks + writers,
		Offsets: make([]int, b.Banks+readers)}
	s.Offsets[b.Banks+readK], s.Offsets[b.Banks+readV] = 1, 2
	return s
}

func (b Chip) Name() string {
	if b.Top != "" {
		return b.Top
	}
	h := fnv.New64a()
	fmt.Fprint(h, b.Lanes, b.RowLanes(), b.Words, b.Buffers, b.Vector, b.Vocab, b.Banks, b.bank(0).Name(), b.unit().Name(), b.Engine().Name())
	return fmt.Sprintf("chip_%016x", h.Sum64())
}

func (b Chip) Check() error {
	engine, ok := b.Attention.(shapedEngine)
	if !ok {
		return fmt.Errorf("chip: there is no attention engine")
	}
	err := firstError(inRange("chip", "lanes", b.Lanes, 1, 64), inRange("chip", "rows of the embedding table", b.Vocab, 1, 65536),
		b.unit().Check(), b.Engine().Check(), b.sequencer().Check(), b.network().Check(), b.head().Check())
	for i := range max(b.Banks, 1) {
		err = firstError(err, b.bank(i).Check())
	}
	if err != nil {
		return err
	}
	if b.Bank.normalises() {
		return fmt.Errorf("chip: its banks have a norm, which belongs in the vector unit")
	}
	heads, kvHeads, channels := engine.shape()
	for _, v := range []struct {
		name string
		n    int
	}{{"residual stream", b.Unit.D}, {"query", heads * channels}, {"key", kvHeads * channels}} {
		if v.n > b.Vector {
			return fmt.Errorf("chip: a %s has %d elements, the longest vector %d", v.name, v.n, b.Vector)
		}
	}
	return nil
}

func (b Chip) Streams() (in, out []Stream) {
	seqIn, seqOut := b.sequencer().Streams()
	in = []Stream{seqIn[seqCmd], seqIn[seqPrompt], seqIn[seqProgram],
		{Name: "row", Doc: "rows of the embedding table", Fields: []Field{{"data", ir.Vec(b.RowLanes(), 8), true, "int8 elements"}}}}
	out = []Stream{seqOut[seqToken], seqOut[seqDone],
		{Name: "fetch", Doc: "requests to the memory", Fields: seqOut[seqFetch].Fields[:2]}}
	engineIn, engineOut := b.Attention.Streams()
	in, out = append(in, engineIn[4:]...), append(out, engineOut[1:]...)
	if b.Bank.Crossbar.Writable {
		in, out = append(in, b.weightsStream()), append(out, b.writtenStream())
	}
	return in, out
}

// external reports that keys and values are in external memory, behind streams of the engine.
func (b Chip) external() bool {
	_, out := b.Attention.Streams()
	return len(out) > 1
}

func (b Chip) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Accelerator of %d PIM banks and an attention engine, %d elements a cycle between them, run by a program.", b.Banks, b.Lanes)
	return lib.module("chip", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		c := &chipping{Chip: b, m: m, lib: lib}
		c.seq = m.Instance("u_sequencer", b.sequencer().Build(lib))
		c.net = m.Instance("u_switch", b.network().Build(lib))
		for i, s := range []string{"cmd", "prompt", "program"} {
			passIn(m, c.seq, in[i], s)
		}
		passOut(m, c.seq, out[0], "token")
		passOut(m, c.seq, out[1], "done")
		c.join(c.seq, "move", c.net, "move", "reads", "src", "writes", "dst", "more")
		c.vector()
		c.output()
		c.memory(in[3], out[2])
		for i := range b.Banks {
			c.bankOf(i)
		}
		if b.Bank.Crossbar.Writable {
			c.weights(in[len(in)-1], out[len(out)-1])
			in, out = in[:len(in)-1], out[:len(out)-1]
		}
		c.attention(in[4:], out[3:])
		c.host()
	})
}

// chipping is a chip under construction.
type chipping struct {
	Chip
	m             *ir.Module
	lib           *Lib
	seq, net      *ir.Inst
	unit, outputs *ir.Inst // vector unit, output head
	banks         []*ir.Inst
	draws, moves  *ir.Node // a token is chosen; the memory is at work on rows
	embeds        *ir.Node // they are for the vector unit
}

// join connects output stream out of one instance to input stream in of another.
func (c *chipping) join(from *ir.Inst, out string, to *ir.Inst, in string, fields ...string) {
	to.In(in+"_valid", c.m.OutOf(from, out+"_valid"))
	from.In(out+"_ready", c.m.OutOf(to, in+"_ready"))
	for _, f := range fields {
		to.In(in+"_"+f, c.m.OutOf(from, out+"_"+f))
	}
}

// command sends stream out of the sequencer to stream in of a unit, by way of a register
// slice, so that the sequencer is up to two commands ahead.
func (c *chipping) command(out Stream, to *ir.Inst, in string, change func(i int, f *ir.Node) *ir.Node) {
	var fields []*ir.Node
	for i, f := range out.Fields {
		n := c.m.OutOf(c.seq, out.Name+"_"+f.Name)
		if change != nil {
			n = change(i, n)
		}
		fields = append(fields, n)
	}
	ready, l := sliced(c.lib, c.m, "u_"+out.Name+"_cmd", c.m.OutOf(c.seq, out.Name+"_valid"), fields)
	c.seq.In(out.Name+"_ready", ready)
	to.In(in+"_valid", l.valid)
	l.take(c.m.OutOf(to, in+"_ready"))
	for i, f := range out.Fields {
		to.In(in+"_"+f.Name, l.fields[i])
	}
}

// streams of the sequencer.
func (c *chipping) said(stream int) Stream {
	_, out := c.sequencer().Streams()
	return out[stream]
}

// toSwitch makes stream out of an instance, vectors of n elements in beats, writer w.
func (c *chipping) toSwitch(from *ir.Inst, out string, w int, last *ir.Node) {
	name := fmt.Sprintf("w%d", w)
	ready := c.m.OutOf(c.net, name+"_ready")
	c.net.In(name+"_valid", c.m.OutOf(from, out+"_valid")).In(name+"_last", last).
		In(name+"_data", c.m.OutOf(from, out+"_data").SExt(16))
	from.In(out+"_ready", ready)
}

// ends marks the last of n beats of stream out.
func (c *chipping) ends(name string, from *ir.Inst, out string, w, n int) *ir.Node {
	fire := c.m.OutOf(from, out+"_valid").And(c.m.OutOf(c.net, fmt.Sprintf("w%d_ready", w)))
	_, last := counter(c.m, name, n, fire)
	return last
}

// fromSwitch makes reader r stream in of an instance, of elements of width bits.
func (c *chipping) fromSwitch(r int, to *ir.Inst, in string, width int) {
	name := fmt.Sprintf("r%d", r)
	to.In(in+"_valid", c.m.OutOf(c.net, name+"_valid")).In(in+"_data", c.m.OutOf(c.net, name+"_data").Trunc(width))
	c.net.In(name+"_ready", c.m.OutOf(to, in+"_ready"))
}

// vector places the vector unit.
func (c *chipping) vector() {
	c.unit = c.m.Instance("u_vector_unit", c.Chip.unit().Build(c.lib))
	c.command(c.said(seqVector), c.unit, "cmd", nil)
	c.fromSwitch(c.Banks+readAdd, c.unit, "add", 16)
	w := c.Banks + writeVector
	c.toSwitch(c.unit, "y", w, c.ends("norm_beat", c.unit, "y", w, c.Chip.unit().Beats()))
}

// output places output head and sampler.
func (c *chipping) output() {
	m := c.m
	c.outputs = m.Instance("u_output_head", c.head().Build(c.lib))
	if c.RowLanes() == c.Lanes {
		c.fromSwitch(c.Banks+readHead, c.outputs, "y", 8)
	} else {
		gear := m.Instance("u_y", c.yGear().Build(c.lib))
		c.fromSwitch(c.Banks+readHead, gear, "x", 8)
		c.join(gear, "y", c.outputs, "y", "data")
	}
	sampler := m.Instance("u_sampler", c.sampler().Build(c.lib))
	c.join(c.outputs, "logit", sampler, "x", "logit")
	c.command(c.said(seqHead), sampler, "cmd", nil)
	c.seq.In("sampled_valid", m.OutOf(sampler, "token_valid")).In("sampled_token", fit(m.OutOf(sampler, "token_token"), tokenBits))
	sampler.In("token_ready", m.OutOf(c.seq, "sampled_ready"))
	drawn := m.OutOf(sampler, "token_valid").And(m.OutOf(c.seq, "sampled_ready")).Named("drawn")
	draws := m.Reg("draws", ir.Bits(1), 0)
	offered := m.OutOf(c.net, "offering").Elem(c.Banks + readHead)
	c.draws = draws.Set(offered.Or(draws.Q.And(drawn.Not())))
}

// requests is how many requests may be under way to the memory.
const requests = 4

// memory sends requests out and gives what comes to those who asked, in order.
func (c *chipping) memory(row, fetch Stream) {
	m := c.m
	field := func(name string) *ir.Node { return m.OutOf(c.seq, "fetch_"+name) }
	asked := field("valid")
	order := m.Instance("u_requests", Fifo{Depth: requests, Lanes: 1, Width: tokenBits + 1}.Build(c.lib))
	room := m.OutOf(order, "x_ready")
	ready, request := sliced(c.lib, m, "u_fetch", asked.And(room), []*ir.Node{field("row"), field("count")})
	c.seq.In("fetch_ready", ready.And(room))
	order.In("x_valid", asked.And(ready)).In("x_data", field("table").Cat(field("count")))
	request.take(output(m, fetch))
	drive(m, fetch, request.valid, request.fields...)

	rows := slicedInput(c.lib, m, row)
	who, waits := m.OutOf(order, "y_data"), m.OutOf(order, "y_valid")
	table := who.Bit(tokenBits).Named("for_head")
	c.embeds = waits.And(table.Not()).Named("embeds")
	embed, in := c.unit, "emb"
	if c.RowLanes() != c.Lanes {
		embed, in = m.Instance("u_emb", c.rowGear().Build(c.lib)), "x"
		c.join(embed, "y", c.unit, "emb", "data")
	}
	embed.In(in+"_valid", rows.valid.And(waits).And(table.Not())).In(in+"_data", rows.fields[0])
	c.outputs.In("rows_valid", rows.valid.And(waits).And(table)).In("rows_data", rows.fields[0])
	take := waits.And(table.Mux(m.OutOf(c.outputs, "rows_ready"), m.OutOf(embed, in+"_ready"))).Named("row_taken")
	rows.take(take)
	c.moves = waits.And(rows.valid.Not().Or(take)).Named("memory_moves")
	fire := rows.valid.And(take).Named("row_moves")
	_, rowEnds := counter(m, "row_beat", c.head().Beats(), fire)
	left := m.Reg("rows_given", ir.Bits(tokenBits), 0)
	next := left.Q.AddK(1)
	rowDone := fire.And(rowEnds).Named("row_done")
	done := rowDone.And(next.Eq(who.Trunc(tokenBits))).Named("request_done")
	left.SetEn(rowDone, done.Mux(m.K(tokenBits, 0), next))
	order.In("y_ready", done)
}

// host is what a Host wants beside streams: to end a run early, and to know who works.
func (c *chipping) host() {
	m := c.m
	c.seq.In("stop", m.In("stop", ir.Bits(1), "1: the run is to end early"))
	reading, offering, writing := m.OutOf(c.net, "reading"), m.OutOf(c.net, "offering"), m.OutOf(c.net, "writing")
	took, gave := m.OutOf(c.net, "took"), m.OutOf(c.net, "gave")
	works := func(name string, first, readers, writer int) *ir.Node { // it takes beats, or has some and gave not all
		took, gave := took.Elem(first), gave.Elem(writer)
		n := m.Reg(name+"_has", ir.Bits(5), 0) // a token of a block each, and what is queued
		n.SetEn(took.Xor(gave), took.Mux(n.Q.AddK(1), n.Q.AddK(-1)))
		return offering.Elems(first, readers).AnyOf(1).Or(n.Q.EqK(0).Not()).Named(name + "_works")
	}
	busy := make([]*ir.Node, busyUnits+c.Banks)
	busy[busySequencer], busy[busyHead], busy[busyMemory] = m.OutOf(c.seq, "busy"), c.draws, c.moves
	norms := writing.Elem(c.Banks + writeVector).And(reading.Elem(c.Banks + readAdd).Not()).And(c.embeds.Not())
	busy[busyVector] = offering.Elem(c.Banks + readAdd).Or(norms).Named("vector_works")
	busy[busyAttention] = works("attention", c.Banks+readQ, 3, c.Banks+writeAttention)
	for i := range c.Banks {
		busy[busyUnits+i] = works(fmt.Sprint("bank", i), i, 1, i)
	}
	m.Out("busy", busy[0].Join(busy[1:]...), "who works: sequencer, vector unit, attention, output head, memory, the banks")
}

// bankOf places bank i.
func (c *chipping) bankOf(i int) {
	bank := c.m.Instance(fmt.Sprintf("u_bank%d", i), c.bank(i).Build(c.lib))
	c.banks = append(c.banks, bank)
	c.command(c.said(seqBank+i), bank, "cmd", func(_ int, op *ir.Node) *ir.Node { return op.Trunc(ir.ClogTwo(c.Bank.Ops)) })
	c.fromSwitch(i, bank, "x", 8)
	c.toSwitch(bank, "y", i, c.m.OutOf(bank, "y_last"))
}

// attention places the attention engine between gearboxes to its widths.
func (c *chipping) attention(in, out []Stream) {
	m := c.m
	engineIn, engineOut := c.Attention.Streams()
	engine := m.Instance("u_attention", c.Engine().Build(c.lib))
	streams, _ := c.Engine().Streams()
	var fields []string
	for _, f := range streams[len(streams)-1].Fields {
		fields = append(fields, f.Name)
	}
	c.join(c.outputs, "dot", engine, "dot", fields...)
	for _, port := range []string{"valid", "sum", "last"} { // always taken
		c.outputs.In("sum_"+port, m.OutOf(engine, "sum_"+port))
	}
	c.command(c.said(seqAttend), engine, "token", nil)
	for i := 1; i < 4; i++ {
		gear := m.Instance("u_"+engineIn[i].Name, c.engineGear(i).Build(c.lib))
		c.fromSwitch(c.Banks+readQ+i-1, gear, "x", 8)
		if c.sides() > 1 {
			side := m.Instance("u_"+engineIn[i].Name+"_sides", c.interleave(i).Build(c.lib))
			c.join(gear, "y", side, "x", "data")
			gear = side
		}
		c.join(gear, "y", engine, engineIn[i].Name, "data")
	}
	y, from, name := engineOut[0], engine, engineOut[0].Name
	if c.sides() > 1 {
		from, name = m.Instance("u_o_sides", c.deinterleave().Build(c.lib)), "y"
		c.join(engine, y.Name, from, "x", "data")
	} else if depth := c.outputBuffer(); depth > 0 {
		from, name = m.Instance("u_o_buffer", Fifo{Depth: depth, Lanes: y.Fields[0].Type.N, Width: 8}.Build(c.lib)), "y"
		c.join(engine, y.Name, from, "x", "data")
	}
	gear := m.Instance("u_o", c.outputGear().Build(c.lib))
	c.join(from, name, gear, "x", "data")
	w := c.Banks + writeAttention
	c.toSwitch(gear, "y", w, c.ends("o_beat", gear, "y", w, ceilDiv(c.outputGear().OutLength, c.Lanes)))
	for _, s := range in {
		passIn(m, engine, s, s.Name)
	}
	for _, s := range out {
		passOut(m, engine, s, s.Name)
	}
}

// engineGear is the gearbox of input i of the attention engine: q, k or v.
func (b Chip) engineGear(i int) Gearbox {
	in, _ := b.Attention.Streams()
	heads, kvHeads, channels := b.Attention.(shapedEngine).shape()
	n := kvHeads
	if i == 1 {
		n = heads
	}
	return Gearbox{In: b.Lanes, Out: in[i].Fields[0].Type.N / b.sides(), InLength: n * channels, OutLength: channels, Width: 8}
}

// sides is how many engines side by side the attention engine is. Each takes and gives some heads
// of a vector, all at once.
func (b Chip) sides() int {
	if side, ok := b.Attention.(SpreadSide); ok {
		return side.Engines
	}
	return 1
}

// interleave stands behind gearbox i of engines side by side, deinterleave before that of their
// output.
func (b Chip) interleave(i int) Interleave {
	g := b.engineGear(i)
	return Interleave{Parts: b.sides(), Beats: g.InLength / g.OutLength / b.sides() * ceilDiv(g.OutLength, g.Out), Lanes: g.Out, Width: 8}
}

func (b Chip) deinterleave() Deinterleave {
	return Deinterleave{Parts: b.sides(), Beats: b.Attention.PassBeats(), Packets: b.Unit.Slots, Lanes: b.outputGear().In, Width: 8}
}

// SidesWait is what engines side by side add to a layer on a network of so many lanes, in cycles:
// a query waits until the last engine's first head has come, and all but the first engine's
// outputs until those have left. It is 0 for other engines.
func SidesWait(e AttentionEngine, lanes int) int {
	b := Chip{Lanes: lanes, Attention: e}
	if b.sides() == 1 {
		return 0
	}
	q, o := b.interleave(1), b.deinterleave()
	in, out := b.engineGear(1), b.outputGear()
	return (b.sides() - 1) * (q.Beats*in.Out/in.unit() + o.Beats*out.In/out.unit())
}

// outputGear is the gearbox of its output.
func (b Chip) outputGear() Gearbox {
	_, out := b.Attention.Streams()
	heads, _, channels := b.Attention.(shapedEngine).shape()
	return Gearbox{In: out[0].Fields[0].Type.N / b.sides(), Out: b.Lanes, InLength: channels, OutLength: heads * channels, Width: 8}
}

// outputBuffer is the beats of a buffer in front of that gearbox, 0 where it takes a beat of
// the engine in every cycle: so that outputs never hold up the engine. Each token of a block has
// those of one pass under way at most.
func (b Chip) outputBuffer() int {
	if g := b.outputGear(); g.unit() < g.In {
		return b.Unit.Slots * b.Attention.PassBeats()
	}
	return 0
}

// Image is the program, the tables and cells of the banks, and the tables of the attention engine.
func (b Chip) Image(prefix string) *ir.Image {
	img := b.sequencer().Image(prefix + ".u_sequencer")
	img.Add(b.Attention.Image(prefix + ".u_attention"))
	for i := range b.Banks {
		img.Add(b.bank(i).Image(fmt.Sprintf("%s.u_bank%d", prefix, i)))
	}
	return img
}
