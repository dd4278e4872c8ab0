package hw_test

import (
	"math/rand"
	"reflect"
	"testing"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
)

// board is an engine with an external memory: requests take effect in order, an answer comes
// latency cycles after its request at the earliest, and each side may be held up in any cycle.
type board struct {
	t       *testing.T
	b       hw.Spread
	e       verify.Engine
	in, out map[string]int // first word of each port in its record
	ins     []uint64
	outs    []uint64
	memory  map[uint64][]uint64
	due     []answer
	latency int
	stall   float64
	rand    *rand.Rand
	cycle   int
}

type answer struct {
	cycle int
	data  []uint64
}

func newBoard(t *testing.T, b hw.Spread, latency int, stall float64, seed int64) *board {
	m, e := start(t, b, uint64(seed), engines[0])
	shape := verify.ShapeOf(m)
	offsets := func(ports []*ir.Port, at int) map[string]int {
		of := map[string]int{}
		for _, p := range ports {
			of[p.Name] = at
			at += p.Type.N
		}
		return of
	}
	d := &board{t: t, b: b, e: e, in: offsets(shape.In, 1), out: offsets(shape.Out, 0),
		ins: make([]uint64, shape.InWords), outs: make([]uint64, shape.OutWords),
		memory: map[uint64][]uint64{}, latency: latency, stall: stall, rand: rand.New(rand.NewSource(seed))}
	d.ins[0] = 1
	d.step()
	d.ins[0] = 0
	return d
}

func (d *board) step() {
	if err := d.e.Run(d.ins, d.outs, 1); err != nil {
		d.t.Fatal(err)
	}
	d.cycle++
}

func (d *board) goes() bool { return d.rand.Float64() >= d.stall }

// run feeds the beats of token, q, k and v and gives the beats of y and when they came, as
// the cycles after each token was taken.
func (d *board) run(work [][]hw.Beat, want int) (y []hw.Beat, tokens []int, last int) {
	names := []string{"token", "q", "k", "v"}
	next, up := make([]int, len(names)), make([]bool, len(names))
	answers := false
	for idle := 0; len(y) < want || next[0] < len(work[0]); idle++ {
		if idle > 20_000+100*d.latency {
			d.t.Fatalf("cycle %d: nothing moves; %d of %d beats of y came, streams are at %v", d.cycle, len(y), want, next)
		}
		for i, name := range names {
			up[i] = up[i] || next[i] < len(work[i]) && d.goes()
			d.ins[d.in[name+"_valid"]] = 0
			if up[i] {
				d.ins[d.in[name+"_valid"]] = 1
				at := d.in[map[bool]string{true: "token_first", false: name + "_data"}[i == 0]]
				for _, field := range work[i][next[i]] {
					at += copy(d.ins[at:], field)
				}
			}
		}
		answers = answers || len(d.due) > 0 && d.due[0].cycle <= d.cycle && d.goes()
		d.ins[d.in["fill_valid"]] = 0
		if answers {
			d.ins[d.in["fill_valid"]] = 1
			copy(d.ins[d.in["fill_data"]:], d.due[0].data)
		}
		takes, asks := d.goes(), d.goes()
		d.ins[d.in["y_ready"]], d.ins[d.in["mem_ready"]] = 0, 0
		if takes {
			d.ins[d.in["y_ready"]] = 1
		}
		if asks {
			d.ins[d.in["mem_ready"]] = 1
		}
		d.step()
		for i, name := range names {
			if up[i] && d.outs[d.out[name+"_ready"]] == 1 {
				if up[i], idle = false, 0; i == 0 {
					tokens = append(tokens, d.cycle)
				}
				next[i]++
			}
		}
		if answers && d.outs[d.out["fill_ready"]] == 1 {
			answers, idle = false, 0
			d.due = d.due[1:]
		}
		if asks && d.outs[d.out["mem_valid"]] == 1 {
			idle = 0
			d.request()
		}
		if at := d.out["y_data"]; takes && d.outs[d.out["y_valid"]] == 1 {
			idle, last = 0, d.cycle
			y = append(y, hw.Beat{append([]uint64(nil), d.outs[at:at+d.b.Lanes]...)})
		}
	}
	return y, tokens, last
}

// request does what the request on the port asks for.
func (d *board) request() {
	size := d.b.Port * d.b.Rows
	addr := d.outs[d.out["mem_addr"]]
	word := d.memory[addr]
	if word == nil {
		word = make([]uint64, size)
		for i := range word {
			word[i] = d.rand.Uint64() & 0xff
		}
		d.memory[addr] = word
	}
	if d.outs[d.out["mem_write"]] == 0 {
		d.due = append(d.due, answer{d.cycle + d.latency, append([]uint64(nil), word...)})
		return
	}
	for i := range word {
		if d.outs[d.out["mem_mask"]+i] == 1 {
			word[i] = d.outs[d.out["mem_data"]+i]
		}
	}
}

// With the cache in a slow memory that answers late and irregularly, the outputs are those
// of the numerics.
func TestSpreadFromExternalMemoryIsExactAtAnyLatency(t *testing.T) {
	for seed := int64(0); seed < 60; seed++ {
		r := rand.New(rand.NewSource(seed))
		entry := entryNamed(t, "spread")
		b := entry.Random(r).(hw.Spread)
		if b.Port == 0 {
			continue
		}
		work := entry.Work(r, b, seed%3 == 0)
		want := b.Arithmetic(work)[0]
		d := newBoard(t, b, r.Intn(50), []float64{0, 0.5}[seed%2], seed)
		if got, _, _ := d.run(work, len(want)); !reflect.DeepEqual(got, want) && len(want) > 0 {
			t.Errorf("%s, seed %d: got %v, want %v", b.Name(), seed, got, want)
		}
	}
}

func entryNamed(t *testing.T, name string) hw.Entry {
	for _, entry := range hw.Table {
		if entry.Name == name {
			return entry
		}
	}
	t.Fatalf("there is no block %s", name)
	return hw.Entry{}
}

// What bounds the engine with the cache in external memory is the port or the multipliers:
// 5 % are enough for all the rest, a memory that answers after 100 cycles included, once the
// context is long; however few KV heads there are, from one token to the next and from a
// token to its last output.
func TestSpreadFromExternalMemoryIsBoundByPortOrMultipliers(t *testing.T) {
	for _, c := range []struct{ port, heads, kvHeads, length int }{
		{2, 8, 8, 160},  // 4 beats for a word of all columns, as with 256 bytes at 32 x 32
		{1, 2, 2, 320},  // the port takes eight times as long as the multipliers
		{2, 16, 2, 384}, // the multipliers take twice as long as the port
		{2, 8, 2, 640},  // as long as the port
		{2, 4, 1, 1280}, // and one KV head
		{8, 4, 1, 1280}, // with a beat for all columns
	} {
		b := hw.Spread{Rows: 8, Cols: 8, Heads: c.heads, KVHeads: c.kvHeads, HeadChannels: 32, Context: c.length,
			Layers: 1, Lanes: 8, Ahead: 4, Port: c.port}
		r := rand.New(rand.NewSource(1))
		passes := lastOf(r, b, c.length)
		for range 2 {
			passes = append(passes, lastOf(r, b, 1)...)
			passes[len(passes)-1].First = false
		}
		d := newBoard(t, b, 100, 0, 1)
		_, tokens, last := d.run(b.Beats(passes)[:4], 3*c.heads*b.HeadChannels/b.Lanes)
		period := tokens[len(tokens)-1] - tokens[len(tokens)-2]
		took := last - tokens[len(tokens)-1] + 1
		compute := 2 * c.heads * c.length * b.HeadChannels / (b.Rows * b.Cols)
		bytes := 2 * c.kvHeads * c.length * b.HeadChannels / (b.Port * b.Rows)
		bound := max(compute, bytes)
		ratio := func(cycles int) float64 { return float64(cycles) / float64(bound) }
		t.Logf("%d bytes a cycle, %d heads on %d, l %d: multipliers %d, port %d; a token every %d cycles, ratio %.3f; last output after %d, ratio %.3f",
			b.Port*b.Rows, c.heads, c.kvHeads, c.length, compute, bytes, period, ratio(period), took, ratio(took))
		if max(period, took) > bound*105/100 {
			t.Errorf("%s: %d and %d cycles are more than 1.05 times %d", b.Name(), period, took, bound)
		}
	}
}
