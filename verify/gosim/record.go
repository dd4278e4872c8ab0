package gosim

import (
	"cmp"
	"slices"
	"unsafe"

	"ohmloom/ir"
	"ohmloom/ir/bits"
)

// record is how ports travel between the host and the worker: not as one word an element,
// as verify.Engine has them, but as the struct that the generated program uses, in which an
// element takes 1, 2, 4 or 8 bytes and one-bit vectors are packed into words.
type record struct {
	fields       []*field // in port order
	words, bytes int      // length as the engine's words, and as the struct
}

// field is one port of a record.
type field struct {
	name  string // Go identifier
	t     ir.Type
	bits  bool // packed: the units are words of 64 elements
	units int
	width int // bits of a unit
	word  int // its first word in the engine's record
	at    int // its first byte in the struct
}

func (r *record) add(name string, t ir.Type) {
	f := &field{name: name, t: t, word: r.words}
	f.bits, f.units, f.width = layout(t)
	r.fields = append(r.fields, f)
	r.words += t.N
}

// ordered lists the fields as the struct has them: the widest first, so that none needs padding.
func (r *record) ordered() []*field {
	s := slices.Clone(r.fields)
	slices.SortStableFunc(s, func(a, b *field) int { return cmp.Compare(b.width, a.width) })
	return s
}

// place fixes where the fields lie; the length is a multiple of 8 bytes. It gives the padding
// at the end.
func (r *record) place() (padding int) {
	end := 0
	for _, f := range r.ordered() {
		f.at = end
		end += f.units * f.width / 8
	}
	r.bytes = (end + 7) / 8 * 8
	return r.bytes - end
}

// pack writes n records of src into dst, which is aligned to 8 bytes.
func (r *record) pack(dst []byte, src []uint64, n int) {
	for _, f := range r.fields {
		switch {
		case f.bits:
			packBits(r, f, dst, src, n)
		case f.width == 8:
			packElems[uint8](r, f, dst, src, n)
		case f.width == 16:
			packElems[uint16](r, f, dst, src, n)
		case f.width == 32:
			packElems[uint32](r, f, dst, src, n)
		default:
			packElems[uint64](r, f, dst, src, n)
		}
	}
}

// unpack is the inverse of pack.
func (r *record) unpack(dst []uint64, src []byte, n int) {
	for _, f := range r.fields {
		switch {
		case f.bits:
			unpackBits(r, f, dst, src, n)
		case f.width == 8:
			unpackElems[uint8](r, f, dst, src, n)
		case f.width == 16:
			unpackElems[uint16](r, f, dst, src, n)
		case f.width == 32:
			unpackElems[uint32](r, f, dst, src, n)
		default:
			unpackElems[uint64](r, f, dst, src, n)
		}
	}
}

// units are the units of f in record k of packed records.
func units[T uint8 | uint16 | uint32 | uint64](r *record, f *field, packed []byte, k int) []T {
	b := packed[k*r.bytes+f.at:][:f.units*f.width/8]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), f.units)
}

// packElems works on eight elements at a time: on small designs this is where a simulation
// spends its time.
func packElems[T uint8 | uint16 | uint32 | uint64](r *record, f *field, dst []byte, src []uint64, n int) {
	mask := T(bits.Mask(f.t.W))
	if f.units == 1 {
		for k := range n {
			*(*T)(unsafe.Pointer(&dst[k*r.bytes+f.at])) = T(src[k*r.words+f.word]) & mask
		}
		return
	}
	for k := range n {
		s, d := src[k*r.words+f.word:][:f.units], units[T](r, f, dst, k)
		for len(s) >= 8 && len(d) >= 8 {
			x, y := (*[8]uint64)(s), (*[8]T)(d)
			y[0], y[1], y[2], y[3] = T(x[0])&mask, T(x[1])&mask, T(x[2])&mask, T(x[3])&mask
			y[4], y[5], y[6], y[7] = T(x[4])&mask, T(x[5])&mask, T(x[6])&mask, T(x[7])&mask
			s, d = s[8:], d[8:]
		}
		for i := range min(len(s), len(d)) {
			d[i] = T(s[i]) & mask
		}
	}
}

func unpackElems[T uint8 | uint16 | uint32 | uint64](r *record, f *field, dst []uint64, src []byte, n int) {
	if f.units == 1 {
		for k := range n {
			dst[k*r.words+f.word] = uint64(*(*T)(unsafe.Pointer(&src[k*r.bytes+f.at])))
		}
		return
	}
	for k := range n {
		d, s := dst[k*r.words+f.word:][:f.units], units[T](r, f, src, k)
		for len(s) >= 8 && len(d) >= 8 {
			x, y := (*[8]T)(s), (*[8]uint64)(d)
			y[0], y[1], y[2], y[3] = uint64(x[0]), uint64(x[1]), uint64(x[2]), uint64(x[3])
			y[4], y[5], y[6], y[7] = uint64(x[4]), uint64(x[5]), uint64(x[6]), uint64(x[7])
			s, d = s[8:], d[8:]
		}
		for i := range min(len(s), len(d)) {
			d[i] = uint64(s[i])
		}
	}
}

func packBits(r *record, f *field, dst []byte, src []uint64, n int) {
	for k := range n {
		s := src[k*r.words+f.word:][:f.t.N]
		for u, d := 0, units[uint64](r, f, dst, k); u < len(d); u++ {
			w := uint64(0)
			for i, x := range s[u*64 : min(u*64+64, len(s))] {
				w |= x & 1 << i
			}
			d[u] = w
		}
	}
}

func unpackBits(r *record, f *field, dst []uint64, src []byte, n int) {
	for k := range n {
		d := dst[k*r.words+f.word:][:f.t.N]
		for u, w := range units[uint64](r, f, src, k) {
			for i := range d[u*64 : min(u*64+64, len(d))] {
				d[u*64+i] = w >> (i & 63) & 1
			}
		}
	}
}
