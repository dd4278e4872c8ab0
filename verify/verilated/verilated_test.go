package verilated_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/cache"
	"ohmloom/verify/conform"
	"ohmloom/verify/verilated"
	"ohmloom/verify/verilated/vlog"
)

func TestConforms(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++")
	conform.Run(t, "verilated", func(d *ir.Design) (verify.Engine, error) {
		return verilated.New(t.Context(), d, verilated.Options{})
	})
}

func TestConformsInAWorker(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++")
	conform.Run(t, "verilated", func(d *ir.Design) (verify.Engine, error) {
		return verilated.New(t.Context(), d, verilated.Options{Isolate: true})
	})
}

// counter is the shape of hand-written designs: an 8-bit count of the cycles with en.
func counter() *ir.Module {
	m := ir.New("counter", "")
	en := m.In("en", ir.Bits(1), "")
	r := m.Reg("n", ir.Bits(8), 0)
	r.SetEn(en, r.Q.AddK(1))
	m.Out("n", r.Q, "")
	return m
}

const counterHead = "module counter(input wire clk, input wire rst, input wire en, output reg [7:0] n);\n"

// hand builds Verilog with the ports of counter.
func hand(t *testing.T, body string, opt verilated.Options) (*verilated.Engine, error) {
	t.Helper()
	tools.NeedForTest(t, "verilator", "g++")
	return verilated.FromVerilog(t.Context(), counter(), nil, []vlog.File{{Name: "counter.v", Text: counterHead + body + "endmodule\n"}}, opt)
}

func run(t *testing.T, e verify.Engine, in ...uint64) ([]uint64, error) {
	t.Helper()
	out := make([]uint64, len(in)/2)
	return out, e.Run(in, out, len(in)/2)
}

// Two models with the same class names, one after the other and interleaved.
func TestModelsOfTheSameNameLiveTogether(t *testing.T) {
	up, err := hand(t, "always @(posedge clk) if (rst) n <= 0; else if (en) n <= n + 1;\n", verilated.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	down, err := hand(t, "always @(posedge clk) if (rst) n <= 0; else if (en) n <= n - 1;\n", verilated.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer down.Close()
	for _, e := range []verify.Engine{up, down} {
		if err := e.Power(1, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := run(t, e, 1, 0, 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	u, _ := run(t, up, 0, 1, 0, 1)
	d, _ := run(t, down, 0, 1, 0, 1)
	if u[1] != 2 || d[1] != 254 {
		t.Errorf("up %v, down %v", u, d)
	}
}

func TestFatalErrorsOfTheModelAreErrorsAndPowerRevivesIt(t *testing.T) {
	const body = "always @(posedge clk) begin if (rst) n <= 0; else n <= n + 1; if (n == 2 && en) begin $display(\"last words %0d\", n); $stop; end end\n"
	for _, isolate := range []bool{false, true} {
		e, err := hand(t, body, verilated.Options{Isolate: isolate})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		for range 2 {
			if err := e.Power(1, nil); err != nil {
				t.Fatal(err)
			}
			_, err = run(t, e, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1)
			if err == nil || !regexp.MustCompile(`cycle 3: \$stop at counter\.v:2\nlast words 2`).MatchString(err.Error()) {
				t.Fatalf("isolate %v: %v", isolate, err)
			}
			if _, err = run(t, e, 0, 0); err == nil || !strings.Contains(err.Error(), "stopped before") {
				t.Errorf("isolate %v, afterwards: %v", isolate, err)
			}
		}
	}
}

func TestHangingWorkerIsEndedAndPowerStartsAnother(t *testing.T) {
	const body = "integer i; initial n = 0; always @(posedge clk) begin n <= n + 1; i = 0; if (en) while (n != 8'd77) i = i + 1; end\n"
	e, err := hand(t, body, verilated.Options{Isolate: true, Limit: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for range 2 {
		if err := e.Power(1, nil); err != nil {
			t.Fatal(err)
		}
		if out, err := run(t, e, 0, 0, 0, 0); err != nil || out[1] != 1 {
			t.Fatalf("before: %v, %v", out, err)
		}
		if _, err = run(t, e, 0, 1); err == nil || !strings.Contains(err.Error(), "did not finish 1 cycles within 300ms") {
			t.Fatalf("hang: %v", err)
		}
	}
}

func TestCrashingWorkerIsAnError(t *testing.T) {
	const body = "import \"DPI-C\" function int raise(input int signal_number); initial n = 0; always @(posedge clk) if (en) n <= raise(11);\n"
	e, err := hand(t, body, verilated.Options{Isolate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err = run(t, e, 0, 0, 0, 1); err == nil || !strings.Contains(err.Error(), "process died during 2 cycles") {
		t.Errorf("%v", err)
	}
	if _, err = run(t, e, 0, 0); err == nil {
		t.Error("the dead worker answers")
	}
}

func TestBadVerilogIsAnErrorWithTheToolsWords(t *testing.T) {
	_, err := hand(t, "assign nonsense = ;\n", verilated.Options{})
	var te *verify.ToolError
	if !errors.As(err, &te) || te.Tool != "verilator" || !strings.Contains(err.Error(), "counter.v:2") {
		t.Errorf("%v", err)
	}
}

func TestTopCannotTakeTheBenchsName(t *testing.T) {
	m := ir.New("tb", "")
	m.Out("y", m.In("x", ir.Bits(1), ""), "")
	if _, err := verilated.New(t.Context(), ir.NewDesign(m), verilated.Options{}); err == nil || !strings.Contains(err.Error(), "cannot be called tb") {
		t.Errorf("%v", err)
	}
}

func openCache(t *testing.T) *cache.Dir {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The run time of Verilator takes seconds to compile: tests of rebuilding share one cache.
func TestBuildsAreKeptByContent(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++")
	c := openCache(t)
	design := func(line int, k int64) *ir.Design {
		m := ir.New("kept", "").At(&ir.Loc{File: "kept.hcl", Line: line})
		r := m.Reg("n", ir.Bits(8), 0)
		r.Set(r.Q.AddK(k))
		m.Out("n", r.Q, "")
		return ir.NewDesign(m)
	}
	build := func(line int, k int64) bool {
		t.Helper()
		e, err := verilated.New(t.Context(), design(line, k), verilated.Options{Cache: c})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.Power(1, nil); err != nil {
			t.Fatal(err)
		}
		out := make([]uint64, 2)
		if err := e.Run([]uint64{1, 0}, out, 2); err != nil || out[1] != 0 {
			t.Fatalf("%v, %v", out, err)
		}
		return e.Built > 0
	}
	if !build(1, 1) || build(1, 1) {
		t.Error("the second build was not found")
	}
	if build(2, 1) {
		t.Error("a moved line built the design again")
	}
	if !build(1, 2) {
		t.Error("another design found the build of the first")
	}
	objects, err := filepath.Glob(filepath.Join(c.Root(), "verilated", "*", "*.so"))
	if err != nil || len(objects) != 2 {
		t.Fatalf("%v, %v", objects, err)
	}
	for _, so := range objects {
		if err := os.Remove(so); err != nil { // not changed in place: it is mapped
			t.Fatal(err)
		}
		if err := os.WriteFile(so, []byte("damaged"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !build(1, 1) {
		t.Error("a damaged build was taken")
	}
}

func TestConcurrentBuildsOfOneDesign(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++")
	var wg sync.WaitGroup
	m := ir.New("shared_build", "")
	x := m.In("x", ir.Bits(9), "")
	m.Out("y", x.Not(), "")
	for range 4 {
		wg.Go(func() {
			e, err := verilated.New(t.Context(), ir.NewDesign(m), verilated.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer e.Close()
			out := make([]uint64, 1)
			if err := errors.Join(e.Power(1, nil), e.Run([]uint64{0, 5}, out, 1)); err != nil || out[0] != 0x1fa {
				t.Errorf("%x, %v", out, err)
			}
		})
	}
	wg.Wait()
}

func TestWaveformHoldsTheWindowOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "w.vcd")
	e, err := hand(t, "always @(posedge clk) if (rst) n <= 0; else if (en) n <= n + 1;\n",
		verilated.Options{Wave: &verilated.Wave{File: file, From: 10, To: 12}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	in := []uint64{1, 0}
	for range 20 {
		in = append(in, 0, 1)
	}
	if _, err := run(t, e, in...); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`(?m)^#(\d+)$`).FindAllString(string(text), -1)
	if strings.Join(times, " ") != "#100 #105 #110 #115" {
		t.Errorf("times %v", times)
	}
	// n is 9 when cycle 10 settles and 11 after the edge of cycle 11.
	if !strings.Contains(string(text), "b00001001 ") || !strings.Contains(string(text), "b00001011 ") || strings.Contains(string(text), "b00001100 ") {
		t.Errorf("values of n:\n%s", text)
	}
	if !strings.Contains(string(text), "$scope module counter $end") {
		t.Error("the design's scope is missing")
	}
}

func TestCallsOutOfOrderAreErrors(t *testing.T) {
	e, err := hand(t, "always @(posedge clk) n <= en;\n", verilated.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, e, 0, 0); err == nil {
		t.Error("Run before Power")
	}
	if err := e.Power(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(make([]uint64, 3), make([]uint64, 2), 2); err == nil {
		t.Error("a short record is taken")
	}
	if err := e.Run(nil, nil, 0); err != nil {
		t.Errorf("no cycles: %v", err)
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if err := e.Power(1, nil); err == nil {
		t.Error("Power after Close")
	}
}
