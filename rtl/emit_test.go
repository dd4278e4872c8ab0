package rtl

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"ohmloom/ir"
)

var update = flag.Bool("update", false, "write the golden files anew")

func emit(t *testing.T, d *ir.Design, o Options) *Bundle {
	t.Helper()
	b, err := Emit(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenText(t *testing.T) {
	for _, d := range corpus() {
		switch d.Name {
		case "counter", "systolic", "chip", "memories", "clashes":
		default:
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			b := emit(t, d, Options{Source: "corpus.hcl", Hash: "0123456789ab", ClockMHz: 250, Version: "0.1.0"})
			a := &txtar.Archive{Comment: []byte("Everything emitted for one design of the corpus.\n")}
			for _, f := range b.Files {
				a.Files = append(a.Files, txtar.File{Name: f.Path, Data: f.Data})
			}
			a.Files = append(a.Files, txtar.File{Name: manifestName, Data: indented(b.Manifest())})
			got := txtar.Format(a)
			golden := filepath.Join("testdata", d.Name+".txtar")
			if *update {
				if err := os.WriteFile(golden, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got; -update writes it anew):\n%s", golden, diff)
			}
		})
	}
}

func TestOutputIsTheSameEveryTime(t *testing.T) {
	img := ir.NewImage()
	img.Data["nested.mid_r[1].mid_c[0].mid.leaf_c[2].leaf.weights"] = []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	img.Data["nested.u_mid.leaf_c[0].leaf.weights"] = make([]uint64, 8)
	for k, first := range corpus() {
		o := Options{}
		if first.Name == "nested" {
			o.Image = img
		}
		want := emit(t, first, o)
		for range 20 {
			got := emit(t, corpus()[k], o)
			if !cmp.Equal(want, got) || !cmp.Equal(want.Manifest(), got.Manifest()) {
				t.Fatalf("%s differs between two runs:\n%s", first.Name, cmp.Diff(want, got))
			}
		}
	}
}

func TestTextDoesNotGrowWithTheArray(t *testing.T) {
	lines := func(n int) (l, longest int) {
		for _, f := range emit(t, ir.NewDesign(systolic("systolic", n, n)), Options{}).Files {
			if f.Role == RoleRTL {
				for line := range bytes.Lines(f.Data) {
					l, longest = l+1, max(longest, len(line))
				}
			}
		}
		return l, longest
	}
	small, _ := lines(32)
	large, longest := lines(128)
	if small >= 300 || large > small+2 || longest > 140 {
		t.Errorf("32 x 32: %d lines; 128 x 128: %d lines, the longest of %d characters", small, large, longest)
	}
}

func TestEmittingChangesNothingInTheDesign(t *testing.T) {
	for _, d := range corpus() {
		nodes := 0
		for _, m := range d.Modules {
			nodes += len(m.Nodes)
		}
		emit(t, d, Options{})
		after := 0
		for _, m := range d.Modules {
			after += len(m.Nodes)
			for i, n := range m.Nodes {
				if n.ID != i {
					t.Errorf("%s: node %d has become %d", m.Name, i, n.ID)
				}
			}
		}
		if nodes != after {
			t.Errorf("%s: %d nodes became %d", d.Name, nodes, after)
		}
	}
}

func TestNamesThatCannotStayAreErrors(t *testing.T) {
	port := func(name string) func() *ir.Module {
		return func() *ir.Module {
			m := ir.New("m", "")
			m.Out("y", m.In(name, ir.Bits(1), ""), "")
			return m
		}
	}
	for _, c := range []struct {
		name, bad, want string
		build           func() *ir.Module
	}{
		{"keyword as port", "wire", "reserved word", port("wire")},
		{"SystemVerilog keyword as port", "logic", "reserved word", port("logic")},
		{"illegal port", "a-b", "not a Verilog identifier", port("a-b")},
		{"digit first", "1a", "not a Verilog identifier", port("1a")},
		{"clock of a stateful module", "clk", "used twice", func() *ir.Module {
			m := ir.New("m", "")
			r := m.Reg("r", ir.Bits(1), 0)
			m.Out("y", r.Set(m.In("clk", ir.Bits(1), "")), "")
			return m
		}},
		{"keyword as module", "module", "reserved word", func() *ir.Module {
			m := ir.New("module", "")
			m.Out("y", m.In("a", ir.Bits(1), ""), "")
			return m
		}},
		{"generate block that is a port", "pe_r", "used twice", func() *ir.Module {
			m := ir.New("m", "")
			child := port("a")()
			child.Name = "child"
			in := m.Array("pe", child, 2, 2).In("a", m.In("pe_r", ir.Bits(1), ""))
			m.Out("y", m.OutOf(in, "y"), "")
			return m
		}},
		{"modules that differ in case", "m", "case only", func() *ir.Module {
			m := ir.New("m", "")
			child := port("a")()
			child.Name = "M"
			m.Out("y", m.OutOf(m.Instance("u", child).In("a", m.In("a", ir.Bits(1), "")), "y"), "")
			return m
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Emit(ir.NewDesign(c.build()), Options{})
			var ne *NameError
			if !errors.As(err, &ne) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"`+c.bad+`"`) {
				t.Errorf("got %v, want an error about %q that says %q", err, c.bad, c.want)
			}
		})
	}
}

func TestNamesMapSaysWhatDiffers(t *testing.T) {
	b := emit(t, ir.NewDesign(namesDesign()), Options{})
	for _, want := range []string{`"ir": "wire"`, `"verilog": "wire_v"`, `"verilog": "wire_v_2"`, `"verilog": "initial_v"`} {
		if !strings.Contains(string(b.File("names.json").Data), want) {
			t.Errorf("names.json lacks %s", want)
		}
	}
}

func TestMemhIsOneWordALine(t *testing.T) {
	for _, c := range []struct {
		t    ir.Type
		data []uint64
		want string
	}{
		{ir.Bits(8), []uint64{1, 255, 0x1ab}, "01\nff\nab\n"},
		{ir.Vec(3, 5), []uint64{1, 2, 3, 31, 0, 31}, "0c41\n7c1f\n"},
		{ir.Vec(2, 64), []uint64{1, 1 << 63}, "80000000000000000000000000000001\n"},
		{ir.Bits(1), []uint64{1, 0}, "1\n0\n"},
	} {
		if got := string(Memh(c.t, c.data)); got != c.want {
			t.Errorf("%s: %q, want %q", c.t, got, c.want)
		}
	}
}

// A longer name could be written nowhere, and Verilog would leave the table empty without a word.
func TestTableFilesHaveNamesThatFileSystemsTake(t *testing.T) {
	for n, fine := range map[int]bool{255: true, 256: false} {
		name := strings.Repeat("a", 100) + "." + strings.Repeat("b", 100) + "." + strings.Repeat("c", n-202-len(".memh")) + ".memh"
		if err := TableName(name); (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "256 characters, allowed are 255") {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

func TestTableFilesHaveNamesThatVerilatorKeeps(t *testing.T) {
	for n, fine := range map[int]bool{127: true, 128: false} {
		name := Bench + "." + strings.Repeat("a", n) + ".u_mem.memh"
		if err := TableName(name); (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "has 128 characters, and Verilator keeps 127") {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

func TestImageMustFitTheDesign(t *testing.T) {
	for _, c := range []struct {
		key  string
		n    int
		want string
	}{
		{"nested.u_mid.leaf_c[0].leaf.weights", 7, "holds 8"},
		{"nested.u_mid.leaf_c[3].leaf.weights", 8, "no loaded memory has this name"},
	} {
		img := ir.NewImage()
		img.Data[c.key] = make([]uint64, c.n)
		if _, err := Emit(ir.NewDesign(nestedDesign()), Options{Image: img}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.key, err, c.want)
		}
	}
}

func TestModulesInsideMacrosAreForSimulationOnly(t *testing.T) {
	b := emit(t, ir.NewDesign(macroDesign()), Options{})
	for path, role := range map[string]string{"rtl/adc_model.v": RoleSim, "rtl/xbar.v": RoleMacro, "rtl/chip.v": RoleRTL} {
		if f := b.File(path); f == nil || f.Role != role {
			t.Errorf("%s: %v, want role %s", path, f, role)
		}
	}
	if list := string(b.File("chip.f").Data); strings.Contains(list, "adc_model") || !strings.Contains(list, "rtl/xbar.v") {
		t.Errorf("synthesis list:\n%s", list)
	}
}
