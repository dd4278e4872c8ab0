//go:build !unix

package verilated

import (
	"fmt"
	"runtime"
)

func newLocal(string) (model, error) {
	return nil, fmt.Errorf("engine verilated loads a shared object, which is not supported on %s", runtime.GOOS)
}
