package accuracy

import (
	"math/bits"

	"ohmloom/gen/model"
)

// packed is a ternary matrix as bits, for exact products by population counts: the words of
// one output hold 64 inputs each, those of +1 and those of -1 by turns.
type packed struct {
	out, words int
	cells      []uint64 // [out][words][2]
}

func pack(w model.Matrix) *packed {
	p := &packed{out: w.Out, words: (w.In + 63) / 64}
	p.cells = make([]uint64, p.out*p.words*2)
	for o := range w.Out {
		for k, t := range w.Row(o) {
			at := 2 * (o*p.words + k/64)
			switch t {
			case 1:
				p.cells[at] |= 1 << (k % 64)
			case -1:
				p.cells[at+1] |= 1 << (k % 64)
			}
		}
	}
	return p
}

// planes are 64 inputs as the eight bit planes of their two's complement.
type planes [8]uint64

// multiply is model.Project. Plane p of an input counts 2^p, plane 7 counts -2^7.
func (p *packed) multiply(y []int8) []int32 {
	x := make([]planes, p.words)
	for k, v := range y {
		m := &x[k/64]
		for b := range m {
			m[b] |= uint64(uint8(v)>>b&1) << (k % 64)
		}
	}
	acc := make([]int32, p.out)
	for o := range acc {
		sum := 0
		for i := range x {
			m, cells := &x[i], p.cells[2*(o*p.words+i):][:2]
			pos, neg := cells[0], cells[1]
			d := bits.OnesCount64(neg&m[7]) - bits.OnesCount64(pos&m[7])
			d = 2*d + bits.OnesCount64(pos&m[6]) - bits.OnesCount64(neg&m[6])
			d = 2*d + bits.OnesCount64(pos&m[5]) - bits.OnesCount64(neg&m[5])
			d = 2*d + bits.OnesCount64(pos&m[4]) - bits.OnesCount64(neg&m[4])
			d = 2*d + bits.OnesCount64(pos&m[3]) - bits.OnesCount64(neg&m[3])
			d = 2*d + bits.OnesCount64(pos&m[2]) - bits.OnesCount64(neg&m[2])
			d = 2*d + bits.OnesCount64(pos&m[1]) - bits.OnesCount64(neg&m[1])
			sum += 2*d + bits.OnesCount64(pos&m[0]) - bits.OnesCount64(neg&m[0])
		}
		acc[o] = int32(sum)
	}
	return acc
}

// Ideal is model.Project for the model's own matrices, made fast: exact integer products.
func (t *Text) Ideal() func(window int) model.Projector {
	matrices := map[string]*packed{}
	for _, name := range t.Model.Matrices() {
		matrices[name] = pack(t.matrix(name))
	}
	project := func(w model.Matrix, y []int8) []int32 { return matrices[w.Name].multiply(y) }
	return func(int) model.Projector { return project }
}

// matrix is one of Model.Matrices.
func (t *Text) matrix(name string) model.Matrix {
	w, err := t.Model.Matrix(name)
	if err != nil {
		panic(err) // the name is out of the model's own list
	}
	return w
}
