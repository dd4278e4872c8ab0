package proof

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/synth"
)

// prover finds Yosys and the standard cells, or skips the test.
func prover(t *testing.T) synth.Options {
	t.Helper()
	found := tools.NeedForTest(t, "yosys", "yosys-abc", "liberty")
	lib, err := synth.ReadLiberty(found[2].Path)
	if err != nil {
		t.Fatal(err)
	}
	return synth.Options{Yosys: found[0].Path, Version: found[0].Version, Liberty: lib}
}

// provenEqual proves that a mutant of module m behaves as m does, whatever stands round it
// and inside it: instances and memories are cut out of both, and ABC compares what is left.
// False says that there is no such proof.
func provenEqual(t *testing.T, m, mutant *ir.Module, o synth.Options) bool {
	t.Helper()
	was, is := ir.Clone(ir.NewDesign(m)).Top, ir.Clone(ir.NewDesign(mutant)).Top
	isolate(was)
	isolate(is)
	same := slices.EqualFunc(was.Ports, is.Ports, func(a, b *ir.Port) bool { return a.Name == b.Name && a.Type == b.Type })
	if !same {
		return false
	}
	p, err := synth.Equivalent(t.Context(), m.Name, text(t, was), text(t, is), o)
	var tool *verify.ToolError
	if errors.As(err, &tool) {
		t.Fatal(err)
	}
	return err == nil && p.Equivalent
}

// text is the Verilog of one module without children.
func text(t *testing.T, m *ir.Module) string {
	t.Helper()
	b, err := rtl.Emit(ir.NewDesign(m), rtl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(b.File("rtl/" + m.Name + ".v").Data)
}

// isolate makes m a leaf: what comes out of an instance or a memory becomes an input, what
// goes in an output. Everything that says how they are wired and filled goes into the
// names, so that versions that differ in it have different ports.
func isolate(m *ir.Module) {
	cut := func(n *ir.Node, name string) {
		p := &ir.Port{Name: name, Dir: ir.In, Type: n.Type, Node: n}
		n.Op, n.Args = ir.Input{Port: p}, nil
		m.Ports = append(m.Ports, p)
	}
	keep := func(n *ir.Node, name string) {
		if n != nil {
			m.Out(name, n, "")
		}
	}
	reads := 0
	for _, n := range m.Nodes {
		switch op := n.Op.(type) {
		case ir.InstOut:
			cut(n, fmt.Sprintf("cut_%s_%s_%s", op.Inst.Name, op.Port.Name, op.Sel))
		case ir.MemOut:
			cut(n, fmt.Sprintf("cut_%s_q", op.Mem.Name))
		case ir.MemRead:
			addr := n.Args[0]
			cut(n, fmt.Sprintf("cut_%s_read%d", op.Mem.Name, reads))
			keep(addr, fmt.Sprintf("cut_%s_addr%d", op.Mem.Name, reads))
			reads++
		}
	}
	for _, mem := range m.Mems {
		h := fnv.New32a()
		fmt.Fprint(h, mem.Type, mem.Depth, mem.Loaded, mem.Init)
		name := fmt.Sprintf("cut_%s_%x", mem.Name, h.Sum32())
		for i, n := range []*ir.Node{mem.RAddr, mem.REn, mem.WAddr, mem.WData, mem.WEn} {
			keep(n, fmt.Sprintf("%s_%d", name, i))
		}
	}
	for _, in := range m.Insts {
		for _, c := range in.Conns {
			from := ""
			if c.From != nil {
				from = c.From.Name
			}
			keep(c.Src, fmt.Sprintf("cut_%s_%dx%d_%s_%s_%s_%s", in.Name, in.Rows, in.Cols, c.Port.Name, c.Kind, c.Side, from))
		}
	}
	m.Insts, m.Mems, m.Macro = nil, nil, nil
}
