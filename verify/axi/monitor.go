package axi

import (
	"fmt"
	"math/bits"
	"slices"
)

// Monitor holds one AXI port to the protocol, whoever drives which side. It knows the five
// channels by their ports Prefix + aw, w, b, ar, r, and watches those that are there:
//
//   - valid stays 1, and the payload what it is, until ready is 1 (A3.2.1)
//   - valid is 0 in a reset, from its second cycle on (A3.1.2)
//   - a burst is INCR, of beats as wide as the bus, and crosses no boundary of 4096 bytes (A3.4.1)
//   - WLAST and RLAST are 1 in the last beat of a burst, and in no other (A3.4.1)
//   - an answer comes after its address, and after the last beat of its data, in as many beats as
//     were asked for (A3.3.1)
//   - no more than Outstanding bursts wait for their answers
//
// A port without arlen and awlen is AXI4-Lite: bursts of one beat, and no LAST.
type Monitor struct {
	Prefix      string
	Outstanding int  // 0: any number
	AnyLast     bool // RLAST is not looked at

	Bursts, Beats int // reads: addresses taken, beats given

	reset   bool
	held    map[string][]uint64 // payload of channels that were offered and not taken
	reads   []int               // beats still to come of bursts
	writes  []int               // beats of write bursts whose address was taken
	data    []int               // beats of write bursts whose last beat was taken
	beats   int                 // of the one that is being written
	answers int                 // write bursts answered
}

// payloads is the fields of each channel.
var payloads = []struct {
	channel string
	fields  []string
}{
	{"aw", []string{"addr", "len", "size", "burst", "cache", "prot"}},
	{"w", []string{"data", "strb", "last"}},
	{"b", []string{"resp"}},
	{"ar", []string{"addr", "len", "size", "burst", "cache", "prot"}},
	{"r", []string{"data", "resp", "last"}},
}

// Drive implements Agent: a monitor drives nothing.
func (m *Monitor) Drive(*Signals) {}

// Observe implements Agent. Its errors name the rule that was broken.
func (m *Monitor) Observe(s *Signals) error {
	if s.Reset {
		again := m.reset
		m.reset, m.held = true, map[string][]uint64{}
		m.reads, m.writes, m.data, m.beats, m.answers = nil, nil, nil, 0, 0
		for _, p := range payloads {
			if port := m.Prefix + p.channel + "valid"; again && s.Has(port) && s.One(port) == 1 {
				return fmt.Errorf("%s is 1 in a reset", port)
			}
		}
		return nil
	}
	m.reset = false
	for _, p := range payloads {
		if s.Has(m.Prefix + p.channel + "valid") {
			if err := m.stays(s, p.channel, p.fields); err != nil {
				return err
			}
		}
	}
	if err := m.read(s); err != nil {
		return err
	}
	return m.write(s)
}

// stays holds an offered beat to what it was in the cycle before.
func (m *Monitor) stays(s *Signals, channel string, fields []string) error {
	if m.held == nil {
		m.held = map[string][]uint64{}
	}
	name := m.Prefix + channel
	old, offered := m.held[channel]
	if s.One(name+"valid") == 0 {
		if offered {
			return fmt.Errorf("%svalid went to 0 before %sready was 1", name, name)
		}
		return nil
	}
	var now []uint64
	for _, f := range fields {
		if !s.Has(name + f) {
			continue
		}
		v := s.Get(name + f)
		if offered && !slices.Equal(old[len(now):len(now)+len(v)], v) {
			return fmt.Errorf("%s changed from %x to %x before %sready was 1", name+f, old[len(now):len(now)+len(v)], v, name)
		}
		now = append(now, v...)
	}
	delete(m.held, channel)
	if s.One(name+"ready") == 0 {
		m.held[channel] = now
	}
	return nil
}

// burst is the beats of the burst at an address channel that was taken.
func (m *Monitor) burst(s *Signals, channel, data string) (beats int, err error) {
	name := m.Prefix + channel
	if !s.Has(name + "len") {
		return 1, nil
	}
	width := uint64(len(s.Get(m.Prefix + data)))
	addr, n := s.One(name+"addr"), s.One(name+"len")+1
	switch first := addr &^ (width - 1); {
	case s.Has(name+"burst") && s.One(name+"burst") != 1:
		return 0, fmt.Errorf("%sburst is %d, not INCR", name, s.One(name+"burst"))
	case s.Has(name+"size") && s.One(name+"size") != uint64(bits.Len64(width)-1):
		return 0, fmt.Errorf("%ssize is %d on a bus of %d bytes", name, s.One(name+"size"), width)
	case first>>12 != (first+n*width-1)>>12:
		return 0, fmt.Errorf("a burst of %d beats of %d bytes from %s %#x crosses a boundary of 4096 bytes", n, width, name+"addr", addr)
	}
	return int(n), nil
}

func (m *Monitor) bounded(n int, what string) error {
	if m.Outstanding > 0 && n > m.Outstanding {
		return fmt.Errorf("%s: %d %s bursts wait for their answers, allowed are %d", m.Prefix, n, what, m.Outstanding)
	}
	return nil
}

func (m *Monitor) read(s *Signals) error {
	if !s.Has(m.Prefix + "arvalid") {
		return nil
	}
	if s.One(m.Prefix+"rvalid") == 1 && len(m.reads) == 0 {
		return fmt.Errorf("%srvalid is 1, and no read was asked for", m.Prefix)
	}
	if fires(s, m.Prefix+"r") {
		m.Beats++
		m.reads[0]--
		ends := m.reads[0] == 0
		if !m.AnyLast && s.Has(m.Prefix+"rlast") && (s.One(m.Prefix+"rlast") == 1) != ends {
			return fmt.Errorf("%srlast is %d with %d beats of the burst to come", m.Prefix, s.One(m.Prefix+"rlast"), m.reads[0])
		}
		if ends {
			m.reads = m.reads[1:]
		}
	}
	if fires(s, m.Prefix+"ar") {
		m.Bursts++
		n, err := m.burst(s, "ar", "rdata")
		if err != nil {
			return err
		}
		m.reads = append(m.reads, n)
	}
	return m.bounded(len(m.reads), "read")
}

func (m *Monitor) write(s *Signals) error {
	if !s.Has(m.Prefix + "awvalid") {
		return nil
	}
	if s.One(m.Prefix+"bvalid") == 1 && m.answers >= min(len(m.writes), len(m.data)) {
		return fmt.Errorf("%sbvalid is 1, and no write was taken whole", m.Prefix)
	}
	if fires(s, m.Prefix+"b") {
		m.answers++
	}
	if fires(s, m.Prefix+"aw") {
		n, err := m.burst(s, "aw", "wdata")
		if err != nil {
			return err
		}
		m.writes = append(m.writes, n)
	}
	if fires(s, m.Prefix+"w") {
		m.beats++
		if !s.Has(m.Prefix+"wlast") || s.One(m.Prefix+"wlast") == 1 {
			m.data = append(m.data, m.beats)
			m.beats = 0
		}
	}
	for i := m.answers; i < len(m.writes); i++ {
		switch {
		case i < len(m.data) && m.data[i] != m.writes[i]:
			return fmt.Errorf("%swlast came with beat %d of a burst of %d", m.Prefix, m.data[i], m.writes[i])
		case i == len(m.data) && m.beats >= m.writes[i]:
			return fmt.Errorf("%swlast did not come with beat %d, the last", m.Prefix, m.writes[i])
		}
	}
	return m.bounded(len(m.writes)-m.answers, "write")
}
