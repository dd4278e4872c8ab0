package rtl

import (
	"fmt"
	"strconv"
	"strings"
)

// printer writes a module down; it decides nothing but line breaks.
type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) line(format string, a ...any) {
	s := format
	if len(a) > 0 {
		s = fmt.Sprintf(format, a...)
	}
	if s == "" {
		p.b.WriteByte('\n')
		return
	}
	p.b.WriteString(strings.Repeat("  ", p.indent))
	p.b.WriteString(s)
	p.b.WriteByte('\n')
}

// code writes a statement, broken after maxLine characters where it has a space; the note
// is left out when it does not fit.
func (p *printer) code(s, note string) {
	if note != "" {
		if len(s)+len(note)+4+2*p.indent <= maxLine {
			s += "  // " + note
			p.line("%s", s)
			return
		}
	}
	room := maxLine - 2*p.indent
	lead := ""
	for len(lead)+len(s) > room {
		cut := strings.LastIndexByte(s[:room-len(lead)+1], ' ')
		if cut <= 0 {
			if cut = strings.IndexByte(s, ' '); cut < 0 {
				break
			}
		}
		p.line("%s", lead+s[:cut])
		s, lead = s[cut+1:], "    "
	}
	p.line("%s", lead+s)
}

// comment writes a paragraph.
func (p *printer) comment(text string) {
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len(line)+1+len(w) > maxLine-4-2*p.indent {
			p.line("// %s", line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		p.line("// %s", line)
	}
}

// module writes what stands between `default_nettype none and wire.
func (p *printer) module(m *module) {
	if m.macro {
		p.line("(* blackbox *)")
	}
	p.line("module %s (", m.name)
	p.indent++
	p.ports(m.ports)
	p.indent--
	p.line(");")
	if m.macro {
		p.line("`ifndef SYNTHESIS")
	}
	p.indent++
	p.section(m.state)
	if len(m.genvar) > 0 {
		p.line("")
		p.line("genvar %s;", strings.Join(m.genvar, ", "))
	}
	for _, f := range m.funcs {
		p.line("")
		p.item(f)
	}
	p.section(m.body)
	wires := false // wires of one instance stand together
	for _, it := range m.insts {
		_, isInstance := it.(*instance)
		if isInstance || !wires {
			p.line("")
		}
		wires = !isInstance
		p.item(it)
	}
	for _, it := range m.clock {
		p.line("")
		p.item(it)
	}
	if len(m.rom) > 0 {
		p.block("initial begin", m.rom, "end")
	}
	p.power(m)
	p.section(m.tail)
	p.indent--
	if m.macro {
		p.line("`endif")
	}
	p.line("endmodule")
}

func (p *printer) section(items []item) {
	if len(items) == 0 {
		return
	}
	p.line("")
	for _, it := range items {
		p.item(it)
	}
}

func (p *printer) block(head string, body []string, tail string) {
	p.line("")
	p.line("%s", head)
	for _, l := range body {
		p.line("  %s", l)
	}
	p.line("%s", tail)
}

// power writes the simulation-only start; in a macro everything is simulation only.
func (p *printer) power(m *module) {
	if len(m.power) == 0 {
		return
	}
	p.line("")
	if !m.macro {
		p.line("// Power-on state of a simulation.")
		p.b.WriteString("`ifndef SYNTHESIS\n")
	}
	if m.usesInit {
		p.b.WriteString("`include \"" + initFile + "\"\n")
	}
	for _, l := range m.power {
		p.line("%s", l)
	}
	if !m.macro {
		p.b.WriteString("`endif\n")
	}
}

func (p *printer) ports(ports []portLine) {
	wide := 0
	for _, t := range ports {
		wide = max(wide, len(rangeOf(t.net.width)))
	}
	code := make([]string, len(ports))
	for i, t := range ports {
		code[i] = fmt.Sprintf("%-6s wire %*s %s", t.dir, wide, rangeOf(t.net.width), t.net.name)
		if wide == 0 {
			code[i] = fmt.Sprintf("%-6s wire %s", t.dir, t.net.name)
		}
		if i+1 < len(ports) {
			code[i] += ","
		}
	}
	for i := 0; i < len(ports); {
		end := i + 1
		for end < len(ports) && ports[end].group == ports[i].group {
			end++
		}
		if i > 0 {
			p.line("")
		}
		if g := oneLine(ports[i].group); g != "" {
			p.line("// %s", g)
		}
		p.portGroup(ports[i:end], code[i:end])
		i = end
	}
}

// portGroup writes ports one below the other, with their comments in a column.
func (p *printer) portGroup(ports []portLine, code []string) {
	column := 0
	for i, t := range ports {
		if t.doc != "" && len(code[i])+len(oneLine(t.doc))+6 <= maxLine {
			column = max(column, len(code[i]))
		}
	}
	for i, t := range ports {
		doc := oneLine(t.doc)
		switch {
		case doc == "":
			p.line("%s", code[i])
		case len(code[i]) > column || column+len(doc)+6 > maxLine:
			p.comment(doc)
			p.line("%s", code[i])
		default:
			p.line("%-*s  // %s", column, code[i], doc)
		}
	}
}

// rangeOf is "[w-1:0]", nothing for a single bit.
func rangeOf(w int) string {
	if w == 1 {
		return ""
	}
	return bitRange(w-1, 0)
}

func spaced(s string) string {
	if s == "" {
		return s
	}
	return s + " "
}

func (p *printer) item(it item) {
	switch it := it.(type) {
	case decl:
		s := it.kind + " " + spaced(rangeOf(it.net.width)) + it.net.name
		if it.x != nil {
			s += " = " + show(it.x)
		}
		p.code(s+";", it.note)
	case *memory:
		p.code(fmt.Sprintf("reg %s%s [0:%d];", spaced(rangeOf(it.width)), it.name, it.depth-1), it.note)
	case assign:
		p.code("assign "+show(it.dst)+" = "+show(it.x)+";", "")
	case *loop:
		p.loop(it)
	case *instance:
		p.instance(it)
	case *clocked:
		p.clocked(it)
	case lines:
		for _, l := range it.text {
			p.line("%s", l)
		}
	default:
		panic(fmt.Sprintf("rtl: item %T", it))
	}
}

func (p *printer) forLoop(v string, n int, block string) {
	p.line("for (%s = 0; %s < %d; %s = %s + 1) begin : %s", v, v, n, v, v, block)
	p.indent++
}

func (p *printer) end() {
	p.indent--
	p.line("end")
}

func (p *printer) loop(l *loop) {
	p.line("generate")
	p.indent++
	p.forLoop(l.v, l.n, l.block)
	for _, a := range l.body {
		p.item(a)
	}
	p.end()
	p.indent--
	p.line("endgenerate")
}

func (p *printer) instance(x *instance) {
	if x.note != "" {
		p.line("// %s", x.note)
	}
	grid := x.rowBlock != "" || x.colBlock != ""
	if grid {
		p.line("generate")
		p.indent++
	}
	if x.rowBlock != "" {
		p.forLoop(x.rowVar, x.rows, x.rowBlock)
	}
	for _, a := range x.rowBody {
		p.item(a)
	}
	if x.colBlock != "" {
		p.forLoop(x.colVar, x.cols, x.colBlock)
	}
	p.pins(x)
	if x.colBlock != "" {
		p.end()
	}
	if x.rowBlock != "" {
		p.end()
	}
	if grid {
		p.indent--
		p.line("endgenerate")
	}
}

func (p *printer) pins(x *instance) {
	if len(x.pins) == 0 {
		p.line("%s %s ();", x.module, x.name)
		return
	}
	p.line("%s %s (", x.module, x.name)
	p.indent++
	wide := 0
	for _, t := range x.pins {
		wide = max(wide, len(t.port))
	}
	for i, t := range x.pins {
		comma := ","
		if i+1 == len(x.pins) {
			comma = ""
		}
		p.code(fmt.Sprintf(".%-*s (%s)%s", wide, t.port, show(t.x), comma), "")
	}
	p.indent--
	p.line(");")
}

func (p *printer) clocked(c *clocked) {
	if c.note != "" {
		p.line("// %s", c.note)
	}
	p.line("always @(posedge clk) begin")
	p.indent++
	switch {
	case c.rst != nil:
		p.line("if (%s) begin", show(c.rst))
		p.take(c.reset)
		if c.en != nil {
			p.code("end else if ("+show(c.en)+") begin", "")
		} else {
			p.line("end else begin")
		}
		p.take(c.next)
		p.line("end")
	case c.en != nil:
		p.code("if ("+show(c.en)+") begin", "")
		p.take(c.next)
		p.line("end")
	default:
		p.indent--
		p.take(c.next)
		p.indent++
	}
	p.end()
}

func (p *printer) take(list []assign) {
	p.indent++
	for _, a := range list {
		p.code(show(a.dst)+" <= "+show(a.x)+";", "")
	}
	p.indent--
}

// show prints an expression.
func show(x expr) string {
	var b strings.Builder
	put(&b, x)
	return b.String()
}

func put(b *strings.Builder, x expr) {
	switch x := x.(type) {
	case bitsOf:
		b.WriteString(x.net.name)
		if x.w == 1 && x.net.width > 1 {
			fmt.Fprintf(b, "[%d]", x.lo)
		} else if x.w < x.net.width {
			b.WriteString(bitRange(x.lo+x.w-1, x.lo))
		}
	case laneOf:
		if x.n == 1 {
			put(b, bitsOf{x.net, x.off, x.w})
			return
		}
		putSelect(b, x.net, scaled(x.stride, x.v), x.off, x.w)
	case pickOf:
		index := show(x.index)
		if l, ok := x.index.(lit); ok {
			put(b, bitsOf{x.net, x.off + x.stride*int(l.v), x.w})
			return
		}
		putSelect(b, x.net, scaled(x.stride, index), x.off, x.w)
	case groupOf:
		putSelect(b, x.net, x.base, x.lo, x.w)
	case wordOf:
		fmt.Fprintf(b, "%s[%s]", x.mem.name, show(x.index))
	case lit:
		b.WriteString(number(x.w, x.v))
	case plain:
		b.WriteString(strconv.Itoa(x.v))
	case vecLit:
		putVector(b, x)
	case cat:
		b.WriteByte('{')
		for i, e := range x.parts {
			if i > 0 {
				b.WriteString(", ")
			}
			put(b, e)
		}
		b.WriteByte('}')
	case rep:
		fmt.Fprintf(b, "{%d{%s}}", x.n, show(x.x))
	case unary:
		b.WriteString(x.op)
		putOperand(b, x.x, "")
	case binop:
		putOperand(b, x.x, x.op)
		b.WriteString(" " + x.op + " ")
		putOperand(b, x.y, "")
	case cond:
		putOperand(b, x.s, "")
		b.WriteString(" ? ")
		if _, ok := x.a.(cond); ok {
			b.WriteString("(" + show(x.a) + ")")
		} else {
			put(b, x.a)
		}
		b.WriteString(" : ")
		put(b, x.b)
	case call:
		b.WriteString(x.fn + "(")
		for i, e := range x.args {
			if i > 0 {
				b.WriteString(", ")
			}
			put(b, e)
		}
		b.WriteByte(')')
	default:
		panic(fmt.Sprintf("rtl: expression %T", x))
	}
}

// putSelect prints w bits from bit base + lo on.
func putSelect(b *strings.Builder, t *net, base string, lo, w int) {
	b.WriteString(t.name + "[" + base)
	if lo > 0 {
		fmt.Fprintf(b, " + %d", lo)
	}
	if w > 1 {
		fmt.Fprintf(b, " +: %d", w)
	}
	b.WriteByte(']')
}

// putOperand prints an operand of op, in parentheses unless it cannot be misread.
func putOperand(b *strings.Builder, x expr, op string) {
	parens := false
	switch x := x.(type) {
	case binop:
		parens = x.op != op || op == "" || op == ">>>" || op == "<<" || op == ">>"
	case cond:
		parens = true
	case unary:
		parens = x.op != "~"
	}
	if parens {
		b.WriteByte('(')
	}
	put(b, x)
	if parens {
		b.WriteByte(')')
	}
}

func number(w int, v uint64) string {
	switch {
	case w == 1:
		return fmt.Sprintf("1'b%d", v)
	case v >= 1<<16:
		return fmt.Sprintf("%d'h%x", w, v)
	}
	return fmt.Sprintf("%d'd%d", w, v)
}

// putVector prints the elements, the last first; many of them as hexadecimal words.
func putVector(b *strings.Builder, x vecLit) {
	zero := true
	for _, v := range x.v {
		zero = zero && v == 0
	}
	switch {
	case zero:
		fmt.Fprintf(b, "%d'd0", len(x.v)*x.w)
	case len(x.v) <= 8 || x.w%4 != 0 && x.w != 1:
		c := cat{}
		for i := len(x.v) - 1; i >= 0; i-- {
			c.parts = append(c.parts, lit{x.w, x.v[i]})
		}
		put(b, c)
	default:
		putHex(b, x)
	}
}

// putHex prints a vector as hexadecimal words of at most 64 digits.
func putHex(b *strings.Builder, x vecLit) {
	digits := hexDigits(x.w, x.v)
	total := len(x.v) * x.w
	const step = 64
	first := (len(digits)-1)%step + 1
	many := len(digits) > step
	if many {
		b.WriteByte('{')
	}
	for at, end := 0, first; at < len(digits); at, end = end, end+step {
		if at > 0 {
			b.WriteString(", ")
		}
		width := 4 * (end - at)
		if at == 0 {
			width = total - 4*(len(digits)-end)
		}
		fmt.Fprintf(b, "%d'h%s", width, digits[at:end])
	}
	if many {
		b.WriteByte('}')
	}
}

// hexDigits is the packed word of elements of w bits, most significant digit first.
func hexDigits(w int, v []uint64) string {
	n := (len(v)*w + 3) / 4
	d := make([]byte, n)
	for i := range d {
		digit := 0
		for j := 3; j >= 0; j-- {
			bit := 4*(n-1-i) + j
			digit <<= 1
			if bit < len(v)*w {
				digit |= int(v[bit/w] >> (bit % w) & 1)
			}
		}
		d[i] = "0123456789abcdef"[digit]
	}
	return string(d)
}
