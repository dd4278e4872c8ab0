package conform

import "math/big"

// dice is a small seeded generator of its own (xorshift64*, Vigna 2016), so that stimuli do
// not change with a library.
type dice uint64

func (d *dice) next() uint64 {
	x := uint64(*d)
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*d = dice(x)
	return x * 0x2545f4914f6cdd1d
}

func (d *dice) below(n int) int { return int(d.next() >> 33 % uint64(n)) }

// bit is 1 in one of n throws.
func (d *dice) bit(n int) uint64 {
	if d.below(n) == 0 {
		return 1
	}
	return 0
}

// word throws any word, half the time one of the extremes of w bits.
func (d *dice) word(w int) uint64 {
	if d.below(2) == 0 {
		return extremes(w)[d.below(len(extremes(w)))]
	}
	return d.next() & ones(w)
}

func (d *dice) words(n, w int) []uint64 {
	x := make([]uint64, n)
	for i := range x {
		x[i] = d.word(w)
	}
	return x
}

// ones is w bits set, computed without shifts by 64.
func ones(w int) uint64 { return uint64(1)<<(w-1)<<1 - 1 }

// extremes are the words at which arithmetic of w bits goes wrong.
func extremes(w int) []uint64 {
	top := uint64(1) << (w - 1)
	var x []uint64
	for _, v := range []uint64{0, 1, ones(w), ones(w) - 1, top, top - 1, top + 1, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa} {
		x = append(x, v&ones(w))
	}
	return x
}

// signedBig and unsignedBig read w bits; wrap brings any integer back to w bits.
func unsignedBig(x uint64) *big.Int { return new(big.Int).SetUint64(x) }

func signedBig(x uint64, w int) *big.Int {
	b := unsignedBig(x)
	if b.Bit(w-1) == 1 {
		b.Sub(b, new(big.Int).Lsh(big.NewInt(1), uint(w)))
	}
	return b
}

func wrap(b *big.Int, w int) uint64 {
	m := new(big.Int).Lsh(big.NewInt(1), uint(w))
	return new(big.Int).Mod(b, m).Uint64() // Mod is Euclidean: never negative
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func cat(parts ...[]uint64) []uint64 {
	var x []uint64
	for _, p := range parts {
		x = append(x, p...)
	}
	return x
}
