package lower

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/ir"
)

func pos(line int) arch.Pos { return arch.Pos{File: "my.hcl", Line: line, Col: 3} }

func um2(v float64) arch.Quantity { return arch.Quantity{Value: v, Unit: "um2"} }

func chip() *arch.Chip {
	return &arch.Chip{Name: "tile", ClockMHz: 100, Pos: pos(1),
		Attention: &arch.Attention{Rows: 3, Cols: 2, Dataflow: "output_stationary", MaxK: 64, Pos: pos(5)},
		PIM: &arch.PIM{RowBlocks: 2, ColBlocks: 2, Lanes: 2, Pos: pos(10),
			Crossbar: arch.Crossbar{Rows: 5, Cols: 4, Pos: pos(12),
				ADC: arch.ADC{Bits: 4, Share: 3, Step: "clip", Rows: 4, Pos: pos(15)}}},
		Technology: arch.Technology{Name: "test", Macros: arch.MacroArea{
			ADCUm2: um2(1000), DACUm2: um2(10), CellUm2: um2(0.5), SRAMBitUm2: um2(0.25), SRAMFixedUm2: um2(7)}}}
}

func text(t *testing.T, c *arch.Chip) string {
	t.Helper()
	tile, err := Chip(c)
	if err != nil {
		t.Fatal(err)
	}
	if errs := ir.Check(tile.Design); len(errs) > 0 {
		t.Fatalf("not a design: %v", errs[0])
	}
	var b strings.Builder
	if err := ir.Print(&b, tile.Design); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEveryFieldReachesTheHardware(t *testing.T) {
	base := text(t, chip())
	for name, change := range map[string]func(*arch.Chip){
		"name":           func(c *arch.Chip) { c.Name = "other" },
		"attention rows": func(c *arch.Chip) { c.Attention.Rows = 4 },
		"attention cols": func(c *arch.Chip) { c.Attention.Cols = 4 },
		"row_blocks":     func(c *arch.Chip) { c.PIM.RowBlocks = 1 },
		"col_blocks":     func(c *arch.Chip) { c.PIM.ColBlocks = 1 },
		"lanes":          func(c *arch.Chip) { c.PIM.Lanes = 3 },
		"crossbar rows":  func(c *arch.Chip) { c.PIM.Crossbar.Rows = 6 },
		"crossbar cols":  func(c *arch.Chip) { c.PIM.Crossbar.Cols = 5 },
		"adc bits":       func(c *arch.Chip) { c.PIM.Crossbar.ADC.Bits = 3 },
		"adc share":      func(c *arch.Chip) { c.PIM.Crossbar.ADC.Share = 2 },
		"adc step":       func(c *arch.Chip) { c.PIM.Crossbar.ADC.Step = "full" },
		"adc ideal":      func(c *arch.Chip) { c.PIM.Crossbar.ADC.Step = "ideal" },
		"variation":      func(c *arch.Chip) { c.PIM.Crossbar.Effects.Variation = 0.1 },
		"offset":         func(c *arch.Chip) { c.PIM.Crossbar.Effects.ADCOffset = 1 },
		"noise":          func(c *arch.Chip) { c.PIM.Crossbar.Effects.ReadNoise = 1 },
		"separate":       func(c *arch.Chip) { c.PIM.Crossbar.Effects.Separate = true },
		"adc rows":       func(c *arch.Chip) { c.PIM.Crossbar.ADC.Rows = 5 },
		"no attention":   func(c *arch.Chip) { c.Attention = nil },
		"no pim":         func(c *arch.Chip) { c.PIM = nil },
	} {
		c := chip()
		change(c)
		if text(t, c) == base {
			t.Errorf("%s changes nothing", name)
		}
	}
	if text(t, chip()) != base {
		t.Error("the same chip gives another design")
	}
}

// TestModulesSayWhereTheyAreDescribed: the top comes from the chip block, the modules of each
// half from its block.
// engine is a chip with a decode attention engine.
func engine(decode string) *arch.Chip {
	c := chip()
	c.PIM = nil
	c.Attention = &arch.Attention{Rows: 4, Cols: 6, Dataflow: "output_stationary", MaxK: 64, Decode: decode, Heads: 4, KVHeads: 2,
		HeadChannels: 5, Context: 10, Layers: 2, Pos: pos(5)}
	if decode == arch.Spread {
		c.Attention.Biased, c.Attention.Lanes, c.Attention.Ahead = true, 2, 2
	}
	return c
}

func TestEveryFieldOfAnEngineReachesTheHardware(t *testing.T) {
	both := []string{arch.Column, arch.Spread}
	spread := both[1:]
	base := map[string]string{arch.Column: text(t, engine(arch.Column)), arch.Spread: text(t, engine(arch.Spread))}
	if base[arch.Column] == base[arch.Spread] {
		t.Error("decode changes nothing")
	}
	for _, c := range []struct {
		field  string
		modes  []string
		change func(*arch.Attention)
	}{
		{"rows", both, func(a *arch.Attention) { a.Rows = 8 }},
		{"cols", both, func(a *arch.Attention) { a.Cols = 8 }},
		{"heads", both, func(a *arch.Attention) { a.Heads = 6 }},
		{"kv_heads", both, func(a *arch.Attention) { a.KVHeads = 4 }},
		{"head_channels", both, func(a *arch.Attention) { a.HeadChannels = 9 }},
		{"context", both, func(a *arch.Attention) { a.Context = 12 }},
		{"layers", both, func(a *arch.Attention) { a.Layers = 1 }},
		{"bias", spread, func(a *arch.Attention) { a.Biased = false }},
		{"softmax_lanes", spread, func(a *arch.Attention) { a.Lanes = 1 }},
		{"heads_ahead", spread, func(a *arch.Attention) { a.Ahead = 3 }},
		{"port_bytes", spread, func(a *arch.Attention) { a.PortBytes = 12 }},
		{"decode", both, func(a *arch.Attention) { a.Decode = "" }},
	} {
		for _, mode := range c.modes {
			changed := engine(mode)
			c.change(changed.Attention)
			if text(t, changed) == base[mode] {
				t.Errorf("%s changes nothing in %s mode", c.field, mode)
			}
		}
	}
}

func TestEnginesAreBuiltFromTheirBlockAndTheirMacrosHaveAreas(t *testing.T) {
	for _, mode := range []string{arch.Column, arch.Spread} {
		tile, err := Chip(engine(mode))
		if err != nil {
			t.Fatal(err)
		}
		macros := 0
		for _, m := range tile.Design.Modules {
			if m != tile.Design.Top && (m.Loc == nil || m.Loc.Line != 5) {
				t.Errorf("%s: module %s is at %v, want line 5", mode, m.Name, m.Loc)
			}
			if m.Macro != nil {
				macros++
				if m.Macro.AreaUm2 <= 7 {
					t.Errorf("%s: macro %s has %g um2, no more than its periphery", mode, m.Name, m.Macro.AreaUm2)
				}
			}
		}
		if macros == 0 {
			t.Errorf("%s: no memories", mode)
		}
	}
}

func TestModulesSayWhereTheyAreDescribed(t *testing.T) {
	tile, err := Chip(chip())
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int]int{}
	for _, m := range tile.Design.Modules {
		want := 10
		switch {
		case m == tile.Design.Top:
			want = 1
		case m.Name == "pe" || strings.HasPrefix(m.Name, "array") || strings.HasPrefix(m.Name, "skew"):
			want = 5
		}
		if m.Loc == nil || m.Loc.File != "my.hcl" || m.Loc.Line != want || m.Loc.Col != 3 {
			t.Errorf("%s was made at %v, want my.hcl:%d:3", m.Name, m.Loc, want)
		}
		lines[want]++
	}
	if len(lines) != 3 {
		t.Errorf("modules of %v only", lines)
	}
}

func TestMacroAreasFollowTheTechnology(t *testing.T) {
	areas := func(c *arch.Chip) map[string]float64 {
		tile, err := Chip(c)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for _, m := range tile.Design.Modules {
			if m.Macro != nil {
				all[m.Name] = m.Macro.AreaUm2
			}
		}
		return all
	}
	base := areas(chip())
	// A differential pair: 2 x 5 x 4 cells, a driver a row, ceil(4/3) converters.
	xbar := "crossbar_5x4_s3_a4_clip4"
	if want := 40*0.5 + 5*10 + 2*1000.0; base[xbar] != want {
		t.Errorf("%s has %g um2, want %g (of %v)", xbar, base[xbar], want, base)
	}
	for field, want := range map[string][2]bool{ // does the field change crossbars, memories
		"ADCUm2": {true, false}, "DACUm2": {true, false}, "CellUm2": {true, false},
		"SRAMBitUm2": {false, true}, "SRAMFixedUm2": {false, true},
	} {
		c := chip()
		q := reflect.ValueOf(&c.Technology.Macros).Elem().FieldByName(field).Addr().Interface().(*arch.Quantity)
		q.Value *= 2
		for name, area := range areas(c) {
			changed := area != base[name]
			expect := want[0] && strings.HasPrefix(name, "crossbar") || want[1] && strings.HasPrefix(name, "sram")
			if changed != expect {
				t.Errorf("%s doubled: %s went from %g to %g um2", field, name, base[name], area)
			}
		}
	}
}

func TestNamesThatHideOthersAreRefused(t *testing.T) {
	for _, name := range []string{"clk", "rst", "x_data", "cfg_valid", "pe", "array_3x2", "crossbar_5x4_s3_a4_clip4"} {
		c := chip()
		c.Name = name
		_, err := Chip(c)
		if err == nil || !strings.HasPrefix(err.Error(), "my.hcl:1:3: ") || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
