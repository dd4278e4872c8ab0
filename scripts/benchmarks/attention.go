package main

import (
	"fmt"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify/drive"
	"ohmloom/verify/interp"
)

// sliceHeads is how many heads of a model the column engine is simulated with: its keys and
// values enter one element a cycle, so that all heads at 4,096 tokens would take an hour.
const sliceHeads = 2

// attention decodes one token at three context lengths on both engines at 32x32 and holds the
// cycles of that pass against the blocks' formulas and the published sum of PIM-LLM (arXiv
// 2504.01994): column for a slice of heads, spread for all of them.
func (b *bench) attention() error {
	fmt.Printf("decode attention of a layer, 32x32, keys and values on chip: cycles of one token\n")
	fmt.Printf("  %-12s %6s | %9s %9s (%d heads) | %9s %9s | %9s %9s | %7s\n", "shape", "l", "column", "formula", sliceHeads,
		"all heads", "published", "spread", "formula", "ratio")
	for _, m := range []struct {
		name            string
		heads, channels int
	}{{"GPT2-350M", 16, 64}, {"OPT-6.7B", 32, 128}} {
		for _, l := range []int{128, 1024, 4096} {
			column := hw.AttentionColumn{Rows: 32, Cols: 32, Heads: m.heads, KVHeads: m.heads, HeadChannels: m.channels, Context: l, Layers: 1}
			slice := column
			slice.Heads, slice.KVHeads = sliceHeads, sliceHeads
			cm, cf, err := lastPass(slice, l)
			if err != nil {
				return err
			}
			lanes := 8
			if m.channels < 128 {
				lanes = 16
			}
			sm, sf, err := lastPass(hw.Spread{Rows: 32, Cols: 32, Heads: m.heads, KVHeads: m.heads, HeadChannels: m.channels,
				Context: l, Layers: 1, Lanes: lanes, Ahead: 8}, l)
			if err != nil {
				return err
			}
			fmt.Printf("  %-12s %6d | %9d %9d           | %9d %9d | %9d %9d | %7.1f\n", m.name, l, cm, cf,
				column.PassCycles(l), column.PublishedCycles(l), sm, sf, float64(column.PassCycles(l))/float64(sm))
		}
	}
	return nil
}

// lastPass is the cycles of the l-th token's pass, all tokens before it only stored: from the
// cycle in which it is taken to the end of the run, as observed on the IR that the Verilog is
// printed from, and to the end that the block's Cycles give for the whole run. The two must be
// equal, and so must the outputs and the block's arithmetic.
func lastPass(e hw.AttentionEngine, l int) (measured, formula int, err error) {
	d := ir.NewDesign(e.Build(hw.NewLib(nil)))
	sim, err := interp.New(d)
	if err != nil {
		return 0, 0, err
	}
	defer sim.Close()
	passes := e.RandomPasses(seeded(), l, false)
	for i := range passes[:l-1] {
		passes[i].Store, passes[i].Q = true, nil
	}
	run := e.Beats(passes)
	ins, outs := e.Streams()
	if err := sim.Power(1, e.Image(d.Top.Name)); err != nil {
		return 0, 0, err
	}
	var feeds []drive.Feed
	for i, s := range ins {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: run[i]})
	}
	want := e.Arithmetic(run)
	res, err := drive.Run(sim, d.Top, feeds, []drive.Want{{Name: outs[0].Name, Beats: len(want[0])}}, drive.Options{MaxIdle: 1 << 20})
	if err != nil {
		return 0, 0, err
	}
	for n, beat := range want[0] {
		if fmt.Sprint(res.Out[0][n]) != fmt.Sprint(beat) {
			return 0, 0, fmt.Errorf("%s: output beat %d differs from the arithmetic", e.Name(), n)
		}
	}
	begin := res.Taken[0][l-1] - res.Taken[0][0]
	if all := e.Cycles(run); all != res.Cycles {
		return 0, 0, fmt.Errorf("%s: %d cycles measured, %d by formula", e.Name(), res.Cycles, all)
	}
	return res.Cycles - begin, e.Cycles(run) - begin, nil
}
