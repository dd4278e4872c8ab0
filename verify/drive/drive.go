// Package drive feeds streams into a design and collects what comes out, on any engine. It
// knows streams by the names of their ports: <s>_valid, <s>_ready and <s>_<field>; a stream
// without a ready port moves a beat in every cycle in which it is valid.
package drive

import (
	"fmt"
	"math/rand"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
)

// Beat is what a stream moves in one cycle: the words of each field, in port order.
type Beat = [][]uint64

// Feed is the beats to put into one input stream.
type Feed struct {
	Name    string
	Beats   []Beat
	Answers *Answers // nil: each beat is offered as soon as the one before was taken
}

// Answers makes a memory of fixed latency of a Feed: its beats answer those of an output stream.
type Answers struct {
	To      string                 // a wanted output stream, of requests
	Beats   func(request Beat) int // of the answer
	Latency int                    // cycles from the one in which a request is taken to the first in which its answer is offered, at least 1
}

// Want is how many beats to take from one output stream.
type Want struct {
	Name  string
	Beats int
}

// Options of a run. The zero value never stalls.
type Options struct {
	Stall   float64           // chance in each cycle that a beat is held back, or not taken; 0..1
	Rand    *rand.Rand        // decides stalls and the data of idle streams; nil: seed 1
	Inputs  map[string]uint64 // every element of other input ports, constant; default 0
	MaxIdle int               // cycles without a transfer after which the run fails; default 10,000
	Tail    int               // cycles to watch for superfluous beats after the last; default 8
	Watch   []Watch           // what to note of other outputs
	Running bool              // go on from the design's state, without a reset first
}

// Watch notes in which cycles something holds of output ports that are no streams.
type Watch struct {
	Ports []string              // outputs of the design
	Holds func(v []uint64) bool // of the first element of each port
}

// Result of a run.
type Result struct {
	Out    [][]Beat // for each Want, what was taken
	Cycles int      // from the first transfer to the last of an output stream, both included
	Taken  [][]int  // for each Feed, the cycle of each transfer
	Given  [][]int  // for each Want, the cycle of each transfer
	Held   [][]int  // for each Watch, the cycles in which it held
}

// channel is one stream bound to record positions.
type channel struct {
	name         string
	valid, ready int // word in its record; ready < 0: none
	fields       []span
	beats        []Beat // still to send (input)
	want         int
	up           bool // offered and not yet taken
	held         Beat // what was offered (output), to see that it stays
	cycles       []int
	got          []Beat
	answers      *Answers   // of an input
	from         []int      // no beat of an answer is offered earlier
	asks         []*channel // what answers an output
}

type span struct{ at, n, w int }

type run struct {
	e         verify.Engine
	shape     verify.Shape
	in, out   []*channel
	ins, outs []uint64
	opt       Options
	cycle     int
	watched   [][]int // words of each Watch in the record of outputs
	held      [][]int
}

// Fault is what a design did wrong on its streams, or did not do in time.
type Fault struct{ What string }

func (f *Fault) Error() string { return f.What }

func fault(format string, a ...any) error { return &Fault{fmt.Sprintf(format, a...)} }

// Run resets the design for one cycle (unless it is Running), sends all beats of feeds and takes the wanted number of
// beats. It fails when nothing moves for MaxIdle cycles, when the design drops or changes an
// offered beat, or when beats come out that nobody wanted; those errors are a *Fault. The
// engine must have been powered up.
func Run(e verify.Engine, top *ir.Module, feeds []Feed, wants []Want, opt Options) (*Result, error) {
	if opt.Rand == nil {
		opt.Rand = rand.New(rand.NewSource(1))
	}
	if opt.MaxIdle == 0 {
		opt.MaxIdle = 10_000
	}
	if opt.Tail == 0 {
		opt.Tail = 8
	}
	r := &run{e: e, shape: verify.ShapeOf(top), opt: opt}
	r.ins, r.outs = make([]uint64, r.shape.InWords), make([]uint64, r.shape.OutWords)
	if err := r.bind(feeds, wants); err != nil {
		return nil, err
	}
	if !opt.Running {
		r.ins[0] = 1
		if err := r.e.Run(r.ins, r.outs, 1); err != nil {
			return nil, err
		}
		r.ins[0] = 0
	}
	if err := r.loop(); err != nil {
		return nil, fmt.Errorf("%s on %s: cycle %d: %w", top.Name, e.Name(), r.cycle, err)
	}
	return r.result(), nil
}

func (r *run) loop() error {
	for idle := 0; ; {
		done := r.done()
		if done && idle >= r.opt.Tail {
			return nil
		}
		moved, err := r.step()
		switch {
		case err != nil:
			return err
		case moved && done:
			return fault("a transfer after the last expected one")
		case moved:
			idle = 0
		default:
			idle++
		}
		if !done && idle >= r.opt.MaxIdle {
			return fault("nothing moved for %d cycles; waiting for %s", idle, r.waiting())
		}
	}
}

// step is one cycle; moved tells whether any stream made a transfer.
func (r *run) step() (moved bool, err error) {
	for _, c := range r.in {
		r.offer(c)
	}
	for _, c := range r.out {
		if c.ready >= 0 {
			r.ins[c.ready] = bits.Bool(!r.stall())
		}
	}
	if err := r.e.Run(r.ins, r.outs, 1); err != nil {
		return false, err
	}
	for _, c := range r.in {
		if c.up && (c.ready < 0 || r.outs[c.ready] == 1) {
			c.up, moved = false, true
			c.beats = c.beats[1:]
			c.cycles = append(c.cycles, r.cycle)
		}
	}
	for _, c := range r.out {
		took, err := r.take(c)
		if err != nil {
			return false, err
		}
		moved = moved || took
	}
	r.watch()
	r.cycle++
	return moved, nil
}

// watch notes what holds in this cycle.
func (r *run) watch() {
	for i, w := range r.opt.Watch {
		v := make([]uint64, len(r.watched[i]))
		for j, at := range r.watched[i] {
			v[j] = r.outs[at]
		}
		if w.Holds(v) {
			r.held[i] = append(r.held[i], r.cycle)
		}
	}
}

func (r *run) stall() bool { return r.opt.Stall > 0 && r.opt.Rand.Float64() < r.opt.Stall }

// offer sets the inputs of c: its next beat, or noise while it is not valid.
func (r *run) offer(c *channel) {
	if !c.up && len(c.beats) > 0 && c.due(r.cycle) && !r.stall() {
		c.up = true
		for i, f := range c.fields {
			copy(r.ins[f.at:f.at+f.n], c.beats[0][i])
		}
	}
	r.ins[c.valid] = bits.Bool(c.up)
	if c.up {
		return
	}
	for _, f := range c.fields {
		for i := 0; i < f.n; i++ {
			r.ins[f.at+i] = r.opt.Rand.Uint64() & bits.Mask(f.w)
		}
	}
}

// due reports that the next beat may be offered.
func (c *channel) due(cycle int) bool {
	n := len(c.cycles) // beats that were taken
	return c.answers == nil || n < len(c.from) && c.from[n] <= cycle
}

// take looks at output stream c after the cycle.
func (r *run) take(c *channel) (bool, error) {
	if r.outs[c.valid] == 0 {
		if c.held != nil {
			return false, fault("stream %s withdrew a beat that was not taken", c.name)
		}
		return false, nil
	}
	beat := make(Beat, len(c.fields))
	for i, f := range c.fields {
		beat[i] = append([]uint64(nil), r.outs[f.at:f.at+f.n]...)
	}
	if c.held != nil && !same(c.held, beat) {
		return false, fault("stream %s changed a beat that was not taken", c.name)
	}
	if c.ready >= 0 && r.ins[c.ready] == 0 {
		c.held = beat
		return false, nil
	}
	if len(c.got) == c.want {
		return false, fault("stream %s gives more than the %d beats expected", c.name, c.want)
	}
	c.held = nil
	for _, in := range c.asks {
		for range in.answers.Beats(beat) {
			in.from = append(in.from, r.cycle+in.answers.Latency)
		}
	}
	c.got = append(c.got, beat)
	c.cycles = append(c.cycles, r.cycle)
	return true, nil
}

func same(a, b Beat) bool {
	for i := range a {
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return true
}

func (r *run) done() bool {
	for _, c := range r.in {
		if len(c.beats) > 0 {
			return false
		}
	}
	for _, c := range r.out {
		if len(c.got) < c.want {
			return false
		}
	}
	return true
}

// waiting says what has not happened yet.
func (r *run) waiting() string {
	var w []string
	for _, c := range r.in {
		if len(c.beats) > 0 {
			w = append(w, fmt.Sprintf("%s to take %d beats", c.name, len(c.beats)))
		}
	}
	for _, c := range r.out {
		if len(c.got) < c.want {
			w = append(w, fmt.Sprintf("%s to give %d of %d beats", c.name, c.want-len(c.got), c.want))
		}
	}
	return strings.Join(w, ", ")
}

func (r *run) result() *Result {
	res := &Result{Held: r.held}
	first, last := -1, -1
	for _, c := range r.in {
		res.Taken = append(res.Taken, c.cycles)
		if len(c.cycles) > 0 && (first < 0 || c.cycles[0] < first) {
			first = c.cycles[0]
		}
	}
	for _, c := range r.out {
		res.Out = append(res.Out, c.got)
		res.Given = append(res.Given, c.cycles)
		if n := len(c.cycles); n > 0 {
			last = max(last, c.cycles[n-1])
		}
	}
	if first >= 0 && last >= first {
		res.Cycles = last - first + 1
	}
	return res
}
