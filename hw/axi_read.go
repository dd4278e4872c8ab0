package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/hw/regs"
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// AXI4 responses, and the bytes that no burst may cross.
const (
	axiOkay = iota
	axiExclusive
	axiSlaveError
	axiDecodeError
)
const axiPage = 4096

// AxiBursts is how an AXI4 master port is cut into bursts: of type INCR, beats as wide as the bus,
// none longer than Burst beats, none across a boundary of 4096 bytes (AMBA AXI4, IHI 0022, A3.4.1).
type AxiBursts struct {
	Bytes       int // of a beat: 4, 8, .. 128
	Address     int // bits of an address, 13..64
	Burst       int // beats of a burst, 1..256
	Outstanding int // bursts that may wait for their answers, 1..16
}

func (b AxiBursts) name() string {
	return fmt.Sprintf("%dx8_a%d_l%d_o%d", b.Bytes, b.Address, b.Burst, b.Outstanding)
}

func (b AxiBursts) check(block string) error {
	err := firstError(inRange(block, "bytes of a beat", b.Bytes, 4, 128), inRange(block, "bits of an address", b.Address, 13, 64),
		inRange(block, "beats of a burst", b.Burst, 1, 256), inRange(block, "outstanding bursts", b.Outstanding, 1, 16))
	if err == nil && b.Bytes&(b.Bytes-1) != 0 {
		return fmt.Errorf("%s: a beat has %d bytes, allowed are powers of two", block, b.Bytes)
	}
	return err
}

// size is log2 of Bytes, the code of AxSIZE.
func (b AxiBursts) size() int { return ir.ClogTwo(b.Bytes) }

// page is the beats from one boundary to the next.
func (b AxiBursts) page() int { return axiPage / b.Bytes }

// beatBits is the width of the number of beats of a request.
const beatBits = 32

func (b AxiBursts) request() Stream {
	return Stream{Name: "req", Doc: "requests", Fields: []Field{
		{"addr", ir.Bits(b.Address), false, "first byte; low bits that are none of a beat's address are taken as 0"},
		{"beats", ir.Bits(beatBits), false, "beats, at successive addresses; 0: nothing is done"},
	}}
}

// addressed is stream ar or aw. What never changes (burst, size, cache, prot) is the port's business.
func (b AxiBursts) addressed(name string) Stream {
	return Stream{Name: name, Doc: "bursts", Fields: []Field{
		{"addr", ir.Bits(b.Address), false, "first byte"}, {"len", ir.Bits(8), false, "beats less one"},
	}}
}

func (b AxiBursts) data() Field {
	return Field{"data", ir.Vec(b.Bytes, 8), false, "bytes, the lowest address first"}
}

// splitting is the part of a master that cuts requests into bursts.
type splitting struct {
	active    *ir.Node // a burst can be asked for
	addr, len *ir.Node // it
	beats     *ir.Node // its beats
	ends      *ir.Node // it is the request's last
	step      func(asked *ir.Node) (fire *ir.Node)
}

// split takes requests of req, and offers the bursts they are cut into; step, to be called once, says
// that the one on offer was asked for, and gives when a request is taken.
func (b AxiBursts) split(m *ir.Module, req source, hold *ir.Node) splitting {
	shift := b.size()
	active := m.Reg("active", ir.Bits(1), 0)
	at := m.DataReg("at", ir.Bits(b.Address-shift)) // beat address
	left := m.DataReg("left", ir.Bits(beatBits))

	const w = 13 // holds the beats of a page and of a burst
	inPage := at.Q.Trunc(12 - shift).ZExt(w)
	room := m.K(w, uint64(b.page())).Sub(inPage).Named("to_boundary")
	least := func(a *ir.Node, k uint64) *ir.Node { return a.Ltu(m.K(a.Type.W, k)).Mux(a, m.K(a.Type.W, k)) }
	room = least(room, uint64(b.Burst))
	few := left.Q.Leu(room.ZExt(beatBits)).Named("last_burst")
	beats := few.Mux(left.Q.Trunc(w), room).Named("beats")
	return splitting{active: active.Q, addr: at.Q.Cat(m.K(shift, 0)), len: beats.AddK(-1).Trunc(8), beats: beats, ends: few,
		step: func(asked *ir.Node) (fire *ir.Node) {
			fire = req.ready(active.Q.Not().Or(asked.And(few)).And(hold.Not()))
			some := req.fields[1].EqK(0).Not()
			active.SetEn(fire.Or(asked), fire.Mux(some, few.Not()))
			at.SetEn(fire.Or(asked), fire.Mux(req.fields[0].Slice(shift, b.Address-shift), at.Q.Add(beats.ZExt(max(w, b.Address-shift)).Trunc(b.Address-shift))))
			left.SetEn(fire.Or(asked), fire.Mux(req.fields[1], left.Q.Sub(beats.ZExt(beatBits))))
			return fire
		}}
}

// burst is one burst of a request.
type burst struct {
	addr, beats uint64
	last        bool // of its request
}

// bursts cuts a request up, beat by beat.
func (b AxiBursts) bursts(req Beat) (all []burst) {
	addr := req[0][0] / uint64(b.Bytes) * uint64(b.Bytes)
	for i := uint64(0); i < req[1][0]; i++ {
		if n := len(all) - 1; i == 0 || addr%axiPage == 0 || all[n].beats == uint64(b.Burst) {
			all = append(all, burst{addr: addr})
		}
		all[len(all)-1].beats++
		addr = (addr + uint64(b.Bytes)) & bits.Mask(b.Address)
	}
	if len(all) > 0 {
		all[len(all)-1].last = true
	}
	return all
}

// AxiRead is the read half of an AXI4 master. A request of stream req becomes bursts on stream ar;
// what stream r answers leaves as stream y, one beat for each beat of the request, with the number
// of the client that asked. Stream fault says what was wrong with an answer, or that none came: the
// code of register ERROR (package regs) and whose request it was. Data come out all the same, of a
// burst that ended early or late as many beats as it should have.
//
// The watchdog counts the cycles in which the bus owes something, an ARREADY or a beat of R that
// there is room for, and nothing moves; when they are as many as input limit (0: no watchdog),
// fault says so, once. With flush = 1 no request is taken and no burst begun; answers that still come
// are taken and left out of y. Output idle tells that no burst is to come, offered or unanswered,
// output expired that the watchdog has given up since the last reset.
//
// A burst is cut in the cycle after the request was taken and offered in the one after that, further
// ones in the cycles that follow, and the next request is taken in the cycle in which the last one is
// cut. A beat needs 1 cycle from r to y; r is ready from the second cycle after its burst was cut on.
type AxiRead struct {
	AxiBursts
	Clients int // who may ask, 1..16
}

func (b AxiRead) Name() string { return fmt.Sprintf("axi_read_%s_c%d", b.name(), b.Clients) }
func (b AxiRead) Check() error {
	return firstError(b.check("axi_read"), inRange("axi_read", "clients", b.Clients, 1, 16))
}

// client is the field that says whose a beat is.
func (b AxiRead) client() Field {
	return Field{"client", ir.Bits(ir.ClogTwo(b.Clients)), false, "number of the client that asked"}
}

func (b AxiRead) Streams() (in, out []Stream) {
	r := Stream{Name: "r", Doc: "answers", Fields: []Field{b.data(),
		{"resp", ir.Bits(2), false, "0 OKAY, 1 EXOKAY, 2 SLVERR, 3 DECERR"}, {"last", ir.Bits(1), false, "the burst's last beat"}}}
	req := b.request()
	req.Fields = append(req.Fields, b.client())
	in = []Stream{req, r}
	out = []Stream{b.addressed("ar"),
		{Name: "y", Doc: "what was read", Fields: []Field{b.data(), b.client(), {"last", ir.Bits(1), false, "the request's last beat"}}},
		{Name: "fault", Doc: "what went wrong", Fixed: true, Fields: []Field{{"code", ir.Bits(faultBits), false, "of register ERROR"}, b.client()}}}
	return in, out
}

// faultBits is the width of the code of a fault.
const faultBits = 8

func (b AxiRead) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Reads beats of %d bytes over AXI4 in bursts of at most %d, %d outstanding.", b.Bytes, b.Burst, b.Outstanding)
	return lib.module("axi_read", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		req, r := input(m, in[0]), input(m, in[1])
		takeAR, takeY := output(m, out[0]), output(m, out[1])
		flush := m.In("flush", ir.Bits(1), "1: asks for nothing more and swallows answers")
		limit := m.In("limit", ir.Bits(32), "watchdog: cycles; 0: none")
		held := m.Reg("flushing", ir.Bits(1), 0)
		held.Set(flush.Or(held.Q))

		s := b.split(m, req, held.Q)
		who := m.DataReg("who", b.client().Type)
		w := who.Type.W
		lengths := m.Instance("u_lengths", Fifo{Depth: b.Outstanding, Lanes: 1, Width: 9 + w}.Build(lib))
		arReady, arPut, ar := slice(lib, m, "u_ar", ir.Bits(b.Address), ir.Bits(8))
		open := m.Reg("open", ir.Bits(openBits), 0)
		room := open.Q.Ltu(m.K(openBits, uint64(b.Outstanding))).Named("room")
		may := s.active.And(held.Q.Not()).And(arReady).And(room).Named("asks")
		who.SetEn(s.step(may), req.fields[2])
		lengths.In("x_valid", may).In("x_data", who.Q.Cat(s.ends, s.len))
		arPut(may, s.addr, s.len)
		ar.take(takeAR)
		drive(m, out[0], ar.valid, ar.fields...)

		waits, length := m.OutOf(lengths, "y_valid"), m.OutOf(lengths, "y_data")
		beat := m.Reg("beat", ir.Bits(8), 0)
		atLast := beat.Q.Eq(length.Trunc(8)).Named("at_last")
		asker := length.Slice(9, w)
		yReady, yPut, y := slice(lib, m, "u_y", b.data().Type, asker.Type, ir.Bits(1))
		ready := waits.And(yReady.Or(held.Q)).Named("takes_answer")
		fire := r.ready(ready)
		yPut(fire.And(held.Q.Not()), r.fields[0], asker, atLast.And(length.Bit(8)))
		y.take(takeY)
		drive(m, out[1], y.valid, y.fields...)
		beat.SetEn(fire, atLast.Mux(m.K(8, 0), beat.Q.AddK(1)))
		answered := fire.And(atLast).Named("answered")
		lengths.In("y_ready", answered)

		code := m.K(faultBits, 0)
		for _, c := range []struct {
			when *ir.Node
			code int
		}{
			{r.fields[2].Not().And(atLast), regs.BusLastLate},
			{r.fields[2].And(atLast.Not()), regs.BusLastEarly},
			{r.fields[1].EqK(axiDecodeError), regs.BusDecodeError},
			{r.fields[1].EqK(axiSlaveError), regs.BusSlaveError},
		} {
			code = c.when.Mux(m.K(faultBits, uint64(c.code)), code)
		}
		arFire := ar.valid.And(takeAR)
		owes := ar.valid.And(takeAR.Not()).Or(ready.And(r.valid.Not()))
		code = fire.Mux(code, m.K(faultBits, 0))
		idle := s.active.Not().Or(held.Q)
		fault := b.finish(m, open, may, answered, arFire.Or(fire), owes, limit, code, idle)
		asked := m.DataReg("fault_client_q", asker.Type).Set(waits.Mux(asker, m.K(w, 0)))
		drive(m, out[2], fault[0], fault[1], asked)
	})
}

// openBits is the width of the number of bursts that are unanswered.
const openBits = 5

// finish counts the open bursts, and gives idle, expired, and valid and code of a fault: bursts begin
// and end, the bus moves or owes something, none is to be cut.
func (b AxiBursts) finish(m *ir.Module, open *ir.Reg, begins, ends, moves, owes, limit, code, none *ir.Node) (fault [2]*ir.Node) {
	count(open, begins, ends)
	m.Out("idle", open.Q.EqK(0).And(none), "no burst is to come, offered or unanswered")

	waited := m.Reg("waited", ir.Bits(32), 0)
	expired := m.Reg("has_expired", ir.Bits(1), 0)
	counts := owes.And(moves.Not()).Named("bus_owes")
	next := waited.Q.AddK(1)
	late := counts.And(next.Eq(limit)).And(expired.Q.Not()).Named("late")
	waited.Set(counts.Mux(next, m.K(32, 0)))
	expired.SetEn(late, m.K(1, 1))
	m.Out("expired", expired.Q, "the watchdog has given up")

	wrong := code.EqK(0).Not()
	valid := m.Reg("fault_valid_q", ir.Bits(1), 0)
	valid.Set(wrong.Or(late))
	what := m.DataReg("fault_code_q", ir.Bits(faultBits)).Set(late.Mux(m.K(faultBits, regs.BusTimedOut), code))
	return [2]*ir.Node{valid.Q, what}
}

// Arithmetic cuts the requests up, and looks at the answers burst by burst.
func (b AxiRead) Arithmetic(in [][]Beat) [][]Beat {
	out := make([][]Beat, 3)
	answers := in[1]
	for _, req := range in[0] {
		for _, burst := range b.bursts(req) {
			out[0] = append(out[0], Beat{{burst.addr}, {burst.beats - 1}})
			for i := range burst.beats {
				r, last := answers[0], i == burst.beats-1
				answers = answers[1:]
				out[1] = append(out[1], Beat{r[0], req[2], flag(last && burst.last)})
				if code := readFault(int(r[1][0]), r[2][0] == 1, last); code != 0 {
					out[2] = append(out[2], Beat{{uint64(code)}, req[2]})
				}
			}
		}
	}
	return out
}

// readFault is what is wrong with a beat of r.
func readFault(resp int, last, should bool) int {
	switch {
	case resp == axiSlaveError:
		return regs.BusSlaveError
	case resp == axiDecodeError:
		return regs.BusDecodeError
	case last && !should:
		return regs.BusLastEarly
	case should && !last:
		return regs.BusLastLate
	}
	return 0
}

// Cycles follows the bursts: one is cut in each cycle in which fewer than Outstanding are
// unanswered, and answered one beat a cycle, from 2 cycles later on.
func (b AxiRead) Cycles(in [][]Beat) int {
	end := 0
	var answered []int // the cycle after the last beat of burst i
	request, free := 0, 0
	for _, req := range in[0] {
		push := request
		for _, burst := range b.bursts(req) {
			push++
			if n := len(answered) - b.Outstanding; n >= 0 {
				push = max(push, answered[n])
			}
			free = max(push+2, free) + int(burst.beats)
			answered = append(answered, free)
			end = max(end, push+1, free)
		}
		request = max(push, request+1)
	}
	return end + 1
}

func randomBursts(r *rand.Rand) AxiBursts {
	return AxiBursts{Bytes: 4 << r.Intn(6), Address: 13 + r.Intn(52), Burst: []int{1, 3, 16, 256}[r.Intn(4)], Outstanding: 1 + r.Intn(5)}
}

func randomAxiRead(r *rand.Rand) Block { return AxiRead{randomBursts(r), 1 + r.Intn(5)} }

// burstRequests are requests round boundaries, at the end of the address space and of no beats
// too; beats is their sum.
func (b AxiBursts) burstRequests(r *rand.Rand, extreme bool) (reqs []Beat, beats int) {
	for range 2 + r.Intn(5) {
		n, at := r.Intn(40), r.Uint64()
		if extreme {
			n = []int{0, 1, b.Burst, b.Burst + 1, b.page() + 1}[r.Intn(5)]
			at = uint64(1+r.Intn(3))*axiPage - uint64(r.Intn(3)*b.Bytes)
		}
		if n > 300 {
			n = 257
		}
		reqs = append(reqs, Beat{{at & bits.Mask(b.Address)}, {uint64(n)}})
		beats += n
	}
	return append(reqs, Beat{{uint64(b.Bytes)}, {1}}), beats + 1
}

func axiReadWork(r *rand.Rand, block Block, extreme bool) [][]Beat {
	b := block.(AxiRead)
	reqs, _ := b.burstRequests(r, extreme)
	for i := range reqs {
		reqs[i] = append(reqs[i], []uint64{uint64(r.Intn(b.Clients))})
	}
	return [][]Beat{reqs, b.randomAnswers(r, reqs, extreme)}
}

// randomAnswers are answers to requests, one in four of them with something wrong.
func (b AxiRead) randomAnswers(r *rand.Rand, reqs []Beat, extreme bool) (answers []Beat) {
	in, _ := b.Streams()
	for _, req := range reqs {
		for _, burst := range b.bursts(req) {
			for i := range burst.beats {
				beat := RandomBeats(r, in[1], 1, extreme)[0]
				if r.Intn(4) > 0 {
					beat[1][0], beat[2] = axiOkay, flag(i == burst.beats-1)
				}
				answers = append(answers, beat)
			}
		}
	}
	return answers
}
