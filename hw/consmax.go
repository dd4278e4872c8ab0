package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// ConSmax is the softmax without a maximum and without a sum (arXiv 2402.10930): the weight
// of a score is exp(s - beta) / gamma with learned beta and gamma, so that no score waits for
// another. In integers, for the scores of a head with mask 1 (masked ones weigh 0):
//
//	d_t = max(rshift(beta - s_t, Shift), 0)    e_t = EXP_ROM[d_t]    R = floor(2^24 / (127 gamma))
//
// with beta in units of a score and gamma in the same base-2 scale as the exponential; the
// outputs are then those of Normalise, o = sat8(rshift(sum(e_t v_t) * R, shift)). A score
// above beta weighs as much as one at beta. R is computed when the model is made.
//
// Streams x and y as those of Softmax. Stream c, one beat a head: beta and R. Stream z, one
// beat a head: R. Latency 3 cycles, one beat a cycle, no store.
type ConSmax struct {
	Lanes int // scores a beat, 1..1024
	Shift int // bits of a score below 1/32 bit, 1..16
}

func (b ConSmax) Name() string { return fmt.Sprintf("consmax_%d_s%d", b.Lanes, b.Shift) }

func (b ConSmax) Check() error {
	return firstError(inRange("consmax", "lanes", b.Lanes, 1, 1024), inRange("consmax", "shift", b.Shift, 1, 16))
}

// constants is stream c, and as an output of the table.
func (b ConSmax) constants() Stream {
	return Stream{Name: "c", Doc: "learned constants of a head", Fields: []Field{
		{"beta", ir.Bits(scoreBits), true, "score that weighs 127"},
		{"r", ir.Bits(recipBits), false, "2^24 / (127 gamma)"},
	}}
}

func (b ConSmax) Streams() (in, out []Stream) {
	z := Stream{Name: "z", Doc: "reciprocal of a head", Fields: []Field{{"r", ir.Bits(recipBits), false, "2^24 / (127 gamma)"}}}
	return []Stream{scoreStream(b.Lanes), b.constants()}, []Stream{weightStream(b.Lanes), z}
}

func (b ConSmax) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("ConSmax, %d scores a beat. Latency 3 cycles.", b.Lanes)
	return lib.module("consmax", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x, c := slicedInput(lib, m, in[0]), slicedInput(lib, m, in[1])
		take, takeZ := output(m, out[0]), output(m, out[1])
		score, mask, last := x.fields[0], x.fields[1], x.fields[2]

		full := m.Reg("out_valid", ir.Bits(1), 0)
		give := full.Q.Not().Or(take).Named("give")
		// The last beat of a head also takes its constants and gives z.
		ends := x.valid.And(c.valid).And(last).And(give).Named("ends")
		room, z := sliced(lib, m, "u_z", ends, c.fields[1:])
		z.take(takeZ)
		may := c.valid.And(give).And(last.Not().Or(room)).Named("may")
		moves := x.valid.And(may).Named("moves")
		x.take(may)
		c.take(moves.And(last))

		w := scoreBits + 2
		below := c.fields[0].SExt(w).Splat(b.Lanes).Sub(score.SExt(w)).AddK(1 << (b.Shift - 1)).SraK(b.Shift).Named("below_beta")
		d := clamp(below, 0, expRange).Trunc(9)
		d = m.DataReg("diff", d.Type).SetEn(give, mask.Mux(d, m.K(9, expRange)))
		subtracted := m.Reg("diff_valid", ir.Bits(1), 0).SetEn(give, moves)
		full.SetEn(give, subtracted)
		rom := m.Instance("u_exp", ExpROM{Lanes: b.Lanes}.Build(lib)).In("x_valid", give).In("x_d", d)
		lastDiff := m.DataReg("diff_last", ir.Bits(1)).SetEn(give, last)
		drive(m, out[0], full.Q, m.OutOf(rom, "y_e"), m.DataReg("out_last", ir.Bits(1)).SetEn(give, lastDiff))
		drive(m, out[1], z.valid, z.fields...)
	})
}

func (b ConSmax) Arithmetic(in [][]Beat) [][]Beat {
	var y, z []Beat
	heads(in[0], func(head []Beat) {
		constants := in[1][len(z)]
		for _, beat := range head {
			e := make([]uint64, b.Lanes)
			for i, s := range SignedWords(beat[0], scoreBits) {
				if beat[1][i] == 1 {
					e[i] = uint64(exponential(max(roundShift(signed(constants[0][0], scoreBits)-s, b.Shift), 0)))
				}
			}
			y = append(y, Beat{e, beat[2]})
		}
		z = append(z, Beat{constants[1]})
	})
	return [][]Beat{y, z}
}

// Cycles is one a beat and the latency.
func (b ConSmax) Cycles(in [][]Beat) int { return len(in[0]) + 3 }

// ConSmaxConstants are the learned constants of a head: Beta in units of a score, 24 bits
// signed, and R = floor(2^24 / (127 gamma)), 18 bits.
type ConSmaxConstants struct{ Beta, R int }

// constantsOf is the constants of a head, counted over the layers; what is missing is zero.
func constantsOf(all []ConSmaxConstants, head int) *ConSmaxConstants {
	if head >= len(all) {
		return &ConSmaxConstants{}
	}
	return &all[head]
}

// RandomConstants is constants of n heads that give weights and outputs of all sizes.
func RandomConstants(r *rand.Rand, n int) []ConSmaxConstants {
	all := make([]ConSmaxConstants, n)
	for i := range all {
		all[i] = ConSmaxConstants{Beta: r.Intn(1<<16) - 1<<14, R: r.Intn(1 << recipBits >> r.Intn(recipBits))}
	}
	return all
}

// constantTable gives the constants of each head of a pass in turn, from a memory loaded at
// power-on: ports token_valid, token_store (a pass begins; it gives nothing), token_more (the
// next is of the same layer) and stream c.
func constantTable(lib *Lib, heads, layers int) *ir.Module {
	name := fmt.Sprintf("consmax_constants_h%d_y%d", heads, layers)
	doc := fmt.Sprintf("ConSmax constants of %d layers of %d heads. One a cycle, the first 2 cycles after the pass began.", layers, heads)
	return lib.module("consmax", name, doc, func(m *ir.Module) {
		begin := m.In("token_valid", ir.Bits(1), "a pass begins; the constants of the one before have left")
		store := m.In("token_store", ir.Bits(1), "the pass only stores")
		more := m.In("token_more", ir.Bits(1), "the next pass is of the same layer")
		m.Group("token")
		out := ConSmax{}.constants()
		take := output(m, out)
		full := m.Reg("out_valid", ir.Bits(1), 0)
		busy := m.Reg("busy", ir.Bits(1), 0)
		may := full.Q.Not().Or(take).Named("may")
		issue := busy.Q.And(may).Named("issue")
		full.SetEn(may, issue)
		_, lastHead := counter(m, "head", heads, issue)
		busy.SetEn(begin.Or(issue.And(lastHead)), begin.And(store.Not()))
		w := ir.ClogTwo(heads * layers)
		layer := stepper(m, "layer_base", w, heads, layers, begin.And(more.Not()))
		addr := m.Reg("address", ir.Bits(w), 0)
		addr.SetEn(begin.Or(issue), begin.Mux(layer, addr.Q.AddK(1)))
		mem := m.Instance("u_table", table(lib, heads*layers, scoreBits+recipBits)).In("re", issue).In("raddr", addr.Q)
		word := m.OutOf(mem, "rdata")
		drive(m, out, full.Q, word.Trunc(scoreBits), word.Slice(scoreBits, recipBits))
	})
}

func randomConSmax(r *rand.Rand) Block { return ConSmax{Lanes: oddSize(r, 6), Shift: 1 + r.Intn(16)} }

func conSmaxWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(ConSmax)
	x := scoreWork(r, b.Lanes, 12, b.Shift, extreme)
	var c []Beat
	heads(x, func(head []Beat) {
		// near one of the head's scores, above and below it
		beta := signed(head[0][0][0], scoreBits) + r.Int63n(1<<(b.Shift+6)) - 1<<(b.Shift+3)
		beta = min(max(beta, scoreLeast), -scoreLeast-1)
		c = append(c, Beat{{word(beta, scoreBits)}, {r.Uint64() & (1<<recipBits - 1)}})
	})
	return [][]Beat{x, c}
}
