package interp

// Code is a list of instructions over a file of 64-bit words, one for each scalar of the
// design; an instruction over vectors is a kernel. Jumps skip what a selector or an enable
// that is the same in all lanes makes unnecessary.

type opcode uint8

const (
	opRun      opcode = iota // call run
	opJump                   // to d
	opJumpZero               // to d when a is 0
	opJumpOne                // to d when a is 1
	opMove                   // d = a
	opAdd                    // d = (a + b) & m, and so on
	opSub
	opMul
	opAnd
	opOr
	opXor
	opNot  // d = a ^ m
	opEq   // d = a == b
	opNe   // d = a != b
	opLess // d = a^m < b^m: m holds the sign bit when the order is signed
	opLessEqual
	opMux   // d = a is 1 ? b : c
	opSlice // d = a >> k & m
	opSign  // d = a << k >> k & m, arithmetic: sign extension
	opCat   // d = a << k | b
	opShl   // d = a << b of k bits
	opShr
	opSra
)

type instr struct {
	op         opcode
	k          uint8
	d, a, b, c int32
	m          uint64
	run        kernel
}

// exec runs code over the words w.
func exec(code []instr, w []uint64) {
	for pc := 0; pc < len(code); pc++ {
		in := &code[pc]
		switch in.op {
		case opRun:
			in.run()
		case opJump:
			pc = int(in.d) - 1
		case opJumpZero:
			if w[in.a] == 0 {
				pc = int(in.d) - 1
			}
		case opJumpOne:
			if w[in.a] != 0 {
				pc = int(in.d) - 1
			}
		case opMove:
			w[in.d] = w[in.a]
		case opAdd:
			w[in.d] = (w[in.a] + w[in.b]) & in.m
		case opSub:
			w[in.d] = (w[in.a] - w[in.b]) & in.m
		case opMul:
			w[in.d] = w[in.a] * w[in.b] & in.m
		case opAnd:
			w[in.d] = w[in.a] & w[in.b]
		case opOr:
			w[in.d] = w[in.a] | w[in.b]
		case opXor:
			w[in.d] = w[in.a] ^ w[in.b]
		case opNot:
			w[in.d] = w[in.a] ^ in.m
		case opEq:
			w[in.d] = uint64(flag(w[in.a] == w[in.b]))
		case opNe:
			w[in.d] = uint64(flag(w[in.a] != w[in.b]))
		case opLess:
			w[in.d] = uint64(flag(w[in.a]^in.m < w[in.b]^in.m))
		case opLessEqual:
			w[in.d] = uint64(flag(w[in.a]^in.m <= w[in.b]^in.m))
		case opMux:
			x := w[in.c]
			if w[in.a] == 1 {
				x = w[in.b]
			}
			w[in.d] = x
		case opSlice:
			w[in.d] = w[in.a] >> (in.k & 63) & in.m
		case opSign:
			w[in.d] = uint64(int64(w[in.a]<<(in.k&63))>>(in.k&63)) & in.m
		case opCat:
			w[in.d] = w[in.a]<<(in.k&63) | w[in.b]
		case opShl, opShr, opSra:
			w[in.d] = shiftFuncs[in.op-opShl](w[in.a], w[in.b], int(in.k))
		}
	}
}
