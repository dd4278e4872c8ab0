package program

import (
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/model"
)

// engine is a chip with a decode engine of the small model's shape and no crossbars.
func engine(decode string) *arch.Chip {
	c := chip("", 1, 1, 1, 1, lossless8)
	c.PIM = nil
	c.Attention = &arch.Attention{Rows: 8, Cols: 8, Decode: decode, Heads: 4, KVHeads: 4, HeadChannels: 16, Context: 128, Layers: 2,
		Biased: true, Lanes: 4, Ahead: 2, Pos: arch.Pos{File: "my.hcl", Line: 2, Col: 3}}
	return c
}

func golden(t *testing.T) *model.Golden {
	t.Helper()
	g, err := model.OpenGolden(models + "nano.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestDecodePassesHoldWhatTheGoldenFileRecords(t *testing.T) {
	g := golden(t)
	for _, mode := range []string{arch.Column, arch.Spread} {
		job := load(t, engine(mode))
		last := g.Steps[len(g.Steps)-1].Pos
		if len(job.Decode) != 2*(last+1) || len(job.Cases) != 0 {
			t.Fatalf("%s: %d passes and %d cases", mode, len(job.Decode), len(job.Cases))
		}
		found := 0
		for i, p := range job.Decode {
			if p.Pos != i/2 || p.Layer != i%2 || p.Store || len(p.Out) != 64 {
				t.Errorf("%s: pass %d is %+v", mode, i, p)
			}
			at := slices.IndexFunc(g.Steps, func(s model.Trace) bool { return s.Pos == p.Pos })
			if p.Golden != (at >= 0) {
				t.Errorf("%s: golden is %v", p.Name, p.Golden)
			}
			if at < 0 {
				continue
			}
			found++
			want := g.Steps[at].Layers[p.Layer]
			if !slices.Equal(p.Q, want.Q) || !slices.Equal(p.K, want.K) || !slices.Equal(p.V, want.V) || !slices.Equal(p.Out, want.O) {
				t.Errorf("%s: not what the file holds", p.Name)
			}
		}
		if found != 2*len(g.Steps) {
			t.Errorf("%s: %d golden passes", mode, found)
		}
		if b := job.Bias(); len(b) != 8 || len(b[0]) != 128 {
			t.Errorf("%s: %d biases", mode, len(b))
		}
	}
}

func TestLongDecodeReadsAWrappedRing(t *testing.T) {
	job := load(t, engine(arch.Spread))
	const tokens = 131
	passes := job.DecodeLong(tokens)
	if len(passes) != 2*tokens {
		t.Fatalf("%d passes", len(passes))
	}
	for _, p := range passes {
		if p.Store != (p.Pos < 127) || p.Store != (p.Out == nil) || p.Store != (p.Q == nil) {
			t.Errorf("%s: store %v, %d outputs", p.Name, p.Store, len(p.Out))
		}
	}
	// Outputs beyond the context are the attention over the last 128 tokens, by hand.
	m, err := model.Open(models + "nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	p := passes[len(passes)-1]
	var keys, values [][]int8
	for d := range 128 {
		past := passes[2*(p.Pos-d)+p.Layer]
		keys, values = append(keys, past.K[16:32]), append(values, past.V[16:32])
	}
	if want, _ := m.Config.Attend(p.Q[16:32], keys, values, m.RelBias(1, 1)); !slices.Equal(p.Out[16:32], want) {
		t.Errorf("%s, head 1: %v, want %v", p.Name, p.Out[16:32], want)
	}
	if short := job.DecodeLong(3); !short[2].Store || short[5].Store {
		t.Error("of three tokens the last is to be read")
	}
}

func TestPrefillIsDecodeInBlocks(t *testing.T) {
	job := load(t, engine(arch.Spread))
	tokens := len(job.Decode) / 2
	for _, n := range []int{1, 3, tokens, tokens + 5} {
		last := []int{-1, -1} // position of each layer's last pass
		for i, p := range job.Prefill(n) {
			if last[p.Layer]++; p.Pos != last[p.Layer] {
				t.Fatalf("blocks of %d: pass %d is %s", n, i, p.Name)
			}
			if p.More != (p.Pos%n < n-1 && p.Pos < tokens-1) {
				t.Errorf("blocks of %d: %s: more is %v", n, p.Name, p.More)
			}
			if want := job.Decode[2*p.Pos+p.Layer]; !slices.Equal(p.Out, want.Out) || p.Golden != want.Golden {
				t.Errorf("blocks of %d: %s is not that of decode", n, p.Name)
			}
		}
		if last[0] != tokens-1 || last[1] != tokens-1 {
			t.Errorf("blocks of %d end at %v of %d tokens", n, last, tokens)
		}
	}
}

func TestDecodeWithoutGoldenVectorsIsWhatTheModelSays(t *testing.T) {
	c := engine(arch.Spread)
	c.Verify.Program.Golden = ""
	job := load(t, c)
	if len(job.Decode) != 2*greedyTokens || job.Decode[0].Golden || len(job.DecodeLong(140)) != 280 {
		t.Errorf("%d passes", len(job.Decode))
	}
}

func TestChipsWithoutAnEngineDecodeNothing(t *testing.T) {
	job := load(t, chip("layers.0.wq", 2, 32, 2, 40, lossless8))
	if job.Decode != nil || job.Bias() != nil || job.DecodeLong(2) != nil {
		t.Error("passes for a bare array")
	}
}

func TestAModelOfAnotherShapeSaysWhatDiffers(t *testing.T) {
	for want, change := range map[string]func(*arch.Attention){
		"heads = 4, it has 2":          func(a *arch.Attention) { a.Heads = 2 },
		"kv_heads = 4, it has 2":       func(a *arch.Attention) { a.KVHeads = 2 },
		"head_channels = 16, it has 8": func(a *arch.Attention) { a.HeadChannels = 8 },
		"context = 128, it has 64":     func(a *arch.Attention) { a.Context = 64 },
		"layers = 2, it has 1":         func(a *arch.Attention) { a.Layers = 1 },
		"bias = true":                  func(a *arch.Attention) { a.Biased = false },
	} {
		c := engine(arch.Spread)
		change(c.Attention)
		_, err := Load(c, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "my.hcl:9:3") || !strings.Contains(err.Error(), "my.hcl:2:3") {
			t.Errorf("error %v should say %q and where", err, want)
		}
	}
}
