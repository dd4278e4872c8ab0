package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Interleave puts the parts of a packet side by side: Parts times Beats beats of Lanes elements come
// one after the other, part after part; Beats beats leave that have a beat of each part. The last
// part passes through, the others wait in a Fifo each: 2 cycles after it was taken a beat of the
// last part is offered at the earliest, one a cycle. It stands between the network, on which a
// vector comes head after head, and engines side by side, each of which has some of the heads.
type Interleave struct {
	Parts int // 2..64
	Beats int // of a part, 1..65536
	Lanes int // elements of a beat, 1..1024
	Width int // bits of an element, 1..64
}

// Deinterleave is the reverse: Beats beats come that have Lanes elements of each of Parts parts;
// then leave those of the first part, of the second and so on. Each part waits in a Fifo.
type Deinterleave struct {
	Parts   int // 2..64
	Beats   int // of a packet, 1..65536
	Packets int // that there is room for, 1..64
	Lanes   int // elements of a part's beat, 1..1024
	Width   int // bits of an element, 1..64
}

// reverse is the block that puts the parts together again.
func (b Deinterleave) reverse() Interleave { return Interleave{b.Parts, b.Beats, b.Lanes, b.Width} }

func (b Interleave) Name() string {
	return fmt.Sprintf("interleave_%dx%d_%dx%d", b.Parts, b.Beats, b.Lanes, b.Width)
}

func (b Deinterleave) Name() string { return fmt.Sprintf("de%s_p%d", b.reverse().Name(), b.Packets) }

func (b Interleave) Check() error {
	return firstError(inRange("interleave", "parts", b.Parts, 2, 64), inRange("interleave", "beats of a part", b.Beats, 1, 65536),
		inRange("interleave", "lanes", b.Lanes, 1, 1024), inRange("interleave", "width", b.Width, 1, 64))
}

func (b Deinterleave) Check() error {
	return firstError(b.reverse().Check(), inRange("deinterleave", "packets", b.Packets, 1, 64), inRange("deinterleave", "beats of packets", b.depth(), 1, 65536))
}

// depth is that of a part's buffer: from 2 on a beat moves in every cycle.
func (b Interleave) depth() int   { return max(b.Beats, 2) }
func (b Deinterleave) depth() int { return max(b.Beats*b.Packets, 2) }

func (b Interleave) Streams() (in, out []Stream) {
	beat := func(name, doc string, lanes int) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Vec(lanes, b.Width), false, "elements"}}}
	}
	return []Stream{beat("x", "part after part", b.Lanes)}, []Stream{beat("y", "parts side by side", b.Parts*b.Lanes)}
}

func (b Deinterleave) Streams() (in, out []Stream) {
	side, serial := b.reverse().Streams()
	side[0].Name, serial[0].Name = "y", "x"
	return serial, side
}

// turn goes through the parts of packets: which part it is, whether it is the last, and what moves
// on in each cycle with en.
func (b Interleave) turn(m *ir.Module) (part, last *ir.Node, step func(en *ir.Node)) {
	at := m.Reg("part", ir.Bits(ir.ClogTwo(b.Parts)), 0)
	last = at.Q.EqK(uint64(b.Parts - 1)).Named("last_part")
	return at.Q, last, func(en *ir.Node) {
		_, ends := counter(m, "beat", b.Beats, en)
		at.SetEn(en.And(ends), last.Mux(m.K(at.Type.W, 0), at.Q.AddK(1)))
	}
}

func (b Interleave) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Puts %d parts of %d beats side by side.", b.Parts, b.Beats)
	return lib.module("interleave", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := slicedInput(lib, m, in[0])
		give := output(m, out[0])
		part, last, step := b.turn(m)
		room, waits := m.K(1, 0), m.K(1, 1) // in the part's buffer; a beat of each other part is there
		var data []*ir.Node
		var buffers []*ir.Inst
		for i := range b.Parts - 1 {
			buffer := m.Instance(fmt.Sprintf("u_part%d", i), Fifo{Depth: b.depth(), Lanes: b.Lanes, Width: b.Width}.Build(lib))
			mine := part.EqK(uint64(i))
			buffer.In("x_valid", x.valid.And(mine)).In("x_data", x.fields[0])
			room = room.Or(mine.And(m.OutOf(buffer, "x_ready")))
			waits = waits.And(m.OutOf(buffer, "y_valid"))
			data, buffers = append(data, m.OutOf(buffer, "y_data")), append(buffers, buffer)
		}
		complete := x.valid.And(last).And(waits).Named("complete")
		for _, buffer := range buffers {
			buffer.In("y_ready", complete.And(give))
		}
		take := last.Mux(waits.And(give), room).Named("takes")
		x.take(take)
		step(x.valid.And(take).Named("moves"))
		drive(m, out[0], complete, data[0].Join(append(data[1:], x.fields[0])...))
	})
}

func (b Deinterleave) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Gives %d parts of %d beats one after the other.", b.Parts, b.Beats)
	return lib.module("interleave", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x, give := input(m, in[0]), output(m, out[0])
		part, _, step := b.reverse().turn(m)
		var buffers []*ir.Inst
		room := m.K(1, 1)
		for i := range b.Parts {
			buffers = append(buffers, m.Instance(fmt.Sprintf("u_part%d", i), Fifo{Depth: b.depth(), Lanes: b.Lanes, Width: b.Width}.Build(lib)))
			room = room.And(m.OutOf(buffers[i], "x_ready"))
		}
		fire := x.ready(room)
		valid, data := m.K(1, 0), m.OutOf(buffers[0], "y_data")
		for i, buffer := range buffers {
			mine := part.EqK(uint64(i))
			buffer.In("x_valid", fire).In("x_data", x.fields[0].Elems(i*b.Lanes, b.Lanes)).In("y_ready", mine.And(give))
			valid = valid.Or(mine.And(m.OutOf(buffer, "y_valid")))
			if i > 0 {
				data = mine.Mux(m.OutOf(buffer, "y_data"), data)
			}
		}
		step(valid.And(give).Named("moves"))
		drive(m, out[0], valid, data)
	})
}

// Arithmetic takes packets apart and joins their parts.
func (b Interleave) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for packet := in[0]; len(packet) > 0; packet = packet[b.Parts*b.Beats:] {
		for i := range b.Beats {
			var wide []uint64
			for p := range b.Parts {
				wide = append(wide, packet[p*b.Beats+i][0]...)
			}
			out = append(out, Beat{wide})
		}
	}
	return [][]Beat{out}
}

func (b Deinterleave) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for packet := in[0]; len(packet) > 0; packet = packet[b.Beats:] {
		for p := range b.Parts {
			for _, beat := range packet[:b.Beats] {
				out = append(out, Beat{beat[0][p*b.Lanes : (p+1)*b.Lanes]})
			}
		}
	}
	return [][]Beat{out}
}

// Cycles follows the beats through the buffers; see timedInterleave.
func (b Interleave) Cycles(in [][]Beat) int {
	all := times(newTimedInterleave(b, &timedAlways{}), len(in[0])/b.Parts, 0)
	return all[len(all)-1] + 1
}

// Cycles follows the beats through the buffers; see timedDeinterleave.
func (b Deinterleave) Cycles(in [][]Beat) int {
	all := times(newTimedDeinterleave(b, &timedAlways{}), len(in[0])*b.Parts, 0)
	return all[len(all)-1] + 1
}

// timedInterleave is the output of an Interleave fed by from. Of a packet all but the last part is
// in before the first beat leaves.
type timedInterleave struct {
	Interleave
	from    timed // behind its slice
	buffers []timedBuffer
	beat    int // of the packet
	in      bool
}

func newTimedInterleave(b Interleave, from timed) *timedInterleave {
	t := &timedInterleave{Interleave: b, from: newTimedSlice(from)}
	for range b.Parts - 1 {
		t.buffers = append(t.buffers, timedBuffer{depth: b.depth()})
	}
	return t
}

func (t *timedInterleave) offered() int {
	if !t.in {
		for i := range t.buffers {
			for range t.Beats {
				at := max(t.from.offered(), t.buffers[i].room())
				t.from.taken(at)
				t.buffers[i].put(at)
			}
		}
		t.in = true
	}
	at := t.from.offered()
	for i := range t.buffers {
		at = max(at, t.buffers[i].offered())
	}
	return at
}

func (t *timedInterleave) taken(at int) {
	t.from.taken(at)
	for i := range t.buffers {
		t.buffers[i].taken(at)
	}
	if t.beat++; t.beat == t.Beats {
		t.beat, t.in = 0, false
	}
}

// timedDeinterleave is the output of a Deinterleave fed by from.
type timedDeinterleave struct {
	Deinterleave
	from       timed
	buffers    []timedBuffer
	part, beat int
	in         bool // the packet is
}

func newTimedDeinterleave(b Deinterleave, from timed) *timedDeinterleave {
	t := &timedDeinterleave{Deinterleave: b, from: from}
	for range b.Parts {
		t.buffers = append(t.buffers, timedBuffer{depth: b.depth()})
	}
	return t
}

func (t *timedDeinterleave) offered() int {
	for i := 0; i < t.Beats && !t.in; i++ {
		at := t.from.offered()
		for p := range t.buffers {
			at = max(at, t.buffers[p].room())
		}
		t.from.taken(at)
		for p := range t.buffers {
			t.buffers[p].put(at)
		}
	}
	t.in = true
	return t.buffers[t.part].offered()
}

func (t *timedDeinterleave) taken(at int) {
	t.buffers[t.part].taken(at)
	if t.beat++; t.beat == t.Beats {
		t.beat, t.part = 0, t.part+1
	}
	if t.part == t.Parts {
		t.part, t.in = 0, false
	}
}

func randomInterleave(r *rand.Rand) Block {
	return Interleave{Parts: 2 + r.Intn(3), Beats: oddSize(r, 5), Lanes: oddSize(r, 4), Width: 1 + r.Intn(64)}
}

func randomDeinterleave(r *rand.Rand) Block {
	b := randomInterleave(r).(Interleave)
	return Deinterleave{Parts: b.Parts, Beats: b.Beats, Packets: 1 + r.Intn(2), Lanes: b.Lanes, Width: b.Width}
}

func interleaveWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	in, _ := blk.Streams()
	n := 0
	switch b := blk.(type) {
	case Interleave:
		n = b.Parts * b.Beats
	case Deinterleave:
		n = b.Beats
	}
	return [][]Beat{RandomBeats(r, in[0], n*(1+r.Intn(4)), extreme)}
}
