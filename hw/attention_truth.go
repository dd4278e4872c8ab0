package hw

import "math/rand"

// attentionHead is the attention of one query head in plain integers: q against keys and
// values by distance (0 is the newest token), with the bias of each distance. All have the
// channels of a head. constants are those of ConSmax, or nil for the softmax.
func attentionHead(q []int64, keys, values [][]int64, bias func(distance int) int64, constants *ConSmaxConstants) []int64 {
	scores, top := make([]int64, len(keys)), int64(scoreLeast)
	for t, k := range keys {
		scores[t] = bias(t) << columnScoreShift
		for c := range q {
			scores[t] += q[c] * k[c]
		}
		top = max(top, scores[t])
	}
	if constants != nil {
		top = int64(constants.Beta)
	}
	sum, out := int64(0), make([]int64, len(q))
	for t, v := range values {
		e := exponential(max(roundShift(top-scores[t], columnScoreShift), 0))
		sum += e
		for c := range out {
			out[c] += e * v[c]
		}
	}
	var r int64
	if constants != nil {
		r = int64(constants.R)
	} else {
		r = 1 << recipShift / sum
	}
	for c := range out {
		out[c] = min(max(roundShift(out[c]*r, columnOutShift), -127), 127)
	}
	return out
}

// Arithmetic is the attention of the numerics, from keys and values kept by layer and slot.
func (b AttentionColumn) Arithmetic(in [][]Beat) [][]Beat {
	at := position{context: b.Context, layers: b.Layers}
	keys, values := make([][][]int64, b.Layers*b.Context), make([][][]int64, b.Layers*b.Context) // [][head][channel]
	next := [4]int{}
	take := func(stream, n int) [][]int64 {
		heads := make([][]int64, n)
		for h := range heads {
			for range b.HeadChannels {
				heads[h] = append(heads[h], signed(in[stream][next[stream]][0][0], 8))
				next[stream]++
			}
		}
		return heads
	}
	var y []Beat
	for _, token := range in[0] {
		layer := at.begin(token)
		ring := layer * b.Context
		keys[ring+at.slot], values[ring+at.slot] = take(2, b.KVHeads), take(3, b.KVHeads)
		if token[1][0] == 1 {
			continue
		}
		for h, q := range take(1, b.Heads) {
			var k, v [][]int64
			for t := range at.cnt {
				slot := ring + (at.slot-t+b.Context)%b.Context
				k, v = append(k, keys[slot][h*b.KVHeads/b.Heads]), append(v, values[slot][h*b.KVHeads/b.Heads])
			}
			var constants *ConSmaxConstants
			if b.ConSmax {
				constants = constantsOf(b.Constants, layer*b.Heads+h)
			}
			o := attentionHead(q, k, v, func(t int) int64 { return int64(b.bias().at(layer*b.Heads+h, t)) }, constants)
			for _, x := range o {
				y = append(y, Beat{{word(x, 8)}})
			}
		}
	}
	if b.Dot > 0 {
		return [][]Beat{y, dotProducts(in[4])}
	}
	return [][]Beat{y}
}

// ArrayCycles is the time of all folds of a pass over cnt tokens, one after the other:
//
//	Heads (ceil(cnt/Rows) (HeadChannels + Rows + Cols - 2) + ceil(HeadChannels/Rows) (cnt + Rows + Cols - 2))
//
// PIM-LLM's published figures are this less 2 Heads, because SCALE-Sim v2 reports the index
// of the last cycle of each of the 2 Heads MatMuls.
func (b AttentionColumn) ArrayCycles(cnt int) int {
	skew := b.Rows + b.Cols - 2
	return b.Heads * (ceilDiv(cnt, b.Rows)*(b.HeadChannels+skew) + ceilDiv(b.HeadChannels, b.Rows)*(cnt+skew))
}

// PublishedCycles is the attention of one layer as PIM-LLM counts it.
func (b AttentionColumn) PublishedCycles(cnt int) int { return b.ArrayCycles(cnt) - 2*b.Heads }

// PassCycles is the time of a pass over cnt tokens, from the cycle in which it begins to the
// one in which its last output leaves, both included:
//
//	ArrayCycles(cnt) + HeadChannels + (HeadChannels-1) mod Rows + 7
//
// (the first head is loaded, the last fold drained and normalised) when the array never waits
// for the softmax: with two heads or more, Rows + Cols >= 33 and Cols + min(cnt, HeadChannels)
// >= 10. Elsewhere the recurrence of columnTime.
func (b AttentionColumn) PassCycles(cnt int) int {
	if b.neverWaits(cnt) {
		return b.ArrayCycles(cnt) + b.HeadChannels + (b.HeadChannels-1)%b.Rows + 7
	}
	return b.passRecurrence(cnt)
}

// Cycles adds up the passes; one that only stores takes 1 + KVHeads * HeadChannels. Groups of rows
// at the dot port come when all passes are over.
func (b AttentionColumn) Cycles(in [][]Beat) int {
	at := position{context: b.Context, layers: b.Layers}
	now, end := 0, 0
	for _, token := range in[0] {
		at.begin(token)
		if token[1][0] == 1 {
			now += 1 + b.KVHeads*b.HeadChannels
			continue
		}
		now += b.PassCycles(at.cnt)
		end = now
	}
	if b.Dot > 0 {
		end = max(end, b.dotCycles(in[4], now)+1)
	}
	return end
}

func randomAttentionColumn(r *rand.Rand) Block {
	b := AttentionColumn{Rows: oddSize(r, 6), Cols: oddSize(r, 5), KVHeads: oddSize(r, 3), HeadChannels: oddSize(r, 9),
		Context: oddSize(r, 14), Layers: oddSize(r, 2)}
	b.Heads = b.KVHeads * oddSize(r, 3)
	if b.ConSmax = r.Intn(4) == 0; b.ConSmax {
		b.Constants = RandomConstants(r, b.Layers*b.Heads)
	}
	if r.Intn(3) > 0 {
		b.Bias = randomBias(r, b.Layers*b.Heads, b.Context)
	}
	if r.Intn(2) == 0 {
		b.Dot, b.DotLength = 1+r.Intn(b.mostDot()), oddSize(r, 20)
	}
	return b
}

func attentionColumnWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(AttentionColumn)
	tokens := tokenWork(r, 1+r.Intn(b.Context+4), b.Layers)
	in := append([][]Beat{tokens}, attentionWork(r, tokens, b.Heads, b.KVHeads, b.HeadChannels, extreme)...)
	if b.Dot > 0 {
		in = append(in, b.randomTables(r, extreme))
	}
	return in
}

// attentionWork is q, k and v for passes: like activations, or extreme: all of a head the
// largest or the smallest value, so that scores tie and lie as far apart as they can.
func attentionWork(r *rand.Rand, tokens []Beat, heads, kvHeads, channels int, extreme bool) [][]Beat {
	vectors := func(n int) []Beat {
		var beats []Beat
		for range n {
			all := []int64{127, -127, -128, 0, 1}[r.Intn(5)]
			for range channels {
				x := r.Int63n(64) - r.Int63n(64)
				if extreme {
					x = all
				}
				beats = append(beats, Beat{{word(x, 8)}})
			}
		}
		return beats
	}
	reads := 0
	for _, token := range tokens {
		reads += 1 - int(token[1][0])
	}
	return [][]Beat{vectors(reads * heads), vectors(len(tokens) * kvHeads), vectors(len(tokens) * kvHeads)}
}
