package lower

import (
	"fmt"
	"math"
	"strconv"

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

// Top is Chip, behind the ports of its host when it has one.
func Top(c *arch.Chip) (*Tile, error) {
	tile, err := Chip(c)
	if err != nil || c.Host == nil {
		return tile, err
	}
	top := behindPorts(c, *tile.Whole)
	if err := top.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Host.Pos, err)
	}
	lib := hw.NewLib(at(c.Host.Pos))
	if tile.Design, err = design(c, top.Build(lib), nil); err != nil {
		return nil, err
	}
	return tile, nil
}

// TopImage is what the hardware of Top loads at power-on to be chip.
func TopImage(c *arch.Chip, chip hw.Chip) *ir.Image {
	if c.Host == nil {
		return chip.Image(c.Name)
	}
	return behindPorts(c, chip).Image(c.Name)
}

func behindPorts(c *arch.Chip, chip hw.Chip) hw.ChipTop {
	hash, err := strconv.ParseUint(c.Hash[:16], 16, 64)
	if err != nil {
		panic("lower: the hash of the description is " + c.Hash)
	}
	h := c.Host
	return hw.ChipTop{Chip: chip, Prompt: h.Prompt, Token: h.Tokens, Hash: hash,
		Bus: hw.AxiBursts{Bytes: h.DataBits / 8, Address: h.AddressBits, Burst: h.Burst, Outstanding: h.Outstanding}}
}
