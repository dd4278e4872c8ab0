package hw

import "ohmloom/hw/isa"

// machine is the chip as an interpreter of its program on whole vectors.
type machine struct {
	Chip
	rows    [][]int64 // what the memory gives, row after row
	buffers [][]int64
	x       [][]int64 // residual streams, by slot
	embed   [][]int64 // rows asked for it, and not loaded
	table   [][]int64 // rows asked for the output head, and not used
	at      position
	keys    [][][]int64 // [layer * context + slot][KV head][channel]
	values  [][][]int64
	runs    [][]int // of each op of each bank
	state   uint32  // of the sampler's generator
	tokens  []Beat  // drawn
	passes  []Pass  // of the attention engine, when its cache is in external memory
}

// headEngine is an attention engine that tells its cache and what it makes of one head.
type headEngine interface {
	shapedEngine
	cached() (context, layers int)
	// headOutput is the output of a head, counted over the layers; keys and values by distance.
	headOutput(head int, q []int64, keys, values [][]int64) []int64
}

func (b Spread) cached() (context, layers int)          { return b.Context, b.Layers }
func (b SpreadSide) cached() (context, layers int)      { return b.Part.cached() }
func (b AttentionColumn) cached() (context, layers int) { return b.Context, b.Layers }

func (b Spread) headOutput(head int, q []int64, keys, values [][]int64) []int64 {
	return attend(q, keys, values, b.bias(head), ownConstants(b.ConSmax, b.Constants, head))
}

func (b SpreadSide) headOutput(head int, q []int64, keys, values [][]int64) []int64 {
	whole := b.Part
	whole.Bias, whole.Constants = b.Bias, b.Constants
	return whole.headOutput(head, q, keys, values)
}

func (b AttentionColumn) headOutput(head int, q []int64, keys, values [][]int64) []int64 {
	bias := func(t int) int64 { return int64(b.bias().at(head, t)) }
	return attentionHead(q, keys, values, bias, ownConstants(b.ConSmax, b.Constants, head))
}

// ownConstants is the constants of a head, nil with a softmax.
func ownConstants(consmax bool, all []ConSmaxConstants, head int) *ConSmaxConstants {
	if !consmax {
		return nil
	}
	return constantsOf(all, head)
}

func newMachine(b Chip, rows []Beat) *machine {
	context, layers := b.Attention.(headEngine).cached()
	k := &machine{Chip: b, rows: vectors(rows, b.Unit.D, 8), buffers: make([][]int64, b.Buffers), x: make([][]int64, b.Unit.Slots), state: 1,
		at: position{context: context, layers: layers}, keys: make([][][]int64, layers*context), values: make([][][]int64, layers*context)}
	for i := range k.x {
		k.x[i] = make([]int64, b.Unit.D)
	}
	for i := range b.Banks {
		k.runs = append(k.runs, make([]int, len(b.bank(i).Program)))
	}
	return k
}

// row is the next row that the memory gives.
func (k *machine) row() []int64 {
	r := k.rows[0]
	k.rows = k.rows[1:]
	return r
}

// exec is what an instruction does to vectors.
func (k *machine) exec(r *sequenceRun, w isa.Word) {
	src, dst, x := w.Value(isa.Src), w.Value(isa.Dst), k.x[w.Value(isa.Slot)]
	switch w.Kind.Op {
	case isa.Embed:
		k.embed = append(k.embed, k.row())
	case isa.Table:
		for range w.Value(isa.Rows) {
			k.table = append(k.table, k.row())
		}
	case isa.Load:
		for i, e := range k.embed[0] {
			x[i] = e << k.Unit.EmbShift
		}
		k.embed = k.embed[1:]
	case isa.Add:
		for i, a := range k.buffers[src][:len(x)] {
			x[i] = min(max(x[i]+a, -32767), 32767)
		}
	case isa.Norm:
		k.buffers[dst] = k.Chip.unit().norm().apply(x)
	case isa.Project:
		k.project(w.Value(isa.Bank), r.op(w), src, dst)
	case isa.Attend:
		k.attend(Beat{flag(r.first), {uint64(w.Value(isa.Store))}, {uint64(w.Value(isa.Follow))}}, src, dst)
	case isa.Head:
		k.draw(r, k.buffers[src])
	}
}

func (k *machine) project(bank, op, src, dst int) {
	b := k.bank(bank)
	for i, m := range b.Program[op].Matrices {
		x := make([]int8, b.Program[op].K)
		for e := range x {
			x[e] = int8(k.buffers[src][e])
		}
		y := b.Results(m, x, k.runs[bank][op])
		k.buffers[dst+i] = nil
		for _, v := range y {
			k.buffers[dst+i] = append(k.buffers[dst+i], int64(v))
		}
	}
	k.runs[bank][op]++
}

// low is v as int8, as the readers of int8 vectors take it.
func low(v []int64) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(int8(x))
	}
	return out
}

// bytes is v as int8.
func bytes(v []int64) []int8 {
	out := make([]int8, len(v))
	for i, x := range v {
		out[i] = int8(x)
	}
	return out
}

// attend is the pass of a beat of stream token.
func (k *machine) attend(token Beat, src, dst int) {
	engine := k.Attention.(headEngine)
	heads, kvHeads, channels := engine.shape()
	split := func(v []int64) (all [][]int64) {
		for h := range kvHeads {
			all = append(all, low(v[h*channels:(h+1)*channels]))
		}
		return all
	}
	layer := k.at.begin(token)
	if k.external() {
		pass := Pass{First: token[0][0] == 1, Store: token[1][0] == 1, More: token[2][0] == 1,
			K: bytes(k.buffers[src+1][:kvHeads*channels]), V: bytes(k.buffers[src+2][:kvHeads*channels])}
		if !pass.Store {
			pass.Q = bytes(k.buffers[src][:heads*channels])
		}
		k.passes = append(k.passes, pass)
	}
	base := layer * k.at.context
	k.keys[base+k.at.slot], k.values[base+k.at.slot] = split(k.buffers[src+1]), split(k.buffers[src+2])
	if token[1][0] == 1 {
		return
	}
	q, o := low(k.buffers[src]), []int64(nil)
	for h := range heads {
		var keys, values [][]int64
		for t := range k.at.cnt {
			slot := base + (k.at.slot-t+k.at.context)%k.at.context
			keys, values = append(keys, k.keys[slot][h*kvHeads/heads]), append(values, k.values[slot][h*kvHeads/heads])
		}
		o = append(o, engine.headOutput(layer*heads+h, q[h*channels:(h+1)*channels], keys, values)...)
	}
	k.buffers[dst] = o
}

// draw chooses a token by the logits of y.
func (k *machine) draw(r *sequenceRun, y []int64) {
	if r.load {
		k.state = uint32(r.cmd[7][0])
	}
	cmd := Beat{r.cmd[4], r.cmd[5], r.cmd[6], flag(true), {uint64(k.state)}}
	var logits []Beat
	for _, row := range k.table[:k.Vocab] {
		sum := int64(0)
		for i, e := range row {
			sum += e * int64(int8(y[i]))
		}
		logits = append(logits, Beat{{word(sum, 32)}})
	}
	k.table = k.table[k.Vocab:]
	k.tokens = append(k.tokens, k.sampler().Arithmetic([][]Beat{{cmd}, logits})[0]...)
	if cmd[0][0] > 0 {
		k.state = xorshift(k.state)
	}
}

// Arithmetic writes the rows of weights, and interprets the program on vectors for each command.
func (b Chip) Arithmetic(in [][]Beat) [][]Beat {
	if rows, there := b.weightsOf(in); there {
		written, told := b.Written(rows)
		return append(written.Arithmetic(in[:len(in)-1]), told)
	}
	s, k := b.interpret(in, nil)
	var fetch []Beat
	for _, beat := range s.out[seqFetch] {
		fetch = append(fetch, beat[:2])
	}
	out := [][]Beat{s.out[seqToken], s.out[seqDone], fetch}
	if b.external() {
		out = append(out, k.Attention.Arithmetic(k.Attention.Beats(k.passes))[1])
	}
	return out
}

// Fills is what an external memory answers that holds keys and values: stream fill for the other
// inputs.
func (b Chip) Fills(in [][]Beat) []Beat {
	_, k := b.interpret(in, nil)
	return k.Attention.Beats(k.passes)[4]
}

// interpret runs the sequencer's interpreter and the machine side by side, and the clock if
// there is one.
func (b Chip) interpret(in [][]Beat, clock *chipTime) (*sequence, *machine) {
	k := newMachine(b, in[3])
	prompt := in[1]
	s := newSequence(b.sequencer().with(in[2]), func() Beat {
		beat := prompt[0]
		prompt = prompt[1:]
		return beat
	}, func() Beat {
		beat := k.tokens[0]
		k.tokens = k.tokens[1:]
		return beat
	})
	s.exec, s.most = k.exec, 1<<62
	if clock != nil {
		s.exec, s.ends = func(r *sequenceRun, w isa.Word) { k.exec(r, w); clock.exec(r, w) }, clock.ends
	}
	for _, cmd := range in[0] {
		s.run(cmd)
	}
	return s, k
}
