package cli

import (
	"fmt"
	"math/rand"

	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// enginePasses is the passes of a sequence as an engine takes them.
func enginePasses(passes []program.Pass) []hw.Pass {
	all := make([]hw.Pass, len(passes))
	for i, p := range passes {
		all[i] = hw.Pass{First: i == 0, Store: p.Store, More: p.More, Q: p.Q, K: p.K, V: p.V}
	}
	return all
}

// decode runs passes of a sequence through the attention engine and compares every output:
// golden ones, and those of the model's arithmetic between them.
func (b *bench) decode(e verify.Engine, name string, passes []program.Pass) error {
	eng := b.tile.Block.Attention
	in := eng.Beats(enginePasses(passes))
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
	res, err := b.stream(e, b.tile.Design.Top, phaseName, in, opt)
	if err != nil {
		return nil, err
	}
	if timed {
		b.book(e, phaseName, res.Cycles, b.tile.Block.Attention.Cycles(in))
	}
	return res.Out, nil
}

// stream runs the engine's streams in the tile whose top is given, and holds all that comes
// out against the block's arithmetic.
func (b *bench) stream(e verify.Engine, top *ir.Module, phaseName string, in [][]hw.Beat, opt drive.Options) (*drive.Result, error) {
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
	if err := b.power(e); err != nil {
		return nil, err
	}
	res, err := drive.Run(e, top, feeds, wants, opt)
	if err := b.driven(e, phaseName, err); err != nil {
		return nil, err
	}
	b.cycles += res.Cycles
	for i := range outs {
		for n, w := range want[i] {
			b.sameBeat(e, fmt.Sprintf("%s, stream %s, beat %d", phaseName, wants[i].Name, n), outs[i], res.Out[i][n], w)
		}
	}
	return res, nil
}

// book notes a measured time beside its formula; where they differ, that is a mismatch.
func (b *bench) book(e verify.Engine, phaseName string, measured, formula int) {
	b.phases = append(b.phases, phase{b.name, phaseName, e.Name(), measured, formula})
	if measured != formula {
		b.differ(e, b.tile.Design.Top.Loc, int64(measured), int64(formula), "cycles of %s", phaseName)
	}
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
