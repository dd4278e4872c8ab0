package axi

import (
	"fmt"
	"math/rand"

	"ohmloom/ir/bits"
)

// Lite is a master at the AXI4-Lite slave port Prefix*. Addresses and data of writes go their own
// ways, as late as chance makes them.
type Lite struct {
	Prefix string     // of the ports, as "s_axi_"
	Rand   *rand.Rand // nil: never stalls
	Stall  float64    // chance in each cycle that a beat is held back, or not taken
	Most   int        // cycles that an access may take; 0: 10,000

	Bench *Bench // for Read32 and Write32

	Responses []uint64    // of the writes, in order
	Answers   [][2]uint64 // of the reads: data and response

	aw, w, ar Source
}

// QueueWrite and QueueRead start an access of 4 bytes, without waiting for it. strobes has a bit
// for each byte.
func (l *Lite) QueueWrite(addr, data uint32, strobes uint) {
	l.aw.Queue = append(l.aw.Queue, [][]uint64{{uint64(addr)}, {l.prot()}})
	s := []uint64{0, 0, 0, 0}
	for i := range s {
		s[i] = uint64(strobes >> i & 1)
	}
	l.w.Queue = append(l.w.Queue, [][]uint64{{uint64(data)}, s})
}

func (l *Lite) QueueRead(addr uint32) {
	l.ar.Queue = append(l.ar.Queue, [][]uint64{{uint64(addr)}, {l.prot()}})
}

// prot is what nobody looks at.
func (l *Lite) prot() uint64 {
	if l.Rand == nil {
		return 0
	}
	return l.Rand.Uint64()
}

// Drive implements Agent.
func (l *Lite) Drive(s *Signals) {
	for _, c := range []struct {
		source *Source
		name   string
		fields []string
	}{{&l.aw, "aw", []string{"addr", "prot"}}, {&l.w, "w", []string{"data", "strb"}}, {&l.ar, "ar", []string{"addr", "prot"}}} {
		c.source.Prefix, c.source.Fields, c.source.Rand, c.source.Stall = l.Prefix+c.name, c.fields, l.Rand, l.Stall
		c.source.Drive(s)
	}
	s.Set(l.Prefix+"bready", bits.Bool(!chance(l.Rand, l.Stall)))
	s.Set(l.Prefix+"rready", bits.Bool(!chance(l.Rand, l.Stall)))
}

// Observe implements Agent.
func (l *Lite) Observe(s *Signals) error {
	for _, c := range []*Source{&l.aw, &l.w, &l.ar} {
		if err := c.Observe(s); err != nil {
			return err
		}
	}
	if fires(s, l.Prefix+"b") {
		l.Responses = append(l.Responses, s.One(l.Prefix+"bresp"))
	}
	if fires(s, l.Prefix+"r") {
		l.Answers = append(l.Answers, [2]uint64{s.One(l.Prefix + "rdata"), s.One(l.Prefix + "rresp")})
	}
	return nil
}

func (l *Lite) most() int {
	if l.Most == 0 {
		return 10_000
	}
	return l.Most
}

// Error is an access that was answered with an error.
type Error struct {
	Access string // "read" or "write"
	Offset uint32
	Resp   uint64
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s of register %#x: response %d", e.Access, e.Offset, e.Resp)
}

// Write32 writes a register and waits for the answer; an *Error says that it was refused.
func (l *Lite) Write32(offset, value uint32) error {
	n := len(l.Responses)
	l.QueueWrite(offset, value, 15)
	if err := l.Bench.Until(l.most(), fmt.Sprintf("the answer to a write of register %#x", offset), func() bool { return len(l.Responses) > n }); err != nil {
		return err
	}
	if resp := l.Responses[n]; resp != Okay {
		return &Error{"write", offset, resp}
	}
	return nil
}

// Read32 reads a register; an *Error says that it was refused.
func (l *Lite) Read32(offset uint32) (uint32, error) {
	n := len(l.Answers)
	l.QueueRead(offset)
	if err := l.Bench.Until(l.most(), fmt.Sprintf("the answer to a read of register %#x", offset), func() bool { return len(l.Answers) > n }); err != nil {
		return 0, err
	}
	if resp := l.Answers[n][1]; resp != Okay {
		return 0, &Error{"read", offset, resp}
	}
	return uint32(l.Answers[n][0]), nil
}
