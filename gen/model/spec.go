// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SpecVersion is the only specification this package reads: an integer-only
// ternary language model (see examples/models/README.md).
const SpecVersion = "pimllm-int-1"

// Config is the shape and the fixed-point constants of a model. All of it
// comes from the checkpoint.
type Config struct {
	DModel    int // channels of the residual stream; a multiple of NHeads
	NLayers   int
	NHeads    int // heads are contiguous slices of DModel/NHeads channels
	DFF       int // hidden channels of the feed-forward block
	Ctx       int // tokens that attention can look back on, this one included
	VocabSize int

	NormK        int // gain of the norm: floor(32*sqrt(d_model) + 1/2)
	NormShift    int // fractional bits of the norm's reciprocal
	MBits        int // width of the requantisation multipliers
	EmbShift     int // left shift from embedding to residual stream
	ScoreRShift  int // right shift from score unit to 1/32 bit
	RecipShift   int // numerator of the softmax reciprocal is 1 << RecipShift
	AttnORShift  int // right shift from AV times reciprocal to the output
	ActRShift    int // right shift after squaring in the activation
	ResFracBits  int // fractional bits of the residual stream; documentation only
	HeadChannels int // DModel/NHeads; derived
}

// configInts is the table of integer keys of the config JSON, with the range
// that keeps every sum within the widths the specification states. The
// shifts' upper ends follow from the 64-bit arithmetic of the reference.
var configInts = []struct {
	key    string
	lo, hi int
	field  func(*Config) *int
}{
	{"d_model", 1, 65536, func(c *Config) *int { return &c.DModel }},
	{"n_layers", 1, 1024, func(c *Config) *int { return &c.NLayers }},
	{"n_heads", 1, 1024, func(c *Config) *int { return &c.NHeads }},
	{"d_ff", 1, 262144, func(c *Config) *int { return &c.DFF }},
	{"ctx", 1, 65536, func(c *Config) *int { return &c.Ctx }},
	{"vocab_size", 1, 262144, func(c *Config) *int { return &c.VocabSize }},
	{"norm_K", 1, 8192, func(c *Config) *int { return &c.NormK }},
	{"norm_shift", 1, 24, func(c *Config) *int { return &c.NormShift }},
	{"m_bits", 8, 8, func(c *Config) *int { return &c.MBits }},
	{"emb_shift", 0, 8, func(c *Config) *int { return &c.EmbShift }},
	{"score_rshift", 1, 15, func(c *Config) *int { return &c.ScoreRShift }},
	{"recip_shift", 7, 31, func(c *Config) *int { return &c.RecipShift }},
	{"attn_o_rshift", 1, 31, func(c *Config) *int { return &c.AttnORShift }},
	{"act_rshift", 1, 14, func(c *Config) *int { return &c.ActRShift }},
	{"res_frac_bits", 0, 15, func(c *Config) *int { return &c.ResFracBits }},
}

// configFixed are the keys with one allowed value, as JSON text.
var configFixed = []struct{ key, value string }{
	{"act", `"relu2"`}, {"tied_head", `true`}, {"pos", `"rel_bias"`}, {"weights", `"ternary"`},
}

// Projections are the six weight matrices of a layer, in the order in which
// a token passes through them.
var Projections = []string{"wq", "wk", "wv", "wo", "w1", "w2"}

// shapeOf gives rows (outputs) and columns (inputs) of a projection.
func (c *Config) shapeOf(projection string) (out, in int) {
	switch projection {
	case "w1":
		return c.DFF, c.DModel
	case "w2":
		return c.DModel, c.DFF
	default:
		return c.DModel, c.DModel
	}
}

// wantedTensor is one line of the specification's table of tensors.
type wantedTensor struct {
	name  string
	dtype string
	shape []int
}

// wanted lists every tensor that a model of this shape has, in a fixed order.
func (c *Config) wanted() []wantedTensor {
	list := []wantedTensor{{"tok_emb", "I8", []int{c.VocabSize, c.DModel}}, {"head.scale", "I32", []int{2}}}
	for l := range c.NLayers {
		for _, p := range Projections {
			out, in := c.shapeOf(p)
			name := fmt.Sprintf("layers.%d.%s", l, p)
			list = append(list,
				wantedTensor{name + ".weight", "I8", []int{out, in}},
				wantedTensor{name + ".scale", "I32", []int{2}})
		}
		list = append(list, wantedTensor{fmt.Sprintf("layers.%d.rel_bias", l), "I16", []int{c.NHeads, c.Ctx}})
	}
	return list
}

// spec reads version, config and vocabulary from the metadata.
func (m *Model) spec(meta map[string]string) error {
	bad := func(where, problem, value, allowed string) error {
		return &Error{File: m.File, Where: "__metadata__ " + where, Problem: problem, Value: value, Allowed: allowed, Kind: ErrSpec}
	}
	switch version, ok := meta["spec"]; {
	case !ok:
		return bad("spec", "missing", "", quote(SpecVersion))
	case version != SpecVersion:
		return bad("spec", "another version of the specification", quote(version), quote(SpecVersion))
	}
	m.Spec, m.Name = meta["spec"], meta["name"]
	config, ok := meta["config"]
	if !ok {
		return bad("config", "missing", "", "JSON text of the model's shape")
	}
	if err := m.Config.parse(config, bad); err != nil {
		return err
	}
	vocab, ok := meta["vocab"]
	if !ok {
		return bad("vocab", "missing", "", "JSON array of one-character strings")
	}
	if err := json.Unmarshal([]byte(vocab), &m.Vocab); err != nil {
		return &Error{File: m.File, Where: "__metadata__ vocab", Problem: "not a JSON array of strings", Kind: ErrSpec, Cause: err}
	}
	if len(m.Vocab) != m.Config.VocabSize {
		return bad("vocab", "length differs from vocab_size", strconv.Itoa(len(m.Vocab)), strconv.Itoa(m.Config.VocabSize))
	}
	seen := map[string]int{}
	for i, s := range m.Vocab {
		if utf8.RuneCountInString(s) != 1 {
			return bad(fmt.Sprintf("vocab[%d]", i), "not one character", quote(s), "")
		}
		if first, twice := seen[s]; twice {
			return bad(fmt.Sprintf("vocab[%d]", i), fmt.Sprintf("same character as vocab[%d]", first), quote(s), "")
		}
		seen[s] = i
	}
	return nil
}

// parse fills c from the config JSON. Keys that this version does not know
// are notes of the trainer and are passed over.
func (c *Config) parse(text string, bad func(where, problem, value, allowed string) error) error {
	members, err := jsonObject([]byte(text))
	if err != nil {
		return bad("config", "not one JSON object", err.Error(), "")
	}
	values := map[string]string{}
	var keys []string
	for _, m := range members {
		values[m.key] = string(m.value)
		keys = append(keys, m.key)
	}
	missing := func(key, allowed string) error {
		for _, f := range configInts {
			keys = slices.DeleteFunc(keys, func(k string) bool { return k == f.key })
		}
		problem := "missing"
		if near := nearest(key, keys); near != "" {
			problem = "missing (is " + near + " meant to be it?)"
		}
		return bad("config "+key, problem, "", allowed)
	}
	for _, f := range configInts {
		allowed := fmt.Sprintf("%d to %d", f.lo, f.hi)
		if f.lo == f.hi {
			allowed = strconv.Itoa(f.lo)
		}
		raw, ok := values[f.key]
		if !ok {
			return missing(f.key, allowed)
		}
		n, err := strconv.Atoi(raw)
		if err != nil || n < f.lo || n > f.hi {
			return bad("config "+f.key, "out of range", quote(strings.Trim(raw, `"`)), allowed)
		}
		*f.field(c) = n
	}
	for _, f := range configFixed {
		raw, ok := values[f.key]
		if !ok {
			return missing(f.key, f.value)
		}
		if raw != f.value {
			return bad("config "+f.key, "not supported", quote(strings.Trim(raw, `"`)), f.value)
		}
	}
	if c.DModel%c.NHeads != 0 {
		return bad("config n_heads", "does not divide d_model", strconv.Itoa(c.NHeads), fmt.Sprintf("a divisor of %d", c.DModel))
	}
	c.HeadChannels = c.DModel / c.NHeads
	return nil
}
