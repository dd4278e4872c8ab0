package conform

import (
	"fmt"

	"ohmloom/ir"
)

// initWord is the power-on word as the contract words it, written out once more: FNV-1a of
// "module.name", then SplitMix64's finaliser.
func initWord(seed uint64, module, name string, i, w int) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(module + "." + name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	x := (seed ^ h) + uint64(i) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x ^ x>>31) & ones(w)
}

func initWords(seed uint64, module, name string, n, w int) []uint64 {
	x := make([]uint64, n)
	for i := range x {
		x[i] = initWord(seed, module, name, i, w)
	}
	return x
}

// registerCase: registers of every kind, first seen in their power-on state, reset in the
// middle of the run, and reset while their enable is low.
func registerCase() Case {
	const seed, name = 0xfeed, "conform_register"
	m := ir.New(name, "Registers with and without reset and enable.")
	en, d8, d3, d64 := m.In("en", ir.Bits(1), ""), m.In("d8", ir.Bits(8), ""), m.In("d3", ir.Vec(3, 5), ""), m.In("d64", ir.Bits(64), "")
	out := func(n string, r *ir.Reg) { m.Out("o_"+n, r.Q, "") }
	count := m.Reg("count", ir.Bits(8), 250)
	count.Set(count.Q.AddK(3))
	vec := m.Reg("vec", ir.Vec(3, 5), 1, 2, 30)
	vec.SetEn(en, d3)
	data := m.DataReg("data", ir.Vec(3, 5))
	data.SetEn(en, vec.Q.Add(d3))
	free := m.DataReg("free", ir.Bits(33))
	free.Set(free.Q.Add(d64.Trunc(33)))
	p, q := m.Reg("p", ir.Bits(8), 1), m.Reg("q", ir.Bits(8), 2)
	p.Set(q.Q)
	q.Set(p.Q)
	s1, s2 := m.Reg("s1", ir.Bits(8), 0), m.DataReg("s2", ir.Bits(8))
	s1.Set(d8)
	s2.Set(s1.Q)
	wide := m.Reg("wide", ir.Bits(64), 1<<63)
	wide.SetEn(d8.Bit(0), wide.Q.Add(d64))
	hold := m.Reg("hold", ir.Bits(8), 9)
	hold.Set(en.Mux(d8, hold.Q))
	flip := m.Reg("flip", ir.Bits(1), 1)
	flip.SetEn(en, flip.Q.Not())
	self := m.DataReg("self", ir.Bits(7))
	self.Set(self.Q)
	fixed := m.DataReg("fixed", ir.Bits(7))
	fixed.Set(m.K(7, 77))
	for _, r := range []*ir.Reg{count, vec, data, free, p, q, s1, s2, wide, hold, flip, self, fixed} {
		out(r.Name, r)
	}
	m.Out("mixed", p.Q.Sub(q.Q).Add(s2.Q), "")

	dc := dice(21)
	var stim [][]uint64
	for i := range 60 {
		rst := truth(i == 7 || i == 8 || i > 30 && i < 33 || i == 50)
		stim = append(stim, cat([]uint64{rst, dc.bit(2), dc.word(8)}, dc.words(3, 5), []uint64{dc.word(64)}))
	}
	type state struct {
		count, free, p, q, s1, s2, wide, hold, flip, self, fixed uint64
		vec, data                                                [3]uint64
	}
	model := func() Model {
		w1 := func(n string, w int) uint64 { return initWord(seed, name, n, 0, w) }
		s := state{count: w1("count", 8), free: w1("free", 33), p: w1("p", 8), q: w1("q", 8), s1: w1("s1", 8), s2: w1("s2", 8),
			wide: w1("wide", 64), hold: w1("hold", 8), flip: w1("flip", 1), self: w1("self", 7), fixed: w1("fixed", 7)}
		copy(s.vec[:], initWords(seed, name, "vec", 3, 5))
		copy(s.data[:], initWords(seed, name, "data", 3, 5))
		return func(in []uint64) []uint64 {
			rst, en, d8, d3, d64 := in[0], in[1], in[2], in[3:6], in[6]
			out := cat([]uint64{s.count}, s.vec[:], s.data[:], []uint64{s.free, s.p, s.q, s.s1, s.s2, s.wide,
				s.hold, s.flip, s.self, s.fixed, (s.p - s.q + s.s2) & 255})
			n := s
			n.count, n.free = (s.count+3)&255, (s.free+d64)&ones(33)
			n.p, n.q, n.s1, n.s2, n.fixed = s.q, s.p, d8, s.s1, 77
			if en == 1 {
				n.hold, n.flip = d8, 1-s.flip
				for i := range 3 {
					n.vec[i], n.data[i] = d3[i], (s.vec[i]+d3[i])&31
				}
			}
			if d8%2 == 1 {
				n.wide = s.wide + d64
			}
			if rst == 1 {
				n.count, n.vec, n.p, n.q, n.s1, n.wide, n.hold, n.flip = 250, [3]uint64{1, 2, 30}, 1, 2, 0, 1<<63, 9, 1
			}
			s = n
			return out
		}
	}
	return Case{Name: "registers", Top: m, Seed: seed, Stim: stim, Model: model}
}

// powerOnCase: nothing is ever reset; all instances of a module start alike, seed 0.
func powerOnCase() Case {
	leaf := ir.New("conform_start_leaf", "Shows its power-on state.")
	lr := leaf.DataReg("r", ir.Vec(2, 64))
	lr.Set(lr.Q)
	lm := leaf.Mem("m", 3, ir.Bits(17))
	leaf.Out("r_out", lr.Q, "")
	leaf.Out("m_out", leaf.Lookup(lm, leaf.In("a", ir.Bits(2), "")), "")
	m := ir.New("conform_start", "Power-on state through a hierarchy.")
	a := m.In("a", ir.Bits(2), "")
	u, g := m.Instance("u_one", leaf).In("a", a), m.Array("grid", leaf, 2, 2).In("a", a)
	for _, p := range []string{"r_out", "m_out"} {
		m.Out("u_"+p, m.OutOf(u, p), "")
		m.Out("g_"+p, m.OutOf(g, p), "")
	}
	mem := m.Mem("buf", 4, ir.Vec(2, 9))
	m.Out("q", m.Read(mem, a, m.K(1, 1)), "")
	stim := [][]uint64{{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 0}, {0, 2}}
	model := func() Model {
		q := initWords(0, "conform_start", "buf.q", 2, 9)
		return func(in []uint64) []uint64 {
			r := initWords(0, "conform_start_leaf", "r", 2, 64)
			var w uint64
			if in[1] < 3 {
				w = initWord(0, "conform_start_leaf", "m", int(in[1]), 17)
			}
			out := cat(r, r, r, r, r, []uint64{w, w, w, w, w}, q)
			q = initWords(0, "conform_start", "buf", 8, 9)[2*in[1] : 2*in[1]+2]
			return out
		}
	}
	return Case{Name: "power-on", Top: m, Stim: stim, Model: model}
}

// memoryCase: synchronous and asynchronous reads, read during write, addresses beyond a depth
// that is no power of two, an enable on the read port, a fixed table, one word of memory.
func memoryCase() Case {
	const seed, name, ramName = 0x5eed, "conform_memory", "conform_memory_ram"
	ram := memoryMacro(ramName)
	m := ir.New(name, "Memories.")
	in := func(n string, w int) *ir.Node { return m.In(n, ir.Bits(w), "") }
	ra, wa, ren, wen := in("ra", 3), in("wa", 3), in("ren", 1), in("wen", 1)
	wd, far, wd64 := m.In("wd", ir.Vec(2, 9), ""), in("far", 33), in("wd64", 64)
	u := m.Instance("u_ram", ram)
	u.In("ra", ra).In("wa", wa).In("ren", ren).In("wen", wen).In("wd", wd).In("far", far)
	for _, p := range ram.Outputs() {
		m.Out(p.Name, m.OutOf(u, p.Name), "")
	}
	always := m.K(1, 1)
	table := []uint64{3, 1, 4, 1, 5, 9}
	rom := m.Rom("rom", ir.Vec(2, 4), table)
	m.Out("rom_now", m.Lookup(rom, ra), "")
	m.Out("rom_q", m.Read(rom, wa, always), "")
	one := m.Mem("one", 1, ir.Bits(64))
	m.Out("one_q", m.Read(one, ra.Bit(0), always), "")
	m.Write(one, wa.Bit(0), wd64, always)
	preset := m.Mem("preset", 4, ir.Bits(8))
	preset.Init = []uint64{10, 20, 30, 40}
	m.Out("preset_q", m.Read(preset, ra.Trunc(2), ren), "")
	m.Write(preset, wa.Trunc(2), wd64.Trunc(8), wen)

	d := dice(22)
	var stim [][]uint64
	for i := range 120 {
		far := uint64(d.below(7))
		if d.below(3) == 0 {
			far = d.word(33)
		}
		stim = append(stim, cat([]uint64{truth(i == 40), uint64(d.below(8)), uint64(d.below(8)), d.bit(2), d.bit(2)},
			d.words(2, 9), []uint64{far, d.word(64)}))
	}
	model := func() Model {
		words := func(n string, count, w int) []uint64 { return initWords(seed, name, n, count, w) }
		ram := func(n string, count, w int) []uint64 { return initWords(seed, ramName, n, count, w) }
		buf, bufQ, big, bigQ := ram("buf", 10, 9), ram("buf.q", 2, 9), ram("big", 6, 1), ram("big.q", 1, 1)
		romQ, one, oneQ := words("rom.q", 2, 4), words("one", 1, 64), words("one.q", 1, 64)
		pre, preQ := []uint64{10, 20, 30, 40}, words("preset.q", 1, 8)
		look := func(mem []uint64, n int, addr uint64) []uint64 {
			word := make([]uint64, n)
			if addr < uint64(len(mem)/n) {
				copy(word, mem[int(addr)*n:])
			}
			return word
		}
		store := func(mem []uint64, addr uint64, word ...uint64) {
			if addr < uint64(len(mem)/len(word)) {
				copy(mem[int(addr)*len(word):], word)
			}
		}
		return func(in []uint64) []uint64 {
			ra, wa, ren, wen, wd, far, wd64 := in[1], in[2], in[3], in[4], in[5:7], in[7], in[8]
			out := cat(bufQ, look(buf, 2, ra), look(buf, 2, wa), bigQ, look(big, 1, far), look(table, 2, ra), romQ, oneQ, preQ)
			if ren == 1 {
				bufQ, preQ = look(buf, 2, ra), look(pre, 1, ra%4)
			}
			if wen == 1 {
				bigQ = look(big, 1, far)
				store(buf, wa, wd...)
				store(big, far, ren)
				store(pre, wa%4, wd64&255)
			}
			romQ, oneQ = look(table, 2, wa), look(one, 1, ra%2)
			store(one, wa%2, wd64)
			return out
		}
	}
	return Case{Name: "memories", Top: m, Seed: seed, Stim: stim, Model: model}
}

// memoryMacro reads what it also writes without a clock, which only a macro may.
func memoryMacro(name string) *ir.Module {
	m := ir.New(name, "Memories with asynchronous reads.")
	m.Macro = &ir.Macro{Kind: "sram", Latency: 1}
	in := func(n string, w int) *ir.Node { return m.In(n, ir.Bits(w), "") }
	ra, wa, ren, wen := in("ra", 3), in("wa", 3), in("ren", 1), in("wen", 1)
	wd, far := m.In("wd", ir.Vec(2, 9), ""), in("far", 33)
	buf := m.Mem("buf", 5, ir.Vec(2, 9))
	m.Out("q", m.Read(buf, ra, ren), "")
	m.Out("now", m.Lookup(buf, ra), "")
	m.Out("other", m.Lookup(buf, wa), "")
	m.Write(buf, wa, wd, wen)
	big := m.Mem("big", 6, ir.Bits(1))
	m.Out("big_q", m.Read(big, far, wen), "")
	m.Out("big_now", m.Lookup(big, far), "")
	m.Write(big, far, ren, wen)
	return m
}

// imageCase: every lane of a Loaded memory has contents of its own, found under the name that
// generate blocks give it; a memory without data in the image starts seeded.
func imageCase() Case {
	const seed = 77
	leaf := ir.New("conform_image_leaf", "A table loaded at power-on.")
	tab := leaf.Mem("tab", 3, ir.Vec(2, 5))
	tab.Loaded = true
	a := leaf.In("a", ir.Bits(2), "")
	leaf.Out("q", leaf.Read(tab, a, leaf.K(1, 1)), "")
	mid := ir.New("conform_image_mid", "A row of tables.")
	mid.Out("q", mid.OutOf(mid.Array("t", leaf, 1, 2).In("a", mid.In("a", ir.Bits(2), "")), "q"), "")
	m := ir.New("conform_image", "Tables in instances and Arrays of all shapes.")
	ma := m.In("a", ir.Bits(2), "")
	paths := []string{"u_x"}
	m.Out("x", m.OutOf(m.Instance("u_x", leaf).In("a", ma), "q"), "")
	grid := func(name string, of *ir.Module, r, c int, at ...string) {
		m.Out(name+"_q", m.OutOf(m.Array(name, of, r, c).In("a", ma), "q"), "")
		paths = append(paths, at...)
	}
	grid("g", leaf, 1, 1, "g_c[0].g")
	grid("h", leaf, 1, 2, "h_c[0].h", "h_c[1].h")
	grid("v", leaf, 2, 1, "v_r[0].v", "v_r[1].v")
	grid("w", leaf, 2, 2, "w_r[0].w_c[0].w", "w_r[0].w_c[1].w", "w_r[1].w_c[0].w", "w_r[1].w_c[1].w")
	grid("n", mid, 2, 1, "n_r[0].n.t_c[0].t", "n_r[0].n.t_c[1].t", "n_r[1].n.t_c[0].t", "n_r[1].n.t_c[1].t")

	img, d := ir.NewImage(), dice(23)
	for i, p := range paths {
		if i != 2 && i != 6 {
			img.Data["conform_image."+p+".tab"] = d.words(6, 5)
		}
	}
	var stim [][]uint64
	for i := range 9 {
		stim = append(stim, []uint64{0, uint64(i*3) % 4})
	}
	model := func() Model {
		q := make([][]uint64, len(paths))
		for i := range q {
			q[i] = initWords(seed, "conform_image_leaf", "tab.q", 2, 5)
		}
		return func(in []uint64) []uint64 {
			out := cat(q...)
			for i, p := range paths {
				data, ok := img.Data[fmt.Sprintf("conform_image.%s.tab", p)]
				if !ok {
					data = initWords(seed, "conform_image_leaf", "tab", 6, 5)
				}
				q[i] = []uint64{0, 0}
				if in[1] < 3 {
					q[i] = data[2*in[1] : 2*in[1]+2]
				}
			}
			return out
		}
	}
	return Case{Name: "images", Top: m, Seed: seed, Image: img, Stim: stim, Model: model}
}
