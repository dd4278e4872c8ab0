package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers says which packages of this module a package may lean on, directly or not, the
// first matching prefix deciding. What is not listed is not allowed.
var layers = []struct{ pkg, may string }{
	{"ohmloom/ir/bits", ""},
	{"ohmloom/ir/flat", "ir ir/bits"},
	{"ohmloom/ir/gates", "ir ir/bits"},
	{"ohmloom/ir/pass", "ir ir/bits"},
	{"ohmloom/ir", "ir/bits"},
	{"ohmloom/hw/device", "ir/bits"},
	{"ohmloom/hw/isa", ""},
	{"ohmloom/hw/regs", ""},
	{"ohmloom/hw", "hw/device hw/isa hw/regs ir ir/bits"},
	{"ohmloom/rtl", "ir ir/bits ir/pass"},
	{"ohmloom/verify", "ir ir/... rtl verify verify/..."},
	{"ohmloom/scripts/benchmarks", "gen/arch gen/compile gen/config gen/lower gen/mapping gen/model hw hw/... ir ir/... rtl scripts verify verify/..."},
	{"ohmloom/scripts/energy", "gen/arch gen/compile gen/config gen/lower gen/mapping gen/model gen/tools hw hw/... ir ir/... rtl scripts verify verify/..."},
	{"ohmloom/scripts", ""},
	{"ohmloom/examples", ""},
	{"ohmloom/gen/arch", "hw/device ir/bits"},
	{"ohmloom/gen/tools", "scripts"},
	{"ohmloom/gen/model", ""},
	{"ohmloom/gen/registers", "hw/regs"},
	{"ohmloom/gen/mapping", "gen/arch hw/device ir/bits"},
	{"ohmloom/gen/accuracy", "gen/model hw/device ir/bits"},
	{"ohmloom/gen/config", "gen/arch gen/mapping gen/model hw/device ir/bits"},
	{"ohmloom/gen/program", "gen/arch gen/mapping gen/model hw/device ir/bits"},
	{"ohmloom/gen/lower", "gen/arch gen/mapping hw hw/... ir ir/..."},
	{"ohmloom/gen/compile", "gen/arch gen/lower gen/mapping gen/model hw hw/... ir ir/..."},
	{"ohmloom/gen/estimate", "gen/arch gen/compile gen/estimate gen/estimate/... gen/lower gen/mapping gen/model hw hw/... ir ir/..."},
	{"ohmloom/gen/sweep", "gen/arch gen/compile gen/estimate gen/lower gen/mapping gen/model hw hw/... ir ir/..."},
	{"ohmloom/gen/report", "gen/arch gen/mapping hw/device ir ir/bits"},
	{"ohmloom/gen/cli", "..."},
	{"ohmloom", "..."},
}

// libraries are the outside packages that only some packages may know.
var libraries = map[string]string{
	"github.com/hashicorp/hcl": "ohmloom/gen/config",
	"github.com/dave/jennifer": "ohmloom/verify/gosim ohmloom/gen/registers",
	"github.com/spf13/cobra":   "ohmloom/gen/cli",
	"github.com/ebitengine":    "ohmloom/verify/verilated",
}

func TestImportsRunOneWay(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Deps,Imports", "ohmloom/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	checked := 0
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			ImportPath    string
			Deps, Imports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !within(p.ImportPath, "ohmloom") {
			continue
		}
		checked++
		may, ok := allowed(p.ImportPath)
		if !ok {
			t.Errorf("package %s has no place in the layers", p.ImportPath)
		}
		for _, d := range p.Deps {
			if within(d, "ohmloom") && !permits(may, strings.TrimPrefix(strings.TrimPrefix(d, "ohmloom"), "/")) {
				t.Errorf("%s leans on %s; it may lean on %q", p.ImportPath, d, may)
			}
		}
		for _, d := range p.Imports {
			for lib, only := range libraries {
				if strings.HasPrefix(d, lib) && !slices.ContainsFunc(strings.Fields(only), func(pkg string) bool { return within(p.ImportPath, pkg) }) {
					t.Errorf("%s imports %s, which is %s's business", p.ImportPath, d, only)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d packages seen", checked)
	}
}

func within(pkg, prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") }

func allowed(pkg string) (string, bool) {
	for _, l := range layers {
		if l.pkg == "ohmloom" && pkg != "ohmloom" {
			continue
		}
		if within(pkg, l.pkg) {
			return l.may, true
		}
	}
	return "", false
}

func permits(may, pkg string) bool {
	for _, m := range strings.Fields(may) {
		dir, tree := strings.CutSuffix(m, "...")
		if m == pkg || tree && strings.HasPrefix(pkg, dir) {
			return true
		}
	}
	return false
}
