package cli

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/estimate/paper"
)

// paperResult is what estimate --paper --json prints.
type paperResult struct {
	Technology  string            `json:"technology"`             // of joules_per_token
	Synthesised string            `json:"technology_synthesised"` // of what stands under synthesised
	Corrections []correctionState `json:"corrections"`
	Rows        []paperRow        `json:"rows"`
	HeatMap     []heatField       `json:"heat_map"`
	Table3      []table3Row       `json:"table3"`
}

type correctionState struct {
	Name string `json:"name"`
	On   bool   `json:"on"`
	What string `json:"what"`
}

type paperRow struct {
	Model           string  `json:"model"`
	Context         int     `json:"context"`
	System          string  `json:"system"`  // TPU-LLM, PIM-LLM, ohmloom-column, ohmloom-spread
	Variant         string  `json:"variant"` // published, corrected
	TokensPerSecond float64 `json:"tokens_per_second"`
	JoulesPerToken  float64 `json:"joules_per_token"`
	TokensPerJoule  float64 `json:"tokens_per_joule"`
	GOPS            float64 `json:"gops"`
	GOPSPerWatt     float64 `json:"gops_per_watt"`
	WordsPerBattery float64 `json:"words_per_battery"`
	ArrayShare      float64 `json:"array_time_share"`
	SpeedUp         float64 `json:"speed_up_over_tpu_llm"`
	OverPIM         float64 `json:"speed_up_over_pim_llm"`
	Bound           string  `json:"bound,omitempty"`
	BoundShare      float64 `json:"bound_share,omitempty"`
	ADCs            float64 `json:"adcs,omitempty"`
	AnalogAreaMM2   float64 `json:"analog_area_mm2,omitempty"`

	Synthesised *synthesisedRow `json:"synthesised,omitempty"`
}

// synthesisedRow is ohmloom's energy with digital parts as synthesised, clocks and leakage.
type synthesisedRow struct {
	JoulesPerToken float64 `json:"joules_per_token"`
	TokensPerJoule float64 `json:"tokens_per_joule"`
	GatedJoules    float64 `json:"joules_per_token_gated"` // with the clocks of idle PEs gated, as the RTL has them not
	GatedPerJoule  float64 `json:"tokens_per_joule_gated"`
}

type heatField struct {
	DModel  int     `json:"d_model"`
	Context int     `json:"context"`
	Cycles  float64 `json:"low_precision_share_of_array_cycles"`
	MACs    float64 `json:"low_precision_share_of_macs"`
}

type table3Row struct {
	Model       string  `json:"model"`
	Context     int     `json:"context"`
	Variant     string  `json:"variant"`
	GOPS        float64 `json:"gops"`
	GOPSPerWatt float64 `json:"gops_per_watt"`
}

// Models of the paper's third table: the one it is about, and the one whose time and energy it
// uses.
const (
	table3Model = "opt-6.7b"
	table3Timed = "llama-7b"
)

// estimatePaper prints the paper's tables beside ohmloom's.
func (a *app) estimatePaper(f estimateFlags) error {
	on, err := paper.Parse(f.correct)
	if err != nil {
		return usage("--correct: %w", err)
	}
	models := map[string]arch.Model{}
	var tables []arch.Model
	for _, m := range config.Models() {
		if models[m.Name] = m; m.Published != nil {
			tables = append(tables, m)
		}
	}
	tech, synthesised := config.LibraryTechnology("45nm"), config.LibraryTechnology("45nm-synthesised")
	rows, err := paper.Table(tables, tech, synthesised, on)
	if err != nil {
		return failed("%w", err)
	}
	if f.why != "" {
		return a.paperWhy(f.why, rows)
	}
	res := &paperResult{Technology: tech.Name, Synthesised: synthesised.Name}
	for _, c := range paper.All {
		res.Corrections = append(res.Corrections, correctionState{c.Name, on[c.Name], c.Doc})
	}
	for _, r := range rows {
		res.Rows = append(res.Rows, paperRowOf(r))
	}
	for _, h := range paper.HeatMap(tables) {
		res.HeatMap = append(res.HeatMap, heatField{h.DModel, h.Context, h.Cycles, h.MACs})
	}
	for _, v := range []string{paper.Published, paper.Corrected} {
		for _, l := range []int{1024, 4096} {
			with := paper.Corrections{}
			if v == paper.Corrected {
				with = on
			}
			gops, perWatt := paper.Table3(models[table3Model], models[table3Timed], l, with)
			res.Table3 = append(res.Table3, table3Row{models[table3Model].Title, l, v, gops.Value, perWatt.Value})
		}
	}
	switch {
	case a.json:
		return a.printJSON(res)
	case f.csv:
		return a.printCSV(res.Rows)
	}
	a.paperTables(res)
	return nil
}

func paperRowOf(r paper.Row) paperRow {
	row := paperRow{Model: r.Model.Title, Context: r.Context, System: r.System, Variant: r.Variant,
		TokensPerSecond: r.TokensPerSecond.Value, JoulesPerToken: r.JoulesPerToken.Value, TokensPerJoule: r.TokensPerJoule.Value,
		GOPS: r.GOPS.Value, GOPSPerWatt: r.GOPSPerWatt.Value, WordsPerBattery: r.WordsPerBattery.Value, ArrayShare: r.ArrayShare.Value,
		SpeedUp: r.SpeedUp, OverPIM: r.OverPIM, Bound: r.Bound, BoundShare: r.BoundShare}
	if r.ADCs != nil {
		row.ADCs, row.AnalogAreaMM2 = r.ADCs.Value, r.AnalogArea.Value
	}
	if s := r.Synthesised; s != nil {
		gated := s.JoulesPerToken.Value - value(s.IdleClock)
		row.Synthesised = &synthesisedRow{s.JoulesPerToken.Value, s.TokensPerJoule.Value, gated, 1 / gated}
	}
	return row
}

// paperWhy explains MODEL/CONTEXT/SYSTEM/VARIANT/KEY.
func (a *app) paperWhy(path string, rows []paper.Row) error {
	parts := strings.SplitN(path, "/", 5)
	const want = "--why with --paper wants MODEL/CONTEXT/SYSTEM/VARIANT/KEY, such as opt-6.7b/4096/PIM-LLM/published/tokens_per_second"
	if len(parts) != 5 {
		return usage("%s; got %q", want, path)
	}
	for _, r := range rows {
		if (strings.EqualFold(parts[0], r.Model.Name) || strings.EqualFold(parts[0], r.Model.Title)) && parts[1] == fmt.Sprint(r.Context) &&
			strings.EqualFold(parts[2], r.System) && parts[3] == r.Variant {
			trees := []*estimate.Quantity{r.TokensPerSecond, r.JoulesPerToken, r.TokensPerJoule, r.GOPS, r.GOPSPerWatt, r.WordsPerBattery, r.ArrayShare}
			if r.ADCs != nil {
				trees = append(trees, r.ADCs, r.AnalogArea)
			}
			if s := r.Synthesised; s != nil {
				trees = append(trees, s.JoulesPerToken.As("synthesised.joules_per_token"), s.TokensPerJoule.As("synthesised.tokens_per_joule"))
			}
			return a.explain(parts[4], trees)
		}
	}
	return usage("%s; there is no such row as %q", want, path)
}

// paperTables prints for people.
func (a *app) paperTables(res *paperResult) {
	for _, v := range []string{paper.Published, paper.Corrected} {
		t := a.table("model", "context", "TPU-LLM", "PIM-LLM", "ohmloom-column", "ohmloom-spread", "x PIM-LLM", "TPU-LLM mJ", "PIM-LLM mJ", "column mJ", "spread mJ", "spread mJ synthesised", "and gated", "spread is bound by")
		n := len(paper.Systems)
		for i := 0; i+n <= len(res.Rows); i += n {
			if r := res.Rows[i : i+n]; r[0].Variant == v {
				row := table.Row{r[0].Model, r[0].Context}
				for _, s := range r {
					row = append(row, fmt.Sprintf("%.2f", s.TokensPerSecond))
				}
				row = append(row, fmt.Sprintf("%.2f", r[3].OverPIM))
				for _, s := range r {
					row = append(row, fmt.Sprintf("%.3f", 1e3*s.JoulesPerToken))
				}
				if s := r[3].Synthesised; s != nil {
					row = append(row, fmt.Sprintf("%.4g", 1e3*s.JoulesPerToken), fmt.Sprintf("%.4g", 1e3*s.GatedJoules))
				}
				t.AppendRow(append(row, fmt.Sprintf("%s, %.1f %%", r[3].Bound, 100*r[3].BoundShare)))
			}
		}
		a.note("Tokens/s and mJ a token, %s:", v)
		t.Render()
	}
	heat := a.table("d_model", "context", "of the array's cycles (the paper's map)", "of the MACs")
	for _, h := range res.HeatMap {
		heat.AppendRow(table.Row{h.DModel, h.Context, fmt.Sprintf("%.3f", h.Cycles), fmt.Sprintf("%.3f", h.MACs)})
	}
	a.note("Share of low-precision products:")
	heat.Render()
	third := a.table("table III", "context", "variant", "GOPS", "GOPS/W")
	for _, r := range res.Table3 {
		third.AppendRow(table.Row{r.Model, r.Context, r.Variant, fmt.Sprintf("%.1f", r.GOPS), fmt.Sprintf("%.2f", r.GOPSPerWatt)})
	}
	third.Render()
	for _, c := range res.Corrections {
		mark := "off"
		if c.On {
			mark = "on"
		}
		a.note("correction %-17s %-3s  %s", c.Name, mark, c.What)
	}
	last := res.Rows[len(res.Rows)/2-1] // of the published ones: the largest model on spread
	a.note("ohmloom: 32 x 32 multipliers, 100 MHz, 256 x 256 crossbars, LPDDR5-6400 x32, decoder layers only, as the paper counts; cycles from the blocks' closed forms.")
	a.note("Its energy counts LPDDR, SRAM, network and leakage, which the published figures leave out; analog area of %s: %.0f mm2 with %.0f converters.", last.Model, last.AnalogAreaMM2, last.ADCs)
	a.note("Energy is of technology %q, whose digital figures are cited (Horowitz, ISSCC 2014), as publications count: no registers, no clocks. Synthesised is of %q: ohmloom's own netlists, scaled to 45 nm, with leakage and the clocks of all flip-flops, also of PEs that wait; gated, those clocks do not run, which the RTL has no gates for.",
		res.Technology, res.Synthesised)
}
