package hw

import (
	"fmt"

	"ohmloom/ir"
)

// Sequencer runs the chip's programs: it reads instructions of package isa from its program
// memory, one every 2 cycles, and sends each to the unit that is to do it and to the vector
// switch that moves its operands. It waits for nothing but the room to say so: units work at
// the same time and in their own time, and the switch's scoreboard holds back a vector until
// its buffer is free.
//
// A beat of stream cmd begins a run at an address; the run ends with a beat of stream done.
// Stream prompt is the tokens of the prompt, the last one marked. gather takes some of them into a
// queue of Slots + 1, one a cycle. embed takes one of the queue, else of the prompt, or the token
// emitted last, and asks for its row of the embedding table over stream fetch; that takes a cycle
// more when it is of queue or prompt. emit takes a token of stream sampled, and in the next cycle
// gives it to the host over stream token.
//
// A run that goes wrong ends with an error code in done (see ErrorCodes); beats that were
// offered are withdrawn, and the chip wants a reset. So does one in which no token came in or
// went out for limit cycles, not counting those that wait for the host.
//
// Input stop ends a run early: with the token that is being computed, or at once when it waits
// for the prompt. Output busy tells that it works and does not wait for the host.
//
// The program is loaded at power-on, and written by stream program, which takes a word in any
// cycle.
type Sequencer struct {
	Words   int // of program memory, 1..4096
	Banks   int // PIM banks, 1..16
	Buffers int // of the vector switch, 1..32
	Ops     int // in the tables of each bank, 1..2048
	Slots   int // residual streams of the vector unit: tokens of a block, 1..16

	Program []uint32 // loaded at power-on; what is missing is 0, no instruction; not part of the structure
}

// How a run ends.
const (
	RunEnded = iota
	BadWord
	BadAddress
	BadOperand
	EmptyBuffer
	NoToken
	BadToken
	TimedOut
)

// ErrorCodes says what the codes of stream done mean.
var ErrorCodes = []string{
	"the run has ended",
	"a word of the program is no instruction",
	"the program goes on beyond the program memory",
	"an instruction names a buffer, bank, op or slot that the chip does not have",
	"an instruction reads a buffer that was never written",
	"embed finds neither a token of the prompt nor one that was emitted",
	"a token is beyond the last row of the embedding table",
	"watchdog: no token came in or went out for too long",
}

const (
	tokenBits  = 17
	addrBits   = 12
	bufferBits = 5
	opBits     = 11
	codeBits   = 4
	layerBits  = 16
	queueBits  = 6
)

func (b Sequencer) Name() string {
	return fmt.Sprintf("sequencer_%d_b%d_v%d_o%d_x%d", b.Words, b.Banks, b.Buffers, b.Ops, b.Slots)
}

func (b Sequencer) Check() error {
	return firstError(inRange("sequencer", "words", b.Words, 1, 1<<addrBits), inRange("sequencer", "banks", b.Banks, 1, 16),
		inRange("sequencer", "buffers", b.Buffers, 1, 1<<bufferBits), inRange("sequencer", "ops", b.Ops, 1, 1<<opBits),
		inRange("sequencer", "residual streams", b.Slots, 1, 1<<slotBits),
		inRange("sequencer", "length of the program", len(b.Program), 0, b.Words))
}

// Readers and writers of the vector switch: the banks, and then these.
const (
	readAdd = iota
	readQ
	readK
	readV
	readHead
	readers
)
const (
	writeVector = iota
	writeAttention
	writers
)

func (b Sequencer) Streams() (in, out []Stream) {
	token := Field{"token", ir.Bits(tokenBits), false, "token id, a row of the embedding table"}
	in = []Stream{
		{Name: "cmd", Doc: "begins a run", Fields: []Field{
			{"entry", ir.Bits(addrBits), false, "address of the first instruction"},
			{"budget", ir.Bits(32), false, "tokens to write"},
			{"limit", ir.Bits(32), false, "watchdog: cycles without a token; 0: none"},
			{"first", ir.Bits(1), false, "1: the prompt begins a sequence; 0: it goes on with the one before"},
			{"it16", ir.Bits(8), false, "16 / temperature; 0: greedy"},
			{"m", ir.Bits(8), false, "multiplier of the sampler"},
			{"s", ir.Bits(5), false, "shift of the sampler"},
			{"state", ir.Bits(32), false, "of the sampler's generator, for the run's first token; 0: it goes on as it is"},
		}},
		{Name: "prompt", Doc: "tokens of the prompt", Fields: []Field{token, {"last", ir.Bits(1), false, "1 in the last one"}}},
		{Name: "sampled", Doc: "tokens drawn by the sampler", Fields: []Field{token}},
		{Name: "program", Doc: "writes the program memory", Fixed: true, Fields: []Field{
			{"address", ir.Bits(addrBits), false, "of the word"}, {"word", ir.Bits(32), false, "instruction"},
		}},
	}
	out = []Stream{
		{Name: "token", Doc: "tokens that the run writes", Fields: []Field{token, {"last", ir.Bits(1), false, "1 when the budget is spent"}}},
		{Name: "done", Doc: "the run has ended", Fields: []Field{
			{"code", ir.Bits(codeBits), false, "0, or what went wrong"}, {"address", ir.Bits(addrBits + 1), false, "of the instruction"},
		}},
		{Name: "fetch", Doc: "requests to the memory", Fields: []Field{
			{"row", ir.Bits(tokenBits), false, "first row of the embedding table"},
			{"count", ir.Bits(tokenBits), false, "rows"},
			{"table", ir.Bits(1), false, "for the output head; else for the vector unit"},
		}},
		{Name: "vector", Doc: "commands to the vector unit", Fields: []Field{{"op", ir.Bits(2), false, "0 load, 1 add, 2 norm"},
			{"slot", ir.Bits(slotBits), false, "residual stream"}}},
		{Name: "attend", Doc: "passes of the attention engine", Fields: tokenStream().Fields},
		{Name: "head", Doc: "commands to the sampler", Fields: []Field{
			{"it16", ir.Bits(8), false, "16 / temperature; 0: greedy"},
			{"m", ir.Bits(8), false, "multiplier"},
			{"s", ir.Bits(5), false, "shift"},
			{"load", ir.Bits(1), false, "1: the generator starts from state"},
			{"state", ir.Bits(32), false, "of the generator"},
		}},
		{Name: "move", Doc: "moves of the vector switch", Fields: []Field{
			{"reads", ir.Vec(b.Banks+readers, 1), false, "readers: the banks, add, q, k, v, head"},
			{"src", ir.Bits(bufferBits), false, "buffer to read; k reads the next, v the one after"},
			{"writes", ir.Vec(b.Banks+writers, 1), false, "writers: the banks, vector unit, attention engine"},
			{"dst", ir.Bits(bufferBits), false, "buffer to write"},
			{"more", ir.Bits(2), false, "vectors to write less one"},
		}},
	}
	for i := range b.Banks {
		out = append(out, Stream{Name: fmt.Sprintf("bank%d", i), Doc: "commands to a PIM bank",
			Fields: []Field{{"op", ir.Bits(opBits), false, "op of its tables"}}})
	}
	return in, out
}

// Streams by their place in the lists of Streams.
const (
	seqCmd = iota
	seqPrompt
	seqSampled
	seqProgram
)
const (
	seqToken = iota
	seqDone
	seqFetch
	seqVector
	seqAttend
	seqHead
	seqMove
	seqBank // and one for each further bank
)

func (b Sequencer) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Runs programs of at most %d instructions, one every 2 cycles, for %d banks and %d vector buffers.", b.Words, b.Banks, b.Buffers)
	return lib.module("sequencer", b.Name(), doc, func(m *ir.Module) {
		s := &sequencing{Sequencer: b, m: m}
		s.declare()
		s.fetch(lib)
		s.decode()
		s.control()
		s.advance()
	})
}

// Image is the program.
func (b Sequencer) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	words := make([]uint64, b.Words)
	for i, w := range b.Program {
		words[i] = uint64(w)
	}
	img.Data[prefix+".u_program.mem"] = words
	return img
}

// programMemory is an SRAM of depth words of 32 bits that is loaded at power-on.
func programMemory(lib *Lib, depth int) *ir.Module {
	doc := fmt.Sprintf("Program memory of %d words, one read and one write port. Latency 1 cycle.", depth)
	return lib.module("sram", fmt.Sprintf("program_memory_%d", depth), doc, func(m *ir.Module) {
		addr := ir.Bits(ir.ClogTwo(depth))
		we := m.In("we", ir.Bits(1), "write")
		waddr, wdata := m.In("waddr", addr, "address to write"), m.In("wdata", ir.Bits(32), "word to write")
		re, raddr := m.In("re", ir.Bits(1), "read"), m.In("raddr", addr, "address to read")
		mem := m.Mem("mem", depth, ir.Bits(32))
		mem.Loaded = true
		m.Write(mem, waddr, wdata, we)
		m.Out("rdata", m.Read(mem, raddr, re), "word of the last read")
		m.Macro = sramMacro(depth, 32)
	})
}
