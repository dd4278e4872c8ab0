package hw_test

import (
	"testing"

	"ohmloom/hw"
)

func TestExponentialIsThatOfTheGoldenFile(t *testing.T) {
	_, g := nano(t)
	var work []hw.Beat
	for d := uint64(0); d < 512; d++ {
		work = append(work, hw.Beat{{d}})
	}
	res := run(t, hw.ExpROM{Lanes: 1}, [][]hw.Beat{work})
	for d, beat := range res.Out[0] {
		want := int8(0)
		if d < len(g.ExpROM) {
			want = g.ExpROM[d]
		}
		if got := int8(beat[0][0]); got != want {
			t.Errorf("d = %d: %d, want %d", d, got, want)
		}
	}
}
