package hw

import (
	"context"
	"fmt"
	"math/rand"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// WritablePE is a crossbar PE whose weights also come in through a port: row by row, each
// programmed and verified. Commands say what is next, one after the other.
//
// Stream cmd: program 0 takes a vector from x, as CrossbarPE does; 1 takes a matrix from w, row 0
// first, RowBeats() beats a row: Lanes weights, int2 of -1, 0 and 1 (-2 counts as 0), column i in
// lane i % Lanes of beat i / Lanes; lanes beyond Cols are ignored. Stream s, one beat a row:
// failed is the number of pairs that would not verify, which is the error flag: stuck cells,
// cells far off, or pulses used up. Such pairs keep what they conduct.
//
// The row decoder selects a row; a step's Converters() columns are written at once. A pulse is
// given, the row read back, and while a pair is not within Tolerance of its weight and fewer than
// Pulses were given, another. What is written in the end is what device.Make has for the
// weights, unless pairs failed.
//
// Time: a cycle for the command; for a vector as in CrossbarPE; for a row RowBeats(), then
// PulseCycles() for each pulse of each step, then one for s.
type WritablePE struct {
	CrossbarPE         // its crossbar is Writable
	Pulses     int     // most pulses of a row and step, 1..14
	Yield      float64 // probability that a pulse switches a pair, 0..1; not part of the structure
}

func (b WritablePE) Name() string {
	return fmt.Sprintf("writable_pe_%s_l%d_p%d", b.suffix(), b.Lanes, b.Pulses)
}

func (b WritablePE) Check() error {
	if err := firstError(b.CrossbarPE.Check(), inRange("writable PE", "pulses", b.Pulses, 1, device.NeverSwitches-1)); err != nil {
		return err
	}
	if !b.Writable {
		return fmt.Errorf("writable PE: the crossbar is not writable")
	}
	if !(b.Yield >= 0 && b.Yield <= 1) {
		return fmt.Errorf("writable PE: yield of a pulse is %g, allowed are 0 to 1", b.Yield)
	}
	return nil
}

// RowBeats is the number of beats of a row of weights.
func (b WritablePE) RowBeats() int { return ceilDiv(b.Cols, b.Lanes) }

// PulseCycles is a pulse: given, done, read back, judged.
func (b WritablePE) PulseCycles() int { return 1 + b.writeCycles() + 1 + 1 }

func (b WritablePE) Streams() (in, out []Stream) {
	pe := b.CrossbarPE
	pe.Writable = false
	x, y := pe.Streams()
	cmd := Stream{Name: "cmd", Doc: "what is next", Fields: []Field{
		{"program", ir.Bits(1), false, "0: a vector; 1: a matrix"},
	}}
	w := Stream{Name: "w", Doc: "weights, row by row", Fields: []Field{
		{"data", ir.Vec(b.Lanes, 2), true, "int2 weights"},
	}}
	s := Stream{Name: "s", Doc: "status of a row", Fields: []Field{
		{"failed", ir.Bits(ir.ClogTwo(b.Cols + 1)), false, "pairs that would not verify"},
	}}
	return []Stream{cmd, x[0], w}, []Stream{y[0], s}
}

func (b WritablePE) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Crossbar PE with a write port: programs and verifies %d rows, at most %d pulses of %d cycles for %d columns.",
		b.Rows, b.Pulses, b.PulseCycles(), b.Converters())
	return lib.module("writable_pe", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		cmd, x, w := input(m, in[0]), input(m, in[1]), input(m, in[2])
		takeY, takeS := output(m, out[0]), output(m, out[1])
		pe := m.Instance("u_pe", b.CrossbarPE.Build(lib)).In("y_ready", takeY).In("x_data", x.fields[0])
		ready := m.OutOf(pe, "x_ready")
		drive(m, out[0], m.OutOf(pe, "y_valid"), m.OutOf(pe, "y_acc"))

		state := func(name string) *ir.Reg { return m.Reg(name, ir.Bits(1), 0) }
		computes, programs := state("computes"), state("programs")
		begin := cmd.ready(computes.Q.Or(programs.Q).Not().And(ready))
		matrix := cmd.fields[0]
		load := x.ready(computes.Q.And(ready))
		pe.In("x_valid", load)
		_, loaded := counter(m, "loads", b.Loads(), load)
		computes.SetEn(begin.Or(load), begin.Mux(matrix.Not(), loaded.Not()))

		loads, pulses, reports := state("loads_row"), state("pulses"), state("reports")
		fire := w.ready(loads.Q)
		_, full := counter(m, "row_beats", b.RowBeats(), fire)
		told := reports.Q.And(takeS).Named("told")
		row, lastRow := counter(m, "row", b.Rows, told)
		c := b.pulser(m, pe, row, pulses.Q, fire, w.fields[0])
		programs.SetEn(begin.Or(told), begin.Mux(matrix, lastRow.Not()))
		loads.SetEn(begin.Or(told).Or(fire), begin.Mux(matrix, told.Mux(lastRow.Not(), full.Not())))
		pulses.SetEn(fire.Or(c.rowDone), fire.Mux(full, m.K(1, 0)))
		reports.SetEn(c.rowDone.Or(told), c.rowDone)

		failed := m.Reg("failed", out[1].Fields[0].Type, 0)
		failed.SetEn(c.stepDone.Or(told), told.Mux(m.K(failed.Type.W, 0), failed.Q.Add(c.bad.SumU(1, failed.Type.W))))
		drive(m, out[1], reports.Q, failed.Q)
	})
}

// pulserOut is what the pulser tells.
type pulserOut struct{ stepDone, rowDone, bad *ir.Node }

// pulser holds a row of weights and pulses its steps, one after the other.
func (b WritablePE) pulser(m *ir.Module, pe *ir.Inst, row, on, fire, beat *ir.Node) pulserOut {
	a, held := b.Converters(), b.RowBeats()*b.Lanes
	phase, judge := counter(m, "phase", b.PulseCycles(), on)
	bad := m.OutOf(pe, "v_ok").Not().Named("bad")
	pulse := m.Reg("pulse", ir.Bits(pulseBits), 1)
	done := judge.And(on).And(bad.AnyOf(1).Not().Or(pulse.Q.EqK(uint64(b.Pulses)))).Named("step_done")
	pulse.SetEn(judge.And(on), done.Mux(m.K(pulseBits, 1), pulse.Q.AddK(1)))
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
	verifies := phase.EqK(uint64(b.PulseCycles() - 2))
	pe.In("p_valid", on.And(phase.EqK(0).Or(verifies))).In("p_verify", verifies).In("p_step", step).In("p_row", row).
		In("p_pos", set.And(now.Bit(1).Not())).In("p_neg", set.And(now.Bit(1))).In("p_pulse", pulse.Q)
	return pulserOut{stepDone: done, rowDone: done.And(lastStep).Named("row_done"), bad: bad}
}

// written is what a run of commands does: the beats of y and s, and the pulses of each matrix
// in the order of the commands.
type written struct {
	y, s   []Beat
	pulses []int
}

// run follows the definition, command by command.
func (b WritablePE) run(in [][]Beat) written {
	t := b.Tables()
	cells, err := device.MakeCells(context.Background(), b.spec(), b.Yield, b.ID)
	if err != nil {
		panic("hw: writable PE: " + err.Error())
	}
	var out written
	x, w, conversions := in[1], in[2], 0
	for _, cmd := range in[0] {
		if cmd[0][0] == 0 {
			var v []int8
			for _, beat := range x[:b.Loads()] {
				for _, e := range beat[0] {
					v = append(v, int8(e))
				}
			}
			x = x[b.Loads():]
			sums := t.Product(v, uint32(conversions))
			conversions += b.Conversions()
			for a := b.Converters(); len(sums) > 0; sums = sums[a:] {
				out.y = append(out.y, Beat{words(sums[:a], 32)})
			}
			continue
		}
		pulses := 0
		for r := range b.Rows {
			var weights []int
			for _, beat := range w[:b.RowBeats()] {
				for _, e := range beat[0] {
					weights = append(weights, int(signed(e, 2))%2) // -2 counts as 0
				}
			}
			w = w[b.RowBeats():]
			failed := 0
			for step := range b.Steps() {
				n, bad := b.program(t, cells, r, step, weights)
				pulses, failed = pulses+n, failed+bad
			}
			out.s = append(out.s, Beat{{uint64(failed)}})
		}
		out.pulses = append(out.pulses, pulses)
	}
	return out
}

// program writes row r of a step's columns into t and gives the pulses and the pairs that fail.
func (b WritablePE) program(t *device.Tables, cells *device.Cells, r, step int, weights []int) (pulses, bad int) {
	first := step * b.Converters()
	for pulses < b.Pulses {
		pulses++
		bad = 0
		for c := first; c < min(first+b.Converters(), b.Cols); c++ {
			i := c*b.Rows + r
			if int(cells.Pulses[i]) <= pulses {
				t.Pos[i], t.Neg[i] = cells.PosOff[i], cells.NegOff[i]
				switch weights[c] {
				case 1:
					t.Pos[i] = cells.PosOn[i]
				case -1:
					t.Neg[i] = cells.NegOn[i]
				}
			}
			if off := int(t.Pos[i]) - int(t.Neg[i]) - weights[c]<<b.spec().Frac(); off < -b.tolerance() || off > b.tolerance() {
				bad++
			}
		}
		if bad == 0 {
			break
		}
	}
	return pulses, bad
}

func (b WritablePE) Arithmetic(in [][]Beat) [][]Beat {
	out := b.run(in)
	return [][]Beat{out.y, out.s}
}

// Cycles adds up commands. With e the cycle in which the PE can take a command, a vector's
// conversions begin in e + 1 + Loads(), or Steps() + 1 after those before have ended if that is
// later, and the PE can take the next command when they have ended.
func (b WritablePE) Cycles(in [][]Beat) int {
	pulses := b.run(in).pulses
	free, ended, last := 0, -b.Steps()-1, 0
	for _, cmd := range in[0] {
		if cmd[0][0] == 0 {
			ended = max(free+1+b.Loads(), ended+b.Steps()+1) + b.Conversions()
			free, last = ended, max(last, ended+b.Steps()+1)
			continue
		}
		free += 1 + b.Rows*(b.RowBeats()+1) + pulses[0]*b.PulseCycles()
		pulses, last = pulses[1:], max(last, free)
	}
	return last
}

// Image is the crossbar's, with what its cells conduct when written.
func (b WritablePE) Image(prefix string) *ir.Image {
	img := b.CrossbarPE.Image(prefix + ".u_pe")
	cells, err := device.MakeCells(context.Background(), b.spec(), b.Yield, b.ID)
	if err != nil {
		panic("hw: writable PE: " + err.Error())
	}
	a, at := b.Converters(), prefix+".u_pe.u_xbar."
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
		img.Data[at+tableDevice] = table
	}
	img.Data[at+tablePulses] = pulses
	return img
}

func randomWritablePE(r *rand.Rand) Block {
	b := WritablePE{CrossbarPE: randomCrossbarPE(r).(CrossbarPE), Pulses: 1 + r.Intn(5), Yield: []float64{1, 0.9, 0.5}[r.Intn(3)]}
	b.Writable, b.Tolerance = true, r.Intn(300)
	b.Effects.WireRow, b.Effects.WireCol = 0, 0
	if r.Intn(6) == 0 { // more rows than a word of cells has
		b.Rows = 65 + r.Intn(70)
		b.Active, b.Weights = b.Rows, nil
	}
	return b
}

// writablePEWork is vectors before and after a matrix or two.
func writablePEWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(WritablePE)
	in, _ := b.Streams()
	work := make([][]Beat, 3)
	for _, program := range []bool{r.Intn(2) == 0, true, false, r.Intn(3) == 0, false} {
		work[0] = append(work[0], Beat{flag(program)})
		if program {
			work[2] = append(work[2], RandomBeats(r, in[2], b.Rows*b.RowBeats(), false)...)
		} else {
			work[1] = append(work[1], RandomBeats(r, in[1], b.Loads(), extreme)...)
		}
	}
	return work
}
