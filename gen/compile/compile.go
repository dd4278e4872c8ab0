// Package compile puts a trained model on a whole chip: it places every matrix in the banks,
// writes the program, and makes the tables and the memory image that the chip is loaded with.
package compile

import (
	"errors"
	"fmt"

	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
	"ohmloom/gen/mapping"
	"ohmloom/gen/model"
	"ohmloom/hw"
	"ohmloom/hw/isa"
)

// Compiled is a model on a chip.
type Compiled struct {
	Model   *model.Model
	Chip    hw.Chip       // with program and tables
	Plan    *mapping.Plan // where the matrices are
	Text    string        // the program in assembly
	Program *isa.Program

	arch          *arch.Chip
	layers, vocab int

	rows, told []hw.Beat // of a writable chip
	written    hw.Chip
}

// Compile puts m on the chip that c describes. What does not fit is an error that says what
// would: a checkpoint of another shape or of other constants than the hardware is built for,
// more matrices than PEs, a program longer than the program memory.
func Compile(c *arch.Chip, m *model.Model) (*Compiled, error) {
	if c.Sequencer == nil {
		return nil, fmt.Errorf("%s: chip %q is no whole chip; add sequencer { } to it", c.Pos, c.Name)
	}
	p := &Compiled{Model: m, Chip: lower.Whole(c), arch: c}
	if err := p.matches(c); err != nil {
		return nil, err
	}
	size := func(layer int, projection string) (out, in int) {
		w := matrix(m, fmt.Sprintf("layers.%d.%s", layer, projection))
		return w.Out, w.In
	}
	if err := p.place(c, m.Name, m.Config.NLayers, m.Config.VocabSize, size, p.matrix); err != nil {
		return nil, err
	}
	var bias [][]int16
	for l := range m.Config.NLayers {
		for h := range m.Config.NHeads {
			bias = append(bias, m.RelBias(l, h))
		}
	}
	p.Chip.Attention = p.Chip.Attention.WithBias(bias)
	if err := p.Chip.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Pos, err)
	}
	return p, nil
}

// Shaped is the chip that c describes with the program for its model's shape and with matrices
// of the model's sizes, whose weights, scale and post-processing matrix gives (without their
// places); the tables of the attention engine stay empty. Errors are those of Compile.
func Shaped(c *arch.Chip, matrix func(name string, out, in int) hw.BankMatrix) (hw.Chip, error) {
	m := c.Model
	if m.Gated {
		return hw.Chip{}, fmt.Errorf("%s: the feed-forward block of model %q is gated; whole chips have none", c.Sequencer.Pos, m.Name)
	}
	sizes := map[string]arch.Matrix{}
	for _, x := range m.Matrices() {
		sizes[x.Name] = x
	}
	p := &Compiled{Chip: lower.Whole(c)}
	size := func(_ int, projection string) (out, in int) { return sizes[projection].Out, sizes[projection].In }
	err := p.place(c, m.Name, m.Layers, m.Vocab, size, func(name string) hw.BankMatrix {
		x := sizes[name[len(name)-2:]]
		return matrix(name, x.Out, x.In)
	})
	return p.Chip, err
}

// place puts the matrices into the banks and writes the program.
func (p *Compiled) place(c *arch.Chip, name string, layers, vocab int, size func(layer int, projection string) (out, in int), matrix func(name string) hw.BankMatrix) error {
	p.layers, p.vocab = layers, vocab
	plan, err := mapping.PlaceStages(mapping.Of(c.PIM), mapping.Decoder(layers, size))
	if err != nil {
		if full := (*mapping.NoRoom)(nil); errors.As(err, &full) && full.Total > full.Have {
			chip := mapping.Of(c.PIM)
			err = fmt.Errorf("%w; at least %d banks of %d PEs hold them", err, (full.Total+chip.BankPEs()-1)/chip.BankPEs(), chip.BankPEs())
		}
		return fmt.Errorf("%s: the matrices of %s do not fit into the banks: %w", c.PIM.Pos, name, err)
	}
	p.Plan = plan
	for b := range plan.Banks {
		p.Chip.Matrices = append(p.Chip.Matrices, lower.BankProgram(plan, b, func(op, i int) hw.BankMatrix { return matrix(plan.Ops[op].Matrices[i].Name) }))
	}
	if p.Text, err = p.text(c.Sequencer.PrefillAsked); err != nil {
		return fmt.Errorf("%s: %w", c.Sequencer.Pos, err)
	}
	if p.Program, err = isa.Assemble(name+".asm", p.Text); err != nil {
		return fmt.Errorf("%s: %w", c.Sequencer.Pos, err)
	}
	if n := len(p.Program.Words); n > p.Chip.Words {
		other := ""
		if b := c.Sequencer.PrefillBlock; c.Sequencer.PrefillAsked && b > 1 {
			other = fmt.Sprintf(", or prefill_block less than %d", b)
		}
		return fmt.Errorf("%s: the program of %s has %d instructions, the program memory holds %d; words = %d makes room%s",
			c.Sequencer.Pos, name, n, p.Chip.Words, n, other)
	}
	p.Chip.Program = p.Program.Codes()
	return nil
}

// matches says where the checkpoint differs from what the hardware is built for.
func (p *Compiled) matches(c *arch.Chip) error {
	m, a, u := &p.Model.Config, c.Attention, p.Chip.Unit
	for _, f := range []struct {
		name       string
		got, built int
		pos        arch.Pos
	}{
		{"d_model", m.DModel, u.D, c.Model.Pos}, {"d_ff", m.DFF, c.Model.DFF, c.Model.Pos}, {"vocab_size", m.VocabSize, p.Chip.Vocab, c.Model.Pos},
		{"n_layers", m.NLayers, a.Layers, a.Pos}, {"n_heads", m.NHeads, a.Heads, a.Pos}, {"n_heads", m.NHeads, a.KVHeads, a.Pos},
		{"channels of a head", m.HeadChannels, a.HeadChannels, a.Pos}, {"ctx", m.Ctx, a.Context, a.Pos},
		{"norm_K", m.NormK, u.K, c.Sequencer.Pos}, {"norm_shift", m.NormShift, u.Shift, c.Sequencer.Pos}, {"emb_shift", m.EmbShift, u.EmbShift, c.Sequencer.Pos},
		{"act_rshift", m.ActRShift, p.Chip.Bank.Act.Shift, c.PIM.Pos},
		{"score_rshift", m.ScoreRShift, scoreShift, a.Pos}, {"recip_shift", m.RecipShift, recipShift, a.Pos}, {"attn_o_rshift", m.AttnORShift, outShift, a.Pos},
	} {
		if f.got == f.built {
			continue
		}
		advice := fmt.Sprintf("describe the chip with model = %q", p.Model.File)
		if f.name == "ctx" { // the one size that an attention block says beside its model
			advice = fmt.Sprintf("write context = %d", f.got)
		}
		return fmt.Errorf("%s: %s of the checkpoint is %d, the chip is built for %d (%s); %s, or run another checkpoint",
			p.Model.File, f.name, f.got, f.built, f.pos, advice)
	}
	if a.Softmax != arch.Integer {
		return fmt.Errorf("%s: softmax is %q, and checkpoints of specification %s were trained with %q", a.Pos, a.Softmax, model.SpecVersion, arch.Integer)
	}
	if a.Decode == arch.Spread && !a.Biased {
		return fmt.Errorf("%s: the model has position biases, and the engine no tables for them; add bias = true", a.Pos)
	}
	if p.Chip.Buffers < buffers {
		return fmt.Errorf("%s: buffers is %d, a decoder layer needs %d", c.Sequencer.Pos, p.Chip.Buffers, buffers)
	}
	return nil
}

// Constants that attention engines are built for.
const (
	scoreShift = 7
	recipShift = 24
	outShift   = 23
)

func matrix(m *model.Model, name string) model.Matrix {
	w, err := m.Matrix(name)
	if err != nil {
		panic("compile: " + err.Error()) // every model has these
	}
	return w
}

// matrix is a matrix of the model as a bank takes it, without its place.
func (p *Compiled) matrix(name string) hw.BankMatrix {
	w := matrix(p.Model, name)
	b := hw.BankMatrix{M: w.M, S: w.S, Post: posts[name[len(name)-2:]]}
	for o := range w.Out {
		b.Weights = append(b.Weights, w.Row(o))
	}
	return b
}

// posts is what becomes of the sums of a projection.
var posts = map[string]hw.Post{"wq": hw.Post8, "wk": hw.Post8, "wv": hw.Post8, "wo": hw.Post16, "w1": hw.PostActivate, "w2": hw.Post16}
