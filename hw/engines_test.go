package hw_test

import (
	"context"
	"math/rand"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/gosim"
	"ohmloom/verify/icarus"
	"ohmloom/verify/verilated"
)

// Each kind of block on the engines that need a build: one set of parameters, without and
// with stalls.
func TestEveryEngineAgreesWithArithmeticAndTime(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a simulator for every block")
	}
	for _, engine := range []struct {
		name  string
		needs []string
		build func(context.Context, *ir.Design) (verify.Engine, error)
	}{
		{"gosim", nil, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
			return gosim.New(ctx, d, gosim.Options{})
		}},
		{"verilated", []string{"verilator", "g++"}, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
			return verilated.New(ctx, d, verilated.Options{})
		}},
		{"icarus", []string{"iverilog"}, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
			return icarus.New(ctx, d, icarus.Options{})
		}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			tools.NeedForTest(t, engine.needs...)
			for _, entry := range hw.Table {
				const seed = 23
				r := rand.New(rand.NewSource(seed))
				b := entry.Random(r)
				t.Run(b.Name(), func(t *testing.T) {
					build := func(d *ir.Design) (verify.Engine, error) { return engine.build(t.Context(), d) }
					m, e := start(t, b, seed, build)
					holdOn(t, b, m, e, entry.Work(r, b, true), seed, 0)
					if _, ok := b.(hw.WritablePE); ok {
						m, e = start(t, b, seed, build) // what is written stays written
					}
					holdOn(t, b, m, e, entry.Work(r, b, false), seed, 0.4)
				})
			}
		})
	}
}
