package hw_test

import (
	"math/rand"
	"slices"
	"testing"

	"ohmloom/hw"
)

func TestStationaryFoldsComputeMatMulOfAnyShapeInScaleSimsTime(t *testing.T) {
	for _, c := range []struct{ rows, cols, m, k, n int }{
		{1, 1, 1, 1, 1}, {1, 1, 3, 5, 2}, {4, 3, 9, 7, 5}, {2, 5, 1, 13, 11}, {3, 2, 6, 1, 4}, {5, 1, 7, 3, 3}, {1, 6, 2, 9, 13}, {8, 8, 16, 8, 1},
	} {
		for _, inputs := range []bool{false, true} {
			r := rand.New(rand.NewSource(int64(c.m)))
			p := hw.StationaryMatMul{Array: hw.StationaryArray{Rows: c.rows, Cols: c.cols}, M: c.m, K: c.k, N: c.n, Inputs: inputs}
			a, b := randomBytes(r, c.m*c.k), randomBytes(r, c.k*c.n)
			want := make([]int32, c.m*c.n)
			for i := range want {
				for k := range c.k {
					want[i] += int32(a[i/c.n*c.k+k]) * int32(b[k*c.n+i%c.n])
				}
			}
			res := run(t, p.Array, p.Beats(a, b))
			if got := p.Collect(res.Out[0]); !slices.Equal(got, want) {
				t.Errorf("%+v, inputs stay %v: got %v, want %v", c, inputs, got, want)
			}
			folds := (c.k + c.rows - 1) / c.rows * ((c.n + c.cols - 1) / c.cols)
			moving := c.m
			if inputs {
				folds, moving = (c.k+c.rows-1)/c.rows*((c.m+c.cols-1)/c.cols), c.n
			}
			if scaleSim := folds * (2*c.rows + c.cols + moving - 2); res.Cycles != scaleSim+3 {
				t.Errorf("%+v, inputs stay %v: %d cycles, SCALE-Sim counts %d", c, inputs, res.Cycles, scaleSim)
			}
		}
	}
}
