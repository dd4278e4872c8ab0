// Package cache keeps what was built from known contents, so that it is built once.
//
// An entry is a directory of files named by a kind and a key, the SHA-256 of everything the
// build depends on (sources, flags, tool versions). It is built in a temporary directory,
// synced, and renamed into place, so that an entry is there whole or not at all. A list of
// the files' sums inside the entry lets a damaged entry be noticed and built again.
package cache

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// EnvVar names the environment variable that moves the cache.
const EnvVar = "OHMLOOM_CACHE"

// keep is how long an entry stays that nobody uses.
const keep = 30 * 24 * time.Hour

// sumsFile lists "sha256  name" of every other file of an entry.
const sumsFile = "SUMS"

// Dir is a cache in one directory of the file system. Any number of processes may use it.
type Dir struct{ root string }

// Default is the cache in $OHMLOOM_CACHE, or in ohmloom below the user's cache directory.
func Default() (*Dir, error) {
	if p := os.Getenv(EnvVar); p != "" {
		return Open(p)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no place for built simulators: %w; set %s to a directory", err, EnvVar)
	}
	return Open(filepath.Join(base, "ohmloom"))
}

// Open is the cache in directory root, which is made when it is not there.
func Open(root string) (*Dir, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", root, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("cache %s: %w; set %s to a directory that can be written", abs, err, EnvVar)
	}
	return &Dir{abs}, nil
}

// Root is the directory of the cache.
func (d *Dir) Root() string { return d.root }

// Key is the SHA-256 of the parts; where one part ends and the next begins counts.
func Key(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		io.WriteString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Get gives the directory of entry (kind, key), calling build when it is not there or is
// damaged. build fills the empty directory tmp, which may be renamed afterwards but not
// changed. One builder works at a time; others wait for it, as long as ctx allows. built
// says whether this call built the entry.
func (d *Dir) Get(ctx context.Context, kind, key string, build func(ctx context.Context, tmp string) error) (path string, built bool, err error) {
	path = filepath.Join(d.root, kind, key)
	if intact(path) == nil {
		touch(path)
		return path, false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", false, fmt.Errorf("cache: %w", err)
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return "", false, fmt.Errorf("cache: waiting for another build of %s %.12s: %w", kind, key, err)
	}
	defer unlock()
	if intact(path) == nil {
		return path, false, nil
	}
	if err := d.fill(ctx, path, build); err != nil {
		return "", false, err
	}
	_ = d.Trim(keep) // what cannot be removed now is removed another time
	return path, true, nil
}

// fill builds the entry aside and renames it into place.
func (d *Dir) fill(ctx context.Context, path string, build func(context.Context, string) error) error {
	tmp, err := os.MkdirTemp(filepath.Dir(path), "tmp-")
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := build(ctx, tmp); err != nil {
		return err
	}
	if err := seal(tmp); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := discard(path); err != nil {
		return fmt.Errorf("cache: damaged entry: %w", err)
	}
	err = os.Rename(tmp, path)
	if err != nil && intact(path) == nil {
		return nil // where there are no locks another process may have come first
	}
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return syncPath(filepath.Dir(path))
}

// discard removes what stands at path, first by renaming, so that nobody sees half of it.
func discard(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	aside, err := os.MkdirTemp(filepath.Dir(path), "tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	err = os.Rename(path, filepath.Join(aside, "old"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// seal writes the sums of all files below dir and syncs everything to the disk.
func seal(dir string) error {
	var list strings.Builder
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		sum, err := sumOf(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum, filepath.ToSlash(rel))
		return syncPath(p)
	})
	if err != nil {
		return err
	}
	sums := filepath.Join(dir, sumsFile)
	if err := os.WriteFile(sums, []byte(list.String()), 0o644); err != nil {
		return err
	}
	if err := syncPath(sums); err != nil {
		return err
	}
	return syncPath(dir)
}

// intact reports what is wrong with the entry in dir, or nil.
func intact(dir string) error {
	f, err := os.Open(filepath.Join(dir, sumsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := 0
	for sc := bufio.NewScanner(f); sc.Scan(); lines++ {
		sum, name, ok := strings.Cut(sc.Text(), "  ")
		if !ok {
			return fmt.Errorf("%s: bad line %q", dir, sc.Text())
		}
		got, err := sumOf(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if got != sum {
			return fmt.Errorf("%s: %s was changed", dir, name)
		}
	}
	if lines == 0 {
		return fmt.Errorf("%s: no files listed", dir)
	}
	return nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// touch notes the use, for Trim; a read-only cache still serves.
func touch(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// Trim removes entries that were not used for longer than age, and leftovers of builds that
// were killed. It is safe while others use the cache only for ages longer than any use. Get
// trims to 30 days whenever it built something.
func (d *Dir) Trim(age time.Duration) error {
	kinds, err := os.ReadDir(d.root)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	for _, k := range kinds {
		entries, err := os.ReadDir(filepath.Join(d.root, k.Name()))
		if err != nil {
			continue // a stray file at the top is not ours to remove
		}
		for _, e := range entries {
			info, err := e.Info()
			ours := e.IsDir() || strings.HasSuffix(e.Name(), ".lock")
			if err != nil || !ours || time.Since(info.ModTime()) < age {
				continue
			}
			if err := os.RemoveAll(filepath.Join(d.root, k.Name(), e.Name())); err != nil {
				return fmt.Errorf("cache: %w", err)
			}
		}
	}
	return nil
}
