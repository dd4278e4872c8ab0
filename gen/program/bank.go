package program

import (
	"fmt"
	"math/big"
	"slices"

	"ohmloom/gen/arch"
	"ohmloom/gen/mapping"
	"ohmloom/gen/model"
)

// Ops is every projection of a model as bank operations, see mapping.Decoder.
func Ops(m *model.Model) []mapping.Op {
	return mapping.Decoder(m.Config.NLayers, func(layer int, projection string) (out, in int) {
		w := weights(m, fmt.Sprintf("layers.%d.%s", layer, projection))
		return w.Out, w.In
	})
}

func weights(m *model.Model, name string) model.Matrix {
	w, err := m.Matrix(name)
	if err != nil {
		panic("program: " + err.Error()) // every model has these
	}
	return w
}

// Result says what becomes of the sums of a projection: int8, int8 and the activation
// function, or the residual stream's int16. A name outside model.Projections panics.
func Result(projection string) (bits int, activated bool) {
	switch projection {
	case "wq", "wk", "wv":
		return 8, false
	case "w1":
		return 8, true
	case "wo", "w2":
		return 16, false
	}
	panic(fmt.Sprintf("program: no projection %q", projection))
}

// Projected is what matrix name gives in step t of a model: the vector it takes, and its
// results as Result says.
func Projected(m *model.Model, t *model.Trace, name string) (in []int8, out []int16) {
	layer, projection := layerOf(name), projectionOf(name)
	in, acc := t.Layers[layer].Projection(projection)
	w := weights(m, name)
	bits, activated := Result(projection)
	_, acts := m.Config.Activate(acc, w.M, w.S)
	for i, a := range acc {
		switch {
		case activated:
			out = append(out, int16(acts[i]))
		case bits == 16:
			out = append(out, model.RQ16(a, w.M, w.S))
		default:
			out = append(out, int16(model.RQ8(a, w.M, w.S)))
		}
	}
	return in, out
}

// plan maps the model to the banks of chip c.
func (j *Job) plan(c *arch.Chip) error {
	plan, err := mapping.Place(mapping.Of(c.PIM), Ops(j.model))
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.Verify.Program.Pos, j.model.Name, err)
	}
	for _, op := range plan.Ops {
		for _, m := range op.Matrices {
			if w := weights(j.model, m.Name); j.Normalised(m.Name) && m.Out < w.Out {
				return fmt.Errorf("%s: %s spans banks, and a bank takes the norm of whole vectors; larger banks hold it in one", j.norm.Pos, m.Name)
			}
		}
	}
	j.Plan = plan
	return nil
}

// Bank is the model's weights for a bank: [Out][In] of a matrix or the part of it that the bank
// holds, with scale and result.
func (j *Job) Bank(part mapping.Matrix) (rows [][]int8, m, s, bits int, activated bool) {
	w := weights(j.model, part.Name)
	for o := range part.Out {
		rows = append(rows, w.Row(part.First+o))
	}
	bits, activated = Result(projectionOf(part.Name))
	return rows, w.M, w.S, bits, activated
}

// Projected is the input and the results of matrix name in a step of a bank's case.
func (j *Job) Projected(t *model.Trace, name string) (in []int8, out []int16) {
	in, out = Projected(j.model, t, name)
	if j.Normalised(name) {
		out = normalised(j.norm, out)
	}
	return in, out
}

// Normalised reports whether the banks take the norm of a matrix's results.
func (j *Job) Normalised(name string) bool {
	return j.norm != nil && slices.Contains(j.norm.Of, projectionOf(name))
}

// normalised is the norm of results: the model's arithmetic, or the same on D times the deviations
// from the mean, whose squares sum to D times what the root is taken of.
func normalised(n *arch.BankNorm, x []int16) []int16 {
	y := make([]int16, len(x))
	if n.Kind == arch.RMS {
		c := model.Config{NormK: n.Gain, NormShift: n.Shift}
		norms, _ := c.Norm(x)
		for i, v := range norms {
			y[i] = int16(v)
		}
		return y
	}
	sum, squares, d := int64(0), new(big.Int), int64(len(x))
	for _, v := range x {
		sum += int64(v)
	}
	for _, v := range x {
		u := big.NewInt(d*int64(v) - sum)
		squares.Add(squares, u.Mul(u, u))
	}
	root := squares.Sqrt(squares.Div(squares, big.NewInt(d))).Int64()
	if root == 0 {
		return y
	}
	for i, v := range x {
		y[i] = int16(model.Sat8(model.RShift((d*int64(v)-sum)*(int64(n.Gain)<<n.Shift/root), n.Shift)))
	}
	return y
}

// bankCases is the settings that all matrices of the model run with: as described, ideal and
// those of the program. Steps are the golden positions.
func (j *Job) bankCases(c *arch.Chip) error {
	if c := j.model.Config; c.ActRShift != actRShift {
		return fmt.Errorf("model %s was trained with act_rshift = %d, banks have %d", j.model.Name, c.ActRShift, actRShift)
	}
	x := c.PIM.Crossbar
	widest := 0
	for _, op := range j.Plan.Ops {
		widest = max(widest, op.Matrices[0].In)
	}
	whole := func(rows int) bool { return rows >= widest || x.Rows%rows == 0 }
	add := func(name string, chip *arch.Chip, project model.Projector, g *model.GoldenXBar) error {
		cs := Case{Name: name, Chip: chip}
		if project != nil {
			var err error
			if cs.Steps, cs.Golden, err = j.steps(name, project, g, chip); err != nil {
				return err
			}
		}
		j.Cases = append(j.Cases, cs)
		return nil
	}
	if x.ADC.Step != "ideal" || !plain(x) {
		var project model.Projector
		switch {
		case !plain(x): // package model has no device effects; the arithmetic of the bank does
		case lossless(x.ADC):
			project = model.Project
		case x.ADC.Step == "clip" && whole(x.ADC.Rows):
			project = model.Clip(x.ADC.Rows, x.ADC.Bits)
		}
		if err := add("as described", c, project, j.xbar(x.ADC.Rows, x.ADC.Bits)); err != nil {
			return err
		}
	}
	if err := add("ideal", with(c, "ideal", x.ADC.Rows, x.ADC.Bits), model.Project, nil); err != nil {
		return err
	}
	for _, k := range c.Verify.Program.Cases {
		if k.Rows > x.Rows && widest > x.Rows || !whole(min(k.Rows, x.Rows)) {
			return fmt.Errorf("%s: case of %d rows a conversion: it does not divide the crossbar's %d rows, and a matrix has %d inputs",
				k.Pos, k.Rows, x.Rows, widest)
		}
		err := add(fmt.Sprintf("%d rows, %d bits", k.Rows, k.Bits), with(c, "clip", min(k.Rows, x.Rows), k.Bits), model.Clip(k.Rows, k.Bits), j.xbar(k.Rows, k.Bits))
		if err != nil {
			return err
		}
	}
	return nil
}

// actRShift is the shift of the squared ReLU in hardware, as the model's config calls it.
const actRShift = 7

// xbar is the golden file's case, or nil.
func (j *Job) xbar(rows, bits int) *model.GoldenXBar {
	if j.golden == nil {
		return nil
	}
	for i, x := range j.golden.XBar {
		if x.Rows == rows && x.Bits == bits {
			return &j.golden.XBar[i]
		}
	}
	return nil
}

// steps are what the model computes at the golden positions, or for its first token, when its
// crossbars do as project. golden tells that the file records it: all intermediates of a chip
// that loses nothing, or the first sums and logits of case x. That the two differ is an error.
func (j *Job) steps(name string, project model.Projector, x *model.GoldenXBar, chip *arch.Chip) (steps []model.Trace, golden bool, err error) {
	run := j.model.NewRun(project)
	if j.golden == nil {
		return []model.Trace{*run.Step(0)}, false, nil
	}
	for pos := 0; len(steps) < len(j.golden.Steps); pos++ {
		if step := run.Step(j.golden.PromptTokens[pos]); pos == j.golden.Steps[len(steps)].Pos {
			steps = append(steps, *step)
		}
	}
	same := true
	if x != nil {
		golden, same = true, slices.Equal(steps[0].Final.Logits, x.Logits)
		for _, p := range model.Projections {
			_, acc := steps[0].Layers[0].Projection(p)
			same = same && slices.Equal(acc, x.First.Projection(p))
		}
	} else if lossless(chip.PIM.Crossbar.ADC) {
		golden, same = true, sameSums(steps, j.golden.Steps)
	}
	if !same {
		return nil, false, fmt.Errorf("%s: crossbars %s: sums are not what the model computes", j.golden.File, name)
	}
	return steps, golden, nil
}

// sameSums reports whether two runs have the same sums and inputs everywhere.
func sameSums(a, b []model.Trace) bool {
	for i := range a {
		for l := range a[i].Layers {
			for _, p := range model.Projections {
				in, acc := a[i].Layers[l].Projection(p)
				in2, acc2 := b[i].Layers[l].Projection(p)
				if !slices.Equal(in, in2) || !slices.Equal(acc, acc2) {
					return false
				}
			}
		}
	}
	return true
}
