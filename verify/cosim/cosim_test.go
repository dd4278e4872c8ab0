package cosim_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/cosim"
	"ohmloom/verify/interp"
)

// maxima is a 2 x 2 array of cells that each keep the larger (signed) of what they hold and
// what comes in; a register behind the array delays the outputs by one more cycle.
func maxima() *ir.Design {
	loc := &ir.Loc{File: "maxima.hcl", Line: 7, Col: 3, Block: "cell"}
	cell := ir.New("cell", "keeps the largest").At(loc)
	x := cell.In("x", ir.Bits(8), "")
	best := cell.Reg("best", ir.Bits(8), 0x80)
	best.Set(best.Q.Lts(x).Mux(x, best.Q))
	cell.Out("best", best.Q, "")

	top := ir.New("maxima", "").At(&ir.Loc{File: "maxima.hcl", Line: 1, Col: 1})
	in := top.In("x", ir.Vec(4, 8), "")
	top.In("idle", ir.Bits(5), "")
	grid := top.Array("grid", cell, 2, 2)
	grid.Each("x", in)
	y := top.Reg("y", ir.Vec(4, 8), 0)
	y.Set(top.OutOf(grid, "best"))
	top.Out("y", y.Q, "")
	top.Out("zero", top.K(3, 0), "")
	return ir.NewDesign(top)
}

// unsigned is a copy of d whose comparisons have lost their sign.
func unsigned(d *ir.Design) *ir.Design {
	c := ir.Clone(d)
	for _, m := range c.Modules {
		for _, n := range m.Nodes {
			if op, ok := n.Op.(ir.Compare); ok && op.Kind == ir.Lts {
				n.Op = ir.Compare{Kind: ir.Ltu}
			}
		}
	}
	return c
}

func engine(t *testing.T, d *ir.Design) verify.Engine {
	t.Helper()
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// rebuild makes engine i of the given designs again with registers shown.
func rebuild(ds ...*ir.Design) func(context.Context, int, func(*ir.Design) *ir.Design) (verify.Engine, error) {
	return func(_ context.Context, i int, expose func(*ir.Design) *ir.Design) (verify.Engine, error) {
		return interp.New(expose(ds[i]))
	}
}

func TestEqualEnginesAgree(t *testing.T) {
	d := maxima()
	for _, s := range []cosim.Stimulus{cosim.Random(1), cosim.Extreme(1)} {
		r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, d), engine(t, d)}, s,
			cosim.Options{Cycles: 700, Power: 3})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Passed || r.Mismatch != nil || r.Cycles != 700 || len(r.Engines) != 3 || r.Compared != 700*5 {
			t.Errorf("%s: %+v", s.Kind, r)
		}
	}
}

func TestStillOutputsAreListed(t *testing.T) {
	d := maxima()
	r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, d)}, cosim.Extreme(1), cosim.Options{Cycles: 500})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Coverage
	if !slices.Equal(c.Still, []string{"maxima.zero"}) || c.StillCount != 1 || c.OutputBits != 35 || c.ToggledBits != 32 ||
		c.SignBits != 5 || c.ToggledSign != 4 || c.Resets < 2 {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(r.String(), "never moved: maxima.zero") {
		t.Error(r.String())
	}
}

// The first difference, worked out by hand: after reset cells hold -128; without sign, 9 is
// not larger.
func TestFirstDifferenceIsNamed(t *testing.T) {
	d := maxima()
	bad := unsigned(d)
	s := cosim.Directed([]uint64{
		1, 0, 0, 0, 0, 0,
		0, 9, 9, 0x80, 9, 0,
		0, 9, 9, 0x80, 9, 0, // cells 0, 1 and 3 differ
		0, 0, 0, 0, 0, 0, // and here the register behind them
	})
	r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, bad)}, s,
		cosim.Options{Power: 3, Tries: -1, Rebuild: rebuild(d, bad)})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Mismatch
	if m == nil || m.Cycle != 3 || m.Signal != "maxima.y[0]" || m.Width != 8 || r.Cycles != 4 || m.Source != "maxima.hcl:1:1" {
		t.Fatalf("%+v", m)
	}
	if m.Values[0].Hex != "8'h09" || m.Values[0].Signed != 9 || m.Values[1].Hex != "8'h80" || m.Values[1].Signed != -128 {
		t.Errorf("values %+v", m.Values)
	}
	o := m.Origin
	if o == nil || o.Cycle != 2 || o.Signal != "maxima.grid_r[0].grid_c[0].grid.best" || o.Source != "maxima.hcl:7:3 (cell)" ||
		o.Values[0].Signed != 9 || o.Values[1].Signed != -128 ||
		!slices.Equal(o.Others, []string{"maxima.grid_r[0].grid_c[1].grid.best", "maxima.grid_r[1].grid_c[1].grid.best"}) {
		t.Errorf("origin %+v, notes %v", o, m.Notes)
	}
}

func TestStimulusIsShrunkAndReplays(t *testing.T) {
	d := maxima()
	bad := unsigned(d)
	dir := t.TempDir()
	r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, bad)}, cosim.Random(5),
		cosim.Options{Cycles: 5000, Power: 77, Dir: dir, Rebuild: rebuild(d, bad),
			Replay: func(file string) string { return "again " + file }})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Mismatch
	if m == nil || len(m.Notes) > 0 {
		t.Fatalf("%+v", m)
	}
	// One cell, one value: power-on or reset, the value, and the way to the output.
	if m.Shrunk == nil || m.Shrunk.Cycles > 4 || m.Shrunk.Nonzero > 2 || m.Shrunk.Tries > 400 {
		t.Errorf("shrunk to %+v", m.Shrunk)
	}
	if !strings.HasPrefix(m.Replay, "again "+dir) {
		t.Errorf("replay %q", m.Replay)
	}
	f, err := os.Open(m.StimulusFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, power, err := cosim.ReadStimulus(f, d.Top)
	if err != nil || power != 77 || !slices.Equal(s.Records, m.Shrunk.Records) {
		t.Fatalf("read back: power %d, err %v", power, err)
	}
	again, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, bad)}, s, cosim.Options{Power: power, Tries: -1})
	if err != nil || again.Passed || again.Mismatch.Cycle != m.Shrunk.Cycles-1 {
		t.Errorf("replay with the bug: err %v, %+v", err, again.Mismatch)
	}
	fixed, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, d)}, s, cosim.Options{Power: power})
	if err != nil || !fixed.Passed {
		t.Errorf("replay without the bug: err %v, %+v", err, fixed.Mismatch)
	}
	for _, want := range []string{"DIFFER", m.Signal, m.Origin.Signal, "shrunk from", "maxima.hcl:7:3", "waveform: " + dir, m.Values[1].Hex} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("the report has no %q:\n%s", want, r)
		}
	}
}

// Whatever the batch, a random run finds the difference in the cycle in which a cycle by
// cycle comparison finds it.
func TestFirstDifferenceDoesNotDependOnTheBatch(t *testing.T) {
	d := maxima()
	for _, s := range []cosim.Stimulus{cosim.Random(9), cosim.Extreme(9)} {
		var cycles []int
		for _, batch := range []int{1, 7, 256} {
			r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, unsigned(d))}, s,
				cosim.Options{Cycles: 3000, Batch: batch, Tries: -1})
			if err != nil || r.Passed {
				t.Fatalf("batch %d: %v, %+v", batch, err, r)
			}
			cycles = append(cycles, r.Mismatch.Cycle)
		}
		if cycles[0] != cycles[1] || cycles[0] != cycles[2] {
			t.Errorf("%s: cycles %v", s.Kind, cycles)
		}
	}
}

func TestAfterResetLeavesOutWhatIsBefore(t *testing.T) {
	d := maxima()
	other := ir.Clone(d)
	other.Top.Regs[0].Name = "y_other" // another power-on value, the same after a reset
	for _, after := range []bool{false, true} {
		r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, other)}, cosim.Random(1),
			cosim.Options{Cycles: 300, AfterReset: after, Tries: -1})
		if err != nil || r.Passed != after {
			t.Errorf("AfterReset %v: passed %v, err %v", after, r.Passed, err)
		}
	}
}

// fake changes what an engine does.
type fake struct {
	verify.Engine
	run func(in, out []uint64, n int) error
}

func (f fake) Run(in, out []uint64, n int) error { return f.run(in, out, n) }
func (f fake) Name() string                      { return "fake" }

func TestHangingEngineIsNamed(t *testing.T) {
	d := maxima()
	stop := make(chan struct{})
	defer close(stop)
	hang := fake{engine(t, d), func([]uint64, []uint64, int) error { <-stop; return nil }}
	_, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), hang}, cosim.Random(1),
		cosim.Options{Cycles: 300, Limit: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "engine fake: cycles 0 to 255 took longer than 50ms") {
		t.Errorf("err %v", err)
	}
}

func TestFailingEngineIsNamed(t *testing.T) {
	d := maxima()
	boom := errors.New("boom")
	fails := fake{engine(t, d), func([]uint64, []uint64, int) error { return boom }}
	_, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), fails}, cosim.Random(0xab), cosim.Options{Cycles: 300})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "engine fake") || !strings.Contains(err.Error(), "0xab") {
		t.Errorf("err %v", err)
	}
}

func TestCancelEndsTheRun(t *testing.T) {
	d := maxima()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("user stopped it")
	_, err := cosim.Run(ctx, d, []verify.Engine{engine(t, d), engine(t, d)}, cosim.Random(1), cosim.Options{
		Cycles: 1 << 40, Progress: func(int, int) { cancel(why) }})
	if !errors.Is(err, why) {
		t.Errorf("err %v", err)
	}
}

func TestDifferenceThatDoesNotComeAgainIsSaid(t *testing.T) {
	d := maxima()
	good, calls := engine(t, d), 0
	once := fake{good, func(in, out []uint64, n int) error {
		err := good.Run(in, out, n)
		if calls++; calls == 1 {
			out[0] ^= 1
		}
		return err
	}}
	r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), once}, cosim.Random(1), cosim.Options{Cycles: 300})
	if err != nil || r.Passed || r.Mismatch.Shrunk != nil ||
		len(r.Mismatch.Notes) != 1 || !strings.Contains(r.Mismatch.Notes[0], "did not come again") {
		t.Errorf("err %v, %+v", err, r.Mismatch)
	}
}

func TestUnwritableFolderIsANote(t *testing.T) {
	d := maxima()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d), engine(t, unsigned(d))}, cosim.Random(1),
		cosim.Options{Cycles: 3000, Dir: filepath.Join(file, "none")})
	if err != nil || r.Passed || r.Mismatch.Wave != "" || len(r.Mismatch.Notes) != 2 {
		t.Errorf("err %v, %+v", err, r.Mismatch)
	}
}

func TestOneEngineIsRefused(t *testing.T) {
	d := maxima()
	if _, err := cosim.Run(t.Context(), d, []verify.Engine{engine(t, d)}, cosim.Random(1), cosim.Options{}); err == nil {
		t.Error("no error")
	}
}
