// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake puts an executable shell script on a PATH that holds nothing else.
func fake(t *testing.T, dir, name, script string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// onlyFakes makes an empty directory the whole PATH.
func onlyFakes(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "with space")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, tool := range Table() {
		t.Setenv(tool.Override(), "")
	}
	t.Setenv("OHMLOOM_HOME", filepath.Join(dir, "data"))
	return dir
}

func TestVersionsCompareByNumber(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"5.006", "5.006", 0}, {"5.006", "5.6", 0}, {"5.006", "5.020", -1}, {"5.006", "4.228", 1}, {"0.9", "0.23", -1},
		{"11", "11.0", 0}, {"11.0.1", "11", 1}, {"9", "10", -1}, {"10", "9.9.9", 1}, {"", "1", -1}, {"1.26.8", "1.26", 1},
		{"1", "99999999999999999999999", -1}, {"99999999999999999999998", "99999999999999999999999", -1},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

// What the tools of the tested Debian release, and of newer ones, print.
func TestVersionIsReadFromWhatToolsPrint(t *testing.T) {
	for _, c := range []struct{ name, prints, version string }{
		{"go", "go version go1.26.8 linux/amd64", "1.26.8"},
		{"go", "go version go1.27rc1 linux/amd64", "1.27"},
		{"verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "5.006"},
		{"verilator", "Verilator 5.032 2025-01-01 rev v5.032", "5.032"},
		{"g++", "g++ (Debian 12.2.0-14+deb12u1) 12.2.0", "12.2.0"},
		{"g++", "g++ (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0", "11.4.0"},
		{"make", "GNU Make 4.3", "4.3"},
		{"yosys", "Yosys 0.23 (git sha1 7ce5011c24b)", "0.23"},
		{"yosys", "Yosys 0.52+115 (git sha1 abc)", "0.52"},
		{"yosys-abc", "UC Berkeley, ABC 1.01 (compiled Feb  7 2023 01:39:45)", "1.01"},
		{"iverilog", "Icarus Verilog version 11.0 (stable) ()", "11.0"},
		{"vvp", "Icarus Verilog runtime version 12.0 (stable) ()", "12.0"},
		{"dot", "dot - graphviz version 2.43.0 (0)", "2.43.0"},
		{"sta", "2.0.17", "2.0.17"},
		{"ngspice", "** ngspice-39 : Circuit level simulation program", "39"},
		{"chromium", "Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)", "156.0.8078.79"},
	} {
		dir := onlyFakes(t)
		path := fake(t, dir, lookup(c.name).Executable, fmt.Sprintf("echo '%s' >&2", c.prints)) // dot prints to stderr
		f, err := Find(context.Background(), c.name)
		if err != nil || f != (Found{c.name, path, c.version}) {
			t.Errorf("%s printing %q: %+v, %v; want version %s", c.name, c.prints, f, err, c.version)
		}
	}
}

func TestMissingToolNamesItselfVersionAndPackage(t *testing.T) {
	onlyFakes(t)
	_, err := Find(context.Background(), "verilator")
	var missing *Missing
	if !errors.As(err, &missing) || !errors.Is(err, ErrTool) || missing.Wanted != "5.006" || missing.Package != "verilator" {
		t.Fatalf("got %#v", err)
	}
	for _, part := range []string{"verilator", "5.006", "Debian package verilator", "OHMLOOM_VERILATOR", "scripts/setup"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
	if _, err := Find(context.Background(), "go"); !strings.Contains(err.Error(), "https://go.dev/dl/") || strings.Contains(err.Error(), "Debian") {
		t.Errorf("go: %v", err)
	}
}

func TestOldToolNamesBothVersions(t *testing.T) {
	dir := onlyFakes(t)
	path := fake(t, dir, "verilator", "echo 'Verilator 4.038 2020-07-11 rev v4.036'")
	_, err := Find(context.Background(), "verilator")
	var old *TooOld
	if !errors.As(err, &old) || *old != (TooOld{"verilator", path, "4.038", "5.006", "verilator"}) || !errors.Is(err, ErrTool) {
		t.Fatalf("got %#v", err)
	}
	if s := err.Error(); !strings.Contains(s, "4.038") || !strings.Contains(s, "5.006") {
		t.Error(s)
	}
}

func TestBrokenToolIsReportedWithWhatItSaid(t *testing.T) {
	for name, c := range map[string]struct{ script, says string }{
		"exit status":   {"echo 'no licence'; exit 7", `exit status 7: "no licence"`},
		"crash":         {"kill -SEGV $$", "segmentation fault"},
		"says nonsense": {"echo hello", `printed no version: "hello"`},
		"says nothing":  {"exit 0", "printed no version"},
	} {
		t.Run(name, func(t *testing.T) {
			fake(t, onlyFakes(t), "yosys", c.script)
			_, err := Find(context.Background(), "yosys")
			var broken *Broken
			if !errors.As(err, &broken) || !errors.Is(err, ErrTool) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "0.23") {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	t.Run("not executable code", func(t *testing.T) {
		dir := onlyFakes(t)
		if err := os.WriteFile(filepath.Join(dir, "yosys"), []byte("\x7fELF broken"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(context.Background(), "yosys"); !errors.As(err, new(*Broken)) {
			t.Errorf("got %v", err)
		}
	})
}

func TestHangingToolIsKilledAndReported(t *testing.T) {
	old := probeTimeout
	probeTimeout = 300 * time.Millisecond
	defer func() { probeTimeout = old }()
	sleep, err := filepath.Abs("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"itself": "exec " + sleep + " 60", "its child": sleep + " 5 & wait"} {
		t.Run(name, func(t *testing.T) {
			fake(t, onlyFakes(t), "yosys", script)
			start := time.Now()
			_, err := Find(context.Background(), "yosys")
			if !errors.As(err, new(*Broken)) || !strings.Contains(err.Error(), "no answer within 300ms") {
				t.Errorf("got %v", err)
			}
			if spent := time.Since(start); spent > 4*time.Second {
				t.Errorf("took %v", spent)
			}
		})
	}
}

func TestCancelIsNotBlamedOnTheTool(t *testing.T) {
	fake(t, onlyFakes(t), "yosys", "echo Yosys 0.23")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, "yosys"); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTool) {
		t.Errorf("got %v", err)
	}
}

func TestOverrideNamesAnotherExecutable(t *testing.T) {
	dir := onlyFakes(t)
	fake(t, dir, "g++", "exit 1")
	other := fake(t, t.TempDir(), "my-g++", "echo 'my-g++ (mine) 13.1.0'")
	t.Setenv("OHMLOOM_GXX", other)
	if f, err := Find(context.Background(), "g++"); err != nil || f.Path != other || f.Version != "13.1.0" {
		t.Errorf("got %+v, %v", f, err)
	}
	t.Setenv("OHMLOOM_GXX", filepath.Join(dir, "gone"))
	if _, err := Find(context.Background(), "g++"); !errors.As(err, new(*Missing)) || !strings.Contains(err.Error(), "OHMLOOM_GXX="+dir) {
		t.Errorf("got %v", err)
	}
	fake(t, dir, "yosys-abc", "exit 1")
	abc := fake(t, t.TempDir(), "abc", "echo ABC 1.02")
	t.Setenv("OHMLOOM_YOSYS_ABC", abc)
	if f, err := Find(context.Background(), "yosys-abc"); err != nil || f.Path != abc {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestCheckReportsEveryToolInOrder(t *testing.T) {
	dir := onlyFakes(t)
	fake(t, dir, "verilator", "echo Verilator 5.006")
	fake(t, dir, "yosys", "echo Yosys 9.99")
	fake(t, dir, "dot", "exit 1")
	list := Check(context.Background())
	if len(list) != len(Table()) {
		t.Fatalf("%d statuses for %d tools", len(list), len(Table()))
	}
	for i, tool := range Table() {
		s := list[i]
		if s.Tool.Name != tool.Name {
			t.Fatalf("place %d: %s, want %s", i, s.Tool.Name, tool.Name)
		}
		switch tool.Name {
		case "verilator":
			if s.Err != nil || s.Found.Version != "5.006" || s.Note != "" {
				t.Errorf("%+v", s)
			}
		case "yosys":
			if s.Err != nil || !strings.Contains(s.Note, "newer than "+tool.Tested) {
				t.Errorf("%+v", s)
			}
		case "dot":
			if !errors.As(s.Err, new(*Broken)) {
				t.Errorf("%+v", s)
			}
		case "liberty": // may be installed for the whole machine
		default:
			if !errors.As(s.Err, new(*Missing)) {
				t.Errorf("%+v", s)
			}
		}
	}
}

func TestLibertyIsFoundInTheDataDirectory(t *testing.T) {
	dir := onlyFakes(t)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(data, "osu018_stdcells.lib")
	if err := os.WriteFile(lib, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if path, err := Liberty(); path == lib {
		t.Errorf("an empty file was taken: %v", err)
	}
	if err := os.WriteFile(lib, []byte("library(x) {}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if path, err := Liberty(); err != nil || path != lib {
		t.Errorf("got %q, %v", path, err)
	}
	if f, err := Find(context.Background(), "liberty"); err != nil || f.Path != lib {
		t.Errorf("got %+v, %v", f, err)
	}
	t.Setenv("OHMLOOM_LIBERTY", filepath.Join(dir, "gone.lib"))
	_, err := Liberty()
	if !errors.As(err, new(*Missing)) || !strings.Contains(err.Error(), "gone.lib") || !strings.Contains(err.Error(), "qflow-tech-osu018") {
		t.Errorf("got %v", err)
	}
}

func TestDataDirFollowsTheEnvironment(t *testing.T) {
	for _, c := range []struct{ ohmloom, xdg, home, want string }{
		{"/o", "/x", "/h", "/o"},
		{"", "/x", "/h", "/x/ohmloom"},
		{"", "relative", "/h", "/h/.local/share/ohmloom"},
		{"", "", "/h h", "/h h/.local/share/ohmloom"},
	} {
		t.Setenv("OHMLOOM_HOME", c.ohmloom)
		t.Setenv("XDG_DATA_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		if got := DataDir(); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

func TestTableIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, tool := range Table() {
		if seen[tool.Name] {
			t.Errorf("%s is there twice", tool.Name)
		}
		seen[tool.Name] = true
		if tool.Probe != nil && Compare(tool.Min, tool.Tested) > 0 {
			t.Errorf("%s: min %s is newer than tested %s", tool.Name, tool.Min, tool.Tested)
		}
	}
	for _, name := range []string{"go", "verilator", "g++", "yosys", "yosys-abc", "iverilog", "vvp", "dot", "liberty"} {
		if !seen[name] {
			t.Errorf("%s is not there", name)
		}
	}
	for name, text := range map[string]string{
		"other columns": "name\n", "column short": columns + "\na\tb\n", "need unknown": columns + "\na\ta\t-v\t(x)\t1\t1\tp\tperhaps\tw\n",
		"no group": columns + "\na\ta\t-v\tx\t1\t1\tp\tcore\tw\n", "empty column": columns + "\na\t\t-v\t(x)\t1\t1\tp\tcore\tw\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

type recorder struct{ skipped, failed string }

func (r *recorder) Helper()                      {}
func (r *recorder) Skipf(f string, args ...any)  { r.skipped = fmt.Sprintf(f, args...) }
func (r *recorder) Fatalf(f string, args ...any) { r.failed = fmt.Sprintf(f, args...); panic(r) }

func TestMissingToolSkipsLocallyAndFailsInCI(t *testing.T) {
	onlyFakes(t)
	need := func(ci string) (r *recorder) {
		t.Setenv("CI", ci)
		r = &recorder{}
		defer func() { _ = recover() }()
		NeedForTest(r, "yosys")
		return r
	}
	for _, ci := range []string{"", "false", "0"} {
		if r := need(ci); r.failed != "" || !strings.Contains(r.skipped, "yosys") {
			t.Errorf("CI=%q: %+v", ci, r)
		}
	}
	for _, ci := range []string{"true", "1"} {
		if r := need(ci); r.skipped != "" || !strings.Contains(r.failed, "yosys") {
			t.Errorf("CI=%q: %+v", ci, r)
		}
	}
}
