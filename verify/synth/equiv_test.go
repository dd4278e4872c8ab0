package synth

import (
	"strings"
	"testing"
)

// prove proves a netlist, or other Verilog, equal to src.
func prove(t *testing.T, src, net string) *Proof {
	t.Helper()
	p, err := Equivalent(t.Context(), "m", src, net, options(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const counter = `module m (input wire clk, input wire rst, input wire en, input wire [3:0] a, output wire [3:0] y, output wire z);
  reg [3:0] c;
  reg d;
  always @(posedge clk) begin
    if (rst) c <= 4'd0;
    else if (en) c <= c + a;
    d <= c[3];
  end
  assign y = c, z = d;
endmodule
`

func TestANetlistIsProvenAndAWrongOneIsNot(t *testing.T) {
	net, err := Netlist(t.Context(), "m", counter, options(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(net, "always") || !strings.Contains(net, "DFFPOSX1") {
		t.Fatalf("not a netlist of cells:\n%s", net)
	}
	if p := prove(t, counter, net); !p.Equivalent || p.Registers != 5 || p.Merged != 0 || p.Constant != 0 {
		t.Errorf("%+v", p)
	}
	for what, src := range map[string]string{
		"operation": strings.Replace(counter, "c + a", "c - a", 1),
		"enable":    strings.Replace(counter, "else if (en)", "else", 1),
		"reset":     strings.Replace(counter, "if (rst) c <= 4'd0;\n    else ", "", 1),
		"constant":  strings.Replace(counter, "4'd0", "4'd1", 1),
		"register":  strings.Replace(counter, "d <= c[3]", "d <= c[2]", 1),
		"output":    strings.Replace(counter, "y = c,", "y = ~c,", 1),
		"edge":      strings.Replace(counter, "posedge", "negedge", 1),
	} {
		if src == counter {
			t.Fatalf("%s: nothing changed", what)
		}
		// That no register has the name of one in the netlist, as behind an inverted output, is
		// an error.
		if p, err := Equivalent(t.Context(), "m", src, net, options(t)); err == nil && p.Equivalent {
			t.Errorf("%s: proven equal: %+v", what, p)
		}
	}
}

// The constant 1 once was read as 0 on both sides, which proved too much.
func TestConstantsCount(t *testing.T) {
	one := "module m (input wire [1:0] a, output wire [1:0] y); assign y = {1'b1, a[0]}; endmodule\n"
	if p := prove(t, one, strings.Replace(one, "1'b1", "1'b0", 1)); p.Equivalent {
		t.Error("1 is proven equal to 0")
	}
}

func TestMergedAndConstantRegistersAreProvenByInduction(t *testing.T) {
	src := `module m (input wire clk, input wire rst, input wire [1:0] a, output wire [1:0] y, output wire [1:0] z, output wire u, output wire v);
  reg [1:0] p, q;
  reg k, l;
  always @(posedge clk) begin
    p <= a;
    q <= a;
    if (rst) k <= 1'b0; else k <= k & a[0];
    if (rst) l <= 1'b1; else l <= l | a[0];
  end
  assign y = p, z = q, u = k, v = l;
endmodule
`
	net := `module m (input wire clk, input wire rst, input wire [1:0] a, output wire [1:0] y, output wire [1:0] z, output wire u, output wire v);
  reg [1:0] p;
  always @(posedge clk) p <= a;
  wire [1:0] q = p;
  wire k = 1'b0, l = 1'b1;
  assign y = p, z = q, u = k, v = l;
endmodule
`
	if p := prove(t, src, net); !p.Equivalent || p.Registers != 6 || p.Merged != 2 || p.Constant != 2 {
		t.Errorf("%+v", p)
	}
	for what, wrong := range map[string]string{
		"not the same":       strings.Replace(src, "q <= a", "q <= ~a", 1),
		"not constant":       strings.Replace(src, "k & a[0]", "k ^ a[0]", 1),
		"the other constant": strings.Replace(src, "l <= 1'b1", "l <= 1'b0", 1),
	} {
		if p := prove(t, wrong, net); p.Equivalent {
			t.Errorf("%s: proven equal: %+v", what, p)
		}
	}
}

// What no output shows may be anything; what one shows may not.
func TestUndefinedValuesMustNotShow(t *testing.T) {
	hidden := "module m (input wire a, output wire y); wire x; assign y = a & (x | ~x); endmodule\n"
	if p := prove(t, hidden, "module m (input wire a, output wire y); assign y = a; endmodule\n"); !p.Equivalent {
		t.Errorf("%+v", p)
	}
	shown := "module m (input wire a, output wire y); wire x; assign y = x; endmodule\n"
	for _, k := range []string{"a", "1'b0", "1'b1"} {
		if p := prove(t, shown, "module m (input wire a, output wire y); assign y = "+k+"; endmodule\n"); p.Equivalent {
			t.Errorf("undefined is proven equal to %s", k)
		}
	}
}

func TestDifferentPortsAreAnError(t *testing.T) {
	_, err := Equivalent(t.Context(), "m", counter, strings.NewReplacer("input wire en", "input wire go", "(en)", "(go)").Replace(counter), options(t))
	if err == nil || !strings.Contains(err.Error(), "different ports") {
		t.Errorf("error %v", err)
	}
}
