// Package paper computes the figures of PIM-LLM (arXiv 2504.01994): TPU-LLM, a systolic array
// that does everything, and PIM-LLM, crossbars for the projections beside the same array for
// attention; as published, and with what does not stand up corrected. Nothing is typed in but
// the constants of constants.go: times are SCALE-Sim v2's output-stationary count and MNSIM
// 2.0's model of tiles on a mesh.
package paper

import (
	"math"

	"ohmloom/gen/arch"
	"ohmloom/gen/estimate"
	"ohmloom/hw"
)

// Systems of the paper.
const (
	TPU = "TPU-LLM"
	PIM = "PIM-LLM"
)

// Figures are the results of one system, model and context: one token of decode.
type Figures struct {
	Seconds         *estimate.Quantity // a token
	TokensPerSecond *estimate.Quantity
	JoulesPerToken  *estimate.Quantity
	TokensPerJoule  *estimate.Quantity
	GOPS            *estimate.Quantity // a MAC is one operation
	GOPSPerWatt     *estimate.Quantity
	WordsPerBattery *estimate.Quantity // 5 Wh, 1.5 tokens a word
	ArrayShare      *estimate.Quantity // of the time, on the systolic array
}

// run is one model at one context with corrections.
type run struct {
	m  arch.Model // the shape that is computed
	l  int
	on Corrections
}

// Compute is a system's figures for model m at context l.
func Compute(system string, m arch.Model, l int, on Corrections) Figures {
	r := newRun(m, l, on)
	seconds, share, joules := r.tpu()
	if system == PIM {
		seconds, share, joules = r.pim()
	}
	return r.figures(seconds, share, joules)
}

func newRun(m arch.Model, l int, on Corrections) run {
	if !on["shapes"] {
		m = m.AsPublished()
	}
	return run{m, l, on}
}

func (r run) figures(seconds, share, joules *estimate.Quantity) Figures {
	one := estimate.Given("token", 1, "token", "one token")
	macs := r.macs()
	f := Figures{Seconds: seconds, JoulesPerToken: joules, ArrayShare: share,
		TokensPerSecond: estimate.Quotient("tokens_per_second", "tokens/s", 1, one, seconds),
		TokensPerJoule:  estimate.Quotient("tokens_per_joule", "tokens/J", 1, one, joules),
		GOPS:            estimate.Quotient("gops", "GOPS", 1e-9, macs, seconds),
		GOPSPerWatt:     estimate.Quotient("gops_per_watt", "GOPS/W", 1e-9, macs, joules),
	}
	battery := estimate.Given("battery", batteryJ, "J", "5 Wh, as in the paper")
	word := estimate.Given("tokens_per_word", tokensPerWrd, "tokens/word", "as in the paper")
	f.WordsPerBattery = estimate.Quotient("words_per_battery", "words", 1, battery,
		estimate.Product("joules_per_word", "J", 1, joules, word))
	return f
}

// macs is a token's multiplications: projections and attention.
func (r run) macs() *estimate.Quantity {
	n := 0
	for _, x := range r.m.Matrices() {
		n += x.Out * x.In
	}
	n += 2 * r.m.Heads * r.m.HeadChannels * r.l
	return estimate.Formula("macs", float64(r.m.Layers)*float64(n), "MAC", "layers x (weights + 2 heads x head_channels x context)")
}

// Fold is SCALE-Sim v2's output-stationary count of an M x K by K x N product on a rows x cols
// array without stalls: folds one after the other, fill and drain exposed, and the index of
// the last cycle, which is one less than their number.
func Fold(m, k, n, rows, cols int) int {
	return hw.PlanMatMul(hw.OutputStationary, rows, cols, m, k, n).Cycles() - 1
}

// attention is the array's cycles for one layer's attention.
func (r run) attention() *estimate.Quantity {
	cycles := r.m.Heads * (Fold(r.l, r.m.HeadChannels, 1, Rows, Cols) + Fold(r.m.HeadChannels, r.l, 1, Rows, Cols))
	return estimate.Formula("cycles.attention", float64(cycles), "cycles",
		"a layer; heads x (q.k + softmax.v), each ceil(M/32) ceil(N/32) (K + 62) - 1: SCALE-Sim v2, output stationary")
}

// projections is the array's cycles for one layer's projections, in TPU-LLM.
func (r run) projections() *estimate.Quantity {
	cycles := 0
	for _, x := range r.m.Matrices() {
		cycles += Fold(x.Out, x.In, 1, Rows, Cols)
	}
	return estimate.Formula("cycles.projections", float64(cycles), "cycles",
		"a layer; sum over its matrices of ceil(M/32) ceil(N/32) (K + 62) - 1: SCALE-Sim v2, output stationary")
}

func (r run) layers() *estimate.Quantity {
	return estimate.Given("layers", float64(r.m.Layers), "", "shape of "+r.m.Title)
}

func clock() *estimate.Quantity {
	return estimate.Given("clock", ClockMHz, "MHz", "the paper's")
}

// perCycle is the energy of a cycle of the array.
func (r run) perCycle() *estimate.Quantity {
	e := estimate.Constant("array_cycle", arrayCycle)
	if !r.on["array-power"] {
		return e
	}
	return estimate.Product("array_cycle.corrected", "pJ", 1, e, estimate.Constant("array_tenfold", arrayTenfold))
}

// LowPrecisionShare is the paper's heat map: the share of TPU-LLM's cycles that low-precision
// products take. The paper calls it a share of operations; MACShare is that.
func LowPrecisionShare(m arch.Model, l int) float64 {
	r := run{m: m, l: l}
	low := r.projections().Value
	return low / (low + r.attention().Value)
}

// MACShare is the share of multiplications that low-precision products take.
func MACShare(m arch.Model, l int) float64 {
	low := 0
	for _, x := range m.Matrices() {
		low += x.Out * x.In
	}
	return float64(low) / float64(low+2*m.Heads*m.HeadChannels*l)
}

// Table3 is GOPS and GOPS/W as the paper's third table has them for its largest model: with
// the time and energy of another model, operations rounded to 0.1 G and tokens/J to whole
// ones. With the correction they are the model's own.
func Table3(m, timed arch.Model, l int, on Corrections) (gops, perWatt *estimate.Quantity) {
	if on["table3"] {
		f := Compute(PIM, m, l, on)
		return f.GOPS, f.GOPSPerWatt
	}
	macs, f := newRun(m, l, on).macs(), Compute(PIM, timed, l, on)
	rounded := estimate.Formula("gops_rounded", math.Round(macs.Value/1e8)/10, "GMAC", "rounded to 0.1 G", macs)
	whole := estimate.Formula("tokens_per_joule_rounded", math.Round(f.TokensPerJoule.Value), "tokens/J", "rounded to whole, of "+timed.Title, f.TokensPerJoule)
	return estimate.Product("gops", "GOPS", 1, rounded, f.TokensPerSecond), estimate.Product("gops_per_watt", "GOPS/W", 1e-9, macs, whole)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
