package hw

import (
	"fmt"
	"math/rand"
)

// AttentionEngine is an attention engine: AttentionColumn, Spread or SpreadSide. Its streams are token, q,
// k, v and, with a memory port, fill in; y and, with a memory port, mem out. Passes are layer
// after layer of each token (decode), or of each block of tokens (prefill): then all tokens of
// the block in layer 0, with More in all but the last, all in layer 1 and so on.
type AttentionEngine interface {
	Loaded
	// Beats is the input, stream by stream, for passes in order from the first token on.
	Beats(passes []Pass) [][]Beat
	// Collect is the output y, head after head: [passes that give outputs * Heads][HeadChannels].
	Collect(y []Beat) [][]int8
	// PassBeats is how many beats of y a pass gives that does not only store.
	PassBeats() int
	// WithBias is the engine with position biases in its tables, [Layers*Heads][Context] by
	// distance, unit 1/32 bit; the hardware is the same. An engine without tables has none.
	WithBias(bias [][]int16) AttentionEngine
	// Phases is what the parts of the engine do in the passes from the given one on.
	Phases(in [][]Beat, from int) []Phase
	// WithConstants is the engine with constants of ConSmax in its table, [Layers*Heads]; an
	// engine with the softmax looks at none.
	WithConstants(constants []ConSmaxConstants) AttentionEngine
	// RandomPasses is all layers of n tokens from the first of a sequence on, some only
	// stored; extreme takes only the values where arithmetic breaks.
	RandomPasses(r *rand.Rand, n int, extreme bool) []Pass
}

// Beats is the engine's input for passes in order, from its first token on. It panics when a
// vector has the wrong length.
func (b AttentionColumn) Beats(passes []Pass) [][]Beat {
	in := make([][]Beat, 4)
	elements := func(stream int, x []int8, heads int) {
		if len(x) != heads*b.HeadChannels {
			panic(fmt.Sprintf("hw: %d values for %d heads of %d channels", len(x), heads, b.HeadChannels))
		}
		for _, v := range x {
			in[stream] = append(in[stream], Beat{{word(int64(v), 8)}})
		}
	}
	for _, p := range passes {
		in[0] = append(in[0], Beat{flag(p.First), flag(p.Store), flag(p.More)})
		if !p.Store {
			elements(1, p.Q, b.Heads)
		}
		elements(2, p.K, b.KVHeads)
		elements(3, p.V, b.KVHeads)
	}
	if b.Dot > 0 {
		in = append(in, nil)
	}
	return in
}

// Collect puts the beats of y together: HeadChannels outputs for each head of each pass that
// does not only store. It panics when the last head is not complete.
func (b AttentionColumn) Collect(y []Beat) [][]int8 {
	if len(y)%b.HeadChannels != 0 {
		panic(fmt.Sprintf("hw: %d beats for heads of %d beats", len(y), b.HeadChannels))
	}
	var heads [][]int8
	for ; len(y) > 0; y = y[b.HeadChannels:] {
		head := make([]int8, b.HeadChannels)
		for c := range head {
			head[c] = int8(signed(y[c][0][0], 8))
		}
		heads = append(heads, head)
	}
	return heads
}

// PassBeats is one a channel of each head.
func (b AttentionColumn) PassBeats() int { return b.Heads * b.HeadChannels }

// PassBeats is Lanes channels of a head a beat.
func (b Spread) PassBeats() int { return b.Heads * ceilDiv(b.HeadChannels, b.Lanes) }

func (b AttentionColumn) WithBias(bias [][]int16) AttentionEngine {
	b.Bias = bias
	return b
}

func (b Spread) WithBias(bias [][]int16) AttentionEngine {
	b.Bias = bias
	return b
}

func (b AttentionColumn) WithConstants(constants []ConSmaxConstants) AttentionEngine {
	b.Constants = constants
	return b
}

func (b Spread) WithConstants(constants []ConSmaxConstants) AttentionEngine {
	b.Constants = constants
	return b
}

func (b AttentionColumn) RandomPasses(r *rand.Rand, n int, extreme bool) []Pass {
	return randomPasses(r, n*b.Layers, b.Heads*b.HeadChannels, b.KVHeads*b.HeadChannels, extreme)
}

func (b Spread) RandomPasses(r *rand.Rand, n int, extreme bool) []Pass {
	return randomPasses(r, n*b.Layers, b.Heads*b.HeadChannels, b.KVHeads*b.HeadChannels, extreme)
}

// randomPasses is n passes of nq elements of q and nkv of k and v; the last gives outputs.
func randomPasses(r *rand.Rand, n, nq, nkv int, extreme bool) []Pass {
	vector := func(size int) []int8 {
		x := make([]int8, size)
		for i := range x {
			x[i] = int8(randomWord(r, 8, extreme))
		}
		return x
	}
	passes := make([]Pass, n)
	for i := range passes {
		passes[i] = Pass{First: i == 0, Store: i < n-1 && r.Intn(3) == 0, K: vector(nkv), V: vector(nkv)}
		if !passes[i].Store {
			passes[i].Q = vector(nq)
		}
	}
	return passes
}
