package hw_test

import (
	"bytes"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"ohmloom/hw"
	"ohmloom/verify/axi"
)

// busOf stands a block with AXI streams, called by their channels, in a bench where they are the
// channels of a port.
func busOf(t *testing.T, b hw.Block, seed int64, prefix, channels string, agents ...axi.Agent) *axi.Bench {
	t.Helper()
	m, e := start(t, b, uint64(seed), engines[0])
	bench := axi.NewBench(e, m, agents...)
	for _, p := range m.Ports {
		if c, rest, ok := strings.Cut(p.Name, "_"); ok && strings.Contains(channels, c) {
			bench.Alias(prefix+c+rest, p.Name)
		}
	}
	return bench
}

// requestBeats are random requests within a memory of the given size, and their beats.
func requestBeats(r *rand.Rand, b hw.AxiBursts, base uint64, size int) (reqs [][][]uint64, beats []int) {
	for range 5 {
		n := r.Intn(min(300, size/b.Bytes))
		at := r.Intn(size/b.Bytes - n)
		reqs = append(reqs, [][]uint64{{base + uint64(at*b.Bytes)}, {uint64(n)}})
		beats = append(beats, n)
	}
	return reqs, beats
}

// What is written with strobes is in memory, and what is read is what is there; whatever the
// memory's latency and stalls, the port keeps to the protocol.
func TestMastersWriteAndReadMemory(t *testing.T) {
	const base, size = 0x7000, 20_000 &^ 127
	for seed := int64(0); seed < 24; seed++ {
		r := rand.New(rand.NewSource(seed))
		bus := hw.AxiBursts{Bytes: 4 << r.Intn(6), Address: 16 + r.Intn(40), Burst: 1 + r.Intn(256), Outstanding: 1 + r.Intn(16)}
		stall := []float64{0, 0.2, 0.7}[seed%3]
		mem := &axi.Memory{Prefix: "m_axi_", Base: base, Data: make([]byte, size), Rand: rand.New(rand.NewSource(seed)), Stall: stall, Latency: r.Intn(40)}
		r.Read(mem.Data)
		want := bytes.Clone(mem.Data)

		req := &axi.Source{Prefix: "req_", Fields: []string{"addr", "beats"}, Rand: r, Stall: stall}
		x := &axi.Source{Prefix: "x_", Fields: []string{"data", "strb"}, Rand: r, Stall: stall}
		var beats []int
		req.Queue, beats = requestBeats(r, bus, base, size)
		for i, n := range beats {
			at := req.Queue[i][0][0] - base
			for j := range n * bus.Bytes {
				if j%bus.Bytes == 0 {
					x.Queue = append(x.Queue, [][]uint64{nil, nil})
				}
				beat := x.Queue[len(x.Queue)-1]
				v, strobe := uint64(r.Intn(256)), uint64(r.Intn(2))
				beat[0], beat[1] = append(beat[0], v), append(beat[1], strobe)
				if strobe == 1 {
					want[at+uint64(j)] = byte(v)
				}
			}
		}
		monitor := &axi.Monitor{Prefix: "m_axi_", Outstanding: bus.Outstanding}
		faults := &axi.Sink{Prefix: "fault_", Fields: []string{"code"}}
		bench := busOf(t, hw.AxiWrite{AxiBursts: bus}, seed, "m_axi_", "aw w b", req, x, mem, monitor, faults)
		idle := func() bool { return len(req.Queue) == 0 && len(x.Queue) == 0 && bench.One("idle") == 1 }
		if err := bench.Until(40_000, "all writes", idle); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !bytes.Equal(mem.Data, want) || len(faults.Got) > 0 {
			t.Fatalf("seed %d: memory differs after writes of %+v, or faults %v", seed, bus, faults.Got)
		}
		readBack(t, seed, bus, mem, stall)
	}
}

// readBack reads random pieces of the memory.
func readBack(t *testing.T, seed int64, bus hw.AxiBursts, mem *axi.Memory, stall float64) {
	t.Helper()
	r := rand.New(rand.NewSource(seed + 100))
	req := &axi.Source{Prefix: "req_", Fields: []string{"addr", "beats"}, Rand: r, Stall: stall}
	y := &axi.Sink{Prefix: "y_", Fields: []string{"data", "last"}, Rand: r, Stall: stall}
	faults := &axi.Sink{Prefix: "fault_", Fields: []string{"code"}}
	var beats []int
	req.Queue, beats = requestBeats(r, bus, mem.Base, len(mem.Data))
	var want []string
	for i, n := range beats {
		at := int(req.Queue[i][0][0] - mem.Base)
		for j := range n {
			bytes := mem.Data[at+j*bus.Bytes:][:bus.Bytes]
			want = append(want, fmt.Sprint(bytes, flag(j == n-1)))
		}
	}
	monitor := &axi.Monitor{Prefix: "m_axi_", Outstanding: bus.Outstanding}
	bench := busOf(t, hw.AxiRead{AxiBursts: bus, Clients: 1}, seed, "m_axi_", "ar r", req, y, mem, monitor, faults)
	if err := bench.Until(40_000, "all reads", func() bool { return len(req.Queue) == 0 && len(y.Got) == len(want) }); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for i, beat := range y.Got {
		if got := fmt.Sprint(beat[0], beat[1][0]); got != want[i] {
			t.Fatalf("seed %d: beat %d is %s, want %s", seed, i, got, want[i])
		}
	}
	if len(faults.Got) > 0 || monitor.Bursts < len(beats)-1 {
		t.Errorf("seed %d: faults %v, %d bursts", seed, faults.Got, monitor.Bursts)
	}
}

// A bus that takes nothing, or gives nothing, ends in one fault, after as many cycles as the
// limit says; with flush the port comes to rest when it answers after all.
func TestASilentBusEndsInAFault(t *testing.T) {
	bus := hw.AxiBursts{Bytes: 8, Address: 32, Burst: 4, Outstanding: 2}
	for _, block := range []hw.Block{hw.AxiRead{AxiBursts: bus, Clients: 1}, hw.AxiWrite{AxiBursts: bus}} {
		for _, after := range []int{0, 8, 12, 20} {
			r := rand.New(rand.NewSource(1))
			mem := &axi.Memory{Prefix: "m_axi_", Data: make([]byte, 4096), Rand: r}
			agents := []axi.Agent{mem, &axi.Monitor{Prefix: "m_axi_"},
				&axi.Source{Prefix: "req_", Fields: []string{"addr", "beats"}, Rand: r, Queue: [][][]uint64{{{0}, {500}}}}}
			channels := "ar r"
			if _, ok := block.(hw.AxiWrite); ok {
				channels = "aw w b"
				x := &axi.Source{Prefix: "x_", Fields: []string{"data", "strb"}, Rand: r}
				for range 500 {
					x.Queue = append(x.Queue, [][]uint64{make([]uint64, 8), make([]uint64, 8)})
				}
				agents = append(agents, x)
			} else {
				agents = append(agents, &axi.Sink{Prefix: "y_", Fields: []string{"data", "last"}, Rand: r})
			}
			faults := &axi.Sink{Prefix: "fault_", Fields: []string{"code"}}
			bench := busOf(t, block, 1, "m_axi_", channels, append(agents, faults)...)
			bench.Set("limit", 50)
			for range after {
				if err := bench.Step(); err != nil {
					t.Fatal(err)
				}
			}
			mem.Silent = true
			if err := bench.Until(80, "the fault", func() bool { return len(faults.Got) > 0 }); err != nil {
				t.Fatalf("%s: %v", block.Name(), err)
			}
			if late := bench.Cycle - after; late < 50 || bench.One("expired") != 1 {
				t.Errorf("%s: given up after %d cycles, with a limit of 50", block.Name(), late)
			}
			bench.Set("flush", 1)
			mem.Silent = false
			if err := bench.Until(100, "rest", func() bool { return bench.One("idle") == 1 }); err != nil {
				t.Fatalf("%s: %v", block.Name(), err)
			}
			if len(faults.Got) != 1 || faults.Got[0][0][0] != 20 {
				t.Errorf("%s: faults %v", block.Name(), faults.Got)
			}
		}
	}
}

// hostBench is a host on its own, whose chip takes and gives nothing.
func hostBench(t *testing.T, seed int64, stall float64) (*axi.Bench, *axi.Lite) {
	t.Helper()
	b := hw.Host{Banks: 3, Vocab: 65, RowBytes: 64, Prompt: 4, Token: 4, Address: 40, Hash: 9, Words: 64}
	lite := &axi.Lite{Prefix: "s_axi_", Rand: rand.New(rand.NewSource(seed)), Stall: stall}
	bench := busOf(t, b, seed, "s_axi_", "aw w b ar r", lite, &axi.Monitor{Prefix: "s_axi_"})
	lite.Bench = bench
	return bench, lite
}

// A reader whose answers nobody takes comes to rest when it is told to.
func TestAFlushNeedsNobodyToTakeAnswers(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	mem := &axi.Memory{Prefix: "m_axi_", Data: make([]byte, 4096), Rand: r, Stall: 0.3}
	req := &axi.Source{Prefix: "req_", Fields: []string{"addr", "beats"}, Rand: r, Queue: [][][]uint64{{{0}, {500}}}}
	y := &axi.Sink{Prefix: "y_", Fields: []string{"data", "last"}, Rand: r, Stall: 1}
	bus := hw.AxiBursts{Bytes: 8, Address: 32, Burst: 16, Outstanding: 4}
	bench := busOf(t, hw.AxiRead{AxiBursts: bus, Clients: 1}, 1, "m_axi_", "ar r", mem, req, y, &axi.Monitor{Prefix: "m_axi_"})
	for range 100 {
		must(t, bench.Step())
	}
	if bench.One("idle") == 1 {
		t.Fatal("the port rests with answers that nobody took")
	}
	bench.Set("flush", 1)
	must(t, bench.Until(300, "rest", func() bool { return bench.One("idle") == 1 }))
}
