package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"ohmloom/gen/config"
	"ohmloom/gen/lower"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/gates"
	"ohmloom/ir/pass"
	"ohmloom/rtl"
	"ohmloom/verify/synth"
)

// synthesised is a module as counted and as mapped.
type synthesised struct {
	name             string
	instances        int
	count            gates.Count
	gates, flipFlops float64 // of the netlist
}

// weight is what the module matters: its share of the area of its design.
func (s synthesised) weight() float64 { return float64(s.instances) * s.gates }

// counted are the designs that the weights of package gates come from: whole chips of both decode
// modes and an engine at the size of PIM-LLM's, and blocks of other sizes.
func counted(ctx context.Context, folder string) ([]*ir.Design, error) {
	var list []*ir.Design
	for _, d := range []struct{ file, decode string }{{"nano", "spread"}, {"attention_paper", "spread"}, {"nano", "column"}} {
		c, diags := config.Load(ctx, filepath.Join(folder, "examples", d.file+".hcl"), config.Options{Vars: map[string]string{"decode": d.decode}})
		if c == nil {
			return nil, fmt.Errorf("%s", diags)
		}
		t, err := lower.Chip(c)
		if err != nil {
			return nil, err
		}
		list = append(list, t.Design)
	}
	for _, b := range smallBlocks {
		list = append(list, pass.Run(ir.NewDesign(b.Build(hw.NewLib(nil))), pass.Default...))
	}
	return list, nil
}

// smallBlocks are of sizes that the designs do not have.
var smallBlocks = []hw.Block{
	hw.Switch{Lanes: 4, Width: 16, Depth: 8, Buffers: 5, Writers: 4, Offsets: []int{0, 0, 0, 1, 2}},
	hw.ShiftAdd{Crossbar: hw.Crossbar{Rows: 32, Cols: 24, Share: 4, Active: 16, Bits: 6, Step: hw.StepClip}},
	hw.Gearbox{In: 8, Out: 12, InLength: 24, OutLength: 24, Width: 8},
	hw.OutputHead{D: 48, Lanes: 8, Rows: 40, Ahead: 8},
	hw.VectorUnit{D: 48, Lanes: 4, K: 222, Shift: 16, EmbShift: 2, Slots: 1},
	hw.Sampler{Tokens: 300},
	hw.Fifo{Depth: 20, Lanes: 4, Width: 8},
}

// synthesise maps the modules of designs, each once.
func (b *bench) synthesise(ctx context.Context, designs []*ir.Design) ([]synthesised, error) {
	var list []synthesised
	seen := map[string]bool{}
	for _, d := range designs {
		out, err := rtl.Emit(d, rtl.Options{})
		if err != nil {
			return nil, err
		}
		text, module := map[string]string{}, map[string]*ir.Module{}
		for _, m := range d.Modules {
			if module[m.Name] = m; m.Macro == nil {
				if f := out.File("rtl/" + m.Name + ".v"); f != nil {
					text[m.Name] = string(f.Data)
				}
			}
		}
		area, err := synth.Of(ctx, d, text, b.options)
		if err != nil {
			return nil, err
		}
		for _, a := range area.Modules {
			if a.Kind != "cell" || a.AreaUm2 == 0 || seen[a.Name] {
				continue
			}
			seen[a.Name] = true
			list = append(list, synthesised{a.Name, a.Instances, gates.Of(module[a.Name]), a.AreaUm2 / b.options.Liberty.NAND2Um2, float64(a.FlipFlops)})
		}
	}
	slices.SortStableFunc(list, func(x, y synthesised) int { return int(y.weight() - x.weight()) })
	return list, nil
}

// start is what the fit begins with and is drawn to where modules do not tell kinds apart: full
// adders of 5 to 6 gates, a flip-flop of 5, a choice of 1.5.
var start = gates.Count{5, 0.8, 0.3, 6, 1, 6.5, 4, 0.8, 1.4, 1, 1.3, 1, 2, 1, 0.2}

// fit gives the weights, at least 0.1, with the least squares of relative errors, weighed by area.
func fit(list []synthesised) gates.Count {
	const pull, rounds = 0.02, 3000
	most := 0.0
	for _, s := range list {
		most = max(most, s.weight())
	}
	w := start
	for range rounds { // one weight after the other
		for k := range w {
			num, den := pull/start[k], pull/(start[k]*start[k])
			for _, s := range list {
				if part := s.count[k] / s.gates; part != 0 {
					rest := 1 + part*w[k]
					for j, n := range s.count {
						rest -= n * w[j] / s.gates
					}
					num += s.weight() / most * part * rest
					den += s.weight() / most * part * part
				}
			}
			w[k] = max(0.1, num/den)
		}
	}
	for k := range w {
		w[k] = math.Round(100*w[k]) / 100
	}
	return w
}

// printGates prints the weights as package gates has them, and how near they are.
func printGates(ctx context.Context, b *bench, folder string) error {
	designs, err := counted(ctx, folder)
	if err != nil {
		return err
	}
	list, err := b.synthesise(ctx, designs)
	if err != nil {
		return err
	}
	w := fit(list)
	fmt.Printf("\nGate equivalents of operations, fitted to %d modules mapped by %s:\n\n", len(list), b.yosys)
	for k, v := range w {
		fmt.Printf("%s %g\n", gates.Names[k], v)
	}
	fmt.Println("\n| module | instances | gates of the netlist | counted | | flip-flops | counted |\n|---|---|---|---|---|---|---|")
	var netlist, sum float64
	for _, s := range list {
		n := s.count.Weighed(w)
		netlist, sum = netlist+s.weight(), sum+float64(s.instances)*n
		fmt.Printf("| %s | %d | %.0f | %.0f | %+.0f %% | %.0f | %.0f |\n", s.name, s.instances, s.gates, n, 100*(n/s.gates-1), s.flipFlops, s.count.FlipFlops())
	}
	fmt.Printf("\nall: %+.1f %%\n", 100*(sum/netlist-1))
	return nil
}
