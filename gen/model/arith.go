// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// This file is the specification's integer arithmetic, one function an
// operator, in the plainest form: no table or shortcut of the hardware is
// reused here, so that hardware and reference cannot share a mistake.

// RShift is x/2^s rounded half up (-2.5 becomes -2): the only rounding of the
// specification. s is 1..62; |x| must leave room for half an LSB.
func RShift(x int64, s int) int64 {
	return (x + int64(1)<<(s-1)) >> s
}

// Sat8 clamps to -127..127; -128 is never produced.
func Sat8(x int64) int8 { return int8(min(max(x, -127), 127)) }

// Sat16 clamps to -32767..32767.
func Sat16(x int64) int16 { return int16(min(max(x, -32767), 32767)) }

// RQ8 requantises a projection's sum to 8 bits: Sat8 of acc*M / 2^S.
// M is 128..255, S is 1..31.
func RQ8(acc int32, m, s int) int8 { return Sat8(RShift(int64(acc)*int64(m), s)) }

// RQ16 requantises a projection's sum to the residual stream's 16 bits.
// M is 128..255, S is 1..31.
func RQ16(acc int32, m, s int) int16 { return Sat16(RShift(int64(acc)*int64(m), s)) }

// Project is the ideal crossbar: the exact integer product of w [Out, In]
// and y [In]. |result| <= 127*In for ternary weights.
func Project(w Matrix, y []int8) []int32 {
	checkInput(w, y)
	acc := make([]int32, w.Out)
	for o := range acc {
		for k, t := range w.Row(o) {
			acc[o] += int32(t) * int32(y[k])
		}
	}
	return acc
}

// ProjectClip is the crossbar with a saturating ADC. Inputs are fed as eight
// bit planes of their two's complement, plane 7 negative; `rows` consecutive
// inputs share one conversion per plane, whose result is clamped to a signed
// number of `bits` bits, 1 LSB being one conducting cell. It equals Project
// for every input when 2^(bits-1)-1 >= rows. rows is at least 1, bits is
// 1..31.
func ProjectClip(w Matrix, y []int8, rows, bits int) []int32 {
	checkInput(w, y)
	if rows < 1 || bits < 1 || bits > 31 {
		panic(fmt.Sprintf("model.ProjectClip: rows %d (at least 1), bits %d (1 to 31)", rows, bits))
	}
	lo, hi := -(int32(1) << (bits - 1)), int32(1)<<(bits-1)-1
	acc := make([]int32, w.Out)
	for o := range acc {
		weights := w.Row(o)
		for first := 0; first < w.In; first += rows {
			last := min(first+rows, w.In)
			for plane := range 8 {
				var difference int32
				for k := first; k < last; k++ {
					bit := int32(uint8(y[k]) >> plane & 1)
					difference += int32(weights[k]) * bit
				}
				converted := min(max(difference, lo), hi)
				if plane < 7 {
					acc[o] += converted << plane
				} else {
					acc[o] -= converted << 7
				}
			}
		}
	}
	return acc
}

func checkInput(w Matrix, y []int8) {
	if len(y) != w.In {
		panic(fmt.Sprintf("model: matrix %s takes %d inputs, given %d", w.Name, w.In, len(y)))
	}
}

// NormTrace holds the scalars inside Norm.
type NormTrace struct {
	SS int64 `json:"ss"` // sum of squares
	N  int64 `json:"n"`  // floor of its square root
	R  int64 `json:"R"`  // (NormK << NormShift) / n, 0 when n is 0
}

// Norm is the RMS norm without gain: int16 [d] to int8 [d].
func (c *Config) Norm(x []int16) ([]int8, NormTrace) {
	var t NormTrace
	for _, v := range x {
		t.SS += int64(v) * int64(v)
	}
	t.N = isqrt(t.SS)
	if t.N > 0 {
		t.R = int64(c.NormK) << c.NormShift / t.N
	}
	y := make([]int8, len(x))
	for i, v := range x {
		y[i] = Sat8(RShift(int64(v)*t.R, c.NormShift))
	}
	return y, t
}

// isqrt is the floor of the square root of x >= 0, found bit by bit.
func isqrt(x int64) int64 {
	var root int64
	for bit := int64(1) << 31; bit > 0; bit >>= 1 {
		if r := root | bit; r <= 3037000499 && r*r <= x { // 3037000499 = floor(sqrt(2^63 - 1))
			root = r
		}
	}
	return root
}

// ExpROM[d] = floor(127 * 2^(-d/32) + 1/2): the softmax's base-2 exponential,
// argument in 1/32 bit.
var ExpROM = expROM()

// expROM builds the table from its 32-entry mantissa form, integers only.
func expROM() (rom [256]int8) {
	for d := range rom {
		rom[d] = int8(RShift(expMantissa[d%32], 14+d/32))
	}
	return rom
}

// expMantissa[f] = floor(127 * 2^14 * 2^(-f/32) + 1/2).
var expMantissa = [32]int64{
	2080768, 2036181, 1992550, 1949854, 1908073, 1867187, 1827177, 1788024,
	1749710, 1712218, 1675528, 1639625, 1604491, 1570111, 1536466, 1503543,
	1471325, 1439798, 1408946, 1378755, 1349211, 1320300, 1292009, 1264324,
	1237232, 1210721, 1184777, 1159390, 1134547, 1110236, 1086446, 1063165,
}

// SampROM[f] = floor(65535 * 2^(-f/32) + 1/2): the sampler's exponential.
var SampROM = [32]uint16{
	65535, 64131, 62757, 61412, 60096, 58808, 57548, 56315, 55108, 53927, 52772, 51641, 50534, 49452, 48392, 47355,
	46340, 45347, 44376, 43425, 42494, 41584, 40693, 39821, 38967, 38132, 37315, 36516, 35733, 34968, 34218, 33485,
}

// HeadTrace is what one attention head computes for one token. Index t of
// Score and E is the distance to the key.
type HeadTrace struct {
	Score []int32 `json:"score"` // q.k plus bias, unit 2^-12 bit
	Max   int32   `json:"max"`
	E     []int8  `json:"e"`  // unnormalised weights 0..127
	Z     int32   `json:"Z"`  // their sum, at least 127
	R     int32   `json:"R"`  // (1 << RecipShift) / Z
	AV    []int32 `json:"av"` // weighted sums of v, per channel
}

// Attend computes one head: q [dh] against keys and values [cnt][dh], both
// indexed by distance (0 = the token itself), and bias [>= cnt]. It returns
// the output [dh] and the intermediate values.
func (c *Config) Attend(q []int8, keys, values [][]int8, bias []int16) ([]int8, HeadTrace) {
	t := HeadTrace{Score: make([]int32, 0, len(keys)), E: make([]int8, 0, len(keys))}
	for distance, k := range keys {
		s := int32(bias[distance]) << c.ScoreRShift
		for i := range q {
			s += int32(q[i]) * int32(k[i])
		}
		t.Score = append(t.Score, s)
		if distance == 0 || s > t.Max {
			t.Max = s
		}
	}
	t.AV = make([]int32, len(q))
	for distance, s := range t.Score {
		var e int8
		if d := RShift(int64(t.Max)-int64(s), c.ScoreRShift); d < 256 {
			e = ExpROM[d]
		}
		t.E = append(t.E, e)
		t.Z += int32(e)
		for i, v := range values[distance] {
			t.AV[i] += int32(e) * int32(v)
		}
	}
	t.R = int32((int64(1) << c.RecipShift) / int64(t.Z))
	o := make([]int8, len(q))
	for i, a := range t.AV {
		o[i] = Sat8(RShift(int64(a)*int64(t.R), c.AttnORShift))
	}
	return o, t
}

// Activate is the ReLU squared of the feed-forward block: u is the
// requantised sum with negatives cut to 0 (0..127), h is u*u / 2^ActRShift.
func (c *Config) Activate(acc []int32, m, s int) (u, h []int8) {
	u, h = make([]int8, len(acc)), make([]int8, len(acc))
	for i, a := range acc {
		u[i] = max(RQ8(a, m, s), 0)
		h[i] = Sat8(RShift(int64(u[i])*int64(u[i]), c.ActRShift))
	}
	return u, h
}
