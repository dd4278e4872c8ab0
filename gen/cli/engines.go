package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/gosim"
	"ohmloom/verify/interp"
	"ohmloom/verify/verilated"
)

// engine is a name and how to build a design for it.
type engine struct {
	name string
	open func(ctx context.Context, d *ir.Design) (verify.Engine, error)
}

// engines is the table of what can execute a design.
var engines = []engine{
	{"interp", func(_ context.Context, d *ir.Design) (verify.Engine, error) { return interp.New(d) }},
	{"gosim", func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return gosim.New(ctx, d, gosim.Options{})
	}},
	{"verilated", func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return verilated.New(ctx, d, verilated.Options{})
	}},
}

// engineNames are the names in the table's order.
func engineNames() []string {
	var names []string
	for _, e := range engines {
		names = append(names, e.name)
	}
	return names
}

// checkEngines refuses names that are not in the table.
func checkEngines(names []string) error {
	for _, n := range names {
		if !slices.Contains(engineNames(), n) {
			return usage("--engine %q: allowed are %s", n, strings.Join(engineNames(), ", "))
		}
	}
	return nil
}

// openEngines builds d for all named engines, side by side. The caller closes them.
func openEngines(ctx context.Context, d *ir.Design, names []string) ([]verify.Engine, error) {
	opened := make([]verify.Engine, len(names))
	g, gctx := errgroup.WithContext(ctx)
	for i, name := range names {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			for _, e := range engines {
				if e.name == name {
					eng, err := e.open(ctx, d) // not gctx: an engine lives on after the group
					if err != nil {
						return err // and no eng, which is a nil pointer in an interface
					}
					opened[i] = eng
					return nil
				}
			}
			panic(fmt.Sprintf("cli: no engine %q", name))
		})
	}
	if err := g.Wait(); err != nil {
		closeEngines(opened)
		return nil, err
	}
	return opened, nil
}

func closeEngines(list []verify.Engine) {
	for _, e := range list {
		if e != nil {
			e.Close()
		}
	}
}
