package estimate

import "math"

// writing is the time of bringing the weights in through the banks' ports, nil where crossbars are
// not writable. All banks have as much to do as the fullest, and are written at the same time from one
// stream of one beat a cycle.
func (t *tally) writing(pairs, chips int) (cycles, seconds *Quantity) {
	b := t.Bank
	if b == nil || !b.Crossbar.Writable {
		return nil, nil
	}
	x, here := b.Crossbar, max(t.Hardware.Pairs/(b.Rows*b.Cols*b.PEs), 1)
	banks := here * max(chips, 1)
	rows := Formula("write.rows", float64(ceilDiv(pairs, banks)*x.Rows), "rows", "of one bank: ceil(pairs/banks) crossbars")
	step := Formula("write.pulses_step", pulsesOfStep(x.Converters(), x.Pulses, x.Yield), "pulses",
		"of the columns written at once: until all pairs have switched, each by a pulse with probability yield, at most pulses")
	pulses := Product("write.pulses_row", "cycles", 1, step, Given("write.steps", float64(x.Steps()), "steps/row", "columns over converters"),
		Cycles("write.pulse", b.PulseCycles(), "hw.Bank.PulseCycles"))
	row := Sum("write.row", "cycles", Cycles("write.row.beats", b.RowTime(0), "hw.Bank.RowTime"), pulses)
	bound := []*Quantity{Product("write.bank", "cycles", 1, rows, row),
		Product("write.stream", "cycles", float64(here), rows, Cycles("write.beats", b.RowBeats(), "hw.Bank.RowBeats"))}
	cycles, _ = Largest("write_cycles", "cycles", bound...)
	return cycles, Quotient("write_seconds", "s", 1e-6, cycles, Given("clock", t.ClockMHz, "MHz", "chip "+t.Name))
}

// pulsesOfStep is the expected pulses of n pairs of which each switches by a pulse with probability
// yield, at most most.
func pulsesOfStep(n, most int, yield float64) float64 {
	sum := 0.0
	for k := range most {
		sum += 1 - math.Pow(1-math.Pow(1-yield, float64(k)), float64(n))
	}
	return sum
}
