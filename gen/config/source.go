package config

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

//go:embed library
var library embed.FS

// libraryScheme begins the file names of library entries in positions.
const libraryScheme = "ohmloom:"

// Bounds on one source file. HCL's parser recurses and its expressions can multiply; within
// these bounds neither the stack nor the memory of a small machine is at risk.
const (
	maxSource  = 256 << 10 // bytes
	maxNesting = 64        // brackets, braces, parentheses and templates
	maxFor     = 2         // `for` expressions inside one another
	maxFiles   = 64        // files of one description, includes counted
)

// sourceFile is one file of a description.
type sourceFile struct {
	name string // as shown to the user
	src  []byte
	body *hclsyntax.Body // never nil
}

// Library lists what the binary ships: the presets that `include` takes and the
// technologies, both sorted by name.
func Library() (presets, technologies []string) {
	return libraryNames("preset"), libraryNames("technology")
}

func libraryNames(dir string) []string {
	entries, err := library.ReadDir("library/" + dir)
	if err != nil {
		panic(err) // the directory is compiled in
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".hcl"))
	}
	return names
}

// readLibrary adds a library entry that is known to exist.
func (l *loader) readLibrary(dir, name string) *sourceFile {
	src, err := library.ReadFile("library/" + dir + "/" + name + ".hcl")
	if err != nil {
		panic(err)
	}
	return l.parse(libraryScheme+dir+"/"+name+".hcl", src)
}

// read returns the bytes of a user's file.
func (l *loader) read(name string, most int64) ([]byte, error) {
	f, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	src, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(src)) > most {
		return nil, fmt.Errorf("larger than %s bytes", thousands(most))
	}
	return src, nil
}

func (l *loader) open(name string) (fs.File, error) {
	if l.opts.FS != nil {
		return l.opts.FS.Open(path.Clean(filepath.ToSlash(name)))
	}
	// A FIFO would block in Open, so look first.
	if st, err := os.Stat(name); err == nil && !st.Mode().IsRegular() {
		if st.IsDir() {
			return nil, errors.New("it is a directory")
		}
		return nil, errors.New("not a regular file")
	}
	return os.Open(name)
}

// reason says why a file could not be read, without repeating its name.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return strings.TrimSuffix(err.Error(), ".")
}

// parse adds one file to the description.
func (l *loader) parse(name string, src []byte) *sourceFile {
	f := &sourceFile{name: name, src: src, body: &hclsyntax.Body{}}
	l.files = append(l.files, f)
	if d, rng := guard(name, src); d.Summary != "" {
		l.add(Error, rng, d)
		l.broken = true
		return f
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	l.addHCL("", diags)
	if diags.HasErrors() {
		l.broken = true
	}
	if file != nil {
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			f.body = body
		}
	}
	return f
}

// guard refuses, before it is parsed, a source that could exhaust the stack or memory.
func guard(name string, src []byte) (Diagnostic, hcl.Range) {
	start := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(src) > maxSource {
		return Diagnostic{Summary: "File too large",
			Value: thousands(int64(len(src))) + " bytes", Allowed: "at most " + thousands(maxSource) + " bytes",
			Suggestion: "is this a description? Split a long one with include blocks"}, start
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	var open []bool // whether each open bracket began a `for` expression
	fors := 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			isFor := i+1 < len(tokens) && string(tokens[i+1].Bytes) == "for"
			open = append(open, isFor)
			if isFor {
				fors++
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
			hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if n := len(open); n > 0 {
				if open[n-1] {
					fors--
				}
				open = open[:n-1]
			}
		case hclsyntax.TokenNumberLit:
			if _, err := parseNumber(string(t.Bytes)); err != nil {
				return Diagnostic{Summary: "Number out of range", Value: string(printable(t.Bytes)),
					Allowed: "-10^308 .. 10^308, at most 100 digits"}, t.Range
			}
		}
		if len(open) > maxNesting {
			return Diagnostic{Summary: "Nested too deep", Allowed: fmt.Sprintf("at most %d levels of brackets", maxNesting),
				Suggestion: "use locals to name the parts of a long expression"}, t.Range
		}
		if fors > maxFor {
			return Diagnostic{Summary: "Nested too deep", Allowed: fmt.Sprintf("at most %d `for` expressions inside one another", maxFor)}, t.Range
		}
	}
	return Diagnostic{}, start
}

// include parses a file's includes, depth first, so that l.files ends up with the including
// file before the included ones. stack holds the files being included at the moment.
func (l *loader) include(f *sourceFile, stack []string) []*sourceFile {
	order := []*sourceFile{f}
	var below []*sourceFile
	stack = append(stack, f.name)
	for _, b := range f.body.Blocks {
		if b.Type != "include" || len(b.Labels) != 1 {
			continue // a wrong label count is reported with all the others
		}
		rng, want := b.LabelRanges[0], b.Labels[0]
		inc := l.included(f, want, rng, stack)
		if inc == nil {
			continue
		}
		// A later include is closer to the user's own text: it wins over an earlier one.
		below = append(l.include(inc, stack), below...)
	}
	return append(order, below...)
}

// included finds one file to include; nil when there is nothing (more) to read.
func (l *loader) included(f *sourceFile, want string, rng hcl.Range, stack []string) *sourceFile {
	isFile := strings.HasSuffix(want, ".hcl") || strings.ContainsAny(want, `/\`)
	presets, _ := Library()
	name := libraryScheme + "preset/" + want + ".hcl"
	if isFile {
		name = l.resolve(f.name, want)
	}
	if i := slices.Index(stack, name); i >= 0 {
		chain := append(slices.Clone(stack[i:]), name)
		l.add(Error, rng, Diagnostic{Summary: "Include cycle", Value: strings.Join(chain, " -> "),
			Suggestion: "remove one of these includes"})
		return nil
	}
	if slices.ContainsFunc(l.files, func(g *sourceFile) bool { return g.name == name }) {
		return nil // two files may include the same third one
	}
	if len(l.files) >= maxFiles {
		l.add(Error, rng, Diagnostic{Summary: "Too many includes", Allowed: fmt.Sprintf("at most %d files", maxFiles)})
		return nil
	}
	if !isFile {
		if !slices.Contains(presets, want) {
			l.broken = true
			l.add(Error, rng, Diagnostic{Summary: "Unknown preset", Value: quote(want), Allowed: oneOf(presets),
				Suggestion: orElse(didYouMean(want, presets), "to include a file, write its name with .hcl")})
			return nil
		}
		return l.readLibrary("preset", want)
	}
	src, err := l.read(name, maxSource)
	if err != nil {
		l.broken = true
		l.add(Error, rng, Diagnostic{Summary: "Included file can't be read", Value: name + ": " + reason(err),
			Suggestion: "file names are relative to the file that includes them"})
		return nil
	}
	return l.parse(name, src)
}

// resolve makes a file name written in file `from` relative to where ohmloom runs.
func (l *loader) resolve(from, name string) string {
	if filepath.IsAbs(name) || strings.HasPrefix(from, libraryScheme) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(from), filepath.FromSlash(name))
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
