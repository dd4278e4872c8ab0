package power

import (
	"context"
	"fmt"
	"slices"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/synth"
)

// Meter is an engine that runs a design's netlist beside the RTL of another engine, on the same
// inputs, and counts what the netlist takes. Memories and other macros are not in the netlist:
// what they give is taken from the RTL.
type Meter struct {
	Circuit *Circuit
	Compare bool // hold the netlist's outputs against the RTL's

	rtl    verify.Engine
	shape  verify.Shape // of the design with probes
	probes int          // outputs that are what macros give
	macros []string     // "instance.port" of each
	ins    map[string]bool
	out    []uint64
}

// NewMeter synthesises d by the flow of area, with macros as black boxes. open makes the engine
// that runs the RTL.
func NewMeter(ctx context.Context, d *ir.Design, l *Library, o synth.Options, open func(*ir.Design) (verify.Engine, error)) (*Meter, error) {
	m := &Meter{Compare: true, ins: map[string]bool{}}
	macros := macroOutputs(d.Top, "", "")
	c, err := netlist(ctx, d, l, o, true)
	if err != nil {
		return nil, err
	}
	m.Circuit = c
	for _, name := range c.inputs {
		m.ins[name] = true
	}
	var probes []string
	for _, x := range macros {
		probes, m.macros = append(probes, x.probe), append(m.macros, x.net)
	}
	m.probes = len(m.macros)
	probed := d
	if m.probes > 0 {
		probed = ir.Probe(d, probes)
	}
	m.shape = verify.ShapeOf(probed.Top)
	m.out = make([]uint64, m.shape.OutWords)
	m.rtl, err = open(probed)
	return m, err
}

func (m *Meter) Name() string { return m.rtl.Name() }

func (m *Meter) Power(seed uint64, img *ir.Image) error { return m.rtl.Power(seed, img) }

func (m *Meter) Close() error { return m.rtl.Close() }

// Run is verify.Engine's, cycle by cycle. Counting begins anew after a reset.
func (m *Meter) Run(in, out []uint64, n int) error {
	ins := m.shape.InWords
	outs := m.shape.OutWords
	for _, p := range m.shape.Out[len(m.shape.Out)-m.probes:] {
		outs -= p.Type.N
	}
	for i := range n {
		rec := in[i*ins : (i+1)*ins]
		if err := m.rtl.Run(rec, m.out, 1); err != nil {
			return err
		}
		copy(out[i*outs:(i+1)*outs], m.out)
		if err := m.cycle(rec); err != nil {
			return err
		}
	}
	return nil
}

func (m *Meter) cycle(rec []uint64) error {
	c := m.Circuit
	if m.ins["rst"] {
		c.Set("rst", rec[:1], 1)
	}
	at := 1
	for _, p := range m.shape.In {
		if m.ins[p.Name] {
			c.Set(p.Name, rec[at:at+p.Type.N], p.Type.W)
		}
		at += p.Type.N
	}
	plain := len(m.shape.Out) - m.probes
	at = 0
	for i, p := range m.shape.Out {
		if i >= plain {
			c.Set(m.macros[i-plain], m.out[at:at+p.Type.N], p.Type.W)
		}
		at += p.Type.N
	}
	c.Settle()
	if rec[0] == 1 {
		c.Forget()
	}
	at = 0
	for _, p := range m.shape.Out[:plain] {
		if m.Compare && c.res.Cycles > settled {
			got := make([]uint64, p.Type.N)
			if c.Get(p.Name, got, p.Type.W); !slices.Equal(got, m.out[at:at+p.Type.N]) {
				return fmt.Errorf("power: netlist: cycle %d: output %s is %x, in the RTL %x", c.res.Cycles, p.Name, got, m.out[at:at+p.Type.N])
			}
		}
		at += p.Type.N
	}
	c.Edge()
	return nil
}

// settled is the cycles after a reset from which on outputs no longer hang on power-on states,
// in designs that take something in every cycle.
const settled = 40
