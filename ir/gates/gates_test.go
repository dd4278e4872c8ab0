package gates_test

import (
	"testing"

	"ohmloom/ir"
	"ohmloom/ir/gates"
)

// of counts a module that build makes of two inputs of 8 bits.
func of(build func(m *ir.Module, a, b *ir.Node) *ir.Node) gates.Count {
	m := ir.New("m", "")
	a, b := m.In("a", ir.Vec(3, 8), ""), m.In("b", ir.Vec(3, 8), "")
	m.Out("y", build(m, a, b), "")
	return gates.Of(m)
}

// Three elements of 8 bits, counted by hand.
func TestOperationsCountByTheBitsThatTheyWorkOn(t *testing.T) {
	for name, x := range map[string]struct {
		build func(m *ir.Module, a, b *ir.Node) *ir.Node
		want  gates.Count
	}{
		"sum":         {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.Add(b) }, gates.Count{gates.Adder: 24}},
		"wider sum":   {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.SExt(20).Add(b.SExt(20)) }, gates.Count{gates.Adder: 27}},
		"increment":   {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.AddK(1) }, gates.Count{gates.Carry: 24}},
		"product":     {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.SExt(16).Mul(b.SExt(16)) }, gates.Count{gates.Product: 192}},
		"low product": {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.Mul(b) }, gates.Count{gates.Product: 96}},
		"fold":        {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.SumU(1, 10) }, gates.Count{gates.Adder: 18}},
		"choice":      {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.Ltu(b).Mux(a, b) }, gates.Count{gates.Order: 24, gates.Choice: 24}},
		"mask":        {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.Eq(b).Mux(a, m.K(8, 0).Splat(3)) }, gates.Count{gates.Equal: 24, gates.Mask: 24}},
		"fixed shift": {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.Shl(m.K(3, 2)) }, gates.Count{}},
		"slice":       {func(m *ir.Module, a, b *ir.Node) *ir.Node { return a.Slice(2, 3) }, gates.Count{}},
	} {
		if got := of(x.build); got != x.want {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
	m := ir.New("r", "")
	a := m.In("a", ir.Vec(3, 8), "")
	r := m.Reg("r", ir.Vec(3, 8), 0)
	r.SetEn(a.Elem(0).Bit(0), a)
	m.Out("y", r.Q, "")
	if got, want := gates.Of(m), (gates.Count{gates.Register: 24, gates.Enable: 24, gates.Reset: 24}); got != want || got.FlipFlops() != 24 {
		t.Errorf("register: %v, want %v", got, want)
	}
}
