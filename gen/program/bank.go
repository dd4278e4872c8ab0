package program

import (
	"fmt"

	"ohmloom/gen/mapping"
	"ohmloom/gen/model"
)

// stages are the bank operations of a decoder layer: what multiplies the same vector.
var stages = []struct {
	name        string
	projections []string
}{
	{"qkv", []string{"wq", "wk", "wv"}}, {"wo", []string{"wo"}}, {"w1", []string{"w1"}}, {"w2", []string{"w2"}},
}

// Stages is the number of bank operations of a layer: Q, K and V together; W_X; W_I; W_O.
func Stages() int { return len(stages) }

// Ops is every projection of a model as bank operations: those of layer 0 in the order in
// which a token needs them, then those of layer 1, and so on. Matrices are named as the model
// names them.
func Ops(m *model.Model) []mapping.Op {
	var ops []mapping.Op
	for layer := range m.Config.NLayers {
		for _, s := range stages {
			op := mapping.Op{Name: fmt.Sprintf("layers.%d.%s", layer, s.name)}
			for _, p := range s.projections {
				w := weights(m, fmt.Sprintf("layers.%d.%s", layer, p))
				op.Matrices = append(op.Matrices, mapping.Matrix{Name: w.Name, Out: w.Out, In: w.In})
			}
			ops = append(ops, op)
		}
	}
	return ops
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
