package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
)

// comparison is what area --compare --json gives of two engines.
type comparison struct {
	Gates      float64 `json:"gate_equivalents"`
	Comparison struct {
		Other struct {
			Gates float64 `json:"gate_equivalents"`
		} `json:"other"`
		Parts []struct {
			Part  string  `json:"part"`
			This  partSum `json:"this"`
			Other partSum `json:"other"`
		} `json:"parts"`
		Extra       float64 `json:"extra_logic_percent_of_array"`
		Beside      float64 `json:"logic_beside_array_percent"`
		OtherBeside float64 `json:"other_logic_beside_array_percent"`
	} `json:"comparison"`
}

type partSum struct {
	Gates     float64 `json:"gate_equivalents"`
	MacroUm2  float64 `json:"macro_um2"`
	LongestNS float64 `json:"longest_path_ns"`
}

// attentionArea sets the area and the critical paths of both engines at 32x32 side by side.
func (b *bench) attentionArea() error {
	args := []string{"area", "-q", "--json", "--timing", "--compare", "decode=column", "examples/attention_paper.hcl"}
	out, err := exec.Command(b.program, args...).Output()
	if err != nil {
		return fmt.Errorf("%s %v: %w", b.program, args, err)
	}
	var c comparison
	if err := json.Unmarshal(out, &c); err != nil {
		return fmt.Errorf("%s %v: %w", b.program, args, err)
	}
	fmt.Printf("\narea of examples/attention_paper.hcl, logic in gate equivalents (Yosys), memories in um2 (area model), longest path within modules in ns (OpenSTA)\n\n")
	fmt.Println("| part | column | spread | column, path | spread, path |")
	fmt.Println("|---|---|---|---|---|")
	for _, p := range c.Comparison.Parts {
		this, other, unit := p.This.Gates, p.Other.Gates, ""
		if this == 0 {
			this, other, unit = p.This.MacroUm2, p.Other.MacroUm2, " um2"
		}
		fmt.Printf("| %s | %.0f%s | %.0f%s | %s | %s |\n", p.Part, other, unit, this, unit, ns(p.Other.LongestNS), ns(p.This.LongestNS))
	}
	fmt.Printf("| all logic | %.0f | %.0f | | |\n", c.Comparison.Other.Gates, c.Gates)
	fmt.Printf("| logic beside the array, over the array | %.1f %% | %.1f %% | | |\n", c.Comparison.OtherBeside, c.Comparison.Beside)
	fmt.Printf("\nspread against column: %+.1f %% of the column engine's array (goal: at most 15 %%)\n", c.Comparison.Extra)
	return nil
}

// ns is a time, or nothing.
func ns(t float64) string {
	if t == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", t)
}
