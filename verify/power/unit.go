package power

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify/synth"
)

// Unit is the netlist of one instance in a larger design, which an engine runs: it is given what
// the instance's inputs and its macros' outputs are in every cycle, and counts what it takes.
type Unit struct {
	Circuit *Circuit
	Wrong   int // outputs of the instance that were not those of the netlist, since Forget

	probes  []string // signals that it wants, below the top of the larger design
	values  []unitValue
	clocked bool // it has a reset
}

// unitValue is a signal of the netlist.
type unitValue struct {
	net   string
	width int
	out   bool // compared, not given
}

// NewUnit synthesises the module of the instance that path leads to from d's top, as ir.Probe
// has it, and resets it.
func NewUnit(ctx context.Context, d *ir.Design, path string, l *Library, o synth.Options) (*Unit, error) {
	m := d.Top
	for _, name := range strings.Split(path, ".") {
		inst, _, _ := strings.Cut(name, "[")
		i := slices.IndexFunc(m.Insts, func(in *ir.Inst) bool { return in.Name == inst })
		if i < 0 {
			return nil, fmt.Errorf("power: there is no instance %s in module %s", name, m.Name)
		}
		m = m.Insts[i].Of
	}
	u := &Unit{}
	add := func(probe, net string, width int, out bool) {
		u.probes, u.values = append(u.probes, path+"."+probe), append(u.values, unitValue{net, width, out})
	}
	for _, p := range m.Inputs() {
		add(p.Name, p.Name, p.Type.W, false)
	}
	for _, x := range macroOutputs(m, "", "") {
		add(x.probe, x.net, x.width, false)
	}
	for _, p := range m.Outputs() {
		add(p.Name, p.Name, p.Type.W, true)
	}
	var err error
	if u.Circuit, err = netlist(ctx, ir.NewDesign(m), l, o, false); err != nil {
		return nil, err
	}
	if u.clocked = slices.Contains(u.Circuit.inputs, "rst"); u.clocked {
		u.Circuit.Set("rst", []uint64{1}, 1)
		u.Circuit.Settle()
		u.Circuit.Edge()
		u.Forget()
	}
	return u, nil
}

// Probes are the signals that Cycle wants, as paths of ir.Probe.
func (u *Unit) Probes() []string { return u.probes }

// Cycle is one cycle without reset: value gives the value of probe i.
func (u *Unit) Cycle(value func(i int) []uint64) {
	c := u.Circuit
	if u.clocked {
		c.Set("rst", []uint64{0}, 1)
	}
	for i, v := range u.values {
		if _, used := c.ports[v.net]; !v.out && (used || strings.Contains(v.net, ".")) {
			c.Set(v.net, value(i), v.width)
		}
	}
	c.Settle()
	for i, v := range u.values {
		if want := value(i); v.out {
			got := make([]uint64, len(want))
			if c.Get(v.net, got, v.width); !slices.Equal(got, want) {
				u.Wrong++
			}
		}
	}
	c.Edge()
}

// elements is how many elements probe i has.
func (u *Unit) elements(i int) int { return len(u.Circuit.netsOf(u.values[i].net)) / u.values[i].width }

// Forget begins counting anew.
func (u *Unit) Forget() {
	u.Circuit.Forget()
	u.Wrong = 0
}

// netlist synthesises d with its macros as black boxes: in one piece, or module by module.
func netlist(ctx context.Context, d *ir.Design, l *Library, o synth.Options, flat bool) (*Circuit, error) {
	out, err := rtl.Emit(d, rtl.Options{})
	if err != nil {
		return nil, err
	}
	var texts, names []string
	inside := map[*ir.Module]bool{}
	for _, x := range slices.Backward(d.Modules) { // parents before children
		if x.Macro != nil {
			for _, in := range x.Insts {
				inside[in.Of] = true
			}
		}
		switch {
		case inside[x]:
			for _, in := range x.Insts {
				inside[in.Of] = true
			}
		case x.Macro != nil:
			texts, names = append(texts, synth.Blackbox(x)), append(names, x.Name)
		default:
			texts = append(texts, string(out.File("rtl/"+x.Name+".v").Data))
		}
	}
	net, err := synth.NetlistJSON(ctx, d.Top.Name, texts, flat, o)
	if err != nil {
		return nil, err
	}
	return l.Circuit(net, d.Top.Name, names)
}

// macroOutput is an output of a macro: its path for ir.Probe and its name in the netlist.
type macroOutput struct {
	probe, net string
	width      int
}

// macroOutputs finds the outputs of the macros below m.
func macroOutputs(m *ir.Module, probe, net string) (list []macroOutput) {
	for _, in := range m.Insts {
		for i := range in.Count() {
			p, n := probe+in.Name, net+in.InstPath(i/in.Cols, i%in.Cols)
			if in.Grid {
				p += fmt.Sprintf("[%d]", i)
			}
			if in.Of.Macro == nil {
				list = append(list, macroOutputs(in.Of, p+".", n+".")...)
				continue
			}
			for _, o := range in.Of.Outputs() {
				list = append(list, macroOutput{p + "." + o.Name, n + "." + o.Name, o.Type.W})
			}
		}
	}
	return list
}
