package hw

import (
	"fmt"
	"math/rand"

	"ohmloom/ir"
)

// KVCache holds the keys and values of the last Context tokens, a ring in each layer, spread
// over Banks SRAMs of 8 bits each for keys and as many for values, and reads them in the
// order in which an output-stationary array of Banks rows wants them.
//
// A beat of stream token begins a pass, one layer of one token. Then streams k and v take
// the token's KVHeads * HeadChannels elements, one a beat, and unless the pass only stores,
// with cnt = min(tokens so far, Context):
//
//	keys    for each query head: for each Banks slots of the first cnt: for each channel: the keys of these slots
//	values  for each query head: for each Banks channels: for each of the first cnt slots: the values of these channels
//
// Lanes beyond the last slot or channel are zero; row is the last lane that is not, last is
// 1 in the last beat of a fold and end in the last of a head. Query head h reads key and
// value head h / Group. The token's own slot is its position modulo Context.
//
// Key (slot s, channel c) lies in bank s mod Banks, value (s, c) in bank c mod Banks, so that a
// beat is one word of each bank. A head can be read 2 cycles after its last element was
// taken, one beat a cycle. The next pass begins when the last word has been read.
type KVCache struct {
	Banks        int // 1..1024
	KVHeads      int // 1..1024
	Group        int // query heads of a key and value head, 1..1024
	HeadChannels int // channels of a head, 1..1024
	Context      int // 1..65536
	Layers       int // 1..1024
}

func (b KVCache) suffix() string {
	return fmt.Sprintf("%d_h%dx%d_d%d_t%d_y%d", b.Banks, b.KVHeads, b.Group, b.HeadChannels, b.Context, b.Layers)
}

func (b KVCache) Name() string { return "kv_cache_" + b.suffix() }

func (b KVCache) Check() error {
	return firstError(
		inRange("kv_cache", "banks", b.Banks, 1, 1024),
		inRange("kv_cache", "KV heads", b.KVHeads, 1, 1024),
		inRange("kv_cache", "query heads of a KV head", b.Group, 1, 1024),
		inRange("kv_cache", "channels of a head", b.HeadChannels, 1, 1024),
		inRange("kv_cache", "context", b.Context, 1, 65536),
		inRange("kv_cache", "layers", b.Layers, 1, 1024),
		inRange("kv_cache", "words of a bank", max(b.keyWords(), b.valueWords()), 1, 1<<30))
}

// Folds of keys and of values, and the words of a bank.
func (b KVCache) keyFolds() int   { return ceilDiv(b.Context, b.Banks) }
func (b KVCache) valueFolds() int { return ceilDiv(b.HeadChannels, b.Banks) }
func (b KVCache) keyWords() int   { return b.Layers * b.KVHeads * b.keyFolds() * b.HeadChannels }
func (b KVCache) valueWords() int { return b.Layers * b.KVHeads * b.valueFolds() * b.Context }

// Bytes is what the cache holds, keys and values.
func (b KVCache) Bytes() int { return b.Banks * (b.keyWords() + b.valueWords()) }

func (b KVCache) Streams() (in, out []Stream) {
	element := func(name, doc string) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Bits(8), true, "int8 channels, head after head"}}}
	}
	words := func(name, doc string) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{
			{"data", ir.Vec(b.Banks, 8), true, "int8, zero beyond the last lane"},
			{"row", ir.Bits(ir.ClogTwo(b.Banks)), false, "last lane"},
			{"last", ir.Bits(1), false, "1 in the last beat of a fold"},
			{"end", ir.Bits(1), false, "1 in the last beat of a query head"},
		}}
	}
	return []Stream{tokenStream(), element("k", "keys of the token"), element("v", "values of the token")},
		[]Stream{words("keys", "keys, slots in the lanes"), words("values", "values, channels in the lanes")}
}

func (b KVCache) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("KV cache of %d tokens, %d layers, %d heads of %d channels, in 2 x %d banks.",
		b.Context, b.Layers, b.KVHeads, b.HeadChannels, b.Banks)
	return lib.module("kv_cache", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		token, k, v := input(m, in[0]), input(m, in[1]), input(m, in[2])
		takeK, takeV := output(m, out[0]), output(m, out[1])
		keys := &kvHalf{KVCache: b, m: m, lib: lib, name: "k", folds: b.keyFolds(), stride: b.HeadChannels}
		values := &kvHalf{KVCache: b, m: m, lib: lib, name: "v", folds: b.valueFolds(), stride: b.Context}
		keys.state()
		values.state()
		begin := token.ready(keys.idle.And(values.idle))
		at := newRing(m, b.Context, b.Layers, begin, token)
		fold, row, lastFold, lastRow := at.fold(b.Banks)
		reads := token.fields[1].Not()

		keys.place(at.order)
		values.place(at.order)
		keys.lastInner, keys.lastFold, keys.lastRow = m.K(16, uint64(b.HeadChannels-1)), lastFold, lastRow
		values.lastInner, values.lastFold = at.lastUsed, m.K(16, uint64(b.valueFolds()-1))
		values.lastRow = m.K(ir.ClogTwo(b.Banks), uint64((b.HeadChannels-1)%b.Banks))
		keys.write(k, begin, reads, func(head, channel, headEnd *ir.Node) (bank, addr *ir.Node) {
			base := keys.base("k_head_base", keys.stride*keys.folds, headEnd)
			foldBase := fold.ZExt(keys.addrBits()).Mul(m.K(keys.addrBits(), uint64(keys.stride)))
			return row, base.Add(foldBase).Add(fit(channel, keys.addrBits()))
		})
		values.write(v, begin, reads, func(fire, channel, headEnd *ir.Node) (bank, addr *ir.Node) {
			lane := m.Reg("v_lane", ir.Bits(ir.ClogTwo(b.Banks)), 0)
			foldEnd := headEnd.Or(fire.And(lane.Q.EqK(uint64(b.Banks - 1)))).Named("v_fold_end")
			lane.SetEn(fire, foldEnd.Mux(m.K(lane.Type.W, 0), lane.Q.AddK(1)))
			base := values.base("v_fold_base", values.stride, foldEnd)
			return lane.Q, base.Add(fit(at.newest, values.addrBits()))
		})
		keys.read(begin, takeK, out[0])
		values.read(begin, takeV, out[1])
	})
}

// fit is n in w bits; bits above are known to be zero.
func fit(n *ir.Node, w int) *ir.Node {
	if n.Type.W > w {
		return n.Trunc(w)
	}
	return n.ZExt(w)
}

// kvHalf is the keys or the values under construction. A head is folds x stride words of
// each bank; a beat is a word.
type kvHalf struct {
	KVCache
	m                            *ir.Module
	lib                          *Lib
	name                         string
	folds, stride                int
	lastInner, lastFold, lastRow *ir.Node // of what is read
	writing, heads               *ir.Reg  // elements are still to come; heads that can be read
	reads                        *ir.Reg  // the pass reads
	idle, headDone               *ir.Node // a head has been written
	begin, layer                 *ir.Node // a pass begins; where the banks' words of its layer do
	we, waddr, wdata             *ir.Node
}

func (h *kvHalf) addrBits() int { return ir.ClogTwo(h.Layers * h.KVHeads * h.folds * h.stride) }

func (h *kvHalf) state() {
	h.writing = h.m.Reg(h.name+"_writing", ir.Bits(1), 0)
	h.heads = h.m.Reg(h.name+"_heads", ir.Bits(ir.ClogTwo(h.KVHeads+1)), 0)
	h.reads = h.m.Reg(h.name+"_reads", ir.Bits(1), 0)
	h.idle = h.writing.Q.Not().And(h.heads.Q.EqK(0)).Named(h.name + "_idle")
}

// place finds the words of a pass's layer.
func (h *kvHalf) place(o order) {
	h.begin = o.begin
	h.layer = stepper(h.m, h.name+"_layer_base", h.addrBits(), h.stride*h.folds*h.KVHeads, h.Layers, o.nextLayer)
}

// base begins at the first word of the pass's layer and moves on by step in each cycle with en.
func (h *kvHalf) base(name string, step int, en *ir.Node) *ir.Node {
	r := h.m.Reg(name, ir.Bits(h.addrBits()), 0)
	return r.SetEn(h.begin.Or(en), h.begin.Mux(h.layer, r.Q.AddK(int64(step))))
}

// write takes the token's elements; at gives bank and address of the next one.
func (h *kvHalf) write(x source, begin, reads *ir.Node, at func(fire, channel, headEnd *ir.Node) (bank, addr *ir.Node)) {
	fire := x.ready(h.writing.Q)
	channel, lastChannel := counter(h.m, h.name+"_channel", h.HeadChannels, fire)
	headEnd := fire.And(lastChannel).Named(h.name + "_head_end")
	_, lastHead := counter(h.m, h.name+"_head", h.KVHeads, headEnd)
	h.writing.SetEn(begin.Or(headEnd.And(lastHead)), begin)
	h.reads.SetEn(begin, reads)
	h.headDone = headEnd.And(h.reads.Q).Named(h.name + "_head_done")
	bank, addr := at(fire, channel, headEnd)
	h.we, h.waddr, h.wdata = oneHot(bank, h.Banks).And(fire), addr, x.fields[0]
}

// read goes through heads, their query heads, folds and words.
func (h *kvHalf) read(begin, take *ir.Node, s Stream) {
	m, w, name := h.m, h.addrBits(), h.name
	full := m.Reg(name+"_read_valid", ir.Bits(1), 0)
	may := full.Q.Not().Or(take).Named(name + "_may")
	issue := h.heads.Q.EqK(0).Not().And(may).Named(name + "_issue")
	full.SetEn(may, issue)

	inner := m.Reg(name+"_inner", ir.Bits(16), 0)
	fold := m.Reg(name+"_fold", ir.Bits(16), 0)
	foldEnd := inner.Q.Eq(h.lastInner.ZExt(16)).Named(name + "_fold_read")
	lastFold := fold.Q.Eq(h.lastFold.ZExt(16)).Named(name + "_last_fold")
	ends := issue.And(foldEnd).Named(name + "_ends")
	queryEnd := ends.And(lastFold).Named(name + "_query_read")
	inner.SetEn(issue, foldEnd.Mux(m.K(16, 0), inner.Q.AddK(1)))
	fold.SetEn(ends, lastFold.Mux(m.K(16, 0), fold.Q.AddK(1)))
	_, lastQuery := counter(m, name+"_query", h.Group, queryEnd)
	headEnd := queryEnd.And(lastQuery).Named(name + "_head_read")
	count(h.heads, h.headDone, headEnd)

	block := h.stride * h.folds
	head := m.Reg(name+"_read_head", ir.Bits(w), 0)
	next := head.Q.AddK(int64(block)).Named(name + "_next_head") // of no use after the last
	head.SetEn(begin.Or(headEnd), begin.Mux(h.layer, next))
	base := m.Reg(name+"_read_base", ir.Bits(w), 0)
	again := lastQuery.Mux(next, head.Q)
	base.SetEn(begin.Or(ends), begin.Mux(h.layer, lastFold.Mux(again, base.Q.AddK(int64(h.stride)))))

	banks := m.Array(name+"_bank", sram(h.lib, h.Layers*h.KVHeads*block, ir.Bits(8)), 1, h.Banks).
		Each("we", h.we).In("waddr", h.waddr).In("wdata", h.wdata).
		In("re", issue).In("raddr", base.Q.Add(fit(inner.Q, w)))
	top := m.K(h.lastRow.Type.W, uint64(h.Banks-1))
	row := m.DataReg(name+"_row", h.lastRow.Type).SetEn(issue, lastFold.Mux(h.lastRow, top))
	mark := func(what string, v *ir.Node) *ir.Node { return m.DataReg(name+what, ir.Bits(1)).SetEn(issue, v) }
	data := upTo(row, h.Banks).Mux(m.OutOf(banks, "rdata"), m.K(8, 0).Splat(h.Banks))
	drive(m, s, full.Q, data, row, mark("_last", foldEnd), mark("_end", foldEnd.And(lastFold)))
}

// Arithmetic keeps the last Context vectors of each layer in plain slices.
func (b KVCache) Arithmetic(in [][]Beat) [][]Beat {
	n := b.KVHeads * b.HeadChannels
	at := position{context: b.Context, layers: b.Layers}
	type slots [][]Beat
	k, v := make([]slots, b.Layers), make([]slots, b.Layers)
	for l := range k {
		k[l], v[l] = make(slots, b.Context), make(slots, b.Context)
	}
	var keys, values []Beat
	for pass, token := range in[0] {
		layer := at.begin(token)
		k[layer][at.slot], v[layer][at.slot] = in[1][pass*n:(pass+1)*n], in[2][pass*n:(pass+1)*n]
		if token[1][0] == 1 {
			continue
		}
		for q := range b.KVHeads * b.Group {
			first := q / b.Group * b.HeadChannels
			keys = append(keys, b.tiles(at.cnt, b.HeadChannels, func(slot, c int) uint64 { return k[layer][slot][first+c][0][0] })...)
			values = append(values, b.tiles(b.HeadChannels, at.cnt, func(c, slot int) uint64 { return v[layer][slot][first+c][0][0] })...)
		}
	}
	return [][]Beat{keys, values}
}

// tiles cuts rows x inner elements into folds of Banks rows.
func (b KVCache) tiles(rows, inner int, at func(row, i int) uint64) []Beat {
	var beats []Beat
	for row := 0; row < rows; row += b.Banks {
		used := min(b.Banks, rows-row)
		for i := range inner {
			data := make([]uint64, b.Banks)
			for lane := range used {
				data[lane] = at(row+lane, i)
			}
			last := i == inner-1
			beats = append(beats, Beat{data, {uint64(used - 1)}, flag(last), flag(last && row+used == rows)})
		}
	}
	return beats
}

// Cycles adds up the passes: a pass that only stores takes 1 + KVHeads * HeadChannels. In
// others the keys of KV head j have been read after
//
//	r_j = max(r_(j-1), 1 + (j+1) HeadChannels) + Group ceil(cnt/Banks) HeadChannels
//
// cycles, the values likewise with Group ceil(HeadChannels/Banks) cnt, and the next pass
// begins when both have; the last words leave in the cycle after they were read.
func (b KVCache) Cycles(in [][]Beat) int {
	at := position{context: b.Context, layers: b.Layers}
	now, end := 0, 0
	for _, token := range in[0] {
		at.begin(token)
		if token[1][0] == 1 {
			now += 1 + b.KVHeads*b.HeadChannels
			continue
		}
		k, v := 0, 0
		for j := range b.KVHeads {
			written := 1 + (j+1)*b.HeadChannels
			k = max(k, written) + b.Group*ceilDiv(at.cnt, b.Banks)*b.HeadChannels
			v = max(v, written) + b.Group*b.valueFolds()*at.cnt
		}
		now += max(k, v)
		end = now + 1
	}
	return end
}

func randomKVCache(r *rand.Rand) Block {
	return KVCache{Banks: oddSize(r, 5), KVHeads: oddSize(r, 3), Group: oddSize(r, 3), HeadChannels: oddSize(r, 7), Context: oddSize(r, 9), Layers: oddSize(r, 3)}
}

func kvCacheWork(r *rand.Rand, blk Block, extreme bool) [][]Beat {
	b := blk.(KVCache)
	in, _ := b.Streams()
	tokens := tokenWork(r, 1+r.Intn(14), b.Layers)
	n := len(tokens) * b.KVHeads * b.HeadChannels
	return [][]Beat{tokens, RandomBeats(r, in[1], n, extreme), RandomBeats(r, in[2], n, extreme)}
}

// tokenWork is the passes of tokens in blocks of one to four, some of which begin a sequence
// and some of which only store; the last one does not.
func tokenWork(r *rand.Rand, tokens, layers int) []Beat {
	var beats []Beat
	for tokens > 0 {
		n := min(oddSize(r, 4), tokens)
		first := r.Intn(8) == 0
		for range layers {
			for i := range n {
				beats = append(beats, Beat{flag(first), flag(r.Intn(4) == 0), flag(i < n-1)})
			}
		}
		tokens -= n
	}
	beats[len(beats)-1][1] = flag(false)
	return beats
}
