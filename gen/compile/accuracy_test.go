package compile_test

import (
	"os"
	"slices"
	"testing"

	"ohmloom/gen/accuracy"
	"ohmloom/hw/device"
)

// A text's first window meets the same devices in an accuracy run, with the numbers of the plan,
// as on the chip: the same logits, with noise and all. With numbers of its own it does not.
func TestAccuracyRunsOnTheDevicesOfTheChip(t *testing.T) {
	m, _ := opened(t, "nano")
	c := described(t, examples+"nano.hcl", nil)
	x := &c.PIM.Crossbar
	x.Effects = device.Effects{Variation: 0.1, StuckOff: 0.01, ADCOffset: 0.5, ReadNoise: 0.3, Seed: 7}
	p := compiled(t, c, m)
	onChip, err := p.Projector(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.ReadFile(examples + "models/heldout.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := accuracy.NewText(m, "heldout.txt", string(held))
	if err != nil {
		t.Fatal(err)
	}
	crossbars := accuracy.Crossbars{Rows: x.Rows, Cols: x.Cols, Share: x.ADC.Share, Active: x.ADC.Rows, Bits: x.ADC.Bits, Step: x.ADC.Step, Effects: x.Effects}
	own, err := text.Crossbars(t.Context(), crossbars)
	if err != nil {
		t.Fatal(err)
	}
	crossbars.Number = p.Plan.Numbers()
	placed, err := text.Crossbars(t.Context(), crossbars)
	if err != nil {
		t.Fatal(err)
	}
	chip, same, other := m.NewRun(onChip), m.NewRun(placed(0)), m.NewRun(own(0))
	differ := false
	for _, token := range []int{3, 41, 7, 7, 20} {
		want := chip.Step(token).Final.Logits
		if got := same.Step(token).Final.Logits; !slices.Equal(got, want) {
			t.Fatalf("logits %v, on the chip %v", got, want)
		}
		differ = differ || !slices.Equal(other.Step(token).Final.Logits, want)
	}
	if !differ {
		t.Error("crossbars of other numbers give the same logits, so that this test sees nothing")
	}
}
