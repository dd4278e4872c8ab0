package program

import (
	"fmt"
	"slices"

	"ohmloom/gen/arch"
	"ohmloom/gen/model"
)

// Shifts that a decode engine has in hardware, as the model's config calls them.
const (
	scoreRShift = 7
	recipShift  = 24
	attnORShift = 23
)

// greedyTokens is how many tokens are decoded when no golden file says which: greedy ones
// after token 0.
const greedyTokens = 16

// Pass is one layer of one token for a decode attention engine. Elements are int8, head after
// head.
type Pass struct {
	Name   string // "position 13, layer 1"
	Layer  int
	Pos    int    // position of the token, from 0; a sequence begins at 0
	Q      []int8 // [Heads * HeadChannels]; nil when Store
	K, V   []int8 // [KVHeads * HeadChannels]
	Out    []int8 // [Heads * HeadChannels], what the engine must give; nil when Store
	Store  bool   // only write K and V
	More   bool   // the next pass is of the same layer: the next token of a block
	Golden bool   // Q, K, V and Out stand in the golden file; else they are the arithmetic of package model
}

// Bias is the model's position bias for the engine: [layer * Heads + head][Context] by
// distance, unit 1/32 bit. It is nil when the chip has no engine.
func (j *Job) Bias() [][]int16 {
	if j.engine == nil {
		return nil
	}
	return biases(j.model)
}

func biases(m *model.Model) [][]int16 {
	var all [][]int16
	for layer := range m.Config.NLayers {
		for head := range m.Config.NHeads {
			all = append(all, m.RelBias(layer, head))
		}
	}
	return all
}

// DecodeLong is the passes of the given number of tokens, at least 1: the golden file's
// prompt, its long greedy text and what the model says after that. Beyond Context tokens the
// ring of keys and values wraps. Passes give outputs from the position on at which all slots
// are in use (the last position, if there are fewer tokens); before they only store. It is nil
// when the chip has no engine.
func (j *Job) DecodeLong(tokens int) []Pass {
	if j.engine == nil {
		return nil
	}
	passes, err := j.passes(tokens, min(j.engine.Context, tokens)-1)
	if err != nil {
		panic("program: " + err.Error()) // Load has compared all golden positions
	}
	return passes
}

// Prefill is the passes of Decode in blocks of the given number of tokens, at least 1: all
// tokens of a block in layer 0, then all in layer 1 and so on. The last block may be smaller.
func (j *Job) Prefill(block int) []Pass {
	if j.engine == nil {
		return nil
	}
	layers := j.engine.Layers
	var blocks []Pass
	for tokens := j.Decode; len(tokens) > 0; {
		n := min(block, len(tokens)/layers)
		for layer := range layers {
			for i := range n {
				p := tokens[i*layers+layer]
				p.More = i < n-1
				blocks = append(blocks, p)
			}
		}
		tokens = tokens[n*layers:]
	}
	return blocks
}

// decode checks that model and engine agree and works out the passes of the prompt.
func (j *Job) decode(c *arch.Chip) error {
	a := c.Attention
	if a == nil || a.Decode == "" {
		return nil
	}
	if err := sameShape(a, j.model, c.Verify.Program.Pos); err != nil {
		return err
	}
	j.engine = a
	tokens := greedyTokens
	if j.golden != nil {
		tokens = 1
		for i := range j.golden.Steps {
			tokens = max(tokens, j.golden.Steps[i].Pos+1)
		}
	}
	var err error
	j.Decode, err = j.passes(tokens, 0)
	return err
}

// sameShape says what of a model an engine has otherwise.
func sameShape(a *arch.Attention, m *model.Model, pos arch.Pos) error {
	c := &m.Config
	for _, s := range []struct {
		name          string
		engine, model int
	}{
		{"heads", a.Heads, c.NHeads}, {"kv_heads", a.KVHeads, c.NHeads}, {"head_channels", a.HeadChannels, c.HeadChannels},
		{"context", a.Context, c.Ctx}, {"layers", a.Layers, c.NLayers},
	} {
		if s.engine != s.model {
			return fmt.Errorf("%s: model %s needs an engine with %s = %d, it has %d (%s)", pos, m.Name, s.name, s.model, s.engine, a.Pos)
		}
	}
	for _, s := range []struct {
		name          string
		engine, model int
	}{{"score_rshift", scoreRShift, c.ScoreRShift}, {"recip_shift", recipShift, c.RecipShift}, {"attn_o_rshift", attnORShift, c.AttnORShift}} {
		if s.engine != s.model {
			return fmt.Errorf("%s: model %s was trained with %s = %d, engines have %d", pos, m.Name, s.name, s.model, s.engine)
		}
	}
	if a.Softmax == arch.ConSmax {
		return fmt.Errorf("%s: model %s was trained with a softmax, the engine has ConSmax, which needs learned constants; write softmax = %q (%s)",
			pos, m.Name, arch.Integer, a.Pos)
	}
	if !a.Biased && slices.ContainsFunc(biases(m), func(b []int16) bool { return slices.ContainsFunc(b, func(x int16) bool { return x != 0 }) }) {
		return fmt.Errorf("%s: model %s has position biases, the engine none; write bias = true (%s)", pos, m.Name, a.Pos)
	}
	return nil
}

// text is the first tokens of what there is to decode; the model goes on where it ends.
func (j *Job) text() []int {
	if j.golden == nil {
		return []int{0}
	}
	return slices.Concat(j.golden.PromptTokens, j.golden.LongGreedy.Tokens)
}

// passes runs the model over n tokens; positions before reads only store. Errors are golden
// values that the model does not give.
func (j *Job) passes(n, reads int) ([]Pass, error) {
	golden := map[int]*model.Trace{}
	if j.golden != nil {
		for i := range j.golden.Steps {
			golden[j.golden.Steps[i].Pos] = &j.golden.Steps[i]
		}
	}
	var passes []Pass
	run, text, next := j.model.NewRun(model.Project), j.text(), 0
	for pos := range n {
		if pos < len(text) {
			next = text[pos]
		}
		step := run.Step(next)
		next = model.Greedy(step.Final.Logits)
		for l := range step.Layers {
			t := &step.Layers[l]
			p := Pass{Name: fmt.Sprintf("position %d, layer %d", pos, l), Layer: l, Pos: pos, K: t.K, V: t.V, Store: pos < reads}
			if want := golden[pos]; want != nil {
				g := &want.Layers[l]
				if !slices.Equal(g.Q, t.Q) || !slices.Equal(g.K, t.K) || !slices.Equal(g.V, t.V) || !slices.Equal(g.O, t.O) {
					return nil, fmt.Errorf("%s: %s: q, k, v or o is not what the model computes", j.golden.File, p.Name)
				}
				p.Golden = true
			}
			if !p.Store {
				p.Q, p.Out = t.Q, t.O
			}
			passes = append(passes, p)
		}
	}
	return passes, nil
}
