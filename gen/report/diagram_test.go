package report

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
)

// design is top.x -> store -> grid of 2 x 3 boxes, each a leaf behind a register -> top.y,
// with a crossbar beside it that a selector, which is control, chooses.
func design() *ir.Design {
	leaf := ir.New("leaf", "")
	leaf.Out("y", leaf.In("x", ir.Type{N: 1, W: 8}, "").Not(), "")
	box := ir.New("box", "")
	r := box.DataReg("held", ir.Type{N: 1, W: 8})
	r.Set(box.In("x", ir.Type{N: 1, W: 8}, ""))
	box.Out("y", box.OutOf(box.Instance("u_leaf", leaf).In("x", r.Q), "y"), "")
	store := ir.New("store", "")
	store.Macro = &ir.Macro{Kind: "sram"}
	store.Out("q", store.In("d", ir.Type{N: 1, W: 8}, ""), "")
	xbar := ir.New("xbar", "")
	xbar.Macro = &ir.Macro{Kind: "crossbar"}
	xbar.Out("code", xbar.In("rows", ir.Type{N: 1, W: 8}, ""), "")

	top := ir.New("top", "")
	x, sel := top.In("x", ir.Type{N: 1, W: 8}, ""), top.In("sel", ir.Type{N: 1, W: 1}, "")
	q := top.OutOf(top.Instance("u_store", store).In("d", x), "q")
	y := top.OutOf(top.Array("many", box, 2, 3).In("x", q), "y")
	code := top.OutOf(top.Instance("u_xbar", xbar).In("rows", x), "code")
	top.Out("y", y, "")
	top.Out("z", sel.Mux(code, q), "")
	return ir.NewDesign(top)
}

func edges(dot string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`"([^"]+)" -> "([^"]+)" \[label="(\d+)"\]`).FindAllStringSubmatch(dot, -1) {
		all = append(all, m[1]+" -> "+m[2]+" "+m[3])
	}
	return all
}

func TestArrowsFollowTheData(t *testing.T) {
	got := edges(BlockDiagram(design(), "top", 3))
	want := []string{
		"t_many_p0_x -> t_many_u_leaf 8", "t_many_u_leaf -> t_many_p1_y 8", // through the register
		"t_p0_x -> t_u_store 8", "t_p0_x -> t_u_xbar 8", "t_u_store -> t_many_p0_x 8",
		"t_many_p1_y -> t_p1_y 48",                      // six of eight bits
		"t_u_store -> t_p1_z 8", "t_u_xbar -> t_p1_z 8", // either may pass the multiplexer; sel draws nothing
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("arrows\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

func TestEveryInstanceAppears(t *testing.T) {
	for depth, want := range map[int][]string{
		1: {`"u_store\nstore", fillcolor="` + memoryFill, `"u_xbar\nxbar", fillcolor="` + analogFill, `"many: 2 x 3\nbox", fillcolor="` + logicFill + `", peripheries=3`},
		2: {`subgraph "cluster_t_many"`, `label="many: 2 x 3\nbox"`, `"u_leaf\nleaf", fillcolor="` + logicFill},
	} {
		dot := BlockDiagram(design(), "top", depth)
		for _, w := range want {
			if strings.Count(dot, w) != 1 {
				t.Errorf("depth %d: %d times %s in\n%s", depth, strings.Count(dot, w), w, dot)
			}
		}
	}
}

// TestClosedBlockShowsTheMacroInside: a block that is not opened is no plain logic when a
// crossbar is deep inside.
func TestClosedBlockShowsTheMacroInside(t *testing.T) {
	x := ir.Type{N: 1, W: 8}
	wrap := func(name string, inner *ir.Module, out string) *ir.Module {
		m := ir.New(name, "")
		m.Out(out, m.OutOf(m.Instance("u_"+inner.Name, inner).In("x", m.In("x", x, "")), out), "")
		return m
	}
	for kind, want := range map[string]string{"crossbar": analogFill, "sram": logicFill} {
		macro := ir.New("core", "")
		macro.Macro = &ir.Macro{Kind: kind}
		macro.Out("y", macro.In("x", x, ""), "")
		top := wrap("top", wrap("outer", wrap("inner", macro, "y"), "y"), "y")
		dot := BlockDiagram(ir.NewDesign(top), "top", 1)
		if w := `"u_outer\nouter", fillcolor="` + want; !strings.Contains(dot, w) {
			t.Errorf("%s inside: no %s in\n%s", kind, w, dot)
		}
	}
}

// Banks u_bank0 to u_bank2 are one block, one that only control reaches does not stand alone,
// and one with another number in its name but another module is another block.
func TestBlocksThatAreAlikeAreDrawnOnceAndNoneStandsAlone(t *testing.T) {
	byteType, flag := ir.Type{N: 1, W: 8}, ir.Type{N: 1, W: 1}
	module := func(name string, of ir.Type) *ir.Module {
		m := ir.New(name, "")
		m.Out("y", m.In("x", of, "").Not(), "")
		return m
	}
	top := ir.New("top", "")
	x := top.In("x", byteType, "")
	bank, command := module("bank", byteType), module("command", flag)
	sum := x
	for i := range 3 {
		sum = sum.Xor(top.OutOf(top.Instance(fmt.Sprintf("u_bank%d", i), bank).In("x", x), "y"))
	}
	odd := top.Instance("u_bank9", module("other", byteType)).In("x", sum)
	start := top.OutOf(top.Instance("u_command", command).In("x", x.Bit(0)), "y")
	top.Out("y", start.Mux(top.OutOf(odd, "y"), x), "")
	dot := BlockDiagram(ir.NewDesign(top), "top", 1)
	for w, n := range map[string]int{`u_bank0 .. u_bank2: x 3\nbank`: 1, `u_bank1"`: 0, `u_bank9\nother`: 1, `"t_u_bank0" -> "t_u_bank9" [label="8"]`: 1,
		`"t_p0_x" -> "t_u_bank0" [label="24"]`: 1, `style=dashed]`: 1} {
		if strings.Count(dot, w) != n {
			t.Errorf("%d times %s, want %d, in\n%s", strings.Count(dot, w), w, n, dot)
		}
	}
}

func TestDiagramIsTheSameEveryTime(t *testing.T) {
	first := BlockDiagram(design(), "top", 3)
	for range 20 {
		if BlockDiagram(design(), "top", 3) != first {
			t.Fatal("two diagrams of one design differ")
		}
	}
}

// TestGraphvizDrawsIt: also with a title that is no identifier.
func TestGraphvizDrawsIt(t *testing.T) {
	dot := tools.NeedForTest(t, "dot")[0]
	cmd := exec.Command(dot.Path, "-Tsvg")
	cmd.Stdin = strings.NewReader(BlockDiagram(design(), `<a> & "b" \`, 3))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	svg, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("dot: %v\n%s", err, complaints.String())
	}
	for _, want := range []string{"&lt;a&gt; &amp; ", "many: 2 x 3", "u_leaf", "numbers: bits", "</svg>"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("no %s in the picture", want)
		}
	}
}
