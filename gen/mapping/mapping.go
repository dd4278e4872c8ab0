// Package mapping places matrices on the PEs of banks: a pure function from shapes to places.
//
// A matrix of Out x In is cut into blocks of as many inputs and outputs as a crossbar has
// rows and columns; each block takes one PE. The routers of a bank add up sums of any PEs of
// it, so that what is placed where decides how far sums travel, never whether they arrive:
// the row blocks of a column block, which are added, take PEs that follow each other. PEs
// follow each other within a tile, and tiles like an ox ploughs, so that neighbours in the
// order are neighbours in the bank.
package mapping

import "fmt"

// Chip is the banks there are.
type Chip struct {
	Split bool // operations that no bank has room for are cut along their outputs

	Banks              int
	TileRows, TileCols int // tiles of a bank
	PEs                int // of a tile
	Rows, Cols         int // cells of a crossbar: inputs and outputs of a block

	// What the tables of a bank hold; 0 is no limit.
	Ops    int // operations
	Blocks int // row blocks, one for each of an operation
	Reads  int // column blocks, one for each of a matrix
}

// Tiles and BankPEs are those of one bank.
func (c Chip) Tiles() int   { return c.TileRows * c.TileCols }
func (c Chip) BankPEs() int { return c.Tiles() * c.PEs }

// Matrix is the shape of one matrix.
type Matrix struct {
	Name    string
	Out, In int // from 1
	First   int // of the whole matrix's outputs, in a part of it; else 0
}

// RowBlocks and ColBlocks are the blocks along the inputs and the outputs.
func (c Chip) RowBlocks(m Matrix) int { return ceilDiv(m.In, c.Rows) }
func (c Chip) ColBlocks(m Matrix) int { return ceilDiv(m.Out, c.Cols) }

// Op is an operation: matrices that multiply the same vector, at the same time.
type Op struct {
	Name     string
	Matrices []Matrix // at least one, all with the same In
}

// NeedPEs is how many PEs an operation takes.
func (c Chip) NeedPEs(op Op) int {
	n := 0
	for _, m := range op.Matrices {
		n += c.RowBlocks(m) * c.ColBlocks(m)
	}
	return n
}

// Plan is where everything is.
type Plan struct {
	Chip  Chip
	Ops   []Placed // in the order they were given; parts of an operation follow each other
	Banks []Bank
}

// Placed is an operation and its place.
type Placed struct {
	Op
	Bank  int       // that holds it
	Index int       // among the bank's operations, in their order
	PE    [][][]int // [matrix][row block][column block]: PE of the bank, tile after tile, rows of tiles from west to east
}

// Bank is what one bank holds.
type Bank struct {
	Ops   []int  // indices into Plan.Ops
	Slots []Slot // of each PE
}

// Slot is the content of one PE.
type Slot struct {
	Used               bool
	Op, Matrix         int // indices into Plan.Ops and its Matrices
	RowBlock, ColBlock int
}

// UsedPEs is how many PEs of the bank hold something.
func (b Bank) UsedPEs() int {
	n := 0
	for _, s := range b.Slots {
		if s.Used {
			n++
		}
	}
	return n
}

// NoRoom is the error of operations that do not fit.
type NoRoom struct {
	Op      string // the first that found no place
	Need    int    // PEs of this operation
	Free    int    // PEs left in the bank that had most of them
	Missing int    // PEs that are missing for it, in a bank it has to be in as a whole
	Total   int    // PEs that all operations need
	Have    int    // PEs there are
	Table   string // the table that is full instead: "operations", "row blocks" or "column blocks"; else ""
	Limit   int    // words of the table
}

func (e *NoRoom) Error() string {
	if e.Table != "" {
		return fmt.Sprintf("%s does not fit: the tables of every bank with room for it hold %d %s and are full", e.Op, e.Limit, e.Table)
	}
	if e.Total > e.Have {
		return fmt.Sprintf("%d PEs are missing: the matrices need %d, there are %d (%s found no place)", e.Total-e.Have, e.Total, e.Have, e.Op)
	}
	return fmt.Sprintf("%d PEs are missing: %s needs %d in one bank, the emptiest has %d left (all matrices need %d, there are %d)",
		e.Missing, e.Op, e.Need, e.Free, e.Total, e.Have)
}

// Place gives every operation the first bank that has room for it, and in the bank the next
// PEs in order. With Split, an operation that has room in no bank is placed in parts, each an
// operation of its own with some of the outputs. It fails with *NoRoom. Operations in which the inputs differ, or sizes below
// 1, are a programmer's mistake and panic.
func Place(c Chip, ops []Op) (*Plan, error) {
	p := newPlacer(c)
	for _, op := range ops {
		check(op)
		bank, err := p.find(op)
		if err != nil && c.Split {
			if parts := p.split(op); parts != nil {
				for _, x := range parts {
					p.put(x.op, x.bank)
				}
				continue
			}
		}
		if err != nil {
			for _, o := range ops {
				err.Total += c.NeedPEs(o)
			}
			return nil, err
		}
		p.put(op, bank)
	}
	return &p.Plan, nil
}

func newPlacer(c Chip) *placer {
	p := &placer{Plan: Plan{Chip: c, Banks: make([]Bank, c.Banks)}, next: make([]int, c.Banks),
		blocks: make([]int, c.Banks), reads: make([]int, c.Banks), order: order(c)}
	for b := range p.Banks {
		p.Banks[b].Slots = make([]Slot, c.BankPEs())
	}
	return p
}

func check(op Op) {
	for _, m := range op.Matrices {
		if m.In < 1 || m.Out < 1 || m.In != op.Matrices[0].In {
			panic(fmt.Sprintf("mapping: operation %s has a matrix of %d x %d beside one of %d inputs", op.Name, m.Out, m.In, op.Matrices[0].In))
		}
	}
	if len(op.Matrices) == 0 {
		panic("mapping: operation " + op.Name + " has no matrix")
	}
}

type placer struct {
	Plan
	next          []int // of each bank: how many PEs are taken
	blocks, reads []int // words of its tables that are taken
	order         []int // PEs in the order in which they are taken
}

// tables is what an operation takes of the tables.
func (c Chip) tables(op Op) (blocks, reads int) {
	for _, m := range op.Matrices {
		reads += c.ColBlocks(m)
	}
	return c.RowBlocks(op.Matrices[0]), reads
}

func (p *placer) find(op Op) (int, *NoRoom) {
	c, need := p.Chip, p.Chip.NeedPEs(op)
	blocks, reads := c.tables(op)
	e := &NoRoom{Op: op.Name, Need: need, Have: c.Banks * c.BankPEs()}
	for b := range p.Banks {
		free := c.BankPEs() - p.next[b]
		e.Free = max(e.Free, free)
		if free < need {
			continue
		}
		switch {
		case full(len(p.Banks[b].Ops)+1, c.Ops):
			e.Table, e.Limit = "operations", c.Ops
		case full(p.blocks[b]+blocks, c.Blocks):
			e.Table, e.Limit = "row blocks", c.Blocks
		case full(p.reads[b]+reads, c.Reads):
			e.Table, e.Limit = "column blocks", c.Reads
		default:
			return b, nil
		}
	}
	e.Missing = need - e.Free
	return 0, e
}

func full(n, limit int) bool { return limit > 0 && n > limit }

func (p *placer) put(op Op, bank int) {
	blocks, reads := p.Chip.tables(op)
	p.blocks[bank] += blocks
	p.reads[bank] += reads
	at, b := len(p.Ops), &p.Banks[bank]
	placed := Placed{Op: op, Bank: bank, Index: len(b.Ops)}
	for i, m := range op.Matrices {
		rows, cols := p.Chip.RowBlocks(m), p.Chip.ColBlocks(m)
		pes := make([][]int, rows)
		for r := range pes {
			pes[r] = make([]int, cols)
		}
		for col := range cols {
			for row := range rows {
				pe := p.order[p.next[bank]]
				p.next[bank]++
				pes[row][col] = pe
				b.Slots[pe] = Slot{Used: true, Op: at, Matrix: i, RowBlock: row, ColBlock: col}
			}
		}
		placed.PE = append(placed.PE, pes)
	}
	b.Ops = append(b.Ops, at)
	p.Ops = append(p.Ops, placed)
}

// order is the PEs of a bank, neighbours beside each other: tiles from west to east in the
// first row, back in the second, and so on.
func order(c Chip) []int {
	var pes []int
	for r := range c.TileRows {
		for i := range c.TileCols {
			col := i
			if r%2 == 1 {
				col = c.TileCols - 1 - i
			}
			for pe := range c.PEs {
				pes = append(pes, (r*c.TileCols+col)*c.PEs+pe)
			}
		}
	}
	return pes
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
