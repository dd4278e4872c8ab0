// Package random makes random designs that pass ir.Check, from a seed: every operation,
// widths biased to the edges, vectors, instances and nested Arrays with every wiring rule,
// registers, memories and macros. Engines and Verilog are compared on them.
//
// What no other node uses, and some of the rest, goes into a digest output by exclusive or, so
// that an error anywhere tends to show at the outputs.
package random

import (
	"fmt"
	"math/rand/v2"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
)

// Opts bounds the size of a design; a zero field takes its default.
type Opts struct {
	Nodes    int    // operations a module, about; default 10
	Children int    // modules below the top; default 2, negative: none
	Elems    int    // elements of a vector at most, about; default 5
	Bits     int    // bits of a port or register, and about of a vector, at most; default 96
	Lanes    int    // instances of one module, over all levels, at most; default 6
	Depth    int    // words of a memory at most; default 20
	Prefix   string // of every module's name; default "rnd"
}

func (o Opts) filled() Opts {
	fill := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	fill(&o.Nodes, 10)
	fill(&o.Children, 2)
	fill(&o.Elems, 5)
	fill(&o.Bits, 96)
	fill(&o.Lanes, 6)
	fill(&o.Depth, 20)
	if o.Prefix == "" {
		o.Prefix = "rnd"
	}
	return o
}

// Smaller lists options for smaller designs, the smallest first, to shrink a failing seed
// with: the same seed gives another, smaller design under each.
func (o Opts) Smaller() []Opts {
	o = o.filled()
	var out []Opts
	for _, nodes := range []int{1, 2, 4, 8, 16} {
		for _, children := range []int{-1, 1, 2} {
			s := o
			s.Nodes, s.Children = nodes, children
			s.Elems, s.Lanes, s.Depth = min(o.Elems, 2+nodes/4), min(o.Lanes, 4+nodes/2), min(o.Depth, 2+nodes)
			if nodes < o.Nodes && children <= o.Children {
				out = append(out, s)
			}
		}
	}
	return out
}

// Design is the random design of a seed; it passes ir.Check, and the same seed and options
// give the same design.
func Design(seed uint64, o Opts) *ir.Design {
	o = o.filled()
	r := rand.New(rand.NewPCG(bits.Mix(seed), bits.Mix(seed+1)))
	var kids []*child
	for i := 0; i < o.Children; i++ {
		g := newGen(r, o, fmt.Sprintf("%s_m%d", o.Prefix, i), kids)
		kids = append(kids, g.child(i))
	}
	g := newGen(r, o, o.Prefix, kids)
	g.top = true
	g.build()
	return ir.NewDesign(g.m)
}

// Batch puts the designs of n seeds, from seed on, side by side in one top module, so that one
// build of a simulator serves them all. Port p of design i is the top's port "x<i>_p".
func Batch(seed uint64, n int, o Opts) *ir.Design {
	o = o.filled()
	top := ir.New(o.Prefix+"_batch", "Random designs side by side.")
	for i := 0; i < n; i++ {
		sub := o
		sub.Prefix = fmt.Sprintf("%s%d", o.Prefix, i)
		d := Design(seed+uint64(i), sub)
		top.At(&ir.Loc{Block: fmt.Sprintf("seed %d", seed+uint64(i))})
		in := top.Instance(fmt.Sprintf("u%d", i), d.Top)
		for _, p := range d.Top.Inputs() {
			in.In(p.Name, top.In(fmt.Sprintf("x%d_%s", i, p.Name), p.Type, ""))
		}
		for _, p := range d.Top.Outputs() {
			top.Out(fmt.Sprintf("x%d_%s", i, p.Name), top.OutOf(in, p.Name), "")
		}
	}
	return ir.NewDesign(top)
}

// Image gives every Loaded memory of d random contents.
func Image(d *ir.Design, seed uint64) *ir.Image {
	img := ir.NewImage()
	for i, m := range flat.Elaborate(d).Mems {
		if !m.Loaded {
			continue
		}
		for lane, path := range m.Paths {
			data := make([]uint64, m.Depth*m.Type.N)
			for k := range data {
				data[k] = bits.Mix(seed+bits.Mix(uint64(i)<<40|uint64(lane)<<20|uint64(k))) & bits.Mask(m.Type.W)
			}
			img.Data[path] = data
		}
	}
	return img
}
