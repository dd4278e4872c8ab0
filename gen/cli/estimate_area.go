package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"ohmloom/gen/estimate"
)

// areaPartRow is a part of the area of one chip.
type areaPartRow struct {
	Part      string  `json:"part"`
	MM2       float64 `json:"mm2"`
	Gates     float64 `json:"gate_equivalents,omitempty"` // of logic
	FlipFlops float64 `json:"flip_flops,omitempty"`
}

// area fills in the area of one chip, and gives what it rests on.
func (res *estimateResult) area(r *estimate.Result) []*estimate.Quantity {
	parts, total, err := r.Area()
	if err != nil {
		res.NoArea = err.Error()
		return nil
	}
	for _, p := range parts {
		res.Area = append(res.Area, areaPartRow{p.Part, p.MM2.Value, p.Gates, p.FlipFlops})
	}
	res.AreaMM2 = total.Value
	return []*estimate.Quantity{total}
}

// areaOfParts prints the area for people.
func (a *app) areaOfParts(r *estimateResult) {
	if r.NoArea != "" {
		a.note("no area: %s", r.NoArea)
		return
	}
	t := a.table("part of one chip", "mm2", "% of the area", "gate equivalents", "flip-flops")
	for _, p := range r.Area {
		row := table.Row{p.Part, fmt.Sprintf("%.4g", p.MM2), fmt.Sprintf("%.1f", 100*p.MM2/max(r.AreaMM2, 1e-30)), "-", "-"}
		if p.Gates > 0 {
			row[3], row[4] = fmt.Sprintf("%.0f", p.Gates), fmt.Sprintf("%.0f", p.FlipFlops)
		}
		t.AppendRow(row)
	}
	t.Render()
	a.note("%.4g mm2 in all; logic is counted from its operations, within 5 %% of netlists; no pads, no wires; --why area shows how", r.AreaMM2)
}
