package hw

// columnTime is when an AttentionColumn does its passes, with inputs that come when they come
// and outputs that are taken as they are offered. Cycles are counted from any origin.
//
// Folds follow one another: the sums of one whose last operands enter in cycle f are copied in
// max(f + Rows + Cols - 1, last row of the fold before + 1), where the next may begin, and rows
// leave from the next cycle on. Outputs of a head begin 7 cycles after its last score at the
// earliest and are normalised 27 after its division begins; with ConSmax each weight is there 5
// cycles after its score, and R 3 after the last. Keys and values of a KV head can enter 2
// cycles after its last channel came in, a query's channels 2 cycles after each.
//
// It costs time in the channels of all heads.
type columnTime struct {
	AttentionColumn
	arriving
	where position
	idle  int // the next pass may begin

	k, v, q       int // the last beats taken in this pass
	keyed, valued int // KV heads that are in
	cnt           int
	free          int                // the next fold may begin
	drained       int                // the last row of the last fold left
	weight        [2]int             // weights of an even and an odd head are there
	recip         [2]int             // and their reciprocals
	divided       int                // the last division began
	moved         [2]int             // the last sum was normalised, and the one before it
	read          int                // the last score was read by the softmax
	fed           int                // the last element of a query entered
	queried       [columnQueries]int // the last read of a head of q
	given         []int              // when outputs of this pass leave
}

// columnQueries is how many heads of q wait in the engine.
const columnQueries = 4

func newColumnTime(b AttentionColumn) *columnTime {
	w := &columnTime{AttentionColumn: b, where: position{context: b.Context, layers: b.Layers}, idle: before,
		free: before, drained: before, divided: before, moved: [2]int{before, before}, read: before, fed: before}
	for i := range w.queried {
		w.queried[i] = before
	}
	return w
}

func (b AttentionColumn) passBehind(slots, _ int) int { return b.PassCycles(slots) }

// PortCycles is 0: keys and values are on chip.
func (b AttentionColumn) PortCycles(int) int { return 0 }

// passRecurrence is PassCycles for all cases.
func (b AttentionColumn) passRecurrence(cnt int) int {
	w := newColumnTime(b)
	w.attend(0, cnt)
	return w.idle
}

func (w *columnTime) place() *position { return &w.where }

func (w *columnTime) pass(at int, token Beat) (began int) {
	w.where.begin(token)
	w.given = nil
	began = max(at, w.idle)
	if token[1][0] == 0 {
		w.attend(began, w.where.cnt)
		return began
	}
	n := w.KVHeads * w.HeadChannels
	w.idle = max(w.takes(2, n, began), w.takes(3, n, began)) + 1
	return began
}

func (w *columnTime) outputs() []int { return w.given }

// over is the last cycle in which an input was taken or an output left.
func (w *columnTime) over() int { return w.idle - 1 }

// attend is a pass over cnt slots that begins in a cycle.
func (w *columnTime) attend(begin, cnt int) {
	w.k, w.v, w.q, w.cnt = begin, begin, begin, cnt
	w.keyed, w.valued = 0, 0
	for h := range w.Heads {
		w.score(h)
		if h > 0 {
			w.sum(h - 1)
		}
	}
	w.sum(w.Heads - 1)
	w.idle = w.moved[0] + 3
}

// copies is when the sums of a fold are copied whose last operands enter in a cycle.
func (w *columnTime) copies(last int) int {
	w.free = max(last+w.Rows+w.Cols-1, w.drained+1)
	return w.free
}

// query is when the last channel of head h of q enters the array for the first time, and the
// first not before a cycle.
func (w *columnTime) query(h, from int) int {
	w.q = max(w.q, w.queried[h%columnQueries])
	for range w.HeadChannels {
		w.q = w.takes(1, 1, w.q)
		read := max(w.q+1, w.fed)
		w.queried[h%columnQueries] = read
		w.fed = max(read+1, from)
	}
	return w.fed
}

// score is the scores of head h.
func (w *columnTime) score(h int) {
	for ; w.keyed <= h*w.KVHeads/w.Heads; w.keyed++ {
		w.k = w.takes(2, w.HeadChannels, w.k)
	}
	w.copies(w.query(h, max(w.free, w.k+2)))
	folds := ceilDiv(w.cnt, w.Rows)
	if folds > 1 { // the others need nothing that is yet to come
		step := max(w.HeadChannels+w.Rows+w.Cols-2, w.Rows+1)
		begins := [2]int{w.fed, w.free} // of the last two folds
		if folds > 2 {
			begins[0], begins[1] = w.free+(folds-3)*step, w.free+(folds-2)*step
		}
		w.queried[h%columnQueries] = begins[1] + w.HeadChannels - 2
		if w.HeadChannels == 1 {
			w.queried[h%columnQueries] = begins[0]
		}
		w.fed = begins[1] + w.HeadChannels - 1
		w.free += (folds - 1) * step
	}
	w.drained = w.free + w.Rows
	last := w.free + w.cnt - (folds-1)*w.Rows
	if w.ConSmax { // the first fold of outputs takes weights as they come, as if all were there from then on
		w.weight[h%2], w.recip[h%2] = w.free+6-(folds-1)*w.Rows, last+3
		return
	}
	w.weight[h%2] = last + 7
	w.read = max(w.read, last+1) + w.cnt
	w.divided = max(w.read+4, w.divided+recipTime)
	w.recip[h%2] = w.divided + recipTime
}

// sum is the outputs of head h.
func (w *columnTime) sum(h int) {
	for ; w.valued <= h*w.KVHeads/w.Heads; w.valued++ {
		w.v = w.takes(3, w.HeadChannels, w.v)
	}
	for row := 0; row < w.HeadChannels; row += w.Rows {
		from := w.copies(max(w.free, w.v+2, w.weight[h%2]) + w.cnt - 1)
		rows := min(w.Rows, w.HeadChannels-row)
		for range rows {
			taken := max(from+1, w.moved[1]+1) // two sums wait at the most
			w.moved[0], w.moved[1] = max(taken+1, w.moved[0]+1, w.recip[h%2]), w.moved[0]
			w.given = append(w.given, w.moved[0]+2)
			from = taken
		}
		w.drained = from + w.Rows - rows
	}
}
