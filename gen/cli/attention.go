package cli

import (
	"fmt"
	"math/rand"

	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// decode runs passes of a sequence through the attention engine and compares every output:
// golden ones, and those of the model's arithmetic between them.
func (b *bench) decode(e verify.Engine, name string, passes []program.Pass) error {
	eng := b.tile.Block.Attention
	hp := make([]hw.Pass, len(passes))
	for i, p := range passes {
		hp[i] = hw.Pass{First: i == 0, Store: p.Store, Q: p.Q, K: p.K, V: p.V}
	}
	in := eng.Beats(hp)
	out, err := b.attend(e, name, in, drive.Options{Rand: rand.New(rand.NewSource(int64(b.seed)))}, true)
	if err != nil {
		return err
	}
	heads := eng.Collect(out[0])
	for _, p := range passes {
		if p.Store {
			continue
		}
		channels := len(p.Out) / (len(p.Q) / len(heads[0]))
		for h := 0; h*channels < len(p.Out); h++ {
			for c, got := range heads[h] {
				if want := p.Out[h*channels+c]; got != want {
					b.differ(e, b.tile.Design.Top.Loc, int64(got), int64(want), "%s: output of head %d, channel %d", p.Name, h, c)
				}
			}
		}
		heads = heads[len(p.Out)/channels:]
	}
	return nil
}

// attend drives the engine's streams and holds all that comes out, and the time when timed,
// against the block's arithmetic and formula.
func (b *bench) attend(e verify.Engine, phaseName string, in [][]hw.Beat, opt drive.Options, timed bool) ([][]drive.Beat, error) {
	eng := b.tile.Block.Attention
	ins, outs := eng.Streams()
	want := eng.Arithmetic(in)
	var feeds []drive.Feed
	for i, s := range ins {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: in[i]})
	}
	var wants []drive.Want
	for i, s := range outs {
		name := s.Name
		if name == "y" {
			name = "o" // what the tile calls it
		}
		wants = append(wants, drive.Want{Name: name, Beats: len(want[i])})
	}
	if err := e.Power(b.seed, b.img); err != nil {
		return nil, err
	}
	res, err := drive.Run(e, b.tile.Design.Top, feeds, wants, opt)
	if err := b.driven(e, phaseName, err); err != nil {
		return nil, err
	}
	b.cycles += res.Cycles
	if timed {
		formula := eng.Cycles(in)
		b.phases = append(b.phases, phase{b.name, phaseName, e.Name(), res.Cycles, formula})
		if res.Cycles != formula {
			b.differ(e, b.tile.Design.Top.Loc, int64(res.Cycles), int64(formula), "cycles of %s", phaseName)
		}
	}
	for i := range outs {
		for n, w := range want[i] {
			b.sameBeat(e, fmt.Sprintf("%s, stream %s, beat %d", phaseName, wants[i].Name, n), outs[i], res.Out[i][n], w)
		}
	}
	return res.Out, nil
}

// attendRandom runs a few tokens of random, or extreme, queries, keys and values with random
// stalls, more than the context where that is short.
func (b *bench) attendRandom(e verify.Engine, context int, extreme bool) error {
	r := rand.New(rand.NewSource(int64(b.seed)))
	eng := b.tile.Block.Attention
	in := eng.Beats(eng.RandomPasses(r, min(context+1, 4), extreme))
	_, err := b.attend(e, "random tokens", in, drive.Options{Stall: 0.3, Rand: r}, false)
	return err
}
