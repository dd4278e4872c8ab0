package hw

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"

	"ohmloom/ir"
)

// AxiShare is one AxiRead for several clients. Client i asks on stream req<i> and gets what it asked
// for on stream y<i>, in the order of its requests. Requests are cut into bursts before clients take
// turns, so that nobody waits longer than one burst of each of the others; and a client's burst
// is only begun when its buffer has room for all of it, so that a client that takes nothing holds up
// nobody else. Stream fault, inputs flush and limit and outputs idle and expired are those of AxiRead;
// bursts that clients have not been given are not in idle.
//
// A burst is offered on ar 4 cycles after its request was taken, 2 more than without clients, when the
// others ask for nothing; a beat needs 3 cycles from r to y<i>, 2 more. So a client that is alone sees the
// memory 4 cycles later than behind AxiRead, and gets a beat a cycle as long as its buffer holds
// the beats of a round trip: Cycles has it exactly.
type AxiShare struct {
	AxiBursts
	Buffers []int // beats that each client's buffer holds, Burst..65535; 1..16 clients
}

func (b AxiShare) reader() AxiRead { return AxiRead{b.AxiBursts, len(b.Buffers)} }

func (b AxiShare) Name() string {
	return fmt.Sprintf("axi_share_%s_b%s", b.name(), strings.Join(strings.Fields(strings.Trim(fmt.Sprint(b.Buffers), "[]")), "_"))
}

func (b AxiShare) Check() error {
	err := b.reader().Check()
	for _, n := range b.Buffers {
		err = firstError(err, inRange("axi_share", "beats of a buffer", n, b.Burst, 65535))
	}
	return err
}

func (b AxiShare) Streams() (in, out []Stream) {
	readIn, readOut := b.reader().Streams()
	y := []Field{b.data()}
	out = []Stream{readOut[0]}
	for i := range b.Buffers {
		req := b.request()
		req.Name = fmt.Sprint("req", i)
		in = append(in, req)
		out = append(out, Stream{Name: fmt.Sprint("y", i), Doc: "what it asked for", Fields: y})
	}
	return append(in, readIn[1]), append(out, readOut[2])
}

func (b AxiShare) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Reads beats of %d bytes over AXI4 for %d clients, which take turns.", b.Bytes, len(b.Buffers))
	return lib.module("axi_share", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		n := len(b.Buffers)
		read := m.Instance("u_read", b.reader().Build(lib))
		clients := make([]*ir.Inst, n)
		for i, depth := range b.Buffers {
			clients[i] = m.Instance(fmt.Sprint("u_client", i), axiClient{b.AxiBursts, depth}.Build(lib))
			passIn(m, clients[i], in[i], "req")
		}
		wants := m.OutOf(clients[0], "burst_valid")
		for _, c := range clients[1:] {
			wants = wants.Join(m.OutOf(c, "burst_valid"))
		}
		w := b.reader().client().Type.W
		turn := m.Reg("turn", ir.Bits(w), uint64(n-1))
		who := nextOf(wants, turn.Q).Named("granted")
		addr, beats := m.OutOf(clients[0], "burst_addr"), m.OutOf(clients[0], "burst_beats")
		for i, c := range clients[1:] {
			mine := who.EqK(uint64(i + 1))
			addr, beats = mine.Mux(m.OutOf(c, "burst_addr"), addr), mine.Mux(m.OutOf(c, "burst_beats"), beats)
		}
		some := wants.AnyOf(1)
		ready, req := sliced(lib, m, "u_req", some, []*ir.Node{addr, beats, who})
		turn.SetEn(some.And(ready), who)
		read.In("req_valid", req.valid).In("req_addr", req.fields[0]).In("req_beats", req.fields[1]).In("req_client", req.fields[2])
		req.take(m.OutOf(read, "req_ready"))
		for i, c := range clients {
			c.In("burst_ready", ready.And(who.EqK(uint64(i))))
		}

		passOut(m, read, out[0], "ar")
		passIn(m, read, in[n], "r")
		read.In("y_ready", m.K(1, 1)) // there is room, the client saw to it
		for i, c := range clients {
			c.In("x_valid", m.OutOf(read, "y_valid").And(m.OutOf(read, "y_client").EqK(uint64(i)))).In("x_data", m.OutOf(read, "y_data"))
			passOut(m, c, out[1+i], "y")
		}
		passOut(m, read, out[1+n], "fault")
		passControl(m, read)
	})
}

// passControl makes flush, limit, idle and expired of an AXI master those of m.
func passControl(m *ir.Module, inst *ir.Inst) {
	for _, p := range inst.Of.Ports {
		switch p.Name {
		case "flush", "limit":
			inst.In(p.Name, m.In(p.Name, p.Type, p.Doc))
		case "idle", "expired":
			m.Out(p.Name, m.OutOf(inst, p.Name), p.Doc)
		}
	}
}

// nextOf is the index of the first element of v that is 1 after the one with index last, in a ring.
func nextOf(v, last *ir.Node) *ir.Node {
	m, n, w := v.Module(), v.Type.N, last.Type.W
	first := func(v *ir.Node) *ir.Node {
		at := m.K(w, uint64(n-1))
		for i := n - 2; i >= 0; i-- {
			at = v.Elem(i).Mux(m.K(w, uint64(i)), at)
		}
		return at
	}
	later := v.And(upTo(last, n).Not())
	return later.AnyOf(1).Mux(first(later), first(v))
}

// axiClient cuts the requests of one client into bursts, and keeps what comes until it is taken.
type axiClient struct {
	AxiBursts
	Buffer int // beats
}

func (b axiClient) Build(lib *Lib) *ir.Module {
	name := fmt.Sprintf("axi_client_%dx8_a%d_l%d_b%d", b.Bytes, b.Address, b.Burst, b.Buffer)
	return lib.module("axi_client", name, fmt.Sprintf("Bursts for a buffer of %d beats.", b.Buffer), func(m *ir.Module) {
		req := input(m, b.request())
		burst := Stream{Name: "burst", Doc: "bursts that there is room for", Fields: b.request().Fields}
		x := input(m, Stream{Name: "x", Doc: "what was read", Fixed: true, Fields: []Field{b.data()}})
		y := Stream{Name: "y", Doc: "what was asked for", Fields: []Field{b.data()}}

		s := b.split(m, req, m.K(1, 0))
		w := max(13, ir.ClogTwo(b.Buffer+1))
		room := m.Reg("room", ir.Bits(w), uint64(b.Buffer))
		beats := s.beats.ZExt(w)
		valid := s.active.And(beats.Leu(room.Q)).Named("has_room")
		asks := valid.And(output(m, burst)).Named("asks")
		s.step(asks)
		drive(m, burst, valid, s.addr, s.beats.ZExt(beatBits))

		kept := m.Instance("u_kept", Fifo{Depth: b.Buffer, Lanes: b.Bytes, Width: 8}.Build(lib)).
			In("x_valid", x.valid).In("x_data", x.fields[0])
		take := output(m, y)
		kept.In("y_ready", take)
		gives := m.OutOf(kept, "y_valid")
		drive(m, y, gives, m.OutOf(kept, "y_data"))
		room.Set(room.Q.Sub(asks.Mux(beats, m.K(w, 0))).Add(gives.And(take).ZExt(w)))
	})
}

// Arithmetic lets the clients take turns, burst by burst, as they do when all requests lie ready and
// all that comes is taken.
func (b AxiShare) Arithmetic(in [][]Beat) [][]Beat {
	n := len(b.Buffers)
	var queues [][]burst
	for _, reqs := range in[:n] {
		var all []burst
		for _, req := range reqs {
			all = append(all, b.bursts(req)...)
		}
		queues = append(queues, all)
	}
	var reqs []Beat
	for left := true; left; {
		left = false
		for i, q := range queues {
			if len(q) > 0 {
				reqs = append(reqs, Beat{{q[0].addr}, {q[0].beats}, {uint64(i)}})
				queues[i], left = q[1:], true
			}
		}
	}
	read := b.reader().Arithmetic([][]Beat{reqs, in[n]})
	out := make([][]Beat, n+2)
	out[0], out[n+1] = read[0], read[2]
	for _, y := range read[1] {
		i := 1 + int(y[1][0])
		out[i] = append(out[i], y[:1])
	}
	return out
}

// Cycles of one client's requests follows its bursts: granted one a cycle as long as its buffer has
// room, cut one a cycle in which fewer than Outstanding are unanswered, and answered one
// beat a cycle from 2 cycles later on.
func (b AxiShare) Cycles(in [][]Beat) int {
	i := max(slices.IndexFunc(in[:len(b.Buffers)], func(reqs []Beat) bool { return len(reqs) > 0 }), 0)
	end, request, asked, free := 0, 0, 0, 0
	var taken, cut, answered, given []int // by burst, by beat
	at := func(times []int, i int) int {
		if i < 0 {
			return -1
		}
		return times[i]
	}
	for _, req := range in[i] {
		granted := request
		for _, burst := range b.bursts(req) {
			k := len(cut)
			asked += int(burst.beats)
			granted = max(granted+1, at(taken, k-2)+1, at(given, asked-b.Buffers[i]-1)+1)
			taken = append(taken, max(granted+1, at(taken, k-1)+1, at(cut, k-1)))
			cut = append(cut, max(taken[k]+1, at(answered, k-b.Outstanding)))
			free = max(cut[k]+2, free)
			for range burst.beats {
				given = append(given, free+3)
				free++
			}
			answered = append(answered, free)
			end = max(end, cut[k]+1, free+2)
		}
		request = max(granted, request+1)
	}
	return end + 1
}

func randomAxiShare(r *rand.Rand) Block {
	b := AxiShare{AxiBursts: randomBursts(r)}
	for range 1 + r.Intn(4) {
		b.Buffers = append(b.Buffers, b.Burst+r.Intn(40))
	}
	return b
}

// axiShareWork is work of one client: what several get in which order depends on who takes what when.
func axiShareWork(r *rand.Rand, block Block, extreme bool) [][]Beat {
	b := block.(AxiShare)
	n := len(b.Buffers)
	work := make([][]Beat, n+1)
	i := r.Intn(n)
	work[i], _ = b.burstRequests(r, extreme)
	work[n] = b.reader().randomAnswers(r, work[i], extreme)
	return work
}
