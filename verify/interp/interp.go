// Package interp executes an elaborated design directly: one instruction computes one value
// in all lanes, so that the cost of decoding is paid once for a whole Array.
package interp

import (
	"fmt"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
	"ohmloom/verify"
)

// Engine executes one design. It implements verify.Engine.
type Engine struct {
	prog  *flat.Program
	shape verify.Shape
	data  [][]uint64 // by Value.ID
	mem   map[*flat.Mem][]uint64
	next  [][]uint64 // one a register
	nextQ [][]uint64 // one a memory
	rst   uint64
	ready bool
}

// New prepares d, which must be well formed.
func New(d *ir.Design) (*Engine, error) {
	e := &Engine{prog: flat.Elaborate(d), shape: verify.ShapeOf(d.Top), mem: map[*flat.Mem][]uint64{}}
	for _, v := range e.prog.Values {
		buf := make([]uint64, v.Len())
		if c, ok := v.Op.(ir.Const); ok {
			for i := range buf {
				buf[i] = c.Val[i%len(c.Val)]
			}
		}
		e.data = append(e.data, buf)
	}
	for _, r := range e.prog.Regs {
		e.next = append(e.next, make([]uint64, r.Q.Len()))
	}
	for _, m := range e.prog.Mems {
		e.mem[m] = make([]uint64, m.Lanes*m.Depth*m.Type.N)
		e.nextQ = append(e.nextQ, make([]uint64, m.Lanes*m.Type.N))
	}
	return e, nil
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
	if e.prog == nil {
		return fmt.Errorf("interp: the engine is closed")
	}
	for _, r := range e.prog.Regs {
		q := e.data[r.Q.ID]
		for i := range q {
			q[i] = ir.InitWord(seed, r.Module, r.Name, i%r.Type.N, r.Type.W)
		}
	}
	for _, m := range e.prog.Mems {
		if m.Q != nil {
			q := e.data[m.Q.ID]
			for i := range q {
				q[i] = ir.InitWord(seed, m.Module, m.Name+".q", i%m.Type.N, m.Type.W)
			}
		}
		words := m.Depth * m.Type.N
		for l := range m.Lanes {
			lane := e.mem[m][l*words : (l+1)*words]
			if err := fill(lane, m, m.Paths[l], seed, img); err != nil {
				return err
			}
		}
	}
	e.ready = true
	return nil
}

// fill gives one lane of a memory its power-on contents.
func fill(lane []uint64, m *flat.Mem, path string, seed uint64, img *ir.Image) error {
	if m.Init != nil {
		copy(lane, m.Init)
		return nil
	}
	if m.Loaded && img != nil {
		if data, ok := img.Data[path]; ok {
			if len(data) != len(lane) {
				return fmt.Errorf("interp: the image has %d values for memory %s, which holds %d", len(data), path, len(lane))
			}
			for i, x := range data {
				lane[i] = x & bits.Mask(m.Type.W)
			}
			return nil
		}
	}
	for i := range lane {
		lane[i] = ir.InitWord(seed, m.Module, m.Name, i, m.Type.W)
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
	for range n {
		e.rst = in[0] & 1
		in = in[1:]
		for _, v := range e.prog.Ins {
			for i := range e.data[v.ID] {
				e.data[v.ID][i] = in[i] & bits.Mask(v.Type.W)
			}
			in = in[v.Len():]
		}
		for _, v := range e.prog.Values {
			e.eval(v)
		}
		for _, v := range e.prog.Outs {
			copy(out, e.data[v.ID])
			out = out[v.Len():]
		}
		e.edge()
	}
	return nil
}

// edge computes all new states from the old ones, then stores them.
func (e *Engine) edge() {
	for k, r := range e.prog.Regs {
		e.nextReg(e.next[k], r)
	}
	for k, m := range e.prog.Mems {
		if m.Q != nil {
			e.nextRead(e.nextQ[k], m)
		}
	}
	for k, r := range e.prog.Regs {
		copy(e.data[r.Q.ID], e.next[k])
	}
	for k, m := range e.prog.Mems {
		if m.Q != nil {
			copy(e.data[m.Q.ID], e.nextQ[k])
		}
		if m.WEn != nil {
			e.write(m)
		}
	}
}

func (e *Engine) nextReg(dst []uint64, r *flat.Reg) {
	q, next, n := e.data[r.Q.ID], e.data[r.Next.ID], r.Type.N
	for i := range dst {
		switch {
		case e.rst == 1 && r.Reset != nil:
			dst[i] = r.Reset[i%n] & bits.Mask(r.Type.W)
		case r.En == nil || e.data[r.En.ID][i/n] == 1:
			dst[i] = next[i]
		default:
			dst[i] = q[i]
		}
	}
}

func (e *Engine) nextRead(dst []uint64, m *flat.Mem) {
	copy(dst, e.data[m.Q.ID])
	for l := range m.Lanes {
		if m.REn == nil || e.data[m.REn.ID][l] == 1 {
			e.readWord(dst, m, l, e.data[m.RAddr.ID][l])
		}
	}
}

func (e *Engine) write(m *flat.Mem) {
	n := m.Type.N
	for l := range m.Lanes {
		addr := e.data[m.WAddr.ID][l]
		if e.data[m.WEn.ID][l] == 1 && addr < uint64(m.Depth) {
			at := (l*m.Depth + int(addr)) * n
			copy(e.mem[m][at:at+n], e.data[m.WData.ID][l*n:])
		}
	}
}

// readWord puts the word at addr of lane l into lane l of dst.
func (e *Engine) readWord(dst []uint64, m *flat.Mem, l int, addr uint64) {
	n := m.Type.N
	if addr >= uint64(m.Depth) {
		clear(dst[l*n : (l+1)*n])
		return
	}
	at := (l*m.Depth + int(addr)) * n
	copy(dst[l*n:(l+1)*n], e.mem[m][at:])
}
