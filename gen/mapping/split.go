package mapping

import (
	"cmp"
	"fmt"
	"slices"
)

// part is some of an operation's column blocks and the bank they are for.
type part struct {
	op   Op
	bank int
}

// split cuts an operation that no bank has room for along its outputs, bank after bank as room
// there is, or gives nil. Row blocks stay together: their sums are added within a bank.
func (p *placer) split(op Op) []part {
	c, rows := p.Chip, p.Chip.RowBlocks(op.Matrices[0])
	matrix, col := 0, 0 // the next column block
	var parts []part
	for b := range p.Banks {
		room := (c.BankPEs() - p.next[b]) / rows
		if c.Reads > 0 {
			room = min(room, c.Reads-p.reads[b])
		}
		if full(len(p.Banks[b].Ops)+1, c.Ops) || full(p.blocks[b]+rows, c.Blocks) {
			room = 0
		}
		here := Op{Name: fmt.Sprintf("%s, part %d", op.Name, len(parts)+1)}
		for room > 0 && matrix < len(op.Matrices) {
			m := op.Matrices[matrix]
			n := min(room, c.ColBlocks(m)-col)
			first := col * c.Cols
			here.Matrices = append(here.Matrices, Matrix{Name: m.Name, In: m.In, First: m.First + first, Out: min(n*c.Cols, m.Out-first)})
			room -= n
			if col += n; col == c.ColBlocks(m) {
				matrix, col = matrix+1, 0
			}
		}
		if here.Matrices != nil {
			parts = append(parts, part{here, b})
		}
		if matrix == len(op.Matrices) {
			return parts
		}
	}
	return nil
}

// PlaceStages places the operations of a decoder stage by stage, in each those of all layers, so
// that one program serves all layers: where there is room, all of a stage are in one bank and
// follow each other in its tables. Else it is Place.
func PlaceStages(c Chip, layers []Op) (*Plan, error) {
	n := len(layers) / Stages()
	var ops []Op
	for stage := range Stages() {
		for layer := range n {
			ops = append(ops, layers[layer*Stages()+stage])
		}
	}
	banks := stageBanks(c, ops, n)
	if banks == nil {
		return Place(c, ops)
	}
	p := newPlacer(c)
	for i, op := range ops {
		check(op)
		p.put(op, banks[i/n])
	}
	return &p.Plan, nil
}

// use is what operations take of a bank.
type use struct{ pes, ops, blocks, reads int }

func (u use) and(v use) use {
	return use{u.pes + v.pes, u.ops + v.ops, u.blocks + v.blocks, u.reads + v.reads}
}

// fits reports whether a bank has that much.
func (c Chip) fits(u use) bool {
	return u.pes <= c.BankPEs() && !full(u.ops, c.Ops) && !full(u.blocks, c.Blocks) && !full(u.reads, c.Reads)
}

// stageBanks gives each stage of n operations the first bank with room for all of them, in the
// order of the stages or the largest first, or nil.
func stageBanks(c Chip, ops []Op, n int) []int {
	if n == 0 {
		return nil
	}
	need, order := make([]use, Stages()), make([]int, Stages())
	for i, op := range ops {
		blocks, reads := c.tables(op)
		need[i/n] = need[i/n].and(use{c.NeedPEs(op), 1, blocks, reads})
	}
	for stage := range order {
		order[stage] = stage
	}
	if banks := c.firstBanks(need, order); banks != nil {
		return banks
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(need[b].pes, need[a].pes) })
	return c.firstBanks(need, order)
}

// firstBanks gives each stage, in the order, the first bank with room for what it needs, or nil.
func (c Chip) firstBanks(need []use, order []int) []int {
	taken, banks := make([]use, c.Banks), make([]int, len(need))
	for _, stage := range order {
		at := slices.IndexFunc(taken, func(t use) bool { return c.fits(t.and(need[stage])) })
		if at < 0 {
			return nil
		}
		taken[at], banks[stage] = taken[at].and(need[stage]), at
	}
	return banks
}

// Numbers gives the number of the crossbar that holds a block of a matrix, which device effects are
// drawn by: that of its PE, counted over all banks.
func (p *Plan) Numbers() func(matrix string, rowBlock, colBlock int) uint64 {
	type block struct {
		matrix   string
		row, col int
	}
	at := map[block]uint64{}
	for _, op := range p.Ops {
		for i, m := range op.Matrices {
			for r, row := range op.PE[i] {
				for c, pe := range row {
					at[block{m.Name, r, m.First/p.Chip.Cols + c}] = uint64(op.Bank*p.Chip.BankPEs() + pe)
				}
			}
		}
	}
	return func(matrix string, rowBlock, colBlock int) uint64 {
		n, ok := at[block{matrix, rowBlock, colBlock}]
		if !ok {
			panic(fmt.Sprintf("mapping: no block %d, %d of %s in the plan", rowBlock, colBlock, matrix))
		}
		return n
	}
}
