package device

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// ADC steps: what one code of a converter means.
const (
	StepIdeal = "ideal" // the exact sum, at whatever width it needs
	StepClip  = "clip"  // 1 LSB is one ON cell (or lsb of them); saturates at the ends of the code
	StepFull  = "full"  // the highest code is Active ON cells: 1 LSB is Active / FullScale() cells
)

// Fixed point of the tables.
const (
	CellFrac       = 8                 // fraction bits of a conductance
	MaxConductance = 4 - 1.0/(1<<8)    // in ON cells; CellBits hold it
	CellBits       = CellFrac + 2      // of one cell
	CodeFrac       = 24                // fraction bits of a code before it is rounded
	INLFrac        = 8                 // fraction bits of Bow and Skew
	GainBits       = 40                // holds any Gain, unsigned
	OffsetBits     = 40                // holds any Offset, two's complement
	INLBits        = 14                // holds any Bow and Skew, two's complement
	NoiseBits      = 25                // holds NoiseScale, unsigned
	CodeBits       = 52                // holds any code before it is clamped, with CodeFrac, two's complement
	scaleBits      = 16                // binary digits to which the size of an LSB is taken
	skewPeak       = 2.598076211353316 // 1 / max of u - u^3 in 0..1
)

// Shape is the geometry of a crossbar pair and its converters: column c is read by converter
// c % Converters in step c / Converters.
type Shape struct {
	Rows, Cols int    // cells each way
	Converters int    // converters of differences; twice as many when conversions are separate
	Active     int    // rows driven in one conversion
	Bits       int    // bits of a code; ideal ignores it
	Step       string // StepIdeal, StepClip or StepFull
}

// Steps is how many conversions it takes to read every column once, Groups how many to
// drive every row once.
func (s Shape) Steps() int  { return (s.Cols + s.Converters - 1) / s.Converters }
func (s Shape) Groups() int { return (s.Rows + s.Active - 1) / s.Active }

// Conversions is the number of conversions of one product, over 8 bit planes.
func (s Shape) Conversions() int { return 8 * s.Groups() * s.Steps() }

// Spec is what decides the form of a crossbar: its geometry, and which effects are on.
type Spec struct {
	Shape
	Effects
}

// Check says what does not fit: effects out of range, and those a converter cannot have.
func (s Spec) Check() error {
	if err := s.Effects.Check(); err != nil {
		return err
	}
	if s.Step == StepIdeal && (s.trims() || s.Noisy()) {
		return fmt.Errorf("an ideal converter has no offset, gain, INL, noise or LSB; allowed with steps %q and %q", StepClip, StepFull)
	}
	if s.Step == StepFull && s.lsb() != 1 {
		return fmt.Errorf("adc lsb is %g, but step %q has its own", s.LSB, StepFull)
	}
	return nil
}

// Form names what the tables of a crossbar must agree in with the hardware they are loaded
// into, whatever the size of effects, the seed and the weights: the first 64 bits of a SHA-256.
func (s Spec) Form() uint64 {
	num, shift := s.CellScale()
	h := sha256.Sum256(fmt.Appendf(nil, "%+v %d %t %t %t %t %d %d", s.Shape, s.Frac(), s.Trimmed(), s.Curved(), s.Noisy(), s.Separate, num, shift))
	return binary.BigEndian.Uint64(h[:])
}

// Frac is the number of fraction bits of a cell: CellFrac with conductances, else 0.
func (s Spec) Frac() int {
	if s.conducts() {
		return CellFrac
	}
	return 0
}

// Trimmed reports that converters have Gain and Offset: codes are not just rounded sums.
// Curved reports that they have Bow and Skew, Noisy that they have NoiseScale and Key.
func (s Spec) Trimmed() bool { return s.trims() || s.Step == StepFull && !s.Ideal() }
func (s Spec) Curved() bool  { return s.ADCINL > 0 }
func (s Spec) Noisy() bool   { return s.ReadNoise > 0 }

// Range is the lowest and the highest code of one converter. An ideal one has no ends.
func (s Spec) Range() (lo, hi int64) {
	if s.Separate {
		return 0, 1<<s.Bits - 1
	}
	return -1 << (s.Bits - 1), 1<<(s.Bits-1) - 1
}

// Cells is a sum of codes, weighted by bit planes and added over row groups, in ON cells,
// rounded once: an int32 as the shift-and-add unit gives it.
func (s Spec) Cells(sum int64) int32 {
	num, shift := s.CellScale()
	if shift > 0 {
		sum = (2*sum*num + 1<<shift) >> (shift + 1)
	} else {
		sum *= num
	}
	return int32(sum)
}

// FullScale is the code of Active ON cells with step "full": the highest one, or 1 where that
// is 0.
func (s Spec) FullScale() int64 {
	_, hi := s.Range()
	return max(hi, 1)
}

// cellsPerCode is the size of an LSB; an ideal converter has none.
func (s Spec) cellsPerCode() float64 {
	if s.Step == StepFull {
		return float64(s.Active) / float64(s.FullScale())
	}
	return s.lsb()
}

// CellScale says how a sum of codes becomes cells: times num, then divided by 2^shift. It is
// the size of an LSB to scaleBits binary digits.
func (s Spec) CellScale() (num int64, shift int) {
	if s.Step == StepIdeal {
		return 1, s.Frac()
	}
	_, exp := math.Frexp(s.cellsPerCode()) // at most 1,024 cells, so that shift is positive
	shift = scaleBits - exp
	num = fixed(s.cellsPerCode(), shift)
	zeros := min(bits.TrailingZeros64(uint64(num)), shift)
	return num >> zeros, shift - zeros
}

// Slices is the number of bits of a cell: of the difference W+ - W- in two's complement, or
// with separate conversions of either, unsigned.
func (s Spec) Slices() int {
	n := 1
	if s.Frac() > 0 {
		n = CellBits
	}
	if !s.Separate {
		n++
	}
	return n
}
