package rtl

import (
	"fmt"
	"strings"

	"ohmloom/ir"
)

// libertyStub describes a macro to synthesis and timing tools: area, pins, and a registered
// boundary whose delays are zero, for they are not characterised. Read by Yosys
// (read_liberty, stat -liberty) and OpenSTA.
func libertyStub(m *ir.Module) File {
	l := &liberty{}
	l.open("library (%s)", m.Name)
	l.line("/* SPDX-License-Identifier: %s */", license)
	l.line("/* Stub of the macro %s (%s): delays and loads are not characterised. */", m.Name, strings.ReplaceAll(m.Macro.Kind, "*/", ""))
	for _, s := range []string{
		"delay_model : table_lookup", `time_unit : "1ns"`, `voltage_unit : "1V"`, `current_unit : "1mA"`,
		`leakage_power_unit : "1nW"`, `pulling_resistance_unit : "1kohm"`, "capacitive_load_unit (1, pf)",
		"nom_process : 1", "nom_temperature : 25", "nom_voltage : 1",
		"input_threshold_pct_rise : 50", "input_threshold_pct_fall : 50",
		"output_threshold_pct_rise : 50", "output_threshold_pct_fall : 50",
		"slew_lower_threshold_pct_rise : 20", "slew_lower_threshold_pct_fall : 20",
		"slew_upper_threshold_pct_rise : 80", "slew_upper_threshold_pct_fall : 80",
	} {
		l.line("%s;", s)
	}
	l.busTypes(m)
	l.open("cell (%s)", m.Name)
	l.line("area : %g;  /* um2%s */", m.Macro.AreaUm2, unknown(m.Macro.AreaUm2))
	l.line("is_macro_cell : true;")
	l.line("dont_touch : true;")
	l.line("dont_use : true;")
	clocked := m.Stateful()
	if clocked {
		l.open("pin (clk)")
		l.line("direction : input;")
		l.line("clock : true;")
		l.line("capacitance : 0;")
		l.close()
		l.pin("rst", ir.In, 1, true)
	}
	for _, p := range m.Ports {
		l.pin(p.Name, p.Dir, p.Type.Total(), clocked)
	}
	l.close()
	l.close()
	return File{"lib/" + m.Name + ".lib", []byte(l.b.String()), RoleLiberty}
}

func unknown(area float64) string {
	if area == 0 {
		return ", not known"
	}
	return ""
}

type liberty struct {
	b      strings.Builder
	indent int
}

func (l *liberty) line(format string, a ...any) {
	l.b.WriteString(strings.Repeat("  ", l.indent) + fmt.Sprintf(format, a...) + "\n")
}

func (l *liberty) open(format string, a ...any) {
	l.line(format+" {", a...)
	l.indent++
}

func (l *liberty) close() {
	l.indent--
	l.line("}")
}

// busTypes declares each width once.
func (l *liberty) busTypes(m *ir.Module) {
	seen := map[int]bool{}
	for _, p := range m.Ports {
		w := p.Type.Total()
		if w == 1 || seen[w] {
			continue
		}
		seen[w] = true
		l.open("type (bus_%d)", w)
		l.line("base_type : array;")
		l.line("data_type : bit;")
		l.line("bit_width : %d;", w)
		l.line("bit_from : %d;", w-1)
		l.line("bit_to : 0;")
		l.line("downto : true;")
		l.close()
	}
}

// pin declares a pin or bus; clocked: with set-up, hold or clock-to-output of zero.
func (l *liberty) pin(name string, dir ir.Dir, width int, clocked bool) {
	if width == 1 {
		l.open("pin (%s)", name)
	} else {
		l.open("bus (%s)", name)
		l.line("bus_type : bus_%d;", width)
	}
	if dir == ir.In {
		l.line("direction : input;")
		l.line("capacitance : 0;")
		if clocked {
			l.timing("setup_rising", "rise_constraint", "fall_constraint")
			l.timing("hold_rising", "rise_constraint", "fall_constraint")
		}
	} else {
		l.line("direction : output;")
		if clocked {
			l.timing("rising_edge", "cell_rise", "cell_fall", "rise_transition", "fall_transition")
		}
	}
	l.close()
}

func (l *liberty) timing(kind string, tables ...string) {
	l.open("timing ()")
	l.line(`related_pin : "clk";`)
	l.line("timing_type : %s;", kind)
	for _, t := range tables {
		l.line(`%s (scalar) { values ("0"); }`, t)
	}
	l.close()
}
