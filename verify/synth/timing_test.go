package synth

import (
	"strings"
	"testing"

	"ohmloom/gen/tools"
)

const adders = `module adders (input wire clk, input wire [7:0] a, input wire [7:0] b, output wire [W-1:0] y);
  reg [W-1:0] sum_q;
  always @(posedge clk) sum_q <= EXPR;
  assign y = sum_q;
endmodule
`

func adder(width, expr string) string {
	return strings.NewReplacer("W", width, "EXPR", expr).Replace(adders)
}

func TestLongestPathGrowsWithTheLogicAndNamesItsEnds(t *testing.T) {
	found := tools.NeedForTest(t, "yosys", "sta")
	file, err := tools.Liberty()
	if err != nil {
		t.Skip(err)
	}
	lib, err := ReadLiberty(file)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Yosys: found[0].Path, Liberty: lib}
	var last float64
	for _, c := range []struct{ width, expr string }{{"8", "a"}, {"9", "a + b"}, {"16", "a * b"}} {
		p, err := LongestPath(t.Context(), "adders", adder(c.width, c.expr), found[1].Path, o)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil || p.NS <= last {
			t.Fatalf("%s: path %+v, want longer than %g ns", c.expr, p, last)
		}
		if c.expr != "a" && !(strings.HasPrefix(p.From, "a[") || strings.HasPrefix(p.From, "b[")) {
			t.Errorf("%s: the path begins at %s, want an operand", c.expr, p.From)
		}
		last = p.NS
	}
}

func TestAModuleWithoutLogicHasNoPath(t *testing.T) {
	if p, err := parsePath("m", "NOPATH\n"); p != nil || err != nil {
		t.Fatal(p, err)
	}
	if _, err := parsePath("m", "something else\n"); err == nil {
		t.Fatal("silence of the tool was taken for a path")
	}
}
