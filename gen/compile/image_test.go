package compile_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"ohmloom/gen/lower"
	"ohmloom/hw/device"
	"ohmloom/ir"
)

// What is loaded is no part of the hardware: other seeds of devices and other programs need no other
// build, and registers HASH read the same; another shape is other hardware.
func TestSeedsAndProgramsAreNoPartOfTheHardware(t *testing.T) {
	hardware := func(change func(e *device.Effects)) (text string, hash uint64) {
		c := described(t, "testdata/odd.hcl", map[string]string{"variation": "0.1"})
		change(&c.PIM.Crossbar.Effects)
		c.Hash = strings.Repeat("0123", 16)
		tile, err := lower.Top(c)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := ir.Print(&b, tile.Design); err != nil {
			t.Fatal(err)
		}
		return b.String(), tile.Ports.Hash
	}
	text, hash := hardware(func(*device.Effects) {})
	if other, h := hardware(func(e *device.Effects) { e.Seed += 5 }); other != text || h != hash {
		t.Errorf("another seed is other hardware: hash %x, not %x", h, hash)
	}
	if other, h := hardware(func(e *device.Effects) { e.Separate = !e.Separate }); other == text || h == hash {
		t.Error("other converters are the same hardware")
	}
}

// The table in a memory image has its rows where the chip reads them, filled up with zeros; the image
// is read back as it was written, and none of its bytes may change.
func TestAMemoryImageHoldsRowsAsTheChipReadsThemAndIsChecked(t *testing.T) {
	m, _ := opened(t, "nano")
	for _, bus := range []string{"32", "512", "1024"} {
		p := compiled(t, described(t, examples+"nano.hcl", map[string]string{"bus": bus, "kv_port": "64"}), m)
		image := p.Memory()
		if top := p.Ports(); image.RowBytes != top.RowBytes() || image.CacheBytes != top.CacheBytes() || image.CacheBytes == 0 {
			t.Errorf("bus of %s bits: rows of %d bytes and a cache of %d, the chip has %d and %d", bus, image.RowBytes, image.CacheBytes, top.RowBytes(), top.CacheBytes())
		}
		for row := range m.Config.VocabSize {
			at := image.Data[image.Table+row*image.RowBytes:][:image.RowBytes]
			for i, b := range at {
				want := byte(0)
				if i < m.Config.DModel {
					want = byte(m.Embedding.Row(row)[i])
				}
				if b != want {
					t.Fatalf("bus of %s bits: byte %d of row %d is %d, want %d", bus, i, row, b, want)
				}
			}
		}
		for i, w := range p.Chip.Program {
			if got := binary.LittleEndian.Uint32(image.Data[image.Program+4*i:]); got != w {
				t.Fatalf("word %d of the program is %#x, want %#x", i, got, w)
			}
		}
		again, err := p.ReadMemory("m.img", image.Data)
		if err != nil || again.Check != image.Check || again.Table != image.Table || again.Program != image.Program {
			t.Fatalf("read back: %+v, %v", again, err)
		}
		for at := 0; at < len(image.Data); at += 1 + at/16 {
			changed := bytes.Clone(image.Data)
			changed[at] ^= 0x10
			if _, err := p.ReadMemory("m.img", changed); err == nil || !strings.HasPrefix(err.Error(), "m.img: ") {
				t.Fatalf("byte %d changed: error %v", at, err)
			}
		}
		for _, n := range []int{0, 7, 127, len(image.Data) - 1} {
			if _, err := p.ReadMemory("m.img", image.Data[:n]); err == nil {
				t.Errorf("an image of %d bytes is taken", n)
			}
		}
	}
	nano := compiled(t, described(t, examples+"nano.hcl", nil), m)
	if _, err := nano.ReadMemory("m.img", compiled(t, described(t, examples+"nano.hcl", map[string]string{"bus": "32"}), m).Memory().Data); err == nil || !strings.Contains(err.Error(), "made for hardware") {
		t.Errorf("an image for another bus gives %v", err)
	}
}
