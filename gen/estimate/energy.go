package estimate

import (
	"ohmloom/gen/arch"
	"ohmloom/hw"
)

// spend adds the energy of count events a layer, each of constant c, to a part; bits is how
// many bits an event of a figure in pJ/bit moves, 1 for others.
func (t *tally) spend(part, kind, what string, events, bits float64, c arch.Quantity, name string) *Quantity {
	n := Formula("events."+kind+"."+what, events, "", what+", a layer")
	of := []*Quantity{t.layers, n, Constant(name, c)}
	if bits != 1 {
		of = append(of, Given("bits", bits, "bit", "width"))
	}
	j := Product("joules."+kind+"."+what, "J", 1e-12, of...)
	for i := range t.parts {
		if p := &t.parts[i]; p.Part == part && p.Kind == kind {
			if p.Joules == nil {
				p.Joules = Sum("joules."+kind+"."+part, "J", j)
			} else {
				p.Joules = Sum(p.Joules.Key, "J", append(p.Joules.Of[:len(p.Joules.Of):len(p.Joules.Of)], j)...)
			}
			return j
		}
	}
	t.parts = append(t.parts, Part{Part: part, Kind: kind, Joules: Sum("joules."+kind+"."+part, "J", j)})
	return j
}

// projectEnergy is an operation of the crossbars: every pair converts all its columns for
// every bit plane and row group.
func (t *tally) projectEnergy(op operation) {
	e, x, s := &t.Tech.Energy, t.crossbar(), op.shape
	pairs := float64(t.pairsOf(s))
	pe := hw.CrossbarPE{Crossbar: x, Lanes: 1}
	steps := float64(pe.Conversions())
	codes := pairs * steps * float64(x.Converters())
	driven := pairs * steps * float64(x.Active)
	outs := 0.0
	for _, n := range s.N {
		outs += float64(n)
	}
	t.spend(ADC, op.kind, "conversions", codes, 1, e.ADC, "energy.adc")
	t.spend(Crossbar, op.kind, "driven rows", driven, 1, e.DAC, "energy.dac")
	t.spend(Crossbar, op.kind, "cells read", driven*float64(x.Cols), 1, e.Cell, "energy.cell")
	t.spend(ShiftAdd, op.kind, "codes added", codes, 1, e.ShiftAdd, "energy.shift_add")
	t.spend(Network, op.kind, "inputs to the row blocks", float64(s.K), 8, e.LinkBit, "energy.link_bit")
	t.spend(Network, op.kind, "sums of the column blocks", pairs*float64(x.Cols), 32, e.LinkBit, "energy.link_bit")
	t.spend(Network, op.kind, "additions of row blocks", pairs*float64(x.Cols), 1, e.Add, "energy.add")
	t.spend(Buffers, op.kind, "inputs written and read", 2*float64(s.K), 8, e.SRAMBit, "energy.sram_bit")
	t.spend(Buffers, op.kind, "results written and read", 2*outs, 16, e.SRAMBit, "energy.sram_bit")
	t.spend(Vector, op.kind, "requantised", outs, 1, e.Multiply, "energy.multiply")
	if op.kind == KindUp && t.m.Gated {
		n := float64(t.m.DFF)
		t.spend(Vector, op.kind, "products with the gate", n, 1, e.Multiply, "energy.multiply")
		t.spend(Buffers, op.kind, "gate written and read", 2*n, 8, e.SRAMBit, "energy.sram_bit")
	}
}

// attentionEnergy is a layer's attention of all tokens.
func (t *tally) attentionEnergy() {
	e, m := &t.Tech.Energy, t.m
	scores := float64(t.slots(func(l int) int { return m.Heads * l }))
	outs := float64(t.tokens * m.Heads * m.HeadChannels)
	kv := float64(t.slots(func(l int) int { return 2 * m.KVHeads * m.HeadChannels * l })) // bytes
	macs := 2 * scores * float64(m.HeadChannels)
	const kind = KindAttention
	t.spend(Array, kind, "multiplications", macs, 1, e.MAC, "energy.mac")
	t.spend(Softmax, kind, "comparison, difference and sum of scores", 3*scores, 1, e.Add, "energy.add")
	t.spend(Softmax, kind, "weights written and read", 2*scores, 8, e.SRAMBit, "energy.sram_bit")
	t.spend(Softmax, kind, "outputs normalised", outs, 1, e.Multiply, "energy.multiply")
	t.spend(Buffers, kind, "keys and values read on chip", macs, 8, e.SRAMBit, "energy.sram_bit")
	if t.Attention.PortBytes > 0 {
		bytes, what := kv+float64(2*t.tokens*m.KVHeads*m.HeadChannels), "keys and values read and written"
		if port := t.slots(t.engine.port); port > 0 { // whole beats, filled up where a head is narrower
			bytes, what = float64(port)*float64(t.Attention.PortBytes), "bytes over the memory port"
		}
		t.spend(Memory, kind, what, bytes, 8, e.LPDDRBit, "energy.lpddr_bit")
		t.spend(Buffers, kind, "keys and values written on chip", kv, 8, e.SRAMBit, "energy.sram_bit")
	}
}

// vectorEnergy is a layer's two additions and norms.
func (t *tally) vectorEnergy() {
	e, d := &t.Tech.Energy, float64(t.m.DModel)
	t.spend(Vector, KindNorm, "residual additions", 2*d, 1, e.Add, "energy.add")
	t.spend(Vector, KindNorm, "squares and scalings", 4*d, 1, e.Multiply, "energy.multiply")
	t.spend(Buffers, KindNorm, "residual read and written", 8*d, 16, e.SRAMBit, "energy.sram_bit")
}

// headEnergy is the output head of a token.
func (t *tally) headEnergy() {
	e, n := &t.Tech.Energy, float64(t.m.Vocab*t.m.DModel)
	t.spend(Array, KindHead, "multiplications", n, 1, e.MAC, "energy.mac")
	t.spend(Memory, KindHead, "embedding read", n, 8, e.LPDDRBit, "energy.lpddr_bit")
}

// leakage is that of the attention array over the time of the estimate.
func (t *tally) leakage(seconds *Quantity) {
	pes := Given("pes", float64(t.Attention.Rows*t.Attention.Cols), "PEs", "rows x cols of the array")
	t.parts = append(t.parts, Part{Part: Leakage, Kind: "array",
		Joules: Product("joules.leakage", "J", 1e-6, pes, seconds, Constant("energy.pe_leak", t.Tech.Energy.PELeak))})
}
