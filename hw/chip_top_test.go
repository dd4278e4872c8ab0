package hw_test

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/gen/registers/driver"
	"ohmloom/hw"
	"ohmloom/hw/isa"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/axi"
)

// soc is a chip with a memory, a host, and a monitor at both ports.
type soc struct {
	*axi.Bench
	chip driver.Device // over host
	host *axi.Lite
	mem  *axi.Memory
	port *axi.Monitor // of the memory

	of      hw.Chip
	top     hw.ChipTop
	repower func(seed uint64) error
}

// Where things are in memory: the table, behind it a program, and keys and values.
const tableBase = 0x40001000

func (s *soc) programBase() uint32 { return uint32(tableBase + s.of.Vocab*s.top.RowBytes()) }

func (s *soc) cacheBase() uint32 {
	return s.programBase() + uint32((4*s.of.Words+s.top.Bus.Bytes-1)/s.top.Bus.Bytes*s.top.Bus.Bytes)
}

// socOf builds a chip and what stands round it; the memory holds the model's embedding table.
func socOf(t *testing.T, m *model.Model, b hw.ChipTop, seed int64, stall float64, engine func(*ir.Design) (verify.Engine, error)) *soc {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	top := b.Build(hw.NewLib(nil))
	d := ir.NewDesign(top)
	ir.MustCheck(d)
	e, err := engine(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Power(uint64(seed), b.Image(top.Name)); err != nil {
		t.Fatal(err)
	}
	random := func(i int64) *rand.Rand { return rand.New(rand.NewSource(seed + i)) }
	s := &soc{of: b.Chip, top: b, port: &axi.Monitor{Prefix: "m_axi_", Outstanding: b.Bus.Outstanding}}
	s.host = &axi.Lite{Prefix: "s_axi_", Rand: random(1), Stall: stall}
	s.mem = &axi.Memory{Prefix: "m_axi_", Rand: random(2), Stall: stall, Base: tableBase, Latency: int(50 * stall)}
	s.mem.Data = make([]byte, int(s.cacheBase()-tableBase)+b.CacheBytes())
	random(3).Read(s.mem.Data)
	for v := range m.Config.VocabSize {
		for i, e := range m.Embedding.Row(v) {
			s.mem.Data[v*b.RowBytes()+i] = byte(e)
		}
	}
	s.Bench = axi.NewBench(e, top, s.host, s.mem, s.port, &axi.Monitor{Prefix: "s_axi_"})
	s.host.Bench, s.chip = s.Bench, driver.Device{Bus: s.host}
	s.repower = func(seed uint64) error { return e.Power(seed, b.Image(top.Name)) }
	return s
}

// topOf is the first of nano's chips behind ports.
func topOf(t *testing.T, m *model.Model) hw.ChipTop {
	return hw.ChipTop{Chip: nanoChips(t, m)[0], Bus: hw.AxiBursts{Bytes: 8, Address: 40, Burst: 16, Outstanding: 4}, Prompt: 8, Token: 4, Hash: 0x123456789abcdef}
}

// setUp writes what a run needs to know.
func (s *soc) setUp(t *testing.T, m *model.Model, text model.GoldenText, n int) {
	t.Helper()
	must(t, s.chip.Check())
	must(t, s.chip.WriteTableLow(tableBase))
	must(t, s.chip.WriteTableHigh(0))
	must(t, s.chip.WriteCacheLow(s.cacheBase()))
	must(t, s.chip.WriteBudget(uint32(n)))
	must(t, s.chip.WriteSampler(driver.Sampler{It16: uint32(text.IT16), M: uint32(m.Embedding.M), S: uint32(m.Embedding.S)}))
	must(t, s.chip.WriteSeed(uint32(text.Seed)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T { t.Helper(); must(t, err); return v }
}

// status reads register STATUS.
func (s *soc) status(t *testing.T) driver.Status {
	t.Helper()
	return get[driver.Status](t)(s.chip.ReadStatus())
}

// write gives the prompt and takes n tokens, with one register access after the other.
func (s *soc) write(t *testing.T, prompt []int, n int) (tokens []int) {
	t.Helper()
	for i, p := range prompt {
		for get[uint32](t)(s.chip.ReadPromptSpace()) == 0 {
		}
		must(t, s.chip.WritePrompt(driver.Prompt{Token: uint32(p), Last: i == len(prompt)-1}))
	}
	for polls := 0; len(tokens) < n; polls++ {
		if polls > 50_000 {
			t.Fatalf("%d tokens after %d polls", len(tokens), polls)
		}
		if v := get[driver.Token](t)(s.chip.ReadToken()); v.Valid {
			tokens = append(tokens, int(v.Token))
			if v.Last != (len(tokens) == n) {
				t.Errorf("token %d of %d: last is %v", len(tokens), n, v.Last)
			}
		}
	}
	return tokens
}

// ended waits until the run has ended.
func (s *soc) ended(t *testing.T) driver.Error {
	t.Helper()
	for polls := 0; s.status(t).Running; polls++ {
		if polls > 10_000 {
			t.Fatal("the run does not end")
		}
	}
	return get[driver.Error](t)(s.chip.ReadError())
}

// The whole way a host goes: registers by the generated driver, the table over AXI4, under random
// latency and back-pressure, with both ports held to the protocol.
func TestNanoWritesGoldenTextThroughItsAXIPorts(t *testing.T) {
	m, g := open(t, "nano")
	onEngines(t, func(t *testing.T, engine func(*ir.Design) (verify.Engine, error)) {
		tokens := 4
		if strings.HasSuffix(t.Name(), "verilated") {
			tokens = 24
		}
		b := topOf(t, m)
		s := socOf(t, m, b, 11, 0.3, engine)
		for _, text := range []model.GoldenText{g.Greedy, g.Sampled} {
			s.setUp(t, m, text, tokens)
			must(t, s.chip.WriteControl(driver.Control{Start: true}))
			if got := s.write(t, g.PromptTokens, tokens); !slices.Equal(got, text.Tokens[:tokens]) {
				t.Fatalf("wrote %v, want %v", got, text.Tokens[:tokens])
			}
			if e := s.ended(t); e.Code != driver.CodeNone {
				t.Fatalf("ended with %s", e.Code)
			}
		}
		total, written := get[uint32](t)(s.chip.ReadCycles()), get[uint32](t)(s.chip.ReadTokens())
		if int(written) != tokens || s.port.Bursts == 0 {
			t.Errorf("%d tokens counted, %d bursts", written, s.port.Bursts)
		}
		for name, read := range map[string]func() (uint32, error){
			"sequencer": s.chip.ReadCyclesSequencer, "vector unit": s.chip.ReadCyclesVector, "attention": s.chip.ReadCyclesAttention,
			"output head": s.chip.ReadCyclesHead, "memory": s.chip.ReadCyclesMemory, "bank": func() (uint32, error) { return s.chip.ReadCyclesBank(0) },
		} {
			if n := get[uint32](t)(read()); n == 0 || n > total {
				t.Errorf("%s worked %d of %d cycles", name, n, total)
			}
		}
	})
}

// Widths of the bus, bursts and sizes of the chip that divide nothing give the same text.
func TestOddPortsGiveTheSameText(t *testing.T) {
	m, g := open(t, "nano")
	for i, bus := range []hw.AxiBursts{
		{Bytes: 4, Address: 32, Burst: 7, Outstanding: 1}, {Bytes: 128, Address: 64, Burst: 256, Outstanding: 16},
	} {
		b := hw.ChipTop{Chip: nanoChips(t, m)[1], Bus: bus, Prompt: 1 + i, Token: 1, Hash: 1}
		s := socOf(t, m, b, int64(20+i), 0.5, engines[0])
		s.setUp(t, m, g.Greedy, 1)
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		if got := s.write(t, prompt1, 1); got[0] != continued(m, s.of) {
			t.Errorf("%s writes %v, want %v", b.Name(), got, continued(m, s.of))
		}
	}
}

// An engine starts registers and memories from seeded noise, and the agents put noise on every
// payload that is not valid: neither may show.
func TestNothingDependsOnPowerOn(t *testing.T) {
	m, g := open(t, "nano")
	var seen []string
	for _, seed := range []uint64{1, 2} {
		s := socOf(t, m, topOf(t, m), 31, 0.2, engines[0])
		must(t, s.repower(seed))
		s.setUp(t, m, g.Greedy, 1)
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		tokens := s.write(t, prompt1, 1)
		seen = append(seen, fmt.Sprint(tokens, s.Cycle, s.port.Bursts, get[uint32](t)(s.chip.ReadCycles()), get[uint32](t)(s.chip.ReadCyclesBank(0))))
	}
	if seen[0] != seen[1] {
		t.Errorf("power-on noise shows: %s, then %s", seen[0], seen[1])
	}
}

// Whatever the memory does wrong ends the run with its code and an interrupt; after the soft reset
// the chip works again.
func TestErrorsOfTheMemoryEndTheRunWithACode(t *testing.T) {
	m, g := open(t, "nano")
	s := socOf(t, m, topOf(t, m), 41, 0.2, engines[0])
	for _, c := range []struct {
		name  string
		code  driver.Code
		wrong func()
	}{
		{"SLVERR", driver.CodeBusSlaveError, func() { s.mem.Respond = func(bool, uint64) int { return axi.SlaveError } }},
		{"no memory there", driver.CodeBusDecodeError, func() { s.mem.Base += 1 << 20 }},
		{"RLAST early", driver.CodeBusLastEarly, func() { s.mem.Last = func(uint64, bool) bool { return true }; s.port.AnyLast = true }},
		{"RLAST late", driver.CodeBusLastLate, func() { s.mem.Last = func(uint64, bool) bool { return false }; s.port.AnyLast = true }},
		{"silence", driver.CodeBusTimedOut, func() { s.mem.Silent = true }},
	} {
		s.mem.Base, s.mem.Respond, s.mem.Last, s.mem.Silent, s.port.AnyLast = tableBase, nil, nil, false, false
		s.setUp(t, m, g.Greedy, 1)
		must(t, s.chip.WriteBusLimit(200))
		must(t, s.chip.WriteIRQEnable(driver.IRQEnable{Error: true}))
		c.wrong()
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		must(t, s.chip.WritePrompt(driver.Prompt{Token: 1, Last: true}))
		if err := s.Until(3000, "the interrupt of "+c.name, func() bool { return s.One("irq") == 1 }); err != nil {
			t.Fatal(err)
		}
		if e := s.ended(t); e.Code != c.code || !s.status(t).Error {
			t.Errorf("%s: code %d, want %d", c.name, e.Code, c.code)
		}
		var refused *axi.Error
		if err := s.chip.WriteControl(driver.Control{Start: true}); !errors.As(err, &refused) {
			t.Errorf("%s: start after an error gives %v, want SLVERR", c.name, err)
		}
		s.softReset(t)
		if st := s.status(t); st.Error || st.Running {
			t.Errorf("%s: the reset leaves %+v", c.name, st)
		}
	}
	s.mem.Silent = false
	s.setUp(t, m, g.Greedy, 1)
	must(t, s.chip.WriteControl(driver.Control{Start: true}))
	if got := s.write(t, prompt1, 1); got[0] != continued(m, s.of) {
		t.Errorf("after errors the chip writes %v, want %v", got, continued(m, s.of))
	}
}

// prompt1 is a prompt of one token; continued is the token that greedily follows it, by the
// model's arithmetic.
var prompt1 = []int{5}

func continued(m *model.Model, b hw.Chip) int {
	feeds, _, _ := chipRun(m, b, prompt1, model.GoldenText{Tokens: []int{0}}, 1)
	return int(b.Arithmetic([][]hw.Beat{feeds[0].Beats, feeds[1].Beats, nil, feeds[2].Beats})[0][0][0][0])
}

// softReset asks for a reset and waits for it.
func (s *soc) softReset(t *testing.T) {
	t.Helper()
	must(t, s.chip.WriteControl(driver.Control{Reset: true}))
	must(t, s.Until(2000, "the reset", func() bool { return s.Signals.Reset }))
}

// A reset in the middle of a run waits for the memory's answers, and accesses that are made all
// the while are answered, before or after.
func TestASoftResetLosesNoAccess(t *testing.T) {
	m, g := open(t, "nano")
	s := socOf(t, m, topOf(t, m), 51, 0.4, engines[0])
	for range 6 {
		s.setUp(t, m, g.Greedy, 1)
		must(t, s.chip.WriteControl(driver.Control{Start: true}))
		must(t, s.chip.WritePrompt(driver.Prompt{Token: 5}))
		must(t, s.Until(5000, "a burst", func() bool { return s.One("m_axi_arvalid") == 1 }))
		must(t, s.chip.WriteControl(driver.Control{Reset: true}))
		answers, responses := len(s.host.Answers), len(s.host.Responses)
		for range 20 {
			s.host.QueueRead(driver.IDOffset)
			s.host.QueueWrite(driver.BudgetOffset, 3, 15)
		}
		must(t, s.Until(5000, "the reset", func() bool { return s.Signals.Reset }))
		must(t, s.Until(5000, "the answers", func() bool { return len(s.host.Answers) == answers+20 && len(s.host.Responses) == responses+20 }))
		for _, a := range s.host.Answers[answers:] {
			if a != [2]uint64{driver.Identity, axi.Okay} {
				t.Fatalf("ID reads %x", a)
			}
		}
	}
}

// Programs come in through registers; a word that is none ends the run with code and address.
func TestABadProgramEndsWithItsCodeAndAddress(t *testing.T) {
	m, g := open(t, "nano")
	s := socOf(t, m, topOf(t, m), 61, 0.2, engines[0])
	s.setUp(t, m, g.Greedy, 1)
	p, err := isa.Assemble("test", "norm dst=0\nnorm dst=1\nloop times=1 target=0")
	must(t, err)
	must(t, s.chip.WriteProgramAddress(40))
	for _, w := range append(p.Codes(), 0xdeadbeef) {
		must(t, s.chip.WriteProgramWord(w))
	}
	must(t, s.chip.WriteEntry(40))
	must(t, s.chip.WriteControl(driver.Control{Start: true}))
	if e := s.ended(t); e.Code != driver.CodeBadWord || e.Address != 43 {
		t.Errorf("ended with %s at %d, want a bad word at 43", e.Code, e.Address)
	}
}

// A stopped run ends with the token that is being computed, or at once while it waits for the
// prompt; what is left of prompt and tokens is cleared, and the next run writes as ever.
func TestStopEndsARunEarly(t *testing.T) {
	m, g := open(t, "nano")
	s := socOf(t, m, topOf(t, m), 71, 0.1, engines[0])
	s.setUp(t, m, g.Greedy, 1000)
	must(t, s.chip.WriteControl(driver.Control{Start: true}))
	must(t, s.chip.WritePrompt(driver.Prompt{Token: 3})) // not the last
	must(t, s.chip.WriteControl(driver.Control{Stop: true}))
	if e := s.ended(t); e.Code != driver.CodeNone {
		t.Errorf("ended with %s", e.Code)
	}
	must(t, s.chip.WriteControl(driver.Control{Clear: true}))
	must(t, s.chip.WriteControl(driver.Control{Start: true}))
	must(t, s.chip.WritePrompt(driver.Prompt{Token: uint32(prompt1[0]), Last: true}))
	must(t, s.Until(50_000, "a token", func() bool { return s.status(t).Token }))
	must(t, s.chip.WriteControl(driver.Control{Stop: true}))
	if e := s.ended(t); e.Code != driver.CodeNone {
		t.Errorf("ended with %s", e.Code)
	}
	if n := get[uint32](t)(s.chip.ReadTokens()); n < 1 || n > 4 {
		t.Errorf("%d tokens before the stop was heeded", n)
	}
	must(t, s.chip.WriteControl(driver.Control{Clear: true}))
	must(t, s.Until(100, "empty buffers", func() bool { return !s.status(t).Clearing }))
	if v := get[driver.Token](t)(s.chip.ReadToken()); v.Valid {
		t.Error("a token is left after clear")
	}
	s.setUp(t, m, g.Greedy, 1)
	must(t, s.chip.WriteControl(driver.Control{Start: true}))
	if got := s.write(t, prompt1, 1); got[0] != continued(m, s.of) {
		t.Errorf("after a stop the chip writes %v, want %v", got, continued(m, s.of))
	}
}
