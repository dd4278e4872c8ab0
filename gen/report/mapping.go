package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"ohmloom/gen/mapping"
)

// Sizes of the picture of a mapping, in pixels.
const (
	peWidth, peHeight = 58, 30
	peGap, groupGap   = 3, 10
	tileGap, bankGap  = 14, 34
	margin            = 16
	legendWidth       = 250
)

// grouped is how many PEs stand round a router.
const grouped = 4

// MappingPicture is an SVG of which matrix sits where: each bank with its tiles as they lie,
// in each tile its PEs in groups of four round a router, in each PE the matrix and the row and
// column block it holds. One hue an operation, whose matrices share the input vector.
func MappingPicture(p *mapping.Plan) []byte {
	g := &mappingPicture{Plan: p}
	g.layout()
	width := margin*3 + max(g.bankWidth(), 300) + legendWidth
	height := margin*2 + 30 + max(len(p.Banks)*(g.bankHeight()+bankGap), len(p.Ops)*18+40)
	g.line(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif">`, width, height, width, height)
	g.line(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	g.text(margin, margin+12, 14, "bold", fmt.Sprintf("Mapping: %d matrices on %d of %d PEs of %d x %d", g.matrices(), g.used(), len(p.Banks)*p.Chip.BankPEs(), p.Chip.Rows, p.Chip.Cols))
	for i := range p.Banks {
		g.bank(i, margin, margin+30+i*(g.bankHeight()+bankGap))
	}
	g.legend(margin*2+max(g.bankWidth(), 300), margin+30)
	g.line(`</svg>`)
	return []byte(g.b.String())
}

type mappingPicture struct {
	*mapping.Plan
	b                     strings.Builder
	groupsWide, groupTall int // groups of a tile
}

func (g *mappingPicture) line(format string, a ...any) { fmt.Fprintf(&g.b, format+"\n", a...) }

func (g *mappingPicture) text(x, y, size int, weight, s string) {
	g.line(`<text x="%d" y="%d" font-size="%d" font-weight="%s">%s</text>`, x, y, size, weight, html.EscapeString(s))
}

// layout sets the groups of a tile out in a square, or nearly so.
func (g *mappingPicture) layout() {
	groups := (g.Chip.PEs + grouped - 1) / grouped
	g.groupsWide = int(math.Ceil(math.Sqrt(float64(groups))))
	g.groupTall = (groups + g.groupsWide - 1) / g.groupsWide
}

func (g *mappingPicture) groupWidth() int  { return 2*peWidth + peGap }
func (g *mappingPicture) groupHeight() int { return 2*peHeight + peGap }
func (g *mappingPicture) tileWidth() int   { return g.groupsWide*(g.groupWidth()+groupGap) + groupGap }
func (g *mappingPicture) tileHeight() int {
	return g.groupTall*(g.groupHeight()+groupGap) + groupGap + 12
}
func (g *mappingPicture) bankWidth() int { return g.Chip.TileCols*(g.tileWidth()+tileGap) - tileGap }
func (g *mappingPicture) bankHeight() int {
	return g.Chip.TileRows*(g.tileHeight()+tileGap) - tileGap + 18
}

func (g *mappingPicture) matrices() int {
	n := 0
	for _, op := range g.Ops {
		for _, m := range op.Matrices {
			if m.First == 0 {
				n++
			}
		}
	}
	return n
}

func (g *mappingPicture) used() int {
	n := 0
	for _, b := range g.Banks {
		n += b.UsedPEs()
	}
	return n
}

func (g *mappingPicture) bank(i, x, y int) {
	b := g.Banks[i]
	g.text(x, y+10, 12, "bold", fmt.Sprintf("bank %d: %d of %d PEs", i, b.UsedPEs(), len(b.Slots)))
	for t := range g.Chip.Tiles() {
		row, col := t/g.Chip.TileCols, t%g.Chip.TileCols
		g.tile(b, t, x+col*(g.tileWidth()+tileGap), y+18+row*(g.tileHeight()+tileGap))
	}
}

func (g *mappingPicture) tile(b mapping.Bank, t, x, y int) {
	g.line(`<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="#f7f7f4" stroke="#999999"/>`, x, y, g.tileWidth(), g.tileHeight())
	g.line(`<text x="%d" y="%d" font-size="9" fill="#555555">tile %d</text>`, x+groupGap, y+10, t)
	for pe := range g.Chip.PEs {
		group, at := pe/grouped, pe%grouped
		gx := x + groupGap + group%g.groupsWide*(g.groupWidth()+groupGap)
		gy := y + 12 + groupGap/2 + group/g.groupsWide*(g.groupHeight()+groupGap)
		g.pe(b.Slots[t*g.Chip.PEs+pe], t*g.Chip.PEs+pe, gx+at%2*(peWidth+peGap), gy+at/2*(peHeight+peGap))
		if at == grouped-1 || pe == g.Chip.PEs-1 {
			g.line(`<circle cx="%d" cy="%d" r="3.5" fill="#444444"/>`, gx+g.groupWidth()/2, gy+g.groupHeight()/2)
		}
	}
}

func (g *mappingPicture) pe(s mapping.Slot, n, x, y int) {
	fill, title := "#ffffff", fmt.Sprintf("PE %d: free", n)
	if s.Used {
		m := g.Ops[s.Op].Matrices[s.Matrix]
		fill = colour(s.Op, s.Matrix)
		title = fmt.Sprintf("PE %d: %s, row block %d, column block %d", n, m.Name, s.RowBlock, m.First/g.Chip.Cols+s.ColBlock)
	}
	g.line(`<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="2" fill="%s" stroke="#aaaaaa"/>`, html.EscapeString(title), x, y, peWidth, peHeight, fill)
	if s.Used {
		m := g.Ops[s.Op].Matrices[s.Matrix]
		g.line(`<text x="%d" y="%d" font-size="8.5">%s</text><text x="%d" y="%d" font-size="8.5">r%d c%d</text>`,
			x+4, y+12, html.EscapeString(short(m.Name)), x+4, y+24, s.RowBlock, m.First/g.Chip.Cols+s.ColBlock)
	}
	g.line(`</g>`)
}

// short is a matrix's name as it fits into a PE: "L0 wq" for "layers.0.wq".
func short(name string) string {
	if parts := strings.Split(name, "."); len(parts) == 3 && parts[0] == "layers" {
		return "L" + parts[1] + " " + parts[2]
	}
	if r := []rune(name); len(r) > 10 {
		return string(r[:9]) + "."
	}
	return name
}

func (g *mappingPicture) legend(x, y int) {
	g.text(x, y+10, 12, "bold", "operations")
	for i, op := range g.Ops {
		at := y + 22 + i*18
		for j := range op.Matrices {
			g.line(`<rect x="%d" y="%d" width="12" height="12" fill="%s" stroke="#aaaaaa"/>`, x+j*14, at, colour(i, j))
		}
		first := op.Matrices[0]
		g.line(`<text x="%d" y="%d" font-size="10">%s: bank %d, %s, %s</text>`, x+max(len(op.Matrices), 3)*14+6, at+10,
			html.EscapeString(op.Name), op.Bank, count(g.Chip.NeedPEs(op.Op), "PE"), count(first.In, "input"))
	}
	at := y + 22 + len(g.Ops)*18 + 12
	g.line(`<circle cx="%d" cy="%d" r="3.5" fill="#444444"/><text x="%d" y="%d" font-size="10">router; r, c: row and column block</text>`, x+6, at-3, x+16, at)
}

// colour is one hue an operation, far from those before, and lighter for each further matrix.
func colour(op, matrix int) string {
	return fmt.Sprintf("hsl(%d,65%%,%d%%)", op*137%360, 72+8*(matrix%3))
}

// count is a number of things, in words: "1 PE", "2 PEs".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
