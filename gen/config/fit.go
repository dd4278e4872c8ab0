package config

import (
	"fmt"
	"math/bits"

	"ohmloom/gen/arch"
)

// losslessBits is the narrowest signed converter with 1 LSB a cell that reads every sum of
// `rows` active rows: the smallest b with 2^(b-1)-1 >= rows.
func losslessBits(rows int) int { return bits.Len(uint(rows)) + 1 }

// largestCode is the largest sum a signed converter of b bits can tell.
func largestCode(b int) int { return 1<<(b-1) - 1 }

// measuredNote tells what a narrow converter cost when it was tried. It is a measurement on
// small models, not a promise.
const measuredNote = "A bound for the worst input, not for a typical one: sums of a ternary matrix lie near 0. " +
	"Measured on this project's two trained ternary models (64 and 128 wide), a clipping converter of 6 bits changed " +
	"the loss by at most 0.0001 bits/char at 64, 128 and 256 rows; 5 bits cost up to 0.09, 4 bits 0.4 and more."

// fitPIM warns where crossbar and converters do not fit together.
func (l *loader) fitPIM(n, x, adc *node, p *arch.PIM) {
	c := p.Crossbar
	if adc.wanting("rows") || x.wanting("rows") || !x.has("rows") || c.ADC.Rows > c.Rows {
		return
	}
	l.fitADC(adc, c)
	if r := c.Rows % c.ADC.Rows; r != 0 {
		l.add(Warning, adc.at("rows"), Diagnostic{Summary: "Rows per conversion do not divide the crossbar's rows", In: adc.in,
			Value:      fmt.Sprintf("%d of %d rows", c.ADC.Rows, c.Rows),
			Detail:     fmt.Sprintf("A crossbar needs %d conversions a column and bit plane; the last reads only %d rows.", c.Rows/c.ADC.Rows+1, r),
			Suggestion: "use " + divisors(c.Rows, c.ADC.Rows)})
	}
	if x.has("cols") && !adc.wanting("share") && c.ADC.Share <= c.Cols {
		if r := c.Cols % c.ADC.Share; r != 0 {
			l.add(Warning, adc.at("share"), Diagnostic{Summary: "Columns per converter do not divide the crossbar's columns", In: adc.in,
				Value:      fmt.Sprintf("%d of %d columns", c.ADC.Share, c.Cols),
				Detail:     fmt.Sprintf("Of %d converters the last serves %d columns and idles %d of %d turns.", c.Cols/c.ADC.Share+1, r, c.ADC.Share-r, c.ADC.Share),
				Suggestion: "use " + divisors(c.Cols, c.ADC.Share)})
		}
	}
	if p.Bank == nil && n.has("lanes") && x.has("cols") && p.Lanes > max(p.RowBlocks*c.Rows, p.ColBlocks*c.Cols) {
		l.add(Warning, n.at("lanes"), Diagnostic{Summary: "More lanes than elements", In: n.in, Value: fmt.Sprint(p.Lanes),
			Detail: fmt.Sprintf("The tile takes %d elements in and gives %d out; the other lanes idle.", p.RowBlocks*c.Rows, p.ColBlocks*c.Cols)})
	}
}

// fitADC warns of a converter that can't tell every sum of its rows.
func (l *loader) fitADC(n *node, c arch.Crossbar) {
	a := c.ADC
	if n.wanting("bits") || n.wanting("step") {
		return
	}
	if n.float("lsb", 1) != 1 {
		return // a coarse or fine LSB is a choice
	}
	top, enough := largestCode(a.Bits), losslessBits(a.Rows)
	if c.Effects.Separate { // unsigned converters have a bit more
		top, enough = largestCode(a.Bits+1), enough-1
	}
	d := Diagnostic{In: n.in, Detail: measuredNote,
		Value: fmt.Sprintf("%s for %s, step = %q", count(a.Bits, "bit"), count(a.Rows, "row"), a.Step)}
	if top >= a.Rows {
		return
	}
	switch a.Step {
	case "clip":
		d.Summary = "ADC narrower than its rows: large sums clip"
		d.Allowed = fmt.Sprintf("lossless from %d bits on", enough)
		d.Suggestion = fmt.Sprintf("worst loss: a sum of %d reads as %d, %s lost in one conversion; bits = %d loses nothing",
			a.Rows, top, count(a.Rows-top, "cell"), enough)
		if top >= 1 {
			d.Suggestion += fmt.Sprintf(", and so does rows = %d", top)
		}
	case "full":
		d.Summary = "ADC narrower than its rows: one step is more than a cell"
		d.Allowed = fmt.Sprintf("one step is at most one cell from %d bits on", enough)
		lsb := "the whole range"
		if top > 0 {
			lsb = fmt.Sprintf("%.4g cells", float64(a.Rows)/float64(top))
		}
		d.Suggestion = fmt.Sprintf("1 LSB is %s; step = \"clip\" keeps single cells apart and clips large sums instead", lsb)
		d.Detail = "Sums of a ternary matrix lie near 0, where a coarse step loses most. Measured on this project's two trained " +
			"ternary models, full scale needed 7, 8 and 9 bits at 64, 128 and 256 rows, clipping 6."
	default:
		return
	}
	l.add(Warning, n.at("bits"), d)
}

// count writes a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// divisors names the divisors of n nearest to v, below and above.
func divisors(n, v int) string {
	low, high := v, v
	for n%low != 0 {
		low--
	}
	for n%high != 0 {
		high++
	}
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d or %d", low, high)
}

// fitProgram checks a program against the crossbars and the files it names.
func (l *loader) fitProgram(p, pim *node, prog *arch.Program, hw *arch.PIM) {
	inputs := 0 // of the matrix; 0 when it is not known
	if p.has("model") {
		inputs = l.fitTensor(p, pim, prog, hw)
	}
	if prog.Golden != "" {
		l.checkReadable(p, "golden", prog.Golden)
	}
	if pim.childOrEmpty("crossbar").has("rows") {
		l.fitCases(p, prog, inputs, hw.Crossbar.Rows)
	}
}

// fitCases reports cases written twice, and those that convert more rows than a crossbar has
// when matrices have more inputs than that; inputs is 0 when that is not known.
func (l *loader) fitCases(p *node, prog *arch.Program, inputs, rows int) {
	seen := map[arch.ADCCase]bool{}
	for i, c := range prog.Cases {
		n := p.blocks["case"][i]
		key := arch.ADCCase{Rows: c.Rows, Bits: c.Bits}
		if n.has("rows") && n.has("bits") && seen[key] {
			l.add(Error, n.rng, Diagnostic{Summary: "Case written twice", In: n.in,
				Value: fmt.Sprintf("rows = %d, bits = %d", c.Rows, c.Bits), Suggestion: "remove one"})
		}
		seen[key] = true
		if n.has("rows") && c.Rows > rows && (inputs == 0 || inputs > rows) {
			l.add(Warning, n.at("rows"), Diagnostic{Summary: "Case converts more rows at once than a crossbar has", In: n.in,
				Value: fmt.Sprint(c.Rows), Allowed: fmt.Sprintf("1 .. %d, the crossbar's rows", rows),
				Detail:     "Each crossbar converts on its own, so golden vectors of larger groups can differ in what clips.",
				Suggestion: fmt.Sprintf("use rows = %d, or a larger crossbar", rows)})
		}
	}
}
