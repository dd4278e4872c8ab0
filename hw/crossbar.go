package hw

import (
	"fmt"
	"math/bits"
	"math/rand"
	"strconv"

	"ohmloom/ir"
)

// ADC steps: what one code of a converter means.
const (
	StepIdeal = "ideal" // the exact difference, at whatever width it needs
	StepClip  = "clip"  // 1 LSB is one ON cell; saturates at the ends of the code
	StepFull  = "full"  // full scale is Active ON cells: 1 LSB is Active / 2^(Bits-1) cells
)

// Crossbar is the analog part of a PIM processing element: a differential pair of crossbars
// with 1-bit DACs on the rows and shared converters on the columns. It is a macro.
//
// Cell (column c, row r) of pair half pos is ON where weight [c][r] is 1, of neg where it is
// -1. A conversion drives the rows whose DAC line is 1, at most Active of them, and converts
// Converters() columns at once: in step s converter a takes column s*Converters() + a, for
// Steps() steps. With D the number of driven ON cells of pos less those of neg, the code is
//
//	ideal  D
//	clip   min(max(D, -2^(Bits-1)), 2^(Bits-1) - 1)
//	full   the same clamp of floor(D * 2^(Bits-1) / Active + 1/2)
//
// Streams x (step, rows) and y (code) have no ready; latency 1 cycle, one conversion a
// cycle. Sources: clip, the integer-exact numerics; full and the differential pair, MNSIM 2.0.
type Crossbar struct {
	Rows, Cols int    // cells each way, 1..1024
	Share      int    // columns a converter serves, 1..Cols
	Active     int    // rows driven in one conversion, 1..Rows
	Bits       int    // bits of a code, 1..16; ideal ignores it
	Step       string // StepIdeal, StepClip or StepFull

	Weights [][]int8 // [Cols][Rows] of -1, 0, 1; nil is all zero; not part of the structure
}

// suffix encodes the parameters for names of modules.
func (b Crossbar) suffix() string {
	adc := b.Step
	if b.Step != StepIdeal {
		adc += strconv.Itoa(b.Bits)
	}
	return fmt.Sprintf("%dx%d_s%d_a%d_%s", b.Rows, b.Cols, b.Share, b.Active, adc)
}

func (b Crossbar) Name() string { return "crossbar_" + b.suffix() }

func (b Crossbar) Check() error {
	err := firstError(
		inRange("crossbar", "rows", b.Rows, 1, 1024),
		inRange("crossbar", "cols", b.Cols, 1, 1024),
		inRange("crossbar", "columns per converter", b.Share, 1, b.Cols),
		inRange("crossbar", "rows per conversion", b.Active, 1, b.Rows))
	if err != nil {
		return err
	}
	switch b.Step {
	case StepIdeal:
		return nil
	case StepClip, StepFull:
		return inRange("crossbar", "ADC bits", b.Bits, 1, 16)
	}
	return fmt.Errorf("crossbar: ADC step is %q, allowed are %q, %q and %q", b.Step, StepIdeal, StepClip, StepFull)
}

// Converters is the number of converters, A in the stream types.
func (b Crossbar) Converters() int { return ceilDiv(b.Cols, b.Share) }

// Steps is how many conversions it takes to read every column once, at most Share.
func (b Crossbar) Steps() int { return ceilDiv(b.Cols, b.Converters()) }

// Groups is how many conversions it takes to drive every row once.
func (b Crossbar) Groups() int { return ceilDiv(b.Rows, b.Active) }

// LosslessBits is the narrowest clip converter that loses nothing.
func (b Crossbar) LosslessBits() int { return sbits(-b.Active, b.Active) }

// codeBits is the width of a code.
func (b Crossbar) codeBits() int {
	switch b.Step {
	case StepIdeal:
		return b.LosslessBits()
	case StepClip:
		return min(b.Bits, b.LosslessBits())
	}
	return b.Bits
}

func (b Crossbar) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Fixed: true, Doc: "one conversion", Fields: []Field{
		{"step", ir.Bits(ir.ClogTwo(b.Steps())), false, "which column of its share each converter takes"},
		{"rows", ir.Vec(b.Rows, 1), false, "DAC lines"},
	}}
	y := Stream{Name: "y", Fixed: true, Doc: "codes of the conversion 1 cycle ago", Fields: []Field{
		{"code", ir.Vec(b.Converters(), b.codeBits()), true, "code of each converter"},
	}}
	return []Stream{x}, []Stream{y}
}

func (b Crossbar) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Differential pair of %d x %d crossbars, %d converters of %d bits (%s). Latency 1 cycle.",
		b.Rows, b.Cols, b.Converters(), b.codeBits(), b.Step)
	return lib.module("crossbar", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		w := sbits(-b.Rows, b.Rows)
		on := func(name string) *ir.Node {
			cells := m.Mem(name, b.Steps(), ir.Vec(b.Converters()*b.Rows, 1))
			cells.Loaded = true
			return x.fields[1].MaskedSum(m.Lookup(cells, x.fields[0]), w, false)
		}
		diff := on("pos").Sub(on("neg")).Named("diff")
		code := m.DataReg("code", ir.Vec(b.Converters(), b.codeBits()))
		code.SetEn(x.valid, b.convert(m, diff))
		drive(m, out[0], m.Reg("valid", ir.Bits(1), 0).Set(x.valid), code.Q)
		m.Macro = &ir.Macro{Kind: "crossbar", Latency: 1, Attrs: []ir.Attr{
			{Key: "rows", Value: strconv.Itoa(b.Rows)},
			{Key: "cols", Value: strconv.Itoa(b.Cols)},
			{Key: "cells", Value: strconv.Itoa(2 * b.Rows * b.Cols)},
			{Key: "dacs", Value: strconv.Itoa(b.Rows)},
			{Key: "converters", Value: strconv.Itoa(b.Converters())},
			{Key: "adc_bits", Value: strconv.Itoa(b.codeBits())},
			{Key: "adc_step", Value: b.Step},
			{Key: "rows_per_conversion", Value: strconv.Itoa(b.Active)},
		}}
	})
}

// convert is the transfer function of the converters.
func (b Crossbar) convert(m *ir.Module, diff *ir.Node) *ir.Node {
	w := diff.Type.W
	switch {
	case b.Step == StepFull:
		return b.convertFull(m, diff)
	case b.codeBits() == b.LosslessBits():
		return diff.Trunc(b.codeBits())
	}
	return clamp(diff, -1<<(b.Bits-1), 1<<(b.Bits-1)-1).Trunc(min(b.Bits, w))
}

// convertFull is floor((diff * 2^Bits + Active) / (2 Active)), clamped. All is offset by half
// the range of codes to stay positive, and the division by a constant is a multiplication by
// its reciprocal, exact in the range of diff (Granlund and Montgomery, PLDI 1994).
func (b Crossbar) convertFull(m *ir.Module, diff *ir.Node) *ir.Node {
	num := b.Active*(1<<b.Bits) + b.Active
	top := bits.Len(uint(b.Active*(1<<b.Bits) + num))
	div := 2 * b.Active
	shift := top + bits.Len(uint(div))
	recip := uint64(1)<<shift/uint64(div) + 1
	w := 2*top + 3
	n := diff.SExt(w).ShlK(b.Bits).AddK(int64(num))
	code := n.Mul(m.K(w, recip)).ShrK(shift)
	code = clamp(code, 0, 1<<b.Bits-1).Trunc(b.Bits)
	return code.Xor(m.K(b.Bits, 1<<(b.Bits-1)))
}

// clamp limits n, read as two's complement, to lo..hi.
func clamp(n *ir.Node, lo, hi int64) *ir.Node {
	m := n.Module()
	low, high := m.K(n.Type.W, uint64(lo)), m.K(n.Type.W, uint64(hi))
	return n.Lts(low).Mux(low, high.Lts(n).Mux(high, n))
}

// weight is the weight of column c and row r, zero beyond the matrix.
func (b Crossbar) weight(c, r int) int {
	if c >= len(b.Weights) || r >= len(b.Weights[c]) {
		return 0
	}
	return int(b.Weights[c][r])
}

// code is what a converter makes of the difference d.
func (b Crossbar) code(d int) int {
	if b.Step == StepIdeal {
		return d
	}
	half := 1 << (b.Bits - 1)
	if b.Step == StepFull {
		d = floorDiv(2*d*half+b.Active, 2*b.Active)
	}
	return min(max(d, -half), half-1)
}

// floorDiv is a / b rounded down, b > 0.
func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Arithmetic converts beat by beat.
func (b Crossbar) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		codes := make([]int, b.Converters())
		for a := range codes {
			d := 0
			for r, on := range beat[1] {
				d += int(on) * b.weight(int(beat[0][0])*len(codes)+a, r)
			}
			codes[a] = b.code(d)
		}
		out = append(out, Beat{words(codes, b.codeBits())})
	}
	return [][]Beat{out}
}

// Cycles is one a conversion and the latency.
func (b Crossbar) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

// Image is the pair's cells, column by column; columns that complete the last step are OFF.
func (b Crossbar) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	n := b.Steps() * b.Converters() * b.Rows
	pos, neg := make([]uint64, n), make([]uint64, n)
	for c := 0; c < b.Cols; c++ {
		for r := 0; r < b.Rows; r++ {
			switch b.weight(c, r) {
			case 1:
				pos[c*b.Rows+r] = 1
			case -1:
				neg[c*b.Rows+r] = 1
			}
		}
	}
	img.Data[prefix+".pos"], img.Data[prefix+".neg"] = pos, neg
	return img
}

// randomCrossbar has random sizes, converters and ternary weights.
func randomCrossbar(r *rand.Rand, most int) Crossbar {
	b := Crossbar{Rows: oddSize(r, most), Cols: oddSize(r, most), Bits: 1 + r.Intn(9)}
	b.Share, b.Active = 1+r.Intn(b.Cols), 1+r.Intn(b.Rows)
	if r.Intn(2) == 0 {
		b.Active = b.Rows
	}
	b.Step = []string{StepIdeal, StepClip, StepFull}[r.Intn(3)]
	b.Weights = RandomTernary(r, b.Cols, b.Rows)
	return b
}

// RandomTernary is an n x k matrix of -1, 0 and 1; about a third of its rows are constant, so
// that sums reach their limits.
func RandomTernary(r *rand.Rand, n, k int) [][]int8 {
	w := make([][]int8, n)
	for i := range w {
		w[i] = make([]int8, k)
		constant, v := r.Intn(3) == 0, int8(r.Intn(3)-1)
		for j := range w[i] {
			if !constant {
				v = int8(r.Intn(3) - 1)
			}
			w[i][j] = v
		}
	}
	return w
}

// crossbarWork drives random rows of one group at a time.
func crossbarWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Crossbar)
	beats := make([]Beat, 20)
	for i := range beats {
		rows, first := make([]uint64, b.Rows), r.Intn(b.Groups())*b.Active
		for j := first; j < min(first+b.Active, b.Rows); j++ {
			rows[j] = 1
			if !extreme {
				rows[j] = uint64(r.Intn(2))
			}
		}
		beats[i] = Beat{{uint64(r.Intn(b.Steps()))}, rows}
	}
	return [][]Beat{beats}
}
