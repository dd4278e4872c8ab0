package synth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// goldScript reads the Verilog as plainly as Yosys can: no optimisation that a fault of the
// flow could hide in.
const goldScript = `read_verilog -DSYNTHESIS in.v
hierarchy -top %[1]s
proc
memory -nomap
memory_map
opt_clean
techmap
simplemap
dffunmap
opt_clean
splitnets -ports
opt_clean
write_blif -impltf gold.blif
`

// gateScript is the area flow, whose netlist is then taken back to gates through the
// functions that the Liberty file gives for its cells.
const gateScript = `read_liberty -lib -ignore_miss_func cells.lib
read_verilog -DSYNTHESIS in.v
synth -top %[1]s -noalumacc
dfflibmap -liberty cells.lib
abc -liberty cells.lib -script +strash;ifraig;scorr;dc2;dc2;strash;dch,-f;amap,-m
opt_clean -purge
check -assert -mapped
%[2]swrite_verilog -noattr -noexpr net.v
design -reset
read_liberty -ignore_miss_func cells.lib
read_verilog net.v
hierarchy -top %[1]s
proc
flatten
techmap
simplemap
opt_clean
splitnets -ports
opt_clean
write_blif -impltf gate.blif
`

// Proof is the outcome of an equivalence check of one module.
type Proof struct {
	Module     string
	Equivalent bool
	Registers  int    // flip-flops cut: their outputs became inputs, their next values outputs
	Output     string // what ABC said
}

// Equivalent proves that the netlist of the area flow computes what the Verilog says: all
// flip-flops are cut and the two combinational circuits go to ABC's `cec`. Registers are
// matched by the name of their output. breakNet holds Yosys commands to damage the netlist
// with, for tests that must fail; "" leaves it whole. The module must be a leaf.
func Equivalent(ctx context.Context, top, src, breakNet string, o Options) (*Proof, error) {
	dir, err := o.workDir(src)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := run(ctx, o, dir, fmt.Sprintf(goldScript, top), "reading module "+top); err != nil {
		return nil, err
	}
	if err := run(ctx, o, dir, fmt.Sprintf(gateScript, top, breakNet), "synthesising module "+top); err != nil {
		return nil, err
	}
	gold, err := readBLIF(filepath.Join(dir, "gold.blif"))
	if err != nil {
		return nil, err
	}
	gate, err := readBLIF(filepath.Join(dir, "gate.blif"))
	if err != nil {
		return nil, err
	}
	matched, err := matchRegisters(gold, gate)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", top, err)
	}
	if err := gold.write(gold.regs); err != nil {
		return nil, err
	}
	if err := gate.write(matched); err != nil {
		return nil, err
	}
	return cec(ctx, dir, top, len(matched), o)
}

// netlist is a BLIF file with its flip-flops apart.
type netlist struct {
	path  string
	lines []string // without the latches
	regs  []latch
}

type latch struct {
	next, q string
	names   []string // q and every net that only buffers it
}

func readBLIF(path string) (*netlist, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := &netlist{path: path}
	buffers := map[string][]string{}
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == ".latch" {
			n.regs = append(n.regs, latch{next: f[1], q: f[2]})
			continue
		}
		n.lines = append(n.lines, line)
		lone := i+2 < len(lines) && lines[i+1] == "1 1" && strings.HasPrefix(lines[i+2], ".")
		if len(f) == 3 && f[0] == ".names" && lone {
			buffers[f[1]] = append(buffers[f[1]], f[2])
		}
	}
	for i := range n.regs {
		r := &n.regs[i]
		for todo := []string{r.q}; len(todo) > 0; todo = todo[1:] {
			r.names = append(r.names, todo[0])
			todo = append(todo, buffers[todo[0]]...)
		}
	}
	return n, nil
}

// matchRegisters gives, for each register of gold, the one of gate that shares a name with it.
func matchRegisters(gold, gate *netlist) ([]latch, error) {
	byName := map[string]*latch{}
	for i := range gate.regs {
		for _, name := range gate.regs[i].names {
			byName[name] = &gate.regs[i]
		}
	}
	var matched []latch
	used := map[*latch]bool{}
	var missing []string
	for _, r := range gold.regs {
		var found *latch
		for _, name := range r.names {
			if g := byName[name]; g != nil && !used[g] {
				found = g
			}
		}
		if found == nil {
			missing = append(missing, r.q)
			continue
		}
		used[found] = true
		matched = append(matched, *found)
	}
	if len(missing) > 0 || len(matched) != len(gate.regs) {
		return nil, fmt.Errorf("%d registers in the source, %d in the netlist; without a partner: %s",
			len(gold.regs), len(gate.regs), strings.Join(missing, " "))
	}
	return matched, nil
}

// write replaces flip-flop regs[i] by an input reg<i>_q and an output reg<i>_next.
func (n *netlist) write(regs []latch) error {
	var ins, outs, body []string
	for i, r := range regs {
		q := fmt.Sprintf("reg%d_q", i)
		next := fmt.Sprintf("reg%d_next", i)
		ins, outs = append(ins, q), append(outs, next)
		body = append(body, fmt.Sprintf(".names %s %s\n1 1", q, r.q), fmt.Sprintf(".names %s %s\n1 1", r.next, next))
	}
	var b strings.Builder
	for _, line := range n.lines {
		switch {
		case strings.HasPrefix(line, ".inputs"):
			line += " " + strings.Join(ins, " ")
		case strings.HasPrefix(line, ".outputs"):
			line += " " + strings.Join(outs, " ")
		case line == ".end":
			line = strings.Join(append(body, line), "\n")
		}
		b.WriteString(line + "\n")
	}
	return os.WriteFile(n.path, []byte(b.String()), 0o666)
}

func cec(ctx context.Context, dir, top string, registers int, o Options) (*Proof, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	abc := "yosys-abc"
	if o.Yosys != "" && strings.ContainsRune(o.Yosys, os.PathSeparator) {
		abc = o.Yosys + "-abc"
	}
	cmd := exec.CommandContext(bounded, abc, "-q", "cec gold.blif gate.blif")
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bounded.Err() != nil:
		return nil, fmt.Errorf("yosys-abc did not prove module %s within %s", top, o.Timeout)
	case err != nil:
		return nil, o.broken("yosys-abc", "proving module "+top, err, text)
	}
	p := &Proof{Module: top, Registers: registers, Output: tail(text, 5)}
	switch {
	case strings.Contains(text, "Networks are equivalent"):
		p.Equivalent = true
	case !strings.Contains(text, "NOT EQUIVALENT"):
		return nil, o.broken("yosys-abc", "proving module "+top, errors.New("no verdict"), text)
	}
	return p, nil
}
