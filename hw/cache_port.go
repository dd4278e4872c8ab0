package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// CachePort joins the memory port of an attention engine (streams mem and fill of Spread) to an AXI4
// master: to stream ask, a client of AxiShare, which answers on stream x, and to streams put and w of an
// AxiWrite. A beat of the engine's port is Beat bytes and has Stride bytes of memory, whole beats of the
// bus; address a of mem is at byte input base + a x Stride, low bits of base that are none of a beat's
// address taken as 0.
//
// Requests take effect in order. A read of what was written waits until the writes were answered:
// CachePort keeps the addresses written since input writing was last 0, and a write that would be one too
// many waits, too. Reads that follow one another are asked for as one, up to Burst beats of the bus, as far
// as they come before the first of them can be asked for; nobody waits for the next.
//
// A read needs 3 cycles from mem to ask, a write 2 to put. Gearboxes turn beats of one width into beats
// of the other, 3 cycles from mem to w and 2 from x to fill when both are equal; where one divides
// the other, the narrower never waits.
type CachePort struct {
	AxiBursts
	Beat    int // bytes of a beat of the engine's port, 1..1024
	Words   int // addresses of stream mem, 1..2^40
	Pending int // writes that may wait for their answers, 1..64
}

// stride is the beats of the bus that one of the engine's port has.
func (b CachePort) stride() int { return ceilDiv(b.Beat, b.Bytes) }

// Stride is the bytes from one beat of the engine's port to the next, in memory.
func (b CachePort) Stride() int { return b.stride() * b.Bytes }

func (b CachePort) Name() string {
	return fmt.Sprintf("cache_port_%s_b%d_w%d_p%d", b.name(), b.Beat, b.Words, b.Pending)
}

func (b CachePort) Check() error {
	return firstError(b.check("cache_port"), inRange("cache_port", "bytes of a beat", b.Beat, 1, 1024),
		inRange("cache_port", "addresses", b.Words, 1, 1<<40), inRange("cache_port", "pending writes", b.Pending, 1, 64))
}

func (b CachePort) gears() (write, read Gearbox) {
	write = Gearbox{In: b.Beat, Out: b.Bytes, InLength: b.Beat, OutLength: b.Beat, Width: 9}
	return write, Gearbox{In: b.Bytes, Out: b.Beat, InLength: b.Beat, OutLength: b.Beat, Width: 8}
}

func (b CachePort) Streams() (in, out []Stream) {
	writeIn, _ := AxiWrite{b.AxiBursts}.Streams()
	named := func(s Stream, name, doc string) Stream { s.Name, s.Doc = name, doc; return s }
	in = []Stream{{Name: "mem", Doc: "requests, which take effect in order", Fields: []Field{
		{"write", ir.Bits(1), false, "write, else read"},
		{"addr", ir.Bits(ir.ClogTwo(b.Words)), false, "address in beats"},
		{"data", ir.Vec(b.Beat, 8), false, "bytes to write"},
		{"mask", ir.Vec(b.Beat, 1), false, "bytes that are written"},
	}}, {Name: "x", Doc: "what was asked for", Fields: []Field{b.data()}}}
	out = []Stream{named(b.request(), "ask", "reads"), named(b.request(), "put", "writes"),
		named(writeIn[1], "w", "what to write"),
		{Name: "fill", Doc: "what reads gave, in order", Fields: []Field{{"data", ir.Vec(b.Beat, 8), false, "bytes"}}}}
	return in, out
}

func (b CachePort) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Cache port of %d bytes on a bus of %d.", b.Beat, b.Bytes)
	return lib.module("cache_port", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		base := m.In("base", ir.Bits(b.Address), "address of the cache, constant while it is used")
		writing := m.In("writing", ir.Bits(1), "1: writes are under way")
		mem := slicedInput(lib, m, in[0])
		isWrite, at := mem.fields[0], mem.fields[1]
		writeGear, readGear := b.gears()

		// The address of a beat, its number times the stride.
		shift := b.size()
		w := b.Address - shift
		place := func(at *ir.Node) *ir.Node {
			offset := total(w, at).Mul(m.K(w, uint64(b.stride())))
			return base.Slice(shift, w).Add(offset).Cat(m.K(shift, 0))
		}
		send := func(s Stream, valid, at, beats *ir.Node) (ready *ir.Node, out link) {
			ready, out = sliced(lib, m, "u_"+s.Name, valid, []*ir.Node{place(at), beats})
			out.take(output(m, s))
			drive(m, s, out.valid, out.fields...)
			return ready, out
		}

		// Writes, and what was written and may not have reached the memory.
		written := m.DataReg("written", ir.Vec(b.Pending, at.Type.W))
		pending := m.Reg("pending", ir.Vec(b.Pending, 1), 0)
		gear := m.Instance("u_write_gear", writeGear.Build(lib))
		may := mem.valid.And(isWrite).And(pending.Q.Elem(b.Pending - 1).Not()).And(m.OutOf(gear, "x_ready"))
		ready, put := send(out[1], may, at, m.K(beatBits, uint64(b.stride())))
		writes := may.And(ready).Named("writes")
		gear.In("x_valid", writes).In("x_data", mem.fields[3].Cat(mem.fields[2]))
		passOutGear(m, gear, out[2])
		rests := writing.Or(put.valid).Not().Named("rests")
		left := pending.Q.And(rests.Not().Splat(b.Pending))
		shifted := func(first, rest *ir.Node) *ir.Node {
			if b.Pending == 1 {
				return first
			}
			return first.Join(rest.Elems(0, b.Pending-1))
		}
		pending.Set(writes.Mux(shifted(m.K(1, 1), left), left))
		written.SetEn(writes, shifted(at, written.Q))
		hit := pending.Q.And(written.Q.Eq(at.Splat(b.Pending))).AnyOf(1).Named("hit")

		// Reads: a run of addresses, to which those that follow are added until it is asked for.
		most := max(b.Burst/b.stride(), 1)
		run := m.Reg("run", ir.Bits(1), 0)
		first, next := m.DataReg("first", at.Type), m.DataReg("next", at.Type)
		length := m.DataReg("length", ir.Bits(9))
		beats := length.Q.ZExt(beatBits).Mul(m.K(beatBits, uint64(b.stride())))
		asks, _ := send(out[0], run.Q, first.Q, beats)
		reads := mem.valid.And(isWrite.Not()).And(hit.Not()).Named("reads")
		follows := reads.And(run.Q).And(asks.Not()).And(at.Eq(next.Q)).And(length.Q.Ltu(m.K(9, uint64(most)))).Named("follows")
		begins := reads.And(run.Q.Not().Or(asks)).Named("begins")
		run.Set(begins.Or(run.Q.And(asks.Not())))
		first.SetEn(begins, at)
		next.SetEn(begins.Or(follows), at.AddK(1))
		length.SetEn(begins.Or(follows), begins.Mux(m.K(9, 1), length.Q.AddK(1)))
		mem.take(isWrite.Mux(writes, begins.Or(follows)))

		back := m.Instance("u_read_gear", readGear.Build(lib))
		passIn(m, back, in[1], "x")
		passOut(m, back, out[3], "y")
	})
}

// passOutGear makes elements of a byte and its strobe a stream of a bus.
func passOutGear(m *ir.Module, gear *ir.Inst, s Stream) {
	gear.In("y_ready", output(m, s))
	y := m.OutOf(gear, "y_data")
	drive(m, s, m.OutOf(gear, "y_valid"), y.Trunc(8), y.Slice(8, 1))
}

// Arithmetic is each request on its own: reads that follow one another may be asked for as one.
func (b CachePort) Arithmetic(in [][]Beat) [][]Beat {
	out := make([][]Beat, 4)
	for _, req := range in[0] {
		at := Beat{{req[1][0] * uint64(b.Stride()) & (1<<b.Address - 1)}, {uint64(b.stride())}}
		if req[0][0] == 0 {
			out[0] = append(out[0], at)
			continue
		}
		out[1] = append(out[1], at)
		for i := range b.stride() {
			data, strobes := make([]uint64, b.Bytes), make([]uint64, b.Bytes)
			copy(data, req[2][i*b.Bytes:])
			copy(strobes, req[3][i*b.Bytes:])
			out[2] = append(out[2], Beat{data, strobes})
		}
	}
	for x := in[1]; len(x) >= b.stride(); x = x[b.stride():] {
		fill := make([]uint64, 0, b.Stride())
		for _, beat := range x[:b.stride()] {
			fill = append(fill, beat[0]...)
		}
		out[3] = append(out[3], Beat{fill[:b.Beat]})
	}
	return out
}

// Cycles without writes under way: one request a cycle, a write when the gearbox takes its bytes, and
// not directly after as many as may be pending.
func (b CachePort) Cycles(in [][]Beat) int {
	gear, _ := b.gears()
	units := ceilDiv(b.Beat, gear.unit())
	end := 0
	if n := len(in[1]) / b.stride(); n > 0 {
		end = n*units + 1
	}
	at, wrote, pending := 0, before, 0
	moved := [2]int{} // the last unit of the last write but one, and of the last
	for _, req := range in[0] {
		at++
		if req[0][0] == 0 {
			end = max(end, at+2)
			continue
		}
		at = max(at, moved[0]+1)
		if at < wrote+3 && pending == b.Pending {
			at = wrote + 3
		}
		if pending++; at > wrote+1 {
			pending = 1
		}
		wrote, moved = at, [2]int{moved[1], max(moved[1], at) + units}
		end = max(end, at+1, moved[1]+1)
	}
	return end + 1
}

func randomCachePort(r *rand.Rand) Block {
	b := CachePort{AxiBursts: randomBursts(r), Beat: 1 + r.Intn(150), Words: 1 + r.Intn(5000), Pending: 1 + r.Intn(10)}
	b.Address = max(b.Address, 24)
	return b
}

// cachePortWork has no reads that follow one another.
func cachePortWork(r *rand.Rand, block Block, extreme bool) [][]Beat {
	b := block.(CachePort)
	in, _ := b.Streams()
	reqs := RandomBeats(r, in[0], 5+r.Intn(20), extreme)
	reads := 0
	for i := range reqs {
		reqs[i][1][0] = uint64(r.Intn(b.Words))
		if i > 0 && reqs[i][1][0] == reqs[i-1][1][0]+1 {
			reqs[i][1][0] = reqs[i-1][1][0]
		}
		if reqs[i][0][0] == 0 {
			reads++
		}
	}
	return [][]Beat{reqs, RandomBeats(r, in[1], reads*b.stride(), extreme)}
}
