package device

// Sums adds the conductances of column c of both halves over the driven rows, in units of
// 2^-Frac() cells; a column beyond Cols has no cells.
func (t *Tables) Sums(c int, driven func(row int) bool) (pos, neg int64) {
	if c >= t.Cols {
		return 0, 0
	}
	for r := range t.Rows {
		if driven(r) {
			pos += int64(t.Pos[c*t.Rows+r])
			neg += int64(t.Neg[c*t.Rows+r])
		}
	}
	return pos, neg
}

// Code is what the converters make of the column sums pos and neg that converter a reads in
// a conversion. For step "ideal" it is their difference in units of 2^-Frac() cells, else a
// difference in LSBs.
func (t *Tables) Code(conversion uint32, a int, pos, neg int64) int64 {
	switch {
	case t.Step == StepIdeal:
		return pos - neg
	case t.Separate:
		return t.convert(conversion, a, pos) - t.convert(conversion, a+t.Converters, neg)
	}
	return t.convert(conversion, a, pos-neg)
}

// convert is the transfer function of one converter, a counting all of them:
//
//	v    = sum Gain + Offset + Noise NoiseScale
//	c    = clamp(v), u = c - middle, h = 2^(Bits-1)
//	code = clamp(v + ((Bow h + Skew u) (h^2 - u^2)) / h^3)
//
// where clamp rounds down to a code and limits it. The straight part of step "full" without
// tables is floor(FullScale() sum / Active + 1/2).
func (t *Tables) convert(conversion uint32, a int, sum int64) int64 {
	lo, hi := t.Range()
	half := int64(1) << (t.Bits - 1)
	var v int64
	switch {
	case t.Trimmed():
		v = sum*t.Gain[a] + t.Offset[a]
	case t.Step == StepFull:
		return min(max(floorDiv(2*sum*t.FullScale()+int64(t.Active), 2*int64(t.Active)), lo), hi)
	default:
		v = sum<<(CodeFrac-t.Frac()) + 1<<(CodeFrac-1)
	}
	if t.Noisy() {
		v += t.NoiseScale * Noise(t.Key, conversion, a)
	}
	code := min(max(v>>CodeFrac, lo), hi)
	if t.Curved() {
		u := code - (lo+hi+1)/2
		inl := (t.Bow[a]*half + t.Skew[a]*u) * (half*half - u*u) >> (3 * (t.Bits - 1))
		code = min(max((v+inl<<(CodeFrac-INLFrac))>>CodeFrac, lo), hi)
	}
	return code
}

// Product is the definition of what a PE computes of an input of Rows elements, conversion by
// conversion and cell by cell: planes 7 to 0, in each the row groups, in each the steps,
// conversions counted on from first. It gives Steps() * Converters sums in cells, columns beyond
// Cols included. Multiply is the same, fast.
func (t *Tables) Product(x []int8, first uint32) []int32 {
	sums := make([]int64, t.Steps()*t.Converters)
	for p := 7; p >= 0; p-- {
		weight := int64(1) << p
		if p == 7 {
			weight = -weight
		}
		for g := range t.Groups() {
			for c := range sums {
				pos, neg := t.Sums(c, func(r int) bool { return r/t.Active == g && uint8(x[r])>>p&1 == 1 })
				sums[c] += weight * t.Code(first+uint32(c/t.Converters), c%t.Converters, pos, neg)
			}
			first += uint32(t.Steps())
		}
	}
	out := make([]int32, len(sums))
	for c := range out {
		out[c] = t.Cells(sums[c])
	}
	return out
}

// floorDiv is a / b rounded down, b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
