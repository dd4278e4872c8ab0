package config

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"ohmloom/gen/arch"
)

// isShapeFile tells a file from the name of a model.
func isShapeFile(name string) bool {
	return strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".gguf")
}

// fileShape is what a file says of a model's shape; what it does not say is zero.
func (l *loader) fileShape(name string, rng hcl.Range, in string) arch.Model {
	read := l.safetensorsShape
	if strings.HasSuffix(name, ".gguf") {
		read = l.ggufShape
	}
	m, err := read(name)
	if !strings.HasSuffix(name, ".gguf") {
		m.Checkpoint = name
	}
	if err != nil {
		l.broken = true // what is missing may be in the file
		l.add(Error, rng, Diagnostic{Summary: "Model can't be read", In: in, Value: name + ": " + reason(err),
			Suggestion: "file names are relative to the file that writes them, those of --model to the working folder"})
	}
	return m
}

// configKeys are the names that configurations of models give to the numbers of a shape.
var configKeys = map[string][]string{
	"layers":        {"n_layers", "num_hidden_layers", "n_layer"},
	"d_model":       {"d_model", "hidden_size", "n_embd"},
	"heads":         {"n_heads", "num_attention_heads", "n_head"},
	"kv_heads":      {"num_key_value_heads"},
	"head_channels": {"head_dim"},
	"d_ff":          {"d_ff", "intermediate_size", "ffn_dim", "n_inner"},
	"vocab":         {"vocab_size"},
	"context":       {"ctx", "max_position_embeddings", "n_positions"},
}

// maxConfig bounds a configuration beside a checkpoint, bytes.
const maxConfig = 1 << 20

// safetensorsShape takes the shape from the names and shapes of a checkpoint's tensors, and
// what they do not tell from the configuration in its metadata or in config.json beside it.
func (l *loader) safetensorsShape(name string) (arch.Model, error) {
	var m arch.Model
	raw, err := l.readHeader(name)
	if err != nil {
		return m, err
	}
	var meta map[string]string
	if err := json.Unmarshal(raw["__metadata__"], &meta); err != nil && raw["__metadata__"] != nil {
		return m, fmt.Errorf("not a safetensors file: its metadata are no strings: %w", err)
	}
	text := []byte(meta["config"])
	if len(text) == 0 {
		if text, err = l.read(filepath.Join(filepath.Dir(name), "config.json"), maxConfig); err != nil {
			text = nil // a checkpoint need not have one
		}
	}
	var config map[string]json.RawMessage
	if len(text) > 0 {
		if err := json.Unmarshal(text, &config); err != nil {
			return m, fmt.Errorf("the model's configuration is no JSON object: %w", err)
		}
	}
	fields := shapeFields(&m)
	for field, keys := range configKeys {
		for _, key := range keys {
			var n int
			if json.Unmarshal(config[key], &n) == nil && n > 0 {
				*fields[field] = n
			}
		}
	}
	return m, tensorShapes(&m, decodeShapes(raw))
}

// Tensors that tell a shape, by the end of their names without ".weight".
var (
	layerIndex  = regexp.MustCompile(`(?:^|\.)(?:layers|layer|h|blk|blocks)\.(\d+)\.`)
	embeddings  = []string{"tok_emb", "embed_tokens", "wte", "token_embd"}
	queries     = []string{"wq", "q_proj", "attn_q"}
	keys        = []string{"wk", "k_proj", "attn_k"}
	gates       = []string{"gate_proj", "ffn_gate", "w3"}
	ups         = []string{"up_proj", "ffn_up", "w1", "fc1", "c_fc"}
	maxShapeDim = 1 << 22
)

// tensorShapes fills in what tensors tell: they win over a configuration.
func tensorShapes(m *arch.Model, shapes map[string]tensorShape) error {
	var names []string
	for name, s := range shapes {
		if len(s.Shape) == 2 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var q, k [2]int
	for _, name := range names {
		dims := [2]int{shapes[name].Shape[0], shapes[name].Shape[1]}
		if min(dims[0], dims[1]) < 1 || max(dims[0], dims[1]) > maxShapeDim {
			return fmt.Errorf("tensor %q has shape %v", name, dims)
		}
		if at := layerIndex.FindStringSubmatch(name); at != nil {
			if i, err := strconv.Atoi(at[1]); err == nil {
				m.Layers = max(m.Layers, i+1)
			}
		}
		switch part := strings.TrimSuffix(name, matrixSuffix); {
		case ends(part, embeddings):
			m.Vocab, m.DModel = dims[0], dims[1]
		case ends(part, queries):
			q = dims
		case ends(part, keys):
			k = dims
		case ends(part, gates):
			m.Gated = true
		case ends(part, ups):
			m.DFF = max(dims[0], dims[1])
		}
	}
	if m.Heads > 0 && q[0] > 0 && q[0]%m.Heads == 0 {
		m.HeadChannels = q[0] / m.Heads
		if k[0] > 0 && k[0]%m.HeadChannels == 0 {
			m.KVHeads = k[0] / m.HeadChannels
		}
	}
	return nil
}

func ends(name string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return name == p || strings.HasSuffix(name, "."+p) })
}

// ggufKeys are the keys of a GGUF file after the architecture's name and a full stop.
var ggufKeys = map[string]string{
	"block_count": "layers", "embedding_length": "d_model", "attention.head_count": "heads", "attention.head_count_kv": "kv_heads",
	"attention.key_length": "head_channels", "feed_forward_length": "d_ff", "vocab_size": "vocab", "context_length": "context",
}

// ggufShape takes the shape from a GGUF file's metadata, and from its list of tensors
// whether the feed-forward block is gated.
func (l *loader) ggufShape(name string) (arch.Model, error) {
	var m arch.Model
	f, err := l.open(name)
	if err != nil {
		return m, err
	}
	defer f.Close()
	g, err := readGGUF(io.LimitReader(f, maxGGUF))
	if err != nil {
		return m, fmt.Errorf("not a GGUF file that can be read: %w", err)
	}
	fields := shapeFields(&m)
	for key, field := range ggufKeys {
		n := g.numbers[g.architecture+"."+key]
		if n > uint64(maxShapeDim) {
			return m, fmt.Errorf("%s.%s is %d", g.architecture, key, n)
		}
		*fields[field] = int(n)
	}
	if m.Vocab == 0 {
		m.Vocab = g.tokens
	}
	m.Gated = slices.ContainsFunc(g.tensors, func(t string) bool { return ends(strings.TrimSuffix(t, matrixSuffix), gates) })
	return m, nil
}
