package proof

import (
	"fmt"
	"math/rand"
	"reflect"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// subject is a real block at a small size, with the work of its kind. Between them the
// subjects hold every kind of module of a tile: pe and skew stand in the arrays.
type subject struct {
	entry string // in hw.Table
	block hw.Block
}

func subjects() []subject {
	w := func(n, k int) [][]int8 {
		w := hw.RandomTernary(rand.New(rand.NewSource(5)), n, k)
		for i := range w[0] { // sums reach both ends
			w[0][i], w[1][i] = 1, -1
		}
		return w
	}
	clip := hw.Crossbar{Rows: 7, Cols: 5, Share: 2, Active: 3, Bits: 2, Step: hw.StepClip, Weights: w(5, 7)}
	full := hw.Crossbar{Rows: 6, Cols: 3, Share: 3, Active: 6, Bits: 3, Step: hw.StepFull, Weights: w(3, 6)}
	ideal := hw.Crossbar{Rows: 4, Cols: 3, Share: 1, Active: 4, Step: hw.StepIdeal, Weights: w(3, 4)}
	inside := clip
	inside.Weights = nil
	pim := hw.PIM{RowBlocks: 2, ColBlocks: 2, Lanes: 3, Crossbar: inside, Weights: w(10, 14)}
	array := hw.Array{Rows: 2, Cols: 3}
	return []subject{
		{"array", hw.Array{Rows: 1, Cols: 1}},
		{"array", hw.Array{Rows: 3, Cols: 5}},
		{"array", hw.Array{Rows: 2, Cols: 11}},
		{"crossbar", clip},
		{"crossbar", full},
		{"crossbar", ideal},
		{"shift_add", hw.ShiftAdd{Crossbar: clip}},
		{"shift_add", hw.ShiftAdd{Crossbar: full}},
		{"crossbar_pe", hw.CrossbarPE{Crossbar: clip, Lanes: 2}},
		{"crossbar_pe", hw.CrossbarPE{Crossbar: full, Lanes: 3}},
		{"requantise", hw.Requantise{Lanes: 2, AccBits: 20, OutBits: 8}},
		{"requantise", hw.Requantise{Lanes: 1, AccBits: 30, OutBits: 16}},
		{"fifo", hw.Fifo{Depth: 3, Lanes: 2, Width: 5}},
		{"fifo", hw.Fifo{Depth: 1, Lanes: 1, Width: 7}},
		{"pim", pim},
		{"tile", hw.Tile{Top: "tile", PIM: &pim, Array: &array}},
	}
}

// design is the subject's hardware.
func (s subject) design() *ir.Design { return ir.NewDesign(s.block.Build(hw.NewLib(nil))) }

func (s subject) image() *ir.Image {
	if l, ok := s.block.(hw.Loaded); ok {
		return l.Image(s.block.Name())
	}
	return nil
}

// work is random work, every other time extreme.
func (s subject) work(seed int64) [][]hw.Beat {
	for _, e := range hw.Table {
		if e.Name == s.entry {
			return e.Work(rand.New(rand.NewSource(seed)), s.block, seed%2 == 1)
		}
	}
	panic("proof: hw.Table has no " + s.entry)
}

// holds co-simulates e, which executes the subject's hardware or a mutant of it, with the
// subject's arithmetic and time: from a random state and after some cycles of noise, without
// and with stalls. It gives the first difference.
func (s subject) holds(e verify.Engine, top *ir.Module, seed int64) error {
	if err := e.Power(uint64(seed), s.image()); err != nil {
		return err
	}
	if err := noise(e, top, seed); err != nil {
		return err
	}
	work := s.work(seed)
	want := s.block.Arithmetic(work)
	in, out := s.block.Streams()
	var feeds []drive.Feed
	var wants []drive.Want
	for i, st := range in {
		feeds = append(feeds, drive.Feed{Name: st.Name, Beats: work[i]})
	}
	for i, st := range out {
		wants = append(wants, drive.Want{Name: st.Name, Beats: len(want[i])})
	}
	stall := float64(seed%3) * 0.35
	res, err := drive.Run(e, top, feeds, wants, drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(seed)), MaxIdle: 400})
	if err != nil {
		return err
	}
	for i := range want {
		if !reflect.DeepEqual(res.Out[i], want[i]) && len(want[i]) > 0 {
			return fmt.Errorf("stream %s differs from the arithmetic", out[i].Name)
		}
	}
	if n := s.block.Cycles(work); stall == 0 && res.Cycles != n {
		return fmt.Errorf("%d cycles, not %d", res.Cycles, n)
	}
	return nil
}

// noise runs random inputs for some cycles, so that the reset that follows has work to do.
func noise(e verify.Engine, top *ir.Module, seed int64) error {
	shape := verify.ShapeOf(top)
	const cycles = 25
	in, out := make([]uint64, cycles*shape.InWords), make([]uint64, cycles*shape.OutWords)
	r := rand.New(rand.NewSource(seed))
	for i := range in {
		in[i] = r.Uint64()
		if i%shape.InWords == 0 {
			in[i] = bits.Bool(i == 0)
		}
	}
	return e.Run(in, out, cycles)
}
