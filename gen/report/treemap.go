package report

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Part is one rectangle of a treemap.
type Part struct {
	Name, Kind string
	Size       float64 // what its area stands for, in Unit of the map
}

// Sizes of a treemap, in pixels.
const (
	mapWidth, mapHeight = 560.0, 400.0
	mapTop              = 30.0 // title
	mapFoot             = 26.0 // legend
	letter              = 6.3  // width of a character
)

// kindFills are the colours of kinds of parts, in the order in which a legend lists them.
var kindFills = []string{logicFill, memoryFill, analogFill, "#e3d3ea", "#eee6b8", "#dddddd"}

// Treemap is an SVG in which each part has an area in proportion to its size, the largest at
// the left; parts of a kind share a colour, that of its place in kinds. Parts below a ten-thousandth are left out.
func Treemap(title, unit string, kinds []string, parts []Part) []byte {
	var list []Part
	total := 0.0
	for _, p := range parts {
		total += p.Size
	}
	for _, p := range parts {
		if p.Size > total*1e-4 {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b Part) int { return cmp.Compare(b.Size, a.Size) })
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" font-family="Helvetica, Arial, sans-serif" font-size="11">`+"\n",
		mapWidth, mapTop+mapHeight+mapFoot, mapWidth, mapTop+mapHeight+mapFoot)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/><text x="4" y="19" font-size="14">%s</text>`+"\n", html.EscapeString(title))
	squarify(list, rect{0, mapTop, mapWidth, mapHeight}, func(p Part, r rect) {
		fill := kindFills[slices.Index(kinds, p.Kind)%len(kindFills)]
		share := fmt.Sprintf("%.3g %s, %.1f %%", p.Size, unit, 100*p.Size/total)
		fmt.Fprintf(&b, `<g><title>%s: %s</title><rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s" stroke="#ffffff"/>`,
			html.EscapeString(p.Name), share, r.x, r.y, r.w, r.h, fill)
		for i, s := range []string{p.Name, share} {
			if most := int((r.w - 8) / letter); most >= 6 && r.h > 16+14*float64(i) {
				if len(s) > most {
					s = s[:most-1] + "…"
				}
				fmt.Fprintf(&b, `<text x="%.2f" y="%.2f">%s</text>`, r.x+4, r.y+14+14*float64(i), html.EscapeString(s))
			}
		}
		b.WriteString("</g>\n")
	})
	x := 4.0
	for i, k := range kinds {
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="11" height="11" fill="%s"/><text x="%.1f" y="%.1f">%s</text>`+"\n",
			x, mapTop+mapHeight+9, kindFills[i%len(kindFills)], x+16, mapTop+mapHeight+18, html.EscapeString(k))
		x += 34 + letter*float64(len(k))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

type rect struct{ x, y, w, h float64 }

// squarify lays sorted parts out so that rectangles are as near to squares as rows allow
// (Bruls, Huizing and van Wijk, "Squarified treemaps", 2000).
func squarify(parts []Part, r rect, place func(Part, rect)) {
	left := 0.0
	for _, p := range parts {
		left += p.Size
	}
	for len(parts) > 0 && left > 0 {
		side, perUnit := min(r.w, r.h), r.w*r.h/left
		n, row := 1, parts[0].Size
		for ; n < len(parts); n++ {
			with := row + parts[n].Size
			if worst(parts[0].Size, parts[n].Size, with, side, perUnit) > worst(parts[0].Size, parts[n-1].Size, row, side, perUnit) {
				break
			}
			row = with
		}
		depth := row * perUnit / side
		at := 0.0
		for _, p := range parts[:n] {
			length := p.Size / row * side
			if r.w >= r.h {
				place(p, rect{r.x, r.y + at, depth, length})
			} else {
				place(p, rect{r.x + at, r.y, length, depth})
			}
			at += length
		}
		if r.w >= r.h {
			r = rect{r.x + depth, r.y, r.w - depth, r.h}
		} else {
			r = rect{r.x, r.y + depth, r.w, r.h - depth}
		}
		parts, left = parts[n:], left-row
	}
}

// worst is the worst ratio of sides in a row whose sizes go from large to small and add up to row.
func worst(large, small, row, side, perUnit float64) float64 {
	depth := row * perUnit / side
	return max(large*perUnit/depth/depth, depth*depth/(small*perUnit))
}
