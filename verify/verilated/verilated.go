// Package verilated executes the emitted Verilog: Verilator turns it into C++, g++ into a
// shared object, which is loaded into this process (without cgo) or into a worker.
package verilated

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/cache"
	"ohmloom/verify/verilated/vlog"
)

// Options say how a design is built and run. The zero value is the usual way.
type Options struct {
	Cache *cache.Dir // where builds are kept; nil: cache.Default

	// Isolate runs the model in a worker process, so that a crash or a hang of it is an error
	// instead of the end of this process. It costs a copy of each record through a pipe.
	Isolate bool
	Limit   time.Duration // with Isolate: longest time for one call; 0: one minute

	Wave *Wave // write a waveform; builds another, slower model
}

// Wave is a window of cycles [From, To), counted from Power, that goes into a VCD file.
type Wave struct {
	File     string
	From, To int
}

// buildLimit bounds a build that ctx does not bound.
const buildLimit = 20 * time.Minute

// harnessFile is the name of the generated C++ around the model.
const harnessFile = "harness.cxx"

// Engine is a design in Verilator. It implements verify.Engine.
type Engine struct {
	// Built is how long the build took; 0 when it was in the cache.
	Built time.Duration

	shape  verify.Shape
	tables []vlog.Table
	wave   *Wave

	mu    sync.Mutex
	model model // nil after Close
	ready bool
}

var _ verify.Engine = (*Engine)(nil)

// model is a loaded model, here or in a worker.
type model interface {
	power(seed uint64, tables string, w *Wave) error
	run(in, out []uint64, n int) error
	close() error
}

// New builds d, or finds it built in the cache, and loads it. Missing, old and broken tools
// are a *verify.ToolError.
func New(ctx context.Context, d *ir.Design, opt Options) (*Engine, error) {
	files, err := vlog.Emit(d)
	if err != nil {
		return nil, err
	}
	return FromVerilog(ctx, d.Top, vlog.Tables(d), files, opt)
}

// FromVerilog is New for Verilog that is given: top names its module and ports, tables its
// loadable memories. Changed Verilog, or a netlist, runs this way.
func FromVerilog(ctx context.Context, top *ir.Module, tables []vlog.Table, files []vlog.File, opt Options) (*Engine, error) {
	if top.Name == vlog.Bench {
		return nil, fmt.Errorf("verilated: the top module cannot be called %s, which is the test bench's name", vlog.Bench)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, buildLimit, fmt.Errorf("the build took longer than %v", buildLimit))
	defer cancel()
	c := opt.Cache
	if c == nil {
		var err error
		if c, err = cache.Default(); err != nil {
			return nil, err
		}
	}
	t, err := tools(ctx, opt.Wave != nil)
	if err != nil {
		return nil, err
	}
	e := &Engine{shape: verify.ShapeOf(top), tables: tables, wave: opt.Wave}
	files = complete(top, files)
	start := time.Now()
	so, built, err := t.library(ctx, c, files, opt.Wave != nil)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", top.Name, err)
	}
	if built {
		e.Built = time.Since(start)
	}
	if opt.Isolate {
		e.model, err = newWorker(so, e.shape, opt.Limit)
	} else {
		e.model, err = newLocal(so)
	}
	if err != nil {
		return nil, fmt.Errorf("verilated: %w", err)
	}
	return e, nil
}

// complete adds what the model needs besides the emitted Verilog.
func complete(top *ir.Module, files []vlog.File) []vlog.File {
	s := verify.ShapeOf(top)
	all := []vlog.File{{Name: "bench.v", Text: bench(top, s)}, {Name: harnessFile, Text: harness(top, s)}}
	for _, f := range files {
		if f.Name == initFile.Name {
			f = initFile
		}
		all = append(all, f)
	}
	return all
}

// Name is "verilated".
func (e *Engine) Name() string { return "verilated" }

// Power is described at verify.Engine. It makes the model anew.
func (e *Engine) Power(seed uint64, img *ir.Image) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready = false
	if e.model == nil {
		return errors.New("verilated: the engine is closed")
	}
	dir, err := os.MkdirTemp("", "ohmloom-tables-")
	if err != nil {
		return fmt.Errorf("verilated: %w", err)
	}
	defer os.RemoveAll(dir) // the model has read its tables when it exists
	prefix, err := vlog.WriteImage(dir, e.tables, img)
	if err != nil {
		return fmt.Errorf("verilated: %w", err)
	}
	if err := e.model.power(seed, prefix, e.wave); err != nil {
		return fmt.Errorf("verilated: %w", err)
	}
	e.ready = true
	return nil
}

// Run is described at verify.Engine.
func (e *Engine) Run(in, out []uint64, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ready {
		return errors.New("verilated: Run before Power or after Close")
	}
	if n < 0 || len(in) < n*e.shape.InWords || len(out) < n*e.shape.OutWords {
		return fmt.Errorf("verilated: %d cycles need %d words in and %d out, got %d and %d",
			n, n*e.shape.InWords, n*e.shape.OutWords, len(in), len(out))
	}
	if n == 0 {
		return nil
	}
	if err := e.model.run(in[:n*e.shape.InWords], out[:n*e.shape.OutWords], n); err != nil {
		return fmt.Errorf("verilated: %w", err)
	}
	return nil
}

// Close frees the model; the shared object stays in memory until the process ends.
// While a call still runs, as in a model that hangs, it frees nothing and says so.
func (e *Engine) Close() error {
	if !e.mu.TryLock() {
		return errors.New("verilated: Close while a call is running")
	}
	defer e.mu.Unlock()
	e.ready = false
	if e.model == nil {
		return nil
	}
	m := e.model
	e.model = nil
	return m.close()
}
