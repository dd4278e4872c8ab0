package device

import (
	"fmt"
	"math"
)

// Network is the resistive network of one crossbar with its wires, in the units of an ON
// cell: conductances in ON conductances, resistances in ON resistances, voltages in the read
// voltage. Row r is driven at one end, before column 0, and open at the other; column c is
// held at virtual ground, by its converter, before row 0 and open beyond the last row, so that
// a matrix smaller than the crossbar lies next to drivers and converters. Between neighbouring
// cells, and between the first cell and its driver or virtual ground, lies one segment of wire:
//
//	V[r] --RowWire-- a[r][0] --RowWire-- a[r][1] -- ...
//	                   |                   |
//	                 G[r][0]             G[r][1]
//	                   |                   |
//	                 b[r][0]             b[r][1]
//	                   |                   |
//	                ColWire             ColWire
//	                   |                   |
//	                 b[r-1][0]           b[r-1][1] -- ... --ColWire-- ground, current of column 1
//
// A row that is not driven is held at 0 V, not left floating, so the network is linear: the
// current of a column is a fixed linear function of the voltages (Effective).
//
// The 1T1R cell is its series resistance; the access transistor's on-resistance belongs to G.
type Network struct {
	Rows, Cols       int       // at least 1 each
	G                []float64 // cell conductances [Rows][Cols], row by row; finite, 0 or more
	RowWire, ColWire float64   // resistance of a segment; finite, 0 or more, 0 is an ideal wire
}

// Solution says how a system was solved.
type Solution struct {
	Iterations int     // of conjugate gradients, each one sweep over rows and one over columns
	Residual   float64 // relative, in the norm of the preconditioner
}

// solveTolerance is the relative residual at which an iteration ends. Column currents are then
// within about 1e-10 of the network's (TestNetworkAgreesWithNgspice asks for 1e-6).
const solveTolerance = 1e-12

// Check says what is wrong with the network.
func (n *Network) Check() error {
	if n.Rows < 1 || n.Cols < 1 {
		return fmt.Errorf("network: %d rows and %d columns, at least 1 each", n.Rows, n.Cols)
	}
	if len(n.G) != n.Rows*n.Cols {
		return fmt.Errorf("network: %d conductances for %d x %d cells", len(n.G), n.Rows, n.Cols)
	}
	for i, g := range n.G {
		if !(g >= 0) || math.IsInf(g, 1) {
			return fmt.Errorf("network: conductance of cell (%d, %d) is %g, allowed is 0 or more", i/n.Cols, i%n.Cols, g)
		}
	}
	for _, w := range []float64{n.RowWire, n.ColWire} {
		if !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("network: wire resistance is %g, allowed is 0 or more", w)
		}
	}
	return nil
}

// Currents solves the network for row voltages v [Rows] and returns the currents that flow
// from the columns into virtual ground [Cols].
func (n *Network) Currents(v []float64) ([]float64, Solution, error) {
	if len(v) != n.Rows {
		return nil, Solution{}, fmt.Errorf("network: %d voltages for %d rows", len(v), n.Rows)
	}
	s, err := newSolver(n)
	if err != nil {
		return nil, Solution{}, err
	}
	// Rows alone, columns at 0 V, give the currents that cells push into the columns.
	f := s.vector()
	for r, volts := range v {
		if s.rowG == 0 {
			fill(s.row(s.a, r), volts)
		} else {
			s.a[r*n.Cols] = s.rowG * volts
		}
	}
	if s.rowG != 0 {
		s.solveRows(s.a)
	}
	for i, g := range n.G {
		f[i] = g * s.a[i]
	}
	out := make([]float64, n.Cols)
	if s.colG == 0 { // columns stay at 0 V
		for r := range n.Rows {
			for c, i := range s.row(f, r) {
				out[c] += i
			}
		}
		return out, Solution{}, nil
	}
	x, how, err := s.solve(f, solveTolerance)
	if err != nil {
		return nil, how, err
	}
	for c, b := range s.row(x, 0) {
		out[c] = s.colG * b
	}
	return out, how, nil
}

// solver holds the factors of one network and the vectors of conjugate gradients.
//
// With the rows' voltages a eliminated, the columns' voltages b [Rows][Cols] follow from
//
//	S b = f,  S = M - G T^-1 G,
//
// where M is the tridiagonal system of each column with all rows at 0 V, and T that of each
// row with all columns at 0 V. Alternating sweeps, b = M^-1 (f + G T^-1 G b), are the
// stationary iteration on it; S is symmetric and positive definite, so conjugate gradients
// with M as the preconditioner do the same work a step and need about the square root of the
// steps. M's products come from a recurrence, which spares differences of near-equal voltages.
type solver struct {
	*Network
	rowG, colG float64 // conductance of a segment, 0 standing for an ideal wire

	// Factors by elimination from the open end of a wire: the conductance h of all that hangs
	// beyond a node grows as h = g + wire*h'/(wire + h'), a sum of positive terms. pivot is
	// 1/(wire + h), ratio is wire*pivot: what of a neighbour's voltage arrives.
	rowPivot, rowRatio, colPivot, colRatio []float64

	a, x, z, p, mp, sp []float64
}

func newSolver(n *Network) (*solver, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	s := (&solver{Network: n}).fork()
	if n.RowWire > 0 {
		s.rowG, s.rowPivot, s.rowRatio = 1/n.RowWire, s.vector(), s.vector()
		for r := range n.Rows {
			h := 0.0
			for i := (r+1)*n.Cols - 1; i >= r*n.Cols; i-- {
				h = s.G[i] + s.rowG*h/(s.rowG+h)
				s.rowPivot[i] = 1 / (s.rowG + h)
				s.rowRatio[i] = s.rowG * s.rowPivot[i]
			}
		}
	}
	if n.ColWire > 0 {
		s.colG, s.colPivot, s.colRatio = 1/n.ColWire, s.vector(), s.vector()
		for c := range n.Cols {
			h := 0.0
			for i := len(n.G) - n.Cols + c; i >= 0; i -= n.Cols {
				h = s.G[i] + s.colG*h/(s.colG+h)
				s.colPivot[i] = 1 / (s.colG + h)
				s.colRatio[i] = s.colG * s.colPivot[i]
			}
		}
	}
	return s, nil
}

// fork is a solver with the same factors and its own vectors.
func (s *solver) fork() *solver {
	f := *s
	for _, v := range []*[]float64{&f.a, &f.x, &f.z, &f.p, &f.mp, &f.sp} {
		*v = f.vector()
	}
	return &f
}

func (s *solver) vector() []float64 { return make([]float64, s.Rows*s.Cols) }

func (s *solver) row(x []float64, r int) []float64 { return x[r*s.Cols : (r+1)*s.Cols] }

func fill(x []float64, v float64) {
	for i := range x {
		x[i] = v
	}
}

// maxIterations bounds conjugate gradients; systems met in practice take tens.
func (s *solver) maxIterations() int { return 100 + 20*(s.Rows+s.Cols) }

// solve returns b with S b = f. The result is the solver's own until the next call; f is
// overwritten. colG must not be 0.
func (s *solver) solve(f []float64, tolerance float64) ([]float64, Solution, error) {
	x, r := s.x, f
	fill(x, 0)
	copy(s.z, r)
	s.solveCols(s.z)
	rz := dot(r, s.z)
	first := rz
	copy(s.p, s.z)
	copy(s.mp, r)
	for k := 0; ; k++ {
		how := Solution{Iterations: k}
		if first > 0 {
			how.Residual = math.Sqrt(rz / first)
		}
		if how.Residual <= tolerance {
			return x, how, nil
		}
		if k == s.maxIterations() {
			return nil, how, fmt.Errorf("network: residual %.2g after %d iterations, wanted %.2g: wires of %g and %g ON resistances are too resistive for a double",
				how.Residual, k, tolerance, s.RowWire, s.ColWire)
		}
		s.apply()
		alpha := rz / dot(s.p, s.sp)
		for i, d := range s.p {
			x[i] += alpha * d
			r[i] -= alpha * s.sp[i]
		}
		copy(s.z, r)
		s.solveCols(s.z)
		next := dot(r, s.z)
		beta := next / rz
		rz = next
		for i, z := range s.z {
			s.p[i] = z + beta*s.p[i]
			s.mp[i] = r[i] + beta*s.mp[i]
		}
	}
}

// apply sets sp = S p from mp = M p.
func (s *solver) apply() {
	if s.rowG == 0 { // rows stay at their drivers' voltage
		copy(s.sp, s.mp)
		return
	}
	for i, g := range s.G {
		s.a[i] = g * s.p[i]
	}
	s.solveRows(s.a)
	for i, g := range s.G {
		s.sp[i] = s.mp[i] - g*s.a[i]
	}
}

// solveRows replaces currents into the nodes of each row by its voltages: T^-1 x. Four rows
// at a time, whose recurrences do not wait for each other.
func (s *solver) solveRows(x []float64) {
	r := 0
	for ; r+4 <= s.Rows; r += 4 {
		x0, x1, x2, x3 := s.row(x, r), s.row(x, r+1), s.row(x, r+2), s.row(x, r+3)
		q0, q1, q2, q3 := s.row(s.rowRatio, r), s.row(s.rowRatio, r+1), s.row(s.rowRatio, r+2), s.row(s.rowRatio, r+3)
		p0, p1, p2, p3 := s.row(s.rowPivot, r), s.row(s.rowPivot, r+1), s.row(s.rowPivot, r+2), s.row(s.rowPivot, r+3)
		var y0, y1, y2, y3 float64
		for j := s.Cols - 1; j > 0; j-- {
			x0[j] += y0
			x1[j] += y1
			x2[j] += y2
			x3[j] += y3
			y0, y1, y2, y3 = x0[j]*q0[j], x1[j]*q1[j], x2[j]*q2[j], x3[j]*q3[j]
		}
		x0[0] += y0
		x1[0] += y1
		x2[0] += y2
		x3[0] += y3
		y0, y1, y2, y3 = 0, 0, 0, 0
		for j := range s.Cols {
			y0, y1, y2, y3 = x0[j]*p0[j]+y0*q0[j], x1[j]*p1[j]+y1*q1[j], x2[j]*p2[j]+y2*q2[j], x3[j]*p3[j]+y3*q3[j]
			x0[j], x1[j], x2[j], x3[j] = y0, y1, y2, y3
		}
	}
	for ; r < s.Rows; r++ {
		x, q, p := s.row(x, r), s.row(s.rowRatio, r), s.row(s.rowPivot, r)
		y := 0.0
		for j := s.Cols - 1; j >= 0; j-- {
			x[j] += y
			y = x[j] * q[j]
		}
		y = 0
		for j := range x {
			y = x[j]*p[j] + y*q[j]
			x[j] = y
		}
	}
}

// solveCols replaces currents into the nodes of each column by its voltages: M^-1 x. All
// columns advance together, so that memory is read in order.
func (s *solver) solveCols(x []float64) {
	for r := s.Rows - 2; r >= 0; r-- {
		here, beyond, ratio := s.row(x, r), s.row(x, r+1), s.row(s.colRatio, r+1)
		for c := range here {
			here[c] += beyond[c] * ratio[c]
		}
	}
	first, pivot := s.row(x, 0), s.row(s.colPivot, 0)
	for c := range first {
		first[c] *= pivot[c]
	}
	for r := 1; r < s.Rows; r++ {
		here, before := s.row(x, r), s.row(x, r-1)
		pivot, ratio := s.row(s.colPivot, r), s.row(s.colRatio, r)
		for c := range here {
			here[c] = here[c]*pivot[c] + before[c]*ratio[c]
		}
	}
}

func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		a, b := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
