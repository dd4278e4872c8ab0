//go:build !unix

package vlog

import (
	"os/exec"
	"time"
)

// Group bounds the wait for the pipes of a program that was killed.
func Group(cmd *exec.Cmd) { cmd.WaitDelay = 5 * time.Second }
