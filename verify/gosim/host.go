package gosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unsafe"
)

const (
	magic    = 0x6f686d6c6f6f6d31
	kindLoad = 1
	kindRun  = 2

	batchBytes = 64 << 10        // records sent at a time, about
	closeWait  = 5 * time.Second // for the end of a worker that was killed
)

// worker is the process of a built simulator. A goroutine waits for it from the start, so
// that it never stays behind as a zombie.
type worker struct {
	design string
	wait   time.Duration
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	stderr *tail
	cancel context.CancelFunc
	ctx    context.Context
	gone   chan struct{} // closed when the process has been waited for
	exit   error         // how it ended; read after gone
	broken error         // the first failure; every later call repeats it
}

func start(ctx context.Context, program, design string, opt Options) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("gosim: starting the simulator of %s: %w", design, err)
	}
	runCtx, cancel := context.WithCancel(ctx)
	w := &worker{design: design, wait: opt.Wait, ctx: ctx, cancel: cancel, stderr: &tail{}, gone: make(chan struct{})}
	w.cmd = exec.CommandContext(runCtx, program)
	w.cmd.Stderr = w.stderr
	w.cmd.WaitDelay = closeWait
	childIn, in, err := os.Pipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("gosim: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("gosim: %w", err), childIn.Close(), in.Close())
	}
	w.cmd.Stdin, w.cmd.Stdout, w.in, w.out = childIn, childOut, in, out
	err = w.cmd.Start()
	childIn.Close()
	childOut.Close()
	if err != nil {
		cancel()
		in.Close()
		out.Close()
		return nil, fmt.Errorf("gosim: the simulator of %s does not start: %w", design, err)
	}
	go func() {
		w.exit = w.cmd.Wait()
		close(w.gone)
	}()
	return w, nil
}

// load sends a power-on state.
func (w *worker) load(state []uint64) error {
	return w.guard(fmt.Sprintf("to load %d words of state", len(state)), func(alive func()) error {
		sent := make(chan error, 1)
		go func() { sent <- w.send([]uint64{magic, kindLoad, uint64(len(state))}, state) }()
		err := w.receiveHead(kindLoad, len(state))
		if err != nil {
			return err
		}
		return <-sent
	})
}

// run sends n cycles in batches; answers are read while later batches are on their way.
func (w *worker) run(in, out []uint64, n, inWords, outWords int) error {
	if n == 0 {
		return nil
	}
	batch := max(1, batchBytes/8/(inWords+outWords))
	return w.guard(fmt.Sprintf("to run batches of %d cycles", min(n, batch)), func(alive func()) error {
		sent := make(chan error, 1)
		go func() {
			for k := 0; k < n; k += batch {
				m := min(batch, n-k)
				if err := w.send([]uint64{magic, kindRun, uint64(m)}, in[k*inWords:(k+m)*inWords]); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for k := 0; k < n; k += batch {
			m := min(batch, n-k)
			if err := w.receiveHead(kindRun, m); err != nil {
				return err
			}
			if err := w.receive(out[k*outWords : (k+m)*outWords]); err != nil {
				return err
			}
			alive()
		}
		return <-sent
	})
}

// guard runs an exchange that must make progress every w.wait; a worker that does not is
// killed. The error says what was waited for and how the worker ended.
func (w *worker) guard(what string, exchange func(alive func()) error) error {
	if w.broken != nil {
		return w.broken
	}
	var late sync.Once
	hung := false
	timer := time.AfterFunc(w.wait, func() {
		late.Do(func() { hung = true })
		w.cancel()
	})
	err := exchange(func() { timer.Reset(w.wait) })
	timer.Stop()
	if err == nil {
		return nil
	}
	exit := w.kill()
	late.Do(func() {})
	switch {
	case hung:
		err = fmt.Errorf("gosim: the simulator of %s was waited for %v %s and was ended", w.design, w.wait, what)
	case w.ctx.Err() != nil:
		err = fmt.Errorf("gosim: waiting for the simulator of %s %s: %w", w.design, what, w.ctx.Err())
	default:
		err = fmt.Errorf("gosim: waiting for the simulator of %s %s: it ended (%v): %w%s", w.design, what, exit, err, w.stderr)
	}
	w.broken = err
	return err
}

func raw(s []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*8)
}

func (w *worker) send(head, data []uint64) error {
	if _, err := w.in.Write(raw(head)); err != nil {
		return err
	}
	if len(data) == 0 {
		return nil
	}
	_, err := w.in.Write(raw(data))
	return err
}

func (w *worker) receive(s []uint64) error {
	if len(s) == 0 {
		return nil
	}
	_, err := io.ReadFull(w.out, raw(s))
	return err
}

func (w *worker) receiveHead(kind, n int) error {
	var head [3]uint64
	if err := w.receive(head[:]); err != nil {
		return err
	}
	if head != [3]uint64{magic, uint64(kind), uint64(n)} {
		return fmt.Errorf("the answer begins with %x", head)
	}
	return nil
}

// kill ends the process, waits for its end and says how it ended.
func (w *worker) kill() error {
	w.cancel()
	defer w.in.Close()
	defer w.out.Close()
	select {
	case <-w.gone:
		return w.exit
	case <-time.After(2 * closeWait):
		return fmt.Errorf("did not end within %v of being killed", 2*closeWait)
	}
}

func (w *worker) close() error {
	w.kill()
	if w.broken == nil {
		w.broken = fmt.Errorf("gosim: the simulator of %s was closed", w.design)
	}
	return nil
}

// tail keeps the first of what a process prints on standard error.
type tail struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 2000 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len() == 0 {
		return ""
	}
	return "\n" + strings.TrimSpace(t.b.String())
}
