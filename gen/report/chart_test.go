package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand"
	"regexp"
	"strings"
	"testing"
)

// wellFormed fails unless an SVG can be parsed.
func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
	}
}

func TestChartsShowEverySeriesAndRepeat(t *testing.T) {
	series := []Series{{Name: "one <&>", X: []float64{1, 2, 4}, Y: []float64{3, 5, 1}}, {Name: "two", X: []float64{1, 2, 4}, Y: []float64{30, 5, 0.1}}}
	for name, draw := range map[string]func() ([]byte, error){
		"lines": func() ([]byte, error) { return Lines(Chart{"title", "x", "y", true, true, false}, series) },
		"bars": func() ([]byte, error) {
			return StackedBars(Chart{Title: "title", X: "x", Y: "y"}, []string{"a", "b", "c"}, series)
		},
		"front": func() ([]byte, error) {
			return FrontChart(Chart{"title", "x", "y", true, false, true}, series[0], series[1])
		},
		"one point": func() ([]byte, error) {
			return FrontChart(Chart{"title", "x", "y", true, true, false}, Series{Name: "one <&>", X: []float64{3}, Y: []float64{2}}, Series{Name: "two", X: []float64{3}, Y: []float64{2}})
		},
	} {
		a, err := draw()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := draw()
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ (%v)", name, err)
		}
		wellFormed(t, a)
		for _, word := range []string{">title<", ">x<", ">y<", ">two<", ">one &lt;&amp;&gt;<"} {
			if !bytes.Contains(a, []byte(word)) {
				t.Errorf("%s: no %s", name, word)
			}
		}
	}
}

// Every point of a front is in the one part whose name covers it, and no more parts than colours
// can be told apart.
func TestAThirdFigureSplitsAFrontIntoRanges(t *testing.T) {
	for n := 1; n < 40; n++ {
		var s Series
		var z []float64
		for i := range n {
			s.X, s.Y, z = append(s.X, float64(i)), append(s.Y, 1), append(z, float64(i*7%11))
		}
		s.Name = "front"
		seen, high := 0, -1.0
		for _, p := range SplitBy(s, "pes", z) {
			var from, to float64
			if k, err := fmt.Sscanf(p.Name, "front, pes %g to %g", &from, &to); k < 1 {
				t.Fatalf("%q: %v", p.Name, err)
			} else if k == 1 {
				to = from
			}
			if from <= high {
				t.Errorf("%d points: %q begins at %g or below", n, p.Name, high)
			}
			high = to
			for _, x := range p.X {
				if v := z[int(x)]; v < from || v > to {
					t.Errorf("%d points: %g is in %q", n, v, p.Name)
				}
				seen++
			}
		}
		if seen != n {
			t.Errorf("%d points, %d in parts", n, seen)
		}
	}
}

var placed = regexp.MustCompile(`<title>p(\d+) x[^<]*</title><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"`)

// Rectangles have the areas of their parts, do not overlap and stay inside.
func TestTreemapAreasAreInProportion(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 50 {
		var parts []Part
		total := 0.0
		for i := range 1 + r.Intn(30) {
			parts = append(parts, Part{Name: fmt.Sprintf("p%d x<", i), Kind: []string{"a", "b & c"}[i%2], Size: 0.2 + 50*math.Pow(r.Float64(), 4)})
			total += parts[i].Size
		}
		svg := Treemap("t <", "mm2", []string{"a", "b & c"}, parts)
		wellFormed(t, svg)
		found := placed.FindAllStringSubmatch(strings.ReplaceAll(string(svg), "&lt;", ""), -1)
		if len(found) != len(parts) {
			t.Fatalf("%d of %d parts", len(found), len(parts))
		}
		var all []rect
		for _, m := range found {
			var i int
			var q rect
			if _, err := fmt.Sscan(strings.Join(m[1:], " "), &i, &q.x, &q.y, &q.w, &q.h); err != nil {
				t.Fatal(err)
			}
			if want := parts[i].Size / total * mapWidth * mapHeight; math.Abs(q.w*q.h-want) > 0.02*(q.w+q.h) {
				t.Errorf("part %d of %g of %g: %+v", i, parts[i].Size, total, q)
			}
			for _, o := range all {
				if min(q.x+q.w, o.x+o.w)-max(q.x, o.x) > 0.02 && min(q.y+q.h, o.y+o.h)-max(q.y, o.y) > 0.02 {
					t.Errorf("%+v and %+v overlap", q, o)
				}
			}
			if all = append(all, q); q.x < -0.01 || q.y < mapTop-0.01 || q.x+q.w > mapWidth+0.02 || q.y+q.h > mapTop+mapHeight+0.02 {
				t.Errorf("%+v sticks out", q)
			}
		}
	}
}

// Text of users and figures of others do no harm.
func TestPageEscapesWhatItShows(t *testing.T) {
	p := Page{Title: "<b>", Sections: []Section{{ID: "s", Title: "</script>", Text: "<script>x</script>", Notes: []string{"a & b"},
		Tables: []Table{{Head: []string{"<i>", "n", "version"}, Rows: [][]string{{"<u>", "1.5", "5.006"}, {"", "", "1.26.8"}}}}, Figures: []Figure{{Name: "f", Caption: `"q"`, SVG: Treemap("<", "mm2", []string{"k"}, []Part{{"<s>", "k", 1}})}}}}}
	page, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<b>", "<script", "<i>", "<u>", "<s>", `label=""q`} {
		if bytes.Contains(page, []byte(bad)) {
			t.Errorf("the page has %s", bad)
		}
	}
	if !bytes.Contains(page, []byte(`<td class="n">1.5</td>`)) || !bytes.Contains(page, []byte(`<td class="s">5.006</td>`)) {
		t.Error("numbers do not stand at the right")
	}
	p.Sections[0].Figures[0].SVG = []byte("<svg><script>1</script></svg>")
	if _, err := p.HTML(); err == nil {
		t.Error("a picture with a script was taken")
	}
}
