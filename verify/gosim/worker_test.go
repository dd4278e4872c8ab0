package gosim

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ohmloom/ir"
	"ohmloom/verify"
)

// playEnv makes the test binary play a worker that misbehaves.
const playEnv = "GOSIM_TEST_PLAYS"

func TestMain(m *testing.M) {
	switch os.Getenv(playEnv) {
	case "":
		os.Exit(m.Run())
	case "hangs":
		time.Sleep(time.Hour)
	case "dies":
		os.Stderr.WriteString("worker says why\n")
		os.Exit(7)
	case "dies in a run":
		io.ReadFull(os.Stdin, make([]byte, 32))
		os.Exit(7)
	case "babbles":
		os.Stdout.WriteString(strings.Repeat("babble, ", 1000))
		time.Sleep(time.Hour)
	}
}

// playing starts a worker that misbehaves.
func playing(t *testing.T, ctx context.Context, part string, wait time.Duration) *worker {
	t.Helper()
	t.Setenv(playEnv, part)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err := start(ctx, self, "design_x", 16, Options{Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close() })
	return w
}

func anyRecord() *record {
	r := &record{}
	r.add("port", ir.Bits(8))
	r.place()
	return r
}

func wantAll(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error does not say %q: %v", p, err)
		}
	}
}

// ended fails unless the process was waited for, so that no zombie is left.
func ended(t *testing.T, w *worker) {
	t.Helper()
	select {
	case <-w.gone:
		if w.cmd.ProcessState == nil {
			t.Error("the process has no end state")
		}
	default:
		t.Error("the process is still there")
	}
}

func TestHangingWorkerIsEndedAndTheErrorSaysWhatWasWaitedFor(t *testing.T) {
	w := playing(t, t.Context(), "hangs", 200*time.Millisecond)
	err := w.run(anyRecord(), anyRecord(), make([]uint64, 10), make([]uint64, 10), 10)
	wantAll(t, err, "design_x", "200ms", "to run batches of 10 cycles")
	ended(t, w)
	if again := w.load(nil); again != err {
		t.Errorf("the next call says %v", again)
	}
}

func TestDyingWorkerIsReportedWithItsLastWords(t *testing.T) {
	w := playing(t, t.Context(), "dies", time.Minute)
	wantAll(t, w.load(make([]uint64, 1<<20)), "design_x", "exit status 7", "worker says why")
	ended(t, w)
}

func TestAnswerThatIsNoneIsAnError(t *testing.T) {
	w := playing(t, t.Context(), "babbles", time.Minute)
	wantAll(t, w.load(make([]uint64, 3)), "the answer begins with")
	ended(t, w)
}

func TestWorkerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := playing(t, ctx, "hangs", time.Minute)
	go cancel()
	err := w.run(anyRecord(), anyRecord(), make([]uint64, 1), make([]uint64, 1), 1)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	ended(t, w)
}

func counter(name string, reset uint64) *ir.Design {
	m := ir.New(name, "Counts.")
	r := m.Reg("count", ir.Bits(8), reset)
	r.Set(r.Q.AddK(1))
	m.Out("count", r.Q, "")
	return ir.NewDesign(m)
}

func count(t *testing.T, e verify.Engine) []uint64 {
	t.Helper()
	out := make([]uint64, 3)
	if err := e.Run([]uint64{1, 0, 0}, out, 3); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCloseTwiceAndRunAfterwards(t *testing.T) {
	needGo(t)
	e, err := newIn(t, t.TempDir(), counter("counter", 5))
	if err != nil {
		t.Fatal(err)
	}
	if out := count(t, e); out[1] != 5 || out[2] != 6 {
		t.Errorf("counts %v", out)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	ended(t, e.(*Engine).worker)
	wantAll(t, e.Run([]uint64{0}, make([]uint64, 1), 1), "was closed")
}

// built lists the programs in a cache.
func built(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "gosim", "*", programName()))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestProgramIsBuiltOnceAndNewTablesRebuildNothing(t *testing.T) {
	needGo(t)
	dir := t.TempDir()
	rom := func(contents ...uint64) *ir.Design {
		m := ir.New("table", "A table.")
		m.Out("y", m.Lookup(m.Rom("rom", ir.Bits(8), contents), m.In("a", ir.Bits(2), "")), "")
		return ir.NewDesign(m)
	}
	for i, contents := range [][]uint64{{1, 2, 3, 4}, {9, 8, 7, 6}} {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				e, err := newIn(t, dir, rom(contents...))
				if err != nil {
					t.Error(err)
					return
				}
				defer e.Close()
				out := make([]uint64, 1)
				if err := e.Run([]uint64{0, 2}, out, 1); err != nil || out[0] != contents[2] {
					t.Errorf("table %d: %v, %v", i, out, err)
				}
			})
		}
		wg.Wait()
		if n := len(built(t, dir)); n != 1 {
			t.Errorf("%d programs after table %d", n, i)
		}
	}
}

func TestDamagedProgramIsBuiltAgain(t *testing.T) {
	needGo(t)
	dir := t.TempDir()
	for _, harm := range []func(string) error{
		func(string) error { return nil },
		func(p string) error { return os.Truncate(p, 100) },
		func(p string) error { return os.Remove(p) },
	} {
		for _, p := range built(t, dir) {
			if err := harm(p); err != nil {
				t.Fatal(err)
			}
		}
		e, err := newIn(t, dir, counter("counter", 5))
		if err != nil {
			t.Fatal(err)
		}
		if out := count(t, e); out[2] != 6 {
			t.Errorf("counts %v", out)
		}
		e.Close()
	}
}

func TestWithoutGoTheErrorNamesTheTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := newIn(t, t.TempDir(), counter("counter", 5))
	var tool *verify.ToolError
	if !errors.As(err, &tool) || tool.Tool != "go" || tool.Found != "" {
		t.Fatalf("err %v", err)
	}
	wantAll(t, err, "go", "not found", oldestGo, "golang-go")
}

func TestOldOrBrokenGoIsReportedWithItsVersion(t *testing.T) {
	for script, want := range map[string]string{
		"echo go1.19.8":         "1.19.8 is too old",
		"echo boom >&2; exit 9": "boom",
		"if [ \"$1\" = env ]; then echo go1.24.0; else echo no compiler; exit 4; fi": "no compiler",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+string(os.PathListSeparator)+"/bin:/usr/bin")
		_, err := newIn(t, t.TempDir(), counter("counter", 5))
		var tool *verify.ToolError
		if !errors.As(err, &tool) {
			t.Fatalf("%s: err %v", script, err)
		}
		wantAll(t, err, want)
	}
}

func TestImageOfTheWrongLengthIsAnError(t *testing.T) {
	needGo(t)
	m := ir.New("store", "A loaded memory.")
	mem := m.Mem("weights", 4, ir.Bits(8))
	mem.Loaded = true
	m.Out("y", m.Lookup(mem, m.In("a", ir.Bits(2), "")), "")
	e, err := newIn(t, t.TempDir(), ir.NewDesign(m))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	img := ir.NewImage()
	img.Data["store.weights"] = []uint64{1, 2, 3}
	wantAll(t, e.Power(1, img), "store.weights", "holds 4", "3")
}
