// Package config reads a description in HCL and returns the validated chip it describes,
// together with everything there is to say about it.
//
// A description is one file and what it includes. All files share one set of variables and
// locals; where two files say something about the same attribute, the including file wins
// over the included one and a later include over an earlier one. The language itself is the
// table in schema.go.
package config

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/hashicorp/hcl/v2"

	"ohmloom/gen/arch"
)

// Options for reading a description.
type Options struct {
	Vars map[string]string // --var name=value: values for the description's variables
	FS   fs.FS             // where files are read from; nil means the operating system
	// Model, when not "", is the model instead of the description's: a name of the description
	// or the library, or a .safetensors or .gguf file.
	Model string
}

// Load reads the description in a file. The chip is nil when the diagnostics hold an error;
// otherwise they hold warnings only.
func Load(ctx context.Context, path string, opts Options) (*arch.Chip, Diagnostics) {
	l := newLoader(ctx, opts)
	src, err := l.read(path, maxSource)
	if err != nil {
		return nil, Diagnostics{{Severity: Error, Summary: "Description can't be read", Value: path + ": " + reason(err),
			Suggestion: "ohmloom init writes a description to begin with"}}
	}
	return l.load(path, src)
}

// LoadBytes is Load for a description that is at hand. filename is what positions show;
// files that the description names are relative to its folder.
func LoadBytes(ctx context.Context, filename string, src []byte, opts Options) (*arch.Chip, Diagnostics) {
	return newLoader(ctx, opts).load(filename, src)
}

// loader is the state of one Load.
type loader struct {
	ctx      context.Context
	opts     Options
	files    []*sourceFile
	scope    scope
	constant bool // expressions may not refer to anything (yet)
	broken   bool // a part could not be read: don't complain of what is missing
	written  map[string]string
	chosen   *arch.Model     // that the description runs, or nil
	unknown  bool            // it names one that is not there, which has been said
	same     *arch.Model     // that all points of a sweep run, or nil
	swept    map[string]bool // variables that a sweep varies; nil without one
	diags    Diagnostics
}

func newLoader(ctx context.Context, opts Options) *loader {
	return &loader{ctx: ctx, opts: opts, written: map[string]string{}}
}

func (l *loader) load(name string, src []byte) (*arch.Chip, Diagnostics) {
	root := l.parse(name, src)
	tree, fallback := l.whole(root)
	l.evaluate(tree)
	chip := l.build(tree, root, fallback)
	l.checkSweep(tree.child("sweep"))
	l.unused(root)
	if err := l.ctx.Err(); err != nil {
		return nil, Diagnostics{{Severity: Error, Summary: "Reading the description was interrupted", Detail: err.Error()}}
	}
	diags := l.finish()
	if diags.HasErrors() {
		return nil, diags
	}
	chip.Hash = l.hash(chip)
	return chip, diags
}

// whole is the description that begins with root, with the library under it, and the
// technology it means when it names none.
func (l *loader) whole(root *sourceFile) (tree *node, technology string) {
	tree = l.tree(root, &language)
	technology = defaultTechnology
	if own := tree.blocks["technology"]; len(own) == 1 {
		technology = own[0].label // who describes a single technology means it
	}
	l.addTechnologies(tree)
	if tree.attrs["model"] != nil || l.opts.Model != "" {
		l.addModels(tree)
	}
	return tree, technology
}

// tree is the description that begins with root: its files checked against spec and merged.
func (l *loader) tree(root *sourceFile, spec *blockSpec) *node {
	files := l.include(root, nil)
	if l.swept != nil {
		l.swept = l.axesIn(files)
	}
	l.define(files)
	var tree *node
	for _, f := range files {
		start := hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.InitialPos}
		n := l.check(f.body, spec, "", start)
		if tree == nil {
			tree = n
		} else {
			tree = merge(tree, n)
		}
	}
	return tree
}

// unused warns of definitions in the user's own file that nothing refers to.
func (l *loader) unused(root *sourceFile) {
	if l.broken {
		return
	}
	warn := func(what, prefix string, names []string, defs map[string]*definition) {
		for _, name := range names {
			if d := defs[name]; !d.used && d.rng.Filename == root.name {
				l.add(Warning, d.rng, Diagnostic{Summary: fmt.Sprintf("%s %q is never used", what, name),
					Suggestion: "refer to it as " + prefix + name + ", or remove it"})
			}
		}
	}
	warn("Variable", "var.", l.scope.varNames, l.scope.vars)
	warn("Local", "local.", l.scope.localNames, l.scope.locals)
}
