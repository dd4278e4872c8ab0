// Package interp executes a design without compiling anything: one instruction computes one
// value in all lanes of an Array, so that the cost of decoding is paid once for all instances.
//
// What a value stands in (place): one 64-bit word when all its elements are known to be equal,
// as common controls are; else a vector of the narrowest element type that holds its width.
// What makes it fast, in the order of the files:
//
//   - analyse: words that are the same in all lanes, fused products, moves taken as one,
//     regions that only run when the selector or enable that needs them says so, and values
//     that the clock edge computes straight into their register;
//   - kernels, kernels_mixed, move, msum: loops over vectors by element type;
//   - code: the instructions on words, and jumps over regions;
//   - edge: registers updated in place, readers before writers.
package interp

import (
	"fmt"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
	"ohmloom/rtl"
	"ohmloom/verify"
)

// Engine executes one design. It implements verify.Engine.
type Engine struct {
	c     *compiler
	shape verify.Shape
	in    []func(rec []uint64)
	out   []func(rec []uint64)
	ready bool
}

// New prepares d, which must be well formed; a port that Verilog could not have is an error.
func New(d *ir.Design) (*Engine, error) {
	if err := rtl.CheckPorts(d.Top); err != nil {
		return nil, err
	}
	p := flat.Elaborate(d)
	e := &Engine{c: compile(p), shape: verify.ShapeOf(d.Top)}
	for _, v := range p.Ins {
		e.in = append(e.in, e.c.load(v))
	}
	for _, v := range p.Outs {
		e.out = append(e.out, e.c.store(v))
	}
	exec(e.c.setup, e.c.words)
	return e, nil
}

// load moves an input from its place in the record.
func (c *compiler) load(v *flat.Value) func(rec []uint64) {
	switch {
	case !c.live(v):
		return func([]uint64) {}
	case c.same[v.ID]:
		x, m := &c.words[c.locs[v.ID].slot], bits.Mask(v.Type.W)
		return func(rec []uint64) { *x = rec[0] & m }
	}
	return setFor(v.Type.W).load(c.locs[v.ID].vec, v.Type.W)
}

// store moves an output to its place in the record.
func (c *compiler) store(v *flat.Value) func(rec []uint64) {
	if c.same[v.ID] {
		x, n := &c.words[c.locs[c.data(v).ID].slot], v.Len()
		return func(rec []uint64) {
			for i := range rec[:n] {
				rec[i] = *x
			}
		}
	}
	return setFor(v.Type.W).store(c.vector(v))
}

var _ verify.Engine = (*Engine)(nil)

// Name is "interp".
func (e *Engine) Name() string { return "interp" }

// Close releases the design's data.
func (e *Engine) Close() error {
	*e = Engine{}
	return nil
}

// Power is described at verify.Engine.
func (e *Engine) Power(seed uint64, img *ir.Image) error {
	if e.c == nil {
		return fmt.Errorf("interp: the engine is closed")
	}
	e.ready = false
	if err := img.Check(); err != nil {
		return fmt.Errorf("interp: %w", err)
	}
	for _, r := range e.c.prog.Regs {
		e.c.start(r.Q, seed, r.Module, r.Name)
	}
	for _, m := range e.c.prog.Mems {
		if m.Q != nil {
			e.c.start(m.Q, seed, m.Module, m.Name+".q")
		}
		for l := range m.Lanes {
			if err := e.c.fillLane(m, l, seed, img); err != nil {
				return err
			}
		}
	}
	for _, p := range e.c.packed {
		p.pack(e.c.mems[p.mem].([]uint8), 0, p.mem.Lanes*p.mem.Depth*p.mem.Type.N)
	}
	e.ready = true
	return nil
}

// start gives the register or read port q its seeded words.
func (c *compiler) start(q *flat.Value, seed uint64, module, name string) {
	l := c.locs[q.ID]
	if c.same[q.ID] {
		c.words[l.slot] = ir.InitWord(seed, module, name, 0, q.Type.W)
		return
	}
	set, x := setFor(q.Type.W), make([]uint64, q.Type.N)
	for i := range x {
		x[i] = ir.InitWord(seed, module, name, i, q.Type.W)
	}
	for i := range q.Len() {
		set.put(l.vec, i, x[i%len(x)])
	}
}

// fillLane gives one lane of a memory its power-on contents.
func (c *compiler) fillLane(m *flat.Mem, lane int, seed uint64, img *ir.Image) error {
	n := m.Depth * m.Type.N
	data := m.Init
	if data == nil && m.Loaded && img != nil {
		data = img.Data[m.Paths[lane]]
	}
	if data != nil {
		if err := m.Admit(m.Paths[lane], data); err != nil {
			return fmt.Errorf("interp: %w", err)
		}
	}
	set, mem := setFor(m.Type.W), c.mems[m]
	for i := range n {
		x := uint64(0)
		if data != nil {
			x = data[i] & bits.Mask(m.Type.W)
		} else {
			x = ir.InitWord(seed, m.Module, m.Name, i, m.Type.W)
		}
		set.put(mem, lane*n+i, x)
	}
	return nil
}

// Run is described at verify.Engine.
func (e *Engine) Run(in, out []uint64, n int) error {
	if !e.ready {
		return fmt.Errorf("interp: Run before Power or after Close")
	}
	if n < 0 || len(in) < n*e.shape.InWords || len(out) < n*e.shape.OutWords {
		return fmt.Errorf("interp: %d cycles need %d words in and %d out, got %d and %d",
			n, n*e.shape.InWords, n*e.shape.OutWords, len(in), len(out))
	}
	words := e.c.words
	for range n {
		words[e.c.rst] = in[0] & 1
		in = in[1:]
		for i, load := range e.in {
			load(in)
			in = in[e.shape.In[i].Type.N:]
		}
		exec(e.c.comb, words)
		for i, store := range e.out {
			store(out)
			out = out[e.shape.Out[i].Type.N:]
		}
		exec(e.c.edge, words)
	}
	return nil
}
