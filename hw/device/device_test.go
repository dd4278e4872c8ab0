package device_test

import (
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"

	"ohmloom/hw/device"
)

func randomShape(r *rand.Rand) device.Shape {
	s := device.Shape{Rows: 1 + r.Intn(140), Cols: 1 + r.Intn(12), Bits: 1 + r.Intn(16)}
	s.Converters, s.Active = 1+r.Intn(s.Cols), 1+r.Intn(s.Rows)
	s.Step = []string{device.StepIdeal, device.StepClip, device.StepFull}[r.Intn(3)]
	return s
}

// randomEffects has each effect on half of the time, anywhere in its range.
func randomEffects(r *rand.Rand, s device.Shape) device.Effects {
	var e device.Effects
	for _, p := range device.Parameters {
		if r.Intn(2) == 0 && (p.Block == "device" || s.Step != device.StepIdeal) {
			*p.Of(&e) = p.Min + (p.Max-p.Min)*math.Pow(r.Float64(), 2)
		}
	}
	if s.Step == device.StepFull {
		e.LSB = 0
	}
	if r.Intn(2) == 0 {
		e.FarRow, e.FarCol = 0, 0
	} else {
		e.WireRow, e.WireCol = 0, 0
	}
	e.Separate, e.Seed = r.Intn(2) == 0, r.Uint64()
	e.Distribution = []string{"", device.Gaussian, device.LogNormal}[r.Intn(3)]
	return e
}

func randomWeights(r *rand.Rand, s device.Shape) [][]int8 {
	w := make([][]int8, s.Cols)
	for c := range w {
		w[c] = make([]int8, s.Rows)
		for k := range w[c] {
			w[c][k] = int8(r.Intn(3) - 1)
		}
	}
	return w
}

func randomInput(r *rand.Rand, n int) []int8 {
	x := make([]int8, n)
	for i := range x {
		x[i] = int8(r.Intn(256) - 128)
	}
	return x
}

func build(t testing.TB, s device.Shape, w [][]int8, e device.Effects) *device.Tables {
	t.Helper()
	tables, err := device.Make(t.Context(), device.Spec{Shape: s, Effects: e}, w, 3)
	if err != nil {
		t.Fatalf("%+v, %+v: %v", s, e, err)
	}
	return tables
}

func TestFastProductEqualsTheReference(t *testing.T) {
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		s := randomShape(r)
		tables := build(t, s, randomWeights(r, s), randomEffects(r, s))
		x, got := randomInput(r, s.Rows), make([]int32, s.Cols)
		first := r.Uint32()
		tables.Multiply(x, first, got)
		if want := tables.Product(x, first)[:s.Cols]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d, %+v, %+v: %v, want %v", seed, s, tables.Effects, got, want)
		}
	}
}

func TestWithoutEffectsItIsTheIntegerProduct(t *testing.T) {
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		s := randomShape(r)
		e := device.Effects{Seed: r.Uint64(), Separate: seed%2 == 0}
		switch seed % 3 {
		case 0:
			s.Step = device.StepIdeal
		default: // the narrowest converter that loses nothing, or any wider one
			s.Step, s.Bits = device.StepClip, 9+r.Intn(8)
		}
		w, x := randomWeights(r, s), randomInput(r, s.Rows)
		got := make([]int32, s.Cols)
		build(t, s, w, e).Multiply(x, 0, got)
		for c := range got {
			want := 0
			for k := range x {
				want += int(w[c][k]) * int(x[k])
			}
			if int(got[c]) != want {
				t.Fatalf("seed %d, %+v: column %d is %d, want %d", seed, s, c, got[c], want)
			}
		}
	}
}

// What is stated of each effect holds for the tables made of it.
func TestTablesHaveTheStatedMoments(t *testing.T) {
	s := device.Shape{Rows: 256, Cols: 256, Converters: 256, Active: 256, Bits: 8, Step: device.StepClip}
	w := make([][]int8, s.Cols)
	for c := range w {
		w[c] = make([]int8, s.Rows)
		for r := range w[c] {
			w[c][r] = int8((c + r) % 2)
		}
	}
	on := func(c, r int) bool { return (c+r)%2 == 1 }
	stats := func(e device.Effects, of func(c, r int) bool) (mean, sd float64) {
		tables, n, sum, sq := build(t, s, w, e), 0.0, 0.0, 0.0
		for c := range s.Cols {
			for r := range s.Rows {
				if of(c, r) {
					g := float64(tables.Pos[c*s.Rows+r]) / 256
					n, sum, sq = n+1, sum+g, sq+g*g
				}
			}
		}
		mean = sum / n
		return mean, math.Sqrt(sq/n - mean*mean)
	}
	near := func(what string, got, want, tol float64) {
		t.Helper()
		if math.Abs(got-want) > tol {
			t.Errorf("%s is %.4f, want %.4f +- %.4f", what, got, want, tol)
		}
	}
	for _, dist := range []string{device.Gaussian, device.LogNormal} {
		mean, sd := stats(device.Effects{Variation: 0.2, Distribution: dist, Seed: 1}, on)
		near(dist+" mean", mean, 1, 0.005)
		near(dist+" deviation", sd, 0.2, 0.005)
	}
	mean, _ := stats(device.Effects{StuckOff: 0.1, Seed: 2}, on)
	near("ON cells with 10 % stuck OFF", mean, 0.9, 0.01)
	mean, _ = stats(device.Effects{StuckOn: 0.1, Seed: 2}, func(c, r int) bool { return !on(c, r) })
	near("OFF cells with 10 % stuck ON", mean, 0.1, 0.01)
	mean, sd := stats(device.Effects{OffOn: 0.25}, func(c, r int) bool { return !on(c, r) })
	near("OFF cells", mean, 0.25, 0)
	near("deviation of OFF cells", sd, 0, 0)
	mean, _ = stats(device.Effects{DriftNu: 0.05, DriftTime: 1e4}, on)
	near("after 1e4 s", mean, math.Pow(1e4, -0.05), 1.0/256)
	mean, _ = stats(device.Effects{FarRow: 0.2}, func(c, r int) bool { return c == 255 && on(c, r) })
	near("last column", mean, 0.8, 1.0/256)
	mean, _ = stats(device.Effects{FarCol: 0.2}, func(c, r int) bool { return r == s.Rows-1 && on(c, r) })
	near("last row", mean, 0.8, 1.0/256)

	tables := build(t, s, w, device.Effects{ADCGain: 0.1, ADCOffset: 2, Seed: 5})
	var g2, o2 float64
	for a := range tables.Gain {
		g, o := float64(tables.Gain[a])/(1<<24)-1, float64(tables.Offset[a])/(1<<24)-0.5
		g2, o2 = g2+g*g, o2+o*o
	}
	near("gain error", math.Sqrt(g2/256), 0.1, 0.015)
	near("offset", math.Sqrt(o2/256), 2, 0.3)
}

func TestNoiseIsNearlyGaussian(t *testing.T) {
	const n = 1 << 17
	var m [5]float64
	for i := range n {
		x := float64(device.Noise(12345, uint32(i>>5), i&31)) / device.NoiseSD
		for k := range m {
			m[k] += math.Pow(x, float64(k)) / n
		}
	}
	for k, want := range []float64{1, 0, 1, 0, 2.85} {
		if math.Abs(m[k]-want) > 0.06 {
			t.Errorf("moment %d is %.3f, want %.3f", k, m[k], want)
		}
	}
	// Neighbours in either count are not correlated.
	for _, step := range [][2]int{{1, 0}, {0, 1}} {
		sum := 0.0
		for i := range n {
			a := device.Noise(9, uint32(i>>5), i&31)
			b := device.Noise(9, uint32(i>>5+step[0]), i&31+step[1])
			sum += float64(a*b) / (device.NoiseSD * device.NoiseSD * n)
		}
		if math.Abs(sum) > 0.02 {
			t.Errorf("correlation %.3f at distance %v", sum, step)
		}
	}
}

// An effect switched on leaves the draws of the others alone.
func TestEffectsAreDrawnIndependently(t *testing.T) {
	s := device.Shape{Rows: 32, Cols: 8, Converters: 8, Active: 32, Bits: 8, Step: device.StepClip}
	w := randomWeights(rand.New(rand.NewSource(1)), s)
	a := build(t, s, w, device.Effects{Variation: 0.2, ADCOffset: 1, Seed: 4})
	b := build(t, s, w, device.Effects{Variation: 0.2, ADCOffset: 1, ADCGain: 0.1, ReadNoise: 1, StuckOff: 1e-9, Seed: 4})
	if fmt.Sprint(a.Pos, a.Neg, a.Offset) != fmt.Sprint(b.Pos, b.Neg, b.Offset) {
		t.Error("gain error, noise or stuck cells changed the draws of variation and offset")
	}
	c := build(t, s, w, device.Effects{Variation: 0.2, ADCOffset: 1, Seed: 5})
	if fmt.Sprint(a.Pos) == fmt.Sprint(c.Pos) || a.Hash == c.Hash {
		t.Error("another seed gives the same cells")
	}
}

func TestMakeSaysWhatIsWrong(t *testing.T) {
	s := device.Shape{Rows: 4, Cols: 4, Converters: 2, Active: 4, Bits: 4, Step: device.StepClip}
	ideal := s
	ideal.Step = device.StepIdeal
	full := s
	full.Step = device.StepFull
	for _, c := range []struct {
		want string
		s    device.Shape
		w    [][]int8
		e    device.Effects
	}{
		{"variation is 1.5, allowed are 0 to 1", s, nil, device.Effects{Variation: 1.5}},
		{"variation is NaN", s, nil, device.Effects{Variation: math.NaN()}},
		{"lsb is 0.1, allowed are 0.25 to 64", s, nil, device.Effects{LSB: 0.1}},
		{`distribution is "normal"`, s, nil, device.Effects{Distribution: "normal"}},
		{"IR drop twice", s, nil, device.Effects{FarRow: 0.1, WireRow: 0.01}},
		{"an ideal converter has no offset", ideal, nil, device.Effects{ReadNoise: 1}},
		{"has its own", full, nil, device.Effects{LSB: 2}},
		{"weight [1][2] is 2", s, [][]int8{{}, {0, 0, 2}}, device.Effects{}},
		{"5 outputs", s, make([][]int8, 5), device.Effects{}},
		{"5 inputs", s, [][]int8{make([]int8, 5)}, device.Effects{}},
	} {
		if _, err := device.Make(t.Context(), device.Spec{Shape: c.s, Effects: c.e}, c.w, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v should say %q", err, c.want)
		}
	}
}

// Wires are those of the resistive network, solved for the very cells that the seed gave.
func TestWiresMakeEffectiveConductances(t *testing.T) {
	s := device.Shape{Rows: 5, Cols: 3, Converters: 2, Active: 5, Bits: 8, Step: device.StepClip}
	w := randomWeights(rand.New(rand.NewSource(3)), s)
	e := device.Effects{Variation: 0.3, OffOn: 0.1, Seed: 9}
	bare := build(t, s, w, e)
	e.WireRow, e.WireCol = 0.02, 0.05
	wired := build(t, s, w, e)
	net := device.Network{Rows: 5, Cols: 3, G: make([]float64, 15), RowWire: 0.02, ColWire: 0.05}
	for i, g := range bare.Neg {
		net.G[i%5*3+i/5] = float64(g) / 256
	}
	eff, err := net.Effective(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for i, g := range wired.Neg {
		if math.Abs(float64(g)-256*eff[i%5*3+i/5]) > 1 { // cells were rounded before, too
			t.Errorf("cell %d is %d, the network has %.2f", i, g, 256*eff[i%5*3+i/5])
		}
		lost += int(bare.Neg[i]) - int(g)
	}
	if lost < 10 {
		t.Errorf("the wires lose %d/256 of an ON cell in all", lost)
	}
}

func BenchmarkMultiply256(b *testing.B) {
	s := device.Shape{Rows: 256, Cols: 256, Converters: 32, Active: 256, Bits: 8, Step: device.StepClip}
	r := rand.New(rand.NewSource(1))
	w, x, out := randomWeights(r, s), randomInput(r, s.Rows), make([]int32, s.Cols)
	for _, c := range []struct {
		name string
		e    device.Effects
	}{{"ideal", device.Effects{}}, {"variation", device.Effects{Variation: 0.1}},
		{"all", device.Effects{Variation: 0.1, ADCGain: 0.1, ADCINL: 1, ReadNoise: 0.2, Separate: true}}} {
		tables := build(b, s, w, c.e)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				tables.Multiply(x, 0, out)
			}
		})
	}
}
