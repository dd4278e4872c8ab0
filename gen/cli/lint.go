package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ohmloom/gen/tools"
	"ohmloom/verify"
	"ohmloom/verify/verilated/vlog"
)

// lintResult is what Verilator says of the emitted Verilog with all warnings on.
type lintResult struct {
	Clean    bool     `json:"clean"`
	Tool     string   `json:"tool"`
	Messages []string `json:"messages"`
}

// lint emits the described chip into a temporary folder and has Verilator read it as a user
// would, through sim.f. Any word from it is a failure.
func (a *app) lint(ctx context.Context, d *description) (*lintResult, error) {
	verilator, err := tools.Find(ctx, "verilator")
	if err != nil {
		return nil, err
	}
	b, _, err := a.emit(ctx, d)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "ohmloom-lint-")
	if err != nil {
		return nil, failed("%w", err)
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "rtl")
	if err := b.WriteDir(dir); err != nil {
		return nil, failed("%w", err)
	}
	const limit = 10 * time.Minute
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(bounded, verilator.Path, "--lint-only", "-Wall", "--top-module", b.Top, "-f", "sim.f")
	cmd.Dir = dir
	vlog.Group(cmd) // verilator is a script that starts the program
	out, err := cmd.CombinedOutput()
	res := &lintResult{Tool: "Verilator " + verilator.Version, Messages: []string{}}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if line != "" && !strings.HasPrefix(line, "- ") { // newer versions report their own work
			res.Messages = append(res.Messages, line)
		}
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bounded.Err() != nil:
		return nil, failed("Verilator did not lint the Verilog within %s", limit)
	case err != nil && (!errors.As(err, &exit) || len(res.Messages) == 0):
		return nil, &verify.ToolError{Tool: "verilator", Found: verilator.Version, Wanted: "5.006", Package: "verilator", Err: fmt.Errorf("linting: %w", err)}
	}
	res.Clean = len(res.Messages) == 0
	return res, nil
}
