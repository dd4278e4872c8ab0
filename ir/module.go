package ir

import "fmt"

// Design is a hierarchy of modules.
type Design struct {
	Name    string
	Top     *Module
	Modules []*Module // every module reachable from Top, children before parents, each once
}

// NewDesign collects the modules below top, children first. Two different modules of one
// name are a programmer's error and panic.
func NewDesign(top *Module) *Design {
	d := &Design{Name: top.Name, Top: top}
	byName := map[string]*Module{}
	var visit func(m *Module)
	visit = func(m *Module) {
		if other, ok := byName[m.Name]; ok {
			if other != m {
				panic(fmt.Sprintf("ir: two different modules are named %q", m.Name))
			}
			return
		}
		byName[m.Name] = m
		for _, in := range m.Insts {
			visit(in.Of)
		}
		d.Modules = append(d.Modules, m)
	}
	visit(top)
	return d
}

// Module is one unit of hardware.
type Module struct {
	Name  string
	Doc   string // one paragraph: what it computes, latency in cycles
	Loc   *Loc
	Ports []*Port
	Nodes []*Node // operands stand before their users, except through registers, memories and instances
	Regs  []*Reg
	Mems  []*Mem
	Insts []*Inst
	Macro *Macro // not nil: a black box for synthesis, its nodes are its behaviour
	cur   *Loc   // the location given to new nodes
}

// Dir is a port's direction.
type Dir uint8

const (
	In Dir = iota
	Out
)

// Port is a module's connection to its surroundings. The clock and the reset are not listed.
type Port struct {
	Name  string
	Dir   Dir
	Type  Type
	Group string // ports of one group stand together, e.g. a stream's name
	Doc   string
	Node  *Node // In: the Input node; Out: what drives the port
}

// Reg is a register: at the clock edge it takes Reset when rst is high (and Reset is not
// nil), else Next when En is 1 or nil. Without Reset it starts from a seeded random value
// (see InitWord).
type Reg struct {
	Name  string
	Type  Type
	Reset []uint64 // one value an element, or nil
	Next  *Node
	En    *Node // u1 or nil
	Q     *Node
	Loc   *Loc
}

// Mem is a memory of Depth words of Type. It has at most one synchronous read port and one
// write port; a read in the cycle of a write to the same address gives the old word. An
// address beyond the depth reads zero and writes nothing. The read port holds its word
// while REn is 0. Nodes with op MemRead are asynchronous reads.
//
// Contents at power-on: Init when not nil (Depth*N values); else, when Loaded, what the
// Image holds; else seeded random words. The read port's word Q starts from the seeded words
// InitWord(seed, module, name + ".q", element, W), contents or not. rst touches neither.
type Mem struct {
	Name   string
	Depth  int
	Type   Type
	Init   []uint64
	Loaded bool
	Expect []uint64 // with Loaded: the only contents that belong to this design, or nil; others are refused

	// With Loaded and elements of one bit: the contents are bit slices of numbers in two's
	// complement, SliceBits slices of SliceLen elements, the lowest first, and again. The most
	// negative number is out of range and refused. 0: no such numbers.
	SliceBits, SliceLen int

	RAddr, REn        *Node // synchronous read port, or nil; REn u1
	Q                 *Node // the MemOut node, or nil
	WAddr, WData, WEn *Node // write port, or nil
	Loc               *Loc
}

// Macro is the contract of a part that is not synthesised from logic.
type Macro struct {
	Kind     string  // "crossbar", "sram", ...
	Latency  int     // cycles from an accepted input to its output
	AreaUm2  float64 // area of one instance, um2; 0 = not known
	EnergyPJ float64 // energy of one operation, pJ; 0 = not known
	Attrs    []Attr  // what else the hand-off page states, in order
}

// Attr is one stated property of a macro.
type Attr struct{ Key, Value string }

// Side selects instances of an Array at an edge, or the direction a chain comes from.
type Side uint8

const (
	All Side = iota
	West
	East
	North
	South
)

// SideNames are the words of the text form, indexed by Side.
var SideNames = []string{"all", "west", "east", "north", "south"}

func (s Side) String() string { return SideNames[s] }

// Inst is one instance of a module, or a grid of them (Grid true). In a grid, instance
// (r, c) has index r*Cols + c.
type Inst struct {
	Name       string
	Of         *Module
	Grid       bool
	Rows, Cols int     // 1, 1 unless Grid
	Conns      []*Conn // one for each input port of Of
	Loc        *Loc
}

// Count is the number of instances.
func (in *Inst) Count() int { return in.Rows * in.Cols }

// ConnKind says how an input port of the instances is wired.
type ConnKind uint8

const (
	Broadcast ConnKind = iota // every instance gets Src
	PerRow                    // Src has Rows groups of n elements; instance (r, c) gets group r
	PerCol                    // Src has Cols groups; instance (r, c) gets group c
	PerInst                   // Src has Rows*Cols groups
	Chain                     // from the neighbour on side Side; Src feeds the edge (Rows or Cols groups)
)

// ConnNames are the words of the text form, indexed by ConnKind.
var ConnNames = []string{"broadcast", "rows", "cols", "each", "chain"}

func (k ConnKind) String() string { return ConnNames[k] }

// Conn wires one input port of an instance or Array.
type Conn struct {
	Port *Port
	Kind ConnKind
	Src  *Node
	From *Port // Chain: the output port of the neighbour
	Side Side  // Chain: the side the value comes from, West, East, North or South
}

// Port finds a port by name, or nil.
func (m *Module) Port(name string) *Port {
	for _, p := range m.Ports {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Inputs and Outputs list the ports of one direction in order.
func (m *Module) Inputs() []*Port  { return m.portsOf(In) }
func (m *Module) Outputs() []*Port { return m.portsOf(Out) }

func (m *Module) portsOf(d Dir) []*Port {
	var ps []*Port
	for _, p := range m.Ports {
		if p.Dir == d {
			ps = append(ps, p)
		}
	}
	return ps
}

// Stateful reports whether the module or anything below it is clocked, and so has clk and
// rst ports.
func (m *Module) Stateful() bool { return m.stateful(map[*Module]bool{}) }

// stateful leaves out the modules in seen, which are not clocked or still being looked at.
func (m *Module) stateful(seen map[*Module]bool) bool {
	if seen[m] {
		return false
	}
	seen[m] = true
	if len(m.Regs) > 0 {
		return true
	}
	for _, mem := range m.Mems {
		if mem.Q != nil || mem.WEn != nil {
			return true
		}
	}
	for _, in := range m.Insts {
		if in.Of.stateful(seen) {
			return true
		}
	}
	return false
}
