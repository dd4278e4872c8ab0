package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// checkProgram says what of Program does not fit the bank.
func (b Bank) checkProgram() error {
	reads, blocks, used := 0, 0, map[int]string{}
	for i, op := range b.Program {
		nb := ceilDiv(op.K, b.Crossbar.Rows)
		if op.K < 1 || len(op.Matrices) == 0 {
			return fmt.Errorf("bank: operation %d has %d inputs and %d matrices", i, op.K, len(op.Matrices))
		}
		if err := inRange("bank", fmt.Sprintf("beats of the vector of operation %d", i), ceilDiv(op.K, b.Lanes), 1, 1<<b.beatBits()-1); err != nil {
			return err
		}
		blocks += nb
		for j, m := range op.Matrices {
			name := fmt.Sprintf("matrix %d of operation %d", j, i)
			if err := firstError(b.checkMatrix(name, op.K, m), b.checkNormalised(name, m, j, len(op.Matrices))); err != nil {
				return err
			}
			reads += len(m.PE[0])
			for _, row := range m.PE {
				for _, pe := range row {
					if pe < 0 || pe >= b.pes() {
						return fmt.Errorf("bank: %s uses PE %d of %d", name, pe, b.pes())
					}
					if other, twice := used[pe]; twice {
						return fmt.Errorf("bank: %s uses PE %d, as does %s", name, pe, other)
					}
					used[pe] = name
				}
			}
		}
	}
	return firstError(inRange("bank", "operations of the program", len(b.Program), 0, b.Ops),
		inRange("bank", "row blocks of the program", blocks, 0, b.Blocks), inRange("bank", "column blocks of the program", reads, 0, b.Reads))
}

func (b Bank) checkMatrix(name string, k int, m BankMatrix) error {
	n := len(m.Weights)
	if n < 1 || len(m.PE) != ceilDiv(k, b.Crossbar.Rows) {
		return fmt.Errorf("bank: %s has %d outputs and %d row blocks in PEs, the vector has %d", name, n, len(m.PE), ceilDiv(k, b.Crossbar.Rows))
	}
	for _, row := range m.PE {
		if len(row) != ceilDiv(n, b.Crossbar.Cols) {
			return fmt.Errorf("bank: %s has %d column blocks in PEs, it needs %d", name, len(row), ceilDiv(n, b.Crossbar.Cols))
		}
	}
	for o, row := range m.Weights {
		if len(row) != k {
			return fmt.Errorf("bank: %s has %d inputs in row %d, the vector has %d", name, len(row), o, k)
		}
		for i, w := range row {
			if w < -1 || w > 1 {
				return fmt.Errorf("bank: %s: weight [%d][%d] is %d, allowed are -1, 0 and 1", name, o, i, w)
			}
		}
	}
	if m.Post < Post8 || m.Post > PostNorm {
		return fmt.Errorf("bank: %s has post-processing %d", name, m.Post)
	}
	return firstError(inRange("bank", name+": M", m.M, 0, 255), inRange("bank", name+": S", m.S, 0, 31))
}

// block is the crossbar that holds the row block rb and the column block cb of a matrix.
func (b Bank) block(m BankMatrix, rb, cb int) Crossbar {
	x := b.Crossbar
	x.ID += uint64(m.PE[rb][cb])
	x.Weights = make([][]int8, x.Cols)
	for c := range x.Weights {
		x.Weights[c] = make([]int8, x.Rows)
		if n := cb*x.Cols + c; n < len(m.Weights) {
			copy(x.Weights[c], m.Weights[n][min(rb*x.Rows, len(m.Weights[n])):])
		}
	}
	return x
}

// tables is what the crossbar of a block converts with: as it was programmed, or as it was loaded.
func (b Bank) tables(m BankMatrix, rb, cb int) *device.Tables {
	if t := b.cells[m.PE[rb][cb]]; t != nil {
		return t
	}
	x := b.block(m, rb, cb)
	if b.blank {
		x.Weights = nil
	}
	return x.Tables()
}

// crossbars is those of all PEs as they are loaded; without weights where no matrix is.
func (b Bank) crossbars() []Crossbar {
	all := make([]Crossbar, b.pes())
	for i := range all {
		all[i] = b.Crossbar
		all[i].ID += uint64(i)
	}
	for _, op := range b.Program {
		for _, m := range op.Matrices {
			for rb, row := range m.PE {
				for cb, pe := range row {
					if !b.blank {
						all[pe] = b.block(m, rb, cb)
					}
				}
			}
		}
	}
	return all
}

// Sums is what the crossbars make of one matrix and a vector of its K elements, the run-th since
// reset (from 0, which numbers the noise): for each output, the sum over the row blocks, in cells.
func (b Bank) Sums(m BankMatrix, x []int8, run int) []int {
	sums := make([]int, len(m.Weights))
	padded := make([]int8, len(m.PE)*b.Crossbar.Rows)
	copy(padded, x)
	for rb := range m.PE {
		for cb := range m.PE[rb] {
			pair, first := b.Crossbar, cb*b.Crossbar.Cols
			t := b.tables(m, rb, cb)
			part := t.Product(padded[rb*pair.Rows:(rb+1)*pair.Rows], uint32(run*t.Conversions()))
			for n := first; n < min(first+pair.Cols, len(sums)); n++ {
				sums[n] += int(part[n-first])
			}
		}
	}
	return sums
}

// Results is what the bank gives for one matrix and a vector of its K elements, the run-th
// since reset.
func (b Bank) Results(m BankMatrix, x []int8, run int) []int16 {
	out := make([]int16, len(m.Weights))
	for n, sum := range b.Sums(m, x, run) {
		v := int64(0)
		switch m.Post {
		case Post16, PostNorm:
			v = requantise(int64(sum), uint64(m.M), uint64(m.S), 16)
		case PostActivate:
			v = b.Act.apply(requantise(int64(sum), uint64(m.M), uint64(m.S), 8))
		default:
			v = requantise(int64(sum), uint64(m.M), uint64(m.S), 8)
		}
		out[n] = int16(v)
	}
	if m.Post == PostNorm {
		b.normalised(out)
	}
	return out
}

// Vector is stream x for one vector.
func (b Bank) Vector(x []int8) []Beat {
	var beats []Beat
	for i := 0; i < len(x); i += b.Lanes {
		beat := make([]int8, b.Lanes)
		copy(beat, x[i:])
		beats = append(beats, Beat{words(beat, 8)})
	}
	return beats
}

// Collect takes the results of operation op from the front of stream y, matrix after matrix.
func (b Bank) Collect(op int, y []Beat) (results [][]int16, rest []Beat) {
	for _, m := range b.Program[op].Matrices {
		var out []int16
		for len(out) < len(m.Weights) {
			for _, w := range y[0][0] {
				out = append(out, int16(w))
			}
			y = y[1:]
		}
		results = append(results, out[:len(m.Weights)])
	}
	return results, y
}

func (b Bank) Arithmetic(in [][]Beat) [][]Beat {
	if len(in) > 2 {
		written, told := b.Written(in[2])
		return [][]Beat{written.operations(in[0], in[1]), told}
	}
	return [][]Beat{b.operations(in[0], in[1])}
}

// operations is stream y.
func (b Bank) operations(cmds, x []Beat) []Beat {
	var out []Beat
	runs := make([]int, len(b.Program))
	for _, cmd := range cmds {
		op := b.Program[cmd[0][0]]
		var v []int8
		for len(v) < op.K {
			for _, e := range x[0][0] {
				v = append(v, int8(e))
			}
			x = x[1:]
		}
		for _, m := range op.Matrices {
			results := b.Results(m, v[:op.K], runs[cmd[0][0]])
			for i := 0; i < len(results); i += b.Lanes {
				beat := make([]int, b.Lanes)
				for j := i; j < min(i+b.Lanes, len(results)); j++ {
					beat[j-i] = int(results[j])
				}
				out = append(out, Beat{words(beat, 16), flag(i+b.Lanes >= len(results))})
			}
		}
		runs[cmd[0][0]]++
	}
	return out
}

// Shape is an operation as far as its time depends on it: the inputs, and the outputs of each
// matrix, and whether the last one is normalised.
type Shape struct {
	K    int
	N    []int
	Norm bool
}

// Shape is that of operation op.
func (op BankOp) Shape() Shape {
	s := Shape{K: op.K}
	for _, m := range op.Matrices {
		s.N = append(s.N, len(m.Weights))
		s.Norm = m.Post == PostNorm
	}
	return s
}

// OpTime is where the cycles of one operation go, from the first beat of its vector to the
// last beat of its results, when it is alone in the bank. Conversions stand for crossbar, DACs
// and converters.
type OpTime struct {
	Buffers     int // through the global buffer and the output buffer
	Distribute  int // row blocks to the PEs, loads beats each
	Network     int // the vector's last beat and the first sums on their way through the tiles
	Conversions int
	ShiftAdd    int // from the last conversion to the first sums
	Read        int // the column blocks' sums
	Post        int // requantise, activation, packing
	Norm        int // of the last matrix, where it is normalised
}

// Total is the operation's time in cycles.
func (t OpTime) Total() int {
	return t.Buffers + t.Distribute + t.Network + t.Conversions + t.ShiftAdd + t.Read + t.Post + t.Norm
}

// Time of one operation of the given shape.
func (b Bank) Time(s Shape) OpTime {
	v, n := b.pe().Conversions(), 0
	if s.Norm {
		n = b.normTime()
	}
	return OpTime{Norm: n, Buffers: 2 + 2, Distribute: ceilDiv(s.K, b.Crossbar.Rows) * b.loads(), Network: 1 + b.network(), Conversions: v,
		ShiftAdd: b.converting() - 1 - v, Read: b.lastRead(s) + 1, Post: postLatency + 1}
}

// reads is the number of reads of an operation, lastRead the index of the last that has a
// result.
func (b Bank) reads(s Shape) int {
	n := 0
	for _, outs := range s.N {
		n += ceilDiv(outs, b.Crossbar.Cols) * b.flits()
	}
	return n
}

func (b Bank) lastRead(s Shape) int {
	outs := s.N[len(s.N)-1]
	col, a := (outs-1)%b.Crossbar.Cols, b.Crossbar.Converters()
	return b.reads(s) - b.flits() + col/a*b.subs() + col%a/b.width()
}

// Cycles adds up operations, and rows of weights where there are some; see OpsCycles and
// rowsCycles.
func (b Bank) Cycles(in [][]Beat) int {
	var shapes []Shape
	for _, cmd := range in[0] {
		shapes = append(shapes, b.Program[cmd[0][0]].Shape())
	}
	if len(in) > 2 && len(in[2]) > 0 {
		_, told := b.Written(in[2])
		return b.rowsCycles(shapes, told)
	}
	return b.OpsCycles(shapes)
}

// opsTime is when a bank does operations of given shapes, one after the other: the vector of the
// next is distributed from the cycle after the reads began, and conversions begin when it is
// there and the sums before have been read. Sums are read when no norm is under way.
type opsTime struct {
	Bank
	free int // the next operation can begin
	read int // the last read
	end  int // the last result
	norm int // the first read that may follow a norm
}

// operation is one that begins at a cycle.
func (t *opsTime) operation(s Shape, at int) {
	start := max(at+1, 2) // the first vector comes through the global buffer in 2 cycles
	loaded := start + ceilDiv(s.K, t.Crossbar.Rows)*t.loads() - 1
	first := max(max(loaded, t.read)+t.converting(), t.norm)
	t.read = first + t.reads(s) - 1
	t.end = first + t.lastRead(s) + t.network() + postLatency + 5
	if s.Norm {
		t.end += t.normTime()
		t.norm = t.end + 1
	}
	t.free = first
}

// OpsCycles is the time of operations of the given shapes, one after the other.
func (b Bank) OpsCycles(shapes []Shape) int {
	t := opsTime{Bank: b}
	for _, s := range shapes {
		t.operation(s, t.free)
	}
	return t.end
}

// Image is the tables of the controller and of every tile, and the cells of every PE.
func (b Bank) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	ops, reads := make([]uint64, b.Ops), make([]uint64, b.Reads)
	tiles := b.Rows * b.Cols
	blocks, columns := make([][]uint64, tiles), make([][]uint64, tiles)
	for t := range tiles {
		blocks[t], columns[t] = make([]uint64, b.Blocks), make([]uint64, b.Reads)
	}
	block, read := 0, 0
	for i, op := range b.Program {
		firstRead := read
		for _, m := range op.Matrices {
			for rb, row := range m.PE {
				for cb, pe := range row {
					blocks[pe/b.PEs][block+rb] |= 1 << (pe % b.PEs)
					columns[pe/b.PEs][read+cb] |= 1 << (pe % b.PEs)
				}
			}
			for cb := range m.PE[0] {
				cols, last := b.Crossbar.Cols, 0
				if cb == len(m.PE[0])-1 {
					cols, last = len(m.Weights)-cb*b.Crossbar.Cols, 1
				}
				reads[read+cb] = packed(b.readFields(), cols-1, last, m.M, m.S, int(m.Post))
			}
			read += len(m.PE[0])
		}
		nb := ceilDiv(op.K, b.Crossbar.Rows)
		word := []int{block, nb - 1, firstRead, read - firstRead - 1, ceilDiv(op.K, b.Lanes)}
		if b.normalises() {
			word = append(word, int(flag(op.Shape().Norm)[0]))
		}
		ops[i] = packed(b.opFields(), word...)
		block += nb
	}
	img.Data[prefix+".u_control.u_ops.mem"], img.Data[prefix+".u_control.u_reads.mem"] = ops, reads
	cells := b.crossbars()
	grid := ir.Inst{Name: "tile", Grid: true, Rows: b.Rows, Cols: b.Cols}
	inTile := ir.Inst{Name: "pe", Grid: true, Rows: 1, Cols: b.PEs}
	for t := range tiles {
		path := prefix + "." + grid.InstPath(t/b.Cols, t%b.Cols)
		img.Data[path+".u_distributor.mem"], img.Data[path+".u_routes.mem"] = blocks[t], columns[t]
		for i := range b.PEs {
			pe := CrossbarPE{Crossbar: cells[t*b.PEs+i], Lanes: b.beat()}
			img.Add(pe.Image(path + "." + inTile.InstPath(0, i) + ".u_pe"))
		}
	}
	return img
}

// randomBank has random sizes and a few operations with matrices all over its PEs.
func randomBank(r *rand.Rand) Block {
	b := Bank{Rows: oddSize(r, 3), Cols: oddSize(r, 3), PEs: oddSize(r, 6), Lanes: oddSize(r, 9), Buffer: 2 + r.Intn(4),
		Crossbar: randomCrossbar(r, 7), Act: randomActivation(r).(Activation)}
	b.Crossbar.Weights, b.Act.Lanes = nil, 0
	if r.Intn(3) == 0 {
		b.Crossbar = b.Crossbar.randomWritable(r)
	}
	b = b.WithRandomProgram(r)
	if r.Intn(3) == 0 {
		b = b.withRandomNorm(r)
	}
	blocks, reads := b.words()
	b.Ops, b.Blocks, b.Reads = len(b.Program)+r.Intn(3), blocks+r.Intn(3), reads+r.Intn(3)
	return b
}

// WithRandomProgram is the bank with a few operations whose matrices are all over its PEs. Tables with a word
// for each PE have room for it.
func (b Bank) WithRandomProgram(r *rand.Rand) Bank {
	b.Program = nil
	for free := r.Perm(b.pes()); len(b.Program) == 0 || len(free) > 0 && r.Intn(4) > 0; {
		nb := 1 + r.Intn(min(len(free), 3))
		op := BankOp{K: (nb-1)*b.Crossbar.Rows + 1 + r.Intn(b.Crossbar.Rows)}
		for len(op.Matrices) == 0 || len(free) >= nb && r.Intn(3) > 0 {
			nc := 1 + r.Intn(min(len(free)/nb, 3))
			n := (nc-1)*b.Crossbar.Cols + 1 + r.Intn(b.Crossbar.Cols)
			m := BankMatrix{Weights: RandomTernary(r, n, op.K), M: 128 + r.Intn(128), S: 1 + r.Intn(9), Post: Post(r.Intn(3))}
			for range nb {
				m.PE, free = append(m.PE, free[:nc]), free[nc:]
			}
			op.Matrices = append(op.Matrices, m)
		}
		b.Program = append(b.Program, op)
	}
	return b
}

// words is how many words of the tables of row and of column blocks the program takes.
func (b Bank) words() (blocks, reads int) {
	for _, op := range b.Program {
		blocks += ceilDiv(op.K, b.Crossbar.Rows)
		for _, m := range op.Matrices {
			reads += ceilDiv(len(m.Weights), b.Crossbar.Cols)
		}
	}
	return blocks, reads
}

// RandomOps is streams cmd and x for n operations of the program, in any order and again.
func (b Bank) RandomOps(r *rand.Rand, n int, extreme bool) [][]Beat {
	in, _ := b.Streams()
	var cmds, x []Beat
	for range n {
		op := r.Intn(len(b.Program))
		cmds = append(cmds, Beat{{uint64(op)}})
		v := make([]int8, b.Program[op].K)
		for i, beat := range RandomBeats(r, Stream{Fields: in[1].Fields[:1]}, len(v), extreme) {
			v[i] = int8(beat[0][0])
		}
		x = append(x, b.Vector(v)...)
	}
	return [][]Beat{cmds, x}
}

// bankWork is operations and, in a writable bank, rows of weights that change none of their
// results, since they may be written before or after each of them.
func bankWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Bank)
	in := b.RandomOps(r, 1+r.Intn(5), extreme)
	if b.Crossbar.Writable {
		in = append(in, b.randomRows(r, r.Intn(8)))
	}
	return in
}
