package accuracy

import (
	"context"
	"fmt"
	"strings"

	"ohmloom/gen/model"
	"ohmloom/hw/device"
)

// Crossbars are the crossbars that hold a model's matrices, all alike.
//
// A matrix [N][K] is cut into blocks of Rows inputs and Cols outputs, the last ones smaller;
// input k of a block is row k of a crossbar, output c is column c, and the sums of the row
// blocks are added. Crossbars are numbered in the order of Model.Matrices, in a matrix row
// block by row block, in those column block by column block, unless Number says otherwise: a
// device's random numbers depend on its number and the seed.
type Crossbars struct {
	Rows      int            `json:"rows"`      // 1 .. 1024
	Cols      int            `json:"cols"`      // 1 .. 1024; 0: as many as the matrix has outputs, at most 1024
	Share     int            `json:"share"`     // columns a converter serves, 1 .. Cols
	Active    int            `json:"active"`    // rows driven in one conversion, 1 .. Rows
	Bits      int            `json:"bits"`      // of a code, 1 .. 16; an ideal converter has none
	Step      string         `json:"step"`      // device.StepIdeal, StepClip or StepFull
	Calibrate bool           `json:"calibrate"` // one gain for each matrix, fitted to the exact products
	Effects   device.Effects `json:"-"`

	// Number is the number of the crossbar that holds a block of a matrix, or nil. With a chip's
	// own numbers, Rows and Cols the text meets the same devices as on the chip.
	Number func(matrix string, rowBlock, colBlock int) uint64 `json:"-"`
}

// maxSide is the largest number of rows or columns of a crossbar.
const maxSide = 1024

// Check says which number is out of its range, the effects' included.
func (c Crossbars) Check() error {
	for _, p := range []struct {
		name         string
		v, low, high int
	}{
		{"rows", c.Rows, 1, maxSide}, {"cols", c.Cols, 0, maxSide}, {"share", c.Share, 1, c.mostCols()}, {"active", c.Active, 1, c.Rows},
		{"bits", c.Bits, 1, 16},
	} {
		if p.name == "bits" && c.Step == device.StepIdeal {
			continue
		}
		if p.v < p.low || p.v > p.high {
			return fmt.Errorf("%s is %d, allowed are %d to %d", p.name, p.v, p.low, p.high)
		}
	}
	switch c.Step {
	case device.StepIdeal, device.StepClip, device.StepFull:
	default:
		return fmt.Errorf("step is %q, allowed are %q, %q and %q", c.Step, device.StepIdeal, device.StepClip, device.StepFull)
	}
	return c.spec(c.mostCols()).Check()
}

func (c Crossbars) mostCols() int {
	if c.Cols == 0 {
		return maxSide
	}
	return c.Cols
}

// spec is that of a crossbar of cols columns.
func (c Crossbars) spec(cols int) device.Spec {
	share := min(c.Share, cols)
	return device.Spec{Effects: c.Effects, Shape: device.Shape{Rows: c.Rows, Cols: cols, Converters: (cols + share - 1) / share,
		Active: c.Active, Bits: c.Bits, Step: c.Step}}
}

// array is one matrix on its crossbars.
type array struct {
	uniform *uniform           // in place of blocks, where it can be
	cols    int                // of a crossbar
	blocks  [][]*device.Tables // [row block][column block]
	gain    int64              // of the sums, 2^-gainFrac
}

const gainFrac = 16

// program puts a matrix on crossbars, the first of number id.
func (c Crossbars) program(ctx context.Context, w model.Matrix, id uint64) (*array, error) {
	a := &array{cols: c.Cols, gain: 1 << gainFrac}
	if a.cols == 0 {
		a.cols = min(w.Out, maxSide)
	}
	if s := c.spec(a.cols); isUniform(s) {
		var err error
		a.uniform, err = newUniform(ctx, w, s)
		return a, err
	}
	for k := 0; k < w.In; k += c.Rows {
		var row []*device.Tables
		for o := 0; o < w.Out; o += a.cols {
			weights := make([][]int8, min(a.cols, w.Out-o))
			for i := range weights {
				weights[i] = w.Row(o + i)[k:min(k+c.Rows, w.In)]
			}
			at := id
			if c.Number != nil {
				at = c.Number(w.Name, k/c.Rows, o/a.cols)
			}
			t, err := device.Make(ctx, c.spec(a.cols), weights, at)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			row = append(row, t)
			id++
		}
		a.blocks = append(a.blocks, row)
	}
	return a, nil
}

// multiply is the n-th product on these crossbars, counted from 0.
func (a *array) multiply(out int, y []int8, n int) []int32 {
	if a.uniform != nil {
		return a.calibrated(a.uniform.multiply(y))
	}
	return a.calibrated(device.MultiplyBlocks(a.blocks, y, n)[:out])
}

// calibrated multiplies sums by the matrix's gain, in place.
func (a *array) calibrated(acc []int32) []int32 {
	if a.gain != 1<<gainFrac {
		for o := range acc {
			acc[o] = int32(model.RShift(int64(acc[o])*a.gain, gainFrac))
		}
	}
	return acc
}

// Crossbars programs the model's matrices into crossbars and gives BitsPerChar's projectors.
// Conversions count on from window to window as if one device saw the text from its start, so
// that read noise does not depend on how windows are spread over processors. Errors are those
// of Check, and of device.Make.
func (t *Text) Crossbars(ctx context.Context, c Crossbars) (func(window int) model.Projector, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	arrays := map[string]*array{}
	id := uint64(0)
	for _, name := range t.Model.Matrices() {
		a, err := c.program(ctx, t.matrix(name), id)
		if err != nil {
			return nil, err
		}
		arrays[name] = a
		if a.uniform == nil {
			id += uint64(len(a.blocks) * len(a.blocks[0]))
		}
	}
	projector := func(window int) model.Projector {
		products := map[string]int{}
		return func(w model.Matrix, y []int8) []int32 {
			n := window*t.Model.Config.Ctx + products[w.Name]
			products[w.Name]++
			return arrays[w.Name].multiply(w.Out, y, n)
		}
	}
	if c.Calibrate {
		if err := t.calibrate(ctx, arrays, projector); err != nil {
			return nil, err
		}
	}
	return projector, nil
}

// calibrationWindows of the text are what gains are fitted on.
const calibrationWindows = 4

// calibrate gives each matrix the gain that brings its sums closest to the exact ones, in the
// least squares, on the inputs that the exact model has: what a chip can measure once after
// programming, and fold into the multiplier of its requantiser.
func (t *Text) calibrate(ctx context.Context, arrays map[string]*array, projector func(int) model.Projector) error {
	type moments struct{ cross, square float64 }
	fit := map[string]*moments{}
	for name := range arrays {
		fit[name] = &moments{}
	}
	ideal := t.Ideal()(0)
	for w := range min(calibrationWindows, t.Windows()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		real := projector(w)
		t.window(w, func(m model.Matrix, y []int8) []int32 {
			exact, sums := ideal(m, y), real(m, y)
			f := fit[m.Name]
			for o, s := range sums {
				f.cross += float64(s) * float64(exact[o])
				f.square += float64(s) * float64(s)
			}
			return exact
		})
	}
	for name, a := range arrays {
		if f := fit[name]; f.cross > 0 {
			a.gain = int64(f.cross/f.square*(1<<gainFrac) + 0.5)
		}
	}
	return nil
}

// String says it for a person.
func (c Crossbars) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "crossbars of %d rows and ", c.Rows)
	if c.Cols == 0 {
		b.WriteString("a column for each output")
	} else {
		fmt.Fprintf(&b, "%d columns", c.Cols)
	}
	fmt.Fprintf(&b, ", %d rows a conversion, ", c.Active)
	if c.Step == device.StepIdeal {
		b.WriteString("ideal converters")
	} else {
		fmt.Fprintf(&b, "%d-bit converters, step %s, %d columns each", c.Bits, c.Step, c.Share)
	}
	for _, p := range device.Parameters {
		if v := *p.Of(&c.Effects); v != 0 && v != p.Default {
			fmt.Fprintf(&b, ", %s %g", p.Name, v)
		}
	}
	if c.Effects.Distribution != "" {
		fmt.Fprintf(&b, ", distribution %s", c.Effects.Distribution)
	}
	if c.Effects.Separate {
		b.WriteString(", separate conversions")
	}
	if c.Calibrate {
		b.WriteString(", one gain for each matrix calibrated")
	}
	return b.String()
}
