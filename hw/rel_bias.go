package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// RelBias gives the relative position bias of every slot of a KV cache ring: a table indexed
// by the distance to the newest token, (position - slot) mod Context.
//
// A beat of stream token begins a pass, one layer of one token. Unless the pass only stores,
// stream y gives, for each head and each slot that holds a token in order of slots, the bias
// of its distance. One beat a cycle; the first 2 cycles after the pass began. The table is
// loaded at power-on.
type RelBias struct {
	Heads   int // 1..1024
	Context int // 1..65536
	Layers  int // 1..1024

	Bias [][]int16 // [Layers*Heads][Context]; what is missing is zero; not part of the structure
}

func (b RelBias) Name() string {
	return fmt.Sprintf("rel_bias_h%d_t%d_y%d", b.Heads, b.Context, b.Layers)
}

func (b RelBias) Check() error {
	return firstError(inRange("rel_bias", "heads", b.Heads, 1, 1024), inRange("rel_bias", "context", b.Context, 1, 65536),
		inRange("rel_bias", "layers", b.Layers, 1, 1024), inRange("rel_bias", "words", b.words(), 1, 1<<26))
}

func (b RelBias) words() int { return b.Layers * b.Heads * b.Context }

func (b RelBias) Streams() (in, out []Stream) {
	y := Stream{Name: "y", Doc: "bias of each slot", Fields: []Field{{"bias", ir.Bits(16), true, "int16, 1/32 bit"}}}
	return []Stream{tokenStream()}, []Stream{y}
}

func (b RelBias) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Relative position bias of %d layers, %d heads, %d distances.", b.Layers, b.Heads, b.Context)
	return lib.module("rel_bias", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		token := input(m, in[0])
		take := output(m, out[0])
		busy := m.Reg("busy", ir.Bits(1), 0)
		begin := token.ready(busy.Q.Not())
		at := newRing(m, b.Context, b.Layers, begin, token)
		full := m.Reg("out_valid", ir.Bits(1), 0)
		may := full.Q.Not().Or(take).Named("may")
		issue := busy.Q.And(may).Named("issue")
		full.SetEn(may, issue)

		w, ws := ir.ClogTwo(b.words()), at.newest.Type.W
		slot := m.Reg("slot_out", ir.Bits(ws), 0)
		slotEnd := slot.Q.Eq(at.lastUsed).Named("slot_end")
		headEnd := issue.And(slotEnd).Named("head_end")
		_, lastHead := counter(m, "head", b.Heads, headEnd)
		slot.SetEn(issue, slotEnd.Mux(m.K(ws, 0), slot.Q.AddK(1)))
		busy.SetEn(begin.Or(headEnd.And(lastHead)), begin.And(token.fields[1].Not()))

		older := at.newest.Sub(slot.Q).Named("older") // modulo a power of two; Context is to be added if negative
		ahead := at.newest.Ltu(slot.Q).Named("ahead")
		distance := ahead.Mux(older.AddK(int64(b.Context)), older).Named("distance")
		layer := stepper(m, "layer_base", w, b.Heads*b.Context, b.Layers, at.nextLayer)
		base := m.Reg("head_base", ir.Bits(w), 0)
		base.SetEn(begin.Or(headEnd), begin.Mux(layer, base.Q.AddK(int64(b.Context))))

		mem := m.Instance("u_table", table(lib, b.words(), 16)).In("re", issue).In("raddr", base.Q.Add(fit(distance, w)))
		drive(m, out[0], full.Q, m.OutOf(mem, "rdata"))
	})
}

// at is the bias of a head (counted over the layers) at a distance.
func (b RelBias) at(head, distance int) int16 {
	if head >= len(b.Bias) || distance >= len(b.Bias[head]) {
		return 0
	}
	return b.Bias[head][distance]
}

// Image is the table.
func (b RelBias) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	table := make([]uint64, b.words())
	for i := range table {
		table[i] = word(int64(b.at(i/b.Context, i%b.Context)), 16)
	}
	img.Data[prefix+".u_table.mem"] = table
	return img
}

func (b RelBias) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	at := position{context: b.Context, layers: b.Layers}
	for _, token := range in[0] {
		layer := at.begin(token)
		if token[1][0] == 1 {
			continue
		}
		for h := range b.Heads {
			for slot := range at.cnt {
				distance := (at.slot - slot + b.Context) % b.Context
				out = append(out, Beat{{word(int64(b.at(layer*b.Heads+h, distance)), 16)}})
			}
		}
	}
	return [][]Beat{out}
}

// Cycles is one a pass and one a bias; the last leaves in the cycle after it was read.
func (b RelBias) Cycles(in [][]Beat) int {
	now, end := 0, 0
	at := position{context: b.Context, layers: b.Layers}
	for _, token := range in[0] {
		at.begin(token)
		now++
		if token[1][0] == 0 {
			now += b.Heads * at.cnt
			end = now + 1
		}
	}
	return end
}

func randomRelBias(r *rand.Rand) Block {
	b := RelBias{Heads: oddSize(r, 4), Context: oddSize(r, 9), Layers: oddSize(r, 3)}
	b.Bias = randomBias(r, b.Layers*b.Heads, b.Context)
	return b
}

// randomBias is a table of biases as models have them.
func randomBias(r *rand.Rand, heads, context int) [][]int16 {
	bias := make([][]int16, heads)
	for h := range bias {
		for range context {
			bias[h] = append(bias[h], int16(r.Intn(640)-480))
		}
	}
	return bias
}

func relBiasWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	return [][]Beat{tokenWork(r, 1+r.Intn(14), blk.(RelBias).Layers)}
}
