package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is what charts have in common.
type Chart struct {
	Title, X, Y string
	LogX, LogY  bool // values must then be above 0
	WholeX      bool // whole numbers are marked on the axis
}

// Series is a curve, or the share of each bar.
type Series struct {
	Name   string
	X, Y   []float64
	Colour int  // place in the palette, from 1; 0: the place of the series
	Dashed bool // of curves: dashed and without marks, for what others are held against
}

// colour is that of series i.
func (s *Series) colour(i int) color.RGBA {
	if s.Colour > 0 {
		i = s.Colour - 1
	}
	return palette[i%len(palette)]
}

// palette tells series apart, also for the colour-blind (Okabe and Ito, and lighter tones of them).
var palette = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255},
	{90, 90, 90, 255}, {150, 190, 220, 255}, {235, 175, 130, 255}, {140, 210, 185, 255}, {230, 190, 212, 255}, {190, 190, 190, 255}}

// solid marks show against a cloud.
var solid = []draw.GlyphDrawer{draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CircleGlyph{}}

// marks tell curves apart without colour.
var marks = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}, draw.RingGlyph{}}

// Sizes of a chart: narrow, so that its words can be read on a phone.
const (
	chartWidth  = 5 * vg.Inch
	chartHeight = 3.2 * vg.Inch
	legendLine  = 14 // points
)

// Lines is a chart of curves as SVG. The same series give the same bytes.
func Lines(c Chart, series []Series) ([]byte, error) {
	p := c.plot()
	var entries []entry
	for i, s := range series {
		line, dots, err := plotter.NewLinePoints(points(s))
		if err != nil {
			return nil, err
		}
		line.Color, dots.Color, dots.Shape = s.colour(i), s.colour(i), marks[i%len(marks)]
		line.Width, dots.Radius = vg.Points(1.5), vg.Points(3)
		if s.Dashed {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			p.Add(line)
			entries = append(entries, entry{s.Name, []plot.Thumbnailer{line}})
			continue
		}
		p.Add(line, dots)
		entries = append(entries, entry{s.Name, []plot.Thumbnailer{line, dots}})
	}
	return drawn(p, entries)
}

// StackedBars is a chart of one bar for each category, made up of the series, as SVG.
func StackedBars(c Chart, categories []string, series []Series) ([]byte, error) {
	p := c.plot()
	p.NominalX(categories...)
	var entries []entry
	var below *plotter.BarChart
	width := min(vg.Points(34), chartWidth*0.6/vg.Length(len(categories)))
	for i, s := range series {
		bars, err := plotter.NewBarChart(plotter.Values(s.Y), width)
		if err != nil {
			return nil, err
		}
		bars.Color, bars.LineStyle.Width = s.colour(i), 0
		if below != nil {
			bars.StackOn(below)
		}
		below = bars
		p.Add(bars)
		entries = append(entries, entry{s.Name, []plot.Thumbnailer{bars}})
	}
	p.Y.Min = 0
	p.X.Min, p.X.Max = -0.6, float64(len(categories))-0.4
	return drawn(p, entries)
}

// cells is into how many places each way the points of a cloud are put: one dot for each.
const cells = 100

// FrontChart is a cloud of points and the front of them, in parts, as SVG; of points that lie
// together one is drawn.
func FrontChart(c Chart, all Series, front ...Series) ([]byte, error) {
	p := c.plot()
	cloud, err := plotter.NewScatter(thinned(c, all))
	if err != nil {
		return nil, err
	}
	cloud.Color, cloud.Shape, cloud.Radius = color.RGBA{170, 185, 200, 255}, draw.CircleGlyph{}, vg.Points(1.5)
	p.Add(cloud)
	entries := []entry{{all.Name, []plot.Thumbnailer{cloud}}}
	for i, s := range front {
		best, err := plotter.NewScatter(points(s))
		if err != nil {
			return nil, err
		}
		best.Color, best.Shape, best.Radius = s.colour(i+1), solid[i%len(solid)], vg.Points(4)
		p.Add(best)
		entries = append(entries, entry{s.Name, []plot.Thumbnailer{best}})
	}
	return drawn(p, entries)
}

// maxParts is into how many parts a front is split, at most.
const maxParts = 5

// SplitBy splits a series by a third figure of its points, z, called name, into parts of about
// as many different values each, the smallest first: one colour each.
func SplitBy(s Series, name string, z []float64) []Series {
	values := slices.Compact(slices.Sorted(slices.Values(z)))
	n := min(len(values), maxParts)
	var parts []Series
	for i := range n {
		of := values[i*len(values)/n : (i+1)*len(values)/n]
		low, high := of[0], of[len(of)-1]
		part := Series{Name: fmt.Sprintf("%s, %s %.4g", s.Name, name, low)}
		if high > low {
			part.Name += fmt.Sprintf(" to %.4g", high)
		}
		for k, v := range z {
			if v >= low && v <= high {
				part.X, part.Y = append(part.X, s.X[k]), append(part.Y, s.Y[k])
			}
		}
		parts = append(parts, part)
	}
	return parts
}

func points(s Series) plotter.XYs {
	list := make(plotter.XYs, len(s.Y))
	for i := range s.Y {
		list[i] = plotter.XY{X: s.X[i], Y: s.Y[i]}
	}
	return list
}

// thinned keeps the first of the points in each of cells x cells places.
func thinned(c Chart, s Series) plotter.XYs {
	scale := func(v []float64, log bool) func(float64) int {
		f := func(x float64) float64 { return x }
		if log {
			f = math.Log
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, x := range v {
			low, high = min(low, f(x)), max(high, f(x))
		}
		return func(x float64) int { return int(cells * (f(x) - low) / max(high-low, 1e-300)) }
	}
	atX, atY := scale(s.X, c.LogX), scale(s.Y, c.LogY)
	seen := map[[2]int]bool{}
	var list plotter.XYs
	for i := range s.Y {
		if at := [2]int{atX(s.X[i]), atY(s.Y[i])}; !seen[at] {
			seen[at] = true
			list = append(list, plotter.XY{X: s.X[i], Y: s.Y[i]})
		}
	}
	return list
}

func (c Chart) plot() *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		f.Variant = "Sans"
	}
	p.Title.Padding = vg.Points(6)
	if c.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks{2}
	}
	if c.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, ticks{10}
	}
	if c.WholeX {
		p.X.Tick.Marker = plot.TickerFunc(wholeNumbers)
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	return p
}

// wholeNumbers marks every whole number.
func wholeNumbers(low, high float64) (list []plot.Tick) {
	for v := math.Ceil(low); v <= high; v++ {
		list = append(list, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	return list
}

// ticks marks the powers of a base, or where there is at most one, steps of 1, 2 and 5.
type ticks struct{ base float64 }

func (t ticks) Ticks(low, high float64) []plot.Tick {
	var list []plot.Tick
	mark := func(v float64) {
		if v >= low*(1-1e-9) && v <= high*(1+1e-9) {
			list = append(list, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 4, 64)})
		}
	}
	for e := math.Floor(math.Log(low) / math.Log(t.base)); math.Pow(t.base, e) <= high*(1+1e-9); e++ {
		mark(math.Pow(t.base, e))
	}
	if len(list) > 1 {
		return list
	}
	list = nil
	for e := math.Floor(math.Log10(low)); math.Pow(10, e) <= high*(1+1e-9); e++ {
		for _, f := range []float64{1, 2, 5} {
			mark(f * math.Pow(10, e))
		}
	}
	if len(list) < 2 {
		return plot.DefaultTicks{}.Ticks(low, high)
	}
	return list
}

// entry is a line of a legend.
type entry struct {
	name   string
	thumbs []plot.Thumbnailer
}

// drawn is the plot with its legend below, in two columns.
func drawn(p *plot.Plot, entries []entry) ([]byte, error) {
	rows := (len(entries) + 1) / 2
	below := vg.Length(rows*legendLine + 6)
	canvas := vgsvg.New(chartWidth, chartHeight+below)
	whole := draw.New(canvas)
	p.Draw(draw.Crop(whole, vg.Points(2), -vg.Points(8), below, -vg.Points(2)))
	for column := range 2 {
		l := plot.NewLegend()
		l.Top, l.Left, l.ThumbnailWidth, l.Padding = true, true, vg.Points(16), vg.Points(2)
		l.TextStyle.Font.Variant, l.TextStyle.Font.Size = "Sans", vg.Points(10)
		for i := column * rows; i < min((column+1)*rows, len(entries)); i++ {
			l.Add(entries[i].name, entries[i].thumbs...)
		}
		left := vg.Length(column) * chartWidth / 2
		l.Draw(draw.Crop(whole, left+vg.Points(30), -(1-vg.Length(column))*chartWidth/2, 0, -(chartHeight + vg.Points(2))))
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
