package rtl

import (
	"fmt"
	"math"
	"strings"

	"ohmloom/ir"
)

// Geometry of the stub's pins, um: squares of lefPin on a pitch of lefPitch, which is two
// tracks of a 45 nm library (assumed; a real macro brings its own).
const (
	lefPin   = 0.07
	lefPitch = 0.28
	lefGrid  = 0.005 // manufacturing grid
)

// lefStub is the abstract view of a macro for floorplanning: its outline, of the area that
// the Liberty stub states, input pins on the left, output pins on the right, supplies above
// and below, the inside blocked. An outline too small for its pins grows to hold them, and
// says so. LEF 5.8; layers are called metal3 and metal4.
func lefStub(m *ir.Module) File {
	l := &lef{}
	in, out := pinsOf(m)
	w, h := outline(m.Macro.AreaUm2, max(len(in), len(out)))
	l.line("# SPDX-License-Identifier: %s", license)
	l.line("# Stub of the macro %s (%s): outline and places of pins are not a layout.", m.Name, oneLine(m.Macro.Kind))
	switch area := m.Macro.AreaUm2; {
	case area == 0:
		l.line("# The area of the macro is not known: the outline holds its pins and nothing else.")
	case w*h > 1.01*area+1:
		l.line("# The outline is larger than the macro's %g um2, to hold its pins.", area)
	}
	l.line("VERSION 5.8 ;")
	l.line(`BUSBITCHARS "[]" ;`)
	l.line(`DIVIDERCHAR "/" ;`)
	l.line("UNITS\n  DATABASE MICRONS 1000 ;\nEND UNITS")
	l.line("MACRO %s", m.Name)
	l.line("  CLASS BLOCK ;")
	l.line("  FOREIGN %s 0 0 ;", m.Name)
	l.line("  ORIGIN 0 0 ;")
	l.line("  SIZE %s BY %s ;", um(w), um(h))
	l.line("  SYMMETRY X Y R90 ;")
	for i, p := range in {
		l.pin(p, "INPUT", "metal3", 0, offset(i), lefPin, offset(i)+lefPin)
	}
	for i, p := range out {
		l.pin(p, "OUTPUT", "metal3", w-lefPin, offset(i), w, offset(i)+lefPin)
	}
	l.pin(lefTerm{"VDD", "POWER"}, "INOUT", "metal4", 0, h-lefPin, w, h)
	l.pin(lefTerm{"VSS", "GROUND"}, "INOUT", "metal4", 0, 0, w, lefPin)
	l.line("  OBS")
	for _, layer := range []string{"metal1", "metal2", "metal3", "metal4"} {
		l.line("    LAYER %s ;\n      RECT %s %s %s %s ;", layer, um(2*lefPin), um(2*lefPin), um(w-2*lefPin), um(h-2*lefPin))
	}
	l.line("  END\nEND %s\n\nEND LIBRARY", m.Name)
	return File{"lef/" + m.Name + ".lef", []byte(l.b.String()), RoleLEF}
}

// offset is the lower edge of pin i of a side.
func offset(i int) float64 { return float64(i+1) * lefPitch }

// outline is a square of the given area, um2, or as much higher as pins on one side need.
// Both sides are on the manufacturing grid.
func outline(area float64, pins int) (w, h float64) {
	least := offset(pins + 1)
	h = math.Max(math.Ceil(math.Sqrt(area)/lefPitch)*lefPitch, least)
	w = math.Max(math.Ceil(area/h/lefGrid-1e-6)*lefGrid, 8*lefPin)
	return w, h
}

type lefTerm struct{ name, use string }

// pinsOf lists the pins of each side bit by bit, clock and reset first.
func pinsOf(m *ir.Module) (in, out []lefTerm) {
	if m.Stateful() {
		in = append(in, lefTerm{"clk", "CLOCK"}, lefTerm{"rst", "SIGNAL"})
	}
	for _, p := range m.Ports {
		list := &in
		if p.Dir == ir.Out {
			list = &out
		}
		if p.Type.Total() == 1 {
			*list = append(*list, lefTerm{p.Name, "SIGNAL"})
			continue
		}
		for i := range p.Type.Total() {
			*list = append(*list, lefTerm{fmt.Sprintf("%s[%d]", p.Name, i), "SIGNAL"})
		}
	}
	return in, out
}

type lef struct{ b strings.Builder }

func (l *lef) line(format string, a ...any) { fmt.Fprintf(&l.b, format+"\n", a...) }

func (l *lef) pin(p lefTerm, dir, layer string, x0, y0, x1, y1 float64) {
	l.line("  PIN %s\n    DIRECTION %s ;\n    USE %s ;\n    PORT\n      LAYER %s ;\n        RECT %s %s %s %s ;\n    END\n  END %s",
		p.name, dir, p.use, layer, um(x0), um(y0), um(x1), um(y1), p.name)
}

// um is a length to a nanometre.
func um(v float64) string { return fmt.Sprintf("%.3f", v) }
