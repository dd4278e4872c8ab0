package compile

import (
	"context"
	"fmt"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/hw/device"
)

// Command is what begins a run of the chip.
type Command struct {
	Tokens      int    // to write, 0 .. 2^32-1
	Limit       int    // watchdog: cycles without a token, 0 .. 2^32-1; 0: none
	InverseTemp int    // floor(16/temperature + 1/2), 1 .. 255; 0: greedy
	Seed        uint32 // of the sampler, not 0; greedy text has none
}

// Command is the beat of stream cmd for a run from the first instruction on, of a new sequence.
func (p *Compiled) Command(c Command) hw.Beat {
	e := p.Model.Embedding
	return hw.Beat{{0}, {uint64(c.Tokens)}, {uint64(c.Limit)}, {1}, {uint64(c.InverseTemp)}, {uint64(e.M)}, {uint64(e.S)}, {uint64(c.Seed)}}
}

// Row is a row of the embedding table as stream row takes it.
func (p *Compiled) Row(token int) []hw.Beat {
	var beats []hw.Beat
	row, lanes := p.Model.Embedding.Row(token), p.Chip.RowLanes()
	for i := 0; i < len(row); i += lanes {
		beat := make([]uint64, lanes)
		for j := i; j < min(i+lanes, len(row)); j++ {
			beat[j-i] = uint64(uint8(row[j]))
		}
		beats = append(beats, hw.Beat{beat})
	}
	return beats
}

// Projector is the arithmetic of the chip's crossbars: exact products where they lose nothing,
// else those of package device with the description's effects, each matrix cut into blocks as
// the plan has it; where crossbars are writable, of what conducts when the weights were written
// into crossbars without any. Products of a matrix are counted from the first on, which numbers read noise.
// Errors are those of device.Make.
func (p *Compiled) Projector(ctx context.Context) (model.Projector, error) {
	if p.Exact() {
		return model.Project, nil
	}
	written, _ := p.Written()
	arrays := map[string]*array{}
	for _, op := range p.Plan.Ops {
		for i, m := range op.Matrices {
			a := &array{}
			for rb, row := range op.PE[i] {
				var tables []*device.Tables
				for cb, pe := range row {
					t := written.Programmed(op.Bank, pe)
					if t == nil {
						var err error
						if t, err = p.tables(ctx, m.Name, rb, cb, uint64(op.Bank*p.Plan.Chip.BankPEs()+pe)); err != nil {
							return nil, fmt.Errorf("%s: %w", m.Name, err)
						}
					}
					tables = append(tables, t)
				}
				a.blocks = append(a.blocks, tables)
			}
			arrays[m.Name] = a
		}
	}
	return func(w model.Matrix, y []int8) []int32 { return arrays[w.Name].multiply(w.Out, y) }, nil
}

// Exact reports whether every conversion gives the sum of its rows.
func (p *Compiled) Exact() bool {
	x := p.Chip.Bank.Crossbar
	if x.Writable && x.Yield < 1 { // some pairs may keep what they conduct
		if _, failed := p.Written(); failed > 0 {
			return false
		}
	}
	return x.Effects.Ideal() && !x.Effects.Separate && (x.Step == hw.StepIdeal || x.Step == hw.StepClip && 1<<(x.Bits-1)-1 >= x.Active)
}

// tables are those of one block of a matrix in a crossbar of its own.
func (p *Compiled) tables(ctx context.Context, name string, rb, cb int, id uint64) (*device.Tables, error) {
	x, w := p.Chip.Bank.Crossbar, matrix(p.Model, name)
	spec := device.Spec{Effects: x.Effects, Shape: device.Shape{Rows: x.Rows, Cols: x.Cols, Converters: x.Converters(), Active: x.Active, Bits: x.Bits, Step: x.Step}}
	weights := make([][]int8, x.Cols)
	for col := range weights {
		weights[col] = make([]int8, x.Rows)
		if o := cb*x.Cols + col; o < w.Out {
			copy(weights[col], w.Row(o)[rb*x.Rows:])
		}
	}
	if t := x.Solved[id]; t != nil && t.MadeOf(spec, weights, id) {
		return t, nil
	}
	return device.Make(ctx, spec, weights, id)
}

// array is a matrix in crossbars.
type array struct {
	blocks [][]*device.Tables // [row block][column block]
	runs   int
}

func (a *array) multiply(out int, y []int8) []int32 {
	a.runs++
	return device.MultiplyBlocks(a.blocks, y, a.runs-1)[:out]
}

// Beats is what goes into the chip's streams (cmd, prompt, program, row) to go on with a prompt
// when it writes text, and how many requests it makes to the memory. Rows stand ready before
// they are asked for. The text is that of the whole budget.
func (p *Compiled) Beats(c Command, prompt, text []int) (in [][]hw.Beat, fetches int) {
	in = make([][]hw.Beat, 4)
	in[0] = []hw.Beat{p.Command(c)}
	for i, id := range prompt {
		in[1] = append(in[1], hw.Beat{{uint64(id)}, {uint64(flag(i == len(prompt)-1))}})
	}
	fed := append(append([]int(nil), prompt...), text[:max(len(text)-1, 0)]...)
	for i, id := range fed {
		in[3] = append(in[3], p.Row(id)...)
		fetches++
		if i < len(prompt)-1 || len(text) == 0 {
			continue
		}
		fetches++
		for row := range p.Chip.Vocab {
			in[3] = append(in[3], p.Row(row)...)
		}
	}
	return in, fetches
}
