package ir_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify/random"
)

// breaks lists, for every invariant, changes of the sample design that break it.
var breaks = []struct {
	inv int
	do  func(d *ir.Design)
}{
	{1, func(d *ir.Design) { pe(d).Name = "8pe" }},
	{1, func(d *ir.Design) { d.Name = "" }},
	{1, func(d *ir.Design) { pe(d).Regs[0].Name = "a.q" }},
	{1, func(d *ir.Design) { d.Top.Ports[0].Name = "clk" }},
	{1, func(d *ir.Design) { pe(d).Nodes[2].Name = "größe" }},
	{2, func(d *ir.Design) { sum(d).Name = "pe" }},
	{2, func(d *ir.Design) { pe(d).Regs[0].Name = "sum" }},
	{2, func(d *ir.Design) { pe(d).Mems[0].Name = "acc" }},
	{2, func(d *ir.Design) { d.Top.Insts[1].Name = "g_r" }},
	{3, func(d *ir.Design) { d.Top = nil }},
	{3, func(d *ir.Design) { d.Modules = d.Modules[1:] }},
	{3, func(d *ir.Design) { d.Modules = append(d.Modules, pe(d)) }},
	{3, func(d *ir.Design) { d.Modules = append(d.Modules, ir.New("extra", "")) }},
	{3, func(d *ir.Design) { d.Modules = append(d.Modules, nil) }},
	{3, func(d *ir.Design) { d.Modules[0], d.Modules[2] = d.Modules[2], d.Modules[0] }},
	{3, func(d *ir.Design) { d.Top.Insts[0].Of = nil }},
	{4, func(d *ir.Design) { d.Top.Insts[0].Of = d.Top }},
	{4, func(d *ir.Design) {
		sum(d).Insts = append(sum(d).Insts, &ir.Inst{Name: "up", Of: d.Top, Rows: 1, Cols: 1})
	}},
	{5, func(d *ir.Design) { pe(d).Nodes[3].ID = 4 }},
	{5, func(d *ir.Design) { pe(d).Nodes[3] = nil }},
	{5, func(d *ir.Design) { pe(d).Nodes[3].Op = nil }},
	{5, func(d *ir.Design) { pe(d).Nodes[3].Args[0] = sum(d).Nodes[0] }},
	{5, func(d *ir.Design) { pe(d).Nodes[3].Args[0] = nil }},
	{5, func(d *ir.Design) { pe(d).Nodes = pe(d).Nodes[:9] }},
	{5, func(d *ir.Design) { pe(d).Regs[0].Next = sum(d).Nodes[0] }},
	{5, func(d *ir.Design) { d.Top.Insts[0].Conns[0].Src = sum(d).Nodes[0] }},
	{5, func(d *ir.Design) { pe(d).Regs = pe(d).Regs[:1] }},
	{5, func(d *ir.Design) { pe(d).Ports = pe(d).Ports[1:] }},
	{5, func(d *ir.Design) { pe(d).Regs[0] = nil }},
	{5, func(d *ir.Design) { pe(d).Mems = append(pe(d).Mems, pe(d).Mems[0]) }},
	{5, func(d *ir.Design) { d.Top.Insts[1].Conns[0].Port = nil }},
	{6, func(d *ir.Design) { pe(d).Nodes[5].Args[0] = pe(d).Nodes[5] }},
	{6, func(d *ir.Design) {
		m := pe(d)
		m.Nodes[8], m.Nodes[9] = m.Nodes[9], m.Nodes[8]
		m.Renumber()
	}},
	{7, func(d *ir.Design) { pe(d).Nodes[5].Type.W = 65 }},
	{7, func(d *ir.Design) { pe(d).Nodes[5].Type.W = 0 }},
	{7, func(d *ir.Design) { pe(d).Nodes[5].Type.N = -1 }},
	{7, func(d *ir.Design) { pe(d).Ports[0].Type.N = 0 }},
	{7, func(d *ir.Design) { pe(d).Regs[0].Type.N = math.MaxInt }},
	{7, func(d *ir.Design) { pe(d).Mems[0].Type = ir.Vec(ir.MaxTotal, 2) }},
	{8, func(d *ir.Design) { pe(d).Nodes[8].Args[0] = pe(d).Nodes[0] }},
	{8, func(d *ir.Design) { pe(d).Nodes[8].Args = pe(d).Nodes[5:6] }},
	{8, func(d *ir.Design) { pe(d).Nodes[8].Op = ir.Compare{Kind: ir.Lts} }},
	{8, func(d *ir.Design) { pe(d).Nodes[8].Op = ir.Binary{Kind: ir.Xor + 1} }},
	{8, func(d *ir.Design) { pe(d).Nodes[6].Args[0] = pe(d).Nodes[2] }},
	{9, func(d *ir.Design) { pe(d).Nodes[7].Op = ir.Const{Val: []uint64{2}} }},
	{9, func(d *ir.Design) { pe(d).Nodes[7].Op = ir.Const{} }},
	{9, func(d *ir.Design) { pe(d).Regs[1].Reset = []uint64{} }},
	{9, func(d *ir.Design) { pe(d).Regs[1].Reset[0] = 1 << 32 }},
	{9, func(d *ir.Design) { pe(d).Mems[0].Init[3] = 256 }},
	{9, func(d *ir.Design) { pe(d).Mems[0].Init = pe(d).Mems[0].Init[1:] }},
	{10, func(d *ir.Design) { pe(d).Nodes[3].Op = ir.Slice{Lo: 5} }},
	{10, func(d *ir.Design) { pe(d).Nodes[3].Op = ir.Slice{Lo: -1} }},
	{10, func(d *ir.Design) { sum(d).Nodes[4].Op = ir.Elems{Lo: 4} }},
	{11, func(d *ir.Design) { pe(d).Nodes[1].Op = ir.RegOut{Reg: pe(d).Regs[1]} }},
	{11, func(d *ir.Design) { pe(d).Regs[0].Q = pe(d).Nodes[3] }},
	{11, func(d *ir.Design) { pe(d).Ports[0].Node = nil }},
	{11, func(d *ir.Design) { pe(d).Ports[0].Dir = ir.Out }},
	{11, func(d *ir.Design) { pe(d).Regs[0].Type.W = 9 }},
	{11, func(d *ir.Design) { pe(d).Mems[0].Q = nil }},
	{11, func(d *ir.Design) { pe(d).Append(ir.RegOut{Reg: pe(d).Regs[0]}, ir.Bits(8)) }},
	{12, func(d *ir.Design) { pe(d).Ports[1].Node = nil }},
	{12, func(d *ir.Design) { pe(d).Ports[1].Node = pe(d).Nodes[2] }},
	{12, func(d *ir.Design) { pe(d).Ports[1].Dir = 7 }},
	{13, func(d *ir.Design) { pe(d).Regs[0].Next = nil }},
	{13, func(d *ir.Design) { pe(d).Regs[0].Next = pe(d).Nodes[2] }},
	{13, func(d *ir.Design) { pe(d).Regs[0].En = pe(d).Nodes[2] }},
	{14, func(d *ir.Design) { pe(d).Mems[0].Depth, pe(d).Mems[0].Init = 0, nil }},
	{14, func(d *ir.Design) { sum(d).Mems[0].Depth = math.MaxInt }},
	{14, func(d *ir.Design) { pe(d).Mems[0].Loaded = true }},
	{14, func(d *ir.Design) { pe(d).Mems[0].Expect = []uint64{1} }},
	{14, func(d *ir.Design) { sum(d).Mems[0].Expect = []uint64{1} }},
	{14, func(d *ir.Design) { pe(d).Mems[0].REn = nil }},
	{14, func(d *ir.Design) { pe(d).Mems[0].REn = pe(d).Nodes[2] }},
	{14, func(d *ir.Design) { sum(d).Mems[0].WData = nil }},
	{14, func(d *ir.Design) { sum(d).Mems[0].WData = sum(d).Nodes[0] }},
	{15, func(d *ir.Design) { sum(d).Macro = nil }},
	{16, func(d *ir.Design) { d.Top.Insts[0].Rows = 0 }},
	{16, func(d *ir.Design) { d.Top.Insts[0].Rows, d.Top.Insts[0].Cols = 1<<20, 1<<20 }},
	{16, func(d *ir.Design) { d.Top.Insts[1].Cols = 2 }},
	{16, func(d *ir.Design) { d.Top.Insts[1].Conns = d.Top.Insts[1].Conns[1:] }},
	{16, func(d *ir.Design) { in := d.Top.Insts[1]; in.Conns = append(in.Conns, in.Conns[0]) }},
	{16, func(d *ir.Design) { d.Top.Insts[0].Conns[0].Port = pe(d).Ports[1] }},
	{17, func(d *ir.Design) { d.Top.Insts[1].Conns[0].Kind = ir.PerRow }},
	{17, func(d *ir.Design) { d.Top.Insts[1].Conns[0].Kind = 9 }},
	{17, func(d *ir.Design) { d.Top.Insts[1].Conns[0].Src = nil }},
	{17, func(d *ir.Design) { d.Top.Insts[0].Conns[0].Side = ir.North }},
	{17, func(d *ir.Design) { d.Top.Insts[0].Conns[0].Side = ir.All }},
	{17, func(d *ir.Design) { d.Top.Insts[0].Conns[0].From = pe(d).Ports[0] }},
	{17, func(d *ir.Design) { d.Top.Insts[0].Conns[0].From = pe(d).Ports[2] }},
	{17, func(d *ir.Design) { d.Top.Insts[0].Conns[0].Kind = ir.PerRow }},
	{18, func(d *ir.Design) { d.Top.Nodes[3].Type.N = 4 }},
	{18, func(d *ir.Design) {
		d.Top.Nodes[5].Op = ir.InstOut{Inst: d.Top.Insts[1], Port: sum(d).Ports[2], Sel: ir.East}
	}},
	{18, func(d *ir.Design) { d.Top.Nodes[5].Op = ir.InstOut{Inst: d.Top.Insts[1], Port: sum(d).Ports[0]} }},
	{18, func(d *ir.Design) { d.Top.Nodes[5].Op = ir.InstOut{Inst: d.Top.Insts[1], Port: pe(d).Ports[1]} }},
	{19, func(d *ir.Design) { sum(d).Macro.Kind = "" }},
	{19, func(d *ir.Design) { sum(d).Macro.Latency = -1 }},
	{19, func(d *ir.Design) { sum(d).Macro.AreaUm2 = math.NaN() }},
	{20, func(d *ir.Design) { pe(d).Ports[1].Node = pe(d).Nodes[0] }},
}

func pe(d *ir.Design) *ir.Module  { return d.Modules[0] }
func sum(d *ir.Design) *ir.Module { return d.Modules[1] }

func TestEveryInvariantIsChecked(t *testing.T) {
	tried := map[int]bool{}
	for i, b := range breaks {
		d := parse(t, sample(t))
		if vs := ir.Check(d); len(vs) > 0 {
			t.Fatal(vs)
		}
		b.do(d)
		found := false
		for _, v := range ir.Check(d) {
			found = found || v.Inv == b.inv
		}
		if !found {
			t.Errorf("change %d does not break I%d: %v", i, b.inv, ir.Check(d))
		}
		tried[b.inv] = true
	}
	for inv := 1; inv < len(ir.Invariants); inv++ {
		if !tried[inv] || ir.Invariants[inv] == "" {
			t.Errorf("no change breaks I%d %q", inv, ir.Invariants[inv])
		}
	}
}

func TestMustCheckPanicsWithAllViolations(t *testing.T) {
	d := parse(t, sample(t))
	pe(d).Regs[0].Next, pe(d).Regs[1].En = nil, pe(d).Nodes[2]
	defer func() {
		got := fmt.Sprint(recover())
		for _, want := range []string{"design tile", "I13 pe register a_q (tile.hcl:14:3 (pe)): has no next value",
			"I13 pe register acc", ir.Invariants[13]} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing in\n%s", want, got)
			}
		}
	}()
	ir.MustCheck(d)
}

// loops are designs with a combinational loop, with the steps its report names.
var loops = []struct{ text, want string }{
	{`design d top top
loc 1 "x.hcl" 3 4 "inv"
loc 2 "x.hcl" 7 1 "ring"
module inv {
	in a u8
	out y u8 = %1
	%0 = input u8 a
	%1 = not u8 %0 as flipped @1
}
module top {
	out y u8 = %1
	inst u inv @2 {
		a = broadcast %1
	}
	%0 = instout u8 u.y
	%1 = add u8 %0 %0 as back @2
}`, `combinational loop:
	top.%0 = instout (?)
	<- top.u.y of inv (x.hcl:7:1 (ring))
	<- inv.%1 flipped = not (x.hcl:3:4 (inv))
	<- inv.%0 = input (?)
	<- top.u.a of inv (x.hcl:7:1 (ring))
	<- top.%1 back = add (x.hcl:7:1 (ring))
	<- top.%0 = instout (?)`},
	{`design d top top
module m {
	in a u8
	in b u8
	out x u8 = %0
	out y u8 = %1
	%0 = input u8 a
	%1 = input u8 b
}
module top {
	in a 2xu8
	grid g m 2 x 3 {
		a = chain y west %0
		b = chain x west %0
	}
	%0 = input 2xu8 a
}`, `combinational loop:
	top.g.a of m (?), fed on its west side by y of its neighbour
	<- top.g.y of m (?)
	<- m.%1 = input (?)
	<- top.g.b of m (?), fed on its west side by x of its neighbour
	<- top.g.x of m (?)
	<- m.%0 = input (?)
	<- top.g.a of m (?), fed on its west side by y of its neighbour`},
}

func TestLoopsAreShownAsPathsOfPositions(t *testing.T) {
	for i, l := range loops {
		vs := ir.Check(parse(t, l.text))
		if len(vs) != 1 || vs[0].Inv != 20 || vs[0].Msg != l.want {
			t.Errorf("design %d: %v\nwant %s", i, vs, l.want)
		}
	}
}

func TestCrossedPathsThroughAnInstanceAreNoLoop(t *testing.T) {
	d := parse(t, `design d top top
module m {
	in a u8
	in b u8
	out x u8 = %0
	out y u8 = %1
	%0 = input u8 a
	%1 = input u8 b
}
module top {
	in a 6xu8
	out y 6xu8 = %2
	grid g m 2 x 3 {
		a = each %1
		b = each %0
	}
	%0 = input 6xu8 a
	%1 = instout 6xu8 g.y
	%2 = instout 6xu8 g.x
}`)
	if vs := ir.Check(d); len(vs) > 0 {
		t.Error(vs)
	}
}

// TestCheckNeverPanics breaks random designs at random places.
func TestCheckNeverPanics(t *testing.T) {
	missed := 0
	for seed := uint64(0); seed < 1500; seed++ {
		d := random.Design(seed%40, random.Opts{Nodes: 8})
		r := rand.New(rand.NewPCG(seed, 9))
		for i := r.IntN(3); i >= 0; i-- {
			smash(r, d)
		}
		func() {
			defer func() {
				if e := recover(); e != nil {
					t.Fatalf("seed %d: Check panics: %v", seed, e)
				}
			}()
			if len(ir.Check(d)) == 0 {
				missed++
			}
		}()
	}
	if missed > 700 {
		t.Errorf("%d of 1500 smashed designs pass", missed)
	}
}

// smash sets one random field of one random thing in d to a zero or odd value.
func smash(r *rand.Rand, d *ir.Design) {
	var things []any
	for _, m := range d.Modules {
		things = append(things, m)
		for _, x := range m.Nodes {
			things = append(things, x)
		}
		for range 4 {
			for _, x := range m.Ports {
				things = append(things, x)
			}
			for _, x := range m.Regs {
				things = append(things, x)
			}
			for _, x := range m.Mems {
				things = append(things, x)
			}
			for _, x := range m.Insts {
				if x == nil {
					continue
				}
				things = append(things, x)
				for _, c := range x.Conns {
					things = append(things, c)
				}
			}
		}
	}
	v := reflect.ValueOf(things[r.IntN(len(things))]).Elem()
	if !v.IsValid() { // set to nil before
		return
	}
	f := v.Field(r.IntN(v.NumField()))
	if !f.CanSet() {
		return
	}
	switch f.Kind() {
	case reflect.Int:
		f.SetInt([]int64{-1, 0, 1, 7, math.MaxInt}[r.IntN(5)])
	case reflect.Uint8:
		f.SetUint(uint64(r.IntN(9)))
	case reflect.Slice:
		if n := f.Len(); n > 0 && r.IntN(2) == 0 {
			f.Index(r.IntN(n)).SetZero()
		} else if n > 0 {
			f.Set(reflect.AppendSlice(f.Slice(0, n/2), f.Slice(n/2, n)).Slice(0, n-1))
		}
	case reflect.Struct:
		f.Field(0).SetInt(int64(r.IntN(4)) - 1)
	default:
		f.SetZero()
	}
}

func TestLargeDesignsAreChecked(t *testing.T) {
	// A long chain of nodes, and a hierarchy with 2^40 instances in 40 modules.
	m := ir.New("leaf", "")
	n := m.In("a", ir.Bits(8), "")
	for range 300000 {
		n = n.Not()
	}
	m.Out("y", n, "")
	for i := range 40 {
		up := ir.New(fmt.Sprintf("level%d", i), "")
		a := up.In("a", ir.Bits(8), "")
		for _, name := range []string{"u0", "u1"} {
			a = up.OutOf(up.Instance(name, m).In("a", a), "y")
		}
		up.Out("y", a, "")
		m = up
	}
	if vs := ir.Check(ir.NewDesign(m)); len(vs) > 0 {
		t.Error(vs[0])
	}
}
