package hw

import (
	"math/rand"
	"testing"
)

// The closed form of an output head's time is that of its beats followed one by one, on every engine.
func TestTimeOfTheDotPortIsThatOfItsBeats(t *testing.T) {
	for _, random := range []func(*rand.Rand) Block{randomSpread, randomSpreadSide, randomAttentionColumn} {
		for seed := range int64(60) {
			r := rand.New(rand.NewSource(seed))
			e := random(r).(dotEngine)
			d := 1 + r.Intn(40)
			e = e.withDot(1+r.Intn(e.mostDot()), d).(dotEngine)
			streams, _ := e.Streams()
			beats := ceilDiv(d, streams[len(streams)-1].Fields[0].Type.N)
			n := 1 + r.Intn(50)
			const from = 7
			moved, sums := e.dotRun(&timedAlways{}, n, beats, from)
			if len(sums) != n || moved < from+n*beats-1 {
				t.Fatalf("%s, seed %d: %d products, the last beat in cycle %d", e.Name(), seed, len(sums), moved)
			}
			if got, want := e.dotTime(n, beats), sums[n-1]-from+1; got != want {
				t.Errorf("%s, seed %d: %d rows of %d beats take %d cycles, want %d", e.Name(), seed, n, beats, got, want)
			}
		}
	}
}
