package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Fifo is a first-in first-out buffer of Depth beats in an SRAM, and one more in the SRAM's
// output. A beat needs 2 cycles from x to y; from Depth 2 on one beat a cycle passes.
type Fifo struct {
	Depth        int // 1..65536
	Lanes, Width int // elements of a beat and bits of an element, 1..1024 and 1..64
}

func (b Fifo) Name() string { return fmt.Sprintf("fifo_%dx%dx%d", b.Depth, b.Lanes, b.Width) }

func (b Fifo) Check() error {
	return firstError(inRange("fifo", "depth", b.Depth, 1, 65536),
		inRange("fifo", "lanes", b.Lanes, 1, 1024), inRange("fifo", "width", b.Width, 1, 64))
}

func (b Fifo) Streams() (in, out []Stream) {
	data := []Field{{"data", ir.Vec(b.Lanes, b.Width), false, "elements of a beat"}}
	return []Stream{{Name: "x", Fields: data, Doc: "beats in"}}, []Stream{{Name: "y", Fields: data, Doc: "beats out, in order"}}
}

func (b Fifo) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Buffer of %d beats of %d x %d bits in an SRAM. Latency 2 cycles.", b.Depth, b.Lanes, b.Width)
	return lib.module("fifo", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])
		w := ir.ClogTwo(b.Depth + 1)
		count := m.Reg("count", ir.Bits(w), 0)
		write := x.ready(count.Q.Ltu(m.K(w, uint64(b.Depth))))
		full := m.Reg("out_valid", ir.Bits(1), 0)
		read := count.Q.EqK(0).Not().And(full.Q.Not().Or(take)).Named("read")
		full.SetEn(full.Q.Not().Or(take), read)
		count.SetEn(write.Xor(read), write.Mux(count.Q.AddK(1), count.Q.AddK(-1)))

		waddr, _ := counter(m, "head", b.Depth, write)
		raddr, _ := counter(m, "tail", b.Depth, read)
		mem := m.Instance("u_mem", sram(lib, b.Depth, ir.Vec(b.Lanes, b.Width))).
			In("we", write).In("waddr", waddr).In("wdata", x.fields[0]).In("re", read).In("raddr", raddr)
		drive(m, out[0], full.Q, m.OutOf(mem, "rdata"))
	})
}

// Arithmetic gives the beats back in order.
func (b Fifo) Arithmetic(in [][]Beat) [][]Beat { return [][]Beat{in[0]} }

// Cycles of n beats: n + 2, but 2 n + 1 at Depth 1, where reading and writing alternate.
func (b Fifo) Cycles(in [][]Beat) int {
	if b.Depth == 1 {
		return 2*len(in[0]) + 1
	}
	return len(in[0]) + 2
}

func randomFifo(r *rand.Rand) Block {
	return Fifo{Depth: oddSize(r, 5), Lanes: oddSize(r, 3), Width: 1 + r.Intn(64)}
}

func fifoWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], 5+r.Intn(20), extreme)}
}
