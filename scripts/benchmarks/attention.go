package main

import (
	"fmt"
	"slices"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// contexts at which a token's attention is measured.
var contexts = []int{128, 1024, 4096}

// shape is the attention of a model's layer.
type shape struct {
	name            string
	heads, channels int
	lanes           int // of spread's softmax, what keeps the array busy
}

var shapes = []shape{{"GPT2-350M", 16, 64, 16}, {"OPT-6.7B", 32, 128, 8}}

func (s shape) column() hw.AttentionColumn {
	return hw.AttentionColumn{Rows: 32, Cols: 32, Heads: s.heads, KVHeads: s.heads, HeadChannels: s.channels, Context: slices.Max(contexts), Layers: 1}
}

func (s shape) spread() hw.Spread {
	return hw.Spread{Rows: 32, Cols: 32, Heads: s.heads, KVHeads: s.heads, HeadChannels: s.channels, Context: slices.Max(contexts), Layers: 1, Lanes: s.lanes, Ahead: 8}
}

// attention decodes a sequence on both engines at 32x32, a whole layer with all heads of a
// model's shape: tokens are stored, and at each of contexts the attention of one is measured,
// in the engine called b.engine. Cycles must be those of the blocks' formulas, in column also
// the published sum of PIM-LLM (arXiv 2504.01994), which counts each of a head's two MatMuls
// as one cycle less, and a constant; outputs those of the blocks' arithmetic.
func (b *bench) attention() error {
	fmt.Printf("decode attention of a whole layer, 32x32, keys and values on chip: cycles of one token, measured in %s\n\n", b.engine)
	fmt.Println("| shape | context | published | column, measured | published + 2 heads + constant | spread, measured | formula | times faster |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, s := range shapes {
		text := newSequence(s)
		column, spread := s.column(), s.spread()
		slow, err := b.passes(column, text)
		if err != nil {
			return err
		}
		fast, err := b.passes(spread, text)
		if err != nil {
			return err
		}
		for i, l := range contexts {
			constant := s.channels + (s.channels-1)%column.Rows + 7
			sum := column.PublishedCycles(l) + 2*s.heads + constant
			if slow[i] != sum || slow[i] != column.PassCycles(l) {
				return fmt.Errorf("%s, %d tokens: column takes %d cycles, formula %d, published with constants %d", s.name, l, slow[i], column.PassCycles(l), sum)
			}
			fmt.Printf("| %s | %d | %d | %d | %d + %d + %d | %d | %d | %.1f |\n", s.name, l, column.PublishedCycles(l), slow[i],
				column.PublishedCycles(l), 2*s.heads, constant, fast[i], formula(spread, text, i), float64(slow[i])/float64(fast[i]))
		}
	}
	return nil
}

// formula is a block's time of the pass at contexts[i], behind passes that only store.
func formula(e hw.AttentionEngine, s *sequence, i int) int {
	var tokens []hw.Beat
	for t := range contexts[i] - 1 {
		tokens = append(tokens, e.Beats([]hw.Pass{s.pass(t, false)})[0]...)
	}
	stores := len(tokens) * storeTime(e, s)
	return e.Cycles([][]hw.Beat{append(tokens, e.Beats([]hw.Pass{s.pass(contexts[i]-1, true)})[0]...)}) - stores
}

// storeTime is a block's time of a pass that only stores: what the pass before another adds.
func storeTime(e hw.AttentionEngine, s *sequence) int {
	store, attends := e.Beats([]hw.Pass{s.pass(1, false)})[0], e.Beats([]hw.Pass{s.pass(0, true)})[0]
	return e.Cycles([][]hw.Beat{slices.Concat(store, attends)}) - e.Cycles([][]hw.Beat{attends})
}

// passes runs the sequence through an engine and gives the cycles of the pass at each of
// contexts, from its token to its last output.
func (b *bench) passes(e hw.AttentionEngine, s *sequence) ([]int, error) {
	d := ir.NewDesign(e.Build(hw.NewLib(nil)))
	sim, err := open(b.engine, d)
	if err != nil {
		return nil, err
	}
	defer sim.Close()
	if err := sim.Power(1, e.Image(d.Top.Name)); err != nil {
		return nil, err
	}
	st, err := newStorer(sim, d.Top, e, s)
	if err != nil {
		return nil, err
	}
	var cycles []int
	for i, l := range contexts {
		for st.stored < l-1 {
			if err := st.store(); err != nil {
				return nil, err
			}
		}
		n, out, err := attend(sim, d.Top, e, s.pass(l-1, true))
		if err != nil {
			return nil, err
		}
		st.stored++
		if want := s.outputs[i]; !slices.Equal(out, want) {
			return nil, fmt.Errorf("%s, token %d: outputs differ from the arithmetic", e.Name(), l)
		}
		if f := formula(e, s, i); n != f {
			return nil, fmt.Errorf("%s, token %d: %d cycles measured, %d by formula", e.Name(), l, n, f)
		}
		cycles = append(cycles, n)
	}
	return cycles, nil
}

// attend runs a pass that gives outputs on an engine that is idle.
func attend(sim verify.Engine, top *ir.Module, e hw.AttentionEngine, p hw.Pass) (cycles int, out []int8, err error) {
	ins, outs := e.Streams()
	beats := e.Beats([]hw.Pass{p})
	var feeds []drive.Feed
	for i, s := range ins {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: beats[i]})
	}
	res, err := drive.Run(sim, top, feeds, []drive.Want{{Name: outs[0].Name, Beats: e.PassBeats()}}, drive.Options{MaxIdle: 1 << 20, Running: true})
	if err != nil {
		return 0, nil, err
	}
	return res.Cycles, slices.Concat(e.Collect(res.Out[0])...), nil
}
