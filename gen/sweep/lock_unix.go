//go:build unix

package sweep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock takes the folder of a results file for this process alone. The lock ends with the
// process, so a sweep that was killed blocks nobody.
func lock(path string) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return func() { dir.Close() }, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s: another sweep is at work in this folder; wait for it or name another with --output", dir.Name())
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOLCK):
		return func() { dir.Close() }, nil // a file system without locks
	default:
		err = fmt.Errorf("lock of %s: %w", dir.Name(), err)
	}
	dir.Close()
	return nil, err
}
