package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"sync"

	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
	"ohmloom/verify/host"
)

// mismatch is one value that an engine got wrong.
type mismatch struct {
	Case   string `json:"case"`
	Engine string `json:"engine"`
	What   string `json:"what"` // which value, where it came from
	Got    int64  `json:"got"`
	Want   int64  `json:"want"`
	Source string `json:"source,omitempty"` // place in the description

	Fault string `json:"fault,omitempty"` // what went wrong on a stream, instead of got and want
}

func (m mismatch) String() string {
	if m.Fault != "" {
		return fmt.Sprintf("%s, %s: %s: %s (%s)", m.Case, m.Engine, m.What, m.Fault, m.Source)
	}
	return fmt.Sprintf("%s, %s: %s is %d, want %d (%s)", m.Case, m.Engine, m.What, m.Got, m.Want, m.Source)
}

// maxMismatches is how many are reported of one run.
const maxMismatches = 20

// phase compares a measured time with the block's formula.
type phase struct {
	Case     string `json:"case"`
	Name     string `json:"name"`
	Engine   string `json:"engine"`
	Measured int    `json:"cycles_measured"`
	Formula  int    `json:"cycles_formula"`
}

// bench runs stream work on one tile and collects what differs.
type bench struct {
	name       string
	tile       *lower.Tile
	img        *ir.Image
	seed       uint64
	load       bool // writable crossbars are loaded with tables
	wrote      bool // weights came in through the port, and are to stay
	failed     int  // rows of them that did not verify: results are those of what the cells hold
	cycles     int
	mismatches []mismatch
	phases     []phase
}

// differ records a wrong value.
func (b *bench) differ(e verify.Engine, loc *ir.Loc, got, want int64, format string, a ...any) {
	if len(b.mismatches) < maxMismatches {
		b.mismatches = append(b.mismatches, mismatch{Case: b.name, Engine: e.Name(),
			What: fmt.Sprintf(format, a...), Got: got, Want: want, Source: loc.String()})
	}
}

// errFault says that a fault was recorded and the phase could not be finished.
var errFault = errors.New("fault on a stream")

// driven looks at what driving the streams ended with.
func (b *bench) driven(e verify.Engine, phaseName string, err error) error {
	var f *drive.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		b.fault(e, phaseName, err)
		return errFault
	}
	return failed("%s: %s: %w", b.name, phaseName, err)
}

// fault records what went wrong at the border of the design.
func (b *bench) fault(e verify.Engine, phaseName string, err error) {
	if len(b.mismatches) < maxMismatches {
		b.mismatches = append(b.mismatches, mismatch{Case: b.name, Engine: e.Name(), What: phaseName,
			Source: b.tile.Design.Top.Loc.String(), Fault: err.Error()})
	}
}

// power powers the engine up, unless that would lose weights that were written.
func (b *bench) power(e verify.Engine) error {
	if b.wrote {
		return nil
	}
	return e.Power(b.seed, b.img)
}

// writeHalf brings the weights of the PIM half in through its port, and holds what becomes of the rows, and
// the time, against the arithmetic.
func (b *bench) writeHalf(ctx context.Context, e verify.Engine) error {
	half, top := *b.tile.Block.PIM, b.tile.Design.Top
	blank := b.tile.Block
	empty := half.Blank()
	blank.PIM = &empty
	if err := e.Power(b.seed, blank.Image(top.Name)); err != nil {
		return err
	}
	rows := half.RowsOfWeights()
	after, want := empty.Written(rows)
	told, cycles, err := host.Write(ctx, e, top, rows, len(want))
	if err != nil {
		b.fault(e, "programming", err)
		return errFault
	}
	_, out := half.Streams()
	b.cycles, b.failed = b.cycles+cycles, failedRows(want)
	b.book(e, "programming", cycles, empty.Cycles([][]hw.Beat{nil, nil, rows}))
	for i := range want {
		b.sameBeat(e, "programming", out[len(out)-1], told[i], want[i])
	}
	after.Weights = half.Weights // in cells now, and to be written again
	b.tile.Block.PIM, b.wrote = &after, true
	return nil
}

// failedRows counts the rows that did not verify, of what a bank or a PIM half told.
func failedRows(told []hw.Beat) int {
	n := 0
	for _, row := range told {
		if row[4][0] != hw.RowVerified {
			n++
		}
	}
	return n
}

// run powers the engine up and drives streams through it.
func (b *bench) run(e verify.Engine, phaseName string, feeds []drive.Feed, want drive.Want, formula int) ([]drive.Beat, error) {
	if err := b.power(e); err != nil {
		return nil, err
	}
	res, err := drive.Run(e, b.tile.Design.Top, feeds, []drive.Want{want}, drive.Options{Rand: rand.New(rand.NewSource(int64(b.seed)))})
	if err := b.driven(e, phaseName, err); err != nil {
		return nil, err
	}
	b.cycles += res.Cycles
	b.book(e, phaseName, res.Cycles, formula)
	return res.Out[0], nil
}

// project runs a case's vectors through the PIM half and compares sums and activations.
func (b *bench) project(e verify.Engine, job *program.Job, c *program.Case) error {
	pim := *b.tile.Block.PIM
	var in [][]int8
	for _, v := range c.Vectors {
		in = append(in, v.In)
	}
	cfg := drive.Beat{{uint64(job.Matrix.M)}, {uint64(job.Matrix.S)}}
	x := pim.Vectors(in)
	beats, err := b.run(e, "projection", []drive.Feed{{Name: "cfg", Beats: []drive.Beat{cfg}}, {Name: "x", Beats: x}},
		drive.Want{Name: "y", Beats: len(in) * pim.Results()}, pim.Cycles([][]hw.Beat{{cfg}, x}))
	if err != nil {
		return err
	}
	sums, acts := pim.Collect(beats)
	computed := sync.OnceValue(func() [][]int32 {
		var padded [][]int8
		for _, v := range in {
			padded = append(padded, pad(v, pim.K()))
		}
		return pim.Product(padded)
	})
	loc := b.tile.Design.Top.Loc
	for i, v := range c.Vectors {
		want := v.Sums
		if b.failed > 0 {
			want = nil
		}
		if want == nil {
			want = computed()[i]
		}
		for n := range job.Matrix.Out {
			if got := sums[i][n]; got != want[n] {
				b.differ(e, loc, int64(got), int64(want[n]), "%s: sum %d of %s", v.Name, n, job.Matrix.Name)
			}
			if got, q := acts[i][n], job.Requantised(want[n]); got != q {
				b.differ(e, loc, int64(got), int64(q), "%s: activation %d of %s", v.Name, n, job.Matrix.Name)
			}
		}
		for n := job.Matrix.Out; n < pim.N(); n++ {
			unused := int32(0) // with effects, what comes of cells that are all OFF
			if v.Sums == nil || b.failed > 0 {
				unused = want[n]
			}
			if sums[i][n] != unused {
				b.differ(e, loc, int64(sums[i][n]), int64(unused), "%s: sum of unused column %d", v.Name, n)
			}
		}
	}
	return nil
}

// score multiplies keys with queries on the attention array and compares with the golden scores.
func (b *bench) score(e verify.Engine, dataflow string, all []program.Scores) error {
	var feeds []drive.Feed
	var jobs []product
	rows, formula := 0, 0
	for _, s := range all {
		p := b.product(dataflow, len(s.Keys), len(s.Query))
		beats := p.beats(slices.Concat(s.Keys...), s.Query)
		for i, x := range beats {
			if len(feeds) < len(beats) {
				feeds = append(feeds, drive.Feed{Name: []string{"feed", "stay"}[i]})
			}
			feeds[i].Beats = append(feeds[i].Beats, x...)
		}
		jobs = append(jobs, p)
		rows, formula = rows+p.rows, formula+p.cycles
	}
	if b.tile.Block.Stationary != nil {
		formula += hw.StationaryTail
	}
	beats, err := b.run(e, "attention scores", feeds, drive.Want{Name: "drain", Beats: rows}, formula)
	if err != nil {
		return err
	}
	for i, p := range jobs {
		for t, got := range p.collect(beats[:p.rows]) {
			if want := all[i].Want[t]; got != want {
				b.differ(e, b.tile.Design.Top.Loc, int64(got), int64(want), "%s: score at distance %d", all[i].Name, t)
			}
		}
		beats = beats[p.rows:]
	}
	return nil
}

// product is a matrix times a vector on the tile's bare array.
type product struct {
	rows, cycles int                                        // beats of the drain, and the time without the tail
	beats        func(matrix, vector []int8) [][]drive.Beat // streams feed and, with stationary operands, stay
	collect      func(drain []drive.Beat) []int32
}

// product is one of m x k, in the dataflow of the array.
func (b *bench) product(dataflow string, m, k int) product {
	if a := b.tile.Block.Array; a != nil {
		p := hw.MatMul{Array: *a, M: m, K: k, N: 1}
		return product{p.Folds() * a.Rows, p.Cycles(), func(x, v []int8) [][]drive.Beat { return [][]drive.Beat{p.Beats(x, v)} }, p.Collect}
	}
	p := hw.AccumulatedMatMul{Array: *b.tile.Block.Stationary,
		Shape: hw.StationaryMatMul{M: m, K: k, N: 1, Inputs: dataflow == arch.InputStationary}}
	return product{p.Rows(), p.Cycles(), func(x, v []int8) [][]drive.Beat {
		in := p.Beats(x, v)
		return [][]drive.Beat{in[1], in[0]}
	}, p.Collect}
}

// random drives random and extreme beats with random stalls through both halves at once and
// compares with the blocks' arithmetic.
func (b *bench) random(e verify.Engine, extreme bool) error {
	r := rand.New(rand.NewSource(int64(b.seed)))
	rest := b.tile.Block
	rest.Attention, rest.Banks = nil, nil // have tests of their own
	in, out := rest.Streams()
	var feeds []drive.Feed
	var work [][]hw.Beat
	if p := b.tile.Block.PIM; p != nil {
		cfg := hw.Beat{{uint64(128 + r.Intn(128))}, {uint64(1 + r.Intn(12))}}
		work = append(work, []hw.Beat{cfg}, hw.RandomBeats(r, in[1], 3*p.Loads(), extreme))
		if p.Crossbar.Writable {
			work = append(work, p.RandomRows(r, 10))
		}
	}
	if a := b.tile.Block.Array; a != nil {
		feed := hw.RandomBeats(r, in[len(in)-1], 2*(a.Rows+a.Cols), extreme)
		feed[len(feed)-1][2][0] = 1
		work = append(work, feed)
	}
	if a := b.tile.Block.Stationary; a != nil {
		work = append(work, a.RandomFolds(r, 3, extreme)...)
	}
	for i, s := range in {
		feeds = append(feeds, drive.Feed{Name: s.Name, Beats: work[i]})
	}
	want := rest.Arithmetic(work)
	var wants []drive.Want
	for i, s := range out {
		wants = append(wants, drive.Want{Name: s.Name, Beats: len(want[i])})
	}
	if err := b.power(e); err != nil {
		return err
	}
	res, err := drive.Run(e, b.tile.Design.Top, feeds, wants, drive.Options{Stall: 0.3, Rand: r})
	if err := b.driven(e, "random beats", err); err != nil {
		return err
	}
	b.cycles += res.Cycles
	for i, s := range out {
		for n := range want[i] {
			b.sameBeat(e, fmt.Sprintf("random beats, stream %s, beat %d", s.Name, n), s, res.Out[i][n], want[i][n])
		}
	}
	return nil
}

// sameBeat compares a beat of stream s word by word.
func (b *bench) sameBeat(e verify.Engine, where string, s hw.Stream, got, want drive.Beat) {
	for f, field := range s.Fields {
		for el, w := range want[f] {
			if g := got[f][el]; g != w {
				b.differ(e, b.tile.Design.Top.Loc, int64(g), int64(w), "%s: %s[%d]", where, field.Name, el)
			}
		}
	}
}

func pad(v []int8, n int) []int8 { return append(append([]int8(nil), v...), make([]int8, n-len(v))...) }
