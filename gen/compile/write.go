package compile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"ohmloom/hw"
)

// Writable tells whether weights come in through the chip's port.
func (p *Compiled) Writable() bool { return p.Chip.Bank.Crossbar.Writable }

// Rows is the weights as stream weights takes them: every row of every crossbar that holds a
// block of a matrix. Nil unless the chip is writable.
func (p *Compiled) Rows() []hw.Beat {
	if !p.Writable() {
		return nil
	}
	if p.rows == nil {
		p.rows = p.Chip.RowsOfProgram()
	}
	return p.rows
}

// Written is the chip when Rows were written into crossbars without weights, and how many rows
// have pairs that did not verify. A chip that is not writable is as it was loaded.
func (p *Compiled) Written() (chip hw.Chip, failed int) {
	if !p.Writable() {
		return p.Chip, 0
	}
	if p.told == nil {
		p.written, p.told = p.Chip.Blank().Written(p.Rows())
	}
	for _, row := range p.told {
		if row[5][0] != hw.RowVerified {
			failed++
		}
	}
	return p.written, failed
}

// Told is what stream written tells of Rows.
func (p *Compiled) Told() []hw.Beat {
	p.Written()
	return p.told
}

// weights is the programming image: a line a beat of stream weights, its fields in hexadecimal, the
// weights as one number of 2 bits each, column 0 lowest.
func (p *Compiled) weights() []byte {
	var b bytes.Buffer
	rows := p.Rows()
	b.WriteString("# bank tile_row tile_col pe row weights\n")
	for _, beat := range rows {
		for _, f := range beat[:len(beat)-1] {
			fmt.Fprintf(&b, "%x ", f[0])
		}
		data := beat[len(beat)-1]
		packed := make([]byte, (len(data)+3)/4)
		for i, w := range data {
			packed[len(packed)-1-i/4] |= byte(w) << (2 * (i % 4))
		}
		fmt.Fprintf(&b, "%x\n", packed)
	}
	sum := sha256.Sum256(b.Bytes())
	return append([]byte("# programming image, SHA-256 of what follows "+hex.EncodeToString(sum[:])+"\n"), b.Bytes()...)
}
