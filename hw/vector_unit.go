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

// VectorUnit owns the residual stream x, a vector of D int16 elements, and does all that a
// model does with it: set it from an embedding, add to it, and give its norm, that of RMSNorm or
// with Center that of LayerNorm.
//
// A beat of stream cmd is a command; op 3 does nothing. The unit takes a command when it has
// done with the one before, that is in the cycle after its last beat was taken (load, add) or
// its last word was read for the norm; y may then still be on its way out. Vectors are
// ceil(D/Lanes) beats; what emb and add have beyond the end is not looked at, y has zeros there.
//
//	load  takes a vector of stream emb, from the cycle after the command on
//	add   takes a vector of stream add, from 2 cycles after the command on
//	norm  gives a vector of stream y; any number of times for one x
//
// The first command after a reset must be a load: x is not reset, and a norm before the first
// load or add waits for the next reset.
//
// While x is written its squares are summed, and the reciprocal of the norm follows without a
// command. It is there Wait cycles after the last beat was taken; the first y is offered 2
// cycles (LayerNorm: 3) after that, or 4 (5) after the command if that is later. A load or add
// whose reciprocal was never waited for by a norm delays the next load or add until it is there.
type VectorUnit struct {
	D        int  // 1..65535
	Lanes    int  // 1..64
	K        int  // gain of the norm, 1..8192
	Shift    int  // fraction bits of the reciprocal, 1..44
	Center   bool // the norm is LayerNorm
	EmbShift int  // 0..8
}

func (b VectorUnit) norm() norm { return norm{b.D, b.Lanes, b.K, b.Shift, b.Center} }

func (b VectorUnit) Name() string {
	return fmt.Sprintf("vector_unit_%s_e%d", b.norm().suffix(), b.EmbShift)
}

func (b VectorUnit) Check() error {
	return firstError(inRange("vector_unit", "lanes", b.Lanes, 1, 64), inRange("vector_unit", "elements", b.D, 1, 65535),
		b.norm().check("vector_unit"), inRange("vector_unit", "embedding shift", b.EmbShift, 0, 8))
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
	cmd := Stream{Name: "cmd", Doc: "commands", Fields: []Field{{"op", ir.Bits(2), false, "0 load, 1 add, 2 norm"}}}
	return []Stream{cmd, vector("emb", "embedding vectors", 8, "int8 elements"), vector("add", "vectors to add", 16, "int16 elements")},
		[]Stream{vector("y", "norms", 8, "int8, zero beyond the end")}
}

func (b VectorUnit) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Residual stream of %d elements with its norm, %d elements a beat.", b.D, b.Lanes)
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
		rd := newReader(m, n.beats(), sum.Or(norm))

		mem := m.Instance("u_x", sram(lib, n.beats(), ir.Vec(b.Lanes, 16)))
		word := m.OutOf(mem, "rdata")

		// The reciprocal of the old x must have left before a new x comes in.
		stale, empty := state("stale"), m.Reg("empty", ir.Bits(1), 1)
		loaded := emb.ready(loading.Q.And(stale.Q.Not()))
		added := add.ready(adding.Q.And(rd.valid).And(stale.Q.Not()))
		write := loaded.Or(added).Named("write")
		waddr, lastIn := counter(m, "waddr", n.beats(), write)
		written := write.And(lastIn).Named("written")
		x := loading.Q.Mux(emb.fields[0].SExt(16).ShlK(b.EmbShift), addSat16(word, add.fields[0]))
		x = lastIn.Mux(onlyFirst(x, n.rest()), x).Named("x")
		r := n.place(lib, m, write, lastIn, x)
		writes := load.Or(sum).Named("writes")
		r.inst.In("r_ready", writes.Or(stale.Q))
		empty.SetEn(writes, m.K(1, 0))
		stale.SetEn(writes.Or(r.valid), writes.And(empty.Q.Or(r.valid).Not()))

		full := state("out_valid")
		give := full.Q.Not().Or(take).Named("give")
		moves := norming.Q.And(rd.valid).And(r.valid).And(give).Named("moves")
		rd.moves(moves.Or(added))
		loading.SetEn(load.Or(written), load)
		adding.SetEn(sum.Or(written), sum)
		norming.SetEn(norm.Or(rd.ends), norm)
		mem.In("we", write).In("waddr", waddr).In("wdata", x).In("re", rd.issue).In("raddr", rd.addr)
		r.scale(out[0], full, give, moves, word, rd.last)
	})
}

// Arithmetic keeps x in a slice and follows the commands.
func (b VectorUnit) Arithmetic(in [][]Beat) [][]Beat {
	emb, add := vectors(in[1], b.D, 8), vectors(in[2], b.D, 16)
	x := make([]int64, b.D)
	var y []Beat
	for _, cmd := range in[0] {
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

// Cycles: with s the cycle in which a command is taken, B beats a vector and r the cycle in which
// the reciprocal of the x before is there,
//
//	load  first beat at max(s, r) + 1 B beats, r = last beat + Wait
//	add   the same, but the first beat not before s + 2
//	norm  first word at max(s + 2, r), B words, last y 2 (LayerNorm: 3) cycles after the last
//
// and the next command is taken in the cycle after the last beat or word.
func (b VectorUnit) Cycles(in [][]Beat) int {
	n := b.norm()
	now, recip, end := 0, -1, 0
	for _, cmd := range in[0] {
		first, op := now, cmd[0][0]
		switch op {
		case VectorLoad:
			first = max(now, recip) + 1
		case VectorAdd:
			first = max(now+2, recip+1)
		case VectorNorm:
			first = max(now+2, recip)
			end = first + n.beats() - 1 + n.latency()
		default:
			now++
			continue
		}
		last := first + n.beats() - 1
		if op != VectorNorm {
			recip = last + n.wait()
		}
		now = last + 1
	}
	return end + 1
}

func randomVectorUnit(r *rand.Rand) Block {
	n := randomNorm(r, r.Intn(3) == 0)
	return VectorUnit{D: n.D, Lanes: n.Lanes, K: n.K, Shift: n.Shift, Center: n.Center, EmbShift: r.Intn(9)}
}

// vectorUnitWork begins with a load and ends with a norm; adds saturate now and then.
func vectorUnitWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(VectorUnit)
	in, _ := b.Streams()
	ops := []uint64{VectorLoad}
	for range 2 + r.Intn(6) {
		ops = append(ops, uint64([]int{VectorLoad, VectorAdd, VectorAdd, VectorNorm, VectorNorm, 3}[r.Intn(6)]))
	}
	ops = append(ops, VectorNorm)
	work := make([][]Beat, 3)
	for _, op := range ops {
		work[0] = append(work[0], Beat{{op}})
		if op < VectorNorm {
			work[1+op] = append(work[1+op], RandomBeats(r, in[1+op], b.Beats(), extreme)...)
		}
	}
	return work
}
