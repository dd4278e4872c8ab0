package interp

import (
	"fmt"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
)

var shiftFuncs = [...]func(a, n uint64, w int) uint64{ir.Shl: bits.Shl, ir.Shr: bits.Shr, ir.Sra: bits.Sra}

// emit adds the code that computes v where it was placed.
func (c *compiler) emit(v *flat.Value) {
	switch v.Op.(type) {
	case ir.Const, ir.Input, ir.RegOut, ir.MemOut:
		return
	}
	if c.alias[v.ID] != nil {
		return
	}
	if c.same[v.ID] {
		c.emitWord(v)
	} else {
		c.emitVector(v, c.vector(v))
	}
}

var binaryOps = [...]opcode{ir.Add: opAdd, ir.Sub: opSub, ir.Mul: opMul, ir.And: opAnd, ir.Or: opOr, ir.Xor: opXor}

var compareOps = [...]opcode{ir.Eq: opEq, ir.Ne: opNe, ir.Ltu: opLess, ir.Leu: opLessEqual, ir.Lts: opLess, ir.Les: opLessEqual}

var shiftOps = [...]opcode{ir.Shl: opShl, ir.Shr: opShr, ir.Sra: opSra}

// emitWord computes a value that is one word.
func (c *compiler) emitWord(v *flat.Value) {
	d, w := c.locs[v.ID].slot, v.Type.W
	for _, a := range v.Args {
		if !c.same[a.ID] {
			c.emitWordOfVectors(v, d)
			return
		}
	}
	in := instr{d: d, m: bits.Mask(w)}
	args := []*int32{&in.a, &in.b, &in.c}
	for i, a := range v.Args[:min(3, len(v.Args))] {
		*args[i] = c.slot(a)
	}
	switch op := v.Op.(type) {
	case ir.Binary:
		in.op = binaryOps[op.Kind]
	case ir.Not:
		in.op = opNot
	case ir.Shift:
		in.op, in.k = shiftOps[op.Kind], uint8(w)
	case ir.Compare:
		in.op, in.m = compareOps[op.Kind], 0
		if op.Kind == ir.Lts || op.Kind == ir.Les {
			in.m = 1 << (v.Args[0].Type.W - 1)
		}
	case ir.Mux:
		in.op = opMux
	case ir.Extend: // with sign; the other kind is an alias
		in.op, in.k = opSign, uint8(64-v.Args[0].Type.W)
	case ir.Slice:
		in.op, in.k = opSlice, uint8(op.Lo)
	case ir.Cat:
		c.catWords(v, d)
		return
	default:
		c.emitWordOfVectors(v, d)
		return
	}
	c.add(in)
}

func (c *compiler) catWords(v *flat.Value, d int32) {
	from := c.slot(v.Args[0])
	for _, a := range v.Args[1:] {
		c.add(instr{op: opCat, d: d, a: from, b: c.slot(a), k: uint8(a.Type.W)})
		from = d
	}
	if len(v.Args) == 1 {
		c.add(instr{op: opMove, d: d, a: from})
	}
}

// emitWordOfVectors computes one word with the functions that also serve vectors.
func (c *compiler) emitWordOfVectors(v *flat.Value, d int32) {
	if !c.reduce(v, c.words[d:d+1]) {
		f, x := c.element(v), &c.words[d]
		c.run(func() { *x = f(0) })
	}
}

// emitVector computes v into d.
func (c *compiler) emitVector(v *flat.Value, d vec) {
	set, w := setFor(v.Type.W), v.Type.W
	arg := func(i int) vec { return c.operand(v.Args[i]) }
	switch op := v.Op.(type) {
	case ir.Binary:
		c.run(set.binary(op.Kind, d, arg(0), arg(1), w))
	case mulExt:
		c.run(set.product(d, nil, arg(0), arg(1), op.signed))
	case mac:
		c.run(set.product(d, arg(0), arg(1), arg(2), op.signed))
	case ir.Not:
		c.run(set.not(d, arg(0), w))
	case ir.Compare:
		aw := v.Args[0].Type.W
		c.run(setFor(aw).compare(op.Kind, d.([]uint8), arg(0), arg(1), aw))
	case ir.Shift:
		if c.same[v.Args[1].ID] {
			c.run(set.shift(op.Kind, d, arg(0), &c.words[c.slot(v.Args[1])], w))
		} else {
			c.run(set.each(d, c.element(v)))
		}
	case ir.Mux:
		c.emitMux(v, d)
	case ir.Extend:
		if aw := v.Args[0].Type.W; op.Signed {
			c.run(set.extend(d, arg(0), aw, w))
		} else {
			c.run(set.convert(d, arg(0), 0, aw))
		}
	case ir.Slice:
		c.run(set.convert(d, arg(0), op.Lo, w))
	case ir.Cat:
		for i, a := range v.Args {
			if x := arg(i); i == 0 {
				c.run(set.convert(d, x, 0, a.Type.W))
			} else {
				c.run(set.join(d, x, a.Type.W))
			}
		}
	case ir.MemRead:
		c.run(set.fetch(d, c.mems[v.Mem], v.Type.N, c.address(v.Mem, v.Args[0], nil, zeroWord)))
	case ir.Splat, ir.Elems, ir.Join, flat.Enter, flat.Leave, gather:
		var args []vec
		for i := range v.Args {
			args = append(args, arg(i))
		}
		c.run(set.move(d, args, newPlan(origins(v), isChain(v))))
	default:
		tmp, ok := d.([]uint64)
		if !ok {
			tmp = make([]uint64, v.Len())
		}
		if !c.reduce(v, tmp) {
			c.run(set.each(d, c.element(v)))
		} else if !ok {
			c.run(set.each(d, func(i int) uint64 { return tmp[i] }))
		}
	}
}

func isChain(v *flat.Value) bool {
	op, ok := v.Op.(flat.Enter)
	return ok && op.Kind == ir.Chain
}

// emitMux selects element by element, or copies one of the branches if they are not in place.
func (c *compiler) emitMux(v *flat.Value, d vec) {
	set := setFor(v.Type.W)
	if !c.branches(v) {
		c.run(set.mux(d, c.operand(v.Args[0]).([]uint8), c.operand(v.Args[1]), c.operand(v.Args[2])))
		return
	}
	then := c.skipUnless(v.Args[0], true)
	c.emitInto(v.Args[1], d)
	end := c.add(instr{op: opJump})
	c.land(then)
	c.emitInto(v.Args[2], d)
	c.land(end)
}

// emitInto brings v into d.
func (c *compiler) emitInto(v *flat.Value, d vec) {
	set := setFor(v.Type.W)
	switch {
	case c.sunk[v.ID]:
		c.emitVector(v, d)
	case c.same[v.ID]:
		c.run(set.fill(d, &c.words[c.slot(v)]))
	case c.vector(v) != nil && !sameVec(c.vector(v), d):
		c.run(set.copy(d, c.vector(v)))
	}
}

func sameVec(a, b vec) bool {
	switch a := a.(type) {
	case []uint8:
		return &a[0] == &b.([]uint8)[0]
	case []uint16:
		return &a[0] == &b.([]uint16)[0]
	case []uint32:
		return &a[0] == &b.([]uint32)[0]
	}
	return &a.([]uint64)[0] == &b.([]uint64)[0]
}

// address gives the position of the word each lane of m reads or writes: other where the
// enable is low, zeroWord beyond the depth.
func (c *compiler) address(m *flat.Mem, addr, en *flat.Value, other int) func(l int) int {
	at, n, depth := c.reader(addr), m.Type.N, m.Depth
	if addr.Lanes != m.Lanes {
		panic(fmt.Sprintf("interp: address of %s in %d lanes, memory in %d", m.Path, addr.Lanes, m.Lanes))
	}
	word := func(l int) int {
		a := at(l)
		if a >= uint64(depth) {
			return zeroWord
		}
		return (l*depth + int(a)) * n
	}
	if en == nil {
		return word
	}
	on := c.reader(en)
	return func(l int) int {
		if on(l) == 0 {
			return other
		}
		return word(l)
	}
}

// reduce emits the operations that turn many elements into one; false: v is none of them.
func (c *compiler) reduce(v *flat.Value, d []uint64) bool {
	switch op := v.Op.(type) {
	case ir.Fold:
		a := v.Args[0]
		c.run(setFor(a.Type.W).fold(d, c.operand(a), op, a.Type.W, v.Type.W))
	case ir.MaskedSum:
		c.sumValue(v, d, op.Signed)
	case memSum:
		c.sumMemory(v, d, op.signed)
	default:
		return false
	}
	return true
}

func sumShapeOf(v *flat.Value, cw int, signed bool) sumShape {
	return sumShape{k: v.Args[0].Type.N, groups: v.Type.N, cw: cw, signed: signed, mask: bits.Mask(v.Type.W)}
}

func (c *compiler) sumValue(v *flat.Value, d []uint64, signed bool) {
	cells := v.Args[1]
	s := sumShapeOf(v, cells.Type.W, signed)
	mask, data := c.operand(v.Args[0]).([]uint8), c.operand(cells)
	if cells.Type.W > 1 {
		c.run(setFor(cells.Type.W).sum(d, mask, data, func(l int) int { return l * s.groups * s.k }, s))
		return
	}
	kw, ones := packedWords(s.k), data.([]uint8)
	packed := make([]uint64, len(ones)/s.k*kw)
	pack := func() { packBits(packed, ones, s.k) }
	if c.fixed[cells.ID] {
		c.setup = append(c.setup, instr{op: opRun, run: pack})
	} else {
		c.run(pack)
	}
	c.run(bitSum(d, mask, packed, func(l int) int { return l * s.groups * kw }, s))
}

func (c *compiler) sumMemory(v *flat.Value, d []uint64, signed bool) {
	s := sumShapeOf(v, v.Mem.Type.W, signed)
	mask, at := c.operand(v.Args[0]).([]uint8), c.address(v.Mem, v.Args[1], nil, zeroWord)
	if s.cw > 1 {
		c.run(setFor(s.cw).sum(d, mask, c.mems[v.Mem], at, s))
		return
	}
	kw := packedWords(s.k)
	words := c.packedCells(v.Mem, s.k)
	c.run(bitSum(d, mask, words, func(l int) int {
		from := at(l)
		if from > 0 {
			from = from / s.k * kw
		}
		return from
	}, s))
}

// packedCells is the packed form of m for groups of k.
func (c *compiler) packedCells(m *flat.Mem, k int) []uint64 {
	for _, p := range c.packed {
		if p.mem == m && p.k == k {
			return p.words
		}
	}
	p := &packedMem{m, k, make([]uint64, m.Lanes*m.Depth*m.Type.N/k*packedWords(k))}
	c.packed = append(c.packed, p)
	return p.words
}

// element computes single elements of the rest of the operations.
func (c *compiler) element(v *flat.Value) func(i int) uint64 {
	a := c.reader(v.Args[0])
	w := v.Type.W
	switch op := v.Op.(type) {
	case ir.Shift:
		f, by, per := shiftFuncs[op.Kind], c.reader(v.Args[1]), v.Len()/v.Args[1].Len()
		return func(i int) uint64 { return f(a(i), by(i/per), w) }
	case ir.Pick:
		index, n := c.reader(v.Args[1]), v.Args[0].Type.N
		return func(i int) uint64 {
			x := index(i)
			if x >= uint64(n) {
				return 0
			}
			return a(i*n + int(x))
		}
	case ir.Cast:
		aw := v.Args[0].Type.W
		return func(i int) uint64 { return castElement(a, aw, i*w, w) }
	case ir.MemRead:
		at, mem := c.address(v.Mem, v.Args[0], nil, zeroWord), setFor(w).reader(c.mems[v.Mem])
		return func(i int) uint64 {
			if from := at(i); from >= 0 {
				return mem(from)
			}
			return 0
		}
	case ir.Splat, ir.Elems, ir.Join, flat.Enter, flat.Leave, gather:
		from := origins(v)[0]
		x := c.reader(v.Args[from.arg])
		return func(int) uint64 { return x(from.idx) }
	}
	panic(fmt.Sprintf("interp: op %T", v.Op))
}

// castElement reads w bits from bit lo on of elements of aw bits.
func castElement(a func(i int) uint64, aw, lo, w int) uint64 {
	var x uint64
	for got := 0; got < w; {
		i, off := (lo+got)/aw, (lo+got)%aw
		x |= a(i) >> off << got
		got += aw - off
	}
	return x & bits.Mask(w)
}
