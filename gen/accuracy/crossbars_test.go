package accuracy_test

import (
	"strings"
	"testing"

	"ohmloom/gen/accuracy"
	"ohmloom/gen/model"
	"ohmloom/hw/device"
)

// clip8 are the crossbars of the published effects: a column and a converter for each output.
func clip8() accuracy.Crossbars {
	return accuracy.Crossbars{Rows: 128, Active: 128, Share: 1, Bits: 8, Step: device.StepClip}
}

func measure(t *testing.T, x *accuracy.Text, c accuracy.Crossbars, windows int) float64 {
	t.Helper()
	p, err := x.Crossbars(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.BitsPerChar(t.Context(), windows, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Blocks that fill no crossbar, and several row and column blocks, change nothing.
func TestCrossbarsWithoutEffectsAreThePlainArithmetic(t *testing.T) {
	x := heldout(t, "nano")
	for _, c := range []struct {
		crossbars accuracy.Crossbars
		plain     model.Projector
	}{
		{accuracy.Crossbars{Rows: 50, Cols: 37, Share: 5, Active: 17, Step: device.StepIdeal}, model.Project},
		{accuracy.Crossbars{Rows: 64, Cols: 100, Share: 3, Active: 64, Bits: 4, Step: device.StepClip}, model.Clip(64, 4)},
		{accuracy.Crossbars{Rows: 96, Share: 1, Active: 32, Bits: 5, Step: device.StepClip}, model.Clip(32, 5)},
	} {
		want, err := x.BitsPerChar(t.Context(), 1, func(int) model.Projector { return c.plain }, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := measure(t, x, c.crossbars, 1); got != want {
			t.Errorf("%s: %g bits/char, plainly %g", c.crossbars, got, want)
		}
	}
}

// What this arithmetic gave for one seed of each effect when the tables of published numbers
// (TestTablesOfEffectsAreReproduced) were reproduced; a change here asks for that test.
func TestEffectsKeepTheirBitsPerCharacter(t *testing.T) {
	x := heldout(t, "nano")
	for _, c := range []struct {
		what string
		set  func(c *accuracy.Crossbars)
		want float64
	}{
		{"none", func(c *accuracy.Crossbars) {}, 2.13696},
		{"variation", func(c *accuracy.Crossbars) { c.Effects.Variation = 0.1 }, 2.31911},
		{"variation, log-normal", func(c *accuracy.Crossbars) {
			c.Effects.Variation, c.Effects.Distribution = 0.1, device.LogNormal
		}, 2.30568},
		{"stuck cells", func(c *accuracy.Crossbars) { c.Effects.StuckOn, c.Effects.StuckOff = 0.005, 0.005 }, 2.21535},
		{"OFF cells", func(c *accuracy.Crossbars) { c.Effects.OffOn = 0.1 }, 2.47520},
		{"IR drop along rows, a line", func(c *accuracy.Crossbars) { c.Effects.FarRow = 0.2 }, 2.40423},
		{"IR drop along columns, a line", func(c *accuracy.Crossbars) { c.Effects.FarCol = 0.2 }, 2.20568},
		{"IR drop, solved", func(c *accuracy.Crossbars) { c.Effects.WireRow, c.Effects.WireCol = 1e-5, 1e-5 }, 2.21351},
		{"drift", func(c *accuracy.Crossbars) {
			c.Effects.DriftNu, c.Effects.DriftSpread, c.Effects.DriftTime = 0.02, 0.005, 1e4
		}, 2.74016},
		{"read noise", func(c *accuracy.Crossbars) { c.Effects.ReadNoise = 0.5 }, 3.10174},
		{"offset", func(c *accuracy.Crossbars) { c.Effects.ADCOffset = 1 }, 2.12816},
		{"gain", func(c *accuracy.Crossbars) { c.Effects.ADCGain = 0.05 }, 2.16889},
		{"INL", func(c *accuracy.Crossbars) { c.Effects.ADCINL = 1 }, 2.14079},
		{"coarse LSB", func(c *accuracy.Crossbars) { c.Effects.LSB, c.Bits = 1.5, 4 }, 2.48026},
		{"separate conversions", func(c *accuracy.Crossbars) { c.Effects.Separate, c.Bits = true, 4 }, 2.67903},
		{"full scale", func(c *accuracy.Crossbars) { c.Step = device.StepFull }, 2.13063},
		{"calibrated gain", func(c *accuracy.Crossbars) { c.Effects.OffOn, c.Calibrate = 0.1, true }, 2.26725},
	} {
		crossbars := clip8()
		crossbars.Effects.Seed = 1
		c.set(&crossbars)
		near(t, c.what, measure(t, x, crossbars, 1), c.want, 0.0002)
	}
}

func TestSeedsAndNothingElseDecide(t *testing.T) {
	x := heldout(t, "nano")
	c := clip8()
	c.Effects = device.Effects{Variation: 0.1, ReadNoise: 0.25, Seed: 1}
	first := measure(t, x, c, 2)
	if again := measure(t, x, c, 2); again != first {
		t.Errorf("the same seed gives %g and %g", first, again)
	}
	c.Effects.Seed = 2
	if other := measure(t, x, c, 2); other == first {
		t.Errorf("two seeds give the same %g", first)
	}
}

func TestCrossbarsOutOfRangeAreTold(t *testing.T) {
	x := heldout(t, "nano")
	for want, set := range map[string]func(c *accuracy.Crossbars){
		"rows is 1025, allowed are 1 to 1024":  func(c *accuracy.Crossbars) { c.Rows = 1025 },
		"active is 129, allowed are 1 to 128":  func(c *accuracy.Crossbars) { c.Active = 129 },
		"share is 9, allowed are 1 to 8":       func(c *accuracy.Crossbars) { c.Cols, c.Share = 8, 9 },
		"bits is 0, allowed are 1 to 16":       func(c *accuracy.Crossbars) { c.Bits = 0 },
		`step is "cut", allowed are`:           func(c *accuracy.Crossbars) { c.Step = "cut" },
		"device variation is 2, allowed are 0": func(c *accuracy.Crossbars) { c.Effects.Variation = 2 },
		"an ideal converter has no offset":     func(c *accuracy.Crossbars) { c.Step, c.Effects.ADCOffset = device.StepIdeal, 1 },
	} {
		c := clip8()
		set(&c)
		if _, err := x.Crossbars(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestSweepsOverADCBitsAreCheckedBeforeTheyRun(t *testing.T) {
	if list, err := accuracy.Sweep(clip8(), []int{64, 256}, []int{4, 5, 6}); err != nil || len(list) != 6 || list[4].Active != 256 || list[4].Bits != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	ideal := clip8()
	ideal.Step = device.StepIdeal
	for i, bad := range []struct {
		c          accuracy.Crossbars
		rows, bits []int
	}{{ideal, []int{64}, []int{4}}, {clip8(), nil, []int{4}}, {clip8(), []int{64}, nil}, {clip8(), []int{0}, []int{4}}, {clip8(), []int{64}, []int{17}}} {
		if _, err := accuracy.Sweep(bad.c, bad.rows, bad.bits); err == nil {
			t.Errorf("sweep %d was taken", i)
		}
	}
}
