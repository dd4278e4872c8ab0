package config

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"ohmloom/gen/arch"
	"ohmloom/gen/mapping"
)

// bankAttrs make a PIM half one of banks, tileAttrs say something only of one tile.
var (
	bankAttrs = []string{"banks", "tiles", "pes", "buffer"}
	tileAttrs = []string{"row_blocks", "col_blocks"}
)

// defaultBuffer is the global buffer of a bank, int8 elements.
const defaultBuffer = 1024

// bank is the hierarchy of banks that n describes, or nil when it is one tile.
func (l *loader) bank(n *node) *arch.Bank {
	first := ""
	for _, name := range bankAttrs {
		if _, written := n.values[name]; written && first == "" {
			first = name
		}
	}
	if first == "" {
		return nil
	}
	for _, name := range tileAttrs {
		if n.has(name) {
			l.add(Error, n.at(name), Diagnostic{Summary: fmt.Sprintf("%q says something of one tile, and there are banks", name), In: n.in,
				Value: show(n.values[name].v), Allowed: "without " + oneOf(bankAttrs),
				Suggestion: fmt.Sprintf("remove it; matrices are mapped to the PEs of banks (%s is set at %s)", quote(first), position(n.at(first)))})
		}
	}
	b := &arch.Bank{Count: n.int("banks", 1), PEs: n.int("pes", 16), Buffer: n.int("buffer", defaultBuffer)}
	b.TileRows, b.TileCols = n.pair("tiles", 1)
	b.Norm = l.bankNorm(n.child("norm"))
	return b
}

// mostReciprocal is the width of a norm's reciprocal that leaves room for its products in 64 bits.
const mostReciprocal = 52

// bankNorm is the norm in the post-processing of banks, or nil.
func (l *loader) bankNorm(n *node) *arch.BankNorm {
	if n == nil {
		return nil
	}
	x := &arch.BankNorm{Kind: n.str("kind", arch.RMS), Of: n.strs("of", nil), Channels: n.int("channels", 1), Pos: n.pos()}
	gain, shift := int(math.Floor(32*math.Sqrt(float64(x.Channels))+0.5)), 16
	if x.Kind == arch.Layer {
		gain, shift = 32, min(24+bits.Len(uint(x.Channels)), 44)
	}
	x.Gain, x.Shift = n.int("gain", min(gain, 8192)), n.int("shift", shift)
	if w := bits.Len(uint(x.Gain)) + x.Shift; w > mostReciprocal && !n.wanting("gain") && !n.wanting("shift") {
		l.add(Error, n.rng, Diagnostic{Summary: "The reciprocal of the norm is too wide", In: n.in, Value: fmt.Sprintf("gain %d << shift %d, %d bits", x.Gain, x.Shift, w),
			Allowed: fmt.Sprintf("at most %d bits", mostReciprocal), Suggestion: fmt.Sprintf("use shift = %d", mostReciprocal-bits.Len(uint(x.Gain)))})
	}
	return x
}

// fitNorm refuses a norm where nothing can use it, or that does not fit the model.
func (l *loader) fitNorm(n *node, ops []mapping.Op, x *arch.BankNorm) {
	if x == nil || n == nil || n.wanting("channels") || n.wanting("of") {
		return
	}
	for _, op := range ops {
		for _, m := range op.Matrices {
			if slices.Contains(x.Of, m.Name[strings.LastIndexByte(m.Name, '.')+1:]) && m.Out != x.Channels {
				l.add(Error, n.at("channels"), Diagnostic{Summary: "The norm of the banks does not fit the model", In: n.in,
					Value: fmt.Sprintf("%d", x.Channels), Allowed: fmt.Sprintf("%d, the outputs of %s", m.Out, m.Name), Suggestion: fmt.Sprintf("use %d", m.Out)})
				return
			}
		}
	}
}

// fitCells tells of more cells than a host can hold.
func (l *loader) fitCells(n *node, p *arch.PIM) {
	each, pes := p.Crossbar.Rows*p.Crossbar.Cols, p.RowBlocks*p.ColBlocks
	what, factors := fmt.Sprintf("%d x %d", p.RowBlocks, p.ColBlocks), "row_blocks x col_blocks"
	if b := p.Bank; b != nil {
		pes = b.Count * b.TileRows * b.TileCols * b.PEs
		what, factors = fmt.Sprintf("%d x %d x %d x %d", b.Count, b.TileRows, b.TileCols, b.PEs), "banks x tiles x pes"
	}
	if pes*each <= MaxCells {
		return
	}
	l.add(Warning, n.rng, Diagnostic{Summary: "Too many crossbar cells to build", In: n.in, Unbuildable: true,
		Value:      fmt.Sprintf("%s crossbars of %d x %d = %s cells", what, p.Crossbar.Rows, p.Crossbar.Cols, thousands(int64(pes)*int64(each))),
		Allowed:    fmt.Sprintf("to build, %s x rows x cols at most %s cells; to estimate, any number", factors, thousands(MaxCells)),
		Suggestion: fmt.Sprintf("estimate and sweep take the chip as it is; to build, verify or run, at most %d crossbars of this size", MaxCells/each)})
}

// fitModel checks a program against banks: files, and room for every matrix of the model.
func (l *loader) fitModel(p, pim *node, prog *arch.Program, hw *arch.PIM) {
	if p.has("tensor") {
		l.add(Error, p.at("tensor"), Diagnostic{Summary: "Banks hold all matrices of a model", In: p.in, Value: quote(prog.Tensor), Suggestion: "remove it"})
	}
	if prog.Golden != "" {
		l.checkReadable(p, "golden", prog.Golden)
	}
	if !p.has("model") {
		return
	}
	shapes, err := l.readShapes(prog.Model)
	if err != nil {
		l.add(Error, p.at("model"), Diagnostic{Summary: "Model can't be read", In: p.in, Value: prog.Model + ": " + reason(err),
			Suggestion: "file names are relative to the file that writes them"})
		return
	}
	x := pim.childOrEmpty("crossbar")
	if !x.has("rows") || !x.has("cols") {
		return
	}
	for _, name := range append([]string{"lanes"}, bankAttrs...) {
		if pim.wanting(name) {
			return
		}
	}
	layers, inputs := 0, 0
	for matrix(shapes, layers, "wq") != nil {
		layers++
	}
	whole := true
	ops := mapping.Decoder(layers, func(layer int, projection string) (out, in int) {
		if s := matrix(shapes, layer, projection); s != nil {
			inputs = max(inputs, s[1])
			return s[0], s[1]
		}
		whole = false
		return 1, 1
	})
	l.fitCases(p, prog, inputs, hw.Crossbar.Rows)
	l.fitNorm(pim.child("norm"), ops, hw.Bank.Norm)
	for _, op := range ops {
		for _, m := range op.Matrices {
			whole = whole && m.In == op.Matrices[0].In
		}
	}
	if !whole {
		return // no such model: whoever loads the weights says what is wrong
	}
	var none *mapping.NoRoom
	if _, err := mapping.Place(mapping.Of(hw), ops); errors.As(err, &none) {
		d := Diagnostic{Summary: "The model does not fit into the banks", In: p.in, Value: none.Error(),
			Allowed: fmt.Sprintf("%d PEs: banks x tiles x pes (%s)", none.Have, position(pim.rng))}
		if none.Table == "" {
			missing := max(none.Total-none.Have, none.Missing)
			d.Suggestion = fmt.Sprintf("%d more tiles of %d PEs make room, or a crossbar with more cells", divideUp(missing, hw.Bank.PEs), hw.Bank.PEs)
		}
		l.add(Error, p.at("model"), d)
	}
}

// hugeMatrix bounds a side of a matrix; what is larger fits nowhere, and products of sizes stay
// numbers.
const hugeMatrix = 1 << 22

// matrix is the shape of a projection in a checkpoint, or nil.
func matrix(shapes map[string]tensorShape, layer int, projection string) []int {
	s, ok := shapes[strings.Join([]string{"layers", fmt.Sprint(layer), projection + matrixSuffix}, ".")]
	if !ok || len(s.Shape) != 2 || s.Shape[0] < 1 || s.Shape[1] < 1 {
		return nil
	}
	return []int{min(s.Shape[0], hugeMatrix), min(s.Shape[1], hugeMatrix)}
}
