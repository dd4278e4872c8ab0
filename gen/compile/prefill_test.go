package compile_test

import (
	"fmt"
	"slices"
	"testing"

	"ohmloom/gen/compile"
	"ohmloom/gen/model"
	"ohmloom/hw"
)

// inBlocks is a chip whose program takes prompts in blocks of n tokens.
func inBlocks(t *testing.T, file, decode string, n int, m *model.Model) *compile.Compiled {
	t.Helper()
	c := described(t, file, map[string]string{"decode": decode})
	c.Sequencer.PrefillBlock, c.Sequencer.Buffers, c.Sequencer.Words = n, 16, 1024
	return compiled(t, c, m)
}

// Prompts of one token, one less and one more than a block, and so long that the ring of keys and
// values wraps within a block, are followed by the text that single tokens give.
func TestPromptsInBlocksGiveTheSameText(t *testing.T) {
	m, g := opened(t, "nano")
	long := slices.Concat(g.PromptTokens, g.LongGreedy.Tokens)
	for _, file := range []string{examples + "nano.hcl", "testdata/odd.hcl"} {
		for _, n := range []int{2, 5} {
			p := inBlocks(t, file, "spread", n, m)
			cmd := compile.Command{Tokens: 2}
			for _, length := range []int{1, n - 1, n, n + 1, n + 2, 3*n + 1, m.Config.Ctx + 2*n + 2} {
				prompt := long[:length]
				want := arithmetic(t, p, cmd, prompt)
				in, _ := p.Beats(cmd, prompt, want)
				var got []int
				for _, beat := range p.Chip.Arithmetic(in)[0] {
					got = append(got, int(beat[0][0]))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, blocks of %d, a prompt of %d: %q, want %q", file, n, length, m.Decode(got), m.Decode(want))
				}
			}
		}
	}
}

// The hardware writes that text too, and takes as long as the program's time says.
func TestPromptsInBlocksInHardware(t *testing.T) {
	m, g := opened(t, "nano")
	long := slices.Concat(g.PromptTokens, g.LongGreedy.Tokens)
	for _, c := range []struct {
		file, decode, engine string
		block, prompt        int
	}{
		{examples + "nano.hcl", "spread", "interp", 4, 12}, {"testdata/odd.hcl", "column", "interp", 3, 5},
		{examples + "nano.hcl", "spread", "gosim", 4, 30}, {examples + "nano.hcl", "spread", "verilated", 8, 150},
	} {
		t.Run(fmt.Sprintf("%s/%s/%d", c.engine, c.decode, c.block), func(t *testing.T) {
			if testing.Short() && c.engine != "interp" {
				t.Skip("builds a simulator")
			}
			p := inBlocks(t, c.file, c.decode, c.block, m)
			d := described(t, c.file, map[string]string{"decode": c.decode})
			d.Sequencer.PrefillBlock, d.Sequencer.Buffers, d.Sequencer.Words = c.block, 16, 1024
			cmd := compile.Command{Tokens: 2}
			want := arithmetic(t, p, cmd, long[:c.prompt])
			if got := text(t, c.engine, d, p, cmd, long[:c.prompt], 3); !slices.Equal(got, want) {
				t.Errorf("writes %q, want %q", m.Decode(got), m.Decode(want))
			}
		})
	}
}

// A prompt in blocks takes little longer than its slowest unit, the bank, works.
func TestPromptsInBlocksKeepTheBankBusy(t *testing.T) {
	for _, name := range []string{"nano", "micro"} {
		m, _ := opened(t, name)
		cycles := map[int]int{}
		for _, n := range []int{1, 4, 8} {
			p := inBlocks(t, examples+name+".hcl", "spread", n, m)
			steps := p.Chip.Steps(65, 1, hw.Conditions{})
			cycles[n] = steps[len(steps)-1].Last
			bank, last := 0, m.Config.NLayers-1
			for stage := range 4 {
				bank += last * p.Chip.Pace(0, stage*m.Config.NLayers).Busy
			}
			bank = 64 * (bank + p.Chip.Pace(0, 0).Busy)
			t.Logf("%s, blocks of %d: %d cycles for a prompt of 65 and a token; the bank works %d", name, n, cycles[n], bank)
			if n > 1 && cycles[n] > bank*125/100 {
				t.Errorf("%s, blocks of %d: %d cycles, the bank works %d", name, n, cycles[n], bank)
			}
		}
	}
}
