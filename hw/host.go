package hw

import (
	"fmt"
	mathbits "math/bits"
	"strings"

	"ohmloom/hw/regs"
	"ohmloom/ir"
)

// Host is the registers of package regs behind an AXI4-Lite port (AMBA AXI4, IHI 0022, part B):
// streams aw, w, b, ar and r are its five channels, all independent. A write is carried out when
// its address and its data are there and its answer has room; two of each wait. Reads and
// writes are not ordered with one another.
//
// Streams cmd, prompt and program go to the Sequencer, token and done come from it. Stream load goes
// to a ProgramLoad, loaded comes from it, and fault from the AXI4 master: the first error is kept,
// ends run and load for the host, and sets flush, which stops the memory port; only a reset helps.
// Input busy says which engines work, for their cycle counters. A soft reset waits until the memory
// port has come to rest or was given up (bus_rests) and nobody waits for an answer on the AXI4-Lite
// port; from then on that port takes nothing, and reset_request is 1 until the reset, which whoever
// places the chip must then give.
//
// A write is carried out in the cycle after the later of aw and w was taken, its answer and the
// beat of cmd or load are offered in the cycle after that, one of prompt another one later. A read is
// answered 2 cycles after ar was taken.
type Host struct {
	Banks         int    // PIM banks, 1..16
	Vocab         int    // rows of the embedding table, 1..65536
	RowBytes      int    // from one of them to the next, 1..2^24
	Prompt, Token int    // tokens that the buffers hold, 1..65535
	Address       int    // bits of an address of the memory, 13..64
	Words         int    // of program memory, 1..4096
	Cache         int    // bytes of keys and values in memory, 0..2^62
	Hash          uint64 // configuration hash
}

// Engines in the order of input busy and of their counters; the banks follow.
const (
	busySequencer = iota
	busyVector
	busyAttention
	busyHead
	busyMemory
	busyUnits
)

func (b Host) Name() string {
	return fmt.Sprintf("host_b%d_v%d_r%d_p%d_t%d_a%d_w%d_c%d_%016x", b.Banks, b.Vocab, b.RowBytes, b.Prompt, b.Token, b.Address, b.Words, b.Cache, b.Hash)
}

func (b Host) Check() error {
	return firstError(inRange("host", "banks", b.Banks, 1, regs.MaxBanks), inRange("host", "rows of the embedding table", b.Vocab, 1, 65536),
		inRange("host", "bytes of a row", b.RowBytes, 1, 1<<24), inRange("host", "buffer of the prompt", b.Prompt, 1, 65535),
		inRange("host", "buffer of the tokens", b.Token, 1, 65535), inRange("host", "bits of an address", b.Address, 13, 64),
		inRange("host", "words of program memory", b.Words, 1, 1<<addrBits), inRange("host", "bytes of keys and values", b.Cache, 0, 1<<62))
}

func (b Host) Streams() (in, out []Stream) {
	seqIn, seqOut := Sequencer{Banks: b.Banks}.Streams()
	addr := []Field{{"addr", ir.Bits(regs.AddressBits), false, "byte address; the low two bits are ignored"}, {"prot", ir.Bits(3), false, "ignored"}}
	resp := Field{"resp", ir.Bits(2), false, "0 OKAY, 2 SLVERR"}
	data := Field{"data", ir.Bits(32), false, "word"}
	in = []Stream{
		{Name: "aw", Doc: "write addresses", Fields: addr},
		{Name: "w", Doc: "write data", Fields: []Field{data, {"strb", ir.Vec(4, 1), false, "bytes that are written"}}},
		{Name: "ar", Doc: "read addresses", Fields: addr},
		seqOut[seqToken], seqOut[seqDone],
		{Name: "fault", Doc: "errors of the memory port", Fixed: true, Fields: []Field{{"code", ir.Bits(faultBits), false, "of register ERROR"},
			{"client", ir.Bits(clientBits), false, "whose access it was"}}},
		{Name: "loaded", Doc: "a load has ended", Fixed: true, Fields: []Field{{"code", ir.Bits(faultBits), false, "of register ERROR, or 0"}}},
	}
	out = []Stream{
		{Name: "b", Doc: "write answers", Fields: []Field{resp}},
		{Name: "r", Doc: "read answers", Fields: []Field{data, resp}},
		seqIn[seqCmd], seqIn[seqPrompt], seqIn[seqProgram], loadCommand(b.Address),
	}
	return in, out
}

func (b Host) Build(lib *Lib) *ir.Module {
	must(b)
	return lib.module("host", b.Name(), "Host registers behind an AXI4-Lite port.", func(m *ir.Module) {
		h := &hosting{Host: b, m: m, lib: lib, live: map[string]*ir.Node{}, kept: map[string]*ir.Reg{}}
		h.declare()
		h.writes()
		h.reading()
		h.buffers()
		h.state()
		h.keep()
		h.counters()
		h.answers()
	})
}

// hosting is a host under construction.
type hosting struct {
	Host
	m   *ir.Module
	lib *Lib

	in    []source
	outs  []Stream
	ready []*ir.Node

	aw, w, ar link
	answer    func(valid *ir.Node, fields ...*ir.Node) // b
	room      *ir.Node                                 // for it
	data      *ir.Node                                 // word to write
	strobed   *ir.Node                                 // its bits that are written
	address   *ir.Node                                 // word address written to
	write     *ir.Node                                 // a write is carried out, well or not
	ok        *ir.Node                                 // it is no error
	closing   *ir.Reg                                  // the port takes nothing more
	busy      []*ir.Node                               // something is in its channels

	running, loading, failed, stopping, clearing, resetting *ir.Reg
	start, load                                             *ir.Node
	promptCount, tokenCount                                 *ir.Reg
	tokenFire                                               *ir.Node
	prompts, tokens                                         *ir.Inst

	read, readAt *ir.Node // a read is carried out, and the word address it reads
	readPut      func(valid *ir.Node, fields ...*ir.Node)

	live map[string]*ir.Node // values of registers, by name
	kept map[string]*ir.Reg  // those that are ReadWrite
}

const (
	hostAW = iota
	hostW
	hostAR
	hostToken
	hostDone
	hostFault
	hostLoaded
)
const (
	hostB = iota
	hostR
	hostCmd
	hostPrompt
	hostProgram
	hostLoad
)

// clientBits is the width of the number of a client in register ERROR.
const clientBits = 2

func (h *hosting) declare() {
	m := h.m
	h.in, h.outs, h.ready = declared(m, h.Streams)
	flag := func(name string) *ir.Reg { return m.Reg(name, ir.Bits(1), 0) }
	h.running, h.loading, h.failed, h.stopping = flag("running"), flag("loading"), flag("failed"), flag("stopping")
	h.clearing, h.resetting, h.closing = flag("clearing"), flag("resetting"), flag("closing")
	count := func(name string, depth int) *ir.Reg { return m.Reg(name, ir.Bits(ir.ClogTwo(depth+1)), 0) }
	h.promptCount, h.tokenCount = count("prompt_count", h.Prompt), count("token_count", h.Token)
	for _, r := range regs.Map {
		if r.Access == regs.ReadWrite || r.Access == regs.WriteOne {
			h.kept[r.Name] = m.Reg("r_"+strings.ToLower(r.Name), ir.Bits(mathbits.Len32(r.Mask())), uint64(r.Reset))
			h.live[r.Name] = h.kept[r.Name].Q
		}
	}
	for i, l := range []*link{&h.aw, &h.w, &h.ar} {
		var types []ir.Type
		for _, f := range h.in[i].s.Fields {
			types = append(types, f.Type)
		}
		ready, put, out := slice(h.lib, m, "u_"+h.in[i].s.Name, types...)
		fire := h.in[i].ready(ready.And(h.closing.Q.Not()))
		put(fire, h.in[i].fields...)
		h.busy = append(h.busy, fire, out.valid)
		*l = out
	}
}

// at says that the word address written to is that of a register.
func (h *hosting) at(name string) *ir.Node {
	return h.address.EqK(uint64(regs.At(name).Offset / 4)).Named("at_" + strings.ToLower(name))
}

// bit is one-bit field f of the word to write.
func (h *hosting) bit(name, f string) *ir.Node { return h.data.Bit(regs.At(name).Field(f).Lo) }

// list is a bit for each word address, 1 where a register of this chip is of such an access.
func (h *hosting) list(of func(regs.Access) bool) *ir.Node {
	last := regs.At("CYCLES_BANK")
	bits := make([]uint64, int(last.Offset)/4+h.Banks)
	for _, r := range regs.Map {
		for i := range max(r.Count, 1) {
			if k := int(r.Offset)/4 + i; k < len(bits) && of(r.Access) {
				bits[k] = 1
			}
		}
	}
	return h.m.KVec(1, bits...)
}

// writes finds what a write is to do, and whether it may.
func (h *hosting) writes() {
	m := h.m
	var put func(*ir.Node, ...*ir.Node)
	var b link
	h.room, put, b = slice(h.lib, m, "u_b", ir.Bits(2))
	b.take(h.ready[hostB])
	h.busy = append(h.busy, b.valid)
	drive(m, h.outs[hostB], b.valid, b.fields...)

	h.write = h.aw.valid.And(h.w.valid).And(h.room).Named("write")
	h.aw.take(h.write)
	h.w.take(h.write)
	h.address = h.aw.fields[0].Slice(2, regs.AddressBits-2).Named("write_address")
	h.data = h.w.fields[0]
	strobes := h.w.fields[1]
	h.strobed = strobes.Elem(3).SExt(8).Cat(strobes.Elem(2).SExt(8), strobes.Elem(1).SExt(8), strobes.Elem(0).SExt(8)).Named("strobed")

	cmdReady, cmdPut := h.sends(hostCmd)
	loadReady, loadPut := h.sends(hostLoad)
	start, load, clear := h.bit("CONTROL", "start"), h.bit("CONTROL", "load"), h.bit("CONTROL", "clear")
	idle := h.running.Q.Or(h.loading.Q).Or(h.clearing.Q).Or(h.failed.Q).Or(h.resetting.Q).Or(clear).Or(start.And(load)).Not().
		And(cmdReady).And(loadReady).Named("can_start")
	full := h.promptCount.Q.EqK(uint64(h.Prompt)).Named("prompt_full")
	wrong := h.at("CONTROL").And(start.Or(load)).And(idle.Not()).
		Or(h.at("PROMPT").And(full.Or(h.clearing.Q))).
		Or(h.at("PROGRAM_WORD").And(h.running.Q.Or(h.loading.Q))).
		Or(h.list(regs.Access.Writable).Pick(h.address).Not()).
		Or(h.list(func(a regs.Access) bool { return a == regs.WriteOnly }).Pick(h.address).And(strobes.AllOf(1).Not())).Named("write_wrong")
	h.ok = h.write.And(wrong.Not()).Named("write_ok")
	put(h.write, wrong.Mux(m.K(2, axiSlaveError), m.K(2, axiOkay)))
	h.start = h.ok.And(h.at("CONTROL")).And(start).Named("start")
	h.load = h.ok.And(h.at("CONTROL")).And(load).Named("load")

	kept := func(name string) *ir.Node { return h.kept[name].Q }
	sampler := func(f string) *ir.Node {
		field := regs.At("SAMPLER").Field(f)
		return kept("SAMPLER").Slice(field.Lo, field.W)
	}
	loadPut(h.load, h.wide("PROGRAM"), kept("PROGRAM_WORDS"), kept("PROGRAM_ADDRESS"), kept("PROGRAM_CHECK"))
	cmdPut(h.start, kept("ENTRY"), kept("BUDGET"), kept("LIMIT"), kept("SEQUENCE"), sampler("it16"), sampler("m"), sampler("s"), kept("SEED"))
	drive(m, h.outs[hostProgram], h.ok.And(h.at("PROGRAM_WORD")), kept("PROGRAM_ADDRESS"), h.data)
}

// sends places a register slice for output stream i; it gives ready and put.
func (h *hosting) sends(i int) (ready *ir.Node, put func(valid *ir.Node, fields ...*ir.Node)) {
	var types []ir.Type
	for _, f := range h.outs[i].Fields {
		types = append(types, f.Type)
	}
	ready, put, out := slice(h.lib, h.m, "u_"+h.outs[i].Name, types...)
	out.take(h.ready[i])
	drive(h.m, h.outs[i], out.valid, out.fields...)
	return ready, put
}

// wide is the address that two registers make.
func (h *hosting) wide(name string) *ir.Node {
	return h.kept[name+"_HIGH"].Q.Cat(h.kept[name+"_LOW"].Q).Trunc(h.Address)
}

// buffers holds the prompt and the tokens.
func (h *hosting) buffers() {
	m := h.m
	step := func(r *ir.Reg, in, out *ir.Node) { r.SetEn(in.Xor(out), in.Mux(r.Q.AddK(1), r.Q.AddK(-1))) }
	w := tokenBits + 1

	push := h.ok.And(h.at("PROMPT")).Named("prompt_push")
	h.prompts = m.Instance("u_prompt", Fifo{Depth: h.Prompt, Lanes: 1, Width: w}.Build(h.lib)).
		In("x_valid", push).In("x_data", h.bit("PROMPT", "last").Cat(h.data.Trunc(tokenBits)))
	valid, data := m.OutOf(h.prompts, "y_valid"), m.OutOf(h.prompts, "y_data")
	offer := valid.And(h.clearing.Q.Not())
	drive(m, h.outs[hostPrompt], offer, data.Trunc(tokenBits), data.Bit(tokenBits))
	take := h.clearing.Q.Or(h.ready[hostPrompt])
	h.prompts.In("y_ready", take)
	step(h.promptCount, push, valid.And(take))

	tokens := h.in[hostToken]
	room := h.running.Q.And(h.tokenCount.Q.Ltu(m.K(h.tokenCount.Type.W, uint64(h.Token))))
	h.tokenFire = tokens.ready(room)
	h.tokens = m.Instance("u_token", Fifo{Depth: h.Token, Lanes: 1, Width: w}.Build(h.lib)).
		In("x_valid", h.tokenFire).In("x_data", tokens.fields[1].Cat(tokens.fields[0]))
	read := h.read.And(h.readAt.EqK(uint64(regs.At("TOKEN").Offset / 4))).Or(h.clearing.Q)
	h.tokens.In("y_ready", read)
	valid, data = m.OutOf(h.tokens, "y_valid"), m.OutOf(h.tokens, "y_data")
	step(h.tokenCount, h.tokenFire, valid.And(read))
	some := valid.And(h.clearing.Q.Not())
	h.live["TOKEN"] = some.Mux(some.Cat(data.Bit(tokenBits), m.K(30-tokenBits, 0), data.Trunc(tokenBits)), m.K(32, 0))
	space := m.K(17, uint64(h.Prompt)).Sub(h.promptCount.Q.ZExt(17))
	h.live["PROMPT_SPACE"] = space.Named("prompt_space")
	empty := h.promptCount.Q.EqK(0).And(h.tokenCount.Q.EqK(0)).Named("buffers_empty")
	clear := h.ok.And(h.at("CONTROL")).And(h.bit("CONTROL", "clear"))
	h.clearing.SetEn(clear.Or(empty), clear)
}

// state follows the run.
func (h *hosting) state() {
	m := h.m
	rests := m.In("bus_rests", ir.Bits(1), "the memory port rests, or was given up")
	done, fault, loaded := h.in[hostDone], h.in[hostFault], h.in[hostLoaded]
	ends := done.ready(m.K(1, 1))
	unloaded := loaded.valid.And(loaded.fields[0].EqK(0).Not()).Named("load_failed")
	wrong := fault.valid.Or(unloaded).Or(ends.And(done.fields[0].EqK(0).Not())).Named("wrong")
	h.loading.SetEn(h.load.Or(loaded.valid).Or(wrong), h.load.And(wrong.Not()))
	over := ends.Or(wrong).Named("over")
	h.running.SetEn(h.start.Or(over), h.start.And(over.Not()))
	h.failed.SetEn(wrong, m.K(1, 1))
	control := h.ok.And(h.at("CONTROL"))
	h.stopping.SetEn(over.Or(control), over.Not().And(h.stopping.Q.Or(h.bit("CONTROL", "stop").And(h.running.Q))))
	h.resetting.SetEn(control.And(h.bit("CONTROL", "reset")), m.K(1, 1))

	first := wrong.And(h.failed.Q.Not()).Named("first_error")
	code := m.Reg("code", ir.Bits(8), 0).SetEn(first, fault.valid.Mux(fault.fields[0], unloaded.Mux(loaded.fields[0], done.fields[0].ZExt(8))))
	address := m.Reg("address", ir.Bits(addrBits+1), 0).SetEn(first, fault.valid.Or(unloaded).Mux(m.K(addrBits+1, 0), done.fields[1]))
	client := m.Reg("client", ir.Bits(clientBits), 0).SetEn(first.And(fault.valid), fault.fields[1])
	h.live["ERROR"] = client.Cat(address, code)
	h.live["STATUS"] = h.loading.Q.Cat(h.resetting.Q, h.stopping.Q, h.clearing.Q, h.promptCount.Q.EqK(uint64(h.Prompt)),
		m.OutOf(h.tokens, "y_valid"), h.failed.Q, h.running.Q)

	events := loaded.valid.And(unloaded.Not()).Cat(first, ends, h.tokenFire)
	acknowledged := h.ok.And(h.at("IRQ_STATUS")).Mux(h.data.And(h.strobed).Trunc(4), m.K(4, 0))
	pending := h.kept["IRQ_STATUS"]
	pending.Set(pending.Q.And(acknowledged.Not()).Or(events))
	irq := m.Reg("irq_q", ir.Bits(1), 0).Set(pending.Q.And(h.kept["IRQ_ENABLE"].Q).EqK(0).Not())
	m.Out("irq", irq, "interrupt, level")

	calm := m.K(1, 1)
	for _, b := range h.busy {
		calm = calm.And(b.Not())
	}
	h.closing.SetEn(h.resetting.Q.And(rests).And(calm), m.K(1, 1))
	m.Out("reset_request", h.closing.Q, "a soft reset is wanted, until it comes")
	m.Out("flush", h.failed.Q.Or(h.resetting.Q), "the memory port is to come to rest")
	m.Out("stop", h.stopping.Q, "the run is to end early")
}

// keep gives the ReadWrite registers their next values.
func (h *hosting) keep() {
	m := h.m
	for _, r := range regs.Map {
		if r.Access != regs.ReadWrite {
			continue
		}
		reg := h.kept[r.Name]
		w := reg.Type.W
		mask := h.strobed.Trunc(w).And(m.K(w, uint64(r.Mask())))
		next := h.data.Trunc(w).And(mask).Or(reg.Q.And(mask.Not()))
		here := h.ok.And(h.at(r.Name))
		if r.Name == "PROGRAM_ADDRESS" {
			word := h.ok.And(h.at("PROGRAM_WORD"))
			reg.SetEn(here.Or(word), word.Mux(reg.Q.AddK(1), next))
			continue
		}
		reg.SetEn(here, next)
	}
	m.Out("table_base", h.wide("TABLE"), "address of the embedding table")
	m.Out("cache_base", h.wide("CACHE"), "address of keys and values")
	m.Out("bus_limit", h.kept["BUS_LIMIT"].Q, "watchdog of the memory port")
}

// counted is the registers of the counters, in their order, those of the banks left out.
var counted = []string{"CYCLES", "TOKENS", "CYCLES_SEQUENCER", "CYCLES_VECTOR", "CYCLES_ATTENTION", "CYCLES_HEAD", "CYCLES_MEMORY"}

// counters counts what happens in a run.
func (h *hosting) counters() {
	m := h.m
	busy := m.In("busy", ir.Vec(busyUnits+h.Banks, 1), "engines at work: sequencer, vector unit, attention, output head, memory, the banks")
	n := len(counted) + h.Banks
	cycles := m.Reg("cycles", ir.Vec(n, 32), 0)
	happens := m.K(1, 1).Join(h.tokenFire, busy)
	counts := happens.And(cycles.Q.Ne(m.K(32, 1<<32-1)))
	cycles.SetEn(h.start.Or(h.running.Q), h.start.Mux(m.K(32, 0).Splat(n), cycles.Q.Add(counts.ZExt(32))))
	for i, name := range counted {
		h.live[name] = cycles.Q.Elem(i)
	}
	for i := range h.Banks {
		h.live[fmt.Sprint("CYCLES_BANK", i)] = cycles.Q.Elem(len(counted) + i)
	}
}

// reading takes read addresses.
func (h *hosting) reading() {
	ready, put, r := slice(h.lib, h.m, "u_r", ir.Bits(32), ir.Bits(2))
	r.take(h.ready[hostR])
	drive(h.m, h.outs[hostR], r.valid, r.fields...)
	h.busy = append(h.busy, r.valid)
	h.readPut = put
	h.read = h.ar.valid.And(ready).Named("read")
	h.ar.take(h.read)
	h.readAt = h.ar.fields[0].Slice(2, regs.AddressBits-2).Named("read_address")
}

// constants are the registers that are the same at all times.
func (b Host) constants() map[string]uint32 {
	shape := regs.At("SHAPE")
	return map[string]uint32{
		"ID": regs.Identity, "VERSION": regs.Version, "HASH_LOW": uint32(b.Hash), "HASH_HIGH": uint32(b.Hash >> 32),
		"SHAPE":     uint32(b.Vocab)<<shape.Field("vocab").Lo | uint32(b.Banks)<<shape.Field("banks").Lo,
		"ROW_BYTES": uint32(b.RowBytes), "BUFFERS": uint32(b.Token)<<16 | uint32(b.Prompt),
		"CACHE_BYTES_LOW": uint32(b.Cache), "CACHE_BYTES_HIGH": uint32(b.Cache >> 32), "PROGRAM_SPACE": uint32(b.Words),
	}
}

// answers answers reads.
func (h *hosting) answers() {
	m := h.m
	constants := h.constants()
	readable := h.list(regs.Access.Readable)
	words := make([]*ir.Node, readable.Type.N)
	for _, r := range regs.Map {
		for i := range max(r.Count, 1) {
			name, at := r.Name, int(r.Offset)/4+i
			if r.Count > 0 {
				name = fmt.Sprint(r.Name, i)
			}
			if v, ok := constants[name]; ok {
				words[at] = m.K(32, uint64(v))
			} else if v := h.live[name]; v != nil {
				words[at] = v.ZExt(32)
			} else if r.Access.Readable() && at < len(words) {
				panic("hw: nothing gives register " + name)
			}
		}
	}
	zero := m.K(32, 0)
	for i, w := range words {
		if w == nil {
			words[i] = zero
		}
	}
	value := words[0].Join(words[1:]...).Pick(h.readAt)
	h.readPut(h.read, value, readable.Pick(h.readAt).Mux(m.K(2, axiOkay), m.K(2, axiSlaveError)))
}
