package device_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ohmloom/gen/tools"
	"ohmloom/hw/device"
)

// pattern is a network of random cells: ON, OFF or in between, with variation, and random rows
// driven.
func pattern(rows, cols int, rowWire, colWire float64, seed int64) (*device.Network, []float64) {
	r := rand.New(rand.NewSource(seed))
	n := &device.Network{Rows: rows, Cols: cols, G: make([]float64, rows*cols), RowWire: rowWire, ColWire: colWire}
	for i := range n.G {
		n.G[i] = []float64{1, 1, 0.01, 0.01, r.Float64()}[r.Intn(5)] * math.Exp(0.1*r.NormFloat64())
	}
	v := make([]float64, rows)
	for i := range v {
		v[i] = float64(r.Intn(2))
	}
	v[r.Intn(rows)] = 1
	return n, v
}

// furthest is the largest relative difference of two lists of currents.
func furthest(t testing.TB, got, want []float64) (worst float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d currents for %d columns", len(got), len(want))
	}
	for c := range want {
		worst = max(worst, math.Abs(got[c]-want[c])/math.Abs(want[c]))
	}
	return worst
}

// spice solves the network with ngspice and gives its column currents, in ON cells' currents.
func spice(t testing.TB, ngspice string, n *device.Network, v []float64) []float64 {
	t.Helper()
	const onOhms, readVolts = 10e3, 0.2
	dir := t.TempDir()
	var netlist bytes.Buffer
	if err := n.WriteSPICE(&netlist, v, onOhms, readVolts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.cir"), netlist.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	const limit = 2 * time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, ngspice, "-n", "-b", "-r", "x.raw", "x.cir") // -n: no settings of the user's
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ngspice (limit %s): %v\n%s", limit, err, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "x.raw"))
	if err != nil {
		t.Fatal(err)
	}
	head, data, ok := bytes.Cut(raw, []byte("Binary:\n"))
	_, names, ok2 := strings.Cut(string(head), "Variables:\n")
	fields := strings.Fields(names) // index, name, type
	if !ok || !ok2 || len(fields) != 3*n.Cols || len(data) != 8*n.Cols {
		t.Fatalf("ngspice's raw file holds other than %d currents:\n%s", n.Cols, head)
	}
	out := make([]float64, n.Cols)
	for i := range out {
		var c int
		if _, err := fmt.Sscanf(fields[3*i+1], "i(vcol%d)", &c); err != nil {
			t.Fatalf("ngspice saved %q: %v", fields[3*i+1], err)
		}
		out[c] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])) * onOhms / readVolts
	}
	return out
}

var wires = []struct{ row, col float64 }{{1e-4, 1e-4}, {3e-3, 1e-3}, {0.1, 0.2}, {0, 1e-3}, {1e-3, 0}, {0, 0}}

func TestNetworkAgreesWithNgspice(t *testing.T) {
	ngspice := tools.NeedForTest(t, "ngspice")[0].Path
	for _, size := range []struct{ rows, cols int }{{8, 8}, {16, 16}, {32, 32}, {13, 7}, {1, 1}, {1, 9}} {
		for i, w := range wires {
			if size.rows == 32 && i > 2 {
				continue // the ideal wires are told at the small sizes
			}
			for seed := range int64(3) {
				n, v := pattern(size.rows, size.cols, w.row, w.col, seed)
				got, how, err := n.Currents(v)
				if err != nil {
					t.Fatal(err)
				}
				worst := furthest(t, got, spice(t, ngspice, n, v))
				t.Logf("%dx%d, wires %g and %g: within %.1e after %d iterations", size.rows, size.cols, w.row, w.col, worst, how.Iterations)
				if !(worst <= 1e-6) {
					t.Errorf("%dx%d, wires %g and %g, seed %d: %.2e from ngspice's currents, allowed 1e-6", size.rows, size.cols, w.row, w.col, seed, worst)
				}
			}
		}
	}
}

func TestEffectiveConductancesGiveTheNetworksCurrents(t *testing.T) {
	for i, w := range wires {
		n, v := pattern(40, 23, w.row, w.col, int64(i))
		for r := range v {
			v[r] += 0.3 * float64(r%3) // any voltages, not only those of 1-bit DACs
		}
		want, _, err := n.Currents(v)
		if err != nil {
			t.Fatal(err)
		}
		e, err := n.Effective(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, n.Cols)
		for r := range n.Rows {
			for c := range got {
				got[c] += e[r*n.Cols+c] * v[r]
			}
		}
		if worst := furthest(t, got, want); !(worst <= 1e-8) {
			t.Errorf("wires %g and %g: %.2e apart, allowed 1e-8", w.row, w.col, worst)
		}
	}
}

// What makes 256x256 a matter of milliseconds (BenchmarkNetwork) is the number of sweeps.
func TestFewIterationsSolveALargeNetwork(t *testing.T) {
	n, v := pattern(256, 256, 1e-3, 1e-3, 1)
	_, how, err := n.Currents(v)
	if err != nil || how.Iterations > 30 {
		t.Errorf("%+v, %v; at most 30 iterations", how, err)
	}
}

// One cell is a divider; one row of equal cells on an ideal column is a ladder.
func TestNetworkMatchesCircuitsSolvedByHand(t *testing.T) {
	one := &device.Network{Rows: 1, Cols: 1, G: []float64{0.5}, RowWire: 0.25, ColWire: 0.75}
	got, _, err := one.Currents([]float64{3})
	if err != nil || math.Abs(got[0]-1) > 1e-12 { // 3 V over 0.25 + 2 + 0.75
		t.Errorf("divider: %v, %v, want 1", got, err)
	}
	// 1 ohm each: beyond node 0 hangs 2 ohm, beside it 1 ohm, before it 1 ohm.
	ladder := &device.Network{Rows: 1, Cols: 2, G: []float64{1, 1}, RowWire: 1}
	got, _, err = ladder.Currents([]float64{1})
	if err != nil || math.Abs(got[0]-0.4) > 1e-12 || math.Abs(got[1]-0.2) > 1e-12 {
		t.Errorf("ladder: %v, %v, want 0.4 and 0.2", got, err)
	}
	column := &device.Network{Rows: 2, Cols: 1, G: []float64{1, 1}, ColWire: 1} // row 0 is next to the converter
	e, err := column.Effective(t.Context())
	if err != nil || math.Abs(e[0]-0.4) > 1e-12 || math.Abs(e[1]-0.2) > 1e-12 {
		t.Errorf("column: %v, %v, want 0.4 and 0.2", e, err)
	}
}

func TestNetworkRefusesImpossibleCircuits(t *testing.T) {
	for what, n := range map[string]*device.Network{
		"no rows":              {Rows: 0, Cols: 1},
		"conductances missing": {Rows: 2, Cols: 2, G: []float64{1, 1, 1}},
		"negative conductance": {Rows: 1, Cols: 1, G: []float64{-1}},
		"no number":            {Rows: 1, Cols: 1, G: []float64{math.NaN()}},
		"infinite conductance": {Rows: 1, Cols: 1, G: []float64{math.Inf(1)}},
		"negative wire":        {Rows: 1, Cols: 1, G: []float64{1}, RowWire: -1},
		"endless wire":         {Rows: 1, Cols: 1, G: []float64{1}, ColWire: math.Inf(1)},
	} {
		if _, _, err := n.Currents(make([]float64, n.Rows)); err == nil {
			t.Errorf("%s: Currents took it", what)
		}
		if _, err := n.Effective(t.Context()); err == nil {
			t.Errorf("%s: Effective took it", what)
		}
	}
	n := &device.Network{Rows: 1, Cols: 1, G: []float64{1}}
	if _, _, err := n.Currents([]float64{1, 1}); err == nil {
		t.Error("two voltages for one row were taken")
	}
}

// BenchmarkNetwork times one solution, and the whole effective matrix.
func BenchmarkNetwork(b *testing.B) {
	for _, size := range []int{64, 128, 256} {
		for _, wire := range []float64{1e-4, 1e-3} {
			n, v := pattern(size, size, wire, wire, 1)
			b.Run(fmt.Sprintf("currents/%dx%d/wire=%g", size, size, wire), func(b *testing.B) {
				for range b.N {
					_, how, err := n.Currents(v)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(how.Iterations), "iterations")
				}
			})
			b.Run(fmt.Sprintf("effective/%dx%d/wire=%g", size, size, wire), func(b *testing.B) {
				for range b.N {
					if _, err := n.Effective(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkNgspice solves 64x64 with ngspice, and holds ours against it.
func BenchmarkNgspice(b *testing.B) {
	ngspice := tools.NeedForTest(b, "ngspice")[0].Path
	n, v := pattern(64, 64, 1e-3, 1e-3, 1)
	got, _, err := n.Currents(v)
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		worst := furthest(b, got, spice(b, ngspice, n, v))
		if !(worst <= 1e-6) {
			b.Fatalf("%.2e from ngspice's currents, allowed 1e-6", worst)
		}
		b.ReportMetric(worst*1e12, "1e-12-apart")
	}
}
