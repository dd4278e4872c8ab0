package synth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// reading reads the Verilog as plainly as Yosys can.
const reading = `read_verilog in.v
hierarchy -top %[1]s
proc
flatten
`

// narrowing gives arithmetic the widths that the flow gives it too, without which ABC does
// not see that two multipliers are alike: 0.2 s instead of 7 s for an int8 one. What these
// passes may do wrong shows only with Options.Strict.
const narrowing = `opt_expr
opt_clean
wreduce
peepopt
opt_clean
opt_expr -full
`

// gates takes what is left to simple gates and flip-flops without enable or reset.
const gates = `memory_collect
memory_map
opt_clean
techmap
simplemap
dffunmap
opt_expr
simplemap
opt_clean
splitnets -ports
opt_clean
write_blif %s
`

// expansion takes a netlist of cells back to gates, through the functions that the Liberty
// file gives for its cells. Other Verilog passes too.
const expansion = `read_liberty -ignore_miss_func cells.lib
read_verilog net.v
hierarchy -top %[1]s
proc
flatten
memory_collect
memory_map
opt_clean
techmap
simplemap
dffunmap
opt_expr
simplemap
opt_clean
splitnets -ports
opt_clean
write_blif gate.blif
`

// Proof is the outcome of an equivalence check of one module.
type Proof struct {
	Module     string
	Equivalent bool
	Registers  int    // flip-flops of the source; they are cut: outputs became inputs, next values outputs
	Merged     int    // of these, how many share a flip-flop of the netlist with another
	Constant   int    // of these, how many are a constant in the netlist
	Output     string // what ABC said
}

// Netlist is module top of the Verilog src mapped to cells by the area flow, as Verilog.
// The module must be a leaf.
func Netlist(ctx context.Context, top, src string, o Options) (string, error) {
	dir, err := o.workDir(src)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	script := fmt.Sprintf(mapping, top, "") + "write_verilog -noattr -noexpr net.v\n"
	if err := o.yosys(ctx, dir, script, "synthesising module "+top); err != nil {
		return "", err
	}
	net, err := os.ReadFile(filepath.Join(dir, "net.v"))
	return string(net), err
}

// Equivalent decides whether a netlist, or another version of the Verilog, computes what the Verilog src says, for module top, a
// leaf: flip-flops are cut and the two combinational circuits go to ABC's cec. Flip-flops are
// matched by the names of their outputs.
//
// Where the netlist has one flip-flop, or a constant, for several in the source, the proof is
// by induction: if they are equal (or constant) in one cycle, they are in the next. That
// they are so at first takes a reset, or a clock edge where there is none.
func Equivalent(ctx context.Context, top, src, net string, o Options) (*Proof, error) {
	dir, err := o.workDir(src)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "net.v"), []byte(net), 0o666); err != nil {
		return nil, err
	}
	read := fmt.Sprintf(reading, top)
	if !o.Strict {
		read += narrowing
	}
	if err := o.yosys(ctx, dir, read+fmt.Sprintf(gates, "gold.blif"), "reading module "+top); err != nil {
		return nil, err
	}
	if err := o.yosys(ctx, dir, fmt.Sprintf(expansion, top), "reading the netlist of module "+top); err != nil {
		return nil, err
	}
	gold, err := readBLIF(filepath.Join(dir, "gold.blif"), "gold")
	if err != nil {
		return nil, err
	}
	gate, err := readBLIF(filepath.Join(dir, "gate.blif"), "gate")
	if err != nil {
		return nil, err
	}
	p := &Proof{Module: top, Registers: len(gold.regs)}
	for _, lost := range []bool{false, true} {
		cuts, err := match(gold, gate, lost, p)
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", top, err)
		}
		if cuts == nil && p.Output != "" {
			return p, nil
		}
		free := slices.Concat(gold.free, gate.free)
		if err := errors.Join(gold.write(cuts, false, free), gate.write(cuts, true, free)); err != nil {
			return nil, err
		}
		if err := p.decide(ctx, dir, o); err != nil || p.Equivalent || p.Constant == 0 {
			return p, err
		}
	}
	return p, nil
}

// decide runs ABC on the two cut circuits.
func (p *Proof) decide(ctx context.Context, dir string, o Options) error {
	doing := "proving module " + p.Module
	text, err := o.abc(ctx, dir, "cec gold.blif gate.blif", doing)
	if err != nil {
		return err
	}
	p.Output = tail(text, 5)
	switch {
	case strings.Contains(text, "Miter computation has failed"):
		return fmt.Errorf("module %s: the two have different ports: %s", p.Module, p.Output)
	case strings.Contains(text, "Networks are equivalent"):
		p.Equivalent = true
	case !strings.Contains(text, "NOT EQUIVALENT"):
		return o.broken("yosys-abc", errors.New(doing+": no verdict"), text)
	}
	return nil
}
