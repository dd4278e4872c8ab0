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
	if b.Port > 0 {
		mem, _ := b.traffic(in)
		return [][]Beat{out, mem}
	}
	return [][]Beat{out}
}

// traffic is what goes over the memory port: the requests, and the answers of a memory that
// holds something where it was never written.
func (b Spread) traffic(in [][]Beat) (requests, fills []Beat) {
	memory := map[int][]byte{} // beats that were asked for: caches may be larger than what we have
	ask := func(addr int, data []byte, mask []uint64) {
		at := memory[addr]
		if at == nil {
			at = make([]byte, b.portBytes())
			for i := range at {
				at[i] = byte((addr*len(at) + i) * 167 >> 3)
			}
			memory[addr] = at
		}
		beat := Beat{flag(data != nil), {uint64(addr)}, make([]uint64, len(at)), make([]uint64, len(at))}
		if data == nil {
			answer := make([]uint64, len(at))
			for i, x := range at {
				answer[i] = uint64(x)
			}
			fills = append(fills, Beat{answer})
		} else {
			beat[3] = mask
			for i := range at {
				beat[2][i] = uint64(data[i])
				if mask[i] == 1 {
					at[i] = data[i]
				}
			}
		}
		requests = append(requests, beat)
	}
	ks, vs := in[2], in[3]
	at := position{context: b.Context, layers: b.Layers}
	for _, t := range in[0] {
		layer := at.begin(t[0][0] == 1)
		for h := range b.KVHeads {
			base := (layer*b.KVHeads + h) * b.headWords()
			word := func(row, part int) int { return (base+row)*b.portParts() + part }
			col, row := at.slot%b.Cols, at.slot%b.Rows
			for i := range b.kChunks() {
				data, mask := b.portBeat(func(c, r int) (uint64, bool) { return ks[0][0][r], c == col%b.Port })
				ask(word(at.slot/b.Cols*b.kChunks()+i, col/b.Port), data, mask)
				ks = ks[1:]
			}
			for i := range b.vRounds() {
				for part := range b.portParts() {
					data, mask := b.portBeat(func(c, r int) (uint64, bool) { return vs[0][0][part*b.Port+c], r == row })
					ask(word(b.keyWords()+i*b.vGroups()+at.slot/b.Rows, part), data, mask)
				}
				vs = vs[1:]
			}
			if t[1][0] == 1 {
				continue
			}
			for i := range ceilDiv(at.cnt, b.Cols) * b.kChunks() * b.portParts() {
				ask(word(0, i), nil, nil)
			}
			for i := range b.vRounds() {
				for g := range ceilDiv(at.cnt, b.Rows) * b.portParts() {
					ask(word(b.keyWords()+i*b.vGroups(), g), nil, nil)
				}
			}
		}
	}
	return requests, fills
}

// portBeat is the data and the mask of a write, byte by byte: r of column c.
func (b Spread) portBeat(at func(c, r int) (byte uint64, written bool)) (data []byte, mask []uint64) {
	for c := range b.Port {
		for r := range b.Rows {
			x, written := at(c, r)
			data, mask = append(data, byte(x)), append(mask, flag(written)[0])
		}
	}
	return data, mask
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
	last   int   // the pass before was over
	query  int   // the last q beat was taken
	free   int   // the array could begin, an operation later
	norm   int   // the normalisation could begin another word
	port   int   // the last request was made
	freed  []int // when each head left the buffers, all passes
	groups []int // when each KV head of the pass was done with
}

// Cycles follows the schedule operation by operation: the array takes QK of the next head as
// soon as its q and k are in, else AV of the next head whose weights are; the rest is
// latency. With A and B the array's cycles for QK and AV of a head, H heads, everything
// dividing and Ahead large enough that the array never waits, a pass with the cache on chip
// takes
//
//	H (A + B) + ceil(HeadChannels/Rows) + sumLatency() + Cols/Lanes + 7
//
// when the softmax of the last head is hidden behind the AV of the heads before it.
func (b Spread) Cycles(in [][]Beat) int {
	t := &timing{Spread: b, last: -1, query: -1, free: -1, norm: -1, port: -1}
	at := position{context: b.Context, layers: b.Layers}
	for _, beat := range in[0] {
		at.begin(beat[0][0] == 1)
		if beat[1][0] == 1 {
			t.last += 1 + b.KVHeads*b.writeTime()
			t.port = t.last
			continue
		}
		t.pass(at.cnt)
	}
	last := -1
	if len(t.freed) > 0 {
		last = t.freed[len(t.freed)-1] + outLatency
	}
	if b.Port > 0 {
		last = max(last, t.port+1)
	}
	return last + 1
}

// writeTime is the cycles to take a KV head's k and v.
func (b Spread) writeTime() int {
	if b.Port > 0 {
		return b.kChunks() + b.vRounds()*b.portParts()
	}
	return b.kChunks() + b.vRounds()
}

// supply gives, KV head after KV head, when the last of its keys and values is in; ok is
// false while that depends on what the array has yet to do. On chip it is when the token's
// are written, else when all are fetched: an answer comes 2 cycles after its request was made.
func (t *timing) supply(begin, l int) func() (keys, values int, ok bool) {
	t.groups, t.port = nil, begin
	head := 0
	return func() (int, int, bool) {
		if t.Port == 0 {
			keys := begin + head*t.writeTime() + t.kChunks()
			head++
			return keys, keys + t.vRounds(), true
		}
		from := 0
		if head >= portHeads {
			if len(t.groups) <= head-portHeads {
				return 0, 0, false
			}
			from = t.groups[head-portHeads]
		}
		head++
		written := t.port + t.writeTime()
		keys := max(written, from) + ceilDiv(l, t.Cols)*t.kChunks()*t.portParts()
		t.port = keys + ceilDiv(l, t.Rows)*t.vRounds()*t.portParts()
		return keys + 2, t.port + 2, true
	}
}

// pass is one pass over l slots.
func (t *timing) pass(l int) {
	begin := t.last + 1
	qk, av := ceilDiv(l, t.Cols)*t.slotTime(), ceilDiv(l, t.Rows)*t.vRounds()
	t.query = max(t.query, begin)
	supply := t.supply(begin, l)

	before := len(t.freed) // heads of earlier passes
	var queries, keys, values, weights, recips []int
	for a := 0; a < t.Heads; {
		q, startQ, startA := len(weights), -1, -1
		if q < t.Heads && len(queries) == q && before+q-t.Ahead < len(t.freed) {
			if from := before + q - t.Ahead; from >= 0 {
				t.query = max(t.query, t.freed[from])
			}
			t.query += t.kChunks()
			queries = append(queries, t.query)
		}
		if q < t.Heads && len(keys) == q/t.group() {
			if k, v, ok := supply(); ok {
				keys, values = append(keys, k), append(values, v)
			}
		}
		if len(queries) > q && len(keys) > q/t.group() {
			startQ = max(t.free, queries[q]+1, keys[q/t.group()]+1)
		}
		if a < q {
			startA = max(t.free, weights[a]+1, values[a/t.group()]+1)
		}
		if startQ >= 0 && (startA < 0 || startQ <= startA) {
			lastSum := startQ + qk - t.slotTime() + t.kChunks() + t.sumLatency()
			known, s := lastSum+t.parts()+3, ceilDiv(l, t.Cols)*t.parts()
			weights, recips = append(weights, known+s+2), append(recips, known+s+5+recipBits)
			t.free = startQ + qk
			continue
		}
		t.free = startA + av
		t.freed = append(t.freed, t.normalised(startA, ceilDiv(l, t.Rows), recips[a]))
		if a++; a%t.group() == 0 {
			t.groups = append(t.groups, t.free)
		}
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
	if b.Port = 1 + r.Intn(b.Cols); r.Intn(2) == 0 || b.Cols%b.Port != 0 {
		b.Port = 0
	}
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
	if b.Port > 0 {
		_, fills := b.traffic(in)
		in = append(in, fills)
	}
	return in
}
