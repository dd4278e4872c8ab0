package hw

import (
	"math/rand"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// rowsWaiting is how many rows of weights the banks may have at once.
const rowsWaiting = 16

func (b Chip) weightsStream() Stream {
	s := b.bank(0).weightsStream()
	s.Fields = append([]Field{b.bankField()}, s.Fields...)
	return s
}

func (b Chip) writtenStream() Stream {
	s := b.bank(0).writtenStream()
	s.Fields = append([]Field{b.bankField()}, s.Fields...)
	return s
}

func (b Chip) bankField() Field { return Field{"bank", ir.Bits(ir.ClogTwo(b.Banks)), false, "bank"} }

// weights hands rows of weights to their banks, and tells what became of them in their order.
// A row for a bank that is not there goes to the first one, for a tile that is not there.
func (c *chipping) weights(rows, told Stream) {
	m := c.m
	row := slicedInput(c.lib, m, rows)
	bank := row.fields[0]
	there := m.K(1, 1)
	if c.Banks < 1<<bank.Type.W {
		there = bank.Leu(m.K(bank.Type.W, uint64(c.Banks-1))).Named("bank_there")
	}
	to := there.Mux(bank, m.K(bank.Type.W, 0))
	order := m.Instance("u_rows_written", Fifo{Depth: rowsWaiting, Lanes: 1, Width: bank.Type.W + 1}.Build(c.lib))
	room := m.OutOf(order, "x_ready")
	take := m.K(1, 0)
	for i, inst := range c.banks {
		here := to.EqK(uint64(i)).And(room)
		inst.In("weights_valid", row.valid.And(here))
		take = take.Or(here.And(m.OutOf(inst, "weights_ready")))
		for k, f := range rows.Fields[1:] {
			n := row.fields[k+1]
			if f.Name == "tile_row" {
				n = there.Mux(n, m.K(f.Type.W, 1<<f.Type.W-1))
			}
			inst.In("weights_"+f.Name, n)
		}
	}
	row.take(take)
	fire := row.valid.And(take).Named("weights_move")
	_, ends := counter(m, "weights_beat", c.bank(0).writer().RowBeats(), fire)
	order.In("x_valid", fire.And(ends)).In("x_data", bank.Cat(there))

	ready := output(m, told)
	front, waits := m.OutOf(order, "y_data"), m.OutOf(order, "y_valid")
	from := front.Bit(0).Mux(front.Slice(1, bank.Type.W), m.K(bank.Type.W, 0))
	valid, fields := m.K(1, 0), make([]*ir.Node, len(told.Fields))
	fields[0] = front.Slice(1, bank.Type.W)
	for i, inst := range c.banks {
		here := from.EqK(uint64(i)).And(waits)
		inst.In("written_ready", here.And(ready))
		valid = valid.Or(here.And(m.OutOf(inst, "written_valid")))
		for k, f := range told.Fields[1:] {
			n := m.OutOf(inst, "written_"+f.Name)
			if i > 0 {
				n = here.Mux(n, fields[k+1])
			}
			fields[k+1] = n
		}
	}
	order.In("y_ready", valid.And(ready))
	drive(m, told, valid, fields...)
}

// weightsOf is the rows of weights among input streams, if there are any.
func (b Chip) weightsOf(in [][]Beat) (rows []Beat, there bool) {
	at := 4
	if b.external() {
		at++
	}
	if !b.Bank.Crossbar.Writable || len(in) <= at {
		return nil, false
	}
	return in[at], true
}

// Blank is the chip with no weights loaded.
func (b Chip) Blank() Chip {
	b.blank = true
	return b
}

// RowsOfProgram is stream weights for all Matrices: a row of each bank in turn, so that banks are
// written at the same time.
func (b Chip) RowsOfProgram() []Beat {
	rows := make([][]Beat, b.Banks)
	left := 0
	for i := range rows {
		rows[i] = b.bank(i).RowsOfProgram()
		left += len(rows[i])
	}
	var beats []Beat
	n := b.bank(0).writer().RowBeats()
	for ; left > 0; left -= n {
		// next is the bank that has most to do: their ends come together
		next := 0
		for i := range rows {
			if len(rows[i]) > len(rows[next]) {
				next = i
			}
		}
		for _, beat := range rows[next][:n] {
			beats = append(beats, append(Beat{{uint64(next)}}, beat...))
		}
		rows[next] = rows[next][n:]
	}
	return beats
}

// rowFor is the beats of a row for the bank it goes to.
func (b Chip) rowFor(row []Beat) (bank int, beats []Beat) {
	bank = int(row[len(row)-1][0][0])
	for _, beat := range row {
		if bank >= b.Banks {
			beat = append(Beat{}, beat...)
			beat[1] = []uint64{1<<b.weightsStream().Fields[1].Type.W - 1}
		}
		beats = append(beats, beat[1:])
	}
	if bank >= b.Banks {
		bank = 0
	}
	return bank, beats
}

// Written is the chip when the rows of stream weights are written, and what stream written tells.
func (b Chip) Written(rows []Beat) (Chip, []Beat) {
	per, order := make([][]Beat, b.Banks), [][2]int(nil)
	n := b.bank(0).writer().RowBeats()
	for ; len(rows) >= n; rows = rows[n:] {
		bank, beats := b.rowFor(rows[:n])
		per[bank] = append(per[bank], beats...)
		order = append(order, [2]int{bank, int(rows[n-1][0][0])})
	}
	cells, said := b.cells, make([][]Beat, b.Banks)
	b.cells = make([]writtenTables, b.Banks)
	for i := range per {
		bank := b.bank(i)
		if cells != nil {
			bank.cells = cells[i]
		}
		bank, said[i] = bank.Written(per[i])
		b.cells[i] = bank.cells
	}
	var told []Beat
	for _, at := range order {
		told = append(told, append(Beat{{uint64(at[1])}}, said[at[0]][0]...))
		said[at[0]] = said[at[0]][1:]
	}
	return b, told
}

// Programmed is the tables of a PE of a bank that rows were written into, or nil.
func (b Chip) Programmed(bank, pe int) *device.Tables { return b.bank(bank).Programmed(pe) }

// WriteCycles is the time of rows of weights that come to what told says, while nothing runs:
// a row's beats follow those of the one before when its bank takes them, and banks tell in the
// rows' order.
func (b Chip) WriteCycles(told []Beat) int {
	w := b.bank(0).writer()
	beats := w.RowBeats()
	free, next, last := make([]int, b.Banks), 1, 0
	ends := make([]int, len(told))
	for i, row := range told {
		bank := int(row[0][0])
		if bank >= b.Banks {
			bank = 0
		}
		start := max(next, free[bank])
		if i >= rowsWaiting {
			start = max(start, ends[i-rowsWaiting]+1)
		}
		next = start + beats
		tells := next + 1
		if code := row[5][0]; code != RowIllegal && code != RowNowhere {
			tells += int(row[7][0]) * w.PulseCycles()
		}
		last = max(tells, last+1)
		free[bank], ends[i] = last+1, last
	}
	return last + 1
}

// LoadCycles is WriteCycles of all Matrices when every pair verifies after its first pulse.
func (b Chip) LoadCycles() int {
	rows := b.RowsOfProgram()
	w := b.bank(0).writer()
	told := make([]Beat, len(rows)/w.RowBeats())
	for i := range told {
		told[i] = Beat{rows[i*w.RowBeats()][0], {0}, {0}, {0}, {0}, {RowVerified}, {0}, {uint64(w.Steps())}}
	}
	return b.WriteCycles(told)
}

// randomRows is rows for all banks that change no result, some for a bank that is not there.
func (b Chip) randomRows(r *rand.Rand, most int) []Beat {
	n := b.bank(0).writer().RowBeats()
	var beats []Beat
	for range 1 + r.Intn(most) {
		bank := r.Intn(b.Banks)
		said := bank
		if absent := 1<<b.bankField().Type.W - 1; absent >= b.Banks && r.Intn(4) == 0 {
			said = absent
		}
		for _, beat := range b.bank(bank).randomRows(r, 1) {
			beats = append(beats, append(Beat{{uint64(said)}}, beat...))
		}
	}
	if len(beats)%n != 0 {
		panic("hw: rows of weights are not whole")
	}
	return beats
}
