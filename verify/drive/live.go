package drive

import (
	"math"
	"math/rand"

	"ohmloom/ir"
	"ohmloom/verify"
)

// Live drives a design whose answers decide what it is given next: beats are pushed into input
// streams at any time, and taken from output streams as they come, always at once.
type Live struct {
	run *run
	idx map[string]*channel
	out map[string]span // output ports
}

// NewLive binds the named input and output streams of an engine that was powered up, and
// resets the design for one cycle.
func NewLive(e verify.Engine, top *ir.Module, in, out []string) (*Live, error) {
	r := &run{e: e, shape: verify.ShapeOf(top), opt: Options{Rand: rand.New(rand.NewSource(1))}}
	r.ins, r.outs = make([]uint64, r.shape.InWords), make([]uint64, r.shape.OutWords)
	var feeds []Feed
	var wants []Want
	for _, name := range in {
		feeds = append(feeds, Feed{Name: name})
	}
	for _, name := range out {
		wants = append(wants, Want{Name: name, Beats: math.MaxInt})
	}
	if err := r.bind(feeds, wants); err != nil {
		return nil, err
	}
	r.ins[0] = 1
	if err := e.Run(r.ins, r.outs, 1); err != nil {
		return nil, err
	}
	r.ins[0] = 0
	l := &Live{run: r, idx: map[string]*channel{}, out: layout(r.shape.Out, 0)}
	for _, c := range append(append([]*channel(nil), r.in...), r.out...) {
		l.idx[c.name] = c
	}
	return l, nil
}

// Push offers beats in an input stream, after those that wait in it.
func (l *Live) Push(stream string, beats ...Beat) error {
	c := l.idx[stream]
	for _, b := range beats {
		if err := c.fits(b); err != nil {
			return err
		}
	}
	c.beats = append(c.beats, beats...)
	return nil
}

// Take gives the beats that came out of a stream since it was last asked.
func (l *Live) Take(stream string) []Beat {
	c := l.idx[stream]
	got := c.got
	c.got = nil
	return got
}

// Waiting is how many beats an input stream has not taken yet.
func (l *Live) Waiting(stream string) int { return len(l.idx[stream].beats) }

// Step is one cycle; moved tells whether any stream made a transfer. Errors are those of Run.
func (l *Live) Step() (moved bool, err error) {
	moved, err = l.run.step()
	for _, c := range l.idx {
		c.cycles = c.cycles[:0]
	}
	return moved, err
}

// Cycle is how many cycles there have been since the reset.
func (l *Live) Cycle() int { return l.run.cycle }

// Output gives the words of an output port in the last cycle; they change with the next one.
func (l *Live) Output(port string) []uint64 {
	at := l.out[port]
	return l.run.outs[at.at : at.at+at.n]
}
