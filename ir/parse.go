package ir

import (
	"math"
	"strconv"
	"strings"
)

// maxListed bounds the values that the lists of one text stand for.
const maxListed = 1 << 24

// Parse reads the text form that Print writes. Mistakes are *ParseError with file:line:col.
// Modules stand before the modules that instantiate them. Nothing beyond the syntax and the
// names is checked: that is Check.
func Parse(filename, text string) (d *Design, err error) {
	p := &parser{lexer: lexer{file: filename, text: text, line: 1}, mods: map[string]*Module{}, locs: map[string]*Loc{}}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *ParseError:
			d, err = nil, e
		default:
			panic(e)
		}
	}()
	p.advance()
	return p.design(), nil
}

type parser struct {
	lexer
	tok    token
	mods   map[string]*Module
	locs   map[string]*Loc
	listed int
}

func (p *parser) advance() token {
	t := p.tok
	p.tok = p.next()
	return t
}

func (p *parser) is(text string) bool {
	return (p.tok.kind == tokWord || p.tok.kind == tokMark) && p.tok.text == text
}

// accept takes the token if it is text.
func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail(p.tok, "expected %q, found %s", text, p.tok)
	}
}

// take is the text of a token of one of the kinds.
func (p *parser) take(what string, kinds ...tokenKind) string {
	for _, k := range kinds {
		if p.tok.kind == k {
			return p.advance().text
		}
	}
	p.fail(p.tok, "expected %s, found %s", what, p.tok)
	return ""
}

func (p *parser) name(what string) string { return p.take(what, tokWord, tokName) }
func (p *parser) str(what string) string  { return p.take(what, tokName) }

func (p *parser) integer(what string) int {
	at := p.tok
	v, err := strconv.Atoi(p.take(what, tokWord))
	if err != nil {
		p.fail(at, "expected %s, found %s", what, at)
	}
	return v
}

func (p *parser) float(what string) float64 {
	at := p.tok
	v, err := strconv.ParseFloat(p.take(what, tokWord), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		p.fail(at, "expected %s, found %s", what, at)
	}
	return v
}

func (p *parser) value() uint64 {
	at := p.tok
	v, err := strconv.ParseUint(p.take("a value", tokWord), 0, 64)
	if err != nil {
		p.fail(at, "expected a value of 64 bits, found %s", at)
	}
	return v
}

// lines skips ends of lines; line wants at least one.
func (p *parser) lines() {
	for p.tok.kind == tokLine {
		p.advance()
	}
}

func (p *parser) line() {
	if p.tok.kind != tokLine && p.tok.kind != tokEOF {
		p.fail(p.tok, "expected the end of the line, found %s", p.tok)
	}
	p.lines()
}

// typ reads "u8" or "4xu8".
func (p *parser) typ() Type {
	at := p.tok
	s := p.take("a type", tokWord)
	n, w, vector := strings.Cut(s, "xu")
	t, err := Type{N: 1}, error(nil)
	if vector {
		t.N, err = strconv.Atoi(n)
	} else {
		var scalar bool
		if w, scalar = strings.CutPrefix(s, "u"); !scalar {
			err = strconv.ErrSyntax
		}
	}
	if err == nil {
		t.W, err = strconv.Atoi(w)
	}
	if err != nil {
		p.fail(at, "expected a type like u8 or 4xu8, found %s", at)
	}
	return t
}

// list reads "[1, 2*3, 0xff]".
func (p *parser) list() []uint64 {
	p.expect("[")
	vs := []uint64{}
	for !p.is("]") {
		v, n, at := p.value(), 1, p.tok
		if p.accept("*") {
			at = p.tok
			n = p.integer("a count")
		}
		if n < 0 || n > maxListed-p.listed {
			p.fail(at, "the lists stand for more than %d values", maxListed)
		}
		p.listed += n
		for ; n > 0; n-- {
			vs = append(vs, v)
		}
		if !p.accept(",") && !p.is("]") {
			p.fail(p.tok, "expected \",\" or \"]\", found %s", p.tok)
		}
	}
	p.expect("]")
	return vs
}

// at reads "@3", if it stands there.
func (p *parser) at() *Loc {
	if p.tok.kind != tokLoc {
		return nil
	}
	t := p.advance()
	l, ok := p.locs[t.text]
	if !ok {
		p.fail(t, "location %s is not defined above", t)
	}
	return l
}

func (p *parser) design() *Design {
	p.lines()
	p.expect("design")
	d := &Design{Name: p.name("the design's name")}
	p.expect("top")
	at := p.tok
	top := p.name("the top module's name")
	p.line()
	for p.accept("loc") {
		id := strconv.Itoa(p.integer("the location's number"))
		p.locs[id] = &Loc{File: p.str("a file"), Line: p.integer("a line"), Col: p.integer("a column"), Block: p.str("a block")}
		p.line()
	}
	for p.tok.kind != tokEOF {
		d.Modules = append(d.Modules, p.module())
	}
	if d.Top = p.mods[top]; d.Top == nil {
		p.fail(at, "the top module %s is not defined", top)
	}
	return d
}

// scope is the module being read. References to nodes are resolved at its end.
type scope struct {
	*parser
	m     *Module
	nodes map[string]*Node
	ports map[string]*Port
	regs  map[string]*Reg
	mems  map[string]*Mem
	insts map[string]*Inst
	later []func()
}

func (p *parser) module() *Module {
	p.expect("module")
	at := p.tok
	s := &scope{parser: p, m: New(p.name("the module's name"), ""), nodes: map[string]*Node{}, ports: map[string]*Port{},
		regs: map[string]*Reg{}, mems: map[string]*Mem{}, insts: map[string]*Inst{}}
	m := s.m
	if p.mods[m.Name] != nil {
		p.fail(at, "module %s is defined twice", m.Name)
	}
	m.Loc = p.at()
	p.expect("{")
	p.line()
	for !p.accept("}") {
		s.statement()
		p.line()
	}
	p.line()
	for _, f := range s.later {
		f()
	}
	p.mods[m.Name] = m
	return m
}

func (s *scope) statement() {
	if s.tok.kind == tokNode {
		s.node()
		return
	}
	at := s.tok
	switch word := s.take("a statement", tokWord); word {
	case "doc":
		s.m.Doc = s.str("the module's doc")
	case "macro":
		s.macro()
	case "attr":
		if s.m.Macro == nil {
			s.fail(at, "attr without macro")
		}
		s.m.Macro.Attrs = append(s.m.Macro.Attrs, Attr{s.str("a key"), s.str("a value")})
	case "in":
		s.port(In)
	case "out":
		s.port(Out)
	case "reg":
		s.reg()
	case "mem":
		s.mem()
	case "inst":
		s.inst(false)
	case "grid":
		s.inst(true)
	default:
		s.fail(at, "unknown statement %q", word)
	}
}

func (s *scope) macro() {
	k := &Macro{Kind: s.str("the macro's kind")}
	s.expect("latency")
	k.Latency = s.integer("the latency")
	s.expect("area")
	k.AreaUm2 = s.float("the area")
	s.expect("energy")
	k.EnergyPJ = s.float("the energy")
	s.m.Macro = k
}

// node reads a reference and stores the node in dst at the end of the module.
func (s *scope) ref(dst **Node) {
	t := s.tok
	id := s.take("a node", tokNode)
	s.later = append(s.later, func() {
		n := s.nodes[id]
		if n == nil {
			s.fail(t, "node %%%s is not defined in module %s", id, s.m.Name)
		}
		*dst = n
	})
}

// clause reads "word %n", if it stands there.
func (s *scope) clause(word string, dst **Node) {
	if s.accept(word) {
		s.ref(dst)
	}
}

// declare registers a new name.
func declare[T any](s *scope, kind string, known map[string]*T, v *T) string {
	at := s.tok
	n := s.name("the name of a " + kind)
	if known[n] != nil {
		s.fail(at, "%s %s is declared twice", kind, n)
	}
	known[n] = v
	return n
}

// find resolves a name.
func find[T any](s *scope, kind string, known map[string]*T) *T {
	at := s.tok
	n := s.name("the name of a " + kind)
	if known[n] == nil {
		s.fail(at, "%s %s is not declared above", kind, n)
	}
	return known[n]
}

func (s *scope) port(d Dir) {
	p := &Port{Dir: d}
	p.Name = declare(s, "port", s.ports, p)
	p.Type = s.typ()
	if d == Out {
		s.clause("=", &p.Node)
	}
	if s.accept("group") {
		p.Group = s.str("a group")
	}
	if s.accept("doc") {
		p.Doc = s.str("a doc")
	}
	s.m.Ports = append(s.m.Ports, p)
}

func (s *scope) reg() {
	r := &Reg{}
	r.Name = declare(s, "register", s.regs, r)
	r.Type = s.typ()
	if s.accept("reset") {
		r.Reset = s.list()
	}
	s.clause("next", &r.Next)
	s.clause("en", &r.En)
	r.Loc = s.at()
	s.m.Regs = append(s.m.Regs, r)
}

func (s *scope) mem() {
	m := &Mem{}
	m.Name = declare(s, "memory", s.mems, m)
	m.Depth = s.integer("the depth")
	m.Type = s.typ()
	if s.accept("init") {
		m.Init = s.list()
	}
	m.Loaded = s.accept("loaded")
	if s.accept("expect") {
		m.Expect = s.list()
	}
	if s.accept("slices") {
		m.SliceBits = s.integer("the bits of a number")
		s.expect("x")
		m.SliceLen = s.integer("the numbers of a group")
	}
	s.clause("read", &m.RAddr)
	s.clause("ren", &m.REn)
	s.clause("write", &m.WAddr)
	s.clause("data", &m.WData)
	s.clause("wen", &m.WEn)
	m.Loc = s.at()
	s.m.Mems = append(s.m.Mems, m)
}

func (s *scope) inst(grid bool) {
	in := &Inst{Grid: grid, Rows: 1, Cols: 1}
	in.Name = declare(s, "instance", s.insts, in)
	in.Of = find(s, "module", s.mods)
	if grid {
		in.Rows = s.integer("the rows")
		s.expect("x")
		in.Cols = s.integer("the columns")
	}
	in.Loc = s.at()
	s.expect("{")
	s.line()
	for !s.accept("}") {
		c := &Conn{Port: s.portOf(in)}
		s.expect("=")
		c.Kind = ConnKind(s.one("a wiring rule", ConnNames))
		if c.Kind == Chain {
			c.From = s.portOf(in)
			c.Side = Side(s.one("a side", SideNames))
		}
		s.ref(&c.Src)
		s.line()
		in.Conns = append(in.Conns, c)
	}
	s.m.Insts = append(s.m.Insts, in)
}

// portOf reads the name of a port of the instance's module.
func (s *scope) portOf(in *Inst) *Port {
	at := s.tok
	n := s.name("a port")
	p := in.Of.Port(n)
	if p == nil {
		s.fail(at, "module %s has no port %s", in.Of.Name, n)
	}
	return p
}

// one reads one of the words and gives its index.
func (s *scope) one(what string, words []string) int {
	at := s.tok
	got := s.take(what, tokWord)
	for i, w := range words {
		if w == got {
			return i
		}
	}
	s.fail(at, "expected %s (%s), found %s", what, strings.Join(words, ", "), at)
	return 0
}

// plain are the operations that consist of a word, a type and operands.
var plain = func() map[string]Op {
	ops := map[string]Op{"not": Not{}, "mux": Mux{}, "zext": Extend{false}, "sext": Extend{true}, "cat": Cat{}, "splat": Splat{},
		"pick": Pick{}, "join": Join{}, "cast": Cast{}, "msum": MaskedSum{false}, "msums": MaskedSum{true}}
	for k, w := range BinaryNames {
		ops[w] = Binary{BinaryKind(k)}
	}
	for k, w := range ShiftNames {
		ops[w] = Shift{ShiftKind(k)}
	}
	for k, w := range CompareNames {
		ops[w] = Compare{CompareKind(k)}
	}
	return ops
}()

func (s *scope) node() {
	at := s.advance()
	s.expect("=")
	n := s.m.Append(nil, Type{})
	if s.nodes[at.text] != nil {
		s.fail(at, "node %s is defined twice", at)
	}
	s.nodes[at.text] = n
	wordAt := s.tok
	word := s.take("an operation", tokWord)
	if word == "fold" {
		n.Op = s.fold()
	}
	n.Type = s.typ()
	switch word {
	case "const":
		if s.is("[") {
			n.Op = Const{s.list()}
		} else {
			n.Op = Const{[]uint64{s.value()}}
		}
	case "input":
		p := find(s, "port", s.ports)
		n.Op, p.Node = Input{p}, n
	case "reg":
		r := find(s, "register", s.regs)
		n.Op, r.Q = RegOut{r}, n
	case "memout":
		m := find(s, "memory", s.mems)
		n.Op, m.Q = MemOut{m}, n
	case "memread":
		n.Op = MemRead{find(s, "memory", s.mems)}
	case "instout":
		n.Op = s.instOut()
	case "slice", "elems", "fold":
	default:
		if n.Op = plain[word]; n.Op == nil {
			s.fail(wordAt, "unknown operation %q", word)
		}
	}
	s.operands(n)
	if word == "slice" || word == "elems" {
		s.expect("lo")
		n.Op = Slice{s.integer("the lowest bit")}
		if word == "elems" {
			n.Op = Elems{n.Op.(Slice).Lo}
		}
	}
	if s.accept("as") {
		n.Name = s.name("the value's name")
	}
	n.Loc = s.at()
}

func (s *scope) operands(n *Node) {
	count := 0
	for s.tok.kind == tokNode {
		i := count
		var a *Node
		s.ref(&a)
		s.later = append(s.later, func() { n.Args[i] = a })
		count++
	}
	n.Args = make([]*Node, count)
	if count == 0 {
		n.Args = nil
	}
}

func (s *scope) fold() Op {
	at := s.tok
	word := s.take("the operation of a fold", tokWord)
	if word == "adds" {
		return Fold{FoldAdd, true}
	}
	for k, w := range FoldNames {
		if w == word {
			return Fold{FoldKind(k), false}
		}
	}
	s.fail(at, "unknown operation %q of a fold", word)
	return nil
}

func (s *scope) instOut() Op {
	in := find(s, "instance", s.insts)
	s.expect(".")
	op := InstOut{Inst: in, Port: s.portOf(in)}
	if s.tok.kind == tokWord && s.tok.text != "as" {
		op.Sel = Side(s.one("a side", SideNames))
	}
	return op
}
