package verilated

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
	"unsafe"

	"ohmloom/verify"
)

// workerVar makes any program that holds this package serve the model whose path it gives,
// over file descriptors 3 (requests) and 4 (answers), instead of running main. So a worker
// is this program started again, whether it is the command or a test.
const workerVar = "OHMLOOM_VERILATED_WORKER"

const defaultLimit = time.Minute

func init() {
	path := os.Getenv(workerVar)
	if path == "" {
		return
	}
	os.Unsetenv(workerVar)
	if err := serve(path, os.NewFile(3, "requests"), os.NewFile(4, "answers")); err != nil {
		fmt.Fprintln(os.Stderr, "ohmloom worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// request is the head of a message to the worker. A power request is followed by Text bytes
// (the tables' prefix, a zero byte, the waveform's file), a run request by In words.
type request struct {
	Op         uint64
	Seed       uint64
	Text       uint64
	From, To   int64
	N, In, Out uint64
	_          uint64
}

const (
	opPower = iota + 1
	opRun
)

// answer is the head of a message from the worker: an error text of Text bytes (none when
// all is well), then Out words.
type answer struct{ Text, Out uint64 }

// raw is the memory of words; both ends are the same program on the same machine.
func raw(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
}

// serve answers requests until their pipe ends.
func serve(path string, in io.Reader, out io.Writer) error {
	m, err := newLocal(path)
	if err != nil {
		return err
	}
	defer m.close()
	r, w := bufio.NewReader(in), bufio.NewWriter(out)
	for {
		var q request
		if err := binary.Read(r, binary.NativeEndian, &q); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		res, err := execute(m, q, r)
		text := ""
		if err != nil {
			text, res = err.Error(), nil
		}
		if err := binary.Write(w, binary.NativeEndian, answer{uint64(len(text)), uint64(len(res))}); err != nil {
			return err
		}
		w.WriteString(text)
		w.Write(raw(res))
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

func execute(m model, q request, r io.Reader) ([]uint64, error) {
	switch q.Op {
	case opPower:
		text := make([]byte, q.Text)
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		tables, file, _ := bytes.Cut(text, []byte{0})
		var w *Wave
		if len(file) > 0 {
			w = &Wave{string(file), int(q.From), int(q.To)}
		}
		return nil, m.power(q.Seed, string(tables), w)
	case opRun:
		in, out := make([]uint64, q.In), make([]uint64, q.Out)
		if _, err := io.ReadFull(r, raw(in)); err != nil {
			return nil, err
		}
		return out, m.run(in, out, int(q.N))
	}
	return nil, fmt.Errorf("request %d is not known", q.Op)
}

// worker is a model in another process. It is started by power, again after it died.
type worker struct {
	path   string
	shape  verify.Shape
	limit  time.Duration
	cmd    *exec.Cmd
	to     *os.File
	from   *os.File
	errs   bytes.Buffer
	exited chan struct{} // closed when the process is gone and waitErr is set
	status error
}

func newWorker(path string, s verify.Shape, limit time.Duration) (model, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	return &worker{path: path, shape: s, limit: limit}, nil
}

func (w *worker) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var files []*os.File
	for range 2 {
		r, wr, err := os.Pipe()
		if err != nil {
			closeAll(files)
			return err
		}
		files = append(files, r, wr)
	}
	w.errs.Reset()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerVar+"="+w.path)
	cmd.Stderr = &w.errs
	cmd.ExtraFiles = []*os.File{files[0], files[3]}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		closeAll(files)
		return fmt.Errorf("starting a worker: %w", err)
	}
	closeAll(cmd.ExtraFiles)
	w.cmd, w.to, w.from, w.exited = cmd, files[1], files[2], make(chan struct{})
	go func(done chan struct{}) {
		w.status = cmd.Wait()
		close(done)
	}(w.exited)
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (w *worker) power(seed uint64, tables string, wave *Wave) error {
	if w.cmd == nil {
		if err := w.start(); err != nil {
			return err
		}
	}
	q, text := request{Op: opPower, Seed: seed}, tables+"\x00"
	if wave != nil {
		text += wave.File
		q.From, q.To = int64(wave.From), int64(wave.To)
	}
	q.Text = uint64(len(text))
	return w.call(q, []byte(text), nil, "the power-on")
}

func (w *worker) run(in, out []uint64, n int) error {
	if w.cmd == nil {
		return errors.New("the worker is gone; Power starts another")
	}
	q := request{Op: opRun, N: uint64(n), In: uint64(len(in)), Out: uint64(len(out))}
	return w.call(q, raw(in), out, fmt.Sprintf("%d cycles", n))
}

// call sends a request and reads the answer, both within the limit; else it ends the worker.
func (w *worker) call(q request, payload []byte, out []uint64, what string) error {
	var late atomic.Bool
	timer := time.AfterFunc(w.limit, func() {
		late.Store(true)
		w.cmd.Process.Kill()
	})
	text, err := w.exchange(q, payload, out)
	timer.Stop()
	if err == nil {
		if text != "" {
			return errors.New(text)
		}
		return nil
	}
	w.close()
	if late.Load() {
		return fmt.Errorf("the model did not finish %s within %v; its process was ended", what, w.limit)
	}
	return fmt.Errorf("the model's process died during %s (%v): %s", what, w.status, bytes.TrimSpace(w.errs.Bytes()))
}

func (w *worker) exchange(q request, payload []byte, out []uint64) (string, error) {
	var head bytes.Buffer
	if err := binary.Write(&head, binary.NativeEndian, q); err != nil {
		return "", err
	}
	if _, err := w.to.Write(append(head.Bytes(), payload...)); err != nil {
		return "", err
	}
	var a answer
	if err := binary.Read(w.from, binary.NativeEndian, &a); err != nil {
		return "", err
	}
	text := make([]byte, a.Text)
	if _, err := io.ReadFull(w.from, text); err != nil {
		return "", err
	}
	if a.Out > uint64(len(out)) {
		return "", fmt.Errorf("%d words in an answer of %d", a.Out, len(out))
	}
	_, err := io.ReadFull(w.from, raw(out[:a.Out]))
	return string(text), err
}

// close ends the worker: by the end of its requests, or by force after a second.
func (w *worker) close() error {
	if w.cmd == nil {
		return nil
	}
	w.to.Close()
	select {
	case <-w.exited:
	case <-time.After(time.Second):
		w.cmd.Process.Kill()
		<-w.exited
	}
	w.from.Close()
	w.cmd = nil
	return nil
}
