// Package conform holds what every engine must compute: a table of small designs with
// stimuli and with expected outputs that plain Go models give, models that know neither the
// IR's operations nor any engine.
package conform

import (
	"fmt"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
)

// Model computes one cycle: in is the input record (word 0 is the reset), the result the
// output record. It keeps its state from call to call.
type Model func(in []uint64) []uint64

// Case is one design with its stimulus.
type Case struct {
	Name  string
	Top   *ir.Module
	Seed  uint64
	Image *ir.Image  // nil: none
	Stim  [][]uint64 // one input record a cycle
	Model func() Model
}

// Cases is the suite: the designs are few and hold much each, because some engines compile.
func Cases() []Case {
	return []Case{
		scalarCase(), vectorCase(), foldCase(), castCase(),
		registerCase(), exchangeCase(), powerOnCase(), memoryCase(), imageCase(),
		wiringCase(), nestedCase(), feedThroughCase(), gatedCase(), macroCase(), columnsCase(), constantCase(),
	}
}

// Run checks an engine against every case; name is what its Name method must say.
func Run(t *testing.T, name string, newEngine func(*ir.Design) (verify.Engine, error)) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			e, err := newEngine(ir.NewDesign(c.Top))
			if err != nil {
				t.Fatalf("no engine: %v", err)
			}
			if e.Name() != name {
				t.Errorf("the engine is named %q, want %q", e.Name(), name)
			}
			if err := c.Check(e); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := e.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
}

// Check runs the case in one batch, and then again from power-on in batches of a few cycles:
// neither the batches nor what ran before may show.
func (c *Case) Check(e verify.Engine) error {
	want := c.want()
	for _, batch := range []func(done int) int{
		func(int) int { return len(c.Stim) },
		func(done int) int { return 1 + done%4 },
		func(int) int { return 1 },
	} {
		got, err := c.run(e, batch)
		if err != nil {
			return err
		}
		if errs := c.diff(got, want); len(errs) > 0 {
			return fmt.Errorf("%d outputs differ, seed %#x, first of each:\n%s", len(errs), c.Seed, join(errs, 20))
		}
	}
	return nil
}

// run powers e and runs the stimulus in batches of the sizes that batch gives.
func (c *Case) run(e verify.Engine, batch func(done int) int) ([]uint64, error) {
	if err := e.Power(c.Seed, c.Image); err != nil {
		return nil, fmt.Errorf("Power: %w", err)
	}
	shape := verify.ShapeOf(c.Top)
	var got []uint64
	for done := 0; done < len(c.Stim); {
		n := min(batch(done), len(c.Stim)-done)
		in, out := flatten(c.Stim[done:done+n]), make([]uint64, n*shape.OutWords)
		for i := range out {
			out[i] = 0xdead_beef_dead_beef // an engine must write every word
		}
		if err := e.Run(in, out, n); err != nil {
			return nil, fmt.Errorf("Run of %d cycles after %d: %w", n, done, err)
		}
		got = append(got, out...)
		done += n
	}
	return got, nil
}

// want runs the model.
func (c *Case) want() []uint64 {
	m, shape := c.Model(), verify.ShapeOf(c.Top)
	var want []uint64
	for i, rec := range c.Stim {
		if len(rec) != shape.InWords {
			panic(fmt.Sprintf("conform: case %s: record %d has %d words, want %d", c.Name, i, len(rec), shape.InWords))
		}
		out := m(rec)
		if len(out) != shape.OutWords {
			panic(fmt.Sprintf("conform: case %s: the model gives %d words, want %d", c.Name, len(out), shape.OutWords))
		}
		want = append(want, out...)
	}
	return want
}

// diff describes the first difference of every output port.
func (c *Case) diff(got, want []uint64) []string {
	shape := verify.ShapeOf(c.Top)
	var errs []string
	off := 0
	for _, p := range shape.Out {
	port:
		for cyc := range c.Stim {
			for e := range p.Type.N {
				i := cyc*shape.OutWords + off + e
				if got[i] != want[i] {
					errs = append(errs, fmt.Sprintf("cycle %d, output %s[%d] (%s): got %#x, want %#x; inputs %#x",
						cyc, p.Name, e, p.Type, got[i], want[i], head(c.Stim[cyc], 12)))
					break port
				}
			}
		}
		off += p.Type.N
	}
	return errs
}

func head(x []uint64, n int) []uint64 { return x[:min(n, len(x))] }

func join(lines []string, n int) string {
	s := ""
	for i, l := range lines {
		if i == n {
			return s + "..."
		}
		s += l + "\n"
	}
	return s
}

func flatten(recs [][]uint64) []uint64 {
	var x []uint64
	for _, r := range recs {
		x = append(x, r...)
	}
	return x
}
