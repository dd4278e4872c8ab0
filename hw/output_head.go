package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// OutputHead gives the logits of a token: the scalar products of its last norm y with the rows of
// the embedding table, logit_v = sum_c row_(v,c) * y_c, exact. It has no multipliers: they are those
// of an attention engine, by the engine's dot port.
//
// Stream y takes an int8 vector of D elements as ceil(D/Lanes) beats; stream rows then the Rows
// rows of the table, each as many beats; stream logit gives one int32 a row, in order. y is taken
// when the last beat of rows for the y before has moved on. What y has beyond the end is not
// looked at, and so what rows has there neither. Up to 2 beats of rows are taken ahead of y.
//
// Stream dot offers each beat of rows beside that of y, with last = 1 in the last of a row and tail
// = 1 in the last of all; stream sum takes what adds up to the products, any number of parts a row,
// last = 1 in the last. Sums of a row are taken from the cycle after its first beat of dot on, and
// then always: logits have room.
//
// With B beats a vector, y takes B cycles and the rows Rows * B, one beat a cycle; a beat of rows
// is offered at dot in the cycle after it moved on, a logit 2 cycles after its last sum. That is so
// while less than Ahead rows are on their way, from the first beat to the logit.
type OutputHead struct {
	D     int // 1..65536
	Lanes int // elements of a beat, 1..1024
	Rows  int // vocabulary, 1..1048576
	Ahead int // rows on their way, 5..8192; fewer would not do when sums come at once
}

func (b OutputHead) Name() string {
	return fmt.Sprintf("output_head_%dx%d_l%d_a%d", b.Rows, b.D, b.Lanes, b.Ahead)
}

func (b OutputHead) Check() error {
	return firstError(inRange("output_head", "elements", b.D, 1, 65536), inRange("output_head", "lanes", b.Lanes, 1, 1024),
		inRange("output_head", "rows", b.Rows, 1, 1<<20), inRange("output_head", "rows ahead", b.Ahead, 5, 8192))
}

// Beats is the beats of a vector or row.
func (b OutputHead) Beats() int { return ceilDiv(b.D, b.Lanes) }

func (b OutputHead) Streams() (in, out []Stream) {
	data := []Field{{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"}}
	logit := Stream{Name: "logit", Doc: "logits, row after row", Fields: []Field{{"logit", ir.Bits(32), true, "int32"}}}
	dot, sum := dotStreams(b.Lanes)
	sum.Fixed = false
	return []Stream{{Name: "y", Fields: data, Doc: "norms"}, {Name: "rows", Fields: data, Doc: "rows of the embedding table"}, sum}, []Stream{logit, tailed(dot)}
}

func (b OutputHead) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Scalar products of a vector of %d int8 with %d rows, %d elements a cycle.", b.D, b.Rows, b.Lanes)
	return lib.module("output_head", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		y := input(m, in[0])
		rows := slicedInput(lib, m, in[1])
		take, takeDot := output(m, out[0]), output(m, out[1])
		filling := m.Reg("filling", ir.Bits(1), 1)
		fire := y.ready(filling.Q)
		waddr, lastIn := counter(m, "waddr", b.Beats(), fire)
		filled := fire.And(lastIn).Named("filled")
		data := lastIn.Mux(onlyFirst(y.fields[0], (b.D-1)%b.Lanes+1), y.fields[0])

		// A beat of rows and the same of y at the dot port.
		offered := m.Reg("offered", ir.Bits(1), 0)
		give := offered.Q.Not().Or(takeDot).Named("give")
		begins := m.Reg("row_begins", ir.Bits(1), 1)
		room := newCredit(m, "room", b.Ahead, b.Ahead)
		may := give.And(filling.Q.Not()).And(room.some().Or(begins.Q.Not())).Named("may")
		moves := rows.valid.And(may).Named("moves")
		rows.take(may)
		raddr, rowEnds := counter(m, "raddr", b.Beats(), moves)
		_, lastRow := counter(m, "row", b.Rows, moves.And(rowEnds))
		done := moves.And(rowEnds).And(lastRow).Named("done")
		filling.SetEn(filled.Or(done), done)
		begins.SetEn(moves, rowEnds)
		offered.SetEn(give, moves)
		mem := m.Instance("u_y", sram(lib, b.Beats(), data.Type)).
			In("we", fire).In("waddr", waddr).In("wdata", data).In("re", moves).In("raddr", raddr)
		mark := func(name string, v *ir.Node) *ir.Node { return m.DataReg(name, v.Type).SetEn(give, v) }
		first, last := mark("first_offered", begins.Q), mark("last_offered", rowEnds)
		tail := mark("tail_offered", rowEnds.And(lastRow))
		drive(m, out[1], offered.Q, mark("row_offered", rows.fields[0]), m.OutOf(mem, "rdata"), last, tail)

		// What comes back. A logit has room, because its row began with it.
		due := newCredit(m, "due", b.Ahead, 0)
		sums := input(m, in[2])
		adds := sums.ready(due.some())
		logitEnds := adds.And(sums.fields[1]).Named("logit_ends")
		due.set(offered.Q.And(takeDot).And(first), logitEnds)
		anew := m.Reg("anew", ir.Bits(1), 1)
		anew.SetEn(adds, sums.fields[1])
		acc := m.DataReg("acc", ir.Bits(32))
		logit := anew.Q.Mux(sums.fields[0], acc.Q.Add(sums.fields[0]))
		acc.SetEn(adds, logit)
		buffer := m.Instance("u_logits", Fifo{Depth: b.Ahead, Lanes: 1, Width: 32}.Build(lib)).
			In("x_valid", logitEnds).In("x_data", logit).In("y_ready", take)
		given := m.OutOf(buffer, "y_valid")
		room.set(given.And(take), moves.And(begins.Q))
		drive(m, out[0], given, m.OutOf(buffer, "y_data"))
	})
}

// Arithmetic is scalar products, whatever the sums; those are to add up to the same.
func (b OutputHead) Arithmetic(in [][]Beat) [][]Beat {
	rows := vectors(in[1], b.D, 8)
	var out, dots []Beat
	for i, y := range vectors(in[0], b.D, 8) {
		for v, row := range rows[i*b.Rows : (i+1)*b.Rows] {
			logit := int64(0)
			for c := range y {
				logit += row[c] * y[c]
			}
			out = append(out, Beat{{word(logit, 32)}})
			n := b.Beats()
			for beat, from := range in[1][(i*b.Rows+v)*n:][:n] {
				part := make([]int64, b.Lanes)
				copy(part, y[beat*b.Lanes:])
				dots = append(dots, Beat{from[0], words(part, 8), flag(beat == n-1), flag(beat == n-1 && v == b.Rows-1)})
			}
		}
	}
	return [][]Beat{out, dots}
}

// Cycles is (Rows + 1) B for each y, and 4: with sums that come in the cycle after the operands.
func (b OutputHead) Cycles(in [][]Beat) int { return len(in[0])*(b.Rows+1) + 4 }

func randomOutputHead(r *rand.Rand) Block {
	return OutputHead{D: oddSize(r, 20), Lanes: oddSize(r, 8), Rows: oddSize(r, 7), Ahead: 4 + oddSize(r, 5)}
}

func outputHeadWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(OutputHead)
	streams, _ := b.Streams()
	n := (1 + r.Intn(3)) * b.Beats()
	in := [][]Beat{RandomBeats(r, streams[0], n, extreme), RandomBeats(r, streams[1], n*b.Rows, extreme), nil}
	for _, dot := range b.Arithmetic(in)[1] {
		in[2] = append(in[2], Beat{{word(dotProduct(dot), 32)}, dot[2]})
	}
	return in
}
