package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func open(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// writer builds an entry of two files and counts how often it ran.
func writer(n *atomic.Int32) func(context.Context, string) error {
	return func(_ context.Context, tmp string) error {
		n.Add(1)
		if err := os.Mkdir(filepath.Join(tmp, "sub"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, "sub", "b"), []byte("beta"), 0o644); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, "a"), []byte("alpha"), 0o644)
	}
}

func TestEntryIsBuiltOnce(t *testing.T) {
	d, n := open(t), atomic.Int32{}
	first, built, err := d.Get(t.Context(), "k", Key("x"), writer(&n))
	if err != nil || !built {
		t.Fatalf("first Get: built %v, err %v", built, err)
	}
	second, built, err := d.Get(t.Context(), "k", Key("x"), writer(&n))
	if err != nil || built || second != first || n.Load() != 1 {
		t.Fatalf("second Get: %s (built %v, err %v) after %d builds", second, built, err, n.Load())
	}
	if _, built, _ = d.Get(t.Context(), "k", Key("y"), writer(&n)); !built {
		t.Error("another key took the same entry")
	}
}

func TestKeySeesWherePartsEnd(t *testing.T) {
	if Key("ab", "c") == Key("a", "bc") || Key("a") == Key("a", "") {
		t.Error("different parts give one key")
	}
}

func TestDamagedEntryIsBuiltAgain(t *testing.T) {
	damage := map[string]func(path string) error{
		"changed":    func(p string) error { return os.WriteFile(filepath.Join(p, "a"), []byte("alphA"), 0o644) },
		"cut short":  func(p string) error { return os.Truncate(filepath.Join(p, "sub", "b"), 1) },
		"file gone":  func(p string) error { return os.Remove(filepath.Join(p, "a")) },
		"sums gone":  func(p string) error { return os.Remove(filepath.Join(p, sumsFile)) },
		"sums empty": func(p string) error { return os.Truncate(filepath.Join(p, sumsFile), 0) },
		"sums junk":  func(p string) error { return os.WriteFile(filepath.Join(p, sumsFile), []byte("junk\n"), 0o644) },
		"a file": func(p string) error {
			return errors.Join(os.RemoveAll(p), os.WriteFile(p, nil, 0o644))
		},
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			d, n := open(t), atomic.Int32{}
			path, _, err := d.Get(t.Context(), "k", "key", writer(&n))
			if err != nil {
				t.Fatal(err)
			}
			if err := do(path); err != nil {
				t.Fatal(err)
			}
			path, built, err := d.Get(t.Context(), "k", "key", writer(&n))
			if err != nil || !built {
				t.Fatalf("built %v, err %v", built, err)
			}
			if got, _ := os.ReadFile(filepath.Join(path, "a")); string(got) != "alpha" {
				t.Errorf("a holds %q", got)
			}
		})
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	d, n := open(t), atomic.Int32{}
	boom := errors.New("boom")
	_, _, err := d.Get(t.Context(), "k", "key", func(ctx context.Context, tmp string) error {
		return errors.Join(writer(&n)(ctx, tmp), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatalf("err %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(d.Root(), "k"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
	if _, built, err := d.Get(t.Context(), "k", "key", writer(&n)); err != nil || !built {
		t.Errorf("after the failure: built %v, err %v", built, err)
	}
}

func TestConcurrentBuildersShareOneBuild(t *testing.T) {
	d, n := open(t), atomic.Int32{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			path, _, err := d.Get(t.Context(), "k", "key", writer(&n))
			if err != nil || intact(path) != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	wg.Wait()
	if n.Load() != 1 {
		t.Errorf("%d builds", n.Load())
	}
}

func TestWaitingForABuilderEndsWithTheContext(t *testing.T) {
	d, n := open(t), atomic.Int32{}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := d.Get(t.Context(), "k", "key", func(c context.Context, tmp string) error {
		cancel() // the lock is held: whoever comes with ctx gives up
		if _, _, err := d.Get(ctx, "k", "key", writer(&n)); !errors.Is(err, context.Canceled) {
			t.Errorf("second builder: %v", err)
		}
		return writer(&n)(c, tmp)
	})
	if err != nil || n.Load() != 1 {
		t.Errorf("err %v, %d builds", err, n.Load())
	}
}

func TestUnwritableCacheSaysWhichVariableMovesIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvVar, filepath.Join(file, "cache"))
	if _, err := Default(); err == nil || !strings.Contains(err.Error(), EnvVar) {
		t.Errorf("err %v", err)
	}
}

func TestTrimRemovesOnlyTheUnused(t *testing.T) {
	d, n := open(t), atomic.Int32{}
	old, _, err := d.Get(t.Context(), "k", "old", writer(&n))
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Get(t.Context(), "k", "new", writer(&n)); err != nil {
		t.Fatal(err)
	}
	if err := d.Trim(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	_, oldBuilt, _ := d.Get(t.Context(), "k", "old", writer(&n))
	_, newBuilt, _ := d.Get(t.Context(), "k", "new", writer(&n))
	if !oldBuilt || newBuilt {
		t.Errorf("after Trim: old built again %v, new built again %v", oldBuilt, newBuilt)
	}
}
