// Package bits is the one definition of what the IR's operations compute.
//
// Every value is an unsigned 64-bit word whose bits above the operand width w (1..64) are
// zero. The functions mask their result to the stated width; they never fail.
package bits

import mathbits "math/bits"

// Mask is the w low bits set, w in 1..64.
func Mask(w int) uint64 { return ^uint64(0) >> (64 - uint(w)) }

// Signed reads the low w bits of x as two's complement.
func Signed(x uint64, w int) int64 {
	s := 64 - uint(w)
	return int64(x<<s) >> s
}

// Add, Sub and Mul wrap modulo 2^w.
func Add(a, b uint64, w int) uint64 { return (a + b) & Mask(w) }
func Sub(a, b uint64, w int) uint64 { return (a - b) & Mask(w) }
func Mul(a, b uint64, w int) uint64 { return (a * b) & Mask(w) }

// Not is the complement of w bits.
func Not(a uint64, w int) uint64 { return ^a & Mask(w) }

// Shl, Shr and Sra shift a by n places; n >= w gives zero, or copies of the sign for Sra.
func Shl(a, n uint64, w int) uint64 {
	if n >= uint64(w) {
		return 0
	}
	return a << n & Mask(w)
}

func Shr(a, n uint64, w int) uint64 {
	if n >= uint64(w) {
		return 0
	}
	return a >> n
}

func Sra(a, n uint64, w int) uint64 {
	if n >= uint64(w) {
		n = uint64(w) - 1
	}
	return uint64(Signed(a, w)>>n) & Mask(w)
}

// Bool is 1 for true.
func Bool(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// Eq, Ne, Ltu, Leu compare w-bit words as unsigned, Lts and Les as two's complement.
func Eq(a, b uint64, w int) uint64  { return Bool(a == b) }
func Ne(a, b uint64, w int) uint64  { return Bool(a != b) }
func Ltu(a, b uint64, w int) uint64 { return Bool(a < b) }
func Leu(a, b uint64, w int) uint64 { return Bool(a <= b) }
func Lts(a, b uint64, w int) uint64 { return Bool(Signed(a, w) < Signed(b, w)) }
func Les(a, b uint64, w int) uint64 { return Bool(Signed(a, w) <= Signed(b, w)) }

// Extend widens (or, for to < from, truncates) a from-bit word to to bits.
func Extend(a uint64, from, to int, signed bool) uint64 {
	if signed {
		return uint64(Signed(a, from)) & Mask(to)
	}
	return a & Mask(to)
}

// Slice is bits lo .. lo+w-1 of a.
func Slice(a uint64, lo, w int) uint64 { return a >> uint(lo) & Mask(w) }

// Popcount is the number of ones in a.
func Popcount(a uint64) uint64 { return uint64(mathbits.OnesCount64(a)) }

// Mix is the SplitMix64 finaliser: a bijection of 64-bit words used for seeded initial
// values and noise. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
