// Package rtl prints the hardware IR as Verilog-2005 and writes the files that tools want
// beside it: file lists, constraints, stubs of macros, tables and a manifest.
//
// Everything is decided before printing: legalise.go, array.go, state.go and func.go turn a
// module into a small model of Verilog in which every expression has the exact width of its
// place; name.go finds names; print.go writes the model down.
//
// A register r is r_q in Verilog, the value it takes next r_d where that has a net of its
// own. Ports, modules and instances keep their names, or Emit returns a *NameError. What is
// left open is collected in wires called unused_*.
package rtl

import (
	"errors"
	"fmt"
	"strings"

	"ohmloom/ir"
)

// Roles of files in a bundle.
const (
	RoleRTL         = "rtl"         // a module for synthesis and simulation
	RoleMacro       = "macro"       // a macro: a black box for synthesis, behaviour for simulation
	RoleSim         = "sim"         // a module or include file for simulation only
	RoleFileList    = "filelist"    // .f
	RoleCore        = "core"        // FuseSoC
	RoleConstraints = "constraints" // .sdc
	RoleLiberty     = "liberty"     // stub of a macro: area and pins
	RoleLEF         = "lef"         // stub of a macro: outline
	RoleTable       = "table"       // contents of a memory
	RoleNames       = "names"       // IR names that differ in Verilog
	RoleManifest    = "manifest"
)

// Options are what the emitted files say about their origin.
type Options struct {
	Source   string    // name of the HCL description, "" when there is none
	Hash     string    // configuration hash
	ClockMHz float64   // clock of the constraints; 0: 100 MHz
	Version  string    // version of the generator, e.g. "0.1.0"
	Image    *ir.Image // contents of Loaded memories to write as tables, or nil
}

// File is one file of a bundle.
type File struct {
	Path string // relative, with slashes
	Data []byte
	Role string
}

// Bundle is the whole output but the manifest, which WriteDir adds: callers may append files.
type Bundle struct {
	Top, Hash, Version string
	Files              []File
}

// File finds a file by path, or nil.
func (b *Bundle) File(path string) *File {
	for i := range b.Files {
		if b.Files[i].Path == path {
			return &b.Files[i]
		}
	}
	return nil
}

// Emit prints a design, which must have passed ir.Check. The result depends on its arguments
// only. Errors name what Verilog cannot take; there may be several, joined.
func Emit(d *ir.Design, o Options) (*Bundle, error) {
	b := &Bundle{Top: d.Top.Name, Hash: o.Hash, Version: o.Version}
	var errs []error
	var names []nameEntry
	synthesised := map[*ir.Module]bool{}
	outsideMacros(d.Top, synthesised)
	for _, m := range d.Modules {
		model, renamed, err := build(m, d.Top.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		names = append(names, renamed...)
		role := RoleRTL
		switch {
		case !synthesised[m]:
			role = RoleSim
		case m.Macro != nil:
			role = RoleMacro
		}
		b.Files = append(b.Files, File{"rtl/" + m.Name + ".v", printModule(m, model, o), role})
	}
	errs = append(errs, sameFile(d)...)
	table, err := tables(d, o.Image)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	b.Files = append(b.Files, File{"rtl/" + initFile, []byte(initText), RoleSim})
	for _, m := range d.Modules {
		if m.Macro != nil && synthesised[m] {
			b.Files = append(b.Files, libertyStub(m), lefStub(m))
		}
	}
	sim := append([]string{"+incdir+rtl"}, pathsOf(b.Files, RoleRTL, RoleMacro, RoleSim)...)
	b.Files = append(b.Files,
		fileList(b.Top+".f", "Synthesis: macros are black boxes when SYNTHESIS is defined.", pathsOf(b.Files, RoleRTL, RoleMacro)),
		fileList("sim.f", "Simulation and lint. Plusargs: +seed=<hex>, +tables=<folder>/tables/ .", sim),
		core(b.Top, b.Files, o), constraints(d.Top, o), namesFile(names))
	b.Files = append(b.Files, table...)
	return b, nil
}

// outsideMacros finds the modules that synthesis sees: those not only used inside macros.
func outsideMacros(m *ir.Module, seen map[*ir.Module]bool) {
	if seen[m] {
		return
	}
	seen[m] = true
	if m.Macro != nil {
		return
	}
	for _, in := range m.Insts {
		outsideMacros(in.Of, seen)
	}
}

// sameFile finds modules whose files would be one where case does not count.
func sameFile(d *ir.Design) (errs []error) {
	seen := map[string]string{}
	for _, m := range d.Modules {
		key := strings.ToLower(m.Name)
		if other, ok := seen[key]; ok {
			errs = append(errs, &NameError{m.Name, "module", m.Name, "differs from " + other + " in case only"})
		}
		seen[key] = m.Name
	}
	return errs
}

const license = "Apache-2.0"

// printModule is the whole file of a module.
func printModule(m *ir.Module, model *module, o Options) []byte {
	p := &printer{}
	p.line("// SPDX-License-Identifier: %s", license)
	p.line("//")
	p.comment(strings.TrimSuffix(m.Name+": "+m.Doc, ": "))
	p.line("//")
	for _, l := range origin(m, o) {
		p.line("// %s", l)
	}
	p.line("")
	p.line("`default_nettype none")
	p.line("")
	p.module(model)
	p.line("")
	p.line("`default_nettype wire")
	return []byte(p.b.String())
}

// origin says what a file was made from.
func origin(m *ir.Module, o Options) []string {
	var l []string
	switch {
	case m.Loc != nil:
		l = append(l, "Source: "+oneLine(m.Loc.String()))
	case o.Source != "":
		l = append(l, "Source: "+oneLine(o.Source))
	}
	if o.Hash != "" {
		l = append(l, "Configuration: "+oneLine(o.Hash))
	}
	if m.Macro != nil {
		l = append(l, macroLines(m.Macro)...)
	}
	return append(l, strings.TrimSpace(fmt.Sprintf("Generated by ohmloom %s; change the description, not this file.", o.Version)))
}

// oneLine keeps names of files from ending a comment.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// macroLines are the contract of a macro.
func macroLines(m *ir.Macro) []string {
	l := []string{fmt.Sprintf("Macro: %s, latency %d cycles", oneLine(m.Kind), m.Latency)}
	if m.AreaUm2 != 0 {
		l = append(l, fmt.Sprintf("  area = %g um2", m.AreaUm2))
	}
	if m.EnergyPJ != 0 {
		l = append(l, fmt.Sprintf("  energy = %g pJ an operation", m.EnergyPJ))
	}
	for _, a := range m.Attrs {
		l = append(l, fmt.Sprintf("  %s = %s", oneLine(a.Key), oneLine(a.Value)))
	}
	return l
}
