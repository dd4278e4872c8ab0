package hw_test

import (
	"math/rand"
	"reflect"
	"testing"

	"ohmloom/hw"
	"ohmloom/verify/drive"
)

// writablePIMs calls visit with n random PIM halves whose crossbars are writable.
func writablePIMs(n int, visit func(seed int64, r *rand.Rand, b hw.PIM)) {
	for _, entry := range hw.Table {
		for seed := int64(0); entry.Name == "pim" && n > 0; seed++ {
			r := rand.New(rand.NewSource(seed))
			if b := entry.Random(r).(hw.PIM); b.Crossbar.Writable {
				visit(seed, r, b)
				n--
			}
		}
	}
}

// vectorsOf is a scale and vectors, and no rows of weights.
func vectorsOf(r *rand.Rand, b hw.PIM) [][]hw.Beat {
	in, _ := b.Streams()
	return [][]hw.Beat{{{{200}, {3}}}, hw.RandomBeats(r, in[1], 4*b.Loads(), false), nil}
}

// A half that comes up without weights multiplies, when they came in through its port, with them.
func TestAPIMHalfMultipliesWithWeightsThatWereWritten(t *testing.T) {
	verified := 0
	writablePIMs(15, func(seed int64, r *rand.Rand, b hw.PIM) {
		m, e := start(t, b.Blank(), uint64(seed), engines[0])
		rows := b.RowsOfWeights()
		after, told := b.Blank().Written(rows)
		res, err := drive.Run(e, m, []drive.Feed{{Name: "weights", Beats: rows}}, []drive.Want{{Name: "written", Beats: len(told)}},
			drive.Options{Stall: 0.2, Rand: r})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(res.Out[0], told) {
			t.Fatalf("%s, seed %d: rows came to\n%x, want\n%x", b.Name(), seed, res.Out[0], told)
		}
		work := vectorsOf(r, b)
		holdOn(t, after, m, e, work, seed, 0)
		bad := b.Crossbar.Tolerance > 0 // what verifies then may still differ from loaded cells
		for _, row := range told {
			bad = bad || row[4][0] != hw.RowVerified
		}
		if !bad || b.Crossbar.Yield == 1 {
			verified++
			if !reflect.DeepEqual(after.Arithmetic(work), b.Arithmetic(work)) {
				t.Errorf("%s, seed %d: products on weights that were written differ from those on loaded ones", b.Name(), seed)
			}
		}
	})
	if verified == 0 {
		t.Error("no half was written in whole")
	}
}

// Rows wait for vectors, and vectors for rows: all come at random, or a vector some cycles after each row.
func TestRowsWrittenBetweenVectorsHarmNothing(t *testing.T) {
	writablePIMs(15, func(seed int64, r *rand.Rand, b hw.PIM) {
		work := vectorsOf(r, b)
		work[2] = b.RandomRows(r, 12)
		hold(t, b, work, seed, 0.3, engines[0])

		in, _ := b.Streams()
		rows := len(b.Arithmetic(work)[1])
		work[1] = hw.RandomBeats(r, in[1], rows*b.Loads(), false)
		want := b.Arithmetic(work)
		feeds, wants := plan(b, work, want)
		feeds[1].Answers = &drive.Answers{To: "written", Latency: 1 + r.Intn(8), Beats: func(hw.Beat) int { return b.Loads() }}
		m, e := start(t, b, uint64(seed), engines[0])
		res, err := drive.Run(e, m, feeds, wants, drive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if len(want[i]) > 0 && !reflect.DeepEqual(res.Out[i], want[i]) {
				t.Errorf("%s, seed %d: stream %s is\n%x, want\n%x", b.Name(), seed, wants[i].Name, res.Out[i], want[i])
			}
		}
	})
}
