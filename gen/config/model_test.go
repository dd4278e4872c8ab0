package config

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"ohmloom/gen/arch"
)

func TestLibraryHasTheSevenModelsOfThePaperFirst(t *testing.T) {
	var names []string
	for _, m := range Models() {
		if m.Published != nil {
			names = append(names, m.Title)
		}
		if m.Source == "" || m.Heads*m.HeadChannels != m.DModel {
			t.Errorf("%+v", m)
		}
	}
	want := "GPT2-350M GPT2-774M GPT2-1.5B OPT-1.3B OPT-2.7B LLaMA-7B OPT-6.7B"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The shapes have as many parameters as their makers say, to the digits they give: matrices and
// embeddings, and a second table where the output head is not the embedding.
func TestLibraryShapesHaveThePublishedNumberOfParameters(t *testing.T) {
	models := map[string]arch.Model{}
	for _, m := range Models() {
		models[m.Name] = m
	}
	for name, c := range map[string]struct {
		tables           int     // of vocabulary x channels
		billions, within float64 // published, and what rounding, norms, biases and positions may come to
	}{
		"gpt2-774m":         {1, 0.774, 0.003}, // names of its releases: 774M, 1558M
		"gpt2-1.5b":         {1, 1.558, 0.004},
		"opt-1.3b":          {1, 1.3, 0.05}, // OPT (arXiv 2205.01068), table 1
		"opt-2.7b":          {1, 2.7, 0.06},
		"opt-6.7b":          {1, 6.7, 0.06},
		"llama-7b":          {2, 6.7, 0.05},    // LLaMA (arXiv 2302.13971), table 2
		"llama-3-8b":        {2, 8.03, 0.005},  // model card
		"llama-3.2-1b":      {1, 1.23, 0.0065}, // model card: one table
		"bitnet-b1.58-2b4t": {1, 2.4, 0.05},    // technical report (arXiv 2504.12285)
		"trilm-3.9b":        {2, 3.99, 0.005},  // Spectra (arXiv 2407.12327)
	} {
		m := models[name]
		n := c.tables * m.Vocab * m.DModel
		for _, x := range m.Matrices() {
			n += m.Layers * x.Out * x.In
		}
		if got := float64(n) / 1e9; math.Abs(got-c.billions) > c.within {
			t.Errorf("%s: %.4f thousand million parameters, published are %.3f", name, got, c.billions)
		}
	}
}

// gguf writes a GGUF file with the given metadata, in order, and tensors of one dimension.
func gguf(version uint32, pairs []any, tensors ...string) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	text := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	put(version)
	put(uint64(len(tensors)))
	put(uint64(len(pairs) / 2))
	for i := 0; i < len(pairs); i += 2 {
		text(pairs[i].(string))
		switch v := pairs[i+1].(type) {
		case uint32:
			put(uint32(4))
			put(v)
		case float32:
			put(uint32(6))
			put(v)
		case string:
			put(uint32(8))
			text(v)
		case []string:
			put(uint32(9))
			put(uint32(8))
			put(uint64(len(v)))
			for _, s := range v {
				text(s)
			}
		}
	}
	for _, name := range tensors {
		text(name)
		put(uint32(1))
		put(uint64(32))
		put(uint32(0))
		put(uint64(0))
	}
	return b.Bytes()
}

var ggufPairs = []any{"general.architecture", "llama", "llama.rope.freq_base", float32(1e4), "llama.block_count", uint32(3), "llama.embedding_length", uint32(96),
	"llama.attention.head_count", uint32(6), "llama.attention.head_count_kv", uint32(2), "llama.feed_forward_length", uint32(200),
	"llama.context_length", uint32(512), "tokenizer.ggml.tokens", []string{"a", "bc", ""}}

// shapesFile writes the header of a checkpoint, without the data.
func shapesFile(t *testing.T, config string, shapes map[string][]int) []byte {
	t.Helper()
	header := map[string]any{}
	for name, s := range shapes {
		header[name] = map[string]any{"dtype": "I8", "shape": s, "data_offsets": []int{0, 0}}
	}
	if config != "" {
		header["__metadata__"] = map[string]string{"config": config}
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
}

var llamaShapes = map[string][]int{"model.embed_tokens.weight": {1000, 96}, "model.layers.2.mlp.gate_proj.weight": {200, 96},
	"model.layers.2.mlp.up_proj.weight": {200, 96}, "model.layers.0.self_attn.q_proj.weight": {96, 96}, "model.layers.0.self_attn.k_proj.weight": {32, 96}}

func TestShapesComeFromFilesAndAttributesWin(t *testing.T) {
	fsys := fstest.MapFS{
		"a.gguf":              {Data: gguf(3, ggufPairs, "token_embd.weight", "blk.0.ffn_gate.weight")},
		"own.safetensors":     {Data: shapesFile(t, `{"n_heads": 6, "ctx": 512}`, llamaShapes)},
		"hf/hf.safetensors":   {Data: shapesFile(t, "", llamaShapes)},
		"hf/config.json":      {Data: []byte(`{"num_attention_heads": 6, "max_position_embeddings": 512}`)},
		"mine.hcl":            {Data: []byte("model \"mine\" {\n  file = \"a.gguf\"\n  layers = 4\n  gated = false\n}\n")},
		"alone.safetensors":   {Data: shapesFile(t, "", llamaShapes)},
		"broken.gguf":         {Data: gguf(3, ggufPairs)[:100]},
		"old.gguf":            {Data: gguf(1, ggufPairs)},
		"text.gguf":           {Data: []byte("not a model")},
		"heads.hcl":           {Data: []byte("model \"h\" {\n  layers = 1\n  d_model = 10\n  heads = 3\n  d_ff = 4\n}\n")},
		"kv.hcl":              {Data: []byte("model \"k\" {\n  layers = 1\n  d_model = 12\n  heads = 4\n  kv_heads = 3\n  d_ff = 4\n}\n")},
		"two.hcl":             {Data: []byte("model \"a\" {\n  file = \"a.gguf\"\n}\nmodel \"b\" {\n  file = \"a.gguf\"\n}\n")},
		"strange.safetensors": {Data: shapesFile(t, `{"n_heads": 6}`, map[string][]int{"layers.0.wq.weight": {0, 5}})},
	}
	shape := arch.Model{Layers: 3, DModel: 96, Heads: 6, KVHeads: 2, HeadChannels: 16, DFF: 200, Gated: true, Vocab: 1000, Context: 512}
	changed := shape
	changed.Layers, changed.Gated, changed.Vocab = 4, false, 3
	fromGGUF := shape
	fromGGUF.Vocab = 3
	for name, want := range map[string]arch.Model{"a.gguf": fromGGUF, "own.safetensors": shape, "hf/hf.safetensors": shape, "mine.hcl": changed} {
		m, diags := LoadModel(context.Background(), name, Options{FS: fsys})
		if m == nil {
			t.Errorf("%s: %s", name, diags)
			continue
		}
		got := *m
		if isCheckpoint := strings.HasSuffix(name, ".safetensors"); isCheckpoint != (got.Checkpoint == name) {
			t.Errorf("%s: checkpoint %q", name, got.Checkpoint)
		}
		got.Name, got.Title, got.Source, got.Checkpoint, got.Pos = "", "", "", "", arch.Pos{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	for name, want := range map[string]string{
		"alone.safetensors": `no "heads"`, "broken.gguf": "it ends in its header", "old.gguf": "version 1; 2 and 3 are known",
		"text.gguf": "does not begin with", "none.gguf": "does not exist", "none.hcl": "does not exist", "heads.hcl": "Heads do not divide the model's channels",
		"kv.hcl": "Heads are not a multiple of the KV heads", "two.hcl": "No model is chosen", "opt-6.7": `did you mean "opt-6.7b"?`,
		"strange.safetensors": "has shape [0 5]",
	} {
		m, diags := LoadModel(context.Background(), name, Options{FS: fsys})
		if m != nil || !strings.Contains(diags.String(), want) {
			t.Errorf("%s: %v, %s, want %q", name, m, diags, want)
		}
	}
}

func TestShippedCheckpointsTellTheirShapes(t *testing.T) {
	for _, name := range []string{"nano", "micro"} {
		path := filepath.Join("..", "..", "examples", "models", name+".safetensors")
		file, diags := LoadModel(context.Background(), path, Options{})
		if file == nil {
			t.Fatal(diags)
		}
		if file.Checkpoint != path {
			t.Errorf("%s: checkpoint %q", path, file.Checkpoint)
		}
		file.Checkpoint = ""
		for _, m := range Models() {
			if m.Name == name {
				m.Title, m.Source, m.Pos, file.Title, file.Source, file.Pos = "", "", arch.Pos{}, "", "", arch.Pos{}
				if diff := cmp.Diff(m, *file); diff != "" {
					t.Errorf("%s: -library +file:\n%s", name, diff)
				}
			}
		}
	}
}

// No truncation of a GGUF file is taken for a model, and none takes long.
func TestTruncatedGGUFIsRefused(t *testing.T) {
	whole := gguf(3, ggufPairs, "blk.0.ffn_gate.weight")
	for n := range len(whole) {
		if _, err := readGGUF(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", n, len(whole))
		}
	}
	huge := append([]byte("GGUF\x03\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 16)...)
	if _, err := readGGUF(bytes.NewReader(huge)); err == nil || !strings.Contains(fmt.Sprint(err), "at most") {
		t.Errorf("2^64 tensors: %v", err)
	}
}

// A description names a library model, overrides it, or is overridden.
func TestDescriptionsChooseTheirModel(t *testing.T) {
	chip := "chip \"a\" {\n  attention {\n    rows = 4\n    cols = 6\n  }\n}\n"
	for src, want := range map[string]string{
		"model = \"opt-1.3b\"\n": "opt-1.3b 24",
		"model = \"OPT-1.3B\"\n": "opt-1.3b 24",
		"model = \"opt-1.3b\"\nmodel \"opt-1.3b\" {\n  layers = 3\n}":            "opt-1.3b 3",
		"model \"x\" {\n  layers = 5\n  d_model = 8\n  heads = 2\n  d_ff = 8\n}": "x 5",
		"": "none",
	} {
		c := mustLoad(t, map[string]string{"main.hcl": src + "\n" + chip}, nil)
		got := "none"
		if c.Model != nil {
			got = fmt.Sprint(c.Model.Name, " ", c.Model.Layers)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", src, got, want)
		}
	}
	c, diags := LoadBytes(context.Background(), "main.hcl", []byte("model = \"opt-1.3b\"\n"+chip), Options{Model: "llama-7b"})
	if c == nil || c.Model.Name != "llama-7b" {
		t.Errorf("Options.Model did not win: %s", diags)
	}
}

func TestDecodeEngineTakesHeadsAndLayersOfTheModel(t *testing.T) {
	src := "model = \"llama-3-8b\"\nchip \"a\" {\n  attention {\n    rows = 32\n    cols = 32\n    decode = \"spread\"\n    context = 64\n    layers = 1\n  }\n}\n"
	a := mustLoad(t, map[string]string{"main.hcl": src}, nil).Attention
	if a.Heads != 32 || a.KVHeads != 8 || a.HeadChannels != 128 || a.Layers != 1 {
		t.Errorf("%+v", a)
	}
}
