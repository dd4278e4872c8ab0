package hw_test

import (
	"math/rand"
	"slices"
	"testing"

	"ohmloom/hw"
)

// Both engines take the same passes, each in its own beats, and give the same outputs.
func TestEnginesAgreeOnPasses(t *testing.T) {
	for seed := int64(0); seed < 20; seed++ {
		r := rand.New(rand.NewSource(seed))
		column := hw.AttentionColumn{Rows: 1 + r.Intn(5), Cols: 1 + r.Intn(3), Heads: 4, KVHeads: 2, HeadChannels: 1 + r.Intn(9), Context: 1 + r.Intn(6), Layers: 2}
		spread := hw.Spread{Rows: column.Rows, Cols: column.Cols, Heads: 4, KVHeads: 2, HeadChannels: column.HeadChannels,
			Context: column.Context, Layers: 2, Lanes: 1, Ahead: 1 + r.Intn(3), Biased: true}
		bias := make([][]int16, column.Layers*column.Heads)
		for i := range bias {
			for range column.Context {
				bias[i] = append(bias[i], int16(r.Intn(1<<12)-1<<11))
			}
		}
		passes := column.RandomPasses(r, 9, seed%2 == 0)
		var outs [2][][]int8
		for i, e := range []hw.AttentionEngine{column.WithBias(bias), spread.WithBias(bias)} {
			work := e.Beats(passes)
			res := run(t, e, work)
			outs[i] = e.Collect(res.Out[0])
			reads := 0
			for _, p := range passes {
				if !p.Store {
					reads++
				}
			}
			if len(res.Out[0]) != reads*e.PassBeats() || len(outs[i]) != reads*4 {
				t.Errorf("%s: %d beats and %d heads of %d passes", e.Name(), len(res.Out[0]), len(outs[i]), reads)
			}
		}
		if !slices.EqualFunc(outs[0], outs[1], slices.Equal[[]int8]) {
			t.Errorf("seed %d: %s gives %v, %s %v", seed, column.Name(), outs[0], spread.Name(), outs[1])
		}
	}
}
