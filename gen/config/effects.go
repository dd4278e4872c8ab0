package config

import (
	"fmt"

	"ohmloom/gen/arch"
	"ohmloom/hw/device"
)

// effectAttrs are the attributes that a block takes for the device's parameters.
func effectAttrs(block string) []attrSpec {
	var attrs []attrSpec
	for _, p := range device.Parameters {
		if p.Block == block {
			attrs = append(attrs, attrSpec{name: p.Name, kind: kindNumber, min: p.Min, max: p.Max, hint: p.Unit})
		}
	}
	return attrs
}

// effects are those of a crossbar x and its converters.
func (l *loader) effects(x, adc *node, step string) device.Effects {
	dev := x.childOrEmpty("device")
	e := device.Effects{Distribution: dev.str("distribution", ""), Seed: dev.uint64("seed", 1), Separate: adc.bool("separate", false)}
	for _, p := range device.Parameters {
		n := dev
		if p.Block == "adc" {
			n = adc
		}
		*p.Of(&e) = n.float(p.Name, p.Default)
		if p.Block == "adc" && adc.has(p.Name) && *p.Of(&e) != p.Default && !adc.wanting("step") {
			l.fitConverter(adc, p, step)
		}
	}
	for _, way := range []string{"row", "col"} {
		wire, far := "wire_"+way, "far_"+way
		if dev.float(wire, 0) > 0 && dev.float(far, 0) > 0 {
			l.add(Error, dev.at(far), Diagnostic{Summary: "IR drop described twice", In: dev.in,
				Value:      fmt.Sprintf("%s = %g and %s = %g", wire, dev.float(wire, 0), far, dev.float(far, 0)),
				Suggestion: fmt.Sprintf("%q solves the network, %q is a straight line in its place; keep one", wire, far)})
		}
	}
	l.idleEffects(dev)
	return e
}

// write is the write path of a crossbar, or nil.
func (l *loader) write(x *node) *arch.Write {
	if !x.bool("writable", false) {
		for _, name := range []string{"tolerance", "pulses", "yield"} {
			if x.has(name) && !x.wanting("writable") {
				l.add(Warning, x.at(name), Diagnostic{Summary: fmt.Sprintf("%q has no effect", name), In: x.in,
					Detail: "The crossbar is not writable: its weights come in preloaded tables.", Suggestion: "set writable = true, or remove this"})
			}
		}
		return nil
	}
	dev := x.childOrEmpty("device")
	for _, wire := range []string{"wire_row", "wire_col"} {
		if ohm := dev.float(wire, 0); ohm > 0 {
			l.add(Error, dev.at(wire), Diagnostic{Summary: "IR drop along wires needs all cells at once", In: dev.in,
				Value:      fmt.Sprintf("%s = %g, and the crossbar is writable (%s)", wire, ohm, position(x.at("writable"))),
				Detail:     "A resistive network is solved for the cells of a whole crossbar; rows that are written one after the other would change those before.",
				Suggestion: fmt.Sprintf("use %q, IR drop as a straight line, or preloaded tables: writable = false", "far_"+wire[len("wire_"):])})
		}
	}
	return &arch.Write{Tolerance: x.float("tolerance", 0.5), Pulses: x.int("pulses", 4), Yield: x.float("yield", 1)}
}

// fitConverter reports what converters of a step cannot have.
func (l *loader) fitConverter(adc *node, p device.Parameter, step string) {
	switch {
	case step == device.StepIdeal:
		l.add(Error, adc.at(p.Name), Diagnostic{Summary: fmt.Sprintf("An ideal converter has no %q", p.Name), In: adc.in,
			Value: fmt.Sprintf("%g %s", adc.float(p.Name, 0), p.Unit), Allowed: "with step = \"clip\" or \"full\"",
			Suggestion: "remove it, or give the converter a step"})
	case step == device.StepFull && p.Name == "lsb":
		l.add(Error, adc.at(p.Name), Diagnostic{Summary: "Full scale has an LSB of its own", In: adc.in,
			Value: fmt.Sprintf("%g %s", adc.float(p.Name, 0), p.Unit), Allowed: "with step = \"clip\"",
			Suggestion: "remove it: with step = \"full\" the highest code is all active rows"})
	}
}

// idleEffects warns of attributes that do nothing without another.
func (l *loader) idleEffects(dev *node) {
	for _, c := range []struct{ name, needs, why string }{
		{"distribution", "variation", "nothing varies"},
		{"drift_nu", "drift_time", "no time passes"},
		{"drift_spread", "drift_time", "no time passes"},
	} {
		if dev.has(c.name) && !dev.wanting(c.needs) && dev.float(c.needs, 0) == 0 {
			l.add(Warning, dev.at(c.name), Diagnostic{Summary: fmt.Sprintf("%q has no effect", c.name), In: dev.in,
				Detail: fmt.Sprintf("%q is 0: %s.", c.needs, c.why), Suggestion: fmt.Sprintf("set %q, or remove this", c.needs)})
		}
	}
}
