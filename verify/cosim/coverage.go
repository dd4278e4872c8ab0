package cosim

import (
	"fmt"
	mathbits "math/bits"

	"ohmloom/ir"
	"ohmloom/verify"
)

// Coverage says how much a stimulus moved, so that one that is too tame shows.
type Coverage struct {
	OutputBits  int      `json:"output_bits"`
	ToggledBits int      `json:"toggled_output_bits"` // were 0 and 1
	SignBits    int      `json:"output_sign_bits"`
	ToggledSign int      `json:"toggled_output_sign_bits"`
	Still       []string `json:"still_outputs"` // elements of which no bit moved, at most 20
	StillCount  int      `json:"still_count"`
	Resets      int      `json:"resets"` // pulses, the first included
}

// cover collects, for each output word, the bits that were one and that were zero.
type cover struct {
	shape     verify.Shape
	one, zero []uint64
	resets    int
	rst       uint64
}

func newCover(s verify.Shape) *cover {
	return &cover{shape: s, one: make([]uint64, s.OutWords), zero: make([]uint64, s.OutWords)}
}

func (c *cover) add(in, out []uint64, n int) {
	for range n {
		rst := in[0] & 1
		if rst == 1 && c.rst == 0 {
			c.resets++
		}
		c.rst = rst
		in = in[c.shape.InWords:]
		for i, v := range out[:c.shape.OutWords] {
			c.one[i] |= v
			c.zero[i] |= ^v
		}
		out = out[c.shape.OutWords:]
	}
}

const mostStill = 20

func (c *cover) result(top string) Coverage {
	r := Coverage{Resets: c.resets, Still: []string{}}
	w := 0
	for _, p := range c.shape.Out {
		for e := range p.Type.N {
			both := c.one[w] & c.zero[w] & (^uint64(0) >> (64 - p.Type.W))
			w++
			r.OutputBits += p.Type.W
			r.ToggledBits += mathbits.OnesCount64(both)
			r.SignBits++
			r.ToggledSign += int(both >> (p.Type.W - 1))
			if both == 0 {
				r.StillCount++
				if len(r.Still) < mostStill {
					r.Still = append(r.Still, elementName(top, p.Name, p.Type, e))
				}
			}
		}
	}
	return r
}

// elementName is the hierarchical name of element e of a value.
func elementName(path, name string, t ir.Type, e int) string {
	if t.N == 1 {
		return path + "." + name
	}
	return fmt.Sprintf("%s.%s[%d]", path, name, e)
}
