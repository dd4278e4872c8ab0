package hw

import (
	"fmt"
	"math/rand"

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
	CrossbarPE // its crossbar is Writable
}

func (b WritablePE) Name() string {
	return fmt.Sprintf("writable_pe_%s_l%d_p%d", b.suffix(), b.Lanes, b.Pulses)
}

func (b WritablePE) Check() error {
	if !b.Writable {
		return fmt.Errorf("writable PE: the crossbar is not writable")
	}
	return b.CrossbarPE.Check()
}

func (b WritablePE) writer() rowWriter { return rowWriter{Crossbar: b.Crossbar, Lanes: b.Lanes} }

// RowBeats is the number of beats of a row of weights.
func (b WritablePE) RowBeats() int { return b.writer().RowBeats() }

// PulseCycles is a pulse: given, done, read back, judged.
func (b WritablePE) PulseCycles() int { return b.writer().PulseCycles() }

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
		{"failed", b.writer().failedType(), false, "pairs that would not verify"},
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
		c := b.writer().build(m, pulses.Q, fire, w.fields[0], m.OutOf(pe, "v_ok"), told)
		pe.In("p_valid", c.valid).In("p_row", row)
		for _, field := range []string{"verify", "step", "pos", "neg", "pulse"} {
			pe.In("p_"+field, c.fields[field])
		}
		programs.SetEn(begin.Or(told), begin.Mux(matrix, lastRow.Not()))
		loads.SetEn(begin.Or(told).Or(fire), begin.Mux(matrix, told.Mux(lastRow.Not(), full.Not())))
		pulses.SetEn(fire.Or(c.rowDone), fire.Mux(full, m.K(1, 0)))
		reports.SetEn(c.rowDone.Or(told), c.rowDone)

		drive(m, out[1], reports.Q, c.failed.Q)
	})
}

// written is what a run of commands does: the beats of y and s, and the pulses of each matrix
// in the order of the commands.
type written struct {
	y, s   []Beat
	pulses []int
}

// run follows the definition, command by command.
func (b WritablePE) run(in [][]Beat) written {
	state := b.state()
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
			sums := state.t.Product(v, uint32(conversions))
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
			n, failed := state.write(r, weights)
			pulses += n
			out.s = append(out.s, Beat{{uint64(failed)}})
		}
		out.pulses = append(out.pulses, pulses)
	}
	return out
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

// Image is the crossbar's.
func (b WritablePE) Image(prefix string) *ir.Image { return b.CrossbarPE.Image(prefix + ".u_pe") }

func randomWritablePE(r *rand.Rand) Block {
	b := WritablePE{CrossbarPE: randomCrossbarPE(r).(CrossbarPE)}
	b.Crossbar = b.Crossbar.randomWritable(r)
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
