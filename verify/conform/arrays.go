package conform

import (
	"fmt"

	"ohmloom/ir"
)

// The wiring cell has two elements of six bits on every port. Values coming from the four
// sides are registered on their way through; f goes from one cell to the next within a cycle.
const cellN, cellW = 2, 6

type pair [cellN]uint64

func wiringCell(name string) *ir.Module {
	t := ir.Vec(cellN, cellW)
	m := ir.New(name, "One cell that makes every kind of wiring visible.")
	in := map[string]*ir.Node{}
	for _, p := range []string{"b", "r", "c", "e", "xw", "xe", "xn", "xs", "g"} {
		in[p] = m.In(p, t, "")
	}
	mul := func(p string, k uint64) *ir.Node { return in[p].Mul(m.K(cellW, k)) }
	m.Out("f", in["e"].Xor(in["b"]), "")
	for i, side := range []string{"w", "e", "n", "s"} {
		v := m.Reg("v"+side, t, uint64(i+1), uint64(i+11))
		v.Set(in["x"+side].Add(in["e"]))
		m.Out("o"+side, v.Q, "")
	}
	z := mul("xw", 3).Add(mul("xe", 5)).Add(mul("xn", 7)).Add(mul("xs", 11))
	z = z.Add(mul("r", 13)).Add(mul("c", 17)).Add(in["b"]).Add(mul("e", 19)).Xor(mul("g", 23))
	m.Out("z", z, "")
	return m
}

var sides = []ir.Side{ir.West, ir.East, ir.North, ir.South}

// wiringModel is a rows x cols grid of cells as plain arrays; v[s] holds what travels from side s.
type wiringModel struct {
	rows, cols int
	v          [4][]pair
}

func newWiringModel(rows, cols int, seed uint64, module string) *wiringModel {
	m := &wiringModel{rows: rows, cols: cols}
	for s, reg := range []string{"vw", "ve", "vn", "vs"} {
		start := pair(initWords(seed, module, reg, cellN, cellW))
		for range rows * cols {
			m.v[s] = append(m.v[s], start)
		}
	}
	return m
}

// wiringIn is what enters a grid in one cycle: edge[s] has a pair a row (sides 0, 1) or
// column (2, 3); g feeds the first column.
type wiringIn struct {
	rst     bool
	b       pair
	r, c, e []pair
	edge    [4][]pair
	g       []pair
}

// step gives z of all cells and clocks.
func (m *wiringModel) step(in wiringIn) []pair {
	var z []pair
	next := [4][]pair{}
	for r := range m.rows {
		for c := range m.cols {
			i := r*m.cols + c
			x := [4]pair{in.edge[0][r], in.edge[1][r], in.edge[2][c], in.edge[3][c]}
			if c > 0 {
				x[0] = m.v[0][i-1]
			}
			if c < m.cols-1 {
				x[1] = m.v[1][i+1]
			}
			if r > 0 {
				x[2] = m.v[2][i-m.cols]
			}
			if r < m.rows-1 {
				x[3] = m.v[3][i+m.cols]
			}
			var y pair
			for k := range y {
				g := in.g[r][k]
				if c > 0 {
					g = in.e[i-1][k] ^ in.b[k]
				}
				y[k] = x[0][k]*3 + x[1][k]*5 + x[2][k]*7 + x[3][k]*11 + in.r[r][k]*13 + in.c[c][k]*17 + in.b[k] + in.e[i][k]*19
				y[k] = (y[k] ^ g*23) % 64
				for s := range x {
					x[s][k] = (x[s][k] + in.e[i][k]) % 64
					if in.rst {
						x[s][k] = uint64(s + 1 + 10*k)
					}
				}
			}
			z = append(z, y)
			for s := range x {
				next[s] = append(next[s], x[s])
			}
		}
	}
	m.v = next
	return z
}

// atSide selects the cells of a grid at one side.
func atSide(x []pair, rows, cols int, s ir.Side) []pair {
	var y []pair
	for i := range x {
		r, c := i/cols, i%cols
		if s == ir.All || s == ir.West && c == 0 || s == ir.East && c == cols-1 || s == ir.North && r == 0 || s == ir.South && r == rows-1 {
			y = append(y, x[i])
		}
	}
	return y
}

func pairs(x []uint64) []pair {
	var p []pair
	for i := 0; i < len(x); i += cellN {
		p = append(p, pair(x[i:i+cellN]))
	}
	return p
}

func unpairs(p []pair) []uint64 {
	var x []uint64
	for _, y := range p {
		x = append(x, y[:]...)
	}
	return x
}

// connectWiring wires an Array of cells (or of modules with the same ports) to nodes by port name.
func connectWiring(a *ir.Inst, in func(port string) *ir.Node) {
	a.In("b", in("b")).PerRow("r", in("r")).PerCol("c", in("c")).Each("e", in("e"))
	for i, s := range []string{"w", "e", "n", "s"} {
		a.Chain("x"+s, "o"+s, sides[i], in("x"+s))
	}
	a.Chain("g", "f", ir.West, in("g"))
}

// wiringPorts gives the groups of each input of an R x C grid, in port order.
func wiringPorts(r, c int) []struct {
	name   string
	groups int
} {
	return []struct {
		name   string
		groups int
	}{{"b", 1}, {"r", r}, {"c", c}, {"e", r * c}, {"xw", r}, {"xe", r}, {"xn", c}, {"xs", c}, {"g", r}}
}

// readWiring takes a grid's inputs from the head of an input record.
func readWiring(in []uint64, rst, r, c int) (wiringIn, []uint64) {
	var x [9][]pair
	for i, p := range wiringPorts(r, c) {
		x[i], in = pairs(in[:p.groups*cellN]), in[p.groups*cellN:]
	}
	return wiringIn{rst == 1, x[0][0], x[1], x[2], x[3], [4][]pair{x[4], x[5], x[6], x[7]}, x[8]}, in
}

// wiringCase: one cell in grids of all shapes, every wiring kind and side on its inputs, and
// all selections of its outputs.
func wiringCase() Case {
	const seed, name = 31, "conform_wiring_cell"
	shapes := [][2]int{{1, 1}, {1, 4}, {3, 1}, {2, 3}}
	cell := wiringCell(name)
	m := ir.New("conform_wiring", "Grids of all shapes.")
	words := 0
	for _, s := range shapes {
		tag := fmt.Sprintf("a%dx%d", s[0], s[1])
		ports := map[string]*ir.Node{}
		for _, p := range wiringPorts(s[0], s[1]) {
			ports[p.name] = m.In("in_"+tag+"_"+p.name, ir.Vec(p.groups*cellN, cellW), "")
			words += p.groups * cellN
		}
		a := m.Array(tag, cell, s[0], s[1])
		connectWiring(a, func(p string) *ir.Node { return ports[p] })
		for _, side := range append(sides, ir.All) {
			m.Out(fmt.Sprintf("%s_z_%s", tag, side), m.Edge(a, "z", side), "")
			m.Out(fmt.Sprintf("%s_ow_%s", tag, side), m.Edge(a, "ow", side), "")
		}
	}
	d := dice(31)
	var stim [][]uint64
	for i := range 40 {
		stim = append(stim, cat([]uint64{truth(i == 5 || i == 20)}, d.words(words, cellW)))
	}
	model := func() Model {
		var grids []*wiringModel
		for _, s := range shapes {
			grids = append(grids, newWiringModel(s[0], s[1], seed, name))
		}
		return func(in []uint64) []uint64 {
			var out []uint64
			rec := in[1:]
			for _, g := range grids {
				var w wiringIn
				w, rec = readWiring(rec, int(in[0]), g.rows, g.cols)
				ow := g.v[0]
				z := g.step(w)
				for _, side := range append(sides, ir.All) {
					out = cat(out, unpairs(atSide(z, g.rows, g.cols, side)), unpairs(atSide(ow, g.rows, g.cols, side)))
				}
			}
			return out
		}
	}
	return Case{Name: "wiring", Top: m, Seed: seed, Stim: stim, Model: model}
}

// nestedCase: a 3 x 2 Array of modules that hold a 2 x 2 Array each behaves as a grid of 6 x 4
// cells whose rows, columns and neighbours are wired through the modules between.
func nestedCase() Case {
	const seed, name = 32, "conform_nested_cell"
	const R, C, r, c = 3, 2, 2, 2
	cell := wiringCell(name)
	mid := ir.New("conform_nested_mid", "Four cells with the ports of one.")
	ports := map[string]*ir.Node{}
	for _, p := range wiringPorts(r, c) {
		ports[p.name] = mid.In(p.name, ir.Vec(p.groups*cellN, cellW), "")
	}
	inner := mid.Array("unit", cell, r, c)
	connectWiring(inner, func(p string) *ir.Node { return ports[p] })
	for i, s := range []string{"ow", "oe", "on", "os"} {
		far := []ir.Side{ir.East, ir.West, ir.South, ir.North}[i]
		mid.Out(s, mid.Edge(inner, s, far), "")
	}
	mid.Out("f", mid.Edge(inner, "f", ir.East), "")
	mid.Out("z", mid.OutOf(inner, "z"), "")
	m := ir.New("conform_nested", "An Array of Arrays.")
	top := map[string]*ir.Node{}
	words := 0
	for _, p := range wiringPorts(R*r, C*c) {
		top[p.name] = m.In(p.name, ir.Vec(p.groups*cellN, cellW), "")
		words += p.groups * cellN
	}
	outer := m.Array("mid", mid, R, C)
	connectWiring(outer, func(p string) *ir.Node { return top[p] })
	m.Out("z", m.OutOf(outer, "z"), "")
	m.Out("east", m.Edge(outer, "z", ir.East), "")
	m.Out("south", m.Edge(outer, "oe", ir.South), "")

	// nested[i] is the grid index of the i-th cell in the order of lanes.
	var nested []int
	for i := range R * C * r * c {
		ci, rest := i%c, i/c
		ri, rest := rest%r, rest/r
		co, ro := rest%C, rest/C
		nested = append(nested, (ro*r+ri)*C*c+co*c+ci)
	}
	d := dice(32)
	var stim [][]uint64
	for i := range 40 {
		stim = append(stim, cat([]uint64{truth(i == 9)}, d.words(words, cellW)))
	}
	model := func() Model {
		g := newWiringModel(R*r, C*c, seed, name)
		return func(in []uint64) []uint64 {
			w, _ := readWiring(in[1:], int(in[0]), R*r, C*c)
			byLane := w.e
			w.e = make([]pair, len(byLane))
			for i, at := range nested {
				w.e[at] = byLane[i]
			}
			oe := g.v[1]
			z := g.step(w)
			var all, east, south []pair
			for i, at := range nested {
				all = append(all, z[at])
				if i/(r*c)%C == C-1 {
					east = append(east, z[at])
				}
				// oe of a mid is that of its west column; South selects the last row of mids.
				if i/(r*c)/C == R-1 && i%c == 0 {
					south = append(south, oe[at])
				}
			}
			return cat(unpairs(all), unpairs(east), unpairs(south))
		}
	}
	return Case{Name: "nested", Top: m, Seed: seed, Stim: stim, Model: model}
}
