package hw_test

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/hw/device"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/gosim"
	"ohmloom/verify/icarus"
	"ohmloom/verify/verilated"
)

// writable is a PE whose cells vary; a pulse switches four pairs of five.
func writable(e device.Effects) hw.WritablePE {
	return hw.WritablePE{CrossbarPE: hw.CrossbarPE{Lanes: 4, Crossbar: hw.Crossbar{Rows: 70, Cols: 10, Share: 3, Active: 70, Bits: 7,
		Step: hw.StepClip, Writable: true, Tolerance: 128, Pulses: 14, Yield: 0.8, Effects: e}}}
}

// matrix is stream w for weights [cols][rows].
func matrix(b hw.WritablePE, weights [][]int8) []hw.Beat {
	var beats []hw.Beat
	for r := range b.Rows {
		for c := 0; c < b.Cols; c += b.Lanes {
			beat := make([]uint64, b.Lanes)
			for i := c; i < min(c+b.Lanes, b.Cols); i++ {
				beat[i-c] = uint64(weights[i][r]) & 3
			}
			beats = append(beats, hw.Beat{beat})
		}
	}
	return beats
}

// writeAndMultiply writes weights through the port and multiplies, in hardware and in arithmetic.
func writeAndMultiply(t *testing.T, b hw.WritablePE, weights [][]int8, engine func(*ir.Design) (verify.Engine, error)) (y []hw.Beat, failed int) {
	t.Helper()
	in, _ := b.Streams()
	x := hw.RandomBeats(rand.New(rand.NewSource(6)), in[1], 2*b.Loads(), false)
	work := [][]hw.Beat{{{{1}}, {{0}}, {{0}}}, x, matrix(b, weights)}
	hold(t, b, work, 3, 0, engine)
	out := b.Arithmetic(work)
	for _, beat := range out[1] {
		failed += int(beat[0][0])
	}
	return out[0], failed
}

// Weights that come in through the port are those of preloaded tables.
func TestProgrammedWeightsAreThePreloadedOnes(t *testing.T) {
	for _, e := range []device.Effects{{}, {Variation: 0.05, OffOn: 0.05, FarRow: 0.1, ReadNoise: 0.3, Seed: 3},
		{Variation: 0.05, Separate: true, ADCGain: 0.05, Seed: 4}} {
		b := writable(e)
		weights := hw.RandomTernary(rand.New(rand.NewSource(9)), b.Cols, b.Rows)
		got, failed := writeAndMultiply(t, b, weights, engines[0])
		loaded := b.CrossbarPE
		loaded.Weights, loaded.Writable = weights, false
		in, _ := b.Streams()
		want := loaded.Arithmetic([][]hw.Beat{hw.RandomBeats(rand.New(rand.NewSource(6)), in[1], 2*b.Loads(), false)})[0]
		if failed > 0 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: %d pairs failed\n%x\n%x", e, failed, got, want)
		}
	}
}

// Stuck cells will not verify, unless they are stuck at what they should be; healthy ones do.
func TestStuckCellsRaiseTheErrorFlag(t *testing.T) {
	stuck := device.Effects{StuckOn: 0.02, StuckOff: 0.03, Seed: 11}
	b := writable(stuck)
	weights := hw.RandomTernary(rand.New(rand.NewSource(2)), b.Cols, b.Rows)
	_, failed := writeAndMultiply(t, b, weights, engines[0])
	spec := device.Spec{Shape: device.Shape{Rows: b.Rows, Cols: b.Cols, Converters: b.Converters(), Active: b.Active, Bits: b.Bits, Step: b.Step}, Effects: stuck}
	tables, err := device.Make(t.Context(), spec, weights, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for c := range b.Cols {
		for r := range b.Rows {
			if i := c*b.Rows + r; int(tables.Pos[i])-int(tables.Neg[i]) != 256*int(weights[c][r]) {
				want++
			}
		}
	}
	if failed != want || want == 0 {
		t.Errorf("%d pairs failed, %d have a stuck cell in the wrong state", failed, want)
	}
	b.Yield = 0 // no pulse does anything
	if _, failed := writeAndMultiply(t, b, weights, engines[0]); failed < b.Cols*b.Rows/4 {
		t.Errorf("without a working pulse %d pairs of %d failed", failed, b.Cols*b.Rows)
	}
}

func TestWritablePEAgreesInEveryEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds simulators")
	}
	tools.NeedForTest(t, "verilator", "g++", "iverilog", "vvp")
	b := writable(device.Effects{Variation: 0.1, StuckOff: 0.01, ReadNoise: 0.3, Seed: 5})
	weights := hw.RandomTernary(rand.New(rand.NewSource(4)), b.Cols, b.Rows)
	for _, engine := range []func(*ir.Design) (verify.Engine, error){
		func(d *ir.Design) (verify.Engine, error) { return gosim.New(t.Context(), d, gosim.Options{}) },
		func(d *ir.Design) (verify.Engine, error) { return verilated.New(t.Context(), d, verilated.Options{}) },
		func(d *ir.Design) (verify.Engine, error) { return icarus.New(t.Context(), d, icarus.Options{}) },
	} {
		writeAndMultiply(t, b, weights, engine)
	}
}

func TestWritablePESaysWhatDoesNotFit(t *testing.T) {
	with := func(change func(*hw.WritablePE)) hw.WritablePE {
		b := writable(device.Effects{})
		change(&b)
		return b
	}
	for want, b := range map[string]hw.WritablePE{
		"pulses is 15":     with(func(b *hw.WritablePE) { b.Pulses = 15 }),
		"not writable":     with(func(b *hw.WritablePE) { b.Writable = false }),
		"tolerance is -1":  with(func(b *hw.WritablePE) { b.Tolerance = -1 }),
		"yield of a pulse": with(func(b *hw.WritablePE) { b.Yield = 2 }),
		"wire_row is 0.01": with(func(b *hw.WritablePE) { b.Effects.WireRow = 0.01 }),
	} {
		if err := b.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v should say %q", err, want)
		}
	}
}
