package hw

import (
	"fmt"

	"ohmloom/ir"
)

// dotEngine is an attention engine that lets an OutputHead use its multipliers, by a stream dot of
// operands in and a stream sum out.
type dotEngine interface {
	AttentionEngine
	// withDot is the engine with a dot port for vectors of d elements, lanes of them a beat.
	withDot(lanes, d int) AttentionEngine
	// mostDot is the largest number of lanes.
	mostDot() int
	// dotRows is how many rows are on their way from the dot port to their sums, at least, when
	// the engine works at full speed.
	dotRows() int
	// dotRun is the time of an output head of n rows of some beats each, given when these come:
	// when the last of them moves on, from the given cycle on at the earliest, and when each row's
	// product is there.
	dotRun(rows timed, n, beats, from int) (moved int, sums []int)
	// dotTime is the cycles from the first of these beats to the last product, both included, when
	// rows always lie ready.
	dotTime(n, beats int) int
}

// HeadLanes is the elements of a row that an output head takes in a cycle on an engine: those that
// are wanted, or if 0 the network's lanes, as far as the engine multiplies them.
func HeadLanes(engine AttentionEngine, wanted, network int) int {
	if wanted == 0 {
		return min(network, engine.(dotEngine).mostDot())
	}
	return wanted
}

// headDelay is the time that an output head adds to its multipliers': a beat of rows is at their
// dot port in the cycle after it moved on, and a logit leaves 2 cycles after its product.
const headDelay = 2

// HeadCycles is the time of an output head of rows rows of d elements on an engine that has nothing
// else to do, lanes elements a cycle which always lie ready: from the first beat of its vector to
// the last logit.
func HeadCycles(engine AttentionEngine, d, lanes, rows int) (int, error) {
	e := engine.(dotEngine)
	h := OutputHead{D: d, Lanes: lanes, Rows: rows, Ahead: e.dotRows() + 4}
	if err := firstError(e.withDot(lanes, d).Check(), h.Check()); err != nil {
		return 0, err
	}
	return h.Beats() + e.withDot(lanes, d).(dotEngine).dotTime(rows, h.Beats()) + headDelay, nil
}

// dotStreams are the streams of a dot port: rows and the vector that each is multiplied with go
// in, and what comes out adds up to the products, in order. There is no way to hold up a sum.
func dotStreams(lanes int) (dot, sum Stream) {
	dot = Stream{Name: "dot", Doc: "rows, each beside the vector", Fields: []Field{
		{"row", ir.Vec(lanes, 8), true, "int8 elements of the row"},
		{"y", ir.Vec(lanes, 8), true, "int8 elements of the vector, zero beyond its end"},
		{"last", ir.Bits(1), false, "1 in the last beat of a row"},
	}}
	sum = Stream{Name: "sum", Fixed: true, Doc: "scalar products, in parts", Fields: []Field{
		{"sum", ir.Bits(32), true, "int32, to be added up"},
		{"last", ir.Bits(1), false, "1 in the last part of a row's product"},
	}}
	return dot, sum
}

// tailed is stream dot for an engine that must know where a table ends.
func tailed(dot Stream) Stream {
	dot.Fields = append(dot.Fields, Field{"tail", ir.Bits(1), false, "1 in the last beat of the last row"})
	return dot
}

// dotProduct is the scalar product of a beat of stream dot.
func dotProduct(beat Beat) int64 {
	y, sum := SignedWords(beat[1], 8), int64(0)
	for i, r := range SignedWords(beat[0], 8) {
		sum += r * y[i]
	}
	return sum
}

// dotSums is what an engine gives that adds up each beat by itself.
func dotSums(dots []Beat) (sums []Beat) {
	for _, beat := range dots {
		sums = append(sums, Beat{{word(dotProduct(beat), 32)}, beat[2]})
	}
	return sums
}

// mostDotLanes is the widest beat of a dot port.
const mostDotLanes = 1024

func (b Spread) withDot(lanes, _ int) AttentionEngine { b.Dot = lanes; return b }
func (b Spread) mostDot() int                         { return min(b.Rows*b.Cols, mostDotLanes) }
func (b Spread) dotRows() int                         { return b.dotLatency() }

func (b Spread) dotRun(rows timed, n, beats, from int) (moved int, sums []int) {
	return dotAtOnce(rows, n, beats, from, b.dotLatency())
}

func (b Spread) dotTime(n, beats int) int     { return n*beats + 1 + b.dotLatency() }
func (b SpreadSide) dotTime(n, beats int) int { return n*beats + 1 + b.dotLatency() }

func (b SpreadSide) dotRun(rows timed, n, beats, from int) (moved int, sums []int) {
	return dotAtOnce(rows, n, beats, from, b.dotLatency())
}

// dotAtOnce is dotRun of an engine that takes a beat a cycle and gives its sum some time later.
func dotAtOnce(rows timed, n, beats, from, latency int) (moved int, sums []int) {
	at := times(rows, n*beats, from)
	for v := range n {
		sums = append(sums, at[(v+1)*beats-1]+1+latency)
	}
	return at[n*beats-1], sums
}

func (b SpreadSide) withDot(lanes, _ int) AttentionEngine { b.Dot = lanes; return b }
func (b SpreadSide) mostDot() int                         { return min(b.Engines*b.Part.mostDot(), mostDotLanes) }
func (b SpreadSide) dotRows() int                         { return b.dotLatency() }
func (b SpreadSide) dotLatency() int                      { return b.engine().dotLatency() + b.treeStages() }

// dotCols is the columns whose multipliers the dot port uses.
func (b Spread) dotCols() int { return ceilDiv(b.Dot, b.Rows) }

// dotLatency is the time from a beat of dot to its sum: multiply, the columns' trees, and one over
// the columns.
func (b Spread) dotLatency() int { return 1 + b.treeStages() + ceilDiv(levels(b.dotCols()), 2) }

// columns places the columns, with the ports that all have bound by bind, which is given the first
// of some columns and how many they are. The sums are those of all columns.
//
// The first dotCols of them have a dot port: while the array has no word of the banks to multiply,
// they multiply what stream dot offers, and their trees' totals leave beside the accumulators. As
// nothing in the array lasts from one sum to the next, it changes from one use to the other in any
// cycle. Attention comes first and never waits; a beat of dot waits as long as operations follow
// one another without a gap, which each pass ends, and passes wait for tokens.
func (e *spreading) columns(reads *ir.Node, bind func(cols *ir.Inst, first, n int)) (sums *ir.Node) {
	m, n := e.m, e.dotCols()
	if n < e.Cols {
		cols := m.Array("column", e.column(e.lib, false), 1, e.Cols-n)
		bind(cols, n, e.Cols-n)
		sums = m.OutOf(cols, "sum")
	}
	if n == 0 {
		return sums
	}
	cols := m.Array("dot_column", e.column(e.lib, true), 1, n)
	bind(cols, 0, n)
	free := m.Reg("multiplies", ir.Bits(1), 0).Set(reads).Not().Named("free_for_dot")
	fire := e.dot.ready(free)
	wide := func(v *ir.Node) *ir.Node {
		if rest := n*e.Rows - e.Dot; rest > 0 {
			v = v.Join(m.K(8, 0).Splat(rest))
		}
		return v
	}
	cols.In("free", free).PerCol("row", wide(e.dot.fields[0])).PerCol("y", wide(e.dot.fields[1]))
	total := adderTree(m, m.OutOf(cols, "total"), 32)
	due := delay(m, "dots", fire.Cat(e.dot.fields[2]), e.dotLatency())
	_, outs := e.Streams()
	drive(m, outs[len(outs)-1], due.Bit(1), total, due.Bit(0))
	if mine := m.OutOf(cols, "sum"); sums != nil {
		return mine.Join(sums)
	} else {
		return mine
	}
}

// dots is when the beats of stream dot are taken, given the cycles in which the array multiplies,
// stretch after stretch; the last is when the last sum is there, less one.
func (t *timing) dots(n int) (last int) {
	at, uses := -1, t.uses
	for range n {
		at++
		for len(uses) > 0 && at >= uses[0][0] {
			at = max(at, uses[0][1])
			uses = uses[1:]
		}
	}
	return at + t.dotLatency()
}

// checkDot is Check of the dot port.
func checkDot(block string, lanes, most int) error {
	if lanes > most {
		return fmt.Errorf("%s: %d elements a cycle for the output head, the array multiplies at most %d", block, lanes, most)
	}
	return inRange(block, "elements a cycle for the output head", lanes, 0, most)
}
