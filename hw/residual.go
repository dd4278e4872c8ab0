package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// ResidualAdd adds to the residual stream: y = sat16(x + a), sat16 limiting to +-32767. Exact
// unless it saturates.
//
// Streams x (x and a) and y have no ready; latency 1 cycle, Lanes results a cycle. y keeps the
// last result while no beat comes.
type ResidualAdd struct {
	Lanes int // 1..1024
}

func (b ResidualAdd) Name() string { return fmt.Sprintf("residual_add_%d", b.Lanes) }
func (b ResidualAdd) Check() error { return inRange("residual_add", "lanes", b.Lanes, 1, 1024) }

func (b ResidualAdd) Streams() (in, out []Stream) {
	t := ir.Vec(b.Lanes, 16)
	return []Stream{{Name: "x", Fixed: true, Doc: "terms", Fields: []Field{
			{"x", t, true, "int16 elements of the residual stream"},
			{"a", t, true, "int16 elements to add"},
		}}}, []Stream{{Name: "y", Fixed: true, Doc: "sums of the terms 1 cycle ago", Fields: []Field{
			{"data", t, true, "int16, -32767..32767"},
		}}}
}

func (b ResidualAdd) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Adds %d int16 elements, saturating. Latency 1 cycle.", b.Lanes)
	return lib.module("residual_add", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		y := m.DataReg("y", ir.Vec(b.Lanes, 16)).SetEn(x.valid, addSat16(x.fields[0], x.fields[1]))
		drive(m, out[0], m.Reg("valid", ir.Bits(1), 0).Set(x.valid), y)
	})
}

// addSat16 is sat16(x + a), 16 bits.
func addSat16(x, a *ir.Node) *ir.Node {
	return clamp(x.SExt(17).Add(a.SExt(17)), -32767, 32767).Trunc(16)
}

func (b ResidualAdd) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		y, a := SignedWords(beat[0], 16), SignedWords(beat[1], 16)
		for i := range y {
			y[i] = min(max(y[i]+a[i], -32767), 32767)
		}
		out = append(out, Beat{words(y, 16)})
	}
	return [][]Beat{out}
}

// Cycles is one a beat and the latency.
func (b ResidualAdd) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

func randomResidualAdd(r *rand.Rand) Block { return ResidualAdd{Lanes: oddSize(r, 9)} }

func residualAddWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], 40, extreme)}
}
