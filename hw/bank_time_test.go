package hw

import (
	"math/rand"
	"testing"
)

// Operation by operation the bank's times are those of its Cycles.
func TestTimesOfABankEndWithItsCycles(t *testing.T) {
	for seed := int64(0); seed < 300; seed++ {
		r := rand.New(rand.NewSource(seed))
		b := randomBank(r).(Bank)
		work := bankWork(r, b, false)[:2]
		bt := newBankTime(b, &timedAlways{})
		end := 0
		for i, cmd := range work[0] {
			_, y := bt.operation(int(cmd[0][0]), i)
			last := y[len(y)-1]
			end = last[len(last)-1]
		}
		if end+1 != b.Cycles(work) {
			t.Fatalf("seed %d, %s: %d cycles, want %d", seed, b.Name(), end+1, b.Cycles(work))
		}
	}
}
