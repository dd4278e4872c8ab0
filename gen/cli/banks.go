package cli

import (
	"errors"
	"fmt"
	"math/rand"

	"ohmloom/gen/lower"
	"ohmloom/gen/program"
	"ohmloom/hw"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// loadBanks puts the model of a job into the banks of a tile.
func loadBanks(tile *lower.Tile, job *program.Job) {
	tile.Plan = job.Plan
	for i := range tile.Block.Banks {
		tile.Block.Banks[i].Program = lower.BankProgram(job.Plan, i, func(op, j int) hw.BankMatrix {
			rows, m, s, bits, activated := job.Bank(job.Plan.Ops[op].Matrices[j])
			b := hw.BankMatrix{Weights: rows, M: m, S: s}
			switch {
			case job.Normalised(job.Plan.Ops[op].Matrices[j].Name):
				b.Post = hw.PostNorm
			case activated:
				b.Post = hw.PostActivate
			case bits == 16:
				b.Post = hw.Post16
			}
			return b
		})
	}
}

// banks runs every matrix of the model on its bank, at every position of the case, and compares
// the results with the model's; then random operations with random stalls against the
// arithmetic of the bank. Where crossbars are writable, all weights come in through the port.
func (b *bench) banks(e verify.Engine, job *program.Job, cs *program.Case) error {
	blank := b.tile.Block
	if b.writes() {
		blank.Banks = nil
		for _, bank := range b.tile.Block.Banks {
			blank.Banks = append(blank.Banks, bank.Blank())
		}
		if err := e.Power(b.seed, blank.Image(b.tile.Design.Top.Name)); err != nil {
			return err
		}
		if err := b.write(e); err != nil {
			return err
		}
	} else if err := e.Power(b.seed, b.img); err != nil {
		return err
	}
	for i := range b.tile.Block.Banks {
		if cs != nil && len(cs.Steps) > 0 {
			if err := b.projections(e, i, job, cs); err != nil && !errors.Is(err, errFault) {
				return err
			}
		}
		for _, extreme := range []bool{false, true} {
			r := rand.New(rand.NewSource(int64(b.seed)))
			in := b.tile.Block.Banks[i].RandomOps(r, 4, extreme)
			if _, err := b.bank(e, i, "random operations", in, drive.Options{Stall: 0.3, Rand: r}); err != nil && !errors.Is(err, errFault) {
				return err
			}
		}
	}
	return nil
}

// writes tells whether the banks' weights come in through their ports.
func (b *bench) writes() bool { return b.tile.Block.Banks[0].Crossbar.Writable && !b.load }

// write programs every row of every bank through its port, all banks at the same time, and holds
// what becomes of the rows, and the time, against the arithmetic.
func (b *bench) write(e verify.Engine) error {
	banks := b.tile.Block.Banks
	ins, outs := hw.Tile{Banks: banks}.Streams()
	var feeds []drive.Feed
	var wants []drive.Want
	told, formula := make([][]hw.Beat, len(banks)), 0
	b.failed = 0
	for i, bank := range banks {
		work := [][]hw.Beat{nil, nil, bank.RowsOfProgram()}
		_, told[i] = bank.Blank().Written(work[2])
		formula = max(formula, bank.Blank().Cycles(work))
		b.failed += failedRows(told[i])
		feeds = append(feeds, drive.Feed{Name: ins[3*i+2].Name, Beats: work[2]})
		wants = append(wants, drive.Want{Name: outs[2*i+1].Name, Beats: len(told[i])})
	}
	const name = "programming"
	res, err := drive.Run(e, b.tile.Design.Top, feeds, wants, drive.Options{Rand: seeded(b.seed)})
	if err := b.driven(e, name, err); err != nil {
		return err
	}
	b.cycles += res.Cycles
	b.phases = append(b.phases, phase{b.name, name, e.Name(), res.Cycles, formula})
	if res.Cycles != formula {
		b.differ(e, b.tile.Design.Top.Loc, int64(res.Cycles), int64(formula), "cycles of %s", name)
	}
	for i := range banks {
		for n, want := range told[i] {
			b.sameBeat(e, name, outs[2*i+1], res.Out[i][n], want)
		}
	}
	return nil
}

// projections is all operations of bank i at all positions.
func (b *bench) projections(e verify.Engine, i int, job *program.Job, cs *program.Case) error {
	bank, ops := b.tile.Block.Banks[i], job.Plan.Banks[i].Ops
	in := make([][]hw.Beat, 2)
	for s := range cs.Steps {
		for n, op := range ops {
			x, _ := job.Projected(&cs.Steps[s], job.Plan.Ops[op].Matrices[0].Name)
			in[0] = append(in[0], hw.Beat{{uint64(n)}})
			in[1] = append(in[1], bank.Vector(x)...)
		}
	}
	y, err := b.bank(e, i, "projections", in, drive.Options{Rand: rand.New(rand.NewSource(int64(b.seed)))})
	if err != nil || b.failed > 0 { // the arithmetic was compared
		return err
	}
	for s := range cs.Steps {
		for n, op := range ops {
			var got [][]int16
			got, y = bank.Collect(n, y)
			for k, m := range job.Plan.Ops[op].Matrices {
				_, want := job.Projected(&cs.Steps[s], m.Name)
				for o, w := range want[m.First : m.First+m.Out] {
					if got[k][o] != w {
						b.differ(e, b.tile.Design.Top.Loc, int64(got[k][o]), int64(w), "position %d, %s: result %d", cs.Steps[s].Pos, m.Name, m.First+o)
					}
				}
			}
		}
	}
	return nil
}

// bank drives the streams of bank i and holds what comes out, and the time when nothing
// stalls, against the block's arithmetic and formula.
func (b *bench) bank(e verify.Engine, i int, name string, in [][]hw.Beat, opt drive.Options) ([]drive.Beat, error) {
	bank := b.tile.Block.Banks[i]
	if b.writes() {
		bank, _ = bank.Blank().Written(bank.RowsOfProgram())
	}
	want := bank.Arithmetic(in)[0]
	only := hw.Tile{Banks: b.tile.Block.Banks}
	ins, outs := only.Streams()
	feeds, y := 2, i // streams of a bank in, and its results
	if bank.Crossbar.Writable {
		feeds, y = 3, 2*i
	}
	name = fmt.Sprintf("%s, bank %d", name, i)
	res, err := drive.Run(e, b.tile.Design.Top, []drive.Feed{{Name: ins[feeds*i].Name, Beats: in[0]}, {Name: ins[feeds*i+1].Name, Beats: in[1]}},
		[]drive.Want{{Name: outs[y].Name, Beats: len(want)}}, opt)
	if err := b.driven(e, name, err); err != nil {
		return nil, err
	}
	b.cycles += res.Cycles
	if opt.Stall == 0 {
		formula := bank.Cycles(in)
		b.phases = append(b.phases, phase{b.name, name, e.Name(), res.Cycles, formula})
		if res.Cycles != formula {
			b.differ(e, b.tile.Design.Top.Loc, int64(res.Cycles), int64(formula), "cycles of %s", name)
		}
	}
	for n, w := range want {
		b.sameBeat(e, name, outs[y], res.Out[0][n], w)
	}
	return res.Out[0], nil
}

// projections is how many matrices the banks of a job hold.
func projections(job *program.Job) int {
	n := 0
	if job.Plan != nil {
		for _, op := range job.Plan.Ops {
			for _, m := range op.Matrices {
				if m.First == 0 {
					n++
				}
			}
		}
	}
	return n
}
