package hw_test

import (
	"math/rand"
	"slices"
	"testing"

	"ohmloom/hw"
	"ohmloom/verify/drive"
)

// run puts work through the structure of b without stalls.
func run(t *testing.T, b hw.Block, work [][]hw.Beat) *drive.Result {
	t.Helper()
	m, e := start(t, b, 99, engines[0])
	feeds, wants := plan(b, work, b.Arithmetic(work))
	res, err := drive.Run(e, m, feeds, wants, drive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func randomBytes(r *rand.Rand, n int) []int8 {
	v := make([]int8, n)
	for i := range v {
		v[i] = int8(r.Intn(256) - 128)
	}
	return v
}

func TestFoldsComputeMatMulOfAnyShape(t *testing.T) {
	for _, c := range []struct{ rows, cols, m, k, n int }{
		{1, 1, 1, 1, 1}, {1, 1, 3, 5, 2}, {4, 3, 9, 7, 5}, {2, 5, 1, 13, 11}, {3, 2, 6, 1, 4}, {5, 1, 7, 3, 3}, {1, 6, 2, 9, 13},
	} {
		r := rand.New(rand.NewSource(int64(c.m)))
		p := hw.MatMul{Array: hw.Array{Rows: c.rows, Cols: c.cols}, M: c.m, K: c.k, N: c.n}
		a, b := randomBytes(r, c.m*c.k), randomBytes(r, c.k*c.n)
		want := make([]int32, c.m*c.n)
		for i := range want {
			for k := 0; k < c.k; k++ {
				want[i] += int32(a[i/c.n*c.k+k]) * int32(b[k*c.n+i%c.n])
			}
		}
		work := [][]hw.Beat{p.Beats(a, b)}
		res := run(t, p.Array, work)
		if got := p.Collect(res.Out[0]); !slices.Equal(got, want) {
			t.Errorf("%+v: got %v, want %v", c, got, want)
		}
		if res.Cycles != p.Cycles() {
			t.Errorf("%+v: %d cycles, want %d", c, res.Cycles, p.Cycles())
		}
	}
}

// The first row leaves in the cycle after the last sum is complete, and it holds that sum
// already: the corner element is asked for in a fold whose corner product comes last.
func TestLastSumIsCompleteAfterKPlusRowsPlusColsMinusTwoCycles(t *testing.T) {
	for _, c := range []struct{ rows, cols, k int }{{1, 1, 1}, {1, 1, 4}, {3, 5, 1}, {4, 4, 7}, {1, 6, 2}, {5, 1, 3}, {7, 2, 11}} {
		p := hw.MatMul{Array: hw.Array{Rows: c.rows, Cols: c.cols}, M: c.rows, K: c.k, N: c.cols}
		a, b := make([]int8, c.rows*c.k), make([]int8, c.k*c.cols)
		a[len(a)-1], b[len(b)-1] = -128, -128 // only the last product of the far corner
		work := [][]hw.Beat{p.Beats(a, b)}
		res := run(t, p.Array, work)
		if fill := res.Given[0][0] - res.Taken[0][0]; fill != c.k+c.rows+c.cols-2 {
			t.Errorf("%+v: the drain begins after %d cycles, want %d", c, fill, c.k+c.rows+c.cols-2)
		}
		got := p.Collect(res.Out[0])
		if got[len(got)-1] != 16384 {
			t.Errorf("%+v: corner is %d, want 16384", c, got[len(got)-1])
		}
	}
}

func TestSumsOfTheLongestExactFoldFitAndTheNextWraps(t *testing.T) {
	fold := func(k int) int32 {
		feed := make([]hw.Beat, k)
		for i := range feed {
			last := uint64(0)
			if i == k-1 {
				last = 1
			}
			feed[i] = hw.Beat{{0x80}, {0x80}, {last}}
		}
		return int32(hw.Array{Rows: 1, Cols: 1}.Arithmetic([][]hw.Beat{feed})[0][0][0][0])
	}
	if got := fold(131071); got != 131071*16384 {
		t.Errorf("K = 131071: %d", got)
	}
	if got := fold(131072); got >= 0 {
		t.Errorf("K = 131072 should wrap, got %d", got)
	}
}
