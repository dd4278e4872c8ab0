package conform

import "ohmloom/ir"

// columnsCase: registers of a macro that take column sums when they are enabled, and arithmetic
// on the sums of every form: element by element, across elements, with tables and constants.
func columnsCase() Case {
	const rows, cols, depth = 70, 5, 3
	x := ir.New("conform_columns_bar", "Column sums into enabled registers.")
	x.Macro = &ir.Macro{Kind: "crossbar", Latency: 1, AreaUm2: 100}
	mask, at, en, one := x.In("mask", ir.Vec(rows, 1), ""), x.In("at", ir.Bits(2), ""), x.In("en", ir.Bits(1), ""), x.In("one", ir.Bits(1), "")
	by, bias := x.In("by", ir.Bits(3), ""), x.In("bias", ir.Vec(cols, 8), "")
	mem := func(name string, t ir.Type) *ir.Mem {
		m := x.Mem(name, depth, t)
		m.Loaded = true
		return m
	}
	cells, gain := mem("cells", ir.Vec(2*cols*rows, 1)), mem("gain", ir.Vec(cols, 20))
	sums := mask.And(en).MaskedSum(x.Lookup(cells, at), 9, false)
	lo, hi := sums.Elems(0, cols), sums.Elems(cols, cols)
	diff := lo.Sub(hi)
	prod := diff.SExt(20).Mul(x.Lookup(gain, at))
	q := prod.SraK(3)
	v := q.Lts(x.K(20, 100)).Mux(q, bias.SExt(20))
	v = v.Add(x.KVec(20, 3, 4, 5, 6, 7)).Add(x.KVec(20, 9, 1, 4, 1, 5)).Xor(diff.ZExt(20).Shl(by))
	v = v.Add(lo.Join(hi).Elems(3, cols).ZExt(20)).Add(diff.Elem(2).SExt(20)).Add(sums.SumU(1, 20))
	v = v.Sub(prod.Slice(4, 8).Cat(lo.Trunc(4)).ZExt(20))
	away := mask.Not().MaskedSum(x.Lookup(cells, at), 9, true).Elems(cols, cols)
	v = v.Add(away.SExt(20))
	r, s := x.DataReg("r", ir.Vec(cols, 20)).SetEn(en, v), x.Reg("s", ir.Bits(9), 0).SetEn(one, sums.Elem(7))
	x.Out("r_out", r, "")
	x.Out("s_out", s, "")
	m := ir.New("conform_columns", "Enabled column sums, twice.")
	a := m.Array("bar", x, 1, 2)
	for _, p := range x.Ports {
		if p.Dir == ir.In {
			a.In(p.Name, m.In(p.Name, p.Type, ""))
		}
	}
	m.Out("r", m.OutOf(a, "r_out"), "")
	m.Out("s", m.OutOf(a, "s_out"), "")

	dc, img := dice(62), ir.NewImage()
	var bits, gains [2][]uint64
	for i, path := range []string{"conform_columns.bar_c[0].bar.", "conform_columns.bar_c[1].bar."} {
		bits[i], gains[i] = dc.words(depth*2*cols*rows, 1), dc.words(depth*cols, 20)
		img.Data[path+"cells"], img.Data[path+"gain"] = bits[i], gains[i]
	}
	stim := [][]uint64{cat([]uint64{1}, make([]uint64, rows+4+cols))}
	for range 60 {
		stim = append(stim, cat([]uint64{0}, dc.words(rows, 1), dc.words(1, 2), []uint64{dc.bit(2), dc.bit(2)}, dc.words(1, 3), dc.words(cols, 8)))
	}
	model := func() Model {
		var r, s [2][]uint64
		for i := range r {
			r[i], s[i] = initWords(9, x.Name, "r", cols, 20), initWords(9, x.Name, "s", 1, 9)
		}
		return func(in []uint64) []uint64 {
			out := cat(r[0], r[1], s[0], s[1])
			on, rest := in[1:1+rows], in[1+rows:]
			at, en, one, by, bias := int(rest[0]), rest[1], rest[2], rest[3], rest[4:]
			for i := range r {
				sum, away, gain := make([]int64, 2*cols), make([]int64, 2*cols), make([]int64, cols)
				if at < depth {
					for c := range sum {
						for k := range rows {
							cell := int64(bits[i][at*2*cols*rows+c*rows+k])
							sum[c] += cell * int64(on[k]&en)
							away[c] -= cell * int64(1-on[k])
						}
					}
					for c := range gain {
						gain[c] = int64(gains[i][at*cols+c])
					}
				}
				total := int64(0)
				for _, n := range sum {
					total += n
				}
				for c := 0; c < cols && en == 1; c++ {
					diff := sum[c] - sum[cols+c]
					prod := diff * gain[c]
					v := int64(int8(bias[c]))
					if q := prod << 44 >> 47; q < 100 {
						v = q
					}
					v += []int64{3, 4, 5, 6, 7}[c] + []int64{9, 1, 4, 1, 5}[c]
					v ^= (diff & 511) << by
					v += sum[3+c] + (sum[2] - sum[cols+2]) + total - (prod>>4&255<<4 + sum[c]&15) + away[cols+c]
					r[i][c] = uint64(v) & (1<<20 - 1)
				}
				if one == 1 {
					s[i][0] = uint64(sum[7])
				}
				if in[0] == 1 {
					s[i][0] = 0
				}
			}
			return out
		}
	}
	return Case{Name: "columns", Top: m, Seed: 9, Image: img, Stim: stim, Model: model}
}
