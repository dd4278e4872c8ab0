package verilated

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"ohmloom/verify/cache"
	"ohmloom/verify/verilated/vlog"
)

// Sizes, in bytes of C++, at which the way of building changes.
const (
	small = 256 << 10 // up to here: everything in one compilation, with precompiled header
	unit  = 512 << 10 // beyond: compilations of about this size, side by side
)

const (
	optSmall = "-O1"
	optFast  = "-O2"
	optSlow  = "-O0" // what runs once, at power-on
)

// verilatorFlags: --x-assign and --x-initial "fast" because emitted designs have no X. The only
// loops are those over the columns of a column sum; unrolled in each of many crossbars they
// would be most of the C++. (--unroll-count would limit generate loops as well.)
var verilatorFlags = []string{"--cc", "--no-timing", "--x-assign", "fast", "--x-initial", "fast", "-O3",
	"--output-split-cfuncs", "1000", "--unroll-stmts", "1", "-Wno-fatal",
	"--top-module", vlog.Bench, "--prefix", "Vtb", "--Mdir", "."}

// toolchain is what a build depends on besides the design.
type toolchain struct {
	verilator, gxx *vlog.Found
	include        string   // Verilator's headers and run time
	flags          []string // of every C++ compilation
	key            string
}

func tools(ctx context.Context, traced bool) (*toolchain, error) {
	vl, err := vlog.Verilator.Find(ctx)
	if err != nil {
		return nil, err
	}
	gxx, err := vlog.Gxx.Find(ctx)
	if err != nil {
		return nil, err
	}
	root, err := vl.Run(ctx, "", "--getenv", "VERILATOR_ROOT")
	if err != nil {
		return nil, err
	}
	t := &toolchain{verilator: vl, gxx: gxx, include: filepath.Join(strings.TrimSpace(string(root)), "include")}
	trace := 0
	if traced {
		trace = 1
	}
	t.flags = []string{"-std=gnu++17", "-fPIC", "-fvisibility=hidden", "-faligned-new", "-march=native", "-fno-ipa-cp", "-w",
		"-I.", "-I" + t.include, "-I" + filepath.Join(t.include, "vltstd"),
		"-DVM_COVERAGE=0", "-DVM_SC=0", fmt.Sprintf("-DVM_TRACE=%d", trace), fmt.Sprintf("-DVM_TRACE_VCD=%d", trace),
		"-DVM_TRACE_FST=0", "-DVL_USER_FATAL", "-DVL_USER_STOP", "-DVL_USER_FINISH"}
	t.key = cache.Key(append([]string{vl.Path, vl.Have, gxx.Path, gxx.Have, processor(), preInclude,
		optSmall, optFast, optSlow}, t.flags...)...)
	return t, nil
}

var cpuFlags = regexp.MustCompile(`(?m)^(?:model name|flags|Features)\s*:.*$`)

// processor tells machines apart for which -march=native means different things.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH // without /proc a cache is not shared between machines
	}
	return runtime.GOARCH + strings.Join(cpuFlags.FindAllString(string(text), 2), "\n")
}

// runtimeDir gives the cached objects of Verilator's run time, and a precompiled header.
func (t *toolchain) runtimeDir(ctx context.Context, c *cache.Dir, traced bool) (string, error) {
	dir, _, err := c.Get(ctx, "verilator-runtime", t.key, func(ctx context.Context, tmp string) error {
		pre := filepath.Join(tmp, "pre.h")
		if err := os.WriteFile(pre, []byte(preInclude), 0o644); err != nil {
			return err
		}
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(runtime.GOMAXPROCS(0))
		for _, name := range runtimeUnits(traced) {
			g.Go(func() error {
				return t.compile(ctx, tmp, optFast, pre, filepath.Join(t.include, name+".cpp"), name+".o")
			})
		}
		g.Go(func() error {
			// Under another name first: compilations beside this one look for pre.h.gch.
			args := append([]string{optSmall, "-x", "c++-header", "pre.h", "-o", "header"}, t.flags...)
			if _, err := t.gxx.Run(ctx, tmp, args...); err != nil {
				return err
			}
			return os.Rename(filepath.Join(tmp, "header"), pre+".gch")
		})
		return g.Wait()
	})
	return dir, err
}

func runtimeUnits(traced bool) []string {
	if traced {
		return []string{"verilated", "verilated_threads", "verilated_vcd_c"}
	}
	return []string{"verilated", "verilated_threads"}
}

func (t *toolchain) compile(ctx context.Context, dir, opt, pre, src, obj string) error {
	args := append([]string{"-c", opt, "-include", pre, "-x", "c++", src, "-o", obj}, t.flags...)
	_, err := t.gxx.Run(ctx, dir, args...)
	return err
}

// library builds the shared object of a design, or finds it in the cache.
func (t *toolchain) library(ctx context.Context, c *cache.Dir, files []vlog.File, traced bool) (string, bool, error) {
	parts := append([]string{t.key}, verilatorFlags...)
	for _, f := range files {
		parts = append(parts, f.Name, f.Text)
	}
	key := cache.Key(parts...)
	name := "model-" + key[:16] + ".so"
	dir, built, err := c.Get(ctx, "verilated", key, func(ctx context.Context, out string) error {
		work, err := os.MkdirTemp("", "ohmloom-verilated-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		if err := vlog.Write(work, files); err != nil {
			return err
		}
		return t.build(ctx, c, work, vlog.Units(files), filepath.Join(out, name), traced)
	})
	return filepath.Join(dir, name), built, err
}

// build makes the shared object so from the sources in work. Verilator and, the first time,
// the compilation of its run time go side by side.
func (t *toolchain) build(ctx context.Context, c *cache.Dir, work string, units []string, so string, traced bool) error {
	rt := ""
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		rt, err = t.runtimeDir(gctx, c, traced)
		return err
	})
	g.Go(func() error {
		args := append([]string{}, verilatorFlags...)
		if traced {
			args = append(args, "--trace")
		}
		_, err := t.verilator.Run(gctx, work, append(args, units...)...)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	objs, err := t.objects(ctx, work, filepath.Join(rt, "pre.h"))
	if err != nil {
		return err
	}
	for _, name := range runtimeUnits(traced) {
		objs = append(objs, filepath.Join(rt, name+".o"))
	}
	args := append([]string{"-shared", "-pthread", "-Wl,-Bsymbolic", "-o", so}, objs...)
	_, err = t.gxx.Run(ctx, work, args...)
	return err
}

// objects compiles the model: a small one at once, a large one in units side by side, with
// what runs only at power-on left unoptimised.
func (t *toolchain) objects(ctx context.Context, work, pre string) ([]string, error) {
	units, err := split(work)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var objs []string
	for i, u := range units {
		src, obj := fmt.Sprintf("unit%d.cxx", i), fmt.Sprintf("unit%d.o", i)
		objs = append(objs, obj)
		text := ""
		for _, f := range u.files {
			text += fmt.Sprintf("#include %q\n", f)
		}
		if err := os.WriteFile(filepath.Join(work, src), []byte(text), 0o644); err != nil {
			return nil, err
		}
		g.Go(func() error { return t.compile(ctx, work, u.opt, pre, src, obj) })
	}
	return objs, g.Wait()
}

// compilation is a set of generated files that are compiled as one.
type compilation struct {
	opt   string
	files []string
	size  int64
}

// split deals the generated files out to compilations.
func split(work string) ([]compilation, error) {
	paths, err := filepath.Glob(filepath.Join(work, "Vtb*.cpp"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("verilator wrote no C++ into %s: %v", work, err)
	}
	var fast, slow compilation
	fast.opt, slow.opt = optFast, optSlow
	sizes := map[string]int64{}
	for _, p := range paths { // Glob sorts
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(p)
		sizes[name] = info.Size()
		c := &fast
		if strings.Contains(name, "Slow") || strings.Contains(name, "__Syms") || strings.Contains(name, "__Trace") {
			c = &slow
		}
		c.files = append(c.files, name)
		c.size += info.Size()
	}
	if fast.size+slow.size <= small {
		return []compilation{{opt: optSmall, files: append(append(fast.files, slow.files...), harnessFile)}}, nil
	}
	units := []compilation{slow, {opt: optFast, files: []string{harnessFile}}}
	for _, f := range fast.files {
		last := &units[len(units)-1]
		if last.size > 0 && last.size+sizes[f] > unit {
			units = append(units, compilation{opt: optFast})
			last = &units[len(units)-1]
		}
		last.files = append(last.files, f)
		last.size += sizes[f]
	}
	return units, nil
}
