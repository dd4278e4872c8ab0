package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ohmloom/gen/tools"
)

// Version is ohmloom's own version.
const Version = "0.1.0"

type toolStatus struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Need    string `json:"need"`
	Version string `json:"version,omitempty"`
	Wanted  string `json:"wanted,omitempty"`
	Path    string `json:"path,omitempty"`
	Package string `json:"package"`
	Purpose string `json:"purpose"`
	Problem string `json:"problem,omitempty"`
	Note    string `json:"note,omitempty"`
}

type doctorResult struct {
	OK      bool         `json:"ok"`
	Version string       `json:"version"` // of ohmloom
	Tools   []toolStatus `json:"tools"`
}

type versionResult struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Revision string `json:"revision"`
}

func (a *app) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say which external tools are there, which are missing and what to install",
		Long: `Look for every external tool, ask its version and compare it with the one wanted. Exit code
3 when a needed tool (need core) is missing, too old or broken. OHMLOOM_<NAME> in the
environment names another executable, such as OHMLOOM_VERILATOR.` + jsonHelp(doctorResult{}),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ok := true
			var list []toolStatus
			for _, s := range tools.Check(cmd.Context()) {
				st := toolStatus{Name: s.Tool.Name, OK: s.Err == nil, Need: string(s.Tool.Need), Version: s.Found.Version,
					Wanted: s.Tool.Min, Path: s.Found.Path, Package: s.Tool.Package, Purpose: s.Tool.Purpose, Note: s.Note}
				if s.Err != nil {
					st.Problem = s.Err.Error()
					ok = ok && s.Tool.Need != tools.Core
				}
				list = append(list, st)
			}
			if a.json {
				if err := a.printJSON(doctorResult{ok, Version, list}); err != nil {
					return err
				}
			} else {
				a.toolTable(list)
			}
			if !ok {
				return said(exitTool)
			}
			return nil
		},
	}
}

func (a *app) toolTable(list []toolStatus) {
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"tool", "need", "found", "wanted", "package", "what needs it"})
	for _, s := range list {
		found := s.Version
		switch {
		case !s.OK:
			found = "no"
		case found == "":
			found = "yes"
		}
		t.AppendRow(table.Row{s.Name, s.Need, found, s.Wanted, s.Package, s.Purpose})
	}
	t.Render()
	for _, s := range list {
		if s.Problem != "" {
			a.note("%s", s.Problem)
		}
		if s.Note != "" {
			a.note("%s: %s", s.Name, s.Note)
		}
	}
}

func none(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("unexpected argument %q", args[0])
	}
	return nil
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  `Print the version.` + jsonHelp(versionResult{}),
		Args:  none,
		RunE: func(*cobra.Command, []string) error {
			revision := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			if a.json {
				return a.printJSON(versionResult{Version, runtime.Version(), revision})
			}
			a.note("ohmloom %s (%s)", Version, runtime.Version())
			return nil
		},
	}
}
