// Package program puts a trained matrix into a chip's crossbars, or a model's attention into
// its decode engine, and says what must come out: the cases and passes that `verify` runs,
// with activations, sums and outputs from golden vectors.
package program

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"ohmloom/gen/arch"
	"ohmloom/gen/mapping"
	"ohmloom/gen/model"
	"ohmloom/hw/device"
)

// Job is what a verify block's program asks for.
type Job struct {
	Matrix    model.Matrix
	Cases     []Case
	Plan      *mapping.Plan // where the matrices are when the chip has banks, or nil
	Attention []Scores      // q.k scores of the golden intermediates; empty without golden vectors

	// Decode is every pass from position 0 to the last golden step, layer after layer of each
	// token, all with outputs; empty unless the chip has a decode engine. Without golden
	// vectors it is the first tokens that the model says.
	Decode []Pass

	model  *model.Model
	golden *model.Golden   // or nil
	engine *arch.Attention // whose shape is the model's, or nil
	norm   *arch.BankNorm  // of the banks, or nil
}

// Requantised is the activation of a sum, int8.
func (j *Job) Requantised(sum int32) int8 { return model.RQ8(sum, j.Matrix.M, j.Matrix.S) }

// Weights are the matrix row by row: [Out][In].
func (j *Job) Weights() [][]int8 {
	rows := make([][]int8, j.Matrix.Out)
	for o := range rows {
		rows[o] = j.Matrix.Row(o)
	}
	return rows
}

// Case is one crossbar setting and what the matrix computes with it.
type Case struct {
	Name    string     // "as described", "ideal", "64 rows, 4 bits"
	Chip    *arch.Chip // the description with the case's converter settings
	Vectors []Vector   // of the one matrix

	// Of banks, which hold all matrices: what the model computes at some positions on crossbars
	// of this setting (empty when it does not say), and whether the golden file agrees.
	Steps  []model.Trace
	Golden bool
}

// Vector is one activation vector and its sums.
type Vector struct {
	Name   string  // "position 0, layer 0"
	In     []int8  // Matrix.In activations
	Sums   []int32 // Matrix.Out crossbar sums
	Golden bool    // Sums stand in the golden file; else they are the integer arithmetic of package model
}

// Scores is one head's q.k for one token.
type Scores struct {
	Name  string
	Query []int8   // [d_h]
	Keys  [][]int8 // [positions][d_h]
	Want  []int32  // [positions], the golden scores less the position bias
}

// Load reads the checkpoint and the golden vectors that p names, from fsys or, when that is
// nil, from the operating system, and works out all cases of chip c.
func Load(c *arch.Chip, fsys fs.FS) (*Job, error) {
	p := c.Verify.Program
	m, err := model.OpenFS(fsys, p.Model)
	if err != nil {
		return nil, err
	}
	job := &Job{model: m}
	banks := c.PIM != nil && c.PIM.Bank != nil
	if banks {
		job.norm = c.PIM.Bank.Norm
	}
	if !banks && (p.Tensor != "" || c.PIM != nil) {
		if job.Matrix, err = m.Matrix(strings.TrimSuffix(p.Tensor, ".weight")); err != nil {
			return nil, err
		}
		if err := fits(job.Matrix, c); err != nil {
			return nil, err
		}
	}
	if p.Golden != "" {
		if job.golden, err = openGolden(p.Golden, fsys); err != nil {
			return nil, err
		}
		if err := job.golden.Check(m); err != nil {
			return nil, err
		}
		job.Attention = scores(m, job.golden, layerOf(job.Matrix.Name))
	}
	if err := job.decode(c); err != nil {
		return nil, err
	}
	switch {
	case c.PIM == nil:
		return job, nil
	case banks:
		if err := job.plan(c); err != nil {
			return nil, err
		}
		return job, job.bankCases(c)
	}
	return job, job.cases(c, job.golden)
}

func openGolden(path string, fsys fs.FS) (*model.Golden, error) {
	if fsys == nil {
		return model.OpenGolden(path)
	}
	text, err := fs.ReadFile(fsys, filepath.ToSlash(path))
	if err != nil {
		return nil, err
	}
	return model.ParseGolden(path, text)
}

// fits says whether the matrix has room in the chip's crossbars.
func fits(w model.Matrix, c *arch.Chip) error {
	if c.PIM == nil {
		return nil
	}
	rows, cols := c.PIM.RowBlocks*c.PIM.Crossbar.Rows, c.PIM.ColBlocks*c.PIM.Crossbar.Cols
	if w.In <= rows && w.Out <= cols {
		return nil
	}
	return fmt.Errorf("%s: matrix %s has %d inputs and %d outputs, the tile has %d rows and %d columns; row_blocks = %d and col_blocks = %d of %d x %d crossbars would hold it",
		c.Verify.Program.Pos, w.Name, w.In, w.Out, rows, cols, ceilDiv(w.In, c.PIM.Crossbar.Rows), ceilDiv(w.Out, c.PIM.Crossbar.Cols),
		c.PIM.Crossbar.Rows, c.PIM.Crossbar.Cols)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// layerOf is the i of "layers.i.name".
func layerOf(tensor string) int {
	i := 0
	fmt.Sscanf(strings.TrimPrefix(tensor, "layers."), "%d", &i)
	return i
}

// projectionOf is the name of "layers.i.name".
func projectionOf(tensor string) string { return tensor[strings.LastIndexByte(tensor, '.')+1:] }

// with is the chip with other converter settings and an ideal device.
func with(c *arch.Chip, step string, rows, bits int) *arch.Chip {
	chip, pim := *c, *c.PIM
	pim.Crossbar.ADC.Step, pim.Crossbar.ADC.Rows, pim.Crossbar.ADC.Bits = step, rows, bits
	pim.Crossbar.Effects = device.Effects{}
	chip.PIM = &pim
	return &chip
}

func (j *Job) cases(c *arch.Chip, g *model.Golden) error {
	x := c.PIM.Crossbar
	add := func(name string, chip *arch.Chip, golden func(v *Vector, step *model.Trace)) {
		cs := Case{Name: name, Chip: chip}
		for _, v := range j.inputs(g) {
			v.Sums = Sums(j.Matrix, v.In, chip.PIM.Crossbar)
			if golden != nil && v.step != nil {
				golden(&v.Vector, v.step)
			}
			cs.Vectors = append(cs.Vectors, v.Vector)
		}
		j.Cases = append(j.Cases, cs)
	}
	layer, projection := layerOf(j.Matrix.Name), projectionOf(j.Matrix.Name)
	ideal := func(v *Vector, step *model.Trace) {
		_, v.Sums = step.Layers[layer].Projection(projection)
		v.Golden = true
	}
	described := ideal
	if !lossless(x.ADC) || !plain(x) {
		described = nil
	}
	if x.ADC.Step != "ideal" || !plain(x) {
		add("as described", c, described)
	}
	add("ideal", with(c, "ideal", x.ADC.Rows, x.ADC.Bits), ideal)
	for _, k := range c.Verify.Program.Cases {
		name := fmt.Sprintf("%d rows, %d bits", k.Rows, k.Bits)
		if k.Rows > x.Rows && j.Matrix.In > x.Rows {
			return fmt.Errorf("%s: case of %d rows a conversion: the crossbar has %d rows and the matrix %d inputs; give the crossbar %d rows",
				k.Pos, k.Rows, x.Rows, j.Matrix.In, min(k.Rows, j.Matrix.In))
		}
		if k.Rows < x.Rows && x.Rows%k.Rows != 0 && j.Matrix.In > x.Rows {
			return fmt.Errorf("%s: case of %d rows a conversion: golden vectors count on over the edges of crossbars, and %d does not divide the crossbar's %d rows",
				k.Pos, k.Rows, k.Rows, x.Rows)
		}
		add(name, with(c, "clip", min(k.Rows, x.Rows), k.Bits), func(v *Vector, step *model.Trace) {
			sums := goldenCase(g, k, layer, projection, step)
			if sums != nil {
				v.Sums, v.Golden = sums, true
			}
		})
	}
	return nil
}

// goldenCase is what the golden file records for a crossbar case, or nil. It records layer 0
// at position 0, whose inputs are the ideal ones for q, k and v.
func goldenCase(g *model.Golden, k arch.ADCCase, layer int, projection string, step *model.Trace) []int32 {
	if layer != 0 || step.Pos != 0 || !slices.Contains([]string{"wq", "wk", "wv"}, projection) {
		return nil
	}
	for _, x := range g.XBar {
		if x.Rows == k.Rows && x.Bits == k.Bits {
			return x.First.Projection(projection)
		}
	}
	return nil
}

// plain reports that a crossbar is an ideal device with signed conversions, as package model
// defines them.
func plain(x arch.Crossbar) bool { return x.Effects.Ideal() && !x.Effects.Separate }

// lossless reports whether every conversion of at most adc.Rows rows fits the code.
func lossless(adc arch.ADC) bool {
	return adc.Step == "ideal" || adc.Step == "clip" && 1<<(adc.Bits-1)-1 >= adc.Rows
}

type input struct {
	Vector
	step *model.Trace // nil: not from the golden file
}

// inputs are the golden activations of the matrix and the extremes of its range.
func (j *Job) inputs(g *model.Golden) []input {
	var all []input
	layer, projection := layerOf(j.Matrix.Name), projectionOf(j.Matrix.Name)
	if g != nil {
		for i := range g.Steps {
			in, _ := g.Steps[i].Layers[layer].Projection(projection)
			all = append(all, input{Vector{Name: fmt.Sprintf("position %d, layer %d", g.Steps[i].Pos, layer), In: in}, &g.Steps[i]})
		}
	}
	fill := func(name string, f func(k int) int8) {
		in := make([]int8, j.Matrix.In)
		for k := range in {
			in[k] = f(k)
		}
		all = append(all, input{Vector: Vector{Name: name, In: in}})
	}
	fill("all 127", func(int) int8 { return 127 })
	fill("all -128", func(int) int8 { return -128 })
	fill("signs of row 0", func(k int) int8 { return 127 * j.Matrix.Row(0)[k] })
	return all
}

// Sums is the matrix-vector product of a tile of crossbars x: the matrix is cut into blocks
// of x.Rows inputs, whose sums are exact (ideal) or converted (clip) x.ADC.Rows rows at a
// time. It is nil for what package model does not define: step "full", device effects
// and separate conversions.
func Sums(w model.Matrix, in []int8, x arch.Crossbar) []int32 {
	if x.ADC.Step == "full" || !plain(x) {
		return nil
	}
	sums := make([]int32, w.Out)
	for first := 0; first < w.In; first += x.Rows {
		last := min(first+x.Rows, w.In)
		block := model.Matrix{Name: w.Name, Out: w.Out, In: last - first}
		for o := range w.Out {
			block.W = append(block.W, w.Row(o)[first:last]...)
		}
		part := model.Project(block, in[first:last])
		if x.ADC.Step == "clip" {
			part = model.ProjectClip(block, in[first:last], x.ADC.Rows, x.ADC.Bits)
		}
		for o := range sums {
			sums[o] += part[o]
		}
	}
	return sums
}

// scores replays the prompt to rebuild the KV cache behind the last recorded step of g.
func scores(m *model.Model, g *model.Golden, layer int) []Scores {
	last := g.Steps[len(g.Steps)-1]
	if last.Pos >= len(g.PromptTokens) {
		return nil
	}
	run := m.NewRun(model.Project)
	for _, t := range g.PromptTokens[:last.Pos+1] {
		run.Step(t)
	}
	var all []Scores
	dh := m.Config.HeadChannels
	for h, head := range last.Layers[layer].Heads {
		keys, _ := run.Window(layer, h)
		s := Scores{Name: fmt.Sprintf("position %d, layer %d, head %d", last.Pos, layer, h),
			Query: last.Layers[layer].Q[h*dh : (h+1)*dh], Keys: keys}
		for t, v := range head.Score {
			s.Want = append(s.Want, v-int32(m.RelBias(layer, h)[t])<<m.Config.ScoreRShift)
		}
		all = append(all, s)
	}
	return all
}
