package bits_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"ohmloom/ir/bits"
)

// big forms: values as integers, results modulo 2^w.

func unsigned(x uint64) *big.Int { return new(big.Int).SetUint64(x) }

func signed(x uint64, w int) *big.Int {
	v := unsigned(x)
	if v.Bit(w-1) == 1 {
		v.Sub(v, power(w))
	}
	return v
}

func power(w int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(w)) }

func wrap(v *big.Int, w int) uint64 { return new(big.Int).Mod(v, power(w)).Uint64() }

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// binary pairs each operation with its definition on integers.
var binary = []struct {
	name string
	got  func(a, b uint64, w int) uint64
	want func(a, b uint64, w int) uint64
}{
	{"Add", bits.Add, func(a, b uint64, w int) uint64 { return wrap(new(big.Int).Add(unsigned(a), unsigned(b)), w) }},
	{"Sub", bits.Sub, func(a, b uint64, w int) uint64 { return wrap(new(big.Int).Sub(unsigned(a), unsigned(b)), w) }},
	{"Mul", bits.Mul, func(a, b uint64, w int) uint64 { return wrap(new(big.Int).Mul(unsigned(a), unsigned(b)), w) }},
	{"Mul signed", bits.Mul, func(a, b uint64, w int) uint64 {
		return wrap(new(big.Int).Mul(signed(a, w), signed(b, w)), w)
	}},
	{"Eq", bits.Eq, func(a, b uint64, w int) uint64 { return truth(unsigned(a).Cmp(unsigned(b)) == 0) }},
	{"Ne", bits.Ne, func(a, b uint64, w int) uint64 { return truth(unsigned(a).Cmp(unsigned(b)) != 0) }},
	{"Ltu", bits.Ltu, func(a, b uint64, w int) uint64 { return truth(unsigned(a).Cmp(unsigned(b)) < 0) }},
	{"Leu", bits.Leu, func(a, b uint64, w int) uint64 { return truth(unsigned(a).Cmp(unsigned(b)) <= 0) }},
	{"Lts", bits.Lts, func(a, b uint64, w int) uint64 { return truth(signed(a, w).Cmp(signed(b, w)) < 0) }},
	{"Les", bits.Les, func(a, b uint64, w int) uint64 { return truth(signed(a, w).Cmp(signed(b, w)) <= 0) }},
	{"Shl", bits.Shl, shifted(func(a uint64, n uint, w int) *big.Int { return new(big.Int).Lsh(unsigned(a), n) })},
	{"Shr", bits.Shr, shifted(func(a uint64, n uint, w int) *big.Int { return new(big.Int).Rsh(unsigned(a), n) })},
	{"Sra", bits.Sra, shifted(func(a uint64, n uint, w int) *big.Int { return new(big.Int).Rsh(signed(a, w), n) })},
	{"Not", func(a, _ uint64, w int) uint64 { return bits.Not(a, w) }, func(a, _ uint64, w int) uint64 {
		return wrap(new(big.Int).Not(unsigned(a)), w)
	}},
}

// shifted keeps the amount of the integer shift below 128: beyond the width nothing changes.
func shifted(f func(a uint64, n uint, w int) *big.Int) func(a, b uint64, w int) uint64 {
	return func(a, b uint64, w int) uint64 { return wrap(f(a, uint(min(b, 128)), w), w) }
}

// operands are extreme and random words of w bits.
func operands(r *rand.Rand, w int) []uint64 {
	top := power(w)
	all := top.Uint64() - 1 // 2^64 reads as 0
	half := power(w - 1).Uint64()
	vs := []uint64{0, 1 & all, 2 & all, all, all - 1, half, half - 1, uint64(w) & all, uint64(w-1) & all, uint64(w+1) & all}
	for range 12 {
		vs = append(vs, r.Uint64()&all)
	}
	return vs
}

func TestOperationsAreIntegerArithmeticModuloTheWidth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for w := 1; w <= 64; w++ {
		vs := operands(r, w)
		for _, op := range binary {
			for _, a := range vs {
				for _, b := range vs {
					if got, want := op.got(a, b, w), op.want(a, b, w); got != want {
						t.Fatalf("%s(%#x, %#x) of %d bits is %#x, want %#x", op.name, a, b, w, got, want)
					}
				}
			}
		}
	}
}

func TestShiftAmountsMayHaveMoreBitsThanTheValue(t *testing.T) {
	for w := 1; w <= 64; w++ {
		for _, n := range []uint64{63, 64, 65, 255, 1 << 32, 1 << 63, ^uint64(0)} {
			for _, a := range []uint64{1, power(w - 1).Uint64()} {
				for _, op := range binary {
					if op.name != "Shl" && op.name != "Shr" && op.name != "Sra" {
						continue
					}
					if got, want := op.got(a, n, w), op.want(a, n, w); got != want {
						t.Fatalf("%s(%#x, %d) of %d bits is %#x, want %#x", op.name, a, n, w, got, want)
					}
				}
			}
		}
	}
}

func TestExtendKeepsTheInteger(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for from := 1; from <= 64; from++ {
		for to := 1; to <= 64; to++ {
			for _, a := range operands(r, from) {
				if got, want := bits.Extend(a, from, to, true), wrap(signed(a, from), to); got != want {
					t.Fatalf("sext %#x from %d to %d is %#x, want %#x", a, from, to, got, want)
				}
				if got, want := bits.Extend(a, from, to, false), wrap(unsigned(a), to); got != want {
					t.Fatalf("zext %#x from %d to %d is %#x, want %#x", a, from, to, got, want)
				}
			}
		}
	}
}

func TestSliceMaskSignedPopcount(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for w := 1; w <= 64; w++ {
		if got := unsigned(bits.Mask(w)); got.Cmp(new(big.Int).Sub(power(w), big.NewInt(1))) != 0 {
			t.Fatalf("mask of %d bits is %#x", w, got)
		}
		for _, a := range operands(r, w) {
			if got := bits.Signed(a, w); big.NewInt(got).Cmp(signed(a, w)) != 0 {
				t.Fatalf("%#x of %d bits is %d", a, w, got)
			}
			ones := uint64(0)
			for i := range w {
				ones += uint64(unsigned(a).Bit(i))
			}
			if got := bits.Popcount(a); got != ones {
				t.Fatalf("popcount of %#x is %d", a, got)
			}
			for lo := range w {
				n := 1 + r.IntN(w-lo)
				want := wrap(new(big.Int).Rsh(unsigned(a), uint(lo)), n)
				if got := bits.Slice(a, lo, n); got != want {
					t.Fatalf("%d bits from %d of %#x are %#x, want %#x", n, lo, a, got, want)
				}
			}
		}
	}
}

// The reference sequence of SplitMix64 with seed 1234567: output i is Mix(seed + i*gamma).
// Source: the published test vector of the algorithm (Rosetta Code, "Pseudo-random
// numbers/Splitmix64").
func TestMixIsSplitMix64(t *testing.T) {
	want := []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821}
	for i, w := range want {
		if got := bits.Mix(1234567 + uint64(i)*0x9e3779b97f4a7c15); got != w {
			t.Errorf("output %d is %d, want %d", i, got, w)
		}
	}
}

func TestBool(t *testing.T) {
	if bits.Bool(true) != 1 || bits.Bool(false) != 0 {
		t.Error("Bool")
	}
}
