package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
)

const small = `
technology = "45nm"
model "tiny" {
  layers  = 2
  d_model = 48
  heads   = 4
  d_ff    = 96
  vocab   = 50
}
variable "rows" { default = 4 }
variable "cols" { default = 4 }
variable "share" { default = 4 }
chip "c" {
  attention {
    decode  = "spread"
    rows    = var.rows
    cols    = var.cols
    context = 24
  }
  pim {
    row_blocks = 3
    col_blocks = 3
    crossbar {
      rows = 32
      cols = 32
      adc { share = var.share }
    }
  }
}
sweep {
  vary "rows" {
    from = 1
    to   = 12
  }
  vary "cols" { values = [2, 4, 6] }
  vary "share" { values = [1, 2, 8, 64] } # the last exceeds the crossbar
  where = var.rows * var.cols != 12
}
`

func space(t testing.TB, src string) *config.Sweep {
	t.Helper()
	s, diags := config.LoadSweepBytes(context.Background(), "small.hcl", []byte(src), config.Options{})
	if s == nil {
		t.Fatal(diags.String())
	}
	return s
}

func run(t testing.TB, s Space, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every point is the estimate of the description with the variables written by hand.
func TestPointsAreThoseOfTheDescriptionWithTheirValues(t *testing.T) {
	s := space(t, small)
	r := run(t, s, Options{Workers: 3})
	failed := 0
	for _, row := range r.Rows {
		vars := map[string]string{}
		for i, name := range r.Axes {
			vars[name] = string(row.Values[i])
		}
		chip, diags := config.LoadBytes(context.Background(), "small.hcl", []byte(small), config.Options{Vars: vars})
		if (chip == nil) != (row.Problem != "") {
			t.Fatalf("%v: problem %q, loaded on its own: %s", vars, row.Problem, diags)
		}
		if chip == nil {
			failed++
			if !strings.Contains(row.Problem, "small.hcl:26:21: ") || !strings.Contains(row.Problem, "64") {
				t.Fatalf("%v: %s", vars, row.Problem)
			}
			continue
		}
		e, err := Estimate(&arch.Point{Chip: chip, Context: 24, Phase: "decode", Head: true})
		if err != nil || e.Cycles.Value != row.Metric("cycles") || e.JoulesPerToken.Value != row.Metric("joules_per_token") {
			t.Fatalf("%v: %v cycles in the sweep, %v by itself (%v)", vars, row.Metric("cycles"), e.Cycles, err)
		}
		if row.Metric("pes") != float64(chip.Attention.Rows*chip.Attention.Cols) || row.Metric("chips") != 12 {
			t.Fatalf("%v: %v PEs, %v chips", vars, row.Metric("pes"), row.Metric("chips"))
		}
	}
	// rows x cols = 12 at (2,6), (3,4), (6,2)
	if len(r.Rows) != 132 || r.Excluded != 12 || failed != 33 {
		t.Errorf("%d rows, %d left out, %d failed", len(r.Rows), r.Excluded, failed)
	}
}

func TestWorkersDoNotChangeAByte(t *testing.T) {
	var rows, files []string
	for _, workers := range []int{1, 2, 7} {
		path := filepath.Join(t.TempDir(), "results.jsonl")
		f, err := OpenFile(path, "v")
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, text(t, run(t, space(t, small), Options{Workers: workers, Results: f}).Rows))
		f.Close()
		files = append(files, read(t, path))
	}
	if rows[0] != rows[1] || rows[1] != rows[2] || files[0] != files[1] || files[1] != files[2] {
		t.Error("results depend on the number of workers")
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// counting counts how often points are made, and stops a run after some.
type counting struct {
	Space
	points atomic.Int64
	stop   func()
	after  int64
}

func (c *counting) Point(i uint64) (*arch.Point, error) {
	if c.points.Add(1) == c.after {
		c.stop()
	}
	return c.Space.Point(i)
}

// An interrupted sweep goes on, one of more points takes what is there, and both end as if
// nothing had happened.
func TestInterruptedSweepGoesOnWhereItWas(t *testing.T) {
	s := space(t, small)
	want := text(t, run(t, s, Options{Workers: 2}).Rows)
	path := filepath.Join(t.TempDir(), "results.jsonl")
	open := func() *File {
		f, err := OpenFile(path, "v")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := open()
	c := &counting{Space: s, stop: cancel, after: 100}
	if _, err := Run(ctx, c, Options{Workers: 1, Results: f}); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	f.Close()
	f = open()
	r := run(t, s, Options{Workers: 2, Results: f})
	f.Close()
	if got := text(t, r.Rows); got != want || r.Reused < 30 || r.Reused > 99 {
		t.Errorf("went on with %d points that were there, same rows: %t", r.Reused, got == want)
	}
	f = open()
	defer f.Close()
	wider := space(t, strings.Replace(small, "to   = 12", "to   = 13", 1))
	if r := run(t, wider, Options{Workers: 2, Results: f}); r.Reused != 99 || len(r.Rows) != 144 {
		t.Errorf("wider sweep: %d of %d points were there", r.Reused, len(r.Rows))
	}
}

// Whatever happens to a line, it is found, named and computed anew, and the others are kept.
func TestDamagedLinesAreNamedAndTheRestIsKept(t *testing.T) {
	s := space(t, small)
	path := filepath.Join(t.TempDir(), "results.jsonl")
	f, err := OpenFile(path, "v")
	if err != nil {
		t.Fatal(err)
	}
	want := text(t, run(t, s, Options{Workers: 2, Results: f}).Rows)
	f.Close()
	whole := read(t, path)
	r := rand.New(rand.NewSource(3))
	for try := range 60 {
		lines := strings.SplitAfter(whole, "\n")
		at := 1 + r.Intn(len(lines)-2)
		line := []byte(lines[at])
		switch k := r.Intn(len(line) - 2); try % 4 {
		case 0:
			line[k] ^= 1 << r.Intn(7)
			if line[k] == '\n' {
				continue
			}
		case 1:
			line = append(line[:k], '\n')
		case 2:
			line = append(slices.Clone(line[:k]), line[k+1:]...)
		case 3: // cut off while it was written
			lines, line = lines[:at+1], line[:k]
		}
		lines[at] = string(line)
		damaged := strings.Join(lines, "")
		dir := t.TempDir()
		path := filepath.Join(dir, "results.jsonl")
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(path, "v")
		if err != nil {
			t.Fatal(err)
		}
		if len(line) > 0 && (len(f.Problems) != 1 || f.Problems[0].Line != at+1) {
			t.Fatalf("line %d became %q: problems %v", at+1, line, f.Problems)
		}
		if len(line) > 0 && read(t, f.Kept) != damaged {
			t.Fatalf("the damaged file was not kept")
		}
		res := run(t, s, Options{Workers: 2, Results: f})
		f.Close()
		if text(t, res.Rows) != want || try%4 != 3 && res.Reused != 98 {
			t.Fatalf("line %d became %q: %d points were reused, or rows differ", at+1, line, res.Reused)
		}
	}
}

func TestAFolderHasOneSweepAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	f, err := OpenFile(path, "v")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, "v"); err == nil || !strings.Contains(err.Error(), "another sweep is at work") {
		t.Errorf("a second sweep: %v", err)
	}
	f.Close()
	for range 2 { // an error gives the folder free, too
		if _, err := OpenFile(filepath.Join(path, "no folder"), "v"); err == nil {
			t.Error("a file in a file was opened")
		}
	}
	if f, err = OpenFile(path, "v"); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	for what, content := range map[string]string{"notes": "# Notes\n", "json": `{"format":"something"}` + "\n", "binary": "\x00\xff"} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path, "v"); err == nil || !strings.Contains(err.Error(), "no results file") || read(t, path) != content {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := OpenFile(t.TempDir(), "v"); err == nil {
		t.Error("a folder was opened as a results file")
	}
}

func TestResultsOfAnotherVersionAreKeptAside(t *testing.T) {
	s := space(t, small)
	path := filepath.Join(t.TempDir(), "r")
	f, err := OpenFile(path, "one")
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, Options{Workers: 2, Results: f})
	f.Close()
	old := read(t, path)
	f, err = OpenFile(path, "two")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r := run(t, s, Options{Workers: 2, Results: f}); r.Reused != 0 || f.Stale != 99 || read(t, f.Kept) != old {
		t.Errorf("%d reused, %d stale, kept as %q", r.Reused, f.Stale, f.Kept)
	}
}

// The front by its definition: nobody on it is beaten, everybody off it is.
func TestFrontIsWhatNobodyBeats(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for try := range 200 {
		objectives := []string{"tokens_per_second", "joules_per_token", "pes"}[:2+try%2]
		var rows []Row
		for i := range 1 + r.Intn(60) {
			row := Row{Index: uint64(i), Metrics: make([]float64, len(arch.Metrics))}
			for j := range row.Metrics {
				row.Metrics[j] = float64(r.Intn(8)) // with ties
			}
			if r.Intn(9) == 0 {
				row.Metrics, row.Problem = nil, "none"
			}
			rows = append(rows, row)
		}
		on := map[uint64]bool{}
		for _, f := range Front(rows, objectives) {
			on[f.Index] = true
		}
		for _, a := range rows {
			beaten := a.Problem != ""
			for _, b := range rows {
				if b.Problem != "" || beaten {
					continue
				}
				worse, better := false, false
				for _, name := range objectives {
					x, y := b.Metric(name), a.Metric(name)
					if !arch.FindMetric(name).More {
						x, y = -x, -y
					}
					worse, better = worse || x < y, better || x > y
				}
				beaten = better && !worse
			}
			if on[a.Index] == beaten {
				t.Fatalf("try %d: point %d on the front: %t, beaten: %t", try, a.Index, on[a.Index], beaten)
			}
		}
	}
}

// A sample is of allowed points, each once, the same for a seed, and of all when there are no more.
func TestSamplesAreOfAllowedPoints(t *testing.T) {
	s := space(t, small)
	all := run(t, s, Options{Workers: 2})
	index := func(r *Result) (list []uint64) {
		for _, row := range r.Rows {
			list = append(list, row.Index)
		}
		return list
	}
	one, same, other := run(t, s, Options{Workers: 1, Sample: 40, Seed: 5}), run(t, s, Options{Workers: 4, Sample: 40, Seed: 5}), run(t, s, Options{Workers: 1, Sample: 40, Seed: 6})
	if len(one.Rows) != 40 || !slices.Equal(index(one), index(same)) || slices.Equal(index(one), index(other)) {
		t.Errorf("samples: %v, %v, %v", index(one), index(same), index(other))
	}
	for _, i := range index(one) {
		if !slices.Contains(index(all), i) {
			t.Errorf("point %d is not allowed", i)
		}
	}
	if most := run(t, s, Options{Workers: 2, Sample: 100_000}); !slices.Equal(index(most), index(all)) {
		t.Errorf("a sample of everything has %d of %d points", len(most.Rows), len(all.Rows))
	}
	vast := strings.NewReplacer("to   = 12", "to   = 12\n    step = 0.00001", "[2, 4, 6]", "[2]").Replace(small)
	vast = strings.Replace(vast, "where = var.rows * var.cols != 12", fmt.Sprintf("where = floor(var.rows) == var.rows || var.rows > 11\n sample = %d", 50), 1)
	if r := run(t, space(t, vast), Options{Workers: 2, Sample: 50}); len(r.Rows) != 50 {
		t.Errorf("a sample of millions has %d points", len(r.Rows))
	}
}
