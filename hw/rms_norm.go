package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// RMSNorm is the norm of the numerics, without gain vector and with a static output scale:
//
//	ss = sum x_i^2    n = floor(sqrt(ss))    R = n == 0 ? 0 : (K << Shift) // n    y_i = sat8(rshift(x_i * R, Shift))
//
// that is K x_i / sqrt(ss); with K = 32 sqrt(D) the root mean square of y is 32, one in units of
// 2^-5. Before sat8 it is off the real function by at most 1/2 (rounding) + |x_i| / 2^Shift (R)
// + |y_i| / n (the root), in units of y.
//
// Streams x and y: vectors of D elements as ceil(D/Lanes) beats; what x has beyond the end is
// not looked at, y has zeros there. A vector is taken, then given: with B beats, 2 B + (ceil(bits
// of ss / 4) + ceil((bits of K + Shift) / 2) + 3) cycles each, and 2 for the last word: root and
// reciprocal come two bits a cycle. bits of ss is 30 + bits of D: at D = 128 and the numerics' K =
// 362, Shift = 16, one vector takes 2 B + 26.
type RMSNorm struct {
	D     int // 1..65536
	Lanes int // 1..1024
	K     int // 1..8192
	Shift int // 1..44
}

func (b RMSNorm) norm() norm                      { return norm{b.D, b.Lanes, b.K, b.Shift, false} }
func (b RMSNorm) Name() string                    { return "norm_" + b.norm().suffix() }
func (b RMSNorm) Check() error                    { return b.norm().check("rms_norm") }
func (b RMSNorm) Streams() (in, out []Stream)     { return b.norm().streams() }
func (b RMSNorm) Build(lib *Lib) *ir.Module       { must(b); return b.norm().build(lib, b.Name()) }
func (b RMSNorm) Arithmetic(in [][]Beat) [][]Beat { return b.norm().arithmetic(in) }

// Cycles of n vectors is 2 more than n times the time of one.
func (b RMSNorm) Cycles(in [][]Beat) int { return b.norm().cycles(in) }

func (b norm) streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "vectors", Fields: []Field{{"data", ir.Vec(b.Lanes, 16), true, "int16 elements"}}}
	y := Stream{Name: "y", Doc: "norms", Fields: []Field{{"data", ir.Vec(b.Lanes, 8), true, "int8, zero beyond the end"}}}
	return []Stream{x}, []Stream{y}
}

// build is a norm by itself: the vector waits in an SRAM for its reciprocal.
func (b norm) build(lib *Lib, name string) *ir.Module {
	doc := fmt.Sprintf("Norm of vectors of %d elements, %d a beat.", b.D, b.Lanes)
	return lib.module("norm", name, doc, func(m *ir.Module) {
		in, out := b.streams()
		x := input(m, in[0])
		take := output(m, out[0])
		filling := m.Reg("filling", ir.Bits(1), 1)
		fire := x.ready(filling.Q)
		waddr, lastIn := counter(m, "waddr", b.beats(), fire)
		data := lastIn.Mux(onlyFirst(x.fields[0], b.rest()), x.fields[0]).Named("element_in")
		r := b.place(lib, m, fire, lastIn, data)

		full := m.Reg("out_valid", ir.Bits(1), 0)
		give := full.Q.Not().Or(take).Named("give")
		rd := newReader(m, b.beats(), fire.And(lastIn).Named("complete"))
		moves := rd.valid.And(r.valid).And(give).Named("moves")
		rd.moves(moves)
		r.inst.In("r_ready", rd.ends)
		filling.SetEn(rd.ends.Or(fire.And(lastIn)), rd.ends)
		mem := m.Instance("u_mem", sram(lib, b.beats(), data.Type)).
			In("we", fire).In("waddr", waddr).In("wdata", data).In("re", rd.issue).In("raddr", rd.addr)
		r.scale(out[0], full, give, moves, m.OutOf(mem, "rdata"), rd.last)
	})
}

// reader reads an SRAM from beginning to end, once each time start is 1. The word at the
// SRAM's output is there when valid is 1, and stays until it moves.
type reader struct {
	m                 *ir.Module
	n                 int
	reading, held     *ir.Reg
	valid, last       *ir.Node // a word is there; it is the last
	issue, addr, ends *ir.Node // a word is read; where; the last one moves
	start             *ir.Node
}

func newReader(m *ir.Module, n int, start *ir.Node) *reader {
	rd := &reader{m: m, n: n, start: start, reading: m.Reg("reading", ir.Bits(1), 0), held: m.Reg("word_valid", ir.Bits(1), 0)}
	rd.valid = rd.held.Q
	return rd
}

// moves says when a word moves on, which it must not without valid.
func (rd *reader) moves(moves *ir.Node) {
	m := rd.m
	rd.issue = rd.reading.Q.And(rd.held.Q.Not().Or(moves)).Named("issue")
	addr, last := counter(m, "raddr", rd.n, rd.issue)
	rd.addr = addr
	rd.reading.SetEn(rd.start.Or(rd.issue), rd.start.Or(last.Not()))
	rd.held.SetEn(rd.issue.Or(moves), rd.issue)
	rd.last = m.DataReg("word_last", ir.Bits(1)).SetEn(rd.issue, last)
	rd.ends = moves.And(rd.last).Named("word_ends")
}

func (b norm) arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, x := range vectors(in[0], b.D, 16) {
		out = append(out, vectorBeats(b.apply(x), b.Lanes, 8)...)
	}
	return [][]Beat{out}
}

// cycles: the last beat of a vector is taken, wait cycles later the first word moves, and the
// next vector begins in the cycle after the last one did.
func (b norm) cycles(in [][]Beat) int {
	n := len(in[0]) / b.beats()
	return n*(2*b.beats()+b.wait()-1) + b.latency()
}

func randomNorm(r *rand.Rand, center bool) norm {
	b := norm{D: oddSize(r, 30), Lanes: oddSize(r, 9), K: 1 + r.Intn(8192), Shift: 1 + r.Intn(40), Center: center}
	if r.Intn(2) == 0 {
		b.K, b.Shift = 1+r.Intn(400), 12+r.Intn(20)
	}
	return b
}

func randomRMSNorm(r *rand.Rand) Block {
	b := randomNorm(r, false)
	return RMSNorm{b.D, b.Lanes, b.K, b.Shift}
}

func rmsNormWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	return [][]Beat{b.(RMSNorm).norm().work(r, extreme)}
}

// work is vectors of every magnitude, some of them zero.
func (b norm) work(r *rand.Rand, extreme bool) []Beat {
	in, _ := b.streams()
	var beats []Beat
	for range 3 {
		vector := RandomBeats(r, in[0], b.beats(), extreme)
		if scale := r.Intn(17); !extreme {
			for _, beat := range vector {
				for i, v := range SignedWords(beat[0], 16) {
					beat[0][i] = word(v*int64(r.Intn(5))/4>>scale, 16)
				}
			}
		}
		beats = append(beats, vector...)
	}
	return beats
}
