package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/cli"
	"ohmloom/gen/tools"
)

// TestHelpNamesEveryKeyOfJSON holds the keys that each command prints against those that its
// help names: all printed are named, and all that are always there are printed.
func TestHelpNamesEveryKeyOfJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("OHMLOOM_CACHE", t.TempDir())
	if err := os.WriteFile("my.hcl", []byte("chip \"c\" {\n  attention {\n    rows = 2\n    cols = 1\n  }\n}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("bad.hcl", []byte("chip \"c\" {\n  attention {\n    rows = 0\n    cols = 1\n  }\n}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		args  []string
		needs []string
		code  int
		keys  []string // that must be among those printed
	}{
		{[]string{"init", "new.hcl"}, nil, 0, []string{"file"}},
		{[]string{"check", "my.hcl"}, nil, 0, []string{"ok", "file", "hash", "errors", "warnings", "diagnostics"}},
		{[]string{"check", "bad.hcl"}, nil, 1, []string{"diagnostics.severity", "diagnostics.pos.line"}},
		{[]string{"build", "my.hcl"}, nil, 0, []string{"dir", "top", "hash", "modules", "verilog_lines", "files.path", "files.role", "files.bytes"}},
		{[]string{"verify", "--engine", "interp,telling", "--cycles", "20", "my.hcl"}, nil, 0,
			[]string{"passed", "cycles", "engines", "seed", "mismatches", "cases.passed", "lockstep.compared_values"}},
		{[]string{"verify", "--engine", "interp,broken", "my.hcl"}, nil, 1,
			[]string{"mismatches.case", "mismatches.engine", "mismatches.what", "mismatches.source", "lockstep.mismatch.cycle",
				"lockstep.mismatch.values.hex", "lockstep.mismatch.replay"}},
		{[]string{"area", "my.hcl"}, []string{"yosys", "yosys-abc", "liberty"}, 0,
			[]string{"total_area_um2", "gate_equivalents", "modules.name", "modules.instances", "modules.area_um2", "modules.kind"}},
		{[]string{"accuracy", "--windows", "1", "--variation", "0.1", "--plot", "a.svg", "--plot-bits", "6"}, nil, 0,
			[]string{"bits_per_char", "change", "effects.variation", "seed", "runs.seed", "sweep.bits", "crossbars.rows"}},
		{[]string{"estimate"}, nil, 0, []string{"tokens_per_second", "joules_per_token", "gops_per_watt", "words_per_battery", "macs.precision",
			"parts.part", "parts.layer", "parts.cycles", "parts.joules", "bounds.bound", "constants.source"}},
		{[]string{"estimate", "--paper"}, nil, 0, []string{"rows.model", "rows.context", "rows.system", "rows.variant", "rows.tokens_per_second",
			"rows.joules_per_token", "heat_map.d_model", "table3.gops", "corrections.name"}},
		{[]string{"doctor"}, nil, -1, []string{"ok", "tools.name", "tools.package"}},
		{[]string{"version"}, nil, 0, []string{"version", "go", "revision"}},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			tools.NeedForTest(t, c.needs...)
			var help, out, errOut bytes.Buffer
			if code := cli.Main([]string{c.args[0], "--help"}, nil, &help, &errOut); code != 0 {
				t.Fatalf("help: exit code %d", code)
			}
			code := cli.Main(append(slices.Clone(c.args), "--json"), strings.NewReader(""), &out, &errOut)
			if code != c.code && c.code >= 0 {
				t.Fatalf("exit code %d, want %d: %s", code, c.code, errOut.String())
			}
			var got any
			dec := json.NewDecoder(&out)
			if err := dec.Decode(&got); err != nil {
				t.Fatalf("not JSON: %v", err)
			}
			if dec.More() {
				t.Error("more than one value printed")
			}
			named, printed := named(t, help.String()), map[string]bool{}
			collect(got, "", named, printed)
			for key := range printed {
				if _, ok := named[key]; !ok {
					t.Errorf("%q is printed and not in the help", key)
				}
			}
			for _, key := range c.keys {
				if !printed[key] {
					t.Errorf("%q is not printed", key)
				}
			}
		})
	}
}

// collect gathers the keys of a decoded value; a list adds nothing to a path, and the keys of
// what the help marks {} are data.
func collect(v any, at string, named map[string]string, keys map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		if named[strings.TrimSuffix(at, ".")] == "{}" {
			return
		}
		for k, inner := range x {
			keys[at+k] = true
			collect(inner, at+k+".", named, keys)
		}
	case []any:
		for _, inner := range x {
			collect(inner, at, named, keys)
		}
	}
}

var keyToken = regexp.MustCompile(`[a-z0-9_]+|\[\]|\{\}|[(),.]`)

// named parses the paragraph of the help that lists the keys: path to "", "[]" or "{}".
func named(t *testing.T, help string) map[string]string {
	t.Helper()
	_, list, found := strings.Cut(strings.ReplaceAll(help, "\n", " "), "by name): ")
	if !found {
		t.Fatalf("the help names no keys:\n%s", help)
	}
	keys := map[string]string{}
	var path []string
	last := ""
	for _, tok := range keyToken.FindAllString(list, -1) {
		switch tok {
		case "(":
			path = append(path, last)
		case ")":
			path = path[:len(path)-1]
		case ",":
		case ".":
			return keys
		case "[]", "{}":
			keys[last] = tok
		default:
			last = tok
			if len(path) > 0 {
				last = path[len(path)-1] + "." + tok
			}
			keys[last] = ""
		}
	}
	t.Fatal("the list of keys does not end")
	return nil
}

// TestErrorsLeaveStandardOutputEmpty: with --json, what is printed is a result or nothing.
func TestErrorsLeaveStandardOutputEmpty(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"build", "nothere.hcl"}, {"verify", "nothere.hcl"}, {"area", "nothere.hcl"},
		{"build", "-o", filepath.Join("x", ""), "a", "b"}, {"init", "no/such/folder.hcl"}, {"verify", "--engine", "none"}} {
		var out, errOut bytes.Buffer
		code := cli.Main(append(args, "--json"), strings.NewReader(""), &out, &errOut)
		if code == 0 || out.Len() > 0 || errOut.Len() == 0 {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, out.String(), errOut.String())
		}
	}
}
