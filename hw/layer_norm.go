package hw

import (
	"math/rand"

	"ohmloom/ir"
)

// LayerNorm is the norm with mean in the style of the numerics, without gain and bias vectors
// and with a static output scale. Everything is D times as large as one would write it, so that
// the mean needs no division:
//
//	S = sum x_i        ss = sum x_i^2
//	u_i = D x_i - S                     D times the deviation from the mean S / D
//	q = D ss - S^2                      D^2 times the variance, exact
//	n = floor(sqrt(q))                  D times the standard deviation
//	R = n == 0 ? 0 : (K << Shift) // n
//	y_i = sat8(rshift(u_i * R, Shift))
//
// that is K times the deviation in standard deviations; K = 32 gives a standard deviation of
// 32, one in units of 2^-5. Before sat8 it is off the real function by at most 1/2 (rounding) +
// |u_i| / 2^Shift (R) + |y_i| / n (the root), in units of y; Shift = 24 + bits of D keeps the
// second term below 1/128.
//
// Streams as those of RMSNorm; with B beats, 2 B + (ceil(bits of q / 4) + ceil((bits of K +
// Shift) / 2) + 4) cycles a vector, and 3 for the last word. bits of q is 30 + 2 bits of D.
type LayerNorm struct {
	D     int // 1..65535
	Lanes int // 1..1024
	K     int // 1..8192
	Shift int // 1..44, and less where u_i * R would not fit 64 bits
}

func (b LayerNorm) norm() norm                      { return norm{b.D, b.Lanes, b.K, b.Shift, true} }
func (b LayerNorm) Name() string                    { return "norm_" + b.norm().suffix() }
func (b LayerNorm) Check() error                    { return b.norm().check("layer_norm") }
func (b LayerNorm) Streams() (in, out []Stream)     { return b.norm().streams() }
func (b LayerNorm) Build(lib *Lib) *ir.Module       { must(b); return b.norm().build(lib, b.Name()) }
func (b LayerNorm) Arithmetic(in [][]Beat) [][]Beat { return b.norm().arithmetic(in) }

// Cycles of n vectors is 3 more than n times the time of one.
func (b LayerNorm) Cycles(in [][]Beat) int { return b.norm().cycles(in) }

func randomLayerNorm(r *rand.Rand) Block {
	b := randomNorm(r, true)
	return LayerNorm{b.D, b.Lanes, b.K, b.Shift}
}

func layerNormWork(r *rand.Rand, b Block, extreme bool) [][]Beat {
	return [][]Beat{b.(LayerNorm).norm().work(r, extreme)}
}
