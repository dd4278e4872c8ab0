package device

import (
	"context"
	"fmt"
	"math"
)

// NeverSwitches is the number of pulses of a pair that no pulse switches.
const NeverSwitches = 15

// Cells are the conductances a crossbar's cells have when they are written, [Cols][Rows], in units
// of 2^-Frac() ON cells, and how many pulses it takes to switch a pair.
type Cells struct {
	PosOn, PosOff, NegOn, NegOff []uint16
	Pulses                       []uint8 // 1 .. NeverSwitches, by which both cells of a pair have switched
}

// Rewritten must be called when Pos and Neg were changed, before Multiply.
func (t *Tables) Rewritten() { t.fast = newFast(t) }

// MakeCells draws the cells of crossbar id, the same as Make does. A pulse switches a pair with
// probability yield, 0 to 1, independently of those before (stochastic switching: S. Yu et al.,
// Stochastic learning in oxide binary synaptic device for neuromorphic computing, Frontiers in
// Neuroscience 2013, doi 10.3389/fnins.2013.00186). With wire resistances a cell's effective conductance depends on all
// others, so such crossbars cannot be written: an error.
func MakeCells(ctx context.Context, s Spec, yield float64, id uint64) (*Cells, error) {
	if s.WireRow > 0 || s.WireCol > 0 {
		return nil, fmt.Errorf("device wire_row is %g and wire_col %g: rows can be written with far_row and far_col only", s.WireRow, s.WireCol)
	}
	if !(yield >= 0 && yield <= 1) {
		return nil, fmt.Errorf("yield of a pulse is %g, allowed are 0 to 1", yield)
	}
	var both [2]*Tables // all weights 1, all -1
	for i, w := range []int8{1, -1} {
		weights := make([][]int8, s.Cols)
		for c := range weights {
			weights[c] = make([]int8, s.Rows)
			for r := range weights[c] {
				weights[c][r] = w
			}
		}
		var err error
		if both[i], err = Make(ctx, s, weights, id); err != nil {
			return nil, err
		}
	}
	cells := &Cells{PosOn: both[0].Pos, PosOff: both[1].Pos, NegOn: both[1].Neg, NegOff: both[0].Neg}
	for i := range s.Cols * s.Rows {
		n := NeverSwitches
		switch u := newStream(s.Seed, id, partPair, i).uniform(drawPulses); {
		case yield == 1:
			n = 1
		case yield > 0:
			n = int(min(1+math.Floor(math.Log(1-u)/math.Log(1-yield)), NeverSwitches))
		}
		cells.Pulses = append(cells.Pulses, uint8(n))
	}
	return cells, nil
}
