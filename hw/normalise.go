package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Normalise brings the weighted sums of a head to the scale of activations with the head's
// reciprocal: o = sat8(rshift(acc * r, Shift)), sat8 limiting to +-127. Exact for every acc.
//
// Stream x: Lanes sums a beat, last = 1 in a head's last beat. Stream r: one reciprocal a
// head. Stream y: the outputs in order. Latency 3 cycles, one beat a cycle.
type Normalise struct {
	Lanes   int // 1..1024
	AccBits int // width of a sum, 2..32
	Shift   int // 1..31; 23 in the numerics
}

func (b Normalise) Name() string {
	return fmt.Sprintf("normalise_%dx%d_s%d", b.Lanes, b.AccBits, b.Shift)
}

func (b Normalise) Check() error {
	return firstError(inRange("normalise", "lanes", b.Lanes, 1, 1024), inRange("normalise", "sum bits", b.AccBits, 2, 32),
		inRange("normalise", "shift", b.Shift, 1, 31))
}

func (b Normalise) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "weighted sums", Fields: []Field{
		{"acc", ir.Vec(b.Lanes, b.AccBits), true, "sums of weights times values"},
		{"last", ir.Bits(1), false, "1 in the last beat of a head"},
	}}
	r := Stream{Name: "r", Doc: "reciprocals, one a head", Fields: []Field{{"r", ir.Bits(recipBits), false, "2^24 / Z"}}}
	y := Stream{Name: "y", Doc: "attention outputs", Fields: []Field{{"o", ir.Vec(b.Lanes, 8), true, "int8"}}}
	return []Stream{x, r}, []Stream{y}
}

func (b Normalise) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Scales %d sums a beat to int8: sat8(rshift(acc * r, %d)). Latency 3 cycles.", b.Lanes, b.Shift)
	return lib.module("normalise", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x, r := slicedInput(lib, m, in[0]), slicedInput(lib, m, in[1])
		take := output(m, out[0])
		full := m.Reg("out_valid", ir.Bits(1), 0)
		give := full.Q.Not().Or(take).Named("give")
		moves := x.valid.And(r.valid).And(give).Named("moves")
		x.take(r.valid.And(give))
		r.take(moves.And(x.fields[1]))

		w := max(b.AccBits+recipBits, b.Shift) + 1 // the rounding half fits too
		product := m.DataReg("product", ir.Vec(b.Lanes, w))
		product.SetEn(give, x.fields[0].SExt(w).Mul(r.fields[0].ZExt(w)))
		multiplied := m.Reg("product_valid", ir.Bits(1), 0).SetEn(give, moves)
		full.SetEn(give, multiplied)
		scaled := product.Q.AddK(1 << (b.Shift - 1)).SraK(b.Shift).Named("scaled")
		o := m.DataReg("o", ir.Vec(b.Lanes, 8)).SetEn(give, clamp8(scaled))
		drive(m, out[0], full.Q, o)
	})
}

// clamp8 is sat8 of n, of any width.
func clamp8(n *ir.Node) *ir.Node {
	if n.Type.W < 8 {
		n = n.SExt(8)
	}
	return clamp(n, -127, 127).Trunc(8)
}

func (b Normalise) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	head := 0
	for _, beat := range in[0] {
		o := make([]int64, b.Lanes)
		for i, acc := range SignedWords(beat[0], b.AccBits) {
			o[i] = min(max(roundShift(acc*int64(in[1][head][0][0]), b.Shift), -127), 127)
		}
		out = append(out, Beat{words(o, 8)})
		head += int(beat[1][0])
	}
	return [][]Beat{out}
}

// Cycles is one a beat and the latency.
func (b Normalise) Cycles(in [][]Beat) int { return len(in[0]) + 3 }

func randomNormalise(r *rand.Rand) Block {
	return Normalise{Lanes: oddSize(r, 5), AccBits: 2 + r.Intn(31), Shift: 1 + r.Intn(31)}
}

// normaliseWork takes sums of every magnitude.
func normaliseWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Normalise)
	in, _ := b.Streams()
	heads := 1 + r.Intn(5)
	var beats []Beat
	for range heads {
		head := RandomBeats(r, in[0], oddSize(r, 6), extreme)
		for i, beat := range head {
			beat[1] = flag(i == len(head)-1)
			if !extreme {
				for j, acc := range SignedWords(beat[0], b.AccBits) {
					beat[0][j] = word(acc>>r.Intn(b.AccBits), b.AccBits)
				}
			}
		}
		beats = append(beats, head...)
	}
	return [][]Beat{beats, RandomBeats(r, in[1], heads, extreme)}
}
