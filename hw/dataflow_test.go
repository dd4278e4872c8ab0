package hw_test

import (
	"math/rand"
	"slices"
	"testing"

	"ohmloom/hw"
)

// The plan of each dataflow is what the array of that dataflow takes, and all of them give
// the product: SCALE-Sim's sum and a constant for the last rows to leave.
func TestPlansAreWhatTheArraysTake(t *testing.T) {
	r := rand.New(rand.NewSource(9))
	for range 30 {
		rows, cols := 1+r.Intn(7), 2+r.Intn(6)
		m, k, n := 1+r.Intn(17), 1+r.Intn(23), 1+r.Intn(17)
		a, b := randomBytes(r, m*k), randomBytes(r, k*n)
		want := make([]int32, m*n)
		for i := range want {
			for j := range k {
				want[i] += int32(a[i/n*k+j]) * int32(b[j*n+i%n])
			}
		}
		for _, d := range hw.Dataflows {
			plan := hw.PlanMatMul(d, rows, cols, m, k, n)
			var got []int32
			var took, rest int
			if d == hw.OutputStationary {
				p := hw.MatMul{Array: hw.Array{Rows: rows, Cols: cols}, M: m, K: k, N: n}
				res := run(t, hw.BufferedArray{Rows: rows, Cols: cols}, [][]hw.Beat{p.Beats(a, b)})
				got, took, rest = p.Collect(res.Out[0]), res.Cycles, rows+1
			} else {
				p := hw.AccumulatedMatMul{Array: hw.AccumulatedArray{Rows: rows, Cols: cols, Depth: 17},
					Shape: hw.StationaryMatMul{M: m, K: k, N: n, Inputs: d == hw.InputStationary}}
				res := run(t, p.Array, p.Beats(a, b))
				got, took, rest = p.Collect(res.Out[0]), res.Cycles, 5
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d x %d x %d on %d x %d: got %v, want %v", d, m, k, n, rows, cols, got, want)
			}
			if took != plan.Cycles()+rest {
				t.Errorf("%s, %d x %d x %d on %d x %d: %d cycles, planned %d", d, m, k, n, rows, cols, took, plan.Cycles())
			}
		}
	}
}

// Decode (N = 1) leaves columns idle unless the keys move past a stationary query.
func TestTheBestPlanHasTheFewestCycles(t *testing.T) {
	r := rand.New(rand.NewSource(10))
	won := map[hw.Dataflow]int{}
	for range 500 {
		rows, cols, m, k, n := 1+r.Intn(40), 1+r.Intn(40), 1+r.Intn(300), 1+r.Intn(300), 1+r.Intn(300)
		best := hw.BestPlan(rows, cols, m, k, n)
		won[best.Dataflow]++
		for _, d := range hw.Dataflows {
			if p := hw.PlanMatMul(d, rows, cols, m, k, n); p.Cycles() < best.Cycles() {
				t.Errorf("%d x %d x %d on %d x %d: %+v is better than %+v", m, k, n, rows, cols, p, best)
			}
		}
	}
	for _, d := range hw.Dataflows {
		if won[d] == 0 {
			t.Errorf("%s is never the best", d)
		}
	}
}

// Folds of one row that waited in the array's buffer come in cycles that follow one another,
// each adding to the sum that the one before has not yet written.
func TestSumsOfOneRowAddUpWhenOutputsWait(t *testing.T) {
	for seed := range int64(5) {
		r := rand.New(rand.NewSource(seed))
		b := hw.AccumulatedArray{Rows: 1, Cols: 1, Depth: 1}
		hold(t, b, b.RandomFolds(r, 60, false), seed, 0.85, engines[0])
	}
}
