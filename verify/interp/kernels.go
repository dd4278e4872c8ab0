package interp

import (
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// vec is the data of a value of more than one word, all lanes: a []uint8, []uint16, []uint32
// or []uint64, the narrowest whose elements hold the value's width.
type vec any

type word interface {
	uint8 | uint16 | uint32 | uint64
}

// kernel is one instruction over whole vectors.
type kernel func()

// set makes vectors of one element size and the kernels that produce them. Bits above the
// width are zero in all vectors. Where a and d may be the same vector, the kernel works in
// place.
type set interface {
	alloc(n int) vec
	put(d vec, i int, x uint64)
	reader(a vec) func(i int) uint64

	// load and store move input and output records.
	load(d vec, w int) func(rec []uint64)
	store(d vec) func(rec []uint64)

	binary(k ir.BinaryKind, d, a, b vec, w int) kernel
	not(d, a vec, w int) kernel
	compare(k ir.CompareKind, d []uint8, a, b vec, w int) kernel // a, b of this set
	shift(k ir.ShiftKind, d, a vec, by *uint64, w int) kernel
	mux(d vec, sel []uint8, a, b vec) kernel
	fill(d vec, x *uint64) kernel
	copy(d, a vec) kernel
	each(d vec, f func(i int) uint64) kernel
	move(d vec, args []vec, p plan) kernel
	fetch(d, mem vec, n int, at func(l int) int) kernel
	save(mem, a vec, n int, at func(l int) int) kernel

	// These take an operand a of any element size.
	convert(d, a vec, lo, w int) kernel
	extend(d, a vec, aw, w int) kernel
	join(d, a vec, aw int) kernel
	product(d, acc, a, b vec, signed bool) kernel

	// These read vectors of this set and give words.
	fold(d []uint64, a vec, op ir.Fold, aw, w int) kernel
	sum(d []uint64, mask []uint8, cells vec, at func(l int) int, s sumShape) kernel
}

// sets are the kernel sets by element size: 1, 2, 4 and 8 bytes.
var sets = [4]set{kernels[uint8]{}, kernels[uint16]{}, kernels[uint32]{}, kernels[uint64]{}}

// setFor is the set for elements of w bits.
func setFor(w int) set {
	switch {
	case w <= 8:
		return sets[0]
	case w <= 16:
		return sets[1]
	case w <= 32:
		return sets[2]
	}
	return sets[3]
}

type kernels[T word] struct{}

func (kernels[T]) alloc(n int) vec            { return make([]T, n) }
func (kernels[T]) put(d vec, i int, x uint64) { d.([]T)[i] = T(x) }

func (kernels[T]) reader(av vec) func(int) uint64 {
	a := av.([]T)
	return func(i int) uint64 { return uint64(a[i]) }
}

func (kernels[T]) load(dv vec, w int) func([]uint64) {
	d, m := dv.([]T), bits.Mask(w)
	return func(rec []uint64) {
		rec = rec[:len(d)]
		for i := range d {
			d[i] = T(rec[i] & m)
		}
	}
}

func (kernels[T]) store(av vec) func([]uint64) {
	a := av.([]T)
	return func(rec []uint64) {
		rec = rec[:len(a)]
		for i := range a {
			rec[i] = uint64(a[i])
		}
	}
}

func (kernels[T]) binary(k ir.BinaryKind, dv, av, bv vec, w int) kernel {
	d, a, b, m := dv.([]T), av.([]T), bv.([]T), T(bits.Mask(w))
	a, b = a[:len(d)], b[:len(d)]
	return [...]kernel{
		ir.Add: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = (a[i] + b[i]) & m
			}
		},
		ir.Sub: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = (a[i] - b[i]) & m
			}
		},
		ir.Mul: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = a[i] * b[i] & m
			}
		},
		ir.And: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = a[i] & b[i]
			}
		},
		ir.Or: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = a[i] | b[i]
			}
		},
		ir.Xor: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = a[i] ^ b[i]
			}
		},
	}[k]
}

func (kernels[T]) not(dv, av vec, w int) kernel {
	d, a, m := dv.([]T), av.([]T), T(bits.Mask(w))
	return func() {
		a := a[:len(d)]
		for i := range d {
			d[i] = a[i] ^ m
		}
	}
}

// flag turns a comparison into a word without a branch.
func flag(b bool) uint8 {
	var x uint8
	if b {
		x = 1
	}
	return x
}

// compare orders two's complement as unsigned words with the sign bit turned over.
func (kernels[T]) compare(k ir.CompareKind, d []uint8, av, bv vec, w int) kernel {
	a, b, s := av.([]T), bv.([]T), T(0)
	if k == ir.Lts || k == ir.Les {
		s = 1 << (w - 1)
	}
	less := func() {
		a, b := a[:len(d)], b[:len(d)]
		for i := range d {
			d[i] = flag(a[i]^s < b[i]^s)
		}
	}
	lessEqual := func() {
		a, b := a[:len(d)], b[:len(d)]
		for i := range d {
			d[i] = flag(a[i]^s <= b[i]^s)
		}
	}
	return [...]kernel{
		ir.Eq: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = flag(a[i] == b[i])
			}
		},
		ir.Ne: func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = flag(a[i] != b[i])
			}
		},
		ir.Ltu: less, ir.Leu: lessEqual, ir.Lts: less, ir.Les: lessEqual,
	}[k]
}

func (kernels[T]) shift(k ir.ShiftKind, dv, av vec, by *uint64, w int) kernel {
	d, a, m := dv.([]T), av.([]T), bits.Mask(w)
	return [...]kernel{
		ir.Shl: func() {
			a, n := a[:len(d)], *by
			if n >= uint64(w) {
				clear(d)
				return
			}
			for i := range d {
				d[i] = T(uint64(a[i]) << (n & 63) & m)
			}
		},
		ir.Shr: func() {
			a, n := a[:len(d)], *by
			if n >= uint64(w) {
				clear(d)
				return
			}
			for i := range d {
				d[i] = T(uint64(a[i]) >> (n & 63))
			}
		},
		ir.Sra: func() {
			a, n, up := a[:len(d)], min(*by, uint64(w)-1), uint(64-w)
			for i := range d {
				d[i] = T(uint64(int64(uint64(a[i])<<(up&63))>>(up&63)>>(n&63)) & m)
			}
		},
	}[k]
}

// mux selects without a branch; one selector serves len(d) / len(sel) elements.
func (kernels[T]) mux(dv vec, sel []uint8, av, bv vec) kernel {
	d, a, b := dv.([]T), av.([]T), bv.([]T)
	if per := len(d) / len(sel); per > 1 {
		return func() {
			for l, s := range sel {
				from := b
				if s == 1 {
					from = a
				}
				copy(d[l*per:(l+1)*per], from[l*per:])
			}
		}
	}
	return func() {
		a, b, sel := a[:len(d)], b[:len(d)], sel[:len(d)]
		for i := range d {
			d[i] = b[i] ^ (a[i]^b[i])&-T(sel[i])
		}
	}
}

func (kernels[T]) fill(dv vec, x *uint64) kernel {
	d := dv.([]T)
	return func() {
		v := T(*x)
		for i := range d {
			d[i] = v
		}
	}
}

func (kernels[T]) copy(dv, av vec) kernel {
	d, a := dv.([]T), av.([]T)
	return func() { copy(d, a) }
}

func (kernels[T]) each(dv vec, f func(i int) uint64) kernel {
	d := dv.([]T)
	return func() {
		for i := range d {
			d[i] = T(f(i))
		}
	}
}

// What the address function of fetch and save may give instead of a position.
const (
	zeroWord = -1 // fetch reads zeros, save writes nothing
	holdWord = -2 // the lane stays as it is
)

// fetch reads n elements a lane from mem, from at(lane) on.
func (kernels[T]) fetch(dv, mv vec, n int, at func(l int) int) kernel {
	d, mem := dv.([]T), mv.([]T)
	return func() {
		for l := range len(d) / n {
			switch to, from := d[l*n:(l+1)*n], at(l); from {
			case holdWord:
			case zeroWord:
				clear(to)
			default:
				copy(to, mem[from:])
			}
		}
	}
}

// save writes n elements a lane into mem, from at(lane) on; a negative at writes nothing.
func (kernels[T]) save(mv, av vec, n int, at func(l int) int) kernel {
	mem, a := mv.([]T), av.([]T)
	return func() {
		for l := range len(a) / n {
			if to := at(l); to >= 0 {
				copy(mem[to:to+n], a[l*n:])
			}
		}
	}
}
