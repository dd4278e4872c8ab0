package cosim

import (
	"fmt"
	"strings"
)

// String is the report for people.
func (r *Result) String() string {
	var b strings.Builder
	verdict := "agree"
	if !r.Passed {
		verdict = "DIFFER"
	}
	fmt.Fprintf(&b, "%s: %s %s over %d cycles (%s stimulus, seed %#x, power-on seed %#x)\n",
		r.Design, strings.Join(r.Engines, ", "), verdict, r.Cycles, r.Stimulus, r.Seed, r.Power)
	c := r.Coverage
	resets := "resets"
	if c.Resets == 1 {
		resets = "reset"
	}
	fmt.Fprintf(&b, "  %d of %d output bits and %d of %d sign bits toggled, %d %s\n",
		c.ToggledBits, c.OutputBits, c.ToggledSign, c.SignBits, c.Resets, resets)
	if c.StillCount > 0 {
		more := ""
		if c.StillCount > len(c.Still) {
			more = fmt.Sprintf(" and %d more", c.StillCount-len(c.Still))
		}
		fmt.Fprintf(&b, "  never moved: %s%s\n", strings.Join(c.Still, ", "), more)
	}
	if m := r.Mismatch; m != nil {
		m.print(&b)
	}
	return b.String()
}

func (m *Mismatch) print(b *strings.Builder) {
	fmt.Fprintf(b, "  first difference: cycle %d, %s, made at %s\n", m.Cycle, m.Signal, m.Source)
	printValues(b, m.Values)
	if o := m.Origin; o != nil {
		fmt.Fprintf(b, "  earliest register: cycle %d of the stimulus below, %s, made at %s\n", o.Cycle, o.Signal, o.Source)
		printValues(b, o.Values)
		if len(o.Others) > 0 {
			fmt.Fprintf(b, "    in the same cycle: %s\n", strings.Join(o.Others, ", "))
		}
	}
	if s := m.Shrunk; s != nil {
		fmt.Fprintf(b, "  shrunk from %d cycles and %d words that are not zero to %d and %d in %d tries\n",
			s.FromCycles, s.FromNonzero, s.Cycles, s.Nonzero, s.Tries)
	}
	for _, f := range [][2]string{{"stimulus", m.StimulusFile}, {"waveform", m.Wave}, {"replay", m.Replay}} {
		if f[1] != "" {
			fmt.Fprintf(b, "  %s: %s\n", f[0], f[1])
		}
	}
	for _, n := range m.Notes {
		fmt.Fprintf(b, "  note: %s\n", n)
	}
}

func printValues(b *strings.Builder, vs []Value) {
	for _, v := range vs {
		fmt.Fprintf(b, "    %-10s %s (%d)\n", v.Engine, v.Hex, v.Signed)
	}
}
