package synth

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/ir"
)

const peText = `module pe (
  input wire clk, input wire rst, input wire [7:0] a, input wire [7:0] b, input wire clr,
  output wire [31:0] acc
);
  reg [31:0] s;
  wire signed [15:0] p = $signed(a) * $signed(b);
  always @(posedge clk) begin
    if (rst) s <= 32'd0;
    else s <= (clr ? 32'd0 : s) + {{16{p[15]}}, p};
  end
  assign acc = s;
endmodule
`

func liberty(t *testing.T) *Liberty {
	t.Helper()
	path := os.Getenv("LIB")
	l, err := ReadLiberty(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestNetlistOfAPEIsProvenEqualAndADamagedOneIsNot(t *testing.T) {
	if _, err := exec.LookPath("yosys"); err != nil {
		t.Skip()
	}
	o := Options{Liberty: liberty(t)}
	p, err := Equivalent(context.Background(), "pe", peText, "", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p)
	p, err = Equivalent(context.Background(), "pe", peText, "select -set x t:NAND2X1 %R1\nchtype -set NOR2X1 @x\n", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p)
}

var _ = ir.In
var _ = filepath.Join
var _ = strings.Join
