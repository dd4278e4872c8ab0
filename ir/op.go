package ir

// Op is what a Node computes. The set is closed: the structs in this file. Operations are
// elementwise over vectors unless they say otherwise; operands of Binary and Compare have
// the node's element count and equal widths. Package ir/bits defines the arithmetic.
type Op interface{ op() }

// Const is a literal, one value an element.
//
//	%3 = const u8 5            %4 = const 2xu8 [1, 255]
type Const struct{ Val []uint64 }

// Input is the value of an input port.
//
//	%0 = input u8 a
type Input struct{ Port *Port }

// RegOut is the present value of a register.
//
//	%1 = reg u32 acc
type RegOut struct{ Reg *Reg }

// MemOut is the word that a memory's synchronous read port delivered at the last edge.
//
//	%2 = memout u8 buf
type MemOut struct{ Mem *Mem }

// MemRead is an asynchronous read; Args: address. An address beyond the depth reads zero.
//
//	%5 = memread u7 rom %4
type MemRead struct{ Mem *Mem }

// InstOut is an output port of an instance, or of all or some instances of an Array. With
// All the result has Rows*Cols*n elements, row by row; with East or West (the last or first
// column) Rows*n; with South or North (the last or first row) Cols*n.
//
//	%6 = instout u8 u_pe.q      %7 = instout 32xu8 pe.a_out east
type InstOut struct {
	Inst *Inst
	Port *Port
	Sel  Side
}

// BinaryKind names a two-operand operation on equal widths, wrapping modulo 2^w.
type BinaryKind uint8

const (
	Add BinaryKind = iota
	Sub
	Mul
	And
	Or
	Xor
)

// Binary is Args[0] kind Args[1].
//
//	%8 = add u8 %1 %2
type Binary struct{ Kind BinaryKind }

// Not is the bitwise complement.
//
//	%9 = not u1 %8
type Not struct{}

// ShiftKind names a shift.
type ShiftKind uint8

const (
	Shl ShiftKind = iota
	Shr           // logical
	Sra           // arithmetic
)

// Shift moves Args[0] by Args[1] places. The amount may have any width and either one
// element or as many as the value; an amount of the width or more gives 0 (Sra: the sign).
//
//	%10 = shl u8 %1 %2
type Shift struct{ Kind ShiftKind }

// CompareKind names a relation; the s forms read two's complement.
type CompareKind uint8

const (
	Eq CompareKind = iota
	Ne
	Ltu
	Leu
	Lts
	Les
)

// Compare gives one bit an element.
//
//	%11 = ltu u1 %1 %2
type Compare struct{ Kind CompareKind }

// Mux is Args[1] where Args[0] is 1, else Args[2]. The selector has one bit and either one
// element or as many as the value.
//
//	%12 = mux u8 %sel %then %else
type Mux struct{}

// Extend widens each element to the node's width, which is larger than the operand's.
//
//	%13 = zext u16 %1           %14 = sext u16 %1
type Extend struct{ Signed bool }

// Slice takes bits Lo .. Lo+W-1 of each element, W being the node's width.
//
//	%15 = slice u4 %1 lo 4
type Slice struct{ Lo int }

// Cat joins the bits of its operands elementwise, the first operand highest.
//
//	%16 = cat u12 %1 %2
type Cat struct{}

// Splat repeats a scalar in every element.
//
//	%17 = splat 4xu8 %1
type Splat struct{}

// Elems takes the N elements from Lo on, N being the node's element count.
//
//	%18 = elems 2xu8 %17 lo 1
type Elems struct{ Lo int }

// Pick takes one element: Args[0] the vector, Args[1] the index. An index beyond the last
// element gives zero.
//
//	%19 = pick u8 %17 %2
type Pick struct{}

// Join puts vectors of one element width one behind the other, the first operand lowest.
//
//	%20 = join 6xu8 %17 %18
type Join struct{}

// Cast reads the packed word as another type of the same number of bits.
//
//	%21 = cast 8xu1 %1
type Cast struct{}

// FoldKind names the operation of a Fold.
type FoldKind uint8

const (
	FoldAdd FoldKind = iota
	FoldAnd
	FoldOr
	FoldXor
)

// Fold reduces consecutive groups of k elements to one each: Args[0] has k times as many
// elements as the node. FoldAdd first extends the elements to the node's width (as Signed
// says) and wraps; the others keep the width.
//
//	%22 = fold add 2xu12 %20    %23 = fold adds u12 %20 (signed)
type Fold struct {
	Kind   FoldKind
	Signed bool
}

// MaskedSum is the column sum of a crossbar: Args[0] is a mask of k x 1 bit, Args[1] a
// vector of g groups of k elements; result i is the sum of the elements of group i whose
// mask bit is set, each extended to the node's width as Signed says, wrapping.
//
//	%24 = msum 8xu9 %mask %cells
type MaskedSum struct{ Signed bool }

func (Const) op()     {}
func (Input) op()     {}
func (RegOut) op()    {}
func (MemOut) op()    {}
func (MemRead) op()   {}
func (InstOut) op()   {}
func (Binary) op()    {}
func (Not) op()       {}
func (Shift) op()     {}
func (Compare) op()   {}
func (Mux) op()       {}
func (Extend) op()    {}
func (Slice) op()     {}
func (Cat) op()       {}
func (Splat) op()     {}
func (Elems) op()     {}
func (Pick) op()      {}
func (Join) op()      {}
func (Cast) op()      {}
func (Fold) op()      {}
func (MaskedSum) op() {}

// Names of the kinds as they stand in the text form, indexed by kind.
var (
	BinaryNames  = []string{"add", "sub", "mul", "and", "or", "xor"}
	ShiftNames   = []string{"shl", "shr", "sra"}
	CompareNames = []string{"eq", "ne", "ltu", "leu", "lts", "les"}
	FoldNames    = []string{"add", "and", "or", "xor"}
)

func (k BinaryKind) String() string  { return BinaryNames[k] }
func (k ShiftKind) String() string   { return ShiftNames[k] }
func (k CompareKind) String() string { return CompareNames[k] }
func (k FoldKind) String() string    { return FoldNames[k] }
