package rtl

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifestName is the file by which WriteDir knows its own earlier output.
const manifestName = "manifest.json"

const manifestKind = "ohmloom rtl output"

// Manifest is manifest.json: what was generated, from what, and each file's digest.
type Manifest struct {
	Kind    string  `json:"kind"`
	Version string  `json:"generator_version"`
	Top     string  `json:"top"`
	Hash    string  `json:"configuration"`
	Files   []Entry `json:"files"` // sorted by path
}

// Entry is one file of a manifest.
type Entry struct {
	Path   string `json:"path"`
	Role   string `json:"role"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// Manifest describes the bundle as it is now.
func (b *Bundle) Manifest() *Manifest {
	m := &Manifest{Kind: manifestKind, Version: b.Version, Top: b.Top, Hash: b.Hash, Files: []Entry{}}
	for _, f := range b.Files {
		m.Files = append(m.Files, Entry{f.Path, f.Role, digest(f.Data), len(f.Data)})
	}
	m.sort()
	return m
}

func (m *Manifest) sort() {
	slices.SortStableFunc(m.Files, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
}

func (m *Manifest) has(path string) bool {
	return slices.ContainsFunc(m.Files, func(e Entry) bool { return e.Path == path })
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// DirError says why an output folder was not written. Nothing in it was changed, except
// where Err came from replacing files one by one.
type DirError struct {
	Dir, Why string
	Err      error // from the operating system, or nil
}

func (e *DirError) Error() string {
	s := fmt.Sprintf("output folder %s: %s", e.Dir, e.Why)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DirError) Unwrap() error { return e.Err }

// WriteDir writes the bundle and its manifest to dir. Everything is written aside first and
// renamed. dir may be missing, empty, or hold an earlier output, which is known by its
// manifest; of that only files that the manifest lists, and that nobody changed since, are
// replaced or deleted. Errors are *DirError.
func (b *Bundle) WriteDir(dir string) error {
	dir = filepath.Clean(dir)
	fail := func(why string, err error) error { return &DirError{dir, why, err} }
	for _, f := range b.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || f.Path == manifestName {
			panic("rtl: bundle holds a file " + f.Path)
		}
	}
	old, err := b.earlier(dir)
	if err != nil {
		return err
	}
	where := dir // an existing folder may be on a file system of its own
	if old == nil {
		where = filepath.Dir(dir)
		if err := os.MkdirAll(where, 0o777); err != nil {
			return fail("the folder above cannot be made", err)
		}
	}
	aside, err := os.MkdirTemp(where, tempPrefix)
	if err != nil {
		return fail("cannot be written", err)
	}
	defer os.RemoveAll(aside)
	out := filepath.Join(aside, "out")
	if err := b.writeTo(out); err != nil {
		return fail("cannot be written", err)
	}
	if old != nil {
		if err := b.replace(dir, out, old); err != nil {
			return fail("the earlier output cannot be replaced", err)
		}
		return nil
	}
	if err := os.Rename(out, dir); err != nil {
		return fail("cannot be made", err)
	}
	return nil
}

// tempPrefix begins the name of the folder where everything is written first.
const tempPrefix = ".ohmloom-tmp-"

// earlier reads the manifest of an earlier output in dir, an empty one when dir is empty, nil
// when it is missing, and checks that nothing of the user's would be lost.
func (b *Bundle) earlier(dir string) (*Manifest, error) {
	fail := func(why string, err error) (*Manifest, error) { return nil, &DirError{dir, why, err} }
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return fail("cannot be read", err)
	case !info.IsDir():
		return fail("is a file; name a folder", nil)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fail("cannot be read", err)
	}
	list = slices.DeleteFunc(list, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), tempPrefix) })
	if len(list) == 0 {
		return &Manifest{}, nil
	}
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return fail("is not empty and holds no "+manifestName+" of an earlier output; name another folder", nil)
	} else if err != nil {
		return fail("its "+manifestName+" cannot be read", err)
	}
	old := &Manifest{}
	if err := json.Unmarshal(data, old); err != nil || old.Kind != manifestKind {
		return fail("is not empty, and its "+manifestName+" is not that of an earlier output; name another folder", nil)
	}
	for _, e := range old.Files {
		if !filepath.IsLocal(filepath.FromSlash(e.Path)) {
			return fail(fmt.Sprintf("its %s lists %q, which is outside", manifestName, e.Path), nil)
		}
	}
	return old, b.guard(dir, old)
}

// guard refuses to touch files that somebody else made or changed.
func (b *Bundle) guard(dir string, old *Manifest) error {
	for _, f := range b.Files {
		if old.has(f.Path) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.Path))); err == nil {
			return &DirError{dir, fmt.Sprintf("%s is in the way and not from an earlier output; move it", f.Path), nil}
		}
	}
	for _, e := range old.Files {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return &DirError{dir, e.Path + " cannot be read", err}
		}
		sum := digest(data)
		if !slices.ContainsFunc(old.Files, func(o Entry) bool { return o.Path == e.Path && o.SHA256 == sum }) {
			return &DirError{dir, fmt.Sprintf("%s was changed since it was generated; move it or name another folder", e.Path), nil}
		}
	}
	return nil
}

// writeTo writes all files and the manifest below dir.
func (b *Bundle) writeTo(dir string) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	for _, f := range b.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, manifestName), indented(b.Manifest()), 0o666)
}

// replace moves the files of aside into dir and deletes those of the earlier output that are
// no more. While it runs the manifest lists both outputs, so that an interrupted run can be
// repeated.
func (b *Bundle) replace(dir, aside string, old *Manifest) error {
	both := b.Manifest()
	both.Files = append(both.Files, old.Files...)
	both.sort()
	marked := filepath.Join(aside, manifestName+".both")
	if err := os.WriteFile(marked, indented(both), 0o666); err != nil {
		return err
	}
	if err := os.Rename(marked, filepath.Join(dir, manifestName)); err != nil {
		return err
	}
	for _, f := range b.Files {
		path := filepath.FromSlash(f.Path)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o777); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(aside, path), filepath.Join(dir, path)); err != nil {
			return err
		}
	}
	now := b.Manifest()
	for _, e := range old.Files {
		if now.has(e.Path) {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(e.Path))
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for up := filepath.Dir(path); up != dir && os.Remove(up) == nil; up = filepath.Dir(up) {
		}
	}
	return os.Rename(filepath.Join(aside, manifestName), filepath.Join(dir, manifestName))
}
