package interp_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/interp"
	"ohmloom/verify/random"
)

func newEngine(d *ir.Design) (verify.Engine, error) { return interp.New(d) }

func TestConforms(t *testing.T) { conform.Run(t, "interp", newEngine) }

// A design that the Verilog engines refuse for the name of a port is refused here, too.
func TestPortsThatVerilogCannotHaveAreRefused(t *testing.T) {
	for name, fine := range map[string]bool{"wire": false, "logic": false, "9lives": false, "x": true} {
		m := ir.New("top", "")
		m.Out("y", m.In(name, ir.Bits(4), "").Not(), "")
		if _, err := interp.New(ir.NewDesign(m)); (err == nil) != fine {
			t.Errorf("port %q: %v", name, err)
		}
	}
}

// The reference knows neither package flat nor vectors; random designs reach what nobody
// thought of.
func TestRandomDesignsAgreeWithTheReference(t *testing.T) {
	n := 150
	if testing.Short() {
		n = 50
	}
	for seed := range uint64(n) {
		o := random.Opts{}
		if seed%4 == 3 {
			o = random.Opts{Nodes: 25, Elems: 12, Lanes: 40}
		}
		if err := agree(random.Design(seed, o), seed, 25); err != nil {
			t.Errorf("seed %d, options %+v: %v", seed, o, err)
		}
	}
}

// agree runs d in both engines under random inputs with resets now and then.
func agree(d *ir.Design, seed uint64, cycles int) error {
	e, err := interp.New(d)
	if err != nil {
		return err
	}
	ref, err := conform.NewReference(d)
	if err != nil {
		return err
	}
	shape, rng, img := verify.ShapeOf(d.Top), rand.New(rand.NewPCG(seed, 1)), random.Image(d, seed)
	in := make([]uint64, cycles*shape.InWords)
	for i := range in {
		switch in[i] = rng.Uint64(); {
		case i%shape.InWords == 0:
			in[i] = flag(rng.IntN(12) == 0)
		case rng.IntN(3) == 0:
			in[i] = []uint64{0, 1, ^uint64(0), 1 << 63}[rng.IntN(4)]
		}
	}
	var outs [2][]uint64
	for i, e := range []verify.Engine{e, ref} {
		outs[i] = make([]uint64, cycles*shape.OutWords)
		if err := e.Power(seed, img); err != nil {
			return err
		}
		if err := e.Run(in, outs[i], cycles); err != nil {
			return err
		}
	}
	for i := range outs[0] {
		if outs[0][i] != outs[1][i] {
			return fmt.Errorf("cycle %d, output word %d: interp %#x, reference %#x", i/shape.OutWords, i%shape.OutWords, outs[0][i], outs[1][i])
		}
	}
	return nil
}
