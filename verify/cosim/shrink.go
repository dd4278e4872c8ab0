package cosim

import (
	"context"
	"slices"
)

// Shrunk is what shrinking made of a stimulus.
type Shrunk struct {
	FromCycles  int      `json:"from_cycles"`
	Cycles      int      `json:"cycles"`
	FromNonzero int      `json:"from_nonzero_words"`
	Nonzero     int      `json:"nonzero_words"`
	Tries       int      `json:"tries"`
	Records     []uint64 `json:"-"`
}

// shrinker looks for a smaller stimulus that still makes the engines differ: fewer cycles,
// then fewer inputs that are not zero, then smaller values.
type shrinker struct {
	width int // words a record
	left  int // tries
	cost  int // cycles that may still be run
	best  []uint64
	fails func(records []uint64) (cycles int, err error) // cycles up to the difference, 0: none
	tries int
	err   error // ends the search
}

func nonzero(r []uint64) int {
	n := 0
	for _, v := range r {
		if v != 0 {
			n++
		}
	}
	return n
}

// try takes the candidate over when the engines still differ.
func (s *shrinker) try(c []uint64) bool {
	if s.done() || len(c) == 0 {
		return false
	}
	s.left--
	s.cost -= len(c) / s.width
	s.tries++
	cycles, err := s.fails(c)
	if err != nil {
		s.err = err
		return false
	}
	if cycles == 0 {
		return false
	}
	s.best = c[:cycles*s.width]
	return true
}

func (s *shrinker) cycles() int { return len(s.best) / s.width }

// done says whether the search must end.
func (s *shrinker) done() bool { return s.left == 0 || s.cost <= 0 || s.err != nil }

// keepEnd keeps the first cycles, in which the reset is, and the last 1, 2, 4, ... up to half
// of all: the cheap tries first, because most differences need few cycles.
func (s *shrinker) keepEnd() {
	const begin = 2
	all := s.best
	for k := 1; begin+2*k <= len(all)/s.width && !s.done(); k *= 2 {
		if s.try(slices.Concat(all[:begin*s.width], all[len(all)-k*s.width:])) {
			return
		}
	}
}

// dropCycles removes runs of cycles, long ones first.
func (s *shrinker) dropCycles() (any bool) {
	for chunk := max(s.cycles()/2, 1); ; chunk /= 2 {
		for at := 0; at < s.cycles() && !s.done(); {
			end := min(at+chunk, s.cycles())
			c := slices.Concat(s.best[:at*s.width], s.best[end*s.width:])
			if s.try(c) {
				any = true
			} else {
				at += chunk
			}
		}
		if chunk <= 1 || s.done() {
			return any
		}
	}
}

// zeroColumns makes whole elements zero in all cycles.
func (s *shrinker) zeroColumns() (any bool) {
	for w := 0; w < s.width && !s.done(); w++ {
		c, change := slices.Clone(s.best), false
		for i := w; i < len(c); i += s.width {
			change = change || c[i] != 0
			c[i] = 0
		}
		if change && s.try(c) {
			any = true
		}
	}
	return any
}

// zeroWords makes runs of words that are not zero zero, long ones first.
func (s *shrinker) zeroWords() (any bool) {
	for chunk := max(nonzero(s.best)/2, 1); ; chunk /= 2 {
		for skip := 0; skip < nonzero(s.best) && !s.done(); {
			c, seen := slices.Clone(s.best), 0
			for i, v := range c {
				if v == 0 {
					continue
				}
				if seen >= skip && seen < skip+chunk {
					c[i] = 0
				}
				seen++
			}
			if s.try(c) {
				any = true
			} else {
				skip += chunk
			}
		}
		if chunk <= 1 || s.done() {
			return any
		}
	}
}

// lowerWords makes the words that are left small: 1, or one bit of them.
func (s *shrinker) lowerWords() (any bool) {
	for i := 0; i < len(s.best) && !s.done(); i++ {
		for _, v := range []uint64{1, s.best[i] & -s.best[i]} {
			if i >= len(s.best) || s.best[i] <= v {
				break
			}
			c := slices.Clone(s.best)
			c[i] = v
			if s.try(c) {
				any = true
				break
			}
		}
	}
	return any
}

// run shrinks until nothing helps or the tries are used up.
func (s *shrinker) run(ctx context.Context) (*Shrunk, error) {
	r := &Shrunk{FromCycles: s.cycles(), FromNonzero: nonzero(s.best)}
	s.keepEnd()
	for ctx.Err() == nil {
		any := s.dropCycles()
		any = s.zeroColumns() || any
		any = s.zeroWords() || any
		if !any || s.done() {
			break
		}
	}
	s.lowerWords()
	r.Cycles, r.Nonzero, r.Tries, r.Records = s.cycles(), nonzero(s.best), s.tries, s.best
	return r, s.err
}
