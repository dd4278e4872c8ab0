package config

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden texts in testdata")

// Each archive in testdata holds a description (main.hcl and what it includes) and, as
// `want`, everything that is said about it. Lines "var name=value" in its comment are --var.
func TestDiagnosticsReadAsRecorded(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := fstest.MapFS{}
			want, wantAt := "", -1
			for i, f := range ar.Files {
				if f.Name == "want" {
					want, wantAt = string(f.Data), i
					continue
				}
				files[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			vars := map[string]string{}
			for line := range strings.Lines(string(ar.Comment)) {
				if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "var "); ok {
					name, value, _ := strings.Cut(rest, "=")
					vars[name] = value
				}
			}
			chip, diags := Load(context.Background(), "main.hcl", Options{FS: files, Vars: vars})
			if (chip == nil) != diags.HasErrors() {
				t.Errorf("chip is nil: %v, errors: %v", chip == nil, diags.HasErrors())
			}
			var buf bytes.Buffer
			if err := diags.Render(&buf, 90, false); err != nil {
				t.Fatal(err)
			}
			got := buf.String()
			if *update {
				if wantAt < 0 {
					ar.Files = append(ar.Files, txtar.File{Name: "want"})
					wantAt = len(ar.Files) - 1
				}
				ar.Files[wantAt].Data = buf.Bytes()
				if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got (go test -update rewrites):\n%s", diff)
			}
		})
	}
}

func loadText(t *testing.T, src string, vars map[string]string, files fs.FS) (diags Diagnostics) {
	t.Helper()
	if files == nil {
		files = fstest.MapFS{}
	}
	_, diags = LoadBytes(context.Background(), "main.hcl", []byte(src), Options{Vars: vars, FS: files})
	return diags
}

func TestColorChangesNothingButEscapes(t *testing.T) {
	diags := loadText(t, `chip "a" { clock = 1 }`, nil, nil)
	var plain, color bytes.Buffer
	diags.Render(&plain, 80, false)
	diags.Render(&color, 80, true)
	stripped := strings.NewReplacer("\x1b[1;31m", "", "\x1b[1;33m", "", "\x1b[0m", "").Replace(color.String())
	if plain.String() != stripped || plain.String() == color.String() {
		t.Errorf("plain:\n%q\ncolor:\n%q", plain.String(), color.String())
	}
}

func TestHostileSourceCannotWriteToTheTerminal(t *testing.T) {
	out := loadText(t, "chip \"a\x1b[31m\" {\n\tclock\u202e = \"\x1b]0;title\x07\"\n}\n\x00\xff", nil, nil).String()
	if strings.ContainsAny(out, "\x1b\x00\x07\u202e") {
		t.Errorf("control characters in %q", out)
	}
}

func TestMarkerStandsUnderTheValue(t *testing.T) {
	diags := loadText(t, "chip \"a\" {\n\tattention {\n\t\trows = 2000\n\t\tcols = 1\n\t}\n}\n", nil, nil)
	if len(diags) != 1 {
		t.Fatalf("want one diagnostic, got:\n%s", diags)
	}
	d := diags[0]
	i := strings.Index(d.Excerpt, "2000")
	if d.Marker != strings.Repeat(" ", i)+"^^^^" {
		t.Errorf("excerpt %q\nmarker  %q", d.Excerpt, d.Marker)
	}
	if d.Pos.String() != "main.hcl:3:10" {
		t.Errorf("position %s", d.Pos)
	}
}

func TestLongLinesAreCutAroundTheMistake(t *testing.T) {
	diags := loadText(t, `chip "a" { attention { rows = `+strings.Repeat("1 + ", 300)+` 1024 }  }`, nil, nil)
	for _, d := range diags {
		if n := len([]rune(d.Excerpt)); n > maxExcerpt+3 {
			t.Errorf("excerpt of %d characters", n)
		}
		if len(d.Marker) > maxExcerpt {
			t.Errorf("marker of %d characters", len(d.Marker))
		}
	}
}

func TestDiagnosticsHaveStableJSONKeys(t *testing.T) {
	diags := loadText(t, "chip \"a\" {\n  attention {\n    rows = 0\n    cols = 1\n  }\n}\n", nil, nil)
	got, err := json.Marshal(diags)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"severity":"error","summary":"\"rows\" is too small","pos":{"file":"main.hcl","line":3,"col":12},` +
		`"in":"chip \"a\", attention","excerpt":"    rows = 0","value":"0","allowed":"a whole number, 1 .. 1,024",` +
		`"suggestion":"use 1 or more (PEs from top to bottom)"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
