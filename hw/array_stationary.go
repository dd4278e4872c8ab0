package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// StationaryArray is a systolic array of Rows x Cols processing elements that each keep one
// operand: it multiplies a T x Rows matrix by a stationary Rows x Cols one, any T >= 1: one
// fold. What stays may be weights (weight-stationary: the T rows that move are inputs) or
// inputs (input-stationary: weights move); the hardware is the same, StationaryMatMul has both.
//
// Stream w, Rows beats a fold: the stationary matrix (Cols x int8 a beat), its last row first.
// Then stream x, T beats: a row of the moving matrix (Rows x int8), last = 1 in the last.
// Stream y, T beats a fold: a row of the product (Cols x int32, exact). Row r of x is delayed by
// r cycles on the way in, sums move south, and column c of y by Cols - 1 - c on the way out.
//
// A fold takes 2 Rows + Cols + T - 2 cycles before the next begins: Rows to load, T to stream,
// Rows + Cols - 2 until the last operand has met the far corner. That is SCALE-Sim's count
// of a weight- or input-stationary fold (arXiv 1811.02883; scale-sim-v2,
// systolic_compute_ws.py and systolic_compute_is.py). A row of y is offered Rows + Cols + 1
// cycles after its x was taken; rows that are not taken wait in a buffer, and x waits for room.
//
// With TagBits, x also has a tag, which y repeats.
type StationaryArray struct {
	Rows, Cols int // 1..1024 each
	TagBits    int // 0..64; 0 is without
}

func (b StationaryArray) Name() string {
	if b.TagBits > 0 {
		return fmt.Sprintf("array_stationary_%dx%d_t%d", b.Rows, b.Cols, b.TagBits)
	}
	return fmt.Sprintf("array_stationary_%dx%d", b.Rows, b.Cols)
}

func (b StationaryArray) Check() error {
	return firstError(inRange("array_stationary", "rows", b.Rows, 1, 1024), inRange("array_stationary", "cols", b.Cols, 1, 1024),
		inRange("array_stationary", "tag bits", b.TagBits, 0, 64))
}

func (b StationaryArray) Streams() (in, out []Stream) {
	w := Stream{Name: "w", Doc: "stationary operands, last row first", Fields: []Field{{"b", ir.Vec(b.Cols, 8), true, "int8 a column"}}}
	x := Stream{Name: "x", Doc: "moving operands", Fields: []Field{
		{"a", ir.Vec(b.Rows, 8), true, "int8 a row of the array"},
		{"last", ir.Bits(1), false, "1 in the last beat of a fold"},
	}}
	y := Stream{Name: "y", Doc: "sums, one beat for each of x", Fields: []Field{{"acc", ir.Vec(b.Cols, 32), true, "int32 a column"}}}
	if b.TagBits > 0 {
		x.Fields = append(x.Fields, Field{"tag", ir.Bits(b.TagBits), false, "comes back with the sums"})
		y.Fields = append(y.Fields, Field{"tag", ir.Bits(b.TagBits), false, "of the operands"})
	}
	return []Stream{w, x}, []Stream{y}
}

// Phases of a fold.
const (
	stationaryLoad   = iota // stationary operands enter
	stationaryStream        // moving operands enter
	stationaryFlush         // the last of them move to the far corner
)

// FoldCycles is the time of a fold of t moving rows.
func (b StationaryArray) FoldCycles(t int) int { return 2*b.Rows + b.Cols + t - 2 }

func (b StationaryArray) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Systolic array of %d x %d stationary operands: T + %d cycles a fold.", b.Rows, b.Cols, b.FoldCycles(0))
	return lib.module("array_stationary", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		w, x := input(m, in[0]), input(m, in[1])
		take := output(m, out[0])

		// Every beat of x has a place in the buffer when it is taken.
		room := b.Rows + b.Cols + 3
		wc := ir.ClogTwo(room + 1)
		under := m.Reg("under_way", ir.Bits(wc), 0)
		phase := m.Reg("phase", ir.Bits(2), stationaryLoad)
		load := w.ready(phase.Q.EqK(stationaryLoad))
		fire := x.ready(phase.Q.EqK(stationaryStream).And(under.Q.Ltu(m.K(wc, uint64(room)))))
		b.control(m, phase, load, fire.And(x.fields[1]).Named("ends"))

		a := m.Instance("u_skew_a", skew(lib, b.Rows)).In("d", x.fields[0])
		grid := m.Array("pe", peStationary(lib), b.Rows, b.Cols).
			Chain("a_in", "a_out", ir.West, m.OutOf(a, "q")).
			Chain("b_in", "b_out", ir.North, w.fields[0]).
			Chain("sum_in", "sum_out", ir.North, m.K(32, 0).Splat(b.Cols)).
			In("load", load)
		sums := b.align(lib, m, m.Edge(grid, "sum_out", ir.South))

		// A row of sums is complete Rows + Cols - 1 cycles after its operands entered.
		age := m.Reg("age", ir.Vec(b.Rows+b.Cols-1, 1), 0)
		ages := fire
		if age.Type.N > 1 {
			ages = fire.Join(age.Q.Elems(0, age.Type.N-1))
		}
		age.Set(ages)
		buffer := m.Instance("u_buffer", Fifo{Depth: room, Lanes: b.Cols, Width: 32}.Build(lib)).
			In("x_valid", age.Q.Elem(age.Type.N-1)).In("x_data", sums).In("y_ready", take)
		valid := m.OutOf(buffer, "y_valid")
		count(under, fire, valid.And(take))
		fields := []*ir.Node{m.OutOf(buffer, "y_data")}
		if b.TagBits > 0 {
			tag := x.fields[2]
			for i := range age.Type.N {
				tag = m.DataReg(fmt.Sprintf("tag_%d", i), tag.Type).Set(tag)
			}
			tags := m.Instance("u_tags", Fifo{Depth: room, Lanes: 1, Width: b.TagBits}.Build(lib)).
				In("x_valid", age.Q.Elem(age.Type.N-1)).In("x_data", tag).In("y_ready", take)
			fields = append(fields, m.OutOf(tags, "y_data"))
		}
		drive(m, out[0], valid, fields...)
	})
}

// control steps through the phases: load marks a stationary row, ends the last moving one.
func (b StationaryArray) control(m *ir.Module, phase *ir.Reg, load, ends *ir.Node) {
	_, loaded := counter(m, "loaded", b.Rows, load)
	loadEnd := load.And(loaded).Named("load_end")
	after, flush := m.K(2, stationaryLoad), b.Rows+b.Cols-2
	flushEnd := m.K(1, 0)
	if flush > 0 {
		after = m.K(2, stationaryFlush)
		flushes := phase.Q.EqK(stationaryFlush).Named("flushes")
		_, last := counter(m, "flushed", flush, flushes)
		flushEnd = flushes.And(last).Named("flush_end")
	}
	next := loadEnd.Mux(m.K(2, stationaryStream), m.K(2, stationaryLoad))
	phase.SetEn(loadEnd.Or(ends).Or(flushEnd), ends.Mux(after, next))
}

// align delays column c of the sums by Cols - 1 - c cycles, byte by byte.
func (b StationaryArray) align(lib *Lib, m *ir.Module, sums *ir.Node) *ir.Node {
	backwards := func(v *ir.Node) *ir.Node {
		elems := make([]*ir.Node, v.Type.N)
		for i := range elems {
			elems[i] = v.Elem(v.Type.N - 1 - i)
		}
		return elems[0].Join(elems[1:]...)
	}
	bytes := make([]*ir.Node, 4)
	for i := range bytes {
		delay := m.Instance(fmt.Sprintf("u_align_%d", i), skew(lib, b.Cols)).In("d", backwards(sums.Slice(8*i, 8)))
		bytes[i] = backwards(m.OutOf(delay, "q"))
	}
	return bytes[3].Cat(bytes[2], bytes[1], bytes[0])
}

// peStationary is the processing element: 48 flip-flops, a 8, b 8, sum 32.
func peStationary(lib *Lib) *ir.Module {
	doc := "Multiply-accumulate cell with a stationary operand b: sum_out is sum_in + a * b. Operands and sums take 1 cycle to the next cell."
	return lib.module("pe_stationary", "pe_stationary", doc, func(m *ir.Module) {
		a := m.In("a_in", ir.Bits(8), "int8 from the west")
		north := m.In("b_in", ir.Bits(8), "int8 from the north, taken while load is 1")
		above := m.In("sum_in", ir.Bits(32), "int32 from the north")
		load := m.In("load", ir.Bits(1), "1: move the stationary operands south")
		b := m.DataReg("b", ir.Bits(8)).SetEn(load, north)
		product := a.SExt(16).Mul(b.SExt(16)).SExt(32).Named("product")
		m.Out("a_out", m.DataReg("a", ir.Bits(8)).Set(a), "a_in, 1 cycle ago")
		m.Out("b_out", b, "the stationary operand")
		m.Out("sum_out", m.DataReg("sum", ir.Bits(32)).Set(above.Add(product)), "int32 sum")
	})
}

// Arithmetic is the matrix product of each fold.
func (b StationaryArray) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	w := in[0]
	for _, beat := range in[1] {
		sums := make([]int64, b.Cols)
		for r, a := range SignedWords(beat[0], 8) {
			for c, s := range SignedWords(w[b.Rows-1-r][0], 8) {
				sums[c] += a * s
			}
		}
		out = append(out, append(Beat{words(sums, 32)}, beat[2:]...))
		if beat[1][0] == 1 {
			w = w[b.Rows:]
		}
	}
	return [][]Beat{out}
}

// Cycles is FoldCycles summed over the folds, and 3 for the last row through the buffer.
func (b StationaryArray) Cycles(in [][]Beat) int {
	n := len(in[1]) + 3
	for _, beat := range in[1] {
		n += int(beat[1][0]) * b.FoldCycles(0)
	}
	return n
}

// StationaryMatMul is an M x K by K x N product of any shape (each at least 1) in folds of
// Rows of the K products and Cols of the stationary matrix's other dimension; edges are
// padded with zeros. Folds over K give partial sums, which Collect adds.
type StationaryMatMul struct {
	Array   StationaryArray
	M, K, N int
	Inputs  bool // the M x K matrix stays (input-stationary), not the K x N one (weight-stationary)
}

// moving and staying are the sizes of the operands beside K.
func (p StationaryMatMul) moving() int {
	if p.Inputs {
		return p.N
	}
	return p.M
}

func (p StationaryMatMul) staying() int { return p.M + p.N - p.moving() }

// Folds is the number of folds.
func (p StationaryMatMul) Folds() int {
	return ceilDiv(p.K, p.Array.Rows) * ceilDiv(p.staying(), p.Array.Cols)
}

// Cycles is the time of all folds, SCALE-Sim's sum.
func (p StationaryMatMul) Cycles() int { return p.Folds() * p.Array.FoldCycles(p.moving()) }

// each visits the first column and the first of the K of every fold in order.
func (p StationaryMatMul) each(visit func(s0, k0 int)) {
	for s0 := 0; s0 < p.staying(); s0 += p.Array.Cols {
		for k0 := 0; k0 < p.K; k0 += p.Array.Rows {
			visit(s0, k0)
		}
	}
}

// Beats is streams w and x for the product of a (M x K, row by row) and b (K x N).
func (p StationaryMatMul) Beats(a, b []int8) [][]Beat {
	at := func(v []int8, rows, cols, r, c int) uint64 {
		if r >= rows || c >= cols {
			return 0
		}
		return word(int64(v[r*cols+c]), 8)
	}
	moving := func(t, k int) uint64 { return at(a, p.M, p.K, t, k) }
	staying := func(k, s int) uint64 { return at(b, p.K, p.N, k, s) }
	if p.Inputs {
		moving, staying = func(t, k int) uint64 { return at(b, p.K, p.N, k, t) }, func(k, s int) uint64 { return at(a, p.M, p.K, s, k) }
	}
	var w, x []Beat
	p.each(func(s0, k0 int) {
		for r := p.Array.Rows - 1; r >= 0; r-- {
			row := make([]uint64, p.Array.Cols)
			for c := range row {
				row[c] = staying(k0+r, s0+c)
			}
			w = append(w, Beat{row})
		}
		for t := range p.moving() {
			row := make([]uint64, p.Array.Rows)
			for r := range row {
				row[r] = moving(t, k0+r)
			}
			x = append(x, Beat{row, flag(t == p.moving()-1)})
		}
	})
	return [][]Beat{w, x}
}

// Collect puts stream y together as the M x N product, row by row. It panics unless there
// is a beat for each moving row of each fold.
func (p StationaryMatMul) Collect(beats []Beat) []int32 {
	if len(beats) != p.Folds()*p.moving() {
		panic(fmt.Sprintf("hw: %d beats of sums for %d folds of %d", len(beats), p.Folds(), p.moving()))
	}
	out := make([]int32, p.M*p.N)
	p.each(func(s0, k0 int) {
		for t := range p.moving() {
			for c := 0; c < p.Array.Cols && s0+c < p.staying(); c++ {
				i := t*p.N + s0 + c
				if p.Inputs {
					i = (s0+c)*p.N + t
				}
				out[i] += int32(beats[t][0][c])
			}
		}
		beats = beats[p.moving():]
	})
	return out
}

func randomStationaryArray(r *rand.Rand) Block {
	return StationaryArray{oddSize(r, 7), oddSize(r, 20), max(0, r.Intn(10)-5)}
}

// stationaryArrayWork is two or three folds of random lengths.
func stationaryArrayWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(StationaryArray)
	in, _ := b.Streams()
	var w, x []Beat
	for range 2 + r.Intn(2) {
		w = append(w, RandomBeats(r, in[0], b.Rows, extreme)...)
		fold := RandomBeats(r, in[1], oddSize(r, 40), extreme)
		for i := range fold {
			fold[i][1] = flag(i == len(fold)-1)
		}
		x = append(x, fold...)
	}
	return [][]Beat{w, x}
}
