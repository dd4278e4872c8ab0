// Package arch holds a validated architecture description as plain structs.
//
// Nothing here knows of HCL, the IR or Verilog. gen/config produces a Chip from a
// description, gen/lower turns it into hardware. A Chip that config returned without an
// error diagnostic satisfies every range stated in the field comments below.
package arch

import (
	"fmt"

	"ohmloom/hw/device"
)

// Pos is where a value was written in the user's description.
type Pos struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0 when the position is not known
	Col  int    `json:"col"`  // from 1, in characters
}

func (p Pos) String() string {
	if p.File == "" {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Chip is one description: the hardware, the technology it is estimated in and what
// `verify` runs on it.
type Chip struct {
	Name       string  // Verilog identifier; the top module's name
	ClockMHz   float64 // 0.001 .. 10,000; default 100
	Attention  *Attention
	PIM        *PIM
	Sequencer  *Sequencer // makes the halves one machine that runs programs, or nil: they stand side by side
	Host       *Host      // AXI ports of a whole chip; nil without a sequencer
	Model      *Model     // what runs on it, or nil
	Technology Technology
	Verify     Verify
	Pos        Pos
	Source     string // the description's file name, as the user gave it
	Hash       string // SHA-256 (hex) over the evaluated description
}

// Attention is the digital half: Rows x Cols PEs, at most 2^18 in all, either as a bare
// systolic array or, with Decode, as an engine that keeps the KV cache and
// computes the attention of one token after the other, layer by layer. The fields from Heads
// on are zero without Decode.
type Attention struct {
	Rows, Cols int    // 1 .. 1024 PEs each way
	Dataflow   string // OutputStationary, WeightStationary or InputStationary; the first with Decode
	MaxK       int    // largest inner dimension of one fold, 1 .. 65,536, or the most moving rows, whose sums have a place; default 4,096
	Decode     string // "": bare array; "column": one column works, as in PIM-LLM; "spread": all do

	Heads        int    // query heads, 1 .. 1,024, a multiple of KVHeads
	KVHeads      int    // key and value heads, 1 .. Heads; default Heads
	HeadChannels int    // channels of a head, 1 .. 1,024; in column mode 1 .. 128
	Context      int    // tokens that attention looks back on, this one included, 1 .. 65,536
	Layers       int    // 1 .. 1,024; default 1
	Softmax      string // Integer (default) or ConSmax
	Engines      int    // spread: engines side by side, 1 .. 64, which divide Cols, Heads, KVHeads and the port's columns; default 1; 0 in column mode
	Biased       bool   // scores have a relative position bias from loaded tables; default false; a column engine has tables always, without it of zeros
	Lanes        int    // spread: scores a cycle of the softmax; divides Rows, Cols and, with Biased, Context; default: what keeps the PEs busy; 0 in column mode
	Ahead        int    // spread: heads on their way at once, 1 .. 64; default 4; 0 in column mode
	PortBytes    int    // spread: bytes a cycle of a memory port for the KV cache, Rows x a divisor of Cols; default 0: the cache is on chip

	Pos Pos
}

// Sequencer is what makes PIM banks and a decode engine a whole chip: a program memory and the
// network through which vectors go, of PIM.Lanes elements a cycle. The rest of it, residual
// stream, norm, output head and sampler, follows from the shape of Chip.Model.
type Sequencer struct {
	Words     int // instructions of the program memory, 1 .. 4,096; default 256
	Buffers   int // vectors on their way between units, 1 .. 32; a decoder layer needs 7; default 12
	HeadLanes int // elements of the embedding table that the output head takes in a cycle, 1 .. 1,024, at most Rows x Cols of the array, in column mode Rows; 0: PIM.Lanes, or what the array multiplies

	// PrefillBlock is how many tokens of a prompt go through the chip side by side, 1 .. 16, default
	// 4; 1: one after the other. PrefillAsked: the description says so, and it is an error if the
	// program has no room for such blocks; else they are as large as it has.
	PrefillBlock int
	PrefillAsked bool

	Pos Pos
}

// Host is the ports of a whole chip on an SoC: AXI4-Lite registers, and an AXI4 master to the memory
// that holds the embedding table, programs, and keys and values where they are not on the chip.
type Host struct {
	DataBits    int // of the AXI4 master: 32, 64, .. 1,024; default 64
	AddressBits int // of it, 13 .. 64; default 40
	Burst       int // most beats of a burst, 1 .. 256; default 16
	Outstanding int // bursts on their way at once, 1 .. 16; default 4
	Prompt      int // tokens of a prompt that wait for the chip, 1 .. 65,535; default 64
	Tokens      int // tokens that wait for the host, 1 .. 65,535; default 64
	Pos         Pos
}

// KVBytes is the size of the KV cache: keys and values, int8.
func (a *Attention) KVBytes() int {
	return 2 * a.Layers * a.KVHeads * a.HeadChannels * a.Context
}

// Dataflows: which operand of a matrix product stays in the array.
const (
	OutputStationary = "output_stationary"
	WeightStationary = "weight_stationary"
	InputStationary  = "input_stationary"
)

// What turns scores into weights.
const (
	Integer = "integer" // softmax with base-2 exponentials and one reciprocal a head
	ConSmax = "consmax" // learned constants in place of maximum and sum (arXiv 2402.10930), from loaded tables
)

// Decode modes.
const (
	Column = "column" // one column of the array has work, the mapping of PIM-LLM (arXiv 2504.01994)
	Spread = "spread" // all columns have, each beside its own bank of the KV cache
)

// PIM is the analog half: banks of tiles of processing elements, or the PEs of one compute
// tile, of at most 2^26 cells in all (a differential pair counted once).
//
// Without Bank, PEs form a grid of RowBlocks x ColBlocks crossbars: the tile computes an
// (RowBlocks*Crossbar.Rows) x (ColBlocks*Crossbar.Cols) matrix-vector product, partial
// sums of the row blocks being added digitally.
type PIM struct {
	RowBlocks, ColBlocks int // 1 .. 64 each; default 1
	Lanes                int // elements per beat of the tile's input and output streams, 1 .. 64; default 8
	Crossbar             Crossbar
	Bank                 *Bank // banks that hold the matrices of a model; RowBlocks and ColBlocks are then 1
	Pos                  Pos
}

// Bank is the hierarchy of banks that each hold many matrices: Count banks of TileRows x
// TileCols tiles of PEs PEs each, with routers that add up what belongs together.
type Bank struct {
	Count              int // banks, 1 .. 64; default 1
	TileRows, TileCols int // tiles of a bank, 1 .. 64 each; default 1
	PEs                int // PEs of a tile, 1 .. 64; default 16
	Buffer             int // int8 elements of a bank's global buffer, 1 .. 65,536, rounded up to at least 2 beats; default 1,024
	Norm               *BankNorm
	Split              bool // matrices may span banks: there is no sequencer, which gives an operation to one bank
}

// BankNorm is a norm in the post-processing of banks, of the results of some projections.
type BankNorm struct {
	Kind     string   // RMS or Layer
	Of       []string // "wo", "w2" or both: projections whose results are normalised
	Channels int      // outputs of these matrices, 1 .. 65,535
	Gain     int      // 1 .. 8,192; default floor(32 sqrt(Channels) + 1/2) for RMS, 32 for Layer
	Shift    int      // 1 .. 44; default 16 for RMS, 24 + bits of Channels, at most 44, for Layer
	Pos      Pos
}

// Kinds of norm.
const (
	RMS   = "rms"
	Layer = "layer"
)

// Crossbar is one differential pair of ternary crossbars with its converters.
type Crossbar struct {
	Rows, Cols int // 1 .. 1,024 cells each way
	ADC        ADC
	Effects    device.Effects // of cells and converters, all off by default; Seed 1
	Write      *Write         // write path, or nil: weights come in preloaded tables only
	Pos        Pos
}

// Write is the write path of crossbars: rows of weights come in through a port, are programmed by
// pulses and read back. A crossbar with it has no wire resistances, because what a cell
// contributes through them depends on all others.
type Write struct {
	Tolerance float64 // of a verified pair, ON cells, 0 .. 3.99; default 0.5
	Pulses    int     // most pulses of a row's columns that are written at once, 1 .. 14; default 4
	Yield     float64 // probability that a pulse switches a pair, 0 .. 1; default 1
}

// ADC is the converter behind the crossbar's columns.
type ADC struct {
	Bits  int    // 1 .. 16; two's complement code of one conversion; default 8
	Share int    // columns per converter, 1 .. Crossbar.Cols (need not divide Cols); default 8, or all
	Step  string // "ideal": exact; "clip": 1 LSB = one ON cell, saturating; "full": full scale = all active rows ON; default "clip"
	Rows  int    // rows active per conversion, 1 .. Crossbar.Rows (need not divide Rows); default 64, or all
	Pos   Pos
}

// Technology names what area and energy figures are based on.
type Technology struct {
	Name          string
	NodeNM        float64
	Liberty       string  // path of a Liberty file, or "" for the default standard cells (osu018)
	LibertyNodeNM float64 // feature size of those cells; 180 for the default ones
	Macros        MacroArea
	Energy        Energy
	Pos           Pos
}

// MacroArea holds area models of the parts Yosys cannot synthesise. Every figure carries
// unit and source.
type MacroArea struct {
	ADCUm2       Quantity // one converter, um2
	DACUm2       Quantity // one 1-bit row driver, um2
	CellUm2      Quantity // one crossbar cell (1T1R), um2
	SRAMBitUm2   Quantity // one SRAM bit, um2, periphery left out
	SRAMFixedUm2 Quantity // per SRAM macro, um2
	GateUm2      Quantity // gate equivalent of synthesised logic, um2; may be missing
}

// AreaPart is one figure of MacroArea as technologies name it.
type AreaPart struct {
	Name     string
	Of       func(*MacroArea) *Quantity
	Optional bool
}

// AreaParts lists the figures of MacroArea.
var AreaParts = []AreaPart{
	{"adc", func(a *MacroArea) *Quantity { return &a.ADCUm2 }, false},
	{"dac", func(a *MacroArea) *Quantity { return &a.DACUm2 }, false},
	{"cell", func(a *MacroArea) *Quantity { return &a.CellUm2 }, false},
	{"sram_bit", func(a *MacroArea) *Quantity { return &a.SRAMBitUm2 }, false},
	{"sram_fixed", func(a *MacroArea) *Quantity { return &a.SRAMFixedUm2 }, false},
	{"gate", func(a *MacroArea) *Quantity { return &a.GateUm2 }, true},
}

// Energy holds what estimates of energy are made of. A figure without Kind is not known.
type Energy struct {
	ADC      Quantity // one conversion, pJ
	DAC      Quantity // one row driven for one conversion, pJ
	Cell     Quantity // one crossbar cell in one conversion, pJ
	MAC      Quantity // int8 multiplication and its share of the addition, pJ
	ShiftAdd Quantity // one converter code added in a crossbar PE, pJ
	Add      Quantity // int32 addition, pJ
	Multiply Quantity // int32 multiplication, pJ
	SRAMBit  Quantity // read or written, pJ/bit
	LinkBit  Quantity // over the network of a bank or of the chip, pJ/bit
	LPDDRBit Quantity // external memory, pJ/bit
	PELeak   Quantity // leakage of one PE of the attention array, uW

	// What follows may be missing. It is dynamic energy without clocks, where FlipFlop is known.
	Switch      Quantity // element of 16 bits written into a buffer of the switch and read, pJ
	Softmax     Quantity // score, from the array to its weight, pJ
	Normalise   Quantity // output of attention divided by its sum of weights, pJ
	Router      Quantity // sum of a PE on its way through the routers of a bank, pJ
	BankControl Quantity // element of a vector handed to the PEs of a bank, pJ
	Post        Quantity // result scaled, activated and buffered behind a bank, pJ
	PEControl   Quantity // control and input vector of a PE, a converter code, pJ
	Vector      Quantity // element of the residual stream for an addition and a norm, pJ
	Head        Quantity // element of a row of the output head, the product left out, pJ
	Sampler     Quantity // logit, pJ
	Sequencer   Quantity // instruction, pJ
	FlipFlop    Quantity // clock of a flip-flop in a cycle, pJ
	GateLeak    Quantity // leakage of a gate equivalent, uW; PELeak is left out then
}

// EnergyPart is one figure of Energy as technologies name it.
type EnergyPart struct {
	Name, Unit string
	Of         func(*Energy) *Quantity
	Optional   bool // technologies may leave it out, and estimates then do
}

// EnergyParts lists the figures of Energy.
var EnergyParts = []EnergyPart{
	{"adc", "pJ", func(e *Energy) *Quantity { return &e.ADC }, false},
	{"dac", "pJ", func(e *Energy) *Quantity { return &e.DAC }, false},
	{"cell", "pJ", func(e *Energy) *Quantity { return &e.Cell }, false},
	{"mac", "pJ", func(e *Energy) *Quantity { return &e.MAC }, false},
	{"shift_add", "pJ", func(e *Energy) *Quantity { return &e.ShiftAdd }, false},
	{"add", "pJ", func(e *Energy) *Quantity { return &e.Add }, false},
	{"multiply", "pJ", func(e *Energy) *Quantity { return &e.Multiply }, false},
	{"sram_bit", "pJ/bit", func(e *Energy) *Quantity { return &e.SRAMBit }, false},
	{"link_bit", "pJ/bit", func(e *Energy) *Quantity { return &e.LinkBit }, false},
	{"lpddr_bit", "pJ/bit", func(e *Energy) *Quantity { return &e.LPDDRBit }, false},
	{"pe_leak", "uW", func(e *Energy) *Quantity { return &e.PELeak }, false},
	{"switch", "pJ", func(e *Energy) *Quantity { return &e.Switch }, true},
	{"softmax", "pJ", func(e *Energy) *Quantity { return &e.Softmax }, true},
	{"normalise", "pJ", func(e *Energy) *Quantity { return &e.Normalise }, true},
	{"router", "pJ", func(e *Energy) *Quantity { return &e.Router }, true},
	{"bank_control", "pJ", func(e *Energy) *Quantity { return &e.BankControl }, true},
	{"post", "pJ", func(e *Energy) *Quantity { return &e.Post }, true},
	{"pe_control", "pJ", func(e *Energy) *Quantity { return &e.PEControl }, true},
	{"vector", "pJ", func(e *Energy) *Quantity { return &e.Vector }, true},
	{"head", "pJ", func(e *Energy) *Quantity { return &e.Head }, true},
	{"sampler", "pJ", func(e *Energy) *Quantity { return &e.Sampler }, true},
	{"sequencer", "pJ", func(e *Energy) *Quantity { return &e.Sequencer }, true},
	{"flip_flop", "pJ", func(e *Energy) *Quantity { return &e.FlipFlop }, true},
	{"gate_leak", "uW", func(e *Energy) *Quantity { return &e.GateLeak }, true},
}

// Quantity is a number with its provenance.
type Quantity struct {
	Value  float64
	Unit   string
	Kind   string // measured, synthesised, cited, fitted or assumed
	Source string
	Pos    Pos
}

// Verify is what `ohmloom verify` does with the chip.
type Verify struct {
	Engines []string // of "interp", "gosim", "verilated"; default all
	Cycles  int      // random cycles after the directed stimuli, 0 .. 10^9; default 2,000
	Seed    uint64   // of everything random; default 1
	Program *Program // weights and activations from a trained model, or nil
	Pos     Pos
}

// Program puts one matrix of a checkpoint into the crossbars and runs its golden
// activations through the RTL.
type Program struct {
	Model  string    // path of a .safetensors checkpoint
	Tensor string    // "layers.0.wq"
	Golden string    // path of golden vectors (JSON), or ""
	Cases  []ADCCase // further crossbar settings the same hardware is checked with
	Pos    Pos
}

// ADCCase is one crossbar setting of the golden file: rows per conversion and ADC bits.
type ADCCase struct {
	Rows, Bits int
	Pos        Pos
}
