package axi

import (
	"math/rand"
	"strings"
	"testing"
)

// cycle is the ports that are not 0 in a cycle; "rst" is the reset.
type cycle map[string]uint64

// watch shows cycles to a monitor of a port of 8 bytes, full or AXI4-Lite.
func watch(m *Monitor, lite bool, cycles []cycle) error {
	s := &Signals{at: map[string]span{}}
	for _, p := range payloads {
		for _, f := range append([]string{"valid", "ready"}, p.fields...) {
			switch f {
			case "len", "size", "burst", "cache", "last":
				if lite {
					continue
				}
			}
			n := 1
			if f == "data" || f == "strb" {
				n = 8
			}
			s.at[m.Prefix+p.channel+f] = span{at: len(s.in), n: n, w: 64}
			s.in = append(s.in, make([]uint64, n)...)
		}
	}
	for _, c := range cycles {
		clear(s.in)
		s.Reset = c["rst"] == 1
		for port, v := range c {
			if port != "rst" {
				s.Get(m.Prefix + port)[0] = v
			}
		}
		if err := m.Observe(s); err != nil {
			return err
		}
	}
	return nil
}

// with is c and more of it.
func (c cycle) with(more ...any) cycle {
	n := cycle{}
	for k, v := range c {
		n[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		n[more[i].(string)] = uint64(more[i+1].(int))
	}
	return n
}

// Each rule is kept by one of these, and broken by its like.
func TestMonitorsNameTheRuleThatIsBroken(t *testing.T) {
	ar := cycle{"arvalid": 1, "arready": 1, "araddr": 0xff0, "arlen": 1, "arsize": 3, "arburst": 1}
	aw := cycle{"awvalid": 1, "awready": 1, "awaddr": 0xff0, "awlen": 1, "awsize": 3, "awburst": 1}
	r := cycle{"rvalid": 1, "rready": 1, "rdata": 5}
	w := cycle{"wvalid": 1, "wready": 1, "wdata": 5, "wstrb": 1}
	b := cycle{"bvalid": 1, "bready": 1}
	read := []cycle{ar.with("arready", 0), ar, {}, r.with("rready", 0), r, r.with("rlast", 1)}
	written := []cycle{aw.with("awready", 0), aw, w, w.with("wready", 0, "wlast", 1), w.with("wlast", 1), b.with("bready", 0), b}
	replace := func(good []cycle, i int, c cycle) []cycle {
		bad := append([]cycle(nil), good...)
		bad[i] = c
		return bad
	}
	for _, good := range [][]cycle{
		read, written, {ar, ar, r, r.with("rlast", 1), r, r.with("rlast", 1)},
		{w, w.with("wlast", 1), aw, b}, // data before their address
		{w, aw, w.with("wlast", 1), b},
		{ar.with("arready", 0), {"rst": 1, "arvalid": 1}, {"rst": 1}, {}}, // a reset withdraws
	} {
		if err := watch(&Monitor{Prefix: "m_", Outstanding: 2}, false, good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, c := range []struct {
		says string
		bad  []cycle
	}{
		{"arvalid went to 0", replace(read, 1, cycle{})},
		{"araddr changed", replace(read, 1, ar.with("araddr", 0xfe0))},
		{"arlen changed", replace(read, 1, ar.with("arlen", 0))},
		{"rvalid went to 0", replace(read, 4, cycle{})},
		{"rdata changed", replace(read, 4, r.with("rdata", 4))},
		{"rresp changed", replace(read, 4, r.with("rresp", 2))},
		{"awvalid went to 0", replace(written, 1, cycle{})},
		{"wdata changed", replace(written, 4, w.with("wlast", 1, "wdata", 6))},
		{"wstrb changed", replace(written, 4, w.with("wlast", 1, "wstrb", 0))},
		{"wlast changed", replace(written, 4, w)},
		{"bvalid went to 0", replace(written, 6, cycle{})},
		{"bresp changed", replace(written, 6, b.with("bresp", 2))},
		{"crosses a boundary", []cycle{ar.with("arlen", 2)}},
		{"crosses a boundary", []cycle{aw.with("awlen", 2)}},
		{"not INCR", []cycle{ar.with("arburst", 2)}},
		{"not INCR", []cycle{aw.with("awburst", 0)}},
		{"arsize is 2", []cycle{ar.with("arsize", 2)}},
		{"awsize is 4", []cycle{aw.with("awsize", 4)}},
		{"rlast is 1 with 1 beats", []cycle{ar, r.with("rlast", 1)}},
		{"rlast is 0 with 0 beats", []cycle{ar, r, r}},
		{"no read was asked for", []cycle{r}},
		{"no read was asked for", []cycle{ar, r, r.with("rlast", 1), r}},
		{"wlast came with beat 1 of a burst of 2", []cycle{aw, w.with("wlast", 1)}},
		{"wlast came with beat 1 of a burst of 2", []cycle{w.with("wlast", 1), aw}},
		{"wlast did not come with beat 2", []cycle{aw, w, w}},
		{"no write was taken whole", []cycle{aw, w, b}},
		{"no write was taken whole", []cycle{w, w.with("wlast", 1), b}},
		{"no write was taken whole", []cycle{aw, w, w.with("wlast", 1), b, b}},
		{"3 read bursts wait", []cycle{ar, ar, ar}},
		{"3 write bursts wait", []cycle{aw, aw, aw}},
		{"is 1 in a reset", []cycle{{"rst": 1}, {"rst": 1, "arvalid": 1}}},
		{"is 1 in a reset", []cycle{{"rst": 1}, {"rst": 1, "bvalid": 1}}},
	} {
		err := watch(&Monitor{Prefix: "m_", Outstanding: 2}, false, c.bad)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.bad, err, c.says)
		}
	}
}

func TestMonitorsKnowAXILite(t *testing.T) {
	ar, r := cycle{"arvalid": 1, "arready": 1, "araddr": 4}, cycle{"rvalid": 1, "rready": 1}
	aw, w, b := cycle{"awvalid": 1, "awready": 1}, cycle{"wvalid": 1, "wready": 1}, cycle{"bvalid": 1, "bready": 1}
	if err := watch(&Monitor{Prefix: "s_"}, true, []cycle{ar, ar, r, r, w, aw, b, aw, w, b}); err != nil {
		t.Error(err)
	}
	for says, bad := range map[string][]cycle{
		"no read was asked for":    {ar, r, r},
		"no write was taken whole": {aw, w, b, aw, b},
	} {
		if err := watch(&Monitor{Prefix: "s_"}, true, bad); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want %q", bad, err, says)
		}
	}
}

// The memory keeps the protocol itself, and what it is told to do wrong it does.
func TestTheMemoryIsWrongOnlyWhereItIsToldToBe(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		mem := &Memory{Prefix: "m_", Data: make([]byte, 4096), Rand: rand.New(rand.NewSource(1)), Stall: 0.5, Latency: 3}
		if wrong {
			mem.Last = func(_ uint64, last bool) bool { return !last }
		}
		err := readFrom(mem, &Monitor{Prefix: "m_"})
		if (err != nil) != wrong {
			t.Errorf("wrong %v: %v", wrong, err)
		}
	}
}

// readFrom asks the memory for bursts, without a design.
func readFrom(mem *Memory, m *Monitor) error {
	s := &Signals{at: map[string]span{}}
	for name, n := range map[string]int{"arvalid": 1, "arready": 1, "araddr": 1, "arlen": 1, "rvalid": 1, "rready": 1, "rdata": 8, "rresp": 1, "rlast": 1} {
		s.at["m_"+name] = span{at: len(s.in), n: n, w: 64}
		s.in = append(s.in, make([]uint64, n)...)
	}
	s.Set("m_arvalid", 1)
	s.Set("m_rready", 1)
	for range 200 {
		s.Set("m_arlen", uint64(m.Bursts%5))
		mem.Drive(s)
		if err := mem.Observe(s); err != nil {
			return err
		}
		if err := m.Observe(s); err != nil {
			return err
		}
	}
	return nil
}
