package accuracy

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"ohmloom/hw/device"
)

// Point is one setting of a sweep over ADC bits.
type Point struct {
	Rows        int     `json:"rows"` // all driven at once
	Bits        int     `json:"bits"`
	BitsPerChar float64 `json:"bits_per_char"`
	Change      float64 `json:"change"`
}

// Sweep is c with each number of rows, all driven at once, and each number of ADC bits. An
// ideal converter has no bits to vary, which is an error, like values out of range.
func Sweep(c Crossbars, rows, bits []int) ([]Crossbars, error) {
	if c.Step == device.StepIdeal {
		return nil, fmt.Errorf("step %q has no ADC bits to plot over; allowed are %q and %q", c.Step, device.StepClip, device.StepFull)
	}
	if len(rows) == 0 || len(bits) == 0 {
		return nil, errors.New("a plot needs at least one number of rows and one of ADC bits")
	}
	var list []Crossbars
	for _, r := range rows {
		for _, b := range bits {
			c.Rows, c.Active, c.Bits = r, r, b
			if err := c.Check(); err != nil {
				return nil, err
			}
			list = append(list, c)
		}
	}
	return list, nil
}

// colours tell curves apart, also for the colour-blind (Okabe and Ito).
var colours = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255}}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}}

var gridGrey = color.Gray{220}

// Plot draws bits per character over ADC bits as SVG: a curve for each number of rows in the
// order of the points, and a dashed line for exact products. The same points give the same
// bytes.
func Plot(title string, exact float64, points []Point) ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "ADC bits", "bits per character"
	p.X.Tick.Marker = plot.TickerFunc(wholeBits)
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant = "Sans"
	}
	// Words begin beside their lines, so that a viewer's wider font does not run into them.
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.Padding = true, true, 3.6*vg.Inch, vg.Points(4)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridGrey, gridGrey
	p.Add(grid)
	var rows []int
	curves := map[int]plotter.XYs{}
	low, high := math.Inf(1), math.Inf(-1)
	for _, q := range points {
		if curves[q.Rows] == nil {
			rows = append(rows, q.Rows)
		}
		curves[q.Rows] = append(curves[q.Rows], plotter.XY{X: float64(q.Bits), Y: q.BitsPerChar})
		low, high = min(low, float64(q.Bits)), max(high, float64(q.Bits))
	}
	for i, r := range rows {
		line, dots, err := plotter.NewLinePoints(curves[r])
		if err != nil {
			return nil, err
		}
		line.Color, dots.Color, dots.Shape = colours[i%len(colours)], colours[i%len(colours)], shapes[i%len(shapes)]
		dots.Radius = vg.Points(float64(5 - min(i, 3))) // a later curve lets an earlier one show
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		p.Legend.Add(fmt.Sprintf("%d rows", r), line, dots)
	}
	ideal, err := plotter.NewLine(plotter.XYs{{X: low, Y: exact}, {X: high, Y: exact}})
	if err != nil {
		return nil, err
	}
	ideal.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(ideal)
	p.Legend.Add("exact products", ideal)
	canvas := vgsvg.New(6*vg.Inch, 4*vg.Inch)
	p.Draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// wholeBits marks every whole number.
func wholeBits(low, high float64) (ticks []plot.Tick) {
	for v := math.Ceil(low); v <= high; v++ {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
	}
	return ticks
}
