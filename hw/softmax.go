package hw

import (
	"fmt"
	mathbits "math/bits"
	"math/rand"

	"ohmloom/ir"
)

// Widths and constants of the integer softmax, from the numerics.
const (
	scoreBits  = 24         // a score with its bias, signed
	scoreLeast = -(1 << 23) // and the least it can be
	expBits    = 7          // an unnormalised weight, 0..127
	recipShift = 24         // R = 2^24 / Z
	recipBits  = 18         // because Z is at least 127
	recipTime  = recipShift + 3
	softHeads  = 4 // heads under way at once
)

// Softmax turns the scores of one attention head after the other into unnormalised weights
// and one reciprocal a head. Over the scores s_t of a head whose mask is 1:
//
//	m = max s_t    d_t = rshift(m - s_t, Shift)    e_t = EXP_ROM[d_t]    Z = sum e_t    R = 2^24 / Z
//
// Stream x, at most Beats beats a head: Lanes scores with their masks, last = 1 in the head's
// last beat. A lane with mask 0 holds no position: its e is 0. At least one mask of a head
// must be 1, hence Z >= 127. Stream y: the weights e in the order of x. Stream z, one beat a
// head: Z and R.
//
// The scores wait in an SRAM of Beats + 2 words until the maximum is known, and as words
// leave it the next head moves in: one beat a cycle in and out. The first weights of a head
// are offered 5 cycles after its last scores were taken, or follow those of the head before.
// z is offered 27 cycles after the last weights were taken, and 27 cycles after the z before
// at the earliest. A head begins only when the division of the fourth head before it has:
// heads of fewer than 27 beats wait for the divider, longer ones never do.
type Softmax struct {
	Lanes int // scores a beat, 1..1024
	Beats int // most beats of a head, 1..65536
	Shift int // bits of a score below 1/32 bit, 1..16
}

func (b Softmax) Name() string { return fmt.Sprintf("softmax_%dx%d_s%d", b.Beats, b.Lanes, b.Shift) }

func (b Softmax) Check() error {
	return firstError(inRange("softmax", "lanes", b.Lanes, 1, 1024), inRange("softmax", "beats", b.Beats, 1, 65536),
		inRange("softmax", "shift", b.Shift, 1, 16))
}

// SumBits is the width of Z.
func (b Softmax) SumBits() int { return mathbits.Len(uint(127 * b.Lanes * b.Beats)) }

// scoreStream and weightStream are the ports of a softmax of any kind.
func scoreStream(lanes int) Stream {
	return Stream{Name: "x", Doc: "scores", Fields: []Field{
		{"score", ir.Vec(lanes, scoreBits), true, "scores with their bias"},
		{"mask", ir.Vec(lanes, 1), false, "1: the lane holds a position"},
		{"last", ir.Bits(1), false, "1 in the last beat of a head"},
	}}
}

func weightStream(lanes int) Stream {
	return Stream{Name: "y", Doc: "unnormalised weights", Fields: []Field{
		{"e", ir.Vec(lanes, expBits), false, "weights, 0..127"},
		{"last", ir.Bits(1), false, "1 in the last beat of a head"},
	}}
}

func (b Softmax) Streams() (in, out []Stream) {
	z := Stream{Name: "z", Doc: "sum and reciprocal of a head", Fields: []Field{
		{"sum", ir.Bits(b.SumBits()), false, "Z, the sum of the weights"},
		{"r", ir.Bits(recipBits), false, "2^24 / Z"},
	}}
	return []Stream{scoreStream(b.Lanes)}, []Stream{weightStream(b.Lanes), z}
}

func (b Softmax) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Integer softmax, %d scores a beat, at most %d beats a head.", b.Lanes, b.Beats)
	return lib.module("softmax", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		s := &softmaxing{Softmax: b, m: m, lib: lib, x: input(m, in[0])}
		take := output(m, out[0])
		takeZ := output(m, out[1])
		s.valid = m.Reg("out_valid", ir.Bits(1), 0)
		s.leaves = s.valid.Q.And(take).Named("leaves")
		s.give = s.valid.Q.Not().Or(take).Named("give")
		s.store()
		s.weigh(out[0])
		s.sum(takeZ, out[1])
	})
}

// softmaxing is a softmax under construction. Heads are numbered modulo softHeads.
type softmaxing struct {
	Softmax
	m             *ir.Module
	lib           *Lib
	x             source
	valid         *ir.Reg  // weights are offered
	leaves, ends  *ir.Node // weights are taken; and are a head's last
	give          *ir.Node // the pipeline of the weights moves on
	issue, end    *ir.Node // a word is read from the store; it is a head's last
	words         *ir.Node // scores and masks that were read
	maximum       *ir.Node // of their head
	weights       *ir.Node // that are offered
	lastOut       *ir.Node // they are the last of their head
	open          *ir.Reg  // heads begun whose division has not
	begun, closed *ir.Node // they change by
}

// count is a register that counts up and down.
func count(r *ir.Reg, up, down *ir.Node) *ir.Node {
	return r.SetEn(up.Xor(down), up.Mux(r.Q.AddK(1), r.Q.AddK(-1)))
}

// setLane is v with x in the element of the given index.
func setLane(v, index, x *ir.Node) *ir.Node { return oneHot(index, v.Type.N).Mux(x.Splat(v.Type.N), v) }

// store takes scores in and gives those of complete heads out again with their maximum.
func (s *softmaxing) store() {
	m, depth, hw := s.m, s.Beats+2, ir.ClogTwo(softHeads+1)
	score, mask, last := s.x.fields[0], s.x.fields[1], s.x.fields[2]
	begins := m.Reg("begins", ir.Bits(1), 1)
	s.open = m.Reg("open", ir.Bits(hw), 0)
	w := ir.ClogTwo(depth + 1)
	held := m.Reg("held", ir.Bits(w), 0)
	fire := s.x.ready(held.Q.Ltu(m.K(w, uint64(depth))).And(begins.Q.Not().Or(s.open.Q.Ltu(m.K(hw, softHeads)))))
	begins.SetEn(fire, last)
	s.begun = fire.And(begins.Q).Named("begun")
	taken := fire.And(last).Named("head_taken")

	// The maximum of a beat takes the cycle after it was taken, that of the head the next;
	// then the head counts as complete.
	waddr, _ := counter(m, "waddr", depth, fire)
	heading, _ := counter(m, "head_in", softHeads, taken)
	best := m.DataReg("beat_max", ir.Bits(scoreBits)).SetEn(fire, largest(mask.Mux(score, m.K(scoreBits, 1<<(scoreBits-1)))))
	fresh := m.Reg("beat_valid", ir.Bits(1), 0).Set(fire)
	first := m.DataReg("beat_first", ir.Bits(1)).SetEn(fire, begins.Q)
	final := m.Reg("beat_last", ir.Bits(1), 0).Set(taken)
	owner := m.DataReg("beat_head", heading.Type).SetEn(fire, heading)
	maxima := m.DataReg("maxima", ir.Vec(softHeads, scoreBits))
	before := maxima.Q.Pick(owner)
	better := first.Or(before.Lts(best)).Mux(best, before).Named("max_so_far")
	maxima.SetEn(fresh, setLane(maxima.Q, owner, better))

	complete := m.Reg("complete", ir.Bits(hw), 0)
	lasts := m.DataReg("last_words", ir.Vec(softHeads, waddr.Type.W))
	lasts.SetEn(taken, setLane(lasts.Q, heading, waddr))
	s.issue = complete.Q.EqK(0).Not().And(s.give).Named("issue")
	raddr, _ := counter(m, "raddr", depth, s.issue)
	reading := m.Reg("head_out", heading.Type, 0)
	s.end = raddr.Eq(lasts.Q.Pick(reading.Q)).Named("head_end")
	done := s.issue.And(s.end).Named("head_read")
	reading.SetEn(done, reading.Q.AddK(1))
	count(complete, final, done)
	count(held, fire, s.issue)

	mem := m.Instance("u_store", sram(s.lib, depth, ir.Vec(s.Lanes, scoreBits+1))).
		In("we", fire).In("waddr", waddr).In("wdata", mask.Cat(score)).In("re", s.issue).In("raddr", raddr)
	s.words = m.OutOf(mem, "rdata")
	s.maximum = m.DataReg("maximum", ir.Bits(scoreBits)).SetEn(s.issue, maxima.Q.Pick(reading.Q))
}

// largest is the largest element of v, signed, by a tree.
func largest(v *ir.Node) *ir.Node {
	for n := v.Type.N; n > 1; n = v.Type.N {
		low, high := v.Elems(0, n/2), v.Elems(n-n/2, n/2)
		best := low.Lts(high).Mux(high, low)
		if n%2 == 1 {
			best = best.Join(v.Elem(n / 2))
		}
		v = best
	}
	return v.Named("largest")
}

// weigh is the pipeline from scores to weights: read, subtract, look up. All stages move
// together.
func (s *softmaxing) weigh(y Stream) {
	m := s.m
	stage := func(name string, v *ir.Node) *ir.Node { return m.Reg(name, ir.Bits(1), 0).SetEn(s.give, v) }
	mark := func(name string, v *ir.Node) *ir.Node { return m.DataReg(name, ir.Bits(1)).SetEn(s.give, v) }
	read, readLast := stage("read_valid", s.issue), mark("read_last", s.end)
	near, nearLast := stage("diff_valid", read), mark("diff_last", readLast)
	s.valid.SetEn(s.give, near)
	last := mark("out_last", nearLast)

	d := m.DataReg("diff", ir.Vec(s.Lanes, 9)).SetEn(s.give, s.distance())
	rom := m.Instance("u_exp", ExpROM{Lanes: s.Lanes}.Build(s.lib)).In("x_valid", s.give).In("x_d", d)
	s.weights = m.OutOf(rom, "y_e")
	s.ends = s.leaves.And(last).Named("head_leaves")
	drive(m, y, s.valid.Q, s.weights, last)
	s.lastOut = last
}

// distance is rshift(maximum - score, Shift), with 256 standing for all that is larger and
// for lanes without a position.
func (s *softmaxing) distance() *ir.Node {
	w := scoreBits + 1
	score, mask := s.words.Trunc(scoreBits), s.words.Bit(scoreBits)
	diff := s.maximum.SExt(w).Splat(s.Lanes).Sub(score.SExt(w)).Named("below_max")
	d := diff.AddK(1<<(s.Shift-1)).Slice(s.Shift, w-s.Shift)
	far := mask.Not()
	if d.Type.W > 8 {
		high := d.Slice(8, d.Type.W-8)
		far = far.Or(high.Eq(s.m.K(high.Type.W, 0)).Not())
	}
	return far.Cat(d.Trunc(8))
}

// sum adds the weights up as they leave and divides.
func (s *softmaxing) sum(take *ir.Node, z Stream) {
	m, w, hw := s.m, s.SumBits(), s.open.Type.W
	partial := m.Reg("partial", ir.Bits(w), 0)
	total := partial.Q.Add(s.weights.SumU(1, w)).Named("total")
	partial.SetEn(s.leaves, s.lastOut.Mux(m.K(w, 0), total))
	leaving, _ := counter(m, "head_sum", softHeads, s.ends)
	sums := m.DataReg("sums", ir.Vec(softHeads, w))
	sums.SetEn(s.ends, setLane(sums.Q, leaving, total))

	waiting := m.Reg("sums_waiting", ir.Bits(hw), 0)
	valid := waiting.Q.EqK(0).Not().Named("sum_valid")
	div := m.Instance("u_divider", Divider{NumBits: recipShift + 1, DenBits: w, PerCycle: 1}.Build(s.lib)).
		In("x_valid", valid).In("x_num", m.K(recipShift+1, 1<<recipShift)).In("y_ready", take)
	s.closed = valid.And(m.OutOf(div, "x_ready")).Named("divides")
	dividing, _ := counter(m, "head_div", softHeads, s.closed)
	den := sums.Q.Pick(dividing)
	div.In("x_den", den)
	count(waiting, s.ends, s.closed)
	count(s.open, s.begun, s.closed)
	drive(m, z, m.OutOf(div, "y_valid"), m.DataReg("sum", ir.Bits(w)).SetEn(s.closed, den), m.OutOf(div, "y_q").Trunc(recipBits))
}

// Arithmetic is the softmax of the numerics over the lanes with mask 1, head by head.
func (b Softmax) Arithmetic(in [][]Beat) [][]Beat {
	var y, z []Beat
	heads(in[0], func(head []Beat) {
		best := int64(scoreLeast)
		for _, beat := range head {
			for i, s := range SignedWords(beat[0], scoreBits) {
				if beat[1][i] == 1 {
					best = max(best, s)
				}
			}
		}
		sum := int64(0)
		for _, beat := range head {
			e := make([]uint64, b.Lanes)
			for i, s := range SignedWords(beat[0], scoreBits) {
				if beat[1][i] == 1 {
					weight := exponential(roundShift(best-s, b.Shift))
					e[i] = uint64(weight)
					sum += weight
				}
			}
			y = append(y, Beat{e, beat[2]})
		}
		z = append(z, Beat{{uint64(sum)}, {1 << recipShift / uint64(sum)}})
	})
	return [][]Beat{y, z}
}

// roundShift is v / 2^s rounded half up.
func roundShift(v int64, s int) int64 { return (v + 1<<(s-1)) >> s }

// heads visits the beats up to each with last, the third field, set.
func heads(beats []Beat, visit func(head []Beat)) {
	first := 0
	for i, beat := range beats {
		if beat[2][0] == 1 {
			visit(beats[first : i+1])
			first = i + 1
		}
	}
}

// Cycles of heads of n_i beats: with t_i the cycle in which the last scores of head i are
// taken, r_i in which they are read and f_i in which its division begins,
//
//	t_i = max(t_(i-1), f_(i-4)) + n_i    r_i = max(r_(i-1), t_i + 1) + n_i    f_i = max(r_i + 4, f_(i-1) + 27)
//
// and the last reciprocal leaves 26 cycles after its f.
func (b Softmax) Cycles(in [][]Beat) int {
	taken, read, divided := -1, -1, []int{-recipTime, -recipTime, -recipTime, -recipTime}
	heads(in[0], func(head []Beat) {
		taken = max(taken, divided[len(divided)-softHeads]) + len(head)
		read = max(read, taken+1) + len(head)
		divided = append(divided, max(read+4, divided[len(divided)-1]+recipTime))
	})
	return divided[len(divided)-1] + recipTime
}

func randomSoftmax(r *rand.Rand) Block {
	return Softmax{Lanes: oddSize(r, 6), Beats: oddSize(r, 40), Shift: 1 + r.Intn(16)}
}

func softmaxWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	s := b.(Softmax)
	return [][]Beat{scoreWork(r, s.Lanes, s.Beats, s.Shift, extreme)}
}

// scoreWork is heads of scores that lie near one another, so that weights differ, among them
// ties of the maximum; extreme scores are as far apart as they can be, or all the same.
func scoreWork(r *rand.Rand, lanes, most, shift int, extreme bool) []Beat {
	var beats []Beat
	for range 2 + r.Intn(6) {
		n := oddSize(r, most)
		spread := int64(1) << (shift + r.Intn(9))
		equal, far := r.Intn(3) == 0, r.Intn(3) == 0
		holds := r.Intn(n * lanes) // one position is always there
		for i := range n {
			score, mask := make([]int64, lanes), make([]uint64, lanes)
			for l := range score {
				score[l] = r.Int63n(spread) - spread/2
				if extreme {
					score[l] = []int64{scoreLeast, -scoreLeast - 1, 0, -1}[r.Intn(4)]
					if equal {
						score[l] = scoreLeast
					}
				}
				if far && !extreme {
					score[l] += 1 << 20
				}
				if mask[l] = uint64(r.Intn(2)); i*lanes+l == holds || equal {
					mask[l] = 1
				}
			}
			beats = append(beats, Beat{words(score, scoreBits), mask, flag(i == n-1)})
		}
	}
	return beats
}
