package ir

import (
	"fmt"
	"maps"

	"ohmloom/ir/bits"
)

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
type Image struct {
	Data  map[string][]uint64
	Notes map[string]string // what a memory's contents were made from, one line for the head of its file
}

// Add takes over the contents of another image.
func (img *Image) Add(other *Image) {
	maps.Copy(img.Data, other.Data)
	maps.Copy(img.Notes, other.Notes)
}

// Admit says why data are no contents for the memory, whose hierarchical name is path.
func (m *Mem) Admit(path string, data []uint64) error {
	if want := m.Depth * m.Type.N; len(data) != want {
		return fmt.Errorf("the image has %d values for memory %s, which holds %d (%d words of %s)", len(data), path, want, m.Depth, m.Type)
	}
	for i, want := range m.Expect {
		if got := data[i] & bits.Mask(m.Type.W); got != want {
			return fmt.Errorf("memory %s: these tables were made for another design: the word is %0*x, expected %0*x; build them with the Verilog",
				path, (m.Type.W+3)/4, got, (m.Type.W+3)/4, want)
		}
	}
	return nil
}

// NewImage is an empty image.
func NewImage() *Image { return &Image{Data: map[string][]uint64{}, Notes: map[string]string{}} }
