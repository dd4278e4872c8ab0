package hw_test

import (
	"fmt"
	"math/rand"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/hw/regs"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/axi"
)

// soc is a chip with a memory, a host, and a monitor at both ports.
type soc struct {
	*axi.Bench
	host *axi.Lite
	mem  *axi.Memory
	port *axi.Monitor // of the memory
}

const tableBase = 0x40001000

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
	s := &soc{port: &axi.Monitor{Prefix: "m_axi_", Outstanding: b.Bus.Outstanding}}
	s.host = &axi.Lite{Prefix: "s_axi_", Rand: random(1), Stall: stall}
	s.mem = &axi.Memory{Prefix: "m_axi_", Rand: random(2), Stall: stall, Base: tableBase, Latency: int(50 * stall)}
	s.mem.Data = make([]byte, b.Chip.Vocab*b.RowBytes())
	for v := range m.Config.VocabSize {
		for i, e := range m.Embedding.Row(v) {
			s.mem.Data[v*b.RowBytes()+i] = byte(e)
		}
	}
	s.Bench = axi.NewBench(e, top, s.host, s.mem, s.port, &axi.Monitor{Prefix: "s_axi_"})
	s.host.Bench = s.Bench
	return s
}

func TestRun(t *testing.T) {
	m, g := open(t, "nano")
	chip := nanoChips(t, m)[0]
	b := hw.ChipTop{Chip: chip, Bus: hw.AxiBursts{Bytes: 8, Address: 40, Burst: 16, Outstanding: 4}, Prompt: 8, Token: 4, Hash: 0x1234}
	s := socOf(t, m, b, 5, 0.1, engines[0])
	w := func(name string, v uint32) {
		if err := s.host.Write32(regs.At(name).Offset, v); err != nil {
			t.Fatal(err)
		}
	}
	r := func(name string) uint32 {
		v, err := s.host.Read32(regs.At(name).Offset)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	w("TABLE_LOW", tableBase)
	w("BUDGET", 3)
	w("CONTROL", 1)
	for i, p := range g.PromptTokens {
		for r("PROMPT_SPACE") == 0 {
		}
		last := uint32(0)
		if i == len(g.PromptTokens)-1 {
			last = 1 << 31
		}
		w("PROMPT", uint32(p)|last)
	}
	for i := 0; i < 3; {
		v := r("TOKEN")
		if v>>31 == 1 {
			fmt.Println(v&0x1ffff, g.Greedy.Tokens[i])
			i++
		}
	}
	for _, reg := range regs.Map {
		if reg.Access.Readable() {
			fmt.Printf("%s %x\n", reg.Name, r(reg.Name))
		}
	}
	fmt.Println(s.Cycle, s.mem.Bursts, s.mem.Beats)
}
