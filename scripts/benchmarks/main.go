// Benchmarks measures what the README states: speeds as ratios and medians within one run,
// because machines differ and are shared. It needs the tools that scripts/setup installs and
// a built ohmloom; scripts/bench does both.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/gosim"
	"ohmloom/verify/interp"
	"ohmloom/verify/verilated"
)

func main() {
	log.SetFlags(0)
	program := flag.String("ohmloom", "build/ohmloom", "the program to measure")
	only := flag.Bool("attention", false, "measure decode attention only: cycles, area and critical paths of its engines")
	crossbar := flag.Bool("crossbar", false, "measure the crossbar macro only")
	text := flag.Bool("text", false, "measure whole chips that write text only")
	token := flag.Bool("token", false, "print where the cycles of a token and of a prompt go, and nothing else")
	engine := flag.String("engine", "verilated", "engine that measures attention: verilated, gosim or interp")
	rounds := flag.Int("rounds", 5, "measurements of which the median is printed")
	flag.Parse()
	if *rounds < 1 {
		log.Fatalf("-rounds %d: at least 1", *rounds)
	}
	if !slices.Contains(engineNames, *engine) {
		log.Fatalf("-engine %q: allowed are %s", *engine, strings.Join(engineNames, ", "))
	}
	tmp, err := os.MkdirTemp("", "ohmloom-bench-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	b := &bench{program: *program, rounds: *rounds, tmp: tmp, engine: *engine}
	parts := []func() error{b.emission, b.area, b.firstCycle, b.simulators, b.attention, b.attentionArea, b.crossbar, b.text, b.token, b.prompt}
	switch {
	case *only:
		parts = parts[4:6]
	case *crossbar:
		parts = parts[6:7]
	case *text:
		parts = parts[7:]
	case *token:
		parts = parts[8:]
	}
	for _, part := range parts {
		if err := part(); err != nil {
			os.RemoveAll(tmp)
			log.Fatal(err)
		}
	}
}

type bench struct {
	program string
	rounds  int
	tmp     string
	engine  string // that measures attention
}

// description writes a description of an n x n array and, with xbar > 0, one crossbar PE grid.
func (b *bench) description(n, xbar int) (string, error) {
	name := fmt.Sprintf("d%d_%d", n, xbar)
	text := fmt.Sprintf("chip %q {\n  attention {\n    rows = %d\n    cols = %d\n  }\n", name, n, n)
	if xbar > 0 {
		text += fmt.Sprintf("  pim {\n    row_blocks = 2\n    col_blocks = 2\n    crossbar {\n      rows = %d\n      cols = %d\n    }\n  }\n", xbar, xbar)
	}
	file := filepath.Join(b.tmp, name+".hcl")
	return file, os.WriteFile(file, []byte(text+"}\n"), 0o666)
}

// run executes the program and gives its time and peak memory.
func (b *bench) run(env []string, args ...string) (time.Duration, int64, error) {
	cmd := exec.Command(b.program, args...)
	cmd.Env = append(os.Environ(), env...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s %v: %w\n%s", b.program, args, err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Since(start), usage.Maxrss >> 10, nil
}

func (b *bench) emission() error {
	fmt.Printf("build (median of %d)\n", b.rounds)
	var medians []time.Duration
	for _, c := range []struct {
		n, xbar int
		what    string
	}{{32, 256, "32x32 array and four 256x256 crossbars"}, {128, 256, "128x128 array and four 256x256 crossbars"}} {
		file, err := b.description(c.n, c.xbar)
		if err != nil {
			return err
		}
		var times []time.Duration
		peak := int64(0)
		for range b.rounds {
			t, mb, err := b.run(nil, "build", "-q", "-o", filepath.Join(b.tmp, "out"), file)
			if err != nil {
				return err
			}
			times, peak = append(times, t), max(peak, mb)
		}
		medians = append(medians, median(times))
		fmt.Printf("  %-45s %8.3f s %6d MB\n", c.what, median(times).Seconds(), peak)
	}
	fmt.Printf("  128x128 against 32x32: %.2f times\n", medians[1].Seconds()/medians[0].Seconds())
	return nil
}

func (b *bench) area() error {
	file, err := b.description(32, 0)
	if err != nil {
		return err
	}
	env := []string{"OHMLOOM_CACHE=" + filepath.Join(b.tmp, "cache")}
	cold, _, err := b.run(env, "area", "-q", file)
	if err != nil {
		return err
	}
	warm, _, err := b.run(env, "area", "-q", file)
	if err != nil {
		return err
	}
	fmt.Printf("area of the 32x32 array: %.2f s cold, %.2f s again\n", cold.Seconds(), warm.Seconds())
	return nil
}

// tile is the example's hardware; n makes it another design, as an edit would.
func tile(n int) hw.Tile {
	return hw.Tile{Top: fmt.Sprintf("tile_%d", n), Array: &hw.Array{Rows: 8, Cols: 8}, PIM: &hw.PIM{RowBlocks: 1, ColBlocks: 1, Lanes: 8,
		Crossbar: hw.Crossbar{Rows: 64, Cols: 64, Share: 8, Active: 64, Bits: 8, Step: hw.StepClip}}}
}

func seeded() *rand.Rand { return rand.New(rand.NewSource(1)) }

func design(b hw.Block) *ir.Design { return ir.NewDesign(b.Build(hw.NewLib(nil))) }

// firstCycle measures from an edited tile to its first simulated cycle.
func (b *bench) firstCycle() error {
	fmt.Printf("edit to first cycle of the tile (median of %d)\n", b.rounds)
	unique := int(time.Now().UnixNano() % 1e9)
	for _, name := range engineNames {
		var times []time.Duration
		for i := range b.rounds {
			d := design(tile(unique + i))
			start := time.Now()
			e, err := open(name, d)
			if err != nil {
				return err
			}
			if err := cycles(e, d, 1); err != nil {
				return err
			}
			times = append(times, time.Since(start))
			e.Close()
		}
		fmt.Printf("  %-10s %6.2f s\n", name, median(times).Seconds())
	}
	return nil
}

var engineNames = []string{"verilated", "interp", "gosim"}

func open(name string, d *ir.Design) (verify.Engine, error) {
	switch name {
	case "interp":
		return interp.New(d)
	case "gosim":
		return gosim.New(context.Background(), d, gosim.Options{})
	}
	return verilated.New(context.Background(), d, verilated.Options{})
}

// batch is how many cycles one call of an engine runs.
const batch = 4096

// stimulus is k records of random inputs that keep the hardware busy: streams always offer and
// take, and a fold ends every 64 beats on average.
func stimulus(s verify.Shape, k int) []uint64 {
	in := make([]uint64, k*s.InWords)
	for i := range k {
		rec := in[i*s.InWords:]
		rec[0] = bits.Bool(i == 0) // one cycle of reset
		at := 1
		for _, p := range s.In {
			for e := range p.Type.N {
				word := bits.Mix(uint64(i*s.InWords + at + e))
				switch {
				case strings.HasSuffix(p.Name, "_valid"), strings.HasSuffix(p.Name, "_ready"):
					word = 1
				case strings.HasSuffix(p.Name, "_last"):
					word = bits.Bool(word%64 == 0)
				}
				rec[at+e] = word
			}
			at += p.Type.N
		}
	}
	return in
}

// cycles runs at least n cycles, one batch of inputs again and again.
func cycles(e verify.Engine, d *ir.Design, n int) error {
	s := verify.ShapeOf(d.Top)
	k := min(n, batch)
	in, out := stimulus(s, k), make([]uint64, k*s.OutWords)
	if err := e.Power(1, nil); err != nil {
		return err
	}
	for done := 0; done < n; done += k {
		if err := e.Run(in, out, k); err != nil {
			return err
		}
	}
	return nil
}

// simulators measures cycles a second, the engines by turns, so that a busy moment of the
// machine meets all of them.
func (b *bench) simulators() error {
	fmt.Printf("simulators, busy streams of random data, one thread each; ratio to verilated (median of %d)\n", b.rounds)
	for _, c := range []struct {
		what  string
		block hw.Block
		n     int
	}{
		{"8x8 array", hw.Array{Rows: 8, Cols: 8}, 200 * batch},
		{"32x32 array", hw.Array{Rows: 32, Cols: 32}, 16 * batch},
		{"tile (irregular logic and a crossbar)", tile(0), 16 * batch},
		{"requantise, 8 lanes", hw.Requantise{Lanes: 8, AccBits: 17, OutBits: 8}, 200 * batch},
	} {
		d := design(c.block)
		speeds := make([][]float64, len(engineNames))
		var list []verify.Engine
		for _, name := range engineNames {
			e, err := open(name, d)
			if err != nil {
				return err
			}
			defer e.Close()
			list = append(list, e)
		}
		for range b.rounds {
			for i, e := range list {
				start := time.Now()
				if err := cycles(e, d, c.n); err != nil {
					return err
				}
				speeds[i] = append(speeds[i], float64(c.n)/time.Since(start).Seconds())
			}
		}
		fmt.Printf("  %s\n", c.what)
		for i, name := range engineNames {
			ratios := make([]float64, b.rounds)
			for r := range ratios {
				ratios[r] = speeds[i][r] / speeds[0][r]
			}
			fmt.Printf("    %-10s %8.3f million cycles/s  %5.2f\n", name, median(speeds[i])/1e6, median(ratios))
		}
	}
	return nil
}

func median[T float64 | time.Duration](v []T) T {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}
