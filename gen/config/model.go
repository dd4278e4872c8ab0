package config

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"ohmloom/gen/arch"
)

// modelSpec is a model's shape. Attributes that a file gives need not be written; those that
// are win over the file's.
var modelSpec = blockSpec{
	name: "model", label: "name", many: true,
	attrs: []attrSpec{
		{name: "title", kind: kindString},
		{name: "file", kind: kindPath, hint: "a .safetensors or .gguf file to take the shape from"},
		{name: "layers", kind: kindInt, min: 1, max: 1024, hint: "decoder layers"},
		{name: "d_model", kind: kindInt, min: 1, max: 65_536, hint: "channels of the residual stream"},
		{name: "heads", kind: kindInt, min: 1, max: 1024, hint: "query heads of a layer"},
		{name: "kv_heads", kind: kindInt, min: 1, max: 1024, hint: "key and value heads of a layer"},
		{name: "head_channels", kind: kindInt, min: 1, max: 1024, hint: "channels of a head"},
		{name: "d_ff", kind: kindInt, min: 1, max: 262_144, hint: "hidden channels of the feed-forward block"},
		{name: "gated", kind: kindBool},
		{name: "vocab", kind: kindInt, min: 0, max: 1 << 22, hint: "rows of the output head"},
		{name: "context", kind: kindInt, min: 0, max: 1 << 22, hint: "tokens the model was made for"},
		{name: "source", kind: kindString, hint: "where the shape is from"},
	},
	blocks: []blockSpec{{
		name: "published",
		attrs: []attrSpec{
			{name: "order", kind: kindInt, min: 0, max: 1024},
			{name: "d_ff", kind: kindInt, min: 1, max: 262_144},
			{name: "gated", kind: kindBool},
			{name: "pim_d_model", kind: kindInt, min: 1, max: 65_536},
		},
	}},
}

// Models are the shapes that the binary ships: those of PIM-LLM's tables in their order, then
// the others by name.
func Models() []arch.Model {
	l := newLoader(context.Background(), Options{})
	tree := newNode(&language, hcl.Range{})
	l.addModels(tree)
	var models []arch.Model
	for _, n := range tree.blocks["model"] {
		l.evaluate(n)
		models = append(models, l.shape(n))
	}
	if len(l.diags) > 0 {
		panic("config: the library of models: " + l.finish().String())
	}
	order := func(m arch.Model) int {
		if m.Published == nil {
			return 1 << 20
		}
		return m.Published.Order
	}
	slices.SortStableFunc(models, func(a, b arch.Model) int { return order(a) - order(b) })
	return models
}

// LoadModel finds a model by name, in the library or in a file: .safetensors, .gguf, or .hcl
// with one model block. The model is nil when the diagnostics hold an error.
func LoadModel(ctx context.Context, name string, opts Options) (*arch.Model, Diagnostics) {
	opts.Model = name
	l := newLoader(ctx, opts)
	root := &sourceFile{name: "--model", src: []byte(name), body: &hclsyntax.Body{}}
	if strings.HasSuffix(name, ".hcl") {
		src, err := l.read(name, maxSource)
		if err != nil {
			return nil, Diagnostics{{Severity: Error, Summary: "Model can't be read", Value: name + ": " + reason(err)}}
		}
		root, l.opts.Model = l.parse(name, src), ""
	}
	spec := language
	spec.required = nil
	tree := l.tree(root, &spec)
	l.addModels(tree)
	l.evaluate(tree)
	m := l.model(tree)
	if m == nil && !l.broken && len(l.diags) == 0 {
		l.add(Error, hcl.Range{Filename: root.name, Start: hcl.InitialPos, End: hcl.InitialPos},
			Diagnostic{Summary: "No model is chosen", Suggestion: `write one block model "name" { ... }, or model = "name" beside several`})
	}
	diags := l.finish()
	if diags.HasErrors() {
		return nil, diags
	}
	return m, diags
}

// addModels puts the library's models under the description's own.
func (l *loader) addModels(tree *node) {
	for _, name := range libraryNames("model") {
		f := l.readLibrary("model", name)
		merge(tree, l.check(f.body, &language, "", hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.InitialPos}))
	}
}

// model is the model that the description runs: the one it names, else its only one.
func (l *loader) model(tree *node) *arch.Model {
	if l.same != nil {
		m := *l.same
		return &m
	}
	if tree.wanting("model") && l.opts.Model == "" {
		return nil
	}
	name, rng := tree.str("model", ""), tree.at("model")
	if l.opts.Model != "" {
		name = l.opts.Model
		f := &sourceFile{name: "--model", src: []byte(name), body: &hclsyntax.Body{}}
		l.files = append(l.files, f)
		rng = hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: len(name) + 1, Byte: len(name)}}
	}
	var own, names []string
	shapes := map[string]arch.Model{}
	for _, n := range tree.blocks["model"] {
		names = append(names, n.label)
		shapes[n.label] = l.shape(n)
		if !strings.HasPrefix(n.rng.Filename, libraryScheme) {
			own = append(own, n.label)
		}
	}
	if name == "" && len(own) == 1 {
		name = own[0]
	}
	if name == "" {
		return nil
	}
	if isShapeFile(name) {
		file := name
		if l.opts.Model == "" {
			file = l.resolve(rng.Filename, name)
			l.written[file] = name
		}
		m := l.fileShape(file, rng, "")
		m.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
		m.Title, m.Source, m.Pos = m.Name, name, position(rng)
		l.needShape(&m, rng, fmt.Sprintf("describe it: model %q { file = %q, ... }", m.Name, name))
		l.checkShape(&m, func(string) hcl.Range { return rng }, "")
		return &m
	}
	for _, n := range names {
		if strings.EqualFold(n, name) || strings.EqualFold(shapes[n].Title, name) {
			m := shapes[n]
			return &m
		}
	}
	if !l.broken {
		slices.Sort(names)
		l.add(Error, rng, Diagnostic{Summary: "Unknown model", Value: quote(name), Allowed: oneOf(names) + ", a .safetensors or a .gguf file",
			Suggestion: orElse(didYouMean(name, names), "describe it: model "+quote(name)+" { ... }")})
	}
	return nil
}

// shape is the model of a block; what is missing or does not go together is reported.
func (l *loader) shape(n *node) arch.Model {
	m := arch.Model{}
	file := l.path(n, "file")
	if file != "" {
		m = l.fileShape(file, n.at("file"), n.in)
	}
	m.Name, m.Pos = n.label, n.pos()
	m.Title, m.Source = n.str("title", n.label), n.str("source", file)
	for name, field := range shapeFields(&m) {
		if n.has(name) {
			*field = n.int(name, 0)
		}
	}
	m.Gated = n.bool("gated", m.Gated)
	for _, name := range n.spec.attrNames() {
		if n.wanting(name) {
			return m
		}
	}
	if l.needShape(&m, n.rng, "") {
		l.checkShape(&m, n.at, n.in)
	}
	if p := n.child("published"); p != nil {
		m.Published = &arch.PublishedShape{DFF: p.int("d_ff", m.DFF), Gated: p.bool("gated", m.Gated),
			PIMDModel: p.int("pim_d_model", m.DModel), Order: p.int("order", 0)}
	}
	return m
}

// shapeFields are the numbers of a shape by attribute.
func shapeFields(m *arch.Model) map[string]*int {
	return map[string]*int{"layers": &m.Layers, "d_model": &m.DModel, "heads": &m.Heads, "kv_heads": &m.KVHeads,
		"head_channels": &m.HeadChannels, "d_ff": &m.DFF, "vocab": &m.Vocab, "context": &m.Context}
}

// needShape fills in what follows from the rest and reports what does not.
func (l *loader) needShape(m *arch.Model, rng hcl.Range, suggestion string) bool {
	var missing []string
	fields := shapeFields(m)
	for _, name := range []string{"layers", "d_model", "heads", "d_ff"} {
		if *fields[name] == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		if !l.broken {
			l.add(Error, rng, Diagnostic{Summary: "The model's shape is incomplete", In: "model " + quote(m.Name),
				Value: "no " + oneOf(missing), Suggestion: orElse(suggestion, "add "+missing[0]+" = ...")})
		}
		return false
	}
	if m.KVHeads == 0 {
		m.KVHeads = m.Heads
	}
	return true
}

// checkShape reports heads that do not go together.
func (l *loader) checkShape(m *arch.Model, at func(attr string) hcl.Range, in string) {
	switch {
	case m.Heads == 0:
	case m.HeadChannels == 0 && m.DModel%m.Heads != 0:
		l.add(Error, at("heads"), Diagnostic{Summary: "Heads do not divide the model's channels", In: in,
			Value: fmt.Sprintf("%s, d_model = %d", count(m.Heads, "head"), m.DModel), Allowed: "a divisor of d_model, or head_channels = ...",
			Suggestion: "use heads = " + divisors(m.DModel, min(m.Heads, m.DModel))})
	case m.HeadChannels == 0:
		m.HeadChannels = m.DModel / m.Heads
	}
	if m.KVHeads > 0 && m.Heads%m.KVHeads != 0 {
		l.add(Error, at("kv_heads"), Diagnostic{Summary: "Heads are not a multiple of the KV heads", In: in,
			Value:   fmt.Sprintf("%s on %s", count(m.Heads, "head"), count(m.KVHeads, "KV head")),
			Allowed: "a divisor of the heads: " + divisorList(m.Heads, m.Heads)})
	}
}

// takeShape gives a decode engine what its block does not say: heads and layers of the model
// that the description runs. Where the model is at fault, nothing more is said of them.
func (l *loader) takeShape(n *node) {
	m := l.chosen
	if m == nil {
		if !l.unknown {
			return
		}
		m = &arch.Model{}
	}
	for name, v := range map[string]int{"heads": m.Heads, "kv_heads": m.KVHeads, "head_channels": m.HeadChannels, "layers": m.Layers} {
		if _, written := n.values[name]; !written {
			n.values[name] = value{v: cty.NumberIntVal(int64(v)), rng: n.rng, sound: v > 0}
		}
	}
}
