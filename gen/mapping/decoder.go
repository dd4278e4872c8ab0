package mapping

import (
	"fmt"

	"ohmloom/gen/arch"
)

// Most words of a bank's tables.
const (
	MaxOps    = 1024
	MaxBlocks = 4096
)

// Of is the banks of a description. The tables have a word for every PE, which is enough for
// any matrices that fit, as far as tables go.
func Of(p *arch.PIM) Chip {
	b := p.Bank
	c := Chip{Split: b.Split, Banks: b.Count, TileRows: b.TileRows, TileCols: b.TileCols, PEs: b.PEs, Rows: p.Crossbar.Rows, Cols: p.Crossbar.Cols}
	c.Ops = min(c.BankPEs(), MaxOps)
	c.Blocks = min(c.BankPEs(), MaxBlocks)
	c.Reads = c.Blocks
	return c
}

// stages are the operations of a decoder layer, by the projections that share a vector.
var stages = []struct {
	name        string
	projections []string
}{
	{"qkv", []string{"wq", "wk", "wv"}}, {"wo", []string{"wo"}}, {"w1", []string{"w1"}}, {"w2", []string{"w2"}},
}

// Stages is the number of operations of a layer: Q, K and V together; W_X; W_I; W_O.
func Stages() int { return len(stages) }

// Decoder is every projection of a decoder-only model as operations: those of layer 0 in the
// order in which a token needs them, then those of layer 1, and so on. Matrices are called
// layers.i.wq and so on.
func Decoder(layers int, shape func(layer int, projection string) (out, in int)) []Op {
	var ops []Op
	for layer := range layers {
		for _, s := range stages {
			op := Op{Name: fmt.Sprintf("layers.%d.%s", layer, s.name)}
			for _, p := range s.projections {
				out, in := shape(layer, p)
				op.Matrices = append(op.Matrices, Matrix{Name: fmt.Sprintf("layers.%d.%s", layer, p), Out: out, In: in})
			}
			ops = append(ops, op)
		}
	}
	return ops
}
