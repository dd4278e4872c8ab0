// Command energy measures what digital parts take: it synthesises them, runs the netlists on
// what a trained model computes, counts how often each net changes, and prints the energy of an
// operation as technologies take it. Glitches, wires and the clock's buffers are left out.
//
// usage: go run ./scripts/energy, in the top folder; go run ./scripts/energy gates fits the
// weights of package gates; go run ./scripts/energy units [NAME]... runs chip nano with netlists
// of units beside it, all in some minutes; go run ./scripts/energy update writes the figures of
// parts and units into the technologies that have theirs from netlists
package main

import (
	"context"
	"fmt"
	"os"

	"ohmloom/gen/tools"
	"ohmloom/verify/cache"
	"ohmloom/verify/power"
	"ohmloom/verify/synth"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "energy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b, err := newBench(ctx, ".")
	if err != nil {
		return err
	}
	if len(os.Args) > 1 && os.Args[1] == "gates" {
		return printGates(ctx, b, ".")
	}
	if len(os.Args) > 1 && os.Args[1] == "units" {
		return printUnits(ctx, b, ".", os.Args[2:]...)
	}
	if len(os.Args) > 1 && os.Args[1] == "update" {
		return updateTechnologies(ctx, b, ".")
	}
	fmt.Printf("Energy of digital parts: %s, %g V, %s; no glitches, no wires\n\n", b.liberty, b.lib.Voltage, b.yosys)
	fmt.Println("| part | operation | operations | pJ | of it in nets | in cells | in clocks | cells | flip-flops | leakage, nW |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, p := range parts {
		m, err := p.measure(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		r, n := m.Result, float64(m.Operations)
		fmt.Printf("| %s | %s | %d | %.3g | %.0f %% | %.0f %% | %.0f %% | %d | %d | %.3g |\n", p.name, p.operation, m.Operations, 1e12*r.Dynamic()/n,
			100*r.Switching/r.Dynamic(), 100*r.Internal/r.Dynamic(), 100*r.Clock/r.Dynamic(), r.Cells, r.FlipFlops, 1e9*r.Leakage)
	}
	return nil
}

// bench is what measurements share.
type bench struct {
	lib            *power.Library
	options        synth.Options
	liberty, yosys string
	acts           *activations
}

// newBench finds tools and the model in the examples of the folder.
func newBench(ctx context.Context, folder string) (*bench, error) {
	yosys, err := tools.Find(ctx, "yosys")
	if err != nil {
		return nil, err
	}
	path, err := tools.Liberty()
	if err != nil {
		return nil, err
	}
	b := &bench{yosys: "Yosys " + yosys.Version, liberty: "osu018"}
	cells, err := synth.ReadLiberty(path)
	if err != nil {
		return nil, err
	}
	if b.lib, err = power.ReadLibrary(path); err != nil {
		return nil, err
	}
	store, err := cache.Default()
	if err != nil {
		return nil, err
	}
	b.options = synth.Options{Yosys: yosys.Path, Version: yosys.Version, Liberty: cells, Cache: store}
	b.acts, err = activate(folder + "/examples/models/")
	return b, err
}
