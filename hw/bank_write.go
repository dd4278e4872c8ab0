package hw

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"

	"ohmloom/hw/device"
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// What a row of stream weights came to.
const (
	RowVerified = iota
	RowFailed
	RowIllegal
	RowNowhere
)

// RowErrors says what the error field of stream written means.
var RowErrors = []string{
	"every pair of the row is verified",
	"pairs of the row would not verify",
	"a weight of the row is none of -1, 0 and 1: nothing was written",
	"there is no such PE or row: nothing was written",
}

// writePorts are the writer's outputs that pass through every tile: one is addressed when hops is 0.
var writePorts = []string{"w_valid", "w_hops", "w_pe", "w_verify", "w_step", "w_row", "w_pos", "w_neg", "w_pulse"}

// writer is the row writer of a bank; a pulse passes the tiles, and its verdict comes back
// through those that are left, the rows of tiles being joined in one cycle more.
func (b Bank) writer() rowWriter {
	return rowWriter{Crossbar: b.Crossbar, Lanes: b.Lanes, Latency: b.Cols + 2}
}

// RowTime is the cycles from one row of weights to the next, with a number of pulses of all steps:
// its beats, one to begin, the pulses, one to tell. Without operations, and rows always there, n rows take
// the sum of theirs.
func (b Bank) RowTime(pulses int) int {
	w := b.writer()
	return w.RowBeats() + 1 + pulses*w.PulseCycles() + 1
}

// RowBeats is the beats of a row of weights, PulseCycles the cycles of a pulse with its verdict.
func (b Bank) RowBeats() int    { return b.writer().RowBeats() }
func (b Bank) PulseCycles() int { return b.writer().PulseCycles() }

// writeTypes are the types of writePorts.
func (b Bank) writeTypes() map[string]ir.Type {
	p, _ := b.Crossbar.writeStreams()
	types := map[string]ir.Type{"w_valid": ir.Bits(1), "w_hops": ir.Bits(ir.ClogTwo(b.Cols)), "w_pe": ir.Bits(ir.ClogTwo(b.PEs))}
	for _, f := range p.Fields {
		types["w_"+f.Name] = f.Type
	}
	return types
}

// place is the fields that say which row of cells is meant.
func (b Bank) place() []Field {
	return []Field{
		{"tile_row", ir.Bits(ir.ClogTwo(b.Rows + 1)), false, "row of tiles; of none, when all bits are 1"},
		{"tile_col", ir.Bits(ir.ClogTwo(b.Cols)), false, "column of tiles"},
		{"pe", ir.Bits(ir.ClogTwo(b.PEs)), false, "PE of the tile"},
		{"row", ir.Bits(ir.ClogTwo(b.Crossbar.Rows)), false, "row of its crossbar"},
	}
}

func (b Bank) weightsStream() Stream {
	return Stream{Name: "weights", Doc: "weights, a row of a crossbar after the other",
		Fields: append(b.place(), Field{"data", ir.Vec(b.Lanes, 2), true, "int2 weights"})}
}

func (b Bank) writtenStream() Stream {
	return Stream{Name: "written", Doc: "what became of each row", Fields: append(b.place(),
		Field{"error", ir.Bits(2), false, "0: verified; see RowErrors"},
		Field{"failed", b.writer().failedType(), false, "pairs that would not verify"},
		Field{"pulses", b.writer().rowPulsesType(), false, "pulses of all steps"})}
}

// writerModule takes rows, waits until no operation works (port quiet), keeps others from
// beginning (port holds), pulses and tells.
func (b Bank) writerModule(lib *Lib) *ir.Module {
	w := b.writer()
	name := fmt.Sprintf("bank_writer_%dx%dx%d_l%d_p%d_%s", b.Rows, b.Cols, b.PEs, b.Lanes, b.Crossbar.Pulses, b.Crossbar.suffix())
	doc := fmt.Sprintf("Row writer of a bank: rows of %d beats, %d steps of at most %d pulses of %d cycles.", w.RowBeats(), w.Steps(), w.Pulses, w.PulseCycles())
	return lib.module("bank_writer", name, doc, func(m *ir.Module) {
		weights, status := b.weightsStream(), b.writtenStream()
		in := input(m, weights)
		take := output(m, status)
		quiet := m.In("quiet", ir.Bits(1), "no operation works")
		ok := m.In("ok", ir.Vec(w.Converters(), 1), "verdict of the PE that is written")

		fills, waits := m.Reg("fills", ir.Bits(1), 1), m.Reg("waits", ir.Bits(1), 0)
		pulses, tells := m.Reg("pulses", ir.Bits(1), 0), m.Reg("tells", ir.Bits(1), 0)
		fire := in.ready(fills.Q)
		_, end := counter(m, "row_beat", w.RowBeats(), fire)
		full := fire.And(end).Named("full")
		told := tells.Q.And(take).Named("told")
		row := w.build(m, pulses.Q, fire, in.fields[len(in.fields)-1], ok, told)

		fields := b.place()
		place := make([]*ir.Node, len(fields))
		for i, f := range fields {
			place[i] = m.DataReg("at_"+f.Name, f.Type).SetEn(fire, in.fields[i])
		}
		nowhere := m.K(1, 0)
		for i, size := range []int{b.Rows, b.Cols, b.PEs, b.Crossbar.Rows} {
			if size < 1<<place[i].Type.W {
				nowhere = nowhere.Or(place[i].Leu(m.K(place[i].Type.W, uint64(size-1))).Not())
			}
		}
		illegal := row.weights.Elems(0, w.Cols).EqK(2).AnyOf(1)
		refuse := nowhere.Or(illegal).Named("refuse")
		begins := waits.Q.And(refuse.Not()).And(quiet).Named("begins")
		refused := waits.Q.And(refuse).Named("refused")
		fills.SetEn(full.Or(told), told)
		waits.SetEn(full.Or(begins).Or(refused), full)
		pulses.SetEn(begins.Or(row.rowDone), begins)
		tells.SetEn(row.rowDone.Or(refused).Or(told), told.Not())
		m.Out("holds", waits.Q.Or(pulses.Q), "operations may not begin")

		count := m.Reg("row_pulses", w.rowPulsesType(), 0)
		count.SetEn(row.judged.Or(told), told.Mux(m.K(count.Type.W, 0), count.Q.AddK(1)))
		reason := m.DataReg("reason", ir.Bits(2)).SetEn(waits.Q, nowhere.Mux(m.K(2, RowNowhere), illegal.Mux(m.K(2, RowIllegal), m.K(2, 0))))
		failed := row.failed.Q.EqK(0).Not()
		drive(m, status, tells.Q, append(place, reason.Or(failed.ZExt(2)), row.failed.Q, count.Q)...)

		m.Out("w_valid", oneHot(place[0], b.Rows).And(row.valid), portDocs["w_valid"])
		m.Out("w_hops", place[1], portDocs["w_hops"])
		m.Out("w_pe", place[2], portDocs["w_pe"])
		m.Out("w_row", place[3], portDocs["w_row"])
		for _, f := range []string{"verify", "step", "pos", "neg", "pulse"} {
			m.Out("w_"+f, row.fields[f], portDocs["w_"+f])
		}
	})
}

// writeTiles connects the writer with the tiles and gives it their verdict.
func (b Bank) writeTiles(m *ir.Module, writer, grid *ir.Inst) {
	for _, port := range writePorts {
		n := m.OutOf(writer, port)
		if port != "w_valid" {
			n = tiled(n, b.Rows)
		}
		grid.Chain(port, port+"_east", ir.West, n)
	}
	a := b.Crossbar.Converters()
	grid.Chain("w_ok", "w_ok_east", ir.West, m.K(1, 0).Splat(b.Rows*a))
	ok := m.Edge(grid, "w_ok_east", ir.East)
	any := ok.Elems(0, a)
	for r := 1; r < b.Rows; r++ {
		any = any.Or(ok.Elems(r*a, a))
	}
	writer.In("ok", m.DataReg("verdict", any.Type).Set(any))
}

// RowOf is stream weights for one row of PE pe: its weights, one a column.
func (b Bank) RowOf(pe, row int, weights []int8) []Beat {
	var beats []Beat
	tile := pe / b.PEs
	for c := 0; c < b.Crossbar.Cols; c += b.Lanes {
		data := make([]uint64, b.Lanes)
		for i := c; i < min(c+b.Lanes, len(weights)); i++ {
			data[i-c] = word(int64(weights[i]), 2)
		}
		beats = append(beats, Beat{{uint64(tile / b.Cols)}, {uint64(tile % b.Cols)}, {uint64(pe % b.PEs)}, {uint64(row)}, data})
	}
	return beats
}

// RowsOfProgram is stream weights for all matrices of Program: every row of every PE that holds a
// block of one, PE after PE.
func (b Bank) RowsOfProgram() []Beat {
	var beats []Beat
	b.blank = false
	for pe, x := range b.crossbars() {
		if x.Weights == nil {
			continue
		}
		for r := range x.Rows {
			beats = append(beats, b.RowOf(pe, r, x.row(r))...)
		}
	}
	return beats
}

// row is the weights of a row, one a column.
func (b Crossbar) row(r int) []int8 {
	weights := make([]int8, b.Cols)
	for c := range weights {
		if b.Weights != nil {
			weights[c] = b.Weights[c][r]
		}
	}
	return weights
}

// Blank is the bank with its program, and no weights in its PEs.
func (b Bank) Blank() Bank {
	b.blank = true
	return b
}

// Written is the bank when the rows of stream weights are written, and what stream written tells.
func (b Bank) Written(rows []Beat) (Bank, []Beat) { return b.write(b.crossbars(), rows) }

// write is Written into crossbars that hold their weights.
func (b Bank) write(held []Crossbar, rows []Beat) (Bank, []Beat) {
	states := map[int]*cellState{}
	var told []Beat
	n := b.writer().RowBeats()
	for ; len(rows) >= n; rows = rows[n:] {
		place := rows[n-1][:4]
		tile, pe, row := int(place[0][0])*b.Cols+int(place[1][0]), int(place[2][0]), int(place[3][0])
		code, pulses, failed := RowVerified, 0, 0
		var weights []int
		for _, beat := range rows[:n] {
			for _, e := range beat[4] {
				weights = append(weights, int(signed(e, 2)))
			}
		}
		if slices.Contains(weights[:b.Crossbar.Cols], -2) {
			code = RowIllegal
		}
		if int(place[0][0]) >= b.Rows || int(place[1][0]) >= b.Cols || pe >= b.PEs || row >= b.Crossbar.Rows {
			code = RowNowhere
		}
		if code == RowVerified {
			at := tile*b.PEs + pe
			if states[at] == nil {
				states[at] = held[at].state()
				if t := b.cells[at]; t != nil {
					states[at].t.Pos, states[at].t.Neg = slices.Clone(t.Pos), slices.Clone(t.Neg)
				}
			}
			if pulses, failed = states[at].write(row, weights); failed > 0 {
				code = RowFailed
			}
		}
		told = append(told, append(append(Beat{}, place...), []uint64{uint64(code)}, []uint64{uint64(failed)}, []uint64{uint64(pulses)}))
	}
	cells := maps.Clone(b.cells)
	if cells == nil {
		cells = writtenTables{}
	}
	for pe, s := range states {
		s.t.Rewritten()
		cells[pe] = s.t
	}
	b.cells = cells
	return b, told
}

// Programmed is the tables of a PE that rows were written into, or nil.
func (b Bank) Programmed(pe int) *device.Tables { return b.cells[pe] }

// rowsCycles is the time of operations and of rows that come to what told says, when all are
// offered from the start. A row that waits lets no operation begin; an operation that works is
// waited for, until its last sum is read.
func (b Bank) rowsCycles(shapes []Shape, told []Beat) int {
	t, w := opsTime{Bank: b, read: before}, b.writer()
	full, end := w.RowBeats(), 0 // the next row waits; the last has told
	for len(shapes) > 0 || len(told) > 0 {
		if len(shapes) > 0 && (len(told) == 0 || t.free < full) {
			t.operation(shapes[0], t.free)
			shapes = shapes[1:]
			continue
		}
		code, pulses := told[0][4][0], int(told[0][6][0])
		told = told[1:]
		tells := full + 1
		if code != RowIllegal && code != RowNowhere {
			tells = max(full, t.free, t.read+1) + pulses*w.PulseCycles() + 1
		}
		t.free = max(t.free, tells)
		end, full = tells+1, tells+1+w.RowBeats()
	}
	return max(t.end, end)
}

// randomRows is rows that change no result: those of the program again, in any order, any weights
// for PEs that hold nothing, and rows that are refused.
func (b Bank) randomRows(r *rand.Rand, n int) []Beat { return b.rowsAgain(r, b.crossbars(), n) }

// rowsAgain is randomRows for crossbars that hold their weights, or none.
func (b Bank) rowsAgain(r *rand.Rand, held []Crossbar, n int) []Beat {
	var beats []Beat
	for range n {
		pe, row := r.Intn(b.pes()), r.Intn(b.Crossbar.Rows)
		weights := held[pe].row(row)
		if held[pe].Weights == nil {
			weights = RandomTernary(r, 1, b.Crossbar.Cols)[0]
		}
		kind := r.Intn(4)
		if kind == 0 {
			weights[r.Intn(len(weights))] = -2
		}
		rows := b.RowOf(pe, row, weights)
		if last := rows[len(rows)-1]; kind == 1 {
			i := r.Intn(4)
			last[i] = []uint64{bits.Mask(b.place()[i].Type.W)}
			if _, told := b.write(held, rows); told[0][4][0] != RowNowhere { // there is such a place, which may hold others
				continue
			}
		}
		beats = append(beats, rows...)
	}
	return beats
}
