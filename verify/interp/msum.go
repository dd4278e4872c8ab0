package interp

import (
	"encoding/binary"
	mathbits "math/bits"
)

// sumShape is a masked sum: in each lane, groups sums over k cells of cw bits.
type sumShape struct {
	k, groups, cw int
	signed        bool
	mask          uint64 // of the result's width
}

// sum adds the cells under the mask; the cells of lane l stand from at(l) on, and a negative
// at means cells of zero. Two's complement of cw bits is (cell xor sign) - sign, so that the
// loops add without signs and the sign is subtracted once for every row.
func (kernels[T]) sum(d []uint64, mask []uint8, cv vec, at func(l int) int, s sumShape) kernel {
	cells, rows, sign := cv.([]T), make([]int32, 0, s.k), uint64(0)
	if s.signed {
		sign = 1 << (s.cw - 1)
	}
	bytes, _ := cv.([]uint8)
	masks := make([]uint64, s.k/8)
	return func() {
		for l := range len(d) / s.groups {
			to, from := d[l*s.groups:(l+1)*s.groups], at(l)
			if from < 0 {
				clear(to)
				continue
			}
			lane := mask[l*s.k : (l+1)*s.k]
			rows = rows[:0]
			for i, m := range lane {
				if m == 1 {
					rows = append(rows, int32(i))
				}
			}
			low, bias := rows, uint64(len(rows))*sign
			if bytes != nil {
				low = wholeWords(masks, lane, rows)
			}
			for g := range to {
				first := from + g*s.k
				x := sumRows(cells[first:first+s.k], low, T(sign)) - bias
				if bytes != nil {
					x += sumBytes(bytes[first:first+s.k], masks, uint8(sign))
				}
				to[g] = x & s.mask
			}
		}
	}
}

func sumRows[T word](group []T, rows []int32, sign T) (x uint64) {
	for _, r := range rows {
		x += uint64(group[r] ^ sign)
	}
	return x
}

// wholeWords turns a mask of one bit a byte into bytes of ones, eight a word, and gives the
// rows that fill no word.
func wholeWords(masks []uint64, lane []uint8, rows []int32) []int32 {
	for i := range masks {
		m := binary.LittleEndian.Uint64(lane[8*i:])
		masks[i] = m<<8 - m
	}
	i := len(rows)
	for i > 0 && int(rows[i-1]) >= 8*len(masks) {
		i--
	}
	return rows[i:]
}

// sumBytes adds eight bytes at a time into four sums of 16 bits, which 128 words cannot
// overflow: 128 * 2 * 255 < 1 << 16.
func sumBytes(group []uint8, masks []uint64, sign uint8) (x uint64) {
	const low = 0x00ff00ff00ff00ff
	signs := uint64(sign) * 0x0101010101010101
	for len(masks) > 0 {
		part := masks[:min(128, len(masks))]
		var sums uint64
		for i, m := range part {
			y := (binary.LittleEndian.Uint64(group[8*i:8*i+8]) ^ signs) & m
			sums += y&low + y>>8&low
		}
		x += sums&0xffff + sums>>16&0xffff + sums>>32&0xffff + sums>>48
		masks, group = masks[len(part):], group[8*len(part):]
	}
	return x
}

// bitSum is sum for cells of one bit, packed as packBits packs them; at counts machine words.
func bitSum(d []uint64, mask []uint8, cells []uint64, at func(l int) int, s sumShape) kernel {
	kw := packedWords(s.k)
	packed := make([]uint64, kw)
	sign := uint64(1)
	if s.signed {
		sign = ^uint64(0)
	}
	return func() {
		for l := range len(d) / s.groups {
			to, from := d[l*s.groups:(l+1)*s.groups], at(l)
			if from < 0 {
				clear(to)
				continue
			}
			packBits(packed, mask[l*s.k:(l+1)*s.k], s.k)
			for g := range to {
				n := 0
				for i, c := range cells[from+g*kw : from+(g+1)*kw] {
					n += mathbits.OnesCount64(c & packed[i])
				}
				to[g] = uint64(n) * sign & s.mask
			}
		}
	}
}

// packedWords is the number of machine words for a group of k bits.
func packedWords(k int) int { return (k + 63) / 64 }

// packBits packs groups of k bits, one a byte, into packedWords(k) machine words each.
func packBits(d []uint64, a []uint8, k int) {
	kw := packedWords(k)
	for g := range len(a) / k {
		group, to := a[g*k:(g+1)*k], d[g*kw:(g+1)*kw]
		clear(to)
		i := 0
		for ; i+8 <= k; i += 8 {
			// The product moves bit 8j of the eight bytes to bit 56+j.
			x := binary.LittleEndian.Uint64(group[i:]) * 0x0102040810204080 >> 56
			to[i/64] |= x << (i % 64)
		}
		for ; i < k; i++ {
			to[i/64] |= uint64(group[i]) << (i % 64)
		}
	}
}
