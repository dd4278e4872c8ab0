//go:build linux || darwin || freebsd || netbsd || openbsd

package gosim

import (
	"errors"
	"os"
	"syscall"
)

// shareMemory gives n bytes that a child process can map too, from the file, which has no
// name any more. It is written in full, so that a full disk shows here and not as a fault.
func shareMemory(n int) (mem []byte, file *os.File, err error) {
	dir := "/dev/shm" // memory, where there is such a thing
	if _, err := os.Stat(dir); err != nil {
		dir = ""
	}
	file, err = os.CreateTemp(dir, "ohmloom-gosim-")
	if err != nil {
		return nil, nil, err
	}
	err = os.Remove(file.Name())
	if err == nil {
		_, err = file.Write(make([]byte, n))
	}
	if err == nil {
		mem, err = syscall.Mmap(int(file.Fd()), 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return mem, file, nil
}

func unshare(mem []byte) error { return syscall.Munmap(mem) }
