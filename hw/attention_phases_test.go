package hw_test

import (
	"fmt"
	"math/rand"
	"testing"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
)

// Signals of the engine say when each phase works, closed forms how long: the two agree on
// every phase, from the first pass on and from any later one that waits for nothing.
func TestPhasesOfAttentionTakeWhatTheirFormulasSay(t *testing.T) {
	for _, entry := range hw.Table {
		if _, ok := entry.Random(rand.New(rand.NewSource(1))).(hw.AttentionEngine); !ok {
			continue
		}
		t.Run(entry.Name, func(t *testing.T) {
			for seed := range int64(30) {
				r := rand.New(rand.NewSource(seed))
				b := entry.Random(r).(hw.AttentionEngine)
				work := entry.Work(r, b, seed%2 == 1)
				for _, p := range observe(t, b, work, 0) {
					if p.measured != p.Cycles {
						t.Errorf("%s, seed %d: %s took %d cycles, closed form %d", b.Name(), seed, p.Name, p.measured, p.Cycles)
					}
				}
			}
		})
	}
}

type observed struct {
	hw.Phase
	measured int
}

// observe runs work through b without stalls and counts the cycles of its phases.
func observe(t *testing.T, b hw.AttentionEngine, work [][]hw.Beat, from int) []observed {
	t.Helper()
	phases := b.Phases(work, from)
	d := ir.NewDesign(b.Build(hw.NewLib(nil)))
	var paths []string
	watch := make([]drive.Watch, len(phases))
	for i, p := range phases {
		watch[i].Holds = p.Works
		for _, s := range p.Signals {
			watch[i].Ports = append(watch[i].Ports, fmt.Sprintf("probe_%d", len(paths)))
			paths = append(paths, s)
		}
	}
	top := d.Top.Name
	d = ir.Probe(d, paths)
	ir.MustCheck(d)
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, b.Image(top)); err != nil {
		t.Fatal(err)
	}
	feeds, wants := plan(b, work, b.Arithmetic(work))
	res, err := drive.Run(e, d.Top, feeds, wants, drive.Options{Watch: watch})
	if err != nil {
		t.Fatalf("%s: %v", b.Name(), err)
	}
	all := make([]observed, len(phases))
	for i, p := range phases {
		all[i].Phase = p
		for _, cycle := range res.Held[i] {
			if cycle >= res.Taken[0][from] {
				all[i].measured++
			}
		}
	}
	return all
}
