package vlog

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/flat"
	"ohmloom/rtl"
)

// File is one emitted source.
type File struct{ Name, Text string }

// Bench is the name of the module that stands above a design's top in every Verilog engine,
// so that hierarchical names, and with them the names of memory files, agree.
const Bench = "tb"

// Emit prints d as Verilog, without comments: they hold source positions, and moving a line
// of the description must not build a design anew.
func Emit(d *ir.Design) ([]File, error) {
	b, err := rtl.Emit(d, rtl.Options{})
	if err != nil {
		return nil, err
	}
	var files []File
	for _, f := range b.Files {
		switch f.Role {
		case rtl.RoleRTL, rtl.RoleMacro, rtl.RoleSim:
			files = append(files, File{path.Base(f.Path), stripComments(string(f.Data))})
		}
	}
	return files, nil
}

// stripComments cuts each line at "//", unless it holds a string, and drops empty lines.
func stripComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, `"`) {
			line, _, _ = strings.Cut(line, "//")
		}
		if line = strings.TrimRight(line, " \t\n"); line != "" {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Write puts the files into dir.
func Write(dir string, files []File) error {
	for _, f := range files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(f.Text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Units are the names of the files that are compiled by themselves, not included.
func Units(files []File) []string {
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".v") {
			names = append(names, f.Name)
		}
	}
	return names
}

// Table is a memory that can be loaded at power-on.
type Table struct {
	Path string // as ir.Image is keyed
	*ir.Mem
	Word ir.Type // of the file
}

// Tables lists the Loaded memories of d, one for each instance.
func Tables(d *ir.Design) []Table {
	any, modules := false, map[string]*ir.Module{}
	for _, m := range d.Modules {
		modules[m.Name] = m
		for _, mem := range m.Mems {
			any = any || mem.Loaded && mem.Init == nil
		}
	}
	if !any {
		return nil
	}
	var ts []Table
	for _, mem := range flat.Elaborate(d).Mems {
		if !mem.Loaded || mem.Init != nil {
			continue
		}
		for _, p := range mem.Paths {
			_, word := rtl.Stored(modules[mem.Module], mem.Mem)
			ts = append(ts, Table{p, mem.Mem, word})
		}
	}
	return ts
}

// maxPrefix is how many characters of +tables= the Verilog takes.
const maxPrefix = 512

// WriteImage writes the contents that img has for the tables into dir, one .memh file a
// table, and gives the prefix for +tables=, "" when there is nothing to load.
func WriteImage(dir string, ts []Table, img *ir.Image) (prefix string, err error) {
	if img == nil {
		return "", nil
	}
	if err := img.Check(); err != nil {
		return "", err
	}
	for _, t := range ts {
		data, ok := img.Data[t.Path]
		if !ok {
			continue
		}
		if err := t.Admit(t.Path, data); err != nil {
			return "", err
		}
		if err := rtl.TableName(Bench + "." + t.Path + ".memh"); err != nil {
			return "", err
		}
		if prefix = dir + string(filepath.Separator); len(prefix) > maxPrefix {
			return "", fmt.Errorf("the folder %s has a path of %d characters, too long for the Verilog, which takes %d; choose a shorter cache folder", dir, len(prefix), maxPrefix)
		}
		if err := os.WriteFile(prefix+Bench+"."+t.Path+".memh", []byte(memh(t.Word, data)), 0o644); err != nil {
			return "", err
		}
	}
	return prefix, nil
}

// memh is a table as $readmemh takes it: one word an address.
func memh(t ir.Type, data []uint64) string {
	var b []byte
	for ; len(data) > 0; data = data[t.N:] {
		b = append(append(b, Hex(t, data[:t.N])...), '\n')
	}
	return string(b)
}

// Hex is the packed word of a vector, element 0 in the low bits, in hexadecimal.
func Hex(t ir.Type, elems []uint64) []byte {
	digits := make([]byte, (t.Total()+3)/4)
	for i, v := range elems {
		for j := range t.W {
			bit := i*t.W + j
			digits[len(digits)-1-bit/4] |= byte(v>>j&1) << (bit % 4)
		}
	}
	for i, d := range digits {
		digits[i] = "0123456789abcdef"[d]
	}
	return digits
}
