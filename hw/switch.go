package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Switch is the network of vectors between units: Buffers buffers, each of which any writer
// can fill and any reader can empty. It is told what to do by moves, which it begins in order
// as soon as its scoreboard finds that what they need is free, and which end in their own time.
//
// A beat of stream move says which readers are to read and which writers to write. Reader r
// reads buffer src + Offsets[r], once, from its beginning to its end; a writer writes more + 1
// vectors into the buffers from dst on. A move waits until
//
//   - the buffers that it reads are not being read by another,
//   - its readers have given all they were to read before,
//   - the buffers that it writes are neither being read nor written, and
//   - its writers have no more than one move before this one.
//
// A buffer can be read while it is being written: beats follow 2 cycles behind. Streams w0,
// w1, .. are the writers, their vectors marked by last, of at most Depth beats; r0, r1, .. the
// readers. A move is begun in the cycle after it was taken at the earliest, and moves beats
// from the next one on, one a cycle for each writer and each reader.
type Switch struct {
	Lanes   int   // elements of a beat, 1..64
	Width   int   // bits of an element, 1..64
	Depth   int   // beats of a buffer, 1..65536
	Buffers int   // 1..32
	Writers int   // 1..32
	Offsets []int // of the readers, 1..32 of them, each 0..3
}

func (b Switch) Name() string {
	offsets := ""
	for _, o := range b.Offsets {
		offsets += fmt.Sprint(o)
	}
	return fmt.Sprintf("switch_%dx%d_d%d_b%d_w%d_r%s", b.Lanes, b.Width, b.Depth, b.Buffers, b.Writers, offsets)
}

func (b Switch) Check() error {
	err := firstError(inRange("switch", "lanes", b.Lanes, 1, 64), inRange("switch", "width", b.Width, 1, 64),
		inRange("switch", "depth", b.Depth, 1, 65536), inRange("switch", "buffers", b.Buffers, 1, 1<<bufferBits),
		inRange("switch", "writers", b.Writers, 1, 32), inRange("switch", "readers", len(b.Offsets), 1, 32))
	for _, o := range b.Offsets {
		err = firstError(err, inRange("switch", "offset of a reader", o, 0, 3))
	}
	return err
}

func (b Switch) Streams() (in, out []Stream) {
	data := Field{"data", ir.Vec(b.Lanes, b.Width), false, "elements of a vector"}
	in = []Stream{{Name: "move", Doc: "moves", Fields: []Field{
		{"reads", ir.Vec(len(b.Offsets), 1), false, "readers"},
		{"src", ir.Bits(bufferBits), false, "buffer to read, less the reader's offset"},
		{"writes", ir.Vec(b.Writers, 1), false, "writers"},
		{"dst", ir.Bits(bufferBits), false, "first buffer to write"},
		{"more", ir.Bits(2), false, "vectors to write less one"},
	}}}
	for i := range b.Writers {
		in = append(in, Stream{Name: fmt.Sprintf("w%d", i), Doc: "vectors of a writer",
			Fields: []Field{data, {"last", ir.Bits(1), false, "1 in the last beat of a vector"}}})
	}
	for i := range b.Offsets {
		out = append(out, Stream{Name: fmt.Sprintf("r%d", i), Doc: "vectors for a reader", Fields: []Field{data}})
	}
	return in, out
}

func (b Switch) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Network of %d vector buffers of %d beats between %d writers and %d readers.", b.Buffers, b.Depth, b.Writers, len(b.Offsets))
	return lib.module("switch", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		s := &switching{Switch: b, m: m, buffers: m.Array("buffer", b.buffer(lib), 1, b.Buffers)}
		s.ports(in, out)
		s.scoreboard()
		s.write(in[1:])
		s.read(out)
		s.busy()
	})
}

// buffer is one buffer: its words, how many are there, and who it is reserved for.
func (b Switch) buffer(lib *Lib) *ir.Module {
	name := fmt.Sprintf("switch_buffer_%dx%d_d%d_w%d", b.Lanes, b.Width, b.Depth, b.Writers)
	return lib.module("switch", name, fmt.Sprintf("Vector buffer of %d beats.", b.Depth), func(m *ir.Module) {
		bit := func(name, doc string) *ir.Node { return m.In(name, ir.Bits(1), doc) }
		fill, empty := bit("fill", "a write begins"), bit("empty", "a read begins")
		from := m.In("from", ir.Vec(b.Writers, 1), "writer with a beat")
		last := m.In("last", ir.Vec(b.Writers, 1), "it is the last")
		data := m.In("data", ir.Vec(b.Writers*b.Lanes, b.Width), "beats of all writers")
		re, release := bit("re", "read the next word"), bit("left", "the last word has left")

		w, wa := ir.ClogTwo(b.Depth+1), ir.ClogTwo(b.Depth)
		we := from.AnyOf(1).Named("we")
		ends := from.And(last).AnyOf(1).Named("ends")
		written, complete := m.Reg("written", ir.Bits(w), 0), m.Reg("complete", ir.Bits(1), 0)
		written.SetEn(fill.Or(we), fill.Mux(m.K(w, 0), written.Q.AddK(1)))
		complete.SetEn(fill.Or(ends), fill.Not())
		filling := m.Reg("fills", ir.Bits(1), 0)
		filling.SetEn(fill.Or(ends), fill)
		emptying := m.Reg("empties", ir.Bits(1), 0)
		emptying.SetEn(empty.Or(release), empty)
		at := m.Reg("at", ir.Bits(w), 0)
		next := at.Q.AddK(1).Named("next")
		at.SetEn(empty.Or(re), empty.Mux(m.K(w, 0), next))

		word := data.Elems(0, b.Lanes)
		for i := 1; i < b.Writers; i++ {
			word = from.Elem(i).Mux(data.Elems(i*b.Lanes, b.Lanes), word)
		}
		mem := m.Instance("u_mem", sram(lib, b.Depth, ir.Vec(b.Lanes, b.Width))).
			In("we", we).In("waddr", written.Q.Trunc(wa)).In("wdata", word).In("re", re).In("raddr", at.Q.Trunc(wa))
		m.Out("filling", filling.Q, "reserved for a writer")
		m.Out("emptying", emptying.Q, "reserved for a reader")
		m.Out("full", written.Q.EqK(uint64(b.Depth)), "no room")
		m.Out("there", at.Q.Ltu(written.Q), "the next word can be read")
		m.Out("at_last", complete.Q.And(next.Eq(written.Q)), "it is the last")
		m.Out("q", m.OutOf(mem, "rdata"), "the word read")
	})
}

// switching is a switch under construction.
type switching struct {
	Switch
	m       *ir.Module
	buffers *ir.Inst
	number  *ir.Node // of each buffer

	move         source
	begin        *ir.Node   // the move that waits begins
	fields       []*ir.Node // its
	from, to     []*ir.Node // buffer that reader r, writer w is to begin with
	fills, empty *ir.Node   // buffers that it writes, reads

	writers []switchWriter
	readers []switchReader

	took, gave []*ir.Node // readers took, writers gave the last of a move
}

// switchWriter is a writer: what it does now, and the move that waits for it.
type switchWriter struct {
	valid, buffer, left   *ir.Reg
	waits, wbuffer, wleft *ir.Reg
	in                    source
}

// switchReader is a reader: it reads words of a buffer while active, and offers the last read.
type switchReader struct {
	active, full, last, buffer *ir.Reg
	take                       *ir.Node
}

const switchNumberBits = bufferBits + 1

// ports declares the streams and what the ports remember.
func (s *switching) ports(in, out []Stream) {
	m := s.m
	index := make([]uint64, s.Buffers)
	for i := range index {
		index[i] = uint64(i)
	}
	s.number = m.KVec(switchNumberBits, index...)
	s.move = input(m, in[0])
	for i := range s.Writers {
		reg := func(name string, w int) *ir.Reg { return m.DataReg(fmt.Sprintf("w%d_%s", i, name), ir.Bits(w)) }
		bit := func(name string) *ir.Reg { return m.Reg(fmt.Sprintf("w%d_%s", i, name), ir.Bits(1), 0) }
		s.writers = append(s.writers, switchWriter{in: input(m, in[1+i]),
			valid: bit("active"), buffer: reg("buffer", switchNumberBits), left: reg("left", 2),
			waits: bit("waits"), wbuffer: reg("next_buffer", switchNumberBits), wleft: reg("next_left", 2)})
	}
	for i := range s.Offsets {
		bit := func(name string) *ir.Reg { return m.Reg(fmt.Sprintf("r%d_%s", i, name), ir.Bits(1), 0) }
		s.readers = append(s.readers, switchReader{take: output(m, out[i]), active: bit("active"), full: bit("out_valid"),
			last: bit("out_last"), buffer: m.DataReg(fmt.Sprintf("r%d_buffer", i), ir.Bits(switchNumberBits))})
	}
}

// scoreboard holds a move until all that it needs is free.
func (s *switching) scoreboard() {
	m := s.m
	waits := m.Reg("move_waits", ir.Bits(1), 0)
	fields := make([]*ir.Reg, len(s.move.fields))
	for i, f := range s.move.fields {
		fields[i] = m.DataReg("waiting_"+s.move.s.Fields[i].Name, f.Type)
		s.fields = append(s.fields, fields[i].Q)
	}
	reads, writes := s.fields[0], s.fields[2]
	src, dst, more := s.fields[1].ZExt(switchNumberBits), s.fields[3].ZExt(switchNumberBits), s.fields[4].ZExt(switchNumberBits)

	busy := m.K(1, 0)
	s.empty = m.K(1, 0).Splat(s.Buffers)
	for i, r := range s.readers {
		from := src.AddK(int64(s.Offsets[i]))
		s.from = append(s.from, from)
		s.empty = s.empty.Or(s.number.Eq(from).And(reads.Elem(i)))
		busy = busy.Or(reads.Elem(i).And(r.active.Q.Or(r.full.Q)))
	}
	s.fills = dst.Splat(s.Buffers).Leu(s.number).And(s.number.Ltu(dst.Add(more).AddK(1))).And(writes.AnyOf(1)).Named("fills")
	for i, w := range s.writers {
		busy = busy.Or(writes.Elem(i).And(w.waits.Q))
	}
	filling, emptying := m.OutOf(s.buffers, "filling"), m.OutOf(s.buffers, "emptying")
	taken := s.empty.And(emptying).Or(s.fills.And(filling.Or(emptying))).AnyOf(1).Named("buffer_taken")
	s.begin = waits.Q.And(busy.Or(taken).Not()).Named("begins")
	fire := s.move.ready(waits.Q.Not().Or(s.begin))
	waits.SetEn(fire.Or(s.begin), fire)
	for i, f := range s.move.fields {
		fields[i].SetEn(fire, f)
	}
	s.buffers.Each("fill", s.fills.And(s.begin)).Each("empty", s.empty.And(s.begin))
}

// write gives the beats of the writers to the buffers.
func (s *switching) write(in []Stream) {
	m := s.m
	full := m.OutOf(s.buffers, "full")
	var data, last, from []*ir.Node
	for i, w := range s.writers {
		fire := w.in.ready(w.valid.Q.And(full.Pick(w.buffer.Q).Not()))
		last = append(last, w.in.fields[1])
		data = append(data, w.in.fields[0])
		from = append(from, s.number.Eq(w.buffer.Q).And(fire))
		ends := fire.And(w.in.fields[1]).Named(fmt.Sprintf("w%d_ends", i))
		done := ends.And(w.left.Q.EqK(0)).Named(fmt.Sprintf("w%d_done", i))
		s.gave = append(s.gave, done)
		free := w.valid.Q.Not().Or(done)
		begin := s.begin.And(s.fields[2].Elem(i)).Named(fmt.Sprintf("w%d_begins", i))
		dst, more := s.fields[3].ZExt(switchNumberBits), s.fields[4]
		w.valid.SetEn(free, w.waits.Q.Or(begin))
		w.buffer.SetEn(free.Or(ends), free.Mux(w.waits.Q.Mux(w.wbuffer.Q, dst), w.buffer.Q.AddK(1)))
		w.left.SetEn(free.Or(ends), free.Mux(w.waits.Q.Mux(w.wleft.Q, more), w.left.Q.AddK(-1)))
		w.waits.Set(free.Not().And(w.waits.Q.Or(begin)))
		w.wbuffer.SetEn(begin, dst)
		w.wleft.SetEn(begin, more)
	}
	// The buffers want their writers' bits buffer by buffer.
	var bits []*ir.Node
	for b := range s.Buffers {
		for i := range s.writers {
			bits = append(bits, from[i].Elem(b))
		}
	}
	s.buffers.Each("from", bits[0].Join(bits[1:]...)).In("last", last[0].Join(last[1:]...)).In("data", data[0].Join(data[1:]...))
}

// busy tells what readers and writers are at, bit by bit.
func (s *switching) busy() {
	readers := func(name, doc string, of func(r switchReader) *ir.Node) {
		var bits []*ir.Node
		for _, r := range s.readers {
			bits = append(bits, of(r))
		}
		s.m.Out(name, bits[0].Join(bits[1:]...), doc)
	}
	readers("reading", "readers that have a vector to take", func(r switchReader) *ir.Node { return r.active.Q.Or(r.full.Q) })
	readers("offering", "readers that have a beat to take", func(r switchReader) *ir.Node { return r.full.Q })
	s.m.Out("took", s.took[0].Join(s.took[1:]...), "readers that take the last beat of a vector")
	var writing []*ir.Node
	for _, w := range s.writers {
		writing = append(writing, w.valid.Q)
	}
	s.m.Out("writing", writing[0].Join(writing[1:]...), "writers that have a vector to give")
	s.m.Out("gave", s.gave[0].Join(s.gave[1:]...), "writers that give the last beat of a move")
}

// read gives the words of the buffers to the readers.
func (s *switching) read(out []Stream) {
	m := s.m
	there, atLast, q := m.OutOf(s.buffers, "there"), m.OutOf(s.buffers, "at_last"), m.OutOf(s.buffers, "q")
	re, release := m.K(1, 0).Splat(s.Buffers), m.K(1, 0).Splat(s.Buffers)
	for i, r := range s.readers {
		issue := r.active.Q.And(there.Pick(r.buffer.Q)).And(r.full.Q.Not().Or(r.take)).Named(fmt.Sprintf("r%d_reads", i))
		ends := issue.And(atLast.Pick(r.buffer.Q)).Named(fmt.Sprintf("r%d_ends", i))
		left := r.full.Q.And(r.take).And(r.last.Q).Named(fmt.Sprintf("r%d_done", i))
		s.took = append(s.took, left)
		begin := s.begin.And(s.fields[0].Elem(i))
		r.active.SetEn(begin.Or(ends), begin)
		r.buffer.SetEn(begin, s.from[i])
		r.full.SetEn(issue.Or(r.take), issue)
		r.last.SetEn(issue, ends)
		mine := s.number.Eq(r.buffer.Q)
		re, release = re.Or(mine.And(issue)), release.Or(mine.And(left))
		data := m.K(s.Width, 0).Splat(s.Lanes)
		for b := range s.Buffers {
			data = mine.Elem(b).Mux(q.Elems(b*s.Lanes, s.Lanes), data)
		}
		drive(m, out[i], r.full.Q, data)
	}
	s.buffers.Each("re", re).Each("left", release)
}

// Arithmetic keeps the buffers as slices of beats.
func (b Switch) Arithmetic(in [][]Beat) [][]Beat {
	out := make([][]Beat, len(b.Offsets))
	b.follow(in, func(k int, reads []int, src [][]Beat, writes []int, vectors [][][]Beat) {
		for i, r := range reads {
			for _, beat := range src[i] {
				out[r] = append(out[r], beat)
			}
		}
	})
	return out
}

// follow goes through the moves in order: which readers read what, and which writers write
// which vectors.
func (b Switch) follow(in [][]Beat, visit func(k int, reads []int, src [][]Beat, writes []int, vectors [][][]Beat)) {
	buffers := make([][]Beat, b.Buffers)
	next := append([][]Beat(nil), in[1:]...)
	for k, move := range in[0] {
		src, dst, more := int(move[1][0]), int(move[3][0]), int(move[4][0])
		var reads, writes []int
		var from [][]Beat
		var vectors [][][]Beat
		for r, bit := range move[0] {
			if bit == 1 {
				reads = append(reads, r)
				var data []Beat
				for _, beat := range buffers[src+b.Offsets[r]] {
					data = append(data, beat[:1])
				}
				from = append(from, data)
			}
		}
		for w, bit := range move[2] {
			if bit == 0 {
				continue
			}
			writes = append(writes, w)
			var all [][]Beat
			for i := range more + 1 {
				n := 1
				for next[w][n-1][1][0] == 0 {
					n++
				}
				all = append(all, next[w][:n])
				buffers[dst+i], next[w] = next[w][:n], next[w][n:]
			}
			vectors = append(vectors, all)
		}
		visit(k, reads, from, writes, vectors)
	}
}

// Cycles follows the moves: each begins in the cycle after the one before at the earliest, and
// when what it needs has been free for a cycle; then beats move one a cycle.
func (b Switch) Cycles(in [][]Beat) int {
	begun, end := 0, -1
	filled := make([][]int, b.Buffers) // cycle in which each beat was written
	emptied := make([]int, b.Buffers)  // the last reader was done
	given := make([]int, len(b.Offsets))
	done := make([][]int, b.Writers) // of each writer's moves
	for i := range emptied {
		emptied[i] = -1
	}
	for i := range given {
		given[i] = -1
	}
	b.follow(in, func(k int, reads []int, src [][]Beat, writes []int, vectors [][][]Beat) {
		begun++
		at, dst := int(in[0][k][1][0]), int(in[0][k][3][0])
		for _, r := range reads {
			begun = max(begun, emptied[at+b.Offsets[r]]+1, given[r]+1)
		}
		for i, w := range writes {
			for v := range vectors[i] {
				begun = max(begun, emptied[dst+v]+1)
				if f := filled[dst+v]; f != nil {
					begun = max(begun, f[len(f)-1]+1)
				}
			}
			if n := len(done[w]); n > 1 {
				begun = max(begun, done[w][n-2]+1)
			}
		}
		for i, r := range reads {
			from, now := at+b.Offsets[r], begun
			for e := range src[i] {
				now = max(now, filled[from][e]) + 1
			}
			given[r], emptied[from] = now+1, now+1
			end = max(end, now+1)
		}
		for i, w := range writes {
			now := begun
			if n := len(done[w]); n > 0 {
				now = max(now, done[w][n-1])
			}
			for v, vector := range vectors[i] {
				filled[dst+v] = nil
				for range vector {
					now++
					filled[dst+v] = append(filled[dst+v], now)
				}
			}
			done[w] = append(done[w], now)
		}
	})
	return end + 1
}

func randomSwitch(r *rand.Rand) Block {
	b := Switch{Lanes: oddSize(r, 4), Width: 1 + r.Intn(20), Depth: oddSize(r, 6), Buffers: 2 + r.Intn(7), Writers: oddSize(r, 4)}
	for range oddSize(r, 4) {
		b.Offsets = append(b.Offsets, r.Intn(min(3, b.Buffers)))
	}
	return b
}

// switchWork reads what was written, with no buffer or port twice in a move.
func switchWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Switch)
	streams, _ := b.Streams()
	in := make([][]Beat, len(streams))
	written := make([]bool, b.Buffers)
	for moves := 0; moves < 30 || r.Intn(4) > 0; moves++ {
		reads, writes := make([]uint64, len(b.Offsets)), make([]uint64, b.Writers)
		used := make([]bool, b.Buffers)
		src, dst, more := r.Intn(b.Buffers), r.Intn(b.Buffers), 0
		for i, o := range b.Offsets {
			if from := src + o; from < b.Buffers && written[from] && !used[from] && r.Intn(2) == 0 {
				reads[i], used[from] = 1, true
			}
		}
		room := 0
		for room < 4 && dst+room < b.Buffers && !used[dst+room] {
			room++
		}
		if room > 0 && r.Intn(4) > 0 {
			more = r.Intn(room)
			w := r.Intn(b.Writers)
			writes[w] = 1
			for v := range more + 1 {
				vector := RandomBeats(r, streams[1+w], oddSize(r, b.Depth), extreme)
				for i, beat := range vector {
					beat[1] = flag(i == len(vector)-1)
				}
				in[1+w] = append(in[1+w], vector...)
				written[dst+v] = true
			}
		}
		in[0] = append(in[0], Beat{reads, {uint64(src)}, writes, {uint64(dst)}, {uint64(more)}})
	}
	return in
}
