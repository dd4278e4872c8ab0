package main

import (
	"context"
	"fmt"
	"path/filepath"

	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/hw"
	"ohmloom/hw/isa"
)

// prompt prints what a prompt of 65 tokens takes on the chips of examples/nano.hcl and micro.hcl until
// the first token of the text, token by token and in blocks, by hw.Chip.Steps, which tests hold
// against the RTL; and how long the busiest bank works in it.
func (b *bench) prompt() error {
	const tokens = 65
	fmt.Printf("cycles of a prompt of %d tokens and the first of the text, by the tokens that go side by side\n", tokens)
	for _, of := range [][2]string{{"nano", "spread"}, {"nano", "column"}, {"micro", "spread"}, {"micro", "column"}} {
		single := 0
		for _, block := range []int{1, 2, 4, 8} {
			c, diags := config.Load(context.Background(), filepath.Join("examples", of[0]+".hcl"), config.Options{Vars: map[string]string{"decode": of[1]}})
			if diags.HasErrors() {
				return fmt.Errorf("%s", diags)
			}
			c.Sequencer.PrefillBlock, c.Sequencer.Words = block, 1024
			chip, err := compile.Shaped(c, func(_ string, out, _ int) hw.BankMatrix { return hw.BankMatrix{Weights: make([][]int8, out)} })
			if err != nil {
				return err
			}
			steps := chip.Steps(tokens, 1, hw.Conditions{})
			took := steps[len(steps)-1].Last
			if block == 1 {
				single = took
			}
			banks, busiest := make([]int, chip.Banks), 0
			for _, in := range chip.Instructions(tokens, 1) {
				if in.Kind.Op == isa.Project {
					bank := in.Value(isa.Bank)
					banks[bank] += chip.Pace(bank, in.Op).Busy
					busiest = max(busiest, banks[bank])
				}
			}
			fmt.Printf("  %-5s %-6s blocks of %d: %6d cycles, %.2f times as fast as one by one; %.2f x the bank's work of %d; %d instructions\n",
				of[0], of[1], block, took, float64(single)/float64(took), float64(took)/float64(busiest), busiest, len(chip.Program))
		}
	}
	return nil
}
