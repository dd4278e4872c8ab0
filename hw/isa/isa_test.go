package isa_test

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"

	"ohmloom/hw/isa"
)

func random(r *rand.Rand) isa.Word {
	k := isa.Set[r.Intn(len(isa.Set))]
	w := isa.Word{Kind: k}
	for _, f := range k.Fields {
		w.Values = append(w.Values, f.Bias+r.Intn(1<<f.W))
	}
	return w
}

func TestFieldsOfAnInstructionDoNotOverlap(t *testing.T) {
	for i, k := range isa.Set {
		if k.Op != i+1 {
			t.Errorf("%s has opcode %d at index %d", k.Name, k.Op, i)
		}
		used := uint32(15) << 28
		for _, f := range k.Fields {
			mask := uint32(1<<f.W-1) << f.Lo
			if used&mask != 0 {
				t.Errorf("%s: field %s overlaps another", k.Name, f.Name)
			}
			used |= mask
		}
		if used != k.Used() {
			t.Errorf("%s: uses %08x, says %08x", k.Name, used, k.Used())
		}
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	legal := 0
	for range 20000 {
		w := random(r)
		code, err := w.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := isa.Decode(code); err != nil || back.String() != w.String() {
			t.Fatalf("%v: %08x is read as %v, %v", w, code, back, err)
		}
		any := r.Uint32() &^ (r.Uint32() & r.Uint32())
		if back, err := isa.Decode(any); err == nil {
			legal++
			if code, err := back.Encode(); err != nil || code != any {
				t.Fatalf("%08x is read as %v, which is %08x, %v", any, back, code, err)
			}
		}
	}
	if legal == 0 || legal == 20000 {
		t.Errorf("%d of 20000 random words are instructions", legal)
	}
}

func TestListingAssemblesToTheSameProgram(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	p := &isa.Program{Labels: map[int]string{0: "start", 7: "again"}}
	for range 500 {
		p.Words = append(p.Words, random(r))
	}
	var text strings.Builder
	for _, line := range strings.Split(p.Listing(), "\n") {
		if line != "" {
			text.WriteString(line[len("000 00000000"):] + "\n")
		}
	}
	back, err := isa.Assemble("listing", text.String())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Codes(), p.Codes()) || !reflect.DeepEqual(back.Labels, p.Labels) {
		t.Fatal("another program")
	}
	dis, err := isa.Disassemble(p.Codes())
	if err != nil || !reflect.DeepEqual(dis.Codes(), p.Codes()) {
		t.Fatalf("disassembled otherwise: %v", err)
	}
}

func TestMistakesInAProgramAreSaidWithTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"norm dst=32":              `f.s:1:6: dst is 32, allowed are 0 to 31`,
		"\n  mvm count=0":          `f.s:2:7: count is 0, allowed are 1 to 4`,
		"x: halt\nx: halt":         `f.s:2:1: label "x" stands here for the second time`,
		"nrom":                     `f.s:1:1: there is no instruction "nrom"; there are halt, embed`,
		"norm src=1":               `f.s:1:6: norm has no field "src"; write name=value with dst`,
		"halt now":                 `f.s:1:6: halt has no field "now"; write name=value with no field`,
		"loop times=1 target=away": `f.s:1:14: target is "away", which is not a number or a label of this file`,
		"norm dst=x":               `f.s:1:6: dst is "x", which is not a number`,
		"norm dst=1 dst=2":         `f.s:1:12: field dst is given twice`,
		"a b: halt":                `f.s:1:1: "a b" is not a label`,
	} {
		if _, err := isa.Assemble("f.s", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v should say %q", text, err, want)
		}
	}
	if _, err := isa.Disassemble([]uint32{1 << 28, 0}); err == nil || !strings.Contains(err.Error(), "address 1: 00000000: there is no opcode 0") {
		t.Errorf("error %v", err)
	}
	if _, err := isa.Disassemble([]uint32{1<<28 | 1<<5}); err == nil || !strings.Contains(err.Error(), "halt does not use bit 5") {
		t.Errorf("error %v", err)
	}
}

func TestThePageNamesEveryInstructionAndField(t *testing.T) {
	page := isa.Markdown()
	for _, k := range isa.Set {
		if !strings.Contains(page, "| `"+k.Name+"` |") {
			t.Errorf("no %s", k.Name)
		}
		for _, f := range k.Fields {
			if !strings.Contains(page, "| "+f.Name+" | ") {
				t.Errorf("no field %s", f.Name)
			}
		}
	}
}
