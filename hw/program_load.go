package hw

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand"

	"ohmloom/hw/regs"
	"ohmloom/ir"
)

// ProgramLoad brings a program from external memory into the program memory of a Sequencer. Its words
// lie there one after the other, the lowest byte at the lowest address. Stream cmd says where, how
// many, where to, and what their CRC-32 (that of IEEE 802.3, over the bytes in the order of addresses)
// must be. Stream done ends a load: with 0, with regs.ProgramLength when there are no words or they go
// beyond the program memory (then nothing was read), or with regs.ProgramCheck when the CRC is another.
// The program memory has been written by then all the same.
//
// A request goes out 1 cycle after its cmd was taken; a word needs 4 cycles, a byte each.
type ProgramLoad struct {
	AxiBursts
	Words int // of program memory, 1..4096
}

func (b ProgramLoad) Name() string {
	return fmt.Sprintf("program_load_%dx8_a%d_%d", b.Bytes, b.Address, b.Words)
}

func (b ProgramLoad) Check() error {
	return firstError(b.check("program_load"), inRange("program_load", "words", b.Words, 1, 1<<addrBits))
}

// loadCommand is stream cmd.
func loadCommand(address int) Stream {
	return Stream{Name: "load", Doc: "loads a program", Fields: []Field{
		{"addr", ir.Bits(address), false, "first byte; low bits that are none of a beat's address are taken as 0"},
		{"words", ir.Bits(32), false, "instructions"}, {"to", ir.Bits(addrBits), false, "address of the first instruction"},
		{"check", ir.Bits(32), false, "CRC-32 of the words"},
	}}
}

func (b ProgramLoad) Streams() (in, out []Stream) {
	seqIn, _ := Sequencer{}.Streams()
	cmd := loadCommand(b.Address)
	cmd.Name = "cmd"
	in = []Stream{cmd, {Name: "x", Doc: "what was read", Fields: []Field{b.data()}}}
	out = []Stream{b.request(), seqIn[seqProgram],
		{Name: "done", Doc: "the load has ended", Fields: []Field{{"code", ir.Bits(faultBits), false, "of register ERROR, or 0"}}}}
	return in, out
}

func (b ProgramLoad) Build(lib *Lib) *ir.Module {
	must(b)
	return lib.module("program_load", b.Name(), fmt.Sprintf("Loads programs of at most %d words.", b.Words), func(m *ir.Module) {
		in, out := b.Streams()
		cmd, x := input(m, in[0]), slicedInput(lib, m, in[1])
		takeReq, takeDone := output(m, out[0]), output(m, out[2])
		one := func(name string) *ir.Reg { return m.Reg(name, ir.Bits(1), 0) }
		asks, loads, ends := one("asks"), one("loads"), one("ends")
		start := cmd.ready(asks.Q.Or(loads.Q).Or(ends.Q).Not())
		const w = 34
		words := cmd.fields[1].ZExt(w)
		beyond := m.K(w, uint64(b.Words)).Ltu(words.Add(cmd.fields[2].ZExt(w)))
		long := words.EqK(0).Or(beyond).Named("wrong_length")

		left := m.DataReg("left", ir.Bits(addrBits+1))
		to := m.DataReg("to", ir.Bits(addrBits))
		perBeat := b.Bytes / 4
		part := m.DataReg("part", ir.Bits(ir.ClogTwo(perBeat)))
		phase := m.DataReg("phase", ir.Bits(2))
		steps := loads.Q.And(x.valid).Named("steps")
		wordEnd := steps.And(phase.Q.EqK(3)).Named("word_end")
		last := left.Q.EqK(1)
		beatEnd := part.Q.EqK(uint64(perBeat - 1)).Or(last)
		over := wordEnd.And(last).Named("over")
		phase.SetEn(start.Or(steps), start.Mux(m.K(2, 0), phase.Q.AddK(1)))
		left.SetEn(start.Or(wordEnd), start.Mux(cmd.fields[1].Trunc(addrBits+1), left.Q.AddK(-1)))
		to.SetEn(start.Or(wordEnd), start.Mux(cmd.fields[2], to.Q.AddK(1)))
		part.SetEn(start.Or(wordEnd), start.Or(beatEnd).Mux(m.K(part.Type.W, 0), part.Q.AddK(1)))
		x.take(wordEnd.And(beatEnd))

		word := chunk(x.fields[0], part.Q, 4)
		check := m.DataReg("check", ir.Bits(32)).SetEn(start, cmd.fields[3])
		crc := m.DataReg("crc", ir.Bits(32))
		next := crcOf(crc.Q, word.Pick(phase.Q)).Named("next_crc")
		crc.SetEn(start.Or(steps), start.Mux(m.K(32, 1<<32-1), next))

		asks.SetEn(start.Or(asks.Q.And(takeReq)), start.And(long.Not()))
		loads.SetEn(start.Or(over), start.And(long.Not()))
		ends.SetEn(start.Or(over).Or(takeDone), over.Or(start.And(long)))
		code := m.DataReg("code", ir.Bits(faultBits))
		differs := next.Not().Ne(check).Mux(m.K(faultBits, regs.ProgramCheck), m.K(faultBits, 0))
		code.SetEn(start.Or(over), start.Mux(m.K(faultBits, regs.ProgramLength), differs))

		shift := ir.ClogTwo(perBeat)
		if perBeat == 1 {
			shift = 0
		}
		addr := m.DataReg("addr", ir.Bits(b.Address)).SetEn(start, cmd.fields[0])
		beats := m.DataReg("beats", ir.Bits(beatBits)).SetEn(start, words.AddK(int64(perBeat-1)).Slice(shift, w-shift).ZExt(w).Trunc(beatBits))
		drive(m, out[0], asks.Q, addr, beats)
		drive(m, out[1], wordEnd, to.Q, word.Elem(3).Cat(word.Elem(2), word.Elem(1), word.Elem(0)))
		drive(m, out[2], ends.Q, code.Q)
	})
}

// crcOf is the CRC-32 with 8 bits more.
func crcOf(crc, next *ir.Node) *ir.Node {
	m := crc.Module()
	crc = crc.Xor(next.ZExt(32))
	for range 8 {
		crc = crc.Slice(1, 31).ZExt(32).Xor(crc.Bit(0).Mux(m.K(32, crc32.IEEE), m.K(32, 0)))
	}
	return crc
}

// Arithmetic reads the words of each load and checks them.
func (b ProgramLoad) Arithmetic(in [][]Beat) [][]Beat {
	out := make([][]Beat, 3)
	x := in[1]
	for _, cmd := range in[0] {
		words, to := int(cmd[1][0]), int(cmd[2][0])
		if words == 0 || to+words > b.Words {
			out[2] = append(out[2], Beat{{regs.ProgramLength}})
			continue
		}
		beats := ceilDiv(4*words, b.Bytes)
		out[0] = append(out[0], Beat{cmd[0], {uint64(beats)}})
		var text []byte
		for _, beat := range x[:beats] {
			for _, e := range beat[0] {
				text = append(text, byte(e))
			}
		}
		x, text = x[beats:], text[:4*words]
		for i := range words {
			out[1] = append(out[1], Beat{{uint64(to + i)}, {uint64(binary.LittleEndian.Uint32(text[4*i:]))}})
		}
		code := uint64(0)
		if crc32.ChecksumIEEE(text) != uint32(cmd[3][0]) {
			code = regs.ProgramCheck
		}
		out[2] = append(out[2], Beat{{code}})
	}
	return out
}

// Cycles is 4 a word, and of each load 2 more.
func (b ProgramLoad) Cycles(in [][]Beat) int {
	n := 0
	for _, cmd := range in[0] {
		if words := int(cmd[1][0]); words > 0 && words+int(cmd[2][0]) <= b.Words {
			n += 4 * words
		}
		n += 2
	}
	return n
}

func randomProgramLoad(r *rand.Rand) Block {
	return ProgramLoad{randomBursts(r), 1 + r.Intn(60)}
}

// programLoadWork is programs that fit and that do not, with and without what their check says.
func programLoadWork(r *rand.Rand, block Block, extreme bool) [][]Beat {
	b := block.(ProgramLoad)
	in, _ := b.Streams()
	var cmds, x []Beat
	for range 4 {
		cmd := RandomBeats(r, in[0], 1, extreme)[0]
		if r.Intn(4) > 0 {
			to := r.Intn(b.Words)
			words := r.Intn(b.Words - to + 1)
			cmd[1], cmd[2] = []uint64{uint64(words)}, []uint64{uint64(to)}
			beats := RandomBeats(r, in[1], ceilDiv(4*words, b.Bytes), extreme)
			x = append(x, beats...)
			var text []byte
			for _, beat := range beats {
				for _, e := range beat[0] {
					text = append(text, byte(e))
				}
			}
			if r.Intn(3) > 0 {
				cmd[3][0] = uint64(crc32.ChecksumIEEE(text[:4*words]))
			}
		} else if words := int(cmd[1][0]); words > 0 && words+int(cmd[2][0]) <= b.Words {
			cmd[1][0] = 0
		}
		cmds = append(cmds, cmd)
	}
	return [][]Beat{cmds, x}
}
