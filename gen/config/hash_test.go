package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const hashBase = `chip "a" {
  attention {
    rows = 4
    cols = 6
  }
  pim {
    crossbar {
      rows = 8
      cols = 8
    }
  }
}
`

func hashOf(t *testing.T, src string, vars map[string]string) string {
	t.Helper()
	return mustLoad(t, map[string]string{"main.hcl": src}, vars).Hash
}

func TestHashIgnoresHowADescriptionIsWritten(t *testing.T) {
	want := hashOf(t, hashBase, nil)
	if again := hashOf(t, hashBase, nil); again != want {
		t.Fatalf("two loads differ: %s, %s", want, again)
	}
	for what, src := range map[string]string{
		"comments and space": "# a comment\n\n\n" + strings.ReplaceAll(hashBase, " = ", "   =  "),
		"order":              strings.Replace(hashBase, "    rows = 4\n    cols = 6\n", "    cols = 6\n    rows = 4\n", 1),
		"expressions":        "locals {\n  r = 2\n}\n" + strings.Replace(hashBase, "rows = 4", "rows = local.r * 2", 1),
		"defaults spelt out": strings.Replace(hashBase, "cols = 6", "cols = 6\n dataflow = \"output_stationary\"\n max_k = 4096", 1) + "verify {\n seed = 1\n}\n",
	} {
		if got := hashOf(t, src, nil); got != want {
			t.Errorf("%s changed the hash", what)
		}
	}
}

func TestHashTellsEveryChangeOfAValue(t *testing.T) {
	seen := map[string]string{hashOf(t, hashBase, nil): "base"}
	for _, change := range [][2]string{
		{`chip "a"`, `chip "b"`}, {"rows = 4", "rows = 6"}, {"cols = 6", "cols = 4"}, {"cols = 6", "cols = 6\n max_k = 5"},
		{"rows = 8", "rows = 9"}, {"cols = 8", "cols = 9"}, {"  pim {", "  pim {\n lanes = 4"}, {"cols = 8", "cols = 8\n adc {\n step = \"full\"\n }"},
		{"chip", "technology = \"130nm\"\nchip"}, {"chip", "verify {\n engines = [\"gosim\"]\n}\nchip"}, {"chip", "verify {\n seed = 2\n}\nchip"},
	} {
		h := hashOf(t, strings.Replace(hashBase, change[0], change[1], 1), nil)
		if other, ok := seen[h]; ok {
			t.Errorf("%q hashes like %q", change[1], other)
		}
		seen[h] = change[1]
	}
}

func TestHashDoesNotDependOnTheFolder(t *testing.T) {
	var hashes []string
	for range 2 {
		dir := t.TempDir()
		model := safetensors(t, `{"q.weight":{"dtype":"I8","shape":[4,4],"data_offsets":[0,16]}}`, 16)
		if err := os.WriteFile(filepath.Join(dir, "m.safetensors"), model, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"m.safetensors", filepath.Join(dir, "m.safetensors")} {
			src := hashBase + fmt.Sprintf("verify {\n program {\n model = %q\n tensor = \"q\"\n }\n}\n", path)
			chip, diags := LoadBytes(context.Background(), filepath.Join(dir, "main.hcl"), []byte(src), Options{})
			if chip == nil {
				t.Fatal(diags)
			}
			hashes = append(hashes, chip.Hash)
		}
	}
	for _, h := range hashes[1:] {
		if h != hashes[0] {
			t.Errorf("hashes %v", hashes)
		}
	}
}

func TestLosslessBitsIsTheNarrowestConverterThatTellsEverySum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 1024).Draw(t, "rows")
		b := losslessBits(rows)
		if largestCode(b) < rows || largestCode(b-1) >= rows {
			t.Fatalf("%d rows: %d bits reach %d, one bit fewer %d", rows, b, largestCode(b), largestCode(b-1))
		}
	})
	for rows, want := range map[int]int{64: 8, 128: 9, 256: 10} {
		if got := losslessBits(rows); got != want {
			t.Errorf("%d rows: %d bits, want %d", rows, got, want)
		}
	}
}

func TestSuggestionsAreNearAndNeverFarFetched(t *testing.T) {
	names := []string{"rows", "cols", "dataflow", "max_k"}
	for given, want := range map[string]string{"row": "rows", "Cols": "cols", "data-flow": "dataflow", "maxk": "max_k", "dataf": "dataflow",
		"n_rows": "rows", "banana": "", "x": "", "": ""} {
		if got := nearest(given, names); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
