package conform

import (
	"math"

	"ohmloom/ir"
)

// feedThroughCase: paths from input to output within a cycle, through instances and back, a
// port that only passes through, one node on two ports, ports that nobody reads.
func feedThroughCase() Case {
	leaf := ir.New("conform_through_leaf", "Two independent paths.")
	p, r := leaf.In("p", ir.Bits(8), ""), leaf.In("r", ir.Bits(8), "")
	thru, idle := leaf.In("thru", ir.Vec(2, 3), ""), leaf.In("idle", ir.Bits(4), "")
	leaf.Out("q", p.AddK(1), "")
	leaf.Out("s", r.Mul(p), "")
	leaf.Out("thru_out", thru, "")
	leaf.Out("unread", idle.Not(), "")
	mid := ir.New("conform_through_mid", "The first path feeds the second of the same instance.")
	x, v := mid.In("x", ir.Bits(8), ""), mid.In("v", ir.Vec(2, 3), "")
	u := mid.Instance("u_leaf", leaf)
	u.In("p", x).In("thru", v).In("idle", mid.K(4, 9)).In("r", mid.OutOf(u, "q").Xor(mid.K(8, 0xf0)))
	mid.Out("y", mid.OutOf(u, "s"), "")
	mid.Out("y_again", mid.OutOf(u, "s"), "")
	mid.Out("v_out", mid.OutOf(u, "thru_out"), "")
	mid.Out("x_out", x, "")
	m := ir.New("conform_through", "Combinational paths.")
	a, b := m.In("a", ir.Bits(8), ""), m.In("b", ir.Vec(2, 3), "")
	m.In("nobody", ir.Vec(3, 7), "")
	u1, u2 := m.Instance("u_1", mid).In("x", a).In("v", b), m.Instance("u_2", mid)
	u2.In("x", m.OutOf(u1, "y")).In("v", m.OutOf(u1, "v_out").Not())
	m.Out("y", m.OutOf(u2, "y"), "")
	m.Out("y_again", m.OutOf(u2, "y_again"), "")
	m.Out("v", m.OutOf(u2, "v_out"), "")
	m.Out("x", m.OutOf(u2, "x_out"), "")
	m.Out("a_out", a, "")
	m.Out("a_too", a, "")
	var stim [][]uint64
	d := dice(41)
	for range 50 {
		stim = append(stim, cat([]uint64{0, d.word(8)}, d.words(2, 3), d.words(3, 7)))
	}
	f := func(x uint64) uint64 { return ((x + 1) ^ 0xf0) % 256 * x % 256 }
	model := func(in []uint64) []uint64 {
		y := f(f(in[1]))
		return []uint64{y, y, 7 - in[2], 7 - in[3], f(in[1]), in[1], in[1]}
	}
	return Case{Name: "feed-through", Top: m, Stim: stim, Model: func() Model { return model }}
}

// gatedCase: a multiply-accumulate array under controls that are the same for all cells
// (clear, enable, drain) and one that differs from cell to cell (the sign travels with the
// operand), which is where an engine that skips or hoists work goes wrong.
func gatedCase() Case {
	const seed, R, C, name = 51, 3, 4, "conform_gated_pe"
	pe := ir.New(name, "Signed multiply-accumulate with drain.")
	in := func(n string, w int) *ir.Node { return pe.In(n, ir.Bits(w), "") }
	clr, en, drain := in("clear", 1), in("en", 1), in("drain", 1)
	ai, bi, ni, above := in("a", 8), in("b", 8), in("neg", 1), in("above", 32)
	a, b, neg, acc := pe.Reg("ar", ir.Bits(8), 0), pe.Reg("br", ir.Bits(8), 0), pe.DataReg("nr", ir.Bits(1)), pe.Reg("acc", ir.Bits(32), 0)
	a.SetEn(en, ai)
	b.SetEn(en, bi)
	neg.SetEn(en, ni)
	prod := ai.SExt(16).Mul(bi.SExt(16)).SExt(32)
	term := ni.Mux(pe.K(32, 0).Sub(prod), prod)
	sum := clr.Mux(term, acc.Q.Add(term))
	acc.SetEn(en.Or(drain), drain.Mux(above, sum))
	pe.Out("a_out", a.Q, "")
	pe.Out("b_out", b.Q, "")
	pe.Out("neg_out", neg.Q, "")
	pe.Out("sum", acc.Q, "")
	peak := pe.Reg("peak", ir.Bits(32), 1<<31)
	peak.Set(drain.Mux(peak.Q, peak.Q.Lts(term).Mux(term, peak.Q)))
	pe.Out("peak_out", peak.Q, "")
	// Each of these two decides what becomes of the other.
	f, g := pe.DataReg("f", ir.Bits(1)), pe.Reg("g", ir.Bits(1), 0)
	f.SetEn(g.Q, ni.Xor(f.Q))
	g.Set(f.Q.Xor(ni))
	pe.Out("fg_out", f.Q.Cat(g.Q), "")

	m := ir.New("conform_gated", "Array under common controls.")
	grid := m.Array("pe", pe, R, C)
	for _, p := range []string{"clear", "en", "drain"} {
		grid.In(p, m.In(p, ir.Bits(1), ""))
	}
	grid.Chain("a", "a_out", ir.West, m.In("a", ir.Vec(R, 8), ""))
	grid.Chain("b", "b_out", ir.North, m.In("b", ir.Vec(C, 8), ""))
	grid.Chain("neg", "neg_out", ir.East, m.In("neg", ir.Vec(R, 1), ""))
	grid.Chain("above", "sum", ir.South, m.KVec(32, 1, 2, 3, 4))
	m.Out("sums", m.Edge(grid, "sum", ir.North), "")
	m.Out("all", m.OutOf(grid, "sum"), "")
	m.Out("peaks", m.OutOf(grid, "peak_out"), "")
	m.Out("fgs", m.OutOf(grid, "fg_out"), "")
	d := dice(51)
	var stim [][]uint64
	for i := range 150 {
		stim = append(stim, cat([]uint64{truth(i == 3 || i == 90), d.bit(6), 1 - d.bit(4), d.bit(5)},
			d.words(R, 8), d.words(C, 8), d.words(R, 1)))
	}
	model := func() Model {
		type cell struct {
			a, b      int8
			neg, f, g uint64
			acc, peak int32
		}
		start := cell{int8(initWord(seed, name, "ar", 0, 8)), int8(initWord(seed, name, "br", 0, 8)),
			initWord(seed, name, "nr", 0, 1), initWord(seed, name, "f", 0, 1), initWord(seed, name, "g", 0, 1), int32(initWord(seed, name, "acc", 0, 32)), int32(initWord(seed, name, "peak", 0, 32))}
		var s [R][C]cell
		for r := range R {
			for c := range C {
				s[r][c] = start
			}
		}
		return func(in []uint64) []uint64 {
			rst, clr, en, drain := in[0] == 1, in[1] == 1, in[2] == 1, in[3] == 1
			var north, all, peaks, fgs []uint64
			n := s
			for r := range R {
				for c := range C {
					x, y, ng, ab := int8(in[4+r]), int8(in[4+R+c]), in[4+R+C+r], int32(c+1)
					if c > 0 {
						x = s[r][c-1].a
					}
					if r > 0 {
						y = s[r-1][c].b
					}
					if c < C-1 {
						ng = s[r][c+1].neg
					}
					if r < R-1 {
						ab = s[r+1][c].acc
					}
					t := int32(x) * int32(y)
					if ng == 1 {
						t = -t
					}
					k := &n[r][c]
					if en {
						k.a, k.b, k.neg = x, y, ng
					}
					switch {
					case drain:
						k.acc = ab
					case en && clr:
						k.acc = t
					case en:
						k.acc += t
					}
					if !drain {
						k.peak = max(k.peak, t)
					}
					old := s[r][c]
					k.g = old.f ^ ng
					if old.g == 1 {
						k.f = ng ^ old.f
					}
					fgs = append(fgs, 2*old.f+old.g)
					if rst {
						k.g = 0
						k.a, k.b, k.acc, k.peak = 0, 0, 0, math.MinInt32
					}
					if r == 0 {
						north = append(north, uint64(uint32(s[r][c].acc)))
					}
					all = append(all, uint64(uint32(s[r][c].acc)))
					peaks = append(peaks, uint64(uint32(s[r][c].peak)))
				}
			}
			s = n
			return cat(north, all, peaks, fgs)
		}
	}
	return Case{Name: "gated", Top: m, Seed: seed, Stim: stim, Model: model}
}

// exchangeCase: vector registers that take their next values from each other's present ones,
// in circles and several from one; and products of operands extended in every way.
func exchangeCase() Case {
	const n = 6
	m := ir.New("conform_exchange", "Registers computed from registers.")
	d, sel, ens := m.In("d", ir.Vec(n, 8), ""), m.In("sel", ir.Bits(1), ""), m.In("ens", ir.Vec(n, 1), "")
	reg := map[string]*ir.Reg{}
	names := []string{"x", "y", "z", "w", "p", "q", "r", "s", "t", "wide"}
	for _, k := range names {
		t := ir.Vec(n, 8)
		if k == "wide" {
			t = ir.Vec(n, 32)
		}
		reg[k] = m.Reg(k, t, 7)
		m.Out("o_"+k, reg[k].Q, "")
	}
	at := func(k string) *ir.Node { return reg[k].Q }
	reg["x"].Set(d)
	reg["y"].Set(at("x").Add(d))
	reg["z"].Set(at("x").Xor(at("y")))
	reg["w"].Set(at("y").Sub(at("z")))
	reg["p"].Set(at("q").AddK(1))
	reg["q"].Set(sel.Mux(at("r").AddK(1), at("x")))
	reg["r"].SetEn(sel, at("p").Add(at("x")))
	reg["s"].Set(at("t"))
	reg["t"].Set(ens.Mux(at("s"), at("t")))
	mul := func(s, up bool) *ir.Node {
		extend := func(a *ir.Node, w int, s bool) *ir.Node {
			if s {
				return a.SExt(w)
			}
			return a.ZExt(w)
		}
		return extend(extend(at("x"), 16, s).Mul(extend(at("y"), 16, s)), 32, up)
	}
	reg["wide"].Set(at("wide").Add(mul(true, true)))
	for i, k := range []struct{ s, up bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		m.Out("product"+string(rune('0'+i)), mul(k.s, k.up), "")
	}
	m.Out("mixed", at("x").SExt(16).Mul(at("y").ZExt(16)), "")
	m.Out("same_width", at("x").SExt(12).Mul(at("y").SExt(12)), "")
	dc := dice(81)
	var stim [][]uint64
	for i := range 60 {
		stim = append(stim, cat([]uint64{truth(i == 0 || i == 33)}, dc.words(n, 8), []uint64{dc.bit(2)}, dc.words(n, 1)))
	}
	model := func() Model {
		state := map[string][]uint64{}
		for _, k := range names {
			state[k] = initWords(81, "conform_exchange", k, n, reg[k].Type.W)
		}
		return func(in []uint64) []uint64 {
			var out []uint64
			for _, k := range names {
				out = cat(out, state[k])
			}
			next := map[string][]uint64{}
			for _, k := range names {
				next[k] = cat(state[k])
			}
			products := make([][]uint64, 6)
			for i := range n {
				at := func(k string) uint64 { return state[k][i] }
				d, sel, en := in[1+i], in[1+n], in[2+n+i]
				next["x"][i] = d
				next["y"][i] = (at("x") + d) & 255
				next["z"][i] = at("x") ^ at("y")
				next["w"][i] = (at("y") - at("z")) & 255
				next["p"][i] = (at("q") + 1) & 255
				if next["q"][i] = at("x"); sel == 1 {
					next["q"][i] = (at("r") + 1) & 255
					next["r"][i] = (at("p") + at("x")) & 255
				}
				next["s"][i] = at("t")
				if en == 1 {
					next["t"][i] = at("s")
				}
				sx, sy := int64(int8(at("x"))), int64(int8(at("y")))
				signed, plain := sx*sy, int64(at("x")*at("y"))
				next["wide"][i] = (at("wide") + uint64(signed)) & ones(32)
				for k, p := range []uint64{uint64(signed) & ones(32), uint64(signed) & ones(16), uint64(int16(plain)) & ones(32), uint64(plain),
					uint64(sx*int64(at("y"))) & ones(16), uint64(signed) & ones(12)} {
					products[k] = append(products[k], p)
				}
				for _, k := range names {
					if in[0] == 1 {
						next[k][i] = 7
					}
				}
			}
			state = next
			return cat(out, cat(products...))
		}
	}
	return Case{Name: "exchange", Top: m, Seed: 81, Stim: stim, Model: model}
}

// macroCase: two crossbar-like macros with tables each, one of which is programmed anew: the difference of two masked sums
// over one-bit cells, and a sum of wider cells under a mask of more than one machine word.
func macroCase() Case {
	const rows, cols, W = 70, 3, 4
	x := ir.New("conform_macro_bar", "Column sums of a programmed table, one cycle.")
	x.Macro = &ir.Macro{Kind: "crossbar", Latency: 1, AreaUm2: 100}
	mask, half := x.In("mask", ir.Vec(rows, 1), ""), x.In("half", ir.Bits(1), "")
	mem := func(name string, w int) *ir.Mem {
		t := x.Mem(name, 2, ir.Vec(rows*cols, w))
		t.Loaded = true
		return t
	}
	pos, neg, wide := mem("pos", 1), mem("neg", 1), mem("wide", W)
	diff := mask.MaskedSum(x.Lookup(pos, half), 9, false).Sub(mask.MaskedSum(x.Lookup(neg, half), 9, false))
	d, v := x.DataReg("d", ir.Vec(cols, 9)), x.Reg("v", ir.Vec(cols, 12), 0)
	d.Set(diff)
	v.Set(mask.MaskedSum(x.Lookup(wide, half), 12, true))
	x.Write(pos, half, x.In("cells_in", ir.Vec(rows*cols, 1), ""), x.In("write", ir.Bits(1), ""))
	x.Out("d_out", d.Q, "")
	x.Out("v_out", v.Q, "")
	m := ir.New("conform_macro", "Macros in a column, each with tables of its own.")
	a := m.Array("bar", x, 2, 1)
	a.PerRow("mask", m.In("mask", ir.Vec(2*rows, 1), "")).In("half", m.In("half", ir.Bits(1), ""))
	a.In("cells_in", m.In("cells_in", ir.Vec(rows*cols, 1), "")).PerRow("write", m.In("write", ir.Vec(2, 1), ""))
	m.Out("d", m.OutOf(a, "d_out"), "")
	m.Out("v", m.OutOf(a, "v_out"), "")

	dc, img := dice(61), ir.NewImage()
	var tables [2][3][]uint64
	for i, at := range []string{"conform_macro.bar_r[0].bar.", "conform_macro.bar_r[1].bar."} {
		for k, n := range []string{"pos", "neg", "wide"} {
			tables[i][k] = dc.words(2*rows*cols, []int{1, 1, W}[k])
			img.Data[at+n] = tables[i][k]
		}
	}
	stim := [][]uint64{cat([]uint64{1}, make([]uint64, 2*rows+1+rows*cols+2))}
	for range 30 {
		stim = append(stim, cat([]uint64{0}, dc.words(2*rows, 1), []uint64{dc.bit(2)},
			dc.words(rows*cols, 1), []uint64{dc.bit(4), dc.bit(4)}))
	}
	model := func() Model {
		d := initWords(9, "conform_macro_bar", "d", cols, 9)
		d, v := cat(d, d), initWords(9, "conform_macro_bar", "v", cols, 12)
		v = cat(v, v)
		pos := [2][]uint64{cat(tables[0][0]), cat(tables[1][0])}
		return func(in []uint64) []uint64 {
			out := cat(d, v)
			half := int(in[1+2*rows]) * rows * cols
			for i := range 2 {
				for c := range cols {
					var diff, sum int
					for r := range rows {
						at := half + c*rows + r
						if in[1+i*rows+r] == 1 {
							diff += int(pos[i][at]) - int(tables[i][1][at])
							sum += int(tables[i][2][at]^8) - 8 // four bits, signed
						}
					}
					if d[i*cols+c], v[i*cols+c] = uint64(diff)&511, uint64(sum)&4095; in[0] == 1 {
						v[i*cols+c] = 0
					}
				}
				if cells := in[2+2*rows:]; cells[rows*cols+i] == 1 {
					copy(pos[i][half:], cells[:rows*cols])
				}
			}
			return out
		}
	}
	return Case{Name: "macro", Top: m, Seed: 9, Image: img, Stim: stim, Model: model}
}

// constantCase: outputs that depend on no input, in one instance and in all lanes of an Array.
func constantCase() Case {
	leaf := ir.New("conform_const_leaf", "Constants, and a register that leaves them.")
	k := leaf.KVec(7, 1, 2, 127)
	leaf.Out("k", k, "")
	leaf.Out("sum", k.SumS(1, 9), "")
	r := leaf.Reg("r", ir.Vec(3, 7), 5)
	r.Set(k)
	leaf.Out("r_out", r.Q, "")
	m := ir.New("conform_const", "No inputs.")
	a := m.Array("c", leaf, 2, 2)
	m.Out("k", m.OutOf(a, "k"), "")
	m.Out("sum", m.OutOf(a, "sum"), "")
	m.Out("r", m.OutOf(a, "r_out"), "")
	m.Out("one", m.K(64, ^uint64(0)), "")
	stim := [][]uint64{{0}, {0}, {1}, {1}, {0}, {0}}
	model := func() Model {
		r := initWords(71, "conform_const_leaf", "r", 3, 7)
		return func(in []uint64) []uint64 {
			k := []uint64{1, 2, 127}
			out := cat(k, k, k, k, []uint64{2, 2, 2, 2}, r, r, r, r, []uint64{^uint64(0)})
			if r = k; in[0] == 1 {
				r = []uint64{5, 5, 5}
			}
			return out
		}
	}
	return Case{Name: "constants", Top: m, Seed: 71, Stim: stim, Model: model}
}
