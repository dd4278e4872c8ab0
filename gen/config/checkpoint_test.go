package config

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// safetensors makes a checkpoint of a header and zeros.
func safetensors(t testing.TB, header string, data int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, uint64(len(header))); err != nil {
		t.Fatal(err)
	}
	b.WriteString(header)
	b.Write(make([]byte, data))
	return b.Bytes()
}

const programSource = `chip "a" {
  pim {
    row_blocks = %d
    crossbar {
      rows = 8
      cols = 8
    }
  }
}
verify {
  program {
    model  = "m.safetensors"
    tensor = %q
    golden = "g.json"
    case {
      rows = %d
      bits = 4
    }
  }
}
`

const twoMatrices = `{"__metadata__":{"a":"b"},"layers.0.wq.weight":{"dtype":"I8","shape":[8,16],"data_offsets":[0,128]},
"layers.0.wk.weight":{"dtype":"I8","shape":[8,8],"data_offsets":[128,192]},"head.scale":{"dtype":"I32","shape":[2],"data_offsets":[192,200]}}`

func TestProgramIsCheckedAgainstTheCheckpoint(t *testing.T) {
	for _, c := range []struct {
		what, tensor    string
		rowBlocks, rows int
		want            []string // parts of the text, none for silence
	}{
		{"fits", "layers.0.wq", 2, 8, nil},
		{"full name", "layers.0.wk.weight", 1, 8, nil},
		{"too many inputs", "layers.0.wq", 1, 8, []string{"does not fit into the tile", "16 inputs and 8 outputs", "row_blocks = 2"}},
		{"misspelt", "layers.0.qw", 1, 8, []string{"no such matrix", `"layers.0.wk", "layers.0.wq"`, "did you mean"}},
		{"no matrix", "head.scale", 1, 8, []string{"The tensor is no matrix", "shape [2]"}},
		{"case larger than all inputs", "layers.0.wk", 1, 16, nil},
		{"case over two crossbars", "layers.0.wq", 2, 16, []string{"Warning: Case converts more rows"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			files := fstest.MapFS{"m.safetensors": {Data: safetensors(t, twoMatrices, 200)}, "g.json": {Data: []byte("{}")}}
			text := loadText(t, fmt.Sprintf(programSource, c.rowBlocks, c.tensor, c.rows), nil, files).String()
			if len(c.want) == 0 && text != "" {
				t.Errorf("want silence, got:\n%s", text)
			}
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("%q is missing in:\n%s", w, text)
				}
			}
		})
	}
}

func TestHostileCheckpointIsADiagnostic(t *testing.T) {
	good := safetensors(t, twoMatrices, 200)
	for what, data := range map[string][]byte{
		"empty":           nil,
		"truncated":       good[:40],
		"no JSON":         safetensors(t, "hello", 0),
		"a list":          safetensors(t, "[1]", 0),
		"length 2^64-1":   append(bytes.Repeat([]byte{0xff}, 8), good[8:]...),
		"no tensors":      safetensors(t, "{}", 0),
		"negative shape":  safetensors(t, `{"layers.0.wq.weight":{"dtype":"I8","shape":[-8,8],"data_offsets":[0,1]}}`, 1),
		"enormous shape":  safetensors(t, `{"layers.0.wq.weight":{"dtype":"I8","shape":[9007199254740993,9007199254740993],"data_offsets":[0,1]}}`, 1),
		"shape of floats": safetensors(t, `{"layers.0.wq.weight":{"dtype":"I8","shape":[1e400,8],"data_offsets":[0,1]}}`, 1),
	} {
		files := fstest.MapFS{"m.safetensors": {Data: data}, "g.json": {Data: []byte("{}")}}
		if diags := loadText(t, fmt.Sprintf(programSource, 2, "layers.0.wq", 8), nil, files); !diags.HasErrors() {
			t.Errorf("%s: no error", what)
		}
	}
}
