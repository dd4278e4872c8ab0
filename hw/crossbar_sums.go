package hw

import (
	"fmt"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// Loaded tables of a crossbar. A word of cells has a step's columns in bit slices, so that a
// column sum is one population count a slice whatever the cells are: bit r of group
// slice*A + converter is that slice of row r's cell. With ideal cells, pos and neg have one
// slice, ON or OFF; with conductances and signed conversions diff has the differences in
// two's complement; with separate conversions pos and neg have unsigned conductances.
const (
	tablePos, tableNeg, tableDiff  = "pos", "neg", "diff"
	tableGain, tableOffset         = "adc_gain", "adc_offset"
	tableBow, tableSkew            = "adc_bow", "adc_skew"
	tableNoiseKey, tableNoiseScale = "noise_key", "noise_scale"
	tableForm                      = "form"
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

// sums is the column sums of a step over the driven rows.
func (b Crossbar) sums(m *ir.Module, table string, rows, step *ir.Node) *ir.Node {
	a, n, w := b.Converters(), b.slices(table), b.sumBits()
	cells := m.Mem(table, b.Steps(), ir.Vec(n*a*b.Rows, 1))
	cells.Loaded = true
	ones := rows.MaskedSum(m.Lookup(cells, step), sbits(-b.Rows, b.Rows), false).Named(table + "_ones")
	sum := ones.Elems(0, a).ZExt(w)
	for s := 1; s < n; s++ {
		part := ones.Elems(s*a, a).ZExt(w).ShlK(s)
		if table == tableDiff && s == n-1 {
			sum = sum.Sub(part)
		} else {
			sum = sum.Add(part)
		}
	}
	return sum
}

// Image is the tables of the crossbar; columns that complete the last step have no cells.
func (b Crossbar) Image(prefix string) *ir.Image {
	return b.image(prefix, b.Tables())
}

func (b Crossbar) image(prefix string, t *device.Tables) *ir.Image {
	img := ir.NewImage()
	put := func(table string, data []uint64) {
		img.Data[prefix+"."+table] = data
		if !b.Effects.Ideal() {
			img.Notes[prefix+"."+table] = fmt.Sprintf("form %016x, crossbar %d, SHA-256 of geometry, effects, seed and weights %x", t.Form(), t.ID, t.Hash)
		}
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
		put(tableForm, []uint64{t.Form()})
	}
	return img
}

// sliced lays cells [Cols][Rows] out as the table has them.
func (b Crossbar) sliced(table string, cell func(i int) uint64) []uint64 {
	a, n := b.Converters(), b.slices(table)
	data := make([]uint64, b.Steps()*n*a*b.Rows)
	for c := range b.Cols {
		for r := range b.Rows {
			v := cell(c*b.Rows + r)
			for s := range n {
				data[((c/a*n+s)*a+c%a)*b.Rows+r] = v >> s & 1
			}
		}
	}
	return data
}
