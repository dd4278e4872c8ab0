package estimate_test

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/lower"
	"ohmloom/hw"
	"ohmloom/hw/isa"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
)

// kinds of attention engines of random descriptions.
var kinds = []string{"column", "spread", "spread, side by side", "spread, memory port", "spread, side by side, memory port"}

// randomWhole is the description of a small whole chip of a kind with a small model of random shape.
func randomWhole(t *testing.T, r *rand.Rand, kind string) *arch.Chip {
	t.Helper()
	for {
		engines := 1
		if strings.Contains(kind, "side") {
			engines = 2 + r.Intn(2)
		}
		kv, group, channels := engines*(1+r.Intn(2)), 1+r.Intn(2), 1+r.Intn(6)
		x, y := 3+r.Intn(14), 3+r.Intn(14)
		rows, cols := 1+r.Intn(6), 1+r.Intn(6)
		attention := fmt.Sprintf("rows = %d\ncols = %d\ncontext = %d\ndecode = %q\n", rows, engines*cols, 4+r.Intn(5), strings.Split(kind, ",")[0])
		if kind != "column" {
			attention += fmt.Sprintf("heads_ahead = %d\nengines = %d\n", 1+r.Intn(3), engines)
		}
		if strings.Contains(kind, "port") {
			part := 1 + r.Intn(cols)
			for cols%part > 0 {
				part--
			}
			attention += fmt.Sprintf("port_bytes = %d\n", rows*engines*part)
		}
		sequencer := fmt.Sprintf("prefill_block = %d\n", 1+r.Intn(4))
		if r.Intn(2) == 0 {
			most := min(20, rows*cols)
			if kind == "column" {
				most = rows
			}
			sequencer += fmt.Sprintf("head_lanes = %d\n", 1+r.Intn(most))
		}
		src := fmt.Sprintf(`
model "small" {
  layers        = %d
  d_model       = %d
  heads         = %d
  kv_heads      = %d
  head_channels = %d
  d_ff          = %d
  vocab         = %d
  context       = 8
}
model = "small"
chip "drawn" {
  sequencer {
    %s
    buffers = 14
  }
  pim {
    banks = %d
    tiles = [%d, %d]
    pes   = 40
    lanes = %d
    crossbar {
      rows = %d
      cols = %d
      adc {
        share = %d
        rows  = %d
        step  = "ideal"
      }
    }
  }
  attention {
    %s
  }
}
`, 1+r.Intn(3), 4+r.Intn(30), kv*group, kv, channels, 4+r.Intn(30), 2+r.Intn(9), sequencer,
			1+r.Intn(3), 1+r.Intn(2), 1+r.Intn(2), 1+r.Intn(9), x, y, 1+r.Intn(y), 1+r.Intn(x), attention)
		c, diags := config.LoadBytes(t.Context(), "small.hcl", []byte(src), config.Options{})
		if diags.HasErrors() {
			t.Fatalf("%s\n%s", diags, src)
		}
		if _, err := compile.Shaped(c, func(_ string, out, _ int) hw.BankMatrix { return hw.BankMatrix{Weights: make([][]int8, out)} }); err == nil {
			return c // it fits
		}
	}
}

// measured is a run of a chip's RTL: when tokens were given, and when vectors were complete in
// the switch, unit by unit: the banks, the vector unit, the attention engine.
type measured struct {
	tokens []int
	done   map[int][]int // op of the instruction -> cycles
}

// runWhole runs the RTL of c with random weights and rows of the embedding table.
func runWhole(t *testing.T, c *arch.Chip, r *rand.Rand, prompt, tokens int, with hw.Conditions) measured {
	t.Helper()
	chip, err := compile.Shaped(c, func(_ string, out, in int) hw.BankMatrix {
		return hw.BankMatrix{Weights: hw.RandomTernary(r, out, in), M: 200, S: 4, Post: hw.Post8}
	})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	watch := make([]drive.Watch, chip.Banks+2) // the switch's writers
	for w := range watch {
		for _, s := range []string{"valid", "ready", "last"} {
			watch[w].Ports = append(watch[w].Ports, fmt.Sprintf("probe_%d", len(paths)))
			paths = append(paths, fmt.Sprintf("u_switch.w%d_%s", w, s))
		}
		watch[w].Holds = func(v []uint64) bool { return v[0]&v[1]&v[2] == 1 }
	}
	tile, err := lower.Probed(c, paths)
	if err != nil {
		t.Fatal(err)
	}
	e, err := interp.New(tile.Design)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(3, chip.Image(c.Name)); err != nil {
		t.Fatal(err)
	}
	in, out := chip.Streams()
	work := make([][]hw.Beat, len(in))
	temperature := uint64(0)
	if with.Sampled {
		temperature = 16
	}
	rowBeats := (chip.Unit.D + chip.RowLanes() - 1) / chip.RowLanes()
	work[0] = []hw.Beat{{{0}, {uint64(tokens)}, {0}, {1}, {temperature}, {200}, {4}, {7}}}
	work[1] = hw.RandomBeats(r, in[1], prompt, false)
	for i, beat := range work[1] {
		beat[0][0], beat[1][0] = beat[0][0]%uint64(chip.Vocab), 0
		if i == prompt-1 {
			beat[1][0] = 1
		}
	}
	work[3] = hw.RandomBeats(r, in[3], (prompt+tokens-1+tokens*chip.Vocab)*rowBeats, false)
	var feeds []drive.Feed
	for i, s := range in {
		feed := drive.Feed{Name: s.Name}
		switch s.Name {
		case "row":
			feed.Answers = &drive.Answers{To: "fetch", Latency: with.Latency + 1, Beats: func(request hw.Beat) int { return int(request[1][0]) * rowBeats }}
		case "fill":
			work[i] = chip.Fills(work)
			feed.Answers = &drive.Answers{To: "mem", Latency: with.Latency + 1, Beats: func(request hw.Beat) int { return 1 - int(request[0][0]) }}
		}
		feed.Beats = work[i]
		feeds = append(feeds, feed)
	}
	var wants []drive.Want
	for i, beats := range chip.Arithmetic(work) {
		wants = append(wants, drive.Want{Name: out[i].Name, Beats: len(beats)})
	}
	res, err := drive.Run(e, tile.Design.Top, feeds, wants, drive.Options{Watch: watch, Rand: r, MaxIdle: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	if code := res.Out[1][0][0][0]; code != hw.RunEnded {
		t.Fatalf("the run ended with %s", hw.ErrorCodes[code])
	}
	m := measured{tokens: res.Given[0], done: map[int][]int{isa.Norm: res.Held[chip.Banks], isa.Attend: res.Held[chip.Banks+1]}}
	for _, held := range res.Held[:chip.Banks] {
		m.done[isa.Project] = append(m.done[isa.Project], held...)
	}
	return m
}

// Estimates of random small whole chips of every kind with random small models are the cycles of
// the RTL, for a token of decode, for a prompt, and for every vector that a unit writes on the way,
// with external memory of random latency, greedy and sampled.
func TestEstimateOfAWholeChipIsThatOfItsRTL(t *testing.T) {
	n := len(kinds)
	if !testing.Short() {
		n *= 2
	}
	if os.Getenv("OHMLOOM_NIGHTLY") != "" {
		n *= 20
	}
	for seed := range n {
		kind := kinds[seed%len(kinds)]
		t.Run(fmt.Sprintf("%s, seed %d", kind, seed), func(t *testing.T) {
			r := rand.New(rand.NewSource(int64(seed)))
			c := randomWhole(t, r, kind)
			with := hw.Conditions{Latency: r.Intn(2) * r.Intn(60), Sampled: r.Intn(2) == 0}
			prompt := 1 + r.Intn(c.Attention.Context-1)
			m := runWhole(t, c, r, prompt, 2, with)
			h, err := estimate.FromChip(c)
			if err != nil {
				t.Fatal(err)
			}
			o := estimate.Options{Conditions: with}
			for _, x := range []struct {
				phase   string
				l, want int
			}{{estimate.Prefill, prompt, m.tokens[0] + 1}, {estimate.Decode, prompt + 1, m.tokens[1] - m.tokens[0]}} {
				e, err := h.Estimate(*c.Model, x.l, x.phase, o)
				if err != nil {
					t.Fatal(err)
				}
				if e.Cycles.Value != float64(x.want) || !e.RTLExact {
					t.Errorf("%s of %d tokens, %+v: estimate %v cycles, RTL %d", x.phase, x.l, with, e.Cycles.Value, x.want)
				}
				parts := 0.0
				for _, p := range e.Parts {
					if p.Cycles != nil {
						if parts += p.Cycles.Value; p.Cycles.Value < 0 {
							t.Errorf("%s: %s of %s takes %v cycles", x.phase, p.Part, p.Kind, p.Cycles.Value)
						}
					}
				}
				if parts != e.Cycles.Value {
					t.Errorf("%s: parts have %v of %v cycles", x.phase, parts, e.Cycles.Value)
				}
			}
			count := map[int]int{}
			for _, s := range h.Whole.Chip.Steps(prompt, 2, with) {
				if done, vector := m.done[s.Op]; vector {
					if count[s.Op]++; !slices.Contains(done, s.Last) {
						t.Errorf("op %d ends in cycle %d, in the RTL in %v", s.Op, s.Last, done)
					}
				}
			}
			for _, op := range []int{isa.Norm, isa.Attend} { // operations of banks give several vectors
				if len(m.done[op]) != count[op] {
					t.Errorf("op %d ends %d times, in the RTL %d times", op, count[op], len(m.done[op]))
				}
			}
		})
	}
}

// The closed forms, which huge models need, are near the chip's own time.
func TestClosedFormsAreNearTheChipsOwnTime(t *testing.T) {
	worst := 0.0
	for seed := range int64(60) {
		c := randomWhole(t, rand.New(rand.NewSource(seed)), kinds[int(seed)%len(kinds)])
		h, err := estimate.FromChip(c)
		if err != nil {
			t.Fatal(err)
		}
		own, err := h.Estimate(*c.Model, 4, estimate.Decode, estimate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h.Whole = nil
		closed, err := h.Estimate(*c.Model, 4, estimate.Decode, estimate.Options{})
		if err != nil || closed.RTLExact {
			t.Fatal(err)
		}
		off := math.Abs(closed.Cycles.Value/own.Cycles.Value - 1)
		if worst = max(worst, off); off > 0.04 {
			t.Errorf("seed %d: closed forms %v cycles, the chip %v", seed, closed.Cycles.Value, own.Cycles.Value)
		}
	}
	t.Logf("at most %.1f %% off", 100*worst)
}

// A latency that nothing would count is refused.
func TestALatencyThatDoesNotCountIsAnError(t *testing.T) {
	c := randomWhole(t, rand.New(rand.NewSource(1)), "spread")
	h, err := estimate.FromChip(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Estimate(*c.Model, 2, estimate.Decode, estimate.Options{Conditions: hw.Conditions{Latency: -1}}); err == nil {
		t.Error("a negative latency is taken")
	}
	h.Whole = nil
	if _, err := h.Estimate(*c.Model, 2, estimate.Decode, estimate.Options{Conditions: hw.Conditions{Latency: 3}}); err == nil {
		t.Error("a latency is taken that closed forms do not count")
	}
}
