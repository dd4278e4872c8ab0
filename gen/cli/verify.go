package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
)

// verifyResult is what verify --json prints.
type verifyResult struct {
	Passed     bool           `json:"passed"`
	File       string         `json:"file"`
	Hash       string         `json:"hash"`
	Cycles     int            `json:"cycles"` // of all engines together
	Engines    []string       `json:"engines"`
	Seed       uint64         `json:"seed"`
	Mismatches []mismatch     `json:"mismatches"`
	Lint       *lintResult    `json:"lint,omitempty"`
	Cases      []caseResult   `json:"cases"`
	Lockstep   lockstepResult `json:"lockstep"`
	Phases     []phase        `json:"phases"`
}

// caseResult sums up one crossbar setting.
type caseResult struct {
	Name    string `json:"name"`
	Golden  int    `json:"golden_vectors"`     // held against the golden file
	Vectors int    `json:"arithmetic_vectors"` // held against the integer arithmetic
	Scores  int    `json:"golden_scores"`      // attention scores held against the golden file
	Passes  int    `json:"decode_passes"`      // layers of tokens on the attention engine, held against the model
	GoldenP int    `json:"golden_passes"`      // those of them that are in the golden file
	Tokens  int    `json:"arithmetic_tokens"`  // written by a whole chip, held against the integer arithmetic
	GoldenT int    `json:"golden_tokens"`      // and against the golden file
	Failed  int    `json:"rows_failed"`        // of weights written through ports, that did not verify
	Cycles  int    `json:"cycles"`
	Passed  bool   `json:"passed"`
}

type verifyFlags struct {
	engines []string
	cycles  int
	seed    uint64
	stats   bool
	replay  replayFlags
}

func (a *app) verifyCmd() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Prove by co-simulation that Verilog and Go agree on every bit",
		Long: `Lint the Verilog with all warnings on, then run the hardware on all engines: the trained
matrix and its golden activations when there is a program block, once as described, once with
ideal converters and once for each case; random and extreme streams with random stalls against
the arithmetic of the blocks (banks: every matrix of the model at every golden position, each
result compared, then random operations with random stalls; writable crossbars get the weights of
the first setting through their ports, those of the others are preloaded); then all engines in lockstep on random inputs, every output of
every cycle compared. Measured cycles are held against the blocks' formulas. At a difference in
lockstep the earliest differing register, a waveform and a replay command are given and the
stimulus is shrunk. Exit code 1 on any difference. At most 20 wrong values are listed for each
crossbar setting; cycles at the top are those of all engines together.

With --stats an attention engine runs once more on each engine, with probes at the signals that
tell its phases, on the golden prompt or else on one token behind at most 127 in the cache:
cycles in which each phase worked (phases overlap; only QK and AV, which share the array, do
not), those in which the array waited, and the whole, all next to their formulas.` + jsonHelp(verifyResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.load(cmd.Context(), args)
			if err != nil {
				return err
			}
			v := d.chip.Verify
			if cmd.Flags().Changed("engine") {
				v.Engines = f.engines
			}
			if len(v.Engines) == 0 {
				v.Engines = engineNames()
			}
			if cmd.Flags().Changed("cycles") {
				v.Cycles = f.cycles
			}
			if cmd.Flags().Changed("seed") {
				v.Seed = f.seed
			}
			if err := checkEngines(v.Engines); err != nil {
				return err
			}
			if f.replay.file != "" && len(v.Engines) < 2 {
				return usage("--replay compares engines: name at least two with --engine")
			}
			if v.Cycles < 0 || v.Cycles > 1_000_000_000 {
				return usage("--cycles %d: allowed are 0 to 1,000,000,000", v.Cycles)
			}
			d.chip.Verify = v
			res, err := a.verify(cmd.Context(), d, f)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(res)
			} else {
				a.verifyTable(res, f.stats)
			}
			if err == nil && !res.Passed {
				err = said(exitFailed)
			}
			return err
		},
	}
	cmd.Flags().StringSliceVar(&f.engines, "engine", nil, "engines to run, of interp, gosim, verilated (default: the description's, else all)")
	cmd.Flags().IntVar(&f.cycles, "cycles", 0, "random lockstep cycles (default: the description's)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of everything random (default: the description's)")
	cmd.Flags().BoolVar(&f.stats, "stats", false, "print measured cycles next to the formula for each phase")
	f.replay.register(cmd)
	return a.varFlag(cmd)
}

// verify runs everything that verify promises.
func (a *app) verify(ctx context.Context, d *description, f verifyFlags) (*verifyResult, error) {
	v := d.chip.Verify
	res := &verifyResult{File: d.name, Hash: d.chip.Hash, Engines: v.Engines, Seed: v.Seed,
		Mismatches: []mismatch{}, Cases: []caseResult{}, Phases: []phase{}}
	jobs, job, err := a.jobs(ctx, d)
	if err != nil {
		return nil, err
	}
	bar := a.progress("building", len(jobs)+1)
	defer bar.done()
	if slices.Contains(v.Engines, "verilated") {
		if res.Lint, err = a.lint(ctx, d); err != nil {
			return nil, err
		}
	}
	for i := range jobs {
		if f.replay.file != "" {
			break
		}
		bar.describe(jobs[i].name)
		if err := a.runCase(ctx, d, job, &jobs[i], f.stats && i == 0, res); err != nil {
			return nil, err
		}
		bar.set(i + 1)
	}
	bar.describe("lockstep")
	if res.Lockstep, err = a.lockstep(ctx, d, &jobs[0], job, f, bar); err != nil {
		return nil, err
	}
	for _, r := range res.Lockstep {
		res.Cycles += r.Cycles * len(r.Engines)
	}
	res.Passed = len(res.Mismatches) == 0 && res.Lockstep.passed() && (res.Lint == nil || res.Lint.Clean)
	return res, nil
}

// caseJob is one crossbar setting to build and run; prog is nil without a program block, whole
// without a whole chip and a model for it.
type caseJob struct {
	name string
	chip *arch.Chip
	prog *program.Case
	load bool // writable crossbars are loaded with tables, and not written through their ports

	whole *wholeJob
}

// jobs lists the settings to run, the described one first.
func (a *app) jobs(ctx context.Context, d *description) ([]caseJob, *program.Job, error) {
	if d.chip.Sequencer != nil {
		whole, err := a.whole(ctx, d)
		return []caseJob{{name: "as described", chip: d.chip, whole: whole}}, nil, err
	}
	if d.chip.Verify.Program == nil {
		return []caseJob{{name: "as described", chip: d.chip}}, nil, nil
	}
	job, err := program.Load(d.chip, d.fs)
	if err != nil {
		return nil, nil, failed("%w", err)
	}
	var jobs []caseJob
	for i := range job.Cases {
		c := &job.Cases[i]
		jobs = append(jobs, caseJob{name: c.Name, chip: c.Chip, prog: c, load: i > 0})
	}
	if len(jobs) == 0 { // an array alone has no crossbar setting
		jobs = append(jobs, caseJob{name: "as described", chip: d.chip})
	}
	return jobs, job, nil
}

// program lowers the chip of a setting and makes the contents of its crossbars: the trained
// matrix, or seeded random weights.
func (j *caseJob) lower(ctx context.Context, a *app, job *program.Job, seed uint64) (*lower.Tile, *ir.Image, error) {
	tile, err := lower.Top(j.chip)
	if err != nil {
		return nil, nil, failed("%w", err)
	}
	if tile.Whole != nil {
		if j.whole == nil {
			return tile, nil, nil
		}
		return tile, empty(j.whole.p.Ports()).Image(tile.Design.Top.Name), nil
	}
	switch pim := tile.Block.PIM; {
	case job != nil:
		if err := load(tile, job); err != nil {
			return nil, nil, err
		}
	case tile.Block.Banks != nil:
		for i := range tile.Block.Banks {
			tile.Block.Banks[i] = tile.Block.Banks[i].WithRandomProgram(seeded(seed + uint64(i)))
		}
	case pim != nil:
		random, err := pim.Program(hw.RandomTernary(seeded(seed), pim.N(), pim.K()))
		if err != nil {
			return nil, nil, failed("%w", err)
		}
		tile.Block.PIM = &random
	}
	if e := j.chip.Attention; e != nil && e.Softmax == arch.ConSmax {
		tile.Block.Attention = tile.Block.Attention.WithConstants(hw.RandomConstants(seeded(seed), e.Layers*e.Heads))
	}
	if err := a.solvedTile(ctx, tile); err != nil {
		return nil, nil, err
	}
	return tile, tile.Block.Image(tile.Design.Top.Name), nil
}

// runCase builds the hardware of one setting and runs all that it has to do on each engine; stats
// adds the phases of its attention engine.
func (a *app) runCase(ctx context.Context, d *description, job *program.Job, j *caseJob, stats bool, res *verifyResult) error {
	seed := d.chip.Verify.Seed
	tile, img, err := j.lower(ctx, a, job, seed)
	if err != nil {
		return err
	}
	list, err := openEngines(ctx, tile.Design, d.chip.Verify.Engines)
	if err != nil {
		return err
	}
	defer closeEngines(list)
	b := &bench{name: j.name, tile: tile, img: img, seed: seed, load: j.load}
	c := caseResult{Name: j.name}
	if j.prog != nil {
		if n := len(j.prog.Steps) * projections(job); j.prog.Golden {
			c.Golden += n
		} else {
			c.Vectors += n
		}
		for _, v := range j.prog.Vectors {
			if v.Golden {
				c.Golden++
			} else {
				c.Vectors++
			}
		}
	}
	if j.whole != nil {
		for _, t := range j.whole.texts {
			if t.golden {
				c.GoldenT += len(t.tokens)
			} else {
				c.Tokens += len(t.tokens)
			}
		}
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.all(ctx, e, job, j, &c); err != nil {
			return err
		}
	}
	if stats && tile.Block.Attention != nil {
		if err := a.attentionPhases(ctx, d, job, j, b); err != nil {
			return err
		}
	}
	if c.Failed = b.failed; c.Failed > 0 {
		c.Vectors, c.Golden = c.Vectors+c.Golden, 0
	}
	c.Cycles, c.Passed = b.cycles, len(b.mismatches) == 0
	res.Cases = append(res.Cases, c)
	res.Cycles += b.cycles
	res.Mismatches = append(res.Mismatches, b.mismatches...)
	res.Phases = append(res.Phases, b.phases...)
	return nil
}

// prefillBlock is how many tokens of a text come at once.
const prefillBlock = 12

// wrapped is how many tokens beyond its context an engine decodes, so that the ring of keys
// and values wraps.
const wrapped = 3

// all runs what one engine has to do for one setting.
func (b *bench) all(ctx context.Context, e verify.Engine, job *program.Job, j *caseJob, c *caseResult) error {
	if j.whole != nil {
		if err := b.texts(ctx, e, j.whole); err != nil && err != errFault {
			return err
		}
		return nil
	}
	b.wrote = false
	if half := b.tile.Block.PIM; half != nil && half.Crossbar.Writable && !b.load {
		if err := b.writeHalf(ctx, e); err == errFault {
			return nil
		} else if err != nil {
			return err
		}
	}
	if b.tile.Block.Banks != nil {
		if err := b.banks(e, job, j.prog); err != nil && err != errFault {
			return err
		}
	} else if j.prog != nil {
		if err := b.project(e, job, j.prog); err != nil && err != errFault {
			return err
		}
	}
	bare := b.tile.Block.Array != nil || b.tile.Block.Stationary != nil
	if bare && job != nil && len(job.Attention) > 0 {
		c.Scores = 0
		for _, s := range job.Attention {
			c.Scores += len(s.Want)
		}
		if err := b.score(e, j.chip.Attention.Dataflow, job.Attention); err != nil && err != errFault {
			return err
		}
	}
	if b.tile.Block.Attention != nil && job != nil {
		c.Passes, c.GoldenP = 0, 0
		for _, d := range []struct {
			name   string
			passes []program.Pass
		}{{"decode attention", job.Decode}, {"prefill attention", job.Prefill(prefillBlock)}, {"decode past the context", job.DecodeLong(j.chip.Attention.Context + wrapped)}} {
			c.Passes += len(d.passes)
			for _, p := range d.passes {
				if p.Golden && !p.Store {
					c.GoldenP++
				}
			}
			if err := b.decode(e, d.name, d.passes); err != nil && err != errFault {
				return err
			}
		}
	}
	for _, extreme := range []bool{false, true} {
		if b.tile.Block.PIM != nil || bare {
			if err := b.random(e, extreme); err != nil && err != errFault {
				return err
			}
		}
		if b.tile.Block.Attention != nil {
			if err := b.attendRandom(e, j.chip.Attention.Context, extreme); err != nil && err != errFault {
				return err
			}
		}
	}
	return nil
}

func (a *app) verifyTable(r *verifyResult, stats bool) {
	if !a.quiet {
		a.caseTable(r.Cases)
		for _, c := range r.Cases {
			if n := c.GoldenT + c.Tokens; n > 0 {
				a.note("text: %d tokens on each engine, %d of them golden, the rest as the integer arithmetic writes them", n, c.GoldenT)
			}
		}
		for _, c := range r.Cases {
			if c.Failed > 0 {
				a.note("%s: %d rows of weights did not verify; results are compared with what the cells hold, not with golden ones", c.Name, c.Failed)
			}
		}
		if stats {
			a.phaseTable(r.Phases)
		}
	}
	if l := r.Lint; l != nil {
		for _, m := range l.Messages {
			fmt.Fprintf(a.out, "lint: %s\n", m)
		}
		if l.Clean {
			a.note("lint: %s -Wall has nothing to say", l.Tool)
		}
	}
	for _, m := range r.Mismatches {
		fmt.Fprintf(a.out, "mismatch: %s\n", m)
	}
	for _, l := range r.Lockstep {
		if !a.quiet || !l.Passed {
			fmt.Fprint(a.out, l)
		}
	}
	verdict := "passed"
	if !r.Passed {
		verdict = "FAILED"
	}
	fmt.Fprintf(a.out, "verify %s: %s on %s, %d cycles, seed %d, configuration %.12s\n", verdict, r.File, strings.Join(r.Engines, ", "), r.Cycles, r.Seed, r.Hash)
}

// caseTable is a line for each crossbar setting; of what none of them has, there is no column.
func (a *app) caseTable(cases []caseResult) {
	head, rows := []any{"crossbar setting"}, make([]table.Row, len(cases))
	for i, c := range cases {
		rows[i] = table.Row{c.Name}
	}
	for _, column := range []struct {
		name string
		of   func(c caseResult) int
	}{
		{"golden vectors", func(c caseResult) int { return c.Golden }},
		{"other vectors", func(c caseResult) int { return c.Vectors }},
		{"golden scores", func(c caseResult) int { return c.Scores }},
		{"golden passes", func(c caseResult) int { return c.GoldenP }},
		{"decode passes", func(c caseResult) int { return c.Passes }},
		{"cycles of all engines", func(c caseResult) int { return c.Cycles }},
	} {
		if !slices.ContainsFunc(cases, func(c caseResult) bool { return column.of(c) != 0 }) {
			continue
		}
		head = append(head, column.name)
		for i, c := range cases {
			rows[i] = append(rows[i], column.of(c))
		}
	}
	t := a.table(append(head, "agrees")...)
	for i, c := range cases {
		t.AppendRow(append(rows[i], yes(c.Passed)))
	}
	t.Render()
}

func (a *app) phaseTable(phases []phase) {
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"crossbar setting", "phase", "engines", "cycles measured", "formula"})
	type key struct {
		c, n string
		m, f int
	}
	names := map[key][]string{}
	var order []key
	for _, p := range phases {
		k := key{p.Case, p.Name, p.Measured, p.Formula}
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
		names[k] = append(names[k], p.Engine)
	}
	for _, k := range order {
		t.AppendRow(table.Row{k.c, k.n, strings.Join(names[k], ", "), k.m, k.f})
	}
	t.Render()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}
