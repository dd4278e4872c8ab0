package hw_test

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// inBlocks is passes, layer after layer of each token, in blocks of n tokens, and where each
// of them stands in passes.
func inBlocks(passes []hw.Pass, layers, n int) (blocks []hw.Pass, from []int) {
	tokens := len(passes) / layers
	for token := 0; token < tokens; token += n {
		end := min(token+n, tokens)
		for layer := range layers {
			for i := token; i < end; i++ {
				p := passes[i*layers+layer]
				p.More = i < end-1
				blocks, from = append(blocks, p), append(from, i*layers+layer)
			}
		}
	}
	return blocks, from
}

// The golden prompt and the text after it, well beyond the context, as blocks of tokens: each
// output is what the golden file or the model's arithmetic says, however the text is cut.
func TestPrefillGivesGoldenAttention(t *testing.T) {
	for _, c := range []struct {
		name   string
		blocks []int
	}{{"nano", []int{5, 1000}}, {"micro", []int{37}}} {
		m, err := model.Open("../examples/models/" + c.name + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		g, err := model.OpenGolden("../examples/models/" + c.name + ".golden.json")
		if err != nil {
			t.Fatal(err)
		}
		passes, want := goldenSequence(t, m, g)
		ported := spreadFor(m, 4, 16, 2)
		ported.Port = 8
		attention := []hw.AttentionEngine{spreadFor(m, 8, 8, 4), columnFor(m, 16, 4), ported}
		nightly := os.Getenv("OHMLOOM_NIGHTLY") == "1"
		if c.name == "micro" {
			attention = attention[:2]
			if !nightly { // its column engine takes five times as long, and nano's is the same block
				attention = attention[:1]
			}
		}
		for i, b := range attention {
			for _, n := range c.blocks {
				t.Run(fmt.Sprintf("%s/%s/%d", c.name, b.Name(), n), func(t *testing.T) {
					blocks, from := inBlocks(passes, m.Config.NLayers, n)
					onEngine := func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
						holdPrefill(t, b, blocks, from, want, engine)
					}
					// Blocks that end in the middle of the ring, on every engine; other engines
					// hold on more tokens what nano's do.
					if n == 5 && (i == 0 || nightly) || n == 37 && nightly {
						onEngines(t, onEngine)
					} else {
						onEngine(t, engines[0])
					}
				})
			}
		}
	}
}

// goldenSequence is all layers of prompt and long text, and the outputs of each pass.
func goldenSequence(t *testing.T, m *model.Model, g *model.Golden) (passes []hw.Pass, want [][]int8) {
	tokens := append(append([]int(nil), g.PromptTokens...), g.LongGreedy.Tokens...)
	if len(tokens) <= m.Config.Ctx {
		t.Fatalf("%d tokens do not wrap a ring of %d", len(tokens), m.Config.Ctx)
	}
	run := m.NewRun(model.Project)
	for pos, token := range tokens {
		trace := run.Step(token)
		for l, layer := range trace.Layers {
			for _, step := range g.Steps {
				if step.Pos == pos {
					layer = step.Layers[l]
				}
			}
			passes = append(passes, hw.Pass{First: pos == 0, Q: layer.Q, K: layer.K, V: layer.V})
			want = append(want, layer.O)
		}
	}
	return passes, want
}

func holdPrefill(t *testing.T, b hw.AttentionEngine, passes []hw.Pass, from []int, want [][]int8, engine func(*ir.Design) (verify.Engine, error)) {
	work := b.Beats(passes)
	top, e := start(t, b, 5, engine)
	feeds, wants := plan(b, work, b.Arithmetic(work))
	res, err := drive.Run(e, top, feeds, wants, drive.Options{MaxIdle: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	heads := b.Collect(res.Out[0])
	n := len(heads) / len(passes)
	for i, at := range from {
		if got := slices.Concat(heads[i*n : (i+1)*n]...); !slices.Equal(got, want[at]) {
			t.Fatalf("pass %d: %v, want %v", at, got, want[at])
		}
	}
	if res.Cycles != b.Cycles(work) {
		t.Errorf("%d cycles, want %d", res.Cycles, b.Cycles(work))
	}
}

// The tokens of a block follow one another without a gap in the array, before and after the
// ring wraps: what a block takes beyond the multiplications is what one token does.
func TestPrefillKeepsTheMultipliersBusy(t *testing.T) {
	for _, c := range []struct{ heads, kvHeads, context, stored, tokens int }{
		{4, 4, 256, 0, 40},   // a prompt from its first token on
		{4, 4, 256, 160, 20}, // the block that follows
		{8, 2, 128, 128, 20}, // every token takes the place of one that the token before still needs
	} {
		b := hw.Spread{Rows: 16, Cols: 16, Heads: c.heads, KVHeads: c.kvHeads, HeadChannels: 64, Context: c.context,
			Layers: 1, Lanes: 16, Ahead: 8}
		r := rand.New(rand.NewSource(1))
		var passes []hw.Pass
		ideal, l := 0, 0
		for i := range c.stored + c.tokens {
			p := hw.Pass{First: i == 0, Store: i < c.stored, More: i != c.stored-1 && i != c.stored+c.tokens-1,
				K: randomBytes(r, b.KVHeads*b.HeadChannels), V: randomBytes(r, b.KVHeads*b.HeadChannels)}
			if l = min(i+1, c.context); !p.Store {
				p.Q = randomBytes(r, b.Heads*b.HeadChannels)
				folds := (l + 15) / 16 // slots are worked on 16 at a time
				ideal += 2 * b.Heads * folds * b.HeadChannels / 16
			}
			passes = append(passes, p)
		}
		work := b.Beats(passes)
		res := run(t, b, work)
		took := res.Given[0][len(res.Given[0])-1] - res.Taken[0][c.stored] + 1
		rest := took - ideal
		t.Logf("%d tokens after %d: %d cycles, folds %d, ratio %.3f", c.tokens, c.stored, took, ideal, float64(took)/float64(ideal))
		if c.stored == 0 {
			// The first tokens have so few slots that the softmax of their heads takes longer.
			if rest > 40*c.tokens {
				t.Errorf("%s: %d cycles more than %d of work", b.Name(), rest, ideal)
			}
			continue
		}
		if most := 64/16 + 6 + 16/b.Lanes + 7 + 4; rest > most {
			t.Errorf("%s: %d cycles more than %d of work, want %d at most", b.Name(), rest, ideal, most)
		}
		if res.Cycles != b.Cycles(work) {
			t.Errorf("%s: %d cycles, want %d", b.Name(), res.Cycles, b.Cycles(work))
		}
	}
}
