package report_test

import (
	"fmt"
	"strings"
	"testing"

	"ohmloom/gen/report"
	"ohmloom/ir"
)

// pair is a macro with a loaded table, used six times below a top.
func pair() *ir.Design {
	m := ir.New("pair_2x3", "A pair. Latency 1 cycle.")
	step := m.In("x_step", ir.Bits(2), "step | share")
	cells := m.Mem("cells", 3, ir.Vec(4, 8))
	cells.Loaded = true
	m.Out("y_code", m.DataReg("code", ir.Vec(4, 8)).Set(m.Lookup(cells, step)), "codes")
	m.Macro = &ir.Macro{Kind: "crossbar", Latency: 1, AreaUm2: 1234, Attrs: []ir.Attr{{Key: "rows", Value: "2"}}}
	top := ir.New("top", "")
	x := top.In("x", ir.Bits(2), "")
	a := top.Array("pe", m, 2, 3).In("x_step", x)
	top.Out("y", top.OutOf(a, "y_code"), "")
	return ir.NewDesign(top)
}

func TestMacroPageStatesTheContract(t *testing.T) {
	got := report.MacroPage(pair())
	for _, want := range []string{
		"## pair_2x3", "Instances: 6. Latency: 1 cycle. Area: 1234 um2", "| x_step | in | 2 bits | step \\| share |",
		"| y_code | out | 4 x 8 bits | codes |", "| cells | 3 | 4 x 8 bits |", "| rows | 2 |", "Settling inside a conversion",
		"x_step  < A  >< B  >------------\ny_code  ------< a  >< b  >------",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q:\n%s", want, got)
		}
	}
}

func TestADesignWithoutMacrosHasNoPage(t *testing.T) {
	m := ir.New("wire", "")
	m.Out("y", m.In("x", ir.Bits(1), ""), "")
	if got := report.MacroPage(ir.NewDesign(m)); got != "" {
		t.Error(fmt.Sprint("a page of a design without macros: ", got))
	}
}
