package hw_test

import (
	"errors"
	"math/rand"
	"testing"

	"ohmloom/hw/regs"
	"ohmloom/verify/axi"
)

// Each register reads what was written to it, byte by byte, and nothing else changes; registers
// that can not be written or read, and all that is between registers, answer with SLVERR.
func TestRegistersDoWhatTheTableSays(t *testing.T) {
	for seed := int64(0); seed < 4; seed++ {
		bench, lite := hostBench(t, seed, 0.5)
		r := rand.New(rand.NewSource(seed))
		value := map[uint32]uint32{}
		at := map[uint32]regs.Register{}
		for _, reg := range regs.Map {
			for i := range max(reg.Count, 1) {
				if reg.Count == 0 || i < 3 {
					at[reg.Offset+4*uint32(i)] = reg
					value[reg.Offset+4*uint32(i)] = reg.Reset
				}
			}
		}
		for range 300 {
			offset := 4 * uint32(r.Intn(100))
			if r.Intn(8) == 0 {
				offset = uint32(r.Intn(regs.Window)) &^ 3
			}
			reg, known := at[offset]
			if reg.Access == regs.WriteOnly && known {
				continue // those have tests of their own
			}
			data, strobes, n := r.Uint32(), uint(r.Intn(16)), len(lite.Responses)
			lite.QueueWrite(offset, data, strobes)
			if err := bench.Until(200, "an answer", func() bool { return len(lite.Responses) > n }); err != nil {
				t.Fatal(err)
			}
			writable := known && reg.Access.Writable()
			if ok := lite.Responses[n] == axi.Okay; ok != writable {
				t.Fatalf("seed %d: write of %#x: response %d", seed, offset, lite.Responses[n])
			}
			if writable && reg.Access == regs.ReadWrite {
				for i := range 4 {
					if mask := reg.Mask() & (0xff << (8 * i)); strobes>>i&1 == 1 {
						value[offset] = value[offset]&^mask | data&mask
					}
				}
			}
			v, err := lite.Read32(offset)
			var refused *axi.Error
			if known != (err == nil) || err != nil && !errors.As(err, &refused) {
				t.Fatalf("seed %d: read of %#x: %v", seed, offset, err)
			}
			if reg.Access == regs.ReadWrite && v != value[offset] {
				t.Fatalf("seed %d: %s reads %#x, want %#x", seed, reg.Name, v, value[offset])
			}
		}
	}
}

// Interrupts occur, enabled or not, reach irq only when enabled, and go away when a 1 is written.
func TestInterruptsAreKeptUntilTheyAreCleared(t *testing.T) {
	bench, lite := hostBench(t, 1, 0.2)
	offset := func(name string) uint32 { return regs.At(name).Offset }
	write := func(name string, v uint32) { t.Helper(); must(t, lite.Write32(offset(name), v)) }
	done := func(code uint64) {
		t.Helper()
		bench.Set("done_valid", 1)
		bench.Set("done_code", code)
		bench.Set("done_address", 77)
		must(t, bench.Step())
		bench.Set("done_valid", 0)
		must(t, bench.Step())
		must(t, bench.Step())
	}
	write("CONTROL", 1)
	done(0)
	if bench.One("irq") != 0 || get[uint32](t)(lite.Read32(offset("IRQ_STATUS"))) != 2 {
		t.Error("a run that ends sets IRQ_STATUS.done and not irq")
	}
	write("IRQ_ENABLE", 2)
	must(t, bench.Step())
	if bench.One("irq") != 1 {
		t.Error("irq is 0 with done enabled")
	}
	write("IRQ_STATUS", 4)
	must(t, bench.Step())
	if bench.One("irq") != 1 {
		t.Error("clearing another interrupt cleared done")
	}
	write("IRQ_STATUS", 2)
	must(t, bench.Step())
	if bench.One("irq") != 0 {
		t.Error("irq is 1 after done was cleared")
	}
	write("CONTROL", 1)
	done(3)
	if v := get[uint32](t)(lite.Read32(offset("ERROR"))); v != 77<<8|3 {
		t.Errorf("ERROR reads %#x", v)
	}
	done(5)
	if v := get[uint32](t)(lite.Read32(offset("ERROR"))); v != 77<<8|3 {
		t.Errorf("ERROR reads %#x after a second error", v)
	}
	if v := get[uint32](t)(lite.Read32(offset("IRQ_STATUS"))); v != 6 {
		t.Errorf("IRQ_STATUS reads %#x", v)
	}
}

// The buffer of the prompt refuses what it has no room for, and says how much it has.
func TestThePromptBufferRefusesWhatDoesNotFit(t *testing.T) {
	_, lite := hostBench(t, 2, 0.3)
	prompt := regs.At("PROMPT").Offset
	for i := range 4 {
		if v := get[uint32](t)(lite.Read32(regs.At("PROMPT_SPACE").Offset)); v != uint32(4-i) {
			t.Errorf("room for %d after %d tokens", v, i)
		}
		must(t, lite.Write32(prompt, uint32(i)))
	}
	var refused *axi.Error
	if err := lite.Write32(prompt, 4); !errors.As(err, &refused) {
		t.Errorf("a fifth token gives %v", err)
	}
	must(t, lite.Write32(regs.At("CONTROL").Offset, 4))
	must(t, lite.Bench.Until(20, "an empty buffer", func() bool {
		return get[uint32](t)(lite.Read32(regs.At("PROMPT_SPACE").Offset)) == 4
	}))
}
