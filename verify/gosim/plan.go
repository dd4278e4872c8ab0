package gosim

import (
	"fmt"
	"strings"

	"ohmloom/ir"
	"ohmloom/ir/flat"
)

// class says how a value comes about in the generated program.
type class uint8

const (
	constVal class = iota // a literal or a table
	view                  // another value read at another index; never stored
	state                 // the present word of a register or of a memory's read port
	computed              // computed every cycle
	input                 // an input port, read where the record has it
)

// val is a value with its place in the generated program.
//
// Lanes that are known to be alike are stored once: stored lane s stands for lanes
// s*div .. s*div+div-1. Data of stored lane s begins at unit s*units; a unit is an element,
// or for one-bit vectors a word of 64 elements.
type val struct {
	*flat.Value
	class class
	args  []*val
	reg   *reg
	mem   *mem
	div   int    // lanes that share one stored lane
	lanes int    // stored lanes
	bits  bool   // one-bit vector, packed
	units int    // storage units a lane
	width int    // bits of the Go type of a unit: 8, 16, 32 or 64
	name  string // Go identifier

	item   *item // what computes it (class computed)
	stored bool  // lives in a package variable; else in a local of its group
	rows   bool  // stored as one pointer a lane into a memory
}

type reg struct {
	*flat.Reg
	q, next, en *val
}

type mem struct {
	*flat.Mem
	div, lanes        int
	bits              bool
	units, width      int
	name              string
	q                 *val
	raddr, ren        *val
	waddr, wdata, wen *val
}

// plan is everything decided before anything is printed.
type plan struct {
	prog      *flat.Program
	vals      []*val
	ins, outs []*val
	regs      []*reg
	mems      []*mem
	groups    []*group
	names     map[string]bool
	in, out   record // what travels
}

func newPlan(prog *flat.Program) *plan {
	p := &plan{prog: prog, names: reservedNames()}
	byReg := map[*flat.Reg]*reg{}
	byMem := map[*flat.Mem]*mem{}
	for _, r := range prog.Regs {
		fr := &reg{Reg: r}
		byReg[r] = fr
		p.regs = append(p.regs, fr)
	}
	for _, m := range prog.Mems {
		fm := &mem{Mem: m}
		byMem[m] = fm
		p.mems = append(p.mems, fm)
	}
	for _, v := range prog.Values {
		p.vals = append(p.vals, &val{Value: v, reg: byReg[v.Reg], mem: byMem[v.Mem]})
	}
	for _, v := range p.vals {
		for _, a := range v.Args {
			v.args = append(v.args, p.vals[a.ID])
		}
	}
	p.connect()
	p.shareLanes()
	for _, v := range p.vals {
		p.place(v)
	}
	for _, m := range p.mems {
		m.lanes = m.Lanes / m.div
		m.bits, m.units, m.width = layout(m.Type)
		m.name = p.fresh(join(m.Path))
	}
	p.ports()
	return p
}

// ports lays out the records. The input record begins with the reset bit.
func (p *plan) ports() {
	p.in.add("rst", ir.Bits(1))
	for _, v := range p.ins {
		name := p.fresh(p.baseName(v))
		p.in.add(name, v.Type)
		v.name = "in." + name
	}
	for i, port := range p.prog.Design.Top.Outputs() {
		p.out.add(p.fresh(join("."+port.Name)), p.outs[i].Type)
	}
	p.in.place()
	p.out.place()
}

// connect resolves the references of state to values.
func (p *plan) connect() {
	at := func(v *flat.Value) *val {
		if v == nil {
			return nil
		}
		return p.vals[v.ID]
	}
	for _, r := range p.regs {
		r.q, r.next, r.en = at(r.Q), at(r.Next), at(r.En)
	}
	for _, m := range p.mems {
		m.q, m.raddr, m.ren = at(m.Q), at(m.RAddr), at(m.REn)
		m.waddr, m.wdata, m.wen = at(m.WAddr), at(m.WData), at(m.WEn)
	}
	for _, v := range p.prog.Ins {
		p.ins = append(p.ins, at(v))
	}
	for _, v := range p.prog.Outs {
		p.outs = append(p.outs, at(v))
	}
}

// shareLanes finds the largest div of every value: it begins with the assumption that all
// lanes are alike and takes back what does not hold until nothing changes. Registers may
// share too, because all lanes power on alike.
func (p *plan) shareLanes() {
	for _, v := range p.vals {
		v.div = v.Lanes
	}
	for _, m := range p.mems {
		m.div = m.Lanes
		if m.Loaded && m.Init == nil {
			m.div = 1
		}
	}
	for changed := true; changed; {
		changed = false
		narrow := func(div *int, vs ...*val) {
			for _, v := range vs {
				if v != nil && nest(*div, v.div) != *div {
					*div, changed = nest(*div, v.div), true
				}
			}
		}
		for _, v := range p.vals {
			if d := nest(v.div, divOf(v)); d != v.div {
				v.div, changed = d, true
			}
		}
		for _, r := range p.regs {
			narrow(&r.q.div, r.next, r.en)
		}
		for _, m := range p.mems {
			narrow(&m.div, m.waddr, m.wdata, m.wen)
			if m.q != nil {
				narrow(&m.q.div, m.raddr, m.ren)
				if d := nest(m.q.div, m.div); d != m.q.div {
					m.q.div, changed = d, true
				}
			}
		}
	}
}

// nest is the smaller of two sharing factors when it divides the larger, else 1.
func nest(a, b int) int {
	if a > b {
		a, b = b, a
	}
	if b%a != 0 {
		return 1
	}
	return a
}

// divOf is the sharing factor that v's operands allow.
func divOf(v *val) int {
	switch op := v.Op.(type) {
	case flat.Enter:
		return divOfEnter(v, op)
	case flat.Leave:
		n := op.Rows * op.Cols
		if v.args[0].div%n == 0 {
			return v.args[0].div / n
		}
		return 1
	}
	d := v.Lanes
	for _, a := range v.args {
		d = nest(d, a.div)
	}
	if _, ok := v.Op.(ir.MemRead); ok {
		d = nest(d, v.mem.div)
	}
	return d
}

func divOfEnter(v *val, op flat.Enter) int {
	src := v.args[0].div
	switch {
	case op.Rows*op.Cols == 1 && op.Kind != ir.Chain:
		return src
	case op.Kind == ir.Broadcast:
		return src * op.Rows * op.Cols
	case op.Kind == ir.PerRow && op.Rows == 1:
		return src * op.Cols
	case op.Kind == ir.PerRow:
		return op.Cols
	case op.Kind == ir.PerCol && op.Cols == 1:
		return src * op.Rows
	}
	return 1
}

// layout is how one lane of a type is stored.
func layout(t ir.Type) (bits bool, units, width int) {
	if t.W == 1 && t.N > 1 {
		return true, (t.N + 63) / 64, 64
	}
	width = 8
	for width < t.W {
		width *= 2
	}
	return false, t.N, width
}

// elemWidth is the bits of the Go type of one element when it is read.
func (v *val) elemWidth() int {
	if v.bits {
		return 8
	}
	return v.width
}

// place decides class, layout and name of v.
func (p *plan) place(v *val) {
	v.lanes = v.Lanes / v.div
	v.bits, v.units, v.width = layout(v.Type)
	v.class = computed
	switch op := v.Op.(type) {
	case ir.Const:
		v.class = constVal
	case ir.RegOut, ir.MemOut:
		v.class, v.stored = state, true
	case ir.Input:
		v.class = input
	case ir.Splat, ir.Elems:
		if !v.bits {
			v.class = view
		}
	case flat.Leave:
		if !v.bits || op.Rows*op.Cols == 1 {
			v.class = view
		}
	case flat.Enter:
		keeps := op.Rows*op.Cols == 1 || op.Kind == ir.Broadcast
		if op.Kind != ir.Chain && (!v.bits || keeps) {
			v.class = view
		}
	case ir.MemRead:
		v.rows = v.units > 1
		v.stored = v.rows
	}
	if v.class != view && v.class != input {
		v.name = p.fresh(p.baseName(v))
	}
}

// baseName is what a person would call v: its instance path below the top and its name.
func (p *plan) baseName(v *val) string {
	path, name := v.Path, ""
	switch op := v.Op.(type) {
	case ir.RegOut:
		name = op.Reg.Name
	case ir.MemOut:
		name = op.Mem.Name + ".word"
	case ir.Input:
		name = op.Port.Name
	default:
		if v.Node != nil {
			name = v.Node.Name
		}
	}
	if name == "" {
		name = fmt.Sprintf("v%d", v.ID)
	}
	return join(path + "." + name)
}

// join makes a Go identifier of a hierarchical name, leaving out the top module.
func join(path string) string {
	if _, rest, ok := strings.Cut(path, "."); ok {
		path = rest
	}
	id := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, path)
	if id == "" || id[0] >= '0' && id[0] <= '9' {
		id = "x" + id
	}
	return id
}

// fresh makes the identifier unique; the suffixes that emit adds stay free as well.
func (p *plan) fresh(id string) string {
	free := func(name string) bool {
		for _, s := range suffixes {
			if p.names[name+s] {
				return false
			}
		}
		return true
	}
	name := id
	for n := 2; !free(name); n++ {
		name = fmt.Sprintf("%s_%d", id, n)
	}
	for _, s := range suffixes {
		p.names[name+s] = true
	}
	return name
}

const (
	storeSuffix = "Arr"   // package variable of a value that also has a local
	resetSuffix = "Reset" // table of reset values
	zeroSuffix  = "Zero"  // the word beyond the end of a memory
)

var suffixes = []string{"", storeSuffix, resetSuffix, zeroSuffix}

// reservedNames are identifiers the generated program uses itself.
func reservedNames() map[string]bool {
	m := map[string]bool{}
	for _, s := range strings.Fields(`break case chan const continue default defer else fallthrough for func go goto if
		import interface map package range return select struct switch type var
		bool byte int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 uintptr string error true false nil iota
		append cap clear close complex copy delete imag len make max min new panic print println real recover any
		init main step load in out rst i j k b e l n w s word acc_ addr row fmt os io bits math unsafe binary bufio
		input output inBytes outBytes stateWords bit sel8 sel16 sel32 sel64 v8 v16 v32 v64 getBits orBits takeBit tail words
		magic kindLoad kindRun run raw receive send fail shared mapShared sharedMemory vectors vec archsimd strconv syscall errors`) {
		m[s] = true
	}
	for _, s := range strings.Fields(`load8 load16 load32 loadInt8 loadInt16 store8 store16 store32 all add sub mul and or xor
		shl shr sar eq ne ltu leu lts les sel bits`) {
		m["v"+s] = true
	}
	return m
}
