package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// RegisterSlice is a buffer of two beats in registers, so that neither valid nor ready goes
// through it combinationally. A beat needs 1 cycle; one a cycle passes.
type RegisterSlice struct {
	Lanes, Width int // elements of a beat and bits of an element, 1..65536 and 1..64
}

func (b RegisterSlice) Name() string { return fmt.Sprintf("register_slice_%dx%d", b.Lanes, b.Width) }

func (b RegisterSlice) Check() error {
	return firstError(inRange("register_slice", "lanes", b.Lanes, 1, 65536), inRange("register_slice", "width", b.Width, 1, 64))
}

func (b RegisterSlice) Streams() (in, out []Stream) {
	data := []Field{{"data", ir.Vec(b.Lanes, b.Width), false, "elements of a beat"}}
	return []Stream{{Name: "x", Fields: data, Doc: "beats in"}}, []Stream{{Name: "y", Fields: data, Doc: "beats out, in order"}}
}

func (b RegisterSlice) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Two beats of %d x %d bits in registers. Latency 1 cycle.", b.Lanes, b.Width)
	return lib.module("register_slice", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])
		full := m.Reg("out_valid", ir.Bits(1), 0)
		spare := m.Reg("spare_valid", ir.Bits(1), 0) // only while out_valid is 1
		fire := x.ready(spare.Q.Not())
		stuck := full.Q.And(take.Not()).Named("stuck")
		full.Set(stuck.Or(spare.Q).Or(fire))
		spare.Set(stuck.And(spare.Q.Or(fire)))
		kept := m.DataReg("spare", in[0].Fields[0].Type).SetEn(spare.Q.Not(), x.fields[0])
		held := m.DataReg("out", kept.Type).SetEn(stuck.Not(), spare.Q.Mux(kept, x.fields[0]))
		drive(m, out[0], full.Q, held)
	})
}

func (b RegisterSlice) Arithmetic(in [][]Beat) [][]Beat { return [][]Beat{in[0]} }

func (b RegisterSlice) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

func randomRegisterSlice(r *rand.Rand) Block {
	return RegisterSlice{Lanes: oddSize(r, 4), Width: 1 + r.Intn(64)}
}

func registerSliceWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], 5+r.Intn(20), extreme)}
}

// link is a stream inside a module, between the instance or source that gives it and the
// logic that takes it.
type link struct {
	valid  *ir.Node
	fields []*ir.Node
	take   func(ready *ir.Node) // to be called once
}

// slice places a register slice called name for beats of fields of the given types. ready says
// whether it takes a beat; put, to be called once, gives it one; what comes out is the link.
func slice(lib *Lib, m *ir.Module, name string, types ...ir.Type) (ready *ir.Node, put func(valid *ir.Node, fields ...*ir.Node), out link) {
	total := 0
	for _, t := range types {
		total += t.Total()
	}
	inst := m.Instance(name, RegisterSlice{Lanes: total, Width: 1}.Build(lib))
	put = func(valid *ir.Node, fields ...*ir.Node) {
		var packed []*ir.Node
		for _, f := range fields {
			packed = append(packed, f.Cast(ir.Vec(f.Type.Total(), 1)))
		}
		inst.In("x_valid", valid).In("x_data", packed[0].Join(packed[1:]...))
	}
	data, at := m.OutOf(inst, "y_data"), 0
	out = link{valid: m.OutOf(inst, "y_valid"), take: func(ready *ir.Node) { inst.In("y_ready", ready) }}
	for _, t := range types {
		out.fields = append(out.fields, data.Elems(at, t.Total()).Cast(t))
		at += t.Total()
	}
	return m.OutOf(inst, "x_ready"), put, out
}

// sliced sends a stream through a register slice called name. ready says whether the slice
// takes a beat and gives valid and fields; what comes out is the link.
func sliced(lib *Lib, m *ir.Module, name string, valid *ir.Node, fields []*ir.Node) (ready *ir.Node, out link) {
	var types []ir.Type
	for _, f := range fields {
		types = append(types, f.Type)
	}
	ready, put, out := slice(lib, m, name, types...)
	put(valid, fields...)
	return ready, out
}

// slicedInput is the input stream s behind a register slice.
func slicedInput(lib *Lib, m *ir.Module, s Stream) link {
	x := input(m, s)
	ready, out := sliced(lib, m, "u_"+s.Name, x.valid, x.fields)
	x.ready(ready)
	return out
}
