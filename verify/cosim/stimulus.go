package cosim

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
)

// Kinds of stimuli.
const (
	KindRandom   = "random"   // uniform
	KindExtreme  = "extreme"  // ends of ranges, held for random times
	KindDirected = "directed" // given records
)

// Stimulus is a sequence of input records; the same value always gives the same sequence.
type Stimulus struct {
	Kind    string
	Seed    uint64
	Records []uint64 // KindDirected: input records as in verify.Engine
}

// Random is two cycles of reset, then uniformly random inputs with a reset pulse every 512
// cycles on average.
func Random(seed uint64) Stimulus { return Stimulus{Kind: KindRandom, Seed: seed} }

// Extreme is two cycles of reset, then inputs that stay for random times at zero, all ones,
// the sign bit, the largest positive number, one, alternating bits, a walking one, values
// near those, or random ones; with a reset pulse every 128 cycles on average. Long runs of
// equal extremes make sums overflow and counters wrap.
func Extreme(seed uint64) Stimulus { return Stimulus{Kind: KindExtreme, Seed: seed} }

// Directed is the given input records, resets included.
func Directed(records []uint64) Stimulus { return Stimulus{Kind: KindDirected, Records: records} }

// source makes the records of a stimulus one after the other.
type source struct {
	kind   string
	shape  verify.Shape
	rng    *rand.Rand
	given  []uint64
	holds  []hold // one a port
	resets int    // cycles of reset still to come
}

// hold is what an input port does for some cycles.
type hold struct {
	left int
	each bool // another mode for each element
	mode []int
	step int
}

func (s Stimulus) start(shape verify.Shape) (*source, error) {
	src := &source{kind: s.Kind, shape: shape, resets: 2, rng: rand.New(rand.NewPCG(s.Seed, 0x6f686d6c6f6f6d))}
	switch s.Kind {
	case KindRandom, KindExtreme:
	case KindDirected:
		if len(s.Records)%shape.InWords != 0 {
			return nil, fmt.Errorf("%d words of stimulus are no whole number of records of %d", len(s.Records), shape.InWords)
		}
		src.given = s.Records
	default:
		return nil, fmt.Errorf("stimulus %q is not one of %s, %s, %s", s.Kind, KindRandom, KindExtreme, KindDirected)
	}
	for _, p := range shape.In {
		src.holds = append(src.holds, hold{mode: make([]int, p.Type.N)})
	}
	return src, nil
}

// fill makes the next len(in)/InWords records.
func (s *source) fill(in []uint64) {
	if s.kind == KindDirected {
		s.given = s.given[copy(in, s.given):]
		return
	}
	for ; len(in) > 0; in = in[s.shape.InWords:] {
		in[0] = s.reset()
		at := 1
		for i, p := range s.shape.In {
			elems := in[at : at+p.Type.N]
			at += p.Type.N
			if s.kind == KindRandom {
				for k := range elems {
					elems[k] = s.rng.Uint64() & bits.Mask(p.Type.W)
				}
				continue
			}
			s.extreme(&s.holds[i], elems, p.Type.W)
		}
	}
}

func (s *source) reset() uint64 {
	every := 512
	if s.kind == KindExtreme {
		every = 128
	}
	if s.resets == 0 && s.rng.IntN(every) == 0 {
		s.resets = 1 + s.rng.IntN(3)
	}
	if s.resets > 0 {
		s.resets--
		return 1
	}
	return 0
}

// longestHold is the most cycles an input stays in one mode, long enough that a 32-bit sum of
// 8-bit extremes leaves its small values and short counters wrap.
const longestHold = 64

func (s *source) extreme(h *hold, elems []uint64, w int) {
	if h.left == 0 {
		h.left = 1 + s.rng.IntN(longestHold)
		if s.rng.IntN(3) == 0 {
			h.left = 1 + s.rng.IntN(3)
		}
		h.each = s.rng.IntN(2) == 0
		m := s.rng.IntN(len(modes))
		for i := range h.mode {
			if h.each {
				m = s.rng.IntN(len(modes))
			}
			h.mode[i] = m
		}
	}
	h.left--
	h.step++
	for i := range elems {
		elems[i] = modes[h.mode[i]](s.rng, h.step, w) & bits.Mask(w)
	}
}

// modes are the values of one element of w bits in step t.
var modes = []func(r *rand.Rand, t, w int) uint64{
	func(*rand.Rand, int, int) uint64 { return 0 },
	func(*rand.Rand, int, int) uint64 { return ^uint64(0) },
	func(_ *rand.Rand, _, w int) uint64 { return 1 << (w - 1) },
	func(_ *rand.Rand, _, w int) uint64 { return bits.Mask(w) >> 1 },
	func(*rand.Rand, int, int) uint64 { return 1 },
	func(_ *rand.Rand, t, _ int) uint64 { return 0x5555555555555555 << (t & 1) },
	func(_ *rand.Rand, t, w int) uint64 { return 1 << (t % w) },
	func(_ *rand.Rand, t, w int) uint64 { return ^(uint64(1) << (t % w)) },
	func(r *rand.Rand, _, w int) uint64 { return 1<<(w-1) + uint64(r.IntN(5)) - 2 },
	func(r *rand.Rand, _, _ int) uint64 { return uint64(r.IntN(5)) - 2 },
	func(r *rand.Rand, _, _ int) uint64 { return r.Uint64() },
	func(r *rand.Rand, _, _ int) uint64 { return r.Uint64() },
}

// stimulusHead is the first line of a stimulus file.
const stimulusHead = "ohmloom stimulus 1"

// WriteStimulus writes records for design top: a line of ports, then a line a cycle with the
// reset and every element in hexadecimal, and before them the power-on seed.
func WriteStimulus(w io.Writer, top *ir.Module, power uint64, records []uint64) error {
	b := bufio.NewWriter(w)
	s := verify.ShapeOf(top)
	fmt.Fprintf(b, "%s\npower %#x\n%s\n", stimulusHead, power, portLine(s))
	for ; len(records) > 0; records = records[s.InWords:] {
		for i, v := range records[:s.InWords] {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(strconv.FormatUint(v, 16))
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

func portLine(s verify.Shape) string {
	l := "ports rst"
	for _, p := range s.In {
		l += fmt.Sprintf(" %s:%s", p.Name, p.Type)
	}
	return l
}

// ReadStimulus reads what WriteStimulus wrote for a design with the same input ports.
func ReadStimulus(r io.Reader, top *ir.Module) (s Stimulus, power uint64, err error) {
	shape := verify.ShapeOf(top)
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<26)
	line := 0
	bad := func(format string, a ...any) (Stimulus, uint64, error) {
		return Stimulus{}, 0, fmt.Errorf("stimulus file, line %d: %s", line, fmt.Sprintf(format, a...))
	}
	s.Kind = KindDirected
	for sc.Scan() {
		line++
		text := sc.Text()
		switch line {
		case 1:
			if text != stimulusHead {
				return bad("is %q, not %q", text, stimulusHead)
			}
		case 2:
			if _, err := fmt.Sscanf(text, "power %v", &power); err != nil {
				return bad("no power-on seed in %q", text)
			}
		case 3:
			if text != portLine(shape) {
				return bad("it is for another design: %q, but %s has %q", text, top.Name, portLine(shape))
			}
		default:
			fields := strings.Fields(text)
			if len(fields) != shape.InWords {
				return bad("%d values, want %d", len(fields), shape.InWords)
			}
			for _, f := range fields {
				v, err := strconv.ParseUint(f, 16, 64)
				if err != nil {
					return bad("%q is no hexadecimal number of up to 64 bits", f)
				}
				s.Records = append(s.Records, v)
			}
		}
	}
	if err := sc.Err(); err != nil {
		return bad("%v", err)
	}
	if line < 4 {
		return bad("the file ends before the first record")
	}
	return s, power, nil
}
