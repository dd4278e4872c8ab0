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

func packElems[T uint8 | uint16 | uint32 | uint64](r *record, f *field, dst []byte, src []uint64, n int) {
	mask := T(bits.Mask(f.t.W))
	for k := range n {
		d := units[T](r, f, dst, k)
		s := src[k*r.words+f.word:][:len(d)]
		for i := range d {
			d[i] = T(s[i]) & mask
		}
	}
}

func unpackElems[T uint8 | uint16 | uint32 | uint64](r *record, f *field, dst []uint64, src []byte, n int) {
	for k := range n {
		s := units[T](r, f, src, k)
		d := dst[k*r.words+f.word:][:len(s)]
		for i := range d {
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
