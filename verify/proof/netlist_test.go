package proof

import (
	"math"
	"math/rand"
	"regexp"
	"testing"

	"ohmloom/gen/config"
	"ohmloom/gen/lower"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify/synth"
)

// verilog is the text of every module of d, by name.
func verilog(t *testing.T, d *ir.Design) map[string]string {
	t.Helper()
	b, err := rtl.Emit(d, rtl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, m := range d.Modules {
		text[m.Name] = string(b.File("rtl/" + m.Name + ".v").Data)
	}
	return text
}

// example is the hardware of examples/tile.hcl.
func example(t *testing.T) *ir.Design {
	t.Helper()
	chip, diags := config.Load(t.Context(), "../../examples/tile.hcl", config.Options{})
	if chip == nil || diags.HasErrors() {
		t.Fatal(diags)
	}
	tile, err := lower.Chip(chip)
	if err != nil {
		t.Fatal(err)
	}
	return tile.Design
}

// wide modules take ABC long; the same modules with fewer lanes stand for them, except at
// night.
var wide = regexp.MustCompile(`^requantise_([4-9]|\d\d)`)

func leaves(d *ir.Design) []*ir.Module {
	var ms []*ir.Module
	for _, m := range d.Modules {
		if m.Macro == nil && len(m.Insts) == 0 {
			ms = append(ms, m)
		}
	}
	return ms
}

func TestNetlistsOfLeafModulesAreProvenEqual(t *testing.T) {
	o := prover(t)
	designs := []*ir.Design{example(t)}
	for _, s := range subjects() {
		designs = append(designs, s.design())
	}
	for _, e := range hw.Table {
		designs = append(designs, ir.NewDesign(e.Random(rand.New(rand.NewSource(1))).Build(hw.NewLib(nil))))
	}
	seen := map[string]bool{}
	for _, d := range designs {
		text := verilog(t, d)
		for _, m := range leaves(d) {
			if seen[m.Name] || wide.MatchString(m.Name) && !nightly {
				continue
			}
			seen[m.Name] = true
			t.Run(m.Name, func(t *testing.T) {
				t.Parallel()
				net, err := synth.Netlist(t.Context(), m.Name, text[m.Name], o)
				if err != nil {
					t.Fatal(err)
				}
				p, err := synth.Equivalent(t.Context(), m.Name, text[m.Name], net, o)
				if err != nil {
					t.Fatal(err)
				}
				if !p.Equivalent {
					t.Error(p.Output)
				}
			})
		}
	}
	for _, name := range []string{"pe", "skew_8", "shift_add_64x64_s8_a64_clip8", "distributor_1x64_l8"} {
		if !seen[name] {
			t.Errorf("%s is not among the modules", name)
		}
	}
}

// The processing element once more, read without any pass that the flow has too.
func TestNetlistOfThePEIsProvenEqualToThePlainReading(t *testing.T) {
	if !nightly {
		t.Skip("takes ABC 10 seconds; set OHMLOOM_NIGHTLY")
	}
	o := prover(t)
	o.Strict = true
	text := verilog(t, example(t))["pe"]
	net, err := synth.Netlist(t.Context(), "pe", text, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := synth.Equivalent(t.Context(), "pe", text, net, o)
	if err != nil || !p.Equivalent {
		t.Fatal(err, p)
	}
}

// Small designs, where boundaries between modules cost most; at night the 8 x 8 array too.
func TestAreaOfModulesAddsUpToAFlatRun(t *testing.T) {
	clip := hw.Crossbar{Rows: 8, Cols: 8, Share: 4, Active: 8, Bits: 4, Step: hw.StepClip}
	pim := hw.PIM{RowBlocks: 1, ColBlocks: 2, Lanes: 2, Crossbar: clip}
	array := hw.Array{Rows: 2, Cols: 2}
	blocks := []hw.Block{hw.Array{Rows: 3, Cols: 4}, hw.Tile{Top: "tile", PIM: &pim, Array: &array}}
	if nightly {
		blocks = append(blocks, hw.Array{Rows: 8, Cols: 8})
	}
	o := prover(t)
	for _, b := range blocks {
		t.Run(b.Name(), func(t *testing.T) {
			t.Parallel()
			d := ir.NewDesign(b.Build(hw.NewLib(nil)))
			text := verilog(t, d)
			sum, err := synth.Of(t.Context(), d, text, o)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, m := range d.Modules {
				all = append(all, text[m.Name])
			}
			counts, err := synth.FlatCells(t.Context(), d.Top.Name, all, o)
			if err != nil {
				t.Fatal(err)
			}
			cells := 0.0
			for _, m := range sum.Modules {
				if m.Kind == "cell" {
					cells += m.TotalUm2
				}
			}
			flat := synth.CellArea(counts, o.Liberty)
			t.Logf("%.0f um2 by modules, %.0f um2 flat: %+.1f %%", cells, flat, 100*(cells/flat-1))
			if flat == 0 || math.Abs(cells/flat-1) > 0.04 {
				t.Errorf("%.0f um2 by modules, %.0f um2 flat", cells, flat)
			}
		})
	}
}
