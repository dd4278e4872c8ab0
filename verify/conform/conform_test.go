package conform_test

import (
	"math/rand/v2"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
)

func newReference(d *ir.Design) (verify.Engine, error) { return conform.NewReference(d) }

func TestReferenceConforms(t *testing.T) { conform.Run(t, "reference", newReference) }

// The suite must notice when one operation of a design computes something else.
func TestChangedOperationsAreNoticed(t *testing.T) {
	const perCase = 8
	rng := rand.New(rand.NewPCG(1, 2))
	total := 0
	for i, c := range conform.Cases() {
		var where []*ir.Node
		for _, mod := range ir.NewDesign(c.Top).Modules {
			for _, n := range mod.Nodes {
				if other(n) != nil {
					where = append(where, n)
				}
			}
		}
		rng.Shuffle(len(where), func(i, k int) { where[i], where[k] = where[k], where[i] })
		for _, n := range where[:min(perCase, len(where))] {
			total++
			was := n.Op
			n.Op = other(n)
			e, _ := conform.NewReference(ir.NewDesign(c.Top))
			if c.Check(e) == nil {
				t.Errorf("case %d %s: %s node %d of %s: %#v instead of %#v is not noticed", i, c.Name, n.Module().Name, n.ID, n.Type, n.Op, was)
			}
			n.Op = was
		}
	}
	if total < 45 {
		t.Errorf("only %d operations were changed", total)
	}
}

// other is an operation unlike that of n, or nil when none is sure to differ somewhere.
func other(n *ir.Node) ir.Op {
	if len(n.Args) == 0 || n.Args[0].Type.W == 1 && n.Type.W == 1 {
		return nil
	}
	switch op := n.Op.(type) {
	case ir.Binary:
		op.Kind = (op.Kind + 1) % 6
		return op
	case ir.Shift:
		op.Kind = (op.Kind + 1) % 3
		return op
	case ir.Compare:
		op.Kind = (op.Kind + 2) % 6
		return op
	case ir.Extend:
		op.Signed = !op.Signed
		return op
	case ir.Slice:
		if op.Lo > 0 {
			op.Lo--
			return op
		}
	}
	return nil
}

// forgetful is an engine with one fault.
type forgetful struct {
	verify.Engine
	fault string
}

func (f forgetful) Power(seed uint64, img *ir.Image) error {
	switch f.fault {
	case "seed":
		seed++
	case "image":
		img = nil
	}
	return f.Engine.Power(seed, img)
}

func (f forgetful) Run(in, out []uint64, n int) error {
	err := f.Engine.Run(in, out, n)
	if f.fault == "batch" && n > 1 {
		copy(out[len(out)/n:], out[:len(out)/n])
	}
	return err
}

func TestFaultyEnginesFail(t *testing.T) {
	for fault, in := range map[string]string{"seed": "power-on", "image": "images", "batch": "gated"} {
		for _, c := range conform.Cases() {
			if c.Name != in {
				continue
			}
			e, _ := newReference(ir.NewDesign(c.Top))
			if c.Check(forgetful{e, fault}) == nil {
				t.Errorf("case %s passes an engine with fault %q", in, fault)
			}
		}
	}
}

func TestDesignsKeepTheInvariants(t *testing.T) {
	for _, c := range conform.Cases() {
		for _, v := range ir.Check(ir.NewDesign(c.Top)) {
			t.Errorf("case %s: %s", c.Name, v)
		}
	}
}
