package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// VectorBuffer holds a vector of Beats beats that is written once and read one or more times.
// Stream x is vectors one after the other. A beat of stream read asks for one reading of the
// vector, from beginning to end, on stream y; last = 1 says that it is the vector's last one,
// and that the next reading is of the next vector.
//
// Readings and writings wait for one another beat by beat: a reading may be asked for before the
// vector has come, and gives each beat as it comes; the next vector may be offered at any time,
// and each of its beats is taken once the one in its place has been read for the last time. Two
// readings may be asked for in advance. A beat can be given 2 cycles after it or its reading was
// taken, one a cycle, and readings follow one another without a gap.
type VectorBuffer struct {
	Beats int // of a vector, 1..65536
	Lanes int // elements of a beat, 1..1024
	Width int // bits of an element, 1..64
}

func (b VectorBuffer) Name() string {
	return fmt.Sprintf("vector_buffer_%dx%dx%d", b.Beats, b.Lanes, b.Width)
}

func (b VectorBuffer) Check() error {
	return firstError(inRange("vector_buffer", "beats", b.Beats, 1, 65536),
		inRange("vector_buffer", "lanes", b.Lanes, 1, 1024), inRange("vector_buffer", "width", b.Width, 1, 64))
}

func (b VectorBuffer) Streams() (in, out []Stream) {
	data := []Field{{"data", ir.Vec(b.Lanes, b.Width), false, "elements of a beat"}}
	read := Stream{Name: "read", Doc: "readings", Fields: []Field{{"last", ir.Bits(1), false, "1: the vector's last reading"}}}
	return []Stream{{Name: "x", Fields: data, Doc: "vectors in"}, read}, []Stream{{Name: "y", Fields: data, Doc: "readings of vectors"}}
}

func (b VectorBuffer) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Buffer of a vector of %d beats of %d x %d bits, read several times. Latency 2 cycles.", b.Beats, b.Lanes, b.Width)
	return lib.module("vector_buffer", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		read := slicedInput(lib, m, in[1])
		take := output(m, out[0])
		w := ir.ClogTwo(b.Beats + 1)
		held := m.Reg("held", ir.Bits(w), 0)   // beats not read for the last time
		fresh := m.Reg("fresh", ir.Bits(w), 0) // beats not read for the first time
		first := m.Reg("first_reading", ir.Bits(1), 1)
		fire := x.ready(held.Q.Ltu(m.K(w, uint64(b.Beats))))

		full := m.Reg("out_valid", ir.Bits(1), 0)
		may := full.Q.Not().Or(take).Named("may")
		issue := read.valid.And(may).And(first.Q.Not().Or(fresh.Q.EqK(0).Not())).Named("issue")
		full.SetEn(may, issue)
		waddr, _ := counter(m, "waddr", b.Beats, fire)
		raddr, lastRead := counter(m, "raddr", b.Beats, issue)
		ends := issue.And(lastRead).Named("reading_ends")
		read.take(ends)
		first.SetEn(ends, read.fields[0])
		count(held, fire, issue.And(read.fields[0]))
		count(fresh, fire, issue.And(first.Q))

		mem := m.Instance("u_mem", sram(lib, b.Beats, ir.Vec(b.Lanes, b.Width))).
			In("we", fire).In("waddr", waddr).In("wdata", x.fields[0]).In("re", issue).In("raddr", raddr)
		drive(m, out[0], full.Q, m.OutOf(mem, "rdata"))
	})
}

// Arithmetic goes on to the next vector after a last reading.
func (b VectorBuffer) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	x := in[0]
	for _, read := range in[1] {
		out = append(out, x[:b.Beats]...)
		if read[0][0] == 1 {
			x = x[b.Beats:]
		}
	}
	return [][]Beat{out}
}

// Cycles: beat k is taken in the cycle after beat k - 1, but not before the one after beat k -
// Beats was read for the last time; it is read in the cycle after the read before it, and for the
// first time not before the cycle after it was taken. The last beat leaves in the cycle after it
// was read.
func (b VectorBuffer) Cycles(in [][]Beat) int {
	taken, freed := make([]int, b.Beats), make([]int, b.Beats) // of each place, its newest beat
	for i := range freed {
		freed[i] = -1
	}
	wrote, read, first := -1, 0, true
	for _, reading := range in[1] {
		for i := range b.Beats {
			if first {
				wrote = max(wrote, freed[i]) + 1
				taken[i] = wrote
			}
			read = max(read, taken[i]) + 1
			if reading[0][0] == 1 {
				freed[i] = read
			}
		}
		first = reading[0][0] == 1
	}
	return read + 2
}

func randomVectorBuffer(r *rand.Rand) Block {
	return VectorBuffer{Beats: oddSize(r, 9), Lanes: oddSize(r, 3), Width: 1 + r.Intn(64)}
}

// vectorBufferWork reads every vector.
func vectorBufferWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(VectorBuffer)
	in, _ := b.Streams()
	n := 1 + r.Intn(5)
	var reads []Beat
	for range n {
		for range r.Intn(4) {
			reads = append(reads, Beat{flag(false)})
		}
		reads = append(reads, Beat{flag(true)})
	}
	return [][]Beat{RandomBeats(r, in[0], n*b.Beats, extreme), reads}
}
