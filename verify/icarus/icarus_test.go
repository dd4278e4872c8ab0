package icarus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/icarus"
	"ohmloom/verify/verilated/vlog"
)

func TestConforms(t *testing.T) {
	tools.NeedForTest(t, "iverilog", "vvp")
	conform.Run(t, "icarus", func(d *ir.Design) (verify.Engine, error) {
		return icarus.New(t.Context(), d, icarus.Options{})
	})
}

// hand runs Verilog with the ports of a two-element memory of nibbles.
func hand(t *testing.T, body string, opt icarus.Options) (*icarus.Engine, error) {
	t.Helper()
	tools.NeedForTest(t, "iverilog", "vvp")
	m := ir.New("nibbles", "")
	x := m.In("x", ir.Vec(2, 4), "")
	r := m.Reg("q", ir.Vec(2, 4))
	r.Set(x)
	m.Out("early", x, "")
	m.Out("q", r.Q, "")
	const head = "module nibbles(input wire clk, input wire rst, input wire [7:0] x, output wire [7:0] early, output reg [7:0] q);\nassign early = x;\n"
	return icarus.FromVerilog(t.Context(), m, nil, []vlog.File{{Name: "nibbles.v", Text: head + body + "endmodule\n"}}, opt)
}

func TestUnknownOutputNamesPortElementAndCycle(t *testing.T) {
	e, err := hand(t, "initial q = 8'h21; always @(posedge clk) q <= {rst ? 4'bx01z : x[7:4], x[3:0]};\n", icarus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	in := []uint64{0, 3, 4, 0, 3, 4, 1, 5, 6, 0, 5, 6}
	out := make([]uint64, 16)
	if err := e.Run(in[:6], out, 2); err != nil || out[2] != 1 || out[3] != 2 || out[6] != 3 || out[7] != 4 {
		t.Fatalf("%v, %v", out, err)
	}
	err = e.Run(in[6:], out, 2)
	if err == nil || !strings.Contains(err.Error(), "cycle 3: output q of nibbles has element 1 not known") {
		t.Errorf("%v", err)
	}
	if err := e.Run(in, out, 1); err == nil {
		t.Error("the engine goes on after a failure")
	}
	if err := errors.Join(e.Power(1, nil), e.Run(in, out, 1)); err != nil {
		t.Errorf("after Power: %v", err)
	}
}

func TestHangingRunIsEnded(t *testing.T) {
	e, err := hand(t, "initial q = 0; always @(posedge clk) while (x != 0) q = q + 1;\n", icarus.Options{Limit: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	err = e.Run([]uint64{0, 1, 0, 0, 0, 0}, make([]uint64, 8), 2)
	if err == nil || !strings.Contains(err.Error(), "not done within 300ms") {
		t.Errorf("%v", err)
	}
}

func TestEndedSimulationIsAToolErrorWithItsWords(t *testing.T) {
	e, err := hand(t, "initial q = 0; always @(posedge clk) if (rst) begin $display(\"goodbye\"); $finish; end\n", icarus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	err = e.Run([]uint64{0, 1, 0, 1, 0, 0, 0, 1, 0}, make([]uint64, 12), 3)
	var te *verify.ToolError
	if !errors.As(err, &te) || te.Tool != "vvp" || !strings.Contains(err.Error(), "goodbye") {
		t.Errorf("%v", err)
	}
}

// More than the pipes hold, in both directions, in one batch.
func TestLargeBatchesDoNotBlock(t *testing.T) {
	e, err := hand(t, "initial q = 0; always @(posedge clk) q <= x;\n", icarus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	const n = 50000
	in, out := make([]uint64, 3*n), make([]uint64, 4*n)
	for k := range n {
		in[3*k+1], in[3*k+2] = uint64(k)&15, uint64(k>>4)&15
	}
	if err := e.Run(in, out, n); err != nil {
		t.Fatal(err)
	}
	for k := 1; k < n; k++ {
		if out[4*k+2] != in[3*k-2] || out[4*k+3] != in[3*k-1] || out[4*k] != in[3*k+1] {
			t.Fatalf("cycle %d: %v", k, out[4*k:4*k+4])
		}
	}
}

func TestBadVerilogIsAnErrorWithTheToolsWords(t *testing.T) {
	_, err := hand(t, "assign nonsense = ;\n", icarus.Options{})
	var te *verify.ToolError
	if !errors.As(err, &te) || te.Tool != "iverilog" || !strings.Contains(err.Error(), "nibbles.v:3") {
		t.Errorf("%v", err)
	}
}

func TestMissingToolIsAToolError(t *testing.T) {
	m := ir.New("m", "")
	m.Out("y", m.In("x", ir.Bits(1), ""), "")
	t.Setenv("PATH", "")
	_, err := icarus.New(t.Context(), ir.NewDesign(m), icarus.Options{})
	var te *verify.ToolError
	if !errors.As(err, &te) || te.Tool != "iverilog" || te.Package != "iverilog" {
		t.Errorf("%v", err)
	}
}
