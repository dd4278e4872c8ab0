package hw

import (
	"context"

	"ohmloom/hw/device"
)

// Solved are tables of crossbars that were made before they are asked for, by the crossbar's ID.
type Solved map[uint64]*device.Tables

// Wired reports that making the tables solves resistive networks, which takes about a second for
// each half of 256 x 256 cells.
func (b Crossbar) Wired() bool { return b.Effects.WireRow > 0 || b.Effects.WireCol > 0 }

// Solve makes the tables of crossbars, one after the other, each on all processors, and calls step
// after each. ctx ends it early. Errors are those of device.Make.
func Solve(ctx context.Context, all []Crossbar, step func()) (Solved, error) {
	made := Solved{}
	for _, b := range all {
		t, err := device.Make(ctx, b.spec(), b.Weights, b.ID)
		if err != nil {
			return nil, err
		}
		made[b.ID] = t
		step()
	}
	return made, nil
}

// Crossbars are all crossbars of a tile, with their weights.
func (b Tile) Crossbars() []Crossbar {
	var all []Crossbar
	for _, bank := range b.Banks {
		all = append(all, bank.crossbars()...)
	}
	if b.PIM != nil {
		for row := range b.PIM.RowBlocks {
			for col := range b.PIM.ColBlocks {
				all = append(all, b.PIM.block(row, col))
			}
		}
	}
	return all
}

// WithSolved is the tile with tables that were made before.
func (b Tile) WithSolved(s Solved) Tile {
	if b.PIM != nil {
		pim := *b.PIM
		pim.Crossbar.Solved = s
		b.PIM = &pim
	}
	banks := make([]Bank, len(b.Banks))
	for i, bank := range b.Banks {
		bank.Crossbar.Solved = s
		banks[i] = bank
	}
	if b.Banks != nil {
		b.Banks = banks
	}
	return b
}

// Crossbars are all crossbars of a chip, with their weights.
func (b Chip) Crossbars() []Crossbar {
	var all []Crossbar
	for i := range b.Banks {
		all = append(all, b.bank(i).crossbars()...)
	}
	return all
}
