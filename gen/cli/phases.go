package cli

import (
	"context"
	"fmt"
	"slices"

	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// How many tokens are put into the KV cache before the one whose phases are measured, when
// there is no model that says what to decode: at most mostStored, of mostElements of k in all.
const (
	mostStored   = 127
	mostElements = 1 << 20
)

// probed is a tile with an attention engine whose phases show at its outputs.
type probed struct {
	*bench
	name   string
	in     [][]hw.Beat
	from   int // the pass from which time counts
	phases []hw.Phase
	watch  []drive.Watch
}

// attentionPhases measures, on every engine, the phases of the attention engine: of the
// golden prompt, or of one token behind a filled cache. The hardware is that of the case with
// probes at the signals that tell the phases.
func (a *app) attentionPhases(ctx context.Context, d *description, job *program.Job, j *caseJob, b *bench) error {
	p := &probed{bench: b}
	p.work(job, b.tile.Block.Attention, j.chip.Attention)
	paths := p.watches()
	tile, err := lower.Probed(j.chip, paths)
	if err != nil {
		return failed("%w", err)
	}
	list, err := openEngines(ctx, tile.Design, d.chip.Verify.Engines)
	if err != nil {
		return err
	}
	defer closeEngines(list)
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.measure(e, tile); err != nil && err != errFault {
			return err
		}
	}
	return nil
}

// work chooses the passes.
func (p *probed) work(job *program.Job, eng hw.AttentionEngine, a *arch.Attention) {
	if job != nil && len(job.Decode) > 0 {
		p.name, p.in = "decode attention", eng.Beats(enginePasses(job.Decode))
		return
	}
	r := seeded(p.seed)
	vector := func(heads int) []int8 {
		x := make([]int8, heads*a.HeadChannels)
		for i := range x {
			x[i] = int8(r.Intn(256) - 128)
		}
		return x
	}
	most := mostElements
	if a.PortBytes > 0 {
		most /= 8 // each goes over the port, in a wide word with a mask
	}
	tokens := 1 + min(a.Context-1, mostStored, most/(a.Layers*a.KVHeads*a.HeadChannels))
	p.from = (tokens - 1) * a.Layers
	passes := make([]hw.Pass, tokens*a.Layers)
	for i := range passes {
		passes[i] = hw.Pass{First: i == 0, Store: i < p.from, K: vector(a.KVHeads), V: vector(a.KVHeads)}
		if !passes[i].Store {
			passes[i].Q = vector(a.Heads)
		}
	}
	p.name, p.in = fmt.Sprintf("token %d", tokens), eng.Beats(passes)
}

// watches gives the paths of all signals, and what to watch for in the probes on them.
func (p *probed) watches() []string {
	var paths []string
	p.phases = p.tile.Block.Attention.Phases(p.in, p.from)
	for _, ph := range p.phases {
		w := drive.Watch{Holds: ph.Works}
		for _, s := range ph.Signals {
			path := hw.AttentionInst + "." + s
			i := slices.Index(paths, path)
			if i < 0 {
				i, paths = len(paths), append(paths, path)
			}
			w.Ports = append(w.Ports, fmt.Sprintf("probe_%d", i))
		}
		p.watch = append(p.watch, w)
	}
	return paths
}

// measure runs the passes on an engine of the probed tile and books phase by phase, what the
// array waits, and the whole.
func (p *probed) measure(e verify.Engine, tile *lower.Tile) error {
	res, err := p.stream(e, tile.Design.Top, p.name+", phases", p.in, drive.Options{Watch: p.watch})
	if err != nil {
		return err
	}
	begin := 0
	if p.from > 0 {
		begin = res.Taken[0][p.from] - res.Taken[0][0]
	}
	whole, formula := res.Cycles-begin, p.tile.Block.Attention.Cycles(p.in)-begin
	waits := phase{Measured: whole, Formula: formula}
	for i, ph := range p.phases {
		n := 0
		for _, cycle := range res.Held[i] {
			if cycle >= res.Taken[0][p.from] {
				n++
			}
		}
		if ph.Name == hw.PhaseQK || ph.Name == hw.PhaseAV {
			waits.Measured, waits.Formula = waits.Measured-n, waits.Formula-ph.Cycles
		}
		p.book(e, p.name+": "+ph.Name, n, ph.Cycles)
	}
	p.book(e, p.name+": array waits", waits.Measured, waits.Formula)
	p.book(e, p.name+": whole", whole, formula)
	return nil
}
