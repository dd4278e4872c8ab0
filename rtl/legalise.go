package rtl

import (
	"fmt"

	"ohmloom/ir"
)

// Limits of what is inlined: an expression that would print longer gets a named net.
const (
	maxInline = 56
	maxRoot   = 160 // on the right-hand side of a register
	maxLine   = 100
	maxTerms  = 4   // of a reduction written out
	maxChain  = 16  // multiplexers in one ?: chain
	maxConst  = 128 // bits of a constant vector that is written again at each use
)

// value is what the builder knows about a node.
type value struct {
	uses int
	hint string // a name for its net when the node has none
	net  *net   // not nil: the node stands in a net
	view view   // valid when net is not nil
	port *ir.Port
	busy bool
}

// builder turns one ir.Module into a module of the model.
type builder struct {
	m     *ir.Module
	out   *module
	names names
	vals  []value // by Node.ID
	nets  []*net
	regs  []*net // by index in m.Regs
	memq  []*net
	grids []*gridNet // every output of every instance, in order
	clk   *net
	rst   *net
	mems  []*memory         // by index in m.Mems
	ports map[*ir.Port]*net // looked up only
	funcs map[string]string // key of a function -> its name; looked up only
	local map[string]string // genvars and locals of functions: wanted -> given name; looked up only
	ready *net              // set when memories have their power-on contents, or nil
	gated map[*ir.Reg]*gate // looked up only
	chain int               // depth of the ?: chain being written
}

// build legalises m, a module under the top module named top. Names of ports and instances
// that Verilog cannot take are errors.
func build(m *ir.Module, top string) (*module, []nameEntry, error) {
	b := &builder{m: m, out: &module{name: m.Name, macro: m.Macro != nil},
		names: names{m.Name, map[string]bool{}},
		vals:  make([]value, len(m.Nodes)), ports: map[*ir.Port]*net{},
		funcs: map[string]string{}, local: map[string]string{}}
	if err := b.reserve(top); err != nil {
		return nil, nil, err
	}
	b.count()
	b.declarePorts()
	b.declareState()
	b.declareInstances()
	b.gates()
	for _, n := range m.Nodes {
		if v := b.val(n); v.uses > 0 && v.net == nil && b.wantsNet(n) {
			b.netOf(n)
		}
	}
	b.instances()
	b.registers()
	b.memories()
	b.drivePorts()
	b.powerOn()
	b.leaveOpen()
	return b.out, b.namesOf(), nil
}

func (b *builder) val(n *ir.Node) *value { return &b.vals[n.ID] }

// reserve takes the names that cannot change, and that of the top module, which a name
// anywhere below would hide.
func (b *builder) reserve(top string) error {
	if why := legal(b.m.Name); why != "" {
		return &NameError{b.m.Name, "module", b.m.Name, why}
	}
	b.names.taken[top] = true
	if b.m.Stateful() {
		b.names.taken["clk"], b.names.taken["rst"] = true, true
	}
	for _, name := range initNames {
		b.names.taken[name] = true
	}
	for _, p := range b.m.Ports {
		if err := b.names.keep("port", p.Name); err != nil {
			return err
		}
	}
	for _, in := range b.m.Insts {
		if err := b.names.keep("instance", in.Name); err != nil {
			return err
		}
		row, col := gridBlocks(in)
		for _, block := range []string{row, col} {
			if block == "" {
				continue
			}
			if err := b.names.keep("generate block", block); err != nil {
				return err
			}
		}
	}
	return nil
}

// gridBlocks are the generate blocks of an Array, "" when there is no such level; see
// ir.Inst.InstPath.
func gridBlocks(in *ir.Inst) (row, col string) {
	if in.Grid && in.Rows > 1 {
		row = in.Name + "_r"
	}
	if in.Grid && (in.Cols > 1 || in.Rows == 1) {
		col = in.Name + "_c"
	}
	return row, col
}

// count finds the live nodes, how often each is used, and names for those without.
func (b *builder) count() {
	use := func(n *ir.Node, hint string) {
		if n == nil {
			return
		}
		v := b.val(n)
		v.uses++
		if v.hint == "" {
			v.hint = hint
		}
	}
	for _, p := range b.m.Outputs() {
		v := b.val(p.Node)
		v.uses++
		if v.port == nil {
			v.port = p
		}
	}
	for _, r := range b.m.Regs {
		base := trimQ(r.Name)
		if g := b.gated[r]; g != nil {
			for _, n := range g.inputs {
				use(n, "")
			}
		} else {
			use(r.Next, base+"_d")
		}
		use(r.En, base+"_en")
	}
	for _, mem := range b.m.Mems {
		use(mem.RAddr, mem.Name+"_raddr")
		use(mem.REn, mem.Name+"_ren")
		use(mem.WAddr, mem.Name+"_waddr")
		use(mem.WData, mem.Name+"_wdata")
		use(mem.WEn, mem.Name+"_wen")
	}
	for _, in := range b.m.Insts {
		for _, c := range in.Conns {
			hint := in.Name + "_" + c.Port.Name
			if c.Kind == ir.Chain {
				hint += "_edge"
			}
			use(c.Src, hint)
		}
	}
	for i := len(b.m.Nodes) - 1; i >= 0; i-- {
		if n := b.m.Nodes[i]; b.val(n).uses > 0 {
			for _, a := range n.Args {
				use(a, "")
			}
		}
	}
}

func trimQ(name string) string {
	if len(name) > 2 && name[len(name)-2:] == "_q" {
		return name[:len(name)-2]
	}
	return name
}

// newNet makes a net with a free name.
func (b *builder) newNet(want string, t ir.Type) *net {
	return b.addNet(b.names.pick(want), t.Total(), false)
}

func (b *builder) addNet(name string, width int, port bool) *net {
	t := &net{name: name, width: width, isPort: port, used: make([]uint64, (width+63)/64)}
	b.nets = append(b.nets, t)
	return t
}

// place says that n stands in t.
func (b *builder) place(n *ir.Node, t *net) {
	v := b.val(n)
	v.net, v.view = t, whole(t, n.Type.N, n.Type.W)
}

func (b *builder) declarePorts() {
	if b.m.Stateful() {
		b.clk, b.rst = b.addNet("clk", 1, true), b.addNet("rst", 1, true)
		b.clk.mark(0, 1) // every module with state has a clocked part
		b.out.ports = append(b.out.ports,
			portLine{dir: "input", net: b.clk, doc: "clock, rising edge"},
			portLine{dir: "input", net: b.rst, doc: "synchronous reset, active high"})
	}
	for _, p := range b.m.Ports {
		t := b.addNet(p.Name, p.Type.Total(), true)
		b.ports[p] = t
		dir := "input"
		if p.Dir == ir.Out {
			dir = "output"
			t.mark(0, t.width)
		} else {
			b.place(p.Node, t)
		}
		doc := p.Doc
		if p.Type.N > 1 {
			shape := fmt.Sprintf("%d x %d bits, element 0 lowest", p.Type.N, p.Type.W)
			if doc != "" {
				shape = "; " + shape
			}
			doc += shape
		}
		b.out.ports = append(b.out.ports, portLine{dir: dir, net: t, doc: doc, group: p.Group})
	}
}

// declareState makes the nets of registers and memories.
func (b *builder) declareState() {
	for _, r := range b.m.Regs {
		t := b.newNet(trimQ(r.Name)+"_q", r.Type)
		b.regs = append(b.regs, t)
		b.place(r.Q, t)
		b.out.state = append(b.out.state, decl{kind: "reg", net: t, note: shapeNote(r.Type)})
	}
	for _, mem := range b.m.Mems {
		name := b.names.pick(mem.Name)
		depth, t := Stored(b.m, mem)
		word := &memory{name: name, width: t.Total(), depth: depth, note: shapeNote(t)}
		b.mems = append(b.mems, word)
		b.out.state = append(b.out.state, word)
		var q *net
		if mem.Q != nil {
			q = b.newNet(mem.Name+"_q", mem.Type)
			b.place(mem.Q, q)
			b.out.state = append(b.out.state, decl{kind: "reg", net: q, note: "word read at the last edge"})
		}
		b.memq = append(b.memq, q)
	}
}

func shapeNote(t ir.Type) string {
	if t.N == 1 {
		return ""
	}
	return fmt.Sprintf("%d x %d bits", t.N, t.W)
}

func (b *builder) memIndex(m *ir.Mem) int {
	for i, mem := range b.m.Mems {
		if mem == m {
			return i
		}
	}
	panic("rtl: memory of another module")
}

// drivePorts connects the outputs that nothing drives yet.
func (b *builder) drivePorts() {
	for _, p := range b.m.Outputs() {
		t := b.ports[p]
		if x := b.expr(p.Node); b.val(p.Node).net != t {
			b.out.body = append(b.out.body, assign{dst: all(t), x: x})
		}
	}
}

func all(t *net) expr { return bitsOf{t, 0, t.width} }

// mark notes that bits lo .. lo+w-1 are read.
func (t *net) mark(lo, w int) {
	for i := lo; i < lo+w; i++ {
		t.used[i/64] |= 1 << (i % 64)
	}
}

func (t *net) isUsed(i int) bool { return t.used[i/64]>>(i%64)&1 == 1 }
