// SPDX-License-Identifier: Apache-2.0

// Package model reads trained ternary language models of specification
// pimllm-int-1 (.safetensors), their golden vectors (.json), and holds the
// reference arithmetic of such a model on plain integers: what every
// hardware engine must reproduce bit for bit.
package model

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Model is a checkpoint whose every byte has been checked against the
// specification. It is read-only after Open and safe for concurrent use.
type Model struct {
	File    string // path as given to Open
	Spec    string // SpecVersion
	Name    string // the trainer's name for it, for example "nano"; may be empty
	Config  Config
	Vocab   []string          // one character each; the index is the token id
	Meta    map[string]string // all of __metadata__, notes included
	Tensors []Tensor          // the directory, ascending by position in the file

	Embedding Matrix // [vocab, d_model], values -127..127; tied output head; M, S is head.scale

	matrices map[string]Matrix // "layers.0.wq": values -1, 0, 1
	relBias  [][]int16         // per layer, [n_heads * ctx] row-major
}

// Matrix is one weight matrix with its requantisation constants.
type Matrix struct {
	Name    string // "layers.0.wq"
	Out, In int    // output and input channels
	W       []int8 // [Out, In] row-major; -1, 0, 1 except for the embedding
	M       int    // multiplier, 128..255
	S       int    // right shift, 1..31
}

// Row is the weights of output channel o, In long.
func (w Matrix) Row(o int) []int8 { return w.W[o*w.In : (o+1)*w.In] }

// Open reads a checkpoint. Errors are *Error and say file, tensor, value and
// what is allowed.
func Open(path string) (*Model, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(path, bufio.NewReaderSize(f, 1<<16), size)
}

// OpenFS is Open in a file system; nil is that of the machine.
func OpenFS(fsys fs.FS, path string) (*Model, error) {
	if fsys == nil {
		return Open(path)
	}
	f, err := fsys.Open(filepath.ToSlash(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return Read(path, f, st.Size())
}

// openRegular opens a file and refuses whatever has no fixed size: reading a
// pipe or a device could wait for ever.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, &Error{File: path, Problem: "cannot open the file", Kind: ErrUnreadable, Cause: err}
	}
	if !info.Mode().IsRegular() {
		kind := "a device, pipe or socket"
		if info.IsDir() {
			kind = "a directory"
		}
		return nil, 0, &Error{File: path, Problem: "not a regular file", Value: kind, Kind: ErrUnreadable}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, &Error{File: path, Problem: "cannot open the file", Kind: ErrUnreadable, Cause: err}
	}
	return f, info.Size(), nil
}

// Read is Open on an open stream of size bytes; file names it in errors.
func Read(file string, r io.Reader, size int64) (*Model, error) {
	c := &container{file: file, r: r, size: size}
	dir, err := c.readDirectory()
	if err != nil {
		return nil, err
	}
	m := &Model{File: file, Meta: dir.metadata, Tensors: dir.tensors, matrices: map[string]Matrix{}}
	if err := m.spec(dir.metadata); err != nil {
		return nil, err
	}
	if err := m.checkTensors(); err != nil {
		return nil, err
	}
	data, err := m.readData(r)
	if err != nil {
		return nil, err
	}
	if err := m.assemble(data); err != nil {
		return nil, err
	}
	return m, nil
}

// checkTensors compares the directory with the specification's table, so
// that the size of everything read later is known to be right.
func (m *Model) checkTensors() error {
	bad := func(name, problem, value, allowed, hint string) error {
		return &Error{File: m.File, Where: "tensor " + quote(name), Problem: problem, Value: value, Allowed: allowed, Hint: hint, Kind: ErrTensor}
	}
	have := map[string]Tensor{}
	var surplus []string
	for _, t := range m.Tensors {
		have[t.Name] = t
		surplus = append(surplus, t.Name)
	}
	wanted := m.Config.wanted()
	known := map[string]bool{}
	var names []string
	for _, w := range wanted {
		known[w.name] = true
		names = append(names, w.name)
	}
	surplus = slices.DeleteFunc(surplus, func(name string) bool { return known[name] })
	for _, w := range wanted {
		t, ok := have[w.name]
		switch {
		case !ok:
			hint := ""
			if near := nearest(w.name, surplus); near != "" {
				hint = "is " + near + " meant to be it?"
			}
			return bad(w.name, "missing", "", "", hint)
		case t.DType != w.dtype:
			return bad(w.name, "wrong dtype", quote(t.DType), w.dtype, "")
		case !slices.Equal(t.Shape, w.shape):
			return bad(w.name, "wrong shape", fmt.Sprint(t.Shape), fmt.Sprint(w.shape)+" by the config", "")
		}
	}
	if len(surplus) > 0 {
		return bad(surplus[0], "not a tensor of "+SpecVersion, "", "", didYouMean(surplus[0], names))
	}
	return nil
}

// readData reads all tensors; their sizes were checked against the file's.
func (m *Model) readData(r io.Reader) (map[string][]byte, error) {
	data := make(map[string][]byte, len(m.Tensors))
	for _, t := range m.Tensors {
		b := make([]byte, t.End-t.Begin)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, &Error{File: m.File, Where: "tensor " + quote(t.Name), Problem: "cannot read its data", Kind: ErrUnreadable, Cause: err}
		}
		data[t.Name] = b
	}
	return data, nil
}

// assemble turns checked bytes into matrices and checks every value.
func (m *Model) assemble(data map[string][]byte) error {
	c := &m.Config
	emb, err := m.matrix("tok_emb", "tok_emb", "head.scale", data, c.VocabSize, c.DModel, 127)
	if err != nil {
		return err
	}
	m.Embedding = emb
	for l := range c.NLayers {
		for _, p := range Projections {
			name := fmt.Sprintf("layers.%d.%s", l, p)
			out, in := c.shapeOf(p)
			if m.matrices[name], err = m.matrix(name, name+".weight", name+".scale", data, out, in, 1); err != nil {
				return err
			}
		}
		raw := data[fmt.Sprintf("layers.%d.rel_bias", l)]
		bias := make([]int16, len(raw)/2)
		for i := range bias {
			bias[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		m.relBias = append(m.relBias, bias)
	}
	return nil
}

func (m *Model) matrix(name, weight, scale string, data map[string][]byte, out, in, limit int) (Matrix, error) {
	bad := func(tensor, problem, value, allowed string) (Matrix, error) {
		return Matrix{}, &Error{File: m.File, Where: "tensor " + quote(tensor), Problem: problem, Value: value, Allowed: allowed, Kind: ErrValue}
	}
	raw := data[weight]
	w := Matrix{Name: name, Out: out, In: in, W: make([]int8, len(raw))}
	for i, b := range raw {
		v := int8(b)
		if int(v) > limit || int(v) < -limit {
			return bad(weight, fmt.Sprintf("value out of range at [%d, %d]", i/in, i%in), strconv.Itoa(int(v)), fmt.Sprintf("%d to %d", -limit, limit))
		}
		w.W[i] = v
	}
	w.M = int(int32(binary.LittleEndian.Uint32(data[scale])))
	w.S = int(int32(binary.LittleEndian.Uint32(data[scale][4:])))
	if lo, hi := 1<<(m.Config.MBits-1), 1<<m.Config.MBits-1; w.M < lo || w.M > hi {
		return bad(scale, "multiplier M out of range", strconv.Itoa(w.M), fmt.Sprintf("%d to %d", lo, hi))
	}
	if w.S < 1 || w.S > 31 {
		return bad(scale, "shift S out of range", strconv.Itoa(w.S), "1 to 31")
	}
	return w, nil
}

// Matrices lists the names that Matrix takes, layer by layer in the order of
// Projections.
func (m *Model) Matrices() []string {
	names := make([]string, 0, len(m.matrices))
	for l := range m.Config.NLayers {
		for _, p := range Projections {
			names = append(names, fmt.Sprintf("layers.%d.%s", l, p))
		}
	}
	return names
}

// Matrix returns the ternary weights and (M, S) of one projection, named
// "layers.<i>.<projection>" with a projection out of Projections. The slice
// W is the model's own: copy before writing. An unknown name is an *Error of
// kind ErrUnknown with the nearest name as a hint.
func (m *Model) Matrix(name string) (Matrix, error) {
	if w, ok := m.matrices[name]; ok {
		return w, nil
	}
	hint := didYouMean(name, m.Matrices())
	if stem := strings.TrimSuffix(strings.TrimSuffix(name, ".weight"), ".scale"); m.matrices[stem].W != nil {
		hint = "did you mean " + stem + "?"
	}
	return Matrix{}, &Error{File: m.File, Where: "matrix " + quote(name), Problem: "the model has no such matrix",
		Allowed: fmt.Sprintf("layers.<0 to %d>.<%s>", m.Config.NLayers-1, strings.Join(Projections, ", ")), Hint: hint, Kind: ErrUnknown}
}

// RelBias returns the position bias of a head, indexed by the distance to
// the key (0 = the token itself), ctx long, unit 1/32 bit.
func (m *Model) RelBias(layer, head int) []int16 {
	ctx := m.Config.Ctx
	return m.relBias[layer][head*ctx : (head+1)*ctx]
}

// TensorNames lists the tensors of the file in ascending order.
func (m *Model) TensorNames() []string {
	names := make([]string, len(m.Tensors))
	for i, t := range m.Tensors {
		names[i] = t.Name
	}
	sort.Strings(names)
	return names
}

// Encode turns text into token ids. A character outside the vocabulary is an
// *Error of kind ErrUnknown with its byte position.
func (m *Model) Encode(text string) ([]int, error) {
	ids := map[string]int{}
	for i, s := range m.Vocab {
		ids[s] = i
	}
	var tokens []int
	for at, r := range text {
		id, ok := ids[string(r)]
		if !ok {
			return nil, &Error{File: m.File, Where: fmt.Sprintf("text byte %d", at), Problem: "character outside the vocabulary", Value: quote(string(r)),
				Allowed: quote(strings.Join(m.Vocab, "")), Kind: ErrUnknown}
		}
		tokens = append(tokens, id)
	}
	return tokens, nil
}

// Decode turns token ids into text. A token id outside the vocabulary is a
// programmer's mistake and panics.
func (m *Model) Decode(tokens []int) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(m.Vocab[t])
	}
	return b.String()
}
