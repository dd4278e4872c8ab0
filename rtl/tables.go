package rtl

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// Bench is what the instance above the top module must be called for %m, and with it the
// names of memory files, to agree in all simulators.
const Bench = "tb"

// maxFileName is how many characters the name of a file may have on the usual file systems.
const maxFileName = 255

// maxPart is how many characters of a module's or an instance's name Verilator keeps in %m.
const maxPart = 127

// TableName is an error when a table can't have a file of this name: Verilog would not find it
// and leave the table empty.
func TableName(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		if len(part) > maxPart && len(name) <= maxFileName {
			return fmt.Errorf("table file %s: %s has %d characters, and Verilator keeps %d of a name; shorten it", name, part, len(part), maxPart)
		}
	}
	if len(name) <= maxFileName {
		return nil
	}
	return fmt.Errorf("table file %s has a name of %d characters, allowed are %d; names follow the hierarchy: shorten the top module's or an instance's", name, len(name), maxFileName)
}

// Memh is the contents of a memory of t as $readmemh takes it: one hexadecimal word of N*W
// bits a line, element 0 in the low bits.
func Memh(t ir.Type, data []uint64) []byte {
	var b []byte
	masked := make([]uint64, t.N)
	for ; len(data) >= t.N; data = data[t.N:] {
		for i, v := range data[:t.N] {
			masked[i] = v & bits.Mask(t.W)
		}
		b = append(append(b, hexDigits(t.W, masked)...), '\n')
	}
	return b
}

// tables writes the contents that the image has for Loaded memories, in the order of the
// hierarchy. A name or size that fits no memory is an error.
func tables(d *ir.Design, img *ir.Image) ([]File, error) {
	if img == nil || len(img.Data) == 0 {
		return nil, nil
	}
	if err := img.Check(); err != nil {
		return nil, err
	}
	w := tableWalk{img: img, loads: map[*ir.Module]bool{}, found: map[string]bool{}}
	for _, m := range d.Modules { // children stand before parents
		for _, mem := range m.Mems {
			w.loads[m] = w.loads[m] || isTable(mem)
		}
		for _, in := range m.Insts {
			w.loads[m] = w.loads[m] || w.loads[in.Of]
		}
	}
	w.module(d.Top, d.Top.Name)
	w.set()
	for _, key := range slices.Sorted(maps.Keys(img.Data)) {
		if !w.found[key] && w.err == nil {
			w.err = fmt.Errorf("the image has contents for %q, but no loaded memory has this name", key)
		}
	}
	return w.files, w.err
}

// set marks the tables as one set: the head of each has a hash of them all, and so has file set,
// which simulations compare when they load a table.
func (w *tableWalk) set() {
	h := sha256.New()
	for _, f := range w.files {
		fmt.Fprintf(h, "%s %d\n%s", f.Path, len(f.Data), f.Data)
	}
	head := fmt.Sprintf("%x\n", h.Sum(nil))
	for i := range w.files {
		w.files[i].Data = append([]byte(setHead+head), w.files[i].Data...)
	}
	w.files = append(w.files, File{SetFile, []byte(head), RoleTable})
}

// SetFile names the set of the tables beside it; setHead begins their first line.
const (
	SetFile = "tables/set"
	setHead = "// set "
)

func isTable(mem *ir.Mem) bool { return mem.Loaded && mem.Init == nil }

type tableWalk struct {
	img   *ir.Image
	loads map[*ir.Module]bool // looked up only
	found map[string]bool     // looked up only
	files []File
	err   error
}

func (w *tableWalk) module(m *ir.Module, path string) {
	if !w.loads[m] {
		return
	}
	for _, mem := range m.Mems {
		key := path + "." + mem.Name
		data, ok := w.img.Data[key]
		if !ok || !isTable(mem) {
			continue
		}
		w.found[key] = true
		if err := mem.Admit(key, data); err != nil {
			if w.err == nil {
				w.err = err
			}
			return
		}
		_, t := Stored(m, mem)
		text := Memh(t, data)
		if note := w.img.Notes[key]; note != "" {
			text = append([]byte("// "+oneLine(note)+"\n"), text...)
		}
		if err := TableName(Bench + "." + key + ".memh"); err != nil && w.err == nil {
			w.err = err
		}
		w.files = append(w.files, File{"tables/" + Bench + "." + key + ".memh", text, RoleTable})
	}
	for _, in := range m.Insts {
		for r := range in.Rows {
			for c := range in.Cols {
				w.module(in.Of, strings.Join([]string{path, in.InstPath(r, c)}, "."))
			}
		}
	}
}
