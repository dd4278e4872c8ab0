package cli

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ohmloom/gen/lower"
	"ohmloom/gen/tools"
	"ohmloom/rtl"
	"ohmloom/verify/cache"
	"ohmloom/verify/synth"
)

type areaResult struct {
	*synth.Area
	Top        string  `json:"top"`
	Hash       string  `json:"hash"`
	Technology string  `json:"technology"`
	Liberty    string  `json:"liberty"`
	LibertyNM  float64 `json:"liberty_nm"`
	Yosys      string  `json:"yosys"`
	OpenSTA    string  `json:"opensta,omitempty"` // with --timing

	Comparison *areaComparison `json:"comparison,omitempty"` // with --compare

	parts map[string]string // of each module
	other *areaResult       // of the comparison
}

func (a *app) areaCmd() *cobra.Command {
	var liberty string
	var timing bool
	var with string
	cmd := &cobra.Command{
		Use:   "area [FILE]",
		Short: "Synthesise with Yosys and report the area of each module",
		Long: `Synthesise each unique module once with Yosys, in parallel, cached by content, and add up.
Macros and memories count with the technology's area model. Areas are square micrometres,
those of a module without its submodules; gate equivalents are the synthesised part over the
area of a NAND2; a module's kind is cell, macro or memory. With --timing OpenSTA gives the
longest path of each module's netlist, buffers inserted, in nanoseconds: wires without load,
submodules and macros left out. With --compare the same description is synthesised once more
with another value of one of its variables, and both are set side by side, part by part.` + jsonHelp(areaResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.load(cmd.Context(), args)
			if err != nil {
				return err
			}
			if liberty != "" {
				d.chip.Technology.Liberty = liberty
			}
			res, err := a.area(cmd.Context(), d, timing)
			if err != nil {
				return err
			}
			if with != "" {
				if err := a.compare(cmd.Context(), args, with, res, liberty, timing); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(res)
			}
			a.areaTable(res, d)
			if with != "" && !a.quiet {
				a.comparisonTable(res)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&timing, "timing", false, "the critical path of each module, by OpenSTA")
	cmd.Flags().StringVar(&with, "compare", "", "compare with the description in which a variable is `name=value`")
	cmd.Flags().StringVar(&liberty, "liberty", "", "Liberty `file` of the standard cells (default: the technology's)")
	return a.varFlag(cmd)
}

func (a *app) area(ctx context.Context, d *description, timing bool) (*areaResult, error) {
	yosys, err := tools.Find(ctx, "yosys")
	if err != nil {
		return nil, err
	}
	sta := tools.Found{}
	if timing {
		if sta, err = tools.Find(ctx, "sta"); err != nil {
			return nil, err
		}
	}
	lib, err := libertyOf(d)
	if err != nil {
		return nil, err
	}
	tile, err := lower.Top(d.chip)
	if err != nil {
		return nil, failed("%w", err)
	}
	b, err := rtl.Emit(tile.Design, rtl.Options{Version: Version})
	if err != nil {
		return nil, failed("%w", err)
	}
	store, err := cache.Default()
	if err != nil {
		return nil, failed("%w", err)
	}
	bar := a.progress("synthesising", len(tile.Design.Modules))
	defer bar.done()
	area, err := synth.Of(ctx, tile.Design, moduleTexts(b), synth.Options{Yosys: yosys.Path, Version: yosys.Version, Liberty: lib, Cache: store, STA: sta.Path,
		Done: func(module string, done, total int) { bar.set(done) }})
	if err != nil {
		return nil, err
	}
	return &areaResult{Area: area, Top: b.Top, Hash: d.chip.Hash, Technology: d.chip.Technology.Name,
		Liberty: lib.Path, LibertyNM: d.chip.Technology.LibertyNodeNM, Yosys: yosys.Version, OpenSTA: sta.Version, parts: partsOf(tile.Design)}, nil
}

// libertyOf reads the standard cells that the description asks for.
func libertyOf(d *description) (*synth.Liberty, error) {
	file := d.chip.Technology.Liberty
	if file == "" {
		found, err := tools.Liberty()
		if err != nil {
			return nil, err
		}
		file = found
	}
	lib, err := synth.ReadLiberty(file)
	if err != nil {
		return nil, failed("%w", err)
	}
	return lib, nil
}

// moduleTexts is the Verilog of each module, by name.
func moduleTexts(b *rtl.Bundle) map[string]string {
	text := map[string]string{}
	for _, f := range b.Files {
		if f.Role == rtl.RoleRTL {
			text[strings.TrimSuffix(path.Base(f.Path), ".v")] = string(f.Data)
		}
	}
	return text
}

func (a *app) areaTable(r *areaResult, d *description) {
	if a.quiet {
		fmt.Fprintf(a.out, "%.0f um2\n", r.TotalUm2)
		return
	}
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	head := table.Row{"module", "kind", "instances", "um2 each", "um2 in all", "%", "flip-flops each"}
	if r.OpenSTA != "" {
		head = append(head, "longest path, ns", "from", "to")
	}
	t.AppendHeader(head)
	for _, m := range r.Modules {
		row := table.Row{m.Name, m.Kind, m.Instances, fmt.Sprintf("%.0f", m.AreaUm2), fmt.Sprintf("%.0f", m.TotalUm2),
			fmt.Sprintf("%.1f", 100*m.TotalUm2/max(r.TotalUm2, 1e-9)), m.FlipFlops}
		if p := m.CriticalPath; p != nil {
			row = append(row, fmt.Sprintf("%.2f", p.NS), p.From, p.To)
		}
		t.AppendRow(row)
	}
	t.Render()
	a.note("area %s: %.0f um2; synthesised part %.0f gate equivalents", r.Top, r.TotalUm2, r.GateEquivalents)
	a.note("cells: synthesised by Yosys %s with %s (%g nm); macros and memories: area model of technology %q (see its sources)",
		r.Yosys, r.Liberty, r.LibertyNM, r.Technology)
	if r.LibertyNM != d.chip.Technology.NodeNM {
		a.note("the cells are of another node (%g nm) than the technology (%g nm): compare cells with cells and macros with macros", r.LibertyNM, d.chip.Technology.NodeNM)
	}
}
