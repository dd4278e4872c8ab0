// Package gates says about how many gates a design has, without synthesis: it counts what every
// operation of its modules works on, bit by bit, and weighs that with what mapped netlists have
// for an operation of the kind. Memories and other macros are counted apart.
package gates

import (
	"math"
	mathbits "math/bits"

	"ohmloom/ir"
)

// Kind is a kind of hardware that operations turn into.
type Kind int

// Kinds, and what one of each is.
const (
	Register Kind = iota // bit of a register
	Enable               // bit of a register that has an enable
	Reset                // bit of a register that has a reset
	Adder                // bit of a sum or a difference of two values
	Carry                // bit of a sum with a constant
	Product              // bit of a partial product
	Scale                // bit of a sum in a product with a constant
	Logic                // AND, OR, XOR of two bits
	Choice               // bit of a choice between two values
	Mask                 // bit of a choice between a value and a constant
	Equal                // bit of a comparison for equality
	Order                // bit of another comparison
	Step                 // bit of one stage of a shifter
	Place                // bit of an element of which one is picked
	Lookup               // bit of a table of constants
	Kinds
)

// Names of the kinds.
var Names = [Kinds]string{"register", "enable", "reset", "adder", "carry", "product", "scale", "logic", "choice", "mask", "equal", "order", "step",
	"place", "lookup"}

// Count is how much of each kind there is.
type Count [Kinds]float64

// Weights are the gate equivalents of one of each kind, fitted by scripts/energy to modules of the
// examples that Yosys maps to osu018 cells: relative errors, weighed by area. The sum over a chip
// is within 5 % of its netlists, modules of more than 1,000 gates within 50 %, most within 10 %.
var Weights = Count{Register: 5.24, Enable: 0.8, Reset: 0.3, Adder: 5.36, Carry: 0.94, Product: 5.92, Scale: 4, Logic: 0.76, Choice: 1.35, Mask: 0.94,
	Equal: 1.17, Order: 0.94, Step: 1.96, Place: 0.15, Lookup: 0.15}

// Gates is the count in gate equivalents, areas of a NAND2.
func (c Count) Gates() float64 { return c.Weighed(Weights) }

// Weighed is the sum of the counts, each times its weight.
func (c Count) Weighed(w Count) (sum float64) {
	for k, n := range c {
		sum += n * w[k]
	}
	return sum
}

// FlipFlops is the bits of registers; synthesis merges or drops some.
func (c Count) FlipFlops() float64 { return c[Register] }

// Of counts a module without its submodules. Operations on constants, on extensions and on bits
// that are always zero count less or not at all, as in synthesis; what no output needs counts
// unless passes have removed it.
func Of(m *ir.Module) (c Count) {
	for _, x := range m.Nodes {
		c.add(x)
	}
	for _, r := range m.Regs {
		bits := float64(r.Type.Total())
		c[Register] += bits
		if r.En != nil {
			c[Enable] += bits
		}
		if r.Reset != nil {
			c[Reset] += bits
		}
	}
	return c
}

// width is how many bits of an element of n may be anything: those above repeat a bit or are 0.
func width(n *ir.Node) int {
	w := n.Type.W
	switch op := n.Op.(type) {
	case ir.Const:
		most := 0
		for _, v := range op.Val {
			most = max(most, mathbits.Len64(min(v, ^v&(1<<w-1))))
		}
		return most
	case ir.Extend, ir.Splat, ir.Elems:
		return min(w, width(n.Args[0]))
	case ir.Slice:
		if op.Lo == 0 {
			return min(w, width(n.Args[0]))
		}
		return max(0, min(w, width(n.Args[0])-op.Lo))
	case ir.Join:
		most := 0
		for _, a := range n.Args {
			most = max(most, width(a))
		}
		return most
	case ir.Cat:
		if _, ok := n.Args[0].Op.(ir.Const); ok && len(n.Args) == 2 {
			return n.Args[1].Type.W + width(n.Args[0])
		}
	case ir.Binary:
		a, b := width(n.Args[0]), width(n.Args[1])
		switch op.Kind {
		case ir.Add, ir.Sub:
			return min(w, max(a, b)+1)
		case ir.Mul:
			return min(w, a+b)
		case ir.And:
			return min(a, b)
		}
		return min(w, max(a, b))
	case ir.Mux:
		return min(w, max(width(n.Args[1]), width(n.Args[2])))
	case ir.Compare:
		return 1
	case ir.Fold:
		if op.Kind == ir.FoldAdd {
			k := n.Args[0].Type.N / n.Type.N
			return min(w, width(n.Args[0])+mathbits.Len(uint(max(k-1, 0))))
		}
	}
	return w
}

func constant(n *ir.Node) bool {
	switch n.Op.(type) {
	case ir.Const:
		return true
	case ir.Extend, ir.Splat, ir.Elems, ir.Slice, ir.Cast:
		return constant(n.Args[0])
	}
	return false
}

// ones is the mean number of set bits of a constant's elements.
func ones(n *ir.Node) float64 {
	c, ok := n.Op.(ir.Const)
	if !ok {
		return float64(width(n)) / 2
	}
	sum := 0
	for _, v := range c.Val {
		sum += mathbits.OnesCount64(v)
	}
	return float64(sum) / float64(len(c.Val))
}

// add counts one operation.
func (c *Count) add(n *ir.Node) {
	e, w := float64(n.Type.N), float64(width(n))
	switch op := n.Op.(type) {
	case ir.Binary:
		a, b := n.Args[0], n.Args[1]
		fixed := constant(a) || constant(b)
		switch op.Kind {
		case ir.Add, ir.Sub:
			if fixed {
				c[Carry] += e * w
			} else {
				c[Adder] += e * w
			}
		case ir.Mul:
			wa, wb := float64(width(a)), float64(width(b))
			switch {
			case constant(a):
				c[Scale] += e * max(ones(a)-1, 0) * wb
			case constant(b):
				c[Scale] += e * max(ones(b)-1, 0) * wa
			default:
				low := max(wa+wb-float64(n.Type.W), 0) // partial products beyond the result
				c[Product] += e * (wa*wb - low*low/2)
			}
		default:
			if !fixed {
				c[Logic] += e * w
			}
		}
	case ir.Fold:
		k := float64(n.Args[0].Type.N) / e
		switch {
		case op.Kind == ir.FoldAdd:
			c[Adder] += e * (k - 1) * (float64(width(n.Args[0])) + 1)
		default:
			c[Logic] += e * (k - 1) * w
		}
	case ir.Mux:
		switch {
		case constant(n.Args[1]) && constant(n.Args[2]):
		case constant(n.Args[1]) || constant(n.Args[2]):
			c[Mask] += e * w
		default:
			c[Choice] += e * w
		}
	case ir.Compare:
		a, b := n.Args[0], n.Args[1]
		bits := float64(max(width(a), width(b)))
		switch {
		case op.Kind == ir.Eq || op.Kind == ir.Ne:
			c[Equal] += e * bits
		case constant(a) || constant(b):
			c[Order] += e * bits / 2
		default:
			c[Order] += e * bits
		}
	case ir.Shift:
		if !constant(n.Args[1]) {
			stages := min(float64(width(n.Args[1])), math.Ceil(math.Log2(float64(n.Type.W)+1)))
			c[Step] += e * w * stages
		}
	case ir.Pick:
		if !constant(n.Args[1]) && !constant(n.Args[0]) {
			c[Place] += float64(n.Args[0].Type.N) * w
		} else if !constant(n.Args[1]) {
			c[Lookup] += float64(n.Args[0].Type.N) * w
		}
	case ir.MemRead:
		c[Lookup] += float64(op.Mem.Depth) * float64(n.Type.Total())
	}
}
