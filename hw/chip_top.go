package hw

import (
	"fmt"

	"ohmloom/ir"
)

// ChipTop is the chip as it goes onto an SoC: a Chip behind a Host, with an AXI4-Lite slave port
// s_axi_* for the registers of package regs, an AXI4 master port m_axi_* to its memory, and outputs irq
// (level) and reset_request. AXI signals have the names of the standard; ports that it leaves optional
// and that would be constant are left out (IDs, LOCK, QOS, REGION, USER).
//
// The memory holds the embedding table, the address of a row being that of registers TABLE plus row x
// RowBytes; programs, which a ProgramLoad brings in; and keys and values of an attention engine with a
// memory port, at registers CACHE, through a CachePort. They share one AxiShare for reading; keys and
// values are written by an AxiWrite. Without such an engine the port has no write channels.
//
// Rows of weights for writable crossbars have their streams at the border, as in Chip.
//
// reset_request asks for the reset of the whole chip. There is one synchronous reset, rst, and a chip
// does not drive its own: whoever places it gives rst = external reset or reset_request, an or gate.
// It stays 1 until rst is 1, and rst clears it. While it is 1 both ports are at rest.
//
// Latency says which memory, of those of Chip.CyclesBehind, the chip sees behind its ports.
type ChipTop struct {
	Chip          Chip
	Bus           AxiBursts
	Prompt, Token int    // tokens that the buffers of the host hold, 1..65535
	Hash          uint64 // of the hardware, for registers HASH
}

// rowBeats is the beats of a row of the embedding table in memory.
func (b ChipTop) rowBeats() int { return ceilDiv(b.Chip.Unit.D, b.Bus.Bytes) }

// RowBytes is the distance of rows of the embedding table in memory.
func (b ChipTop) RowBytes() int { return b.rowBeats() * b.Bus.Bytes }

// Host is the block of its registers.
func (b ChipTop) Host() Host {
	return Host{Banks: b.Chip.Banks, Vocab: b.Chip.Vocab, RowBytes: b.RowBytes(), Prompt: b.Prompt, Token: b.Token,
		Address: b.Bus.Address, Hash: b.Hash, Words: b.Chip.Words, Cache: b.CacheBytes()}
}

// Clients of the memory as register ERROR numbers them: readers, then the writer.
const (
	clientRows = iota
	clientProgram
	clientCache
	clientWrites
)

// externalEngine is an attention engine that may have a memory port.
type externalEngine interface {
	// external is the addresses of the port, and the writes of one KV head; 0 without a port.
	external() (words, writes int)
}

func (b Spread) external() (words, writes int) {
	if b.Port == 0 {
		return 0, 0
	}
	return b.memoryWords(), b.kChunks() + b.vRounds()*b.portParts()
}

func (b SpreadSide) external() (words, writes int) { return b.Part.external() }

// cache is the port to keys and values in memory, if there is one.
func (b ChipTop) cache() (port CachePort, there bool) {
	engine, ok := b.Chip.Attention.(externalEngine)
	if !ok {
		return port, false
	}
	words, writes := engine.external()
	if words == 0 {
		return port, false
	}
	_, out := b.Chip.Streams()
	return CachePort{AxiBursts: b.Bus, Beat: out[chipMem].Fields[2].Type.N, Words: words, Pending: min(writes, 64)}, true
}

// Streams of a chip whose attention engine has a memory port.
const (
	chipFill = 4
	chipMem  = 3
)

// CacheBytes is the memory that keys and values need, 0 when they are on the chip.
func (b ChipTop) CacheBytes() int {
	port, there := b.cache()
	if !there {
		return 0
	}
	return port.Words * port.Stride()
}

// reads is what the clients share. A program is taken as it comes; the others may wait.
func (b ChipTop) reads() AxiShare {
	deep := b.Bus.Burst * b.Bus.Outstanding
	s := AxiShare{b.Bus, []int{deep, b.Bus.Burst}}
	if _, there := b.cache(); there {
		s.Buffers = append(s.Buffers, deep)
	}
	return s
}

func (b ChipTop) loader() ProgramLoad { return ProgramLoad{b.Bus, b.Chip.Words} }

func (b ChipTop) gear() Gearbox {
	d := b.Chip.Unit.D
	return Gearbox{In: b.Bus.Bytes, Out: b.Chip.RowLanes(), InLength: d, OutLength: d, Width: 8}
}

// inner is the chip under a name of its own.
func (b ChipTop) inner() Chip {
	c := b.Chip
	c.Top = b.Name() + "_core"
	return c
}

func (b ChipTop) Name() string {
	if b.Chip.Top != "" {
		return b.Chip.Top
	}
	return fmt.Sprintf("%s_%s_p%d_t%d_%016x", b.Chip.Name(), b.Bus.name(), b.Prompt, b.Token, b.Hash)
}

func (b ChipTop) Check() error {
	if err := firstError(b.Chip.Check(), b.Bus.check("chip")); err != nil {
		return err
	}
	if port, there := b.cache(); there {
		if err := port.Check(); err != nil {
			return err
		}
	}
	if err := firstError(b.reads().Check(), b.loader().Check(), b.gear().Check(), b.Host().Check()); err != nil {
		return err
	}
	if b.Chip.Banks < 1 {
		return fmt.Errorf("chip: there are no banks")
	}
	return nil
}

// Image is what the chip loads at power-on.
func (b ChipTop) Image(prefix string) *ir.Image { return b.inner().Image(prefix + ".u_chip") }

func (b ChipTop) Build(lib *Lib) *ir.Module {
	if err := b.Check(); err != nil {
		panic("hw: " + err.Error())
	}
	doc := fmt.Sprintf("Accelerator behind AXI4-Lite registers, with an AXI4 master of %d bits for its memory.", 8*b.Bus.Bytes)
	return lib.module("chip_top", b.Name(), doc, func(m *ir.Module) {
		t := &topping{ChipTop: b, m: m, lib: lib}
		t.host = m.Instance("u_host", b.Host().Build(lib))
		t.chip = m.Instance("u_chip", b.inner().Build(lib))
		t.load = m.Instance("u_load", b.loader().Build(lib))
		t.read = m.Instance("u_read", b.reads().Build(lib))
		t.slave()
		t.control()
		t.rows()
		t.program()
		t.cached()
		t.master()
		if b.Chip.Bank.Crossbar.Writable {
			in, out := b.Chip.Streams()
			passIn(m, t.chip, in[len(in)-1], "weights")
			passOut(m, t.chip, out[len(out)-1], "written")
		}
	})
}

// topping is a ChipTop under construction.
type topping struct {
	ChipTop
	m                      *ir.Module
	lib                    *Lib
	host, chip, load, read *ir.Inst
	write                  *ir.Inst // or nil
}

// in and out make stream s of an instance an AXI channel: ports prefix + valid, ready, fields.
func (t *topping) in(inst *ir.Inst, s Stream, prefix string) {
	inst.In(s.Name+"_valid", t.m.In(prefix+"valid", ir.Bits(1), s.Doc))
	for _, f := range s.Fields {
		inst.In(s.Name+"_"+f.Name, t.m.In(prefix+f.Name, f.Type, f.Doc))
	}
	t.m.Group(prefix)
	t.m.Out(prefix+"ready", t.m.OutOf(inst, s.Name+"_ready"), "a beat is taken when valid and ready are 1").Group = prefix
}

func (t *topping) out(inst *ir.Inst, s Stream, prefix string) {
	inst.In(s.Name+"_ready", t.m.In(prefix+"ready", ir.Bits(1), "a beat is taken when valid and ready are 1"))
	t.m.Group(prefix)
	t.m.Out(prefix+"valid", t.m.OutOf(inst, s.Name+"_valid"), s.Doc).Group = prefix
	for _, f := range s.Fields {
		t.m.Out(prefix+f.Name, t.m.OutOf(inst, s.Name+"_"+f.Name), f.Doc).Group = prefix
	}
}

// slave is the AXI4-Lite port.
func (t *topping) slave() {
	in, out := t.Host().Streams()
	for _, i := range []int{hostAW, hostW} {
		t.in(t.host, in[i], "s_axi_"+in[i].Name)
	}
	t.out(t.host, out[hostB], "s_axi_b")
	t.in(t.host, in[hostAR], "s_axi_ar")
	t.out(t.host, out[hostR], "s_axi_r")
}

// join makes stream s of one instance the stream called in of another.
func (t *topping) join(from *ir.Inst, s Stream, to *ir.Inst, in string) {
	to.In(in+"_valid", t.m.OutOf(from, s.Name+"_valid"))
	if !s.Fixed {
		from.In(s.Name+"_ready", t.m.OutOf(to, in+"_ready"))
	}
	for _, f := range s.Fields {
		to.In(in+"_"+f.Name, t.m.OutOf(from, s.Name+"_"+f.Name))
	}
}

// client is stream asks of an instance as the requests of a client, and what comes as its stream gets.
func (t *topping) client(i int, inst *ir.Inst, asks, gets string) {
	in, out := t.reads().Streams()
	req, y := in[i], out[1+i]
	t.read.In(req.Name+"_valid", t.m.OutOf(inst, asks+"_valid")).
		In(req.Name+"_addr", t.m.OutOf(inst, asks+"_addr")).In(req.Name+"_beats", t.m.OutOf(inst, asks+"_beats"))
	inst.In(asks+"_ready", t.m.OutOf(t.read, req.Name+"_ready"))
	t.join(t.read, y, inst, gets)
}

// control connects host and chip.
func (t *topping) control() {
	m := t.m
	in, out := t.Host().Streams()
	for _, i := range []int{hostCmd, hostPrompt} {
		t.join(t.host, out[i], t.chip, out[i].Name)
	}
	t.join(t.chip, in[hostToken], t.host, "token")
	t.join(t.chip, in[hostDone], t.host, "done")
	t.join(t.host, out[hostLoad], t.load, "cmd")
	t.chip.In("stop", m.OutOf(t.host, "stop"))
	t.read.In("flush", m.OutOf(t.host, "flush")).In("limit", m.OutOf(t.host, "bus_limit"))
	m.Out("irq", m.OutOf(t.host, "irq"), "interrupt, level: see registers IRQ_ENABLE and IRQ_STATUS").Group = "control"
	m.Out("reset_request", m.OutOf(t.host, "reset_request"), "1: the chip wants a reset, until it comes").Group = "control"
}

// rows turns requests for rows into reads of the bus, and what they give into rows.
func (t *topping) rows() {
	m, shift := t.m, t.Bus.size()
	rowBeats := uint64(t.rowBeats())
	const w = beatBits
	field := func(name string) *ir.Node { return m.OutOf(t.chip, "fetch_"+name).ZExt(w).Mul(m.K(w, rowBeats)) }
	at := t.Bus.Address
	table := m.OutOf(t.host, "table_base").Slice(shift, at-shift)
	addr := table.Add(total(at-shift, field("row"))).Cat(m.K(shift, 0)).Named("row_address")
	ready, req := sliced(t.lib, m, "u_request", m.OutOf(t.chip, "fetch_valid"), []*ir.Node{addr, field("count").Named("row_beats")})
	t.chip.In("fetch_ready", ready)
	in, out := t.reads().Streams()
	name := in[clientRows].Name
	t.read.In(name+"_valid", req.valid).In(name+"_addr", req.fields[0]).In(name+"_beats", req.fields[1])
	req.take(m.OutOf(t.read, name+"_ready"))

	gear := m.Instance("u_gear", t.gear().Build(t.lib))
	t.join(t.read, out[1+clientRows], gear, "x")
	t.chip.In("row_valid", m.OutOf(gear, "y_valid")).In("row_data", m.OutOf(gear, "y_data"))
	gear.In("y_ready", m.OutOf(t.chip, "row_ready"))
}

// rowLatency is the cycles that the way from stream fetch to stream row adds to the memory's latency.
const rowLatency = 10

// Latency is the latency that Chip.CyclesBehind must have for a memory whose first beat of R comes
// latency + 1 cycles after AR was taken. The ports add 10 cycles. It is known where the bus and its buffers
// give a beat of stream row in every cycle, and keys and values are on the chip, so that rows are alone.
func (b ChipTop) Latency(latency int) (chip int, known bool) {
	_, external := b.cache()
	deep := b.Bus.Burst * b.Bus.Outstanding
	return latency + rowLatency, !external && b.Bus.Bytes%b.Chip.RowLanes() == 0 && latency+12+b.Bus.Burst <= deep
}

// program writes the program memory, from the host's register or from external memory: never both.
func (t *topping) program() {
	m := t.m
	t.client(clientProgram, t.load, "req", "x")
	loads := m.OutOf(t.load, "program_valid")
	t.chip.In("program_valid", loads.Or(m.OutOf(t.host, "program_valid")))
	for _, f := range []string{"address", "word"} {
		t.chip.In("program_"+f, loads.Mux(m.OutOf(t.load, "program_"+f), m.OutOf(t.host, "program_"+f)))
	}
	t.load.In("done_ready", m.K(1, 1))
	t.host.In("loaded_valid", m.OutOf(t.load, "done_valid")).In("loaded_code", m.OutOf(t.load, "done_code"))
}

// cached places the port to keys and values in memory, if there are any.
func (t *topping) cached() {
	port, there := t.cache()
	if !there {
		return
	}
	m := t.m
	in, out := t.Chip.Streams()
	t.write = m.Instance("u_write", AxiWrite{t.Bus}.Build(t.lib)).
		In("flush", m.OutOf(t.host, "flush")).In("limit", m.OutOf(t.host, "bus_limit"))
	inst := m.Instance("u_cache", port.Build(t.lib)).In("base", m.OutOf(t.host, "cache_base")).In("writing", m.OutOf(t.write, "idle").Not())
	t.join(t.chip, out[chipMem], inst, "mem")
	_, portOut := port.Streams()
	t.client(clientCache, inst, "ask", "x")
	t.join(inst, portOut[1], t.write, "req")
	t.join(inst, portOut[2], t.write, "x")
	t.join(inst, in[chipFill], t.chip, "fill")
}

// master is the AXI4 port, and what becomes of its errors and its rest.
func (t *topping) master() {
	m := t.m
	in, out := t.reads().Streams()
	t.out(t.read, out[0], "m_axi_ar")
	t.constants("m_axi_ar")
	t.in(t.read, in[len(in)-1], "m_axi_r")
	rests := func(inst *ir.Inst) *ir.Node { return m.OutOf(inst, "idle").Or(m.OutOf(inst, "expired")) }
	works, calm := m.OutOf(t.read, "idle").Not(), rests(t.read)
	wrong, code, client := m.OutOf(t.read, "fault_valid"), m.OutOf(t.read, "fault_code"), m.OutOf(t.read, "fault_client").ZExt(clientBits)
	if t.write != nil {
		in, out := AxiWrite{t.Bus}.Streams()
		t.out(t.write, out[0], "m_axi_aw")
		t.constants("m_axi_aw")
		t.out(t.write, out[1], "m_axi_w")
		t.in(t.write, in[2], "m_axi_b")
		works, calm = works.Or(m.OutOf(t.write, "idle").Not()), calm.And(rests(t.write))
		code = wrong.Mux(code, m.OutOf(t.write, "fault_code"))
		client = wrong.Mux(client, m.K(clientBits, clientWrites))
		wrong = wrong.Or(m.OutOf(t.write, "fault_valid"))
	}
	t.host.In("fault_valid", wrong).In("fault_code", code).In("fault_client", client).In("bus_rests", calm)
	busy := m.OutOf(t.chip, "busy")
	memory := busy.Elem(busyMemory).Or(works).Named("memory_works")
	t.host.In("busy", busy.Elems(0, busyMemory).Join(memory, busy.Elems(busyMemory+1, busy.Type.N-busyMemory-1)))
}

// constants are what is the same for all bursts of an address channel.
func (t *topping) constants(prefix string) {
	for _, k := range []struct {
		name  string
		w     int
		value uint64
		doc   string
	}{
		{"size", 3, uint64(t.Bus.size()), "log2 of the bytes of a beat"}, {"burst", 2, 1, "INCR"},
		{"cache", 4, 3, "normal, bufferable, not cacheable"}, {"prot", 3, 0, "data, secure, unprivileged"},
	} {
		t.m.Out(prefix+k.name, t.m.K(k.w, k.value), k.doc).Group = prefix
	}
}
