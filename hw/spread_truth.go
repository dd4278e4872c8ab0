package hw

import "math/rand"

// pass is one token of a layer: its place and its operands, head after head.
type pass struct {
	layer       int
	slot, slots int     // the token's, and how many are in use
	store       bool    // there is no q
	q, k, v     []int64 // head after head
}

// passes takes the input beats apart.
func (b Spread) passes(in [][]Beat) []pass {
	ps := make([]pass, len(in[0]))
	next := [][]Beat{in[1], in[2], in[3]}
	rows := func(stream, heads, lanes int) []int64 {
		var all []int64
		for range heads {
			var head []int64
			for range ceilDiv(b.HeadChannels, lanes) {
				head = append(head, SignedWords(next[stream][0][0], 8)...)
				next[stream] = next[stream][1:]
			}
			all = append(all, head[:b.HeadChannels]...)
		}
		return all
	}
	at := position{context: b.Context, layers: b.Layers}
	for i, t := range in[0] {
		p := pass{store: t[1][0] == 1}
		p.layer = at.begin(t[0][0] == 1)
		p.slot, p.slots = at.slot, at.cnt
		if !p.store {
			p.q = rows(0, b.Heads, b.Rows)
		}
		p.k, p.v = rows(1, b.KVHeads, b.Rows), rows(2, b.KVHeads, b.Cols)
		ps[i] = p
	}
	return ps
}

// Arithmetic is the attention of the numerics, distance by distance over a ring.
func (b Spread) Arithmetic(in [][]Beat) [][]Beat {
	type entry struct{ k, v []int64 }
	rings := make([][]entry, b.Layers)
	for l := range rings {
		rings[l] = make([]entry, b.Context)
	}
	var out []Beat
	for _, p := range b.passes(in) {
		ring := rings[p.layer]
		ring[p.slot] = entry{p.k, p.v}
		if p.store {
			continue
		}
		for h := range b.Heads {
			at := h / b.group() * b.HeadChannels
			var keys, values [][]int64
			for t := range p.slots {
				e := ring[(p.slot-t+b.Context)%b.Context]
				keys, values = append(keys, e.k[at:at+b.HeadChannels]), append(values, e.v[at:at+b.HeadChannels])
			}
			o := attend(p.q[h*b.HeadChannels:(h+1)*b.HeadChannels], keys, values, b.bias(p.layer*b.Heads+h))
			for c := 0; c < len(o); c += b.Lanes {
				beat := make([]int64, b.Lanes)
				copy(beat, o[c:])
				out = append(out, Beat{words(beat, 8)})
			}
		}
	}
	return [][]Beat{out}
}

// bias is the table of a head, by distance, or nil.
func (b Spread) bias(head int) []int16 {
	if !b.Biased || head >= len(b.Bias) {
		return nil
	}
	return b.Bias[head]
}

// attend is the attention of one head; keys, values and bias are by distance.
func attend(q []int64, keys, values [][]int64, bias []int16) []int64 {
	scores := make([]int64, len(keys))
	most := int64(-1 << 62)
	for t, k := range keys {
		if t < len(bias) {
			scores[t] = int64(bias[t]) << scoreShift
		}
		for c := range q {
			scores[t] += q[c] * k[c]
		}
		most = max(most, scores[t])
	}
	var z int64
	o := make([]int64, len(q))
	for t, s := range scores {
		e := exponential(roundShift(most-s, scoreShift))
		z += e
		for c, v := range values[t] {
			o[c] += e * v
		}
	}
	for c := range o {
		o[c] = min(max(roundShift(o[c]*(1<<recipShift/z), outShift), -127), 127)
	}
	return o
}

// timing is what the recurrence of Cycles knows of the past: cycles, counted from the first
// token.
type timing struct {
	Spread
	last  int   // the pass before was over
	query int   // the last q beat was taken
	free  int   // the array could begin, an operation later
	norm  int   // the normalisation could begin another word
	freed []int // when each head left the buffers, all passes
}

// Cycles follows the schedule operation by operation: the array takes QK of the next head as
// soon as its q and k are in, else AV of the next head whose weights are; the rest is
// latency. With A and B the array's cycles for QK and AV of a head, H heads, everything
// dividing and Ahead large enough that the array never waits, a pass takes
//
//	H (A + B) + ceil(HeadChannels/Rows) + sumLatency() + Cols/Lanes + 6
//
// when the softmax of the last head is hidden behind the AV of the heads before it.
func (b Spread) Cycles(in [][]Beat) int {
	t := &timing{Spread: b, last: -1, query: -1, free: -1, norm: -1}
	at := position{context: b.Context, layers: b.Layers}
	for _, beat := range in[0] {
		at.begin(beat[0][0] == 1)
		if beat[1][0] == 1 {
			t.last += 1 + b.KVHeads*(b.kChunks()+b.vRounds())
			continue
		}
		t.pass(at.cnt)
	}
	if len(t.freed) == 0 {
		return 0
	}
	return t.freed[len(t.freed)-1] + outLatency + 1
}

// pass is one pass over l slots.
func (t *timing) pass(l int) {
	begin := t.last + 1
	slots, groups := ceilDiv(l, t.Cols), ceilDiv(l, t.Rows)
	qk, av, passTwo := slots*t.slotTime(), groups*t.vRounds(), slots*t.parts()
	kv := t.kChunks() + t.vRounds()
	key := func(head int) int { return begin + head/t.group()*kv + t.kChunks() }
	value := func(head int) int { return begin + (head/t.group()+1)*kv }
	t.query = max(t.query, begin)

	done := len(t.freed) // heads of earlier passes
	queries := make([]int, t.Heads)
	weights, recips := make([]int, t.Heads), make([]int, t.Heads)
	for q, a := 0, 0; a < t.Heads; {
		startQ, startA := -1, -1
		if q < t.Heads && (done+q < t.Ahead || done+q-t.Ahead < len(t.freed)) {
			if queries[q] == 0 {
				from := t.query
				if before := done + q - t.Ahead; before >= 0 {
					from = max(from, t.freed[before])
				}
				queries[q] = from + t.kChunks()
				t.query = queries[q]
			}
			startQ = max(t.free, queries[q]+1, key(q)+1)
		}
		if a < q {
			startA = max(t.free, weights[a]+1, value(a)+1)
		}
		if startQ >= 0 && (startA < 0 || startQ <= startA) {
			lastSum := startQ + qk - t.slotTime() + t.kChunks() + t.sumLatency()
			known := lastSum + t.parts() + 3
			weights[q], recips[q] = known+passTwo+2, known+passTwo+5+recipBits
			t.free = startQ + qk
			q++
			continue
		}
		t.free = startA + av
		t.freed = append(t.freed, t.normalised(startA, groups, recips[a]))
		a++
	}
	t.last = t.free
}

// normalised is when a head whose AV began after cycle start has left the buffers.
func (t *timing) normalised(start, groups, recip int) int {
	for word := range t.vRounds() {
		n := t.parts()
		if word == t.vRounds()-1 {
			n = t.lastParts()
		}
		sum := start + (word+1)*groups + t.sumLatency()
		t.norm = max(t.norm, sum+1, recip+1) + n
	}
	return t.norm - 1
}

func randomSpread(r *rand.Rand) Block {
	b := Spread{Rows: oddSize(r, 7), Cols: oddSize(r, 7), KVHeads: oddSize(r, 3), HeadChannels: oddSize(r, 13),
		Context: oddSize(r, 17), Layers: 1 + r.Intn(2), Ahead: 1 + r.Intn(4), Biased: r.Intn(2) == 0}
	if r.Intn(2) == 0 {
		b.Rows = b.Cols * (1 + r.Intn(2))
	}
	b.Heads = b.KVHeads * oddSize(r, 3)
	b.Lanes = 1 + r.Intn(min(b.Rows, b.Cols))
	b.Lanes = b.lanesThatFit()
	if b.Biased {
		b.Bias = make([][]int16, b.Layers*b.Heads)
		for h := range b.Bias {
			for range b.Context {
				b.Bias[h] = append(b.Bias[h], int16(r.Intn(1<<16))>>r.Intn(15))
			}
		}
	}
	return b
}

// spreadWork is enough tokens to go round the ring, some stored only, and a new sequence.
// Scores are small or large, so that weights are alike or one takes all.
func spreadWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Spread)
	tokens := 1 + r.Intn(2*b.Context+2)
	in := make([][]Beat, 4)
	streams, _ := b.Streams()
	calm := r.Intn(5) // shift of q
	most := []uint64{0x7f, 0x81}
	data := func(stream, n int) {
		for _, beat := range RandomBeats(r, streams[stream], n, extreme) {
			for i, w := range beat[0] {
				switch {
				case stream == 1 && !extreme:
					beat[0][i] = word(int64(int8(w))>>calm, 8)
				case extreme && calm > 2: // ties, the largest scores and sums
					beat[0][i] = most[calm&1]
				}
			}
			in[stream] = append(in[stream], beat)
		}
	}
	for i := range tokens * b.Layers {
		store := r.Intn(4) == 0
		in[0] = append(in[0], Beat{flag(r.Intn(12) == 0 || i == 0), flag(store)})
		if !store {
			data(1, b.Heads*b.kChunks())
		}
		data(2, b.KVHeads*b.kChunks())
		data(3, b.KVHeads*b.vRounds())
	}
	return in
}
