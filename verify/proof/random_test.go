package proof

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/gosim"
	"ohmloom/verify/icarus"
	"ohmloom/verify/interp"
	"ohmloom/verify/random"
	"ohmloom/verify/verilated"
)

var nightly = os.Getenv("OHMLOOM_NIGHTLY") != ""

// freshSeed is OHMLOOM_SEED, or a new one; either way it is printed.
func freshSeed(t *testing.T) uint64 {
	t.Helper()
	var b [8]byte
	crand.Read(b[:])
	seed := binary.LittleEndian.Uint64(b[:]) >> 32
	if s := os.Getenv("OHMLOOM_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 0, 64); err != nil {
			t.Fatalf("OHMLOOM_SEED: %v", err)
		}
	}
	t.Logf("OHMLOOM_SEED=%d repeats this", seed)
	return seed
}

// engine is one way to execute a design. cycles bounds what a slow one is asked for.
type engine struct {
	name   string
	needs  []string
	cycles int
	build  func(context.Context, *ir.Design) (verify.Engine, error)
}

var engines = []engine{
	{"interp", nil, 200, func(_ context.Context, d *ir.Design) (verify.Engine, error) { return interp.New(d) }},
	{"gosim", nil, 200, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return gosim.New(ctx, d, gosim.Options{})
	}},
	{"verilated", []string{"verilator", "g++"}, 200, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return verilated.New(ctx, d, verilated.Options{})
	}},
	{"icarus", []string{"iverilog", "vvp"}, 40, func(ctx context.Context, d *ir.Design) (verify.Engine, error) {
		return icarus.New(ctx, d, icarus.Options{})
	}},
}

// group is the designs of n seeds in one build.
type group struct {
	seed uint64
	n    int
	opts random.Opts
}

// The sizes of designs: most are so small that 500 can be built in minutes, some are as large
// as the generator makes them by default.
var (
	plainOpts  = random.Opts{Nodes: 6, Children: -1, Elems: 4, Depth: 8}
	nestedOpts = random.Opts{Nodes: 3, Children: 2, Elems: 3, Lanes: 6, Depth: 6}
)

// suite is 500 designs.
func suite() []group {
	var gs []group
	for i := range 8 {
		gs = append(gs, group{10_000 + 50*uint64(i), 50, plainOpts})
	}
	for i := range 8 {
		gs = append(gs, group{20_000 + 10*uint64(i), 10, nestedOpts})
	}
	for i := range 4 {
		gs = append(gs, group{30_000 + 5*uint64(i), 5, random.Opts{}})
	}
	return gs
}

func TestRandomDesignsAgreeInEveryEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 500 designs")
	}
	gs := suite()
	total := 0
	for _, g := range gs {
		total += g.n
	}
	if total < 500 {
		t.Fatalf("%d designs", total)
	}
	if nightly {
		seed := freshSeed(t)
		for i := range 100 {
			gs = append(gs, group{seed + 20*uint64(i), 20, []random.Opts{plainOpts, nestedOpts, {}}[i%3]})
		}
	}
	for _, g := range gs {
		t.Run(fmt.Sprintf("seeds %d to %d", g.seed, g.seed+uint64(g.n)-1), func(t *testing.T) {
			t.Parallel()
			g.agree(t)
		})
	}
}

// agree runs the group on every engine and compares with the reference.
func (g group) agree(t *testing.T) {
	d := random.Batch(g.seed, g.n, g.opts)
	img := random.Image(d, g.seed)
	const cycles = 200
	in := stimulus(verify.ShapeOf(d.Top), g.seed, cycles)
	ref, err := conform.NewReference(d)
	if err != nil {
		t.Fatal(err)
	}
	want, err := execute(ref, d, g.seed, img, in, cycles)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range engines {
		t.Run(k.name, func(t *testing.T) {
			tools.NeedForTest(t, k.needs...)
			start := time.Now()
			e, err := k.build(t.Context(), d)
			if err != nil {
				t.Fatalf("%s: %v", g, err)
			}
			defer e.Close()
			built := time.Since(start)
			got, err := execute(e, d, g.seed, img, in, min(k.cycles, cycles))
			if err != nil {
				t.Fatalf("%s: %v", g, err)
			}
			if err := g.compare(d, got, want); err != nil {
				t.Error(err)
			}
			t.Logf("built in %v, run in %v", built.Round(time.Millisecond), (time.Since(start) - built).Round(time.Millisecond))
		})
	}
}

func (g group) String() string {
	return fmt.Sprintf("random.Batch(%d, %d, %#v)", g.seed, g.n, g.opts)
}

// compare names the seed and the port of the first difference of every design.
func (g group) compare(d *ir.Design, got, want []uint64) error {
	words := verify.ShapeOf(d.Top).OutWords
	bad := map[string]bool{}
	var errs []error
	for i := range got {
		if got[i] == want[i] {
			continue
		}
		p, e := portAt(d.Top.Outputs(), i%words)
		owner, port, _ := strings.Cut(p.Name, "_")
		if bad[owner] {
			continue
		}
		bad[owner] = true
		at, _ := strconv.Atoi(owner[1:])
		errs = append(errs, fmt.Errorf("seed %d (design %d of %s): cycle %d, output %s[%d] of %s: got %#x, want %#x",
			g.seed+uint64(at), at, g, i/words, port, e, p.Type, got[i], want[i]))
	}
	return errors.Join(errs...)
}

func TestADifferenceNamesItsSeedAndPort(t *testing.T) {
	g := group{seed: 500, n: 4, opts: plainOpts}
	d := random.Batch(g.seed, g.n, g.opts)
	words := verify.ShapeOf(d.Top).OutWords
	want := make([]uint64, 3*words)
	if err := g.compare(d, want, want); err != nil {
		t.Error(err)
	}
	got := append([]uint64(nil), want...)
	got[2*words-1] = 1 // the last word of cycle 1: the digest of the last design
	err := g.compare(d, got, want)
	if err == nil || !strings.HasPrefix(err.Error(), "seed 503 (design 3 of random.Batch(500, 4, ") ||
		!strings.Contains(err.Error(), "cycle 1, output digest[0] of u64: got 0x1, want 0x0") {
		t.Errorf("error %v", err)
	}
}

// portAt is the port of a word of a record, and the element.
func portAt(ports []*ir.Port, word int) (*ir.Port, int) {
	for _, p := range ports {
		if word < p.Type.N {
			return p, word
		}
		word -= p.Type.N
	}
	panic("proof: a word beyond the record")
}

// execute powers e up and runs n of the cycles of in.
func execute(e verify.Engine, d *ir.Design, seed uint64, img *ir.Image, in []uint64, n int) ([]uint64, error) {
	s := verify.ShapeOf(d.Top)
	if err := e.Power(seed, img); err != nil {
		return nil, err
	}
	out := make([]uint64, n*s.OutWords)
	return out, e.Run(in[:n*s.InWords], out, n)
}

// stimulus is n input records: random words, a third of them extreme, a third of them those of
// the cycle before, all in whiles with a mood of their own. The first cycles run from the
// power-on state.
func stimulus(s verify.Shape, seed uint64, n int) []uint64 {
	r := rand.New(rand.NewPCG(bits.Mix(seed), 7))
	in := make([]uint64, 0, n*s.InWords)
	var m mood
	for c := range n {
		if m.left == 0 {
			m = newMood(r, len(s.In), n)
		}
		m.left--
		in = append(in, bits.Bool(c == 3 || c > 3 && (m.reset || r.Float64() < m.resets)))
		m.reset = false
		for i, p := range s.In {
			for range p.Type.N {
				w := bits.Bool(r.Float64() < m.ones[i])
				if p.Type != ir.Bits(1) {
					w = inputWord(r, in, c, s.InWords, p.Type.W)
				}
				in = append(in, w)
			}
		}
	}
	return in
}

// mood is how inputs of one bit behave for a while, so that handshakes stall for long and
// then run: often 1 or seldom, or one of them 0 from a reset on and the others busy.
type mood struct {
	left   int // cycles
	reset  bool
	resets float64
	ones   []float64 // for each input port, how often it is 1
}

func newMood(r *rand.Rand, ports, cycles int) mood {
	m := mood{left: 10 + r.IntN(10+cycles/12), reset: r.IntN(2) == 0, resets: []float64{0, 0, 0.05}[r.IntN(3)], ones: make([]float64, ports)}
	levels := []float64{0, 0.1, 0.5, 0.9, 1}
	starve := r.IntN(3) == 0
	if starve {
		m.reset, m.resets, levels = true, 0, levels[2:]
	}
	for i := range m.ones {
		m.ones[i] = levels[r.IntN(len(levels))]
	}
	if starve && ports > 0 {
		m.ones[r.IntN(ports)] = 0
	}
	return m
}

func inputWord(r *rand.Rand, in []uint64, cycle, words, w int) uint64 {
	top := uint64(1) << (w - 1)
	switch r.IntN(3) {
	case 0:
		return [...]uint64{0, 1, bits.Mask(w), top, top - 1, 0x5555555555555555}[r.IntN(6)] & bits.Mask(w)
	case 1:
		if cycle > 0 {
			return in[len(in)-words]
		}
	}
	return r.Uint64() & bits.Mask(w)
}

// The stimuli must move the designs, or agreement says nothing.
func TestStimuliOfRandomDesignsMoveTheirOutputs(t *testing.T) {
	toggled, total := 0, 0
	for _, g := range suite() {
		d := random.Batch(g.seed, g.n, g.opts)
		s := verify.ShapeOf(d.Top)
		e, err := interp.New(d)
		if err != nil {
			t.Fatal(err)
		}
		const cycles = 40 // as many as the slowest engine runs
		out, err := execute(e, d, g.seed, random.Image(d, g.seed), stimulus(s, g.seed, cycles), cycles)
		if err != nil {
			t.Fatal(err)
		}
		still := 0
		for i := range g.n {
			moves := false
			word := 0
			for _, p := range s.Out {
				mine := strings.HasPrefix(p.Name, fmt.Sprintf("x%d_", i))
				for range p.Type.N {
					var ones, zeros uint64
					for c := 0; mine && c < cycles; c++ {
						ones, zeros = ones|out[c*s.OutWords+word], zeros|^out[c*s.OutWords+word]
					}
					word++
					if mine {
						n := int(bits.Popcount(ones & zeros & bits.Mask(p.Type.W)))
						toggled, total, moves = toggled+n, total+p.Type.W, moves || n > 0
					}
				}
			}
			if !moves {
				still++
			}
		}
		if still*10 > g.n {
			t.Errorf("%s: %d of %d designs stand still", g, still, g.n)
		}
	}
	t.Logf("%d of %d output bits toggle", toggled, total)
	if toggled*2 < total {
		t.Errorf("%d of %d output bits toggle", toggled, total)
	}
}
