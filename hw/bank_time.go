package hw

// bankTime is when a bank does its operations, with vectors that come when they come and
// results that are taken as they are offered.
type bankTime struct {
	Bank
	x    *timedFifo // behind the global buffer
	free int        // the next operation can begin
	read int        // the last read of the operation before
	norm int        // the first read that may follow a norm
}

func newBankTime(b Bank, x timed) *bankTime {
	return &bankTime{Bank: b, x: newTimedFifo(b.Buffer, x), free: before, read: before}
}

// operation is when an operation that is offered at a cycle begins, and when the beats of each
// of its matrices are given.
func (t *bankTime) operation(op, at int) (begins int, y [][]int) {
	s := t.Program[op].Shape()
	begins = max(at, t.free)
	first := max(max(t.distribute(s.K, begins), t.read)+t.converting(), t.norm)
	t.read, t.free = first+t.reads(s)-1, first
	for _, n := range s.N {
		y = append(y, t.results(n, first))
		first += ceilDiv(n, t.Crossbar.Cols) * t.flits()
	}
	if s.Norm {
		last := y[len(y)-1]
		for i, end := 0, last[len(last)-1]; i < len(last); i++ {
			last[i] = end + t.normTime() - len(last) + 1 + i
		}
		t.norm = last[len(last)-1] + 2
	}
	return begins, y
}

// distribute is when the last beat of a vector goes to the tiles: one a cycle, but for those
// that need elements which are yet to come.
func (t *bankTime) distribute(k, now int) int {
	left, beats := 0, ceilDiv(k, t.Lanes)
	for range ceilDiv(k, t.Crossbar.Rows) {
		for load := range t.loads() {
			need := t.beat()
			if load == t.loads()-1 {
				need = t.Crossbar.Rows - (t.loads()-1)*t.beat()
			}
			now++
			if left < need && beats > 0 {
				now = max(now, t.x.offered())
				t.x.taken(now)
				left, beats = left+t.Lanes, beats-1
			}
			left = max(left-need, 0)
		}
		if t.Crossbar.Rows%t.Lanes == 0 {
			left = 0
		}
	}
	return now
}

// results is when the beats of a matrix of n outputs are given, when its first read is made in
// cycle first: sums come packed into beats, which leave full or at the end.
func (t *bankTime) results(n, first int) []int {
	var y []int
	held, a := 0, t.Crossbar.Converters()
	for block := range ceilDiv(n, t.Crossbar.Cols) {
		cols := min(n-block*t.Crossbar.Cols, t.Crossbar.Cols)
		for step := range t.Crossbar.Steps() {
			for sub := range t.subs() {
				from := step*a + sub*t.width()
				count := min(cols, min((step+1)*a, from+t.width())) - from
				if count <= 0 {
					first++
					continue
				}
				came := first + t.network() + postLatency + 1
				held += count
				if held > t.Lanes {
					held -= t.Lanes
					y = append(y, came+2)
				}
				if last := block*t.Crossbar.Cols+from+count == n; held == t.Lanes || last {
					held = 0
					y = append(y, came+3)
				}
				first++
			}
		}
	}
	return y
}
