//go:build unix

package verilated

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is a loaded shared object. It stays loaded: dlclose does not unmap it reliably.
type library struct{ create, run, trace, free uintptr }

var (
	loadMu sync.Mutex
	loaded = map[string]*library{} // by path, which holds the hash of the contents
)

func load(path string) (*library, error) {
	loadMu.Lock()
	defer loadMu.Unlock()
	if l, ok := loaded[path]; ok {
		return l, nil
	}
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	l := &library{}
	for name, at := range map[string]*uintptr{"ohm_new": &l.create, "ohm_run": &l.run, "ohm_trace": &l.trace, "ohm_free": &l.free} {
		if *at, err = purego.Dlsym(h, name); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	loaded[path] = l
	return l, nil
}

// local is a model in this process.
type local struct {
	lib    *library
	handle uintptr
	err    [8192]byte
}

func newLocal(path string) (model, error) {
	l, err := load(path)
	if err != nil {
		return nil, err
	}
	return &local{lib: l}, nil
}

func (m *local) power(seed uint64, tables string, w *Wave) error {
	m.close()
	pre := append([]byte(tables), 0)
	r, _, _ := purego.SyscallN(m.lib.create, uintptr(seed), uintptr(unsafe.Pointer(&pre[0])),
		uintptr(unsafe.Pointer(&m.handle)), uintptr(unsafe.Pointer(&m.err)), uintptr(len(m.err)))
	if uint32(r) != 0 {
		return m.failure()
	}
	if w == nil {
		return nil
	}
	file := append([]byte(w.File), 0)
	r, _, _ = purego.SyscallN(m.lib.trace, m.handle, uintptr(unsafe.Pointer(&file[0])), uintptr(w.From), uintptr(w.To))
	if uint32(r) != 0 {
		return fmt.Errorf("cannot write the waveform %s", w.File)
	}
	return nil
}

func (m *local) run(in, out []uint64, n int) error {
	r, _, _ := purego.SyscallN(m.lib.run, m.handle, uintptr(unsafe.Pointer(unsafe.SliceData(in))),
		uintptr(unsafe.Pointer(unsafe.SliceData(out))), uintptr(n), uintptr(unsafe.Pointer(&m.err)), uintptr(len(m.err)))
	if uint32(r) != 0 {
		return m.failure()
	}
	return nil
}

func (m *local) failure() error {
	text, _, _ := bytes.Cut(m.err[:], []byte{0})
	return errors.New(string(text))
}

func (m *local) close() error {
	if m.handle != 0 {
		purego.SyscallN(m.lib.free, m.handle)
		m.handle = 0
	}
	return nil
}
