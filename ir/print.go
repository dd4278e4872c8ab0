package ir

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Print writes the text form of d, which Parse reads back:
//
//	design tile top tile
//	loc 1 "tile.hcl" 12 3 "pe"
//
//	module pe @1 {
//		doc "Multiplies and accumulates."
//		in a u8 group "west" doc "activation"
//		out sum u32 = %1
//		reg acc u32 reset [0] next %5 en %2 @1
//		mem buf 16 u8 init [1, 2, 0*14] read %3 en %2 write %3 data %0 en %2
//		%0 = input u8 a
//		%1 = reg u32 acc as total @1
//		...
//	}
//
//	module tile {
//		grid pe pe 4 x 8 {
//			a = chain a_out west %0
//		}
//		...
//	}
//
// The nodes look as in the comments of the operations; "v*n" in a list stands for n times v,
// "@n" for location n, "#" starts a comment. d must keep I3 and I5.
func Print(w io.Writer, d *Design) error {
	p := &printer{w: bufio.NewWriter(w), locs: map[Loc]int{}}
	p.design(d)
	return p.w.Flush()
}

// String is the text form of d.
func (d *Design) String() string {
	var b strings.Builder
	Print(&b, d) // a Builder does not fail
	return b.String()
}

type printer struct {
	w    *bufio.Writer
	locs map[Loc]int
	list []Loc
}

func (p *printer) f(format string, a ...any) { fmt.Fprintf(p.w, format, a...) }

func (p *printer) design(d *Design) {
	if d == nil || d.Top == nil {
		p.f("# a design without top module\n")
		return
	}
	p.f("design %s top %s\n", name(d.Name), name(d.Top.Name))
	for _, m := range d.Modules {
		p.collect(m)
	}
	for i, l := range p.list {
		p.f("loc %d %q %d %d %q\n", i+1, l.File, l.Line, l.Col, l.Block)
	}
	for _, m := range d.Modules {
		p.module(m)
	}
}

// collect numbers the locations of m in the order in which the text form mentions them.
func (p *printer) collect(m *Module) {
	see := func(l *Loc) {
		if l != nil && p.locs[*l] == 0 {
			p.list = append(p.list, *l)
			p.locs[*l] = len(p.list)
		}
	}
	see(m.Loc)
	for _, r := range m.Regs {
		see(r.Loc)
	}
	for _, mem := range m.Mems {
		see(mem.Loc)
	}
	for _, in := range m.Insts {
		see(in.Loc)
	}
	for _, n := range m.Nodes {
		see(n.Loc)
	}
}

// name is s, quoted when it is not an identifier.
func name(s string) string {
	if identifier(s) || s == "clk" || s == "rst" {
		return s
	}
	return strconv.Quote(s)
}

func (p *printer) at(l *Loc) string {
	if l == nil {
		return ""
	}
	return fmt.Sprintf(" @%d", p.locs[*l])
}

// ref prints " word %id", or nothing for nil.
func ref(word string, n *Node) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf(" %s %%%d", word, n.ID)
}

func quoted(word, s string) string {
	if s == "" {
		return ""
	}
	return " " + word + " " + strconv.Quote(s)
}

func (p *printer) module(m *Module) {
	p.f("\nmodule %s%s {\n", name(m.Name), p.at(m.Loc))
	if m.Doc != "" {
		p.f("\tdoc %q\n", m.Doc)
	}
	if k := m.Macro; k != nil {
		p.f("\tmacro %q latency %d area %g energy %g\n", k.Kind, k.Latency, k.AreaUm2, k.EnergyPJ)
		for _, a := range k.Attrs {
			p.f("\tattr %q %q\n", a.Key, a.Value)
		}
	}
	for _, port := range m.Ports {
		dir, src := "in", ""
		if port.Dir == Out {
			dir, src = "out", ref("=", port.Node)
		}
		p.f("\t%s %s %s%s%s%s\n", dir, name(port.Name), port.Type, src, quoted("group", port.Group), quoted("doc", port.Doc))
	}
	for _, r := range m.Regs {
		p.f("\treg %s %s", name(r.Name), r.Type)
		if r.Reset != nil {
			p.f(" reset %s", list(r.Reset))
		}
		p.f("%s%s%s\n", ref("next", r.Next), ref("en", r.En), p.at(r.Loc))
	}
	for _, mem := range m.Mems {
		p.mem(mem)
	}
	for _, in := range m.Insts {
		p.inst(in)
	}
	for _, n := range m.Nodes {
		p.node(n)
	}
	p.f("}\n")
}

func (p *printer) mem(m *Mem) {
	p.f("\tmem %s %d %s", name(m.Name), m.Depth, m.Type)
	if m.Init != nil {
		p.f(" init %s", list(m.Init))
	}
	if m.Loaded {
		p.f(" loaded")
	}
	if m.Expect != nil {
		p.f(" expect %s", list(m.Expect))
	}
	if m.SliceBits > 0 {
		p.f(" slices %d x %d", m.SliceBits, m.SliceLen)
	}
	if m.RAddr != nil || m.REn != nil {
		p.f("%s%s", ref("read", m.RAddr), ref("ren", m.REn))
	}
	p.f("%s%s%s%s\n", ref("write", m.WAddr), ref("data", m.WData), ref("wen", m.WEn), p.at(m.Loc))
}

func (p *printer) inst(in *Inst) {
	if in.Grid {
		p.f("\tgrid %s %s %d x %d", name(in.Name), name(in.Of.Name), in.Rows, in.Cols)
	} else {
		p.f("\tinst %s %s", name(in.Name), name(in.Of.Name))
	}
	p.f("%s {\n", p.at(in.Loc))
	for _, c := range in.Conns {
		p.f("\t\t%s = %s", name(c.Port.Name), c.Kind)
		if c.Kind == Chain && c.From != nil {
			p.f(" %s %s", name(c.From.Name), c.Side)
		}
		if c.Src != nil {
			p.f(" %%%d", c.Src.ID)
		}
		p.f("\n")
	}
	p.f("\t}\n")
}

func (p *printer) node(n *Node) {
	p.f("\t%%%d = %s %s", n.ID, opName(n.Op), n.Type)
	switch op := n.Op.(type) {
	case Const:
		if n.Type.N == 1 && len(op.Val) == 1 {
			p.f(" %d", op.Val[0])
		} else {
			p.f(" %s", list(op.Val))
		}
	case Input:
		p.f(" %s", name(op.Port.Name))
	case RegOut:
		p.f(" %s", name(op.Reg.Name))
	case MemOut:
		p.f(" %s", name(op.Mem.Name))
	case MemRead:
		p.f(" %s", name(op.Mem.Name))
	case InstOut:
		p.f(" %s.%s", name(op.Inst.Name), name(op.Port.Name))
		if op.Sel != All {
			p.f(" %s", op.Sel)
		}
	}
	for _, a := range n.Args {
		p.f(" %%%d", a.ID)
	}
	switch op := n.Op.(type) {
	case Slice:
		p.f(" lo %d", op.Lo)
	case Elems:
		p.f(" lo %d", op.Lo)
	}
	if n.Name != "" {
		p.f(" as %s", name(n.Name))
	}
	p.f("%s\n", p.at(n.Loc))
}

// list prints values with runs as "v*n"; long lists in hex, sixteen a line.
func list(vs []uint64) string {
	var runs []string
	for i := 0; i < len(vs); {
		k := i
		for k < len(vs) && vs[k] == vs[i] {
			k++
		}
		if k-i < 3 {
			k = i + 1
		}
		v := strconv.FormatUint(vs[i], 10)
		if vs[i] > 9 && len(vs) > 16 {
			v = "0x" + strconv.FormatUint(vs[i], 16)
		}
		if k-i > 1 {
			v += "*" + strconv.Itoa(k-i)
		}
		runs = append(runs, v)
		i = k
	}
	if len(runs) <= 16 {
		return "[" + strings.Join(runs, ", ") + "]"
	}
	var b strings.Builder
	b.WriteString("[")
	for i, r := range runs {
		if i%16 == 0 {
			b.WriteString("\n\t\t")
		} else {
			b.WriteString(" ")
		}
		b.WriteString(r)
		if i < len(runs)-1 {
			b.WriteString(",")
		}
	}
	b.WriteString("\n\t]")
	return b.String()
}
