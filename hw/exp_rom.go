package hw

import (
	"fmt"
	"math/big"
	"math/rand"
	"sort"

	"ohmloom/ir"
)

// expRange is the number of arguments for which the exponential is not known to be zero.
const expRange = 256

// expTable[d] = floor(127 * 2^(-d/32) + 1/2), the base-2 exponential of d/32 bits.
var expTable = exp2Table(127, expRange)

// exp2Table is floor(top * 2^(-d/32) + 1/2) for d from 0 to n-1. It is computed in integers,
// so that no library's rounding decides an entry: e <= top * 2^(-d/32) + 1/2 means (2 e -
// 1)^32 * 2^d <= (2 top)^32.
func exp2Table(top int64, n int) []uint64 {
	power := func(base int64) *big.Int { return new(big.Int).Exp(big.NewInt(base), big.NewInt(32), nil) }
	bound := power(2 * top)
	table := make([]uint64, n)
	for d := range table {
		above := sort.Search(int(top), func(e int) bool { // the first e + 1 that is too large
			return new(big.Int).Lsh(power(2*int64(e)+1), uint(d)).Cmp(bound) > 0
		})
		table[d] = uint64(above)
	}
	return table
}

// ExpROM is the exponential of the softmax, a table in logic: e = floor(127 * 2^(-d/32) +
// 1/2) for d < 256, zero above. d is in units of 1/32 bit, e is 0..127 and fits int8.
//
// Streams x (d) and y (e) have no ready; latency 1 cycle, Lanes results a cycle. e keeps the
// last result while no beat comes. Source: EXP_ROM of the integer numerics, after Softermax
// (arXiv 2103.09301).
type ExpROM struct {
	Lanes int // 1..1024
}

func (b ExpROM) Name() string { return fmt.Sprintf("exp_rom_%d", b.Lanes) }
func (b ExpROM) Check() error { return inRange("exp_rom", "lanes", b.Lanes, 1, 1024) }

func (b ExpROM) Streams() (in, out []Stream) {
	x := Stream{Name: "x", Fixed: true, Doc: "arguments", Fields: []Field{
		{"d", ir.Vec(b.Lanes, 9), false, "negated exponents in 1/32 bit"},
	}}
	y := Stream{Name: "y", Fixed: true, Doc: "exponentials of the arguments 1 cycle ago", Fields: []Field{
		{"e", ir.Vec(b.Lanes, 7), false, "127 * 2^(-d/32), rounded"},
	}}
	return []Stream{x}, []Stream{y}
}

func (b ExpROM) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Base-2 exponentials of %d arguments, 127 * 2^(-d/32). Latency 1 cycle.", b.Lanes)
	return lib.module("exp_rom", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		x := input(m, in[0])
		lanes := m.Array("lane", expLane(lib), 1, b.Lanes).Each("d", x.fields[0])
		e := m.DataReg("e", ir.Vec(b.Lanes, 7)).SetEn(x.valid, m.OutOf(lanes, "e"))
		drive(m, out[0], m.Reg("valid", ir.Bits(1), 0).Set(x.valid), e)
	})
}

// expLane is the table for one argument, without a register.
func expLane(lib *Lib) *ir.Module {
	return lib.module("exp_rom", "exp_lane", "Base-2 exponential 127 * 2^(-d/32) of one argument. Combinational.", func(m *ir.Module) {
		d := m.In("d", ir.Bits(9), "negated exponent in 1/32 bit")
		rom := m.Rom("rom", ir.Bits(7), expTable)
		m.Out("e", d.Bit(8).Mux(m.K(7, 0), m.Lookup(rom, d.Trunc(8))), "0..127")
	})
}

func (b ExpROM) Arithmetic(in [][]Beat) [][]Beat {
	var out []Beat
	for _, beat := range in[0] {
		e := make([]uint64, b.Lanes)
		for i, d := range beat[0] {
			e[i] = uint64(exponential(int64(d)))
		}
		out = append(out, Beat{e})
	}
	return [][]Beat{out}
}

// exponential is one result in plain integers, for any d >= 0.
func exponential(d int64) int64 {
	if d >= expRange {
		return 0
	}
	return int64(expTable[d])
}

// Cycles is one a beat and the latency.
func (b ExpROM) Cycles(in [][]Beat) int { return len(in[0]) + 1 }

func randomExpROM(r *rand.Rand) Block { return ExpROM{Lanes: oddSize(r, 9)} }

func expROMWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	in, _ := b.Streams()
	return [][]Beat{RandomBeats(r, in[0], 40, extreme)}
}
