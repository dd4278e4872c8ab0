package cosim

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/ir/bits"
	"ohmloom/verify"
)

func pair() *ir.Module {
	m := ir.New("pair", "")
	a, b := m.In("a", ir.Vec(3, 8), ""), m.In("valid", ir.Bits(1), "")
	m.Out("y", a, "")
	m.Out("v", b, "")
	return m
}

func records(t *testing.T, s Stimulus, n, batch int) []uint64 {
	t.Helper()
	shape := verify.ShapeOf(pair())
	src, err := s.start(shape)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]uint64, n*shape.InWords)
	for at := 0; at < n; at += batch {
		src.fill(all[at*shape.InWords : min(at+batch, n)*shape.InWords])
	}
	return all
}

func TestStimulusDependsOnItsSeedOnly(t *testing.T) {
	for _, make := range []func(uint64) Stimulus{Random, Extreme} {
		one := records(t, make(1), 500, 256)
		if !slices.Equal(one, records(t, make(1), 500, 3)) {
			t.Errorf("%s depends on the batch", make(1).Kind)
		}
		if slices.Equal(one, records(t, make(2), 500, 256)) {
			t.Errorf("%s does not depend on the seed", make(1).Kind)
		}
	}
}

func TestStimuliStartInResetAndPulseItLater(t *testing.T) {
	for _, s := range []Stimulus{Random(1), Extreme(1)} {
		r := records(t, s, 4000, 256)
		if r[0] != 1 || r[5] != 1 {
			t.Errorf("%s does not start in reset", s.Kind)
		}
		pulses := 0
		for k := 3; k < 4000; k++ {
			pulses += int(r[k*5] &^ r[(k-1)*5])
		}
		if pulses < 3 {
			t.Errorf("%s has %d reset pulses in mid-run", s.Kind, pulses)
		}
	}
}

func TestInputsStayInTheirWidth(t *testing.T) {
	for _, s := range []Stimulus{Random(1), Extreme(1)} {
		r := records(t, s, 1000, 256)
		for k := 0; k < len(r); k += 5 {
			if slices.Max(r[k+1:k+4]) > 255 || r[k+4] > 1 {
				t.Fatalf("%s, record %d: %x", s.Kind, k/5, r[k:k+5])
			}
		}
	}
}

// Sums of 100 equal extremes are what tame stimuli never make.
func TestExtremeStimulusOverflowsSumsThatRandomDoesNot(t *testing.T) {
	worst := func(s Stimulus) (most int64) {
		r := records(t, s, 20000, 256)
		sum := int64(0)
		for k := 0; k < len(r); k += 5 {
			if r[k] == 1 {
				sum = 0
			}
			sum += bits.Signed(r[k+1], 8) * bits.Signed(r[k+2], 8)
			most = max(most, sum, -sum)
		}
		return most
	}
	if r, e := worst(Random(1)), worst(Extreme(1)); e < 500_000 || e < r {
		t.Errorf("largest sum: random %d, extreme %d", r, e)
	}
}

func TestExtremeStimulusHoldsTheEndsOfRanges(t *testing.T) {
	r := records(t, Extreme(1), 20000, 256)
	longest, run := map[uint64]int{}, 0
	for k := 6; k < len(r); k += 5 {
		if r[k] == r[k-5] {
			run++
		} else {
			run = 0
		}
		longest[r[k]] = max(longest[r[k]], run+1)
	}
	for _, v := range []uint64{0, 255, 128, 127, 1} {
		if longest[v] < 16 {
			t.Errorf("%#x is held for at most %d cycles", v, longest[v])
		}
	}
	for _, v := range []uint64{2, 4, 8, 16, 32, 64, 0x55, 0xaa, 0xfe, 0xfd, 0x7f, 0x81} {
		if longest[v] == 0 {
			t.Errorf("%#x never comes", v)
		}
	}
}

func TestStimulusFileReadsBack(t *testing.T) {
	r := records(t, Random(4), 20, 20)
	var b bytes.Buffer
	if err := WriteStimulus(&b, pair(), 0xfedcba9876543210, r); err != nil {
		t.Fatal(err)
	}
	s, power, err := ReadStimulus(&b, pair())
	if err != nil || power != 0xfedcba9876543210 || s.Kind != KindDirected || !slices.Equal(s.Records, r) {
		t.Errorf("power %#x, err %v", power, err)
	}
}

func TestBadStimulusFilesAreRefusedWithTheLine(t *testing.T) {
	var good bytes.Buffer
	if err := WriteStimulus(&good, pair(), 1, records(t, Random(4), 3, 3)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(good.String()), "\n")
	with := func(i int, text string) string {
		l := slices.Clone(lines)
		l[i] = text
		return strings.Join(l, "\n")
	}
	for text, want := range map[string]string{
		"":                                   "line 0: the file ends",
		strings.Join(lines[:3], "\n"):        "line 3: the file ends",
		with(0, "something else"):            "line 1: is \"something else\"",
		with(1, "power on"):                  "line 2: no power-on seed",
		with(2, "ports rst a:u9"):            "line 3: it is for another design",
		with(4, "1 2 3"):                     "line 5: 3 values, want 5",
		with(5, "0 0 0 xyz 1"):               "line 6: \"xyz\" is no hexadecimal",
		with(5, "0 0 0 11112222333344445 1"): "line 6: \"11112222333344445\" is no",
	} {
		if _, _, err := ReadStimulus(strings.NewReader(text), pair()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestUnfitStimulusIsRefused(t *testing.T) {
	for _, s := range []Stimulus{{Kind: "tame"}, Directed(make([]uint64, 7))} {
		if _, err := s.start(verify.ShapeOf(pair())); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
