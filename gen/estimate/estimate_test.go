package estimate_test

import (
	"math"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/estimate/paper"
)

func library(t testing.TB, name string) arch.Model {
	t.Helper()
	for _, m := range config.Models() {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no model %q", name)
	return arch.Model{}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

// Parts, bounds and precisions each add up to the whole, for every model, mode and phase.
func TestPartsAddUpToTheWhole(t *testing.T) {
	tech := config.LibraryTechnology("45nm")
	for _, m := range config.Models() {
		for _, decode := range []string{"", arch.Column, arch.Spread} {
			for _, phase := range []string{estimate.Decode, estimate.Prefill} {
				if m.HeadChannels > 128 && decode == arch.Column {
					continue
				}
				r, err := paper.Hardware(decode, m, tech).Estimate(m, 37, phase, estimate.Options{})
				if err != nil {
					t.Fatalf("%s: %v", m.Name, err)
				}
				var cycles, joules, bound, macs float64
				for _, p := range r.Parts {
					if p.Cycles != nil {
						cycles += p.Cycles.Value
					}
					if p.Joules != nil {
						joules += p.Joules.Value
					}
				}
				for _, b := range r.Bounds {
					bound += b.Cycles.Value
					if b.Limit.Value > b.Cycles.Value {
						t.Errorf("%s %s %s: %s alone takes %v of %v cycles", m.Name, decode, b.Kind, b.Bound, b.Limit.Value, b.Cycles.Value)
					}
				}
				for _, x := range r.MACs {
					macs += x.Count.Value
				}
				if !near(cycles, r.Cycles.Value) || !near(bound, r.Cycles.Value) || !near(joules, r.Joules.Value) || !near(macs, 1e9*r.GOPS.Value*r.Seconds.Value) {
					t.Errorf("%s %s %s: cycles %v and %v of %v, joules %v of %v, MACs %v", m.Name, decode, phase, cycles, bound, r.Cycles.Value, joules, r.Joules.Value, macs)
				}
			}
		}
	}
}

// A gated feed-forward block pays for its products: 3 cycles a layer where one bank gives the two
// vectors in turn, and a multiplication an element; banks side by side wait for the second vector.
func TestGatedModelsPayForTheirProducts(t *testing.T) {
	for _, banks := range []int{1, 2} {
		up := func(gated bool) (vector, multiplications float64) {
			m := library(t, "llama-3.2-1b")
			m.Gated = gated
			h := paper.Hardware(arch.Spread, m, config.LibraryTechnology("45nm"))
			h.Banks = banks
			r, err := h.Estimate(m, 8, estimate.Decode, estimate.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.Parts {
				if p.Kind == estimate.KindUp && p.Part == estimate.Vector {
					vector = p.Cycles.Value / float64(m.Layers)
				}
			}
			if q := estimate.Find("events."+estimate.KindUp+".products with the gate", r.Trees()...); q != nil {
				multiplications = q.Value
			}
			return vector, multiplications
		}
		plain, none := up(false)
		gated, events := up(true)
		want := 3.0
		if banks > 1 {
			want += 8192 / 64
		}
		if gated-plain != want || none != 0 || events != 8192 {
			t.Errorf("%d banks: %v cycles more, want %v; %v multiplications, want 8192 and %v", banks, gated-plain, want, events, none)
		}
	}
}

// A prompt takes what its tokens take in decode, with the head after the last only.
func TestPrefillIsTheSumOfItsTokens(t *testing.T) {
	m, tech := library(t, "llama-3.2-1b"), config.LibraryTechnology("45nm")
	h, sum := paper.Hardware(arch.Spread, m, tech), 0.0
	for l := 1; l <= 9; l++ {
		r, err := h.Estimate(m, l, estimate.Decode, estimate.Options{NoHead: l < 9})
		if err != nil {
			t.Fatal(err)
		}
		sum += r.Cycles.Value
	}
	if r, err := h.Estimate(m, 9, estimate.Prefill, estimate.Options{}); err != nil || r.Cycles.Value != sum {
		t.Errorf("prefill %v cycles, tokens one by one %v (%v)", r.Cycles.Value, sum, err)
	}
}

// Every leaf of every number has a source and a kind, and every key can be asked for.
func TestEveryNumberComesFromConstantsWithASource(t *testing.T) {
	m, tech := library(t, "opt-6.7b"), config.LibraryTechnology("130nm")
	r, err := paper.Hardware(arch.Spread, m, tech).Estimate(m, 128, estimate.Decode, estimate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var check func(q *estimate.Quantity)
	check = func(q *estimate.Quantity) {
		if q.Key == "" || q.Kind == "" || q.Source == "" {
			t.Errorf("%+v has no key, kind or source", *q)
		}
		for _, o := range q.Of {
			check(o)
		}
	}
	trees := r.Trees()
	for _, q := range trees {
		check(q)
	}
	for _, key := range estimate.Keys(trees...) {
		var text strings.Builder
		if err := estimate.Find(key, trees...).Why(&text); err != nil || !strings.HasPrefix(text.String(), key+" = ") {
			t.Errorf("--why %s: %q, %v", key, text.String(), err)
		}
	}
	if n := len(estimate.Constants(trees...)); n < 11 {
		t.Errorf("only %d constants", n)
	}
}

// The chip's goal, for every model and context, and what bounds it.
func TestSpreadIsTenTimesThePapersChipUpToMemory(t *testing.T) {
	var models []arch.Model
	for _, m := range config.Models() {
		if m.Published != nil {
			models = append(models, m)
		}
	}
	rows, err := paper.Table(models, config.LibraryTechnology("45nm"), config.LibraryTechnology("45nm-synthesised"), nil)
	if err != nil || len(rows) != 2*4*6*7 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if r.System != paper.OhmloomSpread || r.Variant != paper.Published {
			continue
		}
		if r.OverPIM < 10 {
			t.Errorf("%s, l = %d: %.3f times PIM-LLM, bound by %s (%.1f %%)", r.Model.Title, r.Context, r.OverPIM, r.Bound, 100*r.BoundShare)
		}
		if r.Bound != estimate.BoundLPDDR {
			t.Errorf("%s, l = %d: bound by %s", r.Model.Title, r.Context, r.Bound)
		}
	}
}

// BenchmarkSweep is a point of a sweep: OPT-6.7B, one token.
func BenchmarkSweep(b *testing.B) {
	m, tech := library(b, "opt-6.7b"), config.LibraryTechnology("45nm")
	for _, decode := range []string{arch.Column, arch.Spread} {
		b.Run(decode, func(b *testing.B) {
			h, i := paper.Hardware(decode, m, tech), 0
			for b.Loop() {
				if _, err := h.Estimate(m, 128+i%4000, estimate.Decode, estimate.Options{}); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
