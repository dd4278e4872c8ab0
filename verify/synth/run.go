package synth

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ohmloom/verify"
	"ohmloom/verify/verilated/vlog"
)

// defaultTimeout is for one module.
const defaultTimeout = 10 * time.Minute

// yosys runs a script in dir.
func (o Options) yosys(ctx context.Context, dir, script, doing string) error {
	if err := os.WriteFile(filepath.Join(dir, "run.ys"), []byte(script), 0o666); err != nil {
		return err
	}
	_, err := o.run(ctx, dir, "yosys", cmp.Or(o.Yosys, "yosys"), doing, "-q", "-s", "run.ys")
	return err
}

// abc runs ABC commands in dir and gives what it printed.
func (o Options) abc(ctx context.Context, dir, commands, doing string) (string, error) {
	path := "yosys-abc"
	if strings.ContainsRune(o.Yosys, os.PathSeparator) {
		path = o.Yosys + "-abc"
	}
	return o.run(ctx, dir, "yosys-abc", path, doing, "-q", commands)
}

// run runs a tool in dir, bounded in time, and gives what it printed. When ctx ends or the
// time is up, what the tool itself started is ended too.
func (o Options) run(ctx context.Context, dir, tool, path, doing string, args ...string) (string, error) {
	limit := cmp.Or(o.Timeout, defaultTimeout)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(bounded, path, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if filepath.IsAbs(dir) { // Yosys leaves its files behind when it is stopped; dir is removed
		cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	}
	vlog.Group(cmd)
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", doing, ctx.Err())
	case bounded.Err() != nil:
		err = fmt.Errorf("%s: not finished within %s", doing, limit)
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return "", &verify.ToolError{Tool: tool, Wanted: "0.23", Package: "yosys"}
	default:
		err = fmt.Errorf("%s: %w", doing, err)
	}
	return "", o.broken(tool, err, out.String())
}

// broken is a tool that crashed, hung or refused its input.
func (o Options) broken(tool string, err error, output string) error {
	return &verify.ToolError{Tool: tool, Found: o.Version, Wanted: "0.23", Package: "yosys", Err: err, Output: tail(output, 20)}
}

// workDir is a temporary folder with the source as in.v and the Liberty file as cells.lib,
// names without spaces or quotes.
func (o Options) workDir(src string) (string, error) {
	lib, err := os.ReadFile(o.Liberty.Path)
	if err != nil {
		return "", fmt.Errorf("liberty file: %w", err)
	}
	dir, err := os.MkdirTemp("", "ohmloom-yosys-")
	if err != nil {
		return "", err
	}
	err = os.WriteFile(filepath.Join(dir, "in.v"), []byte(src), 0o666)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "cells.lib"), lib, 0o666) // a copy: tools in a sandbox follow no links
	}
	if err != nil {
		os.RemoveAll(dir)
	}
	return dir, err
}

func tail(s string, lines int) string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	if len(l) > lines {
		l = l[len(l)-lines:]
	}
	return strings.Join(l, "\n")
}
