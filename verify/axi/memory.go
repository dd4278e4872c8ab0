package axi

import (
	"math/rand"

	"ohmloom/ir/bits"
)

// Responses of AXI4.
const (
	Okay        = 0
	SlaveError  = 2
	DecodeError = 3
)

// Memory is a slave at the AXI4 master port Prefix*, of bytes from Base on. Bursts are answered in
// order, reads and writes independently: what was written is there when the write is answered, not
// earlier. An access beyond Data is answered with DECERR.
type Memory struct {
	Prefix  string // of the ports, as "m_axi_"
	Base    uint64
	Data    []byte
	Rand    *rand.Rand
	Latency int                                   // most cycles from an address to the first beat, chosen for each burst
	Fixed   bool                                  // it is always Latency
	Stall   float64                               // chance in each cycle that a beat is held back, or not taken
	Respond func(write bool, addr uint64) (r int) // response of the beat at an address that exists; nil: OKAY
	Last    func(addr uint64, l bool) bool        // what RLAST is, given what it should be; nil: that
	Silent  bool                                  // takes and gives nothing

	Bursts, Beats int // read bursts taken, read beats given
	Writes        int // write bursts taken

	cycle  int
	reads  []job
	r, b   Source
	writes []job
	done   int // bursts of w taken whole and not answered yet
	bytes  int
}

// job is a burst that was taken.
type job struct {
	addr  uint64
	beats int
	ready int // cycle from which on it may be answered
	resp  uint64
	bytes []stored // of a write
}

// stored is a byte that will be written.
type stored struct {
	at uint64
	to byte
}

// Drive implements Agent.
func (m *Memory) Drive(s *Signals) {
	stalls := func() uint64 { return bits.Bool(!m.Silent && !chance(m.Rand, m.Stall)) }
	if s.Has(m.Prefix + "arvalid") {
		m.bytes = len(m.word(s, "rdata"))
		if len(m.reads) > 0 && m.cycle >= m.reads[0].ready && len(m.r.Queue) == 0 {
			m.answer()
		}
		s.Set(m.Prefix+"arready", stalls())
		m.offer(&m.r, s, "r", "data", "resp", "last")
	}
	if s.Has(m.Prefix + "awvalid") {
		m.bytes = len(m.word(s, "wdata"))
		s.Set(m.Prefix+"awready", stalls())
		s.Set(m.Prefix+"wready", bits.Bool(len(m.writes) > m.done && stalls() == 1))
		if m.done > 0 && m.cycle >= m.writes[0].ready && len(m.b.Queue) == 0 {
			m.b.Queue = [][][]uint64{{{m.writes[0].resp}}}
			for _, b := range m.writes[0].bytes {
				m.Data[b.at] = b.to
			}
			m.writes, m.done = m.writes[1:], m.done-1
		}
		m.offer(&m.b, s, "b", "resp")
	}
}

func (m *Memory) word(s *Signals, field string) []uint64 { return s.Get(m.Prefix + field) }

// offer drives an answer channel.
func (m *Memory) offer(c *Source, s *Signals, name string, fields ...string) {
	c.Prefix, c.Fields, c.Rand, c.Stall = m.Prefix+name, fields, m.Rand, m.Stall
	if m.Silent && !c.up {
		s.Set(c.Prefix+"valid", 0)
		return
	}
	c.Drive(s)
}

// respond is the response at an address.
func (m *Memory) respond(write bool, addr uint64) uint64 {
	switch {
	case addr < m.Base || addr+uint64(m.bytes) > m.Base+uint64(len(m.Data)):
		return DecodeError
	case m.Respond != nil:
		return uint64(m.Respond(write, addr))
	}
	return Okay
}

// answer queues the next beat of the first read.
func (m *Memory) answer() {
	j := &m.reads[0]
	data, resp := make([]uint64, m.bytes), m.respond(false, j.addr)
	for i := range data {
		if resp == Okay {
			data[i] = uint64(m.Data[j.addr-m.Base+uint64(i)])
		} else {
			data[i] = uint64(i) * 0x5a // anything
		}
	}
	last := j.beats == 1
	if m.Last != nil {
		last = m.Last(j.addr, last)
	}
	m.r.Queue = [][][]uint64{{data, {resp}, {bits.Bool(last)}}}
	m.Beats++
	j.addr += uint64(m.bytes)
	if j.beats--; j.beats == 0 {
		m.reads = m.reads[1:]
	}
}

// begin is a burst that was taken now.
func (m *Memory) begin(addr, len uint64) job {
	late := m.Latency
	if !m.Fixed && late > 0 && m.Rand != nil {
		late = m.Rand.Intn(late + 1)
	}
	return job{addr: addr, beats: int(len) + 1, ready: m.cycle + late}
}

// Observe implements Agent.
func (m *Memory) Observe(s *Signals) error {
	if s.Reset {
		m.reads, m.writes, m.done = nil, nil, 0
		m.r.Queue, m.b.Queue = nil, nil
		return nil
	}
	m.cycle++
	if s.Has(m.Prefix + "arvalid") {
		if err := m.r.Observe(s); err != nil {
			return err
		}
		if fires(s, m.Prefix+"ar") {
			m.reads = append(m.reads, m.begin(s.One(m.Prefix+"araddr"), s.One(m.Prefix+"arlen")))
			m.Bursts++
		}
	}
	if s.Has(m.Prefix + "awvalid") {
		if err := m.b.Observe(s); err != nil {
			return err
		}
		if fires(s, m.Prefix+"aw") {
			m.writes = append(m.writes, m.begin(s.One(m.Prefix+"awaddr"), s.One(m.Prefix+"awlen")))
			m.Writes++
		}
		if fires(s, m.Prefix+"w") {
			m.store(s)
		}
	}
	return nil
}

// Idle tells that every write that was begun has been answered.
func (m *Memory) Idle() bool { return len(m.writes) == 0 && len(m.b.Queue) == 0 && !m.b.up }

// store takes a beat of w.
func (m *Memory) store(s *Signals) {
	j := &m.writes[m.done]
	resp := m.respond(true, j.addr)
	for i, strobe := range m.word(s, "wstrb") {
		if resp == Okay && strobe == 1 {
			j.bytes = append(j.bytes, stored{j.addr - m.Base + uint64(i), byte(m.word(s, "wdata")[i])})
		}
	}
	j.resp = max(j.resp, resp)
	j.addr += uint64(m.bytes)
	if j.beats--; j.beats == 0 {
		m.done++
	}
}
