package ir_test

import (
	"strings"
	"testing"

	"ohmloom/ir"
)

// A module in two places is probed in one of them, a named node and a register in depth; the
// design that is probed stays as it was.
func TestProbesLeadSignalsOutAndChangeNothingElse(t *testing.T) {
	inner := ir.New("inner", "")
	x := inner.In("x", ir.Bits(4), "")
	count := inner.Reg("count", ir.Bits(4), 0)
	count.Set(count.Q.Add(x).Named("next"))
	inner.Out("y", count.Q, "")
	top := ir.New("top", "")
	a := top.In("a", ir.Bits(4), "")
	one := top.Instance("u_one", inner).In("x", a)
	two := top.Instance("u_two", inner).In("x", top.OutOf(one, "y"))
	top.Out("b", top.OutOf(two, "y"), "")
	d := ir.NewDesign(top)
	before := text(d)

	p := ir.Probe(d, []string{"u_two.next", "u_one.count", "a"})
	ir.MustCheck(p)
	if text(d) != before {
		t.Error("the design changed")
	}
	var names []string
	for _, o := range p.Top.Outputs() {
		names = append(names, o.Name)
	}
	if got := strings.Join(names, " "); got != "b probe_0 probe_1 probe_2" {
		t.Errorf("outputs %s", got)
	}
	if i := p.Top.Port("probe_0").Node.Op.(ir.InstOut); i.Inst.Name != "u_two" || i.Port.Node.Name != "next" {
		t.Errorf("probe_0 shows %s of %s", i.Port.Node.Name, i.Inst.Name)
	}
	if i := p.Top.Port("probe_1").Node.Op.(ir.InstOut); i.Inst.Name != "u_one" || i.Port.Node.Op.(ir.RegOut).Reg.Name != "count" {
		t.Errorf("probe_1 shows %s", i.Inst.Name)
	}
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "top.u_one.nothere") {
			t.Errorf("a path that leads nowhere: %v", r)
		}
	}()
	ir.Probe(d, []string{"u_one.nothere"})
}

func text(d *ir.Design) string {
	var b strings.Builder
	ir.Print(&b, d)
	return b.String()
}
