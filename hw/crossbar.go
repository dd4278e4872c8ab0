package hw

import (
	"context"
	"fmt"
	"math/rand"
	"strconv"
	"strings"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// ADC steps: what one code of a converter means.
const (
	StepIdeal = device.StepIdeal
	StepClip  = device.StepClip
	StepFull  = device.StepFull
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
//	full   the same clamp of floor(D * (2^(Bits-1) - 1) / Active + 1/2)
//
// With Effects.Separate every column has two unsigned converters of Bits bits, for pos and for
// neg, and the code is the difference of their codes: twice the converters, not more cycles.
// With Effects on, codes are those of device.Tables made from the weights, Effects and ID:
// cells are conductances of device.CellBits bits, converters have gain, offset and INL, and a
// counter of conversions since reset numbers the noise.
//
// Streams x (step, rows) and y (code) have no ready; latency 1 cycle, one conversion a
// cycle. Sources: clip, the integer-exact numerics; full and the differential pair, MNSIM 2.0.
type Crossbar struct {
	Rows, Cols int    // cells each way, 1..1024
	Share      int    // columns a converter serves, 1..Cols
	Active     int    // rows driven in one conversion, 1..Rows
	Bits       int    // bits of a code, 1..16; ideal ignores it
	Step       string // StepIdeal, StepClip or StepFull

	// With Writable, rows can be programmed by pulses, from a WritablePE or in a Bank or PIM.
	Writable  bool
	Tolerance int     // of a verified pair, in 1/256 ON cells, 0..1023
	Pulses    int     // most pulses of a row and step, 1..14
	Yield     float64 // probability that a pulse switches a pair, 0..1; not part of the structure

	// Which effects are on is part of the structure, and Effects.LSB; how large they are, the
	// seed and the weights are in loaded tables.
	Effects device.Effects
	ID      uint64   // tells crossbars of one seed apart
	Weights [][]int8 // [Cols][Rows] of -1, 0, 1; nil is all zero
	Solved  Solved   // tables that Solve made, or nil; not part of the structure
}

// spec is the crossbar as package device has it.
func (b Crossbar) spec() device.Spec {
	return device.Spec{Shape: device.Shape{Rows: b.Rows, Cols: b.Cols, Converters: b.Converters(), Active: b.Active, Bits: b.Bits, Step: b.Step},
		Effects: b.Effects}
}

// Tables makes the integer tables of the crossbar. It panics on what Check refuses and on
// weights that do not fit.
func (b Crossbar) Tables() *device.Tables {
	if t := b.Solved[b.ID]; t != nil && t.MadeOf(b.spec(), b.Weights, b.ID) {
		return t
	}
	t, err := device.Make(context.Background(), b.spec(), b.Weights, b.ID)
	if err != nil {
		panic("hw: crossbar: " + err.Error())
	}
	return t
}

// suffix encodes the parameters for names of modules: after the geometry and the converter,
// "sep" two conversions, "g" conductances, "t" trimmed converters, "c" with INL, "n" noise.
func (b Crossbar) suffix() string {
	adc, s := b.Step, b.spec()
	if b.Step != StepIdeal {
		adc += strconv.Itoa(b.Bits)
	}
	if num, shift := s.CellScale(); b.Step == StepClip && (num != 1 || shift > 0) {
		adc += fmt.Sprintf("_lsb%d_%d", num, shift)
	}
	effects := ""
	for _, f := range b.features() {
		effects += f.letter
	}
	if s.Separate {
		adc += "_sep"
	}
	if b.Writable {
		effects += fmt.Sprintf("w%d", b.Tolerance)
	}
	if effects != "" {
		adc += "_" + effects
	}
	return fmt.Sprintf("%dx%d_s%d_a%d_%s", b.Rows, b.Cols, b.Share, b.Active, adc)
}

// feature is an effect that the structure has.
type feature struct{ letter, word string }

func (b Crossbar) features() []feature {
	s := b.spec()
	var f []feature
	for _, x := range []struct {
		on bool
		feature
	}{
		{s.Frac() > 0, feature{"g", "conductances"}}, {s.Trimmed(), feature{"t", "gain and offset"}},
		{s.Curved(), feature{"c", "INL"}}, {s.Noisy(), feature{"n", "noise"}},
	} {
		if x.on {
			f = append(f, x.feature)
		}
	}
	return f
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
	case StepClip, StepFull:
		if err := inRange("crossbar", "ADC bits", b.Bits, 1, 16); err != nil {
			return err
		}
	default:
		return fmt.Errorf("crossbar: ADC step is %q, allowed are %q, %q and %q", b.Step, StepIdeal, StepClip, StepFull)
	}
	if err := b.spec().Check(); err != nil {
		return fmt.Errorf("crossbar: %w", err)
	}
	if b.Writable {
		if e := b.Effects; e.WireRow > 0 || e.WireCol > 0 {
			return fmt.Errorf("crossbar: wire_row is %g and wire_col %g: a crossbar that can be written has far_row and far_col only", e.WireRow, e.WireCol)
		}
		if !(b.Yield >= 0 && b.Yield <= 1) {
			return fmt.Errorf("crossbar: yield of a pulse is %g, allowed are 0 to 1", b.Yield)
		}
		return firstError(inRange("crossbar", "tolerance", b.Tolerance, 0, 1023), inRange("crossbar", "pulses", b.Pulses, 1, device.NeverSwitches-1))
	}
	return nil
}

// Converters is the number of columns converted at once, A in the stream types: one signed
// converter each, or two unsigned ones.
func (b Crossbar) Converters() int { return ceilDiv(b.Cols, b.Share) }

// Steps is how many conversions it takes to read every column once, at most Share.
func (b Crossbar) Steps() int { return ceilDiv(b.Cols, b.Converters()) }

// Groups is how many conversions it takes to drive every row once.
func (b Crossbar) Groups() int { return ceilDiv(b.Rows, b.Active) }

// LosslessBits is the narrowest clip converter that loses nothing.
func (b Crossbar) LosslessBits() int { return sbits(-b.Active, b.Active) }

// codeMost bounds the magnitude of a code.
func (b Crossbar) codeMost() int {
	s := b.spec()
	switch {
	case b.Step == StepIdeal && s.Frac() > 0:
		return b.Active * (1<<device.CellBits - 1)
	case b.Step == StepIdeal:
		return b.Active
	}
	lo, hi := s.Range()
	most := int(max(-lo, hi))
	if b.Step == StepClip && s.Ideal() {
		most = min(most, b.Active)
	}
	return most
}

// codeBits is the width of a code.
func (b Crossbar) codeBits() int {
	most, s := b.codeMost(), b.spec()
	if b.Step == StepIdeal || s.Separate || b.Step == StepClip && b.Effects.Ideal() && b.Bits > b.LosslessBits() {
		return sbits(-most, most)
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
	in, out = []Stream{x}, []Stream{y}
	if b.Writable {
		p, v := b.writeStreams()
		in, out = append(in, p), append(out, v)
	}
	return in, out
}

func (b Crossbar) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Differential pair of %d x %d crossbars, %d converters of %d bits (%s). Latency 1 cycle.",
		b.Rows, b.Cols, b.converters(), b.adcBits(), b.Step)
	return lib.module("crossbar", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		// An idle crossbar drives no row, which spares simulators its sums.
		rows, step := x.fields[1].And(x.valid), x.fields[0]
		var write *writePath
		if b.Writable {
			write = b.newWritePath(m, in[1])
			rows, step = rows.Or(write.probes), write.valid.Mux(write.step, step)
		}
		mems := map[string]*ir.Mem{}
		pos, neg := b.columns(m, func(table string) *ir.Node {
			mems[table] = b.cells(m, table)
			return b.sums(m, table, mems[table], rows, step)
		})
		code := m.DataReg("code", ir.Vec(b.Converters(), b.codeBits()))
		code.SetEn(x.valid, b.codes(m, x.valid, pos, neg))
		drive(m, out[0], m.Reg("valid", ir.Bits(1), 0).Set(x.valid), code.Q)
		if b.Writable {
			write.build(mems, pos, neg, out[1])
		}
		if !b.Effects.Ideal() {
			form := m.Mem(tableForm, 1, ir.Bits(64))
			form.Loaded, form.Expect = true, []uint64{b.form()}
		}
		m.Macro = b.macro()
	})
}

// form is what loaded tables must agree in with the crossbar.
func (b Crossbar) form() uint64 {
	if b.Writable {
		return b.spec().Form() + 1
	}
	return b.spec().Form()
}

// converters counts each of a pair; adcBits is the width of one.
func (b Crossbar) converters() int {
	if b.Effects.Separate && b.Step != StepIdeal {
		return 2 * b.Converters()
	}
	return b.Converters()
}

func (b Crossbar) adcBits() int {
	if b.Effects.Separate && b.Step != StepIdeal {
		return b.Bits
	}
	return b.codeBits()
}

func (b Crossbar) macro() *ir.Macro {
	attrs := []ir.Attr{
		{Key: "rows", Value: strconv.Itoa(b.Rows)},
		{Key: "cols", Value: strconv.Itoa(b.Cols)},
		{Key: "cells", Value: strconv.Itoa(2 * b.Rows * b.Cols)},
		{Key: "dacs", Value: strconv.Itoa(b.Rows)},
		{Key: "converters", Value: strconv.Itoa(b.converters())},
		{Key: "adc_bits", Value: strconv.Itoa(b.adcBits())},
		{Key: "adc_step", Value: b.Step},
		{Key: "rows_per_conversion", Value: strconv.Itoa(b.Active)},
	}
	var effects []string
	for _, f := range b.features() {
		effects = append(effects, f.word)
	}
	if effects != nil {
		attrs = append(attrs, ir.Attr{Key: "effects", Value: strings.Join(effects, ", ")})
	}
	return &ir.Macro{Kind: "crossbar", Latency: 1, Attrs: attrs}
}

// Arithmetic converts beat by beat.
func (b Crossbar) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	t := b.Tables()
	for i, beat := range in[0] {
		codes := make([]int64, b.Converters())
		for a := range codes {
			pos, neg := t.Sums(int(beat[0][0])*len(codes)+a, func(r int) bool { return beat[1][r] == 1 })
			codes[a] = t.Code(uint32(i), a, pos, neg)
		}
		out = append(out, Beat{words(codes, b.codeBits())})
	}
	return [][]Beat{out}
}

// Cycles is one a conversion and the latency.
func (b Crossbar) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

// randomCrossbar has random sizes, converters and ternary weights.
func randomCrossbar(r *rand.Rand, most int) Crossbar {
	b := Crossbar{Rows: oddSize(r, most), Cols: oddSize(r, most), Bits: 1 + r.Intn(9)}
	b.Share, b.Active = 1+r.Intn(b.Cols), 1+r.Intn(b.Rows)
	if r.Intn(2) == 0 {
		b.Active = b.Rows
	}
	b.Step = []string{StepIdeal, StepClip, StepFull}[r.Intn(3)]
	b.Weights = RandomTernary(r, b.Cols, b.Rows)
	b.ID = r.Uint64()
	if r.Intn(2) == 0 {
		b.Effects = randomEffects(r, b.Step)
	}
	return b
}

// randomWritable is the crossbar with a write path.
func (b Crossbar) randomWritable(r *rand.Rand) Crossbar {
	b.Writable, b.Tolerance, b.Pulses, b.Yield = true, r.Intn(300), 1+r.Intn(5), []float64{1, 0.9, 0.5}[r.Intn(3)]
	b.Effects.WireRow, b.Effects.WireCol = 0, 0
	return b
}

// randomEffects has effects of cells, of converters or both, anywhere in their ranges.
func randomEffects(r *rand.Rand, step string) device.Effects {
	e := device.Effects{Separate: r.Intn(2) == 0, Seed: r.Uint64()}
	on := map[string]bool{"device": r.Intn(2) == 0, "adc": step != StepIdeal && r.Intn(2) == 0}
	for _, p := range device.Parameters {
		if on[p.Block] && r.Intn(3) == 0 {
			*p.Of(&e) = p.Min + (p.Max-p.Min)*r.Float64()*r.Float64()
		}
	}
	if step == StepFull {
		e.LSB = 0
	}
	if e.FarRow > 0 || e.FarCol > 0 {
		e.WireRow, e.WireCol = 0, 0
	}
	return e
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
