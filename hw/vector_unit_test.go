package hw_test

import (
	"fmt"
	"math/rand"
	"reflect"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// vectorUnitFor is the vector unit of a model.
func vectorUnitFor(m *model.Model, lanes int) hw.VectorUnit {
	c := m.Config
	return hw.VectorUnit{D: c.DModel, Lanes: lanes, K: c.NormK, Shift: c.NormShift, EmbShift: c.EmbShift, Slots: 1}
}

// goldenVectorWork is all that the vector unit does for the golden tokens, and the golden norms.
func goldenVectorWork(m *model.Model, g *model.Golden, lanes int) (work [][]hw.Beat, want []hw.Beat) {
	work = make([][]hw.Beat, 3)
	do := func(op uint64) { work[0] = append(work[0], hw.Beat{{op}, {0}}) }
	norm := func(y []int8) {
		do(hw.VectorNorm)
		want = append(want, beatsOf(y, lanes, 8)...)
	}
	add := func(name string, acc []int32) {
		do(hw.VectorAdd)
		w, _ := m.Matrix(name)
		a := make([]int16, len(acc))
		for i := range acc {
			a[i] = model.RQ16(acc[i], w.M, w.S)
		}
		work[2] = append(work[2], beatsOf(a, lanes, 16)...)
	}
	for _, step := range g.Steps {
		do(hw.VectorLoad)
		work[1] = append(work[1], beatsOf(m.Embedding.Row(step.Token), lanes, 8)...)
		for i, l := range step.Layers {
			norm(l.Y1)
			add(fmt.Sprintf("layers.%d.wo", i), l.AccO)
			norm(l.Y2)
			add(fmt.Sprintf("layers.%d.w2", i), l.Acc2)
		}
		norm(step.Final.Y)
	}
	return work, want
}

func TestVectorUnitGivesGoldenNorms(t *testing.T) {
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		for name, lanes := range map[string]int{"nano": 8, "micro": 5} {
			m, g := open(t, name)
			work, want := goldenVectorWork(m, g, lanes)
			holdGolden(t, vectorUnitFor(m, lanes), work, [][]hw.Beat{want}, 0, engine)
			holdGolden(t, vectorUnitFor(m, lanes), work, [][]hw.Beat{want}, 0.4, engine)
		}
	})
}

// holdGolden runs work on an engine and compares what comes out with want, which is not the
// block's own arithmetic, and the time without stalls.
func holdGolden(t *testing.T, b hw.Block, work, want [][]hw.Beat, stall float64, engine func(*ir.Design) (verify.Engine, error)) {
	t.Helper()
	const seed = 9
	m, e := start(t, b, seed, engine)
	feeds, wants := plan(b, work, want)
	res, err := drive.Run(e, m, feeds, wants, drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(seed))})
	if err != nil {
		t.Fatalf("%s, seed %d: %v", b.Name(), seed, err)
	}
	for i := range want {
		for j := range want[i] {
			if !reflect.DeepEqual(res.Out[i][j], want[i][j]) {
				t.Fatalf("%s, seed %d: stream %d beat %d is %x, want %x", b.Name(), seed, i, j, res.Out[i][j], want[i][j])
			}
		}
	}
	if stall == 0 && res.Cycles != b.Cycles(work) {
		t.Errorf("%s: %d cycles, want %d", b.Name(), res.Cycles, b.Cycles(work))
	}
}

// A norm that follows its add at once waits for the square root and the division; one that
// comes late does not.
func TestVectorUnitComputesItsReciprocalUnasked(t *testing.T) {
	b := hw.VectorUnit{D: 128, Lanes: 8, K: 362, Shift: 16, EmbShift: 2, Slots: 1}
	load := make([]hw.Beat, b.Beats())
	first := b.Cycles([][]hw.Beat{{{{hw.VectorLoad}, {0}}, {{hw.VectorNorm}, {0}}}, load, nil})
	second := b.Cycles([][]hw.Beat{{{{hw.VectorLoad}, {0}}, {{hw.VectorNorm}, {0}}, {{hw.VectorNorm}, {0}}}, load, nil})
	if first != 1+16-1+b.Wait()+16+2 || second-first != 16+2 {
		t.Errorf("one norm %d cycles, a second one %d more", first, second-first)
	}
}
