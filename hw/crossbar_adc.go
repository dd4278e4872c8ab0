package hw

import (
	"math/bits"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// columns is the column sums of a conversion, sums giving those of one table: of both halves
// with separate conversions, else their difference and nil.
func (b Crossbar) columns(m *ir.Module, sums func(table string) *ir.Node) (pos, neg *ir.Node) {
	if b.differs() {
		return sums(tableDiff), nil
	}
	pos, neg = sums(tablePos), sums(tableNeg)
	if b.Step == StepIdeal || !b.Effects.Separate {
		return pos.Sub(neg), nil
	}
	return pos, neg
}

// codes is what the converters make of the column sums.
func (b Crossbar) codes(m *ir.Module, valid, pos, neg *ir.Node) *ir.Node {
	if b.Step == StepIdeal {
		return pos.Trunc(b.codeBits())
	}
	all := pos
	if neg != nil {
		all = pos.Join(neg)
	}
	all = b.convert(m, valid, all)
	if neg == nil {
		return fitted(all, b.codeBits())
	}
	a, w := b.Converters(), b.codeBits()
	return fitted(all.Elems(0, a), w).Sub(fitted(all.Elems(a, a), w))
}

// fitted brings two's complement that fits w bits to them.
func fitted(n *ir.Node, w int) *ir.Node {
	if n.Type.W > w {
		return n.Trunc(w)
	}
	return n.SExt(w)
}

// convert is the transfer function of all converters; the result is a code in two's
// complement of any width.
func (b Crossbar) convert(m *ir.Module, valid, sum *ir.Node) *ir.Node {
	s := b.spec()
	lo, hi := s.Range()
	if s.Trimmed() || s.Noisy() {
		return b.convertFixed(m, valid, sum)
	}
	if b.Step == StepFull {
		return b.convertFull(m, sum)
	}
	if f := s.Frac(); f > 0 {
		sum = sum.SExt(sum.Type.W + 1).AddK(1 << (f - 1)).SraK(f)
	}
	w := max(sum.Type.W, b.Bits+1)
	return clamp(sum.SExt(w), lo, hi)
}

// convertFixed has codes in fixed point, with gain, offset, noise and INL.
func (b Crossbar) convertFixed(m *ir.Module, valid, sum *ir.Node) *ir.Node {
	s, n := b.spec(), sum.Type.N
	lo, hi := s.Range()
	table := func(name string, w int) *ir.Node {
		mem := m.Mem(name, 1, ir.Vec(n, w))
		mem.Loaded = true
		return m.Lookup(mem, m.K(1, 0))
	}
	v := sum.SExt(device.CodeBits)
	if s.Trimmed() {
		v = v.Mul(table(tableGain, device.GainBits).ZExt(device.CodeBits)).Add(table(tableOffset, device.OffsetBits).SExt(device.CodeBits))
	} else {
		v = v.ShlK(device.CodeFrac - s.Frac()).AddK(1 << (device.CodeFrac - 1))
	}
	if s.Noisy() {
		v = v.Add(b.noise(m, valid, n))
	}
	round := func(v *ir.Node) *ir.Node {
		return clamp(v.SraK(device.CodeFrac).Trunc(device.CodeBits-device.CodeFrac), lo, hi)
	}
	code := round(v)
	if s.Curved() {
		bend := b.inl(m, code, table(tableBow, device.INLBits), table(tableSkew, device.INLBits))
		code = round(v.Add(fitted(bend, device.CodeBits).ShlK(device.CodeFrac - device.INLFrac)))
	}
	return code
}

// inl is ((bow h + skew u) (h^2 - u^2)) / h^3 with u the code from the middle of the range and
// h = 2^(Bits-1), rounded down.
func (b Crossbar) inl(m *ir.Module, code, bow, skew *ir.Node) *ir.Node {
	lo, hi := b.spec().Range()
	half, w := int64(1)<<(b.Bits-1), device.INLBits+3*b.Bits
	u := fitted(code, w).AddK(-(lo + hi + 1) / 2)
	slope := bow.SExt(w).ShlK(b.Bits - 1).Add(skew.SExt(w).Mul(u))
	return slope.Mul(m.K(w, uint64(half*half)).Sub(u.Mul(u))).SraK(3 * (b.Bits - 1))
}

// noise is that of the present conversion: for each of n converters the sum of the bytes of
// a hash, less its mean, times the scale. The hash is bits.Mix, SplitMix64's finaliser.
func (b Crossbar) noise(m *ir.Module, valid *ir.Node, n int) *ir.Node {
	count := m.Reg("conversions", ir.Bits(32), 0)
	count.SetEn(valid, count.Q.AddK(1))
	scalar := func(name string, w int) *ir.Node {
		mem := m.Mem(name, 1, ir.Bits(w))
		mem.Loaded = true
		return m.Lookup(mem, m.K(1, 0))
	}
	index := make([]uint64, n)
	for a := range index {
		index[a] = uint64(a)
	}
	x := scalar(tableNoiseKey, 64).Add(count.Q.ZExt(64).ShlK(12)).Add(m.KVec(64, index...))
	x = x.Add(m.K(64, 0x9e3779b97f4a7c15))
	x = x.Xor(x.ShrK(30)).Mul(m.K(64, 0xbf58476d1ce4e5b9))
	x = x.Xor(x.ShrK(27)).Mul(m.K(64, 0x94d049bb133111eb))
	x = x.Xor(x.ShrK(31))
	// Pairs, then fours, then all eight bytes.
	for _, by := range []struct {
		shift int
		mask  uint64
	}{{8, 0x00ff00ff00ff00ff}, {16, 0x0000ffff0000ffff}, {32, 0x00000000ffffffff}} {
		x = x.And(m.K(64, by.mask)).Add(x.ShrK(by.shift).And(m.K(64, by.mask)))
	}
	const mean = 8 * 255 / 2
	w := device.CodeBits
	return x.Trunc(12).AddK(-mean).SExt(w).Mul(scalar(tableNoiseScale, device.NoiseBits).ZExt(w))
}

// convertFull is floor((2 FullScale() sum + Active) / (2 Active)), clamped. All is offset to stay
// positive, and the division by a constant is a multiplication by its reciprocal, exact in the
// range (Granlund and Montgomery, PLDI 1994).
func (b Crossbar) convertFull(m *ir.Module, sum *ir.Node) *ir.Node {
	lo, hi := b.spec().Range()
	scale := 2 * b.spec().FullScale()
	offset := int64(b.Active) * scale // no sum of Active rows is below minus this
	num := 2*offset + int64(b.Active)
	top := bits.Len64(uint64(num))
	div := 2 * b.Active
	shift := top + bits.Len(uint(div))
	recip := uint64(1)<<shift/uint64(div) + 1
	w := 2*top + 3
	n := sum.SExt(w).Mul(m.K(w, uint64(scale))).AddK(offset + int64(b.Active))
	code := n.Mul(m.K(w, recip)).ShrK(shift)
	return clamp(code.AddK(-(offset / int64(div))), lo, hi)
}

// clamp limits n, read as two's complement, to lo..hi.
func clamp(n *ir.Node, lo, hi int64) *ir.Node {
	m := n.Module()
	low, high := m.K(n.Type.W, uint64(lo)), m.K(n.Type.W, uint64(hi))
	return n.Lts(low).Mux(low, high.Lts(n).Mux(high, n))
}
