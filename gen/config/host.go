package config

import (
	"fmt"
	"math/bits"

	"ohmloom/gen/arch"
)

// Defaults of a host port.
const (
	defaultDataBits    = 64
	defaultAddressBits = 40
	defaultBurst       = 16
	defaultOutstanding = 4
	defaultTokens      = 64
)

// host is the ports of a whole chip, the usual ones where nothing is said.
func (l *loader) host(n *node, c *arch.Chip) *arch.Host {
	if n == nil {
		if c.Sequencer == nil {
			return nil
		}
		return &arch.Host{DataBits: defaultDataBits, AddressBits: defaultAddressBits, Burst: defaultBurst, Outstanding: defaultOutstanding,
			Prompt: defaultTokens, Tokens: defaultTokens, Pos: c.Sequencer.Pos}
	}
	h := &arch.Host{DataBits: n.int("data_bits", defaultDataBits), AddressBits: n.int("address_bits", defaultAddressBits),
		Burst: n.int("burst", defaultBurst), Outstanding: n.int("outstanding", defaultOutstanding),
		Prompt: n.int("prompt", defaultTokens), Tokens: n.int("tokens", defaultTokens), Pos: n.pos()}
	if l.broken {
		return h
	}
	if c.Sequencer == nil {
		l.add(Error, n.rng, Diagnostic{Summary: "Only a whole chip has a host", In: n.in, Suggestion: "add sequencer { ... }"})
	}
	if h.DataBits&(h.DataBits-1) != 0 {
		l.add(Error, n.at("data_bits"), Diagnostic{Summary: "No such width of an AXI4 bus", In: n.in, Value: fmt.Sprint(h.DataBits),
			Allowed: "32, 64, 128, 256, 512, 1024", Suggestion: fmt.Sprintf("data_bits = %d", 1<<bits.Len(uint(h.DataBits)))})
	}
	return h
}
