package flat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// grid is a rows x cols Array of cells with a register, a memory and every kind of wiring.
func grid(rows, cols int) *ir.Module {
	cell := ir.New("cell", "")
	t := ir.Vec(2, 8)
	in := map[string]*ir.Node{}
	for _, p := range []string{"b", "r", "c", "e", "x"} {
		in[p] = cell.In(p, t, "")
	}
	reg := cell.Reg("v", t, 0).Set(in["x"].Add(in["e"]))
	tab := cell.Mem("tab", 4, ir.Bits(8))
	cell.Out("y", reg, "")
	cell.Out("z", in["b"].Xor(in["r"]).Xor(in["c"]).Xor(cell.Lookup(tab, in["e"].Elem(0).Trunc(2))), "")
	m := ir.New("grid", "")
	g := m.Array("g", cell, rows, cols)
	g.In("b", m.In("b", t, "")).PerRow("r", m.In("r", ir.Vec(2*rows, 8), "")).PerCol("c", m.In("c", ir.Vec(2*cols, 8), ""))
	g.Each("e", m.In("e", ir.Vec(2*rows*cols, 8), "")).Chain("x", "y", ir.North, m.In("x", ir.Vec(2*cols, 8), ""))
	m.Out("z", m.OutOf(g, "z"), "")
	m.Out("south", m.Edge(g, "y", ir.South), "")
	return m
}

// pair puts two of the given modules beside each other in an Array.
func pair(of *ir.Module) *ir.Module {
	m := ir.New("pair", "")
	a := m.Array("p", of, 1, 2)
	for _, p := range of.Inputs() {
		a.In(p.Name, m.In(p.Name, p.Type, ""))
	}
	for _, p := range of.Outputs() {
		m.Out(p.Name, m.OutOf(a, p.Name), "")
	}
	return m
}

func TestOperandsStandBeforeUsersExceptThroughState(t *testing.T) {
	p := flat.Elaborate(ir.NewDesign(pair(grid(2, 3))))
	for i, v := range p.Values {
		if v.ID != i {
			t.Errorf("value %d has ID %d", i, v.ID)
		}
		for _, a := range v.Args {
			if a.ID >= v.ID {
				t.Errorf("%T %d uses %d", v.Op, v.ID, a.ID)
			}
		}
	}
	if len(p.Ins) != 5 || len(p.Outs) != 2 || len(p.Regs) != 1 || len(p.Mems) != 1 {
		t.Fatalf("%d inputs, %d outputs, %d registers, %d memories", len(p.Ins), len(p.Outs), len(p.Regs), len(p.Mems))
	}
	if r := p.Regs[0]; r.Lanes != 12 || r.Q.Len() != 24 || r.Next.Len() != 24 || r.Path != "pair.p.g.v" || r.Module != "cell" {
		t.Errorf("register %s of %s: %d lanes, %d words", r.Path, r.Module, r.Lanes, r.Q.Len())
	}
}

func TestElaborationIsAsLargeForManyInstancesAsForFew(t *testing.T) {
	small, large := flat.Elaborate(ir.NewDesign(grid(2, 2))), flat.Elaborate(ir.NewDesign(grid(40, 30)))
	if len(small.Values) != len(large.Values) {
		t.Errorf("%d values for 2 x 2, %d for 40 x 30", len(small.Values), len(large.Values))
	}
}

// Lengths are what an engine allocates: operands of an elementwise operation have the
// result's lanes, what enters and leaves has the words that the wiring rule asks for.
func TestLengthsFitTheWiring(t *testing.T) {
	p := flat.Elaborate(ir.NewDesign(pair(grid(2, 3))))
	seen := map[string]int{}
	for _, v := range p.Values {
		switch op := v.Op.(type) {
		case flat.Enter:
			parents := v.Lanes / (op.Rows * op.Cols)
			groups := []int{ir.Broadcast: 1, ir.PerRow: op.Rows, ir.PerCol: op.Cols, ir.PerInst: op.Rows * op.Cols, ir.Chain: op.Cols}[op.Kind]
			if want := parents * groups * v.Type.N; v.Args[0].Len() != want {
				t.Errorf("%s enters %d lanes from %d words, want %d", op.Kind, v.Lanes, v.Args[0].Len(), want)
			}
			if op.Kind == ir.Chain && v.Args[1].Len() != v.Len() {
				t.Errorf("chain of %d words from %d", v.Len(), v.Args[1].Len())
			}
			seen[op.Kind.String()]++
		case flat.Leave:
			want := v.Len()
			if op.Side == ir.South {
				want *= op.Rows
			}
			if v.Args[0].Len() != want {
				t.Errorf("%s leaves %d words from %d, want %d", op.Side, v.Len(), v.Args[0].Len(), want)
			}
			seen[op.Side.String()]++
		default:
			for _, a := range v.Args {
				if a.Lanes != v.Lanes {
					t.Errorf("%T in %d lanes of a value in %d", v.Op, v.Lanes, a.Lanes)
				}
			}
		}
	}
	for _, k := range []string{"broadcast", "rows", "cols", "each", "chain", "all", "south"} {
		if seen[k] == 0 {
			t.Errorf("no %s was seen", k)
		}
	}
}

func TestMemoriesAreNamedLaneByLane(t *testing.T) {
	p := flat.Elaborate(ir.NewDesign(pair(grid(2, 2))))
	var want []string
	for pr := range 2 {
		for r := range 2 {
			for c := range 2 {
				want = append(want, fmt.Sprintf("pair.p_c[%d].p.g_r[%d].g_c[%d].g.tab", pr, r, c))
			}
		}
	}
	if got := p.Mems[0].Paths; !slices.Equal(got, want) {
		t.Errorf("lanes are named %q, want %q", got, want)
	}
}

// A path may leave an instance and come back into another port of it; that is no loop.
func TestPathsThroughOneInstanceTwiceAreNoLoop(t *testing.T) {
	leaf := ir.New("leaf", "")
	leaf.Out("q", leaf.In("p", ir.Bits(4), "").Not(), "")
	leaf.Out("s", leaf.In("r", ir.Bits(4), "").AddK(1), "")
	m := ir.New("top", "")
	u := m.Instance("u", leaf).In("p", m.In("a", ir.Bits(4), ""))
	u.In("r", m.OutOf(u, "q"))
	m.Out("y", m.OutOf(u, "s"), "")
	if p := flat.Elaborate(ir.NewDesign(m)); p.Outs[0].Len() != 1 {
		t.Errorf("output of %d words", p.Outs[0].Len())
	}
}

func TestCombinationalLoopsPanic(t *testing.T) {
	for name, port := range map[string]string{"through a register": "q", "direct": "d"} {
		cell := ir.New("cell", "")
		x := cell.In("x", ir.Bits(4), "")
		cell.Out("d", x.Not(), "")
		cell.Out("q", cell.Reg("r", ir.Bits(4), 0).Set(x), "")
		m := ir.New("top", "")
		a := m.Array("a", cell, 1, 3).Chain("x", port, ir.West, m.In("x", ir.Bits(4), ""))
		m.Out("y", m.Edge(a, port, ir.East), "")
		msg := func() (msg string) {
			defer func() { msg = fmt.Sprint(recover()) }()
			flat.Elaborate(ir.NewDesign(m))
			return
		}()
		if looped := strings.Contains(msg, "combinational loop through top.a"); looped != (port == "d") {
			t.Errorf("%s: %q", name, msg)
		}
	}
}
