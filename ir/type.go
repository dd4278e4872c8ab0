// Package ir is the hardware intermediate representation that everything meets in: hw
// builds it, rtl prints it as Verilog, verify executes it.
//
// A Design is a hierarchy of Modules. A Module holds ports, combinational Nodes, registers,
// memories and instances. An instance may be a regular grid (an Array) whose ports are wired
// by rule, so that the description of a 32x32 array is as small as that of a 4x4 one. A
// module with a Macro is an analog or memory part: it behaves as its nodes say and is a black
// box for synthesis.
//
// Clock and reset are implicit: one clock, one synchronous active-high reset. All widths are
// explicit; signedness belongs to operations, never to types.
package ir

import "fmt"

// MaxWidth is the widest element in bits. Wider values are vectors.
const MaxWidth = 64

// Type is a vector of N elements of W bits each, 1 <= N, 1 <= W <= MaxWidth. N = 1 is a
// scalar. In a packed word element 0 stands in the low bits.
type Type struct{ N, W int }

// Bits is the scalar type of w bits.
func Bits(w int) Type { return Type{1, w} }

// Vec is the vector type of n elements of w bits.
func Vec(n, w int) Type { return Type{n, w} }

// Total is the number of bits of the packed word.
func (t Type) Total() int { return t.N * t.W }

// String prints "u8" for a scalar of 8 bits and "4xu8" for a vector of four.
func (t Type) String() string {
	if t.N == 1 {
		return fmt.Sprintf("u%d", t.W)
	}
	return fmt.Sprintf("%dxu%d", t.N, t.W)
}

// Loc is where a piece of hardware came from: the place in the user's description and the
// block of package hw that built it.
type Loc struct {
	File      string
	Line, Col int
	Block     string
}

// String prints file:line:col (block), leaving out what is not known.
func (l *Loc) String() string {
	switch {
	case l == nil:
		return "?"
	case l.File == "":
		return l.Block
	case l.Block == "":
		return fmt.Sprintf("%s:%d:%d", l.File, l.Line, l.Col)
	}
	return fmt.Sprintf("%s:%d:%d (%s)", l.File, l.Line, l.Col, l.Block)
}

// ClogTwo is the number of bits that count from 0 to n-1, at least 1.
func ClogTwo(n int) int {
	w := 1
	for w < 62 && 1<<w < n {
		w++
	}
	return w
}
