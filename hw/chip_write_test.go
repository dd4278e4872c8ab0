package hw_test

import (
	"math/rand"
	"reflect"
	"testing"

	"ohmloom/hw"
	"ohmloom/verify/drive"
)

// writableChips calls visit with n random chips whose crossbars are writable.
func writableChips(t *testing.T, n int, visit func(seed int64, r *rand.Rand, b hw.Chip)) {
	t.Helper()
	entry := chipEntry(t)
	for seed := int64(0); n > 0; seed++ {
		r := rand.New(rand.NewSource(seed))
		if b := entry.Random(r).(hw.Chip); b.Bank.Crossbar.Writable {
			visit(seed, r, b)
			n--
		}
	}
}

// commandWork is work of a chip with commands, and no rows of weights.
func commandWork(t *testing.T, r *rand.Rand, b hw.Chip) [][]hw.Beat {
	for {
		if work := chipEntry(t).Work(r, b, false); len(work[0]) > 0 {
			return work
		}
	}
}

// A chip that comes up without weights writes, when they have come in through its port, what a
// chip with them writes; writing takes the cycles foretold.
func TestAChipRunsOnWeightsThatWereWritten(t *testing.T) {
	failed := 0
	writableChips(t, 12, func(seed int64, r *rand.Rand, b hw.Chip) {
		m, e := start(t, b.Blank(), uint64(seed), engines[0])
		rows := b.RowsOfProgram()
		after, told := b.Blank().Written(rows)
		res, err := drive.Run(e, m, []drive.Feed{{Name: "weights", Beats: rows}}, []drive.Want{{Name: "written", Beats: len(told)}}, drive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(res.Out[0], told) {
			t.Fatalf("%s, seed %d: rows came to\n%x, want\n%x", b.Name(), seed, res.Out[0], told)
		}
		if want := b.WriteCycles(told); res.Cycles != want {
			t.Errorf("%s, seed %d: writing took %d cycles, want %d", b.Name(), seed, res.Cycles, want)
		}
		if b.Bank.Crossbar.Yield == 1 && b.Bank.Crossbar.Effects.Ideal() && b.LoadCycles() != res.Cycles {
			t.Errorf("%s, seed %d: writing took %d cycles, with one pulse each it is %d", b.Name(), seed, res.Cycles, b.LoadCycles())
		}
		work, bad := commandWork(t, r, b), false
		for _, row := range told {
			bad = bad || row[5][0] != hw.RowVerified
		}
		holdOn(t, after, m, e, work, seed, 0)
		if bad {
			failed++
		} else if b.Bank.Crossbar.Tolerance == 0 && !reflect.DeepEqual(after.Arithmetic(work), b.Arithmetic(work)) {
			t.Errorf("%s, seed %d: a run on weights that were written differs from one on loaded ones", b.Name(), seed)
		}
	})
	if failed == 0 || failed == 12 {
		t.Errorf("rows of %d of 12 chips did not verify", failed)
	}
}

// Rows that are written while a run goes on wait for operations, and these for them.
func TestRowsWrittenDuringARunHarmNothing(t *testing.T) {
	writableChips(t, 8, func(seed int64, r *rand.Rand, b hw.Chip) {
		work := commandWork(t, r, b)
		for len(work[len(work)-1]) == 0 {
			rows := chipEntry(t).Work(r, b, false)
			if len(rows[0]) == 0 {
				work[len(work)-1] = rows[len(rows)-1]
			}
		}
		hold(t, b, work, seed, 0.3, engines[0])
	})
}
