package hw

import (
	"fmt"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// Loaded tables of a crossbar. Cells stand in bit slices, so that a column sum is a population
// count a slice whatever the cells are. With ideal cells, pos and neg have one slice, ON or
// OFF; with conductances and signed conversions diff has the differences in two's complement;
// with separate conversions pos and neg have unsigned conductances. A word of cells has all of a
// step, slice after slice, in each a group of rows for each converter. In a crossbar that can be
// written a word has one slice of at most 64 rows, a chunk.
const (
	tablePos, tableNeg, tableDiff  = "pos", "neg", "diff"
	tableGain, tableOffset         = "adc_gain", "adc_offset"
	tableBow, tableSkew            = "adc_bow", "adc_skew"
	tableNoiseKey, tableNoiseScale = "noise_key", "noise_scale"
	tableForm                      = "form"
	tableDevice, tablePulses       = "device", "pulses" // of a crossbar that can be written
)

// slices is the bits of a cell in the table of that name.
func (b Crossbar) slices(table string) int {
	switch {
	case b.spec().Frac() == 0:
		return 1
	case table == tableDiff:
		return device.CellBits + 1
	}
	return device.CellBits
}

// sumBits holds the sum of any rows of either half, and their difference.
func (b Crossbar) sumBits() int {
	most := b.Rows
	if b.spec().Frac() > 0 {
		most *= 1<<device.CellBits - 1
	}
	return sbits(-most, most)
}

// differs reports that the cells are loaded as one table of differences.
func (b Crossbar) differs() bool {
	return b.spec().Frac() > 0 && (b.Step == StepIdeal || !b.Effects.Separate)
}

// chunk is the rows of a word of cells, chunks how many words have all rows.
func (b Crossbar) chunk() int {
	if b.Writable {
		return min(b.Rows, 64)
	}
	return b.Rows
}

func (b Crossbar) chunks() int { return ceilDiv(b.Rows, b.chunk()) }

// wordSlices is the slices of a word of cells.
func (b Crossbar) wordSlices(table string) int {
	if b.Writable {
		return 1
	}
	return b.slices(table)
}

// wordOf is the word of a table that has a cell, and the place of it there.
func (b Crossbar) wordOf(table string, col, row, slice int) (word, at int) {
	a, n, chunk := b.Converters(), b.wordSlices(table), b.chunk()
	word = (col/a*(b.slices(table)/n)+slice/n)*b.chunks() + row/chunk
	return word, (slice%n*a+col%a)*chunk + row%chunk
}

// cells declares the memory of a table.
func (b Crossbar) cells(m *ir.Module, table string) *ir.Mem {
	n := b.wordSlices(table)
	cells := m.Mem(table, b.Steps()*b.slices(table)/n*b.chunks(), ir.Vec(n*b.Converters()*b.chunk(), 1))
	cells.Loaded = true
	if table == tableDiff {
		cells.SliceBits, cells.SliceLen = b.slices(table), b.chunks()*b.Converters()*b.chunk()
	}
	return cells
}

// sums is the column sums of a step over the driven rows.
func (b Crossbar) sums(m *ir.Module, table string, cells *ir.Mem, rows, step *ir.Node) *ir.Node {
	a, w, chunk := b.Converters(), b.sumBits(), b.chunk()
	n := b.slices(table)
	if pad := chunk*b.chunks() - b.Rows; pad > 0 {
		rows = rows.Join(m.K(1, 0).Splat(pad))
	}
	words := n / b.wordSlices(table)
	var ones *ir.Node // of all slices
	for s := range words {
		var sum *ir.Node
		for c := range b.chunks() {
			word := m.Lookup(cells, address(step, words*b.chunks(), s*b.chunks()+c, cells.Depth))
			sum = plus(sum, rows.Elems(c*chunk, chunk).MaskedSum(word, sbits(0, b.Rows), false))
		}
		if ones == nil {
			ones = sum
		} else {
			ones = ones.Join(sum)
		}
	}
	ones.Named(table + "_ones")
	sum := ones.Elems(0, a).ZExt(w)
	for s := 1; s < n; s++ {
		slice := ones.Elems(s*a, a).ZExt(w).ShlK(s)
		if table == tableDiff && s == n-1 {
			sum = sum.Sub(slice)
		} else {
			sum = sum.Add(slice)
		}
	}
	return sum
}

// plus is a + b, or b when there is no a.
func plus(a, b *ir.Node) *ir.Node {
	if a == nil {
		return b
	}
	return a.Add(b)
}

// address is n*i + k in a memory of the given depth.
func address(i *ir.Node, n, k, depth int) *ir.Node {
	w := max(ir.ClogTwo(depth), i.Type.W)
	if i = i.ZExt(w); n > 1 {
		i = i.Mul(i.Module().K(w, uint64(n)))
	}
	if k > 0 {
		i = i.AddK(int64(k))
	}
	return i
}

// Image is the tables of the crossbar; columns that complete the last step have no cells.
func (b Crossbar) Image(prefix string) *ir.Image {
	return b.image(prefix, b.Tables())
}

func (b Crossbar) image(prefix string, t *device.Tables) *ir.Image {
	img := ir.NewImage()
	put := func(table string, data []uint64) {
		img.Data[prefix+"."+table] = data
		img.Notes[prefix+"."+table] = fmt.Sprintf("form %016x, crossbar %d, SHA-256 of geometry, effects, seed and weights %x", b.form(), t.ID, t.Hash)
	}
	pos := func(i int) uint64 { return uint64(t.Pos[i]) }
	neg := func(i int) uint64 { return uint64(t.Neg[i]) }
	if b.differs() {
		put(tableDiff, b.sliced(tableDiff, func(i int) uint64 { return pos(i) - neg(i) }))
	} else {
		put(tablePos, b.sliced(tablePos, pos))
		put(tableNeg, b.sliced(tableNeg, neg))
	}
	if t.Trimmed() {
		put(tableGain, words(t.Gain, device.GainBits))
		put(tableOffset, words(t.Offset, device.OffsetBits))
	}
	if t.Curved() {
		put(tableBow, words(t.Bow, device.INLBits))
		put(tableSkew, words(t.Skew, device.INLBits))
	}
	if t.Noisy() {
		put(tableNoiseKey, []uint64{t.Key})
		put(tableNoiseScale, []uint64{uint64(t.NoiseScale)})
	}
	if !b.Effects.Ideal() {
		put(tableForm, []uint64{b.form()})
	}
	if b.Writable {
		b.writeTables(put)
	}
	return img
}

// sliced lays cells [Cols][Rows] out as the table has them.
func (b Crossbar) sliced(table string, cell func(i int) uint64) []uint64 {
	n := b.slices(table)
	wide := b.wordSlices(table) * b.Converters() * b.chunk()
	data := make([]uint64, b.Steps()*n/b.wordSlices(table)*b.chunks()*wide)
	for c := range b.Cols {
		for r := range b.Rows {
			v := cell(c*b.Rows + r)
			for s := range n {
				word, at := b.wordOf(table, c, r, s)
				data[word*wide+at] = v >> s & 1
			}
		}
	}
	return data
}
