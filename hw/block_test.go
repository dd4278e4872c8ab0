package hw_test

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
)

// engines are those the generic test runs on: the direct one, and the slow reference that
// shares nothing with it.
var engines = []func(*ir.Design) (verify.Engine, error){
	func(d *ir.Design) (verify.Engine, error) { return interp.New(d) },
	func(d *ir.Design) (verify.Engine, error) { return conform.NewReference(d) },
}

// start powers up an engine for the block with registers from seed.
func start(t *testing.T, b hw.Block, seed uint64, engine func(*ir.Design) (verify.Engine, error)) (*ir.Module, verify.Engine) {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Fatalf("%s: %v", b.Name(), err)
	}
	m := b.Build(hw.NewLib(nil))
	d := ir.NewDesign(m)
	ir.MustCheck(d)
	e, err := engine(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	var img *ir.Image
	if l, ok := b.(hw.Loaded); ok {
		img = l.Image(m.Name)
	}
	if err := e.Power(seed, img); err != nil {
		t.Fatal(err)
	}
	return m, e
}

// plan names the block's streams for the driver.
func plan(b hw.Block, work, want [][]hw.Beat) (feeds []drive.Feed, wants []drive.Want) {
	in, out := b.Streams()
	for i, s := range in {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: work[i]})
	}
	for i, s := range out {
		wants = append(wants, drive.Want{Name: s.Name, Beats: len(want[i])})
	}
	return feeds, wants
}

// hold runs work through the block's structure and compares it with its arithmetic; without
// stalls it also compares the time.
func hold(t *testing.T, b hw.Block, work [][]hw.Beat, seed int64, stall float64, engine func(*ir.Design) (verify.Engine, error)) {
	t.Helper()
	m, e := start(t, b, uint64(seed), engine)
	holdOn(t, b, m, e, work, seed, stall)
}

// holdOn is hold on an engine that is in any state: the driver begins with a reset.
func holdOn(t *testing.T, b hw.Block, m *ir.Module, e verify.Engine, work [][]hw.Beat, seed int64, stall float64) {
	t.Helper()
	want := b.Arithmetic(work)
	feeds, wants := plan(b, work, want)
	res, err := drive.Run(e, m, feeds, wants, drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(seed)), MaxIdle: 10_000})
	if err != nil {
		t.Fatalf("%s, seed %d, stall %.1f: %v", b.Name(), seed, stall, err)
	}
	_, out := b.Streams()
	for i, s := range out {
		for j := range want[i] {
			if !reflect.DeepEqual(res.Out[i][j], want[i][j]) {
				t.Fatalf("%s, seed %d, stall %.1f: stream %s beat %d is %x, want %x",
					b.Name(), seed, stall, s.Name, j, res.Out[i][j], want[i][j])
			}
		}
	}
	if stall == 0 && res.Cycles != b.Cycles(work) {
		t.Fatalf("%s, seed %d: took %d cycles, want %d", b.Name(), seed, res.Cycles, b.Cycles(work))
	}
}

func TestStructureAgreesWithArithmeticAndTime(t *testing.T) {
	const rounds = 40
	for _, entry := range hw.Table {
		t.Run(entry.Name, func(t *testing.T) {
			for round := range rounds {
				seed := int64(1000 + round)
				r := rand.New(rand.NewSource(seed))
				b := entry.Random(r)
				t.Run(fmt.Sprintf("%s/%d", b.Name(), seed), func(t *testing.T) {
					hold(t, b, entry.Work(r, b, round%2 == 1), seed, 0, engines[0])
					hold(t, b, entry.Work(r, b, round%2 == 0), seed, 0.6, engines[0])
					if round < 3 {
						hold(t, b, entry.Work(r, b, true), seed, 0.3, engines[1])
					}
				})
			}
		})
	}
}

// A reset of one cycle in the middle of work leaves nothing behind but memories and data
// that the next work does not look at.
func TestResetInMidWorkStartsAnew(t *testing.T) {
	for _, entry := range hw.Table {
		for seed := int64(0); seed < 12; seed++ {
			r := rand.New(rand.NewSource(seed))
			b := entry.Random(r)
			if _, ok := b.(hw.WritablePE); ok {
				continue // what is written stays written
			}
			m, e := start(t, b, uint64(seed), engines[0])
			in, out := make([]uint64, verify.ShapeOf(m).InWords), make([]uint64, verify.ShapeOf(m).OutWords)
			writes := wordsOf(m, "program_valid", "weights_valid") // what is written into a program memory or cells stays there
			for cycle := range 20 + r.Intn(100) {
				for i := range in {
					in[i] = r.Uint64()
				}
				in[0] = bits.Bool(cycle == 0)
				for _, at := range writes {
					in[at] = 0
				}
				if err := e.Run(in, out, 1); err != nil {
					t.Fatal(err)
				}
			}
			holdOn(t, b, m, e, entry.Work(r, b, false), seed, 0)
		}
	}
}

// wordsOf is where input ports whose names end so are in a record.
func wordsOf(m *ir.Module, ends ...string) []int {
	at, all := 1, []int(nil)
	for _, p := range m.Inputs() {
		if slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(p.Name, end) }) {
			all = append(all, at)
		}
		at += p.Type.N
	}
	return all
}

// The random work must be able to tell right from wrong: outputs differ from beat to beat.
func TestWorkOfEveryBlockIsNotTrivial(t *testing.T) {
	for _, entry := range hw.Table {
		seen := map[string]bool{}
		for seed := int64(0); seed < 8; seed++ {
			r := rand.New(rand.NewSource(seed))
			b := entry.Random(r)
			for _, s := range b.Arithmetic(entry.Work(r, b, false)) {
				for _, beat := range s {
					seen[fmt.Sprint(beat)] = true
				}
			}
		}
		if len(seen) < 10 {
			t.Errorf("%s: only %d different output beats", entry.Name, len(seen))
		}
	}
}
