// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxGoldenBytes bounds a golden file.
const MaxGoldenBytes = 256 << 20

// Golden holds expected values of a model, made by an independent
// implementation of the specification.
type Golden struct {
	File string `json:"-"`

	Spec         string `json:"spec"`
	Model        string `json:"model"` // Model.Name of the checkpoint
	Prompt       string `json:"prompt"`
	PromptTokens []int  `json:"prompt_tokens"`
	// Argmax is the greedy token after each prompt position.
	Argmax     []int        `json:"argmax_per_prompt_position"`
	Steps      []Trace      `json:"steps"`  // some prompt positions in full
	Greedy     GoldenText   `json:"greedy"` // continuation of the prompt
	LongGreedy GoldenText   `json:"long_greedy"`
	Sampled    GoldenText   `json:"sampled"`
	XBar       []GoldenXBar `json:"xbar"` // the same model on clipping crossbars
	ExpROM     []int8       `json:"exp_rom"`
	SampROM    []uint16     `json:"samp_rom"`
}

// GoldenText is generated text; IT16 and Seed are 0 for greedy text.
type GoldenText struct {
	N      int    `json:"n"`
	Tokens []int  `json:"tokens"`
	Text   string `json:"text"`
	IT16   int    `json:"it16"`
	Seed   uint32 `json:"seed"`
}

// GoldenXBar is one crossbar case: all six projections of every layer go
// through ProjectClip(rows, bits).
type GoldenXBar struct {
	Rows int `json:"rows"`     // inputs per conversion
	Bits int `json:"adc_bits"` // signed
	// First holds the six sums of layer 0 at position 0. Inputs and outputs
	// are not recorded: those of acc_q, acc_k and acc_v are Steps[0]'s, those
	// of the others follow from running the model.
	First  GoldenSums `json:"pos0_layer0"`
	Logits []int32    `json:"pos0_logits"`
	Greedy []int      `json:"greedy"` // tokens after the prompt
	Text   string     `json:"text"`
}

// GoldenSums are the crossbar sums of one layer, before requantising.
type GoldenSums struct {
	Q  []int32 `json:"acc_q"`
	K  []int32 `json:"acc_k"`
	V  []int32 `json:"acc_v"`
	O  []int32 `json:"acc_o"`
	W1 []int32 `json:"acc_1"`
	W2 []int32 `json:"acc_2"`
}

// Projection returns the sums of one of Projections. Another name panics.
func (s *GoldenSums) Projection(name string) []int32 {
	t := LayerTrace{AccQ: s.Q, AccK: s.K, AccV: s.V, AccO: s.O, Acc1: s.W1, Acc2: s.W2}
	_, acc := t.Projection(name)
	return acc
}

// OpenGolden reads a golden file. Errors are *Error. Use Check before
// indexing by a model's shape.
func OpenGolden(path string) (*Golden, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > MaxGoldenBytes {
		return nil, &Error{File: path, Problem: "file too large", Value: fmt.Sprintf("%d bytes", size), Allowed: fmt.Sprintf("at most %d", MaxGoldenBytes), Kind: ErrFormat}
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, &Error{File: path, Problem: "cannot read it", Kind: ErrUnreadable, Cause: err}
	}
	return ParseGolden(path, text)
}

// ParseGolden is OpenGolden on the file's text; file names it in errors.
func ParseGolden(file string, text []byte) (*Golden, error) {
	g := &Golden{File: file}
	if !utf8.Valid(text) {
		return nil, &Error{File: file, Problem: "not valid UTF-8", Kind: ErrFormat}
	}
	if err := json.Unmarshal(text, g); err != nil {
		return nil, &Error{File: file, Problem: "not a golden file, or a number does not fit its width", Kind: ErrFormat, Cause: err}
	}
	if g.Spec != SpecVersion {
		return nil, &Error{File: file, Where: "spec", Problem: "another version of the specification", Value: quote(g.Spec), Allowed: quote(SpecVersion), Kind: ErrSpec}
	}
	if len(g.Steps) == 0 {
		return nil, &Error{File: file, Where: "steps", Problem: "empty", Allowed: "at least one position", Kind: ErrSpec}
	}
	return g, nil
}

// Check says whether every vector has the length that the model's shape asks
// for and every token is in its vocabulary, so that the two can be used
// together without a further test. Errors are *Error of kind ErrSpec.
func (g *Golden) Check(m *Model) error {
	if g.Model != m.Name {
		return &Error{File: g.File, Where: "model", Problem: "made for another checkpoint", Value: quote(g.Model), Allowed: quote(m.Name), Kind: ErrSpec}
	}
	c := &checker{file: g.File}
	d, ff, vocab := m.Config.DModel, m.Config.DFF, m.Config.VocabSize
	tokens := func(where string, list []int) {
		for i, t := range list {
			c.want(fmt.Sprintf("%s[%d]", where, i), "token outside the vocabulary", t, 0, vocab-1)
		}
	}
	tokens("prompt_tokens", g.PromptTokens)
	tokens("argmax_per_prompt_position", g.Argmax)
	c.length("argmax_per_prompt_position", len(g.Argmax), len(g.PromptTokens))
	tokens("greedy.tokens", g.Greedy.Tokens)
	tokens("long_greedy.tokens", g.LongGreedy.Tokens)
	tokens("sampled.tokens", g.Sampled.Tokens)
	c.length("exp_rom", len(g.ExpROM), len(ExpROM))
	c.length("samp_rom", len(g.SampROM), len(SampROM))
	for i := range g.Steps {
		s, where := &g.Steps[i], fmt.Sprintf("steps[%d]", i)
		c.want(where+".pos", "position outside the prompt", s.Pos, 0, len(g.PromptTokens)-1)
		tokens(where+".token", []int{s.Token})
		c.length(where+".layers", len(s.Layers), m.Config.NLayers)
		c.length(where+".final.yf", len(s.Final.Y), d)
		c.length(where+".final.logits", len(s.Final.Logits), vocab)
		for l := range s.Layers {
			c.layer(fmt.Sprintf("%s.layers[%d]", where, l), &s.Layers[l], &m.Config, s.Pos)
		}
	}
	for i := range g.XBar {
		x, where := &g.XBar[i], fmt.Sprintf("xbar[%d]", i)
		c.want(where+".rows", "out of range", x.Rows, 1, ff+d)
		c.want(where+".adc_bits", "out of range", x.Bits, 1, 31)
		for _, p := range Projections {
			out, _ := m.Config.shapeOf(p)
			c.length(where+".pos0_layer0 sums of "+p, len(x.First.Projection(p)), out)
		}
		c.length(where+".pos0_logits", len(x.Logits), vocab)
		tokens(where+".greedy", x.Greedy)
	}
	return c.err
}

// checker keeps the first fault it meets.
type checker struct {
	file string
	err  error
}

func (c *checker) want(where, problem string, found, lo, hi int) {
	if c.err == nil && (found < lo || found > hi) {
		c.err = &Error{File: c.file, Where: where, Problem: problem, Value: fmt.Sprint(found), Allowed: fmt.Sprintf("%d to %d", lo, hi), Kind: ErrSpec}
	}
}

func (c *checker) length(where string, found, want int) {
	if c.err == nil && found != want {
		c.err = &Error{File: c.file, Where: where, Problem: "wrong number of elements", Value: fmt.Sprint(found), Allowed: fmt.Sprint(want), Kind: ErrSpec}
	}
}

func (c *checker) layer(where string, t *LayerTrace, cfg *Config, pos int) {
	d, count := cfg.DModel, min(pos+1, cfg.Ctx)
	for _, v := range []struct {
		name  string
		found int
	}{
		{"x_in", len(t.XIn)}, {"q", len(t.Q)}, {"k", len(t.K)}, {"v", len(t.V)}, {"x_mid", len(t.XMid)}, {"x_out", len(t.XOut)},
	} {
		c.length(where+"."+v.name, v.found, d)
	}
	c.length(where+".u", len(t.U), cfg.DFF)
	for _, p := range Projections {
		out, in := cfg.shapeOf(p)
		y, acc := t.Projection(p)
		c.length(where+" input of "+p, len(y), in)
		c.length(where+" sums of "+p, len(acc), out)
	}
	c.length(where+".heads", len(t.Heads), cfg.NHeads)
	for h := range t.Heads {
		head, at := &t.Heads[h], fmt.Sprintf("%s.heads[%d]", where, h)
		c.length(at+".score", len(head.Score), count)
		c.length(at+".e", len(head.E), count)
		c.length(at+".av", len(head.AV), cfg.HeadChannels)
	}
}
