// SPDX-License-Identifier: Apache-2.0

// Package tools finds the external tools that ohmloom runs, and says which
// is missing, too old or broken. What is wanted stands in scripts/tools.tsv,
// which the set-up script reads too.
package tools

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"ohmloom/scripts"
)

// Need says how much ohmloom needs a tool.
type Need string

// The needs, as written in the table.
const (
	Core     Need = "core"     // commands or tests fail without it
	Optional Need = "optional" // set-up installs it; without it something is left out
	Extra    Need = "extra"    // installed only on request
)

// Tool is one line of the table.
type Tool struct {
	Name       string
	Executable string   // what to look for on PATH; for the Liberty a file name
	Probe      []string // arguments that make it print its version; nil for a file
	Dir        string   // where else a file may be; empty for an executable
	Min        string   // oldest version that works; empty when any does
	Tested     string   // newest version that was tried; empty when it has none
	Package    string   // Debian package, or the address to get it from
	Need       Need
	Purpose    string // what needs it, as a clause

	pattern *regexp.Regexp // its first group is the version
}

// Override is the environment variable that names another executable or
// file: "OHMLOOM_" and the name in upper case, "-" as "_" and "+" as "X".
func (t Tool) Override() string {
	return "OHMLOOM_" + strings.NewReplacer("-", "_", "+", "X").Replace(strings.ToUpper(t.Name))
}

// Table returns all tools in the order of the file. The slice is the
// caller's to change.
func Table() []Tool { return append([]Tool(nil), table()...) }

var table = sync.OnceValue(func() []Tool {
	list, err := parse(scripts.ToolTable)
	if err != nil {
		panic("scripts/tools.tsv: " + err.Error()) // embedded: only the build can be wrong
	}
	return list
})

const columns = "name\texecutable\tprobe\tversion_pattern\tmin\ttested\tpackage\tneed\tpurpose"

func parse(text string) ([]Tool, error) {
	var list []Tool
	header := false
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !header {
			if header = line == columns; !header {
				return nil, fmt.Errorf("line %d: the columns are not %q", n+1, columns)
			}
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != strings.Count(columns, "\t")+1 {
			return nil, fmt.Errorf("line %d: %d columns", n+1, len(f))
		}
		for i := range f {
			if f[i] == "" {
				return nil, fmt.Errorf("line %d: column %d is empty", n+1, i+1)
			}
			if f[i] == "-" {
				f[i] = ""
			}
		}
		t := Tool{Name: f[0], Executable: f[1], Min: f[4], Tested: f[5], Package: f[6], Need: Need(f[7]), Purpose: f[8]}
		if t.Need != Core && t.Need != Optional && t.Need != Extra {
			return nil, fmt.Errorf("line %d: need %q", n+1, f[7])
		}
		if dir, isFile := strings.CutPrefix(f[2], "file:"); isFile {
			t.Dir = dir
		} else {
			t.Probe = strings.Fields(f[2])
			re, err := regexp.CompilePOSIX(f[3])
			if err != nil || re.NumSubexp() != 1 {
				return nil, fmt.Errorf("line %d: version_pattern %q needs one group (%v)", n+1, f[3], err)
			}
			t.pattern = re
		}
		list = append(list, t)
	}
	return list, nil
}

// lookup returns a tool by name; a name outside the table is a programmer's
// mistake and panics.
func lookup(name string) Tool {
	for _, t := range table() {
		if t.Name == name {
			return t
		}
	}
	panic(fmt.Sprintf("tools: no tool %q in scripts/tools.tsv", name))
}

// DataDir is where set-up puts files that ohmloom reads and no package
// installs: $OHMLOOM_HOME, or ohmloom below $XDG_DATA_HOME, or below
// ~/.local/share. It is empty when there is no home directory at all.
func DataDir() string {
	if d := os.Getenv("OHMLOOM_HOME"); d != "" {
		return d
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "ohmloom")
	}
	home := os.Getenv("HOME")
	if home == "" {
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".local", "share", "ohmloom")
}
