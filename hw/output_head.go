package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// OutputHead gives the logits of a token: the scalar products of its last norm y with the rows of
// the embedding table, logit_v = sum_c row_(v,c) * y_c, exact.
//
// Stream y takes an int8 vector of D elements as ceil(D/Lanes) beats; stream rows then the Rows
// rows of the table, each as many beats; stream logit gives one int32 a row, in order. y is taken
// when the last beat of rows for the y before has moved on. What y has beyond the end is not
// looked at, and so what rows has there neither. Up to 2 beats of rows are taken ahead of y.
//
// With B beats a vector, y takes B cycles and the rows Rows * B, one beat a cycle; a logit is
// offered 3 cycles after the last beat of its row moved on.
type OutputHead struct {
	D     int // 1..65536
	Lanes int // multipliers, 1..1024
	Rows  int // vocabulary, 1..1048576
}

func (b OutputHead) Name() string { return fmt.Sprintf("output_head_%dx%d_l%d", b.Rows, b.D, b.Lanes) }

func (b OutputHead) Check() error {
	return firstError(inRange("output_head", "elements", b.D, 1, 65536), inRange("output_head", "lanes", b.Lanes, 1, 1024),
		inRange("output_head", "rows", b.Rows, 1, 1<<20))
}

// Beats is the beats of a vector or row.
func (b OutputHead) Beats() int { return ceilDiv(b.D, b.Lanes) }

func (b OutputHead) Streams() (in, out []Stream) {
	data := []Field{{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"}}
	logit := Stream{Name: "logit", Doc: "logits, row after row", Fields: []Field{{"logit", ir.Bits(32), true, "int32"}}}
	return []Stream{{Name: "y", Fields: data, Doc: "norms"}, {Name: "rows", Fields: data, Doc: "rows of the embedding table"}}, []Stream{logit}
}

func (b OutputHead) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Scalar products of a vector of %d int8 with %d rows, %d elements a cycle.", b.D, b.Rows, b.Lanes)
	return lib.module("output_head", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		y := input(m, in[0])
		rows := slicedInput(lib, m, in[1])
		take := output(m, out[0])
		filling := m.Reg("filling", ir.Bits(1), 1)
		fire := y.ready(filling.Q)
		waddr, lastIn := counter(m, "waddr", b.Beats(), fire)
		filled := fire.And(lastIn).Named("filled")
		data := lastIn.Mux(onlyFirst(y.fields[0], (b.D-1)%b.Lanes+1), y.fields[0])

		full := m.Reg("out_valid", ir.Bits(1), 0)
		give := full.Q.Not().Or(take).Named("give")
		may := give.And(filling.Q.Not()).Named("may")
		moves := rows.valid.And(may).Named("moves")
		rows.take(may)
		raddr, rowEnds := counter(m, "raddr", b.Beats(), moves)
		_, lastRow := counter(m, "row", b.Rows, moves.And(rowEnds))
		done := moves.And(rowEnds).And(lastRow).Named("done")
		filling.SetEn(filled.Or(done), done)

		// Row and vector side by side, their products, the sum: all stages move together.
		mem := m.Instance("u_y", sram(lib, b.Beats(), data.Type)).
			In("we", fire).In("waddr", waddr).In("wdata", data).In("re", moves).In("raddr", raddr)
		row := m.DataReg("row_data", data.Type).SetEn(give, rows.fields[0])
		product := m.DataReg("product", ir.Vec(b.Lanes, 16)).SetEn(give, row.SExt(16).Mul(m.OutOf(mem, "rdata").SExt(16)))
		stage := func(name string, v *ir.Node) *ir.Node { return m.Reg(name, ir.Bits(1), 0).SetEn(give, v) }
		mark := func(name string, v *ir.Node) *ir.Node { return m.DataReg(name, ir.Bits(1)).SetEn(give, v) }
		valid := stage("product_valid", stage("row_valid", moves))
		ends := mark("product_last", mark("row_last", rowEnds))
		first := m.Reg("first", ir.Bits(1), 1)
		first.SetEn(give.And(valid), ends)
		logit, sum := m.DataReg("acc", ir.Bits(32)), product.SumS(1, 32)
		logit.SetEn(give.And(valid), first.Q.Mux(sum, logit.Q.Add(sum)))
		full.SetEn(give, valid.And(ends))
		drive(m, out[0], full.Q, logit.Q)
	})
}

func (b OutputHead) Arithmetic(in [][]Beat) [][]Beat {
	rows := vectors(in[1], b.D, 8)
	var out []Beat
	for i, y := range vectors(in[0], b.D, 8) {
		for _, row := range rows[i*b.Rows : (i+1)*b.Rows] {
			logit := int64(0)
			for c := range y {
				logit += row[c] * y[c]
			}
			out = append(out, Beat{{word(logit, 32)}})
		}
	}
	return [][]Beat{out}
}

// Cycles is (Rows + 1) B for each y, and 3.
func (b OutputHead) Cycles(in [][]Beat) int { return len(in[0])*(b.Rows+1) + 3 }

func randomOutputHead(r *rand.Rand) Block {
	return OutputHead{D: oddSize(r, 20), Lanes: oddSize(r, 8), Rows: oddSize(r, 7)}
}

func outputHeadWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(OutputHead)
	in, _ := b.Streams()
	n := (1 + r.Intn(3)) * b.Beats()
	return [][]Beat{RandomBeats(r, in[0], n, extreme), RandomBeats(r, in[1], n*b.Rows, extreme)}
}
