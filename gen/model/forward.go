// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// Projector computes one crossbar product: w [Out, In] times y [In].
// Project is the ideal one.
type Projector func(w Matrix, y []int8) []int32

// Clip is ProjectClip with fixed rows per conversion and ADC bits.
func Clip(rows, bits int) Projector {
	return func(w Matrix, y []int8) []int32 { return ProjectClip(w, y, rows, bits) }
}

// LayerTrace is every value that one layer computes for one token. The JSON
// names are those of the golden files.
type LayerTrace struct {
	XIn   []int16     `json:"x_in"` // residual stream [d]
	Norm1 NormTrace   `json:"norm1"`
	Y1    []int8      `json:"y1"`    // input of wq, wk, wv
	AccQ  []int32     `json:"acc_q"` // crossbar sums, before requantising
	Q     []int8      `json:"q"`
	AccK  []int32     `json:"acc_k"`
	K     []int8      `json:"k"`
	AccV  []int32     `json:"acc_v"`
	V     []int8      `json:"v"`
	Heads []HeadTrace `json:"heads"`
	O     []int8      `json:"o"` // input of wo
	AccO  []int32     `json:"acc_o"`
	XMid  []int16     `json:"x_mid"`
	Norm2 NormTrace   `json:"norm2"`
	Y2    []int8      `json:"y2"`    // input of w1
	Acc1  []int32     `json:"acc_1"` // [d_ff]
	U     []int8      `json:"u"`     // after ReLU, 0..127
	H     []int8      `json:"h"`     // input of w2, 0..126
	Acc2  []int32     `json:"acc_2"`
	XOut  []int16     `json:"x_out"`
}

// Projection returns input and sums of one of Projections; acc is shared
// with the trace. A name outside Projections panics.
func (t *LayerTrace) Projection(name string) (in []int8, acc []int32) {
	switch name {
	case "wq":
		return t.Y1, t.AccQ
	case "wk":
		return t.Y1, t.AccK
	case "wv":
		return t.Y1, t.AccV
	case "wo":
		return t.O, t.AccO
	case "w1":
		return t.Y2, t.Acc1
	case "w2":
		return t.H, t.Acc2
	}
	panic(fmt.Sprintf("model: no projection %q", name))
}

// FinalTrace is what follows the last layer.
type FinalTrace struct {
	Norm   NormTrace `json:"normf"`
	Y      []int8    `json:"yf"`
	Logits []int32   `json:"logits"` // [vocab]
}

// Trace is every value that a model computes for one token.
type Trace struct {
	Pos    int          `json:"pos"` // absolute position, from 0
	Token  int          `json:"token"`
	Layers []LayerTrace `json:"layers"`
	Final  FinalTrace   `json:"final"`
}

// Run is one running sequence: a model, its KV cache and a position.
type Run struct {
	m       *Model
	project Projector
	pos     int
	cache   []kvCache // per layer
}

// kvCache is a ring of ctx entries; position p lives in slot p mod ctx.
type kvCache struct{ k, v [][]int8 }

// NewRun starts a sequence at position 0 with an empty KV cache. The
// projector computes all six projections of every layer; the output head is
// always exact, since the 8-bit embedding does not fit a ternary crossbar.
func (m *Model) NewRun(project Projector) *Run {
	r := &Run{m: m, project: project, cache: make([]kvCache, m.Config.NLayers)}
	for l := range r.cache {
		r.cache[l] = kvCache{make([][]int8, m.Config.Ctx), make([][]int8, m.Config.Ctx)}
	}
	return r
}

// Step feeds one token (0..vocab-1) and returns everything computed for it.
// Past ctx tokens the window slides.
func (r *Run) Step(token int) *Trace {
	c, t := &r.m.Config, &Trace{Pos: r.pos, Token: token}
	x := make([]int16, c.DModel)
	for i, e := range r.m.Embedding.Row(token) {
		x[i] = int16(e) << c.EmbShift
	}
	for l := range c.NLayers {
		layer := r.layer(l, x)
		t.Layers = append(t.Layers, layer)
		x = layer.XOut
	}
	t.Final.Y, t.Final.Norm = c.Norm(x)
	t.Final.Logits = Project(r.m.Embedding, t.Final.Y)
	r.pos++
	return t
}

func (r *Run) layer(l int, x []int16) LayerTrace {
	c := &r.m.Config
	weights := func(p string) Matrix { return r.m.matrices[fmt.Sprintf("layers.%d.%s", l, p)] }
	narrow := func(p string, y []int8) (acc []int32, out []int8) {
		w := weights(p)
		acc = r.project(w, y)
		out = make([]int8, 0, len(acc))
		for _, a := range acc {
			out = append(out, RQ8(a, w.M, w.S))
		}
		return acc, out
	}
	residual := func(p string, x []int16, y []int8) (acc []int32, out []int16) {
		w := weights(p)
		acc = r.project(w, y)
		out = make([]int16, 0, len(acc))
		for i, a := range acc {
			out = append(out, Sat16(int64(x[i])+int64(RQ16(a, w.M, w.S))))
		}
		return acc, out
	}
	t := LayerTrace{XIn: x}
	t.Y1, t.Norm1 = c.Norm(x)
	t.AccQ, t.Q = narrow("wq", t.Y1)
	t.AccK, t.K = narrow("wk", t.Y1)
	t.AccV, t.V = narrow("wv", t.Y1)
	t.O, t.Heads = r.attention(l, t.Q, t.K, t.V)
	t.AccO, t.XMid = residual("wo", x, t.O)
	t.Y2, t.Norm2 = c.Norm(t.XMid)
	w1 := weights("w1")
	t.Acc1 = r.project(w1, t.Y2)
	t.U, t.H = c.Activate(t.Acc1, w1.M, w1.S)
	t.Acc2, t.XOut = residual("w2", t.XMid, t.H)
	return t
}

// attention writes k and v into the cache, then attends over the last
// min(pos+1, ctx) entries.
func (r *Run) attention(l int, q, k, v []int8) (o []int8, heads []HeadTrace) {
	c := &r.m.Config
	r.cache[l].k[r.pos%c.Ctx], r.cache[l].v[r.pos%c.Ctx] = k, v
	for h := range c.NHeads {
		keys, values := r.window(l, h, r.pos)
		out, trace := c.Attend(q[h*c.HeadChannels:(h+1)*c.HeadChannels], keys, values, r.m.RelBias(l, h))
		o, heads = append(o, out...), append(heads, trace)
	}
	return o, heads
}

// Window returns the keys and values [cnt][dh] of one head that the token
// fed last attended to, by distance (0 = the token itself): what an
// attention array needs to reproduce the scores of that step's trace. The
// slices are the cache's own; there are none before the first Step.
func (r *Run) Window(layer, head int) (keys, values [][]int8) {
	return r.window(layer, head, r.pos-1)
}

func (r *Run) window(layer, head, newest int) (keys, values [][]int8) {
	c := &r.m.Config
	lo, hi := head*c.HeadChannels, (head+1)*c.HeadChannels
	count := min(newest+1, c.Ctx)
	keys, values = make([][]int8, 0, count), make([][]int8, 0, count)
	for t := range count {
		slot := (newest - t) % c.Ctx
		keys = append(keys, r.cache[layer].k[slot][lo:hi])
		values = append(values, r.cache[layer].v[slot][lo:hi])
	}
	return keys, values
}

// Greedy returns the lowest index among the largest logits.
func Greedy(logits []int32) int {
	best := 0
	for v, l := range logits {
		if l > logits[best] {
			best = v
		}
	}
	return best
}

// Sampler draws tokens with a temperature. The zero State is not allowed.
type Sampler struct {
	State uint32 // xorshift state, seeded with any non-zero number
	IT16  int    // floor(16/temperature + 1/2), 1..255
	M, S  int    // head.scale: Model.Embedding.M and S
}

// Next draws one token and advances the state once.
func (s *Sampler) Next(logits []int32) int {
	top := logits[Greedy(logits)]
	weights, total := make([]uint64, len(logits)), uint64(0)
	for v, l := range logits {
		if d := RShift((int64(top)-int64(l))*int64(s.M)*int64(s.IT16), s.S+4); d < 512 {
			weights[v] = uint64(SampROM[d%32] >> (d / 32))
		}
		total += weights[v]
	}
	s.State ^= s.State << 13
	s.State ^= s.State >> 17
	s.State ^= s.State << 5
	threshold := uint64(s.State) * total >> 32
	sum := uint64(0)
	for v, w := range weights {
		if sum += w; sum > threshold {
			return v
		}
	}
	panic("model.Sampler: no token above the threshold, although it is below the sum of weights")
}
