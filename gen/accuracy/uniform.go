package accuracy

import (
	"context"
	"math/bits"

	"ohmloom/gen/model"
	"ohmloom/hw/device"
)

// uniform is a ternary matrix on crossbars whose cells are exactly ON or OFF and whose
// converters are all alike and without noise: a code depends on the number of driven cells
// alone, so columns are population counts and converters one table. It gives what array gives,
// several times faster.
type uniform struct {
	out, rows, active int
	groups, words     int // of a crossbar; words of 64 rows in each group
	spec              device.Spec
	signed            []int64  // code of D = -active .. active; nil with separate conversions
	unsigned          []int64  // of 0 .. active driven cells of W+; of W- it is subtracted
	cells             []uint64 // [out][crossbar][group][word][2], W+ and W- by turns
}

// isUniform reports whether uniform can stand in for crossbars with these effects.
func isUniform(s device.Spec) bool {
	e := s.Effects
	e.LSB, e.Separate = 0, false
	return e.Ideal() && s.Step != device.StepIdeal
}

func newUniform(ctx context.Context, w model.Matrix, s device.Spec) (*uniform, error) {
	u := &uniform{out: w.Out, rows: s.Rows, active: s.Active, groups: s.Groups(), words: (s.Active + 63) / 64, spec: s}
	s.Cols, s.Converters = 1, 1
	t, err := device.Make(ctx, s, nil, 0)
	if err != nil {
		return nil, err
	}
	for d := range int64(s.Active) + 1 {
		u.unsigned = append(u.unsigned, t.Code(0, 0, d, 0))
	}
	if !s.Separate {
		for d := int64(-s.Active); d <= int64(s.Active); d++ {
			u.signed = append(u.signed, t.Code(0, 0, max(d, 0), max(-d, 0)))
		}
	}
	u.cells = make([]uint64, w.Out*u.stride(w.In)*2)
	for o := range w.Out {
		for k, t := range w.Row(o) {
			word, bit := u.place(k)
			at := 2 * (o*u.stride(w.In) + word)
			switch t {
			case 1:
				u.cells[at] |= bit
			case -1:
				u.cells[at+1] |= bit
			}
		}
	}
	return u, nil
}

// stride is the number of words of an output, for in inputs.
func (u *uniform) stride(in int) int { return (in + u.rows - 1) / u.rows * u.groups * u.words }

// place is where input k stands: which word of an output, and which bit.
func (u *uniform) place(k int) (word int, bit uint64) {
	crossbar, row := k/u.rows, k%u.rows
	group, at := row/u.active, row%u.active
	return (crossbar*u.groups+group)*u.words + at/64, 1 << (at % 64)
}

func (u *uniform) multiply(y []int8) []int32 {
	stride := u.stride(len(y))
	x := make([]planes, stride)
	for k, v := range y {
		word, bit := u.place(k)
		for b := range x[word] {
			if v>>b&1 != 0 {
				x[word][b] |= bit
			}
		}
	}
	acc := make([]int32, u.out)
	for o := range acc {
		cells := u.cells[2*o*stride : 2*(o+1)*stride]
		for at := 0; at < stride; at += u.groups * u.words {
			var codes [8]int64
			for g := at; g < at+u.groups*u.words; g += u.words {
				u.convert(&codes, x[g:g+u.words], cells[2*g:2*(g+u.words)])
			}
			sum := -codes[7]
			for p := 6; p >= 0; p-- {
				sum = 2*sum + codes[p]
			}
			acc[o] += u.spec.Cells(sum)
		}
	}
	return acc
}

// convert adds the codes of one row group, a plane each.
func (u *uniform) convert(codes *[8]int64, x []planes, cells []uint64) {
	var pos, neg [8]int
	for i := range x {
		m, on, off := &x[i], cells[2*i], cells[2*i+1]
		for p := range m {
			pos[p] += bits.OnesCount64(on & m[p])
			neg[p] += bits.OnesCount64(off & m[p])
		}
	}
	if u.signed == nil {
		for p := range codes {
			codes[p] += u.unsigned[pos[p]] - u.unsigned[neg[p]]
		}
		return
	}
	for p := range codes {
		codes[p] += u.signed[pos[p]-neg[p]+u.active]
	}
}
