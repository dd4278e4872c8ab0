package gosim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/random"
)

// needGo skips without a go command, and fails when env CI is set.
func needGo(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI is set and there is no go command")
		}
		t.Skip("there is no go command")
	}
}

// newIn is the engine of d, built in the cache dir.
func newIn(t testing.TB, dir string, d *ir.Design) (verify.Engine, error) {
	return New(context.Background(), d, Options{CacheDir: dir})
}

func TestConforms(t *testing.T) {
	needGo(t)
	dir := t.TempDir()
	conform.Run(t, "gosim", func(d *ir.Design) (verify.Engine, error) { return newIn(t, dir, d) })
}

// TestRandomDesignsAgreeWithTheReference runs batches of random designs in one build each;
// the wide ones have vectors of several words and enough lanes for versioned loops.
func TestRandomDesignsAgreeWithTheReference(t *testing.T) {
	needGo(t)
	wide := random.Opts{Elems: 150, Lanes: 60}
	dir := t.TempDir()
	for _, b := range []struct {
		seed uint64
		size int
		opts random.Opts
	}{{0, 6, random.Opts{}}, {6, 6, random.Opts{}}, {12, 6, random.Opts{}}, {100, 2, wide}, {102, 2, wide}} {
		t.Run(fmt.Sprintf("%d seeds from %d", b.size, b.seed), func(t *testing.T) {
			compare(t, dir, random.Batch(b.seed, b.size, b.opts), b.seed, 60)
		})
	}
}

// compare runs d in gosim and the reference on the same records and fails at the first difference.
func compare(t testing.TB, dir string, d *ir.Design, seed uint64, cycles int) {
	t.Helper()
	compareWith(t, Options{CacheDir: dir}, d, seed, cycles)
}

func compareWith(t testing.TB, opt Options, d *ir.Design, seed uint64, cycles int) {
	t.Helper()
	e, err := New(context.Background(), d, opt)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	defer e.Close()
	ref, err := conform.NewReference(d)
	if err != nil {
		t.Fatal(err)
	}
	img := random.Image(d, seed)
	shape := verify.ShapeOf(d.Top)
	in := records(shape, seed, cycles)
	got, want := make([]uint64, cycles*shape.OutWords), make([]uint64, cycles*shape.OutWords)
	for _, x := range []struct {
		e   verify.Engine
		out []uint64
	}{{e, got}, {ref, want}} {
		if err := x.e.Power(seed, img); err != nil {
			t.Fatal(err)
		}
		if err := x.e.Run(in, x.out, cycles); err != nil {
			t.Fatal(err)
		}
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("seed %d: cycle %d, output word %d (%s): gosim %#x, reference %#x",
				seed, i/shape.OutWords, i%shape.OutWords, portOf(shape, i%shape.OutWords), got[i], want[i])
		}
	}
}

func portOf(s verify.Shape, word int) string {
	for _, p := range s.Out {
		if word < p.Type.N {
			return fmt.Sprintf("%s[%d]", p.Name, word)
		}
		word -= p.Type.N
	}
	return "?"
}

// records are random inputs with reset at the start and now and then; small and extreme
// values are as likely as any.
func records(s verify.Shape, seed uint64, cycles int) []uint64 {
	r := rand.New(rand.NewPCG(seed, 1))
	in := make([]uint64, cycles*s.InWords)
	for i := range in {
		switch {
		case i%s.InWords == 0:
			in[i] = 0
			if i == 0 || r.IntN(16) == 0 {
				in[i] = 1
			}
		case r.IntN(3) == 0:
			in[i] = uint64(r.IntN(5)) - 2
		default:
			in[i] = r.Uint64()
		}
	}
	return in
}

// TestRegistersThatReadOneAnotherSeeOldWords holds rings of registers in one loop, across
// loops, and through a memory's read port.
func TestRegistersThatReadOneAnotherSeeOldWords(t *testing.T) {
	needGo(t)
	m := ir.New("rings", "Registers in rings.")
	reg := func(name string, typ ir.Type) *ir.Reg {
		r := m.DataReg(name, typ)
		m.Out(name+"_out", r.Q, "")
		return r
	}
	for _, typ := range []ir.Type{ir.Bits(9), ir.Vec(20, 9), ir.Vec(70, 1)} {
		a, b := reg(fmt.Sprintf("a%d", typ.N), typ), reg(fmt.Sprintf("b%d", typ.N), typ)
		a.Set(b.Q)
		b.Set(a.Q)
	}
	one, many := reg("one", ir.Bits(5)), reg("many", ir.Vec(20, 5))
	one.Set(many.Q.Elem(3))
	many.Set(one.Q.Splat(20).Xor(many.Q.Elems(1, 19).Join(many.Q.Elem(0))))
	x, y := m.Mem("x", 8, ir.Bits(3)), m.Mem("y", 8, ir.Bits(3))
	xq := m.Append(ir.MemOut{Mem: x}, x.Type)
	yq := m.Append(ir.MemOut{Mem: y}, y.Type)
	on := m.K(1, 1)
	x.Q, x.RAddr, x.REn = xq, yq, on
	y.Q, y.RAddr, y.REn = yq, xq, on
	m.Write(x, yq, xq.AddK(1), on)
	m.Out("x_out", xq, "")
	m.Out("y_out", yq, "")
	compare(t, t.TempDir(), ir.NewDesign(m), 3, 40)
}

func TestSourceIsTheSameEveryTime(t *testing.T) {
	for seed := range uint64(5) {
		a, err := Source(random.Design(seed, random.Opts{}))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Source(random.Design(seed, random.Opts{}))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("seed %d: two runs give different programs", seed)
		}
	}
}
