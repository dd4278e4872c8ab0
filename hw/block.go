// Package hw holds the hardware blocks. Each block says three things about itself side by
// side: its structure (Build, an ir.Module), its arithmetic (Arithmetic, plain Go integers,
// written independently of the structure) and its time (Cycles, exact and closed form). One
// generic test holds every block of Table to all three.
//
// Blocks talk through streams. An input stream x has ports x_valid (in), x_ready (out) and
// x_<field> (in); an output stream y has y_valid (out), y_ready (in) and y_<field> (out). A
// beat moves in every cycle in which valid and ready are both 1. An offered beat stays
// offered and unchanged until it is taken. Neither valid nor ready of a block depends
// combinationally on its inputs.
package hw

import (
	"fmt"
	"math/rand"
	"slices"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// Field is one value of a beat.
type Field struct {
	Name   string
	Type   ir.Type
	Signed bool // read each element as two's complement
	Doc    string
}

// Stream is a sequence of beats.
type Stream struct {
	Name   string
	Fields []Field
	Fixed  bool // there is no ready: a beat is taken in the cycle in which it is valid
	Doc    string
}

// Beat is what a stream moves in one cycle: the words of each field, in field order.
type Beat = [][]uint64

// Block is a piece of hardware with fixed parameters.
type Block interface {
	// Name is the module's name; it encodes the parameters.
	Name() string
	// Check says which parameter is out of its range, or nil.
	Check() error
	// Build is the structure. Modules already in lib are shared. It panics if Check fails.
	Build(lib *Lib) *ir.Module
	// Streams lists the input and the output streams.
	Streams() (in, out []Stream)
	// Arithmetic gives the output beats for the input beats, stream by stream.
	Arithmetic(in [][]Beat) (out [][]Beat)
	// Cycles counts from the cycle in which the first input beat is taken to the cycle in
	// which the last output beat is taken, both included, when all input beats are offered
	// and all output beats taken as early as the block allows.
	Cycles(in [][]Beat) int
}

// Loaded is a block with tables that are loaded at power-on.
type Loaded interface {
	Block
	// Image is the contents of the block's memories when its module is at the hierarchical
	// path prefix (for a top module: its name).
	Image(prefix string) *ir.Image
}

// Entry is one kind of block as the generic test sees it.
type Entry struct {
	Name   string
	Doc    string
	Random func(r *rand.Rand) Block                           // a block with random small parameters
	Work   func(r *rand.Rand, b Block, extreme bool) [][]Beat // input beats for each of its input streams
}

// Lib holds the modules built so far, by name, so that a module used in two places is one.
type Lib struct {
	loc  *ir.Loc
	mods map[string]*ir.Module
}

// NewLib starts an empty library; what is built from it came from loc, which may be nil.
func NewLib(loc *ir.Loc) *Lib { return &Lib{loc: loc, mods: map[string]*ir.Module{}} }

// At is the same library for hardware that came from loc.
func (l *Lib) At(loc *ir.Loc) *Lib { return &Lib{loc: loc, mods: l.mods} }

// module is the module called name, built by build unless it is there already.
func (l *Lib) module(block, name, doc string, build func(m *ir.Module)) *ir.Module {
	if m := l.mods[name]; m != nil {
		return m
	}
	loc := ir.Loc{Block: block}
	if l.loc != nil {
		loc = *l.loc
		loc.Block = block
	}
	m := ir.New(name, doc).At(&loc)
	build(m)
	regroup(m)
	l.mods[name] = m
	return m
}

// regroup moves the ports of each group together, groups in order of appearance and in each
// valid, ready and the rest, because a stream's ready is declared long after its valid.
func regroup(m *ir.Module) {
	order := map[string]int{}
	for _, p := range m.Ports {
		if _, ok := order[p.Group]; !ok {
			order[p.Group] = 3 * len(order)
		}
	}
	rank := func(p *ir.Port) int {
		at := order[p.Group]
		switch {
		case p.Group != "" && p.Name == p.Group+"_valid":
			return at
		case p.Group != "" && p.Name == p.Group+"_ready":
			return at + 1
		}
		return at + 2
	}
	slices.SortStableFunc(m.Ports, func(a, b *ir.Port) int { return rank(a) - rank(b) })
}

// must panics on wrong parameters: what a user may get wrong was diagnosed before.
func must(b Block) {
	if err := b.Check(); err != nil {
		panic("hw: " + err.Error())
	}
}

// inRange is an error unless lo <= v <= hi.
func inRange(block, param string, v, lo, hi int) error {
	if v < lo || v > hi {
		return fmt.Errorf("%s: %s is %d, allowed are %d to %d", block, param, v, lo, hi)
	}
	return nil
}

// firstError is the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// source is an input stream inside a module.
type source struct {
	m      *ir.Module
	s      Stream
	valid  *ir.Node
	fields []*ir.Node
}

// input declares the ports of input stream s; ready must be called later unless s is Fixed.
func input(m *ir.Module, s Stream) source {
	in := source{m: m, s: s, valid: m.In(s.Name+"_valid", ir.Bits(1), s.Doc)}
	for _, f := range s.Fields {
		in.fields = append(in.fields, m.In(s.Name+"_"+f.Name, f.Type, f.Doc))
	}
	m.Group(s.Name)
	return in
}

// ready drives the stream's ready and gives the cycle's transfer, valid and ready.
func (s source) ready(n *ir.Node) (fire *ir.Node) {
	s.m.Out(s.s.Name+"_ready", n, "a beat is taken when valid and ready are 1").Group = s.s.Name
	return s.valid.And(n).Named(s.s.Name + "_fire")
}

// output declares the ports of output stream s and gives its ready (nil when s is Fixed).
func output(m *ir.Module, s Stream) (ready *ir.Node) {
	if !s.Fixed {
		ready = m.In(s.Name+"_ready", ir.Bits(1), "a beat is taken when valid and ready are 1")
		m.Group(s.Name)
	}
	return ready
}

// declared declares the ports of all streams of a block but what drives its outputs.
func declared(m *ir.Module, streams func() (in, out []Stream)) (in []source, outs []Stream, ready []*ir.Node) {
	ins, outs := streams()
	for _, s := range ins {
		in = append(in, input(m, s))
	}
	for _, s := range outs {
		ready = append(ready, output(m, s))
	}
	return in, outs, ready
}

// drive connects the outputs of stream s.
func drive(m *ir.Module, s Stream, valid *ir.Node, fields ...*ir.Node) {
	m.Out(s.Name+"_valid", valid, s.Doc).Group = s.Name
	if len(fields) != len(s.Fields) {
		panic("hw: stream " + s.Name + " is driven with the wrong number of fields")
	}
	for i, f := range s.Fields {
		if fields[i].Type != f.Type {
			panic(fmt.Sprintf("hw: %s: field %s of %s is driven with %s", m.Name, f.Name, f.Type, fields[i].Type))
		}
		m.Out(s.Name+"_"+f.Name, fields[i], f.Doc).Group = s.Name
	}
}

// sbits is the width of two's complement that holds lo <= 0 and hi >= 0.
func sbits(lo, hi int) int {
	w := 1
	for lo < -1<<(w-1) || hi > 1<<(w-1)-1 {
		w++
	}
	return w
}

// ceilDiv is a / b rounded up, for a >= 0 and b > 0.
func ceilDiv(a, b int) int { return (a + b - 1) / b }

// word is v as w bits of two's complement; signed reads it back.
func word(v int64, w int) uint64   { return uint64(v) & bits.Mask(w) }
func signed(v uint64, w int) int64 { return bits.Signed(v, w) }

// words is word over a slice.
func words[T int8 | int32 | int64 | int](v []T, w int) []uint64 {
	out := make([]uint64, len(v))
	for i, x := range v {
		out[i] = word(int64(x), w)
	}
	return out
}

// SignedWords reads w-bit words as two's complement.
func SignedWords(v []uint64, w int) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = signed(x, w)
	}
	return out
}

// flag is a one-bit field.
func flag(b bool) []uint64 { return []uint64{bits.Bool(b)} }

// RandomBeats is n beats of random words for stream s; extreme takes only the values where
// arithmetic breaks: zero, one, all ones, the largest and the smallest.
func RandomBeats(r *rand.Rand, s Stream, n int, extreme bool) []Beat {
	beats := make([]Beat, n)
	for i := range beats {
		for _, f := range s.Fields {
			ws := make([]uint64, f.Type.N)
			for e := range ws {
				ws[e] = randomWord(r, f.Type.W, extreme)
			}
			beats[i] = append(beats[i], ws)
		}
	}
	return beats
}

func randomWord(r *rand.Rand, w int, extreme bool) uint64 {
	if !extreme {
		return r.Uint64() & bits.Mask(w)
	}
	top := uint64(1) << (w - 1)
	return [...]uint64{0, 1, bits.Mask(w), top, top - 1}[r.Intn(5)] & bits.Mask(w)
}

// oddSize is a random size of at most most: 1, primes and powers of two all occur.
func oddSize(r *rand.Rand, most int) int {
	if r.Intn(4) == 0 {
		return 1
	}
	return 1 + r.Intn(most)
}
