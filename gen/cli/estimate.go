package cli

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/estimate/paper"
	"ohmloom/gen/lower"
	"ohmloom/hw"
)

type estimateFlags struct {
	paper   bool
	correct []string
	model   string
	context int
	phase   string
	chips   int
	noHead  bool
	latency int
	sampled bool
	csv     bool
	why     string
	tech    string
}

// estimateResult is what estimate --json prints.
type estimateResult struct {
	Chip            string          `json:"chip"`
	Hash            string          `json:"hash,omitempty"`
	Technology      string          `json:"technology"`
	Model           string          `json:"model"`
	Context         int             `json:"context"`
	Phase           string          `json:"phase"`
	Tokens          int             `json:"tokens"`
	Latency         int             `json:"memory_latency_cycles,omitempty"`
	Sampled         bool            `json:"sampled,omitempty"` // tokens are drawn; else greedy
	Cycles          float64         `json:"cycles"`
	RTLExact        bool            `json:"rtl_exact"` // a whole chip's own time: that of its RTL
	Seconds         float64         `json:"seconds"`
	TokensPerSecond float64         `json:"tokens_per_second"`
	Joules          float64         `json:"joules"`
	JoulesPerToken  float64         `json:"joules_per_token"`
	TokensPerJoule  float64         `json:"tokens_per_joule"`
	IdleClock       float64         `json:"joules_per_token_idle_clock,omitempty"` // of joules_per_token, what gates of idle PEs' clocks would save
	GOPS            float64         `json:"gops"`
	GOPSPerWatt     float64         `json:"gops_per_watt"`
	WordsPerBattery float64         `json:"words_per_battery"`
	Pairs           float64         `json:"crossbar_pairs"`
	ADCs            float64         `json:"adcs"`
	AnalogAreaMM2   float64         `json:"analog_area_mm2"`
	WriteCycles     float64         `json:"write_cycles,omitempty"` // of the weights, through the ports of writable crossbars
	WriteSeconds    float64         `json:"write_s,omitempty"`
	AreaMM2         float64         `json:"area_mm2,omitempty"` // of one chip; 0 when the technology or the chip does not allow it
	Area            []areaPartRow   `json:"area,omitempty"`
	NoArea          string          `json:"no_area,omitempty"` // why there is none
	MACs            []macsResult    `json:"macs"`
	Parts           []partResult    `json:"parts"`
	Bounds          []boundResult   `json:"bounds"`
	Constants       []sourcedResult `json:"constants"`
}

// estimateHelp names the keys of both forms.
type estimateHelp struct {
	estimateResult
	Synthesised string            `json:"technology_synthesised"`
	Corrections []correctionState `json:"corrections"`
	Rows        []paperRow        `json:"rows"`
	HeatMap     []heatField       `json:"heat_map"`
	Table3      []table3Row       `json:"table3"`
}

type macsResult struct {
	Precision string  `json:"precision"`
	Count     float64 `json:"count"`
}

type partResult struct {
	Part   string  `json:"part"`
	Layer  string  `json:"layer"`
	Cycles float64 `json:"cycles"`
	Joules float64 `json:"joules"`
}

type boundResult struct {
	Layer       string  `json:"layer"`
	Bound       string  `json:"bound"`
	Cycles      float64 `json:"cycles"`
	BoundCycles float64 `json:"bound_cycles"` // what the bound alone would take
}

// sourcedResult is a constant that figures rest on.
type sourcedResult struct {
	Key    string  `json:"key"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Kind   string  `json:"kind"`
	Source string  `json:"source"`
}

func (a *app) estimateCmd() *cobra.Command {
	f := estimateFlags{}
	cmd := &cobra.Command{
		Use:   "estimate [FILE]",
		Short: "Estimate time and energy of a model on the described chip, or print PIM-LLM's tables",
		Long: `Add up what a model takes on the chip: cycles from the closed forms of the blocks, energy from
the technology's constants, split by part and layer kind, with the bound of each. --why KEY
prints how a number came to be, down to constants and their sources. The cycles of a whole chip,
with a sequencer and the KV cache on chip, that runs the model it is described for are those of
its RTL (rtl_exact). With no FILE the chip is
ohmloom's at the size of PIM-LLM (arXiv 2504.01994): 32 x 32 multipliers, 100 MHz, 256 x 256
crossbars, LPDDR5-6400 x32. MACs count as one operation; words per battery are for 5 Wh and 1.5
tokens a word.

--paper computes PIM-LLM's tables as published and corrected, beside ohmloom's chip at equal
multipliers, clock and crossbars. --correct chooses corrections: names, "faults" (default),
"all", "none"; -NAME takes one away. It prints technology, corrections, rows, heat_map and
table3, without it the rest.` + jsonHelp(estimateHelp{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.csv && a.json {
				return usage("--csv and --json: choose one")
			}
			if f.paper {
				if f.tech != "" {
					return usage("--paper has both technologies, 45nm and 45nm-synthesised, and takes no --technology")
				}
				if len(args) > 0 {
					return usage("--paper takes no FILE: it compares with ohmloom's chip at the paper's size")
				}
				return a.estimatePaper(f)
			}
			if len(f.correct) > 0 {
				return usage("--correct is for --paper")
			}
			return a.estimateChip(cmd, args, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.paper, "paper", false, "PIM-LLM's tables, published and corrected, beside ohmloom's")
	fl.StringSliceVar(&f.correct, "correct", nil, "with --paper: corrections that are on, of "+strings.Join(paper.Names(), ", "))
	fl.StringVar(&f.model, "model", "", "`name` of a model in the library or the description, or a .safetensors, .gguf or .hcl file (default: the description's, else opt-6.7b)")
	fl.IntVar(&f.context, "context", 0, "tokens in the KV cache, or of the prompt in prefill (default: what the engine keeps, else 1024)")
	fl.StringVar(&f.phase, "phase", estimate.Decode, "decode (one token) or prefill (a prompt of --context tokens)")
	fl.IntVar(&f.chips, "chips", 1, "chips that share the model's matrices")
	fl.BoolVar(&f.noHead, "no-head", false, "decoder layers only, as PIM-LLM counts")
	fl.BoolVar(&f.sampled, "sampled", false, "tokens are drawn, as with a temperature; else greedy")
	fl.IntVar(&f.latency, "latency", 0, "`cycles` in which external memory answers a whole chip")
	fl.StringVar(&f.tech, "technology", "", "`name` of a technology of the library, for the chip without FILE (default 45nm: digital figures cited; 45nm-synthesised: of netlists)")
	fl.BoolVar(&f.csv, "csv", false, "print the rows (--paper) or the parts as CSV")
	fl.StringVar(&f.why, "why", "", "print how the number `KEY` came to be; "+allKeys+" names them all")
	return a.varFlag(cmd)
}

// estimateChip is estimate without --paper.
func (a *app) estimateChip(cmd *cobra.Command, args []string, f estimateFlags) error {
	if f.phase != estimate.Decode && f.phase != estimate.Prefill {
		return usage("--phase %q: allowed are %s and %s", f.phase, estimate.Decode, estimate.Prefill)
	}
	if f.context < 0 || f.context == 0 && cmd.Flags().Changed("context") {
		return usage("--context %d: allowed are 1 or more tokens", f.context)
	}
	if _, names := config.Library(); f.tech != "" && !slices.Contains(names, f.tech) {
		return usage("--technology %q: the library has %s", f.tech, strings.Join(names, ", "))
	}
	if f.chips < 1 || f.chips > 1_000_000 {
		return usage("--chips %d: allowed are 1 to 1,000,000", f.chips)
	}
	h, in, err := a.estimated(cmd, args, f)
	if err != nil {
		return err
	}
	context := f.context
	if context == 0 {
		if context = h.Attention.Context; context == 0 {
			context = defaultContext
		}
	}
	r, err := h.Estimate(*in.model, context, f.phase, estimate.Options{NoHead: f.noHead, Chips: f.chips, Conditions: hw.Conditions{Latency: f.latency, Sampled: f.sampled}})
	if err != nil {
		return failed("%w", err)
	}
	if r.RTLExact {
		r.RTLExact = a.fed(in.chip)
	}
	if f.why != "" {
		trees := r.Trees()
		if _, total, err := r.Area(); err == nil {
			trees = append(trees, total)
		}
		return a.explain(f.why, trees)
	}
	res := estimateOf(r, in.hash)
	res.Latency, res.Sampled = f.latency, f.sampled
	switch {
	case a.json:
		return a.printJSON(res)
	case f.csv:
		return a.printCSV(res.Parts)
	}
	a.estimateTables(res)
	return nil
}

const (
	defaultModel   = "opt-6.7b"
	defaultContext = 1024
)

// estimated is the chip and the model that an estimate is about.
func (a *app) estimated(cmd *cobra.Command, args []string, f estimateFlags) (*estimate.Hardware, *estimateInput, error) {
	if len(args) == 0 && len(a.vars) == 0 {
		name := f.model
		if name == "" {
			name = defaultModel
		}
		m, diags := config.LoadModel(cmd.Context(), name, config.Options{})
		if err := a.show(diags); err != nil {
			return nil, nil, err
		}
		return paper.Hardware("spread", *m, config.LibraryTechnology(cmp.Or(f.tech, "45nm"))), &estimateInput{model: m}, nil
	}
	if f.tech != "" {
		return nil, nil, usage("--technology is for the chip without FILE; a description says its own: technology = %q", f.tech)
	}
	a.model = f.model
	d, err := a.loadEstimated(cmd.Context(), args)
	if err != nil {
		return nil, nil, err
	}
	if d.chip.Model == nil {
		return nil, nil, usage("which model? Give --model, or write model = \"...\" into the description")
	}
	h, err := estimate.FromChip(d.chip)
	if err != nil {
		return nil, nil, failed("%w", err)
	}
	return h, &estimateInput{model: d.chip.Model, hash: d.chip.Hash, chip: d.chip}, nil
}

// estimateInput is the model of an estimate and the hash of its description.
type estimateInput struct {
	model *arch.Model
	hash  string
	chip  *arch.Chip // nil without FILE
}

// fed tells whether the AXI port of a whole chip keeps its output head busy, as exact cycles take
// for granted; it warns where not.
func (a *app) fed(c *arch.Chip) bool {
	if c == nil || c.Host == nil {
		return true
	}
	top := lower.Ports(c, lower.Whole(c))
	if _, known := top.Latency(0); known {
		return true
	}
	a.warn("the AXI port (%d bits, bursts of %d, %d outstanding) does not give the output head its %d elements in every cycle; the chip takes more cycles than these, ohmloom run counts them",
		c.Host.DataBits, c.Host.Burst, c.Host.Outstanding, top.Chip.RowLanes())
	return false
}

// estimateOf is a result as printed.
func estimateOf(r *estimate.Result, hash string) *estimateResult {
	res := &estimateResult{Chip: r.Hardware.Name, Hash: hash, Technology: r.Hardware.Tech.Name, Model: r.Model.Name, Context: r.Context, Phase: r.Phase,
		Tokens: r.Tokens, Cycles: r.Cycles.Value, RTLExact: r.RTLExact, Seconds: r.Seconds.Value, TokensPerSecond: r.TokensPerSecond.Value, Joules: r.Joules.Value,
		JoulesPerToken: r.JoulesPerToken.Value, TokensPerJoule: r.TokensPerJoule.Value, GOPS: r.GOPS.Value, GOPSPerWatt: r.GOPSPerWatt.Value,
		WordsPerBattery: r.WordsPerBattery.Value, IdleClock: value(r.IdleClock), Pairs: r.Pairs.Value, ADCs: r.ADCs.Value, AnalogAreaMM2: r.AnalogArea.Value}
	if r.WriteCycles != nil {
		res.WriteCycles, res.WriteSeconds = r.WriteCycles.Value, r.WriteSeconds.Value
	}
	for _, m := range r.MACs {
		res.MACs = append(res.MACs, macsResult{m.Precision, m.Count.Value})
	}
	for _, p := range r.Parts {
		res.Parts = append(res.Parts, partResult{p.Part, p.Kind, value(p.Cycles), value(p.Joules)})
	}
	for _, b := range r.Bounds {
		res.Bounds = append(res.Bounds, boundResult{b.Kind, b.Bound, b.Cycles.Value, b.Limit.Value})
	}
	for _, q := range estimate.Constants(append(r.Trees(), res.area(r)...)...) {
		res.Constants = append(res.Constants, sourcedResult{q.Key, q.Value, q.Unit, q.Kind, q.Source})
	}
	return res
}

func value(q *estimate.Quantity) float64 {
	if q == nil {
		return 0
	}
	return q.Value
}

// allKeys is what --why takes instead of a key, to name them all.
const allKeys = "list"

// nearestKeys are the keys that a mistyped one may have meant, at most five, the likeliest first:
// those that need the fewest edits, as a whole or in one of their words; none when all of them
// need more than a third of the given letters.
func nearestKeys(given string, sorted []string) []string {
	given = strings.ToLower(given)
	edits := map[string]int{}
	for _, key := range sorted {
		best := 2 * levenshtein.Distance(given, strings.ToLower(key), nil)
		for _, word := range strings.FieldsFunc(strings.ToLower(key), func(r rune) bool { return strings.ContainsRune("._ ", r) }) {
			best = min(best, 1+2*levenshtein.Distance(given, word, nil))
		}
		edits[key] = best
	}
	near := slices.Clone(sorted)
	near = slices.DeleteFunc(near, func(key string) bool { return edits[key] > 1+2*len(given)/3 })
	slices.SortStableFunc(near, func(a, b string) int {
		return cmp.Or(cmp.Compare(edits[a], edits[b]), cmp.Compare(len(a), len(b)))
	})
	return near[:min(5, len(near))]
}

// explain prints how a number came to be.
func (a *app) explain(key string, trees []*estimate.Quantity) error {
	q := estimate.Find(key, trees...)
	if q == nil {
		keys := estimate.Keys(trees...)
		slices.Sort(keys)
		if key == allKeys {
			fmt.Fprintln(a.out, strings.Join(keys, "\n"))
			return nil
		}
		if near := nearestKeys(key, keys); len(near) > 0 {
			return usage("--why: there is no number %q; near it are %s; --why %s names all %d", key, strings.Join(near, ", "), allKeys, len(keys))
		}
		return usage("--why: there is no number %q, nor one like it; --why %s names all %d", key, allKeys, len(keys))
	}
	return q.Why(a.out)
}

func (a *app) estimateTables(r *estimateResult) {
	t := a.table("layer", "part", "cycles", "% of the time", "uJ", "% of the energy")
	layers := map[string]int{} // in the order in which a token meets them
	for _, p := range r.Parts {
		if _, ok := layers[p.Layer]; !ok {
			layers[p.Layer] = len(layers)
		}
	}
	parts := slices.Clone(r.Parts)
	slices.SortStableFunc(parts, func(a, b partResult) int { return layers[a.Layer] - layers[b.Layer] })
	for _, p := range parts {
		if p.Cycles == 0 && p.Joules == 0 {
			continue
		}
		row := table.Row{p.Layer, p.Part, "-", "-", "-", "-"}
		if p.Cycles != 0 {
			row[2], row[3] = fmt.Sprintf("%.0f", p.Cycles), fmt.Sprintf("%.1f", 100*p.Cycles/max(r.Cycles, 1))
		}
		if p.Joules != 0 {
			row[4], row[5] = fmt.Sprintf("%.3g", 1e6*p.Joules), fmt.Sprintf("%.1f", 100*p.Joules/max(r.Joules, 1e-30))
		}
		t.AppendRow(row)
	}
	t.Render()
	a.note("cycles -: the part works in the time of another (converters in that of the crossbar) or leaks all the time")
	b := a.table("layer", "bound by", "cycles", "the bound alone")
	for _, x := range r.Bounds {
		b.AppendRow(table.Row{x.Layer, x.Bound, fmt.Sprintf("%.0f", x.Cycles), fmt.Sprintf("%.0f", x.BoundCycles)})
	}
	b.Render()
	for _, m := range r.MACs {
		a.note("%.4g MACs %s", m.Count, m.Precision)
	}
	a.areaOfParts(r)
	a.note("%.0f crossbar pairs, %.0f converters, %.0f mm2 of analog parts", r.Pairs, r.ADCs, r.AnalogAreaMM2)
	if r.WriteCycles > 0 {
		a.note("weights through the ports: %.0f cycles, %.3g s", r.WriteCycles, r.WriteSeconds)
	}
	fmt.Fprintf(a.out, "%s of %s at %d tokens on %s: %.0f cycles, %.4g tokens/s, %.4g mJ/token, %.4g tokens/J, %.4g GOPS, %.4g GOPS/W, %.3g words per battery\n",
		r.Phase, r.Model, r.Context, r.Chip, r.Cycles, r.TokensPerSecond, 1e3*r.JoulesPerToken, r.TokensPerJoule, r.GOPS, r.GOPSPerWatt, r.WordsPerBattery)
	if r.RTLExact {
		way := "greedy"
		if r.Sampled {
			way = "drawn"
		}
		a.note("cycles: the chip's own time, equal to its RTL's; tokens are %s, memory answers after %d cycles", way, r.Latency)
	}
	if r.IdleClock > 0 {
		a.note("%.4g mJ/token of it are clocks of crossbar PEs that wait; with clock gates, which the RTL has not, it would be %.4g mJ/token", 1e3*r.IdleClock, 1e3*(r.JoulesPerToken-r.IdleClock))
	}
	a.note("energy: constants of technology %q, cited and assumed unless their kind says otherwise; --why joules_per_token shows them", r.Technology)
}

// table is a table for people.
func (a *app) table(head ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(head)
	return t
}

// printCSV prints a slice of flat structs under the names of their JSON keys.
func (a *app) printCSV(rows any) error {
	v := reflect.ValueOf(rows)
	w := csv.NewWriter(a.out)
	var head []string
	for i := range v.Type().Elem().NumField() {
		name, _, _ := strings.Cut(v.Type().Elem().Field(i).Tag.Get("json"), ",")
		head = append(head, name)
	}
	if err := w.Write(head); err != nil {
		return err
	}
	for i := range v.Len() {
		var line []string
		for j := range v.Index(i).NumField() {
			switch f := v.Index(i).Field(j); f.Kind() {
			case reflect.Float64:
				line = append(line, strconv.FormatFloat(f.Float(), 'g', -1, 64))
			default:
				line = append(line, fmt.Sprint(f.Interface()))
			}
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
