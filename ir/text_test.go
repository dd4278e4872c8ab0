package ir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify/random"
)

// sample is a design with every statement of the text form.
func sample(t testing.TB) string {
	text, err := os.ReadFile(filepath.Join("testdata", "sample.ir"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t testing.TB, text string) *ir.Design {
	t.Helper()
	d, err := ir.Parse("test.ir", text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSampleParsesPrintsAndPassesCheck(t *testing.T) {
	text := sample(t)
	d := parse(t, text)
	ir.MustCheck(d)
	if got := d.String(); got != text {
		t.Errorf("printed again:\n%s", got)
	}
}

func TestRandomDesignsSurvivePrintParsePrint(t *testing.T) {
	for seed := uint64(0); seed < 200; seed++ {
		d := random.Design(seed, random.Opts{})
		text := d.String()
		back, err := ir.Parse("random.ir", text)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if again := back.String(); again != text {
			t.Fatalf("seed %d: %s", seed, firstDifference(text, again))
		}
		if vs := ir.Check(back); len(vs) > 0 {
			t.Fatalf("seed %d: %s", seed, vs[0])
		}
	}
}

func TestCloneIsEqualAndSharesNothing(t *testing.T) {
	for seed := uint64(0); seed < 60; seed++ {
		d := random.Design(seed, random.Opts{})
		text := d.String()
		c := ir.Clone(d)
		if got := c.String(); got != text {
			t.Fatalf("seed %d: %s", seed, firstDifference(text, got))
		}
		ir.MustCheck(c)
		wreck(c)
		if got := d.String(); got != text {
			t.Fatalf("seed %d: a change of the clone changed the design: %s", seed, firstDifference(text, got))
		}
	}
}

// wreck changes everything in d that can be changed.
func wreck(d *ir.Design) {
	for _, m := range d.Modules {
		m.Name += "_w"
		for _, p := range m.Ports {
			p.Name, p.Node = "w", nil
		}
		for _, r := range m.Regs {
			r.Name, r.Next = "w", nil
			for i := range r.Reset {
				r.Reset[i]++
			}
		}
		for _, mem := range m.Mems {
			mem.Depth, mem.RAddr = 0, nil
			for i := range mem.Expect {
				mem.Expect[i]++
			}
			for i := range mem.Init {
				mem.Init[i]++
			}
		}
		for _, in := range m.Insts {
			for _, c := range in.Conns {
				c.Kind, c.Src = ir.Broadcast, nil
			}
			in.Conns, in.Rows = in.Conns[:0], 0
		}
		for _, n := range m.Nodes {
			if k, ok := n.Op.(ir.Const); ok {
				k.Val[0]++
			}
			for i := range n.Args {
				n.Args[i] = nil
			}
			n.Type.W, n.Name = 0, "w"
		}
		if m.Macro != nil {
			m.Macro.Latency++
			for i := range m.Macro.Attrs {
				m.Macro.Attrs[i].Value = "w"
			}
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return "line " + x[i] + " became " + y[min(i, len(y)-1)]
		}
	}
	return "lines were added"
}

func TestLongListsAreShort(t *testing.T) {
	m := ir.New("rom", "")
	init := make([]uint64, 1<<20)
	init[5] = 200
	rom := m.Rom("table", ir.Bits(8), init)
	m.Out("y", m.Lookup(rom, m.In("a", ir.Bits(20), "")), "")
	d := ir.NewDesign(m)
	text := d.String()
	if len(text) > 300 || !strings.Contains(text, "init [0*5, 0xc8, 0*1048570]") {
		t.Errorf("%d bytes: %.400s", len(text), text)
	}
	if back := parse(t, text); back.Top.Mems[0].Init[5] != 200 || len(back.Top.Mems[0].Init) != 1<<20 {
		t.Error("the contents changed")
	}
}

func TestParseErrorsNameTheirPlace(t *testing.T) {
	head := "design d top m\nmodule m {\n"
	for _, c := range []struct{ text, want string }{
		{"", `test.ir:1:1: expected "design", found the end of the text`},
		{"design d top", "test.ir:1:13: expected the top module's name"},
		{"design d top m\n", "test.ir:1:14: the top module m is not defined"},
		{"design d top m\nmodule n {\n}\n", "test.ir:1:14: the top module m is not defined"},
		{head + "\tfoo\n}\n", `test.ir:3:2: unknown statement "foo"`},
		{head + "\t%0 = const u8 5 6\n}\n", "test.ir:3:18: expected the end of the line"},
		{head + "\t%0 = frob u8 5\n}\n", `test.ir:3:7: unknown operation "frob"`},
		{head + "\t%0 = fold mul u8 %0\n}\n", `test.ir:3:12: unknown operation "mul" of a fold`},
		{head + "\t%0 = not u8 %7\n}\n", "test.ir:3:14: node %7 is not defined in module m"},
		{head + "\t%0 = not v8 %7\n}\n", "test.ir:3:11: expected a type like u8 or 4xu8"},
		{head + "\t%0 = const u8 1\n\t%0 = const u8 1\n}\n", "test.ir:4:2: node %0 is defined twice"},
		{head + "\t%0 = input u8 a\n}\n", "test.ir:3:16: port a is not declared above"},
		{head + "\tin a u8\n\tin a u8\n}\n", "test.ir:4:5: port a is declared twice"},
		{head + "\tinst u k {\n\t}\n}\n", "test.ir:3:9: module k is not declared above"},
		{head + "\tin a u8 doc \"open\n}\n", "test.ir:3:14: a string that does not end"},
		{head + "\treg r u8 reset [0*99999999999]\n}\n", "test.ir:3:20: the lists stand for more than"},
		{head + "\treg r u8 @4\n}\n", "test.ir:3:11: location @4 is not defined above"},
		{head + "\t%0 = const u8 $\n}\n", "test.ir:3:16: unexpected character '$'"},
		{head + "\tattr \"a\" \"b\"\n}\n", "test.ir:3:2: attr without macro"},
		{head + "}\nmodule m {\n}\n", "test.ir:4:8: module m is defined twice"},
		{head, "test.ir:3:1: expected a statement, found the end of the text"},
	} {
		_, err := ir.Parse("test.ir", c.text)
		var pe *ir.ParseError
		if !errors.As(err, &pe) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// FuzzParse: whatever the text, Parse and Check return; what parses prints and parses again
// to the same text.
func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	for seed := uint64(0); seed < 6; seed++ {
		f.Add(random.Design(seed, random.Opts{Nodes: 6}).String())
	}
	f.Add("design d top m\nmodule m {\n\tin \"a b\" 0xu99 group \"\\x00\"\n\tout y u8\n\t%0 = fold adds 3xu8 %0\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ir.Parse("fuzz.ir", text)
		if err != nil {
			return
		}
		ir.Check(d)
		once := d.String()
		again, err := ir.Parse("fuzz.ir", once)
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice := again.String(); twice != once {
			t.Fatalf("%s\nbecame\n%s", once, twice)
		}
	})
}
