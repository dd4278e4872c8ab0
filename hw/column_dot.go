package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// The dot port of a column engine works as PIM-LLM maps a product with a vector: Rows rows of the
// table are a fold of an output-stationary array, of which one column has work. Rows come one after
// the other, so each goes into a bank of its own, Rows banks, and the vector into another; when all
// are full they give an element a cycle each, the rows' from the west and the vector's from the
// north, and the column's sums drain as products, one a cycle. Banks hold two such groups: one fills
// while the other is in the array. A group takes
//
//	max(Rows ceil(d/lanes), d + Rows + Cols - 2)
//
// cycles once another is before it, so that more lanes than Rows are of no use.
//
// The array changes from attention to a group only between passes: a group begins when no token
// waits, and a token waits at most until the sums of one group have left. A group once begun has
// all its operands and nothing holds up its sums, so that it ends; rows wait while passes are under
// way, which they are not for ever.

func (b AttentionColumn) withDot(lanes, d int) AttentionEngine {
	b.Dot, b.DotLength = lanes, d
	return b
}

func (b AttentionColumn) mostDot() int  { return min(b.Rows, mostDotLanes) }
func (b AttentionColumn) dotBeats() int { return ceilDiv(b.DotLength, b.Dot) }

// dotRows is two groups in the banks, one in the array, and while rows are short one that drains.
func (b AttentionColumn) dotRows() int {
	if b.DotLength < b.Rows {
		return 4 * b.Rows
	}
	return 3 * b.Rows
}

// dotStreams are those of the dot port; the last row of a table is told, because no group waits for
// rows beyond it.
func (b AttentionColumn) dotStreams() (dot, sum Stream) {
	dot, sum = dotStreams(b.Dot)
	return tailed(dot), sum
}

// dotBank is the bank of a row: two groups' words of Dot elements, and the element of the word read
// that sel says.
func (b AttentionColumn) dotBank(lib *Lib) *ir.Module {
	depth := groupsHeld * b.dotBeats()
	name, doc := fmt.Sprintf("dot_bank_%dx%d", depth, b.Dot), fmt.Sprintf("Bank of %d words of %d elements that gives one element of a word.", depth, b.Dot)
	return lib.module("dot_bank", name, doc, func(m *ir.Module) {
		addr := ir.Bits(ir.ClogTwo(depth))
		we, waddr, wdata := m.In("we", ir.Bits(1), "write"), m.In("waddr", addr, "address to write"), m.In("wdata", ir.Vec(b.Dot, 8), "word to write")
		re, raddr := m.In("re", ir.Bits(1), "read"), m.In("raddr", addr, "address to read")
		mem := m.Instance("u_mem", sram(lib, depth, wdata.Type)).In("we", we).In("waddr", waddr).In("wdata", wdata).In("re", re).In("raddr", raddr)
		word := m.OutOf(mem, "rdata")
		if b.Dot > 1 {
			word = word.Pick(m.In("sel", ir.Bits(ir.ClogTwo(b.Dot)), "element of the word"))
		}
		m.Out("element", word, "element of the word of the last read")
	})
}

// groupsHeld is how many groups of rows the banks hold.
const groupsHeld = 2

// columnDots is the dot port of a column engine under construction.
type columnDots struct {
	full     credit   // groups that are complete in the banks
	entering *ir.Reg  // the elements of one enter the array
	under    credit   // groups from their begin to their last sum
	start    *ir.Node // a group begins

	rows, vector *ir.Inst // banks
	lastRow      *ir.Node // of the group that enters
	last, ends   *ir.Node // its last element is there; and enters
}

// dotState is what the pass must know of the dot port. The engine is idle when a pass could begin
// that no token brings.
func (c *columning) dotState(idle, token *ir.Node) {
	m := c.m
	d := &columnDots{full: newCredit(m, "dots_full", groupsHeld, 0), entering: m.Reg("dots_enter", ir.Bits(1), 0),
		under: newCredit(m, "dots_under_way", groupsHeld+1, 0)}
	d.start = idle.And(token.Not()).And(d.full.some()).And(d.entering.Q.Not()).Named("dots_start")
	c.dots = d
}

// dotBanks takes rows into the banks and gives their elements to the array, whose ready is given.
func (c *columning) dotBanks(ready *ir.Node) {
	m, d, beats := c.m, c.dots, c.dotBeats()
	in, _ := c.Streams()
	x := input(m, in[len(in)-1])
	fire := x.ready(d.full.reg.Q.EqK(groupsHeld).Not())
	depth := groupsHeld * beats
	w := ir.ClogTwo(depth)
	beat, _ := counter(m, "dot_beat", beats, fire)
	rowEnd := fire.And(x.fields[2]).Named("dot_row_end")
	row := m.Reg("dot_row_in", ir.Bits(ir.ClogTwo(c.Rows)), 0)
	groupEnd := rowEnd.And(x.fields[3].Or(row.Q.EqK(uint64(c.Rows - 1)))).Named("dot_group_end")
	row.SetEn(rowEnd, groupEnd.Mux(m.K(row.Type.W, 0), row.Q.AddK(1)))
	into := turn(m, "dot_group_in", groupEnd)
	lastRows := m.DataReg("dot_last_row", ir.Vec(groupsHeld, row.Type.W))
	lastRows.SetEn(groupEnd, setLane(lastRows.Q, into, row.Q))
	waddr := total(w, beat, into.Mux(m.K(w, uint64(beats)), m.K(w, 0)))

	// A word is read when the one before has been used up.
	enters := d.entering.Q.And(ready).Named("dot_enters")
	_, last := counter(m, "dot_element", c.DotLength, enters)
	d.last, d.ends = last, enters.And(last).Named("dot_ends")
	wordEnd, sel := m.K(1, 1), (*ir.Reg)(nil)
	if c.Dot > 1 {
		sel = m.Reg("dot_sel", ir.Bits(ir.ClogTwo(c.Dot)), 0)
		wordEnd = sel.Q.EqK(uint64(c.Dot - 1))
		sel.SetEn(enters, wordEnd.Or(last).Mux(m.K(sel.Type.W, 0), sel.Q.AddK(1)))
	}
	re := d.start.Or(enters.And(wordEnd).And(last.Not())).Named("dot_read")
	raddr, _ := counter(m, "dot_word", depth, re)
	d.lastRow = lastRows.Q.Pick(turn(m, "dot_group_out", d.ends))
	d.entering.SetEn(d.start.Or(d.ends), d.start)
	d.full.set(groupEnd, d.ends)

	bank := c.dotBank(c.lib)
	d.rows = m.Array("row_bank", bank, c.Rows, 1).PerRow("we", oneHot(row.Q, c.Rows).And(fire)).In("wdata", x.fields[0])
	d.vector = m.Instance("u_vector_bank", bank).In("we", fire.And(row.Q.EqK(0))).In("wdata", x.fields[1])
	for _, b := range []*ir.Inst{d.rows, d.vector} {
		if b.In("waddr", waddr).In("re", re).In("raddr", raddr); sel != nil {
			b.In("sel", sel.Q)
		}
	}
}

// dotSums gives what drains of a group away and says whether something else drains.
func (c *columning) dotSums(valid, dot, counts, acc, row *ir.Node) (attends *ir.Node) {
	m := c.m
	_, outs := c.Streams()
	mine := valid.And(dot).Named("dot_drains")
	drive(m, outs[len(outs)-1], mine.And(counts), acc, m.K(1, 1))
	c.dots.under.set(c.dots.start, mine.And(row.EqK(uint64(c.Rows-1))))
	return valid.And(dot.Not()).Named("attends")
}

// dotGroups is when a column engine does the groups of rows at its dot port, one after the other.
type dotGroups struct {
	AttentionColumn
	idle          int // no pass is under way, from then on
	fed, fedEarly int // the last elements of the last group entered, and of the one before
	free, drained int // the array could begin another fold; the last row of the last left
}

func (b AttentionColumn) newDotGroups(idle int) *dotGroups {
	return &dotGroups{AttentionColumn: b, idle: idle, fed: before, fedEarly: before, free: before, drained: before}
}

// room is when the next group's first beat can be taken.
func (w *dotGroups) room() int { return w.fedEarly + 1 }

// group is when the first product of a group is there, whose last beat was taken in a cycle; the
// others follow one a cycle.
func (w *dotGroups) group(loaded int) (first int) {
	start := max(loaded+1, w.fed+1, w.idle)
	w.fedEarly, w.fed = w.fed, max(start+1, w.free)+w.DotLength-1
	w.free = max(w.fed+w.Rows+w.Cols-1, w.drained+1)
	w.drained = w.free + w.Rows
	return w.free + 1
}

func (b AttentionColumn) dotRun(rows timed, n, beats, from int) (moved int, sums []int) {
	w, taken := b.newDotGroups(before), before // at the dot port
	moved = before
	for v := range n {
		for i := range beats {
			moved = max(rows.offered(), from, moved+1, taken)
			rows.taken(moved)
			taken = max(moved, taken) + 1
			if i == 0 && v%b.Rows == 0 {
				taken = max(taken, w.room())
			}
		}
		if (v+1)%b.Rows == 0 || v == n-1 {
			sums = append(sums, series(w.group(taken), v%b.Rows+1)...)
		}
	}
	return moved, sums
}

func (b AttentionColumn) dotTime(n, beats int) int {
	w, at, last := b.newDotGroups(before), 0, 0 // at: a beat of the dot port, the first in cycle 1
	for v := 0; v < n; v += b.Rows {
		rows := min(b.Rows, n-v)
		at = max(at+1, w.room()) + rows*beats - 1
		last = w.group(at) + rows - 1
	}
	return last + 1
}

// dotCycles is when the last product of beats at the dot port is there that are always offered, the
// first in cycle 0, if no pass is under way from cycle idle on; -1 if there are none.
func (b AttentionColumn) dotCycles(dots []Beat, idle int) int {
	w, at, row, last := b.newDotGroups(idle), -1, 0, -1
	first := true // of a group
	for _, beat := range dots {
		if at++; first {
			at = max(at, w.room())
		}
		if first = beat[2][0] == 1 && (beat[3][0] == 1 || row == b.Rows-1); first {
			last, row = w.group(at)+row, 0
		} else {
			row += int(beat[2][0])
		}
	}
	return last
}

// dotProducts are those of whole rows.
func dotProducts(dots []Beat) (sums []Beat) {
	product := int64(0)
	for _, beat := range dots {
		if product += dotProduct(beat); beat[2][0] == 1 {
			sums, product = append(sums, Beat{{word(product, 32)}, flag(true)}), 0
		}
	}
	return sums
}

// randomTables is beats of the dot port: some tables of random rows, each with a vector of its own.
func (b AttentionColumn) randomTables(r *rand.Rand, extreme bool) (dots []Beat) {
	dot, _ := b.dotStreams()
	head := OutputHead{D: b.DotLength, Lanes: b.Dot}
	for range r.Intn(4) {
		head.Rows = oddSize(r, 3*b.Rows)
		beats := func(n int) []Beat { return RandomBeats(r, Stream{Fields: dot.Fields[:1]}, n, extreme) }
		dots = append(dots, head.Arithmetic([][]Beat{beats(head.Beats()), beats(head.Beats() * head.Rows), nil})[1]...)
	}
	return dots
}
