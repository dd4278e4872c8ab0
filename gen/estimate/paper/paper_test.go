package paper

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/hw"
)

func models(t *testing.T) map[string]arch.Model {
	t.Helper()
	byName := map[string]arch.Model{}
	for _, m := range config.Models() {
		byName[m.Name] = m
	}
	return byName
}

// figure computes one line of the golden file.
func figure(t *testing.T, ms map[string]arch.Model, what, system, model string, l int, on Corrections) float64 {
	t.Helper()
	m, ok := ms[model]
	if !ok {
		t.Fatalf("no model %q", model)
	}
	f := Compute(system, m, l, on)
	tpu := Compute(TPU, m, l, on)
	switch what {
	case "tokens_per_second":
		return f.TokensPerSecond.Value
	case "speed_up":
		return f.TokensPerSecond.Value / tpu.TokensPerSecond.Value
	case "tokens_per_joule_gain_percent":
		return 100 * (f.TokensPerJoule.Value/tpu.TokensPerJoule.Value - 1)
	case "words_per_battery_millions":
		return f.WordsPerBattery.Value / 1e6
	case "millijoules_per_token":
		return f.JoulesPerToken.Value * 1e3
	case "array_share_percent":
		return 100 * f.ArrayShare.Value
	case "crossbars_us":
		return newRun(m, l, on).Constant().Value / 1e3
	case "heat_map":
		return LowPrecisionShare(m, l)
	case "table3_gops", "table3_gops_per_watt":
		gops, perWatt := Table3(m, ms["llama-7b"], l, on)
		if what == "table3_gops" {
			return gops.Value
		}
		return perWatt.Value
	}
	t.Fatalf("no figure %q", what)
	return 0
}

// Every published figure comes out of the formulas to its last printed digit.
func TestPublishedFiguresComeOutToThePrintedDigit(t *testing.T) {
	text, err := os.ReadFile("testdata/published.tsv")
	if err != nil {
		t.Fatal(err)
	}
	ms, lines := models(t), 0
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(line, "\t")
		l, err := strconv.Atoi(c[3])
		if err != nil || len(c) != 6 {
			t.Fatalf("line %q", line)
		}
		on, err := Parse(strings.Split(c[4], ","))
		if err != nil {
			t.Fatal(err)
		}
		_, decimals, _ := strings.Cut(c[5], ".")
		if got := strconv.FormatFloat(figure(t, ms, c[0], c[1], c[2], l, on), 'f', len(decimals), 64); got != c[5] {
			t.Errorf("%s: computed %s", line, got)
		}
		lines++
	}
	if lines < 60 {
		t.Errorf("only %d figures", lines)
	}
}

// The simulation's times of a layer's crossbars, as the authors' run gave them; the constants
// are known to 0.01 ns and there are four stages.
func TestCrossbarTimesAreThoseOfTheSimulation(t *testing.T) {
	ms := models(t)
	for name, want := range map[string]float64{"gpt2-350m": 49919, "gpt2-1.5b": 71250, "opt-1.3b": 129023, "llama-7b": 244099, "opt-6.7b": 322854} {
		if got := newRun(ms[name], 128, Corrections{}).Constant().Value; got < want-0.5 || got > want+1.05 {
			t.Errorf("%s: %.1f ns, simulated %.0f", name, got, want)
		}
	}
}

// The published attention is the sum that the engine in column mode is held to in RTL.
func TestArrayCyclesAreThoseOfTheColumnEngine(t *testing.T) {
	for _, m := range config.Models() {
		for _, l := range []int{1, 31, 128, 4096} {
			b := hw.AttentionColumn{Rows: Rows, Cols: Cols, Heads: m.Heads, KVHeads: m.KVHeads, HeadChannels: m.HeadChannels, Context: l, Layers: 1}
			if got := int(newRun(m, l, Corrections{}).attention().Value); got != b.PublishedCycles(l) {
				t.Errorf("%s, l = %d: %d cycles, engine %d", m.Name, l, got, b.PublishedCycles(l))
			}
		}
	}
}

// Hops by search over all distances, and shells by their definition.
func TestPlacementIsTheNearestAggregator(t *testing.T) {
	tiles := []int{5, 1, 9, 2, 13, 4}
	got := place(tiles)
	var order []tile
	order = append(order, tile{0, 0})
	for s := 1; s < 8; s++ {
		for i := range s {
			if s%2 == 1 {
				order = append(order, tile{i, s})
			} else {
				order = append(order, tile{s, i})
			}
		}
		for i := s; i >= 0; i-- {
			if s%2 == 1 {
				order = append(order, tile{s, i})
			} else {
				order = append(order, tile{i, s})
			}
		}
	}
	at := 1
	distance := func(a, b tile) int { return int(math.Abs(float64(a.x-b.x)) + math.Abs(float64(a.y-b.y))) }
	farthest := func(a tile, ts []tile) int {
		d := 0
		for _, b := range ts {
			d = max(d, distance(a, b))
		}
		return d
	}
	for i, n := range tiles {
		own := order[at : at+n]
		at += n
		var next []tile
		if i+1 < len(tiles) {
			next = order[at : at+tiles[i+1]]
		}
		least := 1 << 30
		for _, a := range own {
			least = min(least, farthest(a, own)+farthest(a, next))
		}
		if got[i].in+got[i].out != least {
			t.Errorf("matrix %d: %+v, least sum %d", i, got[i], least)
		}
	}
}

func TestCorrectionsAreNamedOneByOne(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "shapes first-layer attention-energy array-power lpddr table3"},
		{[]string{"none"}, ""}, {[]string{"all", "-lpddr"}, "shapes first-layer attention-energy array-power table3 columns"},
		{[]string{"-shapes"}, "first-layer attention-energy array-power lpddr table3"}, {[]string{"lpddr"}, "lpddr"},
	} {
		on, err := Parse(c.names)
		var got []string
		for _, n := range Names() {
			if on[n] {
				got = append(got, n)
			}
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%v: %v, %v", c.names, got, err)
		}
	}
	if _, err := Parse([]string{"shape"}); err == nil {
		t.Error("an unknown correction was accepted")
	}
}
