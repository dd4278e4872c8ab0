package main

import (
	"fmt"
	"math/bits"
	"math/rand"
	"slices"
	"time"

	"ohmloom/hw"
	"ohmloom/hw/device"
	"ohmloom/verify"
)

// crossbar measures what one product costs to simulate: 8 bit planes of a 256 x 256 pair, macro
// alone, one conversion a cycle, inputs and outputs included; then a cycle in which it is idle.
// The shortest of many short runs is the processor time when other programs run, too; the time
// of a loop in Go beside it calibrates the machine. An idle cycle is mostly inputs and outputs.
func (b *bench) crossbar() error {
	const products = 8
	fmt.Printf("256x256 crossbar macro, time of one 8-plane product, and of an idle cycle (shortest of %d)\n", 20*b.rounds)
	fmt.Printf("  for comparison, a population count over 8 MB in Go, which took 0.32 ms where the README was measured: %.2f ms\n", b.calibration().Seconds()*1e3)
	cells := device.Effects{Variation: 0.1, StuckOn: 0.001, StuckOff: 0.001, OffOn: 0.02, Seed: 1}
	all := cells
	all.ADCOffset, all.ADCGain, all.ADCINL, all.ReadNoise = 0.5, 0.02, 0.3, 0.25
	apart := all
	apart.Separate = true
	for _, c := range []struct {
		what     string
		effects  device.Effects
		share    int
		step     string
		bits     int
		writable bool
	}{
		{"ideal cells", device.Effects{}, 8, hw.StepClip, 8, false},
		{"ideal cells, share 1", device.Effects{}, 1, hw.StepClip, 8, false},
		{"ideal cells, share 256", device.Effects{}, 256, hw.StepClip, 8, false},
		{"ideal cells, full, separate", device.Effects{Separate: true}, 8, hw.StepFull, 8, false},
		{"ideal cells, writable", device.Effects{}, 8, hw.StepClip, 8, true},
		{"conductances", cells, 8, hw.StepClip, 8, false},
		{"conductances, converters, noise", all, 8, hw.StepClip, 8, false},
		{"the same, separate conversions", apart, 8, hw.StepClip, 8, false},
		{"the same, share 1", apart, 1, hw.StepClip, 8, false},
		{"the same, share 2", apart, 2, hw.StepClip, 8, false},
		{"the same, share 256", apart, 256, hw.StepClip, 8, false},
		{"the same, share 8, 16 bits, full", apart, 8, hw.StepFull, 16, false},
		{"the same, writable", apart, 8, hw.StepFull, 16, true},
	} {
		x := hw.Crossbar{Rows: 256, Cols: 256, Share: c.share, Active: 256, Bits: c.bits, Step: c.step, Effects: c.effects,
			Writable: c.writable, Pulses: 5, Yield: 1, Weights: hw.RandomTernary(seeded(), 256, 256)}
		fmt.Printf("  %-34s", c.what)
		for _, name := range engineNames {
			t, idle, err := b.product(x, name, products)
			if err != nil {
				return err
			}
			fmt.Printf("  %s %7.1f us, idle %6.3f us", name, float64(t.Nanoseconds())/1e3, float64(idle.Nanoseconds())/1e3)
		}
		fmt.Println()
	}
	return nil
}

// product is the time of one of n products of the macro in an engine, and of an idle cycle.
func (b *bench) product(x hw.Crossbar, name string, n int) (product, idle time.Duration, err error) {
	d := design(x)
	e, err := open(name, d)
	if err != nil {
		return 0, 0, err
	}
	defer e.Close()
	if err := e.Power(1, x.Image(d.Top.Name)); err != nil {
		return 0, 0, err
	}
	s, r := verify.ShapeOf(d.Top), rand.New(rand.NewSource(2))
	cycles := n * 8 * x.Steps()
	in, out := make([]uint64, cycles*s.InWords), make([]uint64, cycles*s.OutWords)
	for i := range cycles { // record: reset, valid, step, rows
		rec := in[i*s.InWords : (i+1)*s.InWords]
		rec[1], rec[2] = 1, uint64(i%x.Steps())
		for j := range x.Rows {
			rec[3+j] = uint64(r.Intn(2))
		}
	}
	if product, err = b.shortest(func() error { return e.Run(in, out, cycles) }); err != nil {
		return 0, 0, err
	}
	for i := range cycles {
		in[i*s.InWords+1] = 0
	}
	idle, err = b.shortest(func() error { return e.Run(in, out, cycles) })
	return product / time.Duration(n), idle / time.Duration(cycles), err
}

// shortest is the time of the shortest of many runs.
func (b *bench) shortest(run func() error) (time.Duration, error) {
	var times []time.Duration
	for range 20 * b.rounds {
		start := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	return slices.Min(times), nil
}

// calibration is the time of a loop that does what column sums do.
func (b *bench) calibration() time.Duration {
	words, ones := make([]uint64, 1<<20), 0
	for i := range words {
		words[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	t, _ := b.shortest(func() error {
		for _, w := range words {
			ones += bits.OnesCount64(w)
		}
		return nil
	})
	if ones == 0 {
		panic("benchmarks: no ones")
	}
	return t
}
