package gosim

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify/random"
)

// vectorOps is a design whose loop has a vector form, with every operation that has one, on
// elements that fill their Go type and that do not.
func vectorOps() *ir.Design {
	const rows, cols = 4, 8
	pe, top := ir.New("pe", "Arithmetic."), ir.New("vector_ops", "Arithmetic in 32 instances.")
	arr := func() *ir.Inst { return top.Insts[0] }
	var after []func()
	in := func(name string, w, instances int) *ir.Node {
		after = append(after, func() {
			if x := top.In(name, ir.Vec(instances, w), ""); instances > 1 {
				arr().Each(name, x)
			} else {
				arr().In(name, x)
			}
		})
		return pe.In(name, ir.Bits(w), "")
	}
	on, near, pick := in("on", 1, 1), in("near", 1, 1), in("pick", 2, rows*cols).Bit(0)
	for _, w := range []int{5, 8, 13, 16, 29, 32} {
		name := func(s string) string { return fmt.Sprintf("%s_%d", s, w) }
		a, b, one := in(name("a"), w, rows*cols), in(name("b"), w, rows*cols), in(name("one"), w, 1)
		keep := func(s string, en, x *ir.Node, reset ...uint64) {
			r := pe.Reg(name(s), x.Type, reset...)
			r.SetEn(en, x)
			pe.Out(name(s)+"_out", r.Q, "")
			after = append(after, func() { top.Out(name(s), top.OutOf(arr(), name(s)+"_out"), "") })
		}
		keep("arithmetic", nil, a.Add(b).Mul(a.Sub(one)), 3)
		keep("logic", pick, a.And(b).Or(a.Xor(b).Not()).And(b.Not()))
		keep("shifts", nil, a.ShlK(2).Xor(a.Sub(b).ShrK(1)).Xor(a.Add(b).SraK(3)))
		keep("chosen", near, on.Mux(a, near.Mux(b, a.Add(b))))
		keep("unsigned", nil, a.Sub(b).Ltu(one).Mux(b, a.Leu(one).Mux(a, b)), 0)
		keep("signed", nil, a.Sub(b).Lts(one).Mux(b, a.Les(one).Mux(a, b)), 1)
		keep("equal", nil, a.Add(b).Eq(one).Mux(a, a.Ne(one).Mux(b, one)))
		keep("masked", pick, pick.Mux(a, b), 0)
		low := a.Slice(0, w-2)
		keep("narrow", nil, low.Sub(b.Slice(2, w-2)))
		keep("wide", nil, low.SExt(w).Add(low.Add(b.Slice(0, w-2)).ZExt(w)))
		keep("joined", nil, low.Sub(b.Slice(0, w-2)).Cat(b.Slice(1, 2)))
		if w <= 16 {
			keep("product", nil, a.SExt(2*w).Mul(b.SExt(2*w)))
		}
	}
	for _, n := range []int{16, 48, 64} {
		a, b := top.In(fmt.Sprintf("p_%d", n), ir.Vec(n, 7), ""), top.In(fmt.Sprintf("q_%d", n), ir.Vec(n, 7), "")
		top.Out(fmt.Sprintf("plane_%d", n), a.Bit(3), "")
		top.Out(fmt.Sprintf("less_%d", n), a.Lts(b), "")
		top.Out(fmt.Sprintf("at_most_%d", n), a.Leu(b), "")
	}
	top.Array("u_pe", pe, rows, cols)
	for _, f := range after {
		f()
	}
	return ir.NewDesign(top)
}

func TestLoopsForVectorsAgreeWithTheReferenceAndWithPlainLoops(t *testing.T) {
	needGo(t)
	dir := t.TempDir()
	for _, d := range []*ir.Design{vectorOps(), systolic(8, 4), random.Batch(7, 2, random.Opts{Elems: 64, Lanes: 64})} {
		for _, scalar := range []bool{false, true} {
			compareWith(t, Options{CacheDir: dir, scalar: scalar}, d, 7, 120)
		}
	}
}

// TestEveryVectorFunctionIsUsed keeps the design above honest.
func TestEveryVectorFunctionIsUsed(t *testing.T) {
	src, err := Source(vectorOps())
	if err != nil {
		t.Fatal(err)
	}
	on, err := runtimeFiles.ReadFile("worker/vector_on.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	off, err := runtimeFiles.ReadFile("worker/vector_off.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names [2][]string
	for i, text := range [][]byte{on, off} {
		for _, f := range regexp.MustCompile(`(?m)^func (v\w+)`).FindAllSubmatch(text, -1) {
			names[i] = append(names[i], string(f[1]))
			if !strings.Contains(string(src), string(f[1])+"(") {
				t.Errorf("%s is not used", f[1])
			}
		}
		slices.Sort(names[i])
	}
	if len(names[0]) == 0 || !slices.Equal(names[0], names[1]) {
		t.Errorf("the two files differ: %v and %v", names[0], names[1])
	}
}

func TestVectorsAreBuiltWhereTheyWork(t *testing.T) {
	needGo(t)
	_, version, err := findGo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, scalar := range []bool{false, true} {
		dir := t.TempDir()
		e, err := New(context.Background(), systolic(4, 4), Options{CacheDir: dir, scalar: scalar})
		if err != nil {
			t.Fatal(err)
		}
		e.Close()
		out, err := exec.Command("go", "version", "-m", built(t, dir)[0]).Output()
		if err != nil {
			t.Fatal(err)
		}
		if has, want := strings.Contains(string(out), "GOEXPERIMENT=simd"), vectorsWork(version) && !scalar; has != want {
			t.Errorf("built with vectors: %v, wanted: %v", has, want)
		}
	}
}
