package hw_test

import (
	"math/rand"
	"slices"
	"testing"

	"ohmloom/hw"
)

func TestBufferedFoldsComputeMatMulOfAnyShapeInScaleSimsTime(t *testing.T) {
	for _, c := range []struct{ rows, cols, m, k, n int }{
		{1, 2, 1, 1, 1}, {1, 1, 3, 5, 2}, {4, 3, 9, 7, 5}, {2, 5, 1, 13, 11}, {3, 2, 6, 1, 4}, {5, 1, 7, 3, 3}, {1, 6, 2, 9, 13}, {8, 8, 16, 8, 1},
	} {
		r := rand.New(rand.NewSource(int64(c.m)))
		p := hw.MatMul{Array: hw.Array{Rows: c.rows, Cols: c.cols}, M: c.m, K: c.k, N: c.n}
		a, b := randomBytes(r, c.m*c.k), randomBytes(r, c.k*c.n)
		want := make([]int32, c.m*c.n)
		for i := range want {
			for k := range c.k {
				want[i] += int32(a[i/c.n*c.k+k]) * int32(b[k*c.n+i%c.n])
			}
		}
		res := run(t, hw.BufferedArray{Rows: c.rows, Cols: c.cols}, [][]hw.Beat{p.Beats(a, b)})
		if got := p.Collect(res.Out[0]); !slices.Equal(got, want) {
			t.Errorf("%+v: got %v, want %v", c, got, want)
		}
		scaleSim := (c.m + c.rows - 1) / c.rows * ((c.n + c.cols - 1) / c.cols) * (c.k + c.rows + c.cols - 2)
		if p.BufferedCycles() != scaleSim || res.Cycles != scaleSim+c.rows+1 {
			t.Errorf("%+v: %d cycles, counted %d, SCALE-Sim counts %d and the last drain takes %d", c, res.Cycles, p.BufferedCycles(), scaleSim, c.rows+1)
		}
	}
}
