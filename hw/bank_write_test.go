package hw_test

import (
	"math/rand"
	"reflect"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/hw/device"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// writableBank is a bank of 2 x 3 tiles with an operation over many of its PEs. A pulse switches
// four pairs of five.
func writableBank(e device.Effects) hw.Bank {
	b := bankOf(2, 3, 2, 4, hw.Crossbar{Rows: 6, Cols: 10, Share: 5, Active: 6, Bits: 7, Step: hw.StepClip, Writable: true, Tolerance: 128,
		Pulses: 14, Yield: 0.8, Effects: e})
	return b.WithRandomProgram(rand.New(rand.NewSource(12)))
}

// writeAndOperate writes rows into the blank bank, then runs operations, both with stalls, and
// compares what comes out with the arithmetic; it gives what became of the rows and the results.
func writeAndOperate(t *testing.T, b hw.Bank, rows []hw.Beat, engine func(*ir.Design) (verify.Engine, error)) (told, y []hw.Beat) {
	t.Helper()
	m, e := start(t, b.Blank(), 3, engine)
	after, want := b.Blank().Written(rows)
	opt := drive.Options{Stall: 0.3, Rand: rand.New(rand.NewSource(8))}
	res, err := drive.Run(e, m, []drive.Feed{{Name: "weights", Beats: rows}}, []drive.Want{{Name: "written", Beats: len(want)}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if told = res.Out[0]; !reflect.DeepEqual(told, want) {
		t.Fatalf("rows came to\n%x, want\n%x", told, want)
	}
	work := b.RandomOps(rand.New(rand.NewSource(5)), 4, false)
	y = after.Arithmetic(work)[0]
	res, err = drive.Run(e, m, []drive.Feed{{Name: "cmd", Beats: work[0]}, {Name: "x", Beats: work[1]}}, []drive.Want{{Name: "y", Beats: len(y)}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(res.Out[0], y) {
		t.Fatalf("results are\n%x, want\n%x", res.Out[0], y)
	}
	return told, y
}

// Weights that come in through the port of a bank are those of preloaded tables, on every engine.
func TestWeightsWrittenIntoABankAreThePreloadedOnes(t *testing.T) {
	for i, e := range []device.Effects{{}, {Variation: 0.05, OffOn: 0.05, ReadNoise: 0.3, Seed: 3}} {
		b := writableBank(e)
		want := b.Arithmetic(b.RandomOps(rand.New(rand.NewSource(5)), 4, false))[0]
		for _, engine := range everyEngine {
			if engine.needs != nil && (testing.Short() || i == 0) {
				continue
			}
			tools.NeedForTest(t, engine.needs...)
			told, got := writeAndOperate(t, b, b.RowsOfProgram(), func(d *ir.Design) (verify.Engine, error) { return engine.build(t.Context(), d) })
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %+v: results differ from those of preloaded tables", engine.name, e)
			}
			for _, row := range told {
				if row[4][0] != hw.RowVerified {
					t.Errorf("%s, %+v: %s: %x", engine.name, e, hw.RowErrors[row[4][0]], row)
				}
			}
		}
	}
}

// Pairs with a stuck cell in the wrong state are told, with their place; all others verify.
func TestRowsWithStuckCellsAreTold(t *testing.T) {
	stuck := device.Effects{StuckOn: 0.01, StuckOff: 0.02, Seed: 11}
	b := writableBank(stuck)
	told, _ := writeAndOperate(t, b, b.RowsOfProgram(), engines[0])
	x, failed := b.Crossbar, 0
	for _, row := range told {
		pe := (int(row[0][0])*b.Cols+int(row[1][0]))*b.PEs + int(row[2][0])
		spec := device.Spec{Effects: stuck, Shape: device.Shape{Rows: x.Rows, Cols: x.Cols, Converters: x.Converters(), Active: x.Active, Bits: x.Bits, Step: x.Step}}
		weights := weightsOf(b, pe)
		tables, err := device.Make(t.Context(), spec, weights, uint64(pe))
		if err != nil {
			t.Fatal(err)
		}
		want, r := 0, int(row[3][0])
		for c := range x.Cols {
			if i := c*x.Rows + r; int(tables.Pos[i])-int(tables.Neg[i]) != 256*int(weights[c][r]) {
				want++
			}
		}
		if int(row[5][0]) != want || (row[4][0] == hw.RowFailed) != (want > 0) {
			t.Errorf("PE %d, row %d: error %d with %d pairs, %d have a stuck cell in the wrong state", pe, r, row[4][0], row[5][0], want)
		}
		failed += want
	}
	if failed == 0 {
		t.Error("no cell is stuck in the wrong state")
	}
}

// weightsOf is what the program has in a PE, [column][row].
func weightsOf(b hw.Bank, pe int) [][]int8 {
	all := make([][]int8, b.Crossbar.Cols)
	for c := range all {
		all[c] = make([]int8, b.Crossbar.Rows)
	}
	for _, op := range b.Program {
		for _, m := range op.Matrices {
			for rb, row := range m.PE {
				for cb, p := range row {
					for n := cb * len(all); p == pe && n < min((cb+1)*len(all), len(m.Weights)); n++ {
						copy(all[n-cb*len(all)], m.Weights[n][rb*b.Crossbar.Rows:])
					}
				}
			}
		}
	}
	return all
}

// A row with a weight that is none, or for a PE that is none, is told and changes nothing.
func TestRefusedRowsChangeNothing(t *testing.T) {
	b := writableBank(device.Effects{})
	rows := b.RowsOfProgram()
	wrong := make([]int8, b.Crossbar.Cols)
	for i := range wrong {
		wrong[i] = 1
	}
	good := len(rows)
	nowhere := b.RowOf(0, 0, wrong)
	for _, beat := range nowhere {
		beat[1][0] = 3 // columns of tiles are 0 to 2
	}
	wrong[b.Crossbar.Cols-1] = -2
	for pe := range 12 {
		rows = append(rows, b.RowOf(pe, pe%6, wrong)...)
	}
	rows = append(rows, nowhere...)
	told, y := writeAndOperate(t, b, rows, engines[0])
	if want := b.Arithmetic(b.RandomOps(rand.New(rand.NewSource(5)), 4, false))[0]; !reflect.DeepEqual(y, want) {
		t.Error("refused rows changed results")
	}
	beats := (b.Crossbar.Cols + b.Lanes - 1) / b.Lanes
	for i, row := range told[good/beats:] {
		want := uint64(hw.RowIllegal)
		if i == 12 {
			want = hw.RowNowhere
		}
		if row[4][0] != want {
			t.Errorf("refused row %d came to %d, want %d", i, row[4][0], want)
		}
	}
}
