package cli

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"

	"ohmloom/gen/compile"
	"ohmloom/gen/model"
	"ohmloom/gen/registers/driver"
	"ohmloom/verify"
	"ohmloom/verify/axi"
	"ohmloom/verify/host"
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
func (a *app) compiled(ctx context.Context, d *description) (*compile.Compiled, error) {
	p, err := a.placed(d)
	if p == nil || err != nil {
		return nil, err
	}
	return p, a.solvedChip(ctx, p)
}

// placed is compiled before the device effects that take time are solved.
func (a *app) placed(d *description) (*compile.Compiled, error) {
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

	recorded []uint64 // input records of the first text on the first engine, for the lockstep of all
}

// recordCycles is how many cycles of a text are recorded: loading the program and some tokens of the
// prompt.
const recordCycles = 4000

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
	p, err := a.compiled(ctx, d)
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

// texts lets the chip write its texts through its ports, first with a memory of fixed latency and
// without stalls, then with random ones, and compares tokens and cycles with arithmetic and formula.
// Both ports are held to the protocol.
func (b *bench) texts(ctx context.Context, e verify.Engine, j *wholeJob) error {
	top, image, loc := j.p.Ports(), j.p.Memory(), b.tile.Design.Top.Loc
	if err := e.Power(b.seed, b.img); err != nil {
		return err
	}
	if j.p.Writable() {
		if err := b.weights(ctx, e, j.p); err != nil {
			return err
		}
	}
	for i, t := range j.texts {
		if i > 0 && !j.p.Writable() { // what is written stays
			if err := e.Power(b.seed, b.img); err != nil {
				return err
			}
		}
		opt := portOptions{latency: defaultLatency, monitors: true}
		if i > 0 {
			opt = portOptions{latency: 4 * defaultLatency, monitors: true, rand: seeded(b.seed), stall: 0.2}
		}
		if j.recorded == nil {
			opt.observe = func(s *axi.Signals) error {
				if s.Cycle < recordCycles {
					j.recorded = append(j.recorded, s.Inputs()...)
				}
				return nil
			}
		}
		chip, err := newPorts(e, b.tile.Design.Top, top, image, opt)
		if err != nil {
			return err
		}
		n := 0
		err = chip.boot(top)
		end := driver.Error{}
		if err == nil {
			end, err = chip.run(ctx, j.p, t.cmd, t.prompt, func(id, _ int) error {
				if n < len(t.tokens) && id != t.tokens[n] {
					b.differ(e, loc, int64(id), int64(t.tokens[n]), "%s: token %d", t.name, n)
				}
				n++
				return nil
			})
		}
		b.cycles += chip.Cycle
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			b.fault(e, t.name, err)
			return errFault
		case end.Code != driver.CodeNone:
			b.differ(e, loc, int64(end.Code), int64(driver.CodeNone), "%s: %s", t.name, told(end))
		case n != len(t.tokens):
			b.differ(e, loc, int64(n), int64(len(t.tokens)), "tokens of %s", t.name)
		case i == 0:
			if err := b.timed(e, chip, j, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// timed holds the cycles of a run, as the chip counts them, to the formula, where it is known.
func (b *bench) timed(e verify.Engine, chip *ports, j *wholeJob, t wholeText) error {
	top := j.p.Ports()
	latency, known := top.Latency(defaultLatency)
	if !known || len(t.prompt) > top.Prompt {
		return nil
	}
	measured, err := chip.chip.ReadCycles()
	if err != nil {
		return err
	}
	in, _ := j.p.Beats(t.cmd, t.prompt, t.tokens)
	b.book(e, fmt.Sprintf("prompt and %d tokens", len(t.tokens)), int(measured), j.p.Chip.CyclesBehind(latency, in))
	return nil
}

// weights gives a chip that comes up without weights those of its model, through its port, and holds
// what it tells of the rows, and the time, against arithmetic and formula.
func (b *bench) weights(ctx context.Context, e verify.Engine, p *compile.Compiled) error {
	const name = "weights"
	top, want := b.tile.Design.Top, p.Told()
	rows, cycles, err := host.Write(ctx, e, top, p.Rows(), len(want))
	if err != nil {
		b.fault(e, name, err)
		return errFault
	}
	b.cycles += cycles
	b.book(e, name, cycles, p.Chip.WriteCycles(want))
	for i := range want {
		if got := rows[i]; !reflect.DeepEqual(got, want[i]) {
			b.differ(e, top.Loc, int64(got[5][0]), int64(want[i][5][0]), "row %d of the weights: %v, want %v", i, got, want[i])
		}
	}
	return nil
}
