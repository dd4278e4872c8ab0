package synth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ohmloom/verify/cache"
)

// NetlistJSON is module top of the Verilog texts mapped to cells by the area flow and flattened, as
// Yosys' write_json has it: before it is mapped (flat), or after, module by module as in area. Modules that texts do not have, declared by Blackbox,
// stay as they are.
func NetlistJSON(ctx context.Context, top string, texts []string, flat bool, o Options) ([]byte, error) {
	src := strings.Join(texts, "\n")
	script := fmt.Sprintf(mapping, top, "-flatten ") + "write_json net.json\n"
	if !flat {
		script = fmt.Sprintf(mapping, top, "") + "flatten\nopt_clean -purge\nwrite_json net.json\n"
	}
	build := func(ctx context.Context, dir string) error {
		work, err := o.workDir(src)
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		if err := o.yosys(ctx, work, script, "synthesising module "+top); err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(work, "net.json"))
		if err != nil {
			return fmt.Errorf("yosys gave no netlist for module %s: %w", top, err)
		}
		return os.WriteFile(filepath.Join(dir, "net.json"), data, 0o666)
	}
	dir, err := "", error(nil)
	if o.Cache != nil {
		dir, _, err = o.Cache.Get(ctx, "netlist", cache.Key(script, top, src, o.Liberty.Hash, o.Version), build)
	} else if dir, err = os.MkdirTemp("", "ohmloom-netlist-"); err == nil {
		defer os.RemoveAll(dir)
		err = build(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "net.json"))
}

// Blackbox is the Verilog of a module without its inside.
var Blackbox = stub
