package mapping

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// random is a chip and operations that need at most its PEs, of any shape.
func random(r *rand.Rand) (Chip, []Op) {
	c := Chip{Banks: 1 + r.Intn(3), TileRows: 1 + r.Intn(3), TileCols: 1 + r.Intn(4), PEs: 1 + r.Intn(7), Rows: 1 + r.Intn(48), Cols: 1 + r.Intn(40)}
	var ops []Op
	for left := c.Banks * c.BankPEs(); left > 0; {
		op := Op{Name: fmt.Sprintf("op%d", len(ops))}
		in := 1 + r.Intn(3*c.Rows)
		for range 1 + r.Intn(3) {
			op.Matrices = append(op.Matrices, Matrix{Name: fmt.Sprint(len(op.Matrices)), In: in, Out: 1 + r.Intn(3*c.Cols)})
		}
		ops = append(ops, op)
		left -= c.NeedPEs(op)
	}
	return c, ops
}

// TestEveryBlockHasAPEOfItsOwn also holds the two views of a plan against each other.
func TestEveryBlockHasAPEOfItsOwn(t *testing.T) {
	placed := 0
	for seed := int64(0); seed < 300; seed++ {
		c, ops := random(rand.New(rand.NewSource(seed)))
		plan, err := Place(c, ops)
		if err != nil {
			continue
		}
		placed++
		blocks, used := 0, 0
		for i, op := range plan.Ops {
			if plan.Banks[op.Bank].Ops[op.Index] != i {
				t.Fatalf("seed %d: operation %d is not number %d of bank %d", seed, i, op.Index, op.Bank)
			}
			for j, m := range op.Matrices {
				for rb := range c.RowBlocks(m) {
					for cb := range c.ColBlocks(m) {
						blocks++
						want := Slot{Used: true, Op: i, Matrix: j, RowBlock: rb, ColBlock: cb}
						if got := plan.Banks[op.Bank].Slots[op.PE[j][rb][cb]]; got != want {
							t.Fatalf("seed %d: PE holds %+v, want %+v", seed, got, want)
						}
					}
				}
			}
		}
		for _, b := range plan.Banks {
			used += b.UsedPEs()
		}
		if used != blocks {
			t.Fatalf("seed %d: %d PEs for %d blocks", seed, used, blocks)
		}
	}
	if placed < 20 {
		t.Errorf("only %d of the random chips had room", placed)
	}
}

// TestRowBlocksAreNeighbours: PEs whose sums are added are in as few tiles as that many PEs
// can be when the first begins anywhere in its tile, and these tiles are neighbours.
func TestRowBlocksAreNeighbours(t *testing.T) {
	for seed := int64(0); seed < 300; seed++ {
		c, ops := random(rand.New(rand.NewSource(seed)))
		plan, err := Place(c, ops)
		if err != nil {
			continue
		}
		for _, op := range plan.Ops {
			for _, pes := range op.PE {
				for cb := range pes[0] {
					tiles := map[int]bool{}
					for rb := range pes {
						tile := pes[rb][cb] / c.PEs
						if rb > 0 {
							last := pes[rb-1][cb] / c.PEs
							if far := abs(tile/c.TileCols-last/c.TileCols) + abs(tile%c.TileCols-last%c.TileCols); far > 1 {
								t.Fatalf("seed %d: row blocks %d and %d are %d tiles apart", seed, rb-1, rb, far)
							}
						}
						tiles[tile] = true
					}
					if most := 1 + ceilDiv(len(pes)-1, c.PEs); len(tiles) > most {
						t.Fatalf("seed %d: %d row blocks are spread over %d tiles, %d are enough", seed, len(pes), len(tiles), most)
					}
				}
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestWhatDoesNotFitSaysHowManyPEsAreMissing(t *testing.T) {
	c := Chip{Banks: 2, TileRows: 1, TileCols: 2, PEs: 3, Rows: 48, Cols: 40}
	op := func(name string, out, in int) Op {
		return Op{Name: name, Matrices: []Matrix{{Name: name, Out: out, In: in}}}
	}
	four, five := op("four", 80, 96), op("five", 200, 48)
	for _, k := range []struct {
		ops  []Op
		want string
	}{
		{[]Op{four, four}, ""},
		{[]Op{op("one", 40, 48), five, five}, ""},
		{[]Op{four, four, four, op("two", 41, 48)}, "2 PEs are missing: the matrices need 14, there are 12 (four found no place)"},
		{[]Op{four, four, four}, "2 PEs are missing: four needs 4 in one bank, the emptiest has 2 left (all matrices need 12, there are 12)"},
		{[]Op{op("nine", 120, 144)}, "3 PEs are missing: nine needs 9 in one bank, the emptiest has 6 left (all matrices need 9, there are 12)"},
	} {
		_, err := Place(c, k.ops)
		switch {
		case k.want == "" && err != nil:
			t.Errorf("%v: %v", k.ops, err)
		case k.want != "" && (err == nil || err.Error() != k.want):
			t.Errorf("error %v, want %q", err, k.want)
		}
	}
}

func TestFullTablesAreNamed(t *testing.T) {
	ops := []Op{
		{Name: "a", Matrices: []Matrix{{Out: 3, In: 4}, {Out: 2, In: 4}}},
		{Name: "b", Matrices: []Matrix{{Out: 2, In: 2}}},
	}
	for want, c := range map[string]Chip{
		"":                {Banks: 1, Ops: 2, Blocks: 3, Reads: 4},
		"1 operations":    {Banks: 1, Ops: 1},
		"2 row blocks":    {Banks: 1, Blocks: 2},
		"3 column blocks": {Banks: 1, Reads: 3},
	} {
		c.TileRows, c.TileCols, c.PEs, c.Rows, c.Cols = 1, 1, 20, 2, 2
		_, err := Place(c, ops)
		var none *NoRoom
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (!errors.As(err, &none) || !strings.Contains(err.Error(), want)):
			t.Errorf("error %v, want %q", err, want)
		}
	}
	two := Chip{Banks: 2, TileRows: 1, TileCols: 1, PEs: 20, Rows: 2, Cols: 2, Ops: 1}
	if plan, err := Place(two, ops); err != nil || plan.Ops[1].Bank != 1 || plan.Ops[1].Index != 0 {
		t.Errorf("a full table in bank 0 must send the next operation to bank 1: %v", err)
	}
}

// TestOperationsAreCutOverBanks: every output of every matrix is in one part, each block in a PE of
// its own, row blocks together in a bank; and what is not cut is as without Split.
func TestOperationsAreCutOverBanks(t *testing.T) {
	cut := 0
	for seed := int64(0); seed < 400; seed++ {
		c, ops := random(rand.New(rand.NewSource(seed)))
		whole, err := Place(c, ops)
		c.Split = true
		plan, splitErr := Place(c, ops)
		if err == nil && (splitErr != nil || len(plan.Ops) != len(whole.Ops)) {
			t.Fatalf("seed %d: without need, operations were cut, or %v", seed, splitErr)
		}
		if splitErr != nil {
			continue
		}
		if err != nil {
			cut++
		}
		type output struct {
			op, matrix string
			at         int
		}
		outputs, pes := map[output]int{}, map[[2]int]bool{}
		for _, op := range plan.Ops {
			name, _, _ := strings.Cut(op.Name, ",")
			for i, m := range op.Matrices {
				for o := range m.Out {
					outputs[output{name, m.Name, m.First + o}]++
				}
				if m.First%c.Cols != 0 || len(op.PE[i]) != c.RowBlocks(m) || len(op.PE[i][0]) != c.ColBlocks(m) {
					t.Fatalf("seed %d: %s, %+v has PEs %v", seed, op.Name, m, op.PE[i])
				}
				for _, row := range op.PE[i] {
					for _, pe := range row {
						if pes[[2]int{op.Bank, pe}] {
							t.Fatalf("seed %d: PE %d of bank %d is taken twice", seed, pe, op.Bank)
						}
						pes[[2]int{op.Bank, pe}] = true
					}
				}
			}
		}
		for _, op := range ops {
			for _, m := range op.Matrices {
				for o := range m.Out {
					if n := outputs[output{op.Name, m.Name, o}]; n != 1 {
						t.Fatalf("seed %d: output %d of %s of %s is in %d parts", seed, o, m.Name, op.Name, n)
					}
				}
			}
		}
	}
	if cut < 20 {
		t.Errorf("only %d of the random chips had room for parts alone", cut)
	}
}

// TestAStageStaysInOneBank: where each stage fits a bank, the operations of its layers follow each
// other in the tables of one, whatever the banks are.
func TestAStageStaysInOneBank(t *testing.T) {
	size := func(_ int, projection string) (out, in int) {
		return map[string]int{"w1": 256}[projection] + 64, map[string]int{"w2": 256}[projection] + 64
	}
	const layers = 3 // of 3, 1, 5 and 5 PEs: 9, 3, 15 and 15
	for _, c := range []Chip{{Banks: 1, PEs: 42}, {Banks: 2, PEs: 24}, {Banks: 3, PEs: 15}, {Banks: 4, PEs: 15}} {
		c.TileRows, c.TileCols, c.Rows, c.Cols = 1, 1, 64, 64
		plan, err := PlaceStages(c, Decoder(layers, size))
		if err != nil {
			t.Errorf("%d banks: %v", c.Banks, err)
			continue
		}
		for i, op := range plan.Ops {
			if first := plan.Ops[i/layers*layers]; op.Bank != first.Bank || op.Index != first.Index+i%layers {
				t.Errorf("%d banks: %s is in bank %d, number %d; %s in bank %d, number %d", c.Banks, op.Name, op.Bank, op.Index, first.Name, first.Bank, first.Index)
			}
		}
	}
	odd := Chip{Banks: 7, TileRows: 1, TileCols: 1, PEs: 9, Rows: 64, Cols: 64} // no bank has room for W_I of all layers
	if plan, err := PlaceStages(odd, Decoder(layers, size)); err != nil || len(plan.Ops) != layers*Stages() {
		t.Errorf("stages that fit no bank: %v", err)
	}
}
