package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ohmloom/gen/cli"
	"ohmloom/gen/tools"
)

func TestMain(m *testing.M) {
	cli.PlantEngines()
	testscript.Main(m, map[string]func(){
		"ohmloom":        func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"ohmloom-golden": func() { alterGolden(os.Args[1], os.Args[2]) },
	})
}

// alterGolden adds 1 to the number at a path such as steps.0.token of a JSON file.
func alterGolden(file, path string) {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		panic(err)
	}
	at, keys := root, strings.Split(path, ".")
	for i, key := range keys {
		last := i == len(keys)-1
		switch x := at.(type) {
		case map[string]any:
			at = x[key]
			if last {
				x[key] = at.(float64) + 1
			}
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil {
				panic(err)
			}
			at = x[n]
			if last {
				x[n] = at.(float64) + 1
			}
		default:
			panic("no " + key + " in " + path)
		}
	}
	if text, err = json.Marshal(root); err != nil {
		panic(err)
	}
	if err := os.WriteFile(file, text, 0o666); err != nil {
		panic(err)
	}
}

// toolErrors is what is wrong with each external tool, nil when it is there.
func toolErrors(t *testing.T) map[string]error {
	found := map[string]error{}
	for _, s := range tools.Check(t.Context()) {
		found[s.Tool.Name] = s.Err
	}
	return found
}

// TestCommandsSayAndExitAsScripted runs testdata/script/*.txtar: what each command prints,
// what it leaves in the folder, and its exit code. Beside the usual commands the scripts have
//
//	exits CODE PROGRAM ARGS...   run a program, which must exit with this code
//	edit FILE OLD NEW            replace OLD, which must be in the file
//	cut FILE BYTES               truncate a file
//	same DIR DIR                 two folders must hold the same files, byte by byte
//	[yosys], [!g++]              whether a tool of scripts/tools.tsv is there
func TestCommandsSayAndExitAsScripted(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	found := toolErrors(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("OHMLOOM_CACHE", cache)
			env.Setenv("OHMLOOM_HOME", tools.DataDir())
			env.Setenv("CI", os.Getenv("CI"))
			env.Setenv("BIN", filepath.SplitList(env.Getenv("PATH"))[0])
			for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE", "GOFLAGS"} {
				if v := os.Getenv(name); v != "" {
					env.Setenv(name, v)
				}
			}
			if home, err := os.UserCacheDir(); err == nil && os.Getenv("GOCACHE") == "" {
				env.Setenv("GOCACHE", filepath.Join(home, "go-build"))
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			err, listed := found[cond]
			if !listed {
				return false, fmt.Errorf("%s is not in scripts/tools.tsv", cond)
			}
			if err != nil && tools.InCI() {
				t.Errorf("CI is set, so nothing may be skipped: %v", err)
			}
			return err == nil, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "edit": edit, "cut": cut, "same": same,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o666))
}

func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), int64(n)))
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same DIR DIR")
	}
	a, b := contents(ts, args[0]), contents(ts, args[1])
	if len(a) == 0 {
		ts.Fatalf("%s holds no files", args[0])
	}
	for name, data := range a {
		if !bytes.Equal(data, b[name]) {
			ts.Fatalf("%s differs", name)
		}
	}
	if len(a) != len(b) {
		ts.Fatalf("%d files and %d files", len(a), len(b))
	}
}

func contents(ts *testscript.TestScript, dir string) map[string][]byte {
	files := map[string][]byte{}
	root := ts.MkAbs(dir)
	ts.Check(filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[rel], err = os.ReadFile(path)
		return err
	}))
	return files
}
