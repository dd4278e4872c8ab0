package report

import (
	"fmt"
	"strings"

	"ohmloom/ir"
)

// omitted says, kind by kind, what the behavioural model of a macro leaves out, so that who
// brings a real one knows what was never simulated.
var omitted = map[string][]string{
	"crossbar": {
		"Rows that are not driven are at 0 V and columns at virtual ground, by assumption: no line floats.",
		"Settling inside a conversion: a code is there one cycle after its rows, whatever lines and converters take.",
		"Effects that are not in its tables: whatever the description leaves off, and temperature, supply noise, coupling between lines, read disturb and endurance in any case.",
		"The shape of the converters' reference and its start-up; power-up and power-down of the analog part.",
	},
	"sram": {
		"Access time, set-up and hold: the pins are registered at clk and nothing else is said.",
		"Soft errors, redundancy, retention and built-in self-test.",
	},
}

var omittedAlways = "Power: the stub has no power arcs; supplies are in the LEF stub only."

// MacroPage states the contract of each macro of a design, so that a real one can take its
// place: ports, timing, attributes, contents, and what the behavioural model leaves out. It
// is Markdown; "" when the design has no macros.
func MacroPage(d *ir.Design) string {
	p := &page{}
	p.line("# Macros of %s", d.Top.Name)
	p.line("")
	p.line("Each macro below is a module in `rtl/` that holds its behaviour for simulation and is empty when `SYNTHESIS` is defined,")
	p.line("a Liberty stub in `lib/` and a LEF stub in `lef/`. A real macro takes its place when it keeps what this page states.")
	p.line("Vectors of N elements of W bits lie on a bus of N*W bits, element 0 in the low bits. All ports are synchronous to")
	p.line("the rising edge of `clk`: inputs are sampled at the edge, outputs come from registers or memory and change after it.")
	uses := instances(d)
	macros := 0
	for _, m := range d.Modules {
		if m.Macro != nil && uses[m] > 0 {
			macros++
			p.macro(m, uses[m])
		}
	}
	if macros == 0 {
		return ""
	}
	return p.b.String()
}

// instances counts the instances of each module that synthesis sees, the top once.
func instances(d *ir.Design) map[*ir.Module]int {
	n := map[*ir.Module]int{d.Top: 1}
	for i := len(d.Modules) - 1; i >= 0; i-- { // parents before children
		m := d.Modules[i]
		if m.Macro != nil {
			continue
		}
		for _, in := range m.Insts {
			n[in.Of] += n[m] * in.Rows * in.Cols
		}
	}
	return n
}

type page struct{ b strings.Builder }

func (p *page) line(format string, a ...any) { fmt.Fprintf(&p.b, format+"\n", a...) }

func (p *page) macro(m *ir.Module, uses int) {
	k := m.Macro
	p.line("\n## %s", m.Name)
	p.line("\n%s", m.Doc)
	p.line("\nKind: %s. Instances: %d. Latency: %s. Area: %s.", k.Kind, uses, cycles(k.Latency), area(k.AreaUm2))
	p.line("\n| port | direction | shape | meaning |\n|---|---|---|---|")
	if m.Stateful() {
		p.line("| clk | in | 1 bit | clock, rising edge |\n| rst | in | 1 bit | synchronous reset, active high |")
	}
	for _, port := range m.Ports {
		dir := "in"
		if port.Dir == ir.Out {
			dir = "out"
		}
		p.line("| %s | %s | %s | %s |", port.Name, dir, shape(port.Type), strings.ReplaceAll(port.Doc, "|", "\\|"))
	}
	p.timing(m)
	if len(k.Attrs) > 0 {
		p.line("\n| attribute | value |\n|---|---|")
		for _, a := range k.Attrs {
			p.line("| %s | %s |", a.Key, a.Value)
		}
	}
	p.contents(m)
	p.line("\nLeft out by the behavioural model:\n")
	for _, o := range append(omitted[k.Kind], omittedAlways) {
		p.line("- %s", o)
	}
}

// timing draws two operations in a row, one a cycle.
func (p *page) timing(m *ir.Module) {
	ins, outs := names(m, ir.In), names(m, ir.Out)
	if !m.Stateful() || len(ins) == 0 || len(outs) == 0 {
		return
	}
	wide := 0
	for _, n := range append([]string{"clk"}, append(ins, outs...)...) {
		wide = max(wide, len(n))
	}
	const cell = 6
	drawn := m.Macro.Latency + 3
	draw := func(name string, first int, letters string) {
		row := make([]string, drawn)
		for c := range row {
			row[c] = strings.Repeat("-", cell)
			if i := c - first; i >= 0 && i < len(letters) {
				row[c] = fmt.Sprintf("<%s>", center(letters[i:i+1], cell-2))
			}
		}
		p.line("%-*s  %s", wide, name, strings.Join(row, ""))
	}
	p.line("\n```text")
	p.line("%-*s  %s", wide, "clk", strings.Repeat("/--\\__", drawn))
	for _, n := range ins {
		draw(n, 0, "AB")
	}
	for _, n := range outs {
		draw(n, m.Macro.Latency, "ab")
	}
	p.line("```\n\na is the result of operation A, %s after the cycle in which A stood at the inputs; one operation a cycle.", cycles(m.Macro.Latency))
}

// names lists the ports of a direction.
func names(m *ir.Module, dir ir.Dir) (l []string) {
	for _, p := range m.Ports {
		if p.Dir == dir {
			l = append(l, p.Name)
		}
	}
	return l
}

// center puts s into the middle of n characters.
func center(s string, n int) string {
	left := (n - len(s)) / 2
	return strings.Repeat(" ", left) + s + strings.Repeat(" ", n-len(s)-left)
}

// contents says what has to be in the macro before it is used.
func (p *page) contents(m *ir.Module) {
	first := true
	for _, mem := range m.Mems {
		if !mem.Loaded {
			continue
		}
		if first {
			p.line("\nContents, one file an instance, `tables/tb.<path>.<memory>.memh`, a hexadecimal word a line from address 0 on:")
			p.line("\n| memory | words | word |\n|---|---|---|")
			first = false
		}
		p.line("| %s | %d | %s |", mem.Name, mem.Depth, shape(mem.Type))
	}
	if !first {
		p.line("\nThe first line of each file names the set of tables it is of, as file `tables/set` does; a simulation ends when the two differ, when the form")
		p.line("is another's or a conductance is out of range. Further lines say what a table was made from; `ohmloom check --tables` compares them.")
		p.line("Paths begin with `tb`, the test bench; `verilator --binary` puts `TOP.` before it, so files must have that name there.")
	}
}

// cycles is n with its unit.
func cycles(n int) string {
	if n == 1 {
		return "1 cycle"
	}
	return fmt.Sprintf("%d cycles", n)
}

func shape(t ir.Type) string {
	switch {
	case t.N == 1 && t.W == 1:
		return "1 bit"
	case t.N == 1:
		return fmt.Sprintf("%d bits", t.W)
	case t.W == 1:
		return fmt.Sprintf("%d x 1 bit", t.N)
	}
	return fmt.Sprintf("%d x %d bits", t.N, t.W)
}

func area(um2 float64) string {
	if um2 == 0 {
		return "not known"
	}
	return fmt.Sprintf("%.0f um2, by the area model of the description's technology", um2)
}
