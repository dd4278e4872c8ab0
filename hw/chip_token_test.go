package hw_test

import (
	"math/rand"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify/drive"
)

// behind makes a memory of fixed latency of the rows of a chip.
func behind(b hw.Chip, latency int, feeds []drive.Feed) []drive.Feed {
	beats := (b.Unit.D + b.RowLanes() - 1) / b.RowLanes()
	for i := range feeds {
		switch feeds[i].Name {
		case "row":
			feeds[i].Answers = &drive.Answers{To: "fetch", Latency: latency + 1,
				Beats: func(request hw.Beat) int { return int(request[1][0]) * beats }}
		case "fill":
			feeds[i].Answers = &drive.Answers{To: "mem", Latency: latency + 1,
				Beats: func(request hw.Beat) int { return 1 - int(request[0][0]) }}
		}
	}
	return feeds
}

// chipEntry is the chip's line in the table.
func chipEntry(t *testing.T) hw.Entry {
	for _, e := range hw.Table {
		if e.Name == "chip" {
			return e
		}
	}
	t.Fatal("the table has no chip")
	return hw.Entry{}
}

func TestCyclesOfChipsBehindAMemoryOfFixedLatency(t *testing.T) {
	entry := chipEntry(t)
	for seed := range int64(30) {
		r := rand.New(rand.NewSource(seed))
		b := entry.Random(r).(hw.Chip)
		work := entry.Work(r, b, false)
		ready := b.Cycles(work)
		latency := r.Intn(300)
		m, e := start(t, b, uint64(seed), engines[0])
		feeds, wants := plan(b, work, b.Arithmetic(work))
		res, err := drive.Run(e, m, behind(b, latency, feeds), wants, drive.Options{Rand: r})
		if err != nil {
			t.Fatalf("%s, seed %d, latency %d: %v", b.Name(), seed, latency, err)
		}
		if want := b.CyclesBehind(latency, work); res.Cycles != want || want <= ready {
			t.Errorf("%s, seed %d, latency %d: took %d cycles, want %d; %d with rows that lie ready", b.Name(), seed, latency, res.Cycles, want, ready)
		}
	}
}

// The time of a token from the program alone is that between tokens which the RTL writes, after
// a prompt of any length.
func TestTokenTimeIsWhatTheRTLTakes(t *testing.T) {
	m, g := open(t, "nano")
	for i, b := range nanoChips(t, m) {
		prompts, latencies := []int{1, 9}, []int{0, 40}
		if i > 0 {
			prompts, latencies = prompts[:1], latencies[1:]
		}
		tokensTake(t, m, g, b, prompts, latencies)
	}
}

// tokensTake compares the time of the second and third token of a chip for each prompt and latency.
func tokensTake(t *testing.T, m *model.Model, g *model.Golden, b hw.Chip, prompts, latencies []int) {
	t.Helper()
	module := b.Build(hw.NewLib(nil))
	e, err := engines[0](ir.NewDesign(module))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, prompt := range prompts {
		for _, latency := range latencies {
			if err := e.Power(3, b.Image(module.Name)); err != nil {
				t.Fatal(err)
			}
			feeds, wants, _ := chipRun(m, b, g.PromptTokens[:prompt], g.Greedy, 3) // what is written does not matter
			res, err := drive.Run(e, module, behind(b, latency, feeds), wants, drive.Options{Rand: rand.New(rand.NewSource(7))})
			if err != nil {
				t.Fatal(err)
			}
			given := res.Given[0]
			for i := 1; i < 3; i++ {
				got, err := b.TokenTime(prompt+i, latency)
				if err != nil || got.Cycles != given[i]-given[i-1] {
					t.Errorf("latency %d: token with %d before it takes %d cycles, want %d (%v)", latency, prompt+i-1, got.Cycles, given[i]-given[i-1], err)
				}
				for _, w := range got.Busy {
					if w.From < 0 || w.To < w.From || w.To > got.Cycles {
						t.Errorf("%+v is not within the token's %d cycles", w, got.Cycles)
					}
				}
			}
		}
	}
}

// A token of a chip whose sizes divide one another takes at most 1.1 times its slowest unit's work
// and the unavoidable chain, and not less than their sum: in the order in which the instructions
// stand nothing is left to gain.
func TestATokenTakesItsSlowestBoundAndTheChain(t *testing.T) {
	for _, name := range []string{"nano", "micro"} {
		m, _ := open(t, name)
		for _, headLanes := range []int{0, 64} {
			b := chipOf(t, m, 16, hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64, Step: hw.StepIdeal}, spreadFor(m, 8, 8, 4))
			b.HeadLanes = headLanes
			for _, slots := range []int{3, 16, 100, 128, 1000} {
				for _, latency := range []int{0, 50} {
					got, err := b.TokenTime(slots, latency)
					if err != nil {
						t.Fatal(err)
					}
					least := got.Bound.Slowest() + got.Bound.Chain
					most := got.Bound.Chain + got.Bound.Slowest()*11/10
					if got.Serial < got.Cycles*105/100 {
						t.Errorf("%s, %d slots: one instruction at a time takes %d cycles, overlapped %d", name, slots, got.Serial, got.Cycles)
					}
					if got.Cycles < least || got.Cycles > most {
						t.Errorf("%s, head lanes %d, %d slots, latency %d: %d cycles, allowed are %d to %d", name, headLanes, slots, latency, got.Cycles, least, most)
					}
				}
			}
		}
	}
}
