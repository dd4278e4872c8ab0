package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// CrossbarPE is a processing element of the PIM side: input registers, row decoder, crossbar
// pair with DACs and converters, and the shift-and-add unit. It multiplies an int8 vector
// of Rows elements with its Cols x Rows ternary matrix; step "ideal" is exactly the integer
// product. With effects it is device.Tables.Product; conversions are counted from reset.
//
// Stream x, Loads() beats a vector: Lanes x int8, element i in lane i % Lanes of beat
// i / Lanes; lanes beyond Rows are ignored. Stream y, Steps() beats a vector: beat s has columns
// s*Converters() .. (s+1)*Converters()-1 as int32 in cells; columns beyond Cols have no cells: zero,
// or what converters with effects make of no current.
//
// One conversion a cycle: bit planes 7 to 0, in each plane the row groups, in each group the
// steps, 8 * Groups() * Steps() in all. The next vector is taken in while sums leave.
type CrossbarPE struct {
	Crossbar
	Lanes int // elements a beat, 1..1024
}

func (b CrossbarPE) Name() string { return fmt.Sprintf("crossbar_pe_%s_l%d", b.suffix(), b.Lanes) }

func (b CrossbarPE) Check() error {
	return firstError(b.Crossbar.Check(), inRange("crossbar PE", "lanes", b.Lanes, 1, 1024))
}

// Loads is the number of beats of one input vector.
func (b CrossbarPE) Loads() int { return ceilDiv(b.Rows, b.Lanes) }

// Conversions is the number of conversions, and cycles, of one vector.
func (b CrossbarPE) Conversions() int { return 8 * b.Groups() * b.Steps() }

// sumMost bounds the magnitude of a sum in cells. Unless codes are exact, 127 + 128 codes can
// have one sign in each row group.
func (b Crossbar) sumMost() int {
	if b.Step == StepIdeal && b.Effects.Ideal() {
		return 128 * b.Rows
	}
	codes := int64(255 * b.Groups() * b.codeMost())
	return int(max(b.spec().Cells(codes), -b.spec().Cells(-codes)))
}

func (b CrossbarPE) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Doc: "input vector", Fields: []Field{
		{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"},
	}}
	_, out = ShiftAdd{b.Crossbar}.Streams()
	in = []Stream{x}
	if b.Writable { // passed on to and from the crossbar
		p, v := b.writeStreams()
		in, out = append(in, p), append(out, v)
	}
	return in, out
}

func (b CrossbarPE) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Crossbar PE: takes %d beats, converts for %d cycles, gives %d beats.", b.Loads(), b.Conversions(), b.Steps())
	return lib.module("crossbar_pe", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		take := output(m, out[0])
		converts := m.Reg("converts", ir.Bits(1), 0)
		fire := x.ready(converts.Q.Not())
		_, loaded := counter(m, "loads", b.Loads(), fire)

		add := m.Instance("u_add", ShiftAdd{b.Crossbar}.Build(lib))
		issue := converts.Q.And(m.OutOf(add, "x_ready")).Named("issue")
		step, stepEnd := counter(m, "step", b.Steps(), issue)
		group, groupEnd := counter(m, "group", b.Groups(), issue.And(stepEnd))
		nextGroup := issue.And(stepEnd).Named("next_group")
		nextPlane := nextGroup.And(groupEnd).Named("next_plane")
		plane, planeEnd := counter(m, "plane", 8, nextPlane)
		last := stepEnd.And(groupEnd).And(planeEnd).Named("last")
		converts.SetEn(fire.Or(issue), fire.Mux(loaded, last.Not()))

		rows := b.vector(m, x.fields[0], fire, nextPlane)
		if b.Groups() > 1 {
			rows = rows.And(b.decoder(m, nextGroup, groupEnd))
		}
		pair := m.Instance("u_xbar", b.Crossbar.Build(lib)).In("x_valid", issue).In("x_step", step).In("x_rows", rows)
		if b.Writable {
			p := input(m, in[1])
			pair.In("p_valid", p.valid)
			for i, f := range in[1].Fields {
				pair.In("p_"+f.Name, p.fields[i])
			}
			drive(m, out[1], m.OutOf(pair, "v_valid"), m.OutOf(pair, "v_ok"))
		}
		late := func(name string, n *ir.Node) *ir.Node { return m.DataReg(name, n.Type).Set(n) }
		add.In("x_valid", m.OutOf(pair, "y_valid")).In("x_code", m.OutOf(pair, "y_code")).
			In("x_plane", late("code_plane", plane.Not())).
			In("x_first", late("code_first", group.EqK(0))).
			In("x_last", late("code_last", last)).In("y_ready", take)
		drive(m, out[0], m.OutOf(add, "y_valid"), m.OutOf(add, "y_acc"))
	})
}

// vector holds the input, plane after plane: beats move in from the top of every plane, and with
// nextPlane all planes move up by one, so that the last one drives the rows. Whole planes move
// and not the bits of each element, which a simulator would do one by one.
func (b CrossbarPE) vector(m *ir.Module, beat, fire, nextPlane *ir.Node) *ir.Node {
	n := b.Loads() * b.Lanes
	v := m.DataReg("vector", ir.Vec(8*n, 1))
	var in []*ir.Node
	for p := range 8 {
		if n > b.Lanes {
			in = append(in, v.Q.Elems(p*n+b.Lanes, n-b.Lanes))
		}
		in = append(in, beat.Bit(p))
	}
	up := m.K(1, 0).Splat(n).Join(v.Q.Elems(0, 7*n))
	v.SetEn(fire.Or(nextPlane), fire.Mux(in[0].Join(in[1:]...), up))
	return v.Q.Elems(7*n, b.Rows)
}

// decoder drives the rows of one group after the other.
func (b CrossbarPE) decoder(m *ir.Module, next, wrap *ir.Node) *ir.Node {
	first := make([]uint64, b.Rows)
	for r := range b.Active {
		first[r] = 1
	}
	d := m.Reg("decoder", ir.Vec(b.Rows, 1), first...)
	moved := m.K(1, 0).Splat(b.Active).Join(d.Q.Elems(0, b.Rows-b.Active))
	d.SetEn(next, wrap.Mux(m.KVec(1, first...), moved))
	return d.Q
}

// Arithmetic follows the definition, vector by vector.
func (b CrossbarPE) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	t := b.Tables()
	for v := 0; v+b.Loads() <= len(in[0]); v += b.Loads() {
		var x []int8
		for _, beat := range in[0][v : v+b.Loads()] {
			for _, e := range beat[0] {
				x = append(x, int8(e))
			}
		}
		sums := t.Product(x, uint32(v/b.Loads()*b.Conversions()))
		for a := b.Converters(); len(sums) > 0; sums = sums[a:] {
			out = append(out, Beat{words(sums[:a], 32)})
		}
	}
	return [][]Beat{out}
}

// Cycles of n vectors: Loads + n * Conversions + (n-1) * max(Loads, Steps + 1) + Steps + 1,
// because the next vector is loaded while the sums leave.
func (b CrossbarPE) Cycles(in [][]Beat) int {
	n := len(in[0]) / b.Loads()
	if n == 0 {
		return 0
	}
	return b.Loads() + n*b.Conversions() + (n-1)*max(b.Loads(), b.Steps()+1) + b.Steps() + 1
}

// Image is the crossbar's.
func (b CrossbarPE) Image(prefix string) *ir.Image { return b.Crossbar.Image(prefix + ".u_xbar") }

func randomCrossbarPE(r *rand.Rand) Block {
	b := CrossbarPE{Crossbar: randomCrossbar(r, 11)}
	b.Lanes = 1 + r.Intn(b.Rows)
	return b
}

// crossbarPEWork is two or three vectors.
func crossbarPEWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(CrossbarPE)
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], (2+r.Intn(2))*b.Loads(), extreme)}
}
