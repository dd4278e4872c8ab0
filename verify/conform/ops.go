package conform

import (
	"fmt"
	"math/big"

	"ohmloom/ir"
)

var widths = []int{1, 2, 7, 8, 9, 16, 31, 32, 33, 63, 64}

// scalarCase: every scalar operation at every width, on all pairs of extreme operands. The
// shift amount has 7 bits, so that amounts of the width and more occur at every width.
func scalarCase() Case {
	m := ir.New("conform_scalar", "Every scalar operation at widths 1 to 64.")
	sel, by := m.In("sel", ir.Bits(1), ""), m.In("by", ir.Bits(7), "")
	for _, w := range widths {
		a := m.In(fmt.Sprintf("a%d", w), ir.Bits(w), "")
		b := m.In(fmt.Sprintf("b%d", w), ir.Bits(w), "")
		for i, n := range scalarNodes(sel, by, a, b, w) {
			m.Out(fmt.Sprintf("y%d_%d", w, i), n, "")
		}
	}
	var stim [][]uint64
	d := dice(11)
	for i := range 81 + 60 {
		rec := []uint64{0, d.bit(2), uint64(i) % 128}
		for _, w := range widths {
			x := extremes(w)
			if i < 81 {
				rec = append(rec, x[i%9], x[i/9])
			} else {
				rec = append(rec, d.word(w), d.word(w))
			}
		}
		stim = append(stim, rec)
	}
	model := func(in []uint64) []uint64 {
		var out []uint64
		for i, w := range widths {
			out = append(out, scalarWant(in[1], in[2], in[3+2*i], in[4+2*i], w)...)
		}
		return out
	}
	return Case{Name: "scalar", Top: m, Stim: stim, Model: func() Model { return model }}
}

// scalarNodes stands in the order of scalarWant.
func scalarNodes(sel, by, a, b *ir.Node, w int) []*ir.Node {
	wide := min(64, w+5)
	y := []*ir.Node{
		a.Add(b), a.Sub(b), a.Mul(b), a.And(b), a.Or(b), a.Xor(b), a.Not(),
		a.Shl(by), a.Shr(by), a.Sra(by), a.Shl(b), a.Shr(b), a.Sra(b), a.SraK(1), a.ShlK(w / 2), a.ShrK(w),
		a.Eq(b), a.Ne(b), a.Ltu(b), a.Leu(b), a.Lts(b), a.Les(b),
		sel.Mux(a, b), a.Slice(w/2, w-w/2), a.Slice(w/3, 1),
	}
	if wide > w {
		y = append(y, a.ZExt(wide), a.SExt(wide), a.ZExt(64), a.SExt(64))
	}
	if 2*w+1 <= 64 {
		y = append(y, a.Cat(sel, b))
	}
	return y
}

// scalarWant computes on integers of any size and wraps at the end.
func scalarWant(sel, by, a, b uint64, w int) []uint64 {
	ua, ub, sa, sb := unsignedBig(a), unsignedBig(b), signedBig(a, w), signedBig(b, w)
	do := func(f func(x, y *big.Int) *big.Int) uint64 { return wrap(f(ua, ub), w) }
	shl := func(n uint64) uint64 { return wrap(new(big.Int).Lsh(ua, uint(min(n, 200))), w) }
	shr := func(n uint64) uint64 { return wrap(new(big.Int).Rsh(ua, uint(min(n, 200))), w) }
	sra := func(n uint64) uint64 { return wrap(new(big.Int).Rsh(sa, uint(min(n, 200))), w) } // Rsh rounds down
	pick := b
	if sel == 1 {
		pick = a
	}
	y := []uint64{
		do(new(big.Int).Add), do(new(big.Int).Sub), do(new(big.Int).Mul),
		do(new(big.Int).And), do(new(big.Int).Or), do(new(big.Int).Xor), ones(w) - a,
		shl(by), shr(by), sra(by), shl(b), shr(b), sra(b), sra(1), shl(uint64(w / 2)), 0,
		truth(ua.Cmp(ub) == 0), truth(ua.Cmp(ub) != 0), truth(ua.Cmp(ub) < 0), truth(ua.Cmp(ub) <= 0),
		truth(sa.Cmp(sb) < 0), truth(sa.Cmp(sb) <= 0),
		pick, shr(uint64(w / 2)), shr(uint64(w/3)) % 2,
	}
	if wide := min(64, w+5); wide > w {
		y = append(y, a, wrap(sa, wide), a, wrap(sa, 64))
	}
	if 2*w+1 <= 64 {
		y = append(y, a<<(w+1)+sel<<w+b)
	}
	return y
}

var vectorWidths = []int{1, 5, 8, 13, 16, 32, 40, 64}

// vectorCase: operations over vectors of five elements, with scalars that meet vectors.
func vectorCase() Case {
	const n = 5
	m := ir.New("conform_vector", "Vector operations on five elements.")
	sel, sels := m.In("sel", ir.Bits(1), ""), m.In("sels", ir.Vec(n, 1), "")
	idx, by := m.In("idx", ir.Bits(4), ""), m.In("by", ir.Vec(n, 7), "")
	for _, w := range vectorWidths {
		a := m.In(fmt.Sprintf("a%d", w), ir.Vec(n, w), "")
		b := m.In(fmt.Sprintf("b%d", w), ir.Vec(n, w), "")
		s := m.In(fmt.Sprintf("s%d", w), ir.Bits(w), "")
		k := m.KVec(w, extremes(w)[:n]...)
		nodes := []*ir.Node{
			a.Add(b), a.Sub(b), a.Mul(b), a.And(b), a.Or(b), a.Xor(b), a.Not(),
			a.Add(s), s.Sub(a), a.Add(k), a.Mul(k),
			a.Shl(by), a.Shr(by), a.Sra(by), a.Shl(idx), a.Shr(idx), a.Sra(idx), a.ShrK(w - 1), a.SraK(1),
			a.Eq(b), a.Ne(b), a.Ltu(b), a.Leu(b), a.Lts(b), a.Les(b), a.Ltu(s), s.Lts(a),
			sel.Mux(a, b), sels.Mux(a, b), sels.Mux(a, s), sels.Mux(s, m.K(w, 1)),
			a.Slice(w/3, w-w/3), s.Splat(n), a.Elems(1, 3), a.Elem(4), a.Pick(idx),
			a.Join(s, b), s.Join(s), b.Elems(0, 2).Join(a.Elems(3, 2), s),
		}
		if w+9 <= 64 {
			nodes = append(nodes, a.ZExt(w+9), a.SExt(w+9), a.Cat(sels, sels))
		}
		for i, y := range nodes {
			m.Out(fmt.Sprintf("y%d_%d", w, i), y, "")
		}
	}
	d := dice(12)
	var stim [][]uint64
	for i := range 40 {
		rec := cat([]uint64{0, d.bit(2)}, d.words(n, 1), []uint64{uint64(i) % 16})
		for range n {
			rec = append(rec, uint64(d.below(128)))
		}
		for _, w := range vectorWidths {
			rec = cat(rec, d.words(2*n+1, w))
		}
		stim = append(stim, rec)
	}
	model := func(in []uint64) []uint64 {
		var out []uint64
		sel, sels, idx, by := in[1], in[2:2+n], in[2+n], in[3+n:3+2*n]
		in = in[3+2*n:]
		for _, w := range vectorWidths {
			out = append(out, vectorWant(sel, idx, sels, by, in[:n], in[n:2*n], in[2*n], w)...)
			in = in[2*n+1:]
		}
		return out
	}
	return Case{Name: "vector", Top: m, Stim: stim, Model: func() Model { return model }}
}

func vectorWant(sel, idx uint64, sels, by, a, b []uint64, s uint64, w int) []uint64 {
	var out []uint64
	each := func(f func(i int) uint64) {
		for i := range a {
			out = append(out, f(i))
		}
	}
	// op reads column col of what the scalar model gives for each pair of elements.
	op := func(col int, x, y func(i int) uint64) {
		each(func(i int) uint64 { return scalarWant(sels[i], by[i], x(i), y(i), w)[col] })
	}
	ai, bi := func(i int) uint64 { return a[i] }, func(i int) uint64 { return b[i] }
	si, ki := func(int) uint64 { return s }, func(i int) uint64 { return extremes(w)[i] }
	for col := range 7 {
		op(col, ai, bi)
	}
	op(0, ai, si)
	op(1, si, ai)
	op(0, ai, ki)
	op(2, ai, ki)
	for col := 7; col < 10; col++ {
		op(col, ai, bi)
	}
	for col := 7; col < 10; col++ {
		each(func(i int) uint64 { return scalarWant(0, idx, a[i], 0, w)[col] })
	}
	each(func(i int) uint64 { return a[i] >> (w - 1) })
	op(13, ai, bi)
	for col := 16; col < 22; col++ {
		op(col, ai, bi)
	}
	op(18, ai, si)
	op(20, si, ai)
	each(func(i int) uint64 { return []uint64{b[i], a[i]}[sel] })
	each(func(i int) uint64 { return []uint64{b[i], a[i]}[sels[i]] })
	each(func(i int) uint64 { return []uint64{s, a[i]}[sels[i]] })
	each(func(i int) uint64 { return []uint64{1, s}[sels[i]] })
	each(func(i int) uint64 { return a[i] >> (w / 3) })
	each(si)
	out = append(out, a[1], a[2], a[3], a[4])
	if idx < uint64(len(a)) {
		out = append(out, a[idx])
	} else {
		out = append(out, 0)
	}
	out = cat(out, a, []uint64{s}, b, []uint64{s, s}, b[:2], a[3:], []uint64{s})
	if w+9 <= 64 {
		each(ai)
		each(func(i int) uint64 { return wrap(signedBig(a[i], w), w+9) })
		each(func(i int) uint64 { return a[i]*4 + sels[i]*3 })
	}
	return out
}

// foldCase: reductions, and masked sums over one word of mask and over more than one.
func foldCase() Case {
	m := ir.New("conform_fold", "Reductions of groups of elements.")
	var ins []ir.Type
	in := func(n, w int) *ir.Node {
		ins = append(ins, ir.Vec(n, w))
		return m.In(fmt.Sprintf("x%d", len(ins)), ir.Vec(n, w), "")
	}
	outs := 0
	out := func(n *ir.Node) {
		m.Out(fmt.Sprintf("y%d", outs), n, "")
		outs++
	}
	shapes := []ir.Type{{N: 6, W: 1}, {N: 6, W: 3}, {N: 12, W: 8}, {N: 12, W: 33}, {N: 12, W: 64}}
	for _, t := range shapes {
		a := in(t.N, t.W)
		for _, g := range []int{1, 2, 3, 6, t.N} {
			wide := min(64, t.W+3)
			for _, y := range []*ir.Node{a.SumU(g, wide), a.SumS(g, wide), a.SumU(g, t.W), a.SumS(g, 64),
				a.AnyOf(g), a.AllOf(g), a.Parity(g)} {
				out(y)
			}
		}
	}
	sums := []struct{ k, g, w int }{{3, 2, 1}, {70, 3, 1}, {64, 2, 1}, {130, 1, 1}, {5, 4, 8}, {70, 2, 4}, {9, 2, 12}, {3, 2, 64}, {1100, 1, 8}}
	for _, s := range sums {
		mask, cells := in(s.k, 1), in(s.k*s.g, s.w)
		wide := min(64, s.w+8)
		for _, y := range []*ir.Node{mask.MaskedSum(cells, wide, false), mask.MaskedSum(cells, wide, true),
			mask.MaskedSum(cells, s.w, false)} {
			out(y)
		}
	}
	d := dice(13)
	var stim [][]uint64
	for i := range 24 {
		rec := []uint64{0}
		for _, t := range ins {
			switch i {
			case 0:
				rec = append(rec, make([]uint64, t.N)...)
			case 1:
				for range t.N {
					rec = append(rec, ones(t.W))
				}
			default:
				rec = cat(rec, d.words(t.N, t.W))
			}
		}
		stim = append(stim, rec)
	}
	model := func(in []uint64) []uint64 {
		in = in[1:]
		take := func(n int) []uint64 {
			x := in[:n]
			in = in[n:]
			return x
		}
		var out []uint64
		for _, t := range shapes {
			a := take(t.N)
			for _, g := range []int{1, 2, 3, 6, t.N} {
				wide := min(64, t.W+3)
				all := make([]uint64, t.N)
				for i := range all {
					all[i] = 1
				}
				out = cat(out, sumWant(all, a, g, t.W, wide, false), sumWant(all, a, g, t.W, wide, true),
					sumWant(all, a, g, t.W, t.W, false), sumWant(all, a, g, t.W, 64, true))
				out = cat(out, foldWant(a, g, func(x, y uint64) uint64 { return x | y }),
					foldWant(a, g, func(x, y uint64) uint64 { return x & y }),
					foldWant(a, g, func(x, y uint64) uint64 { return x ^ y }))
			}
		}
		for _, s := range sums {
			mask, cells := take(s.k), take(s.k*s.g)
			wide := min(64, s.w+8)
			out = cat(out, sumWant(mask, cells, s.g, s.w, wide, false), sumWant(mask, cells, s.g, s.w, wide, true),
				sumWant(mask, cells, s.g, s.w, s.w, false))
		}
		return out
	}
	return Case{Name: "fold", Top: m, Stim: stim, Model: func() Model { return model }}
}

// sumWant adds the cells whose mask element is 1 in each of g groups; the mask is repeated.
func sumWant(mask, cells []uint64, g, w, to int, signed bool) []uint64 {
	out := make([]uint64, g)
	k := len(cells) / g
	for i := range out {
		sum := new(big.Int)
		for j := range k {
			switch {
			case mask[j] == 0:
			case signed:
				sum.Add(sum, signedBig(cells[i*k+j], w))
			default:
				sum.Add(sum, unsignedBig(cells[i*k+j]))
			}
		}
		out[i] = wrap(sum, to)
	}
	return out
}

func foldWant(a []uint64, g int, f func(x, y uint64) uint64) []uint64 {
	out := make([]uint64, g)
	k := len(a) / g
	for i := range out {
		out[i] = a[i*k]
		for _, x := range a[i*k+1 : (i+1)*k] {
			out[i] = f(out[i], x)
		}
	}
	return out
}

// castCase: the packed word regrouped, element boundaries across 64-bit words included.
func castCase() Case {
	groups := [][]ir.Type{
		{{N: 3, W: 8}, {N: 24, W: 1}, {N: 1, W: 24}, {N: 2, W: 12}, {N: 8, W: 3}},
		{{N: 5, W: 13}, {N: 13, W: 5}, {N: 65, W: 1}},
		{{N: 3, W: 64}, {N: 6, W: 32}, {N: 4, W: 48}, {N: 192, W: 1}, {N: 24, W: 8}},
	}
	m := ir.New("conform_cast", "Packed words read as other types.")
	for gi, g := range groups {
		for i, from := range g {
			x := m.In(fmt.Sprintf("x%d_%d", gi, i), from, "")
			for j, to := range g {
				if i != j {
					m.Out(fmt.Sprintf("y%d_%d_%d", gi, i, j), x.Cast(to), "")
				}
			}
		}
	}
	d := dice(14)
	var stim [][]uint64
	for range 12 {
		rec := []uint64{0}
		for _, g := range groups {
			for _, t := range g {
				rec = cat(rec, d.words(t.N, t.W))
			}
		}
		stim = append(stim, rec)
	}
	model := func(in []uint64) []uint64 {
		in = in[1:]
		var out []uint64
		for _, g := range groups {
			for i, from := range g {
				packed := new(big.Int)
				for k := from.N - 1; k >= 0; k-- {
					packed.Lsh(packed, uint(from.W)).Add(packed, unsignedBig(in[k]))
				}
				in = in[from.N:]
				for j, to := range g {
					for k := range to.N {
						if i != j {
							out = append(out, wrap(new(big.Int).Rsh(packed, uint(k*to.W)), to.W))
						}
					}
				}
			}
		}
		return out
	}
	return Case{Name: "cast", Top: m, Stim: stim, Model: func() Model { return model }}
}
