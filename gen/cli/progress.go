package cli

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far a long job is, on a terminal only.
type progress struct{ bar *progressbar.ProgressBar }

// progress starts a bar of total steps; it draws nothing when standard error is not a
// terminal, with --json or with --quiet.
func (a *app) progress(what string, total int) *progress {
	if _, tty := terminal(a.err); !tty || a.quiet || a.json {
		return &progress{}
	}
	return &progress{progressbar.NewOptions(total, progressbar.OptionSetWriter(a.err), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionShowCount())}
}

func (p *progress) set(n int) {
	if p.bar != nil {
		_ = p.bar.Set(n) // drawing is all that can fail
	}
}

func (p *progress) describe(what string) {
	if p.bar != nil {
		p.bar.Describe(what)
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
