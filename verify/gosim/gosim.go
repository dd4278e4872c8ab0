// Package gosim is the engine that compiles a design to a Go program, written with jennifer,
// and runs it as a worker process.
//
// The program uses native operations on native integer types and nothing of ir/bits, so that
// an error common to both would show. An Array stays a loop over its lanes: values of equal
// shape share a loop, selectors that are the same in all lanes choose between versions of the
// loop, neighbour chains are copies, one-bit vectors are packed 64 to a word, and registers
// update in place because whatever reads them runs first. Where the processor and the version
// of Go allow it, loops of 32-bit arithmetic work on 16 lanes at a time. Records travel packed,
// through memory that both processes map, and the next batch is packed while one runs. Weights, tables and seeds are sent
// at run time: they rebuild nothing.
package gosim

import (
	"context"
	"fmt"
	"time"

	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/cache"
)

// Options are the zero value in ordinary use.
type Options struct {
	CacheDir string        // where built programs are kept; "" is cache.Default
	Wait     time.Duration // the longest wait for one answer of the worker; 0 is two minutes

	pipes  bool // records through the pipes even where memory can be shared
	scalar bool // loops without vectors even where there are vectors
}

// New generates, builds and starts the simulator of d, which must have passed ir.Check. The
// worker ends with Close or ctx. Without a go command, or with one that fails, the error is
// a *verify.ToolError.
func New(ctx context.Context, d *ir.Design, opt Options) (verify.Engine, error) {
	if err := rtl.CheckPorts(d.Top); err != nil {
		return nil, err
	}
	src, p, err := generate(d)
	if err != nil {
		return nil, err
	}
	dir, err := openCache(opt.CacheDir)
	if err != nil {
		return nil, err
	}
	program, err := build(ctx, dir, src, opt)
	if err != nil {
		return nil, err
	}
	if opt.Wait == 0 {
		opt.Wait = 2 * time.Minute
	}
	w, err := start(ctx, program, d.Name, p.in.bytes+p.out.bytes, opt)
	if err != nil {
		return nil, err
	}
	e := &Engine{plan: p, worker: w}
	if err := e.Power(0, nil); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func openCache(path string) (*cache.Dir, error) {
	if path == "" {
		return cache.Default()
	}
	return cache.Open(path)
}

// Engine is a running simulator. It is not safe for concurrent use.
type Engine struct {
	plan   *plan
	worker *worker
}

var _ verify.Engine = (*Engine)(nil)

// Name is "gosim".
func (e *Engine) Name() string { return "gosim" }

// Power is described at verify.Engine.
func (e *Engine) Power(seed uint64, img *ir.Image) error {
	words, err := e.plan.powerOn(seed, img)
	if err != nil {
		return err
	}
	return e.worker.load(words)
}

// Run is described at verify.Engine.
func (e *Engine) Run(in, out []uint64, n int) error {
	if len(in) < n*e.plan.in.words || len(out) < n*e.plan.out.words {
		return fmt.Errorf("gosim: %d cycles need %d input and %d output words, got %d and %d",
			n, n*e.plan.in.words, n*e.plan.out.words, len(in), len(out))
	}
	return e.worker.run(&e.plan.in, &e.plan.out, in, out, n)
}

// Close ends the worker. It may be called twice.
func (e *Engine) Close() error { return e.worker.close() }
