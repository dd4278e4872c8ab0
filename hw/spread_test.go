package hw_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"ohmloom/gen/model"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
	"ohmloom/verify/gosim"
	"ohmloom/verify/verilated"
)

// spreadFor is an engine of a model's shape with its biases.
func spreadFor(m *model.Model, rows, cols, lanes int) hw.Spread {
	c := &m.Config
	b := hw.Spread{Rows: rows, Cols: cols, Heads: c.NHeads, KVHeads: c.NHeads, HeadChannels: c.HeadChannels,
		Context: c.Ctx, Layers: c.NLayers, Lanes: lanes, Ahead: 4, Biased: true}
	for l := range c.NLayers {
		for h := range c.NHeads {
			b.Bias = append(b.Bias, m.RelBias(l, h))
		}
	}
	return b
}

// attentionWork is the input beats for passes of q, k, v; without q a pass only stores.
type attentionWork struct {
	b  hw.Spread
	in [][]hw.Beat
}

func (w *attentionWork) pass(first bool, q, k, v []int8) {
	if w.in == nil {
		w.in = make([][]hw.Beat, 4)
	}
	bit := map[bool]uint64{true: 1}
	w.in[0] = append(w.in[0], hw.Beat{{bit[first]}, {bit[q == nil]}})
	for i, x := range [][]int8{q, k, v} {
		lanes := []int{w.b.Rows, w.b.Rows, w.b.Cols}[i]
		for ; len(x) > 0; x = x[w.b.HeadChannels:] {
			for c := 0; c < w.b.HeadChannels; c += lanes {
				beat := make([]uint64, lanes)
				for j := range min(lanes, w.b.HeadChannels-c) {
					beat[j] = uint64(uint8(x[c+j]))
				}
				w.in[1+i] = append(w.in[1+i], hw.Beat{beat})
			}
		}
	}
}

// outputs puts the beats of y together, a head in each row.
func outputs(b hw.Spread, y []hw.Beat) (heads [][]int8) {
	for n := (b.HeadChannels + b.Lanes - 1) / b.Lanes; len(y) > 0; y = y[n:] {
		var head []int8
		for _, beat := range y[:n] {
			for _, w := range beat[0] {
				head = append(head, int8(w))
			}
		}
		heads = append(heads, head[:b.HeadChannels])
	}
	return heads
}

// onEngines runs a test on interp and, unless it is short, on engines that need a build.
func onEngines(t *testing.T, test func(t *testing.T, engine func(*ir.Design) (verify.Engine, error))) {
	t.Run("interp", func(t *testing.T) { test(t, engines[0]) })
	t.Run("gosim", func(t *testing.T) {
		if testing.Short() {
			t.Skip("builds a simulator")
		}
		test(t, func(d *ir.Design) (verify.Engine, error) { return gosim.New(t.Context(), d, gosim.Options{}) })
	})
	t.Run("verilated", func(t *testing.T) {
		if testing.Short() {
			t.Skip("builds a simulator")
		}
		tools.NeedForTest(t, "verilator", "g++")
		test(t, func(d *ir.Design) (verify.Engine, error) { return verilated.New(t.Context(), d, verilated.Options{}) })
	})
}

// Every head of every layer at every position of a long continuation, well beyond the
// context, so that the rings wrap; the positions that the golden files hold in full are
// compared with the files.
func TestSpreadGivesGoldenAttention(t *testing.T) {
	for _, c := range []struct {
		name              string
		rows, cols, lanes int
	}{{"nano", 8, 8, 4}, {"nano", 4, 16, 2}, {"micro", 16, 8, 8}} {
		m, err := model.Open("../examples/models/" + c.name + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		g, err := model.OpenGolden("../examples/models/" + c.name + ".golden.json")
		if err != nil {
			t.Fatal(err)
		}
		w := &attentionWork{b: spreadFor(m, c.rows, c.cols, c.lanes)}
		var want [][]int8
		tokens := append(append([]int(nil), g.PromptTokens...), g.LongGreedy.Tokens...)
		if len(tokens) <= m.Config.Ctx {
			t.Fatalf("%d tokens do not wrap a ring of %d", len(tokens), m.Config.Ctx)
		}
		next := m.NewRun(model.Project)
		for pos, token := range tokens {
			trace := next.Step(token)
			for l, layer := range trace.Layers {
				for _, step := range g.Steps {
					if step.Pos == pos {
						layer = step.Layers[l]
					}
				}
				w.pass(pos == 0, layer.Q, layer.K, layer.V)
				for h := range m.Config.NHeads {
					want = append(want, layer.O[h*m.Config.HeadChannels:(h+1)*m.Config.HeadChannels])
				}
			}
		}
		t.Run(fmt.Sprintf("%s_%dx%d", c.name, c.rows, c.cols), func(t *testing.T) {
			onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
				top, e := start(t, w.b, 5, engine)
				feeds, wants := plan(w.b, w.in, w.b.Arithmetic(w.in))
				res, err := drive.Run(e, top, feeds, wants, drive.Options{})
				if err != nil {
					t.Fatal(err)
				}
				for i, got := range outputs(w.b, res.Out[0]) {
					if !slices.Equal(got, want[i]) {
						perToken := m.Config.NLayers * m.Config.NHeads
						t.Fatalf("position %d, layer %d, head %d: %v, want %v", i/perToken,
							i/m.Config.NHeads%m.Config.NLayers, i%m.Config.NHeads, got, want[i])
					}
				}
				if res.Cycles != w.b.Cycles(w.in) {
					t.Errorf("%d cycles, want %d", res.Cycles, w.b.Cycles(w.in))
				}
			})
		})
	}
}

// Sums at the ends of their widths: every product the same, scores tied, Z from 127 (one
// score far above the others) to 127 for each slot, outputs saturated both ways.
func TestSpreadIsExactAtTheEndsOfItsRanges(t *testing.T) {
	fill := func(v int8, n int) []int8 { return slices.Repeat([]int8{v}, n) }
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		for _, b := range []hw.Spread{
			{Rows: 5, Cols: 3, Heads: 6, KVHeads: 2, HeadChannels: 11, Context: 13, Layers: 1, Lanes: 1, Ahead: 3},
			{Rows: 4, Cols: 8, Heads: 2, KVHeads: 2, HeadChannels: 16, Context: 8, Layers: 1, Lanes: 4, Ahead: 2, Biased: true,
				Bias: [][]int16{slices.Repeat([]int16{-32768}, 8), {32767, -32768, 32767, -32768, 0, 0, 32767, 32767}}},
		} {
			w := &attentionWork{b: b}
			nq, nkv := b.Heads*b.HeadChannels, b.KVHeads*b.HeadChannels
			for _, q := range []int8{127, -127, -128} {
				for i, k := range []int8{127, -127, -128, 127, 0, 1} {
					v := []int8{127, -127, -128}[i%3]
					for range b.Context/2 + 1 {
						w.pass(i == 0, fill(q, nq), fill(k, nkv), fill(v, nkv))
					}
				}
			}
			top, e := start(t, b, 3, engine)
			holdOn(t, b, top, e, w.in, 3, 0)
			holdOn(t, b, top, e, w.in, 3, 0.5)
		}
	})
}

// Keys and values on chip, the paper's array: the attention of a layer takes at most 1.15
// times its multiplications over the multipliers, and a constant of 100 cycles.
func TestSpreadKeepsTheMultipliersBusy(t *testing.T) {
	for _, c := range []struct {
		heads, kvHeads, channels, context int
		lengths                           []int
	}{
		{32, 32, 128, 128, []int{32, 64, 96, 128}}, // OPT-6.7B's heads
		{16, 16, 64, 128, []int{32, 64, 128}},      // GPT2-350M's
		{32, 8, 128, 128, []int{64, 128}},          // grouped queries
	} {
		b := hw.Spread{Rows: 32, Cols: 32, Heads: c.heads, KVHeads: c.kvHeads, HeadChannels: c.channels,
			Context: c.context, Layers: 1, Lanes: 16, Ahead: 8}
		r := rand.New(rand.NewSource(1))
		for _, l := range c.lengths {
			w := &attentionWork{b: b}
			for i := range l {
				q := randomBytes(r, c.heads*c.channels)
				if i < l-1 {
					q = nil
				}
				w.pass(i == 0, q, randomBytes(r, c.kvHeads*c.channels), randomBytes(r, c.kvHeads*c.channels))
			}
			began := time.Now()
			res := run(t, b, w.in)
			if res.Cycles != b.Cycles(w.in) {
				t.Errorf("%s, l = %d: %d cycles, want %d", b.Name(), l, res.Cycles, b.Cycles(w.in))
			}
			last := res.Taken[0][l-1]
			took := res.Given[0][len(res.Given[0])-1] - last + 1
			ideal := 2 * c.heads * l * c.channels / (b.Rows * b.Cols)
			t.Logf("h %d of %d, d_h %d, l %d: %d cycles, ideal %d, ratio %.3f (%d cycles in %v)", c.kvHeads, c.heads, c.channels, l,
				took, ideal, float64(took)/float64(ideal), res.Cycles, time.Since(began).Round(time.Millisecond))
			if took > ideal*115/100+100 {
				t.Errorf("%s, l = %d: %d cycles are more than 1.15 times %d and 100", b.Name(), l, took, ideal)
			}
		}
	}
}
