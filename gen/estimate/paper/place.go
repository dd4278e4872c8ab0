package paper

import (
	"cmp"
	"slices"
)

// tile is a place on the mesh of tiles.
type tile struct{ x, y int }

// shells visits places along square shells from the corner (0, 0) on: an odd shell s goes
// (0,s) .. (s,s) .. (s,0), an even one (s,0) .. (s,s) .. (0,s), so that neighbours in the
// order are neighbours on the mesh. This is MNSIM 2.0's "hui" order.
type shells struct{ shell, step int }

func (s *shells) next() tile {
	a, b := min(s.step, s.shell), min(2*s.shell-s.step, s.shell)
	t := tile{a, b}
	if s.shell%2 == 0 {
		t = tile{b, a}
	}
	if s.step++; s.step > 2*s.shell {
		s.shell, s.step = s.shell+1, 0
	}
	return t
}

// hops are the distances that results of a matrix travel: in between its own tiles, out to
// the next matrix's.
type hops struct{ in, out int }

// place gives each matrix its tiles, one after the other behind one dummy tile, and returns
// its hops. Partial sums meet in that tile of the matrix that minimises in + out, the first
// such in coordinate order (MNSIM 2.0, Tile_connection_graph).
func place(tiles []int) []hops {
	var s shells
	s.next() // the dummy
	own := make([][]tile, len(tiles))
	for i, n := range tiles {
		for range n {
			own[i] = append(own[i], s.next())
		}
		slices.SortFunc(own[i], func(a, b tile) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	}
	list := make([]hops, len(tiles))
	for i := range tiles {
		in, out := reachOf(own[i]), reach{}
		if i+1 < len(tiles) {
			out = reachOf(own[i+1])
		}
		best := hops{in: 1 << 30}
		for _, t := range own[i] {
			if h := (hops{in.from(t), out.from(t)}); h.in+h.out < best.in+best.out {
				best = h
			}
		}
		list[i] = best
	}
	return list
}

// reach tells the largest Manhattan distance to a set of tiles, from the ends of the set along
// both diagonals.
type reach struct {
	some               bool
	sum, diff          int // largest x+y and x-y
	leastSum, leastDif int
}

func reachOf(ts []tile) reach {
	r := reach{some: true, sum: -1 << 30, diff: -1 << 30, leastSum: 1 << 30, leastDif: 1 << 30}
	for _, t := range ts {
		r.sum, r.leastSum = max(r.sum, t.x+t.y), min(r.leastSum, t.x+t.y)
		r.diff, r.leastDif = max(r.diff, t.x-t.y), min(r.leastDif, t.x-t.y)
	}
	return r
}

func (r reach) from(t tile) int {
	if !r.some {
		return 0
	}
	s, d := t.x+t.y, t.x-t.y
	return max(r.sum-s, s-r.leastSum, r.diff-d, d-r.leastDif)
}
