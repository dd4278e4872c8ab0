package gosim

import "sort"

// group is one loop, or a stretch of straight-line code.
type group struct {
	space space
	items []*item
}

// changes reports whether a register or read port changes in g.
func (g *group) changes(q *val) bool {
	for _, it := range g.items {
		if it.changes() == q {
			return true
		}
	}
	return false
}

// schedule orders the items and fuses them into groups: what can share a loop does, and
// whatever reads a register runs before the register changes, or beside it in the same step
// of the same loop, so that state updates in place.
func (p *plan) schedule() {
	items := p.items()
	s := &scheduler{p: p, left: items, readers: map[*val][]*item{}, memReaders: map[*mem][]*item{}}
	for _, it := range items {
		s.index(it)
	}
	for len(s.left) > 0 {
		if !s.pick() {
			s.unlock()
		}
	}
	p.decideStorage()
}

type scheduler struct {
	p          *plan
	left       []*item
	readers    map[*val][]*item // state -> items that read it
	memReaders map[*mem][]*item
}

func (s *scheduler) index(it *item) {
	for _, a := range it.states {
		s.readers[a.v] = append(s.readers[a.v], it)
	}
	for _, m := range s.p.mems {
		if it.contents[m] {
			s.memReaders[m] = append(s.memReaders[m], it)
		}
	}
}

// pick makes the next group: straight-line code as long as there is any, then the loop that
// leaves the fewest items of its space behind, the smallest first.
func (s *scheduler) pick() bool {
	var best []*item
	bestLeft := 0
	for _, sp := range s.spaces() {
		fit := s.closure(sp)
		if len(fit) == 0 {
			continue
		}
		left := 0
		for _, it := range s.left {
			if it.space == sp {
				left++
			}
		}
		left -= len(fit)
		if sp.scalar() {
			best = fit
			break
		}
		if best == nil || left < bestLeft {
			best, bestLeft = fit, left
		}
	}
	if best == nil {
		return false
	}
	g := &group{space: best[0].space, items: best}
	for _, it := range best {
		it.group = g
	}
	s.p.groups = append(s.p.groups, g)
	rest := s.left[:0:0]
	for _, it := range s.left {
		if it.group == nil {
			rest = append(rest, it)
		}
	}
	s.left = rest
	return true
}

// spaces lists the spaces of the items left, smallest first.
func (s *scheduler) spaces() []space {
	seen := map[space]bool{}
	var out []space
	for _, it := range s.left {
		if !seen[it.space] {
			seen[it.space] = true
			out = append(out, it.space)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if a, b := out[i].steps(), out[j].steps(); a != b {
			return a < b
		}
		return out[i].units < out[j].units
	})
	return out
}

// closure is everything of space sp that can run now, in order.
func (s *scheduler) closure(sp space) []*item {
	in := map[*item]bool{}
	var fit []*item
	for grown := true; grown; {
		grown = false
		for _, it := range s.left {
			if it.space == sp && !in[it] && s.ready(it, in) {
				in[it], grown = true, true
				fit = append(fit, it)
			}
		}
	}
	return fit
}

// ready reports whether it can run in the group that holds in, after all groups so far.
func (s *scheduler) ready(it *item, in map[*item]bool) bool {
	before := func(other *item, same bool) bool {
		return other.group != nil || in[other] && (same || it.space.scalar())
	}
	for _, a := range it.needs {
		if !before(a.v.item, a.same) {
			return false
		}
	}
	if q := it.changes(); q != nil {
		for _, r := range s.readers[q] {
			for _, a := range r.states {
				if a.v == q && r != it && !before(r, a.same) || a.v == q && r == it && !a.same {
					return false
				}
			}
		}
	}
	if it.kind == writes {
		for _, r := range s.memReaders[it.mem] {
			if r != it && !before(r, true) {
				return false
			}
		}
	}
	return true
}

// unlock breaks a ring of state updates that each read what another overwrites: all that is
// left reads copies, which are made before.
func (s *scheduler) unlock() {
	copies := map[*val]*val{}
	stuck := s.left
	progress := false
	for _, it := range stuck {
		if it.kind == computes || it.kind == samples {
			continue
		}
		for _, a := range it.states {
			if copies[a.v] == nil {
				c := s.p.copyState(a.v)
				copies[a.v] = c
				ci := s.p.compute(c)
				newRecorder(s.p).record(ci)
				s.left = append(s.left, ci)
				s.readers[a.v] = append(s.readers[a.v], ci)
			}
			if it.subst == nil {
				it.subst = map[*val]*val{}
			}
			it.subst[a.v] = copies[a.v]
			progress = true
		}
		s.forget(it)
		newRecorder(s.p).record(it)
		s.index(it)
	}
	if !progress {
		panic("gosim: the schedule is stuck without a ring of states")
	}
}

func (s *scheduler) forget(it *item) {
	for _, a := range it.states {
		keep := s.readers[a.v][:0:0]
		for _, r := range s.readers[a.v] {
			if r != it {
				keep = append(keep, r)
			}
		}
		s.readers[a.v] = keep
	}
}

// decideStorage puts values that leave their loop into package variables.
func (p *plan) decideStorage() {
	for _, g := range p.groups {
		for _, it := range g.items {
			for _, a := range it.needs {
				if scalar(a.v) {
					continue
				}
				if a.v.item.group != g || !a.same || it.bulk {
					a.v.stored = true
				}
			}
		}
	}
}

// scalar reports whether v is one Go value.
func scalar(v *val) bool { return v.lanes*v.units == 1 && !v.rows }
