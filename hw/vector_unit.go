package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Commands of a VectorUnit.
const (
	VectorLoad = iota // x = e << EmbShift
	VectorAdd         // x = sat16(x + a)
	VectorNorm        // y = NORM(x)
)

// VectorUnit owns the residual streams x of Slots tokens, each a vector of D int16 elements, and
// does all that a model does with them: set one from an embedding, add to it, and give its norm,
// that of RMSNorm or with Center that of LayerNorm.
//
// A beat of stream cmd is a command for the x of its slot; op 3 does nothing. The unit takes a
// command when it has done with the one before, that is in the cycle after its last beat was taken
// (load, add) or its last word was read for the norm; y may then still be on its way out. Vectors
// are ceil(D/Lanes) beats; what emb and add have beyond the end is not looked at, y has zeros there.
//
//	load  takes a vector of stream emb, from the cycle after the command on
//	add   takes a vector of stream add, from 2 cycles after the command on
//	norm  gives a vector of stream y; any number of times for one x
//
// The first command for a slot after a reset must be a load: x is not reset, and a norm before the
// first load or add waits for the next reset.
//
// While x is written its squares are summed, and the reciprocal of the norm follows without a
// command. It is there Wait cycles after the last beat was taken, and stays with the slot; the
// first y is offered 2 cycles (LayerNorm: 3) after that, or 4 (5) after the command if that is
// later. The next load or add, of any slot, waits until it is there; norms of other slots do not.
type VectorUnit struct {
	D        int  // 1..65535
	Lanes    int  // 1..64
	K        int  // gain of the norm, 1..8192
	Shift    int  // fraction bits of the reciprocal, 1..44
	Center   bool // the norm is LayerNorm
	EmbShift int  // 0..8
	Slots    int  // residual streams, 1..16
}

// slotBits is the width of a slot's number.
const slotBits = 4

func (b VectorUnit) norm() norm { return norm{b.D, b.Lanes, b.K, b.Shift, b.Center} }

func (b VectorUnit) Name() string {
	return fmt.Sprintf("vector_unit_%s_e%d_x%d", b.norm().suffix(), b.EmbShift, b.Slots)
}

func (b VectorUnit) Check() error {
	return firstError(inRange("vector_unit", "lanes", b.Lanes, 1, 64), inRange("vector_unit", "elements", b.D, 1, 65535),
		b.norm().check("vector_unit"), inRange("vector_unit", "embedding shift", b.EmbShift, 0, 8),
		inRange("vector_unit", "residual streams", b.Slots, 1, 1<<slotBits))
}

// Beats is the beats of a vector.
func (b VectorUnit) Beats() int { return b.norm().beats() }

// Wait is the cycles from the one in which the last beat of x was taken to the one in which its
// reciprocal is there.
func (b VectorUnit) Wait() int { return b.norm().wait() }

func (b VectorUnit) Streams() (in, out []Stream) {
	vector := func(name, doc string, w int, element string) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Vec(b.Lanes, w), true, element}}}
	}
	cmd := Stream{Name: "cmd", Doc: "commands", Fields: []Field{{"op", ir.Bits(2), false, "0 load, 1 add, 2 norm"},
		{"slot", ir.Bits(slotBits), false, "residual stream, less than Slots"}}}
	return []Stream{cmd, vector("emb", "embedding vectors", 8, "int8 elements"), vector("add", "vectors to add", 16, "int16 elements")},
		[]Stream{vector("y", "norms", 8, "int8, zero beyond the end")}
}

func (b VectorUnit) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Residual streams of %d tokens, %d elements each, with their norm, %d elements a beat.", b.Slots, b.D, b.Lanes)
	return lib.module("vector_unit", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		cmd, emb, add := input(m, in[0]), input(m, in[1]), input(m, in[2])
		take := output(m, out[0])
		n := b.norm()

		state := func(name string) *ir.Reg { return m.Reg(name, ir.Bits(1), 0) }
		loading, adding, norming := state("loading"), state("adding"), state("norming")
		begin := cmd.ready(loading.Q.Or(adding.Q).Or(norming.Q).Not())
		begins := func(op uint64) *ir.Node { return begin.And(cmd.fields[0].EqK(op)) }
		load, sum := begins(VectorLoad).Named("begins_load"), begins(VectorAdd).Named("begins_add")
		norm := begins(VectorNorm).Named("begins_norm")
		slot := m.DataReg("slot", ir.Bits(ir.ClogTwo(b.Slots))).SetEn(begin, cmd.fields[1].Trunc(ir.ClogTwo(b.Slots)))
		rd := newReader(m, n.beats(), sum.Or(norm))

		words := b.Slots * n.beats()
		wa := ir.ClogTwo(words)
		base := slot.ZExt(wa + slotBits).Mul(m.K(wa+slotBits, uint64(n.beats()))).Trunc(wa).Named("base")
		mem := m.Instance("u_x", sram(lib, words, ir.Vec(b.Lanes, 16)))
		word := m.OutOf(mem, "rdata")

		// A new x comes in when the reciprocal of the one before is there.
		roots := state("roots")
		loaded := emb.ready(loading.Q.And(roots.Q.Not()))
		added := add.ready(adding.Q.And(rd.valid).And(roots.Q.Not()))
		write := loaded.Or(added).Named("write")
		waddr, lastIn := counter(m, "waddr", n.beats(), write)
		written := write.And(lastIn).Named("written")
		x := loading.Q.Mux(emb.fields[0].SExt(16).ShlK(b.EmbShift), addSat16(word, add.fields[0]))
		x = lastIn.Mux(onlyFirst(x, n.rest()), x).Named("x")
		r := n.place(lib, m, write, lastIn, x)
		r.inst.In("r_ready", m.K(1, 1))
		roots.SetEn(written.Or(r.valid), written)
		there := b.keep(m, &r, slot, written)

		full := state("out_valid")
		give := full.Q.Not().Or(take).Named("give")
		moves := norming.Q.And(rd.valid).And(there).And(give).Named("moves")
		rd.moves(moves.Or(added))
		loading.SetEn(load.Or(written), load)
		adding.SetEn(sum.Or(written), sum)
		norming.SetEn(norm.Or(rd.ends), norm)
		mem.In("we", write).In("waddr", base.Add(waddr.ZExt(wa))).In("wdata", x).In("re", rd.issue).In("raddr", base.Add(rd.addr.ZExt(wa)))
		r.scale(out[0], full, give, moves, word, rd.last)
	})
}

// keep holds the reciprocals, with center the sums too, of all slots and puts those of the present
// one in the place of r's, from the cycle in which r gives them on; there tells that they are there.
// written ends the writing of the present slot.
func (b VectorUnit) keep(m *ir.Module, r *norming, slot, written *ir.Node) (there *ir.Node) {
	of := m.DataReg("root_slot", slot.Type).SetEn(written, slot)
	own := of.Eq(slot).Named("own_root")
	hot := func(n *ir.Node) *ir.Node {
		if b.Slots == 1 {
			return m.K(1, 1)
		}
		return oneHot(n, b.Slots)
	}
	mine, rooted := hot(slot), hot(of)
	held := m.Reg("rooted", ir.Vec(b.Slots, 1), 0)
	held.Set(held.Q.Or(rooted.And(r.valid.Splat(b.Slots))).And(mine.And(written.Splat(b.Slots)).Not()))
	there = held.Q.And(mine).AnyOf(1).Or(r.valid.And(own)).Named("root_there")
	kept := func(name string, n *ir.Node) *ir.Node {
		all := m.DataReg(name, ir.Vec(b.Slots, n.Type.W))
		all.SetEn(r.valid, rooted.Mux(n.Splat(b.Slots), all.Q))
		one := all.Q
		if b.Slots > 1 {
			one = all.Q.Pick(slot)
		}
		return r.valid.And(own).Mux(n, one)
	}
	r.r = kept("reciprocals", r.r)
	if b.Center {
		r.sum = kept("sums", r.sum)
	}
	return there
}

// Arithmetic keeps each x in a slice and follows the commands.
func (b VectorUnit) Arithmetic(in [][]Beat) [][]Beat {
	emb, add := vectors(in[1], b.D, 8), vectors(in[2], b.D, 16)
	slots := make([][]int64, b.Slots)
	for i := range slots {
		slots[i] = make([]int64, b.D)
	}
	var y []Beat
	for _, cmd := range in[0] {
		x := slots[cmd[1][0]]
		switch cmd[0][0] {
		case VectorLoad:
			for i, e := range emb[0] {
				x[i] = e << b.EmbShift
			}
			emb = emb[1:]
		case VectorAdd:
			for i, a := range add[0] {
				x[i] = min(max(x[i]+a, -32767), 32767)
			}
			add = add[1:]
		case VectorNorm:
			y = append(y, vectorBeats(b.norm().apply(x), b.Lanes, 8)...)
		}
	}
	return [][]Beat{y}
}

// Cycles: with s the cycle in which a command is taken, B beats a vector, r the cycle in which the
// reciprocal of the x of its slot is there, and w that of the x written last,
//
//	load  first beat at max(s, w) + 1, B beats, r = w = last beat + Wait
//	add   the same, but the first beat not before s + 2
//	norm  first word at max(s + 2, r), B words, last y 2 (LayerNorm: 3) cycles after the last
//
// and the next command is taken in the cycle after the last beat or word.
func (b VectorUnit) Cycles(in [][]Beat) int {
	n := b.norm()
	now, root, end := 0, -1, 0
	recip := make([]int, b.Slots)
	for _, cmd := range in[0] {
		first, op, slot := now, cmd[0][0], cmd[1][0]
		switch op {
		case VectorLoad:
			first = max(now, root) + 1
		case VectorAdd:
			first = max(now+2, root+1)
		case VectorNorm:
			first = max(now+2, recip[slot])
			end = first + n.beats() - 1 + n.latency()
		default:
			now++
			continue
		}
		last := first + n.beats() - 1
		if op != VectorNorm {
			root = last + n.wait()
			recip[slot] = root
		}
		now = last + 1
	}
	return end + 1
}

func randomVectorUnit(r *rand.Rand) Block {
	n := randomNorm(r, r.Intn(3) == 0)
	return VectorUnit{D: n.D, Lanes: n.Lanes, K: n.K, Shift: n.Shift, Center: n.Center, EmbShift: r.Intn(9), Slots: oddSize(r, 5)}
}

// vectorUnitWork loads each slot first and ends with a norm; adds saturate now and then.
func vectorUnitWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(VectorUnit)
	in, _ := b.Streams()
	work := make([][]Beat, 3)
	say := func(op uint64, slot int) {
		work[0] = append(work[0], Beat{{op}, {uint64(slot)}})
		if op < VectorNorm {
			work[1+op] = append(work[1+op], RandomBeats(r, in[1+op], b.Beats(), extreme)...)
		}
	}
	for _, slot := range r.Perm(b.Slots) {
		say(VectorLoad, slot)
	}
	for range 2 + r.Intn(6) + 2*b.Slots {
		say(uint64([]int{VectorLoad, VectorAdd, VectorAdd, VectorNorm, VectorNorm, 3}[r.Intn(6)]), r.Intn(b.Slots))
	}
	say(VectorNorm, r.Intn(b.Slots))
	return work
}
