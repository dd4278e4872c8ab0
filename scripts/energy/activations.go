package main

import (
	"fmt"
	"os"
	"strings"

	"ohmloom/gen/model"
)

// window is the tokens that the model has seen, its whole window.
const window = 128

// tokens is how many of the last ones are measured.
const tokens = 8

// activations is what micro computes on text that it was not trained on.
type activations struct {
	m    *model.Model
	last []*model.Trace // of the last tokens
	keys [][][][]int8   // [layer][head][slot][channel], after the last
	vals [][][][]int8
}

func activate(folder string) (*activations, error) {
	m, err := model.Open(folder + "micro.safetensors")
	if err != nil {
		return nil, err
	}
	text, err := heldOut(folder)
	if err != nil {
		return nil, err
	}
	ids, err := m.Encode(text)
	if err != nil {
		return nil, err
	}
	if m.Config.Ctx != window || len(ids) < window {
		return nil, fmt.Errorf("the model has a context of %d, the text %d tokens", m.Config.Ctx, len(ids))
	}
	a := &activations{m: m}
	run := m.NewRun(model.Project)
	for i, id := range ids[:window] {
		t := run.Step(id)
		if i >= window-tokens {
			a.last = append(a.last, t)
		}
	}
	for l := range m.Config.NLayers {
		a.keys, a.vals = append(a.keys, nil), append(a.vals, nil)
		for h := range m.Config.NHeads {
			k, v := run.Window(l, h) // by distance: slot s is that of window-1-s
			a.keys[l], a.vals[l] = append(a.keys[l], k), append(a.vals[l], v)
		}
	}
	return a, nil
}

// heldOut is text that the models were not trained on.
func heldOut(folder string) (string, error) {
	data, err := os.ReadFile(folder + "heldout.txt")
	return strings.TrimPrefix(string(data), "?"), err
}
