package hw_test

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ohmloom/gen/model"
	"ohmloom/gen/tools"
	"ohmloom/hw"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
	"ohmloom/verify/gosim"
	"ohmloom/verify/verilated"
)

// columnWork is work for an attention engine: a token sequence, and what must come out.
type columnWork struct {
	token, q, k, v, want []hw.Beat // streams in, and y
}

func (p *columnWork) add(first, reads bool, t *model.LayerTrace) {
	p.token = append(p.token, hw.Beat{{flag(first)}, {flag(!reads)}, {0}})
	p.k, p.v = append(p.k, elements(t.K)...), append(p.v, elements(t.V)...)
	if reads {
		p.q, p.want = append(p.q, elements(t.Q)...), append(p.want, elements(t.O)...)
	}
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func elements(v []int8) []hw.Beat {
	beats := make([]hw.Beat, len(v))
	for i, x := range v {
		beats[i] = hw.Beat{{uint64(uint8(x))}}
	}
	return beats
}

// goldenPasses feeds all layers of the prompt, and reads at the golden positions, where the
// outputs are those of the golden file. With long, it goes on with the file's long text and
// reads where the ring has wrapped, at the first such position and at the last; what must come
// out is then the model's.
func goldenPasses(t *testing.T, name string, long bool) (m *model.Model, p columnWork) {
	t.Helper()
	m, g := open(t, name)
	golden := map[int]*model.Trace{}
	for i := range g.Steps {
		golden[g.Steps[i].Pos] = &g.Steps[i]
	}
	text := g.PromptTokens
	if long {
		text = append(append([]int{}, text...), g.LongGreedy.Tokens...)
		if len(text) <= m.Config.Ctx+1 {
			t.Fatalf("%s: the long text has %d tokens, the context %d", name, len(text), m.Config.Ctx)
		}
	}
	run := m.NewRun(model.Project)
	for pos, token := range text {
		trace := run.Step(token)
		reads := long && (pos == m.Config.Ctx || pos == len(text)-1)
		if !long && golden[pos] != nil {
			trace, reads = golden[pos], true
		}
		for l := range trace.Layers {
			p.add(pos == 0, reads, &trace.Layers[l])
		}
	}
	return m, p
}

// columnFor is an engine of the model's shape.
func columnFor(m *model.Model, rows, cols int) hw.AttentionColumn {
	c := m.Config
	b := hw.AttentionColumn{Rows: rows, Cols: cols, Heads: c.NHeads, KVHeads: c.NHeads, HeadChannels: c.HeadChannels, Context: c.Ctx, Layers: c.NLayers}
	for l := range c.NLayers {
		for h := range c.NHeads {
			b.Bias = append(b.Bias, m.RelBias(l, h))
		}
	}
	return b
}

// holdPasses runs passes on an engine and compares outputs and time.
func holdPasses(t *testing.T, b hw.Block, p columnWork, stall float64, engine func(*ir.Design) (verify.Engine, error)) {
	t.Helper()
	m, e := start(t, b, 5, engine)
	work := [][]hw.Beat{p.token, p.q, p.k, p.v}
	feeds, wants := plan(b, work, [][]hw.Beat{p.want})
	res, err := drive.Run(e, m, feeds, wants, drive.Options{Stall: stall, Rand: rand.New(rand.NewSource(5)), MaxIdle: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	for i, beat := range p.want {
		if got := res.Out[0][i][0][0]; got != beat[0][0] {
			t.Fatalf("%s: output %d is %d, want %d", b.Name(), i, int8(got), int8(beat[0][0]))
		}
	}
	if want := b.Cycles(work); stall == 0 && res.Cycles != want {
		t.Errorf("%s: %d cycles, want %d", b.Name(), res.Cycles, want)
	}
}

func TestColumnAttentionGivesGoldenOutputs(t *testing.T) {
	for _, name := range []string{"nano", "micro"} {
		m, p := goldenPasses(t, name, false)
		_, long := goldenPasses(t, name, true)
		for _, size := range [][2]int{{8, 8}, {7, 3}, {32, 1}} {
			t.Run(fmt.Sprintf("%s/%dx%d", name, size[0], size[1]), func(t *testing.T) {
				holdPasses(t, columnFor(m, size[0], size[1]), p, 0, engines[0])
				holdPasses(t, columnFor(m, size[0], size[1]), long, 0, engines[0])
			})
		}
		t.Run(name+"/stalls", func(t *testing.T) { holdPasses(t, columnFor(m, 5, 2), p, 0.4, engines[0]) })
	}
}

func TestColumnAttentionGivesGoldenOutputsOnBuiltEngines(t *testing.T) {
	if testing.Short() {
		t.Skip("builds simulators")
	}
	for _, name := range []string{"nano", "micro"} {
		m, p := goldenPasses(t, name, false)
		_, long := goldenPasses(t, name, true)
		for _, engine := range []struct {
			name  string
			needs []string
			build func(*ir.Design) (verify.Engine, error)
		}{
			{"gosim", nil, func(d *ir.Design) (verify.Engine, error) { return gosim.New(t.Context(), d, gosim.Options{}) }},
			{"verilated", []string{"verilator", "g++"}, func(d *ir.Design) (verify.Engine, error) {
				return verilated.New(t.Context(), d, verilated.Options{})
			}},
		} {
			t.Run(name+"/"+engine.name, func(t *testing.T) {
				tools.NeedForTest(t, engine.needs...)
				holdPasses(t, columnFor(m, 8, 8), p, 0, engine.build)
				holdPasses(t, columnFor(m, 8, 8), long, 0.2, engine.build)
			})
		}
	}
}

// q of zero makes all scores the bias; the keys' values then play no part.
func TestColumnAttentionAtTheEndsOfZ(t *testing.T) {
	const context = 9
	flat, steep := make([]int16, context), make([]int16, context)
	for d := 1; d < context; d++ {
		steep[d] = -480
	}
	for _, c := range []struct {
		name string
		bias []int16
		mean func(values []int) int // of the values by distance, in units of 1/2
	}{
		{"all scores tie", flat, func(v []int) int {
			sum := 0
			for _, x := range v {
				sum += x
			}
			// a R / 2^23 with a = 127 sum and R = floor(2^24 / (127 n))
			return (127*sum*(1<<24/(127*len(v))) + 1<<22) >> 23
		}},
		{"only the token itself weighs", steep, func(v []int) int { return (127*v[0]*(1<<24/127) + 1<<22) >> 23 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := hw.AttentionColumn{Rows: 2, Cols: 3, Heads: 1, KVHeads: 1, HeadChannels: 1, Context: context, Layers: 1, Bias: [][]int16{c.bias}}
			r := rand.New(rand.NewSource(3))
			var p columnWork
			var values []int // newest first
			for pos := range 2 * context {
				v := r.Intn(255) - 127
				values = append([]int{v}, values...)[:min(pos+1, context)]
				o := min(max(c.mean(values), -127), 127)
				p.add(pos == 0, true, &model.LayerTrace{Q: []int8{0}, K: []int8{int8(r.Intn(256) - 128)}, V: []int8{int8(v)}, O: []int8{int8(o)}})
			}
			holdPasses(t, b, p, 0, engines[0])
		})
	}
}

// The shapes, lengths, constant times in ns and tokens a second of PIM-LLM's table.
func TestColumnCyclesGiveThePublishedTokensPerSecond(t *testing.T) {
	for _, c := range []struct {
		name                    string
		heads, channels, layers int
		constant                float64
		tokens                  [3]string
	}{
		{"GPT2-350M", 16, 64, 24, 49919, [3]string{"218.11", "39.98", "10.52"}},
		{"GPT2-1.5B", 25, 64, 48, 71250, [3]string{"71.41", "12.85", "3.37"}},
		{"OPT-1.3B", 32, 64, 24, 129023, [3]string{"101.31", "19.71", "5.24"}},
		{"LLaMA-7B", 32, 128, 32, 244099, [3]string{"42.82", "8.73", "2.34"}},
		{"OPT-6.7B", 32, 128, 32, 322854, [3]string{"38.65", "8.54", "2.33"}},
	} {
		b := hw.AttentionColumn{Rows: 32, Cols: 32, Heads: c.heads, KVHeads: c.heads, HeadChannels: c.channels, Context: 4096, Layers: 1}
		for i, l := range []int{128, 1024, 4096} {
			ns := float64(c.layers) * (10*float64(b.PublishedCycles(l)) + c.constant)
			if got := fmt.Sprintf("%.2f", 1e9/ns); got != c.tokens[i] {
				t.Errorf("%s, l = %d: %s tokens/s, published %s", c.name, l, got, c.tokens[i])
			}
		}
	}
}

// The engine at the paper's size, two heads of GPT2-350M: the pass takes the folds of the
// published sum, and the constant that the doc comment states.
func TestColumnPassTakesThePublishedCyclesAndAConstant(t *testing.T) {
	const context, channels = 128, 64
	b := hw.AttentionColumn{Rows: 32, Cols: 32, Heads: 2, KVHeads: 2, HeadChannels: channels, Context: context, Layers: 1}
	r := rand.New(rand.NewSource(8))
	work := make([][]hw.Beat, 4)
	for pos := range context {
		last := pos == context-1
		work[0] = append(work[0], hw.Beat{{flag(pos == 0)}, {flag(!last)}, {0}})
		work[2], work[3] = append(work[2], elements(randomBytes(r, 2*channels))...), append(work[3], elements(randomBytes(r, 2*channels))...)
	}
	work[1] = elements(randomBytes(r, 2*channels))
	res := run(t, b, work)
	y := res.Given[0]
	measured := y[len(y)-1] - res.Taken[0][context-1] + 1
	published := 2*(4*(channels+62)+2*(context+62)) - 4
	if want := published + 4 + channels + (channels-1)%32 + 7; measured != want {
		t.Errorf("the pass took %d cycles, want %d", measured, want)
	}
	if got := b.PublishedCycles(context); got != published {
		t.Errorf("published cycles %d, want %d", got, published)
	}
}

func TestColumnPassIsClosedWhereTheArrayNeverWaits(t *testing.T) {
	r := rand.New(rand.NewSource(12))
	for n := 0; n < 2000; {
		b := hw.AttentionColumn{Rows: 1 + r.Intn(70), Cols: 1 + r.Intn(70), Heads: 2 + r.Intn(5), HeadChannels: 1 + r.Intn(128), Context: 300, Layers: 1}
		b.KVHeads = b.Heads
		cnt := 1 + r.Intn(300)
		if b.Rows+b.Cols < 33 || b.Cols+min(cnt, b.HeadChannels) < 10 {
			continue
		}
		n++
		if got, want := b.PassCycles(cnt), b.ArrayCycles(cnt)+b.HeadChannels+(b.HeadChannels-1)%b.Rows+7; got != want {
			t.Fatalf("%s, %d tokens: %d cycles, closed form %d", b.Name(), cnt, got, want)
		}
	}
}

func TestAttentionCheckNamesTheParameterOutOfRange(t *testing.T) {
	ok := hw.AttentionColumn{Rows: 4, Cols: 4, Heads: 4, KVHeads: 2, HeadChannels: 8, Context: 16, Layers: 1}
	with := func(change func(*hw.AttentionColumn)) hw.Block { b := ok; change(&b); return b }
	for _, c := range []struct {
		want string
		b    hw.Block
	}{
		{"rows is 0, allowed are 1 to 1024", with(func(b *hw.AttentionColumn) { b.Rows = 0 })},
		{"heads is 4, which is not a multiple of the 3 KV heads", with(func(b *hw.AttentionColumn) { b.KVHeads = 3 })},
		{"KV heads is 5, allowed are 1 to 4", with(func(b *hw.AttentionColumn) { b.KVHeads = 5 })},
		{"channels of a head is 129", with(func(b *hw.AttentionColumn) { b.HeadChannels = 129 })},
		{"context is 65537", with(func(b *hw.AttentionColumn) { b.Context = 65537 })},
		{"words of a bank", hw.KVCache{Banks: 1, KVHeads: 1024, Group: 1, HeadChannels: 128, Context: 65536, Layers: 1}},
		{"beats is 0", hw.Softmax{Lanes: 1, Shift: 7}},
		{"shift is 17", hw.ConSmax{Lanes: 1, Shift: 17}},
		{"packets is 17", hw.Replay{Depth: 1, Width: 1, Packets: 17}},
		{"sum bits is 33", hw.Normalise{Lanes: 1, AccBits: 33, Shift: 23}},
		{"divisor bits is 63", hw.Divider{NumBits: 25, DenBits: 63, PerCycle: 1}},
	} {
		if err := c.b.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v should say %q", err, c.want)
		}
	}
}

// ConSmax whose beta is the maximum of a head's scores weighs them as the softmax does.
func TestConSmaxWithBetaAtTheMaximumWeighsAsTheSoftmax(t *testing.T) {
	const lanes, beats, shift = 3, 5, 7
	r := rand.New(rand.NewSource(4))
	var x, c []hw.Beat
	for range 20 {
		top := int64(-1 << 30)
		for i := range beats {
			score := make([]uint64, lanes)
			for l := range score {
				s := r.Int63n(1<<15) - 1<<14
				top, score[l] = max(top, s), uint64(s)&(1<<24-1)
			}
			x = append(x, hw.Beat{score, {1, 1, 1}, {flag(i == beats-1)}})
		}
		c = append(c, hw.Beat{{uint64(top) & (1<<24 - 1)}, {uint64(r.Intn(1 << 18))}})
	}
	soft := run(t, hw.Softmax{Lanes: lanes, Beats: beats, Shift: shift}, [][]hw.Beat{x})
	con := run(t, hw.ConSmax{Lanes: lanes, Shift: shift}, [][]hw.Beat{x, c})
	if !reflect.DeepEqual(soft.Out[0], con.Out[0]) {
		t.Errorf("softmax %v, ConSmax %v", soft.Out[0], con.Out[0])
	}
}

// Shapes larger than those of the generic test, none of which divides another; the ring
// wraps; operands as they are and all of a head at an end of their range.
func TestColumnAttentionOfOddShapes(t *testing.T) {
	for i, b := range []hw.AttentionColumn{
		{Rows: 31, Cols: 17, Heads: 6, KVHeads: 2, HeadChannels: 37, Context: 67, Layers: 1},
		{Rows: 64, Cols: 1, Heads: 2, KVHeads: 2, HeadChannels: 5, Context: 130, Layers: 1},
		{Rows: 13, Cols: 2, Heads: 3, KVHeads: 1, HeadChannels: 61, Context: 47, Layers: 2, ConSmax: true,
			Constants: []hw.ConSmaxConstants{{Beta: 20000, R: 900}, {Beta: -300, R: 1<<18 - 1}, {Beta: 70000, R: 5}}},
	} {
		for _, extreme := range []bool{false, true} {
			r := rand.New(rand.NewSource(int64(i)))
			vector := func(heads int) (beats []hw.Beat) {
				for range heads {
					head := randomBytes(r, b.HeadChannels)
					if extreme {
						head = slices.Repeat([]int8{[]int8{127, -127, -128, 0}[r.Intn(4)]}, b.HeadChannels)
					}
					beats = append(beats, elements(head)...)
				}
				return beats
			}
			work := make([][]hw.Beat, 4)
			passes := (2*b.Context + 5) * b.Layers
			for pass := range passes {
				store := r.Intn(8) > 0 && pass < passes-1
				work[0] = append(work[0], hw.Beat{{flag(pass == 0)}, {flag(store)}, {0}})
				if !store {
					work[1] = append(work[1], vector(b.Heads)...)
				}
				work[2], work[3] = append(work[2], vector(b.KVHeads)...), append(work[3], vector(b.KVHeads)...)
			}
			hold(t, b, work, int64(i), 0, engines[0])
			if extreme {
				hold(t, b, work, int64(i), 0.5, engines[0])
			}
		}
	}
}
