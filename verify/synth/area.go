// Package synth runs Yosys on emitted modules: area by unique module, flat reference runs,
// and equivalence of a module with its netlist.
package synth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/cache"
)

// Options say how Yosys is run.
type Options struct {
	Yosys   string        // executable; "" = yosys from PATH
	Version string        // its version line, part of every cache key
	Liberty *Liberty      // standard cells
	Cache   *cache.Dir    // nil: every module is synthesised
	Jobs    int           // modules at once; 0 = 2
	Timeout time.Duration // for one module; 0 = 10 minutes
	Done    func(module string, done, total int)
}

// ModuleArea is the area of one module of a design.
type ModuleArea struct {
	Name      string         `json:"name"`
	Kind      string         `json:"kind"`       // "cell": synthesised; "macro", "memory": from the technology's area model
	Instances int            `json:"instances"`  // in the whole design
	AreaUm2   float64        `json:"area_um2"`   // of one instance, its submodules left out
	TotalUm2  float64        `json:"total_um2"`  // Instances * AreaUm2
	FlipFlops int            `json:"flip_flops"` // in one instance, its submodules left out
	Cells     map[string]int `json:"cells,omitempty"`
}

// Area is the area of a design.
type Area struct {
	TotalUm2        float64      `json:"total_area_um2"`
	GateEquivalents float64      `json:"gate_equivalents"` // of the synthesised part: its area over that of a NAND2
	Modules         []ModuleArea `json:"modules"`
}

// script is the flow measured to give the smallest area: no alumacc, which merges multiply
// and add at the cost of 40 %, and an area-oriented mapping.
const script = `read_liberty -lib -ignore_miss_func %[1]s
read_verilog -DSYNTHESIS %[2]s
synth %[4]s-top %[3]s -noalumacc
dfflibmap -liberty %[1]s
abc -liberty %[1]s -script +strash;ifraig;scorr;dc2;dc2;strash;dch,-f;amap,-m
opt_clean -purge
check -assert -mapped
tee -q -o %[5]s stat -json
`

// Of computes the area of design d whose modules have the Verilog texts in text (by module
// name). Each unique module is synthesised once with its submodules as black boxes; counts
// are multiplied here. Macros count with their AreaUm2.
func Of(ctx context.Context, d *ir.Design, text map[string]string, o Options) (*Area, error) {
	counts := map[*ir.Module]int{d.Top: 1}
	for i := len(d.Modules) - 1; i >= 0; i-- { // parents before children
		m := d.Modules[i]
		if m.Macro != nil {
			continue
		}
		for _, in := range m.Insts {
			counts[in.Of] += counts[m] * in.Count()
		}
	}
	var todo []*ir.Module
	for _, m := range d.Modules {
		if counts[m] > 0 {
			todo = append(todo, m)
		}
	}
	res := &Area{Modules: make([]ModuleArea, len(todo))}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(o.Jobs, 2))
	done := make(chan string, len(todo))
	for i, m := range todo {
		g.Go(func() error {
			a, err := moduleArea(ctx, m, text, o)
			if err != nil {
				return err
			}
			a.Instances = counts[m]
			a.TotalUm2 = a.AreaUm2 * float64(a.Instances)
			res.Modules[i] = *a
			done <- m.Name
			if o.Done != nil {
				o.Done(m.Name, len(done), len(todo))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	cells := 0.0
	for _, m := range res.Modules {
		res.TotalUm2 += m.TotalUm2
		if m.Kind == "cell" {
			cells += m.TotalUm2
		}
	}
	res.GateEquivalents = cells / o.Liberty.NAND2Um2
	sort.SliceStable(res.Modules, func(i, j int) bool { return res.Modules[i].TotalUm2 > res.Modules[j].TotalUm2 })
	return res, nil
}

func moduleArea(ctx context.Context, m *ir.Module, text map[string]string, o Options) (*ModuleArea, error) {
	a := &ModuleArea{Name: m.Name, Kind: "cell"}
	if m.Macro != nil {
		a.Kind, a.AreaUm2 = "macro", m.Macro.AreaUm2
		if m.Macro.Kind == "sram" {
			a.Kind = "memory"
		}
		return a, nil
	}
	src, ok := text[m.Name]
	if !ok {
		panic("synth: no Verilog for module " + m.Name)
	}
	var b strings.Builder
	b.WriteString(src)
	known := map[string]bool{}
	for _, in := range m.Insts {
		if !known[in.Of.Name] {
			known[in.Of.Name] = true
			b.WriteString(stub(in.Of))
		}
	}
	counts, err := synthesise(ctx, m.Name, b.String(), false, o)
	if err != nil {
		return nil, err
	}
	return a, a.count(counts, known, o.Liberty)
}

// count turns cell counts into an area.
func (a *ModuleArea) count(counts map[string]int, submodule map[string]bool, l *Liberty) error {
	a.Cells = map[string]int{}
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names) // a sum of floats depends on its order
	for _, name := range names {
		if submodule[name] {
			continue
		}
		area, ok := l.Cells[name]
		if !ok {
			return fmt.Errorf("yosys left cell %s in module %s, which is neither in %s nor a module of the design", name, a.Name, l.Path)
		}
		a.Cells[name] = counts[name]
		a.AreaUm2 += area * float64(counts[name])
		if strings.Contains(strings.ToUpper(name), "DFF") {
			a.FlipFlops += counts[name]
		}
	}
	return nil
}

// FlatCells synthesises the whole design as one netlist: the reference that the sum over
// modules is held against. texts are all modules; black boxes are left as they are.
func FlatCells(ctx context.Context, top string, texts []string, o Options) (map[string]int, error) {
	return synthesise(ctx, top, strings.Join(texts, "\n"), true, o)
}

// CellArea is the area of cell counts, um2; names that are not cells of l are left out.
func CellArea(counts map[string]int, l *Liberty) float64 {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	sum := 0.0
	for _, name := range names {
		sum += l.Cells[name] * float64(counts[name])
	}
	return sum
}

// synthesise gives the cell counts of module top in the Verilog src.
func synthesise(ctx context.Context, top, src string, flat bool, o Options) (map[string]int, error) {
	flag := ""
	if flat {
		flag = "-flatten "
	}
	stat := func(ctx context.Context, dir string) error {
		work, err := o.workDir(src)
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		ys := fmt.Sprintf(script, "cells.lib", "in.v", top, flag, "stat.json")
		if err := run(ctx, o, work, ys, "synthesising module "+top); err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(work, "stat.json"))
		if err != nil {
			return fmt.Errorf("yosys gave no statistics for module %s: %w", top, err)
		}
		return os.WriteFile(filepath.Join(dir, "stat.json"), data, 0o666)
	}
	dir, err := "", error(nil)
	if o.Cache != nil {
		dir, _, err = o.Cache.Get(ctx, "area", cache.Key(script, flag, top, src, o.Liberty.Hash, o.Version), stat)
	} else if dir, err = os.MkdirTemp("", "ohmloom-area-"); err == nil {
		defer os.RemoveAll(dir)
		err = stat(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "stat.json"))
	if err != nil {
		return nil, fmt.Errorf("yosys gave no statistics for module %s: %w", top, err)
	}
	return parseStat(data, top)
}

// workDir is a temporary folder with the source as in.v and the Liberty file as cells.lib,
// names without spaces or quotes.
func (o Options) workDir(src string) (string, error) {
	abs, err := filepath.Abs(o.Liberty.Path)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "ohmloom-yosys-")
	if err != nil {
		return "", err
	}
	err = os.WriteFile(filepath.Join(dir, "in.v"), []byte(src), 0o666)
	if err == nil {
		err = os.Symlink(abs, filepath.Join(dir, "cells.lib"))
	}
	if err != nil {
		os.RemoveAll(dir)
	}
	return dir, err
}

// parseStat reads `stat -json` of one module.
func parseStat(data []byte, top string) (map[string]int, error) {
	var s struct {
		Modules map[string]struct {
			Cells map[string]int `json:"num_cells_by_type"`
		} `json:"modules"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("statistics of module %s: %w", top, err)
	}
	m, ok := s.Modules[`\`+top]
	if !ok {
		return nil, fmt.Errorf("statistics of module %s: the module is not listed", top)
	}
	return m.Cells, nil
}

// run executes a Yosys script in dir, bounded in time.
func run(ctx context.Context, o Options, dir, script, doing string) error {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Yosys == "" {
		o.Yosys = "yosys"
	}
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := os.WriteFile(filepath.Join(dir, "run.ys"), []byte(script), 0o666); err != nil {
		return err
	}
	cmd := exec.CommandContext(bounded, o.Yosys, "-q", "-s", "run.ys")
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		return fmt.Errorf("yosys did not finish %s within %s", doing, o.Timeout)
	case err != nil:
		return o.broken("yosys", doing, err, string(out))
	}
	return nil
}

// broken is a tool that could not be run, crashed or refused its input.
func (o Options) broken(tool, doing string, err error, output string) error {
	e := &verify.ToolError{Tool: tool, Wanted: "0.23", Package: "yosys"}
	if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
		e.Found, e.Err, e.Output = o.Version, fmt.Errorf("%s: %w", doing, err), tail(output, 20)
	}
	return e
}

// stub is the black box of module m: ports only.
func stub(m *ir.Module) string {
	var ports []string
	if m.Stateful() {
		ports = append(ports, "input wire clk", "input wire rst")
	}
	for _, p := range m.Ports {
		dir := "input"
		if p.Dir == ir.Out {
			dir = "output"
		}
		w := ""
		if p.Type.Total() > 1 {
			w = fmt.Sprintf(" [%d:0]", p.Type.Total()-1)
		}
		ports = append(ports, fmt.Sprintf("%s wire%s %s", dir, w, p.Name))
	}
	return fmt.Sprintf("\n(* blackbox *) module %s (%s);\nendmodule\n", m.Name, strings.Join(ports, ", "))
}

func tail(s string, lines int) string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	if len(l) > lines {
		l = l[len(l)-lines:]
	}
	return strings.Join(l, "\n")
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
