package hw

import (
	"fmt"

	"ohmloom/ir"
)

// Spread is the attention engine of the `spread` mode: the attention of one token, or of a
// block of tokens one after the other, over a KV cache that is spread over all columns. It
// computes the attention of the integer numerics, heads one after the other, and keeps all
// Rows x Cols multipliers busy.
//
// Each column is a dot product of Rows operands a cycle beside its own bank of the cache: a
// word of Rows bytes a cycle meets an operand that all columns share, products are added by a
// tree, and sums by an accumulator. There is no skew, no drain and no state in the array
// between one sum and the next, so that folds follow each other without a gap.
//
//   - QK: a word holds Rows channels of one slot; slot s lies in column s mod Cols. The
//     shared operand is q. Cols scores take HeadChannels / Rows cycles.
//   - AV: a word holds Rows slots of one channel; channel c lies in column c mod Cols. The
//     shared operand is the weights e of Rows positions: positions are split over the rows and
//     their partial sums added on the way down. Cols channels of o take l / Rows cycles.
//
// A head goes through q buffer, QK, softmax, AV, normalisation. QK of later heads runs while
// the softmax works, as long as fewer than Ahead heads are on their way; then AV. With
// l = min(tokens so far, Context) the array is busy for
//
//	ceil(l/Cols) max(ceil(HeadChannels/Rows), Cols/Lanes) + ceil(HeadChannels/Cols) ceil(l/Rows)
//
// cycles a head: the ideal 2 l HeadChannels / (Rows Cols) when Rows and Cols divide l and
// HeadChannels and Lanes is at least Cols Rows / HeadChannels. What comes on top of a layer's
// heads is a constant, ceil(HeadChannels/Rows) + sumLatency() + Cols/Lanes + 7 cycles (22 at
// 32 x 32, 128 channels and 8 lanes), as long as Ahead heads take longer than one head's way
// through; at 32 x 32 Ahead 4 is enough for 128 channels from l = 128 on, 8 from l = 64.
// Cycles is exact for all other cases. Where Cols does not divide l, engines of
// fewer columns side by side, each with its share of the KV heads (SpreadSide), keep all
// multipliers busy.
//
// With a memory Port the cache is in external memory, one beat of Port * Rows bytes a cycle.
// The banks then hold two KV heads: while the array works on one, the keys and values of the
// next come in. While it works on the last head of a pass, the keys of the next pass's first
// come: only what the token itself adds to them comes later. A KV head costs its slots' beats
// and those to write the token's k and v, a pass
//
//	max(Heads (A + B), KVHeads ((A' + B') Cols/Port + W))
//
// with A and B the array's cycles for QK and AV of a head, A' and B' the words of its keys and
// values, W = ceil(HeadChannels/Rows) + ceil(HeadChannels/Cols) Cols/Port, and beside it the
// latency of the memory and a constant; neither grows with the number of tokens, however few
// KV heads there are. In the test with 8 x 8 multipliers, 1 to 8 KV heads, a memory that
// answers after 100 cycles and 5,120 cycles of the port or the multipliers, a token comes
// every 1.02 to 1.04 times as many.
//
// Tokens may come in blocks (prefill; see tokenStream): each token then sees those up to
// itself, as if they came one after the other. A token's k and v are written while the array
// still works on the token before, head by head where they take the place of older ones that
// it still needs, so that the tokens of a block follow one another without a gap. No fold is
// larger for it, because each multiplier is busy already. With a memory port keys and values
// are fetched again for each token.
//
// Streams: token begins a pass, one layer of one token; then q takes ceil(HeadChannels /
// Rows) beats a head, k as many a KV head, v ceil(HeadChannels/Cols) a KV head, and y gives
// ceil(HeadChannels/Lanes) beats a head. Beyond the last channel inputs are ignored and
// outputs zero. A pass that stores takes only k and v and gives nothing.
//
// With ConSmax, weights and R of a head are those of block ConSmax, from a table of loaded
// constants: e = EXP_ROM[max(rshift(beta - s, 7), 0)] and R = floor(2^24 / (127 gamma)). No
// score waits for another: the AV of a head may begin Cols/Lanes + 3 cycles after its last
// scores, instead of that and a cycle for every Lanes slots more.
//
// With Dot, the multipliers also serve an OutputHead: a beat of stream dot, Dot elements of a row
// and as many of a vector, is multiplied in a cycle in which the array has no word of the banks,
// and its sum leaves on stream sum dotLatency() cycles later.
//
// Values are those of the numerics: 8-bit q, k, v, the exponential of ExpROM, 2^24 / Z in 18
// bits, o = sat8(rshift(a * (2^24 / Z), 23)). Sums are exact for all inputs, -128 included.
type Spread struct {
	Rows, Cols   int  // multipliers, 1..1024 each way
	Heads        int  // query heads, a multiple of KVHeads
	KVHeads      int  // key and value heads; q head h uses KV head h / (Heads / KVHeads)
	HeadChannels int  // channels of a head, 1..1024
	Context      int  // slots of the ring, 1..65536
	Layers       int  // caches; passes go through the layers of a token in order
	Lanes        int  // scores, weights and outputs a cycle; divides Rows and Cols, and Context when Biased
	Ahead        int  // heads on their way at once, 1..64
	Port         int  // columns a beat of the memory port carries, a divisor of Cols; 0: the cache is on chip
	Biased       bool // scores have a relative position bias, from a loaded table
	ConSmax      bool // weights by ConSmax instead of the softmax
	Dot          int  // elements of a beat of the dot port, at most Rows Cols and 1,024; 0: there is none

	// What follows is loaded at power-on and not part of the structure; what is missing is zero.
	Bias      [][]int16          // [Layers*Heads][Context] by distance, unit 2^7 scores
	Constants []ConSmaxConstants // [Layers*Heads], with ConSmax
}

const (
	scoreShift   = 7 // rshift from score units to arguments of the exponential
	outShift     = 23
	maxBankWords = 1 << 22
	outLatency   = 5 // from sums and reciprocal to an output
)

// suffix encodes the parameters for names of modules.
func (b Spread) suffix() string {
	bias := ""
	if b.Port > 0 {
		bias = fmt.Sprintf("_p%d", b.Port)
	}
	if b.Biased {
		bias += "_bias"
	}
	if b.ConSmax {
		bias += "_consmax"
	}
	if b.Dot > 0 {
		bias += fmt.Sprintf("_dot%d", b.Dot)
	}
	return fmt.Sprintf("%dx%d_h%dof%d_d%d_t%d_y%d_l%d_a%d%s", b.Rows, b.Cols, b.KVHeads, b.Heads,
		b.HeadChannels, b.Context, b.Layers, b.Lanes, b.Ahead, bias)
}

func (b Spread) Name() string { return "spread_" + b.suffix() }

func (b Spread) Check() error {
	err := firstError(
		inRange("spread", "rows", b.Rows, 1, 1024),
		inRange("spread", "cols", b.Cols, 1, 1024),
		inRange("spread", "heads", b.Heads, 1, 1024),
		inRange("spread", "KV heads", b.KVHeads, 1, b.Heads),
		inRange("spread", "channels of a head", b.HeadChannels, 1, 1024),
		inRange("spread", "context", b.Context, 1, 65536),
		inRange("spread", "layers", b.Layers, 1, 1024),
		inRange("spread", "lanes", b.Lanes, 1, min(b.Rows, b.Cols)),
		inRange("spread", "heads ahead", b.Ahead, 1, 64),
		inRange("spread", "columns of the port", b.Port, 0, b.Cols),
		checkDot("spread", b.Dot, b.mostDot()))
	switch {
	case err != nil:
		return err
	case b.bankWords() > maxBankWords:
		return fmt.Errorf("spread: a bank of %d words, at most %d are possible: %d layers of %d KV heads do not fit; use a memory port",
			b.bankWords(), maxBankWords, b.Layers, b.KVHeads)
	case b.Heads%b.KVHeads != 0:
		return fmt.Errorf("spread: %d heads are not a multiple of %d KV heads", b.Heads, b.KVHeads)
	case b.Port > 0 && b.Cols%b.Port != 0:
		return fmt.Errorf("spread: %d columns of the port do not divide %d columns", b.Port, b.Cols)
	case b.Rows%b.Lanes != 0 || b.Cols%b.Lanes != 0 || b.Biased && b.Context%b.Lanes != 0:
		return fmt.Errorf("spread: %d lanes do not divide %d rows, %d columns and a context of %d; %d do",
			b.Lanes, b.Rows, b.Cols, b.Context, b.lanesThatFit())
	}
	return checkConstants(b.Constants, b.Layers*b.Heads)
}

// lanesThatFit is the largest number of lanes of at most Lanes that the sizes allow.
func (b Spread) lanesThatFit() int {
	for n := b.Lanes; n > 1; n-- {
		if b.Rows%n == 0 && b.Cols%n == 0 && (!b.Biased || b.Context%n == 0) {
			return n
		}
	}
	return 1
}

func (b Spread) Streams() (in, out []Stream) {
	row := func(name, doc string, lanes int) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Vec(lanes, 8), true, "int8 channels, in order"}}}
	}
	in = []Stream{tokenStream(), row("q", "queries, head after head", b.Rows), row("k", "keys of the token", b.Rows),
		row("v", "values of the token", b.Cols)}
	out = []Stream{row("y", "attention output, head after head", b.Lanes)}
	if b.Port > 0 {
		fill, mem := b.memStreams()
		in, out = append(in, fill), append(out, mem)
	}
	if b.Dot > 0 {
		dot, sum := dotStreams(b.Dot)
		in, out = append(in, dot), append(out, sum)
	}
	return in, out
}

// Sizes that follow from the parameters.
func (b Spread) group() int      { return b.Heads / b.KVHeads }             // q heads of a KV head
func (b Spread) kChunks() int    { return ceilDiv(b.HeadChannels, b.Rows) } // words of a slot's key
func (b Spread) vRounds() int    { return ceilDiv(b.HeadChannels, b.Cols) } // words of a slot group's values
func (b Spread) kSlots() int     { return ceilDiv(b.Context, b.Cols) }      // slots in a column
func (b Spread) vGroups() int    { return ceilDiv(b.Context, b.Rows) }      // groups of Rows slots
func (b Spread) parts() int      { return b.Cols / b.Lanes }                // cycles of the softmax for Cols scores
func (b Spread) slotTime() int   { return max(b.kChunks(), b.parts()) }     // cycles of QK for Cols scores
func (b Spread) keyWords() int   { return b.kSlots() * b.kChunks() }        // of a KV head in a bank
func (b Spread) headWords() int  { return b.keyWords() + b.vGroups()*b.vRounds() }
func (b Spread) bankWords() int  { return b.bankHeads() * b.headWords() }
func (b Spread) eWords() int     { return ceilDiv(b.kSlots()*b.Cols, b.Rows) } // weights of a head, Rows a word
func (b Spread) lastParts() int  { return ceilDiv(b.HeadChannels-(b.vRounds()-1)*b.Cols, b.Lanes) }
func (b Spread) treeStages() int { return ceilDiv(levels(b.Rows), 2) }

// bankHeads is how many KV heads the banks hold.
func (b Spread) bankHeads() int {
	if b.Port > 0 {
		return portHeads
	}
	return b.Layers * b.KVHeads
}

// sumLatency is the time from the issue of the last word of a sum to the sum: read the shared
// operand, read the bank, multiply, tree, accumulate.
func (b Spread) sumLatency() int { return 4 + b.treeStages() }

// levels is the depth of a binary tree over n leaves.
func levels(n int) int {
	d := 0
	for 1<<d < n {
		d++
	}
	return d
}

// sumBits is the width of a sum, of scores and of outputs.
func (b Spread) sumBits() int {
	most := 128 * max(128*b.HeadChannels, 127*b.Context)
	return sbits(-most, most)
}

// scoreBits is the width of a score with its bias; its least value is so small that its
// weight is zero beside any score.
func (b Spread) scoreBits() int {
	most := 128 * 128 * b.HeadChannels
	if b.Biased {
		most += 1 << (15 + scoreShift)
	}
	return sbits(-most-expRange<<scoreShift, most+1<<scoreShift)
}

// zBits is the width of a sum of weights.
func (b Spread) zBits() int { return max(ir.ClogTwo(127*b.Context+1), 7) }

func (b Spread) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Decode attention, %d x %d multipliers, %d heads of %d channels on %d KV heads, context %d, %d layers.",
		b.Rows, b.Cols, b.Heads, b.HeadChannels, b.KVHeads, b.Context, b.Layers)
	return lib.module("spread", b.Name(), doc, func(m *ir.Module) {
		e := &spreading{Spread: b, m: m, lib: lib}
		e.declare()
		e.begin()
		if b.Port > 0 {
			e.port()
		} else {
			e.write()
		}
		e.load()
		e.schedule()
		e.multiply()
	})
}

// Image is the tables of biases and of ConSmax's constants.
func (b Spread) Image(prefix string) *ir.Image {
	img := ir.NewImage()
	if b.ConSmax {
		img.Data[prefix+".u_softmax.u_constants.mem"] = constantWords(b.Constants, b.Layers*b.Heads)
	}
	if !b.Biased {
		return img
	}
	words := b.Context / b.Lanes
	grid := &ir.Inst{Name: "bias", Grid: true, Rows: 1, Cols: b.Lanes}
	for lane := range b.Lanes {
		data := make([]uint64, b.Layers*b.Heads*words)
		for h, bias := range b.Bias {
			for t := lane; t < len(bias); t += b.Lanes {
				data[h*words+t/b.Lanes] = word(int64(bias[t]), 16)
			}
		}
		img.Data[fmt.Sprintf("%s.u_softmax.%s.mem", prefix, grid.InstPath(0, lane))] = data
	}
	return img
}
