package synth

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"ohmloom/verify/cache"
)

// Path is the longest path of one module's netlist, from a register or an input to a register
// or an output, submodules and macros left out.
type Path struct {
	NS   float64 `json:"ns"`   // the shortest clock period it allows
	From string  `json:"from"` // net of the register or port where it starts
	To   string  `json:"to"`   // and where it ends
}

// staScript asks OpenSTA for the longest path under an ideal clock of 10,000 ns. Registers are
// named by the net they drive.
const staScript = `read_liberty cells.lib
read_verilog net.v
link_design %s
if {[llength [get_ports -quiet clk]]} { create_clock -name clk -period 10000 [get_ports clk] } else { create_clock -name clk -period 10000 }
foreach p [all_inputs] { if {[get_property $p full_name] != "clk"} { set_input_delay 0 -clock clk $p } }
foreach p [all_outputs] { set_output_delay 0 -clock clk $p }
proc net_of {pin} {
  set name [get_full_name $pin]
  if {[string first / $name] < 0} { return $name }
  set cell [string range $name 0 [expr {[string last / $name] - 1}]]
  foreach q {Q QN} { if {![catch {get_nets -of_objects [get_pins $cell/$q]} n] && [llength $n]} { return [get_full_name [lindex $n 0]] } }
  return $name
}
set p [lindex [find_timing_paths -path_delay max] 0]
if {$p ne "" && $p ne "NULL"} {
  puts "PATH [get_property $p slack] [net_of [get_property $p startpoint]] [net_of [get_property $p endpoint]]"
} else {
  puts "NOPATH"
}
`

const staPeriod = 10000

// buffered is the mapping with buffers for nets of high fan-out and cells sized to their load:
// a few per cent more area, without which such nets dominate every path.
var buffered = strings.Replace(mapping, "amap,-m", "amap,-m;topo;buffer,-c;upsize;dnsize", 1)

var pathRE = regexp.MustCompile(`(?m)^PATH (\S+) (\S+) (\S+)$`)

// LongestPath maps module top, as area does, and times the netlist with OpenSTA (sta is its
// executable): wires without load, an ideal clock, inputs that arrive at the clock edge. nil
// for a module without a path. The netlist is area's with buffers inserted and cells sized.
func LongestPath(ctx context.Context, top, src, sta string, o Options) (*Path, error) {
	measure := func(ctx context.Context, dir string) error {
		work, err := o.workDir(src)
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		ys := fmt.Sprintf(buffered, top, "") + "splitnets -ports\nopt_clean -purge\nwrite_verilog -noattr -noexpr net.v\n" // OpenSTA reads no assignment to a concatenation
		if err := o.yosys(ctx, work, ys, "synthesising module "+top); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(work, "run.tcl"), fmt.Appendf(nil, staScript, top), 0o666); err != nil {
			return err
		}
		out, err := o.run(ctx, work, "sta", cmp.Or(sta, "sta"), "timing module "+top, "-no_splash", "-exit", "run.tcl")
		if err != nil {
			return err
		}
		path, err := parsePath(top, out)
		if err != nil {
			return err
		}
		data, err := json.Marshal(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "path.json"), data, 0o666)
	}
	dir, err := "", error(nil)
	if o.Cache != nil {
		dir, _, err = o.Cache.Get(ctx, "timing", cache.Key(buffered, staScript, top, src, o.Liberty.Hash, o.Version), measure)
	} else if dir, err = os.MkdirTemp("", "ohmloom-timing-"); err == nil {
		defer os.RemoveAll(dir)
		err = measure(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "path.json"))
	if err != nil {
		return nil, err
	}
	var p *Path
	return p, json.Unmarshal(data, &p)
}

// parsePath reads what staScript printed.
func parsePath(top, out string) (*Path, error) {
	if strings.Contains(out, "\nNOPATH") || strings.HasPrefix(out, "NOPATH") {
		return nil, nil
	}
	m := pathRE.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("sta gave no path for module %s:\n%s", top, out)
	}
	slack, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return nil, fmt.Errorf("sta gave slack %q for module %s", m[1], top)
	}
	return &Path{NS: math.Round((staPeriod-slack)*1000) / 1000, From: m[2], To: m[3]}, nil
}
