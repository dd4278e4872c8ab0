package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ohmloom/examples"
	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
	"ohmloom/gen/report"
	"ohmloom/ir"
)

// reportResult is what report --json prints.
type reportResult struct {
	Dir      string          `json:"dir"`
	Hash     string          `json:"hash"`
	Sections []sectionResult `json:"sections"`
	Files    []string        `json:"files"`
}

type sectionResult struct {
	Section string `json:"section"`
	Figures int    `json:"figures"`
	LeftOut string `json:"left_out,omitempty"` // why
}

// skippable are the sections that take long.
var skippable = []string{"area", "verify", "sweep"}

type reportFlags struct {
	dir     string
	skip    []string
	engines []string
}

func (a *app) reportCmd() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report [FILE]",
		Short: "Write one page about a chip: pictures, time, energy, area, comparison, verification",
		Long: `Write report.html, one file that needs no network and runs no script, and its pictures as SVG
files: the description, block diagram, area as a treemap (Yosys), time and energy of a token at
each context, PIM-LLM's chip beside ohmloom's, the front of the sweep block if there is one, what
verify says (chips too large to simulate in seconds are scaled down, and the page says how),
tools, seeds, hashes and the constants with their sources. What can't be there is left out with
the reason. With no FILE it is about the built-in sweep.` + jsonHelp(reportResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, s := range f.skip {
				if !slices.Contains(skippable, s) {
					return usage("--skip %q: allowed are %s", s, strings.Join(skippable, ", "))
				}
			}
			if err := checkEngines(f.engines); err != nil {
				return err
			}
			if cmd.Flags().Changed("output") && f.dir == "" {
				return usage("--output is empty; name a folder")
			}
			res, err := a.report(cmd.Context(), args, f)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(res)
			}
			for _, s := range res.Sections {
				if s.LeftOut != "" {
					a.note("%s: left out: %s", s.Section, s.LeftOut)
				}
			}
			a.note("%s: the page and %d pictures, configuration %.12s", res.Files[0], len(res.Files)-1, res.Hash)
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.dir, "output", "o", "", "folder to write (default: the chip's name and _report)")
	fl.StringSliceVar(&f.skip, "skip", nil, "sections to leave out, of "+strings.Join(skippable, ", "))
	fl.StringSliceVar(&f.engines, "engine", nil, "engines that verify runs (default: the description's, else all)")
	fl.StringVar(&a.model, "model", "", "model instead of the description's: a `name`, or a .safetensors or .gguf file")
	return a.varFlag(cmd)
}

// reporter collects the sections of a page.
type reporter struct {
	*app
	ctx    context.Context
	d      *description
	args   []string
	flags  reportFlags
	source []byte // of the description
	page   report.Page
}

// report writes the page and its pictures.
func (a *app) report(ctx context.Context, args []string, f reportFlags) (*reportResult, error) {
	r := &reporter{app: a, ctx: ctx, args: args, flags: f}
	if err := r.open(); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		id, title string
		fill      func(*report.Section) error
	}{
		{"description", "Description", r.description},
		{"diagram", "Block diagram", r.diagram},
		{"area", "Area", r.area},
		{"estimate", "Time and energy of a token", r.estimate},
		{"paper", "PIM-LLM and ohmloom", r.paper},
		{"sweep", "Design space", r.sweep},
		{"verify", "Verification", r.verify},
		{"sources", "Tools, seeds, hashes and sources", r.sources},
	} {
		section := report.Section{ID: s.id, Title: s.title}
		var err error
		if slices.Contains(f.skip, s.id) {
			section.LeftOut = "--skip " + s.id
		} else {
			err = s.fill(&section)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil { // a section less is no reason to keep the page back
			section.LeftOut = strings.TrimSpace(err.Error())
			section.Figures, section.Tables, section.Notes, section.Text = nil, nil, nil, ""
		}
		r.page.Sections = append(r.page.Sections, section)
	}
	return r.write()
}

// open reads the description and fills in the head of the page.
func (r *reporter) open() error {
	if len(r.args) == 1 && r.args[0] == "-" { // the text is wanted, too
		src, err := io.ReadAll(io.LimitReader(r.in, maxStdin))
		if err != nil {
			return failed("standard input: %w", err)
		}
		r.source, r.in = src, strings.NewReader(string(src))
	}
	r.builtin = examples.Sweep
	var err error
	if r.d, err = r.loadEstimated(r.ctx, r.args); err != nil {
		return err
	}
	if r.source == nil {
		read := os.ReadFile
		if r.d.fs != nil {
			read = func(name string) ([]byte, error) { return fs.ReadFile(r.d.fs, name) }
		}
		if r.source, err = read(r.d.name); err != nil {
			return failed("%w", err)
		}
	}
	c := r.d.chip
	r.page.Title = c.Name
	r.page.Lead = fmt.Sprintf("What ohmloom %s says about the chip of %s.", Version, r.d.name)
	fact := func(name, format string, v ...any) {
		r.page.Facts = append(r.page.Facts, report.Fact{Name: name, Value: fmt.Sprintf(format, v...)})
	}
	fact("Clock", "%g MHz", c.ClockMHz)
	if c.Attention != nil {
		fact("Attention array", "%d x %d PEs%s", c.Attention.Rows, c.Attention.Cols, orNothing(", ", c.Attention.Decode))
	}
	if p := c.PIM; p != nil {
		fact("Crossbars", "%d pairs of %d x %d", pairsOf(p), p.Crossbar.Rows, p.Crossbar.Cols)
		fact("Converters", "%d bits, %d columns each", p.Crossbar.ADC.Bits, p.Crossbar.ADC.Share)
	}
	if c.Model != nil {
		fact("Model", "%s", c.Model.Title)
	}
	fact("Technology", "%s", c.Technology.Name)
	fact("Configuration", "%.12s", c.Hash)
	return nil
}

func orNothing(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func pairsOf(p *arch.PIM) int {
	if b := p.Bank; b != nil {
		return b.Count * b.TileRows * b.TileCols * b.PEs
	}
	return p.RowBlocks * p.ColBlocks
}

// write writes the pictures, then the page.
func (r *reporter) write() (*reportResult, error) {
	dir := r.flags.dir
	if dir == "" {
		dir = r.d.chip.Name + "_report"
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, failed("%w", err)
	}
	page, err := r.page.HTML()
	if err != nil {
		return nil, err
	}
	res := &reportResult{Dir: dir, Hash: r.d.chip.Hash, Files: []string{filepath.Join(dir, "report.html")}}
	for _, s := range r.page.Sections {
		res.Sections = append(res.Sections, sectionResult{s.ID, len(s.Figures), s.LeftOut})
		for _, f := range s.Figures {
			path := filepath.Join(dir, f.Name+".svg")
			if err := writeAside(path, f.SVG); err != nil {
				return nil, failed("%w", err)
			}
			res.Files = append(res.Files, path)
		}
	}
	if err := writeAside(res.Files[0], page); err != nil {
		return nil, failed("%w", err)
	}
	return res, nil
}

func (r *reporter) description(s *report.Section) error {
	sum := sha256.Sum256(r.source)
	s.Notes = []string{fmt.Sprintf("%s, SHA-256 %s", r.d.name, hex.EncodeToString(sum[:]))}
	if len(r.vars) > 0 {
		s.Notes = append(s.Notes, "With "+strings.Join(r.vars, ", ")+".")
	}
	s.Text = strings.ToValidUTF8(string(r.source), "\uFFFD")
	return nil
}

// blockDiagram is a block diagram in Graphviz's language; its name is that of its module.
type blockDiagram struct{ name, caption, dot string }

// blockDiagrams draws a tile with so many levels of its hierarchy open. Of a whole chip only the
// units are shown, since opened nobody could read it, and what stands between them and the ports.
func blockDiagrams(tile *lower.Tile, title string, levels int) []blockDiagram {
	top := tile.Design.Top
	if tile.Whole == nil {
		return []blockDiagram{{top.Name, "Blocks and the data between them", report.BlockDiagram(tile.Design, title, levels)}}
	}
	list := []blockDiagram{{top.Name, "Units and the data between them", report.BlockDiagram(tile.Design, title, 1)}}
	for _, in := range top.Insts {
		if in.Of.Name == top.Name+"_core" {
			list[0].caption = "The chip behind its ports"
			list = append(list, blockDiagram{in.Of.Name, "Units and the data between them", report.BlockDiagram(ir.NewDesign(in.Of), title, 1)})
		}
	}
	return list
}

func (r *reporter) diagram(s *report.Section) error {
	if err := r.d.buildable(); err != nil {
		return err
	}
	tile, err := lower.Top(r.d.chip)
	if err != nil {
		return err
	}
	for i, p := range blockDiagrams(tile, r.d.chip.Name, 2) {
		svg, err := drawing(r.ctx, p.dot)
		if err != nil {
			return err
		}
		name := []string{"blocks", "units"}[i]
		s.Figures = append(s.Figures, report.Figure{Name: name, Caption: p.caption, SVG: svg, Wide: true})
	}
	return nil
}

// kindWords say what kinds of modules are.
var kindWords = map[string]string{"cell": "logic, synthesised", "macro": "analog macros, area model", "memory": "memories, area model"}

func (r *reporter) area(s *report.Section) error {
	if err := r.d.buildable(); err != nil {
		return err
	}
	res, err := r.app.area(r.ctx, r.d, false)
	if err != nil {
		return err
	}
	var parts []report.Part
	t := report.Table{Caption: "Modules with the largest area", Head: []string{"module", "kind", "instances", "um2 each", "um2 in all", "%"}}
	for _, m := range res.Modules {
		kind := kindWords[m.Kind]
		parts = append(parts, report.Part{Name: m.Name, Kind: kind, Size: m.TotalUm2 / 1e6})
		if len(t.Rows) < 20 {
			t.Rows = append(t.Rows, []string{m.Name, kind, fmt.Sprint(m.Instances), fmt.Sprintf("%.0f", m.AreaUm2), fmt.Sprintf("%.0f", m.TotalUm2),
				fmt.Sprintf("%.1f", 100*m.TotalUm2/max(res.TotalUm2, 1e-9))})
		}
	}
	s.Figures = []report.Figure{{Name: "area", Caption: "Area of each module, all its instances together", Wide: true,
		SVG: report.Treemap(fmt.Sprintf("%s: %.4g mm2", r.d.chip.Name, res.TotalUm2/1e6), "mm2", []string{kindWords["cell"], kindWords["memory"], kindWords["macro"]}, parts)}}
	s.Tables = []report.Table{t}
	s.Notes = []string{fmt.Sprintf("Logic: synthesised by Yosys %s for %s (%g nm). Macros and memories: area model of technology %q (%g nm). The two are of different nodes unless these are equal: compare logic with logic.",
		res.Yosys, filepath.Base(res.Liberty), res.LibertyNM, res.Technology, r.d.chip.Technology.NodeNM)}
	return nil
}
