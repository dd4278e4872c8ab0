package device

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// ADC steps: what one code of a converter means.
const (
	StepIdeal = "ideal" // the exact sum, at whatever width it needs
	StepClip  = "clip"  // 1 LSB is one ON cell (or lsb of them); saturates at the ends of the code
	StepFull  = "full"  // full scale is Active ON cells: 1 LSB is Active / 2^(Bits-1) cells
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

// Tables is one crossbar with its effects, in integers. Pos and Neg are [Cols][Rows], column
// by column, in units of 2^-Frac ON cells. Gain, Offset, Bow and Skew have one element a
// converter; with separate conversions those of W+ come first, then those of W-.
type Tables struct {
	Shape
	Effects
	ID uint64

	Frac     int // CellFrac with conductances, else 0
	Pos, Neg []uint16

	Trimmed    bool    // the converters have Gain and Offset: codes are not just rounded sums
	Gain       []int64 // LSBs per unit of a sum, 2^-CodeFrac
	Offset     []int64 // LSBs, 2^-CodeFrac, the half of the rounding included
	Curved     bool    // the converters have Bow and Skew
	Bow, Skew  []int64 // second and third order of the INL, LSBs at the peak, 2^-INLFrac; Skew as coefficient
	NoiseScale int64   // LSBs per step of Noise, 2^-CodeFrac; 0: no noise
	Key        uint64  // of Noise

	Hash [32]byte // SHA-256 of all that the tables were made from
	fast *fast
}

// Make builds the tables of crossbar id from weights [cols][rows] of -1, 0 and 1 (smaller: the
// rest is 0). With wire resistances the crossbars are solved as networks, which takes
// seconds at 256 x 256; ctx ends that early. Errors are effects out of range, effects that an
// ideal converter cannot have, and weights that do not fit.
func Make(ctx context.Context, s Shape, weights [][]int8, e Effects, id uint64) (*Tables, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	if s.Step == StepIdeal && (e.Converters() || e.ReadNoise > 0) {
		return nil, fmt.Errorf("an ideal converter has no offset, gain, INL, noise or LSB; allowed with steps %q and %q", StepClip, StepFull)
	}
	if s.Step == StepFull && e.lsb() != 1 {
		return nil, fmt.Errorf("adc lsb is %g, but step %q has its own", e.LSB, StepFull)
	}
	t := &Tables{Shape: s, Effects: e, ID: id}
	if err := t.cells(ctx, weights); err != nil {
		return nil, err
	}
	t.converters()
	t.Hash = t.hash(weights)
	t.fast = newFast(t)
	return t, nil
}

// cells fills Pos and Neg.
func (t *Tables) cells(ctx context.Context, weights [][]int8) error {
	if len(weights) > t.Cols {
		return fmt.Errorf("the matrix has %d outputs, the crossbar has %d columns", len(weights), t.Cols)
	}
	t.Pos, t.Neg = make([]uint16, t.Cols*t.Rows), make([]uint16, t.Cols*t.Rows)
	for c, col := range weights {
		if len(col) > t.Rows {
			return fmt.Errorf("the matrix has %d inputs, the crossbar has %d rows", len(col), t.Rows)
		}
		for r, w := range col {
			switch w {
			case 1:
				t.Pos[c*t.Rows+r] = 1
			case -1:
				t.Neg[c*t.Rows+r] = 1
			case 0:
			default:
				return fmt.Errorf("weight [%d][%d] is %d, allowed are -1, 0 and 1", c, r, w)
			}
		}
	}
	if !t.Conductances() {
		return nil
	}
	t.Frac = CellFrac
	for part, half := range [][]uint16{partPos: t.Pos, partNeg: t.Neg} {
		if err := t.conduct(ctx, part, half); err != nil {
			return err
		}
	}
	return nil
}

// conduct turns ON and OFF cells into conductances. DAC lines that are not driven are at 0 V and
// columns at virtual ground, so that IR drop is part of the conductances.
func (t *Tables) conduct(ctx context.Context, part int, half []uint16) error {
	g := make([]float64, t.Rows*t.Cols) // [Rows][Cols]
	for i, on := range half {
		g[i%t.Rows*t.Cols+i/t.Rows] = t.cell(on == 1, newStream(t.Seed, t.ID, part, i))
	}
	if t.WireRow > 0 || t.WireCol > 0 {
		net := Network{Rows: t.Rows, Cols: t.Cols, G: g, RowWire: t.WireRow, ColWire: t.WireCol}
		var err error
		if g, err = net.Effective(ctx); err != nil {
			return err
		}
	}
	for i := range half {
		r, c := i%t.Rows, i/t.Rows
		x := g[r*t.Cols+c] * (1 - t.FarRow*along(c, t.Cols)) * (1 - t.FarCol*along(r, t.Rows))
		half[i] = uint16(math.Round(min(max(x, 0), MaxConductance) * (1 << CellFrac)))
	}
	return nil
}

// along is how far i of n is from the first to the last, 0 .. 1.
func along(i, n int) float64 { return float64(i) / float64(max(n-1, 1)) }

// converters fills the tables of the converters.
func (t *Tables) converters() {
	t.Trimmed = t.Effects.Converters() || t.Step == StepFull && (t.Conductances() || t.ReadNoise > 0)
	t.Curved = t.ADCINL > 0
	lsb := t.lsb()
	if t.Step == StepFull {
		lsb = float64(t.Active) / float64(int(1)<<(t.Bits-1))
		if t.Separate {
			lsb /= 2
		}
	}
	n := t.Shape.Converters
	if t.Separate {
		n *= 2
	}
	for a := range n {
		draw := newStream(t.Seed, t.ID, partConverter, a)
		if t.Trimmed {
			gain := min(max(1+t.ADCGain*draw.normal(drawGain), 0), 2)
			t.Gain = append(t.Gain, fixed(gain/lsb, CodeFrac-t.Frac))
			t.Offset = append(t.Offset, fixed(t.ADCOffset*draw.normal(drawOffset)+0.5, CodeFrac))
		}
		if t.Curved {
			most := float64(int(1)<<(INLBits-1)-1) / (1 << INLFrac)
			limit := func(v float64) float64 { return min(max(v, -most), most) }
			t.Bow = append(t.Bow, fixed(limit(t.ADCINL*math.Sqrt2/2*draw.normal(drawBow)), INLFrac))
			t.Skew = append(t.Skew, fixed(limit(t.ADCINL*math.Sqrt2/2*skewPeak*draw.normal(drawSkew)), INLFrac))
		}
	}
	if t.ReadNoise > 0 {
		t.NoiseScale = fixed(t.ReadNoise/NoiseSD, CodeFrac)
		t.Key = newStream(t.Seed, t.ID, partCrossbar, 0).word(drawNoise)
	}
}

// fixed is v with frac fraction bits, rounded.
func fixed(v float64, frac int) int64 { return int64(math.Round(math.Ldexp(v, frac))) }

// hash is over geometry, effects, id and weights.
func (t *Tables) hash(weights [][]int8) [32]byte {
	text, err := json.Marshal(struct {
		Shape   Shape
		Effects Effects
		ID      uint64
		Frac    int
	}{t.Shape, t.Effects, t.ID, t.Frac})
	if err != nil {
		panic("device: " + err.Error()) // NaN was refused by Check
	}
	h := sha256.New()
	h.Write(text)
	for _, col := range weights {
		binary.Write(h, binary.LittleEndian, uint32(len(col)))
		binary.Write(h, binary.LittleEndian, col)
	}
	return [32]byte(h.Sum(nil))
}
