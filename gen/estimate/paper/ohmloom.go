package paper

import (
	"ohmloom/gen/arch"
	"ohmloom/gen/estimate"
	"ohmloom/hw"
)

// ohmloom's chip beside the paper's: the same multipliers, clock and crossbars.
const (
	OhmloomColumn = "ohmloom-column"
	OhmloomSpread = "ohmloom-spread"

	portBytes  = 256 // a cycle at 100 MHz: LPDDR5-6400 x32
	chipLanes  = 64  // elements a cycle of the on-chip network
	bankTilePE = 16  // PEs of a tile
	bankCols   = 16  // tiles in a row of a bank
	headsAhead = 8
	layerBanks = 3 // Q, K and V leave side by side
)

// Hardware is ohmloom's chip for model m: 32 x 32 multipliers at 100 MHz in the given decode mode,
// LPDDR5-6400 x32 for the KV cache, and three banks of 256 x 256 crossbars for each layer, all rows
// of a crossbar in one conversion and two columns a converter, as in the paper.
func Hardware(decode string, m arch.Model, tech arch.Technology) *estimate.Hardware {
	h := &estimate.Hardware{Name: "ohmloom", ClockMHz: ClockMHz, Lanes: chipLanes, Tech: tech,
		Attention: arch.Attention{Rows: Rows, Cols: Cols, Decode: decode, Ahead: headsAhead, PortBytes: portBytes, Lanes: softmaxLanes(m)}}
	if decode == arch.Spread {
		h.Attention.Engines = enginesFor(m)
		h.HeadLanes = portBytes // the array takes rows of the embedding table as they come
	}
	pairs := 0
	for _, x := range m.Matrices() {
		pairs += ceilDiv(x.Out, xbar) * ceilDiv(x.In, xbar)
	}
	tiles := ceilDiv(pairs, bankTilePE*layerBanks)
	h.Banks = layerBanks
	h.Bank = &hw.Bank{Rows: ceilDiv(tiles, bankCols), Cols: bankCols, PEs: bankTilePE, Lanes: chipLanes,
		Crossbar: hw.Crossbar{Rows: xbar, Cols: xbar, Share: adcShares, Active: xbar, Bits: 8, Step: hw.StepClip}}
	return h
}

// enginesFor is the number of engines side by side whose columns divide a head's channels, so
// that nothing but keys and values goes over the memory port; 1 when there is none.
func enginesFor(m arch.Model) int {
	for n := 1; n <= portBytes/Rows; n *= 2 {
		if m.HeadChannels%(Cols/n) == 0 && m.KVHeads%n == 0 {
			return n
		}
	}
	return 1
}

// softmaxLanes is the smallest number of lanes that keeps the array busy.
func softmaxLanes(m arch.Model) int {
	n := 1
	cols := Cols / enginesFor(m)
	for n < cols && n*ceilDiv(m.HeadChannels, Rows) < cols {
		n *= 2
	}
	return n
}

// Ohmloom is ohmloom's chip for model m at context l: the decoder layers, as the paper counts.
// With the correction "shapes" it runs the true shape.
func Ohmloom(system string, m arch.Model, l int, on Corrections, tech arch.Technology) (*estimate.Result, error) {
	decode := arch.Spread
	if system == OhmloomColumn {
		decode = arch.Column
	}
	if !on["shapes"] {
		m = m.AsPublished()
	}
	return Hardware(decode, m, tech).Estimate(m, l, estimate.Decode, estimate.Options{NoHead: true})
}
