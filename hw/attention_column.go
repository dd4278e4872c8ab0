package hw

import (
	"fmt"

	"ohmloom/ir"
)

// AttentionColumn is the decode attention engine of the `column` mode, the mapping of PIM-LLM
// (arXiv 2504.01994): the attention of one token as MatMuls on an output-stationary systolic
// array of which, with N = 1, one column has work. For each query head
//
//	scores   M = cnt, K = HeadChannels, N = 1: Rows slots a fold, ceil(cnt/Rows) folds
//	weights  the softmax (or ConSmax, which waits for no maximum), one score a cycle
//	outputs  M = HeadChannels, K = cnt, N = 1: Rows channels a fold, ceil(HeadChannels/Rows) folds
//
// where cnt = min(tokens so far, Context). Folds follow one another K + Rows + Cols - 2 cycles
// apart, SCALE-Sim v2's output-stationary count: fill and drain of the operands are exposed, and the sums
// leave while the next fold computes (see ArrayCycles and PassCycles). The MatMuls run in the order scores of head 0, of head
// 1, outputs of head 0, scores of head 2, outputs of head 1 and so on, so that the softmax of a
// head works during the scores of the next.
//
// A beat of stream token begins a pass, one layer of one token. Streams q, k and v then take
// its elements one a beat, head after head, channel after channel: Heads * HeadChannels
// of q, KVHeads * HeadChannels of k and v each; a pass that only stores takes no q. Query
// head h uses key and value head h / (Heads / KVHeads). Stream y gives Heads * HeadChannels
// int8, in the same order. The next pass begins when the last has left.
//
// Values are those of the integer numerics: exponential of ExpROM, R = 2^24 / Z,
// o = sat8(rshift(a * R, 23)); with ConSmax, weights and R are those of block ConSmax. All int8 inputs are exact while HeadChannels <= 128.
type AttentionColumn struct {
	Rows, Cols   int  // processing elements, 1..1024 each way
	Heads        int  // query heads, a multiple of KVHeads
	KVHeads      int  // 1..1024
	HeadChannels int  // channels of a head, 1..128
	Context      int  // slots of the ring, 1..65536
	Layers       int  // 1..1024
	ConSmax      bool // weights by ConSmax instead of the softmax
	Dot          int  // elements of a beat of the dot port, at most Rows; 0: there is none
	DotLength    int  // with it, the elements of a row, 1..65536

	// What follows is loaded at power-on and not part of the structure; what is missing is zero.
	Bias      [][]int16          // [Layers*Heads][Context] by distance, unit 1/32 bit
	Constants []ConSmaxConstants // [Layers*Heads], with ConSmax
}

// Shifts of the numerics.
const (
	columnScoreShift = 7  // score units to 1/32 bit
	columnOutShift   = 23 // 24 less one more fractional bit of o
)

func (b AttentionColumn) cache() KVCache {
	return KVCache{Banks: b.Rows, KVHeads: b.KVHeads, Group: b.Heads / b.KVHeads, HeadChannels: b.HeadChannels, Context: b.Context, Layers: b.Layers}
}

func (b AttentionColumn) bias() RelBias {
	return RelBias{Heads: b.Heads, Context: b.Context, Layers: b.Layers, Bias: b.Bias}
}

// tag says of a fold whether its sums are outputs, whether it is the last of its head, and
// its last row that counts; with a dot port also, above these, whether they are its.
func (b AttentionColumn) tagBits() int { return ir.ClogTwo(b.Rows) + 2 }

func (b AttentionColumn) array() BufferedArray {
	return BufferedArray{Rows: b.Rows, Cols: b.Cols, TagBits: b.tagBits() + min(b.Dot, 1)}
}

func (b AttentionColumn) Name() string {
	name := fmt.Sprintf("attention_column_%dx%d_h%dof%d_d%d_t%d_y%d", b.Rows, b.Cols, b.KVHeads, b.Heads, b.HeadChannels, b.Context, b.Layers)
	if b.ConSmax {
		name += "_consmax"
	}
	if b.Dot > 0 {
		name += fmt.Sprintf("_dot%dof%d", b.Dot, b.DotLength)
	}
	return name
}

func (b AttentionColumn) Check() error {
	err := firstError(
		inRange("attention", "rows", b.Rows, 1, 1024),
		inRange("attention", "cols", b.Cols, 1, 1024),
		inRange("attention", "heads", b.Heads, 1, 1024),
		inRange("attention", "KV heads", b.KVHeads, 1, b.Heads),
		inRange("attention", "channels of a head", b.HeadChannels, 1, 128),
		inRange("attention", "context", b.Context, 1, 65536),
		inRange("attention", "layers", b.Layers, 1, 1024),
		checkDot("attention", b.Dot, b.mostDot()),
		inRange("attention", "elements of a row for the output head", b.DotLength, min(b.Dot, 1), 65536))
	if err == nil && b.Heads%b.KVHeads != 0 {
		err = fmt.Errorf("attention: heads is %d, which is not a multiple of the %d KV heads", b.Heads, b.KVHeads)
	}
	if err == nil {
		err = firstError(b.cache().Check(), b.bias().Check(), checkConstants(b.Constants, b.Layers*b.Heads))
	}
	return err
}

func (b AttentionColumn) Streams() (in, out []Stream) {
	element := func(name, doc string) Stream {
		return Stream{Name: name, Doc: doc, Fields: []Field{{"data", ir.Bits(8), true, "int8 channels, head after head"}}}
	}
	in = []Stream{tokenStream(), element("q", "queries"), element("k", "keys of the token"), element("v", "values of the token")}
	out = []Stream{element("y", "attention outputs")}
	if b.Dot > 0 {
		dot, sum := b.dotStreams()
		in, out = append(in, dot), append(out, sum)
	}
	return in, out
}

func (b AttentionColumn) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Decode attention on one column of a %d x %d array, %d heads of %d channels, %d tokens.",
		b.Rows, b.Cols, b.Heads, b.HeadChannels, b.Context)
	return lib.module("attention_column", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		c := &columning{AttentionColumn: b, m: m, lib: lib}
		token := input(m, in[0])
		q, k, v := input(m, in[1]), input(m, in[2]), input(m, in[3])
		take := output(m, out[0])
		c.pass(token, k, v)
		c.queries(q)
		c.feed()
		c.drain()
		c.outputs(take, out[0])
	})
}

// columning is an engine under construction.
type columning struct {
	AttentionColumn
	m             *ir.Module
	lib           *Lib
	begin, reads  *ir.Node // a pass begins; and gives outputs
	active        *ir.Reg  // a pass that gives outputs is under way
	cache, replay *ir.Inst // of keys and values; of queries
	biases        *ir.Inst
	weights       *ir.Inst // replay of the weights
	softmax       *ir.Inst // of either kind
	constants     *ir.Inst // of ConSmax, or nil
	array, scale  *ir.Inst
	repeats       *ir.Node    // key folds less one
	dots          *columnDots // nil: there is no dot port
}

// pass starts what works on a token.
func (c *columning) pass(token, k, v source) {
	m := c.m
	c.active = m.Reg("active", ir.Bits(1), 0)
	c.cache = m.Instance("u_cache", c.AttentionColumn.cache().Build(c.lib)).
		In("token_first", token.fields[0]).In("token_store", token.fields[1]).In("token_more", token.fields[2]).
		In("k_valid", k.valid).In("k_data", k.fields[0]).In("v_valid", v.valid).In("v_data", v.fields[0])
	k.ready(m.OutOf(c.cache, "k_ready"))
	v.ready(m.OutOf(c.cache, "v_ready"))
	c.biases = m.Instance("u_bias", c.bias().Build(c.lib)).
		In("token_first", token.fields[0]).In("token_store", token.fields[1]).In("token_more", token.fields[2])
	c.weigher()
	// Both are idle while no pass is active; the table needs a cycle after a pass that stores.
	idle := c.active.Q.Not().And(m.OutOf(c.cache, "token_ready")).And(m.OutOf(c.biases, "token_ready")).Named("idle")
	if c.Dot > 0 {
		c.dotState(idle, token.valid)
		idle = idle.And(c.dots.under.some().Not())
	}
	c.begin = token.ready(idle)
	c.cache.In("token_valid", c.begin)
	c.biases.In("token_valid", c.begin)
	if c.constants != nil {
		c.constants.In("token_valid", c.begin).In("token_store", token.fields[1]).In("token_more", token.fields[2])
	}
	c.reads = c.begin.And(token.fields[1].Not()).Named("reads")
	at := newRing(m, c.Context, c.Layers, c.begin, token)
	_, _, c.repeats, _ = at.fold(c.Rows)
}

// weigher places what turns scores into weights.
func (c *columning) weigher() {
	m := c.m
	if !c.ConSmax {
		c.softmax = m.Instance("u_softmax", Softmax{Lanes: 1, Beats: c.Context, Shift: columnScoreShift}.Build(c.lib))
		return
	}
	c.softmax = m.Instance("u_consmax", ConSmax{Lanes: 1, Shift: columnScoreShift}.Build(c.lib))
	c.constants = m.Instance("u_constants", constantTable(c.lib, c.Heads, c.Layers)).In("c_ready", m.OutOf(c.softmax, "c_ready"))
	c.softmax.In("c_valid", m.OutOf(c.constants, "c_valid")).
		In("c_beta", m.OutOf(c.constants, "c_beta")).In("c_r", m.OutOf(c.constants, "c_r"))
}

// queries keeps heads of q and gives each once for each fold of keys.
func (c *columning) queries(q source) {
	m := c.m
	loads := m.Reg("q_loads", ir.Bits(1), 0)
	block := Replay{Depth: 4 * c.HeadChannels, Width: 8, Packets: 4, Repeats: ceilDiv(c.Context, c.Rows) - 1}
	c.replay = m.Instance("u_queries", block.Build(c.lib)).
		In("x_data", q.fields[0]).In("x_repeats", fit(c.repeats, block.repeatBits()))
	fire := q.ready(loads.Q.And(m.OutOf(c.replay, "x_ready")))
	c.replay.In("x_valid", q.valid.And(loads.Q))
	_, last := counter(m, "q_channel", c.HeadChannels, fire)
	c.replay.In("x_last", last)
	headEnd := fire.And(last).Named("q_head_end")
	_, lastHead := counter(m, "q_head", c.Heads, headEnd)
	loads.SetEn(c.reads.Or(headEnd.And(lastHead)), c.reads)
}

// feed is the dataflow generator: it sends the operands of one MatMul after the other into
// the array, the moving ones into column 0.
func (c *columning) feed() {
	m := c.m
	block := Replay{Depth: 2 * c.Context, Width: expBits, Packets: 2, Repeats: c.AttentionColumn.cache().valueFolds() - 1}
	c.weights = m.Instance("u_weights", block.Build(c.lib)).
		In("x_repeats", m.K(block.repeatBits(), uint64(block.Repeats)))
	av := m.Reg("av", ir.Bits(1), 0) // the MatMul is one of outputs
	from := func(stream, field string) *ir.Node {
		return av.Q.Mux(m.OutOf(c.cache, "values_"+field), m.OutOf(c.cache, "keys_"+field)).Named(stream + "_" + field)
	}
	moving := av.Q.Mux(m.OutOf(c.weights, "y_data").ZExt(8), m.OutOf(c.replay, "y_data")).Named("moving")
	there := av.Q.Mux(m.OutOf(c.weights, "y_valid"), m.OutOf(c.replay, "y_valid")).Named("moving_there")
	stays := from("a", "valid")
	end := from("a", "end")
	c.array = m.Instance("u_array", c.AttentionColumn.array().Build(c.lib))
	ready := m.OutOf(c.array, "x_ready")
	valid, data, last, tag := stays.And(there), from("a", "data"), from("a", "last"), av.Q.Cat(end, from("a", "row"))
	if d := c.dots; d != nil {
		c.dotBanks(ready)
		dots := d.entering.Q
		ready = ready.And(dots.Not())
		valid, data, last = valid.Or(dots), dots.Mux(m.OutOf(d.rows, "element"), data), dots.Mux(d.last, last)
		moving = dots.Mux(m.OutOf(d.vector, "element"), moving)
		tag = dots.Mux(m.K(1, 1).Cat(m.K(2, 0), d.lastRow), m.K(1, 0).Cat(tag))
	}
	operand := moving
	if c.Cols > 1 {
		operand = moving.Join(m.K(8, 0).Splat(c.Cols - 1))
	}
	c.array.In("x_valid", valid).In("x_a", data).In("x_b", operand).In("x_last", last).In("x_tag", tag)
	fire := ready.And(stays).And(there).Named("feeds")
	c.cache.In("keys_ready", fire.And(av.Q.Not())).In("values_ready", fire.And(av.Q))
	c.replay.In("y_ready", fire.And(av.Q.Not()))
	c.weights.In("y_ready", fire.And(av.Q))

	// Outputs follow when the scores are two heads ahead, or the last.
	done := fire.And(end).Named("matmul_end")
	scoresDone, outputsDone := done.And(av.Q.Not()), done.And(av.Q)
	_, lastScores := counter(m, "scores_head", c.Heads, scoresDone)
	_, lastOutputs := counter(m, "outputs_head", c.Heads, outputsDone)
	ahead := m.Reg("ahead", ir.Bits(1), 0) // scores were ahead of outputs before this MatMul
	all := m.Reg("all_scores", ir.Bits(1), 0)
	ahead.SetEn(scoresDone.Or(outputsDone.And(lastOutputs)), scoresDone)
	all.SetEn(scoresDone.And(lastScores).Or(outputsDone.And(lastOutputs)), scoresDone)
	next := av.Q.Mux(all.Q.And(lastOutputs.Not()), ahead.Q.Or(lastScores))
	av.SetEn(done, next)
}

// drain gives the sums of the array's column 0 to the softmax or to the normalisation.
func (c *columning) drain() {
	m, rb := c.m, ir.ClogTwo(c.Rows)
	valid, tag := m.OutOf(c.array, "y_valid"), m.OutOf(c.array, "y_tag")
	acc := m.OutOf(c.array, "y_acc").Elem(0)
	lastRow, end, outputs := tag.Trunc(rb), tag.Bit(rb), tag.Bit(rb+1)
	row := m.Reg("row_out", ir.Bits(rb), 0)
	counts := row.Q.Leu(lastRow).Named("row_counts")
	last := end.And(row.Q.Eq(lastRow)).Named("head_drained")

	bias := m.OutOf(c.biases, "y_bias").SExt(scoreBits).ShlK(columnScoreShift)
	attends := valid
	if c.dots != nil {
		attends = c.dotSums(valid, tag.Bit(rb+2), counts, acc, row.Q)
	}
	score := attends.And(counts).And(outputs.Not()).And(m.OutOf(c.biases, "y_valid")).Named("score")
	c.softmax.In("x_valid", score).In("x_score", acc.Trunc(scoreBits).Add(bias)).
		In("x_mask", m.K(1, 1)).In("x_last", last)
	c.weights.In("x_valid", m.OutOf(c.softmax, "y_valid")).In("x_data", m.OutOf(c.softmax, "y_e")).
		In("x_last", m.OutOf(c.softmax, "y_last"))
	c.softmax.In("y_ready", m.OutOf(c.weights, "x_ready"))
	scored := score.And(m.OutOf(c.softmax, "x_ready")).Named("scored")
	c.biases.In("y_ready", scored)

	norm := Normalise{Lanes: 1, AccBits: 32, Shift: columnOutShift}
	output := attends.And(counts).And(outputs).Named("output")
	c.scale = m.Instance("u_normalise", norm.Build(c.lib)).
		In("x_valid", output).In("x_acc", acc).In("x_last", last).
		In("r_valid", m.OutOf(c.softmax, "z_valid")).In("r_r", m.OutOf(c.softmax, "z_r"))
	c.softmax.In("z_ready", m.OutOf(c.scale, "r_ready"))

	take := attends.Not().Or(counts.Not()).Or(scored).Or(output.And(m.OutOf(c.scale, "x_ready"))).Named("row_taken")
	c.array.In("y_ready", take)
	wraps := row.Q.EqK(uint64(c.Rows - 1))
	row.SetEn(valid.And(take), wraps.Mux(m.K(rb, 0), row.Q.AddK(1)))
}

// outputs gives what is normalised and ends the pass with the last of it.
func (c *columning) outputs(take *ir.Node, y Stream) {
	m := c.m
	c.scale.In("y_ready", take)
	valid := m.OutOf(c.scale, "y_valid")
	leaves := valid.And(take).Named("y_fire")
	_, last := counter(m, "y_count", c.Heads*c.HeadChannels, leaves)
	done := leaves.And(last).Named("pass_done")
	c.active.SetEn(c.reads.Or(done), c.reads)
	drive(m, y, valid, m.OutOf(c.scale, "y_o"))
}

// Image is the table of biases, and with ConSmax that of its constants.
func (b AttentionColumn) Image(prefix string) *ir.Image {
	img := b.bias().Image(prefix + ".u_bias")
	if b.ConSmax {
		img.Data[prefix+".u_constants.u_table.mem"] = constantWords(b.Constants, b.Layers*b.Heads)
	}
	return img
}
