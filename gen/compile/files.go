package compile

import (
	"fmt"
	"strings"
)

// File is something to look at or to load.
type File struct {
	Path, Role string
	Data       []byte
}

// Files are the program with its machine code, the place of every block of every matrix, and the
// memory image; and of a writable chip the programming image, a line a beat of its stream weights.
func (p *Compiled) Files() []File {
	files := []File{
		{"program.lst", "program", []byte(p.Program.Listing())},
		{"placement.tsv", "documentation", p.placement()},
		{"memory.img", "memory", p.Memory().Data},
	}
	if p.Writable() {
		files = append(files, File{"weights.hex", "memory", p.weights()})
	}
	return files
}

func (p *Compiled) placement() []byte {
	var b strings.Builder
	b.WriteString("matrix\tinputs\toutputs\tM\tS\tbank\top\trow_block\tcolumn_block\tpe\n")
	for _, op := range p.Plan.Ops {
		for i, m := range op.Matrices {
			w := matrix(p.Model, m.Name)
			for rb, row := range op.PE[i] {
				for cb, pe := range row {
					fmt.Fprintf(&b, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", m.Name, m.In, m.Out, w.M, w.S, op.Bank, op.Index, rb, cb, pe)
				}
			}
		}
	}
	return []byte(b.String())
}
