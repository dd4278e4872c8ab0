package cli

import (
	"context"
	"fmt"
	"os"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/interp"
	"ohmloom/verify/mutate"
)

// PlantEngines adds two engines that only tests have: "broken" executes a design with a
// mistake in it; "telling" makes the file $OHMLOOM_TEST_STARTED at its first cycles.
func PlantEngines() {
	engines = append(engines,
		engine{"broken", func(_ context.Context, d *ir.Design) (verify.Engine, error) {
			for seed := uint64(1); seed < 100; seed++ {
				if m, _ := mutate.OfKind(d, "constant", seed); m != nil {
					e, err := interp.New(m)
					return renamed{e, "broken"}, err
				}
			}
			return nil, fmt.Errorf("no mistake to make in %s", d.Top.Name)
		}},
		engine{"telling", func(_ context.Context, d *ir.Design) (verify.Engine, error) {
			e, err := interp.New(d)
			return telling{renamed{e, "telling"}}, err
		}})
}

type renamed struct {
	verify.Engine
	name string
}

func (r renamed) Name() string { return r.name }

type telling struct{ renamed }

func (t telling) Run(in, out []uint64, n int) error {
	if f := os.Getenv("OHMLOOM_TEST_STARTED"); f != "" {
		if err := os.WriteFile(f, nil, 0o666); err != nil {
			return err
		}
	}
	return t.Engine.Run(in, out, n)
}
