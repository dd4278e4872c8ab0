package report

import (
	"fmt"
	"html"
	"strings"
)

// Span is cycles From .. To-1.
type Span struct{ From, To int }

// Lane is a part of a chip and when it worked.
type Lane struct {
	Name  string
	Spans []Span
}

// Sizes of a timeline, in pixels.
const (
	laneHeight, barHeight = 26, 16
	laneNames             = 160
	laneWidth             = 960
	laneShares            = 70
)

// Timeline is an SVG of who works when in cycles from .. to-1, a lane each, with its share of
// the time on the right.
func Timeline(title string, lanes []Lane, from, to int) []byte {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	span := max(to-from, 1)
	x := func(cycle int) float64 {
		return laneNames + margin + float64(min(max(cycle-from, 0), span))*laneWidth/float64(span)
	}
	width, height := 2*margin+laneNames+laneWidth+laneShares, 2*margin+60+laneHeight*len(lanes)
	line(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" font-size="12">`, width, height, width, height)
	line(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	line(`<text x="%d" y="%d" font-size="14" font-weight="bold">%s</text>`, margin, margin+12, html.EscapeString(title))
	bottom := margin + 30 + laneHeight*len(lanes)
	step := tick(span)
	for c := 0; c <= span; c += step {
		line(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`, x(from+c), margin+26, x(from+c), bottom)
		line(`<text x="%.1f" y="%d" text-anchor="middle" fill="#555555">%d</text>`, x(from+c), bottom+16, c)
	}
	line(`<text x="%d" y="%d" fill="#555555">cycles</text>`, margin, bottom+16)
	for i, l := range lanes {
		y, busy := margin+30+laneHeight*i, 0
		line(`<text x="%d" y="%d">%s</text>`, margin, y+barHeight-3, html.EscapeString(l.Name))
		for _, s := range l.Spans {
			s.From, s.To = max(s.From, from), min(s.To, to)
			if s.To <= s.From {
				continue
			}
			busy += s.To - s.From
			line(`<rect x="%.2f" y="%d" width="%.2f" height="%d" fill="hsl(%d,55%%,52%%)"><title>%s: cycles %d to %d</title></rect>`,
				x(s.From), y, max(x(s.To)-x(s.From), 0.3), barHeight, 360*i/len(lanes), html.EscapeString(l.Name), s.From-from, s.To-from-1)
		}
		line(`<text x="%d" y="%d" fill="#555555">%.0f %%</text>`, margin+laneNames+laneWidth+10, y+barHeight-3, 100*float64(busy)/float64(span))
	}
	line(`</svg>`)
	return []byte(b.String())
}

// tick is a round number of cycles, about a tenth of n.
func tick(n int) int {
	for step := 1; ; step *= 10 {
		for _, f := range []int{1, 2, 5} {
			if step*f*12 >= n {
				return step * f
			}
		}
	}
}
