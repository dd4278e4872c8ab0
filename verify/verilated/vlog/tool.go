// Package vlog is what the engines that run the emitted Verilog with outside tools share:
// finding and running the tools, the emitted sources, and the files that load memories.
package vlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"ohmloom/verify"
)

// Tool is an external program and what is asked of it.
type Tool struct {
	Name    string         // the program
	Version []string       // arguments that make it print its version
	Pattern *regexp.Regexp // the version in what it prints, as group 1
	Wanted  string         // the oldest version that will do
	Package string         // the Debian package
}

// The tools of the engines verilated and icarus, with the oldest versions that were tried.
var (
	Verilator = Tool{"verilator", []string{"--version"}, regexp.MustCompile(`Verilator (\d+\.\d+)`), "5.006", "verilator"}
	Gxx       = Tool{"g++", []string{"-dumpfullversion"}, regexp.MustCompile(`(\d+(?:\.\d+)*)`), "10", "g++"}
	Iverilog  = Tool{"iverilog", []string{"-V"}, regexp.MustCompile(`Icarus Verilog version (\d+\.\d+)`), "11.0", "iverilog"}
	Vvp       = Tool{"vvp", []string{"-V"}, regexp.MustCompile(`Icarus Verilog runtime version (\d+\.\d+)`), "11.0", "iverilog"}
)

// Found is a tool that is there in a version that will do.
type Found struct {
	Tool
	Path string
	Have string // its version
}

// versionLimit bounds the wait for a tool that prints its version.
const versionLimit = 30 * time.Second

var found sync.Map // path -> *Found

// override is the environment variable that names another executable: OHMLOOM_GXX for g++.
func (t Tool) override() string {
	return "OHMLOOM_" + strings.NewReplacer("-", "_", "+", "X").Replace(strings.ToUpper(t.Name))
}

// Find looks the tool up, in PATH or where its override says, and asks for its version, once
// a process and path. Missing, old and broken tools are a *verify.ToolError.
func (t Tool) Find(ctx context.Context) (*Found, error) {
	path, err := exec.LookPath(cmp.Or(os.Getenv(t.override()), t.Name))
	if err != nil {
		return nil, &verify.ToolError{Tool: t.Name, Wanted: t.Wanted, Package: t.Package}
	}
	if f, ok := found.Load(path); ok {
		return f.(*Found), nil
	}
	f := &Found{Tool: t, Path: path}
	ctx, cancel := context.WithTimeoutCause(ctx, versionLimit, fmt.Errorf("no version after %v", versionLimit))
	defer cancel()
	out, runErr := f.Run(ctx, "", t.Version...)
	m := t.Pattern.FindSubmatch(out)
	if m == nil {
		if runErr == nil {
			runErr = &verify.ToolError{Tool: t.Name, Wanted: t.Wanted, Package: t.Package,
				Err: errors.New("its version cannot be read from what it prints"), Output: tail(out)}
		}
		return nil, runErr
	}
	f.Have = string(m[1])
	if older(f.Have, t.Wanted) {
		return nil, &verify.ToolError{Tool: t.Name, Found: f.Have, Wanted: t.Wanted, Package: t.Package}
	}
	found.Store(path, f)
	return f, nil
}

// older compares versions number by number.
func older(have, want string) bool {
	h, w := strings.Split(have, "."), strings.Split(want, ".")
	for i := range w {
		if i >= len(h) {
			return true
		}
		a, _ := strconv.Atoi(h[i])
		b, _ := strconv.Atoi(w[i])
		if a != b {
			return a < b
		}
	}
	return false
}

// Run runs the tool in dir and gives what it printed. A failure is a *verify.ToolError with
// the end of the output; a ctx that ends kills the tool and all that it started. Its
// temporary files are below dir, which the caller removes.
func (f *Found) Run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, f.Path, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if filepath.IsAbs(dir) {
		cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	}
	Group(cmd)
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return out.Bytes(), &verify.ToolError{Tool: f.Name, Found: f.Have, Wanted: f.Wanted, Package: f.Package,
		Err: err, Output: tail(out.Bytes())}
}

// tail is the end of a tool's output, enough to see what it complained of.
func tail(out []byte) string {
	const most = 4000
	s := strings.TrimSpace(string(out))
	if len(s) > most {
		s = "..." + s[len(s)-most:]
	}
	return s
}
