package sweep

import (
	"fmt"

	"ohmloom/gen/arch"
)

// Sizes that simulate in seconds.
const (
	fewRows     = 8  // of the attention array
	fewCols     = 8  // of one attention engine
	fewHeads    = 2  // KV heads of one engine
	fewChannels = 12 // of a head
	fewTokens   = 24
	fewLayers   = 2
	fewCells    = 32 // rows and columns of a crossbar
	fewLanes    = 8
	fewPEs      = 4 // of a tile
	fewTiles    = 2 // each way, and banks
)

// Scaled is chip with every size brought down to what simulates in seconds, and what was
// changed, "attention.rows 32 to 8" for instance. What makes the chip what it is stays: decode
// mode, the ratio of heads to KV heads, the share of columns that the memory port fills, rows
// that do not divide, the converters' step and share.
func Scaled(chip *arch.Chip) (*arch.Chip, []string) {
	c := *chip
	c.Model, c.Verify.Program = nil, nil
	s := &scaling{}
	if c.Sequencer != nil {
		c.Sequencer = nil
		s.said = append(s.said, "sequencer and vector unit left out")
	}
	if a := c.Attention; a != nil {
		b := *a
		s.attention(&b)
		c.Attention = &b
	}
	if p := c.PIM; p != nil {
		q := *p
		s.pim(&q)
		c.PIM = &q
	}
	return &c, s.said
}

type scaling struct{ said []string }

// to sets a size and says so when that changes it.
func (s *scaling) to(name string, v *int, n int) {
	if *v != n {
		s.said = append(s.said, fmt.Sprintf("%s %d to %d", name, *v, n))
		*v = n
	}
}

func (s *scaling) attention(a *arch.Attention) {
	old := *a
	engines := min(max(a.Engines, 1), 2)
	cols := min(a.Cols/max(old.Engines, 1), fewCols) // of an engine
	s.to("attention.rows", &a.Rows, min(a.Rows, fewRows))
	s.to("attention.cols", &a.Cols, cols*engines)
	if a.Decode == "" {
		s.to("attention.max_k", &a.MaxK, min(a.MaxK, fewTokens))
		return
	}
	group := min(old.Heads/old.KVHeads, 2)
	kv := min(old.KVHeads/max(old.Engines, 1), fewHeads) * engines
	s.to("attention.kv_heads", &a.KVHeads, kv)
	s.to("attention.heads", &a.Heads, kv*group)
	s.to("attention.head_channels", &a.HeadChannels, min(a.HeadChannels, fewChannels))
	s.to("attention.layers", &a.Layers, min(a.Layers, fewLayers))
	context := min(a.Context, fewTokens)
	if a.Decode != arch.Spread {
		s.to("attention.context", &a.Context, context)
		return
	}
	s.to("attention.engines", &a.Engines, engines)
	lanes := divisor(gcd(a.Rows, cols), a.Lanes)
	s.to("attention.softmax_lanes", &a.Lanes, lanes)
	s.to("attention.context", &a.Context, max(context/lanes*lanes, lanes)) // whole beats for tables of biases
	s.to("attention.heads_ahead", &a.Ahead, min(a.Ahead, 4))
	if old.PortBytes > 0 {
		share := old.PortBytes / old.Rows * cols * engines / old.Cols // columns that the port fills
		s.to("attention.port_bytes", &a.PortBytes, divisor(cols, max(share/engines, 1))*engines*a.Rows)
	}
}

func (s *scaling) pim(p *arch.PIM) {
	x := &p.Crossbar
	old := *x
	s.to("pim.lanes", &p.Lanes, min(p.Lanes, fewLanes))
	s.to("crossbar.rows", &x.Rows, min(x.Rows, fewCells))
	s.to("crossbar.cols", &x.Cols, min(x.Cols, fewCells))
	s.to("adc.rows", &x.ADC.Rows, min(max(old.ADC.Rows*x.Rows/old.Rows, 1), x.Rows))
	s.to("adc.share", &x.ADC.Share, min(x.ADC.Share, x.Cols))
	if p.Bank == nil {
		s.to("pim.row_blocks", &p.RowBlocks, min(p.RowBlocks, fewTiles))
		s.to("pim.col_blocks", &p.ColBlocks, min(p.ColBlocks, fewTiles))
		return
	}
	b := *p.Bank
	s.to("pim.banks", &b.Count, min(b.Count, fewTiles))
	s.to("pim.tiles rows", &b.TileRows, min(b.TileRows, fewTiles))
	s.to("pim.tiles columns", &b.TileCols, min(b.TileCols, fewTiles))
	s.to("pim.pes", &b.PEs, min(b.PEs, fewPEs))
	s.to("pim.buffer", &b.Buffer, min(b.Buffer, fewTiles*fewTiles*fewPEs*fewCells))
	p.Bank = &b
}

// divisor is the largest divisor of n that is at most v, at least 1.
func divisor(n, v int) int {
	d := max(min(n, v), 1)
	for n%d != 0 {
		d--
	}
	return d
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
