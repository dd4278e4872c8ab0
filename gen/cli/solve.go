package cli

import (
	"context"
	"errors"

	"ohmloom/gen/compile"
	"ohmloom/gen/lower"
	"ohmloom/hw"
)

// solved makes the tables of crossbars with wire resistances, a second or more each, with a
// progress bar and until it is interrupted. Others are made when they are needed: nil.
func (a *app) solved(ctx context.Context, all []hw.Crossbar) (hw.Solved, error) {
	if len(all) == 0 || !all[0].Wired() {
		return nil, nil
	}
	bar, n := a.progress("solving crossbars", len(all)), 0
	defer bar.done()
	s, err := hw.Solve(ctx, all, func() { n++; bar.set(n) })
	switch {
	case errors.Is(err, context.Canceled):
		return nil, err
	case err != nil:
		return nil, failed("%w", err)
	}
	return s, nil
}

// solvedTile makes the tables of a tile's crossbars.
func (a *app) solvedTile(ctx context.Context, tile *lower.Tile) error {
	s, err := a.solved(ctx, tile.Block.Crossbars())
	if s != nil {
		tile.Block = tile.Block.WithSolved(s)
	}
	return err
}

// solvedChip makes the tables of a compiled chip's crossbars.
func (a *app) solvedChip(ctx context.Context, p *compile.Compiled) (err error) {
	p.Chip.Bank.Crossbar.Solved, err = a.solved(ctx, p.Chip.Crossbars())
	return err
}
