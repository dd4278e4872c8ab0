package hw

import (
	"math/rand"

	"ohmloom/hw/isa"
)

// randomChip is a small chip with a small transformer on it: the program that runs it has a
// loop over the layers, its matrices lie in one bank or two.
func randomChip(r *rand.Rand) Block {
	b := triedChip(r)
	for b.Check() != nil || b.bank(0).pes() > 16 { // more PEs than a tile can have, or than a test has time for
		b = triedChip(r)
	}
	return b
}

func triedChip(r *rand.Rand) Chip {
	engine := randomEngine(r)
	heads, kvHeads, channels := engine.shape()
	_, layers := engine.cached()
	n := randomNorm(r, r.Intn(3) == 0)
	b := Chip{Lanes: oddSize(r, 9), Buffers: 7 + r.Intn(3), Banks: 1 + r.Intn(2), Vocab: oddSize(r, 6), Attention: engine,
		Unit: VectorUnit{D: n.D, K: n.K, Shift: n.Shift, Center: n.Center, EmbShift: r.Intn(9), Slots: oddSize(r, 3)}}
	b.Buffers += 7 * (b.Unit.Slots - 1)
	if r.Intn(2) == 0 {
		b.HeadLanes = oddSize(r, 12)
	}
	hidden := oddSize(r, 12)
	q, kv := heads*channels, kvHeads*channels
	b.Vector = max(b.Unit.D, hidden, q) + r.Intn(3)
	x := randomCrossbar(r, 9)
	x.Weights = nil
	if r.Intn(3) == 0 {
		x = x.randomWritable(r)
	}
	b.Bank = Bank{Rows: oddSize(r, 2), Cols: oddSize(r, 2), Buffer: 2 + r.Intn(6), Crossbar: x, Act: Activation{Func: SquaredReLU, Shift: 1 + r.Intn(8)}}
	b.placeRandom(r, []Shape{
		{K: b.Unit.D, N: []int{q, kv, kv}}, {K: q, N: []int{b.Unit.D}}, {K: b.Unit.D, N: []int{hidden}}, {K: hidden, N: []int{b.Unit.D}},
	}, layers)
	b.Program = b.randomText(r, layers)
	b.Words = len(b.Program) + r.Intn(5)
	return b
}

// randomEngine is a small attention engine.
func randomEngine(r *rand.Rand) headEngine {
	kinds := []func(*rand.Rand) Block{randomSpread, randomSpread, randomAttentionColumn, randomSpreadSide}
	random := kinds[r.Intn(len(kinds))]
	for {
		engine := random(r).(dotEngine).withDot(0, 0).(headEngine) // the chip adds its own dot port
		heads, _, channels := engine.shape()
		if context, _ := engine.cached(); context <= 5 && heads*channels <= 12 {
			return engine
		}
	}
}

// placeRandom gives each layer's operations random matrices, one after the other in the PEs of
// the last bank but one; the last bank has those of the second half.
func (b *Chip) placeRandom(r *rand.Rand, shapes []Shape, layers int) {
	b.Matrices = make([][]BankOp, b.Banks)
	pes, blocks, reads := make([]int, b.Banks), make([]int, b.Banks), make([]int, b.Banks)
	for kind, s := range shapes {
		bank := kind * b.Banks / len(shapes)
		for range layers {
			op, nb := BankOp{K: s.K}, ceilDiv(s.K, b.Bank.Crossbar.Rows)
			for _, n := range s.N {
				m := BankMatrix{Weights: RandomTernary(r, n, s.K), M: 128 + r.Intn(128), S: 1 + r.Intn(9), Post: []Post{Post8, Post16, PostActivate, Post16}[kind]}
				nc := ceilDiv(n, b.Bank.Crossbar.Cols)
				for range nb {
					m.PE = append(m.PE, series(pes[bank], nc))
					pes[bank] += nc
				}
				op.Matrices, reads[bank] = append(op.Matrices, m), reads[bank]+nc
			}
			b.Matrices[bank], blocks[bank] = append(b.Matrices[bank], op), blocks[bank]+nb
		}
	}
	for i := range b.Banks {
		b.Bank.Ops, b.Bank.Blocks = max(b.Bank.Ops, len(b.Matrices[i])), max(b.Bank.Blocks, blocks[i])
		b.Bank.Reads = max(b.Bank.Reads, reads[i])
		b.Bank.PEs = max(b.Bank.PEs, ceilDiv(pes[i], b.Bank.Rows*b.Bank.Cols))
	}
}

// randomText is the program of a transformer, with its vectors in random buffers.
func (b *Chip) randomText(r *rand.Rand, layers int) []uint32 {
	p := &isa.Program{}
	say := func(op int, values ...int) { p.Words = append(p.Words, isa.New(op, values...)) }
	if b.Unit.Slots > 1 {
		b.randomBlock(r, p, layers)
	}
	free := r.Perm(b.Buffers - 3)
	buffer := func(i int) int { return free[i%len(free)] }
	qkv, y, o, h, a := b.Buffers-3, buffer(0), buffer(1), buffer(2), buffer(3)
	mvm := func(kind, src, dst, count int) {
		p.Words = append(p.Words, b.randomMVM(kind, src, dst, count, layers, -1))
	}
	start := len(p.Words)
	say(isa.Embed, b.Vocab)
	say(isa.Load, 0)
	loop := len(p.Words)
	say(isa.Norm, y, 0)
	mvm(0, y, qkv, 3)
	switch r.Intn(4) { // another pass, of the next layer
	case 0:
		say(isa.Attend, 0, qkv, 1, 0)
	case 1:
		say(isa.Attend, h, qkv, 0, 0)
	}
	say(isa.Attend, o, qkv, 0, 0)
	mvm(1, o, a, 1)
	say(isa.Add, a, 0)
	if r.Intn(2) == 0 {
		say(isa.Norm, o, 0) // to be written over before it is read
	}
	say(isa.Norm, y, 0)
	mvm(2, y, h, 1)
	mvm(3, h, a, 1)
	say(isa.Add, a, 0)
	say(isa.Loop, layers, loop)
	say(isa.More, r.Intn(2)*start)
	if r.Intn(2) == 0 {
		say(isa.Table, b.Vocab)
		say(isa.Norm, y, 0)
	} else {
		say(isa.Norm, y, 0)
		say(isa.Table, b.Vocab)
	}
	say(isa.Head, y)
	say(isa.Emit, start)
	if r.Intn(3) > 0 {
		say(isa.Halt)
	}
	return append(p.Codes(), 0)
}

// randomMVM is an operation of a kind: Q, K and V; O; I; O of the feed-forward block; of the given
// layer, or with -1 of that of the layer register.
func (b *Chip) randomMVM(kind, src, dst, count, layers, layer int) isa.Word {
	bank, loops := kind*b.Banks/4, flag(layer < 0)[0]
	return isa.New(isa.Project, int(loops), dst, src, bank, count, (kind-ceilDiv(4*bank, b.Banks))*layers+max(layer, 0))
}

// randomBlock is a block of tokens: each has its own buffers, and they come in any order that does
// not use the results of a pass before the next. In the last layer they may only store.
func (b *Chip) randomBlock(r *rand.Rand, p *isa.Program, layers int) {
	say := func(op int, values ...int) { p.Words = append(p.Words, isa.New(op, values...)) }
	n, gather := 1+r.Intn(b.Unit.Slots), len(p.Words)
	say(isa.Gather, n+1, 0)
	for i := range n {
		say(isa.Embed, b.Vocab)
		say(isa.Load, i)
	}
	stores := r.Intn(2)
	for layer := range layers {
		last := layer == layers-1 && stores == 1
		done := make([]int, n) // steps of each token
		for left := n; left > 0; {
			i := r.Intn(n)
			follows := int(flag(i < n-1)[0])
			ready := done[i] < 9 && (done[i] != 2 || i == 0 || done[i-1] > 2) && (done[i] != 3 || follows == 0 || done[i+1] > 2)
			if !ready || last && done[i] == 3 {
				continue
			}
			y, qkv, o, a, h := 7*i, 7*i+1, 7*i+4, 7*i+5, 7*i+6
			switch done[i] {
			case 0, 5:
				say(isa.Norm, y, i)
			case 2:
				say(isa.Attend, o, qkv, int(flag(last)[0]), follows)
			case 4, 8:
				say(isa.Add, a, i)
			default:
				kind := map[int]int{1: 0, 3: 1, 6: 2, 7: 3}[done[i]]
				src, dst := []int{y, o, y, h}[kind], []int{qkv, a, h, a}[kind]
				p.Words = append(p.Words, b.randomMVM(kind, src, dst, []int{3, 1, 1, 1}[kind], layers, layer))
			}
			if done[i]++; done[i] == 9 || last && done[i] == 3 {
				left--
			}
		}
	}
	say(isa.More, 0)
	p.Words[gather] = isa.New(isa.Gather, n+1, len(p.Words))
}

// chipWork is some runs of a few tokens, and as many rows as they ask for; or rows of weights.
func chipWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Chip)
	if b.Bank.Crossbar.Writable && r.Intn(2) == 0 {
		streams, _ := b.Streams()
		in := make([][]Beat, len(streams))
		in[len(in)-1] = b.randomRows(r, 30)
		return in
	}
	streams, _ := b.Streams()
	in := make([][]Beat, 4)
	left := 0 // tokens of the prompt
	s := newSequence(b.sequencer(), func() Beat {
		left--
		beat := Beat{{uint64(r.Intn(b.Vocab))}, flag(left == 0)}
		in[1] = append(in[1], beat)
		return beat
	}, func() Beat { return Beat{{0}} })
	for range 1 + r.Intn(2) {
		cmd := RandomBeats(r, streams[0], 1, extreme)[0]
		cmd[0][0], cmd[1][0], cmd[2][0] = 0, uint64(r.Intn(3)), 0
		left = 1 + r.Intn(3+2*b.Unit.Slots)
		in[0] = append(in[0], cmd)
		s.run(cmd)
	}
	rows := 0
	for _, beat := range s.out[seqFetch] {
		rows += int(beat[1][0])
	}
	in[3] = RandomBeats(r, streams[3], rows*b.head().Beats(), extreme)
	if b.external() {
		in = append(in, b.Fills(in))
	}
	if b.Bank.Crossbar.Writable {
		in = append(in, nil)
	}
	return in
}
