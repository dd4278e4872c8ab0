package config

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ohmloom/gen/arch"
)

// maxHeader bounds the JSON header of a checkpoint, as the safetensors format itself does
// in spirit: the largest published models stay under a tenth of it.
const maxHeader = 16 << 20

// matrixSuffix ends the names of weight matrices in a checkpoint; descriptions may leave
// it out.
const matrixSuffix = ".weight"

type tensorShape struct {
	Dtype string `json:"dtype"`
	Shape []int  `json:"shape"`
}

// readShapes reads the names and shapes in a .safetensors file. It looks at the header
// only; whoever loads the weights checks the rest.
func (l *loader) readShapes(name string) (map[string]tensorShape, error) {
	raw, err := l.readHeader(name)
	if err != nil {
		return nil, err
	}
	return decodeShapes(raw), nil
}

// decodeShapes is the tensors of a header; what is no tensor is left out.
func decodeShapes(raw map[string]json.RawMessage) map[string]tensorShape {
	shapes := map[string]tensorShape{}
	for k, v := range raw {
		var s tensorShape
		if k == "__metadata__" || json.Unmarshal(v, &s) != nil {
			continue
		}
		shapes[k] = s
	}
	return shapes
}

// readHeader is the JSON header of a .safetensors file.
func (l *loader) readHeader(name string) (map[string]json.RawMessage, error) {
	f, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var length uint64
	if err := binary.Read(f, binary.LittleEndian, &length); err != nil {
		return nil, errors.New("not a safetensors file: shorter than its first field")
	}
	if length > maxHeader || int64(length)+8 > st.Size() {
		return nil, fmt.Errorf("not a safetensors file: it claims a header of %d bytes in a file of %d", length, st.Size())
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("not a safetensors file: its header is no JSON object: %w", err)
	}
	return raw, nil
}

// fitTensor checks that the program's matrix exists and fits into the tile. It returns the
// matrix's inputs, or 0 when they are not known.
func (l *loader) fitTensor(p, pim *node, prog *arch.Program, hw *arch.PIM) int {
	shapes, err := l.readShapes(prog.Model)
	if err != nil {
		l.add(Error, p.at("model"), Diagnostic{Summary: "Model can't be read", In: p.in, Value: prog.Model + ": " + reason(err),
			Suggestion: "file names are relative to the file that writes them"})
		return 0
	}
	if !p.has("tensor") {
		return 0
	}
	shape, ok := shapes[prog.Tensor]
	if !ok {
		shape, ok = shapes[prog.Tensor+matrixSuffix]
	}
	var names []string
	for name, s := range shapes {
		if short, isMatrix := strings.CutSuffix(name, matrixSuffix); isMatrix && len(s.Shape) == 2 {
			names = append(names, short)
		}
	}
	slices.Sort(names)
	if !ok {
		l.add(Error, p.at("tensor"), Diagnostic{Summary: "The model has no such matrix", In: p.in, Value: quote(prog.Tensor),
			Allowed: oneOf(names), Suggestion: didYouMean(prog.Tensor, names)})
		return 0
	}
	if len(shape.Shape) != 2 || shape.Shape[0] < 1 || shape.Shape[1] < 1 {
		l.add(Error, p.at("tensor"), Diagnostic{Summary: "The tensor is no matrix", In: p.in,
			Value: fmt.Sprintf("%q has shape %v", prog.Tensor, shape.Shape), Allowed: oneOf(names)})
		return 0
	}
	x := pim.childOrEmpty("crossbar")
	if !x.has("rows") || !x.has("cols") || pim.wanting("row_blocks") || pim.wanting("col_blocks") {
		return shape.Shape[1]
	}
	outs, ins := shape.Shape[0], shape.Shape[1]
	needRows, needCols := divideUp(ins, hw.Crossbar.Rows), divideUp(outs, hw.Crossbar.Cols)
	if needRows > hw.RowBlocks || needCols > hw.ColBlocks {
		l.add(Error, p.at("tensor"), Diagnostic{Summary: "The matrix does not fit into the tile", In: p.in,
			Value: fmt.Sprintf("%q has %d inputs and %d outputs", prog.Tensor, ins, outs),
			Allowed: fmt.Sprintf("%d inputs and %d outputs: row_blocks x rows and col_blocks x cols",
				hw.RowBlocks*hw.Crossbar.Rows, hw.ColBlocks*hw.Crossbar.Cols),
			Suggestion: fmt.Sprintf("row_blocks = %d and col_blocks = %d make room",
				max(needRows, hw.RowBlocks), max(needCols, hw.ColBlocks))})
	}
	return ins
}

func divideUp(a, b int) int { return (a-1)/b + 1 }

// checkReadable reports a file that is not there.
func (l *loader) checkReadable(n *node, attr, name string) {
	f, err := l.open(name)
	if err == nil {
		_ = f.Close() // nothing was written
		return
	}
	l.add(Error, n.at(attr), Diagnostic{Summary: "File can't be read", In: n.in, Value: name + ": " + reason(err),
		Suggestion: "file names are relative to the file that writes them"})
}
