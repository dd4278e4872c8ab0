// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const examples = "../../examples/models"

// shipped are the example models; every golden test runs on all of them.
var shipped = []string{"nano", "micro"}

func load(t testing.TB, name string) (*Model, *Golden) {
	t.Helper()
	m, err := Open(filepath.Join(examples, name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := OpenGolden(filepath.Join(examples, name+".golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Check(m); err != nil {
		t.Fatal(err)
	}
	return m, g
}

func forEach(t *testing.T, f func(t *testing.T, m *Model, g *Golden)) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, g := load(t, name)
			f(t, m, g)
		})
	}
}

func TestProjectEqualsEveryGoldenSum(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		sums := 0
		for _, step := range g.Steps {
			for l := range step.Layers {
				for _, p := range Projections {
					w, err := m.Matrix(fmt.Sprintf("layers.%d.%s", l, p))
					if err != nil {
						t.Fatal(err)
					}
					in, want := step.Layers[l].Projection(p)
					if diff := cmp.Diff(want, Project(w, in)); diff != "" {
						t.Errorf("pos %d, %s (-golden +Project):\n%s", step.Pos, w.Name, diff)
					}
					if diff := cmp.Diff(want, ProjectClip(w, in, 64, 8)); diff != "" {
						t.Errorf("pos %d, %s: 8 bits at 64 rows lose something:\n%s", step.Pos, w.Name, diff)
					}
					sums += len(want)
				}
			}
		}
		c := m.Config
		if want := len(g.Steps) * c.NLayers * (5*c.DModel + c.DFF); sums != want {
			t.Errorf("compared %d sums, want %d", sums, want)
		}
	})
}

func TestRequantisedSumsEqualGoldenOperands(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		for _, step := range g.Steps {
			for l, layer := range step.Layers {
				for _, c := range []struct {
					p    string
					acc  []int32
					want []int8
				}{{"wq", layer.AccQ, layer.Q}, {"wk", layer.AccK, layer.K}, {"wv", layer.AccV, layer.V}} {
					w, _ := m.Matrix(fmt.Sprintf("layers.%d.%s", l, c.p))
					for i, a := range c.acc {
						if got := RQ8(a, w.M, w.S); got != c.want[i] {
							t.Fatalf("pos %d %s[%d]: RQ8(%d, %d, %d) = %d, golden %d", step.Pos, w.Name, i, a, w.M, w.S, got, c.want[i])
						}
					}
				}
				w, _ := m.Matrix(fmt.Sprintf("layers.%d.wo", l))
				for i, a := range layer.AccO {
					if got := Sat16(int64(layer.XIn[i]) + int64(RQ16(a, w.M, w.S))); got != layer.XMid[i] {
						t.Fatalf("pos %d %s[%d]: x + RQ16(%d) = %d, golden %d", step.Pos, w.Name, i, a, got, layer.XMid[i])
					}
				}
			}
		}
	})
}

// The whole model, from token to logits: this also feeds golden attention
// positions 13 and 25 with keys and values that are not in the file.
func TestRunReproducesEveryGoldenIntermediate(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		run, steps := m.NewRun(Project), 0
		for pos, token := range g.PromptTokens {
			trace := run.Step(token)
			if got := Greedy(trace.Final.Logits); got != g.Argmax[pos] {
				t.Errorf("pos %d: greedy token %d, golden %d", pos, got, g.Argmax[pos])
			}
			for i := range g.Steps {
				if g.Steps[i].Pos != pos {
					continue
				}
				steps++
				if diff := cmp.Diff(&g.Steps[i], trace); diff != "" {
					t.Errorf("pos %d (-golden +run):\n%s", pos, diff)
				}
			}
		}
		if steps != len(g.Steps) {
			t.Errorf("compared %d steps, golden file has %d", steps, len(g.Steps))
		}
	})
}

// generate continues the golden prompt by n tokens.
func generate(m *Model, g *Golden, project Projector, n int, next func([]int32) int) []int {
	run := m.NewRun(project)
	var logits []int32
	for _, token := range g.PromptTokens {
		logits = run.Step(token).Final.Logits
	}
	var out []int
	for len(out) < n {
		token := next(logits)
		out = append(out, token)
		logits = run.Step(token).Final.Logits
	}
	return out
}

func TestGreedyTextEqualsGoldenPastTheContextLength(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		if len(g.PromptTokens)+g.LongGreedy.N <= m.Config.Ctx {
			t.Fatal("the golden text does not wrap the KV cache")
		}
		got := generate(m, g, Project, g.LongGreedy.N, Greedy)
		if !slices.Equal(got, g.LongGreedy.Tokens) || m.Decode(got) != g.LongGreedy.Text {
			t.Errorf("got  %q\nwant %q", m.Decode(got), g.LongGreedy.Text)
		}
		if !slices.Equal(got[:g.Greedy.N], g.Greedy.Tokens) {
			t.Errorf("got  %q\nwant %q", m.Decode(got[:g.Greedy.N]), g.Greedy.Text)
		}
	})
}

func TestSampledTextEqualsGolden(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		s := &Sampler{State: g.Sampled.Seed, IT16: g.Sampled.IT16, M: m.Embedding.M, S: m.Embedding.S}
		if got := generate(m, g, Project, g.Sampled.N, s.Next); !slices.Equal(got, g.Sampled.Tokens) {
			t.Errorf("got  %q\nwant %q", m.Decode(got), g.Sampled.Text)
		}
	})
}

func TestClippingCrossbarEqualsEveryGoldenCase(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		for _, x := range g.XBar {
			t.Run(fmt.Sprintf("rows=%d,bits=%d", x.Rows, x.Bits), func(t *testing.T) {
				trace := m.NewRun(Clip(x.Rows, x.Bits)).Step(g.PromptTokens[0])
				for _, p := range Projections {
					_, got := trace.Layers[0].Projection(p)
					if diff := cmp.Diff(x.First.Projection(p), got); diff != "" {
						t.Errorf("%s (-golden +ProjectClip):\n%s", p, diff)
					}
				}
				if diff := cmp.Diff(x.Logits, trace.Final.Logits); diff != "" {
					t.Errorf("logits (-golden +run):\n%s", diff)
				}
				if testing.Short() {
					return
				}
				if got := generate(m, g, Clip(x.Rows, x.Bits), len(x.Greedy), Greedy); !slices.Equal(got, x.Greedy) {
					t.Errorf("got  %q\nwant %q", m.Decode(got), x.Text)
				}
			})
		}
	})
}

// The inputs of the first three projections at position 0 are the same with
// and without clipping, so a crossbar can be judged without running a model.
func TestGoldenCrossbarCasesOfQKVUseTheIdealInputs(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		for _, x := range g.XBar {
			for _, p := range []string{"wq", "wk", "wv"} {
				w, _ := m.Matrix("layers.0." + p)
				in, _ := g.Steps[0].Layers[0].Projection(p)
				if diff := cmp.Diff(x.First.Projection(p), ProjectClip(w, in, x.Rows, x.Bits)); diff != "" {
					t.Errorf("(%d, %d) %s:\n%s", x.Rows, x.Bits, p, diff)
				}
			}
		}
	})
}

func TestWindowGivesTheKeysBehindTheGoldenScores(t *testing.T) {
	m, g := load(t, "nano")
	run, last := m.NewRun(Project), g.Steps[len(g.Steps)-1]
	for _, token := range g.PromptTokens[:last.Pos+1] {
		run.Step(token)
	}
	for l, layer := range last.Layers {
		for h, head := range layer.Heads {
			keys, _ := run.Window(l, h)
			dh := m.Config.HeadChannels
			w := Matrix{Out: len(keys), In: dh, W: slices.Concat(keys...)}
			for i, s := range Project(w, layer.Q[h*dh:(h+1)*dh]) {
				if got := s + int32(m.RelBias(l, h)[i])<<m.Config.ScoreRShift; got != head.Score[i] {
					t.Fatalf("layer %d head %d distance %d: score %d, golden %d", l, h, i, got, head.Score[i])
				}
			}
		}
	}
}

func TestROMsEqualGolden(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		if !slices.Equal(g.ExpROM, ExpROM[:]) {
			t.Error("ExpROM differs from the golden file")
		}
		if !slices.Equal(g.SampROM, SampROM[:]) {
			t.Error("SampROM differs from the golden file")
		}
	})
}

func TestPromptEncodesToGoldenTokensAndBack(t *testing.T) {
	forEach(t, func(t *testing.T, m *Model, g *Golden) {
		tokens, err := m.Encode(g.Prompt)
		if err != nil || !slices.Equal(tokens, g.PromptTokens) {
			t.Errorf("Encode: %v, %v; want %v", tokens, err, g.PromptTokens)
		}
		if got := m.Decode(tokens); got != g.Prompt {
			t.Errorf("Decode: %q, want %q", got, g.Prompt)
		}
	})
	m, _ := load(t, "nano")
	if _, err := m.Encode("to be 7"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `text byte 6`) {
		t.Errorf("a character outside the vocabulary: %v", err)
	}
}

func TestBrokenGoldenFilesAreRefused(t *testing.T) {
	m, _ := load(t, "nano")
	for _, c := range []struct {
		name, text string
		kind       error
		says       string
	}{
		{"empty", "", ErrFormat, "x.json"},
		{"not UTF-8", "\xff{}", ErrFormat, "UTF-8"},
		{"other spec", `{"spec":"pimllm-int-2"}`, ErrSpec, "pimllm-int-2"},
		{"no steps", `{"spec":"pimllm-int-1"}`, ErrSpec, "steps"},
		{"q beyond 8 bits", `{"spec":"pimllm-int-1","steps":[{"layers":[{"q":[128]}]}]}`, ErrFormat, "128"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseGolden("x.json", []byte(c.text))
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v; want kind %q and text %q", err, c.kind, c.says)
			}
		})
	}
	for name, change := range map[string]func(g *Golden){
		"another model":     func(g *Golden) { g.Model = "micro" },
		"short y1":          func(g *Golden) { g.Steps[1].Layers[1].Y1 = nil },
		"long score":        func(g *Golden) { h := &g.Steps[2].Layers[0].Heads[3]; h.Score = append(h.Score, 0) },
		"layer gone":        func(g *Golden) { g.Steps[0].Layers = g.Steps[0].Layers[1:] },
		"token 65":          func(g *Golden) { g.Greedy.Tokens[3] = 65 },
		"adc of 0 bits":     func(g *Golden) { g.XBar[0].Bits = 0 },
		"crossbar sum gone": func(g *Golden) { g.XBar[1].First.W2 = g.XBar[1].First.W2[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			_, g := load(t, "nano")
			change(g)
			if err := g.Check(m); !errors.Is(err, ErrSpec) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := OpenGolden(t.TempDir()); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a directory: %v", err)
	}
}
