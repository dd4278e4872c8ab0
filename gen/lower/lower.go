// Package lower turns a validated description into hardware, by composing blocks of package
// hw.
package lower

import (
	"fmt"
	"math"
	"strconv"

	"ohmloom/gen/arch"
	"ohmloom/gen/mapping"
	"ohmloom/hw"
	"ohmloom/hw/device"
	"ohmloom/ir"
	"ohmloom/ir/pass"
)

// Tile is a description's hardware: the block with its three truths, and its IR.
type Tile struct {
	Block  hw.Tile
	Design *ir.Design
	Plan   *mapping.Plan // where the matrices in the banks are, or nil
	Whole  *hw.Chip      // in place of Block when the description has a sequencer
	Ports  *hw.ChipTop   // of Top: Whole behind its ports
}

// Chip builds the hardware of c. Errors are what only the composition shows, such as a chip
// named like a module inside it.
func Chip(c *arch.Chip) (*Tile, error) { return Probed(c, nil) }

// Probed is Chip with outputs probe_0, probe_1 and so on for signals inside, one for each
// path below the top module (see ir.Probe).
func Probed(c *arch.Chip, paths []string) (*Tile, error) {
	if c.Sequencer != nil {
		return whole(c, paths)
	}
	t := hw.Tile{Top: c.Name}
	if p := c.PIM; p != nil {
		if t.Banks = Banks(p); t.Banks == nil {
			t.PIM = &hw.PIM{RowBlocks: p.RowBlocks, ColBlocks: p.ColBlocks, Lanes: p.Lanes, Crossbar: Crossbar(p.Crossbar)}
		}
	}
	if a := c.Attention; a != nil {
		if t.Attention = Engine(a); t.Attention == nil {
			if a.Dataflow == arch.WeightStationary || a.Dataflow == arch.InputStationary {
				t.Stationary = &hw.AccumulatedArray{Rows: a.Rows, Cols: a.Cols, Depth: a.MaxK}
			} else {
				t.Array = &hw.Array{Rows: a.Rows, Cols: a.Cols}
			}
		}
	}
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Pos, err)
	}
	lib := hw.NewLib(at(c.Pos))
	if t.PIM != nil { // built first, so that each half carries its own place in the description
		t.PIM.Build(lib.At(at(c.PIM.Pos)))
	}
	if t.Banks != nil {
		t.Banks[0].Build(lib.At(at(c.PIM.Pos)))
	}
	if t.Array != nil {
		t.Array.Build(lib.At(at(c.Attention.Pos)))
	}
	if t.Stationary != nil {
		t.Stationary.Build(lib.At(at(c.Attention.Pos)))
	}
	if t.Attention != nil {
		t.Attention.Build(lib.At(at(c.Attention.Pos)))
	}
	d, err := design(c, t.Build(lib), paths)
	if err != nil {
		return nil, err
	}
	return &Tile{Block: t, Design: d}, nil
}

// design is the design of a top module with probes, checked and with the areas of its macros.
func design(c *arch.Chip, top *ir.Module, paths []string) (*ir.Design, error) {
	d := ir.NewDesign(top)
	if m := hides(d); m != nil {
		return nil, fmt.Errorf("%s: chip is named %q, as is a port of module %s inside it; choose another name", c.Pos, c.Name, m.Name)
	}
	if len(paths) > 0 {
		d = ir.Probe(d, paths)
	}
	ir.MustCheck(d)
	d = pass.Run(d, pass.Default...)
	for _, m := range d.Modules {
		if m.Macro != nil {
			m.Macro.AreaUm2 = macroArea(m.Macro, c.Technology.Macros)
		}
	}
	return d, nil
}

// Crossbar is one of a description, without weights.
func Crossbar(x arch.Crossbar) hw.Crossbar {
	c := hw.Crossbar{Rows: x.Rows, Cols: x.Cols, Share: x.ADC.Share, Active: x.ADC.Rows, Bits: x.ADC.Bits, Step: x.ADC.Step, Effects: x.Effects}
	if w := x.Write; w != nil {
		c.Writable, c.Pulses, c.Yield = true, w.Pulses, w.Yield
		c.Tolerance = int(math.Round(w.Tolerance * (1 << device.CellFrac)))
	}
	return c
}

// Engine is the attention engine of a description with zeros in its tables of biases and of
// ConSmax's constants,
// or nil when it asks for a bare array.
func Engine(a *arch.Attention) hw.AttentionEngine {
	switch a.Decode {
	case arch.Column:
		return hw.AttentionColumn{Rows: a.Rows, Cols: a.Cols, Heads: a.Heads, KVHeads: a.KVHeads, HeadChannels: a.HeadChannels,
			Context: a.Context, Layers: a.Layers, ConSmax: a.Softmax == arch.ConSmax}
	case arch.Spread:
		b := hw.Spread{Rows: a.Rows, Cols: a.Cols, Heads: a.Heads, KVHeads: a.KVHeads, HeadChannels: a.HeadChannels,
			Context: a.Context, Layers: a.Layers, Biased: a.Biased, Lanes: a.Lanes, Ahead: a.Ahead, Port: a.PortBytes / a.Rows,
			ConSmax: a.Softmax == arch.ConSmax}
		if a.Engines <= 1 {
			return b
		}
		side, err := hw.NewSpreadSide(a.Engines, b)
		if err != nil {
			panic("lower: " + err.Error()) // config has found all that do not divide
		}
		return side
	}
	return nil
}

// hides finds a module with a port of the top module's name: in a simulation the instance of
// the top is in scope everywhere, and Verilator refuses names that hide it. The names "clk"
// and "rst" are those of the implicit ports.
func hides(d *ir.Design) *ir.Module {
	for _, m := range d.Modules {
		if m.Stateful() && (d.Top.Name == "clk" || d.Top.Name == "rst") {
			return m
		}
		for _, p := range m.Ports {
			if p.Name == d.Top.Name {
				return m
			}
		}
	}
	return nil
}

func at(p arch.Pos) *ir.Loc { return &ir.Loc{File: p.File, Line: p.Line, Col: p.Col} }

// macroArea is the area of one macro, um2: counts the macro states times the technology's
// figures. Wiring and control inside the macro are left out.
func macroArea(m *ir.Macro, t arch.MacroArea) float64 {
	count := func(key string) float64 {
		for _, a := range m.Attrs {
			if a.Key == key {
				n, err := strconv.Atoi(a.Value)
				if err != nil {
					panic(fmt.Sprintf("lower: macro attribute %s is %q", key, a.Value))
				}
				return float64(n)
			}
		}
		panic(fmt.Sprintf("lower: macro of kind %s does not state %s", m.Kind, key))
	}
	switch m.Kind {
	case "crossbar":
		return count("cells")*t.CellUm2.Value + count("dacs")*t.DACUm2.Value + count("converters")*t.ADCUm2.Value
	case "sram":
		return t.SRAMFixedUm2.Value + count("bits")*t.SRAMBitUm2.Value
	}
	panic("lower: no area model for macros of kind " + m.Kind)
}
