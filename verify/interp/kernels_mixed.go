package interp

import (
	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// byClass picks what was made for the element size of a.
func byClass(a vec, on8 func([]uint8) kernel, on16 func([]uint16) kernel, on32 func([]uint32) kernel, on64 func([]uint64) kernel) kernel {
	switch a := a.(type) {
	case []uint8:
		return on8(a)
	case []uint16:
		return on16(a)
	case []uint32:
		return on32(a)
	case []uint64:
		return on64(a)
	}
	panic("interp: not a vector")
}

// convert takes the w bits of a from lo on: a slice, or an extension with zeros.
func (kernels[T]) convert(dv, av vec, lo, w int) kernel {
	d, m := dv.([]T), bits.Mask(w)
	return byClass(av,
		func(a []uint8) kernel { return convert(d, a, uint(lo), m) },
		func(a []uint16) kernel { return convert(d, a, uint(lo), m) },
		func(a []uint32) kernel { return convert(d, a, uint(lo), m) },
		func(a []uint64) kernel { return convert(d, a, uint(lo), m) })
}

func convert[T, A word](d []T, a []A, lo uint, m uint64) kernel {
	return func() {
		a := a[:len(d)]
		for i := range d {
			d[i] = T(uint64(a[i]) >> (lo & 63) & m)
		}
	}
}

// extend widens a of aw bits to w bits with its sign.
func (kernels[T]) extend(dv, av vec, aw, w int) kernel {
	d, up, m := dv.([]T), uint(64-aw), bits.Mask(w)
	return byClass(av,
		func(a []uint8) kernel { return extend(d, a, up, m) },
		func(a []uint16) kernel { return extend(d, a, up, m) },
		func(a []uint32) kernel { return extend(d, a, up, m) },
		func(a []uint64) kernel { return extend(d, a, up, m) })
}

func extend[T, A word](d []T, a []A, up uint, m uint64) kernel {
	return func() {
		a := a[:len(d)]
		for i := range d {
			d[i] = T(uint64(int64(uint64(a[i])<<(up&63))>>(up&63)) & m)
		}
	}
}

// join moves d up by aw bits and puts a below.
func (kernels[T]) join(dv, av vec, aw int) kernel {
	d := dv.([]T)
	return byClass(av,
		func(a []uint8) kernel { return join(d, a, uint(aw)) },
		func(a []uint16) kernel { return join(d, a, uint(aw)) },
		func(a []uint32) kernel { return join(d, a, uint(aw)) },
		func(a []uint64) kernel { return join(d, a, uint(aw)) })
}

func join[T, A word](d []T, a []A, aw uint) kernel {
	return func() {
		a := a[:len(d)]
		for i := range d {
			d[i] = d[i]<<aw | T(a[i])
		}
	}
}

// product is acc + a * b, or a * b when acc is nil; a and b fill their element size, d and
// acc fill theirs.
func (kernels[T]) product(dv, accv, av, bv vec, signed bool) kernel {
	d := dv.([]T)
	acc, _ := accv.([]T)
	switch a := av.(type) {
	case []uint8:
		if signed {
			return productOf(d, acc, asSigned8(a), asSigned8(bv.([]uint8)))
		}
		return productOf(d, acc, a, bv.([]uint8))
	case []uint16:
		if signed {
			return productOf(d, acc, asSigned16(a), asSigned16(bv.([]uint16)))
		}
		return productOf(d, acc, a, bv.([]uint16))
	case []uint32:
		if signed {
			return productOf(d, acc, asSigned32(a), asSigned32(bv.([]uint32)))
		}
		return productOf(d, acc, a, bv.([]uint32))
	}
	panic("interp: product of 64-bit operands")
}

func productOf[T word, A int8 | int16 | int32 | uint8 | uint16 | uint32](d, acc []T, a, b []A) kernel {
	if acc == nil {
		return func() {
			a, b := a[:len(d)], b[:len(d)]
			for i := range d {
				d[i] = T(a[i]) * T(b[i])
			}
		}
	}
	return func() {
		acc, a, b := acc[:len(d)], a[:len(d)], b[:len(d)]
		for i := range d {
			d[i] = acc[i] + T(a[i])*T(b[i])
		}
	}
}

// fold reduces groups of len(a) / len(d) elements of aw bits.
func (kernels[T]) fold(d []uint64, av vec, op ir.Fold, aw, w int) kernel {
	a, up, m := av.([]T), uint(64-aw), bits.Mask(w)
	k := len(a) / len(d)
	over := func(f func(group []T) uint64) kernel {
		return func() {
			for i := range d {
				d[i] = f(a[i*k:(i+1)*k]) & m
			}
		}
	}
	switch {
	case op.Kind == ir.FoldAdd && op.Signed:
		return over(func(g []T) (x uint64) {
			for _, y := range g {
				x += uint64(int64(uint64(y)<<(up&63)) >> (up & 63))
			}
			return x
		})
	case op.Kind == ir.FoldAdd:
		return over(func(g []T) (x uint64) {
			for _, y := range g {
				x += uint64(y)
			}
			return x
		})
	case op.Kind == ir.FoldAnd:
		return over(func(g []T) uint64 {
			x := g[0]
			for _, y := range g {
				x &= y
			}
			return uint64(x)
		})
	case op.Kind == ir.FoldOr:
		return over(func(g []T) uint64 {
			x := g[0]
			for _, y := range g {
				x |= y
			}
			return uint64(x)
		})
	}
	return over(func(g []T) uint64 {
		var x T
		for _, y := range g {
			x ^= y
		}
		return uint64(x)
	})
}
