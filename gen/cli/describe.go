package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ohmloom/examples"
	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/program"
	"ohmloom/rtl"
)

// description is a chip and where the files it names are read from.
type description struct {
	chip  *arch.Chip
	name  string // as the user gave it, or the built-in example's name
	diags config.Diagnostics
	fs    fs.FS // nil: the operating system
}

// load reads the description in args[0], or the built-in example, prints what there is to
// say about it, and fails when it cannot be built.
func (a *app) load(ctx context.Context, args []string) (*description, error) {
	d, err := a.read(ctx, args)
	if err != nil {
		return nil, err
	}
	return d, a.show(d.diags.ForBuilding())
}

// loadEstimated is load for what is not built.
func (a *app) loadEstimated(ctx context.Context, args []string) (*description, error) {
	d, err := a.read(ctx, args)
	if err != nil {
		return nil, err
	}
	return d, a.show(d.diags.ForEstimates())
}

// buildable is the diagnostics that keep a description from being built, as an error.
func (d *description) buildable() error {
	for _, x := range d.diags {
		if x.Unbuildable {
			return fmt.Errorf("%s: %s; allowed: %s", strings.ToLower(x.Summary[:1])+x.Summary[1:], x.Value, x.Allowed)
		}
	}
	return nil
}

// show prints diagnostics, with --quiet only errors, and fails when there is one among them.
func (a *app) show(diags config.Diagnostics) error {
	if a.quiet {
		diags = slices.DeleteFunc(slices.Clone(diags), func(d config.Diagnostic) bool { return d.Severity != config.Error })
	}
	width, tty := terminal(a.err)
	if err := diags.Render(a.err, width, tty); err != nil {
		return err
	}
	if diags.HasErrors() {
		return said(exitFailed)
	}
	return nil
}

// read is load without a word.
func (a *app) read(ctx context.Context, args []string) (*description, error) {
	vars, err := a.variables()
	if err != nil {
		return nil, err
	}
	opts := config.Options{Vars: vars, Model: a.model}
	if len(args) == 0 {
		opts.FS = examples.FS
		d := &description{name: examples.Default, fs: examples.FS}
		if a.builtin != "" {
			d.name = a.builtin
		}
		d.chip, d.diags = config.Load(ctx, d.name, opts)
		return d, nil
	}
	d := &description{name: args[0]}
	if args[0] == "-" {
		src, err := io.ReadAll(io.LimitReader(a.in, maxStdin))
		if err != nil {
			return nil, failed("standard input: %w", err)
		}
		d.name = "<stdin>"
		d.chip, d.diags = config.LoadBytes(ctx, d.name, src, opts)
		return d, nil
	}
	d.chip, d.diags = config.Load(ctx, args[0], opts)
	return d, nil
}

// variables are those of --var.
func (a *app) variables() (map[string]string, error) {
	vars := map[string]string{}
	for _, v := range a.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usage("--var %q: want name=value", v)
		}
		vars[name] = value
	}
	return vars, nil
}

// maxStdin bounds a description read from standard input, bytes.
const maxStdin = 16 << 20

func (a *app) checkCmd() *cobra.Command {
	var tables string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a description and report every mistake at once",
		Long: `Check a description. Every mistake is reported with file:line:col, the source, the value,
what is allowed and a suggestion; checkpoint and golden vectors are read too; warnings say where parts do not fit together. Exit code 1
when there is a mistake. FILE - is standard input. With --tables, the tables in that folder, which
build wrote, are compared with what the description makes: a table of another seed, of other
weights or effects is named with what both were made from.` + jsonHelp(checkResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.read(cmd.Context(), args)
			if err != nil {
				return err
			}
			d.checkProgram()
			a.checkWhole(d)
			if tables != "" {
				if err := a.checkTables(cmd.Context(), d, tables); err != nil {
					return err
				}
			}
			bad := d.diags.HasErrors()
			if a.json {
				r := checkResult{OK: !bad, File: d.name, Errors: d.diags.Count(config.Error),
					Warnings: d.diags.Count(config.Warning), Diagnostics: d.diags}
				if r.Diagnostics == nil {
					r.Diagnostics = config.Diagnostics{}
				}
				if !bad {
					r.Hash = d.chip.Hash
				}
				if err := a.printJSON(r); err != nil {
					return err
				}
			} else {
				if err := a.show(d.diags); err != nil {
					return err
				}
				if !bad {
					a.note("%s: fine, %s, configuration %.12s", d.name, count(d.diags.Count(config.Warning), "warning"), d.chip.Hash)
				}
			}
			if bad {
				return said(exitFailed)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&tables, "tables", "", "folder of tables to compare with the description")
	return a.varFlag(cmd)
}

// mostStrays is how many tables are named one by one.
const mostStrays = 8

// checkTables adds what is wrong with the tables in dir, when the description has no mistakes.
func (a *app) checkTables(ctx context.Context, d *description, dir string) error {
	if d.diags.HasErrors() {
		return nil
	}
	tile, img, _, err := a.lowered(ctx, d)
	if err != nil {
		return err
	}
	b, err := rtl.Emit(tile.Design, rtl.Options{Image: img})
	if err != nil {
		return failed("%w", err)
	}
	strays, err := b.CheckTables(dir)
	if err != nil {
		return failed("%w", err)
	}
	for i, s := range strays {
		if i == mostStrays {
			d.diags = append(d.diags, config.Diagnostic{Severity: config.Error, Summary: fmt.Sprintf("%d more tables do not belong to the description", len(strays)-i), Pos: arch.Pos{File: dir}})
			break
		}
		diag := config.Diagnostic{Severity: config.Error, Summary: "A table does not belong to the description", Detail: s.Why + ".", Pos: arch.Pos{File: s.File}}
		if s.Has != s.Want {
			diag.Value, diag.Allowed, diag.Suggestion = s.Has, s.Want, "run ohmloom build again, or give the description the table was made for"
		}
		d.diags = append(d.diags, diag)
	}
	return nil
}

// checkProgram adds what is wrong inside the files that a program names, which the description
// alone can't tell: a checkpoint cut short, weights out of range, another model's golden vectors.
func (d *description) checkProgram() {
	if d.diags.HasErrors() || d.chip.Verify.Program == nil {
		return
	}
	if _, err := program.Load(d.chip, d.fs); err != nil {
		d.diags = append(d.diags, config.Diagnostic{Severity: config.Error, Summary: "A file of the program can't be used",
			Pos: d.chip.Verify.Program.Pos, In: "verify, program", Value: err.Error()})
	}
}

// checkWhole reads the checkpoint of a whole chip and adds why it can't run there.
func (a *app) checkWhole(d *description) {
	if d.diags.HasErrors() || d.chip.Sequencer == nil {
		return
	}
	if _, err := a.placed(d); err != nil {
		d.diags = append(d.diags, config.Diagnostic{Severity: config.Error, Summary: "The chip can't run its checkpoint",
			Pos: d.chip.Sequencer.Pos, In: fmt.Sprintf("chip %q, sequencer", d.chip.Name), Value: err.Error()})
	}
}

type checkResult struct {
	OK          bool               `json:"ok"`
	File        string             `json:"file"`
	Hash        string             `json:"hash,omitempty"`
	Errors      int                `json:"errors"`
	Warnings    int                `json:"warnings"`
	Diagnostics config.Diagnostics `json:"diagnostics"`
}

type initResult struct {
	File string `json:"file"`
}

func (a *app) initCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented description to begin with (default ohmloom.hcl)",
		Long:  `Write a commented description. A file that exists is never overwritten.` + jsonHelp(initResult{}),
		Args:  oneFile,
		RunE: func(_ *cobra.Command, args []string) error {
			name := "ohmloom.hcl"
			if len(args) == 1 {
				name = args[0]
			}
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if err != nil {
				if os.IsExist(err) {
					return failed("%s exists already; give another name or remove it", name)
				}
				return failed("%w", err)
			}
			_, err = f.Write(config.Starter())
			if err = firstError(err, f.Close()); err != nil {
				os.Remove(name)
				return failed("%w", err)
			}
			if a.json {
				return a.printJSON(initResult{name})
			}
			a.note("wrote %s; next: ohmloom check %s", name, name)
			return nil
		},
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
