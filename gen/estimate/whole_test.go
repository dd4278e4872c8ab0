package estimate_test

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/compile"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/lower"
	"ohmloom/hw"
	"ohmloom/hw/isa"
	"ohmloom/verify/drive"
	"ohmloom/verify/host"
	"ohmloom/verify/interp"
)

// randomWhole is the description of a small whole chip with a small model of random shape.
func randomWhole(t *testing.T, r *rand.Rand) *arch.Chip {
	t.Helper()
	for {
		kv, group, channels := 1+r.Intn(2), 1+r.Intn(2), 1+r.Intn(6)
		x, y := 3+r.Intn(14), 3+r.Intn(14)
		active := 1 + r.Intn(x)
		rows, cols := 1+r.Intn(6), 1+r.Intn(6)
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
  sequencer {%s}
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
    rows        = %d
    cols        = %d
    decode      = "spread"
    context     = %d
    heads_ahead = %d
  }
}
`, 1+r.Intn(3), 4+r.Intn(30), kv*group, kv, channels, 4+r.Intn(30), 2+r.Intn(9),
			[]string{"", fmt.Sprintf("\nhead_lanes = %d\n", 1+r.Intn(min(20, rows*cols)))}[r.Intn(2)], 1+r.Intn(3), 1+r.Intn(2), 1+r.Intn(2), 1+r.Intn(9),
			x, y, 1+r.Intn(y), active, rows, cols, 4+r.Intn(5), 1+r.Intn(3))
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

// runWhole runs the RTL of c with random weights.
func runWhole(t *testing.T, c *arch.Chip, r *rand.Rand, prompt, tokens, latency int) measured {
	t.Helper()
	chip, err := compile.Shaped(c, func(_ string, out, in int) hw.BankMatrix {
		return hw.BankMatrix{Weights: hw.RandomTernary(r, out, in), M: 200, S: 4, Post: hw.Post8}
	})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	writers := chip.Banks + 2
	for w := range writers {
		for _, s := range []string{"valid", "ready", "last"} {
			paths = append(paths, fmt.Sprintf("u_switch.w%d_%s", w, s))
		}
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
	h, err := host.New(e, tile.Design.Top, func(int) (beats []drive.Beat) {
		for range (chip.Unit.D + chip.RowLanes() - 1) / chip.RowLanes() {
			beat := make([]uint64, chip.RowLanes())
			for i := range beat {
				beat[i] = uint64(r.Intn(256))
			}
			beats = append(beats, drive.Beat{beat})
		}
		return beats
	})
	if err != nil {
		t.Fatal(err)
	}
	m := measured{done: map[int][]int{}}
	h.Latency = latency
	h.Observe = func(cycle int, output func(string) []uint64) error {
		for w := range writers {
			all := uint64(1)
			for i := range 3 {
				all &= output(fmt.Sprintf("probe_%d", 3*w+i))[0]
			}
			if all == 1 {
				op := isa.Project
				if w >= chip.Banks {
					op = []int{isa.Norm, isa.Attend}[w-chip.Banks]
				}
				m.done[op] = append(m.done[op], cycle)
			}
		}
		return nil
	}
	cmd := drive.Beat{{0}, {uint64(tokens)}, {0}, {1}, {0}, {200}, {4}, {0}}
	end, err := h.Run(t.Context(), cmd, make([]int, prompt), func(tok host.Token) error { m.tokens = append(m.tokens, tok.Cycle); return nil })
	if err != nil || end.Code != hw.RunEnded {
		t.Fatalf("the run ended with %s, %v", hw.ErrorCodes[end.Code], err)
	}
	return m
}

// Estimates of random small whole chips with random small models are the cycles of the RTL, for
// a token of decode, for a prompt, and for every vector that a unit writes on the way, with
// external memory of random latency.
func TestEstimateOfAWholeChipIsThatOfItsRTL(t *testing.T) {
	n := 6
	if testing.Short() {
		n = 2
	}
	for seed := range int64(n) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			c := randomWhole(t, r)
			latency := r.Intn(2) * r.Intn(60)
			prompt := 1 + r.Intn(c.Attention.Context-1)
			m := runWhole(t, c, r, prompt, 2, latency)
			h, err := estimate.FromChip(c)
			if err != nil {
				t.Fatal(err)
			}
			o := estimate.Options{Latency: latency}
			for _, x := range []struct {
				phase   string
				l, want int
			}{{estimate.Prefill, prompt, m.tokens[0] + 1}, {estimate.Decode, prompt + 1, m.tokens[1] - m.tokens[0]}} {
				e, err := h.Estimate(*c.Model, x.l, x.phase, o)
				if err != nil {
					t.Fatal(err)
				}
				if e.Cycles.Value != float64(x.want) || !e.RTLExact {
					t.Errorf("%s of %d tokens, latency %d: estimate %v cycles, RTL %d", x.phase, x.l, latency, e.Cycles.Value, x.want)
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
			count := 0
			for _, s := range h.Whole.Chip.Steps(prompt, 2, hw.Conditions{Latency: latency}) {
				if done, vector := m.done[s.Op]; vector {
					if count++; !slices.Contains(done, s.Last) {
						t.Errorf("op %d ends in cycle %d, in the RTL in %v", s.Op, s.Last, done)
					}
				}
			}
			if want := (prompt+1)*(7*c.Model.Layers) + 2; count != want { // 2 norms, 4 operations, attention; the norm before the head
				t.Errorf("%d vectors compared, want %d", count, want)
			}
		})
	}
}

// The closed forms, which huge models need, are near the chip's own time.
func TestClosedFormsAreNearTheChipsOwnTime(t *testing.T) {
	worst := 0.0
	for seed := range int64(60) {
		c := randomWhole(t, rand.New(rand.NewSource(seed)))
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
	c := randomWhole(t, rand.New(rand.NewSource(1)))
	h, err := estimate.FromChip(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Estimate(*c.Model, 2, estimate.Decode, estimate.Options{Latency: -1}); err == nil {
		t.Error("a negative latency is taken")
	}
	h.Whole = nil
	if _, err := h.Estimate(*c.Model, 2, estimate.Decode, estimate.Options{Latency: 3}); err == nil {
		t.Error("a latency is taken that closed forms do not count")
	}
}
