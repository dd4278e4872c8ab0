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
		p.layer = at.begin(t)
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
			var constants *ConSmaxConstants
			if b.ConSmax {
				constants = constantsOf(b.Constants, p.layer*b.Heads+h)
			}
			o := attend(p.q[h*b.HeadChannels:(h+1)*b.HeadChannels], keys, values, b.bias(p.layer*b.Heads+h), constants)
			for c := 0; c < len(o); c += b.Lanes {
				beat := make([]int64, b.Lanes)
				copy(beat, o[c:])
				out = append(out, Beat{words(beat, 8)})
			}
		}
	}
	all := [][]Beat{out}
	if b.Port > 0 {
		mem, _ := b.traffic(in)
		all = append(all, mem)
	}
	if b.Dot > 0 {
		all = append(all, dotSums(in[len(in)-1]))
	}
	return all
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
	early := false // the keys of the first KV head were asked for
	for _, t := range in[0] {
		layer := at.begin(t)
		stores, more := t[1][0] == 1, t[2][0] == 1
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
			if stores {
				continue
			}
			from, to := 0, at.cnt
			if early && h == 0 { // all but what holds the token's slot
				from, to = at.slot/b.Cols*b.Cols, at.slot+1
			}
			for i := from / b.Cols * b.kChunks() * b.portParts(); i < ceilDiv(to, b.Cols)*b.kChunks()*b.portParts(); i++ {
				ask(word(0, i), nil, nil)
			}
			for i := range b.vRounds() {
				for g := range ceilDiv(at.cnt, b.Rows) * b.portParts() {
					ask(word(b.keyWords()+i*b.vGroups(), g), nil, nil)
				}
			}
		}
		if early = !stores && !more; early {
			base := (layer + 1) % b.Layers * b.KVHeads * b.headWords() * b.portParts()
			for i := range ceilDiv(at.cnt, b.Cols) * b.kChunks() * b.portParts() {
				ask(base+i, nil, nil)
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

// attend is the attention of one head; keys, values and bias are by distance. constants are
// those of ConSmax, or nil for the softmax.
func attend(q []int64, keys, values [][]int64, bias []int16, constants *ConSmaxConstants) []int64 {
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
	if constants != nil {
		most = int64(constants.Beta)
	}
	var z int64
	o := make([]int64, len(q))
	for t, s := range scores {
		e := exponential(max(roundShift(most-s, scoreShift), 0))
		z += e
		for c, v := range values[t] {
			o[c] += e * v
		}
	}
	var r int64
	if constants != nil {
		r = int64(constants.R)
	} else {
		r = 1 << recipShift / z
	}
	for c := range o {
		o[c] = min(max(roundShift(o[c]*r, outShift), -127), 127)
	}
	return o
}

// timing is what the recurrence of Cycles knows of the past: cycles, counted from the first
// token.
type timing struct {
	Spread
	last  int      // the block before was over
	query int      // the last q beat was taken
	free  int      // the array could begin, an operation later
	uses  [][2]int // with a dot port: the cycles in which it multiplies words of the banks, from one to before another
	norm  int      // the normalisation could begin another word
	freed []int    // when each head left the buffers, all blocks
	given []int    // when each beat of y was offered, all blocks

	arriving
	where   position
	latency int // of the memory behind the port
	offered int // the next pass is not before
	began   int // the last one did

	// Of the present block.
	passes []passTime
	wrote  int   // the last beat of k or v was taken, with a port the last request made
	early  bool  // the keys of the next pass's first KV head were asked for
	at     int   // pass that writes
	head   int   // and its KV head; -1: it has not begun
	begins []int // when each pass that gives outputs began
	groups []int // when each of their KV heads was done with
	slots  []int // how many slots each uses
	before int   // heads of earlier blocks
	av     int   // heads whose AV was done

	// Of its heads: when q, keys and values, weights and reciprocals were there.
	queries, keys, values, weights, recips []int
}

// passTime is what a pass's time depends on.
type passTime struct {
	slots  int  // in use
	store  bool // it gives no outputs
	reuses bool // its slot was in use before
}

// multiplies notes that the array multiplies n words, issued from the cycle after start on.
func (t *timing) multiplies(start, n int) {
	if t.Dot > 0 {
		t.uses = append(t.uses, [2]int{start + 3, start + 3 + n})
	}
}

// Cycles follows the schedule operation by operation: the array takes QK of the next head as
// soon as its q and k are in, else AV of the next head whose weights are; the rest is
// latency. With A and B the array's cycles for QK and AV of a head, H heads, everything
// dividing and Ahead large enough that the array never waits, a pass with the cache on chip
// takes
//
//	H (A + B) + ceil(HeadChannels/Rows) + sumLatency() + Cols/Lanes + 7
//
// when the softmax of the last head is hidden behind the AV of the heads before it. The
// passes of a block follow one another without a gap when a pass's k and v come in within the
// time of the one before: H (A + B) more for each.
func (b Spread) Cycles(in [][]Beat) int { return b.cycles(in, 0) }

// cycles is Cycles with sums of the dot port that leave later.
func (b Spread) cycles(in [][]Beat, later int) int {
	t := newTiming(b)
	for _, token := range in[0] {
		t.pass(before, token)
	}
	if t.where.within { // the last block is not complete
		t.advance(false)
	}
	end := t.end()
	if b.Dot > 0 && len(in[len(in)-1]) > 0 {
		end = max(end, t.dots(len(in[len(in)-1]))+later+1)
	}
	return end
}

// writeTime is the cycles to take a KV head's k and v.
func (b Spread) writeTime() int { return b.kChunks() + b.vRounds()*b.valueBeats() }

// valueBeats is the cycles for a beat of v: with a port one a beat of the memory.
func (b Spread) valueBeats() int {
	if b.Port > 0 {
		return b.portParts()
	}
	return 1
}

// supply gives, KV head after KV head of the passes that give outputs, when the last of its
// keys and values is in; ok is false while that depends on what the array has yet to do, or
// when there are no more. On chip it is when the token's are written, else when all are
// fetched: an answer comes 2 cycles after its request was made.
func (t *timing) supply() (keys, values int, ok bool) {
	for ; t.at < len(t.passes); t.at, t.head = t.at+1, -1 {
		p := t.passes[t.at]
		if t.head < 0 {
			older := len(t.begins) - flightPasses // must be over
			if older >= 0 && len(t.groups) < (older+1)*t.KVHeads {
				return 0, 0, false
			}
			t.wrote = max(t.wrote+1, t.offered)
			if older >= 0 {
				t.wrote = max(t.wrote, t.groups[(older+1)*t.KVHeads-1]+1)
			}
			t.head, t.began = 0, t.wrote
			if !p.store {
				t.begins, t.slots = append(t.begins, t.wrote), append(t.slots, p.slots)
			}
		}
		for t.head < t.KVHeads {
			earlier := len(t.begins) - 1 // the pass before
			if !p.store {
				earlier--
			}
			if at := earlier*t.KVHeads + t.head; t.Port == 0 && p.reuses && earlier >= 0 {
				if at >= len(t.groups) {
					return 0, 0, false
				}
				t.wrote = max(t.wrote, t.groups[at])
			}
			if p.store {
				t.early = false
				t.head++
				t.write()
				continue
			}
			if t.Port == 0 {
				t.head++
				return t.write(), t.wrote, true
			}
			from := 0
			if older := (len(t.begins)-1)*t.KVHeads + t.head - portHeads; older >= 0 {
				if older >= len(t.groups) {
					return 0, 0, false
				}
				from = t.groups[older]
			}
			words := ceilDiv(p.slots, t.Cols)
			if t.head++; t.early {
				t.early, words = false, 1
			}
			t.write()
			keys = max(t.wrote, from) + words*t.kChunks()*t.portParts()
			t.wrote = keys + ceilDiv(p.slots, t.Rows)*t.vRounds()*t.portParts()
			return keys + t.latency + 2, t.wrote + t.latency + 2, true
		}
	}
	return 0, 0, false
}

// write takes the token's k and v of a KV head; it gives when the last of k was taken.
func (t *timing) write() (keys int) {
	keys = t.takes(2, t.kChunks(), t.wrote)
	t.wrote = keys
	for range t.vRounds() {
		t.wrote = t.holds(3, t.valueBeats(), t.wrote)
	}
	return keys
}

// opens begins a block in a layer.
func (t *timing) opens() {
	t.wrote, t.at, t.head = t.last, 0, -1
	t.passes, t.begins, t.groups, t.slots = nil, nil, nil, nil
	t.queries, t.keys, t.values, t.weights, t.recips = nil, nil, nil, nil, nil
	t.before, t.av = len(t.freed), 0
}

// block is the passes of a block in a layer, all of them known.
func (t *timing) block() {
	passes := t.passes
	t.opens()
	t.passes = passes
	t.advance(false)
}

// advance follows the passes of a block in a layer that are known. While more are to come it leaves
// open what the next may delay: AV of the last pass, once all its QK are done. Inputs are then in,
// and the outputs of the passes before it known.
func (t *timing) advance(more bool) {
	heads := 0
	for _, p := range t.passes {
		if !p.store {
			heads += t.Heads
		}
	}
	for t.av < heads {
		q, startQ, startA := len(t.weights), -1, -1
		if len(t.keys) == q/t.group() {
			if k, v, ok := t.supply(); ok {
				t.keys, t.values = append(t.keys, k), append(t.values, v)
			}
		}
		if more && q == heads && t.at == len(t.passes) && t.av >= heads-t.Heads {
			return
		}
		if q < heads && len(t.queries) == q && q/t.Heads < len(t.begins) && t.before+q-t.Ahead < len(t.freed) {
			t.query = max(t.query, t.begins[q/t.Heads])
			if from := t.before + q - t.Ahead; from >= 0 {
				t.query = max(t.query, t.freed[from])
			}
			t.query = t.takes(1, t.kChunks(), t.query)
			t.queries = append(t.queries, t.query)
		}
		if len(t.queries) > q && len(t.keys) > q/t.group() {
			startQ = max(t.free, t.queries[q]+1, t.keys[q/t.group()]+1)
		}
		if t.av < q {
			startA = max(t.free, t.weights[t.av]+1, t.values[t.av/t.group()]+1)
		}
		if startQ >= 0 && (startA < 0 || startQ <= startA) {
			t.goesQK(startQ, ceilDiv(t.slots[q/t.Heads], t.Cols))
		} else {
			t.goesAV(startA, ceilDiv(t.slots[t.av/t.Heads], t.Rows))
		}
	}
	t.supply() // the passes at the end that only store
	if more {
		return
	}
	t.ahead()
	t.last, t.passes = t.wrote, nil
	if heads > 0 {
		t.last = max(t.last, t.free)
	}
}

// goesQK is QK of the next head after cycle start, over so many slots of each column.
func (t *timing) goesQK(start, slots int) {
	lastSum := start + (slots-1)*t.slotTime() + t.kChunks() + t.sumLatency()
	known, s := lastSum+t.parts()+3, slots*t.parts()
	if t.ConSmax {
		t.weights, t.recips = append(t.weights, known-1), append(t.recips, known)
	} else {
		t.weights, t.recips = append(t.weights, known+s+2), append(t.recips, known+s+5+recipBits)
	}
	t.free = start + slots*t.slotTime()
	for i := range slots {
		t.multiplies(start+i*t.slotTime(), t.kChunks())
	}
}

// goesAV is AV of the next head after cycle start, over so many groups of slots.
func (t *timing) goesAV(start, groups int) {
	t.free = start + groups*t.vRounds()
	t.multiplies(start, groups*t.vRounds())
	t.freed = append(t.freed, t.normalised(start, groups, t.recips[t.av]))
	if t.av++; t.av%t.group() == 0 {
		t.groups = append(t.groups, t.free)
	}
}

// ahead asks for the keys of the next block's first KV head after a pass that gives outputs,
// as soon as the banks have room.
func (t *timing) ahead() {
	last := t.passes[len(t.passes)-1]
	if t.early = t.Port > 0 && !last.store; !t.early {
		return
	}
	if older := len(t.begins)*t.KVHeads - portHeads; older >= 0 {
		t.wrote = max(t.wrote, t.groups[older])
	}
	t.wrote += ceilDiv(last.slots, t.Cols) * t.kChunks() * t.portParts()
}

// normalised is when a head whose AV began after cycle start has left the buffers.
func (t *timing) normalised(start, groups, recip int) int {
	for word := range t.vRounds() {
		n := t.parts()
		if word == t.vRounds()-1 {
			n = t.lastParts()
		}
		sum := start + (word+1)*groups + t.sumLatency()
		t.norm = max(t.norm, sum+1, recip+1)
		for range n {
			t.given = append(t.given, t.norm+outLatency)
			t.norm++
		}
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
	if b.ConSmax = r.Intn(4) == 0; b.ConSmax {
		b.Constants = RandomConstants(r, b.Layers*b.Heads)
	}
	if r.Intn(2) == 0 {
		b.Dot = 1 + r.Intn(b.mostDot())
	}
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

// spreadWork is enough tokens to go round the ring, in blocks, some stored only, and new
// sequences. Scores are small or large, so that weights are alike or one takes all.
func spreadWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Spread)
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
	in[0] = tokenWork(r, 1+r.Intn(2*b.Context+2), b.Layers)
	for _, token := range in[0] {
		if token[1][0] == 0 {
			data(1, b.Heads*b.kChunks())
		}
		data(2, b.KVHeads*b.kChunks())
		data(3, b.KVHeads*b.vRounds())
	}
	if b.Port > 0 {
		_, fills := b.traffic(in)
		in = append(in, fills)
	}
	if b.Dot > 0 {
		in = append(in, RandomBeats(r, streams[len(streams)-1], r.Intn(4*b.Context+4), extreme))
	}
	return in
}
