package paper

import (
	"ohmloom/gen/arch"
	"ohmloom/gen/estimate"
)

// tpu is TPU-LLM: the array does everything.
func (r run) tpu() (seconds, share, joules *estimate.Quantity) {
	attention, projections := r.attention(), r.projections()
	cycles := estimate.Product("cycles", "cycles", 1, r.layers(), estimate.Sum("cycles.layer", "cycles", projections, attention))
	seconds = estimate.Quotient("seconds", "s", 1e-6, cycles, clock())
	if r.on["columns"] {
		seconds = estimate.Sum("seconds", "s", r.streamed("projections", r.weightMACs(), r.weightBytes()), r.streamed("attention", r.kvMACs(), r.kvBytes()))
		cycles = estimate.Product("cycles", "cycles", 1e6, seconds, clock())
	}
	energy := []*estimate.Quantity{estimate.Product("joules.array", "J", 1e-12, cycles, r.perCycle())}
	if r.on["lpddr"] {
		energy = append(energy, r.traffic(estimate.Sum("lpddr_bytes", "B", r.kvBytes(), r.weightBytes())))
	}
	return seconds, estimate.Given("array_share", 1, "", "the array does everything"), estimate.Sum("joules_per_token", "J", energy...)
}

// pim is PIM-LLM: crossbars for the projections, the array for attention.
func (r run) pim() (seconds, share, joules *estimate.Quantity) {
	attention := r.attention()
	array := estimate.Quotient("seconds.array_layer", "s", 1e-6, attention, clock())
	if r.on["columns"] {
		array = estimate.Quotient("seconds.array_layer", "s", 1, r.streamed("attention", r.kvMACs(), r.kvBytes()), r.layers())
		attention = estimate.Product("cycles.attention", "cycles", 1e6, array, clock())
	}
	layer := estimate.Sum("seconds.layer", "s", array, estimate.Product("seconds.crossbars_layer", "s", 1e-9, r.Constant()))
	seconds = estimate.Product("seconds", "s", 1, r.layers(), layer)

	pairs := estimate.Product("pairs", "pairs", 1, r.layers(), r.pairs())
	energy := []*estimate.Quantity{estimate.Product("joules.crossbars", "J", 1e-12, pairs, pairEnergy())}
	if r.on["attention-energy"] {
		attention = estimate.Product("cycles.attention_all", "cycles", 1, r.layers(), attention)
	}
	energy = append(energy, estimate.Product("joules.array", "J", 1e-12, attention, r.perCycle()))
	if r.on["lpddr"] {
		energy = append(energy, r.traffic(r.kvBytes()))
	}
	return seconds, estimate.Quotient("array_share", "", 1, array, layer), estimate.Sum("joules_per_token", "J", energy...)
}

// stages group a layer's matrices by what runs at the same time.
func stages(ms []arch.Matrix) [][]int {
	group := map[string]int{"wq": 0, "wk": 0, "wv": 0, "wo": 1, "w1": 2, "w3": 2, "w2": 3}
	list := make([][]int, 4)
	for i, m := range ms {
		list[group[m.Name]] = append(list[group[m.Name]], i)
	}
	return list
}

// simulated is the layer's matrices as the crossbars were simulated.
func (r run) simulated() []arch.Matrix {
	m := r.m
	if p := m.Published; p != nil && !r.on["shapes"] && p.PIMDModel != m.DModel {
		m.DFF = m.DFF * p.PIMDModel / m.DModel
		m.DModel, m.HeadChannels, m.Heads, m.KVHeads = p.PIMDModel, p.PIMDModel, 1, 1
	}
	ms := m.Matrices()
	if !r.on["first-layer"] {
		ms[0].In = firstInputs
	}
	return ms
}

func tilesOf(m arch.Matrix) int { return ceilDiv(ceilDiv(m.Out, xbar)*ceilDiv(m.In, xbar), tilePEs) }

// pairs is the crossbar pairs of a layer, rounded up to whole tiles.
func (r run) pairs() *estimate.Quantity {
	n := 0
	for _, m := range r.simulated() {
		n += tilePEs * tilesOf(m)
	}
	return estimate.Formula("pairs_layer", float64(n), "pairs", "sum over a layer's matrices of ceil(out/256) ceil(in/256), in whole tiles of 4")
}

// Constant is the time of a layer's crossbars, the same for every context.
func (r run) Constant() *estimate.Quantity {
	ms := r.simulated()
	tiles := make([]int, len(ms))
	for i, m := range ms {
		tiles[i] = tilesOf(m)
	}
	dist, fixed := place(tiles), mvmTime()
	hopIn := estimate.Formula("ns.hop_in", hopInTime(), "ns", "256 sums of 32 bits over a link of 20 bit/ns, and an addition",
		estimate.Constant("link", linkBits), estimate.Constant("addition", addTime))
	var parts []*estimate.Quantity
	for _, stage := range stages(ms) {
		var slow *estimate.Quantity
		for _, i := range stage {
			m, h := ms[i], dist[i]
			out := estimate.Formula("hops_out."+m.Name, float64(h.out), "hops", "placement along square shells, to the next matrix's farthest tile")
			in := estimate.Formula("hops_in."+m.Name, float64(h.in), "hops", "placement along square shells, to the matrix's own farthest tile")
			move := estimate.Formula("ns.hop_out."+m.Name, inputBits*float64(m.Out)/linkBits.Value, "ns", "its outputs of 8 bits over a link of 20 bit/ns", estimate.Constant("link", linkBits))
			t := estimate.Sum("ns."+m.Name, "ns", fixed, estimate.Product("ns.in."+m.Name, "ns", 1, in, hopIn), estimate.Product("ns.out."+m.Name, "ns", 1, out, move))
			if slow == nil || t.Value > slow.Value {
				slow = t
			}
		}
		parts = append(parts, slow)
	}
	return estimate.Sum("ns.crossbars_layer", "ns", parts...)
}

func hopInTime() float64 { return xbar*32/linkBits.Value + addTime.Value }

// mvmTime is a pair's product without the mesh.
func mvmTime() *estimate.Quantity {
	steps := estimate.Given("steps", planeSteps, "steps", "8 input bits x 2 shares of a converter")
	each := func(key string, c arch.Quantity) *estimate.Quantity {
		return estimate.Product("ns."+key, "ns", 1, steps, estimate.Constant(key, c))
	}
	words := func(key string, n arch.Quantity) *estimate.Quantity {
		return estimate.Product("ns."+key, "ns", 1, estimate.Constant(key, n), estimate.Constant("word", wordTime))
	}
	return estimate.Sum("ns.mvm", "ns", each("crossbar", xbarRead), each("dac", dacTime), each("adc", adcTime),
		estimate.Constant("ns.digital", digitalTime), words("buffers", bufferWords), words("tile_buffer", tileWords),
		estimate.Constant("ns.intra_tile", intraTileTime))
}

// pairEnergy is a pair's product.
func pairEnergy() *estimate.Quantity {
	times := func(key string, n int, what string, c arch.Quantity) *estimate.Quantity {
		return estimate.Product("pj."+key, "pJ", 1, estimate.Given("count."+key, float64(n), "", what), estimate.Constant(key, c))
	}
	return estimate.Sum("pj.mvm", "pJ",
		times("adc", planeSteps*xbar/adcShares, "steps x converters", adcEnergy),
		times("crossbar", planeSteps*xbar*xbar, "steps x cells", cellEnergy),
		times("dac", planeSteps*xbar, "steps x rows", dacEnergy),
		estimate.Constant("pj.digital", digitalPE), estimate.Constant("pj.buffers", bufferPE), estimate.Constant("pj.rest", restPE))
}

func (r run) kvBytes() *estimate.Quantity {
	return estimate.Formula("kv_bytes", float64(r.m.KVBytes(r.l)), "B", "2 x layers x KV heads x head_channels x context, int8")
}

func (r run) weightBytes() *estimate.Quantity {
	bits := estimate.Constant("weight_bits", weightBits)
	return estimate.Product("weight_bytes", "B", 1.0/8, r.weightMACs(), bits)
}

func (r run) weightMACs() *estimate.Quantity {
	n := 0
	for _, x := range r.m.Matrices() {
		n += x.Out * x.In
	}
	return estimate.Formula("macs.projections", float64(r.m.Layers*n), "MAC", "layers x weights of a layer")
}

func (r run) kvMACs() *estimate.Quantity {
	return estimate.Formula("macs.attention", float64(2*r.m.Layers*r.m.Heads*r.m.HeadChannels*r.l), "MAC", "2 x layers x heads x head_channels x context")
}

// streamed is the time of products with all multipliers at work or LPDDR4 at its peak rate,
// whichever takes longer.
func (r run) streamed(what string, macs, bytes *estimate.Quantity) *estimate.Quantity {
	pes := estimate.Given("multipliers", Rows*Cols, "MAC/cycle", "the paper's array")
	compute := estimate.Quotient("seconds."+what+".compute", "s", 1e-6, estimate.Quotient("cycles."+what, "cycles", 1, macs, pes), clock())
	memory := estimate.Quotient("seconds."+what+".lpddr", "s", 1e-9, bytes, estimate.Constant("lpddr_rate", lpddrRate))
	t, _ := estimate.Largest("seconds."+what, "s", compute, memory)
	return t
}

func (r run) traffic(bytes *estimate.Quantity) *estimate.Quantity {
	return estimate.Product("joules.lpddr", "J", 8e-12, bytes, estimate.Constant("lpddr", lpddrEnergy))
}
