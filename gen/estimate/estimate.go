package estimate

import (
	"cmp"
	"fmt"
	"slices"

	"ohmloom/gen/arch"
	"ohmloom/hw"
)

// Parts of a chip.
const (
	Array    = "array"
	Softmax  = "softmax" // and the latency of an attention engine that its array does not hide
	Crossbar = "crossbar"
	ADC      = "ADC"
	ShiftAdd = "shift-add"
	Network  = "network"
	Buffers  = "buffers"
	Vector   = "vector unit"
	Memory   = "memory"
	Leakage  = "leakage"

	Clock     = "clock"             // of flip-flops
	IdleClock = "clock of idle PEs" // of those of crossbar PEs and routers that have nothing to do
	Logic     = "all logic"         // in place of a kind of layer
	PEs       = "crossbar PEs"      // likewise
)

// Kinds of layers.
const (
	KindQKV       = "qkv"
	KindAttention = "attention"
	KindOut       = "attention output"
	KindUp        = "feed-forward up"
	KindDown      = "feed-forward down"
	KindNorm      = "norm and residual"
	KindHead      = "output head"
)

// Phases of inference.
const (
	Decode  = "decode"  // one token at the context
	Prefill = "prefill" // a prompt of that many tokens, one after the other, on a whole chip as its program does, in blocks
)

// Bounds.
const (
	BoundCompute = "compute"
	BoundSRAM    = "SRAM"
	BoundLPDDR   = "LPDDR"
	BoundADC     = "ADC"
	BoundNetwork = "network"
	BoundLatency = "latency"
)

// Part is what a part of the chip takes for a kind of layer, a token.
type Part struct {
	Part, Kind string
	Cycles     *Quantity // nil: it takes none of its own
	Joules     *Quantity // nil: none
}

// Bound is what limits a kind of layer.
type Bound struct {
	Kind, Bound string
	Cycles      *Quantity // of the kind, a token
	Limit       *Quantity // of them, what the bound alone would take
}

// MACs are a token's multiplications of one precision.
type MACs struct {
	Precision string
	Count     *Quantity
}

// Result is an estimate: one token of decode, or a prompt.
type Result struct {
	Hardware *Hardware
	Model    arch.Model
	Context  int
	Phase    string
	Tokens   int  // that the figures are for
	RTLExact bool // cycles are the chip's own, kind by kind, and those of its RTL

	Cycles, Seconds, TokensPerSecond *Quantity
	Joules, JoulesPerToken           *Quantity
	TokensPerJoule                   *Quantity
	IdleClock                        *Quantity // of the joules a token, what clock gates would save; nil: not known
	GOPS, GOPSPerWatt                *Quantity // a MAC is one operation
	WordsPerBattery                  *Quantity // 5 Wh, 1.5 tokens a word
	Pairs                            *Quantity // crossbar pairs
	ADCs                             *Quantity // converters of those
	AnalogArea                       *Quantity // of crossbars, converters and row drivers
	WriteCycles, WriteSeconds        *Quantity // of bringing the weights in through ports, nil unless crossbars are writable
	Parts                            []Part
	Bounds                           []Bound
	MACs                             []MACs
}

// Options of an estimate.
type Options struct {
	NoHead bool // the decoder layers only, as PIM-LLM counts
	Chips  int  // chips that share the crossbar pairs; 0: one

	hw.Conditions // the memory's latency counts in the time of whole chips
}

// Estimate is what model m takes on the hardware at context l. Cycles are the blocks' closed
// forms. Vectors go from unit to unit through hw.Switch, whose readers follow writers 2 cycles
// behind: a step that takes a vector as it comes shows only the time from the vector's last
// beat on. Else a step begins when the one before is done. Cost grows with the distinct steps
// of a layer, in prefill also with l.
//
// A whole chip that runs the model it is described for is followed instruction by instruction
// instead, at a cost that grows with the layers, in prefill also with l; its cycles are those of
// its RTL, in decode from one token to the next, in prefill from the command to the first token.
func (h *Hardware) Estimate(m arch.Model, l int, phase string, o Options) (*Result, error) {
	if l < 1 || l > 1<<20 {
		return nil, fmt.Errorf("a context of %d; allowed are 1 to 1,048,576 tokens", l)
	}
	pairs, err := h.fit(m, max(o.Chips, 1))
	if err != nil {
		return nil, err
	}
	eng, err := h.engineFor(m, l)
	if err != nil {
		return nil, err
	}
	t := &tally{Hardware: h, m: m, l: l, engine: eng, tokens: 1, heads: 1, sampled: o.Sampled}
	if phase == Prefill {
		t.tokens = l
	}
	if o.NoHead || m.Vocab == 0 {
		t.heads = 0
	}
	if err := h.latencyError(m, t.tokens, o); err != nil {
		return nil, err
	}
	if err := t.layer(); err != nil {
		return nil, err
	}
	if err := t.head(); err != nil {
		return nil, err
	}
	exact := h.exact(m, t.tokens, o)
	if exact {
		if err := t.retime(phase, o.Conditions); err != nil {
			return nil, err
		}
	}
	r, err := t.result(phase, pairs)
	if err != nil {
		return nil, err
	}
	r.RTLExact = exact
	r.WriteCycles, r.WriteSeconds = t.writing(pairs, o.Chips)
	return r, nil
}

// tally adds up one estimate.
type tally struct {
	*Hardware
	m             arch.Model
	l             int
	engine        engine
	tokens, heads int
	sampled       bool
	parts         []Part
	bounds        []Bound
	macs          []MACs
	layers        *Quantity // of all tokens
}

// limit is a bound and the cycles it alone would take.
type limit struct {
	bound  string
	cycles int
}

// step adds a step of every layer: its cycles by part and what bounds it.
func (t *tally) step(kind, block string, parts []partCycles, limits ...limit) {
	total := 0
	for _, p := range parts {
		total += p.cycles
	}
	per := Cycles("cycles_layer."+kind, total, block)
	for _, p := range parts {
		c := Cycles("cycles_layer."+kind+"."+p.part, p.cycles, block)
		t.parts = append(t.parts, Part{Part: p.part, Kind: kind, Cycles: Product("cycles."+kind+"."+p.part, "cycles", 1, t.layers, c)})
	}
	which := slices.MaxFunc(limits, func(a, b limit) int { return a.cycles - b.cycles })
	if 2*which.cycles < total {
		which = limit{BoundLatency, total}
	}
	t.bounds = append(t.bounds, Bound{Kind: kind, Bound: which.bound, Cycles: Product("cycles."+kind, "cycles", 1, t.layers, per),
		Limit: Product("limit."+kind, "cycles", 1, t.layers, Cycles("limit_layer."+kind, which.cycles, block+", "+which.bound))})
}

// layer adds the steps of a decoder layer, times all layers.
func (t *tally) layer() error {
	t.layers = Given("layers", float64(t.m.Layers), "", "shape of "+t.m.Title)
	if t.tokens > 1 {
		t.layers = Product("layers_of_all_tokens", "", 1, t.layers, Given("tokens", float64(t.tokens), "", "the prompt"))
	}
	for _, op := range operations(t.m) {
		p, err := t.project(op.shape, op.kind == KindOut || op.kind == KindDown, op.kind == KindQKV)
		if err != nil {
			return err
		}
		if op.kind == KindUp && t.m.Gated {
			p = t.gated(p)
		}
		lim := map[string]int{}
		for _, c := range p.parts {
			lim[c.part] += c.cycles
		}
		t.step(op.kind, p.block, p.parts, limit{BoundADC, lim[Crossbar]}, limit{BoundNetwork, lim[Network]})
		t.projectEnergy(op)
		if op.kind == KindQKV {
			t.attention()
		}
	}
	t.norms()
	macs := 0
	for _, x := range t.m.Matrices() {
		macs += x.Out * x.In
	}
	t.macs = append(t.macs, MACs{"ternary x int8", Product("macs.ternary", "MAC", 1, t.layers, Given("macs_layer.ternary", float64(macs), "MAC", "weights of a layer"))},
		MACs{"int8 x int8", Product("macs.int8", "MAC", float64(t.m.Layers), t.attentionMACs())})
	return nil
}

// slots sums f over the contexts that the tokens see.
func (t *tally) slots(f func(slots int) int) int {
	if t.tokens == 1 {
		return f(t.l)
	}
	n := 0
	for s := 1; s <= t.l; s++ {
		n += f(s)
	}
	return n
}

// attentionMACs is one layer's, of all tokens.
func (t *tally) attentionMACs() *Quantity {
	n := t.slots(func(l int) int { return 2 * t.m.Heads * t.m.HeadChannels * l })
	return Formula("macs_layer.attention", float64(n), "MAC", "2 x heads x head_channels x context, of all tokens")
}

// attention adds the pass of a layer, of all tokens.
func (t *tally) attention() {
	layers := t.layers
	if t.tokens > 1 {
		t.layers = Given("layers", float64(t.m.Layers), "", "shape of "+t.m.Title) // slots sums over tokens
	}
	pass, array, port := t.slots(t.engine.pass), t.slots(t.engine.array), t.slots(t.engine.port)
	parts := []partCycles{{Array, array}, {Softmax, max(pass-array, 0)}}
	if port > array {
		parts = []partCycles{{Array, array}, {Memory, max(min(port, pass)-array, 0)}, {Softmax, max(pass-max(port, array), 0)}}
	}
	if t.engine.block != nil {
		if wait := hw.SidesWait(t.engine.block, t.Lanes); wait > 0 {
			parts = append(parts, partCycles{Network, t.slots(func(int) int { return wait })})
		}
	}
	limits := []limit{{BoundCompute, array}, {BoundLPDDR, port}}
	if t.Attention.Decode == arch.Spread && t.Attention.PortBytes == 0 {
		limits[0].bound = BoundSRAM // a byte of the cache a multiplier and cycle: both are at their limit
	}
	t.step(KindAttention, t.engine.name, parts, limits...)
	t.attentionEnergy()
	t.layers = layers
}

// gated adds the products of a gated feed-forward block to the operation that gives its two
// vectors: what hw.GatedProduct takes beyond the beats that come one after the other. Crossbars
// that give the two side by side have them taken in turn.
func (t *tally) gated(p projection) projection {
	b := hw.GatedProduct{D: t.m.DFF, Lanes: t.Lanes, Shift: 7}
	came := 2 * b.Beats()
	more := b.Cycles([][]hw.Beat{make([]hw.Beat, came)}) - came
	if t.Banks > 1 || t.PIM != nil {
		more += b.Beats()
	}
	p.parts, p.block = slices.Clone(p.parts), p.block+", hw.GatedProduct.Cycles"
	if at := slices.IndexFunc(p.parts, func(c partCycles) bool { return c.part == Vector }); at >= 0 {
		p.parts[at].cycles += more
	} else {
		p.parts = append(p.parts, partCycles{Vector, more})
	}
	return p
}

// norms adds what of the vector unit shows in a layer: twice the way of the last beat to the
// addition, the reciprocal of the norm and the way of its first beat out. Additions keep step
// with the results that come, and norms with the vectors that the crossbars take.
func (t *tally) norms() {
	b := hw.VectorUnit{D: t.m.DModel, Lanes: t.Lanes, K: 256, Shift: 16}
	t.step(KindNorm, "hw.VectorUnit.Wait", []partCycles{{Vector, 2 * (b.Wait() + 2)}, {Network, 2 * hw.SwitchTime}}, limit{BoundLatency, 2 * b.Wait()})
	t.vectorEnergy()
}

// head adds what a token takes beside its layers: its embedding into the residual stream, the
// last norm and the output head, whose rows come from external memory and are multiplied on the
// array: one a row of a bare array, which says nothing of its time.
func (t *tally) head() error {
	if t.heads == 0 {
		return nil
	}
	b := hw.OutputHead{D: t.m.DModel, Lanes: cmp.Or(t.HeadLanes, t.Lanes), Rows: t.m.Vocab}
	compute, block := b.Cycles([][]hw.Beat{make([]hw.Beat, b.Beats())}), "hw.OutputHead.Cycles"
	limits := []limit{{BoundCompute, b.Rows * b.Beats()}} // without the way of one row
	if e := t.engine.block; e != nil {
		b.Lanes, block = hw.HeadLanes(e, t.HeadLanes, t.Lanes), "hw.HeadCycles"
		var err error
		if compute, err = hw.HeadCycles(e, b.D, b.Lanes, b.Rows); err != nil {
			return fmt.Errorf("the output head of chip %q: %w", t.Name, err)
		}
		row, _ := hw.HeadCycles(e, b.D, b.Lanes, 1)
		limits[0].cycles = compute - row + b.Beats()
	}
	memory := 0
	if t.Attention.PortBytes > 0 {
		memory = ceilDiv(t.m.Vocab*t.m.DModel, t.Attention.PortBytes)
		limits = slices.Insert(limits, 0, limit{BoundLPDDR, memory}) // which it is when both take as long
	}
	layers := t.layers
	t.layers = Given("heads", float64(t.heads), "", "one a token that is wanted")
	v, s := hw.VectorUnit{D: t.m.DModel, Lanes: t.Lanes, K: 256, Shift: 16}, hw.Sampler{Tokens: t.m.Vocab}
	vector := v.Beats() + v.Wait() + 2
	if t.sampled {
		vector, block = vector+s.DrawCycles(true)-s.DrawCycles(false), block+", hw.Sampler.DrawCycles"
	}
	t.step(KindHead, block+", hw.VectorUnit.Wait", []partCycles{{Array, compute}, {Memory, max(memory-compute, 0)}, {Vector, vector}, {Network, hw.SwitchTime + t.widen(b)}}, limits...)
	t.headEnergy()
	t.layers = layers
	t.macs = append(t.macs, MACs{"int8 x int8, output head", Given("macs.head", float64(t.heads*t.m.Vocab*t.m.DModel), "MAC", "vocabulary x d_model")})
	return nil
}

// widen is what the gearboxes of the embedding and of the last norm add to head b's time, where
// its lanes are not those of the other vectors.
func (t *tally) widen(b hw.OutputHead) int {
	if b.Lanes == t.Lanes {
		return 0
	}
	g := hw.Gearbox{In: t.Lanes, Out: b.Lanes, InLength: b.D, OutLength: b.D, Width: 8}
	move := g.Cycles([][]hw.Beat{make([]hw.Beat, ceilDiv(b.D, t.Lanes))})
	return 2*move - b.Beats() - ceilDiv(b.D, t.Lanes)
}

// result puts the sums together.
func (t *tally) result(phase string, pairs int) (*Result, error) {
	r := &Result{Hardware: t.Hardware, Model: t.m, Context: t.l, Phase: phase, Tokens: t.tokens, Bounds: t.bounds, MACs: t.macs}
	var cycles, joules, macs []*Quantity
	for _, b := range t.bounds {
		cycles = append(cycles, b.Cycles)
	}
	clock := Given("clock", t.ClockMHz, "MHz", "chip "+t.Name)
	tokens := Given("tokens", float64(t.tokens), "tokens", "of the phase")
	r.Cycles = Sum("cycles", "cycles", cycles...)
	r.Seconds = Quotient("seconds", "s", 1e-6, r.Cycles, clock)
	r.TokensPerSecond = Quotient("tokens_per_second", "tokens/s", 1, tokens, r.Seconds)
	if err := t.always(r.Seconds, r.Cycles, pairs, t.chipsFor(pairs)); err != nil {
		return nil, err
	}
	for _, p := range t.parts {
		if p.Joules != nil {
			joules = append(joules, p.Joules)
		}
	}
	for _, m := range t.macs {
		macs = append(macs, m.Count)
	}
	r.Parts = t.parts
	r.Joules = Sum("joules", "J", joules...)
	r.JoulesPerToken = Quotient("joules_per_token", "J", 1, r.Joules, tokens)
	r.TokensPerJoule = Quotient("tokens_per_joule", "tokens/J", 1, tokens, r.Joules)
	all := Sum("macs", "MAC", macs...)
	r.GOPS, r.GOPSPerWatt = Quotient("gops", "GOPS", 1e-9, all, r.Seconds), Quotient("gops_per_watt", "GOPS/W", 1e-9, all, r.Joules)
	r.WordsPerBattery = Quotient("words_per_battery", "words", 1, Given("battery", 5*3600, "J", "5 Wh"),
		Product("joules_per_word", "J", 1, r.JoulesPerToken, Given("tokens_per_word", 1.5, "tokens/word", "as in PIM-LLM (arXiv 2504.01994)")))
	r.Pairs = Formula("pairs", float64(pairs), "pairs", "sum over the matrices of ceil(in/rows) ceil(out/cols), all layers")
	r.ADCs = Product("adcs", "converters", 1, r.Pairs, Given("adcs_pair", float64(t.crossbar().Converters()), "converters/pair", "columns over share"))
	r.AnalogArea = t.analogArea(r.Pairs)
	for _, p := range t.parts {
		if p.Part == IdleClock {
			r.IdleClock = Quotient("joules_per_token.idle_clock", "J", 1, p.Joules, tokens)
		}
	}
	return r, nil
}

// chipsFor is how many chips of the kind hold the pairs.
func (t *tally) chipsFor(pairs int) int {
	if t.Pairs == 0 || t.Bank == nil {
		return 1
	}
	return max(1, ceilDiv(pairs, t.Pairs))
}

// analogArea is the area of crossbars, converters and row drivers.
func (t *tally) analogArea(pairs *Quantity) *Quantity {
	x, a := t.crossbar(), &t.Tech.Macros
	times := func(what string, n int, c arch.Quantity) *Quantity {
		return Product("um2_pair."+what, "um2", 1, Given("count."+what, float64(n), "", "of a pair"), Constant("area."+what, c))
	}
	pair := Sum("um2_pair", "um2", times("cell", 2*x.Rows*x.Cols, a.CellUm2), times("adc", x.Converters(), a.ADCUm2), times("dac", x.Rows, a.DACUm2))
	return Product("analog_area", "mm2", 1e-6, pairs, pair)
}

// Trees are the roots of all that the result says.
func (r *Result) Trees() []*Quantity {
	trees := []*Quantity{r.TokensPerSecond, r.JoulesPerToken, r.TokensPerJoule, r.GOPS, r.GOPSPerWatt, r.WordsPerBattery, r.ADCs, r.AnalogArea}
	for _, p := range r.Parts {
		for _, q := range []*Quantity{p.Cycles, p.Joules} {
			if q != nil {
				trees = append(trees, q)
			}
		}
	}
	for _, b := range r.Bounds {
		trees = append(trees, b.Cycles, b.Limit)
	}
	if r.WriteSeconds != nil {
		trees = append(trees, r.WriteSeconds)
	}
	return trees
}
