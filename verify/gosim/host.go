package gosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

const (
	magic    = 0x6f686d6c6f6f6d32
	kindLoad = 1
	kindRun  = 2

	slotBytes = 256 << 10       // records of a batch, input and output
	slots     = 4               // batches under way, where memory is shared
	parts     = 4               // batches a call is cut into, so that packing overlaps execution
	fewCycles = 64              // and that are not worth cutting
	closeWait = 5 * time.Second // for the end of a worker that was killed
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

	slotBytes int      // room for the records of a batch
	shared    []byte   // the slots, when both processes map them
	own       []uint64 // the only slot, when the records go through the pipes
}

// start runs program, which takes in and shows recordBytes bytes a cycle.
func start(ctx context.Context, program, design string, recordBytes int, opt Options) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("gosim: starting the simulator of %s: %w", design, err)
	}
	runCtx, cancel := context.WithCancel(ctx)
	w := &worker{design: design, wait: opt.Wait, ctx: ctx, cancel: cancel, stderr: &tail{}, gone: make(chan struct{}),
		slotBytes: max(slotBytes, recordBytes)}
	w.cmd = exec.CommandContext(runCtx, program)
	if !opt.pipes {
		defer w.share().Close()
	}
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
		w.unshare()
		return nil, fmt.Errorf("gosim: the simulator of %s does not start: %w", design, err)
	}
	go func() {
		w.exit = w.cmd.Wait()
		close(w.gone)
	}()
	return w, nil
}

// share maps memory that the process will map too, if there is such a thing here. The file is
// to be closed when the process was started.
func (w *worker) share() *os.File {
	mem, file, err := shareMemory(slots * w.slotBytes)
	if err != nil {
		return nil // the pipes do
	}
	w.shared, w.cmd.ExtraFiles = mem, []*os.File{file}
	w.cmd.Args = append(w.cmd.Args, strconv.Itoa(len(mem)))
	return file
}

func (w *worker) unshare() {
	if w.shared != nil {
		unshare(w.shared)
		w.shared = nil
	}
}

// load sends a power-on state.
func (w *worker) load(state []uint64) error {
	return w.guard(fmt.Sprintf("to load %d words of state", len(state)), func(alive func()) error {
		sent := make(chan error, 1)
		go func() { sent <- w.send(kindLoad, len(state), 0, raw(state)) }()
		if err := w.receiveHead(kindLoad, len(state), 0); err != nil {
			return err
		}
		return <-sent
	})
}

// batch is a stretch of cycles under way.
type batch struct {
	first, n int
	at       int // its slot's first byte in the shared memory
	out      []byte
}

// run executes n cycles in batches. Where memory is shared, the pipes carry only heads, and
// one batch is packed and another unpacked while the worker runs. Else the records follow the
// heads, and one batch ends before the next begins.
func (w *worker) run(in, out *record, src, dst []uint64, n int) error {
	if n == 0 {
		return nil
	}
	depth := 1
	if w.shared != nil {
		depth = slots
	}
	cut := min(w.slotBytes/(in.bytes+out.bytes), max(fewCycles, (n+parts-1)/parts))
	return w.guard(fmt.Sprintf("to run batches of %d cycles", min(n, cut)), func(alive func()) error {
		var under []batch
		for k := 0; k < n || len(under) > 0; {
			if len(under) == depth || k >= n {
				b := under[0]
				under = under[1:]
				if err := w.finish(b); err != nil {
					return err
				}
				out.unpack(dst[b.first*out.words:], b.out, b.n)
				alive()
				continue
			}
			b := batch{first: k, n: min(cut, n-k), at: k / cut % depth * w.slotBytes}
			mem := w.slot(b.at)
			records := mem[:b.n*in.bytes]
			b.out = mem[len(records):][:b.n*out.bytes]
			in.pack(records, src[k*in.words:], b.n)
			if w.shared != nil {
				records = nil
			}
			if err := w.send(kindRun, b.n, b.at, records); err != nil {
				return err
			}
			under = append(under, b)
			k += b.n
		}
		return nil
	})
}

// finish waits for the end of a batch.
func (w *worker) finish(b batch) error {
	if err := w.receiveHead(kindRun, b.n, b.at); err != nil || w.shared != nil {
		return err
	}
	_, err := io.ReadFull(w.out, b.out)
	return err
}

// slot is the memory for the records of a batch.
func (w *worker) slot(at int) []byte {
	if w.shared != nil {
		return w.shared[at:][:w.slotBytes]
	}
	if w.own == nil {
		w.own = make([]uint64, w.slotBytes/8)
	}
	return raw(w.own)
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

// send writes a request and its data.
func (w *worker) send(kind, n, at int, data []byte) error {
	head := [4]uint64{magic, uint64(kind), uint64(n), uint64(at)}
	if _, err := w.in.Write(raw(head[:])); err != nil || len(data) == 0 {
		return err
	}
	_, err := w.in.Write(data)
	return err
}

// receiveHead waits for the answer to a request.
func (w *worker) receiveHead(kind, n, at int) error {
	var head [4]uint64
	if _, err := io.ReadFull(w.out, raw(head[:])); err != nil {
		return err
	}
	if head != [4]uint64{magic, uint64(kind), uint64(n), uint64(at)} {
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
	w.unshare()
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
