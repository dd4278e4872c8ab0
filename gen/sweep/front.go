package sweep

import (
	"cmp"
	"slices"

	"ohmloom/gen/arch"
)

// Front is the Pareto front of rows that have figures: those that no other row beats in one
// objective without losing in another. Rows come best first in the first objective, equal ones
// by index.
func Front(rows []Row, objectives []string) []Row {
	at, sign := make([]int, len(objectives)), make([]float64, len(objectives))
	for i, name := range objectives {
		at[i] = slices.IndexFunc(arch.Metrics, func(m arch.Metric) bool { return m.Name == name })
		sign[i] = 1 // less is better
		if arch.Metrics[at[i]].More {
			sign[i] = -1
		}
	}
	cost := func(r *Row, i int) float64 { return sign[i] * r.Metrics[at[i]] }
	var sorted []*Row
	for i := range rows {
		if rows[i].Problem == "" {
			sorted = append(sorted, &rows[i])
		}
	}
	slices.SortFunc(sorted, func(a, b *Row) int {
		for i := range at {
			if c := cmp.Compare(cost(a, i), cost(b, i)); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.Index, b.Index)
	})
	// Whoever beats a row comes before it in this order, and some such row is on the front.
	var front []Row
	for _, r := range sorted {
		if !slices.ContainsFunc(front, func(f Row) bool { return beats(&f, r, len(at), cost) }) {
			front = append(front, *r)
		}
	}
	return front
}

// beats tells whether a is no worse than b in any objective and better in one.
func beats(a, b *Row, n int, cost func(*Row, int) float64) bool {
	better := false
	for i := range n {
		switch c := cmp.Compare(cost(a, i), cost(b, i)); {
		case c > 0:
			return false
		case c < 0:
			better = true
		}
	}
	return better
}
