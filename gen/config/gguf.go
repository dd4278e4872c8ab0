package config

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds on what is read of a GGUF file (github.com/ggml-org/ggml, docs/gguf.md, versions 2
// and 3): metadata and the list of tensors, never the weights.
const (
	maxGGUF       = 256 << 20 // bytes
	maxGGUFKeys   = 1 << 16
	maxGGUFTensor = 1 << 20
	maxGGUFString = 1 << 20
	maxGGUFArray  = 1 << 24 // elements; vocabularies are the longest
	maxGGUFNested = 4
)

// ggufHeader is what a GGUF file says of its model.
type ggufHeader struct {
	architecture string
	numbers      map[string]uint64 // whole numbers by key; of a list the first
	tokens       int               // length of the vocabulary
	tensors      []string
}

// GGUF value types.
const (
	ggufBool   = 7
	ggufString = 8
	ggufArray  = 9
)

// ggufSize is the size in bytes of a value, by type; strings and arrays have none.
var ggufSize = map[uint32]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, ggufBool: 1, 10: 8, 11: 8, 12: 8}

var ggufFloat = map[uint32]bool{6: true, 12: true}

type ggufReader struct{ r *bufio.Reader }

func readGGUF(r io.Reader) (*ggufHeader, error) {
	g := ggufReader{bufio.NewReaderSize(r, 1<<16)}
	magic := make([]byte, 4)
	if _, err := io.ReadFull(g.r, magic); err != nil || string(magic) != "GGUF" {
		return nil, errors.New(`it does not begin with "GGUF"`)
	}
	version, err := g.uint(4)
	if err != nil {
		return nil, err
	}
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("version %d; 2 and 3 are known", version)
	}
	tensors, err := g.count("tensors", maxGGUFTensor)
	if err != nil {
		return nil, err
	}
	keys, err := g.count("keys", maxGGUFKeys)
	if err != nil {
		return nil, err
	}
	h := &ggufHeader{numbers: map[string]uint64{}}
	for range keys {
		if err := g.pair(h); err != nil {
			return nil, err
		}
	}
	for range tensors {
		name, err := g.tensor()
		if err != nil {
			return nil, err
		}
		h.tensors = append(h.tensors, name)
	}
	if h.architecture == "" {
		return nil, errors.New("it has no general.architecture")
	}
	return h, nil
}

// pair reads one key and its value.
func (g ggufReader) pair(h *ggufHeader) error {
	key, err := g.string()
	if err != nil {
		return err
	}
	kind, err := g.uint(4)
	if err != nil {
		return err
	}
	text, number, n, err := g.value(uint32(kind), 0)
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	switch {
	case key == "general.architecture":
		h.architecture = text
	case key == "tokenizer.ggml.tokens":
		h.tokens = n
	default:
		h.numbers[key] = number
	}
	return nil
}

// value reads a value: its text, its number (of a list the first), its length as a list.
func (g ggufReader) value(kind uint32, depth int) (text string, number uint64, n int, err error) {
	switch size, fixed := ggufSize[kind]; {
	case fixed:
		number, err = g.uint(size)
		if ggufFloat[kind] {
			number = 0
		}
		return "", number, 0, err
	case kind == ggufString:
		text, err = g.string()
		return text, 0, 0, err
	case kind != ggufArray || depth == maxGGUFNested:
		return "", 0, 0, fmt.Errorf("unknown type of value %d", kind)
	}
	inner, err := g.uint(4)
	if err != nil {
		return "", 0, 0, err
	}
	if n, err = g.count("elements", maxGGUFArray); err != nil {
		return "", 0, 0, err
	}
	for i := range n {
		_, x, _, err := g.value(uint32(inner), depth+1)
		if err != nil {
			return "", 0, 0, err
		}
		if i == 0 {
			number = x
		}
	}
	return "", number, n, nil
}

// tensor reads a tensor's entry and gives its name.
func (g ggufReader) tensor() (string, error) {
	name, err := g.string()
	if err != nil {
		return "", err
	}
	dims, err := g.uint(4)
	if err != nil {
		return "", err
	}
	if dims > 8 {
		return "", fmt.Errorf("tensor %q has %d dimensions", name, dims)
	}
	_, err = g.r.Discard(8*int(dims) + 4 + 8) // sizes, type, offset
	return name, err
}

// uint reads a little-endian number of 1, 2, 4 or 8 bytes.
func (g ggufReader) uint(bytes int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(g.r, b[:bytes]); err != nil {
		return 0, fmt.Errorf("it ends in its header: %w", err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (g ggufReader) count(what string, most uint64) (int, error) {
	n, err := g.uint(8)
	if err == nil && n > most {
		err = fmt.Errorf("%d %s; at most %d are read", n, what, most)
	}
	return int(n), err
}

func (g ggufReader) string() (string, error) {
	n, err := g.count("characters in a name", maxGGUFString)
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(g.r, text); err != nil {
		return "", fmt.Errorf("it ends in its header: %w", err)
	}
	return string(text), nil
}
