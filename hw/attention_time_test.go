package hw

import (
	"fmt"
	"math/rand"
	"testing"
)

// lonePass is the input of one pass over slots tokens: the tokens before are only stored.
func lonePass(slots int) []Beat {
	var tokens []Beat
	for i := range slots {
		tokens = append(tokens, Beat{flag(i == 0), flag(i < slots-1), flag(false)})
	}
	return tokens
}

// PassCycles of an engine at rest is what Cycles adds for a pass after tokens that were stored;
// with a memory port for one that comes long after a pass that was the same.
func TestPassCyclesAreWhatAPassAddsToStoredTokens(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for range 300 {
		b := randomSpread(r).(Spread)
		b.Layers = 1
		slots := 1 + r.Intn(b.Context)
		if b.Port > 0 {
			const late = 1 << 20
			engine := newTiming(b)
			engine.passes = []passTime{{slots: slots}}
			engine.block()
			engine.last = late - 1
			engine.passes = []passTime{{slots: slots}}
			engine.block()
			if got, want := b.PassCycles(slots), engine.end()-late; got != want {
				t.Errorf("%s, %d slots: %d cycles, late ones take %d", b.Name(), slots, got, want)
			}
			continue
		}
		stored := (slots - 1) * (1 + b.KVHeads*b.writeTime())
		if got, want := stored+b.PassCycles(slots), b.Cycles([][]Beat{lonePass(slots)}); got != want {
			t.Errorf("%s, %d slots: %d cycles, Cycles gives %d", b.Name(), slots, got, want)
		}
	}
}

// The sum in the comment of AttentionColumn.PassCycles is the recurrence wherever it is taken.
func TestColumnSumIsTheRecurrenceWhereTheArrayNeverWaits(t *testing.T) {
	r, taken := rand.New(rand.NewSource(6)), 0
	for range 4000 {
		b := AttentionColumn{Rows: oddSize(r, 40), Cols: oddSize(r, 40), KVHeads: oddSize(r, 3), HeadChannels: oddSize(r, 70), Context: 200, Layers: 1}
		b.Heads = b.KVHeads * oddSize(r, 4)
		if cnt := oddSize(r, 200); b.neverWaits(cnt) {
			taken++
			if got, want := b.PassCycles(cnt), b.passRecurrence(cnt); got != want {
				t.Errorf("%s over %d: %d, recurrence %d", fmt.Sprint(b), cnt, got, want)
			}
		}
	}
	if taken < 500 {
		t.Errorf("the sum was taken %d times only", taken)
	}
}
