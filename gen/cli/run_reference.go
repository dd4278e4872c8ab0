package cli

import (
	"ohmloom/gen/compile"
	"ohmloom/gen/model"
)

// reference is a text as the integer arithmetic writes it.
type reference struct {
	run     *model.Run
	sampler *model.Sampler // nil: greedy
	prompt  []*model.Trace // what the tokens of the prompt make
	last    *model.Trace   // and the last one
	ready   int            // the next token; below 0: not drawn yet
}

func newReference(m *model.Model, project model.Projector, prompt []int, c compile.Command) *reference {
	r := &reference{run: m.NewRun(project), ready: -1}
	if c.InverseTemp > 0 {
		r.sampler = &model.Sampler{State: c.Seed, IT16: c.InverseTemp, M: m.Embedding.M, S: m.Embedding.S}
	}
	for _, id := range prompt {
		r.last = r.run.Step(id)
		r.prompt = append(r.prompt, r.last)
	}
	return r
}

// peek is the next token, which next then gives.
func (r *reference) peek() int {
	if r.ready < 0 {
		if r.sampler == nil {
			r.ready = model.Greedy(r.last.Final.Logits)
		} else {
			r.ready = r.sampler.Next(r.last.Final.Logits)
		}
	}
	return r.ready
}

// next is the next token, with which the text goes on.
func (r *reference) next() int {
	id := r.peek()
	r.last = r.run.Step(id)
	r.ready = -1
	return id
}
