package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Replay gives each packet of beats several times. Stream x: data, in a packet's first beat
// how many repeats follow the first time, and last = 1 in its last beat. Stream y: the data.
// A packet has at most Depth beats.
//
// The beats lie in an SRAM of Depth words. A beat can be given 2 cycles after it was taken,
// also while its packet is still coming in; one beat a cycle. Room is free again as beats
// are given for the last time; at most Packets packets are there at once.
type Replay struct {
	Depth   int // beats, 1..65536
	Width   int // bits of a beat, 1..64
	Packets int // 1..16
	Repeats int // most repeats, 0..65535
}

func (b Replay) Name() string {
	return fmt.Sprintf("replay_%dx%d_p%d_r%d", b.Depth, b.Width, b.Packets, b.Repeats)
}

func (b Replay) Check() error {
	return firstError(inRange("replay", "depth", b.Depth, 1, 65536), inRange("replay", "width", b.Width, 1, 64),
		inRange("replay", "packets", b.Packets, 1, 16), inRange("replay", "repeats", b.Repeats, 0, 65535))
}

func (b Replay) repeatBits() int { return ir.ClogTwo(b.Repeats + 1) }

func (b Replay) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "packets", Fields: []Field{
		{"data", ir.Bits(b.Width), false, "a beat"},
		{"repeats", ir.Bits(b.repeatBits()), false, "times less one; looked at in the first beat of a packet"},
		{"last", ir.Bits(1), false, "1 in the last beat of a packet"},
	}}
	y := Stream{Name: "y", Doc: "packets, each repeats + 1 times", Fields: []Field{{"data", ir.Bits(b.Width), false, "a beat"}}}
	return []Stream{x}, []Stream{y}
}

func (b Replay) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Gives packets of at most %d beats several times. Latency 2 cycles.", b.Depth)
	return lib.module("replay", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])
		w, wp := ir.ClogTwo(b.Depth+1), ir.ClogTwo(b.Packets+1)
		held := m.Reg("held", ir.Bits(w), 0)          // beats not given for the last time
		fresh := m.Reg("fresh", ir.Bits(w), 0)        // beats not given for the first time
		open := m.Reg("open", ir.Bits(wp), 0)         // packets begun and not given for the last time
		complete := m.Reg("complete", ir.Bits(wp), 0) // of these, packets that are in
		begins := m.Reg("begins", ir.Bits(1), 1)

		fire := x.ready(held.Q.Ltu(m.K(w, uint64(b.Depth))).And(begins.Q.Not().Or(open.Q.Ltu(m.K(wp, uint64(b.Packets))))))
		begun, ends := fire.And(begins.Q).Named("begun"), fire.And(x.fields[2]).Named("ends")
		begins.SetEn(fire, x.fields[2])
		waddr, _ := counter(m, "waddr", b.Depth, fire)
		packet, _ := counter(m, "packet_in", b.Packets, ends)
		table := func(name string, en, v *ir.Node) *ir.Node {
			r := m.DataReg(name, ir.Vec(b.Packets, v.Type.W))
			return r.SetEn(en, setLane(r.Q, packet, v))
		}
		lasts, repeats := table("last_words", ends, waddr), table("repeats", begun, x.fields[1])

		full := m.Reg("out_valid", ir.Bits(1), 0)
		may := full.Q.Not().Or(take).Named("may")
		pass := m.Reg("pass", ir.Bits(b.repeatBits()), 0)
		first := pass.Q.EqK(0).Named("first_pass")
		issue := may.And(fresh.Q.EqK(0).Not().Or(first.Not())).Named("issue")
		full.SetEn(may, issue)
		raddr := m.Reg("raddr", ir.Bits(waddr.Type.W), 0)
		start := m.Reg("start", raddr.Type, 0)
		giving := m.Reg("packet_out", packet.Type, 0)
		final := pass.Q.Eq(repeats.Pick(giving.Q)).Named("last_pass")
		passEnd := issue.And(complete.Q.EqK(0).Not()).And(raddr.Q.Eq(lasts.Pick(giving.Q))).Named("pass_end")
		done := passEnd.And(final).Named("done")
		next := raddr.Q.EqK(uint64(b.Depth-1)).Mux(m.K(raddr.Type.W, 0), raddr.Q.AddK(1)).Named("next")
		raddr.SetEn(issue, passEnd.And(final.Not()).Mux(start.Q, next))
		start.SetEn(done, next)
		pass.SetEn(passEnd, final.Mux(m.K(pass.Type.W, 0), pass.Q.AddK(1)))
		giving.SetEn(done, giving.Q.EqK(uint64(b.Packets-1)).Mux(m.K(giving.Type.W, 0), giving.Q.AddK(1)))
		count(held, fire, issue.And(final))
		count(fresh, fire, issue.And(first))
		count(open, begun, done)
		count(complete, ends, done)

		mem := m.Instance("u_mem", sram(lib, b.Depth, ir.Bits(b.Width))).
			In("we", fire).In("waddr", waddr).In("wdata", x.fields[0]).In("re", issue).In("raddr", raddr.Q)
		drive(m, out[0], full.Q, m.OutOf(mem, "rdata"))
	})
}

// Arithmetic repeats each packet.
func (b Replay) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	heads(in[0], func(packet []Beat) {
		for range packet[0][1][0] + 1 {
			for _, beat := range packet {
				out = append(out, beat[:1])
			}
		}
	})
	return [][]Beat{out}
}

// Cycles: a beat is taken in the cycle after the one before, but not before the beat Depth
// ahead of it and, if it begins a packet, the packet Packets ahead have been read for the
// last time; it is read first in the cycle after it was taken, or after the read before. The
// last beat leaves in the cycle after it was read.
func (b Replay) Cycles(in [][]Beat) int {
	taken, read := -1, -1
	var freed, done []int // cycle of the last read of each beat, of each packet's last beat
	heads(in[0], func(packet []Beat) {
		repeats := int(packet[0][1][0])
		for i := range packet {
			taken++
			if n := len(done) - b.Packets; i == 0 && n >= 0 {
				taken = max(taken, done[n]+1)
			}
			beat := len(freed)
			if repeats > 0 {
				beat += i
			}
			if beat >= b.Depth {
				taken = max(taken, freed[beat-b.Depth]+1)
			}
			read = max(read, taken) + 1
			if repeats == 0 {
				freed = append(freed, read)
			}
		}
		for pass := range repeats {
			for range packet {
				read++
				if pass == repeats-1 {
					freed = append(freed, read)
				}
			}
		}
		done = append(done, read)
	})
	return read + 2
}

func randomReplay(r *rand.Rand) Block {
	return Replay{Depth: oddSize(r, 9), Width: 1 + r.Intn(64), Packets: oddSize(r, 4), Repeats: r.Intn(4)}
}

func replayWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Replay)
	in, _ := b.Streams()
	var beats []Beat
	for range 1 + r.Intn(6) {
		packet := RandomBeats(r, in[0], oddSize(r, b.Depth), extreme)
		for i, beat := range packet {
			beat[1][0] = uint64(r.Intn(b.Repeats + 1))
			beat[2] = flag(i == len(packet)-1)
		}
		beats = append(beats, packet...)
	}
	return [][]Beat{beats}
}
