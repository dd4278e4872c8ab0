package hw

import (
	"fmt"

	"ohmloom/ir"
)

// ChipTop is the chip as it goes onto an SoC: a Chip behind a Host, with an AXI4-Lite slave port
// s_axi_* for the registers of package regs, an AXI4 master port m_axi_* over which it reads the
// embedding table, and outputs irq (level) and reset_request. AXI signals have the names of the
// standard; ports that it leaves optional and that would be constant are left out (IDs, LOCK, QOS,
// REGION, USER). The address of a row is that of register TABLE plus row x RowBytes.
//
// reset_request asks for the reset of the whole chip, which cannot reset itself: for rst = external
// reset or reset_request it needs no more than an or gate.
//
// An attention engine with a memory port of its own has its streams at the border, as in Chip.
type ChipTop struct {
	Chip          Chip
	Bus           AxiBursts
	Prompt, Token int    // tokens that the buffers of the host hold, 1..65535
	Hash          uint64 // configuration hash
}

// rowBeats is the beats of a row of the embedding table in memory.
func (b ChipTop) rowBeats() int { return ceilDiv(b.Chip.Unit.D, b.Bus.Bytes) }

// RowBytes is the distance of rows of the embedding table in memory.
func (b ChipTop) RowBytes() int { return b.rowBeats() * b.Bus.Bytes }

// Host is the block of its registers.
func (b ChipTop) Host() Host {
	return Host{Banks: b.Chip.Banks, Vocab: b.Chip.Vocab, RowBytes: b.RowBytes(), Prompt: b.Prompt, Token: b.Token,
		Address: b.Bus.Address, Hash: b.Hash}
}

func (b ChipTop) reader() AxiRead { return AxiRead{b.Bus, 1} }

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
	if err := firstError(b.Chip.Check(), b.reader().Check(), b.gear().Check(), b.Host().Check()); err != nil {
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
		t := &topping{ChipTop: b, m: m}
		t.host = m.Instance("u_host", b.Host().Build(lib))
		t.chip = m.Instance("u_chip", b.inner().Build(lib))
		t.read = m.Instance("u_read", b.reader().Build(lib))
		t.slave()
		t.control()
		t.memory(lib)
		in, out := b.Chip.Streams()
		for _, s := range in[4:] {
			passIn(m, t.chip, s, s.Name)
		}
		for _, s := range out[3:] {
			passOut(m, t.chip, s, s.Name)
		}
	})
}

// topping is a ChipTop under construction.
type topping struct {
	ChipTop
	m                *ir.Module
	host, chip, read *ir.Inst
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

// control connects host and chip.
func (t *topping) control() {
	m := t.m
	join := func(from *ir.Inst, s Stream, to *ir.Inst) {
		to.In(s.Name+"_valid", m.OutOf(from, s.Name+"_valid"))
		if !s.Fixed {
			from.In(s.Name+"_ready", m.OutOf(to, s.Name+"_ready"))
		}
		for _, f := range s.Fields {
			to.In(s.Name+"_"+f.Name, m.OutOf(from, s.Name+"_"+f.Name))
		}
	}
	in, out := t.Host().Streams()
	for _, i := range []int{hostCmd, hostPrompt, hostProgram} {
		join(t.host, out[i], t.chip)
	}
	join(t.chip, in[hostToken], t.host)
	join(t.chip, in[hostDone], t.host)
	join(t.read, in[hostFault], t.host)
	t.host.In("busy", m.OutOf(t.chip, "busy")).In("bus_idle", m.OutOf(t.read, "idle")).In("bus_expired", m.OutOf(t.read, "expired"))
	t.chip.In("stop", m.OutOf(t.host, "stop"))
	t.read.In("flush", m.OutOf(t.host, "flush")).In("limit", m.OutOf(t.host, "bus_limit"))
	m.Out("irq", m.OutOf(t.host, "irq"), "interrupt, level: see registers IRQ_ENABLE and IRQ_STATUS").Group = "control"
	m.Out("reset_request", m.OutOf(t.host, "reset_request"), "1: the chip wants a reset, until it comes").Group = "control"
}

// memory turns requests for rows into reads of the bus, and what they give into rows.
func (t *topping) memory(lib *Lib) {
	m, shift := t.m, t.Bus.size()
	rowBeats := uint64(t.rowBeats())
	const w = beatBits
	field := func(name string) *ir.Node { return m.OutOf(t.chip, "fetch_"+name).ZExt(w).Mul(m.K(w, rowBeats)) }
	at := t.Bus.Address
	table := m.OutOf(t.host, "table_base").Slice(shift, at-shift)
	offset := field("row")
	if at-shift <= w {
		offset = offset.Trunc(at - shift)
	} else {
		offset = offset.ZExt(at - shift)
	}
	addr := table.Add(offset).Cat(m.K(shift, 0)).Named("row_address")
	ready, req := sliced(lib, m, "u_request", m.OutOf(t.chip, "fetch_valid"), []*ir.Node{addr, field("count").Named("row_beats")})
	t.chip.In("fetch_ready", ready)
	t.read.In("req_valid", req.valid).In("req_addr", req.fields[0]).In("req_beats", req.fields[1])
	req.take(m.OutOf(t.read, "req_ready"))

	in, out := t.reader().Streams()
	t.out(t.read, out[0], "m_axi_ar")
	for _, k := range []struct {
		name  string
		w     int
		value uint64
		doc   string
	}{
		{"size", 3, uint64(shift), "log2 of the bytes of a beat"}, {"burst", 2, 1, "INCR"},
		{"cache", 4, 3, "normal, bufferable, not cacheable"}, {"prot", 3, 0, "data, secure, unprivileged"},
	} {
		m.Out("m_axi_ar"+k.name, m.K(k.w, k.value), k.doc).Group = "m_axi_ar"
	}
	t.in(t.read, in[1], "m_axi_r")

	gear := m.Instance("u_gear", t.gear().Build(lib))
	gear.In("x_valid", m.OutOf(t.read, "y_valid")).In("x_data", m.OutOf(t.read, "y_data"))
	t.read.In("y_ready", m.OutOf(gear, "x_ready"))
	t.chip.In("row_valid", m.OutOf(gear, "y_valid")).In("row_data", m.OutOf(gear, "y_data"))
	gear.In("y_ready", m.OutOf(t.chip, "row_ready"))
}
