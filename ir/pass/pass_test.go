package pass_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/pass"
	"ohmloom/verify"
	"ohmloom/verify/interp"
	"ohmloom/verify/random"
)

var update = flag.Bool("update", false, "write the after sections of testdata/*.txtar anew")

// TestBeforeAndAfter: the first line of each file names the passes.
func TestBeforeAndAfter(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil || len(ar.Files) != 2 {
				t.Fatal("want sections before and after", err)
			}
			before, err := ir.Parse(file, string(ar.Files[0].Data))
			if err != nil {
				t.Fatal(err)
			}
			ir.MustCheck(before)
			text := before.String()
			names, _, _ := strings.Cut(string(ar.Comment), "\n")
			after := pass.Run(before, strings.Fields(names)...)
			ir.MustCheck(after)
			if before.String() != text {
				t.Error("the design itself was changed")
			}
			got := after.String()
			if want := string(ar.Files[1].Data); got != want && !*update {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if *update {
				ar.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestPassesKeepTheOutputs runs random designs before and after each pass and the whole
// pipeline, with equal seeds, images and inputs.
func TestPassesKeepTheOutputs(t *testing.T) {
	pipelines := [][]string{pass.Default}
	for _, p := range pass.Passes {
		pipelines = append(pipelines, []string{p.Name})
	}
	before, after := 0, 0
	for seed := uint64(0); seed < 120; seed++ {
		o := random.Opts{}
		if seed%3 == 0 {
			o = random.Opts{Nodes: 60, Elems: 3}
		}
		d := constants(random.Design(seed, o), seed)
		ir.MustCheck(d)
		img := random.Image(d, seed)
		want := run(t, d, img, seed)
		for _, p := range pipelines {
			got := pass.Run(d, p...)
			if vs := ir.Check(got); len(vs) > 0 {
				t.Fatalf("seed %d, %v: %v", seed, p, vs[0])
			}
			if out := run(t, got, img, seed); !slices.Equal(out, want) {
				t.Fatalf("seed %d: the outputs differ after %v", seed, p)
			}
		}
		before += count(d)
		after += count(pass.Run(d, pass.Default...))
	}
	t.Logf("%d nodes became %d", before, after)
	if after > before*9/10 {
		t.Errorf("the pipeline left %d of %d nodes", after, before)
	}
}

// constants replaces some operands by constants, so that there is something to fold.
func constants(d *ir.Design, seed uint64) *ir.Design {
	r := rand.New(rand.NewPCG(seed, 5))
	for _, m := range d.Modules {
		var nodes []*ir.Node
		for _, n := range m.Nodes {
			for i, a := range n.Args {
				if r.IntN(5) > 0 {
					continue
				}
				same := []uint64{0, 1, 2, bits.Mask(a.Type.W), r.Uint64()}[r.IntN(5)]
				k := make([]uint64, a.Type.N)
				for e := range k {
					k[e] = same & bits.Mask(a.Type.W)
				}
				c := m.Append(ir.Const{Val: k}, a.Type)
				nodes = append(nodes, c)
				n.Args[i] = c
			}
			nodes = append(nodes, n)
		}
		m.Nodes = nodes
		m.Renumber()
	}
	return d
}

func count(d *ir.Design) int {
	n := 0
	for _, m := range d.Modules {
		n += len(m.Nodes)
	}
	return n
}

func run(t *testing.T, d *ir.Design, img *ir.Image, seed uint64) []uint64 {
	t.Helper()
	const cycles = 24
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(seed, img); err != nil {
		t.Fatal(err)
	}
	s := verify.ShapeOf(d.Top)
	r := rand.New(rand.NewPCG(seed, 1))
	in := make([]uint64, s.InWords*cycles)
	for i := range in {
		in[i] = r.Uint64()
		if i%s.InWords == 0 {
			in[i] = bits.Bool(r.IntN(10) == 0)
		}
	}
	out := make([]uint64, s.OutWords*cycles)
	if err := e.Run(in, out, cycles); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOrderConstraints(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{pass.Default, ""},
		{[]string{"dead", "fold"}, "fold must not run after dead"},
		{[]string{"share", "fold"}, "fold must not run after share"},
		{[]string{"shrink"}, `there is no pass "shrink"`},
	} {
		err := pass.Order(c.names)
		if got := err != nil; got != (c.want != "") || got && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.names, err, c.want)
		}
	}
}
