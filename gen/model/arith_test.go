// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawMatrix(t *rapid.T) (Matrix, []int8) {
	out, in := rapid.IntRange(1, 9).Draw(t, "out"), rapid.IntRange(1, 70).Draw(t, "in")
	w := Matrix{Out: out, In: in, W: rapid.SliceOfN(rapid.Int8Range(-1, 1), out*in, out*in).Draw(t, "W")}
	return w, rapid.SliceOfN(rapid.Int8(), in, in).Draw(t, "y")
}

func TestProjectClipIsLosslessWhenTheADCCoversItsRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, y := drawMatrix(t)
		bits := rapid.IntRange(2, 12).Draw(t, "bits")
		rows := rapid.IntRange(1, 1<<(bits-1)-1).Draw(t, "rows")
		if got, want := ProjectClip(w, y, rows, bits), Project(w, y); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestProjectClipSaturatesOneConversionAtATime(t *testing.T) {
	ones := func(n int, v int8) []int8 { return slices.Repeat([]int8{v}, n) }
	for _, c := range []struct {
		w, y       int8
		k          int
		rows, bits int
		want       int32
	}{
		{1, 1, 10, 10, 4, 7},       // 10 cells on, the ADC ends at 7
		{-1, 1, 10, 10, 4, -8},     // and at -8 below
		{1, 1, 10, 5, 4, 10},       // two conversions of 5
		{1, 1, 10, 9, 4, 8},        // 9 clips to 7, plus a tile of 1
		{1, -1, 10, 10, 4, -7},     // planes 0..6 give 7*127, plane 7 takes 7*128
		{1, -128, 10, 10, 4, -896}, // only plane 7
		{-1, -128, 10, 10, 4, 1024},
		{1, 3, 4, 4, 1, 0}, // a 1-bit ADC gives -1 or 0
		{-1, 3, 4, 4, 1, -3},
	} {
		w := Matrix{Out: 1, In: c.k, W: ones(c.k, c.w)}
		if got := ProjectClip(w, ones(c.k, c.y), c.rows, c.bits)[0]; got != c.want {
			t.Errorf("%d inputs %d x weight %d, rows %d, bits %d: %d, want %d", c.k, c.y, c.w, c.rows, c.bits, got, c.want)
		}
	}
}

func TestRoundingIsHalfUpAtEveryShift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, s := rapid.Int64Range(-1<<40, 1<<40).Draw(t, "x"), rapid.IntRange(1, 41).Draw(t, "s")
		// floor(x/2^s + 1/2) on exact integers: floor((2x + 2^s) / 2^(s+1))
		num := new(big.Int).Add(big.NewInt(2*x), new(big.Int).Lsh(big.NewInt(1), uint(s)))
		want := new(big.Int).Div(num, new(big.Int).Lsh(big.NewInt(1), uint(s+1))) // Div is Euclidean: floor for a positive divisor
		if got := RShift(x, s); want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("RShift(%d, %d) = %d, want %v", x, s, got, want)
		}
	})
	if got := RShift(-5, 1); got != -2 {
		t.Errorf("RShift(-5, 1) = %d: -2.5 rounds to -2", got)
	}
}

func TestRequantiseSaturatesSymmetrically(t *testing.T) {
	for _, c := range []struct {
		acc  int32
		m, s int
		rq8  int8
		rq16 int16
	}{
		{0, 255, 31, 0, 0},
		{127, 128, 7, 127, 127},
		{128, 128, 7, 127, 128},
		{-127, 128, 7, -127, -127},
		{-128, 128, 7, -127, -128},
		{1, 128, 8, 1, 1},    // 0.5 rounds up
		{-1, 128, 8, 0, 0},   // -0.5 rounds up
		{-3, 128, 8, -1, -1}, // -1.5 rounds up
		{65024, 255, 1, 127, 32767},
		{-65024, 255, 1, -127, -32767},
		{-1 << 31, 255, 31, -127, -255},
		{1<<31 - 1, 255, 1, 127, 32767},
	} {
		if a, b := RQ8(c.acc, c.m, c.s), RQ16(c.acc, c.m, c.s); a != c.rq8 || b != c.rq16 {
			t.Errorf("acc %d, M %d, S %d: RQ8 %d, RQ16 %d; want %d, %d", c.acc, c.m, c.s, a, b, c.rq8, c.rq16)
		}
	}
}

func TestIsqrtIsTheFloorOfTheRoot(t *testing.T) {
	check := func(x int64) error {
		if got, want := isqrt(x), new(big.Int).Sqrt(big.NewInt(x)); want.Cmp(big.NewInt(got)) != 0 {
			return fmt.Errorf("isqrt(%d) = %d, want %v", x, got, want)
		}
		return nil
	}
	for _, x := range []int64{0, 1, 2, 3, 4, 1<<62 - 1, 1 << 62, 1<<63 - 1, 3037000499 * 3037000499, 3037000499*3037000499 - 1} {
		if err := check(x); err != nil {
			t.Error(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Int64Range(1, 3037000499).Draw(t, "root")
		for _, x := range []int64{r*r - 1, r * r, r*r + min(r, 2)} {
			if x < 0 {
				continue
			}
			if err := check(x); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNormOfZeroIsZero(t *testing.T) {
	c := &Config{NormK: 256, NormShift: 16}
	y, trace := c.Norm(make([]int16, 5))
	if !slices.Equal(y, make([]int8, 5)) || trace != (NormTrace{}) {
		t.Errorf("got %v, %+v", y, trace)
	}
}

func TestWrongLengthsAndWidthsPanicWithTheNumbers(t *testing.T) {
	w := Matrix{Name: "layers.0.wq", Out: 1, In: 2, W: []int8{1, 1}}
	for name, call := range map[string]func(){
		"short input": func() { Project(w, []int8{1}) },
		"no rows":     func() { ProjectClip(w, []int8{1, 1}, 0, 4) },
		"32 bits":     func() { ProjectClip(w, []int8{1, 1}, 1, 32) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func TestGreedyTakesTheLowestOfEqualLogits(t *testing.T) {
	for _, c := range []struct {
		logits []int32
		want   int
	}{{[]int32{-5}, 0}, {[]int32{-9, -2, -2}, 1}, {[]int32{3, 3, 3}, 0}, {[]int32{-1 << 31, 1<<31 - 1}, 1}} {
		if got := Greedy(c.logits); got != c.want {
			t.Errorf("Greedy(%v) = %d, want %d", c.logits, got, c.want)
		}
	}
}
