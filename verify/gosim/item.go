package gosim

import "ohmloom/ir/flat"

// kind says what an item does.
type kind uint8

const (
	computes kind = iota // gives a value
	samples              // writes an output port to the record
	commits              // gives a register its next value
	reads                // the synchronous read port of a memory
	writes               // the write port of a memory
)

// space is the loop an item runs in: n steps, or lanes x units steps. Items of equal space
// may share a loop. {1, 1} is straight-line code.
type space struct{ lanes, units int }

func spaceOf(lanes, units int) space {
	if lanes == 1 {
		return space{units, 1}
	}
	return space{lanes, units}
}

func (s space) scalar() bool { return s == space{1, 1} }

// steps is the number of times the body of the loop runs.
func (s space) steps() int { return s.lanes * s.units }

// position gives the loop position of an item whose data has the given lanes and units.
func (s space) position(lanes, units int) (l, u index) {
	switch {
	case s.scalar():
		return constant(0), constant(0)
	case s.units > 1:
		return loopVar("l", s.lanes), loopVar("e", s.units)
	case lanes > 1:
		return loopVar("i", s.lanes), constant(0)
	}
	return constant(0), loopVar("i", s.lanes)
}

// item is one piece of the work of a cycle.
type item struct {
	kind  kind
	v     *val // computes: the value; samples: what the port shows
	reg   *reg
	mem   *mem
	port  *field // samples: where it goes
	space space
	bulk  bool // loops by itself; stands in straight-line code
	group *group
	order int

	needs    []access      // computed values it reads
	states   []access      // registers and read ports it reads
	contents map[*mem]bool // memories whose contents it reads
	subst    map[*val]*val // copies it reads instead of states that change first
}

// access is a read of a value; same says at the loop's own position.
type access struct {
	v    *val
	same bool
}

// changes is the state that the item overwrites, or nil.
func (it *item) changes() *val {
	switch it.kind {
	case commits:
		return it.reg.q
	case reads:
		return it.mem.q
	}
	return nil
}

// copyOf is the op of a value that keeps a state's old word for those that come too late.
type copyOf struct{}

// items lists the work of a cycle from its ends: output ports, registers and memories, and
// what they need. Values that nothing needs are left out.
func (p *plan) items() []*item {
	var all []*item
	add := func(it *item) { all = append(all, it) }
	for i, v := range p.outs {
		add(&item{kind: samples, v: v, port: p.out.fields[i], space: spaceOf(1, v.units)})
	}
	for _, r := range p.regs {
		add(&item{kind: commits, reg: r, space: spaceOf(r.q.lanes, r.q.units)})
	}
	for _, m := range p.mems {
		if m.q != nil {
			add(&item{kind: reads, mem: m, space: spaceOf(m.q.lanes, 1)})
		}
		if m.wen != nil {
			add(&item{kind: writes, mem: m, space: spaceOf(m.lanes, 1)})
		}
	}
	rec := newRecorder(p)
	for i := 0; i < len(all); i++ {
		rec.record(all[i])
		for _, need := range all[i].needs {
			if need.v.item == nil {
				add(p.compute(need.v))
			}
		}
	}
	for i, it := range all {
		it.order = i
	}
	return all
}

// compute is the item that computes v.
func (p *plan) compute(v *val) *item {
	it := &item{kind: computes, v: v, space: spaceOf(v.lanes, v.units)}
	if loopsItself(v) {
		it.bulk, it.space, v.stored = true, space{1, 1}, true
	}
	v.item = it
	return it
}

// copyState is a value that holds what q held before the edge.
func (p *plan) copyState(q *val) *val {
	c := &val{Value: &flat.Value{Op: copyOf{}, Lanes: q.Lanes, Type: q.Type}, class: computed, args: []*val{q},
		div: q.div, lanes: q.lanes, bits: q.bits, units: q.units, width: q.width, name: p.fresh(q.name + "_old")}
	return c
}
