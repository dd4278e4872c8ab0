package hw

import (
	"fmt"
	"maps"
	"math/rand"

	"ohmloom/ir"
)

// SpreadSide is engines of the spread mode side by side, each with an equal share of the
// heads and KV heads and with banks of its own. Engines of fewer columns keep all multipliers
// busy where Cols divides neither the slots in use nor the channels of a head, or where they
// are fewer than the columns: n engines of Rows x Cols/n need n heads, not n Cols slots.
//
// Streams are those of one engine with beats n times as wide, of one head of each engine:
// elements i Rows to (i+1) Rows - 1 of a beat of q belong to engine i, which has heads
// i Heads/n to (i+1) Heads/n - 1; k, v, y and data and masks of the memory port likewise. All
// engines do the same in the same cycle, because nothing they do depends on data: engine 0's
// handshakes are those of all, and the time is that of one. Sums of the dot port are added up and so
// leave later by a tree over the engines.
type SpreadSide struct {
	Engines int    // 1..64
	Part    Spread // one engine with its share of the heads; its tables and dot port are not used
	Dot     int    // elements of a beat of the dot port, of which each engine multiplies an equal part; 0: there is none

	Bias      [][]int16          // [Layers * heads of all engines][Context], as in Spread
	Constants []ConSmaxConstants // [Layers * heads of all engines]
}

// NewSpreadSide is n engines that together have the columns, heads, port and tables of b, all
// of which n must divide.
func NewSpreadSide(n int, b Spread) (SpreadSide, error) {
	s := SpreadSide{Engines: n, Part: b, Bias: b.Bias, Constants: b.Constants}
	for _, share := range []struct {
		name string
		of   *int
	}{{"columns", &s.Part.Cols}, {"heads", &s.Part.Heads}, {"KV heads", &s.Part.KVHeads}, {"columns of the port", &s.Part.Port}} {
		if n < 1 || *share.of%n != 0 {
			return s, fmt.Errorf("spread_side: %d engines do not divide %d %s", n, *share.of, share.name)
		}
		*share.of /= n
	}
	s.Part.Bias, s.Part.Constants = nil, nil
	return s, s.Check()
}

// engine is one of the engines, without its tables.
func (b SpreadSide) engine() Spread {
	p := b.Part
	p.Dot = ceilDiv(b.Dot, b.Engines)
	return p
}

func (b SpreadSide) Name() string {
	name := fmt.Sprintf("spread_side_%d_%s", b.Engines, b.engine().suffix())
	if b.Dot%b.Engines > 0 {
		name += fmt.Sprintf("_dot%d", b.Dot)
	}
	return name
}

func (b SpreadSide) Check() error {
	return firstError(inRange("spread_side", "engines", b.Engines, 1, 64), checkDot("spread_side", b.Dot, b.mostDot()), b.engine().Check(),
		checkConstants(b.Constants, b.Part.Layers*b.Part.Heads*b.Engines))
}

// shared says whether a field is the same for all engines.
func shared(s Stream, f Field) bool {
	return s.Name == "token" || s.Name == "mem" && (f.Name == "write" || f.Name == "addr")
}

func (b SpreadSide) Streams() (in, out []Stream) {
	in, out = b.ownStreams()
	if b.Dot > 0 {
		dot, sum := dotStreams(b.Dot)
		in, out = append(in, dot), append(out, sum)
	}
	return in, out
}

// ownStreams are those of attention.
func (b SpreadSide) ownStreams() (in, out []Stream) {
	in, out = b.part(0).Streams()
	for _, list := range [][]Stream{in, out} {
		for i, s := range list {
			for j, f := range s.Fields {
				if !shared(s, f) {
					list[i].Fields[j].Type = ir.Vec(f.Type.N*b.Engines, f.Type.W)
				}
			}
		}
	}
	return in, out
}

func (b SpreadSide) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("%d attention engines side by side, %d x %d multipliers each.", b.Engines, b.Part.Rows, b.Part.Cols)
	return lib.module("spread_side", b.Name(), doc, func(m *ir.Module) {
		in, out := b.ownStreams()
		engines := make([]*ir.Inst, b.Engines)
		for i := range engines {
			engines[i] = m.Instance(fmt.Sprintf("u_engine_%d", i), b.engine().Build(lib))
		}
		for _, s := range in {
			x := input(m, s)
			for i, e := range engines {
				e.In(s.Name+"_valid", x.valid)
				for j, f := range s.Fields {
					v := x.fields[j]
					if n := f.Type.N / b.Engines; !shared(s, f) {
						v = v.Elems(i*n, n)
					}
					e.In(s.Name+"_"+f.Name, v)
				}
			}
			x.ready(m.OutOf(engines[0], s.Name+"_ready"))
		}
		for _, s := range out {
			take := output(m, s)
			fields := make([]*ir.Node, len(s.Fields))
			for i, e := range engines {
				e.In(s.Name+"_ready", take)
				for j, f := range s.Fields {
					switch v := m.OutOf(e, s.Name+"_"+f.Name); {
					case i == 0:
						fields[j] = v
					case !shared(s, f):
						fields[j] = fields[j].Join(v)
					}
				}
			}
			drive(m, s, m.OutOf(engines[0], s.Name+"_valid"), fields...)
		}
		if b.Dot > 0 {
			b.shareDot(m, engines)
		}
	})
}

// shareDot gives each engine its part of the dot port's beats, and adds up their sums.
func (b SpreadSide) shareDot(m *ir.Module, engines []*ir.Inst) {
	dot, sum := dotStreams(b.Dot)
	x, n := input(m, dot), b.engine().Dot
	x.ready(m.OutOf(engines[0], "dot_ready"))
	share := func(v *ir.Node, i int) *ir.Node {
		if rest := n*b.Engines - b.Dot; rest > 0 {
			v = v.Join(m.K(8, 0).Splat(rest))
		}
		return v.Elems(i*n, n)
	}
	var sums []*ir.Node
	for i, e := range engines {
		e.In("dot_valid", x.valid).In("dot_row", share(x.fields[0], i)).In("dot_y", share(x.fields[1], i)).In("dot_last", x.fields[2])
		sums = append(sums, m.OutOf(e, "sum_sum"))
	}
	ends := m.OutOf(engines[0], "sum_valid").Cat(m.OutOf(engines[0], "sum_last"))
	due := delay(m, "sums", ends, b.treeStages())
	drive(m, sum, due.Bit(1), adderTree(m, sums[0].Join(sums[1:]...), 32), due.Bit(0))
}

// treeStages is how much later than their own the sum of the engines' sums is.
func (b SpreadSide) treeStages() int { return ceilDiv(levels(b.Engines), 2) }

// part is engine i with its share of the tables, without dot port.
func (b SpreadSide) part(i int) Spread {
	p := b.Part
	p.Dot = 0
	for l := range p.Layers {
		first := (l*b.Engines + i) * p.Heads
		for h := first; h < first+p.Heads; h++ {
			if h < len(b.Bias) {
				p.Bias = append(p.Bias, b.Bias[h])
			} else {
				p.Bias = append(p.Bias, nil)
			}
			p.Constants = append(p.Constants, *constantsOf(b.Constants, h))
		}
	}
	return p
}

// Image is the tables of all engines.
func (b SpreadSide) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	for i := range b.Engines {
		maps.Copy(img.Data, b.part(i).Image(fmt.Sprintf("%s.u_engine_%d", prefix, i)).Data)
	}
	return img
}

// of is engine i's part of streams.
func (b SpreadSide) of(i int, streams []Stream, all [][]Beat) [][]Beat {
	part := make([][]Beat, len(all))
	for s := range all {
		for _, beat := range all[s] {
			mine := make(Beat, len(beat))
			for j, f := range streams[s].Fields {
				mine[j] = beat[j]
				if n := f.Type.N / b.Engines; !shared(streams[s], f) {
					mine[j] = beat[j][i*n : (i+1)*n]
				}
			}
			part[s] = append(part[s], mine)
		}
	}
	return part
}

// join is streams from those of each engine.
func (b SpreadSide) join(streams []Stream, parts [][][]Beat) [][]Beat {
	all := make([][]Beat, len(parts[0]))
	for s := range all {
		for n, beat := range parts[0][s] {
			wide := make(Beat, len(beat))
			for j, f := range streams[s].Fields {
				wide[j] = append([]uint64(nil), beat[j]...)
				for _, p := range parts[1:] {
					if !shared(streams[s], f) {
						wide[j] = append(wide[j], p[s][n][j]...)
					}
				}
			}
			all[s] = append(all[s], wide)
		}
	}
	return all
}

// Arithmetic is that of each engine.
func (b SpreadSide) Arithmetic(in [][]Beat) [][]Beat {
	ins, outs := b.ownStreams()
	parts := make([][][]Beat, b.Engines)
	for i := range parts {
		parts[i] = b.part(i).Arithmetic(b.of(i, ins, in[:len(ins)]))
	}
	out := b.join(outs, parts)
	if b.Dot > 0 {
		out = append(out, dotSums(in[len(ins)]))
	}
	return out
}

// Cycles is that of one engine; sums of the dot port come later.
func (b SpreadSide) Cycles(in [][]Beat) int {
	ins, _ := b.ownStreams()
	mine := b.of(0, ins, in[:len(ins)])
	if b.Dot > 0 {
		mine = append(mine, in[len(ins)]) // for their number
	}
	return b.engine().cycles(mine, b.treeStages())
}

func (b SpreadSide) passBehind(slots, latency int) int { return b.Part.passBehind(slots, latency) }

// ArrayCycles and PortCycles are those of one engine, like Cycles.
func (b SpreadSide) ArrayCycles(slots int) int { return b.Part.ArrayCycles(slots) }
func (b SpreadSide) PortCycles(slots int) int  { return b.Part.PortCycles(slots) }

// Phases are those of engine 0, and so of all.
func (b SpreadSide) Phases(in [][]Beat, from int) []Phase {
	ins, _ := b.ownStreams()
	phases := b.Part.Phases(b.of(0, ins, in[:len(ins)]), from)
	for i := range phases {
		signals := make([]string, len(phases[i].Signals))
		for j, s := range phases[i].Signals {
			signals[j] = "u_engine_0." + s
		}
		phases[i].Signals = signals
	}
	return phases
}

func (b SpreadSide) Beats(passes []Pass) [][]Beat {
	ins, _ := b.ownStreams()
	parts := make([][][]Beat, b.Engines)
	for i := range parts {
		share := func(x []int8) []int8 { n := len(x) / b.Engines; return x[i*n : (i+1)*n] }
		mine := make([]Pass, len(passes))
		for j, p := range passes {
			mine[j] = p
			mine[j].Q, mine[j].K, mine[j].V = share(p.Q), share(p.K), share(p.V)
		}
		parts[i] = b.part(i).Beats(mine)
	}
	in := b.join(ins, parts)
	if b.Dot > 0 {
		in = append(in, nil)
	}
	return in
}

func (b SpreadSide) Collect(y []Beat) [][]int8 {
	_, outs := b.ownStreams()
	parts := make([][][]int8, b.Engines)
	for i := range parts {
		parts[i] = b.Part.Collect(b.of(i, outs[:1], [][]Beat{y})[0])
	}
	var heads [][]int8
	for pass := 0; pass < len(parts[0]); pass += b.Part.Heads {
		for _, p := range parts {
			heads = append(heads, p[pass:pass+b.Part.Heads]...)
		}
	}
	return heads
}

func (b SpreadSide) PassBeats() int { return b.Part.PassBeats() }

func (b SpreadSide) WithBias(bias [][]int16) AttentionEngine {
	b.Bias = bias
	return b
}

func (b SpreadSide) WithConstants(constants []ConSmaxConstants) AttentionEngine {
	b.Constants = constants
	return b
}

func (b SpreadSide) RandomPasses(r *rand.Rand, n int, extreme bool) []Pass {
	heads := b.Part.HeadChannels * b.Engines
	return randomPasses(r, n*b.Part.Layers, b.Part.Heads*heads, b.Part.KVHeads*heads, extreme)
}

func randomSpreadSide(r *rand.Rand) Block {
	b := SpreadSide{Engines: 1 + r.Intn(3), Part: randomSpread(r).(Spread)}
	if b.Part.Dot > 0 {
		b.Dot = 1 + r.Intn(b.Engines*b.Part.mostDot())
	}
	heads := b.Part.Layers * b.Part.Heads * b.Engines
	b.Part.Bias, b.Part.Constants, b.Part.Dot = nil, nil, 0
	if b.Part.Biased {
		b.Bias = randomBias(r, heads, b.Part.Context)
	}
	if b.Part.ConSmax {
		b.Constants = RandomConstants(r, heads)
	}
	return b
}

// spreadSideWork is work of one engine for its order of passes, and other data for the others.
func spreadSideWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(SpreadSide)
	parts := [][][]Beat{spreadWork(r, b.part(0), extreme)}
	for range b.Engines - 1 {
		other := [][]Beat{parts[0][0]}
		streams, _ := b.Part.Streams()
		for s := 1; s < 4; s++ {
			other = append(other, RandomBeats(r, streams[s], len(parts[0][s]), extreme))
		}
		if b.Part.Port > 0 {
			_, fills := b.Part.traffic(other)
			other = append(other, fills)
		}
		parts = append(parts, other)
	}
	ins, _ := b.ownStreams()
	in := b.join(ins, parts)
	if b.Dot > 0 {
		dot, _ := dotStreams(b.Dot)
		in = append(in, RandomBeats(r, dot, r.Intn(4*b.Part.Context+4), extreme))
	}
	return in
}
