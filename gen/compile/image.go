package compile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"ohmloom/gen/lower"
	"ohmloom/hw"
)

// Memory is what a chip finds in its external memory: a header for the host, the program, and the
// embedding table; behind them is room for keys and values that are not on the chip. Offsets count from
// the beginning and are multiples of any width of a bus.
//
// As a file all numbers are little endian:
//
//	offset bytes
//	     0     8  "ohmloom1"
//	     8    32  SHA-256 of all bytes from 40 on
//	    40     8  hash of the hardware that it is for, as in registers HASH
//	    48     8  offset of the program
//	    56     4  its words
//	    60     4  their CRC-32 (IEEE 802.3), for register PROGRAM_CHECK
//	    64     8  offset of the embedding table
//	    72     4  its rows
//	    76     4  bytes from one to the next; what a row has no elements for is 0
//	    80     8  offset of keys and values, the end of the file
//	    88     8  their bytes
//	    96    32  SHA-256 of the checkpoint's shapes, weights and tables
type Memory struct {
	Hardware              uint64
	Program, Table, Cache int // offsets, bytes
	Words, Rows, RowBytes int
	Check                 uint32
	CacheBytes            int
	Checkpoint            [32]byte
	Data                  []byte // the file
}

const (
	memoryMagic  = "ohmloom1"
	memoryHeader = 128
	memoryAlign  = 128 // bytes of the widest bus
)

// aligned is n rounded up.
func aligned(n int) int { return (n + memoryAlign - 1) / memoryAlign * memoryAlign }

// Ports is the chip behind its ports.
func (p *Compiled) Ports() hw.ChipTop { return lower.Ports(p.arch, p.Chip) }

// Memory is what the chip's memory holds.
func (p *Compiled) Memory() *Memory {
	top := p.Ports()
	m := &Memory{Hardware: top.Hash, Program: memoryHeader, Words: len(p.Chip.Program), Rows: p.Chip.Vocab, RowBytes: top.RowBytes(),
		CacheBytes: top.CacheBytes(), Checkpoint: p.fingerprint()}
	m.Table = aligned(m.Program + 4*m.Words)
	m.Cache = aligned(m.Table + m.Rows*m.RowBytes)
	m.Data = make([]byte, m.Cache)
	for i, w := range p.Chip.Program {
		binary.LittleEndian.PutUint32(m.Data[m.Program+4*i:], w)
	}
	m.Check = crc32.ChecksumIEEE(m.Data[m.Program : m.Program+4*m.Words])
	for row := range p.Model.Config.VocabSize {
		for i, e := range p.Model.Embedding.Row(row) {
			m.Data[m.Table+row*m.RowBytes+i] = byte(e)
		}
	}
	copy(m.Data, memoryMagic)
	le := binary.LittleEndian
	le.PutUint64(m.Data[40:], m.Hardware)
	le.PutUint64(m.Data[48:], uint64(m.Program))
	le.PutUint32(m.Data[56:], uint32(m.Words))
	le.PutUint32(m.Data[60:], m.Check)
	le.PutUint64(m.Data[64:], uint64(m.Table))
	le.PutUint32(m.Data[72:], uint32(m.Rows))
	le.PutUint32(m.Data[76:], uint32(m.RowBytes))
	le.PutUint64(m.Data[80:], uint64(m.Cache))
	le.PutUint64(m.Data[88:], uint64(m.CacheBytes))
	copy(m.Data[96:], m.Checkpoint[:])
	sum := sha256.Sum256(m.Data[40:])
	copy(m.Data[8:], sum[:])
	return m
}

// fingerprint tells models apart.
func (p *Compiled) fingerprint() [32]byte {
	h := sha256.New()
	fmt.Fprint(h, p.Model.Config)
	for _, op := range p.Plan.Ops {
		for _, x := range op.Matrices {
			w := matrix(p.Model, x.Name)
			fmt.Fprint(h, x.Name, w.M, w.S)
			for o := range w.Out {
				fmt.Fprint(h, w.Row(o))
			}
		}
	}
	for row := range p.Model.Config.VocabSize {
		fmt.Fprint(h, p.Model.Embedding.Row(row))
	}
	return [32]byte(h.Sum(nil))
}

// ReadMemory reads the file of a memory for p. What is wrong with it is an error that begins with its
// name: it is cut short or changed, or for other hardware or another checkpoint.
func (p *Compiled) ReadMemory(name string, data []byte) (*Memory, error) {
	want := p.Memory()
	wrong := func(format string, a ...any) error {
		return fmt.Errorf("%s: %s; write it anew with ohmloom build", name, fmt.Sprintf(format, a...))
	}
	if len(data) < memoryHeader || string(data[:8]) != memoryMagic {
		return nil, wrong("no memory image: %d bytes that do not begin with %q", len(data), memoryMagic)
	}
	le := binary.LittleEndian
	if n := le.Uint64(data[80:]); n != uint64(len(data)) {
		return nil, wrong("%d bytes, its header says %d: the image is cut short or changed", len(data), n)
	}
	if sum := sha256.Sum256(data[40:]); !bytes.Equal(sum[:], data[8:40]) {
		return nil, wrong("SHA-256 is %x, its header says %x: the image was changed", sum[:6], data[8:14])
	}
	if h := le.Uint64(data[40:]); h != want.Hardware {
		return nil, wrong("made for hardware %016x, this description is %016x", h, want.Hardware)
	}
	if !bytes.Equal(data[96:128], want.Checkpoint[:]) {
		return nil, wrong("made for another checkpoint than %s", p.Model.File)
	}
	m := *want
	m.Data, m.Program, m.Table = data, int(le.Uint64(data[48:])), int(le.Uint64(data[64:]))
	m.Words, m.Check = int(le.Uint32(data[56:])), le.Uint32(data[60:])
	if m.Program < 0 || m.Program > len(data)-4*m.Words || m.Table < 0 || m.Table > len(data)-m.Rows*m.RowBytes ||
		int(le.Uint32(data[72:])) != m.Rows || int(le.Uint32(data[76:])) != m.RowBytes {
		return nil, wrong("program or table lie outside of the image, or rows are not of %d bytes", m.RowBytes)
	}
	return &m, nil
}
