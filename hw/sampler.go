package hw

import (
	"fmt"
	mathbits "math/bits"
	"math/rand"

	"ohmloom/ir"
)

// sampleTable[f] = floor(65535 * 2^(-f/32) + 1/2), f = 0..31: the sampler's exponential.
var sampleTable = exp2Table(65535, 32)

// Sampler chooses a token from its logits. Stream cmd, one beat a token: with it16 = 0 the choice
// is greedy, the lowest index among the largest logits; else, with it16 = floor(16/temperature +
// 1/2), scale (m, s) of the head and a state that every sampled token advances before use,
//
//	mx  = max logits
//	d_v = rshift((mx - logits_v) * m * it16, s + 4)
//	w_v = d_v >= 512 ? 0 : SAMP_ROM[d_v mod 32] >> (d_v / 32)
//	state ^= state << 13; state ^= state >> 17; state ^= state << 5   (32 bits)
//	r   = (state * sum_v w_v) >> 32
//	token = least v with w_0 + ... + w_v > r
//
// exact for every int32. load = 1 sets the state first; it is 1 after a reset, and must not be 0.
//
// Stream x takes the Tokens logits, one a cycle, from the cycle after the command on; they wait in
// an SRAM, because all must be seen before the first can be weighed. Stream token gives the
// choice: greedy 1 cycle after the last logit was taken, sampled 2 Tokens + 12 cycles, which go
// through the logits for the sum, then for the choice. The next command is taken in the cycle
// after the token was: Tokens + 2 cycles a greedy token, 3 Tokens + 13 a sampled one.
type Sampler struct {
	Tokens int // vocabulary, 1..65536
}

func (b Sampler) Name() string { return fmt.Sprintf("sampler_%d", b.Tokens) }
func (b Sampler) Check() error { return inRange("sampler", "tokens", b.Tokens, 1, 65536) }

// sumBits is the width of a sum of weights.
func (b Sampler) sumBits() int { return 16 + ir.ClogTwo(b.Tokens) }

func (b Sampler) Streams() (in, out []Stream) {
	cmd := Stream{Name: "cmd", Doc: "commands, one a token", Fields: []Field{
		{"it16", ir.Bits(8), false, "16 / temperature; 0 greedy"},
		{"m", ir.Bits(8), false, "multiplier of the head"},
		{"s", ir.Bits(5), false, "shift of the head"},
		{"load", ir.Bits(1), false, "1: the state is set first"},
		{"state", ir.Bits(32), false, "to this, not 0"},
	}}
	x := Stream{Name: "x", Doc: "logits, token after token", Fields: []Field{{"logit", ir.Bits(32), true, "int32"}}}
	token := Stream{Name: "token", Doc: "choices", Fields: []Field{{"token", ir.Bits(ir.ClogTwo(b.Tokens)), false, "index of a logit"}}}
	return []Stream{cmd, x}, []Stream{token}
}

func (b Sampler) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Chooses one of %d tokens, greedy or by temperature.", b.Tokens)
	return lib.module("sampler", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		s := &sampling{Sampler: b, m: m, lib: lib}
		cmd, x := input(m, in[0]), input(m, in[1])
		take := output(m, out[0])
		s.command(cmd)
		s.fill(x)
		s.weigh()
		s.choose(out[0], take)
	})
}

// sampling is a sampler under construction.
type sampling struct {
	Sampler
	m               *ir.Module
	lib             *Lib
	idle            *ir.Reg
	begin           *ir.Node
	greedy          *ir.Node // what the command says,
	scale, shift    *ir.Node // m * it16 and s + 4,
	state           *ir.Node // and the state it makes
	filled          *ir.Node // the last logit is being taken
	best, bestToken *ir.Node
	mem             *ir.Inst
	reading, choice *ir.Reg  // logits are being read; for the choice
	readEnds        *ir.Node // the last of them
	valid, last     *ir.Node // a weight is there; it is the last of its pass
	weight          *ir.Node
}

// command takes a command and advances the state.
func (s *sampling) command(cmd source) {
	m, f := s.m, cmd.fields
	s.idle = m.Reg("idle", ir.Bits(1), 1)
	s.begin = cmd.ready(s.idle.Q)
	keep := func(name string, v *ir.Node) *ir.Node { return m.DataReg(name, v.Type).SetEn(s.begin, v) }
	greedy := f[0].EqK(0).Named("is_greedy")
	s.greedy = keep("greedy", greedy)
	s.scale = keep("scale", f[0].ZExt(16).Mul(f[1].ZExt(16)))
	s.shift = keep("shift", f[2].ZExt(6).AddK(4))

	state := m.Reg("state", ir.Bits(32), 1)
	seed := f[3].Mux(f[4], state.Q).Named("state_before")
	next := seed.Xor(seed.ShlK(13))
	next = next.Xor(next.ShrK(17))
	next = next.Xor(next.ShlK(5)).Named("state_advanced")
	s.state = state.SetEn(s.begin, greedy.Mux(seed, next))
}

// fill takes the logits and finds the first of the largest.
func (s *sampling) fill(x source) {
	m := s.m
	filling := m.Reg("filling", ir.Bits(1), 0)
	fire := x.ready(filling.Q)
	waddr, last := counter(m, "waddr", s.Tokens, fire)
	s.filled = fire.And(last).Named("filled")
	filling.SetEn(s.begin.Or(s.filled), s.begin)
	best, token := m.DataReg("best", ir.Bits(32)), m.DataReg("best_token", waddr.Type)
	better := fire.And(waddr.EqK(0).Or(best.Q.Lts(x.fields[0]))).Named("better")
	s.best, s.bestToken = best.SetEn(better, x.fields[0]), token.SetEn(better, waddr)
	s.mem = m.Instance("u_logits", sram(s.lib, s.Tokens, ir.Bits(32))).
		In("we", fire).In("waddr", waddr).In("wdata", x.fields[0])
}

// weigh reads the logits and makes weights of them: word, distance to the best, product, d, w, a
// cycle each.
func (s *sampling) weigh() {
	m := s.m
	s.reading, s.choice = m.Reg("reading", ir.Bits(1), 0), m.Reg("for_choice", ir.Bits(1), 0)
	raddr, last := counter(m, "raddr", s.Tokens, s.reading.Q)
	s.mem.In("re", s.reading.Q).In("raddr", raddr)
	s.valid = delay(m, "valid", s.reading.Q, 5)
	s.readEnds = s.reading.Q.And(last).Named("read_ends")
	s.last = delay(m, "last", s.readEnds, 5)

	keep := func(name string, v *ir.Node) *ir.Node { return m.DataReg(name, v.Type).Set(v) }
	below := keep("below_best", s.best.Sub(m.OutOf(s.mem, "rdata")))
	product := keep("product", below.ZExt(48).Mul(s.scale.ZExt(48)))
	half := m.K(49, 1).Shl(s.shift).ShrK(1)
	d := product.ZExt(49).Add(half).Shr(s.shift).Named("scaled")
	far := d.Slice(9, 40).EqK(0).Not().Named("far")
	d = keep("d", far.Cat(d.Trunc(9)))
	entry := m.Lookup(m.Rom("rom", ir.Bits(16), sampleTable), d.Trunc(5))
	s.weight = keep("weight", d.Bit(9).Mux(m.K(16, 0), entry.Shr(d.Slice(5, 4))))
}

// choose adds the weights up, then adds them up again to where the sum exceeds the threshold.
func (s *sampling) choose(y Stream, take *ir.Node) {
	m, w := s.m, s.sumBits()
	passed := m.Reg("passed", ir.Bits(1), 0).Set(s.last)
	again := passed.And(s.choice.Q.Not()).Named("again")
	s.choice.SetEn(passed, again)
	starts := s.filled.And(s.greedy.Not()).Or(again).Named("starts")
	s.reading.SetEn(starts.Or(s.readEnds), starts)

	sum := m.Reg("sum", ir.Bits(w), 0)
	with := sum.Q.Add(s.weight.ZExt(w)).Named("sum_with")
	sum.SetEn(s.valid.Or(passed), passed.Mux(m.K(w, 0), with))
	product := s.state.ZExt(32 + w).Mul(sum.Q.ZExt(32 + w)).Named("state_times_sum")
	threshold := m.DataReg("threshold", ir.Bits(w)).SetEn(again, product.Slice(32, w))

	index, _ := counter(m, "index", s.Tokens, s.valid)
	found := m.Reg("found", ir.Bits(1), 0)
	hit := s.valid.And(s.choice.Q).And(found.Q.Not()).And(threshold.Ltu(with)).Named("hit")
	found.SetEn(s.begin.Or(hit), hit)
	token := m.DataReg("token", index.Type).SetEn(hit, index)

	full := m.Reg("out_valid", ir.Bits(1), 0)
	done := s.filled.And(s.greedy).Or(s.last.And(s.choice.Q)).Named("done")
	full.SetEn(done.Or(take), done)
	s.idle.SetEn(s.begin.Or(full.Q.And(take)), s.begin.Not())
	drive(m, y, full.Q, s.greedy.Mux(s.bestToken, token))
}

func (b Sampler) Arithmetic(in [][]Beat) [][]Beat {
	state, logits := uint32(1), SignedWords(flatten(in[1]), 32)
	var out []Beat
	for i, cmd := range in[0] {
		of := logits[i*b.Tokens : (i+1)*b.Tokens]
		if cmd[3][0] == 1 {
			state = uint32(cmd[4][0])
		}
		best := 0
		for v, l := range of {
			if l > of[best] {
				best = v
			}
		}
		if cmd[0][0] > 0 {
			state = xorshift(state)
			best = b.draw(of, of[best], cmd[0][0]*cmd[1][0], int(cmd[2][0])+4, uint64(state))
		}
		out = append(out, Beat{{uint64(best)}})
	}
	return [][]Beat{out}
}

// draw is the sampled token; top is the largest logit.
func (b Sampler) draw(logits []int64, top int64, scale uint64, shift int, state uint64) int {
	weights, sum := make([]uint64, len(logits)), uint64(0)
	for v, l := range logits {
		if d := (uint64(top-l)*scale + 1<<(shift-1)) >> shift; d < 512 {
			weights[v] = sampleTable[d%32] >> (d / 32)
		}
		sum += weights[v]
	}
	threshold, _ := mathbits.Mul64(state<<32, sum)
	for v, w := range weights {
		if w > threshold {
			return v
		}
		threshold -= w
	}
	panic("hw: no token above the threshold, although it is below the sum of weights")
}

// xorshift is the next state of the generator (Marsaglia, Xorshift RNGs, 2003).
func xorshift(x uint32) uint32 {
	x ^= x << 13
	x ^= x >> 17
	return x ^ x<<5
}

// flatten is the first words of the first fields.
func flatten(beats []Beat) []uint64 {
	var out []uint64
	for _, beat := range beats {
		out = append(out, beat[0][0])
	}
	return out
}

// Cycles is Tokens + 2 a greedy token and 3 Tokens + 13 a sampled one.
func (b Sampler) Cycles(in [][]Beat) int {
	n := 0
	for _, cmd := range in[0] {
		n += b.Tokens + 1 + b.DrawCycles(cmd[0][0] > 0)
	}
	return n
}

// DrawCycles is the time from the last logit to the token.
func (b Sampler) DrawCycles(sampled bool) int {
	if sampled {
		return 2*b.Tokens + 12
	}
	return 1
}

func randomSampler(r *rand.Rand) Block { return Sampler{Tokens: oddSize(r, 40)} }

// samplerWork takes logits that lie near one another, ties among them; no state of 0.
func samplerWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Sampler)
	in, _ := b.Streams()
	cmds := RandomBeats(r, in[0], 1+r.Intn(12), extreme)
	logits := RandomBeats(r, in[1], len(cmds)*b.Tokens, extreme)
	spread := r.Intn(32)
	for _, beat := range logits {
		if !extreme {
			beat[0][0] = word(signed(beat[0][0], 32)>>spread, 32)
		}
	}
	for _, cmd := range cmds {
		cmd[4][0] |= 1
		if r.Intn(3) == 0 {
			cmd[0][0] = 0
		}
		if !extreme && r.Intn(4) > 0 { // weights that differ, but not by much
			cmd[2][0] = uint64(min(max(34+r.Intn(5)-spread, 0), 31))
		}
	}
	return [][]Beat{cmds, logits}
}
