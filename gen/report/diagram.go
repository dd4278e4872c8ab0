// Package report draws and tabulates what a person would rather see than read.
package report

import (
	"fmt"
	"html"
	"maps"
	"slices"
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

// legend explains the picture, in Graphviz's HTML.
const legend = `numbers: bits a cycle &#160; <font color="#c0703a">&#9632;</font> analog macro, alone or in a block &#160; ` +
	`<font color="#5a8fc4">&#9632;</font> memory &#160; <font color="#6aa86a">&#9632;</font> logic`

// BlockDiagram is the block diagram of a design in Graphviz's language: blocks with their
// module and size, nested as the hierarchy is, and an arrow for each path of data between
// them, labelled with the bits that arrive. Control (single bits, addresses, selectors) is
// left out, except that a block which only control reaches has dashed arrows of it. depth is how
// many levels are opened, from 1; a closed block has the colour of the analog macro that it has
// inside. Instances of one module whose names differ in their number only are drawn once. A
// legend stands under the title.
func BlockDiagram(d *ir.Design, title string, depth int) string {
	g := &diagram{}
	g.line(0, "digraph %q {", d.Top.Name)
	g.line(1, `graph [label=<%s<br/><font point-size="10">%s</font>>, labelloc=t, fontname="Helvetica", fontsize=16, rankdir=LR, nodesep=0.25, ranksep=0.45];`,
		html.EscapeString(title), legend)
	g.line(1, `node [fontname="Helvetica", fontsize=11, shape=box, style="filled,rounded", margin="0.12,0.07"];`)
	g.line(1, `edge [fontname="Helvetica", fontsize=9, color="#555555", arrowsize=0.7];`)
	g.module(d.Top, "t", 1, depth, true)
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

// block is a drawn instance: one node, or, drawn open, one node for each of its streams.
type block struct {
	node  string
	ports map[string]string // port name to node, when drawn open
}

// at is the node that an arrow to or from port p meets; "" when the port is not drawn.
func (b block) at(p *ir.Port) string {
	if b.ports == nil {
		return b.node
	}
	return b.ports[p.Name]
}

// module draws what is inside m: a node for each stream, the instances, the arrows between
// them. The result tells which node stands for which port.
func (g *diagram) module(m *ir.Module, id string, indent, depth int, top bool) map[string]string {
	ports := map[string]string{}
	for _, s := range dataPorts(m) {
		node := fmt.Sprintf("%s_p%d_%s", id, s.dir, s.name)
		look := `shape=ellipse, width=0.3, height=0.25, margin="0.03,0.02", fontsize=9`
		label := s.name
		if top {
			look, label = "shape=cds", s.label()
		}
		g.line(indent, `%q [label=%q, %s, style=filled, fillcolor=%q];`, node, label, look, portFill)
		for _, p := range s.ports {
			ports[p.Name] = node
		}
	}
	blocks := map[*ir.Inst]block{}
	for i, in := range m.Insts {
		if _, drawn := blocks[in]; drawn {
			continue
		}
		var same []*ir.Inst
		for _, other := range m.Insts[i:] {
			if alike(in, other) {
				same = append(same, other)
			}
		}
		b := g.instance(same, id+"_"+in.Name, indent, depth)
		for _, other := range same {
			blocks[other] = b
		}
	}
	g.connect(m, ports, blocks)
	return ports
}

// alike tells whether two instances are one kind of block, numbered through.
func alike(a, b *ir.Inst) bool {
	const digits = "0123456789"
	return a == b || a.Of == b.Of && a.Name != b.Name && !a.Grid && !b.Grid &&
		strings.TrimRight(a.Name, digits) == strings.TrimRight(b.Name, digits) && strings.ContainsAny(a.Name[len(a.Name)-1:], digits)
}

// instance draws instances that are alike.
func (g *diagram) instance(same []*ir.Inst, id string, indent, depth int) block {
	in := same[0]
	label := in.Name
	many := in.Grid && in.Count() > 1
	if many {
		label += fmt.Sprintf(": %d x %d", in.Rows, in.Cols)
	}
	if n := len(same); n > 1 {
		label, many = fmt.Sprintf("%s .. %s: x %d", in.Name, same[n-1].Name, n), true
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
		ports := g.module(in.Of, id, indent+1, depth-1, false)
		g.line(indent, "}")
		return block{ports: ports}
	case analog(in.Of):
		fill = analogFill
	}
	periphery := ""
	if many {
		periphery = ", peripheries=3"
	}
	g.line(indent, `%q [label=%q, fillcolor=%q%s];`, id, label, fill, periphery)
	return block{node: id}
}

// analog reports whether an analog macro is somewhere inside m.
func analog(m *ir.Module) bool {
	return slices.ContainsFunc(m.Insts, func(in *ir.Inst) bool {
		return in.Of.Macro != nil && in.Of.Macro.Kind != "sram" || analog(in.Of)
	})
}

// connect draws an arrow for each pair of blocks that data flows between inside m.
func (g *diagram) connect(m *ir.Module, ports map[string]string, blocks map[*ir.Inst]block) {
	width := map[[2]string]int{}
	least := 2 // bits that are data
	arrow := func(to string, n *ir.Node) {
		seen := map[[2]string]bool{}
		for _, s := range sources(n, map[*ir.Node]bool{}) {
			from := ""
			switch op := s.Op.(type) {
			case ir.Input:
				from = ports[op.Port.Name]
			case ir.InstOut:
				from = blocks[op.Inst].at(op.Port)
			}
			if key := [2]string{from, to}; from != "" && to != "" && from != to && s.Type.Total() >= least && !seen[key] {
				seen[key] = true
				width[key] += n.Type.Total()
			}
		}
	}
	into := func(in *ir.Inst) {
		for _, c := range in.Conns {
			if c.Port.Type.Total() >= least && !strings.HasSuffix(c.Port.Name, "_ready") { // ready goes against the stream
				arrow(blocks[in].at(c.Port), c.Src)
			}
		}
	}
	for _, in := range m.Insts {
		into(in)
	}
	for _, p := range m.Outputs() {
		if p.Type.Total() >= 2 {
			arrow(ports[p.Name], p.Node)
		}
	}
	data := maps.Clone(width)
	g.draw(data, `label="%d"`)

	clear(width)
	least = 1
	for _, in := range m.Insts {
		into(in)
	}
	reached := map[string]bool{}
	for k := range data {
		reached[k[0]], reached[k[1]] = true, true
	}
	maps.DeleteFunc(width, func(k [2]string, _ int) bool { return reached[k[0]] && reached[k[1]] })
	g.draw(width, `label="%d", style=dashed`)
}

// draw writes arrows of these widths, in order.
func (g *diagram) draw(width map[[2]string]int, attrs string) {
	keys := slices.SortedFunc(maps.Keys(width), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		g.edges = append(g.edges, fmt.Sprintf("%q -> %q ["+attrs+"];", k[0], k[1], width[k]))
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
