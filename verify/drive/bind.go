package drive

import (
	"fmt"
	"slices"
	"strings"

	"ohmloom/ir"
)

// bind finds the words of every stream and of what is watched in the records, and sets the
// constant inputs.
func (r *run) bind(feeds []Feed, wants []Want) error {
	ins, outs := layout(r.shape.In, 1), layout(r.shape.Out, 0)
	for _, p := range r.shape.In {
		if v, ok := r.opt.Inputs[p.Name]; ok {
			for i := 0; i < p.Type.N; i++ {
				r.ins[ins[p.Name].at+i] = v
			}
		}
	}
	for _, f := range feeds {
		c, err := bindOne(f.Name, r.shape.In, ins, outs)
		if err != nil {
			return err
		}
		for _, b := range f.Beats {
			if err := c.fits(b); err != nil {
				return err
			}
		}
		c.beats, c.answers = f.Beats, f.Answers
		r.in = append(r.in, c)
	}
	for _, w := range wants {
		c, err := bindOne(w.Name, r.shape.Out, outs, ins)
		if err != nil {
			return err
		}
		c.want = w.Beats
		r.out = append(r.out, c)
	}
	for _, in := range r.in {
		if in.answers == nil {
			continue
		}
		i := slices.IndexFunc(r.out, func(c *channel) bool { return c.name == in.answers.To })
		if i < 0 || in.answers.Latency < 1 {
			return fmt.Errorf("stream %s answers %s %d cycles later; allowed are a wanted stream and at least 1", in.name, in.answers.To, in.answers.Latency)
		}
		r.out[i].asks = append(r.out[i].asks, in)
	}
	r.held = make([][]int, len(r.opt.Watch))
	for _, w := range r.opt.Watch {
		var at []int
		for _, name := range w.Ports {
			port, ok := outs[name]
			if !ok {
				return fmt.Errorf("there is no output %s to watch", name)
			}
			at = append(at, port.at)
		}
		r.watched = append(r.watched, at)
	}
	return nil
}

// layout gives the words of each port in a record that starts with skip other words.
func layout(ports []*ir.Port, skip int) map[string]span {
	at := map[string]span{}
	for _, p := range ports {
		at[p.Name] = span{skip, p.Type.N, p.Type.W}
		skip += p.Type.N
	}
	return at
}

// bindOne binds a stream whose valid and fields are among ports; its ready, if any, goes the
// other way.
func bindOne(name string, ports []*ir.Port, same, other map[string]span) (*channel, error) {
	v, ok := same[name+"_valid"]
	if !ok {
		return nil, fmt.Errorf("there is no stream %s: no port %s_valid in that direction", name, name)
	}
	c := &channel{name: name, valid: v.at, ready: -1}
	if rd, ok := other[name+"_ready"]; ok {
		c.ready = rd.at
	}
	for _, p := range ports {
		if strings.HasPrefix(p.Name, name+"_") && p.Name != name+"_valid" {
			c.fields = append(c.fields, same[p.Name])
		}
	}
	return c, nil
}

func (c *channel) fits(b Beat) error {
	if len(b) != len(c.fields) {
		return fmt.Errorf("stream %s has %d fields, a beat has %d", c.name, len(c.fields), len(b))
	}
	for i, f := range c.fields {
		if len(b[i]) != f.n {
			return fmt.Errorf("stream %s: field %d has %d elements, a beat has %d", c.name, i, f.n, len(b[i]))
		}
	}
	return nil
}
