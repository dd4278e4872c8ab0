package interp

import (
	"ohmloom/ir/bits"
	"ohmloom/ir/flat"
)

// update is what the clock edge does to one vector register. It reads the vectors of other
// registers where its new value is computed in place, and must come before their updates.
type update struct {
	reg     *flat.Reg
	reads   []*flat.Value
	readers int // updates still to be ordered that read this register
	done    bool
	next    vec // not nil: the new value, computed before the edge
	en      vec // with next: the enable of each lane
}

// emitEdge makes the code of the clock edge: vector registers in place, readers before
// writers; memory ports; then single words. What the latter two read is a value computed
// before the edge or a copy made there, so that their order is free.
func (c *compiler) emitEdge() {
	var todo []*update
	for _, r := range c.prog.Regs {
		if !c.same[r.Q.ID] {
			u := &update{reg: r}
			c.readsOf(r.Next, u)
			if r.En != nil {
				c.readsOf(r.En, u)
			}
			todo = append(todo, u)
		}
	}
	for _, u := range c.order(todo) {
		c.emitRegister(u)
	}
	c.settling = true
	for _, m := range c.prog.Mems {
		c.emitPorts(m)
	}
	for _, r := range c.prog.Regs {
		if c.same[r.Q.ID] {
			c.emitRegisterWord(r)
		}
	}
}

// readsOf collects the register vectors that computing v at the edge reads.
func (c *compiler) readsOf(v *flat.Value, u *update) {
	if c.same[v.ID] {
		return
	}
	if s := c.state(v); s != nil && s != u.reg.Q {
		u.reads = append(u.reads, s)
	}
	if c.sunk[v.ID] {
		for _, a := range v.Args {
			c.readsOf(a, u)
		}
	}
}

// order puts readers before writers. Where registers read each other in a circle, one of
// them takes its new value from a vector computed before the edge.
func (c *compiler) order(todo []*update) []*update {
	of := map[*flat.Value]*update{}
	for _, u := range todo {
		of[u.reg.Q] = u
	}
	var ready, sorted []*update
	release := func(u *update) {
		for _, s := range u.reads {
			if w := of[s]; w != nil {
				if w.readers--; w.readers == 0 && !w.done {
					ready = append(ready, w)
				}
			}
		}
		u.reads = nil
	}
	for _, u := range todo {
		for _, s := range u.reads {
			if w := of[s]; w != nil {
				w.readers++
			}
		}
	}
	for _, u := range todo {
		if u.readers == 0 {
			ready = append(ready, u)
		}
	}
	for next := 0; len(sorted) < len(todo); {
		for len(ready) > 0 {
			u := ready[len(ready)-1]
			ready = ready[:len(ready)-1]
			u.done = true
			sorted = append(sorted, u)
			release(u)
		}
		for next < len(todo) && (todo[next].done || todo[next].reads == nil) {
			next++
		}
		if next < len(todo) {
			c.precompute(todo[next])
			release(todo[next])
		}
	}
	return sorted
}

// precompute moves the work of an update before the edge.
func (c *compiler) precompute(u *update) {
	c.code = &c.comb
	v := u.reg.Next
	u.next = setFor(v.Type.W).alloc(v.Len())
	c.emitInto(v, u.next)
	if en := u.reg.En; en != nil && c.state(en) != nil {
		u.en = c.copyOf(c.data(en))
	}
	c.code = &c.edge
}

// copyOf is a copy of the vector of the state v, made before the edge.
func (c *compiler) copyOf(v *flat.Value) vec {
	if c.copies[v] == nil {
		set := setFor(v.Type.W)
		c.copies[v] = set.alloc(v.Len())
		c.comb = append(c.comb, instr{op: opRun, run: set.copy(c.copies[v], c.locs[v.ID].vec)})
	}
	return c.copies[v]
}

// emitRegister takes the reset, or else the next value where the enable is 1.
func (c *compiler) emitRegister(u *update) {
	r, q := u.reg, c.vector(u.reg.Q)
	set := setFor(r.Type.W)
	end := -1
	if r.Reset != nil {
		reset := set.alloc(r.Q.Len())
		for i := range r.Q.Len() {
			set.put(reset, i, r.Reset[i%r.Type.N]&bits.Mask(r.Type.W))
		}
		run := c.add(instr{op: opJumpZero, a: c.rst})
		c.run(set.copy(q, reset))
		end = c.add(instr{op: opJump})
		c.land(run)
	}
	next := func() {
		if u.next != nil {
			c.run(set.copy(q, u.next))
		} else {
			c.emitInto(r.Next, q)
		}
	}
	switch {
	case r.En == nil:
		next()
	case c.same[r.En.ID]:
		skip := c.skipUnless(r.En, true)
		next()
		c.land(skip)
	default:
		en, from := u.en, u.next
		if en == nil {
			en = c.operand(r.En)
		}
		if from == nil {
			from = c.operand(r.Next)
		}
		c.run(set.mux(q, en.([]uint8), from, q))
	}
	if end >= 0 {
		c.land(end)
	}
}

// emitRegisterWord does the same for a register that is one word.
func (c *compiler) emitRegisterWord(r *flat.Reg) {
	q := c.locs[r.Q.ID].slot
	end := -1
	if r.Reset != nil {
		reset := c.newSlot()
		c.words[reset] = r.Reset[0] & bits.Mask(r.Type.W)
		run := c.add(instr{op: opJumpZero, a: c.rst})
		c.add(instr{op: opMove, d: q, a: reset})
		end = c.add(instr{op: opJump})
		c.land(run)
	}
	if r.En == nil {
		c.add(instr{op: opMove, d: q, a: c.slot(r.Next)})
	} else {
		c.add(instr{op: opMux, d: q, a: c.slot(r.En), b: c.slot(r.Next), c: q})
	}
	if end >= 0 {
		c.land(end)
	}
}

// emitPorts does a memory's read, then its write: a read sees the old word.
func (c *compiler) emitPorts(m *flat.Mem) {
	set, mem := setFor(m.Type.W), c.mems[m]
	if m.Q != nil {
		at := c.address(m, m.RAddr, m.REn, holdWord)
		if !c.same[m.Q.ID] {
			c.run(set.fetch(c.locs[m.Q.ID].vec, mem, m.Type.N, at))
		} else {
			q, read := &c.words[c.locs[m.Q.ID].slot], set.reader(mem)
			c.run(func() {
				switch from := at(0); from {
				case holdWord:
				case zeroWord:
					*q = 0
				default:
					*q = read(from)
				}
			})
		}
	}
	if m.WEn == nil {
		return
	}
	at := c.address(m, m.WAddr, m.WEn, zeroWord)
	c.run(set.save(mem, c.operand(m.WData), m.Type.N, at))
	for _, p := range c.packed {
		if p.mem == m {
			ones := mem.([]uint8)
			c.run(func() {
				for l := range m.Lanes {
					if from := at(l); from >= 0 {
						p.pack(ones, from, m.Type.N)
					}
				}
			})
		}
	}
}
