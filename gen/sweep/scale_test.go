package sweep

import (
	"context"
	"testing"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/lower"
)

// Whatever can be built, its scaled copy can be, too, is small, says what it changed, and is
// not scaled further.
func TestScaledChipsCanBeBuilt(t *testing.T) {
	src := `
model "m" {
  layers        = 5
  d_model       = 480
  heads         = 24
  kv_heads      = var.kv
  head_channels = 20
  d_ff          = 960
}
variable "kv" { default = 24 }
variable "rows" { default = 4 }
variable "cols" { default = 4 }
variable "mode" { default = "spread" }
variable "engines" { default = 1 }
variable "port" { default = 0 }
variable "bank" { default = true }
variable "active" { default = 50 }
chip "c" {
  attention {
    decode     = var.mode == "bare" ? null : var.mode
    rows       = var.rows
    cols       = var.cols
    engines    = var.mode == "spread" ? var.engines : null
    port_bytes = var.mode == "spread" ? var.port * var.rows : null
    context    = var.mode == "bare" ? null : 96
    bias       = var.mode == "spread" && var.rows == 32 ? true : null
  }
  pim {
    row_blocks = var.bank ? null : 5
    banks      = var.bank ? 3 : null
    tiles      = var.bank ? [3, 5] : null
    lanes      = 24
    crossbar {
      rows = 100
      cols = 72
      adc {
        rows  = var.active
        share = 48
      }
    }
  }
}
sweep {
  vary "kv" { values = [3, 12, 24] }
  vary "rows" { values = [1, 5, 32] }
  vary "cols" { values = [1, 12, 32, 48] }
  vary "mode" { values = ["spread", "column", "bare"] }
  vary "engines" { values = [1, 2, 3, 4, 6] }
  vary "port" { values = [0, 1, 6, 12] }
  vary "bank" { values = [true, false] }
  vary "active" { values = [1, 50, 100] }
  where  = var.mode == "spread" || var.engines == 1 && var.port == 0
  sample = 400
}
`
	s, diags := config.LoadSweepBytes(context.Background(), "m.hcl", []byte(src), config.Options{})
	if s == nil {
		t.Fatal(diags.String())
	}
	points, err := choose(context.Background(), s, Options{Sample: s.Sample, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int{}
	for _, i := range points {
		p, err := s.Point(i)
		if err != nil {
			continue
		}
		modes[p.Chip.Attention.Decode]++
		small, said := Scaled(p.Chip)
		if _, err := lower.Chip(small); err != nil {
			t.Fatalf("%v: %v\n%v", s.Values(i), err, said)
		}
		again, more := Scaled(small)
		if len(said) == 0 || len(more) > 0 || again.Attention.Cols != small.Attention.Cols {
			t.Fatalf("%v: %v, then %v", s.Values(i), said, more)
		}
		if a := small.Attention; a.Rows*a.Cols > 2*fewRows*fewCols || a.Context > fewTokens || a.Decode != p.Chip.Attention.Decode || a.Biased != p.Chip.Attention.Biased {
			t.Fatalf("%v: %+v", s.Values(i), a)
		}
	}
	if modes[arch.Spread] < 20 || modes[arch.Column] < 5 || modes[""] < 5 {
		t.Errorf("modes seen: %v", modes)
	}
}
