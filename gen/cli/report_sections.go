package cli

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/gen/estimate/paper"
	"ohmloom/gen/report"
	"ohmloom/gen/sweep"
	"ohmloom/gen/tools"
	"ohmloom/hw"
)

// contextsOf are those of the paper's figures, or five halves of what the chip keeps.
func contextsOf(c *arch.Chip) []int {
	most := 0
	if c.Attention != nil {
		most = c.Attention.Context
	}
	if most == 0 {
		return paper.Contexts
	}
	var list []int
	for l := max(most/32, 1); l < most; l *= 2 {
		list = append(list, l)
	}
	return append(list, most)
}

// breakdown is what parts take at each context.
type breakdown struct {
	names []string
	of    map[string][]float64
}

func (b *breakdown) add(part string, at, n int, v float64) {
	if b.of == nil {
		b.of = map[string][]float64{}
	}
	if b.of[part] == nil {
		b.names, b.of[part] = append(b.names, part), make([]float64, n)
	}
	b.of[part][at] += v
}

// series are the parts that take anything, in the colour of their place among all.
func (b *breakdown) series() (list []report.Series) {
	for i, name := range b.names {
		if slices.Max(b.of[name]) > 0 {
			list = append(list, report.Series{Name: name, Y: b.of[name], Colour: i + 1})
		}
	}
	return list
}

func (r *reporter) estimate(s *report.Section) error {
	c := r.d.chip
	if c.Model == nil {
		return errors.New(`the description names no model; write model = "..." into it, or give --model`)
	}
	contexts := contextsOf(c)
	var words []string
	var times, energies breakdown
	t := report.Table{Caption: "Decode of one token", Head: []string{"tokens in the cache", "cycles", "ms", "tokens/s", "mJ/token", "tokens/J", "GOPS", "GOPS/W", "longest part", "bound by"}}
	var last *estimate.Result
	for i, l := range contexts {
		e, err := sweep.Estimate(&arch.Point{Chip: c, Context: l, Phase: estimate.Decode, Head: true})
		if err != nil {
			return err
		}
		words = append(words, fmt.Sprint(l))
		for _, p := range e.Parts {
			times.add(p.Part, i, len(contexts), 1e3*value(p.Cycles)/(1e6*c.ClockMHz))
			energies.add(p.Part, i, len(contexts), 1e3*value(p.Joules))
		}
		longest := slices.MaxFunc(e.Bounds, func(a, b estimate.Bound) int { return int(a.Cycles.Value) - int(b.Cycles.Value) })
		t.Rows = append(t.Rows, []string{fmt.Sprint(l), fmt.Sprintf("%.0f", e.Cycles.Value), fmt.Sprintf("%.4g", 1e3*e.Seconds.Value), fmt.Sprintf("%.4g", e.TokensPerSecond.Value),
			fmt.Sprintf("%.4g", 1e3*e.JoulesPerToken.Value), fmt.Sprintf("%.4g", e.TokensPerJoule.Value), fmt.Sprintf("%.4g", e.GOPS.Value), fmt.Sprintf("%.4g", e.GOPSPerWatt.Value), longest.Kind, longest.Bound})
		last = e
	}
	for _, f := range []struct {
		name, title, unit string
		of                *breakdown
	}{{"time", "Time of a token", "ms", &times}, {"energy", "Energy of a token", "mJ", &energies}} {
		svg, err := report.StackedBars(report.Chart{Title: f.title + ", " + c.Model.Title, X: "tokens in the cache", Y: f.unit}, words, f.of.series())
		if err != nil {
			return err
		}
		s.Figures = append(s.Figures, report.Figure{Name: f.name, Caption: f.title + " by part of the chip, at each context", SVG: svg})
	}
	s.Tables = append(s.Tables, t, kindsTable(last))
	s.Notes = []string{fmt.Sprintf("%s on %s, output head included; %.0f crossbar pairs. Cycles: closed forms of the blocks, held against their RTL. Energy: constants of technology %q, with their sources below. GOPS count a MAC as one operation.",
		c.Model.Title, c.Name, last.Pairs.Value, c.Technology.Name)}
	if n := sweep.Chips(&arch.Point{Chip: c}, last); n > 1 {
		s.Notes = append(s.Notes, fmt.Sprintf("The model needs %s, which share its matrices.", count(n, "such chip")))
	}
	return r.timeline(s, last)
}

// kindsTable is the time of each kind of layer and what bounds it.
func kindsTable(e *estimate.Result) report.Table {
	t := report.Table{Caption: fmt.Sprintf("By kind of layer, %d tokens in the cache", e.Context), Head: []string{"layer", "cycles", "% of the time", "bound by", "cycles of the bound alone"}}
	for _, b := range e.Bounds {
		t.Rows = append(t.Rows, []string{b.Kind, fmt.Sprintf("%.0f", b.Cycles.Value), fmt.Sprintf("%.1f", 100*b.Cycles.Value/max(e.Cycles.Value, 1)), b.Bound, fmt.Sprintf("%.0f", b.Limit.Value)})
	}
	return t
}

// timeline adds who works when, of chips whose own time is known.
func (r *reporter) timeline(s *report.Section, e *estimate.Result) error {
	w := e.Hardware.Whole
	if w == nil {
		return nil
	}
	t, err := w.Chip.TokenTime(e.Context, hw.Conditions{})
	if err != nil {
		return err
	}
	var lanes []report.Lane
	for _, b := range t.Busy {
		i := slices.IndexFunc(lanes, func(l report.Lane) bool { return l.Name == b.Unit })
		if i < 0 {
			i, lanes = len(lanes), append(lanes, report.Lane{Name: b.Unit})
		}
		lanes[i].Spans = append(lanes[i].Spans, report.Span{From: max(b.From, 0), To: min(b.To, t.Cycles)})
	}
	s.Figures = append(s.Figures, report.Figure{Name: "timeline", Caption: "Who works when while one token is decoded", Wide: true,
		SVG: report.Timeline(fmt.Sprintf("One token, %d in the cache: %d cycles", e.Context, t.Cycles), lanes, 0, t.Cycles)})
	return nil
}

func (r *reporter) paper(s *report.Section) error {
	on, err := paper.Parse(nil)
	if err != nil {
		return err
	}
	var models []arch.Model
	shown := ""
	for _, m := range config.Models() {
		if m.Published == nil {
			continue
		}
		models = append(models, m)
		if own := r.d.chip.Model; own != nil && own.Name == m.Name || shown == "" && m.Name == defaultModel {
			shown = m.Name
		}
	}
	rows, err := paper.Table(models, config.LibraryTechnology("45nm"), config.LibraryTechnology("45nm-synthesised"), on)
	if err != nil {
		return err
	}
	speed, energy := make([]report.Series, len(paper.Systems)), make([]report.Series, len(paper.Systems))
	t := report.Table{Caption: "As published (shapes of the paper), tokens/s and mJ a token", Head: []string{"model", "tokens in the cache"}}
	for i, name := range paper.Systems {
		speed[i].Name, energy[i].Name = name, name
		t.Head = append(t.Head, name+", tokens/s")
	}
	t.Head = append(t.Head, "spread over PIM-LLM", "PIM-LLM, mJ", "ohmloom-spread, mJ", "spread is bound by")
	title := ""
	for i := 0; i < len(rows); i += len(paper.Systems) {
		group := rows[i : i+len(paper.Systems)]
		if group[0].Variant != paper.Published {
			continue
		}
		for k, row := range group {
			if row.Model.Name == shown {
				title = row.Model.Title
				speed[k].X, speed[k].Y = append(speed[k].X, float64(row.Context)), append(speed[k].Y, row.TokensPerSecond.Value)
				energy[k].X, energy[k].Y = append(energy[k].X, float64(row.Context)), append(energy[k].Y, 1e3*row.JoulesPerToken.Value)
			}
		}
		if l := group[0].Context; l == 128 || l == 1024 || l == 4096 {
			line := []string{group[0].Model.Title, fmt.Sprint(l)}
			for _, row := range group {
				line = append(line, fmt.Sprintf("%.2f", row.TokensPerSecond.Value))
			}
			spread := group[3]
			t.Rows = append(t.Rows, append(line, fmt.Sprintf("%.1f", spread.OverPIM), fmt.Sprintf("%.2f", 1e3*group[1].JoulesPerToken.Value),
				fmt.Sprintf("%.2f", 1e3*spread.JoulesPerToken.Value), fmt.Sprintf("%s, %.1f %%", spread.Bound, 100*spread.BoundShare)))
		}
	}
	for _, f := range []struct {
		name, what, y string
		series        []report.Series
	}{{"paper-speed", "Tokens per second", "tokens/s", speed}, {"paper-energy", "Energy of a token", "mJ", energy}} {
		svg, err := report.Lines(report.Chart{Title: f.what + ", " + title, X: "tokens in the cache", Y: f.y, LogX: true, LogY: true}, f.series)
		if err != nil {
			return err
		}
		s.Figures = append(s.Figures, report.Figure{Name: f.name, Caption: f.what + " of " + title + ": PIM-LLM's two chips as published and ohmloom's of the same size", SVG: svg})
	}
	s.Tables = append(s.Tables, t)
	s.Notes = []string{"PIM-LLM: arXiv 2504.01994; its figures are computed by its formulas. ohmloom: 32 x 32 multipliers, 100 MHz, 256 x 256 crossbars, LPDDR5-6400 x32, decoder layers only, as the paper counts.",
		"ohmloom's energy counts LPDDR, SRAM, network and leakage, which the published figures leave out; ohmloom estimate --paper shows the corrected ones."}
	return nil
}

func (r *reporter) sweep(s *report.Section) error {
	quiet := *r.app
	quiet.quiet, quiet.err = true, io.Discard // the section says it
	space, err := quiet.loadSweep(r.ctx, r.args)
	if err != nil {
		return errors.New("the description has no sweep block that can be read; ohmloom sweep says more")
	}
	res, err := r.runSweep(r.ctx, space, runtime.NumCPU(), nil)
	if err != nil {
		return err
	}
	svg, err := frontChart(res)
	if err != nil {
		return err
	}
	s.Figures = append(s.Figures, report.Figure{Name: "front", Caption: fmt.Sprintf("%s and the %d of them that none beats", count(res.Points, "point"), len(res.Front)), SVG: svg})
	var axes []string
	for _, x := range res.Axes {
		axes = append(axes, fmt.Sprintf("%s (%s)", x.Name, count(int(x.Values), "value")))
	}
	s.Notes = []string{fmt.Sprintf("%s of the product of %s; %d left out by conditions, %d can't be built or estimated. Seed %d.",
		count(res.Points, "point"), strings.Join(axes, ", "), res.Excluded, res.Failed, res.Seed)}
	s.Tables = append(s.Tables, frontTable(res))
	return nil
}

// frontTable is the front of a sweep.
func frontTable(res *sweepResult) report.Table {
	t := report.Table{Caption: "The front"}
	for _, x := range res.Axes {
		t.Head = append(t.Head, x.Name)
	}
	for _, o := range res.Objectives {
		t.Head = append(t.Head, o.Metric+", "+o.Unit)
	}
	t.Head = append(t.Head, "longest part: bound")
	for i, p := range res.Front {
		if i == maxTable {
			t.Caption = fmt.Sprintf("The front, %d of %d points", maxTable, len(res.Front))
			break
		}
		var row []string
		for _, x := range res.Axes {
			row = append(row, strings.Trim(string(p.Values[x.Name]), `"`))
		}
		for _, o := range res.Objectives {
			row = append(row, fmt.Sprintf("%.4g", p.Metrics[o.Metric]))
		}
		t.Rows = append(t.Rows, append(row, p.Bound))
	}
	return t
}

// frontChart draws a sweep in its first two objectives; the third is the colour of the front.
func frontChart(res *sweepResult) ([]byte, error) {
	x, y := res.Objectives[0], res.Objectives[1]
	all, front := report.Series{Name: "points"}, report.Series{Name: "front"}
	positive := true
	for i := range res.rows {
		if row := &res.rows[i]; row.Problem == "" {
			all.X, all.Y = append(all.X, row.Metric(x.Metric)), append(all.Y, row.Metric(y.Metric))
			positive = positive && row.Metric(x.Metric) > 0 && row.Metric(y.Metric) > 0
		}
	}
	var third []float64
	for _, p := range res.Front {
		front.X, front.Y = append(front.X, p.Metrics[x.Metric]), append(front.Y, p.Metrics[y.Metric])
		if len(res.Objectives) == 3 {
			third = append(third, p.Metrics[res.Objectives[2].Metric])
		}
	}
	fronts := []report.Series{front}
	if third != nil {
		fronts = report.SplitBy(front, res.Objectives[2].Metric, third)
	}
	return report.FrontChart(report.Chart{Title: "Design space", X: x.Metric + ", " + x.Unit, Y: y.Metric + ", " + y.Unit, LogX: positive, LogY: positive}, all, fronts...)
}

// verify runs the description, or a scaled copy of a chip that is too large to simulate in
// seconds and has nothing to run.
func (r *reporter) verify(s *report.Section) error {
	d := *r.d
	chip := *r.d.chip
	d.chip = &chip
	if chip.Verify.Program == nil {
		small, said := sweep.Scaled(&chip)
		if len(said) > 0 {
			small.Verify.Cycles = scaledCycles
			d.chip = small
			s.Notes = append(s.Notes, "Scaled down to what simulates in seconds: "+strings.Join(said, "; ")+".")
		}
	}
	if len(r.flags.engines) > 0 {
		d.chip.Verify.Engines = r.flags.engines
	}
	if len(d.chip.Verify.Engines) == 0 {
		d.chip.Verify.Engines = engineNames()
	}
	res, err := r.app.verify(r.ctx, &d, verifyFlags{})
	if err != nil {
		return err
	}
	verdict := "Passed"
	if !res.Passed {
		verdict = fmt.Sprintf("FAILED, with %s", count(len(res.Mismatches), "wrong value"))
	}
	s.Notes = append(s.Notes, fmt.Sprintf("%s on %s: %d cycles of all engines together, seed %d.", verdict, strings.Join(res.Engines, ", "), res.Cycles, res.Seed))
	if l := res.Lint; l != nil {
		word := "has nothing to say"
		if !l.Clean {
			word = fmt.Sprintf("has %s", count(len(l.Messages), "message"))
		}
		s.Notes = append(s.Notes, fmt.Sprintf("Lint: %s -Wall %s.", l.Tool, word))
	}
	lock := report.Table{Caption: "Engines side by side", Head: []string{"stimulus", "engines", "cycles", "agrees"}}
	for _, l := range res.Lockstep {
		lock.Rows = append(lock.Rows, []string{l.Stimulus, strings.Join(l.Engines, ", "), fmt.Sprint(l.Cycles), yes(l.Passed)})
	}
	s.Tables = append(s.Tables, casesTable(res.Cases))
	if len(lock.Rows) > 0 {
		s.Tables = append(s.Tables, lock)
	}
	return nil
}

// casesTable is what was compared in each setting; columns without a number above 0 are left out.
func casesTable(cases []caseResult) report.Table {
	t := report.Table{Caption: "Every output is compared, every cycle is held against its formula", Head: []string{"setting"}}
	for _, c := range cases {
		t.Rows = append(t.Rows, []string{c.Name})
	}
	for _, column := range []struct {
		head string
		of   func(c caseResult) int
	}{
		{"golden vectors", func(c caseResult) int { return c.Golden }},
		{"other vectors", func(c caseResult) int { return c.Vectors }},
		{"golden scores", func(c caseResult) int { return c.Scores }},
		{"decode passes", func(c caseResult) int { return c.Passes }},
		{"cycles", func(c caseResult) int { return c.Cycles }},
	} {
		if !slices.ContainsFunc(cases, func(c caseResult) bool { return column.of(c) > 0 }) {
			continue
		}
		t.Head = append(t.Head, column.head)
		for i, c := range cases {
			t.Rows[i] = append(t.Rows[i], fmt.Sprint(column.of(c)))
		}
	}
	t.Head = append(t.Head, "agrees")
	for i, c := range cases {
		t.Rows[i] = append(t.Rows[i], yes(c.Passed))
	}
	return t
}

func (r *reporter) sources(s *report.Section) error {
	c := r.d.chip
	s.Tables = append(s.Tables, report.Table{Caption: "This page", Head: []string{"what", "value"}, Rows: [][]string{
		{"ohmloom", revision()}, {"configuration", c.Hash}, {"seed of verify", fmt.Sprint(c.Verify.Seed)}, {"Go", runtime.Version()}}})
	t := report.Table{Caption: "External tools", Head: []string{"tool", "version", "what needs it"}}
	for _, st := range tools.Check(r.ctx) {
		version := st.Found.Version
		switch {
		case st.Err != nil:
			version = "not there"
		case version == "":
			version = "there"
		}
		t.Rows = append(t.Rows, []string{st.Tool.Name, version, st.Tool.Purpose})
	}
	s.Tables = append(s.Tables, t)
	k := report.Table{Caption: fmt.Sprintf("Constants of technology %q", c.Technology.Name), Head: []string{"key", "value", "unit", "kind", "source"}}
	add := func(name string, q arch.Quantity) {
		if q.Kind != "" {
			k.Rows = append(k.Rows, []string{name, fmt.Sprintf("%.4g", q.Value), q.Unit, q.Kind, q.Source})
		}
	}
	for _, p := range arch.EnergyParts {
		add("energy."+p.Name, *p.Of(&c.Technology.Energy))
	}
	for _, p := range arch.AreaParts {
		add("area."+p.Name, *p.Of(&c.Technology.Macros))
	}
	s.Tables = append(s.Tables, k)
	return nil
}
