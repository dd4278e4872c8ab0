package hw_test

import (
	"math/rand"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
)

// nano is the small model's first matrix and the golden vectors made for it.
func nano(t *testing.T) (model.Matrix, *model.Golden) {
	t.Helper()
	m, err := model.Open("../examples/models/nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.OpenGolden("../examples/models/nano.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Matrix("layers.0.wq")
	if err != nil {
		t.Fatal(err)
	}
	return w, g
}

// project runs vectors through the structure of p with the matrix w.
func project(t *testing.T, p hw.PIM, w model.Matrix, vectors [][]int8) (acc [][]int32, q [][]int8) {
	t.Helper()
	rows := make([][]int8, w.Out)
	for o := range rows {
		rows[o] = w.Row(o)
	}
	p, err := p.Program(rows)
	if err != nil {
		t.Fatal(err)
	}
	scale := []hw.Beat{{{uint64(w.M)}, {uint64(w.S)}}}
	return p.Collect(run(t, p, [][]hw.Beat{scale, p.Vectors(vectors)}).Out[0])
}

func TestTrainedMatrixGivesGoldenSumsOnCrossbars(t *testing.T) {
	w, g := nano(t)
	for _, c := range g.XBar {
		p := hw.PIM{RowBlocks: 1, ColBlocks: 1, Lanes: 8,
			Crossbar: hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: min(c.Rows, 64), Bits: c.Bits, Step: hw.StepClip}}
		acc, _ := project(t, p, w, [][]int8{g.Steps[0].Layers[0].Y1})
		if !slices.Equal(acc[0], c.First.Q) {
			t.Errorf("%d rows, %d bits: %v, want %v", c.Rows, c.Bits, acc[0], c.First.Q)
		}
	}
}

// Ideal crossbars of any shape are the integer product, and requantise as the model does.
func TestTrainedMatrixIsExactOnIdealCrossbarsOfAnyShape(t *testing.T) {
	w, g := nano(t)
	var in [][]int8
	for _, s := range g.Steps {
		in = append(in, s.Layers[0].Y1)
	}
	for _, p := range []hw.PIM{
		{RowBlocks: 1, ColBlocks: 1, Lanes: 8, Crossbar: hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64}},
		{RowBlocks: 2, ColBlocks: 3, Lanes: 7, Crossbar: hw.Crossbar{Rows: 37, Cols: 23, Share: 5, Active: 11}},
		{RowBlocks: 3, ColBlocks: 2, Lanes: 12, Crossbar: hw.Crossbar{Rows: 22, Cols: 36, Share: 6, Active: 22}},
	} {
		p.Crossbar.Step = hw.StepIdeal
		acc, q := project(t, p, w, in)
		for i, s := range g.Steps {
			if got, want := acc[i][:w.Out], s.Layers[0].AccQ; !slices.Equal(got, want) {
				t.Errorf("%s, vector %d: sums %v, want %v", p.Name(), i, got, want)
			}
			if got, want := q[i][:w.Out], s.Layers[0].Q; !slices.Equal(got, want) {
				t.Errorf("%s, vector %d: activations %v, want %v", p.Name(), i, got, want)
			}
		}
	}
}

// Scores of the last golden position against every key of the prompt: q is the array's one
// row of operands, the keys are its columns.
func TestArrayGivesGoldenScores(t *testing.T) {
	m, err := model.Open("../examples/models/nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	_, g := nano(t)
	step := g.Steps[len(g.Steps)-1]
	prompt := m.NewRun(model.Project)
	for _, token := range g.PromptTokens[:step.Pos+1] {
		prompt.Step(token)
	}
	layer := step.Layers[0]
	for h := range layer.Heads {
		keys, _ := prompt.Window(0, h)
		dh := len(keys[0])
		p := hw.MatMul{Array: hw.Array{Rows: 2, Cols: 5}, M: 1, K: dh, N: len(keys)}
		b := make([]int8, dh*len(keys))
		for t, key := range keys {
			for k, v := range key {
				b[k*len(keys)+t] = v
			}
		}
		scores := p.Collect(run(t, p.Array, [][]hw.Beat{p.Beats(layer.Q[h*dh:(h+1)*dh], b)}).Out[0])
		for d := range scores {
			scores[d] += int32(m.RelBias(0, h)[d]) << m.Config.ScoreRShift
		}
		if !slices.Equal(scores, layer.Heads[h].Score) {
			t.Errorf("head %d: %v, want %v", h, scores, layer.Heads[h].Score)
		}
	}
}

// A converter that is wide enough loses nothing, one bit less loses something.
func TestLosslessBitsAreEnoughAndNecessary(t *testing.T) {
	for _, active := range []int{1, 2, 3, 7, 8, 13} {
		x := hw.Crossbar{Rows: active, Cols: 1, Share: 1, Active: active, Step: hw.StepClip, Weights: [][]int8{slices.Repeat([]int8{1}, active)}}
		in := [][]hw.Beat{{{slices.Repeat([]uint64{1}, active)}}}
		sum := func(bits int) int64 {
			x.Bits = bits
			pe := hw.CrossbarPE{Crossbar: x, Lanes: active}
			return hw.SignedWords(pe.Arithmetic(in)[0][0][0], 32)[0]
		}
		if got := sum(x.LosslessBits()); got != int64(active) {
			t.Errorf("%d rows, %d bits: %d", active, x.LosslessBits(), got)
		}
		if bits := x.LosslessBits() - 1; bits > 0 && sum(bits) == int64(active) {
			t.Errorf("%d rows: %d bits lose nothing either", active, bits)
		}
	}
}

// Clip against the numerics' definition as package model has it, with random matrices.
func TestClippingProductIsThatOfTheNumerics(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for range 30 {
		k, n := 1+r.Intn(40), 1+r.Intn(9)
		x := hw.Crossbar{Rows: k, Cols: n, Share: 1 + r.Intn(n), Active: 1 + r.Intn(k), Bits: 1 + r.Intn(6), Step: hw.StepClip}
		w := model.Matrix{Out: n, In: k}
		p := hw.PIM{RowBlocks: 1, ColBlocks: 1, Lanes: 1, Crossbar: x, Weights: hw.RandomTernary(r, n, k)}
		for _, row := range p.Weights {
			w.W = append(w.W, row...)
		}
		y := randomBytes(r, k)
		if got, want := p.Product([][]int8{y})[0], model.ProjectClip(w, y, x.Active, x.Bits); !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", p.Name(), got, want)
		}
	}
}

// Full scale: codes rescaled to cells are within half an LSB, or saturated.
func TestFullScaleCodesRoundHalfUp(t *testing.T) {
	x := hw.Crossbar{Rows: 6, Cols: 1, Share: 1, Active: 6, Bits: 3, Step: hw.StepFull, Weights: [][]int8{{1, 1, 1, 1, 1, 1}}}
	want := []int64{0, 1, 1, 2, 2, 3, 3} // floor(3 d / 6 + 1/2)
	for d := range want {
		rows := make([]uint64, 6)
		for i := range d {
			rows[i] = 1
		}
		if got := hw.SignedWords(x.Arithmetic([][]hw.Beat{{{{0}, rows}}})[0][0][0], 3)[0]; got != want[d] {
			t.Errorf("d = %d: code %d, want %d", d, got, want[d])
		}
	}
	x.Weights = [][]int8{{-1, -1, -1, -1, -1, -1}}
	want = []int64{0, 0, -1, -1, -2, -2, -3} // halves round up
	for d := range want {
		rows := make([]uint64, 6)
		for i := range d {
			rows[i] = 1
		}
		if got := hw.SignedWords(x.Arithmetic([][]hw.Beat{{{{0}, rows}}})[0][0][0], 3)[0]; got != want[d] {
			t.Errorf("d = -%d: code %d, want %d", d, got, want[d])
		}
	}
}

func TestProgramNamesWhatDoesNotFit(t *testing.T) {
	p := hw.PIM{RowBlocks: 1, ColBlocks: 1, Lanes: 1, Crossbar: hw.Crossbar{Rows: 2, Cols: 2, Share: 1, Active: 2, Step: hw.StepIdeal}}
	for want, w := range map[string][][]int8{
		"3 outputs":          {{1}, {1}, {1}},
		"3 inputs":           {{1, 1, 1}},
		"weight [1][0] is 2": {{0}, {2}},
	} {
		if _, err := p.Program(w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v should say %q", w, err, want)
		}
	}
}
