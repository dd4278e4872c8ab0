package hw_test

import (
	"context"
	"errors"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"ohmloom/hw"
	"ohmloom/hw/device"
)

// Tables that were made before are those that would be made, and are left alone by a tile with
// other weights; an interruption ends the making.
func TestSolvedTablesAreTheSame(t *testing.T) {
	x := hw.Crossbar{Rows: 12, Cols: 9, Share: 3, Active: 12, Bits: 5, Step: hw.StepClip, ID: 40,
		Effects: device.Effects{Variation: 0.1, WireRow: 0.01, WireCol: 0.01, Seed: 4}}
	pim := hw.PIM{RowBlocks: 2, ColBlocks: 3, Lanes: 3, Crossbar: x, Weights: hw.RandomTernary(rand.New(rand.NewSource(1)), 27, 24)}
	tile := hw.Tile{Top: "t", PIM: &pim}
	steps := 0
	solved, err := hw.Solve(t.Context(), tile.Crossbars(), func() { steps++ })
	if err != nil || steps != 6 || len(solved) != 6 {
		t.Fatalf("%v, %d steps, %d tables", err, steps, len(solved))
	}
	same := func(a, b hw.Tile) bool {
		return maps.EqualFunc(a.Image("t").Data, b.Image("t").Data, func(x, y []uint64) bool { return slices.Equal(x, y) })
	}
	with := tile.WithSolved(solved)
	if !same(tile, with) {
		t.Error("tables that were made before are others")
	}
	if got := with.Crossbars()[4].Tables(); got != solved[44] {
		t.Error("tables that were made before are made again")
	}
	other := pim
	other.Weights = hw.RandomTernary(rand.New(rand.NewSource(2)), 27, 24)
	anew := hw.Tile{Top: "t", PIM: &other}
	if same(tile, anew) || !same(anew, anew.WithSolved(solved)) {
		t.Error("a tile with other weights has the tables of the first")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hw.Solve(ctx, tile.Crossbars(), func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
