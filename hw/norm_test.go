package hw_test

import (
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
)

// beatsOf cuts a vector into beats of lanes w-bit elements, zeros beyond its end.
func beatsOf[T int8 | int16 | int32](v []T, lanes, w int) []hw.Beat {
	var beats []hw.Beat
	for part := range slices.Chunk(v, lanes) {
		data := make([]uint64, lanes)
		for i, x := range part {
			data[i] = uint64(x) & (1<<w - 1)
		}
		beats = append(beats, hw.Beat{data})
	}
	return beats
}

// vectorOf is the first n elements of beats.
func vectorOf(beats []hw.Beat, n, w int) []int64 {
	var v []int64
	for _, beat := range beats {
		v = append(v, hw.SignedWords(beat[0], w)...)
	}
	return v[:n]
}

// open reads a model and its golden file.
func open(t *testing.T, name string) (*model.Model, *model.Golden) {
	t.Helper()
	m, err := model.Open("../examples/models/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.OpenGolden("../examples/models/" + name + ".golden.json")
	if err != nil {
		t.Fatal(err)
	}
	return m, g
}

// What the comments of RMSNorm and LayerNorm state about the distance from the real function.
func TestNormErrorIsAsStated(t *testing.T) {
	const seed = 6
	r := rand.New(rand.NewSource(seed))
	worst := map[bool]float64{}
	for range 400 {
		d, k, shift, center := 1+r.Intn(300), 1+r.Intn(400), 12+r.Intn(16), r.Intn(2) == 0
		var b hw.Block = hw.RMSNorm{D: d, Lanes: d, K: k, Shift: shift}
		if center {
			b = hw.LayerNorm{D: d, Lanes: d, K: k, Shift: shift}
		}
		x, mean, scale, offset := make([]int16, d), 0.0, 1<<r.Intn(15), r.Intn(1<<14)
		for i := range x {
			x[i] = int16(r.NormFloat64()*float64(scale)/4) + int16(offset)
			mean += float64(x[i]) / float64(d)
		}
		unit := 1.0 // of what is scaled, in units of x
		if center {
			unit = float64(d)
		} else {
			mean = 0
		}
		square := 0.0
		for _, v := range x {
			square += math.Pow(float64(v)-mean, 2)
		}
		root := math.Sqrt(square)
		if center {
			root = math.Sqrt(square * float64(d)) // D standard deviations
		}
		n := math.Floor(root + 1e-6)
		if n == 0 {
			continue
		}
		y := vectorOf(b.Arithmetic([][]hw.Beat{beatsOf(x, d, 16)})[0], d, 8)
		for i, v := range x {
			u := (float64(v) - mean) * unit
			want := float64(k) * u / root
			if math.Abs(want) > 126 {
				continue
			}
			bound := 0.5 + math.Abs(u)/math.Ldexp(1, shift) + math.Abs(want)/n
			off := math.Abs(float64(y[i]) - want)
			worst[center] = max(worst[center], off/bound)
			if off > bound+1e-6 {
				t.Fatalf("%s, seed %d: element %d is off by %.3f, stated is %.3f", b.Name(), seed, i, off, bound)
			}
		}
	}
	for center, part := range worst {
		if part < 0.9 {
			t.Errorf("center %v: the stated error is never nearly reached, only %.2f of it", center, part)
		}
	}
}

// The norm of the numerics on every vector of both golden files, for lanes that divide the
// vector and lanes that do not.
func TestRMSNormGivesGoldenNorms(t *testing.T) {
	for _, name := range []string{"nano", "micro"} {
		m, g := open(t, name)
		for _, lanes := range []int{1, 8, 7} {
			var x, want []hw.Beat
			add := func(in []int16, out []int8) {
				x, want = append(x, beatsOf(in, lanes, 16)...), append(want, beatsOf(out, lanes, 8)...)
			}
			for _, step := range g.Steps {
				for _, l := range step.Layers {
					add(l.XIn, l.Y1)
					add(l.XMid, l.Y2)
				}
				add(step.Layers[len(step.Layers)-1].XOut, step.Final.Y)
			}
			b := hw.RMSNorm{D: m.Config.DModel, Lanes: lanes, K: m.Config.NormK, Shift: m.Config.NormShift}
			for i, beat := range run(t, b, [][]hw.Beat{x}).Out[0] {
				if !slices.Equal(beat[0], want[i][0]) {
					t.Fatalf("%s, %d lanes: beat %d is %x, want %x", name, lanes, i, beat[0], want[i][0])
				}
			}
		}
	}
}

// The cycles that the comments state for one vector.
func TestNormTakesTheStatedCycles(t *testing.T) {
	for want, b := range map[int]hw.Block{
		2*16 + 26 + 2:              hw.RMSNorm{D: 128, Lanes: 8, K: 362, Shift: 16},
		2*16 + (12 + 19 + 4) + 3:   hw.LayerNorm{D: 128, Lanes: 8, K: 32, Shift: 32},
		2*1 + (8 + 1 + 3) + 2:      hw.RMSNorm{D: 1, Lanes: 8, K: 1, Shift: 1},
		2*50257 + (12 + 1 + 3) + 2: hw.RMSNorm{D: 50257, Lanes: 1, K: 1, Shift: 1},
		2*4 + (10 + 13 + 3) + 2:    hw.RMSNorm{D: 64, Lanes: 16, K: 256, Shift: 16},
	} {
		in, _ := b.Streams()
		lanes := in[0].Fields[0].Type.N
		n := 1
		switch b := b.(type) {
		case hw.RMSNorm:
			n = (b.D + lanes - 1) / lanes
		case hw.LayerNorm:
			n = (b.D + lanes - 1) / lanes
		}
		if got := b.Cycles([][]hw.Beat{make([]hw.Beat, n)}); got != want {
			t.Errorf("%s: %d cycles, stated %d", b.Name(), got, want)
		}
	}
}

func TestNormCheckNamesTheParameterOutOfRange(t *testing.T) {
	for _, c := range []struct {
		want string
		b    hw.Block
	}{
		{"rms_norm: elements is 65537, allowed are 1 to 65536", hw.RMSNorm{D: 65537, Lanes: 1, K: 1, Shift: 1}},
		{"layer_norm: elements is 65536, allowed are 1 to 65535", hw.LayerNorm{D: 65536, Lanes: 1, K: 1, Shift: 1}},
		{"gain is 0", hw.RMSNorm{D: 1, Lanes: 1, Shift: 1}},
		{"shift is 0", hw.RMSNorm{D: 1, Lanes: 1, K: 1}},
		{"bits of a scaled element is 69", hw.LayerNorm{D: 65535, Lanes: 1, K: 8192, Shift: 44}},
		{"radicand bits is 63", hw.Isqrt{NumBits: 63, PerCycle: 1}},
		{"lanes is 1025", hw.ResidualAdd{Lanes: 1025}},
	} {
		if err := c.b.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v should say %q", err, c.want)
		}
	}
}
