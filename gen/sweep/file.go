package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"ohmloom/gen/arch"
)

// File is the results file of a sweep: a line that says what it is, then one line of JSON for
// each point that was computed, only ever appended to. A point is found again by its key, so
// that a sweep over other ranges takes what is there, too.
type File struct {
	Path     string
	Problems []Problem // lines that hold no result, and why
	Kept     string    // where the file with those lines was kept, "" without any
	Stale    int       // results of another version, not used

	f      *os.File
	have   map[string]Row
	unlock func() // gives the folder free
}

// Problem is a line of a results file that can't be used.
type Problem struct {
	Line int // from 1
	What string
}

// entry is one line.
type entry struct {
	Key string `json:"key"`
	Row
}

// head is the first line.
type head struct {
	Format  string   `json:"format"`
	Version string   `json:"version"`
	Metrics []string `json:"metrics"`
}

const format = "ohmloom sweep results 1"

// maxFile bounds a results file, bytes.
const maxFile = 4 << 30

// OpenFile opens the results file at path, or makes it. version is that of the program: results
// of another one are left aside. A file that is no results file is an error, and stays as it
// is. Lines that are damaged are left out, with the file as it was kept beside it. Until Close
// no other process can open a results file in the same folder.
func OpenFile(path, version string) (*File, error) {
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	r := &File{Path: path, have: map[string]Row{}, unlock: unlock}
	if err := r.open(version); err != nil {
		unlock()
		return nil, err
	}
	return r, nil
}

// open reads what is there, or makes the file.
func (r *File) open(version string) error {
	data, err := readBounded(r.Path)
	if err != nil {
		return err
	}
	want := head{Format: format, Version: version}
	for _, m := range arch.Metrics {
		want.Metrics = append(want.Metrics, m.Name)
	}
	first, err := json.Marshal(want)
	if err != nil {
		return err
	}
	good := append(seal(first), '\n')
	if len(data) > 0 {
		if good, err = r.take(data, good, want); err != nil {
			return err
		}
	}
	if !bytes.Equal(data, good) {
		if err := r.replace(data, good); err != nil {
			return err
		}
	}
	r.f, err = os.OpenFile(r.Path, os.O_WRONLY|os.O_APPEND, 0o666)
	return err
}

func readBounded(path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file; name another results file", path)
	case st.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, more than results of a sweep have; name another file", path, st.Size())
	}
	return os.ReadFile(path)
}

// take reads the lines of a results file and returns those that are sound; good is the first.
func (r *File) take(data, good []byte, want head) ([]byte, error) {
	begin := good
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	var h head
	text, err := open(lines[0])
	if err != nil || json.Unmarshal(text, &h) != nil || h.Format != format {
		return nil, fmt.Errorf("%s:1: this is no results file of ohmloom sweep, so nothing is written to it; name another with --output, or move it away", r.Path)
	}
	if h.Version != want.Version || fmt.Sprint(h.Metrics) != fmt.Sprint(want.Metrics) {
		r.Stale = len(lines) - 1
		return begin, nil
	}
	for i, line := range lines[1:] {
		var e entry
		text, err := open(line)
		if err == nil {
			err = json.Unmarshal(text, &e)
		}
		if err == nil && (e.Key == "" || e.Problem == "" && len(e.Metrics) != len(want.Metrics)) {
			err = errors.New("figures are missing")
		}
		if err != nil {
			r.Problems = append(r.Problems, Problem{i + 2, err.Error()})
			continue
		}
		r.have[e.Key] = e.Row
		good = append(append(good, line...), '\n')
	}
	return good, nil
}

// replace puts the good lines in the place of the file, which is kept when it holds more.
func (r *File) replace(old, good []byte) error {
	if len(old) > 0 {
		name := r.Path + ".damaged"
		if r.Stale > 0 {
			name = r.Path + ".old"
		}
		for i := 2; ; i++ {
			if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				break
			}
			name = fmt.Sprintf("%s.%d", name[:len(r.Path)]+filepath.Ext(name[len(r.Path):]), i)
		}
		if err := writeAside(name, old); err != nil {
			return err
		}
		r.Kept = name
	}
	return writeAside(r.Path, good)
}

// writeAside writes a file under another name and renames it.
func writeAside(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Chmod(0o666 &^ 0o022); err != nil {
		f.Close()
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// find is the row of a key; a nil file has none.
func (r *File) find(key string) (Row, bool) {
	if r == nil {
		return Row{}, false
	}
	row, ok := r.have[key]
	return row, ok
}

// append adds lines.
func (r *File) append(list []entry) error {
	var b bytes.Buffer
	for _, e := range list {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(seal(text))
		b.WriteByte('\n')
	}
	_, err := r.f.Write(b.Bytes())
	return err
}

// Close closes the file and gives its folder free.
func (r *File) Close() error {
	defer r.unlock()
	return r.f.Close()
}

// seal puts a checksum of an object's text in front of its first key, open takes it off.
func seal(object []byte) []byte {
	return fmt.Appendf(nil, `{"crc":"%08x",%s`, crc32.ChecksumIEEE(object), object[1:])
}

func open(line []byte) ([]byte, error) {
	var sum struct {
		CRC string `json:"crc"`
	}
	if err := json.Unmarshal(line, &sum); err != nil {
		return nil, fmt.Errorf("no JSON object: %w", err)
	}
	const prefix = len(`{"crc":"00000000",`)
	if len(line) < prefix {
		return nil, errors.New("no checksum")
	}
	object := append([]byte("{"), line[prefix:]...)
	if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE(object)); got != sum.CRC {
		return nil, fmt.Errorf("its checksum is %q, its text's %s", sum.CRC, got)
	}
	return object, nil
}
