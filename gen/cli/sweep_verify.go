package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/sweep"
)

// scaledVerify is the run of a chip's RTL, scaled down.
type scaledVerify struct {
	Passed     bool       `json:"passed"`
	Cycles     int        `json:"cycles"` // of all engines together
	Engines    []string   `json:"engines"`
	Seed       uint64     `json:"seed"`
	Scaled     []string   `json:"scaled"` // "attention.rows 32 to 8"
	Mismatches []mismatch `json:"mismatches"`
}

func (v *scaledVerify) verdict() string {
	if v.Passed {
		return fmt.Sprintf("agrees, %d cycles", v.Cycles)
	}
	return "DIFFERS"
}

// scaledCycles of lockstep are enough for chips of a few PEs.
const scaledCycles = 400

// verifyScaled runs a chip scaled down on the engines.
func (a *app) verifyScaled(ctx context.Context, chip *arch.Chip, name string, engines []string) (*scaledVerify, error) {
	small, said := sweep.Scaled(chip)
	small.Verify.Engines, small.Verify.Cycles = engines, scaledCycles
	still := *a
	still.quiet = true // one bar for all points
	res, err := still.verify(ctx, &description{chip: small, name: name}, verifyFlags{})
	if err != nil {
		return nil, err
	}
	return &scaledVerify{Passed: res.Passed, Cycles: res.Cycles, Engines: res.Engines, Seed: res.Seed, Scaled: said, Mismatches: res.Mismatches}, nil
}

// verifyFront runs points of the front, those that scale down to the same chip once; it tells
// whether one differs.
func (a *app) verifyFront(ctx context.Context, s *config.Sweep, r *sweepResult, f sweepFlags) (bad bool, err error) {
	chips := map[string]*arch.Chip{}
	of := make([]string, len(r.Front))
	var order []string
	for i, p := range r.Front {
		point, err := s.Point(p.Index)
		if err != nil {
			return false, failed("%w", err)
		}
		small, _ := sweep.Scaled(point.Chip)
		small.Hash, small.Verify = "", arch.Verify{}
		of[i] = describe(small)
		if chips[of[i]] == nil {
			chips[of[i]] = point.Chip
			order = append(order, of[i])
		}
	}
	chosen := spreadOver(order, f.most)
	bar := a.progress("verifying", len(chosen))
	defer bar.done()
	results := map[string]*scaledVerify{}
	for i, key := range chosen {
		v, err := a.verifyScaled(ctx, chips[key], s.Source, f.engines)
		if err != nil {
			return false, err
		}
		results[key] = v
		bad = bad || !v.Passed
		bar.set(i + 1)
	}
	for i := range r.Front {
		p := &r.Front[i]
		if v := results[of[i]]; v != nil {
			point, err := s.Point(p.Index)
			if err != nil {
				return false, failed("%w", err)
			}
			own := *v
			_, own.Scaled = sweep.Scaled(point.Chip)
			p.Verify = &own
		}
	}
	if n := len(order) - len(chosen); n > 0 {
		a.warn("%s of the front not run; --most %d runs all", count(n, "scaled chip"), len(order))
	}
	return bad, nil
}

// describe writes what two chips that are the same hardware have in common.
func describe(c *arch.Chip) string {
	var parts []string
	if c.Attention != nil {
		a := *c.Attention
		a.Pos = arch.Pos{}
		parts = append(parts, fmt.Sprintf("%+v", a))
	}
	if c.PIM != nil {
		p := *c.PIM
		parts = append(parts, fmt.Sprintf("%d %d %d %+v", p.RowBlocks, p.ColBlocks, p.Lanes, p.Crossbar))
		if p.Bank != nil {
			parts = append(parts, fmt.Sprintf("%+v", *p.Bank))
		}
	}
	return strings.Join(parts, " ")
}

// spreadOver takes at most n of a list, its ends included.
func spreadOver(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	if n == 1 {
		return list[:1]
	}
	var out []string
	for i := range n {
		out = append(out, list[i*(len(list)-1)/(n-1)])
	}
	return slices.Compact(out)
}
