// Package verify executes designs and compares executions: engines, the contract they share,
// lockstep co-simulation, random designs, mutation and equivalence checks.
package verify

import "ohmloom/ir"

// Engine executes one design cycle by cycle. All engines keep this contract.
//
// A cycle is: set the inputs, settle, sample the outputs, then the clock edge. Inputs and
// outputs travel as records of 64-bit words, one word an element: an input record is the
// reset bit followed by every element of every input port in port order; an output record is
// every element of every output port in port order. Bits above an element's width are zero
// in outputs and ignored in inputs.
//
// Load and Power set the power-on state: registers with a reset start, like those without,
// from the seeded random value of ir.InitWord; reset is only what the rst input does.
type Engine interface {
	// Name is "interp", "gosim", "verilated" or "icarus".
	Name() string
	// Power puts the design into its power-on state: memories hold Init, else img's data
	// (Loaded memories; img may be nil), else seeded words; registers hold seeded words.
	Power(seed uint64, img *ir.Image) error
	// Run executes n cycles: in holds n input records, out receives n output records.
	Run(in, out []uint64, n int) error
	// Close releases what the engine holds. It may be called twice.
	Close() error
}

// Shape gives the record layout of a design's ports.
type Shape struct {
	In, Out           []*ir.Port
	InWords, OutWords int // words a record; InWords counts the reset word
}

// ShapeOf is the record layout of module m.
func ShapeOf(m *ir.Module) Shape {
	s := Shape{In: m.Inputs(), Out: m.Outputs(), InWords: 1}
	for _, p := range s.In {
		s.InWords += p.Type.N
	}
	for _, p := range s.Out {
		s.OutWords += p.Type.N
	}
	return s
}
