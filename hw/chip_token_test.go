package hw_test

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/hw/isa"
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

// Random chips with random programs behind a memory of random latency take the cycles that are
// foretold: each vector that a unit writes into the switch, each token, and the whole. Steps, which
// looks at no data, says the same of a run.
func TestTimeOfChipsIsThatOfTheRTLStepByStep(t *testing.T) {
	n := int64(12)
	if os.Getenv("OHMLOOM_NIGHTLY") == "1" {
		n = 200
	}
	entry, seen := chipEntry(t), map[string]int{}
	for seed := range n {
		r := rand.New(rand.NewSource(seed))
		b := entry.Random(r).(hw.Chip)
		c := hw.Conditions{Latency: r.Intn(4) * r.Intn(100), Sampled: r.Intn(2) == 0}
		work := chipRunOf(entry, r, b, c)
		from := fmt.Sprintf("%s, seed %d, %+v", b.Name(), seed, c)
		kind := fmt.Sprintf("%T", b.Attention)
		if in, _ := b.Streams(); len(in) > 4 && in[4].Name == "fill" {
			kind += " with a port"
		}
		seen[kind]++
		steps := b.Steps(len(work[1]), int(work[0][0][1][0]), c)
		got, done := stepped(t, b, work, uint64(seed), c.Latency, from)
		if want := b.CyclesBehind(c.Latency, work); got != want {
			t.Errorf("%s: took %d cycles, want %d", from, got, want)
		}
		count := map[int]int{}
		for _, s := range steps {
			if s.Last >= got { // units go on when the run has ended
				continue
			}
			if all, known := done[s.Op]; known && !slices.Contains(all, s.Last) {
				t.Fatalf("%s: op %d ends in cycle %d, in the RTL in %v", from, s.Op, s.Last, all)
			}
			count[s.Op]++
		}
		for _, op := range []int{isa.Norm, isa.Attend, isa.Emit} { // an operation may give several vectors
			ends := slices.DeleteFunc(done[op], func(at int) bool { return at >= got })
			if len(ends) != count[op] {
				t.Errorf("%s: op %d ends %d times, in the RTL %d times", from, op, count[op], len(ends))
			}
		}
	}
	t.Log(seen)
	if len(seen) < 3 {
		t.Errorf("only %v", seen)
	}
}

// chipRunOf is work of one command under the conditions.
func chipRunOf(entry hw.Entry, r *rand.Rand, b hw.Chip, c hw.Conditions) [][]hw.Beat {
	for {
		work := entry.Work(r, b, false)
		if len(work[0]) != 1 { // more, or only rows of weights
			continue
		}
		cmd := work[0][0]
		cmd[3][0], cmd[4][0] = 1, 0
		if c.Sampled {
			cmd[4][0] = 1 + uint64(r.Intn(255))
		}
		if in, _ := b.Streams(); len(in) > 4 && in[4].Name == "fill" {
			work[4] = b.Fills(work)
		}
		return work
	}
}

// stepped runs work on the RTL: its cycles, and by opcode those in which the last beat of a vector
// went into the switch or a token out.
func stepped(t *testing.T, b hw.Chip, work [][]hw.Beat, seed uint64, latency int, from string) (cycles int, done map[int][]int) {
	t.Helper()
	d := ir.NewDesign(b.Build(hw.NewLib(nil)))
	top, writers := d.Top.Name, b.Banks+2
	var paths []string
	watch := make([]drive.Watch, writers)
	for w := range watch {
		for _, s := range []string{"valid", "ready", "last"} {
			watch[w].Ports = append(watch[w].Ports, fmt.Sprintf("probe_%d", len(paths)))
			paths = append(paths, fmt.Sprintf("u_switch.w%d_%s", w, s))
		}
		watch[w].Holds = func(v []uint64) bool { return v[0]&v[1]&v[2] == 1 }
	}
	d = ir.Probe(d, paths)
	ir.MustCheck(d)
	e, err := engines[0](d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(seed, b.Image(top)); err != nil {
		t.Fatal(err)
	}
	feeds, wants := plan(b, work, b.Arithmetic(work))
	res, err := drive.Run(e, d.Top, behind(b, latency, feeds), wants, drive.Options{Watch: watch})
	if err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	done = map[int][]int{isa.Norm: res.Held[b.Banks], isa.Attend: res.Held[b.Banks+1], isa.Emit: res.Given[0]}
	for _, held := range res.Held[:b.Banks] {
		done[isa.Project] = append(done[isa.Project], held...)
	}
	return res.Cycles, done
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
				got, err := b.TokenTime(prompt+i, hw.Conditions{Latency: latency})
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
					got, err := b.TokenTime(slots, hw.Conditions{Latency: latency})
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

// Whatever the attention engine, a token takes at least what its bound says, slowest unit and chain
// together, and at most 1.1 times as much.
func TestTheBoundOfATokenIsNearItsTimeForEveryEngine(t *testing.T) {
	m, _ := open(t, "nano")
	c := &m.Config
	spread := spreadFor(m, 8, 8, 4)
	port := spread
	port.Port = 4
	side, err := hw.NewSpreadSide(2, spread)
	if err != nil {
		t.Fatal(err)
	}
	column := hw.AttentionColumn{Rows: 8, Cols: 8, Heads: c.NHeads, KVHeads: c.NHeads, HeadChannels: c.HeadChannels, Context: c.Ctx, Layers: c.NLayers}
	for _, engine := range []hw.AttentionEngine{spread, port, side, column} {
		b := chipOf(t, m, 16, hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64, Step: hw.StepIdeal}, engine)
		for _, slots := range []int{1, 3, 100, 128} {
			for _, with := range []hw.Conditions{{}, {Latency: 50, Sampled: true}} {
				got, err := b.TokenTime(slots, with)
				if err != nil {
					t.Fatal(err)
				}
				if least := got.Bound.Slowest() + got.Bound.Chain; got.Cycles < least || got.Cycles > least*11/10 {
					t.Errorf("%s, %d slots, %+v: %d cycles, the bound is %d", engine.Name(), slots, with, got.Cycles, least)
				}
			}
		}
	}
}
