package rtl

import (
	"fmt"

	"ohmloom/ir"
)

// registers writes one always block for all registers in a row that share enable and reset.
func (b *builder) registers() {
	var last *clocked
	var lastEn *ir.Node
	for i, r := range b.m.Regs {
		if last == nil || r.En != lastEn || (r.Reset != nil) != (last.rst != nil) {
			last, lastEn = &clocked{}, r.En
			if r.Reset != nil {
				last.rst = all(b.rst)
			}
			last.en = b.enable(r.En)
			b.out.clock = append(b.out.clock, last)
		}
		q := all(b.regs[i])
		if r.Reset != nil {
			last.reset = append(last.reset, assign{q, constant(r.Type, r.Reset)})
		}
		if g := b.gated[r]; g != nil {
			last.next = append(last.next, assign{q, g.call()})
			continue
		}
		last.next = append(last.next, assign{q, b.rootExpr(r.Next)})
	}
}

// rootExpr is the right-hand side of an assignment to a register of n's width.
func (b *builder) rootExpr(n *ir.Node) expr {
	v := b.val(n)
	if _, ok := b.tryView(n); ok || v.net != nil || b.wantsNet(n) || !b.isWhole(n) || isView(n) {
		return b.expr(n)
	}
	x := b.build(n, true)
	if len(show(x)) > maxRoot {
		return b.expr(n)
	}
	return x
}

// memories writes the clocked ports: read first, addresses beyond the depth read zero and
// write nothing.
func (b *builder) memories() {
	for i, mem := range b.m.Mems {
		if mem.Q != nil {
			c := &clocked{note: "read port of " + mem.Name, en: b.enable(mem.REn)}
			c.next = []assign{{all(b.memq[i]), b.memRead(mem, mem.RAddr)}}
			b.out.clock = append(b.out.clock, c)
		}
		if mem.WEn == nil {
			continue
		}
		guard, index := b.index(mem.WAddr, mem.Depth)
		en := b.enable(mem.WEn)
		switch {
		case en == nil:
			en = guard
		case guard != nil:
			en = binop{"&", en, guard}
		}
		c := &clocked{note: "write port of " + mem.Name, en: en}
		c.next = []assign{{wordOf{b.mems[i], index}, b.expr(mem.WData)}}
		b.out.clock = append(b.out.clock, c)
	}
}

// enable is nil for what is always enabled.
func (b *builder) enable(n *ir.Node) expr {
	if n == nil {
		return nil
	}
	if c, ok := n.Op.(ir.Const); ok && c.Val[0] == 1 {
		return nil
	}
	return b.expr(n)
}

// memRead is the word at addr, zero beyond the depth.
func (b *builder) memRead(mem *ir.Mem, addr *ir.Node) expr {
	guard, index := b.index(addr, mem.Depth)
	x := expr(wordOf{b.mems[b.memIndex(mem)], index})
	if guard != nil {
		return cond{guard, x, lit{mem.Type.Total(), 0}}
	}
	return x
}

// index is an address or element number as an expression of the bits that count entries
// need, and the condition that it is below count, nil when it always is.
func (b *builder) index(n *ir.Node, count int) (guard, index expr) {
	w, k := n.Type.W, ir.ClogTwo(count)
	switch {
	case w < k:
		return nil, extend(b.expr(n), w, k, false)
	case w == k && count == 1<<k:
		return nil, b.expr(n)
	}
	v := b.packedView(n)
	return binop{"<", v.all(), lit{w, uint64(count)}}, part(v.all(), 0, k)
}

// powerOn writes the simulation-only start of registers and memories.
func (b *builder) powerOn() {
	p := power{unused: b.names.pick("unused_init"), low: map[int]string{}}
	for i, r := range b.m.Regs {
		p.words(b.regs[i].name, r.Type, ir.InitKey(b.m.Name, r.Name), b)
	}
	var files []loaded
	for i, mem := range b.m.Mems {
		name := b.mems[i].name
		switch {
		case mem.Init != nil:
			p.contents(name, mem)
		default:
			stored := *mem
			stored.Depth, stored.Type = Stored(b.m, mem)
			p.memory(name, &stored, ir.InitKey(b.m.Name, mem.Name), b)
		}
		if mem.Q != nil {
			p.words(b.memq[i].name, mem.Type, ir.InitKey(b.m.Name, mem.Name+".q"), b)
		}
		if isTable(mem) {
			files = append(files, loaded{name, mem.Name, mem})
			b.mems[i].used = b.mems[i].used || mem.Expect != nil
		}
	}
	p.load(files, b)
	if b.ready != nil {
		p.add("%s = 1'b1;", b.ready.name)
	}
	b.out.rom = p.rom
	if len(p.text) == 0 {
		return
	}
	b.out.usesInit = p.seeded
	b.out.power = append(p.decls(), "initial begin")
	for _, l := range p.text {
		b.out.power = append(b.out.power, "  "+l)
	}
	b.out.power = append(b.out.power, "end")
}

// power collects the statements of the power-on block.
type power struct {
	text   []string
	rom    []string // contents that synthesis sees, too
	vars   []string
	unused string
	index  string
	addr   string
	slice  string
	low    map[int]string // by width; looked up only
	high   int            // the lowest bit of the seeded word that is left over, 64: none
	seeded bool
}

func (p *power) add(format string, a ...any) { p.text = append(p.text, fmt.Sprintf(format, a...)) }

func (p *power) decls() []string {
	var d []string
	if p.high > 0 {
		d = append(d, fmt.Sprintf("reg %s %s;", bitRange(63, p.high), p.unused))
	}
	return append(d, p.vars...)
}

func bitRange(hi, lo int) string { return fmt.Sprintf("[%d:%d]", hi, lo) }

// target is the left-hand side that takes the low w bits of a seeded word into dst.
func (p *power) target(dst string, w int) string {
	p.seeded = true
	if w == 64 {
		return dst
	}
	if p.high == 0 || w < p.high {
		p.high = w
	}
	return fmt.Sprintf("{%s[63:%d], %s}", p.unused, w, dst)
}

func (p *power) counter(slot *string, want string, b *builder) string {
	if *slot == "" {
		*slot = b.names.pick(want)
		p.vars = append(p.vars, "integer "+*slot+";")
	}
	return *slot
}

// words starts a register of t from the seeded words of key.
func (p *power) words(name string, t ir.Type, key uint64, b *builder) {
	if t.N == 1 {
		p.add("ohmloom_init(64'h%016x, 0, %s);", key, p.target(name, t.W))
		return
	}
	i := p.counter(&p.index, "init_i", b)
	p.add("for (%s = 0; %s < %d; %s = %s + 1)", i, i, t.N, i, i)
	p.add("  ohmloom_init(64'h%016x, %s, %s);", key, i, p.target(element(name, i, t.W), t.W))
}

// element is element i of a packed name.
func element(name, i string, w int) string {
	if w == 1 {
		return fmt.Sprintf("%s[%s]", name, i)
	}
	return fmt.Sprintf("%s[%d*%s +: %d]", name, w, i, w)
}

// memory starts a memory from seeded words.
func (p *power) memory(name string, mem *ir.Mem, key uint64, b *builder) {
	a, t := p.counter(&p.addr, "init_a", b), mem.Type
	p.add("for (%s = 0; %s < %d; %s = %s + 1)", a, a, mem.Depth, a, a)
	word := fmt.Sprintf("%s[%s]", name, a)
	if t.N == 1 {
		p.add("  ohmloom_init(64'h%016x, %s, %s);", key, a, p.target(word, t.W))
		return
	}
	i := p.counter(&p.index, "init_i", b)
	p.add("  for (%s = 0; %s < %d; %s = %s + 1)", i, i, t.N, i, i)
	p.add("    ohmloom_init(64'h%016x, %d*%s + %s, %s);", key, t.N, a, i, p.target(element(word, i, t.W), t.W))
}

// contents writes the fixed contents of a memory, a few words a line.
func (p *power) contents(name string, mem *ir.Mem) {
	n, line := mem.Type.N, ""
	for a := 0; a < mem.Depth; a++ {
		s := fmt.Sprintf("%s[%d] = %s;", name, a, show(constant(mem.Type, mem.Init[a*n:a*n+n])))
		if line != "" && len(line)+1+len(s) > maxLine-4 {
			p.rom = append(p.rom, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += s
	}
	p.rom = append(p.rom, line)
}

// load reads the contents of memories from the files that the instance has below +tables; a
// missing file leaves the seeded words.
func (p *power) load(list []loaded, b *builder) {
	if len(list) == 0 {
		return
	}
	prefix, path, file := b.names.pick("init_tables"), b.names.pick("init_path"), b.names.pick("init_file")
	p.vars = append(p.vars,
		fmt.Sprintf("reg [8*512-1:0] %s;", prefix), fmt.Sprintf("reg [8*1024-1:0] %s;", path), fmt.Sprintf("integer %s;", file))
	p.add("if ($value$plusargs(\"tables=%%s\", %s)) begin", prefix)
	for _, m := range list {
		p.add("  $sformat(%s, \"%%0s%%m.%s.memh\", %s);", path, m.key, prefix)
		p.add("  ohmloom_belongs(%s, %s);", prefix, path)
		p.add("  %s = $fopen(%s, \"r\");", file, path)
		p.add("  if (%s != 0) begin", file)
		p.add("    $fclose(%s);", file)
		p.add("    $readmemh(%s, %s);", path, m.name)
		p.inRange(m, b)
		for a, n := 0, m.mem.Type.N; a*n < len(m.mem.Expect); a++ {
			want := show(constant(m.mem.Type, m.mem.Expect[a*n:a*n+n]))
			p.add("    if (%s[%d] !== %s) begin", m.name, a, want)
			p.add("      $display(\"%%m.%s: these tables were made for another design: the word is %%h, expected %%h\", %s[%d], %s);", m.key, m.name, a, want)
			p.add("      $finish;")
			p.add("    end")
		}
		p.add("  end")
	}
	p.add("end")
}

// inRange refuses numbers in bit slices that are out of range, or not known.
func (p *power) inRange(l loaded, b *builder) {
	n := l.mem.SliceBits
	_, t := Stored(b.m, l.mem)
	if n == 0 || l.mem.SliceLen%t.N != 0 {
		return
	}
	b.mems[b.memIndex(l.mem)].used = true
	group, j, w := p.counter(&p.addr, "init_a", b), p.counter(&p.index, "init_i", b), l.mem.SliceLen/t.N
	k := p.counter(&p.slice, "init_k", b)
	if p.low[t.N] == "" {
		p.low[t.N] = b.names.pick("init_low")
		p.vars = append(p.vars, fmt.Sprintf("reg %s%s;", spaced(rangeOf(t.N)), p.low[t.N]))
	}
	low := p.low[t.N]
	p.add("    for (%s = 0; %s < %d; %s = %s + 1)", group, group, l.mem.Depth*l.mem.Type.N/(n*l.mem.SliceLen), group, group)
	p.add("      for (%s = 0; %s < %d; %s = %s + 1) begin", j, j, w, j, j)
	p.add("        %s = %s;", low, show(lit{t.N, 0}))
	p.add("        for (%s = 0; %s < %d; %s = %s + 1)", k, k, n-1, k, k)
	p.add("          %s = %s | %s[(%d*%s + %s)*%d + %s];", low, low, l.name, n, group, k, w, j)
	p.add("        if ((%s[(%d*%s + %d)*%d + %s] & ~%s) !== %s) begin", l.name, n, group, n-1, w, j, low, show(lit{t.N, 0}))
	p.add("          $display(\"%%m.%s: a number of group %%0d is out of range: below %d, or not known\", %s);", l.key, -1<<(n-1)+1, group)
	p.add("          $finish;")
	p.add("        end")
	p.add("      end")
}

// loaded is a memory that has a file: its name in Verilog and in the file's name.
type loaded struct {
	name, key string
	mem       *ir.Mem
}
