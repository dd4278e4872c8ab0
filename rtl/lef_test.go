package rtl

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ohmloom/ir"
)

// abstract is what a LEF file says of one macro.
type abstract struct {
	name  string
	w, h  float64
	pins  map[string]rect
	dirs  map[string]string
	order []string
}

type rect struct {
	layer          string
	x0, y0, x1, y1 float64
}

// parseLEF reads the subset of LEF 5.8 that stubs use, statement by statement, and takes
// nothing else.
func parseLEF(data []byte) (*abstract, error) {
	a := &abstract{pins: map[string]rect{}, dirs: map[string]string{}}
	var words []string
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		words = append(words, strings.Fields(line)...)
	}
	var scope []string // open blocks
	layer, pin := "", ""
	number := func(i int) float64 {
		v, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			v = math.NaN()
		}
		return v
	}
	for len(words) > 0 {
		n := slices.Index(words, ";") + 1
		switch word := words[0]; word {
		case "MACRO", "PIN":
			scope, n = append(scope, words[1]), 2
			if word == "PIN" {
				pin = words[1]
				a.order = append(a.order, pin)
			} else {
				a.name = words[1]
			}
		case "UNITS", "PORT", "OBS":
			scope, n = append(scope, word), 1
			if word == "OBS" {
				pin = ""
			}
		case "END":
			if len(scope) == 0 {
				if len(words) == 2 && words[1] == "LIBRARY" {
					return a, nil
				}
				return nil, fmt.Errorf("END outside a block, %q follows", words[1:])
			}
			top := scope[len(scope)-1]
			scope, n = scope[:len(scope)-1], 1
			if top != "PORT" && top != "OBS" {
				n = 2
				if words[1] != top {
					return nil, fmt.Errorf("END %s closes %s", words[1], top)
				}
			}
		case "SIZE":
			a.w, a.h = number(1), number(3)
		case "LAYER":
			layer = words[1]
		case "RECT":
			if r := (rect{layer, number(1), number(2), number(3), number(4)}); pin != "" {
				a.pins[pin] = r
			}
		case "DIRECTION":
			if n != 3 {
				return nil, fmt.Errorf("direction of %s is %q", pin, words[1:max(n, 1)])
			}
			a.dirs[pin] = words[1]
		case "VERSION", "BUSBITCHARS", "DIVIDERCHAR", "DATABASE", "CLASS", "FOREIGN", "ORIGIN", "SYMMETRY", "USE":
		default:
			return nil, fmt.Errorf("statement %q", word)
		}
		if n == 0 {
			return nil, fmt.Errorf("%s has no semicolon", words[0])
		}
		words = words[n:]
	}
	return nil, fmt.Errorf("no END LIBRARY")
}

// faults lists what is wrong with the geometry: pins off the outline or on each other.
func (a *abstract) faults() (list []string) {
	if !(a.w > 0 && a.h > 0) {
		return []string{fmt.Sprintf("outline %g x %g", a.w, a.h)}
	}
	for i, name := range a.order {
		r, ok := a.pins[name]
		if !ok || !(r.x0 >= 0 && r.y0 >= 0 && r.x1 <= a.w && r.y1 <= a.h && r.x0 < r.x1 && r.y0 < r.y1) {
			list = append(list, fmt.Sprintf("pin %s is %+v in %g x %g", name, r, a.w, a.h))
		}
		for _, other := range a.order[:i] {
			o := a.pins[other]
			if o.layer == r.layer && r.x0 < o.x1 && o.x0 < r.x1 && r.y0 < o.y1 && o.y0 < r.y1 {
				list = append(list, fmt.Sprintf("pins %s and %s overlap", name, other))
			}
		}
	}
	return list
}

// macroOf is a macro with an input of in bits, an output of out bits and an area.
func macroOf(in, out int, area float64) *ir.Module {
	m := ir.New("pair", "")
	x := m.In("x", ir.Vec(in, 1), "")
	m.Out("y", m.DataReg("r", ir.Bits(1)).Set(x.Elems(0, 1)).Splat(out), "")
	m.Macro = &ir.Macro{Kind: "crossbar", Latency: 1, AreaUm2: area}
	return m
}

func TestLEFHasTheAreaAndPinsOfTheMacro(t *testing.T) {
	for _, c := range []struct {
		in, out int
		area    float64
		grows   bool
	}{{1, 1, 100, false}, {64, 40, 9760, false}, {256, 256, 412345.6, false}, {3, 5, 0, true}, {1024, 7, 50, true}} {
		m := macroOf(c.in, c.out, c.area)
		text := lefStub(m).Data
		a, err := parseLEF(text)
		if err != nil {
			t.Fatalf("%v: %v\n%s", c, err, text)
		}
		if f := a.faults(); len(f) > 0 {
			t.Errorf("%v: %s", c, strings.Join(f, "\n"))
		}
		if len(a.order) != c.in+c.out+4 || a.dirs["clk"] != "INPUT" || a.name != m.Name {
			t.Errorf("%v: macro %s with %d pins", c, a.name, len(a.order))
		}
		if grown := a.w*a.h > 1.01*c.area+1; grown != c.grows || a.w*a.h < c.area-0.01 {
			t.Errorf("%v: outline of %g um2", c, a.w*a.h)
		}
		if said := bytes.Contains(text, []byte("hold")); said != c.grows {
			t.Errorf("%v: says that the outline holds its pins: %v", c, said)
		}
	}
}

func TestLEFCheckFindsDamage(t *testing.T) {
	text := string(lefStub(macroOf(4, 4, 1000)).Data)
	for was, is := range map[string]string{
		"END x[2]":              "END x[3]",
		"SIZE":                  "SIZES",
		"RECT 0.000 0.840":      "RECT 0.000 0.560",
		"RECT 0.000 1.120":      "RECT -0.100 1.120",
		"\n\nEND LIBRARY":       "",
		"DIRECTION INPUT ;\n  ": "DIRECTION INPUT\n  ",
	} {
		bad := strings.Replace(text, was, is, 1)
		if bad == text {
			t.Fatalf("%q is not in the stub", was)
		}
		a, err := parseLEF([]byte(bad))
		if err == nil && len(a.faults()) == 0 && a.w > 0 {
			t.Errorf("%q for %q is not noticed", is, was)
		}
	}
}
