//go:build unix

package cli_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ohmloom/gen/tools"
)

// hanging is a tool that says its version and then hangs with a child of its own.
const hanging = `#!/bin/sh
case "$1" in
--version|-V|-dumpfullversion)
	echo "g++ (Debian) 12.2.0"; echo "Verilator 5.006 2023"; echo "Yosys 0.23 (git)"; echo "dot - graphviz version 2.43.0"; exit ;;
--getenv) echo /nowhere; exit ;;
esac
sleep 600 &
echo $! >"$OHMLOOM_TEST_CHILD.$$.part" && mv "$OHMLOOM_TEST_CHILD.$$.part" "$OHMLOOM_TEST_CHILD.$$.pid"
: >"$OHMLOOM_TEST_STARTED"
wait
`

const limit = time.Minute // generous: a busy machine is no failure

// TestInterruptEndsEverything sends SIGINT to the program alone, half way through a command:
// exit code 130, no process left, no temporary file, no half-written output.
func TestInterruptEndsEverything(t *testing.T) {
	cases := []struct {
		name  string
		tool  string // stands for the hanging one
		needs []string
		args  []string
		keeps []string // of what is on standard output; none: nothing is
	}{
		{"build, drawing", "OHMLOOM_DOT", nil, []string{"build", "-o", "out", "my.hcl"}, nil},
		{"verify, linting", "OHMLOOM_VERILATOR", nil, []string{"verify", "my.hcl"}, nil},
		{"verify, compiling", "OHMLOOM_GXX", []string{"verilator"}, []string{"verify", "--engine", "verilated", "my.hcl"}, nil},
		{"verify, lockstep", "", nil, []string{"verify", "--engine", "telling,interp", "--cycles", "1000000000", "my.hcl"}, nil},
		{"area", "OHMLOOM_YOSYS", []string{"liberty"}, []string{"area", "my.hcl"}, nil},
		{"run, writing", "", nil, []string{"run", "--engine", "telling", "--tokens", "1000000"}, []string{"ROMEO:\nWhat light through ", "interrupted after"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tools.NeedForTest(t, c.needs...)
			dir, tmp, marks := t.TempDir(), t.TempDir(), t.TempDir()
			write(t, filepath.Join(dir, "my.hcl"), "chip \"c\" {\n  attention {\n    rows = 2\n    cols = 2\n  }\n}\n", 0o666)
			tool, started, child := filepath.Join(marks, "tool"), filepath.Join(marks, "started"), filepath.Join(marks, "child")
			write(t, tool, hanging, 0o777)
			cmd := program(t, dir, c.args...)
			cmd.Env = append(cmd.Env, "TMPDIR="+tmp, "OHMLOOM_CACHE="+filepath.Join(marks, "cache"),
				"OHMLOOM_TEST_STARTED="+started, "OHMLOOM_TEST_CHILD="+child)
			if c.tool != "" {
				cmd.Env = append(cmd.Env, c.tool+"="+tool)
			}
			var out, errOut bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errOut
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			waitFor(t, "the command to be half way", func() bool {
				_, err := os.Stat(started)
				return err == nil || len(done) > 0
			})
			if len(done) > 0 {
				t.Fatalf("ended before it was half way: %v\n%s", <-done, errOut.String())
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 130 {
					t.Errorf("ended with %v, want exit code 130\n%s", err, errOut.String())
				}
			case <-time.After(limit):
				cmd.Process.Kill()
				t.Fatalf("still running %s after SIGINT", limit)
			}
			if !strings.Contains(errOut.String(), "interrupted") || len(c.keeps) == 0 && out.Len() > 0 {
				t.Errorf("stdout %q, stderr %q", out.String(), errOut.String())
			}
			for _, k := range c.keeps {
				if !strings.Contains(out.String(), k) {
					t.Errorf("stdout %q lacks %q", out.String(), k)
				}
			}
			for _, d := range []string{dir, tmp} {
				if left := names(t, d); strings.TrimSuffix(left, " ") != "" && left != "my.hcl" {
					t.Errorf("left behind: %s", left)
				}
			}
			children, err := filepath.Glob(child + ".*.pid") // compilers run side by side
			if err != nil || len(children) == 0 && c.tool != "" {
				t.Errorf("the hanging tool never ran: %v", err)
			}
			for _, file := range children {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
				if err != nil {
					t.Fatal(err)
				}
				waitFor(t, "the tool's child to be gone", func() bool { return gone(pid) })
			}
			left, err := filepath.Glob(filepath.Join(marks, "cache", "*", "tmp-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left in the cache: %v %v", left, err)
			}
		})
	}
}

// gone tells whether a process has ended; one that nobody waited for yet counts as ended.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// program is the command line as a process of its own; see TestMain.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"ohmloom"}, args...), Dir: dir, Env: os.Environ()}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) string {
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
