// Package synth runs Yosys on emitted modules: area by unique module, flat reference runs,
// and equivalence of a module with its netlist.
package synth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ohmloom/ir"
	"ohmloom/verify/cache"
)

// Options say how Yosys is run.
type Options struct {
	Yosys   string                               // executable; "" = yosys from PATH. yosys-abc is looked for beside it
	Version string                               // its version line, part of every cache key
	Liberty *Liberty                             // standard cells
	Cache   *cache.Dir                           // nil: every module is synthesised
	Jobs    int                                  // modules at once; 0 = 2
	Timeout time.Duration                        // for one module; 0 = 10 minutes
	Done    func(module string, done, total int) // called after each module, one call at a time; may be nil
	STA     string                               // OpenSTA's executable; "" = no critical paths
	Strict  bool                                 // of Equivalent: read the source without any of the flow's passes; slow
}

// ModuleArea is the area of one module of a design.
type ModuleArea struct {
	Name            string         `json:"name"`
	Kind            string         `json:"kind"`                       // "cell": synthesised; "macro", "memory": from the technology's area model
	Instances       int            `json:"instances"`                  // in the whole design
	AreaUm2         float64        `json:"area_um2"`                   // of one instance, its submodules left out
	TotalUm2        float64        `json:"total_um2"`                  // Instances * AreaUm2
	FlipFlops       int            `json:"flip_flops"`                 // in one instance, its submodules left out
	GateEquivalents float64        `json:"gate_equivalents,omitempty"` // of all instances, when synthesised
	Cells           map[string]int `json:"cells,omitempty"`

	CriticalPath *Path `json:"critical_path,omitempty"` // of one instance, with Options.STA
}

// Area is the area of a design.
type Area struct {
	TotalUm2        float64      `json:"total_area_um2"`
	GateEquivalents float64      `json:"gate_equivalents"` // of the synthesised part: its area over that of a NAND2
	Modules         []ModuleArea `json:"modules"`
}

// mapping is the flow measured to give the smallest area: no alumacc, which merges multiply
// and add at the cost of 40 %, and an area-oriented mapping. Yosys itself defines SYNTHESIS.
const mapping = `read_liberty -lib -ignore_miss_func cells.lib
read_verilog in.v
synth %[2]s-top %[1]s -noalumacc
dfflibmap -liberty cells.lib
abc -liberty cells.lib -script +strash;ifraig;scorr;dc2;dc2;strash;dch,-f;amap,-m
opt_clean -purge
check -assert -mapped
`

// Of computes the area of design d whose modules have the Verilog texts in text (by module
// name; macros need none). Each unique module is synthesised once with its submodules as
// black boxes; counts are multiplied here. Macros count with their AreaUm2. A yosys that is
// missing, fails or does not finish is a *verify.ToolError; when ctx ends, so does yosys.
func Of(ctx context.Context, d *ir.Design, text map[string]string, o Options) (*Area, error) {
	counts := instances(d)
	var todo []*ir.Module
	for _, m := range d.Modules {
		if _, cell := o.Liberty.Cells[m.Name]; cell {
			return nil, fmt.Errorf("module %s has the name of a cell of %s", m.Name, o.Liberty.Path)
		}
		if counts[m] > 0 {
			todo = append(todo, m)
		}
	}
	res := &Area{Modules: make([]ModuleArea, len(todo))}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(o.Jobs, 2))
	var mu sync.Mutex // orders the calls of Done
	done := 0
	for i, m := range todo {
		g.Go(func() error {
			a, err := moduleArea(ctx, m, text, o)
			if err != nil {
				return err
			}
			a.Instances = counts[m]
			a.TotalUm2 = a.AreaUm2 * float64(a.Instances)
			res.Modules[i] = *a
			mu.Lock()
			defer mu.Unlock()
			if done++; o.Done != nil {
				o.Done(m.Name, done, len(todo))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	cells := 0.0
	for i := range res.Modules {
		m := &res.Modules[i]
		res.TotalUm2 += m.TotalUm2
		if m.Kind == "cell" {
			cells += m.TotalUm2
			m.GateEquivalents = m.TotalUm2 / o.Liberty.NAND2Um2
		}
	}
	res.GateEquivalents = cells / o.Liberty.NAND2Um2
	slices.SortStableFunc(res.Modules, func(a, b ModuleArea) int { return cmp.Compare(b.TotalUm2, a.TotalUm2) })
	return res, nil
}

// instances counts the instances of every module in the whole design; what is inside a macro
// does not count.
func instances(d *ir.Design) map[*ir.Module]int {
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
	return counts
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
	if o.STA != "" {
		if a.CriticalPath, err = LongestPath(ctx, m.Name, b.String(), o.STA, o); err != nil {
			return nil, err
		}
	}
	return a, a.count(counts, known, o.Liberty)
}

// count turns cell counts into an area.
func (a *ModuleArea) count(counts map[string]int, submodule map[string]bool, l *Liberty) error {
	a.Cells = map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(counts)) { // a sum of floats depends on its order
		if submodule[name] {
			continue
		}
		cell, ok := l.Cells[name]
		if !ok {
			return fmt.Errorf("yosys left cell %s in module %s, which is neither in %s nor a module of the design", name, a.Name, l.Path)
		}
		a.Cells[name] = counts[name]
		a.AreaUm2 += cell.AreaUm2 * float64(counts[name])
		if cell.FlipFlop {
			a.FlipFlops += counts[name]
		}
	}
	return nil
}

// FlatCells synthesises the whole design as one netlist and counts its cells: the reference
// that the sum over modules is held against. texts are all modules; black boxes are left as
// they are.
func FlatCells(ctx context.Context, top string, texts []string, o Options) (map[string]int, error) {
	return synthesise(ctx, top, strings.Join(texts, "\n"), true, o)
}

// CellArea is the area of cell counts, um2; names that are not cells of l, such as macros,
// are left out.
func CellArea(counts map[string]int, l *Liberty) float64 {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		sum += l.Cells[name].AreaUm2 * float64(counts[name])
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
		ys := fmt.Sprintf(mapping, top, flag) + "tee -q -o stat.json stat -json\n"
		if err := o.yosys(ctx, work, ys, "synthesising module "+top); err != nil {
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
		dir, _, err = o.Cache.Get(ctx, "area", cache.Key(mapping, flag, top, src, o.Liberty.Hash, o.Version), stat)
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

// parseStat reads `stat -json` of one module. Yosys may log a line before the JSON text;
// module names stand with or without a backslash.
func parseStat(data []byte, top string) (map[string]int, error) {
	var s struct {
		Modules map[string]struct {
			Cells map[string]float64 `json:"num_cells_by_type"`
			Subs  map[string]float64 `json:"num_submodules_by_type"` // apart from the cells since Yosys 0.5x
		} `json:"modules"`
	}
	if i := bytes.IndexByte(data, '{'); i > 0 {
		data = data[i:]
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("statistics of module %s: %w", top, err)
	}
	m, ok := s.Modules[`\`+top]
	if !ok {
		m, ok = s.Modules[top]
	}
	if !ok {
		return nil, fmt.Errorf("statistics of module %s: the module is not listed", top)
	}
	counts := map[string]int{}
	for _, list := range []map[string]float64{m.Cells, m.Subs} {
		for name, n := range list {
			counts[strings.TrimPrefix(name, `\`)] = int(n)
		}
	}
	return counts, nil
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
