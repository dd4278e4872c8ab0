package cli

import (
	"context"
	"fmt"
	"math/rand"

	"ohmloom/gen/compile"
	"ohmloom/gen/registers/driver"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/axi"
)

// ports is a whole chip in a co-simulation as software on an SoC has it: registers behind AXI4-Lite,
// by the generated driver, and a memory at its AXI4 master.
type ports struct {
	*axi.Bench
	chip  driver.Device
	mem   *axi.Memory
	image *compile.Memory
	base  uint64 // of the memory
	began int    // cycle in which the run was started
}

// portOptions are what is round the chip.
type portOptions struct {
	latency  int        // most cycles from an address to its first beat; without rand always
	rand     *rand.Rand // of latency and stalls; nil: none
	stall    float64    // chance in each cycle that a beat is held back
	monitors bool       // hold both ports to the protocol
	observe  func(s *axi.Signals) error
}

// watching is an agent that only looks.
type watching func(s *axi.Signals) error

func (w watching) Drive(*axi.Signals)           {}
func (w watching) Observe(s *axi.Signals) error { return w(s) }

// newPorts stands a memory with an image, and a host, at the ports of a chip that was powered up.
func newPorts(e verify.Engine, top *ir.Module, b hw.ChipTop, image *compile.Memory, opt portOptions) (*ports, error) {
	need := uint64(image.Cache + image.CacheBytes)
	p := &ports{image: image}
	switch bits := b.Bus.Address; {
	case bits < 64 && need > 1<<bits:
		return nil, failed("the memory of the chip needs %d bytes, address_bits = %d of its host reach %d", need, bits, uint64(1)<<bits)
	case need <= 1<<(bits-1):
		p.base = 1 << (bits - 1) // so that all bits of an address matter
	}
	data := append(make([]byte, 0, need), image.Data...)
	p.mem = &axi.Memory{Prefix: "m_axi_", Base: p.base, Data: data[:need], Latency: opt.latency, Rand: opt.rand, Stall: opt.stall}
	lite := &axi.Lite{Prefix: "s_axi_", Rand: opt.rand, Stall: opt.stall, Most: 100_000}
	agents := []axi.Agent{lite, p.mem}
	if opt.monitors {
		agents = append(agents, &axi.Monitor{Prefix: "m_axi_", Outstanding: b.Bus.Outstanding}, &axi.Monitor{Prefix: "s_axi_"})
	}
	if opt.observe != nil {
		agents = append(agents, watching(opt.observe))
	}
	p.Bench = axi.NewBench(e, top, agents...)
	lite.Bench, p.chip = p.Bench, driver.Device{Bus: lite}
	return p, nil
}

// boot checks what chip it is and has it load the program of the image.
func (p *ports) boot(b hw.ChipTop) error {
	low, err := p.chip.ReadHashLow()
	if err = firstError(p.chip.Check(), err); err != nil {
		return err
	}
	if low != uint32(b.Hash) {
		return failed("register HASH_LOW reads %#x, the chip described is %#x", low, uint32(b.Hash))
	}
	m := p.image
	for _, w := range []struct {
		low, high func(uint32) error
		offset    int
	}{{p.chip.WriteTableLow, p.chip.WriteTableHigh, m.Table}, {p.chip.WriteProgramLow, p.chip.WriteProgramHigh, m.Program},
		{p.chip.WriteCacheLow, p.chip.WriteCacheHigh, m.Cache}} {
		at := p.base + uint64(w.offset)
		if err := firstError(w.low(uint32(at)), w.high(uint32(at>>32))); err != nil {
			return err
		}
	}
	err = firstError(p.chip.WriteProgramAddress(0), p.chip.WriteProgramWords(uint32(m.Words)), p.chip.WriteProgramCheck(m.Check),
		p.chip.WriteIRQEnable(driver.IRQEnable{Token: true, Done: true, Error: true, Loaded: true}), p.chip.WriteControl(driver.Control{Load: true}))
	if err != nil {
		return err
	}
	events, err := p.interrupt(context.Background(), 1_000_000)
	if err == nil && events.Error {
		e, failure := p.chip.ReadError()
		err = firstError(failure, failed("loading the program: %s", told(e)))
	}
	return err
}

// clients are who uses the memory, as register ERROR numbers them.
var clients = []string{"the embedding table", "the program", "reads of keys and values", "writes of keys and values"}

// told is an error of the chip in words.
func told(e driver.Error) string {
	if e.Code >= driver.CodeBusSlaveError && e.Code <= driver.CodeBusTimedOut {
		return fmt.Sprintf("%s (code %d, for %s)", e.Code, e.Code, clients[e.Client])
	}
	return fmt.Sprintf("%s (code %d, at instruction %d)", e.Code, e.Code, e.Address)
}

// interrupt waits for an interrupt and clears what caused it.
func (p *ports) interrupt(ctx context.Context, most int) (driver.IRQStatus, error) {
	err := p.Until(most, "an interrupt of the chip", func() bool {
		return p.One("irq") == 1 || p.Cycle&0xff == 0 && ctx.Err() != nil
	})
	if err == nil && p.One("irq") == 0 {
		err = context.Cause(ctx)
	}
	if err != nil {
		return driver.IRQStatus{}, err
	}
	events, err := p.chip.ReadIRQStatus()
	return events, firstError(err, p.chip.WriteIRQStatus(events))
}

// run begins a run, feeds the prompt, and calls wrote for every token as it comes, with the cycles since
// the start, until the run has ended. An error of wrote, or the end of ctx, ends it at once.
func (p *ports) run(ctx context.Context, m *compile.Compiled, c compile.Command, prompt []int, wrote func(id, cycle int) error) (driver.Error, error) {
	e := m.Model.Embedding
	sampler := driver.Sampler{It16: uint32(c.InverseTemp), M: uint32(e.M), S: uint32(e.S)}
	err := firstError(p.chip.WriteBudget(uint32(c.Tokens)), p.chip.WriteLimit(uint32(c.Limit)), p.chip.WriteSampler(sampler), p.chip.WriteSeed(c.Seed),
		p.chip.WriteSequence(driver.Sequence{First: true}))
	if err != nil {
		return driver.Error{}, err
	}
	left := prompt
	if left, err = p.feed(left); err != nil {
		return driver.Error{}, err
	}
	if err := p.chip.WriteControl(driver.Control{Start: true}); err != nil {
		return driver.Error{}, err
	}
	p.began = p.Cycle
	for len(left) > 0 && p.One("irq") == 0 {
		if err := ctx.Err(); err != nil {
			return driver.Error{}, context.Cause(ctx)
		}
		if left, err = p.feed(left); err != nil {
			return driver.Error{}, err
		}
	}
	most := c.Limit + 1_000_000 // the chip's own watchdog comes first
	for {
		events, err := p.interrupt(ctx, most)
		if err != nil {
			return driver.Error{}, err
		}
		at := p.Cycle - p.began
		for {
			token, err := p.chip.ReadToken()
			if err != nil {
				return driver.Error{}, err
			}
			if !token.Valid {
				break
			}
			if err := wrote(int(token.Token), at); err != nil {
				return driver.Error{}, err
			}
		}
		if events.Done || events.Error {
			return p.chip.ReadError()
		}
	}
}

// feed gives the chip as much of the prompt as it has room for, and returns the rest.
func (p *ports) feed(prompt []int) (rest []int, err error) {
	space, err := p.chip.ReadPromptSpace()
	for ; err == nil && space > 0 && len(prompt) > 0; space-- {
		err = p.chip.WritePrompt(driver.Prompt{Token: uint32(prompt[0]), Last: len(prompt) == 1})
		prompt = prompt[1:]
	}
	return prompt, err
}

// counters are the shares of the run in which the parts of the chip worked, by its own registers.
func (p *ports) counters(banks int) ([]part, error) {
	total, err := p.chip.ReadCycles()
	if err != nil {
		return nil, err
	}
	parts := []part{}
	add := func(name string, read func() (uint32, error)) {
		n, failure := read()
		err = firstError(err, failure)
		parts = append(parts, part{name, int(n), float64(n) / max(float64(total), 1)})
	}
	for b := range banks {
		add(fmt.Sprintf("bank %d", b), func() (uint32, error) { return p.chip.ReadCyclesBank(b) })
	}
	add("vector unit", p.chip.ReadCyclesVector)
	add("attention engine", p.chip.ReadCyclesAttention)
	add("output head and sampler", p.chip.ReadCyclesHead)
	add("memory", p.chip.ReadCyclesMemory)
	add("sequencer", p.chip.ReadCyclesSequencer)
	return parts, err
}
