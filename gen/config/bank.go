package config

import (
	"errors"
	"fmt"
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
	return b
}

// fitBank warns of converters that do not fit and refuses more cells than a host can hold.
func (l *loader) fitBank(n, x, adc *node, p *arch.PIM) {
	b := p.Bank
	if pes := b.Count * b.TileRows * b.TileCols * b.PEs; pes*p.Crossbar.Rows*p.Crossbar.Cols > MaxCells {
		l.add(Error, n.rng, Diagnostic{Summary: "Too many crossbar cells", In: n.in,
			Value: fmt.Sprintf("%d banks of %d x %d tiles of %d PEs of %d x %d = %s cells", b.Count, b.TileRows, b.TileCols, b.PEs,
				p.Crossbar.Rows, p.Crossbar.Cols, thousands(int64(pes)*int64(p.Crossbar.Rows*p.Crossbar.Cols))),
			Allowed:    fmt.Sprintf("banks x tiles x pes x rows x cols at most %s cells", thousands(MaxCells)),
			Suggestion: fmt.Sprintf("at most %d PEs of this size fit", MaxCells/(p.Crossbar.Rows*p.Crossbar.Cols))})
	}
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
