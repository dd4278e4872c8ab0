package hw

import "fmt"

// Pass is one layer of one token for an attention engine.
type Pass struct {
	First bool   // the token begins a sequence; looked at in the first token of a block, in layer 0
	Store bool   // only write K and V: there is no Q and no output
	More  bool   // the block's next token follows, in the same layer; see AttentionEngine
	Q     []int8 // [Heads][HeadChannels]
	K, V  []int8 // [KVHeads][HeadChannels]
}

// Beats is the engine's input for passes in order, from its first token on. With a memory
// port it includes what a memory answers that holds nothing of use at the start. It panics
// when a vector has the wrong length.
func (b Spread) Beats(passes []Pass) [][]Beat {
	in := make([][]Beat, 4)
	for _, p := range passes {
		in[0] = append(in[0], Beat{flag(p.First), flag(p.Store), flag(p.More)})
		if !p.Store {
			in[1] = append(in[1], b.channels(p.Q, b.Heads, b.Rows)...)
		}
		in[2] = append(in[2], b.channels(p.K, b.KVHeads, b.Rows)...)
		in[3] = append(in[3], b.channels(p.V, b.KVHeads, b.Cols)...)
	}
	if b.Port > 0 {
		_, fills := b.traffic(in)
		in = append(in, fills)
	}
	if b.Dot > 0 {
		in = append(in, nil)
	}
	return in
}

// channels is x as beats, each head from a new beat on, zero beyond its last channel.
func (b Spread) channels(x []int8, heads, lanes int) []Beat {
	if len(x) != heads*b.HeadChannels {
		panic(fmt.Sprintf("hw: %d values for %d heads of %d channels", len(x), heads, b.HeadChannels))
	}
	var beats []Beat
	for h := range heads {
		head := x[h*b.HeadChannels : (h+1)*b.HeadChannels]
		for c := 0; c < len(head); c += lanes {
			beat := make([]int8, lanes)
			copy(beat, head[c:])
			beats = append(beats, Beat{words(beat, 8)})
		}
	}
	return beats
}

// Collect puts the beats of y together: HeadChannels outputs for each head of each pass that
// does not only store. It panics when the last head is not complete.
func (b Spread) Collect(y []Beat) [][]int8 {
	perHead := ceilDiv(b.HeadChannels, b.Lanes)
	if len(y)%perHead != 0 {
		panic(fmt.Sprintf("hw: %d beats for heads of %d beats", len(y), perHead))
	}
	var heads [][]int8
	for ; len(y) > 0; y = y[perHead:] {
		var head []int8
		for _, beat := range y[:perHead] {
			for _, o := range SignedWords(beat[0], 8) {
				head = append(head, int8(o))
			}
		}
		heads = append(heads, head[:b.HeadChannels])
	}
	return heads
}
