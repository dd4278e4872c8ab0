package cli

import (
	"ohmloom/gen/compile"
	"ohmloom/gen/model"
)

// reference is a text as the integer arithmetic writes it.
type reference struct {
	run     *model.Run
	sampler *model.Sampler // nil: greedy
	logits  []int32        // after the last token
	traces  []*model.Trace // of tokens, for those who look at them
	ready   int            // the next token; below 0: not drawn yet
}

func newReference(m *model.Model, project model.Projector, prompt []int, c compile.Command) *reference {
	r := &reference{run: m.NewRun(project), ready: -1}
	if c.InverseTemp > 0 {
		r.sampler = &model.Sampler{State: c.Seed, IT16: c.InverseTemp, M: m.Embedding.M, S: m.Embedding.S}
	}
	for _, id := range prompt {
		r.feed(id)
	}
	return r
}

func (r *reference) feed(id int) {
	t := r.run.Step(id)
	r.logits, r.traces = t.Final.Logits, append(r.traces, t)
}

// peek is the next token, which next then gives.
func (r *reference) peek() int {
	if r.ready < 0 {
		if r.sampler == nil {
			r.ready = model.Greedy(r.logits)
		} else {
			r.ready = r.sampler.Next(r.logits)
		}
	}
	return r.ready
}

// next is the next token, with which the text goes on.
func (r *reference) next() int {
	id := r.peek()
	r.feed(id)
	r.ready = -1
	return id
}
