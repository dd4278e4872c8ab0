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

// routers is how many stand round the central router of a tile.
func (b Bank) routers() int { return ceilDiv(b.PEs, routed) }

func (b Bank) portTypes() map[string]ir.Type {
	return map[string]ir.Type{"beat_valid": ir.Bits(1), "beat_block": ir.Bits(ir.ClogTwo(b.Blocks)), "beat_data": ir.Vec(b.beat(), 8),
		"read_valid": ir.Bits(1), "read_col": ir.Bits(ir.ClogTwo(b.Reads)), "read_sub": ir.Bits(ir.ClogTwo(b.subs())), "read_pop": ir.Bits(1)}
}

var portDocs = map[string]string{
	"beat_valid": "a beat of the vector", "beat_block": "row block it belongs to", "beat_data": "int8 elements",
	"read_valid": "sums are read", "read_col": "column block to read", "read_sub": "which of a step's sums", "read_pop": "1 in the last read of a step",
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
		sums := m.OutOf(pe, "y_acc").Trunc(b.peBits())
		if spare := b.subs()*b.width() - sums.Type.N; spare > 0 {
			sums = sums.Join(m.K(b.peBits(), 0).Splat(spare))
		}
		m.Out("sum", read.Mux(chunk(sums, sub, b.width()), m.K(b.peBits(), 0).Splat(b.width())), "sums in cells")
	})
}
