package hw_test

import (
	"math"
	"math/rand"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/estimate"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify/drive"
)

// An estimate of a token, put together from the blocks' closed forms, is within 3 % of the
// cycles between two tokens that the chip's RTL writes; what is left is the sequencer.
func TestEstimateOfATokenIsNearTheChipsRTL(t *testing.T) {
	m, g := open(t, "nano")
	b := nanoChips(t, m)[0]
	module := b.Build(hw.NewLib(nil))
	e, err := engines[0](ir.NewDesign(module))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Power(3, b.Image(module.Name)); err != nil {
		t.Fatal(err)
	}
	prompt := g.PromptTokens[:3] // what is written does not matter here
	feeds, wants, _ := chipRun(m, b, prompt, g.Greedy, 2)
	res, err := drive.Run(e, module, feeds, wants, drive.Options{Rand: rand.New(rand.NewSource(7))})
	if err != nil {
		t.Fatal(err)
	}
	measured := res.Given[0][1] - res.Given[0][0]

	spread := spreadFor(m, 8, 8, 4)
	bank := b.Bank
	bank.Lanes = b.Lanes
	h := &estimate.Hardware{Name: "nano", ClockMHz: 100, Lanes: b.Lanes, Bank: &bank, Tech: config.LibraryTechnology("45nm"),
		Attention: arch.Attention{Rows: spread.Rows, Cols: spread.Cols, Decode: arch.Spread, Lanes: spread.Lanes, Ahead: spread.Ahead,
			Biased: spread.Biased, Context: spread.Context}}
	for _, shape := range config.Models() {
		if shape.Name != "nano" {
			continue
		}
		r, err := h.Estimate(shape, len(prompt)+1, estimate.Decode, estimate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if off := r.Cycles.Value/float64(measured) - 1; math.Abs(off) > 0.03 {
			t.Errorf("estimate %.0f cycles, RTL %d: %.1f %% off", r.Cycles.Value, measured, 100*off)
		} else {
			t.Logf("estimate %.0f cycles, RTL %d", r.Cycles.Value, measured)
		}
		return
	}
	t.Error("the library has no nano")
}
