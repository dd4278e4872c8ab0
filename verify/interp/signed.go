package interp

import "unsafe"

// The same bytes read as two's complement: the sign extension of a load instruction replaces
// shifts. Lengths and element sizes stay.

func asSigned8(a []uint8) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(a))), len(a))
}
func asSigned16(a []uint16) []int16 {
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(a))), len(a))
}
func asSigned32(a []uint32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(a))), len(a))
}
