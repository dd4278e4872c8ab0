package device

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// Tables is one crossbar with its effects, in integers. Pos and Neg are [Cols][Rows], column
// by column, in units of 2^-Frac() ON cells. Gain, Offset, Bow and Skew have one element a
// converter; with separate conversions those of W+ come first, then those of W-.
type Tables struct {
	Spec
	ID uint64

	Pos, Neg   []uint16
	Gain       []int64 // with Trimmed: LSBs per unit of a sum, 2^-CodeFrac
	Offset     []int64 // with Trimmed: LSBs, 2^-CodeFrac, the half of the rounding included
	Bow, Skew  []int64 // with Curved: second and third order of the INL, LSBs, 2^-INLFrac
	NoiseScale int64   // with Noisy: LSBs per step of Noise, 2^-CodeFrac
	Key        uint64  // of Noise

	Hash [32]byte // SHA-256 of all that the tables were made from
	fast *fast
}

// Make builds the tables of crossbar id from weights [cols][rows] of -1, 0 and 1 (smaller: the
// rest is 0). With wire resistances the crossbars are solved as networks, which takes
// seconds at 256 x 256; ctx ends that early. Errors are those of Spec.Check, and weights that
// do not fit.
func Make(ctx context.Context, s Spec, weights [][]int8, id uint64) (*Tables, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	t := &Tables{Spec: s, ID: id}
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
	if !t.conducts() {
		return nil
	}
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
	lsb := t.cellsPerCode()
	n := t.Converters
	if t.Separate {
		n *= 2
	}
	for a := range n {
		draw := newStream(t.Seed, t.ID, partConverter, a)
		if t.Trimmed() {
			gain := min(max(1+t.ADCGain*draw.normal(drawGain), 0), 2)
			t.Gain = append(t.Gain, fixed(gain/lsb, CodeFrac-t.Frac()))
			t.Offset = append(t.Offset, fixed(t.ADCOffset*draw.normal(drawOffset)+0.5, CodeFrac))
		}
		if t.Curved() {
			most := float64(int(1)<<(INLBits-1)-1) / (1 << INLFrac)
			limit := func(v float64) float64 { return min(max(v, -most), most) }
			t.Bow = append(t.Bow, fixed(limit(t.ADCINL*math.Sqrt2/2*draw.normal(drawBow)), INLFrac))
			t.Skew = append(t.Skew, fixed(limit(t.ADCINL*math.Sqrt2/2*skewPeak*draw.normal(drawSkew)), INLFrac))
		}
	}
	if t.Noisy() {
		t.NoiseScale = fixed(t.ReadNoise/NoiseSD, CodeFrac)
		t.Key = newStream(t.Seed, t.ID, partCrossbar, 0).word(drawNoise)
	}
}

// fixed is v with frac fraction bits, rounded.
func fixed(v float64, frac int) int64 { return int64(math.Round(math.Ldexp(v, frac))) }

// MadeOf reports whether Make made the tables of these.
func (t *Tables) MadeOf(s Spec, weights [][]int8, id uint64) bool {
	other := Tables{Spec: s, ID: id}
	return other.hash(weights) == t.Hash
}

// hash is over geometry, effects, id and weights.
func (t *Tables) hash(weights [][]int8) [32]byte {
	text, err := json.Marshal(struct {
		Spec Spec
		ID   uint64
		Frac int
	}{t.Spec, t.ID, t.Frac()})
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
