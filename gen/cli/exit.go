package cli

import (
	"errors"

	"ohmloom/gen/tools"
	"ohmloom/verify"
)

// exitCode maps an error to what the shell sees.
func exitCode(err error) int {
	var f *failure
	var tool *verify.ToolError
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &tool), errors.Is(err, tools.ErrTool):
		return exitTool
	case errors.As(err, &f):
		return f.code
	}
	return exitFailed
}
