// Package device is the crossbar as a physical device: which effects it can have, the integer
// tables that a seed makes of them, and the integer arithmetic of columns and converters. It
// is plain Go; package hw builds the same arithmetic in hardware, and the accuracy of whole
// models is computed with the fast path in this package.
//
// Random numbers are drawn by position: cell, converter and effect number the draw, so that an
// effect switched on leaves the draws of all others alone.
package device

import (
	"fmt"
	"math"
)

// Distributions of the conductance of cells.
const (
	Gaussian  = "gaussian"  // clipped at 0 and MaxConductance
	LogNormal = "lognormal" // of the same mean and standard deviation
)

// Effects are the non-idealities of a crossbar and its converters. The zero value is the ideal
// device. Parameters has unit, range and source of every number; conductances are relative to
// the nominal ON conductance of a cell.
type Effects struct {
	Variation    float64 `json:"variation,omitempty"`
	Distribution string  `json:"distribution,omitempty"` // Gaussian (also "") or LogNormal
	StuckOn      float64 `json:"stuck_on,omitempty"`
	StuckOff     float64 `json:"stuck_off,omitempty"`
	OffOn        float64 `json:"off_on_ratio,omitempty"`
	WireRow      float64 `json:"wire_row,omitempty"`
	WireCol      float64 `json:"wire_col,omitempty"`
	FarRow       float64 `json:"far_row,omitempty"`
	FarCol       float64 `json:"far_col,omitempty"`
	DriftNu      float64 `json:"drift_nu,omitempty"`
	DriftSpread  float64 `json:"drift_spread,omitempty"`
	DriftTime    float64 `json:"drift_time,omitempty"`

	ADCOffset float64 `json:"adc_offset,omitempty"`
	ADCGain   float64 `json:"adc_gain,omitempty"`
	ADCINL    float64 `json:"adc_inl,omitempty"`
	ReadNoise float64 `json:"read_noise,omitempty"`
	LSB       float64 `json:"lsb,omitempty"`
	Separate  bool    `json:"separate,omitempty"` // two unsigned conversions, of W+ and of W-, instead of a signed one

	Seed uint64 `json:"seed"` // of everything random
}

// Parameter describes one number of Effects.
type Parameter struct {
	Block    string // where it stands in a description: "device" or "adc"
	Name     string // its name there
	Unit     string
	Min, Max float64
	Default  float64
	Doc      string
	Source   string // of the effect and how it is modelled; ranges are what the tables hold, not what devices have
	Of       func(e *Effects) *float64
}

// Parameters lists every number of Effects. It is what descriptions, their diagnostics and
// the documentation are made from.
var Parameters = []Parameter{
	{"device", "variation", "standard deviation relative to the mean", 0, 1, 0,
		"conductance variation between cells, ON and OFF alike",
		"review: Ielmini and Wong, In-memory computing with resistive switching devices, Nature Electronics 2018, doi 10.1038/s41928-018-0092-2; Gaussian or log-normal shape assumed",
		func(e *Effects) *float64 { return &e.Variation }},
	{"device", "stuck_on", "fraction of cells", 0, 0.5, 0, "cells that are ON whatever is written",
		"C.-Y. Chen et al., RRAM defect modeling and failure analysis based on March test and a novel squeeze-search scheme, IEEE Trans. Computers 64(1) 2015, doi 10.1109/TC.2014.12; independent cells assumed",
		func(e *Effects) *float64 { return &e.StuckOn }},
	{"device", "stuck_off", "fraction of cells", 0, 0.5, 0, "cells that are OFF whatever is written",
		"C.-Y. Chen et al., as for stuck_on",
		func(e *Effects) *float64 { return &e.StuckOff }},
	{"device", "off_on_ratio", "OFF conductance / ON conductance", 0, 0.5, 0, "what an OFF cell conducts",
		"review: Ielmini and Wong, as for variation; one ratio for all cells assumed",
		func(e *Effects) *float64 { return &e.OffOn }},
	{"device", "wire_row", "resistance of a row wire per cell / ON resistance", 0, 0.1, 0,
		"IR drop along rows, from the drivers beside column 0; solved as a resistive network",
		"network of wire segments as in Amin, Elbtity and Zand, IMAC-Sim, GLSVLSI 2023, arXiv 2304.09252; rows that are not driven at 0 V, columns at virtual ground: assumed",
		func(e *Effects) *float64 { return &e.WireRow }},
	{"device", "wire_col", "resistance of a column wire per cell / ON resistance", 0, 0.1, 0,
		"IR drop along columns, to the converters beside row 0; solved as a resistive network",
		"Amin, Elbtity and Zand, as for wire_row",
		func(e *Effects) *float64 { return &e.WireCol }},
	{"device", "far_row", "loss at the far end, fraction", 0, 0.9, 0,
		"IR drop along rows as a straight line: nothing lost in column 0, this fraction in the last",
		"assumed: first-order model, in place of wire_row",
		func(e *Effects) *float64 { return &e.FarRow }},
	{"device", "far_col", "loss at the far end, fraction", 0, 0.9, 0,
		"IR drop along columns as a straight line: nothing lost in row 0, this fraction in the last",
		"assumed: first-order model, in place of wire_col",
		func(e *Effects) *float64 { return &e.FarCol }},
	{"device", "drift_nu", "exponent", 0, 0.2, 0, "drift G(t) = G0 (t / 1 s)^-nu, mean exponent of the cells",
		"Boniardi et al., Statistics of resistance drift due to structural relaxation in phase-change memory arrays, IEEE Trans. Electron Devices 57(10) 2010, pp. 2690-2696; for phase-change cells, assumed for others",
		func(e *Effects) *float64 { return &e.DriftNu }},
	{"device", "drift_spread", "standard deviation of the exponent", 0, 0.1, 0, "how much cells differ in drift",
		"Boniardi et al., as for drift_nu; Gaussian, cut at 0: assumed",
		func(e *Effects) *float64 { return &e.DriftSpread }},
	{"device", "drift_time", "s since programming", 0, 1e10, 0, "the t of drift; nothing drifts before 1 s",
		"Boniardi et al., as for drift_nu",
		func(e *Effects) *float64 { return &e.DriftTime }},
	{"adc", "offset", "LSB rms between converters", 0, 64, 0, "offset error, fixed for a converter",
		"definition: IEEE Std 1241, terminology and test methods for analog-to-digital converters; Gaussian between converters assumed",
		func(e *Effects) *float64 { return &e.ADCOffset }},
	{"adc", "gain", "rms between converters, relative", 0, 0.25, 0, "gain error, fixed for a converter",
		"definition: IEEE Std 1241, as for offset; Gaussian assumed",
		func(e *Effects) *float64 { return &e.ADCGain }},
	{"adc", "inl", "LSB rms between converters, at the worst code", 0, 4, 0,
		"integral nonlinearity: equal parts of second and of third order, zero at both ends of the code",
		"definition: IEEE Std 1241, as for offset; the two shapes assumed",
		func(e *Effects) *float64 { return &e.ADCINL }},
	{"adc", "noise", "LSB rms per conversion", 0, 64, 0, "read noise of cell, wire and converter, new in each conversion",
		"assumed: independent from conversion to conversion, near-Gaussian, of one size for all codes",
		func(e *Effects) *float64 { return &e.ReadNoise }},
	{"adc", "lsb", "ON cells", 0.25, 64, 1, "what one code of step \"clip\" stands for, taken to 1/256",
		"design parameter",
		func(e *Effects) *float64 { return &e.LSB }},
}

// Check says which effect is out of its range.
func (e Effects) Check() error {
	for _, p := range Parameters {
		v := *p.Of(&e)
		if v == 0 && p.Min > 0 { // the zero value stands for the default
			continue
		}
		if !(v >= p.Min && v <= p.Max) {
			return fmt.Errorf("%s %s is %g, allowed are %g to %g (%s)", p.Block, p.Name, v, p.Min, p.Max, p.Unit)
		}
	}
	switch {
	case e.Distribution != "" && e.Distribution != Gaussian && e.Distribution != LogNormal:
		return fmt.Errorf("device distribution is %q, allowed are %q and %q", e.Distribution, Gaussian, LogNormal)
	case e.WireRow > 0 && e.FarRow > 0 || e.WireCol > 0 && e.FarCol > 0:
		return fmt.Errorf("device has IR drop twice, as a wire and as a straight line")
	}
	return nil
}

// conducts reports whether cells are anything but exactly ON or OFF, so that columns are sums
// of conductances.
func (e Effects) conducts() bool {
	return e.Variation > 0 || e.StuckOn > 0 || e.StuckOff > 0 || e.OffOn > 0 || e.WireRow > 0 || e.WireCol > 0 ||
		e.FarRow > 0 || e.FarCol > 0 || e.drifts()
}

func (e Effects) drifts() bool { return e.DriftTime > 1 && (e.DriftNu > 0 || e.DriftSpread > 0) }

// trims reports whether converters differ from the nominal one of their step.
func (e Effects) trims() bool {
	return e.ADCOffset > 0 || e.ADCGain > 0 || e.ADCINL > 0 || e.lsb() != 1
}

// Ideal reports that no effect is on; two unsigned conversions are none by themselves.
func (e Effects) Ideal() bool { return !e.conducts() && !e.trims() && e.ReadNoise == 0 }

func (e Effects) lsb() float64 {
	if e.LSB == 0 {
		return 1
	}
	return e.LSB
}

// cell is the conductance of one cell that was programmed ON or OFF, before wires; draw gives
// the random numbers of this cell.
func (e Effects) cell(on bool, draw stream) float64 {
	if u := draw.uniform(drawStuck); u < e.StuckOn {
		on = true
	} else if u < e.StuckOn+e.StuckOff {
		on = false
	}
	g := 1.0
	if !on {
		g = e.OffOn
	}
	if e.Variation > 0 {
		n := draw.normal(drawVariation)
		if e.Distribution == LogNormal {
			s2 := math.Log1p(e.Variation * e.Variation)
			g *= math.Exp(math.Sqrt(s2)*n - s2/2)
		} else {
			g *= 1 + e.Variation*n
		}
	}
	if e.drifts() {
		g *= math.Pow(e.DriftTime, -max(0, e.DriftNu+e.DriftSpread*draw.normal(drawDrift)))
	}
	return min(max(g, 0), MaxConductance)
}
