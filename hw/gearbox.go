package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// Gearbox passes elements on in beats of another width. Stream x is packets of InLength
// elements, In a beat; stream y the same elements in the same order as packets of OutLength, Out
// a beat. A packet begins on a new beat; what x has beyond the end of a packet is left out, y has
// zeros there. InLength and OutLength are equal, or one is a multiple of the other: 64 channels
// become 4 heads of 16.
//
// Each cycle moves one unit of elements: the greatest common divisor of In and Out, and of the
// lengths too if they differ. So where one width divides the other (and the lengths), the
// narrower side never waits. A beat needs 2 cycles from the move of its last unit to y.
type Gearbox struct {
	In, Out             int // lanes, 1..1024
	InLength, OutLength int // elements of a packet, 1..65536
	Width               int // bits of an element, 1..64
}

func (b Gearbox) Name() string {
	return fmt.Sprintf("gearbox_%dto%d_n%dto%d_w%d", b.In, b.Out, b.InLength, b.OutLength, b.Width)
}

func (b Gearbox) Check() error {
	err := firstError(inRange("gearbox", "lanes in", b.In, 1, 1024), inRange("gearbox", "lanes out", b.Out, 1, 1024),
		inRange("gearbox", "elements of a packet in", b.InLength, 1, 65536),
		inRange("gearbox", "elements of a packet out", b.OutLength, 1, 65536), inRange("gearbox", "width", b.Width, 1, 64))
	if err == nil && max(b.InLength, b.OutLength)%min(b.InLength, b.OutLength) != 0 {
		return fmt.Errorf("gearbox: packets of %d elements become packets of %d, allowed are multiples and divisors", b.InLength, b.OutLength)
	}
	return err
}

// unit is the elements that move in a cycle.
func (b Gearbox) unit() int {
	g := gcd(b.In, b.Out)
	if b.InLength != b.OutLength {
		g = gcd(g, gcd(b.InLength, b.OutLength))
	}
	return g
}

func (b Gearbox) Streams() (in, out []Stream) {
	beat := func(name, doc string, lanes, n int) Stream {
		doc = fmt.Sprintf("%s, packets of %d elements", doc, n)
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Vec(lanes, b.Width), false, "elements"}}}
	}
	return []Stream{beat("x", "beats in", b.In, b.InLength)}, []Stream{beat("y", "beats out", b.Out, b.OutLength)}
}

func (b Gearbox) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Turns beats of %d elements into beats of %d, %d a cycle.", b.In, b.Out, b.unit())
	return lib.module("gearbox", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := slicedInput(lib, m, in[0])
		take := output(m, out[0])
		full := m.Reg("out_valid", ir.Bits(1), 0)
		give := full.Q.Not().Or(take).Named("give")
		moves := x.valid.And(give).Named("moves")
		size := b.unit()

		part, inEnds, packetIn := places(m, "in", b.In/size, ceilDiv(b.InLength, size), moves)
		x.take(give.And(inEnds))
		place, outEnds, _ := places(m, "out", b.Out/size, ceilDiv(b.OutLength, size), moves)
		full.Set(moves.Mux(outEnds, full.Q.And(take.Not())))

		unit := chunk(x.fields[0], part, size)
		if rest := (b.InLength-1)%size + 1; rest < size {
			unit = packetIn.Mux(onlyFirst(unit, rest), unit)
		}
		packed := m.DataReg("packed", ir.Vec(b.Out, b.Width))
		if b.Out > size {
			unit = insert(packed.Q, unit, place)
		}
		drive(m, out[0], full.Q, packed.SetEn(moves, unit))
	})
}

// places counts the places of a beat that are gone through, one whenever moves is 1, in packets
// of n units. It gives the place, whether it is the last of its beat, and of its packet.
func places(m *ir.Module, name string, perBeat, n int, moves *ir.Node) (place, beatEnd, packetEnd *ir.Node) {
	_, packetEnd = counter(m, name+"_unit", n, moves)
	if perBeat == 1 {
		return m.K(1, 0), m.K(1, 1), packetEnd
	}
	at := m.Reg(name+"_place", ir.Bits(ir.ClogTwo(perBeat)), 0)
	beatEnd = packetEnd.Or(at.Q.EqK(uint64(perBeat - 1))).Named(name + "_beat_end")
	at.SetEn(moves, beatEnd.Mux(m.K(at.Type.W, 0), at.Q.AddK(1)))
	return at.Q, beatEnd, packetEnd
}

// Arithmetic is all elements in order, cut anew.
func (b Gearbox) Arithmetic(in [][]Beat) [][]Beat {
	var all []int64
	for _, v := range vectors(in[0], b.InLength, b.Width) {
		all = append(all, v...)
	}
	var out []Beat
	for len(all) >= b.OutLength {
		out = append(out, vectorBeats(all[:b.OutLength], b.Out, b.Width)...)
		all = all[b.OutLength:]
	}
	return [][]Beat{out}
}

// Cycles of whole packets is one a unit, and 2.
func (b Gearbox) Cycles(in [][]Beat) int {
	packets := len(in[0]) / ceilDiv(b.InLength, b.In)
	return packets*ceilDiv(b.InLength, b.unit()) + 2
}

func randomGearbox(r *rand.Rand) Block {
	b := Gearbox{In: oddSize(r, 12), Out: oddSize(r, 12), InLength: oddSize(r, 30), Width: 1 + r.Intn(64)}
	b.OutLength = b.InLength
	switch r.Intn(4) {
	case 0:
		b.OutLength *= 1 + r.Intn(4)
	case 1:
		b.InLength *= 1 + r.Intn(4)
	case 2: // widths of which one divides the other
		b.Out = b.In * (1 + r.Intn(4))
	}
	return b
}

func gearboxWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Gearbox)
	in, _ := b.Streams()
	packets := (1 + r.Intn(3)) * max(1, b.OutLength/b.InLength)
	return [][]Beat{RandomBeats(r, in[0], packets*ceilDiv(b.InLength, b.In), extreme)}
}
