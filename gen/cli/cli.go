// Package cli is the command line: flags, exit codes, progress and tables. It knows how
// things are shown, not how they are done.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1   // the check failed: mismatch, lint, bad description
	exitUsage  = 2   // wrong flags or arguments
	exitTool   = 3   // an external tool is missing, too old or broken
	exitSignal = 130 // interrupted
)

// failure is an error with an exit code. A nil err means that everything was said already.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// failed says that the command ran and its verdict is no.
func failed(format string, a ...any) error {
	return &failure{exitFailed, fmt.Errorf(format, a...)}
}

// said ends the command with a code after everything was printed.
func said(code int) error { return &failure{code, nil} }

// app is what the commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	quiet    bool
	vars     []string
	model    string // instead of the description's, when not ""
	builtin  string // the example to work on without a FILE, when not ""
}

// Main runs the command line and returns the exit code.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if ctx.Err() != nil && code != exitFine {
		code, err = exitSignal, errors.New("interrupted; files that were complete are kept")
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(errw, "ohmloom: %s\n", strings.TrimRight(err.Error(), "\n"))
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ohmloom",
		Short: "Generate hybrid analog/digital accelerators for 1-bit LLMs from an HCL description",
		Long: `ohmloom lowers an HCL architecture description to a hardware IR, emits Verilog for the
systolic attention array and the digital periphery with behavioural macros for the analog
crossbars, proves by co-simulation that the Verilog and the Go side agree on every bit, and
asks Yosys for the area (check, build, verify, area). It lets the chip write text with a trained
model (run) and says what device effects do to one (accuracy). From the cycles of the same
hardware it estimates time and energy (estimate), explores design spaces (sweep) and puts all of
it on one page (report). init writes a description to begin with.

Exit codes: 0 fine, 1 the check failed, 2 wrong usage, 3 a tool is missing or broken,
130 interrupted. With no FILE the commands work on the example built into the program.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for ohmloom%s", args[0], meant(cmd, args[0]))
			}
			return cmd.Help()
		},
	}
	root.SuggestionsMinimumDistance = 2 // letters that may be wrong in a command's name
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &failure{exitUsage, err} })
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print the result as JSON on standard output")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print neither progress nor warnings")
	root.AddCommand(a.initCmd(), a.checkCmd(), a.buildCmd(), a.verifyCmd(), a.areaCmd(), a.accuracyCmd(), a.estimateCmd(), a.sweepCmd(), a.reportCmd(), a.runCmd(), a.doctorCmd(), a.versionCmd())
	root.InitDefaultCompletionCmd()
	return root
}

func meant(cmd *cobra.Command, word string) string {
	if s := cmd.SuggestionsFor(word); len(s) > 0 {
		return fmt.Sprintf("; did you mean %q?", s[0])
	}
	return "; ohmloom --help lists the commands"
}

// usage is a mistake on the command line.
func usage(format string, a ...any) error { return &failure{exitUsage, fmt.Errorf(format, a...)} }

// oneFile accepts at most one FILE argument.
func oneFile(_ *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return usage("one description at a time, got %d: %s", len(args), strings.Join(args, " "))
	case len(args) == 1 && args[0] == "":
		return usage("FILE is empty; name a description, or - for standard input")
	}
	return nil
}

// varFlag adds --var to a command that reads a description.
func (a *app) varFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringArrayVar(&a.vars, "var", nil, "set a variable of the description, `name=value`; may be repeated")
	return cmd
}

// note prints a line for a person: nothing with --json or --quiet.
func (a *app) note(format string, args ...any) {
	if !a.json && !a.quiet {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}

// print writes text as it comes: nothing with --json.
func (a *app) print(text string) {
	if !a.json {
		fmt.Fprint(a.out, text)
	}
}

// warn prints a line on standard error: nothing with --quiet.
func (a *app) warn(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, "ohmloom: "+format+"\n", args...)
	}
}

// count is a number of things, in words: "1 warning", "2 warnings".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// terminal reports whether w is a terminal, and its width in columns.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 80
	}
	return width, true
}
