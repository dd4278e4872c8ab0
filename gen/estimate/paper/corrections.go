package paper

import (
	"fmt"
	"slices"
	"strings"
)

// Correction is one thing about the published figures that does not stand up.
type Correction struct {
	Name, Doc string
	Fault     bool // a fault of the calculation; otherwise another design to compare with
}

// All lists the corrections.
var All = []Correction{
	{"shapes", "the models' true shapes: d_ff = 4 d_model in GPT-2, LLaMA's third feed-forward matrix, GPT2-1.5B's own width", true},
	{"first-layer", "the first layer in the crossbars has d_model inputs, not 7168", true},
	{"attention-energy", "the array's energy for attention is charged in every layer, not in one", true},
	{"array-power", "the array takes 40.7 mW, not 4.07 mW", true},
	{"lpddr", "LPDDR4 traffic costs 4 pJ/bit: the KV cache, and in TPU-LLM the weights", true},
	{"table3", "OPT-6.7B's GOPS and GOPS/W use its own time and energy, not LLaMA-7B's", true},
	{"columns", "all columns of the array work, folds back to back, bound by LPDDR4 and 2-bit weights: a fair baseline", false},
}

// Corrections are those that are on.
type Corrections map[string]bool

// Parse reads a list of names: "all", "none", "faults" or names; "-name" takes one away. The
// empty list is "faults".
func Parse(names []string) (Corrections, error) {
	on := Corrections{}
	if len(names) == 0 {
		names = []string{"faults"}
	}
	for i, name := range names {
		bare, off := strings.CutPrefix(name, "-")
		if off && i == 0 {
			on.add("faults")
		}
		switch {
		case off && known(bare):
			delete(on, bare)
		case name == "none":
		case name == "all", name == "faults":
			on.add(name)
		case known(name):
			on[name] = true
		default:
			return nil, fmt.Errorf("unknown correction %q; allowed are %s, faults, all, none", name, strings.Join(Names(), ", "))
		}
	}
	return on, nil
}

func (c Corrections) add(which string) {
	for _, a := range All {
		if a.Fault || which == "all" {
			c[a.Name] = true
		}
	}
}

// Names lists all corrections' names.
func Names() []string {
	var names []string
	for _, a := range All {
		names = append(names, a.Name)
	}
	return names
}

func known(name string) bool { return slices.Contains(Names(), name) }
