package registers_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/gen/registers"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/hw/regs"
)

var update = flag.Bool("update", false, "write driver/driver.go anew")

// The driver that the tests of the chip use is the one that a build gives.
func TestTheDriverInThisRepositoryIsTheOneThatIsGenerated(t *testing.T) {
	const file = "driver/driver.go"
	got, err := registers.Driver("driver")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the register table makes; run go test ./gen/registers -update", file)
	}
}

func TestTheMapIsInOrderAndItsFieldsDoNotOverlap(t *testing.T) {
	next := uint32(0)
	names := map[string]bool{}
	for _, r := range regs.Map {
		if r.Offset%4 != 0 || r.Offset < next {
			t.Errorf("%s is at %#x, the one before ends at %#x", r.Name, r.Offset, next)
		}
		next = r.Offset + 4*uint32(max(r.Count, 1))
		if names[r.Name] || r.Doc == "" || len(r.Fields) == 0 {
			t.Errorf("%s: a name twice, no documentation or no fields", r.Name)
		}
		names[r.Name] = true
		at := 0
		for _, f := range r.Fields {
			if f.Lo < at || f.W < 1 || f.Lo+f.W > 32 || f.Doc == "" {
				t.Errorf("%s.%s: bits %d to %d, or no documentation", r.Name, f.Name, f.Lo, f.Lo+f.W-1)
			}
			at = f.Lo + f.W
		}
		if r.Reset&^r.Mask() != 0 {
			t.Errorf("%s is reset to %#x, with bits in no field", r.Name, r.Reset)
		}
	}
	if next > regs.Window {
		t.Errorf("the map ends at %#x, the window at %#x", next, regs.Window)
	}
}

// The codes of the sequencer are its own, said once more for software.
func TestErrorCodesAreThoseOfTheSequencer(t *testing.T) {
	for i, doc := range hw.ErrorCodes {
		c := regs.Codes[i]
		if c.Value != i || i > 0 && i < hw.TimedOut && c.Doc != doc {
			t.Errorf("code %d is %d, %q; the sequencer's says %q", i, c.Value, c.Doc, doc)
		}
	}
}

func TestThePageNamesEveryRegisterAndField(t *testing.T) {
	page := registers.Page()
	for _, r := range regs.Map {
		at := strings.Index(page, "\n## "+r.Name+"\n")
		if at < 0 {
			t.Fatalf("no section for %s", r.Name)
		}
		section, _, _ := strings.Cut(page[at+4:], "\n## ")
		for _, f := range r.Fields {
			if !strings.Contains(section, "`"+f.Name+"` | "+f.Doc) {
				t.Errorf("%s: nothing on %s", r.Name, f.Name)
			}
		}
	}
}

// A C compiler takes the header, and computes with it what the table says.
func TestTheHeaderIsC(t *testing.T) {
	tools.NeedForTest(t, "g++")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "registers.h"), []byte(registers.Header()), 0o644); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(dir, "main.cc")
	const program = `#include "registers.h"
#include <stdio.h>
int main(void) {
    uint32_t window[OHMLOOM_WINDOW / 4] = {0};
    uint32_t word = OHMLOOM_PUT(7, OHMLOOM_SAMPLER_IT16) | OHMLOOM_PUT(255, OHMLOOM_SAMPLER_M) | OHMLOOM_PUT(31, OHMLOOM_SAMPLER_S);
    ohmloom_write(window, OHMLOOM_SAMPLER_OFFSET, word);
    word = ohmloom_read(window, OHMLOOM_SAMPLER_OFFSET);
    printf("%x %u %x %x", (unsigned)word, (unsigned)OHMLOOM_GET(word, OHMLOOM_SAMPLER_S), (unsigned)OHMLOOM_CYCLES_BANK_OFFSET(3), (unsigned)window[OHMLOOM_SAMPLER_OFFSET / 4]);
    return 0;
}
`
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("g++", "-x", "c", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", dir+"/main", source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(dir + "/main").Output()
	if want := "1fff07 31 14c 1fff07"; err != nil || string(out) != want {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
}
