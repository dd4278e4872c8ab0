package cli

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ohmloom/gen/compile"
	"ohmloom/gen/lower"
	"ohmloom/gen/program"
	"ohmloom/gen/registers"
	"ohmloom/gen/report"
	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/verilated/vlog"
)

type buildResult struct {
	Dir     string       `json:"dir"`
	Top     string       `json:"top"`
	Hash    string       `json:"hash"`
	Modules int          `json:"modules"`
	Lines   int          `json:"verilog_lines"`
	Files   []fileResult `json:"files"`
}

type fileResult struct {
	Path  string `json:"path"`
	Role  string `json:"role"`
	Bytes int    `json:"bytes"`
}

func (a *app) buildCmd() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "build [FILE]",
		Short: "Emit Verilog and everything tools need beside it",
		Long: `Emit the Verilog of a description: one module a file, file lists for synthesis (<top>.f) and
simulation (sim.f), FuseSoC core, SDC, black boxes with Liberty and LEF stubs and a page that
states their contract, tables of weights, the block diagram (SVG when Graphviz is there), for banks
the picture of which matrix sits where (mapping.svg), for a host its registers as a page, a C header
and a Go driver, and manifest.json with the SHA-256 of each file. The folder must be empty, new, or an earlier output of this command, of which files
that nobody changed are replaced.` + jsonHelp(buildResult{}),
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("output") && dir == "" {
				return usage("--output is empty; name a folder")
			}
			d, err := a.load(cmd.Context(), args)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("output") {
				dir = d.chip.Name + "_rtl"
			}
			b, design, err := a.emit(cmd.Context(), d)
			if err != nil {
				return err
			}
			if err := b.WriteDir(dir); err != nil {
				return failed("%w", err)
			}
			r := buildResult{Dir: dir, Top: b.Top, Hash: d.chip.Hash, Modules: len(design.Modules)}
			for _, f := range b.Files {
				r.Files = append(r.Files, fileResult{f.Path, f.Role, len(f.Data)})
				if strings.HasSuffix(f.Path, ".v") {
					r.Lines += bytes.Count(f.Data, []byte("\n"))
				}
			}
			if a.json {
				return a.printJSON(r)
			}
			a.note("%s: %d files, %d modules, %d lines of Verilog, top module %s, configuration %.12s", dir, len(r.Files), r.Modules, r.Lines, r.Top, r.Hash)
			return nil
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "folder to write (default: the chip's name and _rtl)")
	return a.varFlag(cmd)
}

// emit lowers and prints a description, with the weights of its program when it has one.
func (a *app) emit(ctx context.Context, d *description) (*rtl.Bundle, *ir.Design, error) {
	tile, img, compiled, err := a.lowered(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	b, err := rtl.Emit(tile.Design, rtl.Options{Source: d.name, Hash: d.chip.Hash, ClockMHz: d.chip.ClockMHz, Version: Version, Image: img})
	if err != nil {
		return nil, nil, failed("%w", err)
	}
	if page := report.MacroPage(tile.Design); page != "" {
		b.Files = append(b.Files, rtl.File{Path: "macros.md", Data: []byte(page), Role: "documentation"})
	}
	if d.chip.Host != nil {
		files, err := registers.Files()
		if err != nil {
			return nil, nil, err
		}
		for _, f := range files {
			b.Files = append(b.Files, rtl.File{Path: f.Path, Data: f.Data, Role: f.Role})
		}
	}
	if tile.Plan != nil {
		b.Files = append(b.Files, rtl.File{Path: "mapping.svg", Data: report.MappingPicture(tile.Plan), Role: "diagram"})
	}
	if compiled != nil {
		for _, f := range compiled.Files() {
			b.Files = append(b.Files, rtl.File{Path: f.Path, Data: f.Data, Role: f.Role})
		}
	}
	for _, p := range blockDiagrams(tile, d.chip.Name, 3) {
		b.Files = append(b.Files, rtl.File{Path: p.name + ".dot", Data: []byte(p.dot), Role: "diagram"})
		svg, err := drawing(ctx, p.dot)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil: // a picture less is no reason to keep the Verilog back
			a.warn("%s.svg is left out: %v", p.name, err)
		default:
			b.Files = append(b.Files, rtl.File{Path: p.name + ".svg", Data: svg, Role: "diagram"})
		}
	}
	return b, tile.Design, nil
}

// lowered is the hardware of a description and its weights (no image without a program, unless
// the device has effects); of a whole chip the compiled model, too.
func (a *app) lowered(ctx context.Context, d *description) (*lower.Tile, *ir.Image, *compile.Compiled, error) {
	tile, err := lower.Top(d.chip)
	if err != nil {
		return nil, nil, nil, failed("%w", err)
	}
	if tile.Whole != nil {
		p, err := a.compiled(ctx, d)
		if p == nil || err != nil {
			return tile, nil, nil, err
		}
		tile.Plan = p.Plan
		return tile, lower.TopImage(d.chip, p.Chip), p, nil
	}
	if d.chip.Verify.Program == nil {
		if pim := d.chip.PIM; pim != nil && !pim.Crossbar.Effects.Ideal() { // cells that are all OFF have tables, too
			if err := a.solvedTile(ctx, tile); err != nil {
				return nil, nil, nil, err
			}
			return tile, tile.Block.Image(tile.Design.Top.Name), nil, nil
		}
		return tile, nil, nil, nil
	}
	job, err := program.Load(d.chip, d.fs)
	if err != nil {
		return nil, nil, nil, failed("%w", err)
	}
	if err := load(tile, job); err != nil {
		return nil, nil, nil, err
	}
	if err := a.solvedTile(ctx, tile); err != nil {
		return nil, nil, nil, err
	}
	return tile, tile.Block.Image(tile.Design.Top.Name), nil, nil
}

// load puts a job's matrix into the crossbars and its biases into the attention engine.
func load(tile *lower.Tile, job *program.Job) error {
	if tile.Block.PIM != nil {
		pim, err := tile.Block.PIM.Program(job.Weights())
		if err != nil {
			return failed("%w", err)
		}
		tile.Block.PIM = &pim
	}
	if tile.Block.Banks != nil {
		loadBanks(tile, job)
	}
	if bias := job.Bias(); bias != nil {
		tile.Block.Attention = tile.Block.Attention.WithBias(bias)
	}
	return nil
}

// drawing runs Graphviz on a diagram and gives the SVG.
func drawing(ctx context.Context, dot string) ([]byte, error) {
	found, err := tools.Find(ctx, "dot")
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(bounded, found.Path, "-Tsvg")
	cmd.Stdin = strings.NewReader(dot)
	vlog.Group(cmd)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, &verify.ToolError{Tool: "dot", Found: found.Version, Package: "graphviz", Err: fmt.Errorf("drawing the block diagram: %w", err), Output: errOut.String()}
	}
	return out.Bytes(), nil
}
