package hw_test

import (
	"math/rand"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/ir"
)

func TestCheckNamesTheParameterOutOfRange(t *testing.T) {
	ok := hw.Crossbar{Rows: 4, Cols: 4, Share: 2, Active: 4, Bits: 4, Step: hw.StepClip}
	with := func(change func(*hw.Crossbar)) hw.Block { x := ok; change(&x); return x }
	for want, b := range map[string]hw.Block{
		"rows is 0":                       hw.Array{Rows: 0, Cols: 1},
		"cols is 1025":                    hw.Array{Rows: 1, Cols: 1025},
		"rows is -1":                      with(func(x *hw.Crossbar) { x.Rows = -1 }),
		"columns per converter is 5":      with(func(x *hw.Crossbar) { x.Share = 5 }),
		"rows per conversion is 5":        with(func(x *hw.Crossbar) { x.Active = 5 }),
		"ADC bits is 17":                  with(func(x *hw.Crossbar) { x.Bits = 17 }),
		`ADC step is "log"`:               with(func(x *hw.Crossbar) { x.Step = "log" }),
		"lanes is 65":                     hw.PIM{RowBlocks: 1, ColBlocks: 1, Lanes: 65, Crossbar: ok},
		"output bits is 9":                hw.Requantise{Lanes: 1, AccBits: 8, OutBits: 9},
		"neither":                         hw.Tile{},
		"which a module inside it has":    hw.Tile{Top: "pe", Array: &hw.Array{Rows: 1, Cols: 1}},
		"depth is 0, allowed are 1 to 65": hw.Fifo{Lanes: 1, Width: 1},
	} {
		if err := b.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v should say %q", err, want)
		}
	}
}

// Two blocks that differ in structure must not share a module name.
func TestNameTellsStructuresApart(t *testing.T) {
	for _, entry := range hw.Table {
		seen := map[string]string{}
		r := rand.New(rand.NewSource(7))
		for range 60 {
			b := entry.Random(r)
			if tile, ok := b.(hw.Tile); ok && tile.Top != "" {
				continue
			}
			in, out := b.Streams()
			d := ir.NewDesign(b.Build(hw.NewLib(nil)))
			shape := ""
			for _, m := range d.Modules {
				shape += m.Name + ":" + m.Doc + ";"
			}
			if other, ok := seen[b.Name()]; ok && other != shape {
				t.Errorf("%s stands for two structures:\n%s\n%s", b.Name(), other, shape)
			}
			seen[b.Name()] = shape
			if len(in) == 0 || len(out) == 0 {
				t.Errorf("%s has no streams", b.Name())
			}
		}
	}
}

// A module may be used by blocks of different parameters in one design: equal names then
// mean equal modules, also across blocks that share a library.
func TestLibrarySharesEqualModules(t *testing.T) {
	lib := hw.NewLib(&ir.Loc{File: "chip.hcl", Line: 3, Col: 1})
	a := hw.Array{Rows: 4, Cols: 8}.Build(lib)
	b := hw.Array{Rows: 8, Cols: 4}.Build(lib.At(&ir.Loc{File: "chip.hcl", Line: 9, Col: 1}))
	find := func(m *ir.Module, name string) *ir.Module {
		for _, x := range ir.NewDesign(m).Modules {
			if x.Name == name {
				return x
			}
		}
		return nil
	}
	if pe := find(a, "pe"); pe == nil || pe != find(b, "pe") {
		t.Error("the arrays do not share their PE")
	}
	if a.Loc.Line != 3 || a.Loc.Block != "array" || b.Loc.Line != 9 {
		t.Errorf("locations are %v and %v", a.Loc, b.Loc)
	}
}

func TestRequantiseIsThatOfTheNumerics(t *testing.T) {
	r := rand.New(rand.NewSource(11))
	for range 2000 {
		acc, m, s := int32(r.Uint32())>>r.Intn(31), 128+r.Intn(128), 1+r.Intn(31)
		for _, bits := range []int{8, 16} {
			b := hw.Requantise{Lanes: 1, AccBits: 32, OutBits: bits}
			out := b.Arithmetic([][]hw.Beat{{{{uint64(uint32(acc))}, {uint64(m)}, {uint64(s)}}}})
			got := hw.SignedWords(out[0][0][0], bits)[0]
			want := int64(model.RQ8(acc, m, s))
			if bits == 16 {
				want = int64(model.RQ16(acc, m, s))
			}
			if got != want {
				t.Fatalf("acc %d, m %d, s %d, %d bits: %d, want %d", acc, m, s, bits, got, want)
			}
		}
	}
}
