// Package isa is the instruction set of the chip's sequencer. One table says what there is;
// encoder, decoder, assembler, disassembler and documentation all read it.
//
// An instruction is a word of 32 bits: the opcode in bits 31..28, fields below it, and zero
// everywhere else. A word of another form ends a run with an error. Operands are vector
// buffers, numbered from 0. The layer register counts how often loops went round; it is zero
// outside of them, and mvm can add it to its op, so that one piece of program serves all
// layers.
package isa

import (
	"fmt"
	"math/bits"
)

// Field is some bits of an instruction.
type Field struct {
	Name  string
	Lo, W int // bits Lo .. Lo+W-1
	Bias  int // what the bits zero stand for: 0 or 1
	Doc   string
}

// Max is the largest value of the field; Bias is the least.
func (f *Field) Max() int { return 1<<f.W - 1 + f.Bias }

// Kind is one instruction of the set.
type Kind struct {
	Op     int // opcode, 1..15
	Name   string
	Fields []*Field
	Doc    string
}

// Fields, each at one place in all instructions that have it.
var (
	Dst    = &Field{"dst", 22, 5, 0, "buffer to write; with several vectors, the first of them"}
	Src    = &Field{"src", 17, 5, 0, "buffer to read; with several vectors, the first of them"}
	Rows   = &Field{"rows", 0, 17, 0, "rows of the embedding table"}
	Layer  = &Field{"layer", 27, 1, 0, "1: the layer register is added to op"}
	Bank   = &Field{"bank", 13, 4, 0, "PIM bank"}
	Count  = &Field{"count", 11, 2, 1, "vectors that the op gives, into dst, dst+1, .."}
	MVM    = &Field{"op", 0, 11, 0, "op of the bank's tables"}
	Store  = &Field{"store", 0, 1, 0, "1: only write keys and values; nothing is read from src and written to dst"}
	Slot   = &Field{"slot", 0, 4, 0, "residual stream: those of the tokens of a block"}
	Follow = &Field{"more", 1, 1, 0, "1: a pass of the same layer for the next token of the block follows"}
	Tokens = &Field{"tokens", 12, 5, 1, "of the prompt, to be in the queue"}
	Times  = &Field{"times", 12, 16, 0, "how often the loop is run through"}
	Target = &Field{"target", 0, 12, 0, "address to go to"}
)

// Opcodes. 0 is none, so that empty memory is not a program.
const (
	Halt = 1 + iota
	Embed
	Table
	Load
	Norm
	Add
	Project
	Attend
	Head
	Loop
	More
	Emit
	Gather
)

// Set is the instruction set; Set[i].Op is i+1.
var Set = []*Kind{
	{Halt, "halt", nil, "ends the run"},
	{Embed, "embed", []*Field{Rows}, "takes the next token, of the queue or the prompt while these last, else the one emitted last, and asks the memory for its row of the embedding table"},
	{Table, "table", []*Field{Rows}, "asks the memory for all rows of the embedding table, for the output head"},
	{Load, "load", []*Field{Slot}, "vector unit: x[slot] = row << emb_shift"},
	{Norm, "norm", []*Field{Dst, Slot}, "vector unit: dst = norm(x[slot])"},
	{Add, "add", []*Field{Src, Slot}, "vector unit: x[slot] = sat16(x[slot] + src)"},
	{Project, "mvm", []*Field{Layer, Dst, Src, Bank, Count, MVM}, "PIM bank: the matrices of op times src, one after the other"},
	{Attend, "attend", []*Field{Dst, Src, Store, Follow}, "attention engine: dst = attention of q, k, v in src, src+1, src+2; the next layer of the token, or with more the next token of the block"},
	{Head, "head", []*Field{Src}, "output head and sampler: logits of src, and a token drawn from them"},
	{Loop, "loop", []*Field{Times, Target}, "adds 1 to the layer register; goes to target unless it has reached times, else sets it to 0 and goes on"},
	{More, "more", []*Field{Target}, "goes to target while the prompt has more tokens; ends the run when there are none and no token is to be written"},
	{Emit, "emit", []*Field{Target}, "waits for the sampler's token and gives it to the host; goes to target while the budget lasts"},
	{Gather, "gather", []*Field{Tokens, Target}, "takes tokens of the prompt into the queue until there are as many, or no more; goes to target unless there are as many"},
}

// Word is an instruction with the values of its fields, in the order of Kind.Fields.
type Word struct {
	Kind   *Kind
	Values []int
}

// Value is the value of field f, or 0 if the instruction does not have it.
func (w Word) Value(f *Field) int {
	for i, g := range w.Kind.Fields {
		if g == f {
			return w.Values[i]
		}
	}
	return 0
}

// New is an instruction. It panics when a value is out of range or missing.
func New(op int, values ...int) Word {
	w := Word{Set[op-1], values}
	if _, err := w.Encode(); err != nil {
		panic("isa: " + err.Error())
	}
	return w
}

// Encode gives the 32 bits of w.
func (w Word) Encode() (uint32, error) {
	if len(w.Values) != len(w.Kind.Fields) {
		return 0, fmt.Errorf("%s has %d fields, given are %d values", w.Kind.Name, len(w.Kind.Fields), len(w.Values))
	}
	code := uint32(w.Kind.Op) << 28
	for i, f := range w.Kind.Fields {
		if v := w.Values[i]; v < f.Bias || v > f.Max() {
			return 0, fmt.Errorf("%s of %s is %d, allowed are %d to %d", f.Name, w.Kind.Name, v, f.Bias, f.Max())
		}
		code |= uint32(w.Values[i]-f.Bias) << f.Lo
	}
	return code, nil
}

// Used is the bits that an instruction of kind k may set.
func (k *Kind) Used() uint32 {
	used := uint32(15) << 28
	for _, f := range k.Fields {
		used |= (1<<f.W - 1) << f.Lo
	}
	return used
}

// Decode is the inverse of Encode. An error says what no instruction has.
func Decode(code uint32) (Word, error) {
	op := int(code >> 28)
	if op < 1 || op > len(Set) {
		return Word{}, fmt.Errorf("%08x: there is no opcode %d", code, op)
	}
	k := Set[op-1]
	if rest := code &^ k.Used(); rest != 0 {
		return Word{}, fmt.Errorf("%08x: %s does not use bit %d", code, k.Name, bits.Len32(rest)-1)
	}
	w := Word{Kind: k}
	for _, f := range k.Fields {
		w.Values = append(w.Values, int(code>>f.Lo&(1<<f.W-1))+f.Bias)
	}
	return w, nil
}
