//go:build unix

package vlog

import (
	"os/exec"
	"syscall"
	"time"
)

// Group makes the end of cmd's context kill the program together with what it started (g++
// starts compilers), and bounds the wait for their pipes.
func Group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}
