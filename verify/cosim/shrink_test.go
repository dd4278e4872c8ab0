package cosim

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The engines of this test differ when 0xaa comes and, at most three cycles later, 0xbb.
func differs(ran *int) func([]uint64) (int, error) {
	return func(r []uint64) (int, error) {
		last := -10
		for k := 0; k < len(r); k += 2 {
			*ran++
			if r[k] == 0xaa {
				last = k
			}
			if r[k] == 0xbb && k-last <= 6 {
				return k/2 + 1, nil
			}
		}
		return 0, nil
	}
}

func TestShrinkingFindsTheSmallestStimulusCheaply(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const cycles = 50_000
	var r []uint64
	for range cycles - 3 {
		r = append(r, uint64(rng.IntN(0xaa)), rng.Uint64())
	}
	r = append(r, 0xaa, 5, 0x11, 6, 0xbb, 7)
	ran := 0
	s := &shrinker{width: 2, left: 400, cost: 10 * cycles, best: r, fails: differs(&ran)}
	got, err := s.run(t.Context())
	if err != nil || !slices.Equal(got.Records, []uint64{0xaa, 0, 0xbb, 0}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if ran > 1000 || got.FromCycles != cycles || got.Cycles != 2 || got.Nonzero != 2 {
		t.Errorf("%d cycles run, %+v", ran, got)
	}
}

// What matters stands at the very begin, and long after it: no short end will do.
func TestShrinkingDropsWhatIsBetween(t *testing.T) {
	var r []uint64
	for k := range uint64(600) {
		r = append(r, k+1)
	}
	s := &shrinker{width: 1, left: 400, cost: 100_000, best: r, fails: func(r []uint64) (int, error) {
		seen := map[uint64]bool{}
		for k, v := range r {
			if seen[v] = true; seen[77] && seen[310] && v == 599 {
				return k + 1, nil
			}
		}
		return 0, nil
	}}
	got, err := s.run(t.Context())
	if err != nil || !slices.Equal(got.Records, []uint64{77, 310, 599}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestShrinkingIsBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := make([]uint64, 4000)
	for i := range r {
		r[i] = rng.Uint64()
	}
	for _, bound := range []shrinker{{left: 30, cost: 1 << 40}, {left: 1 << 40, cost: 30_000}} {
		calls, ran := 0, 0
		s := bound
		s.width, s.best = 2, r
		s.fails = func(r []uint64) (int, error) {
			calls++
			ran += len(r) / 2
			return 0, nil
		}
		got, err := s.run(t.Context())
		if err != nil || calls > bound.left || ran > bound.cost+len(r)/2 || got.Cycles != len(r)/2 {
			t.Errorf("%d tries, %d cycles, %+v, %v", calls, ran, got, err)
		}
	}
}
