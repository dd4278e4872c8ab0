package hw

import (
	"fmt"

	"ohmloom/ir"
)

// tilePorts are the controller's outputs that pass through every tile: beats of a vector with
// the row block they belong to, and reads of a column block.
var tilePorts = []string{"beat_valid", "beat_block", "beat_data", "read_valid", "read_col", "read_sub", "read_pop"}

// routed is how many PEs stand round a router.
const routed = 4

// tile is one tile of the bank: an input buffer of one beat, an input distributor, PEs in
// groups of four round routers, a central router and an output buffer of one beat. Nothing
// waits in a tile, which is why its buffers hold one beat: vectors stand in the registers of
// the PEs, results in the bank's output buffer.
//
// Beats and reads come from the west and leave east a cycle later. The distributor's table
// says which PEs take part in a row block, the routers' which in a column block. The sums of a
// read meet those that come from the west in the central router: port sum two cycles after the
// read's own ports, port sum_east in the cycle after.
func (b Bank) tile(lib *Lib) *ir.Module {
	name := fmt.Sprintf("pim_tile_%s_w%d", b.suffix(), b.accBits())
	doc := fmt.Sprintf("PIM tile: %d PEs round %d routers and a central router. Sums leave 3 cycles after the read.", b.PEs, b.routers())
	return lib.module("pim_tile", name, doc, func(m *ir.Module) {
		port := map[string]*ir.Node{}
		held := map[string]*ir.Node{}
		for _, p := range tilePorts {
			port[p] = m.In(p, b.portTypes()[p], portDocs[p])
		}
		for _, p := range tilePorts {
			t := b.portTypes()[p]
			switch p {
			case "beat_valid", "read_valid":
				held[p] = m.Reg(p+"_held", t, 0).Set(port[p])
			case "beat_block", "beat_data":
				held[p] = m.DataReg(p+"_held", t).SetEn(port["beat_valid"], port[p])
			default:
				held[p] = m.DataReg(p+"_held", t).SetEn(port["read_valid"], port[p])
			}
			m.Out(p+"_east", held[p], portDocs[p]+", to the next tile")
		}
		blocks := m.Instance("u_distributor", table(lib, b.Blocks, b.PEs)).In("re", port["beat_valid"]).In("raddr", port["beat_block"])
		columns := m.Instance("u_routes", table(lib, b.Reads, b.PEs)).In("re", port["read_valid"]).In("raddr", port["read_col"])
		mask := func(table *ir.Inst, valid *ir.Node) *ir.Node {
			return m.OutOf(table, "rdata").Cast(ir.Vec(b.PEs, 1)).And(valid)
		}

		pes := m.Array("pe", b.bankPE(lib), 1, b.PEs).
			Each("x_valid", mask(blocks, held["beat_valid"])).In("x_data", held["beat_data"]).
			Each("read", mask(columns, held["read_valid"])).In("sub", held["read_sub"]).In("pop", held["read_pop"])
		if b.Crossbar.Writable {
			b.tileWrite(m, pes)
		}
		sums := m.OutOf(pes, "sum")
		if spare := b.routers()*routed - b.PEs; spare > 0 {
			sums = sums.Join(m.K(b.peBits(), 0).Splat(spare * b.width()))
		}
		routers := m.Array("router", router(lib, routed, b.width(), b.peBits(), b.peBits()+2), 1, b.routers()).
			In("valid", held["read_valid"]).Each("in", sums)
		late := m.Reg("routed", ir.Bits(1), 0).Set(held["read_valid"])
		parts := m.OutOf(routers, "out").SExt(max(b.peBits()+2, b.accBits())).Trunc(b.accBits())
		west := m.In("sum", ir.Vec(b.width(), b.accBits()), "sums of the tiles to the west")
		central := m.Instance("u_central", router(lib, b.routers()+1, b.width(), b.accBits(), b.accBits())).
			In("valid", late).In("in", west.Join(parts))
		m.Out("sum_east", m.OutOf(central, "out"), "sums of the tiles up to this one")
	})
}

// tileWrite passes pulses on to the next tile and gives those for this one to their PE. Verdicts
// leave east 2 cycles after the pulse's own ports, with what comes from the west.
func (b Bank) tileWrite(m *ir.Module, pes *ir.Inst) {
	types, held := b.writeTypes(), map[string]*ir.Node{}
	valid := m.In("w_valid", types["w_valid"], portDocs["w_valid"])
	held["w_valid"] = m.Reg("w_valid_held", types["w_valid"], 0).Set(valid)
	for _, p := range writePorts[1:] {
		held[p] = m.DataReg(p+"_held", types[p]).SetEn(valid, m.In(p, types[p], portDocs[p]))
	}
	here := held["w_hops"].EqK(0).Named("w_here")
	for _, p := range writePorts {
		n := held[p]
		switch p {
		case "w_valid":
			n = n.And(here.Not())
		case "w_hops":
			n = n.AddK(-1)
		}
		m.Out(p+"_east", n, portDocs[p]+", to the next tile")
	}
	pes.Each("p_valid", oneHot(held["w_pe"], b.PEs).And(held["w_valid"]).And(here))
	for _, f := range []string{"verify", "step", "row", "pos", "neg", "pulse"} {
		pes.In("p_"+f, held["w_"+f])
	}
	a := b.Crossbar.Converters()
	told, oks := m.OutOf(pes, "v_valid"), m.OutOf(pes, "v_ok")
	ok := m.In("w_ok", ir.Vec(a, 1), "verdicts of the tiles to the west")
	for i := range b.PEs {
		ok = ok.Or(oks.Elems(i*a, a).And(told.Elem(i)))
	}
	m.Out("w_ok_east", m.DataReg("w_ok_held", ok.Type).Set(ok), "verdicts of the tiles up to this one")
}

// routers is how many stand round the central router of a tile.
func (b Bank) routers() int { return ceilDiv(b.PEs, routed) }

func (b Bank) portTypes() map[string]ir.Type {
	return map[string]ir.Type{"beat_valid": ir.Bits(1), "beat_block": ir.Bits(ir.ClogTwo(b.Blocks)), "beat_data": ir.Vec(b.beat(), 8),
		"read_valid": ir.Bits(1), "read_col": ir.Bits(ir.ClogTwo(b.Reads)), "read_sub": ir.Bits(ir.ClogTwo(b.subs())), "read_pop": ir.Bits(1)}
}

var portDocs = map[string]string{
	"beat_valid": "a beat of the vector", "beat_block": "row block it belongs to", "beat_data": "int8 elements",
	"read_valid": "sums are read", "read_col": "column block to read", "read_sub": "which of a step's sums", "read_pop": "1 in the last read of a step",
	"w_valid": "a pulse, or a row is read back", "w_hops": "tiles to pass", "w_pe": "PE of the tile", "w_verify": "0: a pulse; 1: read back",
	"w_step": "which columns", "w_row": "row of the crossbar", "w_pos": "1: the cell of the positive half is ON",
	"w_neg": "1: the cell of the negative half is ON", "w_pulse": "number of the pulse, from 1",
}

// bankPE is a crossbar PE with its way to the router: while read is 1 it gives the sums of
// part sub of the present step, else zeros; with pop the step is done.
func (b Bank) bankPE(lib *Lib) *ir.Module {
	name := fmt.Sprintf("bank_pe_%s_l%d_w%d", b.Crossbar.suffix(), b.beat(), b.width())
	return lib.module("bank_pe", name, fmt.Sprintf("Crossbar PE that gives %d sums at a time while it is read.", b.width()), func(m *ir.Module) {
		valid, data := m.In("x_valid", ir.Bits(1), "a beat for this PE"), m.In("x_data", ir.Vec(b.beat(), 8), "int8 elements")
		read, pop := m.In("read", ir.Bits(1), "this PE is read"), m.In("pop", ir.Bits(1), "the step is done")
		sub := m.In("sub", ir.Bits(ir.ClogTwo(b.subs())), "which sums of the step")
		pe := m.Instance("u_pe", b.pe().Build(lib)).In("x_valid", valid).In("x_data", data).In("y_ready", read.And(pop))
		if b.Crossbar.Writable {
			p, v := b.Crossbar.writeStreams()
			passIn(m, pe, p, p.Name)
			passOut(m, pe, v, v.Name)
		}
		sums := m.OutOf(pe, "y_acc").Trunc(b.peBits())
		if spare := b.subs()*b.width() - sums.Type.N; spare > 0 {
			sums = sums.Join(m.K(b.peBits(), 0).Splat(spare))
		}
		m.Out("sum", read.Mux(chunk(sums, sub, b.width()), m.K(b.peBits(), 0).Splat(b.width())), "sums in cells")
	})
}
