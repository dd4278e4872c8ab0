package config

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

const bankSource = `chip "a" {
  pim {
    banks = 2
    tiles = [1, %d]
    pes   = 3
    crossbar {
      rows = 8
      cols = 8
    }
  }
}
verify {
  program {
    model = "m.safetensors"
  }
}
`

// layer is the header of a checkpoint of one layer, all of whose matrices are out x in but
// wk, which is out x wk.
func layer(out, in, wk string) string {
	var parts []string
	for _, p := range []string{"wq", "wk", "wv", "wo", "w1", "w2"} {
		k := in
		if p == "wk" {
			k = wk
		}
		parts = append(parts, fmt.Sprintf(`"layers.0.%s.weight":{"dtype":"I8","shape":[%s,%s],"data_offsets":[0,1]}`, p, out, k))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestModelIsCheckedAgainstTheBanks(t *testing.T) {
	const huge = "9007199254740993"
	for _, c := range []struct {
		what, header string
		tiles        int
		want         string // "": silence
	}{
		{"fits", layer("8", "8", "8"), 1, ""},
		{"too few PEs", layer("16", "16", "16"), 3, "6 PEs are missing: the matrices need 24, there are 18"},
		{"too few in one bank", layer("24", "8", "8"), 4, ""},
		{"what to add", layer("16", "16", "16"), 3, "2 more tiles of 3 PEs make room"},
		{"an operation larger than a bank, cut over two, leaves no room", layer("24", "8", "8"), 2, "6 PEs are missing: the matrices need 18, there are 12 (layers.0.w1 found no place)"},
		{"more than there is in the world", layer(huge, huge, huge), 1, "PEs are missing"},
		{"one vector, two lengths", layer("8", "8", "16"), 1, ""},
		{"no layer", "{}", 1, ""},
		{"half a layer", twoMatrices, 1, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			files := fstest.MapFS{"m.safetensors": {Data: safetensors(t, c.header, 200)}}
			text := loadText(t, fmt.Sprintf(bankSource, c.tiles), nil, files).String()
			if c.want == "" && text != "" || !strings.Contains(text, c.want) {
				t.Errorf("want %q, got:\n%s", c.want, text)
			}
		})
	}
}
