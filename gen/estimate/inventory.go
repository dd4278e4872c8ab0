package estimate

import (
	"fmt"
	"strconv"
	"sync"

	"ohmloom/gen/arch"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/ir/gates"
)

// Parts of the area beside those of time and energy.
const (
	AttentionControl = "attention control"
	PEControl        = "PE control" // vector and cycles of a crossbar PE
	BankControl      = "bank control"
	PostProcessing   = "post-processing"
	OutputHead       = "output head"
	Sampler          = "sampler"
	Sequencer        = "sequencer"
	Switch           = "switch" // and the gearboxes round it
	Routers          = "routers"
	Host             = "host"
	SRAM             = "SRAM"
	Analog           = "analog" // crossbars, converters and row drivers
)

// digitalParts are the parts that are made of gates, in the order in which they are printed.
var digitalParts = []string{Array, Softmax, AttentionControl, ShiftAdd, PEControl, Routers, BankControl, PostProcessing, Vector, OutputHead, Sampler, Sequencer, Switch, Host}

// partOfBlock is the part that a block of hw belongs to; others belong where they stand.
var partOfBlock = map[string]string{
	"spread_pe": Array, "spread_column": Array, "pe": Array, "pe_buffered": Array, "pe_stationary": Array, "writable_pe": Array,
	"array": Array, "array_buffered": Array, "array_stationary": Array, "array_accumulate": Array, "skew": Array,
	"spread_softmax": Softmax, "spread_normalise": Softmax, "softmax": Softmax, "normalise": Softmax, "consmax": Softmax, "exp_rom": Softmax,
	"spread": AttentionControl, "spread_side": AttentionControl, "attention_column": AttentionControl, "kv_cache": AttentionControl,
	"replay": AttentionControl, "rel_bias": AttentionControl,
	"shift_add": ShiftAdd, "crossbar_pe": PEControl, "bank_pe": PEControl,
	"router": Routers, "pim_tile": Routers, "distributor": Routers, "collector": Routers,
	"bank": BankControl, "bank_control": BankControl, "pim": BankControl, "bank_post": PostProcessing, "requantise": PostProcessing, "activation": PostProcessing,
	"vector_unit": Vector, "norm": Vector, "residual_add": Vector,
	"output_head": OutputHead, "sampler": Sampler, "sequencer": Sequencer, "chip": Sequencer, "tile": Sequencer,
	"switch": Switch, "gearbox": Switch, "host": Host, "axi_read": Host, "axi_write": Host, "chip_top": Host,
}

// inventory is what hardware is made of.
type inventory struct {
	gates, flipFlops map[string]float64 // by part
	srams, bits      float64            // memories, their bits in all
	macros           map[string]float64 // cells, converters and dacs of the crossbars
}

func newInventory() *inventory {
	return &inventory{gates: map[string]float64{}, flipFlops: map[string]float64{}, macros: map[string]float64{}}
}

// add adds n of another.
func (v *inventory) add(o *inventory, n float64) {
	for _, p := range digitalParts {
		v.gates[p] += n * o.gates[p]
		v.flipFlops[p] += n * o.flipFlops[p]
	}
	v.srams, v.bits = v.srams+n*o.srams, v.bits+n*o.bits
	for _, key := range analogCounts {
		v.macros[key] += n * o.macros[key]
	}
}

// analogCounts are the attributes of a crossbar macro that areas follow from.
var analogCounts = []string{"cells", "converters", "dacs"}

// take counts n instances of module m, which stands in part.
func (v *inventory) take(m *ir.Module, n float64, part string) {
	if m.Macro != nil {
		v.macro(m.Macro, n)
		return
	}
	if m.Loc != nil && partOfBlock[m.Loc.Block] != "" {
		part = partOfBlock[m.Loc.Block]
	}
	c := gates.Of(m)
	v.gates[part] += n * c.Gates()
	v.flipFlops[part] += n * c.FlipFlops()
	for _, in := range m.Insts {
		v.take(in.Of, n*float64(in.Count()), part)
	}
}

func (v *inventory) macro(m *ir.Macro, n float64) {
	count := func(key string) float64 {
		for _, a := range m.Attrs {
			if a.Key == key {
				x, err := strconv.ParseFloat(a.Value, 64)
				if err != nil {
					panic("estimate: attribute " + key + " of a macro is " + a.Value)
				}
				return x
			}
		}
		panic("estimate: a macro of kind " + m.Kind + " does not state " + key)
	}
	if m.Kind == "sram" {
		v.srams, v.bits = v.srams+n, v.bits+n*count("bits")
		return
	}
	for _, key := range analogCounts {
		v.macros[key] += n * count(key)
	}
}

// counted remembers the inventories of blocks by name, which says all that they are made of.
var counted sync.Map // string -> *inventory

// inventoryOf counts a block.
func inventoryOf(b hw.Block) *inventory {
	if v, ok := counted.Load(b.Name()); ok {
		return v.(*inventory)
	}
	v := newInventory()
	v.take(b.Build(hw.NewLib(nil)), 1, Sequencer) // the passes would take most of the time and less than 1 % of the gates
	counted.Store(b.Name(), v)
	return v
}

// inventory is what the chip is made of: as described, or with what the model needs.
func (h *Hardware) inventory(m arch.Model, l, pairs int) (*inventory, error) {
	if h.design != nil {
		d, err := h.design()
		if err != nil {
			return nil, err
		}
		v := newInventory()
		v.take(d.Top, 1, Sequencer)
		return v, nil
	}
	units, err := h.units(m, l, pairs)
	if err != nil {
		return nil, err
	}
	v := newInventory()
	for _, u := range units {
		if err := u.block.Check(); err != nil {
			return nil, fmt.Errorf("%s of chip %q for model %q: %w", u.what, h.Name, m.Name, err)
		}
		v.add(inventoryOf(u.block), u.count)
	}
	return v, nil
}

// unit is count blocks of a kind.
type unit struct {
	what  string
	block hw.Block
	count float64
}

// Sizes of what hardware without a description has for itself.
const (
	programWords = 256
	vectors      = 7  // buffers of the switch
	headRows     = 16 // on their way in the output head

	generatedContext = 4096 // tokens that its engine keeps at least
)

// units are the blocks of a chip that is generated for model m: its banks and engine, and what
// a whole chip has round them.
func (h *Hardware) units(m arch.Model, l, pairs int) ([]unit, error) {
	made := generatedContext // the same for many contexts
	for made < l {
		made *= 2
	}
	if h.Attention.Context > 0 {
		made = h.Attention.Context
	}
	eng, err := h.engineFor(m, made)
	if err != nil {
		return nil, err
	}
	var engine hw.Block = hw.Array{Rows: h.Attention.Rows, Cols: h.Attention.Cols}
	lanes := max(h.HeadLanes, h.Lanes)
	if eng.block != nil {
		chip := hw.Chip{Lanes: h.Lanes, HeadLanes: h.HeadLanes, Attention: eng.block, Unit: hw.VectorUnit{D: m.DModel}}
		engine, lanes = chip.Engine(), chip.RowLanes()
	}
	bank := *h.Bank
	bank.Act = hw.Activation{Func: hw.SquaredReLU, Shift: 7}
	ops := operations(m)
	bank.Ops, bank.Blocks, bank.Reads, bank.Buffer = len(ops), 0, 0, 2
	for _, op := range ops {
		bank.Blocks += ceilDiv(op.shape.K, bank.Crossbar.Rows)
		for _, n := range op.shape.N {
			bank.Reads += ceilDiv(n, bank.Crossbar.Cols)
		}
		bank.Buffer = max(bank.Buffer, ceilDiv(op.shape.K, bank.Lanes))
	}
	banks := ceilDiv(pairs, bank.Rows*bank.Cols*bank.PEs)
	vector := max(m.DModel, m.DFF, m.Heads*m.HeadChannels)
	count := max(h.Banks, 1)
	sequencer := hw.Sequencer{Words: programWords, Banks: min(count, 16), Buffers: vectors, Ops: bank.Ops, Slots: 1}
	net := hw.Switch{Lanes: h.Lanes, Width: 16, Depth: ceilDiv(vector, h.Lanes), Buffers: vectors, Writers: count + 2, Offsets: make([]int, count+5)}
	list := []unit{
		{"the attention engine", engine, 1},
		{"banks", bank, float64(banks)},
		{"the vector unit", hw.VectorUnit{D: m.DModel, Lanes: h.Lanes, K: 256, Shift: 16, Slots: 1}, 1},
		{"the sequencer", sequencer, 1},
		{"the switch", net, 1},
	}
	if m.Vocab > 0 {
		list = append(list, unit{"the output head", hw.OutputHead{D: m.DModel, Lanes: lanes, Rows: m.Vocab, Ahead: headRows}, 1}, unit{"the sampler", hw.Sampler{Tokens: min(m.Vocab, 65536)}, 1})
	}
	return list, nil
}
