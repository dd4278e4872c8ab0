package estimate

import (
	"fmt"

	"ohmloom/gen/arch"
)

// AreaPart is the area of a part of one chip.
type AreaPart struct {
	Part      string
	Gates     float64   // gate equivalents; 0 for memories and analog parts
	FlipFlops float64   // bits of registers
	MM2       *Quantity // mm2
}

// Area is the area of one chip by part, and all of it. A described chip is what build emits;
// another one has as many banks as the model needs and what a whole chip has round them. Logic
// is counted by package gates; wires between modules, pads and clock trees are left out. A
// technology without area "gate" has none.
func (r *Result) Area() (parts []AreaPart, total *Quantity, err error) {
	a := &r.Hardware.Tech.Macros
	if a.GateUm2.Kind == "" {
		return nil, nil, fmt.Errorf("technology %q has no area of a gate; add area \"gate\" { ... } with value, unit = \"um2\", kind and source", r.Hardware.Tech.Name)
	}
	v, err := r.Hardware.inventory(r.Model, r.Context, int(r.Pairs.Value))
	if err != nil {
		return nil, nil, err
	}
	var all []*Quantity
	add := func(part string, gates, flipFlops float64, q *Quantity) {
		if q.Value > 0 {
			parts, all = append(parts, AreaPart{part, gates, flipFlops, q}), append(all, q)
		}
	}
	for _, p := range digitalParts {
		n := &Quantity{Key: "gates." + p, Value: v.gates[p], Unit: "GE", Kind: "fitted", Source: gatesSource}
		add(p, v.gates[p], v.flipFlops[p], Product("area."+p, "mm2", 1e-6, n, Constant("area.gate", a.GateUm2)))
	}
	times := func(key string, n float64, what string, c arch.Quantity) *Quantity {
		return Product("mm2."+key, "mm2", 1e-6, Formula("count."+key, n, "", what), Constant("area."+key, c))
	}
	add(SRAM, 0, 0, Sum("area.SRAM", "mm2", times("sram_bit", v.bits, "bits of the chip's memories", a.SRAMBitUm2),
		times("sram_fixed", v.srams, "memories of the chip", a.SRAMFixedUm2)))
	add(Analog, 0, 0, Sum("area.analog", "mm2", times("cell", v.macros["cells"], "cells of the chip's crossbars", a.CellUm2),
		times("adc", v.macros["converters"], "converters of the chip", a.ADCUm2), times("dac", v.macros["dacs"], "row drivers of the chip", a.DACUm2)))
	return parts, Sum("area", "mm2", all...), nil
}

// gatesSource says where counts of gates come from.
const gatesSource = "operations of the chip's modules, weighed as fitted to Yosys netlists by scripts/energy gates; chips within 5 %, modules within 50 %"
