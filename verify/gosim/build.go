package gosim

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	"ohmloom/verify"
	"ohmloom/verify/cache"
)

//go:embed worker/*.txt
var runtimeFiles embed.FS

const (
	oldestGo  = "1.22" // generated programs range over integers
	buildWait = 10 * time.Minute
	vectorGo  = "1.26" // simd/archsimd is an experiment, without a promise for other versions
	goMod     = "module simulator\n\ngo " + oldestGo + "\n"
)

// buildFlags are the arguments of "go build"; they are part of the cache key.
var buildFlags = []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// build gives the path of the program built from src, from the cache when it is there.
func build(ctx context.Context, dir *cache.Dir, src []byte, opt Options) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, buildWait, fmt.Errorf("go build took more than %v", buildWait))
	defer cancel()
	goCmd, version, err := findGo(ctx)
	if err != nil {
		return "", err
	}
	experiment := ""
	if !opt.scalar && vectorsWork(version) {
		experiment = "simd"
	}
	files := map[string]string{"go.mod": goMod, "model.go": string(src)}
	key := []string{version, runtime.GOOS, runtime.GOARCH, strings.Join(buildFlags, " "), amd64Level(), experiment, goMod, string(src)}
	entries, err := runtimeFiles.ReadDir("worker")
	if err != nil {
		return "", err
	}
	for _, f := range entries {
		text, err := runtimeFiles.ReadFile("worker/" + f.Name())
		if err != nil {
			return "", err
		}
		files[strings.TrimSuffix(f.Name(), ".txt")] = string(text)
		key = append(key, f.Name(), string(text))
	}
	path, _, err := dir.Get(ctx, "gosim", cache.Key(key...), func(ctx context.Context, tmp string) error {
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		return goBuild(ctx, goCmd, version, experiment, tmp)
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(path, programName()), nil
}

func programName() string {
	if runtime.GOOS == "windows" {
		return "simulator.exe"
	}
	return "simulator"
}

// findGo is the go command and its version.
func findGo(ctx context.Context) (path, version string, err error) {
	path, err = exec.LookPath(cmp.Or(os.Getenv("OHMLOOM_GO"), "go"))
	if err != nil {
		return "", "", &verify.ToolError{Tool: "go", Wanted: oldestGo, Package: "golang-go"}
	}
	cmd := exec.CommandContext(ctx, path, "env", "GOVERSION")
	cmd.Env = goEnv("")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", "", toolFailed(ctx, "", err, out)
	}
	version = strings.TrimPrefix(strings.TrimSpace(string(out)), "go")
	if older(version, oldestGo) {
		return "", "", &verify.ToolError{Tool: "go", Found: version, Wanted: oldestGo, Package: "golang-go"}
	}
	return path, version, nil
}

// older compares versions like 1.22 and 1.26.8 by major and minor number; what cannot be
// read, such as a development version, is not older.
func older(have, want string) bool {
	var a, b, c, d int
	if n, _ := fmt.Sscanf(have, "%d.%d", &a, &b); n < 2 {
		return false
	}
	fmt.Sscanf(want, "%d.%d", &c, &d)
	return a < c || a == c && b < d
}

// goEnv is the environment of go commands: no network, no workspace, no other toolchain, no
// flags of the user's. A go command that knows no cache of its own gets one in dir.
func goEnv(dir string) []string {
	env := append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local",
		"GO111MODULE=on", "CGO_ENABLED=0", "GOOS=", "GOARCH=", "GOEXPERIMENT=", "GOAMD64="+amd64Level())
	if _, err := os.UserCacheDir(); err != nil && os.Getenv("GOCACHE") == "" && dir != "" {
		env = append(env, "GOCACHE="+filepath.Join(dir, "gocache"))
	}
	return env
}

// amd64Level is the instruction set level of this machine, where the program will run; it
// matters most to population counts.
func amd64Level() string {
	x := cpu.X86
	switch {
	case !x.HasSSE42 || !x.HasPOPCNT:
		return "v1"
	case !x.HasAVX2 || !x.HasBMI1 || !x.HasBMI2 || !x.HasFMA || !x.HasOSXSAVE:
		return "v2"
	}
	return "v3"
}

// vectorsWork reports whether this machine and version of Go have the vectors of the runtime.
func vectorsWork(version string) bool {
	x := cpu.X86
	return runtime.GOARCH == "amd64" && (version == vectorGo || strings.HasPrefix(version, vectorGo+".")) &&
		amd64Level() == "v3" && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

func goBuild(ctx context.Context, goCmd, version, experiment, dir string) error {
	cmd := exec.CommandContext(ctx, goCmd, append(buildFlags[:len(buildFlags):len(buildFlags)], "-o", programName(), ".")...)
	cmd.Dir = dir
	cmd.Env = append(goEnv(filepath.Dir(dir)), "GOEXPERIMENT="+experiment, "GOTMPDIR="+dir) // removed with dir when the build is stopped
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }                   // it stops its compilers, killed it could not
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return toolFailed(ctx, version, err, out)
	}
	return nil
}

func toolFailed(ctx context.Context, version string, err error, out []byte) error {
	if ctx.Err() != nil {
		return fmt.Errorf("gosim: building the simulator: %w", errors.Join(ctx.Err(), context.Cause(ctx)))
	}
	const keep = 4000
	out = bytes.TrimSpace(out)
	if len(out) > keep {
		out = out[:keep]
	}
	return &verify.ToolError{Tool: "go", Found: version, Wanted: oldestGo, Package: "golang-go", Err: err, Output: string(out)}
}
