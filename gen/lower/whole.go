package lower

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"ohmloom/gen/arch"
	"ohmloom/hw"
	"ohmloom/ir"
)

// Constants of the integer numerics that the hardware is built for, beside those of the
// attention engine; see examples/models/README.md.
const (
	normShift = 16
	embShift  = 2
)

// normGain is the gain of the norm for d channels: floor(32 sqrt(d) + 1/2).
func normGain(d int) int { return int(math.Floor(32*math.Sqrt(float64(d)) + 0.5)) }

// Whole is the whole chip of a description with a sequencer, without program and tables.
func Whole(c *arch.Chip) hw.Chip {
	m, banks := c.Model, Banks(c.PIM)
	bank := banks[0]
	lanes := bank.Lanes
	bank.Lanes = 0
	return hw.Chip{Top: c.Name, Lanes: lanes, Words: c.Sequencer.Words, Buffers: c.Sequencer.Buffers,
		Vector: max(m.DModel, m.DFF, m.Heads*m.HeadChannels), Banks: len(banks), Bank: bank, Vocab: m.Vocab, HeadLanes: c.Sequencer.HeadLanes, Attention: Engine(c.Attention),
		Unit: hw.VectorUnit{D: m.DModel, K: normGain(m.DModel), Shift: normShift, EmbShift: embShift, Slots: c.Sequencer.PrefillBlock}}
}

func whole(c *arch.Chip, paths []string) (*Tile, error) {
	chip := Whole(c)
	if err := chip.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Sequencer.Pos, err)
	}
	unnamed := chip
	unnamed.Top = ""
	for _, m := range ir.NewDesign(unnamed.Build(hw.NewLib(nil))).Modules {
		if m.Name == c.Name {
			return nil, fmt.Errorf("%s: chip is named %q, which a module inside it has; choose another", c.Pos, c.Name)
		}
	}
	lib, bank := hw.NewLib(at(c.Pos)), chip.Bank
	bank.Lanes = chip.Lanes
	bank.Build(lib.At(at(c.PIM.Pos))) // built first, so that each half carries its own place in the description
	chip.Engine().Build(lib.At(at(c.Attention.Pos)))
	d, err := design(c, chip.Build(lib), paths)
	if err != nil {
		return nil, err
	}
	return &Tile{Design: d, Whole: &chip}, nil
}

// Top is the hardware that a user gets: Chip, a whole chip behind its ports. It has outputs probe_0 and
// so on for signals inside, one for each path below the top module (see ir.Probe); the chip behind the
// ports is ChipPath.
func Top(c *arch.Chip, paths ...string) (*Tile, error) {
	if c.Sequencer == nil {
		return Probed(c, paths)
	}
	tile, err := Chip(c)
	if err != nil {
		return nil, err
	}
	top := Ports(c, *tile.Whole)
	if err := top.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Host.Pos, err)
	}
	lib := hw.NewLib(at(c.Host.Pos))
	if tile.Design, err = design(c, top.Build(lib), paths); err != nil {
		return nil, err
	}
	tile.Ports = &top
	return tile, nil
}

// ChipPath is where the chip is below the top module of Top.
const ChipPath = "u_chip"

// TopImage is what the hardware of Top loads at power-on to be chip.
func TopImage(c *arch.Chip, chip hw.Chip) *ir.Image { return Ports(c, chip).Image(c.Name) }

// Ports is chip behind the ports that c describes. The hash in its registers is that of the hardware's
// parameters: what is loaded (weights, effects of devices, programs) is not in it.
func Ports(c *arch.Chip, chip hw.Chip) hw.ChipTop {
	h := c.Host
	top := hw.ChipTop{Chip: chip, Prompt: h.Prompt, Token: h.Tokens,
		Bus: hw.AxiBursts{Bytes: h.DataBits / 8, Address: h.AddressBits, Burst: h.Burst, Outstanding: h.Outstanding}}
	top.Chip.Top = ""
	sum := sha256.Sum256([]byte(top.Name()))
	top.Chip.Top, top.Hash = chip.Top, binary.BigEndian.Uint64(sum[:])
	return top
}
