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
	t.known(PEControl, op.kind, "codes of controlled PEs", codes, e.PEControl, "energy.pe_control")
	if sums := pairs * float64(x.Cols); !t.known(Network, op.kind, "sums through the routers", sums, e.Router, "energy.router") {
		t.spend(Network, op.kind, "sums of the column blocks", sums, 32, e.LinkBit, "energy.link_bit")
		t.spend(Network, op.kind, "additions of row blocks", sums, 1, e.Add, "energy.add")
	}
	if !t.known(Network, op.kind, "inputs handed to the PEs", float64(s.K), e.BankControl, "energy.bank_control") {
		t.spend(Network, op.kind, "inputs to the row blocks", float64(s.K), 8, e.LinkBit, "energy.link_bit")
	}
	t.known(Network, op.kind, "results through the switch", outs, e.Switch, "energy.switch")
	t.spend(Buffers, op.kind, "inputs written and read", 2*float64(s.K), 8, e.SRAMBit, "energy.sram_bit")
	t.spend(Buffers, op.kind, "results written and read", 2*outs, 16, e.SRAMBit, "energy.sram_bit")
	if !t.known(Vector, op.kind, "results behind the bank", outs, e.Post, "energy.post") {
		t.spend(Vector, op.kind, "requantised", outs, 1, e.Multiply, "energy.multiply")
	}
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
	if !t.known(Softmax, kind, "scores", scores, e.Softmax, "energy.softmax") {
		t.spend(Softmax, kind, "comparison, difference and sum of scores", 3*scores, 1, e.Add, "energy.add")
	}
	t.spend(Softmax, kind, "weights written and read", 2*scores, 8, e.SRAMBit, "energy.sram_bit")
	if !t.known(Softmax, kind, "outputs divided", outs, e.Normalise, "energy.normalise") {
		t.spend(Softmax, kind, "outputs normalised", outs, 1, e.Multiply, "energy.multiply")
	}
	t.known(Network, kind, "outputs through the switch", outs, e.Switch, "energy.switch")
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
	if !t.known(Vector, KindNorm, "elements of the residual stream", 2*d, e.Vector, "energy.vector") {
		t.spend(Vector, KindNorm, "residual additions", 2*d, 1, e.Add, "energy.add")
		t.spend(Vector, KindNorm, "squares and scalings", 4*d, 1, e.Multiply, "energy.multiply")
	}
	t.known(Network, KindNorm, "norms through the switch", 2*d, e.Switch, "energy.switch")
	t.known(Control, KindNorm, "instructions", layerInstructions, e.Sequencer, "energy.sequencer")
	t.spend(Buffers, KindNorm, "residual read and written", 8*d, 16, e.SRAMBit, "energy.sram_bit")
}

// headEnergy is the output head of a token.
func (t *tally) headEnergy() {
	e, n := &t.Tech.Energy, float64(t.m.Vocab*t.m.DModel)
	t.spend(Array, KindHead, "multiplications", n, 1, e.MAC, "energy.mac")
	t.spend(Memory, KindHead, "embedding read", n, 8, e.LPDDRBit, "energy.lpddr_bit")
	t.known(Vector, KindHead, "elements of rows", n, e.Head, "energy.head")
	t.known(Vector, KindHead, "logits", float64(t.m.Vocab), e.Sampler, "energy.sampler")
	t.known(Control, KindHead, "instructions", headInstructions, e.Sequencer, "energy.sequencer")
}

// Instructions of a layer (two norms, four operations, attention, two additions), and of the rest.
const (
	layerInstructions = 9
	headInstructions  = 4
)

// known spends a figure that technologies may have, and tells whether this one has it.
func (t *tally) known(part, kind, what string, events float64, c arch.Quantity, name string) bool {
	if c.Kind == "" {
		return false
	}
	t.spend(part, kind, what, events, 1, c, name)
	return true
}

// always adds what does not hang on events: leakage, and the clocks of all flip-flops. The RTL has
// no clock gates, so that registers of crossbar PEs that wait are clocked too: IdleClock, which
// gates would save. A technology without figures for gates leaks in the array only.
func (t *tally) always(seconds, cycles *Quantity, pairs, chips int) error {
	e := &t.Tech.Energy
	if e.GateLeak.Kind == "" || e.FlipFlop.Kind == "" {
		pes := Given("pes", float64(t.Attention.Rows*t.Attention.Cols), "PEs", "rows x cols of the array")
		t.parts = append(t.parts, Part{Part: Leakage, Kind: "array",
			Joules: Product("joules.leakage", "J", 1e-6, pes, seconds, Constant("energy.pe_leak", e.PELeak))})
		return nil
	}
	v, err := t.inventory(t.m, t.l, pairs)
	if err != nil {
		return err
	}
	var gates, flipFlops, inPEs float64
	for _, p := range digitalParts {
		gates += v.gates[p]
		if p == ShiftAdd || p == PEControl || p == Routers {
			inPEs += v.flipFlops[p]
		} else {
			flipFlops += v.flipFlops[p]
		}
	}
	n := Given("chips", float64(chips), "chips", "that hold the model")
	t.parts = append(t.parts, Part{Part: Leakage, Kind: Logic, Joules: Product("joules.leakage", "J", 1e-6, n,
		&Quantity{Key: "gates", Value: gates, Unit: "GE", Kind: "fitted", Source: gatesSource}, seconds, Constant("energy.gate_leak", e.GateLeak))})
	working := 0.0 // share of all PEs and cycles in which they have something to do
	for _, op := range operations(t.m) {
		for _, b := range t.bounds {
			if b.Kind == op.kind {
				working += float64(t.pairsOf(op.shape)) / float64(max(t.pairs(v, pairs), 1)) / float64(chips) * b.Cycles.Value
			}
		}
	}
	clocked := func(part, kind, key, what string, flipFlops float64, cycles *Quantity) {
		t.parts = append(t.parts, Part{Part: part, Kind: kind, Joules: Product("joules."+key, "J", 1e-12, n,
			Formula("flip_flops."+key, flipFlops, "flip-flops", what), cycles, Constant("energy.flip_flop", e.FlipFlop))})
	}
	at := Formula("cycles.pes", working, "cycles", "of operations, times their share of the PEs; a layer at a time")
	idle := Formula("cycles.idle_pes", cycles.Value-working, "cycles", "all, less those of operations", cycles, at)
	clocked(Clock, Logic, "clock", "outside of crossbar PEs and routers", flipFlops, cycles)
	clocked(Clock, PEs, "clock_pes", "of crossbar PEs and routers", inPEs, at)
	clocked(IdleClock, PEs, "clock_idle", "of crossbar PEs and routers", inPEs, idle)
	return nil
}

// pairs is the crossbar pairs of a chip.
func (t *tally) pairs(v *inventory, needed int) int {
	if x := t.crossbar(); v.macros["dacs"] > 0 {
		return int(v.macros["dacs"]) / x.Rows
	}
	return needed
}
