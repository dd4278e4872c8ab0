// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Found is a tool that is there and recent enough.
type Found struct {
	Name    string
	Path    string
	Version string // as the tool prints it; empty for a file
}

// ErrTool matches every error about a tool with errors.Is: *Missing, *TooOld
// and *Broken. Commands exit with status 3 on it.
var ErrTool = errors.New("an external tool is missing or broken")

// Missing: the tool was not found.
type Missing struct {
	Name    string
	Looked  string // where, when that was not PATH
	Wanted  string // oldest version that works; may be empty
	Package string
	Purpose string
}

// TooOld: the tool is older than what works.
type TooOld struct {
	Name, Path, Found, Wanted, Package string
}

// Broken: the tool crashed, hung or printed no version when asked for it.
type Broken struct {
	Name, Path, Found, Wanted, Package string // Found says what happened
}

func (e *Missing) Error() string {
	where := "not found on PATH"
	if e.Looked != "" {
		where = "not found in " + e.Looked
	}
	return fmt.Sprintf("%s: %s%s; %s (it %s)", e.Name, where, wanted(e.Wanted), remedy(e.Name, e.Package), e.Purpose)
}

func (e *TooOld) Error() string {
	return fmt.Sprintf("%s: version %s is too old (%s)%s; %s", e.Name, e.Found, e.Path, wanted(e.Wanted), remedy(e.Name, e.Package))
}

func (e *Broken) Error() string {
	return fmt.Sprintf("%s: %s (%s)%s; %s", e.Name, e.Found, e.Path, wanted(e.Wanted), remedy(e.Name, e.Package))
}

func (e *Missing) Unwrap() error { return ErrTool }
func (e *TooOld) Unwrap() error  { return ErrTool }
func (e *Broken) Unwrap() error  { return ErrTool }

func wanted(version string) string {
	if version == "" {
		return ""
	}
	return ", wanted " + version + " or newer"
}

func remedy(name, pkg string) string {
	get := "run scripts/setup, or install Debian package " + pkg
	if strings.Contains(pkg, "://") {
		get = "get it from " + pkg
	}
	return get + ", or set " + Tool{Name: name}.Override() + " to its path"
}

// Time a tool may take to print its version: long, for cold disks and busy
// machines. After it the tool is killed and reported as hanging.
var probeTimeout = 30 * time.Second

// Find looks for a tool of the table on PATH, or where its Override says, and
// asks its version. The error is *Missing, *TooOld or *Broken, or the
// context's. A name outside the table panics.
func Find(ctx context.Context, name string) (Found, error) {
	t := lookup(name)
	if t.Probe == nil {
		return t.findFile()
	}
	f := Found{Name: name}
	looked, executable := "", t.Executable
	if override := os.Getenv(t.Override()); override != "" {
		looked, executable = t.Override()+"="+override, override
	}
	path, err := exec.LookPath(executable)
	if err != nil {
		if errors.Is(err, exec.ErrDot) {
			looked = "a safe place (only in the current directory)"
		}
		return f, &Missing{Name: name, Looked: looked, Wanted: t.Min, Package: t.Package, Purpose: t.Purpose}
	}
	if f.Path, err = filepath.Abs(path); err != nil {
		f.Path = path
	}
	version, fault := t.askVersion(ctx, f.Path)
	switch {
	case ctx.Err() != nil:
		return f, ctx.Err()
	case fault != "":
		return f, &Broken{Name: name, Path: f.Path, Found: fault, Wanted: t.Min, Package: t.Package}
	case Compare(version, t.Min) < 0:
		return f, &TooOld{Name: name, Path: f.Path, Found: version, Wanted: t.Min, Package: t.Package}
	}
	f.Version = version
	return f, nil
}

// askVersion runs the probe; fault says what went wrong.
func (t Tool) askVersion(ctx context.Context, path string) (version, fault string) {
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(limited, path, t.Probe...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // a child that keeps the pipe open must not hold us
	err := cmd.Run()
	call := strings.Join(append([]string{t.Executable}, t.Probe...), " ")
	if limited.Err() != nil {
		return "", fmt.Sprintf("%q gave no answer within %v", call, probeTimeout)
	}
	if err != nil {
		return "", fmt.Sprintf("%q failed: %v%s", call, err, firstLine(out.String()))
	}
	m := t.pattern.FindStringSubmatch(out.String())
	if m == nil {
		return "", fmt.Sprintf("%q printed no version%s", call, firstLine(out.String()))
	}
	return m[1], ""
}

// firstLine is the start of a tool's output, for a message.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if s == "" {
		return ""
	}
	const longest = 120
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "..."
	}
	return fmt.Sprintf(": %q", s)
}

// Liberty returns the path of the default Liberty library: OHMLOOM_LIBERTY,
// or osu018_stdcells.lib in DataDir, or where Debian's package puts it. The
// error is *Missing.
func Liberty() (string, error) {
	f, err := lookup("liberty").findFile()
	return f.Path, err
}

func (t Tool) findFile() (Found, error) {
	paths := []string{filepath.Join(t.Dir, t.Executable)}
	if d := DataDir(); d != "" {
		paths = append([]string{filepath.Join(d, t.Executable)}, paths...)
	}
	if override := os.Getenv(t.Override()); override != "" {
		paths = []string{override}
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return Found{Name: t.Name, Path: p}, nil
		}
	}
	return Found{Name: t.Name}, &Missing{Name: t.Name, Looked: strings.Join(paths, " or "), Package: t.Package, Purpose: t.Purpose}
}

// Status is one line of `ohmloom doctor`.
type Status struct {
	Tool  Tool
	Found Found
	Err   error  // nil when the tool can be used
	Note  string // for example that it is newer than what was tested
}

// Check finds every tool of the table, all at once, and returns them in the
// table's order.
func Check(ctx context.Context) []Status {
	list := make([]Status, len(table()))
	var wg sync.WaitGroup
	for i, t := range table() {
		wg.Go(func() {
			s := Status{Tool: t}
			s.Found, s.Err = Find(ctx, t.Name)
			if s.Err == nil && t.Tested != "" && Compare(s.Found.Version, t.Tested) > 0 {
				s.Note = "newer than " + t.Tested + ", the newest version tested"
			}
			list[i] = s
		})
	}
	wg.Wait()
	return list
}

// Compare orders versions by their numbers, part by part: "5.006" is after
// "5.5" and equal to "5.6"; a missing part counts as 0. It returns -1, 0 or 1.
func Compare(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	part := func(list []string, i int) string {
		if i < len(list) {
			return strings.TrimLeft(list[i], "0")
		}
		return ""
	}
	for i := range max(len(as), len(bs)) {
		x, y := part(as, i), part(bs, i)
		if len(x) != len(y) { // without leading zeros the longer number is the larger
			return sign(len(x) - len(y))
		}
		if x != y {
			return strings.Compare(x, y)
		}
	}
	return 0
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
