// Package cosim runs two or more engines in lockstep on one design and, at the first
// difference, says where it began: cycle, hierarchical name, all values, source position, a
// shrunk stimulus, a waveform and how to run it again.
package cosim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"ohmloom/ir"
	"ohmloom/verify"
)

// Options of a run. The zero value compares 1,000 cycles and writes no files.
type Options struct {
	Cycles int       // 0: as many as a directed stimulus has, else 1,000
	Batch  int       // cycles a call of the engines; 0: 256
	Power  uint64    // seed of the power-on state
	Image  *ir.Image // contents of Loaded memories, or nil

	// AfterReset leaves out the cycles before the end of the first reset. Engines that keep
	// the contract also agree before it; netlists without power-on state do not.
	AfterReset bool

	Limit time.Duration // longest wait for one call of an engine; 0: two minutes

	// Dir is where the shrunk stimulus and the waveform of a difference go, made when it is
	// missing; "": nowhere.
	Dir string
	// Before and After are the cycles of the waveform round the difference; 0: 32 and 4.
	Before, After int
	// Tries bounds the runs that shrinking makes; 0: 400, negative: no shrinking.
	Tries int
	// Rebuild makes engine i again for expose(its design), which shows all registers as
	// outputs, so that the earliest difference inside can be named. nil: outputs only.
	Rebuild func(ctx context.Context, i int, expose func(*ir.Design) *ir.Design) (verify.Engine, error)
	// Replay is the command line that runs the stimulus in file again ("" when none was
	// written). nil: a plain description of the run.
	Replay func(file string) string
	// Progress is told the cycles done after each batch, or nil.
	Progress func(done, of int)
}

func (o Options) withDefaults(s Stimulus, w int) Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	if s.Kind == KindDirected && (o.Cycles == 0 || o.Cycles > len(s.Records)/w) {
		o.Cycles = len(s.Records) / w
	}
	def(&o.Cycles, 1000)
	def(&o.Batch, 256)
	def(&o.Before, 32)
	def(&o.After, 4)
	def(&o.Tries, 400)
	if o.Limit == 0 {
		o.Limit = 2 * time.Minute
	}
	return o
}

// Result of a run.
type Result struct {
	Design    string    `json:"design"`
	Engines   []string  `json:"engines"`
	Stimulus  string    `json:"stimulus"` // "random", "extreme" or "directed"
	Seed      uint64    `json:"seed"`     // of the stimulus
	Power     uint64    `json:"power_on_seed"`
	Cycles    int       `json:"cycles"` // run by every engine
	Compared  int       `json:"compared_values"`
	Passed    bool      `json:"passed"`
	Mismatch  *Mismatch `json:"mismatch,omitempty"`
	Coverage  Coverage  `json:"coverage"`
	CyclesPer []float64 `json:"-"` // cycles a second of each engine, as it ran beside the others
}

// group is the engines of a run.
type group struct {
	engines []verify.Engine
	shape   verify.Shape
	opt     Options
	out     [][]uint64
	busy    []time.Duration
}

func newGroup(engines []verify.Engine, s verify.Shape, opt Options) *group {
	g := &group{engines: engines, shape: s, opt: opt, busy: make([]time.Duration, len(engines))}
	for range engines {
		g.out = append(g.out, make([]uint64, opt.Batch*s.OutWords))
	}
	return g
}

// grace is how long a call may go on after the end of its context: a batch is short, and an
// engine that hangs is not waited for.
const grace = 3 * time.Second

// all calls f for all engines side by side and waits, no longer than the limit and grace. An
// engine that does not return is left behind and must not be used again.
func (g *group) all(ctx context.Context, what string, f func(i int) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.opt.Limit, fmt.Errorf("%s took longer than %v", what, g.opt.Limit))
	defer cancel()
	eg, _ := errgroup.WithContext(ctx)
	for i, e := range g.engines {
		eg.Go(func() error {
			done := make(chan error, 1)
			start := time.Now()
			go func() { done <- f(i) }()
			select {
			case err := <-done:
				g.busy[i] += time.Since(start)
				if err != nil {
					return fmt.Errorf("engine %s, %s: %w", e.Name(), what, err)
				}
				return nil
			case <-ctx.Done():
				select { // whoever closes the engine next must not meet it at work
				case <-done:
				case <-time.After(grace):
				}
				return fmt.Errorf("engine %s: %w", e.Name(), context.Cause(ctx))
			}
		})
	}
	return eg.Wait()
}

func (g *group) power(ctx context.Context) error {
	return g.all(ctx, "power-on", func(i int) error { return g.engines[i].Power(g.opt.Power, g.opt.Image) })
}

// step runs n <= Batch cycles; the outputs are then in g.out.
func (g *group) step(ctx context.Context, in []uint64, from, n int) error {
	return g.all(ctx, fmt.Sprintf("cycles %d to %d", from, from+n-1), func(i int) error {
		return g.engines[i].Run(in[:n*g.shape.InWords], g.out[i][:n*g.shape.OutWords], n)
	})
}

// resetGate tells which cycles count: all, or those after the first reset.
type resetGate struct{ wait, seen bool }

func (r *resetGate) open(rst uint64) bool {
	if r.wait {
		if rst&1 == 1 {
			r.seen = true
		} else if r.seen {
			r.wait = false
		}
	}
	return !r.wait
}

// difference finds the first cycle of a batch, and in it the first word, where some engine
// differs from the first one.
func (g *group) difference(in []uint64, n int, gate *resetGate) (cycle, word int, found bool) {
	w := g.shape.OutWords
	for k := range n {
		if !gate.open(in[k*g.shape.InWords]) {
			continue
		}
		for i := k * w; i < (k+1)*w; i++ {
			for _, o := range g.out[1:] {
				if o[i] != g.out[0][i] {
					return k, i - k*w, true
				}
			}
		}
	}
	return 0, 0, false
}

// Run compares engines on design d, cycle by cycle. A difference is no error: it is in the
// result. An error says that a comparison was not possible: an engine failed or hung, or ctx
// ended.
func Run(ctx context.Context, d *ir.Design, engines []verify.Engine, s Stimulus, opt Options) (*Result, error) {
	if len(engines) < 2 {
		return nil, errors.New("cosim: a comparison needs two engines")
	}
	shape := verify.ShapeOf(d.Top)
	src, err := s.start(shape)
	if err != nil {
		return nil, fmt.Errorf("cosim: %w", err)
	}
	opt = opt.withDefaults(s, shape.InWords)
	g := newGroup(engines, shape, opt)
	res := &Result{Design: d.Name, Stimulus: s.Kind, Seed: s.Seed, Power: opt.Power}
	for _, e := range engines {
		res.Engines = append(res.Engines, e.Name())
	}
	if err := g.power(ctx); err != nil {
		return res, fmt.Errorf("cosim: %w", err)
	}
	clear(g.busy)
	cover := newCover(shape)
	gate := &resetGate{wait: opt.AfterReset}
	in := make([]uint64, opt.Batch*shape.InWords)
	for res.Cycles < opt.Cycles {
		n := min(opt.Batch, opt.Cycles-res.Cycles)
		src.fill(in[:n*shape.InWords])
		if err := g.step(ctx, in, res.Cycles, n); err != nil {
			return res, fmt.Errorf("cosim: stimulus %s, seed %#x: %w", s.Kind, s.Seed, err)
		}
		k, word, differs := g.difference(in, n, gate)
		if differs {
			cover.add(in, g.out[0], k+1)
			res.Mismatch = g.mismatch(d, res.Cycles+k, k, word)
			res.Cycles += k + 1
			break
		}
		cover.add(in, g.out[0], n)
		res.Cycles += n
		if opt.Progress != nil {
			opt.Progress(res.Cycles, opt.Cycles)
		}
	}
	res.Compared = res.Cycles * shape.OutWords
	res.Coverage = cover.result(d.Top.Name)
	for _, t := range g.busy {
		res.CyclesPer = append(res.CyclesPer, float64(res.Cycles)/max(t.Seconds(), 1e-9))
	}
	res.Passed = res.Mismatch == nil
	if !res.Passed {
		err = explain(ctx, d, g, s, res)
	}
	return res, err
}
