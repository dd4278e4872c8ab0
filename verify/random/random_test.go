package random_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/interp"
	"ohmloom/verify/random"
)

func TestDesignsPassCheck(t *testing.T) {
	for seed := uint64(0); seed < 400; seed++ {
		if vs := ir.Check(random.Design(seed, random.Opts{})); len(vs) > 0 {
			t.Fatalf("seed %d: %s", seed, vs[0])
		}
	}
}

func TestSmallerOptionsAlsoPassCheckAndAreSmaller(t *testing.T) {
	size := func(d *ir.Design) int {
		n := 0
		for _, m := range d.Modules {
			n += len(m.Nodes)
		}
		return n
	}
	for seed := uint64(0); seed < 20; seed++ {
		full := size(random.Design(seed, random.Opts{}))
		for i, o := range (random.Opts{}).Smaller() {
			d := random.Design(seed, o)
			if vs := ir.Check(d); len(vs) > 0 {
				t.Fatalf("seed %d, options %d: %s", seed, i, vs[0])
			}
			if i == 0 && size(d) > full/2 {
				t.Errorf("seed %d: %d nodes with the smallest options, %d with the default", seed, size(d), full)
			}
		}
	}
}

func TestSameSeedGivesSameDesign(t *testing.T) {
	a, b := random.Design(7, random.Opts{}), random.Design(7, random.Opts{})
	if features(a) != features(b) {
		t.Error("seed 7 gave two different designs")
	}
	if features(a) == features(random.Design(8, random.Opts{})) {
		t.Error("seeds 7 and 8 gave the same design")
	}
}

// features is a line for each thing in a design.
func features(d *ir.Design) string {
	var b strings.Builder
	for _, m := range d.Modules {
		for _, n := range m.Nodes {
			fmt.Fprintf(&b, "%T %s\n", n.Op, n.Type)
		}
	}
	return b.String()
}

// TestGeneratorReachesEverything counts what the designs of some seeds contain.
func TestGeneratorReachesEverything(t *testing.T) {
	seen := map[string]int{}
	for seed := uint64(0); seed < 150; seed++ {
		for _, m := range random.Design(seed, random.Opts{}).Modules {
			countModule(seen, m)
		}
	}
	var want []string
	for _, op := range []string{"Const", "Input", "RegOut", "MemOut", "MemRead", "InstOut", "Not", "Mux", "Slice", "Cat",
		"Splat", "Elems", "Pick", "Join", "Cast", "Extend{true}", "Extend{false}", "MaskedSum{true}", "MaskedSum{false}",
		"Fold{0 true}", "Fold{0 false}", "Fold{1 false}", "Fold{2 false}", "Fold{3 false}"} {
		want = append(want, op)
	}
	for k := range ir.BinaryNames {
		want = append(want, fmt.Sprintf("Binary{%s}", ir.BinaryNames[k]))
	}
	for k := range ir.ShiftNames {
		want = append(want, fmt.Sprintf("Shift{%s}", ir.ShiftNames[k]), fmt.Sprintf("Shift{%s} elementwise", ir.ShiftNames[k]))
	}
	for k := range ir.CompareNames {
		want = append(want, fmt.Sprintf("Compare{%s}", ir.CompareNames[k]))
	}
	for k := range ir.ConnNames {
		want = append(want, "conn "+ir.ConnNames[k])
	}
	for s := range ir.SideNames {
		want = append(want, "instout "+ir.SideNames[s])
		if s > 0 {
			want = append(want, "chain "+ir.SideNames[s])
		}
	}
	for w := 1; w <= 64; w++ {
		want = append(want, fmt.Sprintf("width %d", w))
	}
	want = append(want, "vector", "reg reset", "reg seeded", "reg enable", "mem init", "mem loaded", "mem seeded", "mem sync rom",
		"mem read write", "mem async", "macro", "nested grid", "plain instance", "one row", "one column", "macro async read write")
	for _, f := range want {
		if seen[f] < 3 {
			t.Errorf("%s: %d times in the designs of 150 seeds", f, seen[f])
		}
	}
}

func countModule(seen map[string]int, m *ir.Module) {
	flag := func(name string, b bool) {
		if b {
			seen[name]++
		}
	}
	for _, n := range m.Nodes {
		seen[fmt.Sprintf("width %d", n.Type.W)]++
		flag("vector", n.Type.N > 1)
		switch op := n.Op.(type) {
		case ir.Extend, ir.MaskedSum, ir.Binary, ir.Compare:
			seen[strings.TrimPrefix(fmt.Sprintf("%T%v", op, op), "ir.")]++
		case ir.Fold:
			seen[fmt.Sprintf("Fold{%d %t}", op.Kind, op.Signed)]++
		case ir.Shift:
			seen[fmt.Sprintf("Shift%v", op)]++
			flag(fmt.Sprintf("Shift%v elementwise", op), n.Type.N > 1 && n.Args[1].Type.N > 1)
		case ir.InstOut:
			seen["InstOut"]++
			seen["instout "+op.Sel.String()]++
		case ir.MemRead:
			seen["MemRead"]++
			flag("mem async", true)
			flag("macro async read write", op.Mem.WEn != nil)
		default:
			seen[strings.TrimPrefix(fmt.Sprintf("%T", op), "ir.")]++
		}
	}
	for _, r := range m.Regs {
		flag("reg reset", r.Reset != nil)
		flag("reg seeded", r.Reset == nil)
		flag("reg enable", r.En != nil)
	}
	for _, mem := range m.Mems {
		flag("mem init", mem.Init != nil)
		flag("mem loaded", mem.Loaded)
		flag("mem seeded", mem.Init == nil && !mem.Loaded)
		flag("mem sync rom", mem.Init != nil && mem.Q != nil && mem.WEn == nil)
		flag("mem read write", mem.Q != nil && mem.WEn != nil)
	}
	flag("macro", m.Macro != nil)
	for _, in := range m.Insts {
		flag("plain instance", !in.Grid)
		flag("one row", in.Grid && in.Rows == 1 && in.Cols > 1)
		flag("one column", in.Grid && in.Cols == 1 && in.Rows > 1)
		for _, k := range in.Of.Insts {
			flag("nested grid", in.Grid && k.Grid && in.Count() > 1 && k.Count() > 1)
		}
		for _, c := range in.Conns {
			seen["conn "+c.Kind.String()]++
			flag("chain "+c.Side.String(), c.Kind == ir.Chain)
		}
	}
}

// TestOutputsToggle: of all bits of all outputs, most take both values under random inputs.
func TestOutputsToggle(t *testing.T) {
	const cycles = 60
	total, toggled, still := 0, 0, 0
	for seed := uint64(0); seed < 60; seed++ {
		d := random.Design(seed, random.Opts{})
		out := run(t, d, seed, cycles)
		some := false
		i := 0
		words := len(out) / cycles
		for _, p := range d.Top.Outputs() {
			for e := 0; e < p.Type.N; e++ {
				var zeros, ones uint64
				for c := range cycles {
					ones |= out[c*words+i]
					zeros |= ^out[c*words+i]
				}
				both := bits.Popcount(ones & zeros & bits.Mask(p.Type.W))
				total += p.Type.W
				toggled += int(both)
				some = some || both > 0
				i++
			}
		}
		if !some {
			still++
		}
	}
	t.Logf("%d of %d output bits toggle, %d designs stand still", toggled, total, still)
	if toggled*2 < total || still > 1 {
		t.Errorf("%d of %d output bits toggle, %d of 60 designs stand still", toggled, total, still)
	}
}

func run(t *testing.T, d *ir.Design, seed uint64, cycles int) []uint64 {
	t.Helper()
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(seed, random.Image(d, seed)); err != nil {
		t.Fatal(err)
	}
	s := verify.ShapeOf(d.Top)
	r := rand.New(rand.NewPCG(seed, 1))
	in := make([]uint64, s.InWords*cycles)
	for i := range in {
		in[i] = r.Uint64()
		if i%s.InWords == 0 {
			in[i] = bits.Bool(i == 0 || r.IntN(16) == 0)
		}
	}
	out := make([]uint64, s.OutWords*cycles)
	if err := e.Run(in, out, cycles); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBatchHoldsTheDesignsOfItsSeeds(t *testing.T) {
	const n, cycles = 5, 20
	d := random.Batch(40, n, random.Opts{})
	if vs := ir.Check(d); len(vs) > 0 {
		t.Fatal(vs[0])
	}
	if len(d.Top.Insts) != n {
		t.Fatalf("%d instances for %d seeds", len(d.Top.Insts), n)
	}
	out := run(t, d, 3, cycles)
	words := len(out) / cycles
	moving := map[string]bool{}
	i := 0
	for _, p := range d.Top.Outputs() {
		for range p.Type.N {
			for c := 1; c < cycles; c++ {
				if out[c*words+i] != out[i] {
					moving[p.Name[:2]] = true
				}
			}
			i++
		}
	}
	if len(moving) != n {
		t.Errorf("outputs of %d of %d designs move", len(moving), n)
	}
}
