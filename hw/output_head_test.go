package hw_test

import (
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
)

func TestOutputHeadGivesGoldenLogits(t *testing.T) {
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		for _, c := range []struct {
			name  string
			lanes int
		}{{"nano", 8}, {"micro", 24}} {
			m, g := open(t, c.name)
			work, want := make([][]hw.Beat, 2), []hw.Beat(nil)
			for _, step := range g.Steps {
				work[0] = append(work[0], beatsOf(step.Final.Y, c.lanes, 8)...)
				for v := range m.Config.VocabSize {
					work[1] = append(work[1], beatsOf(m.Embedding.Row(v), c.lanes, 8)...)
				}
				want = append(want, beatsOf(step.Final.Logits, 1, 32)...)
			}
			b := hw.OutputHead{D: m.Config.DModel, Lanes: c.lanes, Rows: m.Config.VocabSize, Ahead: 7}
			dots := b.Arithmetic(append(work, nil))[1]
			var sums []hw.Beat // of the operands that the head must offer
			for _, dot := range dots {
				y, sum := hw.SignedWords(dot[1], 8), int64(0)
				for i, e := range hw.SignedWords(dot[0], 8) {
					sum += e * y[i]
				}
				sums = append(sums, hw.Beat{{uint64(sum) & 0xffffffff}, dot[2]})
			}
			work = append(work, sums)
			holdGolden(t, b, work, [][]hw.Beat{want, dots}, 0, engine)
			holdGolden(t, b, work, [][]hw.Beat{want, dots}, 0.3, engine)
		}
	})
}

// samplerText is the commands, logits and choices of a text of the golden file: the prompt, whose
// choices are all greedy, and its continuation.
type samplerText struct{ cmd, logits, want []hw.Beat }

func (s *samplerText) add(m *model.Model, prompt []int, greedy []int, text model.GoldenText) {
	run := m.NewRun(model.Project)
	for i, token := range append(append([]int{}, prompt...), text.Tokens[:len(text.Tokens)-1]...) {
		logits := run.Step(token).Final.Logits
		at := i - (len(prompt) - 1) // of the choice in the text
		if at < 0 {
			s.ask(m, logits, 0, 0, false, greedy[i])
		} else {
			s.ask(m, logits, text.IT16, text.Seed, at == 0, text.Tokens[at])
		}
	}
}

func (s *samplerText) ask(m *model.Model, logits []int32, it16 int, seed uint32, load bool, want int) {
	s.cmd = append(s.cmd, hw.Beat{{uint64(it16)}, {uint64(m.Embedding.M)}, {uint64(m.Embedding.S)}, {flag(load && it16 > 0)}, {uint64(seed)}})
	s.logits = append(s.logits, beatsOf(logits, 1, 32)...)
	s.want = append(s.want, hw.Beat{{uint64(want)}})
}

// Greedy and sampled text of both golden files, with the choices after each position of the
// prompt.
func TestSamplerChoosesGoldenTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		for _, name := range []string{"nano", "micro"} {
			m, g := open(t, name)
			var s samplerText
			s.add(m, g.PromptTokens, g.Argmax, g.Greedy)
			s.add(m, g.PromptTokens, g.Argmax, g.Sampled)
			b := hw.Sampler{Tokens: m.Config.VocabSize}
			holdGolden(t, b, [][]hw.Beat{s.cmd, s.logits}, [][]hw.Beat{s.want}, 0, engine)
			holdGolden(t, b, [][]hw.Beat{s.cmd, s.logits}, [][]hw.Beat{s.want}, 0.1, engine)
		}
	})
}

// The sampler's table, by way of the weights it gives two tokens: with weights of 65535 and w, the
// largest state that draws the first and the smallest that draws the second tell w exactly.
func TestSamplerTableIsThatOfTheGoldenFile(t *testing.T) {
	_, g := open(t, "nano")
	var cmd, logits, want []hw.Beat
	for f, w := range g.SampROM {
		sum := 65535 + uint64(w)
		border := uint32((65535<<32 + sum - 1) / sum)
		for token, state := range []uint32{border - 1, border} {
			// d of the second token is f, because its logit is f lower and m * it16 = 2^(s + 4)
			cmd = append(cmd, hw.Beat{{128}, {128}, {10}, {1}, {uint64(stateBefore(state))}})
			logits = append(logits, hw.Beat{{uint64(f)}}, hw.Beat{{0}})
			want = append(want, hw.Beat{{uint64(token)}})
		}
	}
	holdGolden(t, hw.Sampler{Tokens: 2}, [][]hw.Beat{cmd, logits}, [][]hw.Beat{want}, 0, engines[0])
}

// stateBefore is the state that the sampler's generator advances to x.
func stateBefore(x uint32) uint32 {
	left := func(x uint32, by int) uint32 { // undoes x ^= x << by
		for y, n := x, by; n < 32; n += by {
			y <<= by
			x ^= y
		}
		return x
	}
	x = left(x, 5)
	x ^= x >> 17
	return left(x, 13)
}

func TestVectorSideCheckNamesTheParameterOutOfRange(t *testing.T) {
	for _, c := range []struct {
		want string
		b    hw.Block
	}{
		{"vector_unit: lanes is 65", hw.VectorUnit{D: 1, Lanes: 65, K: 1, Shift: 1, Slots: 1}},
		{"embedding shift is 9", hw.VectorUnit{D: 1, Lanes: 1, K: 1, Shift: 1, EmbShift: 9, Slots: 1}},
		{"residual streams is 17", hw.VectorUnit{D: 1, Lanes: 1, K: 1, Shift: 1, Slots: 17}},
		{"rows is 0", hw.OutputHead{D: 1, Lanes: 1}},
		{"tokens is 65537, allowed are 1 to 65536", hw.Sampler{Tokens: 65537}},
		{"packets of 6 elements become packets of 4", hw.Gearbox{In: 1, Out: 1, InLength: 6, OutLength: 4, Width: 8}},
		{"lanes out is 0", hw.Gearbox{In: 1, InLength: 6, OutLength: 4, Width: 8}},
	} {
		if err := c.b.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v should say %q", err, c.want)
		}
	}
}
