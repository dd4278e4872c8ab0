package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/gen/lower"
	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/verify/drive"
	"ohmloom/verify/host"
	"ohmloom/verify/interp"
	"ohmloom/verify/power"
)

// unit is an instance of chip nano that is measured while the chip writes.
type unit struct {
	name, path string
	energy     string // the technology's figure that it gives, or its share of one
	operation  string
	events     func(c *model.Config, context int) int // of a token
	less       string                                 // name of a unit inside it, which has a figure of its own
	early      bool                                   // it has state from before the first token; others settle within one
}

// units are measured without their clocks, for which technologies have a figure of their own.
var units = []unit{
	{"switch", "u_switch", "switch", "int16 written into a buffer, and read", func(c *model.Config, _ int) int { return c.NLayers*(8*c.DModel+c.DFF) + c.DModel }, "", false},
	{"softmax", "u_attention.u_softmax", "softmax", "score", func(c *model.Config, l int) int { return c.NLayers * c.NHeads * l }, "", false},
	{"normalisation of attention", "u_attention.u_normalise", "normalise", "output", func(c *model.Config, _ int) int { return c.NLayers * c.NHeads * c.HeadChannels }, "", false},
	{"router of 4 PEs", "u_bank0.tile[0].router[0]", "router", "sum", func(*model.Config, int) int { return 4 * 64 }, "", false},
	{"router of a tile", "u_bank0.tile[0].u_central", "router", "sum", func(*model.Config, int) int { return 12 * 64 }, "", false},
	{"control of a bank", "u_bank0.u_control", "bank_control", "element distributed", distributed, "", true},
	{"post-processing", "u_bank0.u_post", "post", "result", func(c *model.Config, _ int) int { return c.NLayers * (5*c.DModel + c.DFF) }, "", false},
	{"shift-add of a PE", "u_bank0.tile[0].pe[0].u_pe.u_add", "shift_add", "code", codes, "", false},
	{"PE without crossbar", "u_bank0.tile[0].pe[0].u_pe", "pe_control", "code", codes, "shift-add of a PE", false},
	{"vector unit", "u_vector_unit", "vector", "element of a norm and an addition", func(c *model.Config, _ int) int { return (2*c.NLayers + 1) * c.DModel }, "", false},
	{"output head", "u_output_head", "head", "element of a row", func(c *model.Config, _ int) int { return c.VocabSize * c.DModel }, "", true},
	{"sampler", "u_sampler", "sampler", "logit", func(c *model.Config, _ int) int { return c.VocabSize }, "", true},
	{"sequencer", "u_sequencer", "sequencer", "instruction", func(c *model.Config, _ int) int { return 9*c.NLayers + 4 }, "", true},
}

// distributed is the elements of the vectors that a token's operations take.
func distributed(c *model.Config, _ int) int { return c.NLayers * (3*c.DModel + c.DFF) }

// codes is what the converters of a PE of 64 columns give for a vector of 8 bit planes.
func codes(*model.Config, int) int { return 8 * 64 }

const (
	unitPowerOn = 3  // seed of power-on values, one with which the end of a run is not 0; softmax and sampler move by 7 % with it, others by less than 1 %
	unitBefore  = 1  // tokens of the prompt of the run before, and that it writes
	unitPrompt  = 48 // tokens that the chip has read before it writes
	unitSkip    = 2  // tokens that are not measured: what holds power-on values has been written then
	unitTokens  = 2  // tokens that are
)

// measuredUnit is a unit and what it took.
type measuredUnit struct {
	unit
	power.Result
	Events int
	Wrong  int
}

// joules is its dynamic energy without clocks, of an event.
func (m *measuredUnit) joules() float64 { return (m.Switching + m.Internal) / float64(m.Events) }

// measureUnits runs chip nano on held-out text with the netlists of units beside it.
func measureUnits(ctx context.Context, b *bench, folder string, names ...string) ([]*measuredUnit, error) {
	c, diags := config.Load(ctx, filepath.Join(folder, "examples", "nano.hcl"), config.Options{})
	if c == nil {
		return nil, fmt.Errorf("%s", diags)
	}
	m, err := model.Open(filepath.Join(folder, "examples", "models", "nano.safetensors"))
	if err != nil {
		return nil, err
	}
	p, err := compile.Compile(c, m)
	if err != nil {
		return nil, err
	}
	plain, err := lower.Chip(c)
	if err != nil {
		return nil, err
	}
	var list []*measuredUnit
	var meters []*power.Unit
	var paths []string
	for _, u := range units {
		if len(names) > 0 && !slices.Contains(names, u.name) {
			continue
		}
		meter, err := power.NewUnit(ctx, plain.Design, u.path, b.lib, b.options)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u.name, err)
		}
		list, meters, paths = append(list, &measuredUnit{unit: u}), append(meters, meter), append(paths, meter.Probes()...)
	}
	tile, err := lower.Probed(c, paths)
	if err != nil {
		return nil, err
	}
	e, err := interp.New(tile.Design)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if err := e.Power(unitPowerOn, p.Chip.Image(tile.Design.Top.Name)); err != nil {
		return nil, err
	}
	h, err := host.New(e, tile.Design.Top, func(row int) []drive.Beat { return p.Row(row) })
	if err != nil {
		return nil, err
	}
	written := 0
	ports := make([]string, len(paths))
	for i := range ports {
		ports[i] = fmt.Sprintf("probe_%d", i)
	}
	h.Observe = func(_ int, output func(string) []uint64) error {
		at := 0
		for k, u := range meters {
			from := at
			if list[k].early || written > 0 {
				u.Cycle(func(i int) []uint64 { return output(ports[from+i]) })
			}
			at += len(u.Probes())
		}
		return nil
	}
	text, err := heldOut(folder + "/examples/models/")
	if err != nil {
		return nil, err
	}
	prompt, err := m.Encode(text)
	if err != nil {
		return nil, err
	}
	run := func(prompt []int, tokens int, wrote func(host.Token) error) error {
		end, err := h.Run(ctx, p.Command(compile.Command{Tokens: tokens}), prompt, wrote)
		if err == nil && end.Code != hw.RunEnded {
			err = fmt.Errorf("the chip ended with code %d", end.Code)
		}
		return err
	}
	// How a run ended is a register of the sequencer that nothing but the end of a run writes, while
	// stream done shows it always. At power-on it is anything in the RTL and 0 in the netlist.
	if err := run(prompt[:unitBefore], unitBefore, func(host.Token) error { return nil }); err != nil {
		return nil, err
	}
	err = run(prompt[:unitPrompt], unitSkip+unitTokens, func(host.Token) error {
		if written++; written == unitSkip {
			for _, u := range meters {
				u.Forget()
			}
		}
		if written > unitSkip {
			for i := range list {
				list[i].Events += list[i].events(&m.Config, unitPrompt+written-1)
			}
		}
		if written == unitSkip+unitTokens {
			for i, u := range meters {
				list[i].Result, list[i].Wrong = u.Circuit.Result(), u.Wrong
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, x := range list { // what has a figure of its own is taken away
		for _, y := range list {
			if x.less == y.name {
				x.Switching, x.Internal, x.Clock = x.Switching-y.Switching, x.Internal-y.Internal, x.Clock-y.Clock
				x.FlipFlops, x.Cells, x.Leakage = x.FlipFlops-y.FlipFlops, x.Cells-y.Cells, x.Leakage-y.Leakage
			}
		}
	}
	return list, nil
}

// printUnits prints what the units of these names take, or all.
func printUnits(ctx context.Context, b *bench, folder string, names ...string) error {
	list, err := measureUnits(ctx, b, folder, names...)
	if err != nil {
		return err
	}
	fmt.Printf("\nUnits of chip nano, %d tokens at context %d: %s, %g V; without clocks, glitches and wires\n\n", unitTokens, unitPrompt+unitSkip, b.liberty, b.lib.Voltage)
	fmt.Println("| unit | event | events | pJ | cycles | flip-flops | clock, pJ a flip-flop and cycle | cells | leakage, nW | outputs unlike the RTL's |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, m := range list {
		fmt.Printf("| %s | %s | %d | %.4g | %d | %d | %.4g | %d | %.4g | %d |\n", m.name, m.operation, m.Events, 1e12*m.joules(), m.Cycles, m.FlipFlops,
			1e12*m.Clock/float64(m.Cycles)/float64(max(m.FlipFlops, 1)), m.Cells, 1e9*m.Leakage, m.Wrong)
	}
	return nil
}
