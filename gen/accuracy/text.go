// Package accuracy measures what crossbars do to a trained language model: bits per character
// of a text, with every projection computed in the integer arithmetic of crossbars that may
// have device effects.
//
// A text is cut into windows of the model's context length. Each window starts with an empty
// KV cache, and every position predicts the next character, the last one the first character
// of the window after it: with T the context, window i feeds characters iT .. iT+T-1 and is
// told iT+1 .. iT+T. Logits are integers; times the checkpoint's logit_unit_nats they are
// natural logarithms up to a constant. Bits per character are the mean over all positions of
// -log2 of the probability given to the character that came.
package accuracy

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"ohmloom/gen/model"
)

// Text is a text as a model sees it.
type Text struct {
	Model  *model.Model
	tokens []int
	unit   float64 // nats per unit of a logit
}

// TextError says what a text has that a model cannot read. Line and Col count from 1, in
// characters; 0 when the text as a whole is meant.
type TextError struct {
	File      string
	Line, Col int
	Problem   string
}

func (e *TextError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Problem)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Problem)
}

// NewText prepares a text for a model; file names it in errors. A character outside the
// vocabulary and a text without a whole window are a *TextError, a checkpoint that does not say
// what a logit is worth a *model.Error.
func NewText(m *model.Model, file, text string) (*Text, error) {
	unit, err := strconv.ParseFloat(m.Meta["logit_unit_nats"], 64)
	if err != nil || !(unit > 0) || math.IsInf(unit, 1) {
		return nil, &model.Error{File: m.File, Where: "__metadata__ logit_unit_nats", Problem: "no positive number, so logits cannot be turned into bits",
			Value: strconv.Quote(m.Meta["logit_unit_nats"]), Allowed: "nats per unit of a logit, decimal", Kind: model.ErrSpec}
	}
	t := &Text{Model: m, unit: unit}
	ids := map[string]int{}
	for id, s := range m.Vocab {
		ids[s] = id
	}
	line, col := 1, 1
	for rest := text; rest != ""; {
		_, size := utf8.DecodeRuneInString(rest)
		id, ok := ids[rest[:size]]
		if !ok {
			return nil, &TextError{file, line, col, fmt.Sprintf("character %q is outside the vocabulary of %s, which has %d characters: %q",
				rest[:size], m.Name, len(m.Vocab), m.Vocab)}
		}
		t.tokens = append(t.tokens, id)
		if col++; rest[0] == '\n' {
			line, col = line+1, 1
		}
		rest = rest[size:]
	}
	if t.Windows() == 0 {
		return nil, &TextError{File: file, Problem: fmt.Sprintf("the text is %d characters long, but a window of %s and the character after it take %d", len(t.tokens), m.Name, m.Config.Ctx+1)}
	}
	return t, nil
}

// Windows is how many windows the text has; what is left over is not used.
func (t *Text) Windows() int { return (len(t.tokens) - 1) / t.Model.Config.Ctx }

// BitsPerChar measures the first windows windows (1 .. Windows()), several at once on all
// processors; the result does not depend on how many there are. projector makes the crossbars
// of one window; done, if not nil, is called after each, from any goroutine.
func (t *Text) BitsPerChar(ctx context.Context, windows int, projector func(window int) model.Projector, done func()) (float64, error) {
	if windows < 1 || windows > t.Windows() {
		panic(fmt.Sprintf("accuracy: %d windows of %d", windows, t.Windows()))
	}
	nats := make([]float64, windows)
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), windows) {
		group.Go(func() error {
			for {
				w := int(next.Add(1)) - 1
				if w >= windows {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				nats[w] = t.window(w, projector(w))
				if done != nil {
					done()
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, n := range nats {
		sum += n
	}
	return sum / float64(windows*t.Model.Config.Ctx) / math.Ln2, nil
}

// window is the loss of one window, in nats, summed over its positions.
func (t *Text) window(w int, p model.Projector) float64 {
	run, length := t.Model.NewRun(p), t.Model.Config.Ctx
	sum := 0.0
	for i := w * length; i < (w+1)*length; i++ {
		sum += t.nats(run.Step(t.tokens[i]).Final.Logits, t.tokens[i+1])
	}
	return sum
}

// nats is minus the natural logarithm of the probability of a token.
func (t *Text) nats(logits []int32, token int) float64 {
	top := logits[model.Greedy(logits)]
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(int64(l)-int64(top)) * t.unit)
	}
	return math.Log(sum) - float64(int64(logits[token])-int64(top))*t.unit
}
