package rtl

import "fmt"

// leaveOpen finds the bits that nothing reads and collects them in one wire called unused_*,
// so that linters know it is meant.
func (b *builder) leaveOpen() {
	o := b.out
	for _, list := range [][]item{o.state, o.body, o.insts, o.clock} {
		for _, it := range list {
			markItem(it)
		}
	}
	var parts []expr
	for _, t := range b.nets {
		parts = append(parts, t.open()...)
	}
	for _, m := range b.mems {
		if !m.used {
			parts = append(parts, wordOf{m, plain{0}})
		}
	}
	if len(parts) == 0 {
		return
	}
	x := expr(cat{parts})
	if len(parts) == 1 {
		x = parts[0]
	}
	if len(parts) > 1 || !isBit(parts[0]) {
		x = unary{"^", x}
	}
	t := &net{name: b.names.pick("unused_bits"), width: 1}
	o.tail = append(o.tail, decl{kind: "wire", net: t, x: x})
}

// isBit reports whether an open part is a single bit.
func isBit(x expr) bool {
	switch x := x.(type) {
	case bitsOf:
		return x.w == 1
	case wordOf:
		return x.mem.width == 1
	}
	return false
}

// open lists the ranges of a net that nothing reads, or all of it when there are many.
func (t *net) open() []expr {
	var parts []expr
	if t.used == nil {
		return nil
	}
	for lo := 0; lo < t.width; lo++ {
		if t.isUsed(lo) {
			continue
		}
		hi := lo
		for hi < t.width && !t.isUsed(hi) {
			hi++
		}
		parts = append(parts, bitsOf{t, lo, hi - lo})
		if lo = hi; len(parts) > 3 {
			return []expr{all(t)}
		}
	}
	return parts
}

func markItem(it item) {
	switch it := it.(type) {
	case decl:
		markExpr(it.x)
	case assign:
		markExpr(it.x)
		markIndex(it.dst)
	case *loop:
		for _, a := range it.body {
			markExpr(a.x)
		}
	case *instance:
		for _, a := range it.rowBody {
			markExpr(a.x)
		}
		for _, p := range it.pins {
			if !p.out {
				markExpr(p.x)
			}
		}
	case *clocked:
		markExpr(it.rst)
		markExpr(it.en)
		for _, a := range it.next {
			markExpr(a.x)
			markIndex(a.dst)
		}
	case *memory, lines:
	default:
		panic(fmt.Sprintf("rtl: item %T", it))
	}
}

// markIndex marks what chooses the word that is assigned to.
func markIndex(dst expr) {
	if w, ok := dst.(wordOf); ok {
		markExpr(w.index)
	}
}

func markExpr(x expr) {
	switch x := x.(type) {
	case nil, lit, vecLit, plain:
	case bitsOf:
		x.net.mark(x.lo, x.w)
	case laneOf:
		markView(x.view)
	case pickOf:
		markView(x.view)
		markExpr(x.index)
	case groupOf:
		for i := 0; i < x.count; i++ {
			x.net.mark(x.lo+i*x.step, x.w)
		}
	case wordOf:
		x.mem.used = true
		markExpr(x.index)
	case cat:
		for _, p := range x.parts {
			markExpr(p)
		}
	case rep:
		markExpr(x.x)
	case unary:
		markExpr(x.x)
	case binop:
		markExpr(x.x)
		markExpr(x.y)
	case cond:
		markExpr(x.s)
		markExpr(x.a)
		markExpr(x.b)
	case call:
		for _, a := range x.args {
			markExpr(a)
		}
	default:
		panic(fmt.Sprintf("rtl: expression %T", x))
	}
}

func markView(v view) {
	for i := 0; i < v.n; i++ {
		v.net.mark(v.off+i*v.stride, v.w)
	}
}
