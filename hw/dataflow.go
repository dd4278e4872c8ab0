package hw

// Dataflow is which operand of a matrix product stays in a systolic array.
type Dataflow string

// The dataflows.
const (
	OutputStationary Dataflow = "output_stationary"
	WeightStationary Dataflow = "weight_stationary"
	InputStationary  Dataflow = "input_stationary"
)

// Dataflows lists them all.
var Dataflows = []Dataflow{OutputStationary, WeightStationary, InputStationary}

// Plan is an M x K by K x N product on an array in one dataflow: so many folds of so many
// cycles each. Inputs are the M x K matrix, weights the K x N one. Edges are folds too.
type Plan struct {
	Dataflow   Dataflow
	Folds      int
	FoldCycles int
}

// Cycles is the time of all folds, one after the other.
func (p Plan) Cycles() int { return p.Folds * p.FoldCycles }

// PlanMatMul is the product on rows x cols processing elements, each size at least 1:
//
//	output-stationary  ceil(M/rows) ceil(N/cols) folds of K + rows + cols - 2 cycles
//	weight-stationary  ceil(K/rows) ceil(N/cols) folds of M + 2 rows + cols - 2
//	input-stationary   ceil(K/rows) ceil(M/cols) folds of N + 2 rows + cols - 2
//
// as SCALE-Sim counts them (arXiv 1811.02883): blocks BufferedArray, AccumulatedArray.
func PlanMatMul(d Dataflow, rows, cols, m, k, n int) Plan {
	switch d {
	case OutputStationary:
		return Plan{d, ceilDiv(m, rows) * ceilDiv(n, cols), k + rows + cols - 2}
	case WeightStationary:
		return Plan{d, ceilDiv(k, rows) * ceilDiv(n, cols), m + 2*rows + cols - 2}
	case InputStationary:
		return Plan{d, ceilDiv(k, rows) * ceilDiv(m, cols), n + 2*rows + cols - 2}
	}
	panic("hw: no dataflow " + string(d))
}

// BestPlan is the plan of fewest cycles; of equals the first in the order of Dataflows.
func BestPlan(rows, cols, m, k, n int) Plan {
	best := PlanMatMul(Dataflows[0], rows, cols, m, k, n)
	for _, d := range Dataflows[1:] {
		if p := PlanMatMul(d, rows, cols, m, k, n); p.Cycles() < best.Cycles() {
			best = p
		}
	}
	return best
}
