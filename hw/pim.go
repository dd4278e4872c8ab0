package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// PIM is the analog half of a tile: a grid of RowBlocks x ColBlocks crossbar PEs between an
// input buffer and a requantising output buffer. It multiplies int8 vectors of K() =
// RowBlocks * Rows elements with an N() x K() ternary matrix, N() = ColBlocks * Cols; partial
// sums of the row blocks are added digitally, 32 bits.
//
// Stream cfg (m, s) sets the scale of the matrix, taken at once; send it while no vector is
// under way. No result leaves before the first. Stream x, Loads() beats a vector: Lanes x
// int8, element i in lane i % Lanes of beat i / Lanes. Stream y, Results() beats a vector in
// column order, Lanes a beat, zeros beyond the last: acc the int32 sum, q its int8 activation.
//
// Writable crossbars take weights as a Bank's do, over streams weights and written; tile_row and tile_col are
// the PE's row and column, pe is 0. A row is written when no vector is under way, and none begins while
// a row waits or is written.
//
// Time of one vector: K/part + Conversions + fill + N/chunk + 6, where part = gcd(Lanes,
// Rows) elements reach the PEs a cycle, chunk = gcd(Lanes, Converters, Cols) sums a cycle
// reach the output buffer, and fill = Steps * ColBlocks * Converters / chunk. Vectors overlap:
// a PE takes the next one when it has issued its last conversion, and the output buffer is
// read while the PEs convert; Cycles has the rule.
type PIM struct {
	RowBlocks, ColBlocks int // 1..64 each
	Lanes                int // elements a beat, 1..64
	Crossbar             Crossbar

	Weights [][]int8      // [N][K] of -1, 0, 1, or smaller: the rest is zero; not part of the structure
	cells   writtenTables // of PEs that were programmed
}

// K and N are the sizes of the matrix.
func (b PIM) K() int { return b.RowBlocks * b.Crossbar.Rows }
func (b PIM) N() int { return b.ColBlocks * b.Crossbar.Cols }

// Loads and Results are the beats of an input and of an output vector.
func (b PIM) Loads() int   { return ceilDiv(b.K(), b.Lanes) }
func (b PIM) Results() int { return ceilDiv(b.N(), b.Lanes) }

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// part is how many input elements reach the PEs a cycle; chunk how many sums reach the
// output buffer.
func (b PIM) part() int  { return gcd(b.Lanes, b.Crossbar.Rows) }
func (b PIM) chunk() int { return gcd(b.Lanes, gcd(b.Crossbar.Converters(), b.Crossbar.Cols)) }

// chunks is the depth of the output buffer, fill the cycles it takes to fill it.
func (b PIM) chunks() int { return b.N() / b.chunk() }
func (b PIM) fill() int {
	return b.Crossbar.Steps() * b.ColBlocks * b.Crossbar.Converters() / b.chunk()
}

// accBits holds any sum over the row blocks.
func (b PIM) accBits() int {
	most := b.RowBlocks * b.Crossbar.sumMost()
	return min(sbits(-most, most), 32)
}

func (b PIM) pe() CrossbarPE { return CrossbarPE{Crossbar: b.Crossbar, Lanes: b.part()} }

func (b PIM) Name() string {
	return fmt.Sprintf("pim_%dx%d_l%d_%s", b.RowBlocks, b.ColBlocks, b.Lanes, b.grid().crossbarSuffix())
}

func (b PIM) Check() error {
	return firstError(inRange("pim", "row blocks", b.RowBlocks, 1, 64), inRange("pim", "column blocks", b.ColBlocks, 1, 64),
		inRange("pim", "lanes", b.Lanes, 1, 64), b.Crossbar.Check())
}

func (b PIM) Streams() (in, out []Stream) {
	cfg := Stream{Name: "cfg", Fixed: true, Doc: "scale of the matrix", Fields: []Field{
		{"m", ir.Bits(8), false, "multiplier"},
		{"s", ir.Bits(5), false, "shift, 1..31"},
	}}
	x := Stream{Name: "x", Doc: "input vectors", Fields: []Field{
		{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"},
	}}
	y := Stream{Name: "y", Doc: "output vectors", Fields: []Field{
		{"acc", ir.Vec(b.Lanes, 32), true, "int32 sums, in cells"},
		{"q", ir.Vec(b.Lanes, 8), true, "int8 activations"},
	}}
	in, out = []Stream{cfg, x}, []Stream{y}
	if b.Crossbar.Writable {
		in, out = append(in, b.grid().weightsStream()), append(out, b.grid().writtenStream())
	}
	return in, out
}

func (b PIM) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("PIM half: %d x %d crossbar PEs, vectors of %d elements to %d results in %d cycles.",
		b.RowBlocks, b.ColBlocks, b.K(), b.N(), b.vectors(1))
	return lib.module("pim", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		cfg, x := input(m, in[0]), input(m, in[1])
		take := output(m, out[0])

		buffer := m.Instance("u_input", Fifo{Depth: max(b.Loads(), 2), Lanes: b.Lanes, Width: 8}.Build(lib)).In("x_data", x.fields[0])
		var gate rowGate
		if b.Crossbar.Writable {
			gate = b.gate(lib, m, in[2], out[1])
			buffer.In("x_valid", gate.enter(m, b, x, m.OutOf(buffer, "x_ready")))
		} else {
			x.ready(m.OutOf(buffer, "x_ready"))
			buffer.In("x_valid", x.valid)
		}
		split := m.Instance("u_distributor", b.distributor(lib)).
			In("x_valid", m.OutOf(buffer, "y_valid")).In("x_data", m.OutOf(buffer, "y_data"))
		buffer.In("y_ready", m.OutOf(split, "x_ready"))

		pe := m.Array("pe", b.pe().Build(lib), b.RowBlocks, b.ColBlocks).
			PerRow("x_valid", m.OutOf(split, "pe_valid")).In("x_data", m.OutOf(split, "pe_data"))
		// PEs of one row get the same beats and so keep step; the first speaks for all.
		split.In("pe_ready", m.Edge(pe, "x_ready", ir.West))
		merge := m.Instance("u_collector", b.collector(lib)).
			In("sums_valid", m.Edge(pe, "y_valid", ir.West).AllOf(1)).In("sums_acc", b.total(pe, m)).
			In("scale_valid", m.Reg("scaled", ir.Bits(1), 0).SetEn(cfg.valid, m.K(1, 1))).
			In("scale_m", m.DataReg("scale_m", ir.Bits(8)).SetEn(cfg.valid, cfg.fields[0])).
			In("scale_s", m.DataReg("scale_s", ir.Bits(5)).SetEn(cfg.valid, cfg.fields[1])).
			In("y_ready", take)
		pe.In("y_ready", m.OutOf(merge, "sums_ready"))
		if b.Crossbar.Writable {
			gate.leave(m, b, m.OutOf(merge, "y_valid").And(take), pe)
		}
		drive(m, out[0], m.OutOf(merge, "y_valid"), m.OutOf(merge, "y_acc"), m.OutOf(merge, "y_q"))
	})
}

// total adds the sums of the PEs of each column, in a tree over the rows.
func (b PIM) total(pe *ir.Inst, m *ir.Module) *ir.Node {
	sums := m.OutOf(pe, "y_acc").Trunc(b.accBits())
	n := sums.Type.N / b.RowBlocks
	rows := make([]*ir.Node, b.RowBlocks)
	for r := range rows {
		rows[r] = sums.Elems(r*n, n)
	}
	for ; len(rows) > 1; rows = rows[:ceilDiv(len(rows), 2)] {
		for i := range len(rows) / 2 {
			rows[i] = rows[i].Add(rows[len(rows)-1-i])
		}
	}
	return rows[0]
}

// Program is b with the weights of a matrix of at most N() rows of at most K() elements, each
// -1, 0 or 1. What is left of the crossbars is zero.
func (b PIM) Program(weights [][]int8) (PIM, error) {
	if len(weights) > b.N() {
		return b, fmt.Errorf("pim: the matrix has %d outputs, the crossbars have %d columns", len(weights), b.N())
	}
	for n, row := range weights {
		if len(row) > b.K() {
			return b, fmt.Errorf("pim: the matrix has %d inputs, the crossbars have %d rows", len(row), b.K())
		}
		for k, w := range row {
			if w < -1 || w > 1 {
				return b, fmt.Errorf("pim: weight [%d][%d] is %d, allowed are -1, 0 and 1", n, k, w)
			}
		}
	}
	b.Weights = weights
	return b, nil
}

// Vectors is stream x for input vectors of at most K() elements, padded with zeros.
func (b PIM) Vectors(vectors [][]int8) []Beat {
	var beats []Beat
	for _, v := range vectors {
		if len(v) > b.K() {
			panic(fmt.Sprintf("hw: vector of %d elements for %d inputs", len(v), b.K()))
		}
		padded := make([]int8, b.Loads()*b.Lanes)
		copy(padded, v)
		for i := 0; i < len(padded); i += b.Lanes {
			beats = append(beats, Beat{words(padded[i:i+b.Lanes], 8)})
		}
	}
	return beats
}

// Collect takes stream y apart: sums and activations of each vector, N() each.
func (b PIM) Collect(beats []Beat) (acc [][]int32, q [][]int8) {
	for ; len(beats) >= b.Results(); beats = beats[b.Results():] {
		var sums []int32
		var acts []int8
		for _, beat := range beats[:b.Results()] {
			for lane := range b.Lanes {
				sums = append(sums, int32(beat[0][lane]))
				acts = append(acts, int8(beat[1][lane]))
			}
		}
		acc, q = append(acc, sums[:b.N()]), append(q, acts[:b.N()])
	}
	return acc, q
}

// block is the crossbar of PE (row, col) with its part of the weights.
func (b PIM) block(row, col int) Crossbar {
	x := b.Crossbar
	x.ID += uint64(row*b.ColBlocks + col)
	x.Weights = make([][]int8, x.Cols)
	for c := range x.Weights {
		x.Weights[c] = make([]int8, x.Rows)
		n := col*x.Cols + c
		for r := range x.Weights[c] {
			if k := row*x.Rows + r; n < len(b.Weights) && k < len(b.Weights[n]) {
				x.Weights[c][r] = b.Weights[n][k]
			}
		}
	}
	return x
}

// Arithmetic is the sum over row blocks of each PE's product, and its activation.
func (b PIM) Arithmetic(in [][]Beat) [][]Beat {
	if len(in) > 2 {
		written, told := b.Written(in[2])
		return append(written.Arithmetic(in[:2]), told)
	}
	var vectors [][]int8
	for v := 0; v+b.Loads() <= len(in[1]); v += b.Loads() {
		var x []int8
		for _, beat := range in[1][v : v+b.Loads()] {
			for _, e := range beat[0] {
				x = append(x, int8(e))
			}
		}
		vectors = append(vectors, x)
	}
	var out []Beat
	for _, sums := range b.Product(vectors) {
		m, s := in[0][0][0][0], in[0][0][1][0]
		acc, q := make([]int64, b.Results()*b.Lanes), make([]int64, b.Results()*b.Lanes)
		for n, sum := range sums {
			acc[n], q[n] = int64(sum), requantise(int64(sum), m, s, 8)
		}
		for i := 0; i < len(acc); i += b.Lanes {
			out = append(out, Beat{words(acc[i:i+b.Lanes], 32), words(q[i:i+b.Lanes], 8)})
		}
	}
	return [][]Beat{out}
}

// Product is the N() sums of each of the vectors that enter after a reset, of at least K()
// elements each.
func (b PIM) Product(vectors [][]int8) [][]int32 {
	sums := make([][]int32, len(vectors))
	for v := range sums {
		sums[v] = make([]int32, b.N())
	}
	for row := range b.RowBlocks {
		for col := range b.ColBlocks {
			pair := b.block(row, col)
			t := b.cells[row*b.ColBlocks+col]
			if t == nil {
				t = pair.Tables()
			}
			for v, x := range vectors {
				part := t.Product(x[row*pair.Rows:(row+1)*pair.Rows], uint32(v*t.Conversions()))
				for c, sum := range part[:pair.Cols] {
					sums[v][col*pair.Cols+c] += sum
				}
			}
		}
	}
	return sums
}

// Cycles of the vectors in stream x, see vectors, or of rows of weights; the time of both together is
// not known.
func (b PIM) Cycles(in [][]Beat) int {
	if len(in) > 2 && len(in[2]) > 0 {
		if len(in[1]) > 0 {
			panic("hw: the time of vectors while weights are written is not known")
		}
		_, told := b.Written(in[2])
		return b.grid().rowsCycles(nil, told)
	}
	return b.vectors(len(in[1]) / b.Loads())
}

// vectors is the time of n vectors. With K/part cycles to distribute one, L of them for each
// row of PEs, and V conversions, vector i is distributed from cycle s, its conversions begin
// at c in the first row of PEs and at d in the last, and its sums are collected from f:
//
//	s' = max(s + K/part, c + V)          the first row of PEs is free again
//	c  = max(s + L, f° + fill)           its sums of the vector before have left
//	d  = max(s + K/part, f° + fill)
//	f  = max(d + V + 1, f° + fill + N/chunk + 1)   the output buffer is free
//
// where ' is of the next and ° of the previous vector; the last beat of y moves in cycle
// f + fill + N/chunk + 2.
func (b PIM) vectors(n int) int {
	if n == 0 {
		return 0
	}
	pe := b.pe()
	dist, v, fill := b.K()/b.part(), pe.Conversions(), b.fill()
	start, f := 2, -fill-b.chunks()-1 // the input buffer takes 2 cycles
	for range n {
		first, last := max(start+pe.Loads(), f+fill), max(start+dist, f+fill)
		start = max(start+dist, first+v)
		f = max(last+v+1, f+fill+b.chunks()+1)
	}
	return f + fill + b.chunks() + 3
}

// Image is the cells of every PE.
func (b PIM) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	grid := ir.Inst{Name: "pe", Grid: true, Rows: b.RowBlocks, Cols: b.ColBlocks}
	for row := range b.RowBlocks {
		for col := range b.ColBlocks {
			pe := b.pe()
			pe.Crossbar = b.block(row, col)
			img.Add(pe.Image(prefix + "." + grid.InstPath(row, col)))
		}
	}
	return img
}

func randomPIM(r *rand.Rand) PIM {
	b := PIM{RowBlocks: oddSize(r, 3), ColBlocks: oddSize(r, 3), Lanes: oddSize(r, 8), Crossbar: randomCrossbar(r, 9)}
	b.Crossbar.Weights = nil
	if r.Intn(3) == 0 {
		b.Crossbar = b.Crossbar.randomWritable(r)
	}
	b.Weights = RandomTernary(r, b.N(), b.K())
	return b
}

// pimWork is a scale and one to four vectors, or rows of weights.
func pimWork(r *rand.Rand, b PIM, extreme bool) [][]Beat {
	in, _ := b.Streams()
	cfg := Beat{{uint64(128 + r.Intn(128))}, {uint64(1 + r.Intn(12))}}
	work := [][]Beat{{cfg}, RandomBeats(r, in[1], (1+r.Intn(4))*b.Loads(), extreme)}
	if b.Crossbar.Writable {
		work = append(work, nil)
		if r.Intn(2) == 0 {
			work = [][]Beat{nil, nil, b.RandomRows(r, 1+r.Intn(8))}
		}
	}
	return work
}
