package accuracy

import (
	"context"
	"math"
)

// Result is what crossbars do to a model, over some seeds.
type Result struct {
	BitsPerChar float64 `json:"bits_per_char"` // mean over the seeds
	Change      float64 `json:"change"`        // against exact products
	Spread      float64 `json:"spread"`        // standard deviation between seeds; 0 with one
	Runs        []Run   `json:"runs"`
}

// Run is one seed of a Result.
type Run struct {
	Seed        uint64  `json:"seed"`
	BitsPerChar float64 `json:"bits_per_char"`
	Change      float64 `json:"change"`
}

// Measure runs the first windows windows on crossbars of seeds c.Effects.Seed, Seed+1, ...
// ideal is what exact products give. done is called after each window, from any goroutine.
func (t *Text) Measure(ctx context.Context, c Crossbars, windows, seeds int, ideal float64, done func()) (*Result, error) {
	r := &Result{}
	for i := range seeds {
		one := c
		one.Effects.Seed += uint64(i)
		projector, err := t.Crossbars(ctx, one)
		if err != nil {
			return nil, err
		}
		got, err := t.BitsPerChar(ctx, windows, projector, done)
		if err != nil {
			return nil, err
		}
		r.Runs = append(r.Runs, Run{one.Effects.Seed, got, got - ideal})
	}
	r.BitsPerChar, r.Spread = meanAndSpread(r.Runs)
	r.Change = r.BitsPerChar - ideal
	return r, nil
}

func meanAndSpread(runs []Run) (mean, spread float64) {
	for _, r := range runs {
		mean += r.BitsPerChar / float64(len(runs))
	}
	if len(runs) < 2 {
		return mean, 0
	}
	for _, r := range runs {
		spread += (r.BitsPerChar - mean) * (r.BitsPerChar - mean) / float64(len(runs)-1)
	}
	return mean, math.Sqrt(spread)
}
