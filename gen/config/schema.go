package config

import (
	"math"

	"ohmloom/gen/arch"
	"ohmloom/hw/device"
)

// kind is the type of value an attribute takes.
type kind int

const (
	kindInt        kind = iota // a whole number within min .. max
	kindNumber                 // any number within min .. max
	kindString                 // a string, one of enum if that is set
	kindStrings                // a list of distinct strings, each one of enum
	kindPath                   // a file name, relative to the file that wrote it
	kindBool                   // true or false
	kindPair                   // two whole numbers, each within min .. max
	kindValues                 // a list of values of any kind
	kindConditions             // true or false, or a list of them
)

func (k kind) String() string {
	return [...]string{"a whole number", "a number", "a string", "a list of strings", "a file name", "true or false", "two whole numbers",
		"a list of values", "true or false, or a list of them"}[k]
}

// attrSpec says what one attribute may be. The specs below are the whole language: names,
// types, ranges, suggestions and completeness are all checked from them.
type attrSpec struct {
	name     string
	kind     kind
	min, max float64 // range of numbers, both ends included
	enum     []string
	required bool
	hint     string // what to do about a value above max, or about a missing attribute
}

// blockSpec says what one block may contain.
type blockSpec struct {
	name     string
	label    string   // what the one label means, "" when the block has none
	labels   []string // the only labels allowed, nil for any
	many     bool     // may be repeated; blocks with labels then need distinct ones
	required []string // blocks that must be present
	attrs    []attrSpec
	blocks   []blockSpec
}

func (b *blockSpec) attr(name string) *attrSpec {
	for i := range b.attrs {
		if b.attrs[i].name == name {
			return &b.attrs[i]
		}
	}
	return nil
}

func (b *blockSpec) block(name string) *blockSpec {
	for i := range b.blocks {
		if b.blocks[i].name == name {
			return &b.blocks[i]
		}
	}
	return nil
}

func (b *blockSpec) attrNames() []string {
	var names []string
	for _, a := range b.attrs {
		names = append(names, a.name)
	}
	return names
}

func (b *blockSpec) blockNames() []string {
	var names []string
	for _, c := range b.blocks {
		names = append(names, c.name)
	}
	return names
}

// engines are the simulators that `verify` can run, in the order it runs them.
var engines = []string{"interp", "gosim", "verilated"}

// dataflows of a bare array; engines have the first.
var dataflows = []string{arch.OutputStationary, arch.WeightStationary, arch.InputStationary}

// areaParts are the labels of a technology's `area` blocks.
var areaParts = areaNames()

func areaNames() (names []string) {
	for _, p := range arch.AreaParts {
		names = append(names, p.Name)
	}
	return names
}

// quantityKinds say how a figure was come by.
var quantityKinds = []string{"measured", "synthesised", "cited", "fitted", "assumed"}

// MaxCells and MaxPEs bound the whole chip beyond what the ranges of single attributes do.
const (
	MaxCells = 1 << 26 // crossbar cells of a chip that is built, counted once a differential pair; estimates take any number
	MaxPEs   = 1 << 18 // PEs of the attention array
)

// language is the root of a description. `include`, `variable` and `locals` are read
// earlier, since the rest depends on them, and stand here so that their names are known.
var language = blockSpec{
	required: []string{"chip"},
	attrs: []attrSpec{
		{name: "technology", kind: kindString},
		{name: "model", kind: kindString, hint: "what estimates run: a name of the library, a model block, a .safetensors or a .gguf file"},
	},
	blocks: []blockSpec{
		{name: "include", label: "file or preset", many: true},
		{name: "variable", label: "name", many: true},
		{name: "locals", many: true},
		chipSpec, modelSpec, technologySpec, verifySpec, sweepSpec,
	},
}

var chipSpec = blockSpec{
	name: "chip", label: "name",
	attrs: []attrSpec{
		{name: "clock_mhz", kind: kindNumber, min: 0.001, max: 10_000, hint: "the unit is MHz"},
	},
	blocks: []blockSpec{
		{
			name: "attention",
			attrs: []attrSpec{
				{name: "rows", kind: kindInt, min: 1, max: 1024, required: true, hint: "PEs from top to bottom"},
				{name: "cols", kind: kindInt, min: 1, max: 1024, required: true, hint: "PEs from left to right"},
				{name: "dataflow", kind: kindString, enum: dataflows},
				{name: "max_k", kind: kindInt, min: 1, max: 65_536, hint: "largest inner dimension of one fold"},
				{name: "decode", kind: kindString, enum: []string{arch.Column, arch.Spread}},
				{name: "heads", kind: kindInt, min: 1, max: 1024, hint: "query heads of a layer"},
				{name: "kv_heads", kind: kindInt, min: 1, max: 1024, hint: "key and value heads of a layer"},
				{name: "head_channels", kind: kindInt, min: 1, max: 1024, hint: "channels of a head"},
				{name: "context", kind: kindInt, min: 1, max: maxContext, hint: "tokens that attention looks back on"},
				{name: "layers", kind: kindInt, min: 1, max: 1024, hint: "layers whose keys and values are kept"},
				{name: "bias", kind: kindBool},
				{name: "softmax", kind: kindString, enum: []string{arch.Integer, arch.ConSmax}},
				{name: "engines", kind: kindInt, min: 1, max: 64, hint: "engines side by side, each with its share of columns and heads"},
				{name: "softmax_lanes", kind: kindInt, min: 1, max: 1024, hint: "scores a cycle of the softmax"},
				{name: "heads_ahead", kind: kindInt, min: 1, max: 64, hint: "heads on their way at once"},
				{name: "port_bytes", kind: kindInt, min: 0, max: 1 << 20, hint: "bytes a cycle of the memory port; 0: the cache is on chip"},
			},
		},
		{
			name: "pim", required: []string{"crossbar"},
			attrs: []attrSpec{
				{name: "row_blocks", kind: kindInt, min: 1, max: 64, hint: "crossbars of the tile that share outputs"},
				{name: "col_blocks", kind: kindInt, min: 1, max: 64, hint: "crossbars of the tile that share inputs"},
				{name: "lanes", kind: kindInt, min: 1, max: 64, hint: "elements per beat of the streams"},
				{name: "banks", kind: kindInt, min: 1, max: 64, hint: "banks side by side"},
				{name: "tiles", kind: kindPair, min: 1, max: 64, hint: "rows and columns of tiles of a bank"},
				{name: "pes", kind: kindInt, min: 1, max: 64, hint: "PEs of a tile"},
				{name: "buffer", kind: kindInt, min: 1, max: 65_536, hint: "int8 elements of a bank's global buffer"},
			},
			blocks: []blockSpec{{
				name: "norm",
				attrs: []attrSpec{
					{name: "kind", kind: kindString, enum: []string{arch.RMS, arch.Layer}},
					{name: "of", kind: kindStrings, enum: []string{"wo", "w2"}, required: true, hint: "projections whose results the banks normalise"},
					{name: "channels", kind: kindInt, min: 1, max: 65_535, required: true, hint: "outputs of these projections"},
					{name: "gain", kind: kindInt, min: 1, max: 8192, hint: "32 sqrt(channels) unless given, 32 for a norm with mean"},
					{name: "shift", kind: kindInt, min: 1, max: 44, hint: "binary digits of the reciprocal"},
				},
			}, {
				name: "crossbar",
				attrs: []attrSpec{
					{name: "rows", kind: kindInt, min: 1, max: 1024, required: true, hint: "more inputs: raise pim.row_blocks"},
					{name: "cols", kind: kindInt, min: 1, max: 1024, required: true, hint: "more outputs: raise pim.col_blocks"},
					{name: "writable", kind: kindBool},
					{name: "tolerance", kind: kindNumber, min: 0, max: 3.99, hint: "of a verified pair, ON cells"},
					{name: "pulses", kind: kindInt, min: 1, max: device.NeverSwitches - 1, hint: "most pulses until a pair counts as failed"},
					{name: "yield", kind: kindNumber, min: 0, max: 1, hint: "probability that a pulse switches a pair"},
				},
				blocks: []blockSpec{{
					name: "adc",
					attrs: append([]attrSpec{
						{name: "bits", kind: kindInt, min: 1, max: 16, hint: "bits of one conversion"},
						{name: "share", kind: kindInt, min: 1, max: 1024, hint: "columns per converter"},
						{name: "step", kind: kindString, enum: []string{"ideal", "clip", "full"}},
						{name: "rows", kind: kindInt, min: 1, max: 1024, hint: "rows active per conversion"},
						{name: "separate", kind: kindBool},
					}, effectAttrs("adc")...),
				}, {
					name: "device",
					attrs: append([]attrSpec{
						{name: "distribution", kind: kindString, enum: []string{device.Gaussian, device.LogNormal}},
						{name: "seed", kind: kindInt, min: 0, max: math.MaxUint64, hint: "any 64-bit number"},
					}, effectAttrs("device")...),
				}},
			}},
		},
		{
			name: "sequencer",
			attrs: []attrSpec{
				{name: "words", kind: kindInt, min: 1, max: 4096, hint: "instructions of the program memory"},
				{name: "buffers", kind: kindInt, min: 1, max: 32, hint: "vectors on their way between units"},
				{name: "prefill_block", kind: kindInt, min: 1, max: 16, hint: "tokens of a prompt that go through the chip side by side"},
				{name: "head_lanes", kind: kindInt, min: 1, max: maxHeadLanes, hint: "elements of the embedding table that the output head takes in a cycle; what the attention array multiplies of pim.lanes unless given"},
			},
		},
		{
			name: "host",
			attrs: []attrSpec{
				{name: "data_bits", kind: kindInt, min: 32, max: 1024, hint: "width of the AXI4 memory port"},
				{name: "address_bits", kind: kindInt, min: 13, max: 64, hint: "of the AXI4 memory port"},
				{name: "burst", kind: kindInt, min: 1, max: 256, hint: "most beats of a burst"},
				{name: "outstanding", kind: kindInt, min: 1, max: 16, hint: "bursts on their way at once"},
				{name: "prompt", kind: kindInt, min: 1, max: 65535, hint: "tokens that wait for the chip"},
				{name: "tokens", kind: kindInt, min: 1, max: 65535, hint: "tokens that wait for the host"},
			},
		},
	},
}

var technologySpec = blockSpec{
	name: "technology", label: "name", many: true,
	attrs: []attrSpec{
		{name: "node_nm", kind: kindNumber, min: 1, max: 10_000, required: true, hint: "feature size in nm"},
		{name: "liberty", kind: kindPath},
		{name: "liberty_node_nm", kind: kindNumber, min: 1, max: 10_000, hint: "feature size of the standard cells in nm"},
	},
	blocks: []blockSpec{energySpec, {
		name: "area", label: "part", labels: areaParts, many: true,
		attrs: []attrSpec{
			{name: "value", kind: kindNumber, min: 0, max: 1e12, required: true, hint: "an area in um2"},
			{name: "unit", kind: kindString, enum: []string{"um2"}, required: true, hint: `every figure says its unit: unit = "um2"`},
			{name: "kind", kind: kindString, enum: quantityKinds, required: true, hint: "every figure says how it was come by"},
			{name: "source", kind: kindString, required: true, hint: "every figure says where it is from: a paper, a data sheet, a run"},
		},
	}},
}

var verifySpec = blockSpec{
	name: "verify",
	attrs: []attrSpec{
		{name: "engines", kind: kindStrings, enum: engines},
		{name: "cycles", kind: kindInt, min: 0, max: 1e9, hint: "random cycles after the directed stimuli"},
		{name: "seed", kind: kindInt, min: 0, max: math.MaxUint64, hint: "any 64-bit number"},
	},
	blocks: []blockSpec{{
		name: "program",
		attrs: []attrSpec{
			{name: "model", kind: kindPath, required: true, hint: "path of a .safetensors checkpoint"},
			{name: "tensor", kind: kindString, hint: `the matrix to put into the crossbars, such as "layers.0.wq"`},
			{name: "golden", kind: kindPath},
		},
		blocks: []blockSpec{{
			name: "case", many: true,
			attrs: []attrSpec{
				{name: "rows", kind: kindInt, min: 1, max: 1024, required: true, hint: "rows active per conversion"},
				{name: "bits", kind: kindInt, min: 1, max: 16, required: true, hint: "bits of one signed conversion"},
			},
		}},
	}},
}
