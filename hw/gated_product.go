package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// GatedProduct is the elementwise product of a gated feed-forward block: y = sat8(rshift(g * u,
// Shift)), of the gate's vector g, its activation function applied, and the vector u of the
// matrix beside it. rshift rounds half up, sat8 limits to +-127. Exact to half a unit of y unless
// it saturates: with g and u in units of 2^-5 and Shift 5 y is in units of 2^-5, too.
//
// A bank gives the two vectors one after the other, so the first is kept: stream x is g, then u,
// ceil(D/Lanes) beats each, again and again; stream y is their products. What x has beyond the
// end of a vector is not looked at, y has zeros there. A beat of u needs 2 cycles to y, one a
// cycle passes; before each u the first word of g is read, which takes a cycle. Source: GLU
// variants improve transformer (arXiv 2002.05202).
type GatedProduct struct {
	D     int // elements of a vector, 1..65535
	Lanes int // 1..64
	Shift int // 0..14
}

func (b GatedProduct) Name() string {
	return fmt.Sprintf("gated_product_%d_l%d_s%d", b.D, b.Lanes, b.Shift)
}

func (b GatedProduct) Check() error {
	return firstError(inRange("gated_product", "elements", b.D, 1, 65535), inRange("gated_product", "lanes", b.Lanes, 1, 64),
		inRange("gated_product", "shift", b.Shift, 0, 14))
}

// Beats is the beats of a vector.
func (b GatedProduct) Beats() int { return ceilDiv(b.D, b.Lanes) }

func (b GatedProduct) Streams() (in, out []Stream) {
	vector := func(name, doc string) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"}}}
	}
	return []Stream{vector("x", "the gate's vector, then the other")}, []Stream{vector("y", "products, zero beyond the end")}
}

func (b GatedProduct) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Products of two vectors of %d int8 elements that come one after the other, %d a beat.", b.D, b.Lanes)
	return lib.module("gated_product", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := slicedInput(lib, m, in[0])
		take := output(m, out[0])
		data, n := x.fields[0], b.Beats()

		second := m.Reg("second", ir.Bits(1), 0) // the vector on its way in is u
		keep := x.valid.And(second.Q.Not()).Named("keep")
		waddr, lastKept := counter(m, "waddr", n, keep)
		kept := keep.And(lastKept).Named("kept")
		rd := newReader(m, n, kept)
		full := m.Reg("out_valid", ir.Bits(1), 0)
		ready := rd.valid.And(full.Q.Not().Or(take)).Named("ready") // only while second is 1
		moves := x.valid.And(ready).Named("moves")
		rd.moves(moves)
		second.SetEn(kept.Or(rd.ends), kept)
		x.take(second.Q.Not().Or(ready))
		full.Set(moves.Or(full.Q.And(take.Not())))

		mem := m.Instance("u_gate", sram(lib, n, data.Type)).
			In("we", keep).In("waddr", waddr).In("wdata", data).In("re", rd.issue).In("raddr", rd.addr)
		product := m.OutOf(mem, "rdata").SExt(17).Mul(data.SExt(17)).Named("product")
		if b.Shift > 0 {
			product = product.AddK(1 << (b.Shift - 1)).Sra(m.K(4, uint64(b.Shift))).Named("scaled")
		}
		y := clamp(product, -127, 127).Trunc(8)
		if rest := (b.D-1)%b.Lanes + 1; rest < b.Lanes {
			y = rd.last.Mux(onlyFirst(y, rest), y)
		}
		drive(m, out[0], full.Q, m.DataReg("y", data.Type).SetEn(moves, y))
	})
}

// Arithmetic takes two vectors at a time.
func (b GatedProduct) Arithmetic(in [][]Beat) [][]Beat {
	all := vectors(in[0], b.D, 8)
	var out []Beat
	for ; len(all) > 1; all = all[2:] {
		y := make([]int64, b.D)
		for i, g := range all[0] {
			p := g * all[1][i]
			if b.Shift > 0 {
				p = roundShift(p, b.Shift)
			}
			y[i] = min(max(p, -127), 127)
		}
		out = append(out, vectorBeats(y, b.Lanes, 8)...)
	}
	return [][]Beat{out}
}

// Cycles of n products is n times the beats of both vectors and one, and 2.
func (b GatedProduct) Cycles(in [][]Beat) int {
	return len(in[0])/(2*b.Beats())*(2*b.Beats()+1) + 2
}

func randomGatedProduct(r *rand.Rand) Block {
	return GatedProduct{D: oddSize(r, 30), Lanes: oddSize(r, 9), Shift: r.Intn(15)}
}

func gatedProductWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(GatedProduct)
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], (1+r.Intn(4))*2*b.Beats(), extreme)}
}
