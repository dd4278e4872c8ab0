package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// text lets the chips of examples/nano.hcl and micro.hcl write, every token compared: how long
// Verilator's model takes to build with an empty cache, tokens a second of wall time once
// everything is built, prompt included, and what another prompt and seed cost.
func (b *bench) text() error {
	for _, chip := range []struct {
		name    string
		engines []string
	}{{"nano", []string{"verilated", "gosim", "interp"}}, {"micro", []string{"verilated", "gosim"}}} {
		file := filepath.Join("examples", chip.name+".hcl")
		env := []string{"OHMLOOM_CACHE=" + filepath.Join(b.tmp, "text-"+chip.name)}
		cold, _, err := b.run(env, "run", "-q", "--tokens", "1", file)
		if err != nil {
			return err
		}
		again, _, err := b.run(env, "run", "-q", "--tokens", "1", "--prompt", "JULIET:", "--temperature", "0.8", "--seed", "5", file)
		if err != nil {
			return err
		}
		fmt.Printf("text on the chip of %s: first token %.1f s after an empty cache, %.2f s with another prompt and seed\n", file, cold.Seconds(), again.Seconds())
		for _, engine := range chip.engines {
			var times []time.Duration
			var r struct {
				Tokens []int   `json:"tokens"`
				Rate   float64 `json:"tokens_per_s"`
				Wall   float64 `json:"wall_s"`
			}
			for range min(b.rounds, 3) {
				cmd := exec.Command(b.program, "run", "--json", "--tokens", "32", "--engine", engine, file)
				cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
				out, err := cmd.Output()
				if err != nil {
					return fmt.Errorf("%v: %w", cmd.Args, err)
				}
				if err := json.Unmarshal(out, &r); err != nil {
					return fmt.Errorf("%v: %w", cmd.Args, err)
				}
				times = append(times, time.Duration(r.Wall*float64(time.Second)))
			}
			fmt.Printf("  %-10s %3d tokens in %6.2f s (median): %7.2f tokens/s; the chip writes %.4g tokens/s at its clock\n",
				engine, len(r.Tokens), median(times).Seconds(), float64(len(r.Tokens))/median(times).Seconds(), r.Rate)
		}
	}
	return nil
}
