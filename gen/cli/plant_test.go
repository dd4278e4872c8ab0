package cli

import (
	"context"
	"fmt"
	"os"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/interp"
)

// PlantEngines adds engines that only tests have: "broken" turns a bit round in the first output
// wider than one bit, wherever that is not zero; "telling" makes the file $OHMLOOM_TEST_STARTED at
// its first cycles; "flipping" turns a bit round in the output that $OHMLOOM_TEST_FLIP names, by
// its name or what it says of itself.
func PlantEngines() {
	engines = append(engines,
		engine{"broken", func(_ context.Context, d *ir.Design) (verify.Engine, error) {
			shape := verify.ShapeOf(d.Top)
			at := 0
			for _, p := range shape.Out {
				if p.Type.W > 1 {
					e, err := interp.New(d)
					return broken{renamed{e, "broken"}, shape.OutWords, at}, err
				}
				at += p.Type.N
			}
			return nil, fmt.Errorf("%s has no output wider than a bit", d.Top.Name)
		}},
		engine{"telling", func(_ context.Context, d *ir.Design) (verify.Engine, error) {
			e, err := interp.New(d)
			return telling{renamed{e, "telling"}}, err
		}},
		engine{"flipping", func(_ context.Context, d *ir.Design) (verify.Engine, error) {
			shape := verify.ShapeOf(d.Top)
			f := flipping{words: shape.OutWords}
			at := 0
			for _, p := range shape.Out {
				if name := os.Getenv("OHMLOOM_TEST_FLIP"); p.Name == name || p.Doc == name {
					f.at = append(f.at, at)
				}
				f.tokens = f.tokens || os.Getenv("OHMLOOM_TEST_FLIP") == "s_axi_rdata"
				at += p.Type.N
			}
			e, err := interp.New(d)
			f.renamed = renamed{e, "flipping"}
			return f, err
		}})
}

type flipping struct {
	renamed
	words int   // of a record
	at    []int // in it

	tokens bool // only words that register TOKEN reads when there is one
}

func (f flipping) Run(in, out []uint64, n int) error {
	err := f.Engine.Run(in, out, n)
	for i := range n {
		for _, at := range f.at {
			if v := &out[i*f.words+at]; !f.tokens || *v>>31 == 1 && *v>>17&(1<<13-1) == 0 {
				*v ^= 1
			}
		}
	}
	return err
}

type broken struct {
	renamed
	words int // of a record
	at    int // in it
}

func (b broken) Run(in, out []uint64, n int) error {
	err := b.Engine.Run(in, out, n)
	for i := range n {
		if w := &out[i*b.words+b.at]; *w != 0 {
			*w ^= 1
		}
	}
	return err
}

type renamed struct {
	verify.Engine
	name string
}

func (r renamed) Name() string { return r.name }

type telling struct{ renamed }

func (t telling) Run(in, out []uint64, n int) error {
	if f := os.Getenv("OHMLOOM_TEST_STARTED"); f != "" {
		if err := os.WriteFile(f, nil, 0o666); err != nil {
			return err
		}
	}
	return t.Engine.Run(in, out, n)
}
