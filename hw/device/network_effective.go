package device

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// effectiveTolerance is the relative residual at which Effective's iterations end. It costs a
// third less than solveTolerance and leaves entries within about 1e-8 of the network's
// (TestEffectiveConductancesGiveTheNetworksCurrents), far below any table's resolution.
const effectiveTolerance = 1e-9

// Effective is the network as its terminals see it: the matrix [Rows][Cols], row by row, with
// current of column c = sum over r of Effective[r][c] * V[r]. Without wire resistance it is G.
// IR drop thereby becomes a static table, in ON conductances like G.
//
// By reciprocity the entries of column c are the currents that 1 V on that column's terminal
// drives into the rows' drivers, so one system is solved for each column, on all processors.
// With ideal wires in one direction the lines do not interact and no system is solved.
func (n *Network) Effective(ctx context.Context) ([]float64, error) {
	s, err := newSolver(n)
	if err != nil {
		return nil, err
	}
	out := s.vector()
	switch {
	case s.rowG == 0 && s.colG == 0:
		copy(out, n.G)
		return out, nil
	case s.colG == 0: // what arrives at each cell from its driver
		for r := range n.Rows {
			out[r*n.Cols] = s.rowG
		}
		s.solveRows(out)
	case s.rowG == 0: // what arrives at each cell from its column's terminal
		fill(s.row(out, 0), s.colG)
		s.solveCols(out)
	default:
		return out, s.effective(ctx, out)
	}
	for i, g := range n.G {
		out[i] *= g
	}
	return out, nil
}

// effective fills out, a column at a time.
func (s *solver) effective(ctx context.Context, out []float64) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := min(runtime.GOMAXPROCS(0), s.Cols)
	for w := range workers {
		group.Go(func() error {
			s, f := s.fork(), s.vector()
			for c := w; c < s.Cols; c += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				fill(f, 0)
				f[c] = s.colG
				b, _, err := s.solve(f, effectiveTolerance)
				if err != nil {
					return err
				}
				for i, g := range s.G {
					s.a[i] = g * b[i]
				}
				s.solveRows(s.a)
				for r := range s.Rows {
					out[r*s.Cols+c] = s.rowG * s.a[r*s.Cols]
				}
			}
			return nil
		})
	}
	return group.Wait()
}
