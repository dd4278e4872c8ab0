// Package axi is what stands round a design with AXI ports in simulation: a bench that runs it
// cycle by cycle with agents at its ports, a memory that answers an AXI4 master, a master for
// AXI4-Lite, and monitors that hold every port to the rules of AMBA AXI4 (Arm IHI 0022). Whatever
// waits or stalls does so by chance, from a seed.
package axi

import (
	"fmt"
	"math/rand"
	"slices"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
)

// Agent stands at some ports of a design.
type Agent interface {
	// Drive sets inputs at the beginning of a cycle, from what was seen in cycles before.
	Drive(s *Signals)
	// Observe sees all ports of the cycle; an error ends the run.
	Observe(s *Signals) error
}

// Signals is the ports of a design in one cycle.
type Signals struct {
	Cycle   int
	Reset   bool
	in, out []uint64
	at      map[string]span
}

type span struct {
	out   bool
	at, n int
	w     int
}

func (s *Signals) span(port string) (span, []uint64) {
	p, ok := s.at[port]
	if !ok {
		panic("axi: the design has no port " + port)
	}
	if p.out {
		return p, s.out[p.at : p.at+p.n]
	}
	return p, s.in[p.at : p.at+p.n]
}

// Has tells whether there is such a port.
func (s *Signals) Has(port string) bool { _, ok := s.at[port]; return ok }

// Get is the elements of a port; the slice is only valid in this cycle.
func (s *Signals) Get(port string) []uint64 { _, v := s.span(port); return v }

// Inputs is the cycle's input record, as in verify.Engine; the slice is only valid in this cycle.
func (s *Signals) Inputs() []uint64 { return s.in }

// One is the first element of a port.
func (s *Signals) One(port string) uint64 { return s.Get(port)[0] }

// Set gives an input its elements.
func (s *Signals) Set(port string, v ...uint64) {
	p, to := s.span(port)
	if p.out || len(v) != p.n {
		panic(fmt.Sprintf("axi: input %s is set to %d elements", port, len(v)))
	}
	for i := range v {
		to[i] = v[i] & bits.Mask(p.w)
	}
}

// Noise gives an input random elements: what a payload is while its valid is 0.
func (s *Signals) Noise(r *rand.Rand, port string) {
	p, to := s.span(port)
	for i := range to {
		to[i] = r.Uint64() & bits.Mask(p.w)
	}
}

// Bench runs a design with agents. Reset follows output reset_request, where there is one, in
// the same cycle's edge, and is 1 in the first two cycles.
type Bench struct {
	Signals
	e      verify.Engine
	agents []Agent
	resets int // cycles of reset still to come
	wants  bool
}

// NewBench stands agents round the design; the engine must have been powered up.
func NewBench(e verify.Engine, top *ir.Module, agents ...Agent) *Bench {
	shape := verify.ShapeOf(top)
	b := &Bench{e: e, agents: agents, resets: 2,
		Signals: Signals{in: make([]uint64, shape.InWords), out: make([]uint64, shape.OutWords), at: map[string]span{}}}
	at := 1
	for _, p := range shape.In {
		b.at[p.Name] = span{false, at, p.Type.N, p.Type.W}
		at += p.Type.N
	}
	at = 0
	for _, p := range shape.Out {
		b.at[p.Name] = span{true, at, p.Type.N, p.Type.W}
		at += p.Type.N
	}
	b.wants = b.Has("reset_request")
	return b
}

// Alias gives a port one more name.
func (b *Bench) Alias(name, port string) {
	p, _ := b.span(port)
	b.at[name] = p
}

// AskReset asks for n cycles of reset from the next one on.
func (b *Bench) AskReset(n int) { b.resets = n }

// Step is one cycle.
func (b *Bench) Step() error {
	b.Signals.Reset = b.resets > 0
	b.in[0] = bits.Bool(b.Signals.Reset)
	for _, a := range b.agents {
		a.Drive(&b.Signals)
	}
	if err := b.e.Run(b.in, b.out, 1); err != nil {
		return err
	}
	if b.resets > 0 {
		b.resets--
	} else if b.wants && b.One("reset_request") == 1 {
		b.resets = 1
	}
	for _, a := range b.agents {
		if err := a.Observe(&b.Signals); err != nil {
			return fmt.Errorf("cycle %d: %w", b.Cycle, err)
		}
	}
	b.Cycle++
	return nil
}

// Until steps until done says so, at most most cycles; what says what was waited for.
func (b *Bench) Until(most int, what string, done func() bool) error {
	for n := 0; !done(); n++ {
		if n == most {
			return fmt.Errorf("cycle %d: waited %d cycles for %s", b.Cycle, most, what)
		}
		if err := b.Step(); err != nil {
			return err
		}
	}
	return nil
}

// Source feeds beats into the input ports Prefix + valid and fields, as Prefix + ready takes them.
type Source struct {
	Prefix string
	Fields []string
	Queue  [][][]uint64 // beats, by field
	Rand   *rand.Rand   // nil: never stalls, and payloads stay what they were while nothing is valid
	Stall  float64      // chance in each cycle that a beat is held back

	up bool // the first is offered
}

// Drive implements Agent: it offers the first beat, and noise while there is none.
func (c *Source) Drive(s *Signals) {
	if s.Reset { // nobody looks at beats in a reset; they are offered again
		c.up = false
	} else if !c.up && len(c.Queue) > 0 && !chance(c.Rand, c.Stall) {
		c.up = true
	}
	s.Set(c.Prefix+"valid", bits.Bool(c.up))
	for i, f := range c.Fields {
		if c.up {
			s.Set(c.Prefix+f, c.Queue[0][i]...)
		} else if c.Rand != nil {
			s.Noise(c.Rand, c.Prefix+f)
		}
	}
}

// Observe implements Agent.
func (c *Source) Observe(s *Signals) error {
	if c.up && s.One(c.Prefix+"ready") == 1 {
		c.up, c.Queue = false, c.Queue[1:]
	}
	return nil
}

// chance is true with a probability, never without a source of it.
func chance(r *rand.Rand, p float64) bool { return r != nil && r.Float64() < p }

// Sink takes beats from output ports Prefix + valid and fields. Without Prefix + ready it takes
// one in each cycle in which it is valid.
type Sink struct {
	Prefix string
	Fields []string
	Rand   *rand.Rand
	Stall  float64 // chance in each cycle that a beat is not taken

	Got [][][]uint64 // beats, by field
}

// Drive implements Agent.
func (c *Sink) Drive(s *Signals) {
	if s.Has(c.Prefix + "ready") {
		s.Set(c.Prefix+"ready", bits.Bool(!chance(c.Rand, c.Stall)))
	}
}

// Observe implements Agent.
func (c *Sink) Observe(s *Signals) error {
	if s.Reset || s.One(c.Prefix+"valid") == 0 || s.Has(c.Prefix+"ready") && s.One(c.Prefix+"ready") == 0 {
		return nil
	}
	var beat [][]uint64
	for _, f := range c.Fields {
		beat = append(beat, slices.Clone(s.Get(c.Prefix+f)))
	}
	c.Got = append(c.Got, beat)
	return nil
}

// fires tells whether a beat of an output channel was taken.
func fires(s *Signals, prefix string) bool {
	return !s.Reset && s.One(prefix+"valid") == 1 && s.One(prefix+"ready") == 1
}
