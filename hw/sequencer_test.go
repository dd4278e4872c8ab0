package hw_test

import (
	"math/rand"
	"testing"

	"ohmloom/hw"
	"ohmloom/hw/isa"
	"ohmloom/verify/drive"
)

// runProgram runs a program of text once and gives its end: code and address.
func runProgram(t *testing.T, text string, program []hw.Beat, prompt []hw.Beat, limit uint64, want map[string]int) (code, address, cycles int) {
	t.Helper()
	p, err := isa.Assemble("test", text)
	if err != nil {
		t.Fatal(err)
	}
	b := hw.Sequencer{Words: 24, Banks: 2, Buffers: 6, Ops: 9, Slots: 2, Program: p.Codes()}
	m, e := start(t, b, 4, engines[0])
	cmd := hw.Beat{{0}, {1}, {limit}, {1}, {0}, {0}, {0}, {0}}
	feeds := []drive.Feed{{Name: "program", Beats: program}, {Name: "prompt", Beats: prompt}}
	if len(program) == 0 {
		feeds = append(feeds, drive.Feed{Name: "cmd", Beats: []hw.Beat{cmd}})
	}
	wants := []drive.Want{{Name: "done", Beats: 1}}
	_, out := b.Streams()
	for _, s := range out {
		if want[s.Name] > 0 {
			wants = append(wants, drive.Want{Name: s.Name, Beats: want[s.Name]})
		}
	}
	if len(program) > 0 { // a run before the program is there would be another
		if _, err := drive.Run(e, m, feeds[:1], nil, drive.Options{}); err != nil {
			t.Fatal(err)
		}
		feeds = []drive.Feed{{Name: "cmd", Beats: []hw.Beat{cmd}}, feeds[1]}
	}
	res, err := drive.Run(e, m, feeds, wants, drive.Options{MaxIdle: 500, Rand: rand.New(rand.NewSource(8))})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return int(res.Out[0][0][0][0]), int(res.Out[0][0][1][0]), res.Cycles
}

func TestBadProgramsEndWithACode(t *testing.T) {
	token := []hw.Beat{{{7}, {1}}}
	for _, c := range []struct {
		text          string
		code, address int
	}{
		{"loop times=1 target=5", hw.BadWord, 1}, // nothing follows
		{"loop times=2 target=4095", hw.BadAddress, 4095},
		{"norm dst=5\nnorm dst=6", hw.BadOperand, 1},
		{"norm dst=0\nmvm bank=2 src=0 dst=1", hw.BadOperand, 1},
		{"norm dst=0\nmvm op=8 src=0 dst=1\nl: mvm op=8 layer=1 src=0 dst=1\nloop times=2 target=l", hw.BadOperand, 2},
		{"norm dst=0\nmvm src=0 dst=4 count=3", hw.BadOperand, 1},
		{"norm dst=2\nmvm src=2 dst=1 count=2", hw.BadOperand, 1},
		{"norm dst=1\nnorm dst=2\nattend store=1 src=0 dst=1\nattend src=0 dst=4", hw.EmptyBuffer, 3},
		{"embed rows=8\nembed rows=8", hw.NoToken, 1},
		{"embed rows=7", hw.BadToken, 0},
		{"norm dst=0 slot=2", hw.BadOperand, 0},
		{"gather tokens=4 target=0", hw.BadOperand, 0},
	} {
		var prompt []hw.Beat
		want := map[string]int{}
		if c.code == hw.NoToken || c.code == hw.BadToken {
			prompt = token
		}
		p, err := isa.Assemble("test", c.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []struct {
			stream string
			ops    []int
		}{
			{"fetch", []int{isa.Embed}}, {"vector", []int{isa.Norm}}, {"attend", []int{isa.Attend}}, {"bank0", []int{isa.Project}},
			{"move", []int{isa.Norm, isa.Project, isa.Attend}},
		} {
			for i := range min(c.address, len(p.Words)) {
				for _, op := range out.ops {
					if p.Words[i].Kind.Op == op {
						want[out.stream]++
					}
				}
			}
		}
		if c.address == 2 { // the mvm of layer 0 goes through, then that of layer 1 does not
			want["bank0"]++
			want["move"]++
		}
		code, address, _ := runProgram(t, c.text, nil, prompt, 0, want)
		if code != c.code || address != c.address {
			t.Errorf("%q: ends with %d (%s) at %d, want %d at %d", c.text, code, hw.ErrorCodes[code], address, c.code, c.address)
		}
	}
}

func TestTheWatchdogEndsWhatDoesNot(t *testing.T) {
	for _, text := range []string{
		"emit target=0",                // no token was drawn
		"l: loop times=60000 target=l", // goes round and round
		"embed rows=9\nl: more target=l\nx: loop times=2 target=x\nloop times=65535 target=l",
	} {
		want, prompt := map[string]int{}, []hw.Beat(nil)
		if text[:2] == "em" && text[2] == 'b' {
			want["fetch"], prompt = 1, []hw.Beat{{{7}, {0}}}
		}
		code, _, cycles := runProgram(t, text, nil, prompt, 100, want)
		if code != hw.TimedOut || cycles < 100 || cycles > 110 {
			t.Errorf("%q: ends with %d (%s) after %d cycles", text, code, hw.ErrorCodes[code], cycles)
		}
	}
}

func TestAProgramThatIsWrittenRuns(t *testing.T) {
	p, err := isa.Assemble("test", "norm dst=3\nloop times=2 target=0\nhalt")
	if err != nil {
		t.Fatal(err)
	}
	var program []hw.Beat
	for i, code := range p.Codes() {
		program = append(program, hw.Beat{{uint64(i)}, {uint64(code)}})
	}
	if code, address, _ := runProgram(t, "", program, nil, 0, map[string]int{"vector": 2, "move": 2}); code != hw.RunEnded || address != 2 {
		t.Errorf("ends with %d at %d", code, address)
	}
}
