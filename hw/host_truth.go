package hw

import (
	"math/rand"

	"ohmloom/hw/regs"
	"ohmloom/ir/bits"
)

// Arithmetic carries out the writes in order, and the reads of what never changes. A run or load that
// was started is taken to be still going on, and the buffer of the prompt to take all that is written.
func (b Host) Arithmetic(in [][]Beat) [][]Beat {
	_, streams := b.Streams()
	out := make([][]Beat, len(streams))
	h := newHostTruth(b)
	for i, aw := range in[hostAW] {
		w := in[hostW][i]
		resp := h.write(uint32(aw[0][0]), uint32(w[0][0]), w[1], func(stream int, beat Beat) { out[stream] = append(out[stream], beat) })
		out[hostB] = append(out[hostB], Beat{{uint64(resp)}})
	}
	constants := b.constants()
	for _, ar := range in[hostAR] {
		beat := Beat{{0}, {axiSlaveError}}
		for _, r := range regs.Map {
			if v, ok := constants[r.Name]; ok && r.Offset/4 == uint32(ar[0][0])/4 {
				beat = Beat{{uint64(v)}, {axiOkay}}
			}
		}
		out[hostR] = append(out[hostR], beat)
	}
	return out
}

// hostTruth is the registers as writes see them.
type hostTruth struct {
	Host
	value            map[string]uint32
	running, loading bool
}

func newHostTruth(b Host) *hostTruth {
	h := &hostTruth{Host: b, value: map[string]uint32{}}
	for _, r := range regs.Map {
		h.value[r.Name] = r.Reset
	}
	return h
}

// write is one write and its response.
func (h *hostTruth) write(addr, data uint32, strobes []uint64, say func(stream int, beat Beat)) (resp int) {
	full := strobes[0]+strobes[1]+strobes[2]+strobes[3] == 4
	for _, r := range regs.Map {
		if r.Count > 0 || r.Offset/4 != addr/4 {
			continue
		}
		switch {
		case r.Access == regs.WriteOne:
			return axiOkay
		case r.Access == regs.ReadWrite:
			for i, s := range strobes {
				if mask := r.Mask() & (0xff << (8 * i)); s == 1 {
					h.value[r.Name] = h.value[r.Name]&^mask | data&mask
				}
			}
			return axiOkay
		case r.Access == regs.WriteOnly && full:
			return h.act(r.Name, uint64(data), say)
		}
	}
	return axiSlaveError
}

// act is a write of a register that does something.
func (h *hostTruth) act(name string, data uint64, say func(stream int, beat Beat)) (resp int) {
	v := func(name string) []uint64 { return []uint64{uint64(h.value[name])} }
	switch name {
	case "CONTROL":
		start, load := data&1 == 1, data>>4&1 == 1
		if (start || load) && (h.running || h.loading || start && load) {
			return axiSlaveError
		}
		if load {
			h.loading = true
			addr := uint64(h.value["PROGRAM_HIGH"])<<32 | uint64(h.value["PROGRAM_LOW"])
			say(hostLoad, Beat{{addr & bits.Mask(h.Address)}, v("PROGRAM_WORDS"), v("PROGRAM_ADDRESS"), v("PROGRAM_CHECK")})
		}
		if start {
			h.running = true
			s := h.value["SAMPLER"]
			say(hostCmd, Beat{v("ENTRY"), v("BUDGET"), v("LIMIT"), v("SEQUENCE"),
				{uint64(s & 0xff)}, {uint64(s >> 8 & 0xff)}, {uint64(s >> 16 & 0x1f)}, v("SEED")})
		}
	case "PROMPT":
		say(hostPrompt, Beat{{data & (1<<tokenBits - 1)}, {data >> 31}})
	case "PROGRAM_WORD":
		if h.running || h.loading {
			return axiSlaveError
		}
		say(hostProgram, Beat{v("PROGRAM_ADDRESS"), {data}})
		h.value["PROGRAM_ADDRESS"] = (h.value["PROGRAM_ADDRESS"] + 1) % (1 << addrBits)
	}
	return axiOkay
}

// Cycles follows the writes and the reads, one of each in a cycle.
func (b Host) Cycles(in [][]Beat) int {
	end := 0
	if n := len(in[hostAR]); n > 0 {
		end = n + 1
	}
	h := newHostTruth(b)
	for i, aw := range in[hostAW] {
		w := in[hostW][i]
		h.write(uint32(aw[0][0]), uint32(w[0][0]), w[1], func(stream int, _ Beat) {
			if stream == hostPrompt {
				end = max(end, i+3)
			}
		})
		end = max(end, i+2)
	}
	return end + 1
}

func randomHost(r *rand.Rand) Block {
	return Host{Banks: 1 + r.Intn(regs.MaxBanks), Vocab: 1 + r.Intn(65536), RowBytes: 1 + r.Intn(5000), Prompt: 1 + r.Intn(20), Token: 1 + r.Intn(20),
		Address: 13 + r.Intn(52), Hash: r.Uint64(), Words: 1 + r.Intn(4096), Cache: r.Int() >> 2}
}

// hostWork writes all kinds of registers, starts a run or a load once, and reads what does not change and
// what cannot be read.
func hostWork(r *rand.Rand, block Block, extreme bool) [][]Beat {
	b := block.(Host)
	in, _ := b.Streams()
	work := make([][]Beat, len(in))
	constants := b.constants()
	prompts, start, first := 0, r.Intn(40), []uint64{1, 1, 1, 16}[r.Intn(4)]
	for i := range 40 {
		reg := regs.Map[r.Intn(len(regs.Map))]
		if i == start {
			reg = regs.At("CONTROL")
		}
		aw, w := RandomBeats(r, in[hostAW], 1, extreme)[0], RandomBeats(r, in[hostW], 1, extreme)[0]
		if i == start || r.Intn(8) > 0 {
			aw[0][0] = uint64(reg.Offset) + uint64(r.Intn(4))
		}
		if i == start || r.Intn(3) > 0 {
			w[1] = []uint64{1, 1, 1, 1}
		}
		switch aw[0][0] / 4 {
		case uint64(regs.At("CONTROL").Offset / 4):
			w[0][0] &^= 1<<5 - 1 // neither stop, clear nor reset
			if i == start {
				w[0][0] |= first
			} else if i > start {
				w[0][0] |= []uint64{1, 16, 17}[r.Intn(3)]
			}
		case uint64(regs.At("PROMPT").Offset / 4):
			if prompts++; prompts > b.Prompt {
				aw[0][0] = 0
			}
		}
		work[hostAW], work[hostW] = append(work[hostAW], aw), append(work[hostW], w)

		ar := RandomBeats(r, in[hostAR], 1, extreme)[0]
		reg = regs.Map[r.Intn(len(regs.Map))]
		if _, ok := constants[reg.Name]; !ok && reg.Access.Readable() {
			reg = regs.Map[r.Intn(len(constants))]
		}
		ar[0][0] = uint64(reg.Offset) + uint64(r.Intn(4))
		if r.Intn(4) == 0 {
			ar[0][0] = uint64(regs.At("CYCLES_BANK").Offset) + 4*uint64(b.Banks) + 4*uint64(r.Intn(50))
		}
		work[hostAR] = append(work[hostAR], ar)
	}
	if first == 1 {
		work[hostToken] = RandomBeats(r, in[hostToken], r.Intn(b.Token+1), extreme)
	}
	return work
}
