package accuracy

import (
	"math/rand"
	"slices"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw/device"
)

// The definition of a crossbar's product is device.Tables.Product, conversion by conversion.
func TestUniformCrossbarsGiveTheDevicesProduct(t *testing.T) {
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		w := model.Matrix{Name: "w", Out: 1 + r.Intn(5), In: 1 + r.Intn(300)}
		for range w.Out * w.In {
			w.W = append(w.W, int8(r.Intn(3)-1))
		}
		rows := 1 + r.Intn(200)
		c := Crossbars{Rows: rows, Active: 1 + r.Intn(rows), Share: 1, Bits: 1 + r.Intn(9), Step: []string{device.StepClip, device.StepFull}[r.Intn(2)]}
		c.Effects.Separate = r.Intn(2) == 0
		if c.Step == device.StepClip && r.Intn(2) == 0 {
			c.Effects.LSB = 0.25 + 4*r.Float64()
		}
		u, err := c.program(t.Context(), w, 0)
		if err != nil || u.uniform == nil {
			t.Fatalf("seed %d: %v; uniform %v", seed, err, u)
		}
		y := make([]int8, w.In)
		for k := range y {
			y[k] = int8(r.Intn(256) - 128)
		}
		want := make([]int32, w.Out)
		for k := 0; k < w.In; k += rows {
			var weights [][]int8
			for o := range w.Out {
				weights = append(weights, w.Row(o)[k:min(k+rows, w.In)])
			}
			tables, err := device.Make(t.Context(), c.spec(w.Out), weights, 0)
			if err != nil {
				t.Fatal(err)
			}
			x := make([]int8, rows)
			copy(x, y[k:])
			for o, s := range tables.Product(x, 0)[:w.Out] {
				want[o] += s
			}
		}
		if got := u.multiply(w.Out, y, 0); !slices.Equal(got, want) {
			t.Errorf("seed %d, %s: %v, want %v", seed, c, got, want)
		}
	}
}
