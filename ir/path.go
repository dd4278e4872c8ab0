package ir

import "fmt"

// InstPath is the hierarchical name of instance (r, c) below its parent, as generate blocks
// make it in Verilog: "u_x" for a plain instance; for an Array "pe_r[1].pe_c[2].pe", where the
// row level is left out when there is one row, and the column level when there is one column
// and more than one row.
func (in *Inst) InstPath(r, c int) string {
	if !in.Grid {
		return in.Name
	}
	p := ""
	if in.Rows > 1 {
		p += fmt.Sprintf("%s_r[%d].", in.Name, r)
	}
	if in.Cols > 1 || in.Rows == 1 {
		p += fmt.Sprintf("%s_c[%d].", in.Name, c)
	}
	return p + in.Name
}

// Image holds the contents that Loaded memories have at power-on, keyed by the memory's
// hierarchical name (top module, InstPath of each level, memory name, joined by dots):
// Depth*N values a memory.
type Image struct{ Data map[string][]uint64 }

// NewImage is an empty image.
func NewImage() *Image { return &Image{Data: map[string][]uint64{}} }
