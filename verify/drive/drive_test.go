package drive_test

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/drive"
)

// stage is a design with stream x, stream y and input bias: one register between them, which
// tells what y does in each cycle. Faults are the ways to get the handshake wrong.
func stage(fault string) *ir.Module {
	m := ir.New("stage_"+fault, "")
	valid, data := m.In("x_valid", ir.Bits(1), ""), m.In("x_data", ir.Vec(2, 8), "")
	take, bias := m.In("y_ready", ir.Bits(1), ""), m.In("bias", ir.Bits(8), "")
	full := m.Reg("full", ir.Bits(1), 0)
	held := m.DataReg("held", ir.Vec(2, 8))
	ready := full.Q.Not()
	fire := valid.And(ready)
	next := fire.Or(full.Q.And(take.Not()))
	keep := fire
	switch fault {
	case "drops": // the beat is gone after a cycle, taken or not
		next = fire
	case "changes": // the data move on while nobody takes them
		keep = m.K(1, 1)
	case "hangs": // never ready
		ready = m.K(1, 0)
		next = m.K(1, 0)
	case "repeats": // a taken beat comes again
		next = fire.Or(full.Q)
	}
	full.Set(next)
	held.SetEn(keep, data)
	m.Out("x_ready", ready, "")
	m.Out("y_valid", full.Q, "")
	m.Out("y_data", held.Q.Add(bias), "")
	return m
}

func engine(t *testing.T, m *ir.Module) verify.Engine {
	t.Helper()
	e, err := conform.NewReference(ir.NewDesign(m))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Power(3, nil); err != nil {
		t.Fatal(err)
	}
	return e
}

var beats = []drive.Beat{{{1, 2}}, {{3, 4}}, {{250, 255}}}

func TestBeatsArriveInOrderWithAndWithoutStalls(t *testing.T) {
	m := stage("")
	for _, stall := range []float64{0, 0.5, 0.9} {
		res, err := drive.Run(engine(t, m), m, []drive.Feed{{Name: "x", Beats: beats}}, []drive.Want{{Name: "y", Beats: 3}},
			drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(1)), Inputs: map[string]uint64{"bias": 10}})
		if err != nil {
			t.Fatal(err)
		}
		want := []drive.Beat{{{11, 12}}, {{13, 14}}, {{4, 9}}}
		if !reflect.DeepEqual(res.Out[0], want) {
			t.Errorf("stall %.1f: %v, want %v", stall, res.Out[0], want)
		}
		if stall == 0 && (res.Cycles != 6 || !reflect.DeepEqual(res.Taken[0], []int{0, 2, 4}) || !reflect.DeepEqual(res.Given[0], []int{1, 3, 5})) {
			t.Errorf("%d cycles, taken %v, given %v", res.Cycles, res.Taken, res.Given)
		}
	}
}

func TestBrokenHandshakesAreNamed(t *testing.T) {
	for fault, want := range map[string]string{
		"drops":   "withdrew",
		"changes": "changed",
		"hangs":   "nothing moved for 40 cycles; waiting for x to take 3 beats, y to give 3 of 3 beats",
		"repeats": "gives more than the 3 beats",
	} {
		m := stage(fault)
		var err error
		for seed := int64(0); seed < 10 && err == nil; seed++ {
			_, err = drive.Run(engine(t, m), m, []drive.Feed{{Name: "x", Beats: beats}}, []drive.Want{{Name: "y", Beats: 3}},
				drive.Options{Stall: 0.5, Rand: rand.New(rand.NewSource(seed)), MaxIdle: 40})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v should say %q", fault, err, want)
		}
	}
}

func TestStreamsThatDoNotFitTheDesignAreErrors(t *testing.T) {
	m := stage("")
	for want, feed := range map[string]drive.Feed{
		"no stream z":         {Name: "z"},
		"no stream y":         {Name: "y"},
		"has 1 fields":        {Name: "x", Beats: []drive.Beat{{{1, 2}, {3}}}},
		"field 0 has 2 eleme": {Name: "x", Beats: []drive.Beat{{{1}}}},
	} {
		_, err := drive.Run(engine(t, m), m, []drive.Feed{feed}, nil, drive.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v should say %q", err, want)
		}
	}
}

func TestWatchedOutputsAreNotedCycleByCycle(t *testing.T) {
	m := stage("")
	both := drive.Watch{Ports: []string{"y_valid", "y_data"}, Holds: func(v []uint64) bool { return v[0] == 1 && v[1] == 3 }}
	full := drive.Watch{Ports: []string{"y_valid"}, Holds: func(v []uint64) bool { return v[0] == 1 }}
	res, err := drive.Run(engine(t, m), m, []drive.Feed{{Name: "x", Beats: beats}}, []drive.Want{{Name: "y", Beats: 3}},
		drive.Options{Watch: []drive.Watch{full, both}})
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{1, 3, 5}, {3}}; !reflect.DeepEqual(res.Held, want) {
		t.Errorf("held in %v, want %v", res.Held, want)
	}
	_, err = drive.Run(engine(t, m), m, nil, nil, drive.Options{Watch: []drive.Watch{{Ports: []string{"z"}}}})
	if err == nil || !strings.Contains(err.Error(), "no output z") {
		t.Errorf("error %v", err)
	}
}

// A beat that waits inside is still there for a run that goes on, and gone after a reset.
func TestARunningDesignIsNotReset(t *testing.T) {
	m := stage("")
	for _, running := range []bool{true, false} {
		e := engine(t, m)
		if _, err := drive.Run(e, m, []drive.Feed{{Name: "x", Beats: beats[:1]}}, nil, drive.Options{}); err != nil {
			t.Fatal(err)
		}
		res, err := drive.Run(e, m, nil, []drive.Want{{Name: "y", Beats: 1}}, drive.Options{Running: running, MaxIdle: 50})
		if running && (err != nil || !reflect.DeepEqual(res.Out[0], beats[:1])) {
			t.Errorf("running: %v, %v", res, err)
		}
		if !running && (err == nil || !strings.Contains(err.Error(), "nothing moved")) {
			t.Errorf("after a reset: %v", err)
		}
	}
}

// What is given next may depend on what came out; a beat that is not taken keeps waiting.
func TestALiveDesignIsGivenBeatsAsItGoes(t *testing.T) {
	m := stage("")
	l, err := drive.NewLive(engine(t, m), m, []string{"x"}, []string{"y"})
	if err != nil {
		t.Fatal(err)
	}
	var got []drive.Beat
	if err := l.Push("x", beats[0]); err != nil {
		t.Fatal(err)
	}
	for len(got) < len(beats) && l.Cycle() < 50 {
		if _, err := l.Step(); err != nil {
			t.Fatal(err)
		}
		for _, b := range l.Take("y") {
			if l.Output("y_valid")[0] != 1 {
				t.Error("a beat came while y_valid was 0")
			}
			if got = append(got, b); len(got) < len(beats) {
				if err := l.Push("x", beats[len(got)]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	want := []drive.Beat{{{1, 2}}, {{3, 4}}, {{250, 255}}} // bias is 0
	if !reflect.DeepEqual(got, want) || l.Waiting("x") != 0 {
		t.Errorf("%v, want %v; %d wait", got, want, l.Waiting("x"))
	}
	if err := l.Push("x", drive.Beat{{1}}); err == nil {
		t.Error("a beat of another width is taken")
	}
	if _, err := drive.NewLive(engine(t, m), m, []string{"z"}, nil); err == nil {
		t.Error("stream z is bound")
	}
}
