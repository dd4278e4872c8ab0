package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"ohmloom/gen/mapping"
)

// Every PE stands in the picture with what it holds, as well-formed SVG.
func TestMappingPictureShowsEveryPE(t *testing.T) {
	ops := mapping.Decoder(2, func(_ int, p string) (out, in int) {
		return map[string]int{"w1": 200}[p] + 56, map[string]int{"w2": 200}[p] + 56
	})
	plan, err := mapping.Place(mapping.Chip{Banks: 3, TileRows: 2, TileCols: 5, PEs: 3, Rows: 48, Cols: 40}, ops)
	if err != nil {
		t.Fatal(err)
	}
	svg := MappingPicture(plan)
	for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	free := 0
	for b, bank := range plan.Banks {
		for pe, s := range bank.Slots {
			if !s.Used {
				free++
				continue
			}
			want := fmt.Sprintf("PE %d: %s, row block %d, column block %d<", pe, plan.Ops[s.Op].Matrices[s.Matrix].Name, s.RowBlock, s.ColBlock)
			if !strings.Contains(string(svg), want) {
				t.Fatalf("bank %d: no %q", b, want)
			}
		}
	}
	if n := strings.Count(string(svg), ": free<"); n != free {
		t.Errorf("%d free PEs in the picture, %d in the plan", n, free)
	}
	if !bytes.Equal(svg, MappingPicture(plan)) {
		t.Error("two pictures differ")
	}
}
