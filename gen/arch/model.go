package arch

// Model is the shape of a decoder-only language model with low-precision projections.
type Model struct {
	Name         string // how descriptions call it: "opt-6.7b"
	Title        string // how people do: "OPT-6.7B"; default Name
	Layers       int    // 1 .. 1,024
	DModel       int    // channels of the residual stream, 1 .. 65,536
	Heads        int    // query heads, 1 .. 1,024, a multiple of KVHeads
	KVHeads      int    // key and value heads; default Heads
	HeadChannels int    // channels of a head, 1 .. 1,024; default DModel / Heads
	DFF          int    // hidden channels of the feed-forward block, 1 .. 262,144
	Gated        bool   // the feed-forward block has a third matrix, as wide as the first
	Vocab        int    // rows of the embedding and the output head, 0 .. 4,194,304; 0: not known, no head
	Context      int    // tokens it was made for, 0 .. 4,194,304; 0: not known
	Source       string // where the shape is from
	Checkpoint   string // the .safetensors file it was read from, or ""
	Published    *PublishedShape
	Pos          Pos
}

// PublishedShape is what PIM-LLM (arXiv 2504.01994) computed its figures with where that is
// not the model's shape.
type PublishedShape struct {
	DFF       int  // hidden channels of the feed-forward block
	Gated     bool // whether the third matrix was counted
	PIMDModel int  // channels in the simulation of the crossbars
	Order     int  // place in the paper's tables, from 1
}

// AsPublished is the model with the shape of the paper's figures; a model that is not in the
// paper is itself.
func (m Model) AsPublished() Model {
	if p := m.Published; p != nil {
		m.DFF, m.Gated = p.DFF, p.Gated
	}
	return m
}

// Matrix is one projection of a layer: Out x In weights.
type Matrix struct {
	Name    string // "wq", "wk", "wv", "wo", "w1", "w3" (gated only), "w2"
	Out, In int
}

// Matrices are a layer's projections in the order in which a token meets them.
func (m Model) Matrices() []Matrix {
	q, kv := m.Heads*m.HeadChannels, m.KVHeads*m.HeadChannels
	list := []Matrix{{"wq", q, m.DModel}, {"wk", kv, m.DModel}, {"wv", kv, m.DModel}, {"wo", m.DModel, q}, {"w1", m.DFF, m.DModel}}
	if m.Gated {
		list = append(list, Matrix{"w3", m.DFF, m.DModel})
	}
	return append(list, Matrix{"w2", m.DModel, m.DFF})
}

// KVBytes is what a token reads of the int8 KV cache over all layers at context l.
func (m Model) KVBytes(l int) int {
	return 2 * m.Layers * m.KVHeads * m.HeadChannels * l
}
