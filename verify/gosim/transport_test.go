package gosim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/conform"
)

// anyPorts has ports of every width of storage, packed bits, and a state that tells cycles apart.
func anyPorts(wide int) *ir.Design {
	m := ir.New(fmt.Sprintf("ports_%d", wide), "Ports of all kinds.")
	count := m.Reg("count", ir.Bits(37), 3)
	count.Set(count.Q.AddK(1))
	m.Out("count_out", count.Q, "")
	for i, t := range []ir.Type{ir.Bits(1), ir.Vec(3, 8), ir.Vec(65, 1), ir.Bits(64), ir.Vec(wide, 33), ir.Bits(7), ir.Vec(5, 16), ir.Vec(64, 1), ir.Vec(2, 29)} {
		last := m.DataReg(fmt.Sprintf("last_%d", i), t)
		x := m.In(fmt.Sprintf("x_%d", i), t, "")
		last.Set(x)
		m.Out(fmt.Sprintf("y_%d", i), last.Q.Xor(x), "")
	}
	return ir.NewDesign(m)
}

// TestBatchesGiveWhatSingleCyclesGive runs calls that are one cycle, one batch, several
// batches that do not come out even, and records larger than a batch is meant to be; through
// shared memory and through the pipes.
func TestBatchesGiveWhatSingleCyclesGive(t *testing.T) {
	needGo(t)
	dir := t.TempDir()
	for _, c := range []struct {
		wide   int
		cycles []int
	}{{5, []int{1, fewCycles, 1, fewCycles + 1, 4*fewCycles + 3, 10_001}}, {slotBytes / 8, []int{3, 1}}} {
		d := anyPorts(c.wide)
		shape := verify.ShapeOf(d.Top)
		for _, pipes := range []bool{false, true} {
			e, err := New(t.Context(), d, Options{CacheDir: dir, pipes: pipes})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if shared := e.(*Engine).worker.shared != nil; shared != (!pipes && runtime.GOOS != "windows") {
				t.Errorf("memory is shared: %v, pipes are asked for: %v", shared, pipes)
			}
			ref, err := conform.NewReference(d)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range []verify.Engine{e, ref} {
				if err := x.Power(9, nil); err != nil {
					t.Fatal(err)
				}
			}
			for i, n := range c.cycles {
				in := records(shape, uint64(i), n)
				got, want := make([]uint64, n*shape.OutWords), make([]uint64, n*shape.OutWords)
				if err := e.Run(in, got, n); err != nil {
					t.Fatal(err)
				}
				if err := ref.Run(in, want, n); err != nil {
					t.Fatal(err)
				}
				for j := range want {
					if got[j] != want[j] {
						t.Fatalf("pipes %v, call of %d cycles, cycle %d, word %d (%s): gosim %#x, reference %#x", pipes, n,
							j/shape.OutWords, j%shape.OutWords, portOf(shape, j%shape.OutWords), got[j], want[j])
					}
				}
			}
		}
	}
}

func TestPackedRecordsComeBackMaskedAndTouchNothingElse(t *testing.T) {
	const seed, cycles = 4, 3
	r := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		rec := &record{}
		for i := range 1 + r.IntN(6) {
			typ := ir.Vec(1+r.IntN(200), 1)
			if r.IntN(3) > 0 {
				typ = ir.Vec(1+r.IntN(9), 1+r.IntN(64))
			}
			rec.add(fmt.Sprintf("x%d", i), typ)
		}
		rec.place()
		src, back := make([]uint64, cycles*rec.words), make([]uint64, cycles*rec.words)
		for i := range src {
			src[i] = r.Uint64()
		}
		packed := raw(make([]uint64, cycles*rec.bytes/8))
		rec.pack(packed, src, cycles)
		rec.unpack(back, packed, cycles)
		for k := range cycles {
			for _, f := range rec.fields {
				for e := range f.t.N {
					at := k*rec.words + f.word + e
					if want := src[at] & bits.Mask(f.t.W); back[at] != want {
						t.Fatalf("seed %d: record %d, %s of %v, element %d: %#x, want %#x", seed, k, f.name, f.t, e, back[at], want)
					}
				}
			}
		}
	}
}

func TestWorkerThatDiesWhileMemoryIsSharedIsReported(t *testing.T) {
	w := playing(t, t.Context(), "dies in a run", time.Minute)
	if runtime.GOOS == "linux" && w.shared == nil {
		t.Error("no memory is shared")
	}
	n := 3 * w.slotBytes / 16
	err := w.run(anyRecord(), anyRecord(), make([]uint64, n), make([]uint64, n), n)
	wantAll(t, err, "design_x", "to run batches of", "exit status 7")
	ended(t, w)
	if again := w.run(anyRecord(), anyRecord(), make([]uint64, 1), make([]uint64, 1), 1); again != err {
		t.Errorf("the next call says %v", again)
	}
	w.close()
	if w.shared != nil {
		t.Error("the memory is still mapped after Close")
	}
}

func TestSimulatorKilledBetweenCallsIsReported(t *testing.T) {
	needGo(t)
	for _, pipes := range []bool{false, true} {
		e, err := New(context.Background(), counter("counter", 5), Options{CacheDir: t.TempDir(), pipes: pipes})
		if err != nil {
			t.Fatal(err)
		}
		w := e.(*Engine).worker
		if err := w.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-w.gone
		wantAll(t, e.Run(make([]uint64, 5000), make([]uint64, 5000), 5000), "counter", "killed")
		e.Close()
	}
}
