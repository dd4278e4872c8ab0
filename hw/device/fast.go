package device

import mathbits "math/bits"

// fast holds the cells in bit slices, so that a column sum is a population count a slice
// rather than an addition a cell: [Cols][halves][slices][words], 64 rows a word. One signed
// conversion has one half, the differences in two's complement; two have both, unsigned.
type fast struct {
	words, halves, slices int
	cells                 []uint64
}

func newFast(t *Tables) *fast {
	f := &fast{words: (t.Rows + 63) / 64, halves: 1, slices: t.Slices()}
	if t.Separate {
		f.halves = 2
	}
	f.cells = make([]uint64, t.Cols*f.halves*f.slices*f.words)
	for c := range t.Cols {
		for r := range t.Rows {
			i := c*t.Rows + r
			values := [2]int64{int64(t.Pos[i]) - int64(t.Neg[i])}
			if t.Separate {
				values = [2]int64{int64(t.Pos[i]), int64(t.Neg[i])}
			}
			for h := range f.halves {
				for s := range f.slices {
					at := ((c*f.halves+h)*f.slices+s)*f.words + r/64
					f.cells[at] |= uint64(values[h]>>s&1) << (r % 64)
				}
			}
		}
	}
	return f
}

// Multiply gives the Cols sums in cells of an input of Rows elements, as a PE does: planes 7
// to 0, in each the row groups, in each the steps, conversions counted on from first. It may
// be called from several goroutines.
func (t *Tables) Multiply(x []int8, first uint32, sums []int32) {
	f, groups, steps, n := t.fast, t.Groups(), t.Steps(), t.Converters
	masks := t.masks(x)
	column := f.halves * f.slices * f.words
	for c := range t.Cols {
		cells := f.cells[c*column : (c+1)*column]
		acc, a, conversion := int64(0), c%n, first+uint32(c/n)
		for p := range 8 {
			plane := int64(0)
			for g := range groups {
				lo, hi := g*t.Active/64, (min((g+1)*t.Active, t.Rows)+63)/64
				mask := masks[(p*groups+g)*f.words : (p*groups+g+1)*f.words]
				var pos, neg int64
				if t.Separate {
					pos = f.sum(cells, mask, lo, hi, false)
					neg = f.sum(cells[column/2:], mask, lo, hi, false)
				} else {
					pos = f.sum(cells, mask, lo, hi, true)
				}
				plane += t.Code(conversion, a, pos, neg)
				conversion += uint32(steps)
			}
			acc = 2*acc + plane
			if p == 0 {
				acc = -plane
			}
		}
		sums[c] = t.Cells(acc)
	}
}

// masks are the driven rows of plane 7 - p and row group g: [8][groups][words].
func (t *Tables) masks(x []int8) []uint64 {
	words, groups := t.fast.words, t.Groups()
	m := make([]uint64, 8*groups*words)
	for g := range groups {
		for r := g * t.Active; r < min((g+1)*t.Active, t.Rows); r++ {
			v := uint64(uint8(x[r]))
			for p := range 8 {
				m[(p*groups+g)*words+r/64] |= v >> (7 - p) & 1 << (r % 64)
			}
		}
	}
	return m
}

// sum is that of the cells under words lo .. hi-1 of the mask.
func (f *fast) sum(cells, mask []uint64, lo, hi int, signed bool) int64 {
	total := int64(0)
	for s := range f.slices {
		n := 0
		slice := cells[s*f.words : (s+1)*f.words]
		for i := lo; i < hi; i++ {
			n += mathbits.OnesCount64(slice[i] & mask[i])
		}
		if signed && s == f.slices-1 {
			n = -n
		}
		total += int64(n) << s
	}
	return total
}

// MultiplyBlocks is the n-th product, counted from 0, of y with a matrix in crossbars of one
// shape, blocks[row block][column block]: the sums of all columns, added over the row blocks.
func MultiplyBlocks(blocks [][]*Tables, y []int8, n int) []int32 {
	shape := blocks[0][0].Shape
	acc := make([]int32, len(blocks[0])*shape.Cols)
	x, sums := make([]int8, shape.Rows), make([]int32, shape.Cols)
	first := uint32(n * shape.Conversions())
	for b, row := range blocks {
		clear(x)
		copy(x, y[b*shape.Rows:])
		for i, t := range row {
			t.Multiply(x, first, sums)
			for c, s := range sums {
				acc[i*shape.Cols+c] += s
			}
		}
	}
	return acc
}
