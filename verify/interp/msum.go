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
// at means cells of zero.
func (kernels[T]) sum(d []uint64, mask []uint8, cv vec, at func(l int) int, s sumShape) kernel {
	cells, rows, up := cv.([]T), make([]int32, 0, s.k), uint(0)
	if s.signed {
		up = uint(64 - s.cw)
	}
	return func() {
		for l := range len(d) / s.groups {
			to, from := d[l*s.groups:(l+1)*s.groups], at(l)
			if from < 0 {
				clear(to)
				continue
			}
			rows = rows[:0]
			for i, m := range mask[l*s.k : (l+1)*s.k] {
				if m == 1 {
					rows = append(rows, int32(i))
				}
			}
			for g := range to {
				group := cells[from+g*s.k : from+(g+1)*s.k]
				if s.signed {
					to[g] = sumSigned(group, rows, up) & s.mask
				} else {
					to[g] = sumPlain(group, rows) & s.mask
				}
			}
		}
	}
}

func sumPlain[T word](group []T, rows []int32) (x uint64) {
	for _, r := range rows {
		x += uint64(group[r])
	}
	return x
}

func sumSigned[T word](group []T, rows []int32, up uint) (x uint64) {
	for _, r := range rows {
		x += uint64(int64(uint64(group[r])<<(up&63)) >> (up & 63))
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
