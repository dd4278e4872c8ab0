// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// file is a safetensors file under construction: a header as JSON members in
// order, and data. Tests break one thing and encode it.
type file struct {
	config map[string]any
	meta   map[string]string
	names  []string
	dtype  map[string]string
	shape  map[string][]int
	data   map[string][]byte
	offset map[string]string // overrides data_offsets
}

// tiny is a valid checkpoint of a small, odd shape.
func tiny() *file {
	f := &file{
		config: map[string]any{
			"d_model": 6, "n_layers": 2, "n_heads": 3, "d_ff": 5, "ctx": 3, "vocab_size": 2,
			"norm_K": 78, "norm_shift": 16, "m_bits": 8, "emb_shift": 2, "score_rshift": 7, "recip_shift": 24, "attn_o_rshift": 23,
			"act": "relu2", "act_rshift": 7, "res_frac_bits": 8, "tied_head": true, "pos": "rel_bias", "weights": "ternary",
		},
		meta:  map[string]string{"spec": SpecVersion, "vocab": `["a","é"]`, "name": "tiny"},
		dtype: map[string]string{}, shape: map[string][]int{}, data: map[string][]byte{}, offset: map[string]string{},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	add := func(name, dtype string, b []byte, shape ...int) {
		f.names = append(f.names, name)
		f.dtype[name], f.shape[name], f.data[name] = dtype, shape, b
	}
	scale := func(name string) {
		add(name, "I32", binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(128+rng.IntN(128))), uint32(1+rng.IntN(31))), 2)
	}
	weights := func(name string, limit, out, in int) {
		b := make([]byte, out*in)
		for i := range b {
			b[i] = byte(int8(rng.IntN(2*limit+1) - limit))
		}
		add(name, "I8", b, out, in)
	}
	weights("tok_emb", 127, 2, 6)
	scale("head.scale")
	for l := range 2 {
		for _, p := range Projections {
			name := fmt.Sprintf("layers.%d.%s", l, p)
			out, in := (&Config{DModel: 6, DFF: 5}).shapeOf(p)
			weights(name+".weight", 1, out, in)
			scale(name + ".scale")
		}
		add(fmt.Sprintf("layers.%d.rel_bias", l), "I16", make([]byte, 2*3*3), 3, 3)
	}
	return f
}

// header gives the JSON text, and data the bytes after it.
func (f *file) encode() (header string, data []byte) {
	if f.config != nil {
		text, _ := json.Marshal(f.config)
		f.meta["config"] = string(text)
	}
	meta, _ := json.Marshal(f.meta)
	members := []string{`"__metadata__":` + string(meta)}
	for _, name := range f.names {
		begin := len(data)
		data = append(data, f.data[name]...)
		offsets := fmt.Sprintf("[%d,%d]", begin, len(data))
		if o := f.offset[name]; o != "" {
			offsets = o
		}
		shape, _ := json.Marshal(f.shape[name])
		key, _ := json.Marshal(name)
		members = append(members, fmt.Sprintf(`%s:{"dtype":%q,"shape":%s,"data_offsets":%s}`, key, f.dtype[name], shape, offsets))
	}
	return "{" + strings.Join(members, ",") + "}", data
}

func (f *file) bytes() []byte {
	header, data := f.encode()
	return frame(uint64(len(header)), header, data)
}

func frame(length uint64, header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, length)
	return append(append(b, header...), data...)
}

func readBytes(b []byte) (*Model, error) {
	return Read("x.safetensors", bytes.NewReader(b), int64(len(b)))
}

func TestTinyModelIsReadAsWritten(t *testing.T) {
	f := tiny()
	m, err := readBytes(f.bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range m.Matrices() {
		w, err := m.Matrix(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range w.W {
			if v != int8(f.data[name+".weight"][i]) {
				t.Fatalf("%s[%d] = %d", name, i, v)
			}
		}
		if s := f.data[name+".scale"]; w.M != int(s[0]) || w.S != int(s[4]) || w.Out*w.In != len(w.W) {
			t.Errorf("%s: M %d, S %d, %d x %d", name, w.M, w.S, w.Out, w.In)
		}
	}
	if len(m.Matrices()) != 12 || len(m.TensorNames()) != 28 || m.Vocab[1] != "é" || m.Config.HeadChannels != 2 {
		t.Errorf("matrices %v, tensors %v, vocab %q, config %+v", m.Matrices(), m.TensorNames(), m.Vocab, m.Config)
	}
	m.NewRun(Project).Step(1) // the shape holds together
}

func TestHostileFilesAreRefusedWithPlaceAndKind(t *testing.T) {
	const wq = "layers.0.wq.weight"
	set := func(change func(f *file)) []byte { f := tiny(); change(f); return f.bytes() }
	replace := func(old, new string) []byte {
		header, data := tiny().encode()
		changed := strings.Replace(header, old, new, 1)
		if changed == header {
			t.Fatalf("nothing to replace: %q", old)
		}
		return frame(uint64(len(changed)), changed, data)
	}
	header, data := tiny().encode()
	rename := func(f *file, old, new string) {
		for i, n := range f.names {
			if n == old {
				f.names[i], f.dtype[new], f.shape[new], f.data[new] = new, f.dtype[old], f.shape[old], f.data[old]
			}
		}
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		kind  error
		says  string
	}{
		{"empty file", nil, ErrFormat, "0 bytes"},
		{"seven bytes", make([]byte, 7), ErrFormat, "7 bytes"},
		{"header of no bytes", make([]byte, 8), ErrFormat, "header"},
		{"header longer than the file", frame(uint64(len(header)+len(data)+1), header, data), ErrFormat, "header length"},
		{"header length 2^64-1", frame(math.MaxUint64, header, data), ErrFormat, "18446744073709551615"},
		{"header length 2^63", frame(1<<63, header, data), ErrFormat, "9223372036854775808"},
		{"header one byte short", frame(uint64(len(header)-1), header, data), ErrFormat, "header"},
		{"header is not JSON", frame(4, "ohm!", nil), ErrFormat, "header"},
		{"header is an array", frame(2, "[]", nil), ErrFormat, "header"},
		{"two objects", frame(4, "{}{}", nil), ErrFormat, "after the object"},
		{"deep nesting", frame(100_000, strings.Repeat(`[`, 100_000), nil), ErrFormat, "header"},
		{"deep nesting in a tensor", frame(100_005, `{"a":`+strings.Repeat(`[`, 100_000), nil), ErrFormat, "header"},
		{"invalid UTF-8", replace("tiny", "ti\xffny"), ErrFormat, "UTF-8"},
		{"tensor twice", replace(`"layers.0.wk.weight"`, `"layers.0.wq.weight"`), ErrFormat, "twice"},
		{"dtype twice", replace(`"shape":[2,6]`, `"dtype":"I8"`), ErrFormat, "twice"},
		{"unknown key", replace(`"shape":[2,6]`, `"Shape":[2,6]`), ErrFormat, "Shape"},
		{"no offsets", replace(`,"data_offsets":[0,12]`, ``), ErrFormat, "no data_offsets"},
		{"entry is a number", replace(`{"dtype":"I8","shape":[2,6],"data_offsets":[0,12]}`, `7`), ErrFormat, "tok_emb"},
		{"dtype null", replace(`"dtype":"I8"`, `"dtype":null`), ErrFormat, "dtype"},
		{"negative dimension", replace(`[2,6]`, `[-2,-6]`), ErrFormat, "shape"},
		{"fractional dimension", replace(`[2,6]`, `[2.0,6]`), ErrFormat, "shape"},
		{"dimension in quotes", replace(`[2,6]`, `["2",6]`), ErrFormat, "shape"},
		{"null dimension", replace(`[2,6]`, `[null,6]`), ErrFormat, "shape"},
		{"shape null", replace(`[2,6]`, `null`), ErrFormat, "shape"},
		{"product is 0 modulo 2^64", replace(`[2,6],"data_offsets":[0,12]`, `[4294967296,4294967296],"data_offsets":[0,0]`), ErrFormat, "disagree"},
		{"negative offset", replace(`[0,12]`, `[-12,0]`), ErrFormat, "data_offsets"},
		{"offsets swapped", replace(`[0,12]`, `[12,0]`), ErrFormat, "data_offsets"},
		{"three offsets", replace(`[0,12]`, `[0,12,12]`), ErrFormat, "data_offsets"},
		{"offset beyond 64 bits", replace(`[0,12]`, `[0,99999999999999999999]`), ErrFormat, "data_offsets"},
		{"size disagrees with shape", replace(`[0,12]`, `[0,11]`), ErrFormat, "11 bytes"},
		{"overlap", set(func(f *file) { f.offset[wq] = "[0,36]" }), ErrFormat, "overlaps"},
		{"gap", set(func(f *file) { f.data["tok_emb"] = append(f.data["tok_emb"], 0); f.offset["tok_emb"] = "[0,12]" }), ErrFormat, "unused bytes between"},
		{"truncated by one byte", tiny().bytes()[:len(tiny().bytes())-1], ErrFormat, "truncated"},
		{"data missing", frame(uint64(len(header)), header, nil), ErrFormat, "truncated"},
		{"one byte too many", append(tiny().bytes(), 0), ErrFormat, "after the last tensor"},
		{"metadata is not text", replace(`"name":"tiny"`, `"name":7`), ErrFormat, "name"},
		{"metadata missing", frame(2, "{}", nil), ErrSpec, "spec"},
		{"another spec version", set(func(f *file) { f.meta["spec"] = "pimllm-int-2" }), ErrSpec, "pimllm-int-2"},
		{"config missing", set(func(f *file) { f.config = nil }), ErrSpec, "config"},
		{"config is not JSON", set(func(f *file) { f.config = nil; f.meta["config"] = "{" }), ErrSpec, "config"},
		{"config key misspelt", set(func(f *file) { delete(f.config, "d_ff"); f.config["dff"] = 5 }), ErrSpec, "is dff meant"},
		{"config key of another type", set(func(f *file) { f.config["ctx"] = "3" }), ErrSpec, "ctx"},
		{"d_model 0", set(func(f *file) { f.config["d_model"] = 0 }), ErrSpec, "d_model"},
		{"d_model -1", set(func(f *file) { f.config["d_model"] = -1 }), ErrSpec, "-1"},
		{"n_layers 10^9", set(func(f *file) { f.config["n_layers"] = 1_000_000_000 }), ErrSpec, "n_layers"},
		{"heads do not divide channels", set(func(f *file) { f.config["n_heads"] = 4 }), ErrSpec, "divisor of 6"},
		{"binary weights", set(func(f *file) { f.config["weights"] = "binary" }), ErrSpec, "binary"},
		{"vocab missing", set(func(f *file) { delete(f.meta, "vocab") }), ErrSpec, "vocab"},
		{"vocab too short", set(func(f *file) { f.meta["vocab"] = `["a"]` }), ErrSpec, "vocab"},
		{"vocab of words", set(func(f *file) { f.meta["vocab"] = `["a","bc"]` }), ErrSpec, "vocab[1]"},
		{"vocab repeats", set(func(f *file) { f.meta["vocab"] = `["a","a"]` }), ErrSpec, "vocab[1]"},
		{"wrong dtype", set(func(f *file) { f.dtype[wq] = "F32" }), ErrTensor, `"F32", allowed: I8`},
		{"wrong shape", set(func(f *file) { f.shape[wq] = []int{36} }), ErrTensor, "[36], allowed: [6 6]"},
		{"shape transposed", set(func(f *file) { f.shape["layers.1.w1.weight"] = []int{6, 5} }), ErrTensor, "[6 5]"},
		{"tensor misspelt", set(func(f *file) { rename(f, wq, "layers.0.qw.weight") }), ErrTensor, "is layers.0.qw.weight meant"},
		{"layer missing", set(func(f *file) { f.config["n_layers"] = 3 }), ErrTensor, "layers.2."},
		{"surplus tensor", set(func(f *file) { f.config["n_layers"] = 1 }), ErrTensor, "layers.1."},
		{"weight 2", set(func(f *file) { f.data[wq][7] = 2 }), ErrValue, "[1, 1]: found 2, allowed: -1 to 1"},
		{"weight -128", set(func(f *file) { f.data[wq][0] = 0x80 }), ErrValue, "-128"},
		{"embedding -128", set(func(f *file) { f.data["tok_emb"][0] = 0x80 }), ErrValue, "-128"},
		{"M 127", set(func(f *file) { f.data["layers.1.w2.scale"][0] = 127 }), ErrValue, "M out of range: found 127, allowed: 128 to 255"},
		{"M 256", set(func(f *file) { copy(f.data["head.scale"], []byte{0, 1}) }), ErrValue, "256"},
		{"M negative", set(func(f *file) { f.data["head.scale"][3] = 0x80 }), ErrValue, "-2147483"},
		{"S 0", set(func(f *file) { f.data["layers.0.w1.scale"][4] = 0 }), ErrValue, "S out of range: found 0"},
		{"S 32", set(func(f *file) { f.data["layers.0.w1.scale"][4] = 32 }), ErrValue, "S out of range: found 32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := readBytes(c.bytes)
			var typed *Error
			if err == nil || !errors.As(err, &typed) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if m != nil {
				t.Error("a model came with the error")
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got  %v (%v)\nwant kind %q and text %q", err, typed.Kind, c.kind, c.says)
			}
			if !strings.HasPrefix(err.Error(), "x.safetensors: ") || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("no file name, or control characters: %q", err)
			}
		})
	}
}

func TestLyingLengthsAllocateNothing(t *testing.T) {
	header := `{"a":{"dtype":"I8","shape":[4294967296],"data_offsets":[0,4294967296]}}`
	for _, b := range [][]byte{frame(math.MaxInt64, "", nil), frame(99_999_999, "{}", nil), frame(uint64(len(header)), header, nil)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := readBytes(b); err == nil {
			t.Fatal("accepted")
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%d bytes allocated for a file of %d", used, len(b))
		}
	}
}

func TestHostileNamesCannotReachTheTerminal(t *testing.T) {
	header := `{"\u001b[2J` + strings.Repeat("x", 5000) + `":7}`
	_, err := readBytes(frame(uint64(len(header)), header, nil))
	if err == nil || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 400 {
		t.Errorf("got %d bytes: %q", len(err.Error()), err)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	dir := t.TempDir()
	pipe, locked := filepath.Join(dir, "pipe"), filepath.Join(dir, "locked")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(locked, tiny().bytes(), 0); err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(dir, "missing"), dir, pipe, locked}
	if os.Geteuid() == 0 {
		paths = paths[:3] // root reads a file without permissions
	}
	for _, path := range paths {
		if _, err := Open(path); !errors.Is(err, ErrUnreadable) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A file that shrinks between stat and read must not look complete.
func TestStreamShorterThanItsSizeIsAnError(t *testing.T) {
	b := tiny().bytes()
	for _, n := range []int{0, 4, 8, 20, len(b) - 100, len(b) - 1} {
		if _, err := Read("x", bytes.NewReader(b[:n]), int64(len(b))); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

func TestUnknownMatrixSuggestsTheNearestName(t *testing.T) {
	m, err := readBytes(tiny().bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"layers.0.qw":        "did you mean layers.0.w",
		"layer.0.wq":         "did you mean layers.0.wq?",
		"layers.1.wq.weight": "did you mean layers.1.wq?",
		"layers.1.w2.scale":  "did you mean layers.1.w2?",
		"layers.0.wq ":       "did you mean layers.0.wq?",
		"layers.7.w1":        "layers.<0 to 1>.<wq, wk, wv, wo, w1, w2>",
		"":                   "no such matrix",
		"completely else":    "no such matrix",
	} {
		if _, err := m.Matrix(name); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", name, err, want)
		}
	}
}

func FuzzReadRefusesOrYieldsAValidModel(f *testing.F) {
	header, data := tiny().encode()
	f.Add(tiny().bytes())
	f.Add([]byte{})
	f.Add(frame(math.MaxUint64, header, data))
	f.Add(frame(2, "{}", nil))
	f.Add(frame(uint64(len(header)), strings.Replace(header, "I8", "I9", 1), data))
	f.Add(frame(uint64(len(header)), strings.Replace(header, "[0,12]", "[0,99]", 1), data))
	f.Add(frame(uint64(len(header)), strings.Replace(header, "[2,6]", "[6,2]", 1), data))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readBytes(b)
		if err != nil {
			if typed := (*Error)(nil); !errors.As(err, &typed) || typed.Kind == nil {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for _, name := range m.Matrices() {
			w, err := m.Matrix(name)
			if err != nil || len(w.W) != w.Out*w.In || w.M < 128 || w.M > 255 || w.S < 1 || w.S > 31 {
				t.Fatalf("%s: %d weights, %d x %d, M %d, S %d, %v", name, len(w.W), w.Out, w.In, w.M, w.S, err)
			}
			for _, v := range w.W {
				if v < -1 || v > 1 {
					t.Fatalf("%s holds %d", name, v)
				}
			}
		}
		m.NewRun(Project).Step(0)
	})
}
