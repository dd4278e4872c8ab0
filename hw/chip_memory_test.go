package hw_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/gen/registers/driver"
	"ohmloom/hw"
	"ohmloom/hw/isa"
	"ohmloom/verify/axi"
)

// load has the chip load words from memory, and waits until it has.
func (s *soc) load(t *testing.T, words []uint32, n, check uint32) driver.Error {
	t.Helper()
	for i, w := range words {
		binary.LittleEndian.PutUint32(s.mem.Data[int(s.programBase()-tableBase)+4*i:], w)
	}
	must(t, s.chip.WriteProgramLow(s.programBase()))
	must(t, s.chip.WriteProgramHigh(0))
	must(t, s.chip.WriteProgramWords(n))
	must(t, s.chip.WriteProgramCheck(check))
	must(t, s.chip.WriteProgramAddress(0))
	must(t, s.chip.WriteControl(driver.Control{Load: true}))
	must(t, s.Until(5000, "the program", func() bool { return !s.status(t).Loading }))
	return get[driver.Error](t)(s.chip.ReadError())
}

func checkOf(words []uint32) uint32 {
	var text []byte
	for _, w := range words {
		text = binary.LittleEndian.AppendUint32(text, w)
	}
	return crc32.ChecksumIEEE(text)
}

// A chip that powers up without a program loads one over its memory port, and writes with it.
func TestAProgramComesFromMemory(t *testing.T) {
	m, g := open(t, "nano")
	for i, bus := range []hw.AxiBursts{{Bytes: 8, Address: 40, Burst: 16, Outstanding: 4}, {Bytes: 64, Address: 33, Burst: 1, Outstanding: 1}} {
		b := topOf(t, m)
		words := b.Chip.Program
		b.Chip.Program, b.Bus = nil, bus
		s := socOf(t, m, b, 81+int64(i), 0.3, engines[0])
		s.setUp(t, m, g.Greedy, 1)
		must(t, s.chip.WriteIRQEnable(driver.IRQEnable{Loaded: true}))
		if e := s.load(t, words, uint32(len(words)), checkOf(words)); e.Code != driver.CodeNone || s.One("irq") != 1 {
			t.Fatalf("loading gives %s, irq %d", e.Code, s.One("irq"))
		}
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		if got := s.write(t, prompt1, 1); got[0] != continued(m, topOf(t, m).Chip) {
			t.Errorf("writes %v, want %v", got, continued(m, topOf(t, m).Chip))
		}
	}
}

// What is wrong with a program that is loaded ends in a code: its length, a changed bit, a memory that
// does not have it; and while one is loaded neither a run nor another load begins.
func TestABadProgramInMemoryEndsWithItsCode(t *testing.T) {
	m, g := open(t, "nano")
	s := socOf(t, m, topOf(t, m), 91, 0.2, engines[0])
	p, err := isa.Assemble("test", "norm dst=0\nnorm dst=1\nhalt")
	must(t, err)
	words := p.Codes()
	changed := slices.Clone(words)
	changed[2] ^= 1 << 31
	for _, c := range []struct {
		name   string
		words  []uint32
		n      uint32
		code   driver.Code
		client uint32
		wrong  func(bool, uint64) int
	}{
		{"none", words, 0, driver.CodeProgramLength, 0, nil},
		{"beyond the program memory", words, 65, driver.CodeProgramLength, 0, nil},
		{"of 2^32-1 words", words, 1<<32 - 1, driver.CodeProgramLength, 0, nil},
		{"changed", changed, 3, driver.CodeProgramCheck, 0, nil},
		{"cut short", words, 2, driver.CodeProgramCheck, 0, nil},
		{"refused", words, 3, driver.CodeBusSlaveError, 1, func(bool, uint64) int { return axi.SlaveError }},
	} {
		s.setUp(t, m, g.Greedy, 1)
		s.mem.Respond = c.wrong
		if e := s.load(t, c.words, c.n, checkOf(words)); e.Code != c.code || e.Client != c.client || !s.status(t).Error {
			t.Errorf("%s: %+v, want %s of client %d", c.name, e, c.code, c.client)
		}
		var refused *axi.Error
		if err := s.chip.WriteControl(driver.Control{Start: true}); !errors.As(err, &refused) {
			t.Errorf("%s: a start after it gives %v, want SLVERR", c.name, err)
		}
		s.mem.Respond = nil
		s.softReset(t)
	}
	must(t, s.chip.WriteBusLimit(100))
	s.mem.Silent = true
	if e := s.load(t, words, 3, checkOf(words)); e.Code != driver.CodeBusTimedOut || e.Client != 1 {
		t.Errorf("a memory that is silent gives %s of client %d", e.Code, e.Client)
	}
	s.softReset(t)
	s.mem.Silent, s.mem.Latency, s.mem.Fixed = false, 200, true
	must(t, s.chip.WriteProgramLow(s.programBase()))
	must(t, s.chip.WriteProgramWords(3))
	must(t, s.chip.WriteControl(driver.Control{Load: true}))
	for _, c := range []driver.Control{{Start: true}, {Load: true}, {Start: true, Load: true}} {
		var refused *axi.Error
		if err := s.chip.WriteControl(c); !errors.As(err, &refused) || !s.status(t).Loading {
			t.Errorf("%+v while a program is loaded gives %v, want SLVERR", c, err)
		}
	}
	var refused *axi.Error
	if err := s.chip.WriteProgramWord(0); !errors.As(err, &refused) {
		t.Errorf("a word while a program is loaded gives %v, want SLVERR", err)
	}
}

// external is a chip whose keys and values are in memory, behind a port of so many columns.
func external(t *testing.T, m *model.Model, rows, cols, port int, bus hw.AxiBursts) hw.ChipTop {
	b := topOf(t, m)
	spread := spreadFor(m, rows, cols, 1)
	spread.Port = port
	b.Chip.Attention, b.Bus = spread, bus
	return b
}

// Keys and values in memory, whatever the widths of port and bus, give the same text; with and
// without latency and back-pressure, and both ports keep to the protocol.
func TestKeysAndValuesInMemoryGiveTheSameText(t *testing.T) {
	m, g := open(t, "nano")
	for i, c := range []struct {
		rows, cols, port int
		bus              hw.AxiBursts
		stall            float64
		engines          int
	}{
		{8, 8, 8, hw.AxiBursts{Bytes: 64, Address: 40, Burst: 16, Outstanding: 4}, 0, 1},
		{8, 8, 2, hw.AxiBursts{Bytes: 4, Address: 31, Burst: 3, Outstanding: 2}, 0.3, 1},
		{5, 7, 7, hw.AxiBursts{Bytes: 16, Address: 64, Burst: 256, Outstanding: 16}, 0.2, 1},
		{4, 4, 1, hw.AxiBursts{Bytes: 128, Address: 40, Burst: 4, Outstanding: 1}, 0.1, 1},
		{8, 8, 4, hw.AxiBursts{Bytes: 16, Address: 40, Burst: 16, Outstanding: 4}, 0.2, 2},
	} {
		b := external(t, m, c.rows, c.cols, c.port, c.bus)
		if c.engines > 1 {
			side, err := hw.NewSpreadSide(c.engines, b.Chip.Attention.(hw.Spread))
			must(t, err)
			b.Chip.Attention = side
		}
		s := socOf(t, m, b, 101+int64(i), c.stall, engines[0])
		s.setUp(t, m, g.Greedy, 2)
		if n := get[uint32](t)(s.chip.ReadCacheBytesLow()); int(n) != b.CacheBytes() || n == 0 {
			t.Errorf("CACHE_BYTES reads %d, want %d", n, b.CacheBytes())
		}
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		prompt, n := g.PromptTokens[:3], 2
		want := b.Chip.Arithmetic(chipInputs(m, b.Chip, prompt, n))[0]
		for k, got := range s.write(t, prompt, n) {
			if got != int(want[k][0][0]) {
				t.Errorf("%+v: token %d is %d, want %d", c, k, got, want[k][0][0])
			}
		}
		if s.mem.Writes == 0 {
			t.Errorf("%+v: nothing was written into memory", c)
		}
	}
}

// chipInputs is all that a chip needs to write n tokens greedily.
func chipInputs(m *model.Model, b hw.Chip, prompt []int, n int) [][]hw.Beat {
	var tokens []int
	for k := range n {
		feeds, _, _ := chipRun(m, b, prompt, model.GoldenText{Tokens: append(slices.Clone(tokens), 0)}, k+1)
		in := [][]hw.Beat{feeds[0].Beats, feeds[1].Beats, nil, feeds[2].Beats}
		if k == n-1 {
			return in
		}
		tokens = append(tokens, int(b.Arithmetic(in)[0][k][0][0]))
	}
	return nil
}

// An error on any access ends the run with its code, and says whose access it was; so does a memory
// that falls silent. After a reset the chip works again.
func TestErrorsOfTheMemorySayWhoseTheyAre(t *testing.T) {
	m, g := open(t, "nano")
	s := socOf(t, m, external(t, m, 8, 8, 8, hw.AxiBursts{Bytes: 16, Address: 40, Burst: 16, Outstanding: 4}), 111, 0.2, engines[0])
	inCache := func(addr uint64) bool { return addr >= uint64(s.cacheBase()) }
	for _, c := range []struct {
		name   string
		code   driver.Code
		client uint32
		wrong  func()
	}{
		{"rows", driver.CodeBusDecodeError, 0, func() {
			s.mem.Respond = func(_ bool, addr uint64) int { return map[bool]int{false: axi.DecodeError}[inCache(addr)] }
		}},
		{"reads", driver.CodeBusSlaveError, 2, func() {
			s.mem.Respond = func(write bool, addr uint64) int { return map[bool]int{true: axi.SlaveError}[!write && inCache(addr)] }
		}},
		{"early RLAST", driver.CodeBusLastEarly, 2, func() {
			s.mem.Last = func(addr uint64, last bool) bool { return last || inCache(addr) }
			s.port.AnyLast = true
		}},
		{"writes", driver.CodeBusSlaveError, 3, func() {
			s.mem.Respond = func(write bool, addr uint64) int { return map[bool]int{true: axi.SlaveError}[write] }
		}},
		{"silence after a write", driver.CodeBusTimedOut, 3, func() {
			must(t, s.Until(3000, "a write", func() bool { return s.One("m_axi_awvalid") == 1 }))
			s.mem.Silent = true
		}},
		{"silence after a read", driver.CodeBusTimedOut, 2, func() {
			reads := func() bool { return s.One("m_axi_arvalid") == 1 && inCache(s.One("m_axi_araddr")) }
			must(t, s.Until(3000, "a read of keys, all writes being answered", func() bool { return reads() && s.mem.Idle() }))
			s.mem.Silent = true
		}},
	} {
		s.mem.Respond, s.mem.Last, s.mem.Silent, s.port.AnyLast = nil, nil, false, false
		s.setUp(t, m, g.Greedy, 1)
		must(t, s.chip.WriteBusLimit(300))
		must(t, s.chip.WriteIRQEnable(driver.IRQEnable{Error: true}))
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		late := strings.HasPrefix(c.name, "silence")
		if !late {
			c.wrong()
		}
		must(t, s.chip.WritePrompt(driver.Prompt{Token: 1, Last: true}))
		if late {
			c.wrong()
		}
		must(t, s.Until(5000, "the interrupt of "+c.name, func() bool { return s.One("irq") == 1 }))
		if e := s.ended(t); e.Code != c.code || e.Client != c.client {
			t.Errorf("%s: %s of client %d, want %s of %d", c.name, e.Code, e.Client, c.code, c.client)
		}
		s.softReset(t)
	}
	s.mem.Silent = false
	s.setUp(t, m, g.Greedy, 1)
	must(t, s.chip.WriteControl(driver.Control{Start: true}))
	if got := s.write(t, prompt1, 1); got[0] != continued(m, s.of) {
		t.Errorf("after errors the chip writes %v, want %v", got, continued(m, s.of))
	}
}

// A run takes as long as the chip's formula says of the memory that it sees behind its ports: the
// register that counts the cycles of a run is held against it.
func TestARunThroughThePortsTakesAsLongAsTheFormulaSays(t *testing.T) {
	m, g := open(t, "nano")
	for k, chip := range nanoChips(t, m) {
		chip.HeadLanes = []int{16, 4}[k]
		b := topOf(t, m)
		b.Chip, b.Bus = chip, hw.AxiBursts{Bytes: 16, Address: 40, Burst: 16, Outstanding: 8}
		for _, memory := range []int{0, 7, 30} {
			s := socOf(t, m, b, 121, 0, engines[0])
			s.mem.Latency, s.mem.Fixed = memory, true
			s.setUp(t, m, g.Greedy, 2)
			prompt := g.PromptTokens[:2]
			for i, p := range prompt {
				must(t, s.chip.WritePrompt(driver.Prompt{Token: uint32(p), Last: i == len(prompt)-1}))
			}
			must(t, s.chip.WriteControl(driver.Control{Start: true}))
			s.ended(t)
			latency, known := b.Latency(memory)
			want := b.Chip.CyclesBehind(latency, chipInputs(m, b.Chip, prompt, 2))
			if n := get[uint32](t)(s.chip.ReadCycles()); int(n) != want || !known {
				t.Errorf("%s, latency %d: %d cycles, the formula says %d", b.Name(), memory, n, want)
			}
		}
	}
}
