package cli

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"ohmloom/gen/compile"
	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// checkpoint is the model to run on the whole chip of d: the file named, else that of the
// program, else the one that the description's model was read from.
func (a *app) checkpoint(d *description, file string) (*model.Model, error) {
	fsys := d.fs
	switch {
	case file != "":
		fsys = nil
	case d.chip.Verify.Program != nil:
		file = d.chip.Verify.Program.Model
	case d.chip.Model != nil:
		file = d.chip.Model.Checkpoint
	}
	if file == "" {
		return nil, usage("%s names no checkpoint; give one with --model, or in a program block of verify", d.name)
	}
	m, err := model.OpenFS(fsys, file)
	if err != nil {
		return nil, failed("%w", err)
	}
	return m, nil
}

// compiled is the description's model on its whole chip, or nil when it names none.
func (a *app) compiled(d *description) (*compile.Compiled, error) {
	if d.chip.Verify.Program == nil && (d.chip.Model == nil || d.chip.Model.Checkpoint == "") {
		return nil, nil
	}
	m, err := a.checkpoint(d, "")
	if err != nil {
		return nil, err
	}
	p, err := compile.Compile(d.chip, m)
	if err != nil {
		return nil, failed("%w", err)
	}
	return p, nil
}

// wholeJob is the texts that verify lets a whole chip write.
type wholeJob struct {
	p     *compile.Compiled
	texts []wholeText
}

// wholeText is a text, golden or as the arithmetic writes it.
type wholeText struct {
	name   string
	cmd    compile.Command
	prompt []int
	tokens []int
	golden bool
}

// wholeTokens is how many tokens of a text verify lets a chip write.
const wholeTokens = 4

// whole is the texts of d's chip; nil when there is no model to write them.
func (a *app) whole(ctx context.Context, d *description) (*wholeJob, error) {
	p, err := a.compiled(d)
	if p == nil || err != nil {
		return nil, err
	}
	project, err := p.Projector(ctx)
	if err != nil {
		return nil, err
	}
	j := &wholeJob{p: p}
	prompt, greedy, sampled := []int{0}, []int(nil), []int(nil)
	cmd := compile.Command{InverseTemp: 16, Seed: uint32(d.chip.Verify.Seed) | 1}
	if v := d.chip.Verify.Program; v != nil && v.Golden != "" {
		g, err := a.golden(d, v.Golden)
		if err != nil {
			return nil, failed("%w", err)
		}
		if err := g.Check(p.Model); err != nil {
			return nil, failed("%w", err)
		}
		prompt, greedy, sampled = g.PromptTokens, g.Greedy.Tokens, g.Sampled.Tokens
		cmd = compile.Command{InverseTemp: g.Sampled.IT16, Seed: uint32(g.Sampled.Seed)}
	}
	for _, t := range []wholeText{{name: "greedy text", tokens: greedy}, {name: "sampled text", cmd: cmd, tokens: sampled}} {
		r := newReference(p.Model, project, prompt, t.cmd)
		var text []int
		for range wholeTokens {
			text = append(text, r.next())
		}
		t.golden = len(t.tokens) >= wholeTokens && p.Exact()
		if t.golden && !slices.Equal(text, t.tokens[:wholeTokens]) {
			return nil, failed("%s: %s of the golden file is %v, the arithmetic writes %v", d.chip.Verify.Program.Golden, t.name, t.tokens[:wholeTokens], text)
		}
		project, err = p.Projector(ctx) // noise is counted from the start of each run
		if err != nil {
			return nil, err
		}
		t.cmd.Tokens, t.tokens, t.prompt = wholeTokens, text, prompt
		j.texts = append(j.texts, t)
	}
	return j, nil
}

// golden are the golden vectors in a file of d.
func (a *app) golden(d *description, file string) (*model.Golden, error) {
	if d.fs == nil {
		return model.OpenGolden(file)
	}
	text, err := fs.ReadFile(d.fs, filepath.ToSlash(file))
	if err != nil {
		return nil, err
	}
	return model.ParseGolden(file, text)
}

// texts lets the chip write its texts, with and without stalls at its border, and compares tokens
// and cycles with arithmetic and formula.
func (b *bench) texts(e verify.Engine, j *wholeJob) error {
	_, spread := j.p.Chip.Attention.(hw.Spread)
	for i, t := range j.texts {
		opt := drive.Options{Rand: seeded(b.seed), MaxIdle: 1_000_000}
		if i > 0 {
			opt.Stall = 0.2
		}
		in, fetches := j.p.Beats(t.cmd, t.prompt, t.tokens)
		if err := e.Power(b.seed, b.img); err != nil {
			return err
		}
		res, err := drive.Run(e, b.tile.Design.Top, []drive.Feed{{Name: "cmd", Beats: in[0]}, {Name: "prompt", Beats: in[1]}, {Name: "row", Beats: in[3]}},
			[]drive.Want{{Name: "token", Beats: len(t.tokens)}, {Name: "done", Beats: 1}, {Name: "fetch", Beats: fetches}}, opt)
		if err := b.driven(e, t.name, err); err != nil {
			return err
		}
		b.cycles += res.Cycles
		for n, want := range t.tokens {
			if got := res.Out[0][n][0][0]; got != uint64(want) {
				b.differ(e, b.tile.Design.Top.Loc, int64(got), int64(want), "%s: token %d", t.name, n)
			}
		}
		if code := res.Out[1][0][0][0]; code != hw.RunEnded {
			b.differ(e, b.tile.Design.Top.Loc, int64(code), hw.RunEnded, "%s: %s", t.name, hw.ErrorCodes[min(int(code), len(hw.ErrorCodes)-1)])
		}
		if opt.Stall == 0 && spread {
			formula := j.p.Chip.Cycles(in)
			b.phases = append(b.phases, phase{b.name, fmt.Sprintf("prompt and %d tokens", len(t.tokens)), e.Name(), res.Cycles, formula})
			if res.Cycles != formula {
				b.differ(e, b.tile.Design.Top.Loc, int64(res.Cycles), int64(formula), "cycles of %s", t.name)
			}
		}
	}
	return nil
}
