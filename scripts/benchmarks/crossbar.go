package main

import (
	"fmt"
	"math/rand"
	"slices"
	"time"

	"ohmloom/hw"
	"ohmloom/hw/device"
	"ohmloom/verify"
)

// crossbar measures what one product costs to simulate: 8 bit planes of a 256 x 256 pair, macro
// alone, one conversion a cycle, inputs and outputs included. The shortest of many short runs is
// the processor time when other programs run, too.
func (b *bench) crossbar() error {
	const products = 8
	fmt.Printf("256x256 crossbar macro, time of one 8-plane product (shortest of %d)\n", 20*b.rounds)
	cells := device.Effects{Variation: 0.1, StuckOn: 0.001, StuckOff: 0.001, OffOn: 0.02, Seed: 1}
	all := cells
	all.ADCOffset, all.ADCGain, all.ADCINL, all.ReadNoise = 0.5, 0.02, 0.3, 0.25
	apart := all
	apart.Separate = true
	for _, c := range []struct {
		what    string
		effects device.Effects
		share   int
	}{
		{"ideal cells", device.Effects{}, 8},
		{"ideal cells, share 2", device.Effects{}, 2},
		{"conductances", cells, 8},
		{"conductances, converters, noise", all, 8},
		{"the same, separate conversions", apart, 8},
		{"the same, share 2", apart, 2},
	} {
		x := hw.Crossbar{Rows: 256, Cols: 256, Share: c.share, Active: 256, Bits: 8, Step: hw.StepClip, Effects: c.effects,
			Weights: hw.RandomTernary(seeded(), 256, 256)}
		fmt.Printf("  %-34s", c.what)
		for _, name := range engineNames {
			t, err := b.product(x, name, products)
			if err != nil {
				return err
			}
			fmt.Printf("  %s %7.1f us", name, float64(t.Nanoseconds())/1e3)
		}
		fmt.Println()
	}
	return nil
}

// product is the time of one of n products of the macro in an engine.
func (b *bench) product(x hw.Crossbar, name string, n int) (time.Duration, error) {
	d := design(x)
	e, err := open(name, d)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	if err := e.Power(1, x.Image(d.Top.Name)); err != nil {
		return 0, err
	}
	s, r := verify.ShapeOf(d.Top), rand.New(rand.NewSource(2))
	cycles := n * 8 * x.Steps()
	in, out := make([]uint64, cycles*s.InWords), make([]uint64, cycles*s.OutWords)
	for i := range cycles { // record: reset, valid, step, rows
		rec := in[i*s.InWords : (i+1)*s.InWords]
		rec[1], rec[2] = 1, uint64(i%x.Steps())
		for j := range rec[3:] {
			rec[3+j] = uint64(r.Intn(2))
		}
	}
	var times []time.Duration
	for range 20 * b.rounds {
		start := time.Now()
		if err := e.Run(in, out, cycles); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start)/time.Duration(n))
	}
	return slices.Min(times), nil
}
