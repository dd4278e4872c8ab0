package ir

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	return m.inRange(path, data)
}

// inRange refuses numbers in slices that have no bit but the sign.
func (m *Mem) inRange(path string, data []uint64) error {
	if m.SliceBits == 0 {
		return nil
	}
	for at := 0; at < len(data); at += m.SliceBits * m.SliceLen {
		top := at + (m.SliceBits-1)*m.SliceLen
		for i := range m.SliceLen {
			if data[top+i]&1 == 0 {
				continue
			}
			other := uint64(0)
			for low := at + i; low < top; low += m.SliceLen {
				other |= data[low] & 1
			}
			if other == 0 {
				return fmt.Errorf("memory %s: number %d of group %d is %d, allowed are %d to %d", path, i, at/(m.SliceBits*m.SliceLen),
					-1<<(m.SliceBits-1), -1<<(m.SliceBits-1)+1, 1<<(m.SliceBits-1)-1)
			}
		}
	}
	return nil
}

// Check says which tables of one instance were made from different things, by their notes.
func (img *Image) Check() error {
	if img == nil {
		return nil
	}
	first := map[string]string{} // by instance: the memory that came first
	for _, path := range slices.Sorted(maps.Keys(img.Notes)) {
		if _, ok := img.Data[path]; !ok {
			continue
		}
		instance := path[:max(strings.LastIndexByte(path, '.'), 0)]
		other, seen := first[instance]
		if !seen {
			first[instance] = path
		} else if img.Notes[path] != img.Notes[other] {
			return fmt.Errorf("tables of %s do not belong together: %s has %q, %s has %q", instance, other, img.Notes[other], path, img.Notes[path])
		}
	}
	return nil
}

// NewImage is an empty image.
func NewImage() *Image { return &Image{Data: map[string][]uint64{}, Notes: map[string]string{}} }
