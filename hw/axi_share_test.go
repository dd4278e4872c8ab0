package hw_test

import (
	"fmt"
	"math/rand"
	"testing"

	"ohmloom/hw"
	"ohmloom/verify/axi"
)

// sharing is an AxiShare at a memory, and what its clients ask for and get.
type sharing struct {
	*axi.Bench
	mem    *axi.Memory
	port   *axi.Monitor
	faults *axi.Sink
	asks   []*axi.Source
	gets   []*axi.Sink
	want   []string // of each client, all that it should get
	beats  []int    // and its beats
}

// shareOf has n clients ask for random pieces of a memory.
func shareOf(t *testing.T, seed int64, b hw.AxiShare, stall float64) *sharing {
	t.Helper()
	r := rand.New(rand.NewSource(seed))
	s := &sharing{port: &axi.Monitor{Prefix: "m_axi_", Outstanding: b.Outstanding}, faults: &axi.Sink{Prefix: "fault_", Fields: []string{"code", "client"}},
		mem: &axi.Memory{Prefix: "m_axi_", Base: 0x7000, Data: make([]byte, 1<<14), Rand: r, Stall: stall, Latency: r.Intn(40)}}
	r.Read(s.mem.Data)
	agents := []axi.Agent{s.mem, s.port, s.faults}
	for i := range b.Buffers {
		ask := &axi.Source{Prefix: fmt.Sprintf("req%d_", i), Fields: []string{"addr", "beats"}, Rand: r, Stall: stall}
		var beats []int
		ask.Queue, beats = requestBeats(r, b.AxiBursts, s.mem.Base, len(s.mem.Data))
		want, total := "", 0
		for k, n := range beats {
			total += n
			for j := range n {
				want += fmt.Sprint(s.mem.Data[int(ask.Queue[k][0][0]-s.mem.Base)+j*b.Bytes:][:b.Bytes])
			}
		}
		s.asks, s.want, s.beats = append(s.asks, ask), append(s.want, want), append(s.beats, total)
		s.gets = append(s.gets, &axi.Sink{Prefix: fmt.Sprintf("y%d_", i), Fields: []string{"data"}, Rand: r, Stall: stall})
		agents = append(agents, ask, s.gets[i])
	}
	s.Bench = busOf(t, b, seed, "m_axi_", "ar r", agents...)
	return s
}

// has tells whether clients have all they asked for.
func (s *sharing) has(clients ...int) bool {
	for _, i := range clients {
		if len(s.asks[i].Queue) > 0 || len(s.gets[i].Got) < s.beats[i] {
			return false
		}
	}
	return true
}

// got is all that client i got.
func (s *sharing) got(i int) string {
	all := ""
	for _, beat := range s.gets[i].Got {
		all += fmt.Sprint(beat[0])
	}
	return all
}

// Each client gets what it asked for, in order, whoever stalls and however late the memory is.
func TestClientsGetWhatTheyAskedFor(t *testing.T) {
	for seed := int64(0); seed < 16; seed++ {
		r := rand.New(rand.NewSource(seed))
		b := hw.AxiShare{AxiBursts: hw.AxiBursts{Bytes: 4 << r.Intn(5), Address: 32, Burst: 1 + r.Intn(40), Outstanding: 1 + r.Intn(8)}}
		for range 2 + r.Intn(4) {
			b.Buffers = append(b.Buffers, b.Burst+r.Intn(60))
		}
		s := shareOf(t, seed, b, []float64{0, 0.2, 0.6}[seed%3])
		var clients []int
		for i := range s.gets {
			clients = append(clients, i)
		}
		must(t, s.Until(40_000, "what was asked for", func() bool { return s.has(clients...) }))
		for i := range s.gets {
			if got := s.got(i); got != s.want[i] {
				t.Fatalf("seed %d: client %d got other bytes than it asked for", seed, i)
			}
		}
		if len(s.faults.Got) > 0 {
			t.Fatalf("seed %d: faults %v", seed, s.faults.Got)
		}
	}
}

// A client that takes nothing holds up nobody.
func TestAClientThatTakesNothingHoldsUpNobody(t *testing.T) {
	b := hw.AxiShare{AxiBursts: hw.AxiBursts{Bytes: 8, Address: 32, Burst: 8, Outstanding: 4}, Buffers: []int{8, 8, 8}}
	s := shareOf(t, 5, b, 0.1)
	s.gets[0].Stall = 1
	must(t, s.Until(20_000, "what the others asked for", func() bool { return s.has(1, 2) }))
	s.gets[0].Stall = 0.1
	must(t, s.Until(20_000, "the rest", func() bool { return s.has(0) }))
}

// Clients that all want the memory take turns, burst by burst: nobody gets more than the others.
func TestClientsTakeTurns(t *testing.T) {
	b := hw.AxiShare{AxiBursts: hw.AxiBursts{Bytes: 8, Address: 32, Burst: 4, Outstanding: 4}, Buffers: []int{16, 64, 5}}
	s := shareOf(t, 7, b, 0)
	for i, ask := range s.asks {
		ask.Queue = [][][]uint64{{{s.mem.Base + uint64(i*1024)}, {100}}}
	}
	last, turns := uint64(2), 0
	for turns < 40 {
		must(t, s.Step())
		if s.One("m_axi_arvalid") == 0 || s.One("m_axi_arready") == 0 {
			continue
		}
		client := (s.One("m_axi_araddr") - s.mem.Base) / 1024
		if client != (last+1)%3 && client != (last+2)%3 {
			t.Fatalf("client %d has two bursts in a row, while others wait", client)
		}
		last = client
		turns++
	}
	for i, g := range s.gets {
		if n := len(g.Got); i != 2 && n < 40 {
			t.Errorf("client %d got %d beats", i, n)
		}
	}
}
