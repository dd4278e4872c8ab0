package device

import (
	"math"

	"ohmloom/ir/bits"
)

// What a random number is drawn for.
const (
	drawStuck = iota
	drawVariation
	drawDrift
	drawOffset
	drawGain
	drawBow
	drawSkew
	drawNoise
	draws // how many there are
)

// drawPulses is the only draw of a pair.
const drawPulses = 0

// Parts of a crossbar that have draws.
const (
	partPos = iota
	partNeg
	partConverter
	partCrossbar
	partPair
)

// stream is the source of the random numbers of one cell or one converter.
type stream uint64

// newStream is the stream of element i of a part of crossbar id.
func newStream(seed, id uint64, part, i int) stream {
	return stream(bits.Mix(bits.Mix(bits.Mix(seed)+id)+uint64(part)<<32+uint64(i)) * draws)
}

// word is 64 random bits for one purpose.
func (s stream) word(draw int) uint64 { return bits.Mix(uint64(s) + uint64(draw)) }

// uniform is in 0 <= u < 1.
func (s stream) uniform(draw int) float64 { return float64(s.word(draw)>>11) / (1 << 53) }

// normal has mean 0 and standard deviation 1 (Box and Muller 1958).
func (s stream) normal(draw int) float64 {
	w := s.word(draw)
	u, v := (float64(w>>32)+1)/(1<<32), float64(w&math.MaxUint32)/(1<<32)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// Noise is the read noise of one conversion, in steps of a standard deviation of NoiseSD: the
// sum of the eight bytes of bits.Mix(key + 4096 conversion + converter), less its mean. key
// belongs to the crossbar, conversion counts its conversions from 0, converter is below 4096.
//
// The sum of eight uniform bytes has variance 8 (2^16 - 1) / 12 = 43690, kurtosis 2.85 (a
// Gaussian has 3) and ends at 4.88 standard deviations.
func Noise(key uint64, conversion uint32, converter int) int64 {
	w := bits.Mix(key + uint64(conversion)<<12 + uint64(converter))
	sum := int64(0)
	for ; w != 0; w >>= 8 {
		sum += int64(w & 255)
	}
	return sum - noiseMean
}

const noiseMean = 8 * 255 / 2

// NoiseSD is the standard deviation of Noise.
var NoiseSD = math.Sqrt(8 * (1<<16 - 1) / 12.0)
