package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ohmloom/examples"
	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/sweep"
)

type sweepFlags struct {
	dir     string
	workers int
	verify  bool
	engines []string
	most    int
}

// sweepResult is what sweep --json prints.
type sweepResult struct {
	File       string       `json:"file"`
	Chip       string       `json:"chip"`
	Version    string       `json:"version"`
	Axes       []sweepAxis  `json:"axes"`
	Sample     uint64       `json:"sample,omitempty"`
	Seed       uint64       `json:"seed"`
	Points     int          `json:"points"`   // with figures
	Excluded   int          `json:"excluded"` // by where
	Failed     int          `json:"failed"`   // that can't be built or estimated; points.csv says why
	Objectives []sweepAim   `json:"objectives"`
	Front      []sweepPoint `json:"front"`
	Files      []string     `json:"files"`

	reused int
	rows   []sweep.Row
}

type sweepAxis struct {
	Name   string `json:"name"`
	Values uint64 `json:"values"`
}

type sweepAim struct {
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	Better string `json:"better"` // more or less
}

type sweepPoint struct {
	Index   uint64                     `json:"index"`
	Values  map[string]json.RawMessage `json:"values"`
	Metrics map[string]float64         `json:"metrics"`
	Bound   string                     `json:"bound"`
	Verify  *scaledVerify              `json:"verify,omitempty"`
}

func (a *app) sweepCmd() *cobra.Command {
	f := sweepFlags{}
	cmd := &cobra.Command{
		Use:   "sweep [FILE]",
		Short: "Estimate every point of a design space and find the Pareto front",
		Long: `Estimate a model on every variant of a chip that the description's sweep block names: vary
"VARIABLE" { values = [...] }, or { from, to and step or factor }, each with each; where leaves
points out, sample takes some at random; objectives name two or three figures. A variable that
--var fixes is no axis. Into the folder go points.csv, front.csv, sweep.json, front.svg and
results.jsonl, from which an interrupted or extended sweep goes on. Figures: ` + strings.Join(metricList(), ", ") + `.

--verify runs the RTL of the front's points against their formulas and all engines in lockstep,
scaled down to what simulates in seconds; each point says what was scaled.` + jsonHelp(sweepResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.workers < 1 || f.workers > 1024 {
				return usage("--workers %d: allowed are 1 to 1,024", f.workers)
			}
			if f.most < 1 {
				return usage("--most %d: verify at least one point", f.most)
			}
			if cmd.Flags().Changed("output") && f.dir == "" {
				return usage("--output is empty; name a folder")
			}
			if err := checkEngines(f.engines); err != nil {
				return err
			}
			return a.sweep(cmd.Context(), args, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.dir, "output", "o", "", "folder to write (default: the chip's name and _sweep)")
	fl.StringVar(&a.model, "model", "", "model instead of the description's: a `name`, or a .safetensors or .gguf file")
	fl.IntVar(&f.workers, "workers", runtime.NumCPU(), "points at a time; results do not depend on it")
	fl.BoolVar(&f.verify, "verify", false, "run the RTL of the front's points, scaled down")
	fl.StringSliceVar(&f.engines, "engine", engineNames(), "with --verify: engines to run")
	fl.IntVar(&f.most, "most", 8, "with --verify: at most so many different scaled chips, spread over the front")
	return a.varFlag(cmd)
}

func metricList() []string {
	var list []string
	for _, m := range arch.Metrics {
		list = append(list, m.Name)
	}
	return list
}

// sweep runs the sweep of a description and writes its folder.
func (a *app) sweep(ctx context.Context, args []string, f sweepFlags) error {
	s, err := a.loadSweep(ctx, args)
	if err != nil {
		return err
	}
	dir := f.dir
	if dir == "" {
		dir = s.Chip + "_sweep"
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return failed("%w", err)
	}
	file, err := sweep.OpenFile(filepath.Join(dir, "results.jsonl"), revision())
	if err != nil {
		return failed("%w", err)
	}
	defer file.Close()
	a.tellProblems(file)
	res, err := a.runSweep(ctx, s, f.workers, file)
	if err != nil {
		return err
	}
	bad := false
	if f.verify {
		if bad, err = a.verifyFront(ctx, s, res, f); err != nil {
			return err
		}
	}
	if err := a.writeSweep(dir, s, res); err != nil {
		return failed("%w", err)
	}
	if a.json {
		err = a.printJSON(res)
	} else {
		a.sweepTable(res)
	}
	if err == nil && bad {
		err = said(exitFailed)
	}
	return err
}

// revision is the version of the program that results belong to.
func revision() string {
	version := Version
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" && s.Value == "true" {
				version += " " + s.Value
			}
		}
	}
	return version
}

// loadSweep reads the description in args[0], standard input or the built-in example.
func (a *app) loadSweep(ctx context.Context, args []string) (*config.Sweep, error) {
	vars, err := a.variables()
	if err != nil {
		return nil, err
	}
	opts := config.Options{Vars: vars, Model: a.model}
	var s *config.Sweep
	var diags config.Diagnostics
	switch {
	case len(args) == 0:
		opts.FS = examples.FS
		s, diags = config.LoadSweep(ctx, examples.Sweep, opts)
	case args[0] == "-":
		src, err := io.ReadAll(io.LimitReader(a.in, maxStdin))
		if err != nil {
			return nil, failed("standard input: %w", err)
		}
		s, diags = config.LoadSweepBytes(ctx, "<stdin>", src, opts)
	default:
		s, diags = config.LoadSweep(ctx, args[0], opts)
	}
	if err := a.show(diags.ForEstimates()); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, errors.New("the sweep was not read, without a reason")
	}
	return s, nil
}

// tellProblems says what of a results file is not used.
func (a *app) tellProblems(f *sweep.File) {
	for i, p := range f.Problems {
		if i == 5 {
			a.warn("%s: and %s more", f.Path, count(len(f.Problems)-i, "damaged line"))
			break
		}
		a.warn("%s:%d: damaged: %s", f.Path, p.Line, p.What)
	}
	switch {
	case f.Stale > 0:
		a.warn("%s: %s of another version of ohmloom; points are computed anew, the file as it was is %s", f.Path, count(f.Stale, "result"), f.Kept)
	case len(f.Problems) > 0:
		a.warn("%s: what is damaged is computed anew, the rest is kept; the file as it was is %s", f.Path, f.Kept)
	}
}

// runSweep estimates the points, with a progress bar; file may be nil.
func (a *app) runSweep(ctx context.Context, s *config.Sweep, workers int, file *sweep.File) (*sweepResult, error) {
	var bar *progress
	o := sweep.Options{Workers: workers, Sample: s.Sample, Seed: s.Seed, Results: file, Progress: func(done, total int) {
		if bar == nil {
			bar = a.progress("sweeping", total)
		}
		bar.set(done)
	}}
	r, err := sweep.Run(ctx, s, o)
	if bar != nil {
		bar.done()
	}
	if err != nil {
		return nil, failed("%w", err)
	}
	res := &sweepResult{File: s.Source, Chip: s.Chip, Version: revision(), Sample: s.Sample, Seed: s.Seed, Excluded: r.Excluded, reused: r.Reused, rows: r.Rows,
		Front: []sweepPoint{}}
	for _, x := range s.Axes() {
		res.Axes = append(res.Axes, sweepAxis{x.Name, x.Length})
	}
	for _, name := range s.Objectives {
		m, better := arch.FindMetric(name), "less"
		if m.More {
			better = "more"
		}
		res.Objectives = append(res.Objectives, sweepAim{m.Name, m.Unit, better})
	}
	why := ""
	for _, row := range r.Rows {
		if row.Problem == "" {
			res.Points++
			continue
		}
		res.Failed++
		if why == "" {
			why = row.Problem
		}
	}
	if res.Points == 0 {
		if why == "" {
			return nil, failed("no point is left: where leaves out all %d", r.Excluded)
		}
		return nil, failed("none of %s can be estimated; the first one: %s", count(res.Failed, "point"), why)
	}
	for _, row := range sweep.Front(r.Rows, s.Objectives) {
		res.Front = append(res.Front, pointOf(res.Axes, row))
	}
	return res, nil
}

func pointOf(axes []sweepAxis, row sweep.Row) sweepPoint {
	p := sweepPoint{Index: row.Index, Values: map[string]json.RawMessage{}, Metrics: map[string]float64{}, Bound: row.Bound}
	for i, x := range axes {
		p.Values[x.Name] = row.Values[i]
	}
	for i, m := range arch.Metrics {
		p.Metrics[m.Name] = row.Metrics[i]
	}
	return p
}

func (a *app) sweepTable(r *sweepResult) {
	if !a.quiet {
		var head []any
		for _, x := range r.Axes {
			head = append(head, x.Name)
		}
		for _, o := range r.Objectives {
			name := o.Metric
			if o.Unit != o.Metric {
				name += ", " + o.Unit
			}
			head = append(head, name)
		}
		head = append(head, "longest part: bound")
		if slices.ContainsFunc(r.Front, func(p sweepPoint) bool { return p.Verify != nil }) {
			head = append(head, "RTL, scaled down")
		}
		t := a.table(head...)
		for i, p := range r.Front {
			if i == maxTable && len(r.Front) > maxTable {
				break
			}
			var row table.Row
			for _, x := range r.Axes {
				row = append(row, strings.Trim(string(p.Values[x.Name]), `"`))
			}
			for _, o := range r.Objectives {
				row = append(row, fmt.Sprintf("%.4g", p.Metrics[o.Metric]))
			}
			row = append(row, p.Bound)
			if p.Verify != nil {
				row = append(row, p.Verify.verdict())
			}
			t.AppendRow(row)
		}
		t.Render()
		a.tellScaled(r.Front)
		if n := len(r.Front) - maxTable; n > 0 {
			a.note("and %s more on the front, in front.csv", count(n, "point"))
		}
	}
	a.note("%s from results that were there, %d left out by where, %d can't be built or estimated (points.csv says why)", count(r.reused, "point"), r.Excluded, r.Failed)
	fmt.Fprintf(a.out, "sweep of %s: %s, %d on the front, seed %d: %s\n", r.File, count(r.Points, "point"), len(r.Front), r.Seed, strings.Join(r.Files, ", "))
}

// tellScaled says how the chips of the front that were run were scaled down, each way once.
func (a *app) tellScaled(front []sweepPoint) {
	seen := map[string]bool{}
	for _, p := range front {
		if p.Verify == nil {
			continue
		}
		said := strings.Join(p.Verify.Scaled, "; ")
		if said == "" {
			said = "nothing"
		}
		if line := fmt.Sprintf("run on %s, seed %d, scaled down: %s", strings.Join(p.Verify.Engines, ", "), p.Verify.Seed, said); !seen[line] {
			seen[line] = true
			a.note("%s", line)
		}
	}
}

// maxTable is how many points of a front are printed.
const maxTable = 40
