package hw_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
)

// allBytes is every int8, one a beat.
func allBytes() []hw.Beat {
	var beats []hw.Beat
	for x := range uint64(256) {
		beats = append(beats, hw.Beat{{x}})
	}
	return beats
}

// Each activation, in hardware and for every int8, is within the stated distance of the real
// function; the table of gelu and silu does not hang on the last digits of a library.
func TestActivationErrorIsAsStated(t *testing.T) {
	functions := []struct {
		f    hw.Func
		real func(x float64) float64
	}{
		{hw.GELU, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }},
		{hw.SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	}
	for _, c := range functions {
		for fraction := range 8 {
			unit := math.Ldexp(1, -fraction)
			res := run(t, hw.Activation{Lanes: 1, Func: c.f, Fraction: fraction}, [][]hw.Beat{allBytes()})
			worst := 0.0
			for x, beat := range res.Out[0] {
				want := c.real(float64(int8(x)) * unit)
				worst = max(worst, math.Abs(float64(int8(beat[0][0]))*unit-want)/unit)
				if border := want/unit + 0.5; math.Abs(border-math.Round(border)) < 1e-6 {
					t.Errorf("%s, fraction %d: the table hangs on the rounding of %d", c.f, fraction, int8(x))
				}
			}
			if worst > 0.5 || worst < 0.1 {
				t.Errorf("%s, fraction %d: error of %.4f units, stated is one half", c.f, fraction, worst)
			}
		}
	}
	for shift := 7; shift <= 14; shift++ {
		res := run(t, hw.Activation{Lanes: 1, Func: hw.SquaredReLU, Shift: shift}, [][]hw.Beat{allBytes()})
		for x, beat := range res.Out[0] {
			want := math.Pow(math.Max(float64(int8(x)), 0), 2)
			if got := math.Ldexp(float64(int8(beat[0][0])), shift); math.Abs(got-want) > math.Ldexp(1, shift-1) {
				t.Errorf("relu2, shift %d: %d gives %g, want %g", shift, int8(x), got, want)
			}
		}
	}
	for x, beat := range run(t, hw.Activation{Lanes: 1, Func: hw.ReLU}, [][]hw.Beat{allBytes()}).Out[0] {
		if got := int8(beat[0][0]); got != max(int8(x), 0) {
			t.Errorf("relu of %d is %d", int8(x), got)
		}
	}
}

// The stated widths of the tables at 5 fraction bits.
func TestActivationTablesHaveTheStatedWidth(t *testing.T) {
	for f, want := range map[hw.Func]int{hw.GELU: 3, hw.SiLU: 4} {
		d := ir.NewDesign(hw.Activation{Lanes: 2, Func: f, Fraction: 5}.Build(hw.NewLib(nil)))
		found := false
		for _, m := range d.Modules {
			for _, mem := range m.Mems {
				found = true
				if mem.Type.W != want || mem.Depth != 129 {
					t.Errorf("%s: table of %d words of %d bits, stated are 129 of %d", f, mem.Depth, mem.Type.W, want)
				}
			}
		}
		if !found {
			t.Errorf("%s has no table", f)
		}
	}
}

// Squared ReLU on requantised sums is the activation of the numerics.
func TestSquaredReLUIsThatOfTheNumerics(t *testing.T) {
	for shift := 1; shift <= 14; shift++ {
		c := model.Config{ActRShift: shift}
		for x, beat := range run(t, hw.Activation{Lanes: 1, Func: hw.SquaredReLU, Shift: shift}, [][]hw.Beat{allBytes()}).Out[0] {
			if int8(x) == -128 {
				continue // no requantised sum is
			}
			_, h := c.Activate([]int32{int32(int8(x)) * 2}, 128, 8) // requantises to x
			if got := int8(beat[0][0]); got != h[0] {
				t.Errorf("shift %d: %d gives %d, want %d", shift, int8(x), got, h[0])
			}
		}
	}
}

func TestActivationCheckNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		want string
		b    hw.Activation
	}{
		{`function is "tanh", allowed are relu, relu2, gelu and silu`, hw.Activation{Lanes: 1, Func: "tanh"}},
		{"shift is 0, allowed are 1 to 14", hw.Activation{Lanes: 1, Func: hw.SquaredReLU}},
		{"relu: fraction bits is 5, allowed are 0 to 0", hw.Activation{Lanes: 1, Func: hw.ReLU, Fraction: 5}},
		{"fraction bits is 8, allowed are 0 to 7", hw.Activation{Lanes: 1, Func: hw.GELU, Fraction: 8}},
		{"lanes is 0", hw.Activation{Func: hw.ReLU}},
	} {
		if err := c.b.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v should say %q", err, c.want)
		}
	}
}

// The golden hidden channels and residual streams of every layer.
func TestActivationAndResidualAddGiveGoldenValues(t *testing.T) {
	const lanes = 8
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		for _, name := range []string{"nano", "micro"} {
			m, g := open(t, name)
			var u, h, terms, x []hw.Beat
			for _, step := range g.Steps {
				for l, layer := range step.Layers {
					requantise := func(projection string, acc []int32) (q8 []int8, q16 []int16) {
						w, err := m.Matrix(fmt.Sprintf("layers.%d.%s", l, projection))
						if err != nil {
							t.Fatal(err)
						}
						for _, a := range acc {
							q8, q16 = append(q8, model.RQ8(a, w.M, w.S)), append(q16, model.RQ16(a, w.M, w.S))
						}
						return q8, q16
					}
					q8, _ := requantise("w1", layer.Acc1)
					u, h = append(u, beatsOf(q8, lanes, 8)...), append(h, beatsOf(layer.H, lanes, 8)...)
					add := func(before, after []int16, projection string, acc []int32) {
						_, q16 := requantise(projection, acc)
						a := beatsOf(q16, lanes, 16)
						for i, beat := range beatsOf(before, lanes, 16) {
							terms = append(terms, hw.Beat{beat[0], a[i][0]})
						}
						x = append(x, beatsOf(after, lanes, 16)...)
					}
					add(layer.XIn, layer.XMid, "wo", layer.AccO)
					add(layer.XMid, layer.XOut, "w2", layer.Acc2)
				}
			}
			relu2 := hw.Activation{Lanes: lanes, Func: hw.SquaredReLU, Shift: m.Config.ActRShift}
			holdGolden(t, relu2, [][]hw.Beat{u}, [][]hw.Beat{h}, 0, engine)
			holdGolden(t, hw.ResidualAdd{Lanes: lanes}, [][]hw.Beat{terms}, [][]hw.Beat{x}, 0, engine)
		}
	})
}
