package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/hw"
)

// token prints where the cycles of a token go on the chips of examples/nano.hcl and micro.hcl in both
// decode modes, by hw.Chip.TokenTime, which tests hold against the RTL: against its bound, against one instruction
// at a time, and who it is that a result is waited for, cycle by cycle.
func (b *bench) token() error {
	fmt.Println("cycles of a token: slowest unit, chain of dependent steps, with one instruction after another; and by the unit that is waited for")
	for _, of := range [][2]string{{"nano", "spread"}, {"nano", "column"}, {"micro", "spread"}, {"micro", "column"}} {
		file := filepath.Join("examples", of[0]+".hcl")
		c, diags := config.Load(context.Background(), file, config.Options{Vars: map[string]string{"decode": of[1]}})
		if diags.HasErrors() {
			return fmt.Errorf("%s", diags)
		}
		chip, err := compile.Shaped(c, func(_ string, out, _ int) hw.BankMatrix { return hw.BankMatrix{Weights: make([][]int8, out)} })
		if err != nil {
			return err
		}
		for _, slots := range []int{4, c.Attention.Context} {
			t, err := chip.TokenTime(slots, hw.Conditions{})
			if err != nil {
				return err
			}
			l := t.Bound
			fmt.Printf("  %-5s %s, %3d tokens: %5d cycles = %.3f x (slowest %d + chain %d); crossbars %d, array %d, memory %d; one at a time %d, overlap gains %.1f %%\n",
				of[0], of[1], slots, t.Cycles, float64(t.Cycles)/float64(l.Slowest()+l.Chain), l.Slowest(), l.Chain, l.Crossbars, l.Array, l.Memory,
				t.Serial, 100*(float64(t.Serial)/float64(t.Cycles)-1))
			fmt.Print("       ")
			for _, p := range waits(t) {
				fmt.Printf(" %s %d (%.0f %%)", p.unit, p.cycles, 100*float64(p.cycles)/float64(t.Cycles))
			}
			fmt.Println()
		}
	}
	return nil
}

// waited is the cycles in which a unit's result is waited for.
type waited struct {
	unit   string
	cycles int
}

// waits gives each cycle of a token to the unit that ends next of those that others wait for.
func waits(t hw.TokenTime) []waited {
	busy := slices.Clone(t.Busy)
	slices.SortStableFunc(busy, func(a, b hw.Busy) int { return cmp.Compare(a.To, b.To) })
	all := []waited{{"sequencer", 0}}
	now := 0
	add := func(unit string, cycles int) {
		i := slices.IndexFunc(all, func(w waited) bool { return w.unit == unit })
		if i < 0 {
			i, all = len(all), append(all, waited{unit: unit})
		}
		all[i].cycles += cycles
	}
	for _, w := range busy {
		if w.To > now {
			add(w.Unit, w.To-now)
			now = w.To
		}
	}
	add("sequencer", t.Cycles-now)
	slices.SortStableFunc(all, func(a, b waited) int { return cmp.Compare(b.cycles, a.cycles) })
	return all
}
