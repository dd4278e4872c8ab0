// Package report draws and tabulates what a person would rather see than read.
package report

import (
	"fmt"
	"sort"
	"strings"

	"ohmloom/ir"
)

// colours of the kinds of block in a diagram.
const (
	analogFill  = "#f6c9a8"
	memoryFill  = "#b9d3ee"
	logicFill   = "#cfe8cf"
	clusterFill = "#f7f7f4"
	portFill    = "#ffffff"
)

// BlockDiagram is the block diagram of a design in Graphviz's language: blocks with their
// module and size, nested as the hierarchy is, and an arrow for each path of data between
// them. Control (single bits, addresses, selectors) is left out. depth is how many levels
// are opened, from 1.
func BlockDiagram(d *ir.Design, title string, depth int) string {
	g := &diagram{}
	g.line(0, "digraph %q {", d.Top.Name)
	g.line(1, `graph [label=%q, labelloc=t, fontname="Helvetica", fontsize=16, rankdir=LR, compound=true, nodesep=0.25, ranksep=0.45];`, title)
	g.line(1, `node [fontname="Helvetica", fontsize=11, shape=box, style="filled,rounded", margin="0.12,0.07"];`)
	g.line(1, `edge [fontname="Helvetica", fontsize=9, color="#555555", arrowsize=0.7];`)
	g.module(d.Top, "t", 1, depth, false)
	for _, e := range g.edges {
		g.line(1, "%s", e)
	}
	g.line(0, "}")
	return g.b.String()
}

type diagram struct {
	b     strings.Builder
	edges []string
}

func (g *diagram) line(indent int, format string, a ...any) {
	g.b.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&g.b, format, a...)
	g.b.WriteByte('\n')
}

// end is where an arrow starts or ends: a node, and the cluster it stands for when the
// block is drawn open.
type end struct{ node, cluster string }

// module draws what is inside m and its ports when it is the top or open.
func (g *diagram) module(m *ir.Module, id string, indent, depth int, open bool) {
	ports := map[string]end{}
	streams := dataPorts(m)
	for _, s := range streams {
		if !open {
			name := id + "_p_" + s.name
			shape := "cds"
			g.line(indent, `%q [label=%q, shape=%s, style=filled, fillcolor=%q];`, name, s.label(), shape, portFill)
			for _, p := range s.ports {
				ports[p.Name] = end{node: name}
			}
		}
	}
	ends := map[*ir.Inst]end{}
	for _, in := range m.Insts {
		ends[in] = g.instance(in, id+"_"+in.Name, indent, depth)
	}
	g.connect(m, ports, ends)
}

func (g *diagram) instance(in *ir.Inst, id string, indent, depth int) end {
	label := in.Name
	if in.Grid {
		label += fmt.Sprintf("\n%d x %d", in.Rows, in.Cols)
	}
	if in.Of.Name != in.Name {
		label += "\n" + in.Of.Name
	}
	fill := logicFill
	switch {
	case in.Of.Macro != nil && in.Of.Macro.Kind == "sram":
		fill = memoryFill
	case in.Of.Macro != nil:
		fill = analogFill
	case len(in.Of.Insts) > 0 && depth > 1:
		g.line(indent, `subgraph "cluster_%s" {`, id)
		g.line(indent+1, `label=%q; style="filled,rounded"; color="#999999"; fillcolor=%q; fontname="Helvetica"; fontsize=12;`, label, clusterFill)
		anchor := id + "_anchor"
		g.line(indent+1, `%q [label=%q, fillcolor=%q];`, anchor, "control,\nregisters", logicFill)
		g.module(in.Of, id, indent+1, depth-1, true)
		g.line(indent, "}")
		return end{anchor, "cluster_" + id}
	}
	periphery := ""
	if in.Grid && in.Count() > 1 {
		periphery = ", peripheries=3"
	}
	g.line(indent, `%q [label=%q, fillcolor=%q%s];`, id, label, fill, periphery)
	return end{node: id}
}

// connect draws an arrow for each pair of blocks that data flows between inside m.
func (g *diagram) connect(m *ir.Module, ports map[string]end, ends map[*ir.Inst]end) {
	width := map[[2]end]int{}
	arrow := func(to end, n *ir.Node) {
		if n.Type.Total() < 2 {
			return
		}
		seen := map[*ir.Node]bool{}
		for _, s := range sources(n, seen) {
			from, ok := end{}, false
			switch op := s.Op.(type) {
			case ir.Input:
				from, ok = ports[op.Port.Name]
			case ir.InstOut:
				from, ok = ends[op.Inst]
			}
			if key := [2]end{from, to}; ok && from != to && s.Type.Total() >= 2 {
				width[key] = max(width[key], s.Type.Total())
			}
		}
	}
	for _, in := range m.Insts {
		for _, c := range in.Conns {
			arrow(ends[in], c.Src)
		}
	}
	for _, p := range m.Outputs() {
		if to, ok := ports[p.Name]; ok {
			arrow(to, p.Node)
		}
	}
	keys := make([][2]end, 0, len(width))
	for k := range width {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
	for _, k := range keys {
		attrs := fmt.Sprintf("label=\"%d\"", width[k])
		if k[0].cluster != "" {
			attrs += fmt.Sprintf(", ltail=%q", k[0].cluster)
		}
		if k[1].cluster != "" {
			attrs += fmt.Sprintf(", lhead=%q", k[1].cluster)
		}
		g.edges = append(g.edges, fmt.Sprintf("%q -> %q [%s];", k[0].node, k[1].node, attrs))
	}
}

// sources are the inputs and instance outputs that n's data comes from: through registers,
// not through selectors, conditions, shift amounts and addresses.
func sources(n *ir.Node, seen map[*ir.Node]bool) []*ir.Node {
	if n == nil || seen[n] {
		return nil
	}
	seen[n] = true
	var data []*ir.Node
	switch op := n.Op.(type) {
	case ir.Input, ir.InstOut:
		return []*ir.Node{n}
	case ir.RegOut:
		data = []*ir.Node{op.Reg.Next}
	case ir.MemOut:
		data = []*ir.Node{op.Mem.WData}
	case ir.MemRead, ir.Compare:
	case ir.Mux:
		data = n.Args[1:]
	case ir.Pick, ir.Shift:
		data = n.Args[:1]
	default:
		data = n.Args
	}
	var out []*ir.Node
	for _, a := range data {
		out = append(out, sources(a, seen)...)
	}
	return out
}

// stream is a group of data ports of one direction.
type stream struct {
	name  string
	dir   ir.Dir
	ports []*ir.Port
}

func (s stream) label() string {
	bits := 0
	for _, p := range s.ports {
		bits += p.Type.Total()
	}
	return fmt.Sprintf("%s\n%d bits", s.name, bits)
}

func dataPorts(m *ir.Module) []stream {
	var all []stream
	for _, p := range m.Ports {
		if p.Type.Total() < 2 {
			continue
		}
		name := p.Group
		if name == "" {
			name = p.Name
		}
		found := false
		for i := range all {
			if all[i].name == name && all[i].dir == p.Dir {
				all[i].ports = append(all[i].ports, p)
				found = true
			}
		}
		if !found {
			all = append(all, stream{name, p.Dir, []*ir.Port{p}})
		}
	}
	return all
}
