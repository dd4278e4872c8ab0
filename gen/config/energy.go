package config

import (
	"context"

	"github.com/hashicorp/hcl/v2"

	"ohmloom/gen/arch"
)

// energySpec is one figure of a technology for estimates of energy.
var energySpec = blockSpec{
	name: "energy", label: "part", labels: energyNames(func(p arch.EnergyPart) string { return p.Name }), many: true,
	attrs: []attrSpec{
		{name: "value", kind: kindNumber, min: 0, max: 1e12, required: true, hint: "an energy in pJ, or a power in uW"},
		{name: "unit", kind: kindString, enum: energyNames(func(p arch.EnergyPart) string { return p.Unit }), required: true, hint: "every figure says its unit"},
		{name: "kind", kind: kindString, enum: quantityKinds, required: true, hint: "every figure says how it was come by"},
		{name: "source", kind: kindString, required: true, hint: "every figure says where it is from: a paper, a data sheet, a run"},
	},
}

// energyNames lists what of says of each figure, each once.
func energyNames(of func(arch.EnergyPart) string) []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range arch.EnergyParts {
		if n := of(p); !seen[n] {
			seen[n], names = true, append(names, n)
		}
	}
	return names
}

// energy fills in the figures that technology t has, in their units.
func (l *loader) energy(t *node, e *arch.Energy) {
	for _, p := range arch.EnergyParts {
		for _, n := range t.blocks["energy"] {
			if n.label != p.Name {
				continue
			}
			if unit := n.str("unit", p.Unit); unit != p.Unit {
				l.add(Error, n.at("unit"), Diagnostic{Summary: "Wrong unit for this figure", In: n.in, Value: quote(unit), Allowed: quote(p.Unit),
					Suggestion: "write unit = " + quote(p.Unit)})
			}
			*p.Of(e) = n.quantity()
		}
	}
}

// quantity is a figure with value, unit, kind and source.
func (n *node) quantity() arch.Quantity {
	return arch.Quantity{Value: n.float("value", 0), Unit: n.str("unit", ""), Kind: n.str("kind", ""), Source: n.str("source", ""), Pos: n.pos()}
}

// LibraryTechnology is a technology that the binary ships, "45nm" for instance. It panics when
// there is none of the name.
func LibraryTechnology(name string) arch.Technology {
	l := newLoader(context.Background(), Options{})
	tree := newNode(&language, hcl.Range{})
	l.addTechnologies(tree)
	for _, n := range tree.blocks["technology"] {
		l.evaluate(n)
	}
	tech := l.technology(tree, name)
	if len(l.diags) > 0 {
		panic("config: the library of technologies: " + l.finish().String())
	}
	return tech
}
