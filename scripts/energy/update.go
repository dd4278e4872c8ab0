package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// scales of the technologies whose digital figures are from netlists: capacitance and the square of
// the voltage, from 180 nm and 1.8 V.
var scales = map[string]float64{"130nm": 130. / 180 * (1.2 / 1.8) * (1.2 / 1.8), "45nm-synthesised": 45. / 180 * (1.0 / 1.8) * (1.0 / 1.8)}

// picojoules is what the part takes for an operation, without its clock.
func (m *measured) picojoules() float64 {
	return 1e12 * (m.Switching + m.Internal) / float64(m.Operations)
}

// unitFigures are the technologies' figures that units give, pJ.
func unitFigures(list []*measuredUnit) map[string]float64 {
	of := map[string]float64{"flip_flop": 1e12 * list[0].Clock / float64(list[0].Cycles*list[0].FlipFlops)}
	for _, m := range list {
		of[m.energy] += 1e12 * m.joules()
	}
	return of
}

// updateTechnologies measures parts and units, and writes their figures into the technologies of
// the library.
func updateTechnologies(ctx context.Context, b *bench, folder string) error {
	list, err := measureUnits(ctx, b, folder)
	if err != nil {
		return err
	}
	figures := unitFigures(list)
	for _, p := range parts {
		if p.energy == "" {
			continue
		}
		m, err := p.measure(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		figures[p.energy] = m.picojoules()
	}
	for _, tech := range slices.Sorted(maps.Keys(scales)) {
		path := filepath.Join(folder, "gen/config/library/technology", tech+".hcl")
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(figures)) {
			next, was, err := withFigure(string(text), name, figures[name], scales[tech])
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if next != string(text) {
				fmt.Printf("%s: energy %q: %s pJ -> %.4g pJ before scaling\n", tech, name, was, figures[name])
			}
			text = []byte(next)
		}
		aside := path + ".new"
		if err := os.WriteFile(aside, text, 0o644); err != nil {
			return err
		}
		if err := os.Rename(aside, path); err != nil {
			return err
		}
	}
	return nil
}

// withFigure is a technology's text with a figure in block energy: its value, scaled, and the
// measurement that the source tells; was is the one it told.
func withFigure(text, name string, pj, scale float64) (next, was string, err error) {
	block := regexp.MustCompile(`(energy "` + regexp.QuoteMeta(name) + `" \{[^}]*?\bvalue\s*= )\S+([^}]*?\bsource = "[^"\n]*: )(\S+)( pJ by scripts/energy )`)
	at := block.FindStringSubmatch(text)
	if at == nil {
		return "", "", fmt.Errorf("there is no energy %q with a value and a source that says how many pJ scripts/energy measured", name)
	}
	return block.ReplaceAllString(text, fmt.Sprintf("${1}%.4g${2}%.4g${4}", pj*scale, pj)), at[3], nil
}
