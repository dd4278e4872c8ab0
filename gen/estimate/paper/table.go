package paper

import (
	"ohmloom/gen/arch"
	"ohmloom/gen/estimate"
)

// Contexts are those of the paper's figures.
var Contexts = []int{128, 256, 512, 1024, 2048, 4096}

// Systems are the paper's and ohmloom's, in the order of the tables.
var Systems = []string{TPU, PIM, OhmloomColumn, OhmloomSpread}

// Variants of the figures. For ohmloom they differ in the models' shapes only.
const (
	Published = "published"
	Corrected = "corrected"
)

// Row is one system, model and context.
type Row struct {
	Model   arch.Model
	Context int
	System  string
	Variant string
	Figures
	SpeedUp float64 // over TPU-LLM
	OverPIM float64 // over PIM-LLM

	// Of ohmloom only.
	Bound      string  // what bounds the kind of layer that takes longest
	BoundShare float64 // of all cycles, what that bound alone takes
	ADCs       *estimate.Quantity
	AnalogArea *estimate.Quantity

	// With digital parts as synthesised, their clocks and leakage, in place of cited figures.
	Synthesised *estimate.Result
}

// Table is all systems, models of the paper, contexts and variants.
// ohmloom's energy is of tech, and once more of the technology synthesised.
func Table(models []arch.Model, tech, synthesised arch.Technology, corrected Corrections) ([]Row, error) {
	var rows []Row
	for _, v := range []struct {
		name string
		on   Corrections
	}{{Published, nil}, {Corrected, corrected}} {
		for _, m := range models {
			for _, l := range Contexts {
				at := len(rows)
				for _, system := range Systems {
					r, err := row(system, m, l, v.on, tech, synthesised)
					if err != nil {
						return nil, err
					}
					r.Variant = v.name
					rows = append(rows, r)
				}
				for i := at; i < len(rows); i++ {
					rows[i].SpeedUp = rows[i].TokensPerSecond.Value / rows[at].TokensPerSecond.Value
					rows[i].OverPIM = rows[i].TokensPerSecond.Value / rows[at+1].TokensPerSecond.Value
				}
			}
		}
	}
	return rows, nil
}

func row(system string, m arch.Model, l int, on Corrections, tech, synthesised arch.Technology) (Row, error) {
	r := Row{Model: m, Context: l, System: system}
	if system == TPU || system == PIM {
		r.Figures = Compute(system, m, l, on)
		return r, nil
	}
	e, err := Ohmloom(system, m, l, on, tech)
	if err != nil {
		return r, err
	}
	if r.Synthesised, err = Ohmloom(system, m, l, on, synthesised); err != nil {
		return r, err
	}
	r.Figures = Figures{Seconds: e.Seconds, TokensPerSecond: e.TokensPerSecond, JoulesPerToken: e.JoulesPerToken, TokensPerJoule: e.TokensPerJoule,
		GOPS: e.GOPS, GOPSPerWatt: e.GOPSPerWatt, WordsPerBattery: e.WordsPerBattery}
	worst := e.Bounds[0]
	for _, b := range e.Bounds {
		if b.Cycles.Value > worst.Cycles.Value {
			worst = b
		}
	}
	r.Bound, r.BoundShare = worst.Bound, worst.Limit.Value/e.Cycles.Value
	r.ADCs, r.AnalogArea = e.ADCs, e.AnalogArea
	r.ArrayShare = estimate.Quotient("array_share", "", 1, arrayCycles(e), e.Cycles)
	return r, nil
}

func arrayCycles(e *estimate.Result) *estimate.Quantity {
	for _, p := range e.Parts {
		if p.Part == estimate.Array && p.Kind == estimate.KindAttention {
			return p.Cycles
		}
	}
	panic("paper: an estimate without attention")
}

// Heat is one field of the heat map.
type Heat struct {
	DModel, Context int
	Cycles          float64 // share of the array's cycles in TPU-LLM: what the paper shows
	MACs            float64 // share of the multiplications
}

// HeatMap is the share of low-precision products over width and context, with the true shapes
// of those models whose feed-forward block is 4 d_model wide.
func HeatMap(models []arch.Model) []Heat {
	var heat []Heat
	seen := map[int]bool{}
	for _, m := range models {
		if m.DFF != 4*m.DModel || seen[m.DModel] {
			continue
		}
		seen[m.DModel] = true
		for _, l := range Contexts {
			heat = append(heat, Heat{m.DModel, l, LowPrecisionShare(m, l), MACShare(m, l)})
		}
	}
	return heat
}
