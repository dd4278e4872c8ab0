package proof

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/icarus"
	"ohmloom/verify/mutate"
	"ohmloom/verify/random"
	"ohmloom/verify/synth"
	"ohmloom/verify/verilated"
	"ohmloom/verify/verilated/vlog"
)

// judgeOf is an engine that executes changed Verilog.
type judgeOf struct {
	name    string
	mutants int // of each subject
	build   func(context.Context, *ir.Design, []vlog.File) (verify.Engine, error)
}

// Icarus builds a small block in a moment and takes most of the mutants.
var judges = []judgeOf{
	{"icarus", 10, func(ctx context.Context, d *ir.Design, files []vlog.File) (verify.Engine, error) {
		return icarus.FromVerilog(ctx, d.Top, vlog.Tables(d), files, icarus.Options{})
	}},
	{"verilated", 1, func(ctx context.Context, d *ir.Design, files []vlog.File) (verify.Engine, error) {
		return verilated.FromVerilog(ctx, d.Top, vlog.Tables(d), files, verilated.Options{})
	}},
}

// verilogTrials are fewer than for designs in the IR: the engines are slower.
const verilogTrials = 6

func TestMistakesInTheVerilogAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a simulator for every mutant")
	}
	o := prover(t)
	tools.NeedForTest(t, "iverilog", "vvp", "verilator", "g++")
	count, ran := newTally(), newTally() // by kind, by engine
	t.Run("blocks", func(t *testing.T) {
		for i, s := range subjects() {
			t.Run(s.block.Name(), func(t *testing.T) {
				t.Parallel()
				v := &verilogMutants{s: s, d: s.design(), o: o}
				files, err := vlog.Emit(v.d)
				if err != nil {
					t.Fatal(err)
				}
				v.files = files
				v.twin = newTwin(t, v.d, s.image(), 4)
				seen := map[string]bool{}
				for b, j := range judges {
					n := j.mutants
					if nightly {
						n *= 10
					}
					for k := range n {
						mutant, what := mutate.Verilog(files, uint64(1000*i+500*b+k))
						if mutant == nil || seen[what] {
							continue
						}
						seen[what] = true
						how := v.judge(t, j, mutant, what)
						if how == "" {
							_, _, at := v.changed(mutant)
							t.Errorf("%s: not caught: %s // %s", j.name, what, at)
						}
						kind, _, _ := strings.Cut(what, ":")
						count.add(kind, how)
						ran.add(j.name, how)
					}
				}
			})
		}
	})
	t.Log(count, ran)
	if n := count.sum("arithmetic", "lockstep", "module alone"); n < 100 {
		t.Errorf("only %d mutants were caught", n)
	}
	for _, j := range judges {
		if len(ran.count[j.name]) == 0 {
			t.Errorf("no mutant ran on %s", j.name)
		}
	}
}

// verilogMutants judges mutants of one subject's Verilog.
type verilogMutants struct {
	s     subject
	d     *ir.Design
	files []vlog.File
	twin  *twin
	o     synth.Options
}

func (v *verilogMutants) judge(t *testing.T, j judgeOf, mutant []vlog.File, what string) string {
	e, err := j.build(t.Context(), v.d, mutant)
	if err != nil {
		t.Fatalf("%s: %s: %v", j.name, what, err)
	}
	defer e.Close()
	for trial := range int64(verilogTrials) {
		if v.s.holds(e, v.d.Top, trial) != nil {
			return "arithmetic"
		}
	}
	if v.twin.differs(e) != nil {
		return "lockstep"
	}
	m, text, at := v.changed(mutant)
	what += " // " + at
	if v.aloneDiffers(t, j, m, mutant) {
		return "module alone"
	}
	if v.provenEqual(t, m, text) {
		return "proven equal"
	}
	if verilogHarmless(what) {
		return "argued equal"
	}
	return ""
}

// changed finds the module whose text differs, the text, and the changed line and the next.
func (v *verilogMutants) changed(mutant []vlog.File) (m *ir.Module, text, lines string) {
	for i, f := range mutant {
		was := strings.Split(v.files[i].Text, "\n")
		for n, line := range strings.Split(f.Text, "\n") {
			if line == was[n] {
				continue
			}
			for _, m := range v.d.Modules {
				if m.Name+".v" == f.Name {
					return m, f.Text, line + was[n+1]
				}
			}
		}
	}
	panic("proof: nothing was changed")
}

// aloneDiffers runs the changed module by itself in lockstep with its IR.
func (v *verilogMutants) aloneDiffers(t *testing.T, j judgeOf, m *ir.Module, mutant []vlog.File) bool {
	d := ir.NewDesign(m)
	var files []vlog.File
	for _, f := range mutant {
		name, verilog := strings.CutSuffix(f.Name, ".v")
		if !verilog || hasModule(d, name) {
			files = append(files, f)
		}
	}
	e, err := j.build(t.Context(), d, files)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	seeds := 10
	if nightly {
		seeds = 80 // rare coincidences, such as a reset in the one cycle in which a vector ends
	}
	return newTwin(t, d, random.Image(d, 1), seeds).differs(e) != nil
}

func hasModule(d *ir.Design, name string) bool {
	for _, m := range d.Modules {
		if m.Name == name {
			return true
		}
	}
	return false
}

// provenEqual proves the changed module, with what is below it, equal to the original.
func (v *verilogMutants) provenEqual(t *testing.T, m *ir.Module, text string) bool {
	t.Helper()
	var was, is strings.Builder
	d := ir.NewDesign(m)
	for _, f := range v.files {
		if !hasModule(d, strings.TrimSuffix(f.Name, ".v")) {
			continue
		}
		was.WriteString(behaviour(f.Text))
		if f.Name == m.Name+".v" {
			f.Text = text
		}
		is.WriteString(behaviour(f.Text))
	}
	p, err := synth.Equivalent(t.Context(), m.Name, was.String(), is.String(), v.o)
	var tool *verify.ToolError
	if errors.As(err, &tool) {
		t.Fatal(err)
	}
	return err == nil && p.Equivalent
}

var (
	memory  = regexp.MustCompile(`(?m)^  reg \[(\d+):0\] (\w+) \[0:(\d+)\];.*\n`)
	powerOn = regexp.MustCompile("(?ms)^`include.*?^  end\n")
	loaded  = regexp.MustCompile(`(?m)^  reg tables_ready;.*\n`)
	guards  = regexp.MustCompile("(?m)^(`ifndef SYNTHESIS|`endif|\\(\\* blackbox \\*\\))\n")
)

// behaviour is the text of a module as Yosys can read its behaviour, macro or not: without
// the power-on state, with tables loaded, with memories that nothing writes as inputs, and with
// the bytes of a word added without a multiplier.
func behaviour(text string) string {
	text = guards.ReplaceAllString(powerOn.ReplaceAllString(text, ""), "")
	text = loaded.ReplaceAllString(text, "  localparam tables_ready = 1'b1;\n")
	text = strings.ReplaceAll(text, "t = (t * 64'h0101010101010101) >> 56;", "t = t + (t >> 8); t = t + (t >> 16); t = t + (t >> 32);")
	for _, m := range memory.FindAllStringSubmatch(text, -1) {
		high, name, last := m[1], m[2], m[3]
		if strings.Contains(text, name+"[waddr] <=") {
			continue
		}
		text = strings.Replace(text, m[0], "", 1)
		text = strings.Replace(text, "(\n", fmt.Sprintf("(\n  input wire [(%s+1)*(%s+1)-1:0] %s_cells,\n", high, last, name), 1)
		read := regexp.MustCompile(`\b` + name + `\[([^]]+)\]`)
		text = read.ReplaceAllString(text, fmt.Sprintf("%s_cells[(%s+1)*($1) +: %s+1]", name, high, high))
	}
	return text
}

// A macro's behaviour is proven equal to itself and not to one with a mistake: otherwise mutants
// of macros would go unproven unnoticed, or all be proven.
func TestBehaviourOfAMacroCanBeProven(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of Yosys")
	}
	o := prover(t)
	all := subjects()
	s := all[slices.IndexFunc(all, func(s subject) bool { return s.block.Name() == "crossbar_4x3_s1_a4_ideal" })]
	v := &verilogMutants{s: s, d: s.design(), o: o}
	var err error
	if v.files, err = vlog.Emit(v.d); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(v.files, func(f vlog.File) bool { return f.Name == v.d.Top.Name+".v" })
	right := v.files[at].Text
	wrong := regexp.MustCompile(` - (\w*neg_ones)`).ReplaceAllString(right, " + $1")
	if wrong == right {
		t.Fatal("there is no difference of sums to make a mistake in")
	}
	if !v.provenEqual(t, v.d.Top, right) {
		t.Error("the macro is not proven equal to itself")
	}
	if v.provenEqual(t, v.d.Top, wrong) {
		t.Error("the macro with a mistake in its difference is proven equal")
	}
}

// verilogArguments are as arguments, for mistakes in Verilog.
// They see the changed line and the next one too.
var verilogArguments = []struct{ pattern, why string }{
	{`^reset missing: array_\d+x\d+\.v.*left_q <=`, "left is written when a fold ends its feed, and read only after that"},
	{`^plus becomes minus: .* - 1'b1;`, "of one bit, one more and one less are the same"},
	{`^reset missing: collector_.*write_q <=`, "what is written right after a reset is overwritten before the buffer is read"},
	{`^below becomes not above: sram_.*mem\[waddr\] <=`, "Verilog ignores a write beyond the last word"},
	{`^below becomes not above: (sram|crossbar)_.*(mem|pos|neg)(_word)?[[;]`, "a word beyond the last is x, in Verilator 0; the block asks for none"},
}

func verilogHarmless(what string) bool {
	for _, a := range verilogArguments {
		if regexp.MustCompile(a.pattern).MatchString(what) {
			return true
		}
	}
	return false
}
