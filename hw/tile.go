package hw

import (
	"fmt"
	"hash/fnv"
	"math/rand"
	"strings"

	"ohmloom/ir"
)

// Tile is one compute tile with both halves of the architecture side by side: the PIM half
// for projections and, for attention, a bare systolic array or a decode engine. Each may be
// missing, but not all.
//
// Streams of the PIM half keep their names (cfg and x in, y out, with writable crossbars weights and written); the array's feed x is
// called feed here and its drain y is called drain; those of bank i are called bank<i>_cmd,
// bank<i>_x and bank<i>_y, and where crossbars are writable bank<i>_weights and bank<i>_written; an array of stationary operands, which
// may stand in its place, takes these as stream stay. The engine's streams keep theirs (token,
// q, k, v in, with a memory port fill in and mem out), but its output y is called o. The
// halves share nothing but the clock, so each keeps its own time.
type Tile struct {
	Top        string // name of the module; "" encodes the parameters, or makes one of their hash
	PIM        *PIM
	Array      *Array
	Stationary *AccumulatedArray // in place of Array
	Attention  AttentionEngine
	Banks      []Bank // in place of PIM, all of one structure
}

// AttentionInst is the instance of a tile's attention engine.
const AttentionInst = "u_attention"

// half is one part of a tile: a block, and what the tile calls its streams.
type half struct {
	inst    string
	block   Block
	in, out []string
}

func (b Tile) halves() []half {
	var hs []half
	if b.PIM != nil {
		h := half{"u_pim", *b.PIM, []string{"cfg", "x"}, []string{"y"}}
		if b.PIM.Crossbar.Writable {
			h.in, h.out = append(h.in, "weights"), append(h.out, "written")
		}
		hs = append(hs, h)
	}
	for i, bank := range b.Banks {
		name := fmt.Sprintf("bank%d", i)
		h := half{"u_" + name, bank, []string{name + "_cmd", name + "_x"}, []string{name + "_y"}}
		if bank.Crossbar.Writable {
			h.in, h.out = append(h.in, name+"_weights"), append(h.out, name+"_written")
		}
		hs = append(hs, h)
	}
	if b.Array != nil {
		hs = append(hs, half{"u_array", *b.Array, []string{"feed"}, []string{"drain"}})
	}
	if b.Stationary != nil {
		hs = append(hs, half{"u_stationary", *b.Stationary, []string{"stay", "feed"}, []string{"drain"}})
	}
	if b.Attention != nil {
		in, out := b.Attention.Streams()
		h := half{inst: AttentionInst, block: b.Attention}
		for _, s := range in {
			h.in = append(h.in, s.Name)
		}
		for _, s := range out {
			if s.Name == "y" {
				s.Name = "o"
			}
			h.out = append(h.out, s.Name)
		}
		hs = append(hs, h)
	}
	return hs
}

// renamed is a copy of streams with other names.
func renamed(streams []Stream, names []string) []Stream {
	out := append([]Stream(nil), streams...)
	for i := range out {
		out[i].Name = names[i]
	}
	return out
}

func (b Tile) Name() string {
	if b.Top != "" {
		return b.Top
	}
	parts := []string{"tile"}
	for _, h := range b.halves() {
		parts = append(parts, h.block.Name())
	}
	name := strings.Join(parts, "_")
	if len(name) > 100 { // a name that Verilator keeps
		h := fnv.New64a()
		fmt.Fprint(h, name)
		name = fmt.Sprintf("tile_%016x", h.Sum64())
	}
	return name
}

// Check also finds a Top that is the name of a module inside the tile.
func (b Tile) Check() error {
	hs := b.halves()
	if len(hs) == 0 {
		return fmt.Errorf("tile: neither a PIM half nor an array nor an attention engine")
	}
	inside := NewLib(nil)
	for _, h := range hs {
		if err := h.block.Check(); err != nil {
			return err
		}
		h.block.Build(inside)
	}
	if inside.mods[b.Name()] != nil {
		return fmt.Errorf("tile: name is %q, which a module inside it has; choose another", b.Name())
	}
	return nil
}

func (b Tile) Streams() (in, out []Stream) {
	for _, h := range b.halves() {
		hin, hout := h.block.Streams()
		in, out = append(in, renamed(hin, h.in)...), append(out, renamed(hout, h.out)...)
	}
	return in, out
}

func (b Tile) Build(lib *Lib) *ir.Module {
	must(b)
	return lib.module("tile", b.Name(), b.doc(), func(m *ir.Module) {
		for _, h := range b.halves() {
			hin, hout := h.block.Streams()
			inst := m.Instance(h.inst, h.block.Build(lib))
			for i, s := range renamed(hin, h.in) {
				passIn(m, inst, s, hin[i].Name)
			}
			for i, s := range renamed(hout, h.out) {
				passOut(m, inst, s, hout[i].Name)
			}
		}
	})
}

func (b Tile) doc() string {
	var docs []string
	if b.PIM != nil {
		docs = append(docs, fmt.Sprintf("PIM half of %d inputs and %d outputs (%d cycles a vector)", b.PIM.K(), b.PIM.N(), b.PIM.vectors(1)))
	}
	if len(b.Banks) > 0 {
		docs = append(docs, fmt.Sprintf("%d banks of %d PEs", len(b.Banks), b.Banks[0].pes()))
	}
	if b.Array != nil {
		docs = append(docs, fmt.Sprintf("%d x %d attention array (K + %d cycles a fold)", b.Array.Rows, b.Array.Cols, b.Array.FoldCycles(0)))
	}
	if a := b.Stationary; a != nil {
		docs = append(docs, fmt.Sprintf("%d x %d array of stationary operands (T + %d cycles a fold of T rows)", a.Rows, a.Cols, a.array().FoldCycles(0)))
	}
	if b.Attention != nil {
		docs = append(docs, "decode attention engine "+b.Attention.Name())
	}
	return "Compute tile: " + strings.Join(docs, " and ") + "."
}

// passIn makes stream s a stream of m that goes to the instance's stream called inner.
func passIn(m *ir.Module, inst *ir.Inst, s Stream, inner string) {
	x := input(m, s)
	inst.In(inner+"_valid", x.valid)
	for i, f := range s.Fields {
		inst.In(inner+"_"+f.Name, x.fields[i])
	}
	if !s.Fixed {
		x.ready(m.OutOf(inst, inner+"_ready"))
	}
}

// passOut makes the instance's output stream called inner a stream of m.
func passOut(m *ir.Module, inst *ir.Inst, s Stream, inner string) {
	if take := output(m, s); take != nil {
		inst.In(inner+"_ready", take)
	}
	fields := make([]*ir.Node, len(s.Fields))
	for i, f := range s.Fields {
		fields[i] = m.OutOf(inst, inner+"_"+f.Name)
	}
	drive(m, s, m.OutOf(inst, inner+"_valid"), fields...)
}

// split gives each half its input streams.
func (b Tile) split(in [][]Beat, visit func(h Block, in [][]Beat)) {
	for _, h := range b.halves() {
		visit(h.block, in[:len(h.in)])
		in = in[len(h.in):]
	}
}

// Arithmetic is that of the halves.
func (b Tile) Arithmetic(in [][]Beat) [][]Beat {
	var out [][]Beat
	b.split(in, func(h Block, in [][]Beat) { out = append(out, h.Arithmetic(in)...) })
	return out
}

// Cycles is that of the half that takes longest, when all begin at once.
func (b Tile) Cycles(in [][]Beat) int {
	n := 0
	b.split(in, func(h Block, in [][]Beat) { n = max(n, h.Cycles(in)) })
	return n
}

// Image is the cells of the PIM half and the tables of the attention engine.
func (b Tile) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	for _, h := range b.halves() {
		if t, ok := h.block.(Loaded); ok {
			img.Add(t.Image(prefix + "." + h.inst))
		}
	}
	return img
}

func randomTile(r *rand.Rand) Block {
	pim, array := randomPIM(r), randomArray(r).(Array)
	b := Tile{PIM: &pim, Array: &array}
	switch r.Intn(7) {
	case 6:
		b.PIM = nil
		bank := randomBank(r).(Bank)
		b.Banks = []Bank{bank, bank}
	case 0:
		b.PIM = nil
	case 1:
		b.Array = nil
	case 2:
		b.Top = "chip"
	case 3:
		a := randomAccumulatedArray(r).(AccumulatedArray)
		b.Array, b.Stationary = nil, &a
	}
	if r.Intn(2) == 0 {
		b.Attention = []AttentionEngine{randomSpread(r).(Spread), randomAttentionColumn(r).(AttentionColumn)}[r.Intn(2)]
		if r.Intn(3) > 0 {
			b.Array = nil
		}
	}
	return b
}

func tileWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(Tile)
	var in [][]Beat
	if b.PIM != nil {
		in = append(in, pimWork(r, *b.PIM, extreme)...)
	}
	for _, bank := range b.Banks {
		in = append(in, bankWork(r, bank, extreme)...)
	}
	if b.Array != nil {
		in = append(in, arrayWork(r, *b.Array, extreme)...)
	}
	if b.Stationary != nil {
		in = append(in, accumulatedArrayWork(r, *b.Stationary, extreme)...)
	}
	switch engine := b.Attention.(type) {
	case Spread:
		in = append(in, spreadWork(r, engine, extreme)...)
	case AttentionColumn:
		in = append(in, attentionColumnWork(r, engine, extreme)...)
	}
	return in
}
