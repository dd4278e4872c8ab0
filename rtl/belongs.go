package rtl

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stray is a table on disk that does not belong to the bundle it is beside.
type Stray struct {
	File      string // path on disk
	Why       string
	Has, Want string // what the heads of the two say they were made from, or ""
}

func (s *Stray) Error() string {
	if s.Has == s.Want {
		return s.File + ": " + s.Why
	}
	return fmt.Sprintf("%s: %s: it has %q, the description makes %q", s.File, s.Why, s.Has, s.Want)
}

// CheckTables compares the tables in folder dir, "tables" of an earlier output, with those of the
// bundle, file by file: tables of another seed, of other weights or effects, damaged ones, and ones
// that are missing or too many. An error is that of a folder that can't be read.
func (b *Bundle) CheckTables(dir string) ([]*Stray, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var strays []*Stray
	known := map[string]bool{}
	for _, f := range b.Files {
		name := strings.TrimPrefix(f.Path, "tables/")
		if f.Role != RoleTable {
			continue
		}
		known[name] = true
		if s := compareTable(filepath.Join(dir, name), f.Data); s != nil && f.Path != SetFile {
			strays = append(strays, s)
		}
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".memh") && !known[name] {
			strays = append(strays, &Stray{File: filepath.Join(dir, name), Why: "no memory of the description has this table"})
		}
	}
	slices.SortFunc(strays, func(x, y *Stray) int { return strings.Compare(x.File, y.File) })
	return strays, nil
}

// compareTable is what is wrong with a file that should have the data want, or nil. The set is not
// compared: all tables have another when one does.
func compareTable(path string, want []byte) *Stray {
	have, err := os.ReadFile(path)
	if err != nil {
		if why := (*fs.PathError)(nil); errors.As(err, &why) {
			err = why.Err
		}
		return &Stray{File: path, Why: "can't be read: " + err.Error()}
	}
	has, body := heads(have)
	wants, right := heads(want)
	switch {
	case has != wants:
		return &Stray{path, "this table was made from something else", has, wants}
	case !bytes.Equal(body, right):
		line := 1
		for i := 0; i < min(len(body), len(right)) && body[i] == right[i]; i++ {
			if right[i] == '\n' {
				line++
			}
		}
		return &Stray{File: path, Why: fmt.Sprintf("word %d is not what the description makes", line-1)}
	}
	return nil
}

// heads takes the comments at the beginning off a table, the set left out.
func heads(text []byte) (head string, body []byte) {
	var lines []string
	for bytes.HasPrefix(text, []byte("//")) {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if !bytes.HasPrefix(line, []byte(setHead)) {
			lines = append(lines, strings.TrimSpace(strings.TrimPrefix(string(line), "//")))
		}
		text = rest
	}
	return strings.Join(lines, "; "), text
}
