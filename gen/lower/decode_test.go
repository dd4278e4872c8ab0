package lower_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"ohmloom/gen/config"
	"ohmloom/gen/lower"
	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
)

// The example from its description to golden attention on the hardware, in both modes, and
// beyond the context, where the ring wraps.
func TestDescribedEnginesGiveGoldenAttention(t *testing.T) {
	for _, mode := range []string{"spread", "column"} {
		chip, diags := config.Load(t.Context(), "../../examples/attention.hcl", config.Options{Vars: map[string]string{"decode": mode}})
		if chip == nil {
			t.Fatal(diags)
		}
		job, err := program.Load(chip, nil)
		if err != nil {
			t.Fatal(err)
		}
		tile, err := lower.Chip(chip)
		if err != nil {
			t.Fatal(err)
		}
		tile.Block.Attention = tile.Block.Attention.WithBias(job.Bias())
		for name, passes := range map[string][]program.Pass{"prompt": job.Decode, "long": job.DecodeLong(chip.Attention.Context + 2)} {
			t.Run(fmt.Sprintf("%s/%s", mode, name), func(t *testing.T) { decode(t, tile, passes) })
		}
	}
}

// The cycles that the comment of the example at the paper's size promises.
func TestThePaperSizedExampleTakesTheCyclesItSays(t *testing.T) {
	engine := func(mode string) hw.AttentionEngine {
		chip, diags := config.Load(t.Context(), "../../examples/attention_paper.hcl", config.Options{Vars: map[string]string{"decode": mode}})
		if chip == nil {
			t.Fatal(diags)
		}
		return lower.Engine(chip.Attention)
	}
	if got := engine("column").(hw.AttentionColumn).PublishedCycles(128); got != 48_576 {
		t.Errorf("column: %d cycles", got)
	}
	b := engine("spread").(hw.Spread)
	vector := make([]int8, b.Heads*b.HeadChannels)
	passes := slices.Repeat([]hw.Pass{{Store: true, K: vector, V: vector}}, 128)
	passes[0].First = true
	passes[127] = hw.Pass{Q: vector, K: vector, V: vector}
	stores := 127 * (1 + 32*(4+4)) // a KV head has 4 beats of keys and 4 of values
	if got := b.Cycles(b.Beats(passes)) - stores; got != 1046 {
		t.Errorf("spread: %d cycles", got)
	}
}

func decode(t *testing.T, tile *lower.Tile, passes []program.Pass) {
	engine := tile.Block.Attention
	var in []hw.Pass
	var want [][]int8
	for _, p := range passes {
		in = append(in, hw.Pass{First: p.Pos == 0, Store: p.Store, Q: p.Q, K: p.K, V: p.V})
		if !p.Store {
			want = append(want, p.Out)
		}
	}
	work := engine.Beats(in)
	e, err := interp.New(tile.Design)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(3, tile.Block.Image(tile.Design.Top.Name)); err != nil {
		t.Fatal(err)
	}
	var feeds []drive.Feed
	streams, _ := tile.Block.Streams()
	for i, s := range streams {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: work[i]})
	}
	wants := []drive.Want{{Name: "o", Beats: len(want) * engine.PassBeats()}}
	res, err := drive.Run(e, tile.Design.Top, feeds, wants, drive.Options{Rand: rand.New(rand.NewSource(1)), MaxIdle: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if cycles := tile.Block.Cycles(work); res.Cycles != cycles {
		t.Errorf("%d cycles, want %d", res.Cycles, cycles)
	}
	heads := engine.Collect(res.Out[0])
	for i, out := range want {
		n := len(heads) / len(want)
		if got := slices.Concat(heads[i*n : (i+1)*n]...); !slices.Equal(got, out) {
			t.Fatalf("output %d: %v, want %v", i, got, out)
		}
	}
}
