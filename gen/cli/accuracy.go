package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ohmloom/examples"
	"ohmloom/gen/accuracy"
	"ohmloom/gen/arch"
	"ohmloom/gen/mapping"
	"ohmloom/gen/model"
	"ohmloom/gen/program"
	"ohmloom/gen/report"
	"ohmloom/hw/device"
)

type accuracyResult struct {
	Model       string             `json:"model"`
	Text        string             `json:"text"`
	Windows     int                `json:"windows"`
	Characters  int                `json:"characters"`
	Exact       float64            `json:"exact_bits_per_char"`
	BitsPerChar float64            `json:"bits_per_char"`
	Change      float64            `json:"change"`
	Spread      float64            `json:"spread"`
	Seed        uint64             `json:"seed"`
	Effects     device.Effects     `json:"effects"`
	Crossbars   accuracy.Crossbars `json:"crossbars"`
	Placed      bool               `json:"placed"` // on the PEs of the description's banks: the devices the chip has
	Runs        []accuracy.Run     `json:"runs"`
	Sweep       []accuracy.Point   `json:"sweep,omitempty"` // with --plot
}

// accuracyFlags are the flags of the command that are not effects.
type accuracyFlags struct {
	model, text, plot string
	windows, seeds    int
	sweepRows         []int
	sweepBits         []int
	crossbars         accuracy.Crossbars
	chip              *arch.Chip
}

// place numbers the crossbars as the banks of the description do, when these hold the model and no
// flag gave crossbars of another size: then the text meets the devices that the chip has.
func (f *accuracyFlags) place(m *model.Model) {
	p := f.chip.PIM
	if p.Bank == nil || p.Crossbar.Rows != f.crossbars.Rows || p.Crossbar.Cols != f.crossbars.Cols {
		return
	}
	place := mapping.Place
	if f.chip.Sequencer != nil {
		place = mapping.PlaceStages
	}
	if plan, err := place(mapping.Of(p), program.Ops(m)); err == nil {
		f.crossbars.Number = plan.Numbers()
	}
}

func (a *app) accuracyCmd() *cobra.Command {
	var f accuracyFlags
	cmd := &cobra.Command{
		Use:   "accuracy [FILE]",
		Short: "Run a trained model over a text on crossbars with device effects: bits per character",
		Long: `Run a trained model over a text, every projection in the integer arithmetic of the described
crossbars and their device effects, and print bits per character and the change against exact
products. Flags override the description's crossbar; an effect's flag is its name in the
description. --cols 0 gives each crossbar as many columns as its matrix has outputs. The text is
cut into windows of the model's context, each starting with an empty cache; --windows takes the
first ones only. Random effects are drawn from --seed; --seeds N runs as many, and gives mean and
standard deviation. --plot draws bits per character over ADC bits, a curve for each number of
rows, all of them driven at once. Without --model and --text it is the example's small model, and
text that it was not trained on. Where the description has banks that hold the model, and no flag
changes the size of crossbars, each block of a matrix has the device of its PE: what ohmloom run meets, too.` + jsonHelp(accuracyResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.loadEstimated(cmd.Context(), args)
			if err != nil {
				return err
			}
			if err := f.describe(d, cmd.Flags()); err != nil {
				return err
			}
			res, err := a.accuracy(cmd.Context(), &f)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(res)
			}
			a.accuracyTable(res)
			if f.plot != "" {
				a.note("wrote %s", f.plot)
			}
			return nil
		},
	}
	flags, c := cmd.Flags(), &f.crossbars
	flags.StringVar(&f.model, "model", "", "checkpoint, a .safetensors `file` (default: the example's)")
	flags.StringVar(&f.text, "text", "", "text `file` (default: the example's held-out text)")
	flags.IntVar(&f.windows, "windows", 0, "windows of the text to run; 0 is all")
	flags.IntVar(&f.seeds, "seeds", 1, "how many seeds to run, 1 to 1000")
	flags.Uint64Var(&c.Effects.Seed, "seed", 0, "first seed of everything random (default: the description's)")
	flags.StringVar(&f.plot, "plot", "", "draw bits per character over ADC bits into an SVG `file`")
	flags.IntSliceVar(&f.sweepRows, "plot-rows", []int{64, 128, 256}, "rows of the curves")
	flags.IntSliceVar(&f.sweepBits, "plot-bits", []int{4, 5, 6, 7, 8, 9}, "ADC bits of the points")
	flags.IntVar(&c.Rows, "rows", 0, "rows of a crossbar, 1 to 1024; all are driven at once unless --active says less")
	flags.IntVar(&c.Cols, "cols", 0, "columns of a crossbar, 0 to 1024")
	flags.IntVar(&c.Active, "active", 0, "rows driven in one conversion, 1 to rows")
	flags.IntVar(&c.Share, "share", 0, "columns a converter serves, 1 to columns")
	flags.IntVar(&c.Bits, "bits", 0, "ADC bits, 1 to 16")
	flags.StringVar(&c.Step, "step", "", "ADC step: ideal, clip or full")
	flags.BoolVar(&c.Calibrate, "calibrate", false, "fit one gain for each matrix")
	flags.BoolVar(&c.Effects.Separate, "separate", false, "two unsigned conversions, of W+ and of W-, instead of a signed one")
	flags.StringVar(&c.Effects.Distribution, "distribution", "", "of the variation: gaussian or lognormal")
	for _, p := range device.Parameters {
		flags.Float64Var(p.Of(&c.Effects), effectFlag(p), 0, fmt.Sprintf("%s: %s, %g to %g", p.Doc, p.Unit, p.Min, p.Max))
	}
	return a.varFlag(cmd)
}

// effectFlag is the name of an effect's flag.
func effectFlag(p device.Parameter) string { return strings.ReplaceAll(p.Name, "_", "-") }

// describe takes from the description what no flag gives.
func (f *accuracyFlags) describe(d *description, flags *pflag.FlagSet) error {
	if f.windows < 0 {
		return usage("--windows %d: want 1 or more, or 0 for all", f.windows)
	}
	if f.seeds < 1 || f.seeds > 1000 {
		return usage("--seeds %d: want 1 to 1000", f.seeds)
	}
	if d.chip.PIM == nil {
		return failed("%s has no pim block, so it has no crossbars to run a model on", d.name)
	}
	f.chip = d.chip
	x, c := d.chip.PIM.Crossbar, &f.crossbars
	active := x.ADC.Rows
	if flags.Changed("rows") {
		active = c.Rows
	}
	cols := x.Cols
	if flags.Changed("cols") {
		cols = c.Cols
	}
	for _, p := range []struct {
		flag  string
		to    *int
		value int
	}{{"rows", &c.Rows, x.Rows}, {"cols", &c.Cols, x.Cols}, {"active", &c.Active, active}, {"bits", &c.Bits, x.ADC.Bits}, {"share", &c.Share, shareOf(x.ADC.Share, cols)}} {
		if !flags.Changed(p.flag) {
			*p.to = p.value
		}
	}
	if !flags.Changed("step") {
		c.Step = x.ADC.Step
	}
	described := x.Effects
	for _, p := range device.Parameters {
		if flags.Changed(effectFlag(p)) {
			*p.Of(&described) = *p.Of(&c.Effects)
		}
	}
	if flags.Changed("separate") {
		described.Separate = c.Effects.Separate
	}
	if flags.Changed("distribution") {
		described.Distribution = c.Effects.Distribution
	}
	if flags.Changed("seed") {
		described.Seed = c.Effects.Seed
	}
	c.Effects = described
	if f.plot == "" {
		for _, name := range []string{"plot-rows", "plot-bits"} {
			if flags.Changed(name) {
				return usage("--%s is for --plot: name the SVG file to draw", name)
			}
		}
	}
	if err := c.Check(); err != nil {
		return usage("%v", err)
	}
	return nil
}

// shareOf is a description's share, cut to the columns that a flag left.
func shareOf(share, cols int) int {
	if cols == 0 {
		return share
	}
	return min(share, cols)
}

// accuracyText reads model and text, the example's where none is named.
func (f *accuracyFlags) open() (*accuracy.Text, string, error) {
	m, err := f.openModel()
	if err != nil {
		return nil, "", failed("%w", err)
	}
	name := f.text
	var text []byte
	if name == "" {
		name = examples.Text
		text, err = fs.ReadFile(examples.FS, name)
	} else {
		text, err = readText(name)
	}
	if err != nil {
		return nil, "", failed("%w", err)
	}
	t, err := accuracy.NewText(m, name, string(text))
	if err != nil {
		return nil, "", failed("%w", err)
	}
	return t, name, nil
}

func (f *accuracyFlags) openModel() (*model.Model, error) {
	if f.model != "" {
		return model.Open(f.model)
	}
	file, err := examples.FS.Open(examples.Model)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return model.Read(examples.Model, file, info.Size())
}

// maxText bounds a text, bytes.
const maxText = 256 << 20

func readText(name string) ([]byte, error) { return readRegular(name, maxText) }

// readRegular is a file of at most so many bytes; devices and pipes, which need not end, are refused.
func readRegular(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name)
	case info.Size() > most:
		return nil, fmt.Errorf("%s: %d bytes, at most %d", name, info.Size(), most)
	}
	return os.ReadFile(name)
}

func (a *app) accuracy(ctx context.Context, f *accuracyFlags) (*accuracyResult, error) {
	t, name, err := f.open()
	if err != nil {
		return nil, err
	}
	if f.plot != "" {
		if err := canWriteAside(f.plot); err != nil {
			return nil, failed("--plot %w", err)
		}
	}
	windows := t.Windows()
	switch {
	case f.windows > windows:
		return nil, usage("--windows %d: %s has %d", f.windows, name, windows)
	case f.windows > 0:
		windows = f.windows
	}
	var sweep []accuracy.Crossbars
	if f.plot != "" {
		if sweep, err = accuracy.Sweep(f.crossbars, f.sweepRows, f.sweepBits); err != nil {
			return nil, usage("%v", err)
		}
	}
	f.place(t.Model)
	bar := a.progress("running "+t.Model.Name, windows*(1+f.seeds+len(sweep)))
	defer bar.done()
	var done atomic.Int64
	step := func() { bar.set(int(done.Add(1))) }
	exact, err := t.BitsPerChar(ctx, windows, t.Ideal(), step)
	if err != nil {
		return nil, err
	}
	r, err := t.Measure(ctx, f.crossbars, windows, f.seeds, exact, step)
	if err != nil {
		return nil, runError(err)
	}
	res := &accuracyResult{Model: t.Model.Name, Text: name, Windows: windows, Characters: windows * t.Model.Config.Ctx, Exact: exact,
		BitsPerChar: r.BitsPerChar, Change: r.Change, Spread: r.Spread, Seed: f.crossbars.Effects.Seed, Effects: f.crossbars.Effects,
		Crossbars: f.crossbars, Placed: f.crossbars.Number != nil, Runs: r.Runs}
	for _, c := range sweep {
		r, err := t.Measure(ctx, c, windows, 1, exact, step)
		if err != nil {
			return nil, runError(err)
		}
		res.Sweep = append(res.Sweep, accuracy.Point{Rows: c.Rows, Bits: c.Bits, BitsPerChar: r.BitsPerChar, Change: r.Change})
	}
	if f.plot == "" {
		return res, nil
	}
	svg, err := accuracyChart(fmt.Sprintf("%s, step %s", t.Model.Name, f.crossbars.Step), exact, res.Sweep)
	if err != nil {
		return nil, failed("%w", err)
	}
	if err := writeAside(f.plot, svg); err != nil {
		return nil, failed("%w", err)
	}
	return res, nil
}

// accuracyChart draws bits per character over ADC bits: a curve for each number of rows in the
// order of the points, and a dashed line for exact products.
func accuracyChart(title string, exact float64, points []accuracy.Point) ([]byte, error) {
	var series []report.Series
	ideal := report.Series{Name: "exact products", Dashed: true}
	for _, p := range points {
		name := fmt.Sprintf("%d rows", p.Rows)
		at := slices.IndexFunc(series, func(s report.Series) bool { return s.Name == name })
		if at < 0 {
			at, series = len(series), append(series, report.Series{Name: name})
		}
		series[at].X, series[at].Y = append(series[at].X, float64(p.Bits)), append(series[at].Y, p.BitsPerChar)
		ideal.X, ideal.Y = append(ideal.X, float64(p.Bits)), append(ideal.Y, exact)
	}
	low, high := slices.Min(ideal.X), slices.Max(ideal.X)
	ideal.X, ideal.Y = []float64{low, high}, []float64{exact, exact}
	return report.Lines(report.Chart{Title: title, X: "ADC bits", Y: "bits per character", WholeX: true}, append(series, ideal))
}

// runError leaves an interruption as it is and makes anything else a verdict.
func runError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return failed("%w", err)
}

// canWriteAside says why writeAside will fail, before long work whose result it is to write.
func canWriteAside(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s: it is a directory", name)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".ohmloom-*")
	if err != nil {
		return cannotWrite(name, err)
	}
	return firstError(tmp.Close(), os.Remove(tmp.Name()))
}

// cannotWrite names the file that was to be written instead of the one aside.
func cannotWrite(name string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s: cannot be written: %w", name, err)
}

// writeAside writes a file under another name in its folder, then renames it.
func writeAside(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".ohmloom-*")
	if err != nil {
		return cannotWrite(name, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = firstError(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

func (a *app) accuracyTable(r *accuracyResult) {
	if a.quiet {
		fmt.Fprintf(a.out, "%.4f bits/char\n", r.BitsPerChar)
		return
	}
	c := r.Crossbars
	a.note("%s on %s: %s of %d characters", r.Model, r.Text, count(r.Windows, "window"), r.Characters/r.Windows)
	a.note("%s", c)
	if r.Placed {
		a.note("on the PEs of the description's banks")
	}
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"crossbars", "seed", "bits/char", "change"})
	t.AppendRow(table.Row{"exact products", "", fmt.Sprintf("%.4f", r.Exact), ""})
	for _, run := range r.Runs {
		t.AppendRow(table.Row{"as described", run.Seed, fmt.Sprintf("%.4f", run.BitsPerChar), fmt.Sprintf("%+.4f", run.Change)})
	}
	for _, p := range r.Sweep {
		t.AppendRow(table.Row{fmt.Sprintf("%d rows, %d bits", p.Rows, p.Bits), r.Seed, fmt.Sprintf("%.4f", p.BitsPerChar), fmt.Sprintf("%+.4f", p.Change)})
	}
	t.Render()
	if len(r.Runs) > 1 {
		a.note("mean of %d seeds: %.4f bits/char, %+.4f, standard deviation %.4f", len(r.Runs), r.BitsPerChar, r.Change, r.Spread)
	}
}
