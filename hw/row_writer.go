package hw

import (
	"context"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// rowWriter programs rows of a crossbar: it holds a row of weights and gives pulses to the
// columns of one step after the other. After each pulse it reads the row back, and while a pair
// is not within Tolerance of its weight and fewer than Pulses were given, gives another.
type rowWriter struct {
	Crossbar
	Lanes   int // weights of a beat
	Latency int // cycles to the crossbar and back
}

// RowBeats is the number of beats of a row of weights.
func (b rowWriter) RowBeats() int { return ceilDiv(b.Cols, b.Lanes) }

// PulseCycles is a pulse: given, done, read back, judged.
func (b rowWriter) PulseCycles() int { return 1 + b.writeCycles() + 1 + b.Latency + 1 }

// RowCycles is a row of which every pair verifies after its first pulse.
func (b rowWriter) RowCycles() int { return b.Steps() * b.PulseCycles() }

// failedType counts pairs of a row, rowPulsesType its pulses.
func (b rowWriter) failedType() ir.Type    { return ir.Bits(ir.ClogTwo(b.Cols + 1)) }
func (b rowWriter) rowPulsesType() ir.Type { return ir.Bits(ir.ClogTwo(b.Steps()*b.Pulses + 1)) }

// rowWriting is what it gives: the fields of stream p of the crossbar, and how far it is.
type rowWriting struct {
	valid   *ir.Node
	fields  map[string]*ir.Node // of stream p, but the row
	weights *ir.Node            // the row, before its first pulse
	judged  *ir.Node            // a pulse is over
	rowDone *ir.Node
	failed  *ir.Reg // pairs of the row
}

// build makes the row in m: beats come with fire, pulses are given while on, ok is the verdict of
// the crossbar, and with clear the next row begins.
func (b rowWriter) build(m *ir.Module, on, fire, beat, ok, clear *ir.Node) rowWriting {
	a, held := b.Converters(), b.RowBeats()*b.Lanes
	phase, judge := counter(m, "phase", b.PulseCycles(), on)
	bad := ok.Not().Named("bad")
	pulse := m.Reg("pulse", ir.Bits(pulseBits), 1)
	judged := judge.And(on).Named("judged")
	done := judged.And(bad.AnyOf(1).Not().Or(pulse.Q.EqK(uint64(b.Pulses)))).Named("step_done")
	pulse.SetEn(judged, done.Mux(m.K(pulseBits, 1), pulse.Q.AddK(1)))
	step, lastStep := counter(m, "step", b.Steps(), done)

	weights := m.DataReg("weights", ir.Vec(held, 2))
	in := beat
	if held > b.Lanes {
		in = weights.Q.Elems(b.Lanes, held-b.Lanes).Join(beat)
	}
	zeros := m.K(2, 0)
	rest := zeros.Splat(held)
	if held > a {
		rest = weights.Q.Elems(a, held-a).Join(zeros.Splat(a))
	}
	weights.SetEn(fire.Or(done), fire.Mux(in, rest))
	now := weights.Q.Elems(0, min(a, held))
	if held < a {
		now = now.Join(zeros.Splat(a - held))
	}
	set := now.Bit(0)
	if idle := b.Steps()*a - b.Cols; idle > 0 { // converters without a column in the last step
		there := make([]uint64, a)
		for i := range a - idle {
			there[i] = 1
		}
		set = set.And(lastStep.Not().Splat(a).Or(m.KVec(1, there...)))
	}
	verifies := phase.EqK(uint64(b.writeCycles() + 1))
	failed := m.Reg("failed", b.failedType(), 0)
	failed.SetEn(done.Or(clear), clear.Mux(m.K(failed.Type.W, 0), failed.Q.Add(bad.SumU(1, failed.Type.W))))
	return rowWriting{valid: on.And(phase.EqK(0).Or(verifies)).Named("p_given"), fields: map[string]*ir.Node{
		"verify": verifies, "step": step, "pos": set.And(now.Bit(1).Not()), "neg": set.And(now.Bit(1)), "pulse": pulse.Q},
		weights: weights.Q, judged: judged, rowDone: done.And(lastStep).Named("row_done"), failed: failed}
}

// cellState is what the cells of a crossbar conduct, and would when they are written.
type cellState struct {
	Crossbar
	t     *device.Tables
	cells *device.Cells
}

// state is that of the crossbar with its Weights.
func (b Crossbar) state() *cellState { return &cellState{b, b.Tables(), b.writtenCells()} }

func (b Crossbar) writtenCells() *device.Cells {
	cells, err := device.MakeCells(context.Background(), b.spec(), b.Yield, b.ID)
	if err != nil {
		panic("hw: crossbar: " + err.Error())
	}
	return cells
}

// write programs a row of at least Cols weights and gives the pulses of all steps and the pairs
// that fail.
func (s *cellState) write(row int, weights []int) (pulses, failed int) {
	for step := range s.Steps() {
		n, bad := s.writeStep(row, step, weights)
		pulses, failed = pulses+n, failed+bad
	}
	return pulses, failed
}

func (s *cellState) writeStep(row, step int, weights []int) (pulses, bad int) {
	t, cells, first := s.t, s.cells, step*s.Converters()
	for pulses < s.Pulses {
		pulses++
		bad = 0
		for c := first; c < min(first+s.Converters(), s.Cols); c++ {
			i := c*s.Rows + row
			if int(cells.Pulses[i]) <= pulses {
				t.Pos[i], t.Neg[i] = cells.PosOff[i], cells.NegOff[i]
				switch weights[c] {
				case 1:
					t.Pos[i] = cells.PosOn[i]
				case -1:
					t.Neg[i] = cells.NegOn[i]
				}
			}
			if off := int(t.Pos[i]) - int(t.Neg[i]) - weights[c]<<s.spec().Frac(); off < -s.tolerance() || off > s.tolerance() {
				bad++
			}
		}
		if bad == 0 {
			break
		}
	}
	return pulses, bad
}

// writeTables puts what pairs conduct when they are written, and the pulses that takes.
func (b Crossbar) writeTables(put func(table string, data []uint64)) {
	cells := b.writtenCells()
	a := b.Converters()
	table := make([]uint64, b.Rows*b.Steps()*4*a)
	pulses := make([]uint64, b.Rows*b.Steps()*a)
	for c := range b.Cols {
		for r := range b.Rows {
			word, i := r*b.Steps()+c/a, c*b.Rows+r
			for k, half := range [][]uint16{cells.PosOn, cells.PosOff, cells.NegOn, cells.NegOff} {
				table[(word*4+k)*a+c%a] = uint64(half[i])
			}
			pulses[word*a+c%a] = uint64(cells.Pulses[i])
		}
	}
	if b.spec().Frac() > 0 {
		put(tableDevice, table)
	}
	put(tablePulses, pulses)
}
