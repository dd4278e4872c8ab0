package proof

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/interp"
	"ohmloom/verify/mutate"
	"ohmloom/verify/random"
	"ohmloom/verify/synth"
)

// tally counts mutants by kind and by how they were judged.
type tally struct {
	mu    sync.Mutex
	count map[string]map[string]int
}

func newTally() *tally { return &tally{count: map[string]map[string]int{}} }

func (c *tally) add(kind, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if how == "" {
		how = "not caught"
	}
	if c.count[kind] == nil {
		c.count[kind] = map[string]int{}
	}
	c.count[kind][how]++
}

func (c *tally) sum(hows ...string) int {
	n := 0
	for _, by := range c.count {
		for _, how := range hows {
			n += by[how]
		}
	}
	return n
}

func (c *tally) String() string {
	total := map[string]int{}
	var b strings.Builder
	row := func(name string, by map[string]int) {
		fmt.Fprintf(&b, "\n%s:", name)
		for _, how := range slices.Sorted(maps.Keys(by)) {
			fmt.Fprintf(&b, " %d %s", by[how], how)
			total[how] += by[how]
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(c.count)) {
		row(kind, c.count[kind])
	}
	row("in all", maps.Clone(total))
	return b.String()
}

// twin is what a design does on random inputs from several power-on states, for mutants to
// run in lockstep with.
type twin struct {
	d   *ir.Design
	img *ir.Image
	in  []uint64
	out [][]uint64 // one for each power-on state
}

const (
	lockstepCycles = 1500
	lockstepSeeds  = 30
)

func newTwin(t *testing.T, d *ir.Design, img *ir.Image, seeds int) *twin {
	t.Helper()
	w := &twin{d: d, img: img, in: stimulus(verify.ShapeOf(d.Top), 1, lockstepCycles*seeds)}
	e, err := interp.New(d)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for seed := range seeds {
		out, err := w.run(e, seed)
		if err != nil {
			t.Fatal(err)
		}
		w.out = append(w.out, out)
	}
	return w
}

func (w *twin) run(e verify.Engine, seed int) ([]uint64, error) {
	s := verify.ShapeOf(w.d.Top)
	return execute(e, w.d, uint64(seed), w.img, w.in[seed*lockstepCycles*s.InWords:], lockstepCycles)
}

// differs runs e in lockstep with the design and gives the first difference, or nil.
func (w *twin) differs(e verify.Engine) error {
	words := verify.ShapeOf(w.d.Top).OutWords
	for seed, want := range w.out {
		out, err := w.run(e, seed)
		if err != nil {
			return err
		}
		for i := range out {
			if out[i] != want[i] {
				p, _ := portAt(w.d.Top.Outputs(), i%words)
				return fmt.Errorf("cycle %d from seed %d: %s is %#x, not %#x", i/words, seed, p.Name, out[i], want[i])
			}
		}
	}
	return nil
}

// trials is how often a mutant is run before it counts as not caught.
const trials = 24

func TestSubjectsHold(t *testing.T) {
	for _, s := range subjects() {
		if err := s.block.Check(); err != nil {
			t.Fatal(err)
		}
		d := s.design()
		e, err := interp.New(d)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range int64(trials) {
			if err := s.holds(e, d.Top, seed); err != nil {
				t.Errorf("%s, seed %d: %v", s.block.Name(), seed, err)
			}
		}
	}
}

func TestMistakesInTheIRAreCaught(t *testing.T) {
	o := prover(t)
	count := newTally()
	per := 6
	if nightly {
		per = 60
	}
	t.Run("blocks", func(t *testing.T) {
		for _, s := range subjects() {
			t.Run(s.block.Name(), func(t *testing.T) {
				t.Parallel()
				w := newTwin(t, s.design(), s.image(), lockstepSeeds)
				seen := map[string]bool{}
				for _, kind := range mutate.Kinds {
					for seed := range uint64(per) {
						mutant, what := mutate.OfKind(w.d, kind.Name, seed)
						if mutant == nil || seen[what] {
							continue
						}
						seen[what] = true
						how := s.judge(t, w, mutant, what, o)
						if how == "" {
							t.Errorf("not caught: %s", what)
						}
						count.add(kind.Name, how)
					}
				}
			})
		}
	})
	t.Log(count)
	if n := count.sum("arithmetic", "lockstep", "module alone"); n < 300 {
		t.Errorf("only %d mutants were caught", n)
	}
}

// judge says how a mutant is caught by co-simulation, or why it cannot be; "" for neither.
func (s subject) judge(t *testing.T, w *twin, mutant *ir.Design, what string, o synth.Options) string {
	e, err := interp.New(mutant)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer e.Close()
	for trial := range int64(trials) {
		if s.holds(e, mutant.Top, trial) != nil {
			return "arithmetic"
		}
	}
	if w.differs(e) != nil {
		return "lockstep"
	}
	m := changed(w.d, mutant)
	if m < 0 {
		t.Fatalf("%s: changes nothing", what)
	}
	if aloneDiffers(t, w.d.Modules[m], mutant.Modules[m]) {
		return "module alone"
	}
	if provenEqual(t, w.d.Modules[m], mutant.Modules[m], o) {
		return "proven equal"
	}
	if harmless(what) {
		return "argued equal"
	}
	return ""
}

// changed is the index of the module that differs.
func changed(d, mutant *ir.Design) int {
	for i, m := range d.Modules {
		if show(m) != show(mutant.Modules[i]) {
			return i
		}
	}
	return -1
}

// show is the text of a module with what it instantiates.
func show(m *ir.Module) string { return ir.NewDesign(m).String() }

// aloneDiffers runs the changed module by itself in lockstep with the original: inside a
// larger block it may never come into the state that shows the mistake.
func aloneDiffers(t *testing.T, was, is *ir.Module) bool {
	d := ir.NewDesign(was)
	e, err := interp.New(ir.NewDesign(is))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return newTwin(t, d, random.Image(d, 1), lockstepSeeds).differs(e) != nil
}

// arguments say why mistakes that no cycle shows and ABC does not prove equal are harmless.
var arguments = []struct{ pattern, why string }{
	{`^reset (missing|value): array_\d+x\d+\.left `, "left is written when a fold ends its feed, and read only after that"},
	{`^reset (missing|value): collector_\w+\.write `, "what is written right after a reset is overwritten before the buffer is read"},
	{`^edge: pim_.*: pe\.(x_ready|y_valid) is read at the east`, "PEs of a row get the same beats in the same cycles and keep step"},
}

func harmless(what string) bool {
	for _, a := range arguments {
		if regexp.MustCompile(a.pattern).MatchString(what) {
			return true
		}
	}
	return false
}
