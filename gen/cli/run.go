package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ohmloom/examples"
	"ohmloom/gen/compile"
	"ohmloom/gen/lower"
	"ohmloom/gen/registers/driver"
	"ohmloom/gen/report"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/axi"
	"ohmloom/verify/host"
)

// runResult is what run --json prints.
type runResult struct {
	File        string  `json:"file"`
	Hash        string  `json:"hash"`
	Model       string  `json:"model"`
	Prompt      string  `json:"prompt"`
	Text        string  `json:"text"`
	Tokens      []int   `json:"tokens"`
	Cycles      []int   `json:"cycles"`        // of each token, from the one before
	Prefill     int     `json:"prompt_cycles"` // those of the first, from the start of the run: it waits for the prompt
	ClockMHz    float64 `json:"clock_mhz"`
	Rate        float64 `json:"tokens_per_s"` // at that clock, without the first token
	Wall        float64 `json:"wall_s"`
	WallRate    float64 `json:"wall_tokens_per_s"`
	Engine      string  `json:"engine"`
	Temperature float64 `json:"temperature"`
	Seed        uint64  `json:"seed"`
	Checked     string  `json:"checked"` // tokens, all or off
	Compared    int     `json:"values_compared"`
	Slid        bool    `json:"window_slid"` // the text is longer than the context
	Interrupted bool    `json:"interrupted"`
	Parts       []part  `json:"parts"`

	Written *writtenWeights `json:"written,omitempty"` // of a chip with writable crossbars
}

// writtenWeights is the weights' way through the chip's port.
type writtenWeights struct {
	Rows    int     `json:"rows"`
	Failed  int     `json:"rows_failed"` // with pairs that would not verify
	Pulses  int     `json:"pulses"`
	Cycles  int     `json:"cycles"`
	Seconds float64 `json:"s"` // at the chip's clock
}

// part is the share of the cycles in which a part of the chip worked.
type part struct {
	Name   string  `json:"name"`
	Cycles int     `json:"cycles"`
	Share  float64 `json:"share"`
}

type runFlags struct {
	model, prompt, engine, check string
	timeline, image              string
	latency                      int
	tokens                       int
	temperature                  float64
	seed                         uint64
}

// arithmetic is the engine that is none: the integer arithmetic of the model.
const arithmetic = "arithmetic"

// Values of --check.
const (
	checkTokens = "tokens"
	checkAll    = "all"
	checkOff    = "off"
)

// maxTokens bounds --tokens.
const maxTokens = 1_000_000

const defaultPrompt = "ROMEO:\nWhat light through "

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [FILE]",
		Short: "Let the described chip write text with a trained model",
		Long: `Put a trained model on the chip and let the emitted hardware go on with a prompt, token by
token. FILE describes a whole chip: banks, a decode engine and a sequencer; with none the
built-in nano.hcl runs. The chip is driven through its ports: a memory at its AXI4 master holds program,
embedding table and, where they are not on the chip, keys and values, and registers start it. Engines are verilated (the Verilog, through Verilator), gosim, interp and
arithmetic (no hardware: what the model computes, with the description's device effects). Every
token is compared with that arithmetic, with --check=all every vector between the units and every
logit too; at the first difference the command ends with exit code 1. Text longer than the
model's context goes on with a window that slides. A chip with writable crossbars comes up without
weights and gets them through its port before the prompt. An interrupt keeps what was written.` + jsonHelp(runResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.valid(); err != nil {
				return err
			}
			a.builtin = examples.Whole
			d, err := a.load(cmd.Context(), args)
			if err != nil {
				return err
			}
			return a.run(cmd.Context(), d, &f)
		},
	}
	cmd.Flags().StringVar(&f.model, "model", "", "checkpoint, a .safetensors `file` (default: the description's model)")
	cmd.Flags().StringVar(&f.prompt, "prompt", defaultPrompt, "`text` to go on with")
	cmd.Flags().IntVar(&f.tokens, "tokens", 32, "tokens to write")
	cmd.Flags().StringVar(&f.engine, "engine", "verilated", "verilated, gosim, interp or arithmetic")
	cmd.Flags().StringVar(&f.check, "check", checkTokens, "what is compared with the arithmetic: tokens, all or off")
	cmd.Flags().Lookup("check").NoOptDefVal = checkTokens
	cmd.Flags().Float64Var(&f.temperature, "temperature", 0, "of the sampler; 0 takes the most likely token")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "of the sampler, 1 .. 4294967295")
	cmd.Flags().StringVar(&f.image, "image", "", "contents of the chip's memory, a memory.img `file` of ohmloom build (default: compiled anew)")
	cmd.Flags().IntVar(&f.latency, "latency", defaultLatency, "`cycles` that the chip's memory needs from an address to the first beat")
	cmd.Flags().StringVar(&f.timeline, "timeline", "", "draw into this `file` (SVG) which part of the chip worked when, for the last token")
	return a.varFlag(cmd)
}

// defaultLatency is that of the memory in run and verify: 100 ns at 100 MHz.
const defaultLatency = 10

// valid refuses flags out of range.
func (f *runFlags) valid() error {
	switch {
	case f.engine != arithmetic && !slices.Contains(engineNames(), f.engine):
		return usage("--engine %q: allowed are %s, %s", f.engine, strings.Join(engineNames(), ", "), arithmetic)
	case f.check != checkTokens && f.check != checkAll && f.check != checkOff:
		return usage("--check %q: allowed are %s, %s, %s", f.check, checkTokens, checkAll, checkOff)
	case f.timeline != "" && f.engine == arithmetic:
		return usage("--timeline draws when parts of the chip worked, and --engine %s has none; take one of %s", arithmetic, strings.Join(engineNames(), ", "))
	case f.tokens < 0 || f.tokens > maxTokens:
		return usage("--tokens %d: allowed are 0 to %d", f.tokens, maxTokens)
	case f.latency < 0 || f.latency > 10_000:
		return usage("--latency %d: allowed are 0 to 10000 cycles", f.latency)
	case f.prompt == "":
		return usage("--prompt is empty: a text goes on from at least one character")
	case f.seed < 1 || f.seed > math.MaxUint32:
		return usage("--seed %d: allowed are 1 to %d", f.seed, uint32(math.MaxUint32))
	case !(f.temperature >= 0) || f.temperature > 0 && (f.inverse() < 1 || f.inverse() > 255):
		return usage("--temperature %g: allowed are 0 (the most likely token) and 0.063 to 32", f.temperature)
	}
	return nil
}

// inverse is the temperature as the sampler takes it: floor(16/temperature + 1/2), 0 for none.
func (f *runFlags) inverse() int {
	if f.temperature == 0 {
		return 0
	}
	return int(math.Floor(math.Min(16/f.temperature, 1000) + 0.5))
}

// run writes text on the engine.
func (a *app) run(ctx context.Context, d *description, f *runFlags) error {
	if f.timeline != "" {
		if err := canWriteAside(f.timeline); err != nil {
			return failed("--timeline %w", err)
		}
	}
	c := d.chip
	m, err := a.checkpoint(d, f.model)
	if err != nil {
		return err
	}
	p, err := compile.Compile(c, m)
	if err != nil {
		return failed("%w", err)
	}
	if err := a.solvedChip(ctx, p); err != nil {
		return err
	}
	prompt, err := m.Encode(f.prompt)
	if err != nil {
		return failed("--prompt: %w", err)
	}
	if len(prompt)+f.tokens > m.Config.Ctx {
		a.warn("the text is longer than the context of %d tokens: the window slides, and what left it is forgotten", m.Config.Ctx)
	}
	project, err := p.Projector(ctx)
	if err != nil {
		return err
	}
	t := &writing{app: a, f: f, p: p, prompt: prompt, res: &runResult{File: d.name, Hash: c.Hash, Model: m.Name, Prompt: f.prompt,
		Tokens: []int{}, Cycles: []int{}, ClockMHz: c.ClockMHz, Engine: f.engine, Temperature: f.temperature, Seed: f.seed, Checked: f.check,
		Slid: len(prompt)+f.tokens > m.Config.Ctx, Parts: []part{}}}
	if t.image, err = readImage(p, f.image); err != nil {
		return err
	}
	if f.engine == arithmetic {
		t.res.Checked = checkOff
	}
	if f.engine == arithmetic || f.check != checkOff {
		t.reference = newReference(m, project, prompt, compile.Command{InverseTemp: f.inverse(), Seed: uint32(f.seed)})
	}
	if f.engine == arithmetic {
		err = t.compute(ctx)
	} else {
		err = t.simulate(ctx, d)
	}
	return t.finish(ctx, err)
}

// writing is a text on its way.
type writing struct {
	app       *app
	f         *runFlags
	p         *compile.Compiled
	prompt    []int
	reference *reference // or nil
	res       *runResult
	checker   *checker  // or nil
	activity  *activity // nil without a timeline
	image     *compile.Memory
	began     time.Time
	last      int // cycle of the last token
}

func (t *writing) say(text string) { t.app.print(text) }

// wrote takes a token that the engine gave, and compares it.
func (t *writing) wrote(id, cycle int) error {
	r := t.res
	if id >= len(t.p.Model.Vocab) {
		return failed("token %d is %d, the vocabulary has %d", len(r.Tokens), id, len(t.p.Model.Vocab))
	}
	if t.reference != nil {
		if want := t.reference.next(); t.f.engine != arithmetic && id != want {
			return failed("token %d of the text is %q, the arithmetic says %q (cycle %d of %s)", len(r.Tokens),
				t.p.Model.Vocab[id], t.p.Model.Vocab[want], cycle, t.f.engine)
		}
		if t.f.engine != arithmetic {
			r.Compared++
		}
	}
	if t.checker != nil && len(r.Tokens)+1 < t.f.tokens {
		t.checker.expect(t.reference.last, true)
	}
	r.Tokens = append(r.Tokens, id)
	if t.f.engine != arithmetic {
		if len(r.Tokens) == 1 {
			r.Prefill = cycle
		}
		r.Cycles = append(r.Cycles, cycle-t.last)
		t.last = cycle
		if t.activity != nil {
			t.activity.next(cycle + 1)
		}
	}
	t.say(t.p.Model.Vocab[id])
	return nil
}

// begin starts the clock, and the text with the prompt.
func (t *writing) begin() {
	t.say(t.f.prompt)
	t.began = time.Now()
}

// compute writes with the arithmetic alone.
func (t *writing) compute(ctx context.Context) error {
	t.begin()
	for len(t.res.Tokens) < t.f.tokens {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.wrote(t.reference.peek(), 0); err != nil {
			return err
		}
	}
	return nil
}

// watchdog is the chip's own limit, in cycles without a token.
const watchdog = 10_000_000

// simulate writes on an engine.
func (t *writing) simulate(ctx context.Context, d *description) error {
	var p probes
	if t.f.timeline != "" {
		t.activity = newActivity(t.p, len(t.prompt))
		p.add(t.activity.paths())
	}
	if t.f.check == checkAll {
		t.checker = newChecker(t.p)
		t.checker.probe(&p)
		t.checker.prompt(t.reference.prompt, t.f.tokens)
	}
	tile, err := lower.Top(d.chip, p.paths...)
	if err != nil {
		return failed("%w", err)
	}
	bar := t.app.progress(fmt.Sprintf("building %s for %s", tile.Design.Top.Name, t.f.engine), 1)
	bar.set(0)
	list, err := openEngines(ctx, tile.Design, []string{t.f.engine})
	bar.done()
	if err != nil {
		return err
	}
	defer closeEngines(list)
	top := t.p.Ports()
	if err := list[0].Power(t.f.seed, empty(top).Image(tile.Design.Top.Name)); err != nil {
		return err
	}
	if t.p.Writable() {
		if err := t.writeWeights(ctx, list[0], tile.Design.Top); err != nil {
			return err
		}
	}
	var chip *ports
	opt := portOptions{latency: t.f.latency}
	if len(p.paths) > 0 {
		opt.observe = func(s *axi.Signals) error { return t.observe(s.Cycle-chip.began, chip.began > 0, &p, s.Get) }
	}
	if chip, err = newPorts(list[0], tile.Design.Top, top, t.image, opt); err != nil {
		return err
	}
	if err := chip.boot(top); err != nil {
		return err
	}
	t.begin()
	cmd := compile.Command{Tokens: t.f.tokens, Limit: watchdog, InverseTemp: t.f.inverse(), Seed: uint32(t.f.seed)}
	end, err := chip.run(ctx, t.p, cmd, t.prompt, t.wrote)
	parts, failure := chip.counters(top.Chip.Banks)
	if t.res.Parts = parts; err == nil {
		err = failure
	}
	switch {
	case err != nil:
		return err
	case end.Code != driver.CodeNone:
		return failed("the chip ended: %s", told(end))
	case len(t.res.Tokens) != t.f.tokens:
		return failed("the chip ended after %d of %d tokens", len(t.res.Tokens), t.f.tokens)
	case t.checker != nil:
		return t.checker.ended()
	}
	return nil
}

// observe looks at what is inside the chip in a cycle of the run.
func (t *writing) observe(cycle int, running bool, p *probes, output func(port string) []uint64) error {
	if !running { // before the reset valid may be anything
		return nil
	}
	if t.activity != nil {
		t.activity.observe(cycle, func(stream string) bool { return p.fires(stream, output) })
	}
	if t.checker != nil {
		return t.checker.observe(cycle, p, output)
	}
	return nil
}

// writeWeights gives the weights to a chip that has none, through its port.
func (t *writing) writeWeights(ctx context.Context, e verify.Engine, top *ir.Module) error {
	want := t.p.Told()
	bar := t.app.progress(fmt.Sprintf("writing %d rows of weights", len(want)), 1)
	bar.set(0)
	rows, cycles, err := host.Write(ctx, e, top, t.p.Rows(), len(want))
	bar.done()
	if err != nil {
		return err
	}
	w := &writtenWeights{Rows: len(rows), Cycles: cycles, Seconds: float64(cycles) / (t.res.ClockMHz * 1e6)}
	t.res.Written = w
	for i, row := range rows {
		if t.f.check != checkOff && !reflect.DeepEqual(row, want[i]) {
			return failed("row %d of the weights came to %v, the arithmetic says %v (bank, row and column of tiles, PE, row, error, pairs that failed, pulses)", i, row, want[i])
		}
		w.Pulses += int(row[7][0])
		if row[5][0] == hw.RowVerified {
			continue
		}
		if w.Failed++; w.Failed == 1 {
			t.app.warn("bank %d, tile %d,%d, PE %d, row %d: %s (%d pairs); the text is that of what the cells hold", row[0][0], row[1][0], row[2][0], row[3][0], row[4][0],
				hw.RowErrors[row[5][0]], row[6][0])
		}
	}
	return nil
}

// empty is what is there at power-on: the program comes over the memory port, and the weights of
// writable crossbars come in rows.
func empty(b hw.ChipTop) hw.ChipTop {
	b.Chip.Program = nil
	if b.Chip.Bank.Crossbar.Writable {
		b.Chip = b.Chip.Blank()
	}
	return b
}

// maxImage bounds an image of the chip's memory, bytes.
const maxImage = 4 << 30

// readImage is the contents of the chip's memory, from a file if one is named.
func readImage(p *compile.Compiled, file string) (*compile.Memory, error) {
	if file == "" {
		return p.Memory(), nil
	}
	data, err := readRegular(file, maxImage)
	if err != nil {
		return nil, failed("--image: %w", err)
	}
	m, err := p.ReadMemory(file, data)
	if err != nil {
		return nil, failed("--image %w", err)
	}
	return m, nil
}

// finish prints what there is to say of a text that err ended, or nothing.
func (t *writing) finish(ctx context.Context, err error) error {
	r := t.res
	if ctx.Err() != nil && !t.began.IsZero() {
		r.Interrupted = true
		if err == nil {
			err = ctx.Err()
		}
	}
	if t.began.IsZero() { // nothing ran
		return err
	}
	r.Text = t.p.Model.Decode(r.Tokens)
	r.Wall = time.Since(t.began).Seconds()
	r.WallRate = float64(len(r.Tokens)) / r.Wall
	if n := len(r.Cycles); n > 1 {
		r.Rate = float64(n-1) * r.ClockMHz * 1e6 / float64(t.last-r.Prefill)
	}
	if t.checker != nil {
		r.Compared += t.checker.count
	}
	if t.f.timeline != "" && t.activity != nil && len(t.activity.token) > 0 {
		title := fmt.Sprintf("One token of %s on chip %s: %d cycles", r.Model, t.p.Chip.Top, t.activity.to-t.activity.from)
		picture := report.Timeline(title, t.activity.token, t.activity.from, t.activity.to)
		if err := writeAside(t.f.timeline, picture); err != nil {
			return failed("%w", err)
		}
	}
	if t.app.json {
		return errors.Join(t.app.printJSON(r), err)
	}
	t.say("\n")
	t.summary()
	return err
}

// summary is the lines below a text.
func (t *writing) summary() {
	a, r := t.app, t.res
	a.note("")
	if r.Interrupted {
		a.note("interrupted after %d of %d tokens", len(r.Tokens), t.f.tokens)
	}
	how := "greedy"
	if r.Temperature > 0 {
		how = fmt.Sprintf("temperature %g, seed %d", r.Temperature, r.Seed)
	}
	a.note("%s: %d tokens of %s on %s in %.3g s (%.3g tokens/s), %s", r.File, len(r.Tokens), r.Model, r.Engine, r.Wall, r.WallRate, how)
	if len(r.Cycles) > 0 {
		a.note("prompt of %d tokens and the first of the text: %d cycles", len(t.prompt), r.Prefill)
	}
	if n := len(r.Cycles); n > 1 {
		a.note("%d cycles a token after it: %.4g tokens/s at %g MHz", (t.last-r.Prefill)/(n-1), r.Rate, r.ClockMHz)
	}
	if w := r.Written; w != nil {
		a.note("weights written before it through the chip's port: %d rows in %d cycles, %.3g s at %g MHz, %d pulses; %d rows did not verify",
			w.Rows, w.Cycles, w.Seconds, r.ClockMHz, w.Pulses, w.Failed)
	}
	for _, p := range r.Parts {
		a.note("  %-24s works %5.1f %% of the time", p.Name, 100*p.Share)
	}
	if r.Checked != checkOff && len(r.Tokens) > 0 {
		a.note("checked: %d values equal to the integer arithmetic", r.Compared)
	}
}
