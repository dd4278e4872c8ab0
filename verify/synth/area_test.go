package synth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/rtl"
	"ohmloom/verify"
	"ohmloom/verify/cache"
)

// nested is a design of three levels: 2 x 3 of rows, each with 1 x 4 of leaves, and one more
// leaf and a macro at the top.
func nested() *ir.Design {
	leaf := ir.New("leaf", "")
	a := leaf.In("a", ir.Bits(4), "")
	leaf.Out("y", leaf.Reg("r", ir.Bits(4), 0).Set(a.Add(a.ShrK(1))), "")
	row := ir.New("row", "")
	in := row.Array("pe", leaf, 1, 4).In("a", row.In("a", ir.Bits(4), ""))
	row.Out("y", row.OutOf(in, "y").Parity(1), "")
	analog := ir.New("analog", "")
	analog.Out("y", analog.In("a", ir.Bits(4), "").Not(), "")
	analog.Macro = &ir.Macro{Kind: "sram", AreaUm2: 1000}
	top := ir.New("top", "")
	x := top.In("a", ir.Bits(4), "")
	rows := top.Array("rows", row, 2, 3).In("a", x)
	one := top.Instance("u_one", leaf).In("a", x)
	mem := top.Instance("u_mem", analog).In("a", x)
	top.Out("y", top.OutOf(rows, "y").Parity(1).Xor(top.OutOf(one, "y")).Xor(top.OutOf(mem, "y")), "")
	return ir.NewDesign(top)
}

func texts(t *testing.T, d *ir.Design) map[string]string {
	t.Helper()
	b, err := rtl.Emit(d, rtl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, m := range d.Modules {
		text[m.Name] = string(b.File("rtl/" + m.Name + ".v").Data)
	}
	return text
}

func options(t *testing.T) Options {
	t.Helper()
	found := tools.NeedForTest(t, "yosys", "yosys-abc", "liberty")
	l, err := ReadLiberty(found[2].Path)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Yosys: found[0].Path, Version: found[0].Version, Liberty: l}
}

func module(t *testing.T, a *Area, name string) ModuleArea {
	t.Helper()
	for _, m := range a.Modules {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("module %s is not listed", name)
	return ModuleArea{}
}

func TestAreaMultipliesTheCountsOfNestedArrays(t *testing.T) {
	o := options(t)
	var calls []string
	o.Done = func(name string, done, total int) { calls = append(calls, fmt.Sprintf("%d/%d", done, total)) }
	a, err := Of(t.Context(), nested(), texts(t, nested()), o)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"top": 1, "row": 6, "leaf": 25, "analog": 1} {
		if m := module(t, a, name); m.Instances != n || m.TotalUm2 != float64(n)*m.AreaUm2 {
			t.Errorf("%s: %+v, want %d instances", name, m, n)
		}
	}
	leaf := module(t, a, "leaf")
	if leaf.FlipFlops != 4 || leaf.Kind != "cell" || leaf.AreaUm2 < 4*o.Liberty.Cells["DFFPOSX1"].AreaUm2 {
		t.Errorf("leaf: %+v", leaf)
	}
	if row := module(t, a, "row"); row.FlipFlops != 0 || row.AreaUm2 <= 0 || row.Cells["leaf"] != 0 {
		t.Errorf("row: %+v", row)
	}
	if m := module(t, a, "analog"); m.Kind != "memory" || m.AreaUm2 != 1000 {
		t.Errorf("analog: %+v", m)
	}
	sum := 0.0
	for _, m := range a.Modules {
		sum += m.TotalUm2
	}
	if a.TotalUm2 != sum || a.GateEquivalents != (sum-1000)/o.Liberty.NAND2Um2 {
		t.Errorf("total %g, %g gate equivalents; the modules add up to %g", a.TotalUm2, a.GateEquivalents, sum)
	}
	if want := []string{"1/4", "2/4", "3/4", "4/4"}; !reflect.DeepEqual(calls, want) {
		t.Errorf("progress %v", calls)
	}
	flat, err := FlatCells(t.Context(), "top", []string{texts(t, nested())["top"], texts(t, nested())["row"],
		texts(t, nested())["leaf"], texts(t, nested())["analog"]}, o)
	if err != nil || CellArea(flat, o.Liberty) <= 0 || flat["analog"] != 1 {
		t.Errorf("flat: %v, %v", flat, err)
	}
}

// fake is an executable yosys that counts its runs in calls and then does what body says. It
// stands in the folder of a script of Yosys.
func fake(t *testing.T, body string) (o Options, calls func() int) {
	t.Helper()
	dir := t.TempDir()
	path, log := filepath.Join(dir, "yosys"), filepath.Join(dir, "calls")
	script := "#!/bin/sh\necho $$ >>" + log + "\n" + body + "\n"
	for _, name := range []string{path, path + "-abc"} {
		if err := os.WriteFile(name, []byte(script), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	lib := filepath.Join(dir, "cells.lib")
	if err := os.WriteFile(lib, []byte("library (x) { cell (NAND2X1) { area : 10; } cell (DFF) { area : 50; ff (Q, QN) { } } }"), 0o666); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLiberty(lib)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Yosys: path, Version: "0.23", Liberty: l}, func() int {
		data, _ := os.ReadFile(log)
		return strings.Count(string(data), "\n")
	}
}

// stats lets the fake write statistics of whatever module the script names.
const stats = `top=$(sed -n 's/.*-top \([a-z]*\).*/\1/p' run.ys)
cat >stat.json <<EOF
Found gzip magic in a file
{"creator": "Yosys", "modules": {"\\\\$top": {"num_cells": 3, "num_cells_by_type": {%s}}}}
EOF`

func TestSecondRunStartsNoYosys(t *testing.T) {
	o, calls := fake(t, fmt.Sprintf(stats, `"NAND2X1": 3, "DFF": 1`))
	var err error
	if o.Cache, err = cache.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	d := nested()
	first, err := Of(t.Context(), d, texts(t, d), o)
	if err != nil {
		t.Fatal(err)
	}
	if calls() != 3 || first.TotalUm2 != 32*80+1000 || module(t, first, "leaf").FlipFlops != 1 {
		t.Errorf("%d runs, %+v", calls(), first)
	}
	second, err := Of(t.Context(), d, texts(t, d), o)
	if err != nil || calls() != 3 || !reflect.DeepEqual(first, second) {
		t.Errorf("second: %v, %d runs, %+v", err, calls(), second)
	}
	text := texts(t, d)
	text["leaf"] += "// changed\n"
	if _, err := Of(t.Context(), d, text, o); err != nil || calls() != 4 {
		t.Errorf("one module changed: %v, %d runs", err, calls())
	}
	o.Version = "0.24"
	if _, err := Of(t.Context(), d, text, o); err != nil || calls() != 7 {
		t.Errorf("another Yosys: %v, %d runs", err, calls())
	}
}

func TestAUnknownCellOrABadAnswerIsAnError(t *testing.T) {
	d := nested()
	for name, c := range map[string]struct{ body, want string }{
		"unknown cell":  {fmt.Sprintf(stats, `"\$_AND_": 3`), "yosys left cell $_AND_ in module"},
		"no statistics": {"true", "yosys gave no statistics for module"},
		"not JSON":      {"echo '{' >stat.json", "statistics of module"},
		"other module":  {`echo '{"modules": {"other": {}}}' >stat.json`, "the module is not listed"},
	} {
		o, _ := fake(t, c.body)
		if _, err := Of(t.Context(), d, texts(t, d), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v should say %q", name, err, c.want)
		}
	}
	o, _ := fake(t, "true")
	o.Liberty.Cells["row"] = Cell{}
	if _, err := Of(t.Context(), d, texts(t, d), o); err == nil || !strings.Contains(err.Error(), "module row has the name of a cell") {
		t.Errorf("error %v", err)
	}
}

func TestStatisticsOfOtherVersionsAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"submodules apart": `{"modules": {"\\m": {"num_cells_by_type": {"NAND2X1": 2}, "num_submodules_by_type": {"sub": 4}}}}`,
		"no backslash":     `{"modules": {"m": {"num_cells_by_type": {"NAND2X1": 2.0, "\\sub": 4}}}}`,
	} {
		got, err := parseStat([]byte(text), "m")
		if err != nil || !reflect.DeepEqual(got, map[string]int{"NAND2X1": 2, "sub": 4}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAYosysThatFailsIsAToolError(t *testing.T) {
	d := nested()
	for name, c := range map[string]struct{ body, want string }{
		"crashes": {"kill -SEGV $$", "signal"},
		"refuses": {"echo ERROR: syntax error; exit 1", "ERROR: syntax error"},
		"hangs":   {"sleep 600", "not finished within 300ms"},
	} {
		o, _ := fake(t, c.body)
		o.Timeout = 300 * time.Millisecond
		_, err := Of(t.Context(), d, texts(t, d), o)
		var tool *verify.ToolError
		if !errors.As(err, &tool) || tool.Package != "yosys" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v should be a ToolError that says %q", name, err, c.want)
		}
		_, err = Equivalent(t.Context(), "leaf", texts(t, d)["leaf"], "", o)
		if !errors.As(err, &tool) {
			t.Errorf("%s: proof: error %v should be a ToolError", name, err)
		}
	}
	o, _ := fake(t, "")
	for _, path := range []string{"yosys-that-is-not-there", filepath.Join(t.TempDir(), "yosys")} {
		o.Yosys = path
		_, err := Of(t.Context(), d, texts(t, d), o)
		var tool *verify.ToolError
		if !errors.As(err, &tool) || !strings.Contains(err.Error(), "not found") {
			t.Errorf("%s: error %v should be a ToolError", path, err)
		}
	}
}

func TestCancelEndsYosysAndItsChildren(t *testing.T) {
	o, calls := fake(t, "sleep 601 & wait")
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan error, 1)
	d := nested()
	text := texts(t, d)
	go func() {
		_, err := Of(ctx, d, text, o)
		finished <- err
	}()
	for i := 0; calls() < 2; i++ { // as many as run at once
		if i == 6000 {
			t.Fatal("no two runs of yosys within a minute")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	select {
	case err := <-finished:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Of did not return within a minute of its cancellation")
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(o.Yosys), "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(data)) {
		var group int
		fmt.Sscan(pid, &group)
		// The group is gone when no process is left in it.
		gone := false
		for range 500 {
			if gone = errors.Is(syscall.Kill(-group, 0), syscall.ESRCH); gone {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !gone {
			t.Errorf("processes of group %d are left", group)
		}
	}
}

func TestAreaHasStableKeys(t *testing.T) {
	data, err := json.Marshal(Area{Modules: []ModuleArea{{Cells: map[string]int{"x": 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"total_area_um2", "gate_equivalents", "modules", "name", "kind", "instances", "area_um2"} {
		if !strings.Contains(string(data), `"`+key+`":`) {
			t.Errorf("key %s is missing in %s", key, data)
		}
	}
}
