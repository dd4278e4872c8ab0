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
// >= 10. Elsewhere a recurrence over folds, columnTime: with B the cycle in which a fold
// begins, its sums are copied at max(B + K + Rows + Cols - 2, last row of the fold before + 1),
// where the next may begin, and rows leave from the next cycle on; outputs of a head begin 7
// cycles after its last score at the earliest and are normalised 27 after its division begins.
// With ConSmax each weight is there 5 cycles after its score, and R 3 after the last.
func (b AttentionColumn) PassCycles(cnt int) int {
	if b.neverWaits(cnt) {
		return b.ArrayCycles(cnt) + b.HeadChannels + (b.HeadChannels-1)%b.Rows + 7
	}
	return b.passRecurrence(cnt)
}

// passRecurrence is PassCycles for all cases, in time that grows with cnt.
func (b AttentionColumn) passRecurrence(cnt int) int {
	w := columnTime{AttentionColumn: b, cnt: cnt, free: 0, drained: -1, divided: -recipTime}
	for h := range b.Heads {
		w.scores(h)
		if h > 0 {
			w.outputs(h - 1)
		}
	}
	w.outputs(b.Heads - 1)
	return w.moved[0] + 3
}

// columnTime is the recurrence of a pass that begins in cycle 0.
type columnTime struct {
	AttentionColumn
	cnt     int
	free    int    // the next fold may begin
	drained int    // the last row of the last fold left
	weight  [2]int // weights of an even and an odd head are there
	recip   [2]int // and their reciprocals
	divided int    // the last division began
	moved   [2]int // the last sum was normalised, and the one before it
	read    int    // the last score was read by the softmax
}

// fold is a fold of inner dimension k whose first operands are there in cycle from, and that
// has rows of sums for leave, which says when each leaves if it may from a cycle on.
func (w *columnTime) fold(k, from, rows int, leave func(from int) int) {
	begin := max(w.free, from)
	w.free = max(begin+k+w.Rows+w.Cols-2, w.drained+1)
	w.drained = w.free
	for range rows {
		w.drained = leave(w.drained + 1)
	}
	w.drained += w.Rows - rows
}

// written is when elements of query head h can enter the array at the earliest.
func (w *columnTime) written(h int) int { return (h*w.KVHeads/w.Heads+1)*w.HeadChannels + 2 }

func (w *columnTime) scores(h int) {
	last, weight, t := 0, 0, 0
	for row := 0; row < w.cnt; row += w.Rows {
		w.fold(w.HeadChannels, w.written(h), min(w.Rows, w.cnt-row), func(from int) int {
			last, weight = from, max(weight, from+5-t)
			t++
			return from
		})
	}
	if w.ConSmax { // the first output fold takes weights as they come, as if all were there from then on
		w.weight[h%2], w.recip[h%2] = weight, last+3
		return
	}
	w.weight[h%2] = last + 7
	w.read = max(w.read, last+1) + w.cnt
	w.divided = max(w.read+4, w.divided+recipTime)
	w.recip[h%2] = w.divided + recipTime
}

func (w *columnTime) outputs(h int) {
	for row := 0; row < w.HeadChannels; row += w.Rows {
		w.fold(w.cnt, max(w.written(h), w.weight[h%2]), min(w.Rows, w.HeadChannels-row), func(from int) int {
			taken := max(from, w.moved[1]+1) // two sums wait at the most
			w.moved[0], w.moved[1] = max(taken+1, w.moved[0]+1, w.recip[h%2]), w.moved[0]
			return taken
		})
	}
}

// Cycles adds up the passes; one that only stores takes 1 + KVHeads * HeadChannels.
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
	return b
}

func attentionColumnWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(AttentionColumn)
	tokens := tokenWork(r, 1+r.Intn(b.Context+4), b.Layers)
	return append([][]Beat{tokens}, attentionWork(r, tokens, b.Heads, b.KVHeads, b.HeadChannels, extreme)...)
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
