package rtl

import (
	"fmt"

	"ohmloom/ir"
)

// gridNet is the net that holds one output port of all instances, row by row.
type gridNet struct {
	inst *ir.Inst
	port *ir.Port
	net  *net
	rows []assign // edges, assigned in each row
}

// declareInstances makes the nets of instance outputs, for they may be used before.
func (b *builder) declareInstances() {
	for _, in := range b.m.Insts {
		for _, p := range in.Of.Outputs() {
			g := &gridNet{inst: in, port: p}
			b.grids = append(b.grids, g)
			b.instOut(g)
		}
	}
}

// instOut makes the net of one output port and places the nodes that read it.
func (b *builder) instOut(g *gridNet) {
	in, p := g.inst, g.port
	chained := false
	for _, c := range in.Conns {
		chained = chained || c.Kind == ir.Chain && c.From == p
	}
	var edges []*ir.Node
	var node *ir.Node // the one that reads all instances
	for _, n := range b.m.Nodes {
		if o, ok := n.Op.(ir.InstOut); ok && o.Inst == in && o.Port == p && b.val(n).uses > 0 {
			if o.Sel == ir.All {
				node = n
			} else {
				edges = append(edges, n)
			}
		}
	}
	if node == nil && len(edges) == 0 && !chained {
		return
	}
	t := ir.Vec(p.Type.N*in.Count(), p.Type.W)
	if node != nil && b.val(node).port != nil {
		g.net = b.ports[b.val(node).port]
	} else {
		want := in.Name + "_" + p.Name
		if node != nil && node.Name != "" {
			want = node.Name
		}
		g.net = b.newNet(want, t)
		b.out.state = append(b.out.state, decl{kind: "wire", net: g.net, note: shapeNote(t)})
	}
	if node != nil {
		b.place(node, g.net)
	}
	for _, n := range edges {
		b.edge(g, n)
	}
}

// edge places the output of the instances at one side.
func (b *builder) edge(g *gridNet, n *ir.Node) {
	in, size := g.inst, g.port.Type.Total()
	side := n.Op.(ir.InstOut).Sel
	v := view{net: g.net, stride: n.Type.W, n: n.Type.N, w: n.Type.W}
	strided := in.Cols > 1 && in.Rows > 1 && (side == ir.West || side == ir.East)
	first := 0 // the instance at the start
	switch side {
	case ir.East:
		first = in.Cols - 1
	case ir.South:
		first = (in.Rows - 1) * in.Cols
	}
	if !strided {
		v.off = first * size
		b.val(n).net, b.val(n).view = v.net, v
		return
	}
	var t *net
	if p := b.val(n).port; p != nil {
		t = b.ports[p]
	} else {
		t = b.newNet(in.Name+"_"+g.port.Name+"_"+side.String(), n.Type)
		b.out.state = append(b.out.state, decl{kind: "wire", net: t, note: shapeNote(n.Type)})
	}
	b.place(n, t)
	r := b.genvar("r")
	g.rows = append(g.rows, assign{
		dst: group(t, r, size),
		x:   part2(g.net, fmt.Sprintf("%d*%s", in.Cols*size, r), first*size, size, in.Rows, in.Cols*size),
	})
}

// group is group index of a net in groups of size bits.
func group(t *net, index string, size int) expr {
	if t.width == size {
		return all(t)
	}
	return groupOf{net: t, base: scaled(size, index), w: size, count: t.width / size, step: size}
}

// groupAt is group index of a packed view in groups of size bits.
func groupAt(v view, index string, size int) expr {
	if v.n*v.w == size {
		return v.all()
	}
	return part2(v.net, scaled(size, index), v.off, size, v.n*v.w/size, size)
}

func part2(t *net, base string, lo, w, count, step int) expr {
	return groupOf{net: t, base: base, lo: lo, w: w, count: count, step: step}
}

// scaled prints size*index.
func scaled(size int, index string) string {
	if size == 1 {
		return index
	}
	for _, r := range index {
		if r == ' ' {
			return fmt.Sprintf("%d*(%s)", size, index)
		}
	}
	return fmt.Sprintf("%d*%s", size, index)
}

// instances wires all instances.
func (b *builder) instances() {
	next := 0
	for _, in := range b.m.Insts {
		outs := b.grids[next : next+len(in.Of.Outputs())]
		next += len(outs)
		x := &instance{module: in.Of.Name, name: in.Name, rows: in.Rows, cols: in.Cols}
		x.note = instanceNote(in)
		x.rowBlock, x.colBlock = gridBlocks(in)
		if x.rowBlock != "" {
			x.rowVar = b.genvar("r")
		}
		if x.colBlock != "" {
			x.colVar = b.genvar("c")
		}
		if in.Of.Stateful() {
			x.pins = append(x.pins, pin{false, "clk", bitsOf{b.clk, 0, 1}}, pin{false, "rst", bitsOf{b.rst, 0, 1}})
		}
		out := 0
		for _, p := range in.Of.Ports {
			if p.Dir == ir.Out {
				x.pins = append(x.pins, pin{true, p.Name, b.outPin(in, x, outs[out])})
				x.rowBody = append(x.rowBody, outs[out].rows...)
				out++
				continue
			}
			for _, c := range in.Conns {
				if c.Port == p {
					x.pins = append(x.pins, pin{false, p.Name, b.inPin(in, x, c, outs)})
				}
			}
		}
		b.out.insts = append(b.out.insts, x)
	}
}

func instanceNote(in *ir.Inst) string {
	if !in.Grid {
		return ""
	}
	return fmt.Sprintf("%d x %d %s", in.Rows, in.Cols, in.Of.Name)
}

// flatIndex is r*Cols + c.
func (x *instance) flatIndex() string {
	switch {
	case x.rowVar == "" && x.colVar == "":
		return "0"
	case x.rowVar == "":
		return x.colVar
	case x.colVar == "":
		return x.rowVar
	}
	return fmt.Sprintf("%d*%s + %s", x.cols, x.rowVar, x.colVar)
}

func (x *instance) row() string {
	if x.rowVar == "" {
		return "0"
	}
	return x.rowVar
}

func (x *instance) col() string {
	if x.colVar == "" {
		return "0"
	}
	return x.colVar
}

// outPin is the net of an output; what nobody reads goes to a net called unused_*.
func (b *builder) outPin(in *ir.Inst, x *instance, g *gridNet) expr {
	size := g.port.Type.Total()
	if g.net == nil {
		t := b.newNet("unused_"+in.Name+"_"+g.port.Name, ir.Vec(in.Count(), 1))
		t.width = size * in.Count()
		t.used = nil
		b.out.state = append(b.out.state, decl{kind: "wire", net: t})
		g.net = t
	}
	return group(g.net, x.flatIndex(), size)
}

// inPin is what an input of instance (r, c) gets.
func (b *builder) inPin(in *ir.Inst, x *instance, c *ir.Conn, outs []*gridNet) expr {
	size := c.Port.Type.Total()
	switch c.Kind {
	case ir.Broadcast:
		if in.Grid && !isConst(c.Src) {
			return b.packedView(c.Src).all()
		}
		return b.expr(c.Src)
	case ir.PerRow:
		return groupAt(b.packedView(c.Src), x.row(), size)
	case ir.PerCol:
		return groupAt(b.packedView(c.Src), x.col(), size)
	case ir.PerInst:
		return groupAt(b.packedView(c.Src), x.flatIndex(), size)
	}
	return b.chainPin(in, x, c, outs)
}

// chainPin makes the net that holds a chained input of all instances: what the neighbours
// drive, shifted by one place, with the edge put in.
func (b *builder) chainPin(in *ir.Inst, x *instance, c *ir.Conn, outs []*gridNet) expr {
	size := c.Port.Type.Total()
	alongRows := c.Side == ir.West || c.Side == ir.East
	if alongRows && in.Cols == 1 || !alongRows && in.Rows == 1 {
		return groupAt(b.packedView(c.Src), x.flatIndex(), size)
	}
	var from *net
	for _, g := range outs {
		if g.port == c.From {
			from = g.net
		}
	}
	edge := b.packedView(c.Src)
	t := b.newNet(in.Name+"_"+c.Port.Name, ir.Vec(in.Count()*c.Port.Type.N, c.Port.Type.W))
	b.out.insts = append(b.out.insts, decl{kind: "wire", net: t, note: chainNote(in, c)})
	line := size * in.Cols // bits of one row
	lower := c.Side == ir.West || c.Side == ir.North
	switch {
	case !alongRows || in.Rows == 1:
		shift := line
		if alongRows {
			shift = size
		}
		rest := t.width - shift
		b.out.insts = append(b.out.insts, assign{all(t), shifted(lower, bitsOf{from, 0, rest}, bitsOf{from, shift, rest}, edge.all())})
	default:
		base, rest := fmt.Sprintf("%d*%s", line, x.rowVar), line-size
		x.rowBody = append(x.rowBody, assign{
			group(t, x.rowVar, line),
			shifted(lower, part2(from, base, 0, rest, in.Rows, line), part2(from, base, size, rest, in.Rows, line),
				groupAt(edge, x.rowVar, size)),
		})
	}
	return group(t, x.flatIndex(), size)
}

// shifted puts the edge below the low part (values move up) or above the high part.
func shifted(up bool, low, high, edge expr) expr {
	if up {
		return cat{[]expr{low, edge}}
	}
	return cat{[]expr{edge, high}}
}

func chainNote(in *ir.Inst, c *ir.Conn) string {
	return fmt.Sprintf("%s from the %s neighbour", c.From.Name, c.Side)
}
