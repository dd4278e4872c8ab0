package verify

import "fmt"

// ToolError says that an external tool is missing, too old or broken, and what to install.
type ToolError struct {
	Tool    string // the program's name, e.g. "verilator"
	Found   string // the version found, or "" when the program is not there
	Wanted  string // the oldest version that will do, e.g. "5.006", or "" when any will
	Package string // the Debian package that brings it
	Err     error  // what went wrong when the program was run, or nil
	Output  string // the end of what the program printed
}

// Error names the tool, what was found, what is wanted and the package to install.
func (e *ToolError) Error() string {
	what := "not found"
	switch {
	case e.Err != nil && e.Found != "":
		what = fmt.Sprintf("version %s failed: %v", e.Found, e.Err)
	case e.Err != nil:
		what = fmt.Sprintf("failed: %v", e.Err)
	case e.Found != "":
		what = "version " + e.Found + " is too old"
	}
	s := e.Tool + ": " + what
	if e.Wanted != "" {
		s += "; wanted " + e.Wanted + " or later"
	}
	if e.Package != "" {
		s += "; Debian package " + e.Package
	}
	if e.Output != "" {
		s += "\n" + e.Output
	}
	return s
}

// Unwrap gives the error of the run.
func (e *ToolError) Unwrap() error { return e.Err }
