package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/hw/regs"
	"ohmloom/ir"
)

// AxiWrite is the write half of an AXI4 master. A request of stream req becomes bursts on stream
// aw, and the beats of stream x, as many as the request has, go out as stream w. Stream fault says
// that an answer on stream b was an error: the code of register ERROR (package regs). A tail
// narrower than a beat is one whose strobes are partly 0.
//
// The watchdog counts the cycles in which the bus owes something, an AWREADY, a WREADY or an
// answer, and nothing moves; when they are as many as input limit (0: no watchdog), fault says so,
// once. With flush = 1 no request is taken and no burst begun; those that were begun go out with
// all strobes 0. Output idle tells that no burst is to come, offered or unanswered, output expired
// that the watchdog has given up since the last reset.
//
// A burst is cut in the cycle after the request was taken and offered in the one after that, further
// ones in the cycles that follow, and the next request is taken in the cycle in which the last one is
// cut. x is ready from the second cycle after its burst was cut on; a beat needs 1 cycle from x to w.
type AxiWrite struct {
	AxiBursts
}

func (b AxiWrite) Name() string { return "axi_write_" + b.name() }
func (b AxiWrite) Check() error { return b.check("axi_write") }

func (b AxiWrite) Streams() (in, out []Stream) {
	strb := Field{"strb", ir.Vec(b.Bytes, 1), false, "bytes that are written"}
	in = []Stream{b.request(), {Name: "x", Doc: "what to write", Fields: []Field{b.data(), strb}},
		{Name: "b", Doc: "answers", Fields: []Field{{"resp", ir.Bits(2), false, "0 OKAY, 1 EXOKAY, 2 SLVERR, 3 DECERR"}}}}
	out = []Stream{b.addressed("aw"),
		{Name: "w", Doc: "beats", Fields: []Field{b.data(), strb, {"last", ir.Bits(1), false, "the burst's last beat"}}},
		{Name: "fault", Doc: "what went wrong", Fixed: true, Fields: []Field{{"code", ir.Bits(faultBits), false, "of register ERROR"}}}}
	return in, out
}

func (b AxiWrite) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Writes beats of %d bytes over AXI4 in bursts of at most %d, %d outstanding.", b.Bytes, b.Burst, b.Outstanding)
	return lib.module("axi_write", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		req, x, answer := input(m, in[0]), input(m, in[1]), input(m, in[2])
		takeAW, takeW := output(m, out[0]), output(m, out[1])
		flush := m.In("flush", ir.Bits(1), "1: begins nothing more and strobes nothing")
		limit := m.In("limit", ir.Bits(32), "watchdog: cycles; 0: none")
		held := m.Reg("flushing", ir.Bits(1), 0)
		held.Set(flush.Or(held.Q))

		s := b.split(m, req, held.Q)
		lengths := m.Instance("u_lengths", Fifo{Depth: b.Outstanding, Lanes: 1, Width: 8}.Build(lib))
		unanswered := m.Reg("unanswered", ir.Bits(openBits), 0) // their last beat was taken from x
		open := m.Reg("open", ir.Bits(openBits), 0)
		awReady, awPut, aw := slice(lib, m, "u_aw", ir.Bits(b.Address), ir.Bits(8))
		room := open.Q.Ltu(m.K(openBits, uint64(b.Outstanding))).Named("room")
		may := s.active.And(held.Q.Not()).And(awReady).And(room).Named("asks")
		s.step(may)
		lengths.In("x_valid", may).In("x_data", s.len)
		awPut(may, s.addr, s.len)
		aw.take(takeAW)
		drive(m, out[0], aw.valid, aw.fields...)

		waits := m.OutOf(lengths, "y_valid")
		beat := m.Reg("beat", ir.Bits(8), 0)
		atLast := beat.Q.Eq(m.OutOf(lengths, "y_data")).Named("at_last")
		wReady, wPut, w := slice(lib, m, "u_w", b.data().Type, out[1].Fields[1].Type, ir.Bits(1))
		can := waits.And(wReady).Named("can_give")
		fire := x.ready(can.And(held.Q.Not()))
		gives := fire.Or(can.And(held.Q)).Named("gives")
		wPut(gives, x.fields[0], x.fields[1].And(held.Q.Not().Splat(b.Bytes)), atLast)
		w.take(takeW)
		drive(m, out[1], w.valid, w.fields...)
		beat.SetEn(gives, atLast.Mux(m.K(8, 0), beat.Q.AddK(1)))
		sent := gives.And(atLast).Named("sent")
		lengths.In("y_ready", sent)

		owed := unanswered.Q.EqK(0).Not().Named("owed")
		answered := answer.ready(owed)
		unanswered.SetEn(sent.Xor(answered), sent.Mux(unanswered.Q.AddK(1), unanswered.Q.AddK(-1)))
		resp := answer.fields[0]
		code := resp.EqK(axiDecodeError).Mux(m.K(faultBits, regs.BusDecodeError), m.K(faultBits, 0))
		code = resp.EqK(axiSlaveError).Mux(m.K(faultBits, regs.BusSlaveError), code)
		moves := aw.valid.And(takeAW).Or(w.valid.And(takeW)).Or(answered)
		owes := aw.valid.Or(w.valid).Or(owed)
		fault := b.finish(m, open, may, answered, moves, owes, limit, answered.Mux(code, m.K(faultBits, 0)), s.active.Not().Or(held.Q))
		drive(m, out[2], fault[0], fault[1])
	})
}

// Arithmetic cuts the requests up, and the beats with them.
func (b AxiWrite) Arithmetic(in [][]Beat) [][]Beat {
	out := make([][]Beat, 3)
	beats, answers := in[1], in[2]
	for _, req := range in[0] {
		for _, burst := range b.bursts(req) {
			out[0] = append(out[0], Beat{{burst.addr}, {burst.beats - 1}})
			for i := range burst.beats {
				out[1] = append(out[1], Beat{beats[0][0], beats[0][1], flag(i == burst.beats-1)})
				beats = beats[1:]
			}
			switch answers[0][0][0] {
			case axiSlaveError:
				out[2] = append(out[2], Beat{{regs.BusSlaveError}})
			case axiDecodeError:
				out[2] = append(out[2], Beat{{regs.BusDecodeError}})
			}
			answers = answers[1:]
		}
	}
	return out
}

// Cycles follows the bursts: one is offered in each cycle in which fewer than Outstanding are
// unanswered; its beats are taken one a cycle from 2 cycles later on, and its answer in the cycle
// after the last.
func (b AxiWrite) Cycles(in [][]Beat) int {
	end := 0
	var answered []int
	request, free := 0, 0
	for _, req := range in[0] {
		push := request
		for _, burst := range b.bursts(req) {
			push++
			if n := len(answered) - b.Outstanding; n >= 0 {
				push = max(push, answered[n]+1)
			}
			free = max(push+2, free) + int(burst.beats)
			answered = append(answered, free)
			end = max(end, free)
			if in[2][len(answered)-1][0][0] >= axiSlaveError {
				end = max(end, free+1)
			}
		}
		request = max(push, request+1)
	}
	return end + 1
}

func randomAxiWrite(r *rand.Rand) Block { return AxiWrite{randomBursts(r)} }

func axiWriteWork(r *rand.Rand, block Block, extreme bool) [][]Beat {
	b := block.(AxiWrite)
	reqs, beats := b.burstRequests(r, extreme)
	in, _ := b.Streams()
	n := 0
	for _, req := range reqs {
		n += len(b.bursts(req))
	}
	return [][]Beat{reqs, RandomBeats(r, in[1], beats, extreme), RandomBeats(r, in[2], n, extreme)}
}
